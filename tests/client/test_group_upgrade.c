/* Groups that change over from one assignor to another while they work: two rolling
 * restarts, between which all members have both, as Kafka's documentation says. In each
 * step nothing has two owners (group_bed.h) and no record is handled twice.
 *
 * covers: G12 G13 G17 */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/api.h"
#include "proto/group.h"
#include "proto/header.h"
#include "tests/sim/group_bed.h"

static struct group_bed bed;

static const char *const old_way[] = {"partition.assignment.strategy=range", NULL};
static const char *const both[] = {"partition.assignment.strategy=range,cooperative-sticky", NULL};
static const char *const reverse[] = {"partition.assignment.strategy=cooperative-sticky,range",
                                      NULL};
static const char *const new_way[] = {"partition.assignment.strategy=cooperative-sticky", NULL};

/* What the last JoinGroup offered, and what each SyncGroup said was chosen. */
static char offered[128], chosen[64];

static void hear(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    struct kw_join_group_request join;
    struct kw_join_group_request_protocol protocol;
    struct kw_sync_group_request sync;
    struct kw_iter it;
    size_t at, n = 0;
    (void)ctx;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &at), 0);
    if (header.api_key == KW_API_JOIN_GROUP) {
        cr_assert_eq(
            kwi_join_group_request_decode(&join, header.api_version, frame + at, len - at, NULL),
            0);
        for (kwi_iter_init(&it, &join.protocols); kwi_iter_next(&it, &protocol); n++) {
            cr_assert_lt(n + (size_t)protocol.name.len + 1, sizeof offered);
            memcpy(offered + n, protocol.name.ptr, (size_t)protocol.name.len);
            n += (size_t)protocol.name.len;
            offered[n] = ',';
        }
        offered[n ? n - 1 : 0] = '\0';
    }
    if (header.api_key == KW_API_SYNC_GROUP) {
        cr_assert_eq(
            kwi_sync_group_request_decode(&sync, header.api_version, frame + at, len - at, NULL),
            0);
        cr_assert_lt((size_t)sync.protocol_name.len, sizeof chosen);
        memcpy(chosen, sync.protocol_name.ptr, (size_t)sync.protocol_name.len);
        chosen[sync.protocol_name.len] = '\0';
    }
}

static void settle(void)
{
    bed_run(&bed, 1200);
    cr_assert(bed_settled(&bed, 4000));
    bed_produce(&bed, 10);
    cr_assert(bed_drained(&bed, 4000));
}

static void begin(const char *const *settings)
{
    group_begin(&bed, NULL);
    bed.pair.on_request = hear;
    bed_subscribe(bed_join(&bed, settings));
    bed_subscribe(bed_join(&bed, settings));
    bed_subscribe(bed_join(&bed, settings));
    settle();
}

/* One after the other of the last three members is stopped, and started anew. */
static void restart(const char *const *settings)
{
    unsigned first = bed.n_members - 3;
    for (unsigned i = 0; i < 3; i++) {
        unsigned done = bed.n_done;
        bed_produce(&bed, 5);
        bed_close(&bed.members[first + i], KW_LEAVE_DEFAULT, 3000);
        for (int k = 0; k < 200 && bed.n_done == done; k++)
            bed_run(&bed, 10);
        cr_assert_eq(bed.op_code, 0);
        bed_run(&bed, 100);
        bed_subscribe(bed_join(&bed, settings));
        settle();
        for (unsigned m = 0; m < bed.n_members; m++)
            cr_assert_eq(bed.members[m].n_lost + bed.members[m].n_error, 0, "%s",
                         bed.members[m].text);
    }
}

/* What each of the last three gave up since. */
static unsigned taken(unsigned *before)
{
    unsigned n = 0;
    for (unsigned m = 0; m < bed.n_members; m++)
        n += bed.members[m].n_taken;
    n -= *before;
    *before += n;
    return n;
}

static void rebalance(void)
{
    for (unsigned m = bed.n_members - 3; m < bed.n_members; m++)
        cr_assert_eq(kw_core_rejoin(bed.members[m].consumer, NULL), 0);
    settle();
}

Test(group_upgrade, the_default_is_that_of_java)
{
    group_begin(&bed, NULL);
    bed.pair.on_request = hear;
    bed_subscribe(bed_join(&bed, NULL));
    settle();
    cr_assert_str_eq(offered, "range,cooperative-sticky");
    cr_assert_str_eq(chosen, "range");
    group_end(&bed);
}

Test(group_upgrade, from_range_to_cooperative_sticky)
{
    unsigned before = 0;
    begin(old_way);
    restart(both);
    cr_assert_str_eq(chosen, "range");
    (void)taken(&before);
    rebalance();
    cr_assert_geq(taken(&before), BED_PARTITIONS, "all of it: the old way still");
    restart(new_way);
    cr_assert_str_eq(chosen, "cooperative-sticky");
    (void)taken(&before);
    rebalance();
    cr_assert_eq(taken(&before), 0, "nothing moves, so nothing is given up");
    bed_each_once(&bed);
    group_end(&bed);
}

Test(group_upgrade, from_cooperative_sticky_back_to_range)
{
    unsigned before = 0;
    begin(new_way);
    rebalance();
    (void)taken(&before);
    restart(both);
    cr_assert_str_eq(chosen, "range");
    (void)taken(&before);
    rebalance();
    cr_assert_geq(taken(&before), BED_PARTITIONS, "everything is revoked first");
    restart(old_way);
    cr_assert_str_eq(chosen, "range");
    (void)taken(&before);
    rebalance();
    cr_assert_geq(taken(&before), BED_PARTITIONS);
    bed_each_once(&bed);
    group_end(&bed);
}

/* Members that have both and like the new one better are eager until nobody has the old
 * one; the assignor of the new one is used all the same. */
Test(group_upgrade, with_the_new_one_first_in_the_list)
{
    unsigned before = 0;
    begin(old_way);
    restart(reverse);
    cr_assert_str_eq(chosen, "cooperative-sticky");
    (void)taken(&before);
    rebalance();
    cr_assert_geq(taken(&before), BED_PARTITIONS, "who can be asked to use range is eager");
    restart(new_way);
    (void)taken(&before);
    rebalance();
    cr_assert_eq(taken(&before), 0);
    bed_each_once(&bed);
    group_end(&bed);
}

/* Eager members of a sticky group have nothing when they join: what they had stands in
 * their user data. */
Test(group_upgrade, sticky_members_say_what_they_had_and_keep_it)
{
    static const char *const sticky[] = {"partition.assignment.strategy=sticky", NULL};
    bool had[2][BED_PARTITIONS];
    bed_two_members(&bed, sticky);
    for (int round = 0; round < 3; round++) {
        for (int m = 0; m < 2; m++)
            memcpy(had[m], bed.members[m].owns, sizeof had[m]);
        if (round == 1)
            bed_subscribe(bed_join(&bed, sticky));
        else
            cr_assert_eq(kw_core_rejoin(bed.members[0].consumer, NULL), 0);
        settle();
        for (int m = 0; m < 2; m++)
            for (int p = 0; p < BED_PARTITIONS; p++)
                cr_assert(!bed.members[m].owns[p] || had[m][p], "member %d got partition %d", m, p);
        cr_assert_eq(bed_owned(&bed.members[0]), round ? 2 : 3);
    }
    bed_each_once(&bed);
    group_end(&bed);
}

/* Half way: a cooperative member keeps what it has beside eager ones, which give up all. */
Test(group_upgrade, eager_and_cooperative_members_in_one_group)
{
    for (int i = 0; i < 2; i++) {
        group_begin(&bed, NULL);
        bed_subscribe(bed_join(&bed, i ? both : new_way));
        settle();
        bed_subscribe(bed_join(&bed, i ? new_way : both));
        settle();
        unsigned keeper = (unsigned)i, other = 1 - keeper;
        unsigned kept = bed.members[keeper].n_taken, given = bed.members[other].n_taken;
        for (int k = 0; k < 4; k++) {
            cr_assert_eq(kw_core_rejoin(bed.members[(unsigned)k % 2].consumer, NULL), 0);
            settle();
        }
        cr_assert_eq(bed.members[keeper].n_taken, kept);
        cr_assert_gt(bed.members[other].n_taken, given);
        cr_assert_eq(bed_owned(&bed.members[0]), 3);
        bed_each_once(&bed);
        group_end(&bed);
    }
}

/* The application takes no events while partitions come and go again: what was not heard
 * of is no news, and no room is missing for what is. */
Test(group_upgrade, partitions_that_go_before_the_application_heard_of_them)
{
    static const char *const modern[] = {"group.protocol=consumer", NULL};
    for (int i = 0; i < 2; i++) {
        const char *const *way = i ? modern : new_way;
        group_begin(&bed, NULL);
        bed.pair.no_events = true;
        for (int k = 0; k < 3; k++) {
            bed_subscribe(bed_join(&bed, way));
            for (int ms = 0; ms < 1500; ms += 10)
                sim_pair_step(&bed.pair, 10000);
        }
        cr_assert(!bed.pair.memory.damaged);
        cr_assert_eq(bed_group(&bed).n_members, 3);
        kw_core_destroy(bed.pair.core);
        bed.pair.core = NULL;
        cr_assert_eq(bed.pair.memory.n_live, 0);
        cr_assert(!bed.pair.memory.damaged);
        sim_pair_deinit(&bed.pair);
    }
}
