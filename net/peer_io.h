/* net/peer_io.h -- the bytes of a connection, plain or through TLS: for peer.c. */
#ifndef KWI_PEER_IO_H
#define KWI_PEER_IO_H
#include "net/bundle.h"
#include "net/peer.h"
#include "net/tls.h"

enum peer_state { PEER_CONNECTING, PEER_HANDSHAKE, PEER_OPEN };

struct kw_peer {
    struct kw_loop_fd watch; /* first: the loop hands it back */
    struct kw_client *client;
    uint32_t id;
    uint8_t state;       /* enum peer_state */
    bool reading;        /* READ_ON */
    bool writing;        /* write_vec has not returned 0 since WRITE_READY */
    uint8_t read_needs;  /* KWI_LOOP_*: what a read (or the handshake) waits for */
    uint8_t write_needs; /* and a write: with TLS it may be the other direction */
    int32_t write_err;   /* a write failed with this errno: the peer is to end */

    bool has_heard;             /* TLS read something of the socket */
    struct kw_tls_session *tls; /* NULL: plain */
    size_t half_record;         /* bytes of a record that found no place, 0 none */
    struct kw_node held_node;   /* in client->tls_peers while is_held */
    bool is_held;

    struct kw_bundle in, out; /* ciphertext that TLS, or the socket, has not taken yet */
    size_t bundled;           /* plaintext in `out`, which the core still lists, */
    size_t gone;              /* and what has left and is not confirmed */
    bool is_drained;          /* the read under way found the socket empty */
    bool is_late;             /* it ended behind some bytes: late_rc is for the next one */
    int late_rc, late_err;
    int expects; /* ciphertext for which the socket waits before it wakes us; 0: any */
};

/* Makes one read into the span. 0 with *n 0: the end. KW_ERR_WOULD_BLOCK: then
 * read_needs is set. Else it failed, with *os_err if that was the socket. */
KW_MUST_USE int kwi_peer_recv(struct kw_peer *peer, void *ptr, size_t cap, size_t *n, int *os_err);
/* Takes *n bytes of what the core offers, and confirms to it what has left. *more: the
 * socket may take more at once. Errors: as kwi_peer_recv; KW_ERR_WOULD_BLOCK sets
 * write_needs. 0, *n 0 and not *more: the core offers nothing, and nothing waits. */
KW_MUST_USE int kwi_peer_send(struct kw_peer *peer, size_t *n, bool *more, int *os_err);

/* The handshake begins, or goes on. KW_ERR_WOULD_BLOCK: read_needs is set. */
KW_MUST_USE int kwi_peer_start_tls(struct kw_peer *peer, const struct kw_want *want);
KW_MUST_USE int kwi_peer_handshake(struct kw_peer *peer, int *os_err);
/* So much of an answer is still to come (0: nobody knows): the socket need not wake us
 * for each record of it. */
void kwi_peer_expect(struct kw_peer *peer, size_t left);
/* If TLS holds bytes that the socket will not report, the next turn reads them. */
void kwi_peer_hold(struct kw_peer *peer);
/* Says goodbye if the stream allows it, and frees. */
void kwi_peer_end_tls(struct kw_peer *peer);

#endif
