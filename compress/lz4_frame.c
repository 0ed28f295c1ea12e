/* lz4_frame.c -- reads headers and block lengths of lz4 frames, and measures
 * them. It decodes nothing: a block's size follows from its tokens, which are
 * walked at a small part of the cost of decoding, and only when the bound that
 * the block headers give is loose.
 *
 *   sequence := token (literals << 4 | match - 4), [more literals: 255*, last],
 *               literals, offset (2), [more match: 255*, last]
 *   The last sequence of a block ends with its literals. */
#include "compress/lz4_frame.h"

#include <kwire/types.h>

enum {
    LZ4_FLAG_DICTIONARY = 1,
    LZ4_FLAG_RESERVED = 2,
    LZ4_FLAG_CONTENT_SUM = 4,
    LZ4_FLAG_CONTENT_SIZE = 8,
    LZ4_FLAG_BLOCK_SUMS = 16,
    LZ4_FLAG_INDEPENDENT = 32,
    LZ4_MATCH_MIN = 4,
    LZ4_EXPANSION_MAX = 255,
    /* A bound up to this many times the input, or this size, is taken as it is. */
    LZ4_LOOSE_FACTOR = 4,
    LZ4_LOOSE_SIZE = 64 << 10
};

const uint8_t *kwi_lz4_header_get(const uint8_t *p, const uint8_t *end, bool check_sum,
                                  struct kw_lz4_frame *frame)
{
    const uint8_t *fields = p + 4;
    uint8_t flags, descriptor;
    size_t n = 2;
    if (end - p < 7 || kwi_lz4_get_u32(p) != 0x184d2204u)
        return NULL;
    flags = fields[0];
    descriptor = fields[1];
    if (flags >> 6 != 1 || (flags & (LZ4_FLAG_DICTIONARY | LZ4_FLAG_RESERVED)) ||
        (descriptor & 0x8f) || descriptor >> 4 < 4)
        return NULL;
    frame->linked = !(flags & LZ4_FLAG_INDEPENDENT);
    frame->has_block_sums = flags & LZ4_FLAG_BLOCK_SUMS;
    frame->has_content_sum = flags & LZ4_FLAG_CONTENT_SUM;
    frame->has_content_size = flags & LZ4_FLAG_CONTENT_SIZE;
    frame->block_max = 1u << (8 + 2 * (descriptor >> 4)); /* 4: 64 KiB to 7: 4 MiB */
    frame->content_size = 0;
    if (frame->has_content_size) {
        n += 8;
        if ((size_t)(end - fields) < n + 1)
            return NULL;
        frame->content_size = kwi_lz4_get_u32(fields + 2) | (uint64_t)kwi_lz4_get_u32(fields + 6)
                                                                << 32;
    }
    if (check_sum && fields[n] != (uint8_t)(kwi_xxh32(fields, n) >> 8))
        return NULL;
    return fields + n + 1;
}

const uint8_t *kwi_lz4_block_get(const uint8_t *p, const uint8_t *end,
                                 const struct kw_lz4_frame *frame, struct kw_lz4_block *block)
{
    uint32_t word;
    size_t sum_len;
    if (end - p < 4)
        return NULL;
    word = kwi_lz4_get_u32(p);
    block->ptr = p + 4;
    block->len = word & ~KWI_LZ4_STORED;
    block->stored = word & KWI_LZ4_STORED;
    if (word == 0)
        return (size_t)(end - block->ptr) < (frame->has_content_sum ? 4u : 0u) ? NULL : block->ptr;
    sum_len = frame->has_block_sums ? 4 : 0;
    if (block->len == 0 || block->len > frame->block_max ||
        (size_t)(end - block->ptr) < block->len + sum_len)
        return NULL;
    return block->ptr + block->len + sum_len;
}

/* Adds the bytes of a length that follows a nibble of 15. */
static const uint8_t *lz4_more_length(const uint8_t *p, const uint8_t *end, size_t *len)
{
    uint8_t more;
    do {
        if (p == end)
            return NULL;
        more = *p++;
        *len += more;
    } while (more == 255);
    return p;
}

int64_t kwi_lz4_block_size(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len;
    int64_t size = 0;
    while (p < end) {
        uint8_t token = *p++;
        size_t literals = token >> 4, match = token & 15;
        if (literals == 15) {
            p = lz4_more_length(p, end, &literals);
            if (!p)
                return -1;
        }
        if (literals > (size_t)(end - p))
            return -1;
        p += literals;
        size += (int64_t)literals;
        if (p == end)
            return size;
        if (end - p < 2)
            return -1;
        p += 2;
        if (match == 15) {
            p = lz4_more_length(p, end, &match);
            if (!p)
                return -1;
        }
        size += (int64_t)match + LZ4_MATCH_MIN;
    }
    return -1; /* a match at the end, or nothing */
}

/* Adds to *size what the blocks of a frame become: exactly, or at most. The
 * position behind the end mark and checksum, or NULL. */
static const uint8_t *lz4_walk_blocks(const uint8_t *p, const uint8_t *end,
                                      const struct kw_lz4_frame *frame, bool exact, uint64_t *size)
{
    struct kw_lz4_block block;
    while ((p = kwi_lz4_block_get(p, end, frame, &block))) {
        uint64_t most = (uint64_t)block.len * LZ4_EXPANSION_MAX;
        if (block.len == 0)
            return p + (frame->has_content_sum ? 4 : 0);
        if (block.stored) {
            most = block.len;
        } else if (exact) {
            int64_t n = kwi_lz4_block_size(block.ptr, block.len);
            if (n < 0 || n > frame->block_max)
                return NULL;
            most = (uint64_t)n;
        } else if (most > frame->block_max) {
            most = frame->block_max;
        }
        *size += most;
    }
    return NULL;
}

/* Sums over all frames of the input; what a frame says of itself goes first. */
static int lz4_sum(const uint8_t *p, const uint8_t *end, bool check_sum, bool exact,
                   uint64_t *total)
{
    *total = 0;
    do {
        struct kw_lz4_frame frame;
        uint64_t size = 0;
        p = kwi_lz4_header_get(p, end, check_sum, &frame);
        p = p ? lz4_walk_blocks(p, end, &frame, exact, &size) : NULL;
        if (!p || frame.content_size > size)
            return KW_ERR_CODEC;
        *total += frame.has_content_size ? frame.content_size : size;
    } while (p < end);
    return 0;
}

int kwi_lz4_measure(const uint8_t *p, size_t len, size_t max, bool check_sum, size_t *size)
{
    uint64_t total;
    int rc = lz4_sum(p, p + len, check_sum, false, &total);
    if (rc == 0 && (total > max || (total > LZ4_LOOSE_SIZE && total / LZ4_LOOSE_FACTOR > len)))
        rc = lz4_sum(p, p + len, check_sum, true, &total);
    if (rc)
        return rc;
    if (total > max)
        return KW_ERR_BOMB;
    *size = total > 0 ? (size_t)total : 1;
    return 0;
}
