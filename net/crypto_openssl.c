/* net/crypto_openssl.c -- struct kw_crypto by OpenSSL 3 (libcrypto). Every call
 * fetches what it needs: that costs a microsecond, and keeps no state. */
#include <kwire/crypto.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

/* OpenSSL takes lengths as int here and there. */
enum { CRYPTO_PIECE = 1 << 20 };

static const char *crypto_digest(enum kw_hash alg)
{
    switch (alg) {
    case KW_HASH_SHA256: return "SHA256";
    case KW_HASH_SHA512: return "SHA512";
    }
    return NULL;
}

static int crypto_random(void *out, size_t n)
{
    if (n > CRYPTO_PIECE || RAND_bytes(out, (int)n) != 1)
        return KW_ERR_UNSUPPORTED;
    return 0;
}

static int crypto_hash(enum kw_hash alg, const void *ptr, size_t len, void *out)
{
    const char *digest = crypto_digest(alg);

    if (!digest || EVP_Q_digest(NULL, digest, NULL, ptr, len, out, NULL) != 1)
        return KW_ERR_UNSUPPORTED;
    return 0;
}

/* A context that is keyed, or NULL. */
static EVP_MAC_CTX *crypto_mac(enum kw_hash alg, const void *key, size_t key_len)
{
    /* The parameter is not const, and only read. */
    char *digest = (char *)(uintptr_t)crypto_digest(alg);
    EVP_MAC *mac = digest ? EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL) : NULL;
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                            OSSL_PARAM_construct_end()};

    EVP_MAC_free(mac); /* the context holds it */
    if (ctx && EVP_MAC_init(ctx, key, key_len, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static int crypto_hmac(enum kw_hash alg, const void *key, size_t key_len, const void *ptr,
                       size_t len, void *out)
{
    EVP_MAC_CTX *ctx = crypto_mac(alg, key, key_len);
    size_t out_len = 0;
    bool good = ctx && EVP_MAC_update(ctx, ptr, len) == 1 &&
                EVP_MAC_final(ctx, out, &out_len, KW_HASH_SIZE_MAX) == 1;

    EVP_MAC_CTX_free(ctx);
    return good ? 0 : KW_ERR_UNSUPPORTED;
}

static int crypto_pbkdf2(enum kw_hash alg, const void *key, size_t key_len, void *u, void *acc,
                         uint32_t rounds)
{
    EVP_MAC_CTX *ctx = crypto_mac(alg, key, key_len);
    uint8_t *sum = acc;
    const uint8_t *last = u;
    size_t size = alg == KW_HASH_SHA256 ? 32 : 64, len = 0;
    bool good = ctx != NULL;

    for (; good && rounds > 0; rounds--) {
        good = EVP_MAC_init(ctx, NULL, 0, NULL) == 1 && EVP_MAC_update(ctx, u, size) == 1 &&
               EVP_MAC_final(ctx, u, &len, size) == 1;
        for (size_t i = 0; i < size; i++)
            sum[i] ^= last[i];
    }
    EVP_MAC_CTX_free(ctx);
    return good ? 0 : KW_ERR_UNSUPPORTED;
}

static bool crypto_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

static const struct kw_crypto crypto_table = {
    .name = "OpenSSL",
    .random = crypto_random,
    .hash = crypto_hash,
    .hmac = crypto_hmac,
    .pbkdf2 = crypto_pbkdf2,
    .equal = crypto_equal,
};

const struct kw_crypto *kw_crypto_builtin(void)
{
    return &crypto_table;
}
