/* covers: G34 G35 G37
 * From subscriptions to assignments: order, repairs, limits, bytes. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "tests/assign/bed.h"

Test(plan, range_gives_consecutive_partitions_of_each_topic)
{
    bed_expect("range T t0:3 t1:3 M C0:::-:0,1:: C1:::-:0,1:: = 0,0,1,0,0,1");
    bed_expect("range T t0:2 t1:2 M C0:::-:0,1:: C1:::-:0,1:: C2:::-:0:: = 0,1,0,1");
    bed_expect("range T t0:5 M a:::-:0:: b:::-:0:: c:::-:0:: = 0,0,1,1,2");
}

Test(plan, range_and_roundrobin_take_static_members_first)
{
    bed_expect("range T t0:3 M C2:i2::-:0:: C3:i1::-:0:: = 1,1,0");
    bed_expect("range T t0:3 M C1:::-:0:: C2:i1::-:0:: = 1,1,0");
    bed_expect("roundrobin T t0:3 M C1:::-:0:: C2:i2::-:0:: C3:i1::-:0:: = 2,1,0");
}

Test(plan, roundrobin_passes_over_who_does_not_subscribe)
{
    bed_expect("roundrobin T t0:3 t1:3 M C0:::-:0,1:: C1:::-:0,1:: = 0,1,0,1,0,1");
    bed_expect("roundrobin T t0:1 t1:2 t2:3 M C0:::-:0:: C1:::-:0,1:: C2:::-:0,1,2:: = "
               "0,1,2,2,2,2");
}

Test(plan, range_prefers_the_rack_within_the_same_numbers)
{
    bed_expect("range T t0:3:a/b/c M x::c:-1:0:: y::b:-1:0:: z::a:-1:0:: = 2,1,0");
    /* Topics that are joined stay together, even where that crosses racks. */
    bed_expect("range T t0:2:a/b t1:2:a/b M x::b:-1:0,1:: y::a:-1:0,1:: = 1,0,1,0");
    bed_expect("range T t0:2:a/b t1:2:b/a M x::b:-1:0,1:: y::a:-1:0,1:: = 0,1,0,1");
}

Test(plan, the_order_of_the_answer_does_not_matter)
{
    struct bed *bed = bed_parse("range T t0:7 M a:::-:0:: b:::-:0:: c:::-:0::");
    struct kw_plan_member *blobs = bed_blobs(bed), first = blobs[0];
    struct kw_plan *plan;
    blobs[0] = blobs[2];
    blobs[2] = first;
    cr_assert_eq(kwi_plan_create(&plan, &bed->heap, blobs, 3, NULL), 0);
    bed_metadata(bed, plan);
    cr_assert_eq(kwi_plan_assign(plan, &kw_assignor_range, NULL), 0);
    cr_expect_str_eq(bed_owners(bed, plan), "0,0,0,1,1,2,2");
    cr_expect_eq(kwi_plan_repairs(plan, NULL), 0);
    cr_expect_eq(memcmp(kwi_plan_member_id(plan, 2).ptr, "c", 1), 0);
    kwi_plan_destroy(plan);
    bed_blobs_free(bed, blobs);
    bed_free(bed);
}

Test(plan, a_member_that_cannot_be_read_gets_nothing_and_the_others_go_on)
{
    struct bed *bed = bed_parse("range T t0:4 M a:::-:0:: b:::-:0:: c:::-:0::");
    struct kw_plan_member *blobs = bed_blobs(bed);
    size_t whole = (size_t)blobs[1].metadata.len;
    const uint8_t *bytes = blobs[1].metadata.ptr;
    /* Cut at each byte. Where the user data ends, what is left is a subscription of an
     * older version. */
    for (size_t len = 0; len < whole; len++) {
        uint8_t *cut = malloc(len ? len : 1);
        const char *first;
        struct kw_plan *plan;
        memcpy(cut, bytes, len);
        blobs[1].metadata = (struct kw_blob){cut, (int32_t)len};
        cr_assert_eq(kwi_plan_create(&plan, &bed->heap, blobs, 3, NULL), 0);
        bed_metadata(bed, plan);
        cr_assert_eq(kwi_plan_assign(plan, &kw_assignor_range, NULL), 0);
        if (kwi_plan_repairs(plan, &first)) {
            cr_expect_neq(len, 14);
            cr_expect_str_eq(first,
                             "group member b: its subscription cannot be read, so it gets nothing");
            cr_expect_str_eq(bed_owners(bed, plan), "0,0,2,2");
        } else {
            cr_expect_eq(len, 14);
            cr_expect_str_eq(bed_owners(bed, plan), "0,0,1,2");
        }
        kwi_plan_destroy(plan);
        free(cut);
    }
    blobs[1].metadata = (struct kw_blob){bytes, (int32_t)whole};
    bed_blobs_free(bed, blobs);
    bed_free(bed);
}

Test(plan, what_is_named_twice_counts_once_and_what_does_not_exist_not_at_all)
{
    /* b subscribes twice to t0, and c to a topic that the cluster does not have. */
    struct bed *bed =
        bed_parse("range T t0:2 t1:0 M a:::-:0:: b:::-:0,0:0.1,0.1,0.0: c:::-:1:0.7:");
    struct kw_plan *plan = bed_assign(bed, &kw_assignor_range);
    const struct kw_assign_group *group = kwi_plan_group(plan);
    cr_expect_str_eq(bed_owners(bed, plan), "0,1");
    cr_expect_eq(group->members[1].n_topics, 1);
    cr_expect_eq(group->members[1].n_owned, 2);
    cr_expect(group->members[1].owned[0] == 0 && group->members[1].owned[1] == 1);
    cr_expect_eq(group->members[2].n_owned, 0);
    cr_expect_eq(kwi_plan_repairs(plan, NULL), 1);
    kwi_plan_destroy(plan);
    bed_free(bed);
}

Test(plan, of_two_members_with_one_id_the_last_counts)
{
    struct bed *bed = bed_parse("range T t0:2 t1:2 M a:::-:0:: a:::-:1:: b:::-:0,1::");
    struct kw_plan *plan = bed_assign(bed, &kw_assignor_range);
    cr_expect_eq(kwi_plan_n_members(plan), 2);
    cr_expect_str_eq(bed_owners(bed, plan), "1,1,0,1");
    cr_expect_eq(kwi_plan_repairs(plan, NULL), 1);
    kwi_plan_destroy(plan);
    bed_free(bed);
}

Test(plan, an_assignment_is_read_as_it_was_made)
{
    struct bed *bed = bed_parse("range T t0:3 t1:2 M a:::-:0,1:: b:::-:0::");
    struct kw_plan *plan = bed_assign(bed, &kw_assignor_range);
    static const uint8_t a[] = {
        0,    0,    0,    0,   0, 2,                               /* v0, two topics */
        0,    2,    't',  '0', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, /* 0 and 1 */
        0,    2,    't',  '1', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1,
        0xff, 0xff, 0xff, 0xff}; /* no user data */
    static const uint8_t b[] = {0, 0, 0, 0, 0, 1, 0, 2,    't',  '0',  0,
                                0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff};
    uint8_t buf[64];
    struct kw_wr w = kwi_wr_make(buf, sizeof buf);
    cr_assert_eq(kwi_plan_encode(plan, 0, &w), 0);
    cr_assert_eq(w.len, sizeof a);
    cr_expect_arr_eq(buf, a, sizeof a);
    w = kwi_wr_make(buf, sizeof buf);
    cr_assert_eq(kwi_plan_encode(plan, 1, &w), 0);
    cr_assert_eq(w.len, sizeof b);
    cr_expect_arr_eq(buf, b, sizeof b);
    w = kwi_wr_make(buf, sizeof b - 1);
    cr_expect_eq(kwi_plan_encode(plan, 1, &w), KW_ERR_SPACE);
    kwi_plan_destroy(plan);
    bed_free(bed);
}

Test(plan, limits_are_typed_and_name_the_remedy)
{
    struct bed *bed = bed_parse("range T t0:2 M a:::-:0::");
    struct kw_plan_member *blobs = bed_blobs(bed);
    struct kw_plan *plan;
    struct kw_error err;
    cr_expect_eq(kwi_plan_create(&plan, &bed->heap, blobs, 0, &err), KW_ERR_PROTOCOL);
    cr_expect_eq(kwi_plan_create(&plan, &bed->heap, blobs, KWI_PLAN_MEMBERS_MAX + 1, &err),
                 KW_ERR_LIMIT);
    cr_expect_str_eq(err.text, "the group has 10001 members, and its leader assigns at most 10000");
    cr_expect(strstr(err.hint, "group.protocol=consumer"));
    cr_assert_eq(kwi_plan_create(&plan, &bed->heap, blobs, 1, &err), 0);
    kwi_plan_set_topic(plan, 0, KWI_PLAN_PARTITIONS_MAX + 1, NULL, 0);
    cr_expect_eq(kwi_plan_assign(plan, &kw_assignor_range, &err), KW_ERR_LIMIT);
    kwi_plan_destroy(plan);
    bed_blobs_free(bed, blobs);
    bed_free(bed);
}

static int wrong_owner(void *ctx, const struct kw_assign_group *group, int32_t *owners,
                       void *scratch)
{
    (void)group;
    (void)scratch;
    owners[0] = *(int32_t *)ctx;
    return *(int32_t *)ctx == -100 ? KW_ERR_UNSUPPORTED : 0;
}

Test(plan, what_an_own_assignor_does_wrong_is_refused)
{
    struct bed *bed = bed_parse("own T t0:1 t1:1 M a:::-:0,1:: b:::-:1::");
    struct kw_plan_member *blobs = bed_blobs(bed);
    int32_t owner;
    struct kw_assignor own = {
        .size = sizeof own, .name = "own", .protocols = 1, .ctx = &owner, .assign = wrong_owner};
    static const struct {
        int32_t owner;
        int rc;
    } rows[] = {{-1, 0},
                {0, 0},
                {1, KW_ERR_STATE},
                {2, KW_ERR_STATE},
                {-2, KW_ERR_STATE},
                {INT32_MAX, KW_ERR_STATE},
                {-100, KW_ERR_UNSUPPORTED}};
    struct kw_plan *plan;
    struct kw_error err;
    cr_assert_eq(kwi_plan_create(&plan, &bed->heap, blobs, 2, NULL), 0);
    bed_metadata(bed, plan);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        owner = rows[i].owner;
        cr_expect_eq(kwi_plan_assign(plan, &own, &err), rows[i].rc, "%d", owner);
    }
    owner = 1;
    cr_expect_eq(kwi_plan_assign(plan, &own, &err), KW_ERR_STATE);
    cr_expect_str_eq(err.text, "assignor own gave partition 0 of t0 to 1, which cannot own it");
    kwi_plan_destroy(plan);
    bed_blobs_free(bed, blobs);
    bed_free(bed);
}

Test(plan, the_protocol_is_the_best_that_all_assignors_support)
{
    static const struct kw_assignor both = {
        .name = "x", .protocols = KW_REBALANCE_EAGER | KW_REBALANCE_COOPERATIVE};
    static const struct kw_assignor cooperative = {.name = "y",
                                                   .protocols = KW_REBALANCE_COOPERATIVE};
    const struct kw_assignor *list[] = {&both, &kw_assignor_range, &cooperative};
    cr_expect_eq(kwi_assignors_protocol(list, 1), KW_REBALANCE_COOPERATIVE);
    cr_expect_eq(kwi_assignors_protocol(list, 2), KW_REBALANCE_EAGER);
    cr_expect_eq(kwi_assignors_protocol(list, 3), 0);
    cr_expect_eq(kwi_assignors_protocol(list, 0), 0);
    cr_expect_eq(kwi_assignor_builtin("range", 5), &kw_assignor_range);
    cr_expect_eq(kwi_assignor_builtin("rang", 4), NULL);
    cr_expect_eq(kwi_assignor_builtin("org.apache.kafka.clients.consumer.RoundRobinAssignor", 52),
                 &kw_assignor_roundrobin);
}

/* Java's sticky assignor goes round for ever here (docs/decisions/0015). */
Test(plan, moves_that_are_exchanged_come_to_an_end)
{
    bed_expect("sticky T t0:7 t1:3 t2:20 t3:16 M B3bfe0557:::1:0,1,2,3:1.0-2,2.1,2.3,2.5,2.7,2.9,"
               "2.11,2.13,2.15,2.17,2.19:1 Be36362a5:::-1:1,3:: a00acc5f6:::1:0,1,2,3:2.0,2.2,2.4,"
               "2.6,2.8,2.10,2.12,2.14,2.16,2.18,3.11,3.13,3.15:1 a554e33d0:::-1:0,3:: "
               "a887c1af8:::1:0:0.0,0.2,0.4,0.6:1 zb3355e5b:::1:3:3.0-10,3.12,3.14:1 "
               "~2f7c8cf1:::1:0:0.1,0.3,0.5:1 ~edd97fdc:::-1:1:: = 4,4,6,6,4,6,4,7,7,7,2,0,2,0,2,0,"
               "2,0,2,0,2,0,2,0,2,0,2,0,2,0,1,3,1,3,1,3,1,5,5,5,5,3,5,1,5,3");
}
