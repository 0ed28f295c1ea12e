/* proto/share_group.h -- members of share groups (KIP-932): ShareGroupHeartbeat
 * (76), ShareGroupDescribe (77). */
#ifndef KWI_SHARE_GROUP_H
#define KWI_SHARE_GROUP_H
#include "proto/consumer_group.h"

struct kw_share_group_heartbeat_request {
    struct kw_str group_id, member_id;    /* member_id: made by the client */
    int32_t member_epoch;                 /* 0 joins, -1 leaves */
    struct kw_str rack_id;                /* null: none, or unchanged */
    struct kw_arr subscribed_topic_names; /* of struct kw_str; null: unchanged */
};

struct kw_share_group_heartbeat_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message, member_id; /* both may be null */
    int32_t member_epoch, heartbeat_interval_ms;
    struct kw_group_assignment assignment; /* absent: unchanged */
};
KWI_API(share_group_heartbeat)

struct kw_share_group_describe_request {
    struct kw_arr group_ids; /* of struct kw_str */
    bool include_authorized_operations;
};

struct kw_share_group_member {
    struct kw_str member_id, rack_id; /* rack_id: null if none */
    int32_t member_epoch;
    struct kw_str client_id, client_host;
    struct kw_arr subscribed_topic_names; /* of struct kw_str */
    struct kw_group_described_assignment assignment;
};
struct kw_share_group_described {
    int16_t error_code;
    struct kw_str error_message, group_id, group_state; /* the first may be null */
    int32_t group_epoch, assignment_epoch;
    struct kw_str assignor_name;
    struct kw_arr members;         /* of kw_share_group_member */
    int32_t authorized_operations; /* bit set; INT32_MIN: not asked for */
};
struct kw_share_group_describe_response {
    int32_t throttle_time_ms;
    struct kw_arr groups; /* of kw_share_group_described */
};
KWI_API(share_group_describe)

KWI_PARTS(share_group_member, share_group_described)

#endif
