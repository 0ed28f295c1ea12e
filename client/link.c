/* client/link.c -- links: connecting, the race of addresses, backoff, idleness.
 *
 *   IDLE --need--> RESOLVING --addresses--> OPENING --up--> READY
 *   OPENING --due, or one failed: another address--> OPENING
 *   OPENING --the last one failed--> BACKOFF
 *   READY --down--> BACKOFF --due--> IDLE (and on, if something waits)
 *   READY --idle, or the broker moved--> IDLE
 *
 * The table is link_steps below. Nothing connects before it is needed. Names are
 * looked up and addresses ordered in client/address.c; brokers are in broker.c.
 *
 * Addresses race as RFC 8305 has it: the next attempt begins when one failed, or
 * when socket.connection.attempt.delay.ms have passed without an outcome. The first
 * that is up (TLS included) is the link's; the others are closed. If that one then
 * fails before it is ready, those that did not fail by themselves get their turn. */
#include "client/link.h"

#include <string.h>

#include "client/address.h"
#include "client/config.h"
#include "client/conn.h"
#include "client/conn_why.h"
#include "client/error_text.h"
#include "client/versions.h"
#include "client/watch.h"

enum { LINK_CONTROL_IN_FLIGHT = 16, LINK_GROUP_IN_FLIGHT = 5 };

enum link_state { LINK_IDLE, LINK_RESOLVING, LINK_OPENING, LINK_READY, LINK_BACKOFF };
enum link_event {
    LINK_NEED,
    LINK_RESOLVED,
    LINK_UNRESOLVED,
    LINK_UP,
    LINK_DOWN_MORE, /* an attempt failed, another address is left */
    LINK_DOWN,
    LINK_QUIET, /* closed for idleness, or because the broker moved */
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
    [LINK_IDLE] = {[LINK_NEED] = {1, LINK_RESOLVING, link_resolve}},
    [LINK_RESOLVING] = {[LINK_RESOLVED] = {1, LINK_OPENING, link_open},
                        [LINK_UNRESOLVED] = {1, LINK_BACKOFF, link_backoff},
                        [LINK_QUIET] = {1, LINK_IDLE, link_again}},
    [LINK_OPENING] = {[LINK_UP] = {1, LINK_READY, link_settle},
                      [LINK_DOWN_MORE] = {1, LINK_OPENING, link_open},
                      [LINK_DUE] = {1, LINK_OPENING, link_open},
                      [LINK_DOWN] = {1, LINK_BACKOFF, link_backoff},
                      [LINK_QUIET] = {1, LINK_IDLE, link_again}},
    [LINK_READY] =
        {[LINK_DOWN] = {1, LINK_BACKOFF, link_backoff}, [LINK_QUIET] = {1, LINK_IDLE, link_again}},
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

    if (kwi_address_ask(link)) {
        link->state = LINK_BACKOFF;
        link_backoff(link);
        return;
    }
    kwi_core_arm(core, &link->timer,
                 kwi_core_after_ms(core, link_config(link, KW_KEY_DNS_LOOKUP_TIMEOUT_MS)));
}

/* The next one of the race, if there is room for it. */
static void link_open(struct kw_link *link)
{
    struct kw_core *core = link->core;
    uint64_t timeout_us;
    int idx = link->n_opening < KWI_LINK_RACERS ? kwi_address_next(link) : -1;
    struct kw_conn *conn;

    kwi_core_disarm(core, &link->timer);
    if (idx < 0)
        return;
    timeout_us = kwi_core_backoff_us(
        core, link_config(link, KW_KEY_SOCKET_CONNECTION_SETUP_TIMEOUT_MS),
        link_config(link, KW_KEY_SOCKET_CONNECTION_SETUP_TIMEOUT_MAX_MS), link->attempts);
    conn = kwi_conn_open(link, (unsigned)idx, timeout_us);
    if (conn) {
        link->started |= 1u << idx;
        kwi_list_push(&link->opening, &conn->race_node);
        link->n_opening++;
    } else if (!link->n_opening && !link->conn) {
        link->state = LINK_BACKOFF;
        link_backoff(link);
        return;
    }
    if (kwi_address_next(link) >= 0)
        kwi_core_arm(
            core, &link->timer,
            kwi_core_after_ms(core, link_config(link, KW_KEY_SOCKET_CONNECTION_ATTEMPT_DELAY_MS)));
}

/* Ends all attempts but one (or all) without a word: they are not wanted any more. */
static void link_end_race(struct kw_link *link, const struct kw_conn *but)
{
    struct kw_node *next;
    struct kw_error quiet;

    kwi_error_set(&quiet, KW_ERR_CLOSED, KW_PHASE_NONE, "another address was faster", "");
    for (struct kw_node *n = link->opening.first; n; n = next) {
        struct kw_conn *conn = KWI_OF(n, struct kw_conn, race_node);

        next = n->next;
        if (conn == but)
            continue;
        kwi_link_leave(link, conn);
        link->started &= ~(1u << conn->addr_idx);
        conn->link = NULL;
        kwi_conn_fail(conn, &quiet);
    }
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
    kwi_core_disarm(link->core, &link->timer);
    if (link->needed || !kwi_list_empty(&link->queue))
        kwi_link_kick(link);
}

/* True, and the next look armed, if there was traffic within the idle time. */
static bool link_is_used(struct kw_link *link, uint64_t idle_us)
{
    struct kw_core *core = link->core;
    uint64_t due_us = link->last_used_us + idle_us;

    if (kwi_list_empty(&link->conn->requests) && due_us <= core->now.mono_us)
        return false;
    kwi_core_arm(core, &link->timer,
                 due_us > core->now.mono_us ? due_us : core->now.mono_us + idle_us);
    return true;
}

static void link_timer(struct kw_timer *timer)
{
    struct kw_link *link = KWI_OF(timer, struct kw_link, timer);
    int64_t idle_ms = link_config(link, KW_KEY_CONNECTIONS_MAX_IDLE_MS);
    struct kw_error quiet;

    if (link->state == LINK_RESOLVING) {
        kwi_address_timed_out(link);
    } else if (link->state == LINK_BACKOFF || link->state == LINK_OPENING) {
        link_step(link, LINK_DUE);
    } else if (link->state == LINK_READY && idle_ms >= 0 &&
               !link_is_used(link, (uint64_t)idle_ms * 1000)) {
        kwi_error_set(&quiet, KW_ERR_CLOSED, KW_PHASE_NONE, "idle", "");
        kwi_conn_fail(link->conn, &quiet);
    }
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

/* ---- what conn.c and address.c tell ------------------------------------------------ */

void kwi_link_opened(struct kw_link *link, struct kw_conn *conn)
{
    link_end_race(link, conn);
    kwi_link_leave(link, conn);
    kwi_core_disarm(link->core, &link->timer);
    link->conn = conn;
}

void kwi_link_leave(struct kw_link *link, struct kw_conn *conn)
{
    if (link->conn == conn) {
        link->conn = NULL;
    } else if (kwi_list_has(&link->opening, &conn->race_node)) {
        kwi_list_remove(&link->opening, &conn->race_node);
        link->n_opening--;
    }
}

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
    /* What it led may have another leader by now, and it another address. */
    if (link->broker->node_id >= 0)
        kwi_cluster_refresh(link->core);
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

/* Which event the end of this connection is; LINK_NEED: none, others still race. */
static enum link_event link_outcome(struct kw_link *link, const struct kw_conn *conn,
                                    bool was_ready, const struct kw_error *cause)
{
    if (was_ready)
        return cause->code == KW_ERR_CLOSED ? LINK_QUIET : LINK_DOWN;
    link->failed |= 1u << conn->addr_idx;
    /* Trust that was refused is refused at the other addresses, too; and what our
     * own system lacks is not at any of them. */
    if (cause->code == KW_ERR_AUTH || cause->code == KW_ERR_IO) {
        link_end_race(link, NULL);
        return LINK_DOWN;
    }
    if (kwi_address_next(link) >= 0)
        return LINK_DOWN_MORE;
    return link->n_opening ? LINK_NEED : LINK_DOWN;
}

void kwi_link_down(struct kw_link *link, struct kw_conn *conn, bool was_ready,
                   const struct kw_error *cause)
{
    enum link_event event = link_outcome(link, conn, was_ready, cause);
    int64_t max_ms = link_config(link, KW_KEY_RECONNECT_BACKOFF_MAX_MS);

    /* One that broke as soon as it was up is no success: the backoff goes on growing. */
    if (was_ready && link->core->now.mono_us - link->ready_us >= (uint64_t)max_ms * 1000)
        link->attempts = 0;
    link->cause = *cause;
    if (event == LINK_DOWN)
        link->broker->failed_addr = conn->addr;
    link->retired = false;
    if (event != LINK_NEED)
        link_step(link, event);
    if (event != LINK_QUIET &&
        (!was_ready || cause->code == KW_ERR_PROTOCOL || cause->code == KW_ERR_TIMEOUT ||
         cause->code == KW_ERR_LIMIT || cause->code == KW_ERR_AUTH))
        link_tell(link, was_ready);
    else
        kwi_log(link->core, 6, "%s", cause->text);
    if (link->state == LINK_BACKOFF)
        link_failed(link);
}

void kwi_link_resolved(struct kw_link *link)
{
    link_step(link, LINK_RESOLVED);
}

void kwi_link_unresolved(struct kw_link *link, const struct kw_error *cause)
{
    link->cause = *cause;
    kwi_event_error(link->core, cause);
    link_step(link, LINK_UNRESOLVED);
    link_failed(link);
}

void kwi_link_retire(struct kw_link *link)
{
    switch ((enum link_state)link->state) {
    case LINK_IDLE:
    case LINK_BACKOFF: return; /* the name is looked up before the next attempt */
    case LINK_RESOLVING: kwi_query_forget(link->core, &link->query); break;
    case LINK_OPENING:
        link_end_race(link, NULL);
        if (link->conn) {
            struct kw_conn *conn = link->conn;
            struct kw_error quiet;

            kwi_error_set(&quiet, KW_ERR_CLOSED, KW_PHASE_NONE, "the broker moved", "");
            conn->link = NULL;
            link->conn = NULL;
            kwi_conn_fail(conn, &quiet);
        }
        break;
    case LINK_READY:
        link->retired = true;
        kwi_conn_retire(link->conn);
        return;
    }
    link_step(link, LINK_QUIET);
}

/* ---- interface ---------------------------------------------------------------------- */

bool kwi_link_ready(const struct kw_link *link)
{
    return link->state == LINK_READY && !link->retired;
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
        if (link->conn && !link->retired && !link->conn->mute.armed &&
            link->conn->n_unanswered < link->max_in_flight)
            kwi_conn_wake(link->conn);
    } else if (link->state == LINK_IDLE && !link->core->closing) {
        link_step(link, LINK_NEED);
    }
}

int kwi_link_choose(const struct kw_request *req, int broker_min, int broker_max, int least,
                    int most)
{
    int low = least > broker_min ? least : broker_min;
    int high = most < broker_max ? most : broker_max;

    return kwi_api_choose(kwi_api_info(req->type->api_key), (int16_t)low, (int16_t)high);
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

void kwi_link_destroy(struct kw_link *link, int err)
{
    struct kw_core *core = link->core;
    struct kw_error cause;

    kwi_error_set(&cause, err, KW_PHASE_NONE, "the connection is no longer wanted", "");
    link->changed = NULL;
    link->pull = NULL;
    kwi_core_disarm(core, &link->timer);
    kwi_query_forget(link->core, &link->query);
    link_end_race(link, NULL);
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
