/* mock/call.c -- what several APIs of the broker model need: memory of a call,
 * topics by name or id, and the question whether this broker leads. */
#include "mock/call.h"

struct kw_mock_piece {
    struct kw_mock_piece *next;
    size_t size;
    max_align_t data[];
};

void *kwi_mock_call_alloc(struct kw_mock_call *call, size_t n, size_t size)
{
    struct kw_mock_piece *piece;
    size_t total;
    if (n == 0)
        n = 1;
    if (n > (SIZE_MAX / 2 - sizeof(*piece)) / size)
        return NULL;
    total = sizeof(*piece) + n * size;
    piece = kwi_alloc_zero(&call->mock->heap, total);
    if (!piece)
        return NULL;
    piece->size = total;
    piece->next = call->pieces;
    call->pieces = piece;
    return piece->data;
}

void kwi_mock_call_deinit(struct kw_mock_call *call)
{
    while (call->pieces) {
        struct kw_mock_piece *piece = call->pieces;
        call->pieces = piece->next;
        kwi_free(&call->mock->heap, piece, piece->size);
    }
}

struct kw_mock_topic *kwi_mock_call_topic(const struct kw_mock_call *call, bool by_id,
                                          struct kw_str name, const struct kw_uuid *id)
{
    if (by_id)
        return kwi_mock_topic_find_id(call->mock, id->b);
    return name.len < 0 ? NULL : kwi_mock_topic_find(call->mock, name.ptr, (size_t)name.len);
}

/* In the order of a real broker: the epoch is judged before the leadership. */
int16_t kwi_mock_call_leader_check(const struct kw_mock_call *call,
                                   const struct kw_mock_partition *partition, int32_t leader_epoch)
{
    if (!partition)
        return KW_E_UNKNOWN_TOPIC_OR_PARTITION;
    if (leader_epoch >= 0 && leader_epoch < partition->leader_epoch)
        return KW_E_FENCED_LEADER_EPOCH;
    if (leader_epoch > partition->leader_epoch)
        return KW_E_UNKNOWN_LEADER_EPOCH;
    return partition->leader == (int32_t)call->broker ? 0 : KW_E_NOT_LEADER_OR_FOLLOWER;
}

int kwi_mock_call_endpoints(struct kw_mock_call *call, uint64_t leaders, struct kw_arr *out)
{
    struct kw_node_endpoint *nodes;
    size_t n = 0;
    if (!leaders)
        return 0;
    nodes = kwi_mock_call_alloc(call, KWI_MOCK_BROKERS_MAX, sizeof(*nodes));
    if (!nodes)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < call->mock->config.n_brokers; i++) {
        if (!(leaders >> i & 1))
            continue;
        kwi_node_endpoint_init(&nodes[n]);
        nodes[n].node_id = kwi_mock_node_id(call->mock, (int32_t)i);
        nodes[n].host = kwi_str(call->mock->brokers[i].host);
        nodes[n++].port = call->mock->brokers[i].port;
    }
    *out = KWI_ARR(nodes, n);
    return 0;
}

void kwi_mock_call_hint(const struct kw_mock_call *call, const struct kw_mock_partition *partition,
                        int16_t error, struct kw_leader_id_and_epoch *hint, uint64_t *leaders)
{
    if (!partition || partition->leader < 0 ||
        (error != KW_E_NOT_LEADER_OR_FOLLOWER && error != KW_E_FENCED_LEADER_EPOCH))
        return;
    hint->leader_id = kwi_mock_node_id(call->mock, partition->leader);
    hint->leader_epoch = partition->leader_epoch;
    *leaders |= UINT64_C(1) << partition->leader;
}
