/* client/produce.c -- appending records: the hot path, and its slow twin for
 * what is rare (headers, own timestamps, records across chunks, new batches).
 *
 * The hot path makes one copy of key and value and four varints; no clock, no
 * allocation, no list, no counter per record but the batch's own. */
#include <string.h>

#include "base/bytes.h"
#include "client/chunk.h"
#include "client/config.h"
#include "client/error_text.h"
#include "client/partitioner.h"
#include "client/producer.h"
#include "client/receipt.h"
#include "client/txn.h"
#include "proto/batch.h"
#include <kwire/kwire.h>

/* A varint length of up to 31 bits and the record's own 5 fit this. */
enum { PRODUCE_PREFIX_MAX = 48 };

/* What a record of the hot path has besides key and value, at most: lengths of 4, 3 and 3
 * bytes, attributes, deltas of 10 and 5, the count of headers. Between the other two the
 * varint of its own length has two bytes, whatever the deltas are. */
enum { PRODUCE_AROUND = 27, PRODUCE_TWO_MIN = 64, PRODUCE_TWO_MAX = 8191 - PRODUCE_AROUND };
/* Flags of records that take the slow path. */
enum { PRODUCE_RARE = KW_REC_TIMESTAMP | KW_REC_BY_REF | KW_REC_TIMEOUT | KW_REC_REF };

/* ---- sizes -------------------------------------------------------------------- */

/* Lengths as varints write them: null is -1. */
static inline uint64_t produce_len(const struct kw_bytes *bytes)
{
    return bytes->ptr ? kwi_zigzag((int64_t)bytes->len) : 1;
}

static inline size_t produce_copied(const struct kw_bytes *bytes)
{
    return bytes->ptr ? bytes->len : 0;
}

static inline size_t produce_body_size(uint64_t delta, uint32_t index, uint64_t key_len,
                                       uint64_t value_len, size_t copied, size_t headers_size)
{
    return 1 + kwi_uvarint_size(delta) + kwi_uvarint_size((uint64_t)index << 1) +
           kwi_uvarint_size(key_len) + kwi_uvarint_size(value_len) + copied + headers_size;
}

/* ---- slow path: pieces that may cross chunks ------------------------------------ */

static void produce_put(struct kw_part *part, struct kw_chunk **spare, const void *ptr, size_t n)
{
    const uint8_t *from = ptr;

    while (n) {
        size_t space = (size_t)((uint8_t *)part->opaques - part->w);
        size_t now = n < space ? n : space;

        if (!space) {
            struct kw_chunk *chunk = *spare;
            KWI_ASSERT(chunk); /* produce_append made as many as it takes */
            *spare = chunk->next;
            chunk->next = NULL;
            kwi_part_leave_chunk(part);
            kwi_part_enter_chunk(part, chunk);
            continue;
        }
        memcpy(part->w, from, now);
        part->w += now;
        from += now;
        n -= now;
    }
}

static void produce_put_uvarint(struct kw_part *part, struct kw_chunk **spare, uint64_t v)
{
    uint8_t b[10];

    produce_put(part, spare, b, (size_t)(kwi_put_uvarint(b, v) - b));
}

/* A short value is copied, and told of as one that was not. */
static bool produce_lends(const struct kw_record *record)
{
    return (record->flags & KW_REC_BY_REF) && record->value.len >= KWI_LENT_MIN;
}

static void produce_put_bytes(struct kw_part *part, struct kw_chunk **spare,
                              const struct kw_bytes *bytes)
{
    produce_put_uvarint(part, spare, produce_len(bytes));
    produce_put(part, spare, bytes->ptr, produce_copied(bytes));
}

static size_t produce_headers_size(const struct kw_record *record)
{
    size_t size = kwi_uvarint_size((uint64_t)record->n_headers << 1);

    for (uint32_t i = 0; i < record->n_headers; i++) {
        const struct kw_header *h = &record->headers[i];
        size += kwi_uvarint_size(produce_len(&h->key)) + h->key.len +
                kwi_uvarint_size(produce_len(&h->value)) + produce_copied(&h->value);
    }
    return size;
}

static void produce_put_record(struct kw_part *part, struct kw_chunk **spare,
                               const struct kw_record *record, uint64_t delta, size_t body)
{
    static const uint8_t attributes = 0;
    uint32_t index = part->n_records++; /* it counts where it begins */

    produce_put_uvarint(part, spare, kwi_zigzag((int64_t)body));
    produce_put(part, spare, &attributes, 1);
    produce_put_uvarint(part, spare, delta);
    produce_put_uvarint(part, spare, (uint64_t)index << 1);
    produce_put_bytes(part, spare, &record->key);
    if (produce_lends(record)) {
        produce_put_uvarint(part, spare, produce_len(&record->value));
        kwi_part_lend(part, spare, record->value.ptr, record->value.len);
    } else {
        produce_put_bytes(part, spare, &record->value);
    }
    produce_put_uvarint(part, spare, (uint64_t)record->n_headers << 1);
    for (uint32_t i = 0; i < record->n_headers; i++) {
        produce_put_bytes(part, spare, &record->headers[i].key);
        produce_put_bytes(part, spare, &record->headers[i].value);
    }
}

/* Stores the opaque in the chunk where the record begins. */
static void produce_put_opaque(struct kw_part *part, void *opaque)
{
    uint8_t *limit;

    *--part->opaques = opaque;
    limit = (uint8_t *)(part->opaques - 1);
    part->limit = limit < part->room ? limit : part->room;
}

/* Appends to the open batch, whatever chunks that takes. */
static int produce_append(struct kw_part *part, const struct kw_record *record, uint64_t delta,
                          size_t body)
{
    size_t total = kwi_uvarint_size(kwi_zigzag((int64_t)body)) + body -
                   (produce_lends(record) ? record->value.len - KWI_CHUNK_LEND : 0);
    bool begin = (size_t)((uint8_t *)part->opaques - part->w) > sizeof(void *);
    size_t space = begin ? (size_t)((uint8_t *)(part->opaques - 1) - part->w) : 0;
    struct kw_chunk *spare = NULL;
    int rc;

    if (total > space) { /* each further chunk may also have to hold the opaque */
        rc = kwi_chunks_create(part, total - space + (begin ? 0 : sizeof(void *)), &spare);
        if (rc)
            return rc;
    }
    if (!begin) {
        struct kw_chunk *chunk = spare;
        KWI_ASSERT(chunk); /* no open chunk: no space, so one was made */
        spare = chunk->next;
        chunk->next = NULL;
        kwi_part_leave_chunk(part);
        kwi_part_enter_chunk(part, chunk);
    }
    produce_put_opaque(part, record->opaque);
    produce_put_record(part, &spare, record, delta, body);
    kwi_chunks_free(spare); /* room for a value by reference is asked for generously */
    return 0;
}

/* ---- slow path: checks and batches ----------------------------------------------- */

static int produce_check(const struct kw_topic *topic, const struct kw_record *record)
{
    if ((record->key.len && !record->key.ptr) || (record->value.len && !record->value.ptr))
        return KW_ERR_USE;
    if ((record->flags & KW_REC_TIMESTAMP) && record->timestamp_ms < 0)
        return KW_ERR_USE;
    if ((record->flags & KW_REC_PARTITION) && record->partition < 0)
        return KW_ERR_USE;
    if (record->receipt &&
        (record->receipt->closed || record->receipt->producer != topic->producer))
        return KW_ERR_USE;
    if ((record->flags & KW_REC_REF) && !record->ref)
        return KW_ERR_USE;
    if (record->n_headers > INT32_MAX / 2 || (record->n_headers && !record->headers))
        return KW_ERR_USE;
    for (uint32_t i = 0; i < record->n_headers; i++) {
        const struct kw_header *h = &record->headers[i];
        if (!h->key.ptr || (h->value.len && !h->value.ptr))
            return KW_ERR_USE;
        if (h->key.len > topic->producer->max_request_size ||
            h->value.len > topic->producer->max_request_size)
            return KW_ERR_TOO_LARGE;
    }
    if (record->key.len > topic->producer->max_request_size ||
        record->value.len > topic->producer->max_request_size)
        return KW_ERR_TOO_LARGE;
    return 0;
}

static int produce_state(const struct kw_topic *topic)
{
    const struct kw_producer *producer = topic->producer;

    if (producer->closing || topic->core->closing)
        return KW_ERR_CLOSED;
    if (producer->fatal || (producer->txn && !kwi_txn_is_open(producer->txn)))
        return KW_ERR_STATE;
    return topic->error ? KW_ERR_BROKER : 0;
}

/* As the default partitioner does. */
static struct kw_part *produce_pick(const struct kw_topic *topic, const struct kw_record *record)
{
    if (record->flags & KW_REC_PARTITION)
        return (uint32_t)record->partition < topic->n_parts ? topic->parts[record->partition]
                                                            : NULL;
    if (record->key.ptr)
        return topic->parts[kwi_partition_of_key(record->key.ptr, record->key.len, topic->n_parts)];
    return topic->sticky;
}

/* The reserve is full: what was opened first is sent now, so that room comes. */
static int produce_blocked(struct kw_producer *producer)
{
    struct kw_list *open = kwi_list_empty(&producer->lingering) ? &producer->unpinned
                                                                : &producer->lingering;

    kwi_producer_block(producer);
    for (struct kw_node *n = open->first; n; n = n->next) {
        struct kw_batch *batch = open == &producer->unpinned
                                     ? KWI_OF(n, struct kw_batch, time_node)
                                     : KWI_OF(n, struct kw_batch, open_node);
        if (batch->state == BATCH_OPEN) {
            kwi_part_seal(batch->part);
            break;
        }
    }
    return KW_ERR_WOULD_BLOCK;
}

/* What is noted of a record beside its bytes, when they are in the batch. */
static void produce_note(const struct kw_part *part, const struct kw_record *record)
{
    uint32_t index = part->n_records - 1;

    if (record->receipt)
        kwi_receipt_count(part->open);
    else if (record->flags & KW_REC_BY_REF)
        part->open->by_ref = true;
    if (record->flags & KW_REC_TIMEOUT)
        kwi_expiry_note(part->open, index, record->timeout_ms);
    if (record->flags & KW_REC_REF)
        *record->ref = (struct kw_record_ref){.topic = part->topic,
                                              .batch = part->open,
                                              .number = part->open->number,
                                              .partition = part->index,
                                              .index = index};
}

/* The batch has as many deadlines as it can hold. */
static bool produce_outlasts(const struct kw_part *part, const struct kw_record *record)
{
    return (record->flags & KW_REC_TIMEOUT) &&
           kwi_expiry_is_full(part->open, part->n_records, record->timeout_ms);
}

static int produce_into(struct kw_part *part, const struct kw_record *record, size_t headers_size)
{
    struct kw_producer *producer = part->topic->producer;
    int64_t wall_ms = (record->flags & KW_REC_TIMESTAMP) ? record->timestamp_ms
                                                         : part->topic->core->now.wall_ms;
    uint64_t delta;
    size_t body, total;
    bool fresh;
    int rc;

    for (;;) {
        fresh = !part->open;

        rc = fresh ? kwi_part_open(part) : 0;
        if (rc)
            return rc;
        if (fresh && (record->flags & KW_REC_TIMESTAMP)) {
            part->open->base_timestamp = part->open->max_timestamp = wall_ms;
            part->open->base_fixed = true;
            kwi_part_set_time(part, part->wall_ms); /* counts from the new base */
        }
        delta = kwi_zigzag((int64_t)((uint64_t)wall_ms - (uint64_t)part->open->base_timestamp));
        body = produce_body_size(
            delta, part->n_records, produce_len(&record->key), produce_len(&record->value),
            produce_copied(&record->key) + produce_copied(&record->value), headers_size);
        total = kwi_uvarint_size(kwi_zigzag((int64_t)body)) + body;
        if (!part->n_records ||
            (!produce_outlasts(part, record) &&
             KWI_BATCH_HEADER + part->open->records_len + kwi_part_pending(part) + total <=
                 producer->batch_size))
            break;
        kwi_part_seal(part);
        if (part->topic->sticky == part)
            kwi_topic_turn(part->topic); /* it is full */
        if (kwi_topic_sticks(part->topic, record))
            part = part->topic->sticky;
    }
    if ((record->flags & KW_REC_TIMESTAMP) || delta)
        part->open->base_fixed = true;
    kwi_part_fold_time(part);
    rc = record->receipt ? kwi_receipt_prepare(record->receipt, part->open, part->n_records) : 0;
    if (!rc && (record->flags & KW_REC_TIMEOUT))
        rc = kwi_expiry_prepare(part->open);
    if (!rc)
        rc = produce_append(part, record, delta, body);
    if (rc && fresh)
        kwi_part_discard(part); /* nothing is ever sent or reported without a record */
    if (rc)
        return rc;
    produce_note(part, record);
    part->time_base = part->n_records; /* this one has a time of its own */
    if (wall_ms > part->open->max_timestamp)
        part->open->max_timestamp = wall_ms;
    return 0;
}

/* The count may have grown since it was asked for: the next try may find it. */
static int produce_no_partition(const struct kw_topic *topic)
{
    kwi_cluster_refresh(topic->core);
    return KW_ERR_USE;
}

/* The caller sees a code: size, limit and remedy are for a person. */
static int produce_too_large(struct kw_topic *topic, const struct kw_record *record,
                             size_t headers_size)
{
    struct kw_error err;
    uint64_t size = (uint64_t)produce_copied(&record->key) + produce_copied(&record->value) +
                    headers_size;

    kwi_error_fmt(&err, KW_ERR_TOO_LARGE, KW_PHASE_NONE,
                  "raise max.request.size (and max.message.bytes of the topic), or send less",
                  "%s: a record of %llu bytes is above max.request.size = %u", topic->meta->name,
                  (unsigned long long)size, topic->producer->max_request_size);
    kwi_event_error(topic->core, &err);
    return KW_ERR_TOO_LARGE;
}

/* Whether the record can be taken at all, whatever its partition. */
static int produce_admit(struct kw_topic *topic, const struct kw_record *record,
                         size_t *headers_size)
{
    struct kw_producer *producer = topic->producer;
    size_t size;
    int rc = produce_check(topic, record);

    if (rc == KW_ERR_TOO_LARGE)
        return produce_too_large(topic, record, produce_headers_size(record));
    if (!rc)
        rc = produce_state(topic);
    if (rc)
        return rc;
    if (!topic->n_parts) {
        kwi_producer_block(producer);
        return KW_ERR_WOULD_BLOCK;
    }
    *headers_size = produce_headers_size(record);
    size = produce_copied(&record->key) + produce_copied(&record->value) + *headers_size;
    return size > producer->max_request_size - KWI_BATCH_HEADER - PRODUCE_PREFIX_MAX
               ? produce_too_large(topic, record, *headers_size)
               : 0;
}

/* part: where the partitioner put it; NULL: it was not asked yet. */
static int produce_admitted(struct kw_topic *topic, const struct kw_record *record,
                            struct kw_part *part)
{
    size_t headers_size = 0;
    int rc = produce_admit(topic, record, &headers_size);

    if (!rc && !part) {
        part = kwi_topic_pick(topic, record);
        if (!part)
            return produce_no_partition(topic);
    }
    if (!rc) {
        rc = produce_into(part, record, headers_size);
        if (rc == KW_ERR_WOULD_BLOCK)
            rc = produce_blocked(topic->producer);
    }
    if (rc && part)
        kwi_topic_unpick(topic, record);
    if (rc)
        return rc;
    return topic->core->attention ? 1 : 0;
}

/* The record with the headers that the hook adds. */
static int produce_hooked(struct kw_topic *topic, const struct kw_record *record)
{
    enum { HOOK_HEADERS = 8 };
    struct kw_producer *producer = topic->producer;
    struct kw_heap *heap = &topic->core->control;
    struct kw_record with = *record;
    uint32_t need = record->n_headers + HOOK_HEADERS, n;
    int rc = produce_check(topic, record);

    if (!rc)
        rc = produce_state(topic);
    if (rc || !topic->n_parts)
        return produce_admitted(topic, record, NULL); /* which says so, to a person too */
    if (need > producer->hook_headers_cap) {
        kwi_free(heap, producer->hook_headers,
                 producer->hook_headers_cap * sizeof(*producer->hook_headers));
        producer->hook_headers_cap = 0;
        producer->hook_headers = kwi_alloc(heap, need * sizeof(*producer->hook_headers));
        if (!producer->hook_headers)
            return KW_ERR_NOMEM;
        producer->hook_headers_cap = need;
    }
    if (record->n_headers)
        memcpy(producer->hook_headers, record->headers,
               record->n_headers * sizeof(*record->headers));
    n = producer->hooks.on_send(producer->hooks.ctx, topic, record,
                                producer->hook_headers + record->n_headers, HOOK_HEADERS);
    with.headers = producer->hook_headers;
    with.n_headers = record->n_headers + (n < HOOK_HEADERS ? n : HOOK_HEADERS);
    return produce_admitted(topic, &with, NULL);
}

/* Not inline: what it needs in registers would be saved for each record. */
static __attribute__((noinline)) int produce_slow(struct kw_topic *topic,
                                                  const struct kw_record *record,
                                                  struct kw_part *part)
{
    return topic->slow & TOPIC_SLOW_HOOK ? produce_hooked(topic, record)
                                         : produce_admitted(topic, record, part);
}

/* ---- the hot path ------------------------------------------------------------------ */

/* What the partitioner says, when nothing else keeps the record from the hot path; else
 * NULL. */
static __attribute__((noinline)) struct kw_part *produce_picked(struct kw_topic *topic,
                                                                const struct kw_record *record)
{
    if (topic->slow != TOPIC_SLOW_PICK || (record->flags & PRODUCE_RARE) || record->n_headers ||
        record->receipt)
        return NULL;
    return kwi_topic_pick(topic, record);
}

/* Bytes of the varint of the record's length. */
static __attribute__((noinline)) uint32_t produce_len_size(const struct kw_part *part,
                                                           const struct kw_record *record,
                                                           size_t copied)
{
    return kwi_uvarint_size(kwi_zigzag(
        (int64_t)produce_body_size(part->delta, part->n_records, produce_len(&record->key),
                                   produce_len(&record->value), copied, 1)));
}

static inline uint8_t *produce_put_piece(uint8_t *w, const struct kw_bytes *piece)
{
    if (!piece->ptr) {
        *w++ = 1; /* null */
        return w;
    }
    w = kwi_put_uvarint(w, (uint64_t)piece->len << 1);
    memcpy(w, piece->ptr, piece->len);
    return w + piece->len;
}

/* The length of a record as varint of so many bytes. */
static inline void produce_put_len(uint8_t *w, uint32_t len_size, uint32_t len)
{
    if (KWI_LIKELY(len_size == 2)) {
        w[0] = (uint8_t)(len << 1 | 0x80);
        w[1] = (uint8_t)(len >> 6);
    } else {
        kwi_put_uvarint(w, (uint64_t)len << 1);
    }
}

/* Appends to the window what fits in one piece. */
static inline __attribute__((always_inline)) bool produce_fits(struct kw_part *part,
                                                               const struct kw_record *record)
{
    size_t key_size = produce_copied(&record->key);
    size_t copied = key_size + produce_copied(&record->value);
    ptrdiff_t room = part->limit - part->w; /* 0: no batch is open */
    uint32_t len_size = 2;
    uint8_t *w;

    if (KWI_UNLIKELY(room < PRODUCE_AROUND || copied > (size_t)room - PRODUCE_AROUND ||
                     copied < key_size))
        return false;
    if (KWI_UNLIKELY(copied - PRODUCE_TWO_MIN > PRODUCE_TWO_MAX - PRODUCE_TWO_MIN))
        len_size = produce_len_size(part, record, copied);
    w = part->w + len_size; /* its length comes last: then it is known */
    *w++ = 0;               /* attributes */
    w = kwi_put_uvarint(w, part->delta);
    w = kwi_put_uvarint(w, (uint64_t)part->n_records << 1);
    w = produce_put_piece(w, &record->key);
    w = produce_put_piece(w, &record->value);
    *w++ = 0; /* no headers */
    produce_put_len(part->w, len_size, (uint32_t)(w - part->w) - len_size);
    part->w = w;
    produce_put_opaque(part, record->opaque);
    part->n_records++;
    return true;
}

int kw_core_produce(struct kw_topic *topic, const struct kw_record *record)
{
    struct kw_part *part;

    if (KWI_UNLIKELY(((record->flags & PRODUCE_RARE) | record->n_headers | topic->slow) |
                     (uintptr_t)record->receipt))
        part = produce_picked(topic, record);
    else
        part = produce_pick(topic, record);
    if (KWI_UNLIKELY(!part))
        return produce_slow(topic, record, NULL);
    if (KWI_UNLIKELY(topic->core->now.wall_ms != part->wall_ms))
        kwi_part_set_time(part, topic->core->now.wall_ms);
    if (KWI_UNLIKELY(!produce_fits(part, record)))
        return produce_slow(topic, record, part);
    return topic->core->attention ? 1 : 0;
}

/* What a tray is written into was last read by the thread that sends: its processor has the
 * memory, and a record waits until it comes over. So it is asked for in time. */
enum { PRODUCE_AHEAD = 512, PRODUCE_LINE = 64 };
static inline void produce_prefetch(const struct kw_part *part)
{
    uintptr_t at = (uintptr_t)part->w + PRODUCE_AHEAD;

    __builtin_prefetch((const void *)at, 1);
    __builtin_prefetch((const void *)(at + PRODUCE_LINE), 1);
}

bool kw_core_tray_append(struct kw_tray *tray, const struct kw_record *record)
{
    produce_prefetch(&tray->window);
    return produce_fits(&tray->window, record);
}

int kw_core_tray_produce(struct kw_tray *tray, const struct kw_record *record)
{
    struct kw_part *part = &tray->window;
    size_t headers_size = 0, body, total;
    int rc = produce_admit(part->topic, record, &headers_size);

    if (rc)
        return rc;
    body = produce_body_size(
        part->delta, part->n_records, produce_len(&record->key), produce_len(&record->value),
        produce_copied(&record->key) + produce_copied(&record->value), headers_size);
    total = kwi_uvarint_size(kwi_zigzag((int64_t)body)) + body;
    if (part->n_records &&
        KWI_BATCH_HEADER + part->open->records_len + kwi_part_pending(part) + total >
            part->topic->producer->batch_size)
        return KW_ERR_LIMIT;
    return produce_append(part, record, part->delta, body);
}

/* ---- sealing ------------------------------------------------------------------------- */

void kwi_part_seal(struct kw_part *part)
{
    if (part->open)
        kwi_part_seal_into(part, part);
}

void kwi_part_seal_into(struct kw_part *window, struct kw_part *part)
{
    struct kw_batch *batch = window->open;
    struct kw_topic *topic = part->topic;
    struct kw_producer *producer = topic->producer;

    kwi_part_leave_chunk(window);
    kwi_part_fold_time(window);
    batch->n_records = window->n_records;
    batch->size = KWI_BATCH_HEADER + batch->records_len;
    batch->state = BATCH_QUEUED;
    producer->n_sealed += batch->n_records;
    topic->core->stats.records_accepted += batch->n_records;
    topic->core->stats.batches++;
    window->open = NULL;
    window->w = window->limit = window->room = NULL;
    kwi_list_remove(batch->held ? &producer->held : &producer->lingering, &batch->open_node);
    batch->held = false;
    kwi_list_push(&part->queue, &batch->node);
    part->n_queued++;
    kwi_topic_sealed(part, batch->size);
    if (producer->codec)
        kwi_pack_batch(batch);
    kwi_part_route(part);
}
