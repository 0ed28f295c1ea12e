/* net/tls_words.c -- see tls_words.h. */
#include "net/tls_words.h"
#include "base/fmt.h"
#include <arpa/inet.h>
#include <string.h>

struct words_row {
    const char *text, *hint;
};

void kwi_tls_words(struct kw_tls_why *why, int code, const char *text, const char *hint)
{
    why->code = code;
    kwi_fmt(why->text, sizeof(why->text), "%s", text);
    kwi_fmt(why->hint, sizeof(why->hint), "%s", hint);
}

/* ---- certificates ------------------------------------------------------------------ */

/* Each text follows "the broker's certificate" or "the certificate of ...". */
static const struct words_row words_flaws[KWI_FLAWS] = {
    [KWI_FLAW_SELF_SIGNED] =
        {"is self-signed and not among the trusted ones",
         "put it into ssl.ca.location if it is the broker's, or have an authority sign it"},
    [KWI_FLAW_ROOT_UNKNOWN] =
        {"is not among the trusted ones",
         "put that authority's certificate into ssl.ca.location, if you trust it"},
    [KWI_FLAW_ISSUER_LOCAL] =
        {"was issued by nobody that is trusted or known",
         "ssl.ca.location must have the authority, and the broker send those in between"},
    [KWI_FLAW_ISSUER_ABSENT] =
        {"was issued by an authority that is not at hand",
         "ssl.ca.location must have the authority, and the broker send those in between"},
    [KWI_FLAW_ALONE] =
        {"came alone, and nobody trusted has signed it",
         "ssl.ca.location must have the authority, and the broker send those in between"},
    [KWI_FLAW_PURPOSE] = {"is not meant for a server (its extended key usage)",
                          "issue it with extendedKeyUsage=serverAuth"},
    [KWI_FLAW_NO_AUTHORITY] = {"signed another one and may not (no authority: basicConstraints)",
                               "the chain must consist of authorities: CA:TRUE"},
    [KWI_FLAW_NO_CERT_SIGN] = {"signed another one and may not (its key usage)",
                               "issue the authority with keyUsage=keyCertSign"},
    [KWI_FLAW_PATH_LENGTH] = {"allows fewer authorities below it than the chain has",
                              "issue it with a larger pathlen, or shorten the chain"},
    [KWI_FLAW_SIGNATURE] =
        {"has a wrong signature",
         "it is damaged, or an authority of the same name with another key signed it"},
    [KWI_FLAW_REVOKED] = {"was revoked, says ssl.crl.location",
                          "renew it on the broker, and find out why it was revoked"},
    [KWI_FLAW_CRL_ABSENT] = {"cannot be looked up: its authority has no list in ssl.crl.location",
                             "put a revocation list of each authority of the chain into that file"},
    [KWI_FLAW_CRL_OLD] = {"cannot be looked up: the list of its authority is out of date",
                          "fetch the authority's present revocation list into ssl.crl.location"},
    [KWI_FLAW_CRL_EARLY] = {"cannot be looked up: the list of its authority is not valid yet",
                            "set this machine's clock right"},
    [KWI_FLAW_CRL_SIGNATURE] =
        {"cannot be looked up: the list has a wrong signature",
         "fetch the authority's revocation list into ssl.crl.location again"},
    [KWI_FLAW_KEY_SHORT] = {"has a key that is too short to be safe",
                            "renew it with RSA 2048 bits or more, or an elliptic curve"},
    [KWI_FLAW_AUTHORITY_KEY_SHORT] =
        {"has a key that is too short to be safe",
         "the authority must be renewed with RSA 2048 bits or more, or an elliptic curve"},
    [KWI_FLAW_HASH_WEAK] = {"is signed with a hash that is too weak (MD5, SHA-1)",
                            "issue it again, signed with SHA-256"},
    [KWI_FLAW_NOT_PERMITTED] = {"has a name that its authority may not give (not permitted)",
                                "the name constraints of the authority must permit it"},
    [KWI_FLAW_EXCLUDED] = {"has a name that its authority may not give (excluded)",
                           "the name constraints of the authority must not exclude it"},
    [KWI_FLAW_EXTENSION] = {"has a critical extension that is not understood",
                            "issue it without that extension, or not as critical"},
    [KWI_FLAW_CHAIN_LONG] = {"has too long a chain above it", "shorten the chain"},
    [KWI_FLAW_KEY_USAGE] = {"is not meant for a server (its key usage)",
                            "issue it with keyUsage=digitalSignature"},
    [KWI_FLAW_CONSTRAINTS] =
        {"has name constraints, which mbedTLS cannot check",
         "use a build with OpenSSL (WITH_TLS=openssl), or an authority without name constraints"},
};

void kwi_tls_words_flaw(struct kw_tls_why *why, enum kwi_tls_flaw flaw, const char *whose)
{
    why->code = KW_ERR_AUTH;
    kwi_fmt(why->text, sizeof(why->text), "%s %s", whose, words_flaws[flaw].text);
    kwi_fmt(why->hint, sizeof(why->hint), "%s", words_flaws[flaw].hint);
}

static void words_time(char *buf, size_t cap, const struct tm *tm)
{
    if (strftime(buf, cap, "%Y-%m-%d %H:%M", tm) == 0)
        buf[0] = 0;
}

void kwi_tls_words_dates(struct kw_tls_why *why, const char *whose, bool expired,
                         const struct tm *when)
{
    char date[32], now[32] = "";
    struct tm tm;
    time_t clock = time(NULL);
    words_time(date, sizeof(date), when);
    if (gmtime_r(&clock, &tm))
        words_time(now, sizeof(now), &tm);
    why->code = KW_ERR_AUTH;
    kwi_fmt(why->text, sizeof(why->text), "%s %s %s UTC, our clock says %s", whose,
            expired ? "expired on" : "is valid only from", date, now);
    kwi_fmt(why->hint, sizeof(why->hint), "%s",
            expired ? "renew it on the broker, or set this machine's clock right"
                    : "wait until then, or set the clock right, here or where it was issued");
}

void kwi_tls_words_names(struct kw_tls_why *why, const char *name, const char *names)
{
    why->code = KW_ERR_AUTH;
    if (names[0]) {
        kwi_fmt(why->text, sizeof(why->text),
                "the broker's certificate is not for %.*s, but for %s", 48, name, names);
        kwi_fmt(
            why->hint, sizeof(why->hint), "%s",
            "use one of its names in bootstrap.servers and advertised.listeners, or issue it anew");
        return;
    }
    kwi_fmt(why->text, sizeof(why->text),
            "the broker's certificate is not for %.*s: it has no alternative names", 48, name);
    kwi_fmt(why->hint, sizeof(why->hint), "%s",
            "issue it with subjectAltName=DNS:name or IP:address; the common name does not count");
}

void kwi_tls_append(char *buf, size_t cap, const void *ptr, size_t len)
{
    const unsigned char *from = ptr;
    size_t used = strlen(buf);
    for (size_t i = 0; i < len && used + 1 < cap; i++)
        buf[used++] = (char)(from[i] >= ' ' && from[i] < 127 && from[i] != '\'' ? from[i] : '?');
    buf[used] = 0;
}

bool kwi_tls_append_name(char *buf, size_t cap, const void *ptr, size_t len)
{
    if (strlen(buf) + 24 > cap) {
        kwi_tls_append(buf, cap, ", ...", 5);
        return false;
    }
    if (buf[0])
        kwi_tls_append(buf, cap, ", ", 2);
    kwi_tls_append(buf, cap, ptr, len);
    return true;
}

bool kwi_tls_append_ip(char *buf, size_t cap, const void *ptr, size_t len)
{
    char ip[INET6_ADDRSTRLEN];
    if ((len != 4 && len != 16) || !inet_ntop(len == 4 ? AF_INET : AF_INET6, ptr, ip, sizeof(ip)))
        return true;
    return kwi_tls_append_name(buf, cap, ip, strlen(ip));
}

void kwi_tls_words_whose(char *buf, size_t cap, unsigned depth, const char *name)
{
    if (depth == 0)
        kwi_fmt(buf, cap, "the broker's certificate");
    else
        kwi_fmt(buf, cap, "the certificate of the authority '%s'", name);
}

/* ---- what else this side finds ------------------------------------------------------ */

static const struct words_row words_troubles[KWI_TROUBLES] = {
    [KWI_TROUBLE_PLAIN] =
        {"the answer is not TLS: this is a plaintext listener",
         "use the port of a TLS listener, or set security.protocol to what this one has"},
    [KWI_TROUBLE_HTTP] = {"the answer is not TLS but HTTP", "check the address and the port"},
    [KWI_TROUBLE_VERSION] =
        {"the broker wants another TLS version than we allow",
         "compare ssl.enabled.protocols with the broker's; it must offer TLS 1.2 or 1.3"},
    [KWI_TROUBLE_NO_SUITE] = {"no cipher suite is left that could be used",
                              "compare ssl.cipher.suites with ssl.enabled.protocols"},
    [KWI_TROUBLE_OTHER_SUITE] = {"the broker chose a cipher suite that we do not allow",
                                 "compare ssl.cipher.suites with the broker's"},
    [KWI_TROUBLE_DH] = {"the broker's Diffie-Hellman key is too short to be safe",
                        "let the broker use ECDHE suites"},
    [KWI_TROUBLE_RENEGOTIATION] = {"the broker lacks secure renegotiation (RFC 5746)",
                                   "update the broker's Java"},
    [KWI_TROUBLE_NO_SIGNATURE] =
        {"no signature algorithm fits both sides",
         "renew the certificate with RSA 2048 or an elliptic curve, signed with SHA-256"},
    [KWI_TROUBLE_SIGNATURE] =
        {"the broker signed with an algorithm that we do not allow",
         "renew its certificate with RSA 2048 or an elliptic curve, signed with SHA-256"},
};

void kwi_tls_words_trouble(struct kw_tls_why *why, enum kwi_tls_trouble trouble)
{
    kwi_tls_words(why, KW_ERR_AUTH, words_troubles[trouble].text, words_troubles[trouble].hint);
}

/* ---- what the broker complained of --------------------------------------------------- */

/* Alerts that came in, by number (RFC 8446, 6). Those that refuse us for good. */
static const struct words_alert {
    int alert;
    const char *text, *hint;
} words_alerts[] = {
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

void kwi_tls_words_alert(struct kw_tls_why *why, int alert, const char *words, bool got_none)
{
    const size_t n = sizeof(words_alerts) / sizeof(words_alerts[0]);
    size_t i = 0;
    while (i < n && words_alerts[i].alert != alert)
        i++;
    if (got_none && (alert == 40 || alert == 42 || alert == 116)) {
        kwi_tls_words(
            why, KW_ERR_AUTH, "the broker wants a client certificate and got none",
            "set ssl.keystore.location, or ssl.certificate.location and ssl.key.location");
    } else if (i < n) {
        kwi_tls_words(why, KW_ERR_AUTH, words_alerts[i].text, words_alerts[i].hint);
    } else {
        kwi_tls_words(why, KW_ERR_PROTOCOL, "", "the broker's log says why");
        kwi_fmt(why->text, sizeof(why->text), "the broker ended TLS with alert %d (%s)", alert,
                words);
    }
}

void kwi_tls_words_end(struct kw_tls_why *why, bool is_up, bool got_none)
{
    if (!is_up)
        kwi_tls_words(why, KW_ERR_PROTOCOL,
                      "the peer closed the connection during the TLS handshake",
                      "is it a TLS listener? check the port and security.protocol");
    else if (got_none)
        kwi_tls_words(
            why, KW_ERR_PROTOCOL,
            "the broker asked for a client certificate, got none, and closed the connection",
            "set ssl.keystore.location, or ssl.certificate.location and ssl.key.location");
    else
        kwi_tls_words(why, KW_ERR_PROTOCOL,
                      "the connection was cut: it ended without the goodbye of TLS (close_notify)",
                      "");
}
