/* proto/offsets.c -- committed offsets of a group, kept by its coordinator.
 *
 * OffsetCommit, api key 8, versions 2 to 10.
 *   v2  retention_time_ms; the lowest that brokers since 4.0 accept (KIP-896)
 *   v3  throttle_time_ms
 *   v4  brokers answer before they throttle (KIP-219)
 *   v5  without retention_time_ms, a matter of the broker (KIP-211)
 *   v6  committed_leader_epoch (KIP-320)
 *   v7  group_instance_id (KIP-345)
 *   v8  flexible (KIP-482)
 *   v9  members of consumer groups may use it (KIP-848)
 *   v10 topic ids replace names (KIP-848)
 *
 * OffsetFetch, api key 9, versions 1 to 10. An unknown group is no error: its
 * offsets are -1.
 *   v2  null topics: all; error_code of the whole
 *   v3  throttle_time_ms
 *   v4  brokers answer before they throttle (KIP-219)
 *   v5  committed_leader_epoch (KIP-320)
 *   v6  flexible (KIP-482)
 *   v7  require_stable (KIP-447)
 *   v8  several groups (KIP-709)
 *   v9  member_id and member_epoch (KIP-848)
 *   v10 topic ids replace names (KIP-848)
 */
#include "proto/offsets.h"

/* clang-format off */
KWI_PART_TABLE(offset_commit_request_partition,
    KWI_EVER(offset_commit_request_partition, partition_index, committed_offset),
    KWI_VALUE(offset_commit_request_partition, committed_leader_epoch, 6, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_MAYBE(offset_commit_request_partition, committed_metadata,     0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(offset_commit_request_topic,
    KWI_VALUE(offset_commit_request_topic, name,      0, 9,        0, KWI_IGNORABLE),
    KWI_VALUE(offset_commit_request_topic, topic_id, 10, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_commit_request_topic, partitions, offset_commit_request_partition, 0));
KWI_TABLE(offset_commit_request, 2, 10, 8,
    KWI_EVER(offset_commit_request, group_id),
    KWI_VALUE(offset_commit_request, generation_id_or_member_epoch, 1, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_VALUE(offset_commit_request, member_id,         1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_MAYBE_FROM(offset_commit_request, group_instance_id, 7),
    KWI_VALUE(offset_commit_request, retention_time_ms, 2, 4, -1, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_commit_request, topics, offset_commit_request_topic, 0));
KWI_PART_TABLE(offset_commit_response_partition,
    KWI_EVER(offset_commit_response_partition, partition_index, error_code));
KWI_PART_TABLE(offset_commit_response_topic,
    KWI_VALUE(offset_commit_response_topic, name,      0, 9,        0, KWI_IGNORABLE),
    KWI_VALUE(offset_commit_response_topic, topic_id, 10, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_commit_response_topic, partitions, offset_commit_response_partition, 0));
KWI_TABLE(offset_commit_response, 2, 10, 8,
    KWI_VALUE(offset_commit_response, throttle_time_ms, 3, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_commit_response, topics, offset_commit_response_topic, 0));
KWI_PART_TABLE(offset_fetch_request_topic,
    KWI_VALUE(offset_fetch_request_topic, name,      0, 9,        0, KWI_IGNORABLE),
    KWI_VALUE(offset_fetch_request_topic, topic_id, 10, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_PLAIN(offset_fetch_request_topic, partition_indexes, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(offset_fetch_request_group,
    KWI_VALUE(offset_fetch_request_group, group_id,     8, KWI_LAST, 0, 0),
    KWI_MAYBE(offset_fetch_request_group, member_id,    9, KWI_LAST, 9, KWI_NULL, KWI_IGNORABLE),
    KWI_VALUE(offset_fetch_request_group, member_epoch, 9, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_LIST(offset_fetch_request_group, topics, offset_fetch_request_topic, 8, KWI_LAST, 8, 0,
             0));
KWI_TABLE(offset_fetch_request, 1, 10, 6,
    KWI_VALUE(offset_fetch_request, group_id, 0, 7, 0, 0),
    KWI_LIST(offset_fetch_request, topics, offset_fetch_request_topic, 0, 7, 2, 0, 0),
    KWI_LIST_FROM(offset_fetch_request, groups, offset_fetch_request_group, 8),
    KWI_VALUE(offset_fetch_request, require_stable, 7, KWI_LAST, 0, 0));
KWI_PART_TABLE(offset_fetch_response_partition,
    KWI_EVER(offset_fetch_response_partition, partition_index, committed_offset),
    KWI_VALUE(offset_fetch_response_partition, committed_leader_epoch, 5, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_MAYBE(offset_fetch_response_partition, metadata,               0, KWI_LAST, 0, 0, 0),
    KWI_EVER(offset_fetch_response_partition, error_code));
KWI_PART_TABLE(offset_fetch_response_topic,
    KWI_VALUE(offset_fetch_response_topic, name,      0, 9,        0, KWI_IGNORABLE),
    KWI_VALUE(offset_fetch_response_topic, topic_id, 10, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_fetch_response_topic, partitions, offset_fetch_response_partition, 0));
KWI_PART_TABLE(offset_fetch_response_group,
    KWI_VALUE(offset_fetch_response_group, group_id, 8, KWI_LAST, 0, 0),
    KWI_LIST_FROM(offset_fetch_response_group, topics, offset_fetch_response_topic, 8),
    KWI_VALUE(offset_fetch_response_group, error_code, 8, KWI_LAST, 0, 0));
KWI_TABLE(offset_fetch_response, 1, 10, 6,
    KWI_VALUE(offset_fetch_response, throttle_time_ms, 3, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST(offset_fetch_response, topics, offset_fetch_response_topic, 0, 7, KWI_NOT_NULL, 0, 0),
    KWI_VALUE(offset_fetch_response, error_code, 2, 7, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_fetch_response, groups, offset_fetch_response_group, 8));
