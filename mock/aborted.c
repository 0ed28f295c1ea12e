/* mock/aborted.c -- see aborted.h. The order in which aborted transactions are told is
 * that of Kafka's index: as they ended, not as they began. */
#include <string.h>

#include "base/assert.h"
#include "mock/call.h"
#include "proto/batch.h"
#include "proto/fetch.h"
#include "proto/record.h"

enum { MOCKTXN_MARKER_MAX = 128 };

/* ---- what the log says ------------------------------------------------------------------ */

int kwi_mock_txns_reserve(struct kw_mock_txns *txns, struct kw_heap *heap)
{
    uint32_t cap = txns->cap ? txns->cap * 2 : 8;
    struct kw_mock_txn *grown;
    if (txns->n < txns->cap)
        return 0;
    grown = kwi_realloc(heap, txns->list, txns->cap * sizeof(*grown), cap * sizeof(*grown));
    if (!grown)
        return KW_ERR_NOMEM;
    txns->list = grown;
    txns->cap = cap;
    return 0;
}

void kwi_mock_txns_deinit(struct kw_mock_txns *txns, struct kw_heap *heap)
{
    kwi_free(heap, txns->list, txns->cap * sizeof(*txns->list));
    memset(txns, 0, sizeof(*txns));
}

static void mocktxn_remove(struct kw_mock_txns *txns, uint32_t at)
{
    txns->n--;
    memmove(txns->list + at, txns->list + at + 1, (txns->n - at) * sizeof(*txns->list));
}

/* The type of the control batch at p, or KW_ERR_CORRUPT. */
static int mocktxn_type(const struct kw_mock_entry *entry)
{
    struct kw_record_view view;
    if (!kwi_record_get(entry->ptr + KWI_BATCH_HEADER, entry->ptr + entry->len, &view))
        return KW_ERR_CORRUPT;
    return kwi_control_type(view.key, view.key ? view.key_len : 0);
}

void kwi_mock_txns_note(struct kw_mock_txns *txns, const struct kw_mock_entry *entry)
{
    struct kw_batch_header header;
    uint32_t i = 0;
    if (kwi_batch_header_get(entry->ptr, entry->len, &header) || header.producer_id < 0 ||
        !(header.attributes & (KWI_BATCH_TRANSACTIONAL | KWI_BATCH_CONTROL)))
        return;
    while (i < txns->n &&
           (txns->list[i].producer_id != header.producer_id || txns->list[i].last_offset >= 0))
        i++;
    if (!(header.attributes & KWI_BATCH_CONTROL)) {
        if (i < txns->n)
            return; /* it goes on */
        KWI_ASSERT(txns->n < txns->cap);
        txns->list[txns->n++] = (struct kw_mock_txn){header.producer_id, entry->base_offset, -1};
        return;
    }
    if (i < txns->n) {
        struct kw_mock_txn txn = txns->list[i];
        mocktxn_remove(txns, i);
        txn.last_offset = entry->last_offset;
        if (mocktxn_type(entry) != KWI_CONTROL_COMMIT)
            txns->list[txns->n++] = txn;
    }
}

void kwi_mock_txns_rebuild(struct kw_mock_txns *txns, const struct kw_mock_log *log)
{
    if (!txns->cap)
        return;
    txns->n = 0;
    for (uint32_t i = log->first; i < log->n; i++)
        kwi_mock_txns_note(txns, &log->entries[i]);
}

int64_t kwi_mock_txns_stable(const struct kw_mock_txns *txns, const struct kw_mock_log *log)
{
    int64_t stable = log->high_watermark;
    for (uint32_t i = 0; i < txns->n; i++) {
        if (txns->list[i].last_offset < 0 && txns->list[i].first_offset < stable)
            stable = txns->list[i].first_offset;
    }
    return stable;
}

int kwi_mock_txns_answer(struct kw_mock_call *call, const struct kw_mock_txns *txns, int64_t from,
                         int64_t to, struct kw_arr *out)
{
    struct kw_fetch_aborted_transaction *items;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, txns->n, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < txns->n; i++) {
        const struct kw_mock_txn *txn = &txns->list[i];
        if (txn->last_offset < from || txn->first_offset >= to)
            continue;
        kwi_fetch_aborted_transaction_init(&items[n]);
        items[n].producer_id = txn->producer_id;
        items[n++].first_offset = txn->first_offset;
    }
    *out = KWI_ARR(items, n);
    return 0;
}

/* ---- for tests -------------------------------------------------------------------------- */

static struct kw_mock_partition *mocktxn_partition(const struct kw_mock *mock, const char *topic,
                                                   int32_t partition)
{
    return kwi_mock_topic_partition(kwi_mock_topic_find(mock, topic, strlen(topic)), partition);
}

int kwi_mock_append(struct kw_mock *mock, const char *topic, int32_t partition, const void *batch,
                    size_t len)
{
    struct kw_mock_partition *target = mocktxn_partition(mock, topic, partition);
    struct kw_mock_log *log = target ? &target->log : NULL;
    struct kw_batch_header header;
    if (!log || len > INT32_MAX || kwi_batch_header_get(batch, len, &header) ||
        kwi_batch_size(&header) != len)
        return KW_ERR_USE;
    if (kwi_mock_txns_reserve(&target->txns, &mock->heap) ||
        kwi_mock_log_append(log, batch, (uint32_t)len, target->leader_epoch, -1, mock->crc32c))
        return KW_ERR_NOMEM;
    kwi_mock_txns_note(&target->txns, &log->entries[log->n - 1]);
    kwi_mock_partition_appended(target, true);
    return 0;
}

int kwi_mock_end_txn(struct kw_mock *mock, const char *topic, int32_t partition,
                     int64_t producer_id, int16_t producer_epoch, bool commit)
{
    static const uint8_t value[] = {0, 0, 0, 0, 0, 0}; /* version, coordinator epoch */
    uint8_t marker[MOCKTXN_MARKER_MAX];
    uint8_t key[] = {0, 0, 0, commit ? KWI_CONTROL_COMMIT : KWI_CONTROL_ABORT};
    struct kw_batch_header header;
    struct kw_wr wr = kwi_wr_make(marker, sizeof(marker));
    size_t len;
    (void)kwi_wr_room(&wr, KWI_BATCH_HEADER);
    kwi_record_put(&wr, 0, 0, (struct kw_bytes){key, sizeof(key)},
                   (struct kw_bytes){value, sizeof(value)}, NULL, 0);
    len = wr.len;
    kwi_batch_header_init(&header);
    header.attributes = KWI_BATCH_TRANSACTIONAL | KWI_BATCH_CONTROL;
    header.base_timestamp = header.max_timestamp = mock->now.wall_ms;
    header.producer_id = producer_id;
    header.producer_epoch = producer_epoch;
    header.record_count = 1;
    kwi_batch_header_put(marker, &header);
    kwi_batch_seal(marker, len, mock->crc32c);
    return kwi_mock_append(mock, topic, partition, marker, len);
}
