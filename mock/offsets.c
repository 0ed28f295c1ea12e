/* mock/offsets.c -- ListOffsets: the ends of a log, and offsets by time. Inside
 * a compressed batch, which is not opened here, the batch's first offset stands
 * for the record that was looked for (its last for the maximum timestamp). */
#include "mock/call.h"
#include "proto/batch.h"
#include "proto/list_offsets.h"
#include "proto/record.h"

/* The first record of a batch with a timestamp >= wanted; the batch has one. */
static void mockoffsets_in_batch(const struct kw_mock_entry *entry, int64_t wanted, bool last,
                                 struct kw_list_offsets_response_partition *out)
{
    const uint8_t *p = entry->ptr + KWI_BATCH_HEADER, *end = entry->ptr + entry->len;
    struct kw_batch_header header;
    struct kw_record_view record;
    if (kwi_batch_header_get(entry->ptr, entry->len, &header))
        return;
    out->offset = last ? entry->last_offset : entry->base_offset;
    out->timestamp = last ? header.max_timestamp : header.base_timestamp;
    if (header.attributes & KWI_BATCH_LOG_APPEND_TIME)
        out->timestamp = header.max_timestamp;
    if (header.attributes & (KWI_BATCH_CODEC_MASK | KWI_BATCH_LOG_APPEND_TIME))
        return;
    for (int32_t i = 0; i < header.record_count; i++) {
        p = kwi_record_get(p, end, &record);
        if (!p)
            return;
        if (header.base_timestamp + record.timestamp_delta >= wanted) {
            out->offset = entry->base_offset + record.offset_delta;
            out->timestamp = header.base_timestamp + record.timestamp_delta;
            return;
        }
    }
}

static void mockoffsets_by_time(const struct kw_mock_log *log, int64_t wanted, int64_t end,
                                struct kw_list_offsets_response_partition *out)
{
    uint32_t i = kwi_mock_log_find_time(log, wanted);
    if (i == log->n || log->entries[i].base_offset >= end)
        return;
    mockoffsets_in_batch(&log->entries[i], wanted, false, out);
    out->leader_epoch = log->entries[i].leader_epoch;
}

/* Among equal timestamps the first record counts. */
static void mockoffsets_max_timestamp(const struct kw_mock_log *log,
                                      struct kw_list_offsets_response_partition *out)
{
    uint32_t best = log->n;
    for (uint32_t i = log->first; i < log->n; i++) {
        if (log->entries[i].base_offset >= log->high_watermark)
            break;
        if (best == log->n || log->entries[i].timestamp_max > log->entries[best].timestamp_max)
            best = i;
    }
    if (best == log->n)
        return;
    mockoffsets_in_batch(&log->entries[best], log->entries[best].timestamp_max, true, out);
    out->leader_epoch = log->entries[best].leader_epoch;
}

/* The epoch of the batch at or behind an offset, else that of the leader. */
static int32_t mockoffsets_epoch_at(const struct kw_mock_partition *partition, int64_t offset)
{
    uint32_t i = kwi_mock_log_find(&partition->log, offset);
    return i < partition->log.n ? partition->log.entries[i].leader_epoch : partition->leader_epoch;
}

/* A Kafka error, or 0. Special values that the version lacks are refused. */
static int16_t mockoffsets_find(const struct kw_mock_call *call,
                                const struct kw_mock_partition *partition, int64_t timestamp,
                                struct kw_list_offsets_response_partition *out)
{
    const struct kw_list_offsets_request *req = call->request;
    const struct kw_mock_log *log = &partition->log;
    int64_t end = req->isolation_level == 1 ? kwi_mock_txns_stable(&partition->txns, log)
                                            : log->high_watermark;
    if ((timestamp == KWI_OFFSET_MAX_TIMESTAMP && call->version < 7) ||
        (timestamp == KWI_OFFSET_EARLIEST_LOCAL && call->version < 8) ||
        (timestamp == KWI_OFFSET_LATEST_TIERED && call->version < 9) ||
        (timestamp == KWI_OFFSET_EARLIEST_PENDING && call->version < 11) ||
        timestamp < KWI_OFFSET_EARLIEST_PENDING)
        return KW_E_UNSUPPORTED_VERSION;
    if (timestamp >= 0) {
        mockoffsets_by_time(log, timestamp, end, out);
    } else if (timestamp == KWI_OFFSET_LATEST) {
        out->offset = end;
        out->leader_epoch = partition->leader_epoch;
    } else if (timestamp == KWI_OFFSET_EARLIEST || timestamp == KWI_OFFSET_EARLIEST_LOCAL) {
        out->offset = log->start_offset;
        out->leader_epoch = mockoffsets_epoch_at(partition, log->start_offset);
    } else if (timestamp == KWI_OFFSET_MAX_TIMESTAMP) {
        mockoffsets_max_timestamp(log, out);
    }
    /* Nothing is in remote storage: the other two stay -1, not found. */
    if (call->version < 4)
        out->leader_epoch = -1;
    return 0;
}

static void mockoffsets_partition(const struct kw_mock_call *call,
                                  const struct kw_mock_topic *topic, struct kw_str name,
                                  const struct kw_list_offsets_request_partition *asked,
                                  struct kw_list_offsets_response_partition *out)
{
    const struct kw_mock_partition *partition = kwi_mock_topic_partition(topic,
                                                                         asked->partition_index);
    kwi_list_offsets_response_partition_init(out);
    out->partition_index = asked->partition_index;
    out->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, name, asked->partition_index);
    if (!out->error_code)
        out->error_code = kwi_mock_call_leader_check(call, partition, asked->current_leader_epoch);
    if (!out->error_code)
        out->error_code = mockoffsets_find(call, partition, asked->timestamp, out);
}

static int mockoffsets_topic(struct kw_mock_call *call,
                             const struct kw_list_offsets_request_topic *asked,
                             struct kw_list_offsets_response_topic *out)
{
    const struct kw_mock_topic *topic = kwi_mock_call_topic(call, false, asked->name, NULL);
    struct kw_list_offsets_request_partition partition;
    struct kw_list_offsets_response_partition *items;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partitions.n * 2 + 1, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_list_offsets_response_topic_init(out);
    out->name = asked->name;
    for (kwi_iter_init(&it, &asked->partitions); kwi_iter_next(&it, &partition);) {
        int32_t copies = kwi_mock_fault_copies(call, asked->name, partition.partition_index);
        mockoffsets_partition(call, topic, asked->name, &partition, &items[n]);
        if (copies == 2)
            items[n + 1] = items[n];
        n += (size_t)copies;
    }
    if (kwi_mock_fault_acts(call, KWI_MOCK_UNASKED, NULL)) {
        kwi_list_offsets_response_partition_init(&items[n]);
        items[n++].partition_index = KWI_MOCK_UNASKED_PARTITION;
    }
    out->partitions = KWI_ARR(items, n);
    return 0;
}

static enum kw_mock_outcome mockoffsets_serve(struct kw_mock_call *call)
{
    const struct kw_list_offsets_request *req = call->request;
    struct kw_list_offsets_response *resp = call->response;
    struct kw_list_offsets_response_topic *topics;
    struct kw_list_offsets_request_topic topic;
    struct kw_iter it;
    size_t n = 0;
    topics = kwi_mock_call_alloc(call, (size_t)req->topics.n, sizeof(*topics));
    if (!topics)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &topic); n++) {
        if (mockoffsets_topic(call, &topic, &topics[n]))
            return KWI_MOCK_HUNG_UP;
    }
    resp->throttle_time_ms = call->throttle_ms;
    resp->topics = KWI_ARR(topics, n);
    return KWI_MOCK_ANSWERED;
}

static bool mockoffsets_asks(const struct kw_mock_call *call, const struct kw_mock_fault *fault)
{
    const struct kw_list_offsets_request *req = call->request;
    struct kw_list_offsets_request_topic asked;
    struct kw_list_offsets_request_partition partition;
    struct kw_iter it, inner;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked);) {
        kwi_iter_init(&inner, &asked.partitions);
        while (kwi_iter_next(&inner, &partition)) {
            if (kwi_mock_fault_covers(fault, asked.name, partition.partition_index))
                return true;
        }
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_list_offsets = {
    KW_API_LIST_OFFSETS,
    1u << KWI_MOCK_OMIT | 1u << KWI_MOCK_TWICE | 1u << KWI_MOCK_UNASKED,
    mockoffsets_serve,
    mockoffsets_asks,
};
