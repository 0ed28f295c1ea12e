/* Client and brokers in one process, seed by seed. KW_SIM_SEEDS: how many
 * (default 200); KW_SIM_FIRST: from which on; KW_SIM_SEED: that one alone, with
 * its whole transcript on stderr.
 *
 * covers: I1 I2 I3 I4 I5 I9 I10 I11 P01 P02 P04 P05 P14 P15 P16 P17 P21 P22 P23
 *         P31 P34 P35 P37 P41 P42 P44 P50 P52 C25 C27 C28 C47 C49 N01 N02 N03
 *         N04 N06 N08 N09 N11 N12 N23 N26 B15 */
#include "tests/sim/sim.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
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
    uint64_t n = number_from("KW_SIM_SEEDS", 200), first = number_from("KW_SIM_FIRST", 1);
    uint64_t n_records = 0, virtual_us = 0, n_cuts = 0, recovery_us = 0, n_events = 0, failed = 0;
    for (uint64_t seed = first; seed < first + n && failed < 3; seed++) {
        if (!sim_check_seed(seed, &result)) {
            failed++;
            cr_expect(false, "seed %llu: %s", (unsigned long long)seed, result.failure);
        }
        n_records += result.n_records;
        virtual_us += result.virtual_us;
        n_cuts += result.n_cuts;
        n_events += result.n_events;
        if (result.recovery_us > recovery_us)
            recovery_us = result.recovery_us;
    }
    fprintf(stderr,
            "sim: %llu seeds from %llu on, each twice: %llu records, %llu cuts, %llu events, "
            "%.1f h of virtual time, slowest recovery %.1f s\n",
            (unsigned long long)n, (unsigned long long)first, (unsigned long long)n_records,
            (unsigned long long)n_cuts, (unsigned long long)n_events, (double)virtual_us / 3.6e9,
            (double)recovery_us / 1e6);
}
