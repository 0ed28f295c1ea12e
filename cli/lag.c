/* cli/lag.c -- kw lag: how far a group is behind, once or (--watch) again and again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/groups.h"
#include "cli/signals.h"
#include "cli/verbs.h"

#define LAG_AT(member) offsetof(struct cli_group_options, member)
enum { LAG_INTERVAL_MS = 2000 };

static const struct cli_option lag_table[] = {
    {'G', CLI_KIND_TEXT, "group", "GROUP", LAG_AT(group), 0, 0, "the group"},
    {0, CLI_KIND_FLAG, "watch", NULL, LAG_AT(watch), 0, 0,
     "print it again and again, until Ctrl-C"},
    {0, CLI_KIND_INT, "interval", "MS", LAG_AT(interval_ms), 100, INT32_MAX,
     "how long --watch waits in between (default 2000)"},
    {'c', CLI_KIND_INT, "count", "N", LAG_AT(count), 1, INT32_MAX, "--watch ends after N times"},
    {'J', CLI_KIND_FLAG, "json", NULL, LAG_AT(json), 0, 0, "one JSON object each time"},
};

static const struct cli_command lag_command = {
    .name = "kw lag",
    .usage = "-b BROKERS -G GROUP [--watch] [-J]",
    .about = "Shows what a group of any type has committed, where the logs end, and what lies "
             "between.",
    .examples = "  kw lag -b 127.0.0.1:9092 -G billing\n"
                "  kw lag -b 127.0.0.1:9092 -G billing --watch --interval 500\n"
                "  kw lag -b 127.0.0.1:9092 -G billing -J | jq .lag\n",
    .options = lag_table,
    .n_options = sizeof(lag_table) / sizeof(lag_table[0]),
    .with_common = true,
};

static const char *lag_check(const struct cli_verb_run *run)
{
    if (!run->options.group)
        return "no group: give -G GROUP";
    if (!run->options.watch && (run->options.interval_ms >= 0 || run->options.count))
        return "--interval and --count need --watch";
    return NULL;
}

static int lag_once(struct cli_verb_run *run)
{
    const char *name = run->options.group;
    struct kw_admin_result *result;
    struct cli_rows rows = {0};
    int rc = cli_groups_describe(&run->session, &name, 1, &result);

    if (rc < 0 && result->groups[0].code)
        rc = cli_group_refused(&run->session, &result->groups[0]);
    if (rc < 0)
        rc = cli_rows_of_group(&run->session, &result->groups[0], &rows);
    if (rc < 0 && run->options.json)
        cli_group_json(&run->output, &result->groups[0], &rows);
    else if (rc < 0)
        cli_rows_print(&run->output, name, &rows);
    cli_rows_free(&rows);
    kw_admin_result_destroy(result);
    return rc;
}

static void lag_wait(struct cli_verb_run *run)
{
    int64_t ms = run->options.interval_ms < 0 ? LAG_INTERVAL_MS : run->options.interval_ms;
    uint64_t end_ms = cli_now_ms() + (uint64_t)ms, now_ms;

    while (!cli_signals_count() && (now_ms = cli_now_ms()) < end_ms)
        cli_session_pump(&run->session, (int32_t)(end_ms - now_ms));
}

/* A pass that fails is told, and the next one follows: brokers come back. */
static int lag_run(struct cli_verb_run *run)
{
    int rc = CLI_EXIT_DONE;

    for (int64_t i = 0; !cli_signals_count(); i++) {
        rc = lag_once(run);
        rc = rc < 0 ? CLI_EXIT_DONE : rc;
        if (!run->options.watch || (run->options.count && i + 1 >= run->options.count) ||
            rc == CLI_EXIT_REFUSED || cli_output_flush(&run->output))
            break;
        lag_wait(run);
        if (!run->options.json && !cli_signals_count())
            cli_output_char(&run->output, '\n');
    }
    return rc;
}

int cli_lag(int argc, char **argv)
{
    static const struct cli_verb verb = {"lag", "", &lag_command, lag_check, lag_run};

    return cli_verb_run(&verb, argc, argv);
}
