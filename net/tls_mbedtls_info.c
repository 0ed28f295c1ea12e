/* net/tls_mbedtls_info.c -- what a handshake agreed on, for whoever watches
 * connections (kw_env.watch, kw doctor). mbedTLS does not say whether a session was
 * resumed; then it has no certificate to show. */
#include "base/fmt.h"
#include "net/tls_mbedtls.h"
#include <mbedtls/pk.h>
#include <string.h>

static int64_t tlsinfo_time(const mbedtls_x509_time *when)
{
    return kwi_tls_unix_time(when->year, when->mon, when->day,
                             when->hour * 3600 + when->min * 60 + when->sec);
}

static void tlsinfo_cert(const mbedtls_x509_crt *crt, struct kw_tls_cert *cert)
{
    kwi_tls_common_name(&crt->subject, cert->subject, sizeof(cert->subject));
    kwi_tls_common_name(&crt->issuer, cert->issuer, sizeof(cert->issuer));
    kwi_tls_alternative_names(crt, cert->names, sizeof(cert->names));
    kwi_fmt(cert->key, sizeof(cert->key), "%s %zu", mbedtls_pk_get_name(&crt->pk),
            mbedtls_pk_get_bitlen(&crt->pk));
    cert->not_before = tlsinfo_time(&crt->valid_from);
    cert->not_after = tlsinfo_time(&crt->valid_to);
}

void kwi_tls_describe(const struct kw_tls_session *session, struct kw_tls_info *info)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&session->ssl);

    memset(info, 0, sizeof(*info));
    info->size = sizeof(*info);
    kwi_fmt(info->protocol, sizeof(info->protocol), "%s", mbedtls_ssl_get_version(&session->ssl));
    kwi_fmt(info->suite, sizeof(info->suite), "%s", mbedtls_ssl_get_ciphersuite(&session->ssl));
    info->asked = kwi_tls_v_asked(&session->ssl);
    for (; crt && info->n_chain < KW_TLS_CHAIN; crt = crt->next)
        tlsinfo_cert(crt, &info->chain[info->n_chain++]);
}
