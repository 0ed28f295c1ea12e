/* proto/api.c -- the table of APIs, and the choice of a version.
 *
 * client_max stays below max where the client does not speak the newest version
 * yet: Produce 13, OffsetCommit 10, OffsetFetch 10 and TxnOffsetCommit 6 name topics by
 * id only, ListOffsets 11 asks for tiered storage's upload state, InitProducerId 6 is
 * unstable in Kafka 4.3, ApiVersions 5 checks that the node is the one meant.
 * AddPartitionsToTxn above 3 is for brokers.
 *
 * client_min is above min where an older version does not do: OffsetForLeaderEpoch 2
 * needs a right over the whole cluster, ConsumerGroupHeartbeat 0 is the early access of
 * Kafka 3.7 to 3.9. Both are -1 for what the client never sends by itself. */
#include "proto/api.h"

#include "proto/acls.h"
#include "proto/api_versions.h"
#include "proto/cluster.h"
#include "proto/configs.h"
#include "proto/consumer_group.h"
#include "proto/coordinator.h"
#include "proto/epochs.h"
#include "proto/fetch.h"
#include "proto/group.h"
#include "proto/groups.h"
#include "proto/list_offsets.h"
#include "proto/log_dirs.h"
#include "proto/metadata.h"
#include "proto/offsets.h"
#include "proto/partitions.h"
#include "proto/produce.h"
#include "proto/quorum.h"
#include "proto/quotas.h"
#include "proto/reassignments.h"
#include "proto/sasl.h"
#include "proto/scram_users.h"
#include "proto/share_fetch.h"
#include "proto/share_group.h"
#include "proto/share_offsets.h"
#include "proto/streams_group.h"
#include "proto/telemetry.h"
#include "proto/tokens.h"
#include "proto/topics.h"
#include "proto/txn.h"
#include "proto/txn_admin.h"

/* clang-format off */
#define API_ROW(key_, name_, min_, max_, client_min_, client_max_, flex_, message_)            \
    {                                                                                          \
        .key = (key_), .name = (name_), .min = (min_), .max = (max_),                          \
        .client_min = (client_min_), .client_max = (client_max_), .flex_since = (flex_),       \
        .request = &kwi_##message_##_request_schema,                                           \
        .response = &kwi_##message_##_response_schema                                          \
    }

static const struct kw_api_info api_table[] = {
    /*      key, name                              versions, client's, flexible, message */
    API_ROW(KW_API_PRODUCE, "Produce",                  3, 13,  3, 12,  9, produce),
    API_ROW(KW_API_FETCH, "Fetch",                      4, 18,  4, 18, 12, fetch),
    API_ROW(KW_API_LIST_OFFSETS, "ListOffsets",         1, 11,  1, 10,  6, list_offsets),
    API_ROW(KW_API_METADATA, "Metadata",                0, 13,  1, 13,  9, metadata),
    API_ROW(KW_API_OFFSET_COMMIT, "OffsetCommit",       2, 10,  2,  9,  8, offset_commit),
    API_ROW(KW_API_OFFSET_FETCH, "OffsetFetch",         1, 10,  1,  9,  6, offset_fetch),
    API_ROW(KW_API_FIND_COORDINATOR, "FindCoordinator",  0,  6,  0,  6,  3, find_coordinator),
    API_ROW(KW_API_JOIN_GROUP, "JoinGroup",             0,  9,  0,  9,  6, join_group),
    API_ROW(KW_API_HEARTBEAT, "Heartbeat",              0,  4,  0,  4,  4, heartbeat),
    API_ROW(KW_API_LEAVE_GROUP, "LeaveGroup",           0,  5,  0,  5,  4, leave_group),
    API_ROW(KW_API_SYNC_GROUP, "SyncGroup",             0,  5,  0,  5,  4, sync_group),
    API_ROW(KW_API_DESCRIBE_GROUPS, "DescribeGroups",   0,  6,  0,  6,  5, describe_groups),
    API_ROW(KW_API_LIST_GROUPS, "ListGroups",           0,  5,  0,  5,  3, list_groups),
    API_ROW(KW_API_SASL_HANDSHAKE, "SaslHandshake",     0,  1,  1,  1, KWI_NEVER, sasl_handshake),
    API_ROW(KW_API_API_VERSIONS, "ApiVersions",         0,  5,  0,  4,  3, api_versions),
    API_ROW(KW_API_CREATE_TOPICS, "CreateTopics",       2,  7,  2,  7,  5, create_topics),
    API_ROW(KW_API_DELETE_TOPICS, "DeleteTopics",       1,  6,  1,  6,  4, delete_topics),
    API_ROW(KW_API_DELETE_RECORDS, "DeleteRecords",     0,  2, -1, -1,  2, delete_records),
    API_ROW(KW_API_INIT_PRODUCER_ID, "InitProducerId",  0,  6,  0,  5,  2, init_producer_id),
    API_ROW(KW_API_OFFSET_FOR_LEADER_EPOCH, "OffsetForLeaderEpoch",
                                                        2,  4,  3,  4,  4, offset_for_leader_epoch),
    API_ROW(KW_API_ADD_PARTITIONS_TO_TXN, "AddPartitionsToTxn",
                                                        0,  5,  0,  3,  3, add_partitions_to_txn),
    API_ROW(KW_API_ADD_OFFSETS_TO_TXN, "AddOffsetsToTxn",  0,  4,  0,  4,  3, add_offsets_to_txn),
    API_ROW(KW_API_END_TXN, "EndTxn",                   0,  5,  0,  5,  3, end_txn),
    API_ROW(KW_API_TXN_OFFSET_COMMIT, "TxnOffsetCommit",  0,  6,  0,  5,  3, txn_offset_commit),
    API_ROW(KW_API_DESCRIBE_ACLS, "DescribeAcls",       1,  3, -1, -1,  2, describe_acls),
    API_ROW(KW_API_CREATE_ACLS, "CreateAcls",           1,  3, -1, -1,  2, create_acls),
    API_ROW(KW_API_DELETE_ACLS, "DeleteAcls",           1,  3, -1, -1,  2, delete_acls),
    API_ROW(KW_API_DESCRIBE_CONFIGS, "DescribeConfigs",  1,  4,  2,  4,  4, describe_configs),
    API_ROW(KW_API_ALTER_CONFIGS, "AlterConfigs",       0,  2, -1, -1,  2, alter_configs),
    API_ROW(KW_API_ALTER_REPLICA_LOG_DIRS, "AlterReplicaLogDirs",
                                                        1,  2, -1, -1,  2, alter_replica_log_dirs),
    API_ROW(KW_API_DESCRIBE_LOG_DIRS, "DescribeLogDirs",  1,  5, -1, -1,  2, describe_log_dirs),
    API_ROW(KW_API_SASL_AUTHENTICATE, "SaslAuthenticate",  0,  2,  0,  2,  2, sasl_authenticate),
    API_ROW(KW_API_CREATE_PARTITIONS, "CreatePartitions",  0,  3, -1, -1,  2, create_partitions),
    API_ROW(KW_API_CREATE_DELEGATION_TOKEN, "CreateDelegationToken",
                                                        1,  3, -1, -1,  2, create_delegation_token),
    API_ROW(KW_API_RENEW_DELEGATION_TOKEN, "RenewDelegationToken",
                                                        1,  2, -1, -1,  2, renew_delegation_token),
    API_ROW(KW_API_EXPIRE_DELEGATION_TOKEN, "ExpireDelegationToken",
                                                        1,  2, -1, -1,  2, expire_delegation_token),
    API_ROW(KW_API_DESCRIBE_DELEGATION_TOKEN, "DescribeDelegationToken",
                                                      1,  3, -1, -1,  2, describe_delegation_token),
    API_ROW(KW_API_DELETE_GROUPS, "DeleteGroups",       0,  3,  0,  3,  2, delete_groups),
    API_ROW(KW_API_ELECT_LEADERS, "ElectLeaders",       0,  2, -1, -1,  2, elect_leaders),
    API_ROW(KW_API_INCREMENTAL_ALTER_CONFIGS, "IncrementalAlterConfigs",
                                                      0,  1, -1, -1,  1, incremental_alter_configs),
    API_ROW(KW_API_ALTER_PARTITION_REASSIGNMENTS, "AlterPartitionReassignments",
                                                  0,  1, -1, -1,  0, alter_partition_reassignments),
    API_ROW(KW_API_LIST_PARTITION_REASSIGNMENTS, "ListPartitionReassignments",
                                                   0,  0, -1, -1,  0, list_partition_reassignments),
    API_ROW(KW_API_OFFSET_DELETE, "OffsetDelete",       0,  0,  0,  0, KWI_NEVER, offset_delete),
    API_ROW(KW_API_DESCRIBE_CLIENT_QUOTAS, "DescribeClientQuotas",
                                                        0,  1, -1, -1,  1, describe_client_quotas),
    API_ROW(KW_API_ALTER_CLIENT_QUOTAS, "AlterClientQuotas",
                                                        0,  1, -1, -1,  1, alter_client_quotas),
    API_ROW(KW_API_DESCRIBE_USER_SCRAM_CREDENTIALS, "DescribeUserScramCredentials",
                                                0,  0, -1, -1,  0, describe_user_scram_credentials),
    API_ROW(KW_API_ALTER_USER_SCRAM_CREDENTIALS, "AlterUserScramCredentials",
                                                   0,  0, -1, -1,  0, alter_user_scram_credentials),
    API_ROW(KW_API_DESCRIBE_QUORUM, "DescribeQuorum",   0,  2, -1, -1,  0, describe_quorum),
    API_ROW(KW_API_UPDATE_FEATURES, "UpdateFeatures",   0,  2, -1, -1,  0, update_features),
    API_ROW(KW_API_DESCRIBE_CLUSTER, "DescribeCluster",  0,  2, -1, -1,  0, describe_cluster),
    API_ROW(KW_API_DESCRIBE_PRODUCERS, "DescribeProducers",  0,  0, -1, -1,  0, describe_producers),
    API_ROW(KW_API_UNREGISTER_BROKER, "UnregisterBroker",  0,  0, -1, -1,  0, unregister_broker),
    API_ROW(KW_API_DESCRIBE_TRANSACTIONS, "DescribeTransactions",
                                                        0,  0, -1, -1,  0, describe_transactions),
    API_ROW(KW_API_LIST_TRANSACTIONS, "ListTransactions",  0,  2, -1, -1,  0, list_transactions),
    API_ROW(KW_API_CONSUMER_GROUP_HEARTBEAT, "ConsumerGroupHeartbeat",
                                                       0,  1,  1,  1,  0, consumer_group_heartbeat),
    API_ROW(KW_API_CONSUMER_GROUP_DESCRIBE, "ConsumerGroupDescribe",
                                                        0,  1,  0,  1,  0, consumer_group_describe),
    API_ROW(KW_API_GET_TELEMETRY_SUBSCRIPTIONS, "GetTelemetrySubscriptions",
                                                    0,  0, -1, -1,  0, get_telemetry_subscriptions),
    API_ROW(KW_API_PUSH_TELEMETRY, "PushTelemetry",     0,  0, -1, -1,  0, push_telemetry),
    API_ROW(KW_API_LIST_CONFIG_RESOURCES, "ListConfigResources",
                                                        0,  1, -1, -1,  0, list_config_resources),
    API_ROW(KW_API_DESCRIBE_TOPIC_PARTITIONS, "DescribeTopicPartitions",
                                                      0,  0, -1, -1,  0, describe_topic_partitions),
    API_ROW(KW_API_SHARE_GROUP_HEARTBEAT, "ShareGroupHeartbeat",
                                                        1,  1, -1, -1,  0, share_group_heartbeat),
    API_ROW(KW_API_SHARE_GROUP_DESCRIBE, "ShareGroupDescribe",
                                                        1,  1,  1,  1,  0, share_group_describe),
    API_ROW(KW_API_SHARE_FETCH, "ShareFetch",           1,  2, -1, -1,  0, share_fetch),
    API_ROW(KW_API_SHARE_ACKNOWLEDGE, "ShareAcknowledge",  1,  2, -1, -1,  0, share_acknowledge),
    API_ROW(KW_API_ADD_RAFT_VOTER, "AddRaftVoter",      0,  1, -1, -1,  0, add_raft_voter),
    API_ROW(KW_API_REMOVE_RAFT_VOTER, "RemoveRaftVoter",  0,  0, -1, -1,  0, remove_raft_voter),
    API_ROW(KW_API_STREAMS_GROUP_HEARTBEAT, "StreamsGroupHeartbeat",
                                                        0,  1, -1, -1,  0, streams_group_heartbeat),
    API_ROW(KW_API_STREAMS_GROUP_DESCRIBE, "StreamsGroupDescribe",
                                                        0,  1,  0,  1,  0, streams_group_describe),
    API_ROW(KW_API_DESCRIBE_SHARE_GROUP_OFFSETS, "DescribeShareGroupOffsets",
                                                   0,  1,  0,  1,  0, describe_share_group_offsets),
    API_ROW(KW_API_ALTER_SHARE_GROUP_OFFSETS, "AlterShareGroupOffsets",
                                                      0,  0, -1, -1,  0, alter_share_group_offsets),
    API_ROW(KW_API_DELETE_SHARE_GROUP_OFFSETS, "DeleteShareGroupOffsets",
                                                     0,  0, -1, -1,  0, delete_share_group_offsets),
    API_ROW(KW_API_STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE,
            "StreamsGroupTopologyDescriptionUpdate",
                                      0,  0, -1, -1,  0, streams_group_topology_description_update),
    API_ROW(KW_API_UNREGISTER_CONTROLLER, "UnregisterController",
                                                        0,  0, -1, -1,  0, unregister_controller),
};
/* clang-format on */

enum { API_COUNT = sizeof api_table / sizeof *api_table };

const struct kw_api_info *kwi_api_list(size_t *count)
{
    *count = API_COUNT;
    return api_table;
}

const struct kw_api_info *kwi_api_info(int16_t key)
{
    size_t low = 0, high = API_COUNT; /* the keys ascend; a client asks for each of them */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (api_table[middle].key == key)
            return &api_table[middle];
        if (api_table[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *kwi_api_name(int16_t key)
{
    const struct kw_api_info *api = kwi_api_info(key);
    return api ? api->name : "unknown API";
}

int kwi_api_choose(const struct kw_api_info *api, int16_t broker_min, int16_t broker_max)
{
    int low = api->client_min > broker_min ? api->client_min : broker_min;
    int high = api->client_max < broker_max ? api->client_max : broker_max;
    return high >= low ? high : KW_ERR_UNSUPPORTED;
}
