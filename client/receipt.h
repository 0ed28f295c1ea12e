/* client/receipt.h -- receipts, and the runs of a batch that belong to them.
 * See receipt.c. */
#ifndef KWI_RECEIPT_H
#define KWI_RECEIPT_H
#include "client/producer.h"

struct kw_receipt {
    struct kw_core *core; /* first: kw_core_of */
    struct kw_producer *producer;
    struct kw_node node; /* in producer->receipts */
    struct kw_evnode event;
    void *tag;
    uint64_t n_open; /* records without an outcome */
    struct kw_receipt_result result;
    bool closed; /* no more records come */
};

/* The first of the batch's runs, in the order of its records; NULL: none. A run
 * may have no record. */
static inline struct kw_run *kwi_batch_runs(struct kw_batch *batch)
{
    return batch->last_run ? &batch->run : NULL;
}

/* Makes sure that record `index`, the open batch's next, can be counted without
 * memory. KW_ERR_WOULD_BLOCK: the reserve is full; KW_ERR_NOMEM. */
KW_MUST_USE int kwi_receipt_prepare(struct kw_receipt *receipt, struct kw_batch *batch,
                                    uint32_t index);
/* The record was appended. */
void kwi_receipt_count(struct kw_batch *batch);
/* Moves the runs of records from index n_first on to the second half, which has none yet.
 * KW_ERR_WOULD_BLOCK, KW_ERR_NOMEM: then all are where they were. */
KW_MUST_USE int kwi_receipts_split(struct kw_batch *batch, struct kw_batch *second,
                                   uint32_t n_first);
/* The batch has its outcome: its receipts learn of it ... */
void kwi_receipts_settle(struct kw_batch *batch);
/* ... and, once its reports are queued, end if it was the last of theirs. */
void kwi_receipts_check(struct kw_batch *batch);
void kwi_batch_free_runs(struct kw_batch *batch);
void kwi_receipts_deinit(struct kw_producer *producer);

#endif
