/* client/txn_calls.c -- what a transaction asks of its coordinator: InitProducerId,
 * AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, one at a time, each until it is answered.
 *
 * A request that was sent and not answered may be carried out at any later time. With
 * version 1 the epoch then goes up before the next transaction begins, so that it is
 * refused there (KAFKA-17754); with version 2 EndTxn does that by itself. */
#include "client/txn.h"

#include "client/config.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/produce.h"
#include "proto/txn.h"

enum {
    TXNCALL_FIRST_MS = 20,   /* a transaction that has just ended is soon over (KAFKA-5477) */
    TXNCALL_V2 = 2,          /* transaction.version of KIP-890, part 2 */
    TXNCALL_BUMP_VERSION = 3 /* of InitProducerId: says which id and epoch (KIP-360) */
};

/* ---- errors ---------------------------------------------------------------------------- */

enum kw_txn_verdict kwi_txn_judge(int16_t kafka_code)
{
    static const struct {
        int16_t code;
        uint8_t verdict;
    } special[] = {
        {KW_E_NONE, KWI_TXN_OK},
        {KW_E_NOT_COORDINATOR, KWI_TXN_FIND},
        {KW_E_COORDINATOR_NOT_AVAILABLE, KWI_TXN_FIND},
        {KW_E_PRODUCER_FENCED, KWI_TXN_DEAD},
        {KW_E_INVALID_PRODUCER_EPOCH, KWI_TXN_DEAD},
        {KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KWI_TXN_DEAD},
        {KW_E_INVALID_PRODUCER_ID_MAPPING, KWI_TXN_LOST_ID},
        {KW_E_UNKNOWN_PRODUCER_ID, KWI_TXN_LOST_ID},
        {KW_E_TRANSACTION_ABORTABLE, KWI_TXN_ABORT},
    };

    for (unsigned i = 0; i < sizeof(special) / sizeof(*special); i++) {
        if (special[i].code == kafka_code)
            return (enum kw_txn_verdict)special[i].verdict;
    }
    return kwi_error_info(kafka_code)->flags & KW_E_RETRIABLE ? KWI_TXN_AGAIN : KWI_TXN_OTHER;
}

/* What it means for one of the requests here. */
static enum kw_txn_verdict txncall_judge(const struct kw_txn *txn, enum kw_txn_call call,
                                         int16_t code)
{
    enum kw_txn_verdict verdict = kwi_txn_judge(code);
    bool adds = call == KWI_TXN_CALL_PARTS || call == KWI_TXN_CALL_GROUP;
    bool commits = call == KWI_TXN_CALL_END && txn->state == KW_TXN_COMMITTING;

    if (code == KW_E_INVALID_TXN_STATE)
        return KWI_TXN_DEAD;
    if (verdict == KWI_TXN_OTHER)
        return adds ? KWI_TXN_ABORT : KWI_TXN_DEAD;
    if (verdict == KWI_TXN_ABORT)
        return adds || commits ? KWI_TXN_ABORT : KWI_TXN_DEAD;
    if (verdict == KWI_TXN_LOST_ID)
        return adds || (call == KWI_TXN_CALL_END && !commits) ? KWI_TXN_LOST_ID : KWI_TXN_DEAD;
    return verdict;
}

static void txncall_pause(struct kw_txn *txn, bool soon)
{
    struct kw_producer *producer = txn->producer;
    struct kw_core *core = producer->core;
    int64_t backoff_ms = soon ? TXNCALL_FIRST_MS : producer->retry_backoff_ms;

    kwi_core_arm(core, &txn->retry,
                 core->now.mono_us + kwi_core_backoff_us(core, backoff_ms,
                                                         producer->retry_backoff_max_ms,
                                                         txn->attempts));
    if (txn->attempts < 32)
        txn->attempts++;
}

static void txncall_die(struct kw_txn *txn, const struct kw_error *err)
{
    struct kw_error fatal = *err;

    fatal.txn_class = KW_TXN_FATAL;
    kwi_producer_fatal(txn->producer, &fatal);
}

/* ---- requests --------------------------------------------------------------------------- */

static struct kw_str txncall_id(const struct kw_txn *txn)
{
    return (struct kw_str){txn->id, (int32_t)txn->id_len};
}

static int txncall_choose_init(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct kw_txn *txn = req->owner;

    return kwi_link_choose(req, broker_min, broker_max, txn->bump ? TXNCALL_BUMP_VERSION : 0,
                           INT16_MAX);
}

static int txncall_choose_end(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct kw_txn *txn = req->owner;

    return kwi_link_choose(req, broker_min, broker_max, txn->implicit ? 5 : 0,
                           txn->implicit ? 5 : 4);
}

static int txncall_encode_init(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_txn *txn = req->owner;
    struct kw_init_producer_id_request msg;

    kwi_init_producer_id_request_init(&msg);
    msg.transactional_id = txncall_id(txn);
    msg.transaction_timeout_ms = txn->timeout_ms;
    if (txn->bump) {
        msg.producer_id = txn->producer->producer_id;
        msg.producer_epoch = txn->producer->producer_epoch;
    }
    return kwi_init_producer_id_request_encode(&msg, req->version, wr);
}

static int txncall_encode_group(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_txn *txn = req->owner;
    const char *group = kwi_txn_offsets_group(txn);
    struct kw_add_offsets_to_txn_request msg;

    if (!group)
        return KW_ERR_CANCELED;
    kwi_add_offsets_to_txn_request_init(&msg);
    msg.transactional_id = txncall_id(txn);
    msg.producer_id = txn->producer->producer_id;
    msg.producer_epoch = txn->producer->producer_epoch;
    msg.group_id = kwi_str(group);
    return kwi_add_offsets_to_txn_request_encode(&msg, req->version, wr);
}

static int txncall_encode_end(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_txn *txn = req->owner;
    struct kw_end_txn_request msg;

    kwi_end_txn_request_init(&msg);
    msg.transactional_id = txncall_id(txn);
    msg.producer_id = txn->producer->producer_id;
    msg.producer_epoch = txn->producer->producer_epoch;
    msg.committed = txn->state == KW_TXN_COMMITTING;
    return kwi_end_txn_request_encode(&msg, req->version, wr);
}

static void txncall_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type txncall_types[] = {
    [KWI_TXN_CALL_INIT] = {.api_key = KW_API_INIT_PRODUCER_ID,
                           .choose = txncall_choose_init,
                           .encode = txncall_encode_init,
                           .done = txncall_done},
    [KWI_TXN_CALL_PARTS] = {.api_key = KW_API_ADD_PARTITIONS_TO_TXN,
                            .encode = kwi_txn_parts_encode,
                            .done = txncall_done},
    [KWI_TXN_CALL_GROUP] = {.api_key = KW_API_ADD_OFFSETS_TO_TXN,
                            .encode = txncall_encode_group,
                            .done = txncall_done},
    [KWI_TXN_CALL_END] = {.api_key = KW_API_END_TXN,
                          .choose = txncall_choose_end,
                          .encode = txncall_encode_end,
                          .done = txncall_done},
};

void kwi_txn_call(struct kw_txn *txn, enum kw_txn_call call)
{
    struct kw_broker *broker;
    struct kw_link *link;

    kwi_coordinator_want(txn->coordinator);
    broker = kwi_coordinator_broker(txn->coordinator);
    if (!broker)
        return; /* the coordinator's change comes back here */
    link = kwi_link_get(broker, KWI_LANE_CONTROL, NULL);
    txn->req = link ? kwi_producer_request(txn->producer, link, &txncall_types[call], txn) : NULL;
    if (!txn->req) {
        txncall_pause(txn, false); /* no memory */
        return;
    }
    txn->req->arg = (uint64_t)(uint32_t)broker->node_id | (uint64_t)call << 32;
    kwi_request_submit(txn->req);
}

/* ---- answers ---------------------------------------------------------------------------- */

/* The version of transactions that the next one uses. Whoever goes over to version 2
 * begins it with an epoch of its own. */
static void txncall_choose_version(struct kw_txn *txn, bool fresh)
{
    bool implicit = txn->producer->core->cluster.transaction_version >= TXNCALL_V2;

    if (implicit && !txn->implicit && !fresh)
        txn->bump = true;
    txn->implicit = implicit;
}

static void txncall_inited(struct kw_txn *txn, const struct kw_init_producer_id_response *msg)
{
    txn->producer->producer_id = msg->producer_id;
    txn->producer->producer_epoch = msg->producer_epoch;
    txn->bump = false;
    txncall_choose_version(txn, true);
    if (txn->state == KW_TXN_INITIALIZING)
        kwi_txn_done(txn);
}

static void txncall_ended(struct kw_txn *txn, const struct kw_end_txn_response *msg)
{
    txn->ended = true;
    txn->outcome = txn->state == KW_TXN_COMMITTING ? KW_TXN_WAS_COMMITTED : KW_TXN_WAS_ABORTED;
    if (msg->producer_id >= 0 && msg->producer_epoch >= 0) {
        txn->producer->producer_id = msg->producer_id;
        txn->producer->producer_epoch = msg->producer_epoch;
    }
    txncall_choose_version(txn, false);
}

/* What the answer to a request says: the code that counts. */
struct txncall_answer {
    int16_t code;
    int32_t throttle_ms;
    const char *about; /* whom the code is about */
    struct kw_fault fault;
    union {
        struct kw_init_producer_id_response init;
        struct kw_add_offsets_to_txn_response group;
        struct kw_end_txn_response end;
    } msg;
};

static int txncall_read(struct kw_txn *txn, enum kw_txn_call call, const struct kw_request *req,
                        const struct kw_answer *answer, struct txncall_answer *out)
{
    int rc = 0;

    out->about = txn->id;
    switch (call) {
    case KWI_TXN_CALL_NONE: break;
    case KWI_TXN_CALL_INIT:
        rc = kwi_init_producer_id_response_decode(&out->msg.init, req->version, answer->body,
                                                  answer->len, &out->fault);
        out->code = out->msg.init.error_code;
        out->throttle_ms = out->msg.init.throttle_time_ms;
        if (!rc && !out->code &&
            (out->msg.init.producer_id < 0 || out->msg.init.producer_epoch < 0))
            out->code = KW_E_UNKNOWN_SERVER_ERROR;
        break;
    case KWI_TXN_CALL_PARTS:
        out->code = kwi_txn_parts_read(txn, req, answer, &out->throttle_ms, &out->fault,
                                       &out->about, &rc);
        break;
    case KWI_TXN_CALL_GROUP:
        rc = kwi_add_offsets_to_txn_response_decode(&out->msg.group, req->version, answer->body,
                                                    answer->len, &out->fault);
        out->code = out->msg.group.error_code;
        out->throttle_ms = out->msg.group.throttle_time_ms;
        break;
    case KWI_TXN_CALL_END:
        rc = kwi_end_txn_response_decode(&out->msg.end, req->version, answer->body, answer->len,
                                         &out->fault);
        out->code = out->msg.end.error_code;
        out->throttle_ms = out->msg.end.throttle_time_ms;
        break;
    }
    return rc;
}

static void txncall_succeeded(struct kw_txn *txn, enum kw_txn_call call,
                              const struct txncall_answer *answer)
{
    txn->attempts = 0;
    txn->last.code = 0;
    kwi_coordinator_proved(txn->coordinator);
    switch (call) {
    case KWI_TXN_CALL_INIT: txncall_inited(txn, &answer->msg.init); break;
    case KWI_TXN_CALL_GROUP:
        txn->started = true;
        txn->group_unsure = false;
        kwi_txn_offsets_group_added(txn);
        break;
    case KWI_TXN_CALL_END: txncall_ended(txn, &answer->msg.end); break;
    case KWI_TXN_CALL_PARTS:
    case KWI_TXN_CALL_NONE: break;
    }
}

/* The coordinator does not know our producer id: nothing is left to be ended, and the
 * next InitProducerId brings another id (T27). */
static void txncall_lost_id(struct kw_txn *txn, enum kw_txn_call call, const struct kw_error *err)
{
    txn->bump = true;
    txn->started = false;
    if (call == KWI_TXN_CALL_END) {
        txn->ended = true;
        txn->outcome = KW_TXN_WAS_ABORTED;
    }
    kwi_txn_fail(txn, err);
}

static void txncall_refused(struct kw_txn *txn, enum kw_txn_call call, int32_t node_id,
                            const struct txncall_answer *answer)
{
    enum kw_txn_verdict verdict = txncall_judge(txn, call, answer->code);
    struct kw_error err;

    kwi_error_answer(txn->producer->core, &err, answer->code, txncall_types[call].api_key,
                     answer->about);
    txn->last = err;
    /* The coordinator's log may have it all the same: it says so when it does not know
     * whether its write was replicated, and while it carries a commit out. */
    if (call == KWI_TXN_CALL_END && (verdict == KWI_TXN_FIND || verdict == KWI_TXN_AGAIN))
        txn->unsure = true;
    /* That is final, and the epoch that comes ends what a lost one may have begun. */
    if (call == KWI_TXN_CALL_GROUP && (verdict == KWI_TXN_ABORT || verdict == KWI_TXN_LOST_ID))
        txn->group_unsure = false;
    switch (verdict) {
    case KWI_TXN_OK: break;
    case KWI_TXN_FIND: kwi_coordinator_lost(txn->coordinator, node_id); break;
    case KWI_TXN_AGAIN:
        kwi_coordinator_proved(txn->coordinator);
        txncall_pause(txn, call == KWI_TXN_CALL_PARTS && !txn->started &&
                               answer->code == KW_E_CONCURRENT_TRANSACTIONS);
        return;
    case KWI_TXN_ABORT: kwi_txn_fail(txn, &err); break;
    case KWI_TXN_LOST_ID: txncall_lost_id(txn, call, &err); break;
    case KWI_TXN_DEAD:
    case KWI_TXN_OTHER:
        if (call == KWI_TXN_CALL_END && txn->state == KW_TXN_COMMITTING && !txn->unsure &&
            kwi_txn_judge(answer->code) == KWI_TXN_DEAD)
            txn->outcome = KW_TXN_WAS_ABORTED; /* it was refused, and nobody else asks */
        txncall_die(txn, &err);
        break;
    }
}

/* No answer: it is asked again, of whoever is the coordinator by then. */
static void txncall_unanswered(struct kw_txn *txn, enum kw_txn_call call, int32_t node_id,
                               const struct kw_answer *answer, int err)
{
    struct kw_error why;

    if (answer->cause)
        why = *answer->cause;
    else
        kwi_error_fmt(&why, err, KW_PHASE_REQUEST, "", "%s was not answered",
                      kwi_api_name(txncall_types[call].api_key));
    txn->last = why;
    if (answer->offered || !answer->err) {
        txn->unsure |= call == KWI_TXN_CALL_END;
        txn->group_unsure |= call == KWI_TXN_CALL_GROUP;
        txn->bump |= !txn->implicit && call != KWI_TXN_CALL_INIT;
    }
    if (err == KW_ERR_CANCELED)
        return;
    if (err == KW_ERR_UNSUPPORTED) {
        kwi_error_fmt(&why, err, KW_PHASE_REQUEST,
                      "transactions need brokers of 0.11, and 2.5 to recover from failures",
                      "the coordinator of %.80s has no %s that can be used", txn->id,
                      kwi_api_name(txncall_types[call].api_key));
        txncall_die(txn, &why);
        return;
    }
    if (err == KW_ERR_AUTH && txn->state == KW_TXN_INITIALIZING) {
        kwi_txn_init_refused(txn, &why);
        return;
    }
    kwi_coordinator_lost(txn->coordinator, node_id);
    txncall_pause(txn, false);
}

static void txncall_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_txn *txn = req->owner;
    enum kw_txn_call call = (enum kw_txn_call)(req->arg >> 32);
    int32_t node_id = (int32_t)(uint32_t)req->arg;
    struct txncall_answer out = {0};
    int err = answer->err;

    txn->req = NULL;
    if (txn->producer->core->closing || txn->state == KW_TXN_DEAD)
        return;
    if (!err && txncall_read(txn, call, req, answer, &out))
        err = kwi_request_malformed(req, &out.fault, NULL);
    if (!err)
        kwi_throttle(req, out.throttle_ms);
    if (call == KWI_TXN_CALL_PARTS)
        kwi_txn_parts_return(txn, !err, answer->offered || !answer->err);
    if (err)
        txncall_unanswered(txn, call, node_id, answer, err);
    else if (out.code)
        txncall_refused(txn, call, node_id, &out);
    else
        txncall_succeeded(txn, call, &out);
    kwi_txn_go(txn);
}

/* ---- the coordinator -------------------------------------------------------------------- */

static void txncall_coordinator_changed(struct kw_coordinator_user *user)
{
    struct kw_txn *txn = KWI_OF(user, struct kw_txn, user);
    const struct kw_error *why = &txn->coordinator->error;
    struct kw_error err;

    if (txn->coordinator->state != KWI_COORDINATOR_REFUSED) {
        kwi_txn_go(txn);
        return;
    }
    if (txn->state == KW_TXN_DEAD)
        return;
    txn->last = *why;
    if (why->kafka_code) {
        kwi_error_answer(txn->producer->core, &err, why->kafka_code, KW_API_FIND_COORDINATOR,
                         txn->id);
        txncall_die(txn, &err);
    } else if (txn->state == KW_TXN_INITIALIZING) {
        kwi_txn_init_refused(txn, why);
    } else {
        txncall_pause(txn, false); /* a password may be put right */
    }
}

int kwi_txn_calls_begin(struct kw_txn *txn)
{
    txn->user.changed = txncall_coordinator_changed;
    txn->coordinator = kwi_coordinator_get(txn->producer->core, KWI_COORDINATOR_TRANSACTION,
                                           txn->id, &txn->user);
    return txn->coordinator ? 0 : KW_ERR_NOMEM;
}
