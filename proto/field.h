/* proto/field.h -- what the decoder, the encoder and the printer share about one
 * field: presence in a version, and numbers in C structs. Private to proto/.
 *
 * Values are loaded and stored by memcpy, so any suitably sized storage will do
 * and no aliasing rule is bent. */
#ifndef KWI_FIELD_H
#define KWI_FIELD_H
#include "proto/schema.h"

/* Bytes on the wire of a fixed-width kind; 0 for the others. */
static inline unsigned kwi_kind_width(uint8_t kind)
{
    static const uint8_t width[] = {
        [KWI_BOOL] = 1, [KWI_I8] = 1,  [KWI_I16] = 2, [KWI_U16] = 2,   [KWI_I32] = 4,
        [KWI_U32] = 4,  [KWI_I64] = 8, [KWI_F64] = 8, [KWI_UUID] = 16, [KWI_STRUCT] = 0,
    };
    return width[kind];
}

/* The row of an element that is a plain number, or NULL. Such arrays (replicas,
 * partitions) are most of the elements of large answers, and go past the walk
 * over rows. */
static inline const struct kw_field *kwi_elem_number(const struct kw_schema *elem)
{
    unsigned width = elem->bare ? kwi_kind_width(elem->fields->kind) : 0;
    return width && width <= 8 ? elem->fields : NULL;
}

static inline bool kwi_field_in(const struct kw_field *f, int version)
{
    return f->since <= version && version <= f->until;
}

/* A nullable struct has a marker byte on the wire, and `present` in C. */
static inline bool kwi_field_has_marker(const struct kw_field *f, int version)
{
    return f->kind == KWI_STRUCT && version >= f->null_since;
}

static inline bool kwi_field_may_be_absent(const struct kw_field *f)
{
    return f->kind == KWI_STRUCT && f->null_since != KWI_NOT_NULL;
}

static inline void kwi_number_store(uint8_t kind, void *dst, uint64_t u)
{
    uint8_t u8 = (uint8_t)u;
    uint16_t u16 = (uint16_t)u;
    uint32_t u32 = (uint32_t)u;
    bool flag = u != 0;
    switch (kwi_kind_width(kind)) {
    case 1:
        if (kind == KWI_BOOL)
            memcpy(dst, &flag, sizeof flag);
        else
            memcpy(dst, &u8, 1);
        break;
    case 2: memcpy(dst, &u16, 2); break;
    case 4: memcpy(dst, &u32, 4); break;
    default: memcpy(dst, &u, 8); break;
    }
}

/* The bits of a number, zero-extended. */
static inline uint64_t kwi_number_load(uint8_t kind, const void *src)
{
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    bool flag = false;
    switch (kwi_kind_width(kind)) {
    case 1:
        if (kind == KWI_BOOL) {
            memcpy(&flag, src, sizeof flag);
            return flag;
        }
        memcpy(&u8, src, 1);
        return u8;
    case 2: memcpy(&u16, src, 2); return u16;
    case 4: memcpy(&u32, src, 4); return u32;
    default: memcpy(&u64, src, 8); return u64;
    }
}

/* Sets one field to its default. */
void kwi_field_init(const struct kw_field *field, uint8_t *dst);

#endif
