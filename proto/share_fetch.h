/* proto/share_fetch.h -- records of share groups (KIP-932): ShareFetch (78),
 * ShareAcknowledge (79). */
#ifndef KWI_SHARE_FETCH_H
#define KWI_SHARE_FETCH_H
#include "proto/leader.h"

/* Values in acknowledge_types. */
enum {
    KWI_SHARE_GAP = 0, /* no record there to acknowledge */
    KWI_SHARE_ACCEPT = 1,
    KWI_SHARE_RELEASE = 2, /* deliver it again */
    KWI_SHARE_REJECT = 3,  /* never again */
    KWI_SHARE_RENEW = 4    /* v2+; keep it longer */
};

/* Parts that both messages have. */
struct kw_share_acknowledgement {
    int64_t first_offset, last_offset;
    struct kw_arr acknowledge_types; /* of int8_t: one for all, or one per offset */
};
struct kw_share_partition {
    int32_t partition_index;
    struct kw_arr acknowledgement_batches; /* of kw_share_acknowledgement */
};
struct kw_share_topic {
    struct kw_uuid topic_id;
    struct kw_arr partitions; /* of kw_share_partition */
};

/* Unlike those of Fetch not tagged, and 0 where nothing is known. */
struct kw_share_leader {
    int32_t leader_id, leader_epoch;
};
struct kw_share_forgotten_topic {
    struct kw_uuid topic_id;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_share_fetch_request {
    struct kw_str group_id, member_id; /* nullable on the wire, never null in use */
    int32_t share_session_epoch;       /* 0 opens a session, -1 closes it */
    int32_t max_wait_ms, min_bytes, max_bytes, max_records;
    int32_t batch_size;                  /* records that are acquired together */
    int8_t share_acquire_mode;           /* v2+; 0 by batches, 1 up to max_records exactly */
    bool is_renew_ack;                   /* v2+; renews, so nothing is fetched */
    struct kw_arr topics;                /* of kw_share_topic */
    struct kw_arr forgotten_topics_data; /* of kw_share_forgotten_topic */
};

struct kw_share_acquired {
    int64_t first_offset, last_offset;
    int16_t delivery_count;
};
struct kw_share_fetch_partition {
    int32_t partition_index;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    int16_t acknowledge_error_code;
    struct kw_str acknowledge_error_message; /* null if none */
    struct kw_share_leader current_leader;
    struct kw_record_set records;   /* whole batches: more than was acquired */
    struct kw_arr acquired_records; /* of kw_share_acquired */
};
struct kw_share_fetch_topic {
    struct kw_uuid topic_id;
    struct kw_arr partitions; /* of kw_share_fetch_partition */
};
struct kw_share_fetch_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    int32_t acquisition_lock_timeout_ms;
    struct kw_arr responses;      /* of kw_share_fetch_topic */
    struct kw_arr node_endpoints; /* of kw_node_endpoint */
};
KWI_API(share_fetch)

struct kw_share_acknowledge_request {
    struct kw_str group_id, member_id; /* as above */
    int32_t share_session_epoch;
    bool is_renew_ack;    /* v2+ */
    struct kw_arr topics; /* of kw_share_topic */
};

struct kw_share_acknowledge_partition {
    int32_t partition_index;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_share_leader current_leader;
};
struct kw_share_acknowledge_topic {
    struct kw_uuid topic_id;
    struct kw_arr partitions; /* of kw_share_acknowledge_partition */
};
struct kw_share_acknowledge_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message;         /* null if none */
    int32_t acquisition_lock_timeout_ms; /* v2+ */
    struct kw_arr responses;             /* of kw_share_acknowledge_topic */
    struct kw_arr node_endpoints;        /* of kw_node_endpoint */
};
KWI_API(share_acknowledge)

KWI_PARTS(share_acknowledgement, share_partition, share_topic, share_leader, share_forgotten_topic)
KWI_PARTS(share_acquired, share_fetch_partition, share_fetch_topic, share_acknowledge_partition)
KWI_PART(share_acknowledge_topic)

#endif
