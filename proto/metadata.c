/* proto/metadata.c -- Metadata, api key 3, versions 0 to 13.
 *
 * Any broker tells the whole picture: brokers and their addresses, topics, and
 * the leader, replicas and errors of every partition.
 *
 *   v0  topics empty = all
 *   v1  topics null = all, empty = none; response gains rack, controller_id,
 *       is_internal
 *   v2  cluster_id (KIP-78)
 *   v3  throttle_time_ms (KIP-124)
 *   v4  allow_auto_topic_creation (KIP-204)
 *   v5  offline_replicas (KIP-112)
 *   v6  brokers answer before they throttle (KIP-219)
 *   v7  leader_epoch (KIP-320); unreliable before v9
 *   v8  authorized operations (KIP-430)
 *   v9  flexible (KIP-482)
 *   v10 topic ids (KIP-516), which a request should use only from v12 on
 *   v11 no more cluster authorized operations (KIP-700)
 *   v12 request by topic id; a topic's name may be null in the answer
 *   v13 top-level error_code, for REBOOTSTRAP_REQUIRED (KIP-1102)
 */
#include "proto/metadata.h"

/* clang-format off */
KWI_PART_TABLE(metadata_request_topic,
    KWI_VALUE(metadata_request_topic, topic_id, 10, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_MAYBE(metadata_request_topic, name,      0, KWI_LAST, 10, 0, 0));
KWI_TABLE(metadata_request, 0, 13, 9,
    KWI_LIST(metadata_request, topics, metadata_request_topic, 0, KWI_LAST, 1, 0, 0),
    KWI_VALUE(metadata_request, allow_auto_topic_creation,             4, KWI_LAST, 1, 0),
    KWI_VALUE(metadata_request, include_cluster_authorized_operations, 8, 10,       0, 0),
    KWI_VALUE(metadata_request, include_topic_authorized_operations,   8, KWI_LAST, 0, 0));
KWI_PART_TABLE(metadata_response_broker,
    KWI_EVER(metadata_response_broker, node_id, host, port),
    KWI_MAYBE(metadata_response_broker, rack,    1, KWI_LAST, 1, KWI_NULL, KWI_IGNORABLE));
KWI_PART_TABLE(metadata_response_partition,
    KWI_EVER(metadata_response_partition, error_code, partition_index, leader_id),
    KWI_VALUE(metadata_response_partition, leader_epoch,    7, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_PLAIN(metadata_response_partition, replica_nodes,    i32, 0, KWI_LAST, 0),
    KWI_PLAIN(metadata_response_partition, isr_nodes,        i32, 0, KWI_LAST, 0),
    KWI_PLAIN(metadata_response_partition, offline_replicas, i32, 5, KWI_LAST, KWI_IGNORABLE));
KWI_PART_TABLE(metadata_response_topic,
    KWI_EVER(metadata_response_topic, error_code),
    KWI_MAYBE(metadata_response_topic, name,         0, KWI_LAST, 12, 0, 0),
    KWI_VALUE(metadata_response_topic, topic_id,    10, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(metadata_response_topic, is_internal,  1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(metadata_response_topic, partitions, metadata_response_partition, 0),
    KWI_VALUE(metadata_response_topic, topic_authorized_operations, 8, KWI_LAST, INT32_MIN, 0));
KWI_TABLE(metadata_response, 0, 13, 9,
    KWI_VALUE(metadata_response, throttle_time_ms, 3, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(metadata_response, brokers, metadata_response_broker, 0),
    KWI_MAYBE(metadata_response, cluster_id,    2, KWI_LAST, 2, KWI_NULL, KWI_IGNORABLE),
    KWI_VALUE(metadata_response, controller_id, 1, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_LIST_FROM(metadata_response, topics, metadata_response_topic, 0),
    KWI_VALUE(metadata_response, cluster_authorized_operations, 8, 10, INT32_MIN, 0),
    KWI_VALUE(metadata_response, error_code, 13, KWI_LAST, 0, KWI_IGNORABLE));
