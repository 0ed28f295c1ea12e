/* net/tls_mbedtls.c -- the context: what may be negotiated, and what is verified.
 * See tls_mbedtls.h for the files beside it.
 *
 * The same rules as with OpenSSL's security level 2: keys of at least 112 bits, no
 * SHA-1 in signatures; and suites whose keys are of one connection only (ECDHE, DHE). */
#include "net/tls_mbedtls.h"
#include "base/fmt.h"
#include <mbedtls/error.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <string.h>

enum { TLS_SUITE_NAME = 64, TLS_DH_BITS = 2048 };

const char *kwi_tls_backend(void)
{
    return "mbedtls";
}

int kwi_tls_refuse_why(struct kw_error *err, enum kw_key key, const char *rule, int code,
                       const char *remedy)
{
    char text[KWI_TLS_TEXT], words[KWI_TLS_HINT] = "";
    if (code != 0)
        mbedtls_strerror(code, words, sizeof(words));
    kwi_fmt(text, sizeof(text), "%s%s%s%s", rule, words[0] ? " (" : "", words, words[0] ? ")" : "");
    return kwi_tls_refuse(err, key, text, remedy);
}

/* ---- cipher suites ------------------------------------------------------------ */

/* Those that may be used, the best first: the number, the standard's name, OpenSSL's.
 * What a build of mbedTLS lacks is left out. */
static const struct tls_suite {
    uint16_t id;
    bool is_13;
    const char *name, *openssl;
} tls_suites[] = {
    {0x1301, true, "TLS_AES_128_GCM_SHA256", NULL},
    {0x1302, true, "TLS_AES_256_GCM_SHA384", NULL},
    {0x1303, true, "TLS_CHACHA20_POLY1305_SHA256", NULL},
    {0xc02c, false, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {0xc030, false, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {0x009f, false, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384"},
    {0xcca9, false, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {0xcca8, false, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {0xccaa, false, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "DHE-RSA-CHACHA20-POLY1305"},
    {0xc02b, false, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc02f, false, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {0x009e, false, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256"},
    {0xc0ad, false, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM", "ECDHE-ECDSA-AES256-CCM"},
    {0xc0ac, false, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "ECDHE-ECDSA-AES128-CCM"},
    {0xc024, false, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384"},
    {0xc028, false, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384"},
    {0x006b, false, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256"},
    {0xc023, false, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256"},
    {0xc027, false, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"},
    {0x0067, false, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256"},
    {0xc00a, false, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {0xc014, false, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {0xc009, false, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {0xc013, false, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
};
enum { TLS_N_SUITES = sizeof(tls_suites) / sizeof(tls_suites[0]) };
_Static_assert((size_t)TLS_N_SUITES <= (size_t)KWI_TLS_SUITES, "all of them fit");

static bool tls_suite_is_there(const struct tls_suite *suite)
{
    return suite->is_13 ? kwi_tls_v_has_13() : mbedtls_ssl_ciphersuite_from_id(suite->id) != NULL;
}

/* Which of them are used, and of which protocols they are. */
struct tls_choice {
    bool taken[TLS_N_SUITES];
    unsigned n_12, n_13;
};

static bool tls_suite_take(struct tls_choice *choice, const char *name)
{
    for (size_t i = 0; i < TLS_N_SUITES; i++) {
        const struct tls_suite *suite = &tls_suites[i];
        if (strcmp(suite->name, name) != 0 &&
            (!suite->openssl || strcmp(suite->openssl, name) != 0))
            continue;
        /* Suites of TLS 1.3 are known, though this library may lack it. */
        if (!suite->is_13 && !tls_suite_is_there(suite))
            return false;
        choice->taken[i] = true;
        choice->n_12 += !suite->is_13;
        choice->n_13 += suite->is_13;
        return true;
    }
    return false;
}

/* Splits at commas, colons and spaces. */
static int tls_suites_read(struct tls_choice *choice, const char *text, struct kw_error *err)
{
    static const char between[] = ",: ";
    while (*(text += strspn(text, between))) {
        char name[TLS_SUITE_NAME], rule[KWI_TLS_TEXT];
        size_t len = strcspn(text, between);
        size_t kept = len < sizeof(name) ? len : sizeof(name) - 1;
        memcpy(name, text, kept);
        name[kept] = 0;
        if (len >= sizeof(name) || !tls_suite_take(choice, name)) {
            kwi_fmt(rule, sizeof(rule), "%s is no cipher suite that this build allows", name);
            return kwi_tls_refuse(err, KW_KEY_SSL_CIPHER_SUITES, rule,
                                  "with mbedTLS it is ECDHE or DHE with AES or ChaCha20; leave the "
                                  "key out for the usual ones");
        }
        text += len;
    }
    if (choice->n_12 + choice->n_13 == 0)
        return kwi_tls_refuse(err, KW_KEY_SSL_CIPHER_SUITES, "no suite is named",
                              "name at least one, or leave the key out");
    return 0;
}

/* The suites that were named, or all, in the order of the table. */
static int tls_set_suites(struct kw_tls *tls, const struct kw_config *cfg, bool *min_13,
                          bool *max_12, struct kw_error *err)
{
    struct tls_choice choice = {0};
    const char *text = kw_config_text(cfg, KW_KEY_SSL_CIPHER_SUITES);
    bool named = text && *text;
    size_t n = 0;
    int rc = named ? tls_suites_read(&choice, text, err) : 0;
    if (rc != 0)
        return rc;
    *max_12 = *max_12 || (named && choice.n_13 == 0);
    *min_13 = *min_13 || (named && choice.n_12 == 0);
    if (*min_13 && *max_12)
        return kwi_tls_refuse(err, KW_KEY_SSL_CIPHER_SUITES,
                              "none of the suites is one of the protocols in "
                              "ssl.enabled.protocols",
                              "name a suite of that protocol; TLS 1.3 has suites of its own");
    for (size_t i = 0; i < TLS_N_SUITES; i++) {
        if ((choice.taken[i] || !named) && tls_suite_is_there(&tls_suites[i]))
            tls->suites[n++] = tls_suites[i].id;
    }
    tls->suites[n] = 0;
    return 0;
}

/* ---- the context ---------------------------------------------------------------- */

/* Words of ssl.enabled.protocols, by number. */
static int tls_set_protocols(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    int64_t word = kw_config_number(cfg, KW_KEY_SSL_ENABLED_PROTOCOLS);
    bool min_13 = word == 2, max_12 = word == 3;
    char rule[KWI_TLS_TEXT], version[32];
    int rc = tls_set_suites(tls, cfg, &min_13, &max_12, err);
    if (rc != 0)
        return rc;
    if (min_13 && !kwi_tls_v_has_13()) {
        mbedtls_version_get_string_full(version);
        kwi_fmt(rule, sizeof(rule), "%s alone is asked for, and %s has no later one than TLS 1.2",
                "TLS 1.3", version);
        return kwi_tls_refuse(
            err, word == 2 ? KW_KEY_SSL_ENABLED_PROTOCOLS : KW_KEY_SSL_CIPHER_SUITES, rule,
            "allow TLSv1.2 and its suites, or use a build with OpenSSL (WITH_TLS=openssl)");
    }
    kwi_tls_v_set_protocols(&tls->conf, min_13, max_12);
    return 0;
}

static void tls_set_rules(struct kw_tls *tls)
{
    mbedtls_ssl_config *conf = &tls->conf;
    mbedtls_ssl_conf_rng(conf, kwi_tls_random, NULL);
    mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_cert_profile(conf, &kwi_tls_profile);
    mbedtls_ssl_conf_ciphersuites(conf, tls->suites);
    mbedtls_ssl_conf_legacy_renegotiation(conf, MBEDTLS_SSL_LEGACY_BREAK_HANDSHAKE);
#if defined(MBEDTLS_DHM_C)
    mbedtls_ssl_conf_dhm_min_bitlen(conf, TLS_DH_BITS);
#endif
    kwi_tls_v_set_rules(conf);
}

static int tls_fill(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    if (kwi_tls_v_begin() != 0 ||
        mbedtls_ssl_config_defaults(&tls->conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return KW_ERR_NOMEM;
    tls->check_name = kw_config_number(cfg, KW_KEY_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM) == 0;
    tls_set_rules(tls);
    int rc = tls_set_protocols(tls, cfg, err);
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
    *out = NULL;
    if (!tls)
        return kwi_tls_no_memory(err);
    tls->heap = heap;
    mbedtls_ssl_config_init(&tls->conf);
    mbedtls_x509_crt_init(&tls->trusted);
    mbedtls_x509_crt_init(&tls->own);
    mbedtls_x509_crl_init(&tls->crls);
    mbedtls_pk_init(&tls->key);
    for (unsigned i = 0; i < KWI_TLS_SESSIONS; i++)
        mbedtls_ssl_session_init(&tls->kept[i].session);
    int rc = tls_fill(tls, cfg, err);
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
        mbedtls_ssl_session_free(&tls->kept[i].session);
    mbedtls_ssl_config_free(&tls->conf);
    mbedtls_x509_crt_free(&tls->trusted);
    mbedtls_x509_crt_free(&tls->own);
    mbedtls_x509_crl_free(&tls->crls);
    mbedtls_pk_free(&tls->key);
    kwi_free(tls->heap, tls, sizeof(*tls));
}
