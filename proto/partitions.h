/* proto/partitions.h -- DeleteRecords (21), CreatePartitions (37), ElectLeaders (43) and
 * DescribeTopicPartitions (75). */
#ifndef KWI_PARTITIONS_H
#define KWI_PARTITIONS_H
#include "proto/schema.h"

struct kw_delete_records_request_partition {
    int32_t partition_index;
    int64_t offset; /* the first that stays; -1: all up to the high watermark go */
};
struct kw_delete_records_request_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_delete_records_request_partition */
};
struct kw_delete_records_request {
    struct kw_arr topics; /* of kw_delete_records_request_topic */
    int32_t timeout_ms;
};

struct kw_delete_records_response_partition {
    int32_t partition_index;
    int64_t low_watermark; /* the first offset that is left */
    int16_t error_code;
};
struct kw_delete_records_response_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_delete_records_response_partition */
};
struct kw_delete_records_response {
    int32_t throttle_time_ms;
    struct kw_arr topics; /* of kw_delete_records_response_topic */
};
KWI_API(delete_records)

struct kw_create_partitions_request_assignment {
    struct kw_arr broker_ids; /* of int32_t; the preferred leader first */
};
struct kw_create_partitions_request_topic {
    struct kw_str name;
    int32_t count;             /* of all partitions, the old ones included */
    struct kw_arr assignments; /* of kw_create_partitions_request_assignment, of the new ones;
                                  null: the broker chooses */
};
struct kw_create_partitions_request {
    struct kw_arr topics; /* of kw_create_partitions_request_topic */
    int32_t timeout_ms;
    bool validate_only;
};

struct kw_create_partitions_response_result {
    struct kw_str name;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
struct kw_create_partitions_response {
    int32_t throttle_time_ms;
    struct kw_arr results; /* of kw_create_partitions_response_result */
};
KWI_API(create_partitions)

struct kw_elect_leaders_request_topic {
    struct kw_str topic;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_elect_leaders_request {
    int8_t election_type;           /* v1+; 0 preferred leader, 1 unclean */
    struct kw_arr topic_partitions; /* of kw_elect_leaders_request_topic; null: all */
    int32_t timeout_ms;             /* default 60000 */
};

struct kw_elect_leaders_response_partition {
    int32_t partition_id;
    int16_t error_code;          /* ELECTION_NOT_NEEDED is no failure */
    struct kw_str error_message; /* null if none */
};
struct kw_elect_leaders_response_topic {
    struct kw_str topic;
    struct kw_arr partition_result; /* of kw_elect_leaders_response_partition */
};
struct kw_elect_leaders_response {
    int32_t throttle_time_ms;
    int16_t error_code;                     /* v1+ */
    struct kw_arr replica_election_results; /* of kw_elect_leaders_response_topic */
};
KWI_API(elect_leaders)

struct kw_describe_topic_partitions_request_topic {
    struct kw_str name;
};

/* The first partition that is wanted, or that did not fit any more. */
struct kw_describe_topic_partitions_cursor {
    bool present;
    struct kw_str topic_name;
    int32_t partition_index;
};
struct kw_describe_topic_partitions_request {
    struct kw_arr topics;             /* of kw_describe_topic_partitions_request_topic; none: all */
    int32_t response_partition_limit; /* default 2000; the broker has its own, too */
    struct kw_describe_topic_partitions_cursor cursor;
};

struct kw_describe_topic_partitions_response_partition {
    int16_t error_code;
    int32_t partition_index, leader_id, leader_epoch;       /* leader_epoch -1 unknown */
    struct kw_arr replica_nodes, isr_nodes;                 /* of int32_t */
    struct kw_arr eligible_leader_replicas, last_known_elr; /* of int32_t; may be null */
    struct kw_arr offline_replicas;                         /* of int32_t */
};
struct kw_describe_topic_partitions_response_topic {
    int16_t error_code;
    struct kw_str name; /* may be null */
    struct kw_uuid topic_id;
    bool is_internal;
    struct kw_arr partitions;            /* of kw_describe_topic_partitions_response_partition */
    int32_t topic_authorized_operations; /* bit n: operation n; INT32_MIN unknown */
};
struct kw_describe_topic_partitions_response {
    int32_t throttle_time_ms;
    struct kw_arr topics;                                   /* of ..._response_topic */
    struct kw_describe_topic_partitions_cursor next_cursor; /* absent: this was all */
};
KWI_API(describe_topic_partitions)

KWI_PARTS(delete_records_request_partition, delete_records_request_topic)
KWI_PARTS(delete_records_response_partition, delete_records_response_topic)
KWI_PARTS(create_partitions_request_assignment, create_partitions_request_topic)
KWI_PARTS(create_partitions_response_result, elect_leaders_request_topic)
KWI_PARTS(elect_leaders_response_partition, elect_leaders_response_topic)
KWI_PARTS(describe_topic_partitions_request_topic, describe_topic_partitions_cursor)
KWI_PARTS(describe_topic_partitions_response_partition, describe_topic_partitions_response_topic)

#endif
