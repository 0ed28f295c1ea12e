/* The consumer against a broker model: where it begins, what it does about each
 * kind of refusal, faults and limits; nothing skipped, nothing twice.
 *
 * covers: C06 C08 C20 C25 C28 C34 C36 C46 C47 C49 C53 C54 C60 M03 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/pair.h"

enum { PARTITIONS = 3, BROKERS = 2 };

/* What was seen of a partition. Values are "PARTITION:INDEX ...". */
struct seen {
    int64_t first, next; /* offsets; first -1: nothing yet */
    unsigned n, n_eof, n_error;
    bool retriable; /* the last error */
    int error;
    int16_t kafka_code;
    char text[192], hint[128];
    int64_t error_offset;
};
struct scene {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *consumer;
    struct seen seen[PARTITIONS + 1];
    unsigned n_delivered, n_starved;
    bool hold;
    struct kw_records *held[1024];
    unsigned n_held;
};
static struct scene scene;

static void scene_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_REPORT) {
        cr_assert_eq(event->report.outcome, KW_DELIVERED);
        scene.n_delivered += event->report.n;
    }
    scene.n_starved += event->kind == KW_EVENT_FETCH_STARVED;
    if (event->consumer != scene.consumer || !scene.consumer || event->partition < 0 ||
        event->partition > PARTITIONS)
        return;
    struct seen *seen = &scene.seen[event->partition];
    if (event->kind == KW_EVENT_PARTITION_EOF)
        seen->n_eof++;
    if (event->kind == KW_EVENT_ERROR && event->topic_name) {
        seen->n_error++;
        seen->retriable = event->error->retriable;
        seen->error = event->code;
        seen->kafka_code = event->error->kafka_code;
        seen->error_offset = event->offset;
        memcpy(seen->text, event->error->text, sizeof seen->text);
        memcpy(seen->hint, event->error->hint, sizeof seen->hint);
    }
}

static void scene_take(void)
{
    struct kw_records *records;
    int rc;
    while ((rc = kw_core_consumer_poll(scene.consumer, &records, 7)) == 1) {
        struct seen *seen = &scene.seen[kw_records_partition(records)];
        const struct kw_consumed *c;
        while ((c = kw_records_next(records))) {
            char text[32];
            int n = snprintf(text, sizeof text, "%d:%lld ", kw_records_partition(records),
                             (long long)c->offset);
            cr_assert(c->value.len >= (size_t)n && memcmp(c->value.ptr, text, (size_t)n) == 0,
                      "offset %lld holds another record", (long long)c->offset);
            if (seen->first < 0)
                seen->first = c->offset;
            else
                cr_assert_eq(c->offset, seen->next, "after %lld came %lld",
                             (long long)seen->next - 1, (long long)c->offset);
            seen->next = c->offset + 1;
            seen->n++;
        }
        if (scene.hold && scene.n_held < 1024)
            scene.held[scene.n_held++] = records;
        else
            kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
}

static void scene_run(uint64_t for_ms)
{
    for (uint64_t ms = 0; ms < for_ms; ms += 5) {
        if (scene.consumer)
            scene_take();
        sim_pair_step(&scene.pair, 5000);
    }
    if (scene.consumer)
        scene_take();
    cr_assert(!scene.pair.broken, "%s", scene.pair.why);
}

static void scene_open(const char *const *consumer_settings)
{
    struct kw_config *own = NULL;
    struct kw_error err;
    cr_assert_eq(sim_pair_config(&scene.pair, &own, consumer_settings), 0);
    cr_assert_eq(kw_core_consumer_create(&scene.consumer, scene.pair.core, own, &err), 0, "%s",
                 err.text);
    kw_config_destroy(own);
    for (int i = 0; i <= PARTITIONS; i++)
        scene.seen[i].first = -1;
}

/* n records of `len` bytes each into one partition; record i has time 1000 * i. */
static void scene_produce(int32_t partition, unsigned from, unsigned n, size_t len)
{
    static char value[1024 * 1024];
    unsigned want = scene.n_delivered + n;
    for (unsigned i = 0; i < n; i++) {
        int text = snprintf(value, sizeof value, "%d:%u ", partition, from + i);
        struct kw_record record = {.value = {value, len > (size_t)text ? len : (size_t)text},
                                   .flags = KW_REC_PARTITION | KW_REC_TIMESTAMP,
                                   .partition = partition,
                                   .timestamp_ms = 1000 * (int64_t)(from + i)};
        int rc = KW_ERR_WOULD_BLOCK;
        for (int tries = 0; tries < 1000 && rc == KW_ERR_WOULD_BLOCK; tries++) {
            rc = kw_core_produce(scene.topic, &record);
            if (rc == KW_ERR_WOULD_BLOCK)
                scene_run(5);
        }
        cr_assert_geq(rc, 0, "%s", kw_err_name(rc));
    }
    for (int i = 0; i < 1000 && scene.n_delivered < want; i++)
        scene_run(10);
    cr_assert_eq(scene.n_delivered, want);
}

static const char *const usual[] = {"retry.backoff.ms=20",     "retry.backoff.max.ms=100",
                                    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100",
                                    "request.timeout.ms=2000", NULL};
static const char *const quick[] = {"fetch.max.wait.ms=50", NULL};

static void scene_begin(const char *const *settings, unsigned n_records, size_t len)
{
    memset(&scene, 0, sizeof scene);
    cr_assert_eq(sim_pair_init(&scene.pair, SIM_MEMORY_PLAIN, BROKERS, PARTITIONS), 0);
    scene.pair.on_event = scene_event;
    cr_assert_eq(sim_pair_core(&scene.pair, settings, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&scene.producer, scene.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&scene.topic, scene.producer, "t", NULL), 0);
    for (int32_t p = 0; p < PARTITIONS && n_records > 0; p++)
        scene_produce(p, 0, n_records, len);
}

static void scene_end(void)
{
    cr_assert(!scene.pair.broken, "%s", scene.pair.why);
    kw_core_destroy(scene.pair.core);
    scene.pair.core = NULL;
    cr_assert_eq(scene.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)scene.pair.memory.n_live);
    cr_assert(!scene.pair.memory.damaged);
    sim_pair_deinit(&scene.pair);
}

static void scene_assign(uint8_t kind, int64_t value)
{
    struct kw_start starts[PARTITIONS];
    struct kw_error err;
    for (int32_t p = 0; p < PARTITIONS; p++)
        starts[p] = (struct kw_start){"t", p, kind, value};
    cr_assert_eq(kw_core_assign(scene.consumer, starts, PARTITIONS, &err), 0, "%s", err.text);
}

static void scene_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(scene.pair.mock, &fault, NULL), 0);
}

/* Every partition was read from `first` to the end, once. */
static void expect_read(int64_t first, int64_t next)
{
    for (int p = 0; p < PARTITIONS; p++) {
        cr_assert_eq(scene.seen[p].first, first < next ? first : -1, "partition %d began at %lld",
                     p, (long long)scene.seen[p].first);
        if (first < next)
            cr_assert_eq(scene.seen[p].next, next, "partition %d stands at %lld", p,
                         (long long)scene.seen[p].next);
        cr_assert_eq(scene.seen[p].n_error, 0, "%s", scene.seen[p].text);
        cr_assert_gt(scene.seen[p].n_eof, 0, "the end of %d was not told", p);
    }
}

static void start_case(uint8_t kind, int64_t value, int64_t first)
{
    scene_begin(usual, 40, 30);
    scene_open(quick);
    scene_assign(kind, value);
    scene_run(400);
    expect_read(first, 40);
    for (int p = 0; p < PARTITIONS; p++)
        cr_assert_eq(scene.seen[p].n_eof, 1, "told %u times", scene.seen[p].n_eof);
    /* What comes later is read as well, and the end told again. */
    for (int32_t p = 0; p < PARTITIONS; p++)
        scene_produce(p, 40, 2, 30);
    scene_run(300);
    for (int p = 0; p < PARTITIONS; p++) {
        int64_t offset;
        cr_assert_eq(scene.seen[p].next, 42);
        cr_assert_geq(scene.seen[p].n_eof, 2);
        cr_assert_eq(kw_position(scene.consumer, "t", p, &offset), 0);
        cr_assert_eq(offset, 42);
    }
    scene_end();
}

Test(consumer, begins_at_an_offset)
{
    start_case(KW_START_OFFSET, 13, 13);
}
Test(consumer, begins_at_the_earliest_record)
{
    start_case(KW_START_EARLIEST, 0, 0);
}
Test(consumer, begins_behind_the_latest_record)
{
    start_case(KW_START_LATEST, 0, 40);
}
Test(consumer, begins_at_a_time)
{
    start_case(KW_START_TIMESTAMP, 20500, 21);
}
Test(consumer, begins_at_the_end_if_no_record_is_so_young)
{
    start_case(KW_START_TIMESTAMP, 40000, 40);
}
Test(consumer, begins_some_records_before_the_end)
{
    start_case(KW_START_TAIL, 5, 35);
}
Test(consumer, a_tail_longer_than_the_log_is_the_whole_log)
{
    start_case(KW_START_TAIL, 1000, 0);
}
Test(consumer, a_tail_of_nothing_is_the_end)
{
    start_case(KW_START_TAIL, 0, 40);
}

/* ---- refusals ------------------------------------------------------------------------------ */

/* With this fault in place everything is read all the same, each record once. */
static void survive(const char *spec)
{
    scene_begin(usual, 40, 30);
    scene_fault(spec);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    scene_run(3000);
    for (int p = 0; p < PARTITIONS; p++)
        cr_assert_eq(scene.seen[p].next, 40, "%s: partition %d stands at %lld", spec, p,
                     (long long)scene.seen[p].next);
    expect_read(0, 40);
    scene_end();
}

Test(consumer, transient_refusals_of_a_fetch_are_retried)
{
    survive("fetch:1-4:error=NOT_LEADER_OR_FOLLOWER");
    survive("fetch:1-4:error=FENCED_LEADER_EPOCH");
    survive("fetch:1-4:error=UNKNOWN_LEADER_EPOCH");
    survive("fetch:1-4:error=UNKNOWN_TOPIC_OR_PARTITION:partition=1");
    survive("fetch:1-4:error=KAFKA_STORAGE_ERROR");
    survive("fetch:1-4:error=OFFSET_NOT_AVAILABLE");
    survive("fetch:1-4:error=UNKNOWN_SERVER_ERROR");
    survive("fetch:1-4:error=REPLICA_NOT_AVAILABLE");
}

Test(consumer, transient_refusals_of_a_look_up_are_retried_and_never_taken_for_0)
{
    survive("listoffsets:1-3:error=NOT_LEADER_OR_FOLLOWER");
    survive("listoffsets:1-3:error=LEADER_NOT_AVAILABLE");
    survive("listoffsets:1-3:error=OFFSET_NOT_AVAILABLE:partition=2");
    survive("listoffsets:1-3:error=UNKNOWN_LEADER_EPOCH");
    survive("listoffsets:1-2:omit:partition=0");
    survive("listoffsets:1:drop-answer");
    survive("listoffsets:1-3:close-before");
}

Test(consumer, lost_cut_late_and_repeated_answers_lose_and_double_nothing)
{
    survive("fetch:/3:close-before");
    survive("fetch:/3:close-after");
    survive("fetch:1-6:cut=30");
    survive("fetch:1-6:delay=120");
    survive("fetch:*:twice");
    survive("fetch:*:unasked");
    survive("fetch:1-5:omit:partition=1");
    survive("listoffsets:*:twice");
    survive("listoffsets:*:unasked");
    survive("metadata:/2:close-after");
}

Test(consumer, an_answer_that_never_comes_costs_one_request_timeout)
{
    scene_begin(usual, 40, 30);
    scene_fault("fetch:1:drop-answer");
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    scene_run(4000);
    expect_read(0, 40);
    scene_end();
}

Test(consumer, a_refusal_that_no_retry_cures_stops_its_partition_alone)
{
    scene_begin(usual, 40, 30);
    scene_fault("fetch:*:error=TOPIC_AUTHORIZATION_FAILED:partition=1");
    scene_open(quick);
    scene_assign(KW_START_OFFSET, 4);
    scene_run(500);
    cr_assert_eq(scene.seen[1].n, 0);
    cr_assert_eq(scene.seen[1].n_error, 1);
    cr_assert_eq(scene.seen[1].error, KW_ERR_BROKER);
    cr_assert_eq(scene.seen[1].kafka_code, 29);
    cr_assert_eq(scene.seen[1].error_offset, 4);
    cr_assert_eq(scene.seen[0].next, 40);
    cr_assert_eq(scene.seen[2].next, 40);
    scene_end();
}

static const char *const reset_none[] = {"fetch.max.wait.ms=50", "auto.offset.reset=none", NULL};
static const char *const reset_earliest[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest",
                                             NULL};

/* A leader that cannot read its own log is not asked in vain for ever. */
Test(consumer, a_log_that_its_leader_cannot_read_is_told)
{
    scene_begin(usual, 10, 30);
    scene_open(quick);
    scene_fault("fetch:*:error=CORRUPT_MESSAGE:partition=1");
    scene_assign(KW_START_EARLIEST, 0);
    scene_run(3000);
    cr_assert_eq(scene.seen[1].n_error, 1);
    cr_assert_eq(scene.seen[1].kafka_code, 2);
    cr_assert_not(scene.seen[1].retriable);
    cr_assert_eq(scene.seen[0].next, 10);
    scene_end();
}

Test(consumer, out_of_range_without_policy_is_an_error_with_the_offset_until_a_seek)
{
    scene_begin(usual, 40, 30);
    scene_open(reset_none);
    scene_assign(KW_START_OFFSET, 1000);
    scene_run(500);
    for (int p = 0; p < PARTITIONS; p++) {
        int64_t offset;
        struct kw_start start = {"t", p, KW_START_OFFSET, 38};
        cr_assert_eq(scene.seen[p].n_error, 1);
        cr_assert_eq(scene.seen[p].kafka_code, 1);
        cr_assert_eq(scene.seen[p].error_offset, 1000);
        cr_assert(strstr(scene.seen[p].text, "1000"), "%s", scene.seen[p].text);
        cr_assert_eq(kw_position(scene.consumer, "t", p, &offset), 0);
        cr_assert_eq(offset, 1000, "the position is unchanged");
        cr_assert_eq(kw_core_seek(scene.consumer, &start), 0);
        scene.seen[p].n_error = 0;
    }
    scene_run(300);
    expect_read(38, 40);
    scene_end();
}

Test(consumer, out_of_range_goes_where_the_policy_says)
{
    scene_begin(usual, 40, 30);
    scene_open(reset_earliest);
    scene_assign(KW_START_OFFSET, 1000);
    scene_run(500);
    expect_read(0, 40);
    scene_end();

    scene_begin(usual, 40, 30);
    scene_open(quick);
    scene_assign(KW_START_OFFSET, 1000);
    scene_run(500);
    expect_read(40, 40);
    scene_end();
}

Test(consumer, a_moved_leader_is_followed_and_nothing_is_lost_or_doubled)
{
    scene_begin(usual, 40, 30);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    scene_run(100);
    for (unsigned round = 0; round < 6; round++) {
        for (int32_t p = 0; p < PARTITIONS; p++) {
            cr_assert_eq(kwi_mock_set_leader(scene.pair.mock, "t", p,
                                             (int32_t)((round + (unsigned)p) % BROKERS)),
                         0);
            scene_produce(p, 40 + round * 5, 5, 30);
        }
        scene_run(100);
    }
    scene_run(1000);
    expect_read(0, 70);
    scene_end();
}

Test(consumer, a_topic_that_does_not_exist_is_told_after_a_moment_and_read_when_it_comes)
{
    struct kw_start start = {"later", 0, KW_START_EARLIEST, 0};
    scene_begin(usual, 0, 0);
    scene_open(quick);
    cr_assert_eq(kw_core_assign(scene.consumer, &start, 1, NULL), 0);
    scene_run(1500);
    cr_assert_eq(scene.seen[0].n_error, 0, "a new topic may need a moment");
    scene_run(5000);
    cr_assert_eq(scene.seen[0].n_error, 1);
    cr_assert_eq(scene.seen[0].kafka_code, 3);
    cr_assert_eq(kwi_mock_create_topic(scene.pair.mock, "later", 1), 0);
    cr_assert_eq(kw_core_topic_open(&scene.topic, scene.producer, "later", NULL), 0);
    scene_produce(0, 0, 3, 10);
    scene_run(2000);
    cr_assert_eq(scene.seen[0].next, 3);
    scene_end();
}

/* The right came: a seek is the only way on, and asks again. */
Test(consumer, a_seek_goes_on_where_a_topic_was_refused)
{
    struct kw_start start = {"later", 0, KW_START_EARLIEST, 0};
    struct kw_mock_fault fault;
    const char *why = "";
    uint32_t id;
    scene_begin(usual, 0, 0);
    cr_assert_eq(kwi_mock_create_topic(scene.pair.mock, "later", 1), 0);
    scene_open(quick);
    cr_assert_eq(kwi_mock_fault_parse("metadata:*:error=29:topic=later", &fault, &why), 0, "%s",
                 why);
    cr_assert_eq(kwi_mock_fault_add(scene.pair.mock, &fault, &id), 0);
    cr_assert_eq(kw_core_assign(scene.consumer, &start, 1, NULL), 0);
    scene_run(1000);
    cr_assert_eq(scene.seen[0].n_error, 1);
    cr_assert_eq(scene.seen[0].kafka_code, 29);
    cr_assert_eq(kwi_mock_fault_remove(scene.pair.mock, id), 0);
    cr_assert_eq(kw_core_seek(scene.consumer, &start), 0);
    scene_run(500);
    cr_assert_eq(scene.seen[0].n_eof, 1, "it is read, to its end");
    scene_end();
}

Test(consumer, a_partition_that_a_topic_lacks_is_told_at_once)
{
    struct kw_start start = {"t", PARTITIONS, KW_START_EARLIEST, 0};
    scene_begin(usual, 1, 10);
    scene_open(quick);
    cr_assert_eq(kw_core_assign(scene.consumer, &start, 1, NULL), 0);
    scene_run(1000);
    cr_assert_eq(scene.seen[PARTITIONS].n_error, 1);
    cr_assert_eq(scene.seen[PARTITIONS].kafka_code, 3);
    scene_end();
}

/* ---- seek and pause with requests under way --------------------------------------------------- */

Test(consumer, a_seek_while_a_fetch_is_under_way_delivers_nothing_old)
{
    scene_begin(usual, 40, 30);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    for (unsigned step = 0; step < 60; step++) {
        /* Every point of the exchange is hit by some step. */
        sim_pair_step(&scene.pair, 1 + step * 37 % 500);
        for (int32_t p = 0; p < PARTITIONS; p++) {
            struct kw_start start = {"t", p, step % 2 ? KW_START_OFFSET : KW_START_TAIL,
                                     step % 2 ? 10 + (int64_t)step % 20 : 3};
            int64_t expected = step % 2 ? start.value : 37;
            cr_assert_eq(kw_core_seek(scene.consumer, &start), 0);
            scene.seen[p] = (struct seen){.first = -1};
            scene_take();
            cr_assert_eq(scene.seen[p].n, 0, "step %u: something old was delivered", step);
            sim_pair_step(&scene.pair, 1);
            scene_take();
            cr_assert(scene.seen[p].first == -1 || scene.seen[p].first == expected,
                      "step %u: sought %lld, got %lld", step, (long long)expected,
                      (long long)scene.seen[p].first);
        }
    }
    scene_run(500);
    for (int p = 0; p < PARTITIONS; p++)
        cr_assert_eq(scene.seen[p].next, 40);
    scene_end();
}

Test(consumer, a_paused_partition_is_not_fetched_and_the_others_go_on)
{
    scene_begin(usual, 40, 30);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    cr_assert_eq(kw_core_pause(scene.consumer, "t", 1, true), 0);
    scene_run(300);
    cr_assert_eq(scene.seen[1].n, 0);
    cr_assert_eq(scene.seen[0].next, 40);
    for (int32_t p = 0; p < PARTITIONS; p += 2)
        cr_assert_eq(kw_core_pause(scene.consumer, "t", p, true), 0);
    scene_run(200);
    uint64_t before = kwi_mock_n_requests(scene.pair.mock, 1);
    scene_run(1000);
    cr_assert_leq(kwi_mock_n_requests(scene.pair.mock, 1), before, "all are paused");
    cr_assert_eq(kw_core_pause(scene.consumer, "t", 1, false), 0);
    scene_run(300);
    cr_assert_eq(scene.seen[1].next, 40);
    scene_end();
}

Test(consumer, an_idle_partition_is_polled_long_and_not_in_a_loop)
{
    scene_begin(usual, 40, 30);
    scene_open((const char *const[]){"fetch.max.wait.ms=500", NULL});
    scene_assign(KW_START_LATEST, 0);
    scene_run(1000);
    uint64_t before = kwi_mock_n_requests(scene.pair.mock, 1);
    scene_run(10000);
    uint64_t fetches = kwi_mock_n_requests(scene.pair.mock, 1) - before;
    cr_assert(fetches >= 30 && fetches <= 2 * BROKERS * 20, "%lu fetches in 10 s",
              (unsigned long)fetches);
    scene_end();
}

/* ---- memory -------------------------------------------------------------------------------------- */

static const char *const small[] = {"retry.backoff.ms=20",     "retry.backoff.max.ms=100",
                                    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100",
                                    "memory.limit=20000000",   "buffer.memory=8000000",
                                    "fetch.memory=600000",     NULL};

Test(consumer, a_small_fetch_reserve_is_never_exceeded_and_everything_arrives)
{
    scene_begin(small, 300, 4000);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    scene_run(5000);
    expect_read(0, 300);
    struct kw_stats stats;
    kw_core_stats(scene.pair.core, &stats);
    cr_assert_leq(stats.fetch_peak, 600000);
    scene_end();
}

Test(consumer, batches_larger_than_max_partition_fetch_bytes_arrive)
{
    scene_begin(small, 4, 200000);
    scene_open(
        (const char *const[]){"fetch.max.wait.ms=50", "max.partition.fetch.bytes=2000", NULL});
    scene_assign(KW_START_EARLIEST, 0);
    scene_run(5000);
    expect_read(0, 4);
    scene_end();
}

Test(consumer, a_batch_that_the_reserve_can_never_hold_names_its_size_and_the_key)
{
    static const char *const tiny[] = {"retry.backoff.ms=20",     "retry.backoff.max.ms=100",
                                       "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100",
                                       "fetch.memory=300000",     NULL};
    scene_begin(tiny, 0, 0);
    scene_produce(0, 0, 10, 100);
    scene_produce(1, 0, 2, 100);
    scene_produce(1, 2, 1, 900000);
    scene_produce(2, 0, 10, 100);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    scene_run(5000);
    cr_assert_eq(scene.seen[0].next, 10);
    cr_assert_eq(scene.seen[2].next, 10, "the others go on");
    cr_assert_eq(scene.seen[1].next, 2);
    cr_assert_eq(scene.seen[1].n_error, 1);
    cr_assert_eq(scene.seen[1].error, KW_ERR_LIMIT, "%s", scene.seen[1].text);
    cr_assert_eq(scene.seen[1].error_offset, 2, "the position is unchanged");
    cr_assert(strstr(scene.seen[1].text, "an answer of 900"), "%s", scene.seen[1].text);
    cr_assert(strstr(scene.seen[1].hint, "fetch.memory"), "%s", scene.seen[1].hint);
    /* What comes later in the others still arrives. */
    scene_produce(0, 10, 5, 100);
    scene_run(1000);
    cr_assert_eq(scene.seen[0].next, 15);
    scene_end();
}

Test(consumer, when_the_application_holds_all_frames_it_is_told_once_and_goes_on_after_release)
{
    scene_begin(small, 300, 4000);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    scene.hold = true;
    scene_run(2000);
    cr_assert_eq(scene.n_starved, 1);
    unsigned n = scene.seen[0].n + scene.seen[1].n + scene.seen[2].n;
    cr_assert_lt(n, 900);
    scene_run(1000);
    cr_assert_eq(scene.n_starved, 1, "told once");
    cr_assert_eq(scene.seen[0].n + scene.seen[1].n + scene.seen[2].n, n);
    scene.hold = false;
    while (scene.n_held > 0)
        kw_core_records_release(scene.held[--scene.n_held], KW_DONE);
    scene_run(5000);
    expect_read(0, 300);
    scene_end();
}

/* Batches far larger than what was asked for: their answer finds no memory while
 * the application holds the rest, so reading stops until some of it is released. */
Test(consumer, reading_stops_while_an_oversize_answer_finds_no_memory_and_goes_on_after_release)
{
    scene_begin(small, 12, 200000);
    scene_open(
        (const char *const[]){"fetch.max.wait.ms=50", "max.partition.fetch.bytes=2000", NULL});
    scene_assign(KW_START_EARLIEST, 0);
    scene.hold = true;
    scene_run(800); /* well below request.timeout.ms */
    cr_assert_gt(scene.pair.n_read_off, 0, "the core never asked to stop reading");
    cr_assert_leq(scene.n_held, 3);
    scene.hold = false;
    while (scene.n_held > 0)
        kw_core_records_release(scene.held[--scene.n_held], KW_DONE);
    scene_run(5000);
    expect_read(0, 12);
    scene_end();
}

Test(consumer, a_paused_partition_gives_its_buffer_up_when_others_need_the_memory)
{
    scene_begin(small, 300, 4000);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    /* All are fetched, then one is paused with its data still buffered. */
    for (int i = 0; i < 40; i++)
        sim_pair_step(&scene.pair, 1000);
    cr_assert_eq(kw_core_pause(scene.consumer, "t", 0, true), 0);
    scene_run(5000);
    cr_assert_eq(scene.seen[0].n, 0);
    cr_assert_eq(scene.seen[1].next, 300);
    cr_assert_eq(scene.seen[2].next, 300);
    cr_assert_eq(kw_core_pause(scene.consumer, "t", 0, false), 0);
    scene_run(3000);
    expect_read(0, 300);
    scene_end();
}

/* ---- close ------------------------------------------------------------------------------------------ */

Test(consumer, after_close_nothing_is_fetched_and_what_is_held_stays_readable)
{
    scene_begin(usual, 40, 30);
    scene_open(quick);
    scene_assign(KW_START_EARLIEST, 0);
    scene.hold = true;
    scene_run(300);
    cr_assert_gt(scene.n_held, 0);
    struct kw_op *op = kw_core_close(scene.pair.core, 1000, NULL);
    cr_assert_not_null(op);
    scene_run(1500);
    uint64_t before = kwi_mock_n_requests(scene.pair.mock, -1);
    scene_run(1500);
    cr_assert_eq(kwi_mock_n_requests(scene.pair.mock, -1), before);
    struct kw_start start = {"t", 0, KW_START_EARLIEST, 0};
    cr_assert_eq(kw_core_assign(scene.consumer, &start, 1, NULL), KW_ERR_CLOSED);
    kw_core_records_release(scene.held[--scene.n_held], KW_DONE);
    scene_end();
}
