/* client/records.c -- handles of fetched records: poll builds one, next walks it.
 *
 * A handle covers consecutive batches of one part that lie in one block (of what
 * was unpacked: one batch), or a piece of one large batch, and holds the block.
 * The batches were verified before (batch_check.c), so next only reads: a record
 * is a view into the frame. Handles are recycled; one that is older than its
 * part's last seek stays readable until its release. */
#include <string.h>

#include "base/bytes.h"
#include "client/group.h"
#include "proto/batch.h"
#include "proto/record.h"
#include <kwire/kwire.h>

enum {
    RECORDS_BUDGET = 1024 * 1024, /* bytes of either kind that one poll may verify */
    RECORDS_PARTS = 64,           /* parts that one poll may look at */
    RECORDS_KEEP = 64             /* handles kept for reuse */
};

/* ---- reading a handle ----------------------------------------------------------- */

/* Opens the next batch of the handle. false: there is none. What poll skipped
 * is skipped here as well. */
static bool records_open(struct kw_records *records)
{
    struct kw_batch_header header;

    while (records->next < records->range_end) {
        const uint8_t *p = records->next;
        if (kwi_batch_header_get(p, (size_t)(records->range_end - p), &header))
            return false;
        records->next = p + kwi_batch_size(&header);
        if (header.record_count == 0 || header.attributes & KWI_BATCH_CONTROL)
            continue;
        records->ptr = p + KWI_BATCH_HEADER;
        records->end = records->next;
        records->left = (uint32_t)header.record_count;
        records->opened += records->left;
        records->base_offset = header.base_offset;
        records->last_delta = header.last_offset_delta;
        records->current.leader_epoch = header.partition_leader_epoch;
        records->current.timestamp_type = (header.attributes & KWI_BATCH_LOG_APPEND_TIME) != 0;
        records->delta_mask = records->current.timestamp_type ? 0 : -1;
        records->base_timestamp = records->current.timestamp_type ? header.max_timestamp
                                                                  : header.base_timestamp;
        return true;
    }
    return false;
}

/* A record is malformed inside. Nothing of it is handed out; the part stops
 * there if the handle is of its present generation. */
static void records_broken(struct kw_records *records)
{
    struct kw_consumer_part *part = kwi_map_get(&records->topic->parts,
                                                (uint32_t)records->partition);

    records->skipped += records->left;
    records->left = 0;
    records->next = records->range_end;
    records->broken = true;
    if (!part || part->generation != records->generation || part->state == KWI_PART_STOPPED)
        return;
    part->position = records->from;
    kwi_part_stop(part, KW_ERR_CORRUPT, 0, 0);
}

/* Shows the record to the application; key, value and headers are in place. */
static inline const struct kw_consumed *records_show(struct kw_records *records,
                                                     const uint8_t *next, int64_t offset,
                                                     int64_t timestamp_delta)
{
    struct kw_consumed *out = &records->current;

    records->ptr = next;
    records->left--;
    records->from = offset + 1;
    out->offset = offset;
    out->timestamp_ms = (int64_t)((uint64_t)records->base_timestamp +
                                  (uint64_t)(timestamp_delta & records->delta_mask));
    return out;
}

static const struct kw_consumed *records_show_view(struct kw_records *records,
                                                   const struct kw_record_view *view,
                                                   const uint8_t *next, int64_t offset)
{
    struct kw_consumed *out = &records->current;

    out->key = (struct kw_bytes){view->key, view->key ? (size_t)view->key_len : 0};
    out->value = (struct kw_bytes){view->value, view->value ? (size_t)view->value_len : 0};
    out->headers = view->headers;
    out->headers_len = view->headers_len;
    return records_show(records, next, offset, view->timestamp_delta);
}

/* The same as kw_records_next, for all that is rare: the next batch, long
 * varints, records below the position, and malformed ones. */
static __attribute__((noinline)) const struct kw_consumed *records_next_slow(
    struct kw_records *records)
{
    struct kw_record_view view;

    for (;;) {
        const uint8_t *next;
        int64_t offset;
        if (records->left == 0 && !records_open(records))
            return NULL;
        next = kwi_record_get(records->ptr, records->end, &view);
        if (!next || view.offset_delta > records->last_delta) {
            records_broken(records);
            return NULL;
        }
        offset = records->base_offset + view.offset_delta;
        if (offset >= records->from)
            return records_show_view(records, &view, next, offset);
        records->ptr = next;
        records->left--;
        records->skipped++;
    }
}

const struct kw_consumed *kw_core_records_next(struct kw_records *records)
{
    struct kw_consumed *out = &records->current;
    struct kw_record_deltas deltas;
    const uint8_t *next;
    int64_t offset;

    if (KWI_UNLIKELY(records->left == 0))
        return records_next_slow(records);
    next = kwi_record_get_short(
        records->ptr, records->end, &deltas,
        (struct kw_record_body){&out->key, &out->value, &out->headers, &out->headers_len});
    if (KWI_UNLIKELY(!next || deltas.offset > records->last_delta))
        return records_next_slow(records);
    offset = records->base_offset + deltas.offset;
    if (KWI_UNLIKELY(offset < records->from))
        return records_next_slow(records);
    return records_show(records, next, offset, deltas.timestamp);
}

const char *kw_records_topic(const struct kw_records *records)
{
    return records->topic->meta->name;
}

int32_t kw_records_partition(const struct kw_records *records)
{
    return records->partition;
}

int64_t kw_records_fence(const struct kw_records *records)
{
    return records->fence;
}

void kwi_records_void(struct kw_consumer_part *part)
{
    struct kw_list *held = &part->topic->consumer->held;

    for (struct kw_node *n = held->first; n; n = n->next) {
        struct kw_records *records = KWI_OF(n, struct kw_records, node);
        if (records->topic != part->topic || records->partition != part->partition)
            continue;
        records->skipped += records->left;
        records->left = 0;
        records->next = records->range_end;
    }
}

/* ---- headers of a record ---------------------------------------------------------- */

void kw_headers_begin(struct kw_header_iter *it, const struct kw_consumed *consumed)
{
    struct kw_record_view view = {.headers = consumed->headers,
                                  .headers_len = consumed->headers_len};
    struct kw_record_headers walk = {0};

    *it = (struct kw_header_iter){0};
    if (consumed->headers_len == 0)
        return;
    if (kwi_record_headers_init(&walk, &view) < 0) {
        it->left = UINT32_MAX; /* the count is a lie: the first step says so */
        return;
    }
    *it = (struct kw_header_iter){walk.p, walk.end, (uint32_t)walk.left};
}

int kw_headers_next(struct kw_header_iter *it, struct kw_header *header)
{
    struct kw_record_headers walk = {.p = it->ptr, .end = it->end};
    struct kw_record_header_view view;
    int rc;

    if (it->left > INT32_MAX || !it->ptr)
        return it->left ? KW_ERR_CORRUPT : 0;
    walk.left = (int32_t)it->left;
    rc = kwi_record_headers_next(&walk, &view);
    if (rc != 1)
        return rc;
    *it = (struct kw_header_iter){walk.p, walk.end, (uint32_t)walk.left};
    header->key = (struct kw_bytes){view.key, (size_t)view.key_len};
    header->value.ptr = view.value_len < 0 ? NULL : view.value;
    header->value.len = view.value_len < 0 ? 0 : (size_t)view.value_len;
    return 1;
}

/* ---- making and releasing handles --------------------------------------------------- */

static struct kw_records *records_create(struct kw_consumer *consumer)
{
    struct kw_node *node = kwi_list_pop(&consumer->free_handles);
    struct kw_records *records;

    if (node) {
        consumer->n_free_handles--;
        records = KWI_OF(node, struct kw_records, node);
    } else {
        records = kwi_alloc(&consumer->core->control, sizeof(*records));
        if (!records)
            return NULL;
    }
    memset(records, 0, sizeof(*records));
    records->core = consumer->core;
    records->consumer = consumer;
    kwi_list_push(&consumer->held, &records->node);
    return records;
}

void kwi_records_recycle(struct kw_records *records)
{
    struct kw_consumer *consumer = records->consumer;

    if (consumer->n_free_handles < RECORDS_KEEP) {
        consumer->n_free_handles++;
        kwi_list_push_front(&consumer->free_handles, &records->node);
    } else {
        kwi_free(&consumer->core->control, records, sizeof(*records));
    }
}

void kw_core_records_release(struct kw_records *records, enum kw_done done)
{
    struct kw_consumer *consumer;
    struct kw_core *core;

    if (!records)
        return;
    consumer = records->consumer;
    core = consumer->core;
    core->stats.records_fetched += records->opened - records->left - records->skipped;
    kwi_list_remove(&consumer->held, &records->node);
    kwi_consumer_topic_put(records->topic);
    kwi_block_release(records->block);
    consumer->starved_told = false;
    if (records->part)
        kwi_stored_release(records, done);
    else
        kwi_records_recycle(records);
    kwi_group_watch_poll(consumer, false);
    kwi_consumer_released(consumer);
    kwi_fetchers_feed(core);
}

/* A piece of the prepared batch, which has more records than max. */
static void records_take_piece(struct kw_records *records, struct kw_consumer_part *part,
                               uint32_t max)
{
    records_open(records);
    records->ptr = part->data.record;
    records->left = max;
    records->opened = max;
    kwi_batch_advance(part, max);
    records->next = records->range_end;
}

/* The prepared batch and those behind it, as long as they are whole, fit max
 * and cost no more than the budget. Returns what the batch behind them is. */
static int records_take_batches(struct kw_records *records, struct kw_consumer_part *part,
                                size_t max, struct kw_batch_budget *budget)
{
    const uint8_t *first = part->data.record;
    uint32_t left = part->data.left;
    int rc;

    do {
        max -= part->data.left;
        kwi_batch_finish(part);
        records->range_end = part->data.ptr;
        rc = kwi_batch_prepare(part, budget);
    } while (rc == 1 && part->data.left <= max && part->data.block == records->block);
    /* The first batch may have been begun by an earlier handle. */
    records_open(records);
    records->ptr = first;
    records->left = left;
    records->opened = left;
    return rc;
}

/* Nothing whole is left of what was fetched: the next fetch may go out. */
static void records_exhausted(struct kw_consumer_part *part)
{
    bool stuck = part->position == part->data.began;

    kwi_part_drop(part);
    if (stuck && part->state == KWI_PART_FETCH) {
        kwi_part_step(part, KWI_PART_RETRY); /* batches, but none from the position on */
        return;
    }
    kwi_part_settle(part);
    kwi_part_check_eof(part);
}

/* 1: *out is set; 0: nothing is left, the part stopped, or it waits; or an error. */
static int records_take(struct kw_consumer_part *part, size_t max, struct kw_batch_budget *budget,
                        struct kw_records **out)
{
    struct kw_consumer *consumer = part->topic->consumer;
    struct kw_records *records;
    int rc = kwi_batch_prepare(part, budget);

    if (rc == KW_ERR_WOULD_BLOCK)
        return rc;
    if (rc < 0) {
        kwi_part_stop(part, rc, 0, part->data.detail);
        return 0;
    }
    if (rc == KWI_BATCH_WAITS)
        return 0;
    if (rc == 0) {
        records_exhausted(part);
        return 0;
    }
    records = records_create(consumer);
    if (!records)
        return KW_ERR_NOMEM;
    records->topic = part->topic;
    records->topic->refs++;
    records->partition = part->partition;
    records->generation = part->generation;
    records->block = part->data.block;
    kwi_block_hold(records->block);
    records->from = part->position;
    records->next = part->data.ptr;
    records->range_end = part->data.ptr + part->data.size;
    if (part->data.left > max)
        records_take_piece(records, part, (uint32_t)max);
    else if (records_take_batches(records, part, max, budget) == 0)
        records_exhausted(part);
    records->fence = consumer->keeper.member.epoch;
    if (consumer->keeper.group_id)
        kwi_stored_open(records, part);
    *out = records;
    return 1;
}

int kw_core_consumer_poll(struct kw_consumer *consumer, struct kw_records **out, size_t max)
{
    struct kw_batch_budget budget = {.checked = RECORDS_BUDGET, .passed = RECORDS_BUDGET};
    int rc = 0;

    *out = NULL;
    if (max == 0)
        max = (size_t)consumer->max_poll_records;
    if (!kwi_group_polls(consumer)) {
        kwi_group_watch_poll(consumer, true);
        return 0;
    }
    for (unsigned i = 0; rc == 0 && i < RECORDS_PARTS && !kwi_list_empty(&consumer->ready); i++) {
        struct kw_consumer_part *part = KWI_OF(consumer->ready.first, struct kw_consumer_part,
                                               ready_node);
        rc = records_take(part, max, &budget, out);
        /* What has more goes to the end, so that all parts get their turn; one
         * whose batch is half verified is gone on with first. */
        if (rc == 1 && kwi_list_has(&consumer->ready, &part->ready_node)) {
            kwi_list_remove(&consumer->ready, &part->ready_node);
            kwi_list_push(&consumer->ready, &part->ready_node);
        }
    }
    if (!kwi_list_empty(&consumer->ready))
        kwi_consumer_notify(consumer);
    kwi_group_watch_poll(consumer, true);
    return rc == KW_ERR_WOULD_BLOCK ? 0 : rc;
}
