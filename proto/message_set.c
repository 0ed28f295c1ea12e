/* message_set.c -- reads messages of formats 0 and 1.
 *
 * Offsets in a wrapper. Format 0: final. Format 1: counted from 0, and the
 * wrapper's offset is that of the last one, so the base follows from the last;
 * the first ones may be missing after compaction. A wrapper's offset of 0 with a
 * last one above it comes from producers that never set it: the base is 0. */
#include "proto/message_set.h"

#include "base/bytes.h"
#include "base/crc32.h"

enum {
    MESSAGE_SIZE = 8,
    MESSAGE_LOG_OVERHEAD = 12, /* what size does not count */
    MESSAGE_CRC = 12,
    MESSAGE_MAGIC = 16,
    MESSAGE_ATTRIBUTES = 17,
    MESSAGE_BODY = 18,
    MESSAGE_CODEC_MAX = 3, /* zstd came with format 2 */
    MESSAGE_SIZE_MIN_0 = 14,
    MESSAGE_SIZE_MIN_1 = 22
};

/* A length and its bytes. The position behind them, or NULL. */
static const uint8_t *message_bytes(const uint8_t *p, const uint8_t *end, const uint8_t **ptr,
                                    int32_t *len)
{
    if (end - p < 4)
        return NULL;
    *len = (int32_t)kwi_get_u32(p);
    p += 4;
    if (*len < -1 || *len > end - p)
        return NULL;
    *ptr = *len < 0 ? NULL : p;
    return *len < 0 ? p : p + *len;
}

int kwi_message_get(const uint8_t *p, size_t len, struct kw_message *out)
{
    const uint8_t *body = p + MESSAGE_BODY, *end;
    uint32_t size;

    if (len <= MESSAGE_MAGIC)
        return KW_ERR_SHORT;
    size = kwi_get_u32(p + MESSAGE_SIZE);
    out->magic = p[MESSAGE_MAGIC];
    if (out->magic == 2)
        return KW_ERR_UNSUPPORTED;
    out->offset = (int64_t)kwi_get_u64(p);
    if (out->magic > 1 || size > INT32_MAX - MESSAGE_LOG_OVERHEAD || out->offset < 0 ||
        out->offset == INT64_MAX ||
        size < (out->magic == 0 ? MESSAGE_SIZE_MIN_0 : MESSAGE_SIZE_MIN_1))
        return KW_ERR_CORRUPT;
    if (size > len - MESSAGE_LOG_OVERHEAD)
        return KW_ERR_SHORT;
    out->size = size + MESSAGE_LOG_OVERHEAD;
    out->crc = kwi_get_u32(p + MESSAGE_CRC);
    out->attributes = p[MESSAGE_ATTRIBUTES];
    out->timestamp = -1;
    end = p + out->size;
    if (out->magic == 1) {
        out->timestamp = (int64_t)kwi_get_u64(body);
        body += 8;
    }
    body = message_bytes(body, end, &out->key, &out->key_len);
    body = body ? message_bytes(body, end, &out->value, &out->value_len) : NULL;
    if (body != end)
        return KW_ERR_CORRUPT;
    if (kwi_message_codec(out) > MESSAGE_CODEC_MAX)
        return KW_ERR_CODEC;
    if (kwi_message_codec(out) && out->value_len < 0)
        return KW_ERR_CORRUPT;
    return 0;
}

int kwi_message_crc_check(const uint8_t *p, const struct kw_message *message)
{
    return kwi_crc32(0, p + MESSAGE_MAGIC, message->size - MESSAGE_MAGIC) == message->crc
               ? 0
               : KW_ERR_CRC;
}

int kwi_message_set_open(struct kw_message_set *set, const uint8_t *p, size_t len,
                         const struct kw_message *wrapper)
{
    const uint8_t *end = p + len;
    struct kw_message inner;
    int64_t last = -1;

    *set = (struct kw_message_set){.p = p, .end = end};
    for (; p < end; p += inner.size) {
        if (kwi_message_get(p, (size_t)(end - p), &inner) || inner.magic != wrapper->magic ||
            kwi_message_codec(&inner) || inner.offset <= last)
            return KW_ERR_CORRUPT;
        last = inner.offset;
    }
    if (last < 0) /* a wrapper wraps something */
        return KW_ERR_CORRUPT;
    if (wrapper->offset < last && wrapper->offset != 0)
        return KW_ERR_CORRUPT;
    if (wrapper->magic == 0)
        return 0;
    if (wrapper->offset > last)
        set->base = wrapper->offset - last;
    set->has_append_time = wrapper->attributes & KWI_MESSAGE_LOG_APPEND_TIME;
    set->append_time = wrapper->timestamp;
    return 0;
}

int kwi_message_set_next(struct kw_message_set *set, struct kw_message *out)
{
    /* All of it was read once, in open. */
    if (set->p == set->end || kwi_message_get(set->p, (size_t)(set->end - set->p), out))
        return 0;
    set->p += out->size;
    out->offset += set->base;
    if (set->has_append_time) {
        out->timestamp = set->append_time;
        out->attributes |= KWI_MESSAGE_LOG_APPEND_TIME;
    }
    return 1;
}
