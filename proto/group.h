/* proto/group.h -- the classic group protocol: JoinGroup (11), SyncGroup (14),
 * Heartbeat (12), LeaveGroup (13). */
#ifndef KWI_GROUP_H
#define KWI_GROUP_H
#include "proto/schema.h"

struct kw_join_group_request_protocol {
    struct kw_str name;
    struct kw_blob metadata; /* of consumers: a ConsumerProtocolSubscription */
};
struct kw_join_group_request {
    struct kw_str group_id;
    int32_t session_timeout_ms, rebalance_timeout_ms; /* v1+; -1: the session's */
    struct kw_str member_id;                          /* "" at first */
    struct kw_str group_instance_id;                  /* v5+; null: dynamic member */
    struct kw_str protocol_type;                      /* "consumer" */
    struct kw_arr protocols;                          /* of kw_join_group_request_protocol */
    struct kw_str reason;                             /* v8+; at most 255 characters, or null */
};

struct kw_join_group_response_member {
    struct kw_str member_id, group_instance_id; /* v5+; null: dynamic member */
    struct kw_blob metadata;
};
struct kw_join_group_response {
    int32_t throttle_time_ms; /* v2+ */
    int16_t error_code;
    int32_t generation_id;       /* -1 on error */
    struct kw_str protocol_type; /* v7+; null on error */
    struct kw_str protocol_name; /* null (v7+) on error */
    struct kw_str leader;        /* member id; the leader assigns */
    bool skip_assignment;        /* v9+; the leader keeps the last assignment */
    struct kw_str member_id;
    struct kw_arr members; /* of kw_join_group_response_member; for the leader only */
};
KWI_API(join_group)

struct kw_sync_group_request_assignment {
    struct kw_str member_id;
    struct kw_blob assignment; /* of consumers: a ConsumerProtocolAssignment */
};
struct kw_sync_group_request {
    struct kw_str group_id;
    int32_t generation_id;
    struct kw_str member_id, group_instance_id; /* v3+; null: dynamic member */
    struct kw_str protocol_type, protocol_name; /* v5+; null */
    struct kw_arr assignments; /* of kw_sync_group_request_assignment; the leader's */
};

struct kw_sync_group_response {
    int32_t throttle_time_ms; /* v1+ */
    int16_t error_code;
    struct kw_str protocol_type, protocol_name; /* v5+; null on error */
    struct kw_blob assignment;
};
KWI_API(sync_group)

struct kw_heartbeat_request {
    struct kw_str group_id;
    int32_t generation_id;
    struct kw_str member_id, group_instance_id; /* v3+; null: dynamic member */
};

struct kw_heartbeat_response {
    int32_t throttle_time_ms; /* v1+ */
    int16_t error_code;
};
KWI_API(heartbeat)

struct kw_leave_group_request_member {
    struct kw_str member_id;         /* "" with a group_instance_id: whoever has it */
    struct kw_str group_instance_id; /* null: dynamic member */
    struct kw_str reason;            /* v5+; null */
};
struct kw_leave_group_request {
    struct kw_str group_id, member_id; /* member_id: up to v2 */
    struct kw_arr members;             /* v3+; of kw_leave_group_request_member */
};

struct kw_leave_group_response_member {
    struct kw_str member_id, group_instance_id; /* null: dynamic member */
    int16_t error_code;
};
struct kw_leave_group_response {
    int32_t throttle_time_ms; /* v1+ */
    int16_t error_code;
    struct kw_arr members; /* v3+; of kw_leave_group_response_member */
};
KWI_API(leave_group)

KWI_PARTS(join_group_request_protocol, join_group_response_member, sync_group_request_assignment)
KWI_PARTS(leave_group_request_member, leave_group_response_member)

#endif
