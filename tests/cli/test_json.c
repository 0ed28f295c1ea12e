/* tests/cli/test_json.c -- records as lines of JSON, in both directions. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kwire/kwire.h>

#include "cli/json.h"
#include "tests/cli/support.h"

struct line {
    struct cli_json json;
    struct kw_record record;
    uint8_t *text;
    bool good;
};

static void line_read(struct line *line, const char *text, size_t len)
{
    *line = (struct line){.text = exact_copy(text, len)};
    line->good = cli_json_record(&line->json, line->text, len, &line->record);
}

#define LINE_READ(line, text) line_read(line, text, sizeof(text) - 1)

static void line_free(struct line *line)
{
    cli_json_deinit(&line->json);
    free(line->text);
}

static bool is(struct kw_bytes bytes, const char *text, size_t len)
{
    return bytes.ptr && bytes.len == len && memcmp(bytes.ptr, text, len) == 0;
}

Test(json, a_record_with_every_member_is_read)
{
    static const char text[] =
        " {\"key\" : \"k\", \"value\":\"v\\n\", \"headers\":{\"a\":\"1\",\"b\":null},"
        "\"partition\":3,\"timestamp\":1700000000000,\"offset\":7,\"topic\":\"t\","
        "\"timestamp_type\":\"create\"} ";
    struct line line;

    LINE_READ(&line, text);
    cr_assert(line.good, "%s at %zu", line.json.error, line.json.error_at);
    cr_assert(is(line.record.key, "k", 1));
    cr_assert(is(line.record.value, "v\n", 2));
    cr_assert_eq(line.record.n_headers, 2);
    cr_assert(is(line.record.headers[0].key, "a", 1));
    cr_assert(is(line.record.headers[0].value, "1", 1));
    cr_assert_null(line.record.headers[1].value.ptr);
    cr_assert_eq(line.record.flags, KW_REC_PARTITION | KW_REC_TIMESTAMP);
    cr_assert_eq(line.record.partition, 3);
    cr_assert_eq(line.record.timestamp_ms, INT64_C(1700000000000));
    line_free(&line);
}

Test(json, null_empty_and_absent_are_told_apart)
{
    struct line line;

    LINE_READ(&line, "{\"key\":\"\",\"value\":null}");
    cr_assert(line.good);
    cr_assert(line.record.key.ptr && line.record.key.len == 0);
    cr_assert_null(line.record.value.ptr);
    cr_assert_eq(line.record.flags, 0);
    line_free(&line);
    LINE_READ(&line, "{\"value\":\"\"}");
    cr_assert(line.good);
    cr_assert_null(line.record.key.ptr);
    cr_assert(line.record.value.ptr && line.record.value.len == 0);
    line_free(&line);
}

Test(json, escapes_and_surrogates_become_utf8)
{
    static const char text[] = "{\"value\":\"\\u00e9\\u20ac\\ud83d\\ude00\\u0000\\/\\\"\\t\"}";
    struct line line;

    LINE_READ(&line, text);
    cr_assert(line.good, "%s", line.json.error);
    cr_assert(is(line.record.value, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0/\"\t", 13));
    line_free(&line);
}

Test(json, base64_carries_bytes)
{
    struct line line;

    LINE_READ(&line, "{\"key_b64\":\"AAEC/w==\",\"value_b64\":\"\"}");
    cr_assert(line.good, "%s", line.json.error);
    cr_assert(is(line.record.key, "\0\1\2\xff", 4));
    cr_assert(line.record.value.ptr && line.record.value.len == 0);
    line_free(&line);
    LINE_READ(&line, "{\"value\":null,\"headers\":[[\"h\",\"AAE=\",\"b64\"],[\"h\",\"x\"]]}");
    cr_assert(line.good, "%s", line.json.error);
    cr_assert_eq(line.record.n_headers, 2);
    cr_assert(is(line.record.headers[0].value, "\0\1", 2));
    cr_assert(is(line.record.headers[1].value, "x", 1));
    line_free(&line);
}

Test(json, what_is_wrong_is_named_with_its_place)
{
    static const struct {
        const char *text, *error;
        size_t at;
    } cases[] = {
        {"", "an object is expected", 0},
        {"[]", "an object is expected", 0},
        {"{}", "no value", 2},
        {"{\"value\":\"a\"} x", "something follows", 14},
        {"{\"value\":\"a\",}", "a string is expected", 13},
        {"{\"value\":\"a\" \"key\":null}", "',' or '}'", 13},
        {"{\"value\" \"a\"}", "':' is expected", 9},
        {"{\"value\":\"a", "does not end", 11},
        {"{\"value\":\"a\\", "does not end", 12},
        {"{\"value\":1}", "a string or null", 9},
        {"{\"vlaue\":\"a\"}", "unknown member", 1},
        {"{\"value\":\"a\",\"value\":\"b\"}", "twice", 13},
        {"{\"value\":\"a\",\"value_b64\":\"YQ==\"}", "twice", 13},
        {"{\"value\":\"\\x\"}", "unknown escape", 11},
        {"{\"value\":\"\\u12g4\"}", "four hexadecimal", 14},
        {"{\"value\":\"\\u12\"}", "four hexadecimal", 14},
        {"{\"value\":\"\\ude00\"}", "low surrogate", 16},
        {"{\"value\":\"\\ud83d\"}", "high surrogate", 16},
        {"{\"value\":\"\\ud83d\\u0041\"}", "high surrogate", 22},
        {"{\"value\":\"\t\"}", "control character", 10},
        {"{\"value\":\"\xff\"}", "not UTF-8", 12},
        {"{\"value\":\"\xed\xa0\x80\"}", "not UTF-8", 14},
        {"{\"value\":\"\xc0\x80\"}", "not UTF-8", 13},
        {"{\"value_b64\":\"AAE\"}", "multiple of four", 18},
        {"{\"value_b64\":\"AA*=\"}", "base64 character", 19},
        {"{\"value_b64\":\"A===\"}", "base64 character", 19},
        {"{\"value_b64\":\"AA==AAAA\"}", "base64 character", 23},
        {"{\"value_b64\":\"AB==\"}", "not zero", 19},
        {"{\"value\":null,\"partition\":-1}", "out of range", 28},
        {"{\"value\":null,\"partition\":2147483648}", "out of range", 36},
        {"{\"value\":null,\"partition\":1.5}", "whole number", 27},
        {"{\"value\":null,\"partition\":1e2}", "whole number", 27},
        {"{\"value\":null,\"partition\":01}", "whole number", 28},
        {"{\"value\":null,\"timestamp\":18446744073709551616}", "out of range", 45},
        {"{\"value\":null,\"timestamp\":-2}", "out of range", 28},
        {"{\"value\":null,\"headers\":\"x\"}", "an object or an array", 24},
        {"{\"value\":null,\"headers\":[\"x\"]}", "a pair", 25},
        {"{\"value\":null,\"headers\":[[\"x\"]]}", "',' is expected", 29},
        {"{\"value\":null,\"headers\":[[\"x\",\"AA==\",\"hex\"]]}", "only \"b64\"", 42},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct line line;
        line_read(&line, cases[i].text, strlen(cases[i].text));
        cr_expect_not(line.good, "%s", cases[i].text);
        cr_expect(line.json.error && strstr(line.json.error, cases[i].error), "%s: %s",
                  cases[i].text, line.json.error ? line.json.error : "no error");
        cr_expect_eq(line.json.error_at, cases[i].at, "%s: at %zu", cases[i].text,
                     line.json.error_at);
        line_free(&line);
    }
}

Test(json, every_prefix_of_a_line_is_refused)
{
    static const char text[] = "{\"key\":\"\\ud83d\\ude00\",\"value_b64\":\"AAEC\",\"headers\":"
                               "[[\"a\",\"AAE=\",\"b64\"]],\"partition\":12,\"timestamp\":5}";
    struct line line;

    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        line_read(&line, text, len);
        cr_expect_not(line.good, "%zu bytes", len);
        line_free(&line);
    }
    LINE_READ(&line, text);
    cr_assert(line.good, "%s", line.json.error);
    line_free(&line);
}

Test(json, too_many_headers_are_refused)
{
    size_t len = 0, cap = 64 + (CLI_JSON_HEADERS_MAX + 1) * 10;
    char *text = malloc(cap);
    struct line line;

    len += (size_t)snprintf(text, cap, "{\"value\":null,\"headers\":{\"0\":null");
    for (int i = 0; i < CLI_JSON_HEADERS_MAX; i++)
        len += (size_t)snprintf(text + len, cap - len, ",\"h\":null");
    len += (size_t)snprintf(text + len, cap - len, "}}");
    line_read(&line, text, len);
    cr_assert_not(line.good);
    cr_assert(strstr(line.json.error, "1024"));
    line_free(&line);
    free(text);
}

Test(json, a_string_is_escaped_as_little_as_needed)
{
    struct cli_output *out = malloc(sizeof(*out));
    char *text;

    cli_output_init(out, -1);
    cli_json_string(out, (struct kw_bytes){"a\"\\\n\x01\x7f\xc3\xa9\xff", 9});
    text = output_text(out);
    cr_assert_str_eq(text, "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\\ufffd\"");
    free(text);
    free(out);
}

Test(json, bytes_that_are_no_text_are_written_as_base64_and_read_back)
{
    struct cli_output *out = malloc(sizeof(*out));
    uint8_t bytes[256];
    struct line line;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(255 - i);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        cli_output_init(out, -1);
        cli_output_text(out, "{");
        cli_json_member(out, "value", (struct kw_bytes){bytes, len});
        cli_output_text(out, "}");
        line_read(&line, (const char *)out->buf, out->len);
        cr_expect(line.good, "%zu: %s", len, line.json.error);
        cr_expect(is(line.record.value, (const char *)bytes, len), "%zu", len);
        line_free(&line);
    }
    free(out);
}
