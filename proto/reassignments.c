/* proto/reassignments.c -- moving replicas between brokers (KIP-455). Both are
 * flexible from version 0 on and go to the controller.
 *
 * AlterPartitionReassignments, api key 45, versions 0 and 1: begins or cancels.
 *   v1  a request may forbid that the number of replicas changes (KIP-860)
 *
 * ListPartitionReassignments, api key 46, version 0: what is under way.
 */
#include "proto/reassignments.h"

/* clang-format off */
KWI_PART_TABLE(alter_partition_reassignments_request_partition,
    KWI_EVER(alter_partition_reassignments_request_partition, partition_index),
    KWI_PLAIN_MAYBE(alter_partition_reassignments_request_partition, replicas, i32, 0, KWI_LAST, 0,
                    KWI_NULL, 0));
KWI_PART_TABLE(alter_partition_reassignments_request_topic,
    KWI_EVER(alter_partition_reassignments_request_topic, name),
    KWI_LIST_FROM(alter_partition_reassignments_request_topic, partitions,
                  alter_partition_reassignments_request_partition, 0));
KWI_TABLE(alter_partition_reassignments_request, 0, 1, 0,
    KWI_VALUE(alter_partition_reassignments_request, timeout_ms, 0, KWI_LAST, 60000, 0),
    KWI_VALUE(alter_partition_reassignments_request, allow_replication_factor_change, 1, KWI_LAST,
              1, 0),
    KWI_LIST_FROM(alter_partition_reassignments_request, topics,
                  alter_partition_reassignments_request_topic, 0));
KWI_PART_TABLE(alter_partition_reassignments_response_partition,
    KWI_EVER(alter_partition_reassignments_response_partition, partition_index, error_code),
    KWI_MAYBE(alter_partition_reassignments_response_partition, error_message, 0, KWI_LAST, 0, 0,
              0));
KWI_PART_TABLE(alter_partition_reassignments_response_topic,
    KWI_EVER(alter_partition_reassignments_response_topic, name),
    KWI_LIST_FROM(alter_partition_reassignments_response_topic, partitions,
                  alter_partition_reassignments_response_partition, 0));
KWI_TABLE(alter_partition_reassignments_response, 0, 1, 0,
    KWI_EVER(alter_partition_reassignments_response, throttle_time_ms),
    KWI_VALUE(alter_partition_reassignments_response, allow_replication_factor_change, 1, KWI_LAST,
              1, KWI_IGNORABLE),
    KWI_EVER(alter_partition_reassignments_response, error_code),
    KWI_MAYBE(alter_partition_reassignments_response, error_message, 0, KWI_LAST, 0, 0, 0),
    KWI_LIST_FROM(alter_partition_reassignments_response, responses,
                  alter_partition_reassignments_response_topic, 0));
KWI_PART_TABLE(list_partition_reassignments_request_topic,
    KWI_EVER(list_partition_reassignments_request_topic, name),
    KWI_PLAIN(list_partition_reassignments_request_topic, partition_indexes, i32, 0, KWI_LAST, 0));
KWI_TABLE(list_partition_reassignments_request, 0, 0, 0,
    KWI_VALUE(list_partition_reassignments_request, timeout_ms, 0, KWI_LAST, 60000, 0),
    KWI_LIST_MAYBE(list_partition_reassignments_request, topics,
                   list_partition_reassignments_request_topic, 0));
KWI_PART_TABLE(list_partition_reassignments_response_partition,
    KWI_EVER(list_partition_reassignments_response_partition, partition_index),
    KWI_PLAIN(list_partition_reassignments_response_partition, replicas, i32, 0, KWI_LAST, 0),
    KWI_PLAIN(list_partition_reassignments_response_partition, adding_replicas, i32, 0, KWI_LAST,
              0),
    KWI_PLAIN(list_partition_reassignments_response_partition, removing_replicas, i32, 0, KWI_LAST,
              0));
KWI_PART_TABLE(list_partition_reassignments_response_topic,
    KWI_EVER(list_partition_reassignments_response_topic, name),
    KWI_LIST_FROM(list_partition_reassignments_response_topic, partitions,
                  list_partition_reassignments_response_partition, 0));
KWI_TABLE(list_partition_reassignments_response, 0, 0, 0,
    KWI_EVER(list_partition_reassignments_response, throttle_time_ms, error_code),
    KWI_MAYBE(list_partition_reassignments_response, error_message,    0, KWI_LAST, 0, 0, 0),
    KWI_LIST_FROM(list_partition_reassignments_response, topics,
                  list_partition_reassignments_response_topic, 0));
