/* covers: B01 B02 B03 B04 B05 N10
 * The interpreter itself, on tables made for it. Wire bytes are written by hand
 * from the protocol's description. */
#include <criterion/criterion.h>

#include "tests/proto/support.h"

/* DescribeTopicPartitions, request, version 0: has a nullable struct. */
struct kw_test_topic {
    struct kw_str name;
};
struct kw_test_cursor {
    bool present;
    struct kw_str topic_name;
    int32_t partition_index;
};
struct kw_test_describe {
    struct kw_arr topics;
    int32_t response_partition_limit;
    struct kw_test_cursor cursor;
};
static const struct kw_field test_topic_rows[] = {
    KWI_VALUE(test_topic, name, 0, KWI_LAST, 0, 0),
};
static KWI_PART_SCHEMA(test_topic, test_topic_rows);
static const struct kw_field test_cursor_rows[] = {
    KWI_VALUE(test_cursor, topic_name, 0, KWI_LAST, 0, 0),
    KWI_VALUE(test_cursor, partition_index, 0, KWI_LAST, 0, 0),
};
static KWI_PART_SCHEMA(test_cursor, test_cursor_rows);
static const struct kw_field test_describe_rows[] = {
    KWI_LIST(test_describe, topics, test_topic, 0, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_VALUE(test_describe, response_partition_limit, 0, KWI_LAST, 2000, 0),
    KWI_ONE(test_describe, cursor, test_cursor, 0, KWI_LAST, 0, KWI_NULL, 0),
};
static KWI_SCHEMA(test_describe, test_describe_rows, 0, 0, 0);

/* A made-up message with everything else: v0 classic, v1 flexible. */
struct kw_test_item {
    int16_t code;
    struct kw_arr ids;   /* of int64_t */
    struct kw_arr names; /* of struct kw_str */
};
struct kw_test_pair {
    int8_t left;
    uint32_t right;
};
struct kw_test_mixed {
    struct kw_str name;
    struct kw_str maybe; /* null from v1 on */
    struct kw_blob blob;
    struct kw_record_set records;
    struct kw_arr items;
    uint16_t small;
    int64_t added;            /* v1, default INT64_MAX, must not be dropped */
    bool hint;                /* v1, may be dropped */
    struct kw_uuid id;        /* tag 0 */
    struct kw_test_pair pair; /* tag 2 */
    struct kw_str text;       /* tag 5, default null */
};
static const struct kw_field test_item_rows[] = {
    KWI_VALUE(test_item, code, 0, KWI_LAST, 0, 0),
    KWI_PLAIN(test_item, ids, i64, 0, KWI_LAST, 0),
    KWI_PLAIN(test_item, names, str, 0, KWI_LAST, 0),
};
static KWI_PART_SCHEMA(test_item, test_item_rows);
static const struct kw_field test_pair_rows[] = {
    KWI_VALUE(test_pair, left, 0, KWI_LAST, -1, 0),
    KWI_VALUE(test_pair, right, 0, KWI_LAST, 0, 0),
};
static KWI_PART_SCHEMA(test_pair, test_pair_rows);
static const struct kw_field test_mixed_rows[] = {
    KWI_VALUE(test_mixed, name, 0, KWI_LAST, 0, 0),
    KWI_MAYBE(test_mixed, maybe, 0, KWI_LAST, 1, 0, 0),
    KWI_VALUE(test_mixed, blob, 0, KWI_LAST, 0, 0),
    KWI_MAYBE(test_mixed, records, 0, KWI_LAST, 0, 0, 0),
    KWI_LIST(test_mixed, items, test_item, 0, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_VALUE(test_mixed, small, 0, KWI_LAST, 0, 0),
    KWI_VALUE(test_mixed, added, 1, KWI_LAST, INT64_MAX, 0),
    KWI_VALUE(test_mixed, hint, 1, KWI_LAST, 0, KWI_IGNORABLE),
    KWI_TAG(test_mixed, id, 0, 1, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_TAG_OF(test_mixed, pair, test_pair, 2, 1, KWI_LAST, KWI_NOT_NULL, 0, 0),
    KWI_TAG(test_mixed, text, 5, 1, KWI_LAST, 1, KWI_NULL, 0),
};
static KWI_SCHEMA(test_mixed, test_mixed_rows, 0, 1, 1);

static const struct kw_schema *const mixed = &kwi_test_mixed_schema;

/* Decodes from an exact heap block. *block must be freed when msg is done. */
static int decode_exact(const struct kw_schema *schema, int version, const uint8_t *bytes,
                        size_t len, void *msg, struct kw_fault *fault, void **block)
{
    *block = exact_block(bytes, len);
    return kwi_decode(schema, version, *block, len, msg, fault);
}

#define REFUSED(version, want, want_path, want_offset, ...)                                \
    do {                                                                                   \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                     \
        struct kw_test_mixed m_;                                                           \
        struct kw_fault f_;                                                                \
        void *block_;                                                                      \
        int err_ = decode_exact(mixed, version, bytes_, sizeof bytes_, &m_, &f_, &block_); \
        cr_expect_eq(err_, want, "%d instead of %d", err_, want);                          \
        cr_expect(err_ &&strcmp(f_.path, want_path) == 0, "path %s", f_.path);             \
        cr_expect(err_ &&f_.offset == (want_offset), "offset %zu", f_.offset);             \
        free(block_);                                                                      \
    } while (0)

/* v0: name "a", maybe "", blob empty, records empty, one item, small 7 */
#define V0_HEAD 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
static const uint8_t v0_bytes[] = {V0_HEAD, 0, 0, 0, 1, 0, 9,    0,    0,    0,    2,    0,    0,
                                   0,       0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff,    0, 0, 0, 1, 0, 2,    'x',  'y',  0,    7};
/* v1: the same; tags section at every struct's end */
#define V1_HEAD 2, 'a', 1, 1, 1
#define V1_REST 1, 0, 7, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1

Test(schema, a_message_of_a_classic_version_is_read_and_written)
{
    struct kw_test_mixed m;
    struct kw_test_item item;
    struct kw_iter it;
    int64_t id;
    struct kw_str name;
    void *block;
    size_t len;
    int err;
    cr_assert_eq(decode_exact(mixed, 0, v0_bytes, sizeof v0_bytes, &m, NULL, &block), 0);
    cr_expect(m.name.len == 1 && m.maybe.len == 0 && m.blob.len == 0 && m.records.len == 0);
    cr_expect(m.small == 7 && m.added == INT64_MAX && m.text.len == -1 && m.pair.left == -1);
    kwi_iter_init(&it, &m.items);
    cr_assert(kwi_iter_next(&it, &item) && item.code == 9);
    cr_assert(!kwi_iter_next(&it, &item));
    kwi_iter_init(&it, &item.ids);
    cr_assert(kwi_iter_next(&it, &id) && id == 1);
    cr_assert(kwi_iter_next(&it, &id) && id == -1);
    cr_assert(!kwi_iter_next(&it, &id));
    kwi_iter_init(&it, &item.names);
    cr_assert(kwi_iter_next(&it, &name) && name.len == 2 && memcmp(name.ptr, "xy", 2) == 0);
    uint8_t *out = message_encode(mixed, 0, &m, &len, &err);
    cr_assert(out && len == sizeof v0_bytes && memcmp(out, v0_bytes, len) == 0);
    free(out);
    /* The same message moves to another version: positional fields appear. */
    static const uint8_t v1_bytes[] = {
        V1_HEAD, 2,    0,    9,    3,    0,    0,    0,    0,    0,    0,   0,   1,
        0xff,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,    3,    'x', 'y', 0,
        0,       7,    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,   0};
    out = message_encode(mixed, 1, &m, &len, &err);
    cr_assert(out && len == sizeof v1_bytes && memcmp(out, v1_bytes, len) == 0);
    free(out);
    free(block);
}

Test(schema, tagged_fields_are_read_in_any_order_and_written_in_ascending_order)
{
    /* tag 5 = "t", tag 9 unknown, tag 2 = {-1 -> 3, 5}, tag 0 = uuid 1...1 */
    static const uint8_t bytes[] = {V1_HEAD, V1_REST, 4, 5, 2, 2, 't', 9,  1, 0xee, 2, 6,
                                    3,       0,       0, 0, 5, 0, 0,   16, 1, 1,    1, 1,
                                    1,       1,       1, 1, 1, 1, 1,   1,  1, 1,    1, 1};
    static const uint8_t sorted[] = {V1_HEAD, V1_REST, 3, 0, 16, 1, 1, 1, 1, 1, 1,
                                     1,       1,       1, 1, 1,  1, 1, 1, 1, 1, 2,
                                     6,       3,       0, 0, 0,  5, 0, 5, 2, 2, 't'};
    struct kw_test_mixed m;
    void *block;
    size_t len;
    int err;
    cr_assert_eq(decode_exact(mixed, 1, bytes, sizeof bytes, &m, NULL, &block), 0);
    cr_expect(m.text.len == 1 && m.pair.left == 3 && m.pair.right == 5 && m.id.b[15] == 1);
    cr_expect(m.hint);
    uint8_t *out = message_encode(mixed, 1, &m, &len, &err);
    cr_assert(out && len == sizeof sorted && memcmp(out, sorted, len) == 0);
    free(out);
    free(block);
}

Test(schema, a_tag_that_stands_twice_or_lies_about_its_size_is_refused)
{
    REFUSED(1, KW_ERR_TAGS, "(tags)", 23, V1_HEAD, V1_REST, 3, 5, 1, 0, 9, 0, 5, 1, 0);
    REFUSED(1, KW_ERR_TAGS, "(tags)", 20, V1_HEAD, V1_REST, 2, 9, 0, 9, 0);
    REFUSED(1, KW_ERR_TAGS, "(tags)", 21, V1_HEAD, V1_REST, 2, 0xac, 2, 0, 0xac, 2, 0);
    REFUSED(1, KW_ERR_TAGS, "text", 22, V1_HEAD, V1_REST, 1, 5, 3, 2, 't', 0);
    REFUSED(1, KW_ERR_SHORT, "text", 21, V1_HEAD, V1_REST, 1, 5, 1, 2, 't');
    REFUSED(1, KW_ERR_SHORT, "pair.right", 21, V1_HEAD, V1_REST, 1, 2, 2, 3, 0, 0, 0, 5, 0);
    REFUSED(1, KW_ERR_SHORT, "(tags)", 20, V1_HEAD, V1_REST, 1, 77, 9, 1);
    REFUSED(1, KW_ERR_SHORT, "(tags)", 18, V1_HEAD, V1_REST, 1);
}

Test(schema, nulls_are_refused_where_the_version_forbids_them)
{
    REFUSED(0, KW_ERR_NULL, "name", 0, 0xff, 0xff);
    REFUSED(0, KW_ERR_NULL, "maybe", 3, 0, 1, 'a', 0xff, 0xff);
    REFUSED(1, KW_ERR_NULL, "name", 0, 0);
    REFUSED(1, KW_ERR_NULL, "blob", 3, 2, 'a', 0, 0);
    REFUSED(1, KW_ERR_NULL, "items", 5, V1_HEAD, 0);
    REFUSED(0, KW_ERR_NULL, "items", 13, V0_HEAD, 0xff, 0xff, 0xff, 0xff);
    REFUSED(1, KW_ERR_NULL, "items[0].names[1]", 11, V1_HEAD, 2, 0, 9, 1, 3, 1, 0);
}

Test(schema, lengths_are_bounded_by_the_bytes_that_are_left)
{
    REFUSED(0, KW_ERR_LENGTH, "name", 0, 0xff, 0xfe);
    REFUSED(0, KW_ERR_SHORT, "name", 2, 0x7f, 0xff, 'a');
    REFUSED(0, KW_ERR_SHORT, "records", 13, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff);
    REFUSED(0, KW_ERR_LENGTH, "blob", 5, 0, 1, 'a', 0, 0, 0x80, 0, 0, 0);
    REFUSED(0, KW_ERR_SHORT, "items", 17, V0_HEAD, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0);
    REFUSED(1, KW_ERR_SHORT, "items", 10, V1_HEAD, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0);
    REFUSED(1, KW_ERR_VARINT, "items", 5, V1_HEAD, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0);
    /* Three elements fit by count, but not eight bytes each. */
    REFUSED(1, KW_ERR_SHORT, "items[0].ids", 9, V1_HEAD, 2, 0, 9, 4, 0, 0, 0, 0, 0, 0, 0, 0);
    /* 32,768 bytes are too long for a string in compact form too. */
    uint8_t *big = calloc(1, 40000);
    struct kw_test_mixed m;
    struct kw_fault fault;
    memcpy(big, (const uint8_t[]){0x81, 0x80, 0x02}, 3);
    cr_expect_eq(kwi_decode(mixed, 1, big, 40000, &m, &fault), KW_ERR_LENGTH);
    cr_expect_str_eq(fault.path, "name");
    free(big);
}

Test(schema, bytes_after_the_end_are_refused)
{
    REFUSED(1, KW_ERR_TRAILING, "", 18, V1_HEAD, V1_REST, 0, 0x55);
}

Test(schema, a_fault_reads_as_one_line)
{
    static const uint8_t bytes[] = {V1_HEAD, 3, 0, 9, 1, 1, 0, 0, 9, 1, 2, 9, 'x'};
    struct kw_test_mixed m;
    struct kw_fault fault;
    char text[160], small[16];
    cr_assert_eq(kwi_decode(mixed, 1, bytes, sizeof bytes, &m, &fault), KW_ERR_SHORT);
    kwi_fault_format(&fault, text, sizeof text);
    cr_expect_str_eq(text,
                     "test_mixed v1: items[1].names[0] at byte 16: needs 8 bytes, 1 are left");
    cr_expect_eq(kwi_fault_format(&fault, small, sizeof small), strlen(text));
    cr_expect_str_eq(small, "test_mixed v1: ");
    cr_assert_eq(kwi_decode(mixed, 9, bytes, sizeof bytes, &m, &fault), KW_ERR_VERSION);
    kwi_fault_format(&fault, text, sizeof text);
    cr_expect_str_eq(text, "test_mixed v9: byte 0: no such version of this message is known");
}

Test(schema, a_nullable_struct_is_marked_by_a_byte)
{
    static const uint8_t absent[] = {2, 7, 'o', 'r', 'd', 'e', 'r', 's', 0, 0, 0, 7, 0xd0, 0xff, 0};
    static const uint8_t there[] = {2, 7,   'o', 'r', 'd', 'e', 'r', 's', 0, 0, 0, 7, 0xd0, 1,
                                    7, 'o', 'r', 'd', 'e', 'r', 's', 0,   0, 0, 7, 0, 0};
    static const uint8_t bad[] = {2, 7, 'o', 'r', 'd', 'e', 'r', 's', 0, 0, 0, 7, 0xd0, 2, 0};
    const struct kw_schema *s = &kwi_test_describe_schema;
    struct kw_test_describe m;
    struct kw_fault fault;
    void *block;
    size_t len;
    int err;
    cr_assert_eq(decode_exact(s, 0, absent, sizeof absent, &m, NULL, &block), 0);
    cr_expect(!m.cursor.present && m.response_partition_limit == 2000);
    uint8_t *out = message_encode(s, 0, &m, &len, &err);
    cr_assert(out && len == sizeof absent && memcmp(out, absent, len) == 0);
    free(out);
    free(block);
    cr_assert_eq(decode_exact(s, 0, there, sizeof there, &m, NULL, &block), 0);
    cr_expect(m.cursor.present && m.cursor.partition_index == 7 && m.cursor.topic_name.len == 6);
    out = message_encode(s, 0, &m, &len, &err);
    cr_assert(out && len == sizeof there && memcmp(out, there, len) == 0);
    free(out);
    char *json = message_json(s, 0, &m);
    cr_expect_str_eq(json, "{\"topics\":[{\"name\":\"orders\"}],\"responsePartitionLimit\":2000,"
                           "\"cursor\":{\"topicName\":\"orders\",\"partitionIndex\":7}}");
    free(json);
    free(block);
    cr_expect_eq(decode_exact(s, 0, bad, sizeof bad, &m, &fault, &block), KW_ERR_LENGTH);
    cr_expect_str_eq(fault.path, "cursor");
    cr_expect_eq(fault.offset, 13);
    free(block);
    kwi_init(s, &m);
    cr_expect(!m.cursor.present && kwi_field_is_default(&s->fields[2], &m.cursor));
    m.cursor.present = true;
    cr_expect(!kwi_field_is_default(&s->fields[2], &m.cursor));
}

Test(schema, a_set_field_that_the_version_lacks_fails_the_encode_unless_it_may_be_dropped)
{
    struct kw_test_mixed m;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    kwi_init(mixed, &m);
    m.hint = true;
    cr_expect_eq(kwi_encode(mixed, 0, &m, &w), 0);
    m.added = 1;
    cr_expect_eq(kwi_encode(mixed, 0, &m, &w), KW_ERR_VERSION);
    cr_expect_eq(kwi_encode(mixed, 1, &m, &w), KW_ERR_VERSION, "a failed writer stays failed");
    w = kwi_wr_make(NULL, 0);
    m.pair.right = 1;
    cr_expect_eq(kwi_encode(mixed, 1, &m, &w), 0);
    m.added = INT64_MAX;
    w = kwi_wr_make(NULL, 0);
    cr_expect_eq(kwi_encode(mixed, 0, &m, &w), KW_ERR_VERSION, "a tagged field counts too");
}

Test(schema, what_cannot_be_said_fails_the_encode)
{
    static char long_text[40000];
    struct kw_test_mixed m;
    struct kw_wr w;
    for (int version = 0; version < 2; version++) {
        kwi_init(mixed, &m);
        m.name = KWI_NULL_STR;
        w = kwi_wr_make(NULL, 0);
        cr_expect_eq(kwi_encode(mixed, version, &m, &w), KW_ERR_NULL);
        m.name = (struct kw_str){long_text, 32768};
        w = kwi_wr_make(NULL, 0);
        cr_expect_eq(kwi_encode(mixed, version, &m, &w), KW_ERR_LENGTH);
        m.name.len = 32767;
        w = kwi_wr_make(NULL, 0);
        cr_expect_eq(kwi_encode(mixed, version, &m, &w), 0);
        m.name.len = -2;
        w = kwi_wr_make(NULL, 0);
        cr_expect_eq(kwi_encode(mixed, version, &m, &w), KW_ERR_LENGTH);
        kwi_init(mixed, &m);
        m.items.n = 1; /* neither items nor a frame behind it */
        w = kwi_wr_make(NULL, 0);
        cr_expect_eq(kwi_encode(mixed, version, &m, &w), KW_ERR_LENGTH);
    }
}

Test(schema, record_data_is_copied_or_cut_out)
{
    static char abc[] = "abc", defg[] = "defg";
    static const struct kw_iov pieces[] = {{abc, 3}, {abc, 0}, {defg, 4}};
    static const uint8_t whole[] = {0,   0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 7, 'a',
                                    'b', 'c', 'd', 'e', 'f', 'g', 0, 0, 0, 0, 0, 3};
    struct kw_test_mixed m;
    struct kw_cut cuts[1];
    uint8_t out[64];
    kwi_init(mixed, &m);
    m.small = 3;
    m.records = (struct kw_record_set){.len = 7, .iov = pieces, .n_iov = 3};
    struct kw_wr w = kwi_wr_make(out, sizeof out);
    cr_assert_eq(kwi_encode(mixed, 0, &m, &w), 0);
    cr_expect(w.len == sizeof whole && memcmp(out, whole, w.len) == 0);

    w = (struct kw_wr){.buf = out, .cap = sizeof out, .cuts = cuts, .cuts_cap = 1};
    cr_assert_eq(kwi_encode(mixed, 0, &m, &w), 0);
    cr_expect(w.n_cuts == 1 && w.cut_len == 7 && w.len == sizeof whole - 7);
    cr_expect(cuts[0].at == 12 && cuts[0].records == &m.records);
    cr_expect_eq(memcmp(out, whole, 12), 0);
    cr_expect_eq(memcmp(out + 12, whole + 19, w.len - 12), 0);

    cr_expect_eq(kwi_encode(mixed, 0, &m, &w), KW_ERR_SPACE, "no room for a second cut");
    m.records.len = 8;
    w = kwi_wr_make(out, sizeof out);
    cr_expect_eq(kwi_encode(mixed, 0, &m, &w), KW_ERR_LENGTH, "the pieces must add up");
    m.records = (struct kw_record_set){.len = -1};
    w = (struct kw_wr){.buf = out, .cap = sizeof out, .cuts = cuts, .cuts_cap = 1};
    cr_expect(kwi_encode(mixed, 0, &m, &w) == 0 && w.n_cuts == 0, "null is no cut");
}

Test(schema, an_array_of_another_type_is_not_encoded)
{
    struct kw_test_mixed m, other;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    struct kw_test_item item;
    struct kw_iter it;
    cr_assert_eq(kwi_decode(mixed, 0, v0_bytes, sizeof v0_bytes, &m, NULL), 0);
    kwi_iter_init(&it, &m.items);
    cr_assert(kwi_iter_next(&it, &item));
    kwi_init(mixed, &other);
    other.items = item.ids;
    cr_expect_eq(kwi_encode(mixed, 0, &other, &w), KW_ERR_LENGTH);
}
