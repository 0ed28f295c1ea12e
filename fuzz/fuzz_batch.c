/* fuzz_batch.c -- fetched data: batches, records, headers.
 *
 * covers: B02 B22 C42 C43 C44 C61
 *
 * The input is what a broker may put into a Fetch answer. Compressed batches are
 * walked as if they were plain, for the sake of the record reader. Checks: no
 * bad access, every step moves forward, what is handed out lies inside its
 * record, a slow reader that knows nothing of the fast one agrees, a record that
 * is written again reads the same, and a batch that is sealed has a good sum. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "proto/batch.h"
#include "proto/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* Of the fuzzing engine; a replayer has none. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

/* The reference: every number by itself, every bound checked when it is used. */
static bool slow_varint(const uint8_t **p, const uint8_t *end, int max_bytes, int64_t *value)
{
    uint64_t raw = 0;
    for (int i = 0; i < max_bytes; i++) {
        if (*p == end)
            return false;
        uint8_t b = *(*p)++;
        if ((max_bytes == 5 && i == 4 && b > 15) || (i == 9 && b > 1))
            return false;
        raw |= (uint64_t)(b & 127) << 7 * i;
        if (b < 128) {
            *value = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
            return true;
        }
    }
    return false;
}

static bool slow_piece(const uint8_t **p, const uint8_t *end, const uint8_t **ptr, int32_t *len)
{
    int64_t n;
    if (!slow_varint(p, end, 5, &n) || n < -1 || n > end - *p)
        return false;
    *len = (int32_t)n;
    *ptr = n < 0 ? NULL : *p;
    if (n > 0)
        *p += n;
    return true;
}

/* How many bytes the record at p takes, or 0 if it is malformed. */
static size_t slow_record(const uint8_t *p, const uint8_t *end, struct kw_record_view *out)
{
    const uint8_t *start = p, *stop;
    int64_t n;
    if (!slow_varint(&p, end, 5, &n) || n < 1 || n > end - p)
        return 0;
    stop = p + n;
    p++;
    if (!slow_varint(&p, stop, 10, &out->timestamp_delta) || !slow_varint(&p, stop, 5, &n) || n < 0)
        return 0;
    out->offset_delta = (int32_t)n;
    if (!slow_piece(&p, stop, &out->key, &out->key_len) ||
        !slow_piece(&p, stop, &out->value, &out->value_len))
        return 0;
    if (p == stop || (*p == 0) != (stop - p == 1))
        return 0;
    out->headers = p;
    out->headers_len = (uint32_t)(stop - p);
    return (size_t)(stop - start);
}

enum { BATCH_HEADERS_MAX = 8 };

static struct kw_bytes piece_of(const uint8_t *ptr, int32_t len)
{
    return (struct kw_bytes){ptr, len < 0 ? 0 : (size_t)len};
}

/* What was read, written by the plain encoder and read again. Headers are good. */
static void check_written(const struct kw_record_view *record, const struct kw_header *headers,
                          uint32_t n_headers)
{
    struct kw_bytes key = piece_of(record->key, record->key_len);
    struct kw_bytes value = piece_of(record->value, record->value_len), much = value;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    struct kw_record_headers it;
    struct kw_record_header_view header;
    struct kw_record_view own;
    kwi_record_put(&w, record->timestamp_delta, record->offset_delta, key, value, headers,
                   n_headers);
    CHECK(kwi_wr_status(&w) == 0);
    size_t len = w.len;
    uint8_t *bytes = malloc(len);
    CHECK(bytes);
    w = kwi_wr_make(bytes, len);
    kwi_record_put(&w, record->timestamp_delta, record->offset_delta, key, value, headers,
                   n_headers);
    CHECK(kwi_wr_status(&w) == 0 && kwi_record_get(bytes, bytes + len, &own) == bytes + len);
    CHECK(own.timestamp_delta == record->timestamp_delta &&
          own.offset_delta == record->offset_delta && own.key_len == record->key_len &&
          own.value_len == record->value_len);
    CHECK(key.len == 0 || memcmp(own.key, key.ptr, key.len) == 0);
    CHECK(value.len == 0 || memcmp(own.value, value.ptr, value.len) == 0);
    CHECK(kwi_record_headers_init(&it, &own) == (int32_t)n_headers);
    for (uint32_t i = 0; i < n_headers; i++) {
        CHECK(kwi_record_headers_next(&it, &header) == 1);
        CHECK((size_t)header.key_len == headers[i].key.len &&
              memcmp(header.key, headers[i].key.ptr, headers[i].key.len) == 0);
        CHECK(!header.value == !headers[i].value.ptr);
        CHECK(!header.value ||
              ((size_t)header.value_len == headers[i].value.len &&
               memcmp(header.value, headers[i].value.ptr, headers[i].value.len) == 0));
    }
    CHECK(kwi_record_headers_next(&it, &header) == 0);
    free(bytes);
    /* What no record can be is refused. */
    w = kwi_wr_make(NULL, 0);
    kwi_record_put(&w, 0, -1 - record->offset_delta, key, value, headers, n_headers);
    CHECK(kwi_wr_status(&w) == KW_ERR_LENGTH);
    w = kwi_wr_make(NULL, 0);
    kwi_record_put(&w, 0, 0, key, value, &(struct kw_header){.value = value}, 1);
    CHECK(kwi_wr_status(&w) == KW_ERR_NULL);
    w = kwi_wr_make(NULL, 0);
    much.len += (size_t)INT32_MAX + 1;
    kwi_record_put(&w, 0, 0, key, much, NULL, 0);
    CHECK(kwi_wr_status(&w) == KW_ERR_LENGTH);
}

static void check_control(const struct kw_record_view *record)
{
    int type = kwi_control_type(record->key, record->key_len);
    bool good = record->key_len >= 4 && record->key[0] < 128 && record->key[2] < 128;
    CHECK(type == (good ? record->key[2] << 8 | record->key[3] : KW_ERR_CORRUPT));
}

static void check_headers(const struct kw_record_view *record)
{
    struct kw_record_headers it;
    struct kw_record_header_view header;
    const uint8_t *end = record->headers + record->headers_len;
    struct kw_header own[BATCH_HEADERS_MAX];
    int32_t n = kwi_record_headers_init(&it, record), seen = 0;
    int more = n < 0 ? n : 1;
    while (more == 1) {
        more = kwi_record_headers_next(&it, &header);
        if (more != 1)
            break;
        if (seen < BATCH_HEADERS_MAX)
            own[seen] = (struct kw_header){piece_of(header.key, header.key_len),
                                           piece_of(header.value, header.value_len)};
        seen++;
        CHECK(header.key_len >= 0 && header.key + header.key_len <= end);
        CHECK(header.value_len == -1 ? !header.value : header.value + header.value_len <= end);
    }
    CHECK(more == KW_ERR_CORRUPT || (more == 0 && seen == n));
    CHECK(kwi_record_headers_check(record) == more);
    if (more == 0 && n <= BATCH_HEADERS_MAX)
        check_written(record, own, (uint32_t)n);
}

static void check_records(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        struct kw_record_view fast, slow;
        const uint8_t *next = kwi_record_get(p, end, &fast);
        size_t size = slow_record(p, end, &slow);
        CHECK(next ? next == p + size : size == 0);
        if (!next)
            return;
        CHECK(next > p && next <= end);
        CHECK(fast.timestamp_delta == slow.timestamp_delta &&
              fast.offset_delta == slow.offset_delta && fast.key == slow.key &&
              fast.key_len == slow.key_len && fast.value == slow.value &&
              fast.value_len == slow.value_len && fast.headers == slow.headers &&
              fast.headers_len == slow.headers_len);
        check_control(&fast);
        check_headers(&fast);
        p = next;
    }
}

static void check_sum(const uint8_t *p, size_t size)
{
    uint32_t (*crc)(uint32_t, const void *, size_t) = kwi_crc32c_portable;
    int rc = kwi_batch_crc_check(p, size, crc);
    uint8_t *own = malloc(size);
    CHECK(own && (rc == 0 || rc == KW_ERR_CRC));
    memcpy(own, p, size);
    kwi_batch_seal(own, size, crc);
    CHECK(kwi_batch_crc_check(own, size, crc) == 0);
    CHECK((memcmp(own, p, size) == 0) == (rc == 0));
    free(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *p = data, *end = data + size;
    struct kw_batch_header header;
    check_records(data, end);
    while (p < end) {
        uint8_t copy[KWI_BATCH_HEADER];
        int err = kwi_batch_header_get(p, (size_t)(end - p), &header);
        if (err && err != KW_ERR_UNSUPPORTED) {
            CHECK(err == KW_ERR_SHORT || err == KW_ERR_CORRUPT);
            return 0;
        }
        size_t batch_size = kwi_batch_size(&header);
        CHECK(batch_size >= 26 && batch_size <= (size_t)(end - p));
        if (err == 0) {
            CHECK(header.base_offset + header.last_offset_delta + 1 > header.base_offset);
            kwi_batch_header_put(copy, &header);
            CHECK(memcmp(copy, p, sizeof copy) == 0);
            check_records(p + KWI_BATCH_HEADER, p + batch_size);
            check_sum(p, batch_size);
        }
        p += batch_size;
    }
    return 0;
}

/* Each batch ends within the input: what was inserted belongs to the last one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t at = 0;
    size = LLVMFuzzerMutate(data, size, max_size);
    while (seed % 4 && size - at >= KWI_BATCH_HEADER) {
        uint32_t len = kwi_get_u32(data + at + KWI_BATCH_LENGTH);
        size_t left = size - at - KWI_BATCH_LOG_OVERHEAD;
        if (len < KWI_BATCH_HEADER - KWI_BATCH_LOG_OVERHEAD || len > left) {
            len = (uint32_t)left;
            kwi_put_u32(data + at + KWI_BATCH_LENGTH, len);
        }
        if (seed % 4 > 1)
            data[at + KWI_BATCH_MAGIC] = 2;
        at += KWI_BATCH_LOG_OVERHEAD + len;
    }
    return size;
}
