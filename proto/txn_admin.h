/* proto/txn_admin.h -- looking into transactions: DescribeProducers (61),
 * DescribeTransactions (65), ListTransactions (66). */
#ifndef KWI_TXN_ADMIN_H
#define KWI_TXN_ADMIN_H
#include "proto/schema.h"

struct kw_describe_producers_request_topic {
    struct kw_str name;
    struct kw_arr partition_indexes; /* of int32_t */
};
struct kw_describe_producers_request {
    struct kw_arr topics; /* of kw_describe_producers_request_topic */
};

struct kw_describe_producers_state {
    int64_t producer_id;
    int32_t producer_epoch, last_sequence; /* last_sequence: -1 none */
    int64_t last_timestamp;                /* ms; -1 none */
    int32_t coordinator_epoch;
    int64_t current_txn_start_offset; /* -1: no open transaction */
};
struct kw_describe_producers_partition {
    int32_t partition_index;
    int16_t error_code;
    struct kw_str error_message;
    struct kw_arr active_producers; /* of kw_describe_producers_state */
};
struct kw_describe_producers_response_topic {
    struct kw_str name;
    struct kw_arr partitions; /* of kw_describe_producers_partition */
};
struct kw_describe_producers_response {
    int32_t throttle_time_ms;
    struct kw_arr topics; /* of kw_describe_producers_response_topic */
};
KWI_API(describe_producers)

struct kw_describe_transactions_request {
    struct kw_arr transactional_ids; /* of struct kw_str */
};

struct kw_describe_transactions_topic {
    struct kw_str topic;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_describe_transactions_state {
    int16_t error_code;
    struct kw_str transactional_id, transaction_state;
    int32_t transaction_timeout_ms;
    int64_t transaction_start_time_ms; /* since 1970; -1: none is open */
    int64_t producer_id;
    int16_t producer_epoch;
    struct kw_arr topics; /* of kw_describe_transactions_topic */
};
struct kw_describe_transactions_response {
    int32_t throttle_time_ms;
    struct kw_arr transaction_states; /* of kw_describe_transactions_state */
};
KWI_API(describe_transactions)

struct kw_list_transactions_request {
    struct kw_arr state_filters;            /* of struct kw_str; empty: all */
    struct kw_arr producer_id_filters;      /* of int64_t; empty: all */
    int64_t duration_filter;                /* v1+; ms that it is open at least; -1: all */
    struct kw_str transactional_id_pattern; /* v2+; a regular expression (RE2J), or null */
};

struct kw_list_transactions_state {
    struct kw_str transactional_id;
    int64_t producer_id;
    struct kw_str transaction_state;
};
struct kw_list_transactions_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_arr unknown_state_filters; /* of struct kw_str */
    struct kw_arr transaction_states;    /* of kw_list_transactions_state */
};
KWI_API(list_transactions)

KWI_PARTS(describe_producers_request_topic, describe_producers_state, describe_producers_partition)
KWI_PARTS(describe_producers_response_topic, describe_transactions_topic)
KWI_PARTS(describe_transactions_state, list_transactions_state)

#endif
