/* proto/fetch.h -- Fetch (1): record batches from the leader or a follower. */
#ifndef KWI_FETCH_H
#define KWI_FETCH_H
#include "proto/leader.h"

struct kw_fetch_replica_state {
    int32_t replica_id; /* -1: a consumer */
    int64_t replica_epoch;
};
struct kw_fetch_request_partition {
    int32_t partition;
    int32_t current_leader_epoch; /* v9+; -1 unknown */
    int64_t fetch_offset;
    int32_t last_fetched_epoch; /* v12+; -1 */
    int64_t log_start_offset;   /* v5+; replicas only; -1 */
    int32_t partition_max_bytes;
    struct kw_uuid replica_directory_id; /* v17+; replicas only */
    int64_t high_watermark;              /* v18+; replicas only; INT64_MAX */
};
struct kw_fetch_request_topic {
    struct kw_str topic;      /* up to v12 */
    struct kw_uuid topic_id;  /* v13+ */
    struct kw_arr partitions; /* of kw_fetch_request_partition */
};
struct kw_fetch_request_forgotten {
    struct kw_str topic;      /* up to v12 */
    struct kw_uuid topic_id;  /* v13+ */
    struct kw_arr partitions; /* of int32_t */
};
struct kw_fetch_request {
    struct kw_str cluster_id;                    /* v12+; null */
    int32_t replica_id;                          /* up to v14; -1: a consumer */
    struct kw_fetch_replica_state replica_state; /* v15+ */
    int32_t max_wait_ms, min_bytes, max_bytes;
    int8_t isolation_level;              /* 0 read uncommitted, 1 read committed */
    int32_t session_id;                  /* v7+; 0 */
    int32_t session_epoch;               /* v7+; -1: no session */
    struct kw_arr topics;                /* of kw_fetch_request_topic */
    struct kw_arr forgotten_topics_data; /* v7+; of kw_fetch_request_forgotten */
    struct kw_str rack_id;               /* v11+; "" if none */
};

struct kw_fetch_epoch_end_offset {
    int32_t epoch;
    int64_t end_offset;
};
struct kw_fetch_snapshot_id {
    int64_t end_offset;
    int32_t epoch;
};
struct kw_fetch_aborted_transaction {
    int64_t producer_id, first_offset;
};
struct kw_fetch_response_partition {
    int32_t partition_index;
    int16_t error_code;
    int64_t high_watermark;
    int64_t last_stable_offset;                       /* -1 unknown */
    int64_t log_start_offset;                         /* v5+; -1 unknown */
    struct kw_fetch_epoch_end_offset diverging_epoch; /* v12+ */
    struct kw_leader_id_and_epoch current_leader;     /* v12+ */
    struct kw_fetch_snapshot_id snapshot_id;          /* v12+; replicas only */
    struct kw_arr aborted_transactions; /* of kw_fetch_aborted_transaction; may be null */
    int32_t preferred_read_replica;     /* v11+; -1 none */
    struct kw_record_set records;       /* null and empty both mean no data */
};
struct kw_fetch_response_topic {
    struct kw_str topic;      /* up to v12 */
    struct kw_uuid topic_id;  /* v13+ */
    struct kw_arr partitions; /* of kw_fetch_response_partition */
};
struct kw_fetch_response {
    int32_t throttle_time_ms;
    int16_t error_code;           /* v7+ */
    int32_t session_id;           /* v7+; 0: no session */
    struct kw_arr responses;      /* of kw_fetch_response_topic */
    struct kw_arr node_endpoints; /* v16+; of kw_node_endpoint */
};
KWI_API(fetch)

KWI_PARTS(fetch_replica_state, fetch_request_partition, fetch_request_topic)
KWI_PARTS(fetch_request_forgotten, fetch_epoch_end_offset, fetch_snapshot_id)
KWI_PARTS(fetch_aborted_transaction, fetch_response_partition, fetch_response_topic)

#endif
