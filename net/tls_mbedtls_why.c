/* net/tls_mbedtls_why.c -- translates what mbedTLS reports into the words of
 * tls_words.c. */
#include "net/tls_mbedtls.h"
#include "base/fmt.h"
#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/cipher.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <string.h>

/* A code is that of a module, and in the lower seven bits that of one below it. */
enum { TLS_HIGH = 0x7f80, TLS_LOW = 0x7f, TLS_X509_FROM = 0x2080, TLS_X509_TO = 0x2f80 };

bool kwi_tls_no_room(int code)
{
    static const int full[] = {MBEDTLS_ERR_SSL_ALLOC_FAILED, MBEDTLS_ERR_X509_ALLOC_FAILED,
                               MBEDTLS_ERR_PK_ALLOC_FAILED,  MBEDTLS_ERR_ECP_ALLOC_FAILED,
                               MBEDTLS_ERR_MD_ALLOC_FAILED,  MBEDTLS_ERR_CIPHER_ALLOC_FAILED,
                               MBEDTLS_ERR_PEM_ALLOC_FAILED, MBEDTLS_ERR_MPI_ALLOC_FAILED,
                               MBEDTLS_ERR_ASN1_ALLOC_FAILED};
    for (size_t i = 0; i < sizeof(full) / sizeof(full[0]) && code < 0; i++) {
        int which = -full[i] > TLS_LOW ? -code & TLS_HIGH : -code & TLS_LOW;
        if (which == -full[i])
            return true;
    }
    return false;
}

static bool tls_got_none(const struct kw_tls_session *s)
{
    return kwi_tls_v_asked(&s->ssl) && !s->tls->has_certificate;
}

/* The broker's certificates could not even be read. */
static void tls_explain_x509(struct kw_tls_session *s, int code)
{
    char words[80] = "";
    int high = -code & TLS_HIGH;
    mbedtls_strerror(code, words, sizeof(words));
    if (-code == -MBEDTLS_ERR_X509_FATAL_ERROR) {
        kwi_tls_words_flaw(&s->why, KWI_FLAW_CHAIN_LONG, "the broker's certificate");
    } else if (high == -MBEDTLS_ERR_X509_INVALID_EXTENSIONS) {
        kwi_tls_words_flaw(&s->why, KWI_FLAW_EXTENSION,
                           "the broker's certificate, or an authority's above it,");
    } else {
        kwi_tls_words(&s->why, KW_ERR_AUTH, "",
                      "issue it with RSA 2048 or P-256, signed with SHA-256");
        kwi_fmt(s->why.text, sizeof(s->why.text),
                "mbedTLS cannot read the broker's certificate (%s)", words);
    }
}

static bool tls_is_plain(const struct kw_tls_session *s)
{
    /* Every record of TLS begins with its kind, 20 to 24, and version 3.x. */
    return s->n_head > 0 &&
           (s->head[0] < 20 || s->head[0] > 24 || (s->n_head > 1 && s->head[1] != 3));
}

/* mbedTLS 2.28 says it after kwi_tls_on_verify: only what the key may be used for. */
static void tls_explain_verdict(struct kw_tls_session *s)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&s->ssl);
    if (s->why.text[0])
        return;
    if (flags & MBEDTLS_X509_BADCERT_BAD_KEY)
        kwi_tls_words_flaw(&s->why, KWI_FLAW_KEY_SHORT, "the broker's certificate");
    else if (flags & MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)
        kwi_tls_words_flaw(&s->why, KWI_FLAW_PURPOSE, "the broker's certificate");
    else
        kwi_tls_words_flaw(&s->why, KWI_FLAW_KEY_USAGE, "the broker's certificate");
}

static bool tls_is_verdict(int code)
{
#if MBEDTLS_VERSION_MAJOR < 3
    return code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
           code == MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE;
#else
    return code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || code == MBEDTLS_ERR_SSL_BAD_CERTIFICATE;
#endif
}

void kwi_tls_explain(struct kw_tls_session *s, int code)
{
    char words[96] = "";
    int high = -code & TLS_HIGH;
    if (kwi_tls_no_room(code)) {
        kwi_tls_words(&s->why, KW_ERR_NOMEM, "out of memory", "");
    } else if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        kwi_tls_words_alert(&s->why, s->ssl.MBEDTLS_PRIVATE(in_msg)[1], "of no name we know",
                            tls_got_none(s));
    } else if (tls_is_verdict(code)) {
        tls_explain_verdict(s);
    } else if (!s->is_up && tls_is_plain(s)) {
        kwi_tls_words_trouble(&s->why, memcmp(s->head, "HTTP", 4) == 0 ? KWI_TROUBLE_HTTP
                                                                       : KWI_TROUBLE_PLAIN);
    } else if (kwi_tls_v_is_version_error(code)) {
        kwi_tls_words_trouble(&s->why, KWI_TROUBLE_VERSION);
    } else if (high >= TLS_X509_FROM && high <= -MBEDTLS_ERR_X509_FATAL_ERROR) {
        tls_explain_x509(s, code);
    } else {
        mbedtls_strerror(code, words, sizeof(words));
        kwi_tls_words(&s->why, KW_ERR_PROTOCOL, "", "");
        kwi_fmt(s->why.text, sizeof(s->why.text), "TLS failed: %s", words);
    }
}

void kwi_tls_explain_end(struct kw_tls_session *s)
{
    kwi_tls_words_end(&s->why, s->is_up, tls_got_none(s) && !s->has_data);
}
