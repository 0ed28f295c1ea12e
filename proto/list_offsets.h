/* proto/list_offsets.h -- ListOffsets (2): offsets by time, and log ends. */
#ifndef KWI_LIST_OFFSETS_H
#define KWI_LIST_OFFSETS_H
#include "proto/schema.h"

/* Special values of the request's timestamp. */
enum {
    KWI_OFFSET_LATEST = -1,
    KWI_OFFSET_EARLIEST = -2,
    KWI_OFFSET_MAX_TIMESTAMP = -3,   /* v7+ (KIP-734) */
    KWI_OFFSET_EARLIEST_LOCAL = -4,  /* v8+ (KIP-405) */
    KWI_OFFSET_LATEST_TIERED = -5,   /* v9+ (KIP-1005) */
    KWI_OFFSET_EARLIEST_PENDING = -6 /* v11+ (KIP-1023) */
};

struct kw_list_offsets_request_partition {
    int32_t partition_index;
    int32_t current_leader_epoch; /* v4+; -1 unknown */
    int64_t timestamp;            /* ms, or one of the special values */
};
struct kw_list_offsets_request_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_list_offsets_request_partition */
};
struct kw_list_offsets_request {
    int32_t replica_id;     /* -1: a consumer (set it: Kafka's default is 0) */
    int8_t isolation_level; /* v2+ */
    struct kw_arr topics;   /* of kw_list_offsets_request_topic */
    int32_t timeout_ms;     /* v10+; for look-ups in remote storage */
};

struct kw_list_offsets_response_partition {
    int32_t partition_index;
    int16_t error_code;
    int64_t timestamp;    /* -1 not found */
    int64_t offset;       /* -1 not found */
    int32_t leader_epoch; /* v4+; -1 unknown */
};
struct kw_list_offsets_response_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_list_offsets_response_partition */
};
struct kw_list_offsets_response {
    int32_t throttle_time_ms; /* v2+ */
    struct kw_arr topics;     /* of kw_list_offsets_response_topic */
};
KWI_API(list_offsets)

KWI_PARTS(list_offsets_request_partition, list_offsets_request_topic)
KWI_PARTS(list_offsets_response_partition, list_offsets_response_topic)

#endif
