/* covers: B04 B14 N10
 * Every message against bytes that Kafka's own classes made. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/api.h"
#include "proto/header.h"
#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/messages.inc"

#define EACH_VECTOR(v)                                     \
    for (const struct vector_message *v = vector_messages; \
         v < vector_messages + VECTOR_COUNT(vector_messages); v++)

static const struct kw_schema *schema_of(const struct vector_message *v)
{
    const struct kw_api_info *api = kwi_api_info(v->api_key);
    cr_assert_not_null(api, "%s", v->name);
    return v->is_request ? api->request : api->response;
}

static void must_decode(const struct vector_message *v, const uint8_t *body, size_t len,
                        union message *msg)
{
    struct kw_fault fault;
    char text[256];
    int err = kwi_decode(schema_of(v), v->version, body, len, msg, &fault);
    if (err)
        kwi_fault_format(&fault, text, sizeof text);
    cr_assert_eq(err, 0, "%s: %s", v->name, err ? text : "");
}

Test(vectors, every_message_decodes_to_its_fields)
{
    EACH_VECTOR(v)
    {
        size_t len;
        uint8_t *body = vector_bytes(v->hex, &len);
        union message msg;
        must_decode(v, body, len, &msg);
        cr_assert(message_walks(schema_of(v), &msg), "%s", v->name);
        char *json = message_json(schema_of(v), v->version, &msg);
        cr_assert_str_eq(json, v->json, "%s", v->name);
        free(json);
        free(body);
    }
}

static void must_encode_to(const struct vector_message *v, const union message *msg,
                           const uint8_t *body, size_t len)
{
    size_t out_len;
    int err;
    uint8_t *out = message_encode(schema_of(v), v->version, msg, &out_len, &err);
    cr_assert_not_null(out, "%s: %d", v->name, err);
    if (v->has_unknown_tags) {
        union message again;
        must_decode(v, out, out_len, &again);
        char *json = message_json(schema_of(v), v->version, &again);
        cr_assert_str_eq(json, v->json, "%s", v->name);
        free(json);
    } else {
        cr_assert_eq(out_len, len, "%s: %zu bytes, not %zu", v->name, out_len, len);
        cr_assert_arr_eq(out, body, len, "%s", v->name);
    }
    free(out);
}

Test(vectors, every_message_encodes_to_its_bytes)
{
    EACH_VECTOR(v)
    {
        size_t len;
        uint8_t *body = vector_bytes(v->hex, &len);
        union message msg;
        must_decode(v, body, len, &msg);
        must_encode_to(v, &msg, body, len);
        message_thaw(schema_of(v), &msg);
        must_encode_to(v, &msg, body, len);
        char *json = message_json(schema_of(v), v->version, &msg);
        cr_assert_str_eq(json, v->json, "%s", v->name);
        free(json);
        message_free(schema_of(v), &msg);
        free(body);
    }
}

Test(vectors, a_message_in_which_nothing_is_set_holds_kafkas_defaults)
{
    int n = 0;
    EACH_VECTOR(v)
    {
        if (!v->is_init)
            continue;
        size_t len;
        uint8_t *body = vector_bytes(v->hex, &len);
        union message msg;
        message_build_init(schema_of(v), v->version, &msg);
        must_encode_to(v, &msg, body, len);
        char *json = message_json(schema_of(v), v->version, &msg);
        cr_assert_str_eq(json, v->json, "%s", v->name);
        free(json);
        message_free(schema_of(v), &msg);
        free(body);
        n++;
    }
    cr_assert_gt(n, 100);
}

Test(vectors, a_buffer_one_byte_too_small_is_refused_and_never_overrun)
{
    EACH_VECTOR(v)
    {
        size_t len, out_len;
        int err;
        uint8_t *body = vector_bytes(v->hex, &len);
        union message msg;
        must_decode(v, body, len, &msg);
        uint8_t *whole = message_encode(schema_of(v), v->version, &msg, &out_len, &err);
        if (out_len > 0) {
            uint8_t *small = exact_block(whole, out_len - 1);
            struct kw_wr w = kwi_wr_make(small, out_len - 1);
            cr_assert_eq(kwi_encode(schema_of(v), v->version, &msg, &w), KW_ERR_SPACE, "%s",
                         v->name);
            cr_assert_eq(w.len, out_len, "%s", v->name);
            free(small);
        }
        free(whole);
        free(body);
    }
}

Test(vectors, every_header_is_written_and_read_back)
{
    EACH_VECTOR(v)
    {
        size_t len, header_len = 0;
        uint8_t *want = vector_bytes(v->header_hex, &len);
        uint8_t out[256];
        struct kw_wr w = kwi_wr_make(out, sizeof out);
        size_t at = kwi_frame_begin(&w);
        int err;
        if (v->is_request)
            err = kwi_request_header_put(&w, v->api_key, v->version, v->correlation_id,
                                         kwi_str(v->client_id));
        else
            err = kwi_response_header_put(&w, v->api_key, v->version, v->correlation_id);
        cr_assert_eq(err, 0, "%s", v->name);
        cr_assert_eq(w.len, len + 4, "%s", v->name);
        cr_assert_arr_eq(out + 4, want, len, "%s", v->name);
        w.cut_len = strlen(v->hex) / 2; /* as if the body followed elsewhere */
        kwi_frame_end(&w, at);
        cr_assert_eq(kwi_get_u32(out), (uint32_t)v->frame_size, "%s", v->name);
        if (v->is_request) {
            struct kw_request_header header;
            err = kwi_request_header_get(want, len, &header, &header_len);
            cr_assert(err == 0 && header.api_key == v->api_key &&
                          header.api_version == v->version &&
                          header.correlation_id == v->correlation_id,
                      "%s", v->name);
            cr_assert_eq(header.client_id.len, kwi_str(v->client_id).len, "%s", v->name);
        } else {
            int32_t correlation_id = 0;
            err = kwi_response_header_get(want, len, v->api_key, v->version, &correlation_id,
                                          &header_len);
            cr_assert(err == 0 && correlation_id == v->correlation_id, "%s", v->name);
        }
        cr_assert_eq(header_len, len, "%s", v->name);
        free(want);
    }
}

Test(vectors, every_prefix_is_refused_with_a_place)
{
    EACH_VECTOR(v)
    {
        size_t len;
        uint8_t *body = vector_bytes(v->hex, &len);
        for (size_t n = 0; n < len; n++) {
            uint8_t *part = exact_block(body, n);
            union message msg;
            struct kw_fault fault;
            char text[256];
            int err = kwi_decode(schema_of(v), v->version, part, n, &msg, &fault);
            cr_assert_lt(err, 0, "%s cut at %zu", v->name, n);
            cr_assert(fault.err == err && fault.offset <= n, "%s cut at %zu", v->name, n);
            cr_assert_lt(kwi_fault_format(&fault, text, sizeof text), sizeof text);
            cr_assert(fault.path[0] && strstr(text, fault.path), "%s", text);
            free(part);
        }
        free(body);
    }
}

/* What decodes must walk, encode, and come back the same from there on. */
static void must_be_stable(const struct kw_schema *schema, int version, const union message *msg,
                           const char *name)
{
    union message again;
    size_t len1, len2;
    int err;
    uint8_t *one, *two;
    cr_assert(message_walks(schema, msg), "%s", name);
    one = message_encode(schema, version, msg, &len1, &err);
    cr_assert_not_null(one, "%s: %d", name, err);
    cr_assert_eq(kwi_decode(schema, version, one, len1, &again, NULL), 0, "%s", name);
    two = message_encode(schema, version, &again, &len2, &err);
    cr_assert(two && len1 == len2 && memcmp(one, two, len1) == 0, "%s", name);
    free(one);
    free(two);
}

/* How much of it all is tried: of what can be changed one in `step`, and all 255
 * other values of each byte of vectors up to a size. Everything for acceptance
 * (KW_TEST_ALL), which takes a sanitizer half an hour; less for an emulator or valgrind
 * (KW_TEST_QUICK). A step has no divisor in common with the number of extremes. */
static size_t change_step(void)
{
    if (getenv("KW_TEST_ALL"))
        return 1;
    return getenv("KW_TEST_QUICK") ? 23 : 3;
}

static size_t all_values_up_to(void)
{
    if (getenv("KW_TEST_ALL"))
        return SIZE_MAX;
    return getenv("KW_TEST_QUICK") ? 4 : 40;
}

/* body with n bytes at `at` replaced by others, in an exact block. */
static uint8_t *replaced(const uint8_t *body, size_t len, size_t at, size_t n, const uint8_t *by,
                         size_t by_len)
{
    uint8_t *out = malloc(len - n + by_len);
    if (!out)
        abort();
    memcpy(out, body, at);
    memcpy(out + at, by, by_len);
    memcpy(out + at + by_len, body + at + n, len - at - n);
    return out;
}

/* Wherever a length stands, it becomes null, 0, 1 and the largest: both as numbers
 * of two and four bytes, and as varints, of which one is longer than it may be. */
Test(vectors, every_length_replaced_by_an_extreme_is_survived, .timeout = 600)
{
    static const struct {
        uint8_t n, by_len, by[6];
    } extremes[] = {
        {2, 2, {0xff, 0xff}},
        {2, 2, {0, 0}},
        {2, 2, {0, 1}},
        {2, 2, {0x7f, 0xff}},
        {4, 4, {0xff, 0xff, 0xff, 0xff}},
        {4, 4, {0, 0, 0, 0}},
        {4, 4, {0, 0, 0, 1}},
        {4, 4, {0x7f, 0xff, 0xff, 0xff}},
        {1, 1, {0}},
        {1, 1, {1}},
        {1, 1, {2}},
        {1, 5, {0xff, 0xff, 0xff, 0xff, 0x0f}},
        {1, 6, {0x80, 0x80, 0x80, 0x80, 0x80, 0x01}},
    };
    size_t step = change_step(), skip = 0;

    EACH_VECTOR(v)
    {
        size_t len;
        uint8_t *body = vector_bytes(v->hex, &len);
        for (size_t i = 0; i < len * VECTOR_COUNT(extremes); i++) {
            size_t at = i / VECTOR_COUNT(extremes), k = i % VECTOR_COUNT(extremes);
            if (skip++ % step || at + extremes[k].n > len)
                continue;
            size_t changed_len = len - extremes[k].n + extremes[k].by_len;
            uint8_t *changed = replaced(body, len, at, extremes[k].n, extremes[k].by,
                                        extremes[k].by_len);
            union message msg;
            struct kw_fault fault;
            int err = kwi_decode(schema_of(v), v->version, changed, changed_len, &msg, &fault);
            if (err == 0)
                must_be_stable(schema_of(v), v->version, &msg, v->name);
            else
                cr_assert(fault.offset <= changed_len && fault.err == err, "%s", v->name);
            free(changed);
        }
        free(body);
    }
}

Test(vectors, a_byte_too_many_is_refused)
{
    EACH_VECTOR(v)
    {
        size_t len;
        uint8_t *body = vector_bytes(v->hex, &len);
        uint8_t *longer = replaced(body, len, len, 0, (const uint8_t *)"", 1);
        union message msg;
        struct kw_fault fault;
        cr_assert_eq(kwi_decode(schema_of(v), v->version, longer, len + 1, &msg, &fault),
                     KW_ERR_TRAILING, "%s", v->name);
        cr_assert_eq(fault.offset, len, "%s", v->name);
        free(longer);
        free(body);
    }
}

Test(vectors, every_one_byte_change_is_survived, .timeout = 1800)
{
    size_t all_up_to = all_values_up_to(), step = change_step();

    EACH_VECTOR(v)
    {
        size_t len;
        uint8_t *body = vector_bytes(v->hex, &len);
        for (size_t i = 0; i < len; i += step) {
            uint8_t old = body[i];
            /* All values for small vectors; signs, neighbours, extremes for others. */
            static const uint8_t some[] = {0x01, 0x80, 0xff, 0x7f, 0x40, 0x81};
            unsigned n = len <= all_up_to ? 255 : sizeof some;
            for (unsigned k = 0; k < n; k++) {
                union message msg;
                struct kw_fault fault;
                body[i] = old ^ (n == 255 ? (uint8_t)(k + 1) : some[k]);
                int err = kwi_decode(schema_of(v), v->version, body, len, &msg, &fault);
                if (err == 0)
                    must_be_stable(schema_of(v), v->version, &msg, v->name);
                else
                    cr_assert(fault.offset <= len && fault.err == err, "%s", v->name);
            }
            body[i] = old;
        }
        free(body);
    }
}
