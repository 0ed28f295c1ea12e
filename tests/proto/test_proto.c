/* tests/proto/test_proto.c -- the protocol for tools, against Kafka's own bytes. */
#include <criterion/criterion.h>

#include <kwire/proto.h>

#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/messages.inc"
#include "tests/vectors/records.inc"

static int decode(const struct vector_message *v, const uint8_t *body, size_t len, char *out,
                  size_t cap, size_t *out_len, struct kw_error *err)
{
    return kw_proto_decode_json(v->api_key, v->version,
                                v->is_request ? KW_PROTO_REQUEST : KW_PROTO_RESPONSE, body, len,
                                out, cap, out_len, err);
}

Test(proto, every_message_becomes_kafkas_json_in_a_block_of_just_its_size)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_messages); i++) {
        const struct vector_message *v = &vector_messages[i];
        size_t len, out_len, want = strlen(v->json);
        uint8_t *body = vector_bytes(v->hex, &len);
        char *out = malloc(want);
        cr_assert_eq(decode(v, body, len, out, want, &out_len, NULL), 0, "%s", v->name);
        cr_assert_eq(out_len, want, "%s", v->name);
        cr_assert_arr_eq(out, v->json, want, "%s", v->name);
        cr_assert_eq(decode(v, body, len, out, want - 1, &out_len, NULL), KW_ERR_SPACE, "%s",
                     v->name);
        cr_assert_eq(out_len, want, "%s", v->name);
        free(out);
        free(body);
    }
}

Test(proto, a_bad_body_is_refused_with_its_place)
{
    static const uint8_t body[] = {0, 0, 0, 1, 0, 4, 'n', 'a'};
    struct kw_error err;
    char out[64];
    size_t len;
    cr_assert_eq(kw_proto_decode_json(3, 4, KW_PROTO_REQUEST, body, sizeof body, out, sizeof out,
                                      &len, &err),
                 KW_ERR_SHORT);
    cr_assert_eq(err.code, KW_ERR_SHORT);
    cr_assert(strstr(err.text, "topics[0].name at byte"), "%s", err.text);
    cr_assert_eq(kw_proto_decode_json(3, 14, KW_PROTO_REQUEST, body, sizeof body, out, sizeof out,
                                      &len, &err),
                 KW_ERR_VERSION);
    cr_assert_eq(kw_proto_decode_json(999, 0, KW_PROTO_REQUEST, body, sizeof body, out, sizeof out,
                                      &len, NULL),
                 KW_ERR_VERSION);
}

Test(proto, the_apis_are_listed_by_ascending_key)
{
    struct kw_proto_api api, last = {.key = -1};
    size_t n = 0;
    for (; kw_proto_api(n, &api) == 1; n++) {
        cr_assert_gt(api.key, last.key);
        cr_assert(api.min <= api.client_min && api.client_max <= api.max, "%s", api.name);
        last = api;
    }
    cr_assert_geq(n, 10);
    cr_assert_eq(kw_proto_api(SIZE_MAX, &api), 0);
}

static const struct vector_record *record_vector(const char *name)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++)
        if (strcmp(vector_records[i].name, name) == 0)
            return &vector_records[i];
    cr_assert_fail("no vector %s", name);
    return NULL;
}

Test(proto, a_batch_tells_its_header_and_its_records)
{
    struct kw_proto_batch batch;
    struct kw_consumed record;
    size_t len;
    uint8_t *bytes = vector_bytes(record_vector("batch-v2-none")->hex, &len);
    cr_assert_eq(kw_proto_batch(bytes, len, &batch), 0);
    cr_assert_eq(batch.size, len);
    cr_assert(batch.crc_is_good && batch.crc == 0xc7b22f18 && batch.record_count == 3);
    cr_assert(batch.magic == 2 && batch.codec == 0 && batch.producer_id == -1);
    cr_assert(!batch.control && !batch.transactional);
    struct kw_bytes records = batch.records;
    cr_assert_eq(kw_proto_record(&batch, &records, &record), 1);
    cr_assert(record.offset == 0 && record.timestamp_ms == 1700000000000);
    cr_assert(record.key.len == 5 && memcmp(record.key.ptr, "key-0", 5) == 0);
    cr_assert_gt(record.headers_len, 0);
    cr_assert_eq(kw_proto_record(&batch, &records, &record), 1);
    cr_assert_null(record.key.ptr);
    cr_assert_eq(kw_proto_record(&batch, &records, &record), 1);
    cr_assert_null(record.value.ptr);
    cr_assert_eq(record.timestamp_ms, 1699999999997);
    cr_assert_eq(kw_proto_record(&batch, &records, &record), 0);
    free(bytes);
}

Test(proto, every_prefix_and_every_changed_byte_of_a_batch_is_survived)
{
    struct kw_proto_batch batch;
    struct kw_consumed record;
    size_t len, n_bad = 0;
    uint8_t *bytes = vector_bytes(record_vector("batch-v2-none")->hex, &len);
    for (size_t i = 0; i < len; i++) {
        uint8_t *part = exact_block(bytes, i);
        cr_assert_eq(kw_proto_batch(part, i, &batch), KW_ERR_SHORT);
        free(part);
    }
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 0xff;
        if (kw_proto_batch(bytes, len, &batch) == 0) {
            struct kw_bytes records = batch.records;
            n_bad += !batch.crc_is_good;
            while (kw_proto_record(&batch, &records, &record) == 1)
                ;
        }
        bytes[i] ^= 0xff;
    }
    cr_assert_gt(n_bad, len - 61);
    free(bytes);
}

Test(proto, a_wrong_checksum_and_old_messages_are_told)
{
    struct kw_proto_batch batch;
    size_t len;
    uint8_t *bytes = vector_bytes(record_vector("batch-v2-bad-crc")->hex, &len);
    cr_assert_eq(kw_proto_batch(bytes, len, &batch), 0);
    cr_assert(!batch.crc_is_good);
    free(bytes);
    bytes = vector_bytes(record_vector("message-set-v1-none")->hex, &len);
    cr_assert_eq(kw_proto_batch(bytes, len, &batch), KW_ERR_UNSUPPORTED);
    cr_assert(batch.magic == 1 && batch.size > 0 && batch.size < len);
    free(bytes);
    bytes = vector_bytes(record_vector("control-commit")->hex, &len);
    cr_assert_eq(kw_proto_batch(bytes, len, &batch), 0);
    cr_assert(batch.control && batch.transactional);
    free(bytes);
}
