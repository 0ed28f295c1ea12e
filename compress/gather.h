/* compress/gather.h -- a cursor over a chain of pieces, for encoders that want
 * blocks of a fixed size in one piece. */
#ifndef KWI_GATHER_H
#define KWI_GATHER_H
#include <kwire/types.h>
#include <string.h>

struct kw_gather {
    const struct kw_iov *piece;
    size_t n_pieces; /* from *piece on */
    size_t at;       /* bytes of *piece behind us */
};

static inline void kwi_gather_init(struct kw_gather *gather, const struct kw_iov *in, size_t n)
{
    *gather = (struct kw_gather){in, n, 0};
}

/* The next bytes of the present piece, at most max; 0 only at the end. */
static inline size_t kwi_gather_piece(struct kw_gather *gather, size_t max, const void **ptr)
{
    size_t n;
    while (gather->n_pieces > 0 && gather->at == gather->piece->len) {
        gather->piece++;
        gather->n_pieces--;
        gather->at = 0;
    }
    if (gather->n_pieces == 0)
        return 0;
    n = gather->piece->len - gather->at;
    if (n > max)
        n = max;
    *ptr = (const uint8_t *)gather->piece->base + gather->at;
    gather->at += n;
    return n;
}

/* The next max bytes, or what is left, contiguous: in place if they are, else
 * copied to scratch, which has room for max. 0 only at the end. */
static inline size_t kwi_gather_block(struct kw_gather *gather, size_t max, uint8_t *scratch,
                                      const void **ptr)
{
    size_t n = kwi_gather_piece(gather, max, ptr), more;
    const void *next;
    if (n == max || n == 0)
        return n;
    more = kwi_gather_piece(gather, max - n, &next);
    if (more == 0)
        return n;
    memcpy(scratch, *ptr, n);
    *ptr = scratch;
    do {
        memcpy(scratch + n, next, more);
        n += more;
        more = n < max ? kwi_gather_piece(gather, max - n, &next) : 0;
    } while (more > 0);
    return n;
}

#endif
