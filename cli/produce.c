/* cli/produce.c -- kw produce: records from stdin or files to a topic.
 *
 * Memory is bounded: a refused record (KW_ERR_WOULD_BLOCK) waits for WRITABLE,
 * and nothing is read meanwhile. Each record accepted is counted against the
 * reports; what has no report at the end counts as unknown, so exit 0 means
 * that the broker acknowledged every record of the input. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/kwire.h>

#include "cli/commands.h"
#include "cli/failures.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/pace.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/topic.h"
#include "cli/transaction.h"

#define PRODUCE_CLOSE_MS 5000

struct produce_options {
    struct cli_common common;
    const char *topic, *key_delimiter, *delimiter, *key_null, *value_null, *codec, *transaction;
    int64_t partition, drain_ms, rate;
    struct cli_list headers;
    bool lines, json, progress;
};

static const struct cli_option produce_table[] = {
    {'t', CLI_KIND_TEXT, "topic", "NAME", offsetof(struct produce_options, topic), 0, 0,
     "topic to write to"},
    {'p', CLI_KIND_INT, "partition", "N", offsetof(struct produce_options, partition), 0, INT32_MAX,
     "partition (default: by key, else spread); a JSON record's own wins"},
    {'K', CLI_KIND_TEXT, "key-delimiter", "DELIM", offsetof(struct produce_options, key_delimiter),
     0, 0,
     "what stands before the first DELIM of a record is its key; without one in it the key is "
     "null"},
    {'D', CLI_KIND_TEXT, "delimiter", "DELIM", offsetof(struct produce_options, delimiter), 0, 0,
     "what ends a record (default \\n); escapes \\n \\t \\r \\0 \\\\ \\xHH here and in -K"},
    {'H', CLI_KIND_LIST, "header", "NAME=VALUE", offsetof(struct produce_options, headers), 0, 0,
     "header of each record; without = its value is null; may be repeated"},
    {0, CLI_KIND_TEXT, "key-null", "S", offsetof(struct produce_options, key_null), 0, 0,
     "a key equal to S becomes null"},
    {'Z', CLI_KIND_TEXT, "value-null", "S", offsetof(struct produce_options, value_null), 0, 0,
     "a value equal to S becomes null, a tombstone"},
    {'J', CLI_KIND_FLAG, "json", NULL, offsetof(struct produce_options, json), 0, 0,
     "each line is a JSON object: see below"},
    {'l', CLI_KIND_FLAG, "lines", NULL, offsetof(struct produce_options, lines), 0, 0,
     "each FILE holds one record a line; without it a FILE is one record"},
    {'z', CLI_KIND_TEXT, "compression", "CODEC", offsetof(struct produce_options, codec), 0, 0,
     "none (default), gzip, snappy, lz4 or zstd (compression.type); levels are set with -X"},
    {'T', CLI_KIND_TEXT, "transactional-id", "ID", offsetof(struct produce_options, transaction), 0,
     0,
     "write everything in one transaction of this id: committed at the end, aborted when a record "
     "fails or with Ctrl-C; the broker aborts one that is longer open than transaction.timeout.ms"},
    {0, CLI_KIND_INT, "rate", "N", offsetof(struct produce_options, rate), 1, 1000000000,
     "write at most N records a second, evenly; a pause of the input is not made up for"},
    {0, CLI_KIND_FLAG, "progress", NULL, offsetof(struct produce_options, progress), 0, 0,
     "say on stderr how far the input is; done without it when stderr is a terminal and the "
     "input's size is known, that is when it is regular files"},
    {0, CLI_KIND_INT, "timeout", "MS", offsetof(struct produce_options, common.timeout_ms), 1,
     INT32_MAX,
     "how long to wait for the cluster at the start (default 30000), and for outcomes at the end "
     "(default: as delivery.timeout.ms has it; with -T the commit is waited for until it is "
     "decided)"},
    {0, CLI_KIND_INT, "drain", "MS", offsetof(struct produce_options, drain_ms), 0, INT32_MAX,
     "how long Ctrl-C waits for outcomes (default 5000); a second one ends at once"},
};

static const struct cli_command produce_command = {
    .name = "kw produce",
    .usage = "-b BROKERS -t TOPIC [OPTIONS] [FILE...]",
    .about = "Writes records to a topic: one a line from stdin, or FILEs ('-' is stdin). Ends "
             "with 'N delivered, M failed' on stderr.",
    .notes = "JSON lines: {\"key\":\"k\", \"value\":\"v\", \"headers\":{\"name\":\"text\"},\n"
             "\"partition\":0, \"timestamp\":1700000000000}. Only value is required; null makes a\n"
             "tombstone. key_b64 and value_b64 carry bytes in base64. Headers may be pairs:\n"
             "[[\"name\",\"text\"], [\"name\",\"AAEC\",\"b64\"]]. What 'kw consume -J' prints is "
             "taken.\n",
    .examples = "  seq 1000 | kw produce -b 127.0.0.1:9092 -t numbers\n"
                "  kw produce -b 127.0.0.1:9092 -t users -K : -l users.txt\n"
                "  kw produce -b 127.0.0.1:9092 -t images -H type=png cat.png\n"
                "  kw consume -b old:9092 -t t -e -J | kw produce -b new:9092 -t t --json\n"
                "  echo 'user7:' | kw produce -b 127.0.0.1:9092 -t users -K : -Z ''\n"
                "  kw produce -b 127.0.0.1:9092 -t logs -z zstd -l app.log\n"
                "  kw produce -b 127.0.0.1:9092 -t load --rate 500 --progress -l users.txt\n"
                "  kw produce -b 127.0.0.1:9092 -t orders -T loader-1 -l orders.txt\n",
    .options = produce_table,
    .n_options = sizeof(produce_table) / sizeof(produce_table[0]),
    .with_common = true,
    .with_arguments = true,
};

struct produce {
    struct produce_options options;
    struct cli_list files;
    struct cli_session session;
    struct cli_failures failures;
    struct cli_input input;
    struct cli_json json;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_header *headers;
    struct kw_bytes delimiter, key_delimiter;
    struct cli_pace pace;
    struct cli_progress progress;
    uint64_t n_bytes; /* of the inputs before the present one */
    uint64_t n_read, n_delivered, n_not_written, n_unknown;
    bool writable;
    bool interrupted; /* by a signal, before the end of the input */
    bool broken;      /* the rest of the input cannot be sent */
    bool refused;     /* by authorization or authentication */
    bool transaction; /* one is open */
    bool aborted;     /* no record counts */
};

/* ---- outcomes ------------------------------------------------------------ */

static void produce_failed(struct produce *produce, const struct kw_report *report)
{
    char reason[200];
    bool unknown = report->outcome == KW_UNKNOWN;

    cli_failure_reason(report, reason, sizeof(reason));
    for (uint32_t i = 0; i < report->n; i++) {
        void *opaque = report->opaques ? kw_report_opaque(report, i) : NULL;
        cli_failures_add(&produce->failures, &produce->session, reason, (uintptr_t)opaque);
    }
    produce->refused |= cli_refusal(report->code, report->kafka_code);
    if (unknown)
        produce->n_unknown += report->n;
    else
        produce->n_not_written += report->n;
}

static void produce_on_event(void *ctx, const struct kw_event *event)
{
    struct produce *produce = ctx;

    if (event->kind == KW_EVENT_WRITABLE)
        produce->writable = true;
    if (event->kind == KW_EVENT_ERROR && !event->error->retriable)
        produce->refused |= cli_refusal(event->error->code, event->error->kafka_code);
    if (event->kind != KW_EVENT_REPORT)
        return;
    if (event->report.outcome == KW_DELIVERED)
        produce->n_delivered += event->report.n;
    else
        produce_failed(produce, &event->report);
}

/* The record that was read last never reached the library, or was refused by it. */
static void produce_refuse(struct produce *produce, const char *reason)
{
    cli_failures_add(&produce->failures, &produce->session, reason, produce->n_read);
    produce->n_not_written++;
}

/* ---- one record ---------------------------------------------------------- */

static bool produce_equals(struct kw_bytes bytes, const char *text)
{
    return text && strlen(text) == bytes.len && memcmp(text, bytes.ptr, bytes.len) == 0;
}

static bool produce_parse(struct produce *produce, struct kw_bytes input, struct kw_record *record)
{
    const struct produce_options *options = &produce->options;
    char reason[200];

    if (options->json) {
        if (cli_json_record(&produce->json, input.ptr, input.len, record))
            return true;
        snprintf(reason, sizeof(reason), "not written: JSON, byte %zu: %s",
                 produce->json.error_at + 1, produce->json.error);
        produce_refuse(produce, reason);
        return false;
    }
    record->value = input;
    if (produce->key_delimiter.len > 0) {
        const uint8_t *at = memmem(input.ptr, input.len, produce->key_delimiter.ptr,
                                   produce->key_delimiter.len);
        if (at) {
            size_t key_len = (size_t)(at - (const uint8_t *)input.ptr);
            record->key = (struct kw_bytes){input.ptr, key_len};
            record->value.ptr = at + produce->key_delimiter.len;
            record->value.len = input.len - key_len - produce->key_delimiter.len;
            if (produce_equals(record->key, options->key_null))
                record->key = (struct kw_bytes){0};
        }
    }
    if (produce_equals(record->value, options->value_null))
        record->value = (struct kw_bytes){0};
    return true;
}

/* The library cannot take this record, nor, for some codes, any other. */
static void produce_cannot(struct produce *produce, int code)
{
    int16_t kafka_code = code == KW_ERR_BROKER ? kw_topic_error(produce->topic) : 0;
    char reason[200];

    snprintf(reason, sizeof(reason), "not written: %s%s%s%s", kw_err_name(code),
             cli_failure_why(code), kafka_code ? ", " : "",
             kafka_code ? kw_kafka_error_name(kafka_code) : "");
    produce_refuse(produce, reason);
    produce->refused |= cli_refusal(code, kafka_code);
    if (code == KW_ERR_BROKER || code == KW_ERR_STATE || code == KW_ERR_CLOSED) {
        produce->broken = true;
        cli_say(&produce->session, "stopped at record %" PRIu64 ": the topic takes no more",
                produce->n_read);
    }
}

static void produce_show(struct produce *produce)
{
    if (produce->progress.active)
        cli_progress_update(&produce->progress,
                            produce->n_bytes + cli_input_position(&produce->input), produce->n_read,
                            cli_now_us());
}

/* Waits until --rate lets a record go. Returns false when a signal came first. */
static bool produce_pace(struct produce *produce)
{
    uint64_t wait_us;

    if (produce->pace.per_second == 0)
        return true;
    while ((wait_us = cli_pace_wait_us(&produce->pace, cli_now_us())) > 0) {
        if (cli_signals_count())
            return false;
        produce_show(produce);
        cli_session_pump(&produce->session, (int32_t)((wait_us + 999) / 1000));
    }
    cli_pace_count(&produce->pace);
    return true;
}

static void produce_record(struct produce *produce, struct kw_bytes input)
{
    struct kw_record record = {.headers = produce->headers,
                               .n_headers = (uint32_t)produce->options.headers.n};
    int rc;

    if (!produce_pace(produce))
        return;
    produce->n_read++;
    if (produce->options.partition >= 0) {
        record.flags = KW_REC_PARTITION;
        record.partition = (int32_t)produce->options.partition;
    }
    if (!produce_parse(produce, input, &record))
        return;
    record.opaque = (void *)(uintptr_t)produce->n_read;
    for (;;) {
        produce->writable = false;
        rc = kw_produce(produce->topic, &record);
        if (rc != KW_ERR_WOULD_BLOCK)
            break;
        while (!produce->writable) {
            if (cli_signals_count()) {
                produce->n_read--;
                return;
            }
            produce_show(produce);
            cli_session_pump(&produce->session, -1);
        }
    }
    if (rc)
        produce_cannot(produce, rc);
}

/* ---- the input ----------------------------------------------------------- */

/* Lets linger and timeouts run while no input comes. */
static void produce_await_input(struct produce *produce)
{
    struct pollfd fds[2] = {{produce->input.fd, POLLIN, 0},
                            {kw_client_fd(produce->session.client), POLLIN, 0}};

    produce_show(produce);
    cli_session_pump(&produce->session, 0);
    if (!produce->input.may_stall)
        return;
    while (!cli_signals_count()) {
        fds[0].revents = 0;
        if (poll(fds, 2, -1) > 0 && fds[0].revents)
            return;
        cli_session_pump(&produce->session, 0);
    }
}

static bool produce_stopped(struct produce *produce)
{
    produce->interrupted |= cli_signals_count() > 0;
    return produce->interrupted || produce->broken;
}

static void produce_input_end(struct produce *produce)
{
    produce->n_bytes += cli_input_position(&produce->input);
    cli_input_close(&produce->input);
    /* What it has counted is in n_bytes now. */
    produce->input.begin = produce->input.end = 0;
    produce->input.n_read = 0;
}

/* Returns false when the input could not be read to its end. */
static bool produce_input(struct produce *produce, const char *path)
{
    static const struct kw_bytes whole = {"", 0};
    bool lines = produce->files.n == 0 || produce->options.lines || produce->options.json;
    int rc = cli_input_open(&produce->input, path, lines ? produce->delimiter : whole);
    struct kw_bytes bytes;

    while (rc == 0 && !produce_stopped(produce)) {
        switch (cli_input_next(&produce->input, &bytes)) {
        case CLI_INPUT_RECORD:
            /* An empty line between JSON objects is layout. */
            if (!produce->options.json || bytes.len > 0)
                produce_record(produce, bytes);
            break;
        case CLI_INPUT_MORE:
            produce_await_input(produce);
            if (cli_signals_count() == 0)
                rc = cli_input_fill(&produce->input);
            rc = rc == EINTR || rc == EAGAIN ? 0 : rc; /* then it is waited for again */
            break;
        case CLI_INPUT_TOO_LONG:
            produce->n_read++;
            produce_refuse(produce, "not written: longer than 64 MiB");
            break;
        case CLI_INPUT_END: produce_input_end(produce); return true;
        }
    }
    if (rc)
        cli_say(&produce->session, "cannot read %s: %s", path, strerror(rc));
    produce_input_end(produce);
    return false;
}

/* ---- begin and end ------------------------------------------------------- */

static void produce_progress_begin(struct produce *produce)
{
    const struct cli_list *files = &produce->files;
    uint64_t total = 0;
    bool known = files->n > 0 || cli_progress_size("-", &total);

    for (size_t i = 0; i < files->n; i++)
        known &= cli_progress_size(files->items[i].text, &total);
    bool wanted = produce->options.progress ||
                  (known && !produce->options.common.quiet && isatty(STDERR_FILENO));
    if (wanted)
        cli_progress_begin(&produce->progress, known ? total : 0, cli_now_us());
    produce->session.progress = &produce->progress;
}

/* Waits for outcomes: until all are there, the time is over, or Ctrl-C asks for less. */
static void produce_drain(struct produce *produce)
{
    struct cli_session *session = &produce->session;
    bool hurry = cli_signals_count() > 0;
    int first = cli_signals_count();
    int64_t timeout_ms = hurry ? produce->options.drain_ms : produce->options.common.timeout_ms;
    struct cli_op op = {0};
    struct kw_op *handle = kw_flush(produce->producer, (int32_t)timeout_ms, &op);

    while (handle && !op.done && cli_signals_count() == first)
        cli_session_pump(session, -1);
    if (handle && !op.done) {
        (void)kw_op_cancel(handle);
        cli_session_wait(session, handle, &op, false);
        if (!hurry) /* the first Ctrl-C: the time that --drain gives, from now on */
            produce_drain(produce);
    }
}

/* All records of the input are committed, or none. */
static void produce_end_transaction(struct produce *produce, bool complete)
{
    bool commit = complete && !produce->interrupted && !produce->broken &&
                  produce->n_not_written == 0 && produce->n_unknown == 0;

    produce->transaction = false;
    produce->aborted = !cli_transaction_end(&produce->session, produce->producer, commit,
                                            (int32_t)produce->options.drain_ms);
}

static void produce_finish(struct produce *produce, bool complete)
{
    struct cli_session *session = &produce->session;
    struct cli_op op = {0};
    uint64_t n_done;

    if (produce->transaction)
        produce_end_transaction(produce, complete);
    else
        produce_drain(produce);
    int32_t close_ms = kw_producer_outstanding(produce->producer) ? 0 : PRODUCE_CLOSE_MS;
    cli_session_wait(session, kw_close(session->client, close_ms, &op), &op, false);
    cli_session_events(session);
    n_done = produce->n_delivered + produce->n_not_written + produce->n_unknown;
    uint64_t n_lost = produce->n_read > n_done ? produce->n_read - n_done : 0;
    if (n_lost > 0) {
        cli_say(session, "%" PRIu64 " records have no outcome: unknown whether written", n_lost);
        produce->n_unknown += n_lost;
    }
}

static int produce_summary(const struct produce *produce, bool complete)
{
    uint64_t n_failed = produce->n_not_written + produce->n_unknown;
    uint64_t n_delivered = produce->aborted ? 0 : produce->n_delivered;

    if (produce->aborted)
        n_failed = produce->n_read;
    cli_failures_print(&produce->failures, &produce->session);
    struct kw_stats stats;
    kw_client_stats(produce->session.client, &stats);
    if (stats.batch_retries > 0)
        cli_note(&produce->session, "%" PRIu64 " batch retries", stats.batch_retries);
    if (produce->interrupted)
        cli_say(&produce->session, "interrupted: the input after record %" PRIu64 " was not read",
                produce->n_read);
    if (produce->aborted)
        cli_note(&produce->session, "0 delivered, %" PRIu64 " failed (the transaction)", n_failed);
    else if (n_failed > 0)
        cli_note(&produce->session,
                 "%" PRIu64 " delivered, %" PRIu64 " failed (%" PRIu64 " not written, %" PRIu64
                 " unknown)",
                 n_delivered, n_failed, produce->n_not_written, produce->n_unknown);
    else
        cli_note(&produce->session, "%" PRIu64 " delivered, 0 failed", n_delivered);
    if (produce->refused && (n_failed > 0 || !complete))
        return CLI_EXIT_REFUSED;
    return n_failed > 0 || !complete || produce->aborted ? CLI_EXIT_FAILED : CLI_EXIT_DONE;
}

static int produce_run(struct produce *produce)
{
    struct cli_session *session = &produce->session;
    struct kw_error error = {0};
    char text[352];
    bool complete = true;
    int rc = kw_producer_create(&produce->producer, session->client, NULL, &error);

    if (rc == 0)
        rc = kw_topic_open(&produce->topic, produce->producer, produce->options.topic, &error);
    if (rc) {
        error.code = rc;
        cli_error_text(&error, text, sizeof(text));
        cli_say(session, "%s", text);
        return rc == KW_ERR_USE ? CLI_EXIT_USAGE : cli_error_exit(&error);
    }
    rc = cli_topic_await(session, produce->topic);
    if (rc < 0 && cli_transaction_wanted(produce->producer)) {
        rc = cli_transaction_begin(session, produce->producer);
        produce->transaction = rc < 0;
    }
    if (rc >= 0)
        return rc;
    cli_pace_init(&produce->pace, (uint64_t)produce->options.rate, cli_now_us());
    produce_progress_begin(produce);
    if (produce->files.n == 0)
        complete = produce_input(produce, "-");
    for (size_t i = 0; i < produce->files.n && !produce_stopped(produce); i++)
        complete &= produce_input(produce, produce->files.items[i].text);
    cli_progress_end(&produce->progress, produce->n_bytes, produce->n_read, cli_now_us());
    produce_finish(produce, complete);
    return produce_summary(produce, complete && !produce->interrupted);
}

/* ---- the command line ---------------------------------------------------- */

static bool produce_delimiter(const char *text, struct kw_bytes *out)
{
    char *buf = malloc(strlen(text) + 1);
    long len = buf ? cli_unescape(text, buf) : -1;

    *out = (struct kw_bytes){buf, len > 0 ? (size_t)len : 0};
    return len > 0;
}

/* Returns -1 or an exit code. */
static int produce_check(struct produce *produce)
{
    const struct produce_options *options = &produce->options;
    const struct cli_command *command = &produce_command;

    if (!options->topic)
        return cli_usage_error(command, "no topic: give -t NAME");
    if (options->json && (options->key_delimiter || options->key_null || options->value_null))
        return cli_usage_error(command, "--json carries keys and nulls itself: it excludes -K, "
                                        "--key-null and --value-null");
    if (options->key_null && !options->key_delimiter)
        return cli_usage_error(command, "--key-null needs keys: give -K DELIM");
    if (options->lines && produce->files.n == 0)
        return cli_usage_error(command, "-l needs a FILE; stdin is read by lines anyway");
    if (options->delimiter && produce->files.n > 0 && !options->lines && !options->json)
        return cli_usage_error(command, "-D with a FILE needs -l: without it a FILE is one record");
    if (options->key_delimiter && produce->files.n > 0 && !options->lines)
        return cli_usage_error(command, "-K with a FILE needs -l: without it a FILE is one record");
    if (!produce_delimiter(options->delimiter ? options->delimiter : "\\n", &produce->delimiter))
        return cli_usage_error(command, "-D '%s' is empty or has an unknown escape",
                               options->delimiter);
    if (options->key_delimiter &&
        !produce_delimiter(options->key_delimiter, &produce->key_delimiter))
        return cli_usage_error(command, "-K '%s' is empty or has an unknown escape",
                               options->key_delimiter);
    produce->headers = calloc(options->headers.n + 1, sizeof(*produce->headers));
    if (!produce->headers)
        return cli_usage_error(command, "out of memory");
    for (size_t i = 0; i < options->headers.n; i++) {
        const char *text = options->headers.items[i].text, *equals = strchr(text, '=');
        struct kw_header *header = &produce->headers[i];
        header->key = (struct kw_bytes){text, equals ? (size_t)(equals - text) : strlen(text)};
        if (equals)
            header->value = (struct kw_bytes){equals + 1, strlen(equals + 1)};
        if (header->key.len == 0)
            return cli_usage_error(command, "-H '%s' has no name", text);
    }
    return -1;
}

static void produce_free(struct produce *produce)
{
    cli_list_free(&produce->files);
    cli_list_free(&produce->options.headers);
    cli_list_free(&produce->options.common.settings);
    cli_input_deinit(&produce->input);
    cli_json_deinit(&produce->json);
    free(produce->headers);
    free((void *)(uintptr_t)produce->delimiter.ptr);
    free((void *)(uintptr_t)produce->key_delimiter.ptr);
    free(produce);
}

int cli_produce(int argc, char **argv)
{
    struct produce *produce = calloc(1, sizeof(*produce));
    struct kw_config *cfg = NULL;
    int rc;

    if (!produce)
        return cli_usage_error(&produce_command, "out of memory");
    produce->options.common.timeout_ms = -1;
    produce->options.partition = -1;
    produce->options.drain_ms = 5000;
    produce->input.fd = -1;
    produce->session.command = &produce_command;
    produce->session.common = &produce->options.common;
    produce->session.on_event = produce_on_event;
    produce->session.ctx = produce;
    rc = cli_options_parse(&produce_command, argc, argv, &produce->options, &produce->files);
    if (rc < 0)
        rc = produce_check(produce);
    if (rc < 0)
        rc = cli_session_config(&produce->session, &cfg);
    if (rc < 0)
        rc = cli_session_set(&produce->session, cfg, "-z", "compression.type",
                             produce->options.codec);
    if (rc < 0)
        rc = cli_session_set(&produce->session, cfg, "-T", "transactional.id",
                             produce->options.transaction);
    /* Each outcome is counted, whatever a file for another program says. */
    if (rc < 0)
        rc = cli_session_set(&produce->session, cfg, "kw produce", "delivery.report.only.error",
                             "false");
    if (rc < 0)
        rc = cli_session_open(&produce->session, cfg);
    kw_config_destroy(cfg);
    if (rc < 0) {
        rc = produce_run(produce);
        cli_session_close(&produce->session);
    }
    produce_free(produce);
    return rc;
}
