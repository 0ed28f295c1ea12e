/* proto/groups.h -- looking after groups: DescribeGroups (15), ListGroups (16),
 * DeleteGroups (42), OffsetDelete (47). */
#ifndef KWI_GROUPS_H
#define KWI_GROUPS_H
#include "proto/schema.h"

struct kw_describe_groups_request {
    struct kw_arr groups;               /* of struct kw_str */
    bool include_authorized_operations; /* v3+ */
};

struct kw_describe_groups_member {
    struct kw_str member_id, group_instance_id; /* v4+; null: dynamic member */
    struct kw_str client_id, client_host;
    struct kw_blob member_metadata, member_assignment; /* blobs of the consumer protocol */
};
struct kw_describe_groups_group {
    int16_t error_code;
    struct kw_str error_message; /* v6+; null if none */
    struct kw_str group_id, group_state, protocol_type, protocol_data;
    struct kw_arr members;         /* of kw_describe_groups_member */
    int32_t authorized_operations; /* v3+; bit set; INT32_MIN: not asked for */
};
struct kw_describe_groups_response {
    int32_t throttle_time_ms; /* v1+ */
    struct kw_arr groups;     /* of kw_describe_groups_group */
};
KWI_API(describe_groups)

struct kw_list_groups_request {
    struct kw_arr states_filter; /* v4+; of struct kw_str; empty: all */
    struct kw_arr types_filter;  /* v5+; of struct kw_str: classic, consumer, share, streams */
};

struct kw_list_groups_group {
    struct kw_str group_id, protocol_type;
    struct kw_str group_state; /* v4+ */
    struct kw_str group_type;  /* v5+ */
};
struct kw_list_groups_response {
    int32_t throttle_time_ms; /* v1+ */
    int16_t error_code;
    struct kw_arr groups; /* of kw_list_groups_group; those of the broker asked */
};
KWI_API(list_groups)

struct kw_delete_groups_request {
    struct kw_arr groups_names; /* of struct kw_str */
};

struct kw_delete_groups_result {
    struct kw_str group_id;
    int16_t error_code;
    struct kw_str error_message; /* v3+; null if none */
};
struct kw_delete_groups_response {
    int32_t throttle_time_ms;
    struct kw_arr results; /* of kw_delete_groups_result */
};
KWI_API(delete_groups)

struct kw_offset_delete_request_partition {
    int32_t partition_index;
};
struct kw_offset_delete_request_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_offset_delete_request_partition */
};
struct kw_offset_delete_request {
    struct kw_str group_id;
    struct kw_arr topics; /* of kw_offset_delete_request_topic */
};

struct kw_offset_delete_response_partition {
    int32_t partition_index;
    int16_t error_code;
};
struct kw_offset_delete_response_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_offset_delete_response_partition */
};
struct kw_offset_delete_response {
    int16_t error_code;
    int32_t throttle_time_ms;
    struct kw_arr topics; /* of kw_offset_delete_response_topic */
};
KWI_API(offset_delete)

KWI_PARTS(describe_groups_member, describe_groups_group, list_groups_group, delete_groups_result)
KWI_PARTS(offset_delete_request_partition, offset_delete_request_topic)
KWI_PARTS(offset_delete_response_partition, offset_delete_response_topic)

#endif
