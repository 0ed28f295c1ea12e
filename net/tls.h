/* net/tls.h -- TLS as a transformer of bytes, with one back end a build:
 * tls_openssl*.c, tls_mbedtls*.c or tls_none.c (WITH_TLS in the Makefile). What they
 * share is in tls_common.c and tls_words.c.
 *
 * A context (struct kw_tls) is made once per client from its configuration and
 * holds what is trusted, who we are, and sessions to resume. A session (struct
 * kw_tls_session) is one connection. It reaches the socket through two functions
 * of its owner, which return at once, and keeps no plaintext of ours:
 *
 *   handshake until DONE   -> read and write in any order -> goodbye -> close
 *
 * Each step returns KWI_TLS_DONE, or the direction in which the socket must
 * become ready before the same step is worth calling again, which need not be its
 * own: a read may have to write, and the reverse. Or it returns a negative enum
 * kw_err, after which kwi_tls_cause tells why and only close is allowed. */
#ifndef KWI_NET_TLS_H
#define KWI_NET_TLS_H
#include "base/alloc.h"
#include <kwire/config.h>
#include <kwire/core.h>

struct kw_tls;
struct kw_tls_session;

enum { KWI_TLS_DONE = 0, KWI_TLS_WANT_READ = 1, KWI_TLS_WANT_WRITE = 2 };
enum {
    KWI_TLS_RECORD = 16384, /* the most plaintext that one record holds */
    KWI_TLS_SESSIONS = 16,  /* sessions kept for resumption, by name and port */
    /* How often one step may read the socket. Both libraries skip messages without data as
     * long as there are more: a peer that has nothing else to say would never let us go. */
    KWI_TLS_RECVS = 16,
    KWI_TLS_TEXT = 192, /* sizes of what a cause says */
    KWI_TLS_HINT = 128
};

/* The socket. Both return 0, KW_ERR_WOULD_BLOCK, or KW_ERR_IO with *os_err; recv fills
 * the pieces one after the other, and with *n 0 it is the end of the stream. */
struct kw_tls_io {
    void *ctx;
    int (*recv)(void *ctx, const struct kw_iov *iov, size_t n_iov, size_t *n, int *os_err);
    int (*send)(void *ctx, const void *ptr, size_t len, size_t *n, int *os_err);
};

/* What was built in: "openssl", "mbedtls", "none". */
const char *kwi_tls_backend(void);

/* Reads files, takes keys. Errors: KW_ERR_CONFIG with the key, what is wrong with
 * its value (a file that cannot be read, a wrong password) and a remedy in *err;
 * KW_ERR_NOMEM. No text ever holds a secret. */
KW_MUST_USE int kwi_tls_create(struct kw_tls **out, const struct kw_config *cfg,
                               struct kw_heap *heap, struct kw_error *err);
/* After all its sessions. NULL is allowed. */
void kwi_tls_destroy(struct kw_tls *tls);

/* Begins a session with the broker `name` (a host name, or an address as text) at
 * `port`: the certificate must be for that name. io->ctx must outlive it.
 * Errors: KW_ERR_NOMEM, KW_ERR_USE for a name that no certificate could have. */
KW_MUST_USE int kwi_tls_open(struct kw_tls_session **out, struct kw_tls *tls,
                             const struct kw_tls_io *io, const char *name, uint16_t port);
/* Frees; says nothing to the peer. NULL is allowed. */
void kwi_tls_close(struct kw_tls_session *session);

KW_MUST_USE int kwi_tls_handshake(struct kw_tls_session *session);
/* DONE with *n > 0: so many bytes. DONE with *n 0: the peer said goodbye. */
KW_MUST_USE int kwi_tls_read(struct kw_tls_session *session, void *buf, size_t cap, size_t *n);
/* DONE: all len bytes (at most KWI_TLS_RECORD) went to io->send as one record.
 * Otherwise a part of that record may be, so the next write must be of the same
 * bytes; the memory may have moved. */
KW_MUST_USE int kwi_tls_write(struct kw_tls_session *session, const void *ptr, size_t len);
/* Bytes of the peer may be inside that the socket will not report again. */
bool kwi_tls_pending(const struct kw_tls_session *session);
/* Says goodbye, if that can be done without waiting. */
void kwi_tls_goodbye(struct kw_tls_session *session);
/* What the handshake agreed on; after it. */
void kwi_tls_describe(const struct kw_tls_session *session, struct kw_tls_info *info);
/* Why a step failed; the texts are the session's. */
void kwi_tls_cause(const struct kw_tls_session *session, struct kw_cause *cause);

#endif
