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
#include "client/error_text.h"
#include "client/versions.h"

/* Answered requests that a driver confirms late; more than that stops sending. */
enum { CONN_REQUESTS_MAX = 64 };

enum conn_state { CONN_OPENING, CONN_VERSIONS, CONN_READY, CONN_CLOSING };
enum conn_event { CONN_OPENED, CONN_ANSWERED, CONN_FAILED };

struct conn_step {
    uint8_t legal, next;
    void (*act)(struct kw_conn *conn);
};

static void conn_begin(struct kw_conn *conn);
static void conn_ready(struct kw_conn *conn);
static void conn_close(struct kw_conn *conn);

/* A zero cell is illegal. Late completions after CLOSING are normal. */
static const struct conn_step conn_steps[KWI_CONN_STATES][KWI_CONN_EVENTS] = {
    [CONN_OPENING] = {[CONN_OPENED] = {1, CONN_VERSIONS, conn_begin},
                      [CONN_FAILED] = {1, CONN_CLOSING, conn_close}},
    [CONN_VERSIONS] = {[CONN_ANSWERED] = {1, CONN_READY, conn_ready},
                       [CONN_FAILED] = {1, CONN_CLOSING, conn_close}},
    [CONN_READY] = {[CONN_FAILED] = {1, CONN_CLOSING, conn_close}},
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
                want->name = conn->link ? conn->link->broker->host : conn->peer;
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

void kwi_conn_answered(struct kw_conn *conn)
{
    conn_step(conn, CONN_ANSWERED);
}

bool kwi_conn_is_open(const struct kw_conn *conn)
{
    return conn->state == CONN_VERSIONS || conn->state == CONN_READY;
}

static void conn_timed_out(struct kw_timer *timer)
{
    struct kw_conn *conn = KWI_OF(timer, struct kw_conn, timer);
    struct kw_error err;
    bool ready = conn->state == CONN_READY;

    if (ready)
        kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST,
                      "the broker is overloaded or hangs; or raise request.timeout.ms",
                      "%s did not answer a request within request.timeout.ms (%lld)", conn->peer,
                      (long long)kwi_config_i64(conn->core->cfg, KW_KEY_REQUEST_TIMEOUT_MS));
    else
        kwi_error_fmt(&err, KW_ERR_TIMEOUT,
                      conn->state == CONN_OPENING ? KW_PHASE_CONNECT : KW_PHASE_VERSIONS,
                      "is a Kafka broker listening there, and is no firewall between?",
                      "%s: %s within socket.connection.setup.timeout.ms", conn->peer,
                      conn->state == CONN_OPENING ? "no connection" : "no answer to ApiVersions");
    kwi_conn_fail(conn, &err);
}

struct kw_conn *kwi_conn_open(struct kw_link *link, const struct kw_addr *addr,
                              uint64_t setup_timeout_us)
{
    struct kw_core *core = link->core;
    struct kw_conn *conn = kwi_alloc(&core->control, sizeof(*conn));

    if (!conn)
        return NULL;
    memset(conn, 0, offsetof(struct kw_conn, stage));
    conn->core = core;
    conn->link = link;
    conn->id = ++core->next_conn_id;
    conn->addr = *addr;
    conn->write_idle = true;
    conn->timer.fire = conn_timed_out;
    conn->stall.fire = kwi_conn_unstall;
    for (unsigned i = 0; i < KWI_API_KEYS; i++)
        conn->api_max[i] = -1;
    kwi_fmt(conn->peer, sizeof(conn->peer), "%.*s:%u", 52, link->broker->host, addr->port);
    if (kwi_map_put(&core->conns, conn->id, conn)) {
        kwi_free(&core->control, conn, sizeof(*conn));
        return NULL;
    }
    conn->state = CONN_OPENING;
    kwi_core_arm(core, &conn->timer, core->now.mono_us + setup_timeout_us);
    kwi_conn_want(conn, KW_WANT_OPEN);
    return conn;
}

static void conn_begin(struct kw_conn *conn)
{
    kwi_conn_want(conn, KW_WANT_READ_ON);
    kwi_conn_wake(conn);
}

static void conn_ready(struct kw_conn *conn)
{
    conn->core->stats.connects++;
    kwi_core_disarm(conn->core, &conn->timer);
    if (conn->link)
        kwi_link_up(conn->link);
}

static void conn_close(struct kw_conn *conn)
{
    kwi_core_disarm(conn->core, &conn->timer);
    kwi_core_disarm(conn->core, &conn->stall);
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
    if (link)
        link->conn = NULL;
    conn_end_requests(conn, cause);
    if (link)
        kwi_link_down(link, was_ready, cause);
}

void kwi_conn_fail(struct kw_conn *conn, const struct kw_error *cause)
{
    struct kw_error copy = *cause;
    bool was_ready = conn->state == CONN_READY;

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
    kwi_core_disarm(core, &conn->timer);
    kwi_core_disarm(core, &conn->stall);
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

    if (conn)
        conn_step(conn, CONN_OPENED);
}

/* What a person reads when the driver says that a connection ended. */
static void conn_cause(const struct kw_conn *conn, const struct kw_cause *cause,
                       struct kw_error *err)
{
    static const char *const doing[] = {"connect", "negotiate versions with", "talk to", "close"};
    static const struct kw_cause none = {0};
    const struct kw_cause *c = cause ? cause : &none;
    bool by_peer = !c->os_err && !c->text;
    const char *hint = "";

    if (conn->state == CONN_OPENING)
        hint = "is a broker listening there? check bootstrap.servers and advertised.listeners";
    else if (conn->state == CONN_VERSIONS)
        hint =
            "is it a TLS or SASL listener, or not Kafka at all? check port and security.protocol";
    kwi_error_fmt(err, KW_ERR_CONNECT,
                  conn->state == CONN_OPENING    ? KW_PHASE_CONNECT
                  : conn->state == CONN_VERSIONS ? KW_PHASE_VERSIONS
                                                 : KW_PHASE_REQUEST,
                  hint, "cannot %s %s%s: %s", doing[conn->state],
                  conn->state == CONN_OPENING ? "to " : "", conn->peer,
                  by_peer   ? "the peer closed the connection"
                  : c->text ? c->text
                            : "the system reported an error");
    if (c->phase)
        err->phase = c->phase;
    err->os_err = c->os_err;
}

void kw_core_closed(struct kw_core *core, uint32_t id, const struct kw_cause *cause)
{
    struct kw_conn *conn = kwi_map_get(&core->conns, id);
    struct kw_error err;

    if (!conn)
        return;
    if (conn->state != CONN_CLOSING) {
        bool was_ready = conn->state == CONN_READY;

        conn_cause(conn, cause, &err);
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
    if (conn->state != CONN_READY)
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
    if (conn->state != CONN_READY || !link || conn->n_unanswered >= link->max_in_flight)
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
    if (conn->link && conn->state == CONN_READY && conn->n_unanswered < conn->link->max_in_flight)
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
