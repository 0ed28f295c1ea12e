/* Members of one group that come, go, stall and fail at random, from a seed: the
 * promises of tests/sim/group_bed.h hold at every moment, and when the faults are over
 * everything that was produced is handled.
 *
 * covers: C25 C60 G04 G12 G16 G18 G30 G41 G42 G46 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/group_bed.h"
#include "tests/sim/rng.h"

static struct group_bed bed;

enum { GROUP_TURNS = 60, GROUP_SEEDS = 60 };

static const char *const faults[] = {
    "joingroup:/5:error=%d",       "syncgroup:/4:error=%d",      "heartbeat:/9:error=%d",
    "offsetcommit:/7:error=%d",    "offsetfetch:/6:error=%d",    "findcoordinator:/3:error=15",
    "joingroup:/6:close-after",    "syncgroup:/5:close-before",  "heartbeat:/11:drop-answer",
    "offsetcommit:/5:close-after", "leavegroup:/2:drop-request", "syncgroup:/3:delay=150",
    "heartbeat:/4:delay=400",      "offsetcommit:/3:delay=120",  "fetch:/13:close-after",
    "joingroup:/3:delay=200"};
static const int healing[] = {14, 15, 16, 27, 25, 22};

/* Of groups whose coordinator assigns. */
static const char *const modern_faults[] = {"consumergroupheartbeat:/9:error=%d",
                                            "consumergroupheartbeat:/5:error=%d",
                                            "consumergroupheartbeat:/11:drop-answer",
                                            "consumergroupheartbeat:/7:close-after",
                                            "offsetfetch:/6:error=%d",
                                            "offsetcommit:/7:error=%d",
                                            "consumergroupheartbeat:/8:close-before",
                                            "consumergroupheartbeat:/4:delay=400",
                                            "consumergroupheartbeat:/6:drop-request",
                                            "offsetcommit:/5:close-after",
                                            "offsetcommit:/3:delay=120",
                                            "findcoordinator:/3:error=15",
                                            "describeconfigs:*:error=30",
                                            "metadata:/3:error=100",
                                            "fetch:/13:close-after",
                                            "consumergroupheartbeat:/13:error-after=15"};
static const int modern_healing[] = {14, 15, 16, 25, 110, 113};

static void modern_fault(struct sim_rng *rng)
{
    size_t i = sim_below(rng, sizeof modern_faults / sizeof *modern_faults);
    int code = modern_healing[sim_below(rng, 5)];
    char spec[64];
    if (i == 4)
        code = modern_healing[sim_below(rng, 3)];
    if (i == 5 && sim_below(rng, 2))
        code = 113;
    snprintf(spec, sizeof spec, modern_faults[i], code);
    bed_fault(&bed, spec);
}

static void random_fault(struct sim_rng *rng)
{
    size_t i = sim_below(rng, sizeof faults / sizeof *faults);
    int code = healing[sim_below(rng, 6)];
    char spec[64];
    if (i == 4) /* OffsetFetch knows no members */
        code = healing[sim_below(rng, 3)];
    snprintf(spec, sizeof spec, faults[i], code);
    bed_fault(&bed, spec);
}

static void random_act(struct sim_rng *rng)
{
    static const char *const topics[] = {"t"};
    struct bed_member *member = &bed.members[sim_below(rng, bed.n_members)];
    struct kw_error err;
    switch (sim_below(rng, 12)) {
    case 0: cr_assert_eq(kw_core_subscribe(member->consumer, topics, 1, &err), 0); break;
    case 1: cr_assert_eq(kw_core_subscribe(member->consumer, NULL, 0, &err), 0); break;
    case 2: member->no_poll = !member->no_poll; break;
    case 3: member->no_ack = !member->no_ack; break;
    case 4:
        member->hold = !member->hold;
        bed_release_held(member, KW_DONE);
        break;
    case 5: bed_release_held(member, KW_DONE); break;
    case 6: kwi_mock_set_coordinator(bed.pair.mock, (int32_t)sim_below(rng, 2)); break;
    case 7: (void)kw_core_rejoin(member->consumer, "at random"); break;
    case 8: bed_produce(&bed, 1 + sim_below(rng, 12)); break;
    case 9:
        if (sim_below(rng, 4) == 0)
            sim_pair_step(&bed.pair, 1000 * (500 + sim_below(rng, 6000)));
        break;
    default: break;
    }
}

static bool is_modern(const char *const *settings)
{
    return settings && strcmp(settings[0], "group.protocol=consumer") == 0;
}

static int32_t generation(void)
{
    struct kw_mock_group_info info = {0};
    cr_assert_eq(kwi_mock_group(bed.pair.mock, "g", &info), 0);
    return info.generation;
}

static void one_seed(uint64_t seed, const char *const *settings)
{
    struct sim_rng rng;
    uint64_t n_joins;
    int32_t epoch;
    rng = sim_rng_make(seed, 1);
    group_begin(&bed, NULL);
    bed_produce(&bed, 5);
    for (unsigned i = 0; i < 4; i++)
        (void)bed_join(&bed, settings);
    for (unsigned i = 0; i < sim_below(&rng, 5); i++)
        (is_modern(settings) ? modern_fault : random_fault)(&rng);
    for (int turn = 0; turn < GROUP_TURNS; turn++) {
        random_act(&rng);
        bed_run(&bed, 10 * (1 + sim_below(&rng, 40)));
        cr_assert(!bed.why[0], "seed %llu: %s", (unsigned long long)seed, bed.why);
    }
    /* Peace: faults end, and everybody behaves. */
    for (uint32_t id = 0; id < bed.n_faults; id++)
        cr_assert_eq(kwi_mock_fault_remove(bed.pair.mock, id), 0);
    for (unsigned i = 0; i < bed.n_members; i++) {
        struct bed_member *member = &bed.members[i];
        member->hold = member->no_ack = member->no_poll = false;
        bed_release_held(member, KW_DONE);
        bed_subscribe(member);
    }
    bed_run(&bed, 6000);
    cr_assert(bed_settled(&bed, 10000), "seed %llu: it does not settle", (unsigned long long)seed);
    bed_produce(&bed, 3);
    cr_assert(bed_drained(&bed, 10000), "seed %llu: not everything was handled",
              (unsigned long long)seed);
    bed_run(&bed, 500);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.committed[p], bed.n_produced[p], "seed %llu partition %d: %lld of %u",
                     (unsigned long long)seed, p, (long long)bed.committed[p], bed.n_produced[p]);
    n_joins = kwi_mock_n_requests(bed.pair.mock, 11);
    epoch = generation();
    bed_run(&bed, 3000); /* and stays so */
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), n_joins, "seed %llu",
                 (unsigned long long)seed);
    cr_assert_eq(generation(), epoch, "seed %llu", (unsigned long long)seed);
    group_end(&bed);
}

static void all_seeds(const char *const *settings)
{
    const char *asked = getenv("KW_GROUP_SEEDS"), *first = getenv("KW_GROUP_FIRST");
    uint64_t from = first ? strtoull(first, NULL, 10) : 1;
    uint64_t n = asked ? strtoull(asked, NULL, 10) : GROUP_SEEDS;
    for (uint64_t seed = from; seed < from + n; seed++)
        one_seed(seed, settings);
}

Test(groups, an_eager_group_keeps_its_promises_whatever_happens, .timeout = 3600)
{
    all_seeds(NULL);
}

Test(groups, a_cooperative_group_keeps_its_promises_whatever_happens, .timeout = 3600)
{
    static const char *const cooperative[] = {"partition.assignment.strategy=cooperative-sticky",
                                              NULL};
    all_seeds(cooperative);
}

Test(groups, a_group_whose_coordinator_assigns_keeps_its_promises, .timeout = 3600)
{
    static const char *const modern[] = {"group.protocol=consumer", NULL};
    all_seeds(modern);
}
