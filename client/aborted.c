/* client/aborted.c -- which batches of an answer are of aborted transactions.
 *
 * A producer has one transaction at a time. So a batch is of an aborted one if the
 * last entry of its producer that begins at or in front of it was not ended by a
 * marker in between: there is no set of open transactions to be kept, only a bit in
 * the entry that was ended. Which entries there are, in which order and whether a
 * marker ever comes is up to the broker; none of it costs more than one search.
 *
 * The list is sorted here: brokers tell of transactions in the order in which they
 * ended, and some in none. */
#include "client/aborted.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "proto/batch.h"
#include "proto/fetch.h"

enum {
    ABORTED_ENTRY = 16,    /* producer id, first offset */
    ABORTED_OFFSET = 8,    /* where in an entry the offset lies */
    ABORTED_STEP_COST = 64 /* bytes of budget that one step of the sort counts as */
};

#define ABORTED_ENDED ((uint64_t)1 << 63) /* in the offset: a marker ended it */

static uint64_t aborted_producer(const uint8_t *entry)
{
    return kwi_get_u64(entry);
}

static uint64_t aborted_first(const uint8_t *entry)
{
    return kwi_get_u64(entry + ABORTED_OFFSET) & ~ABORTED_ENDED;
}

static bool aborted_less(const uint8_t *a, const uint8_t *b)
{
    uint64_t left = aborted_producer(a), right = aborted_producer(b);

    return left < right || (left == right && aborted_first(a) < aborted_first(b));
}

void kwi_aborted_take(struct kw_aborted *aborted, uint8_t *at, const struct kw_arr *list)
{
    struct kw_fetch_aborted_transaction item;
    struct kw_iter it;
    bool sorted = true;
    uint8_t *out = at;

    *aborted = (struct kw_aborted){.entries = at};
    if (list->n <= 0)
        return;
    /* An element takes 16 bytes at least: what is written was read before. */
    for (kwi_iter_init(&it, list); kwi_iter_next(&it, &item);) {
        if (item.producer_id < 0 || item.first_offset < 0)
            continue; /* nobody's */
        kwi_put_u64(out, (uint64_t)item.producer_id);
        kwi_put_u64(out + ABORTED_OFFSET, (uint64_t)item.first_offset);
        sorted = sorted && (out == at || !aborted_less(out, out - ABORTED_ENTRY));
        out += ABORTED_ENTRY;
        aborted->n++;
    }
    if (!sorted)
        aborted->n_steps = aborted->n / 2 + aborted->n - 1;
}

/* ---- sorting ------------------------------------------------------------------------ */

static void aborted_sift(uint8_t *entries, size_t n, size_t at)
{
    uint8_t entry[ABORTED_ENTRY];

    memcpy(entry, entries + at * ABORTED_ENTRY, ABORTED_ENTRY);
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        const uint8_t *p = entries + child * ABORTED_ENTRY;
        if (child + 1 < n && aborted_less(p, p + ABORTED_ENTRY)) {
            child++;
            p += ABORTED_ENTRY;
        }
        if (!aborted_less(entry, p))
            break;
        memcpy(entries + at * ABORTED_ENTRY, p, ABORTED_ENTRY);
    }
    memcpy(entries + at * ABORTED_ENTRY, entry, ABORTED_ENTRY);
}

/* Heap sort: the first n / 2 steps make the heap, each of the others takes the largest
 * out of it. */
static void aborted_step(struct kw_aborted *aborted)
{
    uint8_t *entries = aborted->entries, *last, top[ABORTED_ENTRY];
    uint32_t n = aborted->n, left = aborted->n_steps--;

    if (left >= n) {
        aborted_sift(entries, n, left - n);
        return;
    }
    last = entries + (size_t)left * ABORTED_ENTRY;
    memcpy(top, entries, ABORTED_ENTRY);
    memcpy(entries, last, ABORTED_ENTRY);
    memcpy(last, top, ABORTED_ENTRY);
    aborted_sift(entries, left, 0);
}

int kwi_aborted_sort(struct kw_aborted *aborted, size_t *budget)
{
    for (; aborted->n_steps; *budget -= ABORTED_STEP_COST) {
        if (*budget < ABORTED_STEP_COST)
            return KW_ERR_WOULD_BLOCK;
        aborted_step(aborted);
    }
    return 1;
}

/* ---- asking ------------------------------------------------------------------------- */

/* The last entry of the producer that begins at or in front of the offset, or NULL. */
static uint8_t *aborted_find(const struct kw_aborted *aborted, int64_t producer_id, int64_t offset)
{
    uint64_t producer = (uint64_t)producer_id;
    size_t low = 0, high = aborted->n;
    uint8_t *entry;

    KWI_ASSERT(!aborted->n_steps);
    if (producer_id < 0 || offset < 0)
        return NULL;
    while (low < high) { /* the first that stands behind it */
        size_t mid = low + (high - low) / 2;
        entry = aborted->entries + mid * ABORTED_ENTRY;
        if (aborted_producer(entry) < producer ||
            (aborted_producer(entry) == producer && aborted_first(entry) <= (uint64_t)offset))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return NULL;
    entry = aborted->entries + (low - 1) * ABORTED_ENTRY;
    return aborted_producer(entry) == producer ? entry : NULL;
}

static bool aborted_is_open(const uint8_t *entry)
{
    return entry && !(kwi_get_u64(entry + ABORTED_OFFSET) & ABORTED_ENDED);
}

bool kwi_aborted_covers(const struct kw_aborted *aborted, int64_t producer_id, int64_t last_offset)
{
    return aborted_is_open(aborted_find(aborted, producer_id, last_offset));
}

int kwi_aborted_marker(struct kw_aborted *aborted, int64_t producer_id, int type, int64_t offset)
{
    uint8_t *entry = aborted_find(aborted, producer_id, offset);

    /* Abort markers of transactions without data here are normal. */
    if (!aborted_is_open(entry) || (type != KWI_CONTROL_ABORT && type != KWI_CONTROL_COMMIT))
        return 0;
    if (type == KWI_CONTROL_COMMIT)
        return KW_ERR_CORRUPT;
    kwi_put_u64(entry + ABORTED_OFFSET, aborted_first(entry) | ABORTED_ENDED);
    return 0;
}
