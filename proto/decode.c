/* proto/decode.c -- the one decoder of every message.
 *
 * One walk serves both uses: with obj or dst NULL it only checks the bytes. An
 * array is checked when its message is decoded and read later by kw_iter; if
 * the two were separate code, a difference between them would be a hole.
 *
 * After a failure every function returns at once, so that the steps still say
 * where it happened. Recursion is as deep as a table (KWI_DEPTH_MAX). */
#include "base/assert.h"
#include "base/fmt.h"
#include "proto/field.h"

struct schema_step {
    const struct kw_field *field; /* NULL: the tag section */
    int32_t index;                /* element of an array, or -1 */
};

struct schema_dec {
    struct kw_rd r;
    int version;
    bool compact;
    unsigned depth; /* steps in use, from 1 */
    struct schema_step steps[KWI_DEPTH_MAX + 1];
};

static void dec_struct(struct schema_dec *d, const struct kw_schema *s, uint8_t *obj);

static int32_t dec_len(struct schema_dec *d, const struct kw_field *f, unsigned width)
{
    const uint8_t *start = d->r.p;
    int32_t n = kwi_rd_len(&d->r, width, d->compact);
    if (n < 0 && d->version < f->null_since) {
        d->r.p = start;
        kwi_rd_fail(&d->r, KW_ERR_NULL, 0);
    }
    return n;
}

static void dec_store(const struct kw_field *f, const uint8_t *b, uint8_t *dst)
{
    uint64_t u;
    switch (kwi_kind_width(f->kind)) {
    case 1: u = *b; break;
    case 2: u = kwi_get_u16(b); break;
    case 4: u = kwi_get_u32(b); break;
    default: u = kwi_get_u64(b); break;
    }
    kwi_number_store(f->kind, dst, u);
}

static void dec_number(struct schema_dec *d, const struct kw_field *f, uint8_t *dst)
{
    const uint8_t *b = kwi_rd_take(&d->r, kwi_kind_width(f->kind));
    if (b && dst)
        dec_store(f, b, dst);
}

static void dec_slice(struct schema_dec *d, const struct kw_field *f, uint8_t *dst)
{
    int32_t n = dec_len(d, f, f->kind == KWI_STR ? 2 : 4);
    const uint8_t *b = kwi_rd_take(&d->r, n > 0 ? (size_t)n : 0);
    if (!dst || d->r.err)
        return;
    if (n < 0)
        b = NULL;
    if (f->kind == KWI_STR)
        memcpy(dst, &(struct kw_str){(const char *)b, n}, sizeof(struct kw_str));
    else if (f->kind == KWI_BLOB)
        memcpy(dst, &(struct kw_blob){b, n}, sizeof(struct kw_blob));
    else
        memcpy(dst, &(struct kw_record_set){.ptr = b, .len = n}, sizeof(struct kw_record_set));
}

static void dec_items(struct schema_dec *d, const struct kw_field *f, int32_t n)
{
    const struct kw_schema *e = f->sub;
    struct schema_step *step = &d->steps[d->depth];
    uint64_t width = e->bare ? kwi_kind_width(e->fields->kind) : 0;
    if (width) {
        uint64_t size = width * (uint64_t)n;
        if (size > kwi_rd_left(&d->r))
            kwi_rd_fail(&d->r, KW_ERR_SHORT, size);
        else
            kwi_rd_take(&d->r, (size_t)size);
        return;
    }
    for (int32_t i = 0; i < n && !d->r.err; i++) {
        step->index = i;
        dec_struct(d, e, NULL);
    }
    if (!d->r.err)
        step->index = -1;
}

static void dec_array(struct schema_dec *d, const struct kw_field *f, uint8_t *dst)
{
    int32_t n = dec_len(d, f, 4);
    const uint8_t *wire = d->r.p;
    struct kw_arr arr;
    if (!d->r.err && n > 0)
        dec_items(d, f, n);
    if (!dst || d->r.err)
        return;
    arr = (struct kw_arr){.wire = wire,
                          .wire_end = d->r.p,
                          .elem = f->sub,
                          .n = n,
                          .version = (int8_t)d->version,
                          .compact = d->compact};
    memcpy(dst, &arr, sizeof arr);
}

static void dec_sub(struct schema_dec *d, const struct kw_field *f, uint8_t *dst)
{
    bool present = true;
    if (kwi_field_has_marker(f, d->version)) {
        int8_t marker = (int8_t)kwi_rd_u8(&d->r);
        if (!d->r.err && marker != -1 && marker != 1) {
            d->r.p--;
            kwi_rd_fail(&d->r, KW_ERR_LENGTH, 0);
        }
        present = marker == 1;
    }
    if (d->r.err)
        return;
    if (present)
        dec_struct(d, f->sub, dst);
    else if (dst)
        kwi_init(f->sub, dst);
    if (dst && kwi_field_may_be_absent(f))
        memcpy(dst, &present, sizeof present);
}

static void dec_value(struct schema_dec *d, const struct kw_field *f, uint8_t *dst)
{
    const uint8_t *b;
    d->steps[d->depth].field = f;
    switch ((enum kw_kind)f->kind) {
    case KWI_BOOL:
    case KWI_I8:
    case KWI_I16:
    case KWI_U16:
    case KWI_I32:
    case KWI_U32:
    case KWI_I64:
    case KWI_F64: dec_number(d, f, dst); break;
    case KWI_UUID:
        b = kwi_rd_take(&d->r, sizeof(struct kw_uuid));
        if (b && dst)
            memcpy(dst, b, sizeof(struct kw_uuid));
        break;
    case KWI_STR:
    case KWI_BLOB:
    case KWI_RECORDS: dec_slice(d, f, dst); break;
    case KWI_ARRAY: dec_array(d, f, dst); break;
    case KWI_STRUCT: dec_sub(d, f, dst); break;
    }
}

static const struct kw_field *schema_find_tag(const struct kw_schema *s, uint32_t tag, int version)
{
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++)
        if (f->tag >= 0 && (uint32_t)f->tag == tag && kwi_field_in(f, version))
            return f;
    return NULL;
}

/* One known tag, decoded within its own bounds. */
static void dec_known_tag(struct schema_dec *d, const struct kw_field *f, const uint8_t *body,
                          uint8_t *obj)
{
    const uint8_t *end = d->r.end, *stop = d->r.p;
    d->r.p = body;
    d->r.end = stop;
    dec_value(d, f, obj ? obj + f->offset : NULL);
    if (!d->r.err && d->r.p != stop)
        kwi_rd_fail(&d->r, KW_ERR_TAGS, 0);
    if (!d->r.err)
        d->r.end = end;
}

/* Tagged fields: known ones fill obj, unknown ones are skipped. KIP-482 asks for
 * ascending tags, but brokers other than Apache's have sent them in any order,
 * and nothing is ambiguous then. A tag that stands twice is: all tags that exist
 * are below 64, so that one word remembers them; above, neighbours only. */
static void dec_tags(struct schema_dec *d, const struct kw_schema *s, uint8_t *obj)
{
    uint64_t seen = 0;
    int64_t last = -1;
    d->steps[d->depth] = (struct schema_step){NULL, -1};
    for (uint32_t n = kwi_rd_uvarint(&d->r); n; n--) {
        const uint8_t *start = d->r.p;
        uint32_t tag = kwi_rd_uvarint(&d->r);
        uint32_t size = kwi_rd_uvarint(&d->r);
        const uint8_t *body = kwi_rd_take(&d->r, size);
        uint64_t bit = tag < 64 ? (uint64_t)1 << tag : 0;
        const struct kw_field *f;
        if (!body)
            return;
        if ((int64_t)tag == last || (seen & bit)) {
            d->r.p = start;
            kwi_rd_fail(&d->r, KW_ERR_TAGS, 0);
            return;
        }
        last = tag;
        seen |= bit;
        f = schema_find_tag(s, tag, d->version);
        if (f)
            dec_known_tag(d, f, body, obj);
        if (d->r.err)
            return;
        d->steps[d->depth].field = NULL;
    }
}

static void dec_struct(struct schema_dec *d, const struct kw_schema *s, uint8_t *obj)
{
    KWI_ASSERT(d->depth < KWI_DEPTH_MAX);
    d->steps[++d->depth] = (struct schema_step){NULL, -1};
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
        if (f->tag < 0 && kwi_field_in(f, d->version)) {
            dec_value(d, f, obj ? obj + f->offset : NULL);
            if (d->r.err)
                return;
        } else if (obj) {
            kwi_field_init(f, obj + f->offset);
        }
    }
    if (!s->bare && d->compact)
        dec_tags(d, s, obj);
    if (!d->r.err)
        d->depth--;
}

/* ---- faults -------------------------------------------------------------- */

static void fault_fill(struct kw_fault *fault, const struct schema_dec *d,
                       const struct kw_schema *s, const uint8_t *buf)
{
    size_t len = 0;
    *fault = (struct kw_fault){.err = d->r.err,
                               .version = d->version,
                               .message = s->name,
                               .offset = (size_t)(d->r.p - buf),
                               .needed = d->r.needed,
                               .left = d->r.left};
    for (unsigned i = 1; i <= d->depth && len < sizeof fault->path; i++) {
        const struct schema_step *step = &d->steps[i];
        const struct kw_field *outer = i > 1 ? step[-1].field : NULL;
        /* A plain element is a struct of one field in the tables only. */
        if (outer && outer->sub->bare)
            break;
        len += kwi_fmt(fault->path + len, sizeof fault->path - len, "%s%s", i > 1 ? "." : "",
                       step->field ? step->field->name : "(tags)");
        if (step->index >= 0 && len < sizeof fault->path)
            len += kwi_fmt(fault->path + len, sizeof fault->path - len, "[%d]", (int)step->index);
    }
}

static int dec_message(const struct kw_schema *schema, int version, const uint8_t *buf, size_t len,
                       void *msg, size_t *used, struct kw_fault *fault)
{
    struct schema_dec d;
    d.r = kwi_rd_make(buf, len);
    d.version = version;
    d.compact = version >= schema->flex_since;
    d.depth = 0;
    if (version < schema->since || version > schema->until) {
        kwi_rd_fail(&d.r, KW_ERR_VERSION, 0);
    } else {
        dec_struct(&d, schema, msg);
        if (!d.r.err && d.r.p != d.r.end && !used)
            kwi_rd_fail(&d.r, KW_ERR_TRAILING, 0);
    }
    if (used)
        *used = (size_t)(d.r.p - buf);
    if (d.r.err && fault)
        fault_fill(fault, &d, schema, buf);
    return d.r.err;
}

int kwi_decode(const struct kw_schema *schema, int version, const uint8_t *buf, size_t len,
               void *msg, struct kw_fault *fault)
{
    return dec_message(schema, version, buf, len, msg, NULL, fault);
}

int kwi_decode_first(const struct kw_schema *schema, int version, const uint8_t *buf, size_t len,
                     void *msg, size_t *used, struct kw_fault *fault)
{
    return dec_message(schema, version, buf, len, msg, used, fault);
}

/* ---- arrays -------------------------------------------------------------- */

void kwi_iter_init(struct kw_iter *it, const struct kw_arr *arr)
{
    KWI_ASSERT(!arr->items);
    *it = (struct kw_iter){.rd = {.p = arr->wire, .end = arr->wire_end},
                           .elem = arr->elem,
                           .left = arr->wire ? arr->n : 0,
                           .version = arr->version,
                           .compact = arr->compact};
}

bool kwi_iter_next(struct kw_iter *it, void *elem)
{
    const struct kw_field *number;
    struct schema_dec d;
    if (it->left <= 0)
        return false;
    number = kwi_elem_number(it->elem);
    if (number) {
        const uint8_t *b = kwi_rd_take(&it->rd, kwi_kind_width(number->kind));
        it->left--;
        if (b)
            dec_store(number, b, elem);
        return b;
    }
    d.r = it->rd;
    d.version = it->version;
    d.compact = it->compact;
    d.depth = 0;
    dec_struct(&d, it->elem, elem);
    KWI_ASSERT(!d.r.err);
    it->rd = d.r;
    it->left--;
    return !d.r.err;
}
