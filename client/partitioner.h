/* client/partitioner.h -- which partition a record goes to. partitioner.c has the table
 * of partitioners; what is here is what the default one does for a record with a key,
 * inline in the hot path: murmur2 of the key exactly as Java (P51). */
#ifndef KWI_PARTITIONER_H
#define KWI_PARTITIONER_H
#include "client/producer.h"
#include <stddef.h>
#include <stdint.h>

/* Kafka's murmur2: four-byte groups are read little-endian on every machine. */
static inline uint32_t kwi_murmur2(const void *key, size_t len)
{
    const uint32_t m = 0x5bd1e995;
    const uint8_t *p = key;
    uint32_t h = 0x9747b28cu ^ (uint32_t)len;

    for (; len >= 4; len -= 4, p += 4) {
        uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                     (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (len > 2)
        h ^= (uint32_t)p[2] << 16;
    if (len > 1)
        h ^= (uint32_t)p[1] << 8;
    if (len)
        h = (h ^ p[0]) * m;
    h = (h ^ h >> 13) * m;
    return h ^ h >> 15;
}

static inline uint32_t kwi_partition_of_key(const void *key, size_t len, uint32_t n_partitions)
{
    return (kwi_murmur2(key, len) & 0x7fffffff) % n_partitions;
}

/* Where partitioner `which` (enum kw_partitioner_name) puts a key among n partitions;
 * -1: it does not go by keys, or not by this one. key NULL: none. */
int64_t kwi_partitioner_of_key(unsigned which, const void *key, size_t len, uint32_t n_partitions);

/* Settings: of a topic's own configuration (may be NULL), else those of `base` (may be
 * NULL), else the client's. KW_ERR_CONFIG: they contradict each other. */
KW_MUST_USE int kwi_pick_settings(struct kw_pick *pick, const struct kw_core *core,
                                  const struct kw_pick *base, const struct kw_config *own,
                                  struct kw_error *err);
/* Whether the topic's records are placed by the hot path itself. */
bool kwi_pick_is_plain(const struct kw_topic *topic);
/* The record's partition, of a topic that has some. NULL: its own `partition`, or what
 * the application's partitioner says, is none of them. */
struct kw_part *kwi_topic_pick(struct kw_topic *topic, const struct kw_record *record);
/* What pick gave was not used: the next record of a round goes there. */
void kwi_topic_unpick(struct kw_topic *topic, const struct kw_record *record);
/* Whether the record goes wherever keyless records go now. */
bool kwi_topic_sticks(const struct kw_topic *topic, const struct kw_record *record);

#endif
