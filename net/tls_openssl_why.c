/* net/tls_openssl_why.c -- translates what OpenSSL reports into the words of
 * tls_words.c. */
#include "base/fmt.h"
#include "net/tls_openssl.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* A code of OpenSSL, and ours for it. */
struct tls_reason {
    int reason, ours;
};

static int tls_find_reason(const struct tls_reason *rows, size_t n, int reason)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].reason == reason)
            return rows[i].ours;
    }
    return -1;
}

/* ---- certificates ------------------------------------------------------------------ */

/* The common name, else the organisation, else "without a name". */
void kwi_tls_common_name(const X509_NAME *name, char *buf, size_t cap)
{
    static const int nids[] = {NID_commonName, NID_organizationalUnitName, NID_organizationName};
    buf[0] = 0;
    for (size_t i = 0; i < sizeof(nids) / sizeof(nids[0]) && name && !buf[0]; i++) {
        int at = X509_NAME_get_index_by_NID(name, nids[i], -1);
        if (at < 0)
            continue;
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
        kwi_tls_append(buf, cap, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    }
    if (!buf[0])
        kwi_fmt(buf, cap, "without a name");
}

/* The names that a certificate is for: "a, b, c", or "" if there are none. */
void kwi_tls_alternative_names(const X509 *x509, char *buf, size_t cap)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    bool room = true;
    buf[0] = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && room; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            room = kwi_tls_append_name(buf, cap, ASN1_STRING_get0_data(name->d.dNSName),
                                       (size_t)ASN1_STRING_length(name->d.dNSName));
        else if (name->type == GEN_IPADD)
            room = kwi_tls_append_ip(buf, cap, ASN1_STRING_get0_data(name->d.iPAddress),
                                     (size_t)ASN1_STRING_length(name->d.iPAddress));
    }
    GENERAL_NAMES_free(names);
}

static const struct tls_reason tls_verify_rows[] = {
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, KWI_FLAW_SELF_SIGNED},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, KWI_FLAW_ROOT_UNKNOWN},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, KWI_FLAW_ISSUER_LOCAL},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, KWI_FLAW_ISSUER_ABSENT},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, KWI_FLAW_ALONE},
    {X509_V_ERR_INVALID_PURPOSE, KWI_FLAW_PURPOSE},
    {X509_V_ERR_INVALID_CA, KWI_FLAW_NO_AUTHORITY},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, KWI_FLAW_NO_CERT_SIGN},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, KWI_FLAW_PATH_LENGTH},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, KWI_FLAW_SIGNATURE},
    {X509_V_ERR_CERT_REVOKED, KWI_FLAW_REVOKED},
    {X509_V_ERR_UNABLE_TO_GET_CRL, KWI_FLAW_CRL_ABSENT},
    {X509_V_ERR_CRL_HAS_EXPIRED, KWI_FLAW_CRL_OLD},
    {X509_V_ERR_CRL_NOT_YET_VALID, KWI_FLAW_CRL_EARLY},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, KWI_FLAW_CRL_SIGNATURE},
    {X509_V_ERR_EE_KEY_TOO_SMALL, KWI_FLAW_KEY_SHORT},
    {X509_V_ERR_CA_KEY_TOO_SMALL, KWI_FLAW_AUTHORITY_KEY_SHORT},
    {X509_V_ERR_CA_MD_TOO_WEAK, KWI_FLAW_HASH_WEAK},
    {X509_V_ERR_PERMITTED_VIOLATION, KWI_FLAW_NOT_PERMITTED},
    {X509_V_ERR_EXCLUDED_VIOLATION, KWI_FLAW_EXCLUDED},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, KWI_FLAW_EXTENSION},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, KWI_FLAW_CHAIN_LONG},
};

static void tls_explain_dates(struct kw_tls_session *s, const char *whose, const X509 *x509,
                              bool expired)
{
    struct tm tm = {0};
    const ASN1_TIME *when = expired ? X509_get0_notAfter(x509) : X509_get0_notBefore(x509);
    if (when)
        ASN1_TIME_to_tm(when, &tm);
    kwi_tls_words_dates(&s->why, whose, expired, &tm);
}

static void tls_explain_name(struct kw_tls_session *s, const X509 *x509)
{
    char names[72];
    kwi_tls_alternative_names(x509, names, sizeof(names));
    kwi_tls_words_names(&s->why, s->name, names);
}

int kwi_tls_on_verify(int ok, X509_STORE_CTX *store)
{
    if (ok)
        return 1;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct kw_tls_session *s = kwi_tls_of(ssl);
    X509 *x509 = X509_STORE_CTX_get_current_cert(store);
    int reason = X509_STORE_CTX_get_error(store);
    /* OpenSSL calls it no authority whichever of the two says so. */
    if (reason == X509_V_ERR_INVALID_CA && x509 && !(X509_get_key_usage(x509) & KU_KEY_CERT_SIGN))
        reason = X509_V_ERR_KEYUSAGE_NO_CERTSIGN;
    char name[48], whose[96];
    int flaw = tls_find_reason(tls_verify_rows,
                               sizeof(tls_verify_rows) / sizeof(tls_verify_rows[0]), reason);
    kwi_tls_common_name(x509 ? X509_get_subject_name(x509) : NULL, name, sizeof(name));
    kwi_tls_words_whose(whose, sizeof(whose), (unsigned)X509_STORE_CTX_get_error_depth(store),
                        name);
    if (x509 &&
        (reason == X509_V_ERR_CERT_HAS_EXPIRED || reason == X509_V_ERR_CERT_NOT_YET_VALID)) {
        tls_explain_dates(s, whose, x509, reason == X509_V_ERR_CERT_HAS_EXPIRED);
    } else if (x509 && (reason == X509_V_ERR_HOSTNAME_MISMATCH ||
                        reason == X509_V_ERR_IP_ADDRESS_MISMATCH)) {
        tls_explain_name(s, x509);
    } else if (flaw >= 0) {
        kwi_tls_words_flaw(&s->why, (enum kwi_tls_flaw)flaw, whose);
    } else {
        kwi_tls_words(&s->why, KW_ERR_AUTH, "", "");
        kwi_fmt(s->why.text, sizeof(s->why.text), "%s %s", whose,
                X509_verify_cert_error_string(reason));
    }
    return 0;
}

/* ---- everything else ------------------------------------------------------------------- */

static const struct tls_reason tls_local_rows[] = {
    {SSL_R_WRONG_VERSION_NUMBER, KWI_TROUBLE_PLAIN},
    {SSL_R_HTTP_REQUEST, KWI_TROUBLE_HTTP},
    {SSL_R_UNSUPPORTED_PROTOCOL, KWI_TROUBLE_VERSION},
    {SSL_R_WRONG_SSL_VERSION, KWI_TROUBLE_VERSION},
    {SSL_R_NO_CIPHERS_AVAILABLE, KWI_TROUBLE_NO_SUITE},
    {SSL_R_WRONG_CIPHER_RETURNED, KWI_TROUBLE_OTHER_SUITE},
    {SSL_R_DH_KEY_TOO_SMALL, KWI_TROUBLE_DH},
    {SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, KWI_TROUBLE_RENEGOTIATION},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, KWI_TROUBLE_NO_SIGNATURE},
    {SSL_R_WRONG_SIGNATURE_TYPE, KWI_TROUBLE_SIGNATURE},
};

static bool tls_got_none(const struct kw_tls_session *s)
{
    return s->asked && !s->tls->has_certificate;
}

void kwi_tls_explain(struct kw_tls_session *s)
{
    unsigned long e = ERR_peek_last_error();
    int reason = ERR_GET_REASON(e);
    int trouble = tls_find_reason(tls_local_rows,
                                  sizeof(tls_local_rows) / sizeof(tls_local_rows[0]), reason);
    const char *words = ERR_reason_error_string(e);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && s->why.text[0]) {
        /* kwi_tls_on_verify has said it. */
    } else if (reason == ERR_R_MALLOC_FAILURE) {
        kwi_tls_words(&s->why, KW_ERR_NOMEM, "out of memory", "");
    } else if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
               reason <= SSL_AD_REASON_OFFSET + 255) {
        int alert = reason - SSL_AD_REASON_OFFSET;
        kwi_tls_words_alert(&s->why, alert, SSL_alert_desc_string_long(alert), tls_got_none(s));
    } else if (trouble >= 0) {
        kwi_tls_words_trouble(&s->why, (enum kwi_tls_trouble)trouble);
    } else {
        kwi_tls_words(&s->why, KW_ERR_PROTOCOL, "", "");
        kwi_fmt(s->why.text, sizeof(s->why.text), "TLS failed: %s",
                words ? words : "unknown reason");
    }
    ERR_clear_error();
}

void kwi_tls_explain_end(struct kw_tls_session *s)
{
    kwi_tls_words_end(&s->why, s->is_up, tls_got_none(s) && !s->has_data);
    ERR_clear_error();
}
