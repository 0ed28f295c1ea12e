/* client/partitioner.h -- which partition a record goes to: murmur2 of the key
 * exactly as Java's default partitioner does (P51). Keyless records are sticky:
 * producer.c chooses their partition once per batch (KIP-480). */
#ifndef KWI_PARTITIONER_H
#define KWI_PARTITIONER_H
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

#endif
