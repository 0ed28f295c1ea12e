/* net/peer.c -- one TCP connection: bytes from the core's memory to the socket
 * and from the socket into the core's memory, nothing in between.
 *
 * Whoever closes a peer frees it, so the functions that may do that say
 * whether the peer is still there. */
#include "net/peer.h"
#include "net/host.h"
#include "net/loop/socket.h"
#include <errno.h>

enum peer_state { PEER_CONNECTING, PEER_OPEN };

struct kw_peer {
    struct kw_loop_fd watch; /* first: the loop hands it back */
    struct kw_client *client;
    uint32_t id;
    uint8_t state;     /* enum peer_state */
    bool reading;      /* READ_ON */
    bool writing;      /* write_vec has not returned 0 since WRITE_READY */
    int32_t write_err; /* a write failed with this errno: the peer is to end */
};

/* Unwatches, closes and frees; then gives the receipt. cause may be NULL. */
static void peer_end(struct kw_peer *peer, const struct kw_cause *cause)
{
    struct kw_client *client = peer->client;
    uint32_t id = peer->id;
    kwi_peer_destroy(peer);
    kw_core_closed(client->core, id, cause);
}

static void peer_fail(struct kw_peer *peer, int os_err)
{
    struct kw_cause cause = {.phase = KW_PHASE_REQUEST, .os_err = os_err};
    if (peer->state == PEER_CONNECTING)
        cause.phase = KW_PHASE_CONNECT;
    if (os_err)
        cause.text = kwi_host_error(os_err);
    peer_end(peer, &cause);
}

/* Watches for what the state asks for. Returns false if that ended the peer. */
static bool peer_watch(struct kw_peer *peer)
{
    unsigned events = KWI_LOOP_WRITE;
    int os_err = 0;
    if (peer->state == PEER_OPEN) {
        /* While it writes, the socket was full or had its share of the turn. */
        events = (peer->reading ? (unsigned)KWI_LOOP_READ : 0u) |
                 (peer->writing ? (unsigned)KWI_LOOP_WRITE : 0u);
    }
    if (kwi_loop_watch(peer->client->loop, &peer->watch, events, &os_err) == 0)
        return true;
    peer_fail(peer, os_err);
    return false;
}

/* Reads its share. Returns false if that ended the peer. */
static bool peer_read(struct kw_peer *peer)
{
    struct kw_client *client = peer->client;
    size_t share = KWI_PEER_READ_SHARE;
    while (share > 0) {
        struct kw_span span = kw_core_read_buf(client->core, peer->id);
        if (span.len == 0)
            return true;
        size_t cap = span.len < share ? span.len : share, n = 0;
        int os_err = 0;
        int rc = kwi_socket_read(client->sys, peer->watch.fd, span.ptr, cap, &n, &os_err);
        if (rc == KW_ERR_WOULD_BLOCK) {
            kw_core_read_done(client->core, peer->id, 0);
            return true;
        }
        if (rc != 0 || n == 0) {
            peer_fail(peer, rc != 0 ? os_err : 0);
            return false;
        }
        kw_core_read_done(client->core, peer->id, n);
        if (n < cap)
            return true; /* drained: another read would only say so */
        share -= n;
    }
    client->read_more = true;
    return true;
}

/* A write failed. What the peer said before it went (an error answer, a TLS
 * alert, a page of HTTP) explains more than EPIPE does, so that is read first. */
static void peer_write_failed(struct kw_peer *peer)
{
    if (peer->reading && !peer_read(peer))
        return;
    peer_fail(peer, peer->write_err);
}

/* Makes one write. Returns 1 if more may follow at once, 0 if not. */
static int peer_write_some(struct kw_peer *peer, size_t *written)
{
    struct kw_client *client = peer->client;
    struct kw_iov iov[KWI_PEER_IOV];
    size_t n_iov = kw_core_write_vec(client->core, peer->id, 0, iov, KWI_PEER_IOV);
    if (n_iov == 0) {
        peer->writing = false;
        return 0;
    }
    size_t total = 0, n = 0;
    for (size_t i = 0; i < n_iov; i++)
        total += iov[i].len;
    int os_err = 0;
    int rc = kwi_socket_write(client->sys, peer->watch.fd, iov, n_iov, &n, &os_err);
    if (rc == KW_ERR_WOULD_BLOCK)
        return 0;
    if (rc != 0) {
        peer->write_err = os_err ? os_err : EIO;
        return 0;
    }
    kw_core_written(client->core, peer->id, n);
    *written += n;
    return n == total;
}

void kwi_peer_write(struct kw_peer *peer)
{
    size_t written = 0;
    peer->writing = true;
    if (peer->state != PEER_OPEN)
        return; /* WRITE_READY is a level: taken up when the connection is up */
    while (!peer->write_err && written < KWI_PEER_WRITE_SHARE && peer_write_some(peer, &written))
        ;
    if (peer->write_err)
        peer_write_failed(peer);
    else
        peer_watch(peer);
}

bool kwi_peer_write_once(struct kw_peer *peer, bool may_write)
{
    size_t written = 0;
    peer->writing = true;
    if (peer->state != PEER_OPEN)
        return false;
    bool call = may_write && !peer->write_err;
    if (call && peer_write_some(peer, &written)) {
        struct kw_iov iov;
        peer->writing = kw_core_write_vec(peer->client->core, peer->id, 0, &iov, 1) > 0;
    }
    /* A socket in error is writable: the next turn finds out. */
    peer_watch(peer);
    return call;
}

/* The connection attempt has an outcome, perhaps. */
static void peer_connected(struct kw_peer *peer)
{
    struct kw_client *client = peer->client;
    int os_err = 0;
    int rc = kwi_socket_connected(client->sys, peer->watch.fd, &os_err);
    if (rc == KW_ERR_WOULD_BLOCK)
        return;
    if (rc != 0) {
        peer_fail(peer, os_err);
        return;
    }
    peer->state = PEER_OPEN;
    if (peer_watch(peer))
        kw_core_opened(client->core, peer->id);
}

static void peer_ready(struct kw_loop_fd *watch, unsigned events)
{
    struct kw_peer *peer = (struct kw_peer *)(void *)watch;
    kwi_client_tick(peer->client);
    if (peer->state == PEER_CONNECTING) {
        peer_connected(peer);
        return;
    }
    /* Answers first: they make room for what is written next. */
    if ((events & (KWI_LOOP_READ | KWI_LOOP_ERROR)) && peer->reading && !peer_read(peer))
        return;
    if ((events & (KWI_LOOP_WRITE | KWI_LOOP_ERROR)) && peer->writing)
        kwi_peer_write(peer);
}

void kwi_peer_open(struct kw_client *client, const struct kw_want *want)
{
    struct kw_cause cause = {.phase = KW_PHASE_CONNECT, .os_err = ENOMEM, .text = "out of memory"};
    struct kw_peer *peer = kwi_alloc_zero(&client->heap, sizeof(*peer));
    if (!peer || kwi_map_put(&client->peers, want->id, peer) != 0) {
        kwi_free(&client->heap, peer, sizeof(*peer));
        kw_core_closed(client->core, want->id, &cause);
        return;
    }
    peer->client = client;
    peer->id = want->id;
    peer->watch.fd = -1;
    peer->watch.ready = peer_ready;
    if (want->tls) {
        cause = (struct kw_cause){.phase = KW_PHASE_TLS, .text = "this build has no TLS"};
        peer_end(peer, &cause);
        return;
    }
    int os_err = 0;
    int rc = kwi_socket_connect(client->sys, &want->addr, 0, &peer->watch.fd, &os_err);
    if (rc != 0 && rc != KW_ERR_WOULD_BLOCK) {
        peer->watch.fd = -1;
        peer_fail(peer, os_err);
        return;
    }
    if (rc == 0)
        peer->state = PEER_OPEN;
    if (peer_watch(peer) && rc == 0)
        kw_core_opened(client->core, want->id);
}

void kwi_peer_close(struct kw_peer *peer)
{
    peer_end(peer, NULL);
}

void kwi_peer_set_reading(struct kw_peer *peer, bool on)
{
    peer->reading = on;
    if (peer->state == PEER_OPEN)
        peer_watch(peer);
}

void kwi_peer_destroy(struct kw_peer *peer)
{
    struct kw_client *client = peer->client;
    kwi_map_remove(&client->peers, peer->id);
    if (peer->watch.fd >= 0) {
        kwi_loop_unwatch(client->loop, &peer->watch);
        kwi_socket_close(client->sys, peer->watch.fd);
    }
    kwi_free(&client->heap, peer, sizeof(*peer));
}
