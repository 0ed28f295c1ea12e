/* client/conn.c -- a connection's states, its life and its wants. See conn.h.
 *
 * Law kept here: closing is a wish until the driver's receipt (2). The two byte
 * streams are in conn_write.c and conn_read.c. */
#include "client/conn.h"

#include <string.h>

#include "base/fmt.h"
#include "client/close.h"
#include "client/config.h"
#include "client/conn_parts.h"
#include "client/conn_why.h"
#include "client/error_text.h"
#include "client/sasl.h"
#include "client/versions.h"
#include "client/watch.h"

/* A session: the shortest time between two authentications, and the longest that
 * fits a timer; what a broker has for the second one beyond the session's end. */
enum { CONN_SESSION_MIN_MS = 1010, CONN_SESSION_MAX_MS = INT32_MAX, CONN_SESSION_GRACE_MS = 10000 };

enum conn_event {
    CONN_OPENED,
    CONN_ANSWERED,   /* ApiVersions, and that is all that is needed */
    CONN_CHALLENGED, /* ApiVersions, and now we have to authenticate */
    CONN_PROVED,
    CONN_DUE,
    CONN_FAILED
};

struct conn_step {
    uint8_t legal, next;
    void (*act)(struct kw_conn *conn);
};

static void conn_begin(struct kw_conn *conn);
static void conn_authenticate(struct kw_conn *conn);
static void conn_ready(struct kw_conn *conn);
static void conn_again(struct kw_conn *conn);
static void conn_close(struct kw_conn *conn);

/* A zero cell is illegal. Late completions after CLOSING are normal. */
static const struct conn_step conn_steps[KWI_CONN_STATES][KWI_CONN_EVENTS] = {
    [KWI_CONN_OPENING] = {[CONN_OPENED] = {1, KWI_CONN_VERSIONS, conn_begin},
                          [CONN_FAILED] = {1, KWI_CONN_CLOSING, conn_close}},
    [KWI_CONN_VERSIONS] = {[CONN_ANSWERED] = {1, KWI_CONN_READY, conn_ready},
                           [CONN_CHALLENGED] = {1, KWI_CONN_SASL, conn_authenticate},
                           [CONN_FAILED] = {1, KWI_CONN_CLOSING, conn_close}},
    [KWI_CONN_SASL] = {[CONN_PROVED] = {1, KWI_CONN_READY, conn_ready},
                       [CONN_FAILED] = {1, KWI_CONN_CLOSING, conn_close}},
    [KWI_CONN_READY] = {[CONN_DUE] = {1, KWI_CONN_REAUTH, conn_authenticate},
                        [CONN_FAILED] = {1, KWI_CONN_CLOSING, conn_close}},
    [KWI_CONN_REAUTH] = {[CONN_PROVED] = {1, KWI_CONN_READY, conn_again},
                         [CONN_FAILED] = {1, KWI_CONN_CLOSING, conn_close}},
    [KWI_CONN_CLOSING] =
        {[CONN_OPENED] = {1, KWI_CONN_CLOSING, NULL}, [CONN_FAILED] = {1, KWI_CONN_CLOSING, NULL}},
};

bool kwi_conn_cell(unsigned state, unsigned event, unsigned *next)
{
    *next = conn_steps[state][event].next;
    return conn_steps[state][event].legal != 0;
}

static bool conn_step(struct kw_conn *conn, enum conn_event event)
{
    const struct conn_step *step = &conn_steps[conn->state][event];

    if (!step->legal)
        return false;
    conn->state = step->next;
    if (step->act)
        step->act(conn);
    return true;
}

/* ---- wants ------------------------------------------------------------------ */

void kwi_conn_want(struct kw_conn *conn, enum kw_want_kind kind)
{
    if (!conn->wants)
        kwi_list_push(&conn->core->want_conns, &conn->want_node);
    if (kind == KW_WANT_READ_ON)
        conn->wants &= ~(1u << KW_WANT_READ_OFF);
    if (kind == KW_WANT_READ_OFF)
        conn->wants &= ~(1u << KW_WANT_READ_ON);
    conn->wants |= 1u << kind;
    kwi_attend(conn->core, KW_ATT_WANT);
}

static bool conn_take_want(struct kw_conn *conn, enum kw_want_kind kind, struct kw_want *want)
{
    if (!(conn->wants & 1u << kind))
        return false;
    conn->wants &= ~(1u << kind);
    want->kind = (uint8_t)kind;
    want->id = conn->id;
    if (conn->wants) /* the rest of this connection comes next */
        kwi_list_push_front(&conn->core->want_conns, &conn->want_node);
    return true;
}

bool kwi_conn_next_want(struct kw_conn *conn, struct kw_want *want)
{
    static const uint8_t order[] = {KW_WANT_OPEN, KW_WANT_READ_ON, KW_WANT_READ_OFF,
                                    KW_WANT_WRITE_READY, KW_WANT_CLOSE};
    const uint32_t both = 1u << KW_WANT_OPEN | 1u << KW_WANT_CLOSE;

    kwi_list_remove(&conn->core->want_conns, &conn->want_node);
    if ((conn->wants & both) == both) { /* the driver never heard of it */
        conn->wants = 0;
        kwi_conn_destroy(conn);
        return false;
    }
    for (unsigned i = 0; i < sizeof(order); i++) {
        if (conn_take_want(conn, (enum kw_want_kind)order[i], want)) {
            if (want->kind == KW_WANT_OPEN) {
                want->addr = conn->addr;
                want->tls = kwi_config_uses_tls(conn->core->cfg);
                want->name = conn->link ? conn->link->broker->server_name : conn->peer;
            }
            return true;
        }
    }
    return false;
}

void kwi_conn_wake(struct kw_conn *conn)
{
    if (!conn->write_idle || conn->state == KWI_CONN_OPENING || conn->state == KWI_CONN_CLOSING)
        return;
    conn->write_idle = false;
    kwi_conn_want(conn, KW_WANT_WRITE_READY);
}

/* ---- life -------------------------------------------------------------------- */

bool kwi_conn_is_ready(const struct kw_conn *conn)
{
    return conn->state == KWI_CONN_READY;
}

void kwi_conn_answered(struct kw_conn *conn)
{
    kwi_watch_done(conn, KW_PHASE_VERSIONS, NULL);
    conn_step(conn, kwi_config_uses_sasl(conn->core->cfg) ? CONN_CHALLENGED : CONN_ANSWERED);
}

void kwi_conn_proved(struct kw_conn *conn)
{
    kwi_watch_done(conn, KW_PHASE_SASL, NULL);
    conn_step(conn, CONN_PROVED);
}

bool kwi_conn_is_open(const struct kw_conn *conn)
{
    return conn->state != KWI_CONN_OPENING && conn->state != KWI_CONN_CLOSING;
}

enum kw_phase kwi_conn_phase(const struct kw_conn *conn)
{
    switch ((enum kw_conn_state)conn->state) {
    case KWI_CONN_OPENING: return KW_PHASE_CONNECT;
    case KWI_CONN_VERSIONS: return KW_PHASE_VERSIONS;
    case KWI_CONN_SASL:
    case KWI_CONN_REAUTH: return KW_PHASE_SASL;
    case KWI_CONN_READY:
    case KWI_CONN_CLOSING: break;
    }
    return KW_PHASE_REQUEST;
}

static void conn_timed_out(struct kw_timer *timer)
{
    struct kw_conn *conn = KWI_OF(timer, struct kw_conn, timer);
    const struct kw_request *oldest = kwi_conn_oldest(conn);
    struct kw_error err;

    if (conn->state == KWI_CONN_REAUTH && conn->sasl && conn->sasl->asked)
        kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_SASL,
                      "the broker is overloaded or hangs; or raise request.timeout.ms",
                      "%s: when authenticating again, %s within request.timeout.ms (%lld)",
                      conn->peer, kwi_sasl_waits_for(conn),
                      (long long)kwi_config_i64(conn->core->cfg, KW_KEY_REQUEST_TIMEOUT_MS));
    else if (kwi_conn_is_up(conn) && oldest)
        kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST,
                      "the broker is overloaded or hangs; or raise request.timeout.ms",
                      "%s did not answer a request within request.timeout.ms (%lld)", conn->peer,
                      (long long)kwi_request_timeout_ms(oldest));
    else
        kwi_conn_why_late(conn,
                          conn->state == KWI_CONN_OPENING && kwi_config_uses_tls(conn->core->cfg)
                              ? "no TCP connection and TLS handshake"
                          : conn->state == KWI_CONN_OPENING ? "no connection"
                          : conn->state == KWI_CONN_SASL    ? kwi_sasl_waits_for(conn)
                                                            : "no answer to ApiVersions",
                          &err);
    kwi_conn_fail(conn, &err);
}

/* READY: time to authenticate again. REAUTH: the session ended meanwhile. */
static void conn_session_due(struct kw_timer *timer)
{
    struct kw_conn *conn = KWI_OF(timer, struct kw_conn, again);
    struct kw_error err;

    if (conn_step(conn, CONN_DUE))
        return;
    /* SASL has not begun: what it waits for has a deadline of its own, and may take longer
     * than the session (JoinGroup). The broker takes SASL behind the session's end, too.
     * When it begins so late, it has all the time that it else has. */
    bool begun = conn->n_unanswered == 0 || (conn->sasl && conn->sasl->asked);
    if (!begun || conn->was_held) {
        conn->was_held = !begun;
        kwi_core_arm(conn->core, &conn->again,
                     kwi_core_after_ms(conn->core, CONN_SESSION_GRACE_MS));
        return;
    }
    kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_SASL, "is the broker overloaded?",
                  "%s: the session ended before we could authenticate again: %s", conn->peer,
                  kwi_sasl_waits_for(conn));
    kwi_conn_fail(conn, &err);
}

static void conn_unmute(struct kw_timer *timer)
{
    kwi_conn_wake(KWI_OF(timer, struct kw_conn, mute));
}

/* What was sent already is not read meanwhile either (KIP-219). */
static void conn_put_off(struct kw_conn *conn, uint64_t until_us)
{
    uint64_t from_us = conn->mute.armed ? conn->mute.deadline_us : conn->core->now.mono_us;

    for (struct kw_node *n = conn->requests.first; n; n = n->next) {
        struct kw_request *req = KWI_OF(n, struct kw_request, node);
        uint64_t room_us = UINT64_MAX - req->deadline_us;

        if (!req->answered && req->deadline_us)
            req->deadline_us += until_us - from_us < room_us ? until_us - from_us : room_us;
    }
}

void kwi_conn_mute(struct kw_conn *conn, int64_t mute_ms)
{
    uint64_t until_us = kwi_core_after_ms(conn->core, mute_ms);

    if (!conn->link || (conn->mute.armed && conn->mute.deadline_us >= until_us))
        return;
    kwi_log(conn->core, 6, "%s wants to be left alone for %lld ms (quota)", conn->peer,
            (long long)mute_ms);
    conn_put_off(conn, until_us);
    kwi_core_arm(conn->core, &conn->mute, until_us);
    kwi_conn_arm(conn);
}

struct kw_conn *kwi_conn_open(struct kw_link *link, uint32_t addr_idx, uint64_t setup_timeout_us)
{
    struct kw_core *core = link->core;
    struct kw_conn *conn = kwi_alloc(&core->control, sizeof(*conn));

    if (!conn)
        return NULL;
    memset(conn, 0, offsetof(struct kw_conn, stage));
    conn->core = core;
    conn->link = link;
    conn->id = ++core->next_conn_id;
    conn->addr_idx = addr_idx;
    conn->addr = link->addrs[addr_idx];
    conn->write_idle = true;
    conn->timer.fire = conn_timed_out;
    conn->stall.fire = kwi_conn_unstall;
    conn->again.fire = conn_session_due;
    conn->mute.fire = conn_unmute;
    for (unsigned i = 0; i < KWI_API_KEYS; i++)
        conn->api_max[i] = -1;
    kwi_fmt(conn->peer, sizeof(conn->peer), "%.*s:%u", 52, link->broker->host, conn->addr.port);
    kwi_fmt_clean(conn->peer);
    if (kwi_map_put(&core->conns, conn->id, conn)) {
        kwi_free(&core->control, conn, sizeof(*conn));
        return NULL;
    }
    conn->state = KWI_CONN_OPENING;
    conn->step_us = core->now.mono_us;
    conn->near_us = UINT64_MAX;
    kwi_core_arm(core, &conn->timer, core->now.mono_us + setup_timeout_us);
    kwi_conn_want(conn, KW_WANT_OPEN);
    return conn;
}

static void conn_begin(struct kw_conn *conn)
{
    if (conn->link)
        kwi_link_opened(conn->link, conn);
    kwi_conn_want(conn, KW_WANT_READ_ON);
    kwi_conn_wake(conn);
}

/* SASL, REAUTH: begins when what is under way was answered (conn_next_request). */
static void conn_authenticate(struct kw_conn *conn)
{
    struct kw_core *core = conn->core;
    struct kw_error err;

    if (conn->state == KWI_CONN_REAUTH) {
        conn->was_held = false;
        kwi_core_arm(core, &conn->again,
                     kwi_core_after_ms(core, CONN_SESSION_GRACE_MS + conn->session_ms / 5));
    }
    if (kwi_sasl_begin(conn, &err))
        kwi_conn_fail(conn, &err);
    else
        kwi_conn_wake(conn);
}

/* At 85 to 95 % of the session that the broker grants (KIP-368), so that not all
 * connections come at once. Brokers refuse it within a second of the last time. */
static void conn_watch_session(struct kw_conn *conn)
{
    struct kw_core *core = conn->core;
    int64_t ms = conn->session_ms;

    kwi_core_disarm(core, &conn->again);
    if (ms <= 0 || !conn->link)
        return;
    if (ms > CONN_SESSION_MAX_MS)
        ms = CONN_SESSION_MAX_MS;
    conn->session_ms = ms;
    ms = ms * (850 + kwi_rng_below(&core->rng, 101)) / 1000;
    kwi_core_arm(core, &conn->again,
                 kwi_core_after_ms(core, ms < CONN_SESSION_MIN_MS ? CONN_SESSION_MIN_MS : ms));
}

/* What was parked goes on. */
static void conn_again(struct kw_conn *conn)
{
    conn->core->stats.reauths++;
    kwi_log(conn->core, 6, "authenticated again to %s", conn->peer);
    conn_watch_session(conn);
    if (conn->link)
        conn->link->needed = true;
    kwi_conn_wake(conn);
}

static void conn_ready(struct kw_conn *conn)
{
    conn->core->stats.connects++;
    kwi_core_disarm(conn->core, &conn->timer);
    conn_watch_session(conn);
    if (conn->link)
        kwi_link_up(conn->link);
}

/* Nothing happens on it any more. */
static void conn_quiet(struct kw_conn *conn)
{
    kwi_core_disarm(conn->core, &conn->timer);
    kwi_core_disarm(conn->core, &conn->stall);
    kwi_core_disarm(conn->core, &conn->again);
    kwi_core_disarm(conn->core, &conn->mute);
    kwi_sasl_end(conn);
}

static void conn_close(struct kw_conn *conn)
{
    conn_quiet(conn);
    kwi_conn_want(conn, KW_WANT_CLOSE);
}

/* Tells every request that has no answer. They stay until nothing is lent. */
static void conn_end_requests(struct kw_conn *conn, const struct kw_error *cause)
{
    uint32_t n_lost = 0;
    int16_t first_api = -1;

    for (struct kw_node *n = conn->requests.first; n; n = n->next) {
        struct kw_request *req = KWI_OF(n, struct kw_request, node);
        struct kw_answer answer = {
            .err = cause->code, .offered = req->start < conn->offered, .cause = cause};
        if (req->answered)
            continue;
        req->answered = true;
        kwi_request_unreserve(req); /* whoever waits for it is woken by done */
        if (answer.offered && n_lost++ == 0)
            first_api = req->type->api_key;
        req->type->done(req, &answer);
    }
    conn->n_unanswered = 0;
    conn->core->stats.requests_lost += n_lost;
    if (n_lost)
        kwi_log(conn->core, 6, "the connection to %s ended with %u requests under way, first %s",
                conn->peer, n_lost, kwi_api_name(first_api));
}

/* The link lets go before requests end, so that what they send again goes to
 * its next connection. */
static void conn_detach(struct kw_conn *conn, bool was_ready, const struct kw_error *cause)
{
    struct kw_link *link = conn->link;

    conn->link = NULL;
    if (was_ready)
        conn->core->stats.disconnects++;
    if (link) {
        kwi_link_leave(link, conn);
        link->cause = *cause; /* who is told of it may ask whether all is lost */
        if (!was_ready)
            kwi_watch_failed(conn, link, cause);
    }
    conn_end_requests(conn, cause);
    if (link)
        kwi_link_down(link, conn, was_ready, cause);
}

void kwi_conn_fail(struct kw_conn *conn, const struct kw_error *cause)
{
    struct kw_error copy = *cause;
    bool was_ready = kwi_conn_is_up(conn);

    if (conn->state == KWI_CONN_CLOSING)
        return;
    if (!copy.peer[0])
        memcpy(copy.peer, conn->peer, sizeof(copy.peer));
    if (conn->link && conn->link->broker->node_id >= 0)
        copy.broker = conn->link->broker->node_id;
    conn_step(conn, CONN_FAILED);
    conn_detach(conn, was_ready, &copy);
}

void kwi_conn_retire(struct kw_conn *conn)
{
    struct kw_error quiet;

    if (!conn->link || !conn->link->retired || !kwi_list_empty(&conn->requests))
        return;
    kwi_error_set(&quiet, KW_ERR_CLOSED, KW_PHASE_NONE, "the broker moved", "");
    kwi_conn_fail(conn, &quiet);
}

void kwi_conn_recycle(struct kw_conn *conn, struct kw_request *req)
{
    kwi_list_remove(&conn->requests, &req->node);
    conn->n_requests--;
    if (req->type->release)
        req->type->release(req);
    kwi_request_destroy(req);
}

void kwi_conn_destroy(struct kw_conn *conn)
{
    struct kw_core *core = conn->core;
    struct kw_error cause;

    if (conn->link) {
        kwi_error_set(&cause, KW_ERR_CLOSED, KW_PHASE_NONE, "the client was destroyed", "");
        conn->state = KWI_CONN_CLOSING;
        conn_detach(conn, false, &cause);
    }
    while (!kwi_list_empty(&conn->requests))
        kwi_conn_recycle(conn, KWI_OF(conn->requests.first, struct kw_request, node));
    conn_quiet(conn);
    if (conn->wants)
        kwi_list_remove(&core->want_conns, &conn->want_node);
    kwi_conn_drop_frame(conn);
    kwi_map_remove(&core->conns, conn->id);
    kwi_free(&core->control, conn, sizeof(*conn));
    kwi_close_check(core);
}

/* ---- from the driver ------------------------------------------------------------ */

void kw_core_opened(struct kw_core *core, uint32_t id)
{
    struct kw_conn *conn = kwi_map_get(&core->conns, id);

    if (!conn)
        return;
    if (conn->state == KWI_CONN_OPENING && !kwi_config_uses_tls(core->cfg))
        kwi_watch_done(conn, KW_PHASE_CONNECT, NULL);
    conn_step(conn, CONN_OPENED);
}

void kw_core_closed(struct kw_core *core, uint32_t id, const struct kw_cause *cause)
{
    static const char *const doing[KWI_CONN_STATES] = {
        "connect to", "negotiate versions with", "authenticate to",
        "talk to",    "authenticate again to",   "close"};
    struct kw_conn *conn = kwi_map_get(&core->conns, id);
    struct kw_error err;

    if (!conn)
        return;
    if (conn->state != KWI_CONN_CLOSING) {
        bool was_ready = kwi_conn_is_up(conn);

        kwi_conn_why_closed(conn, doing[conn->state], cause, &err);
        memcpy(err.peer, conn->peer, sizeof(err.peer));
        if (conn->link && conn->link->broker->node_id >= 0)
            err.broker = conn->link->broker->node_id;
        if (conn->state == KWI_CONN_VERSIONS && conn->link)
            kwi_versions_cut(conn->link);
        conn->state = KWI_CONN_CLOSING;
        conn_detach(conn, was_ready, &err);
    }
    kwi_conn_destroy(conn);
}
