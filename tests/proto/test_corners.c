/* What no message of Kafka's leads to, but what the code promises for it: rows
 * and values that today's tables do not have, sizes near the end of what a frame
 * can be, faults in places that the vectors leave whole. `make coverage` lists
 * what is missing. */
#include <criterion/criterion.h>
#include <math.h>
#include <sys/mman.h>

#include "proto/api.h"
#include "proto/batch.h"
#include "proto/field.h"
#include "proto/header.h"
#include "proto/message_set.h"
#include "json/print.h"
#include "tests/proto/support.h"
#include <kwire/proto.h>

/* ---- tables made for it ------------------------------------------------------------ */

/* A struct that may be null from version 1 on, is there by default, and stands in
 * an array as well. */
struct kw_corner_part {
    bool present;
    struct kw_str text;
};
struct kw_corner_holder {
    struct kw_corner_part part;
};
struct kw_corner {
    struct kw_corner_part part;
    struct kw_arr holders;
    struct kw_blob blob;          /* tag 0 */
    struct kw_record_set records; /* tag 1 */
    double number;                /* tag 2 */
};
static const struct kw_field corner_part_rows[] = {
    KWI_VALUE(corner_part, text, 0, KWI_LAST, 0, 0),
};
static KWI_PART_SCHEMA(corner_part, corner_part_rows);
static const struct kw_field corner_holder_rows[] = {
    KWI_ONE(corner_holder, part, corner_part, 0, KWI_LAST, 1, 0, 0),
};
static KWI_PART_SCHEMA(corner_holder, corner_holder_rows);
static const struct kw_field corner_rows[] = {
    KWI_ONE(corner, part, corner_part, 0, KWI_LAST, 1, 0, 0),
    KWI_LIST(corner, holders, corner_holder, 0, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_TAG(corner, blob, 0, 1, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_TAG(corner, records, 1, 1, KWI_LAST, 1, 0, 0),
    KWI_TAG(corner, number, 2, 1, KWI_LAST, KWI_NOT_NULL, 0, 0),
};
static KWI_SCHEMA(corner, corner_rows, 0, 1, 1);
static const struct kw_schema *const corner = &kwi_corner_schema;

Test(corners, a_struct_that_may_be_null_in_some_versions_only)
{
    /* absent; two holders: absent, and present with "x"; tags: blob "b", records "r" */
    static const uint8_t bytes[] = {0xff, 3, 0xff, 0, 1,   2, 'x', 0, 0,
                                    2,    0, 2,    2, 'b', 1, 2,   2, 'r'};
    struct kw_corner m;
    struct kw_corner_holder holder;
    struct kw_fault fault;
    struct kw_iter it;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    uint8_t *block = exact_block(bytes, sizeof bytes), *out;
    size_t len;
    int err;
    cr_assert_eq(kwi_decode(corner, 1, block, sizeof bytes, &m, &fault), 0, "%s", fault.path);
    cr_expect(!m.part.present && m.blob.len == 1 && m.records.len == 1);
    kwi_iter_init(&it, &m.holders);
    cr_assert(kwi_iter_next(&it, &holder) && !holder.part.present);
    cr_assert(kwi_iter_next(&it, &holder) && holder.part.present && holder.part.text.len == 1);
    cr_assert(!kwi_iter_next(&it, &holder));
    out = message_encode(corner, 1, &m, &len, &err);
    cr_assert(out && len == sizeof bytes && memcmp(out, bytes, len) == 0);
    free(out);
    char *json = message_json(corner, 1, &m);
    cr_expect_str_eq(json,
                     "{\"part\":null,\"holders\":[{\"part\":null},{\"part\":{\"text\":\"x\"}}],"
                     "\"blob\":\"Yg==\",\"records\":\"cg==\"}");
    free(json);
    free(block);
    cr_expect_eq(kwi_decode(corner, 1, bytes, 0, &m, &fault), KW_ERR_SHORT);
    cr_expect_str_eq(fault.path, "part", "not even its marker");
    /* Version 0 has no marker: it is there, and cannot be absent. */
    kwi_init(corner, &m);
    cr_expect(m.part.present && kwi_field_is_default(&corner->fields[0], &m.part));
    cr_expect_eq(kwi_encode(corner, 0, &m, &w), 0);
    cr_expect_eq(w.len, 2 + 4);
    m.part.present = false;
    cr_expect(!kwi_field_is_default(&corner->fields[0], &m.part));
    cr_expect_eq(kwi_encode(corner, 0, &m, &w), KW_ERR_NULL);
    cr_expect(!kwi_field_has_marker(&corner->fields[1], 1) &&
              kwi_field_has_marker(corner->fields, 1));
}

Test(corners, what_is_not_in_a_version_is_compared_with_its_default)
{
    struct kw_corner m;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    kwi_init(corner, &m);
    m.records = (struct kw_record_set){.ptr = (const uint8_t *)"r", .len = 1};
    cr_expect_eq(kwi_encode(corner, 0, &m, &w), KW_ERR_VERSION);
    m.records.len = 0;
    m.blob = (struct kw_blob){(const uint8_t *)"b", 1};
    w = kwi_wr_make(NULL, 0);
    cr_expect_eq(kwi_encode(corner, 0, &m, &w), KW_ERR_VERSION);
}

Test(corners, numbers_that_json_has_no_word_for)
{
    static const struct {
        double number;
        const char *json;
    } rows[] = {{1.5, "{\"part\":{\"text\":\"\"},\"holders\":[],\"number\":1.5}"},
                {-HUGE_VAL, "{\"part\":{\"text\":\"\"},\"holders\":[],\"number\":\"-Infinity\"}"}};
    struct kw_corner m;
    kwi_init(corner, &m);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        m.number = rows[i].number;
        char *json = message_json(corner, 1, &m);
        cr_expect_str_eq(json, rows[i].json);
        free(json);
    }
}

/* The decoder makes no such array; an iterator over one ends all the same. */
Test(corners, an_array_whose_bytes_are_cut)
{
    static const uint8_t bytes[] = {0, 0, 0, 7, 0};
    struct kw_arr arr = {.wire = bytes, .wire_end = bytes + 5, .elem = &kwi_elem_i32, .n = 2};
    struct kw_iter it;
    int32_t value = 0;
    kwi_iter_init(&it, &arr);
    cr_expect(kwi_iter_next(&it, &value) && value == 7);
    cr_expect(!kwi_iter_next(&it, &value) && !kwi_iter_next(&it, &value));
}

Test(corners, an_array_stops_at_the_first_element_that_cannot_be_written)
{
    struct kw_corner_holder holders[2];
    struct kw_corner m;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    kwi_init(corner, &m);
    for (int i = 0; i < 2; i++) {
        kwi_init(&kwi_corner_holder_schema, &holders[i]);
        holders[i].part.text = KWI_NULL_STR;
    }
    m.holders = KWI_ARR(holders, 2);
    cr_expect_eq(kwi_encode(corner, 1, &m, &w), KW_ERR_NULL);
    /* One that came from a frame, at the end of what a frame can be. */
    static const uint8_t bytes[] = {1, 1, 0, 4, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0};
    cr_assert_eq(kwi_decode(corner, 1, bytes, sizeof bytes, &m, NULL), 0);
    w = kwi_wr_make(NULL, 0);
    w.len = INT32_MAX - 6;
    cr_expect_eq(kwi_encode(corner, 1, &m, &w), KW_ERR_SPACE);
}

/* A table is data: a kind that is none takes no bytes and does no harm. */
Test(corners, a_kind_that_there_is_not)
{
    static const struct kw_field rows[] = {
        {.name = "x_1", .kind = 99, .tag = -1, .until = KWI_LAST, .sub = &kwi_corner_part_schema}};
    static const struct kw_schema none = {
        .name = "none", .fields = rows, .n_fields = 1, .size = 64, .flex_since = KWI_NEVER};
    union message m;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    kwi_init(&kwi_corner_part_schema, &m);
    kwi_init(&none, &m);
    cr_expect_eq(kwi_decode(&none, 0, NULL, 0, &m, NULL), 0);
    cr_expect_eq(kwi_encode(&none, 0, &m, &w), 0);
    cr_expect_eq(w.len, 0);
    cr_expect(kwi_field_is_default(rows, &m));
    char *json = message_json(&none, 0, &m);
    cr_expect_str_eq(json, "{\"x1\":}", "an underscore before a digit goes");
    free(json);
    cr_expect_eq(kwi_print_json(&none, 1, &m, &w), KW_ERR_VERSION);
    cr_expect_eq(kwi_print_json(&none, -1, &m, &w), KW_ERR_VERSION);
}

/* ---- faults ------------------------------------------------------------------------ */

#define LONG_NAME                                                      \
    "abcdefghijklmnopqrstuvwxyz0abcdefghijklmnopqrstuvwxyz1abcdefghi"  \
    "jklmnopqrstuvwxyz2abcdefghijklmnopqrstuvwxyz3abcdefghijklmnopqrs" \
    "tuvwxyz4"

Test(corners, a_path_that_is_too_long_is_cut)
{
    struct kw_outer {
        struct kw_arr list;
    };
    static const struct kw_field inner_rows[] = {{.name = LONG_NAME,
                                                  .kind = KWI_STRUCT,
                                                  .tag = -1,
                                                  .until = KWI_LAST,
                                                  .null_since = KWI_NOT_NULL,
                                                  .sub = &kwi_corner_part_schema}};
    static const struct kw_schema inner = {.name = "inner",
                                           .fields = inner_rows,
                                           .n_fields = 1,
                                           .size = sizeof(struct kw_corner_part),
                                           .until = KWI_LAST,
                                           .flex_since = 0};
    static const struct kw_field rows[] = {{.name = LONG_NAME,
                                            .kind = KWI_ARRAY,
                                            .tag = -1,
                                            .until = KWI_LAST,
                                            .null_since = KWI_NOT_NULL,
                                            .sub = &inner}};
    static const struct kw_schema outer = {.name = "outer",
                                           .fields = rows,
                                           .n_fields = 1,
                                           .size = sizeof(struct kw_outer),
                                           .flex_since = 0};
    static const uint8_t bytes[] = {2, 9};
    struct kw_outer m;
    struct kw_fault fault;
    cr_expect_eq(kwi_decode(&outer, 0, bytes, sizeof bytes, &m, &fault), KW_ERR_SHORT);
    cr_expect_eq(strlen(fault.path), sizeof fault.path - 1);
    cr_expect_eq(strncmp(fault.path, LONG_NAME, sizeof fault.path - 1), 0);
    cr_expect_eq(kwi_decode(&outer, 0, bytes, sizeof bytes, &m, NULL), KW_ERR_SHORT);
}

Test(corners, every_reason_has_its_words)
{
    static const struct {
        int err;
        const char *text;
    } rows[] = {
        {KW_ERR_SHORT, "m v3: a.b at byte 5: needs 9 bytes, 2 are left"},
        {KW_ERR_VARINT, "m v3: a.b at byte 5: a variable-length number is too long"},
        {KW_ERR_LENGTH, "m v3: a.b at byte 5: a length is out of range"},
        {KW_ERR_NULL, "m v3: a.b at byte 5: it is null, which this version forbids"},
        {KW_ERR_TAGS, "m v3: a.b at byte 5: a tagged field stands twice or has the wrong size"},
        {KW_ERR_TRAILING, "m v3: a.b at byte 5: bytes follow the end of the message (2)"},
        {KW_ERR_VERSION, "m v3: a.b at byte 5: no such version of this message is known"},
        {KW_ERR_CORRUPT, "m v3: a.b at byte 5: it cannot be read"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kw_fault fault = {.err = rows[i].err,
                                 .version = 3,
                                 .message = "m",
                                 .offset = 5,
                                 .needed = 9,
                                 .left = 2,
                                 .path = "a.b"};
        char text[160];
        kwi_fault_format(&fault, text, sizeof text);
        cr_expect_str_eq(text, rows[i].text);
    }
}

Test(corners, versions_of_an_api_that_there_are_not)
{
    char out[8];
    size_t len;
    struct kw_error err;
    cr_expect_eq(kw_proto_decode_json(3, -1, KW_PROTO_REQUEST, "", 0, out, 8, &len, &err),
                 KW_ERR_VERSION);
    cr_expect_eq(kw_proto_decode_json(3, 99, KW_PROTO_REQUEST, "", 0, out, 8, &len, &err),
                 KW_ERR_VERSION);
    cr_expect_eq(kw_proto_decode_json(-3, 1, KW_PROTO_REQUEST, "", 0, out, 8, &len, &err),
                 KW_ERR_VERSION);
}

/* ---- cursors ------------------------------------------------------------------------ */

Test(corners, an_empty_reader_gives_zeros)
{
    struct kw_rd r = kwi_rd_make((const uint8_t *)"\0\0\0\0\0\0\0\5", 8);
    cr_expect(kwi_rd_u64(&r) == 5 && r.err == 0);
    r = kwi_rd_make(NULL, 0);
    cr_expect(kwi_rd_u8(&r) == 0 && r.err == KW_ERR_SHORT);
    cr_expect(kwi_rd_u16(&r) == 0 && kwi_rd_u32(&r) == 0 && kwi_rd_u64(&r) == 0);
}

/* A length above INT32_MAX is refused even where so many bytes are left: pages
 * that are never touched take no memory. */
Test(corners, a_length_above_what_an_array_can_have)
{
    size_t size = (size_t)3 << 30;
    uint8_t *bytes;
    struct kw_rd r;
    if (sizeof(size_t) < 8)
        cr_skip_test("no such buffer can exist here");
    bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (bytes == MAP_FAILED)
        cr_skip_test("no room for 3 GiB of addresses");
    memcpy(bytes, "\x81\x80\x80\x80\x08", 5); /* 2^31 + 1: a length of 2^31 */
    r = kwi_rd_make(bytes, size);
    cr_expect_eq(kwi_rd_len(&r, 4, true), 0);
    cr_expect_eq(r.err, KW_ERR_SHORT);
    munmap(bytes, size);
}

Test(corners, a_frame_ends_at_INT32_MAX)
{
    static const struct kw_record_set records = {.ptr = (const uint8_t *)"r", .len = 1};
    struct kw_corner m;
    struct kw_cut cuts[2];
    struct kw_wr w = kwi_wr_make(NULL, 0);
    uint8_t small[8];
    kwi_wr_put(&w, "", (size_t)INT32_MAX + 1);
    cr_expect(w.err == KW_ERR_SPACE && w.len == 0);
    w = kwi_wr_make(NULL, 0);
    w.len = INT32_MAX;
    kwi_wr_u8(&w, 1);
    cr_expect_eq(w.err, KW_ERR_SPACE);
    /* Record data that is not copied counts too. */
    kwi_init(corner, &m);
    m.records = records;
    w = kwi_wr_make(NULL, 0);
    w.cuts = cuts;
    w.cuts_cap = 2;
    w.cut_len = INT32_MAX;
    cr_expect_eq(kwi_encode(corner, 1, &m, &w), KW_ERR_SPACE);
    /* The size prefix: too much, into nothing, into too little, after an error. */
    w = kwi_wr_make(small, sizeof small);
    size_t at = kwi_frame_begin(&w);
    w.cut_len = (size_t)INT32_MAX + 1;
    kwi_frame_end(&w, at);
    cr_expect_eq(w.err, KW_ERR_SPACE);
    kwi_frame_end(&w, at);
    w = kwi_wr_make(NULL, 0);
    at = kwi_frame_begin(&w);
    kwi_frame_end(&w, at);
    cr_expect_eq(kwi_wr_status(&w), 0);
    w = kwi_wr_make(small, 3);
    at = kwi_frame_begin(&w);
    kwi_frame_end(&w, at);
    cr_expect_eq(kwi_wr_status(&w), KW_ERR_SPACE);
}

/* ---- headers, frames, old messages --------------------------------------------------- */

Test(corners, what_other_protocols_begin_with)
{
    static const char *const first[] = {"POST", "HEAD", "PUT ", "OPTI", "PRI "};
    int32_t size;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        cr_expect_eq(kwi_frame_size((const uint8_t *)first[i], 1000, &size), KWI_FRAME_HTTP, "%s",
                     first[i]);
    cr_expect_eq(kwi_frame_size((const uint8_t *)"\x16\x02\0\0", 1000, &size), KWI_FRAME_TOO_LARGE);
    cr_expect_str_eq(kwi_frame_text((enum kw_frame)77), "unknown");
}

Test(corners, headers_of_an_unknown_api_and_tags_that_are_cut)
{
    static const uint8_t bytes[] = {0, 0, 0, 9, 2, 7, 1};
    int32_t correlation_id;
    size_t len;
    cr_expect_eq(kwi_response_header_get(bytes, 7, -9, 0, &correlation_id, &len),
                 KW_ERR_UNSUPPORTED);
    cr_expect_eq(kwi_response_header_get(bytes, 7, KW_API_METADATA, 9, &correlation_id, &len),
                 KW_ERR_SHORT);
}

Test(corners, a_control_key_of_a_negative_type)
{
    cr_expect_eq(kwi_control_type((const uint8_t *)"\0\0\xff\xff", 4), KW_ERR_CORRUPT);
    cr_expect_eq(kwi_control_type((const uint8_t *)"\xff\xff\0\0", 4), KW_ERR_CORRUPT);
    cr_expect_eq(kwi_control_type((const uint8_t *)"\0\1\0\1", 4), KWI_CONTROL_COMMIT);
}

/* A run of messages that nobody opened as a set: the walk ends where it breaks. */
Test(corners, a_run_of_messages_ends_at_one_that_is_cut)
{
    uint8_t bytes[51] = {0};
    struct kw_message_set set = {.p = bytes, .end = bytes + sizeof bytes};
    struct kw_message message;
    bytes[11] = 14;
    bytes[26 + 11] = 14;
    cr_expect_eq(kwi_message_set_next(&set, &message), 1);
    cr_expect_eq(message.size, 26);
    cr_expect_eq(kwi_message_set_next(&set, &message), 0);
}

Test(corners, elements_that_are_plain_numbers_are_known_by_their_width)
{
    cr_expect_not_null(kwi_elem_number(&kwi_elem_i64));
    cr_expect_null(kwi_elem_number(&kwi_elem_uuid));
    cr_expect_null(kwi_elem_number(&kwi_elem_str));
}
