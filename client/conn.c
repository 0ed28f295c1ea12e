/* client/conn.c -- a connection's states and its two byte streams. See conn.h.
 *
 * Laws kept here: bytes that were handed out stay as they are until confirmed
 * or closed (1, 3); closing is a wish until the driver's receipt (2); an answer
 * that cannot be one closes the connection. The read side is in conn_read.c. */
#include "client/conn.h"

#include <string.h>

#include "base/fmt.h"
#include "client/close.h"
#include "client/config.h"
#include "client/conn_read.h"
#include "client/conn_why.h"
#include "client/error_text.h"
#include "client/sasl.h"
#include "client/versions.h"
#include "client/watch.h"

/* Answered requests that a driver confirms late; more than that stops sending. */
enum { CONN_REQUESTS_MAX = 64 };

/* A session: the shortest time between two authentications, and the longest that
 * fits a timer; what a broker has for the second one beyond the session's end. */
enum { CONN_SESSION_MIN_MS = 1010, CONN_SESSION_MAX_MS = INT32_MAX, CONN_SESSION_GRACE_MS = 10000 };

enum conn_state { CONN_OPENING, CONN_VERSIONS, CONN_SASL, CONN_READY, CONN_REAUTH, CONN_CLOSING };
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
    [CONN_OPENING] = {[CONN_OPENED] = {1, CONN_VERSIONS, conn_begin},
                      [CONN_FAILED] = {1, CONN_CLOSING, conn_close}},
    [CONN_VERSIONS] = {[CONN_ANSWERED] = {1, CONN_READY, conn_ready},
                       [CONN_CHALLENGED] = {1, CONN_SASL, conn_authenticate},
                       [CONN_FAILED] = {1, CONN_CLOSING, conn_close}},
    [CONN_SASL] = {[CONN_PROVED] = {1, CONN_READY, conn_ready},
                   [CONN_FAILED] = {1, CONN_CLOSING, conn_close}},
    [CONN_READY] = {[CONN_DUE] = {1, CONN_REAUTH, conn_authenticate},
                    [CONN_FAILED] = {1, CONN_CLOSING, conn_close}},
    [CONN_REAUTH] = {[CONN_PROVED] = {1, CONN_READY, conn_again},
                     [CONN_FAILED] = {1, CONN_CLOSING, conn_close}},
    [CONN_CLOSING] =
        {[CONN_OPENED] = {1, CONN_CLOSING, NULL}, [CONN_FAILED] = {1, CONN_CLOSING, NULL}},
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
    if (!conn->write_idle || conn->state == CONN_OPENING || conn->state == CONN_CLOSING)
        return;
    conn->write_idle = false;
    kwi_conn_want(conn, KW_WANT_WRITE_READY);
}

/* ---- life -------------------------------------------------------------------- */

bool kwi_conn_is_ready(const struct kw_conn *conn)
{
    return conn->state == CONN_READY;
}

/* Its link takes it for ready: requests are under way or wait for it. */
static bool conn_is_up(const struct kw_conn *conn)
{
    return conn->state == CONN_READY || conn->state == CONN_REAUTH;
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
    return conn->state != CONN_OPENING && conn->state != CONN_CLOSING;
}

enum kw_phase kwi_conn_phase(const struct kw_conn *conn)
{
    switch ((enum conn_state)conn->state) {
    case CONN_OPENING: return KW_PHASE_CONNECT;
    case CONN_VERSIONS: return KW_PHASE_VERSIONS;
    case CONN_SASL:
    case CONN_REAUTH: return KW_PHASE_SASL;
    case CONN_READY:
    case CONN_CLOSING: break;
    }
    return KW_PHASE_REQUEST;
}

static void conn_timed_out(struct kw_timer *timer)
{
    struct kw_conn *conn = KWI_OF(timer, struct kw_conn, timer);
    struct kw_error err;

    if (conn->state == CONN_REAUTH)
        kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_SASL,
                      "the broker is overloaded or hangs; or raise request.timeout.ms",
                      "%s: when authenticating again, %s within request.timeout.ms (%lld)",
                      conn->peer, kwi_sasl_waits_for(conn),
                      (long long)kwi_config_i64(conn->core->cfg, KW_KEY_REQUEST_TIMEOUT_MS));
    else if (conn_is_up(conn))
        kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST,
                      "the broker is overloaded or hangs; or raise request.timeout.ms",
                      "%s did not answer a request within request.timeout.ms (%lld)", conn->peer,
                      (long long)kwi_config_i64(conn->core->cfg, KW_KEY_REQUEST_TIMEOUT_MS));
    else
        kwi_conn_why_late(conn,
                          conn->state == CONN_OPENING && kwi_config_uses_tls(conn->core->cfg)
                              ? "no TCP connection and TLS handshake"
                          : conn->state == CONN_OPENING ? "no connection"
                          : conn->state == CONN_SASL    ? kwi_sasl_waits_for(conn)
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
    kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_SASL, "is the broker overloaded?",
                  "%s: the session ended before we could authenticate again: %s", conn->peer,
                  kwi_sasl_waits_for(conn));
    kwi_conn_fail(conn, &err);
}

static void conn_unmute(struct kw_timer *timer)
{
    kwi_conn_wake(KWI_OF(timer, struct kw_conn, mute));
}

void kwi_conn_mute(struct kw_conn *conn, int64_t mute_ms)
{
    uint64_t until_us = kwi_core_after_ms(conn->core, mute_ms);

    if (!conn->link || (conn->mute.armed && conn->mute.deadline_us >= until_us))
        return;
    kwi_log(conn->core, 6, "%s wants to be left alone for %lld ms (quota)", conn->peer,
            (long long)mute_ms);
    kwi_core_arm(conn->core, &conn->mute, until_us);
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
    if (kwi_map_put(&core->conns, conn->id, conn)) {
        kwi_free(&core->control, conn, sizeof(*conn));
        return NULL;
    }
    conn->state = CONN_OPENING;
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

    if (conn->state == CONN_REAUTH)
        kwi_core_arm(core, &conn->again,
                     kwi_core_after_ms(core, CONN_SESSION_GRACE_MS + conn->session_ms / 5));
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
    bool was_ready = conn_is_up(conn);

    if (conn->state == CONN_CLOSING)
        return;
    if (!copy.peer[0])
        memcpy(copy.peer, conn->peer, sizeof(copy.peer));
    if (conn->link && conn->link->broker->node_id >= 0)
        copy.broker = conn->link->broker->node_id;
    conn_step(conn, CONN_FAILED);
    conn_detach(conn, was_ready, &copy);
}

static void conn_recycle(struct kw_conn *conn, struct kw_request *req)
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
        conn->state = CONN_CLOSING;
        conn_detach(conn, false, &cause);
    }
    while (!kwi_list_empty(&conn->requests))
        conn_recycle(conn, KWI_OF(conn->requests.first, struct kw_request, node));
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
    if (conn->state == CONN_OPENING && !kwi_config_uses_tls(core->cfg))
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
    if (conn->state != CONN_CLOSING) {
        bool was_ready = conn_is_up(conn);

        kwi_conn_why_closed(conn, doing[conn->state], cause, &err);
        memcpy(err.peer, conn->peer, sizeof(err.peer));
        if (conn->link && conn->link->broker->node_id >= 0)
            err.broker = conn->link->broker->node_id;
        if (conn->state == CONN_VERSIONS && conn->link)
            kwi_versions_cut(conn->link);
        conn->state = CONN_CLOSING;
        conn_detach(conn, was_ready, &err);
    }
    kwi_conn_destroy(conn);
}

/* ---- bytes out --------------------------------------------------------------------- */

/* Arms the timer for the oldest request without an answer. */
void kwi_conn_arm(struct kw_conn *conn)
{
    if (!conn_is_up(conn))
        return;
    for (struct kw_node *n = conn->requests.first; n; n = n->next) {
        struct kw_request *req = KWI_OF(n, struct kw_request, node);
        if (req->answered)
            continue;
        if (!conn->timer.armed || conn->timer.deadline_us != req->deadline_us)
            kwi_core_arm(conn->core, &conn->timer, req->deadline_us);
        return;
    }
    kwi_core_disarm(conn->core, &conn->timer);
}

/* The request that the connection should carry next, or NULL. */
static struct kw_request *conn_next_request(struct kw_conn *conn, bool *pulled)
{
    struct kw_link *link = conn->link;

    *pulled = false;
    if (conn->state == CONN_VERSIONS)
        return kwi_versions_request(conn);
    if (conn->state == CONN_SASL || (conn->state == CONN_REAUTH && conn->n_unanswered == 0))
        return kwi_sasl_request(conn);
    if (conn->state != CONN_READY || !link || link->retired || conn->mute.armed ||
        conn->n_unanswered >= link->max_in_flight)
        return NULL;
    if (!kwi_list_empty(&link->queue))
        return KWI_OF(kwi_list_pop(&link->queue), struct kw_request, node);
    *pulled = true;
    return link->pull ? link->pull(link) : NULL;
}

static void conn_count_flight(const struct kw_conn *conn, const struct kw_request *req)
{
    struct kw_stats *stats = &conn->core->stats;

    if (req->type->api_key == KW_API_PRODUCE && conn->n_unanswered > stats->produce_flight_peak)
        stats->produce_flight_peak = conn->n_unanswered;
}

/* Puts the next request on the stream. false: there is none. */
static bool conn_build(struct kw_conn *conn)
{
    bool pulled;
    struct kw_request *req;
    struct kw_error err;
    int version = 0, rc;

    while ((req = conn_next_request(conn, &pulled))) {
        if (conn->state == CONN_READY) {
            rc = kwi_link_version(conn->link, req, &version) ? 0 : KW_ERR_UNSUPPORTED;
            req->version = (int16_t)version;
        } else {
            rc = 0;
        }
        if (!rc)
            rc = kwi_request_encode(req, conn);
        if (!rc) {
            conn_count_flight(conn, req);
            kwi_conn_arm(conn);
            return true;
        }
        kwi_error_fmt(&err, rc, KW_PHASE_REQUEST, "", "cannot send %s to %s: %s",
                      kwi_api_name(req->type->api_key), conn->peer,
                      rc == KW_ERR_UNSUPPORTED ? "the broker does not offer a version that this "
                                                 "client speaks"
                                               : kw_err_name(rc));
        kwi_request_end(req, rc, &err);
        if (pulled || !conn->link)
            return false;
    }
    /* A connection that fails before it is ready has asked pull for nothing. */
    if (conn->link && !conn->link->retired && !conn->mute.armed && conn->state == CONN_READY &&
        conn->n_unanswered < conn->link->max_in_flight)
        conn->link->needed = false;
    return false;
}

/* Lists the bytes from stream position pos on. */
static size_t conn_list(const struct kw_conn *conn, uint64_t pos, struct kw_iov *iov, size_t cap,
                        uint64_t *end)
{
    size_t n = 0;

    *end = pos;
    for (struct kw_node *node = conn->requests.first; node && n < cap; node = node->next) {
        const struct kw_request *req = KWI_OF(node, struct kw_request, node);
        uint64_t at = req->start;

        if (req->end <= *end)
            continue;
        for (uint32_t i = 0; i < req->n_segs && n < cap; at += req->segs[i].len, i++) {
            size_t skip;
            if (at + req->segs[i].len <= *end)
                continue;
            skip = (size_t)(*end - at);
            iov[n].base = (uint8_t *)req->segs[i].base + skip;
            iov[n].len = req->segs[i].len - skip;
            *end += iov[n++].len;
        }
    }
    return n;
}

size_t kw_core_write_vec(struct kw_core *core, uint32_t id, size_t skip, struct kw_iov *iov,
                         size_t cap)
{
    struct kw_conn *conn = kwi_map_get(&core->conns, id);
    uint64_t pos, end;
    size_t n;

    if (!conn || !kwi_conn_is_open(conn) || !cap)
        return 0;
    pos = conn->confirmed + skip;
    if (pos > conn->offered)
        return 0; /* the driver claims more than it was given */
    while (pos == conn->built) {
        bool room = conn->n_requests < CONN_REQUESTS_MAX;

        if (!room || !conn_build(conn)) {
            conn->write_idle = conn->state != CONN_CLOSING;
            return 0;
        }
    }
    n = conn_list(conn, pos, iov, cap, &end);
    if (end > conn->offered)
        conn->offered = end;
    return n;
}

void kwi_conn_retire(struct kw_conn *conn)
{
    struct kw_error quiet;

    if (!conn->link || !conn->link->retired || !kwi_list_empty(&conn->requests))
        return;
    kwi_error_set(&quiet, KW_ERR_CLOSED, KW_PHASE_NONE, "the broker moved", "");
    kwi_conn_fail(conn, &quiet);
}

/* Frees what is answered and no longer lent; ends requests without answer. */
void kwi_conn_settle(struct kw_conn *conn)
{
    struct kw_node *next;

    for (struct kw_node *n = conn->requests.first; n; n = next) {
        struct kw_request *req = KWI_OF(n, struct kw_request, node);

        next = n->next;
        if (req->end > conn->confirmed)
            return;
        if (req->type->no_answer && !req->answered) {
            struct kw_answer answer = {.err = 0};
            req->answered = true;
            req->type->done(req, &answer);
        }
        if (req->answered)
            conn_recycle(conn, req);
        if (conn->state == CONN_CLOSING)
            return; /* done may have given the connection up */
    }
    kwi_conn_retire(conn);
}

void kw_core_written(struct kw_core *core, uint32_t id, size_t n)
{
    struct kw_conn *conn = kwi_map_get(&core->conns, id);

    if (!conn || n > conn->offered - conn->confirmed)
        return;
    conn->confirmed += n;
    core->stats.bytes_out += n;
    if (conn->state == CONN_CLOSING)
        return;
    kwi_conn_settle(conn);
    if (conn->link && conn->link->needed)
        kwi_conn_wake(conn);
}
