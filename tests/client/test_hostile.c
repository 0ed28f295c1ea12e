/* Brokers that are hostile or broken: answers that contradict each other or name
 * what cannot be, refusals without end, connections that are closed as soon as they
 * are up, answers that were meant for somebody else. What holds is the same for all:
 * nothing is lost or doubled, no memory grows, and the rate of requests is bounded.
 *
 * covers: B06 B13 B16 B18 B19 B20 B21 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/api.h"
#include "proto/coordinator.h"
#include "proto/fetch.h"
#include "proto/list_offsets.h"
#include "proto/metadata.h"
#include "proto/produce.h"
#include "tests/sim/pair.h"

enum { PARTS = 4, BROKERS = 3, MINUTE_MS = 60000 };

static struct {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *consumer;
    uint32_t n_made, n_delivered, n_other, n_read[PARTS], n_errors, n_eof, n_op_done;
    int64_t next[PARTS];
    int op_code;
    bool all, read_all;
    uint32_t n_wanted;
    struct kw_error error, op_error;
    uint32_t n_answers;   /* of the API that a test changes */
    int32_t orphan_until; /* so many answers name a leader that nobody knows */
} bed;                    /* one test a process */

static void bed_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_REPORT && event->report.outcome == KW_DELIVERED)
        bed.n_delivered += event->report.n;
    else if (event->kind == KW_EVENT_REPORT)
        bed.n_other += event->report.n;
    if (event->kind == KW_EVENT_ERROR) {
        bed.n_errors++;
        bed.error = *event->error;
    }
    bed.n_eof += event->kind == KW_EVENT_PARTITION_EOF;
    if (event->kind == KW_EVENT_OP_DONE) {
        bed.n_op_done++;
        bed.op_code = event->code;
        if (event->error)
            bed.op_error = *event->error;
    }
    bed.all = bed.n_delivered + bed.n_other == bed.n_made;
}

typedef size_t bed_answer_fn(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap);

static const char *const usual[] = {"linger.ms=0", "metadata.max.age.ms=300000", NULL};

static void bed_begin(bed_answer_fn *answer)
{
    struct kw_config *own = NULL;
    const char *producer[] = {"delivery.timeout.ms=3600000", NULL};
    memset(&bed, 0, sizeof bed);
    cr_assert_eq(sim_pair_init(&bed.pair, SIM_MEMORY_PLAIN, BROKERS, PARTS), 0);
    bed.pair.on_event = bed_event;
    bed.pair.on_answer = answer;
    cr_assert_eq(sim_pair_core(&bed.pair, usual, NULL), 0);
    cr_assert_eq(sim_pair_config(&bed.pair, &own, producer), 0);
    cr_assert_eq(kw_core_producer_create(&bed.producer, bed.pair.core, own, NULL), 0);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_topic_open(&bed.topic, bed.producer, "t", NULL), 0);
}

static void bed_end(void)
{
    cr_assert(!bed.pair.broken, "%s", bed.pair.why);
    kw_core_destroy(bed.pair.core);
    bed.pair.core = NULL;
    cr_assert_eq(bed.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)bed.pair.memory.n_live);
    sim_pair_deinit(&bed.pair);
}

static void bed_run(uint64_t ms)
{
    sim_pair_pass(&bed.pair, ms);
}

static void bed_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(bed.pair.mock, &fault, NULL), 0);
}

static void bed_make(int32_t partition)
{
    char value[16];
    struct kw_record record = {
        .value = {value, (size_t)snprintf(value, sizeof value, "%d", partition)},
        .flags = KW_REC_PARTITION,
        .partition = partition};
    for (int i = 0; i < 100 && kw_topic_partitions(bed.topic) == 0; i++)
        bed_run(50);
    int rc = kw_core_produce(bed.topic, &record);
    cr_assert_geq(rc, 0, "%s", kw_err_name(rc));
    bed.n_made++;
    bed.all = false;
}

/* n records into each partition, all delivered. */
static void bed_fill(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (int32_t p = 0; p < PARTS; p++)
            bed_make(p);
    cr_assert(sim_pair_run(&bed.pair, &bed.all, MINUTE_MS), "%u of %u delivered: %s",
              bed.n_delivered, bed.n_made, bed.error.text);
    cr_assert_eq(bed.n_other, 0);
}

static void bed_take(void)
{
    struct kw_records *records;
    const struct kw_consumed *record;
    while (kw_core_consumer_poll(bed.consumer, &records, 0) == 1) {
        int32_t p = kw_records_partition(records);
        while ((record = kw_records_next(records))) {
            cr_assert_eq(record->offset, bed.next[p], "partition %d: %lld came", p,
                         (long long)record->offset);
            bed.next[p]++;
            bed.n_read[p]++;
        }
        kw_core_records_release(records, KW_DONE);
    }
}

static void bed_consume(uint64_t ms, const char *const *settings)
{
    struct kw_start starts[PARTS];
    struct kw_config *own = NULL;
    if (!bed.consumer) {
        cr_assert_eq(sim_pair_config(&bed.pair, &own, settings), 0);
        cr_assert_eq(kw_core_consumer_create(&bed.consumer, bed.pair.core, own, NULL), 0);
        kw_config_destroy(own);
        for (int32_t p = 0; p < PARTS; p++)
            starts[p] = (struct kw_start){"t", p, KW_START_EARLIEST, 0};
        cr_assert_eq(kw_core_assign(bed.consumer, starts, PARTS, NULL), 0);
    }
    for (uint64_t at = 0; at < ms; at += 50) {
        bed_run(50);
        bed_take();
        sim_pair_step(&bed.pair, 0);
    }
}

static void bed_must_have_read(uint32_t n)
{
    for (int p = 0; p < PARTS; p++)
        cr_assert_eq(bed.n_read[p], n, "partition %d: %u records of %u: %s", p, bed.n_read[p], n,
                     bed.error.text);
}

static uint64_t n_requests(int16_t api_key)
{
    return kwi_mock_n_requests(bed.pair.mock, api_key);
}

/* ---- changing answers ----------------------------------------------------------- */

/* Up to 64 elements of an array; returns how many. */
#define TAKE(items, arr)                                                                 \
    __extension__({                                                                      \
        struct kw_iter it_;                                                              \
        int n_ = 0;                                                                      \
        for (kwi_iter_init(&it_, &(arr)); n_ < 64 && kwi_iter_next(&it_, &(items)[n_]);) \
            n_++;                                                                        \
        n_;                                                                              \
    })
#define ENCODED(name, msg, answer, out, cap)                                   \
    __extension__({                                                            \
        struct kw_wr wr_ = kwi_wr_make(out, cap);                              \
        cr_assert_eq(kwi_##name##_encode(&(msg), (answer)->version, &wr_), 0); \
        cr_assert_eq(kwi_wr_status(&wr_), 0);                                  \
        wr_.len;                                                               \
    })

/* Brokers, topics and partitions twice, with ids that nothing has, and a leader that
 * is not in the list of brokers. */
static size_t absurd_metadata(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static struct kw_metadata_response_broker brokers[64 + 8];
    static struct kw_metadata_response_topic topics[64 + 8];
    static struct kw_metadata_response_partition parts[64 + 8];
    static const int32_t ids[] = {-1, -2, INT32_MIN, 0x7ffffffe};
    struct kw_metadata_response msg;
    int n, n_parts;
    (void)ctx;
    if (answer->api_key != KW_API_METADATA)
        return 0;
    bed.n_answers++;
    cr_assert_eq(
        kwi_metadata_response_decode(&msg, answer->version, answer->body, answer->len, NULL), 0);
    n = TAKE(brokers, msg.brokers);
    for (int i = 0; i < 4; i++) {
        brokers[n + i] = brokers[0];
        brokers[n + i].node_id = ids[i];
    }
    brokers[n + 3].port = -5;    /* no port */
    brokers[n + 4] = brokers[1]; /* twice */
    brokers[n + 5] = brokers[0];
    brokers[n + 5].host = kwi_str("");
    msg.brokers = KWI_ARR(brokers, n + 6);
    n = TAKE(topics, msg.topics);
    cr_assert_eq(n, 1);
    n_parts = TAKE(parts, topics[0].partitions);
    for (int i = 0; i < 4; i++) {
        parts[n_parts + i] = parts[0];
        parts[n_parts + i].partition_index = i < 2 ? -1 - i : i == 2 ? INT32_MAX : INT32_MIN;
        parts[n_parts + i].leader_id = -2;
    }
    parts[n_parts + 4] = parts[1]; /* twice */
    if ((int32_t)bed.n_answers <= bed.orphan_until)
        parts[3].leader_id = 77; /* nobody */
    topics[0].partitions = KWI_ARR(parts, n_parts + 5);
    topics[1] = topics[0]; /* twice */
    topics[2] = topics[0];
    topics[2].name = kwi_str("");
    topics[2].topic_id.b[0]++;
    msg.topics = KWI_ARR(topics, 3);
    return ENCODED(metadata_response, msg, answer, out, cap);
}

Test(hostile, metadata_that_names_what_cannot_be_or_twice_is_taken_for_what_it_is_worth)
{
    bed_begin(absurd_metadata);
    bed_fill(3);
    cr_expect_eq(kw_topic_partitions(bed.topic), PARTS);
    bed_consume(3000, NULL);
    bed_must_have_read(3);
    cr_expect_eq(bed.n_errors, 0, "%s", bed.error.text);
    cr_expect_leq(n_requests(KW_API_METADATA), 6);
    bed_end();
}

Test(hostile, a_leader_that_is_in_no_list_of_brokers_is_asked_for_until_it_is)
{
    bed_begin(absurd_metadata);
    bed.orphan_until = 5;
    uint64_t start_us = bed.pair.now.mono_us;
    bed_fill(1);
    cr_expect_geq(bed.n_answers, 6);
    /* Five answers, each behind a backoff of at most 1.2 s. */
    cr_expect_leq(bed.pair.now.mono_us - start_us, 8000000u);
    bed_end();
    /* A consumer has nothing that would ask but metadata itself. */
    bed_begin(absurd_metadata);
    bed_fill(1);
    bed.orphan_until = (int32_t)bed.n_answers + 5;
    cr_assert_eq(kwi_mock_set_leader(bed.pair.mock, "t", 3, 1), 0);
    bed_consume(10000, NULL);
    bed_must_have_read(1);
    bed_end();
}

/* Partitions that nobody has, and each one that was asked for twice; positions of the
 * log that contradict each other and the records. */
static size_t absurd_fetch(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static struct kw_fetch_response_topic topics[64];
    static struct kw_fetch_response_partition parts[64 + 8];
    static const int64_t marks[][3] = {/* high watermark, last stable, log start */
                                       {-1, -1, -1},
                                       {INT64_MIN, INT64_MAX, INT64_MAX},
                                       {0, 5, 9},
                                       {INT64_MAX, -7, INT64_MIN},
                                       {1, INT64_MIN, 2}};
    struct kw_fetch_response msg;
    int n;
    (void)ctx;
    if (answer->api_key != KW_API_FETCH)
        return 0;
    cr_assert_eq(kwi_fetch_response_decode(&msg, answer->version, answer->body, answer->len, NULL),
                 0);
    if (TAKE(topics, msg.responses) == 0)
        return 0;
    n = TAKE(parts, topics[0].partitions);
    for (int i = 0; i < n; i++) {
        const int64_t *mark = marks[bed.n_answers++ % 5];
        parts[i].high_watermark = mark[0];
        parts[i].last_stable_offset = mark[1];
        parts[i].log_start_offset = mark[2];
    }
    parts[n] = parts[0];
    parts[n + 1] = parts[0];
    parts[n + 1].partition_index = -1;
    parts[n + 2] = parts[0];
    parts[n + 2].partition_index = INT32_MAX;
    topics[0].partitions = KWI_ARR(parts, n + 3);
    topics[1] = topics[0];
    topics[1].topic = kwi_str("another");
    msg.responses = KWI_ARR(topics, 2);
    return ENCODED(fetch_response, msg, answer, out, cap);
}

Test(hostile, marks_of_the_log_that_contradict_each_other_neither_skip_nor_spin)
{
    static const char *const waits[] = {"fetch.max.wait.ms=500", NULL};
    bed_begin(absurd_fetch);
    bed_fill(5);
    bed_consume(2000, waits);
    bed_must_have_read(5);
    uint64_t before = n_requests(KW_API_FETCH), steps = bed.pair.n_steps;
    bed_consume(MINUTE_MS, waits);
    /* Three leaders, each asked again as its long poll of 0.5 s ends. */
    cr_expect_leq(n_requests(KW_API_FETCH) - before, 3u * 2 * 60 + 10);
    cr_expect_leq(bed.pair.n_steps - steps, 10000u);
    bed_fill(2);
    bed_consume(2000, waits);
    bed_must_have_read(7);
    bed_end();
}

/* Every look-up of an offset finds one that the log does not have. */
static size_t absurd_offset(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static struct kw_list_offsets_response_topic topics[64];
    static struct kw_list_offsets_response_partition parts[64];
    static const int64_t offsets[] = {INT64_MAX, INT64_MIN, -2, 1 << 20, INT64_MAX - 1};
    struct kw_list_offsets_response msg;
    (void)ctx;
    if (answer->api_key != KW_API_LIST_OFFSETS)
        return 0;
    cr_assert_eq(
        kwi_list_offsets_response_decode(&msg, answer->version, answer->body, answer->len, NULL),
        0);
    if (TAKE(topics, msg.topics) == 0)
        return 0;
    int n = TAKE(parts, topics[0].partitions);
    for (int i = 0; i < n; i++)
        parts[i].offset = offsets[bed.n_answers++ % 5];
    topics[0].partitions = KWI_ARR(parts, n);
    msg.topics = KWI_ARR(topics, 1);
    return ENCODED(list_offsets_response, msg, answer, out, cap);
}

Test(hostile, offsets_that_the_log_never_has_are_not_looked_up_in_a_loop)
{
    static const char *const settings[] = {"auto.offset.reset=earliest", NULL};
    bed_begin(absurd_offset);
    bed_fill(1);
    bed_consume(MINUTE_MS, settings);
    bed_must_have_read(0);
    /* At most one a backoff, which grows to a second, and each with one fetch. */
    cr_expect_leq(n_requests(KW_API_LIST_OFFSETS), 4u * 90);
    cr_expect_leq(n_requests(KW_API_FETCH), 4u * 90);
    bed_end();
}

/* ---- refusals without end -------------------------------------------------------- */

Test(hostile, refusals_without_end_cost_a_bounded_rate_of_requests)
{
    static const struct {
        const char *spec;
        int16_t api_key;
        uint32_t askers; /* each may ask once a backoff */
    } rows[] = {
        {"apiversions:*:error=35", KW_API_API_VERSIONS, 8},
        {"metadata:*:error=5", KW_API_METADATA, 1},
        {"initproducerid:*:error=14", KW_API_INIT_PRODUCER_ID, 1},
        {"produce:*:error=6", KW_API_PRODUCE, PARTS},
        {"produce:*:error=7", KW_API_PRODUCE, PARTS},
        {"produce:*:error=19", KW_API_PRODUCE, PARTS},
        {"listoffsets:*:error=6", KW_API_LIST_OFFSETS, PARTS},
        {"fetch:*:error=6", KW_API_FETCH, PARTS},
        {"fetch:*:error=56", KW_API_FETCH, PARTS},
        {"fetch:*:error=1", KW_API_FETCH, PARTS},
        {"fetch:*:error=-1", KW_API_FETCH, PARTS},
        {"*:*:error=9", -1, 40},
    };
    static const char *const settings[] = {"auto.offset.reset=earliest", NULL};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bed_begin(NULL);
        bed_fault(rows[i].spec);
        bed_run(1000);
        for (int32_t p = 0; p < PARTS && kw_topic_partitions(bed.topic) > 0; p++)
            bed_make(p);
        bed_consume(2000, settings);
        uint64_t before = n_requests(rows[i].api_key), all = n_requests(-1),
                 steps = bed.pair.n_steps;
        bed_consume(2 * MINUTE_MS, settings);
        /* Backoffs grow to 1 s, and jitter takes a fifth of it. */
        cr_expect_leq(n_requests(rows[i].api_key) - before, rows[i].askers * 120 * 10 / 8 + 5,
                      "%s: %lu requests in 2 minutes", rows[i].spec,
                      (unsigned long)(n_requests(rows[i].api_key) - before));
        cr_expect_leq(n_requests(-1) - all, 4000u, "%s: %lu requests in all", rows[i].spec,
                      (unsigned long)(n_requests(-1) - all));
        cr_expect_leq(bed.pair.n_steps - steps, 40000u, "%s: %lu steps", rows[i].spec,
                      (unsigned long)(bed.pair.n_steps - steps));
        cr_expect_eq(bed.n_delivered + bed.n_other < bed.n_made || bed.n_made == 0 ||
                         rows[i].api_key == KW_API_FETCH || rows[i].api_key == KW_API_LIST_OFFSETS,
                     true, "%s: delivered", rows[i].spec);
        bed_end();
    }
}

/* Each refusal names another leader under a newer epoch: what is believed at once the
 * first time is not run after for ever. */
static size_t wandering_leader(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static struct kw_fetch_response_topic topics[64];
    static struct kw_fetch_response_partition parts[64];
    struct kw_fetch_response msg;
    (void)ctx;
    if (answer->api_key != KW_API_FETCH || answer->version < 12)
        return 0;
    cr_assert_eq(kwi_fetch_response_decode(&msg, answer->version, answer->body, answer->len, NULL),
                 0);
    int n = PARTS;
    if (TAKE(topics, msg.responses) > 0) {
        n = TAKE(parts, topics[0].partitions);
    } else { /* a session has nothing new: whoever listens is sent on all the same */
        kwi_fetch_response_topic_init(&topics[0]);
        topics[0].topic = kwi_str("t");
        for (int i = 0; i < n; i++) {
            kwi_fetch_response_partition_init(&parts[i]);
            parts[i].partition_index = i;
        }
    }
    for (int i = 0; i < n; i++) {
        parts[i].error_code = 6;
        parts[i].records = (struct kw_record_set){.len = -1};
        parts[i].current_leader.leader_id = (int32_t)(bed.n_answers++ % BROKERS);
        parts[i].current_leader.leader_epoch = (int32_t)(100 + bed.n_answers);
    }
    topics[0].partitions = KWI_ARR(parts, n);
    msg.responses = KWI_ARR(topics, 1);
    return ENCODED(fetch_response, msg, answer, out, cap);
}

/* The same for a producer. */
static size_t wandering_produce(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static struct kw_produce_response_topic topics[64];
    static struct kw_produce_response_partition parts[64];
    struct kw_produce_response msg;
    (void)ctx;
    if (answer->api_key != KW_API_PRODUCE || bed.orphan_until == 0)
        return 0;
    cr_assert_eq(
        kwi_produce_response_decode(&msg, answer->version, answer->body, answer->len, NULL), 0);
    cr_assert_eq(TAKE(topics, msg.responses), 1);
    int n = TAKE(parts, topics[0].partition_responses);
    for (int i = 0; i < n; i++) {
        parts[i].error_code = 6;
        parts[i].current_leader.leader_id = (int32_t)(bed.n_answers++ % BROKERS);
        parts[i].current_leader.leader_epoch = (int32_t)(100 + bed.n_answers);
    }
    topics[0].partition_responses = KWI_ARR(parts, n);
    msg.responses = KWI_ARR(topics, 1);
    return ENCODED(produce_response, msg, answer, out, cap);
}

Test(hostile, a_leader_that_each_refused_record_places_elsewhere_is_not_run_after)
{
    bed_begin(wandering_produce);
    bed_fill(1);
    uint64_t before = n_requests(KW_API_PRODUCE);
    bed.orphan_until = 1;
    for (int32_t p = 0; p < PARTS; p++)
        bed_make(p);
    bed_run(MINUTE_MS);
    cr_expect_geq(n_requests(KW_API_PRODUCE) - before, 30u, "it gave up");
    cr_expect_leq(n_requests(KW_API_PRODUCE) - before, (uint64_t)PARTS * 80);
    bed.orphan_until = 0;
    bed_end();
}

Test(hostile, a_leader_that_each_answer_places_elsewhere_is_not_run_after)
{
    bed_begin(wandering_leader);
    bed_fill(1);
    bed_consume(5000, NULL);
    uint64_t before = n_requests(KW_API_FETCH), metadata = n_requests(KW_API_METADATA);
    bed_consume(MINUTE_MS, NULL);
    cr_expect_geq(n_requests(KW_API_FETCH) - before, 30u, "it gave up");
    cr_expect_leq(n_requests(KW_API_FETCH) - before, (uint64_t)PARTS * 80, "%lu",
                  (unsigned long)(n_requests(KW_API_FETCH) - before));
    cr_expect_leq(n_requests(KW_API_METADATA) - metadata, (uint64_t)PARTS * 80, "%lu",
                  (unsigned long)(n_requests(KW_API_METADATA) - metadata));
    bed_end();
}

/* ---- connections that do not last ------------------------------------------------ */

static uint32_t most_in_a_second, n_opened;
static uint64_t opened_us[4096];

static void count_opens(uint64_t ms)
{
    most_in_a_second = 0;
    n_opened = 0;
    uint32_t before = bed.pair.n_conns;
    for (uint64_t at = 0; at < ms && n_opened < 4096 && bed.pair.n_conns < SIM_PAIR_CONNS;
         at += 5) {
        bed_run(5);
        if (bed.consumer)
            bed_take();
        for (; before < bed.pair.n_conns; before++)
            opened_us[n_opened++] = bed.pair.now.mono_us;
    }
    for (uint32_t i = 0; i < n_opened; i++) {
        uint32_t n = 0;
        for (uint32_t k = i; k < n_opened && opened_us[k] < opened_us[i] + 1000000; k++)
            n++;
        most_in_a_second = n > most_in_a_second ? n : most_in_a_second;
    }
}

Test(hostile, a_broker_that_hangs_up_in_each_handshake_is_tried_once_a_backoff_that_grows)
{
    bed_begin(NULL);
    bed_fault("apiversions:*:close-before");
    bed_run(5000);
    count_opens(60000);
    /* Each of the bootstrap address's attempts is behind a backoff of 0.8 s or more. */
    cr_expect_geq(n_opened, 40u, "it gave up");
    cr_expect_leq(n_opened, 75u);
    cr_expect_leq(most_in_a_second, 2u);
    bed_end();
}

Test(hostile, a_broker_that_hangs_up_on_each_request_is_tried_once_a_backoff_that_grows)
{
    static const char *const specs[] = {"metadata:*:close-before", "metadata:*:close-after",
                                        "produce:*:close-before", "fetch:*:close-after"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        bed_begin(NULL);
        if (i >= 2)
            bed_fill(1);
        bed_fault(specs[i]);
        if (i == 2)
            bed_make(0);
        if (i == 3)
            bed_consume(50, NULL);
        count_opens(5000);
        count_opens(30000);
        /* Produce: one leader. Fetch: three. Metadata: whoever is known. */
        uint32_t links = i == 3 ? 3 : 1;
        cr_expect_geq(n_opened, links * 20, "%s: given up after %u", specs[i], n_opened);
        cr_expect_leq(n_opened, links * 40, "%s: %u connections in 30 s", specs[i], n_opened);
        cr_expect_leq(most_in_a_second, links * 2, "%s: %u within a second", specs[i],
                      most_in_a_second);
        bed_end();
    }
}

Test(hostile, after_a_connection_that_lasted_the_backoff_begins_anew)
{
    bed_begin(NULL);
    bed_fill(1);
    for (int i = 0; i < 5; i++) {
        /* It lasts for longer than the longest backoff, and then is cut. */
        bed_run(3000);
        for (uint32_t k = 0; k < bed.pair.n_conns; k++)
            if (bed.pair.conns[k]->up)
                sim_pair_break(&bed.pair, bed.pair.conns[k]);
        uint64_t start_us = bed.pair.now.mono_us;
        bed_fill(1);
        cr_expect_leq(bed.pair.now.mono_us - start_us, 200000u, "%lu us, round %d",
                      (unsigned long)(bed.pair.now.mono_us - start_us), i);
    }
    bed_end();
}

/* ---- answers meant for somebody else ------------------------------------------------ */

/* The third produce answer has another number, or the body of another API. */
static int foreign_kind;
static size_t foreign_answer(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static const uint8_t metadata[] = {0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 'h', 0, 0, 0};
    (void)ctx;
    (void)cap;
    if (answer->api_key != KW_API_PRODUCE || ++bed.n_answers != 3)
        return 0;
    switch (foreign_kind) {
    case 0: answer->correlation_id++; return 0;
    case 1: answer->correlation_id--; return 0;
    case 2: answer->correlation_id = INT32_MIN; return 0;
    case 3: answer->correlation_id = -1; return 0;
    default: memcpy(out, metadata, sizeof metadata); return sizeof metadata;
    }
}

Test(hostile, an_answer_that_was_meant_for_another_client_ends_the_connection_and_nothing_else)
{
    for (foreign_kind = 0; foreign_kind < 5; foreign_kind++) {
        struct kw_stats before, after;
        bed_begin(foreign_answer);
        kw_core_stats(bed.pair.core, &before);
        for (int i = 0; i < 6; i++) {
            bed_make(0);
            cr_assert(sim_pair_run(&bed.pair, &bed.all, MINUTE_MS), "kind %d: %s", foreign_kind,
                      bed.error.text);
        }
        kw_core_stats(bed.pair.core, &after);
        cr_expect_eq(bed.n_delivered, 6);
        cr_expect_eq(bed.error.code, KW_ERR_PROTOCOL, "kind %d: %s", foreign_kind, bed.error.text);
        cr_expect(
            strstr(bed.error.text, foreign_kind < 4 ? "wrong correlation id" : "cannot be read"),
            "%s", bed.error.text);
        cr_expect_eq(after.disconnects - before.disconnects, 1, "%lu connections ended",
                     (unsigned long)(after.disconnects - before.disconnects));
        /* Once in the log, whatever became of the answer. */
        struct kw_mock_partition_info info;
        cr_assert_eq(kwi_mock_partition(bed.pair.mock, "t", 0, &info), 0);
        cr_expect_eq(info.end_offset, 6);
        bed_end();
    }
}

/* ---- brokers that disagree ------------------------------------------------------------ */

/* The coordinator is always the other one, and its port is closed. */
static size_t wandering_coordinator(void *ctx, struct sim_pair_answer *answer, uint8_t *out,
                                    size_t cap)
{
    struct kw_find_coordinator_response_coordinator item;
    struct kw_find_coordinator_response msg;
    (void)ctx;
    if (answer->api_key != KW_API_FIND_COORDINATOR)
        return 0;
    kwi_find_coordinator_response_init(&msg);
    kwi_find_coordinator_response_coordinator_init(&item);
    item.key = kwi_str("g");
    item.node_id = 1 + (int32_t)(bed.n_answers++ % 2);
    item.host = kwi_str("127.0.0.1");
    item.port = 9095 + item.node_id; /* the model has no such broker */
    msg.coordinators = KWI_ARR(&item, 1);
    cr_assert_geq(answer->version, 4);
    return ENCODED(find_coordinator_response, msg, answer, out, cap);
}

Test(hostile, a_coordinator_that_each_answer_places_elsewhere_is_given_up_at_the_deadline)
{
    static const char body[] = "{\"groupsNames\":[\"g\"]}";
    struct kw_raw_result *result = NULL;
    struct kw_raw_request request = {.size = sizeof request,
                                     .api_key = KW_API_DELETE_GROUPS,
                                     .version = -1,
                                     .to = KW_RAW_GROUP,
                                     .json = true,
                                     .key = "g",
                                     .body = {body, sizeof body - 1}};
    bed_begin(wandering_coordinator);
    bed_fill(1);
    uint64_t start_us = bed.pair.now.mono_us;
    cr_assert_not_null(kw_core_request_raw(bed.pair.core, &request, &result, 20000, NULL));
    for (int i = 0; i < 1000 && bed.n_op_done == 0; i++)
        bed_run(50);
    cr_assert_eq(bed.n_op_done, 1, "it waits on");
    cr_expect_eq(bed.op_code, KW_ERR_TIMEOUT, "%s", kw_err_name(bed.op_code));
    cr_expect(bed.op_error.text[0], "it does not say what it waited for");
    cr_expect_leq(bed.pair.now.mono_us - start_us, 20100000u);
    cr_expect_geq(n_requests(KW_API_FIND_COORDINATOR), 10u);
    cr_expect_leq(n_requests(KW_API_FIND_COORDINATOR), 40u);
    bed_end();
}

/* Broker 0 is frozen in the past, the others are not; every answer lists everything
 * twice, first as it is and then as it never was, under an older epoch. */
static size_t two_views(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static struct kw_metadata_response_topic topics[64];
    static struct kw_metadata_response_partition parts[64 + 64];
    struct kw_metadata_response msg;
    (void)ctx;
    if (answer->api_key != KW_API_METADATA)
        return 0;
    cr_assert_eq(
        kwi_metadata_response_decode(&msg, answer->version, answer->body, answer->len, NULL), 0);
    cr_assert_eq(TAKE(topics, msg.topics), 1);
    int n = TAKE(parts, topics[0].partitions);
    for (int i = 0; i < n; i++) {
        parts[n + i] = parts[i];
        parts[n + i].leader_id = (parts[i].leader_id + 1) % BROKERS;
        parts[n + i].leader_epoch = parts[i].leader_epoch - 1;
    }
    topics[0].partitions = KWI_ARR(parts, 2 * n);
    msg.topics = KWI_ARR(topics, 1);
    bed.n_answers++;
    return ENCODED(metadata_response, msg, answer, out, cap);
}

Test(hostile, of_two_brokers_that_disagree_the_newer_epoch_counts_and_nothing_is_listed_twice)
{
    bed_begin(two_views);
    bed_fill(2);
    kwi_mock_freeze_metadata(bed.pair.mock, 0, true);
    for (int32_t p = 0; p < PARTS; p++)
        cr_assert_eq(kwi_mock_set_leader(bed.pair.mock, "t", p, 2), 0);
    bed_fill(2);
    uint64_t produced = n_requests(KW_API_PRODUCE);
    for (int i = 0; i < 10; i++)
        bed_fill(1);
    /* Once the new leader is known, no old view leads back to the old one. */
    cr_expect_leq(n_requests(KW_API_PRODUCE) - produced, 10u * PARTS);
    cr_expect_eq(kw_topic_partitions(bed.topic), PARTS);
    bed_consume(3000, NULL);
    bed_must_have_read(14);
    bed_end();
}
