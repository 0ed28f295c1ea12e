/* mock/cluster.h -- the state of the broker model: brokers, topics, partitions,
 * leaders. What a checker or a test may do with it is in mock/mock.h; what
 * requests do with it is in the files named after them. */
#ifndef KWI_MOCK_CLUSTER_H
#define KWI_MOCK_CLUSTER_H
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/timer.h"
#include "mock/aborted.h"
#include "mock/log.h"
#include "mock/mock.h"
#include "mock/sequence.h"

enum {
    KWI_MOCK_BROKERS_MAX = 64,
    KWI_MOCK_PARTITIONS_MAX = 10000, /* of one topic */
    KWI_MOCK_FAULTS_MAX = 64,
    KWI_MOCK_API_KEYS_MAX = 128,
    KWI_MOCK_PAST_LEADERS = 8,
    KWI_MOCK_TOPIC_NAME_MAX = 249,
    KWI_MOCK_MESSAGE_SIZE_MAX = 1048588 /* Kafka's max.message.bytes */
};

/* A leader as it was from change number `change` on. */
struct kw_mock_leadership {
    uint64_t change;
    int32_t leader, leader_epoch;
};

struct kw_mock_partition {
    struct kw_mock_topic *topic;
    int32_t index;
    int32_t leader;    /* broker index, -1: none */
    int32_t log_owner; /* the last leader: what lies above the high watermark is its alone */
    int32_t leader_epoch;
    int32_t n_replicas;
    uint8_t replicas[KWI_MOCK_BROKERS_MAX]; /* broker indexes, preferred leader first */
    uint8_t n_past;
    struct kw_mock_leadership past[KWI_MOCK_PAST_LEADERS]; /* oldest first, newest is now */
    struct kw_map producers; /* struct kw_mock_producer by producer id */
    struct kw_mock_log log;
    struct kw_mock_txns txns;
    struct kw_timer replicate; /* the high watermark follows */
};

struct kw_mock_topic {
    struct kw_mock *mock;
    char *name; /* NUL-terminated */
    size_t name_len;
    uint8_t id[16];
    uint64_t created; /* change number */
    int32_t n_partitions;
    bool append_time; /* message.timestamp.type=LogAppendTime */
    bool compact;     /* cleanup.policy=compact: takes no record without a key */
    uint32_t message_size_max;
    struct kw_mock_partition *partitions;
};

struct kw_mock_broker {
    char *host;
    char rack[16]; /* "": none */
    uint16_t port;
    bool up, frozen;
    uint64_t frozen_at; /* change number */
};

/* A fault and what it counted. */
struct kw_mock_fault_state {
    struct kw_mock_fault fault;
    bool used;
    uint64_t n_calls, n_hits;
};

/* A user, with its password salted as SCRAM-SHA-256 and -512 want it. */
struct kw_mock_known {
    char *name, *password;
    uint8_t salt[12], salted[2][KW_HASH_SIZE_MAX];
};
struct kw_mock_users {
    const struct kw_crypto *crypto;
    uint32_t mechanisms; /* 0: nobody has to authenticate */
    uint32_t generation; /* counts the changes: whoever proved himself before must again */
    uint32_t session_ms, n;
    struct kw_mock_known user[KWI_MOCK_USERS_MAX];
};

struct kw_mock {
    struct kw_mock_users users;
    int32_t coordinator; /* index of the broker that FindCoordinator names; -1 none */
    struct kw_heap heap;
    struct kw_mock_config config; /* scalars; its pointers are not kept */
    char *cluster_id;
    kwi_crc32c_fn *crc32c;
    struct kw_rng rng;
    struct kw_time now;
    struct kw_timers timers;
    uint64_t change; /* counts topics made and leaders moved */
    int64_t next_producer_id;
    bool wake; /* parked requests must be looked at again */
    uint32_t n_parked;
    struct kw_mock_broker brokers[KWI_MOCK_BROKERS_MAX];
    struct kw_map topics;       /* by name */
    struct kw_map topics_by_id; /* by the first 8 bytes of the id */
    struct kw_map groups;       /* kw_mock_group by name (mock/group.h) */
    uint32_t next_member;
    struct kw_map transactions; /* kw_mock_transaction by transactional id (mock/txn.h) */
    int16_t transaction_version;
    int64_t features_epoch;
    uint32_t marker_delay_ms;
    struct kw_list sessions; /* kw_mock_session (mock/fetch_session.h) */
    struct kw_list conns, ready;
    struct kw_mock_versions versions[KWI_MOCK_API_KEYS_MAX]; /* by api key */
    uint64_t n_requests[KWI_MOCK_API_KEYS_MAX], n_requests_all;
    struct kw_mock_fault_state faults[KWI_MOCK_FAULTS_MAX];
};

static inline int32_t kwi_mock_node_id(const struct kw_mock *mock, int32_t broker)
{
    return broker < 0 ? -1 : mock->config.node_id_base + broker;
}

/* How a request creates a topic; zeroed counts are errors, -1 the default. */
struct kw_mock_topic_spec {
    const char *name;
    size_t name_len;
    int32_t n_partitions;
    int32_t replication_factor;
    bool append_time, compact;
    uint32_t message_size_max;
    uint64_t retention_size;
};
void kwi_mock_topic_spec_init(const struct kw_mock *mock, struct kw_mock_topic_spec *spec);
/* Returns a Kafka error code: INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS,
 * INVALID_REPLICATION_FACTOR, TOPIC_ALREADY_EXISTS or 0; fills in defaults. */
int16_t kwi_mock_topic_check(const struct kw_mock *mock, struct kw_mock_topic_spec *spec);
/* Returns NULL without memory. The spec must have passed the check. */
struct kw_mock_topic *kwi_mock_topic_create(struct kw_mock *mock,
                                            const struct kw_mock_topic_spec *spec);
void kwi_mock_topic_delete(struct kw_mock *mock, struct kw_mock_topic *topic);
/* See kwi_mock_add_partitions. */
KW_MUST_USE int kwi_mock_topic_grow(struct kw_mock_topic *topic, int32_t n);
/* One topic configuration; KW_ERR_CONFIG for an unknown key or a bad value. */
KW_MUST_USE int kwi_mock_topic_configure(struct kw_mock_topic_spec *spec, const char *key,
                                         size_t key_len, const char *value, size_t value_len);
struct kw_mock_topic *kwi_mock_topic_find(const struct kw_mock *mock, const char *name, size_t len);
struct kw_mock_topic *kwi_mock_topic_find_id(const struct kw_mock *mock, const uint8_t id[16]);
struct kw_mock_partition *kwi_mock_topic_partition(const struct kw_mock_topic *topic,
                                                   int32_t index);
/* Makes `leader` (-1: none) lead from now on, under the next epoch. A leader
 * that is not the last one truncates to the high watermark. */
void kwi_mock_partition_lead(struct kw_mock_partition *partition, int32_t leader);
/* Forgets what lies above the high watermark, and rebuilds producer states. */
void kwi_mock_partition_truncate(struct kw_mock_partition *partition);
/* What broker `broker` says of the partition; false: it does not know it yet. */
bool kwi_mock_partition_view(const struct kw_mock_partition *partition, uint32_t broker,
                             struct kw_mock_leadership *view);
/* Called after an append: moves the high watermark, at once when `all` replicas
 * must have it, else when the replication lag has passed. */
void kwi_mock_partition_appended(struct kw_mock_partition *partition, bool all);

#endif
