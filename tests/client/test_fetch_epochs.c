/* Logs that are cut (KIP-320): seen by the leader epoch, told with both offsets, and
 * where reading goes on; and that nothing else is taken for it.
 *
 * covers: C01 C02 C03 C04 C05 C34 C35 */
#include <stdio.h>
#include <string.h>

#include "proto/api.h"
#include "tests/client/fetch_bed.h"

static const char *const quick[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest", NULL};
static const char *const none[] = {"fetch.max.wait.ms=50", "auto.offset.reset=none", NULL};

/* Ten records in ten batches, all of them read. */
static void begin(const struct kw_mock_config *config, const char *const *consumer)
{
    fetch_bed_begin(config, 1, NULL);
    for (int i = 0; i < 10; i++)
        fetch_bed_make(0, 1, 30);
    fetch_bed_open(consumer);
    fetch_bed_assign(0, 1, KW_START_OFFSET, 0);
    fetch_bed_run(200);
    fetch_bed_expect(0, 1);
}

/* The log ends at `offset`; what is made from then on has these offsets again. */
static void cut(int64_t offset)
{
    cr_assert_eq(kwi_mock_cut(fetch_bed.pair.mock, "t", 0, offset), 0);
    fetch_bed.seen[0].made = offset;
}

static void expect_told(int64_t at, const char *text)
{
    const struct fetch_seen *seen = &fetch_bed.seen[0];
    cr_assert_eq(seen->n_error, 1, "told %u times", seen->n_error);
    cr_assert_eq(seen->error, KW_ERR_TRUNCATED, "%s", seen->text);
    cr_assert_eq(seen->error_offset, at, "at %lld", (long long)seen->error_offset);
    cr_assert(strstr(seen->text, text), "%s", seen->text);
    cr_assert(strstr(seen->hint, "unclean"), "%s", seen->hint);
}

/* The new records are read from the cut on, though the log is longer than it was. */
static void goes_on(const struct kw_mock_config *config)
{
    begin(config, quick);
    cut(6);
    fetch_bed.seen[0].next = 6;
    for (int i = 0; i < 8; i++)
        fetch_bed_make(0, 1, 30);
    fetch_bed_run(500);
    expect_told(6, "was cut at 6, and it had been read to 10");
    cr_assert_eq(fetch_bed.seen[0].next, 14);
    cr_assert_eq(fetch_bed.seen[0].n, 18, "each of the new ones, once");
    fetch_bed_end();
}

Test(fetch_epochs, a_cut_log_is_told_and_read_from_the_cut_on)
{
    goes_on(NULL);
}

/* Without the epoch in Fetch the leader is asked when metadata tells of a new epoch. */
Test(fetch_epochs, a_cut_log_is_seen_by_a_question_where_fetch_cannot)
{
    static const struct kw_mock_versions old[] = {{KW_API_FETCH, 4, 11}};
    const struct kw_mock_config config = {.n_brokers = 1, .versions = old, .n_versions = 1};
    goes_on(&config);
}

Test(fetch_epochs, without_a_policy_the_partition_stops_at_its_position)
{
    begin(NULL, none);
    cut(6);
    for (int i = 0; i < 8; i++)
        fetch_bed_make(0, 1, 30);
    fetch_bed_run(500);
    expect_told(10, "was cut at 6, and it had been read to 10");
    cr_assert_eq(fetch_bed.seen[0].n, 10);
    fetch_bed_seek(0, KW_START_OFFSET, 6);
    fetch_bed_run(300);
    cr_assert_eq(fetch_bed.seen[0].next, 14);
    fetch_bed_end();
}

/* A new epoch without a loss, again and again, with every kind of trouble meanwhile. */
static void no_loss(const char *spec)
{
    const struct kw_mock_config two = {.n_brokers = 2};
    begin(&two, none);
    if (spec)
        fetch_bed_fault(spec);
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(kwi_mock_set_leader(fetch_bed.pair.mock, "t", 0, i % 2), 0);
        fetch_bed_run(30);
        fetch_bed_make(0, 2, 30);
        fetch_bed_run(200);
    }
    fetch_bed_run(3000);
    fetch_bed_expect(0, 1);
    cr_assert_eq(fetch_bed.seen[0].n, 26);
    cr_assert_gt(kwi_mock_n_requests(fetch_bed.pair.mock, KW_API_OFFSET_FOR_LEADER_EPOCH), 0);
    cr_assert_leq(kwi_mock_n_requests(fetch_bed.pair.mock, KW_API_OFFSET_FOR_LEADER_EPOCH), 60);
    fetch_bed_end();
}

Test(fetch_epochs, a_new_leader_with_the_same_log_loses_nothing)
{
    no_loss(NULL);
}

Test(fetch_epochs, a_question_that_fails_is_asked_again_and_resets_nothing)
{
    no_loss("offsetforleaderepoch:/2:error=FENCED_LEADER_EPOCH");
    no_loss("offsetforleaderepoch:/2:error=UNKNOWN_LEADER_EPOCH");
    no_loss("offsetforleaderepoch:/2:error=NOT_LEADER_OR_FOLLOWER");
    no_loss("offsetforleaderepoch:/2:close-before");
    no_loss("offsetforleaderepoch:/2:close-after");
    no_loss("offsetforleaderepoch:1:drop-answer");
    no_loss("offsetforleaderepoch:*:error=TOPIC_AUTHORIZATION_FAILED");
}

Test(fetch_epochs, a_seek_while_it_is_asked_makes_the_answer_void)
{
    begin(NULL, none);
    for (int i = 0; i < 30; i++) {
        cut(9);
        fetch_bed_make(0, 3, 30);
        sim_pair_step(&fetch_bed.pair, 1 + (uint64_t)i * 613 % 30000);
        fetch_bed_seek(0, KW_START_OFFSET, 2);
        fetch_bed_run(200);
        cr_assert_eq(fetch_bed.seen[0].next, 12);
    }
    fetch_bed_end();
}

/* A broker that offers no version with which everybody may ask. */
Test(fetch_epochs, a_broker_that_cannot_tell_is_read_from_all_the_same)
{
    static const struct kw_mock_versions old[] = {{KW_API_FETCH, 4, 11},
                                                  {KW_API_OFFSET_FOR_LEADER_EPOCH, 2, 2}};
    const struct kw_mock_config config = {.n_brokers = 2, .versions = old, .n_versions = 2};
    begin(&config, quick);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(kwi_mock_set_leader(fetch_bed.pair.mock, "t", 0, i % 2), 0);
        fetch_bed_make(0, 2, 30);
        fetch_bed_run(300);
    }
    fetch_bed_expect(0, 1);
    cr_assert_eq(kwi_mock_n_requests(fetch_bed.pair.mock, KW_API_OFFSET_FOR_LEADER_EPOCH), 0);
    fetch_bed_end();
}
