/* cli/bench_consume.c -- kw bench consume: reads a topic from its beginning.
 *
 * Every record is walked and its value's length looked at, as the least that a
 * consumer does; the bytes of the value are not touched again. */
#include "cli/bench.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/signals.h"

static void bench_consume_ended(struct cli_bench *bench, int32_t partition)
{
    if (partition < 0 || (uint32_t)partition >= bench->n_partitions || bench->ended[partition])
        return;
    bench->ended[partition] = true;
    bench->n_ended++;
}

static void bench_consume_on_event(void *ctx, const struct kw_event *event)
{
    struct cli_bench *bench = ctx;

    if (event->kind == KW_EVENT_PARTITION_EOF)
        bench_consume_ended(bench, event->partition);
    if (event->kind != KW_EVENT_ERROR || !event->consumer || event->error->retriable)
        return;
    bench->n_failed++;
    bench->refused |= cli_refusal(event->error->code, event->error->kafka_code);
    /* A partition that cannot be read any further has no end to wait for. */
    if (event->topic_name)
        bench_consume_ended(bench, event->partition);
}

/* Takes what is ready. Returns how many records that were. */
static uint64_t bench_consume_take(struct cli_bench *bench, uint64_t limit)
{
    const int64_t size = bench->options.size;
    const struct kw_consumed *consumed;
    struct kw_records *records;
    uint64_t n_before = bench->n_records;

    while (bench->n_records < limit && kw_consumer_poll(bench->consumer, &records, 0) == 1) {
        uint64_t now_us = cli_now_us();
        cli_histogram_add(&bench->latency, now_us - bench->now_us);
        bench->now_us = now_us;
        while (bench->n_records < limit && (consumed = kw_records_next(records))) {
            bench->n_records++;
            bench->bytes += consumed->key.len + consumed->value.len;
            bench->n_failed += size >= 0 && consumed->value.len != (size_t)size;
        }
        kw_records_release(records, KW_DONE);
        cli_session_pump(&bench->session, 0);
    }
    return bench->n_records - n_before;
}

/* Returns -1, or an exit code when nothing came for too long. */
static int bench_consume_loop(struct cli_bench *bench)
{
    struct cli_session *session = &bench->session;
    int32_t timeout_ms = cli_session_timeout(session);
    uint64_t limit = bench->options.records > 0 ? (uint64_t)bench->options.records : UINT64_MAX;

    while (bench->n_records < limit && cli_signals_count() == 0) {
        bool all = bench->n_ended == bench->n_partitions;
        uint64_t silent_ms = (cli_now_us() - bench->now_us) / 1000;

        if (bench_consume_take(bench, limit) > 0)
            continue;
        if (all)
            break;
        if (silent_ms >= (uint64_t)timeout_ms) {
            struct cli_op op = {.done = true, .code = KW_ERR_TIMEOUT};
            return cli_session_op_failed(session, &op, "no record any more");
        }
        cli_session_pump(session, timeout_ms - (int32_t)silent_ms);
    }
    return -1;
}

static int bench_consume_partitions(struct cli_bench *bench)
{
    struct cli_session *session = &bench->session;
    struct kw_admin_result *result;
    int rc = cli_session_metadata(session, bench->options.topic, &result);

    if (rc >= 0)
        return rc;
    int16_t kafka_code = result->n_topics == 1 ? result->topics[0].kafka_code : 3;
    uint32_t n = result->n_topics == 1 ? result->topics[0].n_partitions : 0;
    kw_admin_result_destroy(result);
    if (kafka_code) {
        cli_say(session, "topic %s: %s", bench->options.topic, kw_kafka_error_name(kafka_code));
        return cli_refusal(0, kafka_code) ? CLI_EXIT_REFUSED : CLI_EXIT_FAILED;
    }
    if ((int64_t)n < bench->options.partitions) {
        cli_say(session, "topic %s has %" PRIu32 " partitions, not %" PRId64, bench->options.topic,
                n, bench->options.partitions);
        return CLI_EXIT_FAILED;
    }
    bench->n_partitions = bench->options.partitions > 0 ? (uint32_t)bench->options.partitions : n;
    return -1;
}

static int bench_consume_assign(struct cli_bench *bench)
{
    struct cli_session *session = &bench->session;
    struct kw_start *starts = calloc(bench->n_partitions + 1, sizeof(*starts));
    struct kw_error error = {0};
    char text[352];
    int rc = KW_ERR_NOMEM;

    bench->ended = calloc(bench->n_partitions + 1, sizeof(*bench->ended));
    if (starts && bench->ended)
        rc = kw_consumer_create(&bench->consumer, session->client, NULL, &error);
    for (uint32_t i = 0; rc == 0 && i < bench->n_partitions; i++)
        starts[i] = (struct kw_start){
            .topic = bench->options.topic, .partition = (int32_t)i, .kind = KW_START_EARLIEST};
    if (rc == 0)
        rc = kw_assign(bench->consumer, starts, bench->n_partitions, &error);
    free(starts);
    if (rc == 0)
        return -1;
    error.code = rc;
    cli_error_text(&error, text, sizeof(text));
    cli_say(session, "%s", text);
    return cli_error_exit(&error);
}

int cli_bench_consume(struct cli_bench *bench)
{
    bench->session.on_event = bench_consume_on_event;
    bench->session.ctx = bench;
    int rc = bench_consume_partitions(bench);
    if (rc >= 0)
        return rc;
    cli_bench_begin(bench);
    rc = bench_consume_assign(bench);
    if (rc < 0)
        rc = bench_consume_loop(bench);
    cli_bench_end(bench);
    if (rc < 0 && bench->options.records > 0 &&
        bench->n_records < (uint64_t)bench->options.records) {
        cli_say(&bench->session, "%s after %" PRIu64 " records of %" PRId64,
                cli_signals_count() ? "interrupted" : "the topic ends", bench->n_records,
                bench->options.records);
        bench->n_failed += (uint64_t)bench->options.records - bench->n_records;
    } else if (rc < 0 && cli_signals_count()) {
        cli_say(&bench->session, "interrupted after %" PRIu64 " records", bench->n_records);
        bench->n_failed += bench->n_failed == 0;
    }
    return rc;
}
