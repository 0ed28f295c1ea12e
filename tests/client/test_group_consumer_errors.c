/* Members of a KIP-848 group that are refused, late, or lied to, and clusters that do
 * not offer the protocol.
 *
 * covers: G02 G14 G27 G38 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/api.h"
#include "proto/consumer_group.h"
#include <kwire/assignor.h>
#include "tests/sim/group_bed.h"

static struct group_bed bed;

static const char *const modern[] = {"group.protocol=consumer", NULL};

static uint64_t beats(void)
{
    return kwi_mock_n_requests(bed.pair.mock, KW_API_CONSUMER_GROUP_HEARTBEAT);
}

/* ---- errors that do not ------------------------------------------------------------------------ */

static void refused(const char *spec, int16_t code)
{
    group_begin(&bed, NULL);
    bed_fault(&bed, spec);
    struct bed_member *member = bed_join(&bed, modern);
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

Test(modern_group, errors_that_no_retry_helps_are_told_once)
{
    static const int16_t codes[] = {24, 30, 35, 42, 69, 81, 82, 112, 128};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char spec[64];
        snprintf(spec, sizeof spec, "consumergroupheartbeat:*:error=%d", codes[i]);
        refused(spec, codes[i]);
        snprintf(spec, sizeof spec, "consumergroupheartbeat:3:error=%d", codes[i]);
        refused(spec, codes[i]);
    }
    refused("findcoordinator:*:error=30", 30);
}

Test(modern_group, a_member_that_fails_leaves_what_it_has_to_others)
{
    bed_two_members(&bed, modern);
    bed_fault(&bed, "consumergroupheartbeat:1:error=112");
    bed_run(&bed, 1000);
    cr_assert_eq(bed.members[0].n_error + bed.members[1].n_error, 1);
    cr_assert_eq(bed_group(&bed).n_members, 1, "it does not wait for the end of the session");
    cr_assert(bed_settled(&bed, 1000));
    group_end(&bed);
}

Test(modern_group, a_topic_that_is_denied_is_told_once_and_membership_goes_on)
{
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    bed_fault(&bed, "consumergroupheartbeat:1-4:error=29");
    bed_run(&bed, 1500);
    cr_assert_eq(member->n_error, 1);
    cr_assert_eq(member->kafka_code, 29);
    cr_assert_eq(member->n_lost, 0);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    group_end(&bed);
    refused("consumergroupheartbeat:*:error=30", 30);
}

Test(modern_group, an_assignor_that_the_broker_lacks_is_told_and_range_is_used_where_asked)
{
    static const char *const best[] = {"group.protocol=consumer", "group.remote.assignor=best",
                                       NULL};
    static const char *const range[] = {"group.protocol=consumer", "group.remote.assignor=range",
                                        NULL};
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, best);
    bed_subscribe(member);
    bed_run(&bed, 300);
    cr_assert_eq(member->kafka_code, 112, "%s", member->text);
    bed_subscribe(bed_join(&bed, range));
    bed_subscribe(bed_join(&bed, range));
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 1000));
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert(bed.members[p < 3 ? 1 : 2].owns[p], "partition %d", p);
    group_end(&bed);
}

Test(modern_group, keys_of_the_other_protocol_are_refused_as_java_does)
{
    static const char *const bad[][3] = {
        {"group.protocol=consumer", "session.timeout.ms=6000", "group.protocol=consumer"},
        {"group.protocol=consumer", "heartbeat.interval.ms=100", "group.protocol=consumer"},
        {"group.protocol=consumer", "partition.assignment.strategy=range",
         "partition.assignment.strategy = range: cannot be set"},
        {"group.protocol=classic", "group.remote.assignor=range", "group.protocol=classic"},
        {"group.id=g", "group.remote.assignor=range", "group.protocol=classic"},
        {"group.protocol=auto", "group.remote.assignor=range", NULL}};
    group_begin(&bed, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const settings[] = {bad[i][0], bad[i][1], NULL};
        struct kw_consumer *consumer = NULL;
        struct kw_config *cfg = NULL;
        struct kw_error err = {0};
        cr_assert_eq(sim_pair_config(&bed.pair, &cfg, settings), 0);
        int rc = kw_core_consumer_create(&consumer, bed.pair.core, cfg, &err);
        kw_config_destroy(cfg);
        cr_assert_eq(rc, bad[i][2] ? KW_ERR_CONFIG : 0, "%s %s: %s", bad[i][0], bad[i][1],
                     err.text);
        cr_assert(!bad[i][2] || strstr(err.text, bad[i][2]), "%s", err.text);
    }
    group_end(&bed);
}

/* ---- time -------------------------------------------------------------------------------------- */

Test(modern_group, a_host_that_comes_too_late_is_told_and_does_no_harm)
{
    bed_two_members(&bed, modern);
    bed.members[0].hold = bed.members[1].hold = true;
    bed_produce(&bed, 20);
    bed_run(&bed, 100);
    unsigned before = bed.members[0].n_records;
    sim_pair_step(&bed.pair, 60000000); /* nobody called process for a minute */
    bed_run(&bed, 10);
    cr_assert_gt(bed.members[0].n_late, 0);
    cr_assert_gt(bed.members[0].n_lost, 0);
    cr_assert(strstr(bed.members[0].text, "session timeout"), "%s", bed.members[0].text);
    cr_assert_eq(bed.members[0].n_records, before);
    bed_release_held(&bed.members[0], KW_DONE);
    bed_release_held(&bed.members[1], KW_DONE);
    bed.members[0].hold = bed.members[1].hold = false;
    bed_run(&bed, 2000);
    cr_assert(bed_settled(&bed, 5000));
    cr_assert(bed_drained(&bed, 5000));
    group_end(&bed);
}

Test(modern_group, without_a_confirmed_heartbeat_nothing_is_handed_out_after_the_session)
{
    bed_two_members(&bed, modern);
    bed.pair.hold_answers = true; /* the coordinator is silent, and so is everybody else */
    bed_run(&bed, 1700);
    cr_assert_eq(bed.members[0].n_lost, 0, "a session is 2 s, as the group's settings say");
    bed_run(&bed, 600);
    cr_assert_eq(bed.members[0].n_lost, 1);
    cr_assert_eq(bed.members[1].n_lost, 1);
    bed.pair.hold_answers = false;
    bed_run(&bed, 3000);
    cr_assert(bed_settled(&bed, 8000));
    bed_produce(&bed, 5);
    cr_assert(bed_drained(&bed, 3000));
    group_end(&bed);
}

Test(modern_group, where_the_session_is_not_told_records_are_withheld_and_nothing_is_lost)
{
    group_begin(&bed, NULL);
    bed_fault(&bed, "describeconfigs:*:error=30");
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    bed_produce(&bed, 20);
    cr_assert(bed_drained(&bed, 2000));
    member->no_poll = true;
    bed_produce(&bed, 20); /* is buffered */
    bed_run(&bed, 100);
    bed_fault(&bed, "consumergroupheartbeat:*:drop-request");
    bed_run(&bed, 800);
    unsigned n = member->n_records;
    member->no_poll = false;
    bed_run(&bed, 100);
    cr_assert_eq(member->n_records, n, "three intervals of 200 ms are over");
    cr_assert_eq(member->n_lost, 0);
    member->no_poll = true;
    n = member->n_ready;
    cr_assert_eq(kwi_mock_fault_remove(bed.pair.mock, 1), 0);
    bed_run(&bed, 1500);
    cr_assert_gt(member->n_ready, n, "who was told that there is nothing is told when there is");
    member->no_poll = false;
    cr_assert(bed_drained(&bed, 1000));
    cr_assert_eq(member->n_lost, 0, "%s", member->text);
    group_end(&bed);
}

Test(modern_group, a_member_that_does_not_poll_leaves_and_comes_back_with_the_next_poll)
{
    bed_two_members(&bed, modern);
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
    cr_assert_eq(idle->n_error, 0, "%s", idle->text);
    cr_assert(bed_drained(&bed, 2000));
    group_end(&bed);
}

/* ---- the choice of the protocol ---------------------------------------------------------------------- */

static int nothing_assigned(void *ctx, const struct kw_assign_group *group, int32_t *owners,
                            void *scratch)
{
    (void)ctx;
    (void)scratch;
    for (uint32_t i = 0; i < group->n_partitions; i++)
        owners[i] = 0;
    return 0;
}

/* By which protocol a member gets what there is. */
static void chosen(const char *release, const char *spec, const char *const *settings,
                   bool consumer, bool classic_first)
{
    group_begin_of(&bed, NULL, release, NULL);
    if (spec)
        bed_fault(&bed, spec);
    if (classic_first) {
        bed_subscribe(bed_join(&bed, NULL));
        cr_assert(bed_settled(&bed, 2000));
    }
    uint64_t joins = kwi_mock_n_requests(bed.pair.mock, 11);
    struct bed_member *member = bed_join(&bed, settings);
    bed_subscribe(member);
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 3000), "%s %s: %s", release, spec ? spec : "", member->text);
    cr_assert_eq(member->n_error, 0, "%s", member->text);
    cr_assert_gt(bed_owned(member), 0);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11) > joins, !consumer, "%s %s", release,
                 spec ? spec : "");
    group_end(&bed);
}

Test(modern_group, auto_takes_the_consumer_protocol_where_it_is_offered)
{
    static const char *const automatic[] = {"group.protocol=auto", NULL};
    static const char *const timed[] = {"group.protocol=auto", "session.timeout.ms=2000",
                                        "heartbeat.interval.ms=200", NULL};
    chosen("4.3", NULL, automatic, true, false);
    chosen("4.0", NULL, automatic, true, false);
    chosen("3.9", NULL, automatic, false, false);
    chosen("2.8", NULL, automatic, false, false);
    chosen("4.3", "consumergroupheartbeat:*:error=35", automatic, false, false);
    chosen("4.3", NULL, timed, false, false);
    /* A group of classic members that cannot be taken over. */
    chosen("4.3", NULL, automatic, false, true);
}

Test(modern_group, an_assignor_of_ones_own_is_a_choice)
{
    static const struct kw_assignor own = {.size = sizeof own,
                                           .name = "own",
                                           .protocols = KW_REBALANCE_EAGER,
                                           .assign = nothing_assigned};
    static const char *const automatic[] = {"group.protocol=auto",
                                            "partition.assignment.strategy=own", NULL};
    static const char *const topics[] = {"t"};
    struct kw_error err;
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, automatic);
    cr_assert_eq(kw_consumer_add_assignor(member->consumer, &own), 0);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 3000), "%s", member->text);
    cr_assert_eq(beats(), 0);
    member = bed_join(&bed, modern);
    cr_assert_eq(kw_consumer_add_assignor(member->consumer, &own), 0);
    cr_assert_eq(kw_core_subscribe(member->consumer, topics, 1, &err), KW_ERR_CONFIG);
    cr_assert(strstr(err.text, "assignor of your own"), "%s", err.text);
    group_end(&bed);
}

Test(modern_group, a_broker_without_the_protocol_is_told_and_not_worked_around)
{
    group_begin_of(&bed, NULL, "3.9", NULL);
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member);
    bed_run(&bed, 1000);
    cr_assert_eq(member->n_error, 1);
    cr_assert_eq(member->code, KW_ERR_UNSUPPORTED);
    cr_assert(strstr(member->text, "Kafka 4.0"), "%s", member->text);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), 0);
    group_end(&bed);
}

/* ---- a coordinator that lies ---------------------------------------------------------------------------- */

static int lie;
static uint32_t n_lies;

static size_t lying(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static const int32_t numbers[] = {-1, 0, 0, 1, INT32_MIN, 2, 3, 4, 5, 5};
    struct kw_consumer_group_heartbeat_response msg;
    struct kw_group_partitions topics[3], first;
    struct kw_iter it;
    struct kw_wr wr = kwi_wr_make(out, cap);
    (void)ctx;
    if (answer->api_key != KW_API_CONSUMER_GROUP_HEARTBEAT ||
        kwi_consumer_group_heartbeat_response_decode(&msg, answer->version, answer->body,
                                                     answer->len, NULL) ||
        msg.error_code || msg.member_epoch < 1)
        return 0;
    if (lie < 5 && n_lies++ >= 4)
        return 0;
    switch (lie) {
    case 0: msg.member_epoch = 0; break;
    case 1: msg.member_epoch = -7; break;
    case 2: msg.heartbeat_interval_ms = INT32_MIN; break;
    case 3: msg.heartbeat_interval_ms = 0; break;
    case 4: msg.heartbeat_interval_ms = INT32_MAX; break;
    default:
        if (!msg.assignment.present)
            return 0;
        kwi_iter_init(&it, &msg.assignment.topic_partitions);
        if (!kwi_iter_next(&it, &first))
            return 0;
        for (int i = 0; i < 3; i++) {
            kwi_group_partitions_init(&topics[i]);
            topics[i].topic_id = first.topic_id;
            topics[i].partitions = KWI_ARR(numbers, sizeof numbers / sizeof *numbers);
        }
        memset(topics[1].topic_id.b, 0, 16); /* no topic's */
        msg.assignment.topic_partitions = KWI_ARR(topics, 3);
        break;
    }
    cr_assert_eq(kwi_consumer_group_heartbeat_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

Test(modern_group, a_coordinator_that_lies_is_not_believed_and_does_no_harm)
{
    for (lie = 0; lie < 6; lie++) {
        n_lies = 0;
        group_begin_of(&bed, NULL, NULL, lying);
        bed_produce(&bed, 5);
        struct bed_member *member = bed_join(&bed, modern);
        bed_subscribe(member);
        bed_run(&bed, 1000);
        uint64_t n = beats();
        bed_run(&bed, 1000);
        cr_assert_leq(beats(), n + 110, "lie %d: %lu heartbeats", lie,
                      (unsigned long)(beats() - n));
        cr_assert(bed_drained(&bed, 5000), "lie %d", lie);
        cr_assert_eq(bed_owned(member), BED_PARTITIONS, "lie %d", lie);
        cr_assert_eq(member->n_error, 0, "lie %d: %s", lie, member->text);
        group_end(&bed);
    }
}
