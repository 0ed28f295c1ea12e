/* A member of a classic group that finds no memory to join: it tries again at its leisure,
 * the application is told once, and all is well when there is memory again.
 *
 * covers: I9 M03 */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/api.h"
#include "tests/sim/group_bed.h"

static struct group_bed bed;
static bool is_short; /* of memory, for what a JoinGroup says */

/* What the core takes next is refused: a copy of the member's id. */
static size_t on_answer(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    struct sim_memory *memory = &bed.pair.memory;
    (void)ctx;
    (void)out;
    (void)cap;
    if (answer->api_key == KW_API_JOIN_GROUP && is_short) {
        memory->fail_from = memory->n_allocs;
        memory->fail_to = memory->fail_from + 1;
    }
    return 0;
}

static void told_once(const struct bed_member *member)
{
    cr_assert_eq(member->n_error, 1, "%u errors", member->n_error);
    cr_assert_eq(member->code, KW_ERR_NOMEM);
    cr_assert(member->retriable);
    cr_assert(strstr(member->text, "group g: no memory to"), "%s", member->text);
}

Test(group_memory, an_id_that_finds_no_memory_is_told_and_asked_for_at_leisure)
{
    group_begin_of(&bed, NULL, NULL, on_answer);
    is_short = true;
    struct bed_member *member = bed_join(&bed, NULL);
    bed_subscribe(member);
    bed_run(&bed, 3000);
    told_once(member);
    cr_assert_leq(kwi_mock_n_requests(bed.pair.mock, KW_API_JOIN_GROUP), 80);
    is_short = false;
    cr_assert(bed_settled(&bed, 5000));
    group_end(&bed);
}

/* A member that has to join again: before the request it gives its partitions up, if the
 * assignor wants that. */
static void no_memory_at_all(const char *strategy)
{
    const char *const settings[] = {strategy, NULL};
    struct sim_memory *memory = &bed.pair.memory;
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, settings);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    uint64_t n_joins = kwi_mock_n_requests(bed.pair.mock, KW_API_JOIN_GROUP);
    memory->fail_from = memory->n_allocs;
    memory->fail_to = UINT64_MAX;
    cr_assert_eq(kw_core_rejoin(member->consumer, NULL), 0);
    uint64_t n_asked = memory->n_allocs;
    bed_run(&bed, 3000);
    told_once(member);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, KW_API_JOIN_GROUP), n_joins);
    cr_assert_leq(memory->n_allocs - n_asked, 1000, "it spins");
    sim_memory_heal(memory);
    bed_run(&bed, 2000);
    cr_assert(bed_settled(&bed, 5000));
    cr_assert_gt(kwi_mock_n_requests(bed.pair.mock, KW_API_JOIN_GROUP), n_joins);
    group_end(&bed);
}

Test(group_memory, a_join_that_finds_no_memory_is_told)
{
    no_memory_at_all("partition.assignment.strategy=cooperative-sticky");
}

Test(group_memory, partitions_that_cannot_be_given_up_for_want_of_memory_are_told)
{
    no_memory_at_all("partition.assignment.strategy=range");
}
