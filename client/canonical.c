/* client/canonical.c -- bootstrap.servers by their canonical names. See canonical.h.
 *
 * Each address of a server in bootstrap.servers is asked for its name, and that name
 * becomes a seed of its own. As Java does, the address in digits is taken where there
 * is no name, or where the name does not lead back to the address: who owns an address
 * may give it any name. For the same reason certificates are verified for the name in
 * bootstrap.servers still, which Java does not do: whom we trust must not be chosen by
 * what the network says.
 *
 *   IDLE --need--> ASKED --found--> KNOWN --again--> IDLE
 *          ASKED, KNOWN --failed--> WAIT --due--> IDLE
 *
 * The table is canonical_steps below. Seeds are used as they come. */
#include "client/canonical.h"

#include <string.h>

#include "base/fmt.h"
#include "client/address.h"
#include "client/config.h"
#include "client/error_text.h"
#include "client/link.h"
#include "client/watch.h"

/* Seeds beyond one for each server; more addresses are passed over. */
enum { CANONICAL_MORE = 64, CANONICAL_NAME = 256 };

enum canonical_state { CANONICAL_IDLE, CANONICAL_ASKED, CANONICAL_WAIT, CANONICAL_KNOWN };
enum canonical_event {
    CANONICAL_NEED,
    CANONICAL_FOUND,
    CANONICAL_FAILED,
    CANONICAL_DUE,
    CANONICAL_AGAIN
};

/* One server of bootstrap.servers. */
struct kw_canonical {
    struct kw_broker *broker; /* its name and port; nobody ever connects to it */
    struct kw_query query;
    struct kw_timer timer; /* ASKED: the look-up's end; WAIT: the backoff's */
    struct kw_list addrs;  /* canonical_addr whose names are looked up */
    uint64_t asked_us;
    uint32_t attempts;
    uint8_t state;
};

/* One address of a server: first its name is looked up, then where that leads. */
struct canonical_addr {
    struct kw_node node; /* in server->addrs */
    struct kw_canonical *server;
    struct kw_query query;
    struct kw_timer timer;
    struct kw_addr addr;
    char name[CANONICAL_NAME];
};

struct canonical_step {
    uint8_t legal, next;
    void (*act)(struct kw_canonical *server);
};

static void canonical_ask(struct kw_canonical *server);
static void canonical_backoff(struct kw_canonical *server);
static void canonical_idle(struct kw_canonical *server);

static const struct canonical_step canonical_steps[KWI_CANONICAL_STATES][KWI_CANONICAL_EVENTS] = {
    [CANONICAL_IDLE] = {[CANONICAL_NEED] = {1, CANONICAL_ASKED, canonical_ask},
                        [CANONICAL_AGAIN] = {1, CANONICAL_IDLE, NULL}},
    [CANONICAL_ASKED] = {[CANONICAL_NEED] = {1, CANONICAL_ASKED, NULL},
                         [CANONICAL_FOUND] = {1, CANONICAL_KNOWN, NULL},
                         [CANONICAL_FAILED] = {1, CANONICAL_WAIT, canonical_backoff},
                         [CANONICAL_AGAIN] = {1, CANONICAL_ASKED, NULL}},
    [CANONICAL_WAIT] = {[CANONICAL_NEED] = {1, CANONICAL_WAIT, NULL},
                        [CANONICAL_DUE] = {1, CANONICAL_IDLE, canonical_idle},
                        [CANONICAL_AGAIN] = {1, CANONICAL_WAIT, NULL}},
    [CANONICAL_KNOWN] = {[CANONICAL_NEED] = {1, CANONICAL_KNOWN, NULL},
                         [CANONICAL_FAILED] = {1, CANONICAL_WAIT, canonical_backoff},
                         [CANONICAL_AGAIN] = {1, CANONICAL_IDLE, NULL}},
};

bool kwi_canonical_cell(unsigned state, unsigned event, unsigned *next)
{
    *next = canonical_steps[state][event].next;
    return canonical_steps[state][event].legal != 0;
}

static void canonical_step(struct kw_canonical *server, enum canonical_event event)
{
    const struct canonical_step *step = &canonical_steps[server->state][event];

    KWI_ASSERT(step->legal);
    if (!step->legal)
        return;
    server->state = step->next;
    if (step->act)
        step->act(server);
}

static uint64_t canonical_deadline(struct kw_core *core)
{
    return kwi_core_after_ms(core, kwi_config_i64(core->cfg, KW_KEY_DNS_LOOKUP_TIMEOUT_MS));
}

/* ---- seeds ---------------------------------------------------------------------- */

/* Of an earlier look-up that did not come up again, and nothing of it is under way. */
static bool canonical_is_stale(const struct kw_broker *seed)
{
    if (!seed->absent)
        return false;
    for (struct kw_node *n = seed->links.first; n; n = n->next) {
        const struct kw_link *link = KWI_OF(n, struct kw_link, broker_node);
        if (kwi_link_ready(link) || kwi_link_connecting(link) || link->conn ||
            !kwi_list_empty(&link->queue))
            return false;
    }
    return true;
}

static bool canonical_same(const char *a, const char *b)
{
    size_t len = strlen(a);
    return len == strlen(b) && memcmp(a, b, len) == 0;
}

static struct kw_broker *canonical_find(const struct kw_canonical *server, const char *host)
{
    const struct kw_cluster *cluster = &server->broker->core->cluster;

    for (uint32_t i = 0; i < cluster->n_seeds; i++) {
        struct kw_broker *seed = cluster->seeds[i];

        if (seed->port == server->broker->port && canonical_same(seed->host, host) &&
            canonical_same(seed->server_name, server->broker->server_name))
            return seed;
    }
    return NULL;
}

static struct kw_broker *canonical_seed(const struct kw_canonical *server, uint32_t at,
                                        const char *host)
{
    const char *name = server->broker->server_name;
    struct kw_broker *seed = kwi_broker_create(server->broker->core, -2 - (int32_t)at, host,
                                               strlen(host), server->broker->port);

    if (!seed || !kwi_broker_verify_as(seed, name, strlen(name)))
        return seed;
    kwi_broker_destroy(seed);
    return NULL;
}

/* One more seed, in a new place or that of a stale one. Without room for it there is one
 * less; without memory the server's turn comes again. */
static struct kw_broker *canonical_put(struct kw_canonical *server, const char *host)
{
    struct kw_core *core = server->broker->core;
    struct kw_cluster *cluster = &core->cluster;
    struct kw_broker *seed;
    uint32_t at;

    for (at = 0; at < cluster->n_seeds && !canonical_is_stale(cluster->seeds[at]);)
        at++;
    if (at == cluster->n_seeds_max)
        return NULL;
    seed = canonical_seed(server, at, host);
    if (!seed) {
        if (server->state == CANONICAL_KNOWN)
            canonical_step(server, CANONICAL_FAILED);
        return NULL;
    }
    if (at < cluster->n_seeds)
        kwi_broker_destroy(cluster->seeds[at]);
    else
        cluster->n_seeds++;
    cluster->seeds[at] = seed;
    kwi_log(core, 6, "%s:%u is at %s", server->broker->host, server->broker->port, host);
    return seed;
}

static void canonical_add(struct kw_canonical *server, const char *host)
{
    struct kw_broker *seed = canonical_find(server, host);

    if (!seed)
        seed = canonical_put(server, host);
    if (seed)
        seed->absent = false;
    kwi_reach_retry(server->broker->core);
}

static void canonical_add_digits(struct kw_canonical *server, const struct kw_addr *addr)
{
    char text[64];
    size_t len = 0;

    if (addr->family == 4)
        kwi_fmt(text, sizeof(text), "%u.%u.%u.%u", addr->ip[0], addr->ip[1], addr->ip[2],
                addr->ip[3]);
    for (unsigned i = 0; addr->family == 6 && i < 16; i += 2)
        len += kwi_fmt(text + len, sizeof(text) - len, i ? ":%x" : "%x",
                       (unsigned)addr->ip[i] << 8 | addr->ip[i + 1]);
    if (addr->family == 6 && addr->scope_id)
        kwi_fmt(text + len, sizeof(text) - len, "%%%u", addr->scope_id);
    canonical_add(server, text);
}

/* ---- an address ---------------------------------------------------------------------- */

static void canonical_addr_free(struct canonical_addr *item)
{
    struct kw_core *core = item->server->broker->core;

    kwi_query_forget(core, &item->query);
    kwi_core_disarm(core, &item->timer);
    kwi_list_remove(&item->server->addrs, &item->node);
    kwi_free(&core->control, item, sizeof(*item));
}

/* Its name is known, or else (NULL) its digits must do. */
static void canonical_addr_end(struct canonical_addr *item, const char *name)
{
    struct kw_canonical *server = item->server;
    struct kw_addr addr = item->addr;
    char copy[CANONICAL_NAME] = "";

    if (name)
        memcpy(copy, name, strlen(name) + 1);
    canonical_addr_free(item);
    if (copy[0])
        canonical_add(server, copy);
    else
        canonical_add_digits(server, &addr);
}

static void canonical_addr_late(struct kw_timer *timer)
{
    canonical_addr_end(KWI_OF(timer, struct canonical_addr, timer), NULL);
}

/* The name counts if it leads back to the address. */
static void canonical_addr_back(struct kw_query *query, const struct kw_addr *addrs, size_t n)
{
    struct canonical_addr *item = KWI_OF(query, struct canonical_addr, query);
    bool same = false;

    for (size_t i = 0; i < n && !same; i++)
        same = kwi_address_same(&addrs[i], &item->addr);
    canonical_addr_end(item, same ? item->name : NULL);
}

static void canonical_addr_failed(struct kw_query *query, const struct kw_cause *cause)
{
    (void)cause;
    canonical_addr_end(KWI_OF(query, struct canonical_addr, query), NULL);
}

/* A name from the network: it must be one that a host can have. */
static size_t canonical_name_len(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len >= CANONICAL_NAME)
        return 0;
    for (size_t i = 0; i < len; i++)
        if (!kwi_config_is_host_char(name[i]))
            return 0;
    return len;
}

static void canonical_addr_named(struct kw_query *query, const char *name)
{
    struct canonical_addr *item = KWI_OF(query, struct canonical_addr, query);
    size_t len = canonical_name_len(name);

    memcpy(item->name, len ? name : "", len);
    item->name[len] = '\0';
    query->name = item->name;
    query->addr = (struct kw_addr){.port = item->addr.port};
    if (!len || kwi_query_ask(item->server->broker->core, query))
        canonical_addr_end(item, NULL);
}

static const struct kw_query_type canonical_addr_query = {.resolved = canonical_addr_back,
                                                          .failed = canonical_addr_failed,
                                                          .named = canonical_addr_named};

static void canonical_addr_ask(struct kw_canonical *server, const struct kw_addr *addr)
{
    struct kw_core *core = server->broker->core;
    struct canonical_addr *item = kwi_alloc_zero(&core->control, sizeof(*item));

    if (!item) {
        canonical_add_digits(server, addr);
        return;
    }
    item->server = server;
    item->addr = *addr;
    item->timer.fire = canonical_addr_late;
    item->query.type = &canonical_addr_query;
    item->query.addr = *addr;
    kwi_list_push(&server->addrs, &item->node);
    kwi_core_arm(core, &item->timer, canonical_deadline(core));
    if (kwi_query_ask(core, &item->query))
        canonical_addr_end(item, NULL);
}

/* ---- a server -------------------------------------------------------------------------- */

static void canonical_told(struct kw_canonical *server, const struct kw_error *err)
{
    struct kw_core *core = server->broker->core;

    kwi_watch_resolved(core, server->broker, server->asked_us, NULL, 0, err);
    if (!core->closing)
        kwi_event_error(core, err);
    canonical_step(server, CANONICAL_FAILED);
}

static void canonical_failed(struct kw_query *query, const struct kw_cause *cause)
{
    struct kw_canonical *server = KWI_OF(query, struct kw_canonical, query);
    struct kw_error err;

    kwi_query_why(query, cause, &err);
    canonical_told(server, &err);
}

/* The same addresses once each, as many as are tried of one name. */
static void canonical_found(struct kw_query *query, const struct kw_addr *addrs, size_t n)
{
    struct kw_canonical *server = KWI_OF(query, struct kw_canonical, query);
    struct kw_core *core = server->broker->core;
    uint32_t n_asked = 0;

    kwi_core_disarm(core, &server->timer);
    kwi_watch_resolved(core, server->broker, server->asked_us, addrs, n, NULL);
    server->attempts = 0;
    canonical_step(server, CANONICAL_FOUND);
    for (size_t i = 0; i < n && n_asked < KWI_LINK_ADDRS; i++) {
        bool known = false;

        for (size_t k = 0; k < i && !known; k++)
            known = kwi_address_same(&addrs[i], &addrs[k]);
        if (!known)
            canonical_addr_ask(server, &addrs[i]);
        n_asked += !known;
    }
}

static const struct kw_query_type canonical_query = {.resolved = canonical_found,
                                                     .failed = canonical_failed};

static void canonical_ask(struct kw_canonical *server)
{
    struct kw_core *core = server->broker->core;

    server->asked_us = core->now.mono_us;
    server->query.type = &canonical_query;
    server->query.name = server->broker->host;
    server->query.addr = (struct kw_addr){.port = server->broker->port};
    if (kwi_query_ask(core, &server->query))
        canonical_step(server, CANONICAL_FAILED);
    else
        kwi_core_arm(core, &server->timer, canonical_deadline(core));
}

static void canonical_backoff(struct kw_canonical *server)
{
    struct kw_core *core = server->broker->core;

    kwi_core_arm(core, &server->timer,
                 core->now.mono_us +
                     kwi_core_backoff_us(core,
                                         kwi_config_i64(core->cfg, KW_KEY_RECONNECT_BACKOFF_MS),
                                         kwi_config_i64(core->cfg, KW_KEY_RECONNECT_BACKOFF_MAX_MS),
                                         server->attempts));
    server->attempts += server->attempts < 32;
}

static void canonical_idle(struct kw_canonical *server)
{
    kwi_reach_retry(server->broker->core);
}

static void canonical_timer(struct kw_timer *timer)
{
    struct kw_canonical *server = KWI_OF(timer, struct kw_canonical, timer);
    struct kw_error err;

    if (server->state == CANONICAL_WAIT) {
        canonical_step(server, CANONICAL_DUE);
        return;
    }
    kwi_query_forget(server->broker->core, &server->query);
    kwi_query_why_late(server->broker->core, &server->query, &err);
    canonical_told(server, &err);
}

/* ---- all of them ------------------------------------------------------------------------ */

void kwi_canonical_need(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;

    for (uint32_t i = 0; i < cluster->n_canonical; i++)
        canonical_step(&cluster->canonical[i], CANONICAL_NEED);
}

void kwi_canonical_again(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;

    for (uint32_t i = 0; i < cluster->n_canonical; i++)
        canonical_step(&cluster->canonical[i], CANONICAL_AGAIN);
    for (uint32_t i = 0; cluster->n_canonical && i < cluster->n_seeds; i++)
        cluster->seeds[i]->absent = true;
}

bool kwi_canonical_is_open(const struct kw_core *core)
{
    const struct kw_cluster *cluster = &core->cluster;
    bool open = false;

    for (uint32_t i = 0; i < cluster->n_canonical && !open; i++)
        open = cluster->canonical[i].state != CANONICAL_KNOWN ||
               !kwi_list_empty(&cluster->canonical[i].addrs);
    return open;
}

int kwi_canonical_init(struct kw_core *core, uint32_t n)
{
    struct kw_cluster *cluster = &core->cluster;
    const char *at = kwi_config_str(core->cfg, KW_KEY_BOOTSTRAP_SERVERS), *why;
    struct kw_server server;
    uint32_t max = n + CANONICAL_MORE;

    cluster->seeds = kwi_alloc_zero(&core->control, max * sizeof(struct kw_broker *));
    cluster->canonical = cluster->seeds
                             ? kwi_alloc_zero(&core->control, n * sizeof(*cluster->canonical))
                             : NULL;
    cluster->n_seeds_max = cluster->seeds ? max : 0;
    if (!cluster->canonical)
        return KW_ERR_NOMEM;
    cluster->n_canonical = n;
    for (uint32_t i = 0; i < n && kwi_config_next_server(&at, &server, &why) > 0; i++) {
        struct kw_canonical *item = &cluster->canonical[i];

        item->timer.fire = canonical_timer;
        item->broker = kwi_broker_create(core, -2 - (int32_t)i, server.host, server.host_len,
                                         server.port);
        if (!item->broker)
            return KW_ERR_NOMEM;
    }
    return 0;
}

void kwi_canonical_deinit(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;

    for (uint32_t i = 0; i < cluster->n_canonical && cluster->canonical[i].broker; i++) {
        struct kw_canonical *server = &cluster->canonical[i];

        while (!kwi_list_empty(&server->addrs))
            canonical_addr_free(KWI_OF(server->addrs.first, struct canonical_addr, node));
        kwi_query_forget(core, &server->query);
        kwi_core_disarm(core, &server->timer);
        kwi_broker_destroy(server->broker);
    }
    kwi_free(&core->control, cluster->canonical,
             cluster->n_canonical * sizeof(*cluster->canonical));
    cluster->canonical = NULL;
    cluster->n_canonical = 0;
}
