/* A member of a group that finds no memory for what its protocol takes: it tries again at its
 * leisure, the application is told once, and all is well when there is memory again.
 *
 * covers: I9 M03 */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/api.h"
#include "tests/sim/group_bed.h"

static struct group_bed bed;

/* Answers of this API find no memory for what they say: all of them, or every second one. */
static int16_t short_api;
static bool is_short, is_seldom;
static unsigned n_answers;

/* What the core takes next is refused: a copy of the member's id, or a list of partitions. */
static size_t on_answer(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    struct sim_memory *memory = &bed.pair.memory;
    (void)ctx;
    (void)out;
    (void)cap;
    if (answer->api_key == short_api && is_short && !(n_answers++ % 2 && is_seldom)) {
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
    cr_assert(strstr(member->text, "group g: no memory"), "%s", member->text);
}

static const char *const modern[] = {"group.protocol=consumer", NULL};

static void begin(int16_t api)
{
    group_begin_of(&bed, NULL, NULL, on_answer);
    short_api = api;
    is_short = true;
    is_seldom = false;
    n_answers = 0;
}

static void answers_find_no_memory(int16_t api, const char *const *settings)
{
    begin(api);
    bed_subscribe(bed_join(&bed, settings));
    bed_run(&bed, 3000);
    told_once(&bed.members[0]);
}

static void heals(void)
{
    is_short = false;
    cr_assert(bed_settled(&bed, 5000));
    cr_assert_eq(bed.members[0].n_error, 1);
    group_end(&bed);
}

Test(group_memory, an_id_that_finds_no_memory_is_told_and_asked_for_at_leisure)
{
    answers_find_no_memory(KW_API_JOIN_GROUP, NULL);
    cr_assert_leq(kwi_mock_n_requests(bed.pair.mock, KW_API_JOIN_GROUP), 80);
    heals();
}

/* Each time it joins, and then has to join again. */
Test(group_memory, an_assignment_that_finds_no_memory_is_told_however_often_it_joins)
{
    answers_find_no_memory(KW_API_SYNC_GROUP, NULL);
    cr_assert_leq(kwi_mock_n_requests(bed.pair.mock, KW_API_SYNC_GROUP), 80);
    heals();
}

Test(group_memory, what_a_coordinator_assigns_and_finds_no_memory_is_told)
{
    answers_find_no_memory(KW_API_CONSUMER_GROUP_HEARTBEAT, modern);
    cr_assert_leq(kwi_mock_n_requests(bed.pair.mock, KW_API_CONSUMER_GROUP_HEARTBEAT), 60);
    heals();
}

/* The session is 2 s, and a heartbeat is wanted each 200 ms. */
Test(group_memory, a_long_pause_behind_an_assignment_without_memory_costs_no_membership)
{
    static const char *const slow[] = {"group.protocol=consumer", "retry.backoff.ms=3000",
                                       "retry.backoff.max.ms=60000", NULL};
    answers_find_no_memory(KW_API_CONSUMER_GROUP_HEARTBEAT, slow);
    cr_assert_geq(kwi_mock_n_requests(bed.pair.mock, KW_API_CONSUMER_GROUP_HEARTBEAT), 12);
    cr_assert_eq(bed_group(&bed).n_members, 1);
    heals();
}

/* The shortage outlasts the subscription that was told of it. */
static void another_is_told_too(int16_t api, const char *const *settings)
{
    static const char *const topics[] = {"t", "another"};
    struct bed_member *member = &bed.members[0];
    answers_find_no_memory(api, settings);
    for (size_t n = 0; n <= 2; n += 2) { /* none, then others */
        cr_assert_eq(kw_core_subscribe(member->consumer, topics, n, NULL), 0);
        bed_run(&bed, 1000);
    }
    cr_assert_eq(member->n_error, 2, "%u errors", member->n_error);
    cr_assert_eq(member->code, KW_ERR_NOMEM);
    bed_run(&bed, 1000);
    cr_assert_eq(member->n_error, 2, "once each");
    is_short = false;
    cr_assert(bed_settled(&bed, 5000));
    group_end(&bed);
}

Test(group_memory, another_subscription_is_told_that_it_cannot_join_for_want_of_memory)
{
    another_is_told_too(KW_API_JOIN_GROUP, NULL);
}

Test(group_memory, another_subscription_is_told_that_its_assignment_finds_no_memory)
{
    another_is_told_too(KW_API_SYNC_GROUP, NULL);
}

Test(group_memory, another_subscription_of_a_coordinator_that_assigns_is_told_too)
{
    another_is_told_too(KW_API_CONSUMER_GROUP_HEARTBEAT, modern);
}

/* A join gets through between them each time, and the group rebalances again. */
Test(group_memory, shortages_between_which_it_joined_are_none_in_a_row)
{
    begin(KW_API_JOIN_GROUP);
    is_seldom = true;
    bed_fault(&bed, "syncgroup:1-6:error=27");
    bed_subscribe(bed_join(&bed, NULL));
    cr_assert(bed_settled(&bed, 5000));
    cr_assert_geq(n_answers, 10);
    cr_assert_eq(bed.members[0].n_error, 0, "%s", bed.members[0].text);
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

/* Nobody is asked for another coordinator meanwhile: this one is there. */
Test(group_memory, a_heartbeat_that_finds_no_memory_is_told)
{
    struct sim_memory *memory = &bed.pair.memory;
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    uint64_t n_finds = kwi_mock_n_requests(bed.pair.mock, KW_API_FIND_COORDINATOR);
    uint64_t n_asked = memory->n_allocs;
    memory->fail_from = memory->n_allocs;
    memory->fail_to = UINT64_MAX;
    bed_run(&bed, 1000);
    told_once(member);
    cr_assert_leq(memory->n_allocs - n_asked, 1000, "it spins");
    sim_memory_heal(memory);
    bed_run(&bed, 2000);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, KW_API_FIND_COORDINATOR), n_finds);
    cr_assert_eq(member->n_lost, 0);
    cr_assert(bed_settled(&bed, 1000));
    group_end(&bed);
}

/* ---- errors that the application did not take yet ---------------------------------------- */

static struct {
    enum kw_event_kind kind;
    int code;
    int16_t kafka_code;
} told[4];
static unsigned n_told;
static void (*on_bed_event)(void *ctx, const struct kw_event *event);

static void on_event(void *ctx, const struct kw_event *event)
{
    if (event->kind == KW_EVENT_ERROR || event->kind == KW_EVENT_LOST) {
        cr_assert_lt(n_told, 4);
        told[n_told].kind = event->kind;
        told[n_told].code = event->code;
        told[n_told++].kafka_code = event->error->kafka_code;
    }
    on_bed_event(ctx, event);
}

/* The next heartbeat of a member is answered with an error, from then on there is no memory,
 * and the application takes no events. */
static void no_memory_behind(const char *error)
{
    struct sim_memory *memory = &bed.pair.memory;
    group_begin(&bed, NULL);
    on_bed_event = bed.pair.on_event;
    bed.pair.on_event = on_event;
    n_told = 0;
    bed_subscribe(bed_join(&bed, modern));
    cr_assert(bed_settled(&bed, 2000));
    bed_run(&bed, 500); /* its joins are behind it */
    bed_fault(&bed, error);
    bed.pair.hold_answers = bed.pair.no_events = true;
    bed_run(&bed, 300); /* a heartbeat is under way */
    memory->fail_from = memory->n_allocs;
    memory->fail_to = UINT64_MAX;
    bed.pair.hold_answers = false;
    bed_run(&bed, 600);
    bed.pair.no_events = false;
}

Test(group_memory, a_loss_that_was_not_taken_yet_keeps_its_cause)
{
    no_memory_behind("consumergroupheartbeat:1:error=25");
    sim_pair_settle(&bed.pair);
    cr_assert_eq(n_told, 2);
    cr_assert_eq(told[0].kind, KW_EVENT_ERROR);
    cr_assert_eq(told[0].code, KW_ERR_NOMEM);
    cr_assert_eq(told[1].kind, KW_EVENT_LOST);
    cr_assert_eq(told[1].code, KW_ERR_BROKER);
    cr_assert_eq(told[1].kafka_code, 25);
    sim_memory_heal(&bed.pair.memory);
    cr_assert(bed_settled(&bed, 5000));
    group_end(&bed);
}

/* The other one is told only once: the shortage is told behind it. */
Test(group_memory, a_shortage_waits_for_an_error_that_was_not_taken_yet)
{
    no_memory_behind("consumergroupheartbeat:1:error=29");
    sim_pair_settle(&bed.pair);
    cr_assert_eq(n_told, 1);
    cr_assert_eq(told[0].kafka_code, 29);
    bed_run(&bed, 300);
    cr_assert_eq(n_told, 2);
    cr_assert_eq(told[1].code, KW_ERR_NOMEM);
    bed_run(&bed, 300);
    cr_assert_eq(n_told, 2, "it is told once");
    sim_memory_heal(&bed.pair.memory);
    cr_assert(bed_settled(&bed, 5000));
    group_end(&bed);
}
