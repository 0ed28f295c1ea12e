/* proto/consumer_group.c -- groups whose coordinator assigns the partitions
 * (KIP-848). All versions are flexible.
 *
 * ConsumerGroupHeartbeat, api key 68, versions 0 and 1: joins, leaves, tells
 * what the member wants and owns, and brings what it shall own.
 *   v1  subscribed_topic_regex (KIP-848); the client makes its member id
 *       (KIP-1082)
 *
 * ConsumerGroupDescribe, api key 69, versions 0 and 1, to the coordinator.
 *   v1  member_type (KIP-1099)
 */
#include "proto/consumer_group.h"

/* clang-format off */
KWI_PART_TABLE(group_partitions,
    KWI_EVER(group_partitions, topic_id),
    KWI_PLAIN(group_partitions, partitions, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(group_assignment,
    KWI_LIST_FROM(group_assignment, topic_partitions, group_partitions, 0));
KWI_PART_TABLE(group_described_partitions,
    KWI_EVER(group_described_partitions, topic_id, topic_name),
    KWI_PLAIN(group_described_partitions, partitions, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(group_described_assignment,
    KWI_LIST_FROM(group_described_assignment, topic_partitions, group_described_partitions, 0));
KWI_TABLE(consumer_group_heartbeat_request, 0, 1, 0,
    KWI_EVER(consumer_group_heartbeat_request, group_id, member_id, member_epoch),
    KWI_MAYBE_FROM(consumer_group_heartbeat_request, instance_id, 0),
    KWI_MAYBE_FROM(consumer_group_heartbeat_request, rack_id, 0),
    KWI_VALUE(consumer_group_heartbeat_request, rebalance_timeout_ms, 0, KWI_LAST, -1, 0),
    KWI_PLAIN_MAYBE(consumer_group_heartbeat_request, subscribed_topic_names, str, 0, KWI_LAST, 0,
                    KWI_NULL, 0),
    KWI_MAYBE_FROM(consumer_group_heartbeat_request, subscribed_topic_regex, 1),
    KWI_MAYBE_FROM(consumer_group_heartbeat_request, server_assignor, 0),
    KWI_LIST_MAYBE(consumer_group_heartbeat_request, topic_partitions, group_partitions, 0));
KWI_TABLE(consumer_group_heartbeat_response, 0, 1, 0,
    KWI_EVER(consumer_group_heartbeat_response, throttle_time_ms, error_code),
    KWI_MAYBE_FROM(consumer_group_heartbeat_response, error_message, 0),
    KWI_MAYBE_FROM(consumer_group_heartbeat_response, member_id, 0),
    KWI_EVER(consumer_group_heartbeat_response, member_epoch, heartbeat_interval_ms),
    KWI_ONE_MAYBE(consumer_group_heartbeat_response, assignment, group_assignment, 0));
KWI_TABLE(consumer_group_describe_request, 0, 1, 0,
    KWI_PLAIN(consumer_group_describe_request, group_ids, str, 0, KWI_LAST, 0),
    KWI_EVER(consumer_group_describe_request, include_authorized_operations));
KWI_PART_TABLE(consumer_group_member,
    KWI_EVER(consumer_group_member, member_id),
    KWI_MAYBE_FROM(consumer_group_member, instance_id, 0),
    KWI_MAYBE_FROM(consumer_group_member, rack_id, 0),
    KWI_EVER(consumer_group_member, member_epoch, client_id, client_host),
    KWI_PLAIN(consumer_group_member, subscribed_topic_names, str, 0, KWI_LAST, 0),
    KWI_MAYBE_FROM(consumer_group_member, subscribed_topic_regex, 0),
    KWI_ONE_FROM(consumer_group_member, assignment, group_described_assignment, 0),
    KWI_ONE_FROM(consumer_group_member, target_assignment, group_described_assignment, 0),
    KWI_VALUE(consumer_group_member, member_type, 1, KWI_LAST, -1, KWI_IGNORABLE));
KWI_PART_TABLE(consumer_group_described,
    KWI_EVER(consumer_group_described, error_code),
    KWI_MAYBE_FROM(consumer_group_described, error_message, 0),
    KWI_EVER(consumer_group_described, group_id, group_state, group_epoch, assignment_epoch,
             assignor_name),
    KWI_LIST_FROM(consumer_group_described, members, consumer_group_member, 0),
    KWI_VALUE(consumer_group_described, authorized_operations, 0, KWI_LAST, INT32_MIN, 0));
KWI_TABLE(consumer_group_describe_response, 0, 1, 0,
    KWI_EVER(consumer_group_describe_response, throttle_time_ms),
    KWI_LIST_FROM(consumer_group_describe_response, groups, consumer_group_described, 0));
