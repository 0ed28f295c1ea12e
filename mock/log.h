/* mock/log.h -- the log of one partition of the broker model, in memory.
 *
 * Batches are kept as they came, byte for byte, except for what a broker
 * rewrites (base offset, leader epoch, and with log-append-time the maximum
 * timestamp). They lie in blocks that grow from 4 KiB to 1 MiB, so that an
 * append copies a batch once and never moves the others; an index of one entry
 * per batch makes every look-up a binary search. Checking a batch before it is
 * appended is not done here (mock/produce.c). */
#ifndef KWI_MOCK_LOG_H
#define KWI_MOCK_LOG_H
#include "base/alloc.h"
#include "base/crc32c.h"

struct kw_mock_block {
    size_t cap, used;
    uint32_t n_live; /* entries that still point into it */
    uint8_t bytes[];
};

struct kw_mock_entry {
    int64_t base_offset, last_offset;
    int64_t timestamp_max;        /* of the batch */
    int64_t timestamp_prefix_max; /* of this batch and all before it */
    struct kw_mock_block *block;
    uint8_t *ptr;
    uint32_t len;
    int32_t leader_epoch;
};

struct kw_mock_log {
    struct kw_heap *heap;
    struct kw_mock_entry *entries; /* [first, n) are live */
    uint32_t first, n, cap;
    struct kw_mock_block *tail; /* the block that appends go to */
    size_t block_size;          /* of the next block */
    uint64_t size;              /* bytes of all live batches */
    uint64_t retention_size;    /* above it the oldest go; 0: keep all */
    int64_t start_offset, end_offset, high_watermark;
};

void kwi_mock_log_init(struct kw_mock_log *log, struct kw_heap *heap, uint64_t retention_size);
void kwi_mock_log_deinit(struct kw_mock_log *log);
/* Appends one whole batch of the v2 format, whose header the caller checked.
 * append_time_ms >= 0 stamps it with log-append-time (crc32c is used only
 * then). Leaves the high watermark alone. Errors: KW_ERR_NOMEM, log unchanged. */
KW_MUST_USE int kwi_mock_log_append(struct kw_mock_log *log, const uint8_t *batch, uint32_t len,
                                    int32_t leader_epoch, int64_t append_time_ms,
                                    kwi_crc32c_fn *crc32c);
/* Drops batches from the front until the size is at most retention_size; the
 * last batch always stays. */
void kwi_mock_log_retain(struct kw_mock_log *log);
/* Drops the batches at and behind `offset` (a batch boundary or the end). */
void kwi_mock_log_truncate(struct kw_mock_log *log, int64_t offset);
/* Index of the first batch that ends at or behind `offset`; log->n if none. */
uint32_t kwi_mock_log_find(const struct kw_mock_log *log, int64_t offset);
/* Index of the first batch with a timestamp >= timestamp; log->n if none. */
uint32_t kwi_mock_log_find_time(const struct kw_mock_log *log, int64_t timestamp);
/* The largest epoch <= `epoch` that the log holds (-1 if none), and where it
 * ends: the first offset of the next epoch, or the log's end. */
int32_t kwi_mock_log_epoch_end(const struct kw_mock_log *log, int32_t epoch, int64_t *end_offset);

#endif
