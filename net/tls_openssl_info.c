/* net/tls_openssl_info.c -- what a handshake agreed on, for whoever watches
 * connections (kw_env.watch, kw doctor). Texts of certificates are the peer's, so
 * only printable characters are taken over. */
#include "base/fmt.h"
#include "net/tls_openssl.h"
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

static int64_t tlsinfo_time(const ASN1_TIME *when)
{
    struct tm tm;
    if (!when || !ASN1_TIME_to_tm(when, &tm))
        return 0;
    return kwi_tls_unix_time(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                             tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
}

static void tlsinfo_key(const X509 *x509, char *buf, size_t cap)
{
    const EVP_PKEY *key = X509_get0_pubkey(x509);
    const char *name = key ? EVP_PKEY_get0_type_name(key) : NULL;

    kwi_fmt(buf, cap, "%s %d", name ? name : "?", key ? EVP_PKEY_get_bits(key) : 0);
}

static void tlsinfo_cert(X509 *x509, struct kw_tls_cert *cert)
{
    kwi_tls_common_name(X509_get_subject_name(x509), cert->subject, sizeof(cert->subject));
    kwi_tls_common_name(X509_get_issuer_name(x509), cert->issuer, sizeof(cert->issuer));
    kwi_tls_alternative_names(x509, cert->names, sizeof(cert->names));
    tlsinfo_key(x509, cert->key, sizeof(cert->key));
    cert->not_before = tlsinfo_time(X509_get0_notBefore(x509));
    cert->not_after = tlsinfo_time(X509_get0_notAfter(x509));
}

void kwi_tls_describe(const struct kw_tls_session *session, struct kw_tls_info *info)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(session->ssl);
    X509 *leaf = SSL_get0_peer_certificate(session->ssl);

    memset(info, 0, sizeof(*info));
    info->size = sizeof(*info);
    kwi_fmt(info->protocol, sizeof(info->protocol), "%s", SSL_get_version(session->ssl));
    kwi_fmt(info->suite, sizeof(info->suite), "%s", SSL_get_cipher_name(session->ssl));
    info->resumed = SSL_session_reused(session->ssl);
    info->asked = session->asked;
    for (int i = 0; i < sk_X509_num(chain) && i < KW_TLS_CHAIN; i++)
        tlsinfo_cert(sk_X509_value(chain, i), &info->chain[info->n_chain++]);
    if (info->n_chain == 0 && leaf)
        tlsinfo_cert(leaf, &info->chain[info->n_chain++]);
}
