/* support.c -- see support.h. */
#include "tests/proto/support.h"

#include "proto/field.h"
#include "json/print.h"

void *exact_block(const void *src, size_t len)
{
    void *block = malloc(len ? len : 1);
    if (!block)
        abort();
    if (len)
        memcpy(block, src, len);
    return block;
}

static const struct kw_field *fields_end(const struct kw_schema *schema)
{
    return schema->fields + schema->n_fields;
}

bool message_walks(const struct kw_schema *schema, const void *msg)
{
    for (const struct kw_field *f = schema->fields; f < fields_end(schema); f++) {
        const uint8_t *src = (const uint8_t *)msg + f->offset;
        union message elem;
        struct kw_arr arr;
        struct kw_iter it;
        int32_t n = 0;
        if (f->kind == KWI_STRUCT && !message_walks(f->sub, src))
            return false;
        if (f->kind != KWI_ARRAY)
            continue;
        memcpy(&arr, src, sizeof arr);
        for (kwi_iter_init(&it, &arr); kwi_iter_next(&it, &elem); n++)
            if (!message_walks(f->sub, &elem))
                return false;
        if (n != (arr.n < 0 ? 0 : arr.n))
            return false;
    }
    return true;
}

void message_thaw(const struct kw_schema *schema, void *msg)
{
    for (const struct kw_field *f = schema->fields; f < fields_end(schema); f++) {
        uint8_t *src = (uint8_t *)msg + f->offset;
        struct kw_arr arr;
        struct kw_iter it;
        uint8_t *items;
        if (f->kind == KWI_STRUCT)
            message_thaw(f->sub, src);
        if (f->kind != KWI_ARRAY)
            continue;
        memcpy(&arr, src, sizeof arr);
        if (arr.n <= 0) {
            arr = (struct kw_arr){.n = arr.n};
            memcpy(src, &arr, sizeof arr);
            continue;
        }
        items = malloc((size_t)arr.n * f->sub->size);
        if (!items)
            abort();
        kwi_iter_init(&it, &arr);
        for (int32_t i = 0; i < arr.n; i++) {
            union message elem;
            if (!kwi_iter_next(&it, &elem))
                abort();
            message_thaw(f->sub, &elem);
            memcpy(items + (size_t)i * f->sub->size, &elem, f->sub->size);
        }
        arr = (struct kw_arr){.items = items, .n = arr.n};
        memcpy(src, &arr, sizeof arr);
    }
}

void message_free(const struct kw_schema *schema, void *msg)
{
    for (const struct kw_field *f = schema->fields; f < fields_end(schema); f++) {
        uint8_t *src = (uint8_t *)msg + f->offset;
        struct kw_arr arr;
        if (f->kind == KWI_STRUCT)
            message_free(f->sub, src);
        if (f->kind != KWI_ARRAY)
            continue;
        memcpy(&arr, src, sizeof arr);
        for (int32_t i = 0; arr.items && i < arr.n; i++) {
            union message elem;
            memcpy(&elem, (const uint8_t *)arr.items + (size_t)i * f->sub->size, f->sub->size);
            message_free(f->sub, &elem);
        }
        free((void *)(uintptr_t)arr.items);
    }
}

static void build_arrays(const struct kw_schema *schema, int version, void *msg)
{
    for (const struct kw_field *f = schema->fields; f < fields_end(schema); f++) {
        uint8_t *dst = (uint8_t *)msg + f->offset;
        union message elem;
        struct kw_arr arr = {.n = 1};
        if (!kwi_field_in(f, version))
            continue;
        if (f->kind == KWI_STRUCT && f->def != KWI_NULL)
            build_arrays(f->sub, version, dst);
        if (f->kind != KWI_ARRAY)
            continue;
        message_build_init(f->sub, version, &elem);
        arr.items = exact_block(&elem, f->sub->size);
        memcpy(dst, &arr, sizeof arr);
    }
}

void message_build_init(const struct kw_schema *schema, int version, void *msg)
{
    kwi_init(schema, msg);
    build_arrays(schema, version, msg);
}

uint8_t *message_encode(const struct kw_schema *schema, int version, const void *msg, size_t *len,
                        int *err)
{
    struct kw_wr measure = kwi_wr_make(NULL, 0), w;
    uint8_t *block;
    *err = kwi_encode(schema, version, msg, &measure);
    if (*err)
        return NULL;
    block = exact_block("", 0);
    if (measure.len) {
        free(block);
        block = malloc(measure.len);
        if (!block)
            abort();
    }
    w = kwi_wr_make(block, measure.len);
    *err = kwi_encode(schema, version, msg, &w);
    *len = w.len;
    if (*err || w.len != measure.len) {
        free(block);
        return NULL;
    }
    return block;
}

char *message_json(const struct kw_schema *schema, int version, const void *msg)
{
    struct kw_wr measure = kwi_wr_make(NULL, 0), w;
    uint8_t *text;
    if (kwi_print_json(schema, version, msg, &measure))
        return NULL;
    text = malloc(measure.len + 1);
    if (!text)
        abort();
    w = kwi_wr_make(text, measure.len);
    if (kwi_print_json(schema, version, msg, &w))
        abort();
    text[w.len] = '\0';
    return (char *)text;
}
