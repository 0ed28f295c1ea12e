/* proto/share_group.c -- members of share groups (KIP-932). All versions are
 * flexible; version 0, an early access of Kafka 4.0, is gone since 4.1.
 *
 * ShareGroupHeartbeat, api key 76, version 1: joins, leaves and brings the
 * assignment, which members of a share group may have in common.
 *
 * ShareGroupDescribe, api key 77, version 1, to the coordinator.
 */
#include "proto/share_group.h"

/* clang-format off */
KWI_TABLE(share_group_heartbeat_request, 1, 1, 0,
    KWI_EVER(share_group_heartbeat_request, group_id, member_id, member_epoch),
    KWI_MAYBE_FROM(share_group_heartbeat_request, rack_id, 0),
    KWI_PLAIN_MAYBE(share_group_heartbeat_request, subscribed_topic_names, str, 0, KWI_LAST, 0,
                    KWI_NULL, 0));
KWI_TABLE(share_group_heartbeat_response, 1, 1, 0,
    KWI_EVER(share_group_heartbeat_response, throttle_time_ms, error_code),
    KWI_MAYBE_FROM(share_group_heartbeat_response, error_message, 0),
    KWI_MAYBE_FROM(share_group_heartbeat_response, member_id, 0),
    KWI_EVER(share_group_heartbeat_response, member_epoch, heartbeat_interval_ms),
    KWI_ONE_MAYBE(share_group_heartbeat_response, assignment, group_assignment, 0));
KWI_TABLE(share_group_describe_request, 1, 1, 0,
    KWI_PLAIN(share_group_describe_request, group_ids, str, 0, KWI_LAST, 0),
    KWI_EVER(share_group_describe_request, include_authorized_operations));
KWI_PART_TABLE(share_group_member,
    KWI_EVER(share_group_member, member_id),
    KWI_MAYBE_FROM(share_group_member, rack_id, 0),
    KWI_EVER(share_group_member, member_epoch, client_id, client_host),
    KWI_PLAIN(share_group_member, subscribed_topic_names, str, 0, KWI_LAST, 0),
    KWI_ONE_FROM(share_group_member, assignment, group_described_assignment, 0));
KWI_PART_TABLE(share_group_described,
    KWI_EVER(share_group_described, error_code),
    KWI_MAYBE_FROM(share_group_described, error_message, 0),
    KWI_EVER(share_group_described, group_id, group_state, group_epoch, assignment_epoch,
             assignor_name),
    KWI_LIST_FROM(share_group_described, members, share_group_member, 0),
    KWI_VALUE(share_group_described, authorized_operations, 0, KWI_LAST, INT32_MIN, 0));
KWI_TABLE(share_group_describe_response, 1, 1, 0,
    KWI_EVER(share_group_describe_response, throttle_time_ms),
    KWI_LIST_FROM(share_group_describe_response, groups, share_group_described, 0));
