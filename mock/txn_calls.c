/* mock/txn_calls.c -- InitProducerId with a transactional id, AddPartitionsToTxn,
 * AddOffsetsToTxn, EndTxn, and the check of a transactional batch: the rules of a
 * coordinator of Kafka 4.3, those of version 1 and of version 2. */
#include "mock/txn.h"
#include "proto/produce.h"
#include "proto/txn.h"

enum { MOCKCOORD_TIMEOUT_MAX = 900000, MOCKCOORD_IMPLICIT_PRODUCE = 12, MOCKCOORD_BUMPING_END = 5 };

/* --- InitProducerId ----------------------------------------------------------------------- */

/* Whether a producer that names itself is the one that we know, or was before the bump
 * whose answer it did not see (KIP-360). */
static bool mockcoord_is_known(const struct kw_mock_transaction *txn,
                               const struct kw_init_producer_id_request *req)
{
    return req->producer_id == txn->producer_id &&
           (req->producer_epoch == txn->epoch ||
            (txn->last_epoch >= 0 && req->producer_epoch == txn->last_epoch));
}

int16_t kwi_mock_txn_init(struct kw_mock_call *call)
{
    const struct kw_init_producer_id_request *req = call->request;
    struct kw_init_producer_id_response *resp = call->response;
    struct kw_mock_transaction *txn = kwi_mock_txn_find(call->mock, req->transactional_id);
    bool named = call->version >= 3 && req->producer_id >= 0, made = false;
    if (call->mock->coordinator != (int32_t)call->broker)
        return KW_E_NOT_COORDINATOR;
    if (req->transactional_id.len == 0)
        return KW_E_INVALID_REQUEST;
    if (req->transaction_timeout_ms <= 0 || req->transaction_timeout_ms > MOCKCOORD_TIMEOUT_MAX)
        return KW_E_INVALID_TRANSACTION_TIMEOUT;
    if (!txn) {
        txn = kwi_mock_txn_make(call->mock, req->transactional_id);
        made = true;
    }
    if (!txn)
        return KW_E_COORDINATOR_NOT_AVAILABLE;
    if (!made && named && !mockcoord_is_known(txn, req))
        return call->version >= 4 ? KW_E_PRODUCER_FENCED : KW_E_INVALID_PRODUCER_EPOCH;
    if (txn->state == KWI_MOCK_TXN_ONGOING)
        kwi_mock_txn_prepare(txn, false, named ? KWI_MOCK_TXN_BUMP : KWI_MOCK_TXN_FENCE);
    if (txn->state == KWI_MOCK_TXN_PREPARED)
        return KW_E_CONCURRENT_TRANSACTIONS;
    txn->timeout_ms = req->transaction_timeout_ms;
    if (!made && !(named && req->producer_epoch != txn->epoch))
        kwi_mock_txn_bump(txn, true);
    txn->state = KWI_MOCK_TXN_EMPTY;
    resp->producer_id = txn->producer_id;
    resp->producer_epoch = txn->epoch;
    return 0;
}

/* --- AddPartitionsToTxn ------------------------------------------------------ */

/* What is wrong with one partition on its own. */
static int16_t mockcoord_part_check(const struct kw_mock_call *call, struct kw_str topic,
                                    int32_t partition)
{
    const struct kw_mock_topic *found = kwi_mock_call_topic(call, false, topic, NULL);
    int16_t error = kwi_mock_fault_error(call, KWI_MOCK_ERROR, topic, partition);
    if (error)
        return error;
    return kwi_mock_topic_partition(found, partition) ? 0 : KW_E_UNKNOWN_TOPIC_OR_PARTITION;
}

static int16_t mockcoord_parts_check(const struct kw_mock_call *call,
                                     struct kw_mock_transaction **txn)
{
    const struct kw_add_partitions_to_txn_request *req = call->request;
    if (call->mock->coordinator != (int32_t)call->broker)
        return KW_E_NOT_COORDINATOR;
    *txn = kwi_mock_txn_find(call->mock, req->v3_and_below_transactional_id);
    return kwi_mock_txn_check(*txn, req->v3_and_below_producer_id,
                              req->v3_and_below_producer_epoch);
}

/* One that may not be added keeps all others out, as in Kafka (T11). */
static bool mockcoord_parts_are_good(const struct kw_mock_call *call)
{
    const struct kw_add_partitions_to_txn_request *req = call->request;
    struct kw_add_partitions_to_txn_topic topic;
    struct kw_iter topics, parts;
    for (kwi_iter_init(&topics, &req->v3_and_below_topics); kwi_iter_next(&topics, &topic);) {
        kwi_iter_init(&parts, &topic.partitions);
        for (int32_t partition; kwi_iter_next(&parts, &partition);) {
            if (mockcoord_part_check(call, topic.name, partition))
                return false;
        }
    }
    return true;
}

static int mockcoord_parts_topic(struct kw_mock_call *call, struct kw_mock_transaction *txn,
                                 int16_t error, const struct kw_add_partitions_to_txn_topic *asked,
                                 struct kw_add_partitions_to_txn_topic_result *out)
{
    struct kw_add_partitions_to_txn_partition_result *items;
    bool good = mockcoord_parts_are_good(call);
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partitions.n * 2, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_add_partitions_to_txn_topic_result_init(out);
    out->name = asked->name;
    kwi_iter_init(&it, &asked->partitions);
    for (int32_t partition; kwi_iter_next(&it, &partition);) {
        int32_t copies = kwi_mock_fault_copies(call, asked->name, partition);
        int16_t after = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, asked->name, partition);
        int16_t code = error ? error : mockcoord_part_check(call, asked->name, partition);
        if (!code && !good)
            code = KW_E_OPERATION_NOT_ATTEMPTED;
        if (!code)
            code = kwi_mock_txn_add(txn, asked->name, partition);
        for (; copies > 0; copies--) {
            kwi_add_partitions_to_txn_partition_result_init(&items[n]);
            items[n].partition_index = partition;
            items[n++].partition_error_code = after ? after : code;
        }
    }
    out->results_by_partition = KWI_ARR(items, n);
    return 0;
}

static enum kw_mock_outcome mockcoord_parts_serve(struct kw_mock_call *call)
{
    const struct kw_add_partitions_to_txn_request *req = call->request;
    struct kw_add_partitions_to_txn_response *resp = call->response;
    struct kw_add_partitions_to_txn_topic_result *topics;
    struct kw_add_partitions_to_txn_topic asked;
    struct kw_mock_transaction *txn = NULL;
    int16_t error;
    struct kw_iter it;
    size_t n = 0;
    if (call->version > 3)
        return KWI_MOCK_HUNG_UP; /* those are for brokers */
    error = mockcoord_parts_check(call, &txn);
    topics = kwi_mock_call_alloc(call, (size_t)req->v3_and_below_topics.n, sizeof(*topics));
    if (!topics)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->v3_and_below_topics); kwi_iter_next(&it, &asked); n++) {
        if (mockcoord_parts_topic(call, txn, error, &asked, &topics[n]))
            return KWI_MOCK_HUNG_UP;
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->results_by_topic_v3_and_below = KWI_ARR(topics, n);
    return KWI_MOCK_ANSWERED;
}

static bool mockcoord_parts_asks(const struct kw_mock_call *call, const struct kw_mock_fault *fault)
{
    const struct kw_add_partitions_to_txn_request *req = call->request;
    struct kw_add_partitions_to_txn_topic topic;
    struct kw_iter topics, parts;
    for (kwi_iter_init(&topics, &req->v3_and_below_topics); kwi_iter_next(&topics, &topic);) {
        kwi_iter_init(&parts, &topic.partitions);
        for (int32_t partition; kwi_iter_next(&parts, &partition);) {
            if (kwi_mock_fault_covers(fault, topic.name, partition))
                return true;
        }
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_add_partitions_to_txn = {
    KW_API_ADD_PARTITIONS_TO_TXN,
    1u << KWI_MOCK_ERROR_AFTER | 1u << KWI_MOCK_OMIT | 1u << KWI_MOCK_TWICE,
    mockcoord_parts_serve,
    mockcoord_parts_asks,
};

/* --- AddOffsetsToTxn --------------------------------------------------------- */

static enum kw_mock_outcome mockcoord_group_serve(struct kw_mock_call *call)
{
    const struct kw_add_offsets_to_txn_request *req = call->request;
    struct kw_add_offsets_to_txn_response *resp = call->response;
    struct kw_mock_transaction *txn = kwi_mock_txn_find(call->mock, req->transactional_id);
    int16_t after = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, KWI_NULL_STR, -1);
    resp->throttle_time_ms = call->throttle_ms;
    resp->error_code = kwi_mock_group_check(call, req->group_id);
    if (!resp->error_code)
        resp->error_code = kwi_mock_txn_check(txn, req->producer_id, req->producer_epoch);
    if (!resp->error_code)
        resp->error_code = kwi_mock_txn_add_group(txn, req->group_id);
    if (after)
        resp->error_code = after;
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_add_offsets_to_txn = {
    KW_API_ADD_OFFSETS_TO_TXN, 1u << KWI_MOCK_ERROR_AFTER, mockcoord_group_serve, NULL};

/* --- EndTxn ------------------------------------------------------------------ */

/* One epoch for many transactions: a retry looks like a second request. */
static int16_t mockcoord_end_v1(struct kw_mock_transaction *txn, bool commit)
{
    switch (txn->state) {
    case KWI_MOCK_TXN_ONGOING: kwi_mock_txn_prepare(txn, commit, KWI_MOCK_TXN_KEEP); return 0;
    case KWI_MOCK_TXN_PREPARED:
        return txn->commit == commit ? KW_E_CONCURRENT_TRANSACTIONS : KW_E_INVALID_TXN_STATE;
    case KWI_MOCK_TXN_COMPLETE: return txn->commit == commit ? 0 : KW_E_INVALID_TXN_STATE;
    default: return KW_E_INVALID_TXN_STATE;
    }
}

/* Each transaction has its epoch: one that names the epoch before is a retry. */
static int16_t mockcoord_end_v2(struct kw_mock_transaction *txn,
                                const struct kw_end_txn_request *req)
{
    if (txn->last_epoch >= 0 && req->producer_epoch == txn->last_epoch) {
        if (txn->commit != req->committed)
            return KW_E_INVALID_TXN_STATE;
        return txn->state == KWI_MOCK_TXN_PREPARED ? KW_E_CONCURRENT_TRANSACTIONS : 0;
    }
    if (req->producer_epoch != txn->epoch)
        return KW_E_PRODUCER_FENCED;
    if (txn->state == KWI_MOCK_TXN_PREPARED)
        return KW_E_CONCURRENT_TRANSACTIONS;
    if (txn->state == KWI_MOCK_TXN_ONGOING) {
        kwi_mock_txn_prepare(txn, req->committed, KWI_MOCK_TXN_BUMP);
        return 0;
    }
    if (req->committed)
        return KW_E_INVALID_TXN_STATE;
    kwi_mock_txn_bump(txn, true); /* nothing was added, and what may come late is fenced */
    txn->commit = false;
    txn->state = KWI_MOCK_TXN_COMPLETE;
    return 0;
}

static int16_t mockcoord_end(const struct kw_mock_call *call, struct kw_mock_transaction *txn)
{
    const struct kw_end_txn_request *req = call->request;
    int16_t error;
    if (call->mock->coordinator != (int32_t)call->broker)
        return KW_E_NOT_COORDINATOR;
    if (call->version >= MOCKCOORD_BUMPING_END) {
        if (!txn || txn->producer_id != req->producer_id)
            return KW_E_INVALID_PRODUCER_ID_MAPPING;
        return mockcoord_end_v2(txn, req);
    }
    error = kwi_mock_txn_check(txn, req->producer_id, req->producer_epoch);
    return error ? error : mockcoord_end_v1(txn, req->committed);
}

static enum kw_mock_outcome mockcoord_end_serve(struct kw_mock_call *call)
{
    const struct kw_end_txn_request *req = call->request;
    struct kw_end_txn_response *resp = call->response;
    struct kw_mock_transaction *txn = kwi_mock_txn_find(call->mock, req->transactional_id);
    int16_t after = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, KWI_NULL_STR, -1);
    resp->throttle_time_ms = call->throttle_ms;
    resp->producer_id = resp->producer_epoch = -1;
    resp->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, KWI_NULL_STR, -1);
    if (!resp->error_code)
        resp->error_code = mockcoord_end(call, txn);
    if (after)
        resp->error_code = after;
    if (!resp->error_code && call->version >= MOCKCOORD_BUMPING_END) {
        resp->producer_id = txn->producer_id;
        resp->producer_epoch = txn->epoch;
    }
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_end_txn = {KW_API_END_TXN, 1u << KWI_MOCK_ERROR_AFTER,
                                                 mockcoord_end_serve, NULL};

/* --- Produce ----------------------------------------------------------------- */

int16_t kwi_mock_txn_produce(const struct kw_mock_call *call, struct kw_str id, int64_t producer_id,
                             int16_t epoch, struct kw_str topic, int32_t partition)
{
    struct kw_mock_transaction *txn = kwi_mock_txn_find(call->mock, id);
    bool implicit = call->version >= MOCKCOORD_IMPLICIT_PRODUCE &&
                    call->mock->transaction_version >= 2;
    int16_t error = kwi_mock_txn_check(txn, producer_id, epoch);
    if (error == KW_E_PRODUCER_FENCED)
        error = KW_E_INVALID_PRODUCER_EPOCH;
    if (error)
        return error;
    if (implicit)
        return kwi_mock_txn_add(txn, topic, partition);
    if (txn->state == KWI_MOCK_TXN_ONGOING && kwi_mock_txn_has(txn, topic, partition))
        return 0;
    return call->version >= 11 ? KW_E_TRANSACTION_ABORTABLE : KW_E_INVALID_TXN_STATE;
}
