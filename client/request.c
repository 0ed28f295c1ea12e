/* client/request.c -- requests: recycled objects, encoded into bytes and
 * borrowed segments. Life: create -> (queue) -> encode on a connection ->
 * answered and no longer lent -> recycled. See link.h.
 *
 * They come from the control reserve, not from the produce reserve, so that a
 * full produce buffer can always be sent (docs/decisions/0003). */
#include <string.h>

#include "base/wipe.h"
#include "client/config.h"
#include "client/conn.h"
#include "client/error_text.h"
#include "client/link.h"
#include "proto/header.h"

enum {
    REQUEST_BUF = 512, /* first size of an encode buffer, bytes */
    REQUEST_SEGS = 8,
    REQUESTS_KEEP = 64,
    REQUESTS_KEEP_SHARE = 8 /* of the reserve: what buffers and lists of those kept have at most */
};

/* Bytes that may be kept for the next request, or not. */
static size_t request_room(const struct kw_request *req)
{
    return req->buf_cap + req->segs_cap * sizeof(*req->segs);
}

struct kw_request *kwi_request_create(struct kw_core *core, struct kw_link *link,
                                      const struct kw_request_type *type, void *owner)
{
    struct kw_request *req;

    if (!kwi_list_empty(&core->free_requests)) {
        uint8_t *buf;
        size_t buf_cap;
        struct kw_iov *segs;
        uint32_t segs_cap;

        req = KWI_OF(kwi_list_pop(&core->free_requests), struct kw_request, node);
        core->n_free_requests--;
        core->free_requests_room -= request_room(req);
        buf = req->buf;
        buf_cap = req->buf_cap;
        segs = req->segs;
        segs_cap = req->segs_cap;
        *req =
            (struct kw_request){.buf = buf, .buf_cap = buf_cap, .segs = segs, .segs_cap = segs_cap};
    } else {
        req = kwi_alloc_zero(&core->control, sizeof(*req));
        if (!req)
            return NULL;
    }
    req->core = core;
    req->type = type;
    req->link = link;
    req->owner = owner;
    return req;
}

static void request_free_room(struct kw_core *core, struct kw_request *req)
{
    kwi_free(&core->control, req->buf, req->buf_cap);
    kwi_free(&core->control, req->segs, req->segs_cap * sizeof(*req->segs));
    req->buf = NULL;
    req->buf_cap = 0;
    req->segs = NULL;
    req->segs_cap = 0;
}

/* Makes room among what is kept: those that were unused for longest lose theirs first. Else
 * what a burst left would stay for good, and the few in use would find no place. */
static void request_strip_kept(struct kw_core *core, size_t need, size_t limit)
{
    struct kw_node *node = core->free_requests.last;

    for (; node && core->free_requests_room + need > limit; node = node->prev) {
        struct kw_request *req = KWI_OF(node, struct kw_request, node);

        core->free_requests_room -= request_room(req);
        request_free_room(core, req);
    }
}

static void request_free(struct kw_core *core, struct kw_request *req)
{
    request_free_room(core, req);
    kwi_free(&core->control, req, sizeof(*req));
}

void kwi_request_unreserve(struct kw_request *req)
{
    if (req->reserved)
        kwi_pool_unreserve(&req->core->fetch_pool, req->reserved);
    req->reserved = 0;
}

void kwi_request_destroy(struct kw_request *req)
{
    struct kw_core *core = req->core;
    size_t limit = core->control.limit / REQUESTS_KEEP_SHARE;

    kwi_request_unreserve(req);
    if (req->type->secret)
        kwi_wipe(req->buf, req->buf_cap);
    if (core->n_free_requests >= REQUESTS_KEEP) {
        request_free(core, req);
        return;
    }
    if (request_room(req) > limit)
        request_free_room(core, req);
    request_strip_kept(core, request_room(req), limit);
    core->n_free_requests++;
    core->free_requests_room += request_room(req);
    /* The last is taken first, so that the few in use at a time grow, and not each in turn. */
    kwi_list_push_front(&core->free_requests, &req->node);
}

void kwi_requests_deinit(struct kw_core *core)
{
    while (!kwi_list_empty(&core->free_requests))
        request_free(core, KWI_OF(kwi_list_pop(&core->free_requests), struct kw_request, node));
    core->n_free_requests = 0;
    core->free_requests_room = 0;
}

int64_t kwi_request_timeout_ms(const struct kw_request *req)
{
    return req->timeout_ms ? (int64_t)req->timeout_ms
                           : kwi_config_i64(req->core->cfg, KW_KEY_REQUEST_TIMEOUT_MS);
}

void kwi_request_submit(struct kw_request *req)
{
    kwi_list_push(&req->link->queue, &req->node);
    kwi_link_kick(req->link);
}

void kwi_request_end(struct kw_request *req, int err, const struct kw_error *cause)
{
    struct kw_answer answer = {.err = err, .cause = cause};

    req->answered = true;
    req->type->done(req, &answer);
    if (req->type->release)
        req->type->release(req);
    kwi_request_destroy(req);
}

int kwi_request_malformed(struct kw_request *req, const struct kw_fault *fault, const char *what)
{
    struct kw_error err;
    char text[160] = "";

    if (fault)
        kwi_fault_format(fault, text, sizeof(text));
    kwi_error_fmt(&err, KW_ERR_PROTOCOL, KW_PHASE_REQUEST,
                  "the peer is not a Kafka broker, or broken", "%s from %s cannot be read: %s",
                  kwi_api_name(req->type->api_key), req->conn->peer, fault ? text : what);
    kwi_conn_fail(req->conn, &err);
    return KW_ERR_PROTOCOL;
}

/* ---- encoding -------------------------------------------------------------- */

static int request_grow_buf(struct kw_core *core, struct kw_request *req, size_t need)
{
    size_t cap = req->buf_cap ? req->buf_cap : REQUEST_BUF;
    uint8_t *buf;

    while (cap < need)
        cap *= 2;
    buf = kwi_alloc(&core->control, cap);
    if (!buf)
        return KW_ERR_NOMEM;
    if (req->type->secret)
        kwi_wipe(req->buf, req->buf_cap);
    kwi_free(&core->control, req->buf, req->buf_cap);
    req->buf = buf;
    req->buf_cap = cap;
    return 0;
}

static int request_grow_segs(struct kw_core *core, struct kw_request *req, uint32_t need)
{
    uint32_t cap = req->segs_cap ? req->segs_cap : REQUEST_SEGS;
    struct kw_iov *segs;

    while (cap < need)
        cap *= 2;
    if (cap == req->segs_cap)
        return 0;
    segs = kwi_alloc(&core->control, cap * sizeof(*segs));
    if (!segs)
        return KW_ERR_NOMEM;
    kwi_free(&core->control, req->segs, req->segs_cap * sizeof(*req->segs));
    req->segs = segs;
    req->segs_cap = cap;
    return 0;
}

/* Interleaves the encoded bytes with the record pieces that were cut out. */
static int request_lay_out(struct kw_core *core, struct kw_request *req, const struct kw_wr *wr)
{
    uint32_t need = wr->n_cuts + 1;
    size_t at = 0;
    int rc;

    for (uint32_t i = 0; i < wr->n_cuts; i++)
        need += wr->cuts[i].records->n_iov + 1;
    rc = request_grow_segs(core, req, need);
    if (rc)
        return rc;
    req->n_segs = 0;
    for (uint32_t i = 0; i < wr->n_cuts; i++) {
        const struct kw_record_set *records = wr->cuts[i].records;

        if (wr->cuts[i].at > at)
            req->segs[req->n_segs++] = (struct kw_iov){req->buf + at, wr->cuts[i].at - at};
        at = wr->cuts[i].at;
        for (uint32_t k = 0; k < records->n_iov; k++)
            req->segs[req->n_segs++] = records->iov[k];
    }
    if (wr->len > at)
        req->segs[req->n_segs++] = (struct kw_iov){req->buf + at, wr->len - at};
    return 0;
}

static int request_write(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_core *core = req->core;
    size_t frame = kwi_frame_begin(wr);
    int rc = kwi_request_header_put(wr, req->type->api_key, req->version, req->correlation_id,
                                    kwi_str(kwi_config_str(core->cfg, KW_KEY_CLIENT_ID)));

    if (!rc)
        rc = req->type->encode(req, wr);
    if (rc)
        return rc;
    kwi_frame_end(wr, frame);
    return kwi_wr_status(wr);
}

int kwi_request_encode(struct kw_request *req, struct kw_conn *conn)
{
    struct kw_core *core = conn->core;
    struct kw_cut cuts[KWI_REQUEST_CUTS];
    struct kw_wr wr;
    int rc = req->buf ? 0 : request_grow_buf(core, req, REQUEST_BUF);

    req->correlation_id = conn->next_correlation;
    for (unsigned tries = 0; !rc && tries < 2; tries++) {
        wr = kwi_wr_make(req->buf, req->buf_cap);
        wr.cuts = cuts;
        wr.cuts_cap = KWI_REQUEST_CUTS;
        rc = request_write(req, &wr);
        if (rc != KW_ERR_SPACE || wr.len <= req->buf_cap)
            break;
        rc = request_grow_buf(core, req, wr.len);
    }
    if (!rc)
        rc = request_lay_out(core, req, &wr);
    if (rc)
        return rc;
    conn->next_correlation = (conn->next_correlation + 1) & 0x3fffffff;
    req->conn = conn;
    req->buf_len = wr.len;
    req->start = conn->built;
    req->end = conn->built + wr.len + wr.cut_len;
    conn->built = req->end;
    /* A producer's batches go out one behind the other, and each has to end in time. */
    req->deadline_us = conn->link && conn->link->lane == KWI_LANE_PRODUCE
                           ? kwi_core_after_ms(core, kwi_request_timeout_ms(req))
                           : 0;
    kwi_list_push(&conn->requests, &req->node);
    conn->n_requests++;
    if (!req->type->no_answer)
        conn->n_unanswered++;
    core->stats.requests++;
    return 0;
}
