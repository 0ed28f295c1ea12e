/* cli/consume.c -- kw consume: prints the records of a topic's partitions.
 *
 * Asks for the metadata first: it names the partitions, and a cluster that
 * cannot be reached ends the command by a deadline instead of a silent wait. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/kwire.h>

#include "cli/commands.h"
#include "cli/format.h"
#include "cli/given.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/signals.h"

enum {
    CONSUME_CLOSE_MS = 10000,
    CONSUME_NONE = 2 /* auto.offset.reset=none, by number */
};

struct consume_options {
    struct cli_common common;
    const char *topic, *partitions, *offset, *format, *isolation, *key_delimiter, *key_null,
        *value_null, *group;
    int64_t count;
    bool exit_at_end, json;
};

static const struct cli_option consume_table[] = {
    {'t', CLI_KIND_TEXT, "topic", "NAME", offsetof(struct consume_options, topic), 0, 0,
     "topic to read"},
    {'p', CLI_KIND_TEXT, "partitions", "N,...", offsetof(struct consume_options, partitions), 0, 0,
     "partitions (default: all)"},
    {'G', CLI_KIND_TEXT, "group", "GROUP", offsetof(struct consume_options, group), 0, 0,
     "be a member of GROUP, which shares the partitions out, and commit what was printed; -o says "
     "beginning or end, for partitions of which nothing is committed. One TOPIC that begins with ^ "
     "is a pattern, which the broker matches (-X group.protocol=consumer)"},
    {'o', CLI_KIND_TEXT, "offset", "WHERE", offsetof(struct consume_options, offset), 0, 0,
     "where to begin in each partition: beginning (default), end, an offset, -N (N before the "
     "end), @MS (first record at or after that Unix time in ms)"},
    {'c', CLI_KIND_INT, "count", "N", offsetof(struct consume_options, count), 1, INT64_MAX,
     "exit after N records"},
    {'e', CLI_KIND_FLAG, "exit", NULL, offsetof(struct consume_options, exit_at_end), 0, 0,
     "exit when every partition was read to its end"},
    {'f', CLI_KIND_TEXT, "format", "FORMAT", offsetof(struct consume_options, format), 0, 0,
     "print each record by FORMAT: see below"},
    {'J', CLI_KIND_FLAG, "json", NULL, offsetof(struct consume_options, json), 0, 0,
     "print each record as a line of JSON, which 'kw produce --json' reads"},
    {'K', CLI_KIND_TEXT, "key-delimiter", "DELIM", offsetof(struct consume_options, key_delimiter),
     0, 0, "print the key and DELIM before the value"},
    {0, CLI_KIND_TEXT, "key-null", "S", offsetof(struct consume_options, key_null), 0, 0,
     "print S for a null key"},
    {'Z', CLI_KIND_TEXT, "value-null", "S", offsetof(struct consume_options, value_null), 0, 0,
     "print S for a null value"},
    {0, CLI_KIND_TEXT, "isolation", "LEVEL", offsetof(struct consume_options, isolation), 0, 0,
     "read_uncommitted or read_committed (isolation.level)"},
    {0, CLI_KIND_INT, "timeout", "MS", offsetof(struct consume_options, common.timeout_ms), 1,
     INT32_MAX, "how long to wait for the cluster at the start (default 30000)"},
};

static const struct cli_command consume_command = {
    .name = "kw consume",
    .usage = "-b BROKERS (-t TOPIC | -G GROUP TOPIC...) [OPTIONS]",
    .about = "Prints the records of a topic to stdout, by default each value and a newline. "
             "Ends with 'N records' on stderr; without -e or -c it goes on until Ctrl-C.",
    .notes = "FORMAT: %t topic, %p partition, %o offset, %T timestamp in ms, %k key, %K its\n"
             "length, %s value, %S its length (-1: null), %h headers as name=value,..., %%;\n"
             "escapes \\n \\t \\r \\0 \\\\ \\xHH.\n",
    .examples =
        "  kw consume -b 127.0.0.1:9092 -t numbers -e\n"
        "  kw consume -b 127.0.0.1:9092 -t users -K : -p 0,1 -o -10 -e\n"
        "  kw consume -b 127.0.0.1:9092 -t users -o @1700000000000 -c 5 -J\n"
        "  kw consume -b 127.0.0.1:9092 -t users -f '%p/%o %T %k = %s\\n'\n"
        "  kw consume -b 127.0.0.1:9092 -G printers orders users -e\n"
        "  kw consume -b 127.0.0.1:9092 -G printers -X group.protocol=consumer '^logs-.*'\n",
    .options = consume_table,
    .n_options = sizeof(consume_table) / sizeof(consume_table[0]),
    .with_common = true,
    .with_arguments = true,
};

struct consume {
    struct consume_options options;
    struct cli_session session;
    struct kw_consumer *consumer;
    struct kw_start start; /* kind and value of -o */
    struct kw_start *starts;
    bool *ended; /* by index of starts */
    size_t n_starts, n_ended;
    uint64_t n_records, n_errors;
    bool refused; /* by authorization */
    bool resets;  /* auto.offset.reset is not none */
    struct cli_format format;
    struct cli_output output;
    struct cli_list topics; /* of -G */
    struct cli_given given; /* by the group */
    bool refused_by_group;
};

/* ---- events -------------------------------------------------------------- */

static void consume_partition_ended(struct consume *consume, int32_t partition)
{
    for (size_t i = 0; i < consume->n_starts; i++) {
        if (consume->starts[i].partition == partition && !consume->ended[i]) {
            consume->ended[i] = true;
            consume->n_ended++;
        }
    }
}

static void consume_ended(struct consume *consume, const struct kw_event *event)
{
    if (consume->options.group)
        cli_given_ended(&consume->given, event);
    else
        consume_partition_ended(consume, event->partition);
}

/* What is printed was released as done before the event came: it is committed with the
 * acknowledgement. */
static void consume_on_rebalance(struct consume *consume, const struct kw_event *event)
{
    if (event->kind == KW_EVENT_ASSIGNED)
        cli_given_add(&consume->given, event);
    else
        cli_given_remove(&consume->given, event);
    if (event->kind == KW_EVENT_LOST)
        cli_say(&consume->session, "%zu partitions are lost: %s", event->n_partitions,
                event->error->text);
    if (event->kind == KW_EVENT_REVOKED && kw_rebalance_ack(consume->consumer))
        cli_say(&consume->session, "partitions were given up without a commit");
}

/* What was lost is told, and the partition read from where auto.offset.reset says. */
static bool consume_goes_on(const struct consume *consume, int code)
{
    return consume->resets && (code == KW_ERR_TRUNCATED || code == KW_ERR_RECREATED);
}

/* A partition cannot be read any further, or not from where it was; or the group does not
 * want us. */
static void consume_on_refusal(struct consume *consume, const struct kw_event *event)
{
    cli_say_final(&consume->session, event->error);
    consume->n_errors++;
    consume->refused |= cli_refusal(event->error->code, event->error->kafka_code);
    if (event->topic_name && consume_goes_on(consume, event->error->code))
        return;
    if (event->topic_name) /* it has no end to wait for */
        consume_ended(consume, event);
    else
        consume->refused_by_group |= consume->options.group != NULL;
}

static void consume_on_event(void *ctx, const struct kw_event *event)
{
    struct consume *consume = ctx;

    if (event->kind == KW_EVENT_ASSIGNED || event->kind == KW_EVENT_REVOKED ||
        event->kind == KW_EVENT_LOST) {
        consume_on_rebalance(consume, event);
        return;
    }
    if (event->kind == KW_EVENT_COMMIT_FAILED) {
        cli_say(&consume->session, "%s", event->error->text);
        consume->n_errors++;
        return;
    }
    if (event->kind == KW_EVENT_PARTITION_EOF)
        consume_ended(consume, event);
    if (event->kind == KW_EVENT_ERROR && event->consumer && !event->error->retriable)
        consume_on_refusal(consume, event);
}

/* ---- records ------------------------------------------------------------- */

/* While whoever reads our output is slow, the membership goes on: heartbeats, commits.
 * Events wait until the handle that is being printed was released. */
static int consume_wait_output(void *ctx, int fd)
{
    const struct consume *consume = ctx;
    struct kw_client *client = consume->session.client;
    struct pollfd fds[2] = {{fd, POLLOUT, 0}, {kw_client_fd(client), POLLIN, 0}};

    while (cli_signals_count() <= 1) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return errno;
        if (fds[0].revents)
            return 0;
        (void)!kw_client_process(client, 0);
    }
    return EINTR;
}

/* Prints what is ready. Returns false when -c or the output say that it is enough. What was
 * printed is done, and nothing else: no handle holds more than -c leaves. */
static bool consume_take(struct consume *consume)
{
    uint64_t limit = consume->options.count > 0 ? (uint64_t)consume->options.count : UINT64_MAX;
    const struct kw_consumed *record;
    struct kw_records *records;
    enum kw_done done;
    size_t max;

    for (;;) {
        uint64_t left = limit - consume->n_records;
        max = limit == UINT64_MAX ? 0 : left < SIZE_MAX ? (size_t)left : SIZE_MAX;
        if (kw_consumer_poll(consume->consumer, &records, max) != 1)
            return true;
        int32_t partition = kw_records_partition(records);
        const char *topic = kw_records_topic(records);
        while ((record = kw_records_next(records))) {
            if (consume->options.json)
                cli_json_consumed(&consume->output, topic, partition, record);
            else
                cli_format_print(&consume->format, &consume->output, topic, partition, record);
            consume->n_records++;
        }
        done = consume->options.group && cli_output_flush(&consume->output) ? KW_NOT_DONE : KW_DONE;
        kw_records_release(records, done);
        if (consume->n_records >= limit || consume->output.os_err || cli_signals_count())
            return false;
        cli_session_pump(&consume->session, 0);
    }
}

static void consume_loop(struct consume *consume)
{
    uint64_t n_before;

    for (;;) {
        n_before = consume->n_records;
        if (!consume_take(consume))
            return;
        bool all = consume->options.exit_at_end &&
                   (consume->options.group ? cli_given_all_ended(&consume->given)
                                           : consume->n_ended == consume->n_starts);
        if (consume->refused_by_group)
            return;
        if (all && consume->n_records == n_before)
            return;
        if (cli_output_flush(&consume->output) || cli_signals_count())
            return;
        cli_session_pump(&consume->session, all ? 0 : -1);
    }
}

/* ---- start --------------------------------------------------------------- */

/* Reads "3,0,7" into starts; the topic has n_partitions. Returns -1 or an exit code. */
static int consume_parse_partitions(struct consume *consume, uint32_t n_partitions)
{
    const char *text = consume->options.partitions;
    bool more = true;

    while (more) {
        char number[12];
        int64_t partition;
        size_t len = strcspn(text, ",");

        snprintf(number, sizeof(number), "%.*s", (int)(len < 11 ? len : 11), text);
        if (len > 10 || !cli_parse_int(number, 0, INT32_MAX, &partition))
            return cli_usage_error(&consume_command, "-p '%s' is not a list of partitions",
                                   consume->options.partitions);
        more = text[len] == ',';
        text += len + 1;
        if (n_partitions == 0)
            continue;
        if (partition >= n_partitions) {
            cli_say(&consume->session, "topic %s has no partition %s: it has 0 to %u",
                    consume->options.topic, number, n_partitions - 1);
            return CLI_EXIT_FAILED;
        }
        for (size_t i = 0; i < consume->n_starts; i++)
            if (consume->starts[i].partition == partition)
                return cli_usage_error(&consume_command, "-p names partition %s twice", number);
        consume->starts[consume->n_starts] = consume->start;
        consume->starts[consume->n_starts++].partition = (int32_t)partition;
    }
    return -1;
}

static int consume_partitions(struct consume *consume, const struct kw_meta_topic *topic)
{
    uint32_t n = topic->n_partitions;

    if (topic->kafka_code) {
        return cli_topic_refused(&consume->session, consume->options.topic, topic->kafka_code, "");
    }
    consume->starts = calloc(n + 1, sizeof(*consume->starts));
    consume->ended = calloc(n + 1, sizeof(*consume->ended));
    if (!consume->starts || !consume->ended)
        return cli_usage_error(&consume_command, "out of memory");
    if (consume->options.partitions)
        return consume_parse_partitions(consume, n);
    for (uint32_t i = 0; i < n; i++) {
        consume->starts[i] = consume->start;
        consume->starts[i].partition = topic->partitions[i].id;
    }
    consume->n_starts = n;
    return -1;
}

/* -1: begun; else the exit code, and the reason was said. */
static int consume_begun(struct consume *consume, int rc, struct kw_error *error)
{
    char text[352];

    if (rc == 0)
        return -1;
    error->code = rc;
    cli_error_text(error, text, sizeof(text));
    cli_say(&consume->session, "%s", text);
    return cli_error_exit(error);
}

static int consume_assign(struct consume *consume)
{
    struct kw_error error = {0};
    int rc = kw_consumer_create(&consume->consumer, consume->session.client, NULL, &error);

    if (rc == 0)
        rc = kw_assign(consume->consumer, consume->starts, consume->n_starts, &error);
    return consume_begun(consume, rc, &error);
}

/* The pattern that is subscribed to, or NULL. */
static const char *consume_pattern(const struct consume *consume)
{
    const char *text = consume->topics.items[0].text;

    return consume->topics.n == 1 && *text == '^' ? text : NULL;
}

/* Joins the group. As consume_assign. */
static int consume_subscribe(struct consume *consume)
{
    struct kw_error error = {0};
    const char **topics = calloc(consume->topics.n, sizeof(*topics));
    int rc;

    if (!topics)
        return cli_usage_error(&consume_command, "out of memory");
    for (size_t i = 0; i < consume->topics.n; i++)
        topics[i] = consume->topics.items[i].text;
    rc = kw_consumer_create(&consume->consumer, consume->session.client, NULL, &error);
    if (rc == 0 && consume_pattern(consume))
        rc = kw_consumer_subscribe_pattern(consume->consumer, consume_pattern(consume), &error);
    else if (rc == 0)
        rc = kw_consumer_subscribe(consume->consumer, topics, consume->topics.n, &error);
    free(topics);
    return consume_begun(consume, rc, &error);
}

/* Commits what was printed and leaves the group. */
static void consume_leave(struct consume *consume)
{
    struct cli_op op = {0};

    cli_session_wait(&consume->session, kw_close(consume->session.client, CONSUME_CLOSE_MS, &op),
                     &op, false);
    if (op.code && !consume->refused_by_group) {
        cli_say(&consume->session, "the last commit did not get through: %s", op.error.text);
        consume->n_errors++;
    }
}

static int consume_as_member(struct consume *consume)
{
    struct kw_admin_result *result;
    int rc = cli_session_metadata(&consume->session,
                                  consume_pattern(consume) ? NULL : consume->topics.items[0].text,
                                  &result);

    if (rc >= 0)
        return rc;
    kw_admin_result_destroy(result);
    rc = consume_subscribe(consume);
    if (rc >= 0)
        return rc;
    cli_output_set_wait(&consume->output, consume_wait_output, consume);
    consume_loop(consume);
    /* What could not be printed is not committed. */
    if (cli_output_flush(&consume->output) == 0)
        consume_leave(consume);
    rc = cli_output_finish(&consume->output, consume_command.name,
                           consume->refused        ? CLI_EXIT_REFUSED
                           : consume->n_errors > 0 ? CLI_EXIT_FAILED
                                                   : CLI_EXIT_DONE);
    cli_note(&consume->session, "%" PRIu64 " record%s", consume->n_records,
             consume->n_records == 1 ? "" : "s");
    return rc;
}

static int consume_run(struct consume *consume)
{
    struct kw_admin_result *result;
    int rc = cli_session_metadata(&consume->session, consume->options.topic, &result);

    if (rc >= 0)
        return rc;
    if (result->n_topics == 1) {
        rc = consume_partitions(consume, &result->topics[0]);
    } else {
        cli_say(&consume->session, "the broker knows no topic %s", consume->options.topic);
        rc = CLI_EXIT_FAILED;
    }
    kw_admin_result_destroy(result);
    if (rc < 0)
        rc = consume_assign(consume);
    if (rc >= 0)
        return rc;
    consume_loop(consume);
    rc = cli_output_finish(&consume->output, consume_command.name,
                           consume->refused        ? CLI_EXIT_REFUSED
                           : consume->n_errors > 0 ? CLI_EXIT_FAILED
                                                   : CLI_EXIT_DONE);
    cli_note(&consume->session, "%" PRIu64 " record%s", consume->n_records,
             consume->n_records == 1 ? "" : "s");
    return rc;
}

/* ---- the command line ---------------------------------------------------- */

static bool consume_parse_offset(const char *text, struct kw_start *start)
{
    static const struct {
        const char *name;
        uint8_t kind;
    } names[] = {{"beginning", KW_START_EARLIEST},
                 {"earliest", KW_START_EARLIEST},
                 {"end", KW_START_LATEST},
                 {"latest", KW_START_LATEST}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i].name) == 0) {
            start->kind = names[i].kind;
            return true;
        }
    }
    start->kind = *text == '@'   ? KW_START_TIMESTAMP
                  : *text == '-' ? KW_START_TAIL
                                 : KW_START_OFFSET;
    return cli_parse_int(text + (start->kind != KW_START_OFFSET), 0, INT64_MAX, &start->value);
}

/* Compiles the output format: -f, or what -K or nothing at all stand for. */
static int consume_compile(struct consume *consume)
{
    const struct consume_options *options = &consume->options;
    struct cli_format *format = &consume->format;
    char plain[256] = "%s\\n";
    const char *text = options->format ? options->format : plain;
    size_t at = 0;

    if (options->key_delimiter) {
        char delimiter[sizeof(plain) - 8] = {0};
        size_t len = 0;
        /* A percent sign of the delimiter is none of the format's. */
        for (const char *c = options->key_delimiter; *c && len + 3 < sizeof(delimiter); c++) {
            if (*c == '%')
                delimiter[len++] = '%';
            delimiter[len++] = *c;
        }
        snprintf(plain, sizeof(plain), "%%k%s%%s\\n", delimiter);
    }
    if (!cli_format_parse(format, text, &at))
        return cli_usage_error(&consume_command, "%s '%s': cannot read it from '%s' on",
                               options->format ? "-f" : "-K", options->format ? text : plain,
                               text + at);
    if (options->key_null)
        format->null_key = (struct kw_bytes){options->key_null, strlen(options->key_null)};
    if (options->value_null)
        format->null_value = (struct kw_bytes){options->value_null, strlen(options->value_null)};
    return -1;
}

static int consume_check(struct consume *consume)
{
    const struct consume_options *options = &consume->options;
    const struct cli_command *command = &consume_command;

    if (options->group) {
        if (options->topic || options->partitions)
            return cli_usage_error(command, "-G excludes -t and -p: name the topics behind it");
        if (consume->topics.n == 0)
            return cli_usage_error(command, "no topic: name them behind -G %s", options->group);
        if (options->offset && strcmp(options->offset, "beginning") != 0 &&
            strcmp(options->offset, "end") != 0)
            return cli_usage_error(command, "-o with -G is beginning or end");
    } else {
        if (consume->topics.n > 0)
            return cli_usage_error(command, "unexpected argument '%s'",
                                   consume->topics.items[0].text);
        if (!options->topic)
            return cli_usage_error(command, "no topic: give -t NAME, or -G GROUP TOPIC...");
    }
    if (options->json &&
        (options->format || options->key_delimiter || options->key_null || options->value_null))
        return cli_usage_error(command, "-J excludes -f, -K, --key-null and --value-null");
    if (options->format && options->key_delimiter)
        return cli_usage_error(command, "-f excludes -K: use %%k in the format");
    if (options->key_delimiter && strlen(options->key_delimiter) > 100)
        return cli_usage_error(command, "-K is longer than 100 bytes");
    consume->start.topic = options->topic;
    if (!consume_parse_offset(options->offset ? options->offset : "beginning", &consume->start))
        return cli_usage_error(command, "-o '%s' is none of beginning, end, OFFSET, -N, @UNIX_MS",
                               options->offset);
    if (options->partitions) {
        int rc = consume_parse_partitions(consume, 0);
        if (rc >= 0)
            return rc;
    }
    return consume_compile(consume);
}

/* What -X and -F may say otherwise: a new group begins where kw consume -t does. */
static const struct cli_default consume_usual[] = {{"auto.offset.reset", "earliest"}, {NULL, NULL}};

int cli_consume(int argc, char **argv)
{
    struct consume *consume = calloc(1, sizeof(*consume));
    struct kw_config *cfg = NULL;
    int rc;

    if (!consume)
        return cli_usage_error(&consume_command, "out of memory");
    consume->options.common.timeout_ms = -1;
    consume->session.command = &consume_command;
    consume->session.common = &consume->options.common;
    consume->session.on_event = consume_on_event;
    consume->session.ctx = consume;
    cli_output_init(&consume->output, STDOUT_FILENO);
    rc = cli_options_parse(&consume_command, argc, argv, &consume->options, &consume->topics);
    if (rc < 0)
        rc = consume_check(consume);
    consume->session.usual = consume->options.group ? consume_usual : NULL;
    if (rc < 0)
        rc = cli_session_config(&consume->session, &cfg);
    if (rc < 0)
        rc = cli_session_set(&consume->session, cfg, "--isolation", "isolation.level",
                             consume->options.isolation);
    if (rc < 0)
        rc = cli_session_set_group(&consume->session, cfg, consume->options.group);
    if (rc < 0 && consume->options.group && consume->options.offset)
        rc = cli_session_set(&consume->session, cfg, "-o", "auto.offset.reset",
                             consume->start.kind == KW_START_LATEST ? "latest" : "earliest");
    consume->resets = rc < 0 && kw_config_number(cfg, KW_KEY_AUTO_OFFSET_RESET) != CONSUME_NONE;
    if (rc < 0)
        rc = cli_session_open(&consume->session, cfg);
    kw_config_destroy(cfg);
    if (rc < 0) {
        rc = consume->options.group ? consume_as_member(consume) : consume_run(consume);
        cli_session_close(&consume->session);
    }
    cli_list_free(&consume->options.common.settings);
    cli_list_free(&consume->topics);
    cli_given_free(&consume->given);
    free(consume->starts);
    free(consume->ended);
    free(consume);
    return rc;
}
