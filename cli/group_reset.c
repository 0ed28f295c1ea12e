/* cli/group_reset.c -- kw groups reset: where a group goes on. It looks first, and changes
 * only with --execute; a group that has members is refused, because they would commit over
 * it. New offsets lie within the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/groups.h"
#include "cli/verbs.h"

#define RESET_AT(member) offsetof(struct cli_group_options, member)

static const struct cli_option reset_table[] = {
    {'G', CLI_KIND_TEXT, "group", "GROUP", RESET_AT(group), 0, 0, "the group"},
    {'t', CLI_KIND_LIST, "topic", "TOPIC[:N,N-M]", RESET_AT(topics), 0, 0,
     "a topic, or some of its partitions; may be repeated"},
    {0, CLI_KIND_FLAG, "all-topics", NULL, RESET_AT(all), 0, 0,
     "every partition of which the group has committed an offset"},
    {0, CLI_KIND_TEXT, "to", "WHERE", RESET_AT(to), 0, 0,
     "earliest, latest, an offset, @MS (first record at or after that Unix time in ms), or "
     "by_duration:PT1H30M (first record that is no older, ISO 8601)"},
    {0, CLI_KIND_INT, "shift", "N", RESET_AT(shift), INT64_MIN + 1, INT64_MAX,
     "so many offsets forward of what is committed, or (below 0) back"},
    {0, CLI_KIND_FLAG, "dry-run", NULL, RESET_AT(dry_run), 0, 0,
     "show what would be done (this is the default)"},
    {0, CLI_KIND_FLAG, "execute", NULL, RESET_AT(execute), 0, 0, "do it"},
    {'J', CLI_KIND_FLAG, "json", NULL, RESET_AT(json), 0, 0, "one JSON object a line"},
};

static const struct cli_command reset_command = {
    .name = "kw groups reset",
    .usage = "-b BROKERS -G GROUP (-t TOPIC[:N,N-M]... | --all-topics) (--to WHERE | --shift N) "
             "[--execute]",
    .about = "Shows where a group would go on from, and with --execute sets it. The group must "
             "have no members.",
    .examples = "  kw groups reset -b 127.0.0.1:9092 -G billing -t orders --to earliest\n"
                "  kw groups reset -b 127.0.0.1:9092 -G billing -t orders:0,2 --to @1700000000000 "
                "--execute\n"
                "  kw groups reset -b 127.0.0.1:9092 -G billing --all-topics --shift -100 "
                "--execute\n",
    .options = reset_table,
    .n_options = sizeof(reset_table) / sizeof(reset_table[0]),
    .with_common = true,
};

/* Where to: a kind of kw_start, or to `value` as it is, or by so much. */
struct reset_goal {
    bool is_offset, is_shift;
    uint8_t kind;
    int64_t value;
};

static int64_t reset_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool reset_duration(const char *text, int64_t *ms)
{
    struct kw_config *cfg;
    bool good = false;

    if (strncmp(text, "by_duration:", 12) != 0 || kw_config_new(&cfg))
        return false;
    if (kw_config_set(cfg, "auto.offset.reset", text, NULL) == 0) {
        *ms = -1 - kw_config_number(cfg, KW_KEY_AUTO_OFFSET_RESET);
        good = true;
    }
    kw_config_destroy(cfg);
    return good;
}

static bool reset_parse(const struct cli_group_options *options, struct reset_goal *goal)
{
    const char *to = options->to;
    int64_t ms;

    memset(goal, 0, sizeof(*goal));
    if (!to) {
        goal->is_shift = true;
        goal->value = options->shift;
    } else if (strcmp(to, "earliest") == 0) {
        goal->kind = KW_START_EARLIEST;
    } else if (strcmp(to, "latest") == 0) {
        goal->kind = KW_START_LATEST;
    } else if (*to == '@') {
        goal->kind = KW_START_TIMESTAMP;
        return cli_parse_int(to + 1, 0, INT64_MAX, &goal->value);
    } else if (reset_duration(to, &ms)) {
        goal->kind = KW_START_TIMESTAMP;
        goal->value = reset_now_ms();
        goal->value = ms < goal->value ? goal->value - ms : 0;
    } else {
        goal->is_offset = true;
        return cli_parse_int(to, 0, INT64_MAX, &goal->value);
    }
    return true;
}

static const char *reset_check(const struct cli_verb_run *run)
{
    const struct cli_group_options *options = &run->options;
    struct reset_goal goal;

    if (!options->group)
        return "no group: give -G GROUP";
    if ((options->topics.n > 0) == options->all)
        return "give -t TOPIC, or --all-topics";
    if ((options->to != NULL) == (options->shift != INT64_MIN))
        return "give --to WHERE, or --shift N";
    if (options->dry_run && options->execute)
        return "--dry-run and --execute cannot be combined";
    if (!reset_parse(options, &goal))
        return "--to is earliest, latest, an offset, @MS or by_duration:PnDTnHnMnS";
    return NULL;
}

/* -1 if the group can be reset, which one that does not exist yet can. */
static int reset_group_is_free(struct cli_verb_run *run)
{
    enum { GROUP_ID_NOT_FOUND = 69 };
    struct cli_session *session = &run->session;
    struct kw_admin_result *result;
    const char *name = run->options.group;
    int rc = cli_groups_describe(session, &name, 1, &result);

    if (rc < 0) {
        const struct kw_group_info *info = &result->groups[0];
        if (info->code == KW_ERR_BROKER && info->kafka_code == GROUP_ID_NOT_FOUND) {
            cli_note(session, "group %s does not exist yet", name);
        } else if (info->code) {
            rc = cli_group_refused(session, info);
        } else if (strcmp(info->type, "share") == 0) {
            cli_say(session, "group %s is a share group: its offsets are not committed ones", name);
            rc = CLI_EXIT_FAILED;
        } else if (info->n_members) {
            cli_say(session,
                    "group %s is active: state %s, %u members; stop them first, offsets are only "
                    "reset while nobody commits",
                    name, info->state, info->n_members);
            rc = CLI_EXIT_FAILED;
        }
    }
    kw_admin_result_destroy(result);
    return rc;
}

/* Fills `wanted` of every row; false: of one it cannot be said, which was told. */
static bool reset_place(struct cli_verb_run *run, const struct reset_goal *goal,
                        struct cli_rows *rows)
{
    bool good = true;

    for (size_t i = 0; i < rows->n; i++) {
        struct cli_row *row = &rows->list[i];
        if (row->kafka_code || row->begin < 0 || row->end < 0) {
            cli_say(&run->session, "topic %s partition %d: %s", row->topic, (int)row->partition,
                    kw_kafka_error_name(row->kafka_code));
            good = false;
            continue;
        }
        if (goal->is_offset) {
            row->wanted = goal->value;
        } else if (goal->is_shift && row->committed < 0) {
            cli_say(&run->session,
                    "topic %s partition %d: nothing is committed that could be shifted", row->topic,
                    (int)row->partition);
            good = false;
        } else if (goal->is_shift) {
            bool over = goal->value > 0 && row->committed > INT64_MAX - goal->value;
            row->wanted = over ? row->end : row->committed + goal->value;
        } else if (row->wanted < 0) { /* no record is that young */
            row->wanted = row->end;
        }
        if (row->wanted < row->begin)
            row->wanted = row->begin;
        if (row->wanted > row->end)
            row->wanted = row->end;
    }
    return good;
}

static void reset_print(struct cli_verb_run *run, const struct cli_rows *rows)
{
    static const char *const header[] = {"GROUP",          "TOPIC",      "PARTITION",
                                         "CURRENT-OFFSET", "NEW-OFFSET", "LOG-START-OFFSET",
                                         "LOG-END-OFFSET"};
    struct cli_cells *cells = NULL;

    if (!run->options.json)
        cells = cli_cells_begin(header, sizeof(header) / sizeof(header[0]));
    for (size_t i = 0; i < rows->n; i++) {
        const struct cli_row *row = &rows->list[i];
        if (run->options.json) {
            cli_output_char(&run->output, '{');
            cli_json_text(&run->output, "group", run->options.group);
            cli_output_char(&run->output, ',');
            cli_json_text(&run->output, "topic", row->topic);
            cli_output_char(&run->output, ',');
            cli_json_number(&run->output, "partition", row->partition, true);
            cli_output_char(&run->output, ',');
            cli_json_number(&run->output, "committed", row->committed, row->committed >= 0);
            cli_output_char(&run->output, ',');
            cli_json_number(&run->output, "new", row->wanted, true);
            cli_output_text(&run->output, run->options.execute ? ",\"dry_run\":false}\n"
                                                               : ",\"dry_run\":true}\n");
            continue;
        }
        cli_cells_text(cells, run->options.group);
        cli_cells_text(cells, row->topic);
        cli_cells_number(cells, row->partition, true);
        cli_cells_number(cells, row->committed, row->committed >= 0);
        cli_cells_number(cells, row->wanted, true);
        cli_cells_number(cells, row->begin, true);
        cli_cells_number(cells, row->end, true);
    }
    if (cells)
        cli_cells_end(cells, &run->output);
}

/* The rows that are to be reset, with what is committed of them. */
static int reset_rows(struct cli_verb_run *run, struct cli_rows *rows)
{
    struct cli_rows committed = {0};
    int rc;

    if (run->options.all)
        rc = cli_rows_committed(&run->session, run->options.group, false, rows);
    else
        rc = cli_rows_named(&run->session, &run->options.topics, rows);
    if (rc >= 0)
        return rc;
    cli_rows_sort(rows);
    if (rows->n == 0) {
        cli_say(&run->session, "group %s has committed nothing", run->options.group);
        return CLI_EXIT_FAILED;
    }
    if (!run->options.all) {
        rc = cli_rows_committed(&run->session, run->options.group, false, &committed);
        cli_rows_sort(&committed);
        for (size_t i = 0; rc < 0 && i < rows->n; i++) {
            const struct cli_row *row = cli_rows_find(&committed, rows->list[i].topic,
                                                      rows->list[i].partition);
            if (row)
                rows->list[i].committed = row->committed;
        }
        cli_rows_free(&committed);
    }
    return rc;
}

static int reset_run(struct cli_verb_run *run)
{
    struct cli_session *session = &run->session;
    struct cli_rows rows = {0};
    struct reset_goal goal;
    int rc = reset_group_is_free(run);

    (void)reset_parse(&run->options, &goal);
    if (rc < 0)
        rc = reset_rows(run, &rows);
    if (rc < 0)
        rc = cli_rows_ask(session, &rows, KW_START_EARLIEST, 0, offsetof(struct cli_row, begin));
    if (rc < 0)
        rc = cli_rows_ask(session, &rows, KW_START_LATEST, 0, offsetof(struct cli_row, end));
    if (rc < 0 && !goal.is_offset && !goal.is_shift)
        rc = cli_rows_ask(session, &rows, goal.kind, goal.value, offsetof(struct cli_row, wanted));
    if (rc < 0 && !reset_place(run, &goal, &rows))
        rc = CLI_EXIT_FAILED;
    if (rc < 0)
        reset_print(run, &rows);
    if (rc < 0 && run->options.execute)
        rc = cli_rows_commit(session, run->options.group, &rows);
    else if (rc < 0)
        cli_note(session, "nothing was changed: --execute does it");
    cli_rows_free(&rows);
    return rc < 0 ? CLI_EXIT_DONE : rc;
}

const struct cli_verb cli_verb_reset = {"reset", "set where a group goes on, or show it first",
                                        &reset_command, reset_check, reset_run};
