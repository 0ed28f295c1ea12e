/* client/aborted.h -- the transactions that an answer to a Fetch calls aborted, for
 * consumers that read what is committed (KIP-98).
 *
 * The list stays where the answer has it, in the frame that its records hold anyway:
 * it is squeezed to entries of 16 bytes and sorted by producer and first offset. So it
 * costs no memory however long a broker makes it, and it goes with the records. */
#ifndef KWI_ABORTED_H
#define KWI_ABORTED_H
#include "proto/schema.h"

struct kw_aborted {
    uint8_t *entries; /* borrowed from the frame */
    uint32_t n;       /* 0: nothing of the answer is aborted */
    uint32_t n_steps; /* of the sort, that are left */
};

/* Takes the list of an answer over. at: the list's own bytes, in memory that may be
 * changed and lives as long as *aborted is used. */
void kwi_aborted_take(struct kw_aborted *aborted, uint8_t *at, const struct kw_arr *list);
/* Sorts, about *budget bytes' worth (law 4). KW_ERR_WOULD_BLOCK: more is left; else 1. */
KW_MUST_USE int kwi_aborted_sort(struct kw_aborted *aborted, size_t *budget);
/* Whether a batch of the producer that ends at last_offset is of an aborted transaction.
 * Markers in front of it were told. */
bool kwi_aborted_covers(const struct kw_aborted *aborted, int64_t producer_id, int64_t last_offset);
/* A control batch at this offset ends the producer's transaction. type: as of
 * kwi_control_type. KW_ERR_CORRUPT: it commits what the answer calls aborted. */
KW_MUST_USE int kwi_aborted_marker(struct kw_aborted *aborted, int64_t producer_id, int type,
                                   int64_t offset);

#endif
