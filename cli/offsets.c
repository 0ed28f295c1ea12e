/* cli/offsets.c -- kw offsets: get, set, delete; reset as kw groups reset. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/groups.h"
#include "cli/verbs.h"

#define OFFSETS_AT(member) offsetof(struct cli_group_options, member)
#define OFFSETS_GROUP                                                              \
    {                                                                              \
        'G', CLI_KIND_TEXT, "group", "GROUP", OFFSETS_AT(group), 0, 0, "the group" \
    }

static const struct cli_option offsets_get_table[] = {
    {'G', CLI_KIND_TEXT, "group", "GROUP", OFFSETS_AT(group), 0, 0,
     "what this group has committed (without -G: where the logs begin and end)"},
    {'t', CLI_KIND_LIST, "topic", "TOPIC[:N,N-M]", OFFSETS_AT(topics), 0, 0,
     "a topic, or some of its partitions; may be repeated (with -G the default is all)"},
    {0, CLI_KIND_TEXT, "at", "@MS", OFFSETS_AT(at), 0, 0,
     "without -G: also the first record at or after that Unix time in ms"},
    {'J', CLI_KIND_FLAG, "json", NULL, OFFSETS_AT(json), 0, 0, "one JSON object a line"},
};
static const struct cli_option offsets_set_table[] = {OFFSETS_GROUP};
static const struct cli_option offsets_delete_table[] = {
    OFFSETS_GROUP,
    {'t', CLI_KIND_LIST, "topic", "TOPIC[:N,N-M]", OFFSETS_AT(topics), 0, 0,
     "a topic, or some of its partitions; may be repeated"},
};

#define OFFSETS_TABLE(table) .options = table, .n_options = sizeof(table) / sizeof((table)[0])

static const struct cli_command offsets_get_command = {
    .name = "kw offsets get",
    .usage = "-b BROKERS (-G GROUP [-t TOPIC[:N,N-M]]... | -t TOPIC... [--at @MS]) [-J]",
    .about = "Prints what a group has committed, or where logs begin and end.",
    .examples = "  kw offsets get -b 127.0.0.1:9092 -G billing\n"
                "  kw offsets get -b 127.0.0.1:9092 -t orders --at @1700000000000\n",
    .with_common = true,
    OFFSETS_TABLE(offsets_get_table),
};
static const struct cli_command offsets_set_command = {
    .name = "kw offsets set",
    .usage = "-b BROKERS -G GROUP TOPIC:PARTITION=OFFSET...",
    .about = "Commits offsets for a group that has no members, as they are given. kw groups reset "
             "shows first what it would do, and keeps within the log.",
    .examples = "  kw offsets set -b 127.0.0.1:9092 -G billing orders:0=42 orders:1=17\n",
    .with_common = true,
    .with_arguments = true,
    OFFSETS_TABLE(offsets_set_table),
};
static const struct cli_command offsets_delete_command = {
    .name = "kw offsets delete",
    .usage = "-b BROKERS -G GROUP -t TOPIC[:N,N-M]...",
    .about = "Forgets what a group has committed of topics that no member subscribes to.",
    .examples = "  kw offsets delete -b 127.0.0.1:9092 -G billing -t orders:3\n",
    .with_common = true,
    OFFSETS_TABLE(offsets_delete_table),
};

/* ---- changing --------------------------------------------------------------- */

/* Does it to all rows; says which failed. */
static int offsets_change(struct cli_session *session, const char *group,
                          const struct cli_rows *rows, uint8_t kind)
{
    struct kw_offset *offsets = calloc(rows->n + 1, sizeof(*offsets));
    struct kw_admin_request request = {.size = sizeof(request),
                                       .kind = kind,
                                       .groups = &group,
                                       .n_groups = 1,
                                       .offsets = offsets,
                                       .n_offsets = (uint32_t)rows->n};
    struct kw_admin_result *result;
    unsigned n_failed = 0;
    bool is_refused = false;
    int rc;

    if (!offsets)
        return cli_usage_error(session->command, "out of memory");
    for (size_t i = 0; i < rows->n; i++)
        offsets[i] = (struct kw_offset){.topic = rows->list[i].topic,
                                        .partition = rows->list[i].partition,
                                        .leader_epoch = -1,
                                        .offset = rows->list[i].wanted};
    rc = cli_admin(session, &request, &result, group);
    for (uint32_t i = 0; result && i < result->n_offsets; i++) {
        const struct kw_offset *offset = &result->offsets[i];
        bool active = offset->kafka_code == 25; /* UNKNOWN_MEMBER_ID: others are members */
        if (!offset->kafka_code)
            continue;
        n_failed++;
        is_refused |= cli_refusal(0, offset->kafka_code);
        cli_say(session, "topic %s partition %d: %s%s", offset->topic, (int)offset->partition,
                kw_kafka_error_name(offset->kafka_code),
                active ? " (the group is active: stop its members first)" : "");
    }
    if (rc < 0)
        cli_note(session, "%zu %s, %u failed", rows->n - n_failed,
                 kind == KW_ADMIN_SET_OFFSETS ? "set" : "deleted", n_failed);
    kw_admin_result_destroy(result);
    free(offsets);
    if (rc >= 0)
        return rc;
    return is_refused ? CLI_EXIT_REFUSED : n_failed ? CLI_EXIT_FAILED : -1;
}

int cli_rows_commit(struct cli_session *session, const char *group, const struct cli_rows *rows)
{
    return offsets_change(session, group, rows, KW_ADMIN_SET_OFFSETS);
}

/* ---- get ------------------------------------------------------------------- */

static const char *offsets_get_check(const struct cli_verb_run *run)
{
    int64_t ms;

    if (!run->options.group && run->options.topics.n == 0)
        return "give -G GROUP, or -t TOPIC";
    if (run->options.at && run->options.group)
        return "--at is about logs, -G about a group";
    if (run->options.at &&
        (*run->options.at != '@' || !cli_parse_int(run->options.at + 1, 0, INT64_MAX, &ms)))
        return "--at is @ and a Unix time in ms";
    return NULL;
}

/* What a column of the table is called in JSON, and where it is. */
struct offsets_column {
    const char *title, *name;
    size_t offset;
};
static const struct offsets_column offsets_committed[] = {
    {"CURRENT-OFFSET", "committed", offsetof(struct cli_row, committed)}};
static const struct offsets_column offsets_log[] = {
    {"LOG-START-OFFSET", "begin", offsetof(struct cli_row, begin)},
    {"LOG-END-OFFSET", "end", offsetof(struct cli_row, end)},
    {"AT-TIME", "at_time", offsetof(struct cli_row, wanted)}};

static int64_t offsets_value(const struct cli_row *row, const struct offsets_column *column)
{
    int64_t value;

    memcpy(&value, (const char *)row + column->offset, sizeof(value));
    return value;
}

static void offsets_print_json(struct cli_output *out, const struct cli_row *row,
                               const struct offsets_column *columns, size_t n)
{
    cli_output_char(out, '{');
    cli_json_text(out, "topic", row->topic);
    cli_output_char(out, ',');
    cli_json_number(out, "partition", row->partition, true);
    for (size_t i = 0; i < n; i++) {
        int64_t value = offsets_value(row, &columns[i]);
        cli_output_char(out, ',');
        cli_json_number(out, columns[i].name, value, value >= 0);
    }
    cli_output_text(out, "}\n");
}

static void offsets_print(struct cli_verb_run *run, const struct cli_rows *rows,
                          const struct offsets_column *columns, size_t n)
{
    const char *header[8] = {"TOPIC", "PARTITION"};
    struct cli_cells *cells = NULL;

    for (size_t i = 0; i < n; i++)
        header[2 + i] = columns[i].title;
    if (!run->options.json)
        cells = cli_cells_begin(header, 2 + n);
    for (size_t i = 0; i < rows->n; i++) {
        if (run->options.json) {
            offsets_print_json(&run->output, &rows->list[i], columns, n);
            continue;
        }
        cli_cells_text(cells, rows->list[i].topic);
        cli_cells_number(cells, rows->list[i].partition, true);
        for (size_t k = 0; k < n; k++) {
            int64_t value = offsets_value(&rows->list[i], &columns[k]);
            cli_cells_number(cells, value, value >= 0);
        }
    }
    if (cells)
        cli_cells_end(cells, &run->output);
}

static int offsets_get_group(struct cli_verb_run *run, struct cli_rows *rows)
{
    struct cli_rows named = {0};
    int rc = cli_rows_committed(&run->session, run->options.group, false, rows);

    if (rc < 0)
        cli_rows_sort(rows);
    if (rc < 0 && run->options.topics.n)
        rc = cli_rows_named(&run->session, &run->options.topics, &named);
    for (size_t i = 0; rc < 0 && i < named.n; i++) {
        const struct cli_row *row = cli_rows_find(rows, named.list[i].topic,
                                                  named.list[i].partition);
        if (row)
            named.list[i].committed = row->committed;
    }
    if (rc < 0)
        offsets_print(run, run->options.topics.n ? &named : rows, offsets_committed, 1);
    cli_rows_free(&named);
    return rc;
}

static int offsets_get_logs(struct cli_verb_run *run, struct cli_rows *rows)
{
    struct cli_session *session = &run->session;
    int64_t ms = 0;
    int rc = cli_rows_named(session, &run->options.topics, rows);

    if (rc < 0)
        rc = cli_rows_ask(session, rows, KW_START_EARLIEST, 0, offsetof(struct cli_row, begin));
    if (rc < 0)
        rc = cli_rows_ask(session, rows, KW_START_LATEST, 0, offsetof(struct cli_row, end));
    if (rc < 0 && run->options.at && cli_parse_int(run->options.at + 1, 0, INT64_MAX, &ms))
        rc = cli_rows_ask(session, rows, KW_START_TIMESTAMP, ms, offsetof(struct cli_row, wanted));
    if (rc < 0)
        offsets_print(run, rows, offsets_log, run->options.at ? 3 : 2);
    for (size_t i = 0; rc < 0 && i < rows->n; i++)
        if (rows->list[i].kafka_code)
            rc = cli_topic_refused(session, rows->list[i].topic, rows->list[i].kafka_code, "");
    return rc;
}

static int offsets_get(struct cli_verb_run *run)
{
    struct cli_rows rows = {0};
    int rc = run->options.group ? offsets_get_group(run, &rows) : offsets_get_logs(run, &rows);

    cli_rows_free(&rows);
    return rc < 0 ? CLI_EXIT_DONE : rc;
}

/* ---- set and delete ----------------------------------------------------------- */

static const char *offsets_set_check(const struct cli_verb_run *run)
{
    if (!run->options.group)
        return "no group: give -G GROUP";
    return run->arguments.n ? NULL : "no offset: give TOPIC:PARTITION=OFFSET";
}

static int offsets_set(struct cli_verb_run *run)
{
    struct cli_rows rows = {0};
    int rc = -1;

    for (size_t i = 0; rc < 0 && i < run->arguments.n; i++) {
        char *text = (char *)(uintptr_t)run->arguments.items[i].text; /* argv may be written */
        char *colon = strchr(text, ':'), *equals = colon ? strchr(colon, '=') : NULL;
        int64_t partition, offset;
        if (equals)
            *colon = *equals = '\0';
        if (!equals || !*text || !cli_parse_int(colon + 1, 0, INT32_MAX, &partition) ||
            !cli_parse_int(equals + 1, 0, INT64_MAX, &offset))
            rc = cli_usage_error(run->session.command, "'%s' is not TOPIC:PARTITION=OFFSET", text);
        else if (!cli_rows_add(&rows, text, (int32_t)partition))
            rc = cli_usage_error(run->session.command, "out of memory");
        else
            rows.list[rows.n - 1].wanted = offset;
    }
    if (rc < 0)
        rc = cli_rows_commit(&run->session, run->options.group, &rows);
    cli_rows_free(&rows);
    return rc < 0 ? CLI_EXIT_DONE : rc;
}

static const char *offsets_delete_check(const struct cli_verb_run *run)
{
    if (!run->options.group)
        return "no group: give -G GROUP";
    return run->options.topics.n ? NULL : "no topic: give -t TOPIC";
}

static int offsets_delete(struct cli_verb_run *run)
{
    struct cli_rows rows = {0};
    int rc = cli_rows_named(&run->session, &run->options.topics, &rows);

    if (rc < 0)
        rc = offsets_change(&run->session, run->options.group, &rows, KW_ADMIN_DELETE_OFFSETS);
    cli_rows_free(&rows);
    return rc < 0 ? CLI_EXIT_DONE : rc;
}

/* ---- the command line --------------------------------------------------------- */

int cli_offsets(int argc, char **argv)
{
    const struct cli_verb verbs[] = {
        {"get", "print committed offsets, or those of logs", &offsets_get_command,
         offsets_get_check, offsets_get},
        {"set", "commit offsets for a group", &offsets_set_command, offsets_set_check, offsets_set},
        {"delete", "forget committed offsets", &offsets_delete_command, offsets_delete_check,
         offsets_delete},
        cli_verb_reset,
    };

    return cli_verbs_run("kw offsets", "Looks at offsets and changes those of groups.", verbs,
                         sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
