/* proto/txn.c -- a producer's transaction (KIP-98). Versions 1 of all of them:
 * brokers answer before they throttle (KIP-219).
 *
 * AddPartitionsToTxn, api key 24, versions 0 to 5: before the first batch to a
 * partition. Clients use up to v3, brokers the versions above.
 *   v2  PRODUCER_FENCED may come back (KIP-588)
 *   v3  flexible (KIP-482)
 *   v4  several transactions, verify_only (KIP-890)
 *   v5  TRANSACTION_ABORTABLE (KIP-890)
 *
 * AddOffsetsToTxn, api key 25, versions 0 to 4: before TxnOffsetCommit.
 *   v2 PRODUCER_FENCED, v3 flexible, v4 TRANSACTION_ABORTABLE
 *
 * EndTxn, api key 26, versions 0 to 5.
 *   v2 PRODUCER_FENCED, v3 flexible, v4 TRANSACTION_ABORTABLE
 *   v5  hands out the epoch of the next transaction; only where the cluster has
 *       transaction.version 2 (KIP-890, part 2)
 *
 * TxnOffsetCommit, api key 28, versions 0 to 6: to the group's coordinator.
 *   v2  committed_leader_epoch (KIP-320)
 *   v3  flexible; the group's member, so that a zombie is fenced (KIP-447)
 *   v4  TRANSACTION_ABORTABLE (KIP-890)
 *   v5  adds the group to the transaction implicitly (KIP-890, part 2)
 *   v6  topic ids replace names (KIP-1319); new in Kafka 4.4
 */
#include "proto/txn.h"

/* clang-format off */
KWI_PART_TABLE(add_partitions_to_txn_topic,
    KWI_EVER(add_partitions_to_txn_topic, name),
    KWI_PLAIN(add_partitions_to_txn_topic, partitions, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(add_partitions_to_txn_transaction,
    KWI_VALUE(add_partitions_to_txn_transaction, transactional_id, 4, KWI_LAST, 0, 0),
    KWI_VALUE(add_partitions_to_txn_transaction, producer_id,      4, KWI_LAST, 0, 0),
    KWI_VALUE(add_partitions_to_txn_transaction, producer_epoch,   4, KWI_LAST, 0, 0),
    KWI_VALUE(add_partitions_to_txn_transaction, verify_only,      4, KWI_LAST, 0, 0),
    KWI_LIST_FROM(add_partitions_to_txn_transaction, topics, add_partitions_to_txn_topic, 4));
KWI_TABLE(add_partitions_to_txn_request, 0, 5, 3,
    KWI_LIST_FROM(add_partitions_to_txn_request, transactions, add_partitions_to_txn_transaction,
                  4),
    KWI_VALUE(add_partitions_to_txn_request, v3_and_below_transactional_id, 0, 3, 0, 0),
    KWI_VALUE(add_partitions_to_txn_request, v3_and_below_producer_id,      0, 3, 0, 0),
    KWI_VALUE(add_partitions_to_txn_request, v3_and_below_producer_epoch,   0, 3, 0, 0),
    KWI_LIST(add_partitions_to_txn_request, v3_and_below_topics, add_partitions_to_txn_topic, 0, 3,
             KWI_NOT_NULL, 0, 0));
KWI_PART_TABLE(add_partitions_to_txn_partition_result,
    KWI_EVER(add_partitions_to_txn_partition_result, partition_index, partition_error_code));
KWI_PART_TABLE(add_partitions_to_txn_topic_result,
    KWI_EVER(add_partitions_to_txn_topic_result, name),
    KWI_LIST_FROM(add_partitions_to_txn_topic_result, results_by_partition,
                  add_partitions_to_txn_partition_result, 0));
KWI_PART_TABLE(add_partitions_to_txn_result,
    KWI_VALUE(add_partitions_to_txn_result, transactional_id, 4, KWI_LAST, 0, 0),
    KWI_LIST_FROM(add_partitions_to_txn_result, topic_results,
                  add_partitions_to_txn_topic_result, 4));
KWI_TABLE(add_partitions_to_txn_response, 0, 5, 3,
    KWI_EVER(add_partitions_to_txn_response, throttle_time_ms),
    KWI_VALUE(add_partitions_to_txn_response, error_code,       4, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(add_partitions_to_txn_response, results_by_transaction,
                  add_partitions_to_txn_result, 4),
    KWI_LIST(add_partitions_to_txn_response, results_by_topic_v3_and_below,
             add_partitions_to_txn_topic_result, 0, 3, KWI_NOT_NULL, 0, 0));
KWI_TABLE(add_offsets_to_txn_request, 0, 4, 3,
    KWI_EVER(add_offsets_to_txn_request, transactional_id, producer_id, producer_epoch, group_id));
KWI_TABLE(add_offsets_to_txn_response, 0, 4, 3,
    KWI_EVER(add_offsets_to_txn_response, throttle_time_ms, error_code));
KWI_TABLE(end_txn_request, 0, 5, 3,
    KWI_EVER(end_txn_request, transactional_id, producer_id, producer_epoch, committed));
KWI_TABLE(end_txn_response, 0, 5, 3,
    KWI_EVER(end_txn_response, throttle_time_ms, error_code),
    KWI_VALUE(end_txn_response, producer_id,      5, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_VALUE(end_txn_response, producer_epoch,   5, KWI_LAST, -1, KWI_IGNORABLE));
KWI_PART_TABLE(txn_offset_commit_request_partition,
    KWI_EVER(txn_offset_commit_request_partition, partition_index, committed_offset),
    KWI_VALUE(txn_offset_commit_request_partition, committed_leader_epoch, 2, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_MAYBE(txn_offset_commit_request_partition, committed_metadata,     0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(txn_offset_commit_request_topic,
    KWI_VALUE(txn_offset_commit_request_topic, name,     0, 5,        0, KWI_IGNORABLE),
    KWI_VALUE(txn_offset_commit_request_topic, topic_id, 6, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(txn_offset_commit_request_topic, partitions,
                  txn_offset_commit_request_partition, 0));
KWI_TABLE(txn_offset_commit_request, 0, 6, 3,
    KWI_EVER(txn_offset_commit_request, transactional_id, group_id, producer_id, producer_epoch),
    KWI_VALUE(txn_offset_commit_request, generation_id,     3, 5, -1, 0),
    KWI_VALUE(txn_offset_commit_request, generation_id_or_member_epoch, 6, KWI_LAST, -1, 0),
    KWI_VALUE(txn_offset_commit_request, member_id,         3, KWI_LAST, 0, 0),
    KWI_MAYBE_FROM(txn_offset_commit_request, group_instance_id, 3),
    KWI_LIST_FROM(txn_offset_commit_request, topics, txn_offset_commit_request_topic, 0));
KWI_PART_TABLE(txn_offset_commit_response_partition,
    KWI_EVER(txn_offset_commit_response_partition, partition_index, error_code));
KWI_PART_TABLE(txn_offset_commit_response_topic,
    KWI_VALUE(txn_offset_commit_response_topic, name,     0, 5,        0, KWI_IGNORABLE),
    KWI_VALUE(txn_offset_commit_response_topic, topic_id, 6, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(txn_offset_commit_response_topic, partitions,
                  txn_offset_commit_response_partition, 0));
KWI_TABLE(txn_offset_commit_response, 0, 6, 3,
    KWI_EVER(txn_offset_commit_response, throttle_time_ms),
    KWI_LIST_FROM(txn_offset_commit_response, topics, txn_offset_commit_response_topic, 0));
