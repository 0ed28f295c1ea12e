/* client/sender.c -- from sealed batches to Produce requests.
 *
 * The request is built when the driver asks for bytes, from the ready partitions
 * in turn, one batch each. A batch is stamped when it is first drained: id, epoch
 * and sequence in one consistent read (P48), then its checksum from that of its
 * 40 header bytes and that of its records. */
#include "client/sender.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/plant.h"
#include "client/conn.h"
#include "client/txn.h"
#include "proto/batch.h"
#include <kwire/codec.h>

enum {                          /* of Produce */
       SENDER_ZSTD_VERSION = 7, /* brokers below 2.1 do not know it (KIP-110) */
       SENDER_IMPLICIT_VERSION = 12
};

/* ---- stamping --------------------------------------------------------------------- */

static void sender_stamp(struct kw_batch *batch)
{
    struct kw_batch_header header;
    uint8_t *at = batch->first->data;
    kwi_crc32c_fn *crc32c = batch->part->topic->core->env.crc32c;
    uint32_t crc;

    kwi_batch_header_init(&header);
    header.batch_length = (int32_t)(batch->size - KWI_BATCH_LOG_OVERHEAD);
    header.last_offset_delta = (int32_t)batch->n_records - 1;
    header.base_timestamp = batch->base_timestamp;
    header.max_timestamp = batch->max_timestamp;
    header.record_count = (int32_t)batch->n_records;
    header.attributes = batch->codec;
    if (batch->part->topic->producer->txn)
        header.attributes |= KWI_BATCH_TRANSACTIONAL;
    if (batch->stamped) {
        header.producer_id = batch->producer_id;
        header.producer_epoch = batch->producer_epoch;
        header.base_sequence = batch->sequence;
    }
    kwi_batch_header_put(at, &header);
    crc = crc32c(0, at + KWI_BATCH_ATTRIBUTES, KWI_BATCH_HEADER - KWI_BATCH_ATTRIBUTES);
    crc = kwi_crc32c_combine(crc, batch->records_crc, batch->records_len);
    kwi_put_u32(at + KWI_BATCH_CRC, crc);
}

/* Gives the head of the queue its place in the sequence, once; NULL: it has to
 * wait for older batches. */
static struct kw_batch *sender_prepare(struct kw_part *part)
{
    struct kw_batch *batch;
    bool first;

    if (!kwi_part_sequence_due(part))
        return NULL;
    /* Not always the one that was routed: a new epoch may have ended that. */
    batch = KWI_OF(part->queue.first, struct kw_batch, node);
    if (kwi_planted(KWI_PLANT_P01) && batch->attempts)
        batch->restamp = true;
    if (!kwi_batch_is_due(batch))
        return NULL;
    first = !batch->attempts || batch->restamp || batch->resized;
    batch->resized = false;
    kwi_batch_sequence(batch);
    if (first)
        sender_stamp(batch);
    return batch;
}

/* ---- requests ------------------------------------------------------------------------ */

static int sender_encode(struct kw_request *req, struct kw_wr *wr);

static const struct kw_request_type sender_type = {
    .api_key = KW_API_PRODUCE,
    .encode = sender_encode,
    .done = kwi_sending_done,
    .release = kwi_sending_release,
};
static const struct kw_request_type sender_type_no_answer = {
    .api_key = KW_API_PRODUCE,
    .no_answer = true,
    .encode = sender_encode,
    .done = kwi_sending_done,
    .release = kwi_sending_release,
};

/* Version 12 adds the partition to the transaction by itself (KIP-890, part 2). */
static int sender_choose_txn(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct kw_sending *sending = req->owner;
    bool implicit = sending->producer->txn->implicit;
    int least = implicit ? SENDER_IMPLICIT_VERSION : 3;
    int most = implicit ? SENDER_IMPLICIT_VERSION : SENDER_IMPLICIT_VERSION - 1;

    return kwi_link_choose(req, broker_min, broker_max, least, most);
}

static const struct kw_request_type sender_type_txn = {
    .api_key = KW_API_PRODUCE,
    .choose = sender_choose_txn,
    .encode = sender_encode,
    .done = kwi_sending_done,
    .release = kwi_sending_release,
};

static const struct kw_request_type *sender_type_of(const struct kw_producer *producer)
{
    if (producer->txn)
        return &sender_type_txn;
    return producer->acks ? &sender_type : &sender_type_no_answer;
}

struct kw_request *kwi_producer_request(struct kw_producer *producer, struct kw_link *link,
                                        const struct kw_request_type *type, void *owner)
{
    struct kw_request *req = kwi_request_create(producer->core, link, type, owner);

    if (req)
        req->timeout_ms = (uint32_t)producer->request_timeout_ms;
    return req;
}

static struct kw_sending *sender_new(struct kw_producer *producer)
{
    struct kw_sending *sending;

    if (!kwi_list_empty(&producer->free_sendings)) {
        sending = KWI_OF(kwi_list_pop(&producer->free_sendings), struct kw_sending, node);
    } else {
        sending = kwi_alloc_zero(&producer->core->control, sizeof(*sending));
        if (!sending)
            return NULL;
    }
    sending->producer = producer;
    sending->n = 0;
    return sending;
}

void kwi_sending_recycle(struct kw_sending *sending)
{
    kwi_list_push(&sending->producer->free_sendings, &sending->node);
}

void kwi_sender_deinit(struct kw_producer *producer)
{
    struct kw_heap *heap = &producer->core->control;

    while (!kwi_list_empty(&producer->free_sendings)) {
        struct kw_sending *sending = KWI_OF(kwi_list_pop(&producer->free_sendings),
                                            struct kw_sending, node);
        kwi_free(heap, sending, sizeof(*sending));
    }
    if (producer->form)
        kwi_free(heap, producer->form->pieces, producer->form->pieces_cap * sizeof(struct kw_iov));
    kwi_free(heap, producer->form, sizeof(*producer->form));
    producer->form = NULL;
}

static void sender_take(struct kw_sending *sending, struct kw_batch *batch)
{
    struct kw_part *part = batch->part;

    kwi_list_remove(&part->queue, &batch->node);
    part->n_queued--;
    kwi_part_unhold(part);
    kwi_list_push(&part->sent, &batch->node);
    part->n_sent++;
    batch->state = BATCH_SENT;
    batch->attempts++;
    batch->n_lent++;
    if (batch->attempts > 1)
        part->topic->core->stats.batch_retries++;
    sending->answered[sending->n] = false;
    sending->batches[sending->n++] = batch;
}

/* Takes ready partitions in turn, one batch each, up to max.request.size. Those
 * with more to send go to the end of the line. */
static void sender_fill(struct kw_sending *sending, struct kw_link *link)
{
    size_t size = 0;

    while (sending->n < KWI_SENDING_MAX && !kwi_list_empty(&link->ready)) {
        struct kw_part *part = KWI_OF(link->ready.first, struct kw_part, ready_node);
        struct kw_batch *batch = KWI_OF(part->queue.first, struct kw_batch, node);

        if (sending->n && size + batch->size > sending->producer->max_request_size)
            break;
        kwi_part_unready(part);
        part->taken = true;
        batch = sender_prepare(part);
        if (!batch) {
            part->taken = false; /* routed again when older batches are settled */
            continue;
        }
        size += batch->size;
        sender_take(sending, batch);
    }
    for (uint32_t i = 0; i < sending->n; i++) {
        sending->batches[i]->part->taken = false;
        kwi_part_route(sending->batches[i]->part);
    }
}

/* The request names each topic once: batches of one topic are moved together,
 * topics in the order of their first batch. */
static void sender_group(struct kw_sending *sending)
{
    struct kw_batch **list = sending->batches;

    for (uint32_t i = 0, end; i < sending->n; i = end) {
        end = i + 1;
        for (uint32_t k = end; k < sending->n; k++) {
            struct kw_batch *batch = list[k];

            if (batch->part->topic->meta != list[i]->part->topic->meta)
                continue;
            memmove(list + end + 1, list + end, (k - end) * sizeof(struct kw_batch *));
            list[end++] = batch;
        }
    }
}

/* The form, with room for the pieces of these batches. */
static struct kw_sending_form *sender_form(const struct kw_sending *sending)
{
    struct kw_producer *producer = sending->producer;
    struct kw_heap *heap = &producer->core->control;
    struct kw_sending_form *form = producer->form;
    uint32_t need = 0, cap = 64;
    struct kw_iov *pieces;

    if (!form)
        form = producer->form = kwi_alloc_zero(heap, sizeof(*form));
    for (uint32_t i = 0; i < sending->n; i++)
        need += sending->batches[i]->n_chunks;
    if (!form || need <= form->pieces_cap)
        return form;
    while (cap < need)
        cap *= 2;
    pieces = kwi_alloc(heap, cap * sizeof(*pieces));
    if (!pieces)
        return NULL;
    kwi_free(heap, form->pieces, form->pieces_cap * sizeof(*pieces));
    form->pieces = pieces;
    form->pieces_cap = cap;
    return form;
}

static int sender_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_sending *sending = req->owner;
    struct kw_sending_form *form = sender_form(sending);
    struct kw_produce_request msg;
    uint32_t at = 0;

    if (!form)
        return KW_ERR_NOMEM;
    if (req->version < SENDER_ZSTD_VERSION && sending->producer->codec_id == KW_CODEC_ZSTD)
        return KW_ERR_UNSUPPORTED;
    kwi_produce_request_init(&msg);
    if (sending->producer->txn)
        msg.transactional_id = (struct kw_str){sending->producer->txn->id,
                                               (int32_t)sending->producer->txn->id_len};
    msg.acks = sending->producer->acks;
    msg.timeout_ms = sending->producer->request_timeout_ms;
    form->n_topics = 0;
    for (uint32_t i = 0; i < sending->n; i++) {
        struct kw_batch *batch = sending->batches[i];
        struct kw_topic_meta *meta = batch->part->topic->meta;
        struct kw_produce_request_partition *part = &form->parts[i];
        struct kw_produce_request_topic *topic;

        kwi_produce_request_partition_init(part);
        part->index = batch->part->index;
        part->records.iov = form->pieces + at;
        part->records.n_iov = kwi_batch_pieces(batch, form->pieces + at, batch->n_chunks);
        part->records.len = (int32_t)batch->size;
        at += part->records.n_iov;
        if (!i || sending->batches[i - 1]->part->topic->meta != meta) {
            topic = &form->topics[form->n_topics++];
            kwi_produce_request_topic_init(topic);
            topic->name = (struct kw_str){meta->name, (int32_t)meta->name_len};
            topic->partition_data = KWI_ARR(part, 0);
        }
        form->topics[form->n_topics - 1].partition_data.n++;
    }
    msg.topic_data = KWI_ARR(form->topics, form->n_topics);
    return kwi_produce_request_encode(&msg, req->version, wr);
}

/* Memory was short: one of the partitions asks again after a backoff. */
static void sender_again(struct kw_link *link)
{
    kwi_part_mute(KWI_OF(link->ready.first, struct kw_part, ready_node), 0);
}

struct kw_request *kwi_sender_pull(struct kw_link *link)
{
    struct kw_producer *producer = link->owner;
    struct kw_sending *sending;
    struct kw_request *req;

    if (producer->fatal || kwi_list_empty(&link->ready) || !kwi_producer_id_ready(producer) ||
        (producer->txn && !kwi_txn_sends(producer->txn)))
        return NULL;
    sending = sender_new(producer);
    if (!sending) {
        sender_again(link);
        return NULL;
    }
    req = kwi_producer_request(producer, link, sender_type_of(producer), sending);
    if (req)
        sender_fill(sending, link);
    link->waits_us = link->core->now.mono_us;
    if (!req || !sending->n) {
        if (req)
            kwi_request_destroy(req);
        else
            sender_again(link);
        kwi_sending_recycle(sending);
        return NULL;
    }
    sender_group(sending);
    if (producer->txn)
        producer->txn->started = true;
    return req;
}
