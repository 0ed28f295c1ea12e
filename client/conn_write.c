/* client/conn_write.c -- bytes out: which request a connection carries next, and what of
 * it the driver is shown.
 *
 * Laws kept here: bytes that were handed out stay as they are until they are confirmed or
 * the connection is closed (1, 3). */
#include "client/conn_parts.h"
#include "client/error_text.h"
#include "client/sasl.h"
#include "client/versions.h"

/* Answered requests that a driver confirms late; more than that stops sending. */
enum { CONN_REQUESTS_MAX = 64 };

struct kw_request *kwi_conn_oldest(const struct kw_conn *conn)
{
    for (struct kw_node *n = conn->requests.first; n; n = n->next) {
        struct kw_request *req = KWI_OF(n, struct kw_request, node);
        if (!req->answered)
            return req;
    }
    return NULL;
}

/* A broker answers one connection in order, and looks at a request when it is done with
 * the one before: what that one took is not the time of this one. */
void kwi_conn_arm(struct kw_conn *conn)
{
    struct kw_request *req = kwi_conn_oldest(conn);

    if (!kwi_conn_is_up(conn))
        return;
    if (req && !req->deadline_us)
        req->deadline_us = kwi_core_after_ms(conn->core, kwi_request_timeout_ms(req));
    if (!req)
        kwi_core_disarm(conn->core, &conn->timer);
    else if (!conn->timer.armed || conn->timer.deadline_us != req->deadline_us)
        kwi_core_arm(conn->core, &conn->timer, req->deadline_us);
}

/* The request that the connection should carry next, or NULL. */
static struct kw_request *conn_next_request(struct kw_conn *conn, bool *pulled)
{
    struct kw_link *link = conn->link;

    *pulled = false;
    if (conn->state == KWI_CONN_VERSIONS)
        return kwi_versions_request(conn);
    if (conn->state == KWI_CONN_SASL || (conn->state == KWI_CONN_REAUTH && conn->n_unanswered == 0))
        return kwi_sasl_request(conn);
    if (conn->state != KWI_CONN_READY || !link || link->retired || conn->mute.armed ||
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

/* Puts the next request on the stream. false: there is none; or, with *again, what was
 * pulled has ended unsent: the next is for another call, so that one call ends at most
 * one such request. */
static bool conn_build(struct kw_conn *conn, bool *again)
{
    bool pulled;
    struct kw_request *req;
    struct kw_error err;
    int version = 0, rc;

    while ((req = conn_next_request(conn, &pulled))) {
        if (conn->state == KWI_CONN_READY) {
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
        *again = pulled;
        if (pulled || !conn->link)
            return false;
    }
    /* A connection that fails before it is ready has asked pull for nothing. */
    if (conn->link && !conn->link->retired && !conn->mute.armed && conn->state == KWI_CONN_READY &&
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
        bool room = conn->n_requests < CONN_REQUESTS_MAX, again = false;

        if (!room || !conn_build(conn, &again)) {
            conn->write_idle = conn->state != KWI_CONN_CLOSING;
            if (again)
                kwi_conn_wake(conn);
            return 0;
        }
    }
    n = conn_list(conn, pos, iov, cap, &end);
    if (end > conn->offered)
        conn->offered = end;
    return n;
}

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
            kwi_conn_recycle(conn, req);
        if (conn->state == KWI_CONN_CLOSING)
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
    if (conn->state == KWI_CONN_CLOSING)
        return;
    kwi_conn_settle(conn);
    if (!kwi_conn_is_open(conn))
        return;
    kwi_conn_arm(conn); /* nobody answers what asks for no answer */
    if (conn->link && conn->link->needed)
        kwi_conn_wake(conn);
}
