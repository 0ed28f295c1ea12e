/* cli/request.c -- kw request: any message of the protocol to a broker, and its
 * answer, both as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/kwire.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/session.h"

struct request_options {
    struct cli_common common;
    const char *api, *group, *transaction;
    int64_t version, broker;
    bool controller;
};

static const struct cli_option request_table[] = {
    {0, CLI_KIND_TEXT, "api", "KEY|NAME", offsetof(struct request_options, api), 0, 0,
     "which API: 3 or Metadata; 'kw proto list' has them"},
    {0, CLI_KIND_INT, "version", "V", offsetof(struct request_options, version), 0, INT16_MAX,
     "version of the message (default: the newest that both sides have)"},
    {0, CLI_KIND_INT, "broker", "ID", offsetof(struct request_options, broker), 0, INT32_MAX,
     "ask this broker (default: whichever can be reached)"},
    {0, CLI_KIND_FLAG, "controller", NULL, offsetof(struct request_options, controller), 0, 0,
     "ask the controller"},
    {0, CLI_KIND_TEXT, "group", "ID", offsetof(struct request_options, group), 0, 0,
     "ask the coordinator of this group"},
    {0, CLI_KIND_TEXT, "txn", "ID", offsetof(struct request_options, transaction), 0, 0,
     "ask the coordinator of this transactional id"},
};

static const struct cli_command request_command = {
    .name = "kw request",
    .usage = "-b BROKERS --api KEY|NAME [--version V] [--broker ID | --controller | --group ID | "
             "--txn ID]",
    .about = "Reads the JSON of one request from stdin, sends it once, and prints the answer as "
             "JSON. Errors in the answer are printed like the rest of it, with exit status 0.",
    .notes = "kw proto decode prints the form that is read; a tagged field may be left out.\n",
    .examples = "  echo '{\"includeClusterAuthorizedOperations\":false,\"endpointType\":1,"
                "\"includeFencedBrokers\":true}' |\n"
                "      kw request -b 127.0.0.1:9092 --api DescribeCluster --version 2\n"
                "  echo '{\"groups\":[\"g\"],\"includeAuthorizedOperations\":false}' |\n"
                "      kw request -b 127.0.0.1:9092 --api DescribeGroups --group g\n",
    .options = request_table,
    .n_options = sizeof(request_table) / sizeof(request_table[0]),
    .with_common = true,
};

struct request_run {
    struct request_options options;
    struct cli_session session;
    struct cli_input input;
    struct cli_output output;
    struct kw_proto_api api;
    struct kw_raw_request request;
};

/* Looks at the options. Returns -1 or an exit code. */
static int request_prepare(struct request_run *run)
{
    const struct request_options *options = &run->options;
    int n_receivers = (options->broker >= 0) + options->controller + (options->group != NULL) +
                      (options->transaction != NULL);
    int rc;

    if (!options->api)
        return cli_usage_error(&request_command, "--api is needed");
    if (n_receivers > 1)
        return cli_usage_error(&request_command,
                               "--broker, --controller, --group and --txn exclude each other");
    rc = cli_message_api(&request_command, options->api, KW_PROTO_REQUEST, &run->api);
    if (rc < 0 && options->version >= 0)
        rc = cli_message_version(&request_command, &run->api, options->version);
    run->request = (struct kw_raw_request){.size = sizeof(run->request),
                                           .api_key = run->api.key,
                                           .version = (int16_t)options->version,
                                           .json = true};
    if (options->broker >= 0)
        run->request.to = KW_RAW_BROKER;
    else if (options->controller)
        run->request.to = KW_RAW_CONTROLLER;
    else if (options->group)
        run->request.to = KW_RAW_GROUP;
    else if (options->transaction)
        run->request.to = KW_RAW_TRANSACTION;
    run->request.broker = (int32_t)options->broker;
    run->request.key = options->group ? options->group : options->transaction;
    return rc;
}

static int request_print(struct request_run *run, const struct kw_raw_result *result)
{
    struct kw_error error = {0};
    size_t len = 0;
    char *text;
    int rc;

    if (result->body.len == 0)
        return CLI_EXIT_DONE; /* acks=0 */
    rc = kw_proto_decode_json(result->api_key, result->version, KW_PROTO_RESPONSE, result->body.ptr,
                              result->body.len, NULL, 0, &len, &error);
    if (rc) {
        cli_say(&run->session, "the answer cannot be read: %s: %s", kw_err_name(rc), error.text);
        return CLI_EXIT_FAILED;
    }
    text = malloc(len);
    if (!text)
        return cli_usage_error(&request_command, "out of memory");
    rc = kw_proto_decode_json(result->api_key, result->version, KW_PROTO_RESPONSE, result->body.ptr,
                              result->body.len, text, len, &len, NULL);
    cli_output_put(&run->output, text, len);
    cli_output_char(&run->output, '\n');
    free(text);
    return rc ? CLI_EXIT_FAILED : CLI_EXIT_DONE;
}

static int request_send(struct request_run *run)
{
    struct cli_session *session = &run->session;
    struct kw_raw_result *result = NULL;
    struct cli_op op = {0};
    int rc;

    cli_session_wait(
        session,
        kw_request_raw(session->client, &run->request, &result, cli_session_timeout(session), &op),
        &op, true);
    if (op.code)
        return cli_session_op_failed(session, &op, run->api.name);
    rc = request_print(run, result);
    kw_raw_result_destroy(result);
    return cli_output_finish(&run->output, request_command.name, rc);
}

int cli_request(int argc, char **argv)
{
    struct request_run *run = calloc(1, sizeof(*run));
    struct cli_list arguments = {0};
    struct kw_config *cfg = NULL;
    int rc;

    if (!run)
        return cli_usage_error(&request_command, "out of memory");
    run->options = (struct request_options){.common.timeout_ms = -1, .version = -1, .broker = -1};
    run->session = (struct cli_session){.command = &request_command,
                                        .common = &run->options.common};
    cli_output_init(&run->output, STDOUT_FILENO);
    rc = cli_options_parse(&request_command, argc, argv, &run->options, &arguments);
    if (rc < 0)
        rc = request_prepare(run);
    if (rc < 0)
        rc = cli_session_config(&run->session, &cfg);
    if (rc < 0)
        rc = cli_message_read(&request_command, &run->input, &run->request.body);
    if (rc < 0)
        rc = cli_session_open(&run->session, cfg);
    kw_config_destroy(cfg);
    if (rc < 0) {
        rc = request_send(run);
        cli_session_close(&run->session);
    }
    cli_list_free(&run->options.common.settings);
    cli_input_deinit(&run->input);
    free(run);
    return rc;
}
