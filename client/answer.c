/* client/answer.c -- what a Produce answer, or its absence, means for each batch:
 * delivered, tried again, numbered anew, failed, or unknown. */
#include <string.h>

#include "base/plant.h"
#include "client/conn.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "client/sender.h"
#include "client/throttle.h"
#include "client/txn.h"
#include "proto/error.h"

/* It is not tried again. */
static void answer_fail(struct kw_batch *batch, int code, int16_t kafka_code)
{
    kwi_batch_conclude(batch, batch->maybe_written ? KW_UNKNOWN : KW_NOT_WRITTEN, code, kafka_code);
}

/* Back to its place in the queue, byte for byte as it is. Numbers grow in the
 * order of the sequence. */
static void answer_requeue(struct kw_batch *batch, bool backoff)
{
    struct kw_part *part = batch->part;
    struct kw_node *at = part->queue.first;

    if (kwi_txn_drops(part->topic->producer->txn)) { /* its transaction is being aborted */
        answer_fail(batch, KW_ERR_CANCELED, batch->kafka_code);
        return;
    }
    kwi_list_remove(&part->sent, &batch->node);
    part->n_sent--;
    while (at && (kwi_batch_before(KWI_OF(at, struct kw_batch, node), batch) ||
                  kwi_planted(KWI_PLANT_P03)))
        at = at->next;
    if (at)
        kwi_list_insert_before(&part->queue, at, &batch->node);
    else
        kwi_list_push(&part->queue, &batch->node);
    part->n_queued++;
    batch->state = BATCH_QUEUED;
    part->established = false; /* alone, until one gets through */
    if (batch->expiry)
        kwi_expiry_arm(batch); /* no byte of it was offered, perhaps */
    if (backoff)
        kwi_part_mute(part, batch->failures ? batch->failures - 1 : 0);
    kwi_part_route(part);
}

static void answer_retry(struct kw_batch *batch, int code, int16_t kafka_code, bool backoff)
{
    batch->kafka_code = kafka_code;
    batch->code = code;
    if (++batch->failures > batch->part->topic->producer->retries) {
        answer_fail(batch, code, kafka_code);
        return;
    }
    answer_requeue(batch, backoff);
}

/* Is an older batch of the partition without an outcome? */
static bool answer_has_older(const struct kw_batch *batch)
{
    const struct kw_list *lists[] = {&batch->part->queue, &batch->part->sent};

    for (unsigned i = 0; i < 2; i++)
        for (const struct kw_node *n = lists[i]->first; n; n = n->next)
            if (kwi_batch_before(KWI_OF(n, struct kw_batch, node), batch))
                return true;
    return false;
}

/* The broker's sequence state and ours disagree. What cannot be in the log is
 * numbered anew under a higher epoch; what may be there is unknown. */
static void answer_resequence(struct kw_batch *batch, int16_t kafka_code)
{
    struct kw_producer *producer = batch->part->topic->producer;

    if (producer->idempotent && answer_has_older(batch)) {
        answer_requeue(batch, false); /* an older one is tried again first (P03) */
        return;
    }
    if (!producer->idempotent || batch->maybe_written || producer->txn) {
        answer_fail(batch, KW_ERR_BROKER, kafka_code);
        return;
    }
    batch->restamp = true;
    kwi_producer_bump(producer);
    answer_retry(batch, KW_ERR_BROKER, kafka_code, true);
}

/* Notes which records of the batch the answer names, and tells a person of the first.
 * Without memory for it all of them have the broker's error, which is true of the batch. */
static void answer_culprits(struct kw_batch *batch,
                            const struct kw_produce_response_partition *item)
{
    struct kw_topic *topic = batch->part->topic;
    size_t size = (batch->n_records + 7) / 8;
    struct kw_produce_record_error record;
    struct kw_block *block = NULL;
    struct kw_error err;
    struct kw_iter it;

    for (kwi_iter_init(&it, &item->record_errors); kwi_iter_next(&it, &record);) {
        uint32_t index = (uint32_t)record.batch_index;
        if (record.batch_index < 0 || index >= batch->n_records)
            continue;
        if (!block) {
            struct kw_str why = record.batch_index_error_message;
            block = kwi_block_create(&topic->core->produce_pool, size, 0);
            if (!block)
                return;
            memset(kwi_block_data(block), 0, size);
            kwi_error_fmt(&err, KW_ERR_BROKER, KW_PHASE_REQUEST, "see the record's report",
                          "%s-%d: the broker refused record %u of %u: %.*s", topic->meta->name,
                          (int)batch->part->index, index + 1, batch->n_records,
                          (int)(why.len > 80  ? 80
                                : why.len < 0 ? 0
                                              : why.len),
                          why.len > 0 ? why.ptr : "");
            err.kafka_code = item->error_code;
            kwi_event_error(topic->core, &err);
        }
        kwi_block_data(block)[index / 8] |= (uint8_t)(1u << index % 8);
    }
    batch->culprits = block;
}

enum answer_verdict {
    SEND_OK,
    SEND_DUPLICATE,
    SEND_RETRY,
    SEND_REFRESH,
    SEND_MAYBE,
    SEND_SEQUENCE,
    SEND_TOO_LARGE,
    SEND_FATAL,
    SEND_UNSURE,
    SEND_FAIL
};

/* What the code says about this batch; what is not listed goes by the table of
 * errors: retriable ones are tried again, others fail. */
static enum answer_verdict answer_judge(int16_t code)
{
    static const struct {
        int16_t code;
        uint8_t verdict;
    } special[] = {
        {KW_E_NONE, SEND_OK},
        {KW_E_DUPLICATE_SEQUENCE_NUMBER, SEND_DUPLICATE},
        {KW_E_REQUEST_TIMED_OUT, SEND_MAYBE},
        {KW_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND, SEND_MAYBE},
        {KW_E_MESSAGE_TOO_LARGE, SEND_TOO_LARGE},
        {KW_E_RECORD_LIST_TOO_LARGE, SEND_TOO_LARGE},
        {KW_E_OUT_OF_ORDER_SEQUENCE_NUMBER, SEND_SEQUENCE},
        {KW_E_UNKNOWN_PRODUCER_ID, SEND_SEQUENCE},
        {KW_E_PRODUCER_FENCED, SEND_FATAL},
        {KW_E_CLUSTER_AUTHORIZATION_FAILED, SEND_FATAL},
        {KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, SEND_FATAL},
        {KW_E_INVALID_PRODUCER_ID_MAPPING, SEND_FATAL},
        {KW_E_UNKNOWN_SERVER_ERROR, SEND_UNSURE},
    };
    const struct kw_error_info *info = kwi_error_info(code);
    uint8_t flags = info->flags;

    if (info->code != code)
        return SEND_UNSURE; /* a newer broker's: it proves nothing */
    for (unsigned i = 0; i < sizeof(special) / sizeof(*special); i++)
        if (special[i].code == code)
            return (enum answer_verdict)special[i].verdict;
    if (flags & KW_E_METADATA)
        return SEND_REFRESH;
    return flags & KW_E_RETRIABLE ? SEND_RETRY : SEND_FAIL;
}

static void answer_delivered(struct kw_batch *batch, int64_t base_offset, int64_t log_append_ms)
{
    kwi_part_established(batch->part, batch);
    batch->base_offset = base_offset >= 0 ? base_offset : -1;
    batch->log_append_ms = log_append_ms;
    kwi_batch_conclude(batch, KW_DELIVERED, 0, 0);
}

/* A right that is missing is missing for every record: a person should know which. */
static void answer_refused(const struct kw_batch *batch, int16_t kafka_code)
{
    struct kw_topic *topic = batch->part->topic;
    struct kw_error err;

    if (kwi_error_info(kafka_code)->error_class != KW_EC_AUTH)
        return;
    kwi_error_answer(topic->core, &err, kafka_code, KW_API_PRODUCE, topic->meta->name);
    kwi_event_error(topic->core, &err);
}

/* Several records are sent again in halves, which is no retry; one is refused, and a
 * person should know what to change. */
static void answer_too_large(struct kw_batch *batch, int16_t kafka_code)
{
    struct kw_topic *topic = batch->part->topic;
    struct kw_error err;

    if (batch->n_records > 1) {
        batch->oversize = true;
        answer_requeue(batch, false);
        return;
    }
    kwi_error_fmt(&err, KW_ERR_TOO_LARGE, KW_PHASE_REQUEST,
                  "raise max.message.bytes of the topic, or send less",
                  "%s-%d: a record of %u bytes with its batch is above the broker's limit",
                  topic->meta->name, (int)batch->part->index, batch->size);
    err.kafka_code = kafka_code;
    answer_fail(batch, KW_ERR_TOO_LARGE, kafka_code);
    kwi_event_error(topic->core, &err);
}

static void answer_apply(struct kw_batch *batch, const struct kw_produce_response_partition *item)
{
    struct kw_producer *producer = batch->part->topic->producer;
    struct kw_error err;
    bool moved;

    switch (answer_judge(item->error_code)) {
    case SEND_OK: answer_delivered(batch, item->base_offset, item->log_append_time_ms); return;
    case SEND_DUPLICATE: answer_delivered(batch, -1, -1); return;
    case SEND_REFRESH:
        /* A leader that is deposed while it waits for its replicas answers the same for what
         * it has appended as for what it never took (decision 0048). */
        batch->maybe_written = true;
        moved = kwi_topic_meta_hint(batch->part->topic->meta, batch->part->index,
                                    item->current_leader.leader_id,
                                    item->current_leader.leader_epoch);
        if (!moved)
            kwi_topic_meta_doubt(batch->part->topic->meta, batch->part->index);
        kwi_cluster_refresh(producer->core);
        /* At once the first time: brokers may send us round for ever. */
        answer_retry(batch, KW_ERR_BROKER, item->error_code, !moved || batch->failures > 0);
        return;
    case SEND_MAYBE:
        batch->maybe_written = true;
        answer_retry(batch, KW_ERR_BROKER, item->error_code, true);
        return;
    case SEND_RETRY: answer_retry(batch, KW_ERR_BROKER, item->error_code, true); return;
    case SEND_TOO_LARGE: answer_too_large(batch, item->error_code); return;
    case SEND_SEQUENCE: answer_resequence(batch, item->error_code); return;
    case SEND_FATAL:
        if (producer->txn && item->error_code == KW_E_INVALID_PRODUCER_ID_MAPPING)
            break; /* its abort learns more of it */
        answer_fail(batch, KW_ERR_BROKER, item->error_code);
        kwi_error_answer(producer->core, &err, item->error_code, KW_API_PRODUCE,
                         "the producer cannot go on");
        kwi_producer_fatal(producer, &err);
        return;
    case SEND_UNSURE: batch->maybe_written = true; break;
    case SEND_FAIL:
        answer_refused(batch, item->error_code);
        if (batch->n_records > 1)
            answer_culprits(batch, item);
        break;
    }
    answer_fail(batch, KW_ERR_BROKER, item->error_code);
}

/* The batch of a partition in the answer that has none yet, or NULL: answers for
 * partitions that were not asked for, or twice, are ignored (P41). */
static struct kw_batch *answer_find(struct kw_sending *sending, struct kw_str topic, int32_t index)
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

static int answer_read(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_sending *sending = req->owner;
    struct kw_produce_response msg;
    struct kw_produce_response_topic topic;
    struct kw_produce_response_partition part;
    struct kw_iter topics, parts;
    struct kw_fault fault;

    if (kwi_produce_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    kwi_cluster_take_endpoints(req->core, &msg.node_endpoints);
    for (kwi_iter_init(&topics, &msg.responses); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&parts, &topic.partition_responses);
             kwi_produce_answer_next(&parts, &part);) {
            struct kw_batch *batch = answer_find(sending, topic.name, part.index);
            if (batch && batch->state == BATCH_SENT) /* not expired meanwhile (P17) */
                answer_apply(batch, &part);
        }
    }
    return 0;
}

void kwi_sending_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_sending *sending = req->owner;
    struct kw_producer *producer = sending->producer;
    int err = answer->err;

    if (!err && answer->body)
        err = answer_read(req, answer);
    if (answer->err == KW_ERR_CONNECT || answer->err == KW_ERR_TIMEOUT)
        kwi_cluster_refresh(req->core); /* maybe the leader moved */
    for (uint32_t i = 0; i < sending->n; i++) {
        struct kw_batch *batch = sending->batches[i];

        if (sending->answered[i] || batch->state != BATCH_SENT)
            continue;
        if (answer->err == KW_ERR_UNSUPPORTED) {
            batch->attempts--;
            answer_fail(batch, answer->err, 0);
        } else if (!err && !producer->acks) {
            answer_delivered(batch, -1, -1);
        } else if (answer->err && !answer->offered) {
            batch->attempts--; /* no byte of it was handed out */
            /* What could not even be made is not made again at once. */
            answer_requeue(batch, !req->conn || answer->err == KW_ERR_NOMEM);
        } else if (!producer->acks) {
            batch->maybe_written = true;
            kwi_batch_conclude(batch, KW_UNKNOWN, err ? err : KW_ERR_PROTOCOL, 0);
        } else { /* cut off, or left out of the answer (P42) */
            batch->maybe_written = true;
            answer_retry(batch, err ? err : KW_ERR_PROTOCOL, 0, true);
        }
    }
}

void kwi_sending_release(struct kw_request *req)
{
    struct kw_sending *sending = req->owner;

    for (uint32_t i = 0; i < sending->n; i++) {
        struct kw_batch *batch = sending->batches[i];
        struct kw_part *part = batch->part;

        batch->n_lent--;
        if ((batch->restamp || batch->oversize) && !batch->n_lent)
            kwi_part_route(part);
        kwi_batch_let_go(batch);
    }
    kwi_sending_recycle(sending);
}
