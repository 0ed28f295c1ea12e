/* client/chunk.h -- the open batch's memory: chunks, the write window, sealing.
 * See producer.h for the objects. */
#ifndef KWI_CHUNK_H
#define KWI_CHUNK_H
#include "client/producer.h"
#include "proto/batch.h"

/* Closes or fills the window of the partition's current chunk; folds its bytes
 * into the batch's checksum while they are warm. */
void kwi_part_leave_chunk(struct kw_part *part);
/* First byte of records in the current chunk. */
static inline uint8_t *kwi_part_chunk_start(const struct kw_part *part)
{
    return part->open->last->data + (part->open->n_chunks == 1 ? KWI_BATCH_HEADER : 0);
}

/* Bytes of records in the current chunk. */
static inline size_t kwi_part_pending(const struct kw_part *part)
{
    return (size_t)(part->w - kwi_part_chunk_start(part));
}

/* Makes chunk the current one of the open batch. */
void kwi_part_enter_chunk(struct kw_part *part, struct kw_chunk *chunk);
/* A zeroed batch, from the recycling list if possible. NULL: no memory. */
struct kw_batch *kwi_batch_create(struct kw_producer *producer);
/* Begins a batch with its first chunk, and without a number; it is in no list. Errors as
 * kwi_part_open. */
KW_MUST_USE int kwi_part_open_unlisted(struct kw_part *part);
/* Opens a batch with its first chunk. KW_ERR_WOULD_BLOCK: the reserve is too
 * full; KW_ERR_NOMEM: the host's allocator refused. */
KW_MUST_USE int kwi_part_open(struct kw_part *part);
/* Takes back a batch that was just opened and got no record. */
void kwi_part_discard(struct kw_part *part);
/* Chunks for `need` bytes behind the current one, linked, not yet entered. */
KW_MUST_USE int kwi_chunks_create(struct kw_part *part, size_t need, struct kw_chunk **out);
/* Frees such chunks that were not needed. */
void kwi_chunks_free(struct kw_chunk *chunk);
/* Appends a value without copying it. The chunk that follows comes from what is left of
 * the current one, or from *spare; KWI_CHUNK_LEND is what that takes of either at most. */
enum { KWI_CHUNK_LEND = 4 * (sizeof(struct kw_chunk) + sizeof(void *)) };
void kwi_part_lend(struct kw_part *part, struct kw_chunk **spare, const void *ptr, size_t len);
/* Brings the open batch's maximum timestamp up to date. */
void kwi_part_fold_time(struct kw_part *part);
/* Takes note that records from now on have the time `wall_ms`. */
void kwi_part_set_time(struct kw_part *part, int64_t wall_ms);

#endif
