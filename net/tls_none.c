/* net/tls_none.c -- a build without TLS: says so when TLS is asked for. No
 * session can exist, so the calls on one are never made. */
#include "base/fmt.h"
#include "net/tls.h"
#include <string.h>

const char *kwi_tls_backend(void)
{
    return "none";
}

int kwi_tls_create(struct kw_tls **out, const struct kw_config *cfg, struct kw_heap *heap,
                   struct kw_error *err)
{
    (void)cfg;
    (void)heap;
    *out = NULL;
    if (!err)
        return KW_ERR_CONFIG;
    memset(err, 0, sizeof(*err));
    err->code = KW_ERR_CONFIG;
    err->phase = KW_PHASE_CONFIG;
    err->broker = -1;
    kwi_fmt(err->text, sizeof(err->text),
            "security.protocol asks for TLS, which this build of kwire lacks (WITH_TLS=none)");
    kwi_fmt(err->hint, sizeof(err->hint),
            "build where the headers of OpenSSL 3 or mbedTLS are, or use a plaintext listener");
    return KW_ERR_CONFIG;
}

void kwi_tls_destroy(struct kw_tls *tls)
{
    (void)tls;
}

int kwi_tls_open(struct kw_tls_session **out, struct kw_tls *tls, const struct kw_tls_io *io,
                 const char *name, uint16_t port)
{
    (void)tls;
    (void)io;
    (void)name;
    (void)port;
    *out = NULL;
    return KW_ERR_UNSUPPORTED;
}

void kwi_tls_close(struct kw_tls_session *session)
{
    (void)session;
}

int kwi_tls_handshake(struct kw_tls_session *session)
{
    (void)session;
    return KW_ERR_UNSUPPORTED;
}

int kwi_tls_read(struct kw_tls_session *session, void *buf, size_t cap, size_t *n)
{
    (void)session;
    (void)buf;
    (void)cap;
    *n = 0;
    return KW_ERR_UNSUPPORTED;
}

int kwi_tls_write(struct kw_tls_session *session, const void *ptr, size_t len)
{
    (void)session;
    (void)ptr;
    (void)len;
    return KW_ERR_UNSUPPORTED;
}

bool kwi_tls_pending(const struct kw_tls_session *session)
{
    (void)session;
    return false;
}

void kwi_tls_goodbye(struct kw_tls_session *session)
{
    (void)session;
}

void kwi_tls_cause(const struct kw_tls_session *session, struct kw_cause *cause)
{
    (void)session;
    *cause = (struct kw_cause){.phase = KW_PHASE_TLS, .text = "this build has no TLS"};
}

void kwi_tls_describe(const struct kw_tls_session *session, struct kw_tls_info *info)
{
    (void)session;
    *info = (struct kw_tls_info){.size = sizeof(*info)};
}
