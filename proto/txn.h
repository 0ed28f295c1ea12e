/* proto/txn.h -- a producer's transaction: AddPartitionsToTxn (24), AddOffsetsToTxn
 * (25), EndTxn (26), TxnOffsetCommit (28). */
#ifndef KWI_TXN_H
#define KWI_TXN_H
#include "proto/schema.h"

struct kw_add_partitions_to_txn_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_add_partitions_to_txn_transaction {
    struct kw_str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool verify_only;     /* ask whether they are part of it, add nothing */
    struct kw_arr topics; /* of kw_add_partitions_to_txn_topic */
};
struct kw_add_partitions_to_txn_request {
    struct kw_arr transactions;                  /* v4+, brokers only */
    struct kw_str v3_and_below_transactional_id; /* up to v3, as all below */
    int64_t v3_and_below_producer_id;
    int16_t v3_and_below_producer_epoch;
    struct kw_arr v3_and_below_topics; /* of kw_add_partitions_to_txn_topic */
};

struct kw_add_partitions_to_txn_partition_result {
    int32_t partition_index;
    int16_t partition_error_code;
};
struct kw_add_partitions_to_txn_topic_result {
    struct kw_str name;
    struct kw_arr results_by_partition; /* of kw_add_partitions_to_txn_partition_result */
};
struct kw_add_partitions_to_txn_result {
    struct kw_str transactional_id;
    struct kw_arr topic_results; /* of kw_add_partitions_to_txn_topic_result */
};
struct kw_add_partitions_to_txn_response {
    int32_t throttle_time_ms;
    int16_t error_code;                          /* v4+ */
    struct kw_arr results_by_transaction;        /* v4+; of kw_add_partitions_to_txn_result */
    struct kw_arr results_by_topic_v3_and_below; /* of kw_add_partitions_to_txn_topic_result */
};
KWI_API(add_partitions_to_txn)

struct kw_add_offsets_to_txn_request {
    struct kw_str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    struct kw_str group_id;
};

struct kw_add_offsets_to_txn_response {
    int32_t throttle_time_ms;
    int16_t error_code;
};
KWI_API(add_offsets_to_txn)

struct kw_end_txn_request {
    struct kw_str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool committed; /* false: abort */
};

struct kw_end_txn_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    int64_t producer_id;    /* v5+; of the next transaction, -1: as before */
    int16_t producer_epoch; /* v5+; the same */
};
KWI_API(end_txn)

struct kw_txn_offset_commit_request_partition {
    int32_t partition_index;
    int64_t committed_offset;
    int32_t committed_leader_epoch; /* v2+; -1 unknown */
    struct kw_str committed_metadata;
};
struct kw_txn_offset_commit_request_topic {
    struct kw_str name;       /* up to v5 */
    struct kw_uuid topic_id;  /* v6+ */
    struct kw_arr partitions; /* of kw_txn_offset_commit_request_partition */
};

/* Kafka 4.4 calls generation_id of all versions generation_id_or_member_epoch. */
struct kw_txn_offset_commit_request {
    struct kw_str transactional_id, group_id;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t generation_id;                 /* v3 to v5; -1: no member of the group */
    int32_t generation_id_or_member_epoch; /* v6+; -1: the same */
    struct kw_str member_id;               /* v3+ */
    struct kw_str group_instance_id;       /* v3+; null: dynamic member */
    struct kw_arr topics;                  /* of kw_txn_offset_commit_request_topic */
};

struct kw_txn_offset_commit_response_partition {
    int32_t partition_index;
    int16_t error_code;
};
struct kw_txn_offset_commit_response_topic {
    struct kw_str name;       /* up to v5 */
    struct kw_uuid topic_id;  /* v6+ */
    struct kw_arr partitions; /* of kw_txn_offset_commit_response_partition */
};
struct kw_txn_offset_commit_response {
    int32_t throttle_time_ms;
    struct kw_arr topics; /* of kw_txn_offset_commit_response_topic */
};
KWI_API(txn_offset_commit)

KWI_PARTS(add_partitions_to_txn_topic, add_partitions_to_txn_transaction)
KWI_PARTS(add_partitions_to_txn_partition_result, add_partitions_to_txn_topic_result)
KWI_PARTS(add_partitions_to_txn_result, txn_offset_commit_request_partition)
KWI_PARTS(txn_offset_commit_request_topic, txn_offset_commit_response_partition)
KWI_PART(txn_offset_commit_response_topic)

#endif
