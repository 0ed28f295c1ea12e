/* base/sort.c -- heap sort. See sort.h. */
#include "base/sort.h"

static void sift_u32(uint32_t *items, size_t n, size_t at, kwi_less_fn *less, const void *ctx)
{
    uint32_t item = items[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && less(ctx, items[child], items[child + 1]))
            child++;
        if (!less(ctx, item, items[child]))
            break;
        items[at] = items[child];
    }
    items[at] = item;
}

void kwi_sort_u32(uint32_t *items, size_t n, kwi_less_fn *less, const void *ctx)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_u32(items, n, i, less, ctx);
    for (size_t end = n; end-- > 1;) {
        uint32_t last = items[end];
        items[end] = items[0];
        items[0] = last;
        sift_u32(items, end, 0, less, ctx);
    }
}

static void sift_u64(uint64_t *items, size_t n, size_t at)
{
    uint64_t item = items[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && items[child] < items[child + 1])
            child++;
        if (items[child] <= item)
            break;
        items[at] = items[child];
    }
    items[at] = item;
}

/* What is sorted here is often in order already; seeing that costs one pass. */
static bool sorted_u64(const uint64_t *items, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (items[i - 1] > items[i])
            return false;
    return true;
}

void kwi_sort_u64(uint64_t *items, size_t n)
{
    if (sorted_u64(items, n))
        return;
    for (size_t i = n / 2; i-- > 0;)
        sift_u64(items, n, i);
    for (size_t end = n; end-- > 1;) {
        uint64_t last = items[end];
        items[end] = items[0];
        items[0] = last;
        sift_u64(items, end, 0);
    }
}
