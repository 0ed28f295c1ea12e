/* tests/sim/log_reader.c -- a record batch reader that shares no code with the
 * library. Layout of a batch: base offset 8, length 4, leader epoch 4, magic 1,
 * CRC 4 over all that follows, attributes 2, last offset delta 4, base and
 * maximum timestamp 8 + 8, producer id 8, epoch 2, base sequence 4, count 4. */
#include "tests/sim/log_reader.h"

#include <kwire/codec.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const uint8_t *ptr, *end;
    bool bad;
};

static uint64_t reader_fixed(struct reader *reader, size_t n)
{
    uint64_t value = 0;
    if ((size_t)(reader->end - reader->ptr) < n) {
        reader->bad = true;
        return 0;
    }
    while (n-- > 0)
        value = value << 8 | *reader->ptr++;
    return value;
}

static int64_t reader_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint64_t byte = reader_fixed(reader, 1);
        if (shift < 64)
            value |= (byte & 127) << shift;
        if (byte < 128)
            return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    }
    reader->bad = true;
    return 0;
}

static struct kw_bytes reader_bytes(struct reader *reader)
{
    int64_t len = reader_varint(reader);
    struct kw_bytes bytes = {0};
    if (len == -1)
        return bytes;
    if (len < 0 || len > reader->end - reader->ptr) {
        reader->bad = true;
        return bytes;
    }
    bytes = (struct kw_bytes){reader->ptr, (size_t)len};
    reader->ptr += len;
    return bytes;
}

/* Nibble by nibble, from the polynomial alone. */
static uint32_t reader_crc(const uint8_t *ptr, size_t len)
{
    uint32_t table[16], crc = ~0u;
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 4; bit++)
            value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
        table[i] = value;
    }
    for (; len > 0; len--, ptr++) {
        crc = table[(crc ^ *ptr) & 15] ^ crc >> 4;
        crc = table[(crc ^ (uint32_t)(*ptr >> 4)) & 15] ^ crc >> 4;
    }
    return ~crc;
}

static bool reader_record(struct reader *reader, struct sim_log_record *record, int64_t base_offset,
                          int64_t base_timestamp)
{
    int64_t len = reader_varint(reader);
    if (reader->bad || len < 0 || len > reader->end - reader->ptr)
        return false;
    struct reader body = {reader->ptr, reader->ptr + len, false};
    reader->ptr += len;
    reader_fixed(&body, 1);
    record->timestamp_ms = base_timestamp + reader_varint(&body);
    record->offset = base_offset + reader_varint(&body);
    record->key = reader_bytes(&body);
    record->value = reader_bytes(&body);
    int64_t n_headers = reader_varint(&body);
    record->headers.ptr = body.ptr;
    for (int64_t i = 0; i < n_headers && !body.bad; i++) {
        if (!reader_bytes(&body).ptr)
            return false; /* a header key cannot be null */
        reader_bytes(&body);
    }
    record->headers.len = (size_t)(body.ptr - (const uint8_t *)record->headers.ptr);
    record->n_headers = (uint32_t)n_headers;
    return !body.bad && n_headers >= 0 && body.ptr == body.end;
}

/* The records behind the header, decompressed by the codec that the library would
 * use: its own tests compare it with others. NULL: it cannot be. */
static uint8_t *reader_unpack(struct reader *reader, int id)
{
    enum { READER_MAX = 8 << 20 };
    const struct kw_codec *codec = kw_codec_by_id(id);
    struct kw_codec_ctx *ctx = codec ? malloc(codec->decoder_size()) : NULL;
    uint8_t *out = malloc(READER_MAX);
    size_t hint, len = 0;
    int rc = ctx && out ? codec->decoder_init(ctx, codec->decoder_size()) : -1;
    if (rc == 0)
        rc = codec->decode_begin(ctx, reader->ptr, (size_t)(reader->end - reader->ptr), READER_MAX,
                                 0, &hint);
    if (rc == 0)
        rc = codec->decode_step(ctx, out, READER_MAX, SIZE_MAX, &len);
    free(ctx);
    if (rc != 0) {
        free(out);
        return NULL;
    }
    *reader = (struct reader){out, out + len, false};
    return out;
}

struct batch_head {
    uint64_t attributes, count;
    int64_t base_offset, base_timestamp, max_timestamp;
    int32_t sequence;
};

static int reader_records(struct reader *reader, const struct batch_head *head,
                          struct sim_log_record *record,
                          void (*each)(void *ctx, const struct sim_log_record *record), void *ctx,
                          const char **why)
{
    int64_t seen_max = INT64_MIN;
    for (uint64_t i = 0; i < head->count; i++) {
        if (!reader_record(reader, record, head->base_offset, head->base_timestamp) ||
            record->offset != head->base_offset + (int64_t)i) {
            *why = "record";
            return -1;
        }
        record->sequence = head->sequence < 0
                               ? -1
                               : (int32_t)(((uint64_t)head->sequence + i) & 0x7fffffff);
        if (record->timestamp_ms > seen_max)
            seen_max = record->timestamp_ms;
        each(ctx, record);
    }
    *why = reader->ptr != reader->end ? "bytes behind the last record"
           : seen_max != head->max_timestamp && !(head->attributes & 8) ? "maximum timestamp"
                                                                        : NULL;
    return *why ? -1 : (int)head->count;
}

int sim_log_read(const uint8_t *batch, size_t len,
                 void (*each)(void *ctx, const struct sim_log_record *record), void *ctx,
                 const char **why)
{
    struct reader reader = {batch, batch + len, false};
    int64_t base_offset = (int64_t)reader_fixed(&reader, 8);
    uint64_t batch_len = reader_fixed(&reader, 4);
    reader_fixed(&reader, 4);
    uint64_t magic = reader_fixed(&reader, 1);
    uint64_t crc = reader_fixed(&reader, 4);
    const uint8_t *covered = reader.ptr;
    uint64_t attributes = reader_fixed(&reader, 2);
    uint64_t last_delta = reader_fixed(&reader, 4);
    int64_t base_timestamp = (int64_t)reader_fixed(&reader, 8);
    int64_t max_timestamp = (int64_t)reader_fixed(&reader, 8);
    struct sim_log_record record = {0};
    record.producer_id = (int64_t)reader_fixed(&reader, 8);
    record.producer_epoch = (int16_t)reader_fixed(&reader, 2);
    int32_t sequence = (int32_t)reader_fixed(&reader, 4);
    uint64_t count = reader_fixed(&reader, 4);
    *why = reader.bad || batch_len + 12 != len                          ? "length"
           : magic != 2                                                 ? "magic"
           : count == 0 || last_delta != count - 1                      ? "count"
           : crc != reader_crc(covered, (size_t)(reader.end - covered)) ? "crc"
                                                                        : NULL;
    if (*why)
        return -1;
    struct batch_head head = {attributes,     count,         base_offset,
                              base_timestamp, max_timestamp, sequence};
    uint8_t *unpacked = NULL;
    if (attributes & 7) {
        unpacked = reader_unpack(&reader, (int)(attributes & 7));
        *why = unpacked ? NULL : "compressed data";
        if (*why)
            return -1;
    }
    int rc = reader_records(&reader, &head, &record, each, ctx, why);
    free(unpacked);
    return rc;
}

static uint64_t content_mix(uint64_t hash, struct kw_bytes bytes)
{
    hash = (hash ^ (bytes.ptr ? bytes.len + 1 : 0)) * 0x100000001b3u;
    const uint8_t *ptr = bytes.ptr;
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ ptr[i]) * 0x100000001b3u;
    return hash ^ hash >> 31;
}

uint64_t sim_content_hash(struct kw_bytes key, struct kw_bytes value, struct kw_bytes headers)
{
    struct kw_bytes held = {headers.len ? headers.ptr : "", headers.len};
    return content_mix(content_mix(content_mix(0xcbf29ce484222325u, key), value), held);
}

static size_t headers_varint(uint8_t *buf, size_t pos, size_t cap, int64_t value)
{
    uint64_t rest = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; rest > 127 && pos < cap; rest >>= 7)
        buf[pos++] = (uint8_t)(rest | 128);
    if (pos < cap)
        buf[pos++] = (uint8_t)rest;
    return pos;
}

size_t sim_headers_encode(uint8_t *buf, size_t cap, const struct kw_header *headers, uint32_t n)
{
    size_t pos = 0;
    for (uint32_t i = 0; i < 2 * n; i++) {
        struct kw_bytes part = i % 2 ? headers[i / 2].value : headers[i / 2].key;
        pos = headers_varint(buf, pos, cap, part.ptr ? (int64_t)part.len : -1);
        if (part.len > cap - pos)
            return pos;
        if (part.len > 0)
            memcpy(buf + pos, part.ptr, part.len);
        pos += part.len;
    }
    return pos;
}
