/* cli/bench_produce.c -- kw bench produce: writes records as fast as they are taken.
 *
 * Nothing is allocated and the clock is not read for each record, or the figures
 * would be those of the measuring: values are slices of one block, and a record's
 * opaque is the time at which the clock was read last, at most 32 records ago.
 * Of the records of a report, the oldest and every 16th stand for the rest. */
#include "cli/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/failures.h"
#include "cli/signals.h"
#include "cli/topic.h"

/* Above the window of most codecs, and more than any batch. */
#define BENCH_PAYLOAD ((size_t)4 << 20)
#define BENCH_CLOCK_EVERY 32
#define BENCH_SAMPLE_EVERY 16
#define BENCH_PUMP_EVERY 1024
#define BENCH_DRAIN_MS 5000
#define BENCH_COMPLAINTS_MAX 8
#define BENCH_TOPIC_EXISTS 36

static void bench_produce_failed(struct cli_bench *bench, const struct kw_report *report)
{
    char reason[200];

    cli_failure_reason(report, reason, sizeof(reason));
    if (bench->n_complaints++ < BENCH_COMPLAINTS_MAX)
        cli_say(&bench->session, "%" PRIu32 " records of partition %" PRId32 " %s", report->n,
                report->partition, reason);
    bench->refused |= cli_refusal(report->code, report->kafka_code);
}

static void bench_produce_latency(struct cli_bench *bench, const struct kw_report *report)
{
    for (uint32_t i = 0; i < report->n; i += BENCH_SAMPLE_EVERY) {
        uint64_t then_us = (uintptr_t)kw_report_opaque(report, i);
        uint32_t left = report->n - i;
        cli_histogram_add_n(&bench->latency, bench->now_us - bench->begin_us - then_us,
                            left < BENCH_SAMPLE_EVERY ? left : BENCH_SAMPLE_EVERY);
    }
}

static void bench_produce_on_event(void *ctx, const struct kw_event *event)
{
    struct cli_bench *bench = ctx;
    const struct kw_report *report = &event->report;

    if (event->kind == KW_EVENT_WRITABLE)
        bench->writable = true;
    if (event->kind != KW_EVENT_REPORT)
        return;
    if (report->outcome != KW_DELIVERED)
        bench_produce_failed(bench, report);
    else if (report->opaques)
        bench_produce_latency(bench, report);
}

static uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Half words, half random characters, in turns of eight: codecs halve it, about. */
static bool bench_produce_payload(struct cli_bench *bench)
{
    static const char words[16][9] = {
        "replicas", "offset: ", "message ",   "topic = ", "latency ", "timeout ",
        "leader, ", "client: ", "metadata",   "version ", "request ", "response",
        "records ", "  value ", "{\"key\": ", " broker "};
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = BENCH_PAYLOAD + (size_t)bench->options.size;
    uint64_t state = (uint64_t)bench->options.seed;

    bench->payload = malloc(len);
    if (!bench->payload)
        return false;
    for (size_t at = 0; at < len; at += 16) {
        uint64_t random = bench_random(&state);
        char piece[16];
        memcpy(piece, words[random >> 60], 8);
        for (unsigned i = 0; i < 8; i++)
            piece[8 + i] = letters[random >> (6 * i) & 63];
        memcpy(bench->payload + at, piece, len - at < sizeof(piece) ? len - at : sizeof(piece));
    }
    return true;
}

static void bench_produce_pump(struct cli_bench *bench, int32_t timeout_ms)
{
    kw_client_poll(bench->session.client, timeout_ms);
    bench->now_us = cli_now_us();
    cli_session_events(&bench->session);
}

/* Hands over every record. Returns how many were taken. */
static uint64_t bench_produce_records(struct cli_bench *bench)
{
    const struct cli_bench_options *options = &bench->options;
    struct kw_record record = {.value = {bench->payload, (size_t)options->size}};
    uint64_t n = 0;
    size_t at = 0;
    int rc = 0;

    if (options->partitions > 0)
        record.flags = KW_REC_PARTITION;
    while (n < (uint64_t)options->records && rc == 0 && cli_signals_count() == 0) {
        if (n % BENCH_CLOCK_EVERY == 0)
            bench->now_us = cli_now_us();
        if (n % BENCH_PUMP_EVERY == 0)
            bench_produce_pump(bench, 0);
        if (options->partitions > 0)
            record.partition = (int32_t)(n % (uint64_t)options->partitions);
        record.value.ptr = bench->payload + at;
        record.opaque = (void *)(uintptr_t)(bench->now_us - bench->begin_us);
        bench->writable = false;
        rc = kw_produce(bench->producer_topic, &record);
        if (rc == KW_ERR_WOULD_BLOCK) {
            while (!bench->writable && cli_signals_count() == 0)
                bench_produce_pump(bench, -1);
            rc = 0;
            continue;
        }
        n += rc == 0;
        at = (at + (size_t)options->size) % BENCH_PAYLOAD;
    }
    if (rc) {
        cli_say(&bench->session, "stopped at record %" PRIu64 ": %s%s", n + 1, kw_err_name(rc),
                cli_failure_why(rc));
        bench->n_failed++;
        bench->refused |= cli_refusal(rc, kw_topic_error(bench->producer_topic));
    }
    return n;
}

/* Waits for every outcome; Ctrl-C makes it short, a second one ends it. */
static void bench_produce_flush(struct cli_bench *bench)
{
    int first = cli_signals_count();
    struct cli_op op = {0};
    struct kw_op *handle = kw_flush(bench->producer, first ? BENCH_DRAIN_MS : -1, &op);

    while (handle && !op.done && cli_signals_count() == first)
        bench_produce_pump(bench, -1);
    if (handle && !op.done) {
        (void)kw_op_cancel(handle);
        cli_session_wait(&bench->session, handle, &op, false);
    }
}

/* Creates the topic unless it is there. Returns -1 or an exit code. */
static int bench_produce_create(struct cli_bench *bench)
{
    struct kw_admin_request request = {.size = sizeof(request),
                                       .kind = KW_ADMIN_CREATE_TOPIC,
                                       .topic = bench->options.topic,
                                       .partitions = (int32_t)bench->options.partitions,
                                       .replication_factor = -1};
    struct cli_session *session = &bench->session;
    struct cli_op op = {0};

    cli_session_wait(session,
                     kw_admin(session->client, &request, NULL, cli_session_timeout(session), &op),
                     &op, true);
    if (op.code == 0 || op.error.kafka_code == BENCH_TOPIC_EXISTS)
        return -1;
    return cli_session_op_failed(session, &op, "create the topic");
}

int cli_bench_producer(struct cli_bench *bench)
{
    struct cli_session *session = &bench->session;
    struct kw_error error = {0};
    char text[352];
    int rc = kw_producer_create(&bench->producer, session->client, NULL, &error);

    if (rc == 0)
        rc = kw_topic_open(&bench->producer_topic, bench->producer, bench->options.topic, &error);
    if (rc) {
        error.code = rc;
        cli_error_text(&error, text, sizeof(text));
        cli_say(session, "%s", text);
        return rc == KW_ERR_USE ? CLI_EXIT_USAGE : cli_error_exit(&error);
    }
    return -1;
}

static int bench_produce_open(struct cli_bench *bench)
{
    struct cli_session *session = &bench->session;
    int rc = cli_bench_producer(bench);

    if (rc >= 0)
        return rc;
    rc = cli_topic_await(session, bench->producer_topic);
    int32_t n = kw_topic_partitions(bench->producer_topic);
    if (rc < 0 && n < bench->options.partitions) {
        cli_say(session, "topic %s has %" PRId32 " partitions, not %" PRId64, bench->options.topic,
                n, bench->options.partitions);
        rc = CLI_EXIT_FAILED;
    }
    return rc;
}

int cli_bench_produce(struct cli_bench *bench)
{
    struct kw_stats stats;
    int rc = -1;

    bench->session.on_event = bench_produce_on_event;
    bench->session.ctx = bench;
    if (!bench_produce_payload(bench))
        return cli_usage_error(bench->session.command, "out of memory");
    if (bench->options.partitions > 0)
        rc = bench_produce_create(bench);
    if (rc < 0)
        rc = bench_produce_open(bench);
    if (rc >= 0)
        return rc;
    cli_bench_begin(bench);
    uint64_t n = bench_produce_records(bench);
    bench_produce_flush(bench);
    cli_bench_end(bench);
    /* Reports of what was delivered may be switched off; the counters are not. */
    kw_client_stats(bench->session.client, &stats);
    bench->n_records = stats.records_delivered;
    bench->bytes = stats.records_delivered * (uint64_t)bench->options.size;
    bench->n_failed += n - stats.records_delivered;
    if (cli_signals_count()) {
        cli_say(&bench->session, "interrupted after %" PRIu64 " records", n);
        bench->n_failed += (uint64_t)bench->options.records - n;
    }
    return -1;
}
