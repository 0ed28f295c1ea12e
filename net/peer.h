/* net/peer.h -- one TCP connection between the core and a broker.
 *
 *   CONNECTING --up--> OPEN               any state --error, end, CLOSE--> gone
 *   CONNECTING --up, TLS asked for--> HANDSHAKE --done--> OPEN
 *
 * A peer that goes tells the core so (kw_core_closed) exactly once and is freed
 * at that moment; its id is then unknown and everything about it is ignored. */
#ifndef KWI_PEER_H
#define KWI_PEER_H
#include "net/client.h"

struct kw_peer;

enum {
    KWI_PEER_READ_SHARE = 512 << 10, /* bytes read from one peer in a turn */
    KWI_PEER_WRITE_SHARE = 1 << 20,  /* bytes written to one peer in a turn */
    KWI_PEER_IOV = 64                /* pieces handed to one system call */
};

/* Carries out OPEN. */
void kwi_peer_open(struct kw_client *client, const struct kw_want *want);
/* Carries out CLOSE. */
void kwi_peer_close(struct kw_peer *peer);
/* READ_ON and READ_OFF. */
void kwi_peer_set_reading(struct kw_peer *peer, bool on);
/* Reads what TLS holds of connections whose reading went off and on again, or had
 * its share: their sockets may stay silent. */
void kwi_peers_read_held(struct kw_client *client);
/* WRITE_READY: from now on the peer asks for bytes until there are none. */
void kwi_peer_write(struct kw_peer *peer);
/* The same with one list of the core's at most and no end of the peer: what goes wrong
 * or is left is for the next turn. Returns whether that was tried. */
bool kwi_peer_write_once(struct kw_peer *peer, bool may_write);
/* Closes the socket and frees, without a word to the core. */
void kwi_peer_destroy(struct kw_peer *peer);
/* In a child of fork(): closes the socket, which the parent has, too. */
void kwi_peer_abandon(struct kw_peer *peer);

#endif
