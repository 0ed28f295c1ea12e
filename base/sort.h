/* base/sort.h -- sorting in place, in n log n steps whatever the input (heap sort),
 * without memory. Equal elements may change places: give a key that has none. */
#ifndef KWI_SORT_H
#define KWI_SORT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if a must stand before b. */
typedef bool kwi_less_fn(const void *ctx, uint32_t a, uint32_t b);

void kwi_sort_u32(uint32_t *items, size_t n, kwi_less_fn *less, const void *ctx);
void kwi_sort_u64(uint64_t *items, size_t n);

#endif
