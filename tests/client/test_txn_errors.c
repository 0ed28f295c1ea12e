/* What brokers refuse of a transaction, and what becomes of it: tried again, abortable,
 * fatal. Both versions.
 *
 * covers: T06 T09 T10 T11 T15 T17 T18 T19 T22 T25 T26 T27 T29 */
#include "tests/client/txn_bed.h"

#include <stdio.h>
#include <string.h>

#include "client/txn.h"

#define BOTH(name)                             \
    static void name(int16_t version);         \
    Test(txn_errors, name##_v1, .timeout = 60) \
    {                                          \
        name(1);                               \
    }                                          \
    Test(txn_errors, name##_v2, .timeout = 60) \
    {                                          \
        name(2);                               \
    }                                          \
    static void name(int16_t version)

static void begin(int16_t version)
{
    txn_start(version, NULL);
    cr_assert_eq(txn_init(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_begin(), 0);
}

static void commits(int number)
{
    cr_assert_eq(txn_begin(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_make(3, number), 0);
    cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
    cr_assert(txn_is_closed());
}

/* ---- what each code means ------------------------------------------------------------- */

enum { STEP_PARTS, STEP_GROUP, STEP_OFFSETS, STEP_COMMIT, STEP_ABORT, STEP_PRODUCE };
static const char *const step_apis[] = {
    "addpartitionstotxn", "addoffsetstotxn", "txnoffsetcommit", "endtxn", "endtxn", "produce"};

struct expected {
    uint8_t step;
    int16_t code;
    uint8_t txn_class; /* NO_CLASS: it is tried again, and all ends well */
    uint8_t versions;  /* 1, 2, or 3: both */
};
static const struct expected expected[] = {
    {STEP_PARTS, 14, KW_TXN_NO_CLASS, 1},   {STEP_PARTS, 15, KW_TXN_NO_CLASS, 1},
    {STEP_PARTS, 16, KW_TXN_NO_CLASS, 1},   {STEP_PARTS, 51, KW_TXN_NO_CLASS, 1},
    {STEP_PARTS, 3, KW_TXN_NO_CLASS, 1},    {STEP_PARTS, 29, KW_TXN_ABORT, 1},
    {STEP_PARTS, 55, KW_TXN_ABORT, 1},      {STEP_PARTS, 59, KW_TXN_ABORT, 1},
    {STEP_PARTS, 49, KW_TXN_ABORT, 1},      {STEP_PARTS, 120, KW_TXN_ABORT, 1},
    {STEP_PARTS, -1, KW_TXN_ABORT, 1},      {STEP_PARTS, 47, KW_TXN_FATAL, 1},
    {STEP_PARTS, 90, KW_TXN_FATAL, 1},      {STEP_PARTS, 53, KW_TXN_FATAL, 1},
    {STEP_PARTS, 48, KW_TXN_FATAL, 1},      {STEP_GROUP, 14, KW_TXN_NO_CLASS, 1},
    {STEP_GROUP, 16, KW_TXN_NO_CLASS, 1},   {STEP_GROUP, 51, KW_TXN_NO_CLASS, 1},
    {STEP_GROUP, 30, KW_TXN_ABORT, 1},      {STEP_GROUP, 120, KW_TXN_ABORT, 1},
    {STEP_GROUP, 90, KW_TXN_FATAL, 1},      {STEP_GROUP, 48, KW_TXN_FATAL, 1},
    {STEP_OFFSETS, 14, KW_TXN_NO_CLASS, 3}, {STEP_OFFSETS, 15, KW_TXN_NO_CLASS, 3},
    {STEP_OFFSETS, 16, KW_TXN_NO_CLASS, 3}, {STEP_OFFSETS, 7, KW_TXN_NO_CLASS, 3},
    {STEP_OFFSETS, 3, KW_TXN_NO_CLASS, 3},  {STEP_OFFSETS, 51, KW_TXN_NO_CLASS, 3},
    {STEP_OFFSETS, 30, KW_TXN_ABORT, 3},    {STEP_OFFSETS, 22, KW_TXN_ABORT, 3},
    {STEP_OFFSETS, 25, KW_TXN_ABORT, 3},    {STEP_OFFSETS, 82, KW_TXN_ABORT, 3},
    {STEP_OFFSETS, 120, KW_TXN_ABORT, 3},   {STEP_OFFSETS, 47, KW_TXN_FATAL, 3},
    {STEP_OFFSETS, 90, KW_TXN_FATAL, 3},    {STEP_OFFSETS, 53, KW_TXN_FATAL, 3},
    {STEP_COMMIT, 14, KW_TXN_NO_CLASS, 3},  {STEP_COMMIT, 15, KW_TXN_NO_CLASS, 3},
    {STEP_COMMIT, 16, KW_TXN_NO_CLASS, 3},  {STEP_COMMIT, 51, KW_TXN_NO_CLASS, 3},
    {STEP_COMMIT, 120, KW_TXN_ABORT, 3},    {STEP_COMMIT, 47, KW_TXN_FATAL, 3},
    {STEP_COMMIT, 90, KW_TXN_FATAL, 3},     {STEP_COMMIT, 48, KW_TXN_FATAL, 3},
    {STEP_COMMIT, 49, KW_TXN_FATAL, 3},     {STEP_COMMIT, 53, KW_TXN_FATAL, 3},
    {STEP_COMMIT, -1, KW_TXN_FATAL, 3},     {STEP_ABORT, 14, KW_TXN_NO_CLASS, 3},
    {STEP_ABORT, 51, KW_TXN_NO_CLASS, 3},   {STEP_ABORT, 120, KW_TXN_FATAL, 3},
    {STEP_ABORT, 90, KW_TXN_FATAL, 3},      {STEP_ABORT, -1, KW_TXN_FATAL, 3},
    {STEP_PRODUCE, 51, KW_TXN_NO_CLASS, 3}, {STEP_PRODUCE, 6, KW_TXN_NO_CLASS, 3},
    {STEP_PRODUCE, 45, KW_TXN_ABORT, 3},    {STEP_PRODUCE, 59, KW_TXN_ABORT, 3},
    {STEP_PRODUCE, 47, KW_TXN_ABORT, 3},    {STEP_PRODUCE, 48, KW_TXN_ABORT, 3},
    {STEP_PRODUCE, 120, KW_TXN_ABORT, 3},   {STEP_PRODUCE, 29, KW_TXN_ABORT, 3},
    {STEP_PRODUCE, 49, KW_TXN_ABORT, 3},    {STEP_PRODUCE, 90, KW_TXN_FATAL, 3},
    {STEP_PRODUCE, 53, KW_TXN_FATAL, 3},
};

static int step_of(const struct expected *it)
{
    int rc = 0;
    txn_run(40);
    if (it->step == STEP_GROUP || it->step == STEP_OFFSETS)
        rc = txn_offsets(5);
    if (!rc)
        rc = it->step == STEP_ABORT ? txn_abort() : txn_commit();
    return rc;
}

static void one_code(const struct expected *it, int16_t version)
{
    char spec[64];
    int rc;
    snprintf(spec, sizeof spec, "%s:1:error=%d", step_apis[it->step], it->code);
    begin(version);
    txn_fault(spec);
    cr_assert_eq(txn_make(0, 1), 0);
    rc = step_of(it);
    if (it->txn_class == KW_TXN_NO_CLASS) {
        cr_assert_eq(rc, 0, "%s version %d: %s", spec, version, txn_error.text);
        cr_assert_str_eq(txn_seen(0), it->step == STEP_ABORT ? "" : "1");
        commits(2);
        txn_stop();
        return;
    }
    cr_assert_neq(rc, 0, "%s version %d", spec, version);
    cr_assert_eq(txn_error.txn_class, it->txn_class, "%s version %d: %s", spec, version,
                 txn_error.text);
    cr_assert_eq(txn_error.kafka_code, it->code, "%s version %d: %s", spec, version,
                 txn_error.text);
    cr_assert(txn_error.hint[0] != 0, "%s", spec);
    cr_assert_eq(txn_status().state, it->txn_class == KW_TXN_ABORT ? KW_TXN_ABORTABLE : KW_TXN_DEAD,
                 "%s", spec);
    rc = txn_abort();
    if (it->txn_class == KW_TXN_ABORT) {
        cr_assert_eq(rc, 0, "%s version %d: %s", spec, version, txn_error.text);
        cr_assert_eq(txn_status().outcome, KW_TXN_WAS_ABORTED);
        commits(2);
    } else {
        cr_assert_eq(rc, KW_ERR_STATE, "%s", spec);
        cr_assert_eq(txn_make(0, 3), KW_ERR_STATE);
    }
    cr_assert_str_eq(txn_seen(0), "", "%s", spec);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), -1);
    txn_stop();
}

BOTH(each_code_is_tried_again_aborts_or_kills)
{
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (expected[i].versions & version)
            one_code(&expected[i], version);
    }
}

/* A commit that was sent, and whose answer was lost before a fatal one: nobody knows. */
BOTH(a_fatal_error_behind_a_lost_commit_leaves_the_outcome_unknown)
{
    begin(version);
    cr_assert_eq(txn_make(0, 1), 0);
    txn_fault("endtxn:1:close-after");
    txn_fault("endtxn:2:error=90");
    cr_assert_eq(txn_commit(), KW_ERR_BROKER);
    cr_assert_eq(txn_status().outcome, KW_TXN_OUTCOME_UNKNOWN);
    cr_assert(strstr(txn_error.hint, "not known"), "%s", txn_error.hint);
    txn_stop();
    begin(version);
    cr_assert_eq(txn_make(0, 1), 0);
    txn_fault("endtxn:1:error=90"); /* this one is refused, and was never accepted */
    cr_assert_eq(txn_commit(), KW_ERR_BROKER);
    cr_assert_eq(txn_status().outcome, KW_TXN_WAS_ABORTED);
    txn_stop();
}

/* Nor is it where the coordinator itself does not know what became of its write, or carries
 * the commit out already. */
BOTH(a_fatal_error_behind_an_answer_that_proves_nothing_leaves_it_unknown)
{
    static const char *const answers[] = {"endtxn:1:error=15", "endtxn:1:error=16",
                                          "endtxn:1:error=51"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        begin(version);
        cr_assert_eq(txn_make(0, 1), 0);
        txn_fault(answers[i]);
        txn_fault("endtxn:2:error=90");
        cr_assert_eq(txn_commit(), KW_ERR_BROKER);
        cr_assert_eq(txn_status().outcome, KW_TXN_OUTCOME_UNKNOWN, "%s", answers[i]);
        txn_stop();
    }
}

/* ---- coordinators move ------------------------------------------------------------------- */

BOTH(coordinators_may_move_at_any_step)
{
    struct txn_wait wait;
    for (int step = 0; step < 4; step++) {
        static const char *const apis[] = {"addpartitionstotxn", "addoffsetstotxn",
                                           "txnoffsetcommit", "endtxn"};
        char spec[64];
        begin(version);
        snprintf(spec, sizeof spec, "%s:1:close-after", apis[step]);
        txn_fault(spec);
        cr_assert_eq(txn_make(0, 1), 0);
        txn_run(2);
        kwi_mock_set_coordinator(tbed.pair.mock, 1);
        txn_offsets_start(&wait, 4, 5000);
        txn_run(2);
        kwi_mock_set_coordinator(tbed.pair.mock, 0);
        cr_assert_eq(txn_await(&wait, 6000), 0, "%s", txn_error.text);
        kwi_mock_broker_down(tbed.pair.mock, 0, false); /* and its broker dies */
        cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
        cr_assert_str_eq(txn_seen(0), "1");
        cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), 4);
        commits(2);
        txn_stop();
    }
}

/* T19: its group's coordinator comes back before the deadline. T18: no storm until then. */
BOTH(offsets_wait_for_a_coordinator_that_is_away)
{
    struct txn_wait wait;
    uint64_t asked;
    begin(version);
    txn_fault("txnoffsetcommit:1-20:error=14");
    cr_assert_eq(txn_make(0, 1), 0);
    txn_run(50);
    txn_offsets_start(&wait, 4, 20000);
    txn_run(1000);
    cr_assert(!wait.done);
    asked = kwi_mock_n_requests(tbed.pair.mock, 28);
    cr_assert(asked >= 5 && asked <= 16, "%llu", (unsigned long long)asked);
    cr_assert_eq(txn_await(&wait, 20000), 0);
    kwi_mock_broker_down(tbed.pair.mock, 0, false);
    kwi_mock_broker_down(tbed.pair.mock, 1, false);
    txn_offsets_start(&wait, 9, 20000);
    txn_run(3000);
    cr_assert(!wait.done);
    kwi_mock_broker_up(tbed.pair.mock, 0);
    kwi_mock_broker_up(tbed.pair.mock, 1);
    cr_assert_eq(txn_await(&wait, 20000), 0, "%s", txn_error.text);
    cr_assert_eq(txn_commit(), 0, "%s", txn_error.text);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), 9);
    txn_stop();
}

/* ---- partitions --------------------------------------------------------------------------- */

/* T10: partitions come one after another while answers are slow. */
Test(txn_errors, nothing_is_sent_to_a_partition_that_is_not_registered, .timeout = 60)
{
    begin(1);
    txn_fault("addpartitionstotxn:*:delay=40");
    for (int i = 0; i < 24; i++) {
        cr_assert_eq(txn_make(i % TXN_PARTITIONS, i), 0);
        txn_run(6);
    }
    cr_assert_eq(txn_commit(), 0, "%s", txn_error.text); /* the broker would have refused */
    cr_assert_eq(tbed.n_delivered, 24);
    cr_assert_eq(tbed.n_errors, 0);
    cr_assert_str_eq(txn_seen(2), "2 6 10 14 18 22");
    txn_stop();
}

Test(txn_errors, a_partition_that_is_refused_leaves_the_others_registered, .timeout = 60)
{
    begin(1);
    cr_assert_eq(txn_make(0, 1), 0);
    txn_run(50);
    cr_assert_eq(tbed.n_delivered, 1);
    txn_fault("addpartitionstotxn:*:error=29:partition=1");
    cr_assert_eq(txn_make(1, 2), 0);
    cr_assert_eq(txn_make(2, 3), 0);
    txn_run(100);
    cr_assert_eq(txn_status().state, KW_TXN_ABORTABLE);
    cr_assert_eq(txn_info().n_partitions, 1);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    cr_assert(txn_is_closed()); /* partition 0 got its marker */
    commits(4);
    txn_stop();
}

/* T06 */
Test(txn_errors, the_epoch_does_not_go_up_inside_a_transaction, .timeout = 60)
{
    int16_t epoch;
    begin(1);
    cr_assert_eq(txn_make(0, 1), 0);
    txn_run(50);
    epoch = txn_info().epoch;
    txn_fault("produce:1:error=45");
    cr_assert_eq(txn_make(0, 2), 0);
    txn_run(100);
    cr_assert_eq(txn_status().state, KW_TXN_ABORTABLE);
    cr_assert_eq(txn_info().epoch, epoch);
    cr_assert_eq(kwi_mock_n_requests(tbed.pair.mock, 22), 1);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    cr_assert_eq(txn_info().epoch, epoch + 1); /* behind the abort (KIP-360) */
    cr_assert_eq(kwi_mock_n_requests(tbed.pair.mock, 22), 2);
    commits(3);
    txn_stop();
}

/* ---- the broker ends it -------------------------------------------------------------------- */

BOTH(a_transaction_that_timed_out_at_the_broker_is_not_committed)
{
    static const char *const settings[] = {"transaction.timeout.ms=500", NULL};
    txn_start(version, settings);
    cr_assert_eq(txn_init(), 0);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(0, 1), 0);
    txn_run(1000);
    cr_assert_eq(txn_info().state, KWI_MOCK_TXN_COMPLETE);
    cr_assert_eq(txn_commit(), KW_ERR_BROKER);
    cr_assert_eq(txn_error.txn_class, KW_TXN_FATAL);
    cr_assert_eq(txn_status().outcome, KW_TXN_WAS_ABORTED);
    cr_assert_str_eq(txn_seen(0), "");
    txn_stop();
}

/* T27 */
BOTH(an_id_that_the_broker_forgot_is_made_anew)
{
    int64_t producer_id;
    begin(version);
    cr_assert_eq(txn_make(0, 1), 0);
    cr_assert_eq(txn_commit(), 0);
    producer_id = txn_info().producer_id;
    cr_assert_eq(kwi_mock_forget_transaction(tbed.pair.mock, "x"), 0);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(0, 2), 0);
    cr_assert_neq(txn_commit(), 0);
    cr_assert_eq(txn_error.txn_class, KW_TXN_ABORT);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    commits(3);
    cr_assert_neq(txn_info().producer_id, producer_id);
    cr_assert_str_eq(txn_seen(0), "1");
    txn_stop();
}

/* ---- several things at once ----------------------------------------------------------------- */

/* T26 */
BOTH(the_first_cause_is_told_and_stays)
{
    struct txn_wait wait;
    begin(version);
    txn_fault("produce:*:error=10:partition=0");
    txn_fault("produce:*:delay=50:partition=1");
    txn_fault("produce:*:error=29:partition=1");
    cr_assert_eq(txn_make(0, 1), 0);
    cr_assert_eq(txn_make(1, 2), 0);
    txn_commit_start(&wait, 5000);
    cr_assert_neq(txn_await(&wait, 6000), 0);
    int16_t first = txn_error.kafka_code;
    txn_run(200);
    cr_assert_eq(txn_status().error.kafka_code, first);
    cr_assert_eq(txn_commit(), KW_ERR_STATE);
    cr_assert_eq(txn_error.kafka_code, first);
    cr_assert_eq(txn_abort(), 0);
    txn_stop();
}

/* T29 */
BOTH(offsets_under_way_end_with_their_transaction)
{
    struct txn_wait wait, more;
    begin(version);
    txn_fault("txnoffsetcommit:1:delay=300");
    cr_assert_eq(txn_make(0, 1), 0);
    txn_run(50);
    txn_offsets_start(&wait, 4, 20000);
    txn_offsets_start(&more, 5, 20000);
    txn_run(20);
    txn_fault("produce:*:error=10");
    cr_assert_eq(txn_make(0, 2), 0);
    cr_assert_eq(txn_await(&wait, 100), KW_ERR_BROKER);
    cr_assert_eq(txn_error.txn_class, KW_TXN_ABORT);
    cr_assert_eq(txn_await(&more, 10), KW_ERR_BROKER);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), -1);
    txn_run(500);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), -1);
    txn_stop();
}

BOTH(a_core_may_die_at_any_moment)
{
    struct txn_wait waits[2];
    for (int step = 0; step < 60; step++) {
        begin(version);
        cr_assert_eq(txn_make(0, 1), 0);
        cr_assert_eq(txn_make(1, 1), 0);
        txn_offsets_start(&waits[0], 4, 20000);
        txn_commit_start(&waits[1], 20000);
        for (int i = 0; i < step; i++) {
            kw_core_step(tbed.pair.core, tbed.pair.now);
            (void)sim_pair_turn(&tbed.pair);
            tbed.pair.now.mono_us += 500;
        }
        txn_stop();
    }
}

/* ---- who commits ------------------------------------------------------------------------------ */

BOTH(a_member_of_an_old_generation_cannot_commit)
{
    const struct kw_offset list[] = {{.topic = "t", .partition = 0, .offset = 9}};
    const struct kw_offsets offsets = {list, 1};
    struct kw_txn_offsets what = {.size = sizeof what,
                                  .group_id = "g",
                                  .member_id = "gone",
                                  .generation = 3,
                                  .offsets = &offsets};
    struct txn_wait wait = {0};
    begin(version);
    cr_assert_not_null(kw_core_txn_send_offsets(tbed.producer, &what, 5000, &wait));
    cr_assert_eq(txn_await(&wait, 6000), KW_ERR_BROKER);
    cr_assert_eq(txn_error.kafka_code, 22);
    cr_assert_eq(txn_error.txn_class, KW_TXN_ABORT);
    cr_assert_eq(txn_commit(), KW_ERR_STATE);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    txn_stop();
}

BOTH(a_consumer_that_is_no_member_any_more_cannot_commit)
{
    static const char *const settings[] = {"group.id=g", "enable.auto.commit=false",
                                           "auto.offset.reset=earliest", NULL};
    static const char *const topics[] = {"t"};
    const struct kw_offset list[] = {{.topic = "t", .partition = 0, .offset = 1}};
    const struct kw_offsets offsets = {list, 1};
    struct kw_txn_offsets what = {.size = sizeof what, .offsets = &offsets};
    struct txn_wait wait = {0};
    struct kw_consumer *consumer;
    struct kw_config *own;
    struct kw_error err;
    begin(version);
    cr_assert_eq(sim_pair_config(&tbed.pair, &own, settings), 0);
    cr_assert_eq(kw_core_consumer_create(&consumer, tbed.pair.core, own, &err), 0, "%s", err.text);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_subscribe(consumer, topics, 1, &err), 0);
    txn_run(2000);
    what.consumer = consumer;
    cr_assert_not_null(kw_core_txn_send_offsets(tbed.producer, &what, 5000, &wait));
    cr_assert_eq(txn_await(&wait, 6000), 0, "%s", txn_error.text);
    cr_assert_eq(txn_commit(), 0);
    cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), 1);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(kw_core_subscribe(consumer, topics, 0, &err), 0); /* it leaves */
    txn_run(500);
    (void)kw_core_rebalance_ack(consumer);
    txn_run(500);
    memset(&wait, 0, sizeof wait);
    cr_assert_not_null(kw_core_txn_send_offsets(tbed.producer, &what, 5000, &wait));
    cr_assert_eq(txn_await(&wait, 6000), KW_ERR_STATE);
    cr_assert_eq(txn_error.txn_class, KW_TXN_ABORT);
    cr_assert_eq(txn_status().state, KW_TXN_ABORTABLE);
    cr_assert_eq(txn_abort(), 0);
    txn_stop();
}

/* T22: the records of an aborted transaction are read again from where they began, even if
 * what is committed arrives after the seek. */
Test(txn_errors, a_seek_behind_an_abort_wins_over_the_committed_offset, .timeout = 60)
{
    static const char *const settings[] = {"group.id=g", "enable.auto.commit=false",
                                           "auto.offset.reset=earliest", NULL};
    const struct kw_start committed = {.topic = "t", .kind = KW_START_COMMITTED};
    const struct kw_start back = {.topic = "t", .kind = KW_START_OFFSET, .value = 1};
    struct kw_consumer *consumer;
    struct kw_config *own;
    struct kw_error err;
    int64_t position = -1;
    begin(2);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(txn_make(0, i), 0);
    cr_assert_eq(txn_offsets(3), 0);
    cr_assert_eq(txn_commit(), 0);
    cr_assert_eq(sim_pair_config(&tbed.pair, &own, settings), 0);
    cr_assert_eq(kw_core_consumer_create(&consumer, tbed.pair.core, own, &err), 0, "%s", err.text);
    kw_config_destroy(own);
    txn_fault("offsetfetch:*:delay=100");
    cr_assert_eq(kw_core_assign(consumer, &committed, 1, &err), 0);
    txn_run(50); /* it is asked for */
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(1, 9), 0);
    cr_assert_eq(txn_abort(), 0);
    cr_assert_eq(kw_core_seek(consumer, &back), 0);
    txn_run(500);
    cr_assert_eq(kw_position(consumer, "t", 0, &position), 0);
    cr_assert_eq(position, 1);
    txn_stop();
}

/* ---- states, cell by cell ------------------------------------------------------------------------ */

/* Written out once more: a change of the table must be meant. '.' is illegal. */
static const char *const cells[KW_TXN_STATES] = {
    /*                  INIT BEGIN WRITE COMMIT ABORT REFUSED DRAINED ENDED TOLD FAILED DIED */
    /* UNINITIALIZED */ "1.........b",
    /* INITIALIZING  */ "1....0.2..b",
    /* INITIALIZED   */ "2.......3.b",
    /* READY         */ ".4........b",
    /* OPEN          */ "..459....8b",
    /* FLUSHING      */ "...59.6..8b",
    /* COMMITTING    */ "...6...7.8b",
    /* COMMITTED     */ "...7....3.b",
    /* ABORTABLE     */ "....9....8b",
    /* ABORTING      */ "....9..a.9b",
    /* ABORTED       */ "....a...3.b",
    /* DEAD          */ "..........b",
};

Test(txn_errors, each_cell_of_the_table_is_meant)
{
    for (unsigned state = 0; state < KW_TXN_STATES; state++) {
        cr_assert_eq(strlen(cells[state]), KWI_TXN_EVENTS);
        for (unsigned event = 0; event < KWI_TXN_EVENTS; event++) {
            unsigned next = 99;
            char c = cells[state][event];
            bool legal = kwi_txn_cell(state, event, &next);
            cr_assert_eq(legal, c != '.', "state %u event %u", state, event);
            if (legal)
                cr_assert_eq(next, (unsigned)(c > '9' ? c - 'a' + 10 : c - '0'),
                             "state %u event %u", state, event);
        }
    }
    unsigned next;
    cr_assert(!kwi_txn_cell(KW_TXN_STATES, 0, &next));
    cr_assert(!kwi_txn_cell(0, KWI_TXN_EVENTS, &next));
}

/* Calls, in a state that is brought about: refused at once where the cell is empty. */
static void calls_in(unsigned state)
{
    struct txn_wait wait;
    bool begins = cells[state][KWI_TXN_ASK_BEGIN] != '.';
    bool writes = cells[state][KWI_TXN_ASK_WRITE] != '.';
    cr_assert_eq(txn_status().state, state);
    if (cells[state][KWI_TXN_ASK_INIT] == '.') {
        txn_init_start(&wait, 100);
        cr_assert_eq(txn_await(&wait, 2), KW_ERR_STATE, "init in %u", state);
        cr_assert(txn_error.hint[0] != 0);
    }
    if (cells[state][KWI_TXN_ASK_COMMIT] == '.') {
        txn_commit_start(&wait, 100);
        cr_assert_eq(txn_await(&wait, 2), KW_ERR_STATE, "commit in %u", state);
        cr_assert(txn_error.hint[0] != 0);
    }
    if (cells[state][KWI_TXN_ASK_ABORT] == '.') {
        txn_abort_start(&wait, 100);
        cr_assert_eq(txn_await(&wait, 2), KW_ERR_STATE, "abort in %u", state);
    }
    if (!begins)
        cr_assert_eq(txn_begin(), KW_ERR_STATE, "begin in %u", state);
    if (!writes) {
        cr_assert_eq(txn_make(0, 1), KW_ERR_STATE, "produce in %u", state);
        txn_offsets_start(&wait, 1, 100);
        cr_assert_eq(txn_await(&wait, 2), KW_ERR_STATE, "offsets in %u", state);
    }
    cr_assert_eq(txn_status().state, state, "a refused call changes nothing");
}

BOTH(calls_in_the_wrong_state_are_refused_at_once)
{
    struct txn_wait wait;
    txn_start(version, NULL);
    txn_run(100);
    calls_in(KW_TXN_UNINITIALIZED);
    txn_fault("initproducerid:1:delay=100");
    txn_init_start(&wait, 20);
    cr_assert_eq(txn_await(&wait, 40), KW_ERR_TIMEOUT);
    calls_in(KW_TXN_INITIALIZING);
    txn_run(200);
    calls_in(KW_TXN_INITIALIZED);
    cr_assert_eq(txn_init(), 0);
    calls_in(KW_TXN_READY);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(0, 1), 0);
    calls_in(KW_TXN_OPEN);
    txn_fault("produce:*:delay=150");
    txn_fault("endtxn:*:delay=150");
    cr_assert_eq(txn_make(0, 2), 0);
    txn_commit_start(&wait, 10);
    cr_assert_eq(txn_await(&wait, 20), KW_ERR_TIMEOUT);
    calls_in(KW_TXN_FLUSHING);
    for (int i = 0; i < 200 && txn_status().state == KW_TXN_FLUSHING; i++)
        txn_run(2);
    calls_in(KW_TXN_COMMITTING);
    txn_run(600);
    calls_in(KW_TXN_COMMITTED);
    cr_assert_eq(txn_commit(), 0);
    cr_assert_eq(txn_begin(), 0);
    cr_assert_eq(txn_make(1, 3), 0);
    txn_run(20);
    txn_abort_start(&wait, 10);
    cr_assert_eq(txn_await(&wait, 20), KW_ERR_TIMEOUT);
    calls_in(KW_TXN_ABORTING);
    txn_run(600);
    calls_in(KW_TXN_ABORTED);
    cr_assert_eq(txn_abort(), 0);
    cr_assert_eq(txn_begin(), 0);
    txn_fault("produce:*:error=10");
    cr_assert_eq(txn_make(1, 4), 0);
    txn_run(400);
    calls_in(KW_TXN_ABORTABLE);
    txn_fault("endtxn:*:error=90");
    cr_assert_neq(txn_abort(), 0);
    calls_in(KW_TXN_DEAD);
    txn_stop();
}

Test(txn_errors, a_producer_without_an_id_has_no_transactions, .timeout = 60)
{
    struct txn_wait wait = {0};
    struct kw_producer *plain;
    struct kw_txn_status status = {.size = sizeof status};
    struct kw_error err;
    txn_start(2, NULL);
    cr_assert_eq(kw_core_producer_create(&plain, tbed.pair.core, NULL, &err), 0);
    cr_assert_not_null(kw_core_txn_init(plain, 100, &wait));
    cr_assert_eq(txn_await(&wait, 4), KW_ERR_USE);
    cr_assert_eq(kw_core_txn_begin(plain, &err), KW_ERR_USE);
    cr_assert_eq(kw_txn_status(plain, &status), KW_ERR_USE);
    cr_assert_eq(kw_txn_status(NULL, &status), KW_ERR_USE);
    txn_stop();
}

Test(txn_errors, bad_offsets_are_refused_at_once, .timeout = 60)
{
    struct kw_offset list[] = {{.topic = "t", .partition = 0, .offset = -1}};
    const struct kw_offsets offsets = {list, 1};
    struct kw_txn_offsets what = {.size = sizeof what, .group_id = "g", .offsets = &offsets};
    struct txn_wait wait = {0};
    begin(2);
    cr_assert_not_null(kw_core_txn_send_offsets(tbed.producer, &what, 100, &wait));
    cr_assert_eq(txn_await(&wait, 4), KW_ERR_USE);
    what.size = 4;
    list[0].offset = 1;
    memset(&wait, 0, sizeof wait);
    cr_assert_not_null(kw_core_txn_send_offsets(tbed.producer, &what, 100, &wait));
    cr_assert_eq(txn_await(&wait, 4), KW_ERR_USE);
    cr_assert_eq(txn_status().state, KW_TXN_OPEN);
    cr_assert_eq(txn_commit(), 0);
    txn_stop();
}
