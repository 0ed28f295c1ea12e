/* examples/gateway.c -- a gateway with a hundred tenants on one client: for each of them it
 * consumes in a group of their own, and they come and go while it runs.
 *
 *   gateway 127.0.0.1:9092
 *
 * It is told on stdin who there is, a line each:
 *
 *   start TENANT TOPIC
 *   stop TENANT
 *
 * and prints "TENANT OFFSET VALUE" for each record. When stdin ends, or on SIGTERM, all are
 * closed: what was printed is committed, so nobody sees a record twice later. A thread is
 * not needed, nor a connection of each tenant to brokers that it does not use. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/kwire.h>

enum { TENANTS_MAX = 200, NAME_SIZE = 64, TOPIC_SIZE = 250, LINE_SIZE = 512, CLOSE_MS = 10000 };

struct tenant {
    char name[NAME_SIZE]; /* "": nobody */
    struct kw_consumer *consumer;
    bool closing;
};

struct gateway {
    struct kw_client *client;
    struct tenant tenants[TENANTS_MAX];
    unsigned n_live;
    char line[LINE_SIZE];
    size_t len;
    bool ended, failed; /* ended: no more orders */
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static struct tenant *find(struct gateway *gateway, const char *name)
{
    for (unsigned i = 0; i < TENANTS_MAX; i++) {
        if (!strcmp(gateway->tenants[i].name, name))
            return &gateway->tenants[i];
    }
    return NULL;
}

/* ---- tenants come and go ---------------------------------------------------------------- */

/* A tenant's consumer: a group of its own, less at a time than a client that has one
 * consumer would ask for, and a share of the memory: who does not keep up leaves the rest
 * to the others. */
static int make_consumer(struct gateway *gateway, struct tenant *tenant, const char *topic,
                         struct kw_error *error)
{
    static const char *const settings[][2] = {{"auto.offset.reset", "earliest"},
                                              {"fetch.max.bytes", "1048576"},
                                              {"max.partition.fetch.bytes", "262144"},
                                              {"consumer.memory", "1048576"}};
    struct kw_config *own = NULL;
    char group[NAME_SIZE + 16];
    int rc = kw_config_new(&own);

    snprintf(group, sizeof(group), "gateway-%s", tenant->name);
    if (!rc)
        rc = kw_config_set(own, "group.id", group, error);
    for (size_t i = 0; !rc && i < sizeof(settings) / sizeof(*settings); i++)
        rc = kw_config_set(own, settings[i][0], settings[i][1], error);
    if (!rc)
        rc = kw_consumer_create(&tenant->consumer, gateway->client, own, error);
    kw_config_destroy(own);
    return rc ? rc : kw_consumer_subscribe(tenant->consumer, &topic, 1, error);
}

/* Everything of the tenant is over: the client gives its memory and connections back. */
static void close_tenant(struct gateway *gateway, struct tenant *tenant)
{
    if (!tenant->closing && kw_consumer_close(tenant->consumer, KW_LEAVE_DEFAULT, CLOSE_MS, tenant))
        tenant->closing = true;
    else if (!tenant->closing)
        gateway->failed = true; /* no memory for that */
}

static void start_tenant(struct gateway *gateway, const char *name, const char *topic)
{
    struct tenant *tenant = find(gateway, name) ? NULL : find(gateway, "");
    struct kw_error error = {0};

    if (!tenant) {
        fprintf(stderr, "%s: is here already, or there is no room\n", name);
        gateway->failed = true;
        return;
    }
    snprintf(tenant->name, sizeof(tenant->name), "%s", name);
    if (!make_consumer(gateway, tenant, topic, &error)) {
        gateway->n_live++;
        return;
    }
    fprintf(stderr, "%s: %s\n", name, error.text);
    gateway->failed = true;
    if (tenant->consumer) {
        gateway->n_live++;
        close_tenant(gateway, tenant);
    } else {
        tenant->name[0] = '\0';
    }
}

static void order(struct gateway *gateway, const char *line)
{
    char name[NAME_SIZE], topic[TOPIC_SIZE];

    if (sscanf(line, "start %63s %249s", name, topic) == 2) {
        start_tenant(gateway, name, topic);
    } else if (sscanf(line, "stop %63s", name) == 1 && find(gateway, name)) {
        close_tenant(gateway, find(gateway, name));
    } else if (*line) {
        fprintf(stderr, "not understood: %s\n", line);
        gateway->failed = true;
    }
}

static void read_orders(struct gateway *gateway)
{
    ssize_t n;

    while ((n = read(0, gateway->line + gateway->len, LINE_SIZE - gateway->len)) > 0) {
        char *end;
        gateway->len += (size_t)n;
        while ((end = memchr(gateway->line, '\n', gateway->len))) {
            size_t used = (size_t)(end - gateway->line) + 1;
            *end = '\0';
            order(gateway, gateway->line);
            gateway->len -= used;
            memmove(gateway->line, gateway->line + used, gateway->len);
        }
        if (gateway->len == LINE_SIZE)
            gateway->len = 0; /* no order is that long */
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        gateway->ended = true;
}

/* ---- records ------------------------------------------------------------------------------ */

/* One handle of each tenant in turn, so that a busy one does not keep others waiting.
 * Returns whether there may be more. */
static bool serve(struct gateway *gateway)
{
    bool more = false;

    for (unsigned i = 0; i < TENANTS_MAX; i++) {
        struct tenant *tenant = &gateway->tenants[i];
        const struct kw_consumed *record;
        struct kw_records *records;
        if (!tenant->name[0] || tenant->closing ||
            kw_consumer_poll(tenant->consumer, &records, 0) != 1)
            continue;
        while ((record = kw_records_next(records)))
            printf("%s %lld %.*s\n", tenant->name, (long long)record->offset,
                   (int)record->value.len,
                   record->value.ptr ? (const char *)record->value.ptr : "");
        bool is_out = fflush(stdout) == 0 && !ferror(stdout); /* before it counts as done */
        kw_records_release(records, is_out ? KW_DONE : KW_NOT_DONE);
        if (!is_out)
            gateway->failed = gateway->ended = true;
        more = true;
    }
    return more;
}

static void take_events(struct gateway *gateway)
{
    struct kw_event event;

    while (kw_next_event(gateway->client, &event) == 1) {
        if (event.kind == KW_EVENT_OP_DONE) {
            struct tenant *tenant = event.tag;
            if (event.code)
                fprintf(stderr, "%s: closed with %s\n", tenant->name, kw_err_name(event.code));
            gateway->failed |= event.code != 0;
            memset(tenant, 0, sizeof(*tenant));
            gateway->n_live--;
        }
        if (event.kind == KW_EVENT_REVOKED)
            kw_rebalance_ack(event.consumer); /* nothing is in our hands between two polls */
        if (event.kind == KW_EVENT_ERROR || event.kind == KW_EVENT_COMMIT_FAILED)
            fprintf(stderr, "warning: %s\n", event.error->text);
    }
}

/* Until there are no more orders, and then until everybody is gone. */
static void run(struct gateway *gateway)
{
    while (!gateway->ended || gateway->n_live) {
        struct pollfd fds[2] = {{.fd = kw_client_fd(gateway->client), .events = POLLIN},
                                {.fd = gateway->ended ? -1 : 0, .events = POLLIN}};
        bool more = kw_client_process(gateway->client, 10000) == 1;
        take_events(gateway);
        more |= serve(gateway);
        if (stop)
            gateway->ended = true;
        if (!more)
            (void)poll(fds, 2, gateway->ended ? 100 : 1000);
        if (!gateway->ended && fds[1].revents)
            read_orders(gateway);
        for (unsigned i = 0; gateway->ended && i < TENANTS_MAX; i++) {
            if (gateway->tenants[i].name[0])
                close_tenant(gateway, &gateway->tenants[i]);
        }
    }
}

int main(int argc, char **argv)
{
    static struct gateway gateway;
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: gateway HOST:PORT <orders\n");
        return 2;
    }
    signal(SIGTERM, on_signal);
    if (fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK))
        return 2;
    if ((rc = kw_config_new(&cfg)) ||
        (rc = kw_config_set(cfg, "bootstrap.servers", argv[1], &error)) ||
        (rc = kw_client_create(&gateway.client, cfg, &error))) {
        fprintf(stderr, "gateway: %s\n", error.text[0] ? error.text : kw_err_name(rc));
        kw_config_destroy(cfg);
        return 2;
    }
    kw_config_destroy(cfg);
    run(&gateway);
    (void)!kw_wait(gateway.client, kw_close(gateway.client, CLOSE_MS, NULL), NULL);
    kw_client_destroy(gateway.client);
    return gateway.failed ? 1 : 0;
}
