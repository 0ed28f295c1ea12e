/* base/alloc.c -- the byte budget over the host's allocator.
 *
 * The budget is checked before the host is asked, so that a heap at its limit
 * costs the host nothing. The invariant is used <= limit. */
#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

void kwi_heap_init(struct kw_heap *heap, const struct kw_alloc *alloc, size_t limit)
{
    KWI_ASSERT(alloc->alloc && alloc->free);
    heap->alloc = *alloc;
    heap->limit = limit;
    heap->used = 0;
    heap->peak = 0;
}

void *kwi_alloc(struct kw_heap *heap, size_t size)
{
    KWI_ASSERT(size > 0);
    if (size == 0 || size > heap->limit - heap->used)
        return NULL;
    void *ptr = heap->alloc.alloc(heap->alloc.ctx, size);
    if (!ptr)
        return NULL;
    heap->used += size;
    if (heap->used > heap->peak)
        heap->peak = heap->used;
    return ptr;
}

void *kwi_alloc_zero(struct kw_heap *heap, size_t size)
{
    void *ptr = kwi_alloc(heap, size);
    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void *kwi_realloc(struct kw_heap *heap, void *ptr, size_t old_size, size_t new_size)
{
    void *copy = kwi_alloc(heap, new_size);
    if (!copy)
        return NULL;
    if (ptr)
        memcpy(copy, ptr, old_size < new_size ? old_size : new_size);
    kwi_free(heap, ptr, old_size);
    return copy;
}

void kwi_free(struct kw_heap *heap, void *ptr, size_t size)
{
    if (!ptr)
        return;
    KWI_ASSERT(size > 0 && size <= heap->used);
    heap->used -= size;
    heap->alloc.free(heap->alloc.ctx, ptr, size);
}

char *kwi_strdup(struct kw_heap *heap, const char *ptr, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = kwi_alloc(heap, len + 1);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, ptr, len);
    copy[len] = 0;
    return copy;
}
