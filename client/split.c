/* client/split.c -- a batch that the broker finds too large becomes two, each with half
 * of the bytes, which go where it was, in its order (KIP-126).
 *
 * Nothing of it was written, so its sequence numbers are still to be used: the first half
 * keeps the first of them, the second goes on behind. A half that is still too large is
 * split again; what one record weighs, the broker may refuse for good. The limit is not
 * known to us: the broker does not say it, and it counts compressed bytes.
 *
 * The first half stays where the records are. The second is written anew into one chunk,
 * because its records are numbered from 0 again. A batch that was compressed is unpacked
 * before, into two new chunks, and packed again after. buffer.memory may be nearly full
 * then, so that little is asked of it, and the control reserve helps out. When memory is
 * short the batch waits as it is, and its partition with it, for a backoff. */
#include <string.h>

#include "base/bytes.h"
#include "client/chunk.h"
#include "client/error_text.h"
#include "client/receipt.h"
#include "client/sender.h"
#include "proto/batch.h"

/* What the records up to some point add up to. */
struct split_sum {
    uint32_t n;           /* records */
    const uint8_t *end;   /* behind the last */
    int64_t delta_max;    /* of their timestamps */
    const uint8_t *index; /* of the next record: its offset delta ... */
    const uint8_t *rest;  /* ... and what follows that */
    const uint8_t *next;  /* the next record's end */
    const uint8_t *body;  /* its first byte behind the length */
    int64_t delta;        /* its timestamp's */
};

/* Looks at the record behind what was summed up. They are our own: nothing is checked
 * that a program error would not break. */
static void split_look(struct split_sum *sum, const uint8_t *limit)
{
    uint64_t v = 0;
    const uint8_t *at = kwi_read_uvarint(sum->end, limit, 5, &v);

    KWI_ASSERT(at);
    sum->body = at;
    sum->next = at + kwi_unzigzag(v);
    at = kwi_read_uvarint(at + 1, limit, 10, &v); /* behind the attributes */
    KWI_ASSERT(at);
    sum->delta = kwi_unzigzag(v);
    sum->index = at;
    sum->rest = kwi_read_uvarint(at, limit, 5, &v);
}

static void split_take(struct split_sum *sum)
{
    if (!sum->n || sum->delta > sum->delta_max)
        sum->delta_max = sum->delta;
    sum->end = sum->next;
    sum->n++;
}

/* The first n records. */
static struct split_sum split_first(const uint8_t *records, size_t len, uint32_t n)
{
    struct split_sum sum = {.end = records};

    while (sum.n < n) {
        split_look(&sum, records + len);
        split_take(&sum);
    }
    return sum;
}

/* As many records as make half of the bytes, at least one, and not all. */
static struct split_sum split_half(const uint8_t *records, size_t len, uint32_t n_records)
{
    struct split_sum sum = {.end = records};

    while (sum.n + 1 < n_records) {
        split_look(&sum, records + len);
        if (sum.n && (size_t)(sum.next - records) > len / 2)
            break;
        split_take(&sum);
    }
    return sum;
}

/* ---- the records in one piece ---------------------------------------------------------- */

struct split_plain {
    const uint8_t *records;
    size_t len;
    uint8_t *copy;          /* of the control reserve, or NULL */
    struct kw_block *block; /* of the produce reserve, or NULL */
};

static void split_plain_deinit(const struct kw_batch *batch, struct split_plain *plain)
{
    kwi_free(&batch->part->topic->core->control, plain->copy, plain->len);
    kwi_block_release(plain->block);
}

/* The records as they were before compression. KW_ERR_NOMEM. */
static int split_plain_init(const struct kw_batch *batch, struct split_plain *plain)
{
    struct kw_core *core = batch->part->topic->core;
    const size_t header = KWI_BATCH_HEADER;
    uint8_t *to;
    int rc;

    *plain = (struct split_plain){.len = batch->codec ? batch->plain_len : batch->records_len};
    plain->records = batch->first->data + header;
    if (!batch->codec && !batch->first->next)
        return 0;
    to = plain->copy = kwi_alloc(&core->control, plain->len);
    if (!to) {
        plain->block = kwi_block_create(&core->produce_pool, plain->len, 0);
        if (!plain->block)
            return KW_ERR_NOMEM;
        to = kwi_block_data(plain->block);
    }
    plain->records = to;
    rc = batch->codec ? kwi_batch_decode(batch, to) : 0;
    if (rc)
        split_plain_deinit(batch, plain);
    for (const struct kw_chunk *chunk = batch->first; chunk && !batch->codec; chunk = chunk->next) {
        size_t skip = chunk == batch->first ? header : 0;
        memcpy(to, chunk->data + skip, chunk->len - skip);
        to += chunk->len - skip;
    }
    return rc;
}

/* ---- two halves ----------------------------------------------------------------------- */

/* Copies the opaques of n records from index `first` on. */
static void split_opaques(const struct kw_batch *batch, uint32_t first, uint32_t n,
                          struct kw_chunk *to)
{
    const struct kw_chunk *chunk = batch->first;
    uint32_t base = 0;

    for (uint32_t i = 0; i < n; i++) {
        while (first + i - base >= chunk->n_opaques) {
            base += chunk->n_opaques;
            chunk = chunk->next;
        }
        *(to->top - 1 - i) = *(chunk->top - 1 - (first + i - base));
    }
    to->n_opaques = n;
}

/* Writes the records behind `sum` into the chunk, numbered from 0. They do not get
 * larger by it. Returns the highest timestamp delta. */
static int64_t split_write(struct kw_chunk *to, struct split_sum sum, const uint8_t *limit)
{
    uint8_t *w = to->data + KWI_BATCH_HEADER;
    int64_t delta_max = INT64_MIN;

    for (uint32_t index = 0; sum.end != limit; index++) {
        size_t front, body;

        split_look(&sum, limit);
        front = (size_t)(sum.index - sum.body);
        body = front + kwi_uvarint_size((uint64_t)index << 1) + (size_t)(sum.next - sum.rest);
        w = kwi_put_uvarint(w, (uint64_t)body << 1);
        memcpy(w, sum.body, front);
        w = kwi_put_uvarint(w + front, (uint64_t)index << 1);
        memcpy(w, sum.rest, (size_t)(sum.next - sum.rest));
        w += sum.next - sum.rest;
        delta_max = sum.delta > delta_max ? sum.delta : delta_max;
        split_take(&sum);
    }
    to->len = (uint32_t)(w - to->data);
    return delta_max;
}

/* The batch is exactly what its chunks hold, uncompressed: n records of these bytes. A
 * value that is lent is a chunk of its own, and a record never ends with it. */
static void split_set(struct kw_batch *batch, uint32_t n, const uint8_t *records, size_t len,
                      int64_t delta_max)
{
    batch->n_records = n;
    batch->codec = 0;
    batch->lent_len = 0;
    for (const struct kw_chunk *chunk = batch->first; chunk; chunk = chunk->next)
        batch->lent_len += chunk->top ? 0 : chunk->len;
    batch->records_len = (uint32_t)len;
    batch->size = (uint32_t)(KWI_BATCH_HEADER + len);
    batch->records_crc = batch->part->topic->core->env.crc32c(0, records, len);
    batch->max_timestamp = batch->base_timestamp + delta_max;
    batch->oversize = false;
    batch->resized = true;
}

static void split_give(struct kw_batch *batch, struct kw_chunk *chunk)
{
    batch->first = batch->last = chunk;
    batch->n_chunks = 1;
}

/* Leaves the first n records, which are `len` bytes with the header, in their chunks. */
static void split_cut(struct kw_batch *batch, uint32_t n, size_t len)
{
    struct kw_chunk *last = batch->first;

    batch->n_chunks = 1;
    for (; last->len < len; last = last->next) {
        len -= last->len;
        n -= last->n_opaques;
        batch->n_chunks++;
    }
    last->len = (uint32_t)len;
    last->n_opaques = n;
    batch->last = last;
    kwi_chunks_free(last->next);
    last->next = NULL;
}

/* The second half, as far as it can be had without records. NULL: no memory. */
static struct kw_batch *split_second(struct kw_batch *batch, uint32_t n_first)
{
    struct kw_batch *second = kwi_batch_create(batch->part->topic->producer);

    if (!second)
        return NULL;
    *second = *batch;
    second->node = second->time_node = second->open_node = (struct kw_node){NULL, NULL};
    second->event = (struct kw_evnode){.fill = NULL};
    second->expiry = NULL;
    second->expiry_timer = (struct kw_timer){.fire = NULL};
    second->undated_node = (struct kw_node){NULL, NULL};
    second->begin = batch->begin + n_first;
    if (batch->stamped)
        second->sequence = kwi_sequence_add(batch->sequence, n_first);
    second->last_run = NULL;
    second->more_runs = NULL;
    if (kwi_receipts_split(batch, second, n_first) == 0)
        return second;
    second->first = second->last = NULL;
    kwi_batch_free(second);
    return NULL;
}

/* Behind the first half, wherever that is listed. */
static void split_insert(struct kw_list *list, struct kw_node *first, struct kw_node *second)
{
    if (first->next)
        kwi_list_insert_before(list, first->next, second);
    else
        kwi_list_push(list, second);
}

static void split_tell(const struct kw_batch *batch)
{
    struct kw_topic *topic = batch->part->topic;
    struct kw_error err;

    kwi_error_fmt(&err, KW_ERR_TOO_LARGE, KW_PHASE_REQUEST,
                  "lower batch.size, or raise max.message.bytes of the topic",
                  "batches of %s are above max.message.bytes: they are sent again in halves",
                  topic->meta->name);
    kwi_event_error(topic->core, &err);
}

/* buffer.memory may be full of just such batches, and then none of them could ever go:
 * the control reserve helps out as long as half of it is left for others. */
static struct kw_chunk *split_chunk(struct kw_producer *producer, size_t size)
{
    struct kw_core *core = producer->core;
    struct kw_chunk *chunk = kwi_chunk_create(producer, size);

    if (!chunk && kwi_pool_free(&core->spare_pool) / 2 > kwi_pool_cost(size) &&
        kwi_pool_free(&core->spare_pool) > core->control.limit / 2)
        chunk = kwi_chunk_create_in(&core->spare_pool, size);
    return chunk;
}

/* What a split takes; all or nothing. */
struct split_room {
    struct split_plain plain;
    struct split_sum half;
    struct kw_chunk *first, *rest; /* first: only of a batch that was compressed */
    struct kw_batch *second;
};

static void split_room_deinit(const struct kw_batch *batch, struct split_room *room)
{
    if (room->first)
        kwi_block_release(room->first->block);
    if (room->rest)
        kwi_block_release(room->rest->block);
    split_plain_deinit(batch, &room->plain);
}

/* n 0: half of the bytes. */
static bool split_room_init(struct kw_batch *batch, struct split_room *room, uint32_t n)
{
    struct kw_producer *producer = batch->part->topic->producer;
    size_t len, fill;

    *room = (struct split_room){.rest = NULL};
    if (split_plain_init(batch, &room->plain))
        return false;
    room->half = n ? split_first(room->plain.records, room->plain.len, n)
                   : split_half(room->plain.records, room->plain.len, batch->n_records);
    len = (size_t)(room->half.end - room->plain.records);
    fill = KWI_BATCH_HEADER + sizeof(void *); /* opaques begin where they may */
    room->rest = split_chunk(producer, fill + room->plain.len - len +
                                           (batch->n_records - room->half.n) * sizeof(void *));
    if (batch->codec)
        room->first = split_chunk(producer, fill + len + room->half.n * sizeof(void *));
    if (room->rest && (room->first || !batch->codec))
        room->second = split_second(batch, room->half.n);
    if (!room->second)
        split_room_deinit(batch, room);
    return room->second != NULL;
}

static struct kw_batch *split_behind(struct kw_batch *batch, uint32_t n)
{
    struct kw_part *part = batch->part;
    struct kw_producer *producer = part->topic->producer;
    struct split_room room;
    const uint8_t *records;
    uint32_t n_rest;
    int64_t delta_max;
    size_t len;

    KWI_ASSERT(batch->state == BATCH_QUEUED && !batch->n_lent && batch->n_records > 1);
    if (!split_room_init(batch, &room, n))
        return NULL;
    records = room.plain.records;
    len = (size_t)(room.half.end - records);
    n_rest = batch->n_records - room.half.n;
    delta_max = split_write(room.rest, room.half, records + room.plain.len);
    split_opaques(batch, room.half.n, n_rest, room.rest);
    split_give(room.second, room.rest);
    split_set(room.second, n_rest, room.rest->data + KWI_BATCH_HEADER,
              room.rest->len - KWI_BATCH_HEADER, delta_max);
    if (room.first) {
        memcpy(room.first->data + KWI_BATCH_HEADER, records, len);
        room.first->len = (uint32_t)(KWI_BATCH_HEADER + len);
        split_opaques(batch, 0, room.half.n, room.first);
        kwi_batch_free_chunks(batch);
        split_give(batch, room.first);
    } else {
        split_cut(batch, room.half.n, KWI_BATCH_HEADER + len);
    }
    split_set(batch, room.half.n, records, len, room.half.delta_max);
    split_plain_deinit(batch, &room.plain);
    split_insert(&part->queue, &batch->node, &room.second->node);
    part->n_queued++;
    split_insert(batch->pinned ? &producer->timed : &producer->unpinned, &batch->time_node,
                 &room.second->time_node);
    part->topic->core->stats.batches++;
    if (batch->expiry)
        kwi_expiry_split(batch, room.second);
    return room.second;
}

bool kwi_batch_split(struct kw_batch *batch)
{
    struct kw_batch *second = split_behind(batch, 0);

    if (!second)
        return false;
    if (batch->part->topic->producer->codec) {
        kwi_pack_batch(batch);
        kwi_pack_batch(second);
    }
    split_tell(batch);
    return true;
}

bool kwi_batch_split_at(struct kw_batch *batch, uint32_t n)
{
    return split_behind(batch, n) != NULL;
}
