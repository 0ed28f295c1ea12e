/* covers: B10
 * Messages as JSON. The form of whole messages is in test_vectors. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "proto/metadata.h"
#include "proto/print.h"
#include "proto/produce.h"
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
