/* Fetching from a replica in the same rack (KIP-392): with a lease, and back to the
 * leader whenever that is the way on.
 *
 * covers: C07 C33 */
#include <stdio.h>

#include "tests/client/fetch_bed.h"

static const char *const near[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest",
                                   "client.rack=b", NULL};
static const char *const short_lease[] = {"metadata.max.age.ms=2000", NULL};

/* Two brokers: the leader of partition 0 stands in rack a, its follower in rack b. */
static void begin(const char *const *client, const char *const *consumer)
{
    const struct kw_mock_config two = {.n_brokers = 2, .replication_factor = 2};
    fetch_bed_begin(&two, 1, client);
    cr_assert_eq(kwi_mock_set_rack(fetch_bed.pair.mock, 0, "a"), 0);
    cr_assert_eq(kwi_mock_set_rack(fetch_bed.pair.mock, 1, "b"), 0);
    cr_assert_eq(kwi_mock_set_leader(fetch_bed.pair.mock, "t", 0, 0), 0);
    fetch_bed_make(0, 5, 30);
    fetch_bed_open(consumer);
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
}

/* Fetches that a broker gets within so long. */
static uint64_t fetches_of(uint32_t broker, uint64_t ms)
{
    char spec[64];
    struct kw_mock_fault fault;
    uint32_t id;
    snprintf(spec, sizeof spec, "fetch:*:throttle=0:broker=%u", broker);
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, NULL), 0);
    cr_assert_eq(kwi_mock_fault_add(fetch_bed.pair.mock, &fault, &id), 0);
    uint64_t before = kwi_mock_fault_hits(fetch_bed.pair.mock, id);
    fetch_bed_run(ms);
    uint64_t hits = kwi_mock_fault_hits(fetch_bed.pair.mock, id) - before;
    cr_assert_eq(kwi_mock_fault_remove(fetch_bed.pair.mock, id), 0);
    return hits;
}

Test(fetch_rack, the_leader_sends_us_to_the_replica_of_our_rack)
{
    begin(NULL, near);
    fetch_bed_run(200);
    fetch_bed_expect(0, 1);
    cr_assert_eq(fetch_bed.seen[0].n_eof, 1);
    cr_assert_eq(fetches_of(0, 500), 0, "the leader is left alone");
    cr_assert_geq(fetches_of(1, 500), 5);
    fetch_bed_make(0, 20, 30);
    fetch_bed_run(200);
    fetch_bed_expect(0, 1);
    fetch_bed_end();
}

Test(fetch_rack, without_a_rack_the_leader_is_asked)
{
    begin(NULL, (const char *const[]){"fetch.max.wait.ms=50", NULL});
    fetch_bed_run(200);
    cr_assert_eq(fetches_of(1, 500), 0);
    fetch_bed_end();
}

Test(fetch_rack, the_leader_is_asked_again_when_the_lease_is_over)
{
    begin(short_lease, near);
    fetch_bed_run(1000);
    uint64_t leader = fetches_of(0, 4000);
    cr_assert(leader >= 1 && leader <= 3, "%lu", (unsigned long)leader);
    /* It leads itself to where we stand: nobody is nearer any more. */
    cr_assert_eq(kwi_mock_set_rack(fetch_bed.pair.mock, 0, "b"), 0);
    fetch_bed_run(2500);
    cr_assert_eq(fetches_of(1, 500), 0);
    cr_assert_geq(fetches_of(0, 500), 5);
    fetch_bed_make(0, 20, 30);
    fetch_bed_run(200);
    fetch_bed_expect(0, 1);
    fetch_bed_end();
}

/* Out of range at the follower is no reason to go elsewhere in the log: a reset to the
 * end would skip records. */
Test(fetch_rack, out_of_range_at_a_follower_is_asked_of_the_leader_and_resets_nothing)
{
    begin(NULL, (const char *const[]){"fetch.max.wait.ms=50", "client.rack=b",
                                      "auto.offset.reset=latest", NULL});
    fetch_bed_fault("fetch:1-5:error=OFFSET_OUT_OF_RANGE:broker=1");
    fetch_bed_seek(0, KW_START_OFFSET, 0);
    fetch_bed_run(1000);
    fetch_bed_expect(0, 1);
    cr_assert_eq(fetch_bed.seen[0].n, 5);
    fetch_bed_end();
}

static void survive(const char *spec)
{
    begin(NULL, near);
    fetch_bed_fault(spec);
    unsigned before = fetch_bed.n_said;
    for (int i = 0; i < 10; i++) {
        fetch_bed_make(0, 2, 30);
        fetch_bed_run(100);
    }
    fetch_bed_run(1500);
    fetch_bed_expect(0, 1);
    cr_assert_leq(fetch_bed.n_said - before, 250, "%s: %u fetches", spec,
                  fetch_bed.n_said - before);
    fetch_bed_end();
}

Test(fetch_rack, a_follower_that_refuses_or_hangs_up_costs_a_turn_at_the_leader)
{
    survive("fetch:/2:error=NOT_LEADER_OR_FOLLOWER:broker=1");
    survive("fetch:*:error=UNKNOWN_LEADER_EPOCH:broker=1");
    survive("fetch:*:error=REPLICA_NOT_AVAILABLE:broker=1");
    survive("fetch:/2:error=OFFSET_OUT_OF_RANGE:broker=1");
    survive("fetch:/3:close-after:broker=1");
    survive("fetch:*:close-before:broker=1");
    survive("fetch:/3:error=FETCH_SESSION_ID_NOT_FOUND");
}

Test(fetch_rack, a_follower_that_goes_down_is_left_for_the_leader)
{
    begin(NULL, near);
    fetch_bed_run(300);
    kwi_mock_broker_down(fetch_bed.pair.mock, 1, false);
    fetch_bed_make(0, 5, 30);
    fetch_bed_run(500);
    fetch_bed_expect(0, 1);
    cr_assert_geq(fetches_of(0, 500), 5);
    kwi_mock_broker_up(fetch_bed.pair.mock, 1);
    fetch_bed_run(10500); /* for so long the leader is not told where we stand */
    fetch_bed_make(0, 5, 30);
    fetch_bed_run(500);
    fetch_bed_expect(0, 1);
    cr_assert_geq(fetches_of(1, 500), 5, "it is back");
    fetch_bed_end();
}

/* The leader moves to the follower, and back. */
Test(fetch_rack, a_moved_leader_is_asked_who_is_nearer)
{
    begin(NULL, near);
    for (int i = 0; i < 6; i++) {
        fetch_bed_run(200);
        cr_assert_eq(kwi_mock_set_leader(fetch_bed.pair.mock, "t", 0, (i + 1) % 2), 0);
        fetch_bed_make(0, 3, 30);
    }
    fetch_bed_run(10500);
    fetch_bed_expect(0, 1);
    cr_assert_geq(fetches_of(1, 500), 5);
    fetch_bed_end();
}
