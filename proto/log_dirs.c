/* proto/log_dirs.c -- in which directories of a broker its replicas lie. Both go to
 * the broker itself, not to a leader or controller (KIP-113). Versions 0 went with
 * Kafka 4.0 (KIP-896).
 *
 * AlterReplicaLogDirs, api key 34, versions 1 and 2: moves replicas.
 *   v1  brokers answer before they throttle (KIP-219)
 *   v2  flexible (KIP-482)
 *
 * DescribeLogDirs, api key 35, versions 1 to 5.
 *   v1  brokers answer before they throttle (KIP-219)
 *   v2  flexible (KIP-482)
 *   v3  an error of the whole request, which was an empty answer before
 *   v4  size of the volume and what is free (KIP-827)
 *   v5  is_cordoned (KIP-1066)
 */
#include "proto/log_dirs.h"

/* clang-format off */
KWI_PART_TABLE(alter_replica_log_dirs_request_topic,
    KWI_EVER(alter_replica_log_dirs_request_topic, name),
    KWI_PLAIN(alter_replica_log_dirs_request_topic, partitions, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(alter_replica_log_dirs_request_dir,
    KWI_EVER(alter_replica_log_dirs_request_dir, path),
    KWI_LIST_FROM(alter_replica_log_dirs_request_dir, topics,
                  alter_replica_log_dirs_request_topic, 0));
KWI_TABLE(alter_replica_log_dirs_request, 1, 2, 2,
    KWI_LIST_FROM(alter_replica_log_dirs_request, dirs, alter_replica_log_dirs_request_dir, 0));
KWI_PART_TABLE(alter_replica_log_dirs_response_partition,
    KWI_EVER(alter_replica_log_dirs_response_partition, partition_index, error_code));
KWI_PART_TABLE(alter_replica_log_dirs_response_topic,
    KWI_EVER(alter_replica_log_dirs_response_topic, topic_name),
    KWI_LIST_FROM(alter_replica_log_dirs_response_topic, partitions,
                  alter_replica_log_dirs_response_partition, 0));
KWI_TABLE(alter_replica_log_dirs_response, 1, 2, 2,
    KWI_EVER(alter_replica_log_dirs_response, throttle_time_ms),
    KWI_LIST_FROM(alter_replica_log_dirs_response, results,
                  alter_replica_log_dirs_response_topic, 0));
KWI_PART_TABLE(describe_log_dirs_request_topic,
    KWI_EVER(describe_log_dirs_request_topic, topic),
    KWI_PLAIN(describe_log_dirs_request_topic, partitions, i32, 0, KWI_LAST, 0));
KWI_TABLE(describe_log_dirs_request, 1, 5, 2,
    KWI_LIST(describe_log_dirs_request, topics, describe_log_dirs_request_topic, 0, KWI_LAST, 0, 0,
             0));
KWI_PART_TABLE(describe_log_dirs_response_partition,
    KWI_EVER(describe_log_dirs_response_partition, partition_index, partition_size, offset_lag,
             is_future_key));
KWI_PART_TABLE(describe_log_dirs_response_topic,
    KWI_EVER(describe_log_dirs_response_topic, name),
    KWI_LIST_FROM(describe_log_dirs_response_topic, partitions,
                  describe_log_dirs_response_partition, 0));
KWI_PART_TABLE(describe_log_dirs_response_result,
    KWI_EVER(describe_log_dirs_response_result, error_code, log_dir),
    KWI_LIST_FROM(describe_log_dirs_response_result, topics, describe_log_dirs_response_topic, 0),
    KWI_VALUE(describe_log_dirs_response_result, total_bytes,  4, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_VALUE(describe_log_dirs_response_result, usable_bytes, 4, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_VALUE(describe_log_dirs_response_result, is_cordoned,  5, KWI_LAST, 0, KWI_IGNORABLE));
KWI_TABLE(describe_log_dirs_response, 1, 5, 2,
    KWI_EVER(describe_log_dirs_response, throttle_time_ms),
    KWI_VALUE(describe_log_dirs_response, error_code,       3, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(describe_log_dirs_response, results, describe_log_dirs_response_result, 0));
