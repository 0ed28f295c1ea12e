/* The producer against a broker model, one clause of its contract a test: what
 * goes over the wire is decoded and compared, what comes back is counted.
 *
 * covers: P01 P03 P05 P15 P21 P22 P41 P42 I1 I3 */
#include "base/bytes.h"
#include "proto/api.h"
#include "proto/batch.h"
#include "proto/header.h"
#include "proto/produce.h"
#include "tests/sim/pair.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 4000, SEEN_MAX = 600 };

/* A batch as it went over the wire. */
struct sight {
    uint32_t request; /* counted from 1 */
    int32_t partition, sequence;
    int16_t epoch, acks;
    int64_t producer_id;
    uint8_t *bytes;
    size_t len;
};

struct scene {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct sight seen[SEEN_MAX];
    uint32_t n_seen, n_requests;
    uint32_t n_made, n_reported, n_of[3], n_reports;
    int64_t offset[RECORDS_MAX]; /* by id; -2: not reported */
    int32_t partition[RECORDS_MAX];
    uint8_t flags;
    int code;
    int16_t kafka_code;
    uint32_t attempts;
    bool done;
    int op_code;
    uint32_t n_ops;
    const struct kw_producer *writable; /* who was told last */
    void (*on_report)(const struct kw_report *report);
};

static struct scene scene; /* one test a process */

static void scene_request(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    struct kw_produce_request msg;
    struct kw_produce_request_topic topic;
    struct kw_produce_request_partition part;
    struct kw_iter topics, parts;
    struct kw_fault fault;
    size_t body;
    (void)ctx;
    if (kwi_get_u16(frame) != KW_API_PRODUCE)
        return;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &body), 0);
    cr_assert_eq(
        kwi_produce_request_decode(&msg, header.api_version, frame + body, len - body, &fault), 0);
    scene.n_requests++;
    for (kwi_iter_init(&topics, &msg.topic_data); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&parts, &topic.partition_data); kwi_iter_next(&parts, &part);) {
            struct sight *sight = &scene.seen[scene.n_seen++];
            const uint8_t *batch = part.records.ptr;
            cr_assert_leq(scene.n_seen, SEEN_MAX);
            *sight =
                (struct sight){.request = scene.n_requests,
                               .partition = part.index,
                               .acks = msg.acks,
                               .producer_id = (int64_t)kwi_get_u64(batch + KWI_BATCH_PRODUCER_ID),
                               .epoch = (int16_t)kwi_get_u16(batch + KWI_BATCH_PRODUCER_EPOCH),
                               .sequence = (int32_t)kwi_get_u32(batch + KWI_BATCH_BASE_SEQUENCE),
                               .len = (size_t)part.records.len};
            sight->bytes = malloc(sight->len);
            cr_assert_not_null(sight->bytes);
            memcpy(sight->bytes, batch, sight->len);
        }
    }
}

static void scene_event(void *ctx, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    (void)ctx;
    if (event->kind == KW_EVENT_OP_DONE) {
        scene.op_code = event->code;
        scene.n_ops++;
    }
    if (event->kind == KW_EVENT_WRITABLE)
        scene.writable = event->producer;
    if (event->kind != KW_EVENT_REPORT)
        return;
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        cr_assert_lt(id, scene.n_made);
        cr_assert_eq(scene.offset[id], -2, "record %lu reported twice", (unsigned long)id);
        scene.offset[id] = report->base_offset < 0 ? -1 : report->base_offset + i;
        cr_assert_eq(scene.partition[id], report->partition);
    }
    scene.n_reported += report->n;
    scene.n_reports++;
    scene.n_of[report->outcome] += report->n;
    scene.flags = report->flags;
    scene.code = report->code;
    scene.kafka_code = report->kafka_code;
    scene.attempts = report->attempts;
    if (scene.on_report)
        scene.on_report(report);
    scene.done = scene.n_reported == scene.n_made;
}

static const char *const usual[] = {
    "request.timeout.ms=1000", "retry.backoff.ms=10",          "retry.backoff.max.ms=100",
    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100", "memory.limit=40000000",
    "control.memory=8000000",  "buffer.memory=8000000",        NULL};

static void scene_begin(const char *const *client, const char *const *own, int32_t n_partitions)
{
    struct kw_config *cfg = NULL;
    struct kw_error err;
    bool never = false;
    cr_assert_eq(sim_pair_init(&scene.pair, SIM_MEMORY_PLAIN, 1, n_partitions), 0);
    scene.pair.on_event = scene_event;
    scene.pair.on_request = scene_request;
    for (int i = 0; i < RECORDS_MAX; i++)
        scene.offset[i] = -2;
    cr_assert_eq(sim_pair_core(&scene.pair, client, NULL), 0);
    cr_assert_eq(sim_pair_config(&scene.pair, &cfg, own), 0);
    cr_assert_eq(kw_core_producer_create(&scene.producer, scene.pair.core, cfg, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_topic_open(&scene.topic, scene.producer, "t", NULL), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(scene.topic) == 0; i++)
        sim_pair_run(&scene.pair, &never, 20);
    cr_assert_eq(kw_topic_partitions(scene.topic), n_partitions);
}

static void scene_end(void)
{
    cr_assert(!scene.pair.broken, "%s", scene.pair.why);
    for (uint32_t i = 0; i < scene.n_seen; i++)
        free(scene.seen[i].bytes);
    kw_core_destroy(scene.pair.core);
    scene.pair.core = NULL;
    cr_assert_eq(scene.pair.memory.n_live, 0);
    sim_pair_deinit(&scene.pair);
}

static int scene_try(int32_t partition, size_t len)
{
    static uint8_t value[2 << 20];
    struct kw_record record = {.value = {value, len},
                               .flags = KW_REC_PARTITION,
                               .partition = partition,
                               .opaque = (void *)(uintptr_t)(scene.n_made + 1)};
    cr_assert_lt(scene.n_made, RECORDS_MAX);
    memcpy(value, &scene.n_made, len < 4 ? len : 4);
    int rc = kw_core_produce(scene.topic, &record);
    if (rc < 0)
        return rc;
    scene.partition[scene.n_made++] = partition;
    scene.done = false;
    return 0;
}

static void scene_make(int32_t partition, size_t len)
{
    int rc = scene_try(partition, len);
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
}

/* One delivered record in each partition: all is known from here on. */
static void scene_warm_up(int32_t n_partitions)
{
    for (int32_t i = 0; i < n_partitions; i++)
        scene_make(i, 10);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], scene.n_made);
}

static void scene_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = NULL;
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s", why);
    cr_assert_eq(kwi_mock_fault_add(scene.pair.mock, &fault, NULL), 0);
}

/* In each partition offsets are 0, 1, 2, ... in the order of produce. */
static void scene_in_order(int32_t n_partitions)
{
    for (int32_t p = 0; p < n_partitions; p++) {
        int64_t next = 0;
        for (uint32_t i = 0; i < scene.n_made; i++) {
            if (scene.partition[i] == p)
                cr_assert_eq(scene.offset[i], next++, "record %u of partition %d is at %lld", i, p,
                             (long long)scene.offset[i]);
        }
    }
}

static const char *const quick[] = {"linger.ms=0", NULL};
static const char *const small[] = {"linger.ms=0", "batch.size=1000", NULL};

/* Five batches of one partition. */
static void scene_five(void)
{
    for (int i = 0; i < 35; i++)
        scene_make(0, 130);
}

/* ---- order and idempotence -------------------------------------------------------------- */

Test(producer, a_resend_is_the_same_bytes)
{
    scene_begin(usual, quick, 1);
    scene_fault("produce:2:drop-answer");
    scene_fault("produce:3:close-before");
    scene_fault("produce:4:error=6");
    scene_warm_up(1);
    for (int i = 0; i < 20; i++)
        scene_make(0, 300);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    cr_assert_eq(scene.n_seen, 5, "%u", scene.n_seen);
    for (uint32_t i = 2; i < scene.n_seen; i++) {
        cr_assert_eq(scene.seen[i].len, scene.seen[1].len);
        cr_assert_eq(memcmp(scene.seen[i].bytes, scene.seen[1].bytes, scene.seen[1].len), 0,
                     "attempt %u differs", i);
    }
    cr_assert_eq(scene.attempts, 4);
    cr_assert_eq(scene.n_of[KW_DELIVERED], scene.n_made);
    scene_end();
}

static void five_in_flight(const char *fault)
{
    memset(&scene, 0, sizeof(scene));
    scene_begin(usual, small, 1);
    scene_warm_up(1);
    scene_fault(fault);
    scene.pair.hold_answers = true;
    scene_five();
    sim_pair_step(&scene.pair, 0);
    sim_pair_step(&scene.pair, 10000);
    sim_pair_step(&scene.pair, 10000);
    cr_assert_eq(scene.n_requests, 6, "%s: five are under way, not %u", fault,
                 scene.n_requests - 1);
    scene.pair.hold_answers = false;
    scene_five();
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000), "%s", fault);
    cr_assert_eq(scene.n_of[KW_DELIVERED], scene.n_made, "%s", fault);
    scene_in_order(1);
    for (uint32_t i = 0; i < scene.n_seen; i++) /* nothing had to be numbered anew */
        cr_assert_eq(scene.seen[i].epoch, scene.seen[0].epoch, "%s: batch %u", fault, i);
    scene_end();
}

Test(producer, five_in_flight_keep_their_order_whichever_of_them_fails)
{
    five_in_flight("produce:1:error=6"); /* those behind it are out of order: they go back */
    five_in_flight("produce:2:error=7");
    five_in_flight("produce:5:error=5");
    five_in_flight("produce:1-3:error=19"); /* NOT_ENOUGH_REPLICAS */
    five_in_flight("produce:2:close-before");
}

Test(producer, a_duplicate_is_delivered_without_an_offset)
{
    scene_begin(usual, quick, 1);
    scene_warm_up(1);
    scene_fault("produce:1:error-after=46");
    scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 2);
    cr_assert_eq(scene.offset[1], -1);
    cr_assert_eq(scene.n_requests, 2, "and is not sent again");
    scene_end();
}

Test(producer, a_batch_that_cannot_be_in_the_log_is_numbered_anew_when_out_of_order)
{
    scene_begin(usual, quick, 1);
    scene_warm_up(1);
    scene_fault("produce:1:error=45");
    scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 2);
    cr_assert_eq(scene.seen[1].sequence, 1);
    cr_assert_eq(scene.seen[2].sequence, 0);
    cr_assert_eq(scene.seen[2].epoch, scene.seen[1].epoch + 1);
    scene_in_order(1);
    scene_end();
}

Test(producer, one_that_may_be_in_the_log_is_unknown_when_out_of_order)
{
    scene_begin(usual, quick, 1);
    scene_warm_up(1);
    scene_fault("produce:1:drop-answer");
    scene_fault("produce:2:error=45");
    scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_UNKNOWN], 1);
    cr_assert_eq(scene.kafka_code, 45);
    scene_end();
}

Test(producer, the_hole_of_a_batch_that_expired_in_flight_is_closed_by_an_epoch)
{
    static const char *const brief[] = {"linger.ms=0", "delivery.timeout.ms=1000", NULL};
    scene_begin(usual, brief, 1);
    scene_warm_up(1);
    scene_fault("produce:1:drop-request");
    scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_UNKNOWN], 1);
    uint32_t from = scene.n_seen;
    for (int i = 0; i < 5; i++)
        scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 6, "later records are stuck behind the hole");
    const struct sight *next = &scene.seen[from];
    cr_assert_eq(next->epoch, scene.seen[1].epoch + 1, "the broker had to refuse it first");
    cr_assert_eq(next->sequence, 0);
    scene_end();
}

Test(producer, without_idempotence_one_in_flight_keeps_the_order)
{
    static const char *const plain[] = {"linger.ms=0", "batch.size=1000",
                                        "enable.idempotence=false",
                                        "max.in.flight.requests.per.connection=1", NULL};
    scene_begin(usual, plain, 1);
    scene_warm_up(1);
    cr_assert_eq(scene.seen[0].producer_id, -1);
    scene_fault("produce:1:error=6");
    scene_fault("produce:3-4:error=7");
    scene.pair.hold_answers = true;
    scene_five();
    sim_pair_step(&scene.pair, 0);
    sim_pair_step(&scene.pair, 10000);
    cr_assert_eq(scene.n_requests, 2, "one is under way");
    scene.pair.hold_answers = false;
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], scene.n_made);
    scene_in_order(1);
    scene_end();
}

/* ---- acks ------------------------------------------------------------------------------- */

Test(producer, acks_0_is_delivered_when_written_and_has_no_offset)
{
    static const char *const none[] = {"linger.ms=0", "acks=0", "enable.idempotence=false", NULL};
    scene_begin(usual, none, 1);
    scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 1000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 1);
    cr_assert_eq(scene.offset[0], -1);
    cr_assert_eq(scene.seen[0].acks, 0);
    struct kw_mock_partition_info info;
    cr_assert_eq(kwi_mock_partition(scene.pair.mock, "t", 0, &info), 0);
    cr_assert_eq(info.end_offset, 1);
    scene_end();
}

Test(producer, acks_0_cut_off_while_it_is_written_is_unknown_and_not_sent_again)
{
    static const char *const none[] = {"linger.ms=0", "acks=0", "enable.idempotence=false", NULL};
    scene_begin(usual, none, 1);
    scene_make(0, 10);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 1000));
    scene.pair.hold_writes = true;
    scene.pair.take_max = 50;
    scene_make(0, 100);
    sim_pair_step(&scene.pair, 0);
    sim_pair_step(&scene.pair, 10000);
    for (uint32_t i = 0; i < scene.pair.n_conns; i++)
        sim_pair_break(&scene.pair, scene.pair.conns[i]);
    scene.pair.hold_writes = false;
    scene.pair.take_max = SIZE_MAX;
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_UNKNOWN], 1);
    cr_assert_eq(scene.n_requests, 1);
    scene_end();
}

Test(producer, acks_1_says_that_only_the_leader_has_it)
{
    static const char *const leader[] = {"linger.ms=0", "acks=1", "enable.idempotence=false", NULL};
    scene_begin(usual, leader, 1);
    scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 1000));
    cr_assert_eq(scene.offset[0], 0);
    cr_assert_eq(scene.flags, KW_REPORT_LEADER_ONLY);
    cr_assert_eq(scene.seen[0].acks, 1);
    scene_end();
}

/* ---- many partitions ---------------------------------------------------------------------- */

Test(producer, a_request_carries_many_partitions)
{
    enum { MANY = 40 };
    scene_begin(usual, small, MANY);
    scene_warm_up(MANY);
    scene.n_requests = 0;
    for (int32_t i = 0; i < MANY; i++)
        scene_make(i, 400);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 10000));
    cr_assert_leq(scene.n_requests, 12, "%d partitions in %u requests", MANY, scene.n_requests);
    scene_in_order(MANY);
    scene_end();
}

/* Where a request holds one batch, partitions take turns. */
Test(producer, no_partition_waits_for_the_backlog_of_a_busy_one)
{
    enum { MANY = 40 };
    static const char *const one_each[] = {"linger.ms=0", "batch.size=1000",
                                           "max.request.size=1100", NULL};
    scene_begin(usual, one_each, MANY);
    scene_warm_up(MANY);
    uint32_t from = scene.n_seen;
    scene.pair.hold_answers = true;
    for (int i = 0; i < 400; i++) /* 200 batches */
        scene_make(0, 400);
    for (int i = 0; i < 20; i++)
        sim_pair_step(&scene.pair, 1000);
    for (int32_t i = 1; i < MANY; i++)
        scene_make(i, 400);
    for (int i = 0; i < 20; i++) /* all are sealed */
        sim_pair_step(&scene.pair, 1000);
    scene.pair.hold_answers = false;
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 10000));
    scene_in_order(MANY);
    uint32_t n_others = 0, n_busy = 0;
    for (uint32_t i = from; n_others < MANY - 1; i++) {
        n_busy += scene.seen[i].partition == 0;
        n_others += scene.seen[i].partition != 0;
    }
    /* Five were under way before, and then it has its turn like the others. */
    cr_assert_leq(n_busy, 5 + 4, "%u batches of it went before the others", n_busy);
    scene_end();
}

/* ---- answers that are wrong ------------------------------------------------------------- */

Test(producer, an_answer_for_partitions_not_asked_for_or_twice_counts_each_batch_once)
{
    scene_begin(usual, quick, 3);
    scene_fault("produce:*:unasked");
    scene_fault("produce:*:twice");
    for (int i = 0; i < 60; i++)
        scene_make(i % 3, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 60);
    scene_in_order(3);
    scene_end();
}

Test(producer, a_partition_left_out_of_the_answer_is_tried_again_and_is_there_once)
{
    scene_begin(usual, quick, 3);
    scene_fault("produce:1-2:omit:partition=1");
    for (int i = 0; i < 60; i++)
        scene_make(i % 3, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 60);
    struct kw_mock_partition_info info;
    cr_assert_eq(kwi_mock_partition(scene.pair.mock, "t", 1, &info), 0);
    cr_assert_eq(info.end_offset, 20, "doubled, or lost");
    scene_end();
}

Test(producer, retries_end_at_the_delivery_timeout_and_what_may_be_there_is_unknown)
{
    static const char *const brief[] = {"linger.ms=0", "delivery.timeout.ms=1500", NULL};
    scene_begin(usual, brief, 2);
    scene_fault("produce:*:error=19:partition=0");       /* NOT_ENOUGH_REPLICAS: not appended */
    scene_fault("produce:*:error-after=20:partition=1"); /* the same, after it was */
    scene_make(0, 100);
    scene_make(1, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_eq(scene.n_of[KW_NOT_WRITTEN] + scene.n_of[KW_UNKNOWN], 2);
    cr_assert_geq(scene.n_of[KW_UNKNOWN], 1);
    cr_assert_gt(scene.n_requests, 5, "it was tried again until then");
    scene_end();
}

/* ---- reports, flush, purge ---------------------------------------------------------------- */

/* It asks for its leader behind a growing backoff, however small the first, and goes as
 * soon as an answer names one. */
Test(producer, a_partition_without_a_leader_is_no_reason_to_be_awake)
{
    static const char *const hasty[] = {"retry.backoff.ms=1", "retry.backoff.max.ms=10000",
                                        "metadata.max.age.ms=1000", NULL};
    static const char *const own[] = {"linger.ms=0", "delivery.timeout.ms=60000", NULL};
    bool never = false;
    uint64_t steps;
    scene_begin(hasty, own, 1);
    scene_warm_up(1);
    cr_assert_eq(kwi_mock_set_leader(scene.pair.mock, "t", 0, -1), 0);
    scene_make(0, 10);
    sim_pair_run(&scene.pair, &never, 5000);
    steps = scene.pair.n_steps;
    sim_pair_run(&scene.pair, &never, 20000);
    steps = scene.pair.n_steps - steps;
    cr_expect_lt(steps, 200, "%lu steps in 20 s", (unsigned long)steps);
    cr_assert_eq(kwi_mock_set_leader(scene.pair.mock, "t", 0, 0), 0);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 13000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 2);
    scene_end();
}

Test(producer, one_report_covers_the_records_of_a_chunk)
{
    static const char *const linger[] = {"linger.ms=5", NULL};
    scene_begin(usual, linger, 1);
    for (int i = 0; i < 100; i++)
        scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    cr_assert_leq(scene.n_reports, 2, "%u reports of 100 records", scene.n_reports);
    scene_in_order(1);
    scene_end();
}

Test(producer, failures_only_tells_of_failures_alone_and_the_sum_matches)
{
    static const char *const failures[] = {"linger.ms=5", "delivery.report.only.error=true", NULL};
    bool never = false;
    struct kw_stats stats;
    scene_begin(usual, failures, 2);
    scene_fault("produce:*:error=10:partition=1");
    for (int i = 0; i < 100; i++)
        scene_make(i % 2, 100);
    sim_pair_run(&scene.pair, &never, 1000);
    cr_assert_eq(scene.n_of[KW_NOT_WRITTEN], 50);
    cr_assert_eq(scene.n_of[KW_DELIVERED], 0);
    kw_core_stats(scene.pair.core, &stats);
    cr_assert_eq(stats.records_delivered + scene.n_reported, 100);
    scene_end();
}

Test(producer, flush_sends_without_linger_and_ends_when_all_was_reported)
{
    static const char *const patient[] = {"linger.ms=60000", "delivery.timeout.ms=120000", NULL};
    scene_begin(usual, patient, 1);
    scene_make(0, 100);
    sim_pair_step(&scene.pair, 0);
    sim_pair_step(&scene.pair, 5000000);
    cr_assert_eq(scene.n_requests, 0);
    scene.pair.hold_answers = true;
    cr_assert_not_null(kw_core_flush(scene.producer, 100, NULL));
    for (int i = 0; i < 20; i++)
        sim_pair_step(&scene.pair, 10000);
    cr_assert_eq(scene.n_ops, 1);
    cr_assert_eq(scene.op_code, KW_ERR_TIMEOUT);
    scene.pair.hold_answers = false;
    cr_assert_not_null(kw_core_flush(scene.producer, 30000, NULL));
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    sim_pair_settle(&scene.pair);
    cr_assert_eq(scene.n_ops, 2);
    cr_assert_eq(scene.op_code, 0);
    scene_end();
}

/* ---- without linger, behind a full window ------------------------------------------------ */

/* Five requests under way, a batch that waits for the sixth, and 24 records behind it. */
static void scene_behind(const char *const *own)
{
    memset(&scene, 0, sizeof(scene));
    scene_begin(usual, own, 1);
    scene_warm_up(1);
    scene.pair.hold_answers = true;
    for (int i = 0; i < 30; i++) {
        scene_make(0, 100);
        sim_pair_step(&scene.pair, 0);
        sim_pair_step(&scene.pair, 1000);
    }
    cr_assert_eq(scene.n_requests, 6);
    cr_assert_eq(kw_core_producer_outstanding(scene.producer), 30);
    cr_assert_neq(kw_core_deadline(scene.pair.core), 0, "there is nothing to do");
}

Test(producer, what_cannot_be_sent_yet_shares_a_batch)
{
    scene_behind(quick);
    scene.pair.hold_answers = false;
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 31);
    cr_assert_eq(scene.n_requests, 8, "24 records came in %u requests", scene.n_requests - 7);
    scene_in_order(1);
    scene_end();
}

Test(producer, what_cannot_be_sent_yet_is_flushed_as_anything_else)
{
    scene_behind(quick);
    cr_assert_not_null(kw_core_flush(scene.producer, 30000, NULL));
    scene.pair.hold_answers = false;
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    sim_pair_settle(&scene.pair);
    cr_assert_eq(scene.n_ops, 1);
    cr_assert_eq(scene.op_code, 0);
    cr_assert_eq(scene.n_of[KW_DELIVERED], 31);
    scene_end();
}

Test(producer, what_cannot_be_sent_yet_can_be_purged_expires_and_dies_with_its_client)
{
    static const char *const brief[] = {"linger.ms=0", "delivery.timeout.ms=1500", NULL};
    bool never = false;

    scene_behind(quick);
    cr_assert_eq(kw_core_purge(scene.producer), 0);
    sim_pair_run(&scene.pair, &never, 100);
    cr_assert_eq(scene.n_of[KW_NOT_WRITTEN], 25);
    cr_assert_eq(kw_core_producer_outstanding(scene.producer), 5);
    scene.pair.hold_answers = false;
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    scene_end();

    scene_behind(brief);
    sim_pair_run(&scene.pair, &never, 3000);
    cr_assert_eq(scene.n_of[KW_NOT_WRITTEN], 25);
    cr_assert_eq(scene.n_of[KW_UNKNOWN], 5);
    scene_end();

    scene_behind(quick);
    scene_end();
}

static void make_one_more(const struct kw_report *report)
{
    if (scene.n_made < 50)
        scene_make(report->partition, 100);
}

Test(producer, a_record_may_be_produced_while_a_report_is_handled)
{
    scene_begin(usual, quick, 1);
    scene.on_report = make_one_more;
    scene_make(0, 100);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    cr_assert_eq(scene.n_made, 50);
    scene_in_order(1);
    scene_end();
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* One producer fills the reserve; another one, which has nothing under way, is told when
 * there is room again. */
Test(producer, memory_that_one_lets_go_of_is_told_to_the_others)
{
    static const char *const poor[] = {"memory.limit=40000000", "control.memory=8000000",
                                       "buffer.memory=1200000", NULL};
    struct kw_record record = {.value = {"v", 1}, .flags = KW_REC_PARTITION};
    struct kw_producer *other;
    struct kw_topic *topic;
    struct kw_error err;
    int rc = 0;
    scene_begin(poor, quick, 1);
    scene_warm_up(1);
    cr_assert_eq(kw_core_producer_create(&other, scene.pair.core, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_core_topic_open(&topic, other, "t", NULL), 0);
    sim_pair_settle(&scene.pair);
    scene.pair.hold_answers = true;
    while (rc == 0) {
        rc = scene_try(0, 10000);
        sim_pair_settle(&scene.pair);
    }
    cr_assert_eq(rc, KW_ERR_WOULD_BLOCK, "%s", kw_err_name(rc));
    cr_assert_eq(kw_core_produce(topic, &record), KW_ERR_WOULD_BLOCK);
    scene.writable = NULL;
    scene.pair.hold_answers = false;
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    sim_pair_settle(&scene.pair);
    cr_assert_eq(scene.writable, other, "the second one, which is told last");
    cr_assert_geq(kw_core_produce(topic, &record), 0);
    scene_end();
}

/* The least buffer.memory that the configuration takes must be enough for the
 * largest record, again and again. */
Test(producer, the_least_memory_is_enough_for_the_largest_record)
{
    static const char *const own[] = {"linger.ms=0", "batch.size=16384", "max.request.size=1000000",
                                      NULL};
    static const char *const poor[] = {"request.timeout.ms=1000", "memory.limit=40000000",
                                       "control.memory=8000000", "buffer.memory=1081920", NULL};
    bool never = false;
    scene_begin(poor, own, 1);
    for (int i = 0; i < 6; i++) {
        int rc = KW_ERR_WOULD_BLOCK;
        for (int k = 0; k < 300 && rc == KW_ERR_WOULD_BLOCK; k++) {
            rc = scene_try(0, i % 2 ? 100 : 999000);
            if (rc)
                sim_pair_run(&scene.pair, &never, 10);
        }
        cr_assert_eq(rc, 0, "record %d: %s", i, kw_err_name(rc));
    }
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 5000));
    scene_end();
}
