/* fuzz_batch.c -- fetched data: batches, records, headers.
 *
 * covers: B02 B22 C42 C43 C44 C61
 *
 * The input is what a broker may put into a Fetch answer. Compressed batches are
 * walked as if they were plain, for the sake of the record reader. Checks: no
 * bad access, every step moves forward, what is handed out lies inside its
 * record, and a slow reader that knows nothing of the fast one agrees. */
#include <stdlib.h>

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

static void check_headers(const struct kw_record_view *record)
{
    struct kw_record_headers it;
    struct kw_record_header_view header;
    const uint8_t *end = record->headers + record->headers_len;
    int32_t n = kwi_record_headers_init(&it, record), seen = 0;
    int more = n < 0 ? n : 1;
    while (more == 1) {
        more = kwi_record_headers_next(&it, &header);
        if (more != 1)
            break;
        seen++;
        CHECK(header.key_len >= 0 && header.key + header.key_len <= end);
        CHECK(header.value_len == -1 ? !header.value : header.value + header.value_len <= end);
    }
    CHECK(more == KW_ERR_CORRUPT || (more == 0 && seen == n));
    CHECK(kwi_record_headers_check(record) == more);
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
        check_headers(&fast);
        p = next;
    }
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
