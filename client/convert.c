/* client/convert.c -- messages of formats 0 and 1 become records of format 2, in
 * place: a block that begins with room for a batch header, then the messages.
 *
 * No record is longer than the message that it comes from: a message spends 26
 * bytes (format 0) or 34 (format 1) around key and value; a record at most 23,
 * because format 0 has no times, or 32. Key and value move towards the front
 * over what was read already.
 *
 * All of it runs in a work item and touches the unpacker's own memory only. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "client/unpack.h"
#include "proto/batch.h"

enum { CONVERT_RUN = 256 * 1024 };

static bool convert_is_append_time(const struct kw_message *message)
{
    return message->magic == 1 && (message->attributes & KWI_MESSAGE_LOG_APPEND_TIME) != 0;
}

/* A batch has one type of times, and one time for all if brokers set it. */
static bool convert_goes_with(const struct kw_message *message, const struct kw_message *first)
{
    if (message->magic != first->magic || kwi_message_codec(message))
        return false;
    if (convert_is_append_time(message) != convert_is_append_time(first))
        return false;
    return !convert_is_append_time(first) || message->timestamp == first->timestamp;
}

size_t kwi_convert_run(const uint8_t *p, size_t len, const struct kw_message *first,
                       int64_t *last_offset)
{
    size_t size = first->size;
    struct kw_message message;

    *last_offset = first->offset;
    while (size < len && !kwi_message_get(p + size, len - size, &message)) {
        if (!convert_goes_with(&message, first) || message.offset <= *last_offset ||
            message.offset - first->offset > INT32_MAX || size + message.size > CONVERT_RUN)
            break;
        *last_offset = message.offset;
        size += message.size;
    }
    return size;
}

static uint8_t *convert_put_bytes(uint8_t *p, const uint8_t *ptr, int32_t len)
{
    p = kwi_put_uvarint(p, kwi_zigzag(len));
    if (len > 0)
        memmove(p, ptr, (size_t)len);
    return len > 0 ? p + len : p;
}

static size_t convert_bytes_size(int32_t len)
{
    return kwi_uvarint_size(kwi_zigzag(len)) + (len > 0 ? (size_t)len : 0);
}

static void convert_put(struct kw_unpacker *unpacker, const struct kw_message *message)
{
    uint64_t time =
        kwi_zigzag((int64_t)((uint64_t)message->timestamp - (uint64_t)unpacker->base_timestamp));
    uint64_t offset = kwi_zigzag(unpacker->last_delta);
    size_t size = 1 + kwi_uvarint_size(time) + kwi_uvarint_size(offset) +
                  convert_bytes_size(message->key_len) + convert_bytes_size(message->value_len) + 1;
    uint8_t *p = kwi_put_uvarint(unpacker->put, kwi_zigzag((int64_t)size));

    *p++ = 0; /* attributes */
    p = kwi_put_uvarint(p, time);
    p = kwi_put_uvarint(p, offset);
    p = convert_put_bytes(p, message->key, message->key_len);
    p = convert_put_bytes(p, message->value, message->value_len);
    *p++ = 0; /* no headers */
    KWI_ASSERT(p <= unpacker->set.p);
    unpacker->put = p;
}

void kwi_convert_begin(struct kw_unpacker *unpacker)
{
    uint8_t *at = kwi_block_data(unpacker->out) + KWI_BATCH_HEADER;

    unpacker->put = at;
    unpacker->n_records = 0;
    unpacker->last_delta = 0;
    if (unpacker->is_wrapper)
        unpacker->result = kwi_message_set_open(&unpacker->set, at, unpacker->len,
                                                &unpacker->message);
    else
        unpacker->set = (struct kw_message_set){.p = at, .end = at + unpacker->len};
}

static void convert_end(struct kw_unpacker *unpacker)
{
    uint8_t *at = kwi_block_data(unpacker->out);
    struct kw_batch_header header;

    kwi_batch_header_init(&header);
    header.base_offset = unpacker->base_offset;
    header.batch_length = (int32_t)(unpacker->put - at - KWI_BATCH_LOG_OVERHEAD);
    if (convert_is_append_time(&unpacker->message))
        header.attributes = KWI_BATCH_LOG_APPEND_TIME;
    header.last_offset_delta = unpacker->last_delta;
    header.base_timestamp = unpacker->base_timestamp;
    header.max_timestamp = unpacker->base_timestamp;
    header.record_count = unpacker->n_records;
    kwi_batch_header_put(at, &header);
    unpacker->len = (size_t)(unpacker->put - at) - KWI_BATCH_HEADER;
}

int kwi_convert_some(struct kw_unpacker *unpacker, size_t budget)
{
    struct kw_message_set *set = &unpacker->set;
    struct kw_message message;

    while (set->p < set->end) {
        const uint8_t *at = set->p;
        if (budget == 0)
            return 1;
        if (!kwi_message_set_next(set, &message))
            return KW_ERR_CORRUPT;
        if (unpacker->check_crcs && kwi_message_crc_check(at, &message)) {
            if (unpacker->is_wrapper || unpacker->n_records == 0)
                return KW_ERR_CRC;
            break; /* those before it are good; it will be the first of the next run */
        }
        if (unpacker->n_records == 0) {
            unpacker->base_offset = message.offset;
            unpacker->base_timestamp = message.timestamp;
        }
        if (message.offset - unpacker->base_offset > INT32_MAX)
            return KW_ERR_CORRUPT;
        unpacker->last_delta = (int32_t)(message.offset - unpacker->base_offset);
        unpacker->n_records++;
        if (!unpacker->is_wrapper)
            unpacker->used += message.size;
        budget -= message.size < budget ? message.size : budget;
        convert_put(unpacker, &message);
    }
    convert_end(unpacker);
    return 0;
}
