/* JSON for rows that today's tables do not have, and texts that break where those
 * of Kafka do not. See test_corners.c. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "json/json.h"
#include "json/json_text.h"
#include "tests/proto/support.h"
#include <kwire/proto.h>

struct kw_jcorner_part {
    bool present;
    bool flag;
};
struct kw_jcorner {
    struct kw_jcorner_part part; /* may be null from version 1 on */
    uint16_t x_1;
    uint32_t wide;
    double real;
    struct kw_str odd; /* tag 0: null by default, which version 1 cannot say */
};
static const struct kw_field jcorner_part_rows[] = {
    KWI_VALUE(jcorner_part, flag, 0, KWI_LAST, 0, 0),
};
static KWI_PART_SCHEMA(jcorner_part, jcorner_part_rows);
static const struct kw_field jcorner_rows[] = {
    KWI_ONE(jcorner, part, jcorner_part, 0, KWI_LAST, 1, 0, 0),
    KWI_VALUE(jcorner, x_1, 0, KWI_LAST, 0, 0),
    KWI_VALUE(jcorner, wide, 0, KWI_LAST, 0, 0),
    KWI_VALUE(jcorner, real, 0, KWI_LAST, 0, 0),
    KWI_TAG(jcorner, odd, 0, 1, KWI_LAST, 2, KWI_NULL, 0),
};
static KWI_SCHEMA(jcorner, jcorner_rows, 0, 2, 1);

/* The length, or the error. */
static int encoded(int version, const char *json, uint8_t *out, struct kw_json_fault *fault)
{
    size_t len = strlen(json);
    char *text = exact_block(json, len);
    struct kw_wr w = kwi_wr_make(out, 64);
    int rc;
    *fault = (struct kw_json_fault){0};
    rc = kwi_json_encode(&kwi_jcorner_schema, version, text, len, &w, fault);
    free(text);
    return rc ? rc : (int)w.len;
}

#define JCORNER(part, number, wide, real) \
    "{\"part\":" part ",\"x1\":" number ",\"wide\":" wide ",\"real\":" real "}"

Test(json_corners, structs_that_may_be_null_and_unsigned_numbers)
{
    static const uint8_t there[] = {1,    1,    0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    0x3f, 0xf8, 0, 0,    0,    0,    0,    0,    0};
    struct kw_json_fault f;
    uint8_t out[64];
    cr_expect_eq(encoded(1, JCORNER("{\"flag\":true}", "65535", "4294967295", "1.5"), out, &f), 18,
                 "%s", f.reason);
    cr_expect_eq(memcmp(out, there, sizeof there), 0);
    cr_expect_eq(encoded(1, JCORNER("null", "0", "0", "\"NaN\""), out, &f), 1 + 2 + 4 + 8 + 1);
    cr_expect_eq(out[0], 0xff);
    cr_expect_eq(encoded(0, JCORNER("{\"flag\":false}", "0", "-0", "-1e+2"), out, &f), 15);
    cr_expect_eq(encoded(0, JCORNER("null", "0", "0", "0"), out, &f), KW_ERR_SYNTAX);
    cr_expect_eq(encoded(0, JCORNER("{\"flag\":1}", "0", "0", "0"), out, &f), KW_ERR_SYNTAX);
    cr_expect_str_eq(f.reason, "true or false is expected");
    cr_expect_str_eq(f.path, "part.flag");
    cr_expect_eq(encoded(0, JCORNER("{\"flag\":true}", "-1", "0", "0"), out, &f), KW_ERR_SYNTAX);
    cr_expect_str_eq(f.path, "x1");
    cr_expect_str_eq(f.reason, "the number is out of range");
    cr_expect_eq(encoded(0, JCORNER("{\"flag\":true}", "0", "4294967296", "0"), out, &f),
                 KW_ERR_SYNTAX);
    cr_expect_eq(encoded(0, JCORNER("{\"flag\":true}", "65536", "0", "0"), out, &f), KW_ERR_SYNTAX);
}

Test(json_corners, doubles_that_are_none)
{
    static const char *const bad[] = {
        JCORNER("null", "0", "0", "\"1.5\""), JCORNER("null", "0", "0", "\"\""),
        JCORNER("null", "0", "0", "\"Nan\""), JCORNER("null", "0", "0", "1e999999"),
        JCORNER("null", "0", "0", "\"x"),     JCORNER("null", "0", "0", "true"),
        JCORNER("null", "0", "0", "1e-"),     JCORNER("null", "0", "0", "[\"\\q\"]"),
        JCORNER("null", "0", "0", "\"\\q\"")};
    struct kw_json_fault f;
    uint8_t out[64];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_lt(encoded(1, bad[i], out, &f), 0, "%s", bad[i]);
    cr_expect_eq(encoded(1, JCORNER("null", "0", "0", "1e-3"), out, &f), 16);
}

Test(json_corners, a_default_that_the_version_cannot_say_is_written)
{
    static const char text[] = "{\"part\":null,\"x1\":0,\"wide\":0,\"real\":0,\"odd\":\"\"}";
    struct kw_json_fault f;
    uint8_t out[64];
    cr_expect_eq(encoded(1, text, out, &f), 16 + 3, "one tag, its size, an empty string");
    cr_expect_eq(encoded(2, text, out, &f), 16 + 3);
    cr_expect_eq(encoded(2, "{\"part\":null,\"x1\":0,\"wide\":0,\"real\":0,\"odd\":null}", out, &f),
                 16);
    cr_expect_eq(encoded(3, text, out, &f), KW_ERR_VERSION);
    cr_expect_eq(encoded(-1, text, out, &f), KW_ERR_VERSION);
}

/* ---- the text alone ------------------------------------------------------------------ */

static struct kw_jtext text_of(const char *text)
{
    return (struct kw_jtext){.p = (const uint8_t *)text,
                             .end = (const uint8_t *)text + strlen(text)};
}

Test(json_corners, numbers_at_the_end_of_the_text)
{
    static const char *const bad[] = {"", "-", "1e", "1E+", "1.", "-x"};
    struct kw_jtext t;
    const uint8_t *start;
    bool whole;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t = text_of(bad[i]);
        kwi_jtext_number(&t, &start, &whole);
        cr_expect_eq(t.err, KW_ERR_SYNTAX, "%s", bad[i]);
    }
    t = text_of("9223372036854775807");
    cr_expect(kwi_jtext_int(&t, INT64_MIN, INT64_MAX) == INT64_MAX && !t.err);
    t = text_of("-9223372036854775808");
    cr_expect(kwi_jtext_int(&t, INT64_MIN, INT64_MAX) == INT64_MIN && !t.err);
    t = text_of("7");
    cr_expect(kwi_jtext_int(&t, 0, 5) == 0 && t.err == KW_ERR_SYNTAX);
}

Test(json_corners, escapes_that_are_cut_or_no_pair)
{
    static const char *const bad[] = {"\"\\",
                                      "\"\\u12",
                                      "\"\\ud800\\n234567\"",
                                      "\"\\ud800\\x23456\"",
                                      "\"\\ud800x\"",
                                      "\"\\ud800\\u12345\"",
                                      "\"\\ud800\\uffff\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\udfff\"",
                                      "\"\\ud800\"",
                                      "\"\\ud800\\uzzzz\""};
    struct kw_jtext t;
    struct kw_jstring s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t = text_of(bad[i]);
        (void)kwi_jtext_string(&t);
        cr_expect_eq(t.err, KW_ERR_SYNTAX, "%s", bad[i]);
    }
    t = text_of("\"\\uffff\\ud7ff\"");
    s = kwi_jtext_string(&t);
    cr_expect(!t.err && s.left == 6);
    cr_expect(kwi_jstring_next(&s) == 0xef && kwi_jstring_next(&s) == 0xbf &&
              kwi_jstring_next(&s) == 0xbf && kwi_jstring_next(&s) == 0xed);
}

/* ---- faults --------------------------------------------------------------------------- */

#define LONG_40 "abcdefghijklmnopqrstuvwxyz0123456789abcd"

Test(json_corners, a_path_that_is_too_long_is_cut)
{
    for (int extra = 0; extra < 12; extra++) {
        char name[140], json[700];
        const struct kw_field inner_row = {.name = "inner",
                                           .kind = KWI_ARRAY,
                                           .tag = -1,
                                           .until = KWI_LAST,
                                           .null_since = KWI_NOT_NULL,
                                           .sub = &kwi_elem_i32};
        const struct kw_schema inner = {.name = "inner",
                                        .fields = &inner_row,
                                        .n_fields = 1,
                                        .size = sizeof(struct kw_arr),
                                        .until = KWI_LAST,
                                        .flex_since = KWI_NEVER};
        const struct kw_field row = {.name = name,
                                     .kind = KWI_ARRAY,
                                     .tag = -1,
                                     .until = KWI_LAST,
                                     .null_since = KWI_NOT_NULL,
                                     .sub = &inner};
        const struct kw_schema outer = {.name = "outer",
                                        .fields = &row,
                                        .n_fields = 1,
                                        .size = sizeof(struct kw_arr),
                                        .flex_since = KWI_NEVER};
        struct kw_wr w = kwi_wr_make(NULL, 0);
        struct kw_json_fault fault;
        memcpy(name, LONG_40 LONG_40 LONG_40 LONG_40, 120 + (size_t)extra);
        name[120 + extra] = '\0';
        int n = snprintf(json, sizeof json, "{\"%s\":[{\"inner\":[true]}]}", name);
        cr_expect_eq(kwi_json_encode(&outer, 0, json, (size_t)n, &w, &fault), KW_ERR_SYNTAX);
        cr_expect_leq(strlen(fault.path), sizeof fault.path - 1);
        cr_expect_eq(strncmp(fault.path, name, strlen(fault.path) < 120 ? strlen(fault.path) : 120),
                     0, "%s", fault.path);
    }
}

/* A kind that no table can have takes nothing from the text. */
Test(json_corners, a_kind_that_there_is_not)
{
    static const struct kw_field rows[] = {
        {.name = "none", .kind = 99, .tag = -1, .until = KWI_LAST}};
    static const struct kw_schema none = {
        .name = "none", .fields = rows, .n_fields = 1, .size = 64, .flex_since = KWI_NEVER};
    struct kw_wr w = kwi_wr_make(NULL, 0);
    struct kw_json_fault fault;
    cr_expect_eq(kwi_json_encode(&none, 0, "{\"none\":1}", 10, &w, &fault), 0);
    cr_expect_eq(w.len, 0);
}

Test(json_corners, a_uuid_is_a_string)
{
    static const char text[] = "{\"topics\":[{\"topicId\":5,\"name\":null}],"
                               "\"allowAutoTopicCreation\":true,"
                               "\"includeTopicAuthorizedOperations\":false}";
    struct kw_error err;
    char out[64];
    size_t len;
    cr_expect_eq(
        kw_proto_encode_json(3, 12, KW_PROTO_REQUEST, text, sizeof text - 1, out, 64, &len, &err),
        KW_ERR_SYNTAX);
    cr_expect(strstr(err.text, "topics[0].topicId") && strstr(err.text, "a string is expected"),
              "%s", err.text);
}

Test(json_corners, errors_may_go_unread)
{
    char out[8];
    size_t len;
    cr_expect_eq(kw_proto_encode_json(3, 9, KW_PROTO_REQUEST, "[]", 2, out, 8, &len, NULL),
                 KW_ERR_SYNTAX);
    cr_expect_eq(kw_proto_encode_json(3, 99, KW_PROTO_REQUEST, "[]", 2, out, 8, &len, NULL),
                 KW_ERR_VERSION);
}
