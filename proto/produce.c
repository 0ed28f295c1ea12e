/* proto/produce.c -- InitProducerId, api key 22, versions 0 to 6, and Produce,
 * api key 0, versions 3 to 13.
 *
 * InitProducerId hands out the id and epoch by which the broker recognises a
 * resent batch (KIP-98).
 *   v1  brokers answer before they throttle (KIP-219)
 *   v2  flexible (KIP-482)
 *   v3  request carries the present id and epoch, to have the epoch raised
 *       (KIP-360)
 *   v4  PRODUCER_FENCED is told from INVALID_PRODUCER_EPOCH (KIP-588)
 *   v5  TRANSACTION_ABORTABLE (KIP-890)
 *   v6  two-phase commit (KIP-939); unstable in 4.3, not offered by default
 *
 * Produce appends one record batch per partition. With acks 0 there is no
 * answer at all.
 *   v3  batches of format 2, transactional_id (KIP-98); the lowest version that
 *       brokers since 4.0 accept (KIP-896)
 *   v4  KAFKA_STORAGE_ERROR may come back (KIP-112)
 *   v5  response gains log_start_offset (KIP-207)
 *   v6  brokers answer before they throttle (KIP-219)
 *   v7  zstd is allowed (KIP-110)
 *   v8  record_errors and error_message (KIP-467)
 *   v9  flexible (KIP-482)
 *   v10 current_leader and node_endpoints (KIP-951)
 *   v11 TRANSACTION_ABORTABLE (KIP-890)
 *   v12 adds the partition to the transaction implicitly (KIP-890, part 2)
 *   v13 topic ids replace names (KIP-516)
 */
#include "proto/produce.h"

/* clang-format off */
KWI_TABLE(init_producer_id_request, 0, 6, 2,
    KWI_MAYBE(init_producer_id_request, transactional_id,       0, KWI_LAST, 0, 0, 0),
    KWI_EVER(init_producer_id_request, transaction_timeout_ms),
    KWI_VALUE(init_producer_id_request, producer_id,            3, KWI_LAST, -1, 0),
    KWI_VALUE(init_producer_id_request, producer_epoch,         3, KWI_LAST, -1, 0),
    KWI_VALUE(init_producer_id_request, enable2_pc,             6, KWI_LAST, 0, 0),
    KWI_VALUE(init_producer_id_request, keep_prepared_txn,      6, KWI_LAST, 0, 0));
KWI_TABLE(init_producer_id_response, 0, 6, 2,
    KWI_VALUE(init_producer_id_response, throttle_time_ms,           0, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_EVER(init_producer_id_response, error_code),
    KWI_VALUE(init_producer_id_response, producer_id,                0, KWI_LAST, -1, 0),
    KWI_EVER(init_producer_id_response, producer_epoch),
    KWI_VALUE(init_producer_id_response, ongoing_txn_producer_id,    6, KWI_LAST, -1, 0),
    KWI_VALUE(init_producer_id_response, ongoing_txn_producer_epoch, 6, KWI_LAST, -1, 0));
KWI_PART_TABLE(produce_request_partition,
    KWI_EVER(produce_request_partition, index),
    KWI_MAYBE(produce_request_partition, records, 0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(produce_request_topic,
    KWI_VALUE(produce_request_topic, name,      0, 12,       0, KWI_IGNORABLE),
    KWI_VALUE(produce_request_topic, topic_id, 13, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(produce_request_topic, partition_data, produce_request_partition, 0));
KWI_TABLE(produce_request, 3, 13, 9,
    KWI_MAYBE(produce_request, transactional_id, 3, KWI_LAST, 3, KWI_NULL, 0),
    KWI_EVER(produce_request, acks, timeout_ms),
    KWI_LIST_FROM(produce_request, topic_data, produce_request_topic, 0));
KWI_PART_TABLE(produce_record_error,
    KWI_VALUE(produce_record_error, batch_index,               8, KWI_LAST, 0, 0),
    KWI_MAYBE(produce_record_error, batch_index_error_message, 8, KWI_LAST, 8, KWI_NULL, 0));
KWI_PART_TABLE(produce_response_partition,
    KWI_EVER(produce_response_partition, index, error_code, base_offset),
    KWI_VALUE(produce_response_partition, log_append_time_ms, 2, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_VALUE(produce_response_partition, log_start_offset,   5, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_LIST(produce_response_partition, record_errors, produce_record_error, 8, KWI_LAST,
             KWI_NOT_NULL, 0, KWI_IGNORABLE),
    KWI_MAYBE(produce_response_partition, error_message, 8, KWI_LAST, 8, KWI_NULL, KWI_IGNORABLE),
    KWI_TAG_OF(produce_response_partition, current_leader, leader_id_and_epoch, 0, 10, KWI_LAST,
               KWI_NOT_NULL, 0, 0));
KWI_PART_TABLE(produce_response_topic,
    KWI_VALUE(produce_response_topic, name,      0, 12,       0, KWI_IGNORABLE),
    KWI_VALUE(produce_response_topic, topic_id, 13, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(produce_response_topic, partition_responses, produce_response_partition, 0));
KWI_TABLE(produce_response, 3, 13, 9,
    KWI_LIST_FROM(produce_response, responses, produce_response_topic, 0),
    KWI_VALUE(produce_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_TAG_OF(produce_response, node_endpoints, node_endpoint, 0, 10, KWI_LAST, KWI_NOT_NULL, 0,
               0));
/* clang-format on */

/* index, error_code, three offsets; a count, a length and tags of nothing. */
enum { PRODUCE_PLAIN_NUMBERS = 30, PRODUCE_PLAIN = PRODUCE_PLAIN_NUMBERS + 3 };

bool kwi_produce_answer_next(struct kw_iter *it, struct kw_produce_response_partition *partition)
{
    static const uint8_t nothing[PRODUCE_PLAIN - PRODUCE_PLAIN_NUMBERS] = {1, 0, 0};
    const uint8_t *b = it->rd.p, *end = b + PRODUCE_PLAIN_NUMBERS + 1;

    if (it->left <= 0 || !it->compact || kwi_rd_left(&it->rd) < PRODUCE_PLAIN ||
        memcmp(b + PRODUCE_PLAIN_NUMBERS, nothing, sizeof nothing) != 0)
        return kwi_iter_next(it, partition);
    partition->index = (int32_t)kwi_get_u32(b);
    partition->error_code = (int16_t)kwi_get_u16(b + 4);
    partition->base_offset = (int64_t)kwi_get_u64(b + 6);
    partition->log_append_time_ms = (int64_t)kwi_get_u64(b + 14);
    partition->log_start_offset = (int64_t)kwi_get_u64(b + 22);
    partition->record_errors = (struct kw_arr){.wire = end,
                                               .wire_end = end,
                                               .elem = &kwi_produce_record_error_schema,
                                               .version = it->version,
                                               .compact = true};
    partition->error_message = (struct kw_str){.len = KWI_NULL};
    partition->current_leader = (struct kw_leader_id_and_epoch){-1, -1};
    it->rd.p += PRODUCE_PLAIN;
    it->left--;
    return true;
}
