/* Members of a KIP-848 group: joining, sharing, giving up, losing, leaving, and errors
 * of the coordinator that heal.
 *
 * covers: G06 G09 G14 G17 G20 G21 G23 G24 G25 G26 G28 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock/cluster.h"
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
    bed_two_members(&bed, modern);
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
    cr_assert_eq(bed_group(&bed).n_members, 2);
    bed_produce(&bed, 5);
    cr_assert(bed_drained(&bed, 2000));
    bed_subscribe(&bed.members[0]); /* and back */
    bed_run(&bed, 1500);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(bed_owned(&bed.members[0]), 2);
    bed_each_once(&bed);
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
    cr_assert_eq(commit_epoch, bed_group(&bed).generation);
    cr_assert_str_eq(commit_id, said[0].id);
    cr_assert_eq(fetch_version, 9);
    cr_assert_str_eq(fetch_id, said[0].id);
    cr_assert_eq(fetch_epoch, bed_group(&bed).generation);
    /* The token of records is the epoch. */
    member->hold = true;
    bed_produce(&bed, 1);
    bed_run(&bed, 200);
    cr_assert_gt(member->n_held, 0);
    cr_assert_eq(kw_records_fence(member->held[0]), bed_group(&bed).generation);
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
    bed_each_once(&bed);
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
    bed_two_members(&bed, modern);
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
    cr_assert_eq(bed_group(&bed).n_members, 2, "it does not leave for good");
    bed_subscribe(bed_join(&bed, named));
    bed_run(&bed, 500);
    cr_assert_eq(memcmp(had, bed.members[2].owns, sizeof had), 0);
    bed_run(&bed, 3000);
    cr_assert_eq(bed.members[1].n_assigned + bed.members[1].n_revoked, events,
                 "the other one noticed nothing");
    group_end(&bed);
}

Test(modern_group, of_two_members_with_one_name_the_younger_is_refused_when_the_older_stays)
{
    static const char *const named[] = {"group.protocol=consumer", "group.instance.id=one", NULL};
    group_begin(&bed, NULL);
    bed_subscribe(bed_join(&bed, named));
    cr_assert(bed_settled(&bed, 2000));
    struct bed_member *second = bed_join(&bed, named);
    bed_subscribe(second);
    bed_run(&bed, 500);
    cr_assert_eq(second->n_error, 1, "it is told what it waits for");
    cr_assert(second->retriable);
    cr_assert_eq(second->kafka_code, 111, "%s", second->text);
    bed_run(&bed, bed.session_ms + 5000);
    cr_assert_eq(second->n_error, 2);
    cr_assert_not(second->retriable);
    cr_assert_eq(second->kafka_code, 111, "%s", second->text);
    cr_assert_eq(bed.members[0].n_lost, 0);
    cr_assert_eq(bed_owned(&bed.members[0]), BED_PARTITIONS);
    listen();
    bed_subscribe(second); /* from the beginning */
    bed_run(&bed, 500);
    cr_assert_eq(second->n_error, 3);
    cr_assert(second->retriable);
    group_end(&bed);
}

/* kill -9 of a static member, and a new process of its name: it waits for the end of the
 * session of the old one, at its own pace, and then has everything. */
Test(modern_group, a_static_member_that_died_is_waited_for_and_then_replaced)
{
    static const char *const named[] = {"group.protocol=consumer", "group.instance.id=one", NULL};
    group_begin(&bed, NULL);
    bed_subscribe(bed_join(&bed, named));
    cr_assert(bed_settled(&bed, 2000));
    bed_fault(&bed, "consumergroupheartbeat:1:drop-request"); /* that says that it leaves */
    cr_assert_not_null(bed_close(&bed.members[0], KW_LEAVE_DEFAULT, 20));
    bed_run(&bed, 40);
    cr_assert_eq(bed.n_done, 1);
    listen();
    struct bed_member *second = bed_join(&bed, named);
    bed_subscribe(second);
    bed_run(&bed, bed.session_ms + 3000);
    cr_assert_eq(second->n_error, 1);
    cr_assert(second->retriable);
    cr_assert_eq(bed_owned(second), BED_PARTITIONS);
    cr_assert_leq(n_said, 60, "%u heartbeats", n_said);
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

/* The client's own request.timeout.ms is 1 s. */
Test(modern_group, names_are_waited_for_as_long_as_the_consumer_says)
{
    static const char *const own[] = {"group.protocol=consumer", "request.timeout.ms=200",
                                      "fetch.max.wait.ms=100", NULL};
    struct kw_error err;
    group_begin(&bed, NULL);
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "u-1", 2), 0);
    struct bed_member *member = bed_join(&bed, own);
    bed_fault(&bed, "metadata:1:drop-request");
    cr_assert_eq(kw_core_subscribe_pattern(member->consumer, "u-[0-9]+", &err), 0);
    bed_run(&bed, 700);
    cr_assert(has(member, "u-1", 2));
    group_end(&bed);
}

/* Names are asked for by ids, in a version that we know. */
Test(modern_group, a_broker_with_a_newer_metadata_is_asked_in_ours)
{
    struct kw_error err;
    group_begin(&bed, NULL);
    bed.pair.mock->versions[KW_API_METADATA].max++;
    struct bed_member *member = bed_join(&bed, modern);
    cr_assert_eq(kw_core_subscribe_pattern(member->consumer, "t|late", &err), 0);
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_eq(kwi_mock_create_topic(bed.pair.mock, "late", 2), 0);
    bed_run(&bed, 700);
    cr_assert(has(member, "late", 2));
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
    bed_two_members(&bed, modern);
    cr_assert_eq(kw_core_rejoin(bed.members[0].consumer, "for the test"), KW_ERR_UNSUPPORTED);
    group_end(&bed);
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
    cr_assert_eq(bed_group(&bed).n_members, 0);
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
    cr_assert_eq(bed_group(&bed).n_members, 0);
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    group_end(&bed);
}

/* Its revoke may be open for longer than a session. */
Test(modern_group, a_member_that_parts_sends_heartbeats_until_it_is_gone)
{
    static const char *const settings[] = {
        "group.protocol=consumer", "rebalance.ack.timeout.ms=6000", "max.poll.interval.ms=7000",
        "auto.commit.interval.ms=60000", NULL};
    struct kw_error err;
    group_begin(&bed, NULL);
    bed.ack_ms = 6000;
    bed_produce(&bed, 10);
    struct bed_member *member = bed_join(&bed, settings);
    member->hold = member->no_ack = true;
    bed_subscribe(member);
    cr_assert(bed_drained(&bed, 3000));
    cr_assert_eq(kw_core_subscribe(member->consumer, NULL, 0, &err), 0);
    bed_run(&bed, 100);
    cr_assert_eq(member->n_revoked, 1);
    uint64_t beats = kwi_mock_n_requests(bed.pair.mock, 68);
    bed_run(&bed, 4000); /* two sessions */
    cr_assert_eq(member->n_lost, 0);
    beats = kwi_mock_n_requests(bed.pair.mock, 68) - beats;
    cr_assert(beats >= 10 && beats <= 30, "%lu", (unsigned long)beats);
    bed_release_held(member, KW_DONE);
    cr_assert_eq(kw_core_rebalance_ack(member->consumer), 0);
    for (int p = 0; p < BED_PARTITIONS; p++)
        member->owns[p] = member->revoking[p] = false;
    member->revoke_us = 0;
    bed_run(&bed, 300);
    for (int p = 0; p < BED_PARTITIONS; p++)
        cr_assert_eq(kwi_mock_committed(bed.pair.mock, "g", "t", p), 10);
    cr_assert_eq(bed_group(&bed).n_members, 0);
    group_end(&bed);
}

/* The classic protocol has no patterns: that is said, and no empty subscription sent. */
Test(modern_group, a_pattern_that_came_before_the_fall_back_is_refused)
{
    static const char *const settings[] = {"group.protocol=auto", NULL};
    struct kw_error err;
    group_begin_of(&bed, NULL, "3.9", NULL);
    struct bed_member *member = bed_join(&bed, settings);
    bed_subscribe(member);
    cr_assert_eq(kw_core_subscribe_pattern(member->consumer, "t", &err), 0, "%s", err.text);
    bed_run(&bed, 1500);
    cr_assert_eq(member->n_error, 1);
    cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), 0);
    group_end(&bed);
}
