/* json/proto.c -- the protocol for tools (kwire/proto.h): messages as JSON, what a
 * record batch holds. The client itself uses none of this; it goes to the tables
 * and to batch.h directly. */
#include <kwire/proto.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/fmt.h"
#include "proto/api.h"
#include "proto/batch.h"
#include "proto/data.h"
#include "json/explain.h"
#include "json/json.h"
#include "json/print.h"
#include "proto/record.h"

int kw_proto_api(size_t i, struct kw_proto_api *api)
{
    size_t count;
    const struct kw_api_info *list = kwi_api_list(&count);

    if (i >= count)
        return 0;
    *api = (struct kw_proto_api){
        .key = list[i].key,
        .name = list[i].name,
        .min = list[i].min,
        .max = list[i].max,
        .client_min = list[i].client_min,
        .client_max = list[i].client_max,
        .flex_since = list[i].flex_since == KWI_NEVER ? -1 : list[i].flex_since};
    return 1;
}

static int proto_fail(struct kw_error *err, int code, const struct kw_fault *fault)
{
    if (!err)
        return code;
    *err = (struct kw_error){.code = code, .broker = -1};
    if (fault)
        kwi_fault_format(fault, err->text, sizeof err->text);
    return code;
}

int kw_proto_data(size_t i, struct kw_proto_api *data)
{
    size_t count;
    const struct kw_data_info *list = kwi_data_list(&count);
    const struct kw_schema *s;

    if (i >= count)
        return 0;
    s = list[i].schema;
    *data = (struct kw_proto_api){.key = (int16_t)i,
                                  .name = list[i].name,
                                  .min = s->since,
                                  .max = s->until,
                                  .client_min = s->since,
                                  .client_max = s->until,
                                  .flex_since = s->flex_since == KWI_NEVER ? -1 : s->flex_since};
    return 1;
}

/* The schema of a message or blob, or NULL if there is no such one or version. */
static const struct kw_schema *proto_schema(int16_t api_key, int version, enum kw_proto_kind kind)
{
    const struct kw_api_info *api = kwi_api_info(api_key);
    size_t n_data;
    const struct kw_data_info *data = kwi_data_list(&n_data);

    if (kind == KW_PROTO_DATA) {
        if (api_key < 0 || (size_t)api_key >= n_data)
            return NULL;
        data += api_key;
        return version < data->schema->since || version > data->schema->until ? NULL : data->schema;
    }

    if (!api || version < api->min || version > api->max)
        return NULL;
    return kind == KW_PROTO_REQUEST ? api->request : api->response;
}

int kw_proto_decode_json(int16_t api_key, int version, enum kw_proto_kind kind, const void *body,
                         size_t len, char *out, size_t cap, size_t *out_len, struct kw_error *err)
{
    _Alignas(8) uint8_t msg[KWI_ELEM_MAX];
    const struct kw_schema *schema = proto_schema(api_key, version, kind);
    struct kw_fault fault = {0};
    struct kw_wr w = kwi_wr_make((uint8_t *)out, cap);
    int rc;

    *out_len = 0;
    if (!schema)
        return proto_fail(err, KW_ERR_VERSION, NULL);
    KWI_ASSERT(schema->size <= sizeof msg); /* tests/proto looks at every table */
    rc = kwi_decode(schema, version, body, len, msg, &fault);
    if (rc)
        return proto_fail(err, rc, &fault);
    rc = kwi_print_json(schema, version, msg, &w);
    *out_len = w.len;
    return rc ? proto_fail(err, rc, NULL) : 0;
}

int kw_proto_explain(int16_t api_key, int version, enum kw_proto_kind kind, const void *body,
                     size_t len, char *out, size_t cap, size_t *out_len, struct kw_error *err)
{
    const struct kw_schema *schema = proto_schema(api_key, version, kind);
    struct kw_fault fault = {0};
    struct kw_wr w = kwi_wr_make((uint8_t *)out, cap);
    int rc;

    *out_len = 0;
    if (!schema)
        return proto_fail(err, KW_ERR_VERSION, NULL);
    rc = kwi_explain(schema, version, body, len, &w, &fault);
    *out_len = w.len;
    return rc ? proto_fail(err, rc, fault.err ? &fault : NULL) : 0;
}

int kw_proto_encode_json(int16_t api_key, int version, enum kw_proto_kind kind, const char *json,
                         size_t len, void *out, size_t cap, size_t *out_len, struct kw_error *err)
{
    const struct kw_schema *schema = proto_schema(api_key, version, kind);
    struct kw_json_fault fault = {0};
    struct kw_wr w = kwi_wr_make(out, cap);
    int rc;

    *out_len = 0;
    if (!schema)
        return proto_fail(err, KW_ERR_VERSION, NULL);
    rc = kwi_json_encode(schema, version, json, len, &w, &fault);
    if (rc == 0 || rc == KW_ERR_SPACE)
        *out_len = w.len;
    if (rc)
        (void)proto_fail(err, rc, NULL);
    if (err && fault.err)
        kwi_fmt(err->text, sizeof err->text, "%s v%d: %s%s%zu: %s", schema->name, version,
                fault.path, fault.path[0] ? " at byte " : "byte ", fault.offset, fault.reason);
    return rc;
}

int kw_proto_batch(const void *ptr, size_t len, struct kw_proto_batch *batch)
{
    struct kw_batch_header h;
    int rc = kwi_batch_header_get(ptr, len, &h);

    *batch = (struct kw_proto_batch){
        .base_offset = h.base_offset, .batch_length = h.batch_length, .magic = h.magic};
    if (rc == 0 || rc == KW_ERR_UNSUPPORTED)
        batch->size = kwi_batch_size(&h);
    if (rc)
        return rc;
    batch->partition_leader_epoch = h.partition_leader_epoch;
    batch->crc = h.crc;
    batch->crc_is_good = kwi_batch_crc_check(ptr, batch->size, kwi_crc32c_portable) == 0;
    batch->attributes = h.attributes;
    batch->codec = h.attributes & KWI_BATCH_CODEC_MASK;
    batch->timestamp_type = (h.attributes & KWI_BATCH_LOG_APPEND_TIME) != 0;
    batch->transactional = (h.attributes & KWI_BATCH_TRANSACTIONAL) != 0;
    batch->control = (h.attributes & KWI_BATCH_CONTROL) != 0;
    batch->last_offset_delta = h.last_offset_delta;
    batch->base_timestamp = h.base_timestamp;
    batch->max_timestamp = h.max_timestamp;
    batch->producer_id = h.producer_id;
    batch->producer_epoch = h.producer_epoch;
    batch->base_sequence = h.base_sequence;
    batch->record_count = h.record_count;
    batch->records = (struct kw_bytes){(const uint8_t *)ptr + KWI_BATCH_HEADER,
                                       batch->size - KWI_BATCH_HEADER};
    return 0;
}

/* Empty bytes are no null: the pointer must not be NULL. */
static struct kw_bytes proto_bytes(const uint8_t *ptr, int32_t len)
{
    if (len < 0)
        return (struct kw_bytes){0};
    return (struct kw_bytes){ptr, (size_t)len};
}

int kw_proto_record(const struct kw_proto_batch *batch, struct kw_bytes *records,
                    struct kw_consumed *record)
{
    const uint8_t *p = records->ptr, *end, *next;
    struct kw_record_view view;

    if (records->len == 0)
        return 0;
    end = p + records->len;
    next = kwi_record_get(p, end, &view);
    if (!next || kwi_record_headers_check(&view))
        return KW_ERR_CORRUPT;
    *record = (struct kw_consumed){.key = proto_bytes(view.key, view.key_len),
                                   .value = proto_bytes(view.value, view.value_len),
                                   .leader_epoch = batch->partition_leader_epoch,
                                   .timestamp_type = batch->timestamp_type,
                                   .headers = view.headers,
                                   .headers_len = view.headers_len};
    /* What a batch claims may add up to anything: no signed overflow. */
    record->offset = (int64_t)((uint64_t)batch->base_offset + (uint64_t)view.offset_delta);
    record->timestamp_ms = batch->timestamp_type ? batch->max_timestamp
                                                 : (int64_t)((uint64_t)batch->base_timestamp +
                                                             (uint64_t)view.timestamp_delta);
    *records = (struct kw_bytes){next, (size_t)(end - next)};
    return 1;
}
