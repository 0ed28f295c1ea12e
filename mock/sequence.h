/* mock/sequence.h -- what a partition remembers of each idempotent producer:
 * its epoch and its last five batches, and the verdict on the next one.
 *
 * The rules are those of a real broker since 1.0:
 *
 *   producer unknown                      append, whatever the sequence
 *   epoch older than the known one        INVALID_PRODUCER_EPOCH
 *   epoch newer, or nothing of it known:
 *     first sequence 0                    append
 *     first sequence not 0                OUT_OF_ORDER_SEQUENCE_NUMBER
 *   equals one of the last five batches   duplicate: its old offset, no error
 *   follows the last batch                append (0 follows INT32_MAX)
 *   anything else                         OUT_OF_ORDER_SEQUENCE_NUMBER
 *
 * DUPLICATE_SEQUENCE_NUMBER is never answered: a duplicate that fell out of
 * the window cannot be told from a gap. */
#ifndef KWI_MOCK_SEQUENCE_H
#define KWI_MOCK_SEQUENCE_H
#include "base/map.h"

enum { KWI_MOCK_SEQUENCE_WINDOW = 5 };

/* The part of a batch header that matters here. */
struct kw_mock_sequence {
    int64_t producer_id;
    int16_t epoch;
    int32_t first, last; /* sequence numbers */
};

struct kw_mock_producer {
    int64_t producer_id;
    int16_t epoch;
    uint8_t n_batches;
    struct {
        int32_t first, last;
        int64_t base_offset;
    } batches[KWI_MOCK_SEQUENCE_WINDOW]; /* oldest first */
};

enum kw_mock_verdict {
    KWI_MOCK_APPEND,
    KWI_MOCK_DUPLICATE,
    KWI_MOCK_OUT_OF_ORDER,
    KWI_MOCK_OLD_EPOCH
};

/* The sequence that lies n behind `sequence`; INT32_MAX is followed by 0. */
int32_t kwi_mock_sequence_add(int32_t sequence, int32_t n);
/* producer may be NULL (unknown). On DUPLICATE *base_offset is the old one. */
enum kw_mock_verdict kwi_mock_sequence_check(const struct kw_mock_producer *producer,
                                             const struct kw_mock_sequence *batch,
                                             int64_t *base_offset);
/* Finds or makes the producer's state in a partition's table.
 * Errors: KW_ERR_NOMEM. Taken before the append, so that an append that
 * happened is always remembered; a fresh state has n_batches 0. */
KW_MUST_USE int kwi_mock_sequence_open(struct kw_map *producers, int64_t producer_id,
                                       struct kw_mock_producer **producer);
/* Remembers an appended batch. */
void kwi_mock_sequence_commit(struct kw_mock_producer *producer,
                              const struct kw_mock_sequence *batch, int64_t base_offset);
/* A marker of this epoch was written: older ones are refused, and the first batch under
 * a newer one begins at 0. */
void kwi_mock_sequence_fence(struct kw_mock_producer *producer, int16_t epoch);
/* Frees all states; the table stays usable. */
void kwi_mock_sequence_clear(struct kw_map *producers);

#endif
