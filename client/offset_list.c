/* client/offset_list.c -- see offset_list.h. */
#include "client/offset_list.h"

#include <string.h>

#include <kwire/kwire.h>

struct kw_offset_list *kwi_offset_list_create(const struct kw_core *core, size_t n, size_t bytes)
{
    const struct kw_alloc *alloc = &core->env.alloc;
    struct kw_offset_list *out;
    size_t size;

    if (n > (SIZE_MAX / 2 - bytes) / sizeof(out->list[0]))
        return NULL;
    size = sizeof(*out) + n * sizeof(out->list[0]) + bytes;
    out = alloc->alloc(alloc->ctx, size);
    if (!out)
        return NULL;
    memset(out, 0, size);
    out->alloc = *alloc;
    out->size = size;
    out->offsets = (struct kw_offsets){out->list, n};
    return out;
}

void kw_offsets_destroy(struct kw_offsets *offsets)
{
    struct kw_offset_list *list;
    struct kw_alloc alloc;

    if (!offsets)
        return;
    list = KWI_OF(offsets, struct kw_offset_list, offsets);
    alloc = list->alloc;
    alloc.free(alloc.ctx, list, list->size);
}
