/* fuzz_schema.c -- one harness for every message, direction and version.
 *
 * covers: B01 B02 B03 B04 B05 B14
 *
 * Byte 0 is the API's key and, in its top bit, the direction; byte 1 picks the
 * version, the rest is the body. Checks: no
 * bad access; a fault lies inside the input and prints; arrays walk to their
 * count; what decodes encodes; decode(encode(x)) is x from then on, also in
 * JSON; measuring and writing agree. */
#include <stdlib.h>

#include "proto/api.h"
#include "proto/header.h"
#include "proto/produce.h"
#include "json/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

enum { FUZZ_MESSAGE_MAX = KWI_ELEM_MAX };
union fuzz_message {
    uint8_t bytes[FUZZ_MESSAGE_MAX];
    uint64_t align;
};

static void check_same(const struct kw_schema *s, int version, const void *a, const void *b,
                       bool json);

/* What is read by hand is what the table reads. */
static void check_by_hand(const struct kw_arr *arr)
{
    struct kw_produce_response_partition one, two;
    struct kw_iter table, hand;
    kwi_iter_init(&table, arr);
    kwi_iter_init(&hand, arr);
    while (kwi_iter_next(&table, &one)) {
        CHECK(kwi_produce_answer_next(&hand, &two) && hand.rd.p == table.rd.p);
        CHECK(hand.left == table.left && one.record_errors.wire == two.record_errors.wire);
        check_same(&kwi_produce_response_partition_schema, arr->version, &one, &two, false);
    }
    CHECK(!kwi_produce_answer_next(&hand, &two));
}

static void walk(const struct kw_schema *s, const uint8_t *obj)
{
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
        union fuzz_message elem;
        struct kw_arr arr;
        struct kw_iter it;
        int32_t n = 0;
        if (f->kind == KWI_STRUCT)
            walk(f->sub, obj + f->offset);
        if (f->kind != KWI_ARRAY)
            continue;
        memcpy(&arr, obj + f->offset, sizeof arr);
        if (f->sub == &kwi_produce_response_partition_schema)
            check_by_hand(&arr);
        for (kwi_iter_init(&it, &arr); kwi_iter_next(&it, &elem); n++)
            walk(f->sub, elem.bytes);
        CHECK(n == (arr.n < 0 ? 0 : arr.n));
    }
}

/* The encoding, or the JSON, in an exact heap block. */
static uint8_t *render(const struct kw_schema *s, int version, const void *msg, bool json,
                       size_t *len)
{
    struct kw_wr w = kwi_wr_make(NULL, 0);
    uint8_t *block;
    CHECK((json ? kwi_print_json(s, version, msg, &w) : kwi_encode(s, version, msg, &w)) == 0);
    *len = w.len;
    block = malloc(w.len ? w.len : 1);
    CHECK(block);
    w = kwi_wr_make(block, *len);
    CHECK((json ? kwi_print_json(s, version, msg, &w) : kwi_encode(s, version, msg, &w)) == 0);
    CHECK(w.len == *len);
    return block;
}

static void check_same(const struct kw_schema *s, int version, const void *a, const void *b,
                       bool json)
{
    size_t len_a, len_b;
    uint8_t *one = render(s, version, a, json, &len_a), *two = render(s, version, b, json, &len_b);
    CHECK(len_a == len_b && memcmp(one, two, len_a) == 0);
    free(one);
    free(two);
}

static void check_fault(const struct kw_fault *fault, int err, size_t size)
{
    char text[256];
    CHECK(fault->err == err && fault->offset <= size);
    CHECK(kwi_fault_format(fault, text, sizeof text) < sizeof text);
}

static void check_response_header(const uint8_t *data, size_t size, int16_t key, int16_t version)
{
    int32_t correlation_id;
    size_t header_len;
    int err = kwi_response_header_get(data, size, key, version, &correlation_id, &header_len);
    CHECK(err || (header_len <= size && header_len >= 4));
}

/* An answer's header depends on little: this message's own, and the odd one. */
static void check_headers(const struct kw_api_info *api, int version, const uint8_t *data,
                          size_t size)
{
    struct kw_request_header header;
    size_t header_len;
    if (kwi_request_header_get(data, size, &header, &header_len) == 0)
        CHECK(header_len <= size && header_len >= 10);
    check_response_header(data, size, api->key, (int16_t)version);
    check_response_header(data, size, KW_API_API_VERSIONS, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    union fuzz_message one, two;
    struct kw_fault fault;
    size_t n, len;
    const struct kw_api_info *api;
    const struct kw_schema *s;
    int version, err;
    if (size < 2)
        return 0;
    api = kwi_api_info(data[0] & 127);
    if (!api)
        api = kwi_api_list(&n) + (data[0] & 127) % n;
    s = data[0] & 128 ? api->response : api->request;
    version = api->min + data[1] % (api->max - api->min + 1);
    data += 2;
    size -= 2;
    check_headers(api, version, data, size);
    err = kwi_decode(s, version, data, size, &one, &fault);
    if (err) {
        check_fault(&fault, err, size);
        return 0;
    }
    walk(s, one.bytes);
    uint8_t *again = render(s, version, &one, false, &len);
    CHECK(kwi_decode(s, version, again, len, &two, &fault) == 0);
    walk(s, two.bytes);
    check_same(s, version, &one, &two, false);
    check_same(s, version, &one, &two, true);
    free(again);
    return 0;
}
