/* fuzz_json.c -- messages and blobs as text, through the public functions.
 *
 * covers: B14
 *
 * Byte 0 is the API's key, or picks one, or a blob (112 and above); its top bit
 * says that the rest is a body, else it is text; with 255 it is record batches.
 * Byte 1 is the direction (its lowest bit) and the version. Checks: a fault says
 * where and why; what is taken as text makes bytes that decode, whose text makes
 * the same bytes again; a body that decodes has a text that makes a body of the
 * same text, and so has the message in a caller's own arrays; a dump of a body
 * shows each of its bytes; measuring and writing agree, and too little room is
 * told with what is needed. */
#include <kwire/proto.h>

#include "fuzz/message.h"
#include "json/json.h"
#include "json/print.h"
#include "proto/api.h"
#include "proto/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    JSON_BODY = 128,
    JSON_BLOBS = 112,
    JSON_BATCHES = 255,
    JSON_BELOW = 127,
    JSON_NO_SUCH = 126
};

/* What one input is about. */
struct json_case {
    struct kw_proto_api api;
    enum kw_proto_kind kind;
    int version;
};

typedef int json_fn(int16_t api_key, int version, enum kw_proto_kind kind, const void *in,
                    size_t len, void *out, size_t cap, size_t *out_len, struct kw_error *err);

static int json_to_body(int16_t api_key, int version, enum kw_proto_kind kind, const void *in,
                        size_t len, void *out, size_t cap, size_t *out_len, struct kw_error *err)
{
    return kw_proto_encode_json(api_key, version, kind, in, len, out, cap, out_len, err);
}

static int json_to_text(int16_t api_key, int version, enum kw_proto_kind kind, const void *in,
                        size_t len, void *out, size_t cap, size_t *out_len, struct kw_error *err)
{
    return kw_proto_decode_json(api_key, version, kind, in, len, out, cap, out_len, err);
}

static int json_to_dump(int16_t api_key, int version, enum kw_proto_kind kind, const void *in,
                        size_t len, void *out, size_t cap, size_t *out_len, struct kw_error *err)
{
    return kw_proto_explain(api_key, version, kind, in, len, out, cap, out_len, err);
}

/* The result in a block of its size, or NULL with an error that says why. */
static uint8_t *json_run(json_fn *fn, const struct json_case *c, const void *in, size_t len,
                         size_t *out_len)
{
    struct kw_error err = {0};
    uint8_t *block;
    size_t again;
    int rc = fn(c->api.key, c->version, c->kind, in, len, NULL, 0, out_len, &err);
    CHECK(rc == fn(c->api.key, c->version, c->kind, in, len, NULL, 0, &again, NULL));
    CHECK(again == *out_len);
    if (rc) {
        bool no_such = c->version < c->api.min || c->version > c->api.max;
        CHECK(err.code == rc && *out_len == 0);
        CHECK(err.text[0] || (no_such && rc == KW_ERR_VERSION));
        return NULL;
    }
    block = malloc(*out_len + 1);
    CHECK(block);
    CHECK(fn(c->api.key, c->version, c->kind, in, len, block, *out_len, &again, &err) == 0);
    CHECK(again == *out_len);
    if (*out_len > 0) {
        uint8_t *part = malloc(*out_len);
        CHECK(part);
        rc = fn(c->api.key, c->version, c->kind, in, len, part, *out_len - 1, &again, &err);
        CHECK(rc == KW_ERR_SPACE && err.code == rc && again == *out_len);
        free(part);
    }
    return block;
}

/* Each byte of the body stands once in the left half of the lines. */
static void check_dump(const struct json_case *c, const uint8_t *body, size_t len)
{
    size_t dump_len, seen = 0;
    uint8_t *dump = json_run(json_to_dump, c, body, len, &dump_len);
    CHECK(dump && (dump_len == 0 || dump[dump_len - 1] == '\n'));
    for (size_t at = 0; at < dump_len; at++) {
        CHECK(dump_len - at > 34);
        for (size_t i = at + 10; i < at + 34 && dump[i] != ' '; i += 3, seen++) {
            char hex[3] = {(char)dump[i], (char)dump[i + 1], '\0'};
            CHECK(seen < len && strtoul(hex, NULL, 16) == body[seen]);
        }
        while (dump[at] != '\n')
            at++;
    }
    CHECK(seen == len);
    free(dump);
}

static void try_text(const struct json_case *c, const uint8_t *text, size_t size)
{
    size_t len, text_len, again_len;
    uint8_t *body = json_run(json_to_body, c, text, size, &len), *own, *again;
    if (!body)
        return;
    own = json_run(json_to_text, c, body, len, &text_len);
    CHECK(own);
    again = json_run(json_to_body, c, own, text_len, &again_len);
    CHECK(again && again_len == len && memcmp(again, body, len) == 0);
    check_dump(c, body, len);
    free(again);
    free(own);
    free(body);
}

/* Below the public functions: the same text from a caller's own arrays, and none for
 * a version that there is not. */
static void check_printer(const struct json_case *c, const uint8_t *body, size_t size,
                          const uint8_t *text, size_t text_len)
{
    size_t n;
    const struct kw_schema *s = c->kind == KW_PROTO_DATA      ? kwi_data_list(&n)[c->api.key].schema
                                : c->kind == KW_PROTO_REQUEST ? kwi_api_info(c->api.key)->request
                                                              : kwi_api_info(c->api.key)->response;
    struct kw_json_fault fault;
    union fuzz_message msg;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    const int other[2] = {s->since - 1, s->until + 1};
    CHECK(kwi_decode(s, c->version, body, size, &msg, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        w = kwi_wr_make(NULL, 0);
        CHECK(kwi_print_json(s, other[i], &msg, &w) == KW_ERR_VERSION);
        w = kwi_wr_make(NULL, 0);
        CHECK(kwi_json_encode(s, other[i], (const char *)text, text_len, &w, &fault) ==
              KW_ERR_VERSION);
    }
    if (!fuzz_message_thaw(s, &msg))
        return;
    uint8_t *own = malloc(text_len);
    CHECK(own);
    w = kwi_wr_make(own, text_len);
    CHECK(kwi_print_json(s, c->version, &msg, &w) == 0);
    CHECK(w.len == text_len && memcmp(own, text, text_len) == 0);
    free(own);
}

/* Unknown tags and the forms of a number are not in the text; all else is. */
static void try_body(const struct json_case *c, const uint8_t *body, size_t size)
{
    size_t len, text_len, again_len;
    uint8_t *text = json_run(json_to_text, c, body, size, &text_len), *own, *again;
    if (!text) {
        size_t dump_len;
        CHECK(!json_run(json_to_dump, c, body, size, &dump_len));
        return;
    }
    own = json_run(json_to_body, c, text, text_len, &len);
    CHECK(own);
    again = json_run(json_to_text, c, own, len, &again_len);
    CHECK(again && again_len == text_len && memcmp(again, text, text_len) == 0);
    check_dump(c, body, size);
    check_printer(c, body, size, text, text_len);
    free(again);
    free(own);
    free(text);
}

/* Batches one after another; records move forward and stay inside. */
static void try_batches(const uint8_t *p, size_t size)
{
    struct kw_proto_batch batch;
    int rc;
    while (size > 0) {
        rc = kw_proto_batch(p, size, &batch);
        CHECK(rc == 0 || rc == KW_ERR_SHORT || rc == KW_ERR_CORRUPT || rc == KW_ERR_UNSUPPORTED);
        CHECK((rc == 0 || rc == KW_ERR_UNSUPPORTED) == (batch.size > 0));
        if (batch.size == 0)
            return;
        CHECK(batch.size <= size && (rc || batch.magic == 2));
        struct kw_bytes left = batch.records;
        struct kw_consumed record;
        while (rc == 0 && left.len > 0) {
            const uint8_t *from = left.ptr;
            rc = kw_proto_record(&batch, &left, &record);
            CHECK(rc == 1 || rc == KW_ERR_CORRUPT);
            if (rc == 1) {
                const uint8_t *to = left.ptr;
                CHECK(to > from && to + left.len == p + batch.size);
                CHECK(!record.key.ptr || record.key.len < (size_t)(to - from));
                CHECK(!record.value.ptr || record.value.len < (size_t)(to - from));
                rc = 0;
            }
        }
        if (rc == 0)
            CHECK(kw_proto_record(&batch, &left, &record) == 0);
        p += batch.size;
        size -= batch.size;
    }
}

static void json_choose(struct json_case *c, const uint8_t *data)
{
    size_t n = 0, n_blobs = 0, i;
    struct kw_proto_api api;
    while (kw_proto_data(n_blobs, &api))
        n_blobs++;
    for (i = 0; kw_proto_api(n, &api); n++)
        if (api.key == (data[0] & 127))
            i = n + 1;
    CHECK(n > 0 && n_blobs > 0);
    c->kind = data[1] & 1 ? KW_PROTO_RESPONSE : KW_PROTO_REQUEST;
    if ((data[0] & 127) >= JSON_BLOBS) {
        c->kind = KW_PROTO_DATA;
        CHECK(kw_proto_data((size_t)(data[0] & 127) % n_blobs, &c->api));
    } else {
        CHECK(kw_proto_api(i ? i - 1 : (size_t)(data[0] & 127) % n, &c->api));
    }
    /* The last one is above what there is, JSON_BELOW below it. */
    c->version = c->api.min + (data[1] >> 1) % (c->api.max - c->api.min + 2);
    if (data[1] >> 1 == JSON_BELOW)
        c->version = c->api.min - 1;
    if (data[1] >> 1 == JSON_NO_SUCH)
        c->api = (struct kw_proto_api){.key = data[0] & 1 ? -1 : INT16_MAX, .max = -1};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_case c;
    if (size < 2)
        return 0;
    if (data[0] == JSON_BATCHES) {
        try_batches(data + 1, size - 1);
        return 0;
    }
    json_choose(&c, data);
    if (data[0] & JSON_BODY)
        try_body(&c, data + 2, size - 2);
    else
        try_text(&c, data + 2, size - 2);
    return 0;
}
