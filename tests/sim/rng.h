/* tests/sim/rng.h -- the simulator's dice: one independent stream per subsystem,
 * all derived from the one 64-bit seed of a run, so that a change in what the
 * network rolls does not change what the workload does. */
#ifndef SIM_RNG_H
#define SIM_RNG_H
#include <stdbool.h>
#include <stdint.h>

struct sim_rng {
    uint64_t state;
};

static inline uint64_t sim_mix(uint64_t v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

static inline uint64_t sim_rng_next(struct sim_rng *rng)
{
    rng->state += 0x9e3779b97f4a7c15u;
    return sim_mix(rng->state);
}

static inline struct sim_rng sim_rng_make(uint64_t seed, uint64_t stream)
{
    return (struct sim_rng){sim_mix(seed ^ sim_mix(stream + 0x51ed270b0b5c4f31u))};
}

/* Uniform in [0, bound); the bias is far below what a test could see. */
static inline uint32_t sim_below(struct sim_rng *rng, uint32_t bound)
{
    return (uint32_t)((sim_rng_next(rng) >> 32) * bound >> 32);
}

/* Uniform in [low, high]. */
static inline uint32_t sim_between(struct sim_rng *rng, uint32_t low, uint32_t high)
{
    return low + sim_below(rng, high - low + 1);
}

static inline bool sim_one_in(struct sim_rng *rng, uint32_t n)
{
    return n > 0 && sim_below(rng, n) == 0;
}

#endif
