/* proto/metadata.h -- Metadata (3): brokers, topics, partitions, leaders. */
#ifndef KWI_METADATA_H
#define KWI_METADATA_H
#include "proto/schema.h"

struct kw_metadata_request_topic {
    struct kw_uuid topic_id; /* v10+; zero when asked by name */
    struct kw_str name;      /* null (v10+) when asked by id (use v12+ for that) */
};
struct kw_metadata_request {
    struct kw_arr topics;                       /* of kw_metadata_request_topic; v1+ null =
                                                   all topics, empty = none; v0 empty = all */
    bool allow_auto_topic_creation;             /* v4+; default true */
    bool include_cluster_authorized_operations; /* v8 to v10 */
    bool include_topic_authorized_operations;   /* v8+ */
};

struct kw_metadata_response_broker {
    int32_t node_id;
    struct kw_str host;
    int32_t port;
    struct kw_str rack; /* v1+; null if none */
};
struct kw_metadata_response_partition {
    int16_t error_code;
    int32_t partition_index;
    int32_t leader_id;              /* -1 while there is none */
    int32_t leader_epoch;           /* v7+, trustworthy from v9; -1 unknown */
    struct kw_arr replica_nodes;    /* of int32_t */
    struct kw_arr isr_nodes;        /* of int32_t */
    struct kw_arr offline_replicas; /* v5+; of int32_t */
};
struct kw_metadata_response_topic {
    int16_t error_code;
    struct kw_str name;                  /* v12+ null if an unknown id was asked */
    struct kw_uuid topic_id;             /* v10+; zero if unknown */
    bool is_internal;                    /* v1+ */
    struct kw_arr partitions;            /* of kw_metadata_response_partition */
    int32_t topic_authorized_operations; /* v8+; INT32_MIN: not asked */
};
struct kw_metadata_response {
    int32_t throttle_time_ms;              /* v3+ */
    struct kw_arr brokers;                 /* of kw_metadata_response_broker */
    struct kw_str cluster_id;              /* v2+; may be null */
    int32_t controller_id;                 /* v1+; -1 unknown */
    struct kw_arr topics;                  /* of kw_metadata_response_topic */
    int32_t cluster_authorized_operations; /* v8 to v10; INT32_MIN: not asked */
    int16_t error_code;                    /* v13+; REBOOTSTRAP_REQUIRED */
};
KWI_API(metadata)

KWI_PARTS(metadata_request_topic, metadata_response_broker, metadata_response_partition)
KWI_PART(metadata_response_topic)

#endif
