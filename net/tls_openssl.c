/* net/tls_openssl.c -- the context: what may be negotiated, and what is verified.
 * See tls_openssl.h for the files beside it.
 *
 * Security level 2 of OpenSSL holds whatever the system's openssl.cnf says: keys
 * of at least 112 bits, no SHA-1 in signatures. */
#include "net/tls_openssl.h"
#include "base/fmt.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { TLS_SECURITY_LEVEL = 2, TLS_SUITE_NAME = 64 };

const char *kwi_tls_backend(void)
{
    return "openssl";
}

int kwi_tls_refuse_why(struct kw_error *err, enum kw_key key, const char *rule, const char *remedy)
{
    char text[KWI_TLS_TEXT];
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    kwi_fmt(text, sizeof(text), "%s%s%s%s", rule, reason ? " (" : "", reason ? reason : "",
            reason ? ")" : "");
    ERR_clear_error();
    return kwi_tls_refuse(err, key, text, remedy);
}

/* ---- cipher suites ------------------------------------------------------------ */

/* The lists that OpenSSL wants: suites of TLS 1.3 have a setting of their own. */
struct tls_suites {
    char old[2048], new[512];
    size_t n_old, n_new;
};

/* Names of one suite each. An expression such as ALL or @SECLEVEL=0 is none, and
 * could let in what has no encryption. */
static bool tls_suite_is_known(SSL_CTX *ctx, const char *name)
{
    STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(ctx);
    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(list, i)), name) == 0)
            return true;
    }
    return false;
}

static bool tls_suite_add(char *list, size_t cap, size_t *n, const char *name)
{
    size_t used = strlen(list), len = strlen(name);
    if (used + len + 2 > cap)
        return false;
    if (*n > 0)
        list[used++] = ':';
    memcpy(list + used, name, len + 1);
    *n += 1;
    return true;
}

static bool tls_suite_take(SSL_CTX *ctx, struct tls_suites *suites, const char *name)
{
    const char *own = name;
    if (strncmp(name, "TLS_", 4) == 0 && strstr(name, "_WITH_"))
        own = OPENSSL_cipher_name(name);
    if (!own || !tls_suite_is_known(ctx, own))
        return false;
    if (strncmp(own, "TLS_", 4) == 0)
        return tls_suite_add(suites->new, sizeof(suites->new), &suites->n_new, own);
    return tls_suite_add(suites->old, sizeof(suites->old), &suites->n_old, own);
}

/* Splits at commas, colons and spaces. */
static int tls_suites_read(SSL_CTX *ctx, struct tls_suites *suites, const char *text,
                           struct kw_error *err)
{
    static const char between[] = ",: ";
    while (*(text += strspn(text, between))) {
        char name[TLS_SUITE_NAME], rule[KWI_TLS_TEXT];
        size_t len = strcspn(text, between);
        size_t kept = len < sizeof(name) ? len : sizeof(name) - 1;
        memcpy(name, text, kept);
        name[kept] = 0;
        if (len >= sizeof(name) || !tls_suite_take(ctx, suites, name)) {
            kwi_fmt(rule, sizeof(rule), "%s is no cipher suite that this build allows", name);
            return kwi_tls_refuse(err, KW_KEY_SSL_CIPHER_SUITES, rule,
                                  "openssl ciphers -stdname -s lists them; leave the key out for "
                                  "the usual ones");
        }
        text += len;
    }
    return 0;
}

static int tls_set_suites(SSL_CTX *ctx, const struct kw_config *cfg, struct kw_error *err)
{
    struct tls_suites suites = {{0}, {0}, 0, 0};
    const char *text = kw_config_text(cfg, KW_KEY_SSL_CIPHER_SUITES);
    if (!text || !*text)
        return 0;
    int rc = tls_suites_read(ctx, &suites, text, err);
    if (rc != 0)
        return rc;
    if (suites.n_old == 0 && suites.n_new == 0)
        return kwi_tls_refuse(err, KW_KEY_SSL_CIPHER_SUITES, "no suite is named",
                              "name at least one, or leave the key out");
    if (suites.n_new == 0)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    if (suites.n_old == 0)
        SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    if (SSL_CTX_get_max_proto_version(ctx) < SSL_CTX_get_min_proto_version(ctx))
        return kwi_tls_refuse(err, KW_KEY_SSL_CIPHER_SUITES,
                              "none of the suites is one of the protocols in "
                              "ssl.enabled.protocols",
                              "name a suite of that protocol; TLS 1.3 has suites of its own");
    if ((suites.n_old > 0 && !SSL_CTX_set_cipher_list(ctx, suites.old)) ||
        (suites.n_new > 0 && !SSL_CTX_set_ciphersuites(ctx, suites.new)))
        return kwi_tls_refuse_why(err, KW_KEY_SSL_CIPHER_SUITES, "OpenSSL refuses the list", "");
    return 0;
}

/* ---- the context ---------------------------------------------------------------- */

/* Words of ssl.enabled.protocols, by number. */
static int tls_set_protocols(SSL_CTX *ctx, const struct kw_config *cfg)
{
    int64_t word = kw_config_number(cfg, KW_KEY_SSL_ENABLED_PROTOCOLS);
    int min = word == 2 ? TLS1_3_VERSION : TLS1_2_VERSION;
    int max = word == 3 ? TLS1_2_VERSION : TLS1_3_VERSION;
    return SSL_CTX_set_min_proto_version(ctx, min) && SSL_CTX_set_max_proto_version(ctx, max);
}

static int tls_on_certificate_wanted(SSL *ssl, void *arg)
{
    (void)arg;
    kwi_tls_of(ssl)->asked = true;
    return 1;
}

static void tls_set_rules(SSL_CTX *ctx)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    SSL_CTX_set_security_level(ctx, TLS_SECURITY_LEVEL);
    SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* A write that is tried again has the same bytes, perhaps elsewhere. */
    SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, kwi_tls_on_verify);
    /* The common name never counts, and a wildcard stands for a whole label. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    /* What the user lists as trusted is trusted, an intermediate authority too. */
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, kwi_tls_on_new_session);
    SSL_CTX_set_cert_cb(ctx, tls_on_certificate_wanted, NULL);
}

static int tls_fill(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    tls->method = kwi_tls_bio_method();
    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (!tls->method || !tls->ctx || !tls_set_protocols(tls->ctx, cfg))
        return KW_ERR_NOMEM;
    tls->check_name = kw_config_number(cfg, KW_KEY_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM) == 0;
    tls_set_rules(tls->ctx);
    int rc = tls_set_suites(tls->ctx, cfg, err);
    if (rc == 0)
        rc = kwi_tls_load_trust(tls, cfg, err);
    if (rc == 0)
        rc = kwi_tls_load_identity(tls, cfg, err);
    return rc;
}

int kwi_tls_create(struct kw_tls **out, const struct kw_config *cfg, struct kw_heap *heap,
                   struct kw_error *err)
{
    struct kw_tls *tls = kwi_alloc_zero(heap, sizeof(*tls));
    int rc = KW_ERR_NOMEM;
    *out = NULL;
    ERR_clear_error();
    if (tls) {
        tls->heap = heap;
        rc = tls_fill(tls, cfg, err);
    }
    if (rc == KW_ERR_NOMEM)
        rc = kwi_tls_no_memory(err);
    if (rc != 0)
        kwi_tls_destroy(tls);
    else
        *out = tls;
    return rc;
}

void kwi_tls_destroy(struct kw_tls *tls)
{
    if (!tls)
        return;
    for (unsigned i = 0; i < KWI_TLS_SESSIONS; i++)
        SSL_SESSION_free(tls->kept[i].session);
    SSL_CTX_free(tls->ctx);
    BIO_meth_free(tls->method);
    kwi_free(tls->heap, tls, sizeof(*tls));
}
