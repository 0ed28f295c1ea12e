/* kw_list_offsets: where logs begin and end and what they have at a time, of partitions
 * that nobody has assigned; and the lag of one that is.
 *
 * covers: C49 B19 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/api.h"
#include "proto/header.h"
#include "proto/list_offsets.h"
#include "tests/sim/pair.h"

enum { PARTITIONS = 6, BROKERS = 3, RECORDS = 10 };
/* Record i of every partition has the time BEGIN_MS + i * 1000. */
static const int64_t BEGIN_MS = 1600000000000;

struct desk {
    struct sim_pair pair;
    unsigned n_done, n_delivered, n_asked;
    int code;
    struct kw_error error;
    int8_t isolation; /* of the last request */
    struct kw_offsets *result;
};
static struct desk desk;

static void desk_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_REPORT)
        desk.n_delivered += event->report.n;
    if (event->kind != KW_EVENT_OP_DONE)
        return;
    desk.n_done++;
    desk.code = event->code;
    memset(&desk.error, 0, sizeof desk.error);
    if (event->error)
        desk.error = *event->error;
}

static void desk_request(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_list_offsets_request req;
    struct kw_request_header header;
    size_t used;
    (void)ctx;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &used), 0);
    if (header.api_key != KW_API_LIST_OFFSETS)
        return;
    cr_assert_eq(
        kwi_list_offsets_request_decode(&req, header.api_version, frame + used, len - used, NULL),
        0);
    cr_assert_eq(req.replica_id, -1);
    desk.isolation = req.isolation_level;
    desk.n_asked++;
}

static const char *const usual[] = {"retry.backoff.ms=20",     "retry.backoff.max.ms=100",
                                    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100",
                                    "request.timeout.ms=1000", NULL};

static void desk_produce(void)
{
    struct kw_producer *producer;
    struct kw_topic *topic;
    cr_assert_eq(kw_core_producer_create(&producer, desk.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&topic, producer, "t", NULL), 0);
    for (int i = 0; i < 10; i++)
        sim_pair_step(&desk.pair, 5000);
    for (int i = 0; i < RECORDS; i++) {
        for (int32_t p = 0; p < PARTITIONS; p++) {
            struct kw_record record = {.value = {"v", 1},
                                       .flags = KW_REC_PARTITION | KW_REC_TIMESTAMP,
                                       .partition = p,
                                       .timestamp_ms = BEGIN_MS + i * 1000};
            cr_assert_geq(kw_core_produce(topic, &record), 0);
        }
    }
    for (int i = 0; i < 60; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.n_delivered, RECORDS * PARTITIONS);
}

static void desk_begin(bool produce)
{
    memset(&desk, 0, sizeof desk);
    cr_assert_eq(sim_pair_init(&desk.pair, SIM_MEMORY_PLAIN, BROKERS, PARTITIONS), 0);
    desk.pair.on_event = desk_event;
    desk.pair.on_request = desk_request;
    cr_assert_eq(sim_pair_core(&desk.pair, usual, NULL), 0);
    if (produce)
        desk_produce();
}

static void desk_end(void)
{
    cr_assert(!desk.pair.broken, "%s", desk.pair.why);
    kw_core_destroy(desk.pair.core);
    desk.pair.core = NULL;
    kw_offsets_destroy(desk.result);
    cr_assert_eq(desk.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)desk.pair.memory.n_live);
    sim_pair_deinit(&desk.pair);
}

static void desk_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(desk.pair.mock, &fault, NULL), 0);
}

static struct kw_op *ask(const struct kw_start *which, size_t n, int32_t timeout_ms)
{
    kw_offsets_destroy(desk.result);
    desk.result = NULL;
    return kw_core_list_offsets(desk.pair.core, which, n, KW_READ_UNCOMMITTED, &desk.result,
                                timeout_ms, NULL);
}

/* Runs it to its end. */
static int find(const struct kw_start *which, size_t n, int32_t timeout_ms)
{
    unsigned before = desk.n_done;
    cr_assert_not_null(ask(which, n, timeout_ms));
    for (int i = 0; i < 4000 && desk.n_done == before; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.n_done, before + 1, "the op did not end once");
    return desk.code;
}

static void ends_of_all(struct kw_start *which)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        which[p] = (struct kw_start){"t", PARTITIONS - 1 - p, KW_START_LATEST, 0};
}

static void expect_ends(void)
{
    cr_assert_eq(desk.code, 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->n, PARTITIONS);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct kw_offset *offset = &desk.result->list[p];
        cr_assert_str_eq(offset->topic, "t");
        cr_assert_eq(offset->partition, PARTITIONS - 1 - p, "the order of the request stays");
        cr_assert_eq(offset->kafka_code, 0);
        cr_assert_eq(offset->offset, RECORDS);
    }
}

Test(list_offsets, all_ends_cost_one_request_to_each_leader)
{
    struct kw_start which[PARTITIONS];
    ends_of_all(which);
    desk_begin(true);
    find(which, PARTITIONS, 5000);
    expect_ends();
    cr_assert_eq(desk.n_asked, BROKERS);
    cr_assert_eq(desk.isolation, 0);
    desk_end();
}

Test(list_offsets, one_partition_may_be_asked_everything_at_once)
{
    static const struct kw_start which[] = {
        {"t", 2, KW_START_LATEST, 0},
        {"t", 2, KW_START_EARLIEST, 0},
        {"t", 2, KW_START_TIMESTAMP, 1600000003500},
        {"t", 2, KW_START_TIMESTAMP, 1600000009001},
        {"t", 2, KW_START_TIMESTAMP, 0},
        {"t", 0, KW_START_TIMESTAMP, 1600000009000},
    };
    static const int64_t want[] = {RECORDS, 0, 4, -1, 0, 9};
    desk_begin(true);
    cr_assert_eq(find(which, 6, 5000), 0, "%s", desk.error.text);
    for (int i = 0; i < 6; i++) {
        const struct kw_offset *offset = &desk.result->list[i];
        cr_assert_eq(offset->kafka_code, 0);
        cr_assert_eq(offset->offset, want[i], "%d: %lld", i, (long long)offset->offset);
    }
    cr_assert_eq(desk.result->list[2].timestamp_ms, 1600000004000);
    cr_assert_eq(desk.result->list[3].timestamp_ms, -1);
    cr_assert_geq(desk.result->list[2].leader_epoch, 0);
    desk_end();
}

Test(list_offsets, the_result_outlives_the_client)
{
    struct kw_start which[PARTITIONS];
    ends_of_all(which);
    desk_begin(true);
    find(which, PARTITIONS, 5000);
    kw_core_destroy(desk.pair.core);
    desk.pair.core = NULL;
    expect_ends();
    desk_end();
}

Test(list_offsets, what_is_not_there_does_not_spoil_the_rest)
{
    static const struct kw_start which[] = {{"gone", 0, KW_START_LATEST, 0},
                                            {"t", 1, KW_START_LATEST, 0},
                                            {"t", 77, KW_START_EARLIEST, 0},
                                            {"t", 2, KW_START_LATEST, 0}};
    desk_begin(true);
    desk_fault("listoffsets:*:error=TOPIC_AUTHORIZATION_FAILED:partition=2");
    cr_assert_eq(find(which, 4, 10000), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->list[0].kafka_code, 3);
    cr_assert_eq(desk.result->list[0].offset, -1);
    cr_assert_eq(desk.result->list[1].offset, RECORDS);
    cr_assert_eq(desk.result->list[2].kafka_code, 3);
    cr_assert_eq(desk.result->list[3].kafka_code, 29);
    cr_assert_eq(desk.result->list[3].offset, -1);
    desk_end();
}

Test(list_offsets, a_topic_that_is_just_being_made_is_waited_for)
{
    static const struct kw_start which[] = {{"new", 0, KW_START_LATEST, 0}};
    unsigned before;
    desk_begin(false);
    before = desk.n_done;
    cr_assert_not_null(ask(which, 1, 10000));
    for (int i = 0; i < 200; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.n_done, before);
    cr_assert_eq(kwi_mock_create_topic(desk.pair.mock, "new", 1), 0);
    for (int i = 0; i < 200 && desk.n_done == before; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.n_done, before + 1);
    cr_assert_eq(desk.code, 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->list[0].kafka_code, 0);
    cr_assert_eq(desk.result->list[0].offset, 0);
    desk_end();
}

Test(list_offsets, leaders_that_move_answers_that_are_lost_and_parts_left_out_are_asked_again)
{
    static const char *const faults[] = {
        "listoffsets:1-4:error=NOT_LEADER_OR_FOLLOWER",
        "listoffsets:1-2:error=OFFSET_NOT_AVAILABLE",
        "listoffsets:1-3:error=UNKNOWN_SERVER_ERROR",
        "listoffsets:1-2:close-before",
        "listoffsets:2:close-after",
        "listoffsets:1:drop-request",
        "listoffsets:1:drop-answer",
        "listoffsets:1-2:omit",
        "listoffsets:*:twice",
        "listoffsets:*:unasked",
        "listoffsets:1:throttle=100",
        "listoffsets:1:cut=7",
        "metadata:1-2:close-before",
        NULL,
    };
    struct kw_start which[PARTITIONS];
    ends_of_all(which);
    for (unsigned i = 0; faults[i]; i++) {
        desk_begin(true);
        desk_fault(faults[i]);
        find(which, PARTITIONS, 10000);
        cr_assert_eq(desk.code, 0, "%s: %s", faults[i], desk.error.text);
        expect_ends();
        desk_end();
    }
}

Test(list_offsets, a_leader_that_went_elsewhere_is_found)
{
    struct kw_start which[PARTITIONS];
    ends_of_all(which);
    desk_begin(true);
    for (int32_t p = 0; p < PARTITIONS; p++)
        cr_assert_eq(kwi_mock_set_leader(desk.pair.mock, "t", p, 2), 0);
    find(which, PARTITIONS, 10000);
    expect_ends();
    desk_end();
}

Test(list_offsets, a_partition_without_leader_ends_at_the_deadline_and_is_named)
{
    struct kw_start which[PARTITIONS];
    ends_of_all(which);
    desk_begin(true);
    cr_assert_eq(kwi_mock_set_leader(desk.pair.mock, "t", 3, -1), 0);
    cr_assert_eq(find(which, PARTITIONS, 1000), KW_ERR_TIMEOUT);
    cr_assert_null(desk.result);
    cr_assert(strstr(desk.error.text, "t partition 3") || strstr(desk.error.text, "LEADER"), "%s",
              desk.error.text);
    desk_end();
}

/* The broker says -1 for an end, twice; then the truth. */
static unsigned n_lies;
static size_t lie(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    struct kw_list_offsets_response msg;
    struct kw_list_offsets_response_topic topic;
    struct kw_list_offsets_response_partition part;
    struct kw_wr wr = kwi_wr_make(out, cap);
    (void)ctx;
    if (answer->api_key != KW_API_LIST_OFFSETS || n_lies == 0)
        return 0;
    n_lies--;
    kwi_list_offsets_response_init(&msg);
    kwi_list_offsets_response_topic_init(&topic);
    kwi_list_offsets_response_partition_init(&part);
    part.offset = -7;
    topic.name = kwi_str("t");
    topic.partitions = KWI_ARR(&part, 1);
    msg.topics = KWI_ARR(&topic, 1);
    cr_assert_eq(kwi_list_offsets_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

Test(list_offsets, an_end_below_zero_is_asked_for_again)
{
    static const struct kw_start which[] = {{"t", 0, KW_START_LATEST, 0}};
    memset(&desk, 0, sizeof desk);
    cr_assert_eq(sim_pair_init(&desk.pair, SIM_MEMORY_PLAIN, 1, PARTITIONS), 0);
    desk.pair.on_event = desk_event;
    desk.pair.on_answer = lie;
    n_lies = 2;
    cr_assert_eq(sim_pair_core(&desk.pair, usual, NULL), 0);
    cr_assert_eq(find(which, 1, 10000), 0, "%s", desk.error.text);
    cr_assert_eq(desk.result->list[0].offset, 0);
    cr_assert_eq(n_lies, 0);
    desk_end();
}

Test(list_offsets, the_isolation_is_told_to_the_leader)
{
    static const struct kw_start which[] = {{"t", 0, KW_START_LATEST, 0}};
    unsigned before;
    desk_begin(false);
    before = desk.n_done;
    cr_assert_not_null(kw_core_list_offsets(desk.pair.core, which, 1, KW_READ_COMMITTED,
                                            &desk.result, 5000, NULL));
    for (int i = 0; i < 400 && desk.n_done == before; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.code, 0);
    cr_assert_eq(desk.isolation, 1);
    desk_end();
}

Test(list_offsets, cancelled_or_abandoned_at_any_moment_it_leaks_nothing)
{
    struct kw_start which[PARTITIONS + 1];
    ends_of_all(which);
    which[PARTITIONS] = (struct kw_start){"gone", 0, KW_START_LATEST, 0};
    for (unsigned turns = 0; turns < 24; turns++) {
        for (int cancel = 0; cancel < 2; cancel++) {
            desk_begin(false);
            struct kw_op *op = ask(which, PARTITIONS + 1, 5000);
            cr_assert_not_null(op);
            for (unsigned i = 0; i < turns && desk.n_done == 0; i++)
                sim_pair_turn(&desk.pair);
            if (cancel && desk.n_done == 0) {
                cr_assert_eq(kw_core_op_cancel(op), 0);
                for (int i = 0; i < 50; i++)
                    sim_pair_step(&desk.pair, 5000);
                cr_assert_eq(desk.code, KW_ERR_CANCELED);
                cr_assert_null(desk.result);
            }
            desk_end();
        }
    }
}

Test(list_offsets, nothing_asked_is_answered_at_once)
{
    desk_begin(false);
    cr_assert_eq(find(NULL, 0, 1000), 0);
    cr_assert_eq(desk.result->n, 0);
    desk_end();
}

Test(list_offsets, a_request_that_makes_no_sense_ends_with_a_use_error)
{
    static const struct kw_start bad[] = {
        {NULL, 0, KW_START_LATEST, 0},    {"", 0, KW_START_LATEST, 0},
        {"t", -1, KW_START_LATEST, 0},    {"t", 0, KW_START_OFFSET, 4},
        {"t", 0, KW_START_TAIL, 4},       {"t", 0, KW_START_COMMITTED, 0},
        {"t", 0, KW_START_TIMESTAMP, -1},
    };
    desk_begin(false);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(find(&bad[i], 1, 1000), KW_ERR_USE, "case %u", i);
    cr_assert_not_null(kw_core_list_offsets(desk.pair.core, bad, 0, 7, &desk.result, 0, NULL));
    cr_assert_not_null(kw_core_list_offsets(desk.pair.core, bad, 0, 0, NULL, 0, NULL));
    for (int i = 0; i < 10; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.code, KW_ERR_USE);
    desk_end();
}

/* ---- lag -------------------------------------------------------------------------------- */

Test(lag, it_is_what_lies_between_the_position_and_the_end_and_costs_no_request)
{
    struct kw_start start = {"t", 0, KW_START_EARLIEST, 0};
    struct kw_consumer *consumer;
    struct kw_records *records;
    struct kw_error err;
    uint64_t before;
    int64_t lag;
    desk_begin(true);
    cr_assert_eq(kw_core_consumer_create(&consumer, desk.pair.core, NULL, &err), 0);
    cr_assert_eq(kw_core_assign(consumer, &start, 1, &err), 0);
    cr_assert_eq(kw_lag(consumer, "t", 0, &lag), 0);
    cr_assert_eq(lag, -1, "not known yet");
    cr_assert_eq(kw_lag(consumer, "t", 1, &lag), KW_ERR_STATE);
    cr_assert_eq(kw_lag(consumer, NULL, 0, &lag), KW_ERR_USE);
    for (int i = 0; i < 100; i++)
        sim_pair_step(&desk.pair, 5000);
    before = kwi_mock_n_requests(desk.pair.mock, -1);
    cr_assert_eq(kw_lag(consumer, "t", 0, &lag), 0);
    cr_assert_eq(lag, RECORDS, "nothing of it was taken: %lld", (long long)lag);
    cr_assert_eq(kw_core_consumer_poll(consumer, &records, 4), 1);
    cr_assert_eq(kw_lag(consumer, "t", 0, &lag), 0);
    cr_assert_eq(lag, RECORDS - 4, "%lld", (long long)lag);
    kw_core_records_release(records, KW_DONE);
    while (kw_core_consumer_poll(consumer, &records, 4) == 1)
        kw_core_records_release(records, KW_DONE);
    cr_assert_eq(kw_lag(consumer, "t", 0, &lag), 0);
    cr_assert_eq(lag, 0);
    cr_assert_eq(kwi_mock_n_requests(desk.pair.mock, -1), before);
    desk_end();
}
