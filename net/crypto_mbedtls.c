/* net/crypto_mbedtls.c -- struct kw_crypto by mbedTLS (libmbedcrypto). Every call
 * makes the context that it needs, and keeps no state. Random bytes are the system's:
 * a generator of our own would have to know of forks and threads. */
#include <kwire/crypto.h>

#include <errno.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <sys/random.h>

#include "net/tls_mbedtls.h"

int kwi_tls_random(void *ctx, unsigned char *out, size_t n)
{
    (void)ctx;
    while (n > 0) {
        ssize_t got = getrandom(out, n, 0);
        if (got < 0 && errno != EINTR)
            return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
        if (got > 0) {
            out += got;
            n -= (size_t)got;
        }
    }
    return 0;
}

static const mbedtls_md_info_t *crypto_digest(enum kw_hash alg)
{
    switch (alg) {
    case KW_HASH_SHA256: return mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    case KW_HASH_SHA512: return mbedtls_md_info_from_type(MBEDTLS_MD_SHA512);
    }
    return NULL;
}

static int crypto_random(void *out, size_t n)
{
    return kwi_tls_random(NULL, out, n) == 0 ? 0 : KW_ERR_UNSUPPORTED;
}

static int crypto_hash(enum kw_hash alg, const void *ptr, size_t len, void *out)
{
    const mbedtls_md_info_t *digest = crypto_digest(alg);

    return digest && mbedtls_md(digest, ptr, len, out) == 0 ? 0 : KW_ERR_UNSUPPORTED;
}

static int crypto_hmac(enum kw_hash alg, const void *key, size_t key_len, const void *ptr,
                       size_t len, void *out)
{
    const mbedtls_md_info_t *digest = crypto_digest(alg);

    return digest && mbedtls_md_hmac(digest, key, key_len, ptr, len, out) == 0 ? 0
                                                                               : KW_ERR_UNSUPPORTED;
}

static int crypto_pbkdf2(enum kw_hash alg, const void *key, size_t key_len, void *u, void *acc,
                         uint32_t rounds)
{
    const mbedtls_md_info_t *digest = crypto_digest(alg);
    mbedtls_md_context_t ctx;
    uint8_t *sum = acc;
    const uint8_t *last = u;
    size_t size = alg == KW_HASH_SHA256 ? 32 : 64;

    mbedtls_md_init(&ctx);
    bool good = digest && mbedtls_md_setup(&ctx, digest, 1) == 0 &&
                mbedtls_md_hmac_starts(&ctx, key, key_len) == 0;
    for (; good && rounds > 0; rounds--) {
        good = mbedtls_md_hmac_update(&ctx, u, size) == 0 && mbedtls_md_hmac_finish(&ctx, u) == 0 &&
               mbedtls_md_hmac_reset(&ctx) == 0;
        for (size_t i = 0; i < size; i++)
            sum[i] ^= last[i];
    }
    mbedtls_md_free(&ctx);
    return good ? 0 : KW_ERR_UNSUPPORTED;
}

static bool crypto_equal(const void *a, const void *b, size_t n)
{
    return mbedtls_ct_memcmp(a, b, n) == 0;
}

static const struct kw_crypto crypto_table = {
    .name = "mbedTLS",
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
