/* covers: M03 M07 */
/* Blocks inside a reserve: classes, promises, recycling. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/pool.h"

static unsigned host_allocs, host_frees;
static bool host_refuses;

static void *host_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (host_refuses)
        return NULL;
    host_allocs++;
    return malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    host_frees++;
    free(ptr);
}

static void pool_begin(struct kw_pool *pool, struct kw_heap *heap, size_t limit)
{
    static const struct kw_alloc alloc = {host_alloc, host_free, NULL};

    host_allocs = host_frees = 0;
    host_refuses = false;
    kwi_heap_init(heap, &alloc, limit);
    kwi_pool_init(pool, heap);
}

Test(pool, a_block_holds_what_was_asked_and_costs_what_was_said)
{
    static const size_t sizes[] = {
        1, 1024, 1025, 65536, 65537, 131072, 131073, 1 << 20, (1 << 20) + 65536, (1 << 20) + 65537};
    struct kw_heap heap;
    struct kw_pool pool;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        pool_begin(&pool, &heap, (size_t)8 << 20);
        struct kw_block *block = kwi_block_create(&pool, sizes[i], 0);
        cr_assert_not_null(block);
        cr_assert_geq(block->cap, sizes[i]);
        cr_assert_eq(heap.used, kwi_pool_cost(sizes[i]));
        memset(kwi_block_data(block), 0x5a, block->cap);
        kwi_block_release(block);
        kwi_pool_deinit(&pool);
        cr_assert_eq(heap.used, 0);
        cr_assert_eq(host_allocs, host_frees);
    }
    cr_assert_eq(kwi_pool_cost(SIZE_MAX), SIZE_MAX);
    cr_assert_gt(kwi_pool_cost(INT32_MAX), INT32_MAX);
    cr_assert_lt(kwi_pool_cost(INT32_MAX), SIZE_MAX);
}

Test(pool, a_released_block_is_used_again_without_the_host)
{
    struct kw_heap heap;
    struct kw_pool pool;
    struct kw_block *block;

    pool_begin(&pool, &heap, 1 << 20);
    block = kwi_block_create(&pool, 5000, 0);
    kwi_block_hold(block);
    kwi_block_release(block);
    cr_assert_eq(pool.kept_bytes, 0, "still held once");
    kwi_block_release(block);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(kwi_block_create(&pool, 5000 + (size_t)i, 0), block);
        kwi_block_release(block);
    }
    cr_assert_eq(host_allocs, 1);
    kwi_pool_deinit(&pool);
}

Test(pool, kept_blocks_of_other_sizes_make_room)
{
    struct kw_heap heap;
    struct kw_pool pool;
    size_t small = kwi_pool_cost(4096), large = kwi_pool_cost(65536);
    struct kw_block *blocks[8], *big;

    pool_begin(&pool, &heap, large + small);
    for (int i = 0; i < 8; i++)
        blocks[i] = kwi_block_create(&pool, 4096, 0);
    for (int i = 0; i < 8; i++)
        kwi_block_release(blocks[i]);
    big = kwi_block_create(&pool, 65536, 0);
    cr_assert_not_null(big);
    cr_assert_leq(heap.used, heap.limit);
    cr_assert_null(kwi_block_create(&pool, 65536, 0), "the reserve is full");
    kwi_block_release(big);
    kwi_pool_deinit(&pool);
    cr_assert_eq(heap.used, 0);
}

Test(pool, promised_bytes_are_for_their_answer_only)
{
    struct kw_heap heap;
    struct kw_pool pool;
    size_t cost = kwi_pool_cost(65536);
    struct kw_block *block;

    pool_begin(&pool, &heap, 2 * cost);
    cr_assert(kwi_pool_reserve(&pool, cost));
    cr_assert(kwi_pool_reserve(&pool, cost));
    cr_assert_not(kwi_pool_reserve(&pool, 1), "all is promised");
    cr_assert_null(kwi_block_create(&pool, 1000, 0));
    block = kwi_block_create(&pool, 65536, cost);
    cr_assert_not_null(block);
    kwi_pool_unreserve(&pool, cost);
    cr_assert_eq(kwi_pool_free(&pool), 0);
    kwi_pool_unreserve(&pool, cost);
    cr_assert_eq(kwi_pool_free(&pool), cost);
    kwi_block_release(block);
    cr_assert_eq(kwi_pool_free(&pool), 2 * cost);
    kwi_pool_deinit(&pool);
}

Test(pool, a_host_that_refuses_leaves_the_pool_usable)
{
    struct kw_heap heap;
    struct kw_pool pool;
    struct kw_block *block;

    pool_begin(&pool, &heap, 1 << 20);
    host_refuses = true;
    cr_assert_null(kwi_block_create(&pool, 4096, 0));
    cr_assert_eq(heap.used, 0);
    host_refuses = false;
    block = kwi_block_create(&pool, 4096, 0);
    cr_assert_not_null(block);
    kwi_block_release(block);
    kwi_pool_deinit(&pool);
}
