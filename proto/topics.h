/* proto/topics.h -- CreateTopics (19) and DeleteTopics (20). */
#ifndef KWI_TOPICS_H
#define KWI_TOPICS_H
#include "proto/schema.h"

struct kw_create_topics_request_assignment {
    int32_t partition_index;
    struct kw_arr broker_ids; /* of int32_t */
};
struct kw_create_topics_request_config {
    struct kw_str name, value; /* value may be null */
};
struct kw_create_topics_request_topic {
    struct kw_str name;
    int32_t num_partitions;     /* -1: broker's default, or assignments are given */
    int16_t replication_factor; /* -1: the same */
    struct kw_arr assignments;  /* of kw_create_topics_request_assignment */
    struct kw_arr configs;      /* of kw_create_topics_request_config */
};
struct kw_create_topics_request {
    struct kw_arr topics; /* of kw_create_topics_request_topic */
    int32_t timeout_ms;   /* default 60000 */
    bool validate_only;
};

struct kw_create_topics_response_config {
    struct kw_str name, value; /* value may be null */
    bool read_only;
    int8_t config_source; /* -1 unknown */
    bool is_sensitive;
};
struct kw_create_topics_response_topic {
    struct kw_str name;
    struct kw_uuid topic_id; /* v7+ */
    int16_t error_code;
    struct kw_str error_message;     /* null if none */
    int16_t topic_config_error_code; /* v5+; 29: no right to see the configs */
    int32_t num_partitions;          /* v5+; -1 unknown */
    int16_t replication_factor;      /* v5+; -1 unknown */
    struct kw_arr configs;           /* v5+; of kw_create_topics_response_config; may be null */
};
struct kw_create_topics_response {
    int32_t throttle_time_ms;
    struct kw_arr topics; /* of kw_create_topics_response_topic */
};
KWI_API(create_topics)

struct kw_delete_topics_request_topic {
    struct kw_str name;      /* null when named by id */
    struct kw_uuid topic_id; /* zero when named by name */
};
struct kw_delete_topics_request {
    struct kw_arr topics;      /* v6+; of kw_delete_topics_request_topic */
    struct kw_arr topic_names; /* up to v5; of struct kw_str */
    int32_t timeout_ms;
};

struct kw_delete_topics_response_topic {
    struct kw_str name;      /* v6+ may be null */
    struct kw_uuid topic_id; /* v6+ */
    int16_t error_code;
    struct kw_str error_message; /* v5+; null if none */
};
struct kw_delete_topics_response {
    int32_t throttle_time_ms;
    struct kw_arr responses; /* of kw_delete_topics_response_topic */
};
KWI_API(delete_topics)

KWI_PARTS(create_topics_request_assignment, create_topics_request_config)
KWI_PARTS(create_topics_request_topic, create_topics_response_config, create_topics_response_topic)
KWI_PARTS(delete_topics_request_topic, delete_topics_response_topic)

#endif
