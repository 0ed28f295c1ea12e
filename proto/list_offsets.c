/* proto/list_offsets.c -- ListOffsets, api key 2, versions 1 to 11.
 *
 * Asks a partition's leader for the offset of a time, or of the log's ends.
 *
 *   v1  one offset per partition (KIP-79); the lowest that brokers since 4.0
 *       accept (KIP-896)
 *   v2  isolation_level, throttle_time_ms (KIP-98)
 *   v3  brokers answer before they throttle (KIP-219)
 *   v4  leader epochs, both ways (KIP-320)
 *   v5  OFFSET_NOT_AVAILABLE may come back (KIP-207)
 *   v6  flexible (KIP-482)
 *   v7  timestamp -3: the record with the highest timestamp (KIP-734)
 *   v8  -4: the earliest offset that is on local disk (KIP-405)
 *   v9  -5: the end of the tiered part (KIP-1005)
 *   v10 timeout_ms, for look-ups in remote storage (KIP-1075)
 *   v11 -6: the earliest offset that awaits upload (KIP-1023)
 */
#include "proto/list_offsets.h"

/* clang-format off */
KWI_PART_TABLE(list_offsets_request_partition,
    KWI_EVER(list_offsets_request_partition, partition_index),
    KWI_VALUE(list_offsets_request_partition, current_leader_epoch, 4, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_EVER(list_offsets_request_partition, timestamp));
KWI_PART_TABLE(list_offsets_request_topic,
    KWI_EVER(list_offsets_request_topic, name),
    KWI_LIST_FROM(list_offsets_request_topic, partitions, list_offsets_request_partition, 0));
KWI_TABLE(list_offsets_request, 1, 11, 6,
    KWI_EVER(list_offsets_request, replica_id),
    KWI_VALUE(list_offsets_request, isolation_level, 2, KWI_LAST, 0, 0),
    KWI_LIST_FROM(list_offsets_request, topics, list_offsets_request_topic, 0),
    KWI_VALUE(list_offsets_request, timeout_ms, 10, KWI_LAST, 0, KWI_IGNORABLE));
KWI_PART_TABLE(list_offsets_response_partition,
    KWI_EVER(list_offsets_response_partition, partition_index, error_code),
    KWI_VALUE(list_offsets_response_partition, timestamp,       1, KWI_LAST, -1, 0),
    KWI_VALUE(list_offsets_response_partition, offset,          1, KWI_LAST, -1, 0),
    KWI_VALUE(list_offsets_response_partition, leader_epoch,    4, KWI_LAST, -1, 0));
KWI_PART_TABLE(list_offsets_response_topic,
    KWI_EVER(list_offsets_response_topic, name),
    KWI_LIST_FROM(list_offsets_response_topic, partitions, list_offsets_response_partition, 0));
KWI_TABLE(list_offsets_response, 1, 11, 6,
    KWI_VALUE(list_offsets_response, throttle_time_ms, 2, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(list_offsets_response, topics, list_offsets_response_topic, 0));
