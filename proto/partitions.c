/* proto/partitions.c -- what an administrator does with partitions.
 *
 * DeleteRecords, api key 21, versions 0 to 2: the beginning of a partition; goes to its
 * leader (KIP-107).
 *   v1  brokers answer before they throttle (KIP-219)
 *   v2  flexible (KIP-482)
 *
 * CreatePartitions, api key 37, versions 0 to 3: more partitions, never fewer (KIP-195).
 *   v1  brokers answer before they throttle (KIP-219)
 *   v2  flexible (KIP-482)
 *   v3  THROTTLING_QUOTA_EXCEEDED may come back (KIP-599)
 *
 * ElectLeaders, api key 43, versions 0 to 2: back to the preferred leaders (KIP-183).
 *   v1  unclean elections, an error of the whole request (KIP-460)
 *   v2  flexible (KIP-482)
 *
 * DescribeTopicPartitions, api key 75, version 0: metadata of topics page by page, with
 * the replicas that are eligible as leaders though not in sync (KIP-966). Topics come
 * sorted by name.
 */
#include "proto/partitions.h"

/* clang-format off */
KWI_PART_TABLE(delete_records_request_partition,
    KWI_EVER(delete_records_request_partition, partition_index, offset));
KWI_PART_TABLE(delete_records_request_topic,
    KWI_EVER(delete_records_request_topic, name),
    KWI_LIST_FROM(delete_records_request_topic, partitions, delete_records_request_partition, 0));
KWI_TABLE(delete_records_request, 0, 2, 2,
    KWI_LIST_FROM(delete_records_request, topics, delete_records_request_topic, 0),
    KWI_EVER(delete_records_request, timeout_ms));
KWI_PART_TABLE(delete_records_response_partition,
    KWI_EVER(delete_records_response_partition, partition_index, low_watermark, error_code));
KWI_PART_TABLE(delete_records_response_topic,
    KWI_EVER(delete_records_response_topic, name),
    KWI_LIST_FROM(delete_records_response_topic, partitions, delete_records_response_partition, 0));
KWI_TABLE(delete_records_response, 0, 2, 2,
    KWI_EVER(delete_records_response, throttle_time_ms),
    KWI_LIST_FROM(delete_records_response, topics, delete_records_response_topic, 0));
KWI_PART_TABLE(create_partitions_request_assignment,
    KWI_PLAIN(create_partitions_request_assignment, broker_ids, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(create_partitions_request_topic,
    KWI_EVER(create_partitions_request_topic, name, count),
    KWI_LIST(create_partitions_request_topic, assignments, create_partitions_request_assignment, 0,
             KWI_LAST, 0, 0, 0));
KWI_TABLE(create_partitions_request, 0, 3, 2,
    KWI_LIST_FROM(create_partitions_request, topics, create_partitions_request_topic, 0),
    KWI_EVER(create_partitions_request, timeout_ms, validate_only));
KWI_PART_TABLE(create_partitions_response_result,
    KWI_EVER(create_partitions_response_result, name, error_code),
    KWI_MAYBE(create_partitions_response_result, error_message, 0, KWI_LAST, 0, KWI_NULL, 0));
KWI_TABLE(create_partitions_response, 0, 3, 2,
    KWI_EVER(create_partitions_response, throttle_time_ms),
    KWI_LIST_FROM(create_partitions_response, results, create_partitions_response_result, 0));
KWI_PART_TABLE(elect_leaders_request_topic,
    KWI_EVER(elect_leaders_request_topic, topic),
    KWI_PLAIN(elect_leaders_request_topic, partitions, i32, 0, KWI_LAST, 0));
KWI_TABLE(elect_leaders_request, 0, 2, 2,
    KWI_VALUE(elect_leaders_request, election_type, 1, KWI_LAST, 0, 0),
    KWI_LIST(elect_leaders_request, topic_partitions, elect_leaders_request_topic, 0, KWI_LAST, 0,
             0, 0),
    KWI_VALUE(elect_leaders_request, timeout_ms, 0, KWI_LAST, 60000, 0));
KWI_PART_TABLE(elect_leaders_response_partition,
    KWI_EVER(elect_leaders_response_partition, partition_id, error_code),
    KWI_MAYBE(elect_leaders_response_partition, error_message, 0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(elect_leaders_response_topic,
    KWI_EVER(elect_leaders_response_topic, topic),
    KWI_LIST_FROM(elect_leaders_response_topic, partition_result,
                  elect_leaders_response_partition, 0));
KWI_TABLE(elect_leaders_response, 0, 2, 2,
    KWI_EVER(elect_leaders_response, throttle_time_ms),
    KWI_VALUE(elect_leaders_response, error_code,       1, KWI_LAST, 0, 0),
    KWI_LIST_FROM(elect_leaders_response, replica_election_results,
                  elect_leaders_response_topic, 0));
KWI_PART_TABLE(describe_topic_partitions_request_topic,
    KWI_EVER(describe_topic_partitions_request_topic, name));
KWI_PART_TABLE(describe_topic_partitions_cursor,
    KWI_EVER(describe_topic_partitions_cursor, topic_name, partition_index));
KWI_TABLE(describe_topic_partitions_request, 0, 0, 0,
    KWI_LIST_FROM(describe_topic_partitions_request, topics,
                  describe_topic_partitions_request_topic, 0),
    KWI_VALUE(describe_topic_partitions_request, response_partition_limit, 0, KWI_LAST, 2000, 0),
    KWI_ONE_MAYBE(describe_topic_partitions_request, cursor, describe_topic_partitions_cursor, 0));
KWI_PART_TABLE(describe_topic_partitions_response_partition,
    KWI_EVER(describe_topic_partitions_response_partition, error_code, partition_index, leader_id),
    KWI_VALUE(describe_topic_partitions_response_partition, leader_epoch, 0, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_PLAIN(describe_topic_partitions_response_partition, replica_nodes, i32, 0, KWI_LAST, 0),
    KWI_PLAIN(describe_topic_partitions_response_partition, isr_nodes,     i32, 0, KWI_LAST, 0),
    KWI_PLAIN_MAYBE(describe_topic_partitions_response_partition, eligible_leader_replicas, i32, 0,
                    KWI_LAST, 0, KWI_NULL, 0),
    KWI_PLAIN_MAYBE(describe_topic_partitions_response_partition, last_known_elr, i32, 0, KWI_LAST,
                    0, KWI_NULL, 0),
    KWI_PLAIN(describe_topic_partitions_response_partition, offline_replicas, i32, 0, KWI_LAST,
              KWI_IGNORABLE));
KWI_PART_TABLE(describe_topic_partitions_response_topic,
    KWI_EVER(describe_topic_partitions_response_topic, error_code),
    KWI_MAYBE(describe_topic_partitions_response_topic, name,        0, KWI_LAST, 0, 0, 0),
    KWI_VALUE(describe_topic_partitions_response_topic, topic_id,    0, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(describe_topic_partitions_response_topic, is_internal, 0, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(describe_topic_partitions_response_topic, partitions,
                  describe_topic_partitions_response_partition, 0),
    KWI_VALUE(describe_topic_partitions_response_topic, topic_authorized_operations, 0, KWI_LAST,
              INT32_MIN, 0));
KWI_TABLE(describe_topic_partitions_response, 0, 0, 0,
    KWI_VALUE(describe_topic_partitions_response, throttle_time_ms, 0, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(describe_topic_partitions_response, topics,
                  describe_topic_partitions_response_topic, 0),
    KWI_ONE_MAYBE(describe_topic_partitions_response, next_cursor,
                  describe_topic_partitions_cursor, 0));
