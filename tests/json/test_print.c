/* covers: B10
 * Messages as JSON. The form of whole messages is in test_vectors. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "proto/metadata.h"
#include "json/print.h"
#include "proto/produce.h"
#include "proto/quotas.h"
#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/uuid.inc"

Test(print, uuids_have_their_text_form)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_uuids); i++) {
        size_t len;
        uint8_t *b = vector_bytes(vector_uuids[i].hex, &len);
        struct kw_uuid id;
        char text[23];
        cr_assert_eq(len, sizeof id.b);
        memcpy(id.b, b, len);
        kwi_uuid_print(&id, text);
        cr_expect_str_eq(text, vector_uuids[i].text);
        free(b);
    }
}

Test(print, text_is_escaped)
{
    struct kw_metadata_request_topic topic;
    struct kw_metadata_request m;
    kwi_metadata_request_init(&m);
    kwi_metadata_request_topic_init(&topic);
    topic.name = kwi_str("a\"b\\c\n\x01\x1f\x7f \xc3\xaf");
    m.topics = KWI_ARR(&topic, 1);
    char *json = message_json(&kwi_metadata_request_schema, 1, &m);
    cr_expect_str_eq(json,
                     "{\"topics\":[{\"name\":\"a\\\"b\\\\c\\u000a\\u0001\\u001f\x7f \xc3\xaf\"}]}");
    free(json);
}

Test(print, record_pieces_become_one_base64_text)
{
    static char one[] = "f", two[] = "oo", three[] = "bar!";
    static const char *const want[] = {"", "Zg==", "Zm9v", "Zm9vYmFyIQ=="};
    static const int32_t lens[] = {0, 1, 3, 7};
    const struct kw_iov pieces[] = {{one, 1}, {two, 2}, {three, 4}};
    for (uint32_t n = 0; n <= 3; n++) {
        struct kw_produce_request_partition partition;
        char text[64];
        kwi_produce_request_partition_init(&partition);
        partition.records = (struct kw_record_set){.len = lens[n], .iov = pieces, .n_iov = n};
        char *json = message_json(&kwi_produce_request_partition_schema, 9, &partition);
        snprintf(text, sizeof text, "{\"index\":0,\"records\":\"%s\"}", want[n]);
        cr_expect_str_eq(json, text);
        free(json);
    }
}

/* The bits travel as they are, minus zero and what is no number too. */
Test(print, doubles_have_javas_text_and_come_back_bit_by_bit)
{
    static const struct {
        uint64_t bits;
        const char *json;
    } rows[] = {{0, "0.0"},
                {0x8000000000000000, "-0.0"},
                {0x4130000000000000, "1048576.0"},
                {0x3fe0000000000000, "0.5"},
                {0x7fefffffffffffff, "1.7976931348623157E308"},
                {0x7ff0000000000000, "\"Infinity\""},
                {0xfff0000000000000, "\"-Infinity\""},
                {0x7ff8000000000001, "\"NaN\""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct kw_schema *schema = &kwi_describe_client_quotas_response_value_schema;
        struct kw_describe_client_quotas_response_value v;
        uint8_t bytes[] = {2, 'k', 0, 0, 0, 0, 0, 0, 0, 0, 0};
        uint64_t bits;
        char text[64];
        size_t len;
        int err;
        kwi_put_u64(bytes + 2, rows[i].bits);
        cr_assert_eq(kwi_decode(schema, 0, bytes, sizeof bytes, &v, NULL), 0);
        memcpy(&bits, &v.value, sizeof bits);
        cr_expect_eq(bits, rows[i].bits);
        char *json = message_json(schema, 0, &v);
        snprintf(text, sizeof text, "{\"key\":\"k\",\"value\":%s}", rows[i].json);
        cr_expect_str_eq(json, text);
        free(json);
        uint8_t *again = message_encode(schema, 0, &v, &len, &err);
        cr_assert_eq(len, sizeof bytes);
        cr_expect_arr_eq(again, bytes, sizeof bytes);
        free(again);
    }
}

Test(print, a_text_that_does_not_fit_says_how_long_it_is)
{
    struct kw_metadata_request m;
    uint8_t *small = exact_block("", 0);
    struct kw_wr w = kwi_wr_make(small, 1);
    kwi_metadata_request_init(&m);
    m.topics.n = -1;
    cr_expect_eq(kwi_print_json(&kwi_metadata_request_schema, 1, &m, &w), KW_ERR_SPACE);
    cr_expect_eq(w.len, strlen("{\"topics\":null}"));
    w = kwi_wr_make(NULL, 0);
    cr_expect_eq(kwi_print_json(&kwi_metadata_request_schema, 14, &m, &w), KW_ERR_VERSION);
    free(small);
}
