/* proto/consumer_group.h -- groups whose coordinator assigns (KIP-848):
 * ConsumerGroupHeartbeat (68), ConsumerGroupDescribe (69). */
#ifndef KWI_CONSUMER_GROUP_H
#define KWI_CONSUMER_GROUP_H
#include "proto/schema.h"

/* In heartbeats of consumer and share groups. */
struct kw_group_partitions {
    struct kw_uuid topic_id;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_group_assignment {
    bool present;
    struct kw_arr topic_partitions; /* of kw_group_partitions */
};

/* In descriptions of consumer and share groups. */
struct kw_group_described_partitions {
    struct kw_uuid topic_id;
    struct kw_str topic_name;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_group_described_assignment {
    struct kw_arr topic_partitions; /* of kw_group_described_partitions */
};

/* Null of a nullable field and -1 of the timeout: unchanged since the last one. */
struct kw_consumer_group_heartbeat_request {
    struct kw_str group_id;
    struct kw_str member_id;            /* v1+: made by the client */
    int32_t member_epoch;               /* 0 joins, -1 leaves, -2 leaves for a while */
    struct kw_str instance_id, rack_id; /* null: none */
    int32_t rebalance_timeout_ms;
    struct kw_arr subscribed_topic_names; /* of struct kw_str */
    struct kw_str subscribed_topic_regex; /* v1+; RE2J */
    struct kw_str server_assignor;
    struct kw_arr topic_partitions; /* of kw_group_partitions: what the member owns */
};

struct kw_consumer_group_heartbeat_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message, member_id; /* both may be null */
    int32_t member_epoch, heartbeat_interval_ms;
    struct kw_group_assignment assignment; /* absent: unchanged */
};
KWI_API(consumer_group_heartbeat)

struct kw_consumer_group_describe_request {
    struct kw_arr group_ids; /* of struct kw_str */
    bool include_authorized_operations;
};

struct kw_consumer_group_member {
    struct kw_str member_id, instance_id, rack_id; /* the last two may be null */
    int32_t member_epoch;
    struct kw_str client_id, client_host;
    struct kw_arr subscribed_topic_names; /* of struct kw_str */
    struct kw_str subscribed_topic_regex; /* null: none */
    struct kw_group_described_assignment assignment, target_assignment;
    int8_t member_type; /* v1+; -1 unknown, 0 classic, 1 consumer */
};
struct kw_consumer_group_described {
    int16_t error_code;
    struct kw_str error_message, group_id, group_state; /* the first may be null */
    int32_t group_epoch, assignment_epoch;
    struct kw_str assignor_name;
    struct kw_arr members;         /* of kw_consumer_group_member */
    int32_t authorized_operations; /* bit set; INT32_MIN: not asked for */
};
struct kw_consumer_group_describe_response {
    int32_t throttle_time_ms;
    struct kw_arr groups; /* of kw_consumer_group_described */
};
KWI_API(consumer_group_describe)

KWI_PARTS(group_partitions, group_assignment, group_described_partitions)
KWI_PARTS(group_described_assignment, consumer_group_member, consumer_group_described)

#endif
