/* The generator: reproducible everywhere, inside its bound, without bias. */
#include <criterion/criterion.h>

#include "base/rng.h"

Test(rng, the_same_seed_gives_the_same_numbers_on_every_machine)
{
    uint8_t seed[32];
    for (unsigned i = 0; i < 32; i++)
        seed[i] = (uint8_t)(i * 7 + 1);
    struct kw_rng a, b;
    kwi_rng_init(&a, seed);
    kwi_rng_init(&b, seed);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(kwi_rng_next(&a), kwi_rng_next(&b));
    seed[31] ^= 0x80;
    kwi_rng_init(&b, seed);
    int n_same = 0;
    for (int i = 0; i < 1000; i++)
        n_same += kwi_rng_next(&a) == kwi_rng_next(&b);
    cr_assert_eq(n_same, 0);
}

/* The authors' published first outputs for the state {1, 2, 3, 4}. */
Test(rng, the_step_is_xoshiro256_starstar)
{
    static const uint64_t expected[] = {
        11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600,
    };
    struct kw_rng rng = {{1, 2, 3, 4}};
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        cr_assert_eq(kwi_rng_next(&rng), expected[i]);
}

Test(rng, an_all_zero_seed_still_gives_random_numbers)
{
    uint8_t seed[32] = {0};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    int n_bits = 0;
    for (int i = 0; i < 1000; i++)
        n_bits += __builtin_popcountll(kwi_rng_next(&rng));
    cr_assert(n_bits > 31000 && n_bits < 33000);
}

Test(rng, numbers_stay_below_the_bound_and_reach_all_of_it)
{
    static const uint32_t bounds[] = {1, 2, 3, 7, 10, 1000, 0x80000001, 0xffffffff};
    uint8_t seed[32] = {42};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    for (unsigned b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
        uint32_t seen = 0, top = 0;
        for (int i = 0; i < 20000; i++) {
            uint32_t v = kwi_rng_below(&rng, bounds[b]);
            cr_assert_lt(v, bounds[b]);
            seen |= v < 32 ? 1u << v : 0;
            top = v > top ? v : top;
        }
        if (bounds[b] <= 10)
            cr_assert_eq(seen, (1u << bounds[b]) - 1);
        cr_assert_geq(top, bounds[b] - bounds[b] / 100 - 1);
    }
}

/* 2^32 draws fall on 3 * 2^30 numbers: if none were thrown away, each number
 * divisible by three would come twice as often as any other. */
Test(rng, the_bound_brings_no_bias)
{
    uint8_t seed[32] = {43};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    int n_divisible = 0, n = 60000;
    for (int i = 0; i < n; i++)
        n_divisible += kwi_rng_below(&rng, 3u << 30) % 3 == 0;
    cr_assert(n_divisible > n / 3 - 1000 && n_divisible < n / 3 + 1000, "%d of %d", n_divisible, n);
}
