/* Client and brokers in one process, seed by seed. KW_SIM_SEEDS: how many
 * (default 200); KW_SIM_FIRST: from which on; KW_SIM_SEED: that one alone, with
 * its whole transcript on stderr. KW_SIM_FAILURES: after how many to stop (3).
 *
 * covers: I1 I2 I3 I4 I5 I9 I10 I11 P01 P02 P04 P05 P14 P15 P16 P17 P21 P22 P23
 *         P31 P34 P35 P37 P41 P42 P44 P50 P52 C25 C27 C28 C47 C49 N01 N02 N03
 *         N04 N06 N08 N09 N11 N12 N23 N26 B15 */
#include "base/plant.h"
#include "tests/sim/sim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Among so many seeds every kind of fault must have happened. */
enum { SEEDS_FOR_ALL_KINDS = 200 };

struct sum {
    uint64_t first, n, n_failed, failed_max;
    uint64_t n_records, virtual_us, recovery_us, n_events;
    uint64_t n_seeds_seen[SIM_N_KINDS]; /* seeds in which it happened */
};

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void sum_add(struct sum *sum, const struct sim_result *result)
{
    sum->n_records += result->n_records;
    sum->virtual_us += result->virtual_us;
    sum->n_events += result->n_events;
    for (int kind = 0; kind < SIM_N_KINDS; kind++)
        sum->n_seeds_seen[kind] += result->n_seen[kind] > 0;
    if (result->recovery_us > sum->recovery_us)
        sum->recovery_us = result->recovery_us;
}

static void sum_print(const struct sum *sum)
{
    fprintf(stderr,
            "sim: %llu seeds from %llu on, each twice: %llu records, %llu events, "
            "%.1f h of virtual time, slowest recovery %.1f s\nsim: seeds with",
            (unsigned long long)sum->n, (unsigned long long)sum->first,
            (unsigned long long)sum->n_records, (unsigned long long)sum->n_events,
            (double)sum->virtual_us / 3.6e9, (double)sum->recovery_us / 1e6);
    for (int kind = 0; kind < SIM_N_KINDS; kind++)
        fprintf(stderr, "%s %s %llu", kind ? "," : "", sim_kind_name((enum sim_kind)kind),
                (unsigned long long)sum->n_seeds_seen[kind]);
    fprintf(stderr, "\n");
}

Test(sim, every_seed_keeps_the_invariants_and_replays_under_two_allocators)
{
    struct sim_result result;
    if (getenv("KW_SIM_SEED")) {
        uint64_t seed = number_from("KW_SIM_SEED", 0);
        sim_run(seed, SIM_MEMORY_PLAIN, SIM_PRINT, &result);
        cr_assert(result.ok, "seed %llu: %s", (unsigned long long)seed, result.failure);
        return;
    }
    struct sum sum = {.first = number_from("KW_SIM_FIRST", 1),
                      .n = number_from("KW_SIM_SEEDS", SEEDS_FOR_ALL_KINDS),
                      .failed_max = number_from("KW_SIM_FAILURES", 3)};
    for (uint64_t i = 0; i < sum.n && sum.n_failed < sum.failed_max; i++) {
        uint64_t seed = sum.first + i;
        /* A planted bug may end the whole program. */
        if (KWI_PLANT)
            fprintf(stderr, "sim: begins seed %llu\n", (unsigned long long)seed);
        if (!sim_check_seed(seed, &result)) {
            sum.n_failed++;
            cr_expect(false, "seed %llu: %s", (unsigned long long)seed, result.failure);
        }
        sum_add(&sum, &result);
    }
    sum_print(&sum);
    for (int kind = 0; kind < SIM_N_KINDS && sum.n >= SEEDS_FOR_ALL_KINDS; kind++)
        cr_expect(sum.n_seeds_seen[kind] > 0 || sum.n_failed == sum.failed_max,
                  "no seed of %llu had: %s", (unsigned long long)sum.n,
                  sim_kind_name((enum sim_kind)kind));
}
