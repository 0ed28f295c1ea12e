/* proto/share_offsets.h -- where share groups start to read (KIP-932):
 * DescribeShareGroupOffsets (90), AlterShareGroupOffsets (91),
 * DeleteShareGroupOffsets (92). */
#ifndef KWI_SHARE_OFFSETS_H
#define KWI_SHARE_OFFSETS_H
#include "proto/schema.h"

struct kw_describe_share_group_offsets_request_topic {
    struct kw_str topic_name;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_describe_share_group_offsets_request_group {
    struct kw_str group_id;
    struct kw_arr topics; /* of kw_describe_share_group_offsets_request_topic; null: all */
};
struct kw_describe_share_group_offsets_request {
    struct kw_arr groups; /* of kw_describe_share_group_offsets_request_group */
};

struct kw_describe_share_group_offsets_partition {
    int32_t partition_index;
    int64_t start_offset; /* -1: not initialised */
    int32_t leader_epoch;
    int64_t lag; /* v1+; -1 unknown */
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_describe_share_group_offsets_topic {
    struct kw_str topic_name;
    struct kw_uuid topic_id;
    struct kw_arr partitions; /* of kw_describe_share_group_offsets_partition */
};
struct kw_describe_share_group_offsets_group {
    struct kw_str group_id;
    struct kw_arr topics; /* of kw_describe_share_group_offsets_topic */
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_describe_share_group_offsets_response {
    int32_t throttle_time_ms;
    struct kw_arr groups; /* of kw_describe_share_group_offsets_group */
};
KWI_API(describe_share_group_offsets)

struct kw_alter_share_group_offsets_request_partition {
    int32_t partition_index;
    int64_t start_offset;
};
struct kw_alter_share_group_offsets_request_topic {
    struct kw_str topic_name;
    struct kw_arr partitions; /* of kw_alter_share_group_offsets_request_partition */
};
struct kw_alter_share_group_offsets_request {
    struct kw_str group_id;
    struct kw_arr topics; /* of kw_alter_share_group_offsets_request_topic */
};

struct kw_alter_share_group_offsets_response_partition {
    int32_t partition_index;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_alter_share_group_offsets_response_topic {
    struct kw_str topic_name;
    struct kw_uuid topic_id;
    struct kw_arr partitions; /* of kw_alter_share_group_offsets_response_partition */
};
struct kw_alter_share_group_offsets_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr responses;     /* of kw_alter_share_group_offsets_response_topic */
};
KWI_API(alter_share_group_offsets)

struct kw_delete_share_group_offsets_request_topic {
    struct kw_str topic_name;
};
struct kw_delete_share_group_offsets_request {
    struct kw_str group_id;
    struct kw_arr topics; /* of kw_delete_share_group_offsets_request_topic */
};

struct kw_delete_share_group_offsets_response_topic {
    struct kw_str topic_name;
    struct kw_uuid topic_id;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_delete_share_group_offsets_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr responses;     /* of kw_delete_share_group_offsets_response_topic */
};
KWI_API(delete_share_group_offsets)

KWI_PARTS(describe_share_group_offsets_request_topic, describe_share_group_offsets_request_group)
KWI_PARTS(describe_share_group_offsets_partition, describe_share_group_offsets_topic)
KWI_PARTS(describe_share_group_offsets_group, alter_share_group_offsets_request_partition)
KWI_PARTS(alter_share_group_offsets_request_topic, alter_share_group_offsets_response_partition)
KWI_PARTS(alter_share_group_offsets_response_topic, delete_share_group_offsets_request_topic)
KWI_PART(delete_share_group_offsets_response_topic)

#endif
