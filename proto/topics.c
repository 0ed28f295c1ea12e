/* proto/topics.c -- CreateTopics, api key 19, versions 2 to 7, and DeleteTopics,
 * api key 20, versions 1 to 6.
 *
 * CreateTopics. A timeout does not mean that the topic will not appear.
 *   v2  throttle_time_ms; the lowest that brokers since 4.0 accept (KIP-896)
 *   v3  brokers answer before they throttle (KIP-219)
 *   v4  partitions and replication factor may be -1: broker's default (KIP-464)
 *   v5  flexible (KIP-482); response describes what was created (KIP-525)
 *   v6  THROTTLING_QUOTA_EXCEEDED may come back (KIP-599)
 *   v7  response gains topic_id (KIP-516)
 *
 * DeleteTopics.
 *   v1  throttle_time_ms
 *   v2  brokers answer before they throttle (KIP-219)
 *   v3  TOPIC_DELETION_DISABLED may come back (KIP-322)
 *   v4  flexible (KIP-482)
 *   v5  error_message, THROTTLING_QUOTA_EXCEEDED (KIP-599)
 *   v6  topics by id or name replace topic_names (KIP-516)
 */
#include "proto/topics.h"

/* clang-format off */
KWI_PART_TABLE(create_topics_request_assignment,
    KWI_EVER(create_topics_request_assignment, partition_index),
    KWI_PLAIN(create_topics_request_assignment, broker_ids, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(create_topics_request_config,
    KWI_EVER(create_topics_request_config, name),
    KWI_MAYBE(create_topics_request_config, value, 0, KWI_LAST, 0, 0, 0));
KWI_PART_TABLE(create_topics_request_topic,
    KWI_EVER(create_topics_request_topic, name, num_partitions, replication_factor),
    KWI_LIST_FROM(create_topics_request_topic, assignments, create_topics_request_assignment, 0),
    KWI_LIST_FROM(create_topics_request_topic, configs, create_topics_request_config, 0));
KWI_TABLE(create_topics_request, 2, 7, 5,
    KWI_LIST_FROM(create_topics_request, topics, create_topics_request_topic, 0),
    KWI_VALUE(create_topics_request, timeout_ms,    0, KWI_LAST, 60000, 0),
    KWI_VALUE(create_topics_request, validate_only, 1, KWI_LAST, 0, 0));
KWI_PART_TABLE(create_topics_response_config,
    KWI_VALUE(create_topics_response_config, name,          5, KWI_LAST, 0, 0),
    KWI_MAYBE(create_topics_response_config, value,         5, KWI_LAST, 5, 0, 0),
    KWI_VALUE(create_topics_response_config, read_only,     5, KWI_LAST, 0, 0),
    KWI_VALUE(create_topics_response_config, config_source, 5, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_VALUE(create_topics_response_config, is_sensitive,  5, KWI_LAST, 0, 0));
KWI_PART_TABLE(create_topics_response_topic,
    KWI_EVER(create_topics_response_topic, name),
    KWI_VALUE(create_topics_response_topic, topic_id,      7, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_EVER(create_topics_response_topic, error_code),
    KWI_MAYBE(create_topics_response_topic, error_message, 1, KWI_LAST, 0, 0, KWI_IGNORABLE),
    KWI_TAG(create_topics_response_topic, topic_config_error_code, 0, 5, KWI_LAST, KWI_NOT_NULL, 0,
            KWI_IGNORABLE),
    KWI_VALUE(create_topics_response_topic, num_partitions,     5, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_VALUE(create_topics_response_topic, replication_factor, 5, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_LIST(create_topics_response_topic, configs, create_topics_response_config, 5, KWI_LAST, 5,
             0, KWI_IGNORABLE));
KWI_TABLE(create_topics_response, 2, 7, 5,
    KWI_VALUE(create_topics_response, throttle_time_ms, 2, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(create_topics_response, topics, create_topics_response_topic, 0));
KWI_PART_TABLE(delete_topics_request_topic,
    KWI_MAYBE(delete_topics_request_topic, name,     6, KWI_LAST, 6, KWI_NULL, 0),
    KWI_VALUE(delete_topics_request_topic, topic_id, 6, KWI_LAST, 0, 0));
KWI_TABLE(delete_topics_request, 1, 6, 4,
    KWI_LIST_FROM(delete_topics_request, topics, delete_topics_request_topic, 6),
    KWI_PLAIN(delete_topics_request, topic_names, str, 0, 5, KWI_IGNORABLE),
    KWI_EVER(delete_topics_request, timeout_ms));
KWI_PART_TABLE(delete_topics_response_topic,
    KWI_MAYBE(delete_topics_response_topic, name,          0, KWI_LAST, 6, 0, 0),
    KWI_VALUE(delete_topics_response_topic, topic_id,      6, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_EVER(delete_topics_response_topic, error_code),
    KWI_MAYBE(delete_topics_response_topic, error_message, 5, KWI_LAST, 5, KWI_NULL,
              KWI_IGNORABLE));
KWI_TABLE(delete_topics_response, 1, 6, 4,
    KWI_VALUE(delete_topics_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(delete_topics_response, responses, delete_topics_response_topic, 0));
