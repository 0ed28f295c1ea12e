/* net/tls_mbedtls_check.c -- is the broker who it should be? mbedTLS checks signatures,
 * dates, revocation and the rights of authorities; what it leaves out is done here:
 *
 *   - the name: mbedTLS takes the common name where there are no others, and 2.28 knows
 *     no addresses;
 *   - the purpose of every certificate of the chain, not of the first alone;
 *   - a revocation list for each of them, not for those that happen to have one;
 *   - name constraints: it refuses a chain with critical ones, because it does not know
 *     them, and ignores the others; here those are refused too.
 *
 * It calls for each certificate, the trusted one first and the broker's last; then the
 * whole is judged. Nothing that mbedTLS refuses is ever let in, but a name. */
#include "net/tls_mbedtls.h"
#include "base/fmt.h"
#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <string.h>

const mbedtls_x509_crt_profile kwi_tls_profile = {
    MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA224) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    0xFFFFFFF, /* any kind of key, */
    MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP224R1) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_BP256R1) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_BP384R1) | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_BP512R1),
    2048, /* but bits of RSA */
};

static bool check_same(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

/* ---- names -------------------------------------------------------------------------- */

enum { CHECK_DNS = 2, CHECK_IP = 7, CHECK_TAG = 0x1f }; /* of a GeneralName */

static bool check_name(const struct kw_tls_session *s, const mbedtls_x509_crt *crt)
{
    uint8_t ip[16];
    size_t len = kwi_tls_address(s->name, ip);
    for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at; at = at->next) {
        int kind = at->buf.tag & CHECK_TAG;
        if (!at->buf.p)
            continue;
        if (len == 0 && kind == CHECK_DNS && kwi_tls_name_fits(s->name, at->buf.p, at->buf.len))
            return true;
        if (len > 0 && kind == CHECK_IP && at->buf.len == len && memcmp(at->buf.p, ip, len) == 0)
            return true;
    }
    return false;
}

void kwi_tls_alternative_names(const mbedtls_x509_crt *crt, char *names, size_t cap)
{
    bool room = true;
    names[0] = 0;
    for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at && room; at = at->next) {
        if (at->buf.p && (at->buf.tag & CHECK_TAG) == CHECK_DNS)
            room = kwi_tls_append_name(names, cap, at->buf.p, at->buf.len);
        else if (at->buf.p && (at->buf.tag & CHECK_TAG) == CHECK_IP)
            room = kwi_tls_append_ip(names, cap, at->buf.p, at->buf.len);
    }
}

static void check_tell_names(struct kw_tls_session *s, const mbedtls_x509_crt *crt)
{
    char names[72];
    kwi_tls_alternative_names(crt, names, sizeof(names));
    kwi_tls_words_names(&s->why, s->name, names);
}

/* The common name, else "without a name". */
void kwi_tls_common_name(const mbedtls_x509_name *name, char *buf, size_t cap)
{
    buf[0] = 0;
    for (const mbedtls_x509_name *at = name; at && !buf[0]; at = at->next) {
        if (at->oid.len == MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN) &&
            memcmp(at->oid.p, MBEDTLS_OID_AT_CN, at->oid.len) == 0)
            kwi_tls_append(buf, cap, at->val.p, at->val.len);
    }
    if (!buf[0])
        kwi_fmt(buf, cap, "without a name");
}

/* ---- one certificate ------------------------------------------------------------------ */

/* Extended key usage, where there is one, must have serverAuth. */
static bool check_purpose(const mbedtls_x509_crt *crt)
{
    const mbedtls_x509_sequence *at = &crt->ext_key_usage;
    if (!at->buf.p)
        return true;
    for (; at; at = at->next) {
        if (at->buf.len == MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH) &&
            memcmp(at->buf.p, MBEDTLS_OID_SERVER_AUTH, at->buf.len) == 0)
            return true;
    }
    return false;
}

/* Is there an extension with this number? The list was parsed by mbedTLS before. */
static bool check_has_extension(const mbedtls_x509_crt *crt, const char *oid, size_t oid_len)
{
    const int sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    uint8_t *p = crt->v3_ext.p, *end = p ? p + crt->v3_ext.len : NULL;
    size_t len;
    if (!p || mbedtls_asn1_get_tag(&p, end, &len, sequence) != 0)
        return false;
    while (p < end) {
        if (mbedtls_asn1_get_tag(&p, end, &len, sequence) != 0)
            return true; /* cannot be; and then it is not known to be absent */
        uint8_t *next = p + len;
        if (mbedtls_asn1_get_tag(&p, next, &len, MBEDTLS_ASN1_OID) != 0)
            return true;
        if (len == oid_len && memcmp(p, oid, len) == 0)
            return true;
        p = next;
    }
    return false;
}

static bool check_has_crl(const struct kw_tls *tls, const mbedtls_x509_crt *crt)
{
    for (const mbedtls_x509_crl *crl = &tls->crls; crl; crl = crl->next) {
        if (crl->version != 0 && check_same(&crl->issuer_raw, &crt->issuer_raw))
            return true;
    }
    return false;
}

/* ---- why nobody stands behind it -------------------------------------------------------- */

/* Why is `parent` not taken as the issuer of the certificate at that depth? */
static int check_parent(const mbedtls_x509_crt *parent, unsigned depth)
{
    int most = parent->MBEDTLS_PRIVATE(max_pathlen); /* one more than the standard counts */
    if (!parent->MBEDTLS_PRIVATE(ca_istrue))
        return KWI_FLAW_NO_AUTHORITY;
    if (mbedtls_x509_crt_check_key_usage(parent, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0)
        return KWI_FLAW_NO_CERT_SIGN;
    if (most > 0 && (unsigned)most < 1 + depth)
        return KWI_FLAW_PATH_LENGTH;
    return KWI_FLAW_SIGNATURE;
}

static void check_tell(struct kw_tls_session *s, enum kwi_tls_flaw flaw, unsigned depth,
                       const mbedtls_x509_crt *crt)
{
    char name[48], whose[96];
    kwi_tls_common_name(&crt->subject, name, sizeof(name));
    kwi_tls_words_whose(whose, sizeof(whose), depth, name);
    kwi_tls_words_flaw(&s->why, flaw, whose);
}

/* Among these, which are trusted or came from the broker, is there one with the name of
 * its issuer? Says what is wrong with that one. */
static bool check_tell_parent(struct kw_tls_session *s, const mbedtls_x509_crt *among,
                              unsigned depth)
{
    const mbedtls_x509_crt *crt = s->chain[depth].crt;
    for (; among; among = among->next) {
        if (among == crt || !among->raw.p || !check_same(&among->subject_raw, &crt->issuer_raw) ||
            check_same(&among->raw, &crt->raw))
            continue;
        int flaw = check_parent(among, depth);
        if (flaw == KWI_FLAW_SIGNATURE)
            check_tell(s, KWI_FLAW_SIGNATURE, depth, crt);
        else
            check_tell(s, (enum kwi_tls_flaw)flaw, depth + 1, among);
        return true;
    }
    return false;
}

static void check_tell_untrusted(struct kw_tls_session *s, unsigned depth)
{
    const mbedtls_x509_crt *crt = s->chain[depth].crt;
    if (check_tell_parent(s, &s->tls->trusted, depth) ||
        check_tell_parent(s, s->chain[0].crt, depth))
        return;
    if (!check_same(&crt->subject_raw, &crt->issuer_raw))
        check_tell(s, KWI_FLAW_ISSUER_LOCAL, depth, crt);
    else
        check_tell(s, depth == 0 ? KWI_FLAW_SELF_SIGNED : KWI_FLAW_ROOT_UNKNOWN, depth, crt);
}

/* ---- the whole chain -------------------------------------------------------------------- */

static void check_tell_date(struct kw_tls_session *s, unsigned depth, bool expired)
{
    const mbedtls_x509_crt *crt = s->chain[depth].crt;
    const mbedtls_x509_time *when = expired ? &crt->valid_to : &crt->valid_from;
    struct tm tm = {.tm_year = when->year - 1900,
                    .tm_mon = when->mon - 1,
                    .tm_mday = when->day,
                    .tm_hour = when->hour,
                    .tm_min = when->min,
                    .tm_sec = when->sec};
    char name[48], whose[96];
    kwi_tls_common_name(&crt->subject, name, sizeof(name));
    kwi_tls_words_whose(whose, sizeof(whose), depth, name);
    kwi_tls_words_dates(&s->why, whose, expired, &tm);
}

/* What mbedTLS found, the most telling first. */
static const struct {
    uint32_t flag;
    enum kwi_tls_flaw flaw;
} check_rows[] = {
    {MBEDTLS_X509_BADCERT_REVOKED, KWI_FLAW_REVOKED},
    {MBEDTLS_X509_BADCRL_EXPIRED, KWI_FLAW_CRL_OLD},
    {MBEDTLS_X509_BADCRL_FUTURE, KWI_FLAW_CRL_EARLY},
    {MBEDTLS_X509_BADCRL_NOT_TRUSTED, KWI_FLAW_CRL_SIGNATURE},
    {MBEDTLS_X509_BADCRL_BAD_MD, KWI_FLAW_CRL_SIGNATURE},
    {MBEDTLS_X509_BADCRL_BAD_PK, KWI_FLAW_CRL_SIGNATURE},
    {MBEDTLS_X509_BADCRL_BAD_KEY, KWI_FLAW_CRL_SIGNATURE},
    {MBEDTLS_X509_BADCERT_BAD_MD, KWI_FLAW_HASH_WEAK},
    {MBEDTLS_X509_BADCERT_BAD_PK, KWI_FLAW_KEY_SHORT},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, KWI_FLAW_KEY_USAGE},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, KWI_FLAW_PURPOSE},
    {MBEDTLS_X509_BADCERT_BAD_KEY, KWI_FLAW_KEY_SHORT},
};

/* Adds what only this file looks for. is_top: nothing is above it. */
static bool check_link(struct kw_tls_session *s, unsigned depth, bool is_top)
{
    const struct kw_tls_link *link = &s->chain[depth];
    const mbedtls_x509_crt *crt = link->crt;
    if (kwi_tls_key_is_short(&crt->pk))
        check_tell(s, depth == 0 ? KWI_FLAW_KEY_SHORT : KWI_FLAW_AUTHORITY_KEY_SHORT, depth, crt);
    else if (!check_purpose(crt))
        check_tell(s, KWI_FLAW_PURPOSE, depth, crt);
    else if (depth > 0 && check_has_extension(crt, MBEDTLS_OID_NAME_CONSTRAINTS,
                                              MBEDTLS_OID_SIZE(MBEDTLS_OID_NAME_CONSTRAINTS)))
        check_tell(s, KWI_FLAW_CONSTRAINTS, depth, crt);
    else if (s->tls->has_crls && !is_top && !check_has_crl(s->tls, crt))
        check_tell(s, KWI_FLAW_CRL_ABSENT, depth, crt);
    else
        return true;
    return false;
}

/* Is there nothing against the certificate at that depth? Else says what. */
static bool check_is_good(struct kw_tls_session *s, unsigned depth, bool is_top)
{
    const struct kw_tls_link *link = &s->chain[depth];
    uint32_t flags = link->flags & ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) {
        check_tell_untrusted(s, depth);
        return false;
    }
    if (flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) {
        check_tell_date(s, depth, flags & MBEDTLS_X509_BADCERT_EXPIRED);
        return false;
    }
    if (!check_link(s, depth, is_top))
        return false;
    for (size_t i = 0; i < sizeof(check_rows) / sizeof(check_rows[0]); i++) {
        if (flags & check_rows[i].flag) {
            check_tell(s, check_rows[i].flaw, depth, link->crt);
            return false;
        }
    }
    if (flags == 0)
        return true;
    kwi_tls_words(&s->why, KW_ERR_AUTH, "", "");
    kwi_fmt(s->why.text, sizeof(s->why.text), "mbedTLS refuses the broker's certificate (flags %x)",
            (unsigned)flags);
    return false;
}

/* Looks from the top down, so that what an authority lacks is not put down to those
 * below it. */
static bool check_chain(struct kw_tls_session *s)
{
    unsigned top = 0;
    while (top + 1 < KWI_TLS_CHAIN && s->chain[top + 1].crt)
        top++;
    for (unsigned depth = top + 1; depth-- > 0;) {
        if (!check_is_good(s, depth, depth == top))
            return false;
    }
    s->until = s->chain[0].crt->valid_to;
    if (!s->tls->check_name || check_name(s, s->chain[0].crt))
        return true;
    check_tell_names(s, s->chain[0].crt);
    return false;
}

int kwi_tls_on_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct kw_tls_session *s = ctx;
    if (depth < 0 || depth >= KWI_TLS_CHAIN)
        return MBEDTLS_ERR_X509_FATAL_ERROR;
    s->chain[depth] = (struct kw_tls_link){crt, *flags};
    if (depth > 0)
        return 0;
    bool good = check_chain(s);
    memset(s->chain, 0, sizeof(s->chain)); /* the certificates do not live on */
    /* The name was looked at here; nothing else that mbedTLS found is taken back. */
    *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (!good && *flags == 0)
        *flags = MBEDTLS_X509_BADCERT_OTHER;
    return 0;
}
