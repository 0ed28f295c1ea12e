/* cli/broker.c -- kw broker: runs the in-tree development broker until SIGINT or
 * SIGTERM. What a broker does is in mock/; here are options and addresses. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "mock/front.h"
#include "mock/mock.h"
#include <kwire/crypto.h>

#define BROKER_BROKERS_MAX 64

struct broker_options {
    const char *listen, *advertise, *release;
    int64_t brokers, partitions, retention, replication_lag_ms, seed;
    bool no_auto_create, quiet;
    int64_t session_ms;
    struct cli_list topics, faults, users;
};

struct broker_address {
    char host[64];
    int64_t port;
};

static const struct cli_option broker_rows[] = {
    {0, CLI_KIND_TEXT, "listen", "HOST:PORT", offsetof(struct broker_options, listen), 0, 0,
     "numeric address of the first broker (default 127.0.0.1:9092); the others take the ports "
     "behind it; port 0: free ports"},
    {0, CLI_KIND_TEXT, "advertise", "HOST", offsetof(struct broker_options, advertise), 0, 0,
     "host name that clients are told (default: the one listened on)"},
    {0, CLI_KIND_INT, "brokers", "N", offsetof(struct broker_options, brokers), 1,
     BROKER_BROKERS_MAX, "number of brokers (default 1); their node ids are 1 to N"},
    {'t', CLI_KIND_LIST, "topic", "NAME[:PARTS]", offsetof(struct broker_options, topics), 0, 0,
     "create a topic; may be repeated"},
    {0, CLI_KIND_INT, "partitions", "N", offsetof(struct broker_options, partitions), 1, 10000,
     "partitions of topics that are made without a number (default 1)"},
    {0, CLI_KIND_FLAG, "no-auto-create", NULL, offsetof(struct broker_options, no_auto_create), 0,
     0, "do not create topics that a client asks for"},
    {0, CLI_KIND_INT, "retention", "BYTES", offsetof(struct broker_options, retention), 0,
     INT64_MAX, "bytes that a partition keeps in memory (default 0: everything)"},
    {0, CLI_KIND_INT, "replication-lag", "MS", offsetof(struct broker_options, replication_lag_ms),
     0, 3600000, "time until consumers see what was written with acks=1 (default 0)"},
    {0, CLI_KIND_TEXT, "release", "R", offsetof(struct broker_options, release), 0, 0,
     "offer the API versions of Kafka 2.1, 2.8, 3.3, 3.9, 4.0 or 4.3 (default 4.3)"},
    {0, CLI_KIND_LIST, "sasl", "MECHANISM:USER:PASSWORD", offsetof(struct broker_options, users), 0,
     0,
     "clients must authenticate: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or OAUTHBEARER (the token is "
     "USER, and PASSWORD is not looked at); may be repeated, and every user may use each of the "
     "mechanisms"},
    {0, CLI_KIND_INT, "session", "MS", offsetof(struct broker_options, session_ms), 0, INT32_MAX,
     "clients must authenticate again after so long (default 0: never)"},
    {0, CLI_KIND_LIST, "fault", "SPEC", offsetof(struct broker_options, faults), 0, 0,
     "misbehave, see below; may be repeated"},
    {0, CLI_KIND_INT, "seed", "N", offsetof(struct broker_options, seed), 0, INT64_MAX,
     "of topic ids and corrupted bytes (default 0)"},
    {'q', CLI_KIND_FLAG, "quiet", NULL, offsetof(struct broker_options, quiet), 0, 0,
     "no summary on stderr at the end"},
};

static const struct cli_command broker_command = {
    .name = "kw broker",
    .usage = "[OPTIONS]",
    .about =
        "Runs a development broker in memory, for any Kafka client. Prints 'listening on "
        "HOST:PORT[,HOST:PORT...]' when it is ready, and runs until Ctrl-C. It keeps nothing "
        "on disk, and has no encryption or access control: for tests and demos only. Its first "
        "broker coordinates groups (of both protocols) and transactions.",
    .notes =
        "A fault is API:WHEN:ACTION[:FILTER...]\n"
        "  API     produce, fetch, metadata, listoffsets, apiversions, initproducerid,\n"
        "          createtopics, deletetopics, findcoordinator, describeconfigs,\n"
        "          offsetforleaderepoch, saslhandshake, saslauthenticate, joingroup,\n"
        "          syncgroup, heartbeat, leavegroup, offsetcommit, offsetfetch,\n"
        "          consumergroupheartbeat, consumergroupdescribe, describegroups,\n"
        "          listgroups, deletegroups, offsetdelete, addpartitionstotxn,\n"
        "          addoffsetstotxn, txnoffsetcommit, endtxn, or *\n"
        "  WHEN    N (the N-th call), N-M, N+ (from the N-th on), /K (every K-th), or *\n"
        "  ACTION  error=CODE, error-after=CODE (done all the same), drop-request,\n"
        "          drop-answer, close-before, close-after, cut=BYTES, delay=MS, late=MS,\n"
        "          throttle=MS, corrupt[=BYTE], omit, twice, unasked, move-leader (of produce\n"
        "          and fetch: the next replica leads from then on), evict (of fetch: its\n"
        "          broker forgets all fetch sessions)\n"
        "  FILTER  broker=INDEX (from 0), topic=NAME, partition=N\n",
    .examples = "  kw broker --topic demo:3\n"
                "  kw broker --listen 127.0.0.1:0 --brokers 3 --topic orders:6\n"
                "  kw broker --topic t --sasl SCRAM-SHA-512:alice:secret --session 5000\n"
                "  kw broker --topic t --fault produce:3:error=NOT_LEADER_OR_FOLLOWER\n"
                "  kw broker --brokers 3 --topic t:3 --fault produce:/50:move-leader\n"
                "  kw broker --topic t --fault fetch:/10:close-after --fault '*:*:delay=20'\n",
    .options = broker_rows,
    .n_options = sizeof(broker_rows) / sizeof(broker_rows[0]),
};

/* ---- what the model needs from the host ------------------------------------------ */

static void *broker_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void broker_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static struct kw_mock_front *volatile broker_front;
static volatile sig_atomic_t broker_stop;

static void broker_on_signal(int number)
{
    struct kw_mock_front *front = broker_front;

    (void)number;
    broker_stop = 1;
    if (front)
        kwi_mock_front_wake(front);
}

static void broker_signals_install(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = broker_on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- options --------------------------------------------------------------------------- */

/* HOST:PORT, with the host in brackets if it is of IPv6. */
static bool broker_address_parse(const char *text, struct broker_address *address)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;

    if (!colon || !cli_parse_int(colon + 1, 0, 65535, &address->port))
        return false;
    if (len > 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(address->host))
        return false;
    memcpy(address->host, text, len);
    address->host[len] = '\0';
    if (strcmp(address->host, "localhost") == 0)
        memcpy(address->host, "127.0.0.1", sizeof("127.0.0.1"));
    return true;
}

static int broker_topic_add(struct kw_mock *mock, const char *text)
{
    const char *colon = strchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    int64_t partitions = -1;
    char name[256];

    if (len >= sizeof(name) || (colon && !cli_parse_int(colon + 1, 1, 10000, &partitions)))
        return cli_usage_error(&broker_command, "--topic '%s' is not NAME[:PARTS]", text);
    memcpy(name, text, len);
    name[len] = '\0';
    switch (kwi_mock_create_topic(mock, name, (int32_t)partitions)) {
    case 0: return -1;
    case KW_ERR_STATE: return cli_usage_error(&broker_command, "--topic '%s' is given twice", name);
    case KW_ERR_NOMEM:
        fprintf(stderr, "kw broker: no memory for topic '%s'\n", name);
        return CLI_EXIT_FAILED;
    default: return cli_usage_error(&broker_command, "--topic '%s': not a topic's name", name);
    }
}

static int broker_fault_add(struct kw_mock *mock, const char *spec)
{
    struct kw_mock_fault fault;
    const char *why;

    if (kwi_mock_fault_parse(spec, &fault, &why))
        return cli_usage_error(&broker_command, "--fault '%s': %s", spec, why);
    switch (kwi_mock_fault_add(mock, &fault, NULL)) {
    case 0: return -1;
    case KW_ERR_LIMIT: return cli_usage_error(&broker_command, "more than 64 faults");
    default:
        return cli_usage_error(&broker_command,
                               fault.action == KWI_MOCK_MOVE_LEADER && kwi_mock_n_brokers(mock) < 2
                                   ? "--fault '%s': one broker has nobody to move a leader to"
                                   : "--fault '%s': that API has no such action",
                               spec);
    }
}

/* MECHANISM:USER:PASSWORD, which may hold colons. Returns the mechanism's number,
 * or -1; name and password go to buf. */
static int broker_user_parse(const char *text, char *buf, size_t cap, struct kw_mock_user *user)
{
    static const char *const names[KWI_MOCK_MECHANISMS] = {"PLAIN", "SCRAM-SHA-256",
                                                           "SCRAM-SHA-512", "OAUTHBEARER"};
    const char *colon = strchr(text, ':');
    char *second;

    if (!colon || strlen(colon) > cap)
        return -1;
    memcpy(buf, colon + 1, strlen(colon));
    second = strchr(buf, ':');
    if (!second || second == buf)
        return -1;
    *second = '\0';
    *user = (struct kw_mock_user){buf, second + 1};
    for (int i = 0; i < KWI_MOCK_MECHANISMS; i++)
        if (strlen(names[i]) == (size_t)(colon - text) &&
            strncmp(text, names[i], (size_t)(colon - text)) == 0)
            return i;
    return -1;
}

static int broker_users_add(struct kw_mock *mock, const struct broker_options *options)
{
    char bufs[KWI_MOCK_USERS_MAX][300];
    struct kw_mock_user users[KWI_MOCK_USERS_MAX];
    struct kw_mock_sasl sasl = {
        .users = users, .session_ms = (uint32_t)options->session_ms, .crypto = kw_crypto_builtin()};

    if (options->users.n == 0)
        return options->session_ms ? cli_usage_error(&broker_command, "--session needs --sasl")
                                   : -1;
    if (options->users.n > KWI_MOCK_USERS_MAX)
        return cli_usage_error(&broker_command, "more than %d --sasl", KWI_MOCK_USERS_MAX);
    for (size_t i = 0; i < options->users.n; i++) {
        int mechanism = broker_user_parse(options->users.items[i].text, bufs[i], sizeof(bufs[i]),
                                          &users[i]);
        if (mechanism < 0)
            return cli_usage_error(&broker_command, "a --sasl is not MECHANISM:USER:PASSWORD");
        if (!sasl.crypto &&
            (mechanism == KWI_MOCK_SCRAM_SHA_256 || mechanism == KWI_MOCK_SCRAM_SHA_512))
            return cli_usage_error(&broker_command, "--sasl: this build has no cryptography for "
                                                    "SCRAM (WITH_TLS=none)");
        sasl.mechanisms |= 1u << mechanism;
    }
    sasl.n_users = (uint32_t)options->users.n;
    if (kwi_mock_set_sasl(mock, &sasl)) {
        fprintf(stderr, "kw broker: out of memory\n");
        return CLI_EXIT_FAILED;
    }
    return -1;
}

static int broker_model_create(const struct broker_options *options, struct kw_mock **mock)
{
    struct kw_mock_config cfg;
    int rc = -1;

    memset(&cfg, 0, sizeof(cfg));
    cfg.alloc.alloc = broker_alloc;
    cfg.alloc.free = broker_free;
    for (size_t i = 0; i < sizeof(options->seed); i++)
        cfg.seed[i] = (uint8_t)(options->seed >> (8 * i));
    cfg.n_brokers = (uint32_t)options->brokers;
    cfg.node_id_base = 1;
    cfg.default_partitions = (int32_t)options->partitions;
    cfg.auto_create_topics = !options->no_auto_create;
    cfg.retention_size = (uint64_t)options->retention;
    cfg.replication_lag_ms = (uint32_t)options->replication_lag_ms;
    if (options->release && kwi_mock_release(options->release, &cfg.versions, &cfg.n_versions))
        return cli_usage_error(&broker_command, "--release '%s' is none of 2.1 2.8 3.3 3.9 4.0 4.3",
                               options->release);
    if (kwi_mock_create(mock, &cfg)) {
        fprintf(stderr, "kw broker: out of memory\n");
        return CLI_EXIT_FAILED;
    }
    kwi_mock_set_coordinator(*mock, 0);
    for (size_t i = 0; rc < 0 && i < options->topics.n; i++)
        rc = broker_topic_add(*mock, options->topics.items[i].text);
    for (size_t i = 0; rc < 0 && i < options->faults.n; i++)
        rc = broker_fault_add(*mock, options->faults.items[i].text);
    return rc < 0 ? broker_users_add(*mock, options) : rc;
}

/* ---- running ---------------------------------------------------------------------------- */

static int broker_listen(const struct broker_options *options, struct kw_mock *mock,
                         const struct broker_address *address, struct kw_mock_front **front)
{
    uint16_t ports[BROKER_BROKERS_MAX] = {0};
    struct kw_mock_front_config cfg;
    int os_err = 0;

    memset(&cfg, 0, sizeof(cfg));
    cfg.alloc.alloc = broker_alloc;
    cfg.alloc.free = broker_free;
    cfg.host = address->host;
    cfg.advertised = options->advertise;
    cfg.ports = ports;
    for (int64_t i = 0; address->port > 0 && i < options->brokers; i++)
        ports[i] = (uint16_t)(address->port + i);
    switch (kwi_mock_front_create(front, mock, &cfg, &os_err)) {
    case 0: return -1;
    case KW_ERR_USE:
        return cli_usage_error(&broker_command, "--listen '%s': give a numeric address",
                               address->host);
    case KW_ERR_IO:
        fprintf(stderr, "kw broker: cannot listen on %s, port %lld", address->host,
                (long long)address->port);
        if (options->brokers > 1)
            fprintf(stderr, " to %lld", (long long)(address->port + options->brokers - 1));
        fprintf(stderr, ": %s\n", strerror(os_err));
        return CLI_EXIT_FAILED;
    default: fprintf(stderr, "kw broker: out of memory\n"); return CLI_EXIT_FAILED;
    }
}

static int broker_announce(const struct kw_mock *mock, const struct kw_mock_front *front,
                           const char *host)
{
    bool v6 = strchr(host, ':') != NULL;

    printf("listening on ");
    for (uint32_t i = 0; i < kwi_mock_n_brokers(mock); i++)
        printf("%s%s%s%s:%u", i ? "," : "", v6 ? "[" : "", host, v6 ? "]" : "",
               kwi_mock_front_port(front, i));
    printf("\n");
    if (fflush(stdout)) {
        fprintf(stderr, "kw broker: cannot write to stdout: %s\n", strerror(errno));
        return CLI_EXIT_FAILED;
    }
    return -1;
}

static int broker_run(const struct broker_options *options, struct kw_mock *mock,
                      struct kw_mock_front *front)
{
    int os_err = 0;

    while (!broker_stop) {
        if (kwi_mock_front_run_once(front, -1, &os_err)) {
            fprintf(stderr, "kw broker: the event loop failed: %s\n", strerror(os_err));
            return CLI_EXIT_FAILED;
        }
    }
    if (options->quiet)
        return CLI_EXIT_DONE;
    fprintf(stderr, "%llu requests served\n", (unsigned long long)kwi_mock_n_requests(mock, -1));
    for (size_t i = 0; i < options->faults.n; i++) /* a fault's id is its place */
        fprintf(stderr, "kw broker: fault %s acted %llu times\n", options->faults.items[i].text,
                (unsigned long long)kwi_mock_fault_hits(mock, (uint32_t)i));
    return CLI_EXIT_DONE;
}

int cli_broker(int argc, char **argv)
{
    struct broker_options options;
    struct broker_address address = {.port = 0};
    struct kw_mock_front *front = NULL;
    struct kw_mock *mock = NULL;
    int rc;

    memset(&options, 0, sizeof(options));
    options.listen = "127.0.0.1:9092";
    options.brokers = 1;
    rc = cli_options_parse(&broker_command, argc, argv, &options, NULL);
    if (rc < 0 && (!broker_address_parse(options.listen, &address) ||
                   address.port + options.brokers - 1 > 65535))
        rc = cli_usage_error(&broker_command, "--listen '%s' is not HOST:PORT", options.listen);
    if (rc < 0)
        rc = broker_model_create(&options, &mock);
    broker_signals_install();
    if (rc < 0)
        rc = broker_listen(&options, mock, &address, &front);
    broker_front = front;
    if (rc < 0)
        rc = broker_announce(mock, front, options.advertise ? options.advertise : address.host);
    if (rc < 0)
        rc = broker_run(&options, mock, front);
    broker_front = NULL;
    kwi_mock_front_destroy(front);
    kwi_mock_destroy(mock);
    cli_list_free(&options.topics);
    cli_list_free(&options.faults);
    cli_list_free(&options.users);
    return rc;
}
