/* compress/zstd_frame.h -- the framing of zstd (RFC 8878), and how large frames
 * will become, as far as that shows without decoding them. */
#ifndef KWI_ZSTD_FRAME_H
#define KWI_ZSTD_FRAME_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The sum over all frames. */
struct kw_zstd_size {
    uint64_t least, most;
};

/* How far the walk through the input came. Zeroed: at the start of a frame. */
struct kw_zstd_walk {
    bool in_frame;
    bool has_sum;       /* a checksum of 4 bytes ends the frame */
    bool has_size;      /* the frame says how large its content is */
    uint32_t block_max; /* of this frame: bytes in a block, plain or not */
    uint64_t size;      /* if has_size */
    struct kw_zstd_size blocks;
};

/* Goes past the next piece at p: a frame header, a block (with the checksum
 * behind the last one), a skippable frame. Adds what finished frames become to
 * *total. The position behind the piece, or NULL: cut, malformed, or with a
 * dictionary. */
const uint8_t *kwi_zstd_walk(struct kw_zstd_walk *walk, const uint8_t *p, const uint8_t *end,
                             struct kw_zstd_size *total);

#endif
