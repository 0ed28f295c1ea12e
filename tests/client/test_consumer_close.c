/* Closing one consumer while others of its client go on: it commits, leaves its group or
 * not, and gives back what it had.
 *
 * covers: G17 G28 G43 M02 */
#include <criterion/criterion.h>
#include <string.h>

#include "client/consumer.h"
#include "tests/sim/group_bed.h"

static struct group_bed bed;

static const char *const modern[] = {"group.protocol=consumer", NULL};
static const char *const *const protocols[] = {NULL, modern};

/* How many consumers the client still has. */
static unsigned n_consumers(void)
{
    unsigned n = 0;
    for (const struct kw_node *c = bed.pair.core->consumers.first; c; c = c->next)
        n++;
    return n;
}

static size_t control_used(void)
{
    struct kw_stats stats;
    kw_core_stats(bed.pair.core, &stats);
    return stats.control_used;
}

static void wait_done(unsigned n, uint64_t for_ms)
{
    for (uint64_t ms = 0; bed.n_done < n && ms < for_ms; ms += 10)
        bed_run(&bed, 10);
    cr_assert_eq(bed.n_done, n);
    bed_run(&bed, 10); /* the event is over */
}

Test(consumer_close, what_it_had_goes_to_the_others_and_nothing_is_handled_twice)
{
    for (int i = 0; i < 2; i++) {
        bed_two_members(&bed, protocols[i]);
        bed_produce(&bed, 20);
        cr_assert(bed_drained(&bed, 2000));
        bed_produce(&bed, 10); /* some of it was fetched, some handled, some neither */
        bed_close(&bed.members[0], KW_LEAVE_DEFAULT, 3000);
        wait_done(1, 1000);
        cr_assert_eq(bed.op_code, 0);
        cr_assert_eq(n_consumers(), 1);
        cr_assert_eq(bed_group(&bed).n_members, 1);
        cr_assert(bed_drained(&bed, 3000));
        cr_assert_eq(bed_owned(&bed.members[1]), BED_PARTITIONS);
        cr_assert_eq(bed.members[1].n_lost + bed.members[1].n_error, 0);
        bed_produce(&bed, 10);
        cr_assert(bed_drained(&bed, 3000));
        bed_each_once(&bed);
        group_end(&bed);
    }
}

Test(consumer_close, its_memory_and_its_connections_come_back)
{
    for (int i = 0; i < 2; i++) {
        size_t used = 0;
        group_begin(&bed, NULL);
        bed_produce(&bed, 20);
        for (int round = 0; round < 30; round++) {
            bed.n_members = 0;
            struct bed_member *member = bed_join(&bed, protocols[i]);
            bed_subscribe(member);
            cr_assert(bed_settled(&bed, 2000));
            bed_produce(&bed, 5);
            cr_assert(bed_drained(&bed, 2000));
            bed_run(&bed, 200);
            bed_close(member, KW_LEAVE_DEFAULT, 3000);
            bed.n_done = 0;
            wait_done(1, 1000);
            cr_assert_eq(n_consumers(), 0);
            if (round == 0)
                used = control_used();
            /* Requests are kept for the next ones, with buffers that grew. */
            cr_assert_leq(control_used(), used + 2048, "round %d: %lu bytes instead of %lu", round,
                          (unsigned long)control_used(), (unsigned long)used);
        }
        bed_each_once(&bed);
        group_end(&bed);
    }
}

/* One that closes ends by its deadline wherever it is, and whatever the coordinator does. */
Test(consumer_close, ends_in_every_state_of_membership)
{
    static const char *const specs[2][8] = {
        {"heartbeat:99:error=25", "joingroup:*:error=14", "joingroup:2:drop-answer",
         "syncgroup:1:drop-answer", "findcoordinator:*:error=15", "leavegroup:*:drop-answer",
         "leavegroup:*:close-before", "offsetcommit:*:drop-answer"},
        {"consumergroupheartbeat:99:error=25", "consumergroupheartbeat:*:error=14",
         "consumergroupheartbeat:1:drop-answer", "consumergroupheartbeat:2:drop-answer",
         "findcoordinator:*:error=15", "consumergroupheartbeat:3+:close-before",
         "consumergroupheartbeat:3+:drop-answer", "offsetcommit:*:drop-answer"}};
    for (size_t i = 0; i < 2 * 8; i++) {
        for (uint64_t wait = 0; wait <= 400; wait += 80) {
            group_begin(&bed, NULL);
            bed_produce(&bed, 3);
            bed_fault(&bed, specs[i / 8][i % 8]);
            bed_subscribe(bed_join(&bed, protocols[i / 8]));
            bed_run(&bed, wait);
            bed_close(&bed.members[0], KW_LEAVE_DEFAULT, 1000);
            wait_done(1, 1100);
            cr_assert(bed.op_code == 0 || bed.op_code == KW_ERR_TIMEOUT, "%s: %d",
                      specs[i / 8][i % 8], bed.op_code);
            cr_assert_eq(n_consumers(), 0);
            group_end(&bed);
        }
    }
}

Test(consumer_close, a_static_member_stays_unless_it_is_told_to_leave)
{
    static const char *const settings[2][3] = {
        {"group.instance.id=one", NULL},
        {"group.instance.id=one", "group.protocol=consumer", NULL}};
    for (int i = 0; i < 4; i++) {
        group_begin(&bed, NULL);
        bed_subscribe(bed_join(&bed, settings[i % 2]));
        cr_assert(bed_settled(&bed, 2000));
        bed_close(&bed.members[0], i < 2 ? KW_LEAVE_DEFAULT : KW_LEAVE_ALWAYS, 1000);
        wait_done(1, 500);
        cr_assert_eq(bed.op_code, 0);
        cr_assert_eq(bed_group(&bed).n_members, i < 2 ? 1 : 0, "%d", i);
        bed_subscribe(bed_join(&bed, settings[i % 2])); /* and comes back */
        cr_assert(bed_settled(&bed, 3000));
        cr_assert_eq(bed.members[1].n_error, 0, "%s", bed.members[1].text);
        group_end(&bed);
    }
}

Test(consumer_close, a_member_may_stay_without_a_name_until_its_session_is_over)
{
    for (int i = 0; i < 2; i++) {
        group_begin(&bed, NULL);
        bed_subscribe(bed_join(&bed, protocols[i]));
        cr_assert(bed_settled(&bed, 2000));
        bed_close(&bed.members[0], KW_LEAVE_NEVER, 1000);
        wait_done(1, 100);
        cr_assert_eq(bed.op_code, 0);
        cr_assert_eq(bed_group(&bed).n_members, 1);
        bed_run(&bed, 3000);
        cr_assert_eq(bed_group(&bed).n_members, 0);
        group_end(&bed);
    }
}

Test(consumer_close, what_is_wrong_is_told_and_changes_nothing)
{
    group_begin(&bed, NULL);
    struct bed_member *member = bed_join(&bed, NULL);
    struct kw_consumer *consumer = member->consumer;
    struct kw_error err;
    int code;
    bed_subscribe(member);
    cr_assert(bed_settled(&bed, 2000));
    struct kw_op *op = kw_core_consumer_close(consumer, (enum kw_leave)3, 1000, NULL);
    cr_assert_eq(kw_core_op_take(op, &code, NULL), 1);
    cr_assert_eq(code, KW_ERR_USE);
    bed_run(&bed, 100);
    cr_assert_eq(bed_owned(member), BED_PARTITIONS);
    struct kw_op *first = bed_close(member, KW_LEAVE_DEFAULT, 1000);
    op = kw_core_consumer_close(consumer, KW_LEAVE_DEFAULT, 1000, NULL);
    cr_assert_eq(kw_core_op_take(op, &code, NULL), 1);
    cr_assert_eq(code, KW_ERR_STATE);
    /* Until the op is taken calls are refused, not wrong. */
    static const char *const topics[] = {"t"};
    cr_assert_eq(kw_core_subscribe(consumer, topics, 1, &err), KW_ERR_CLOSED);
    cr_assert_eq(kw_core_assign(consumer, NULL, 0, &err), KW_ERR_CLOSED);
    struct kw_records *records;
    cr_assert_eq(kw_core_consumer_poll(consumer, &records, 0), 0);
    bed.pair.no_events = true;
    while (kw_core_op_take(first, &code, &err) == 0)
        sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(code, 0);
    cr_assert_eq(n_consumers(), 0, "it is gone with its op");
    bed.pair.no_events = false;
    group_end(&bed);
}

Test(consumer_close, handles_outlive_it_and_show_nothing_of_a_group_s_partitions)
{
    for (int i = 0; i < 2; i++) {
        group_begin(&bed, NULL);
        bed_produce(&bed, 20);
        struct bed_member *member = bed_join(&bed, protocols[i]);
        member->hold = true;
        bed_subscribe(member);
        cr_assert(bed_drained(&bed, 2000));
        cr_assert_gt(member->n_held, 2);
        struct kw_consumed last = {.offset = 0};
        bed_close(member, KW_LEAVE_DEFAULT, 1000);
        wait_done(1, 500);
        cr_assert_eq(n_consumers(), 1, "its handles keep it");
        cr_assert_eq(bed_group(&bed).n_members, 0);
        for (unsigned k = 0; k < member->n_held; k++) {
            cr_assert_null(kw_records_next(member->held[k]));
            cr_assert_str_eq(kw_records_topic(member->held[k]), "t");
            cr_assert_lt(kw_done(member->held[k], &last), 0);
        }
        bed_release_held(member, KW_DONE);
        cr_assert_eq(n_consumers(), 0);
        bed_run(&bed, 200);
        for (int p = 0; p < BED_PARTITIONS; p++)
            cr_assert_eq(bed.committed[p], -1, "it was handled too late");
        group_end(&bed);
    }
}

Test(consumer_close, handles_of_partitions_that_were_assigned_by_hand_stay_readable)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 20);
    struct bed_member *member = bed_join(&bed, NULL);
    struct kw_start start = {"t", 0, KW_START_EARLIEST, 0};
    struct kw_error err;
    struct kw_records *records = NULL;
    member->no_poll = true;
    cr_assert_eq(kw_core_assign(member->consumer, &start, 1, &err), 0);
    for (int k = 0; k < 50 && kw_core_consumer_poll(member->consumer, &records, 5) != 1; k++)
        sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(kw_records_next(records)->offset, 0);
    bed_close(member, KW_LEAVE_DEFAULT, 1000);
    wait_done(1, 100);
    cr_assert_eq(bed.op_code, 0);
    for (int64_t at = 1; at < 5; at++)
        cr_assert_eq(kw_records_next(records)->offset, at);
    cr_assert_null(kw_records_next(records));
    cr_assert_eq(n_consumers(), 1);
    kw_core_records_release(records, KW_DONE);
    cr_assert_eq(n_consumers(), 0);
    group_end(&bed);
}

Test(consumer_close, a_commit_that_fails_is_told_and_the_group_is_left)
{
    group_begin(&bed, NULL);
    bed_produce(&bed, 10);
    struct bed_member *member = bed_join(&bed, NULL);
    struct kw_consumer *consumer = member->consumer;
    bed_subscribe(member);
    bed_fault(&bed, "offsetcommit:*:error=28:partition=0"); /* INVALID_COMMIT_OFFSET_SIZE */
    cr_assert(bed_settled(&bed, 2000));
    bed_run(&bed, 50);
    member->hold = true;
    cr_assert(bed_drained(&bed, 2000));
    bed_release_held(member, KW_DONE);
    struct kw_op *op = bed_close(member, KW_LEAVE_DEFAULT, 1000);
    member->consumer = consumer; /* its events are counted; it is not polled any more */
    member->no_poll = true;
    (void)op;
    wait_done(1, 500);
    member->consumer = NULL;
    cr_assert_eq(bed.op_code, KW_ERR_BROKER);
    cr_assert_gt(member->n_failed, 0);
    cr_assert_eq(bed_group(&bed).n_members, 0);
    cr_assert_eq(bed.committed[0], -1);
    cr_assert_eq(bed.committed[1], 10);
    group_end(&bed);
}

Test(consumer_close, may_be_cancelled_and_is_over_then)
{
    for (int i = 0; i < 2; i++) {
        bed_two_members(&bed, protocols[i]);
        bed.pair.hold_answers = true;
        struct kw_op *op = bed_close(&bed.members[0], KW_LEAVE_DEFAULT, -1);
        bed_run(&bed, 100);
        cr_assert_eq(bed.n_done, 0);
        cr_assert_eq(kw_core_op_cancel(op), 0);
        wait_done(1, 20);
        cr_assert_eq(bed.op_code, KW_ERR_CANCELED);
        cr_assert_eq(n_consumers(), 1);
        bed.pair.hold_answers = false;
        bed_run(&bed, 3500); /* the coordinator heard it, or waits for the session */
        cr_assert(bed_settled(&bed, 3000));
        bed_produce(&bed, 5);
        cr_assert(bed_drained(&bed, 3000));
        group_end(&bed);
    }
}

/* In an open revoke, in the event ASSIGNED, and with a commit of the application's own
 * under way. */
Test(consumer_close, at_any_moment_of_a_rebalance)
{
    for (int i = 0; i < 40; i++) {
        bed_two_members(&bed, protocols[i % 2]);
        bed_produce(&bed, 5);
        bed.members[0].no_ack = true;
        bed_subscribe(bed_join(&bed, protocols[i % 2]));
        bed_run(&bed, (uint64_t)(i / 2) * 20);
        (void)kw_core_commit(bed.members[0].consumer, NULL, 500, NULL);
        unsigned before = bed.n_done;
        bed_close(&bed.members[0], KW_LEAVE_DEFAULT, 2000);
        wait_done(before + 2, 2100);
        cr_assert_eq(n_consumers(), 2);
        cr_assert(bed_settled(&bed, 4000), "%d", i);
        cr_assert(bed_drained(&bed, 3000));
        cr_assert_eq(bed_group(&bed).n_members, 2);
        group_end(&bed);
    }
}

Test(consumer_close, and_the_client_closes_or_dies_meanwhile)
{
    for (int i = 0; i < 8; i++) {
        bed_two_members(&bed, protocols[i % 2]);
        bed.pair.hold_answers = i & 2;
        bed_close(&bed.members[0], KW_LEAVE_DEFAULT, 2000);
        if (i & 4) {
            cr_assert_not_null(kw_core_close(bed.pair.core, 500, NULL));
            for (int k = 0; k < 300 && bed.n_done < 2; k++)
                sim_pair_step(&bed.pair, 10000);
            cr_assert_eq(bed.n_done, 2);
        }
        bed.pair.hold_answers = false;
        group_end(&bed);
    }
}

/* The last commit finds that the member is none any more: the close says so, and leaves;
 * it does not join again. */
Test(consumer_close, does_not_join_again_when_its_last_commit_is_refused)
{
    static const char *const faults[2][3] = {
        {"offsetcommit:1:error=22", "offsetcommit:1:error=25", NULL},
        {"offsetcommit:1:error=25", "offsetcommit:1:error=110", NULL}};
    static const char *const quiet[2][3] = {
        {"auto.commit.interval.ms=60000", NULL},
        {"auto.commit.interval.ms=60000", "group.protocol=consumer", NULL}};
    for (int i = 0; i < 2; i++) {
        for (int k = 0; faults[i][k]; k++) {
            group_begin(&bed, NULL);
            bed_produce(&bed, 5);
            struct bed_member *member = bed_join(&bed, quiet[i]);
            member->hold = true;
            bed_subscribe(member);
            cr_assert(bed_drained(&bed, 2000));
            uint64_t joins = kwi_mock_n_requests(bed.pair.mock, 11);
            bed_fault(&bed, faults[i][k]);
            bed_release_held(member, KW_DONE);
            bed_close(member, KW_LEAVE_DEFAULT, 5000);
            wait_done(1, 1000);
            cr_assert_neq(bed.op_code, 0, "%s", faults[i][k]);
            cr_assert_neq(bed.op_code, KW_ERR_TIMEOUT, "%s", faults[i][k]);
            cr_assert_eq(kwi_mock_n_requests(bed.pair.mock, 11), joins);
            group_end(&bed);
        }
    }
}

/* What was given up and is being committed is not committed again by the close. */
Test(consumer_close, behind_an_acknowledged_revoke_reports_no_failure)
{
    static const char *const quiet[] = {"auto.commit.interval.ms=60000", NULL};
    group_begin(&bed, NULL);
    bed_produce(&bed, 10);
    struct bed_member *member = bed_join(&bed, quiet);
    bed_subscribe(member);
    cr_assert(bed_drained(&bed, 2000));
    bed_fault(&bed, "offsetcommit:1:delay=100");
    bed_subscribe(bed_join(&bed, NULL));
    for (int i = 0; i < 200 && member->n_revoked == 0; i++)
        bed_run(&bed, 10);
    cr_assert_eq(member->n_revoked, 1);
    bed_close(member, KW_LEAVE_DEFAULT, 3000);
    wait_done(1, 1000);
    cr_assert_eq(bed.op_code, 0, "%s", kw_err_name(bed.op_code));
    group_end(&bed);
}

/* The revoke was open when the close began: its partitions are in the last commit, which an
 * acknowledgement, or its deadline, must not take them out of. */
Test(consumer_close, an_acknowledgement_behind_it_changes_nothing)
{
    static const char *const quiet[] = {"auto.commit.interval.ms=60000", NULL};
    for (int i = 0; i < 2; i++) {
        group_begin(&bed, NULL);
        bed_produce(&bed, 10);
        struct bed_member *member = bed_join(&bed, quiet);
        struct kw_consumer *consumer = member->consumer;
        member->hold = member->no_ack = true;
        bed_subscribe(member);
        cr_assert(bed_drained(&bed, 2000));
        bed_subscribe(bed_join(&bed, NULL));
        for (int k = 0; k < 200 && member->n_revoked == 0; k++)
            bed_run(&bed, 10);
        cr_assert_eq(member->n_revoked, 1);
        bed_release_held(member, KW_DONE);
        bed_close(member, KW_LEAVE_DEFAULT, 3000);
        if (i == 0)
            (void)kw_core_rebalance_ack(consumer);
        else
            bed_fault(&bed, "offsetcommit:1:delay=500"); /* the deadline of the revoke is first */
        wait_done(1, 2000);
        cr_assert_eq(bed.op_code, 0, "%s", kw_err_name(bed.op_code));
        for (int p = 0; p < BED_PARTITIONS; p++)
            cr_assert_geq(kwi_mock_committed(bed.pair.mock, "g", "t", p), 10);
        group_end(&bed);
    }
}

/* Found by the fuzzer: a broker that promises a large answer has the memory at once. */
Test(consumer_close, the_client_closes_though_its_memory_is_used_up)
{
    unsigned n_ops = 0;
    bed_two_members(&bed, NULL);
    bed.pair.no_events = true; /* each op stays until it is told */
    while (kw_core_flush(bed.producer, 1000, NULL) ||
           kw_core_consumer_close(bed.members[0].consumer, (enum kw_leave)9, 0, NULL))
        n_ops++; /* large ones, then small ones that are refused */
    cr_assert_gt(n_ops, 100);
    cr_assert_not_null(kw_core_close(bed.pair.core, 500, NULL));
    bed.pair.no_events = false;
    for (int k = 0; k < 300 && bed.n_done < n_ops + 1; k++)
        sim_pair_step(&bed.pair, 10000);
    cr_assert_eq(bed.n_done, n_ops + 1);
    group_end(&bed);
}

/* What was fetched before kw_close belongs to somebody else when the group was left. */
Test(consumer_close, of_the_client_leaves_nothing_to_poll)
{
    for (int i = 0; i < 2; i++) {
        struct kw_records *records = NULL;
        group_begin(&bed, NULL);
        struct bed_member *member = bed_join(&bed, protocols[i]);
        bed_subscribe(member);
        cr_assert(bed_settled(&bed, 4000));
        member->no_poll = true;
        bed_produce(&bed, 20);
        bed_run(&bed, 500);
        cr_assert_not(kwi_list_empty(&member->consumer->ready), "it was fetched");
        cr_assert_not_null(kw_core_close(bed.pair.core, 500, NULL));
        for (int k = 0; k < 100 && bed.n_done < 1; k++) {
            int rc = kw_core_consumer_poll(member->consumer, &records, 1);
            cr_assert_geq(rc, 0);
            cr_assert(rc == 0 || kw_records_fence(records) >= 0, "it is in no group any more");
            kw_core_records_release(rc == 1 ? records : NULL, KW_NOT_DONE);
            sim_pair_step(&bed.pair, 10000);
        }
        cr_assert_eq(bed_group(&bed).n_members, 0);
        group_end(&bed);
    }
}

Test(consumer_close, one_that_never_did_anything_is_gone_at_once)
{
    group_begin(&bed, NULL);
    bed_run(&bed, 100);
    size_t used = control_used();
    for (int i = 0; i < 3; i++) {
        bed_join(&bed, i % 2 ? modern : NULL);
        bed_close(&bed.members[i], KW_LEAVE_ALWAYS, 0);
        wait_done((unsigned)i + 1, 10);
        cr_assert_eq(bed.op_code, 0);
    }
    cr_assert_eq(control_used(), used);
    group_end(&bed);
}

/* What close did not tell would keep its connections, which close destroys. */
Test(consumer_close, none_is_made_while_the_client_is_being_closed)
{
    struct kw_consumer *late = NULL;
    struct kw_error err = {0};
    group_begin(&bed, NULL);
    bed_subscribe(bed_join(&bed, NULL));
    cr_assert(bed_settled(&bed, 2000));
    cr_assert_not_null(kw_core_close(bed.pair.core, 3000, NULL));
    cr_assert_eq(kw_core_consumer_create(&late, bed.pair.core, NULL, &err), KW_ERR_CLOSED);
    cr_assert_eq(err.code, KW_ERR_CLOSED);
    cr_assert_null(late);
    wait_done(1, 2000);
    group_end(&bed);
}
