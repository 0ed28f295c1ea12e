/* cli/topics.c -- kw topics: list, describe, create, delete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/kwire.h>

#include "cli/commands.h"
#include "cli/metadata.h"
#include "cli/options.h"
#include "cli/session.h"

struct topics_options {
    struct cli_common common;
    struct cli_list topics, configs;
    int64_t partitions, replication;
    bool internal, json;
};

struct topics_run {
    struct topics_options options;
    struct cli_session session;
    struct cli_output output;
    struct kw_admin_config *configs; /* keys are owned */
};

#define TOPICS_T(does)                                                                           \
    {                                                                                            \
        't', CLI_KIND_LIST, "topic", "NAME", offsetof(struct topics_options, topics), 0, 0, does \
    }
#define TOPICS_J(does)                                                                      \
    {                                                                                       \
        'J', CLI_KIND_FLAG, "json", NULL, offsetof(struct topics_options, json), 0, 0, does \
    }

static const struct cli_option topics_list_table[] = {
    {0, CLI_KIND_FLAG, "internal", NULL, offsetof(struct topics_options, internal), 0, 0,
     "also the internal topics"},
    TOPICS_J("one JSON object a line"),
};
static const struct cli_option topics_describe_table[] = {
    TOPICS_T("topic to describe (default: all); may be repeated"),
    TOPICS_J("one JSON object a line"),
};
static const struct cli_option topics_create_table[] = {
    TOPICS_T("topic to create; may be repeated"),
    {'p', CLI_KIND_INT, "partitions", "N", offsetof(struct topics_options, partitions), 1,
     INT32_MAX, "number of partitions (default: the broker's num.partitions)"},
    {'r', CLI_KIND_INT, "replication", "N", offsetof(struct topics_options, replication), 1,
     INT16_MAX, "replicas of each (default: the broker's default.replication.factor)"},
    {0, CLI_KIND_LIST, "config", "KEY=VALUE", offsetof(struct topics_options, configs), 0, 0,
     "a topic configuration, such as cleanup.policy=compact; may be repeated"},
};
static const struct cli_option topics_delete_table[] = {
    TOPICS_T("topic to delete, with all its records; may be repeated"),
};

#define TOPICS_TABLE(table) .options = table, .n_options = sizeof(table) / sizeof((table)[0])

static const struct cli_command topics_list_command = {
    .name = "kw topics list",
    .usage = "-b BROKERS [--internal] [-J]",
    .about = "Prints the names of all topics, one a line.",
    .examples = "  kw topics list -b 127.0.0.1:9092\n",
    .with_common = true,
    TOPICS_TABLE(topics_list_table),
};
static const struct cli_command topics_describe_command = {
    .name = "kw topics describe",
    .usage = "-b BROKERS [-t TOPIC]... [-J]",
    .about = "Shows the partitions of topics with leader, replicas and in-sync replicas.",
    .examples = "  kw topics describe -b 127.0.0.1:9092 -t users\n",
    .with_common = true,
    TOPICS_TABLE(topics_describe_table),
};
static const struct cli_command topics_create_command = {
    .name = "kw topics create",
    .usage = "-b BROKERS -t TOPIC... [--partitions N] [--replication N] [OPTIONS]",
    .about = "Creates topics.",
    .examples = "  kw topics create -b 127.0.0.1:9092 -t users --partitions 6 --replication 3\n"
                "  kw topics create -b 127.0.0.1:9092 -t last --config cleanup.policy=compact\n",
    .with_common = true,
    TOPICS_TABLE(topics_create_table),
};
static const struct cli_command topics_delete_command = {
    .name = "kw topics delete",
    .usage = "-b BROKERS -t TOPIC...",
    .about = "Deletes topics and their records. There is no way back.",
    .examples = "  kw topics delete -b 127.0.0.1:9092 -t users\n",
    .with_common = true,
    TOPICS_TABLE(topics_delete_table),
};

/* ---- list and describe --------------------------------------------------- */

static int topics_compare(const void *a, const void *b)
{
    const struct kw_meta_topic *left = a, *right = b;

    return strcmp(left->name, right->name);
}

static void topics_print(struct topics_run *run, const struct kw_meta_topic *topic, bool names)
{
    if (run->options.json) {
        cli_metadata_topic_json(&run->output, topic);
        cli_output_char(&run->output, '\n');
    } else if (names) {
        cli_output_text(&run->output, topic->name);
        cli_output_char(&run->output, '\n');
    } else {
        cli_metadata_topic(&run->output, topic);
    }
}

static int topics_all(struct topics_run *run, bool names)
{
    struct kw_admin_result *result;
    int rc = cli_session_metadata(&run->session, NULL, &result);

    if (rc >= 0)
        return rc;
    struct kw_meta_topic *topics = calloc(result->n_topics + 1, sizeof(*topics));
    if (!topics)
        return cli_usage_error(run->session.command, "out of memory");
    if (result->n_topics > 0)
        memcpy(topics, result->topics, result->n_topics * sizeof(*topics));
    qsort(topics, result->n_topics, sizeof(*topics), topics_compare);
    for (uint32_t i = 0; i < result->n_topics; i++)
        if (!topics[i].internal || run->options.internal)
            topics_print(run, &topics[i], names);
    free(topics);
    kw_admin_result_destroy(result);
    return CLI_EXIT_DONE;
}

static int topics_list(struct topics_run *run)
{
    return topics_all(run, true);
}

static int topics_describe_one(struct topics_run *run, const char *name)
{
    struct kw_admin_result *result;
    int rc = cli_session_metadata(&run->session, name, &result);

    if (rc >= 0)
        return rc;
    rc = CLI_EXIT_DONE;
    if (result->n_topics == 0 || result->topics[0].kafka_code) {
        int16_t kafka_code = result->n_topics ? result->topics[0].kafka_code : 3;
        rc = cli_topic_refused(&run->session, name, kafka_code, "");
    } else {
        topics_print(run, &result->topics[0], false);
    }
    kw_admin_result_destroy(result);
    return rc;
}

/* Does it for each -t; ends early when no broker can be reached. */
static int topics_each(struct topics_run *run, int (*one)(struct topics_run *, const char *))
{
    int worst = CLI_EXIT_DONE;

    for (size_t i = 0; i < run->options.topics.n; i++) {
        int rc = one(run, run->options.topics.items[i].text);
        worst = rc > worst ? rc : worst;
        if (rc == CLI_EXIT_NO_BROKER)
            break;
    }
    return worst;
}

static int topics_describe(struct topics_run *run)
{
    if (run->options.topics.n == 0) {
        run->options.internal = true;
        return topics_all(run, false);
    }
    return topics_each(run, topics_describe_one);
}

/* ---- create and delete --------------------------------------------------- */

static int topics_change(struct topics_run *run, const struct kw_admin_request *request,
                         const char *verb, const char *done)
{
    struct cli_session *session = &run->session;
    struct cli_op op = {0};
    char what[300];

    cli_session_wait(session,
                     kw_admin(session->client, request, NULL, cli_session_timeout(session), &op),
                     &op, true);
    if (op.code == 0) {
        cli_note(session, "%s %s", request->topic, done);
        return CLI_EXIT_DONE;
    }
    snprintf(what, sizeof(what), "%s %s", verb, request->topic);
    return cli_session_op_failed(session, &op, what);
}

static int topics_create_one(struct topics_run *run, const char *name)
{
    struct kw_admin_request request = {
        .size = sizeof(request),
        .kind = KW_ADMIN_CREATE_TOPIC,
        .topic = name,
        .partitions = (int32_t)run->options.partitions,
        .replication_factor = (int16_t)run->options.replication,
        .configs = run->configs,
        .n_configs = (uint32_t)run->options.configs.n,
    };

    return topics_change(run, &request, "create", "created");
}

static int topics_delete_one(struct topics_run *run, const char *name)
{
    struct kw_admin_request request = {
        .size = sizeof(request), .kind = KW_ADMIN_DELETE_TOPIC, .topic = name};

    return topics_change(run, &request, "delete", "deleted");
}

static int topics_create(struct topics_run *run)
{
    return topics_each(run, topics_create_one);
}

static int topics_delete(struct topics_run *run)
{
    return topics_each(run, topics_delete_one);
}

/* ---- the command line ---------------------------------------------------- */

struct topics_verb {
    const char *name, *about;
    const struct cli_command *command;
    bool needs_topic;
    int (*run)(struct topics_run *run);
};

static const struct topics_verb topics_verbs[] = {
    {"list", "print the names of all topics", &topics_list_command, false, topics_list},
    {"describe", "show partitions, leaders and replicas", &topics_describe_command, false,
     topics_describe},
    {"create", "create topics", &topics_create_command, true, topics_create},
    {"delete", "delete topics", &topics_delete_command, true, topics_delete},
};
#define TOPICS_N_VERBS (sizeof(topics_verbs) / sizeof(topics_verbs[0]))

static void topics_help(void)
{
    printf("Usage: kw topics VERB [OPTIONS]\n\nLists and changes the topics of a cluster.\n\n"
           "Verbs:\n");
    for (size_t i = 0; i < TOPICS_N_VERBS; i++)
        printf("  %-10s %s\n", topics_verbs[i].name, topics_verbs[i].about);
    printf("\nkw topics VERB --help shows its options.\n\nExamples:\n");
    for (size_t i = 0; i < TOPICS_N_VERBS; i++)
        printf("%s", topics_verbs[i].command->examples);
}

static int topics_parse_configs(struct topics_run *run)
{
    const struct cli_list *list = &run->options.configs;

    run->configs = calloc(list->n + 1, sizeof(*run->configs));
    if (!run->configs)
        return cli_usage_error(run->session.command, "out of memory");
    for (size_t i = 0; i < list->n; i++) {
        const char *text = list->items[i].text, *equals = strchr(text, '=');
        if (!equals || equals == text)
            return cli_usage_error(run->session.command, "--config '%s' is not KEY=VALUE", text);
        run->configs[i].key = strndup(text, (size_t)(equals - text));
        run->configs[i].value = equals + 1;
        if (!run->configs[i].key)
            return cli_usage_error(run->session.command, "out of memory");
    }
    return -1;
}

static int topics_run(struct topics_run *run, const struct topics_verb *verb, int argc, char **argv)
{
    struct cli_list arguments = {0};
    struct kw_config *cfg = NULL;
    int rc = cli_options_parse(verb->command, argc, argv, &run->options, &arguments);

    if (rc < 0 && verb->needs_topic && run->options.topics.n == 0)
        rc = cli_usage_error(verb->command, "no topic: give -t NAME");
    if (rc < 0)
        rc = topics_parse_configs(run);
    if (rc < 0)
        rc = cli_session_config(&run->session, &cfg);
    if (rc < 0)
        rc = cli_session_open(&run->session, cfg);
    kw_config_destroy(cfg);
    if (rc < 0) {
        rc = verb->run(run);
        rc = cli_output_finish(&run->output, verb->command->name, rc);
        cli_session_close(&run->session);
    }
    return rc;
}

int cli_topics(int argc, char **argv)
{
    const struct topics_verb *verb = NULL;
    struct topics_run *run;
    int rc;

    for (size_t i = 0; argc > 1 && i < TOPICS_N_VERBS; i++)
        if (strcmp(argv[1], topics_verbs[i].name) == 0)
            verb = &topics_verbs[i];
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        topics_help();
        return CLI_EXIT_DONE;
    }
    if (!verb) {
        fprintf(stderr,
                "kw topics: %s '%s'; list, describe, create or delete is expected (see kw "
                "topics --help)\n",
                argc > 1 ? "unknown verb" : "no verb", argc > 1 ? argv[1] : "");
        return CLI_EXIT_USAGE;
    }
    run = calloc(1, sizeof(*run));
    if (!run)
        return cli_usage_error(verb->command, "out of memory");
    run->options.common.timeout_ms = -1;
    run->options.partitions = run->options.replication = -1;
    run->session.command = verb->command;
    run->session.common = &run->options.common;
    cli_output_init(&run->output, STDOUT_FILENO);
    rc = topics_run(run, verb, argc - 1, argv + 1);
    for (size_t i = 0; run->configs && i < run->options.configs.n; i++)
        free((char *)(uintptr_t)run->configs[i].key);
    free(run->configs);
    cli_list_free(&run->options.topics);
    cli_list_free(&run->options.configs);
    cli_list_free(&run->options.common.settings);
    free(run);
    return rc;
}
