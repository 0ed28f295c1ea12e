/* proto/share_fetch.c -- records of share groups (KIP-932). All versions are
 * flexible; version 0, an early access of Kafka 4.0, is gone since 4.1.
 *
 * ShareFetch, api key 78, versions 1 and 2: acquires records for a while and
 * acknowledges earlier ones.
 *   v2  share_acquire_mode (KIP-1206); renewal of a lock (KIP-1222)
 *
 * ShareAcknowledge, api key 79, versions 1 and 2: acknowledges alone.
 *   v2  renewal, acquisition_lock_timeout_ms (KIP-1222)
 */
#include "proto/share_fetch.h"

/* clang-format off */
KWI_PART_TABLE(share_acknowledgement,
    KWI_EVER(share_acknowledgement, first_offset, last_offset),
    KWI_PLAIN(share_acknowledgement, acknowledge_types, i8, 0, KWI_LAST, 0));
KWI_PART_TABLE(share_partition,
    KWI_EVER(share_partition, partition_index),
    KWI_LIST_FROM(share_partition, acknowledgement_batches, share_acknowledgement, 0));
KWI_PART_TABLE(share_topic,
    KWI_EVER(share_topic, topic_id),
    KWI_LIST_FROM(share_topic, partitions, share_partition, 0));
KWI_PART_TABLE(share_leader, KWI_EVER(share_leader, leader_id, leader_epoch));
KWI_PART_TABLE(share_forgotten_topic,
    KWI_EVER(share_forgotten_topic, topic_id),
    KWI_PLAIN(share_forgotten_topic, partitions, i32, 0, KWI_LAST, 0));
KWI_TABLE(share_fetch_request, 1, 2, 0,
    KWI_MAYBE_FROM(share_fetch_request, group_id, 0),
    KWI_MAYBE(share_fetch_request, member_id,           0, KWI_LAST, 0, 0, 0),
    KWI_EVER(share_fetch_request, share_session_epoch, max_wait_ms, min_bytes),
    KWI_VALUE(share_fetch_request, max_bytes,           0, KWI_LAST, INT32_MAX, 0),
    KWI_VALUE(share_fetch_request, max_records,         1, KWI_LAST, 0, 0),
    KWI_VALUE(share_fetch_request, batch_size,          1, KWI_LAST, 0, 0),
    KWI_VALUE(share_fetch_request, share_acquire_mode,  2, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(share_fetch_request, is_renew_ack,        2, KWI_LAST, 0, 0),
    KWI_LIST_FROM(share_fetch_request, topics, share_topic, 0),
    KWI_LIST_FROM(share_fetch_request, forgotten_topics_data, share_forgotten_topic, 0));
KWI_PART_TABLE(share_acquired, KWI_EVER(share_acquired, first_offset, last_offset, delivery_count));
KWI_PART_TABLE(share_fetch_partition,
    KWI_EVER(share_fetch_partition, partition_index, error_code),
    KWI_MAYBE_FROM(share_fetch_partition, error_message, 0),
    KWI_EVER(share_fetch_partition, acknowledge_error_code),
    KWI_MAYBE_FROM(share_fetch_partition, acknowledge_error_message, 0),
    KWI_ONE_FROM(share_fetch_partition, current_leader, share_leader, 0),
    KWI_EVER(share_fetch_partition, records),
    KWI_LIST_FROM(share_fetch_partition, acquired_records, share_acquired, 0));
KWI_PART_TABLE(share_fetch_topic,
    KWI_EVER(share_fetch_topic, topic_id),
    KWI_LIST_FROM(share_fetch_topic, partitions, share_fetch_partition, 0));
KWI_TABLE(share_fetch_response, 1, 2, 0,
    KWI_EVER(share_fetch_response, throttle_time_ms, error_code),
    KWI_MAYBE_FROM(share_fetch_response, error_message, 0),
    KWI_VALUE(share_fetch_response, acquisition_lock_timeout_ms, 1, KWI_LAST, 0, 0),
    KWI_LIST_FROM(share_fetch_response, responses, share_fetch_topic, 0),
    KWI_LIST_FROM(share_fetch_response, node_endpoints, node_endpoint, 0));
KWI_TABLE(share_acknowledge_request, 1, 2, 0,
    KWI_MAYBE_FROM(share_acknowledge_request, group_id, 0),
    KWI_MAYBE(share_acknowledge_request, member_id,           0, KWI_LAST, 0, 0, 0),
    KWI_EVER(share_acknowledge_request, share_session_epoch),
    KWI_VALUE(share_acknowledge_request, is_renew_ack,        2, KWI_LAST, 0, 0),
    KWI_LIST_FROM(share_acknowledge_request, topics, share_topic, 0));
KWI_PART_TABLE(share_acknowledge_partition,
    KWI_EVER(share_acknowledge_partition, partition_index, error_code),
    KWI_MAYBE_FROM(share_acknowledge_partition, error_message, 0),
    KWI_ONE_FROM(share_acknowledge_partition, current_leader, share_leader, 0));
KWI_PART_TABLE(share_acknowledge_topic,
    KWI_EVER(share_acknowledge_topic, topic_id),
    KWI_LIST_FROM(share_acknowledge_topic, partitions, share_acknowledge_partition, 0));
KWI_TABLE(share_acknowledge_response, 1, 2, 0,
    KWI_EVER(share_acknowledge_response, throttle_time_ms, error_code),
    KWI_MAYBE_FROM(share_acknowledge_response, error_message, 0),
    KWI_VALUE(share_acknowledge_response, acquisition_lock_timeout_ms, 2, KWI_LAST, 0,
              KWI_IGNORABLE),
    KWI_LIST_FROM(share_acknowledge_response, responses, share_acknowledge_topic, 0),
    KWI_LIST_FROM(share_acknowledge_response, node_endpoints, node_endpoint, 0));
