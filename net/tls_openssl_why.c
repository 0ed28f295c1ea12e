/* net/tls_openssl_why.c -- what a person reads when TLS fails: what is wrong with
 * which certificate, what the broker complained of, and what to do about it.
 *
 * Names come from the peer's certificate, which nobody vouches for at this point:
 * only printable characters of them are shown. */
#include "base/fmt.h"
#include "net/tls_openssl.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

/* A reason with what to say and what to do. */
struct tls_reason {
    int reason;
    const char *text, *hint;
};

static const struct tls_reason *tls_find_reason(const struct tls_reason *rows, size_t n, int reason)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].reason == reason)
            return &rows[i];
    }
    return NULL;
}

static void tls_say(struct kw_tls_session *s, int code, const char *text, const char *hint)
{
    s->code = code;
    kwi_fmt(s->text, sizeof(s->text), "%s", text);
    kwi_fmt(s->hint, sizeof(s->hint), "%s", hint);
}

/* ---- certificates ------------------------------------------------------------------ */

/* Appends what can be printed of a name. */
static void tls_append(char *buf, size_t cap, const void *ptr, int len)
{
    const unsigned char *from = ptr;
    size_t used = strlen(buf);
    for (int i = 0; i < len && used + 1 < cap; i++)
        buf[used++] = from[i] > ' ' && from[i] < 127 && from[i] != '\'' ? (char)from[i]
                      : from[i] == ' '                                  ? ' '
                                                                        : '?';
    buf[used] = 0;
}

/* The common name, else the organisation, else "without a name". */
static void tls_common_name(const X509_NAME *name, char *buf, size_t cap)
{
    static const int nids[] = {NID_commonName, NID_organizationalUnitName, NID_organizationName};
    buf[0] = 0;
    for (size_t i = 0; i < sizeof(nids) / sizeof(nids[0]) && name && !buf[0]; i++) {
        int at = X509_NAME_get_index_by_NID(name, nids[i], -1);
        if (at < 0)
            continue;
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
        tls_append(buf, cap, ASN1_STRING_get0_data(text), ASN1_STRING_length(text));
    }
    if (!buf[0])
        kwi_fmt(buf, cap, "without a name");
}

static void tls_append_name(char *buf, size_t cap, const GENERAL_NAME *name)
{
    char ip[INET6_ADDRSTRLEN];
    if (name->type == GEN_DNS) {
        tls_append(buf, cap, ASN1_STRING_get0_data(name->d.dNSName),
                   ASN1_STRING_length(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
        int len = ASN1_STRING_length(name->d.iPAddress);
        const unsigned char *bytes = ASN1_STRING_get0_data(name->d.iPAddress);
        if ((len == 4 || len == 16) &&
            inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, ip, sizeof(ip)))
            tls_append(buf, cap, ip, (int)strlen(ip));
    }
}

/* The names that a certificate is for: "a, b, c", or "" if there are none. */
static void tls_alternative_names(const X509 *x509, char *buf, size_t cap)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    buf[0] = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD)
            continue;
        if (strlen(buf) + 24 > cap) {
            tls_append(buf, cap, ", ...", 5);
            break;
        }
        if (buf[0])
            tls_append(buf, cap, ", ", 2);
        tls_append_name(buf, cap, name);
    }
    GENERAL_NAMES_free(names);
}

static void tls_time_text(char *buf, size_t cap, const struct tm *tm)
{
    if (strftime(buf, cap, "%Y-%m-%d %H:%M", tm) == 0)
        buf[0] = 0;
}

static void tls_asn1_time(const ASN1_TIME *when, char *buf, size_t cap)
{
    struct tm tm;
    buf[0] = 0;
    if (when && ASN1_TIME_to_tm(when, &tm))
        tls_time_text(buf, cap, &tm);
}

static const struct tls_reason tls_verify_rows[] = {
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "is self-signed and not among the trusted ones",
     "put it into ssl.ca.location if it is the broker's, or have an authority sign it"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "is not among the trusted ones",
     "put that authority's certificate into ssl.ca.location, if you trust it"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "was issued by nobody that is trusted or known",
     "ssl.ca.location must have the authority, and the broker send those in between"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "was issued by an authority that is not at hand",
     "ssl.ca.location must have the authority, and the broker send those in between"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "came alone, and nobody trusted has signed it",
     "ssl.ca.location must have the authority, and the broker send those in between"},
    {X509_V_ERR_INVALID_PURPOSE, "is not meant for a server (its extended key usage)",
     "issue it with extendedKeyUsage=serverAuth"},
    {X509_V_ERR_INVALID_CA, "signed another one and may not (no authority: basicConstraints)",
     "the chain must consist of authorities: CA:TRUE"},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, "signed another one and may not (its key usage)",
     "issue the authority with keyUsage=keyCertSign"},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, "allows fewer authorities below it than the chain has",
     "issue it with a larger pathlen, or shorten the chain"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "has a wrong signature",
     "it is damaged, or an authority of the same name with another key signed it"},
    {X509_V_ERR_CERT_REVOKED, "was revoked, says ssl.crl.location",
     "renew it on the broker, and find out why it was revoked"},
    {X509_V_ERR_UNABLE_TO_GET_CRL,
     "cannot be looked up: its authority has no list in ssl.crl.location",
     "put a revocation list of each authority of the chain into that file"},
    {X509_V_ERR_CRL_HAS_EXPIRED, "cannot be looked up: the list of its authority is out of date",
     "fetch the authority's present revocation list into ssl.crl.location"},
    {X509_V_ERR_CRL_NOT_YET_VALID,
     "cannot be looked up: the list of its authority is not valid yet",
     "set this machine's clock right"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, "cannot be looked up: the list has a wrong signature",
     "fetch the authority's revocation list into ssl.crl.location again"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "has a key that is too short to be safe",
     "renew it with RSA 2048 bits or more, or an elliptic curve"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "has a key that is too short to be safe",
     "the authority must be renewed with RSA 2048 bits or more, or an elliptic curve"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "is signed with a hash that is too weak (MD5, SHA-1)",
     "issue it again, signed with SHA-256"},
    {X509_V_ERR_PERMITTED_VIOLATION, "has a name that its authority may not give (not permitted)",
     "the name constraints of the authority must permit it"},
    {X509_V_ERR_EXCLUDED_VIOLATION, "has a name that its authority may not give (excluded)",
     "the name constraints of the authority must not exclude it"},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, "has a critical extension that is not understood",
     "issue it without that extension, or not as critical"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "has too long a chain above it", "shorten the chain"},
};

static void tls_explain_dates(struct kw_tls_session *s, const char *whose, const X509 *x509,
                              bool expired)
{
    char date[32], now[32];
    struct tm tm;
    time_t clock = time(NULL);
    tls_asn1_time(expired ? X509_get0_notAfter(x509) : X509_get0_notBefore(x509), date,
                  sizeof(date));
    now[0] = 0;
    if (gmtime_r(&clock, &tm))
        tls_time_text(now, sizeof(now), &tm);
    kwi_fmt(s->text, sizeof(s->text), "%s %s %s UTC, our clock says %s", whose,
            expired ? "expired on" : "is valid only from", date, now);
    kwi_fmt(s->hint, sizeof(s->hint), "%s",
            expired ? "renew it on the broker, or set this machine's clock right"
                    : "wait until then, or set the clock right, here or where it was issued");
}

static void tls_explain_name(struct kw_tls_session *s, const X509 *x509)
{
    char names[72];
    tls_alternative_names(x509, names, sizeof(names));
    if (names[0]) {
        kwi_fmt(s->text, sizeof(s->text), "the broker's certificate is not for %.*s, but for %s",
                48, s->name, names);
        kwi_fmt(
            s->hint, sizeof(s->hint), "%s",
            "use one of its names in bootstrap.servers and advertised.listeners, or issue it anew");
        return;
    }
    kwi_fmt(s->text, sizeof(s->text),
            "the broker's certificate is not for %.*s: it has no alternative names", 48, s->name);
    kwi_fmt(s->hint, sizeof(s->hint), "%s",
            "issue it with subjectAltName=DNS:name or IP:address; the common name does not count");
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
    const struct tls_reason *row = tls_find_reason(
        tls_verify_rows, sizeof(tls_verify_rows) / sizeof(tls_verify_rows[0]), reason);
    tls_common_name(x509 ? X509_get_subject_name(x509) : NULL, name, sizeof(name));
    if (X509_STORE_CTX_get_error_depth(store) == 0)
        kwi_fmt(whose, sizeof(whose), "the broker's certificate");
    else
        kwi_fmt(whose, sizeof(whose), "the certificate of the authority '%s'", name);
    s->code = KW_ERR_AUTH;
    if (x509 &&
        (reason == X509_V_ERR_CERT_HAS_EXPIRED || reason == X509_V_ERR_CERT_NOT_YET_VALID)) {
        tls_explain_dates(s, whose, x509, reason == X509_V_ERR_CERT_HAS_EXPIRED);
    } else if (x509 && (reason == X509_V_ERR_HOSTNAME_MISMATCH ||
                        reason == X509_V_ERR_IP_ADDRESS_MISMATCH)) {
        tls_explain_name(s, x509);
    } else {
        kwi_fmt(s->text, sizeof(s->text), "%s %s", whose,
                row ? row->text : X509_verify_cert_error_string(reason));
        kwi_fmt(s->hint, sizeof(s->hint), "%s", row ? row->hint : "");
    }
    return 0;
}

/* ---- what the broker complained of ----------------------------------------------------- */

/* Alerts that came in, by number (RFC 8446, 6). Those that refuse us for good. */
static const struct tls_reason tls_alert_rows[] = {
    {40, "the broker refused: no common protocol or cipher suite, or a missing client certificate",
     "compare ssl.enabled.protocols and ssl.cipher.suites with the broker's"},
    {42, "the broker refused our certificate as bad",
     "does the broker's truststore have its authority, and may it be used by clients?"},
    {43, "the broker does not support our certificate's kind",
     "issue it with another key, and with extendedKeyUsage=clientAuth"},
    {44, "the broker says that our certificate was revoked", "renew the client's certificate"},
    {45, "the broker says that our certificate has expired",
     "renew the client's certificate, or set the broker's clock right"},
    {46, "the broker could not accept our certificate",
     "the broker's log says why; often its truststore lacks the authority"},
    {48, "the broker does not know the authority of our certificate",
     "put that authority into the broker's ssl.truststore.location"},
    {49, "the broker denied us access", "the broker's log says why"},
    {51, "the broker could not verify our signature", "is the key that of the certificate?"},
    {70, "the broker wants another TLS version than we allow",
     "compare ssl.enabled.protocols with the broker's; it must offer TLS 1.2 or 1.3"},
    {71, "the broker wants stronger ciphers than we allow",
     "compare ssl.cipher.suites with the broker's"},
    {112, "the broker does not know the host name that we asked for",
     "compare bootstrap.servers with the names of the broker's certificate"},
    {116, "the broker wants a client certificate", "set ssl.keystore.location"},
};

static const struct tls_reason tls_local_rows[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the answer is not TLS: this is a plaintext listener",
     "use the port of a TLS listener, or set security.protocol to what this one has"},
    {SSL_R_HTTP_REQUEST, "the answer is not TLS but HTTP", "check the address and the port"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the broker wants another TLS version than we allow",
     "compare ssl.enabled.protocols with the broker's; it must offer TLS 1.2 or 1.3"},
    {SSL_R_WRONG_SSL_VERSION, "the broker wants another TLS version than we allow",
     "compare ssl.enabled.protocols with the broker's; it must offer TLS 1.2 or 1.3"},
    {SSL_R_NO_CIPHERS_AVAILABLE, "no cipher suite is left that could be used",
     "compare ssl.cipher.suites with ssl.enabled.protocols"},
    {SSL_R_WRONG_CIPHER_RETURNED, "the broker chose a cipher suite that we do not allow",
     "compare ssl.cipher.suites with the broker's"},
    {SSL_R_DH_KEY_TOO_SMALL, "the broker's Diffie-Hellman key is too short to be safe",
     "let the broker use ECDHE suites"},
    {SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, "the broker lacks secure renegotiation (RFC 5746)",
     "update the broker's Java"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no signature algorithm fits both sides",
     "renew the certificate with RSA 2048 or an elliptic curve, signed with SHA-256"},
    {SSL_R_WRONG_SIGNATURE_TYPE, "the broker signed with an algorithm that we do not allow",
     "renew its certificate with RSA 2048 or an elliptic curve, signed with SHA-256"},
};

static void tls_explain_alert(struct kw_tls_session *s, int alert)
{
    const struct tls_reason *row =
        tls_find_reason(tls_alert_rows, sizeof(tls_alert_rows) / sizeof(tls_alert_rows[0]), alert);
    if (s->asked && !s->tls->has_certificate && (alert == 40 || alert == 42 || alert == 116)) {
        tls_say(s, KW_ERR_AUTH, "the broker wants a client certificate and got none",
                "set ssl.keystore.location, or ssl.certificate.location and ssl.key.location");
    } else if (row) {
        tls_say(s, KW_ERR_AUTH, row->text, row->hint);
    } else {
        tls_say(s, KW_ERR_PROTOCOL, "", "the broker's log says why");
        kwi_fmt(s->text, sizeof(s->text), "the broker ended TLS with alert %d (%s)", alert,
                SSL_alert_desc_string_long(alert));
    }
}

void kwi_tls_explain(struct kw_tls_session *s)
{
    unsigned long e = ERR_peek_last_error();
    int reason = ERR_GET_REASON(e);
    const struct tls_reason *row =
        tls_find_reason(tls_local_rows, sizeof(tls_local_rows) / sizeof(tls_local_rows[0]), reason);
    const char *words = ERR_reason_error_string(e);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && s->text[0]) {
        /* kwi_tls_on_verify has said it. */
    } else if (reason == ERR_R_MALLOC_FAILURE) {
        tls_say(s, KW_ERR_NOMEM, "out of memory", "");
    } else if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
               reason <= SSL_AD_REASON_OFFSET + 255) {
        tls_explain_alert(s, reason - SSL_AD_REASON_OFFSET);
    } else if (row) {
        tls_say(s, KW_ERR_AUTH, row->text, row->hint);
    } else {
        tls_say(s, KW_ERR_PROTOCOL, "", "");
        kwi_fmt(s->text, sizeof(s->text), "TLS failed: %s", words ? words : "unknown reason");
    }
    ERR_clear_error();
}

void kwi_tls_explain_end(struct kw_tls_session *s)
{
    if (!s->is_up)
        tls_say(s, KW_ERR_PROTOCOL, "the peer closed the connection during the TLS handshake",
                "is it a TLS listener? check the port and security.protocol");
    else if (s->asked && !s->tls->has_certificate && !s->has_data)
        tls_say(s, KW_ERR_PROTOCOL,
                "the broker asked for a client certificate, got none, and closed the connection",
                "set ssl.keystore.location, or ssl.certificate.location and ssl.key.location");
    else
        tls_say(s, KW_ERR_PROTOCOL,
                "the connection was cut: it ended without the goodbye of TLS (close_notify)", "");
    ERR_clear_error();
}
