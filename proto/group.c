/* proto/group.c -- the classic group protocol, in which a member that the
 * coordinator picks assigns the partitions.
 *
 * JoinGroup, api key 11, versions 0 to 9: waits for all members; answers each
 * with the generation, and the leader with everybody's metadata.
 *   v1  rebalance_timeout_ms apart from the session's (KIP-62)
 *   v2  throttle_time_ms
 *   v3  brokers answer before they throttle (KIP-219)
 *   v4  a new member gets its id in an error and joins again (KIP-394)
 *   v5  group_instance_id: static members (KIP-345)
 *   v6  flexible (KIP-482)
 *   v7  protocol_type in the response (KIP-559)
 *   v8  reason (KIP-800)
 *   v9  skip_assignment: a static leader came back (KIP-814)
 *
 * SyncGroup, api key 14, versions 0 to 5: the leader hands in the assignment,
 * everybody gets theirs.
 *   v1 throttle_time_ms, v2 KIP-219, v3 KIP-345, v4 flexible (KIP-482)
 *   v5  protocol type and name both ways (KIP-559)
 *
 * Heartbeat, api key 12, versions 0 to 4.
 *   v1 throttle_time_ms, v2 KIP-219, v3 KIP-345, v4 flexible (KIP-482)
 *
 * LeaveGroup, api key 13, versions 0 to 5.
 *   v1 throttle_time_ms, v2 KIP-219
 *   v3  several members at once, also by group_instance_id (KIP-345)
 *   v4  flexible (KIP-482)
 *   v5  reason (KIP-800)
 */
#include "proto/group.h"

/* clang-format off */
KWI_PART_TABLE(join_group_request_protocol, KWI_EVER(join_group_request_protocol, name, metadata));
KWI_TABLE(join_group_request, 0, 9, 6,
    KWI_EVER(join_group_request, group_id, session_timeout_ms),
    KWI_VALUE(join_group_request, rebalance_timeout_ms, 1, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_EVER(join_group_request, member_id),
    KWI_MAYBE_FROM(join_group_request, group_instance_id, 5),
    KWI_EVER(join_group_request, protocol_type),
    KWI_LIST_FROM(join_group_request, protocols, join_group_request_protocol, 0),
    KWI_MAYBE(join_group_request, reason, 8, KWI_LAST, 8, KWI_NULL, KWI_IGNORABLE));
KWI_PART_TABLE(join_group_response_member,
    KWI_EVER(join_group_response_member, member_id),
    KWI_MAYBE(join_group_response_member, group_instance_id, 5, KWI_LAST, 5, KWI_NULL,
              KWI_IGNORABLE),
    KWI_EVER(join_group_response_member, metadata));
KWI_TABLE(join_group_response, 0, 9, 6,
    KWI_VALUE(join_group_response, throttle_time_ms, 2, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_EVER(join_group_response, error_code),
    KWI_VALUE(join_group_response, generation_id,    0, KWI_LAST, -1, 0),
    KWI_MAYBE(join_group_response, protocol_type,    7, KWI_LAST, 7, KWI_NULL, KWI_IGNORABLE),
    KWI_MAYBE(join_group_response, protocol_name,    0, KWI_LAST, 7, 0, 0),
    KWI_EVER(join_group_response, leader),
    KWI_VALUE(join_group_response, skip_assignment,  9, KWI_LAST, 0, 0),
    KWI_EVER(join_group_response, member_id),
    KWI_LIST_FROM(join_group_response, members, join_group_response_member, 0));
KWI_PART_TABLE(sync_group_request_assignment,
    KWI_EVER(sync_group_request_assignment, member_id, assignment));
KWI_TABLE(sync_group_request, 0, 5, 4,
    KWI_EVER(sync_group_request, group_id, generation_id, member_id),
    KWI_MAYBE_FROM(sync_group_request, group_instance_id, 3),
    KWI_MAYBE(sync_group_request, protocol_type,     5, KWI_LAST, 5, KWI_NULL, KWI_IGNORABLE),
    KWI_MAYBE(sync_group_request, protocol_name,     5, KWI_LAST, 5, KWI_NULL, KWI_IGNORABLE),
    KWI_LIST_FROM(sync_group_request, assignments, sync_group_request_assignment, 0));
KWI_TABLE(sync_group_response, 0, 5, 4,
    KWI_VALUE(sync_group_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_EVER(sync_group_response, error_code),
    KWI_MAYBE(sync_group_response, protocol_type,    5, KWI_LAST, 5, KWI_NULL, KWI_IGNORABLE),
    KWI_MAYBE(sync_group_response, protocol_name,    5, KWI_LAST, 5, KWI_NULL, KWI_IGNORABLE),
    KWI_EVER(sync_group_response, assignment));
KWI_TABLE(heartbeat_request, 0, 4, 4,
    KWI_EVER(heartbeat_request, group_id, generation_id, member_id),
    KWI_MAYBE_FROM(heartbeat_request, group_instance_id, 3));
KWI_TABLE(heartbeat_response, 0, 4, 4,
    KWI_VALUE(heartbeat_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_EVER(heartbeat_response, error_code));
KWI_PART_TABLE(leave_group_request_member,
    KWI_VALUE(leave_group_request_member, member_id,         3, KWI_LAST, 0, 0),
    KWI_MAYBE_FROM(leave_group_request_member, group_instance_id, 3),
    KWI_MAYBE(leave_group_request_member, reason, 5, KWI_LAST, 5, KWI_NULL, KWI_IGNORABLE));
KWI_TABLE(leave_group_request, 0, 5, 4,
    KWI_EVER(leave_group_request, group_id),
    KWI_VALUE(leave_group_request, member_id, 0, 2,        0, 0),
    KWI_LIST_FROM(leave_group_request, members, leave_group_request_member, 3));
KWI_PART_TABLE(leave_group_response_member,
    KWI_VALUE(leave_group_response_member, member_id,         3, KWI_LAST, 0, 0),
    KWI_MAYBE(leave_group_response_member, group_instance_id, 3, KWI_LAST, 3, 0, 0),
    KWI_VALUE(leave_group_response_member, error_code,        3, KWI_LAST, 0, 0));
KWI_TABLE(leave_group_response, 0, 5, 4,
    KWI_VALUE(leave_group_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_EVER(leave_group_response, error_code),
    KWI_LIST_FROM(leave_group_response, members, leave_group_response_member, 3));
