/* mock/epochs.c -- OffsetForLeaderEpoch: where the log of an epoch ended, by
 * which consumers see that a new leader lacks what they have read (KIP-320). */
#include "mock/call.h"
#include "proto/epochs.h"

/* An epoch that began before the log does has no end that could be told. */
static void mockepochs_partition(const struct kw_mock_call *call, const struct kw_mock_topic *topic,
                                 struct kw_str name,
                                 const struct kw_offset_for_leader_epoch_request_partition *asked,
                                 struct kw_offset_for_leader_epoch_response_partition *out)
{
    const struct kw_mock_partition *partition = kwi_mock_topic_partition(topic, asked->partition);
    kwi_offset_for_leader_epoch_response_partition_init(out);
    out->partition = asked->partition;
    out->leader_epoch = -1;
    out->end_offset = -1;
    out->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, name, asked->partition);
    if (!out->error_code)
        out->error_code = kwi_mock_call_leader_check(call, partition, asked->current_leader_epoch);
    if (out->error_code)
        return;
    /* The present epoch may have no batch yet: it is the leader's all the same. */
    if (asked->leader_epoch == partition->leader_epoch) {
        out->leader_epoch = asked->leader_epoch;
        out->end_offset = partition->log.end_offset;
    } else if (asked->leader_epoch < partition->leader_epoch) {
        out->leader_epoch = kwi_mock_log_epoch_end(&partition->log, asked->leader_epoch,
                                                   &out->end_offset);
        if (out->leader_epoch < 0)
            out->end_offset = -1;
    }
}

static int mockepochs_topic(struct kw_mock_call *call,
                            const struct kw_offset_for_leader_epoch_request_topic *asked,
                            struct kw_offset_for_leader_epoch_response_topic *out)
{
    const struct kw_mock_topic *topic = kwi_mock_call_topic(call, false, asked->topic, NULL);
    struct kw_offset_for_leader_epoch_request_partition partition;
    struct kw_offset_for_leader_epoch_response_partition *items;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partitions.n, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_offset_for_leader_epoch_response_topic_init(out);
    out->topic = asked->topic;
    for (kwi_iter_init(&it, &asked->partitions); kwi_iter_next(&it, &partition); n++)
        mockepochs_partition(call, topic, asked->topic, &partition, &items[n]);
    out->partitions = KWI_ARR(items, n);
    return 0;
}

static enum kw_mock_outcome mockepochs_serve(struct kw_mock_call *call)
{
    const struct kw_offset_for_leader_epoch_request *req = call->request;
    struct kw_offset_for_leader_epoch_response *resp = call->response;
    struct kw_offset_for_leader_epoch_response_topic *topics;
    struct kw_offset_for_leader_epoch_request_topic topic;
    struct kw_iter it;
    size_t n = 0;
    topics = kwi_mock_call_alloc(call, (size_t)req->topics.n, sizeof(*topics));
    if (!topics)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &topic); n++) {
        if (mockepochs_topic(call, &topic, &topics[n]))
            return KWI_MOCK_HUNG_UP;
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->topics = KWI_ARR(topics, n);
    return KWI_MOCK_ANSWERED;
}

static bool mockepochs_asks(const struct kw_mock_call *call, const struct kw_mock_fault *fault)
{
    const struct kw_offset_for_leader_epoch_request *req = call->request;
    struct kw_offset_for_leader_epoch_request_topic asked;
    struct kw_offset_for_leader_epoch_request_partition partition;
    struct kw_iter it, inner;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked);) {
        for (kwi_iter_init(&inner, &asked.partitions); kwi_iter_next(&inner, &partition);) {
            if (kwi_mock_fault_covers(fault, asked.topic, partition.partition))
                return true;
        }
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_offset_for_leader_epoch = {KW_API_OFFSET_FOR_LEADER_EPOCH, 0,
                                                                 mockepochs_serve, mockepochs_asks};
