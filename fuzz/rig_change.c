/* fuzz/rig_change.c -- what may happen to an answer between broker and client.
 * Lengths and checksums stay right unless a change is about them, because a
 * random byte would end at the first check otherwise. */
#include "fuzz/rig.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "proto/api.h"
#include "proto/batch.h"
#include "proto/fetch.h"
#include "proto/header.h"

static const int16_t rig_apis[] = {KW_API_PRODUCE,      KW_API_FETCH,
                                   KW_API_METADATA,     KW_API_LIST_OFFSETS,
                                   KW_API_API_VERSIONS, KW_API_INIT_PRODUCER_ID};
static const uint32_t rig_numbers[] = {0,          1,          2,          3,          0x7fffffff,
                                       0x80000000, 0xffffffff, 0xfffffffe, 0x00010000, 0x7ffffffe,
                                       0x00000100, 0x00ffffff, 5,          0x01000000, 9092};
enum {
    RIG_N_APIS = sizeof rig_apis / sizeof *rig_apis,
    RIG_N_NUMBERS = sizeof rig_numbers / sizeof *rig_numbers
};

bool rig_change_fits(const struct rig_change *change, const struct rig_asked *asked)
{
    if (change->kind >= RIG_BATCH && change->kind <= RIG_BATCH_CODEC)
        return asked->api == KW_API_FETCH;
    return change->api == 0 || change->api > RIG_N_APIS || rig_apis[change->api - 1] == asked->api;
}

/* A place behind the size and the correlation id; small `at` count from the
 * front, large ones from the end. */
static size_t change_at(uint8_t at, size_t len, size_t width)
{
    size_t room = len - 8;
    if (len < 8 + width)
        return 0;
    if (at >= 192)
        return 8 + (room - width) - (255u - at) % (room - width + 1);
    return 8 + at % (room - width + 1);
}

/* The first records of a Fetch answer, within the frame. */
static bool change_records(struct rig *rig, const struct rig_asked *asked, size_t len, size_t *at,
                           size_t *size)
{
    struct kw_fetch_response msg;
    struct kw_fetch_response_topic topic;
    struct kw_fetch_response_partition partition;
    struct kw_iter topics, partitions;
    size_t header_len;
    struct kw_fault fault;
    int32_t id;
    if (len < 8 ||
        kwi_response_header_get(rig->frame + 4, len - 4, asked->api, asked->version, &id,
                                &header_len) ||
        kwi_fetch_response_decode(&msg, asked->version, rig->frame + 4 + header_len,
                                  len - 4 - header_len, &fault))
        return false;
    kwi_iter_init(&topics, &msg.responses);
    while (kwi_iter_next(&topics, &topic)) {
        kwi_iter_init(&partitions, &topic.partitions);
        while (kwi_iter_next(&partitions, &partition)) {
            struct kw_batch_header header;
            if (partition.records.len < KWI_BATCH_HEADER ||
                kwi_batch_header_get(partition.records.ptr, (size_t)partition.records.len, &header))
                continue;
            *at = (size_t)((const uint8_t *)partition.records.ptr - rig->frame);
            *size = kwi_batch_size(&header);
            return true;
        }
    }
    return false;
}

static void change_batch(struct rig *rig, const struct rig_change *change,
                         const struct rig_asked *asked, size_t len)
{
    size_t at, size;
    uint8_t *batch;
    if (!change_records(rig, asked, len, &at, &size))
        return;
    batch = rig->frame + at;
    if (change->kind == RIG_BATCH_CODEC)
        batch[KWI_BATCH_ATTRIBUTES + 1] = (uint8_t)((batch[KWI_BATCH_ATTRIBUTES + 1] & ~7) |
                                                    (change->value & 63));
    else if (change->kind == RIG_BATCH_BAD)
        batch[KWI_BATCH_CRC + change->at % (size - KWI_BATCH_CRC)] ^= change->value;
    else
        batch[KWI_BATCH_ATTRIBUTES + change->at % (size - KWI_BATCH_ATTRIBUTES)] ^= change->value;
    if (change->kind != RIG_BATCH_BAD)
        kwi_batch_seal(batch, size, kwi_crc32c_portable);
}

static size_t change_length(struct rig *rig, const struct rig_change *change, size_t len)
{
    size_t n = change->value;
    switch (change->kind) {
    case RIG_SHORTEN: len = len - 8 > n ? len - n : 8; break;
    case RIG_CUT: return len > n ? len - n : len;
    case RIG_DROP: return 0;
    case RIG_TWICE:
        if (2 * len > RIG_FRAME_MAX)
            return len;
        memcpy(rig->frame + len, rig->frame, len);
        return 2 * len;
    case RIG_PAD:
        if (len + n > RIG_FRAME_MAX)
            return len;
        memset(rig->frame + len, change->at, n);
        len += n;
        break;
    default: break;
    }
    kwi_put_u32(rig->frame, (uint32_t)(len - 4));
    return len;
}

size_t rig_change_apply(struct rig *rig, const struct rig_change *change,
                        const struct rig_asked *asked, size_t len)
{
    uint32_t number = rig_numbers[change->value % RIG_N_NUMBERS];
    size_t at;
    if (len < 8)
        return len;
    switch ((enum rig_change_kind)change->kind) {
    case RIG_XOR:
        at = change_at(change->at, len, 1);
        if (at)
            rig->frame[at] ^= change->value;
        return len;
    case RIG_SET16:
        at = change_at(change->at, len, 2);
        if (at)
            kwi_put_u16(rig->frame + at, (uint16_t)(int8_t)change->value);
        return len;
    case RIG_SET32:
        at = change_at(change->at, len, 4);
        if (at)
            kwi_put_u32(rig->frame + at, number);
        return len;
    case RIG_LENGTH: kwi_put_u32(rig->frame, number); return len;
    case RIG_CORRELATE: rig->frame[4 + change->at % 4] ^= change->value; return len;
    case RIG_BATCH:
    case RIG_BATCH_BAD:
    case RIG_BATCH_CODEC: change_batch(rig, change, asked, len); return len;
    case RIG_SHORTEN:
    case RIG_CUT:
    case RIG_DROP:
    case RIG_TWICE:
    case RIG_PAD: return change_length(rig, change, len);
    }
    return len;
}
