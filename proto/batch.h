/* proto/batch.h -- the header of a record batch of format 2 (magic 2).
 *
 *   offset size
 *        0   8  base_offset             broker's; not covered by the checksum
 *        8   4  batch_length            bytes after this field
 *       12   4  partition_leader_epoch  broker's; not covered by the checksum
 *       16   1  magic = 2
 *       17   4  crc                     CRC-32C of bytes 21 to the end
 *       21   2  attributes
 *       23   4  last_offset_delta       also that of the sequence
 *       27   8  base_timestamp
 *       35   8  max_timestamp
 *       43   8  producer_id
 *       51   2  producer_epoch
 *       53   4  base_sequence
 *       57   4  record_count            may be 0 after compaction
 *       61      records, compressed as one block if attributes say so
 *
 * This file does not compute checksums and does not decompress. Hand-written
 * beside the tables, because each fetched and produced batch passes here. */
#ifndef KWI_BATCH_H
#define KWI_BATCH_H
#include <kwire/types.h>

#include "base/bytes.h"

enum {
    KWI_BATCH_BASE_OFFSET = 0,
    KWI_BATCH_LENGTH = 8,
    KWI_BATCH_LEADER_EPOCH = 12,
    KWI_BATCH_MAGIC = 16,
    KWI_BATCH_CRC = 17,
    KWI_BATCH_ATTRIBUTES = 21,
    KWI_BATCH_LAST_OFFSET_DELTA = 23,
    KWI_BATCH_BASE_TIMESTAMP = 27,
    KWI_BATCH_MAX_TIMESTAMP = 35,
    KWI_BATCH_PRODUCER_ID = 43,
    KWI_BATCH_PRODUCER_EPOCH = 51,
    KWI_BATCH_BASE_SEQUENCE = 53,
    KWI_BATCH_RECORD_COUNT = 57,
    KWI_BATCH_HEADER = 61,      /* bytes before the first record */
    KWI_BATCH_LOG_OVERHEAD = 12 /* base_offset and batch_length: total = this + batch_length */
};

/* Bits of attributes. */
enum {
    KWI_BATCH_CODEC_MASK = 7, /* 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd */
    KWI_BATCH_LOG_APPEND_TIME = 8,
    KWI_BATCH_TRANSACTIONAL = 16,
    KWI_BATCH_CONTROL = 32,
    KWI_BATCH_DELETE_HORIZON = 64
};

struct kw_batch_header {
    int64_t base_offset;
    int32_t batch_length; /* put: may be 0 and patched later */
    int32_t partition_leader_epoch;
    uint32_t crc;
    int16_t attributes;
    int8_t magic;
    int32_t last_offset_delta;
    int64_t base_timestamp, max_timestamp; /* ms */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
};

/* Reads the header of the batch at p; len bytes follow there, which may hold
 * further batches. On 0 the whole batch lies within len, and it takes
 * kwi_batch_size(header) bytes.
 * KW_ERR_SHORT: the batch is cut off, which is normal at the end of fetched
 * data. KW_ERR_CORRUPT: it contradicts itself. KW_ERR_UNSUPPORTED: a message of
 * format 0 or 1, whole; only base_offset, batch_length and magic are set. */
int kwi_batch_header_get(const uint8_t *p, size_t len, struct kw_batch_header *header) KW_MUST_USE;

/* Writes the 61 bytes at p. magic is written as 2. */
void kwi_batch_header_put(uint8_t *p, const struct kw_batch_header *header);

/* Defaults for a new batch: -1 for epoch, producer and sequence. */
void kwi_batch_header_init(struct kw_batch_header *header);

static inline size_t kwi_batch_size(const struct kw_batch_header *header)
{
    return (size_t)header->batch_length + KWI_BATCH_LOG_OVERHEAD;
}

/* The bytes that the checksum covers: of a batch of len bytes in all at p. */
static inline struct kw_bytes kwi_batch_crc_region(const uint8_t *p, size_t len)
{
    return (struct kw_bytes){p + KWI_BATCH_ATTRIBUTES, len - KWI_BATCH_ATTRIBUTES};
}

/* Sets batch_length and crc of a finished, uncompressed or compressed batch of
 * len bytes at p. crc32c: extends a CRC-32C that starts at 0. */
void kwi_batch_seal(uint8_t *p, size_t len,
                    uint32_t (*crc32c)(uint32_t crc, const void *ptr, size_t len));

/* 0, or KW_ERR_CRC. p and len as above; the header was read before. */
int kwi_batch_crc_check(const uint8_t *p, size_t len,
                        uint32_t (*crc32c)(uint32_t crc, const void *ptr, size_t len)) KW_MUST_USE;

/* The type of a control record, from its key: 0 abort, 1 commit, others are for
 * brokers; KW_ERR_CORRUPT if the key is too short or its version negative. */
enum { KWI_CONTROL_ABORT = 0, KWI_CONTROL_COMMIT = 1 };
int kwi_control_type(const uint8_t *key, int32_t key_len) KW_MUST_USE;

#endif
