/* Members of a classic group: joining, sharing, giving up, losing, leaving, and every
 * error of the coordinator on the way.
 *
 * covers: C26 C62 G01 G02 G03 G05 G06 G07 G08 G09 G10 G11 G14 G17 G19 G20 G22 G27 G28 G29 G34
 * G38 G39 G40 G43 G44 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/group_bed.h"

static struct group_bed bed;

/* ---- joining and sharing ------------------------------------------------------------------ */

Test(group, one_member_gets_everything_and_commits_what_it_handled)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    bed_subscribe(bed_join(&bed, NULL));
    cr_assert(bed_settled(&bed, 2000));
    cr_assert(bed_drained(&bed, 2000));
    bed_run(&bed, 300);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.committed[p], 20, "%lld", (long long)bed.committed[p]);
    cr_assert_eq(bed.members[0].n_assigned, 1);
    cr_assert_eq(bed.members[0].n_lost + bed.members[0].n_revoked, 0);
    /* Heartbeats go on, whatever the application does, and nothing else happens. */
    uint64_t beats = kwi_mock_n_requests(bed.pair.mock, 12);
    uint64_t joins = kwi_mock_n_requests(bed.pair.mock, 11);
    bed_run(&bed, 2000);
    cr_assert_geq(kwi_mock_n_requests(bed.pair.mock, 12), beats + 9);
    cr_assert_leq(kwi_mock_n_requests(bed.pair.mock, 12), beats + 11);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), joins);
    group_end(&bed);
}

Test(group, two_members_share_and_the_one_that_stays_gets_all)
{
    bed_two_members(&bed, NULL);
    bed_produce(&bed, 20);
    cr_assert(bed_drained(&bed, 2000));
    struct kw_error err;
    cr_assert_eq(kw_core_subscribe(bed.members[0].consumer, NULL, 0, &err), 0);
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed_owned(&bed.members[0]), 0);
    cr_assert_eq(bed_owned(&bed.members[1]), BED_PARTITIONS);
    cr_assert_eq(bed_group(&bed).n_members, 1);
    bed_produce(&bed, 5);
    cr_assert(bed_drained(&bed, 2000));
    bed_subscribe(&bed.members[0]); /* and back */
    bed_run(&bed, 1500);
    cr_assert_eq(bed_owned(&bed.members[0]), 3);
    group_end(&bed);
}

/* A broker reads nothing behind a join that it has not answered, and answers it when the
 * slowest member has come. Who leaves meanwhile does not wait for that. */
Test(group, unsubscribing_while_a_join_hangs_leaves_at_once)
{
    static const char *const patient[] = {"rebalance.ack.timeout.ms=2500", NULL};
    struct kw_error err;
    bed_two_members(&bed, patient);
    bed.ack_ms = 2500;
    struct bed_member *member = &bed.members[0], *other = &bed.members[1];
    other->no_ack = true; /* it keeps what it has for as long as it may */
    cr_assert_eq(kw_core_rejoin(member->consumer, NULL), 0);
    for (int i = 0; i < 100 && other->n_revoked == 0; i++)
        bed_run(&bed, 10);
    bed_run(&bed, 100);
    cr_assert_eq(bed_group(&bed).state, KWI_MOCK_GROUP_PREPARING);
    cr_assert_eq(kw_core_subscribe(member->consumer, NULL, 0, &err), 0);
    bed_run(&bed, 300);
    cr_assert_eq(bed_group(&bed).n_members, 1);
    bed_subscribe(member); /* and it may come again at once */
    bed_run(&bed, 100);
    cr_assert_eq(bed_group(&bed).n_members, 2);
    cr_assert_eq(member->n_lost, 0);
    group_end(&bed);
}

/* The leader gives out what there is, not what the topic of that name had before. */
Test(group, a_topic_made_anew_with_fewer_partitions_is_shared_out_again)
{
    static const char *const fresh[] = {"metadata.max.age.ms=300", "retry.backoff.ms=20",
                                        "reconnect.backoff.ms=10", NULL};
    group_begin(&bed, fresh);
    bed_subscribe(bed_join(&bed, NULL));
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed_owned(&bed.members[0]), BED_PARTITIONS);
    cr_assert_eq(kwi_mock_delete_topic(bed.pair.mock, "t"), 0);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "t", 2), 0);
    bed.may_go_back = true;
    bed_run(&bed, 3000);
    cr_assert_eq(bed_owned(&bed.members[0]), 2);
    group_end(&bed);
}

/* A broker that does not know a topic for a moment has not deleted it; when all say so for
 * some time the group shares out what is left, and what comes under that name later. */
Test(group, a_topic_that_is_gone_for_good_is_shared_out_no_more)
{
    static const char *const fresh[] = {"metadata.max.age.ms=300", "retry.backoff.ms=20",
                                        "reconnect.backoff.ms=10", NULL};
    static const char *const both[] = {"t", "u"};
    int64_t offset;
    group_begin(&bed, fresh);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "u", 2), 0);
    struct bed_member *member = bed_join(&bed, NULL);
    cr_assert_eq(kw_core_subscribe(member->consumer, both, 2, NULL), 0);
    bed_run(&bed, 2000);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    uint64_t n_joins = kwi_mock_n_requests(bed.pair.mock, 11);
    bed_fault(&bed, "metadata:1-3:error=3");
    bed_run(&bed, 5000);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), n_joins, "it was there all the time");
    cr_assert_eq(kwi_mock_delete_topic(bed.pair.mock, "t"), 0);
    bed.may_go_back = true;
    bed_run(&bed, 6000);
    cr_assert_eq(bed_owned(member), 0);
    cr_assert_eq(kw_position(member->consumer, "u", 1, &offset), 0, "the other one stays");
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), n_joins + 1);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "t", BED_PARTITIONS), 0);
    bed_run(&bed, 3000);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    group_end(&bed);
}

/* Brokers that have no ids of topics: that it is another one shows only in that there was
 * none for a while. */
Test(group, a_topic_without_an_id_that_was_gone_comes_again_with_fewer_partitions)
{
    static const char *const fresh[] = {"metadata.max.age.ms=300", "retry.backoff.ms=20",
                                        "reconnect.backoff.ms=10", NULL};
    group_begin_of(&bed, fresh, "2.1", NULL);
    struct bed_member *member = bed_join(&bed, NULL);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(kwi_mock_delete_topic(bed.pair.mock, "t"), 0);
    bed.may_go_back = true;
    bed_run(&bed, 6000);
    cr_assert_eq(bed_owned(member), 0);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "t", 2), 0);
    bed_run(&bed, 3000);
    cr_assert_eq(bed_owned(member), 2);
    group_end(&bed);
}

/* One broker does not know the topic, which others have denied for long: of these two the
 * last one alone would say that it is gone, and it says so once. */
Test(group, a_topic_that_was_denied_is_not_gone_when_one_broker_does_not_know_it)
{
    static const char *const fresh[] = {"metadata.max.age.ms=300", "retry.backoff.ms=20",
                                        "reconnect.backoff.ms=10", NULL};
    group_begin(&bed, fresh);
    struct bed_member *member = bed_join(&bed, NULL);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    uint64_t n_joins = kwi_mock_n_requests(bed.pair.mock, 11);
    uint64_t n_asked = kwi_mock_n_requests(bed.pair.mock, 3);
    bed_fault(&bed, "metadata:1-20:error=29");
    bed_fault(&bed, "metadata:21:error=3");
    bed_run(&bed, 10000);
    cr_assert_geq(kwi_mock_n_requests(bed.pair.mock, 3), n_asked + 22);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), n_joins);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    group_end(&bed);
}

/* A commit that waited for its connection until the member was none any more. */
Test(group, what_was_lost_is_not_committed_when_the_coordinator_comes_back)
{
    static const char *const quiet[] = {"auto.commit.interval.ms=60000", NULL};
    int64_t before[BED_PARTITIONS];
    group_begin(&bed, NULL);
    bed_produce(&bed, 10);
    struct bed_member *member = bed_join(&bed, quiet);
    member->hold = true;
    bed_subscribe(member);
    cr_assert(bed_drained(&bed, 2000));
    for (int p = 0; p < BED_PARTITIONS; p++)
        before[p] = kwi_mock_committed(bed.pair.mock, "g", "t", p);
    bed.pair.hold_opens = true;
    for (uint32_t i = 0; i < bed.pair.n_conns; i++)
        if (bed.pair.conns[i]->up)
            sim_pair_break(&bed.pair, bed.pair.conns[i]);
    bed_release_held(member, KW_DONE);
    member->hold = false;
    (void)kw_core_commit(member->consumer, NULL, 20000, NULL);
    for (int i = 0; i < 400 && member->n_lost == 0; i++)
        bed_run(&bed, 10);
    cr_assert_eq(member->n_lost, 1);
    bed_fault(&bed, "joingroup:*:error=15"); /* nobody joins meanwhile */
    bed.pair.hold_opens = false;
    bed_run(&bed, 500);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(kwi_mock_committed(bed.pair.mock, "g", "t", p), before[p]);
    group_end(&bed);
}

/* Found by the fuzzer: a seek began the partition, and records of it came before the event
 * that says whose they are. */
Test(group, a_partition_that_was_not_told_yet_cannot_be_sought)
{
    struct kw_start start = {"t", 0, KW_START_EARLIEST, 0};
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    struct bed_member *member = bed_join(&bed, NULL);
    bed_subscribe(member);
    bed.pair.no_events = true;
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(kw_core_seek(member->consumer, &start), KW_ERR_STATE);
        bed_run(&bed, 10);
    }
    cr_assert_eq(bed_group(&bed).state, KWI_MOCK_GROUP_STABLE);
    cr_assert_eq(member->n_records, 0);
    bed.pair.no_events = false;
    cr_assert(bed_drained(&bed, 2000));
    cr_assert_eq(kw_core_seek(member->consumer, &start), 0);
    group_end(&bed);
}

Test(group, a_cooperative_member_gives_up_only_what_goes_elsewhere)
{
    static const char *const cooperative[] = {"partition.assignment.strategy=cooperative-sticky",
                                              NULL};
    bed_two_members(&bed, cooperative);
    cr_assert_eq(bed.members[0].n_taken, 3, "%u", bed.members[0].n_taken);
    cr_assert_eq(bed.members[1].n_taken, 0);
    bed_produce(&bed, 20);
    cr_assert(bed_drained(&bed, 2000));
    bed_subscribe(bed_join(&bed, cooperative));
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 2000));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(bed_owned(&bed.members[i]), 2);
    cr_assert_eq(bed.members[0].n_taken + bed.members[1].n_taken, 5);
    bed_produce(&bed, 20);
    cr_assert(bed_drained(&bed, 2000));
    bed_each_once(&bed);
    group_end(&bed);
}

Test(group, what_one_had_handled_is_not_handled_again_by_the_next)
{
    bed_two_members(&bed, NULL);
    bed_produce(&bed, 30);
    cr_assert(bed_drained(&bed, 3000));
    for (int i = 0; i < 4; i++) {
        struct kw_error err;
        cr_assert_eq(kw_core_subscribe(bed.members[i % 2].consumer, NULL, 0, &err), 0);
        bed_run(&bed, 1000);
        bed_produce(&bed, 10);
        bed_subscribe(&bed.members[i % 2]);
        bed_run(&bed, 1000);
    }
    cr_assert(bed_drained(&bed, 3000));
    bed_each_once(&bed);
    group_end(&bed);
}

Test(group, an_id_is_asked_for_and_used_at_once)
{
    group_begin(&bed, NULL);
    bed_subscribe(bed_join(&bed, NULL));
    bed_run(&bed, 60);
    cr_assert_eq(bed_owned(&bed.members[0]), BED_PARTITIONS, "MEMBER_ID_REQUIRED costs no pause");
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), 2);
    group_end(&bed);
}

Test(group, every_release_has_the_classic_protocol)
{
    static const char *const releases[] = {"2.1", "2.8", "3.3", "3.9", "4.0", "4.3"};
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
        const struct kw_mock_versions *versions;
        size_t n;
        cr_assert_eq(kwi_mock_release(releases[i], &versions, &n), 0);
        group_begin(&bed, NULL);
        kw_core_destroy(bed.pair.core);
        struct kw_mock_config config = {.alloc = sim_memory_alloc(&bed.pair.mock_memory),
                                        .n_brokers = 2,
                                        .versions = versions,
                                        .n_versions = n};
        sim_pair_forget_conns(&bed.pair);
        kwi_mock_destroy(bed.pair.mock);
        cr_assert_eq(kwi_mock_create(&bed.pair.mock, &config), 0);
        kwi_mock_step(bed.pair.mock, bed.pair.now);
        cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "t", BED_PARTITIONS), 0);
        kwi_mock_set_coordinator(bed.pair.mock, 1);
        cr_assert_eq(sim_pair_core(&bed.pair, NULL, NULL), 0);
        bed_subscribe(bed_join(&bed, NULL));
        bed_subscribe(bed_join(&bed, NULL));
        bed_run(&bed, 1500);
        cr_assert(bed_settled(&bed, 3000), "%s: %s", releases[i], bed.members[0].text);
        cr_assert_eq(bed_owned(&bed.members[0]), 3);
        group_end(&bed);
    }
}

/* ---- errors that heal ---------------------------------------------------------------------- */

/* With this fault two members share, all is handled, and nobody was told of an error. */
static void survive(const char *spec, bool back)
{
    group_begin(&bed, NULL);
    bed.may_go_back = back;
    bed_produce(&bed, 20);
    bed_fault(&bed, spec);
    bed_subscribe(bed_join(&bed, NULL));
    bed_run(&bed, 700);
    bed_subscribe(bed_join(&bed, NULL));
    bed_run(&bed, 3000);
    cr_assert(bed_settled(&bed, 12000), "%s", spec);
    bed_produce(&bed, 10);
    cr_assert(bed_drained(&bed, 5000), "%s", spec);
    cr_assert_eq(bed.members[0].n_error + bed.members[1].n_error, 0, "%s: %s", spec,
                 bed.members[0].text);
    bed_run(&bed, 1000);
    for (int i = 0; i < 80 && bed.committed[0] < 30; i++)
        bed_run(&bed, 100); /* a coordinator waits a session for a member that it lost */
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.committed[p], 30, "%s: partition %d at %lld", spec, p,
                     (long long)bed.committed[p]);
    group_end(&bed);
}

Test(group, errors_of_the_coordinator_heal)
{
    static const char *const apis[] = {"joingroup", "syncgroup", "heartbeat"};
    static const char *const what[] = {
        "1-2:error=14",   "1-2:error=15",  "1-2:error=16",    "1:error=27",     "2:error=27",
        "1:close-before", "1:close-after", "2:close-after",   "1:drop-request", "2:drop-answer",
        "1:cut=7",        "1:delay=150",   "/7:close-before", "1:error=-1"};
    for (size_t a = 0; a < sizeof apis / sizeof *apis; a++) {
        for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
            char spec[64];
            snprintf(spec, sizeof spec, "%s:%s", apis[a], what[i]);
            survive(spec, false);
        }
    }
}

Test(group, a_member_that_is_forgotten_joins_again)
{
    static const char *const specs[] = {"heartbeat:3:error=25",    "heartbeat:4:error=22",
                                        "syncgroup:2:error=25",    "syncgroup:1:error=22",
                                        "joingroup:3:error=25",    "offsetcommit:2:error=25",
                                        "offsetcommit:2:error=22", "offsetcommit:1:error=27"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        survive(specs[i], false);
}

Test(group, membership_that_is_void_is_told_as_lost_and_nothing_is_committed)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    struct bed_member *member = bed_join(&bed, NULL);
    member->hold = true;
    bed_subscribe(member);
    cr_assert(bed_drained(&bed, 2000));
    bed_fault(&bed, "heartbeat:1:error=25");
    for (int i = 0; i < 60 && member->n_lost == 0; i++)
        bed_run(&bed, 10);
    cr_assert_eq(member->n_lost, 1);
    cr_assert_eq(member->n_revoked, 0);
    cr_assert_eq(member->kafka_code, 25);
    uint64_t commits = kwi_mock_n_requests(bed.pair.mock, 8);
    for (unsigned i = 0; i < member->n_held; i++)
        cr_assert_null(kw_records_next(member->held[i]), "a lost handle shows nothing");
    bed_release_held(member, KW_DONE);
    bed_run(&bed, 300);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 8), commits);
    member->hold = false;
    cr_assert(bed_settled(&bed, 2000));
    bed_run(&bed, 1000);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.handled[p][0], 2, "what was lost comes again");
    group_end(&bed);
}

Test(group, the_coordinator_may_move_and_its_broker_may_die)
{
    bed_two_members(&bed, NULL);
    for (int i = 0; i < 6; i++) {
        kwi_mock_set_coordinator(bed.pair.mock, i % 2);
        bed_run(&bed, 300);
        cr_assert_eq(bed.members[0].n_lost + bed.members[1].n_lost, 0, "membership is kept");
    }
    kwi_mock_broker_down(bed.pair.mock, 1, false);
    bed_run(&bed, 1500);
    kwi_mock_broker_up(bed.pair.mock, 1);
    bed_run(&bed, 1500);
    bed_produce(&bed, 10);
    cr_assert(bed_drained(&bed, 4000));
    cr_assert_eq(bed.members[0].n_lost + bed.members[1].n_lost, 0);
    group_end(&bed);
}

Test(group, slow_answers_to_heartbeats_keep_the_member)
{
    bed_two_members(&bed, NULL);
    bed_fault(&bed, "heartbeat:*:delay=700");
    bed_run(&bed, 6000);
    cr_assert_eq(bed.members[0].n_lost + bed.members[1].n_lost, 0);
    cr_assert_eq(bed_owned(&bed.members[0]), 3);
    group_end(&bed);
}

/* The client's own request.timeout.ms is 1 s. */
Test(group, a_request_waits_for_as_long_as_its_consumer_says)
{
    static const char *const own[] = {"request.timeout.ms=200", "fetch.max.wait.ms=100", NULL};
    group_begin(&bed, NULL);
    bed_fault(&bed, "syncgroup:1:drop-request"); /* the leader's: nobody holds its answer */
    bed_fault(&bed, "leavegroup:1:drop-request");
    struct bed_member *member = bed_join(&bed, own);
    bed_subscribe(member);
    bed_run(&bed, 900);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    cr_assert_not_null(bed_close(member, KW_LEAVE_DEFAULT, 5000));
    bed_run(&bed, 400);
    cr_assert_eq(bed.n_done, 1, "LeaveGroup");
    group_end(&bed);
}

/* The coordinator holds a follower's SyncGroup until the leader has assigned: here it waits
 * for metadata of a topic that is new to it. */
Test(group, a_follower_waits_for_a_slow_leader_whatever_its_own_timeout)
{
    static const char *const own[] = {"request.timeout.ms=200", "fetch.max.wait.ms=100", NULL};
    static const char *const both[] = {"t", "u"};
    group_begin(&bed, NULL);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "u", 2), 0);
    bed_subscribe(bed_join(&bed, NULL));
    cr_assert(bed_settled(&bed, 2000));
    uint64_t n_syncs = kwi_mock_n_requests(bed.pair.mock, 14);
    bed_fault(&bed, "metadata:*:delay=900");
    struct bed_member *member = bed_join(&bed, own);
    cr_assert_eq(kw_core_subscribe(member->consumer, both, 2, NULL), 0);
    bed_run(&bed, 3000);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_gt(bed_owned(member), 0);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 14), n_syncs + 2, "one of each member");
    group_end(&bed);
}

/* ---- errors that do not ----------------------------------------------------------------------- */

static void refused(const char *spec, int16_t code)
{
    group_begin(&bed, NULL);
    bed_fault(&bed, spec);
    struct bed_member *member = bed_join(&bed, NULL);
    bed_subscribe(member);
    bed_run(&bed, 1500);
    cr_assert_eq(member->n_error, 1, "%s: %u errors", spec, member->n_error);
    cr_assert_eq(member->kafka_code, code, "%s: %s", spec, member->text);
    cr_assert(strstr(member->text, "group g"), "%s", member->text);
    uint64_t n = kwi_mock_n_requests(bed.pair.mock, -1);
    bed_run(&bed, 1000);
    cr_assert_leq(kwi_mock_n_requests(bed.pair.mock, -1), n + 2, "%s: it goes on asking", spec);
    cr_assert_eq(bed_owned(member), 0);
    group_end(&bed);
}

Test(group, errors_that_no_retry_helps_are_told_once)
{
    static const int16_t codes[] = {23, 24, 26, 30, 35, 81, 82};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char spec[64];
        snprintf(spec, sizeof spec, "joingroup:*:error=%d", codes[i]);
        refused(spec, codes[i]);
    }
    refused("syncgroup:*:error=23", 23);
    refused("syncgroup:*:error=30", 30);
    refused("heartbeat:2:error=82", 82);
    refused("heartbeat:2:error=30", 30);
    refused("findcoordinator:*:error=30", 30);
}

Test(group, a_new_subscription_leaves_the_refusal_behind)
{
    group_begin(&bed, NULL);
    bed_fault(&bed, "joingroup:1:error=81");
    struct bed_member *member = bed_join(&bed, NULL);
    bed_subscribe(member);
    bed_run(&bed, 500);
    cr_assert_eq(member->n_error, 1);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    group_end(&bed);
}

Test(group, a_subscription_that_makes_no_sense_is_refused)
{
    static const char *const bad[][2] = {{"partition.assignment.strategy=", "names no assignor"},
                                         {"partition.assignment.strategy=best", "no assignor best"},
                                         {"group.instance.id=a/b", "not a legal name"}};
    static const char *const topics[] = {"t"}, *const wrong[] = {"a b"};
    struct kw_error err;
    group_begin(&bed, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const settings[] = {bad[i][0], NULL};
        struct bed_member *member = bed_join(&bed, settings);
        cr_assert_eq(kw_core_subscribe(member->consumer, topics, 1, &err), KW_ERR_CONFIG);
        cr_assert(strstr(err.text, bad[i][1]), "%s", err.text);
    }
    struct bed_member *member = bed_join(&bed, NULL);
    cr_assert_eq(kw_core_subscribe(member->consumer, wrong, 1, &err), KW_ERR_USE);
    cr_assert_eq(kw_core_rebalance_ack(member->consumer), KW_ERR_STATE);
    cr_assert_eq(kw_core_rejoin(member->consumer, NULL), KW_ERR_STATE);
    struct kw_start start = {"t", 0, KW_START_EARLIEST, 0};
    cr_assert_eq(kw_core_assign(member->consumer, &start, 1, &err), 0);
    cr_assert_eq(kw_core_subscribe(member->consumer, topics, 1, &err), KW_ERR_STATE);
    cr_assert_eq(kw_core_assign(member->consumer, NULL, 0, &err), 0);
    bed_subscribe(member);
    cr_assert_eq(kw_core_assign(member->consumer, &start, 1, &err), KW_ERR_STATE);
    group_end(&bed);
}

/* ---- giving up ---------------------------------------------------------------------------------- */

Test(group, a_revoke_is_open_until_it_is_acknowledged)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    struct bed_member *first = bed_join(&bed, NULL);
    bed_subscribe(first);
    cr_assert(bed_drained(&bed, 2000));
    bed_run(&bed, 300);
    first->hold = first->no_ack = true;
    bed_produce(&bed, 20);
    cr_assert(bed_drained(&bed, 2000));
    bed_subscribe(bed_join(&bed, NULL));
    for (int i = 0; i < 50 && first->n_revoked == 0; i++)
        bed_run(&bed, 10);
    cr_assert_eq(first->n_revoked, 1);
    bed_run(&bed, 100); /* still open: the other one waits */
    cr_assert_eq(bed.members[1].n_assigned, 0);
    /* In an open revoke records may be ended and offsets committed. */
    bed_release_held(first, KW_DONE);
    unsigned done = bed.n_done;
    cr_assert_not_null(kw_core_commit(first->consumer, NULL, 1000, NULL));
    for (int i = 0; i < 20 && bed.n_done == done; i++)
        bed_run(&bed, 5);
    cr_assert_eq(bed.op_code, 0);
    struct kw_start back = {"t", 0, KW_START_EARLIEST, 0};
    cr_assert_eq(kw_core_seek(first->consumer, &back), KW_ERR_STATE);
    cr_assert_eq(kw_core_rebalance_ack(first->consumer), 0);
    cr_assert_eq(kw_core_rebalance_ack(first->consumer), KW_ERR_STATE);
    for (int p = 0; p < BED_PARTITIONS; p++)
        first->owns[p] = first->revoking[p] = false;
    first->revoke_us = 0;
    first->no_ack = false;
    bed_run(&bed, 1000);
    cr_assert(bed_settled(&bed, 2000));
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.handled[p][39], 1, "it was committed in time");
    group_end(&bed);
}

Test(group, a_revoke_that_nobody_acknowledges_ends_by_its_deadline)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    struct bed_member *first = bed_join(&bed, NULL);
    first->hold = true;
    bed_subscribe(first);
    cr_assert(bed_drained(&bed, 2000));
    first->no_ack = true;
    kw_core_records_release(first->held[0], KW_DONE);
    first->held[0] = first->held[--first->n_held];
    bed_subscribe(bed_join(&bed, NULL));
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed.members[1].n_lost + first->n_lost, 0);
    for (unsigned i = 0; i < first->n_held; i++)
        cr_assert_null(kw_records_next(first->held[i]));
    bed_release_held(first, KW_DONE); /* too late to count */
    first->hold = first->no_ack = false;
    cr_assert(bed_drained(&bed, 2000));
    bed_run(&bed, 500);
    int64_t sum = 0;
    for (int p = 0; p < BED_PARTITIONS; p++)
        sum += bed.committed[p];
    cr_assert_eq(sum, 20 * BED_PARTITIONS);
    group_end(&bed);
}

/* ---- time ---------------------------------------------------------------------------------------- */

Test(group, a_host_that_comes_too_late_is_told_and_does_no_harm)
{
    bed_two_members(&bed, NULL);
    bed.members[0].hold = bed.members[1].hold = true;
    bed_produce(&bed, 20);
    bed_run(&bed, 100);
    unsigned before = bed.members[0].n_records;
    sim_pair_step(&bed.pair, 60000000); /* nobody called process for a minute */
    bed_run(&bed, 10);
    cr_assert_gt(bed.members[0].n_late, 0);
    cr_assert_gt(bed.members[0].n_lost, 0);
    cr_assert(strstr(bed.members[0].text, "session.timeout.ms"), "%s", bed.members[0].text);
    cr_assert_eq(bed.members[0].n_records, before);
    bed_release_held(&bed.members[0], KW_DONE);
    bed_release_held(&bed.members[1], KW_DONE);
    bed.members[0].hold = bed.members[1].hold = false;
    bed_run(&bed, 2000);
    cr_assert(bed_settled(&bed, 5000));
    cr_assert(bed_drained(&bed, 5000));
    group_end(&bed);
}

Test(group, without_a_confirmed_heartbeat_nothing_is_handed_out_after_the_session)
{
    bed_two_members(&bed, NULL);
    bed.pair.hold_answers = true; /* the coordinator is silent, and so is everybody else */
    bed_run(&bed, 2300);
    cr_assert_eq(bed.members[0].n_lost, 1);
    cr_assert_eq(bed.members[1].n_lost, 1);
    bed.pair.hold_answers = false;
    bed_run(&bed, 3000);
    cr_assert(bed_settled(&bed, 8000));
    bed_produce(&bed, 5);
    cr_assert(bed_drained(&bed, 3000));
    group_end(&bed);
}

Test(group, a_member_that_does_not_poll_leaves_and_comes_back_with_the_next_poll)
{
    bed_two_members(&bed, NULL);
    struct bed_member *idle = &bed.members[0];
    idle->no_poll = true;
    bed_run(&bed, 4000); /* there is nothing to poll for: it stays */
    cr_assert_eq(idle->n_lost, 0);
    bed_produce(&bed, 10);
    bed_run(&bed, 3500);
    cr_assert_eq(idle->n_lost, 1);
    cr_assert(strstr(idle->text, "max.poll.interval.ms"), "%s", idle->text);
    bed_run(&bed, 1000);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed_owned(idle), 0);
    cr_assert_eq(bed_group(&bed).n_members, 1);
    idle->no_poll = false;
    bed_run(&bed, 2000);
    cr_assert_eq(bed_owned(idle), 3);
    cr_assert(bed_drained(&bed, 2000));
    group_end(&bed);
}

Test(group, work_on_a_handle_counts_against_the_poll_interval)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 3);
    struct bed_member *slow = bed_join(&bed, NULL);
    slow->hold = true;
    bed_subscribe(slow);
    cr_assert(bed_drained(&bed, 2000));
    slow->no_poll = true;
    bed_run(&bed, 2500);
    cr_assert_eq(slow->n_lost, 0);
    bed_run(&bed, 1000);
    cr_assert_eq(slow->n_lost, 1);
    bed_release_held(slow, KW_DONE);
    group_end(&bed);
}

Test(group, timeouts_near_the_largest_number_do_no_harm)
{
    static const char *const large[] = {"session.timeout.ms=2147483647",
                                        "max.poll.interval.ms=2147483647",
                                        "heartbeat.interval.ms=2147483646", NULL};
    group_begin(&bed, NULL);
    bed_fault(&bed, "heartbeat:*:error=25"); /* none is ever sent */
    bed_subscribe(bed_join(&bed, large));
    bed_run(&bed, 500);
    /* Kafka's limit is 30 minutes, and so is the model's. */
    cr_assert_eq(bed.members[0].kafka_code, 26, "%s", bed.members[0].text);
    group_end(&bed);
}

/* ---- static members --------------------------------------------------------------------------------- */

Test(group, a_static_member_that_comes_back_has_what_it_had)
{
    static const char *const named[] = {"group.instance.id=one", NULL};
    static const char *const other[] = {"group.instance.id=two", NULL};
    group_begin(&bed, NULL);
    bed_produce(&bed, 10);
    bed_subscribe(bed_join(&bed, named));
    bed_subscribe(bed_join(&bed, other));
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 3000));
    unsigned events = bed.members[1].n_assigned + bed.members[1].n_revoked;
    bool had[BED_PARTITIONS];
    memcpy(had, bed.members[0].owns, sizeof had);
    struct kw_error err;
    cr_assert_eq(kw_core_subscribe(bed.members[0].consumer, NULL, 0, &err), 0);
    bed_run(&bed, 300);
    cr_assert_eq(bed_group(&bed).n_members, 2, "it does not leave");
    bed_subscribe(bed_join(&bed, named));
    bed_run(&bed, 500);
    cr_assert_eq(memcmp(had, bed.members[2].owns, sizeof had), 0);
    bed_run(&bed, 3000);
    cr_assert_eq(bed.members[1].n_assigned + bed.members[1].n_revoked, events,
                 "the other one noticed nothing");
    group_end(&bed);
}

Test(group, of_two_members_with_one_name_the_older_is_fenced)
{
    static const char *const named[] = {"group.instance.id=one", NULL};
    group_begin(&bed, NULL);
    bed_subscribe(bed_join(&bed, named));
    cr_assert(bed_settled(&bed, 2000));
    struct bed_member *second = bed_join(&bed, named);
    /* Who is declared dead keeps nothing, but it must hear of it first. */
    bed.members[0].no_poll = true;
    static const char *const topics[] = {"t"};
    struct kw_error err;
    bed_fault(&bed, "syncgroup:*:delay=300");
    cr_assert_eq(kw_core_subscribe(second->consumer, topics, 1, &err), 0);
    bed_run(&bed, 1500);
    cr_assert_eq(bed.members[0].n_error, 1);
    cr_assert_eq(bed.members[0].kafka_code, 82);
    cr_assert_eq(bed_owned(second), BED_PARTITIONS);
    group_end(&bed);
}

/* ---- subscriptions ------------------------------------------------------------------------------------ */

Test(group, a_subscription_may_change_at_any_moment_and_the_last_one_counts)
{
    static const char *const both[] = {"t", "u"}, *const none[] = {"nothing"};
    struct kw_error err;
    for (int wait = 0; wait < 12; wait++) {
        group_begin(&bed, NULL);
        cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "u", 2), 0);
        bed_fault(&bed, "joingroup:*:delay=20");
        bed_fault(&bed, "syncgroup:*:delay=20");
        struct bed_member *member = bed_join(&bed, NULL);
        bed_subscribe(member);
        bed_run(&bed, (uint64_t)wait * 10);
        cr_assert_eq(kw_core_subscribe(member->consumer, none, 1, &err), 0);
        bed_run(&bed, (uint64_t)wait * 5);
        cr_assert_eq(kw_core_subscribe(member->consumer, both, 2, &err), 0);
        bed_run(&bed, 1500);
        cr_assert(bed_settled(&bed, 3000));
        cr_assert_eq(member->n_error, 0, "%s", member->text);
        int64_t offset;
        cr_assert_eq(kw_position(member->consumer, "u", 1, &offset), 0);
        group_end(&bed);
    }
}

Test(group, a_topic_that_comes_later_is_shared_out)
{
    static const char *const both[] = {"t", "later"};
    struct kw_error err;
    int64_t offset;
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, NULL);
    cr_assert_eq(kw_core_subscribe(member->consumer, both, 2, &err), 0);
    cr_assert(bed_settled(&bed, 8000));
    cr_assert_eq(kw_position(member->consumer, "later", 0, &offset), KW_ERR_STATE);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "later", 3), 0);
    bed_run(&bed, 3500);
    for (int32_t p = 0; p < 3; p++)
        cr_assert_eq(kw_position(member->consumer, "later", p, &offset), 0);
    group_end(&bed);
}

Test(group, the_application_may_ask_for_a_rebalance)
{
    bed_two_members(&bed, NULL);
    unsigned before = bed.members[1].n_assigned;
    cr_assert_eq(kw_core_rejoin(bed.members[0].consumer, "for the test"), 0);
    bed_run(&bed, 1000);
    cr_assert(bed_settled(&bed, 2000));
    /* The leader's wish is granted; a follower's with the same subscription is not. */
    cr_assert_gt(bed.members[0].n_assigned + bed.members[1].n_assigned, before);
    group_end(&bed);
}

/* ---- the end --------------------------------------------------------------------------------------------- */

Test(group, closing_commits_and_leaves)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 10);
    bed_subscribe(bed_join(&bed, NULL));
    bed_subscribe(bed_join(&bed, NULL));
    bed_run(&bed, 1000);
    cr_assert(bed_drained(&bed, 2000));
    cr_assert_not_null(kw_core_close(bed.pair.core, 5000, NULL));
    bed_run(&bed, 300);
    cr_assert_eq(bed.n_done, 1);
    cr_assert_eq(bed.op_code, 0);
    cr_assert_eq(bed_group(&bed).n_members, 0);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.committed[p], 10);
    group_end(&bed);
}

Test(group, closing_ends_in_every_state_of_membership)
{
    static const char *const specs[] = {
        "heartbeat:99:error=25",      "joingroup:*:error=14",       "joingroup:1:drop-answer",
        "joingroup:2:drop-answer",    "syncgroup:1:drop-answer",    "syncgroup:*:error=27",
        "findcoordinator:*:error=15", "leavegroup:*:drop-answer",   "leavegroup:*:close-before",
        "leavegroup:*:error=16",      "offsetcommit:*:drop-answer", "heartbeat:*:drop-answer"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        for (uint64_t wait = 0; wait <= 400; wait += 80) {
            group_begin(&bed, NULL);
            bed_produce(&bed, 3);
            bed_fault(&bed, specs[i]);
            bed_subscribe(bed_join(&bed, NULL));
            bed_run(&bed, wait);
            cr_assert_not_null(kw_core_close(bed.pair.core, 1000, NULL));
            for (int k = 0; k < 400 && bed.n_done == 0; k++)
                sim_pair_step(&bed.pair, 10000);
            cr_assert_eq(bed.n_done, 1, "%s after %lu ms", specs[i], (unsigned long)wait);
            cr_assert(bed.op_code == 0 || bed.op_code == KW_ERR_TIMEOUT);
            group_end(&bed);
        }
    }
}
