/* client/delivery.c -- outcomes: reports, delivery timeout, flush, purge.
 *
 * A batch gets its outcome once. Its memory goes back at the latest of three:
 * the outcome is final, no request holds it, and the application has taken the
 * report of its last chunk (law 3). Where a value is the application's own, the
 * report itself waits until no request and no codec holds it. */
#include "base/plant.h"
#include "client/close.h"
#include "client/error_text.h"
#include "client/op.h"
#include "client/producer.h"
#include "client/receipt.h"
#include "client/txn.h"

enum { DELIVERY_SWEEP = 64 };

struct flush_op {
    struct kw_op op;
    struct kw_node node; /* in producer->flushes */
    struct kw_producer *producer;
    uint64_t number; /* waits for batches up to this one */
};

/* ---- reports --------------------------------------------------------------------- */

/* Delivered records of a receipt are only counted, and so are all that were
 * delivered when failures alone are asked for; but a report is what tells that a value
 * by reference is free. */
static bool delivery_silent(const struct kw_batch *batch, const struct kw_receipt *receipt)
{
    const struct kw_producer *producer = batch->part->topic->producer;

    return batch->outcome == KW_DELIVERED && (receipt || (producer->only_errors && !batch->by_ref));
}

/* A batch is refused as a whole. Where the broker names the records that it is about
 * (KIP-467), the others have another error: nothing is wrong with them. */
static bool delivery_is_culprit(const struct kw_batch *batch, uint32_t index)
{
    return !batch->culprits || (kwi_block_data(batch->culprits)[index / 8] >> index % 8 & 1);
}

int kwi_batch_code_of(const struct kw_batch *batch, uint32_t index, int16_t *kafka_code)
{
    bool is_culprit = delivery_is_culprit(batch, index);

    *kafka_code = is_culprit ? batch->kafka_code : 0;
    return is_culprit ? batch->code : KW_ERR_BATCHMATE;
}

/* Behind the last of the records from `first` on that have one error. */
static uint32_t delivery_alike(const struct kw_batch *batch, uint32_t first, uint32_t end)
{
    bool is_culprit = delivery_is_culprit(batch, first);
    uint32_t i = first + 1;

    while (i < end && delivery_is_culprit(batch, i) == is_culprit)
        i++;
    return i;
}

/* Moves to the next records that one report can cover, and must unless `all`; chunk NULL
 * if there are none. */
static void delivery_next_cut(const struct kw_batch *batch, struct kw_report_cut *cut, bool all)
{
    cut->first += cut->n;
    cut->n = 0;
    while (cut->chunk) {
        uint32_t end = cut->chunk_base + cut->chunk->n_opaques;

        if (cut->first == end) {
            cut->chunk_base = end;
            cut->chunk = cut->chunk->next;
            continue;
        }
        while (cut->run && cut->run->first + cut->run->n <= cut->first)
            cut->run = cut->run->next;
        cut->receipt = NULL;
        if (cut->run && cut->run->first <= cut->first) {
            cut->receipt = cut->run->receipt;
            if (cut->run->first + cut->run->n < end)
                end = cut->run->first + cut->run->n;
        } else if (cut->run && cut->run->first < end) {
            end = cut->run->first;
        }
        if (all || !delivery_silent(batch, cut->receipt)) {
            if (batch->culprits)
                end = delivery_alike(batch, cut->first, end);
            cut->n = end - cut->first;
            return;
        }
        cut->first = end;
    }
}

static void delivery_describe(const struct kw_batch *batch, const struct kw_report_cut *cut,
                              struct kw_report *report)
{
    report->topic = batch->part->topic;
    report->partition = batch->part->index;
    report->outcome = batch->outcome;
    report->flags = batch->report_flags;
    report->code = kwi_batch_code_of(batch, cut->first, &report->kafka_code);
    report->n = cut->n;
    report->attempts = batch->attempts;
    report->base_offset = batch->base_offset < 0 ? -1 : batch->base_offset + cut->first;
    report->timestamp_ms = batch->log_append_ms;
    report->opaques = cut->chunk->top - (cut->first - cut->chunk_base) - cut->n;
    report->receipt = cut->receipt;
    report->latency_us = batch->pinned ? batch->done_us - batch->created_us : 0;
}

static bool delivery_fill(struct kw_evnode *node, struct kw_event *out)
{
    struct kw_batch *batch = KWI_OF(node, struct kw_batch, event);
    struct kw_report_cut *cut = &batch->cut;

    out->kind = KW_EVENT_REPORT;
    out->producer = batch->part->topic->producer;
    delivery_describe(batch, cut, &out->report);
    out->tag = cut->receipt ? cut->receipt->tag : NULL;
    delivery_next_cut(batch, cut, false);
    return cut->chunk != NULL;
}

/* The hook sees all of them, also those that nobody else is told of. */
static void delivery_hook(struct kw_batch *batch)
{
    const struct kw_producer_hooks *hooks = &batch->part->topic->producer->hooks;
    struct kw_report_cut cut = {.chunk = batch->first, .run = kwi_batch_runs(batch)};
    struct kw_report report;

    for (delivery_next_cut(batch, &cut, true); cut.chunk; delivery_next_cut(batch, &cut, true)) {
        delivery_describe(batch, &cut, &report);
        hooks->on_report(hooks->ctx, &report);
    }
}

static void delivery_told(struct kw_evnode *node, bool last)
{
    struct kw_batch *batch = KWI_OF(node, struct kw_batch, event);

    if (!last)
        return;
    batch->reported = true;
    kwi_batch_let_go(batch);
}

static void delivery_report(struct kw_batch *batch);
static void flush_check(struct kw_producer *producer);

void kwi_batch_let_go(struct kw_batch *batch)
{
    struct kw_producer *producer = batch->part->topic->producer;

    if (batch->owed && !batch->n_lent) {
        batch->owed = false;
        kwi_list_remove(&producer->owed, &batch->open_node);
        delivery_report(batch); /* comes back here if there is nobody to tell */
        flush_check(producer);
        kwi_close_check(producer->core);
        return;
    }
    if (batch->state != BATCH_DONE || !batch->reported ||
        (batch->n_lent && !kwi_planted(KWI_PLANT_P14)))
        return;
    kwi_list_remove(&producer->done, &batch->time_node);
    if (batch->unsent) {
        kwi_unsent_add(producer, batch);
        return;
    }
    kwi_batch_free(batch);
    kwi_producers_check_writable(producer->core);
}

/* ---- flush -------------------------------------------------------------------------- */

/* The number of the oldest batch without an outcome; UINT64_MAX: none. */
static uint64_t delivery_oldest(const struct kw_producer *producer)
{
    if (producer->timed.first)
        return KWI_OF(producer->timed.first, struct kw_batch, time_node)->number;
    if (producer->unpinned.first)
        return KWI_OF(producer->unpinned.first, struct kw_batch, time_node)->number;
    return UINT64_MAX;
}

bool kwi_producer_drained(const struct kw_producer *producer)
{
    return delivery_oldest(producer) == UINT64_MAX;
}

/* The number of the oldest batch whose reports wait for the driver. */
static uint64_t delivery_oldest_owed(const struct kw_producer *producer)
{
    uint64_t oldest = UINT64_MAX;

    for (struct kw_node *n = producer->owed.first; n; n = n->next)
        if (KWI_OF(n, struct kw_batch, open_node)->number < oldest)
            oldest = KWI_OF(n, struct kw_batch, open_node)->number;
    return oldest;
}

static void flush_check(struct kw_producer *producer)
{
    uint64_t oldest = delivery_oldest(producer), owed;
    struct kw_node *next;

    if (kwi_list_empty(&producer->flushes))
        return;
    owed = delivery_oldest_owed(producer);
    if (owed < oldest)
        oldest = owed;
    for (struct kw_node *n = producer->flushes.first; n; n = next) {
        struct flush_op *flush = KWI_OF(n, struct flush_op, node);
        next = n->next;
        if (oldest <= flush->number)
            continue;
        kwi_list_remove(&producer->flushes, n);
        kwi_op_end(&flush->op, 0, NULL);
    }
}

static void flush_abandon(struct kw_op *op, int code)
{
    struct flush_op *flush = (struct flush_op *)(void *)op;
    struct kw_error err;

    kwi_list_remove(&flush->producer->flushes, &flush->node);
    if (code != KW_ERR_TIMEOUT)
        return;
    kwi_error_fmt(&err, code, KW_PHASE_REQUEST, "give it a longer timeout_ms, or see the brokers",
                  "flush: %llu records have no outcome yet",
                  (unsigned long long)flush->producer->n_sealed);
    kwi_op_end(op, code, &err);
}

struct kw_op *kw_core_flush(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    struct kw_op *op = kwi_op_create(producer->core, sizeof(struct flush_op), timeout_ms, tag,
                                     flush_abandon);
    struct flush_op *flush = (struct flush_op *)(void *)op;

    if (!op)
        return NULL;
    flush->producer = producer;
    flush->number = producer->flush_number = producer->next_number;
    kwi_list_push(&producer->flushes, &flush->node);
    flush_check(producer);
    kwi_attend(producer->core, KW_ATT_TIME); /* the next steps seal */
    return op;
}

/* ---- the outcome ---------------------------------------------------------------------- */

static void delivery_count(struct kw_producer *producer, const struct kw_batch *batch)
{
    struct kw_stats *stats = &producer->core->stats;

    producer->n_sealed -= batch->n_records;
    if (batch->outcome == KW_DELIVERED)
        stats->records_delivered += batch->n_records;
    else if (batch->outcome == KW_NOT_WRITTEN)
        stats->records_not_written += batch->n_records;
    else
        stats->records_unknown += batch->n_records;
}

/* Queues the reports, and behind them the receipts that wait for no more. */
static void delivery_report(struct kw_batch *batch)
{
    if (batch->part->topic->producer->hooks.on_report)
        delivery_hook(batch);
    if (batch->last_run)
        kwi_receipts_settle(batch);
    batch->cut = (struct kw_report_cut){.chunk = batch->first, .run = kwi_batch_runs(batch)};
    delivery_next_cut(batch, &batch->cut, false);
    if (batch->cut.chunk) {
        batch->event.fill = delivery_fill;
        batch->event.done = delivery_told;
        kwi_event_raise(batch->part->topic->core, &batch->event);
        kwi_receipts_check(batch);
        return;
    }
    kwi_receipts_check(batch);
    batch->reported = true;
    kwi_batch_let_go(batch);
}

void kwi_batch_conclude(struct kw_batch *batch, enum kw_outcome outcome, int code,
                        int16_t kafka_code)
{
    struct kw_part *part = batch->part;
    struct kw_producer *producer = part->topic->producer;

    KWI_ASSERT(batch->state == BATCH_QUEUED || batch->state == BATCH_SENT);
    kwi_list_remove(batch->state == BATCH_SENT ? &part->sent : &part->queue, &batch->node);
    part->n_sent -= batch->state == BATCH_SENT;
    part->n_queued -= batch->state == BATCH_QUEUED;
    kwi_part_unhold(part);
    if (batch->packing)
        kwi_pack_forget(batch);
    kwi_list_remove(batch->pinned ? &producer->timed : &producer->unpinned, &batch->time_node);
    batch->state = BATCH_DONE;
    batch->done_us = producer->core->now.mono_us;
    if (batch->expiry)
        kwi_expiry_stop(batch);
    kwi_list_push(&producer->done, &batch->time_node);
    batch->outcome = (uint8_t)outcome;
    batch->code = code;
    batch->kafka_code = kafka_code;
    if (outcome == KW_DELIVERED && producer->acks == 1)
        batch->report_flags |= KW_REPORT_LEADER_ONLY;
    if (batch->maybe_written && !producer->idempotent)
        batch->report_flags |= KW_REPORT_MAYBE_DUPLICATE;
    delivery_count(producer, batch);
    if (outcome != KW_DELIVERED && batch->stamped && kwi_planted(KWI_PLANT_P15))
        part->next_sequence = batch->sequence;
    else if (outcome != KW_DELIVERED && batch->stamped)
        kwi_producer_bump(producer);
    if (batch->lent_len && batch->n_lent) { /* a report would say that the values are free */
        batch->owed = true;
        kwi_list_push(&producer->owed, &batch->open_node);
    } else {
        delivery_report(batch);
    }
    kwi_part_route(part);
    flush_check(producer);
    kwi_delivery_arm(producer);
    if (producer->txn)
        kwi_txn_batch_done(part, outcome, code, kafka_code);
    kwi_close_check(producer->core);
}

/* Bytes that were offered may be in the log. */
void kwi_batch_give_up(struct kw_batch *batch, int code, bool keep)
{
    bool offered = batch->state == BATCH_SENT || batch->maybe_written;

    if (batch->state == BATCH_OPEN)
        kwi_part_seal(batch->part);
    if (keep && !offered)
        batch->unsent = true;
    kwi_batch_conclude(batch, offered ? KW_UNKNOWN : KW_NOT_WRITTEN, code, batch->kafka_code);
}

/* ---- delivery.timeout.ms -------------------------------------------------------------- */

static void delivery_due(struct kw_timer *timer)
{
    struct kw_producer *producer = KWI_OF(timer, struct kw_producer, delivery_timer);

    for (unsigned i = 0; i < DELIVERY_SWEEP && producer->timed.first; i++) {
        struct kw_batch *batch = KWI_OF(producer->timed.first, struct kw_batch, time_node);

        if (batch->created_us + producer->delivery_timeout_us > producer->core->now.mono_us)
            break;
        kwi_batch_give_up(batch, KW_ERR_TIMEOUT, false);
    }
    kwi_delivery_arm(producer);
}

void kwi_delivery_arm(struct kw_producer *producer)
{
    struct kw_batch *batch;
    uint64_t due_us;

    if (!producer->timed.first) {
        kwi_core_disarm(producer->core, &producer->delivery_timer);
        return;
    }
    batch = KWI_OF(producer->timed.first, struct kw_batch, time_node);
    due_us = batch->created_us + producer->delivery_timeout_us;
    if (!producer->delivery_timer.armed || producer->delivery_timer.deadline_us != due_us)
        kwi_core_arm(producer->core, &producer->delivery_timer, due_us);
}

void kwi_delivery_init(struct kw_producer *producer)
{
    producer->delivery_timer.fire = delivery_due;
}

/* ---- sweeps ------------------------------------------------------------------------------ */

void kwi_producer_sweep(struct kw_producer *producer, int code, bool sent, bool keep)
{
    if (producer->sweep_code && producer->sweep_sent && !sent)
        return;
    producer->sweep_code = code;
    producer->sweep_number = producer->next_number;
    producer->sweep_sent = sent;
    producer->sweep_keep = keep;
    kwi_attend(producer->core, KW_ATT_TIME);
}

/* Batches of which a byte may have been offered are passed over by purge: at
 * most those under way, so the walk is short. */
static struct kw_batch *sweep_next(struct kw_producer *producer)
{
    for (unsigned pinned = 2; pinned-- > 0;) {
        struct kw_list *list = pinned ? &producer->timed : &producer->unpinned;

        for (struct kw_node *n = list->first; n; n = n->next) {
            struct kw_batch *batch = KWI_OF(n, struct kw_batch, time_node);
            if (batch->number > producer->sweep_number)
                return NULL;
            if (producer->sweep_sent ||
                (batch->state != BATCH_SENT && (!batch->attempts || kwi_txn_drops(producer->txn))))
                return batch;
        }
    }
    return NULL;
}

void kwi_producer_sweep_some(struct kw_producer *producer, unsigned max)
{
    struct kw_batch *batch;

    while (producer->sweep_code) {
        batch = sweep_next(producer);
        if (!batch) {
            producer->sweep_code = 0;
            kwi_close_check(producer->core);
            return;
        }
        if (!max--)
            return;
        kwi_batch_give_up(batch, producer->sweep_code, producer->sweep_keep);
    }
}

int kw_core_purge(struct kw_producer *producer)
{
    kwi_producer_sweep(producer, KW_ERR_CANCELED, false, true);
    return 0;
}

void kwi_producer_fatal(struct kw_producer *producer, const struct kw_error *error)
{
    if (producer->fatal)
        return;
    producer->fatal = true;
    kwi_producer_mark(producer);
    producer->fatal_error = *error;
    kwi_event_error(producer->core, error);
    if (producer->txn)
        kwi_txn_die(producer->txn, error);
    kwi_producer_sweep(producer, KW_ERR_STATE, true, false);
    kwi_producers_check_writable(producer->core);
}
