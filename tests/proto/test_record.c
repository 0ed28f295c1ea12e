/* covers: B02 C43 C44 C48 P44
 * Records of a batch: bounds, malformed lengths, lazy headers, round trips. */
#include <criterion/criterion.h>

#include "proto/record.h"
#include "tests/proto/support.h"

static struct kw_bytes bytes_of(const char *text)
{
    return (struct kw_bytes){text, text ? strlen(text) : 0};
}

/* True if the record is accepted; the position behind it must be its end. */
static bool accepts(const uint8_t *bytes, size_t len, struct kw_record_view *view, void **block)
{
    const uint8_t *p = *block = exact_block(bytes, len);
    const uint8_t *next = kwi_record_get(p, p + len, view);
    cr_assert(!next || (next > p && next <= p + len));
    return next == p + len;
}

#define TAKEN(...)                                                  \
    do {                                                            \
        static const uint8_t bytes_[] = {__VA_ARGS__};              \
        struct kw_record_view view_;                                \
        void *block_;                                               \
        cr_expect(accepts(bytes_, sizeof bytes_, &view_, &block_)); \
        free(block_);                                               \
    } while (0)

#define REFUSED(...)                                                            \
    do {                                                                        \
        static const uint8_t bytes_[] = {__VA_ARGS__};                          \
        struct kw_record_view view_;                                            \
        const uint8_t *block_ = exact_block(bytes_, sizeof bytes_);             \
        cr_expect_null(kwi_record_get(block_, block_ + sizeof bytes_, &view_)); \
        free((void *)(uintptr_t)block_);                                        \
    } while (0)

Test(record, the_smallest_record_has_null_key_null_value_and_no_headers)
{
    static const uint8_t bytes[] = {12, 0, 0, 0, 1, 1, 0};
    struct kw_record_view view;
    void *block;
    cr_assert(accepts(bytes, sizeof bytes, &view, &block));
    cr_expect(view.key_len == -1 && !view.key && view.value_len == -1 && !view.value);
    cr_expect(view.timestamp_delta == 0 && view.offset_delta == 0 && view.headers_len == 1);
    cr_expect_eq(kwi_record_headers_check(&view), 0);
    free(block);
}

Test(record, empty_is_not_null)
{
    static const uint8_t bytes[] = {12, 0, 0, 0, 0, 0, 0};
    struct kw_record_view view;
    void *block;
    cr_assert(accepts(bytes, sizeof bytes, &view, &block));
    cr_expect(view.key_len == 0 && view.key && view.value_len == 0 && view.value);
    free(block);
}

Test(record, malformed_records_are_refused)
{
    TAKEN(14, 0, 0, 0, 2, 'k', 1, 0);
    REFUSED(13, 0, 0, 0, 1, 1, 0);                      /* negative length */
    REFUSED(10, 0, 0, 0, 1, 1);                         /* too small for any record */
    REFUSED(14, 0, 0, 0, 1, 1, 0);                      /* longer than the batch */
    REFUSED(14, 0, 0, 0, 1, 1, 0, 0);                   /* bytes behind a count of 0 */
    REFUSED(12, 0, 0, 1, 1, 1, 0);                      /* negative offset delta */
    REFUSED(12, 0, 0, 0, 3, 1, 0);                      /* key length -2 */
    REFUSED(12, 0, 0, 0, 1, 3, 0);                      /* value length -2 */
    REFUSED(12, 0, 0, 0, 6, 1, 0);                      /* key beyond the record */
    REFUSED(12, 0, 0, 0, 4, 1, 0);                      /* key takes value and count */
    REFUSED(12, 0, 0, 0, 2, 1, 0);                      /* key takes the value length */
    REFUSED(12, 0, 0, 0, 1, 4, 0);                      /* value beyond the record */
    REFUSED(12, 0, 0, 0, 1, 2, 0);                      /* value takes the count */
    REFUSED(12, 0, 0, 0, 1, 1, 2);                      /* a header without room */
    REFUSED(14, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80); /* timestamp never ends */
    REFUSED(28, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0, 1, 1, 0);
    REFUSED(20, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1, 0); /* offset delta of 36 bits */
    REFUSED(20, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0); /* key length INT32_MAX */
    REFUSED(20, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0); /* value length INT32_MAX */
    REFUSED(0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 1, 0);  /* length INT32_MAX */
    REFUSED(0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0, 1, 1, 0);  /* length of 6 bytes */
    REFUSED(12);
    REFUSED(0x8c);
}

Test(record, a_record_ends_where_its_length_says_and_not_where_the_batch_does)
{
    /* Two records; the first one's value claims a byte of the second. */
    static const uint8_t bytes[] = {12, 0, 0, 0, 1, 2, 0, 12, 0, 0, 2, 1, 1, 0};
    struct kw_record_view view;
    const uint8_t *p = exact_block(bytes, sizeof bytes);
    cr_expect_null(kwi_record_get(p, p + sizeof bytes, &view));
    free((void *)(uintptr_t)p);
}

Test(record, extreme_deltas_survive)
{
    static const int64_t times[] = {0,   1,    -1,   63,        64,        -64,
                                    -65, 8191, 8192, INT64_MAX, INT64_MIN, (int64_t)1 << 40};
    static const int32_t offsets[] = {0, 1, 63, 64, 8191, 8192, 1 << 20, INT32_MAX};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        for (size_t k = 0; k < sizeof offsets / sizeof *offsets; k++) {
            uint8_t out[64];
            struct kw_record_view view;
            struct kw_wr w = kwi_wr_make(out, sizeof out);
            void *block;
            kwi_record_put(&w, times[i], offsets[k], bytes_of("k"), bytes_of(NULL), NULL, 0);
            cr_assert_eq(kwi_wr_status(&w), 0);
            cr_assert(accepts(out, w.len, &view, &block));
            cr_expect_eq(view.timestamp_delta, times[i]);
            cr_expect_eq(view.offset_delta, offsets[k]);
            free(block);
        }
}

Test(record, lengths_around_the_steps_of_a_varint_survive)
{
    static const size_t lengths[] = {0, 1, 50, 56, 57, 62, 63, 64, 65, 8180, 8191, 8192, 1048576};
    char *big = calloc(1, 1048576);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            struct kw_bytes key = {big, lengths[i]}, value = {big, lengths[k]};
            struct kw_wr measure = kwi_wr_make(NULL, 0), w;
            struct kw_record_view view;
            kwi_record_put(&measure, 5, 6, key, value, NULL, 0);
            uint8_t *out = malloc(measure.len);
            w = kwi_wr_make(out, measure.len);
            kwi_record_put(&w, 5, 6, key, value, NULL, 0);
            cr_assert(kwi_wr_status(&w) == 0 && w.len == measure.len);
            cr_assert_eq(kwi_record_get(out, out + w.len, &view), out + w.len);
            cr_expect(view.key_len == (int32_t)key.len && view.value_len == (int32_t)value.len);
            free(out);
        }
    free(big);
}

Test(record, headers_are_read_in_order_with_null_and_empty_values)
{
    const struct kw_header headers[] = {{bytes_of("a"), bytes_of("1")},
                                        {bytes_of(""), bytes_of("")},
                                        {bytes_of("a"), bytes_of(NULL)}};
    uint8_t out[64];
    struct kw_wr w = kwi_wr_make(out, sizeof out);
    struct kw_record_view view;
    struct kw_record_headers it;
    struct kw_record_header_view header;
    kwi_record_put(&w, 0, 0, bytes_of(NULL), bytes_of("v"), headers, 3);
    cr_assert_eq(kwi_wr_status(&w), 0);
    cr_assert_not_null(kwi_record_get(out, out + w.len, &view));
    cr_assert_eq(kwi_record_headers_init(&it, &view), 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(kwi_record_headers_next(&it, &header), 1);
        cr_expect_eq(header.key_len, (int32_t)headers[i].key.len);
        cr_expect_eq(header.value_len, headers[i].value.ptr ? (int32_t)headers[i].value.len : -1);
    }
    cr_expect_eq(kwi_record_headers_next(&it, &header), 0);
    cr_expect_eq(kwi_record_headers_check(&view), 0);
}

static int check_headers(const uint8_t *bytes, size_t len)
{
    uint8_t *block = exact_block(bytes, len);
    struct kw_record_view view = {.headers = block, .headers_len = (uint32_t)len};
    int err = kwi_record_headers_check(&view);
    free(block);
    return err;
}

#define HEADERS(want, ...)                                        \
    do {                                                          \
        static const uint8_t bytes_[] = {__VA_ARGS__};            \
        cr_expect_eq(check_headers(bytes_, sizeof bytes_), want); \
    } while (0)

Test(record, malformed_headers_are_refused)
{
    HEADERS(0, 2, 2, 'k', 2, 'v');
    HEADERS(KW_ERR_CORRUPT, 1);                                  /* count -1 */
    HEADERS(KW_ERR_CORRUPT, 3, 0, 1);                            /* count -2 */
    HEADERS(KW_ERR_CORRUPT, 4, 0, 1);                            /* two headers in two bytes */
    HEADERS(KW_ERR_CORRUPT, 2, 1, 1);                            /* null key */
    HEADERS(KW_ERR_CORRUPT, 2, 3, 1);                            /* key length -2 */
    HEADERS(KW_ERR_CORRUPT, 2, 0, 3);                            /* value length -2 */
    HEADERS(KW_ERR_CORRUPT, 2, 4, 'k', 1);                       /* key takes the value length */
    HEADERS(KW_ERR_CORRUPT, 2, 2, 'k', 4, 'v');                  /* value beyond the record */
    HEADERS(KW_ERR_CORRUPT, 2, 0, 1, 9);                         /* bytes behind the last header */
    HEADERS(KW_ERR_CORRUPT, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 1); /* INT32_MAX headers */
    HEADERS(KW_ERR_CORRUPT, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00);
    cr_expect_eq(check_headers(NULL, 0), KW_ERR_CORRUPT);
}

Test(record, what_cannot_be_written_fails_the_writer)
{
    const struct kw_header header = {bytes_of(NULL), bytes_of("v")};
    struct kw_wr w = kwi_wr_make(NULL, 0);
    kwi_record_put(&w, 0, 0, bytes_of("k"), bytes_of("v"), &header, 1);
    cr_expect_eq(w.err, KW_ERR_NULL);
    w = kwi_wr_make(NULL, 0);
    kwi_record_put(&w, 0, -1, bytes_of("k"), bytes_of("v"), NULL, 0);
    cr_expect_eq(w.err, KW_ERR_LENGTH);
    w = kwi_wr_make(NULL, 0);
    kwi_record_put(&w, 0, 0, (struct kw_bytes){"", (size_t)INT32_MAX + 1}, bytes_of("v"), NULL, 0);
    cr_expect_eq(w.err, KW_ERR_LENGTH);
}

Test(record, every_one_byte_change_stays_inside_the_record)
{
    const struct kw_header headers[] = {{bytes_of("key"), bytes_of("value")},
                                        {bytes_of("k"), bytes_of(NULL)}};
    uint8_t out[256];
    struct kw_wr w = kwi_wr_make(out, sizeof out);
    kwi_record_put(&w, -70, 100, bytes_of("some key"), bytes_of("some value"), headers, 2);
    kwi_record_put(&w, 9000, 101, bytes_of(NULL), bytes_of(NULL), NULL, 0);
    uint8_t *block = exact_block(out, w.len);
    for (size_t i = 0; i < w.len; i++)
        for (unsigned x = 1; x < 256; x++) {
            struct kw_record_view view;
            const uint8_t *p = block, *end = block + w.len;
            block[i] ^= (uint8_t)x;
            while (p < end) {
                const uint8_t *next = kwi_record_get(p, end, &view);
                if (!next)
                    break;
                cr_assert(next > p && next <= end);
                cr_assert(!view.key || (view.key > p && view.key + view.key_len <= next));
                cr_assert(!view.value || (view.value > p && view.value + view.value_len <= next));
                cr_assert_eq(view.headers + view.headers_len, next);
                int err = kwi_record_headers_check(&view);
                cr_assert(err == 0 || err == KW_ERR_CORRUPT);
                p = next;
            }
            block[i] ^= (uint8_t)x;
        }
    free(block);
}
