/* Hooks of a producer: headers that are added to each record, outcomes that are all seen,
 * and the W3C traceparent. */
#include <kwire/trace.h>

#include <stdio.h>
#include <string.h>

#include "client/producer.h"
#include "proto/batch.h"
#include "proto/record.h"
#include "tests/client/make_bed.h"

static const char *const linger[] = {"linger.ms=5", NULL};

/* ---- what the log has ---------------------------------------------------------------------- */

static char header_text[512];
/* The headers of the record at an offset of partition 0, "name=value ...". */
static const char *headers_at(int64_t offset)
{
    struct kw_mock_batch batch;
    struct kw_record_view view;
    int64_t at = offset;
    size_t len = 0;
    cr_assert(kwi_mock_log(mbed.pair.mock, "t", 0, &at, &batch));
    const uint8_t *p = batch.ptr + KWI_BATCH_HEADER, *end = batch.ptr + batch.len;
    for (int64_t i = batch.base_offset; i <= offset; i++) {
        p = kwi_record_get(p, end, &view);
        cr_assert_not_null(p);
    }
    struct kw_consumed consumed = {.headers = view.headers, .headers_len = view.headers_len};
    struct kw_header_iter it;
    struct kw_header header;
    header_text[0] = '\0';
    for (kw_headers_begin(&it, &consumed); kw_headers_next(&it, &header) == 1;)
        len += (size_t)snprintf(header_text + len, sizeof(header_text) - len, "%s%.*s=%.*s",
                                len ? " " : "", (int)header.key.len, (const char *)header.key.ptr,
                                (int)header.value.len, (const char *)header.value.ptr);
    return header_text;
}

/* ---- on_send -------------------------------------------------------------------------------- */

static unsigned n_sent, n_added;
static uint32_t add_headers(void *ctx, const struct kw_topic *topic, const struct kw_record *record,
                            struct kw_header *headers, uint32_t cap)
{
    static char value[8][8];
    cr_assert_eq(ctx, &mbed);
    cr_assert_eq(topic, mbed.topic);
    cr_assert_eq(record->n_headers, 0);
    cr_assert_eq(cap, 8);
    for (uint32_t i = 0; i < n_added && i < cap; i++) {
        snprintf(value[i], sizeof(value[i]), "%u", n_sent + i);
        headers[i] = (struct kw_header){.key = {"h", 1}, .value = {value[i], strlen(value[i])}};
    }
    n_sent++;
    return n_added;
}

Test(hooks, on_send_adds_headers_to_each_record)
{
    struct kw_producer_hooks hooks = {.size = sizeof(hooks), .ctx = &mbed, .on_send = add_headers};
    make_start(1, 1, linger);
    make(0, 10);
    make_settle();
    cr_assert_eq(kw_core_producer_set_hooks(mbed.producer, &hooks), 0);
    n_added = 2;
    for (int i = 0; i < 3; i++)
        make(0, 10);
    make_settle();
    cr_assert_eq(n_sent, 3);
    cr_assert_str_eq(headers_at(1), "h=0 h=1");
    cr_assert_str_eq(headers_at(3), "h=2 h=3");
    n_added = 4000; /* a hook that lies about it */
    make(0, 10);
    n_added = 0;
    make(0, 10);
    cr_assert_eq(kw_core_producer_set_hooks(mbed.producer, NULL), 0);
    make(0, 10);
    make_settle();
    cr_assert_eq(n_sent, 5, "it is gone");
    cr_assert_str_eq(headers_at(4), "h=3 h=4 h=5 h=6 h=7 h=8 h=9 h=10");
    cr_assert_str_eq(headers_at(5), "");
    cr_assert_str_eq(headers_at(6), "");
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 7);
    make_stop();
}

Test(hooks, on_send_comes_behind_the_headers_of_the_record_and_not_for_refused_ones)
{
    static const struct kw_header own[] = {{{"a", 1}, {"1", 1}}, {{"b", 1}, {"2", 1}}};
    struct kw_trace_hook trace = {.size = sizeof(trace), .flags = KW_TRACE_SAMPLED};
    struct kw_producer_hooks hooks = {
        .size = sizeof(hooks), .ctx = &trace, .on_send = kw_trace_on_send};
    char expected[128];
    make_start(1, 1, linger);
    cr_assert_eq(kw_core_producer_set_hooks(mbed.producer, &hooks), 0);
    struct kw_record record = {.value = {"v", 1}, .headers = own, .n_headers = 2};
    record.opaque = (void *)1;
    record.flags = KW_REC_PARTITION;
    cr_assert_geq(kw_core_produce(mbed.topic, &record), 0);
    mbed.n_made = 1;
    make_settle();
    snprintf(expected, sizeof(expected), "a=1 b=2 traceparent=%s", trace.text);
    cr_assert_str_eq(headers_at(0), expected);
    struct kw_trace_context last = trace.last;
    record.partition = 5;
    cr_assert_eq(kw_core_produce(mbed.topic, &record), KW_ERR_USE);
    record.partition = 0;
    record.n_headers = 3000000000u;
    cr_assert_eq(kw_core_produce(mbed.topic, &record), KW_ERR_USE);
    record.n_headers = 2;
    cr_assert_not_null(kw_core_close(mbed.pair.core, 1000, NULL));
    last = trace.last;
    cr_assert_eq(kw_core_produce(mbed.topic, &record), KW_ERR_CLOSED);
    cr_assert_eq(memcmp(&last, &trace.last, sizeof(last)), 0, "the hook of a refused record");
    hooks.size = 8;
    cr_assert_eq(kw_core_producer_set_hooks(mbed.producer, &hooks), KW_ERR_USE);
    make_stop();
}

/* ---- on_report ------------------------------------------------------------------------------ */

static uint64_t n_hooked[3], latest_us;
static bool was_told_before;
static void count_outcomes(void *ctx, const struct kw_report *report)
{
    cr_assert_eq(ctx, &mbed);
    n_hooked[report->outcome] += report->n;
    latest_us = report->latency_us;
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        cr_assert_lt(id, mbed.n_made);
        was_told_before = was_told_before || mbed.fates[id].told;
    }
}

Test(hooks, on_report_sees_every_outcome_before_its_event_and_also_those_without_one)
{
    static const char *const errors[] = {"linger.ms=5", "delivery.report.only.error=true",
                                         "delivery.timeout.ms=2000", NULL};
    struct kw_producer_hooks hooks = {
        .size = sizeof(hooks), .ctx = &mbed, .on_report = count_outcomes};
    make_start(1, 2, errors);
    cr_assert_eq(kw_core_producer_set_hooks(mbed.producer, &hooks), 0);
    cr_assert_eq(kw_core_receipt_create(&mbed.receipt, mbed.producer, NULL), 0);
    for (int i = 0; i < 100; i++)
        make(0, 200);
    cr_assert_eq(kw_core_receipt_close(mbed.receipt), 0);
    mbed.receipt = NULL;
    for (int i = 0; i < 100; i++)
        make(0, 200);
    make_fault("produce:*:error=10:partition=1");
    for (int i = 0; i < 10; i++)
        make(1, 200);
    make_run(500);
    cr_assert_eq(n_hooked[KW_DELIVERED], 200);
    cr_assert_eq(n_hooked[KW_NOT_WRITTEN], 10);
    cr_assert_eq(mbed.n_told, 10, "the events are as they were");
    make_fault("produce:*:drop-answer:partition=0");
    make(0, 10);
    make_run(4000);
    cr_assert_eq(n_hooked[KW_UNKNOWN], 1);
    cr_assert_geq(latest_us, 2000000);
    cr_assert(!was_told_before);
    make_stop();
}

/* ---- traceparent ---------------------------------------------------------------------------- */

/* The example of the standard (section 3.2). */
static const char example[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

Test(trace, a_traceparent_is_written_and_read_as_the_standard_has_it)
{
    struct kw_trace_context context;
    char out[KW_TRACEPARENT_LEN + 1];
    cr_assert_eq(kw_traceparent_get(example, strlen(example), &context), 0);
    cr_assert_eq(context.trace_id[0], 0x4b);
    cr_assert_eq(context.trace_id[15], 0x36);
    cr_assert_eq(context.parent_id[1], 0xf0);
    cr_assert_eq(context.parent_id[7], 0xb7);
    cr_assert_eq(context.flags, KW_TRACE_SAMPLED);
    cr_assert_eq(kw_traceparent_put(&context, out), 0);
    cr_assert_str_eq(out, example);
    memset(context.parent_id, 0, 8);
    cr_assert_eq(kw_traceparent_put(&context, out), KW_ERR_USE);
    memset(context.parent_id, 1, 8);
    memset(context.trace_id, 0, 16);
    cr_assert_eq(kw_traceparent_put(&context, out), KW_ERR_USE);
}

Test(trace, what_is_no_traceparent_is_refused)
{
    static const char *const bad[] = {"",
                                      "00",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
                                      "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
                                      "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                      "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x"};
    struct kw_trace_context context;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_assert_eq(kw_traceparent_get(bad[i], strlen(bad[i]), &context), KW_ERR_SYNTAX, "%s",
                     bad[i]);
    cr_assert_eq(kw_traceparent_get(NULL, 0, &context), KW_ERR_SYNTAX);
    /* A later version is read as far as this one goes. */
    static const char later[] = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what";
    cr_assert_eq(kw_traceparent_get(later, strlen(later), &context), 0);
    cr_assert_eq(context.parent_id[7], 0xb7);
}

static struct kw_trace_context now_context;
static bool has_context;
static bool current_context(void *ctx, const struct kw_topic *topic, const struct kw_record *record,
                            struct kw_trace_context *context)
{
    cr_assert_eq(ctx, &now_context);
    cr_assert_not_null(topic);
    cr_assert_not_null(record);
    *context = now_context;
    return has_context;
}

Test(trace, each_record_carries_the_context_that_the_program_says)
{
    struct kw_trace_hook trace = {
        .size = sizeof(trace), .current = current_context, .ctx = &now_context};
    struct kw_producer_hooks hooks = {
        .size = sizeof(hooks), .ctx = &trace, .on_send = kw_trace_on_send};
    char expected[80];
    make_start(1, 1, linger);
    cr_assert_eq(kw_core_producer_set_hooks(mbed.producer, &hooks), 0);
    cr_assert_eq(kw_traceparent_get(example, strlen(example), &now_context), 0);
    has_context = true;
    make(0, 10);
    has_context = false;
    make(0, 10);
    has_context = true;
    memset(now_context.parent_id, 0, 8);
    make(0, 10); /* no valid context: no header */
    static const struct kw_header has_one = {{"traceparent", 11}, {"mine", 4}};
    struct kw_record record = {.value = {"v", 1}, .headers = &has_one, .n_headers = 1};
    record.flags = KW_REC_PARTITION;
    record.opaque = (void *)4;
    cr_assert_geq(kw_core_produce(mbed.topic, &record), 0);
    mbed.n_made++;
    make_settle();
    snprintf(expected, sizeof(expected), "traceparent=%s", example);
    cr_assert_str_eq(headers_at(0), expected);
    cr_assert_str_eq(headers_at(1), "");
    cr_assert_str_eq(headers_at(2), "");
    cr_assert_str_eq(headers_at(3), "traceparent=mine");
    make_stop();
}

Test(trace, traces_that_begin_here_are_unlike_each_other)
{
    struct kw_trace_hook trace = {.size = sizeof(trace), .flags = KW_TRACE_SAMPLED};
    struct kw_producer_hooks hooks = {
        .size = sizeof(hooks), .ctx = &trace, .on_send = kw_trace_on_send};
    static char seen[100][80];
    make_start(1, 1, linger);
    cr_assert_eq(kw_core_producer_set_hooks(mbed.producer, &hooks), 0);
    for (int i = 0; i < 100; i++)
        make(0, 10);
    make_settle();
    for (int i = 0; i < 100; i++) {
        struct kw_trace_context context;
        snprintf(seen[i], sizeof(seen[i]), "%s", headers_at(i) + strlen("traceparent="));
        cr_assert_eq(kw_traceparent_get(seen[i], KW_TRACEPARENT_LEN, &context), 0);
        cr_assert_eq(context.flags, KW_TRACE_SAMPLED);
        for (int k = 0; k < i; k++) {
            cr_assert_neq(strncmp(seen[k] + 3, seen[i] + 3, 32), 0, "a trace id came again");
            cr_assert_neq(strncmp(seen[k] + 36, seen[i] + 36, 16), 0, "a span id came again");
        }
    }
    make_stop();
}
