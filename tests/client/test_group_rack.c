/* Where members stand (KIP-881): client.rack is told to whoever assigns, the leader of a
 * classic group knows in which racks the replicas are, and looks out for changes.
 *
 * covers: G37 */
#include <criterion/criterion.h>
#include <string.h>

#include "client/cluster.h"
#include "client/core.h"
#include "proto/consumer_group.h"
#include "proto/consumer_protocol.h"
#include "proto/group.h"
#include "proto/api.h"
#include "proto/header.h"
#include "tests/sim/group_bed.h"

static struct group_bed bed;

/* What joins said of racks. */
static unsigned n_joins, n_a, n_b, n_null;

static void note(struct kw_str rack)
{
    cr_assert(rack.len == -1 || rack.len == 1);
    n_null += rack.len == -1;
    n_a += rack.len == 1 && rack.ptr[0] == 'a';
    n_b += rack.len == 1 && rack.ptr[0] == 'b';
}

static void hear_join(const uint8_t *body, size_t len, int16_t version)
{
    struct kw_join_group_request msg;
    struct kw_join_group_request_protocol protocol;
    struct kw_consumer_protocol_subscription sub;
    struct kw_iter it;
    int got;
    cr_assert_eq(kwi_join_group_request_decode(&msg, version, body, len, NULL), 0);
    for (kwi_iter_init(&it, &msg.protocols); kwi_iter_next(&it, &protocol);) {
        cr_assert_eq(kwi_subscription_get(&protocol.metadata, &sub, &got, NULL), 0);
        cr_assert_eq(got, 3);
        note(sub.rack_id);
    }
    n_joins++;
}

static void hear(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    struct kw_consumer_group_heartbeat_request beat;
    size_t at;
    (void)ctx;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &at), 0);
    if (header.api_key == KW_API_JOIN_GROUP)
        hear_join(frame + at, len - at, header.api_version);
    if (header.api_key != KW_API_CONSUMER_GROUP_HEARTBEAT)
        return;
    cr_assert_eq(kwi_consumer_group_heartbeat_request_decode(&beat, header.api_version, frame + at,
                                                             len - at, NULL),
                 0);
    if (beat.member_epoch == 0) {
        note(beat.rack_id);
        n_joins++;
    } else if (beat.member_epoch > 0 && beat.rebalance_timeout_ms < 0) {
        cr_assert_eq(beat.rack_id.len, -1, "only where everything is told");
    }
}

/* Partitions go round two brokers: even ones are in rack a, odd ones in rack b. */
static void begin(void)
{
    const struct kw_mock_config lone = {.n_brokers = 2, .replication_factor = 1};
    group_begin_with(&bed, NULL, &lone, NULL);
    cr_assert_eq(kwi_mock_set_rack(bed.pair.mock, 0, "a"), 0);
    cr_assert_eq(kwi_mock_set_rack(bed.pair.mock, 1, "b"), 0);
    bed.pair.on_request = hear;
    n_joins = n_a = n_b = n_null = 0;
}

static void join_two(const char *strategy)
{
    const char *const a[] = {"client.rack=a", strategy, NULL};
    const char *const b[] = {"client.rack=b", strategy, NULL};
    bed_subscribe(bed_join(&bed, b));
    bed_run(&bed, 500);
    bed_subscribe(bed_join(&bed, a));
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 3000));
}

/* Each one has what is near it. */
static bool near_ones(unsigned member, int odd)
{
    for (int p = 0; p < BED_PARTITIONS; p++)
        if (bed.members[member].owns[p] != (p % 2 == odd))
            return false;
    return true;
}

Test(group_rack, partitions_go_to_members_in_the_rack_of_a_replica)
{
    static const char *const strategies[] = {"partition.assignment.strategy=range",
                                             "partition.assignment.strategy=sticky",
                                             "partition.assignment.strategy=cooperative-sticky"};
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++) {
        begin();
        join_two(strategies[i]);
        cr_assert(near_ones(0, 1) && near_ones(1, 0), "%s", strategies[i]);
        cr_assert(n_a > 0 && n_b > 0 && n_null == 0);
        group_end(&bed);
    }
}

Test(group_rack, members_without_a_rack_cost_nothing_and_say_nothing)
{
    n_a = n_b = n_null = 0;
    bed_two_members(&bed, NULL);
    cr_assert_eq(kwi_mock_set_rack(bed.pair.mock, 0, "a"), 0);
    bed.pair.on_request = hear;
    cr_assert_eq(kw_core_rejoin(bed.members[0].consumer, NULL), 0);
    bed_run(&bed, 1500);
    cr_assert_gt(n_null, 0);
    cr_assert_eq(n_a + n_b, 0);
    cr_assert_eq(kwi_racks_n(bed.pair.core), 0);
    cr_assert_eq(bed.pair.core->cluster.racks.n_users, 0);
    group_end(&bed);
}

Test(group_rack, what_moves_to_another_rack_makes_the_group_rebalance)
{
    begin();
    join_two(NULL);
    cr_assert(near_ones(0, 1) && near_ones(1, 0));
    unsigned joins = n_joins;
    bed_run(&bed, 5000); /* metadata comes, and says the same */
    cr_assert_eq(n_joins, joins);
    cr_assert_eq(kwi_mock_set_rack(bed.pair.mock, 0, "b"), 0);
    cr_assert_eq(kwi_mock_set_rack(bed.pair.mock, 1, "a"), 0);
    bed_run(&bed, 4000);
    cr_assert(bed_settled(&bed, 3000));
    cr_assert(near_ones(0, 0) && near_ones(1, 1));
    group_end(&bed);
}

/* The leader gives its partitions up before it joins again, and the plan stays meanwhile:
 * its racks are of the topic as it was. */
Test(group_rack, a_topic_that_grew_is_looked_at_again_before_the_leader_joins)
{
    static const char *const settings[] = {"client.rack=a", "partition.assignment.strategy=range",
                                           "rebalance.ack.timeout.ms=2000", NULL};
    static const char *const topics[] = {"grows"};
    struct kw_error err;
    begin();
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "grows", 5), 0);
    struct bed_member *member = bed_join(&bed, settings);
    cr_assert_eq(kw_core_subscribe(member->consumer, topics, 1, &err), 0);
    bed_run(&bed, 1000);
    cr_assert_eq(member->n_assigned, 1);
    member->no_ack = true;
    unsigned joins = n_joins;
    cr_assert_eq(kwi_mock_add_partitions(bed.pair.mock, "grows", 64), 0);
    for (unsigned i = 0; i < 3; i++) {
        kwi_cluster_refresh(bed.pair.core);
        bed_run(&bed, 300);
    }
    cr_assert_eq(member->n_revoked, 1);
    cr_assert_eq(n_joins, joins, "it waits for the application");
    cr_assert_eq(kw_core_rebalance_ack(member->consumer), 0);
    bed_run(&bed, 1000);
    cr_assert_eq(n_joins, joins + 1);
    cr_assert_eq(member->n_assigned, 2);
    group_end(&bed);
}

/* Of the members, only the second one says where it stands: the leader, who was there
 * first, does not look for changes, but knows the racks when it assigns. */
Test(group_rack, a_leader_without_a_rack_assigns_by_racks_and_does_not_watch_them)
{
    /* range takes static members first, and one without a rack has no wishes. */
    static const char *const a[] = {"client.rack=a", "group.instance.id=one", NULL};
    begin();
    bed_subscribe(bed_join(&bed, NULL));
    bed_run(&bed, 500);
    bed_subscribe(bed_join(&bed, a));
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 3000));
    cr_assert(near_ones(1, 0));
    unsigned joins = n_joins;
    cr_assert_eq(kwi_mock_set_rack(bed.pair.mock, 0, "b"), 0);
    cr_assert_eq(kwi_mock_set_rack(bed.pair.mock, 1, "a"), 0);
    bed_run(&bed, 5000);
    cr_assert_eq(n_joins, joins);
    /* The next rebalance, whatever for, sees it. */
    cr_assert_eq(kw_core_rejoin(bed.members[0].consumer, NULL), 0);
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 3000));
    cr_assert(near_ones(1, 1));
    group_end(&bed);
}

Test(group_rack, a_member_of_the_new_protocol_tells_its_rack_when_it_joins)
{
    static const char *const modern[] = {"group.protocol=consumer", "client.rack=a", NULL};
    begin();
    bed_subscribe(bed_join(&bed, modern));
    bed_run(&bed, 500);
    cr_assert_eq(n_joins, 1);
    cr_assert_eq(n_a, 1);
    bed_run(&bed, 1000);
    group_end(&bed);
}

/* What is wanted of racks ends with the group, whoever else uses the topic. */
Test(group_rack, nothing_is_kept_when_nobody_leads_any_more)
{
    struct kw_error err;
    begin();
    join_two(NULL);
    cr_assert_eq(kwi_racks_n(bed.pair.core), 2);
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(kw_core_subscribe(bed.members[i].consumer, NULL, 0, &err), 0);
    bed_run(&bed, 1000);
    cr_assert_eq(kwi_racks_n(bed.pair.core), 0);
    cr_assert_eq(bed.pair.core->cluster.racks.n_users, 0);
    group_end(&bed);
}
