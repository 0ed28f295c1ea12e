/* mock/cluster.c -- brokers, topics and leaders of the broker model. Requests
 * and connections are not handled here. */
#include "mock/cluster.h"
#include "base/bytes.h"
#include "proto/batch.h"
#include "proto/error.h"

/* --- topics ----------------------------------------------------------------- */

struct kw_mock_topic *kwi_mock_topic_find(const struct kw_mock *mock, const char *name, size_t len)
{
    return kwi_map_get_str(&mock->topics, name, len);
}

struct kw_mock_topic *kwi_mock_topic_find_id(const struct kw_mock *mock, const uint8_t id[16])
{
    struct kw_mock_topic *topic = kwi_map_get(&mock->topics_by_id, kwi_get_u64(id));
    return topic && memcmp(topic->id, id, 16) == 0 ? topic : NULL;
}

struct kw_mock_partition *kwi_mock_topic_partition(const struct kw_mock_topic *topic, int32_t index)
{
    if (!topic || index < 0 || index >= topic->n_partitions)
        return NULL;
    return &topic->partitions[index];
}

void kwi_mock_topic_spec_init(const struct kw_mock *mock, struct kw_mock_topic_spec *spec)
{
    memset(spec, 0, sizeof(*spec));
    spec->n_partitions = -1;
    spec->replication_factor = -1;
    spec->message_size_max = KWI_MOCK_MESSAGE_SIZE_MAX;
    spec->retention_size = mock->config.retention_size;
}

static bool mockcluster_name_is_legal(const char *name, size_t len)
{
    if (len == 0 || len > KWI_MOCK_TOPIC_NAME_MAX)
        return false;
    if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

int16_t kwi_mock_topic_check(const struct kw_mock *mock, struct kw_mock_topic_spec *spec)
{
    if (!mockcluster_name_is_legal(spec->name, spec->name_len))
        return KW_E_INVALID_TOPIC_EXCEPTION;
    if (kwi_mock_topic_find(mock, spec->name, spec->name_len))
        return KW_E_TOPIC_ALREADY_EXISTS;
    if (spec->n_partitions == -1)
        spec->n_partitions = mock->config.default_partitions;
    if (spec->replication_factor == -1)
        spec->replication_factor = mock->config.replication_factor;
    if (spec->n_partitions < 1 || spec->n_partitions > KWI_MOCK_PARTITIONS_MAX)
        return KW_E_INVALID_PARTITIONS;
    if (spec->replication_factor < 1 || spec->replication_factor > (int32_t)mock->config.n_brokers)
        return KW_E_INVALID_REPLICATION_FACTOR;
    return 0;
}

static bool mockcluster_word_is(const char *ptr, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(ptr, word, len) == 0;
}

/* A decimal number from -1 to 2^62; anything else is refused. */
static bool mockcluster_number(const char *ptr, size_t len, int64_t *number)
{
    int64_t sum = 0;
    if (mockcluster_word_is(ptr, len, "-1")) {
        *number = -1;
        return true;
    }
    if (len == 0 || len > 18)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (ptr[i] < '0' || ptr[i] > '9')
            return false;
        sum = sum * 10 + (ptr[i] - '0');
    }
    *number = sum;
    return true;
}

int kwi_mock_topic_configure(struct kw_mock_topic_spec *spec, const char *key, size_t key_len,
                             const char *value, size_t value_len)
{
    int64_t number;
    if (mockcluster_word_is(key, key_len, "message.timestamp.type")) {
        spec->append_time = mockcluster_word_is(value, value_len, "LogAppendTime");
        return spec->append_time || mockcluster_word_is(value, value_len, "CreateTime")
                   ? 0
                   : KW_ERR_CONFIG;
    }
    if (mockcluster_word_is(key, key_len, "cleanup.policy")) {
        spec->compact = mockcluster_word_is(value, value_len, "compact");
        return spec->compact || mockcluster_word_is(value, value_len, "delete") ? 0 : KW_ERR_CONFIG;
    }
    if (!mockcluster_number(value, value_len, &number))
        return KW_ERR_CONFIG;
    if (mockcluster_word_is(key, key_len, "retention.bytes")) {
        spec->retention_size = number < 0 ? 0 : (uint64_t)number;
        return 0;
    }
    if (mockcluster_word_is(key, key_len, "max.message.bytes")) {
        if (number < 0 || number > INT32_MAX)
            return KW_ERR_CONFIG;
        spec->message_size_max = (uint32_t)number;
        return 0;
    }
    return KW_ERR_CONFIG;
}

static void mockcluster_replicate_due(struct kw_timer *timer)
{
    struct kw_mock_partition *partition = KWI_OF(timer, struct kw_mock_partition, replicate);
    partition->log.high_watermark = partition->log.end_offset;
    kwi_mock_log_retain(&partition->log);
    partition->topic->mock->wake = true;
}

/* Never 0, 1 (reserved by Kafka) or the first half of another topic's id. */
static void mockcluster_topic_id(struct kw_mock *mock, uint8_t id[16])
{
    uint64_t high, low = kwi_rng_next(&mock->rng);
    do {
        high = kwi_rng_next(&mock->rng);
        /* The version and variant bits of a random UUID. */
        high = (high & ~0xf000ull) | 0x4000;
    } while (kwi_map_get(&mock->topics_by_id, high));
    kwi_put_u64(id, high);
    kwi_put_u64(id + 8, (low & ~(3ull << 62)) | 2ull << 62);
}

static void mockcluster_topic_free(struct kw_mock *mock, struct kw_mock_topic *topic)
{
    for (int32_t i = 0; topic->partitions && i < topic->n_partitions; i++) {
        struct kw_mock_partition *partition = &topic->partitions[i];
        kwi_timer_disarm(&mock->timers, &partition->replicate);
        kwi_mock_sequence_clear(&partition->producers);
        kwi_map_deinit(&partition->producers);
        kwi_mock_txns_deinit(&partition->txns, &mock->heap);
        kwi_mock_log_deinit(&partition->log);
    }
    if (topic->partitions)
        kwi_free(&mock->heap, topic->partitions,
                 (size_t)topic->n_partitions * sizeof(*topic->partitions));
    kwi_free(&mock->heap, topic->name, topic->name_len + 1);
    kwi_free(&mock->heap, topic, sizeof(*topic));
}

/* The first leader that is up; epoch 0. */
static void mockcluster_partition_init(struct kw_mock *mock, struct kw_mock_topic *topic,
                                       int32_t index, const struct kw_mock_topic_spec *spec)
{
    struct kw_mock_partition *partition = &topic->partitions[index];
    partition->topic = topic;
    partition->index = index;
    partition->leader = -1;
    partition->leader_epoch = 0;
    partition->n_replicas = spec->replication_factor;
    for (int32_t i = 0; i < spec->replication_factor; i++) {
        uint32_t broker = ((uint32_t)index + (uint32_t)i) % mock->config.n_brokers;
        partition->replicas[i] = (uint8_t)broker;
        if (partition->leader < 0 && mock->brokers[broker].up)
            partition->leader = (int32_t)broker;
    }
    partition->log_owner = partition->leader;
    partition->n_past = 1;
    partition->past[0].change = topic->created;
    partition->past[0].leader = partition->leader;
    partition->past[0].leader_epoch = 0;
    partition->replicate.fire = mockcluster_replicate_due;
    kwi_map_init(&partition->producers, &mock->heap);
    kwi_mock_log_init(&partition->log, &mock->heap, spec->retention_size);
}

struct kw_mock_topic *kwi_mock_topic_create(struct kw_mock *mock,
                                            const struct kw_mock_topic_spec *spec)
{
    struct kw_mock_topic *topic = kwi_alloc_zero(&mock->heap, sizeof(*topic));
    if (!topic)
        return NULL;
    topic->mock = mock;
    topic->name_len = spec->name_len;
    topic->name = kwi_strdup(&mock->heap, spec->name, spec->name_len);
    if (!topic->name) {
        kwi_free(&mock->heap, topic, sizeof(*topic));
        return NULL;
    }
    topic->append_time = spec->append_time;
    topic->compact = spec->compact;
    topic->message_size_max = spec->message_size_max;
    topic->n_partitions = spec->n_partitions;
    topic->partitions = kwi_alloc_zero(&mock->heap,
                                       (size_t)spec->n_partitions * sizeof(*topic->partitions));
    if (!topic->partitions)
        goto fail;
    topic->created = ++mock->change;
    for (int32_t i = 0; i < spec->n_partitions; i++)
        mockcluster_partition_init(mock, topic, i, spec);
    mockcluster_topic_id(mock, topic->id);
    if (kwi_map_put_str(&mock->topics, topic->name, topic->name_len, topic))
        goto fail;
    if (kwi_map_put(&mock->topics_by_id, kwi_get_u64(topic->id), topic)) {
        kwi_map_remove_str(&mock->topics, topic->name, topic->name_len);
        goto fail;
    }
    mock->wake = true;
    return topic;
fail:
    mockcluster_topic_free(mock, topic);
    return NULL;
}

void kwi_mock_topic_delete(struct kw_mock *mock, struct kw_mock_topic *topic)
{
    kwi_map_remove_str(&mock->topics, topic->name, topic->name_len);
    kwi_map_remove(&mock->topics_by_id, kwi_get_u64(topic->id));
    mockcluster_topic_free(mock, topic);
    mock->change++;
    mock->wake = true;
}

int kwi_mock_topic_grow(struct kw_mock_topic *topic, int32_t n)
{
    struct kw_mock *mock = topic->mock;
    struct kw_mock_topic_spec spec;
    struct kw_mock_partition *grown, *was = topic->partitions;
    int32_t old = topic->n_partitions;
    if (n <= old || n > KWI_MOCK_PARTITIONS_MAX)
        return KW_ERR_USE;
    grown = kwi_alloc_zero(&mock->heap, (size_t)n * sizeof(*grown));
    if (!grown)
        return KW_ERR_NOMEM;
    kwi_mock_topic_spec_init(mock, &spec);
    spec.replication_factor = was[0].n_replicas;
    spec.retention_size = was[0].log.retention_size;
    for (int32_t i = 0; i < old; i++) {
        uint64_t due_us = was[i].replicate.deadline_us;
        bool armed = was[i].replicate.armed;
        kwi_timer_disarm(&mock->timers, &was[i].replicate);
        grown[i] = was[i];
        if (armed)
            kwi_timer_arm(&mock->timers, &grown[i].replicate, due_us);
    }
    kwi_free(&mock->heap, was, (size_t)old * sizeof(*was));
    topic->partitions = grown;
    topic->n_partitions = n;
    mock->change++;
    for (int32_t i = old; i < n; i++) {
        mockcluster_partition_init(mock, topic, i, &spec);
        grown[i].past[0].change = mock->change;
    }
    mock->wake = true;
    return 0;
}

/* --- leaders ------------------------------------------------------------------ */

/* What the new leader never had is gone: everything above the high watermark.
 * Producer states are then what the remaining batches say. Without the memory
 * for one, the broker has forgotten that producer, as after a long pause. */
void kwi_mock_partition_truncate(struct kw_mock_partition *partition)
{
    struct kw_mock_log *log = &partition->log;
    if (log->end_offset == log->high_watermark)
        return;
    kwi_mock_log_truncate(log, log->high_watermark);
    kwi_mock_txns_rebuild(&partition->txns, log);
    kwi_mock_sequence_clear(&partition->producers);
    for (uint32_t i = log->first; i < log->n; i++) {
        const struct kw_mock_entry *entry = &log->entries[i];
        struct kw_mock_producer *producer;
        struct kw_mock_sequence batch;
        struct kw_batch_header header;
        if (kwi_batch_header_get(entry->ptr, entry->len, &header) || header.producer_id < 0)
            continue;
        if (header.attributes & KWI_BATCH_CONTROL) {
            if (!kwi_mock_sequence_open(&partition->producers, header.producer_id, &producer))
                kwi_mock_sequence_fence(producer, header.producer_epoch);
            continue;
        }
        batch.producer_id = header.producer_id;
        batch.epoch = header.producer_epoch;
        batch.first = header.base_sequence;
        batch.last = kwi_mock_sequence_add(header.base_sequence, header.last_offset_delta);
        if (!kwi_mock_sequence_open(&partition->producers, batch.producer_id, &producer))
            kwi_mock_sequence_commit(producer, &batch, entry->base_offset);
    }
}

void kwi_mock_partition_lead(struct kw_mock_partition *partition, int32_t leader)
{
    struct kw_mock *mock = partition->topic->mock;
    struct kw_mock_leadership *now;
    kwi_timer_disarm(&mock->timers, &partition->replicate);
    if (leader >= 0 && leader != partition->log_owner)
        kwi_mock_partition_truncate(partition);
    if (leader >= 0) {
        partition->log_owner = leader;
        kwi_mock_partition_appended(partition, false);
    }
    partition->leader = leader;
    partition->leader_epoch++;
    if (partition->n_past == KWI_MOCK_PAST_LEADERS) {
        memmove(partition->past, partition->past + 1,
                (KWI_MOCK_PAST_LEADERS - 1) * sizeof(*partition->past));
        partition->n_past--;
    }
    now = &partition->past[partition->n_past++];
    now->change = ++mock->change;
    now->leader = leader;
    now->leader_epoch = partition->leader_epoch;
    mock->wake = true;
}

bool kwi_mock_partition_view(const struct kw_mock_partition *partition, uint32_t broker,
                             struct kw_mock_leadership *view)
{
    const struct kw_mock_broker *asked = &partition->topic->mock->brokers[broker];
    uint32_t i = partition->n_past - 1u;
    if (asked->frozen) {
        if (partition->topic->created > asked->frozen_at)
            return false;
        while (i > 0 && partition->past[i].change > asked->frozen_at)
            i--;
    }
    *view = partition->past[i];
    return true;
}

void kwi_mock_partition_appended(struct kw_mock_partition *partition, bool all)
{
    struct kw_mock *mock = partition->topic->mock;
    uint64_t lag_us = (uint64_t)mock->config.replication_lag_ms * 1000;
    if (all || lag_us == 0) {
        kwi_timer_disarm(&mock->timers, &partition->replicate);
        partition->log.high_watermark = partition->log.end_offset;
        kwi_mock_log_retain(&partition->log);
    } else if (!partition->replicate.armed) {
        kwi_timer_arm(&mock->timers, &partition->replicate, mock->now.mono_us + lag_us);
    }
    mock->wake = true;
}
