/* mock/txn_offsets.c -- TxnOffsetCommit: offsets that wait for the end of a transaction.
 * Who may commit is judged as for OffsetCommit, but that somebody who names no member at
 * all is taken, whoever is in the group: clients before KIP-447 are like that. */
#include "mock/modern_group.h"
#include "mock/txn.h"
#include "proto/txn.h"

enum { MOCKTXNOFF_IMPLICIT = 5, MOCKTXNOFF_METADATA_MAX = 4096 };

static int16_t mocktxnoff_member_check(const struct kw_mock_call *call)
{
    const struct kw_txn_offset_commit_request *req = call->request;
    bool named = call->version >= 3 && (req->member_id.len > 0 || req->generation_id >= 0);
    struct kw_mock_group *group = kwi_mock_group_find(call->mock, req->group_id, !named);
    struct kw_mock_member *member;
    int16_t error;
    if (!group)
        return named ? KW_E_ILLEGAL_GENERATION : KW_E_COORDINATOR_NOT_AVAILABLE;
    if (!named)
        return 0;
    if (!kwi_list_empty(&group->modern)) {
        error = kwi_mock_modern_identify(group, req->member_id, req->generation_id);
        return error == KW_E_STALE_MEMBER_EPOCH ? KW_E_ILLEGAL_GENERATION : error;
    }
    return kwi_mock_group_identify(group, req->member_id, req->group_instance_id,
                                   req->generation_id, &member);
}

/* What holds for the whole request. */
static int16_t mocktxnoff_check(const struct kw_mock_call *call, struct kw_mock_transaction **txn)
{
    const struct kw_txn_offset_commit_request *req = call->request;
    int16_t error;
    if (req->group_id.len <= 0)
        return KW_E_INVALID_GROUP_ID;
    if (call->mock->coordinator != (int32_t)call->broker)
        return KW_E_NOT_COORDINATOR;
    *txn = kwi_mock_txn_find(call->mock, req->transactional_id);
    error = kwi_mock_txn_check(*txn, req->producer_id, req->producer_epoch);
    if (error)
        return error;
    error = mocktxnoff_member_check(call);
    if (error)
        return error;
    if (call->version >= MOCKTXNOFF_IMPLICIT)
        return kwi_mock_txn_add_group(*txn, req->group_id);
    return (*txn)->state == KWI_MOCK_TXN_ONGOING && kwi_mock_txn_has_group(*txn, req->group_id)
               ? 0
               : KW_E_INVALID_TXN_STATE;
}

static int16_t mocktxnoff_partition(const struct kw_mock_call *call,
                                    struct kw_mock_transaction *txn, struct kw_str name,
                                    const struct kw_txn_offset_commit_request_partition *item)
{
    const struct kw_txn_offset_commit_request *req = call->request;
    const struct kw_mock_topic *topic = kwi_mock_call_topic(call, false, name, NULL);
    struct kw_mock_pending pending = {
        .partition = item->partition_index, .offset = item->committed_offset, .leader_epoch = -1};
    if (!kwi_mock_topic_partition(topic, item->partition_index))
        return KW_E_UNKNOWN_TOPIC_OR_PARTITION;
    if (item->committed_metadata.len > MOCKTXNOFF_METADATA_MAX)
        return KW_E_OFFSET_METADATA_TOO_LARGE;
    if (call->version >= 2)
        pending.leader_epoch = item->committed_leader_epoch;
    return kwi_mock_txn_keep(txn, req->group_id, name, &pending, item->committed_metadata)
               ? KW_E_COORDINATOR_NOT_AVAILABLE
               : 0;
}

static int mocktxnoff_topic(struct kw_mock_call *call, struct kw_mock_transaction *txn,
                            int16_t error, const struct kw_txn_offset_commit_request_topic *asked,
                            struct kw_txn_offset_commit_response_topic *out)
{
    struct kw_txn_offset_commit_response_partition *items;
    struct kw_txn_offset_commit_request_partition item;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partitions.n * 2, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_txn_offset_commit_response_topic_init(out);
    out->name = asked->name;
    for (kwi_iter_init(&it, &asked->partitions); kwi_iter_next(&it, &item);) {
        int32_t copies = kwi_mock_fault_copies(call, asked->name, item.partition_index);
        int16_t code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, asked->name,
                                            item.partition_index);
        int16_t after = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, asked->name,
                                             item.partition_index);
        if (!code)
            code = error ? error : mocktxnoff_partition(call, txn, asked->name, &item);
        for (; copies > 0; copies--) {
            kwi_txn_offset_commit_response_partition_init(&items[n]);
            items[n].partition_index = item.partition_index;
            items[n++].error_code = after ? after : code;
        }
    }
    out->partitions = KWI_ARR(items, n);
    return 0;
}

static enum kw_mock_outcome mocktxnoff_serve(struct kw_mock_call *call)
{
    const struct kw_txn_offset_commit_request *req = call->request;
    struct kw_txn_offset_commit_response *resp = call->response;
    struct kw_txn_offset_commit_response_topic *topics;
    struct kw_txn_offset_commit_request_topic asked;
    struct kw_mock_transaction *txn = NULL;
    int16_t error = mocktxnoff_check(call, &txn);
    struct kw_iter it;
    size_t n = 0;
    topics = kwi_mock_call_alloc(call, (size_t)req->topics.n, sizeof(*topics));
    if (!topics)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked); n++) {
        if (mocktxnoff_topic(call, txn, error, &asked, &topics[n]))
            return KWI_MOCK_HUNG_UP;
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->topics = KWI_ARR(topics, n);
    return KWI_MOCK_ANSWERED;
}

static bool mocktxnoff_asks(const struct kw_mock_call *call, const struct kw_mock_fault *fault)
{
    const struct kw_txn_offset_commit_request *req = call->request;
    struct kw_txn_offset_commit_request_topic asked;
    struct kw_txn_offset_commit_request_partition item;
    struct kw_iter it, inner;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked);) {
        for (kwi_iter_init(&inner, &asked.partitions); kwi_iter_next(&inner, &item);) {
            if (kwi_mock_fault_covers(fault, asked.name, item.partition_index))
                return true;
        }
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_txn_offset_commit = {
    KW_API_TXN_OFFSET_COMMIT,
    1u << KWI_MOCK_ERROR_AFTER | 1u << KWI_MOCK_OMIT | 1u << KWI_MOCK_TWICE,
    mocktxnoff_serve,
    mocktxnoff_asks,
};
