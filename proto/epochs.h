/* proto/epochs.h -- OffsetForLeaderEpoch (23): where a leader's epoch ended. */
#ifndef KWI_EPOCHS_H
#define KWI_EPOCHS_H
#include "proto/schema.h"

struct kw_offset_for_leader_epoch_request_partition {
    int32_t partition;
    int32_t current_leader_epoch; /* -1 unknown; to be told apart from a stale leader */
    int32_t leader_epoch;         /* the epoch asked about */
};
struct kw_offset_for_leader_epoch_request_topic {
    struct kw_str topic;
    struct kw_arr partitions; /* of kw_offset_for_leader_epoch_request_partition */
};
struct kw_offset_for_leader_epoch_request {
    int32_t replica_id;   /* v3+; -1 a consumer; -2, the default, sees uncommitted data */
    struct kw_arr topics; /* of kw_offset_for_leader_epoch_request_topic */
};

struct kw_offset_for_leader_epoch_response_partition {
    int16_t error_code;
    int32_t partition, leader_epoch; /* leader_epoch: -1 unknown */
    int64_t end_offset;              /* -1 unknown */
};
struct kw_offset_for_leader_epoch_response_topic {
    struct kw_str topic;
    struct kw_arr partitions; /* of kw_offset_for_leader_epoch_response_partition */
};
struct kw_offset_for_leader_epoch_response {
    int32_t throttle_time_ms;
    struct kw_arr topics; /* of kw_offset_for_leader_epoch_response_topic */
};
KWI_API(offset_for_leader_epoch)

KWI_PARTS(offset_for_leader_epoch_request_partition, offset_for_leader_epoch_request_topic)
KWI_PARTS(offset_for_leader_epoch_response_partition, offset_for_leader_epoch_response_topic)

#endif
