/* proto/epochs.c -- OffsetForLeaderEpoch, api key 23, versions 2 to 4.
 *
 * Where the log of a leader's epoch ended: a consumer whose position lies beyond
 * has read what an unclean election took back (KIP-320).
 *
 *   v2  current_leader_epoch; needs the right over the cluster; the lowest that
 *       brokers since 4.0 accept (KIP-896)
 *   v3  replica_id; the right to describe the topic is enough (KIP-392)
 *   v4  flexible (KIP-482)
 */
#include "proto/epochs.h"

/* clang-format off */
KWI_PART_TABLE(offset_for_leader_epoch_request_partition,
    KWI_EVER(offset_for_leader_epoch_request_partition, partition),
    KWI_VALUE(offset_for_leader_epoch_request_partition, current_leader_epoch, 2, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_EVER(offset_for_leader_epoch_request_partition, leader_epoch));
KWI_PART_TABLE(offset_for_leader_epoch_request_topic,
    KWI_EVER(offset_for_leader_epoch_request_topic, topic),
    KWI_LIST_FROM(offset_for_leader_epoch_request_topic, partitions,
                  offset_for_leader_epoch_request_partition, 0));
KWI_TABLE(offset_for_leader_epoch_request, 2, 4, 4,
    KWI_VALUE(offset_for_leader_epoch_request, replica_id, 3, KWI_LAST, -2, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_for_leader_epoch_request, topics, offset_for_leader_epoch_request_topic,
                  0));
KWI_PART_TABLE(offset_for_leader_epoch_response_partition,
    KWI_EVER(offset_for_leader_epoch_response_partition, error_code, partition),
    KWI_VALUE(offset_for_leader_epoch_response_partition, leader_epoch, 1, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_VALUE(offset_for_leader_epoch_response_partition, end_offset,   0, KWI_LAST, -1, 0));
KWI_PART_TABLE(offset_for_leader_epoch_response_topic,
    KWI_EVER(offset_for_leader_epoch_response_topic, topic),
    KWI_LIST_FROM(offset_for_leader_epoch_response_topic, partitions,
                  offset_for_leader_epoch_response_partition, 0));
KWI_TABLE(offset_for_leader_epoch_response, 2, 4, 4,
    KWI_VALUE(offset_for_leader_epoch_response, throttle_time_ms, 2, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_for_leader_epoch_response, topics,
                  offset_for_leader_epoch_response_topic, 0));
