/* client/pool.c -- recycled blocks by size class. See pool.h. */
#include "client/pool.h"

#include "base/assert.h"

enum {
    POOL_SMALLEST = 10, /* log2: 1 KiB */
    POOL_STEP = 16,     /* above 64 KiB the classes are 2^k + 64 KiB */
    POOL_HEADER = (sizeof(struct kw_block) + 15) & ~(size_t)15
};

/* Data bytes of class c: 1, 2, ... 64 KiB, then 2^k + 64 KiB from k = 16. */
static size_t pool_class_size(unsigned c)
{
    unsigned small = POOL_STEP - POOL_SMALLEST + 1;

    if (c < small)
        return (size_t)1 << (POOL_SMALLEST + c);
    return ((size_t)1 << (POOL_STEP + c - small)) + ((size_t)1 << POOL_STEP);
}

/* The class for len bytes, or KWI_POOL_CLASSES when there is none. */
static unsigned pool_class(size_t len)
{
    unsigned c = 0;

    while (c < KWI_POOL_CLASSES && pool_class_size(c) < len)
        c++;
    return c;
}

size_t kwi_pool_cost(size_t len)
{
    unsigned c = pool_class(len);

    return c == KWI_POOL_CLASSES ? SIZE_MAX : pool_class_size(c) + POOL_HEADER;
}

void kwi_pool_init(struct kw_pool *pool, struct kw_heap *heap)
{
    *pool = (struct kw_pool){.heap = heap};
}

static void pool_free_kept(struct kw_pool *pool, struct kw_list *kept)
{
    struct kw_block *block = KWI_OF(kwi_list_pop(kept), struct kw_block, node);

    pool->kept_bytes -= block->cap + POOL_HEADER;
    kwi_free(pool->heap, block, block->cap + POOL_HEADER);
}

void kwi_pool_deinit(struct kw_pool *pool)
{
    for (unsigned c = 0; c < KWI_POOL_CLASSES; c++)
        while (!kwi_list_empty(&pool->kept[c]))
            pool_free_kept(pool, &pool->kept[c]);
}

size_t kwi_pool_free(const struct kw_pool *pool)
{
    size_t taken = pool->heap->used - pool->kept_bytes + pool->reserved;

    return taken < pool->heap->limit ? pool->heap->limit - taken : 0;
}

/* Gives kept blocks back, the largest first, until `need` more bytes fit. */
static void pool_make_room(struct kw_pool *pool, size_t need)
{
    for (unsigned c = KWI_POOL_CLASSES; c-- > 0;)
        while (!kwi_list_empty(&pool->kept[c]) && pool->heap->used + need > pool->heap->limit)
            pool_free_kept(pool, &pool->kept[c]);
}

struct kw_block *kwi_block_create(struct kw_pool *pool, size_t len, size_t promised)
{
    unsigned c = pool_class(len);
    struct kw_block *block;
    size_t cost;

    if (c == KWI_POOL_CLASSES)
        return NULL;
    cost = pool_class_size(c) + POOL_HEADER;
    if (cost > promised && cost - promised > kwi_pool_free(pool))
        return NULL;
    if (!kwi_list_empty(&pool->kept[c])) {
        block = KWI_OF(kwi_list_pop(&pool->kept[c]), struct kw_block, node);
        pool->kept_bytes -= cost;
    } else {
        pool_make_room(pool, cost);
        block = kwi_alloc(pool->heap, cost);
        if (!block)
            return NULL;
    }
    *block = (struct kw_block){
        .pool = pool, .cap = pool_class_size(c), .holds = 1, .size_class = (uint8_t)c};
    return block;
}

void *kwi_pool_alloc_zero(struct kw_pool *pool, size_t size)
{
    pool_make_room(pool, size);
    return kwi_alloc_zero(pool->heap, size);
}

struct kw_tally *kwi_tally_create(struct kw_heap *heap)
{
    struct kw_tally *tally = kwi_alloc(heap, sizeof(*tally));

    if (tally)
        *tally = (struct kw_tally){.heap = heap, .refs = 1};
    return tally;
}

void kwi_tally_leave(struct kw_tally *tally)
{
    if (tally && --tally->refs == 0)
        kwi_free(tally->heap, tally, sizeof(*tally));
}

void kwi_block_charge(struct kw_block *block, struct kw_tally *tally)
{
    KWI_ASSERT(!block->tally);
    block->tally = tally;
    tally->used += block->cap + POOL_HEADER;
    tally->refs++;
}

void kwi_block_hold(struct kw_block *block)
{
    block->holds++;
}

void kwi_block_release(struct kw_block *block)
{
    if (!block)
        return;
    KWI_ASSERT(block->holds > 0);
    if (--block->holds)
        return;
    if (block->tally) {
        block->tally->used -= block->cap + POOL_HEADER;
        kwi_tally_leave(block->tally);
        block->tally = NULL;
    }
    if (block->pool->keeps_none) {
        kwi_free(block->pool->heap, block, block->cap + POOL_HEADER);
        return;
    }
    block->pool->kept_bytes += block->cap + POOL_HEADER;
    kwi_list_push_front(&block->pool->kept[block->size_class], &block->node);
}

bool kwi_pool_reserve(struct kw_pool *pool, size_t bytes)
{
    if (bytes > kwi_pool_free(pool))
        return false;
    pool->reserved += bytes;
    return true;
}

void kwi_pool_unreserve(struct kw_pool *pool, size_t bytes)
{
    KWI_ASSERT(pool->reserved >= bytes);
    pool->reserved -= bytes;
}
