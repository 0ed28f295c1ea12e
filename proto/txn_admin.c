/* proto/txn_admin.c -- looking into transactions, to find those that hang
 * (KIP-664). All versions are flexible.
 *
 * DescribeProducers, api key 61, version 0: the producers that a partition's
 * leader remembers.
 *
 * DescribeTransactions, api key 65, version 0: to each transactional id's
 * coordinator.
 *
 * ListTransactions, api key 66, versions 0 to 2: to every broker.
 *   v1  duration_filter (KIP-994)
 *   v2  transactional_id_pattern (KIP-1152)
 */
#include "proto/txn_admin.h"

/* clang-format off */
KWI_PART_TABLE(describe_producers_request_topic,
    KWI_EVER(describe_producers_request_topic, name),
    KWI_PLAIN(describe_producers_request_topic, partition_indexes, i32, 0, KWI_LAST, 0));
KWI_TABLE(describe_producers_request, 0, 0, 0,
    KWI_LIST_FROM(describe_producers_request, topics, describe_producers_request_topic, 0));
KWI_PART_TABLE(describe_producers_state,
    KWI_EVER(describe_producers_state, producer_id, producer_epoch),
    KWI_VALUE(describe_producers_state, last_sequence,            0, KWI_LAST, -1, 0),
    KWI_VALUE(describe_producers_state, last_timestamp,           0, KWI_LAST, -1, 0),
    KWI_EVER(describe_producers_state, coordinator_epoch),
    KWI_VALUE(describe_producers_state, current_txn_start_offset, 0, KWI_LAST, -1, 0));
KWI_PART_TABLE(describe_producers_partition,
    KWI_EVER(describe_producers_partition, partition_index, error_code),
    KWI_MAYBE_FROM(describe_producers_partition, error_message, 0),
    KWI_LIST_FROM(describe_producers_partition, active_producers, describe_producers_state, 0));
KWI_PART_TABLE(describe_producers_response_topic,
    KWI_EVER(describe_producers_response_topic, name),
    KWI_LIST_FROM(describe_producers_response_topic, partitions, describe_producers_partition, 0));
KWI_TABLE(describe_producers_response, 0, 0, 0,
    KWI_EVER(describe_producers_response, throttle_time_ms),
    KWI_LIST_FROM(describe_producers_response, topics, describe_producers_response_topic, 0));
KWI_TABLE(describe_transactions_request, 0, 0, 0,
    KWI_PLAIN(describe_transactions_request, transactional_ids, str, 0, KWI_LAST, 0));
KWI_PART_TABLE(describe_transactions_topic,
    KWI_EVER(describe_transactions_topic, topic),
    KWI_PLAIN(describe_transactions_topic, partitions, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(describe_transactions_state,
    KWI_EVER(describe_transactions_state, error_code, transactional_id, transaction_state,
             transaction_timeout_ms, transaction_start_time_ms, producer_id),
    KWI_EVER(describe_transactions_state, producer_epoch),
    KWI_LIST_FROM(describe_transactions_state, topics, describe_transactions_topic, 0));
KWI_TABLE(describe_transactions_response, 0, 0, 0,
    KWI_EVER(describe_transactions_response, throttle_time_ms),
    KWI_LIST_FROM(describe_transactions_response, transaction_states,
                  describe_transactions_state, 0));
KWI_TABLE(list_transactions_request, 0, 2, 0,
    KWI_PLAIN(list_transactions_request, state_filters,       str, 0, KWI_LAST, 0),
    KWI_PLAIN(list_transactions_request, producer_id_filters, i64, 0, KWI_LAST, 0),
    KWI_VALUE(list_transactions_request, duration_filter,          1, KWI_LAST, -1, 0),
    KWI_MAYBE_FROM(list_transactions_request, transactional_id_pattern, 2));
KWI_PART_TABLE(list_transactions_state,
    KWI_EVER(list_transactions_state, transactional_id, producer_id, transaction_state));
KWI_TABLE(list_transactions_response, 0, 2, 0,
    KWI_EVER(list_transactions_response, throttle_time_ms, error_code),
    KWI_PLAIN(list_transactions_response, unknown_state_filters, str, 0, KWI_LAST, 0),
    KWI_LIST_FROM(list_transactions_response, transaction_states, list_transactions_state, 0));
