/* tests/proto/test_proto.c -- the protocol for tools, against Kafka's own bytes. */
#include <criterion/criterion.h>

#include <kwire/proto.h>

#include "proto/fetch.h"
#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/data.inc"
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

/* Collects the bytes of the left column; each line's offset must be their number. */
static void must_show_each_byte_once(const struct vector_message *v, const char *lines)
{
    size_t want = strlen(v->hex), n = 0;
    char *shown = malloc(want + 1);
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1) {
        char *end;
        unsigned long offset = strtoul(line, &end, 10);
        bool has_bytes = line[10] != ' ';
        cr_assert(!has_bytes || offset == n / 2, "%s: %.40s", v->name, line);
        cr_assert(has_bytes || strncmp(line, "          ", 10) == 0, "%s: %.40s", v->name, line);
        for (const char *at = line + 10; has_bytes && at < line + 34 && *at != ' '; at += 3) {
            cr_assert(n + 2 <= want, "%s", v->name);
            memcpy(shown + n, at, 2);
            n += 2;
        }
    }
    shown[n] = '\0';
    cr_assert_str_eq(shown, v->hex, "%s", v->name);
    free(shown);
}

Test(proto, an_explained_message_shows_each_of_its_bytes_once)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_messages); i++) {
        const struct vector_message *v = &vector_messages[i];
        enum kw_proto_kind kind = v->is_request ? KW_PROTO_REQUEST : KW_PROTO_RESPONSE;
        size_t len, out_len, again_len;
        uint8_t *body = vector_bytes(v->hex, &len);
        cr_assert_eq(
            kw_proto_explain(v->api_key, v->version, kind, body, len, NULL, 0, &out_len, NULL), 0,
            "%s", v->name);
        char *out = malloc(out_len + 1);
        cr_assert_eq(kw_proto_explain(v->api_key, v->version, kind, body, len, out, out_len,
                                      &again_len, NULL),
                     0, "%s", v->name);
        cr_assert_eq(again_len, out_len, "%s", v->name);
        out[out_len] = '\0';
        must_show_each_byte_once(v, out);
        if (out_len > 0)
            cr_assert_eq(kw_proto_explain(v->api_key, v->version, kind, body, len, out, out_len - 1,
                                          &again_len, NULL),
                         KW_ERR_SPACE, "%s", v->name);
        free(out);
        free(body);
    }
}

/* Blobs, by their names: both ways, and explained. */
Test(proto, every_blob_becomes_kafkas_json_and_bytes)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_blobs); i++) {
        const struct vector_blob *v = &vector_blobs[i];
        struct kw_proto_api data = {.key = -1};
        size_t n = 0, len, out_len, json_len = strlen(v->json);
        while (kw_proto_data(n, &data) == 1 && strcmp(data.name, v->api) != 0)
            n++;
        cr_assert_str_eq(data.name, v->api);
        cr_assert(data.key == (int16_t)n && data.min <= v->version && v->version <= data.max);
        uint8_t *body = vector_bytes(v->hex, &len), *again = exact_block(body, len);
        char *out = malloc(json_len ? json_len : 1);
        cr_assert_eq(kw_proto_decode_json(data.key, v->version, KW_PROTO_DATA, body, len, out,
                                          json_len, &out_len, NULL),
                     0, "%s", v->name);
        cr_assert(out_len == json_len && memcmp(out, v->json, json_len) == 0, "%s", v->name);
        memset(again, 0, len);
        cr_assert_eq(kw_proto_encode_json(data.key, v->version, KW_PROTO_DATA, out, json_len, again,
                                          len, &out_len, NULL),
                     0, "%s", v->name);
        cr_assert(out_len == len && memcmp(again, body, len) == 0, "%s", v->name);
        cr_assert_eq(kw_proto_explain(data.key, v->version, KW_PROTO_DATA, body, len, NULL, 0,
                                      &out_len, NULL),
                     0, "%s", v->name);
        cr_assert_gt(out_len, len);
        cr_assert_eq(kw_proto_explain(data.key, data.max + 1, KW_PROTO_DATA, body, len, NULL, 0,
                                      &out_len, NULL),
                     KW_ERR_VERSION);
        free(out);
        free(again);
        free(body);
    }
    size_t len;
    cr_assert_eq(kw_proto_explain(99, 0, KW_PROTO_DATA, "", 0, NULL, 0, &len, NULL),
                 KW_ERR_VERSION);
    cr_assert_eq(kw_proto_explain(-1, 0, KW_PROTO_DATA, "", 0, NULL, 0, &len, NULL),
                 KW_ERR_VERSION);
}

Test(proto, an_explained_message_names_its_fields_and_tags)
{
    static const char wanted[] =
        "       0  00 00 00 01              topics: 1 element\n"
        "                                     [0]\n"
        "       4  00 04 6e 61 6d 65            name: \"name\"\n"
        "      10  01                       allowAutoTopicCreation: true\n";
    char out[1024];
    size_t len, out_len;
    uint8_t *body = vector_bytes("0000000100046e616d6501", &len);
    cr_assert_eq(
        kw_proto_explain(3, 4, KW_PROTO_REQUEST, body, len, out, sizeof out - 1, &out_len, NULL),
        0);
    out[out_len] = '\0';
    cr_assert_str_eq(out, wanted);
    free(body);
    /* Two unknown tags, of 3 and of 0 bytes. */
    body = vector_bytes("000100000205036162637f00", &len);
    cr_assert_eq(
        kw_proto_explain(3, 9, KW_PROTO_REQUEST, body, len, out, sizeof out - 1, &out_len, NULL),
        0);
    out[out_len] = '\0';
    cr_assert(strstr(out, "4  02                       2 tagged fields\n"
                          "       5  05 03 61 62 63           tag 5, 3 bytes, unknown\n"
                          "      10  7f 00                    tag 127, 0 bytes, unknown\n"),
              "%s", out);
    struct kw_error err;
    cr_assert_eq(
        kw_proto_explain(3, 9, KW_PROTO_REQUEST, body, len - 1, out, sizeof out, &out_len, &err),
        KW_ERR_SHORT);
    cr_assert(strstr(err.text, "metadata_request v9: (tags) at byte"), "%s", err.text);
    cr_assert_eq(kw_proto_explain(0, -1, KW_PROTO_DATA, body, len, out, sizeof out, &out_len, NULL),
                 KW_ERR_VERSION);
    cr_assert_eq(
        kw_proto_explain(3, 99, KW_PROTO_REQUEST, body, len, out, sizeof out, &out_len, NULL),
        KW_ERR_VERSION);
    free(body);
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

Test(proto, a_tag_of_a_later_version_is_explained_as_unknown)
{
    /* Tag 1 of Fetch is the replica's state from version 15 on. */
    struct kw_fetch_request msg;
    uint8_t body[128];
    char out[4096];
    size_t out_len;
    struct kw_wr w = kwi_wr_make(body, sizeof body);
    kwi_fetch_request_init(&msg);
    cr_assert_eq(kwi_fetch_request_encode(&msg, 12, &w), 0);
    cr_assert_eq(body[w.len - 1], 0, "no tags");
    body[w.len - 1] = 1;
    kwi_wr_u8(&w, 1);
    kwi_wr_u8(&w, 0);
    cr_assert_eq(
        kw_proto_explain(1, 12, KW_PROTO_REQUEST, body, w.len, out, sizeof out - 1, &out_len, NULL),
        0);
    out[out_len] = '\0';
    cr_assert(strstr(out, "tag 1, 0 bytes, unknown\n"), "%s", out);
}

Test(proto, the_apis_are_listed_by_ascending_key)
{
    struct kw_proto_api api, last = {.key = -1};
    size_t n = 0;
    for (; kw_proto_api(n, &api) == 1; n++) {
        cr_assert_gt(api.key, last.key);
        cr_assert(api.client_max < 0 || api.min <= api.client_min, "%s", api.name);
        cr_assert(api.client_max <= api.max, "%s", api.name);
        last = api;
    }
    cr_assert_geq(n, 10);
    cr_assert_eq(kw_proto_api(SIZE_MAX, &api), 0);
    cr_assert_eq(kw_proto_data(SIZE_MAX, &api), 0);
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
