/* client/stored.c -- which records were handled, and so what may be committed.
 *
 * Each handle is a span of its part. Handles are released in any order, and single
 * records are acknowledged in any order (kw_done); what is stored is the end of the
 * longest prefix of spans of which everything is done. A handle that was released
 * in front of its turn leaves its object behind as a remnant; neighbours melt, so
 * that there are no more of them than of open handles, plus two. One that was
 * released as not done ends the prefix until a seek begins a new one.
 *
 *     spans   done | done | open ...| done | open
 *                         ^ stored
 *
 * Polling stores nothing. Without a group nothing of this runs. */
#include <string.h>

#include "client/consumer.h"
#include "proto/batch.h"
#include "proto/record.h"
#include <kwire/kwire.h>

static struct kw_records *stored_span(struct kw_node *node)
{
    return KWI_OF(node, struct kw_records, span_node);
}

/* ---- the cursor of acknowledgements --------------------------------------------------- */

/* Opens the next batch with records for the application. false: there is none. */
static bool ack_open(struct kw_ack_cursor *ack)
{
    struct kw_batch_header header;

    while (ack->next < ack->range_end) {
        const uint8_t *p = ack->next;
        if (kwi_batch_header_get(p, (size_t)(ack->range_end - p), &header))
            return false;
        ack->next = p + kwi_batch_size(&header);
        if (header.record_count == 0 || header.attributes & KWI_BATCH_CONTROL)
            continue;
        ack->ptr = p + KWI_BATCH_HEADER;
        ack->end = ack->next;
        ack->left = (uint32_t)header.record_count;
        ack->base_offset = header.base_offset;
        return true;
    }
    return false;
}

/* The offset of the next record that is not acknowledged, with *next behind it;
 * ACK_END: all are; ACK_BROKEN: it cannot be read. */
enum { ACK_END = -1, ACK_BROKEN = -2 };

static int64_t ack_peek(struct kw_ack_cursor *ack, const uint8_t **next)
{
    struct kw_record_view view;

    for (;;) {
        if (ack->left == 0 && !ack_open(ack))
            return ACK_END;
        *next = kwi_record_get(ack->ptr, ack->end, &view);
        if (!*next)
            return ACK_BROKEN;
        if (ack->base_offset + view.offset_delta >= ack->floor)
            return ack->base_offset + view.offset_delta;
        ack->ptr = *next;
        ack->left--;
    }
}

/* Moves the cursor over everything that is acknowledged. */
static void ack_advance(struct kw_records *records)
{
    struct kw_ack_cursor *ack = &records->ack;
    uint32_t passed = 0;
    const uint8_t *next;
    int64_t offset;

    while ((offset = ack_peek(ack, &next)) >= 0 && passed < ack->n_acked) {
        if (ack->acked[passed].end <= offset) {
            passed++;
            continue;
        }
        if (ack->acked[passed].begin > offset)
            break;
        ack->ptr = next;
        ack->left--;
        ack->done = offset + 1;
    }
    if (offset == ACK_END && !records->broken) {
        ack->done = records->span_end;
        passed = ack->n_acked;
    }
    ack->n_acked -= passed;
    if (passed && ack->n_acked)
        memmove(ack->acked, ack->acked + passed, ack->n_acked * sizeof(*ack->acked));
}

static int ack_grow(struct kw_records *records)
{
    struct kw_ack_cursor *ack = &records->ack;
    uint32_t cap = ack->acked_cap ? ack->acked_cap * 2 : 8;
    struct kw_acked *grown;

    if (ack->n_acked < ack->acked_cap)
        return 0;
    grown = kwi_realloc(&records->core->control, ack->acked, ack->acked_cap * sizeof(*ack->acked),
                        cap * sizeof(*ack->acked));
    if (!grown)
        return KW_ERR_NOMEM;
    ack->acked = grown;
    ack->acked_cap = cap;
    return 0;
}

/* The first range that ends at the offset or behind it; n_acked: none does. */
static uint32_t ack_find(const struct kw_ack_cursor *ack, int64_t offset)
{
    uint32_t low = 0, high = ack->n_acked;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (ack->acked[mid].end < offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Whether range i has the offset now, because it had it or has grown. */
static bool ack_extend(struct kw_ack_cursor *ack, uint32_t i, int64_t offset)
{
    struct kw_acked *at = &ack->acked[i];

    if (at->begin == offset + 1)
        at->begin = offset;
    if (at->begin > offset)
        return false;
    if (offset < at->end)
        return true;
    at->end++;
    if (i + 1 < ack->n_acked && at[1].begin == at->end) {
        at->end = at[1].end;
        ack->n_acked--;
        memmove(at + 1, at + 2, (ack->n_acked - i - 1) * sizeof(*at));
    }
    return true;
}

/* Adds an offset to the set. One that is there already changes nothing. */
static int ack_add(struct kw_records *records, int64_t offset)
{
    struct kw_ack_cursor *ack = &records->ack;
    uint32_t low = ack_find(ack, offset);
    struct kw_acked *at;

    if (low < ack->n_acked && ack_extend(ack, low, offset))
        return 0;
    if (ack_grow(records))
        return KW_ERR_NOMEM;
    at = &ack->acked[low];
    memmove(at + 1, at, (ack->n_acked - low) * sizeof(*at));
    *at = (struct kw_acked){offset, offset + 1};
    ack->n_acked++;
    return 0;
}

static void ack_free(struct kw_records *records)
{
    struct kw_ack_cursor *ack = &records->ack;

    kwi_free(&records->core->control, ack->acked, ack->acked_cap * sizeof(*ack->acked));
    ack->acked = NULL;
    ack->n_acked = ack->acked_cap = 0;
}

/* ---- spans ------------------------------------------------------------------------------ */

static void stored_take_out(struct kw_consumer_part *part, struct kw_records *records)
{
    kwi_list_remove(&part->spans, &records->span_node);
    records->part = NULL;
    ack_free(records);
}

static bool stored_is_done(const struct kw_records *records)
{
    return records->ack.done == records->span_end ||
           (records->released && records->verdict == KW_DONE);
}

static void stored_set(struct kw_consumer_part *part, int64_t offset, int32_t leader_epoch)
{
    if (offset <= part->stored)
        return;
    part->stored = offset;
    part->stored_epoch = leader_epoch;
    kwi_commit_soon(part->topic->consumer);
}

/* Moves what is stored over the spans at the front that are done. */
static void stored_settle(struct kw_consumer_part *part)
{
    struct kw_node *next;

    for (struct kw_node *node = part->spans.first; node; node = next) {
        struct kw_records *head = stored_span(node);
        next = node->next;
        if (!stored_is_done(head)) {
            if (head->ack.done >= 0)
                stored_set(part, head->ack.done, head->span_epoch);
            return;
        }
        stored_set(part, head->span_end, head->span_epoch);
        if (!head->released)
            continue; /* every record was acknowledged; it is still being read */
        stored_take_out(part, head);
        kwi_records_recycle(head);
    }
}

/* Melts a remnant into the one in front of it. What follows one that was not done
 * does not count, whatever it is; a done one takes a done one in. */
static bool stored_melt(struct kw_consumer_part *part, struct kw_node *front, struct kw_node *back)
{
    struct kw_records *a = front ? stored_span(front) : NULL;
    struct kw_records *b = back ? stored_span(back) : NULL;

    if (!a || !b || !a->released || !b->released || (stored_is_done(a) && !stored_is_done(b)))
        return false;
    if (stored_is_done(a)) {
        a->span_end = b->span_end;
        a->span_epoch = b->span_epoch;
        a->verdict = KW_DONE;
        a->ack.done = -1;
    }
    stored_take_out(part, b);
    kwi_records_recycle(b);
    return true;
}

void kwi_stored_open(struct kw_records *records, struct kw_consumer_part *part)
{
    records->part = part;
    records->span_end = part->position;
    records->span_epoch = part->epoch;
    records->ack = (struct kw_ack_cursor){.ptr = records->ptr,
                                          .end = records->end,
                                          .next = records->next,
                                          .range_end = records->range_end,
                                          .base_offset = records->base_offset,
                                          .floor = records->from,
                                          .left = records->left,
                                          .done = -1};
    kwi_list_push(&part->spans, &records->span_node);
}

void kwi_stored_release(struct kw_records *records, enum kw_done done)
{
    struct kw_consumer_part *part = records->part;
    struct kw_node *front = records->span_node.prev, *back = records->span_node.next;

    records->released = true;
    records->verdict = (uint8_t)done;
    if (records->broken && done == KW_DONE) { /* done up to what could not be read */
        records->ack.done = records->from;
        records->verdict = KW_NOT_DONE;
    }
    ack_free(records); /* the bytes that the cursor reads are gone */
    (void)stored_melt(part, &records->span_node, back);
    (void)stored_melt(part, front, &records->span_node);
    stored_settle(part);
}

void kwi_stored_clear(struct kw_consumer_part *part)
{
    while (!kwi_list_empty(&part->spans)) {
        struct kw_records *records = stored_span(part->spans.first);
        stored_take_out(part, records);
        if (records->released)
            kwi_records_recycle(records);
    }
    part->stored = -1;
    part->stored_epoch = -1;
}

/* Behind the last record that was handled may lie what nobody is given: control batches,
 * offsets that compaction left no record of. */
static bool stored_is_passed(const struct kw_consumer_part *part)
{
    return part->stored >= 0 && kwi_list_empty(&part->spans) && part->position > part->stored;
}

int64_t kwi_stored_offset(const struct kw_consumer_part *part)
{
    return stored_is_passed(part) ? part->position : part->stored;
}

int32_t kwi_stored_epoch(const struct kw_consumer_part *part)
{
    return stored_is_passed(part) ? part->epoch : part->stored_epoch;
}

int kw_core_done(struct kw_records *records, const struct kw_consumed *consumed)
{
    struct kw_ack_cursor *ack;
    int rc;

    if (!records || !consumed || !records->consumer->keeper.group_id)
        return KW_ERR_USE;
    if (!records->part)
        return KW_ERR_STATE;
    ack = &records->ack;
    if (consumed->offset < ack->floor || consumed->offset >= records->from)
        return KW_ERR_USE; /* not of this handle, or not yet shown */
    if (consumed->offset < ack->done)
        return 0;
    rc = ack_add(records, consumed->offset);
    if (rc)
        return rc;
    ack_advance(records);
    stored_settle(records->part);
    return 0;
}
