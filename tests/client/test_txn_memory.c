/* Transactions while the allocator refuses: one allocation after another, and several in
 * a row. Whatever comes of it is told truthfully, and with memory it works again.
 *
 * covers: M02 */
#include "tests/client/txn_bed.h"

#include <stdio.h>
#include <string.h>

enum { MEMORY_STEP_MAX = 2000 };

/* One transaction with records and offsets, as an application without memory would do it.
 * True: it is committed. */
static bool attempt(int number)
{
    static struct txn_wait waits[2];
    struct kw_error err = {0};
    const struct kw_offset list[] = {{.topic = "t", .partition = 0, .offset = number}};
    const struct kw_offsets offsets = {list, 1};
    const struct kw_txn_offsets what = {
        .size = sizeof what, .group_id = "g", .generation = -1, .offsets = &offsets};
    bool good = true;
    if (kw_core_txn_begin(tbed.producer, &err))
        return false;
    for (int p = 0; p < 3; p++)
        good &= txn_make(p, number) == 0;
    memset(waits, 0, sizeof waits);
    good &= kw_core_txn_send_offsets(tbed.producer, &what, 20000, &waits[0]) &&
            txn_await(&waits[0], 30000) == 0;
    for (int i = 0; good && i < 10; i++) {
        memset(&waits[1], 0, sizeof waits[1]);
        if (!kw_core_txn_commit(tbed.producer, 20000, &waits[1]))
            continue; /* no memory for the operation */
        if (txn_await(&waits[1], 30000) == 0)
            return true;
        good = txn_status().state != KW_TXN_ABORTABLE;
    }
    cr_assert_neq(txn_status().state, KW_TXN_DEAD, "%s", txn_status().error.text);
    sim_memory_heal(&tbed.pair.memory);
    cr_assert_eq(txn_abort(), 0, "%s", txn_error.text);
    return false;
}

static void sweep(int16_t version, uint64_t n_fail)
{
    unsigned n_committed = 0, n_refused = 0;
    for (uint64_t at = 0; at < MEMORY_STEP_MAX; at++) {
        char wanted[32];
        bool first;
        txn_start(version, NULL);
        cr_assert_eq(txn_init(), 0);
        txn_run(100);
        tbed.pair.memory.fail_from = tbed.pair.memory.n_allocs + at;
        tbed.pair.memory.fail_to = tbed.pair.memory.fail_from + n_fail;
        first = attempt(1);
        if (tbed.pair.memory.n_refused == 0) {
            txn_stop();
            break; /* it needed no more than that */
        }
        sim_memory_heal(&tbed.pair.memory);
        n_refused++;
        n_committed += first;
        cr_assert(attempt(2), "allocation %u: %s", (unsigned)at, txn_error.text);
        snprintf(wanted, sizeof wanted, "%s2", first ? "1 " : "");
        for (int32_t p = 0; p < 3; p++)
            cr_assert_str_eq(txn_seen(p), wanted, "allocation %u", (unsigned)at);
        cr_assert_eq(kwi_mock_committed(tbed.pair.mock, "g", "t", 0), 2);
        cr_assert(txn_is_closed());
        txn_stop();
    }
    cr_assert_gt(n_refused, 8);
    cr_assert_gt(n_committed, 0);
}

Test(txn_memory, one_refusal_v1, .timeout = 300)
{
    sweep(1, 1);
}
Test(txn_memory, one_refusal_v2, .timeout = 300)
{
    sweep(2, 1);
}
Test(txn_memory, twenty_refusals_v1, .timeout = 300)
{
    sweep(1, 20);
}
Test(txn_memory, twenty_refusals_v2, .timeout = 300)
{
    sweep(2, 20);
}
