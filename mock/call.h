/* mock/call.h -- one request on its way through the broker model: what the
 * files that serve the APIs see of it. */
#ifndef KWI_MOCK_CALL_H
#define KWI_MOCK_CALL_H
#include "mock/cluster.h"
#include "proto/api.h"
#include "proto/error.h"
#include "proto/leader.h"

enum kw_mock_outcome {
    KWI_MOCK_ANSWERED, /* the response is filled in */
    KWI_MOCK_SILENT,   /* done, and this request gets no answer (acks=0) */
    KWI_MOCK_PARKED,   /* nothing yet: call again on news, or at deadline_us */
    KWI_MOCK_HUNG_UP   /* close the connection */
};

struct kw_mock_auth;

/* Memory of one call. */
struct kw_mock_piece;

struct kw_mock_call {
    struct kw_mock *mock;
    uint32_t broker; /* index of the broker that was asked */
    int16_t api_key, version;
    int32_t correlation_id;
    struct kw_str client_id;   /* borrows from the frame */
    const void *request;       /* the decoded struct; borrows from the frame */
    void *response;            /* initialised; its arrays lie in the call's memory */
    uint64_t received_us;      /* when the request was complete */
    uint64_t ticket;           /* of the request: the same each time it is served */
    uint64_t deadline_us;      /* set with PARKED */
    struct kw_mock_auth *auth; /* of the connection (mock/sasl.h) */
    bool waited;               /* it was parked before */
    bool hang_up;              /* close the connection behind the answer */
    bool last_chance;          /* the deadline has come: PARKED is no option */
    int32_t throttle_ms;       /* to put into the answer */
    uint64_t faults;           /* those that act on this call, one bit each */
    struct kw_mock_piece *pieces;
};

/* Zeroed memory for n elements until the call ends, or NULL. n may be 0. */
void *kwi_mock_call_alloc(struct kw_mock_call *call, size_t n, size_t size);
void kwi_mock_call_deinit(struct kw_mock_call *call);

/* An API that is served. `asks` tells whether the request names a topic and
 * partition (-1: any of the topic); NULL if the API has none. */
struct kw_mock_api {
    int16_t key;
    uint32_t actions; /* enum kw_mock_action bits beyond those that all APIs have */
    enum kw_mock_outcome (*serve)(struct kw_mock_call *call);
    bool (*asks)(const struct kw_mock_call *call, const struct kw_mock_fault *fault);
};
extern const struct kw_mock_api kwi_mock_api_api_versions, kwi_mock_api_metadata,
    kwi_mock_api_find_coordinator, kwi_mock_api_produce, kwi_mock_api_init_producer_id,
    kwi_mock_api_fetch, kwi_mock_api_list_offsets, kwi_mock_api_create_topics,
    kwi_mock_api_delete_topics, kwi_mock_api_offset_for_leader_epoch, kwi_mock_api_describe_configs,
    kwi_mock_api_sasl_handshake, kwi_mock_api_sasl_authenticate, kwi_mock_api_join_group,
    kwi_mock_api_sync_group, kwi_mock_api_heartbeat, kwi_mock_api_leave_group,
    kwi_mock_api_offset_commit, kwi_mock_api_offset_fetch, kwi_mock_api_consumer_group_heartbeat,
    kwi_mock_api_consumer_group_describe, kwi_mock_api_list_groups, kwi_mock_api_describe_groups,
    kwi_mock_api_delete_groups, kwi_mock_api_offset_delete, kwi_mock_api_add_partitions_to_txn,
    kwi_mock_api_add_offsets_to_txn, kwi_mock_api_end_txn, kwi_mock_api_txn_offset_commit;
/* NULL: not served. */
const struct kw_mock_api *kwi_mock_api_find(int16_t key);

/* Fills mock->versions from what is served, narrowed by the given ranges. */
void kwi_mock_versions_init(struct kw_mock *mock, const struct kw_mock_versions *narrow, size_t n);

/* --- faults (mock/fault.c) --------------------------------------------------- */

/* Chooses the faults that act on this call, and counts. */
void kwi_mock_faults_choose(struct kw_mock_call *call, const struct kw_mock_api *api);
/* Whether an action of this kind acts on the call; *value (may be NULL) is its. */
bool kwi_mock_fault_acts(const struct kw_mock_call *call, enum kw_mock_action action,
                         int32_t *value);
/* The error that KWI_MOCK_ERROR or _ERROR_AFTER puts on a topic and partition
 * (-1: on the topic as a whole, for APIs that have no partitions), or 0. */
int16_t kwi_mock_fault_error(const struct kw_mock_call *call, enum kw_mock_action action,
                             struct kw_str topic, int32_t partition);
/* How often to list a topic and partition: 1, or 0 (OMIT) or 2 (TWICE). */
int32_t kwi_mock_fault_copies(const struct kw_mock_call *call, struct kw_str topic,
                              int32_t partition);
/* Moves the leader away from the broker that was asked, if a MOVE_LEADER acts on
 * the call and covers the partition (NULL: does nothing). */
void kwi_mock_fault_move(const struct kw_mock_call *call, struct kw_str topic,
                         struct kw_mock_partition *partition);
/* Whether the fault's topic and partition filters let this pair through. A
 * partition of -1 passes any partition filter, KWI_MOCK_WHOLE_TOPIC passes only
 * when there is none. */
enum { KWI_MOCK_WHOLE_TOPIC = -2 };
bool kwi_mock_fault_covers(const struct kw_mock_fault *fault, struct kw_str topic,
                           int32_t partition);

/* --- helpers of several APIs --------------------------------------------------- */

/* The topic that a request names, by name up to the API's last named version,
 * by id behind it. */
struct kw_mock_topic *kwi_mock_call_topic(const struct kw_mock_call *call, bool by_id,
                                          struct kw_str name, const struct kw_uuid *id);
static inline struct kw_str kwi_mock_topic_str(const struct kw_mock_topic *topic)
{
    return (struct kw_str){topic->name, (int32_t)topic->name_len};
}
/* Whether the broker may serve the partition to a client that knows
 * `leader_epoch` (-1: none): 0, UNKNOWN_TOPIC_OR_PARTITION (partition NULL),
 * FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH or NOT_LEADER_OR_FOLLOWER. */
int16_t kwi_mock_call_leader_check(const struct kw_mock_call *call,
                                   const struct kw_mock_partition *partition, int32_t leader_epoch);

/* KIP-951: for these two errors an answer names the leader, and notes it in the
 * set `leaders` (a bit per broker), whose addresses _endpoints lists. */
void kwi_mock_call_hint(const struct kw_mock_call *call, const struct kw_mock_partition *partition,
                        int16_t error, struct kw_leader_id_and_epoch *hint, uint64_t *leaders);
KW_MUST_USE int kwi_mock_call_endpoints(struct kw_mock_call *call, uint64_t leaders,
                                        struct kw_arr *out);

/* Partition number that UNASKED adds to an answer. */
enum { KWI_MOCK_UNASKED_PARTITION = 1000003 };

#endif
