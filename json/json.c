/* json/json.c -- see json.h.
 *
 * The members of an object are passed once, to remember where the value of each
 * row stands; then the rows are encoded in their order, each from its place. A
 * count comes before its elements, and the size of a tagged field before its
 * bytes, so both are measured first. Recursion is as deep as a table. */
#include "json/json.h"

#include "base/float_text.h"
#include "base/fmt.h"
#include "proto/field.h"
#include "json/json_text.h"
#include "json/print.h"

struct json_step {
    const struct kw_field *field;
    int32_t index; /* element of an array, or -1 */
};

struct json_enc {
    struct kw_jtext t;
    int version;
    bool compact;
    unsigned depth; /* steps in use, from 1 */
    struct json_step steps[KWI_DEPTH_MAX + 1];
};

static void json_struct(struct json_enc *e, const struct kw_schema *s, struct kw_wr *w);
static void json_value(struct json_enc *e, const struct kw_field *f, struct kw_wr *w);

/* Takes null where it is allowed. */
static bool json_null(struct json_enc *e, const struct kw_field *f)
{
    const uint8_t *start;
    (void)kwi_jtext_peek(&e->t);
    start = e->t.p;
    if (!kwi_jtext_word(&e->t, "null"))
        return false;
    if (e->version < f->null_since) {
        e->t.p = start;
        kwi_jtext_fail(&e->t, KW_ERR_NULL, "it is null, which this version forbids");
    }
    return true;
}

static void json_number(struct json_enc *e, const struct kw_field *f, struct kw_wr *w)
{
    unsigned bits = 8 * kwi_kind_width(f->kind);
    bool is_unsigned = f->kind == KWI_U16 || f->kind == KWI_U32;
    int64_t max = is_unsigned ? (int64_t)((uint64_t)-1 >> (64 - bits))
                              : (int64_t)((uint64_t)INT64_MAX >> (64 - bits));
    uint64_t u = 0;
    if (f->kind != KWI_BOOL)
        u = (uint64_t)kwi_jtext_int(&e->t, is_unsigned ? 0 : -max - 1, max);
    else if (kwi_jtext_word(&e->t, "true"))
        u = 1;
    else if (!kwi_jtext_word(&e->t, "false"))
        kwi_jtext_fail(&e->t, KW_ERR_SYNTAX, "true or false is expected");
    switch (bits) {
    case 8: kwi_wr_u8(w, (uint8_t)u); break;
    case 16: kwi_wr_u16(w, (uint16_t)u); break;
    case 32: kwi_wr_u32(w, (uint32_t)u); break;
    default: kwi_wr_u64(w, u); break;
    }
}

/* What is no number stands in quotes, as print.c puts it. */
static void json_double(struct json_enc *e, struct kw_wr *w)
{
    const uint8_t *start = e->t.p;
    double value = 0;
    uint64_t bits;
    bool whole, quoted = kwi_jtext_peek(&e->t) == '"';
    size_t len;
    if (quoted) {
        start = e->t.p + 1;
        (void)kwi_jtext_string(&e->t);
        len = (size_t)(e->t.p - start) - (e->t.err ? 0 : 1);
        /* NaN, Infinity, -Infinity: a number needs no quotes. */
        if (len == 0 || start[len - 1] <= '9')
            kwi_jtext_fail(&e->t, KW_ERR_SYNTAX, "a number is expected");
    } else {
        kwi_jtext_number(&e->t, &start, &whole);
        len = (size_t)(e->t.p - start);
    }
    if (!e->t.err && kwi_f64_parse((const char *)start, len, &value)) {
        e->t.p = start;
        kwi_jtext_fail(&e->t, KW_ERR_SYNTAX, "no number, or none that a double can hold");
    }
    memcpy(&bits, &value, sizeof bits);
    kwi_wr_u64(w, bits);
}

static void json_uuid(struct json_enc *e, struct kw_wr *w)
{
    struct kw_jstring s = kwi_jtext_string(&e->t);
    if (!e->t.err && s.left != 22)
        kwi_jtext_fail(&e->t, KW_ERR_SYNTAX, "no uuid: 22 characters of base64 are expected");
    (void)kwi_jtext_base64(&e->t, s, true, w);
}

/* A string, bytes or records. */
static void json_slice(struct json_enc *e, const struct kw_field *f, struct kw_wr *w)
{
    struct kw_wr measure = {.buf = NULL};
    unsigned width = f->kind == KWI_STR ? 2 : 4;
    struct kw_jstring s;
    size_t len;
    if (json_null(e, f)) {
        kwi_wr_len(w, -1, width, e->compact);
        return;
    }
    s = kwi_jtext_string(&e->t);
    len = f->kind == KWI_STR ? s.left : kwi_jtext_base64(&e->t, s, false, &measure);
    if (len > (f->kind == KWI_STR ? KWI_STRING_MAX : INT32_MAX))
        kwi_jtext_fail(&e->t, KW_ERR_LENGTH, "it is too long");
    if (e->t.err)
        return;
    kwi_wr_len(w, (int32_t)len, width, e->compact);
    if (f->kind != KWI_STR)
        (void)kwi_jtext_base64(&e->t, s, false, w);
    else
        while (s.left)
            kwi_wr_u8(w, kwi_jstring_next(&s));
}

/* How many elements an array has. t stands behind its bracket. */
static int32_t json_count(struct kw_jtext t)
{
    int32_t n = 0;
    if (kwi_jtext_peek(&t) == ']')
        return 0;
    do {
        kwi_jtext_skip(&t);
        n++;
    } while (kwi_jtext_take(&t, ',') && n < INT32_MAX);
    return n; /* after a fault too: reading the elements finds it again */
}

static void json_array(struct json_enc *e, const struct kw_field *f, struct kw_wr *w)
{
    const struct kw_schema *sub = f->sub;
    struct json_step *step = &e->steps[e->depth];
    int32_t n;
    if (json_null(e, f)) {
        kwi_wr_len(w, -1, 4, e->compact);
        return;
    }
    kwi_jtext_expect(&e->t, '[', "an array is expected");
    n = json_count(e->t);
    kwi_wr_len(w, n, 4, e->compact);
    for (int32_t i = 0; i < n && !e->t.err; i++) {
        step->index = i;
        if (i)
            kwi_jtext_expect(&e->t, ',', "',' or ']' is expected");
        if (sub->bare)
            json_value(e, sub->fields, w);
        else
            json_struct(e, sub, w);
    }
    if (!e->t.err)
        step->index = -1;
    kwi_jtext_expect(&e->t, ']', "',' or ']' is expected");
}

static void json_value(struct json_enc *e, const struct kw_field *f, struct kw_wr *w)
{
    switch ((enum kw_kind)f->kind) {
    case KWI_BOOL:
    case KWI_I8:
    case KWI_I16:
    case KWI_U16:
    case KWI_I32:
    case KWI_U32:
    case KWI_I64: json_number(e, f, w); break;
    case KWI_F64: json_double(e, w); break;
    case KWI_UUID: json_uuid(e, w); break;
    case KWI_STR:
    case KWI_BLOB:
    case KWI_RECORDS: json_slice(e, f, w); break;
    case KWI_ARRAY: json_array(e, f, w); break;
    case KWI_STRUCT:
        if (!kwi_field_has_marker(f, e->version)) {
            json_struct(e, f->sub, w);
        } else if (json_null(e, f)) {
            kwi_wr_u8(w, (uint8_t)-1);
        } else {
            kwi_wr_u8(w, 1);
            json_struct(e, f->sub, w);
        }
        break;
    }
}

/* ---- objects --------------------------------------------------------------- */

/* The row that a member's name means, or NULL after a failure. Rows of different
 * versions may have one name (KWI_NAMED). */
static const struct kw_field *json_row(struct json_enc *e, const struct kw_schema *s)
{
    const struct kw_field *other = NULL;
    const uint8_t *start;
    struct kw_jstring name;
    (void)kwi_jtext_peek(&e->t);
    start = e->t.p;
    name = kwi_jtext_string(&e->t);
    if (e->t.err)
        return NULL;
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
        if (!kwi_jstring_is(name, f->name))
            continue;
        if (kwi_field_in(f, e->version))
            return f;
        other = f;
    }
    e->t.p = start;
    if (other) {
        e->steps[e->depth].field = other;
        kwi_jtext_fail(&e->t, KW_ERR_VERSION, "this version has no such field");
        return NULL;
    }
    kwi_jtext_fail(&e->t, KW_ERR_SYNTAX, "the message has no such field");
    return NULL;
}

/* Finds the value of each row; NULL where there is none. */
static void json_members(struct json_enc *e, const struct kw_schema *s, const uint8_t **at)
{
    kwi_jtext_expect(&e->t, '{', "an object is expected");
    if (e->t.err || kwi_jtext_take(&e->t, '}'))
        return;
    do {
        const struct kw_field *f = json_row(e, s);
        if (!f)
            return;
        e->steps[e->depth].field = f;
        if (at[f - s->fields])
            kwi_jtext_fail(&e->t, KW_ERR_SYNTAX, "the field stands twice");
        kwi_jtext_expect(&e->t, ':', "':' is expected");
        (void)kwi_jtext_peek(&e->t);
        at[f - s->fields] = e->t.p;
        kwi_jtext_skip(&e->t);
        if (!e->t.err)
            e->steps[e->depth].field = NULL;
    } while (kwi_jtext_take(&e->t, ','));
    kwi_jtext_expect(&e->t, '}', "',' or '}' is expected");
}

/* One row's value from its place. What follows it was passed already. */
static void json_at(struct json_enc *e, const struct kw_field *f, const uint8_t *at,
                    struct kw_wr *w)
{
    e->steps[e->depth] = (struct json_step){f, -1};
    e->t.p = at;
    json_value(e, f, w);
}

/* True if a tagged value is the one that its absence means: then the field is
 * left out. Values that can be a default are small. */
static bool json_is_default(struct json_enc *e, const struct kw_field *f, const uint8_t *at)
{
    _Alignas(8) uint8_t obj[KWI_ELEM_MAX];
    uint8_t text[64], wanted[64];
    struct kw_wr given = kwi_wr_make(text, sizeof text), unset = kwi_wr_make(wanted, sizeof wanted);
    struct kw_field row = *f;
    const struct kw_schema alone = {
        .name = "", .fields = &row, .n_fields = 1, .until = KWI_LAST, .bare = true};
    row.offset = 0;
    row.tag = -1;
    kwi_field_init(&row, obj);
    json_at(e, f, at, &given);
    return !e->t.err && kwi_encode(&alone, e->version, obj, &unset) == 0 &&
           given.len == unset.len && memcmp(text, wanted, unset.len) == 0;
}

static void json_tags(struct json_enc *e, const struct kw_schema *s, const uint8_t **at,
                      struct kw_wr *w)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < s->n_fields && !e->t.err; i++) {
        if (s->fields[i].tag < 0 || !at[i])
            continue;
        if (json_is_default(e, &s->fields[i], at[i]))
            at[i] = NULL;
        else
            n++;
    }
    kwi_wr_uvarint(w, n);
    for (unsigned i = 0; i < s->n_fields && !e->t.err; i++) {
        struct kw_wr size = {.buf = NULL}; /* measures only */
        if (s->fields[i].tag < 0 || !at[i])
            continue;
        json_at(e, &s->fields[i], at[i], &size);
        kwi_wr_uvarint(w, (uint64_t)s->fields[i].tag);
        kwi_wr_uvarint(w, size.len);
        json_at(e, &s->fields[i], at[i], w);
    }
}

static void json_struct(struct json_enc *e, const struct kw_schema *s, struct kw_wr *w)
{
    const uint8_t *at[KWI_FIELDS_MAX] = {0}, *start, *end;
    (void)kwi_jtext_peek(&e->t);
    start = e->t.p;
    e->steps[++e->depth] = (struct json_step){NULL, -1};
    json_members(e, s, at);
    end = e->t.p;
    for (unsigned i = 0; i < s->n_fields && !e->t.err; i++) {
        const struct kw_field *f = &s->fields[i];
        if (f->tag >= 0 || !kwi_field_in(f, e->version))
            continue;
        if (!at[i]) {
            e->steps[e->depth].field = f;
            e->t.p = start;
            kwi_jtext_fail(&e->t, KW_ERR_SYNTAX, "the field is missing");
            return;
        }
        json_at(e, f, at[i], w);
    }
    if (e->compact)
        json_tags(e, s, at, w);
    if (e->t.err)
        return;
    e->t.p = end;
    e->depth--;
}

/* ---- faults and entry ------------------------------------------------------- */

static void json_fault(const struct json_enc *e, const uint8_t *text, struct kw_json_fault *fault)
{
    char *path = fault->path;
    size_t len = 0, cap = sizeof fault->path;
    *fault = (struct kw_json_fault){
        .err = e->t.err, .reason = e->t.reason, .offset = (size_t)(e->t.p - text)};
    for (unsigned i = 1; i <= e->depth && e->steps[i].field && len + 1 < cap; i++) {
        len += kwi_fmt(path + len, cap - len, "%s", i > 1 ? "." : "");
        struct kw_wr name = kwi_wr_make((uint8_t *)path + len, cap - len - 1);
        kwi_print_name(&name, e->steps[i].field->name);
        len += name.len < name.cap ? name.len : name.cap;
        path[len] = '\0';
        if (e->steps[i].index >= 0 && len + 1 < cap)
            len += kwi_fmt(path + len, cap - len, "[%d]", (int)e->steps[i].index);
    }
}

int kwi_json_encode(const struct kw_schema *schema, int version, const char *text, size_t len,
                    struct kw_wr *w, struct kw_json_fault *fault)
{
    const uint8_t *begin = (const uint8_t *)text;
    struct json_enc e = {.t = {.p = begin, .end = len ? begin + len : begin}, .version = version};

    e.compact = version >= schema->flex_since;
    if (version < schema->since || version > schema->until) {
        kwi_jtext_fail(&e.t, KW_ERR_VERSION, "no such version of this message is known");
    } else {
        json_struct(&e, schema, w);
        (void)kwi_jtext_peek(&e.t);
        if (!e.t.err && e.t.p != e.t.end)
            kwi_jtext_fail(&e.t, KW_ERR_TRAILING, "something follows the message");
    }
    if (e.t.err) {
        json_fault(&e, begin, fault);
        return e.t.err;
    }
    return kwi_wr_status(w);
}
