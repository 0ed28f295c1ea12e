/* net/peer.c -- one TCP connection: bytes from the core's memory to the socket
 * and from the socket into the core's memory, nothing in between but TLS, if the
 * core asked for it (peer_io.c).
 *
 * Whoever closes a peer frees it, so the functions that may do that say
 * whether the peer is still there. */
#include "base/fmt.h"
#include "net/host.h"
#include "net/loop/socket.h"
#include "net/peer_io.h"
#include <errno.h>

enum { PEER_TLS_FAILED = -1 };       /* no errno: the session knows why */
enum { PEER_READ_LEAST = 32 << 10 }; /* a rest of a share that is worth a call */

/* Unwatches, closes and frees; then gives the receipt. cause may be NULL. */
static void peer_end(struct kw_peer *peer, const struct kw_cause *cause)
{
    struct kw_client *client = peer->client;
    uint32_t id = peer->id;
    kwi_peer_destroy(peer);
    kw_core_closed(client->core, id, cause);
}

/* What this machine lacks it lacks for every address (N28). */
static bool peer_is_shortage(int os_err)
{
    return os_err == EMFILE || os_err == ENFILE || os_err == ENOBUFS || os_err == ENOMEM;
}

static void peer_fail(struct kw_peer *peer, int os_err)
{
    struct kw_cause cause = {.phase = KW_PHASE_REQUEST};
    if (peer->state == PEER_CONNECTING)
        cause.phase = KW_PHASE_CONNECT;
    else if (peer->state == PEER_HANDSHAKE)
        cause.phase = KW_PHASE_TLS;
    if (cause.phase == KW_PHASE_TLS)
        cause.hint = "is it a TLS listener? check the port and security.protocol";
    cause.os_err = os_err;
    if (os_err)
        cause.text = kwi_host_error(os_err);
    if (peer->state == PEER_CONNECTING && peer_is_shortage(os_err)) {
        cause.code = KW_ERR_IO;
        cause.hint = "raise this machine's limits (ulimit -n for descriptors)";
    }
    peer_end(peer, &cause);
}

/* The other side went away without one byte of TLS, as a broker does whose plaintext
 * listener takes the first bytes of TLS for the length of a request. */
static bool peer_is_mute(const struct kw_peer *peer, int os_err)
{
    return peer->state == PEER_HANDSHAKE && peer->tls && !peer->has_heard &&
           (os_err == 0 || os_err == ECONNRESET || os_err == EPIPE);
}

static void peer_fail_mute(struct kw_peer *peer, int os_err)
{
    const struct kw_cause cause = {
        .phase = KW_PHASE_TLS,
        .os_err = os_err,
        .code = KW_ERR_PROTOCOL,
        .text = "the peer closed the connection as soon as TLS began, without a word of TLS",
        .hint = "probably a plaintext listener: use the port of a TLS one, or set "
                "security.protocol to this one's"};
    peer_end(peer, &cause);
}

/* A step of TLS failed: it knows why, unless the socket did. The texts are the
 * session's, which peer_end frees. */
static void peer_fail_tls(struct kw_peer *peer, int os_err)
{
    char text[KWI_TLS_TEXT], hint[KWI_TLS_HINT];
    struct kw_cause cause;
    if (peer_is_mute(peer, os_err)) {
        peer_fail_mute(peer, os_err);
        return;
    }
    if (os_err || !peer->tls) {
        peer_fail(peer, os_err);
        return;
    }
    kwi_tls_cause(peer->tls, &cause);
    kwi_fmt(text, sizeof(text), "%s", cause.text ? cause.text : "TLS failed");
    kwi_fmt(hint, sizeof(hint), "%s", cause.hint ? cause.hint : "");
    cause.text = text;
    cause.hint = hint[0] ? hint : NULL;
    peer_end(peer, &cause);
}

/* Watches for what the state asks for. Returns false if that ended the peer. */
static bool peer_watch(struct kw_peer *peer)
{
    unsigned events = KWI_LOOP_WRITE;
    int os_err = 0;
    if (peer->state == PEER_HANDSHAKE)
        events = peer->read_needs;
    else if (peer->state == PEER_OPEN)
        /* While it writes, the socket was full or had its share of the turn. */
        events = (peer->reading ? (unsigned)peer->read_needs : 0u) |
                 (peer->writing ? (unsigned)peer->write_needs : 0u);
    if (kwi_loop_watch(peer->client->loop, &peer->watch, events, &os_err) == 0)
        return true;
    peer_fail(peer, os_err);
    return false;
}

/* The socket is empty, and `left` bytes of an answer are to come; but what TLS left in
 * the bundle it has had no turn for. */
static void peer_wait_for(struct kw_peer *peer, size_t left)
{
    bool more = !kwi_bundle_is_empty(&peer->in);
    kwi_peer_expect(peer, more ? 0 : left);
    if (more && peer->read_needs == KWI_LOOP_READ) /* else the socket will say so */
        kwi_peer_hold(peer);
}

/* Reads its share. Returns false if that ended the peer. */
static bool peer_read_share(struct kw_peer *peer)
{
    struct kw_client *client = peer->client;
    size_t share = KWI_PEER_READ_SHARE;
    while (share >= PEER_READ_LEAST) {
        struct kw_span span = kw_core_read_buf(client->core, peer->id);
        if (span.len == 0)
            break;
        size_t cap = span.len < share ? span.len : share, n = 0;
        int os_err = 0;
        int rc = kwi_peer_recv(peer, span.ptr, cap, &n, &os_err);
        if (rc == KW_ERR_WOULD_BLOCK) {
            kw_core_read_done(client->core, peer->id, 0);
            peer_wait_for(peer, span.len);
            return true;
        }
        if (rc != 0) {
            peer_fail_tls(peer, os_err);
            return false;
        }
        if (n == 0) {
            peer_fail(peer, 0);
            return false;
        }
        kw_core_read_done(client->core, peer->id, n);
        if (n < cap && !peer->tls)
            return true; /* drained: another read would only say so */
        share -= n;
    }
    if (share < PEER_READ_LEAST) {
        client->read_more = true;
        kwi_peer_hold(peer);
    }
    if (!peer->is_held) /* else the next turn reads whatever the socket says */
        kwi_peer_expect(peer, 0);
    return true;
}

/* The same, and then watches for what the next read waits for. */
static bool peer_read(struct kw_peer *peer)
{
    return peer_read_share(peer) && (!peer->tls || peer_watch(peer));
}

/* A write failed. What the peer said before it went (an error answer, a TLS
 * alert, a page of HTTP) explains more than EPIPE does, so that is read first. */
static void peer_write_failed(struct kw_peer *peer)
{
    if (peer->is_late && peer->late_rc == KW_ERR_WOULD_BLOCK)
        peer->is_late = false; /* ask again */
    if (peer->reading && !peer_read(peer))
        return;
    peer_fail_tls(peer, peer->write_err == PEER_TLS_FAILED ? 0 : peer->write_err);
}

/* Makes one write. Returns 1 if more may follow at once, 0 if not. */
static int peer_write_some(struct kw_peer *peer, size_t *written)
{
    size_t n = 0;
    bool more;
    int os_err = 0;
    int rc = kwi_peer_send(peer, &n, &more, &os_err);
    if (rc == KW_ERR_WOULD_BLOCK)
        return 0;
    if (rc != 0) {
        peer->write_err = os_err ? os_err : peer->tls ? PEER_TLS_FAILED : EIO;
        return 0;
    }
    if (n == 0 && !more)
        peer->writing = false;
    *written += n;
    return more;
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

/* Bytes may flow. Returns false if that ended the peer. */
static bool peer_opened(struct kw_peer *peer)
{
    struct kw_client *client = peer->client;
    uint32_t id = peer->id;
    peer->state = PEER_OPEN;
    if (peer->reading)
        kwi_peer_hold(peer);
    if (!peer_watch(peer))
        return false;
    kw_core_opened(client->core, id);
    return true;
}

static void peer_handshake(struct kw_peer *peer)
{
    int os_err = 0;
    int rc = kwi_peer_handshake(peer, &os_err);
    if (rc == 0 && peer->client->is_watched) {
        struct kw_tls_info info;
        kwi_tls_describe(peer->tls, &info);
        kw_core_secured(peer->client->core, peer->id, &info);
    }
    if (rc == 0)
        peer_opened(peer);
    else if (rc == KW_ERR_WOULD_BLOCK)
        peer_watch(peer);
    else
        peer_fail_tls(peer, os_err);
}

/* TCP is up. */
static void peer_established(struct kw_peer *peer)
{
    if (!peer->tls) {
        peer_opened(peer);
        return;
    }
    peer->state = PEER_HANDSHAKE;
    kw_core_connected(peer->client->core, peer->id);
    peer_handshake(peer);
}

/* The connection attempt has an outcome, perhaps. */
static void peer_connected(struct kw_peer *peer)
{
    struct kw_client *client = peer->client;
    int os_err = 0;
    int rc = kwi_socket_connected(client->sys, peer->watch.fd, &os_err);
    if (rc == KW_ERR_WOULD_BLOCK)
        return;
    if (rc != 0)
        peer_fail(peer, os_err);
    else
        peer_established(peer);
}

static void peer_ready(struct kw_loop_fd *watch, unsigned events)
{
    struct kw_peer *peer = (struct kw_peer *)(void *)watch;
    kwi_client_tick(peer->client);
    if (peer->state == PEER_CONNECTING) {
        peer_connected(peer);
        return;
    }
    if (peer->state == PEER_HANDSHAKE) {
        peer_handshake(peer);
        return;
    }
    bool may_write = events & (peer->write_needs | (unsigned)KWI_LOOP_ERROR);
    bool may_read = events & (peer->read_needs | (unsigned)KWI_LOOP_ERROR);
    /* Answers first: they make room for what is written next. */
    if (may_read && peer->reading && !peer_read(peer))
        return;
    if (may_write && peer->writing)
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
    peer->read_needs = KWI_LOOP_READ;
    peer->write_needs = KWI_LOOP_WRITE;
    int os_err = 0;
    int rc = want->tls ? kwi_peer_start_tls(peer, want) : 0;
    if (rc != 0) {
        cause = (struct kw_cause){.phase = KW_PHASE_TLS, .text = "out of memory"};
        if (rc == KW_ERR_USE)
            cause.text = "no certificate can be for such a host name";
        else if (rc == KW_ERR_UNSUPPORTED)
            cause.text = "this client was made without TLS";
        peer_end(peer, &cause);
        return;
    }
    rc = kwi_socket_connect_with(client->sys, &want->addr, &client->socket, &peer->watch.fd,
                                 &os_err);
    if (rc != 0 && rc != KW_ERR_WOULD_BLOCK) {
        peer->watch.fd = -1;
        peer_fail(peer, os_err);
        return;
    }
    if (rc == 0)
        peer_established(peer);
    else
        peer_watch(peer);
}

void kwi_peer_close(struct kw_peer *peer)
{
    peer_end(peer, NULL);
}

void kwi_peer_set_reading(struct kw_peer *peer, bool on)
{
    peer->reading = on;
    if (peer->state != PEER_OPEN)
        return;
    if (on)
        kwi_peer_hold(peer);
    peer_watch(peer);
}

void kwi_peers_read_held(struct kw_client *client)
{
    struct kw_list held = client->tls_peers;
    client->tls_peers = (struct kw_list){0};
    for (struct kw_node *node; (node = kwi_list_pop(&held));) {
        struct kw_peer *peer = KWI_OF(node, struct kw_peer, held_node);
        peer->is_held = false;
        if (peer->reading)
            peer_read(peer);
        else
            kwi_peer_expect(peer, 0); /* nobody will have read when reading goes on */
    }
}

void kwi_peer_destroy(struct kw_peer *peer)
{
    struct kw_client *client = peer->client;
    kwi_map_remove(&client->peers, peer->id);
    kwi_peer_end_tls(peer);
    if (peer->watch.fd >= 0) {
        kwi_loop_unwatch(client->loop, &peer->watch);
        kwi_socket_close(client->sys, peer->watch.fd);
    }
    kwi_free(&client->heap, peer, sizeof(*peer));
}

void kwi_peer_abandon(struct kw_peer *peer)
{
    if (peer->watch.fd >= 0)
        kwi_socket_close(peer->client->sys, peer->watch.fd);
    peer->watch.fd = -1;
}
