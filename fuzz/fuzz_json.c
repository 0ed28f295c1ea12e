/* fuzz_json.c -- any text as the JSON of any message.
 *
 * covers: B14
 *
 * Byte 0 is the API's key, or picks one; byte 1 the direction (its lowest bit) and
 * the version; the rest is the text. Checks: a fault lies inside the text and
 * says why; what is taken makes bytes that decode; their JSON makes the same
 * bytes again; measuring and writing agree. */
#include <stdlib.h>

#include <kwire/proto.h>

#include "proto/api.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

/* The bytes that a text stands for, in a block of their size, or NULL. */
static uint8_t *encode(const struct kw_schema *s, int version, const char *text, size_t len,
                       size_t *out_len)
{
    struct kw_json_fault fault = {0};
    struct kw_wr w = kwi_wr_make(NULL, 0);
    int rc = kwi_json_encode(s, version, text, len, &w, &fault);
    uint8_t *block;
    if (rc) {
        CHECK(fault.err == rc && fault.reason && fault.offset <= len);
        return NULL;
    }
    *out_len = w.len;
    block = malloc(w.len ? w.len : 1);
    CHECK(block);
    w = kwi_wr_make(block, *out_len);
    CHECK(kwi_json_encode(s, version, text, len, &w, &fault) == 0 && w.len == *out_len);
    return block;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n, len, again_len, text_len;
    const struct kw_api_info *list = kwi_api_list(&n), *api;
    const struct kw_schema *s;
    enum kw_proto_kind kind;
    int version;
    if (size < 2)
        return 0;
    api = kwi_api_info(data[0]);
    if (!api)
        api = &list[data[0] % n];
    kind = data[1] & 1 ? KW_PROTO_RESPONSE : KW_PROTO_REQUEST;
    s = data[1] & 1 ? api->response : api->request;
    version = api->min + (data[1] >> 1) % (api->max - api->min + 1);
    uint8_t *body = encode(s, version, (const char *)data + 2, size - 2, &len);
    if (!body)
        return 0;
    CHECK(kw_proto_decode_json(api->key, version, kind, body, len, NULL, 0, &text_len, NULL) == 0);
    char *text = malloc(text_len);
    CHECK(text);
    CHECK(kw_proto_decode_json(api->key, version, kind, body, len, text, text_len, &text_len,
                               NULL) == 0);
    uint8_t *again = encode(s, version, text, text_len, &again_len);
    CHECK(again && again_len == len && memcmp(again, body, len) == 0);
    free(again);
    free(text);
    free(body);
    return 0;
}
