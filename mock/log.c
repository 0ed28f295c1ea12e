/* mock/log.c -- the log of one partition: blocks of bytes and an index of
 * batches. It does not check what it stores and knows nothing of requests. */
#include "mock/log.h"
#include "base/assert.h"
#include "base/bytes.h"

enum {
    MOCKLOG_BLOCK_MIN = 4096,
    MOCKLOG_BLOCK_MAX = 1 << 20,
    /* offsets in a batch of the v2 format */
    MOCKLOG_AT_LEADER_EPOCH = 12,
    MOCKLOG_AT_CRC = 17,
    MOCKLOG_AT_ATTRIBUTES = 21,
    MOCKLOG_AT_LAST_OFFSET_DELTA = 23,
    MOCKLOG_AT_MAX_TIMESTAMP = 35,
    MOCKLOG_ATTRIBUTE_APPEND_TIME = 8
};

void kwi_mock_log_init(struct kw_mock_log *log, struct kw_heap *heap, uint64_t retention_size)
{
    memset(log, 0, sizeof(*log));
    log->heap = heap;
    log->retention_size = retention_size;
    log->block_size = MOCKLOG_BLOCK_MIN;
}

static void mocklog_block_free(struct kw_mock_log *log, struct kw_mock_block *block)
{
    if (block)
        kwi_free(log->heap, block, sizeof(*block) + block->cap);
}

/* A block lives while a batch is in it or while it is the tail. */
static void mocklog_entry_drop(struct kw_mock_log *log, struct kw_mock_entry *entry)
{
    log->size -= entry->len;
    if (--entry->block->n_live == 0 && entry->block != log->tail)
        mocklog_block_free(log, entry->block);
}

void kwi_mock_log_deinit(struct kw_mock_log *log)
{
    if (!log->heap)
        return;
    for (uint32_t i = log->first; i < log->n; i++)
        mocklog_entry_drop(log, &log->entries[i]);
    mocklog_block_free(log, log->tail);
    kwi_free(log->heap, log->entries, log->cap * sizeof(*log->entries));
    memset(log, 0, sizeof(*log));
}

/* Makes room for one more index entry: first by closing the gap that dropped
 * batches left when that is at least half, else by doubling. */
static int mocklog_reserve_entry(struct kw_mock_log *log)
{
    uint32_t cap = log->cap ? log->cap * 2 : 16;
    struct kw_mock_entry *grown;
    if (log->n < log->cap)
        return 0;
    if (log->first > 0 && log->first >= log->n / 2) {
        memmove(log->entries, log->entries + log->first,
                (log->n - log->first) * sizeof(*log->entries));
        log->n -= log->first;
        log->first = 0;
        return 0;
    }
    if (cap > UINT32_MAX / 2)
        return KW_ERR_NOMEM;
    grown = kwi_realloc(log->heap, log->entries, log->cap * sizeof(*grown), cap * sizeof(*grown));
    if (!grown)
        return KW_ERR_NOMEM;
    log->entries = grown;
    log->cap = cap;
    return 0;
}

/* Makes the tail a block with room for len bytes. */
static int mocklog_reserve_bytes(struct kw_mock_log *log, uint32_t len)
{
    struct kw_mock_block *block = log->tail;
    size_t cap = log->block_size > len ? log->block_size : len;
    if (block && block->cap - block->used >= len)
        return 0;
    block = kwi_alloc(log->heap, sizeof(*block) + cap);
    if (!block)
        return KW_ERR_NOMEM;
    block->cap = cap;
    block->used = 0;
    block->n_live = 0;
    if (log->tail && log->tail->n_live == 0)
        mocklog_block_free(log, log->tail);
    log->tail = block;
    if (log->block_size < MOCKLOG_BLOCK_MAX)
        log->block_size *= 2;
    return 0;
}

/* What the broker writes into a stored batch. Base offset and leader epoch lie
 * before the CRC's range; a log-append-time stamp lies inside it. */
static void mocklog_stamp(struct kw_mock_log *log, uint8_t *ptr, uint32_t len, int32_t leader_epoch,
                          int64_t append_time_ms, kwi_crc32c_fn *crc32c)
{
    kwi_put_u64(ptr, (uint64_t)log->end_offset);
    kwi_put_u32(ptr + MOCKLOG_AT_LEADER_EPOCH, (uint32_t)leader_epoch);
    if (append_time_ms < 0)
        return;
    ptr[MOCKLOG_AT_ATTRIBUTES + 1] |= MOCKLOG_ATTRIBUTE_APPEND_TIME;
    kwi_put_u64(ptr + MOCKLOG_AT_MAX_TIMESTAMP, (uint64_t)append_time_ms);
    kwi_put_u32(ptr + MOCKLOG_AT_CRC,
                crc32c(0, ptr + MOCKLOG_AT_ATTRIBUTES, len - MOCKLOG_AT_ATTRIBUTES));
}

int kwi_mock_log_append(struct kw_mock_log *log, const uint8_t *batch, uint32_t len,
                        int32_t leader_epoch, int64_t append_time_ms, kwi_crc32c_fn *crc32c)
{
    struct kw_mock_entry *entry;
    uint8_t *ptr;
    if (mocklog_reserve_entry(log) || mocklog_reserve_bytes(log, len))
        return KW_ERR_NOMEM;
    ptr = log->tail->bytes + log->tail->used;
    memcpy(ptr, batch, len);
    mocklog_stamp(log, ptr, len, leader_epoch, append_time_ms, crc32c);
    log->tail->used += len;
    log->tail->n_live++;

    entry = &log->entries[log->n++];
    entry->block = log->tail;
    entry->ptr = ptr;
    entry->len = len;
    entry->leader_epoch = leader_epoch;
    entry->base_offset = log->end_offset;
    entry->last_offset = log->end_offset + (int32_t)kwi_get_u32(ptr + MOCKLOG_AT_LAST_OFFSET_DELTA);
    entry->timestamp_max = (int64_t)kwi_get_u64(ptr + MOCKLOG_AT_MAX_TIMESTAMP);
    entry->timestamp_prefix_max = entry->timestamp_max;
    if (log->n - log->first > 1 && entry[-1].timestamp_prefix_max > entry->timestamp_max)
        entry->timestamp_prefix_max = entry[-1].timestamp_prefix_max;
    log->size += len;
    log->end_offset = entry->last_offset + 1;
    return 0;
}

void kwi_mock_log_retain(struct kw_mock_log *log)
{
    if (!log->retention_size)
        return;
    while (log->size > log->retention_size && log->n - log->first > 1) {
        /* Only what every replica has may go, as on a real broker. */
        if (log->entries[log->first].last_offset >= log->high_watermark)
            return;
        mocklog_entry_drop(log, &log->entries[log->first]);
        log->first++;
        log->start_offset = log->entries[log->first].base_offset;
    }
}

void kwi_mock_log_truncate(struct kw_mock_log *log, int64_t offset)
{
    while (log->n > log->first && log->entries[log->n - 1].base_offset >= offset) {
        struct kw_mock_entry *entry = &log->entries[--log->n];
        log->end_offset = entry->base_offset;
        if (entry->block == log->tail)
            log->tail->used = (size_t)(entry->ptr - log->tail->bytes);
        mocklog_entry_drop(log, entry);
    }
    if (log->high_watermark > log->end_offset)
        log->high_watermark = log->end_offset;
}

uint32_t kwi_mock_log_find(const struct kw_mock_log *log, int64_t offset)
{
    uint32_t low = log->first, high = log->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (log->entries[middle].last_offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t kwi_mock_log_find_time(const struct kw_mock_log *log, int64_t timestamp)
{
    uint32_t low = log->first, high = log->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (log->entries[middle].timestamp_prefix_max < timestamp)
            low = middle + 1;
        else
            high = middle;
    }
    /* The running maximum may come from a batch that retention dropped. */
    while (low < log->n && log->entries[low].timestamp_max < timestamp)
        low++;
    return low;
}

int32_t kwi_mock_log_epoch_end(const struct kw_mock_log *log, int32_t epoch, int64_t *end_offset)
{
    uint32_t low = log->first, high = log->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (log->entries[middle].leader_epoch <= epoch)
            low = middle + 1;
        else
            high = middle;
    }
    *end_offset = low < log->n ? log->entries[low].base_offset : log->end_offset;
    return low > log->first ? log->entries[low - 1].leader_epoch : -1;
}
