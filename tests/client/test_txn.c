/* Transactions of a producer against the broker model, in both versions: what is
 * committed is seen once, what is aborted never.
 *
 * covers: T01 T02 T03 T04 T05 T07 T08 T12 T13 T14 T16 T20 T23 T24 T25 T28 */
#include "tests/client/txn_bed.h"

#include <stdio.h>
#include <string.h>

#define BOTH(name)                      \
    static void name(int16_t version);  \
    Test(txn, name##_v1, .timeout = 60) \
    {                                   \
        name(1);                        \
    }                                   \
    Test(txn, name##_v2, .timeout = 60) \
    {                                   \
        name(2);                        \
    }                                   \
    static void name(int16_t version)

static void ready(int16_t version)
{
    txn_start(version, NULL);
    cr_assert_eq(txn_init(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_status().state, KW_TXN_READY);
    cr_assert_eq(txn_status().implicit, version == 2);
}

static void open_with(int16_t version, int n)
{
    ready(version);
    cr_assert_eq(txn_begin(), 0);
    for (int i = 0; i < n; i++)
        cr_assert_eq(txn_make(i % 2, i), 0);
}

/* One that is committed, at the end of a test: the producer is as good as new. */
static void works_again(int number)
{
    char seen[64], text[16];
    unsigned n = tbed.n_delivered;
    strcpy(seen, txn_seen(3));
    snprintf(text, sizeof text, "%s%d", seen[0] ? " " : "", number);
    cr_assert_eq(txn_begin(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_make(3, number), 0);
    cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
    cr_assert_eq(tbed.n_delivered, n + 1);
    cr_assert_str_eq(txn_seen(3), strcat(seen, text));
    cr_assert(txn_is_closed());
    cr_assert_eq(txn_status().state, KW_TXN_READY);
}

BOTH(what_is_committed_is_seen_and_what_is_aborted_is_not)
{
    open_with(version, 6);
    cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_status().outcome, KW_TXN_WAS_COMMITTED);
    cr_assert_str_eq(txn_seen(0), "0 2 4");
    cr_assert_str_eq(txn_seen(1), "1 3 5");
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(0, 10), 0);
    txn_run(50); /* it is in the log */
    cr_assert_eq(tbed.n_delivered, 7);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_status().outcome, KW_TXN_WAS_ABORTED);
    cr_assert_str_eq(txn_seen(0), "0 2 4");
    works_again(11);
    cr_assert_eq(kwi_mock_n_requests(tbed.pair.mock, 24) > 0, version == 1);
    cr_assert_eq(kwi_mock_n_requests(tbed.pair.mock, 22), 1); /* one epoch or EndTxn's */
    txn_stop();
}

BOTH(an_end_without_anything_in_it_asks_nobody)
{
    ready(version);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(txn_begin(), 0);
        cr_assert_eq(i % 2 ? txn_commit() : txn_abort(), 0);
        cr_assert_eq(txn_status().outcome, i % 2 ? KW_TXN_WAS_COMMITTED : KW_TXN_WAS_ABORTED);
    }
    cr_assert_eq(kwi_mock_n_requests(tbed.pair.mock, 26), 0);
    works_again(1);
    txn_stop();
}

BOTH(offsets_are_committed_with_the_transaction)
{
    open_with(version, 2);
    cr_assert_eq(txn_offsets(7), 0, "%s", txn_error.text);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), -1);
    cr_assert_eq(txn_commit(), 0);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), 7);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 1), 8);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_offsets(20), 0); /* nothing else */
    cr_assert_eq(txn_abort(), 0);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), 7);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_offsets(30), 0);
    cr_assert_eq(txn_commit(), 0);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), 30);
    txn_stop();
}

BOTH(init_waits_for_the_end_of_its_predecessors_transaction)
{
    struct kw_producer *first;
    struct kw_error err;
    open_with(version, 2);
    txn_run(50);
    cr_assert_eq(txn_info().state, KWI_MOCK_TXN_ONGOING);
    kwi_mock_set_marker_delay(tbed.pair.mock, 300);
    first = tbed.producer;
    tbed.producer = txn_producer(NULL);
    cr_assert_eq(kw_core_topic_open(&tbed.topic, tbed.producer, "t", &err), 0);
    cr_assert_eq(txn_init(), 0, "%s", txn_error.text);
    cr_assert(txn_is_closed());
    cr_assert_str_eq(txn_seen(0), "");
    kwi_mock_set_marker_delay(tbed.pair.mock, 0);
    works_again(5);
    /* The older one is fenced: by its commit (T07, T20), and abort does not hang (T08). */
    struct kw_producer *second = tbed.producer;
    tbed.producer = first;
    cr_assert_eq(txn_commit(), KW_ERR_BROKER);
    cr_assert_eq(txn_error.txn_class, KW_TXN_FATAL);
    cr_assert_eq(txn_error.kafka_code, version == 1 ? 90 : txn_error.kafka_code);
    cr_assert_eq(txn_status().state, KW_TXN_DEAD);
    cr_assert_eq(txn_status().outcome, KW_TXN_WAS_ABORTED);
    cr_assert_eq(txn_abort(), KW_ERR_STATE);
    cr_assert_eq(txn_error.txn_class, KW_TXN_FATAL);
    cr_assert_eq(txn_begin(), KW_ERR_STATE);
    tbed.producer = second;
    works_again(6);
    txn_stop();
}

/* Each request of the way may be lost, before it is carried out and after. */
static void lost_answers(int16_t version, bool commit)
{
    static const char *const apis[] = {"initproducerid",  "addpartitionstotxn", "produce",
                                       "addoffsetstotxn", "txnoffsetcommit",    "endtxn"};
    static const char *const faults[] = {"close-before", "close-after", "drop-answer", "late=700"};
    for (size_t a = 0; a < 6; a++) {
        for (size_t f = 0; f < 4; f++) {
            char spec[64];
            snprintf(spec, sizeof spec, "%s:1:%s", apis[a], faults[f]);
            txn_start(version, NULL);
            txn_fault(spec);
            cr_assert_eq(txn_init(), 0, "%s: %s", spec, txn_error.text);
            cr_assert_eq(txn_begin(), 0);
            cr_assert_eq(txn_make(0, 1), 0);
            cr_assert_eq(txn_make(1, 2), 0);
            cr_assert_eq(txn_offsets(5), 0, "%s: %s", spec, txn_error.text);
            cr_assert_eq(commit ? txn_commit() : txn_abort(), 0, "%s: %s", spec, txn_error.text);
            cr_assert_eq(txn_status().outcome, commit ? KW_TXN_WAS_COMMITTED : KW_TXN_WAS_ABORTED);
            cr_assert_str_eq(txn_seen(0), commit ? "1" : "", "%s", spec);
            cr_assert_str_eq(txn_seen(1), commit ? "2" : "", "%s", spec);
            cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), commit ? 5 : -1);
            works_again(3);
            txn_run(1500); /* what is late is carried out now, and does no harm */
            works_again(4);
            cr_assert_str_eq(txn_seen(0), commit ? "1" : "", "%s", spec);
            txn_stop();
        }
    }
}

/* AddOffsetsToTxn is lost, and refused for good when it is asked again: an abort need not ask
 * a third time. */
Test(txn, an_abort_ends_when_what_was_lost_is_refused)
{
    static const char *const refusals[] = {"addoffsetstotxn:2+:error=30",
                                           "addoffsetstotxn:2+:error=49"};
    static const char *const faults[] = {"addoffsetstotxn:1:close-before",
                                         "addoffsetstotxn:1:close-after"};
    for (int i = 0; i < 4; i++) {
        txn_start(1, NULL);
        txn_fault(faults[i % 2]);
        txn_fault(refusals[i / 2]);
        cr_assert_eq(txn_init(), 0, "%s", txn_error.text);
        cr_assert_eq(txn_begin(), 0);
        cr_assert_eq(txn_make(0, 1), 0);
        cr_assert_lt(txn_offsets(5), 0);
        cr_assert_eq(txn_abort(), 0, "%d: %s", i, txn_error.text);
        cr_assert_eq(txn_status().outcome, KW_TXN_WAS_ABORTED);
        cr_assert_str_eq(txn_seen(0), "");
        cr_assert_eq(txn_begin(), 0, "%s", txn_error.text);
        cr_assert_eq(txn_make(0, 2), 0);
        cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
        cr_assert_str_eq(txn_seen(0), "2");
        txn_stop();
    }
}

BOTH(a_lost_answer_at_any_step_of_a_commit_does_no_harm)
{
    lost_answers(version, true);
}

BOTH(a_lost_answer_at_any_step_of_an_abort_does_no_harm)
{
    lost_answers(version, false);
}

/* KAFKA-17754: an EndTxn that comes late must not decide the next transaction. */
BOTH(a_delayed_end_does_not_end_the_next_transaction)
{
    open_with(version, 2);
    txn_fault("endtxn:1:late=3000");
    cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_begin(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_make(2, 7), 0);
    txn_run(4000); /* it comes while this one is open */
    cr_assert_eq(txn_info().state, KWI_MOCK_TXN_ONGOING);
    cr_assert_str_eq(txn_seen(2), "");
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    cr_assert_str_eq(txn_seen(2), "");
    cr_assert_str_eq(txn_seen(0), "0");
    works_again(8);
    txn_stop();
}

BOTH(a_commit_that_timed_out_is_asked_for_again_and_happens_once)
{
    struct txn_wait wait;
    open_with(version, 2);
    txn_fault("endtxn:1-5:close-after");
    txn_commit_start(&wait, 5);
    cr_assert_eq(txn_await(&wait, 100), KW_ERR_TIMEOUT);
    cr_assert_eq(txn_error.txn_class, KW_TXN_RETRY);
    cr_assert_neq(txn_begin(), 0); /* nobody was told how it ended */
    txn_run(3000);
    cr_assert_eq(txn_status().state, KW_TXN_COMMITTED);
    cr_assert_eq(txn_begin(), KW_ERR_STATE);
    txn_abort_start(&wait, 1000);
    cr_assert_eq(txn_await(&wait, 10), KW_ERR_STATE);
    cr_assert_eq(txn_commit(), 0);
    cr_assert_eq(txn_commit(), KW_ERR_STATE);
    cr_assert_str_eq(txn_seen(0), "0");
    works_again(3);
    txn_stop();
}

BOTH(every_operation_ends_by_its_deadline_and_can_be_resumed)
{
    struct txn_wait wait;
    txn_start(version, NULL);
    kwi_mock_set_coordinator(tbed.pair.mock, -1);
    txn_init_start(&wait, 50);
    cr_assert_eq(txn_await(&wait, 60), KW_ERR_TIMEOUT);
    cr_assert_eq(txn_error.txn_class, KW_TXN_RETRY);
    cr_assert(strstr(txn_error.text, "COORDINATOR_NOT_AVAILABLE"), "%s", txn_error.text);
    txn_init_start(&wait, 50);
    cr_assert_eq(txn_await(&wait, 60), KW_ERR_TIMEOUT);
    kwi_mock_set_coordinator(tbed.pair.mock, 1);
    txn_run(500);
    cr_assert_eq(txn_status().state, KW_TXN_INITIALIZED);
    cr_assert_eq(txn_init(), 0);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(0, 1), 0);
    txn_run(50);
    kwi_mock_set_coordinator(tbed.pair.mock, -1);
    txn_offsets_start(&wait, 5, 50);
    cr_assert_eq(txn_await(&wait, 60), KW_ERR_TIMEOUT);
    cr_assert_eq(txn_error.txn_class, KW_TXN_RETRY);
    txn_abort_start(&wait, 50);
    cr_assert_eq(txn_await(&wait, 60), KW_ERR_TIMEOUT);
    kwi_mock_set_coordinator(tbed.pair.mock, 0);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    works_again(2);
    txn_stop();
}

/* The same call again and again while nobody takes them: it joins in, each time. Other
 * offsets are more of them, and there is a limit, which time may heal. */
BOTH(offsets_that_are_asked_for_again_are_the_same_ones)
{
    struct txn_wait wait;
    uint64_t before;
    open_with(version, 1);
    txn_run(50);
    kwi_mock_set_coordinator(tbed.pair.mock, -1);
    for (int i = 0; i < 40; i++) {
        txn_offsets_start(&wait, 5, 10);
        cr_assert_eq(txn_await(&wait, 20), KW_ERR_TIMEOUT, "%d", i);
        cr_assert_eq(txn_error.txn_class, KW_TXN_RETRY);
    }
    for (int i = 0; i < 15; i++) {
        txn_offsets_start(&wait, 6 + i, 10);
        cr_assert_eq(txn_await(&wait, 20), KW_ERR_TIMEOUT, "%d", i);
    }
    txn_offsets_start(&wait, 100, 10);
    cr_assert_eq(txn_await(&wait, 20), KW_ERR_LIMIT);
    cr_assert_eq(txn_error.txn_class, KW_TXN_RETRY);
    before = kwi_mock_n_requests(tbed.pair.mock, 28);
    kwi_mock_set_coordinator(tbed.pair.mock, 0);
    cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
    cr_assert_leq(kwi_mock_n_requests(tbed.pair.mock, 28) - before, 20);
    txn_run(100);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), 20, "the last ones");
    txn_stop();
}

BOTH(a_record_that_fails_makes_the_commit_refuse)
{
    open_with(version, 1);
    txn_fault("produce:*:error=87:partition=2");
    cr_assert_eq(txn_make(2, 9), 0);
    cr_assert_eq(txn_commit(), KW_ERR_BROKER);
    cr_assert_eq(txn_error.txn_class, KW_TXN_ABORT);
    cr_assert_eq(txn_error.kafka_code, 87);
    cr_assert_eq(txn_status().state, KW_TXN_ABORTABLE);
    cr_assert_eq(txn_status().error.kafka_code, 87);
    cr_assert_eq(tbed.error.txn_class, KW_TXN_ABORT);
    cr_assert_eq(txn_make(0, 10), KW_ERR_STATE);
    cr_assert_eq(txn_commit(), KW_ERR_STATE);
    cr_assert_eq(txn_error.txn_class, KW_TXN_ABORT);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    cr_assert_str_eq(txn_seen(0), "");
    works_again(11);
    txn_stop();
}

BOTH(a_transaction_in_which_all_failed_is_aborted_at_once)
{
    ready(version);
    txn_fault("produce:*:error=29:partition=0");
    txn_fault("produce:*:error=29:partition=1");
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(0, 1), 0);
    cr_assert_eq(txn_make(1, 2), 0);
    txn_run(100);
    cr_assert_eq(txn_status().state, KW_TXN_ABORTABLE);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    cr_assert_eq(tbed.n_not_written, 2);
    cr_assert_eq(tbed.n_delivered, 0);
    works_again(3);
    txn_stop();
}

BOTH(abort_drops_what_was_not_sent_and_waits_for_what_was)
{
    struct txn_wait wait;
    ready(version);
    txn_fault("produce:1-2:delay=200");
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(0, 1), 0);
    cr_assert_eq(txn_make(1, 2), 0);
    txn_run(50); /* those two are under way */
    cr_assert_eq(txn_make(0, 3), 0);
    cr_assert_eq(txn_make(2, 4), 0);
    txn_abort_start(&wait, 5000);
    txn_run(10);
    cr_assert(!wait.done);
    cr_assert_eq(tbed.n_not_written, 2);
    cr_assert_eq(tbed.report_code, KW_ERR_CANCELED);
    cr_assert_eq(txn_await(&wait, 1000), 0);
    cr_assert_eq(tbed.n_delivered, 2);
    cr_assert_eq(kw_producer_outstanding(tbed.producer), 0);
    for (int32_t p = 0; p < 3; p++)
        cr_assert_str_eq(txn_seen(p), "");
    works_again(5);
    txn_stop();
}

BOTH(abort_with_batches_that_get_no_answer_bumps_the_epoch)
{
    open_with(version, 1);
    txn_fault("produce:1:late=2500");
    cr_assert_eq(txn_make(1, 1), 0);
    txn_run(20);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    works_again(5);
    txn_run(4000); /* the late batch is refused */
    cr_assert_str_eq(txn_seen(1), "");
    cr_assert(txn_is_closed());
    works_again(6);
    cr_assert_str_eq(txn_seen(1), "");
    txn_stop();
}

Test(txn, abort_waits_for_the_first_add_partitions, .timeout = 60)
{
    struct txn_wait wait;
    ready(1);
    txn_fault("addpartitionstotxn:1:delay=300");
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(0, 1), 0);
    txn_run(20);
    txn_abort_start(&wait, 5000);
    txn_run(50);
    cr_assert(!wait.done);
    cr_assert_eq(kwi_mock_n_requests(tbed.pair.mock, 26), 0);
    cr_assert_eq(txn_await(&wait, 1000), 0, "%s", txn_error.text);
    cr_assert_eq(txn_info().state, KWI_MOCK_TXN_COMPLETE);
    works_again(2);
    txn_stop();
}

/* T04: the feature goes up and down while the producer lives. */
Test(txn, the_version_follows_the_feature_of_the_cluster, .timeout = 60)
{
    ready(1);
    works_again(1);
    kwi_mock_set_transaction_version(tbed.pair.mock, 2);
    kwi_mock_broker_down(tbed.pair.mock, 1, false);
    kwi_mock_broker_up(tbed.pair.mock, 1);
    txn_run(200);
    cr_assert_eq(kwi_mock_set_leader(tbed.pair.mock, "t", 2, 1), 0);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(2, 5), 0); /* a new connection tells of it */
    cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
    cr_assert(txn_status().implicit);
    cr_assert_eq(kwi_mock_n_requests(tbed.pair.mock, 22), 2); /* an epoch of its own */
    works_again(2);
    works_again(3);
    cr_assert_eq(txn_info().epoch, 3);
    txn_stop();
}

static void refused_at_init(const char *spec, int16_t code, uint8_t txn_class, int16_t version)
{
    txn_start(version, NULL);
    txn_fault(spec);
    cr_assert_eq(txn_init(), KW_ERR_BROKER);
    cr_assert_eq(txn_error.kafka_code, code);
    cr_assert_eq(txn_error.txn_class, txn_class);
    cr_assert(txn_error.hint[0] != 0);
    cr_assert_eq(txn_begin(), KW_ERR_STATE);
    cr_assert_eq(txn_init(), KW_ERR_STATE);
    txn_stop();
}

BOTH(what_init_cannot_have_is_a_typed_fatal_error)
{
    refused_at_init("initproducerid:*:error=53", 53, KW_TXN_FATAL, version);
    refused_at_init("initproducerid:*:error=50", 50, KW_TXN_FATAL, version);
    refused_at_init("findcoordinator:*:error=53", 53, KW_TXN_FATAL, version);
}

Test(txn, a_timeout_above_the_brokers_limit_is_refused, .timeout = 60)
{
    static const char *const settings[] = {"transaction.timeout.ms=900001", NULL};
    txn_start(2, settings);
    cr_assert_eq(txn_init(), KW_ERR_BROKER);
    cr_assert_eq(txn_error.kafka_code, 50);
    txn_stop();
}

BOTH(close_aborts_an_open_transaction_and_says_so)
{
    struct txn_wait wait = {0};
    open_with(version, 2);
    txn_run(50);
    cr_assert_eq(txn_info().state, KWI_MOCK_TXN_ONGOING);
    cr_assert_not_null(kw_core_close(tbed.pair.core, 3000, &wait));
    cr_assert_eq(txn_await(&wait, 4000), 0, "%s", txn_error.text);
    cr_assert_gt(tbed.n_errors, 0);
    cr_assert(strstr(tbed.error.text, "kw_close"), "%s", tbed.error.text);
    cr_assert(txn_is_closed());
    cr_assert_str_eq(txn_seen(0), "");
    txn_stop();
}

BOTH(close_does_not_wait_for_a_coordinator_for_ever)
{
    struct txn_wait wait = {0};
    open_with(version, 2);
    txn_run(50);
    txn_fault("endtxn:*:drop-answer");
    txn_fault("findcoordinator:*:drop-answer");
    kwi_mock_set_coordinator(tbed.pair.mock, -1);
    cr_assert_not_null(kw_core_close(tbed.pair.core, 500, &wait));
    cr_assert_eq(txn_await(&wait, 2000), KW_ERR_TIMEOUT);
    cr_assert(strstr(tbed.error.text, "left to its coordinator"), "%s", tbed.error.text);
    txn_stop();
}

/* Whoever waits for an operation without a deadline of its own is told all the same. */
BOTH(operations_end_when_the_client_is_closed)
{
    for (int i = 0; i < 3; i++) {
        struct txn_wait wait = {0}, closed = {0}, late = {0};
        open_with(version, 2);
        txn_run(50);
        txn_fault("endtxn:*:drop-answer");
        txn_fault("txnoffsetcommit:*:drop-answer");
        txn_fault("findcoordinator:*:drop-answer");
        kwi_mock_set_coordinator(tbed.pair.mock, -1);
        if (i == 0)
            txn_commit_start(&wait, -1);
        else if (i == 1)
            txn_abort_start(&wait, -1);
        else
            txn_offsets_start(&wait, 5, -1);
        cr_assert_not_null(kw_core_close(tbed.pair.core, 500, &closed));
        (void)txn_await(&closed, 3000);
        cr_assert(closed.done);
        cr_assert(wait.done, "%d", i);
        cr_assert_neq(wait.code, 0);
        if (i == 0)
            cr_assert_neq(txn_status().outcome, KW_TXN_WAS_COMMITTED);
        txn_commit_start(&late, -1);
        (void)txn_await(&late, 100);
        cr_assert(late.done, "one that is asked for behind the end");
        cr_assert_neq(late.code, 0);
        txn_stop();
    }
}

/* What is left behind a commit that was answered is no matter of the commit. */
Test(txn, a_commit_that_was_answered_is_one_though_the_client_is_closed, .timeout = 60)
{
    struct txn_wait wait = {0}, closed = {0};
    open_with(1, 2);
    txn_run(50);
    txn_fault("endtxn:1:close-after"); /* so the epoch is raised behind it */
    txn_fault("initproducerid:*:drop-answer");
    txn_commit_start(&wait, -1);
    txn_run(700);
    cr_assert_not(wait.done);
    cr_assert_not_null(kw_core_close(tbed.pair.core, 500, &closed));
    (void)txn_await(&closed, 3000);
    cr_assert(closed.done && wait.done);
    cr_assert_eq(wait.code, 0, "%s", wait.error.text);
    cr_assert_eq(txn_status().outcome, KW_TXN_WAS_COMMITTED);
    txn_stop();
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* The client's own request.timeout.ms is 1 s. */
BOTH(a_request_waits_for_as_long_as_its_producer_says)
{
    static const char *const own[] = {"request.timeout.ms=200", NULL};
    static const char *const apis[] = {"initproducerid", "addpartitionstotxn", "addoffsetstotxn",
                                       "txnoffsetcommit", "endtxn"};
    for (size_t i = 0; i < sizeof apis / sizeof *apis; i++) {
        char spec[64];
        snprintf(spec, sizeof spec, "%s:1:drop-request", apis[i]);
        txn_start(version, own);
        txn_fault(spec);
        uint64_t from_us = tbed.pair.now.mono_us;
        cr_assert_eq(txn_init(), 0, "%s: %s", spec, txn_error.text);
        cr_assert_eq(txn_begin(), 0);
        cr_assert_eq(txn_make(0, 1), 0);
        cr_assert_eq(txn_offsets(5), 0, "%s: %s", spec, txn_error.text);
        cr_assert_eq(txn_commit(), 0, "%s: %s", spec, txn_error.text);
        cr_assert_lt(tbed.pair.now.mono_us - from_us, 900000, "%s", spec);
        txn_stop();
    }
}
