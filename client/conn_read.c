/* client/conn_read.c -- bytes in: the stage, frames, answers.
 *
 * A read starts in a stage of 4 KiB, so several small answers cost one call. A
 * frame that does not fit gets its final memory at once: a block of the fetch
 * reserve for fetched records (promised when the request was sent, law 7), else
 * bytes of the control reserve; the staged prefix is copied once, the rest is
 * read in place. When that memory is short, reading is off until it is there. */
#include "client/conn_parts.h"

#include <string.h>

#include "client/config.h"
#include "client/conn_why.h"
#include "client/consumer.h"
#include "client/error_text.h"
#include "proto/header.h"

enum { READ_STALL_US = 10000 };
_Static_assert((int)KWI_STAGE <= (int)KW_SPAN_PROMISED,
               "what the stage has room for need not come");

static void read_broken(struct kw_conn *conn, const char *what, const char *hint)
{
    struct kw_error err;

    kwi_error_fmt(&err, KW_ERR_PROTOCOL, kwi_conn_phase(conn), hint, "%s: %s", conn->peer, what);
    kwi_conn_fail(conn, &err);
}

/* The oldest request without an answer, or NULL. */
static struct kw_request *read_expected(const struct kw_conn *conn)
{
    for (struct kw_node *n = conn->requests.first; n; n = n->next) {
        struct kw_request *req = KWI_OF(n, struct kw_request, node);
        if (!req->answered && !req->type->no_answer)
            return req;
    }
    return NULL;
}

void kwi_conn_drop_frame(struct kw_conn *conn)
{
    bool was_fetched = conn->frame_block != NULL;

    if (was_fetched)
        kwi_block_release(conn->frame_block);
    else
        kwi_free(&conn->core->control, conn->frame, conn->frame_size);
    conn->frame = NULL;
    conn->frame_block = NULL;
    conn->frame_size = conn->frame_filled = 0;
    if (was_fetched)
        kwi_fetchers_feed(conn->core);
}

/* False, and the connection given up, for a frame that no request waits for. */
static bool read_is_asked_for(struct kw_conn *conn, const struct kw_request *req)
{
    if (req && req->end <= conn->offered)
        return true;
    read_broken(conn, "an answer came that was not asked for",
                "the peer is not a Kafka broker, or broken");
    return false;
}

/* ---- one whole frame ------------------------------------------------------------ */

/* frame: the bytes behind the size. Nothing may be used of the connection's
 * requests afterwards, and its state may have changed. */
static void read_frame(struct kw_conn *conn, const uint8_t *frame, size_t len,
                       struct kw_block *block)
{
    struct kw_request *req = read_expected(conn);
    struct kw_answer answer = {.offered = true, .block = block};
    int32_t correlation_id;
    size_t header_len;

    if (!read_is_asked_for(conn, req))
        return;
    if (kwi_response_header_get(frame, len, req->type->api_key, req->version, &correlation_id,
                                &header_len)) {
        read_broken(conn, "an answer's header cannot be read", "");
        return;
    }
    if (correlation_id != req->correlation_id) {
        read_broken(conn, "an answer has the wrong correlation id",
                    "something between reorders or mixes connections");
        return;
    }
    conn->core->stats.responses++;
    if (conn->link && kwi_conn_is_ready(conn))
        conn->link->served = true;
    answer.body = frame + header_len;
    answer.len = len - header_len;
    req->answered = true;
    conn->n_unanswered--;
    kwi_request_unreserve(req);
    req->type->done(req, &answer);
    if (!kwi_conn_is_open(conn))
        return;
    kwi_conn_settle(conn);
    kwi_conn_arm(conn);
    if ((conn->link && conn->link->needed) || conn->sasl)
        kwi_conn_wake(conn);
}

/* ---- memory for a frame ----------------------------------------------------------- */

static void read_stall(struct kw_conn *conn)
{
    conn->stalled = true;
    kwi_conn_want(conn, KW_WANT_READ_OFF);
    kwi_core_arm(conn->core, &conn->stall, conn->core->now.mono_us + READ_STALL_US);
}

/* Takes memory for the frame of `size` bytes whose prefix is at src. What was not
 * asked for gets none: nobody's timeout would end the wait for it. */
static void read_make_frame(struct kw_conn *conn, const uint8_t *src, size_t have, size_t size)
{
    struct kw_core *core = conn->core;
    struct kw_request *req = read_expected(conn);
    struct kw_error err;

    if (!read_is_asked_for(conn, req))
        return;
    if (req->type->fetch && kwi_pool_cost(size) > core->fetch.limit) {
        req->refused_size = size;
        kwi_error_fmt(&err, KW_ERR_LIMIT, KW_PHASE_REQUEST, "raise fetch.memory (and memory.limit)",
                      "%s: fetched data of %zu bytes does not fit the fetch reserve (%zu)",
                      conn->peer, size, core->fetch.limit);
        kwi_conn_fail(conn, &err);
        return;
    } else if (req->type->fetch) {
        do {
            conn->frame_block = kwi_block_create(&core->fetch_pool, size, req->reserved);
        } while (!conn->frame_block &&
                 (kwi_fetchers_drop_paused(core) || kwi_unpack_trim(core, 0)));
        conn->frame = conn->frame_block ? kwi_block_data(conn->frame_block) : NULL;
        if (conn->frame)
            kwi_request_unreserve(req);
        req->stalled = !conn->frame;
        if (req->type->room)
            req->type->room(req, conn->frame_block);
    } else if (size > core->control.limit) {
        kwi_error_fmt(&err, KW_ERR_LIMIT, KW_PHASE_REQUEST,
                      "raise control.memory (and memory.limit)",
                      "%s: an answer of %zu bytes is above control.memory (%zu)", conn->peer, size,
                      core->control.limit);
        kwi_conn_fail(conn, &err);
        return;
    } else {
        conn->frame = kwi_alloc(&core->control, size);
    }
    if (!conn->frame) {
        read_stall(conn);
        return;
    }
    conn->frame_size = size;
    conn->frame_filled = have;
    memcpy(conn->frame, src, have);
}

/* ---- the stage ---------------------------------------------------------------------- */

/* Judges a frame's size; closes the connection when it cannot be one. */
static bool read_size(struct kw_conn *conn, const uint8_t *at, size_t *size)
{
    int32_t max = (int32_t)kwi_config_i64(conn->core->cfg, KW_KEY_RECEIVE_MESSAGE_MAX_BYTES), n;
    enum kw_frame frame = kwi_frame_size(at, max, &n);
    struct kw_error err;

    *size = frame == KWI_FRAME_OK ? (size_t)n : 0;
    if (frame == KWI_FRAME_OK)
        return true;
    kwi_error_fmt(
        &err, KW_ERR_PROTOCOL, kwi_conn_phase(conn),
        frame == KWI_FRAME_TLS
            ? "set security.protocol to SSL or SASL_SSL, or use the port of a plaintext listener"
        : frame == KWI_FRAME_HTTP      ? "this is the port of a web server: check the address"
        : frame == KWI_FRAME_TOO_LARGE ? "raise receive.message.max.bytes, or fetch less at a time"
                                       : "the peer is not a Kafka broker, or broken",
        "%s: %s (its first bytes are %x)", conn->peer, kwi_frame_text(frame), kwi_get_u32(at));
    /* What is there, rather than where we noticed: TLS, or nothing of Kafka. */
    if (frame == KWI_FRAME_TLS)
        err.phase = KW_PHASE_TLS;
    else if (conn->link && kwi_conn_phase(conn) == KW_PHASE_VERSIONS)
        kwi_why_advertised(conn->link->broker, &err);
    if (frame == KWI_FRAME_HTTP)
        err.phase = KW_PHASE_CONNECT;
    kwi_conn_fail(conn, &err);
    return false;
}

/* Handles what is whole in the stage and moves the rest to its front. */
static void read_stage(struct kw_conn *conn)
{
    size_t at = 0, size;

    while (kwi_conn_is_open(conn) && !conn->frame && conn->stage_len - at >= 4) {
        const uint8_t *frame = conn->stage + at + 4;
        size_t have = conn->stage_len - at - 4;

        if (!read_size(conn, conn->stage + at, &size))
            return;
        if (have >= size) {
            at += 4 + size;
            read_frame(conn, frame, size, NULL);
        } else if (size + 4 > KWI_STAGE) {
            read_make_frame(conn, frame, have, size);
            if (!conn->frame)
                break; /* stalled, or given up */
            at = conn->stage_len;
        } else {
            break;
        }
    }
    if (at && at < conn->stage_len)
        memmove(conn->stage, conn->stage + at, conn->stage_len - at);
    conn->stage_len -= (uint32_t)at;
}

static void read_whole_frame(struct kw_conn *conn)
{
    struct kw_block *block = conn->frame_block;
    uint8_t *frame = conn->frame;
    size_t size = conn->frame_size;

    conn->frame = NULL;
    conn->frame_block = NULL;
    conn->frame_size = conn->frame_filled = 0;
    read_frame(conn, frame, size, block);
    if (block)
        kwi_block_release(block);
    else
        kwi_free(&conn->core->control, frame, size);
}

void kwi_conn_unstall(struct kw_timer *timer)
{
    struct kw_conn *conn = KWI_OF(timer, struct kw_conn, stall);

    conn->stalled = false;
    read_stage(conn);
    if (kwi_conn_is_open(conn) && !conn->stalled)
        kwi_conn_want(conn, KW_WANT_READ_ON);
}

/* ---- from the driver ------------------------------------------------------------------ */

struct kw_span kw_core_read_buf(struct kw_core *core, uint32_t id)
{
    struct kw_conn *conn = kwi_map_get(&core->conns, id);
    struct kw_span span = {0};

    if (!conn || !kwi_conn_is_open(conn) || conn->stalled)
        return span;
    conn->lent = true;
    if (conn->frame) {
        span.ptr = conn->frame + conn->frame_filled;
        span.len = conn->frame_size - conn->frame_filled;
    } else {
        span.ptr = conn->stage + conn->stage_len;
        span.len = KWI_STAGE - conn->stage_len;
    }
    return span;
}

void kw_core_read_done(struct kw_core *core, uint32_t id, size_t n)
{
    struct kw_conn *conn = kwi_map_get(&core->conns, id);
    size_t room;

    if (!conn || !conn->lent)
        return;
    conn->lent = false;
    if (!kwi_conn_is_open(conn))
        return;
    room = conn->frame ? conn->frame_size - conn->frame_filled : KWI_STAGE - conn->stage_len;
    if (n > room || !n)
        return;
    core->stats.bytes_in += n;
    if (!conn->frame) {
        conn->stage_len += (uint32_t)n;
        read_stage(conn);
        return;
    }
    conn->frame_filled += n;
    if (conn->frame_filled == conn->frame_size)
        read_whole_frame(conn);
}
