/* Allocation-failure torture. For each stage of a core's life (create, connect,
 * produce, fetch, close) and each allocation k that it makes: refuse the k-th
 * once; and refuse all from the k-th on for two seconds of virtual time. Nothing
 * may crash, leak, be lost or be reported twice, and once memory is back, the
 * stage and all that follow must succeed.
 *
 * covers: I1 I9 I10 P17 P40 */
#include "tests/heap/scenario.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { FAILING_MS = 2000, HEALED_MS = 60000, CALLS_MAX = 20000 };

static void check_end(struct heap_scenario *scenario, const char *what, uint64_t k)
{
    cr_assert_eq(scenario->n_wrong, 0, "%s %lu: %s", what, (unsigned long)k, scenario->wrong);
    cr_assert_eq(scenario->n_delivered, HEAP_RECORDS, "%s %lu: %u delivered, %u failed", what,
                 (unsigned long)k, scenario->n_delivered, scenario->n_failed);
    cr_assert_eq(scenario->n_read, HEAP_RECORDS, "%s %lu: %u read", what, (unsigned long)k,
                 scenario->n_read);
    kw_core_destroy(scenario->pair.core);
    scenario->pair.core = NULL;
    cr_assert_eq(scenario->pair.memory.n_live, 0, "%s %lu: %lu blocks leaked", what,
                 (unsigned long)k, (unsigned long)scenario->pair.memory.n_live);
    cr_assert(!scenario->pair.memory.damaged, "%s %lu: memory damaged", what, (unsigned long)k);
}

/* True if the stage made so many allocations that the k-th was refused. */
static bool torture(enum heap_stage failing, uint64_t k, bool once, enum sim_memory_kind kind)
{
    struct heap_scenario scenario;
    char what[64];
    bool hit = false;
    snprintf(what, sizeof(what), "%s, %s", heap_stage_name(failing), once ? "once at" : "from");
    cr_assert_eq(heap_scenario_init(&scenario, kind), 0);
    for (enum heap_stage stage = HEAP_CREATE; stage < HEAP_STAGES; stage++) {
        struct sim_memory *memory = &scenario.pair.memory;
        bool done = false;
        if (stage == failing) {
            memory->fail_from = memory->n_allocs + k;
            memory->fail_to = once ? memory->fail_from + 1 : UINT64_MAX;
            done = heap_stage_run(&scenario, stage, FAILING_MS);
            hit = memory->n_refused > 0;
            sim_memory_heal(memory);
        }
        if (!done) /* a stage that needed no memory ends all the same */
            done = heap_stage_run(&scenario, stage, HEALED_MS);
        cr_assert(done, "%s %lu: %s did not complete (%s)", what, (unsigned long)k,
                  heap_stage_name(stage), scenario.wrong ? scenario.wrong : "nothing wrong seen");
    }
    check_end(&scenario, what, k);
    heap_scenario_deinit(&scenario);
    return hit;
}

static void torture_all(enum heap_stage stage)
{
    uint64_t sum = 0;
    for (int once = 0; once < 2; once++) {
        uint64_t k = 0;
        while (k < CALLS_MAX && torture(stage, k, once, SIM_MEMORY_PLAIN))
            k++;
        cr_assert_lt(k, CALLS_MAX);
        cr_expect(k > 0 || stage == HEAP_CLOSE, "%s allocates nothing", heap_stage_name(stage));
        sum += k;
    }
    fprintf(stderr, "heap: %s survived %lu failures\n", heap_stage_name(stage), (unsigned long)sum);
}

Test(heap, the_scenario_succeeds_when_memory_never_fails)
{
    cr_assert_not(torture(HEAP_STAGES, 0, true, SIM_MEMORY_PLAIN));
    cr_assert_not(torture(HEAP_STAGES, 0, true, SIM_MEMORY_ARENA));
}

Test(heap, create_survives_each_failed_allocation)
{
    torture_all(HEAP_CREATE);
}

Test(heap, connect_survives_each_failed_allocation)
{
    torture_all(HEAP_CONNECT);
}

Test(heap, produce_survives_each_failed_allocation)
{
    torture_all(HEAP_PRODUCE);
}

Test(heap, fetch_survives_each_failed_allocation)
{
    torture_all(HEAP_FETCH);
}

Test(heap, close_survives_each_failed_allocation)
{
    torture_all(HEAP_CLOSE);
}
