/* lz4.c -- codec 3: lz4 frames. The frame is handled here, its blocks by liblz4.
 *
 *   frame := magic 04 22 4d 18, flags, block descriptor, [content size, 8],
 *            header checksum, block*, 0 (4), [content checksum, 4]
 *   block := length (4, bit 31: stored), bytes, [checksum, 4]
 *   Numbers are little-endian.
 *
 * With blocks of our own cutting everything goes straight from the input to the
 * output, and a context is the compressor's hash table. Kafka's Java client
 * refuses frames whose blocks depend on one another, so written ones do not;
 * read ones may. Dictionaries are refused. */
#include <kwire/codec.h>
#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>

#include "compress/gather.h"
#include "compress/lz4_frame.h"

enum {
    LZ4_BLOCK = 64 << 10,
    LZ4_LEVEL_HC = 3, /* below it, the fast compressor */
    LZ4_HISTORY = 64 << 10
};

struct lz4_encoder {
    struct kw_gather in;
    int level;
    bool started;
    uint8_t scratch[LZ4_BLOCK];
    /* Behind it: the state of liblz4's compressor. */
};

/* Up to here it is as Java's client writes it: independent blocks of 64 KiB, no
 * checksums, no content size. */
static const uint8_t lz4_header[7] = {0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82};

/* ---- writing -------------------------------------------------------------- */

static size_t lz4_bound(size_t len)
{
    return sizeof(lz4_header) + len + (len / LZ4_BLOCK + 1) * 4 + 4;
}

/* The state needs more alignment than the bytes before it have. */
static size_t lz4_state_offset(void)
{
    return (sizeof(struct lz4_encoder) + 63) & ~(size_t)63;
}

static size_t lz4_encoder_size(int level, size_t len_max)
{
    (void)len_max;
    if (level < 0 || level > LZ4HC_CLEVEL_MAX)
        return 0;
    return lz4_state_offset() +
           (size_t)(level < LZ4_LEVEL_HC ? LZ4_sizeofState() : LZ4_sizeofStateHC());
}

static int lz4_encoder_init(struct kw_codec_ctx *ctx, size_t size, int level, size_t len_max)
{
    struct lz4_encoder *encoder = (void *)ctx;
    size_t need = lz4_encoder_size(level, len_max);
    if (need == 0)
        return KW_ERR_USE;
    if (size < need)
        return KW_ERR_NOMEM;
    memset(encoder, 0, sizeof(*encoder));
    encoder->level = level;
    return 0;
}

static void lz4_encode_begin(struct kw_codec_ctx *ctx, const struct kw_iov *in, size_t n)
{
    struct lz4_encoder *encoder = (void *)ctx;
    kwi_gather_init(&encoder->in, in, n);
    encoder->started = false;
}

/* One block of n bytes, stored if it does not get smaller. */
static int lz4_encode_block(struct lz4_encoder *encoder, const char *src, size_t n, uint8_t *out,
                            size_t room, size_t *written)
{
    void *state = (uint8_t *)encoder + lz4_state_offset();
    int dst_cap, len;
    if (room < 4)
        return KW_ERR_SPACE;
    dst_cap = (int)(room - 4 < n - 1 ? room - 4 : n - 1);
    if (dst_cap == 0)
        len = 0;
    else if (encoder->level < LZ4_LEVEL_HC)
        len = LZ4_compress_fast_extState(state, src, (char *)out + 4, (int)n, dst_cap, 1);
    else
        len = LZ4_compress_HC_extStateHC(state, src, (char *)out + 4, (int)n, dst_cap,
                                         encoder->level);
    if (len > 0) {
        kwi_lz4_put_u32(out, (uint32_t)len);
        *written = 4 + (size_t)len;
        return 1;
    }
    if (room - 4 < n)
        return KW_ERR_SPACE;
    kwi_lz4_put_u32(out, (uint32_t)n | KWI_LZ4_STORED);
    memcpy(out + 4, src, n);
    *written = 4 + n;
    return 1;
}

static int lz4_encode_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                           size_t *out_len)
{
    struct lz4_encoder *encoder = (void *)ctx;
    uint8_t *bytes = out;
    if (!encoder->started) {
        if (cap < sizeof(lz4_header))
            return KW_ERR_SPACE;
        memcpy(bytes, lz4_header, sizeof(lz4_header));
        *out_len = sizeof(lz4_header);
        encoder->started = true;
    }
    while (budget > 0) {
        const void *src;
        size_t n = kwi_gather_block(&encoder->in, LZ4_BLOCK, encoder->scratch, &src), written;
        int rc;
        if (n == 0) {
            if (cap - *out_len < 4)
                return KW_ERR_SPACE;
            memset(bytes + *out_len, 0, 4);
            *out_len += 4;
            return 0;
        }
        rc = lz4_encode_block(encoder, src, n, bytes + *out_len, cap - *out_len, &written);
        if (rc < 0)
            return rc;
        *out_len += written;
        budget -= n < budget ? n : budget;
    }
    return 1;
}

/* ---- reading -------------------------------------------------------------- */

struct lz4_decoder {
    struct kw_lz4_frame frame; /* the one we are in */
    const uint8_t *p, *end;
    size_t max;
    size_t frame_start; /* position in the output */
    unsigned flags;
    bool in_frame;
    struct kw_xxh32 content;
};

static size_t lz4_decoder_size(void)
{
    return sizeof(struct lz4_decoder);
}

static int lz4_decoder_init(struct kw_codec_ctx *ctx, size_t size)
{
    if (size < sizeof(struct lz4_decoder))
        return KW_ERR_NOMEM;
    memset(ctx, 0, sizeof(struct lz4_decoder));
    return 0;
}

static int lz4_decode_begin(struct kw_codec_ctx *ctx, const void *in, size_t len, size_t max,
                            unsigned flags, size_t *hint)
{
    struct lz4_decoder *decoder = (void *)ctx;
    int rc = kwi_lz4_measure(in, len, max, !(flags & KW_DECODE_FORMAT_0), hint);
    if (rc)
        return rc;
    decoder->p = in;
    decoder->end = decoder->p + len;
    decoder->max = max;
    decoder->flags = flags;
    decoder->in_frame = false;
    return 0;
}

/* Decodes a block to out + out_len; room: what it may take. Its length or
 * KW_ERR_CODEC, KW_ERR_SPACE. */
static int lz4_decode_block(const struct lz4_decoder *decoder, const struct kw_lz4_block *block,
                            uint8_t *out, size_t out_len, size_t room)
{
    size_t limit = room < decoder->frame.block_max ? room : decoder->frame.block_max;
    size_t history = out_len - decoder->frame_start;
    int n;
    if (block->stored) {
        if (block->len > room)
            return KW_ERR_SPACE;
        memcpy(out + out_len, block->ptr, block->len);
        return (int)block->len;
    }
    if (history > LZ4_HISTORY)
        history = LZ4_HISTORY;
    if (decoder->frame.linked && history > 0)
        n = LZ4_decompress_safe_usingDict((const char *)block->ptr, (char *)out + out_len,
                                          (int)block->len, (int)limit,
                                          (const char *)out + out_len - history, (int)history);
    else
        n = LZ4_decompress_safe((const char *)block->ptr, (char *)out + out_len, (int)block->len,
                                (int)limit);
    if (n >= 0)
        return n;
    /* liblz4 does not say why: too little room, or malformed? */
    return limit < decoder->frame.block_max &&
                   kwi_lz4_block_size(block->ptr, block->len) > (int64_t)limit
               ? KW_ERR_SPACE
               : KW_ERR_CODEC;
}

/* Behind the last block of a frame. 0: behind the last frame too. */
static int lz4_end_frame(struct lz4_decoder *decoder, size_t out_len)
{
    const struct kw_lz4_frame *frame = &decoder->frame;
    decoder->in_frame = false;
    if (frame->has_content_size && frame->content_size != out_len - decoder->frame_start)
        return KW_ERR_CODEC;
    if (frame->has_content_sum) {
        if (kwi_lz4_get_u32(decoder->p) != kwi_xxh32_value(&decoder->content))
            return KW_ERR_CODEC;
        decoder->p += 4;
    }
    return decoder->p == decoder->end ? 0 : 1;
}

/* One header, block or end of a frame. As decode_step. */
static int lz4_decode_piece(struct lz4_decoder *decoder, uint8_t *out, size_t cap, size_t *out_len)
{
    struct kw_lz4_block block;
    const uint8_t *p = decoder->p;
    int n;
    if (!decoder->in_frame) {
        decoder->p = kwi_lz4_header_get(p, decoder->end, !(decoder->flags & KW_DECODE_FORMAT_0),
                                        &decoder->frame);
        decoder->frame_start = *out_len;
        decoder->in_frame = true;
        kwi_xxh32_init(&decoder->content);
        return decoder->p ? 1 : KW_ERR_CODEC;
    }
    p = kwi_lz4_block_get(p, decoder->end, &decoder->frame, &block);
    if (!p)
        return KW_ERR_CODEC;
    if (block.len == 0) {
        decoder->p = p;
        return lz4_end_frame(decoder, *out_len);
    }
    n = lz4_decode_block(decoder, &block, out, *out_len, cap - *out_len);
    if (n < 0)
        return n;
    if (decoder->frame.has_block_sums &&
        kwi_lz4_get_u32(block.ptr + block.len) != kwi_xxh32(block.ptr, block.len))
        return KW_ERR_CODEC;
    if (decoder->frame.has_content_sum)
        kwi_xxh32_update(&decoder->content, out + *out_len, (size_t)n);
    *out_len += (size_t)n;
    decoder->p = p;
    return 1;
}

static int lz4_decode_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                           size_t *out_len)
{
    struct lz4_decoder *decoder = (void *)ctx;
    if (cap > decoder->max)
        cap = decoder->max;
    while (budget > 0) {
        const uint8_t *p = decoder->p;
        size_t before = *out_len, spent;
        int rc = lz4_decode_piece(decoder, out, cap, out_len);
        if (rc == KW_ERR_SPACE && cap == decoder->max)
            return KW_ERR_BOMB;
        if (rc != 1)
            return rc;
        spent = *out_len - before + (size_t)(decoder->p - p);
        budget -= spent < budget ? spent : budget;
    }
    return 1;
}

const struct kw_codec kw_codec_lz4 = {
    .name = "lz4",
    .id = KW_CODEC_LZ4,
    .level_min = 0,
    .level_max = LZ4HC_CLEVEL_MAX,
    .level_default = 0,
    .bound = lz4_bound,
    .encoder_size = lz4_encoder_size,
    .encoder_init = lz4_encoder_init,
    .encode_begin = lz4_encode_begin,
    .encode_step = lz4_encode_step,
    .decoder_size = lz4_decoder_size,
    .decoder_init = lz4_decoder_init,
    .decode_begin = lz4_decode_begin,
    .decode_step = lz4_decode_step,
};
