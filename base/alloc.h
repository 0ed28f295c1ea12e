/* base/alloc.h -- a byte budget over the host's allocator.
 *
 * A heap counts what it handed out against a limit; above it, or when the
 * host's allocator refuses, kwi_alloc returns NULL. Sizes are given back on
 * free, so there is no header per block. A heap never borrows from another. */
#ifndef KWI_ALLOC_H
#define KWI_ALLOC_H
#include <kwire/types.h>

struct kw_heap {
    struct kw_alloc alloc;
    size_t limit, used, peak; /* bytes */
};

void kwi_heap_init(struct kw_heap *heap, const struct kw_alloc *alloc, size_t limit);
/* Uninitialised memory, or NULL. size 0 is a use error (asserts). */
void *kwi_alloc(struct kw_heap *heap, size_t size);
void *kwi_alloc_zero(struct kw_heap *heap, size_t size);
/* Grows or shrinks by allocate-copy-free; on failure the old block stays. */
void *kwi_realloc(struct kw_heap *heap, void *ptr, size_t old_size, size_t new_size);
/* ptr may be NULL. */
void kwi_free(struct kw_heap *heap, void *ptr, size_t size);
/* NUL-terminated copy of len bytes (size len + 1), or NULL. */
char *kwi_strdup(struct kw_heap *heap, const char *ptr, size_t len);

#endif
