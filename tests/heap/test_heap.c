/* Allocation-failure torture. For each scenario of rows.c and each allocation k
 * that its failing step makes: refuse the k-th once; and refuse all from the k-th
 * on for two seconds of virtual time. Nothing may crash, leak, be lost or be
 * reported twice, and once memory is back, the step and all that follow must
 * succeed. KW_HEAP_ROW: only the scenarios whose names contain it. KW_TEST_QUICK:
 * every seventh allocation, for machines that are emulated.
 *
 * covers: I1 I8 I9 I10 P14 P17 P40 T29 */
#include "tests/heap/scenario.h"

#include <criterion/criterion.h>
#include <kwire/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAILING_MS = 2000, HEALED_MS = 60000, CALLS_MAX = 20000 };
static const char *const modes[] = {"from", "once at"};

/* Ends the scenario; true if all is well. */
static bool torture_judge(struct heap_scenario *scenario, const char *mode, uint64_t k)
{
    const char *name = scenario->row->name;
    if (scenario->n_wrong == 0)
        heap_scenario_judge(scenario);
    bool good = scenario->n_wrong == 0;
    cr_expect(good, "%s, %s %lu: %s", name, mode, (unsigned long)k, scenario->wrong);
    kw_core_destroy(scenario->pair.core);
    scenario->pair.core = NULL;
    const struct sim_memory *memory = &scenario->pair.memory;
    cr_expect_eq(memory->n_live, 0, "%s, %s %lu: %lu blocks leaked", name, mode, (unsigned long)k,
                 (unsigned long)memory->n_live);
    cr_expect(!memory->damaged, "%s, %s %lu: memory damaged", name, mode, (unsigned long)k);
    good = good && memory->n_live == 0 && !memory->damaged;
    heap_scenario_deinit(scenario);
    return good;
}

/* k UINT64_MAX: memory never fails. *hit: the step made so many allocations that
 * the k-th was refused. Returns false if something was wrong. */
static bool torture(const struct heap_row *row, uint64_t k, bool once, enum sim_memory_kind kind,
                    bool *hit)
{
    static struct heap_scenario scenario;
    struct sim_memory *memory = &scenario.pair.memory;
    cr_assert_eq(heap_scenario_init(&scenario, row, kind), 0, "%s", row->name);
    bool armed = k != UINT64_MAX;
    *hit = false;
    for (int i = 0; i < HEAP_STEPS_MAX && row->steps[i] && scenario.n_wrong == 0; i++) {
        bool done = false;
        if (armed && row->steps[i] == row->failing) {
            armed = false;
            memory->fail_from = memory->n_allocs + k;
            memory->fail_to = once ? memory->fail_from + 1 : UINT64_MAX;
            done = heap_step_run(&scenario, row->steps[i], FAILING_MS);
            *hit = memory->n_refused > 0;
            sim_memory_heal(memory);
        }
        if (!done) /* a step that needed no memory ends all the same */
            done = heap_step_run(&scenario, row->steps[i], HEALED_MS);
        if (!done)
            heap_wrong(&scenario, heap_step_name(row->steps[i]));
    }
    return torture_judge(&scenario, modes[once], k);
}

/* How many failures it survived. */
static uint64_t torture_row(const struct heap_row *row, bool *good)
{
    uint64_t sum = 0, stride = getenv("KW_TEST_QUICK") ? 7 : 1;
    bool hit;
    *good = torture(row, UINT64_MAX, true, SIM_MEMORY_PLAIN, &hit) &&
            torture(row, UINT64_MAX, true, SIM_MEMORY_ARENA, &hit);
    for (int once = 0; once < 2 && *good; once++) {
        uint64_t k = 0;
        do {
            *good = torture(row, k, once, SIM_MEMORY_PLAIN, &hit);
            sum += hit;
            k += stride;
        } while (*good && hit && k < CALLS_MAX);
        cr_expect_lt(k, CALLS_MAX, "%s allocates without end", row->name);
    }
    return sum;
}

Test(heap, each_scenario_survives_each_failed_allocation, .timeout = 600)
{
    const char *only = getenv("KW_HEAP_ROW");
    uint64_t n_rows = 0, n_failures = 0;
    for (size_t i = 0; i < heap_n_rows; i++) {
        const struct heap_row *row = &heap_rows[i];
        bool good;
        if ((only && !strstr(row->name, only)) || (row->codec && !kw_codec_by_id(row->codec)))
            continue;
        uint64_t n = torture_row(row, &good);
        cr_expect(n > 0 || row->failing == HEAP_CLOSE, "%s allocates nothing", row->name);
        if (good)
            fprintf(stderr, "heap: %s: survived %lu failures\n", row->name, (unsigned long)n);
        n_rows++;
        n_failures += n;
    }
    fprintf(stderr, "figure: %lu scenarios, %lu failed allocations\n", (unsigned long)n_rows,
            (unsigned long)n_failures);
    cr_expect(only || n_rows >= 15);
}
