/* proto/api.h -- the table of APIs, and the choice of a version. */
#ifndef KWI_API_H
#define KWI_API_H
#include "proto/schema.h"

enum kw_api {
    KW_API_PRODUCE = 0,
    KW_API_FETCH = 1,
    KW_API_LIST_OFFSETS = 2,
    KW_API_METADATA = 3,
    KW_API_OFFSET_COMMIT = 8,
    KW_API_OFFSET_FETCH = 9,
    KW_API_FIND_COORDINATOR = 10,
    KW_API_JOIN_GROUP = 11,
    KW_API_HEARTBEAT = 12,
    KW_API_LEAVE_GROUP = 13,
    KW_API_SYNC_GROUP = 14,
    KW_API_DESCRIBE_GROUPS = 15,
    KW_API_LIST_GROUPS = 16,
    KW_API_SASL_HANDSHAKE = 17,
    KW_API_API_VERSIONS = 18,
    KW_API_CREATE_TOPICS = 19,
    KW_API_DELETE_TOPICS = 20,
    KW_API_DELETE_RECORDS = 21,
    KW_API_INIT_PRODUCER_ID = 22,
    KW_API_OFFSET_FOR_LEADER_EPOCH = 23,
    KW_API_ADD_PARTITIONS_TO_TXN = 24,
    KW_API_ADD_OFFSETS_TO_TXN = 25,
    KW_API_END_TXN = 26,
    KW_API_TXN_OFFSET_COMMIT = 28,
    KW_API_DESCRIBE_ACLS = 29,
    KW_API_CREATE_ACLS = 30,
    KW_API_DELETE_ACLS = 31,
    KW_API_DESCRIBE_CONFIGS = 32,
    KW_API_ALTER_CONFIGS = 33,
    KW_API_ALTER_REPLICA_LOG_DIRS = 34,
    KW_API_DESCRIBE_LOG_DIRS = 35,
    KW_API_SASL_AUTHENTICATE = 36,
    KW_API_CREATE_PARTITIONS = 37,
    KW_API_CREATE_DELEGATION_TOKEN = 38,
    KW_API_RENEW_DELEGATION_TOKEN = 39,
    KW_API_EXPIRE_DELEGATION_TOKEN = 40,
    KW_API_DESCRIBE_DELEGATION_TOKEN = 41,
    KW_API_DELETE_GROUPS = 42,
    KW_API_ELECT_LEADERS = 43,
    KW_API_INCREMENTAL_ALTER_CONFIGS = 44,
    KW_API_ALTER_PARTITION_REASSIGNMENTS = 45,
    KW_API_LIST_PARTITION_REASSIGNMENTS = 46,
    KW_API_OFFSET_DELETE = 47,
    KW_API_DESCRIBE_CLIENT_QUOTAS = 48,
    KW_API_ALTER_CLIENT_QUOTAS = 49,
    KW_API_DESCRIBE_USER_SCRAM_CREDENTIALS = 50,
    KW_API_ALTER_USER_SCRAM_CREDENTIALS = 51,
    KW_API_DESCRIBE_QUORUM = 55,
    KW_API_UPDATE_FEATURES = 57,
    KW_API_DESCRIBE_CLUSTER = 60,
    KW_API_DESCRIBE_PRODUCERS = 61,
    KW_API_UNREGISTER_BROKER = 64,
    KW_API_DESCRIBE_TRANSACTIONS = 65,
    KW_API_LIST_TRANSACTIONS = 66,
    KW_API_CONSUMER_GROUP_HEARTBEAT = 68,
    KW_API_CONSUMER_GROUP_DESCRIBE = 69,
    KW_API_GET_TELEMETRY_SUBSCRIPTIONS = 71,
    KW_API_PUSH_TELEMETRY = 72,
    KW_API_LIST_CONFIG_RESOURCES = 74,
    KW_API_DESCRIBE_TOPIC_PARTITIONS = 75,
    KW_API_SHARE_GROUP_HEARTBEAT = 76,
    KW_API_SHARE_GROUP_DESCRIBE = 77,
    KW_API_SHARE_FETCH = 78,
    KW_API_SHARE_ACKNOWLEDGE = 79,
    KW_API_ADD_RAFT_VOTER = 80,
    KW_API_REMOVE_RAFT_VOTER = 81,
    KW_API_STREAMS_GROUP_HEARTBEAT = 88,
    KW_API_STREAMS_GROUP_DESCRIBE = 89,
    KW_API_DESCRIBE_SHARE_GROUP_OFFSETS = 90,
    KW_API_ALTER_SHARE_GROUP_OFFSETS = 91,
    KW_API_DELETE_SHARE_GROUP_OFFSETS = 92,
    KW_API_STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE = 93,
    KW_API_UNREGISTER_CONTROLLER = 94
};

struct kw_api_info {
    int16_t key;
    const char *name;              /* Kafka's: "Produce" */
    int8_t min, max;               /* versions that the tables describe */
    int8_t client_min, client_max; /* versions that the client sends; -1: never by itself */
    int8_t flex_since;             /* first flexible version, or KWI_NEVER */
    const struct kw_schema *request, *response;
};

/* All known APIs by ascending key. */
const struct kw_api_info *kwi_api_list(size_t *count);
/* NULL if the key is unknown. */
const struct kw_api_info *kwi_api_info(int16_t key);
/* Kafka's name of the API, or "unknown API". */
const char *kwi_api_name(int16_t key);
/* The highest version that the client and a broker offering broker_min to
 * broker_max share, or KW_ERR_UNSUPPORTED. */
int kwi_api_choose(const struct kw_api_info *api, int16_t broker_min,
                   int16_t broker_max) KW_MUST_USE;

#endif
