/* proto/message_set.h -- messages of formats 0 and 1, which old producers left
 * in logs that brokers up to 3.x still hand out. Read only.
 *
 *   offset size
 *        0   8  offset
 *        8   4  size          bytes after this field
 *       12   4  crc           CRC-32 of byte 16 to the end
 *       16   1  magic         0 or 1
 *       17   1  attributes    bits 0-2 codec, bit 3 (format 1) log append time
 *       18   8  timestamp     format 1 only
 *              4  key length, key, 4 value length, value      (-1: null)
 *
 * Fetched data mixes formats 0, 1 and 2 freely. At each position call
 * kwi_batch_header_get; if it answers KW_ERR_UNSUPPORTED, call kwi_message_get
 * there. A message with a codec is a wrapper: its value, decompressed by the
 * caller, is a set of further messages, which kwi_message_set walks. Sets are not
 * nested deeper than that. */
#ifndef KWI_MESSAGE_SET_H
#define KWI_MESSAGE_SET_H
#include <kwire/types.h>

enum { KWI_MESSAGE_CODEC_MASK = 7, KWI_MESSAGE_LOG_APPEND_TIME = 8 };
/* Where the checksum is, and where what it covers begins. */
enum { KWI_MESSAGE_CRC = 12, KWI_MESSAGE_MAGIC = 16 };

/* Key and value borrow from the input. */
struct kw_message {
    int64_t offset;
    int64_t timestamp; /* ms; -1 in format 0 */
    const uint8_t *key, *value;
    int32_t key_len, value_len; /* -1 null */
    uint32_t crc;
    uint32_t size; /* of the whole message, with offset and size fields */
    uint8_t magic;
    uint8_t attributes;
};

/* The messages in a wrapper's value. The bytes are borrowed. */
struct kw_message_set {
    const uint8_t *p, *end;
    int64_t base;        /* added to each offset */
    int64_t append_time; /* if has_append_time: the time of all */
    bool has_append_time;
};

/* Reads the message at p; len bytes follow there, which may hold more.
 * KW_ERR_SHORT: it is cut off, which is normal at the end of fetched data.
 * KW_ERR_CORRUPT: it contradicts itself, or a wrapper has no value.
 * KW_ERR_UNSUPPORTED: it is a batch of format 2. KW_ERR_CODEC: a codec that its
 * format does not have. Does not check the checksum. */
int kwi_message_get(const uint8_t *p, size_t len, struct kw_message *out) KW_MUST_USE;

/* 0, or KW_ERR_CRC. p: where the message was read. */
int kwi_message_crc_check(const uint8_t *p, const struct kw_message *message) KW_MUST_USE;

static inline int kwi_message_codec(const struct kw_message *message)
{
    return message->attributes & KWI_MESSAGE_CODEC_MASK;
}

/* Starts a walk over the len bytes that the value of wrapper became. Checks all
 * of them: whole messages of the wrapper's format, not compressed again, offsets
 * that grow and agree with the wrapper's. KW_ERR_CORRUPT otherwise, and then
 * nothing of it is handed out. One pass over the heads, no allocation. */
int kwi_message_set_open(struct kw_message_set *set, const uint8_t *p, size_t len,
                         const struct kw_message *wrapper) KW_MUST_USE;

/* 1 with *out filled, offset and timestamp final; 0 at the end. */
int kwi_message_set_next(struct kw_message_set *set, struct kw_message *out);

#endif
