/* Receipts: each ends once, with sums that match what became of its records;
 * failed ones are told one by one before it, delivered ones are not.
 *
 * covers: P16 I1 */
#include "tests/sim/pair.h"

#include <criterion/criterion.h>
#include <kwire/codec.h>
#include <stdio.h>
#include <string.h>

enum { RECORDS_MAX = 6000, RECEIPTS_MAX = 700, PARTS = 3 };

/* One receipt as the application knows it. */
struct slip {
    struct kw_receipt *receipt; /* NULL from the close on */
    uint32_t n_records, n_failed[3];
    bool ended;
    struct kw_receipt_result result;
};

struct desk {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct slip slips[RECEIPTS_MAX];
    uint32_t n_slips, n_ended;
    uint32_t slip_of[RECORDS_MAX]; /* 1 + index; 0: a record without a receipt */
    uint8_t outcome[RECORDS_MAX];  /* 1 + enum kw_outcome, of those that were reported */
    int64_t offset[RECORDS_MAX];
    uint32_t n_made, n_reported, n_plain, n_plain_reported;
    bool done; /* all slips ended and all plain records were reported */
    int last_code;
    int16_t last_kafka_code;
    void (*on_report)(const struct kw_report *report);
};

static struct desk desk; /* one test a process */

static void desk_report(const struct kw_event *event)
{
    const struct kw_report *report = &event->report;

    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        cr_assert_lt(id, desk.n_made);
        cr_assert_eq(desk.outcome[id], 0, "record %lu reported twice", (unsigned long)id);
        desk.outcome[id] = (uint8_t)(1 + report->outcome);
        desk.offset[id] = report->base_offset < 0 ? -1 : report->base_offset + i;
        struct slip *slip = desk.slip_of[id] ? &desk.slips[desk.slip_of[id] - 1] : NULL;
        cr_assert_eq(event->tag, (void *)slip, "record %lu, another tag", (unsigned long)id);
        cr_assert_eq(report->receipt != NULL, slip != NULL);
        if (!slip) {
            desk.n_plain_reported++;
            continue;
        }
        cr_assert(!slip->ended, "a record was reported behind its receipt");
        cr_assert(slip->receipt == NULL || slip->receipt == report->receipt);
        cr_assert_neq(report->outcome, KW_DELIVERED, "a delivered record has no report");
        slip->n_failed[report->outcome]++;
    }
    desk.n_reported += report->n;
    desk.last_code = report->code;
    desk.last_kafka_code = report->kafka_code;
    if (desk.on_report)
        desk.on_report(report);
}

static void desk_receipt(const struct kw_event *event)
{
    struct slip *slip = event->tag;
    const struct kw_receipt_result *r = &event->receipt;

    cr_assert(slip >= desk.slips && slip < desk.slips + desk.n_slips);
    cr_assert(!slip->ended, "a receipt ended twice");
    cr_assert_null(slip->receipt, "a receipt ended that was not closed");
    cr_assert_eq(event->producer, desk.producer);
    cr_assert_eq(r->delivered + r->not_written + r->unknown, slip->n_records);
    cr_assert_eq(r->not_written, slip->n_failed[KW_NOT_WRITTEN]);
    cr_assert_eq(r->unknown, slip->n_failed[KW_UNKNOWN]);
    cr_assert_eq(r->code == 0, r->delivered == slip->n_records);
    cr_assert_eq(event->code, r->code);
    slip->ended = true;
    slip->result = *r;
    desk.n_ended++;
}

static void desk_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_REPORT)
        desk_report(event);
    if (event->kind == KW_EVENT_RECEIPT)
        desk_receipt(event);
    desk.done = desk.n_ended == desk.n_slips && desk.n_plain_reported == desk.n_plain;
}

static const char *const usual[] = {
    "request.timeout.ms=1000", "retry.backoff.ms=10",          "retry.backoff.max.ms=100",
    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100", "memory.limit=40000000",
    "control.memory=8000000",  "buffer.memory=4000000",        NULL};
static const char *const own[] = {"linger.ms=5", "max.request.size=100000", NULL};

static void desk_begin(const char *const *settings)
{
    struct kw_config *cfg = NULL;
    struct kw_error err;
    bool never = false;
    cr_assert_eq(sim_pair_init(&desk.pair, SIM_MEMORY_PLAIN, 1, PARTS), 0);
    desk.pair.on_event = desk_event;
    cr_assert_eq(sim_pair_core(&desk.pair, usual, NULL), 0);
    cr_assert_eq(sim_pair_config(&desk.pair, &cfg, settings), 0);
    cr_assert_eq(kw_core_producer_create(&desk.producer, desk.pair.core, cfg, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_topic_open(&desk.topic, desk.producer, "t", NULL), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(desk.topic) == 0; i++)
        sim_pair_run(&desk.pair, &never, 20);
    cr_assert_eq(kw_topic_partitions(desk.topic), PARTS);
}

static void desk_end(void)
{
    cr_assert(!desk.pair.broken, "%s", desk.pair.why);
    kw_core_destroy(desk.pair.core);
    desk.pair.core = NULL;
    cr_assert_eq(desk.pair.memory.n_live, 0);
    cr_assert(!desk.pair.memory.damaged);
    sim_pair_deinit(&desk.pair);
}

static struct slip *slip_new(void)
{
    struct slip *slip = &desk.slips[desk.n_slips];
    cr_assert_lt(desk.n_slips, RECEIPTS_MAX);
    int rc = kw_core_receipt_create(&slip->receipt, desk.producer, slip);
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
    desk.n_slips++;
    desk.done = false;
    return slip;
}

static void slip_close(struct slip *slip)
{
    struct kw_receipt *receipt = slip->receipt;
    slip->receipt = NULL;
    cr_assert_eq(kw_core_receipt_close(receipt), 0);
}

/* One record of `len` bytes; slip NULL: without a receipt. Returns produce's code. */
static int desk_try(struct slip *slip, int32_t partition, size_t len)
{
    static uint8_t value[200000];
    struct kw_record record = {.value = {value, len},
                               .flags = KW_REC_PARTITION,
                               .partition = partition,
                               .opaque = (void *)(uintptr_t)(desk.n_made + 1),
                               .receipt = slip ? slip->receipt : NULL};
    cr_assert_lt(desk.n_made, RECORDS_MAX);
    int rc = kw_core_produce(desk.topic, &record);
    if (rc < 0)
        return rc;
    desk.slip_of[desk.n_made++] = slip ? (uint32_t)(slip - desk.slips) + 1 : 0;
    if (slip)
        slip->n_records++;
    else
        desk.n_plain++;
    desk.done = false;
    return 0;
}

static void desk_make(struct slip *slip, int32_t partition, size_t len)
{
    int rc = desk_try(slip, partition, len);
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
}

static void desk_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = NULL;
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s", why);
    cr_assert_eq(kwi_mock_fault_add(desk.pair.mock, &fault, NULL), 0);
}

/* ---- delivered ------------------------------------------------------------------------- */

Test(receipts, a_receipt_ends_once_with_the_count_and_its_records_have_no_report)
{
    desk_begin(own);
    struct slip *slip = slip_new();
    for (int i = 0; i < 300; i++)
        desk_make(slip, i % PARTS, 100);
    slip_close(slip);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    cr_assert_eq(slip->result.delivered, 300);
    cr_assert_eq(slip->result.flags, 0);
    cr_assert_eq(desk.n_reported, 0);
    sim_pair_step(&desk.pair, 1000000);
    cr_assert_eq(desk.n_ended, 1);
    desk_end();
}

Test(receipts, one_without_records_ends_as_soon_as_it_is_closed)
{
    desk_begin(own);
    struct slip *slip = slip_new();
    sim_pair_step(&desk.pair, 1000);
    cr_assert_eq(desk.n_ended, 0);
    slip_close(slip);
    sim_pair_settle(&desk.pair);
    cr_assert_eq(desk.n_ended, 1);
    desk_end();
}

Test(receipts, one_that_is_open_does_not_end_and_may_take_more_records)
{
    desk_begin(own);
    struct slip *slip = slip_new();
    for (int round = 0; round < 3; round++) {
        desk_make(slip, round, 100);
        sim_pair_step(&desk.pair, 0);
        sim_pair_step(&desk.pair, 1000000);
        cr_assert_eq(desk.n_ended, 0);
    }
    struct kw_stats stats;
    kw_core_stats(desk.pair.core, &stats);
    cr_assert_eq(stats.records_delivered, 3);
    slip_close(slip);
    sim_pair_settle(&desk.pair);
    cr_assert_eq(slip->result.delivered, 3);
    desk_end();
}

/* Batches of many chunks in which receipts, two of them and none, follow each
 * other in runs of all lengths: each plain record's report has its own opaque
 * and its own offset. */
Test(receipts, reports_of_records_between_receipts_have_their_own_opaque_and_offset)
{
    static const char *const large[] = {"linger.ms=50", "batch.size=200000",
                                        "max.request.size=300000", NULL};
    uint32_t next[PARTS] = {0};
    desk_begin(large);
    struct slip *slips[2] = {slip_new(), slip_new()};
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t run = (i / (1 + i / 100)) % 3; /* runs get longer */
        desk_make(run < 2 ? slips[run] : NULL, (int32_t)(i % PARTS), i % 71 ? i % 50 : 3000);
    }
    slip_close(slips[0]);
    slip_close(slips[1]);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    cr_assert_gt(desk.n_plain, 100);
    for (uint32_t i = 0; i < desk.n_made; i++) {
        if (!desk.slip_of[i])
            cr_assert_eq(desk.offset[i], next[i % PARTS], "record %u at %lld", i,
                         (long long)desk.offset[i]);
        next[i % PARTS]++;
    }
    desk_end();
}

Test(receipts, every_record_may_have_a_receipt_of_its_own)
{
    desk_begin(own);
    for (int i = 0; i < 600; i++) {
        struct slip *slip = slip_new();
        desk_make(slip, 0, 10);
        slip_close(slip);
    }
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    cr_assert_eq(desk.n_reported, 0);
    struct kw_stats stats;
    kw_core_stats(desk.pair.core, &stats);
    cr_assert_lt(stats.batches, 10, "they shared batches");
    desk_end();
}

Test(receipts, a_receipt_counts_when_failures_only_are_reported)
{
    static const char *const failures[] = {"delivery.report.only.error=true", "linger.ms=5", NULL};
    desk_begin(failures);
    struct slip *slip = slip_new();
    desk_make(slip, 0, 100);
    desk_make(NULL, 0, 100);
    slip_close(slip);
    cr_assert(!sim_pair_run(&desk.pair, &desk.done, 500), "a delivered record was reported");
    cr_assert_eq(slip->result.delivered, 1);
    cr_assert_eq(desk.n_reported, 0);
    desk_end();
}

Test(receipts, the_flags_of_acks_1_come_with_the_receipt)
{
    static const char *const leader[] = {"acks=1", "enable.idempotence=false", "linger.ms=5", NULL};
    desk_begin(leader);
    desk_fault("produce:1:close-after");
    struct slip *slip = slip_new();
    desk_make(slip, 0, 100);
    slip_close(slip);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    cr_assert_eq(slip->result.delivered, 1);
    cr_assert_eq(slip->result.flags, KW_REPORT_LEADER_ONLY | KW_REPORT_MAYBE_DUPLICATE);
    desk_end();
}

/* ---- failed ------------------------------------------------------------------------------ */

Test(receipts, a_retry_that_succeeds_is_nobody_s_business)
{
    desk_begin(own);
    desk_fault("produce:1-2:error=6");
    desk_fault("produce:3:drop-answer");
    struct slip *slip = slip_new();
    for (int i = 0; i < 30; i++)
        desk_make(slip, i % PARTS, 100);
    slip_close(slip);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 20000));
    cr_assert_eq(slip->result.delivered, 30);
    desk_end();
}

Test(receipts, refused_records_are_told_one_by_one_before_the_receipt)
{
    desk_begin(own);
    desk_fault("produce:*:error=17:partition=1"); /* INVALID_TOPIC */
    struct slip *slip = slip_new(), *other = slip_new();
    for (int i = 0; i < 300; i++)
        desk_make(i % 5 ? slip : i % 2 ? other : NULL, i % PARTS, 100);
    slip_close(slip);
    slip_close(other);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    cr_assert_eq(slip->result.not_written, 80);
    cr_assert_eq(slip->result.delivered, 160);
    cr_assert_eq(slip->result.code, KW_ERR_BROKER);
    cr_assert_eq(slip->result.kafka_code, 17);
    cr_assert_eq(other->result.not_written, 10);
    for (uint32_t i = 0; i < desk.n_made; i++)
        cr_assert_eq(desk.outcome[i] == 1 + KW_NOT_WRITTEN, i % PARTS == 1);
    desk_end();
}

Test(receipts, compressed_batches_that_fail_keep_the_opaques_of_their_records)
{
    static const char *const packed[] = {"compression.type=gzip", "linger.ms=5", NULL};
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("this build has no gzip");
    desk_begin(packed);
    desk_fault("produce:*:error=10");
    struct slip *slip = slip_new();
    for (int i = 0; i < 200; i++)
        desk_make(i % 3 ? slip : NULL, 0, 300);
    slip_close(slip);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    cr_assert_eq(desk.n_reported, 200);
    desk_end();
}

Test(receipts, expired_records_are_not_written_or_unknown_in_their_receipt)
{
    static const char *const brief[] = {"delivery.timeout.ms=1500", "request.timeout.ms=1000",
                                        "linger.ms=0", NULL};
    desk_begin(brief);
    desk_make(NULL, 0, 100);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 1000));
    struct slip *slip = slip_new();
    desk_make(slip, 0, 100);
    desk.pair.hold_answers = true;
    sim_pair_step(&desk.pair, 0);
    sim_pair_step(&desk.pair, 10000); /* this one is offered */
    desk.pair.refuse = true;
    for (uint32_t i = 0; i < desk.pair.n_conns; i++)
        sim_pair_break(&desk.pair, desk.pair.conns[i]);
    desk_make(slip, 0, 100); /* this one never is */
    slip_close(slip);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 10000));
    cr_assert_eq(slip->result.unknown, 1);
    cr_assert_eq(slip->result.not_written, 1);
    cr_assert_eq(slip->result.code, KW_ERR_TIMEOUT);
    desk_end();
}

Test(receipts, purged_records_are_not_written_and_come_back_without_a_receipt)
{
    desk_begin(own);
    desk.pair.refuse = true;
    for (uint32_t i = 0; i < desk.pair.n_conns; i++)
        sim_pair_break(&desk.pair, desk.pair.conns[i]);
    struct slip *slip = slip_new();
    for (int i = 0; i < 40; i++)
        desk_make(i % 4 ? slip : NULL, 1, 900);
    cr_assert_eq(kw_core_purge(desk.producer), 0);
    sim_pair_step(&desk.pair, 0);
    sim_pair_step(&desk.pair, 1000);
    cr_assert_eq(desk.n_ended, 0, "it is open");
    slip_close(slip);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 1000));
    cr_assert_eq(slip->result.not_written, 30);
    cr_assert_eq(slip->result.code, KW_ERR_CANCELED);
    struct kw_record record;
    uintptr_t n = 0;
    while (kw_core_unsent_next(desk.producer, &record, NULL) == 1) {
        cr_assert_eq((uintptr_t)record.opaque, ++n);
        cr_assert_null(record.receipt);
        cr_assert_eq(record.value.len, 900);
    }
    cr_assert_eq(n, 40);
    desk_end();
}

Test(receipts, after_close_a_receipt_still_ends_and_none_is_made)
{
    struct kw_receipt *late;
    desk_begin(own);
    struct slip *slip = slip_new(), *forgotten = slip_new();
    desk_make(slip, 0, 100);
    cr_assert_not_null(kw_core_close(desk.pair.core, 5000, NULL));
    cr_assert_eq(desk_try(slip, 0, 100), KW_ERR_CLOSED);
    cr_assert_eq(kw_core_receipt_create(&late, desk.producer, NULL), KW_ERR_CLOSED);
    sim_pair_step(&desk.pair, 0);
    for (int i = 0; i < 20; i++)
        sim_pair_step(&desk.pair, 100000);
    cr_assert_eq(desk.n_ended, 0);
    slip_close(slip);
    sim_pair_settle(&desk.pair);
    cr_assert_eq(slip->result.delivered, 1);
    cr_assert(!forgotten->ended);
    desk_end(); /* what was never closed goes too */
}

Test(receipts, a_client_may_be_destroyed_with_receipts_in_every_state)
{
    desk_begin(own);
    struct slip *open = slip_new(), *waiting = slip_new(), *ended = slip_new();
    for (int i = 0; i < 50; i++)
        desk_make(i % 2 ? open : waiting, i % PARTS, 500);
    desk.pair.no_events = true;
    slip_close(waiting);
    slip_close(ended); /* its event is queued */
    sim_pair_step(&desk.pair, 0);
    desk_end();
}

/* ---- handling ------------------------------------------------------------------------------ */

/* What failed is produced again from within the handling of its report, with a
 * receipt that is made there. */
static void produce_again(const struct kw_report *report)
{
    struct slip *again;
    if (report->outcome != KW_NOT_WRITTEN || desk.n_slips > 3)
        return;
    again = slip_new();
    for (uint32_t i = 0; i < report->n; i++)
        desk_make(again, 0, 100);
    slip_close(again);
}

Test(receipts, records_may_be_produced_while_reports_and_receipts_are_handled)
{
    desk_begin(own);
    desk_fault("produce:1:error=17");
    desk.on_report = produce_again;
    struct slip *slip = slip_new();
    for (int i = 0; i < 20; i++)
        desk_make(slip, 0, 100);
    slip_close(slip);
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    cr_assert_eq(slip->result.not_written, 20);
    cr_assert_eq(desk.n_slips, 2);
    cr_assert_eq(desk.slips[1].result.delivered, 20);
    desk_end();
}

Test(receipts, a_closed_receipt_and_one_of_another_producer_are_refused)
{
    struct kw_producer *other;
    struct kw_receipt *receipt, *foreign;
    desk_begin(own);
    cr_assert_eq(kw_core_producer_create(&other, desk.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_receipt_create(&foreign, other, NULL), 0);
    struct slip strange = {.receipt = foreign};
    cr_assert_eq(desk_try(&strange, 0, 10), KW_ERR_USE);
    struct slip *slip = slip_new();
    receipt = slip->receipt;
    desk_make(slip, 0, 10);
    slip_close(slip);
    cr_assert_eq(kw_core_receipt_close(receipt), KW_ERR_STATE);
    slip->receipt = receipt;
    cr_assert_eq(desk_try(slip, 0, 10), KW_ERR_USE);
    slip->receipt = NULL;
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    desk_end();
}

/* ---- memory ---------------------------------------------------------------------------------- */

Test(receipts, the_number_of_receipts_is_bounded_and_records_still_find_room)
{
    struct kw_receipt *first = NULL, *receipt = NULL;
    uint32_t n = 0;
    int rc;
    desk_begin(own);
    while ((rc = kw_core_receipt_create(&receipt, desk.producer, &desk)) == 0) {
        first = first ? first : receipt;
        cr_assert_lt(++n, 4000000 / 8 / 64);
    }
    cr_assert_eq(rc, KW_ERR_LIMIT);
    cr_assert_null(receipt);
    cr_assert_gt(n, 1000);
    for (int i = 0; i < 2000; i++) {
        while (desk_try(NULL, i % PARTS, 5000) == KW_ERR_WOULD_BLOCK)
            sim_pair_step(&desk.pair, 1000);
    }
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 5000));
    desk.pair.on_event = NULL;
    cr_assert_eq(kw_core_receipt_close(first), 0);
    sim_pair_settle(&desk.pair);
    cr_assert_eq(kw_core_receipt_create(&first, desk.producer, NULL), 0, "one ended: room for one");
    desk_end();
}

/* Each allocation from here on fails once, then all do: what was refused was not
 * counted, what was accepted ends. */
static void some_receipts(uint64_t fail_at, bool for_good)
{
    struct sim_memory *memory = &desk.pair.memory;
    memory->fail_from = memory->n_allocs + fail_at;
    memory->fail_to = for_good ? UINT64_MAX : memory->fail_from + 1;
    for (uint32_t i = 0; i < 4; i++) {
        struct slip *slip = &desk.slips[desk.n_slips];
        int rc = kw_core_receipt_create(&slip->receipt, desk.producer, slip);
        cr_assert(rc == 0 || rc == KW_ERR_NOMEM, "%s", kw_err_name(rc));
        desk.n_slips += rc == 0;
    }
    for (uint32_t i = 0; i < 200; i++) {
        struct slip *slip = desk.n_slips ? &desk.slips[i % desk.n_slips] : NULL;
        int rc = desk_try(slip, (int32_t)(i % 2), i % 40 ? 40 : 6000);
        cr_assert(rc == 0 || rc == KW_ERR_NOMEM, "%s", kw_err_name(rc));
    }
    for (uint32_t i = 0; i < desk.n_slips; i++)
        slip_close(&desk.slips[i]);
    for (int i = 0; i < 10; i++)
        sim_pair_step(&desk.pair, 2000);
    sim_memory_heal(memory);
    desk.done = desk.n_ended == desk.n_slips && desk.n_plain_reported == desk.n_plain;
    cr_assert(sim_pair_run(&desk.pair, &desk.done, 20000), "receipts that never end");
}

Test(receipts, any_allocation_may_fail_and_no_record_is_lost_or_counted_twice)
{
    static const char *const slow[] = {"linger.ms=20", "batch.size=8000", "max.request.size=100000",
                                       NULL};
    uint64_t refused = 1;
    for (uint64_t at = 0; refused || at < 3; at++) {
        for (int for_good = 0; for_good < 2; for_good++) {
            memset(&desk, 0, sizeof(desk));
            desk_begin(slow);
            some_receipts(at, for_good);
            refused = desk.pair.memory.n_refused;
            desk_end();
        }
    }
}
