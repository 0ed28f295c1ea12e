/* toy_crypto.h -- a struct kw_crypto that protects nothing: fast, the same each
 * time, and there in every build. For tests and fuzzing of what uses one; that the
 * real one computes what it should is told by tests/net/test_crypto.c and
 * tests/proto/test_scram.c. A program has one thread and one such table. */
#ifndef TOY_CRYPTO_H
#define TOY_CRYPTO_H
#include <string.h>

#include <kwire/crypto.h>

static uint64_t toy_random_state = 1;

static inline uint64_t toy_mix(uint64_t sum, const void *ptr, size_t len)
{
    const uint8_t *bytes = ptr;
    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 29;
    }
    return (sum ^ len) * UINT64_C(0xbf58476d1ce4e5b9);
}

static inline void toy_fill(enum kw_hash alg, uint64_t sum, uint8_t *out)
{
    for (size_t i = 0; i < (alg == KW_HASH_SHA256 ? 32u : 64u); i++) {
        sum = sum * UINT64_C(6364136223846793005) + 1442695040888963407;
        out[i] = (uint8_t)(sum >> 56);
    }
}

static inline int toy_random(void *out, size_t n)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < n; i++) {
        toy_random_state = toy_random_state * UINT64_C(6364136223846793005) + 99;
        bytes[i] = (uint8_t)(toy_random_state >> 56);
    }
    return 0;
}

static inline int toy_hash(enum kw_hash alg, const void *ptr, size_t len, void *out)
{
    toy_fill(alg, toy_mix(alg, ptr, len), out);
    return 0;
}

static inline int toy_hmac(enum kw_hash alg, const void *key, size_t key_len, const void *ptr,
                           size_t len, void *out)
{
    toy_fill(alg, toy_mix(toy_mix(alg + 7u, key, key_len), ptr, len), out);
    return 0;
}

/* As slices of any size must do, it depends on the sum of the rounds alone. */
static inline int toy_pbkdf2(enum kw_hash alg, const void *key, size_t key_len, void *u, void *acc,
                             uint32_t rounds)
{
    uint8_t *sum = acc;
    (void)alg;
    (void)u;
    sum[0] = (uint8_t)(sum[0] + rounds);
    sum[1] = (uint8_t)(sum[1] + rounds * (key_len ? *(const uint8_t *)key : 1u));
    return 0;
}

static inline bool toy_equal(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}

static const struct kw_crypto toy_crypto = {"toy",    toy_random, toy_hash,
                                            toy_hmac, toy_pbkdf2, toy_equal};

#endif
