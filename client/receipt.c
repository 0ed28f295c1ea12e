/* client/receipt.c -- receipts: one outcome for a chunk of records.
 *
 * A batch keeps which of its records belong to which receipt as runs of
 * consecutive records, not per record: the first run lies in the batch, more in
 * blocks that go with it. So a record without a receipt pays nothing, and the
 * records of one receipt cost a run per batch. When the batch gets its outcome,
 * each run's count moves to its receipt; a receipt that was closed and waits for
 * no record raises RECEIPT behind the reports of its failed records.
 *
 *     open --kw_receipt_close--> closed --no record open--> told --taken--> freed
 */
#include "client/receipt.h"

enum {
    RECEIPT_SHARE = 8,   /* receipts take at most this part of what batches leave free */
    RECEIPT_BLOCK = 1024 /* of the pool's smallest class: some 40 runs */
};

/* Before the runs in a block. */
struct receipt_runs {
    struct receipt_runs *next;
    struct kw_block *block;
    uint32_t n, cap;
    struct kw_run runs[];
};

/* ---- the event ------------------------------------------------------------------ */

static bool receipt_fill(struct kw_evnode *node, struct kw_event *out)
{
    struct kw_receipt *receipt = KWI_OF(node, struct kw_receipt, event);

    out->kind = KW_EVENT_RECEIPT;
    out->producer = receipt->producer;
    out->tag = receipt->tag;
    out->code = receipt->result.code;
    out->receipt = receipt->result;
    return false;
}

static void receipt_free(struct kw_receipt *receipt)
{
    struct kw_producer *producer = receipt->producer;

    kwi_list_remove(&producer->receipts, &receipt->node);
    producer->n_receipts--;
    kwi_free(&producer->core->produce, receipt, sizeof(*receipt));
}

static void receipt_told(struct kw_evnode *node, bool last)
{
    struct kw_receipt *receipt = KWI_OF(node, struct kw_receipt, event);
    struct kw_producer *producer = receipt->producer;

    (void)last;
    receipt_free(receipt);
    kwi_producers_check_writable(producer->core);
}

static void receipt_check(struct kw_receipt *receipt)
{
    if (receipt->closed && !receipt->n_open)
        kwi_event_raise(receipt->core, &receipt->event);
}

/* ---- the application's calls -------------------------------------------------------- */

/* Receipts without records must not take the room that batches need: else the
 * application would wait for a WRITABLE that only it could bring about. */
static bool receipt_room(const struct kw_producer *producer)
{
    size_t limit = producer->core->produce.limit;
    size_t reserve = kwi_producer_reserve(producer);
    size_t share = limit > reserve ? (limit - reserve) / RECEIPT_SHARE : 0;

    return (producer->n_receipts + 1) * sizeof(struct kw_receipt) <= share;
}

int kw_core_receipt_create(struct kw_receipt **out, struct kw_producer *producer, void *tag)
{
    struct kw_receipt *receipt;

    *out = NULL;
    if (producer->closing || producer->core->closing)
        return KW_ERR_CLOSED;
    if (!receipt_room(producer))
        return KW_ERR_LIMIT;
    if (kwi_pool_free(&producer->core->produce_pool) < sizeof(*receipt)) {
        kwi_producer_block(producer);
        return KW_ERR_WOULD_BLOCK;
    }
    receipt = kwi_pool_alloc_zero(&producer->core->produce_pool, sizeof(*receipt));
    if (!receipt)
        return KW_ERR_NOMEM;
    receipt->core = producer->core;
    receipt->producer = producer;
    receipt->tag = tag;
    receipt->event.fill = receipt_fill;
    receipt->event.done = receipt_told;
    kwi_list_push(&producer->receipts, &receipt->node);
    producer->n_receipts++;
    *out = receipt;
    return 0;
}

int kw_core_receipt_close(struct kw_receipt *receipt)
{
    if (receipt->closed)
        return KW_ERR_STATE;
    receipt->closed = true;
    receipt_check(receipt);
    return 0;
}

/* ---- runs ---------------------------------------------------------------------------- */

static int receipt_new_run(struct kw_batch *batch, struct kw_run **out)
{
    struct kw_pool *pool = &batch->part->topic->core->produce_pool;
    struct receipt_runs *runs = batch->more_runs;
    struct kw_block *block;

    if (!batch->last_run) {
        *out = &batch->run;
        return 0;
    }
    if (runs && runs->n < runs->cap) {
        *out = &runs->runs[runs->n++];
        return 0;
    }
    block = kwi_block_create(pool, RECEIPT_BLOCK, 0);
    if (!block)
        return kwi_pool_free(pool) < kwi_pool_cost(RECEIPT_BLOCK) ? KW_ERR_WOULD_BLOCK
                                                                  : KW_ERR_NOMEM;
    runs = (struct receipt_runs *)(void *)kwi_block_data(block);
    runs->next = batch->more_runs;
    runs->block = block;
    runs->cap = (uint32_t)((block->cap - sizeof(*runs)) / sizeof(struct kw_run));
    runs->n = 1;
    batch->more_runs = runs;
    *out = &runs->runs[0];
    return 0;
}

int kwi_receipt_prepare(struct kw_receipt *receipt, struct kw_batch *batch, uint32_t index)
{
    struct kw_run *run = batch->last_run;
    int rc;

    if (run && run->receipt == receipt && run->first + run->n == index)
        return 0;
    if (!run || run->n) { /* else: of an append that failed, to be used again */
        rc = receipt_new_run(batch, &run);
        if (rc)
            return rc;
        run->next = NULL;
        run->n = 0;
        if (batch->last_run)
            batch->last_run->next = run;
        batch->last_run = run;
    }
    run->receipt = receipt;
    run->first = index;
    return 0;
}

void kwi_receipt_count(struct kw_batch *batch)
{
    batch->last_run->n++;
    batch->last_run->receipt->n_open++;
}

void kwi_receipts_settle(struct kw_batch *batch)
{
    for (struct kw_run *run = kwi_batch_runs(batch); run; run = run->next) {
        struct kw_receipt *receipt = run->receipt;
        struct kw_receipt_result *result = &receipt->result;

        if (!run->n)
            continue;
        receipt->n_open -= run->n;
        result->flags |= batch->report_flags;
        if (batch->outcome == KW_DELIVERED)
            result->delivered += run->n;
        else if (batch->outcome == KW_NOT_WRITTEN)
            result->not_written += run->n;
        else
            result->unknown += run->n;
        if (batch->outcome != KW_DELIVERED && !result->code)
            result->code = kwi_batch_code_of(batch, run->first, &result->kafka_code);
    }
}

void kwi_receipts_check(struct kw_batch *batch)
{
    for (struct kw_run *run = kwi_batch_runs(batch); run; run = run->next)
        if (run->n)
            receipt_check(run->receipt);
}

int kwi_receipts_split(struct kw_batch *batch, struct kw_batch *second, uint32_t n_first)
{
    for (struct kw_run *run = kwi_batch_runs(batch); run; run = run->next) {
        uint32_t first = run->first > n_first ? run->first : n_first, end = run->first + run->n;
        struct kw_run *moved;
        int rc;

        if (end <= n_first || !run->n)
            continue;
        rc = receipt_new_run(second, &moved);
        if (rc) {
            kwi_batch_free_runs(second);
            return rc;
        }
        *moved = (struct kw_run){NULL, run->receipt, first - n_first, end - first};
        if (second->last_run)
            second->last_run->next = moved;
        second->last_run = moved;
    }
    for (struct kw_run *run = kwi_batch_runs(batch); run; run = run->next) {
        if (run->first >= n_first)
            run->n = 0;
        else if (run->first + run->n > n_first)
            run->n = n_first - run->first;
    }
    return 0;
}

/* ---- the end --------------------------------------------------------------------------- */

void kwi_batch_free_runs(struct kw_batch *batch)
{
    struct receipt_runs *runs = batch->more_runs;

    while (runs) {
        struct kw_block *block = runs->block;

        runs = runs->next;
        kwi_block_release(block);
    }
    batch->more_runs = NULL;
    batch->last_run = NULL;
}

void kwi_receipts_deinit(struct kw_producer *producer)
{
    while (!kwi_list_empty(&producer->receipts)) {
        struct kw_receipt *receipt = KWI_OF(producer->receipts.first, struct kw_receipt, node);

        kwi_event_drop(producer->core, &receipt->event);
        receipt_free(receipt);
    }
}
