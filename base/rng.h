/* base/rng.h -- xoshiro256** seeded from 32 bytes: jitter, sticky partitions,
 * ids. Not for secrets. An all-zero seed is replaced by a fixed one. */
#ifndef KWI_RNG_H
#define KWI_RNG_H
#include <stdint.h>

struct kw_rng {
    uint64_t s[4];
};

void kwi_rng_init(struct kw_rng *rng, const uint8_t seed[32]);
uint64_t kwi_rng_next(struct kw_rng *rng);
/* Uniform in [0, bound), bound > 0, without modulo bias. */
uint32_t kwi_rng_below(struct kw_rng *rng, uint32_t bound);

#endif
