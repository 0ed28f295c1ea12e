/* cli/doctor.c -- kw doctor: walks the way to a cluster step by step and says of each
 * what it found and what to do about it. What happens on a connection is told by the
 * library itself (doctor_conn.c), so this sees what every other program sees. */
#include "cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/signals.h"
#include <kwire/proto.h>

static const struct cli_option doctor_table[] = {
    {'t', CLI_KIND_LIST, "topic", "NAME", offsetof(struct doctor_options, topics), 0, 0,
     "also look at this topic: leaders, copies, a fetch; may be repeated"},
    {'J', CLI_KIND_FLAG, "json", NULL, offsetof(struct doctor_options, json), 0, 0,
     "one JSON object: verdict, exit, steps"},
    {0, CLI_KIND_INT, "timeout", "MS", offsetof(struct cli_common, timeout_ms), 1, INT32_MAX,
     "how long a step may take (default 10000)"},
};

static const struct cli_command doctor_command = {
    .name = "kw doctor",
    .usage = "-b BROKERS [-t TOPIC]... [-J]",
    .about = "Looks at the way to a cluster and says what is wrong: names, TCP, TLS with its "
             "certificates, SASL, versions, metadata, whether each broker can be reached where it "
             "says that it is, leaders and copies of topics, the clock, a fetch. Writes nothing.",
    .notes = "Each server of -b is tried by itself. A step is ok, a warning, FAILED, or skipped.\n"
             "The exit status is that of the worst step; warnings count as 1.\n",
    .examples = "  kw doctor -b 127.0.0.1:9092\n"
                "  kw doctor -b kafka.example:9093 -F client.properties -t orders\n"
                "  kw doctor -b 127.0.0.1:9092 -t orders -J | jq '.steps[]|select(.remedy)'\n",
    .options = doctor_table,
    .n_options = sizeof(doctor_table) / sizeof(doctor_table[0]),
    .with_common = true,
};

/* ---- operations ---------------------------------------------------------------------- */

int32_t doctor_timeout_ms(const struct doctor *doctor)
{
    return doctor->options.common.timeout_ms < 0 ? DOCTOR_STEP_MS
                                                 : (int32_t)doctor->options.common.timeout_ms;
}

void doctor_wait(struct doctor *doctor, struct kw_op *handle, struct cli_op *op)
{
    bool cancel = true;

    doctor->n_failed_again = 0;
    if (!handle) {
        op->code = KW_ERR_NOMEM;
        return;
    }
    while (!op->done) {
        if (cancel && (cli_signals_count() || doctor->n_failed_again > 0)) {
            cancel = false;
            (void)kw_op_cancel(handle);
        }
        cli_session_pump(&doctor->session, 100);
    }
}

char *doctor_request(struct doctor *doctor, const char *api, int32_t broker, const char *json,
                     struct cli_op *op, int64_t *us)
{
    struct kw_raw_request request = {.size = sizeof(request),
                                     .version = -1,
                                     .json = true,
                                     .to = broker >= 0 ? KW_RAW_BROKER : KW_RAW_ANY,
                                     .broker = broker,
                                     .body = {json, strlen(json)}};
    struct kw_raw_result *result = NULL;
    struct kw_proto_api row;
    size_t len = 0;
    char *text = NULL;

    *us = -1;
    for (size_t i = 0; kw_proto_api(i, &row) == 1; i++)
        if (strcmp(row.name, api) == 0)
            request.api_key = row.key;
    uint64_t begin = cli_now_us();
    doctor_wait(
        doctor,
        kw_request_raw(doctor->session.client, &request, &result, doctor_timeout_ms(doctor), op),
        op);
    *us = (int64_t)(cli_now_us() - begin);
    if (op->code)
        return NULL;
    op->code = kw_proto_decode_json(result->api_key, result->version, KW_PROTO_RESPONSE,
                                    result->body.ptr, result->body.len, NULL, 0, &len, &op->error);
    if (!op->code && (text = malloc(len + 1))) {
        op->code = kw_proto_decode_json(result->api_key, result->version, KW_PROTO_RESPONSE,
                                        result->body.ptr, result->body.len, text, len, &len, NULL);
        text[len] = '\0';
    }
    kw_raw_result_destroy(result);
    return text;
}

/* The error of an operation: that of its connection where it was given up. */
static const struct kw_error *doctor_error(struct doctor *doctor, struct cli_op *op)
{
    bool unreached = op->code == KW_ERR_TIMEOUT || op->code == KW_ERR_CANCELED ||
                     op->code == KW_ERR_CONNECT;

    if (unreached && doctor->session.last_error.code)
        return &doctor->session.last_error;
    op->error.code = op->code;
    return &op->error;
}

/* ---- brokers --------------------------------------------------------------------------- */

/* The APIs without which nothing can be read or written. */
static bool doctor_can_serve(const char *answer)
{
    static const int keys[] = {0, 1, 2, 3};
    char text[32];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        snprintf(text, sizeof(text), "\"apiKey\":%d,", keys[i]);
        if (!strstr(answer, text))
            return false;
    }
    return true;
}

static void doctor_broker(struct doctor *doctor, const struct kw_meta_broker *broker)
{
    static const char json[] = "{\"clientSoftwareName\":\"kw\",\"clientSoftwareVersion\":\"1\"}";
    struct cli_op op = {0};
    char target[160];
    int64_t us;
    unsigned n = 0;

    snprintf(target, sizeof(target), "broker %d at %.100s:%d", (int)broker->id, broker->host,
             (int)broker->port);
    doctor->session.last_error = (struct kw_error){0};
    char *answer = doctor_request(doctor, "ApiVersions", broker->id, json, &op, &us);
    struct doctor_row *row = doctor_add(doctor, "broker", target, DOCTOR_OK, us);
    if (!answer) {
        doctor_blame(row, doctor_error(doctor, &op));
        return;
    }
    for (const char *at = answer; (at = strstr(at, "\"apiKey\":")); at++)
        n++;
    doctor_say(row, "can be reached where it says that it is; %u APIs", n);
    if (!doctor_can_serve(answer)) {
        row->verdict = DOCTOR_FAIL;
        doctor_advise(row, "it offers no Produce, Fetch, ListOffsets or Metadata: is it a "
                           "controller?");
    }
    free(answer);
}

/* ---- one server ------------------------------------------------------------------------- */

static bool doctor_metadata(struct doctor *doctor, const char *server, const char *topic,
                            struct kw_admin_result **result)
{
    struct kw_admin_request request = {
        .size = sizeof(request), .kind = KW_ADMIN_METADATA, .topic = topic};
    struct cli_op op = {0};
    uint64_t begin = cli_now_us();
    size_t n_rows = doctor->n_rows;

    doctor->session.last_error = (struct kw_error){0};
    doctor_wait(doctor,
                kw_admin(doctor->session.client, &request, result, doctor_timeout_ms(doctor), &op),
                &op);
    if (op.code == 0 && topic)
        return true;
    for (size_t i = n_rows; op.code && i < doctor->n_rows; i++)
        if (doctor->rows[i].verdict == DOCTOR_FAIL)
            return false; /* the connection's own row has said it */
    struct doctor_row *row = doctor_add(doctor, "metadata", server, DOCTOR_OK,
                                        (int64_t)(cli_now_us() - begin));
    if (op.code) {
        doctor_blame(row, doctor_error(doctor, &op));
        return false;
    }
    doctor_say(row, "cluster %s, %u brokers, controller %d, %u topics",
               (*result)->cluster_id ? (*result)->cluster_id : "-", (*result)->n_brokers,
               (int)(*result)->controller_id, (*result)->n_topics);
    return true;
}

/* A client for this server alone. Returns false if it cannot even be made. */
static bool doctor_open(struct doctor *doctor, const char *server, int *exit_code)
{
    struct kw_error error = {0};

    if (doctor->session.client)
        cli_session_close(&doctor->session);
    doctor->consumer = NULL;
    if (kw_config_set(doctor->cfg, "bootstrap.servers", server, &error)) {
        cli_say(&doctor->session, "-b %s: %s", server, error.text);
        *exit_code = CLI_EXIT_USAGE;
        return false;
    }
    int rc = cli_session_open(&doctor->session, doctor->cfg);
    if (rc >= 0)
        *exit_code = rc;
    return rc < 0;
}

/* What can only be asked of a cluster, once. */
static void doctor_cluster(struct doctor *doctor, const struct kw_admin_result *cluster)
{
    bool fetched = false;

    for (uint32_t i = 0; i < cluster->n_brokers && !cli_signals_count(); i++)
        doctor_broker(doctor, &cluster->brokers[i]);
    doctor_clock(doctor);
    for (size_t i = 0; i < doctor->options.topics.n && !cli_signals_count(); i++) {
        struct kw_admin_result *one = NULL;
        const char *name = doctor->options.topics.items[i].text;
        if (!doctor_metadata(doctor, name, name, &one))
            continue;
        const struct kw_meta_topic missing = {.name = name, .kafka_code = 3};
        const struct kw_meta_topic *topic = one->n_topics ? &one->topics[0] : &missing;
        doctor_topic(doctor, topic);
        if (!fetched && !topic->kafka_code && topic->n_partitions)
            doctor_fetch(doctor, topic);
        fetched |= !topic->kafka_code;
        kw_admin_result_destroy(one);
    }
    if (doctor->options.topics.n == 0)
        doctor_say(doctor_add(doctor, "fetch", "", DOCTOR_SKIP, -1), "give a topic (-t) for that");
}

/* Each server by itself; the first that answers is asked about its cluster. Returns -1
 * or an exit code. */
static int doctor_servers(struct doctor *doctor, char *servers)
{
    struct kw_admin_result *cluster = NULL;
    int exit_code = -1;
    char *rest = servers, *server;

    while (exit_code < 0 && (server = strsep(&rest, ",")) && !cli_signals_count()) {
        struct kw_admin_result *result = NULL;
        server += strspn(server, " ");
        if (*server == '\0' || !doctor_open(doctor, server, &exit_code) ||
            !doctor_metadata(doctor, server, NULL, &result))
            continue;
        if (!cluster)
            doctor_cluster(doctor, result);
        if (cluster)
            kw_admin_result_destroy(result);
        else
            cluster = result;
    }
    kw_admin_result_destroy(cluster);
    return exit_code;
}

static int doctor_finish(struct doctor *doctor, struct cli_output *output)
{
    int exit_code;
    enum doctor_verdict worst = doctor_worst(doctor, &exit_code);

    if (doctor->options.json)
        doctor_print_json(doctor, output);
    else
        doctor_print(doctor, output);
    if (doctor->no_memory)
        cli_say(&doctor->session, "out of memory: rows are missing");
    else if (!doctor->options.json && !doctor->is_quiet)
        cli_say(&doctor->session, "%s",
                worst == DOCTOR_OK     ? "nothing is wrong"
                : worst == DOCTOR_WARN ? "it works; there are warnings"
                                       : "something is wrong, see the lines with FAILED");
    return cli_output_finish(output, doctor_command.name, exit_code);
}

int cli_doctor(int argc, char **argv)
{
    struct doctor *doctor = calloc(1, sizeof(*doctor));
    struct cli_output *output = malloc(sizeof(*output));
    char *servers = NULL;
    int rc = CLI_EXIT_FAILED;

    if (!doctor || !output) {
        free(doctor);
        free(output);
        return cli_usage_error(&doctor_command, "out of memory");
    }
    doctor->options.common.timeout_ms = -1;
    doctor->session = (struct cli_session){.command = &doctor_command,
                                           .common = &doctor->options.common,
                                           .env = &doctor->env,
                                           .on_event = doctor_on_event,
                                           .ctx = doctor};
    doctor->env = (struct kw_env){.watch = doctor_watch, .watch_ctx = doctor};
    cli_output_init(output, STDOUT_FILENO);
    rc = cli_options_parse(&doctor_command, argc, argv, &doctor->options, NULL);
    if (rc < 0)
        rc = cli_session_config(&doctor->session, &doctor->cfg);
    doctor->is_quiet = doctor->options.common.quiet;
    doctor->options.common.quiet = true; /* the rows say it */
    if (rc < 0) {
        const char *text = kw_config_text(doctor->cfg, KW_KEY_BOOTSTRAP_SERVERS);
        servers = text ? strdup(text) : NULL;
        rc = servers ? doctor_servers(doctor, servers)
                     : cli_usage_error(&doctor_command, "no broker: give -b, or bootstrap.servers");
    }
    if (doctor->session.client)
        cli_session_close(&doctor->session);
    if (rc < 0)
        rc = doctor_finish(doctor, output);
    kw_config_destroy(doctor->cfg);
    cli_list_free(&doctor->options.common.settings);
    cli_list_free(&doctor->options.topics);
    free(servers);
    free(doctor->rows);
    free(doctor);
    free(output);
    return rc;
}
