/* covers: C41 C43
 * Messages of formats 0 and 1 against Kafka's own bytes, and malformed ones. */
#include <criterion/criterion.h>
#include <kwire/codec.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "base/fmt.h"
#include "proto/batch.h"
#include "proto/message_set.h"
#include "proto/wire.h"
#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/records.inc"

static const struct vector_record *old_vector(const char *name)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++)
        if (strcmp(vector_records[i].name, name) == 0)
            return &vector_records[i];
    cr_assert_fail("no vector %s", name);
    return NULL;
}

/* What a wrapper's value becomes, in a block of its exact size. */
static uint8_t *unwrap(const struct kw_message *wrapper, size_t *len)
{
    const struct kw_codec *codec = kw_codec_by_id(kwi_message_codec(wrapper));
    unsigned flags = wrapper->magic == 0 ? KW_DECODE_FORMAT_0 : 0;
    struct kw_codec_ctx *ctx = malloc(codec->decoder_size());
    size_t hint, n = 0;
    uint8_t *out, *exact;
    cr_assert_eq(codec->decoder_init(ctx, codec->decoder_size()), 0);
    cr_assert_eq(
        codec->decode_begin(ctx, wrapper->value, (size_t)wrapper->value_len, 1 << 20, flags, &hint),
        0);
    out = malloc(hint);
    cr_assert_eq(codec->decode_step(ctx, out, hint, SIZE_MAX, &n), 0);
    exact = exact_block(out, n);
    *len = n;
    free(out);
    free(ctx);
    return exact;
}

/* ---- message sets as the JSON of the vectors ------------------------------ */

static void put_text(struct kw_wr *w, const char *text)
{
    kwi_wr_put(w, text, strlen(text));
}

#define PUT(w, ...)                                \
    do {                                           \
        char text_[200];                           \
        kwi_fmt(text_, sizeof text_, __VA_ARGS__); \
        put_text(w, text_);                        \
    } while (0)

static void put_hex(struct kw_wr *w, const char *name, const uint8_t *ptr, int32_t len)
{
    static const char digit[] = "0123456789abcdef";
    PUT(w, "\"%s\":", name);
    if (len < 0) {
        put_text(w, "null");
        return;
    }
    kwi_wr_u8(w, '"');
    for (int32_t i = 0; i < len; i++) {
        kwi_wr_u8(w, (uint8_t)digit[ptr[i] >> 4]);
        kwi_wr_u8(w, (uint8_t)digit[ptr[i] & 15]);
    }
    kwi_wr_u8(w, '"');
}

static void put_message(struct kw_wr *w, const struct kw_message *m, bool first)
{
    PUT(w, "%s{\"offset\":%lld,\"timestamp\":%lld,", first ? "" : ",", (long long)m->offset,
        (long long)m->timestamp);
    put_hex(w, "key_hex", m->key, m->key_len);
    put_text(w, ",");
    put_hex(w, "value_hex", m->value, m->value_len);
    put_text(w, ",\"headers\":[]}");
}

static void put_inner(struct kw_wr *w, const struct kw_message *wrapper, int64_t *first_offset)
{
    struct kw_message_set set;
    struct kw_message inner;
    size_t len;
    uint8_t *p = unwrap(wrapper, &len);
    bool first = true;
    cr_assert_eq(kwi_message_set_open(&set, p, len, wrapper), 0);
    while (kwi_message_set_next(&set, &inner) == 1) {
        if (first)
            *first_offset = inner.offset;
        put_message(w, &inner, first);
        first = false;
    }
    cr_assert_eq(set.p, set.end);
    free(p);
}

static void put_entry(struct kw_wr *w, const struct kw_message *m)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4"};
    static uint8_t text[1 << 14];
    struct kw_wr records = kwi_wr_make(text, sizeof text);
    int64_t first = m->offset;
    if (kwi_message_codec(m))
        put_inner(&records, m, &first);
    else
        put_message(&records, m, true);
    PUT(w, "{\"magic\":%d,\"base_offset\":%lld,\"last_offset\":%lld,\"compression\":\"%s\",",
        m->magic, (long long)first, (long long)m->offset, codecs[kwi_message_codec(m)]);
    PUT(w, "\"timestamp_type\":\"%s\",\"max_timestamp\":%lld,\"size\":%u,\"records\":[",
        m->magic == 0                                 ? "NoTimestampType"
        : m->attributes & KWI_MESSAGE_LOG_APPEND_TIME ? "LogAppendTime"
                                                      : "CreateTime",
        (long long)m->timestamp, (unsigned)m->size);
    kwi_wr_put(w, text, records.len);
    put_text(w, "]}");
}

Test(message_set, each_decodes_to_its_messages)
{
    static uint8_t text[1 << 14];
    int n = 0;
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++) {
        const struct vector_record *v = &vector_records[i];
        struct kw_wr w = kwi_wr_make(text, sizeof text);
        struct kw_message m;
        size_t len, at = 0;
        uint8_t *p = vector_bytes(v->hex, &len);
        bool readable = strncmp(v->name, "message-set", 11) == 0;
        put_text(&w, "[");
        while (readable && at < len) {
            cr_assert_eq(kwi_message_get(p + at, len - at, &m), 0, "%s", v->name);
            cr_assert_eq(kwi_message_crc_check(p + at, &m), 0, "%s", v->name);
            readable = !kwi_message_codec(&m) || kw_codec_by_id(kwi_message_codec(&m));
            if (!readable)
                break;
            if (at > 0)
                put_text(&w, ",");
            put_entry(&w, &m);
            at += m.size;
        }
        put_text(&w, "]");
        if (readable) {
            cr_expect(w.len == strlen(v->json) && memcmp(text, v->json, w.len) == 0,
                      "%s\n is %.*s\nnot %s", v->name, (int)w.len, (const char *)text, v->json);
            n++;
        }
        free(p);
    }
    cr_expect_geq(n, 2, "only %d vectors were tried", n);
}

Test(message_set, formats_are_mixed_and_a_cut_tail_is_no_error)
{
    const struct vector_record *v = old_vector("mixed-v1-v2-with-partial-tail");
    struct kw_batch_header header;
    struct kw_message m;
    size_t len, at;
    uint8_t *p = vector_bytes(v->hex, &len);
    cr_assert_eq(kwi_batch_header_get(p, len, &header), KW_ERR_UNSUPPORTED);
    cr_assert_eq(kwi_message_get(p, len, &m), 0);
    cr_expect(m.size == 38 && m.magic == 1 && m.offset == 0 && m.timestamp == 1700000000000);
    cr_expect_eq(kwi_message_crc_check(p, &m), 0);
    cr_expect_eq(kwi_batch_size(&header), m.size);
    at = m.size;
    cr_assert_eq(kwi_message_get(p + at, len - at, &m), KW_ERR_UNSUPPORTED);
    cr_assert_eq(kwi_batch_header_get(p + at, len - at, &header), 0);
    at += kwi_batch_size(&header);
    cr_expect_eq(kwi_batch_header_get(p + at, len - at, &header), KW_ERR_SHORT);
    for (size_t n = 0; n < 38; n++) {
        uint8_t *part = exact_block(p, n);
        cr_expect_eq(kwi_message_get(part, n, &m), KW_ERR_SHORT, "%zu bytes", n);
        free(part);
    }
    free(p);
}

/* ---- built by hand -------------------------------------------------------- */

enum { SET_MAX = 512 };

struct set_builder {
    uint8_t bytes[SET_MAX];
    size_t len;
};

/* Appends a message without key, with the text as value. Returns its position. */
static size_t build(struct set_builder *b, int magic, int64_t offset, uint8_t attributes,
                    const char *value)
{
    size_t start = b->len;
    uint8_t *p = b->bytes + start;
    uint32_t value_len = (uint32_t)strlen(value);
    uint32_t head = magic ? 26 : 18;
    cr_assert_leq(start + head + 8 + value_len, SET_MAX);
    kwi_put_u64(p, (uint64_t)offset);
    kwi_put_u32(p + 8, head + 8 + value_len - 12);
    p[16] = (uint8_t)magic;
    p[17] = attributes;
    if (magic)
        kwi_put_u64(p + 18, 1000 + (uint64_t)offset);
    kwi_put_u32(p + head, UINT32_MAX);
    kwi_put_u32(p + head + 4, value_len);
    memcpy(p + head + 8, value, value_len);
    b->len += head + 8 + value_len;
    kwi_put_u32(p + 12, kwi_crc32(0, p + 16, b->len - start - 16));
    return start;
}

static int open_in(const struct set_builder *b, int magic, int64_t wrapper_offset,
                   uint8_t attributes, struct kw_message_set *set)
{
    struct kw_message wrapper = {.offset = wrapper_offset,
                                 .magic = (uint8_t)magic,
                                 .attributes = attributes,
                                 .timestamp = 77};
    uint8_t *block = exact_block(b->bytes, b->len);
    struct kw_message m;
    int rc = kwi_message_set_open(set, block, b->len, &wrapper);
    cr_assert(rc == 0 || rc == KW_ERR_CORRUPT);
    while (rc == 0 && kwi_message_set_next(set, &m) == 1)
        cr_assert(m.value_len == 2 && memcmp(m.value, "ok", 2) == 0);
    free(block);
    return rc;
}

static int64_t base_of(int magic, int64_t first, int64_t second, int64_t wrapper_offset)
{
    struct set_builder b = {.len = 0};
    struct kw_message_set set;
    int rc;
    build(&b, magic, first, 0, "ok");
    build(&b, magic, second, 0, "ok");
    rc = open_in(&b, magic, wrapper_offset, 1, &set);
    return rc ? rc : set.base;
}

Test(message_set, offsets_follow_from_the_last_one)
{
    cr_expect_eq(base_of(1, 0, 1, 101), 100);
    cr_expect_eq(base_of(1, 3, 5, 105), 100, "the first ones were compacted away");
    cr_expect_eq(base_of(1, 0, 1, 1), 0);
    cr_expect_eq(base_of(1, 0, 5, 0), 0, "a producer that never set it");
    cr_expect_eq(base_of(1, 0, 5, 4), KW_ERR_CORRUPT);
    cr_expect_eq(base_of(1, 5, 5, 9), KW_ERR_CORRUPT);
    cr_expect_eq(base_of(1, 6, 5, 9), KW_ERR_CORRUPT);
    cr_expect_eq(base_of(0, 100, 101, 101), 0, "format 0: final");
    cr_expect_eq(base_of(0, 100, 101, 0), 0);
    cr_expect_eq(base_of(0, 100, 101, 100), KW_ERR_CORRUPT);
    cr_expect_eq(base_of(1, -1, 5, 9), KW_ERR_CORRUPT);
    cr_expect_eq(base_of(1, 5, INT64_MAX, INT64_MAX), KW_ERR_CORRUPT);
}

Test(message_set, what_a_wrapper_may_not_hold)
{
    struct kw_message_set set;
    struct set_builder b = {.len = 0};
    cr_expect_eq(open_in(&b, 1, 0, 1, &set), KW_ERR_CORRUPT, "nothing");
    build(&b, 1, 0, 0, "ok");
    cr_expect_eq(open_in(&b, 1, 0, 1, &set), 0);
    cr_expect_eq(open_in(&b, 0, 0, 1, &set), KW_ERR_CORRUPT, "another format");
    build(&b, 0, 1, 0, "ok");
    cr_expect_eq(open_in(&b, 1, 1, 1, &set), KW_ERR_CORRUPT, "mixed formats");
    b.len = 0;
    build(&b, 1, 0, 2, "ok");
    cr_expect_eq(open_in(&b, 1, 0, 1, &set), KW_ERR_CORRUPT, "a wrapper");
    b.len = 0;
    build(&b, 1, 0, 0, "ok");
    build(&b, 1, 1, 0, "ok");
    for (size_t len = b.len; b.len > 0; b.len--) {
        int rc = open_in(&b, 1, 1, 1, &set);
        cr_expect_eq(rc, b.len == len || b.len == len / 2 ? 0 : KW_ERR_CORRUPT, "%zu bytes", b.len);
    }
}

Test(message_set, the_log_append_time_of_a_wrapper_counts_for_all)
{
    struct kw_message wrapper = {.offset = 8, .magic = 1, .attributes = 1, .timestamp = 77};
    struct set_builder b = {.len = 0};
    struct kw_message_set set;
    struct kw_message m;
    build(&b, 1, 0, 0, "ok");
    cr_assert_eq(kwi_message_set_open(&set, b.bytes, b.len, &wrapper), 0);
    cr_assert_eq(kwi_message_set_next(&set, &m), 1);
    cr_expect(m.timestamp == 1000 && m.offset == 8 && m.attributes == 0);
    cr_expect_eq(kwi_message_set_next(&set, &m), 0);
    wrapper.attributes |= KWI_MESSAGE_LOG_APPEND_TIME;
    cr_assert_eq(kwi_message_set_open(&set, b.bytes, b.len, &wrapper), 0);
    cr_assert_eq(kwi_message_set_next(&set, &m), 1);
    cr_expect(m.timestamp == 77 && (m.attributes & KWI_MESSAGE_LOG_APPEND_TIME));
}

/* Reads one message with `width` bytes at `at` replaced. */
static int get_with(int magic, size_t at, size_t width, uint64_t value)
{
    struct set_builder b = {.len = 0};
    struct kw_message m;
    uint8_t *block;
    int rc;
    build(&b, magic, 5, 0, "value");
    for (size_t i = 0; i < width; i++)
        b.bytes[at + i] = (uint8_t)(value >> 8 * (width - 1 - i));
    block = exact_block(b.bytes, b.len);
    rc = kwi_message_get(block, b.len, &m);
    free(block);
    return rc;
}

Test(message_set, a_message_that_contradicts_itself_is_corrupt)
{
    cr_expect_eq(get_with(0, 0, 0, 0), 0);
    cr_expect_eq(get_with(1, 0, 0, 0), 0);
    for (int magic = 0; magic < 2; magic++) {
        size_t key = magic ? 26 : 18, min = magic ? 22 : 14;
        cr_expect_eq(get_with(magic, 0, 8, UINT64_MAX), KW_ERR_CORRUPT, "offset -1");
        cr_expect_eq(get_with(magic, 0, 8, INT64_MAX), KW_ERR_CORRUPT, "no position behind it");
        cr_expect_eq(get_with(magic, 8, 4, 0), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, 8, 4, min - 1), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, 8, 4, min), KW_ERR_CORRUPT, "bytes that nobody owns");
        cr_expect_eq(get_with(magic, 8, 4, min + 6), KW_ERR_SHORT);
        cr_expect_eq(get_with(magic, 8, 4, 0x80000000u), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, 8, 4, 0x7fffffffu), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, 8, 4, 0x7fffff00u), KW_ERR_SHORT);
        cr_expect_eq(get_with(magic, 16, 1, 3), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, 16, 1, 0xff), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, 17, 1, 4), KW_ERR_CODEC, "zstd");
        cr_expect_eq(get_with(magic, 17, 1, 7), KW_ERR_CODEC);
        cr_expect_eq(get_with(magic, key, 4, 0xfffffffeu), KW_ERR_CORRUPT, "key length -2");
        cr_expect_eq(get_with(magic, key, 4, 6), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, key, 4, 0x7fffffffu), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, key + 4, 4, 0xffffffffu), KW_ERR_CORRUPT,
                     "value null, bytes left");
        cr_expect_eq(get_with(magic, key + 4, 4, 4), KW_ERR_CORRUPT);
        cr_expect_eq(get_with(magic, key + 4, 4, 6), KW_ERR_CORRUPT);
    }
}

Test(message_set, a_wrapper_has_a_value_and_a_changed_bit_is_seen)
{
    struct set_builder b = {.len = 0};
    struct kw_message m;
    build(&b, 1, 5, 1, "");
    kwi_put_u32(b.bytes + 30, UINT32_MAX);
    cr_expect_eq(kwi_message_get(b.bytes, b.len, &m), KW_ERR_CORRUPT);
    b.len = 0;
    build(&b, 1, 5, 0, "value");
    for (size_t bit = 16 * 8; bit < b.len * 8; bit++) {
        cr_assert_eq(kwi_message_get(b.bytes, b.len, &m), 0);
        b.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_expect_eq(kwi_message_crc_check(b.bytes, &m), KW_ERR_CRC, "bit %zu", bit);
        b.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_expect_eq(kwi_message_crc_check(b.bytes, &m), 0);
}
