/* Assignors of the application's own: what they are asked and told, and what becomes of
 * answers that are wrong.
 *
 * covers: G12 G27 G34 G36 */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <kwire/assignor.h>
#include "tests/sim/group_bed.h"

static struct group_bed bed;

static const char *const own_way[] = {"partition.assignment.strategy=own", NULL};

/* What the assignor does, and what it has seen. */
static struct script {
    int shift, fails;          /* owner = (partition + shift) % members */
    int32_t owner;             /* of partition 0, if not -2 */
    int data_rc;               /* of user_data; 1: it is "hello" */
    size_t data_len, data_lie; /* what it needs; what it says it wrote, 0: the same */
    size_t scratch;
    unsigned n_assign, n_told, n_hello, n_claims;
    int32_t generation; /* highest that a member said */
    int32_t told_generation, told_n, own_generation;
    char told[16];
} script;

static int own_assign(void *ctx, const struct kw_assign_group *group, int32_t *owners,
                      void *scratch)
{
    struct script *s = ctx;
    s->n_assign++;
    s->n_hello = s->n_claims = 0;
    if (s->scratch)
        memset(scratch, 1, s->scratch);
    for (uint32_t m = 0; m < group->n_members; m++) {
        const struct kw_assign_member *member = &group->members[m];
        s->n_hello += member->user_data.len == 5 && !memcmp(member->user_data.ptr, "hello", 5);
        s->n_claims += member->n_owned;
        if (member->generation > s->generation)
            s->generation = member->generation;
    }
    for (uint32_t p = 0; p < group->n_partitions; p++)
        owners[p] = (int32_t)((p + (uint32_t)s->shift) % group->n_members);
    if (s->owner != -2)
        owners[0] = s->owner;
    return s->fails;
}

static size_t own_scratch(void *ctx, const struct kw_assign_group *group)
{
    (void)group;
    return ((struct script *)ctx)->scratch;
}

static int own_data(void *ctx, const struct kw_assign_own *own, void *buf, size_t cap, size_t *len)
{
    struct script *s = ctx;
    s->own_generation = own->generation;
    *len = s->data_len;
    if (s->data_rc != 1 || cap < s->data_len)
        return s->data_rc == 1 ? KW_ERR_SPACE : s->data_rc;
    memcpy(buf, "hello", s->data_len);
    *len = s->data_lie ? s->data_lie : s->data_len;
    return 1;
}

static int own_note(void *ctx, const struct kw_assign_group *group, const int32_t *owners,
                    uint32_t member, void *buf, size_t cap, size_t *len)
{
    (void)ctx;
    (void)owners;
    cr_assert_lt(member, group->n_members);
    *len = 4;
    if (cap < 4)
        return KW_ERR_SPACE;
    memcpy(buf, "note", 4);
    return 1;
}

static void own_told(void *ctx, const struct kw_assign_own *own, struct kw_bytes data)
{
    struct script *s = ctx;
    s->n_told++;
    s->told_generation = own->generation;
    s->told_n = 0;
    for (uint32_t i = 0; i < own->n_topics; i++)
        s->told_n += (int32_t)own->topics[i].n_partitions;
    cr_assert_lt(data.len, sizeof s->told);
    memcpy(s->told, data.ptr ? data.ptr : "-", data.ptr ? data.len : 1);
}

static struct kw_assignor own = {.size = sizeof own,
                                 .name = "own",
                                 .protocols = KW_REBALANCE_EAGER,
                                 .ctx = &script,
                                 .scratch_size = own_scratch,
                                 .assign = own_assign,
                                 .user_data = own_data,
                                 .assignment_data = own_note,
                                 .on_assignment = own_told};

static void begin(unsigned protocols)
{
    memset(&script, 0, sizeof script);
    script.owner = -2;
    script.data_rc = 1;
    script.data_len = 5;
    script.generation = script.own_generation = -1;
    own.protocols = protocols;
    own.size = sizeof own;
    group_begin(&bed, NULL);
}

static struct bed_member *join(void)
{
    struct bed_member *member = bed_join(&bed, own_way);
    cr_assert_eq(kw_consumer_add_assignor(member->consumer, &own), 0);
    bed_subscribe(member);
    return member;
}

static void settle(void)
{
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 3000));
    bed_produce(&bed, 5);
    cr_assert(bed_drained(&bed, 3000));
}

Test(group_own, it_is_asked_for_all_that_it_can_say_and_told_what_came_of_it)
{
    begin(KW_REBALANCE_EAGER);
    script.scratch = 1000;
    join();
    settle();
    cr_assert_eq(script.n_assign, 1);
    cr_assert_eq(script.n_hello, 1);
    cr_assert_eq(script.own_generation, -1, "it was never given anything");
    cr_assert_eq(script.n_told, 1);
    cr_assert_eq(script.told_n, BED_PARTITIONS);
    cr_assert_str_eq(script.told, "note");
    int32_t first = script.told_generation;
    cr_assert_geq(first, 0);
    join();
    settle();
    cr_assert_eq(script.n_hello, 2);
    cr_assert_eq(script.n_told, 3);
    cr_assert_eq(script.told_n, 3);
    cr_assert_gt(script.told_generation, first);
    cr_assert_eq(script.generation, first, "members say in which generation they were");
    cr_assert_eq(script.n_claims, 0, "eager ones have nothing when they join");
    bed_each_once(&bed);
    group_end(&bed);
}

/* A program that was built before the later functions were there. */
Test(group_own, an_older_table_is_good_too)
{
    begin(KW_REBALANCE_EAGER);
    own.size = offsetof(struct kw_assignor, assignment_data);
    join();
    settle();
    cr_assert_eq(script.n_told, 0);
    group_end(&bed);
}

/* It moves everything at once in each rebalance, which is wrong for a cooperative one. */
Test(group_own, a_cooperative_one_that_takes_from_who_still_has_it_is_held_back)
{
    begin(KW_REBALANCE_EAGER | KW_REBALANCE_COOPERATIVE);
    join();
    settle();
    join();
    settle();
    for (int i = 0; i < 4; i++) {
        script.shift++;
        cr_assert_eq(kw_core_rejoin(bed.members[0].consumer, NULL), 0);
        cr_assert_eq(kw_core_rejoin(bed.members[1].consumer, NULL), 0);
        settle();
        cr_assert_eq(bed_owned(&bed.members[0]), 3);
    }
    cr_assert_gt(bed.members[0].n_taken, 3, "and yet it moves");
    cr_assert_eq(bed.members[0].n_lost + bed.members[1].n_lost, 0);
    bed_each_once(&bed);
    group_end(&bed);
}

/* The one that leads is told, is out, and the other goes on without it. */
static void wrong(int code, const char *text)
{
    struct bed_member *leader = &bed.members[0];
    for (int i = 0; i < 300 && leader->n_error == 0; i++)
        bed_run(&bed, 10);
    cr_assert_eq(leader->n_error, 1);
    cr_assert_eq(leader->code, code, "%d: %s", leader->code, leader->text);
    cr_assert(strstr(leader->text, text), "%s", leader->text);
    unsigned n = script.n_assign;
    bed_run(&bed, 500);
    cr_assert_eq(leader->n_error, 1);
    cr_assert_eq(script.n_assign, n, "it is not tried again by itself");
    cr_assert_eq(bed_owned(leader), 0);
    /* Nothing of it stands in the way of the next ones. */
    script.fails = 0;
    script.owner = -2;
    script.scratch = 0;
    script.data_rc = 1;
    script.data_len = 5;
    script.data_lie = 0;
    join();
    bed_run(&bed, 500);
    cr_assert(bed_settled(&bed, 1000), "no session of a dead member is waited for");
    bed_subscribe(leader); /* and it may come back */
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 3000));
    cr_assert_eq(bed_owned(leader), 3);
    group_end(&bed);
}

Test(group_own, an_error_of_assign_is_told)
{
    begin(KW_REBALANCE_EAGER);
    script.fails = KW_ERR_LIMIT;
    join();
    wrong(KW_ERR_LIMIT, "assignor own failed");
}

Test(group_own, an_owner_that_there_is_not_is_told)
{
    static const int32_t owners[] = {1, 7, INT32_MAX, INT32_MIN, -3};
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
        begin(i % 2 ? KW_REBALANCE_EAGER : KW_REBALANCE_EAGER | KW_REBALANCE_COOPERATIVE);
        script.owner = owners[i];
        join();
        wrong(KW_ERR_STATE, "which cannot own it");
    }
}

Test(group_own, one_that_wants_more_memory_than_there_is_is_told)
{
    begin(KW_REBALANCE_EAGER);
    script.scratch = SIZE_MAX - 7;
    join();
    wrong(KW_ERR_LIMIT, "bytes to work in");
}

Test(group_own, user_data_that_is_wrong_is_told)
{
    static const struct {
        int rc;
        size_t len, lie;
        int code;
    } rows[] = {{KW_ERR_UNSUPPORTED, 0, 0, KW_ERR_UNSUPPORTED},
                {KW_ERR_SPACE, SIZE_MAX, 0, KW_ERR_LIMIT},
                {KW_ERR_SPACE, KW_ASSIGN_DATA_MAX + 1, 0, KW_ERR_LIMIT},
                {KW_ERR_SPACE, 3, 0, KW_ERR_STATE}, /* and SPACE again */
                {1, 5, 6, KW_ERR_STATE},
                {1, 5, SIZE_MAX, KW_ERR_STATE},
                {2, 0, 0, KW_ERR_STATE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(KW_REBALANCE_EAGER);
        script.data_rc = rows[i].rc;
        script.data_len = rows[i].len;
        script.data_lie = rows[i].lie;
        join();
        wrong(rows[i].code, "no good user data");
    }
}

Test(group_own, tables_that_are_not_whole_are_refused)
{
    struct kw_assignor tables[7];
    static const char *const names[] = {"a,b", "", "a b"};
    begin(KW_REBALANCE_EAGER);
    struct bed_member *member = bed_join(&bed, own_way);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        tables[i] = own;
    tables[0].size = offsetof(struct kw_assignor, assignment_data) - 1;
    tables[1].name = NULL;
    tables[2].assign = NULL;
    tables[3].protocols = 4;
    for (int i = 0; i < 3; i++)
        tables[4 + i].name = names[i];
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        cr_assert_eq(kw_consumer_add_assignor(member->consumer, &tables[i]), KW_ERR_USE, "%lu",
                     (unsigned long)i);
    cr_assert_eq(kw_consumer_add_assignor(member->consumer, &own), 0);
    cr_assert_eq(kw_consumer_add_assignor(member->consumer, &own), KW_ERR_USE, "twice");
    static const char *const more[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        tables[i] = own;
        tables[i].name = more[i];
        cr_assert_eq(kw_consumer_add_assignor(member->consumer, &tables[i]),
                     i < 3 ? 0 : KW_ERR_LIMIT);
    }
    bed_subscribe(member);
    cr_assert_eq(kw_consumer_add_assignor(member->consumer, &tables[3]), KW_ERR_STATE);
    cr_assert(bed_settled(&bed, 3000));
    group_end(&bed);
}
