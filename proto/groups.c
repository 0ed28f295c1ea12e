/* proto/groups.c -- looking after groups.
 *
 * DescribeGroups, api key 15, versions 0 to 6, to a group's coordinator. Classic
 * groups only; for others an error (v6) or the state Dead (before).
 *   v1 throttle_time_ms, v2 brokers answer before they throttle (KIP-219)
 *   v3  authorized operations (KIP-430)
 *   v4  group_instance_id (KIP-345)
 *   v5  flexible (KIP-482)
 *   v6  GROUP_ID_NOT_FOUND, error_message (KIP-1043)
 *
 * ListGroups, api key 16, versions 0 to 5, to every broker.
 *   v1 throttle_time_ms, v2 KIP-219, v3 flexible (KIP-482)
 *   v4  states (KIP-518)
 *   v5  types (KIP-848)
 *
 * DeleteGroups, api key 42, versions 0 to 3, to the groups' coordinator.
 *   v1 KIP-219, v2 flexible (KIP-482)
 *   v3  error_message; new in Kafka 4.4
 *
 * OffsetDelete, api key 47, version 0, never flexible, to the group's coordinator
 * (KIP-496): forgets committed offsets of topics that the group no longer reads.
 */
#include "proto/groups.h"

/* clang-format off */
KWI_TABLE(describe_groups_request, 0, 6, 5,
    KWI_PLAIN(describe_groups_request, groups, str, 0, KWI_LAST, 0),
    KWI_VALUE(describe_groups_request, include_authorized_operations, 3, KWI_LAST, 0, 0));
KWI_PART_TABLE(describe_groups_member,
    KWI_EVER(describe_groups_member, member_id),
    KWI_MAYBE(describe_groups_member, group_instance_id, 4, KWI_LAST, 4, KWI_NULL, KWI_IGNORABLE),
    KWI_EVER(describe_groups_member, client_id, client_host, member_metadata, member_assignment));
KWI_PART_TABLE(describe_groups_group,
    KWI_EVER(describe_groups_group, error_code),
    KWI_MAYBE_FROM(describe_groups_group, error_message, 6),
    KWI_EVER(describe_groups_group, group_id, group_state, protocol_type, protocol_data),
    KWI_LIST_FROM(describe_groups_group, members, describe_groups_member, 0),
    KWI_VALUE(describe_groups_group, authorized_operations, 3, KWI_LAST, INT32_MIN, 0));
KWI_TABLE(describe_groups_response, 0, 6, 5,
    KWI_VALUE(describe_groups_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(describe_groups_response, groups, describe_groups_group, 0));
KWI_TABLE(list_groups_request, 0, 5, 3,
    KWI_PLAIN(list_groups_request, states_filter, str, 4, KWI_LAST, 0),
    KWI_PLAIN(list_groups_request, types_filter,  str, 5, KWI_LAST, 0));
KWI_PART_TABLE(list_groups_group,
    KWI_EVER(list_groups_group, group_id, protocol_type),
    KWI_VALUE(list_groups_group, group_state,   4, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_VALUE(list_groups_group, group_type,    5, KWI_LAST, 0, KWI_IGNORABLE));
KWI_TABLE(list_groups_response, 0, 5, 3,
    KWI_VALUE(list_groups_response, throttle_time_ms, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_EVER(list_groups_response, error_code),
    KWI_LIST_FROM(list_groups_response, groups, list_groups_group, 0));
KWI_TABLE(delete_groups_request, 0, 3, 2,
    KWI_PLAIN(delete_groups_request, groups_names, str, 0, KWI_LAST, 0));
KWI_PART_TABLE(delete_groups_result,
    KWI_EVER(delete_groups_result, group_id, error_code),
    KWI_MAYBE(delete_groups_result, error_message, 3, KWI_LAST, 3, KWI_NULL, KWI_IGNORABLE));
KWI_TABLE(delete_groups_response, 0, 3, 2,
    KWI_EVER(delete_groups_response, throttle_time_ms),
    KWI_LIST_FROM(delete_groups_response, results, delete_groups_result, 0));
KWI_PART_TABLE(offset_delete_request_partition,
    KWI_EVER(offset_delete_request_partition, partition_index));
KWI_PART_TABLE(offset_delete_request_topic,
    KWI_EVER(offset_delete_request_topic, name),
    KWI_LIST_FROM(offset_delete_request_topic, partitions, offset_delete_request_partition, 0));
KWI_TABLE(offset_delete_request, 0, 0, KWI_NEVER,
    KWI_EVER(offset_delete_request, group_id),
    KWI_LIST_FROM(offset_delete_request, topics, offset_delete_request_topic, 0));
KWI_PART_TABLE(offset_delete_response_partition,
    KWI_EVER(offset_delete_response_partition, partition_index, error_code));
KWI_PART_TABLE(offset_delete_response_topic,
    KWI_EVER(offset_delete_response_topic, name),
    KWI_LIST_FROM(offset_delete_response_topic, partitions, offset_delete_response_partition, 0));
KWI_TABLE(offset_delete_response, 0, 0, KWI_NEVER,
    KWI_EVER(offset_delete_response, error_code),
    KWI_VALUE(offset_delete_response, throttle_time_ms, 0, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(offset_delete_response, topics, offset_delete_response_topic, 0));
