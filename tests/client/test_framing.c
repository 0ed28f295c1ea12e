/* The walk over the lengths of a batch's records, before any of them is handed out: against
 * a slow reader of one byte at a time, for lengths of every size, with every byte changed.
 *
 * covers: C42 C43 C44 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "client/consumer.h"
#include "client/framing.h"
#include "proto/batch.h"
#include "proto/record.h"

enum { RECORDS = 6, BUDGET = 1 << 30 };

struct bed {
    struct kw_core core;
    struct kw_consumer consumer;
    struct kw_consumer_topic topic;
    struct kw_consumer_part part;
};

static void begin(struct bed *bed, const uint8_t *batch, size_t len)
{
    memset(bed, 0, sizeof(*bed));
    bed->core.env.crc32c = kwi_crc32c_portable;
    bed->consumer.core = &bed->core;
    bed->consumer.max_poll_records = 2;
    bed->topic.consumer = &bed->consumer;
    bed->part.topic = &bed->topic;
    bed->part.data.ptr = batch;
    bed->part.data.end = batch + len;
}

/* A batch of records whose lengths take one byte, two, three and four. The block has its
 * exact size. */
static uint8_t *make(size_t *len)
{
    static const size_t sizes[RECORDS] = {20, 300, 9000, 1100000, 1, 70};
    static const uint8_t zeros[1100000];
    size_t cap = 1200000;
    uint8_t *all = malloc(cap), *batch;
    struct kw_wr w = {.buf = all + KWI_BATCH_HEADER, .cap = cap - KWI_BATCH_HEADER};
    struct kw_batch_header header;

    for (int i = 0; i < RECORDS; i++)
        kwi_record_put(&w, 0, i, (struct kw_bytes){NULL, 0}, (struct kw_bytes){zeros, sizes[i]},
                       NULL, 0);
    cr_assert_eq(w.err, 0);
    *len = KWI_BATCH_HEADER + w.len;
    kwi_batch_header_init(&header);
    header.record_count = RECORDS;
    header.last_offset_delta = RECORDS - 1;
    header.batch_length = (int32_t)(*len - KWI_BATCH_LOG_OVERHEAD);
    kwi_batch_header_put(all, &header);
    batch = malloc(*len);
    memcpy(batch, all, *len);
    free(all);
    return batch;
}

/* Whether n records of at least `least` bytes fill the bytes, each length by itself. */
static bool slow_walk(const uint8_t *p, const uint8_t *end, unsigned n, size_t least)
{
    for (; n > 0; n--) {
        uint64_t raw = 0, size;
        unsigned i = 0;
        do {
            if (p == end || i == 5)
                return false;
            raw |= (uint64_t)(*p & 0x7f) << (7 * i++);
        } while (*p++ & 0x80);
        size = raw >> 1;
        if (raw & 1 || raw > UINT32_MAX || size < least || size > (size_t)(end - p))
            return false;
        p += size;
    }
    return p == end;
}

/* What the walk says, asked again and again with `budget` bytes. */
static int walk(struct bed *bed, size_t budget)
{
    int rc = KW_ERR_WOULD_BLOCK;
    for (int i = 0; rc == KW_ERR_WOULD_BLOCK && i < 100000; i++) {
        struct kw_batch_budget left = {.checked = budget, .passed = budget};
        rc = kwi_batch_prepare(&bed->part, &left);
    }
    return rc;
}

/* The same for bytes that appear by and by, as those of a compressed batch do. */
static bool appears(const uint8_t *p, size_t len, size_t step)
{
    struct kw_framing framing;
    cr_assert_eq(kwi_framing_begin(&framing, false, RECORDS, len), 0);
    for (size_t n = step < len ? step : len;; n = len - n > step ? n + step : len) {
        if (kwi_framing_walk(&framing, p, n) != 0)
            return false;
        if (n == len)
            return kwi_framing_end(&framing, len) == 0;
    }
}

static void compare(const uint8_t *batch, size_t len, size_t budget, const char *what, size_t at)
{
    struct bed bed;
    bool good = slow_walk(batch + KWI_BATCH_HEADER, batch + len, RECORDS, 0);

    begin(&bed, batch, len);
    cr_assert_eq(walk(&bed, budget), good ? 1 : KW_ERR_CORRUPT, "%s at %zu", what, at);
    good = slow_walk(batch + KWI_BATCH_HEADER, batch + len, RECORDS, 6);
    cr_assert_eq(appears(batch + KWI_BATCH_HEADER, len - KWI_BATCH_HEADER, budget), good,
                 "%s at %zu, appearing", what, at);
}

Test(framing, lengths_that_lie_are_found_whatever_their_size)
{
    size_t len, at = KWI_BATCH_HEADER;
    uint8_t *batch = make(&len);

    compare(batch, len, BUDGET, "nothing", 0);
    compare(batch, len, 2000, "nothing, in pieces", 0);
    for (int i = 0; i < RECORDS; i++) {
        uint64_t raw = 0;
        const uint8_t *body = kwi_read_uvarint(batch + at, batch + len, 5, &raw);
        for (const uint8_t *p = batch + at; p < body; p++) {
            uint8_t *byte = batch + (p - batch), was = *byte;
            for (unsigned value = 0; value < 256; value++) {
                *byte = (uint8_t)value;
                compare(batch, len, BUDGET, "a length changed", (size_t)(p - batch));
                compare(batch, len, 5001, "a length changed, in pieces", (size_t)(p - batch));
            }
            *byte = was;
        }
        at = (size_t)(body - batch) + (size_t)(raw >> 1);
    }
    free(batch);
}

/* A piece ends where its records end, for every number of them. */
Test(framing, a_piece_of_a_batch_ends_behind_its_records)
{
    size_t len;
    uint8_t *batch = make(&len);

    for (uint32_t n = 1; n < RECORDS; n++) {
        struct bed bed;
        struct kw_record_view view;
        begin(&bed, batch, len);
        cr_assert_eq(walk(&bed, BUDGET), 1);
        kwi_batch_advance(&bed.part, n);
        cr_assert_eq(bed.part.data.left, RECORDS - n);
        cr_assert_eq(bed.part.position, n);
        cr_assert_not_null(kwi_record_get(bed.part.data.record, batch + len, &view));
        cr_assert_eq(view.offset_delta, (int32_t)n);
    }
    free(batch);
}
