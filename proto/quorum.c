/* proto/quorum.c -- the controllers' quorum (KRaft). All are flexible from version 0 on
 * and go to the leader of the quorum; a broker forwards them.
 *
 * DescribeQuorum, api key 55, versions 0 to 2: how far voters and observers are
 * (KIP-595).
 *   v1  when each was last seen and last complete (KIP-836)
 *   v2  directories, listeners and messages of errors (KIP-853)
 *
 * AddRaftVoter, api key 80, versions 0 and 1, and RemoveRaftVoter, api key 81, version
 * 0: change the voters one at a time (KIP-853).
 *   v1  of AddRaftVoter: answer before the change is committed (KIP-1186)
 */
#include "proto/quorum.h"

/* clang-format off */
KWI_PART_TABLE(raft_listener, KWI_EVER(raft_listener, name, host, port));
KWI_PART_TABLE(describe_quorum_request_partition,
    KWI_EVER(describe_quorum_request_partition, partition_index));
KWI_PART_TABLE(describe_quorum_request_topic,
    KWI_EVER(describe_quorum_request_topic, topic_name),
    KWI_LIST_FROM(describe_quorum_request_topic, partitions, describe_quorum_request_partition, 0));
KWI_TABLE(describe_quorum_request, 0, 2, 0,
    KWI_LIST_FROM(describe_quorum_request, topics, describe_quorum_request_topic, 0));
KWI_PART_TABLE(quorum_replica_state,
    KWI_EVER(quorum_replica_state, replica_id),
    KWI_VALUE(quorum_replica_state, replica_directory_id,     2, KWI_LAST, 0, 0),
    KWI_EVER(quorum_replica_state, log_end_offset),
    KWI_VALUE(quorum_replica_state, last_fetch_timestamp,     1, KWI_LAST, -1, KWI_IGNORABLE),
    KWI_VALUE(quorum_replica_state, last_caught_up_timestamp, 1, KWI_LAST, -1, KWI_IGNORABLE));
KWI_PART_TABLE(describe_quorum_response_partition,
    KWI_EVER(describe_quorum_response_partition, partition_index, error_code),
    KWI_MAYBE(describe_quorum_response_partition, error_message, 2, KWI_LAST, 2, 0, KWI_IGNORABLE),
    KWI_EVER(describe_quorum_response_partition, leader_id, leader_epoch, high_watermark),
    KWI_LIST_FROM(describe_quorum_response_partition, current_voters, quorum_replica_state, 0),
    KWI_LIST_FROM(describe_quorum_response_partition, observers, quorum_replica_state, 0));
KWI_PART_TABLE(describe_quorum_response_topic,
    KWI_EVER(describe_quorum_response_topic, topic_name),
    KWI_LIST_FROM(describe_quorum_response_topic, partitions,
                  describe_quorum_response_partition, 0));
KWI_PART_TABLE(describe_quorum_response_node,
    KWI_VALUE(describe_quorum_response_node, node_id, 2, KWI_LAST, 0, 0),
    KWI_LIST_FROM(describe_quorum_response_node, listeners, raft_listener, 2));
KWI_TABLE(describe_quorum_response, 0, 2, 0,
    KWI_EVER(describe_quorum_response, error_code),
    KWI_MAYBE(describe_quorum_response, error_message, 2, KWI_LAST, 2, 0, KWI_IGNORABLE),
    KWI_LIST_FROM(describe_quorum_response, topics, describe_quorum_response_topic, 0),
    KWI_LIST_FROM(describe_quorum_response, nodes, describe_quorum_response_node, 2));
KWI_TABLE(add_raft_voter_request, 0, 1, 0,
    KWI_MAYBE(add_raft_voter_request, cluster_id,         0, KWI_LAST, 0, 0, 0),
    KWI_EVER(add_raft_voter_request, timeout_ms, voter_id, voter_directory_id),
    KWI_LIST_FROM(add_raft_voter_request, listeners, raft_listener, 0),
    KWI_VALUE(add_raft_voter_request, ack_when_committed, 1, KWI_LAST, 1, 0));
KWI_TABLE(add_raft_voter_response, 0, 1, 0,
    KWI_EVER(add_raft_voter_response, throttle_time_ms, error_code),
    KWI_MAYBE(add_raft_voter_response, error_message,    0, KWI_LAST, 0, 0, KWI_IGNORABLE));
KWI_TABLE(remove_raft_voter_request, 0, 0, 0,
    KWI_MAYBE(remove_raft_voter_request, cluster_id,         0, KWI_LAST, 0, 0, 0),
    KWI_EVER(remove_raft_voter_request, voter_id, voter_directory_id));
KWI_TABLE(remove_raft_voter_response, 0, 0, 0,
    KWI_EVER(remove_raft_voter_response, throttle_time_ms, error_code),
    KWI_MAYBE(remove_raft_voter_response, error_message,    0, KWI_LAST, 0, 0, KWI_IGNORABLE));
