/* proto/offsets.h -- committed offsets of a group: OffsetCommit (8), OffsetFetch (9). */
#ifndef KWI_OFFSETS_H
#define KWI_OFFSETS_H
#include "proto/schema.h"

struct kw_offset_commit_request_partition {
    int32_t partition_index;
    int64_t committed_offset;
    int32_t committed_leader_epoch;   /* v6+; of the record before, -1 unknown */
    struct kw_str committed_metadata; /* null or any text */
};
struct kw_offset_commit_request_topic {
    struct kw_str name;       /* up to v9 */
    struct kw_uuid topic_id;  /* v10+ */
    struct kw_arr partitions; /* of kw_offset_commit_request_partition */
};
struct kw_offset_commit_request {
    struct kw_str group_id;
    int32_t generation_id_or_member_epoch; /* -1: no member of the group */
    struct kw_str member_id;
    struct kw_str group_instance_id; /* v7+; null: dynamic member */
    int64_t retention_time_ms;       /* up to v4; -1: as the broker is set */
    struct kw_arr topics;            /* of kw_offset_commit_request_topic */
};

struct kw_offset_commit_response_partition {
    int32_t partition_index;
    int16_t error_code;
};
struct kw_offset_commit_response_topic {
    struct kw_str name;       /* up to v9 */
    struct kw_uuid topic_id;  /* v10+ */
    struct kw_arr partitions; /* of kw_offset_commit_response_partition */
};
struct kw_offset_commit_response {
    int32_t throttle_time_ms; /* v3+ */
    struct kw_arr topics;     /* of kw_offset_commit_response_topic */
};
KWI_API(offset_commit)

/* Both of the request itself (up to v7) and of its groups (v8+). */
struct kw_offset_fetch_request_topic {
    struct kw_str name;              /* up to v9 */
    struct kw_uuid topic_id;         /* v10+ */
    struct kw_arr partition_indexes; /* of int32_t */
};
struct kw_offset_fetch_request_group {
    struct kw_str group_id;
    struct kw_str member_id; /* v9+; null: no member */
    int32_t member_epoch;    /* v9+; -1: no member */
    struct kw_arr topics;    /* of kw_offset_fetch_request_topic; null: all */
};
struct kw_offset_fetch_request {
    struct kw_str group_id; /* up to v7 */
    struct kw_arr topics;   /* up to v7; of kw_offset_fetch_request_topic; null (v2+): all */
    struct kw_arr groups;   /* v8+; of kw_offset_fetch_request_group */
    bool require_stable;    /* v7+; an open transaction's offsets: UNSTABLE_OFFSET_COMMIT */
};

struct kw_offset_fetch_response_partition {
    int32_t partition_index;
    int64_t committed_offset;       /* -1: none */
    int32_t committed_leader_epoch; /* v5+; -1 unknown */
    struct kw_str metadata;
    int16_t error_code;
};

/* Both of the response itself (up to v7) and of its groups (v8+). */
struct kw_offset_fetch_response_topic {
    struct kw_str name;       /* up to v9 */
    struct kw_uuid topic_id;  /* v10+ */
    struct kw_arr partitions; /* of kw_offset_fetch_response_partition */
};
struct kw_offset_fetch_response_group {
    struct kw_str group_id;
    struct kw_arr topics; /* of kw_offset_fetch_response_topic */
    int16_t error_code;
};
struct kw_offset_fetch_response {
    int32_t throttle_time_ms; /* v3+ */
    struct kw_arr topics;     /* up to v7; of kw_offset_fetch_response_topic */
    int16_t error_code;       /* v2 to v7 */
    struct kw_arr groups;     /* v8+; of kw_offset_fetch_response_group */
};
KWI_API(offset_fetch)

KWI_PARTS(offset_commit_request_partition, offset_commit_request_topic)
KWI_PARTS(offset_commit_response_partition, offset_commit_response_topic)
KWI_PARTS(offset_fetch_request_topic, offset_fetch_request_group, offset_fetch_response_partition)
KWI_PARTS(offset_fetch_response_topic, offset_fetch_response_group)

#endif
