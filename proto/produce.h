/* proto/produce.h -- InitProducerId (22) and Produce (0). */
#ifndef KWI_PRODUCE_H
#define KWI_PRODUCE_H
#include "proto/leader.h"

struct kw_init_producer_id_request {
    struct kw_str transactional_id; /* null: idempotent only */
    int32_t transaction_timeout_ms;
    int64_t producer_id;    /* v3+; -1: a new one */
    int16_t producer_epoch; /* v3+; -1 */
    bool enable2_pc;        /* v6+ (unstable) */
    bool keep_prepared_txn; /* v6+ (unstable) */
};

struct kw_init_producer_id_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    int64_t producer_id; /* -1 on error */
    int16_t producer_epoch;
    int64_t ongoing_txn_producer_id;    /* v6+; -1 none */
    int16_t ongoing_txn_producer_epoch; /* v6+; -1 none */
};
KWI_API(init_producer_id)

struct kw_produce_request_partition {
    int32_t index;
    struct kw_record_set records; /* exactly one batch of magic 2; not copied when cuts are on */
};
struct kw_produce_request_topic {
    struct kw_str name;           /* up to v12 */
    struct kw_uuid topic_id;      /* v13+ */
    struct kw_arr partition_data; /* of kw_produce_request_partition */
};
struct kw_produce_request {
    struct kw_str transactional_id; /* null outside a transaction */
    int16_t acks;                   /* -1 all in-sync replicas, 1 leader, 0 no answer at all */
    int32_t timeout_ms;
    struct kw_arr topic_data; /* of kw_produce_request_topic */
};

struct kw_produce_record_error {
    int32_t batch_index; /* index of the record in its batch */
    struct kw_str batch_index_error_message;
};
struct kw_produce_response_partition {
    int32_t index;
    int16_t error_code;
    int64_t base_offset;                          /* -1: unknown */
    int64_t log_append_time_ms;                   /* -1: the records keep their own timestamps */
    int64_t log_start_offset;                     /* v5+; -1 unknown */
    struct kw_arr record_errors;                  /* v8+; of kw_produce_record_error */
    struct kw_str error_message;                  /* v8+; null if none */
    struct kw_leader_id_and_epoch current_leader; /* v10+ */
};
struct kw_produce_response_topic {
    struct kw_str name;                /* up to v12 */
    struct kw_uuid topic_id;           /* v13+ */
    struct kw_arr partition_responses; /* of kw_produce_response_partition */
};
struct kw_produce_response {
    struct kw_arr responses; /* of kw_produce_response_topic */
    int32_t throttle_time_ms;
    struct kw_arr node_endpoints; /* v10+; of kw_node_endpoint */
};
KWI_API(produce)

KWI_PARTS(produce_request_partition, produce_request_topic, produce_record_error)
KWI_PARTS(produce_response_partition, produce_response_topic)

/* kwi_iter_next for the partitions of an answer, with the plain element of a
 * flexible version (no record errors, no message, no tags) read by hand: one
 * comes with every batch, and the table's walk was 2 % of a producer's time. */
bool kwi_produce_answer_next(struct kw_iter *it, struct kw_produce_response_partition *partition);

#endif
