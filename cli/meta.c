/* cli/meta.c -- kw meta: brokers, topics, partitions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/kwire.h>

#include "cli/commands.h"
#include "cli/metadata.h"
#include "cli/options.h"
#include "cli/session.h"

struct meta_options {
    struct cli_common common;
    const char *topic;
    bool json;
};

static const struct cli_option meta_table[] = {
    {'t', CLI_KIND_TEXT, "topic", "NAME", offsetof(struct meta_options, topic), 0, 0,
     "only this topic (default: all)"},
    {'J', CLI_KIND_FLAG, "json", NULL, offsetof(struct meta_options, json), 0, 0,
     "one JSON object"},
};

static const struct cli_command meta_command = {
    .name = "kw meta",
    .usage = "-b BROKERS [-t TOPIC] [-J]",
    .about = "Shows what a cluster says of itself: brokers, topics, partitions with their "
             "leader, replicas and in-sync replicas.",
    .examples = "  kw meta -b 127.0.0.1:9092\n"
                "  kw meta -b 127.0.0.1:9092 -t users -J | jq '.topics[0].partitions'\n",
    .options = meta_table,
    .n_options = sizeof(meta_table) / sizeof(meta_table[0]),
    .with_common = true,
};

static int meta_run(struct cli_session *session, const struct meta_options *options,
                    struct cli_output *output)
{
    struct kw_admin_result *result;
    int rc = cli_session_metadata(session, options->topic, &result);

    if (rc >= 0)
        return rc;
    if (options->json)
        cli_metadata_json(output, result);
    else
        cli_metadata_text(output, result);
    rc = options->topic && result->n_topics == 0 ? CLI_EXIT_FAILED : CLI_EXIT_DONE;
    if (options->topic && (result->n_topics == 0 || result->topics[0].kafka_code)) {
        if (result->n_topics)
            rc = cli_topic_refused(session, options->topic, result->topics[0].kafka_code, "");
        else
            cli_say(session, "topic %s: unknown", options->topic);
    }
    kw_admin_result_destroy(result);
    return cli_output_finish(output, session->command->name, rc);
}

int cli_meta(int argc, char **argv)
{
    struct meta_options options = {.common.timeout_ms = -1};
    struct cli_session session = {.command = &meta_command, .common = &options.common};
    struct cli_output *output = malloc(sizeof(*output));
    struct cli_list arguments = {0};
    struct kw_config *cfg = NULL;
    int rc;

    if (!output)
        return cli_usage_error(&meta_command, "out of memory");
    cli_output_init(output, STDOUT_FILENO);
    rc = cli_options_parse(&meta_command, argc, argv, &options, &arguments);
    if (rc < 0)
        rc = cli_session_config(&session, &cfg);
    if (rc < 0)
        rc = cli_session_open(&session, cfg);
    kw_config_destroy(cfg);
    if (rc < 0) {
        rc = meta_run(&session, &options, output);
        cli_session_close(&session);
    }
    cli_list_free(&options.common.settings);
    free(output);
    return rc;
}
