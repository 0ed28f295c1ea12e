/* Batches that the broker finds too large are sent again in halves: the log has each
 * record once, whole, in its order, whatever was under way, and one that is too large by
 * itself is refused with what a person needs to know.
 *
 * covers: P18 P19 */
#include "client/producer.h"
#include "proto/batch.h"
#include "proto/record.h"
#include "tests/sim/pair.h"

#include <criterion/criterion.h>
#include <kwire/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 4000, VALUE_MAX = 40000 };

/* One test a process. */
static struct {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_receipt *receipt;
    struct kw_receipt_result result;
    uint32_t n_made, n_reported, n_of[3], n_in_receipt, n_receipts;
    size_t size[RECORDS_MAX];
    int64_t offset[RECORDS_MAX], time_ms[RECORDS_MAX]; /* by id; time -1: of the append */
    uint8_t outcome[RECORDS_MAX];
    int code;
    int16_t kafka_code;
    bool done;
    char errors[2000];
} mill;

static void mill_event(void *ctx, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    (void)ctx;
    if (event->kind == KW_EVENT_ERROR && strlen(mill.errors) + 300 < sizeof mill.errors) {
        strcat(mill.errors, event->error->text);
        strcat(mill.errors, "|");
        strcat(mill.errors, event->error->hint);
        strcat(mill.errors, "\n");
    }
    if (event->kind == KW_EVENT_RECEIPT) {
        mill.n_receipts++;
        mill.result = event->receipt;
    }
    if (event->kind == KW_EVENT_REPORT) {
        for (uint32_t i = 0; i < report->n; i++) {
            uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
            cr_assert_lt(id, mill.n_made);
            cr_assert_eq(mill.offset[id], -2, "record %lu reported twice", (unsigned long)id);
            mill.offset[id] = report->base_offset < 0 ? -1 : report->base_offset + i;
            mill.outcome[id] = report->outcome;
        }
        mill.n_reported += report->n;
        mill.n_of[report->outcome] += report->n;
        if (report->outcome != KW_DELIVERED) {
            mill.code = report->code;
            mill.kafka_code = report->kafka_code;
        }
    }
    mill.done = mill.n_reported == mill.n_made - mill.n_in_receipt &&
                (!mill.n_in_receipt || mill.n_receipts);
}

static const char *const usual[] = {
    "request.timeout.ms=1000", "retry.backoff.ms=10",          "retry.backoff.max.ms=100",
    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100", "memory.limit=40000000",
    "control.memory=8000000",  "buffer.memory=8000000",        NULL};
static const char *const wide[] = {"linger.ms=5", "batch.size=8000", NULL};

static void mill_begin(const char *const *own, const char *limit)
{
    struct kw_config *cfg = NULL;
    struct kw_error err;
    bool never = false;
    memset(&mill, 0, sizeof mill);
    cr_assert_eq(sim_pair_init(&mill.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    cr_assert_eq(kwi_mock_set_topic_config(mill.pair.mock, "t", "max.message.bytes", limit), 0);
    mill.pair.on_event = mill_event;
    for (int i = 0; i < RECORDS_MAX; i++)
        mill.offset[i] = -2;
    cr_assert_eq(sim_pair_core(&mill.pair, usual, NULL), 0);
    cr_assert_eq(sim_pair_config(&mill.pair, &cfg, own), 0);
    cr_assert_eq(kw_core_producer_create(&mill.producer, mill.pair.core, cfg, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_topic_open(&mill.topic, mill.producer, "t", NULL), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(mill.topic) == 0; i++)
        sim_pair_run(&mill.pair, &never, 20);
}

static void mill_end(void)
{
    cr_assert(!mill.pair.broken, "%s", mill.pair.why);
    kw_core_destroy(mill.pair.core);
    mill.pair.core = NULL;
    cr_assert_eq(mill.pair.memory.n_live, 0);
    cr_assert(!mill.pair.memory.damaged);
    sim_pair_deinit(&mill.pair);
}

/* Bytes that get half as large, and differ from record to record. */
static void mill_fill(uint8_t *value, size_t len, uint32_t id)
{
    uint64_t state = id * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < len; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        value[i] = (uint8_t)('a' + (state >> 60));
    }
}

/* Every third has a key, a header, and a time of its own. */
static int mill_try(size_t len)
{
    static uint8_t value[VALUE_MAX];
    static const struct kw_header header = {{"h", 1}, {"v\0w", 3}};
    uint32_t id = mill.n_made;
    bool rich = id % 3 == 2;
    struct kw_record record = {.key = {rich ? "key" : NULL, rich ? 3 : 0},
                               .value = {value, len},
                               .headers = &header,
                               .n_headers = rich,
                               .flags = KW_REC_PARTITION | (rich ? KW_REC_TIMESTAMP : 0),
                               .timestamp_ms = 1700000000000 + (int64_t)(id * 7919 % 100000),
                               .receipt = mill.receipt,
                               .opaque = (void *)(uintptr_t)(id + 1)};
    cr_assert_lt(id, RECORDS_MAX);
    mill_fill(value, len, id);
    int rc = kw_core_produce(mill.topic, &record);
    if (rc < 0)
        return rc;
    mill.size[id] = len;
    mill.time_ms[id] = rich ? record.timestamp_ms : -1;
    mill.n_in_receipt += mill.receipt != NULL;
    mill.n_made++;
    mill.done = false;
    return 0;
}

static void mill_make(unsigned n, size_t len)
{
    for (unsigned i = 0; i < n; i++)
        cr_assert_eq(mill_try(len), 0);
}

static void mill_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = NULL;
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s", why);
    cr_assert_eq(kwi_mock_fault_add(mill.pair.mock, &fault, NULL), 0);
}

/* One record of the log against the one that was made. */
static void mill_compare(const struct kw_record_view *view, int64_t time_ms, uint32_t id)
{
    static uint8_t value[VALUE_MAX];
    bool rich = id % 3 == 2;
    struct kw_record_headers it;
    struct kw_record_header_view header;
    mill_fill(value, mill.size[id], id);
    cr_assert_eq((size_t)view->value_len, mill.size[id], "record %u", id);
    cr_assert_eq(memcmp(view->value, value, mill.size[id]), 0, "record %u", id);
    cr_assert_eq(view->key_len, rich ? 3 : -1);
    cr_assert_eq(kwi_record_headers_init(&it, view), rich);
    if (rich) {
        cr_assert_eq(kwi_record_headers_next(&it, &header), 1);
        cr_assert(header.key_len == 1 && header.value_len == 3 && !memcmp(header.value, "v\0w", 3));
        cr_assert_eq(time_ms, mill.time_ms[id], "record %u: %lld", id, (long long)time_ms);
    }
}

/* The log has the delivered records in their order, each once (plain batches). */
static void mill_log_is_right(uint32_t limit)
{
    struct kw_mock_batch batch;
    int64_t offset = 0;
    uint32_t id = 0;
    while (kwi_mock_log(mill.pair.mock, "t", 0, &offset, &batch)) {
        struct kw_batch_header header;
        const uint8_t *at = batch.ptr + KWI_BATCH_HEADER, *end = batch.ptr + batch.len;
        int64_t latest = INT64_MIN;
        cr_assert_leq(batch.len, limit);
        cr_assert_eq(kwi_batch_header_get(batch.ptr, batch.len, &header), 0);
        for (int32_t i = 0; i < header.record_count; i++, id++) {
            struct kw_record_view view;
            at = kwi_record_get(at, end, &view);
            cr_assert_not_null(at);
            while (id < mill.n_made && mill.outcome[id] != KW_DELIVERED)
                id++;
            cr_assert_lt(id, mill.n_made);
            mill_compare(&view, header.base_timestamp + view.timestamp_delta, id);
            if (!mill.n_in_receipt)
                cr_assert_eq(mill.offset[id], batch.base_offset + i, "record %u", id);
            if (view.timestamp_delta > latest)
                latest = view.timestamp_delta;
        }
        cr_assert_eq(header.max_timestamp, header.base_timestamp + latest);
    }
    while (id < mill.n_made && mill.outcome[id] != KW_DELIVERED)
        id++;
    cr_assert_eq(id, mill.n_made, "%u of %u", id, mill.n_made);
}

static void mill_settle(void)
{
    cr_assert(sim_pair_run(&mill.pair, &mill.done, 30000), "%u of %u", mill.n_reported,
              mill.n_made);
}

/* ---- split -------------------------------------------------------------------------------- */

Test(split, a_batch_that_is_too_large_comes_in_halves_and_all_is_kept)
{
    static const char *const limits[] = {"7000", "4200", "1500", "700"};
    for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
        mill_begin(wide, limits[i]);
        mill_make(30, 200);
        mill_settle();
        cr_assert_eq(mill.n_of[KW_DELIVERED], 30);
        mill_log_is_right((uint32_t)atoi(limits[i]));
        cr_assert_eq(kwi_mock_n_requests(mill.pair.mock, 22), 1, "no new id was needed");
        if (i)
            cr_assert_not_null(strstr(mill.errors, "lower batch.size"), "%s", mill.errors);
        mill_end();
    }
}

Test(split, records_lie_across_chunks_and_are_of_many_sizes)
{
    static const char *const large[] = {"linger.ms=5", "batch.size=300000", NULL};
    mill_begin(large, "60000");
    for (unsigned i = 0; i < 800; i++)
        cr_assert_eq(mill_try(i % 40 == 7 ? 30000 : i * 7 % 600), 0);
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 800);
    mill_log_is_right(60000);
    mill_end();
}

Test(split, what_was_under_way_behind_it_stays_behind_it)
{
    mill_begin(wide, "3000");
    mill_make(1, 10);
    mill_settle(); /* from here on five are under way at a time */
    mill.pair.hold_answers = true;
    mill_make(200, 200);
    for (int i = 0; i < 4; i++)
        sim_pair_step(&mill.pair, 10000);
    mill.pair.hold_answers = false;
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 201);
    mill_log_is_right(3000);
    mill_end();
}

Test(split, both_halves_may_be_lost_on_the_way_and_keep_their_order)
{
    static const char *const faults[] = {"produce:3:drop-answer",  "produce:3-4:error=6",
                                         "produce:4:close-after",  "produce:4:drop-request",
                                         "produce:3:close-before", "produce:5:error=19"};
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) {
        mill_begin(wide, "3000");
        mill_fault(faults[i]);
        mill_make(1, 10);
        mill_settle();
        mill_make(60, 200);
        mill_settle();
        cr_assert_eq(mill.n_of[KW_DELIVERED], 61, "%s", faults[i]);
        for (uint32_t id = 0; id < mill.n_made; id++)
            if (mill.offset[id] < 0) /* a duplicate: told without an offset */
                mill.offset[id] = id;
        mill_log_is_right(3000);
        mill_end();
    }
}

Test(split, without_idempotence_one_in_flight_keeps_the_order_too)
{
    static const char *const plain[] = {"linger.ms=5", "batch.size=8000",
                                        "enable.idempotence=false",
                                        "max.in.flight.requests.per.connection=1", NULL};
    mill_begin(plain, "3000");
    mill_make(100, 200);
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 100);
    mill_log_is_right(3000);
    mill_end();
}

Test(split, record_list_too_large_means_the_same)
{
    mill_begin(wide, "1000000");
    mill_fault("produce:1:error=18");
    mill_make(30, 200);
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 30);
    mill_log_is_right(1000000);
    struct kw_mock_partition_info info;
    cr_assert_eq(kwi_mock_partition(mill.pair.mock, "t", 0, &info), 0);
    cr_assert_eq(info.n_batches, 2);
    mill_end();
}

Test(split, the_bytes_stay_as_they_are_while_the_driver_holds_them)
{
    mill_begin(wide, "3000");
    mill_make(1, 10);
    mill_settle();
    mill.pair.hold_writes = true; /* the answer comes before the driver lets go */
    mill_make(30, 200);
    for (int i = 0; i < 10; i++)
        sim_pair_step(&mill.pair, 10000);
    cr_assert_eq(mill.n_reported, 1);
    sim_pair_verify(&mill.pair);
    mill.pair.hold_writes = false;
    sim_pair_confirm(&mill.pair);
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 31);
    mill_log_is_right(3000);
    mill_end();
}

Test(split, compressed_batches_are_unpacked_and_packed_again)
{
    static const char *const packed[] = {"linger.ms=5", "batch.size=8000", "compression.type=gzip",
                                         NULL};
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("this build has no gzip");
    mill_begin(packed, "2000");
    mill_make(60, 120);
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 60);
    for (uint32_t i = 0; i < 60; i++)
        cr_assert_eq(mill.offset[i], i);
    struct kw_mock_batch batch;
    int64_t offset = 0;
    unsigned n_packed = 0;
    while (kwi_mock_log(mill.pair.mock, "t", 0, &offset, &batch)) {
        struct kw_batch_header header;
        static uint8_t plain[20000];
        size_t ctx_size = kw_codec_by_id(KW_CODEC_GZIP)->decoder_size(), hint, len = 0;
        struct kw_codec_ctx *ctx = malloc(ctx_size);
        const uint8_t *at = plain;
        cr_assert_leq(batch.len, 2000);
        cr_assert_eq(kwi_batch_header_get(batch.ptr, batch.len, &header), 0);
        cr_assert_eq(header.attributes, KW_CODEC_GZIP);
        cr_assert_eq(kw_codec_by_id(KW_CODEC_GZIP)->decoder_init(ctx, ctx_size), 0);
        cr_assert_eq(kw_codec_by_id(KW_CODEC_GZIP)
                         ->decode_begin(ctx, batch.ptr + KWI_BATCH_HEADER,
                                        batch.len - KWI_BATCH_HEADER, sizeof plain, 0, &hint),
                     0);
        while (
            kw_codec_by_id(KW_CODEC_GZIP)->decode_step(ctx, plain, sizeof plain, SIZE_MAX, &len) ==
            1)
            ;
        for (int32_t i = 0; i < header.record_count; i++) {
            struct kw_record_view view;
            at = kwi_record_get(at, plain + len, &view);
            cr_assert_not_null(at);
            mill_compare(&view, header.base_timestamp + view.timestamp_delta,
                         (uint32_t)(batch.base_offset + i));
        }
        cr_assert_eq(at, plain + len);
        free(ctx);
        n_packed++;
    }
    cr_assert_gt(n_packed, 1);
    mill_end();
}

Test(split, receipts_count_their_records_in_both_halves)
{
    mill_begin(wide, "3000");
    cr_assert_eq(kw_core_receipt_create(&mill.receipt, mill.producer, NULL), 0);
    struct kw_receipt *receipt = mill.receipt;
    for (unsigned i = 0; i < 60; i++) { /* runs of one to five */
        mill.receipt = i * i % 7 < 3 ? NULL : receipt;
        mill_make(1, 200);
    }
    mill.receipt = NULL;
    uint32_t n = mill.n_in_receipt;
    cr_assert_eq(kw_core_receipt_close(receipt), 0);
    mill_settle();
    cr_assert_eq(mill.n_receipts, 1);
    cr_assert_eq(mill.result.delivered, n);
    cr_assert_eq(mill.n_of[KW_DELIVERED], 60 - n);
    mill_log_is_right(3000);
    mill_end();
}

/* ---- one record ----------------------------------------------------------------------------- */

Test(split, a_record_above_the_broker_s_limit_is_refused_alone)
{
    mill_begin(wide, "3000");
    mill_make(10, 200);
    mill_make(1, 3500);
    mill_make(10, 200);
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 20);
    cr_assert_eq(mill.n_of[KW_NOT_WRITTEN], 1);
    cr_assert_eq(mill.outcome[10], KW_NOT_WRITTEN);
    cr_assert_eq(mill.code, KW_ERR_TOO_LARGE);
    cr_assert_eq(mill.kafka_code, 10);
    cr_assert_not_null(strstr(mill.errors, "t-0: a record of 35"), "%s", mill.errors);
    cr_assert_not_null(strstr(mill.errors, "raise max.message.bytes of the topic"), "%s",
                       mill.errors);
    mill_log_is_right(3000);
    mill_make(10, 200); /* nothing is held up behind it */
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 30);
    mill_end();
}

Test(split, a_record_above_our_own_limit_is_refused_at_once_with_size_limit_and_key)
{
    static const char *const low[] = {"linger.ms=5", "batch.size=2000", "max.request.size=5000",
                                      NULL};
    mill_begin(low, "1000000");
    cr_assert_eq(mill_try(5100), KW_ERR_TOO_LARGE);
    cr_assert_eq(mill_try(4990), KW_ERR_TOO_LARGE, "with its batch it is above");
    mill_make(2, 4500);
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 2);
    cr_assert_not_null(strstr(mill.errors,
                              "t: a record of 5101 bytes is above max.request.size = 5000|raise "
                              "max.request.size"),
                       "%s", mill.errors);
    mill_end();
}

/* ---- memory ----------------------------------------------------------------------------------- */

/* From the first answer on each allocation fails once, then all of them for a while: the
 * batch waits and is split when memory is there again. */
static uint64_t short_of_memory(uint64_t fail_at, bool for_a_while, bool with_receipts)
{
    struct sim_memory *memory = &mill.pair.memory;
    struct kw_receipt *receipt = NULL;
    mill_begin(wide, "3000");
    if (with_receipts)
        cr_assert_eq(kw_core_receipt_create(&receipt, mill.producer, NULL), 0);
    mill.pair.hold_answers = true;
    for (unsigned i = 0; i < 30; i++) {
        mill.receipt = i % 2 ? receipt : NULL;
        mill_make(1, 200);
    }
    mill.receipt = NULL;
    for (int i = 0; i < 3; i++)
        sim_pair_step(&mill.pair, 10000);
    memory->fail_from = memory->n_allocs + fail_at;
    memory->fail_to = for_a_while ? UINT64_MAX : memory->fail_from + 1;
    mill.pair.hold_answers = false;
    for (int i = 0; i < 10; i++)
        sim_pair_step(&mill.pair, 5000);
    sim_memory_heal(memory);
    if (receipt)
        cr_assert_eq(kw_core_receipt_close(receipt), 0);
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED] + mill.result.delivered, 30);
    mill_log_is_right(3000);
    uint64_t refused = memory->n_refused;
    mill_end();
    return refused;
}

Test(split, any_allocation_of_it_may_fail)
{
    for (int kind = 0; kind < 4; kind++)
        for (uint64_t at = 0; short_of_memory(at, kind & 1, kind & 2) || at < 3; at++)
            cr_assert_lt(at, 200);
}

/* With all of buffer.memory in use a batch waits too, and goes when others did. */
Test(split, it_works_beside_a_full_buffer)
{
    static const char *const tight[] = {"linger.ms=5", "batch.size=60000", "max.request.size=60000",
                                        NULL};
    mill_begin(tight, "20000");
    while (mill.n_made < 2000) {
        int rc = mill_try(3000);
        if (rc == KW_ERR_WOULD_BLOCK)
            sim_pair_step(&mill.pair, 1000);
        else
            cr_assert_eq(rc, 0);
    }
    mill_settle();
    cr_assert_eq(mill.n_of[KW_DELIVERED], 2000);
    mill_log_is_right(20000);
    mill_end();
}
