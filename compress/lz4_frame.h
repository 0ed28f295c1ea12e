/* compress/lz4_frame.h -- the framing of lz4, and how large a frame will become
 * before anything of it is decoded. */
#ifndef KWI_LZ4_FRAME_H
#define KWI_LZ4_FRAME_H
#include <stdbool.h>

#include "compress/xxh32.h"

#define KWI_LZ4_STORED 0x80000000u

struct kw_lz4_frame {
    uint32_t block_max;
    bool linked; /* blocks refer to earlier ones */
    bool has_block_sums, has_content_sum, has_content_size;
    uint64_t content_size;
};

struct kw_lz4_block {
    const uint8_t *ptr;
    uint32_t len; /* 0: the end mark */
    bool stored;
};

static inline uint32_t kwi_lz4_get_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void kwi_lz4_put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

/* Reads the header at p. The position behind it, or NULL: cut, malformed, or
 * with a dictionary. check_sum: verify the header's checksum. */
const uint8_t *kwi_lz4_header_get(const uint8_t *p, const uint8_t *end, bool check_sum,
                                  struct kw_lz4_frame *frame);
/* Reads the block at p. The position behind it and its checksum, or NULL. Behind
 * the end mark, the content checksum lies within the input too. */
const uint8_t *kwi_lz4_block_get(const uint8_t *p, const uint8_t *end,
                                 const struct kw_lz4_frame *frame, struct kw_lz4_block *block);
/* What a compressed block becomes, from its tokens alone; -1: malformed. */
int64_t kwi_lz4_block_size(const uint8_t *p, size_t len);

/* How many bytes to bring for all frames in the input: what they say; else the
 * sum of the largest that their blocks may become, if this is about as much as
 * the input; else the exact size. 0, KW_ERR_CODEC, or KW_ERR_BOMB: above max. */
int kwi_lz4_measure(const uint8_t *p, size_t len, size_t max, bool check_sum, size_t *size);

#endif
