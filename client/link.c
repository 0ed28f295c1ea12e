/* client/link.c -- brokers and links: look-up, connecting, backoff, idleness.
 *
 *   IDLE --need--> RESOLVING --addresses--> OPENING --up--> READY
 *   OPENING --down, another address--> OPENING     OPENING --down--> BACKOFF
 *   READY --down--> BACKOFF --due--> IDLE (and on, if something waits)
 *
 * The table is link_steps below. Nothing connects before it is needed. */
#include "client/link.h"

#include <string.h>

#include "base/fmt.h"
#include "client/config.h"
#include "client/conn.h"
#include "client/conn_why.h"
#include "client/error_text.h"
#include "client/versions.h"
#include "client/watch.h"

enum { LINK_CONTROL_IN_FLIGHT = 16, LINK_GROUP_IN_FLIGHT = 5 };

enum link_state { LINK_IDLE, LINK_RESOLVING, LINK_OPENING, LINK_READY, LINK_BACKOFF };
enum link_event {
    LINK_NEED_KNOWN,   /* something to send, and an address to try */
    LINK_NEED_UNKNOWN, /* something to send, the name must be looked up */
    LINK_RESOLVED,
    LINK_UNRESOLVED,
    LINK_UP,
    LINK_DOWN_MORE, /* the attempt failed, another address is left */
    LINK_DOWN,
    LINK_QUIET, /* closed for idleness */
    LINK_DUE
};

struct link_step {
    uint8_t legal, next;
    void (*act)(struct kw_link *link);
};

static void link_resolve(struct kw_link *link);
static void link_open(struct kw_link *link);
static void link_backoff(struct kw_link *link);
static void link_settle(struct kw_link *link);
static void link_again(struct kw_link *link);

static const struct link_step link_steps[KWI_LINK_STATES][KWI_LINK_EVENTS] = {
    [LINK_IDLE] = {[LINK_NEED_KNOWN] = {1, LINK_OPENING, link_open},
                   [LINK_NEED_UNKNOWN] = {1, LINK_RESOLVING, link_resolve}},
    [LINK_RESOLVING] = {[LINK_RESOLVED] = {1, LINK_OPENING, link_open},
                        [LINK_UNRESOLVED] = {1, LINK_BACKOFF, link_backoff}},
    [LINK_OPENING] = {[LINK_UP] = {1, LINK_READY, link_settle},
                      [LINK_DOWN_MORE] = {1, LINK_OPENING, link_open},
                      [LINK_DOWN] = {1, LINK_BACKOFF, link_backoff}},
    [LINK_READY] =
        {[LINK_DOWN] = {1, LINK_BACKOFF, link_backoff}, [LINK_QUIET] = {1, LINK_IDLE, NULL}},
    [LINK_BACKOFF] = {[LINK_DUE] = {1, LINK_IDLE, link_again}},
};

bool kwi_link_cell(unsigned state, unsigned event, unsigned *next)
{
    *next = link_steps[state][event].next;
    return link_steps[state][event].legal != 0;
}

static void link_step(struct kw_link *link, enum link_event event)
{
    const struct link_step *step = &link_steps[link->state][event];

    KWI_ASSERT(step->legal);
    if (!step->legal)
        return;
    link->state = step->next;
    if (step->act)
        step->act(link);
}

/* ---- actions ------------------------------------------------------------------ */

static int64_t link_config(const struct kw_link *link, enum kw_key key)
{
    return kwi_config_i64(link->core->cfg, key);
}

static void link_resolve(struct kw_link *link)
{
    struct kw_core *core = link->core;

    link->query = ++core->next_query_id;
    link->query_us = core->now.mono_us;
    if (kwi_map_put(&core->queries, link->query, link)) {
        link->query = 0;
        link->state = LINK_BACKOFF;
        link_backoff(link);
        return;
    }
    kwi_list_push(&core->want_queries, &link->query_node);
    kwi_attend(core, KW_ATT_WANT);
}

static void link_open(struct kw_link *link)
{
    const struct kw_addr *addr = &link->addrs[link->next_addr++];
    uint64_t timeout_us = kwi_core_backoff_us(
        link->core, link_config(link, KW_KEY_SOCKET_CONNECTION_SETUP_TIMEOUT_MS),
        link_config(link, KW_KEY_SOCKET_CONNECTION_SETUP_TIMEOUT_MAX_MS), link->attempts);

    link->conn = kwi_conn_open(link, addr, timeout_us);
    if (link->conn)
        return;
    link->state = LINK_BACKOFF;
    link_backoff(link);
}

static void link_backoff(struct kw_link *link)
{
    struct kw_core *core = link->core;
    /* A password that was refused does not become right, and may lock an account. */
    bool refused = link->cause.code == KW_ERR_AUTH;
    int64_t max_ms = link_config(link, KW_KEY_RECONNECT_BACKOFF_MAX_MS);
    int64_t first_ms = refused ? max_ms : link_config(link, KW_KEY_RECONNECT_BACKOFF_MS);
    uint64_t us = kwi_core_backoff_us(core, first_ms, max_ms, link->attempts);

    if (link->attempts < 32)
        link->attempts++;
    link->next_addr = link->n_addrs; /* look the name up again */
    kwi_core_arm(core, &link->timer, core->now.mono_us + us);
}

/* Looks for idleness every max.idle: cheap, and late by one period at most. */
static void link_watch_idle(struct kw_link *link)
{
    int64_t idle_ms = link_config(link, KW_KEY_CONNECTIONS_MAX_IDLE_MS);

    link->last_used_us = link->core->now.mono_us;
    if (idle_ms >= 0)
        kwi_core_arm(link->core, &link->timer, kwi_core_after_ms(link->core, idle_ms));
}

static void link_settle(struct kw_link *link)
{
    link->ready_us = link->core->now.mono_us;
    link_watch_idle(link);
    if (link->changed)
        link->changed(link, true);
    link->needed = true; /* pull is asked once, whatever was kicked before */
    kwi_conn_wake(link->conn);
}

static void link_again(struct kw_link *link)
{
    if (link->needed || !kwi_list_empty(&link->queue))
        kwi_link_kick(link);
}

static void link_timer(struct kw_timer *timer)
{
    struct kw_link *link = KWI_OF(timer, struct kw_link, timer);
    int64_t idle_ms = link_config(link, KW_KEY_CONNECTIONS_MAX_IDLE_MS);
    struct kw_error quiet;

    if (link->state == LINK_BACKOFF) {
        link_step(link, LINK_DUE);
        return;
    }
    if (link->state != LINK_READY || idle_ms < 0)
        return;
    if (!kwi_list_empty(&link->conn->requests) ||
        link->core->now.mono_us - link->last_used_us < (uint64_t)idle_ms * 1000) {
        uint64_t due_us = link->last_used_us + (uint64_t)idle_ms * 1000;
        kwi_core_arm(link->core, &link->timer,
                     due_us > link->core->now.mono_us ? due_us
                                                      : kwi_core_after_ms(link->core, idle_ms));
        return;
    }
    kwi_error_set(&quiet, KW_ERR_CLOSED, KW_PHASE_NONE, "idle", "");
    kwi_conn_fail(link->conn, &quiet);
}

/* What waits for a connection that could not be had is told so; its owner knows
 * whether to go elsewhere or to try again. */
static void link_end_queue(struct kw_link *link, const struct kw_error *cause)
{
    struct kw_list queue = link->queue;

    link->queue = (struct kw_list){0};
    while (!kwi_list_empty(&queue))
        kwi_request_end(KWI_OF(kwi_list_pop(&queue), struct kw_request, node), cause->code, cause);
}

/* ---- what conn.c tells ------------------------------------------------------------ */

void kwi_link_up(struct kw_link *link)
{
    link_step(link, LINK_UP);
    if (link->lane == KWI_LANE_CONTROL)
        kwi_cluster_link_up(link);
}

static void link_failed(struct kw_link *link)
{
    struct kw_error cause = link->cause;

    link_end_queue(link, &cause);
    if (link->changed)
        link->changed(link, false);
    if (link->lane == KWI_LANE_CONTROL)
        kwi_cluster_link_down(link);
}

/* What no attempt can mend is told as such when no other broker is left to try. */
static void link_tell(struct kw_link *link, bool was_ready)
{
    struct kw_error told = link->cause;

    if (!was_ready && told.code == KW_ERR_PROTOCOL)
        told.retriable = !kwi_why_is_final(&told) || !kwi_cluster_is_hopeless(link->core);
    kwi_event_error(link->core, &told);
}

void kwi_link_down(struct kw_link *link, bool was_ready, const struct kw_error *cause)
{
    bool quiet = was_ready && cause->code == KW_ERR_CLOSED;
    int64_t max_ms = link_config(link, KW_KEY_RECONNECT_BACKOFF_MAX_MS);

    /* One that broke as soon as it was up is no success: the backoff goes on growing. */
    if (was_ready && link->core->now.mono_us - link->ready_us >= (uint64_t)max_ms * 1000)
        link->attempts = 0;
    link->cause = *cause;
    if (quiet)
        link_step(link, LINK_QUIET);
    else if (!was_ready && cause->code != KW_ERR_AUTH && link->next_addr < link->n_addrs)
        link_step(link, LINK_DOWN_MORE);
    else
        link_step(link, LINK_DOWN);
    if (!quiet && (!was_ready || cause->code == KW_ERR_PROTOCOL || cause->code == KW_ERR_TIMEOUT ||
                   cause->code == KW_ERR_LIMIT || cause->code == KW_ERR_AUTH))
        link_tell(link, was_ready);
    else
        kwi_log(link->core, 6, "%s", cause->text);
    if (link->state == LINK_BACKOFF)
        link_failed(link);
}

/* ---- interface ---------------------------------------------------------------------- */

bool kwi_link_ready(const struct kw_link *link)
{
    return link->state == LINK_READY;
}

bool kwi_link_connecting(const struct kw_link *link)
{
    return link->state == LINK_RESOLVING || link->state == LINK_OPENING;
}

bool kwi_link_backing_off(const struct kw_link *link)
{
    return link->state == LINK_BACKOFF;
}

void kwi_link_kick(struct kw_link *link)
{
    link->needed = true;
    link->last_used_us = link->core->now.mono_us;
    if (link->state == LINK_READY) {
        /* Without conn it is being lost right now: link_again sees `needed`. */
        if (link->conn && link->conn->n_unanswered < link->max_in_flight)
            kwi_conn_wake(link->conn);
    } else if (link->state == LINK_IDLE && !link->core->closing) {
        link_step(link, link->next_addr < link->n_addrs ? LINK_NEED_KNOWN : LINK_NEED_UNKNOWN);
    }
}

bool kwi_link_version(const struct kw_link *link, const struct kw_request *req, int *version)
{
    int16_t api_key = req->type->api_key;
    const struct kw_api_info *api = kwi_api_info(api_key);
    const struct kw_conn *conn = link->conn;
    int v;

    if (!conn || !api || api_key >= KWI_API_KEYS || conn->api_max[api_key] < 0)
        return false;
    if (req->type->choose)
        v = req->type->choose(req, conn->api_min[api_key], conn->api_max[api_key]);
    else
        v = kwi_api_choose(api, conn->api_min[api_key], conn->api_max[api_key]);
    if (v < 0)
        return false;
    *version = v;
    return true;
}

struct kw_link *kwi_link_find(const struct kw_broker *broker, enum kw_lane lane, const void *owner)
{
    for (struct kw_node *n = broker->links.first; n; n = n->next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, broker_node);
        if (link->lane == lane && link->owner == owner)
            return link;
    }
    return NULL;
}

struct kw_link *kwi_link_get(struct kw_broker *broker, enum kw_lane lane, void *owner)
{
    struct kw_core *core = broker->core;
    struct kw_link *link = kwi_link_find(broker, lane, owner);

    if (link)
        return link;
    link = kwi_alloc_zero(&core->control, sizeof(*link));
    if (!link)
        return NULL;
    link->core = core;
    link->broker = broker;
    link->lane = (uint8_t)lane;
    link->owner = owner;
    link->state = LINK_IDLE;
    link->timer.fire = link_timer;
    link->max_in_flight = lane == KWI_LANE_CONTROL ? LINK_CONTROL_IN_FLIGHT
                          : lane == KWI_LANE_GROUP ? LINK_GROUP_IN_FLIGHT
                                                   : 1;
    link->versions_try = kwi_api_info(KW_API_API_VERSIONS)->client_max;
    kwi_list_push(&core->links, &link->node);
    kwi_list_push(&broker->links, &link->broker_node);
    return link;
}

static void link_forget_query(struct kw_link *link)
{
    if (!link->query)
        return;
    kwi_map_remove(&link->core->queries, link->query);
    kwi_list_remove(&link->core->want_queries, &link->query_node);
    link->query = 0;
}

void kwi_link_destroy(struct kw_link *link, int err)
{
    struct kw_core *core = link->core;
    struct kw_error cause;

    kwi_error_set(&cause, err, KW_PHASE_NONE, "the connection is no longer wanted", "");
    link->changed = NULL;
    link->pull = NULL;
    kwi_core_disarm(core, &link->timer);
    link_forget_query(link);
    if (link->conn) {
        struct kw_conn *conn = link->conn;
        conn->link = NULL;
        link->conn = NULL;
        kwi_conn_fail(conn, &cause);
    }
    while (!kwi_list_empty(&link->queue))
        kwi_request_end(KWI_OF(kwi_list_pop(&link->queue), struct kw_request, node), err, &cause);
    kwi_list_remove(&core->links, &link->node);
    kwi_list_remove(&link->broker->links, &link->broker_node);
    kwi_free(&core->control, link, sizeof(*link));
}

void kwi_links_drop(struct kw_core *core, enum kw_lane lane, const void *owner)
{
    struct kw_node *next;

    for (struct kw_node *n = core->links.first; n; n = next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, node);
        next = n->next;
        if (link->lane == lane && link->owner == owner)
            kwi_link_destroy(link, KW_ERR_CLOSED);
    }
}

void kwi_links_destroy(struct kw_core *core)
{
    struct kw_conn *conn;

    while (!kwi_list_empty(&core->links))
        kwi_link_destroy(KWI_OF(core->links.first, struct kw_link, node), KW_ERR_CLOSED);
    for (uint32_t i = 0; (conn = kwi_map_next(&core->conns, &i));)
        kwi_conn_destroy(conn);
    kwi_requests_deinit(core);
}

/* ---- look-ups ------------------------------------------------------------------------- */

bool kwi_query_next_want(struct kw_core *core, struct kw_want *want)
{
    struct kw_link *link;

    if (kwi_list_empty(&core->want_queries))
        return false;
    link = KWI_OF(kwi_list_pop(&core->want_queries), struct kw_link, query_node);
    want->kind = KW_WANT_RESOLVE;
    want->id = link->query;
    want->name = link->broker->host;
    want->port = link->broker->port;
    return true;
}

void kw_core_resolved(struct kw_core *core, uint32_t query, const struct kw_addr *addrs, size_t n,
                      int os_err)
{
    struct kw_link *link = kwi_map_remove(&core->queries, query);
    struct kw_error err;

    if (!link)
        return;
    link->query = 0;
    link->n_addrs = (uint32_t)(n < KWI_LINK_ADDRS ? n : KWI_LINK_ADDRS);
    link->next_addr = 0;
    if (link->n_addrs) {
        memcpy(link->addrs, addrs, link->n_addrs * sizeof(*addrs));
        kwi_watch_resolved(link, link->addrs, link->n_addrs, NULL);
        link_step(link, LINK_RESOLVED);
        return;
    }
    kwi_error_fmt(&err, KW_ERR_CONNECT, KW_PHASE_RESOLVE,
                  "check the spelling in bootstrap.servers, DNS and /etc/hosts",
                  "the host name %s cannot be resolved", link->broker->host);
    err.os_err = os_err;
    kwi_why_advertised(link->broker, &err);
    kwi_fmt(err.peer, sizeof(err.peer), "%.*s:%u", 52, link->broker->host, link->broker->port);
    link->cause = err;
    kwi_watch_resolved(link, NULL, 0, &err);
    kwi_event_error(core, &err);
    link_step(link, LINK_UNRESOLVED);
    link_failed(link);
}

/* ---- brokers ---------------------------------------------------------------------------- */

int kwi_broker_move(struct kw_broker *broker, const char *host, size_t host_len, uint16_t port)
{
    char *copy;

    if (broker->host && broker->port == port && broker->host_size == host_len + 1 &&
        !memcmp(broker->host, host, host_len))
        return 0;
    copy = kwi_strdup(&broker->core->control, host, host_len);
    if (!copy)
        return KW_ERR_NOMEM;
    kwi_free(&broker->core->control, broker->host, broker->host_size);
    broker->host = copy;
    broker->host_size = host_len + 1;
    broker->port = port;
    for (struct kw_node *n = broker->links.first; n; n = n->next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, broker_node);
        link->n_addrs = link->next_addr = 0; /* of the old address */
    }
    return 0;
}

struct kw_broker *kwi_broker_create(struct kw_core *core, int32_t node_id, const char *host,
                                    size_t host_len, uint16_t port)
{
    struct kw_broker *broker = kwi_alloc_zero(&core->control, sizeof(*broker));

    if (!broker)
        return NULL;
    broker->core = core;
    broker->node_id = node_id;
    if (kwi_broker_move(broker, host, host_len, port)) {
        kwi_free(&core->control, broker, sizeof(*broker));
        return NULL;
    }
    return broker;
}

void kwi_broker_destroy(struct kw_broker *broker)
{
    while (!kwi_list_empty(&broker->links))
        kwi_link_destroy(KWI_OF(broker->links.first, struct kw_link, broker_node), KW_ERR_CLOSED);
    kwi_free(&broker->core->control, broker->host, broker->host_size);
    kwi_free(&broker->core->control, broker, sizeof(*broker));
}
