/* proto/encode.c -- the one encoder of every message. Recursion is as deep as a
 * table (KWI_DEPTH_MAX). */
#include "base/assert.h"
#include "proto/field.h"

struct schema_enc {
    struct kw_wr *w;
    int version;
    bool compact;
};

static void enc_struct(const struct schema_enc *e, const struct kw_schema *s, const uint8_t *obj);

static void enc_len(const struct schema_enc *e, const struct kw_field *f, int32_t n, unsigned width)
{
    if (n == -1 && e->version < f->null_since)
        kwi_wr_fail(e->w, KW_ERR_NULL);
    kwi_wr_len(e->w, n, width, e->compact);
}

/* src is the caller's own struct, so that a cut may point at it. */
static void enc_records(const struct schema_enc *e, const struct kw_field *f, const uint8_t *src)
{
    struct kw_wr *w = e->w;
    struct kw_record_set records;
    size_t sum = 0;
    memcpy(&records, src, sizeof records);
    enc_len(e, f, records.len, 4);
    if (records.len <= 0)
        return;
    for (uint32_t i = 0; records.iov && i < records.n_iov; i++)
        sum += records.iov[i].len;
    if (records.iov && sum != (size_t)records.len) {
        kwi_wr_fail(w, KW_ERR_LENGTH);
        return;
    }
    if (w->cuts) {
        if (w->n_cuts == w->cuts_cap || w->cut_len > (size_t)INT32_MAX - (size_t)records.len) {
            kwi_wr_fail(w, KW_ERR_SPACE);
            return;
        }
        w->cuts[w->n_cuts++] = (struct kw_cut){w->len,
                                               (const struct kw_record_set *)(const void *)src};
        w->cut_len += (size_t)records.len;
        return;
    }
    for (uint32_t i = 0; records.iov && i < records.n_iov; i++)
        kwi_wr_put(w, records.iov[i].base, records.iov[i].len);
    if (!records.iov)
        kwi_wr_put(w, records.ptr, (size_t)records.len);
}

static void enc_number(struct kw_wr *w, const struct kw_field *f, const uint8_t *src);

static void enc_items(const struct schema_enc *e, const struct kw_schema *sub,
                      const struct kw_arr *arr)
{
    const struct kw_field *number = kwi_elem_number(sub);
    const uint8_t *item = arr->items;
    if (number)
        for (int32_t i = 0; i < arr->n; i++, item += sub->size)
            enc_number(e->w, number, item);
    else
        for (int32_t i = 0; i < arr->n && !e->w->err; i++, item += sub->size)
            enc_struct(e, sub, item);
}

static void enc_array(const struct schema_enc *e, const struct kw_field *f, const uint8_t *src)
{
    _Alignas(8) uint8_t elem[KWI_ELEM_MAX];
    struct kw_cut *cuts = e->w->cuts;
    struct kw_iter it;
    struct kw_arr arr;
    memcpy(&arr, src, sizeof arr);
    enc_len(e, f, arr.n, 4);
    if (arr.items || arr.n <= 0) {
        enc_items(e, f->sub, &arr);
        return;
    }
    if (!arr.wire || arr.elem != f->sub) {
        kwi_wr_fail(e->w, KW_ERR_LENGTH);
        return;
    }
    KWI_ASSERT(f->sub->size <= KWI_ELEM_MAX);
    /* A cut must not point at the element here on the stack: copy inline. */
    e->w->cuts = NULL;
    kwi_iter_init(&it, &arr);
    while (!e->w->err && kwi_iter_next(&it, elem))
        enc_struct(e, f->sub, elem);
    e->w->cuts = cuts;
}

static void enc_number(struct kw_wr *w, const struct kw_field *f, const uint8_t *src)
{
    uint64_t u = kwi_number_load(f->kind, src);
    switch (kwi_kind_width(f->kind)) {
    case 1: kwi_wr_u8(w, (uint8_t)u); break;
    case 2: kwi_wr_u16(w, (uint16_t)u); break;
    case 4: kwi_wr_u32(w, (uint32_t)u); break;
    default: kwi_wr_u64(w, u); break;
    }
}

static void enc_sub(const struct schema_enc *e, const struct kw_field *f, const uint8_t *src)
{
    bool present = true;
    if (kwi_field_may_be_absent(f))
        memcpy(&present, src, sizeof present);
    if (!present && !kwi_field_has_marker(f, e->version))
        kwi_wr_fail(e->w, KW_ERR_NULL);
    if (kwi_field_has_marker(f, e->version))
        kwi_wr_u8(e->w, present ? 1 : 0xff);
    if (present)
        enc_struct(e, f->sub, src);
}

static void enc_value(const struct schema_enc *e, const struct kw_field *f, const uint8_t *src)
{
    struct kw_wr *w = e->w;
    struct kw_str str;
    struct kw_blob blob;
    switch ((enum kw_kind)f->kind) {
    case KWI_BOOL:
    case KWI_I8:
    case KWI_I16:
    case KWI_U16:
    case KWI_I32:
    case KWI_U32:
    case KWI_I64:
    case KWI_F64: enc_number(w, f, src); break;
    case KWI_UUID: kwi_wr_put(w, src, sizeof(struct kw_uuid)); break;
    case KWI_STR:
        memcpy(&str, src, sizeof str);
        enc_len(e, f, str.len, 2);
        kwi_wr_put(w, str.ptr, str.len > 0 ? (size_t)str.len : 0);
        break;
    case KWI_BLOB:
        memcpy(&blob, src, sizeof blob);
        enc_len(e, f, blob.len, 4);
        kwi_wr_put(w, blob.ptr, blob.len > 0 ? (size_t)blob.len : 0);
        break;
    case KWI_RECORDS: enc_records(e, f, src); break;
    case KWI_ARRAY: enc_array(e, f, src); break;
    case KWI_STRUCT: enc_sub(e, f, src); break;
    }
}

/* Tags are written in ascending order: their rows are in that order. */
static void enc_tags(const struct schema_enc *e, const struct kw_schema *s, const uint8_t *obj)
{
    const struct kw_field *end = s->fields + s->n_fields;
    uint32_t n = 0;
    for (const struct kw_field *f = s->fields; f < end; f++)
        n += f->tag >= 0 && kwi_field_in(f, e->version) &&
             !kwi_field_is_default(f, obj + f->offset);
    kwi_wr_uvarint(e->w, n);
    for (const struct kw_field *f = s->fields; n && f < end; f++) {
        struct kw_wr size = {.buf = NULL}; /* measures only */
        const struct schema_enc measure = {&size, e->version, e->compact};
        if (f->tag < 0 || !kwi_field_in(f, e->version) || kwi_field_is_default(f, obj + f->offset))
            continue;
        enc_value(&measure, f, obj + f->offset);
        kwi_wr_uvarint(e->w, (uint64_t)f->tag);
        kwi_wr_uvarint(e->w, size.len);
        enc_value(e, f, obj + f->offset);
    }
}

/* A field that the version lacks must hold its default: silently dropping, say,
 * a group instance id would turn a static member into a dynamic one. */
static void enc_struct(const struct schema_enc *e, const struct kw_schema *s, const uint8_t *obj)
{
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
        const uint8_t *src = obj + f->offset;
        if (!kwi_field_in(f, e->version)) {
            if (!(f->flags & KWI_IGNORABLE) && !kwi_field_is_default(f, src))
                kwi_wr_fail(e->w, KW_ERR_VERSION);
        } else if (f->tag < 0) {
            enc_value(e, f, src);
        }
    }
    if (!s->bare && e->compact)
        enc_tags(e, s, obj);
}

int kwi_encode(const struct kw_schema *schema, int version, const void *msg, struct kw_wr *w)
{
    const struct schema_enc e = {w, version, version >= schema->flex_since};
    if (version < schema->since || version > schema->until)
        kwi_wr_fail(w, KW_ERR_VERSION);
    else if (!w->err)
        enc_struct(&e, schema, msg);
    return kwi_wr_status(w);
}
