/* net/peer_io.c -- see peer_io.h.
 *
 * With TLS, what the core offers is gathered into records of at most 16 KiB, and some
 * records into one call of the system (bundle.h). A record that found no place has to be
 * offered again as it was: the core lists the same bytes at the same place until they
 * are confirmed (law 1), so their number is all that is kept. They are confirmed when
 * the system has all of the bundle that they were in. */
#include "net/peer_io.h"
#include "net/loop/socket.h"
#include "net/thread.h"
#include <string.h>

/* A piece that is a record of its own without being copied, when it is nearly a full one:
 * a record costs about as much as to copy this. How many records one list may become. */
enum { IO_ENOUGH = KWI_TLS_RECORD / 4 * 3, IO_RECORDS = 6 };
/* Ciphertext of a record that is not whole, which TLS may hold; the least that is worth
 * waiting for; and the most: half of what a turn reads. */
enum { IO_PARTIAL = 17000, IO_WORTH = 32 << 10, IO_EXPECT = KWI_PEER_READ_SHARE / 2 };

static size_t io_total(const struct kw_iov *iov, size_t n_iov)
{
    size_t total = 0;
    for (size_t i = 0; i < n_iov; i++)
        total += iov[i].len;
    return total;
}

/* ---- the socket, for TLS ----------------------------------------------------------- */

/* Into the bundle, if there is one, else to where TLS wants it. */
static int io_fill(struct kw_peer *peer, const struct kw_iov *iov, size_t n_iov, size_t *n,
                   int *os_err)
{
    const struct kw_sys *sys = peer->client->sys;
    size_t asked = peer->in.block ? KWI_BUNDLE : io_total(iov, n_iov), got = 0;
    int rc;
    if (peer->in.block) {
        rc = kwi_socket_read(sys, peer->watch.fd, peer->in.block, asked, &got, os_err);
        peer->in.from = 0;
        peer->in.end = (uint32_t)got;
        *n = kwi_bundle_take(&peer->in, iov, n_iov);
    } else {
        rc = kwi_socket_read_vec(sys, peer->watch.fd, iov, n_iov, &got, os_err);
        *n = got;
    }
    peer->has_heard |= got > 0;
    peer->is_drained = got > 0 && got < asked;
    return rc;
}

static int io_recv(void *ctx, const struct kw_iov *iov, size_t n_iov, size_t *n, int *os_err)
{
    struct kw_peer *peer = ctx;
    *n = kwi_bundle_take(&peer->in, iov, n_iov);
    if (*n > 0)
        return 0;
    if (peer->is_drained) /* another call would only say so */
        return KW_ERR_WOULD_BLOCK;
    return io_fill(peer, iov, n_iov, n, os_err);
}

/* Nothing waits in the bundle: what TLS took has left. */
static void io_has_left(struct kw_peer *peer)
{
    peer->gone += peer->bundled;
    peer->bundled = 0;
}

static int io_flush(struct kw_peer *peer, int *os_err)
{
    struct kw_bundle *out = &peer->out;
    int rc = 0;
    while (rc == 0 && !kwi_bundle_is_empty(out)) {
        struct kw_iov iov = {.base = out->block + out->from, .len = out->end - out->from};
        size_t n = 0;
        rc = kwi_socket_write(peer->client->sys, peer->watch.fd, &iov, 1, &n, os_err);
        out->from += (uint32_t)n;
    }
    if (rc != 0)
        return rc;
    out->from = out->end = 0;
    io_has_left(peer);
    return 0;
}

static int io_send(void *ctx, const void *ptr, size_t len, size_t *n, int *os_err)
{
    struct kw_peer *peer = ctx;
    /* The system only reads from it; the type has no const. */
    struct kw_iov iov = {.base = (void *)(uintptr_t)ptr, .len = len};
    *n = len;
    peer->is_drained = false; /* what we say may be answered */
    if (kwi_bundle_put(&peer->out, ptr, len))
        return 0;
    int rc = io_flush(peer, os_err);
    *n = 0;
    if (rc != 0)
        return rc;
    return kwi_socket_write(peer->client->sys, peer->watch.fd, &iov, 1, n, os_err);
}

/* Turns the result of a step of TLS into that of a socket call. */
static int io_result(struct kw_peer *peer, int rc, uint8_t *needs, int *os_err)
{
    struct kw_cause cause;
    if (rc == KWI_TLS_WANT_READ || rc == KWI_TLS_WANT_WRITE) {
        *needs = rc == KWI_TLS_WANT_READ ? KWI_LOOP_READ : KWI_LOOP_WRITE;
        return KW_ERR_WOULD_BLOCK;
    }
    if (rc < 0) {
        kwi_tls_cause(peer->tls, &cause);
        *os_err = cause.os_err;
    }
    return rc;
}

/* ---- TLS ----------------------------------------------------------------------------- */

int kwi_peer_start_tls(struct kw_peer *peer, const struct kw_want *want)
{
    struct kw_tls_io io = {.ctx = peer, .recv = io_recv, .send = io_send};
    if (!peer->client->tls)
        return KW_ERR_UNSUPPORTED;
    return kwi_tls_open(&peer->tls, peer->client->tls, &io, want->name, want->addr.port);
}

int kwi_peer_handshake(struct kw_peer *peer, int *os_err)
{
    peer->is_drained = false;
    kwi_thread_pause(peer->client);
    int rc = io_result(peer, kwi_tls_handshake(peer->tls), &peer->read_needs, os_err);
    kwi_thread_resume(peer->client);
    return rc;
}

void kwi_peer_hold(struct kw_peer *peer)
{
    if (!peer->tls || peer->is_held ||
        (!peer->is_late && kwi_bundle_is_empty(&peer->in) && !kwi_tls_pending(peer->tls)))
        return;
    peer->is_held = true;
    kwi_list_push(&peer->client->tls_peers, &peer->held_node);
}

void kwi_peer_end_tls(struct kw_peer *peer)
{
    if (peer->is_held)
        kwi_list_remove(&peer->client->tls_peers, &peer->held_node);
    peer->is_held = false;
    if (!peer->tls)
        return;
    if (peer->state == PEER_OPEN && peer->half_record == 0) {
        int os_err;
        kwi_tls_goodbye(peer->tls);
        (void)io_flush(peer, &os_err);
    }
    kwi_tls_close(peer->tls);
    peer->tls = NULL;
    kwi_bundle_drop(peer->client, &peer->in);
    kwi_bundle_drop(peer->client, &peer->out);
}

void kwi_peer_expect(struct kw_peer *peer, size_t left)
{
    size_t n = left > IO_PARTIAL + IO_WORTH ? left - IO_PARTIAL : 0;
    int expects = (int)(n < IO_EXPECT ? n : IO_EXPECT);
    if (!peer->tls || expects == peer->expects)
        return;
    peer->expects = expects;
    kwi_socket_expect(peer->client->sys, peer->watch.fd, expects > 0 ? expects : 1);
}

/* The first bytes of the list in one piece: `max` of them, or what lies together if
 * that is enough for a record of its own, which costs less than a copy. */
static const void *io_gather(struct kw_client *client, const struct kw_iov *iov, size_t n_iov,
                             size_t max, size_t enough, size_t *len)
{
    if (iov[0].len >= enough || n_iov == 1) {
        *len = iov[0].len < max ? iov[0].len : max;
        return iov[0].base;
    }
    *len = 0;
    for (size_t i = 0; i < n_iov && *len < max; i++) {
        size_t part = iov[i].len < max - *len ? iov[i].len : max - *len;
        memcpy(client->record + *len, iov[i].base, part);
        *len += part;
    }
    return client->record;
}

/* ---- both ------------------------------------------------------------------------------- */

/* Record by record until the span is full or there is no more. What ended it is the
 * result only if nothing came before, else that of the next call. */
static int io_recv_records(struct kw_peer *peer, uint8_t *ptr, size_t cap, size_t *n, int *os_err)
{
    size_t len = 0;
    int rc;
    *n = 0;
    do {
        rc = io_result(peer, kwi_tls_read(peer->tls, ptr + *n, cap - *n, &len), &peer->read_needs,
                       os_err);
        *n += len;
    } while (rc == 0 && len > 0 && *n < cap);
    if (*n == 0 || (rc == 0 && len > 0))
        return rc;
    peer->is_late = true;
    peer->late_rc = rc;
    peer->late_err = *os_err;
    return 0;
}

static int io_recv_tls(struct kw_peer *peer, void *ptr, size_t cap, size_t *n, int *os_err)
{
    struct kw_client *client = peer->client;
    *n = 0;
    if (peer->is_late) {
        peer->is_late = false;
        *os_err = peer->late_err;
        return peer->late_rc;
    }
    peer->read_needs = KWI_LOOP_READ;
    peer->is_drained = false;
    if (cap > KWI_TLS_RECORD)
        kwi_bundle_open(client, &peer->in);
    kwi_thread_pause(client);
    int rc = io_recv_records(peer, ptr, cap, n, os_err);
    kwi_thread_resume(client);
    kwi_bundle_settle(client, &peer->in);
    return rc;
}

int kwi_peer_recv(struct kw_peer *peer, void *ptr, size_t cap, size_t *n, int *os_err)
{
    if (peer->tls)
        return io_recv_tls(peer, ptr, cap, n, os_err);
    peer->read_needs = KWI_LOOP_READ;
    kwi_thread_pause(peer->client);
    int rc = kwi_socket_read(peer->client->sys, peer->watch.fd, ptr, cap, n, os_err);
    kwi_thread_resume(peer->client);
    return rc;
}

static int io_send_record(struct kw_peer *peer, const struct kw_iov *iov, size_t n_iov, size_t *n,
                          int *os_err)
{
    size_t len, half = peer->half_record; /* is offered again as it was */
    const void *ptr = io_gather(peer->client, iov, n_iov, half ? half : KWI_TLS_RECORD,
                                half ? half : IO_ENOUGH, &len);
    int rc = io_result(peer, kwi_tls_write(peer->tls, ptr, len), &peer->write_needs, os_err);
    peer->half_record = rc == KW_ERR_WOULD_BLOCK ? len : 0;
    *n = rc == 0 ? len : 0;
    peer->bundled += *n;
    return rc;
}

/* Takes n bytes off the front of the list; returns what is left of n_iov. */
static size_t io_advance(struct kw_iov *iov, size_t n_iov, size_t n)
{
    size_t first = 0;
    while (first < n_iov && iov[first].len <= n)
        n -= iov[first++].len;
    if (first < n_iov) {
        iov[first].base = (uint8_t *)iov[first].base + n;
        iov[first].len -= n;
    }
    memmove(iov, iov + first, (n_iov - first) * sizeof(*iov));
    return n_iov - first;
}

/* Some records of one list, so that it is asked for once: the core lists a request from
 * its beginning. What a full list leaves short of a record waits for the next one. */
static int io_send_records(struct kw_peer *peer, struct kw_iov *iov, size_t n_iov, size_t *n,
                           int *os_err)
{
    bool is_full = n_iov == KWI_PEER_IOV;
    size_t left = io_total(iov, n_iov), len;
    int rc = 0;
    for (int i = 0; rc == 0 && left > 0 && i < IO_RECORDS; i++) {
        if (i > 0 && is_full && left < KWI_TLS_RECORD)
            break;
        rc = io_send_record(peer, iov, n_iov, &len, os_err);
        n_iov = io_advance(iov, n_iov, len);
        left -= len;
        *n += len;
    }
    if (rc != 0)
        return rc;
    rc = io_flush(peer, os_err);
    peer->write_needs = KWI_LOOP_WRITE;
    return rc;
}

static int io_send_tls(struct kw_peer *peer, struct kw_iov *iov, size_t n_iov, size_t *n,
                       int *os_err)
{
    struct kw_client *client = peer->client;
    peer->is_drained = false;
    if (io_total(iov, n_iov) > KWI_TLS_RECORD)
        kwi_bundle_open(client, &peer->out);
    kwi_thread_pause(client);
    int rc = io_send_records(peer, iov, n_iov, n, os_err);
    kwi_thread_resume(client);
    if (kwi_bundle_is_empty(&peer->out)) /* what went without it, too */
        io_has_left(peer);
    kwi_bundle_settle(client, &peer->out);
    return rc;
}

int kwi_peer_send(struct kw_peer *peer, size_t *n, bool *more, int *os_err)
{
    struct kw_client *client = peer->client;
    struct kw_iov iov[KWI_PEER_IOV];
    size_t behind = peer->bundled + peer->gone;
    size_t n_iov = kw_core_write_vec(client->core, peer->id, behind, iov, KWI_PEER_IOV);
    int rc;
    *n = 0;
    *more = false;
    peer->write_needs = KWI_LOOP_WRITE;
    if (n_iov == 0 && behind == 0 && kwi_bundle_is_empty(&peer->out))
        return 0;
    if (peer->tls) {
        rc = io_send_tls(peer, iov, n_iov, n, os_err);
        *more = rc == 0;
    } else {
        kwi_thread_pause(client);
        rc = kwi_socket_write(client->sys, peer->watch.fd, iov, n_iov, n, os_err);
        kwi_thread_resume(client);
        *more = rc == 0 && *n == io_total(iov, n_iov);
        peer->gone = *n;
    }
    size_t gone = peer->gone;
    peer->gone = 0;
    if (gone > 0)
        kw_core_written(client->core, peer->id, gone);
    return rc;
}
