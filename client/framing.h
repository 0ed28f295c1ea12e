/* client/framing.h -- walks the lengths of records, or of messages of formats 0
 * and 1, in bytes that are still being decompressed.
 *
 * What a batch becomes cannot be told from its compressed bytes alone, but its
 * first plain bytes already say much: each record begins with its length, and
 * the header with how many there are. So nonsense, bytes that no record claims,
 * and records that lead beyond the maximum are seen as soon as the first of them
 * is there, and the rest is never made. */
#ifndef KWI_FRAMING_H
#define KWI_FRAMING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kw_framing {
    size_t at;     /* where the next record begins; may lie ahead of what there is */
    size_t max;    /* of all bytes */
    uint32_t left; /* records whose length was not read yet; not of messages */
    bool is_old;   /* messages of formats 0 and 1, without a count */
};

/* For bytes that must not become more than max. count: the records that the
 * batch's header tells of; not used for messages. 0, or KW_ERR_BOMB: so many
 * records take more. */
int kwi_framing_begin(struct kw_framing *framing, bool is_old, uint32_t count, size_t max);

/* len bytes are at p now; those before the last call's are unchanged. 0, so far;
 * KW_ERR_CORRUPT: no record is like this, or bytes follow the last one;
 * KW_ERR_BOMB: a record ends beyond max. */
int kwi_framing_walk(struct kw_framing *framing, const uint8_t *p, size_t len);

/* len bytes are all there is. 0, or KW_ERR_CORRUPT: they end inside a record, or
 * records are missing. */
int kwi_framing_end(const struct kw_framing *framing, size_t len);

#endif
