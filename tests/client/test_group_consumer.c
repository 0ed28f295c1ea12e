/* Members of a KIP-848 group: joining, sharing, giving up, losing, leaving, and every
 * error of the coordinator on the way.
 *
 * covers: G02 G06 G09 G14 G17 G20 G21 G23 G24 G25 G26 G27 G28 G38 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/consumer_group.h"
#include "proto/offsets.h"
#include "proto/api.h"
#include "proto/header.h"
#include "proto/metadata.h"
#include <kwire/assignor.h>
#include "tests/sim/group_bed.h"

static struct group_bed bed;

static const char *const modern[] = {"group.protocol=consumer", NULL};

enum { BEAT = 68 };

static uint64_t beats(void)
{
    return kwi_mock_n_requests(bed.pair.mock, BEAT);
}

static struct kw_mock_group_info group_info(void)
{
    struct kw_mock_group_info info = {0};
    (void)!kwi_mock_group(bed.pair.mock, "g", &info);
    return info;
}

static void two_members(const char *const *settings)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    bed_subscribe(bed_join(&bed, settings));
    cr_assert(bed_settled(&bed, 2000));
    bed_subscribe(bed_join(&bed, settings));
    bed_run(&bed, 1000);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed_owned(&bed.members[0]), 3);
    cr_assert_eq(bed_owned(&bed.members[1]), 3);
}

static void each_once(void)
{
    for (int p = 0; p < BED_PARTITIONS; p++) {
        for (unsigned i = 0; i < bed.n_produced[p]; i++)
            cr_assert_eq(bed.handled[p][i], 1, "partition %d offset %u: %u times", p, i,
                         bed.handled[p][i]);
    }
}

/* ---- joining and sharing ------------------------------------------------------------------ */

Test(modern_group, one_member_gets_everything_and_commits_what_it_handled)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    bed_subscribe(bed_join(&bed, modern));
    cr_assert(bed_settled(&bed, 2000));
    cr_assert(bed_drained(&bed, 2000));
    bed_run(&bed, 300);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.committed[p], 20, "%lld", (long long)bed.committed[p]);
    cr_assert_eq(bed.members[0].n_assigned, 1);
    cr_assert_eq(bed.members[0].n_lost + bed.members[0].n_revoked, 0);
    /* Heartbeats go on as often as the coordinator wants. */
    uint64_t n = beats();
    bed_run(&bed, 2000);
    cr_assert_geq(beats(), n + 9);
    cr_assert_leq(beats(), n + 11);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), 0);
    group_end(&bed);
}

Test(modern_group, two_members_share_and_only_what_moves_is_given_up)
{
    two_members(modern);
    cr_assert_eq(bed.members[0].n_taken, 3);
    cr_assert_eq(bed.members[1].n_taken, 0);
    bed_produce(&bed, 20);
    cr_assert(bed_drained(&bed, 2000));
    bed_subscribe(bed_join(&bed, modern));
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 2000));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(bed_owned(&bed.members[i]), 2);
    cr_assert_eq(bed.members[0].n_taken + bed.members[1].n_taken, 5);
    struct kw_error err;
    cr_assert_eq(kw_core_subscribe(bed.members[0].consumer, NULL, 0, &err), 0);
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed_owned(&bed.members[0]), 0);
    cr_assert_eq(group_info().n_members, 2);
    bed_produce(&bed, 5);
    cr_assert(bed_drained(&bed, 2000));
    bed_subscribe(&bed.members[0]); /* and back */
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed_owned(&bed.members[0]), 2);
    each_once();
    group_end(&bed);
}

/* ---- what heartbeats say --------------------------------------------------------------------- */

struct beat {
    int32_t epoch, timeout_ms, n_names, n_owned; /* -1: null */
    char id[40], instance[40], pattern[64], assignor[32];
};
enum { BEATS_MAX = 512 };
static struct beat said[BEATS_MAX];
static unsigned n_said;
/* Of the last OffsetCommit and OffsetFetch. */
static int32_t commit_version, commit_epoch, fetch_version, fetch_epoch;
static char commit_id[40], fetch_id[40];

static void copy_text(char *out, size_t cap, struct kw_str text)
{
    snprintf(out, cap, "%.*s", text.len < 0 ? 1 : (int)text.len, text.len < 0 ? "-" : text.ptr);
}

static void hear_beat(const uint8_t *body, size_t len, int16_t version)
{
    struct kw_consumer_group_heartbeat_request msg;
    struct beat *beat = &said[n_said++ % BEATS_MAX];
    struct kw_group_partitions topic;
    struct kw_iter it;
    cr_assert_eq(version, 1);
    cr_assert_eq(kwi_consumer_group_heartbeat_request_decode(&msg, version, body, len, NULL), 0);
    beat->epoch = msg.member_epoch;
    beat->timeout_ms = msg.rebalance_timeout_ms;
    beat->n_names = msg.subscribed_topic_names.n;
    beat->n_owned = msg.topic_partitions.n < 0 ? -1 : 0;
    for (kwi_iter_init(&it, &msg.topic_partitions); kwi_iter_next(&it, &topic);)
        beat->n_owned += topic.partitions.n;
    copy_text(beat->id, sizeof beat->id, msg.member_id);
    copy_text(beat->instance, sizeof beat->instance, msg.instance_id);
    copy_text(beat->pattern, sizeof beat->pattern, msg.subscribed_topic_regex);
    copy_text(beat->assignor, sizeof beat->assignor, msg.server_assignor);
}

static void hear_commit(const uint8_t *body, size_t len, int16_t version)
{
    struct kw_offset_commit_request msg;
    cr_assert_eq(kwi_offset_commit_request_decode(&msg, version, body, len, NULL), 0);
    commit_version = version;
    commit_epoch = msg.generation_id_or_member_epoch;
    copy_text(commit_id, sizeof commit_id, msg.member_id);
}

static void hear_fetch(const uint8_t *body, size_t len, int16_t version)
{
    struct kw_offset_fetch_request msg;
    struct kw_offset_fetch_request_group group;
    struct kw_iter it;
    cr_assert_eq(kwi_offset_fetch_request_decode(&msg, version, body, len, NULL), 0);
    kwi_iter_init(&it, &msg.groups);
    cr_assert(kwi_iter_next(&it, &group));
    fetch_version = version;
    fetch_epoch = group.member_epoch;
    copy_text(fetch_id, sizeof fetch_id, group.member_id);
}

static void hear(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    size_t at;
    (void)ctx;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &at), 0);
    if (header.api_key == KW_API_CONSUMER_GROUP_HEARTBEAT)
        hear_beat(frame + at, len - at, header.api_version);
    else if (header.api_key == KW_API_OFFSET_COMMIT)
        hear_commit(frame + at, len - at, header.api_version);
    else if (header.api_key == KW_API_OFFSET_FETCH)
        hear_fetch(frame + at, len - at, header.api_version);
}

static void listen(void)
{
    n_said = 0;
    bed.pair.on_request = hear;
}

/* The last heartbeat but n. */
static const struct beat *heard(unsigned n)
{
    cr_assert_lt(n, n_said);
    return &said[(n_said - 1 - n) % BEATS_MAX];
}

Test(modern_group, the_first_heartbeat_says_all_and_the_others_what_is_new)
{
    static const char *const settings[] = {"group.protocol=consumer", "group.remote.assignor=range",
                                           NULL};
    static const char *const both[] = {"t", "u"};
    struct kw_error err;
    group_begin(&bed, NULL);
    listen();
    struct bed_member *member = bed_join(&bed, settings);
    bed_subscribe(member);
    bed_run(&bed, 150);
    cr_assert_eq(n_said, 2, "%u", n_said);
    cr_assert_eq(said[0].epoch, 0);
    cr_assert_eq(said[0].timeout_ms, 3000);
    cr_assert_eq(said[0].n_names, 1);
    cr_assert_eq(said[0].n_owned, 0, "an empty list, not null");
    cr_assert_eq(strlen(said[0].id), 22, "%s", said[0].id);
    cr_assert_str_eq(said[0].assignor, "range");
    cr_assert_str_eq(said[0].pattern, "-");
    cr_assert_str_eq(said[0].instance, "-");
    /* The acknowledgement, at once. */
    cr_assert_gt(said[1].epoch, 0);
    cr_assert_eq(said[1].n_owned, BED_PARTITIONS);
    cr_assert_eq(said[1].n_names, -1);
    cr_assert_eq(said[1].timeout_ms, -1);
    cr_assert_str_eq(said[1].assignor, "-");
    bed_run(&bed, 1000);
    cr_assert_eq(heard(0)->n_owned, -1);
    cr_assert_eq(heard(0)->n_names, -1);
    /* Another subscription is told at once, and alone. */
    unsigned n = n_said;
    cr_assert_eq(kw_core_subscribe(member->consumer, both, 2, &err), 0);
    bed_run(&bed, 50);
    cr_assert_eq(n_said, n + 1);
    cr_assert_eq(heard(0)->n_names, 2);
    cr_assert_eq(heard(0)->timeout_ms, -1);
    cr_assert_eq(kw_core_subscribe(member->consumer, NULL, 0, &err), 0);
    bed_run(&bed, 50);
    cr_assert_eq(heard(0)->epoch, -1);
    cr_assert_str_eq(heard(0)->id, said[0].id, "one id for life");
    group_end(&bed);
}

Test(modern_group, what_the_coordinator_knows_is_uncertain_after_a_failure)
{
    static const char *const specs[] = {"error=15", "error=14", "error=-1", "close-after",
                                        "drop-answer"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        char spec[64];
        group_begin(&bed, NULL);
        bed_subscribe(bed_join(&bed, modern));
        cr_assert(bed_settled(&bed, 2000));
        bed_run(&bed, 300);
        listen();
        snprintf(spec, sizeof spec, "consumergroupheartbeat:1:%s", specs[i]);
        bed_fault(&bed, spec);
        bed_run(&bed, 1700);
        cr_assert_geq(n_said, 3, "%s: %u", spec, n_said);
        cr_assert_eq(said[0].n_owned, -1);
        cr_assert_eq(said[1].n_owned, BED_PARTITIONS, "%s", spec);
        cr_assert_eq(said[1].n_names, 1);
        cr_assert_eq(said[1].timeout_ms, 3000);
        cr_assert_eq(said[2].n_owned, -1, "%s: once", spec);
        cr_assert_eq(bed.members[0].n_lost, 0, "%s", spec);
        cr_assert_eq(bed.members[0].n_assigned, 1, "%s: the same again is no news", spec);
        group_end(&bed);
    }
}

Test(modern_group, offsets_are_committed_and_asked_for_with_the_member_epoch)
{
    group_begin(&bed, NULL);
    listen();
    bed_produce(&bed, 5);
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member);
    cr_assert(bed_drained(&bed, 2000));
    bed_run(&bed, 300);
    cr_assert_eq(commit_version, 9);
    cr_assert_eq(commit_epoch, group_info().generation);
    cr_assert_str_eq(commit_id, said[0].id);
    cr_assert_eq(fetch_version, 9);
    cr_assert_str_eq(fetch_id, said[0].id);
    cr_assert_eq(fetch_epoch, group_info().generation);
    /* The token of records is the epoch. */
    member->hold = true;
    bed_produce(&bed, 1);
    bed_run(&bed, 200);
    cr_assert_gt(member->n_held, 0);
    cr_assert_eq(kw_records_fence(member->held[0]), group_info().generation);
    bed_release_held(member, KW_DONE);
    group_end(&bed);
}

/* ---- giving up ----------------------------------------------------------------------------- */

Test(modern_group, the_acknowledgement_goes_out_when_revoke_and_commit_are_over)
{
    static const char *const patient[] = {"group.protocol=consumer",
                                          "rebalance.ack.timeout.ms=2000", NULL};
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    struct bed_member *first = bed_join(&bed, patient);
    bed_subscribe(first);
    cr_assert(bed_drained(&bed, 2000));
    bed_run(&bed, 300);
    first->hold = first->no_ack = true;
    bed.ack_ms = 2000;
    bed_produce(&bed, 20);
    cr_assert(bed_drained(&bed, 2000));
    bed_subscribe(bed_join(&bed, modern));
    listen();
    for (int i = 0; i < 50 && first->n_revoked == 0; i++)
        bed_run(&bed, 10);
    cr_assert_eq(first->n_revoked, 1);
    /* Open: heartbeats go on, and say nothing of what is owned, or all of it. */
    n_said = 0;
    uint64_t n = beats();
    bed_fault(&bed, "consumergroupheartbeat:*:error=15"); /* so that the next one says all */
    bed_run(&bed, 250);
    cr_assert_eq(kwi_mock_fault_remove(bed.pair.mock, 0), 0);
    bed_run(&bed, 250);
    cr_assert_gt(beats(), n);
    cr_assert_eq(bed.members[1].n_given, 0);
    bool all = false;
    for (unsigned i = 0; i < n_said; i++) {
        cr_assert(said[i].n_owned <= 0 || said[i].n_owned == BED_PARTITIONS, "%d", said[i].n_owned);
        all |= said[i].n_owned == BED_PARTITIONS;
    }
    cr_assert(all, "what is being given up is still owned");
    /* Acknowledged: the commit is slow, and is waited for. */
    bed_fault(&bed, "offsetcommit:1:delay=200");
    bed_release_held(first, KW_DONE);
    cr_assert_eq(kw_core_rebalance_ack(first->consumer), 0);
    for (int p = 0; p < BED_PARTITIONS; p++) {
        first->owns[p] = first->owns[p] && !first->revoking[p];
        first->revoking[p] = false;
    }
    first->revoke_us = 0;
    first->hold = first->no_ack = false;
    n_said = 0;
    bed_run(&bed, 150);
    cr_assert_eq(bed.members[1].n_given, 0, "not before the commit is answered");
    for (unsigned i = 0; i < n_said; i++)
        cr_assert(said[i].n_owned <= 0, "%d", said[i].n_owned);
    bed_run(&bed, 500);
    cr_assert(bed_settled(&bed, 1000));
    bool acked = false;
    for (unsigned i = 0; i < n_said; i++)
        acked |= said[i].n_owned == 3;
    cr_assert(acked);
    each_once();
    group_end(&bed);
}

Test(modern_group, a_revoke_that_nobody_acknowledges_ends_by_its_deadline)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    struct bed_member *first = bed_join(&bed, modern);
    bed_subscribe(first);
    cr_assert(bed_drained(&bed, 2000));
    first->no_ack = true;
    bed_subscribe(bed_join(&bed, modern));
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed.members[1].n_lost + first->n_lost, 0);
    cr_assert_eq(bed_owned(&bed.members[1]), 3);
    group_end(&bed);
}

/* ---- errors that heal ----------------------------------------------------------------------- */

/* With this fault two members share, all is handled, and nobody was told of an error. */
static void survive(const char *spec, bool lost)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    bed_fault(&bed, spec);
    bed_subscribe(bed_join(&bed, modern));
    bed_run(&bed, 700);
    bed_subscribe(bed_join(&bed, modern));
    bed_run(&bed, 3000);
    cr_assert(bed_settled(&bed, 12000), "%s", spec);
    bed_produce(&bed, 10);
    cr_assert(bed_drained(&bed, 5000), "%s", spec);
    cr_assert_eq(bed.members[0].n_error + bed.members[1].n_error, 0, "%s: %s", spec,
                 bed.members[0].text);
    cr_assert_eq(bed.members[0].n_failed + bed.members[1].n_failed, 0, "%s", spec);
    cr_assert(lost || bed.members[0].n_lost + bed.members[1].n_lost == 0, "%s: %s", spec,
              bed.members[0].text);
    bed_run(&bed, 1000);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.committed[p], 30, "%s: partition %d at %lld", spec, p,
                     (long long)bed.committed[p]);
    group_end(&bed);
}

Test(modern_group, errors_of_the_coordinator_heal)
{
    static const char *const what[] = {"1-2:error=14",     "1-2:error=15",     "1-2:error=16",
                                       "2:error=14",       "2:error=16",       "3:error=15",
                                       "1:close-before",   "1:close-after",    "2:close-after",
                                       "3:close-after",    "1:drop-request",   "2:drop-answer",
                                       "5:drop-answer",    "1:cut=7",          "2:cut=9",
                                       "1:delay=150",      "/7:close-before",  "1:error=-1",
                                       "4:error-after=15", "2:error-after=15", "1:error-after=15"};
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        char spec[64];
        snprintf(spec, sizeof spec, "consumergroupheartbeat:%s", what[i]);
        survive(spec, false);
    }
    survive("describeconfigs:*:error=30", false);
    survive("describeconfigs:1:close-before", false);
}

Test(modern_group, a_commit_with_an_old_epoch_is_sent_again_with_the_new_one)
{
    survive("offsetcommit:1:error=113", false);
    survive("offsetcommit:2-4:error=113", false);
    survive("offsetfetch:1:error-after=113", false);
    survive("offsetfetch:2-3:error-after=113", false);
}

Test(modern_group, a_member_that_is_forgotten_joins_again_under_its_id)
{
    static const char *const specs[] = {
        "consumergroupheartbeat:3:error=25",   "consumergroupheartbeat:3:error=110",
        "consumergroupheartbeat:2:error=25",   "consumergroupheartbeat:2:error=110",
        "consumergroupheartbeat:1:error=25",   "offsetfetch:1:error-after=25",
        "consumergroupheartbeat:4-6:error=110"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        survive(specs[i], true);
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    listen();
    bed_fault(&bed, "consumergroupheartbeat:1:error=110");
    bed_run(&bed, 400);
    cr_assert_eq(member->n_lost, 1);
    cr_assert_eq(member->n_revoked, 0);
    cr_assert_eq(member->kafka_code, 110);
    cr_assert_eq(said[1].epoch, 0, "at once");
    cr_assert_eq(said[1].n_owned, 0);
    cr_assert_str_eq(said[1].id, said[0].id);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    group_end(&bed);
}

Test(modern_group, a_coordinator_that_forgets_us_each_time_is_asked_behind_a_pause)
{
    group_begin(&bed, NULL);
    bed_fault(&bed, "consumergroupheartbeat:/2:error=25");
    bed_subscribe(bed_join(&bed, modern));
    bed_run(&bed, 1000);
    uint64_t n = beats();
    bed_run(&bed, 2000);
    cr_assert_leq(beats(), n + 90, "%lu", (unsigned long)(beats() - n)); /* pauses of 80 ms */
    group_end(&bed);
}

Test(modern_group, the_coordinator_may_move_and_its_broker_may_die)
{
    two_members(modern);
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
    static const int16_t codes[] = {24, 30, 35, 42, 69, 81, 82, 111, 112, 128};
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
    two_members(modern);
    bed_fault(&bed, "consumergroupheartbeat:1:error=112");
    bed_run(&bed, 1000);
    cr_assert_eq(bed.members[0].n_error + bed.members[1].n_error, 1);
    cr_assert_eq(group_info().n_members, 1, "it does not wait for the end of the session");
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
    two_members(modern);
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
    two_members(modern);
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
    two_members(modern);
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
    cr_assert_eq(group_info().n_members, 1);
    idle->no_poll = false;
    bed_run(&bed, 2000);
    cr_assert_eq(bed_owned(idle), 3);
    cr_assert_eq(idle->n_error, 0, "%s", idle->text);
    cr_assert(bed_drained(&bed, 2000));
    group_end(&bed);
}

/* ---- static members ------------------------------------------------------------------------------- */

Test(modern_group, a_static_member_that_comes_back_has_what_it_had)
{
    static const char *const named[] = {"group.protocol=consumer", "group.instance.id=one", NULL};
    static const char *const other[] = {"group.protocol=consumer", "group.instance.id=two", NULL};
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
    listen();
    cr_assert_eq(kw_core_subscribe(bed.members[0].consumer, NULL, 0, &err), 0);
    bed_run(&bed, 50);
    const struct beat *leave = NULL;
    for (unsigned i = 0; i < n_said; i++)
        leave = said[i].epoch < 0 ? &said[i] : leave;
    cr_assert_not_null(leave);
    cr_assert_eq(leave->epoch, -2);
    cr_assert_str_eq(leave->instance, "one");
    cr_assert_eq(group_info().n_members, 2, "it does not leave for good");
    bed_subscribe(bed_join(&bed, named));
    bed_run(&bed, 500);
    cr_assert_eq(memcmp(had, bed.members[2].owns, sizeof had), 0);
    bed_run(&bed, 3000);
    cr_assert_eq(bed.members[1].n_assigned + bed.members[1].n_revoked, events,
                 "the other one noticed nothing");
    group_end(&bed);
}

Test(modern_group, of_two_members_with_one_name_the_younger_is_refused)
{
    static const char *const named[] = {"group.protocol=consumer", "group.instance.id=one", NULL};
    group_begin(&bed, NULL);
    bed_subscribe(bed_join(&bed, named));
    cr_assert(bed_settled(&bed, 2000));
    struct bed_member *second = bed_join(&bed, named);
    bed_subscribe(second);
    bed_run(&bed, 500);
    cr_assert_eq(second->n_error, 1);
    cr_assert_eq(second->kafka_code, 111, "%s", second->text);
    cr_assert_eq(bed.members[0].n_lost, 0);
    cr_assert_eq(bed_owned(&bed.members[0]), BED_PARTITIONS);
    group_end(&bed);
}

/* ---- subscriptions ---------------------------------------------------------------------------------- */

static bool has(const struct bed_member *member, const char *topic, int32_t n)
{
    int64_t offset;
    for (int32_t p = 0; p < n; p++) {
        if (kw_position(member->consumer, topic, p, &offset))
            return false;
    }
    return kw_position(member->consumer, topic, n, &offset) == KW_ERR_STATE;
}

Test(modern_group, a_subscription_may_change_at_any_moment_and_the_last_one_counts)
{
    static const char *const both[] = {"t", "u"}, *const none[] = {"nothing"};
    struct kw_error err;
    for (int wait = 0; wait < 12; wait++) {
        group_begin(&bed, NULL);
        cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "u", 2), 0);
        bed_fault(&bed, "consumergroupheartbeat:*:delay=20");
        struct bed_member *member = bed_join(&bed, modern);
        bed_subscribe(member);
        bed_run(&bed, (uint64_t)wait * 10);
        cr_assert_eq(kw_core_subscribe(member->consumer, none, 1, &err), 0);
        bed_run(&bed, (uint64_t)wait * 5);
        cr_assert_eq(kw_core_subscribe(member->consumer, NULL, 0, &err), 0);
        bed_run(&bed, (uint64_t)wait * 3);
        cr_assert_eq(kw_core_subscribe(member->consumer, both, 2, &err), 0);
        bed_run(&bed, 1500);
        cr_assert(bed_settled(&bed, 3000));
        cr_assert_eq(member->n_error, 0, "%s", member->text);
        cr_assert(has(member, "u", 2));
        group_end(&bed);
    }
}

Test(modern_group, a_pattern_is_matched_by_the_broker_as_topics_come_and_go)
{
    struct kw_error err;
    group_begin(&bed, NULL);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "u-1", 2), 0);
    struct bed_member *member = bed_join(&bed, modern);
    listen();
    cr_assert_eq(kw_core_subscribe_pattern(member->consumer, "t|u-[0-9]+", &err), 0);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_str_eq(said[0].pattern, "t|u-[0-9]+");
    cr_assert_eq(said[0].n_names, 0);
    cr_assert(has(member, "u-1", 2));
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "u-22", 3), 0);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "v-22", 3), 0);
    bed_run(&bed, 700);
    cr_assert(has(member, "u-22", 3));
    cr_assert(!has(member, "v-22", 3));
    cr_assert_eq(kwi_mock_delete_topic(bed.pair.mock, "u-1"), 0);
    bed_run(&bed, 700);
    int64_t offset;
    cr_assert_eq(kw_position(member->consumer, "u-1", 0, &offset), KW_ERR_STATE);
    /* Names in its place take the pattern back. */
    bed_subscribe(member);
    bed_run(&bed, 700);
    cr_assert(!has(member, "u-22", 3));
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    /* One that matches nothing costs nothing, and is no error. */
    cr_assert_eq(kw_core_subscribe_pattern(member->consumer, "none-.*", &err), 0);
    bed_run(&bed, 700);
    cr_assert_eq(bed_owned(member), 0);
    uint64_t n = kwi_mock_n_requests(bed.pair.mock, -1);
    bed_run(&bed, 1000);
    cr_assert_leq(kwi_mock_n_requests(bed.pair.mock, -1), n + 8, "heartbeats, and metadata by age");
    cr_assert_eq(kw_core_subscribe_pattern(member->consumer, "(", &err), 0);
    bed_run(&bed, 300);
    cr_assert_eq(member->n_error, 1);
    cr_assert_eq(member->kafka_code, 128, "%s", member->text);
    cr_assert_eq(kw_core_subscribe_pattern(member->consumer, "", &err), KW_ERR_USE);
    struct bed_member *classic = bed_join(&bed, NULL);
    cr_assert_eq(kw_core_subscribe_pattern(classic->consumer, "t", &err), KW_ERR_UNSUPPORTED);
    cr_assert(strstr(err.text, "group.protocol"), "%s", err.text);
    group_end(&bed);
}

Test(modern_group, a_topic_that_metadata_does_not_know_is_waited_for_and_not_acknowledged)
{
    struct kw_error err;
    group_begin(&bed, NULL);
    bed_fault(&bed, "metadata:*:error=100:topic=late");
    struct bed_member *member = bed_join(&bed, modern);
    cr_assert_eq(kw_core_subscribe_pattern(member->consumer, "t|late", &err), 0);
    cr_assert(bed_settled(&bed, 2000));
    listen();
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "late", 2), 0);
    uint64_t n = kwi_mock_n_requests(bed.pair.mock, 3);
    bed_run(&bed, 2000);
    cr_assert(!has(member, "late", 2));
    cr_assert_leq(kwi_mock_n_requests(bed.pair.mock, 3), n + 30, "behind a pause that grows");
    for (unsigned i = 0; i < n_said; i++)
        cr_assert(said[i].n_owned <= BED_PARTITIONS, "%d", said[i].n_owned);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS, "the others go on");
    cr_assert_eq(kwi_mock_fault_remove(bed.pair.mock, 0), 0);
    bed_run(&bed, 500);
    cr_assert(has(member, "late", 2));
    bool acked = false;
    for (unsigned i = 0; i < n_said; i++)
        acked |= said[i].n_owned == BED_PARTITIONS + 2;
    cr_assert(acked);
    group_end(&bed);
}

Test(modern_group, a_topic_that_is_made_anew_is_another_one)
{
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(kwi_mock_delete_topic(bed.pair.mock, "t"), 0);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "t", BED_PARTITIONS), 0);
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 1000));
    cr_assert_eq(member->n_revoked, 1);
    cr_assert_eq(member->n_given, 2 * BED_PARTITIONS);
    group_end(&bed);
}

/* ---- a coordinator that takes and gives in one answer ---------------------------------------- */

static struct kw_uuid uuid_t_now, uuid_t_old, uuid_u;
static bool mix_now, mix_same;

static void mix_learn(const struct sim_pair_answer *answer)
{
    struct kw_metadata_response msg;
    struct kw_metadata_response_topic topic;
    struct kw_iter it;
    cr_assert_eq(
        kwi_metadata_response_decode(&msg, answer->version, answer->body, answer->len, NULL), 0);
    for (kwi_iter_init(&it, &msg.topics); kwi_iter_next(&it, &topic);) {
        if (topic.error_code || topic.name.len != 1)
            continue;
        if (topic.name.ptr[0] == 't')
            uuid_t_now = topic.topic_id;
        else
            uuid_u = topic.topic_id;
    }
}

/* Half of t and all of u, or of t as it was made anew: as if it were free already. */
static size_t mixing(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap)
{
    static const int32_t numbers[] = {0, 1, 2, 3, 4, 5};
    struct kw_consumer_group_heartbeat_response msg;
    struct kw_group_partitions topics[2];
    struct kw_wr wr = kwi_wr_make(out, cap);
    (void)ctx;
    if (answer->api_key == KW_API_METADATA)
        mix_learn(answer);
    if (answer->api_key != KW_API_CONSUMER_GROUP_HEARTBEAT || !mix_now)
        return 0;
    cr_assert_eq(kwi_consumer_group_heartbeat_response_decode(&msg, answer->version, answer->body,
                                                              answer->len, NULL),
                 0);
    if (mix_same && !memcmp(&uuid_t_now, &uuid_t_old, sizeof uuid_t_old)) {
        msg.assignment.present = false; /* not before the new one is known here */
        cr_assert_eq(kwi_consumer_group_heartbeat_response_encode(&msg, answer->version, &wr), 0);
        return wr.len;
    }
    mix_now = false;
    for (int i = 0; i < 2; i++)
        kwi_group_partitions_init(&topics[i]);
    topics[0].topic_id = uuid_t_now;
    topics[0].partitions = KWI_ARR(numbers, mix_same ? 6 : 3);
    topics[1].topic_id = uuid_u;
    topics[1].partitions = KWI_ARR(numbers, 2);
    msg.assignment = (struct kw_group_assignment){true, KWI_ARR(topics, mix_same ? 1 : 2)};
    cr_assert_eq(kwi_consumer_group_heartbeat_response_encode(&msg, answer->version, &wr), 0);
    return wr.len;
}

static struct bed_member *mix_begin(void)
{
    static const char *const both[] = {"t", "u"};
    struct kw_error err;
    mix_now = mix_same = false;
    group_begin_of(&bed, NULL, NULL, mixing);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "u", 2), 0);
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member); /* u comes later, its id is known by then */
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(kw_core_subscribe(member->consumer, both, 2, &err), 0);
    bed_run(&bed, 500);
    bed_subscribe(member);
    bed_run(&bed, 700);
    cr_assert(!has(member, "u", 2));
    cr_assert(!kwi_uuid_is_zero(&uuid_u));
    member->n_revoked = 0;
    member->no_ack = true;
    listen();
    mix_now = true;
    return member;
}

Test(modern_group, a_target_that_takes_and_gives_is_acknowledged_when_both_are_done)
{
    struct bed_member *member = mix_begin();
    for (int i = 0; i < 50 && member->n_revoked == 0; i++)
        bed_run(&bed, 10);
    cr_assert_eq(member->n_revoked, 1);
    n_said = 0;
    bed_run(&bed, 200);
    for (unsigned i = 0; i < n_said; i++)
        cr_assert_eq(said[i].n_owned, -1, "the revoke is open: %d", said[i].n_owned);
    cr_assert_gt(n_said, 0, "heartbeats go on");
    bed_run(&bed, 300); /* its deadline */
    bool acked = false;
    for (unsigned i = 0; i < n_said; i++)
        acked |= said[i].n_owned == 3 + 2;
    cr_assert(acked);
    group_end(&bed);
}

Test(modern_group, a_topic_made_anew_begins_when_the_old_one_is_given_up)
{
    struct bed_member *member = mix_begin();
    unsigned given = member->n_given;
    uuid_t_old = uuid_t_now;
    mix_same = true;
    cr_assert_eq(kwi_mock_delete_topic(bed.pair.mock, "t"), 0);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "t", BED_PARTITIONS), 0);
    for (int i = 0; i < 400 && member->n_revoked == 0; i++)
        bed_run(&bed, 10);
    cr_assert_eq(member->n_revoked, 1);
    bed_run(&bed, 200);
    cr_assert_eq(member->n_given, given, "not while the old one is being given up");
    bed_run(&bed, 300);
    cr_assert_eq(member->n_given, given + BED_PARTITIONS);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    group_end(&bed);
}

Test(modern_group, a_rebalance_cannot_be_asked_for)
{
    two_members(modern);
    cr_assert_eq(kw_core_rejoin(bed.members[0].consumer, "for the test"), KW_ERR_UNSUPPORTED);
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

/* ---- the end ------------------------------------------------------------------------------------------- */

Test(modern_group, closing_commits_and_leaves)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 10);
    bed_subscribe(bed_join(&bed, modern));
    bed_subscribe(bed_join(&bed, modern));
    bed_run(&bed, 1000);
    cr_assert(bed_drained(&bed, 2000));
    cr_assert_not_null(kw_core_close(bed.pair.core, 5000, NULL));
    bed_run(&bed, 300);
    cr_assert_eq(bed.n_done, 1);
    cr_assert_eq(bed.op_code, 0);
    cr_assert_eq(group_info().n_members, 0);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(bed.committed[p], 10);
    group_end(&bed);
}

Test(modern_group, closing_ends_in_every_state_of_membership)
{
    static const char *const specs[] = {"consumergroupheartbeat:99:error=25",
                                        "consumergroupheartbeat:*:error=14",
                                        "consumergroupheartbeat:1:drop-answer",
                                        "consumergroupheartbeat:2:drop-answer",
                                        "consumergroupheartbeat:3+:drop-answer",
                                        "consumergroupheartbeat:*:delay=60",
                                        "consumergroupheartbeat:2+:close-before",
                                        "findcoordinator:*:error=15",
                                        "offsetcommit:*:drop-answer",
                                        "offsetcommit:*:error=113",
                                        "describeconfigs:*:drop-answer",
                                        "consumergroupheartbeat:/2:error=110"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        for (uint64_t wait = 0; wait <= 400; wait += 50) {
            group_begin(&bed, NULL);
            bed_produce(&bed, 3);
            bed_fault(&bed, specs[i]);
            bed_subscribe(bed_join(&bed, modern));
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

Test(modern_group, a_leave_goes_out_though_a_heartbeat_is_under_way)
{
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, modern);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    bed_fault(&bed, "consumergroupheartbeat:1:delay=150");
    listen();
    for (int i = 0; i < 50 && n_said == 0; i++)
        bed_run(&bed, 10); /* one is under way, and its answer will be late */
    struct kw_error err;
    cr_assert_eq(kw_core_subscribe(member->consumer, NULL, 0, &err), 0);
    bed_run(&bed, 500);
    cr_assert_eq(heard(0)->epoch, -1);
    cr_assert_eq(group_info().n_members, 0);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    group_end(&bed);
}
