/* proto/fetch.c -- Fetch, api key 1, versions 4 to 18.
 *
 * A long poll: the broker answers when min_bytes are there or max_wait_ms have
 * passed. Whole batches come back, so the first may begin before the offset
 * asked for, and the last may be cut off.
 *
 *   v4  isolation_level, last_stable_offset, aborted transactions (KIP-98)
 *   v5  log_start_offset (KIP-107)
 *   v6  KAFKA_STORAGE_ERROR may come back (KIP-112)
 *   v7  fetch sessions: session id and epoch, forgotten topics (KIP-227)
 *   v8  brokers answer before they throttle (KIP-219)
 *   v9  current_leader_epoch, to fence stale metadata (KIP-320)
 *   v10 zstd batches may come back (KIP-110)
 *   v11 rack_id, preferred_read_replica (KIP-392)
 *   v12 flexible (KIP-482); last_fetched_epoch and diverging_epoch (KIP-595)
 *   v13 topic ids replace names (KIP-516)
 *   v14 OFFSET_MOVED_TO_TIERED_STORAGE, for replicas (KIP-405)
 *   v15 replica_state replaces replica_id (KIP-903)
 *   v16 node_endpoints (KIP-951)
 *   v17 replica_directory_id (KIP-853)
 *   v18 high_watermark of a replica (KIP-1166)
 */
#include "proto/fetch.h"

/* clang-format off */
KWI_PART_TABLE(fetch_replica_state,
    KWI_VALUE(fetch_replica_state, replica_id,    15, KWI_LAST, -1, 0),
    KWI_VALUE(fetch_replica_state, replica_epoch, 15, KWI_LAST, -1, 0));
KWI_PART_TABLE(fetch_request_partition,
    KWI_EVER(fetch_request_partition, partition),
    KWI_VALUE(fetch_request_partition, current_leader_epoch,  9, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_EVER(fetch_request_partition, fetch_offset),
    KWI_VALUE(fetch_request_partition, last_fetched_epoch,   12, KWI_LAST, -1, 0),
    KWI_VALUE(fetch_request_partition, log_start_offset,      5, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_EVER(fetch_request_partition, partition_max_bytes),
    KWI_TAG(fetch_request_partition, replica_directory_id, 0, 17, KWI_LAST, KWI_NOT_NULL, 0,
            KWI_IGNORABLE),
    KWI_TAG(fetch_request_partition, high_watermark, 1, 18, KWI_LAST, KWI_NOT_NULL, INT64_MAX,
            KWI_IGNORABLE));
KWI_PART_TABLE(fetch_request_topic,
    KWI_VALUE(fetch_request_topic, topic,     0, 12,       0, KWI_IGNORABLE),
    KWI_VALUE(fetch_request_topic, topic_id, 13, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(fetch_request_topic, partitions, fetch_request_partition, 0));
KWI_PART_TABLE(fetch_request_forgotten,
    KWI_VALUE(fetch_request_forgotten, topic,     7, 12,       0, KWI_IGNORABLE),
    KWI_VALUE(fetch_request_forgotten, topic_id, 13, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_PLAIN(fetch_request_forgotten, partitions, i32, 7, KWI_LAST, 0));
KWI_TABLE(fetch_request, 4, 18, 12,
    KWI_TAG(fetch_request, cluster_id, 0, 12, KWI_LAST, 12, KWI_NULL, KWI_IGNORABLE),
    KWI_VALUE(fetch_request, replica_id, 0, 14, -1, 0),
    KWI_TAG_OF(fetch_request, replica_state, fetch_replica_state, 1, 15, KWI_LAST, KWI_NOT_NULL, 0,
               0),
    KWI_EVER(fetch_request, max_wait_ms, min_bytes),
    KWI_VALUE(fetch_request, max_bytes,       3, KWI_LAST, INT32_MAX, KWI_IGNORABLE),
    KWI_VALUE(fetch_request, isolation_level, 4, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(fetch_request, session_id,      7, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(fetch_request, session_epoch,   7, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_LIST_FROM(fetch_request, topics, fetch_request_topic, 0),
    KWI_LIST_FROM(fetch_request, forgotten_topics_data, fetch_request_forgotten, 7),
    KWI_VALUE(fetch_request, rack_id, 11, KWI_LAST, 0, KWI_IGNORABLE));
KWI_PART_TABLE(fetch_epoch_end_offset,
    KWI_VALUE(fetch_epoch_end_offset, epoch,      12, KWI_LAST, -1, 0),
    KWI_VALUE(fetch_epoch_end_offset, end_offset, 12, KWI_LAST, -1, 0));
KWI_PART_TABLE(fetch_snapshot_id,
    KWI_VALUE(fetch_snapshot_id, end_offset, 0, KWI_LAST, -1, 0),
    KWI_VALUE(fetch_snapshot_id, epoch,      0, KWI_LAST, -1, 0));
KWI_PART_TABLE(fetch_aborted_transaction,
    KWI_VALUE(fetch_aborted_transaction, producer_id,  4, KWI_LAST, 0, 0),
    KWI_VALUE(fetch_aborted_transaction, first_offset, 4, KWI_LAST, 0, 0));
KWI_PART_TABLE(fetch_response_partition,
    KWI_EVER(fetch_response_partition, partition_index, error_code, high_watermark),
    KWI_VALUE(fetch_response_partition, last_stable_offset, 4, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_VALUE(fetch_response_partition, log_start_offset,   5, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_TAG_OF(fetch_response_partition, diverging_epoch, fetch_epoch_end_offset, 0, 12, KWI_LAST,
               KWI_NOT_NULL, 0, 0),
    KWI_TAG_OF(fetch_response_partition, current_leader, leader_id_and_epoch, 1, 12, KWI_LAST,
               KWI_NOT_NULL, 0, 0),
    KWI_TAG_OF(fetch_response_partition, snapshot_id, fetch_snapshot_id, 2, 12, KWI_LAST,
               KWI_NOT_NULL, 0, 0),
    KWI_LIST(fetch_response_partition, aborted_transactions, fetch_aborted_transaction, 4,
             KWI_LAST, 4, 0, KWI_IGNORABLE),
    KWI_VALUE(fetch_response_partition, preferred_read_replica, 11, KWI_LAST, -1, 0),
    KWI_MAYBE(fetch_response_partition, records, 0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(fetch_response_topic,
    KWI_VALUE(fetch_response_topic, topic,     0, 12,       0, KWI_IGNORABLE),
    KWI_VALUE(fetch_response_topic, topic_id, 13, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(fetch_response_topic, partitions, fetch_response_partition, 0));
KWI_TABLE(fetch_response, 4, 18, 12,
    KWI_VALUE(fetch_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(fetch_response, error_code,       7, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(fetch_response, session_id,       7, KWI_LAST, 0, 0),
    KWI_LIST_FROM(fetch_response, responses, fetch_response_topic, 0),
    KWI_TAG_OF(fetch_response, node_endpoints, node_endpoint, 0, 16, KWI_LAST, KWI_NOT_NULL, 0, 0));
