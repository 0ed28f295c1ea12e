/* client/pool.h -- recycled blocks of memory inside one reserve.
 *
 * Blocks come in size classes: powers of two from 1 KiB to 64 KiB, then powers
 * of two plus 64 KiB, so that an answer of max.partition.fetch.bytes and its
 * envelope fit one. Freed blocks are kept for the next user; when the reserve
 * is full of kept blocks of other classes, those are given back first. */
#ifndef KWI_POOL_H
#define KWI_POOL_H
#include "base/alloc.h"
#include "base/list.h"

struct kw_pool;

/* Bytes of the blocks that one user has. It lives until its user and the last of the
 * blocks have left it. */
struct kw_tally {
    struct kw_heap *heap;
    size_t used;
    uint32_t refs;
};

/* A block holds data behind its header; counted holds, freed at zero. */
struct kw_block {
    struct kw_node node; /* in the pool's kept list */
    struct kw_pool *pool;
    struct kw_tally *tally; /* that it counts in, or NULL */
    size_t cap;             /* bytes behind the header */
    uint32_t holds;
    uint8_t size_class;
    /* data follows, 16-byte aligned */
};

/* The largest holds 2^31 + 64 KiB, more than any length on the wire, and is a
 * size_t on a machine of 32 bits too. */
enum { KWI_POOL_CLASSES = 23 };
struct kw_pool {
    struct kw_heap *heap;
    struct kw_list kept[KWI_POOL_CLASSES];
    size_t kept_bytes; /* in the kept lists, headers included */
    bool keeps_none;   /* released blocks go back to the heap at once */
    size_t reserved;   /* promised to answers under way, counted below heap->limit */
};

static inline uint8_t *kwi_block_data(struct kw_block *block)
{
    return (uint8_t *)block + ((sizeof(struct kw_block) + 15) & ~(size_t)15);
}

void kwi_pool_init(struct kw_pool *pool, struct kw_heap *heap);
void kwi_pool_deinit(struct kw_pool *pool);
/* Bytes that a block for `len` bytes takes from the reserve, header included. */
size_t kwi_pool_cost(size_t len);
/* Bytes that could be had now: free, or kept in lists, and not promised. */
size_t kwi_pool_free(const struct kw_pool *pool);
/* A block for at least len bytes with one hold, or NULL. `promised` bytes of
 * the reserve (kwi_pool_reserve) may be used for it. */
struct kw_block *kwi_block_create(struct kw_pool *pool, size_t len, size_t promised);
/* Zeroed memory outside of blocks, from the same reserve; kept blocks are given
 * back for it. NULL: no memory. Freed by kwi_free with the pool's heap. */
void *kwi_pool_alloc_zero(struct kw_pool *pool, size_t size);
/* NULL: no memory. */
struct kw_tally *kwi_tally_create(struct kw_heap *heap);
void kwi_tally_leave(struct kw_tally *tally); /* NULL allowed */
/* The block, which is new, counts in the tally from now on, until it is freed. */
void kwi_block_charge(struct kw_block *block, struct kw_tally *tally);
void kwi_block_hold(struct kw_block *block);
void kwi_block_release(struct kw_block *block); /* NULL allowed */
/* Promises bytes for an answer that will come; false when they are not there. */
bool kwi_pool_reserve(struct kw_pool *pool, size_t bytes);
void kwi_pool_unreserve(struct kw_pool *pool, size_t bytes);

#endif
