/* net/tls_mbedtls_session.c -- one connection, and the sessions that may be resumed.
 *
 * mbedTLS asks the socket for five bytes and then for the rest of a record; so that
 * this does not cost two calls of the system a record, up to 32 KiB of ciphertext are
 * read ahead, and what mbedTLS wants is taken from there.
 *
 * A socket error is told to mbedTLS as "not now", and to the owner as what it is:
 * after a failed write the peer's last words can still be read. */
#include "net/tls_mbedtls.h"
#include <string.h>

enum { TLS_TURNS = 64 }; /* messages without data that one read takes in */

/* ---- the socket as mbedTLS sees it ------------------------------------------------- */

static int tls_recv(struct kw_tls_session *s, void *buf, size_t cap, size_t *n)
{
    int os_err = 0, rc = KW_ERR_WOULD_BLOCK;
    if (s->n_recvs < KWI_TLS_RECVS) {
        s->n_recvs++;
        rc = s->io.recv(s->io.ctx, &(struct kw_iov){.base = buf, .len = cap}, 1, n, &os_err);
    }
    s->at_end = rc == 0 && *n == 0;
    if (rc == 0)
        return 0;
    *n = 0;
    s->is_waiting = true;
    if (rc != KW_ERR_WOULD_BLOCK)
        s->os_err = os_err;
    return MBEDTLS_ERR_SSL_WANT_READ;
}

static void tls_see(struct kw_tls_session *s, const uint8_t *ptr, size_t len)
{
    while (s->n_head < sizeof(s->head) && len > 0) {
        s->head[s->n_head++] = *ptr++;
        len--;
    }
}

static int tls_on_recv(void *ctx, unsigned char *buf, size_t len)
{
    struct kw_tls_session *s = ctx;
    size_t n = 0;
    if (s->from == s->end) {
        s->from = s->end = 0;
        int code = tls_recv(s, s->ahead, KWI_TLS_AHEAD, &s->end);
        if (code != 0)
            return code;
        tls_see(s, s->ahead, s->end);
    }
    n = s->end - s->from < len ? s->end - s->from : len;
    memcpy(buf, s->ahead + s->from, n);
    s->from += n;
    return (int)n; /* 0: the end */
}

/* mbedTLS sends a flight of the handshake message by message; a broker that refuses the
 * first of them says why and is gone before the last. So they are taken as sent, and
 * what is to be read then explains it; else kwi_tls_handshake tells the error. */
static int tls_on_send(void *ctx, const unsigned char *ptr, size_t len)
{
    struct kw_tls_session *s = ctx;
    int os_err = 0;
    size_t n = 0;
    int rc = s->lost ? KW_ERR_IO : s->io.send(s->io.ctx, ptr, len, &n, &os_err);
    if (rc == 0 && n > 0)
        return (int)n;
    if (!s->is_up && rc != KW_ERR_WOULD_BLOCK) {
        s->lost = s->lost ? s->lost : os_err;
        return (int)len;
    }
    if (rc != 0 && rc != KW_ERR_WOULD_BLOCK)
        s->os_err = os_err;
    return MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* ---- resumption ------------------------------------------------------------------ */

static struct kw_tls_kept *tls_find_kept(struct kw_tls *tls, const char *name, uint16_t port)
{
    for (unsigned i = 0; i < KWI_TLS_SESSIONS; i++) {
        struct kw_tls_kept *kept = &tls->kept[i];
        if (kept->is_set && kept->port == port && strcmp(kept->name, name) == 0)
            return kept;
    }
    return NULL;
}

static void tls_drop_kept(struct kw_tls_kept *kept)
{
    mbedtls_ssl_session_free(&kept->session);
    mbedtls_ssl_session_init(&kept->session);
    kept->is_set = false;
}

/* The handshake was verified for this name, or resumed one that was: and the broker
 * shows no certificate when it is resumed, so it counts for this name alone. What
 * cannot be kept is not: the next connection begins anew. */
static void tls_keep(struct kw_tls_session *s)
{
    struct kw_tls *tls = s->tls;
    struct kw_tls_kept *kept = tls_find_kept(tls, s->name, s->port);
    if (!kept) {
        kept = &tls->kept[tls->next_kept];
        tls->next_kept = (tls->next_kept + 1) % KWI_TLS_SESSIONS;
    }
    tls_drop_kept(kept);
    if (mbedtls_ssl_get_session(&s->ssl, &kept->session) != 0) {
        tls_drop_kept(kept);
        return;
    }
    kept->is_set = true;
    kept->port = s->port;
    kept->until = s->until;
    memcpy(kept->name, s->name, sizeof(kept->name));
}

/* A ticket is used once (RFC 8446, appendix C.4), and not after the certificate
 * that it stands for has expired. */
static bool tls_resume(struct kw_tls_session *s)
{
    struct kw_tls_kept *kept = tls_find_kept(s->tls, s->name, s->port);
    if (!kept)
        return true;
    bool done = true;
    if (!mbedtls_x509_time_is_past(&kept->until)) {
        done = mbedtls_ssl_set_session(&s->ssl, &kept->session) == 0;
        s->until = kept->until;
    }
    tls_drop_kept(kept);
    return done;
}

/* ---- life ------------------------------------------------------------------------- */

static int tls_open_fill(struct kw_tls_session *s)
{
    uint8_t ip[16];
    /* An address never goes into SNI (RFC 6066). */
    const char *sni = kwi_tls_address(s->name, ip) > 0 ? NULL : s->name;
    s->ahead = kwi_alloc(s->tls->heap, KWI_TLS_AHEAD);
    if (!s->ahead || mbedtls_ssl_setup(&s->ssl, &s->tls->conf) != 0 ||
        mbedtls_ssl_set_hostname(&s->ssl, sni) != 0)
        return KW_ERR_NOMEM;
    mbedtls_ssl_set_bio(&s->ssl, s, tls_on_send, tls_on_recv, NULL);
    mbedtls_ssl_set_verify(&s->ssl, kwi_tls_on_verify, s);
    return tls_resume(s) ? 0 : KW_ERR_NOMEM;
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
    mbedtls_ssl_init(&s->ssl);
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
    struct kw_heap *heap = session->tls->heap;
    mbedtls_ssl_free(&session->ssl);
    kwi_free(heap, session->ahead, KWI_TLS_AHEAD);
    kwi_free(heap, session, sizeof(*session));
}

/* ---- steps ------------------------------------------------------------------------- */

static int tls_begin(struct kw_tls_session *s)
{
    if (s->is_dead)
        return s->why.code;
    s->os_err = 0;
    s->is_waiting = false;
    s->n_recvs = 0;
    return 0;
}

static int tls_fail(struct kw_tls_session *s, int code)
{
    s->is_dead = true;
    if (s->at_end && (code == MBEDTLS_ERR_SSL_CONN_EOF || code == 0))
        kwi_tls_explain_end(s);
    else
        kwi_tls_explain(s, code);
    return s->why.code;
}

/* The result of a call that did not succeed. */
static int tls_judge(struct kw_tls_session *s, int code)
{
    bool waits = code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (s->os_err && (waits || s->lost)) {
        s->why.code = KW_ERR_IO;
        return KW_ERR_IO;
    }
    s->os_err = 0; /* that the peer could not be told matters less than what it did */
    if (code == MBEDTLS_ERR_SSL_WANT_READ)
        return KWI_TLS_WANT_READ;
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE)
        return KWI_TLS_WANT_WRITE;
    return tls_fail(s, code);
}

int kwi_tls_handshake(struct kw_tls_session *s)
{
    int rc = tls_begin(s);
    if (rc != 0)
        return rc;
    int code = mbedtls_ssl_handshake(&s->ssl);
    if (s->lost &&
        (code == 0 || code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_CONN_EOF)) {
        s->is_dead = true;
        s->os_err = s->lost;
    }
    if (code != 0 || s->lost)
        return tls_judge(s, code);
    s->is_up = true;
    tls_keep(s);
    return KWI_TLS_DONE;
}

/* mbedTLS says "not now" after a message that is no data, too: then the socket was not
 * asked, and what was read ahead would wait for ever. */
static int tls_read_on(struct kw_tls_session *s, void *buf, size_t cap)
{
    int code = MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE;
    for (int turn = 0; turn < TLS_TURNS; turn++) {
        code = mbedtls_ssl_read(&s->ssl, buf, cap);
        if (kwi_tls_v_is_ticket(code))
            tls_keep(s);
        else if (code != MBEDTLS_ERR_SSL_WANT_READ || s->is_waiting)
            return code;
    }
    return MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE;
}

int kwi_tls_read(struct kw_tls_session *s, void *buf, size_t cap, size_t *n)
{
    int rc = tls_begin(s);
    *n = 0;
    if (rc != 0)
        return rc;
    int code = tls_read_on(s, buf, cap);
    if (code > 0) {
        s->has_data = true;
        *n = (size_t)code;
        return KWI_TLS_DONE;
    }
    return code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? KWI_TLS_DONE : tls_judge(s, code);
}

/* A record that was half sent may have been finished by a read, which has something of
 * its own to send: mbedTLS would then take the same bytes for new ones. */
static bool tls_is_sent(const struct kw_tls_session *s)
{
    return s->is_half && s->ssl.MBEDTLS_PRIVATE(out_left) == 0;
}

/* Something of a read's own waits to be sent: mbedTLS sends it before anything else, and
 * says of what it is then given that it was taken, though it was not. */
static bool tls_has_own(const struct kw_tls_session *s)
{
    return !s->is_half && s->ssl.MBEDTLS_PRIVATE(out_left) != 0;
}

int kwi_tls_write(struct kw_tls_session *s, const void *ptr, size_t len)
{
    const uint8_t *from = ptr;
    int rc = tls_begin(s);
    if (rc != 0)
        return rc;
    /* A library with short records takes a part at a time. */
    while (s->written < len) {
        size_t left = len - s->written, most;
        if (tls_has_own(s)) {
            int sent = mbedtls_ssl_write(&s->ssl, from + s->written, left);
            if (sent < 0)
                return tls_judge(s, sent);
            continue;
        }
        if (!tls_is_sent(s)) {
            int max = mbedtls_ssl_get_max_out_record_payload(&s->ssl);
            int code = max < 0 ? max : mbedtls_ssl_write(&s->ssl, from + s->written, left);
            most = max < 0 ? 0 : (size_t)max;
            s->half_len = left < most ? left : most;
            s->is_half = code == MBEDTLS_ERR_SSL_WANT_WRITE;
            if (code < 0)
                return tls_judge(s, code);
        }
        s->is_half = false;
        s->written += s->half_len;
    }
    s->written = 0;
    return KWI_TLS_DONE;
}

bool kwi_tls_pending(const struct kw_tls_session *s)
{
    return !s->is_dead && (s->from < s->end || mbedtls_ssl_get_bytes_avail(&s->ssl) > 0 ||
                           mbedtls_ssl_check_pending(&s->ssl));
}

void kwi_tls_goodbye(struct kw_tls_session *s)
{
    if (tls_begin(s) == 0 && s->is_up)
        (void)mbedtls_ssl_close_notify(&s->ssl);
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
