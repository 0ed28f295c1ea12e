/* proto/reassignments.h -- AlterPartitionReassignments (45) and
 * ListPartitionReassignments (46). */
#ifndef KWI_REASSIGNMENTS_H
#define KWI_REASSIGNMENTS_H
#include "proto/schema.h"

struct kw_alter_partition_reassignments_request_partition {
    int32_t partition_index;
    struct kw_arr replicas; /* of int32_t; null: cancel what is under way */
};
struct kw_alter_partition_reassignments_request_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_alter_partition_reassignments_request_partition */
};
struct kw_alter_partition_reassignments_request {
    int32_t timeout_ms;                   /* default 60000 */
    bool allow_replication_factor_change; /* v1+; default true */
    struct kw_arr topics;                 /* of kw_alter_partition_reassignments_request_topic */
};

struct kw_alter_partition_reassignments_response_partition {
    int32_t partition_index;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_alter_partition_reassignments_response_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_alter_partition_reassignments_response_partition */
};
struct kw_alter_partition_reassignments_response {
    int32_t throttle_time_ms;
    bool allow_replication_factor_change; /* v1+; as the request said */
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr responses;     /* of kw_alter_partition_reassignments_response_topic */
};
KWI_API(alter_partition_reassignments)

struct kw_list_partition_reassignments_request_topic {
    struct kw_str name;
    struct kw_arr partition_indexes; /* of int32_t */
};
struct kw_list_partition_reassignments_request {
    int32_t timeout_ms;   /* default 60000 */
    struct kw_arr topics; /* of kw_list_partition_reassignments_request_topic; null: all */
};

struct kw_list_partition_reassignments_response_partition {
    int32_t partition_index;
    struct kw_arr replicas, adding_replicas, removing_replicas; /* of int32_t */
};
struct kw_list_partition_reassignments_response_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_list_partition_reassignments_response_partition */
};
struct kw_list_partition_reassignments_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_arr topics;        /* of kw_list_partition_reassignments_response_topic */
};
KWI_API(list_partition_reassignments)

KWI_PART(alter_partition_reassignments_request_partition)
KWI_PART(alter_partition_reassignments_request_topic)
KWI_PART(alter_partition_reassignments_response_partition)
KWI_PARTS(alter_partition_reassignments_response_topic, list_partition_reassignments_request_topic)
KWI_PART(list_partition_reassignments_response_partition)
KWI_PART(list_partition_reassignments_response_topic)

#endif
