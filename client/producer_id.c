/* client/producer_id.c -- idempotence: the producer id, its epoch, and the
 * sequence numbers of batches (protocol notes 4.4; KIP-98, KIP-360).
 *
 * The id comes from InitProducerId at any broker. A partition takes the
 * producer's present (id, epoch) over, with sequence 0, when none of its batches
 * under way carries an older one. An epoch is used up by a bump whenever a
 * stamped batch ends without a proof that its sequences were used. */
#include <string.h>

#include "client/config.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "client/producer.h"
#include "client/throttle.h"
#include "client/txn.h"
#include "proto/error.h"
#include "proto/produce.h"

static int id_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_init_producer_id_request msg;

    kwi_init_producer_id_request_init(&msg);
    msg.transactional_id = KWI_NULL_STR;
    msg.transaction_timeout_ms = INT32_MAX;
    return kwi_init_producer_id_request_encode(&msg, req->version, wr);
}

static void id_retry(struct kw_producer *producer)
{
    kwi_core_arm(producer->core, &producer->id_timer,
                 kwi_producer_retry_us(producer, producer->id_attempts));
    if (producer->id_attempts < 32)
        producer->id_attempts++;
}

static void id_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_producer *producer = req->owner;
    struct kw_init_producer_id_response msg;
    struct kw_error err;
    struct kw_fault fault;

    if (answer->err == KW_ERR_UNSUPPORTED) {
        kwi_error_set(&err, KW_ERR_UNSUPPORTED, KW_PHASE_REQUEST,
                      "the broker has no idempotent producer (InitProducerId)",
                      "use a broker of 0.11 or later, or set enable.idempotence=false");
        kwi_producer_fatal(producer, &err);
        return;
    }
    if (answer->err == KW_ERR_CLOSED && producer->core->closing)
        return;
    if (answer->err) {
        id_retry(producer);
        return;
    }
    if (kwi_init_producer_id_response_decode(&msg, req->version, answer->body, answer->len,
                                             &fault)) {
        (void)kwi_request_malformed(req, &fault, NULL);
        id_retry(producer);
        return;
    }
    kwi_throttle(req, msg.throttle_time_ms);
    if (msg.error_code && (kwi_error_info(msg.error_code)->flags & KW_E_RETRIABLE)) {
        id_retry(producer);
        return;
    }
    if (msg.error_code || msg.producer_id < 0 || msg.producer_epoch < 0) {
        kwi_error_answer(producer->core, &err,
                         msg.error_code ? msg.error_code : KW_E_UNKNOWN_SERVER_ERROR,
                         KW_API_INIT_PRODUCER_ID, NULL);
        kwi_producer_fatal(producer, &err);
        return;
    }
    producer->producer_id = msg.producer_id;
    producer->producer_epoch = msg.producer_epoch;
    producer->id_wanted = false;
    producer->id_attempts = 0;
    kwi_sender_kick(producer);
}

static const struct kw_request_type id_type = {
    .api_key = KW_API_INIT_PRODUCER_ID,
    .encode = id_encode,
    .done = id_done,
};

static void id_ask(struct kw_producer *producer)
{
    struct kw_request *req = kwi_producer_request(producer, NULL, &id_type, producer);

    if (req)
        kwi_cluster_submit(req);
    else
        id_retry(producer);
}

static void id_timer(struct kw_timer *timer)
{
    struct kw_producer *producer = KWI_OF(timer, struct kw_producer, id_timer);

    if (!producer->fatal)
        id_ask(producer);
}

void kwi_producer_id_init(struct kw_producer *producer)
{
    producer->producer_id = -1;
    producer->producer_epoch = -1;
    producer->id_timer.fire = id_timer;
}

void kwi_producer_id_want(struct kw_producer *producer)
{
    if (!producer->idempotent || producer->producer_id >= 0 || producer->id_wanted || producer->txn)
        return;
    producer->id_wanted = true;
    id_ask(producer);
}

bool kwi_producer_id_ready(struct kw_producer *producer)
{
    if (!producer->idempotent || producer->producer_id >= 0)
        return true;
    kwi_producer_id_want(producer);
    return false;
}

int32_t kwi_sequence_add(int32_t sequence, uint32_t n)
{
    return (int32_t)(((uint32_t)sequence + n) & INT32_MAX);
}

/* The partition goes over to the producer's present id and epoch, with sequence
 * 0. Batches that wait with older numbers get new ones, unless they may be in the
 * log already: then nobody can know, and a second copy must not be risked. */
static void id_adopt(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_node *next;

    part->producer_id = producer->producer_id;
    part->producer_epoch = producer->producer_epoch;
    part->next_sequence = 0;
    part->established = false;
    for (struct kw_node *n = part->queue.first; n; n = next) {
        struct kw_batch *batch = KWI_OF(n, struct kw_batch, node);

        next = n->next;
        if (!batch->stamped)
            return; /* those behind it are new, too */
        if (batch->maybe_written)
            kwi_batch_conclude(batch, KW_UNKNOWN, batch->code, batch->kafka_code);
        else
            batch->restamp = true;
    }
}

/* Another topic has the name: numbers begin anew. What may be in the old one is unknown, and
 * must not get into the new one twice over; in a transaction what has numbers cannot be
 * numbered anew, and fails with it. */
static void id_adopt_topic(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_node *next;

    part->generation = part->topic->generation;
    part->next_sequence = 0;
    part->established = false;
    for (struct kw_node *n = part->queue.first; n; n = next) {
        struct kw_batch *batch = KWI_OF(n, struct kw_batch, node);

        next = n->next;
        if (!batch->stamped || batch->generation == part->generation)
            continue;
        if (batch->maybe_written)
            kwi_batch_conclude(batch, KW_UNKNOWN, KW_ERR_RECREATED, batch->kafka_code);
        else if (producer->txn)
            kwi_batch_conclude(batch, KW_NOT_WRITTEN, KW_ERR_RECREATED, batch->kafka_code);
        else
            batch->restamp = true;
    }
}

/* A broker takes any first sequence from a producer of which it knows nothing. If
 * the first batch failed there and the second did not, the second would open the
 * sequence and stand before the first. So one at a time until one is in the log,
 * and again after a failure: what follows a batch that fails again fails too. */
uint32_t kwi_part_window(const struct kw_part *part)
{
    const struct kw_producer *producer = part->topic->producer;

    return producer->idempotent && !part->established ? 1 : producer->max_in_flight;
}

void kwi_part_established(struct kw_part *part, const struct kw_batch *batch)
{
    if (batch->producer_id == part->producer_id && batch->producer_epoch == part->producer_epoch)
        part->established = true;
}

bool kwi_part_sequence_due(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_batch *batch;

    if (part->generation != part->topic->generation && producer->idempotent) {
        if (!kwi_list_empty(&part->sent))
            return false; /* what became of them is still to be told */
        id_adopt_topic(part);
        if (kwi_list_empty(&part->queue))
            return false;
    }
    batch = KWI_OF(part->queue.first, struct kw_batch, node);
    if (!producer->idempotent || (batch->stamped && !batch->restamp))
        return true;
    if (part->producer_id != producer->producer_id ||
        part->producer_epoch != producer->producer_epoch) {
        if (!kwi_list_empty(&part->sent))
            return false; /* older ones must be settled under their epoch first */
        id_adopt(part);
    }
    return !kwi_list_empty(&part->queue);
}

void kwi_batch_sequence(struct kw_batch *batch)
{
    struct kw_part *part = batch->part;

    if (!part->topic->producer->idempotent || (batch->stamped && !batch->restamp))
        return;
    batch->producer_id = part->producer_id;
    batch->producer_epoch = part->producer_epoch;
    batch->sequence = part->next_sequence;
    batch->generation = part->generation;
    batch->stamped = true;
    batch->restamp = false;
    part->next_sequence = kwi_sequence_add(part->next_sequence, batch->n_records);
}

void kwi_producer_bump(struct kw_producer *producer)
{
    if (!producer->idempotent || producer->producer_id < 0)
        return;
    if (producer->txn) { /* never inside a transaction (T06); EndTxn of version 2 does it */
        producer->txn->bump |= !producer->txn->implicit;
        return;
    }
    if (producer->producer_epoch < INT16_MAX) {
        producer->producer_epoch++;
        return;
    }
    producer->producer_id = -1; /* epochs are used up: a new id (P09) */
    producer->producer_epoch = -1;
    if (!producer->fatal && !producer->core->closing)
        kwi_producer_id_want(producer);
}
