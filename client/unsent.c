/* client/unsent.c -- records that purge or close gave up, handed back whole.
 *
 * A batch of one chunk is read where it lies; one of several is first made one
 * piece, and its chunks are given back. Values by reference are left out of it: their
 * loan ended with the report, so that only their pointers are handed back. Order is per
 * partition that of produce.
 *
 *   | header, records but for lent values | opaques | unsent_lent for each, and an end | */
#include <string.h>

#include "base/bytes.h"
#include "client/producer.h"
#include "proto/batch.h"
#include "proto/record.h"
#include <kwire/codec.h>

/* A value that is not in the one piece: where it would be, from the header on. */
struct unsent_lent {
    size_t at; /* SIZE_MAX: there is no more */
    const void *ptr;
};

/* Bytes of the batch as it was before compression, header included, lent values not. */
static size_t unsent_size(const struct kw_batch *batch)
{
    return KWI_BATCH_HEADER +
           (size_t)(batch->codec ? batch->plain_len : batch->records_len - batch->lent_len);
}

static uint32_t unsent_n_lent(const struct kw_batch *batch)
{
    uint32_t n = 0;

    for (const struct kw_chunk *chunk = batch->first; chunk; chunk = chunk->next)
        n += !chunk->top;
    return n;
}

/* In one go: this is no path for many records. */
int kwi_batch_decode(const struct kw_batch *batch, uint8_t *out)
{
    struct kw_core *core = batch->part->topic->core;
    const struct kw_codec *codec = core->env.codecs[batch->codec];
    size_t ctx_size = codec->decoder_size(), hint, len = 0;
    struct kw_codec_ctx *ctx = kwi_alloc(&core->control, ctx_size);
    int rc = ctx ? codec->decoder_init(ctx, ctx_size) : KW_ERR_NOMEM;

    if (!rc)
        rc = codec->decode_begin(ctx, batch->first->data + KWI_BATCH_HEADER, batch->records_len,
                                 batch->plain_len, 0, &hint);
    if (!rc)
        do
            rc = codec->decode_step(ctx, out, batch->plain_len, SIZE_MAX, &len);
        while (rc == 1);
    kwi_free(&core->control, ctx, ctx_size);
    KWI_ASSERT(rc == 0 || rc == KW_ERR_NOMEM);
    return rc;
}

static size_t unsent_round(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static void **unsent_opaques(const struct kw_batch *batch)
{
    return (void **)(void *)(batch->flat + unsent_round(unsent_size(batch)));
}

static struct unsent_lent *unsent_lents(const struct kw_batch *batch)
{
    return (struct unsent_lent *)(void *)(batch->flat + unsent_round(unsent_size(batch)) +
                                          unsent_round(batch->n_records * sizeof(void *)));
}

/* Copies the bytes of the chunks, and notes which were left out. */
static void unsent_join(const struct kw_batch *batch)
{
    struct unsent_lent *lent = unsent_lents(batch);
    void **opaque = unsent_opaques(batch);
    size_t at = 0;

    for (const struct kw_chunk *chunk = batch->first; chunk; chunk = chunk->next) {
        if (!chunk->top) {
            *lent++ = (struct unsent_lent){at, chunk->data};
            continue;
        }
        if (!batch->codec)
            memcpy(batch->flat + at, chunk->data, chunk->len);
        at += chunk->len;
        for (uint32_t i = 1; i <= chunk->n_opaques; i++)
            *opaque++ = *(chunk->top - i);
    }
    *lent = (struct unsent_lent){.at = SIZE_MAX};
}

/* Joins the chunks, with the opaques behind the records, in their own order. */
static int unsent_flatten(struct kw_batch *batch)
{
    struct kw_heap *heap = &batch->part->topic->core->control; /* the other one may be full */
    size_t size = unsent_round(unsent_size(batch)) +
                  unsent_round(batch->n_records * sizeof(void *)) +
                  (unsent_n_lent(batch) + 1) * sizeof(struct unsent_lent);

    batch->flat = kwi_alloc(heap, size);
    if (!batch->flat)
        return KW_ERR_NOMEM;
    batch->flat_size = size;
    if (batch->codec && kwi_batch_decode(batch, batch->flat + KWI_BATCH_HEADER)) {
        kwi_free(heap, batch->flat, size);
        batch->flat = NULL;
        batch->flat_size = 0;
        return KW_ERR_NOMEM;
    }
    unsent_join(batch);
    kwi_batch_free_chunks(batch);
    return 0;
}

static int unsent_begin(struct kw_producer *producer, struct kw_batch *batch)
{
    const uint8_t *data;

    if (!batch->flat && (batch->first->next || batch->codec) && unsent_flatten(batch))
        return KW_ERR_NOMEM;
    data = batch->flat ? batch->flat : batch->first->data;
    producer->unsent_batch = batch;
    producer->unsent_index = 0;
    producer->unsent_at = data + KWI_BATCH_HEADER;
    producer->unsent_end = data + unsent_size(batch);
    producer->unsent_lent = batch->flat ? unsent_lents(batch) : NULL;
    return 0;
}

/* All of its records were taken: after a purge, others may use its memory. */
static struct kw_batch *unsent_end(struct kw_producer *producer)
{
    struct kw_batch *batch = producer->unsent_batch;

    producer->unsent_batch = NULL;
    kwi_list_remove(&producer->unsent, &batch->node);
    kwi_batch_free(batch);
    kwi_producers_check_writable(producer->core);
    return NULL;
}

void kwi_unsent_add(struct kw_producer *producer, struct kw_batch *batch)
{
    struct kw_node *behind = NULL;

    /* One whose bytes the driver held for longer comes late, but not last. */
    for (struct kw_node *n = producer->unsent.last; n; n = n->prev) {
        const struct kw_batch *other = KWI_OF(n, const struct kw_batch, node);
        if (other == producer->unsent_batch || kwi_batch_before(other, batch))
            break;
        behind = n;
    }
    if (behind)
        kwi_list_insert_before(&producer->unsent, behind, &batch->node);
    else
        kwi_list_push(&producer->unsent, &batch->node);
}

static void *unsent_opaque(const struct kw_batch *batch, uint32_t i)
{
    return batch->flat ? unsent_opaques(batch)[i] : *(batch->first->top - 1 - i);
}

/* Room for n headers, kept for the next record. */
static struct kw_header *unsent_headers(struct kw_producer *producer, uint32_t n)
{
    struct kw_heap *heap = &producer->core->control;
    struct kw_header *grown;

    if (n <= producer->unsent_headers_cap)
        return producer->unsent_headers;
    grown = kwi_alloc(heap, n * sizeof(*grown));
    if (!grown)
        return NULL;
    kwi_free(heap, producer->unsent_headers,
             producer->unsent_headers_cap * sizeof(*producer->unsent_headers));
    producer->unsent_headers = grown;
    producer->unsent_headers_cap = n;
    return grown;
}

static struct kw_bytes unsent_bytes(const uint8_t *ptr, int32_t len)
{
    return len < 0 ? (struct kw_bytes){NULL, 0} : (struct kw_bytes){ptr, (size_t)len};
}

static int unsent_read_headers(struct kw_producer *producer, const struct kw_record_view *view,
                               struct kw_record *record)
{
    struct kw_record_headers it;
    struct kw_record_header_view header;
    int count = kwi_record_headers_init(&it, view);
    uint32_t n = count > 0 ? (uint32_t)count : 0;
    struct kw_header *headers;

    record->n_headers = n;
    record->headers = NULL;
    if (!n)
        return 0;
    headers = unsent_headers(producer, n);
    if (!headers)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < n && kwi_record_headers_next(&it, &header) > 0; i++) {
        headers[i].key = unsent_bytes(header.key, header.key_len);
        headers[i].value = unsent_bytes(header.value, header.value_len);
    }
    record->headers = headers;
    return 0;
}

/* A number at *p, which moves behind it. These are our own bytes: they are well formed. */
static int64_t unsent_number(const uint8_t **p, const uint8_t *end)
{
    uint64_t raw = 0;

    *p = kwi_read_uvarint(*p, end, 10, &raw);
    KWI_ASSERT(*p != NULL);
    return kwi_unzigzag(raw);
}

/* As kwi_record_get for a record whose value was lent, so that it is not between the
 * others. NULL: the next record is none. */
static const uint8_t *unsent_get_lent(const struct kw_producer *producer,
                                      struct kw_record_view *out)
{
    const struct unsent_lent *lent = producer->unsent_lent;
    const uint8_t *p = producer->unsent_at, *end = producer->unsent_end, *body;
    int64_t len;

    if (!lent || lent->at == SIZE_MAX)
        return NULL;
    len = unsent_number(&p, end);
    body = p++; /* attributes come first */
    out->timestamp_delta = unsent_number(&p, end);
    out->offset_delta = (int32_t)unsent_number(&p, end);
    out->key_len = (int32_t)unsent_number(&p, end);
    out->key = p;
    p += out->key_len > 0 ? out->key_len : 0;
    out->value_len = (int32_t)unsent_number(&p, end);
    if ((size_t)(p - producer->unsent_batch->flat) != lent->at)
        return NULL;
    out->value = lent->ptr;
    out->headers = p;
    out->headers_len = (uint32_t)(len - (p - body) - out->value_len);
    return p + out->headers_len;
}

int kw_core_unsent_next(struct kw_producer *producer, struct kw_record *record,
                        struct kw_topic **topic)
{
    struct kw_batch *batch = producer->unsent_batch;
    struct kw_record_view view;
    const uint8_t *next;
    bool is_lent;

    if (batch && producer->unsent_index == batch->n_records)
        batch = unsent_end(producer);
    if (!batch) {
        if (kwi_list_empty(&producer->unsent))
            return 0;
        batch = KWI_OF(producer->unsent.first, struct kw_batch, node);
        if (unsent_begin(producer, batch))
            return KW_ERR_NOMEM;
    }
    next = unsent_get_lent(producer, &view);
    is_lent = next != NULL;
    if (!next)
        next = kwi_record_get(producer->unsent_at, producer->unsent_end, &view);
    KWI_ASSERT(next != NULL);
    if (!next)
        return KW_ERR_CORRUPT;
    memset(record, 0, sizeof(*record));
    if (unsent_read_headers(producer, &view, record))
        return KW_ERR_NOMEM;
    record->key = unsent_bytes(view.key, view.key_len);
    record->value = unsent_bytes(view.value, view.value_len);
    record->flags = KW_REC_PARTITION | KW_REC_TIMESTAMP | (is_lent ? KW_REC_BY_REF : 0u);
    record->partition = batch->part->index;
    record->timestamp_ms = batch->base_timestamp + view.timestamp_delta;
    record->opaque = unsent_opaque(batch, producer->unsent_index);
    if (topic)
        *topic = batch->part->topic;
    producer->unsent_at = next;
    if (is_lent)
        producer->unsent_lent++;
    producer->unsent_index++;
    return 1;
}

void kwi_unsent_deinit(struct kw_producer *producer)
{
    kwi_free(&producer->core->control, producer->unsent_headers,
             producer->unsent_headers_cap * sizeof(*producer->unsent_headers));
    producer->unsent_headers = NULL;
    producer->unsent_headers_cap = 0;
}
