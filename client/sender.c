/* client/sender.c -- from sealed batches to Produce requests and their answers.
 *
 * A partition with something to send waits in the ready list of its leader's
 * link; the request is built when the driver asks for bytes, from the ready
 * partitions in turn, one batch each. A batch is stamped when it is first
 * drained: id, epoch and sequence in one consistent read (P48), then its
 * checksum from that of its 40 header bytes and that of its records. */
#include <string.h>

#include "base/crc32c.h"
#include "client/config.h"
#include "client/conn.h"
#include "client/error_text.h"
#include "client/producer.h"
#include "proto/batch.h"
#include "proto/error.h"
#include "proto/produce.h"
#include <kwire/codec.h>

enum {
    SENDER_PARTS = KWI_REQUEST_CUTS,
    SENDER_ZSTD_VERSION = 7 /* of Produce: brokers below 2.1 do not know it (KIP-110) */
};

/* What one Produce request carries. Recycled. */
struct kw_sending {
    struct kw_node node;
    struct kw_producer *producer;
    uint32_t n, n_answered;
    struct kw_batch *batches[SENDER_PARTS]; /* in the order of the request */
    bool answered[SENDER_PARTS];
    uint32_t n_topics;
    struct kw_produce_request_topic topics[SENDER_PARTS];
    struct kw_produce_request_partition parts[SENDER_PARTS];
    struct kw_iov *pieces;
    uint32_t pieces_cap;
};

/* ---- routing ------------------------------------------------------------------- */

static void sender_unready(struct kw_part *part)
{
    if (!part->ready)
        return;
    kwi_list_remove(&part->link->ready, &part->ready_node);
    part->ready = false;
}

static struct kw_link *sender_link(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_broker *leader = kwi_topic_meta_leader(part->topic->meta, part->index);
    struct kw_link *link;

    if (!leader) {
        kwi_cluster_refresh(producer->core);
        return NULL;
    }
    link = kwi_link_get(leader, KWI_LANE_PRODUCE, producer);
    if (!link)
        return NULL;
    link->pull = kwi_sender_pull;
    link->max_in_flight = producer->max_in_flight;
    return link;
}

static void sender_mute(struct kw_part *part, uint32_t attempts)
{
    struct kw_core *core = part->topic->core;

    part->muted = true;
    kwi_core_arm(core, &part->backoff,
                 core->now.mono_us +
                     kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                                         kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                         attempts));
}

void kwi_part_route(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_link *link;
    struct kw_batch *batch;

    if (part->taken)
        return; /* looked at again when the request is filled */
    if (kwi_list_empty(&part->queue) || part->muted || producer->fatal ||
        part->n_sent >= kwi_part_window(part)) {
        sender_unready(part);
        return;
    }
    batch = KWI_OF(part->queue.first, struct kw_batch, node);
    if (!batch->pinned || batch->packing || (batch->restamp && batch->n_lent))
        return; /* the next step, or the driver's receipt, brings it here again */
    link = sender_link(part);
    if (link != part->link)
        sender_unready(part);
    part->link = link;
    if (!link) {
        sender_mute(part, 0);
        return;
    }
    if (!part->ready) {
        part->ready = true;
        kwi_list_push(&link->ready, &part->ready_node);
    }
    if (kwi_producer_id_ready(producer))
        kwi_link_kick(link);
}

void kwi_sender_kick(struct kw_producer *producer)
{
    for (struct kw_node *n = producer->core->links.first; n; n = n->next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, node);
        if (link->owner == producer && !kwi_list_empty(&link->ready))
            kwi_link_kick(link);
    }
}

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
    batch = KWI_OF(part->queue.first, struct kw_batch, node);
    if (batch->restamp && batch->n_lent)
        return NULL; /* its bytes are the driver's: the receipt routes it again */
    first = !batch->attempts || batch->restamp;
    kwi_batch_sequence(batch);
    if (first)
        sender_stamp(batch);
    return batch;
}

/* ---- requests ------------------------------------------------------------------------ */

static int sender_encode(struct kw_request *req, struct kw_wr *wr);
static void sender_done(struct kw_request *req, const struct kw_answer *answer);
static void sender_release(struct kw_request *req);

static const struct kw_request_type sender_type = {
    .api_key = KW_API_PRODUCE,
    .encode = sender_encode,
    .done = sender_done,
    .release = sender_release,
};
static const struct kw_request_type sender_type_no_answer = {
    .api_key = KW_API_PRODUCE,
    .no_answer = true,
    .encode = sender_encode,
    .done = sender_done,
    .release = sender_release,
};

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
    sending->n = sending->n_answered = 0;
    return sending;
}

static void sender_recycle(struct kw_sending *sending)
{
    kwi_list_push(&sending->producer->free_sendings, &sending->node);
}

void kwi_sender_deinit(struct kw_producer *producer)
{
    struct kw_heap *heap = &producer->core->control;

    while (!kwi_list_empty(&producer->free_sendings)) {
        struct kw_sending *sending = KWI_OF(kwi_list_pop(&producer->free_sendings),
                                            struct kw_sending, node);
        kwi_free(heap, sending->pieces, sending->pieces_cap * sizeof(*sending->pieces));
        kwi_free(heap, sending, sizeof(*sending));
    }
}

static void sender_take(struct kw_sending *sending, struct kw_batch *batch)
{
    struct kw_part *part = batch->part;

    kwi_list_remove(&part->queue, &batch->node);
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

    while (sending->n < SENDER_PARTS && !kwi_list_empty(&link->ready)) {
        struct kw_part *part = KWI_OF(link->ready.first, struct kw_part, ready_node);
        struct kw_batch *batch = KWI_OF(part->queue.first, struct kw_batch, node);

        if (sending->n && size + batch->size > sending->producer->max_request_size)
            break;
        sender_unready(part);
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

static int sender_pieces(struct kw_sending *sending)
{
    struct kw_heap *heap = &sending->producer->core->control;
    uint32_t need = 0, cap = sending->pieces_cap ? sending->pieces_cap : 64;
    struct kw_iov *pieces;

    for (uint32_t i = 0; i < sending->n; i++)
        need += sending->batches[i]->n_chunks;
    if (need <= sending->pieces_cap)
        return 0;
    while (cap < need)
        cap *= 2;
    pieces = kwi_alloc(heap, cap * sizeof(*pieces));
    if (!pieces)
        return KW_ERR_NOMEM;
    kwi_free(heap, sending->pieces, sending->pieces_cap * sizeof(*pieces));
    sending->pieces = pieces;
    sending->pieces_cap = cap;
    return 0;
}

static int sender_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_sending *sending = req->owner;
    struct kw_produce_request msg;
    uint32_t at = 0;
    int rc = sender_pieces(sending);

    if (rc)
        return rc;
    if (req->version < SENDER_ZSTD_VERSION && sending->producer->codec_id == KW_CODEC_ZSTD)
        return KW_ERR_UNSUPPORTED;
    kwi_produce_request_init(&msg);
    msg.acks = sending->producer->acks;
    msg.timeout_ms = sending->producer->request_timeout_ms;
    sending->n_topics = 0;
    for (uint32_t i = 0; i < sending->n; i++) {
        struct kw_batch *batch = sending->batches[i];
        struct kw_topic_meta *meta = batch->part->topic->meta;
        struct kw_produce_request_partition *part = &sending->parts[i];
        struct kw_produce_request_topic *topic;

        kwi_produce_request_partition_init(part);
        part->index = batch->part->index;
        part->records.iov = sending->pieces + at;
        part->records.n_iov = kwi_batch_pieces(batch, sending->pieces + at, batch->n_chunks);
        part->records.len = (int32_t)batch->size;
        at += part->records.n_iov;
        if (!i || sending->batches[i - 1]->part->topic->meta != meta) {
            topic = &sending->topics[sending->n_topics++];
            kwi_produce_request_topic_init(topic);
            topic->name = (struct kw_str){meta->name, (int32_t)meta->name_len};
            topic->partition_data = KWI_ARR(part, 0);
        }
        sending->topics[sending->n_topics - 1].partition_data.n++;
    }
    msg.topic_data = KWI_ARR(sending->topics, sending->n_topics);
    return kwi_produce_request_encode(&msg, req->version, wr);
}

/* Memory was short: one of the partitions asks again after a backoff. */
static void sender_again(struct kw_link *link)
{
    sender_mute(KWI_OF(link->ready.first, struct kw_part, ready_node), 0);
}

struct kw_request *kwi_sender_pull(struct kw_link *link)
{
    struct kw_producer *producer = link->owner;
    struct kw_sending *sending;
    struct kw_request *req;

    if (producer->fatal || kwi_list_empty(&link->ready) || !kwi_producer_id_ready(producer))
        return NULL;
    sending = sender_new(producer);
    if (!sending) {
        sender_again(link);
        return NULL;
    }
    req = kwi_request_create(link->core, link,
                             producer->acks ? &sender_type : &sender_type_no_answer, sending);
    if (req)
        sender_fill(sending, link);
    if (!req || !sending->n) {
        if (req)
            kwi_request_destroy(req);
        else
            sender_again(link);
        sender_recycle(sending);
        return NULL;
    }
    sender_group(sending);
    return req;
}

/* ---- answers --------------------------------------------------------------------------- */

/* Back to its place in the queue, byte for byte as it is. Numbers grow in the
 * order of the sequence. */
static void sender_requeue(struct kw_batch *batch, bool backoff)
{
    struct kw_part *part = batch->part;
    struct kw_node *at = part->queue.first;

    kwi_list_remove(&part->sent, &batch->node);
    part->n_sent--;
    while (at && KWI_OF(at, struct kw_batch, node)->number < batch->number)
        at = at->next;
    if (at)
        kwi_list_insert_before(&part->queue, at, &batch->node);
    else
        kwi_list_push(&part->queue, &batch->node);
    batch->state = BATCH_QUEUED;
    part->established = false; /* alone, until one gets through */
    if (backoff)
        sender_mute(part, batch->failures ? batch->failures - 1 : 0);
    kwi_part_route(part);
}

static void sender_retry(struct kw_batch *batch, int code, int16_t kafka_code, bool backoff)
{
    batch->kafka_code = kafka_code;
    batch->code = code;
    if (++batch->failures > batch->part->topic->producer->retries) {
        kwi_batch_conclude(batch, batch->maybe_written ? KW_UNKNOWN : KW_NOT_WRITTEN, code,
                           kafka_code);
        return;
    }
    sender_requeue(batch, backoff);
}

/* Is an older batch of the partition without an outcome? */
static bool sender_has_older(const struct kw_batch *batch)
{
    const struct kw_list *lists[] = {&batch->part->queue, &batch->part->sent};

    for (unsigned i = 0; i < 2; i++)
        for (const struct kw_node *n = lists[i]->first; n; n = n->next)
            if (KWI_OF(n, struct kw_batch, node)->number < batch->number)
                return true;
    return false;
}

/* The broker's sequence state and ours disagree. What cannot be in the log is
 * numbered anew under a higher epoch; what may be there is unknown. */
static void sender_resequence(struct kw_batch *batch, int16_t kafka_code)
{
    struct kw_producer *producer = batch->part->topic->producer;

    if (producer->idempotent && sender_has_older(batch)) {
        sender_requeue(batch, false); /* an older one is tried again first (P03) */
        return;
    }
    if (!producer->idempotent || batch->maybe_written) {
        kwi_batch_conclude(batch, batch->maybe_written ? KW_UNKNOWN : KW_NOT_WRITTEN, KW_ERR_BROKER,
                           kafka_code);
        return;
    }
    batch->restamp = true;
    kwi_producer_bump(producer);
    sender_retry(batch, KW_ERR_BROKER, kafka_code, true);
}

enum sender_verdict {
    SEND_OK,
    SEND_DUPLICATE,
    SEND_RETRY,
    SEND_REFRESH,
    SEND_MAYBE,
    SEND_SEQUENCE,
    SEND_FATAL,
    SEND_UNSURE,
    SEND_FAIL
};

/* What the code says about this batch; what is not listed goes by the table of
 * errors: retriable ones are tried again, others fail. */
static enum sender_verdict sender_judge(int16_t code)
{
    static const struct {
        int16_t code;
        uint8_t verdict;
    } special[] = {
        {KW_E_NONE, SEND_OK},
        {KW_E_DUPLICATE_SEQUENCE_NUMBER, SEND_DUPLICATE},
        {KW_E_REQUEST_TIMED_OUT, SEND_MAYBE},
        {KW_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND, SEND_MAYBE},
        {KW_E_OUT_OF_ORDER_SEQUENCE_NUMBER, SEND_SEQUENCE},
        {KW_E_UNKNOWN_PRODUCER_ID, SEND_SEQUENCE},
        {KW_E_PRODUCER_FENCED, SEND_FATAL},
        {KW_E_CLUSTER_AUTHORIZATION_FAILED, SEND_FATAL},
        {KW_E_INVALID_PRODUCER_ID_MAPPING, SEND_FATAL},
        {KW_E_UNKNOWN_SERVER_ERROR, SEND_UNSURE},
    };
    uint8_t flags = kwi_error_info(code)->flags;

    for (unsigned i = 0; i < sizeof(special) / sizeof(*special); i++)
        if (special[i].code == code)
            return (enum sender_verdict)special[i].verdict;
    if (flags & KW_E_METADATA)
        return SEND_REFRESH;
    return flags & KW_E_RETRIABLE ? SEND_RETRY : SEND_FAIL;
}

static void sender_delivered(struct kw_batch *batch, int64_t base_offset, int64_t log_append_ms)
{
    kwi_part_established(batch->part, batch);
    batch->base_offset = base_offset >= 0 ? base_offset : -1;
    batch->log_append_ms = log_append_ms;
    kwi_batch_conclude(batch, KW_DELIVERED, 0, 0);
}

static void sender_judged(struct kw_batch *batch, const struct kw_produce_response_partition *item)
{
    struct kw_producer *producer = batch->part->topic->producer;
    struct kw_error err;
    bool moved;

    switch (sender_judge(item->error_code)) {
    case SEND_OK: sender_delivered(batch, item->base_offset, item->log_append_time_ms); return;
    case SEND_DUPLICATE: sender_delivered(batch, -1, -1); return;
    case SEND_REFRESH:
        moved = kwi_topic_meta_hint(batch->part->topic->meta, batch->part->index,
                                    item->current_leader.leader_id,
                                    item->current_leader.leader_epoch);
        kwi_cluster_refresh(producer->core);
        sender_retry(batch, KW_ERR_BROKER, item->error_code, !moved);
        return;
    case SEND_MAYBE:
        batch->maybe_written = true;
        sender_retry(batch, KW_ERR_BROKER, item->error_code, true);
        return;
    case SEND_RETRY: sender_retry(batch, KW_ERR_BROKER, item->error_code, true); return;
    case SEND_SEQUENCE: sender_resequence(batch, item->error_code); return;
    case SEND_FATAL:
        kwi_batch_conclude(batch, batch->maybe_written ? KW_UNKNOWN : KW_NOT_WRITTEN, KW_ERR_BROKER,
                           item->error_code);
        kwi_error_kafka(&err, item->error_code, "the producer cannot go on", NULL, 0);
        kwi_producer_fatal(producer, &err);
        return;
    case SEND_UNSURE: batch->maybe_written = true; break;
    case SEND_FAIL: break;
    }
    kwi_batch_conclude(batch, batch->maybe_written ? KW_UNKNOWN : KW_NOT_WRITTEN, KW_ERR_BROKER,
                       item->error_code);
}

/* The batch of a partition in the answer that has none yet, or NULL: answers for
 * partitions that were not asked for, or twice, are ignored (P41). */
static struct kw_batch *sender_find(struct kw_sending *sending, struct kw_str topic, int32_t index)
{
    for (uint32_t i = 0; i < sending->n; i++) {
        const struct kw_part *part = sending->batches[i]->part;

        if (sending->answered[i] || part->index != index || topic.len < 0 ||
            part->topic->meta->name_len != (size_t)topic.len ||
            memcmp(part->topic->meta->name, topic.ptr, (size_t)topic.len))
            continue;
        sending->answered[i] = true;
        return sending->batches[i];
    }
    return NULL;
}

/* Brokers that a moved partition's answer names, so that the hint can be used. */
static void sender_endpoints(struct kw_core *core, const struct kw_produce_response *msg)
{
    struct kw_node_endpoint node;
    struct kw_iter it;

    for (kwi_iter_init(&it, &msg->node_endpoints); kwi_iter_next(&it, &node);)
        if (kwi_cluster_take_broker(core, node.node_id, node.host, node.port))
            return; /* no memory: the metadata refresh will tell */
}

static int sender_read(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_sending *sending = req->owner;
    struct kw_produce_response msg;
    struct kw_produce_response_topic topic;
    struct kw_produce_response_partition part;
    struct kw_iter topics, parts;
    struct kw_fault fault;

    if (kwi_produce_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    sender_endpoints(req->core, &msg);
    for (kwi_iter_init(&topics, &msg.responses); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&parts, &topic.partition_responses); kwi_iter_next(&parts, &part);) {
            struct kw_batch *batch = sender_find(sending, topic.name, part.index);
            if (batch && batch->state == BATCH_SENT) /* not expired meanwhile (P17) */
                sender_judged(batch, &part);
        }
    }
    return 0;
}

static void sender_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_sending *sending = req->owner;
    struct kw_producer *producer = sending->producer;
    int err = answer->err;

    if (!err && answer->body)
        err = sender_read(req, answer);
    if (answer->err == KW_ERR_CONNECT || answer->err == KW_ERR_TIMEOUT)
        kwi_cluster_refresh(req->core); /* maybe the leader moved */
    for (uint32_t i = 0; i < sending->n; i++) {
        struct kw_batch *batch = sending->batches[i];

        if (sending->answered[i] || batch->state != BATCH_SENT)
            continue;
        if (answer->err == KW_ERR_UNSUPPORTED) {
            batch->attempts--;
            kwi_batch_conclude(batch, batch->maybe_written ? KW_UNKNOWN : KW_NOT_WRITTEN,
                               answer->err, 0);
        } else if (!err && !producer->acks) {
            sender_delivered(batch, -1, -1);
        } else if (answer->err && !answer->offered) {
            batch->attempts--; /* no byte of it was handed out */
            sender_requeue(batch, answer->err == KW_ERR_NOMEM);
        } else if (!producer->acks) {
            batch->maybe_written = true;
            kwi_batch_conclude(batch, KW_UNKNOWN, err ? err : KW_ERR_PROTOCOL, 0);
        } else { /* cut off, or left out of the answer (P42) */
            batch->maybe_written = true;
            sender_retry(batch, err ? err : KW_ERR_PROTOCOL, 0, true);
        }
    }
}

static void sender_release(struct kw_request *req)
{
    struct kw_sending *sending = req->owner;

    for (uint32_t i = 0; i < sending->n; i++) {
        struct kw_batch *batch = sending->batches[i];
        struct kw_part *part = batch->part;

        batch->n_lent--;
        if (batch->restamp && !batch->n_lent)
            kwi_part_route(part);
        kwi_batch_let_go(batch);
    }
    sender_recycle(sending);
}
