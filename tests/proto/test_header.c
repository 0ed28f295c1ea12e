/* covers: N07
 * Frame sizes, headers, the choice of versions. */
#include <criterion/criterion.h>

#include "proto/api.h"
#include "proto/header.h"
#include "tests/proto/support.h"

enum { MAX = 100 << 20 };

static enum kw_frame frame_of(const char *first4, int32_t max)
{
    int32_t size;
    return kwi_frame_size((const uint8_t *)first4, max, &size);
}

Test(frame, sizes_are_judged_before_anything_is_allocated)
{
    int32_t size = 0;
    cr_expect_eq(kwi_frame_size((const uint8_t *)"\0\0\0\7", MAX, &size), KWI_FRAME_OK);
    cr_expect_eq(size, 7);
    cr_expect_eq(frame_of("\0\0\0\0", MAX), KWI_FRAME_TOO_SMALL);
    cr_expect_eq(frame_of("\0\0\0\3", MAX), KWI_FRAME_TOO_SMALL);
    cr_expect_eq(frame_of("\0\0\0\4", MAX), KWI_FRAME_OK);
    cr_expect_eq(frame_of("\xff\xff\xff\xff", MAX), KWI_FRAME_NEGATIVE);
    cr_expect_eq(frame_of("\x80\0\0\0", MAX), KWI_FRAME_NEGATIVE);
    cr_expect_eq(frame_of("\x06\x40\0\0", MAX), KWI_FRAME_OK);
    cr_expect_eq(frame_of("\x06\x40\0\1", MAX), KWI_FRAME_TOO_LARGE);
    cr_expect_eq(frame_of("\x7f\xff\xff\xff", MAX), KWI_FRAME_TOO_LARGE);
}

Test(frame, other_protocols_are_recognised)
{
    cr_expect_eq(frame_of("HTTP", MAX), KWI_FRAME_HTTP);
    cr_expect_eq(frame_of("GET ", MAX), KWI_FRAME_HTTP);
    cr_expect_eq(frame_of("\x15\x03\x03\0", MAX), KWI_FRAME_TLS);
    cr_expect_eq(frame_of("\x15\x03\x01\0", MAX), KWI_FRAME_TLS);
    cr_expect_eq(frame_of("\x16\x03\x01\x02", MAX), KWI_FRAME_TLS);
    cr_expect_eq(frame_of("\x17\x03\x03\0", MAX), KWI_FRAME_TOO_LARGE);
    cr_expect_eq(frame_of("SSH-", MAX), KWI_FRAME_TOO_LARGE);
    cr_expect_eq(frame_of("\x15\x03\x03\0", INT32_MAX), KWI_FRAME_OK, "it may be a real size");
    for (int i = KWI_FRAME_OK; i <= KWI_FRAME_TLS; i++)
        cr_expect(strlen(kwi_frame_text((enum kw_frame)i)) > 10);
}

Test(header, every_prefix_of_a_header_is_short)
{
    static const uint8_t request[] = {0, 18, 0, 3, 0, 0, 0, 1, 0, 5, 'k', 'w', 'i', 'r', 'e', 0};
    static const uint8_t response[] = {0, 0, 0, 9, 1, 7, 2, 'x', 'y'};
    for (size_t n = 0; n < sizeof request; n++) {
        struct kw_request_header header;
        size_t header_len;
        uint8_t *part = exact_block(request, n);
        cr_expect_eq(kwi_request_header_get(part, n, &header, &header_len), KW_ERR_SHORT);
        free(part);
    }
    for (size_t n = 0; n <= sizeof response; n++) {
        int32_t correlation_id;
        size_t header_len = 0;
        uint8_t *part = exact_block(response, n);
        cr_expect_eq(
            kwi_response_header_get(part, n, KW_API_METADATA, 9, &correlation_id, &header_len),
            n < sizeof response ? KW_ERR_SHORT : 0);
        free(part);
    }
}

Test(header, an_answer_to_api_versions_never_has_tags)
{
    static const uint8_t bytes[] = {0, 0, 0, 9};
    for (int16_t version = 0; version <= 4; version++) {
        int32_t correlation_id = 0;
        size_t header_len = 0;
        cr_expect_eq(kwi_response_header_get(bytes, 4, KW_API_API_VERSIONS, version,
                                             &correlation_id, &header_len),
                     0);
        cr_expect(correlation_id == 9 && header_len == 4);
    }
}

Test(header, a_request_of_an_unknown_api_or_version_can_still_be_answered)
{
    static const uint8_t unknown[] = {0, 99, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0};
    static const uint8_t newer[] = {0, 18, 0, 9, 0, 0, 0, 7, 0xff, 0xff, 1, 0, 2, 5, 6, 1, 1};
    struct kw_request_header header;
    size_t header_len = 0;
    cr_expect_eq(kwi_request_header_get(unknown, sizeof unknown, &header, &header_len),
                 KW_ERR_UNSUPPORTED);
    cr_expect(header.api_key == 99 && header.correlation_id == 1);
    cr_expect_eq(kwi_request_header_get(newer, sizeof newer, &header, &header_len), 0);
    cr_expect(header.api_version == 9 && header.correlation_id == 7 && header_len == 15);
    cr_expect(header.client_id.len == -1 && !header.client_id.ptr);
    struct kw_wr w = kwi_wr_make(NULL, 0);
    cr_expect_eq(kwi_request_header_put(&w, 99, 0, 1, KWI_NULL_STR), KW_ERR_UNSUPPORTED);
    cr_expect_eq(kwi_response_header_put(&w, 99, 0, 1), KW_ERR_UNSUPPORTED);
}

Test(header, a_bad_client_id_is_refused)
{
    static const uint8_t below[] = {0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xfe};
    static char text[40000];
    struct kw_request_header header;
    size_t header_len;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    cr_expect_eq(kwi_request_header_get(below, sizeof below, &header, &header_len), KW_ERR_LENGTH);
    memset(text, 'x', sizeof text - 1);
    cr_expect_eq(kwi_request_header_put(&w, KW_API_METADATA, 1, 1, kwi_str(text)), KW_ERR_LENGTH);
}

Test(api, the_table_is_sorted_and_complete)
{
    size_t n;
    const struct kw_api_info *api = kwi_api_list(&n);
    for (size_t i = 0; i < n; i++) {
        cr_expect(i == 0 || api[i - 1].key < api[i].key);
        cr_expect_eq(kwi_api_info(api[i].key), &api[i]);
        cr_expect_str_eq(kwi_api_name(api[i].key), api[i].name);
        cr_expect((api[i].client_min < 0 && api[i].client_max < 0) ||
                      (api[i].min <= api[i].client_min && api[i].client_min <= api[i].client_max &&
                       api[i].client_max <= api[i].max),
                  "%s", api[i].name);
    }
    cr_expect_null(kwi_api_info(-1));
    cr_expect_null(kwi_api_info(32767));
    cr_expect_str_eq(kwi_api_name(4), "unknown API");
}

/* Not: topics by id alone, what needs a right over the whole cluster, an early access. */
Test(api, the_table_names_what_the_client_sends)
{
    static const struct {
        int16_t key;
        int8_t min, max;
    } rows[] = {{KW_API_OFFSET_COMMIT, 2, 9},           {KW_API_OFFSET_FETCH, 1, 9},
                {KW_API_OFFSET_FOR_LEADER_EPOCH, 3, 4}, {KW_API_CONSUMER_GROUP_HEARTBEAT, 1, 1},
                {KW_API_ALTER_CONFIGS, -1, -1},         {KW_API_SHARE_FETCH, -1, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct kw_api_info *api = kwi_api_info(rows[i].key);
        cr_expect_eq(api->client_min, rows[i].min, "%s", api->name);
        cr_expect_eq(api->client_max, rows[i].max, "%s", api->name);
    }
    cr_expect_eq(kwi_api_choose(kwi_api_info(KW_API_SHARE_FETCH), 0, 99), KW_ERR_UNSUPPORTED);
    cr_expect_eq(kwi_api_choose(kwi_api_info(KW_API_CONSUMER_GROUP_HEARTBEAT), 0, 0),
                 KW_ERR_UNSUPPORTED);
}

Test(api, the_highest_common_version_is_chosen)
{
    const struct kw_api_info *produce = kwi_api_info(KW_API_PRODUCE);
    cr_expect_eq(kwi_api_choose(produce, 0, 7), 7);
    cr_expect_eq(kwi_api_choose(produce, 0, 13), produce->client_max);
    cr_expect_eq(kwi_api_choose(produce, 3, 3), 3);
    cr_expect_eq(kwi_api_choose(produce, 0, 2), KW_ERR_UNSUPPORTED);
    cr_expect_eq(kwi_api_choose(produce, 40, 50), KW_ERR_UNSUPPORTED);
    cr_expect_eq(kwi_api_choose(produce, 9, 5), KW_ERR_UNSUPPORTED, "min above max");
    cr_expect_eq(kwi_api_choose(produce, -32768, 32767), produce->client_max);
}
