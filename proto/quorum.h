/* proto/quorum.h -- DescribeQuorum (55), AddRaftVoter (80) and RemoveRaftVoter (81). */
#ifndef KWI_QUORUM_H
#define KWI_QUORUM_H
#include "proto/schema.h"

/* Where a controller listens. */
struct kw_raft_listener {
    struct kw_str name, host;
    uint16_t port;
};
struct kw_describe_quorum_request_partition {
    int32_t partition_index;
};
struct kw_describe_quorum_request_topic {
    struct kw_str topic_name;
    struct kw_arr partitions; /* of kw_describe_quorum_request_partition */
};
struct kw_describe_quorum_request {
    struct kw_arr topics; /* of kw_describe_quorum_request_topic; __cluster_metadata 0 */
};

struct kw_quorum_replica_state {
    int32_t replica_id;
    struct kw_uuid replica_directory_id;                    /* v2+ */
    int64_t log_end_offset;                                 /* -1 unknown */
    int64_t last_fetch_timestamp, last_caught_up_timestamp; /* v1+; ms; -1 unknown */
};
struct kw_describe_quorum_response_partition {
    int32_t partition_index;
    int16_t error_code;
    struct kw_str error_message;     /* v2+; null if none */
    int32_t leader_id, leader_epoch; /* leader_id -1 unknown */
    int64_t high_watermark;
    struct kw_arr current_voters, observers; /* of kw_quorum_replica_state */
};
struct kw_describe_quorum_response_topic {
    struct kw_str topic_name;
    struct kw_arr partitions; /* of kw_describe_quorum_response_partition */
};
struct kw_describe_quorum_response_node {
    int32_t node_id;
    struct kw_arr listeners; /* of kw_raft_listener */
};
struct kw_describe_quorum_response {
    int16_t error_code;
    struct kw_str error_message; /* v2+; null if none */
    struct kw_arr topics;        /* of kw_describe_quorum_response_topic */
    struct kw_arr nodes;         /* v2+; of kw_describe_quorum_response_node */
};
KWI_API(describe_quorum)

struct kw_add_raft_voter_request {
    struct kw_str cluster_id; /* null: do not check it */
    int32_t timeout_ms, voter_id;
    struct kw_uuid voter_directory_id;
    struct kw_arr listeners; /* of kw_raft_listener */
    bool ack_when_committed; /* v1+; default true */
};

struct kw_add_raft_voter_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
KWI_API(add_raft_voter)

struct kw_remove_raft_voter_request {
    struct kw_str cluster_id; /* null: do not check it */
    int32_t voter_id;
    struct kw_uuid voter_directory_id;
};

struct kw_remove_raft_voter_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
KWI_API(remove_raft_voter)

KWI_PARTS(raft_listener, describe_quorum_request_partition, describe_quorum_request_topic)
KWI_PARTS(quorum_replica_state, describe_quorum_response_partition, describe_quorum_response_topic)
KWI_PART(describe_quorum_response_node)

#endif
