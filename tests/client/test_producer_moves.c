/* A producer while metadata comes and goes: topics and partitions that some brokers do not
 * know, leaders that some brokers still name.
 *
 * covers: P11 P12 P24 P26 */
#include <string.h>

#include "client/producer.h"
#include "tests/client/make_bed.h"

static const char *const small[] = {"linger.ms=0", "batch.size=1000", NULL};
static const char *const restless[] = {"request.timeout.ms=1000",
                                       "retry.backoff.ms=10",
                                       "retry.backoff.max.ms=100",
                                       "reconnect.backoff.ms=10",
                                       "reconnect.backoff.max.ms=100",
                                       "metadata.max.age.ms=30",
                                       NULL};

static uint64_t n_ids(void)
{
    return kwi_mock_n_requests(mbed.pair.mock, 22); /* InitProducerId */
}

/* ---- P11 -------------------------------------------------------------------------------- */

/* Were its sequence state thrown away with the topic, the next batch would begin at 0
 * again, and the broker would take it for a duplicate of the first: lost, and reported as
 * delivered. */
static void forgetful(const char *fault)
{
    make_start_of(&(struct kw_mock_config){.n_brokers = 1}, 2, restless, small);
    for (int i = 0; i < 5; i++) {
        make(i % 2, 100);
        make_settle();
    }
    uint64_t n_before = n_ids();
    make_fault("produce:1:close-before"); /* it restarts */
    make_fault("produce:2:error=3");      /* UNKNOWN_TOPIC_OR_PARTITION */
    make_fault(fault);
    for (int i = 0; i < 60; i++) {
        make(i % 2, 130);
        sim_pair_step(&mbed.pair, 25000);
    }
    make_settle();
    cr_assert_gt(mbed.n_metadata, 10, "%u answers", mbed.n_metadata);
    cr_assert_eq(mbed.n_of[KW_DELIVERED], mbed.n_made);
    make_check_order(2);
    cr_assert_eq(n_ids(), n_before, "another id was asked for");
    for (uint32_t i = 0; i < mbed.n_sights; i++) {
        cr_assert_eq(mbed.sights[i].producer_id, mbed.sights[0].producer_id);
        cr_assert_eq(mbed.sights[i].epoch, mbed.sights[0].epoch);
    }
    make_stop();
}

Test(producer_moves, a_topic_that_a_restarting_broker_forgot_keeps_its_sequence)
{
    forgetful("metadata:3-8:omit:topic=t");
    forgetful("metadata:3-8:error=3:topic=t");
    forgetful("metadata:/2:error=3:topic=t");
    forgetful("metadata:/2:error=5:partition=1"); /* LEADER_NOT_AVAILABLE */
}

/* ---- P24 -------------------------------------------------------------------------------- */

/* Two of three brokers tell of the old leader for ever. Each record goes straight to the
 * new one all the same, however often they say so. */
Test(producer_moves, metadata_that_is_older_than_what_is_known_is_not_followed)
{
    make_start_of(&(struct kw_mock_config){.n_brokers = 3}, 1, restless, small);
    make(0, 10);
    make_settle();
    kwi_mock_freeze_metadata(mbed.pair.mock, 0, true);
    kwi_mock_freeze_metadata(mbed.pair.mock, 2, true);
    cr_assert_eq(kwi_mock_set_leader(mbed.pair.mock, "t", 0, 1), 0);
    make(0, 10);
    make_settle();
    uint32_t n_before = mbed.n_requests, n_asked = mbed.n_metadata;
    for (int i = 0; i < 40; i++) {
        make(0, 10);
        make_run(100);
    }
    make_settle();
    cr_assert_gt(mbed.n_metadata - n_asked, 40, "the old news came %u times",
                 mbed.n_metadata - n_asked);
    cr_assert_eq(mbed.n_requests - n_before, 40, "%u requests for 40 records: it goes round",
                 mbed.n_requests - n_before);
    make_check_order(1);
    make_stop();
}

/* The same epoch again may name a leader where there was none, and brokers that tell no
 * epoch are believed. */
Test(producer_moves, an_epoch_that_is_the_same_or_absent_is_followed)
{
    static const struct kw_mock_versions plain[] = {{3, 1, 6}, {0, 3, 9}}; /* no epoch, no hint */
    make_start_of(&(struct kw_mock_config){.n_brokers = 3, .versions = plain, .n_versions = 2}, 1,
                  restless, small);
    for (int i = 0; i < 12; i++) {
        cr_assert_eq(kwi_mock_set_leader(mbed.pair.mock, "t", 0, i % 3), 0);
        make(0, 10);
        make_settle();
    }
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 12);
    make_check_order(1);
    cr_assert_eq(mbed.topic->meta->partitions[0].leader_epoch, -1);
    make_stop();

    make_start_of(&(struct kw_mock_config){.n_brokers = 2}, 1, restless, small);
    make_fault("metadata:3-6:error=5:partition=0"); /* LEADER_NOT_AVAILABLE, the same epoch */
    for (int i = 0; i < 10; i++) {
        make(0, 10);
        make_run(100);
    }
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 10);
    make_check_order(1);
    make_stop();
}

/* ---- P26 -------------------------------------------------------------------------------- */

/* Broker 1 has not heard of the new partition, and its leader has not either at first. */
Test(producer_moves, records_of_a_partition_that_one_broker_does_not_know_wait)
{
    struct kw_mock_fault fault;
    uint32_t id;
    make_start_of(&(struct kw_mock_config){.n_brokers = 2}, 2, restless, small);
    make(0, 10);
    make(1, 10);
    make_settle();
    cr_assert_eq(kwi_mock_add_partitions(mbed.pair.mock, "t", 3), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(mbed.topic) < 3; i++)
        make_run(20);
    cr_assert_eq(kw_topic_partitions(mbed.topic), 3);
    cr_assert_eq(kwi_mock_fault_parse("metadata:/2:omit:topic=t:partition=2", &fault, NULL), 0);
    cr_assert_eq(kwi_mock_fault_add(mbed.pair.mock, &fault, &id), 0);
    make_fault("produce:1-6:error=3:partition=2"); /* UNKNOWN_TOPIC_OR_PARTITION */
    for (int i = 0; i < 30; i++) {
        make(i % 3, 100);
        sim_pair_step(&mbed.pair, 10000);
    }
    make_settle();
    cr_assert_gt(kwi_mock_fault_hits(mbed.pair.mock, id), 2, "no answer was without it");
    cr_assert_eq(mbed.n_of[KW_DELIVERED], mbed.n_made);
    make_check_order(3);
    cr_assert_eq(kw_topic_partitions(mbed.topic), 3, "a partition does not go away");
    make_stop();
}

/* ---- P12 -------------------------------------------------------------------------------- */

static void make_anew(void)
{
    cr_assert_eq(kwi_mock_delete_topic(mbed.pair.mock, "t"), 0);
    cr_assert_eq(kwi_mock_create_topic(mbed.pair.mock, "t", 2), 0);
}

/* What was never offered goes to the new topic, in order, with numbers of its own. */
Test(producer_moves, records_that_wait_go_to_the_new_topic_under_a_new_epoch)
{
    make_start_of(&(struct kw_mock_config){.n_brokers = 1}, 2, restless, small);
    for (int i = 0; i < 6; i++) {
        make(i % 2, 100);
        make_settle();
    }
    uint32_t from_sight = mbed.n_sights, from = mbed.n_made;
    mbed.pair.refuse = true; /* they wait while it happens */
    for (uint32_t i = 0; i < mbed.pair.n_conns; i++)
        sim_pair_break(&mbed.pair, mbed.pair.conns[i]);
    make_anew();
    for (int i = 0; i < 40; i++)
        make(i % 2, 130);
    make_run(300);
    mbed.pair.refuse = false;
    make_settle();
    int64_t next[2] = {0, 0};
    for (uint32_t i = from; i < mbed.n_made; i++) {
        cr_assert_eq(mbed.fates[i].outcome, KW_DELIVERED, "record %u", i);
        cr_assert_eq(mbed.fates[i].offset, next[mbed.fates[i].partition]++, "record %u", i);
    }
    cr_assert_eq(make_log_end(0) + make_log_end(1), 40);
    for (uint32_t i = from_sight; i < mbed.n_sights; i++) {
        const struct make_sight *sight = &mbed.sights[i];
        bool is_first = true;
        for (uint32_t k = from_sight; k < i; k++)
            is_first = is_first && mbed.sights[k].partition != sight->partition;
        if (is_first)
            cr_assert_eq(sight->sequence, 0, "a number of the old topic reached the new one");
        cr_assert_gt(sight->epoch, mbed.sights[0].epoch);
    }
    cr_assert_gt(mbed.n_errors, 0);
    make_stop();
}

/* Written to the old topic, perhaps: nobody can know any more, and a second copy must not
 * come to stand in the new one. What was refused was not written, and goes there. */
Test(producer_moves, what_may_be_in_the_old_topic_is_unknown_and_not_sent_to_the_new)
{
    make_start_of(&(struct kw_mock_config){.n_brokers = 1}, 2, restless, small);
    make(0, 100);
    make(1, 100);
    make_settle();
    make_fault("produce:1:drop-answer");
    make(0, 100);
    make_run(100);
    mbed.pair.take_max = 0;
    make(0, 100); /* waits behind it */
    make(1, 100);
    make_anew();
    make_run(1500); /* request.timeout.ms=1000 */
    mbed.pair.take_max = SIZE_MAX;
    make_settle();
    cr_assert_eq(mbed.fates[2].outcome, KW_UNKNOWN);
    cr_assert_eq(mbed.fates[2].code, KW_ERR_RECREATED, "%s", kw_err_name(mbed.fates[2].code));
    cr_assert_eq(mbed.fates[3].outcome, KW_DELIVERED);
    cr_assert_eq(mbed.fates[4].outcome, KW_DELIVERED);
    cr_assert_eq(make_log_end(0), 1, "%d", (int)make_log_end(0));
    for (int i = 0; i < 10; i++)
        make(i % 2, 100);
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], mbed.n_made - 1);
    make_stop();
}

/* Links go one after the other: a partition that waited for one of them must not look at it
 * when its batch comes back from another. */
Test(producer_moves, a_client_may_go_while_a_partition_changes_its_leader)
{
    make_start_of(&(struct kw_mock_config){.n_brokers = 2}, 2, restless, small);
    make(1, 10); /* the link to the second broker is older */
    make_settle();
    make(0, 10);
    make_settle();
    make_fault("produce:*:drop-answer:broker=0");
    make(0, 10);
    make_run(20);
    cr_assert_eq(kwi_mock_set_leader(mbed.pair.mock, "t", 0, 1), 0);
    mbed.pair.refuse = true;
    for (uint32_t i = 0; i < mbed.pair.n_conns; i++)
        if (mbed.pair.conns[i]->up && mbed.pair.conns[i]->broker == 1)
            sim_pair_break(&mbed.pair, mbed.pair.conns[i]);
    make_run(200);
    make(0, 10);
    make_run(50);
    cr_assert(mbed.topic->parts[0]->ready, "it waits for the new leader");
    cr_assert_eq(mbed.topic->parts[0]->n_sent, 1, "and for the answer of the old one");
    make_stop();
}
