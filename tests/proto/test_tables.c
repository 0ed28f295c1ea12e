/* covers: B03
 * Rules that every schema table must obey. The struct must be covered by its
 * rows: a forgotten field leaves a gap that no alignment explains. (A forgotten
 * field that hides in padding is caught by the golden bytes of its message.) */
#include <criterion/criterion.h>

#include "base/fmt.h"
#include "proto/api.h"
#include "proto/data.h"
#include "proto/field.h"
#include "tests/proto/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/layouts.inc"

static size_t kind_size(const struct kw_field *f)
{
    switch ((enum kw_kind)f->kind) {
    case KWI_BOOL: return sizeof(bool);
    case KWI_I8: return 1;
    case KWI_I16:
    case KWI_U16: return 2;
    case KWI_I32:
    case KWI_U32: return 4;
    case KWI_I64:
    case KWI_F64: return 8;
    case KWI_UUID: return sizeof(struct kw_uuid);
    case KWI_STR: return sizeof(struct kw_str);
    case KWI_BLOB: return sizeof(struct kw_blob);
    case KWI_RECORDS: return sizeof(struct kw_record_set);
    case KWI_ARRAY: return sizeof(struct kw_arr);
    case KWI_STRUCT: return f->sub->size;
    }
    return 0;
}

#define RULE(cond) cr_expect(cond, "%s.%s breaks: %s", s->name, f->name, #cond)

static void check_values(const struct kw_schema *s, const struct kw_field *f)
{
    static const int64_t max[] = {
        [KWI_BOOL] = 1,         [KWI_I8] = INT8_MAX,   [KWI_I16] = INT16_MAX,
        [KWI_U16] = UINT16_MAX, [KWI_I32] = INT32_MAX, [KWI_U32] = UINT32_MAX,
        [KWI_I64] = INT64_MAX,  [KWI_F64] = 0,         [KWI_UUID] = 0};
    bool slice = f->kind >= KWI_STR && f->kind <= KWI_ARRAY;
    bool nullable = f->null_since != KWI_NOT_NULL;
    RULE(slice || f->kind == KWI_STRUCT || !nullable);
    RULE(f->def != KWI_NULL || nullable || !(slice || f->kind == KWI_STRUCT));
    RULE(!(slice || f->kind == KWI_STRUCT) || f->def == 0 || f->def == KWI_NULL);
    if (f->kind <= KWI_UUID)
        RULE(f->def <= max[f->kind] && f->def >= -max[f->kind] - 1);
    RULE((f->kind == KWI_ARRAY || f->kind == KWI_STRUCT) == (f->sub != NULL));
    RULE(f->kind != KWI_ARRAY || f->sub->size <= KWI_ELEM_MAX);
    RULE(s->n_fields <= KWI_FIELDS_MAX);
    RULE(f->kind != KWI_STRUCT || !f->sub->bare);
}

/* A nullable struct starts with its `present` flag, which has no row. */
static void check_schema(const struct kw_schema *s, int flex_since, unsigned depth, bool nullable)
{
    size_t end = nullable ? sizeof(bool) : 0;
    int last_tag = -1;
    const struct kw_field *f = s->fields;
    RULE(depth <= KWI_DEPTH_MAX && s->n_fields > 0 && s->since <= s->until);
    for (; f < s->fields + s->n_fields; f++) {
        size_t size = kind_size(f), align = size >= 8 ? 8 : size;
        if (f->kind == KWI_UUID)
            align = 1;
        if (f->kind == KWI_STRUCT)
            align = 8;
        RULE(f->offset >= end);        /* rows in struct order, no overlap */
        RULE(f->offset - end < align); /* no field without a row */
        RULE(f->since <= f->until);
        RULE(f->tag < 64); /* the decoder remembers them in a word */
        RULE(f->tag < 0 || (f->tag > last_tag && flex_since <= f->since));
        check_values(s, f);
        if (f->tag >= 0)
            last_tag = f->tag;
        end = f->offset + size;
        if (f->sub)
            check_schema(f->sub, flex_since, depth + 1, kwi_field_may_be_absent(f));
    }
    f = s->fields;
    RULE(s->bare || s->size - end < 8);
}

Test(tables, every_schema_obeys_the_rules)
{
    size_t n;
    const struct kw_api_info *api = kwi_api_list(&n);
    for (size_t i = 0; i < n; i++) {
        const struct kw_schema *both[] = {api[i].request, api[i].response};
        for (int k = 0; k < 2; k++) {
            check_schema(both[k], both[k]->flex_since, 1, false);
            cr_expect_leq(both[k]->size, MESSAGE_MAX, "%s", both[k]->name);
            cr_expect_eq(both[k]->since, api[i].min, "%s", both[k]->name);
            cr_expect_eq(both[k]->until, api[i].max, "%s", both[k]->name);
            cr_expect_eq(both[k]->flex_since, api[i].flex_since, "%s", both[k]->name);
        }
    }
}

Test(tables, every_blob_obeys_the_rules)
{
    size_t n;
    const struct kw_data_info *data = kwi_data_list(&n);
    for (size_t i = 0; i < n; i++) {
        check_schema(data[i].schema, data[i].schema->flex_since, 1, false);
        cr_expect_leq(data[i].schema->size, MESSAGE_MAX, "%s", data[i].name);
        cr_expect_eq(kwi_data_info(data[i].name), &data[i]);
    }
    cr_expect_null(kwi_data_info("ConsumerProtocol"));
}

Test(tables, an_initialised_message_holds_its_defaults_and_encodes_where_no_name_is_needed)
{
    size_t n;
    const struct kw_api_info *api = kwi_api_list(&n);
    for (size_t i = 0; i < n; i++) {
        const struct kw_schema *both[] = {api[i].request, api[i].response};
        for (int k = 0; k < 2; k++) {
            union message msg;
            memset(&msg, 0xa5, sizeof msg);
            kwi_init(both[k], &msg);
            for (const struct kw_field *f = both[k]->fields;
                 f < both[k]->fields + both[k]->n_fields; f++)
                cr_expect(kwi_field_is_default(f, msg.bytes + f->offset), "%s.%s", both[k]->name,
                          f->name);
            for (int version = api[i].min; version <= api[i].max; version++) {
                union message again;
                size_t len;
                int err;
                uint8_t *block = message_encode(both[k], version, &msg, &len, &err);
                cr_assert_not_null(block, "%s v%d: %d", both[k]->name, version, err);
                cr_expect_eq(kwi_decode(both[k], version, block, len, &again, NULL), 0, "%s v%d",
                             both[k]->name, version);
                free(block);
            }
        }
    }
}

Test(tables, an_unknown_version_is_refused_both_ways)
{
    size_t n;
    const struct kw_api_info *api = kwi_api_list(&n);
    for (size_t i = 0; i < n; i++) {
        const int versions[] = {-1, api[i].min - 1, api[i].max + 1, 127, 32767};
        for (int k = 0; k < 5; k++) {
            union message msg;
            struct kw_fault fault;
            struct kw_wr w = kwi_wr_make(NULL, 0);
            kwi_init(api[i].request, &msg);
            cr_expect_eq(kwi_encode(api[i].request, versions[k], &msg, &w), KW_ERR_VERSION);
            cr_expect_eq(kwi_decode(api[i].request, versions[k], NULL, 0, &msg, &fault),
                         KW_ERR_VERSION);
            cr_expect_eq(fault.offset, 0);
        }
    }
}

/* ---- the tables in the words of Kafka's own schemas ------------------------ */

static void put_text(struct kw_wr *w, const char *text)
{
    kwi_wr_put(w, text, strlen(text));
}

static void put_layout(struct kw_wr *w, const struct kw_schema *s, int version);

static void put_type(struct kw_wr *w, const struct kw_field *f, int version)
{
    static const char *const names[] = {
        [KWI_BOOL] = "boolean", [KWI_I8] = "int8",     [KWI_I16] = "int16",
        [KWI_U16] = "uint16",   [KWI_I32] = "int32",   [KWI_U32] = "uint32",
        [KWI_I64] = "int64",    [KWI_F64] = "float64", [KWI_UUID] = "uuid",
        [KWI_STR] = "string",   [KWI_BLOB] = "bytes",  [KWI_RECORDS] = "records"};
    const char *close = f->kind == KWI_ARRAY ? "]" : "";
    if (f->kind == KWI_ARRAY)
        put_text(w, "[");
    if (f->sub && f->sub->bare) {
        put_type(w, f->sub->fields, version);
    } else if (f->sub) {
        put_text(w, "{");
        put_layout(w, f->sub, version);
        put_text(w, "}");
    } else {
        put_text(w, names[f->kind]);
    }
    put_text(w, close);
    if (version >= f->null_since)
        put_text(w, "?");
}

static void put_layout(struct kw_wr *w, const struct kw_schema *s, int version)
{
    const char *space = "";
    for (int tagged = 0; tagged < 2; tagged++)
        for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
            char tag[16];
            if (!kwi_field_in(f, version) || (f->tag >= 0) != tagged)
                continue;
            kwi_fmt(tag, sizeof tag, "#%d ", f->tag);
            put_text(w, space);
            put_text(w, tagged ? tag : "");
            put_text(w, f->name);
            put_text(w, ":");
            put_type(w, f, version);
            space = " ";
        }
}

Test(tables, every_version_has_kafkas_fields_types_order_nulls_and_tags)
{
    static uint8_t text[8192];
    size_t n_apis, n = 0, want = 0;
    size_t n_data;
    const struct kw_data_info *data_list = kwi_data_list(&n_data);
    const struct kw_api_info *apis = kwi_api_list(&n_apis);
    for (size_t i = 0; i < VECTOR_COUNT(vector_layouts); i++) {
        const struct vector_layout *v = &vector_layouts[i];
        const struct kw_api_info *api = kwi_api_info(v->api_key);
        const struct kw_data_info *data = v->data ? kwi_data_info(v->data) : NULL;
        cr_assert(v->data ? data != NULL : api != NULL, "no table of key %d, %s", v->api_key,
                  v->data);
        const struct kw_schema *s = data            ? data->schema
                                    : v->is_request ? api->request
                                                    : api->response;
        struct kw_wr w = kwi_wr_make(text, sizeof text - 1);
        put_layout(&w, s, v->version);
        cr_assert_eq(kwi_wr_status(&w), 0);
        text[w.len] = 0;
        cr_expect_str_eq((char *)text, v->text, "%s v%d", s->name, v->version);
        n++;
    }
    for (size_t i = 0; i < n_apis; i++)
        want += 2 * (size_t)(apis[i].max - apis[i].min + 1);
    for (size_t i = 0; i < n_data; i++)
        if (!strstr(data_list[i].name, "Sticky")) /* Kafka's definitions lack these */
            want += (size_t)(data_list[i].schema->until - data_list[i].schema->since + 1);
    cr_expect_eq(n, want, "every version is among them");
}
