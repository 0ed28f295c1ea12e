/* json/print.c -- messages as JSON, from the tables. Text is taken to be UTF-8
 * and passed through; only quotes, backslashes and control characters are
 * escaped. Recursion is as deep as a table (KWI_DEPTH_MAX). */
#include "json/print.h"

#include "base/assert.h"
#include "base/float_text.h"
#include "base/fmt.h"
#include "proto/field.h"

static void print_text(struct kw_wr *w, const char *text)
{
    kwi_wr_put(w, text, strlen(text));
}

static void print_number(struct kw_wr *w, const struct kw_field *f, const uint8_t *src)
{
    char text[24];
    uint64_t u = kwi_number_load(f->kind, src);
    long long value = (long long)u;
    if (f->kind == KWI_BOOL) {
        print_text(w, u ? "true" : "false");
        return;
    }
    if (f->kind == KWI_I8)
        value = (int8_t)u;
    else if (f->kind == KWI_I16)
        value = (int16_t)u;
    else if (f->kind == KWI_I32)
        value = (int32_t)u;
    kwi_fmt(text, sizeof text, "%lld", value);
    print_text(w, text);
}

static void print_string(struct kw_wr *w, const char *ptr, int32_t len)
{
    static const char hex[] = "0123456789abcdef";
    kwi_wr_u8(w, '"');
    for (int32_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)ptr[i];
        if (c == '"' || c == '\\') {
            kwi_wr_u8(w, '\\');
            kwi_wr_u8(w, c);
        } else if (c < 0x20) {
            print_text(w, "\\u00");
            kwi_wr_u8(w, (uint8_t)hex[c >> 4]);
            kwi_wr_u8(w, (uint8_t)hex[c & 15]);
        } else {
            kwi_wr_u8(w, c);
        }
    }
    kwi_wr_u8(w, '"');
}

/* JSON has no word for what is no number, so that Kafka puts it in quotes. */
static void print_double(struct kw_wr *w, const uint8_t *src)
{
    char text[KWI_F64_TEXT];
    double value;
    size_t len;
    memcpy(&value, src, sizeof value);
    len = kwi_f64_print(value, text);
    if (text[len - 1] > '9')
        print_string(w, text, (int32_t)len);
    else
        kwi_wr_put(w, text, len);
}

/* Base64 in pieces, because record data to send may be a list of pieces. */
struct print_base64 {
    struct kw_wr *w;
    uint32_t bits;
    unsigned n; /* bytes in bits, 0 to 2 */
};

static const char print_base64_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void print_base64_group(struct print_base64 *b, unsigned n_chars)
{
    for (unsigned i = 0; i < 4; i++)
        kwi_wr_u8(b->w,
                  i < n_chars ? (uint8_t)print_base64_chars[b->bits >> (18 - 6 * i) & 63] : '=');
    b->bits = 0;
    b->n = 0;
}

static void print_base64_add(struct print_base64 *b, const uint8_t *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        b->bits |= (uint32_t)ptr[i] << (16 - 8 * b->n);
        if (++b->n == 3)
            print_base64_group(b, 4);
    }
}

static void print_bytes(struct kw_wr *w, const struct kw_record_set *records)
{
    struct print_base64 b = {.w = w};
    kwi_wr_u8(w, '"');
    for (uint32_t i = 0; records->iov && i < records->n_iov; i++)
        print_base64_add(&b, records->iov[i].base, records->iov[i].len);
    if (!records->iov)
        print_base64_add(&b, records->ptr, (size_t)records->len);
    if (b.n)
        print_base64_group(&b, b.n + 1);
    kwi_wr_u8(w, '"');
}

void kwi_uuid_print(const struct kw_uuid *id, char text[23])
{
    uint32_t bits = 0;
    unsigned n_bits = 0, n = 0;
    for (unsigned i = 0; i < 17; i++) {
        /* One byte of zeros behind the id completes the last character. */
        bits = bits << 8 | (i < 16 ? id->b[i] : 0);
        for (n_bits += 8; n_bits >= 6; n_bits -= 6) {
            char c = print_base64_chars[bits >> (n_bits - 6) & 63];
            text[n++] = c == '+' ? '-' : c == '/' ? '_' : c;
        }
        bits &= (1u << n_bits) - 1;
    }
    text[22] = '\0';
}

static void print_struct(struct kw_wr *w, const struct kw_schema *s, int version,
                         const uint8_t *obj);
static void print_elem(struct kw_wr *w, const struct kw_schema *s, int version, const uint8_t *elem)
{
    if (s->bare)
        kwi_print_value(w, s->fields, version, elem);
    else
        print_struct(w, s, version, elem);
}

static void print_array(struct kw_wr *w, const struct kw_field *f, int version, const uint8_t *src)
{
    _Alignas(8) uint8_t elem[KWI_ELEM_MAX];
    struct kw_arr arr;
    struct kw_iter it;
    memcpy(&arr, src, sizeof arr);
    if (arr.n < 0) {
        print_text(w, "null");
        return;
    }
    KWI_ASSERT(f->sub->size <= KWI_ELEM_MAX);
    kwi_wr_u8(w, '[');
    for (int32_t i = 0; arr.items && i < arr.n; i++) {
        if (i)
            kwi_wr_u8(w, ',');
        print_elem(w, f->sub, version, (const uint8_t *)arr.items + f->sub->size * (size_t)i);
    }
    if (!arr.items) {
        kwi_iter_init(&it, &arr);
        for (bool first = true; kwi_iter_next(&it, elem); first = false) {
            if (!first)
                kwi_wr_u8(w, ',');
            print_elem(w, f->sub, version, elem);
        }
    }
    kwi_wr_u8(w, ']');
}

/* Strings, bytes and records. */
static void print_slice(struct kw_wr *w, const struct kw_field *f, const uint8_t *src)
{
    struct kw_str str;
    struct kw_blob blob;
    struct kw_record_set records;
    if (f->kind == KWI_STR) {
        memcpy(&str, src, sizeof str);
        if (str.len >= 0)
            print_string(w, str.ptr, str.len);
        else
            print_text(w, "null");
        return;
    }
    if (f->kind == KWI_BLOB) {
        memcpy(&blob, src, sizeof blob);
        records = (struct kw_record_set){.ptr = blob.ptr, .len = blob.len};
    } else {
        memcpy(&records, src, sizeof records);
    }
    if (records.len >= 0)
        print_bytes(w, &records);
    else
        print_text(w, "null");
}

void kwi_print_value(struct kw_wr *w, const struct kw_field *f, int version, const uint8_t *src)
{
    struct kw_uuid id;
    char text[23];
    bool present = true;
    switch ((enum kw_kind)f->kind) {
    case KWI_BOOL:
    case KWI_I8:
    case KWI_I16:
    case KWI_U16:
    case KWI_I32:
    case KWI_U32:
    case KWI_I64: print_number(w, f, src); break;
    case KWI_F64: print_double(w, src); break;
    case KWI_UUID:
        memcpy(&id, src, sizeof id);
        kwi_uuid_print(&id, text);
        print_string(w, text, 22);
        break;
    case KWI_STR:
    case KWI_BLOB:
    case KWI_RECORDS: print_slice(w, f, src); break;
    case KWI_ARRAY: print_array(w, f, version, src); break;
    case KWI_STRUCT:
        if (kwi_field_may_be_absent(f))
            memcpy(&present, src, sizeof present);
        if (present)
            print_struct(w, f->sub, version, src);
        else
            print_text(w, "null");
        break;
    }
}

void kwi_print_name(struct kw_wr *w, const char *name)
{
    for (; *name; name++) {
        if (*name != '_')
            kwi_wr_u8(w, (uint8_t)*name);
        else if (name[1] >= 'a')
            kwi_wr_u8(w, (uint8_t)(*++name - 'a' + 'A'));
    }
}

static void print_struct(struct kw_wr *w, const struct kw_schema *s, int version,
                         const uint8_t *obj)
{
    bool first = true;
    kwi_wr_u8(w, '{');
    for (const struct kw_field *f = s->fields; f < s->fields + s->n_fields; f++) {
        const uint8_t *src = obj + f->offset;
        if (!kwi_field_in(f, version) || (f->tag >= 0 && kwi_field_is_default(f, src)))
            continue;
        if (!first)
            kwi_wr_u8(w, ',');
        first = false;
        kwi_wr_u8(w, '"');
        kwi_print_name(w, f->name);
        print_text(w, "\":");
        kwi_print_value(w, f, version, src);
    }
    kwi_wr_u8(w, '}');
}

int kwi_print_json(const struct kw_schema *schema, int version, const void *msg, struct kw_wr *w)
{
    if (version < schema->since || version > schema->until)
        kwi_wr_fail(w, KW_ERR_VERSION);
    else
        print_struct(w, schema, version, msg);
    return kwi_wr_status(w);
}
