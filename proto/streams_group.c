/* proto/streams_group.c -- groups of Kafka Streams, whose coordinator assigns
 * tasks (KIP-1071). All versions are flexible.
 *
 * StreamsGroupHeartbeat, api key 88, versions 0 and 1: joins, leaves, tells the
 * topology and what is owned, brings the tasks.
 *   v1  the coordinator may ask for a description of the topology (KIP-1331); a
 *       wider lag; new in Kafka 4.4
 *
 * StreamsGroupDescribe, api key 89, versions 0 and 1, to the coordinator.
 *   v1  topology_description (KIP-1331), assignor_name (KIP-1357); Kafka 4.4
 *
 * StreamsGroupTopologyDescriptionUpdate, api key 93, version 0: hands in what a
 * heartbeat asked for (KIP-1331); Kafka 4.4.
 */
#include "proto/streams_group.h"

/* clang-format off */
KWI_PART_TABLE(streams_key_value, KWI_EVER(streams_key_value, key, value));
KWI_PART_TABLE(streams_topic_info,
    KWI_EVER(streams_topic_info, name, partitions, replication_factor),
    KWI_LIST_FROM(streams_topic_info, topic_configs, streams_key_value, 0));
KWI_PART_TABLE(streams_tasks,
    KWI_EVER(streams_tasks, subtopology_id),
    KWI_PLAIN(streams_tasks, partitions, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(streams_task_offset,
    KWI_EVER(streams_task_offset, subtopology_id, partition, offset));
KWI_PART_TABLE(streams_user_endpoint, KWI_EVER(streams_user_endpoint, host, port));
KWI_PART_TABLE(streams_endpoint, KWI_EVER(streams_endpoint, host, port));
KWI_PART_TABLE(streams_copartition_group,
    KWI_PLAIN(streams_copartition_group, source_topics,             i16, 0, KWI_LAST, 0),
    KWI_PLAIN(streams_copartition_group, source_topic_regex,        i16, 0, KWI_LAST, 0),
    KWI_PLAIN(streams_copartition_group, repartition_source_topics, i16, 0, KWI_LAST, 0));
KWI_PART_TABLE(streams_subtopology,
    KWI_EVER(streams_subtopology, subtopology_id),
    KWI_PLAIN(streams_subtopology, source_topics,      str, 0, KWI_LAST, 0),
    KWI_PLAIN(streams_subtopology, source_topic_regex, str, 0, KWI_LAST, 0),
    KWI_LIST_FROM(streams_subtopology, state_changelog_topics, streams_topic_info, 0),
    KWI_PLAIN(streams_subtopology, repartition_sink_topics, str, 0, KWI_LAST, 0),
    KWI_LIST_FROM(streams_subtopology, repartition_source_topics, streams_topic_info, 0),
    KWI_LIST_FROM(streams_subtopology, copartition_groups, streams_copartition_group, 0));
KWI_PART_TABLE(streams_topology,
    KWI_EVER(streams_topology, epoch),
    KWI_LIST_FROM(streams_topology, subtopologies, streams_subtopology, 0));
KWI_TABLE(streams_group_heartbeat_request, 0, 1, 0,
    KWI_EVER(streams_group_heartbeat_request, group_id, member_id, member_epoch,
             endpoint_information_epoch),
    KWI_MAYBE_FROM(streams_group_heartbeat_request, instance_id, 0),
    KWI_MAYBE_FROM(streams_group_heartbeat_request, rack_id, 0),
    KWI_VALUE(streams_group_heartbeat_request, rebalance_timeout_ms, 0, KWI_LAST, -1, 0),
    KWI_ONE_MAYBE(streams_group_heartbeat_request, topology, streams_topology, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_request, active_tasks, streams_tasks, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_request, standby_tasks, streams_tasks, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_request, warmup_tasks, streams_tasks, 0),
    KWI_MAYBE_FROM(streams_group_heartbeat_request, process_id, 0),
    KWI_ONE_MAYBE(streams_group_heartbeat_request, user_endpoint, streams_user_endpoint, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_request, client_tags, streams_key_value, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_request, task_offsets, streams_task_offset, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_request, task_end_offsets, streams_task_offset, 0),
    KWI_EVER(streams_group_heartbeat_request, shutdown_application));
KWI_PART_TABLE(streams_status, KWI_EVER(streams_status, status_code, status_detail));
KWI_PART_TABLE(streams_topic_partitions,
    KWI_EVER(streams_topic_partitions, topic),
    KWI_PLAIN(streams_topic_partitions, partitions, i32, 0, KWI_LAST, 0));
KWI_PART_TABLE(streams_endpoint_partitions,
    KWI_ONE_FROM(streams_endpoint_partitions, user_endpoint, streams_endpoint, 0),
    KWI_LIST_FROM(streams_endpoint_partitions, active_partitions, streams_topic_partitions, 0),
    KWI_LIST_FROM(streams_endpoint_partitions, standby_partitions, streams_topic_partitions, 0));
KWI_TABLE(streams_group_heartbeat_response, 0, 1, 0,
    KWI_EVER(streams_group_heartbeat_response, throttle_time_ms, error_code),
    KWI_MAYBE_FROM(streams_group_heartbeat_response, error_message, 0),
    KWI_EVER(streams_group_heartbeat_response, member_id, member_epoch, heartbeat_interval_ms),
    KWI_NAMED("acceptable_recovery_lag", streams_group_heartbeat_response,
              acceptable_recovery_lag_legacy, 0, 0),
    KWI_EVER(streams_group_heartbeat_response, task_offset_interval_ms),
    KWI_VALUE(streams_group_heartbeat_response, acceptable_recovery_lag, 1, KWI_LAST, -1,
              KWI_IGNORABLE),
    KWI_LIST(streams_group_heartbeat_response, status, streams_status, 0, KWI_LAST, 0, 0, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_response, active_tasks, streams_tasks, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_response, standby_tasks, streams_tasks, 0),
    KWI_LIST_MAYBE(streams_group_heartbeat_response, warmup_tasks, streams_tasks, 0),
    KWI_VALUE(streams_group_heartbeat_response, topology_description_required, 1, KWI_LAST, 0, 0),
    KWI_EVER(streams_group_heartbeat_response, endpoint_information_epoch),
    KWI_LIST_MAYBE(streams_group_heartbeat_response, partitions_by_user_endpoint,
                   streams_endpoint_partitions, 0));
KWI_TABLE(streams_group_describe_request, 0, 1, 0,
    KWI_PLAIN(streams_group_describe_request, group_ids, str, 0, KWI_LAST, 0),
    KWI_EVER(streams_group_describe_request, include_authorized_operations),
    KWI_VALUE(streams_group_describe_request, include_topology_description,  1, KWI_LAST, 0, 0));
KWI_PART_TABLE(streams_described_subtopology,
    KWI_EVER(streams_described_subtopology, subtopology_id),
    KWI_PLAIN(streams_described_subtopology, source_topics,           str, 0, KWI_LAST, 0),
    KWI_PLAIN(streams_described_subtopology, repartition_sink_topics, str, 0, KWI_LAST, 0),
    KWI_LIST_FROM(streams_described_subtopology, state_changelog_topics, streams_topic_info, 0),
    KWI_LIST_FROM(streams_described_subtopology, repartition_source_topics, streams_topic_info, 0));
KWI_PART_TABLE(streams_described_topology,
    KWI_EVER(streams_described_topology, epoch),
    KWI_LIST_MAYBE(streams_described_topology, subtopologies, streams_described_subtopology, 0));
KWI_PART_TABLE(streams_assignment,
    KWI_LIST_FROM(streams_assignment, active_tasks, streams_tasks, 0),
    KWI_LIST_FROM(streams_assignment, standby_tasks, streams_tasks, 0),
    KWI_LIST_FROM(streams_assignment, warmup_tasks, streams_tasks, 0));
KWI_PART_TABLE(streams_member,
    KWI_EVER(streams_member, member_id, member_epoch),
    KWI_MAYBE_FROM(streams_member, instance_id, 0),
    KWI_MAYBE_FROM(streams_member, rack_id, 0),
    KWI_EVER(streams_member, client_id, client_host, topology_epoch, process_id),
    KWI_ONE_MAYBE(streams_member, user_endpoint, streams_user_endpoint, 0),
    KWI_LIST_FROM(streams_member, client_tags, streams_key_value, 0),
    KWI_LIST_FROM(streams_member, task_offsets, streams_task_offset, 0),
    KWI_LIST_FROM(streams_member, task_end_offsets, streams_task_offset, 0),
    KWI_ONE_FROM(streams_member, assignment, streams_assignment, 0),
    KWI_ONE_FROM(streams_member, target_assignment, streams_assignment, 0),
    KWI_EVER(streams_member, is_classic));
KWI_PART_TABLE(streams_node,
    KWI_EVER(streams_node, name, node_type),
    KWI_PLAIN(streams_node, source_topics, str, 0, KWI_LAST, 0),
    KWI_MAYBE_FROM(streams_node, sink_topic, 0),
    KWI_PLAIN(streams_node, stores,     str, 0, KWI_LAST, 0),
    KWI_PLAIN(streams_node, successors, str, 0, KWI_LAST, 0));
KWI_PART_TABLE(streams_described_nodes,
    KWI_EVER(streams_described_nodes, subtopology_id),
    KWI_LIST_FROM(streams_described_nodes, nodes, streams_node, 0));
KWI_PART_TABLE(streams_global_store,
    KWI_ONE_FROM(streams_global_store, source, streams_node, 0),
    KWI_ONE_FROM(streams_global_store, processor, streams_node, 0));
KWI_PART_TABLE(streams_topology_description,
    KWI_LIST_FROM(streams_topology_description, subtopologies, streams_described_nodes, 1),
    KWI_LIST_FROM(streams_topology_description, global_stores, streams_global_store, 1));
KWI_PART_TABLE(streams_described,
    KWI_EVER(streams_described, error_code),
    KWI_MAYBE_FROM(streams_described, error_message, 0),
    KWI_EVER(streams_described, group_id, group_state, group_epoch, assignment_epoch),
    KWI_ONE_MAYBE(streams_described, topology, streams_described_topology, 0),
    KWI_LIST_FROM(streams_described, members, streams_member, 0),
    KWI_VALUE(streams_described, authorized_operations, 0, KWI_LAST, INT32_MIN, 0),
    KWI_ONE_MAYBE(streams_described, topology_description, streams_topology_description, 1),
    KWI_VALUE(streams_described, topology_description_status, 1, KWI_LAST, 0, 0),
    KWI_MAYBE(streams_described, assignor_name, 1, KWI_LAST, 1, KWI_NULL, KWI_IGNORABLE));
KWI_TABLE(streams_group_describe_response, 0, 1, 0,
    KWI_EVER(streams_group_describe_response, throttle_time_ms),
    KWI_LIST_FROM(streams_group_describe_response, groups, streams_described, 0));
KWI_PART_TABLE(streams_new_topology_description,
    KWI_LIST_FROM(streams_new_topology_description, subtopologies, streams_described_nodes, 0),
    KWI_LIST_FROM(streams_new_topology_description, global_stores, streams_global_store, 0));
KWI_TABLE(streams_group_topology_description_update_request, 0, 0, 0,
    KWI_EVER(streams_group_topology_description_update_request, group_id, member_id,
             topology_epoch),
    KWI_ONE_FROM(streams_group_topology_description_update_request, topology_description,
                 streams_new_topology_description, 0));
KWI_TABLE(streams_group_topology_description_update_response, 0, 0, 0,
    KWI_EVER(streams_group_topology_description_update_response, throttle_time_ms, error_code),
    KWI_MAYBE_FROM(streams_group_topology_description_update_response, error_message, 0));
