/* proto/schema.c -- elements of plain arrays, defaults, and faults as text. The
 * decoder is decode.c, the encoder encode.c. */
#include "base/fmt.h"
#include "proto/field.h"

#define SCHEMA_ELEM(name_, type)                                              \
    struct kw_elem_##name_ {                                                  \
        type v;                                                               \
    };                                                                        \
    static const struct kw_field schema_elem_##name_[] = {                    \
        KWI_VALUE(elem_##name_, v, 0, KWI_LAST, 0, 0),                        \
    };                                                                        \
    const struct kw_schema kwi_elem_##name_ = {.name = #name_,                \
                                               .fields = schema_elem_##name_, \
                                               .n_fields = 1,                 \
                                               .size = sizeof(type),          \
                                               .until = KWI_LAST,             \
                                               .flex_since = KWI_NEVER,       \
                                               .bare = true}
SCHEMA_ELEM(i8, int8_t);
SCHEMA_ELEM(i16, int16_t);
SCHEMA_ELEM(i32, int32_t);
SCHEMA_ELEM(i64, int64_t);
SCHEMA_ELEM(str, struct kw_str);
SCHEMA_ELEM(uuid, struct kw_uuid);

/* ---- defaults ------------------------------------------------------------ */

void kwi_field_init(const struct kw_field *field, uint8_t *dst)
{
    int32_t len = (int32_t)field->def;
    bool present = field->def != KWI_NULL;
    switch ((enum kw_kind)field->kind) {
    case KWI_BOOL:
    case KWI_I8:
    case KWI_I16:
    case KWI_U16:
    case KWI_I32:
    case KWI_U32:
    case KWI_I64:
    case KWI_F64: kwi_number_store(field->kind, dst, (uint64_t)field->def); break;
    case KWI_UUID: memset(dst, 0, sizeof(struct kw_uuid)); break;
    case KWI_STR: memcpy(dst, &(struct kw_str){.len = len}, sizeof(struct kw_str)); break;
    case KWI_BLOB: memcpy(dst, &(struct kw_blob){.len = len}, sizeof(struct kw_blob)); break;
    case KWI_RECORDS:
        memcpy(dst, &(struct kw_record_set){.len = len}, sizeof(struct kw_record_set));
        break;
    case KWI_ARRAY: memcpy(dst, &(struct kw_arr){.n = len}, sizeof(struct kw_arr)); break;
    case KWI_STRUCT:
        kwi_init(field->sub, dst);
        if (kwi_field_may_be_absent(field))
            memcpy(dst, &present, sizeof present);
        break;
    }
}

void kwi_init(const struct kw_schema *schema, void *msg)
{
    const struct kw_field *end = schema->fields + schema->n_fields;
    for (const struct kw_field *f = schema->fields; f < end; f++)
        kwi_field_init(f, (uint8_t *)msg + f->offset);
}

/* The length or count of a slice: what decides whether it is the default. */
static int32_t slice_len(const struct kw_field *f, const void *src)
{
    struct kw_str str;
    struct kw_blob blob;
    struct kw_record_set records;
    struct kw_arr arr;
    if (f->kind == KWI_STR) {
        memcpy(&str, src, sizeof str);
        return str.len;
    }
    if (f->kind == KWI_BLOB) {
        memcpy(&blob, src, sizeof blob);
        return blob.len;
    }
    if (f->kind == KWI_RECORDS) {
        memcpy(&records, src, sizeof records);
        return records.len;
    }
    memcpy(&arr, src, sizeof arr);
    return arr.n;
}

static bool struct_is_default(const struct kw_field *f, const uint8_t *src)
{
    const struct kw_schema *s = f->sub;
    if (kwi_field_may_be_absent(f)) {
        bool present;
        memcpy(&present, src, sizeof present);
        if (!present || f->def == KWI_NULL)
            return !present && f->def == KWI_NULL;
    }
    for (const struct kw_field *g = s->fields; g < s->fields + s->n_fields; g++)
        if (!kwi_field_is_default(g, src + g->offset))
            return false;
    return true;
}

bool kwi_field_is_default(const struct kw_field *field, const void *src)
{
    uint8_t want[8];
    switch ((enum kw_kind)field->kind) {
    case KWI_BOOL:
    case KWI_I8:
    case KWI_I16:
    case KWI_U16:
    case KWI_I32:
    case KWI_U32:
    case KWI_I64:
    case KWI_F64:
        kwi_number_store(field->kind, want, (uint64_t)field->def);
        return kwi_number_load(field->kind, src) == kwi_number_load(field->kind, want);
    case KWI_UUID: return kwi_uuid_is_zero(src);
    case KWI_STR:
    case KWI_BLOB:
    case KWI_RECORDS:
    case KWI_ARRAY: return slice_len(field, src) == field->def;
    case KWI_STRUCT: break;
    }
    return struct_is_default(field, src);
}

/* ---- faults -------------------------------------------------------------- */

static const char *fault_reason(int err)
{
    switch (err) {
    case KW_ERR_VARINT: return "a variable-length number is too long";
    case KW_ERR_LENGTH: return "a length is out of range";
    case KW_ERR_NULL: return "it is null, which this version forbids";
    case KW_ERR_TAGS: return "a tagged field stands twice or has the wrong size";
    case KW_ERR_TRAILING: return "bytes follow the end of the message";
    case KW_ERR_VERSION: return "no such version of this message is known";
    default: return "it cannot be read";
    }
}

size_t kwi_fault_format(const struct kw_fault *fault, char *buf, size_t cap)
{
    const char *at = fault->path[0] ? " at byte " : "byte ";
    if (fault->err == KW_ERR_SHORT)
        return kwi_fmt(buf, cap, "%s v%d: %s%s%zu: needs %llu bytes, %zu are left", fault->message,
                       fault->version, fault->path, at, fault->offset,
                       (unsigned long long)fault->needed, fault->left);
    if (fault->err == KW_ERR_TRAILING)
        return kwi_fmt(buf, cap, "%s v%d: %s%s%zu: %s (%zu)", fault->message, fault->version,
                       fault->path, at, fault->offset, fault_reason(fault->err), fault->left);
    return kwi_fmt(buf, cap, "%s v%d: %s%s%zu: %s", fault->message, fault->version, fault->path, at,
                   fault->offset, fault_reason(fault->err));
}
