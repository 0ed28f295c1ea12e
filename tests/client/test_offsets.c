/* Offsets of a group without membership: what is stored, what is committed, where
 * partitions begin, and what errors of the coordinator do to it.
 *
 * covers: G09 G15 G16 G30 G31 G32 G33 G42 G45 C50 C52 C56 C57 C58 C59 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/api.h"
#include "proto/header.h"
#include "tests/sim/pair.h"

enum { PARTITIONS = 3, BROKERS = 2, RECORDS = 40, HANDLES = 256 };

struct table {
    struct sim_pair pair;
    struct kw_consumer *consumer;
    struct kw_records *held[HANDLES];
    unsigned n_held, n_failed, n_error, n_done, n_delivered;
    int code; /* of the last operation that ended */
    int16_t kafka_code;
    char text[192];
    struct {
        int32_t partition;
        int64_t offset;
        int code;
        int16_t kafka_code;
    } failed[16];
};
static struct table table;

static void table_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_REPORT)
        table.n_delivered += event->report.n;
    if (event->kind == KW_EVENT_OP_DONE) {
        table.n_done++;
        table.code = event->code;
        table.kafka_code = event->error ? event->error->kafka_code : 0;
        snprintf(table.text, sizeof table.text, "%s", event->error ? event->error->text : "");
    }
    if (event->kind == KW_EVENT_COMMIT_FAILED) {
        cr_assert_str_eq(event->topic_name, event->partition < PARTITIONS ? "t" : "gone");
        cr_assert_lt(table.n_failed, 16);
        table.failed[table.n_failed].partition = event->partition;
        table.failed[table.n_failed].offset = event->offset;
        table.failed[table.n_failed].kafka_code = event->error->kafka_code;
        table.failed[table.n_failed++].code = event->code;
    }
    if (event->kind == KW_EVENT_ERROR && event->consumer) {
        table.n_error++;
        table.code = event->code;
        snprintf(table.text, sizeof table.text, "%s", event->error->text);
    }
}

static void table_run(uint64_t for_ms)
{
    for (uint64_t ms = 0; ms < for_ms; ms += 5)
        sim_pair_step(&table.pair, 5000);
    cr_assert(!table.pair.broken, "%s", table.pair.why);
}

static void table_produce(void)
{
    struct kw_producer *producer;
    struct kw_topic *topic;
    char value[16];
    cr_assert_eq(kw_core_producer_create(&producer, table.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&topic, producer, "t", NULL), 0);
    table_run(50);
    for (int i = 0; i < RECORDS; i++) {
        for (int32_t p = 0; p < PARTITIONS; p++) {
            struct kw_record record = {.value = {value, (size_t)snprintf(value, 16, "%d", i)},
                                       .flags = KW_REC_PARTITION,
                                       .partition = p};
            cr_assert_geq(kw_core_produce(topic, &record), 0);
        }
    }
    table_run(300);
    cr_assert_eq(table.n_delivered, RECORDS * PARTITIONS);
}

static const char *const usual[] = {"retry.backoff.ms=20",     "retry.backoff.max.ms=100",
                                    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100",
                                    "request.timeout.ms=1000", NULL};
static const char *const by_hand[] = {"group.id=g",           "enable.auto.commit=false",
                                      "fetch.max.wait.ms=50", "auto.offset.reset=earliest",
                                      "max.poll.records=5",   NULL};
static const char *const by_itself[] = {"group.id=g",           "auto.commit.interval.ms=200",
                                        "fetch.max.wait.ms=50", "auto.offset.reset=earliest",
                                        "max.poll.records=5",   NULL};

static void table_open(const char *const *settings)
{
    struct kw_config *own = NULL;
    struct kw_error err;
    cr_assert_eq(sim_pair_config(&table.pair, &own, settings), 0);
    cr_assert_eq(kw_core_consumer_create(&table.consumer, table.pair.core, own, &err), 0, "%s",
                 err.text);
    kw_config_destroy(own);
}

static void table_assign(uint8_t kind)
{
    struct kw_start starts[PARTITIONS];
    struct kw_error err;
    for (int32_t p = 0; p < PARTITIONS; p++)
        starts[p] = (struct kw_start){"t", p, kind, 0};
    cr_assert_eq(kw_core_assign(table.consumer, starts, PARTITIONS, &err), 0, "%s", err.text);
}

static void table_begin(const char *const *settings)
{
    memset(&table, 0, sizeof table);
    cr_assert_eq(sim_pair_init(&table.pair, SIM_MEMORY_PLAIN, BROKERS, PARTITIONS), 0);
    kwi_mock_set_coordinator(table.pair.mock, 1);
    table.pair.on_event = table_event;
    cr_assert_eq(sim_pair_core(&table.pair, usual, NULL), 0);
    table_produce();
    table_open(settings);
    table_assign(KW_START_COMMITTED);
}

static void table_end(void)
{
    cr_assert(!table.pair.broken, "%s", table.pair.why);
    kw_core_destroy(table.pair.core);
    table.pair.core = NULL;
    cr_assert_eq(table.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)table.pair.memory.n_live);
    cr_assert(!table.pair.memory.damaged);
    sim_pair_deinit(&table.pair);
}

static void table_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(table.pair.mock, &fault, NULL), 0, "%s", spec);
}

static int64_t committed(int32_t partition)
{
    return kwi_mock_committed(table.pair.mock, "g", "t", partition);
}

static void expect_committed(int64_t a, int64_t b, int64_t c)
{
    cr_assert(committed(0) == a && committed(1) == b && committed(2) == c,
              "committed are %lld %lld %lld", (long long)committed(0), (long long)committed(1),
              (long long)committed(2));
}

/* Takes what there is of one partition, and reads it all. */
static void take(int32_t partition)
{
    struct kw_records *records;
    for (int i = 0; i < 200; i++) {
        while (kw_core_consumer_poll(table.consumer, &records, 5) == 1) {
            while (kw_records_next(records))
                ;
            if (kw_records_partition(records) == partition)
                table.held[table.n_held++] = records;
            else
                kw_core_records_release(records, KW_NOT_DONE);
        }
        if (table.n_held == RECORDS / 5)
            return;
        table_run(5);
    }
    cr_assert_fail("%u handles", table.n_held);
}

static void release(unsigned i, enum kw_done done)
{
    kw_core_records_release(table.held[i], done);
    table.held[i] = NULL;
}

static void commit_now(int want)
{
    unsigned before = table.n_done;
    cr_assert_not_null(kw_core_commit(table.consumer, NULL, 5000, NULL));
    for (int i = 0; i < 1200 && table.n_done == before; i++)
        table_run(5);
    cr_assert_eq(table.n_done, before + 1);
    cr_assert_eq(table.code, want, "%s: %s", kw_err_name(table.code), table.text);
}

/* ---- what is stored --------------------------------------------------------------------- */

Test(offsets, polling_stores_nothing)
{
    table_begin(by_itself);
    take(0);
    table_run(1000);
    expect_committed(-1, -1, -1);
    commit_now(0); /* there is nothing to commit */
    expect_committed(-1, -1, -1);
    cr_assert_eq(kwi_mock_n_requests(table.pair.mock, 8), 0);
    table_end();
}

Test(offsets, handles_that_were_released_as_done_are_committed_in_time)
{
    table_begin(by_itself);
    take(0);
    release(0, KW_DONE);
    table_run(100);
    expect_committed(-1, -1, -1);
    table_run(300);
    expect_committed(5, -1, -1);
    for (unsigned i = 1; i < table.n_held; i++)
        release(i, KW_DONE);
    table_run(400);
    expect_committed(RECORDS, -1, -1);
    uint64_t n = kwi_mock_n_requests(table.pair.mock, 8);
    table_run(2000); /* what is committed is not committed again */
    cr_assert_eq(kwi_mock_n_requests(table.pair.mock, 8), n);
    table_end();
}

Test(offsets, only_the_contiguous_prefix_of_handles_counts)
{
    static const unsigned order[8] = {3, 1, 2, 7, 0, 5, 6, 4};
    static const int64_t want[8] = {-1, -1, -1, -1, 20, 20, 20, 40};
    table_begin(by_hand);
    take(1);
    for (unsigned i = 0; i < 8; i++) {
        release(order[i], KW_DONE);
        commit_now(0);
        expect_committed(-1, want[i], -1);
    }
    table_end();
}

Test(offsets, what_was_not_done_ends_the_prefix_until_a_seek)
{
    table_begin(by_hand);
    take(2);
    release(5, KW_DONE);
    release(0, KW_DONE);
    release(1, KW_NOT_DONE);
    for (unsigned i = 2; i < 8; i++) {
        if (i != 5)
            release(i, i % 2 ? KW_DONE : KW_NOT_DONE);
    }
    commit_now(0);
    expect_committed(-1, -1, 5);
    struct kw_start back = {"t", 2, KW_START_OFFSET, 5};
    cr_assert_eq(kw_core_seek(table.consumer, &back), 0);
    commit_now(0);
    expect_committed(-1, -1, 5);
    struct kw_records *records = NULL;
    for (int i = 0; i < 100 && !records; i++) {
        table_run(5);
        if (kw_core_consumer_poll(table.consumer, &records, 7) != 1)
            records = NULL;
    }
    cr_assert_not_null(records);
    cr_assert_eq(kw_records_next(records)->offset, 5);
    kw_core_records_release(records, KW_DONE);
    commit_now(0);
    expect_committed(-1, -1, 12);
    table_end();
}

Test(offsets, a_handle_from_before_a_seek_stores_nothing)
{
    table_begin(by_hand);
    take(0);
    struct kw_start back = {"t", 0, KW_START_OFFSET, 3};
    cr_assert_eq(kw_core_seek(table.consumer, &back), 0);
    struct kw_consumed consumed = {.offset = 0};
    cr_assert_eq(kw_done(table.held[0], &consumed), KW_ERR_STATE);
    for (unsigned i = 0; i < table.n_held; i++)
        release(i, KW_DONE);
    commit_now(0);
    expect_committed(-1, -1, -1);
    table_end();
}

/* Records of one handle in any order, by a generator that every run repeats. */
Test(offsets, records_of_a_handle_may_be_acknowledged_in_any_order)
{
    for (uint32_t seed = 1; seed < 40; seed++) {
        bool done[20] = {false};
        struct kw_records *records = NULL;
        table_begin(by_hand);
        for (int i = 0; i < 200 && !records; i++) {
            table_run(5);
            while (kw_core_consumer_poll(table.consumer, &records, 20) == 1 &&
                   kw_records_partition(records) != 0) {
                kw_core_records_release(records, KW_NOT_DONE);
                records = NULL;
            }
        }
        struct kw_consumed all[20];
        for (int i = 0; i < 20; i++)
            all[i] = *kw_records_next(records);
        cr_assert_null(kw_records_next(records));
        for (int n = 0; n < 14; n++) {
            int64_t want = 0;
            uint32_t i = (seed * 2654435761u >> 7) + (uint32_t)n * (seed | 1) * 7;
            i %= 20;
            cr_assert_eq(kw_done(records, &all[i]), 0);
            done[i] = true;
            while (want < 20 && done[want])
                want++;
            commit_now(0);
            cr_assert_eq(committed(0), want ? want : -1, "seed %u: %lld, not %lld", seed,
                         (long long)committed(0), (long long)want);
        }
        for (int i = 0; i < 20; i++)
            cr_assert_eq(kw_done(records, &all[i]), 0);
        commit_now(0);
        expect_committed(20, -1, -1);
        kw_core_records_release(records, KW_NOT_DONE); /* all were acknowledged */
        commit_now(0);
        expect_committed(20, -1, -1);
        table_end();
    }
}

Test(offsets, only_records_that_the_handle_has_shown_can_be_acknowledged)
{
    struct kw_records *records = NULL;
    table_begin(by_hand);
    for (int i = 0; i < 200 && !records; i++) {
        table_run(5);
        if (kw_core_consumer_poll(table.consumer, &records, 5) != 1)
            records = NULL;
    }
    struct kw_consumed consumed = {.offset = 0};
    cr_assert_eq(kw_done(records, &consumed), KW_ERR_USE);
    cr_assert_not_null(kw_records_next(records));
    cr_assert_eq(kw_done(records, &consumed), 0);
    cr_assert_eq(kw_done(records, &consumed), 0);
    consumed.offset = 1;
    cr_assert_eq(kw_done(records, &consumed), KW_ERR_USE);
    consumed.offset = -1;
    cr_assert_eq(kw_done(records, &consumed), KW_ERR_USE);
    cr_assert_eq(kw_done(NULL, &consumed), KW_ERR_USE);
    cr_assert_eq(kw_done(records, NULL), KW_ERR_USE);
    kw_core_records_release(records, KW_NOT_DONE);
    commit_now(0);
    cr_assert_eq(committed(0) + committed(1) + committed(2), 1 - 2);
    table_end();
}

Test(offsets, without_a_group_nothing_is_stored_and_nothing_committed)
{
    static const char *const none[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest", NULL};
    struct kw_start start = {"t", 0, KW_START_COMMITTED, 0};
    struct kw_consumed consumed = {.offset = 0};
    struct kw_offsets *result;
    struct kw_error err;
    table_begin(by_hand);
    table_open(none);
    cr_assert_eq(kw_core_assign(table.consumer, &start, 1, &err), KW_ERR_USE);
    cr_assert(strstr(err.text, "group.id"), "%s", err.text);
    table_assign(KW_START_EARLIEST);
    take(0);
    cr_assert_eq(kw_done(table.held[0], &consumed), KW_ERR_USE);
    for (unsigned i = 0; i < table.n_held; i++)
        release(i, KW_DONE);
    commit_now(KW_ERR_USE);
    cr_assert(strstr(table.text, "group.id"), "%s", table.text);
    cr_assert_not_null(kw_core_committed(table.consumer, NULL, &result, 1000, NULL));
    table_run(10);
    cr_assert_eq(table.code, KW_ERR_USE);
    table_end();
}

/* ---- where partitions begin ----------------------------------------------------------------- */

static void done_all(int32_t partition)
{
    take(partition);
    for (unsigned i = 0; i < table.n_held; i++)
        release(i, KW_DONE);
    table.n_held = 0;
}

static void expect_position(int32_t partition, int64_t want)
{
    int64_t offset;
    cr_assert_eq(kw_position(table.consumer, "t", partition, &offset), 0);
    cr_assert_eq(offset, want, "partition %d is at %lld", partition, (long long)offset);
}

Test(offsets, a_partition_begins_where_the_group_has_committed)
{
    table_begin(by_hand);
    done_all(0);
    commit_now(0);
    static const char *const at_the_end[] = {"group.id=g", "auto.offset.reset=latest",
                                             "fetch.max.wait.ms=50", NULL};
    table_open(at_the_end);
    struct kw_start starts[3] = {{"t", 0, KW_START_COMMITTED, 0},
                                 {"t", 1, KW_START_COMMITTED, 0},
                                 {"t", 2, KW_START_OFFSET, 7}};
    cr_assert_eq(kw_core_assign(table.consumer, starts, 3, NULL), 0);
    table_run(200);
    expect_position(0, RECORDS);
    expect_position(1, RECORDS); /* nothing committed: the end */
    expect_position(2, 7);
    struct kw_start back = {"t", 0, KW_START_OFFSET, 1};
    cr_assert_eq(kw_core_seek(table.consumer, &back), 0);
    expect_position(0, 1);
    back.kind = KW_START_COMMITTED;
    cr_assert_eq(kw_core_seek(table.consumer, &back), 0);
    table_run(200);
    expect_position(0, RECORDS);
    table_end();
}

Test(offsets, without_a_policy_a_partition_that_nobody_committed_stops)
{
    static const char *const none[] = {"group.id=g", "auto.offset.reset=none", NULL};
    table_begin(by_hand);
    table_open(none);
    table_assign(KW_START_COMMITTED);
    table_run(200);
    cr_assert_eq(table.n_error, PARTITIONS);
    cr_assert_eq(table.code, KW_ERR_STATE);
    cr_assert(strstr(table.text, "committed no offset"), "%s", table.text);
    struct kw_start start = {"t", 0, KW_START_EARLIEST, 0};
    cr_assert_eq(kw_core_seek(table.consumer, &start), 0);
    table_run(100);
    expect_position(0, 0);
    table_end();
}

/* With this fault in place everything begins, and is committed, where it should. */
static void survive(const char *spec)
{
    table_begin(by_hand);
    done_all(0);
    commit_now(0);
    table_open(by_hand);
    table_fault(spec);
    table_assign(KW_START_COMMITTED);
    for (int i = 0; i < 8; i++) {
        int64_t offset;
        table_run(500);
        cr_assert_eq(kw_position(table.consumer, "t", 0, &offset), 0);
        if (offset >= 0)
            break;
    }
    expect_position(0, RECORDS);
    done_all(1);
    commit_now(0);
    expect_committed(RECORDS, RECORDS, -1);
    cr_assert_eq(table.n_failed, 0);
    cr_assert_eq(table.n_error, 0, "%s", table.text);
    table_end();
}

Test(offsets, errors_that_heal_delay_the_begin_and_no_more)
{
    static const char *const specs[] = {"offsetfetch:1-3:error=88",
                                        "offsetfetch:1-2:error=3:partition=0",
                                        "offsetfetch:1-2:error-after=14",
                                        "offsetfetch:1-2:error-after=16",
                                        "offsetfetch:1:error-after=15",
                                        "offsetfetch:1:omit:partition=0",
                                        "offsetfetch:1-2:twice",
                                        "offsetfetch:*:unasked",
                                        "offsetfetch:1:close-before",
                                        "offsetfetch:1:close-after",
                                        "offsetfetch:1:cut=9",
                                        "offsetfetch:1:drop-answer",
                                        "offsetfetch:1:delay=300",
                                        "findcoordinator:1-3:error=15",
                                        "findcoordinator:1:close-after",
                                        "findcoordinator:1:drop-answer"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        survive(specs[i]);
}

Test(offsets, errors_that_heal_delay_a_commit_and_no_more)
{
    static const char *const specs[] = {"offsetcommit:1-3:error=14",
                                        "offsetcommit:1-2:error=16",
                                        "offsetcommit:1-2:error=15",
                                        "offsetcommit:1:error=7",
                                        "offsetcommit:1:error-after=7",
                                        "offsetcommit:1:omit",
                                        "offsetcommit:1:twice",
                                        "offsetcommit:*:unasked",
                                        "offsetcommit:1:close-before",
                                        "offsetcommit:1:close-after",
                                        "offsetcommit:1:cut=6",
                                        "offsetcommit:1:drop-request",
                                        "offsetcommit:1:drop-answer",
                                        "offsetcommit:1:delay=400",
                                        "offsetcommit:1-2:error=14:partition=1"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        survive(specs[i]);
}

Test(offsets, a_group_that_may_not_be_read_stops_its_partitions)
{
    table_begin(by_hand);
    table_run(100);
    table_open(by_hand);
    table_fault("offsetfetch:*:error-after=30");
    table_assign(KW_START_COMMITTED);
    table_run(200);
    cr_assert_eq(table.n_error, PARTITIONS);
    cr_assert_eq(table.code, KW_ERR_BROKER);
    cr_assert(strstr(table.text, "GROUP_AUTHORIZATION_FAILED"), "%s", table.text);
    table_end();
}

Test(offsets, a_group_without_a_coordinator_for_us_ends_what_waits)
{
    table_begin(by_hand);
    table_run(100);
    table_open(by_hand);
    table_fault("findcoordinator:*:error=30");
    kwi_mock_set_coordinator(table.pair.mock, 0);
    table_assign(KW_START_COMMITTED);
    table_run(500);
    cr_assert_eq(table.n_error, PARTITIONS, "%u", table.n_error);
    cr_assert(strstr(table.text, "GROUP_AUTHORIZATION_FAILED"), "%s", table.text);
    struct kw_offset one = {"t", 0, 0, 5, {NULL, 0}, 0, 0};
    struct kw_offsets list = {&one, 1};
    cr_assert_not_null(kw_core_commit(table.consumer, &list, 1000, NULL));
    table_run(200);
    cr_assert_eq(table.code, KW_ERR_BROKER);
    cr_assert_eq(table.kafka_code, 30);
    cr_assert_eq(table.n_failed, 1);
    table_end();
}

/* ---- commits ------------------------------------------------------------------------------------ */

static struct kw_op *commit_one(int32_t partition, int64_t offset, int32_t timeout_ms)
{
    struct kw_offset one = {"t", partition, 0, offset, {NULL, 0}, 0, 0};
    struct kw_offsets list = {&one, 1};
    return kw_core_commit(table.consumer, &list, timeout_ms, NULL);
}

Test(offsets, commits_are_sent_one_at_a_time_in_order)
{
    table_begin(by_hand);
    table_fault("offsetcommit:*:delay=50");
    for (int64_t offset = 1; offset <= 6; offset++)
        cr_assert_not_null(commit_one(0, offset, 5000));
    for (int64_t want = 1; want <= 6; want++) {
        for (int i = 0; i < 100 && committed(0) < want; i++)
            table_run(5);
        cr_assert_eq(committed(0), want, "%lld came before %lld", (long long)committed(0),
                     (long long)want);
    }
    table_run(200);
    cr_assert_eq(table.n_done, 6);
    cr_assert_eq(table.code, 0);
    table_end();
}

Test(offsets, each_partition_that_cannot_be_committed_is_an_event)
{
    table_begin(by_hand);
    table_fault("offsetcommit:*:error=29:partition=1");
    table_fault("offsetcommit:*:error=12:partition=2");
    struct kw_offset three[4] = {{"t", 0, 3, 4, {NULL, 0}, 0, 0},
                                 {"t", 1, 3, 5, {NULL, 0}, 0, 0},
                                 {"t", 2, 3, 6, {NULL, 0}, 0, 0},
                                 {"gone", 9, 0, 7, {NULL, 0}, 0, 0}};
    struct kw_offsets list = {three, 4};
    cr_assert_not_null(kw_core_commit(table.consumer, &list, 5000, NULL));
    table_run(200);
    expect_committed(4, -1, -1);
    cr_assert_eq(table.n_done, 1);
    cr_assert_eq(table.code, KW_ERR_BROKER);
    cr_assert_eq(table.kafka_code, 29);
    cr_assert_eq(table.n_failed, 3);
    cr_assert(table.failed[0].partition == 1 && table.failed[0].offset == 5 &&
              table.failed[0].kafka_code == 29);
    cr_assert(table.failed[1].partition == 2 && table.failed[1].kafka_code == 12);
    cr_assert(table.failed[2].partition == 9 && table.failed[2].code == KW_ERR_STATE,
              "a partition that is not ours");
    table_run(500);
    cr_assert_eq(kwi_mock_n_requests(table.pair.mock, 8), 1, "nothing is tried again");
    table_end();
}

Test(offsets, a_commit_for_a_topic_that_is_gone_fails_once)
{
    table_begin(by_hand);
    cr_assert_eq(kwi_mock_delete_topic(table.pair.mock, "t"), 0);
    cr_assert_not_null(commit_one(0, 5, 5000));
    table_run(300);
    cr_assert_eq(table.code, KW_ERR_BROKER);
    cr_assert_eq(table.kafka_code, 3);
    cr_assert_eq(table.n_failed, 1);
    cr_assert_eq(kwi_mock_n_requests(table.pair.mock, 8), 1);
    table_end();
}

Test(offsets, a_commit_of_a_partition_that_is_given_up_is_refused)
{
    table_begin(by_hand);
    table_fault("offsetcommit:1:delay=100");
    cr_assert_not_null(commit_one(0, 1, 5000));
    cr_assert_not_null(commit_one(0, 2, 5000));
    table_run(20);
    table_assign(KW_START_EARLIEST); /* the same partitions, assigned anew */
    table_run(300);
    expect_committed(1, -1, -1);
    cr_assert_eq(table.n_failed, 1);
    cr_assert_eq(table.failed[0].offset, 2);
    cr_assert_eq(table.failed[0].code, KW_ERR_STATE);
    table_end();
}

Test(offsets, a_commit_ends_by_its_deadline_and_does_not_block_the_next)
{
    table_begin(by_hand);
    table_run(100); /* nothing else is under way on the connection */
    table_fault("offsetcommit:1:drop-answer");
    cr_assert_not_null(commit_one(0, 1, 200));
    cr_assert_not_null(commit_one(0, 2, 5000));
    table_run(250);
    cr_assert_eq(table.n_done, 1, "%u", table.n_done);
    cr_assert_eq(table.code, KW_ERR_TIMEOUT);
    table_run(2000);
    cr_assert_eq(table.n_done, 2);
    cr_assert_eq(table.code, 0, "%s", table.text);
    cr_assert_eq(table.n_failed, 0);
    expect_committed(2, -1, -1);
    struct kw_op *op = commit_one(0, 3, -1);
    cr_assert_eq(kw_core_op_cancel(op), 0);
    table_run(50);
    cr_assert_eq(table.code, KW_ERR_CANCELED);
    table_end();
}

Test(offsets, commits_that_make_no_sense_are_refused)
{
    struct kw_offset bad[] = {
        {"t", 0, 0, -1, {NULL, 0}, 0, 0}, {"t", 0, 0, INT64_MIN, {NULL, 0}, 0, 0},
        {"t", -1, 0, 1, {NULL, 0}, 0, 0}, {NULL, 0, 0, 1, {NULL, 0}, 0, 0},
        {"t", 0, 0, 1, {NULL, 4}, 0, 0},  {"t", 0, 0, 1, {"x", 40000}, 0, 0}};
    table_begin(by_hand);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct kw_offsets list = {&bad[i], 1};
        cr_assert_not_null(kw_core_commit(table.consumer, &list, 1000, NULL));
        table_run(5);
        cr_assert_eq(table.n_done, i + 1);
        cr_assert_eq(table.code, KW_ERR_USE);
    }
    cr_assert_not_null(commit_one(0, INT64_MAX, 1000));
    table_run(50);
    cr_assert_eq(table.code, 0);
    cr_assert_eq(committed(0), INT64_MAX);
    table_end();
}

Test(offsets, the_coordinator_may_move_at_any_time)
{
    table_begin(by_hand);
    for (int i = 1; i <= 20; i++) {
        kwi_mock_set_coordinator(table.pair.mock, i % 2);
        cr_assert_not_null(commit_one(0, i, 5000));
        table_run(i % 3 ? 5 : 300);
    }
    table_run(2000);
    cr_assert_eq(table.n_done, 20);
    cr_assert_eq(table.n_failed, 0);
    cr_assert_eq(committed(0), 20);
    table_end();
}

/* ---- kw_committed -------------------------------------------------------------------------------- */

Test(offsets, what_is_committed_can_be_read_with_its_metadata)
{
    static const uint8_t bytes[] = {'a', 0, 0xff, 0xfe, '\n'};
    struct kw_offset two[2] = {{"t", 1, 7, 11, {bytes, sizeof bytes}, 0, 0},
                               {"t", 2, 0, 12, {NULL, 0}, 0, 0}};
    struct kw_offsets list = {two, 2}, *result = NULL, *all = NULL;
    table_begin(by_hand);
    cr_assert_not_null(kw_core_commit(table.consumer, &list, 5000, NULL));
    table_run(100);
    cr_assert_eq(table.code, 0);
    two[0].partition = 0;
    two[1].partition = 1;
    table_fault("offsetfetch:1:error=88");
    table_fault("offsetfetch:2:close-before");
    cr_assert_not_null(kw_core_committed(table.consumer, &list, &result, 5000, NULL));
    cr_assert_not_null(kw_core_committed(table.consumer, NULL, &all, 5000, NULL));
    table_run(1500);
    cr_assert_eq(table.n_done, 3);
    cr_assert_eq(table.code, 0, "%s", table.text);
    cr_assert_eq(result->n, 2);
    cr_assert_str_eq(result->list[0].topic, "t");
    cr_assert_eq(result->list[0].offset, -1);
    cr_assert_eq(result->list[1].partition, 1);
    cr_assert_eq(result->list[1].offset, 11);
    cr_assert_eq(result->list[1].leader_epoch, 7);
    cr_assert_eq(result->list[1].metadata.len, sizeof bytes);
    cr_assert_eq(memcmp(result->list[1].metadata.ptr, bytes, sizeof bytes), 0);
    cr_assert_eq(all->n, 2);
    cr_assert_eq(all->list[1].offset, 12);
    kw_offsets_destroy(result);
    kw_offsets_destroy(all);
    kw_offsets_destroy(NULL);
    result = NULL;
    table_fault("offsetfetch:*:error-after=30");
    cr_assert_not_null(kw_core_committed(table.consumer, &list, &result, 5000, NULL));
    table_run(100);
    cr_assert_eq(table.code, KW_ERR_BROKER);
    cr_assert_null(result);
    table_end();
}

/* Behind the records lies a marker, written under the next leader: the pair that is committed
 * belongs together, or the next owner takes it for a log that was cut. */
Test(offsets, the_epoch_that_is_committed_is_that_of_what_lies_in_front_of_the_offset)
{
    struct kw_offset where = {.topic = "t"};
    struct kw_offsets which = {&where, 1}, *result = NULL;
    struct kw_mock_partition_info info;
    for (int late = 0; late < 2; late++) {
        table_begin(by_hand);
        if (late)
            take(0);
        cr_assert_eq(kwi_mock_partition(table.pair.mock, "t", 0, &info), 0);
        cr_assert_eq(kwi_mock_set_leader(table.pair.mock, "t", 0, 1 - info.leader), 0);
        cr_assert_eq(kwi_mock_end_txn(table.pair.mock, "t", 0, 4711, 0, true), 0);
        cr_assert_eq(kwi_mock_partition(table.pair.mock, "t", 0, &info), 0);
        if (!late)
            take(0);
        table_run(500);
        for (unsigned i = 0; i < table.n_held; i++)
            release(i, KW_DONE);
        table_run(500); /* poll passes the marker */
        struct kw_records *records;
        cr_assert_eq(kw_core_consumer_poll(table.consumer, &records, 0), 0);
        commit_now(0);
        cr_assert_eq(committed(0), RECORDS + 1);
        cr_assert_not_null(kw_core_committed(table.consumer, &which, &result, 5000, NULL));
        table_run(100);
        cr_assert_eq(result->list[0].leader_epoch, info.leader_epoch);
        kw_offsets_destroy(result);
        table_end();
    }
}

/* ---- versions, and the end ------------------------------------------------------------------------- */

Test(offsets, every_release_takes_our_commits)
{
    static const char *const releases[] = {"2.1", "2.8", "3.3", "3.9", "4.0", "4.3"};
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
        const struct kw_mock_versions *versions;
        struct kw_offsets *all = NULL;
        size_t n;
        cr_assert_eq(kwi_mock_release(releases[i], &versions, &n), 0);
        memset(&table, 0, sizeof table);
        cr_assert_eq(sim_pair_init(&table.pair, SIM_MEMORY_PLAIN, BROKERS, PARTITIONS), 0);
        struct kw_mock_config config = {.alloc = sim_memory_alloc(&table.pair.mock_memory),
                                        .n_brokers = BROKERS,
                                        .versions = versions,
                                        .n_versions = n};
        kwi_mock_destroy(table.pair.mock);
        cr_assert_eq(kwi_mock_create(&table.pair.mock, &config), 0);
        kwi_mock_step(table.pair.mock, table.pair.now);
        cr_assert_eq(kwi_mock_create_topic(table.pair.mock, "t", PARTITIONS), 0);
        kwi_mock_set_coordinator(table.pair.mock, 1);
        table.pair.on_event = table_event;
        cr_assert_eq(sim_pair_core(&table.pair, usual, NULL), 0);
        table_produce();
        table_open(by_hand);
        table_assign(KW_START_COMMITTED);
        done_all(2);
        commit_now(0);
        expect_committed(-1, -1, RECORDS);
        cr_assert_not_null(kw_core_committed(table.consumer, NULL, &all, 5000, NULL));
        table_run(100);
        cr_assert_eq(table.code, 0, "%s: %s", releases[i], table.text);
        cr_assert_eq(all->n, 1);
        cr_assert_eq(all->list[0].offset, RECORDS);
        kw_offsets_destroy(all);
        table_end();
    }
}

Test(offsets, closing_commits_what_is_stored)
{
    static const char *const slow[] = {"group.id=g", "fetch.max.wait.ms=50",
                                       "auto.offset.reset=earliest", NULL};
    table_begin(by_hand);
    table_open(slow);
    table_assign(KW_START_COMMITTED);
    done_all(0);
    table_run(100);
    expect_committed(-1, -1, -1);
    cr_assert_not_null(kw_core_close(table.pair.core, 5000, NULL));
    table_run(200);
    cr_assert_eq(table.n_done, 1);
    cr_assert_eq(table.code, 0, "%s", table.text);
    expect_committed(RECORDS, -1, -1);
    table_end();
}

Test(offsets, closing_without_a_coordinator_ends_by_its_deadline)
{
    static const char *const slow[] = {"group.id=g", "fetch.max.wait.ms=50",
                                       "auto.offset.reset=earliest", NULL};
    table_begin(slow);
    done_all(0);
    kwi_mock_set_coordinator(table.pair.mock, -1);
    cr_assert_not_null(kw_core_close(table.pair.core, 400, NULL));
    table_run(300);
    cr_assert_eq(table.n_done, 0);
    table_run(1500);
    cr_assert_eq(table.n_done, 1);
    cr_assert_eq(table.code, KW_ERR_TIMEOUT);
    expect_committed(-1, -1, -1);
    table_end();
}

/* ---- the bytes of a commit -------------------------------------------------------------- */

/* What Java's classes (4.3.1) write for offset 20 behind a record of leader epoch 0 in
 * partition 1 of t, as its consumer fills them: no retention, the next offset, the epoch of
 * the record before it, empty metadata. */
static const struct {
    int16_t version;
    const char *hex;
} commit_bytes[] = {
    {2, "000167ffffffff0000ffffffffffffffff00000001000174000000010000000100000000000000140000"},
    {5, "000167ffffffff000000000001000174000000010000000100000000000000140000"},
    {6, "000167ffffffff00000000000100017400000001000000010000000000000014000000000000"},
    {7, "000167ffffffff0000ffff0000000100017400000001000000010000000000000014000000000000"},
    {8, "0267ffffffff0100020274020000000100000000000000140000000001000000"},
    {9, "0267ffffffff0100020274020000000100000000000000140000000001000000"}};

static char commit_said[512];
static int16_t commit_version;

static void hear_commit(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    size_t at, n = 0;
    (void)ctx;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &at), 0);
    if (header.api_key != KW_API_OFFSET_COMMIT)
        return;
    commit_version = header.api_version;
    for (; at < len && n + 3 < sizeof commit_said; at++, n += 2)
        snprintf(commit_said + n, 3, "%02x", frame[at]);
}

Test(offsets, a_commit_has_the_bytes_of_java_s_in_each_version)
{
    for (size_t i = 0; i < sizeof commit_bytes / sizeof *commit_bytes; i++) {
        struct kw_mock_versions only = {.api_key = KW_API_OFFSET_COMMIT,
                                        .min = commit_bytes[i].version,
                                        .max = commit_bytes[i].version};
        const struct kw_mock_config config = {
            .n_brokers = BROKERS, .versions = &only, .n_versions = 1};
        memset(&table, 0, sizeof table);
        commit_said[0] = '\0';
        cr_assert_eq(sim_pair_init_of(&table.pair, SIM_MEMORY_PLAIN, &config, PARTITIONS), 0);
        kwi_mock_set_coordinator(table.pair.mock, 1);
        table.pair.on_event = table_event;
        table.pair.on_request = hear_commit;
        cr_assert_eq(sim_pair_core(&table.pair, usual, NULL), 0);
        table_produce();
        table_open(by_hand);
        table_assign(KW_START_COMMITTED);
        take(1);
        for (unsigned k = 0; k < 4; k++)
            release(k, KW_DONE);
        commit_now(0);
        cr_assert_eq(commit_version, commit_bytes[i].version);
        cr_assert_str_eq(commit_said, commit_bytes[i].hex, "version %d", commit_version);
        cr_assert_eq(committed(1), 20);
        table_end();
    }
}
