/* proto/batch.c -- reads, writes, seals and checks the header of a record batch
 * of format 2. Layout: batch.h. */
#include "proto/batch.h"

enum {
    BATCH_LENGTH_MIN_OLD = 14, /* batch_length of the smallest message of format 0 */
    BATCH_LENGTH_MIN = KWI_BATCH_HEADER - KWI_BATCH_LOG_OVERHEAD,
    BATCH_RECORD_MIN = 7 /* bytes of the smallest record, its length included */
};

/* What the fields say about each other. Without a codec the count is bounded by
 * the bytes, so that nobody sizes an array by a number that cannot be true. */
static bool batch_is_sane(const struct kw_batch_header *h)
{
    int32_t records_size = h->batch_length - BATCH_LENGTH_MIN;
    if (h->record_count < 0 || h->last_offset_delta < 0 || h->base_offset < 0)
        return false;
    if (h->base_offset > INT64_MAX - 1 - h->last_offset_delta)
        return false;
    return (h->attributes & KWI_BATCH_CODEC_MASK) != 0 ||
           h->record_count <= records_size / BATCH_RECORD_MIN;
}

int kwi_batch_header_get(const uint8_t *p, size_t len, struct kw_batch_header *header)
{
    *header = (struct kw_batch_header){.magic = -1};
    if (len < KWI_BATCH_LOG_OVERHEAD)
        return KW_ERR_SHORT;
    header->base_offset = (int64_t)kwi_get_u64(p + KWI_BATCH_BASE_OFFSET);
    header->batch_length = (int32_t)kwi_get_u32(p + KWI_BATCH_LENGTH);
    if (header->batch_length < BATCH_LENGTH_MIN_OLD)
        return KW_ERR_CORRUPT;
    if (len <= KWI_BATCH_MAGIC)
        return KW_ERR_SHORT;
    /* All formats keep the magic at the same place, so it is judged first. */
    header->magic = (int8_t)p[KWI_BATCH_MAGIC];
    if (header->magic < 0 || header->magic > 2)
        return KW_ERR_CORRUPT;
    if (header->magic == 2 && header->batch_length < BATCH_LENGTH_MIN)
        return KW_ERR_CORRUPT;
    if (len - KWI_BATCH_LOG_OVERHEAD < (size_t)header->batch_length)
        return KW_ERR_SHORT;
    if (header->magic != 2)
        return KW_ERR_UNSUPPORTED;
    header->partition_leader_epoch = (int32_t)kwi_get_u32(p + KWI_BATCH_LEADER_EPOCH);
    header->crc = kwi_get_u32(p + KWI_BATCH_CRC);
    header->attributes = (int16_t)kwi_get_u16(p + KWI_BATCH_ATTRIBUTES);
    header->last_offset_delta = (int32_t)kwi_get_u32(p + KWI_BATCH_LAST_OFFSET_DELTA);
    header->base_timestamp = (int64_t)kwi_get_u64(p + KWI_BATCH_BASE_TIMESTAMP);
    header->max_timestamp = (int64_t)kwi_get_u64(p + KWI_BATCH_MAX_TIMESTAMP);
    header->producer_id = (int64_t)kwi_get_u64(p + KWI_BATCH_PRODUCER_ID);
    header->producer_epoch = (int16_t)kwi_get_u16(p + KWI_BATCH_PRODUCER_EPOCH);
    header->base_sequence = (int32_t)kwi_get_u32(p + KWI_BATCH_BASE_SEQUENCE);
    header->record_count = (int32_t)kwi_get_u32(p + KWI_BATCH_RECORD_COUNT);
    return batch_is_sane(header) ? KW_OK : KW_ERR_CORRUPT;
}

void kwi_batch_header_put(uint8_t *p, const struct kw_batch_header *header)
{
    kwi_put_u64(p + KWI_BATCH_BASE_OFFSET, (uint64_t)header->base_offset);
    kwi_put_u32(p + KWI_BATCH_LENGTH, (uint32_t)header->batch_length);
    kwi_put_u32(p + KWI_BATCH_LEADER_EPOCH, (uint32_t)header->partition_leader_epoch);
    p[KWI_BATCH_MAGIC] = 2;
    kwi_put_u32(p + KWI_BATCH_CRC, header->crc);
    kwi_put_u16(p + KWI_BATCH_ATTRIBUTES, (uint16_t)header->attributes);
    kwi_put_u32(p + KWI_BATCH_LAST_OFFSET_DELTA, (uint32_t)header->last_offset_delta);
    kwi_put_u64(p + KWI_BATCH_BASE_TIMESTAMP, (uint64_t)header->base_timestamp);
    kwi_put_u64(p + KWI_BATCH_MAX_TIMESTAMP, (uint64_t)header->max_timestamp);
    kwi_put_u64(p + KWI_BATCH_PRODUCER_ID, (uint64_t)header->producer_id);
    kwi_put_u16(p + KWI_BATCH_PRODUCER_EPOCH, (uint16_t)header->producer_epoch);
    kwi_put_u32(p + KWI_BATCH_BASE_SEQUENCE, (uint32_t)header->base_sequence);
    kwi_put_u32(p + KWI_BATCH_RECORD_COUNT, (uint32_t)header->record_count);
}

void kwi_batch_header_init(struct kw_batch_header *header)
{
    *header = (struct kw_batch_header){.magic = 2,
                                       .partition_leader_epoch = -1,
                                       .producer_id = -1,
                                       .producer_epoch = -1,
                                       .base_sequence = -1};
}

void kwi_batch_seal(uint8_t *p, size_t len,
                    uint32_t (*crc32c)(uint32_t crc, const void *ptr, size_t len))
{
    struct kw_bytes covered = kwi_batch_crc_region(p, len);
    kwi_put_u32(p + KWI_BATCH_LENGTH, (uint32_t)(len - KWI_BATCH_LOG_OVERHEAD));
    kwi_put_u32(p + KWI_BATCH_CRC, crc32c(0, covered.ptr, covered.len));
}

int kwi_batch_crc_check(const uint8_t *p, size_t len,
                        uint32_t (*crc32c)(uint32_t crc, const void *ptr, size_t len))
{
    struct kw_bytes covered = kwi_batch_crc_region(p, len);
    uint32_t crc = crc32c(0, covered.ptr, covered.len);
    return crc == kwi_get_u32(p + KWI_BATCH_CRC) ? KW_OK : KW_ERR_CRC;
}

int kwi_control_type(const uint8_t *key, int32_t key_len)
{
    /* Higher key versions only append fields and are read as version 0. */
    if (key_len < 4 || (int16_t)kwi_get_u16(key) < 0 || (int16_t)kwi_get_u16(key + 2) < 0)
        return KW_ERR_CORRUPT;
    return (int16_t)kwi_get_u16(key + 2);
}
