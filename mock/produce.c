/* mock/produce.c -- InitProducerId and Produce: the checks of a real broker on
 * a batch, the verdict on its sequence number, the append, the answer. Batches
 * that are compressed are checked from the outside only. */
#include "mock/txn.h"
#include "proto/batch.h"
#include "proto/produce.h"
#include "proto/record.h"

/* --- InitProducerId --------------------------------------------------------------- */

static enum kw_mock_outcome mockproduce_init_serve(struct kw_mock_call *call)
{
    const struct kw_init_producer_id_request *req = call->request;
    struct kw_init_producer_id_response *resp = call->response;
    resp->throttle_time_ms = call->throttle_ms;
    resp->producer_epoch = -1;
    resp->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, KWI_NULL_STR, -1);
    if (resp->error_code)
        return KWI_MOCK_ANSWERED;
    if (req->transactional_id.len >= 0) {
        resp->error_code = kwi_mock_txn_init(call);
    } else {
        resp->producer_id = call->mock->next_producer_id++;
        resp->producer_epoch = 0;
    }
    if (resp->error_code)
        return KWI_MOCK_ANSWERED;
    resp->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, KWI_NULL_STR, -1);
    if (resp->error_code)
        resp->producer_id = resp->producer_epoch = -1;
    return KWI_MOCK_ANSWERED;
}

const struct kw_mock_api kwi_mock_api_init_producer_id = {
    KW_API_INIT_PRODUCER_ID, 1u << KWI_MOCK_ERROR_AFTER, mockproduce_init_serve, NULL};

/* --- checking a batch ---------------------------------------------------------------- */

/* The records of an uncompressed batch: as many as the header says, offsets
 * 0, 1, 2 ..., nothing behind them. */
static bool mockproduce_records_are_sound(const uint8_t *batch,
                                          const struct kw_batch_header *header)
{
    const uint8_t *p = batch + KWI_BATCH_HEADER, *end = batch + kwi_batch_size(header);
    struct kw_record_view record;
    for (int32_t i = 0; i < header->record_count; i++) {
        p = kwi_record_get(p, end, &record);
        if (!p || record.offset_delta != i || kwi_record_headers_check(&record))
            return false;
    }
    return p == end;
}

static int16_t mockproduce_header_check(const struct kw_batch_header *header)
{
    if (header->record_count < 1 || header->last_offset_delta != header->record_count - 1)
        return KW_E_INVALID_RECORD;
    if (header->attributes & KWI_BATCH_CONTROL)
        return KW_E_INVALID_RECORD;
    if ((header->attributes & KWI_BATCH_TRANSACTIONAL) && header->producer_id < 0)
        return KW_E_INVALID_RECORD;
    if (header->producer_id >= 0 && (header->producer_epoch < 0 || header->base_sequence < 0))
        return KW_E_INVALID_RECORD;
    return 0;
}

/* Whether a batch with a bad header is as its producer meant it: then a retry
 * cannot help, and the answer must not invite one. */
static bool mockproduce_is_intact(const struct kw_mock_call *call,
                                  const struct kw_record_set *records,
                                  const struct kw_batch_header *header)
{
    return header->magic == 2 && header->batch_length > 0 &&
           kwi_batch_size(header) == (size_t)records->len &&
           kwi_batch_crc_check(records->ptr, (size_t)records->len, call->mock->crc32c) == 0;
}

/* Exactly one sound batch of format 2. Fills *header; a Kafka error or 0. */
static int16_t mockproduce_batch_check(const struct kw_mock_call *call,
                                       const struct kw_mock_topic *topic,
                                       const struct kw_record_set *records,
                                       struct kw_batch_header *header, const char **why)
{
    int codec, err;
    int16_t error;
    *why = "a partition takes exactly one batch of format 2";
    if (records->len <= 0)
        return KW_E_INVALID_RECORD;
    err = kwi_batch_header_get(records->ptr, (size_t)records->len, header);
    if (err == KW_ERR_UNSUPPORTED)
        return KW_E_INVALID_RECORD;
    *why = "the batch is cut off or contradicts itself";
    if (err)
        return mockproduce_is_intact(call, records, header) ? KW_E_INVALID_RECORD
                                                            : KW_E_CORRUPT_MESSAGE;
    *why = "a partition takes exactly one batch of format 2";
    if (kwi_batch_size(header) != (size_t)records->len)
        return KW_E_INVALID_RECORD;
    *why = "the batch is larger than max.message.bytes";
    if ((uint32_t)records->len > topic->message_size_max)
        return KW_E_MESSAGE_TOO_LARGE;
    *why = "the checksum of the batch is wrong";
    if (kwi_batch_crc_check(records->ptr, (size_t)records->len, call->mock->crc32c))
        return KW_E_CORRUPT_MESSAGE;
    codec = header->attributes & KWI_BATCH_CODEC_MASK;
    *why = "zstd needs Produce version 7";
    if (codec > 4 || (codec == 4 && call->version < 7))
        return KW_E_UNSUPPORTED_COMPRESSION_TYPE;
    *why = "the batch header is not one that a producer may send";
    error = mockproduce_header_check(header);
    if (error)
        return error;
    *why = "the records do not match the batch header";
    if (codec == 0 && !mockproduce_records_are_sound(records->ptr, header))
        return KW_E_INVALID_RECORD;
    *why = NULL;
    return 0;
}

/* Which records a compacted topic cannot take: those without a key (KIP-467 names each).
 * Without memory for the list the answer does without it. */
static bool mockproduce_keyless(struct kw_mock_call *call, const uint8_t *batch,
                                const struct kw_batch_header *header, struct kw_arr *errors)
{
    const uint8_t *p = batch + KWI_BATCH_HEADER, *end = batch + kwi_batch_size(header);
    struct kw_produce_record_error *list;
    struct kw_record_view record;
    size_t n = 0;
    list = kwi_mock_call_alloc(call, (size_t)header->record_count, sizeof(*list));
    for (int32_t i = 0; i < header->record_count; i++) {
        p = kwi_record_get(p, end, &record);
        if (!p)
            break;
        if (record.key_len >= 0)
            continue;
        if (list) {
            kwi_produce_record_error_init(&list[n]);
            list[n].batch_index = i;
            list[n].batch_index_error_message =
                kwi_str("Compacted topic cannot accept message without key");
        }
        n++;
    }
    if (list && call->version >= 8)
        *errors = KWI_ARR(list, n);
    return n > 0;
}

/* --- appending -------------------------------------------------------------------------- */

/* Stores a checked batch unless it is a duplicate; answers where it lies. */
static int16_t mockproduce_append(struct kw_mock_call *call, struct kw_mock_partition *partition,
                                  const struct kw_record_set *records,
                                  const struct kw_batch_header *header,
                                  struct kw_produce_response_partition *out)
{
    const struct kw_produce_request *req = call->request;
    struct kw_mock_log *log = &partition->log;
    int64_t append_time_ms = partition->topic->append_time ? call->mock->now.wall_ms : -1;
    struct kw_mock_producer *producer = NULL;
    struct kw_mock_sequence batch = {header->producer_id, header->producer_epoch,
                                     header->base_sequence, 0};
    batch.last = kwi_mock_sequence_add(batch.first, header->last_offset_delta);
    out->log_append_time_ms = append_time_ms;
    if (header->attributes & KWI_BATCH_TRANSACTIONAL) {
        int16_t error = kwi_mock_txn_produce(
            call, req->transactional_id, header->producer_id, header->producer_epoch,
            kwi_mock_topic_str(partition->topic), partition->index);
        if (error)
            return error;
        if (kwi_mock_txns_reserve(&partition->txns, &call->mock->heap))
            return KW_E_KAFKA_STORAGE_ERROR;
    }
    if (header->producer_id >= 0) {
        if (kwi_mock_sequence_open(&partition->producers, header->producer_id, &producer))
            return KW_E_KAFKA_STORAGE_ERROR;
        switch (kwi_mock_sequence_check(producer, &batch, &out->base_offset)) {
        case KWI_MOCK_DUPLICATE: return 0;
        case KWI_MOCK_OUT_OF_ORDER: return KW_E_OUT_OF_ORDER_SEQUENCE_NUMBER;
        case KWI_MOCK_OLD_EPOCH: return KW_E_INVALID_PRODUCER_EPOCH;
        case KWI_MOCK_APPEND: break;
        }
    }
    out->base_offset = log->end_offset;
    if (kwi_mock_log_append(log, records->ptr, (uint32_t)records->len, partition->leader_epoch,
                            append_time_ms, call->mock->crc32c)) {
        out->base_offset = -1;
        return KW_E_KAFKA_STORAGE_ERROR;
    }
    if (producer)
        kwi_mock_sequence_commit(producer, &batch, out->base_offset);
    if (header->attributes & KWI_BATCH_TRANSACTIONAL)
        kwi_mock_txns_note(&partition->txns, &log->entries[log->n - 1]);
    kwi_mock_partition_appended(partition, req->acks == -1);
    return 0;
}

/* What goes wrong before anything is looked at: faults, acks, leadership. */
static int16_t mockproduce_precheck(const struct kw_mock_call *call, bool by_id,
                                    const struct kw_mock_topic *topic,
                                    const struct kw_mock_partition *partition, struct kw_str name,
                                    int32_t index)
{
    const struct kw_produce_request *req = call->request;
    int16_t error = kwi_mock_fault_error(call, KWI_MOCK_ERROR, name, index);
    if (error)
        return error;
    if (req->acks < -1 || req->acks > 1)
        return KW_E_INVALID_REQUIRED_ACKS;
    if (!topic)
        return by_id ? KW_E_UNKNOWN_TOPIC_ID : KW_E_UNKNOWN_TOPIC_OR_PARTITION;
    return kwi_mock_call_leader_check(call, partition, -1);
}

static void mockproduce_partition(struct kw_mock_call *call, struct kw_mock_topic *topic,
                                  const struct kw_produce_request_topic *asked_topic,
                                  const struct kw_produce_request_partition *asked,
                                  struct kw_produce_response_partition *out, uint64_t *leaders)
{
    bool by_id = call->version >= 13;
    struct kw_str name = topic ? kwi_mock_topic_str(topic) : asked_topic->name;
    struct kw_mock_partition *partition = kwi_mock_topic_partition(topic, asked->index);
    struct kw_batch_header header;
    const char *why = NULL;
    int16_t fault;
    kwi_produce_response_partition_init(out);
    out->index = asked->index;
    out->base_offset = -1;
    kwi_mock_fault_move(call, name, partition);
    out->error_code = mockproduce_precheck(call, by_id, topic, partition, name, asked->index);
    if (!out->error_code)
        out->error_code = mockproduce_batch_check(call, topic, &asked->records, &header, &why);
    if (!out->error_code && topic->compact && !(header.attributes & KWI_BATCH_CODEC_MASK) &&
        mockproduce_keyless(call, asked->records.ptr, &header, &out->record_errors)) {
        out->error_code = KW_E_INVALID_RECORD;
        why = "One or more records have been rejected";
    }
    if (!out->error_code)
        out->error_code = mockproduce_append(call, partition, &asked->records, &header, out);
    fault = kwi_mock_fault_error(call, KWI_MOCK_ERROR_AFTER, name, asked->index);
    if (fault)
        out->error_code = fault;
    if (out->error_code) {
        out->base_offset = out->log_append_time_ms = -1;
    } else if (call->version >= 5) {
        out->log_start_offset = partition->log.start_offset;
    }
    if (out->error_code && why && call->version >= 8)
        out->error_message = kwi_str(why);
    if (call->version >= 10)
        kwi_mock_call_hint(call, partition, out->error_code, &out->current_leader, leaders);
}

static int mockproduce_topic(struct kw_mock_call *call,
                             const struct kw_produce_request_topic *asked,
                             struct kw_produce_response_topic *out, uint64_t *leaders, bool *failed)
{
    struct kw_mock_topic *topic = kwi_mock_call_topic(call, call->version >= 13, asked->name,
                                                      &asked->topic_id);
    struct kw_produce_response_partition *items;
    struct kw_produce_request_partition partition;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partition_data.n * 2 + 1, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_produce_response_topic_init(out);
    if (call->version >= 13)
        out->topic_id = asked->topic_id;
    else
        out->name = asked->name;
    for (kwi_iter_init(&it, &asked->partition_data); kwi_iter_next(&it, &partition);) {
        struct kw_str name = topic ? kwi_mock_topic_str(topic) : asked->name;
        int32_t copies = kwi_mock_fault_copies(call, name, partition.index);
        mockproduce_partition(call, topic, asked, &partition, &items[n], leaders);
        *failed = *failed || items[n].error_code;
        if (copies == 2)
            items[n + 1] = items[n];
        n += (size_t)copies;
    }
    if (kwi_mock_fault_acts(call, KWI_MOCK_UNASKED, NULL)) {
        kwi_produce_response_partition_init(&items[n]);
        items[n++].index = KWI_MOCK_UNASKED_PARTITION;
    }
    out->partition_responses = KWI_ARR(items, n);
    return 0;
}

static enum kw_mock_outcome mockproduce_serve(struct kw_mock_call *call)
{
    const struct kw_produce_request *req = call->request;
    struct kw_produce_response *resp = call->response;
    struct kw_produce_response_topic *topics;
    struct kw_produce_request_topic topic;
    struct kw_iter it;
    uint64_t leaders = 0;
    bool failed = false;
    size_t n = 0;
    topics = kwi_mock_call_alloc(call, (size_t)req->topic_data.n, sizeof(*topics));
    if (!topics)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->topic_data); kwi_iter_next(&it, &topic); n++) {
        if (mockproduce_topic(call, &topic, &topics[n], &leaders, &failed))
            return KWI_MOCK_HUNG_UP;
    }
    /* With acks=0 a closed connection is all that a producer can notice. */
    if (req->acks == 0)
        return failed ? KWI_MOCK_HUNG_UP : KWI_MOCK_SILENT;
    resp->responses = KWI_ARR(topics, n);
    resp->throttle_time_ms = call->throttle_ms;
    return kwi_mock_call_endpoints(call, leaders, &resp->node_endpoints) ? KWI_MOCK_HUNG_UP
                                                                         : KWI_MOCK_ANSWERED;
}

static bool mockproduce_asks(const struct kw_mock_call *call, const struct kw_mock_fault *fault)
{
    const struct kw_produce_request *req = call->request;
    struct kw_produce_request_topic asked;
    struct kw_produce_request_partition partition;
    struct kw_iter it, inner;
    for (kwi_iter_init(&it, &req->topic_data); kwi_iter_next(&it, &asked);) {
        struct kw_mock_topic *topic = kwi_mock_call_topic(call, call->version >= 13, asked.name,
                                                          &asked.topic_id);
        struct kw_str name = topic ? kwi_mock_topic_str(topic) : asked.name;
        kwi_iter_init(&inner, &asked.partition_data);
        while (kwi_iter_next(&inner, &partition)) {
            if (kwi_mock_fault_covers(fault, name, partition.index))
                return true;
        }
    }
    return false;
}

const struct kw_mock_api kwi_mock_api_produce = {
    KW_API_PRODUCE,
    1u << KWI_MOCK_ERROR_AFTER | 1u << KWI_MOCK_OMIT | 1u << KWI_MOCK_TWICE |
        1u << KWI_MOCK_UNASKED | 1u << KWI_MOCK_MOVE_LEADER,
    mockproduce_serve,
    mockproduce_asks,
};
