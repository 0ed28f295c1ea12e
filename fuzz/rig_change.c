/* fuzz/rig_change.c -- what may happen to an answer between broker and client.
 * Lengths and checksums stay right unless a change is about them, because a
 * random byte would end at the first check otherwise. */
#include "fuzz/rig.h"

#include "base/bytes.h"
#include "base/crc32.h"
#include "base/crc32c.h"
#include "proto/api.h"
#include "proto/batch.h"
#include "proto/fetch.h"
#include "proto/header.h"
#include "proto/message_set.h"

static const int16_t rig_apis[] = {KW_API_PRODUCE,         KW_API_FETCH,
                                   KW_API_METADATA,        KW_API_LIST_OFFSETS,
                                   KW_API_API_VERSIONS,    KW_API_INIT_PRODUCER_ID,
                                   KW_API_JOIN_GROUP,      KW_API_SYNC_GROUP,
                                   KW_API_HEARTBEAT,       KW_API_CONSUMER_GROUP_HEARTBEAT,
                                   KW_API_OFFSET_FETCH,    KW_API_OFFSET_COMMIT,
                                   KW_API_FIND_COORDINATOR};
static const uint32_t rig_numbers[] = {0,          1,          2,          3,          0x7fffffff,
                                       0x80000000, 0xffffffff, 0xfffffffe, 0x00010000, 0x7ffffffe,
                                       0x00000100, 0x00ffffff, 5,          0x01000000, 9092};
enum {
    RIG_N_APIS = sizeof rig_apis / sizeof *rig_apis,
    RIG_N_NUMBERS = sizeof rig_numbers / sizeof *rig_numbers
};

bool rig_change_fits(const struct rig_change *change, const struct rig_asked *asked)
{
    if (change->kind >= RIG_BATCH && change->kind <= RIG_OLD)
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

enum { OLD_VALUE_MAX = 64 * 63, OLD_MESSAGES = 3, OLD_HEAD = 34 };
struct old_message {
    uint8_t magic, attributes;
    int64_t offset;
    uint32_t key_len, value_len;
    const uint8_t *value; /* the key is zeros */
};

/* Writes a message; returns its size. */
static size_t old_put(uint8_t *p, const struct old_message *message)
{
    size_t at = KWI_MESSAGE_MAGIC + 2, size;
    p[KWI_MESSAGE_MAGIC] = message->magic;
    p[KWI_MESSAGE_MAGIC + 1] = message->attributes;
    if (message->magic) {
        kwi_put_u64(p + at, 1600000000000);
        at += 8;
    }
    kwi_put_u32(p + at, message->key_len);
    memset(p + at + 4, 0, message->key_len);
    at += 4 + message->key_len;
    kwi_put_u32(p + at, message->value_len);
    if (message->value_len > 0)
        memmove(p + at + 4, message->value, message->value_len);
    size = at + 4 + message->value_len;
    kwi_put_u64(p, (uint64_t)message->offset);
    kwi_put_u32(p + 8, (uint32_t)size - 12);
    kwi_put_u32(p + KWI_MESSAGE_CRC, kwi_crc32(0, p + KWI_MESSAGE_MAGIC, size - KWI_MESSAGE_MAGIC));
    return size;
}

/* Compresses in to out; the length, 0 if there is no such codec or no room. */
static size_t old_pack(int id, uint8_t *in, size_t len, uint8_t *out, size_t cap)
{
    const struct kw_codec *codec = id > 0 && id < KW_N_CODECS ? kw_codec_by_id(id) : NULL;
    size_t ctx_size = codec ? codec->encoder_size(codec->level_default, len) : 0, n = 0;
    struct kw_iov piece = {in, len};
    struct kw_codec_ctx *ctx;
    int rc;
    if (!codec)
        return 0;
    ctx = malloc(ctx_size);
    CHECK(ctx && codec->encoder_init(ctx, ctx_size, codec->level_default, len) == 0);
    codec->encode_begin(ctx, &piece, 1);
    while ((rc = codec->encode_step(ctx, out, cap, SIZE_MAX, &n)) == 1)
        ;
    free(ctx);
    return rc == 0 ? n : 0;
}

/* The first fetched batch becomes one message of the same size: value bit 0 is
 * its format, bits 1 to 3 the codec of the messages inside. */
static void change_old(struct rig *rig, const struct rig_change *change,
                       const struct rig_asked *asked, size_t len)
{
    static uint8_t inner[OLD_MESSAGES * (OLD_VALUE_MAX + OLD_HEAD)], packed[sizeof inner];
    static const uint8_t zeros[OLD_VALUE_MAX];
    struct old_message message = {.magic = change->value & 1};
    size_t at, size, n = 0, fixed = message.magic ? OLD_HEAD : OLD_HEAD - 8;
    int codec = change->value >> 1 & 7;
    if (!change_records(rig, asked, len, &at, &size) || size < fixed)
        return;
    message.value = zeros;
    message.value_len = change->at % 64 * 64u;
    for (int i = 0; i < OLD_MESSAGES; i++) {
        message.offset = i + (message.magic ? 0 : (int64_t)kwi_get_u64(rig->frame + at));
        n += old_put(inner + n, &message);
    }
    message.offset = (int64_t)kwi_get_u64(rig->frame + at) + OLD_MESSAGES - 1;
    message.attributes = (uint8_t)(codec | (change->value & 16 ? KWI_MESSAGE_LOG_APPEND_TIME : 0));
    message.value = packed;
    message.value_len = (uint32_t)old_pack(
        codec, inner, n, packed, size - fixed < sizeof packed ? size - fixed : sizeof packed);
    message.key_len = (uint32_t)(size - fixed) - message.value_len;
    CHECK(old_put(rig->frame + at, &message) == size);
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
    case RIG_OLD: change_old(rig, change, asked, len); return len;
    case RIG_SHORTEN:
    case RIG_CUT:
    case RIG_DROP:
    case RIG_TWICE:
    case RIG_PAD: return change_length(rig, change, len);
    }
    return len;
}
