/* cli/groups.c -- kw groups: list, describe, delete. Resets are in group_reset.c. */
#include "cli/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/verbs.h"

enum { GROUPS_MAX = 256 };

#define GROUPS_AT(member) offsetof(struct cli_group_options, member)

static const struct cli_option groups_list_table[] = {
    {0, CLI_KIND_LIST, "type", "TYPE", GROUPS_AT(types), 0, 0,
     "only groups of this type: classic, consumer, share, streams; may be repeated"},
    {0, CLI_KIND_LIST, "state", "STATE", GROUPS_AT(states), 0, 0,
     "only groups in this state: Stable, Empty, ...; may be repeated"},
    {'J', CLI_KIND_FLAG, "json", NULL, GROUPS_AT(json), 0, 0, "one JSON object a line"},
};
static const struct cli_option groups_describe_table[] = {
    {0, CLI_KIND_FLAG, "all", NULL, GROUPS_AT(all), 0, 0, "all groups of the cluster"},
    {'J', CLI_KIND_FLAG, "json", NULL, GROUPS_AT(json), 0, 0, "one JSON object a line"},
};

#define GROUPS_TABLE(table) .options = table, .n_options = sizeof(table) / sizeof((table)[0])

static const struct cli_command groups_list_command = {
    .name = "kw groups list",
    .usage = "-b BROKERS [--type TYPE]... [--state STATE]... [-J]",
    .about = "Lists the groups of all brokers: name, type, state, what they are for.",
    .examples = "  kw groups list -b 127.0.0.1:9092\n"
                "  kw groups list -b 127.0.0.1:9092 --state Empty --type classic\n",
    .with_common = true,
    GROUPS_TABLE(groups_list_table),
};
static const struct cli_command groups_describe_command = {
    .name = "kw groups describe",
    .usage = "-b BROKERS (GROUP... | --all) [-J]",
    .about = "Shows groups of any type: state, members with client id and host, what each member "
             "has, what is committed and how far it is behind.",
    .examples = "  kw groups describe -b 127.0.0.1:9092 billing\n"
                "  kw groups describe -b 127.0.0.1:9092 --all -J | jq '{group, state, lag}'\n",
    .with_common = true,
    .with_arguments = true,
    GROUPS_TABLE(groups_describe_table),
};
static const struct cli_command groups_delete_command = {
    .name = "kw groups delete",
    .usage = "-b BROKERS GROUP...",
    .about = "Deletes groups without members, with all that they have committed.",
    .examples = "  kw groups delete -b 127.0.0.1:9092 test-1 test-2\n",
    .with_common = true,
    .with_arguments = true,
};

/* ---- list ---------------------------------------------------------------- */

static void groups_texts(const struct cli_list *list, const char **texts)
{
    for (size_t i = 0; i < list->n && i < GROUPS_MAX; i++)
        texts[i] = list->items[i].text;
}

static int groups_ask_list(struct cli_verb_run *run, struct kw_admin_result **result)
{
    const char *types[GROUPS_MAX], *states[GROUPS_MAX];

    *result = NULL;
    if (run->options.types.n > GROUPS_MAX || run->options.states.n > GROUPS_MAX)
        return cli_usage_error(run->session.command, "more than %d types or states", GROUPS_MAX);
    struct kw_admin_request request = {
        .size = sizeof(request),
        .kind = KW_ADMIN_LIST_GROUPS,
        .types = types,
        .n_types = (uint32_t)run->options.types.n,
        .states = states,
        .n_states = (uint32_t)run->options.states.n,
    };

    groups_texts(&run->options.types, types);
    groups_texts(&run->options.states, states);
    return cli_admin(&run->session, &request, result, "list groups");
}

static void groups_list_json(struct cli_output *out, const struct kw_group_info *info)
{
    cli_output_char(out, '{');
    cli_json_text(out, "group", info->id);
    cli_output_char(out, ',');
    cli_json_text(out, "type", info->type);
    cli_output_char(out, ',');
    cli_json_text(out, "state", info->state);
    cli_output_char(out, ',');
    cli_json_text(out, "protocol_type", info->protocol_type);
    cli_output_char(out, ',');
    cli_json_number(out, "coordinator", info->coordinator, true);
    cli_output_text(out, "}\n");
}

/* What some brokers said is printed, too, when another could not be asked. */
static int groups_list(struct cli_verb_run *run)
{
    static const char *const header[] = {"GROUP", "TYPE", "STATE", "PROTOCOL", "COORDINATOR"};
    struct kw_admin_result *result;
    struct cli_cells *cells = NULL;
    int rc = groups_ask_list(run, &result);

    if (result && !run->options.json)
        cells = cli_cells_begin(header, sizeof(header) / sizeof(header[0]));
    for (uint32_t i = 0; result && i < result->n_groups; i++) {
        const struct kw_group_info *info = &result->groups[i];
        if (run->options.json) {
            groups_list_json(&run->output, info);
            continue;
        }
        cli_cells_text(cells, info->id);
        cli_cells_text(cells, info->type);
        cli_cells_text(cells, info->state);
        cli_cells_text(cells, info->protocol_type);
        cli_cells_number(cells, info->coordinator, info->coordinator >= 0);
    }
    if (cells)
        cli_cells_end(cells, &run->output);
    kw_admin_result_destroy(result);
    return rc < 0 ? CLI_EXIT_DONE : rc;
}

/* ---- describe ------------------------------------------------------------ */

static void describe_assigned(struct cli_output *out, const struct kw_group_member *member)
{
    if (member->unreadable)
        cli_output_text(out, ", its assignment cannot be read");
    for (uint32_t i = 0; i < member->n_assigned; i++) {
        bool same = i && strcmp(member->assigned[i].topic, member->assigned[i - 1].topic) == 0;
        cli_output_text(out, i == 0 ? ", has " : same ? "," : " ");
        if (!same) {
            cli_text_clean(out, member->assigned[i].topic);
            cli_output_char(out, ':');
        }
        cli_output_int(out, member->assigned[i].partition);
    }
    if (member->n_assigned == 0 && !member->unreadable)
        cli_output_text(out, ", has nothing");
}

static void describe_named(struct cli_output *out, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    cli_output_text(out, name);
    cli_text_clean(out, text);
}

static void describe_head(struct cli_output *out, const struct kw_group_info *info)
{
    cli_output_text(out, "group ");
    cli_text_clean(out, info->id);
    describe_named(out, ": type ", info->type);
    describe_named(out, ", state ", info->state);
    describe_named(out, ", protocol ", info->protocol_type);
    describe_named(out, ", assignor ", info->assignor);
    cli_output_text(out, ", coordinator ");
    cli_output_int(out, info->coordinator);
    if (info->epoch >= 0) {
        cli_output_text(out, ", epoch ");
        cli_output_int(out, info->epoch);
    }
    cli_output_text(out, ", members ");
    cli_output_int(out, info->n_members);
    cli_output_char(out, '\n');
    for (uint32_t i = 0; i < info->n_members; i++) {
        const struct kw_group_member *member = &info->members[i];
        describe_named(out, "  member ", member->id);
        describe_named(out, ": client ", member->client_id);
        describe_named(out, ", host ", member->host);
        describe_named(out, ", instance ", member->instance_id);
        describe_named(out, ", rack ", member->rack);
        if (member->epoch >= 0) {
            cli_output_text(out, ", epoch ");
            cli_output_int(out, member->epoch);
        }
        describe_assigned(out, member);
        cli_output_char(out, '\n');
    }
}

static int describe_one(struct cli_verb_run *run, const struct kw_group_info *info)
{
    struct cli_rows rows = {0};
    int rc;

    if (info->code)
        return cli_group_refused(&run->session, info);
    rc = cli_rows_of_group(&run->session, info, &rows);
    if (rc < 0 && run->options.json) {
        cli_group_json(&run->output, info, &rows);
    } else if (rc < 0) {
        describe_head(&run->output, info);
        if (rows.n)
            cli_rows_print(&run->output, info->id, &rows);
    }
    cli_rows_free(&rows);
    return rc < 0 ? CLI_EXIT_DONE : rc;
}

static int groups_describe_names(struct cli_verb_run *run, const char *const *names, uint32_t n)
{
    struct kw_admin_result *result;
    int rc = cli_groups_describe(&run->session, names, n, &result), worst = CLI_EXIT_DONE;

    for (uint32_t i = 0; result && i < result->n_groups; i++) {
        int one = describe_one(run, &result->groups[i]);
        worst = one > worst ? one : worst;
        if (one == CLI_EXIT_NO_BROKER)
            break;
    }
    kw_admin_result_destroy(result);
    return rc < 0 ? worst : rc;
}

static int groups_describe(struct cli_verb_run *run)
{
    struct kw_admin_result *list = NULL;
    const char **names;
    size_t n = run->arguments.n;
    int rc = run->options.all ? groups_ask_list(run, &list) : -1;

    if (list)
        n = list->n_groups;
    names = calloc(n + 1, sizeof(*names));
    if (!names)
        return cli_usage_error(run->session.command, "out of memory");
    for (size_t i = 0; i < n; i++)
        names[i] = list ? list->groups[i].id : run->arguments.items[i].text;
    if (rc < 0)
        rc = n ? groups_describe_names(run, names, (uint32_t)n) : CLI_EXIT_DONE;
    free(names);
    kw_admin_result_destroy(list);
    return rc;
}

static const char *groups_describe_check(const struct cli_verb_run *run)
{
    if (run->options.all && run->arguments.n)
        return "GROUP and --all cannot be combined";
    return run->options.all || run->arguments.n ? NULL : "no group: name one, or give --all";
}

/* ---- delete -------------------------------------------------------------- */

static const char *groups_delete_check(const struct cli_verb_run *run)
{
    return run->arguments.n ? NULL : "no group is named";
}

static int groups_delete(struct cli_verb_run *run)
{
    const char **names = calloc(run->arguments.n, sizeof(*names));
    struct kw_admin_request request = {.size = sizeof(request),
                                       .kind = KW_ADMIN_DELETE_GROUPS,
                                       .groups = names,
                                       .n_groups = (uint32_t)run->arguments.n};
    struct kw_admin_result *result;
    int rc, worst = CLI_EXIT_DONE;

    if (!names)
        return cli_usage_error(run->session.command, "out of memory");
    for (size_t i = 0; i < run->arguments.n; i++)
        names[i] = run->arguments.items[i].text;
    rc = cli_admin(&run->session, &request, &result, "delete groups");
    for (uint32_t i = 0; result && i < result->n_groups; i++) {
        const struct kw_group_info *info = &result->groups[i];
        int one = info->code ? cli_group_refused(&run->session, info) : CLI_EXIT_DONE;
        if (!info->code)
            cli_note(&run->session, "group %s deleted", info->id);
        worst = one > worst ? one : worst;
    }
    kw_admin_result_destroy(result);
    free(names);
    return rc < 0 ? worst : rc;
}

/* ---- the command line ---------------------------------------------------- */

int cli_groups(int argc, char **argv)
{
    const struct cli_verb verbs[] = {
        {"list", "list the groups of all brokers", &groups_list_command, NULL, groups_list},
        {"describe", "show members, assignments and lag", &groups_describe_command,
         groups_describe_check, groups_describe},
        {"delete", "delete groups that have no members", &groups_delete_command,
         groups_delete_check, groups_delete},
        cli_verb_reset,
    };

    return cli_verbs_run("kw groups", "Looks after groups of consumers.", verbs,
                         sizeof(verbs) / sizeof(verbs[0]), argc, argv);
}
