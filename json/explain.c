/* json/explain.c -- a body as a hex dump that says what each byte is.
 *
 *      0  00 00 00 01              topics: 1 element
 *                                    [0]
 *      4  00 04 6e 61 6d 65            name: "name"
 *     10  01                       allowAutoTopicCreation: true
 *
 * The body was decoded before, so that no length is in doubt here. Bytes and
 * records are told by their length: their bytes stand beside it. Recursion is as
 * deep as a table (KWI_DEPTH_MAX). */
#include "json/explain.h"

#include "base/assert.h"
#include "base/fmt.h"
#include "proto/field.h"
#include "json/print.h"

enum { EXPLAIN_OFFSET = 8, EXPLAIN_BYTES = 8, EXPLAIN_INDENT = 2 };

struct explain_run {
    struct kw_rd r;
    const uint8_t *begin;
    int version;
    bool compact;
    unsigned depth;
    struct kw_wr *w;
};

static void explain_struct(struct explain_run *e, const struct kw_schema *s);

static void explain_text(struct kw_wr *w, const char *text)
{
    kwi_wr_put(w, text, strlen(text));
}

static void explain_spaces(struct kw_wr *w, size_t n)
{
    while (n--)
        kwi_wr_u8(w, ' ');
}

/* The left half of a line: offset and up to EXPLAIN_BYTES bytes. */
static void explain_bytes(struct explain_run *e, const uint8_t *from, const uint8_t *to)
{
    static const char digits[] = "0123456789abcdef";
    char offset[24] = "";
    size_t len = 0;
    if (from < to)
        len = kwi_fmt(offset, sizeof offset, "%zu", (size_t)(from - e->begin));
    explain_spaces(e->w, len < EXPLAIN_OFFSET ? EXPLAIN_OFFSET - len : 0);
    explain_text(e->w, offset);
    explain_text(e->w, "  ");
    for (int i = 0; i < EXPLAIN_BYTES; i++, from += from < to) {
        bool there = from < to;
        kwi_wr_u8(e->w, there ? (uint8_t)digits[*from >> 4] : ' ');
        kwi_wr_u8(e->w, there ? (uint8_t)digits[*from & 15] : ' ');
        kwi_wr_u8(e->w, ' ');
    }
    kwi_wr_u8(e->w, ' ');
}

/* Begins the line about the bytes from `from` to where the cursor is. */
static void explain_begin(struct explain_run *e, const uint8_t *from)
{
    explain_bytes(e, from, e->r.p);
    explain_spaces(e->w, EXPLAIN_INDENT * (size_t)e->depth);
}

/* Ends it, and lists the bytes that it had no room for. */
static void explain_end(struct explain_run *e, const uint8_t *from)
{
    kwi_wr_u8(e->w, '\n');
    for (; e->r.p - from > EXPLAIN_BYTES; from += EXPLAIN_BYTES) {
        explain_bytes(e, from + EXPLAIN_BYTES, e->r.p);
        kwi_wr_u8(e->w, '\n');
    }
}

/* A line of its own. name may be NULL. */
static void explain_line(struct explain_run *e, const uint8_t *from, const char *name,
                         const char *text)
{
    explain_begin(e, from);
    if (name)
        kwi_print_name(e->w, name);
    explain_text(e->w, name && *text ? ": " : "");
    explain_text(e->w, text);
    explain_end(e, from);
}

/* ---- values ---------------------------------------------------------------- */

/* A value that is no array and no struct. label: NULL for the field's name. */
static void explain_value(struct explain_run *e, const struct kw_field *f, const char *label)
{
    _Alignas(8) uint8_t value[sizeof(struct kw_arr)];
    const uint8_t *from = e->r.p;
    struct kw_field row = *f;
    const struct kw_schema alone = {.name = "",
                                    .fields = &row,
                                    .n_fields = 1,
                                    .until = KWI_LAST,
                                    .flex_since = e->compact ? 0 : KWI_NEVER,
                                    .bare = true};
    unsigned width = kwi_kind_width(f->kind);
    int32_t len = (int32_t)width;
    int rc;
    if (f->kind == KWI_UUID)
        len = sizeof(struct kw_uuid);
    else if (!width)
        len = kwi_rd_len(&e->r, f->kind == KWI_STR ? 2 : 4, e->compact);
    (void)kwi_rd_take(&e->r, len > 0 ? (size_t)len : 0);
    row.offset = 0;
    row.tag = -1;
    kwi_field_init(&row, value);
    rc = kwi_decode(&alone, e->version, from, (size_t)(e->r.p - from), value, NULL);
    KWI_ASSERT(rc == 0 && !e->r.err);
    (void)rc;
    explain_begin(e, from);
    if (label)
        explain_text(e->w, label);
    else
        kwi_print_name(e->w, f->name);
    explain_text(e->w, ": ");
    if ((f->kind == KWI_BLOB || f->kind == KWI_RECORDS) && len >= 0) {
        char text[32];
        kwi_fmt(text, sizeof text, "%d bytes", (int)len);
        explain_text(e->w, text);
    } else {
        kwi_print_value(e->w, f, e->version, value);
    }
    explain_end(e, from);
}

static void explain_array(struct explain_run *e, const struct kw_field *f)
{
    const uint8_t *from = e->r.p;
    int32_t n = kwi_rd_len(&e->r, 4, e->compact);
    char text[32] = "null";
    if (n >= 0)
        kwi_fmt(text, sizeof text, "%d element%s", (int)n, n == 1 ? "" : "s");
    explain_line(e, from, f->name, text);
    e->depth++;
    for (int32_t i = 0; i < n; i++) {
        kwi_fmt(text, sizeof text, "[%d]", (int)i);
        if (f->sub->bare) {
            explain_value(e, f->sub->fields, text);
        } else {
            explain_line(e, e->r.p, NULL, text);
            explain_struct(e, f->sub);
        }
    }
    e->depth--;
}

static void explain_field(struct explain_run *e, const struct kw_field *f)
{
    const uint8_t *from = e->r.p;
    if (f->kind == KWI_ARRAY) {
        explain_array(e, f);
    } else if (f->kind != KWI_STRUCT) {
        explain_value(e, f, NULL);
    } else if (!kwi_field_has_marker(f, e->version)) {
        explain_line(e, from, f->name, "");
        explain_struct(e, f->sub);
    } else if ((int8_t)kwi_rd_u8(&e->r) < 0) {
        explain_line(e, from, f->name, "null");
    } else {
        explain_line(e, from, f->name, "present");
        explain_struct(e, f->sub);
    }
}

/* ---- structs --------------------------------------------------------------- */

static void explain_tags(struct explain_run *e, const struct kw_schema *s)
{
    const uint8_t *from = e->r.p;
    uint32_t n = kwi_rd_uvarint(&e->r);
    char text[64];
    kwi_fmt(text, sizeof text, "%u tagged field%s", n, n == 1 ? "" : "s");
    explain_line(e, from, NULL, text);
    for (; n; n--) {
        const struct kw_field *known = NULL;
        uint32_t tag, size;
        from = e->r.p;
        tag = kwi_rd_uvarint(&e->r);
        size = kwi_rd_uvarint(&e->r);
        for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++)
            if (f->tag >= 0 && (uint32_t)f->tag == tag && kwi_field_in(f, e->version))
                known = f;
        kwi_fmt(text, sizeof text, "tag %u, %u bytes%s", tag, size, known ? "" : ", unknown");
        if (!known)
            (void)kwi_rd_take(&e->r, size);
        explain_line(e, from, NULL, text);
        e->depth++;
        if (known)
            explain_field(e, known);
        e->depth--;
    }
}

static void explain_struct(struct explain_run *e, const struct kw_schema *s)
{
    e->depth++;
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++)
        if (f->tag < 0 && kwi_field_in(f, e->version))
            explain_field(e, f);
    if (e->compact)
        explain_tags(e, s);
    e->depth--;
}

int kwi_explain(const struct kw_schema *schema, int version, const uint8_t *body, size_t len,
                struct kw_wr *w, struct kw_fault *fault)
{
    _Alignas(8) uint8_t msg[KWI_ELEM_MAX];
    struct explain_run e = {.r = kwi_rd_make(body, len),
                            .begin = body,
                            .version = version,
                            .compact = version >= schema->flex_since,
                            .w = w};
    int rc = kwi_decode(schema, version, body, len, msg, fault);
    if (rc)
        return rc;
    e.depth = (unsigned)-1; /* the outermost fields stand at the margin */
    explain_struct(&e, schema);
    KWI_ASSERT(!e.r.err && e.r.p == e.r.end);
    return kwi_wr_status(w);
}
