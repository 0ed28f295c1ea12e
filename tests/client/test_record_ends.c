/* Records that end before their batch: deadlines of their own, cancel. What was offered
 * is never taken back.
 *
 * covers: P16 */
#include <string.h>

#include "base/bytes.h"
#include "client/producer.h"
#include "proto/batch.h"
#include "proto/record.h"
#include "tests/client/make_bed.h"
#include <kwire/codec.h>

static const char *const patient[] = {"linger.ms=20", "delivery.timeout.ms=60000", NULL};
static const char *const packed[] = {"linger.ms=20", "delivery.timeout.ms=60000",
                                     "compression.type=gzip", NULL};

/* The numbers in the log of partition 0, as make_try wrote them, in order. */
static uint32_t in_log[MAKE_RECORDS];
static uint32_t read_log(void)
{
    struct kw_mock_batch batch;
    int64_t offset = 0;
    uint32_t n = 0;
    while (kwi_mock_log(mbed.pair.mock, "t", 0, &offset, &batch)) {
        const uint8_t *at = batch.ptr + KWI_BATCH_HEADER, *end = batch.ptr + batch.len;
        struct kw_record_view view;
        while (at != end) {
            at = kwi_record_get(at, end, &view);
            cr_assert_not_null(at);
            cr_assert_lt(n, MAKE_RECORDS);
            memcpy(&in_log[n++], view.value, 4);
        }
    }
    return n;
}

/* The log has exactly what was reported as delivered, in its order. */
static void check_log(void)
{
    uint32_t n = read_log(), k = 0;
    for (uint32_t i = 0; i < mbed.n_made; i++) {
        const struct make_fate *fate = &mbed.fates[i];
        cr_assert(fate->told, "record %u", i);
        if (fate->outcome != KW_DELIVERED)
            continue;
        cr_assert_lt(k, n);
        cr_assert_eq(in_log[k], i, "record %u stands where %u belongs", in_log[k], i);
        cr_assert_eq(fate->offset, k);
        k++;
    }
    cr_assert_eq(n, k, "there is more in the log than was delivered");
}

static void start(const char *const *settings)
{
    make_start(1, 1, settings);
    make(0, 10);
    make_settle();
}

static void cut_off(void)
{
    mbed.pair.refuse = true;
    for (uint32_t i = 0; i < mbed.pair.n_conns; i++)
        sim_pair_break(&mbed.pair, mbed.pair.conns[i]);
}

/* ---- deadlines ---------------------------------------------------------------------------- */

static uint64_t told_us[MAKE_RECORDS];
static void note_time(const struct kw_report *report)
{
    for (uint32_t i = 0; i < report->n; i++)
        told_us[(uintptr_t)kw_report_opaque(report, i) - 1] = mbed.pair.now.mono_us;
}

/* The broker is away for 10 s. Records with a second or two end in time, whatever lies
 * around them; the others are delivered, in order. */
static void outage(const char *const *settings)
{
    start(settings);
    mbed.on_report = note_time;
    cut_off();
    uint64_t from_us = mbed.pair.now.mono_us;
    for (uint32_t i = 1; i < 200; i++) {
        mbed.timeout_ms = i % 5 == 1 ? 1000 : i % 7 == 2 ? 2000 : 0;
        make(0, 100);
        if (i % 10 == 0)
            sim_pair_step(&mbed.pair, 5000);
    }
    make_run(5000);
    for (uint32_t i = 1; i < 200; i++) {
        uint32_t timeout_ms = i % 5 == 1 ? 1000 : i % 7 == 2 ? 2000 : 0;
        cr_assert_eq(mbed.fates[i].told, timeout_ms != 0, "record %u", i);
        if (!timeout_ms)
            continue;
        cr_assert_eq(mbed.fates[i].outcome, KW_NOT_WRITTEN);
        cr_assert_eq(mbed.fates[i].code, KW_ERR_TIMEOUT);
        cr_assert_geq(told_us[i] - from_us, timeout_ms * 1000, "record %u is early", i);
        cr_assert_leq(told_us[i] - from_us, timeout_ms * 1000 + 250000, "record %u is late", i);
    }
    make_run(5000);
    mbed.pair.refuse = false;
    mbed.timeout_ms = 0;
    make(0, 10);
    make_settle();
    if (settings == patient)
        check_log();
    else
        cr_assert_eq(make_log_end(0), mbed.n_of[KW_DELIVERED]);
    make_stop();
}

Test(record_ends, a_deadline_ends_its_record_and_no_other)
{
    outage(patient);
}

Test(record_ends, a_deadline_ends_its_record_in_a_compressed_batch)
{
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("this build has no gzip");
    outage(packed);
}

/* Under way when the deadline comes: the answer decides. */
Test(record_ends, a_deadline_that_comes_too_late_changes_nothing)
{
    start(patient);
    mbed.timeout_ms = 100;
    mbed.pair.hold_answers = true;
    for (int i = 0; i < 10; i++)
        make(0, 100);
    make_run(500);
    cr_assert_eq(mbed.n_told, 1, "what may be in the log was given up");
    mbed.pair.hold_answers = false;
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 11);
    check_log();
    make_stop();
}

/* It was offered once, so it may be in the log, though it waits again. */
Test(record_ends, a_deadline_does_not_touch_what_was_offered_once)
{
    start(patient);
    make_fault("produce:1:drop-answer");
    mbed.timeout_ms = 1500;
    make(0, 100);
    sim_pair_step(&mbed.pair, 30000);
    make_run(100);
    cut_off();
    make_run(5000);
    cr_assert_eq(mbed.n_told, 1);
    mbed.pair.refuse = false;
    make_settle();
    cr_assert_eq(mbed.fates[1].outcome, KW_DELIVERED);
    check_log();
    make_stop();
}

/* More deadlines than a batch holds: it is full by that. */
Test(record_ends, a_batch_is_full_when_its_deadlines_are)
{
    static const char *const long_linger[] = {"linger.ms=2000", "delivery.timeout.ms=60000", NULL};
    start(long_linger);
    for (uint32_t i = 0; i < 100; i++) {
        mbed.timeout_ms = 10000 + i;
        make(0, 10);
    }
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 101);
    cr_assert_geq(mbed.n_sights, 3);
    check_log();
    make_stop();
}

/* Found by a review: such records looked as if they joined the entry of the one before the
 * last, and deadlines were written behind their block. */
Test(record_ends, deadlines_between_records_without_one_do_not_outgrow_their_block)
{
    static const char *const long_linger[] = {"linger.ms=2000", "delivery.timeout.ms=60000", NULL};
    start(long_linger);
    for (uint32_t i = 0; i < 200; i++) {
        mbed.timeout_ms = i % 2 ? 5000 : 0;
        make(0, 10);
    }
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 201);
    cr_assert_geq(mbed.n_sights, 3);
    check_log();
    make_stop();
}

/* ---- cancel -------------------------------------------------------------------------------- */

Test(record_ends, a_record_that_waits_is_cancelled_and_the_others_go)
{
    static struct kw_record_ref refs[30];
    start(patient);
    for (uint32_t i = 0; i < 30; i++) {
        mbed.ref = &refs[i];
        make(0, 100);
    }
    cr_assert_eq(kw_core_record_cancel(&refs[0]), 0, "the first of the open batch");
    cr_assert_eq(kw_core_record_cancel(&refs[0]), KW_ERR_STATE);
    cr_assert_eq(kw_core_record_cancel(&refs[29]), 0, "the last");
    cr_assert_eq(kw_core_record_cancel(&refs[14]), 0, "one in between");
    cr_assert_eq(kw_core_record_cancel(&refs[15]), 0, "the one beside it");
    make_settle();
    for (uint32_t i = 0; i < 30; i++) {
        bool is_gone = i == 0 || i == 14 || i == 15 || i == 29;
        cr_assert_eq(mbed.fates[i + 1].outcome, is_gone ? KW_NOT_WRITTEN : KW_DELIVERED, "%u", i);
        cr_assert_eq(mbed.fates[i + 1].code, is_gone ? KW_ERR_CANCELED : 0);
        cr_assert_eq(kw_core_record_cancel(&refs[i]), KW_ERR_STATE, "it has its outcome");
    }
    check_log();
    make_stop();
}

/* A batch that is compressed already and cannot be cut for want of memory stays as it is. */
Test(record_ends, what_could_not_be_cut_is_not_compressed_twice)
{
    static const char *const lz4[] = {"linger.ms=20", "delivery.timeout.ms=60000",
                                      "compression.type=lz4", "batch.size=1000000", NULL};
    static struct kw_record_ref refs[400];
    struct kw_start from = {"t", 0, KW_START_EARLIEST, 0};
    struct kw_consumer *consumer;
    struct kw_records *records;
    uint32_t n_read = 0;
    int rc = KW_ERR_NOMEM;
    if (!kw_codec_by_id(KW_CODEC_LZ4))
        return;
    start(lz4);
    cut_off();
    for (uint32_t i = 0; i < 400; i++) {
        mbed.ref = &refs[i];
        make(0, 1000);
    }
    mbed.ref = NULL;
    make_run(200); /* it is compressed by now */
    for (uint64_t n = 0; n < 20 && rc == KW_ERR_NOMEM; n++) {
        mbed.pair.memory.fail_from = mbed.pair.memory.n_allocs + n;
        mbed.pair.memory.fail_to = SIZE_MAX;
        rc = kw_core_record_cancel(&refs[140]);
        mbed.pair.memory.fail_from = SIZE_MAX;
        make_run(5);
    }
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
    mbed.pair.refuse = false;
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 400);
    cr_assert_eq(kw_core_consumer_create(&consumer, mbed.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_assign(consumer, &from, 1, NULL), 0);
    for (int i = 0; i < 100 && n_read < 400; i++) {
        make_run(10);
        while (kw_core_consumer_poll(consumer, &records, 0) == 1) {
            while (kw_records_next(records))
                n_read++;
            kw_core_records_release(records, KW_DONE);
        }
    }
    cr_assert_eq(n_read, 400, "%s", mbed.error.text);
    make_stop();
}

Test(record_ends, a_record_in_flight_cannot_be_cancelled_and_is_told)
{
    struct kw_record_ref ref;
    start(patient);
    mbed.ref = &ref;
    mbed.pair.hold_answers = true;
    make(0, 100);
    make_run(100);
    cr_assert_eq(mbed.n_requests, 2);
    cr_assert_eq(kw_core_record_cancel(&ref), KW_ERR_IN_FLIGHT);
    mbed.pair.hold_answers = false;
    make_fault("produce:1:close-before");
    make_settle();
    cr_assert_eq(mbed.fates[1].outcome, KW_DELIVERED);
    ref.partition = 7;
    cr_assert_eq(kw_core_record_cancel(&ref), KW_ERR_USE);
    cr_assert_eq(kw_core_record_cancel(NULL), KW_ERR_USE);
    make_stop();
}

/* Cancels and deadlines at random moments, with brokers that come and go: each record
 * ends once, and the log is what was reported. */
static uint32_t n_cancelled, n_in_flight, n_expired;
static void chaos(uint32_t seed, const char *const *settings, bool reads_log)
{
    static struct kw_record_ref refs[600];
    start(settings);
    make_fault("produce:/2:delay=50");
    make_fault("produce:/7:drop-answer");
    for (uint32_t i = 0; i < 600; i++) {
        seed = seed * 1103515245 + 12345;
        uint32_t dice = seed >> 16;
        mbed.ref = &refs[i];
        mbed.timeout_ms = dice % 3 ? 0 : 1 + dice % 700;
        make(0, 60 + dice % 300);
        if (dice % 11 == 0) {
            int rc = kw_core_record_cancel(&refs[i - dice / 11 % (i < 8 ? i + 1 : 8)]);
            cr_assert(rc == 0 || rc == KW_ERR_STATE || rc == KW_ERR_IN_FLIGHT ||
                          rc == KW_ERR_WOULD_BLOCK,
                      "%s", kw_err_name(rc));
            n_cancelled += rc == 0;
            n_in_flight += rc == KW_ERR_IN_FLIGHT;
        }
        if (dice % 5 == 0)
            sim_pair_step(&mbed.pair, dice % 60000);
        if (dice % 97 == 1)
            cut_off();
        if (dice % 53 == 2)
            mbed.pair.refuse = false;
    }
    mbed.pair.refuse = false;
    mbed.ref = NULL;
    make_settle();
    for (uint32_t i = 0; i < mbed.n_made; i++)
        n_expired += mbed.fates[i].code == KW_ERR_TIMEOUT;
    if (reads_log)
        check_log();
    else
        cr_assert_eq(make_log_end(0), mbed.n_of[KW_DELIVERED]);
    make_stop();
}

Test(record_ends, each_record_ends_once_whatever_takes_it_out)
{
    static const char *const tiny[] = {"linger.ms=5", "batch.size=2000",
                                       "delivery.timeout.ms=60000", NULL};
    for (uint32_t seed = 1; seed <= 8; seed++) {
        chaos(seed, patient, true);
        chaos(seed, tiny, true);
        if (kw_codec_by_id(KW_CODEC_GZIP))
            chaos(seed, packed, false);
    }
    cr_assert_gt(n_cancelled, 30, "%u", n_cancelled);
    cr_assert_gt(n_in_flight, 20, "%u", n_in_flight);
    cr_assert_gt(n_expired, 100, "%u", n_expired);
}

/* ---- latency, hooks of the outcome --------------------------------------------------------- */

static uint64_t latency_us, latency_n;
static void note_latency(const struct kw_report *report)
{
    latency_us = report->latency_us;
    latency_n += report->n;
}

Test(record_ends, a_report_says_how_long_it_took)
{
    start(patient);
    mbed.on_report = note_latency;
    make_fault("produce:1:delay=300");
    make(0, 10);
    make_settle();
    cr_assert_geq(latency_us, 320000, "%lu", (unsigned long)latency_us);
    cr_assert_leq(latency_us, 330000, "%lu", (unsigned long)latency_us);
    make_stop();
}

/* ---- until it is delivered ------------------------------------------------------------------ */

/* Ten days without a broker, and memory for 2 MB: what was accepted is delivered, in
 * order, and what did not fit was refused. */
Test(record_ends, without_a_delivery_timeout_records_outlive_any_outage)
{
    static const char *const for_ever[] = {"linger.ms=5", "delivery.timeout.ms=0", NULL};
    static const char *const little[] = {"request.timeout.ms=1000",
                                         "retry.backoff.ms=1000",
                                         "retry.backoff.max.ms=7200000",
                                         "reconnect.backoff.ms=1000",
                                         "reconnect.backoff.max.ms=7200000",
                                         "metadata.max.age.ms=7200000",
                                         "memory.limit=40000000",
                                         "control.memory=8000000",
                                         "buffer.memory=2000000",
                                         "metadata.recovery.strategy=none",
                                         NULL};
    unsigned n_refused = 0;
    make_start_of(&(struct kw_mock_config){.n_brokers = 1}, 1, little, for_ever);
    make(0, 10);
    make_settle();
    cut_off();
    for (int day = 0; day < 10; day++) {
        for (int i = 0; i < 30; i++) {
            int rc = make_try(0, 10000);
            cr_assert(rc == 0 || rc == KW_ERR_WOULD_BLOCK, "%s", kw_err_name(rc));
            n_refused += rc != 0;
        }
        make_run(86400000);
    }
    cr_assert_gt(n_refused, 100, "memory without bound");
    cr_assert_gt(mbed.n_made, 30, "%u", mbed.n_made);
    cr_assert_eq(mbed.n_told, 1, "given up");
    mbed.pair.refuse = false;
    make_run(15000000);
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], mbed.n_made);
    check_log();
    make_stop();
}

/* ---- flush ---------------------------------------------------------------------------------- */

static char flush_text[192];
static void note_op(const struct kw_event *event)
{
    if (event->kind == KW_EVENT_OP_DONE && event->error)
        memcpy(flush_text, event->error->text, sizeof(flush_text));
}

Test(record_ends, a_flush_that_is_late_says_how_many_remain)
{
    start(patient);
    mbed.on_event = note_op;
    mbed.pair.hold_answers = true;
    for (int i = 0; i < 17; i++)
        make(0, 10);
    cr_assert_not_null(kw_core_flush(mbed.producer, 200, NULL));
    make_run(500);
    cr_assert_eq(mbed.op_code, KW_ERR_TIMEOUT);
    cr_assert_not_null(strstr(flush_text, "17 records"), "%s", flush_text);
    cr_assert_eq(kw_producer_outstanding(mbed.producer), 17);
    mbed.pair.hold_answers = false;
    make_settle();
    make_stop();
}
