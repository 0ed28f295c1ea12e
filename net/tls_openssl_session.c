/* net/tls_openssl_session.c -- one connection, and the sessions that may be
 * resumed. OpenSSL reads and writes through the owner's functions (a BIO of our
 * own), so that a byte is copied no oftener than with a socket of its own.
 *
 * It asks the socket for the five bytes in front of a record and then for the rest. So
 * that this does not cost two calls of the system, the head of the next record is read
 * together with a large body, and whole records together with a small one or a head.
 * (OpenSSL's own way to read ahead moves all that it holds with each record.)
 *
 * A socket error is told to OpenSSL as "not now", and to the owner as what it is:
 * after a failed write the peer's last words can still be read. */
#include "net/tls_openssl.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { TLS_HEAD = 5 }; /* SSL3_RT_HEADER_LENGTH: type, version, length */

struct kw_tls_session *kwi_tls_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* ---- the socket as OpenSSL sees it ----------------------------------------------- */

static void tls_take_ahead(struct kw_tls_session *s, char *buf, size_t cap, size_t *n)
{
    size_t len = s->end - s->from;
    *n = len < cap ? len : cap;
    memcpy(buf, s->ahead + s->from, *n);
    s->from += (unsigned)*n;
}

static int tls_recv(struct kw_tls_session *s, char *buf, size_t cap, size_t *n, int *os_err)
{
    size_t ahead = cap < sizeof(s->ahead) ? sizeof(s->ahead) : TLS_HEAD, got = 0;
    const struct kw_iov iov[] = {{.base = buf, .len = cap}, {.base = s->ahead, .len = ahead}};
    if (s->n_recvs == KWI_TLS_RECVS)
        return KW_ERR_WOULD_BLOCK;
    s->n_recvs++;
    int rc = s->io.recv(s->io.ctx, iov, 2, &got, os_err);
    *n = got < cap ? got : cap;
    s->from = 0;
    s->end = (unsigned)(got - *n);
    return rc;
}

static int tls_bio_read(BIO *bio, char *buf, size_t cap, size_t *n)
{
    struct kw_tls_session *s = BIO_get_data(bio);
    int os_err = 0, rc = 0;
    BIO_clear_retry_flags(bio);
    if (s->from < s->end)
        tls_take_ahead(s, buf, cap, n);
    else
        rc = tls_recv(s, buf, cap, n, &os_err);
    if (rc == 0 && *n > 0)
        return 1;
    *n = 0;
    if (rc == 0) {
        s->at_end = true;
        return 0;
    }
    if (rc != KW_ERR_WOULD_BLOCK)
        s->os_err = os_err;
    BIO_set_retry_read(bio);
    return 0;
}

static int tls_bio_write(BIO *bio, const char *ptr, size_t len, size_t *n)
{
    struct kw_tls_session *s = BIO_get_data(bio);
    int os_err = 0;
    BIO_clear_retry_flags(bio);
    int rc = s->io.send(s->io.ctx, ptr, len, n, &os_err);
    if (rc == 0)
        return 1;
    *n = 0;
    if (rc != KW_ERR_WOULD_BLOCK)
        s->os_err = os_err;
    BIO_set_retry_write(bio);
    return 0;
}

static long tls_bio_ctrl(BIO *bio, int what, long num, void *ptr)
{
    const struct kw_tls_session *s = BIO_get_data(bio);
    (void)num;
    (void)ptr;
    if (what == BIO_CTRL_EOF)
        return s && s->at_end;
    return what == BIO_CTRL_FLUSH;
}

static int tls_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *kwi_tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "kwire");
    if (!method)
        return NULL;
    if (BIO_meth_set_read_ex(method, tls_bio_read) &&
        BIO_meth_set_write_ex(method, tls_bio_write) && BIO_meth_set_ctrl(method, tls_bio_ctrl) &&
        BIO_meth_set_create(method, tls_bio_create))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- resumption ------------------------------------------------------------------ */

static struct kw_tls_kept *tls_find_kept(struct kw_tls *tls, const char *name, uint16_t port)
{
    for (unsigned i = 0; i < KWI_TLS_SESSIONS; i++) {
        struct kw_tls_kept *kept = &tls->kept[i];
        if (kept->session && kept->port == port && strcmp(kept->name, name) == 0)
            return kept;
    }
    return NULL;
}

/* Only a handshake that was verified for this name comes here, and the broker
 * shows no certificate when it is resumed: so it counts for this name alone. */
int kwi_tls_on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct kw_tls_session *s = kwi_tls_of(ssl);
    struct kw_tls *tls = s->tls;
    if (!SSL_SESSION_is_resumable(session))
        return 0;
    struct kw_tls_kept *kept = tls_find_kept(tls, s->name, s->port);
    if (!kept) {
        kept = &tls->kept[tls->next_kept];
        tls->next_kept = (tls->next_kept + 1) % KWI_TLS_SESSIONS;
    }
    SSL_SESSION_free(kept->session);
    kept->session = session;
    kept->port = s->port;
    memcpy(kept->name, s->name, sizeof(kept->name));
    return 1; /* the reference is ours now */
}

/* A ticket is used once (RFC 8446, appendix C.4), and not after the certificate
 * that it stands for has expired. */
static bool tls_resume(struct kw_tls_session *s)
{
    struct kw_tls_kept *kept = tls_find_kept(s->tls, s->name, s->port);
    if (!kept)
        return true;
    X509 *x509 = SSL_SESSION_get0_peer(kept->session);
    bool fresh = x509 && X509_cmp_current_time(X509_get0_notAfter(x509)) > 0;
    bool done = !fresh || SSL_set_session(s->ssl, kept->session);
    SSL_SESSION_free(kept->session);
    kept->session = NULL;
    return done;
}

/* ---- life ------------------------------------------------------------------------- */

/* Whom the certificate must be for. An address never goes into SNI (RFC 6066), and
 * its zone is this machine's affair. */
static bool tls_expect_name(struct kw_tls_session *s)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
    uint8_t ip[16];
    size_t len = kwi_tls_address(s->name, ip);
    if (len > 0)
        return !s->tls->check_name || X509_VERIFY_PARAM_set1_ip(param, ip, len);
    if (!SSL_set_tlsext_host_name(s->ssl, s->name))
        return false;
    return !s->tls->check_name || SSL_set1_host(s->ssl, s->name);
}

static int tls_open_fill(struct kw_tls_session *s)
{
    s->ssl = SSL_new(s->tls->ctx);
    BIO *bio = s->ssl ? BIO_new(s->tls->method) : NULL;
    if (!bio)
        return KW_ERR_NOMEM;
    BIO_set_data(bio, s);
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_app_data(s->ssl, s);
    SSL_set_connect_state(s->ssl);
    return tls_expect_name(s) && tls_resume(s) ? 0 : KW_ERR_NOMEM;
}

int kwi_tls_open(struct kw_tls_session **out, struct kw_tls *tls, const struct kw_tls_io *io,
                 const char *name, uint16_t port)
{
    struct kw_tls_session *s = kwi_alloc_zero(tls->heap, sizeof(*s));
    *out = NULL;
    if (!s)
        return KW_ERR_NOMEM;
    s->tls = tls;
    s->io = *io;
    s->port = port;
    ERR_clear_error();
    int rc = kwi_tls_take_name(s->name, name) ? tls_open_fill(s) : KW_ERR_USE;
    if (rc != 0)
        kwi_tls_close(s);
    else
        *out = s;
    return rc;
}

void kwi_tls_close(struct kw_tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    kwi_free(session->tls->heap, session, sizeof(*session));
}

/* ---- steps ------------------------------------------------------------------------- */

static int tls_begin(struct kw_tls_session *s)
{
    if (s->is_dead)
        return s->why.code;
    s->os_err = 0;
    s->n_recvs = 0;
    if (ERR_peek_error() != 0) /* clearing nothing takes as long as clearing all */
        ERR_clear_error();
    return 0;
}

/* The result of a call that did not succeed. */
static int tls_judge(struct kw_tls_session *s, int result)
{
    int what = SSL_get_error(s->ssl, result);
    if (s->os_err && what != SSL_ERROR_SSL) {
        s->why.code = KW_ERR_IO;
        return KW_ERR_IO;
    }
    s->os_err = 0; /* that the peer could not be told matters less than what it did */
    switch (what) {
    case SSL_ERROR_WANT_READ: return KWI_TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE: return KWI_TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN: return KWI_TLS_DONE;
    default: break;
    }
    s->is_dead = true;
    if (s->at_end)
        kwi_tls_explain_end(s);
    else
        kwi_tls_explain(s);
    return s->why.code;
}

/* The peer said goodbye, and this step cannot succeed any more. */
static int tls_ended(struct kw_tls_session *s)
{
    s->is_dead = true;
    kwi_tls_explain_end(s);
    return s->why.code;
}

int kwi_tls_handshake(struct kw_tls_session *s)
{
    int rc = tls_begin(s);
    if (rc != 0)
        return rc;
    int result = SSL_do_handshake(s->ssl);
    s->is_up = result == 1;
    if (s->is_up)
        return KWI_TLS_DONE;
    rc = tls_judge(s, result);
    return rc == KWI_TLS_DONE ? tls_ended(s) : rc;
}

int kwi_tls_read(struct kw_tls_session *s, void *buf, size_t cap, size_t *n)
{
    int rc = tls_begin(s);
    *n = 0;
    if (rc != 0)
        return rc;
    int result = SSL_read_ex(s->ssl, buf, cap, n);
    if (result == 1) {
        s->has_data = true;
        return KWI_TLS_DONE;
    }
    *n = 0;
    return tls_judge(s, result);
}

int kwi_tls_write(struct kw_tls_session *s, const void *ptr, size_t len)
{
    size_t n = 0;
    int rc = tls_begin(s);
    if (rc != 0)
        return rc;
    int result = SSL_write_ex(s->ssl, ptr, len, &n);
    if (result == 1)
        return KWI_TLS_DONE;
    rc = tls_judge(s, result);
    return rc == KWI_TLS_DONE ? tls_ended(s) : rc;
}

bool kwi_tls_pending(const struct kw_tls_session *s)
{
    /* The head of a record alone is no record. */
    return !s->is_dead && (SSL_has_pending(s->ssl) || s->end - s->from > TLS_HEAD);
}

void kwi_tls_goodbye(struct kw_tls_session *s)
{
    if (tls_begin(s) == 0 && s->is_up)
        (void)SSL_shutdown(s->ssl);
    ERR_clear_error();
}

void kwi_tls_cause(const struct kw_tls_session *s, struct kw_cause *cause)
{
    *cause = (struct kw_cause){.phase = KW_PHASE_TLS};
    cause->os_err = s->os_err;
    if (s->why.code != KW_ERR_IO && s->why.code != KW_ERR_PROTOCOL)
        cause->code = s->why.code;
    cause->text = s->why.text[0] ? s->why.text : NULL;
    cause->hint = s->why.hint[0] ? s->why.hint : NULL;
}
