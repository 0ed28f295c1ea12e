/* proto/streams_group.h -- groups of Kafka Streams (KIP-1071): StreamsGroupHeartbeat
 * (88), StreamsGroupDescribe (89), StreamsGroupTopologyDescriptionUpdate (93). */
#ifndef KWI_STREAMS_GROUP_H
#define KWI_STREAMS_GROUP_H
#include "proto/schema.h"

struct kw_streams_key_value {
    struct kw_str key, value;
};
struct kw_streams_topic_info {
    struct kw_str name;
    int32_t partitions;          /* 0: as many as its source has */
    int16_t replication_factor;  /* 0: the broker's default */
    struct kw_arr topic_configs; /* of kw_streams_key_value */
};
struct kw_streams_tasks {
    struct kw_str subtopology_id;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_streams_task_offset {
    struct kw_str subtopology_id;
    int32_t partition;
    int64_t offset;
};

/* Of a member, if it has one; that of a heartbeat's answer is always there. */
struct kw_streams_user_endpoint {
    bool present;
    struct kw_str host;
    uint16_t port;
};
struct kw_streams_endpoint {
    struct kw_str host;
    uint16_t port;
};

/* Indices into the topics of the same subtopology that need equal partitions. */
struct kw_streams_copartition_group {
    struct kw_arr source_topics, source_topic_regex, repartition_source_topics; /* int16_t */
};
struct kw_streams_subtopology {
    struct kw_str subtopology_id;
    struct kw_arr source_topics, source_topic_regex; /* of struct kw_str */
    struct kw_arr state_changelog_topics;            /* of kw_streams_topic_info */
    struct kw_arr repartition_sink_topics;           /* of struct kw_str */
    struct kw_arr repartition_source_topics;         /* of kw_streams_topic_info */
    struct kw_arr copartition_groups;                /* of kw_streams_copartition_group */
};
struct kw_streams_topology {
    bool present;
    int32_t epoch;
    struct kw_arr subtopologies; /* of kw_streams_subtopology */
};

/* Null of a nullable field and -1 of the timeout: unchanged since the last one. */
struct kw_streams_group_heartbeat_request {
    struct kw_str group_id, member_id;
    int32_t member_epoch; /* 0 joins, -1 leaves, -2 leaves for a while */
    int32_t endpoint_information_epoch;
    struct kw_str instance_id, rack_id;
    int32_t rebalance_timeout_ms;
    struct kw_streams_topology topology;
    struct kw_arr active_tasks, standby_tasks, warmup_tasks; /* of kw_streams_tasks */
    struct kw_str process_id;
    struct kw_streams_user_endpoint user_endpoint;
    struct kw_arr client_tags;                    /* of kw_streams_key_value */
    struct kw_arr task_offsets, task_end_offsets; /* of kw_streams_task_offset */
    bool shutdown_application;                    /* asks all members to stop */
};

struct kw_streams_status {
    int8_t status_code;
    struct kw_str status_detail;
};
struct kw_streams_topic_partitions {
    struct kw_str topic;
    struct kw_arr partitions; /* of int32_t */
};
struct kw_streams_endpoint_partitions {
    struct kw_streams_endpoint user_endpoint;
    struct kw_arr active_partitions, standby_partitions; /* of kw_streams_topic_partitions */
};

/* Kafka 4.4 calls the lag of v0 acceptable_recovery_lag_legacy, and that of v1
 * as 4.3 called it, acceptable_recovery_lag. Names here are those of the version. */
struct kw_streams_group_heartbeat_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
    struct kw_str member_id;
    int32_t member_epoch, heartbeat_interval_ms;
    int32_t acceptable_recovery_lag_legacy; /* v0; offsets */
    int32_t task_offset_interval_ms;
    int64_t acceptable_recovery_lag; /* v1+; offsets; -1: the broker does not say */
    struct kw_arr status;            /* of kw_streams_status; null: nothing new */
    struct kw_arr active_tasks, standby_tasks, warmup_tasks; /* null: unchanged */
    bool topology_description_required; /* v1+; send it by the update message */
    int32_t endpoint_information_epoch;
    struct kw_arr partitions_by_user_endpoint; /* of kw_streams_endpoint_partitions; null:
                                                  unchanged */
};
KWI_API(streams_group_heartbeat)

struct kw_streams_group_describe_request {
    struct kw_arr group_ids; /* of struct kw_str */
    bool include_authorized_operations;
    bool include_topology_description; /* v1+ */
};

struct kw_streams_described_subtopology {
    struct kw_str subtopology_id;
    struct kw_arr source_topics, repartition_sink_topics;            /* of struct kw_str */
    struct kw_arr state_changelog_topics, repartition_source_topics; /* kw_streams_topic_info */
};
struct kw_streams_described_topology {
    bool present;
    int32_t epoch;
    struct kw_arr subtopologies; /* of kw_streams_described_subtopology; may be null */
};
struct kw_streams_assignment {
    struct kw_arr active_tasks, standby_tasks, warmup_tasks; /* of kw_streams_tasks */
};
struct kw_streams_member {
    struct kw_str member_id;
    int32_t member_epoch;
    struct kw_str instance_id, rack_id; /* null: none */
    struct kw_str client_id, client_host;
    int32_t topology_epoch;
    struct kw_str process_id;
    struct kw_streams_user_endpoint user_endpoint;
    struct kw_arr client_tags;                    /* of kw_streams_key_value */
    struct kw_arr task_offsets, task_end_offsets; /* of kw_streams_task_offset */
    struct kw_streams_assignment assignment, target_assignment;
    bool is_classic;
};

/* node_type: 1 source, 2 processor, 3 sink. */
struct kw_streams_node {
    struct kw_str name;
    int8_t node_type;
    struct kw_arr source_topics;      /* of struct kw_str; a source's */
    struct kw_str sink_topic;         /* a sink's; null: not known beforehand */
    struct kw_arr stores, successors; /* of struct kw_str */
};
struct kw_streams_described_nodes {
    struct kw_str subtopology_id;
    struct kw_arr nodes; /* of kw_streams_node */
};
struct kw_streams_global_store {
    struct kw_streams_node source, processor;
};

/* In a description it may be absent, in an update it is always there. */
struct kw_streams_topology_description {
    bool present;
    struct kw_arr subtopologies; /* of kw_streams_described_nodes */
    struct kw_arr global_stores; /* of kw_streams_global_store */
};
struct kw_streams_described {
    int16_t error_code;
    struct kw_str error_message, group_id, group_state; /* the first may be null */
    int32_t group_epoch, assignment_epoch;
    struct kw_streams_described_topology topology;
    struct kw_arr members;         /* of kw_streams_member */
    int32_t authorized_operations; /* bit set; INT32_MIN: not asked for */
    struct kw_streams_topology_description topology_description; /* v1+ */
    int8_t topology_description_status; /* v1+; 0 not asked, 1 not stored, 2 error, 3 present */
    struct kw_str assignor_name;        /* v1+; null on error */
};
struct kw_streams_group_describe_response {
    int32_t throttle_time_ms;
    struct kw_arr groups; /* of kw_streams_described */
};
KWI_API(streams_group_describe)

struct kw_streams_new_topology_description {
    struct kw_arr subtopologies; /* of kw_streams_described_nodes */
    struct kw_arr global_stores; /* of kw_streams_global_store */
};
struct kw_streams_group_topology_description_update_request {
    struct kw_str group_id, member_id;
    int32_t topology_epoch;
    struct kw_streams_new_topology_description topology_description;
};

struct kw_streams_group_topology_description_update_response {
    int32_t throttle_time_ms;
    int16_t error_code;
    struct kw_str error_message; /* null if none */
};
KWI_API(streams_group_topology_description_update)

KWI_PARTS(streams_key_value, streams_topic_info, streams_tasks, streams_task_offset)
KWI_PARTS(streams_user_endpoint, streams_endpoint, streams_copartition_group, streams_subtopology)
KWI_PARTS(streams_topology, streams_status, streams_topic_partitions, streams_endpoint_partitions)
KWI_PARTS(streams_described_subtopology, streams_described_topology, streams_assignment)
KWI_PARTS(streams_member, streams_node, streams_described_nodes, streams_global_store)
KWI_PARTS(streams_topology_description, streams_described, streams_new_topology_description)

#endif
