/* mock/mock.c -- the broker model as its owner sees it: made, changed and
 * looked into. Connections and requests are handled in mock/conn.c. */
#include "mock/mock.h"
#include "base/fmt.h"
#include "mock/cluster.h"
#include "mock/conn.h"
#include "mock/fetch_session.h"
#include "mock/group.h"
#include "mock/sasl.h"
#include "mock/txn.h"
#include "proto/error.h"

enum { MOCK_PORT_DEFAULT = 9092, MOCK_FRAME_SIZE_DEFAULT = 104857600 };

static int mock_config_check(const struct kw_mock_config *config)
{
    if (!config || !config->alloc.alloc || !config->alloc.free)
        return KW_ERR_USE;
    if (config->n_brokers > KWI_MOCK_BROKERS_MAX || config->node_id_base < 0 ||
        config->node_id_base > INT32_MAX - KWI_MOCK_BROKERS_MAX)
        return KW_ERR_USE;
    if (config->default_partitions < 0 || config->default_partitions > KWI_MOCK_PARTITIONS_MAX ||
        config->replication_factor < 0)
        return KW_ERR_USE;
    if (config->replication_factor > (config->n_brokers ? (int32_t)config->n_brokers : 1))
        return KW_ERR_USE;
    if (config->group_session_ms > INT32_MAX || config->group_heartbeat_ms > INT32_MAX)
        return KW_ERR_USE;
    return config->frame_size_max > INT32_MAX ? KW_ERR_USE : 0;
}

static void mock_config_defaults(struct kw_mock_config *config)
{
    if (!config->memory_limit)
        config->memory_limit = SIZE_MAX;
    if (!config->n_brokers)
        config->n_brokers = 1;
    if (!config->host)
        config->host = "127.0.0.1";
    if (!config->default_partitions)
        config->default_partitions = 1;
    if (!config->replication_factor)
        config->replication_factor = (int16_t)(config->n_brokers < 3 ? config->n_brokers : 3);
    if (!config->group_session_ms)
        config->group_session_ms = 45000;
    if (!config->group_heartbeat_ms)
        config->group_heartbeat_ms = 5000;
    if (!config->fetch_sessions)
        config->fetch_sessions = 1000;
    if (!config->frame_size_max)
        config->frame_size_max = MOCK_FRAME_SIZE_DEFAULT;
    if (!config->crc32c)
        config->crc32c = kwi_crc32c_portable;
}

static int mock_cluster_id(struct kw_mock *mock, const char *wanted)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char made[23];
    for (size_t i = 0; i + 1 < sizeof(made); i++)
        made[i] = digits[kwi_rng_below(&mock->rng, 64)];
    made[sizeof(made) - 1] = 0;
    if (!wanted)
        wanted = made;
    mock->cluster_id = kwi_strdup(&mock->heap, wanted, strlen(wanted));
    return mock->cluster_id ? 0 : KW_ERR_NOMEM;
}

int kwi_mock_create(struct kw_mock **out, const struct kw_mock_config *given)
{
    struct kw_mock_config config;
    struct kw_heap heap;
    struct kw_mock *mock;
    *out = NULL;
    if (mock_config_check(given))
        return KW_ERR_USE;
    config = *given;
    mock_config_defaults(&config);
    kwi_heap_init(&heap, &config.alloc, config.memory_limit);
    mock = kwi_alloc_zero(&heap, sizeof(*mock));
    if (!mock)
        return KW_ERR_NOMEM;
    mock->heap = heap;
    mock->config = config;
    mock->crc32c = config.crc32c;
    mock->next_producer_id = 1000;
    mock->coordinator = -1;
    kwi_rng_init(&mock->rng, config.seed);
    kwi_map_init(&mock->topics, &mock->heap);
    kwi_map_init(&mock->topics_by_id, &mock->heap);
    kwi_map_init(&mock->groups, &mock->heap);
    kwi_map_init(&mock->transactions, &mock->heap);
    kwi_mock_versions_init(mock, config.versions, config.n_versions);
    mock->transaction_version = mock->versions[KW_API_END_TXN].max >= 5 ? 2 : 0;
    if (mock_cluster_id(mock, config.cluster_id))
        goto fail;
    for (uint32_t i = 0; i < config.n_brokers; i++) {
        uint16_t port = config.ports ? config.ports[i] : (uint16_t)(MOCK_PORT_DEFAULT + i);
        mock->brokers[i].up = true;
        if (kwi_mock_set_address(mock, i, config.host, port))
            goto fail;
    }
    mock->config.host = NULL;
    mock->config.ports = NULL;
    mock->config.cluster_id = NULL;
    mock->config.versions = NULL;
    *out = mock;
    return 0;
fail:
    kwi_mock_destroy(mock);
    return KW_ERR_NOMEM;
}

void kwi_mock_destroy(struct kw_mock *mock)
{
    struct kw_mock_topic *topic;
    struct kw_mock_group *group;
    struct kw_heap heap;
    if (!mock)
        return;
    kwi_mock_conns_destroy(mock);
    kwi_mock_sasl_deinit(mock);
    kwi_mock_sessions_drop(mock, UINT32_MAX);
    kwi_mock_txns_destroy(mock);
    for (uint32_t i = 0; (topic = kwi_map_next(&mock->topics, &i));)
        kwi_mock_topic_delete(mock, topic);
    for (uint32_t i = 0; (group = kwi_map_next(&mock->groups, &i));)
        kwi_mock_group_destroy(group);
    kwi_map_deinit(&mock->groups);
    kwi_map_deinit(&mock->topics);
    kwi_map_deinit(&mock->topics_by_id);
    for (uint32_t i = 0; i < KWI_MOCK_BROKERS_MAX; i++) {
        char *host = mock->brokers[i].host;
        if (host)
            kwi_free(&mock->heap, host, strlen(host) + 1);
    }
    if (mock->cluster_id)
        kwi_free(&mock->heap, mock->cluster_id, strlen(mock->cluster_id) + 1);
    heap = mock->heap;
    kwi_free(&heap, mock, sizeof(*mock));
}

int kwi_mock_set_rack(struct kw_mock *mock, uint32_t broker, const char *rack)
{
    size_t len = rack ? strlen(rack) : 0;
    if (broker >= mock->config.n_brokers || len >= sizeof(mock->brokers[broker].rack))
        return KW_ERR_USE;
    if (len)
        memcpy(mock->brokers[broker].rack, rack, len);
    mock->brokers[broker].rack[len] = '\0';
    return 0;
}

uint32_t kwi_mock_n_brokers(const struct kw_mock *mock)
{
    return mock->config.n_brokers;
}

int kwi_mock_set_address(struct kw_mock *mock, uint32_t broker, const char *host, uint16_t port)
{
    struct kw_mock_broker *target;
    if (broker >= mock->config.n_brokers)
        return KW_ERR_USE;
    target = &mock->brokers[broker];
    if (host) {
        char *copy = kwi_strdup(&mock->heap, host, strlen(host));
        if (!copy)
            return KW_ERR_NOMEM;
        if (target->host)
            kwi_free(&mock->heap, target->host, strlen(target->host) + 1);
        target->host = copy;
    }
    target->port = port;
    return 0;
}

/* --- topics -------------------------------------------------------------------- */

int kwi_mock_create_topic(struct kw_mock *mock, const char *name, int32_t partitions)
{
    struct kw_mock_topic_spec spec;
    int16_t error;
    kwi_mock_topic_spec_init(mock, &spec);
    spec.name = name;
    spec.name_len = strlen(name);
    spec.n_partitions = partitions;
    error = kwi_mock_topic_check(mock, &spec);
    if (error)
        return error == KW_E_TOPIC_ALREADY_EXISTS ? KW_ERR_STATE : KW_ERR_USE;
    return kwi_mock_topic_create(mock, &spec) ? 0 : KW_ERR_NOMEM;
}

int kwi_mock_topic_id(const struct kw_mock *mock, const char *name, uint8_t id[16])
{
    const struct kw_mock_topic *topic = kwi_mock_topic_find(mock, name, strlen(name));
    if (!topic)
        return KW_ERR_STATE;
    memcpy(id, topic->id, sizeof(topic->id));
    return 0;
}

int kwi_mock_delete_topic(struct kw_mock *mock, const char *name)
{
    struct kw_mock_topic *topic = kwi_mock_topic_find(mock, name, strlen(name));
    if (!topic)
        return KW_ERR_STATE;
    kwi_mock_topic_delete(mock, topic);
    return 0;
}

int kwi_mock_add_partitions(struct kw_mock *mock, const char *name, int32_t n)
{
    struct kw_mock_topic *topic = kwi_mock_topic_find(mock, name, strlen(name));
    return topic ? kwi_mock_topic_grow(topic, n) : KW_ERR_STATE;
}

int kwi_mock_set_topic_config(struct kw_mock *mock, const char *name, const char *key,
                              const char *value)
{
    struct kw_mock_topic *topic = kwi_mock_topic_find(mock, name, strlen(name));
    struct kw_mock_topic_spec spec;
    if (!topic)
        return KW_ERR_STATE;
    kwi_mock_topic_spec_init(mock, &spec);
    spec.append_time = topic->append_time;
    spec.compact = topic->compact;
    spec.message_size_max = topic->message_size_max;
    spec.retention_size = topic->partitions[0].log.retention_size;
    if (kwi_mock_topic_configure(&spec, key, strlen(key), value, strlen(value)))
        return KW_ERR_CONFIG;
    topic->append_time = spec.append_time;
    topic->compact = spec.compact;
    topic->message_size_max = spec.message_size_max;
    for (int32_t i = 0; i < topic->n_partitions; i++) {
        topic->partitions[i].log.retention_size = spec.retention_size;
        kwi_mock_log_retain(&topic->partitions[i].log);
    }
    return 0;
}

static struct kw_mock_partition *mock_partition_find(const struct kw_mock *mock, const char *topic,
                                                     int32_t partition)
{
    return kwi_mock_topic_partition(kwi_mock_topic_find(mock, topic, strlen(topic)), partition);
}

/* --- leaders and brokers --------------------------------------------------------- */

int kwi_mock_set_leader(struct kw_mock *mock, const char *topic, int32_t partition, int32_t broker)
{
    struct kw_mock_partition *target = mock_partition_find(mock, topic, partition);
    if (!target || broker < -1 || broker >= (int32_t)mock->config.n_brokers)
        return KW_ERR_USE;
    if (broker >= 0 && !mock->brokers[broker].up)
        return KW_ERR_USE;
    kwi_mock_partition_lead(target, broker);
    return 0;
}

/* The first replica that is up, or -1. */
static int32_t mock_partition_elect(const struct kw_mock *mock,
                                    const struct kw_mock_partition *partition)
{
    for (int32_t i = 0; i < partition->n_replicas; i++) {
        if (mock->brokers[partition->replicas[i]].up)
            return partition->replicas[i];
    }
    return -1;
}

/* The next broker that is up takes the groups over, if there is one. */
static void mock_coordinator_move(struct kw_mock *mock)
{
    uint32_t n = mock->config.n_brokers;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t next = ((uint32_t)mock->coordinator + i) % n;
        if (mock->brokers[next].up) {
            mock->coordinator = (int32_t)next;
            return;
        }
    }
}

static void mock_broker_set(struct kw_mock *mock, uint32_t broker, bool up, bool lose)
{
    struct kw_mock_topic *topic;
    if (broker >= mock->config.n_brokers || mock->brokers[broker].up == up)
        return;
    mock->brokers[broker].up = up;
    if (!up)
        kwi_mock_conns_close(mock, broker);
    for (uint32_t pos = 0; (topic = kwi_map_next(&mock->topics, &pos));) {
        for (int32_t i = 0; i < topic->n_partitions; i++) {
            struct kw_mock_partition *partition = &topic->partitions[i];
            if (lose && partition->log_owner == (int32_t)broker)
                kwi_mock_partition_truncate(partition);
            if (partition->leader == (up ? -1 : (int32_t)broker) &&
                mock_partition_elect(mock, partition) != partition->leader)
                kwi_mock_partition_lead(partition, mock_partition_elect(mock, partition));
        }
    }
    if (!up && mock->coordinator == (int32_t)broker)
        mock_coordinator_move(mock);
    mock->wake = true;
}

int kwi_mock_cut(struct kw_mock *mock, const char *topic, int32_t partition, int64_t offset)
{
    struct kw_mock_topic *found = topic ? kwi_mock_topic_find(mock, topic, strlen(topic)) : NULL;
    struct kw_mock_partition *cut = found ? kwi_mock_topic_partition(found, partition) : NULL;
    uint32_t at = cut ? kwi_mock_log_find(&cut->log, offset) : 0;
    if (!cut || at >= cut->log.n || cut->leader < 0)
        return KW_ERR_USE;
    cut->log.high_watermark = cut->log.entries[at].base_offset;
    kwi_mock_partition_truncate(cut);
    kwi_mock_partition_lead(cut, cut->leader);
    mock->wake = true;
    return 0;
}

void kwi_mock_broker_down(struct kw_mock *mock, uint32_t broker, bool lose)
{
    mock_broker_set(mock, broker, false, lose);
    if (broker < mock->config.n_brokers)
        kwi_mock_sessions_drop(mock, broker); /* they live in its memory */
}

void kwi_mock_broker_up(struct kw_mock *mock, uint32_t broker)
{
    mock_broker_set(mock, broker, true, false);
}

bool kwi_mock_broker_is_up(const struct kw_mock *mock, uint32_t broker)
{
    return broker < mock->config.n_brokers && mock->brokers[broker].up;
}

void kwi_mock_freeze_metadata(struct kw_mock *mock, uint32_t broker, bool frozen)
{
    if (broker >= mock->config.n_brokers)
        return;
    if (frozen && !mock->brokers[broker].frozen)
        mock->brokers[broker].frozen_at = mock->change;
    mock->brokers[broker].frozen = frozen;
}

void kwi_mock_drop_fetch_sessions(struct kw_mock *mock, uint32_t broker)
{
    if (broker < mock->config.n_brokers)
        kwi_mock_sessions_drop(mock, broker);
}

uint32_t kwi_mock_n_fetch_sessions(const struct kw_mock *mock, uint32_t broker)
{
    uint32_t count = 0;
    for (const struct kw_node *n = mock->sessions.first; n; n = n->next)
        count += KWI_OF(n, const struct kw_mock_session, node)->broker == broker;
    return count;
}

void kwi_mock_set_coordinator(struct kw_mock *mock, int32_t broker)
{
    mock->coordinator = broker < (int32_t)mock->config.n_brokers ? broker : -1;
    mock->wake = true; /* who waits for its group learns that it moved */
}

/* --- for checkers ------------------------------------------------------------------ */

int kwi_mock_partition(const struct kw_mock *mock, const char *topic, int32_t partition,
                       struct kw_mock_partition_info *info)
{
    const struct kw_mock_partition *found = mock_partition_find(mock, topic, partition);
    if (!found)
        return KW_ERR_STATE;
    info->start_offset = found->log.start_offset;
    info->high_watermark = found->log.high_watermark;
    info->end_offset = found->log.end_offset;
    info->leader = found->leader;
    info->leader_epoch = found->leader_epoch;
    info->size = found->log.size;
    info->n_batches = found->log.n - found->log.first;
    return 0;
}

bool kwi_mock_log(const struct kw_mock *mock, const char *topic, int32_t partition, int64_t *offset,
                  struct kw_mock_batch *batch)
{
    const struct kw_mock_partition *found = mock_partition_find(mock, topic, partition);
    const struct kw_mock_entry *entry;
    uint32_t i = found ? kwi_mock_log_find(&found->log, *offset) : 0;
    if (!found || i == found->log.n)
        return false;
    entry = &found->log.entries[i];
    batch->base_offset = entry->base_offset;
    batch->last_offset = entry->last_offset;
    batch->ptr = entry->ptr;
    batch->len = entry->len;
    batch->leader_epoch = entry->leader_epoch;
    *offset = entry->last_offset + 1;
    return true;
}

uint64_t kwi_mock_n_requests(const struct kw_mock *mock, int16_t api_key)
{
    if (api_key == -1)
        return mock->n_requests_all;
    return api_key >= 0 && api_key < KWI_MOCK_API_KEYS_MAX ? mock->n_requests[api_key] : 0;
}
