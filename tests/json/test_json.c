/* covers: B04 B14
 * Messages from JSON: against Kafka's own text and bytes, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>

#include <kwire/proto.h>

#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/messages.inc"

enum { METADATA = 3, LIST_OFFSETS = 2, FETCH = 1, PRODUCE = 0, API_VERSIONS = 18 };

static enum kw_proto_kind kind_of(const struct vector_message *v)
{
    return v->is_request ? KW_PROTO_REQUEST : KW_PROTO_RESPONSE;
}

/* Encodes a text that lies in a block of its size into one of the size given. */
static int encode_exactly(const struct vector_message *v, const char *json, size_t json_len,
                          uint8_t *out, size_t cap, size_t *len, struct kw_error *err)
{
    char *text = exact_block(json, json_len);
    int rc = kw_proto_encode_json(v->api_key, v->version, kind_of(v), text, json_len, out, cap, len,
                                  err);
    free(text);
    return rc;
}

static char *decode_again(const struct vector_message *v, const uint8_t *body, size_t len)
{
    size_t text_len = strlen(v->json);
    char *text = exact_block(v->json, text_len + 1);
    cr_assert_eq(kw_proto_decode_json(v->api_key, v->version, kind_of(v), body, len, text, text_len,
                                      &text_len, NULL),
                 0, "%s", v->name);
    text[text_len] = '\0';
    return text;
}

Test(json, every_message_becomes_kafkas_bytes_in_a_block_of_just_their_size)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_messages); i++) {
        const struct vector_message *v = &vector_messages[i];
        struct kw_error err = {0};
        size_t want_len, len, json_len = strlen(v->json);
        uint8_t *want = vector_bytes(v->hex, &want_len);
        int rc = encode_exactly(v, v->json, json_len, NULL, 0, &len, &err);
        cr_assert_eq(rc, 0, "%s: %d %s", v->name, rc, err.text);
        uint8_t *out = exact_block(v->json, len);
        cr_assert_eq(encode_exactly(v, v->json, json_len, out, len, &len, NULL), 0, "%s", v->name);
        if (v->has_unknown_tags) {
            char *again = decode_again(v, out, len);
            cr_assert_str_eq(again, v->json, "%s", v->name);
            free(again);
        } else {
            cr_assert_eq(len, want_len, "%s: %zu bytes, not %zu", v->name, len, want_len);
            cr_assert_arr_eq(out, want, len, "%s", v->name);
        }
        if (len > 0) {
            uint8_t *small = exact_block(out, len - 1);
            size_t needed;
            cr_assert_eq(encode_exactly(v, v->json, json_len, small, len - 1, &needed, NULL),
                         KW_ERR_SPACE, "%s", v->name);
            cr_assert_eq(needed, len, "%s", v->name);
            free(small);
        }
        free(out);
        free(want);
    }
}

Test(json, every_prefix_is_refused_with_a_place)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_messages); i++) {
        const struct vector_message *v = &vector_messages[i];
        size_t json_len = strlen(v->json);
        size_t step = json_len > 2000 ? 37 : 1;
        for (size_t n = 0; n < json_len; n += step) {
            struct kw_error err = {0};
            size_t len;
            int rc = encode_exactly(v, v->json, n, NULL, 0, &len, &err);
            cr_assert_eq(rc, KW_ERR_SYNTAX, "%s cut at %zu: %d", v->name, n, rc);
            cr_assert(err.code == rc && strstr(err.text, "byte "), "%s: %s", v->name, err.text);
        }
    }
}

/* A changed text is refused, or is another message that decodes and is the same
 * from then on. */
Test(json, every_changed_byte_is_survived, .timeout = 600)
{
    static const char others[] = {'"', '\\', '{', ']', ',', '0', '-', 'u', ' ', '\0', (char)0xff};
    for (size_t i = 0; i < VECTOR_COUNT(vector_messages); i += getenv("KW_TEST_QUICK") ? 23 : 1) {
        const struct vector_message *v = &vector_messages[i];
        size_t json_len = strlen(v->json), len, again_len;
        char *json = exact_block(v->json, json_len);
        uint8_t out[4096];
        char text[16384];
        for (size_t at = 0; json_len < 700 && at < json_len; at++) {
            json[at] = others[(at + i) % sizeof others];
            int rc = kw_proto_encode_json(v->api_key, v->version, kind_of(v), json, json_len, out,
                                          sizeof out, &len, NULL);
            json[at] = v->json[at];
            if (rc)
                continue;
            uint8_t *body = exact_block(out, len);
            cr_assert_eq(kw_proto_decode_json(v->api_key, v->version, kind_of(v), body, len, text,
                                              sizeof text, &again_len, NULL),
                         0, "%s at %zu", v->name, at);
            size_t first = len;
            cr_assert_eq(kw_proto_encode_json(v->api_key, v->version, kind_of(v), text, again_len,
                                              out, sizeof out, &len, NULL),
                         0, "%s at %zu", v->name, at);
            cr_assert(len == first && memcmp(out, body, len) == 0, "%s at %zu", v->name, at);
            free(body);
        }
        free(json);
    }
}

/* One message of each sort of value, and the part of the text that may differ. */
struct text_case {
    int api_key, version;
    bool is_request;
    const char *json, *hex;
};

static int encode_case(const struct text_case *c, uint8_t *out, size_t cap, size_t *len,
                       struct kw_error *err)
{
    size_t json_len = strlen(c->json);
    char *text = exact_block(c->json, json_len);
    int rc = kw_proto_encode_json((int16_t)c->api_key, c->version,
                                  c->is_request ? KW_PROTO_REQUEST : KW_PROTO_RESPONSE, text,
                                  json_len, out, cap, len, err);
    free(text);
    return rc;
}

Test(json, one_message_may_be_written_in_many_ways)
{
    static const struct text_case cases[] = {
        {METADATA, 4, true, "{\"topics\":[{\"name\":\"name\"}],\"allowAutoTopicCreation\":true}",
         "0000000100046e616d6501"},
        {METADATA, 4, true,
         " {\n\t\"allowAutoTopicCreation\" : true ,\r\n \"topics\" : [ { \"name\" : \"name\" } ] "
         "} ",
         "0000000100046e616d6501"},
        {METADATA, 4, true, "{\"topics\":null,\"allowAutoTopicCreation\":false}", "ffffffff00"},
        {METADATA, 4, true, "{\"topics\":[ ],\"allowAutoTopicCreation\":false}", "0000000000"},
        {METADATA, 0, true, "{\"topics\":[{\"name\":\"\\u006e\\/\\b\\f\\n\\r\\t\\\\\\\"\"}]}",
         "0000000100096e2f080c0a0d095c22"},
        {METADATA, 0, true, "{\"topics\":[{\"n\\u0061me\":\"\\u00e9\\u20ac\\uD83d\\uDe00\"}]}",
         "000000010009c3a9e282acf09f9880"},
        {METADATA, 0, true, "{\"topics\":[{\"name\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}]}",
         "000000010009c3a9e282acf09f9880"},
        {METADATA, 0, true, "{\"topics\":[{\"name\":\"\\u0000\"}]}", "00000001000100"},
        {METADATA, 0, true, "{\"topics\":[{\"name\":\"\"}]}", "000000010000"},
        {LIST_OFFSETS, 1, true,
         "{\"replicaId\":-2147483648,\"topics\":[{\"name\":\"\",\"partitions\":[{"
         "\"partitionIndex\":"
         "2147483647,\"timestamp\":-9223372036854775808}]}]}",
         "800000000000000100000000000 17fffffff8000000000000000"},
        {LIST_OFFSETS, 1, true,
         "{\"replicaId\":-0,\"topics\":[{\"name\":\"\",\"partitions\":[{\"partitionIndex\":0,"
         "\"timestamp\":9223372036854775807}]}]}",
         "00000000000000010000 00000001000000007fffffffffffffff"},
        /* A tagged field that says its default is left out, as Java does. */
        {API_VERSIONS, 3, false,
         "{\"errorCode\":0,\"apiKeys\":[],\"throttleTimeMs\":0,\"supportedFeatures\":[],"
         "\"finalizedFeaturesEpoch\":-1,\"zkMigrationReady\":false}",
         "0000010000000000"},
        {API_VERSIONS, 3, false,
         "{\"zkMigrationReady\":true,\"errorCode\":0,\"apiKeys\":[],\"throttleTimeMs\":0,"
         "\"finalizedFeaturesEpoch\":0}",
         "00000100000000020108000000000000000003 0101"},
    };
    for (size_t i = 0; i < VECTOR_COUNT(cases); i++) {
        struct kw_error err = {0};
        uint8_t out[128];
        char digits[256];
        size_t len = 0, want_len, n = 0;
        for (const char *p = cases[i].hex; *p; p++)
            if (*p != ' ')
                digits[n++] = *p;
        digits[n] = '\0';
        uint8_t *want = vector_bytes(digits, &want_len);
        int rc = encode_case(&cases[i], out, sizeof out, &len, &err);
        cr_assert_eq(rc, 0, "%s: %d %s", cases[i].json, rc, err.text);
        cr_assert(len == want_len && memcmp(out, want, len) == 0, "%s: %zu bytes", cases[i].json,
                  len);
        free(want);
    }
}

struct refused_case {
    const char *topics; /* the value of "topics" of a Metadata request v9 */
    int err;
    const char *text; /* part of what must be said */
};

Test(json, what_is_wrong_is_named_with_field_and_byte)
{
    static const struct refused_case cases[] = {
        {"[{\"name\":1}]", KW_ERR_SYNTAX,
         "metadata_request v9: topics[0].name at byte 19: a string is expected"},
        {"[{\"name\":\"a\"},{\"name\":null}]", KW_ERR_NULL,
         "topics[1].name at byte 32: it is null"},
        {"[{\"name\":\"a\"},{}]", KW_ERR_SYNTAX, "topics[1].name at byte 24: the field is missing"},
        {"[{\"name\":\"a\",\"name\":\"b\"}]", KW_ERR_SYNTAX,
         "topics[0].name at byte 29: the field stands twice"},
        {"[{\"nome\":\"a\"}]", KW_ERR_SYNTAX,
         "topics[0] at byte 12: the message has no such field"},
        {"[{\"topicId\":\"a\"}]", KW_ERR_VERSION,
         "topics[0].topicId at byte 12: this version has no such field"},
        {"[{\"name\":\"\\ud800\"}]", KW_ERR_SYNTAX, "no such character"},
        {"[{\"name\":\"\\udc00\\ud800\"}]", KW_ERR_SYNTAX, "no such character"},
        {"[{\"name\":\"\\ud800\\u0041\"}]", KW_ERR_SYNTAX, "no such character"},
        {"[{\"name\":\"\\ud800x\\udc00\"}]", KW_ERR_SYNTAX, "no such character"},
        {"[{\"name\":\"\\u00g0\"}]", KW_ERR_SYNTAX, "no such character"},
        {"[{\"name\":\"\\x\"}]", KW_ERR_SYNTAX, "no such character"},
        {"[{\"name\":\"a\nb\"}]", KW_ERR_SYNTAX, "no such character"},
        {"{}", KW_ERR_SYNTAX, "topics at byte 10: an array is expected"},
        {"[[]]", KW_ERR_SYNTAX, "topics[0] at byte 11: an object is expected"},
        {"[{\"name\":\"a\"} {\"name\":\"b\"}]", KW_ERR_SYNTAX, "',' or ']' is expected"},
        {"[{\"name\":\"a\"},]", KW_ERR_SYNTAX, "an object is expected"},
        {"[{\"name\":\"a\",}]", KW_ERR_SYNTAX, "a string is expected"},
        {"[{\"name\" \"a\"}]", KW_ERR_SYNTAX, "':' is expected"},
        {"[{\"name\":\"a\"]", KW_ERR_SYNTAX, "the text ends too early"},
        {"nul", KW_ERR_SYNTAX, "a value is expected"},
        {"nulls", KW_ERR_SYNTAX, "a value is expected"},
        {"true", KW_ERR_SYNTAX, "an array is expected"},
    };
    for (size_t i = 0; i < VECTOR_COUNT(cases); i++) {
        char json[256];
        struct kw_error err = {0};
        size_t len;
        snprintf(json, sizeof json,
                 "{\"topics\":%s,\"allowAutoTopicCreation\":true,"
                 "\"includeClusterAuthorizedOperations\":false,"
                 "\"includeTopicAuthorizedOperations\":false}",
                 cases[i].topics);
        struct text_case c = {METADATA, 9, true, json, NULL};
        int rc = encode_case(&c, NULL, 0, &len, &err);
        cr_assert_eq(rc, cases[i].err, "%s: %d %s", json, rc, err.text);
        cr_assert(strstr(err.text, cases[i].text), "%s: %s", json, err.text);
    }
}

Test(json, numbers_are_whole_and_within_their_type)
{
    static const struct {
        const char *index, *text;
    } cases[] = {
        {"2147483648", "out of range"},   {"-2147483649", "out of range"},
        {"1.0", "a whole number"},        {"1e3", "a whole number"},
        {"1.", "digits must follow"},     {"1e", "an exponent needs"},
        {"01", "a number is expected"},   {"-", "a number is expected"},
        {"+1", "a value is expected"},    {"\"1\"", "a number is expected"},
        {"null", "a number is expected"}, {"99999999999999999999", "out of range"},
        {"true", "a number is expected"}, {"-9223372036854775809", "out of range"},
    };
    for (size_t i = 0; i < VECTOR_COUNT(cases); i++) {
        char json[256];
        struct kw_error err = {0};
        size_t len;
        snprintf(
            json, sizeof json,
            "{\"replicaId\":0,\"topics\":[{\"name\":\"\",\"partitions\":[{\"partitionIndex\":%s,"
            "\"timestamp\":0}]}]}",
            cases[i].index);
        struct text_case c = {LIST_OFFSETS, 1, true, json, NULL};
        int rc = encode_case(&c, NULL, 0, &len, &err);
        cr_assert_eq(rc, KW_ERR_SYNTAX, "%s: %d %s", json, rc, err.text);
        cr_assert(strstr(err.text, cases[i].text), "%s: %s", json, err.text);
    }
}

Test(json, base64_and_uuids_have_one_form)
{
    static const struct {
        const char *records;
        int err;
        const char *hex;
    } cases[] = {
        {"\"\"", 0, "01"},
        {"\"AA==\"", 0, "0200"},
        {"\"AAE=\"", 0, "030001"},
        {"\"AAEC\"", 0, "04000102"},
        {"\"+\\/8=\"", 0, "03fbff"},
        {"null", 0, "00"},
        {"\"AA=\"", KW_ERR_SYNTAX, NULL},
        {"\"AA\"", KW_ERR_SYNTAX, NULL},
        {"\"A===\"", KW_ERR_SYNTAX, NULL},
        {"\"AB==\"", KW_ERR_SYNTAX, NULL},
        {"\"AAF=\"", KW_ERR_SYNTAX, NULL},
        {"\"AA=A\"", KW_ERR_SYNTAX, NULL},
        {"\"AAAA!\"", KW_ERR_SYNTAX, NULL},
        {"\"AA==AAAA\"", KW_ERR_SYNTAX, NULL},
        {"\"-_8=\"", KW_ERR_SYNTAX, NULL},
        {"\"====\"", KW_ERR_SYNTAX, NULL},
        {"[]", KW_ERR_SYNTAX, NULL},
        {"1", KW_ERR_SYNTAX, NULL},
    };
    static const char *const bad_ids[] = {"AAAAAAAAAAAAAAAAAAAAA",
                                          "AAAAAAAAAAAAAAAAAAAAAAA",
                                          "AAAAAAAAAAAAAAAAAAAAAB",
                                          "AAAAAAAAAAAAAAAAAAAAA+",
                                          "",
                                          "AAAAAAAAAAAAAAAAAAAA=="};
    uint8_t out[128];
    char json[512];
    size_t len;
    for (size_t i = 0; i < VECTOR_COUNT(cases); i++) {
        snprintf(json, sizeof json,
                 "{\"transactionalId\":null,\"acks\":1,\"timeoutMs\":0,\"topicData\":[{\"topicId\":"
                 "\"AQIDBAUGBwgJCgsMDQ4PEA\",\"partitionData\":[{\"index\":0,\"records\":%s}]}]}",
                 cases[i].records);
        struct text_case c = {PRODUCE, 13, true, json, NULL};
        cr_assert_eq(encode_case(&c, out, sizeof out, &len, NULL), cases[i].err, "%s", json);
        if (cases[i].err)
            continue;
        size_t want_len;
        uint8_t *want = vector_bytes(cases[i].hex, &want_len);
        /* null, acks, timeout, 1 topic, its id, 1 partition, its index; two tag sections */
        cr_assert_eq(len, 1 + 2 + 4 + 1 + 16 + 1 + 4 + want_len + 3, "%s: %zu", json, len);
        cr_assert_arr_eq(out + 29, want, want_len, "%s", json);
        cr_assert(out[8] == 1 && out[23] == 16, "%s", json);
        free(want);
    }
    for (size_t i = 0; i < VECTOR_COUNT(bad_ids); i++) {
        snprintf(json, sizeof json,
                 "{\"transactionalId\":null,\"acks\":1,\"timeoutMs\":0,\"topicData\":[{\"topicId\":"
                 "\"%s\",\"partitionData\":[]}]}",
                 bad_ids[i]);
        struct text_case c = {PRODUCE, 13, true, json, NULL};
        cr_assert_eq(encode_case(&c, out, sizeof out, &len, NULL), KW_ERR_SYNTAX, "%s", json);
    }
}

Test(json, a_string_is_at_most_32767_bytes_long)
{
    static const char head[] = "{\"topics\":[{\"name\":\"", tail[] = "\"}]}";
    char *json = malloc(40000);
    size_t len;
    for (size_t n = 32766; n <= 32769; n++) {
        memcpy(json, head, sizeof head - 1);
        memset(json + sizeof head - 1, 'x', n);
        memcpy(json + sizeof head - 1 + n, tail, sizeof tail);
        struct text_case c = {METADATA, 0, true, json, NULL};
        cr_assert_eq(encode_case(&c, NULL, 0, &len, NULL), n > 32767 ? KW_ERR_LENGTH : 0, "%zu", n);
    }
    free(json);
}

Test(json, texts_that_are_no_object_or_go_on_are_refused)
{
    static const struct {
        const char *json;
        int err;
    } cases[] = {
        {"", KW_ERR_SYNTAX},          {" ", KW_ERR_SYNTAX},     {"[]", KW_ERR_SYNTAX},
        {"null", KW_ERR_SYNTAX},      {"{", KW_ERR_SYNTAX},     {"{\"", KW_ERR_SYNTAX},
        {"{} {}", KW_ERR_TRAILING},   {"{}x", KW_ERR_TRAILING}, {"{}", 0},
        {"{\"a\":1}", KW_ERR_SYNTAX}, {" { } \n", 0},
    };
    for (size_t i = 0; i < VECTOR_COUNT(cases); i++) {
        struct text_case c = {API_VERSIONS, 0, true, cases[i].json, NULL};
        size_t len = 99;
        cr_assert_eq(encode_case(&c, NULL, 0, &len, NULL), cases[i].err, "%s", cases[i].json);
        cr_assert_eq(len, 0, "%s", cases[i].json);
    }
    struct text_case unknown = {999, 0, true, "{}", NULL},
                     newer = {API_VERSIONS, 99, true, "{}", 0};
    size_t len;
    cr_assert_eq(encode_case(&unknown, NULL, 0, &len, NULL), KW_ERR_VERSION);
    cr_assert_eq(encode_case(&newer, NULL, 0, &len, NULL), KW_ERR_VERSION);
}
