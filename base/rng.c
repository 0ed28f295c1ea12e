/* base/rng.c -- xoshiro256** (Blackman and Vigna), the same numbers from the
 * same seed on every machine: the seed is read byte by byte, and nothing but
 * the seed goes in. */
#include "base/rng.h"
#include "base/assert.h"

static uint64_t rng_rotate(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

void kwi_rng_init(struct kw_rng *rng, const uint8_t seed[32])
{
    uint64_t any = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t word = 0;
        for (unsigned j = 0; j < 8; j++)
            word |= (uint64_t)seed[8 * i + j] << (8 * j);
        rng->s[i] = word;
        any |= word;
    }
    if (!any) {
        /* The generator would stay at zero for ever. */
        rng->s[0] = 0x9e3779b97f4a7c15u;
        rng->s[1] = 0xbf58476d1ce4e5b9u;
        rng->s[2] = 0x94d049bb133111ebu;
        rng->s[3] = 0x2545f4914f6cdd1du;
    }
    /* A seed with few bits set gives near-zero output at first. */
    for (unsigned i = 0; i < 16; i++)
        kwi_rng_next(rng);
}

uint64_t kwi_rng_next(struct kw_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rng_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rng_rotate(s[3], 45);
    return result;
}

/* The high half of random * bound is the result; the draws whose low half
 * falls into the uneven rest are thrown away. */
uint32_t kwi_rng_below(struct kw_rng *rng, uint32_t bound)
{
    KWI_ASSERT(bound > 0);
    if (bound == 0)
        return 0;
    uint64_t product = (kwi_rng_next(rng) >> 32) * bound;
    if ((uint32_t)product < bound) {
        uint32_t uneven = (0u - bound) % bound;
        while ((uint32_t)product < uneven)
            product = (kwi_rng_next(rng) >> 32) * bound;
    }
    return (uint32_t)(product >> 32);
}
