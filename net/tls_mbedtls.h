/* net/tls_mbedtls.h -- what the files of the mbedTLS back end share.
 *
 * tls_mbedtls.c          the context: protocols, suites, verification
 * tls_mbedtls_keys.c     authorities, certificates, keys, revocation lists
 * tls_mbedtls_pkcs8.c    encrypted private keys
 * tls_mbedtls_session.c  one connection; sessions kept for resumption
 * tls_mbedtls_check.c    is the broker who it should be?
 * tls_mbedtls_why.c      what mbedTLS reports, in the words of tls_words.c
 * tls_mbedtls_info.c     what a handshake agreed on
 * tls_mbedtls_v2.c       what differs between mbedTLS 2.28 (TLS 1.2 only)
 * tls_mbedtls_v3.c       and 3.x; the one that fits is compiled */
#ifndef KWI_NET_TLS_MBEDTLS_H
#define KWI_NET_TLS_MBEDTLS_H
#include "net/tls_common.h"
#include "net/tls_words.h"
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x021C0000 || MBEDTLS_VERSION_MAJOR > 3
#error "mbedTLS 2.28 or 3.x is needed"
#endif
#if !defined(MBEDTLS_HAVE_TIME_DATE) || !defined(MBEDTLS_X509_CRL_PARSE_C) || \
    !defined(MBEDTLS_PEM_PARSE_C) || !defined(MBEDTLS_SSL_SERVER_NAME_INDICATION)
#error "mbedTLS must be built with dates, revocation lists, PEM and SNI"
#endif
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

enum {
    KWI_TLS_SUITES = 32,
    KWI_TLS_AHEAD = 32 << 10, /* ciphertext that is read ahead, per connection */
    KWI_TLS_CHAIN = MBEDTLS_X509_MAX_INTERMEDIATE_CA + 2
};

/* A session that may be resumed, by nobody but who asks for the same name. */
struct kw_tls_kept {
    char name[KWI_TLS_NAME];
    uint16_t port;
    bool is_set;
    mbedtls_ssl_session session;
    mbedtls_x509_time until; /* of the certificate that it stands for */
};

struct kw_tls {
    struct kw_heap *heap;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt trusted, own;
    mbedtls_x509_crl crls;
    mbedtls_pk_context key;
    int suites[KWI_TLS_SUITES + 1]; /* by number, 0 at the end */
    bool check_name;                /* ssl.endpoint.identification.algorithm is not none */
    bool has_certificate;           /* we have one to show */
    bool has_crls;
    struct kw_tls_kept kept[KWI_TLS_SESSIONS];
    unsigned next_kept; /* the slot that is overwritten next */
};

/* One certificate of a chain, and what mbedTLS has against it. */
struct kw_tls_link {
    const mbedtls_x509_crt *crt;
    uint32_t flags;
};

struct kw_tls_session {
    struct kw_tls *tls;
    mbedtls_ssl_context ssl;
    struct kw_tls_io io;
    char name[KWI_TLS_NAME]; /* without a trailing dot, in lower case */
    uint16_t port;
    bool is_up;       /* the handshake is done */
    bool at_end;      /* the socket came to its end */
    bool has_data;    /* something that the peer sent was read */
    bool is_dead;     /* failed for good */
    bool is_waiting;  /* the last read of the socket found nothing */
    bool is_half;     /* a write is to be made again */
    size_t half_len;  /* bytes of its record */
    size_t written;   /* bytes of it that are with mbedTLS */
    int32_t os_err;   /* the socket failed with this */
    unsigned n_recvs; /* reads of the socket in this step */
    int32_t lost;     /* the same, when the handshake wrote */
    struct kw_tls_why why;
    struct kw_tls_link chain[KWI_TLS_CHAIN]; /* by depth, while it is verified */
    mbedtls_x509_time until;                 /* of the broker's certificate */
    uint8_t head[5];                         /* the first bytes that came */
    size_t n_head, n_seen;
    uint8_t *ahead; /* what was read ahead lies at from .. end */
    size_t from, end;
};

/* kwi_tls_refuse, and behind the rule what mbedTLS says. */
int kwi_tls_refuse_why(struct kw_error *err, enum kw_key key, const char *rule, int code,
                       const char *remedy);
bool kwi_tls_no_room(int code);
KW_MUST_USE int kwi_tls_load_trust(struct kw_tls *tls, const struct kw_config *cfg,
                                   struct kw_error *err);
KW_MUST_USE int kwi_tls_load_identity(struct kw_tls *tls, const struct kw_config *cfg,
                                      struct kw_error *err);
/* A key in PEM or DER; text has len bytes and a NUL. Returns 0 or mbedTLS's code. */
KW_MUST_USE int kwi_tls_parse_key(mbedtls_pk_context *key, const char *text, size_t len,
                                  const char *password);
/* An encrypted key of PKCS #8 in DER, as openssl pkey writes it (PBES2, AES). */
KW_MUST_USE int kwi_tls_open_pkcs8(mbedtls_pk_context *key, uint8_t *der, size_t len,
                                   const char *password);
/* Keys of at least 112 bits of strength. */
bool kwi_tls_key_is_short(const mbedtls_pk_context *key);

/* The common name, or "without a name"; the names that a certificate is for, or "". */
void kwi_tls_common_name(const mbedtls_x509_name *name, char *buf, size_t cap);
void kwi_tls_alternative_names(const mbedtls_x509_crt *crt, char *names, size_t cap);

/* For mbedtls_ssl_set_verify, with a session. */
int kwi_tls_on_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags);
extern const mbedtls_x509_crt_profile kwi_tls_profile;

/* A step failed with this code: writes why. */
void kwi_tls_explain(struct kw_tls_session *session, int code);
void kwi_tls_explain_end(struct kw_tls_session *session);

/* For mbedTLS: bytes from the system. */
int kwi_tls_random(void *ctx, unsigned char *out, size_t n);

/* ---- by version ---- */

/* Once before anything else. Returns 0 or a code. */
int kwi_tls_v_begin(void);
bool kwi_tls_v_has_13(void);
void kwi_tls_v_set_protocols(mbedtls_ssl_config *conf, bool min_13, bool max_12);
/* Curves, signatures, renegotiation, tickets. */
void kwi_tls_v_set_rules(mbedtls_ssl_config *conf);
int kwi_tls_v_parse_key(mbedtls_pk_context *key, const uint8_t *ptr, size_t len,
                        const char *password);
int kwi_tls_v_check_pair(const mbedtls_pk_context *pub, const mbedtls_pk_context *key);
int kwi_tls_v_pbkdf2(mbedtls_md_type_t md, const char *password, const mbedtls_asn1_buf *salt,
                     unsigned rounds, uint8_t *out, size_t len);
/* Did the broker want a certificate of ours? false: it is not known. */
bool kwi_tls_v_asked(const mbedtls_ssl_context *ssl);
bool kwi_tls_v_is_version_error(int code);
/* The code says that a ticket came, which can be kept now. */
bool kwi_tls_v_is_ticket(int code);

#endif
