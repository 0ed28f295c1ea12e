/* client/expiry.c -- records that end before their batch: by a deadline of their own, or
 * because the application cancels them.
 *
 * Both take a record out of its batch as long as no byte of that was offered: the batch is
 * split behind it and in front of it, and the piece that holds it alone is given up. What
 * was offered may be in the log and goes the way of its batch.
 *
 * Deadlines stand in a block beside the batch, one entry for consecutive records that have
 * the same. Time enters by the step alone, so they count from the step that follows. The
 * pieces of a split share the block: entries count records from the batch's first. */
#include "client/producer.h"

enum {
    EXPIRY_BLOCK = 1000,  /* some 40 entries */
    EXPIRY_SOON_US = 2000 /* its bytes are in use, or memory is short: again so much later */
};

struct expiry {
    uint64_t due_us; /* 0: counts from the next step */
    uint32_t timeout_ms;
    uint32_t first, n;
};
struct expiry_list {
    uint32_t n, cap;
    struct expiry list[];
};

static struct expiry_list *expiry_list(const struct kw_batch *batch)
{
    return batch->expiry ? (struct expiry_list *)(void *)kwi_block_data(batch->expiry) : NULL;
}

/* ---- noting ------------------------------------------------------------------------------ */

/* Whether the last entry can stand for the record, too. */
static bool expiry_goes_on(const struct expiry_list *all, uint32_t index, uint32_t timeout_ms)
{
    const struct expiry *last = all->n ? &all->list[all->n - 1] : NULL;

    return last && !last->due_us && last->timeout_ms == timeout_ms &&
           last->first + last->n == index;
}

bool kwi_expiry_is_full(const struct kw_batch *batch, uint32_t index, uint32_t timeout_ms)
{
    const struct expiry_list *all = expiry_list(batch);

    return all && all->n == all->cap && !expiry_goes_on(all, index, timeout_ms);
}

static void expiry_due(struct kw_timer *timer);

int kwi_expiry_prepare(struct kw_batch *batch)
{
    struct kw_pool *pool = &batch->part->topic->core->produce_pool;
    struct expiry_list *all;

    if (batch->expiry)
        return 0;
    batch->expiry = kwi_block_create(pool, EXPIRY_BLOCK, 0);
    if (!batch->expiry)
        return kwi_pool_free(pool) < kwi_pool_cost(EXPIRY_BLOCK) ? KW_ERR_WOULD_BLOCK
                                                                 : KW_ERR_NOMEM;
    all = expiry_list(batch);
    all->n = 0;
    all->cap = (uint32_t)((batch->expiry->cap - sizeof(*all)) / sizeof(struct expiry));
    batch->expiry_timer.fire = expiry_due;
    return 0;
}

void kwi_expiry_note(struct kw_batch *batch, uint32_t index, uint32_t timeout_ms)
{
    struct kw_producer *producer = batch->part->topic->producer;
    struct expiry_list *all = expiry_list(batch);

    if (expiry_goes_on(all, index, timeout_ms)) {
        all->list[all->n - 1].n++;
        return;
    }
    KWI_ASSERT(all->n < all->cap);
    all->list[all->n++] = (struct expiry){.timeout_ms = timeout_ms, .first = index, .n = 1};
    if (!kwi_list_has(&producer->undated, &batch->undated_node))
        kwi_list_push(&producer->undated, &batch->undated_node);
    kwi_attend(producer->core, KW_ATT_TIME);
}

void kwi_expiry_date(struct kw_producer *producer)
{
    uint64_t now_us = producer->core->now.mono_us;

    for (unsigned i = 0; i < KWI_STEP_PINS && producer->undated.first; i++) {
        struct kw_batch *batch = KWI_OF(producer->undated.first, struct kw_batch, undated_node);
        struct expiry_list *all = expiry_list(batch);

        kwi_list_remove(&producer->undated, &batch->undated_node);
        for (uint32_t k = all->n; k-- > 0 && !all->list[k].due_us;)
            all->list[k].due_us = now_us + (uint64_t)all->list[k].timeout_ms * 1000;
        kwi_expiry_arm(batch);
    }
}

/* ---- the timer --------------------------------------------------------------------------- */

/* The records of the batch for which an entry stands: [*from, *to), counted from its own
 * first. false: none. */
static bool expiry_covers(const struct kw_batch *batch, const struct expiry *entry, uint32_t *from,
                          uint32_t *to)
{
    uint32_t n = batch->state == BATCH_OPEN ? batch->part->n_records : batch->n_records;
    uint32_t end = batch->begin + n, entry_end = entry->first + entry->n;

    if (entry_end <= batch->begin || entry->first >= end)
        return false;
    *from = (entry->first > batch->begin ? entry->first : batch->begin) - batch->begin;
    *to = (entry_end < end ? entry_end : end) - batch->begin;
    return true;
}

void kwi_expiry_arm(struct kw_batch *batch)
{
    struct kw_core *core = batch->part->topic->core;
    const struct expiry_list *all = expiry_list(batch);
    uint64_t next_us = UINT64_MAX;
    uint32_t from, to;

    if (batch->state == BATCH_SENT || batch->attempts || batch->maybe_written)
        return;
    for (uint32_t i = 0; i < all->n; i++)
        if (all->list[i].due_us && all->list[i].due_us < next_us &&
            expiry_covers(batch, &all->list[i], &from, &to))
            next_us = all->list[i].due_us;
    if (next_us == UINT64_MAX)
        kwi_core_disarm(core, &batch->expiry_timer);
    else
        kwi_core_arm(core, &batch->expiry_timer, next_us);
}

void kwi_expiry_split(struct kw_batch *batch, struct kw_batch *second)
{
    struct kw_producer *producer = batch->part->topic->producer;

    second->expiry = batch->expiry;
    second->expiry_timer.fire = expiry_due;
    kwi_block_hold(second->expiry);
    if (kwi_list_has(&producer->undated, &batch->undated_node))
        kwi_list_push(&producer->undated, &second->undated_node);
    kwi_expiry_arm(batch);
    kwi_expiry_arm(second);
}

void kwi_expiry_stop(struct kw_batch *batch)
{
    struct kw_producer *producer = batch->part->topic->producer;

    if (!batch->expiry)
        return;
    kwi_core_disarm(producer->core, &batch->expiry_timer);
    if (kwi_list_has(&producer->undated, &batch->undated_node))
        kwi_list_remove(&producer->undated, &batch->undated_node);
    kwi_block_release(batch->expiry);
    batch->expiry = NULL;
}

/* ---- taking records out ------------------------------------------------------------------ */

static bool expiry_was_offered(const struct kw_batch *batch)
{
    return batch->state == BATCH_SENT || batch->attempts || batch->maybe_written;
}

/* A piece goes on. Beside one that is given up with its sequence numbers the epoch goes up,
 * and so it is numbered anew; a transaction is over by that anyhow. */
static void expiry_go_on(struct kw_batch *batch, bool has_hole)
{
    if (has_hole && batch->stamped && !batch->part->topic->producer->txn)
        batch->restamp = true;
    if (batch->part->topic->producer->codec && !batch->codec) /* it may not have been cut at all */
        kwi_pack_batch(batch);
}

static struct kw_batch *expiry_behind(const struct kw_batch *batch)
{
    return KWI_OF(batch->node.next, struct kw_batch, node);
}

/* Gives the records [from, to) of a batch up of which nothing was offered.
 * Errors: KW_ERR_WOULD_BLOCK (a codec is at it), KW_ERR_NOMEM; nothing is given up then. */
static int expiry_cut(struct kw_batch *batch, uint32_t from, uint32_t to, int code)
{
    struct kw_batch *front = NULL, *rest = NULL;
    struct kw_part *part = batch->part;
    int rc = 0;

    if (batch->state == BATCH_OPEN)
        kwi_part_seal(part);
    if (batch->n_lent)
        return KW_ERR_WOULD_BLOCK;
    if (from == 0 && to == batch->n_records) {
        kwi_batch_give_up(batch, code, false);
        return 0;
    }
    part->taken = true; /* nothing is sent of it meanwhile */
    if (batch->packing)
        kwi_pack_forget(batch);
    batch->packing = false;
    if (to < batch->n_records) {
        rc = kwi_batch_split_at(batch, to) ? 0 : KW_ERR_NOMEM;
        rest = rc ? NULL : expiry_behind(batch);
    }
    if (!rc && from > 0) {
        rc = kwi_batch_split_at(batch, from) ? 0 : KW_ERR_NOMEM;
        front = rc ? NULL : batch;
        batch = rc ? batch : expiry_behind(batch);
    }
    if (front)
        expiry_go_on(front, true);
    if (rest)
        expiry_go_on(rest, !rc);
    if (rc)
        expiry_go_on(batch, false);
    else
        kwi_batch_give_up(batch, code, false);
    part->taken = false;
    kwi_part_route(part);
    return rc;
}

static void expiry_due(struct kw_timer *timer)
{
    struct kw_batch *batch = KWI_OF(timer, struct kw_batch, expiry_timer);
    struct kw_core *core = batch->part->topic->core;
    const struct expiry_list *all = expiry_list(batch);
    uint32_t from = 0, to = 0, next_from, next_to;
    bool found = false;

    if (expiry_was_offered(batch))
        return; /* if it comes back without a byte offered, it is armed again */
    for (uint32_t i = 0; i < all->n; i++) {
        if (!all->list[i].due_us || all->list[i].due_us > core->now.mono_us ||
            !expiry_covers(batch, &all->list[i], &next_from, &next_to))
            continue;
        if (found && next_from != to)
            break;
        from = found ? from : next_from;
        to = next_to;
        found = true;
    }
    /* The pieces are armed by the split, and what is left of this one may be due. */
    if (found && expiry_cut(batch, from, to, KW_ERR_TIMEOUT))
        kwi_core_arm(core, &batch->expiry_timer, core->now.mono_us + EXPIRY_SOON_US);
}

/* ---- cancel ------------------------------------------------------------------------------ */

static bool expiry_holds(const struct kw_batch *batch, const struct kw_record_ref *ref)
{
    uint32_t n = batch->state == BATCH_OPEN ? batch->part->n_records : batch->n_records;

    return batch->number == ref->number && batch->state != BATCH_DONE &&
           ref->index >= batch->begin && ref->index - batch->begin < n;
}

/* The batch that the record is in by now; NULL: it has its outcome. Batches are recycled
 * with other numbers, and their memory stays. */
static struct kw_batch *expiry_find(const struct kw_record_ref *ref)
{
    const struct kw_part *part = ref->topic->parts[ref->partition];
    const struct kw_list *lists[] = {&part->queue, &part->sent};

    if (expiry_holds(ref->batch, ref))
        return ref->batch;
    for (unsigned i = 0; i < 2; i++) {
        for (struct kw_node *n = lists[i]->first; n; n = n->next) {
            struct kw_batch *batch = KWI_OF(n, struct kw_batch, node);
            if (expiry_holds(batch, ref))
                return batch;
            if (batch->number > ref->number)
                break;
        }
    }
    return NULL;
}

int kw_core_record_cancel(const struct kw_record_ref *ref)
{
    struct kw_batch *batch;
    uint32_t at;

    if (!ref || !ref->topic || !ref->batch || ref->partition < 0 ||
        (uint32_t)ref->partition >= ref->topic->n_parts)
        return KW_ERR_USE;
    batch = expiry_find(ref);
    if (!batch)
        return KW_ERR_STATE;
    if (expiry_was_offered(batch))
        return KW_ERR_IN_FLIGHT;
    at = ref->index - batch->begin;
    return expiry_cut(batch, at, at + 1, KW_ERR_CANCELED);
}
