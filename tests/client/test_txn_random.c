/* Transactions among faults, from a seed: each is begun, written into several partitions,
 * committed or aborted, with deadlines that are too short now and then, while requests are
 * lost, delayed and refused and the coordinator moves. What its status says of a
 * transaction is what the logs say: committed, and each record is seen once, with the
 * offsets; aborted, and none is; unknown, and it is one of the two.
 *
 * covers: T02 T03 T14 T16 I8 */
#include "tests/client/txn_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/rng.h"

enum { RANDOM_TURNS = 30, RANDOM_SEEDS = 40, RANDOM_RECORDS = 2000 };

static const char *const faults[] = {"produce:/5:close-after",
                                     "produce:/7:close-before",
                                     "produce:/4:delay=60",
                                     "produce:/9:late=900",
                                     "produce:/6:error=7",
                                     "produce:/8:error=51",
                                     "addpartitionstotxn:/4:late=700",
                                     "addpartitionstotxn:/3:error=51",
                                     "addpartitionstotxn:/5:drop-answer",
                                     "addoffsetstotxn:/3:close-after",
                                     "txnoffsetcommit:/4:close-after",
                                     "txnoffsetcommit:/3:error=14",
                                     "txnoffsetcommit:/5:late=800",
                                     "endtxn:/3:close-after",
                                     "endtxn:/4:late=1200",
                                     "endtxn:/5:error=15",
                                     "endtxn:/2:delay=80",
                                     "initproducerid:/2:close-after",
                                     "endtxn:/7:drop-answer",
                                     "produce:/13:error=10",
                                     "metadata:/3:error=100"};

struct record {
    uint8_t outcome; /* of its transaction */
    int32_t partition;
    unsigned group; /* its transaction */
};
static struct record records[RANDOM_RECORDS];
static int n_records;

/* How often a number is seen. */
static int seen(int number, int32_t partition)
{
    char text[4096], *word, *rest;
    int n = 0;
    snprintf(text, sizeof text, "%s", txn_seen(partition));
    for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        n += atoi(word) == number;
    return n;
}

/* Ends the transaction in one of several ways; deadlines may be too short. */
static void end(struct sim_rng *rng, bool commit)
{
    struct txn_wait wait;
    for (int i = 0; i < 400; i++) {
        int32_t timeout_ms = sim_below(rng, 2) ? 30 : 5000;
        int rc;
        switch (txn_status().state) {
        case KW_TXN_ABORTABLE: commit = false; break;
        case KW_TXN_DEAD: return;
        default: break;
        }
        if (commit)
            txn_commit_start(&wait, timeout_ms);
        else
            txn_abort_start(&wait, timeout_ms);
        rc = txn_await(&wait, 6000);
        if (rc == 0)
            return;
        cr_assert(txn_error.txn_class != KW_TXN_NO_CLASS, "%d %s", rc, txn_error.text);
    }
    cr_assert_fail("the transaction does not end: state %d", txn_status().state);
}

static void one_transaction(struct sim_rng *rng, unsigned number)
{
    struct txn_wait wait = {0};
    int first = n_records, n = (int)sim_below(rng, 6);
    bool offsets = sim_below(rng, 2), writes = true;
    if (txn_begin())
        return;
    for (int i = 0; i < n && writes; i++) {
        int32_t partition = (int32_t)sim_below(rng, TXN_PARTITIONS);
        writes = txn_make(partition, n_records) == 0;
        if (writes)
            records[n_records++] = (struct record){0, partition, number};
        if (sim_below(rng, 3) == 0)
            txn_run(sim_below(rng, 60));
    }
    if (offsets && txn_status().state == KW_TXN_OPEN)
        txn_offsets_start(&wait, (int64_t)number, 8000);
    if (sim_below(rng, 5) == 0)
        kwi_mock_set_coordinator(tbed.pair.mock, (int32_t)sim_below(rng, 2));
    end(rng, sim_below(rng, 3) > 0);
    for (int i = first; i < n_records; i++)
        records[i].outcome = txn_status().outcome;
    if (offsets && txn_status().outcome == KW_TXN_WAS_COMMITTED && wait.code == 0 && wait.done) {
        txn_run(100); /* the markers */
        cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), (int64_t)number);
    }
}

static void one_seed(uint64_t seed, int16_t version)
{
    struct sim_rng rng = sim_rng_make(seed, 7);
    n_records = 0;
    txn_start(version, NULL);
    for (unsigned i = sim_below(&rng, 4); i > 0; i--)
        txn_fault(faults[sim_below(&rng, sizeof faults / sizeof *faults)]);
    if (sim_below(&rng, 2))
        kwi_mock_set_marker_delay(tbed.pair.mock, 5 + sim_below(&rng, 60));
    cr_assert_eq(txn_init(), 0, "seed %u: %s", (unsigned)seed, txn_error.text);
    for (unsigned turn = 1; turn <= RANDOM_TURNS; turn++)
        one_transaction(&rng, turn);
    txn_run(2000); /* what is late comes now */
    cr_assert_neq(txn_status().state, KW_TXN_DEAD, "seed %u: %s", (unsigned)seed,
                  txn_status().error.text);
    cr_assert(txn_is_closed(), "seed %u", (unsigned)seed);
    for (int i = 0; i < n_records; i++) {
        int times = seen(i, records[i].partition);
        cr_assert(records[i].outcome != KW_TXN_OUTCOME_UNKNOWN);
        cr_assert_eq(times, records[i].outcome == KW_TXN_WAS_COMMITTED,
                     "seed %u version %d: record %d of transaction %u (%d) is seen %d times",
                     (unsigned)seed, version, i, records[i].group, records[i].outcome, times);
    }
    txn_stop();
}

Test(txn_random, what_is_told_is_what_the_logs_say_v1, .timeout = 300)
{
    for (uint64_t seed = 1; seed <= RANDOM_SEEDS; seed++)
        one_seed(seed, 1);
}
Test(txn_random, what_is_told_is_what_the_logs_say_v2, .timeout = 300)
{
    for (uint64_t seed = 1; seed <= RANDOM_SEEDS; seed++)
        one_seed(seed, 2);
}
