/* client/txn.c -- a producer's transactions: states, and the application's calls. What
 * is asked of brokers is in the files that txn.h names; when a transaction may end is
 * decided here. */
#include "client/txn.h"

#include <string.h>

#include "base/fmt.h"
#include "client/close.h"
#include "client/config.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "proto/produce.h"
#include <kwire/kwire.h>

struct kw_txn_op {
    struct kw_op op;
    struct kw_txn *txn;
};

/* ---- states ------------------------------------------------------------------------ */

#define TO(state) (KW_TXN_##state + 1)
/* 0: illegal. Everything may die. */
static const uint8_t txn_cells[KW_TXN_STATES][KWI_TXN_EVENTS] = {
    [KW_TXN_UNINITIALIZED] = {[KWI_TXN_ASK_INIT] = TO(INITIALIZING), [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_INITIALIZING] = {[KWI_TXN_ASK_INIT] = TO(INITIALIZING),
                             [KWI_TXN_REFUSED] = TO(UNINITIALIZED),
                             [KWI_TXN_ENDED] = TO(INITIALIZED),
                             [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_INITIALIZED] = {[KWI_TXN_ASK_INIT] = TO(INITIALIZED),
                            [KWI_TXN_TOLD] = TO(READY),
                            [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_READY] = {[KWI_TXN_ASK_BEGIN] = TO(OPEN), [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_OPEN] = {[KWI_TXN_ASK_WRITE] = TO(OPEN),
                     [KWI_TXN_ASK_COMMIT] = TO(FLUSHING),
                     [KWI_TXN_ASK_ABORT] = TO(ABORTING),
                     [KWI_TXN_FAILED] = TO(ABORTABLE),
                     [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_FLUSHING] = {[KWI_TXN_ASK_COMMIT] = TO(FLUSHING),
                         [KWI_TXN_ASK_ABORT] = TO(ABORTING),
                         [KWI_TXN_DRAINED] = TO(COMMITTING),
                         [KWI_TXN_FAILED] = TO(ABORTABLE),
                         [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_COMMITTING] = {[KWI_TXN_ASK_COMMIT] = TO(COMMITTING),
                           [KWI_TXN_ENDED] = TO(COMMITTED),
                           [KWI_TXN_FAILED] = TO(ABORTABLE),
                           [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_COMMITTED] = {[KWI_TXN_ASK_COMMIT] = TO(COMMITTED),
                          [KWI_TXN_TOLD] = TO(READY),
                          [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_ABORTABLE] = {[KWI_TXN_ASK_ABORT] = TO(ABORTING),
                          [KWI_TXN_FAILED] = TO(ABORTABLE),
                          [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_ABORTING] = {[KWI_TXN_ASK_ABORT] = TO(ABORTING),
                         [KWI_TXN_ENDED] = TO(ABORTED),
                         [KWI_TXN_FAILED] = TO(ABORTING),
                         [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_ABORTED] =
        {[KWI_TXN_ASK_ABORT] = TO(ABORTED), [KWI_TXN_TOLD] = TO(READY), [KWI_TXN_DIED] = TO(DEAD)},
    [KW_TXN_DEAD] = {[KWI_TXN_DIED] = TO(DEAD)},
};
#undef TO

/* What to do in a state in which a call is refused. */
static const char *const txn_remedies[KW_TXN_STATES] = {
    [KW_TXN_UNINITIALIZED] = "call kw_txn_init first, and wait for its end",
    [KW_TXN_INITIALIZING] = "wait for the end of kw_txn_init, or call it again",
    [KW_TXN_INITIALIZED] = "call kw_txn_init again: it has ended well",
    [KW_TXN_READY] = "call kw_txn_begin first",
    [KW_TXN_OPEN] = "end the transaction first: kw_txn_commit, kw_txn_abort",
    [KW_TXN_FLUSHING] = "kw_txn_commit is not over: call it again, or kw_txn_abort",
    [KW_TXN_COMMITTING] = "kw_txn_commit is not over: call it again until it ends",
    [KW_TXN_COMMITTED] = "call kw_txn_commit again: it has ended well",
    [KW_TXN_ABORTABLE] = "call kw_txn_abort, and begin anew",
    [KW_TXN_ABORTING] = "kw_txn_abort is not over: call it again until it ends",
    [KW_TXN_ABORTED] = "call kw_txn_abort again: it has ended well",
    [KW_TXN_DEAD] = "close this producer and create another",
};

bool kwi_txn_cell(unsigned state, unsigned event, unsigned *next)
{
    if (state >= KW_TXN_STATES || event >= KWI_TXN_EVENTS || !txn_cells[state][event])
        return false;
    *next = txn_cells[state][event] - 1u;
    return true;
}

/* False: the event is illegal in this state, which stays. */
static bool txn_step(struct kw_txn *txn, enum kw_txn_event event)
{
    unsigned next;

    if (!kwi_txn_cell(txn->state, event, &next))
        return false;
    if (next != txn->state) {
        txn->state = (uint8_t)next;
        kwi_producer_mark(txn->producer); /* whether records are taken */
    }
    return true;
}

/* ---- operations --------------------------------------------------------------------- */

static void txn_op_end(struct kw_txn *txn, int code, const struct kw_error *err)
{
    struct kw_txn_op *op = txn->op;

    txn->op = NULL;
    if (op)
        kwi_op_end(&op->op, code, err);
}

/* Its time is over, or it was cancelled; what it asked for goes on. */
static void txn_op_abandon(struct kw_op *op, int code)
{
    struct kw_txn *txn = KWI_OF(op, struct kw_txn_op, op)->txn;
    const struct kw_error *why = &txn->last;
    struct kw_error err;

    if (txn->op && &txn->op->op == op)
        txn->op = NULL;
    if (code != KW_ERR_TIMEOUT)
        return;
    if (!why->code && txn->coordinator)
        why = &txn->coordinator->error;
    if (why->code)
        kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST, txn_remedies[txn->state],
                      "the transaction's operation did not end by its deadline; last: %s",
                      why->text);
    else
        kwi_error_set(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST,
                      "the transaction's operation did not end by its deadline",
                      txn_remedies[txn->state]);
    err.txn_class = KW_TXN_RETRY;
    kwi_op_end(op, KW_ERR_TIMEOUT, &err);
}

/* Why a call is refused now. */
static int txn_refusal(const struct kw_producer *producer, const char *call, struct kw_error *err)
{
    const struct kw_txn *txn = producer->txn;

    if (!txn) {
        kwi_error_fmt(err, KW_ERR_USE, KW_PHASE_CONFIG, "set transactional.id",
                      "%s: the producer has no transactional.id", call);
        return KW_ERR_USE;
    }
    if (txn->cause.code) {
        kwi_error_fmt(err, KW_ERR_STATE, KW_PHASE_REQUEST, txn_remedies[txn->state],
                      "%s: the transaction failed: %s", call, txn->cause.text);
        if (err) {
            err->kafka_code = txn->cause.kafka_code;
            err->txn_class = txn->cause.txn_class;
        }
        return KW_ERR_STATE;
    }
    kwi_error_fmt(err, KW_ERR_STATE, KW_PHASE_REQUEST, txn_remedies[txn->state],
                  "%s is not possible now", call);
    return KW_ERR_STATE;
}

int kwi_txn_may_write(const struct kw_producer *producer, const char *call, struct kw_error *err)
{
    unsigned next;

    if (producer->txn && !producer->closing &&
        kwi_txn_cell(producer->txn->state, KWI_TXN_ASK_WRITE, &next))
        return 0;
    return txn_refusal(producer, call, err);
}

/* The last step of INIT, COMMIT and ABORT: who asked is told, and it is over. */
static void txn_tell(struct kw_txn *txn)
{
    if (!txn->op)
        return;
    txn_step(txn, KWI_TXN_TOLD);
    txn_op_end(txn, 0, NULL);
}

void kwi_txn_done(struct kw_txn *txn)
{
    if (!txn_step(txn, KWI_TXN_ENDED))
        return;
    txn->last.code = 0;
    txn->cause.code = 0;
    txn->started = txn->unsure = false;
    kwi_txn_parts_forget(txn, true);
    txn_tell(txn);
    kwi_close_check(txn->producer->core);
}

/* ---- failures ----------------------------------------------------------------------- */

void kwi_txn_fail(struct kw_txn *txn, const struct kw_error *cause)
{
    if (txn->state == KW_TXN_ABORTABLE || !txn_step(txn, KWI_TXN_FAILED) ||
        txn->state == KW_TXN_ABORTING)
        return;
    txn->cause = *cause;
    txn->cause.txn_class = KW_TXN_ABORT;
    kwi_fmt(txn->cause.hint, sizeof(txn->cause.hint), "%s", txn_remedies[KW_TXN_ABORTABLE]);
    kwi_txn_offsets_drop(txn, &txn->cause);
    kwi_event_error(txn->producer->core, &txn->cause);
    txn_op_end(txn, txn->cause.code, &txn->cause);
    if (txn->producer->closing)
        kwi_txn_close(txn);
    kwi_close_check(txn->producer->core);
}

void kwi_txn_fail_kafka(struct kw_txn *txn, int16_t kafka_code, int16_t api_key, const char *name)
{
    struct kw_error err;

    kwi_error_answer(txn->producer->core, &err, kafka_code, api_key, name);
    kwi_txn_fail(txn, &err);
}

void kwi_txn_die(struct kw_txn *txn, const struct kw_error *cause)
{
    bool committing = txn->state == KW_TXN_COMMITTING && !txn->ended;
    bool lost = txn->started && !txn->ended;

    if (txn->state == KW_TXN_DEAD || !txn_step(txn, KWI_TXN_DIED))
        return;
    if (!txn->cause.code)
        txn->cause = *cause;
    txn->cause.txn_class = KW_TXN_FATAL;
    if (committing && !txn->outcome)
        txn->outcome = KW_TXN_OUTCOME_UNKNOWN;
    if (committing)
        kwi_fmt(txn->cause.hint, sizeof(txn->cause.hint), "%s",
                txn->outcome == KW_TXN_WAS_ABORTED
                    ? "the transaction is not committed; close this producer"
                    : "whether the transaction is committed is not known: read with "
                      "isolation.level=read_committed before it is written again");
    else if (lost)
        txn->outcome = KW_TXN_WAS_ABORTED; /* nobody can commit it any more */
    kwi_core_disarm(txn->producer->core, &txn->retry);
    kwi_txn_offsets_drop(txn, &txn->cause);
    /* A commit that was answered is one, whatever came after it. */
    if (txn->ended && txn->outcome == KW_TXN_WAS_COMMITTED)
        txn_op_end(txn, 0, NULL);
    else
        txn_op_end(txn, txn->cause.code, &txn->cause);
}

void kwi_txn_init_refused(struct kw_txn *txn, const struct kw_error *why)
{
    if (txn_step(txn, KWI_TXN_REFUSED))
        txn_op_end(txn, why->code, why);
}

void kwi_txn_batch_done(const struct kw_part *part, enum kw_outcome outcome, int code,
                        int16_t kafka_code)
{
    const struct kw_topic *topic = part->topic;
    struct kw_txn *txn = topic->producer->txn;
    struct kw_error err;

    if (outcome != KW_DELIVERED && kwi_txn_sends(txn)) {
        if (kafka_code)
            kwi_error_answer(topic->core, &err, kafka_code, KW_API_PRODUCE, topic->meta->name);
        else
            kwi_error_fmt(&err, code ? code : KW_ERR_STATE, KW_PHASE_REQUEST, "",
                          "records of %.80s partition %d were not delivered: %s", topic->meta->name,
                          part->index, kw_err_name(code));
        kwi_txn_fail(txn, &err);
    }
    kwi_txn_go(txn);
}

/* ---- what comes next ------------------------------------------------------------------- */

static enum kw_txn_call txn_next_ending(struct kw_txn *txn)
{
    if (!txn->ended && !txn->started)
        txn->ended = true; /* nothing was added: EndTxn would be refused (T12) */
    if (!txn->ended)
        return KWI_TXN_CALL_END;
    if (!txn->outcome)
        txn->outcome = txn->state == KW_TXN_COMMITTING ? KW_TXN_WAS_COMMITTED : KW_TXN_WAS_ABORTED;
    return txn->bump ? KWI_TXN_CALL_INIT : KWI_TXN_CALL_NONE;
}

/* What was sent must be answered first, so that it cannot fall into the next
 * transaction (T13, T14). */
static enum kw_txn_call txn_next_aborting(struct kw_txn *txn)
{
    if (!kwi_list_empty(&txn->asked))
        return KWI_TXN_CALL_PARTS;
    if (txn->group_unsure)
        return KWI_TXN_CALL_GROUP;
    return txn_next_ending(txn);
}

static bool txn_is_drained(const struct kw_txn *txn)
{
    return kwi_producer_drained(txn->producer) && !txn->committing;
}

static enum kw_txn_call txn_next(struct kw_txn *txn)
{
    switch ((enum kw_txn_state)txn->state) {
    case KW_TXN_INITIALIZING: return KWI_TXN_CALL_INIT;
    case KW_TXN_OPEN:
    case KW_TXN_FLUSHING:
        if (!kwi_list_empty(&txn->wanted) || !kwi_list_empty(&txn->asked))
            return KWI_TXN_CALL_PARTS;
        return kwi_txn_offsets_group(txn) ? KWI_TXN_CALL_GROUP : KWI_TXN_CALL_NONE;
    case KW_TXN_COMMITTING: return txn_next_ending(txn);
    case KW_TXN_ABORTING: return txn_next_aborting(txn);
    case KW_TXN_UNINITIALIZED:
    case KW_TXN_INITIALIZED:
    case KW_TXN_READY:
    case KW_TXN_COMMITTED:
    case KW_TXN_ABORTABLE:
    case KW_TXN_ABORTED:
    case KW_TXN_DEAD:
    case KW_TXN_STATES: break;
    }
    return KWI_TXN_CALL_NONE;
}

/* Everything that was asked of the coordinator is done, and nothing more is needed. */
static bool txn_is_over(const struct kw_txn *txn)
{
    return (txn->state == KW_TXN_COMMITTING || txn->state == KW_TXN_ABORTING) && txn->ended &&
           !txn->bump;
}

void kwi_txn_go(struct kw_txn *txn)
{
    enum kw_txn_call call;

    if (txn->busy || txn->producer->core->closing)
        return;
    txn->busy = true; /* a request that cannot be made comes back here */
    kwi_txn_offsets_sweep(txn);
    if (txn->state == KW_TXN_FLUSHING && txn_is_drained(txn) && kwi_list_empty(&txn->jobs) &&
        !txn->req)
        txn_step(txn, KWI_TXN_DRAINED);
    if (!txn->req && !txn->retry.armed &&
        (txn->state != KW_TXN_ABORTING || txn_is_drained(txn) || !kwi_list_empty(&txn->asked))) {
        call = txn_next(txn);
        if (call != KWI_TXN_CALL_NONE)
            kwi_txn_call(txn, call);
        else if (txn_is_over(txn))
            kwi_txn_done(txn);
    }
    txn->busy = false;
    if (kwi_txn_sends(txn))
        kwi_txn_offsets_go(txn);
}

/* ---- life ------------------------------------------------------------------------------- */

static void txn_retry_due(struct kw_timer *timer)
{
    kwi_txn_go(KWI_OF(timer, struct kw_txn, retry));
}

int kwi_txn_create(struct kw_producer *producer, const struct kw_config *own)
{
    struct kw_core *core = producer->core;
    const char *id =
        kwi_config_str(own && kwi_config_is_set(own, KW_KEY_TRANSACTIONAL_ID) ? own : core->cfg,
                       KW_KEY_TRANSACTIONAL_ID);
    size_t len = id ? strlen(id) : 0;
    struct kw_txn *txn;

    if (!id)
        return 0;
    txn = kwi_alloc_zero(&core->control, sizeof(*txn) + len + 1);
    if (!txn)
        return KW_ERR_NOMEM;
    txn->producer = producer;
    txn->timeout_ms = (int32_t)kwi_core_setting(core, own, KW_KEY_TRANSACTION_TIMEOUT_MS);
    txn->retry.fire = txn_retry_due;
    txn->id_len = len;
    memcpy(txn->id, id, len);
    kwi_txn_offsets_init(txn);
    producer->txn = txn;
    return 0;
}

void kwi_txn_stop(struct kw_txn *txn)
{
    kwi_core_disarm(txn->producer->core, &txn->retry);
    kwi_core_disarm(txn->producer->core, &txn->job_retry);
}

void kwi_txn_destroy(struct kw_txn *txn)
{
    kwi_txn_stop(txn);
    kwi_txn_offsets_destroy(txn);
    kwi_free(&txn->producer->core->control, txn, sizeof(*txn) + txn->id_len + 1);
}

void kwi_txn_close(struct kw_txn *txn)
{
    struct kw_error err;

    if (txn->state != KW_TXN_OPEN && txn->state != KW_TXN_ABORTABLE)
        return;
    kwi_error_fmt(&err, KW_ERR_CLOSED, KW_PHASE_REQUEST, "end each transaction before kw_close",
                  "kw_close aborts the open transaction of %.100s", txn->id);
    err.txn_class = KW_TXN_ABORT;
    kwi_event_error(txn->producer->core, &err);
    kwi_txn_offsets_drop(txn, &err);
    (void)txn_step(txn, KWI_TXN_ASK_ABORT);
    kwi_txn_parts_forget(txn, false);
    kwi_producer_sweep(txn->producer, KW_ERR_CLOSED, false, true);
    kwi_txn_go(txn);
}

bool kwi_txn_is_settled(const struct kw_txn *txn)
{
    return txn->abandoned || !(txn->state == KW_TXN_FLUSHING || txn->state == KW_TXN_COMMITTING ||
                               txn->state == KW_TXN_ABORTING);
}

void kwi_txn_abandon(struct kw_txn *txn)
{
    struct kw_error err;

    if (kwi_txn_is_settled(txn))
        return;
    txn->abandoned = true;
    kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST,
                  "until then readers of committed records wait; close with a longer timeout",
                  "the transaction of %.80s is left to its coordinator, which %s within "
                  "transaction.timeout.ms",
                  txn->id,
                  txn->state == KW_TXN_COMMITTING ? "has committed it or aborts it" : "aborts it");
    err.txn_class = KW_TXN_ABORT;
    kwi_event_error(txn->producer->core, &err);
    if (txn->state == KW_TXN_COMMITTING && !txn->ended)
        txn->outcome = KW_TXN_OUTCOME_UNKNOWN;
}

void kwi_txn_closed(struct kw_txn *txn)
{
    struct kw_error err;

    if (txn->state == KW_TXN_COMMITTING && !txn->ended)
        txn->outcome = KW_TXN_OUTCOME_UNKNOWN;
    kwi_error_fmt(&err, KW_ERR_CLOSED, KW_PHASE_REQUEST, txn_remedies[txn->state],
                  "the client was closed before the operation of transaction %.80s ended", txn->id);
    err.txn_class = KW_TXN_FATAL;
    kwi_txn_offsets_drop(txn, &err);
    if (txn->ended && txn->outcome == KW_TXN_WAS_COMMITTED)
        txn_op_end(txn, 0, NULL); /* a commit that was answered is one */
    else
        txn_op_end(txn, err.code, &err);
}

/* ---- the application's calls ------------------------------------------------------------ */

/* What was asked for is done, and only has to be told. */
static bool txn_has_ended(const struct kw_txn *txn)
{
    return txn->state == KW_TXN_INITIALIZED || txn->state == KW_TXN_COMMITTED ||
           txn->state == KW_TXN_ABORTED;
}

/* The operation, attached; or one that has ended already, because `event` is illegal. */
static struct kw_op *txn_ask(struct kw_producer *producer, enum kw_txn_event event,
                             const char *call, int32_t timeout_ms, void *tag)
{
    struct kw_op *op = kwi_op_create(producer->core, sizeof(struct kw_txn_op), timeout_ms, tag,
                                     txn_op_abandon);
    struct kw_txn *txn = producer->txn;
    struct kw_error err;
    int rc;

    if (!op)
        return NULL;
    if (txn && !txn->op && (!producer->core->closing || txn_has_ended(txn)) &&
        !(producer->closing && event == KWI_TXN_ASK_INIT) && txn_step(txn, event)) {
        KWI_OF(op, struct kw_txn_op, op)->txn = txn;
        txn->op = KWI_OF(op, struct kw_txn_op, op);
        return op;
    }
    op->abandon = NULL;
    rc = txn_refusal(producer, call, &err);
    kwi_op_end(op, rc, &err);
    return op;
}

struct kw_op *kw_core_txn_init(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    struct kw_op *op = txn_ask(producer, KWI_TXN_ASK_INIT, "kw_txn_init", timeout_ms, tag);
    struct kw_txn *txn = producer->txn;
    struct kw_error err;

    if (!op || op->done)
        return op;
    if (!txn->coordinator && kwi_txn_calls_begin(txn)) {
        kwi_error_set(&err, KW_ERR_NOMEM, KW_PHASE_REQUEST, "no memory for the coordinator", "");
        kwi_txn_init_refused(txn, &err);
        return op;
    }
    if (txn->state == KW_TXN_INITIALIZED)
        txn_tell(txn);
    else
        kwi_txn_go(txn);
    return op;
}

int kw_core_txn_begin(struct kw_producer *producer, struct kw_error *err)
{
    struct kw_txn *txn = producer->txn;

    if (producer->closing)
        return kwi_error_closing(err);
    if (!txn || !txn_step(txn, KWI_TXN_ASK_BEGIN))
        return txn_refusal(producer, "kw_txn_begin", err);
    txn->serial++;
    txn->outcome = KW_TXN_NO_OUTCOME;
    txn->started = txn->ended = txn->unsure = false;
    return 0;
}

struct kw_op *kw_core_txn_commit(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    struct kw_op *op = txn_ask(producer, KWI_TXN_ASK_COMMIT, "kw_txn_commit", timeout_ms, tag);
    struct kw_txn *txn = producer->txn;

    if (!op || op->done)
        return op;
    if (txn->state == KW_TXN_COMMITTED) {
        txn_tell(txn);
        return op;
    }
    producer->flush_number = producer->next_number;
    kwi_attend(producer->core, KW_ATT_TIME); /* the next steps seal */
    kwi_txn_go(txn);
    return op;
}

struct kw_op *kw_core_txn_abort(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    static const struct kw_error aborted = {.code = KW_ERR_CANCELED,
                                            .text = "the transaction was aborted",
                                            .broker = -1,
                                            .txn_class = KW_TXN_ABORT};
    struct kw_op *op = txn_ask(producer, KWI_TXN_ASK_ABORT, "kw_txn_abort", timeout_ms, tag);
    struct kw_txn *txn = producer->txn;

    if (!op || op->done)
        return op;
    if (txn->state == KW_TXN_ABORTED) {
        txn_tell(txn);
        return op;
    }
    kwi_txn_offsets_drop(txn, &aborted);
    kwi_txn_parts_forget(txn, false);
    kwi_producer_sweep(producer, KW_ERR_CANCELED, false, false);
    kwi_txn_go(txn);
    return op;
}

int kw_core_txn_status(const struct kw_producer *producer, struct kw_txn_status *status)
{
    const struct kw_txn *txn = producer ? producer->txn : NULL;
    size_t size = status ? status->size : 0;

    if (!txn || size < sizeof(*status))
        return KW_ERR_USE;
    memset(status, 0, sizeof(*status));
    status->size = size;
    status->state = txn->state;
    status->outcome = txn->outcome;
    status->implicit = txn->implicit;
    if (txn->cause.code)
        status->error = txn->cause;
    return 0;
}
