/* net/tls_openssl.h -- what the files of the OpenSSL back end share.
 *
 * tls_openssl.c          the context: protocols, suites, verification
 * tls_openssl_keys.c     authorities, certificates, keys, revocation lists
 * tls_openssl_session.c  one connection; sessions kept for resumption
 * tls_openssl_why.c      what it reports, in the words of tls_words.c
 * tls_openssl_info.c     what it agreed on */
#ifndef KWI_NET_TLS_OPENSSL_H
#define KWI_NET_TLS_OPENSSL_H
#include "net/tls_common.h"
#include "net/tls_words.h"
#include <openssl/ssl.h>

enum { KWI_TLS_AHEAD = 4096 }; /* ciphertext that is read ahead, per connection */

/* A session that may be resumed, by nobody but who asks for the same name. */
struct kw_tls_kept {
    char name[KWI_TLS_NAME];
    uint16_t port;
    SSL_SESSION *session; /* NULL: free */
};

struct kw_tls {
    struct kw_heap *heap;
    SSL_CTX *ctx;
    BIO_METHOD *method;
    bool check_name;      /* ssl.endpoint.identification.algorithm is not none */
    bool has_certificate; /* we have one to show */
    struct kw_tls_kept kept[KWI_TLS_SESSIONS];
    unsigned next_kept; /* the slot that is overwritten next */
};

struct kw_tls_session {
    struct kw_tls *tls;
    SSL *ssl;
    struct kw_tls_io io;
    char name[KWI_TLS_NAME]; /* without a trailing dot, in lower case */
    uint16_t port;
    bool is_up;         /* the handshake is done */
    bool at_end;        /* the socket came to its end */
    bool asked;         /* the broker wanted a certificate of ours */
    bool has_data;      /* something that the peer sent was read */
    bool is_dead;       /* failed for good */
    int32_t os_err;     /* the socket failed with this */
    unsigned n_recvs;   /* reads of the socket in this step */
    unsigned from, end; /* what was read ahead and not taken yet */
    uint8_t ahead[KWI_TLS_AHEAD];
    struct kw_tls_why why;
};

/* kwi_tls_refuse, and behind the rule the reason that OpenSSL has. */
int kwi_tls_refuse_why(struct kw_error *err, enum kw_key key, const char *rule, const char *remedy);

/* Authorities, or the system's; revocation lists. */
KW_MUST_USE int kwi_tls_load_trust(struct kw_tls *tls, const struct kw_config *cfg,
                                   struct kw_error *err);
/* Our certificate and key, if there are any. */
KW_MUST_USE int kwi_tls_load_identity(struct kw_tls *tls, const struct kw_config *cfg,
                                      struct kw_error *err);

/* Verification failed: writes text and hint of the session. Called by OpenSSL. */
int kwi_tls_on_verify(int ok, X509_STORE_CTX *store);
/* The step failed with what is in OpenSSL's queue: writes code, text, hint. */
void kwi_tls_explain(struct kw_tls_session *session);
/* The text of a stream that ended without goodbye. */
void kwi_tls_explain_end(struct kw_tls_session *session);

/* Printable texts of a certificate: its common name (or organisation), and the names
 * that it is for: "a, b, c", or "". */
void kwi_tls_common_name(const X509_NAME *name, char *buf, size_t cap);
void kwi_tls_alternative_names(const X509 *x509, char *buf, size_t cap);

/* For the context: OpenSSL has a session that may be resumed. */
int kwi_tls_on_new_session(SSL *ssl, SSL_SESSION *session);
BIO_METHOD *kwi_tls_bio_method(void);
struct kw_tls_session *kwi_tls_of(const SSL *ssl);

#endif
