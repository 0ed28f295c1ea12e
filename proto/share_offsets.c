/* proto/share_offsets.c -- where share groups start to read (KIP-932). To the
 * group's coordinator; all versions are flexible; to alter or to delete, the
 * group must be empty.
 *
 * DescribeShareGroupOffsets, api key 90, versions 0 and 1.
 *   v1  lag (KIP-1226)
 * AlterShareGroupOffsets, api key 91, version 0.
 * DeleteShareGroupOffsets, api key 92, version 0.
 */
#include "proto/share_offsets.h"

/* clang-format off */
KWI_PART_TABLE(describe_share_group_offsets_request_topic,
    KWI_EVER(describe_share_group_offsets_request_topic, topic_name),
    KWI_PLAIN(describe_share_group_offsets_request_topic, partitions, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(describe_share_group_offsets_request_group,
    KWI_EVER(describe_share_group_offsets_request_group, group_id),
    KWI_LIST(describe_share_group_offsets_request_group, topics,
             describe_share_group_offsets_request_topic, 0, KWI_LAST, 0, 0, 0));
KWI_TABLE(describe_share_group_offsets_request, 0, 1, 0,
    KWI_LIST_FROM(describe_share_group_offsets_request, groups,
                  describe_share_group_offsets_request_group, 0));
KWI_PART_TABLE(describe_share_group_offsets_partition,
    KWI_EVER(describe_share_group_offsets_partition, partition_index, start_offset, leader_epoch),
    KWI_VALUE(describe_share_group_offsets_partition, lag, 1, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_EVER(describe_share_group_offsets_partition, error_code),
    KWI_MAYBE_FROM(describe_share_group_offsets_partition, error_message, 0));
KWI_PART_TABLE(describe_share_group_offsets_topic,
    KWI_EVER(describe_share_group_offsets_topic, topic_name, topic_id),
    KWI_LIST_FROM(describe_share_group_offsets_topic, partitions,
                  describe_share_group_offsets_partition, 0));
KWI_PART_TABLE(describe_share_group_offsets_group,
    KWI_EVER(describe_share_group_offsets_group, group_id),
    KWI_LIST_FROM(describe_share_group_offsets_group, topics, describe_share_group_offsets_topic,
                  0),
    KWI_EVER(describe_share_group_offsets_group, error_code),
    KWI_MAYBE_FROM(describe_share_group_offsets_group, error_message, 0));
KWI_TABLE(describe_share_group_offsets_response, 0, 1, 0,
    KWI_EVER(describe_share_group_offsets_response, throttle_time_ms),
    KWI_LIST_FROM(describe_share_group_offsets_response, groups,
                  describe_share_group_offsets_group, 0));
KWI_PART_TABLE(alter_share_group_offsets_request_partition,
    KWI_EVER(alter_share_group_offsets_request_partition, partition_index, start_offset));
KWI_PART_TABLE(alter_share_group_offsets_request_topic,
    KWI_EVER(alter_share_group_offsets_request_topic, topic_name),
    KWI_LIST_FROM(alter_share_group_offsets_request_topic, partitions,
                  alter_share_group_offsets_request_partition, 0));
KWI_TABLE(alter_share_group_offsets_request, 0, 0, 0,
    KWI_EVER(alter_share_group_offsets_request, group_id),
    KWI_LIST_FROM(alter_share_group_offsets_request, topics,
                  alter_share_group_offsets_request_topic, 0));
KWI_PART_TABLE(alter_share_group_offsets_response_partition,
    KWI_EVER(alter_share_group_offsets_response_partition, partition_index, error_code),
    KWI_MAYBE_FROM(alter_share_group_offsets_response_partition, error_message, 0));
KWI_PART_TABLE(alter_share_group_offsets_response_topic,
    KWI_EVER(alter_share_group_offsets_response_topic, topic_name, topic_id),
    KWI_LIST_FROM(alter_share_group_offsets_response_topic, partitions,
                  alter_share_group_offsets_response_partition, 0));
KWI_TABLE(alter_share_group_offsets_response, 0, 0, 0,
    KWI_EVER(alter_share_group_offsets_response, throttle_time_ms, error_code),
    KWI_MAYBE_FROM(alter_share_group_offsets_response, error_message, 0),
    KWI_LIST_FROM(alter_share_group_offsets_response, responses,
                  alter_share_group_offsets_response_topic, 0));
KWI_PART_TABLE(delete_share_group_offsets_request_topic,
    KWI_EVER(delete_share_group_offsets_request_topic, topic_name));
KWI_TABLE(delete_share_group_offsets_request, 0, 0, 0,
    KWI_EVER(delete_share_group_offsets_request, group_id),
    KWI_LIST_FROM(delete_share_group_offsets_request, topics,
                  delete_share_group_offsets_request_topic, 0));
KWI_PART_TABLE(delete_share_group_offsets_response_topic,
    KWI_EVER(delete_share_group_offsets_response_topic, topic_name, topic_id, error_code),
    KWI_MAYBE_FROM(delete_share_group_offsets_response_topic, error_message, 0));
KWI_TABLE(delete_share_group_offsets_response, 0, 0, 0,
    KWI_EVER(delete_share_group_offsets_response, throttle_time_ms, error_code),
    KWI_MAYBE_FROM(delete_share_group_offsets_response, error_message, 0),
    KWI_LIST_FROM(delete_share_group_offsets_response, responses,
                  delete_share_group_offsets_response_topic, 0));
