/* covers: C42 C43
 * Batches and records against Kafka's own bytes, and against malformed ones. */
#include <criterion/criterion.h>

#include "base/crc32c.h"
#include "base/fmt.h"
#include "proto/batch.h"
#include "proto/record.h"
#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/records.inc"

static const struct vector_record *vector_named(const char *name)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++)
        if (strcmp(vector_records[i].name, name) == 0)
            return &vector_records[i];
    cr_assert_fail("no vector %s", name);
    return NULL;
}

/* ---- batches as the JSON of the vectors ---------------------------------- */

static void put_text(struct kw_wr *w, const char *text)
{
    kwi_wr_put(w, text, strlen(text));
}

#define PUT(w, ...)                                \
    do {                                           \
        char text_[160];                           \
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

static void put_record(struct kw_wr *w, const struct kw_batch_header *h,
                       const struct kw_record_view *r)
{
    int64_t time = h->attributes & KWI_BATCH_LOG_APPEND_TIME
                       ? h->max_timestamp
                       : h->base_timestamp + r->timestamp_delta;
    struct kw_record_headers it;
    struct kw_record_header_view header;
    int32_t n = kwi_record_headers_init(&it, r);
    cr_assert_geq(n, 0);
    cr_assert_eq(kwi_record_headers_check(r), 0);
    PUT(w, "{\"offset\":%lld,\"timestamp\":%lld,", (long long)(h->base_offset + r->offset_delta),
        (long long)time);
    put_hex(w, "key_hex", r->key, r->key_len);
    put_text(w, ",");
    put_hex(w, "value_hex", r->value, r->value_len);
    put_text(w, ",\"headers\":[");
    for (int32_t i = 0; i < n; i++) {
        cr_assert_eq(kwi_record_headers_next(&it, &header), 1);
        PUT(w, "%s{\"key\":\"%.*s\",", i ? "," : "", (int)header.key_len, (const char *)header.key);
        put_hex(w, "value_hex", header.value, header.value_len);
        put_text(w, "}");
    }
    cr_assert_eq(kwi_record_headers_next(&it, &header), 0);
    put_text(w, "]}");
}

static const char *flag(int attributes, int bit)
{
    return attributes & bit ? "true" : "false";
}

static void put_batch(struct kw_wr *w, const uint8_t *p, const struct kw_batch_header *h)
{
    const uint8_t *end = p + kwi_batch_size(h);
    uint32_t crc = kwi_get_u32(p + KWI_BATCH_CRC);
    PUT(w, "{\"magic\":2,\"base_offset\":%lld,\"last_offset\":%lld,\"partition_leader_epoch\":%d,",
        (long long)h->base_offset, (long long)(h->base_offset + h->last_offset_delta),
        (int)h->partition_leader_epoch);
    PUT(w, "\"producer_id\":%lld,\"producer_epoch\":%d,\"base_sequence\":%d,",
        (long long)h->producer_id, h->producer_epoch, (int)h->base_sequence);
    PUT(w, "\"transactional\":%s,\"control\":%s,\"compression\":\"none\",",
        flag(h->attributes, KWI_BATCH_TRANSACTIONAL), flag(h->attributes, KWI_BATCH_CONTROL));
    PUT(w, "\"timestamp_type\":\"%s\",\"max_timestamp\":%lld,",
        h->attributes & KWI_BATCH_LOG_APPEND_TIME ? "LogAppendTime" : "CreateTime",
        (long long)h->max_timestamp);
    uint8_t crc_bytes[4];
    kwi_put_u32(crc_bytes, crc);
    put_hex(w, "crc32c_or_crc32", crc_bytes, 4);
    PUT(w, ",\"size\":%zu,\"records\":[", kwi_batch_size(h));
    p += KWI_BATCH_HEADER;
    for (int32_t i = 0; i < h->record_count; i++) {
        struct kw_record_view record;
        p = kwi_record_get(p, end, &record);
        cr_assert_not_null(p);
        if (i)
            put_text(w, ",");
        put_record(w, h, &record);
    }
    cr_assert_eq(p, end, "bytes are left behind the records");
    put_text(w, "]}");
}

static bool is_plain_v2(const uint8_t *p, size_t len)
{
    return len > KWI_BATCH_HEADER - 1 && p[KWI_BATCH_MAGIC] == 2 &&
           (kwi_get_u16(p + KWI_BATCH_ATTRIBUTES) & KWI_BATCH_CODEC_MASK) == 0;
}

Test(batch, every_uncompressed_batch_decodes_to_its_records)
{
    static uint8_t text[1 << 16];
    int n = 0;
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++) {
        const struct vector_record *v = &vector_records[i];
        struct kw_batch_header header;
        size_t len;
        uint8_t *p = vector_bytes(v->hex, &len);
        if (is_plain_v2(p, len) && !v->crc_is_bad) {
            struct kw_wr w = kwi_wr_make(text, sizeof text);
            cr_assert_eq(kwi_batch_header_get(p, len, &header), 0, "%s", v->name);
            cr_assert_eq(kwi_batch_size(&header), len, "%s", v->name);
            cr_assert_eq(kwi_batch_crc_check(p, len, kwi_crc32c_portable), 0, "%s", v->name);
            put_text(&w, "[");
            put_batch(&w, p, &header);
            put_text(&w, "]");
            cr_assert(w.len == strlen(v->json) && memcmp(text, v->json, w.len) == 0, "%s: %.*s",
                      v->name, (int)w.len, (const char *)text);
            n++;
        }
        free(p);
    }
    cr_expect_geq(n, 7, "only %d vectors were tried", n);
}

Test(batch, a_header_is_written_as_it_was_read)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++) {
        const struct vector_record *v = &vector_records[i];
        struct kw_batch_header header;
        size_t len;
        uint8_t *p = vector_bytes(v->hex, &len);
        if (p[KWI_BATCH_MAGIC] == 2) {
            uint8_t *out = exact_block(p, KWI_BATCH_HEADER);
            cr_assert_eq(kwi_batch_header_get(p, len, &header), 0, "%s", v->name);
            memset(out, 0xee, KWI_BATCH_HEADER);
            kwi_batch_header_put(out, &header);
            cr_assert_arr_eq(out, p, KWI_BATCH_HEADER, "%s", v->name);
            free(out);
            if (!v->crc_is_bad) {
                kwi_put_u32(p + KWI_BATCH_CRC, 0);
                kwi_put_u32(p + KWI_BATCH_LENGTH, 0);
                kwi_batch_seal(p, len, kwi_crc32c_portable);
                cr_assert_eq(kwi_get_u32(p + KWI_BATCH_CRC), header.crc, "%s", v->name);
                cr_assert_eq(kwi_get_u32(p + KWI_BATCH_LENGTH), (uint32_t)header.batch_length);
            }
        }
        free(p);
    }
}

Test(batch, a_wrong_checksum_is_seen)
{
    const struct vector_record *v = vector_named("batch-v2-bad-crc");
    struct kw_batch_header header;
    size_t len;
    uint8_t *p = vector_bytes(v->hex, &len);
    cr_assert(v->crc_is_bad);
    cr_assert_eq(kwi_batch_header_get(p, len, &header), 0);
    cr_expect_eq(kwi_batch_crc_check(p, len, kwi_crc32c_portable), KW_ERR_CRC);
    free(p);
    /* Any bit from attributes on counts; none before. */
    p = vector_bytes(vector_named("batch-v2-transactional")->hex, &len);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bool covered = bit / 8 >= KWI_BATCH_CRC;
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_expect_eq(kwi_batch_crc_check(p, len, kwi_crc32c_portable), covered ? KW_ERR_CRC : 0,
                     "bit %zu", bit);
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(p);
}

Test(batch, old_messages_and_a_cut_tail_are_told_apart_from_corruption)
{
    const struct vector_record *v = vector_named("mixed-v1-v2-with-partial-tail");
    struct kw_batch_header header;
    size_t len, at = 0;
    uint8_t *p = vector_bytes(v->hex, &len);
    cr_assert_eq(kwi_batch_header_get(p, len, &header), KW_ERR_UNSUPPORTED);
    cr_expect(header.magic == 1 && kwi_batch_size(&header) == 38);
    at += kwi_batch_size(&header);
    cr_assert_eq(kwi_batch_header_get(p + at, len - at, &header), 0);
    cr_expect(header.base_offset == 1 && (header.attributes & KWI_BATCH_CODEC_MASK) == 3);
    at += kwi_batch_size(&header);
    cr_expect_eq(kwi_batch_header_get(p + at, len - at, &header), KW_ERR_SHORT);
    free(p);
    v = vector_named("message-set-v0-none");
    p = vector_bytes(v->hex, &len);
    cr_expect_eq(kwi_batch_header_get(p, len, &header), KW_ERR_UNSUPPORTED);
    cr_expect_eq(header.magic, 0);
    free(p);
}

Test(batch, every_prefix_is_short)
{
    struct kw_batch_header header;
    size_t len;
    uint8_t *p = vector_bytes(vector_named("control-commit")->hex, &len);
    for (size_t n = 0; n < len; n++) {
        uint8_t *part = exact_block(p, n);
        cr_expect_eq(kwi_batch_header_get(part, n, &header), KW_ERR_SHORT, "%zu bytes", n);
        free(part);
    }
    free(p);
}

static int header_with(size_t at, size_t width, uint64_t value)
{
    struct kw_batch_header header;
    size_t len;
    uint8_t *p = vector_bytes(vector_named("batch-v2-transactional")->hex, &len);
    for (size_t i = 0; i < width; i++)
        p[at + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    int err = kwi_batch_header_get(p, len, &header);
    free(p);
    return err;
}

Test(batch, a_header_that_contradicts_itself_is_corrupt)
{
    cr_expect_eq(header_with(KWI_BATCH_LENGTH, 4, 13), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_LENGTH, 4, 48), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_LENGTH, 4, 0x80000000u), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_LENGTH, 4, 0x7fffffffu), KW_ERR_SHORT);
    cr_expect_eq(header_with(KWI_BATCH_MAGIC, 1, 3), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_MAGIC, 1, 0xff), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_RECORD_COUNT, 4, 0xffffffffu), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_RECORD_COUNT, 4, 2), KW_ERR_CORRUPT, "11 bytes are left");
    cr_expect_eq(header_with(KWI_BATCH_LAST_OFFSET_DELTA, 4, 0xffffffffu), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_BASE_OFFSET, 8, UINT64_MAX), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_BASE_OFFSET, 8, INT64_MAX), KW_ERR_CORRUPT);
    cr_expect_eq(header_with(KWI_BATCH_BASE_OFFSET, 8, INT64_MAX - 1), 0);
    cr_expect_eq(header_with(KWI_BATCH_RECORD_COUNT, 4, 0), 0);
}

Test(batch, an_emptied_batch_still_moves_the_position)
{
    struct kw_batch_header header;
    size_t len;
    uint8_t *p = vector_bytes(vector_named("batch-v2-empty-after-compaction")->hex, &len);
    cr_assert_eq(kwi_batch_header_get(p, len, &header), 0);
    cr_expect(header.record_count == 0);
    cr_expect_eq(header.base_offset + header.last_offset_delta + 1, 25);
    free(p);
}

Test(batch, control_records_say_commit_or_abort)
{
    static const struct {
        const char *name;
        int type;
    } cases[] = {{"control-commit", KWI_CONTROL_COMMIT}, {"control-abort", KWI_CONTROL_ABORT}};
    for (int i = 0; i < 2; i++) {
        struct kw_batch_header header;
        struct kw_record_view record;
        size_t len;
        uint8_t *p = vector_bytes(vector_named(cases[i].name)->hex, &len);
        cr_assert_eq(kwi_batch_header_get(p, len, &header), 0);
        cr_expect(header.attributes & KWI_BATCH_CONTROL);
        cr_assert_not_null(kwi_record_get(p + KWI_BATCH_HEADER, p + len, &record));
        cr_expect_eq(kwi_control_type(record.key, record.key_len), cases[i].type);
        cr_expect_eq(kwi_control_type(record.key, 3), KW_ERR_CORRUPT);
        free(p);
    }
    cr_expect_eq(kwi_control_type((const uint8_t[]){0xff, 0xff, 0, 1}, 4), KW_ERR_CORRUPT);
    cr_expect_eq(kwi_control_type((const uint8_t[]){0, 9, 0, 6, 1}, 5), 6);
    cr_expect_eq(kwi_control_type(NULL, -1), KW_ERR_CORRUPT);
}

Test(batch, a_new_header_belongs_to_no_producer)
{
    struct kw_batch_header header;
    kwi_batch_header_init(&header);
    cr_expect(header.producer_id == -1 && header.producer_epoch == -1 &&
              header.base_sequence == -1 && header.partition_leader_epoch == -1);
    cr_expect(header.magic == 2 && header.record_count == 0 && header.attributes == 0);
}
