/* mock/aborted.h -- what a partition knows of transactions: which are open, and which
 * were aborted. It follows from the batches and markers in the log; who writes those is
 * another matter (mock.h: kwi_mock_append, kwi_mock_end_txn). */
#ifndef KWI_MOCK_ABORTED_H
#define KWI_MOCK_ABORTED_H
#include "mock/log.h"
#include "proto/schema.h"

struct kw_mock_txn {
    int64_t producer_id, first_offset;
    int64_t last_offset; /* of the marker; -1: open */
};
struct kw_mock_txns {
    struct kw_mock_txn *list; /* open or aborted; those that are over as they ended */
    uint32_t n, cap;
};

/* Room for one more, before a batch is appended. Errors: KW_ERR_NOMEM. */
KW_MUST_USE int kwi_mock_txns_reserve(struct kw_mock_txns *txns, struct kw_heap *heap);
/* A batch was appended: begins a transaction, or ends one. */
void kwi_mock_txns_note(struct kw_mock_txns *txns, const struct kw_mock_entry *entry);
/* Learns it all from the log again, after it was cut. There is room: it had been
 * learned from a longer one. */
void kwi_mock_txns_rebuild(struct kw_mock_txns *txns, const struct kw_mock_log *log);
void kwi_mock_txns_deinit(struct kw_mock_txns *txns, struct kw_heap *heap);
/* The last stable offset. */
int64_t kwi_mock_txns_stable(const struct kw_mock_txns *txns, const struct kw_mock_log *log);

struct kw_mock_call;
/* The aborted ones that have something in [from, to), as an answer lists them. */
KW_MUST_USE int kwi_mock_txns_answer(struct kw_mock_call *call, const struct kw_mock_txns *txns,
                                     int64_t from, int64_t to, struct kw_arr *out);

#endif
