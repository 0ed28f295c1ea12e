/* Sorting in place: order, whatever the input is. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "base/rng.h"
#include "base/sort.h"

static bool less(const void *ctx, uint32_t a, uint32_t b)
{
    const uint32_t *rank = ctx;
    return rank[a] < rank[b];
}

static void check(const uint32_t *rank, uint32_t n)
{
    uint32_t *items = malloc(n * sizeof *items + 1);
    uint64_t *wide = malloc(n * sizeof *wide + 1), sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        items[i] = i;
        wide[i] = (uint64_t)rank[i] << 32 | i;
    }
    kwi_sort_u32(items, n, less, rank);
    kwi_sort_u64(wide, n);
    for (uint32_t i = 0; i < n; i++) {
        sum += items[i];
        cr_assert(i == 0 || rank[items[i - 1]] <= rank[items[i]]);
        cr_assert(i == 0 || wide[i - 1] < wide[i]);
    }
    cr_assert_eq(sum, (uint64_t)n * (n ? n - 1 : 0) / 2, "each is there once");
    free(items);
    free(wide);
}

Test(sort, puts_any_input_in_order)
{
    struct kw_rng rng;
    uint32_t rank[200];
    kwi_rng_init(&rng, (const uint8_t[32]){1});
    for (uint32_t n = 0; n < 200; n++) {
        for (uint32_t i = 0; i < n; i++)
            rank[i] = i;
        check(rank, n);
        for (uint32_t i = 0; i < n; i++)
            rank[i] = n - i;
        check(rank, n);
        for (uint32_t i = 0; i < n; i++)
            rank[i] = kwi_rng_below(&rng, 1 + n / 3);
        check(rank, n);
    }
}
