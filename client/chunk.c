/* client/chunk.c -- chunks of the open batch. See chunk.h.
 *
 *   | header of chunk | records ->            free            <- opaques |
 *                       data          w     limit        opaques      top
 *
 * limit leaves room for one more opaque, and is no further than batch.size
 * allows (room), so "is there room" is one comparison in kw_core_produce. */
#include "client/chunk.h"

#include <string.h>

#include "client/receipt.h"
#include "proto/batch.h"

enum { CHUNK_FIRST = 4096, CHUNK_SECOND = 16384, CHUNK_LATER = 65536 };

struct kw_chunk *kwi_chunk_create(struct kw_producer *producer, size_t size)
{
    return kwi_chunk_create_in(&producer->core->produce_pool, size);
}

struct kw_chunk *kwi_chunk_create_in(struct kw_pool *pool, size_t size)
{
    struct kw_block *block = kwi_block_create(pool, size + sizeof(struct kw_chunk), 0);
    struct kw_chunk *chunk;

    if (!block)
        return NULL;
    chunk = (struct kw_chunk *)(void *)kwi_block_data(block);
    *chunk = (struct kw_chunk){.block = block};
    chunk->data = kwi_block_data(block) + sizeof(*chunk);
    chunk->top = (void **)(void *)(kwi_block_data(block) + block->cap);
    return chunk;
}

/* The nth chunk of an open batch. */
static struct kw_chunk *chunk_create(struct kw_producer *producer, uint32_t nth)
{
    size_t size = nth == 0 ? CHUNK_FIRST : nth == 1 ? CHUNK_SECOND : CHUNK_LATER;

    return kwi_chunk_create(producer, size - sizeof(struct kw_chunk));
}

/* Memory is short: is it the budget's fault, or the host's? */
static int chunk_refused(const struct kw_producer *producer, size_t cost)
{
    return kwi_pool_free(&producer->core->produce_pool) < cost ? KW_ERR_WOULD_BLOCK : KW_ERR_NOMEM;
}

void kwi_part_enter_chunk(struct kw_part *part, struct kw_chunk *chunk)
{
    struct kw_batch *batch = part->open;
    uint32_t used = KWI_BATCH_HEADER + batch->records_len;
    uint32_t left = used < part->topic->producer->batch_size
                        ? part->topic->producer->batch_size - used
                        : 0;

    if (batch->last)
        batch->last->next = chunk;
    else
        batch->first = chunk;
    batch->last = chunk;
    batch->n_chunks++;
    part->w = chunk->data + (batch->n_chunks == 1 ? KWI_BATCH_HEADER : 0);
    part->opaques = chunk->top;
    part->limit = (uint8_t *)(chunk->top - 1);
    part->room = (size_t)(part->limit - part->w) > left ? part->w + left : part->limit;
    part->limit = part->room;
    part->chunk_base = part->n_records;
}

void kwi_part_leave_chunk(struct kw_part *part)
{
    struct kw_batch *batch = part->open;
    struct kw_chunk *chunk = batch->last;
    size_t len = kwi_part_pending(part);

    chunk->len = (uint32_t)(part->w - chunk->data);
    chunk->n_opaques = part->n_records - part->chunk_base;
    batch->records_crc = part->topic->core->env.crc32c(batch->records_crc,
                                                       kwi_part_chunk_start(part), len);
    batch->records_len += (uint32_t)len;
}

struct kw_batch *kwi_batch_create(struct kw_producer *producer)
{
    struct kw_batch *batch;

    if (!kwi_list_empty(&producer->free_batches)) {
        batch = KWI_OF(kwi_list_pop(&producer->free_batches), struct kw_batch, node);
        memset(batch, 0, sizeof(*batch));
        return batch;
    }
    return kwi_pool_alloc_zero(&producer->core->produce_pool, sizeof(*batch));
}

int kwi_part_open_unlisted(struct kw_part *part)
{
    struct kw_topic *topic = part->topic;
    struct kw_producer *producer = topic->producer;
    struct kw_batch *batch;
    struct kw_chunk *chunk;

    /* An open batch can always take its fill and one largest record more. */
    if (kwi_pool_free(&topic->core->produce_pool) <= kwi_producer_reserve(producer))
        return KW_ERR_WOULD_BLOCK;
    batch = kwi_batch_create(producer);
    if (!batch)
        return KW_ERR_NOMEM;
    chunk = chunk_create(producer, 0);
    if (!chunk) {
        kwi_list_push(&producer->free_batches, &batch->node);
        return KW_ERR_NOMEM;
    }
    batch->part = part;
    batch->state = BATCH_OPEN;
    batch->base_offset = batch->log_append_ms = -1;
    batch->base_timestamp = batch->max_timestamp = topic->core->now.wall_ms;
    part->open = batch;
    part->n_records = part->time_base = 0;
    part->wall_ms = topic->core->now.wall_ms;
    part->delta = 0;
    kwi_part_enter_chunk(part, chunk);
    return 0;
}

int kwi_part_open(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    int rc = kwi_part_open_unlisted(part);

    if (rc)
        return rc;
    part->open->number = ++producer->next_number;
    kwi_list_push(&producer->unpinned, &part->open->time_node);
    kwi_attend(producer->core, KW_ATT_TIME); /* the next step gives it its time */
    return 0;
}

void kwi_part_discard(struct kw_part *part)
{
    struct kw_batch *batch = part->open;
    struct kw_producer *producer = part->topic->producer;

    KWI_ASSERT(part->n_records == 0 && !batch->pinned);
    kwi_list_remove(&producer->unpinned, &batch->time_node);
    part->open = NULL;
    part->w = part->limit = part->room = NULL;
    kwi_batch_free(batch);
}

int kwi_chunks_create(struct kw_part *part, size_t need, struct kw_chunk **out)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_chunk *first = NULL, *last = NULL, *chunk;
    uint32_t nth = part->open->n_chunks;
    int rc;

    for (size_t have = 0; have < need; nth++) {
        chunk = chunk_create(producer, nth);
        if (!chunk)
            goto fail;
        have += (size_t)((uint8_t *)chunk->top - chunk->data);
        if (last)
            last->next = chunk;
        else
            first = chunk;
        last = chunk;
    }
    *out = first;
    return 0;
fail:
    rc = chunk_refused(producer, kwi_pool_cost(CHUNK_LATER));
    kwi_chunks_free(first);
    return rc;
}

void kwi_chunks_free(struct kw_chunk *chunk)
{
    struct kw_block *block = NULL;

    for (; chunk; chunk = chunk->next) {
        if (!chunk->block)
            continue; /* lies in the block of a neighbour */
        kwi_block_release(block);
        block = chunk->block;
    }
    kwi_block_release(block);
}

/* ---- values by reference ---------------------------------------------------------- */

static uint8_t *chunk_align(uint8_t *at)
{
    return at + (-(uintptr_t)at & (sizeof(void *) - 1));
}

/* Two chunks where there was one: the value's, and what is left of it. */
static struct kw_chunk *chunk_split(struct kw_part *part, struct kw_chunk **rest)
{
    struct kw_chunk *lent = (struct kw_chunk *)(void *)chunk_align(part->w);

    *rest = lent + 1;
    **rest = (struct kw_chunk){.data = (uint8_t *)(lent + 2), .top = part->opaques};
    return lent;
}

/* The value's chunk at the beginning of a new one. */
static struct kw_chunk *chunk_precede(struct kw_chunk *rest)
{
    struct kw_chunk *lent = (struct kw_chunk *)(void *)chunk_align(rest->data);

    rest->data = (uint8_t *)(lent + 1);
    return lent;
}

void kwi_part_lend(struct kw_part *part, struct kw_chunk **spare, const void *ptr, size_t len)
{
    struct kw_batch *batch = part->open;
    struct kw_chunk *lent, *rest = NULL;
    bool fits = part->w + sizeof(void *) + 2 * sizeof(*lent) < (uint8_t *)part->opaques;

    kwi_part_leave_chunk(part);
    if (fits) {
        lent = chunk_split(part, &rest);
    } else {
        rest = *spare;
        *spare = rest->next;
        rest->next = NULL;
        lent = chunk_precede(rest);
    }
    /* Nobody writes to it; the type has no const. */
    *lent = (struct kw_chunk){.data = (uint8_t *)(uintptr_t)ptr, .len = (uint32_t)len};
    batch->last->next = lent;
    batch->last = lent;
    batch->n_chunks++;
    batch->records_crc = part->topic->core->env.crc32c(batch->records_crc, ptr, len);
    batch->records_len += (uint32_t)len;
    batch->lent_len += (uint32_t)len;
    kwi_part_enter_chunk(part, rest);
}

/* The hot path keeps no maximum: what it appended since the time was last set
 * all has that time. Told before the time or the batch changes. */
void kwi_part_fold_time(struct kw_part *part)
{
    if (part->n_records > part->time_base && part->wall_ms > part->open->max_timestamp)
        part->open->max_timestamp = part->wall_ms;
    part->time_base = part->n_records;
}

void kwi_part_set_time(struct kw_part *part, int64_t wall_ms)
{
    if (!part->open) /* the next one will have its own */
        return;
    kwi_part_fold_time(part);
    part->wall_ms = wall_ms;
    part->delta = kwi_zigzag((int64_t)((uint64_t)wall_ms - (uint64_t)part->open->base_timestamp));
    if (part->delta)
        part->open->base_fixed = true;
}

uint32_t kwi_batch_pieces(const struct kw_batch *batch, struct kw_iov *iov, uint32_t cap)
{
    uint32_t n = 0;

    for (const struct kw_chunk *chunk = batch->first; chunk && n < cap; chunk = chunk->next)
        iov[n++] = (struct kw_iov){chunk->data, chunk->len};
    return n;
}

void kwi_batch_free_chunks(struct kw_batch *batch)
{
    kwi_chunks_free(batch->first);
    batch->first = batch->last = NULL;
}

void kwi_batch_free(struct kw_batch *batch)
{
    struct kw_producer *producer = batch->part->topic->producer;

    kwi_batch_free_chunks(batch);
    kwi_batch_free_runs(batch);
    kwi_expiry_stop(batch);
    kwi_block_release(batch->culprits);
    kwi_free(&producer->core->control, batch->flat, batch->flat_size);
    kwi_list_push(&producer->free_batches, &batch->node);
}
