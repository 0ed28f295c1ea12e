/* tests/heap/steps_txn.c -- an application that writes in transactions and takes "no
 * memory" for an answer: whatever was refused is asked for again; a transaction that
 * cannot be committed is aborted and made anew. It notes of each record whether it is to
 * be seen by a reader of committed records. */
#include "tests/heap/scenario.h"

#include <string.h>

enum { TXN_RECORDS = 20, TXN_LATER_MS = 10000 };

/* Whether each of them is to be committed. */
static const bool txn_goals[] = {true, false, true};
enum { TXN_N_GOALS = sizeof(txn_goals) / sizeof(*txn_goals) };

enum txn_phase { TXN_BEGIN, TXN_PRODUCE, TXN_OFFSETS, TXN_COMMIT, TXN_ABORT };

static struct kw_txn_status txn_status(struct heap_scenario *scenario)
{
    struct kw_txn_status status = {.size = sizeof(status)};
    if (kw_txn_status(scenario->producer, &status) != 0)
        heap_wrong(scenario, "a transaction has no status");
    if (status.state == KW_TXN_DEAD)
        heap_wrong(scenario, "want of memory is no reason to die");
    return status;
}

static struct kw_op *txn_init_start(struct heap_scenario *scenario)
{
    return kw_core_txn_init(scenario->producer, TXN_LATER_MS, scenario);
}

static struct kw_op *txn_offsets_start(struct heap_scenario *scenario)
{
    const struct kw_offset list[] = {{.topic = "t", .offset = scenario->n_accepted}};
    const struct kw_offsets offsets = {list, 1};
    const struct kw_txn_offsets what = {
        .size = sizeof(what), .group_id = "g", .generation = -1, .offsets = &offsets};
    return kw_core_txn_send_offsets(scenario->producer, &what, TXN_LATER_MS, scenario);
}

static struct kw_op *txn_commit_start(struct heap_scenario *scenario)
{
    return kw_core_txn_commit(scenario->producer, TXN_LATER_MS, scenario);
}

static struct kw_op *txn_abort_start(struct heap_scenario *scenario)
{
    return kw_core_txn_abort(scenario->producer, TXN_LATER_MS, scenario);
}

static void step_txn_init(struct heap_scenario *scenario)
{
    if (scenario->n_turns == 0) {
        kwi_mock_set_coordinator(scenario->pair.mock, 1);
        kwi_mock_set_transaction_version(scenario->pair.mock, scenario->row->txn_version);
    }
    if (heap_op(scenario, txn_init_start))
        scenario->done = scenario->op_code == 0;
    (void)txn_status(scenario);
}

/* The transaction has ended, or can only be aborted. */
static void txn_end(struct heap_scenario *scenario, bool committed)
{
    for (uint32_t id = scenario->txn_first; id < scenario->n_accepted; id++)
        scenario->committed[id] = committed;
    if (committed)
        scenario->txn_offset = scenario->n_accepted;
    if (committed == txn_goals[scenario->stage])
        heap_next_stage(scenario);
    scenario->txn_phase = TXN_BEGIN;
}

static void txn_begin(struct heap_scenario *scenario)
{
    int rc = kw_core_txn_begin(scenario->producer, NULL);
    if (rc != 0 && rc != KW_ERR_NOMEM)
        heap_wrong(scenario, "a transaction cannot be begun");
    if (rc != 0)
        return;
    scenario->txn_first = scenario->n_accepted;
    scenario->n_to_make = scenario->n_accepted + TXN_RECORDS;
    if (scenario->n_to_make > HEAP_RECORDS_MAX)
        heap_wrong(scenario, "too many transactions fail");
    else
        scenario->txn_phase = TXN_PRODUCE;
}

/* One more call of the application. */
static void txn_turn(struct heap_scenario *scenario)
{
    bool abortable = scenario->txn_phase != TXN_BEGIN && scenario->txn_phase != TXN_ABORT &&
                     txn_status(scenario).state == KW_TXN_ABORTABLE;
    if (abortable && !scenario->op && !scenario->op_ended) {
        scenario->n_to_make = scenario->n_accepted;
        scenario->txn_phase = TXN_ABORT;
    }
    switch ((enum txn_phase)scenario->txn_phase) {
    case TXN_BEGIN: txn_begin(scenario); return;
    case TXN_PRODUCE:
        if (heap_append(scenario))
            scenario->txn_phase = TXN_OFFSETS;
        return;
    case TXN_OFFSETS:
        if (heap_op(scenario, txn_offsets_start) && scenario->op_code == 0)
            scenario->txn_phase = txn_goals[scenario->stage] ? TXN_COMMIT : TXN_ABORT;
        return;
    case TXN_COMMIT:
        if (heap_op(scenario, txn_commit_start) && scenario->op_code == 0)
            txn_end(scenario, true);
        return;
    case TXN_ABORT:
        if (heap_op(scenario, txn_abort_start) && scenario->op_code == 0)
            txn_end(scenario, false);
        return;
    }
}

static void step_txn(struct heap_scenario *scenario)
{
    txn_turn(scenario);
    if (scenario->stage < TXN_N_GOALS)
        return;
    scenario->done = scenario->n_reported == scenario->n_accepted &&
                     kwi_mock_committed(scenario->pair.mock, "g", "t", 0) ==
                         (int64_t)scenario->txn_offset;
}

/* One that is left open. */
static void step_txn_open(struct heap_scenario *scenario)
{
    if (scenario->txn_phase == TXN_BEGIN)
        txn_begin(scenario);
    if (scenario->txn_phase == TXN_PRODUCE && heap_append(scenario)) {
        scenario->done = true;
        scenario->txn_phase = TXN_BEGIN;
    }
}

const struct heap_step_info heap_steps_txn[] = {
    {"init transactions", step_txn_init},
    {"transactions", step_txn},
    {"a transaction that is left open", step_txn_open},
};
