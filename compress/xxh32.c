/* xxh32.c -- XXH32 with seed 0: four lanes of 32 bits over little-endian words. */
#include "compress/xxh32.h"

#include <string.h>

#define XXH32_PRIME_1 2654435761u
#define XXH32_PRIME_2 2246822519u
#define XXH32_PRIME_3 3266489917u
#define XXH32_PRIME_4 668265263u
#define XXH32_PRIME_5 374761393u

static inline uint32_t xxh32_rotate(uint32_t v, int bits)
{
    return v << bits | v >> (32 - bits);
}

static inline uint32_t xxh32_word(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void xxh32_stripe(struct kw_xxh32 *hash, const uint8_t *p)
{
    for (int i = 0; i < 4; i++)
        hash->lane[i] = xxh32_rotate(hash->lane[i] + xxh32_word(p + 4 * i) * XXH32_PRIME_2, 13) *
                        XXH32_PRIME_1;
}

void kwi_xxh32_init(struct kw_xxh32 *hash)
{
    memset(hash, 0, sizeof(*hash));
    hash->lane[0] = XXH32_PRIME_1 + XXH32_PRIME_2;
    hash->lane[1] = XXH32_PRIME_2;
    hash->lane[3] = 0u - XXH32_PRIME_1;
}

void kwi_xxh32_update(struct kw_xxh32 *hash, const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    size_t staged = hash->len % sizeof(hash->stage);
    hash->len += len;
    if (staged > 0) {
        size_t n = sizeof(hash->stage) - staged < len ? sizeof(hash->stage) - staged : len;
        memcpy(hash->stage + staged, p, n);
        if (staged + n < sizeof(hash->stage))
            return;
        xxh32_stripe(hash, hash->stage);
        p += n;
        len -= n;
    }
    for (; len >= sizeof(hash->stage); p += sizeof(hash->stage), len -= sizeof(hash->stage))
        xxh32_stripe(hash, p);
    if (len > 0)
        memcpy(hash->stage, p, len);
}

uint32_t kwi_xxh32_value(const struct kw_xxh32 *hash)
{
    const uint8_t *p = hash->stage, *end = p + hash->len % sizeof(hash->stage);
    uint32_t v = XXH32_PRIME_5;
    if (hash->len >= sizeof(hash->stage))
        v = xxh32_rotate(hash->lane[0], 1) + xxh32_rotate(hash->lane[1], 7) +
            xxh32_rotate(hash->lane[2], 12) + xxh32_rotate(hash->lane[3], 18);
    v += (uint32_t)hash->len;
    for (; end - p >= 4; p += 4)
        v = xxh32_rotate(v + xxh32_word(p) * XXH32_PRIME_3, 17) * XXH32_PRIME_4;
    for (; p < end; p++)
        v = xxh32_rotate(v + *p * XXH32_PRIME_5, 11) * XXH32_PRIME_1;
    v = (v ^ v >> 15) * XXH32_PRIME_2;
    v = (v ^ v >> 13) * XXH32_PRIME_3;
    return v ^ v >> 16;
}

uint32_t kwi_xxh32(const void *ptr, size_t len)
{
    struct kw_xxh32 hash;
    kwi_xxh32_init(&hash);
    kwi_xxh32_update(&hash, ptr, len);
    return kwi_xxh32_value(&hash);
}
