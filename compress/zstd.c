/* zstd.c -- codec 4: zstd frames, through libzstd.
 *
 * libzstd works inside the context's own block (its "static" contexts), so it
 * allocates nothing either. This, and decoding into an output that stays where
 * it is, belong to the part of its interface that its authors may still change;
 * the shared library of 1.5.4 exports it. What it saves is a window of up to
 * 128 MiB that a frame can ask its reader for: decoded into one buffer, a frame
 * needs none.
 *
 * Java's client writes frames that do not say how large they become. The walk
 * over block headers gives bounds; full blocks make them nearly exact. A first
 * guess between them that was too small means decoding again. */
#define ZSTD_STATIC_LINKING_ONLY
#include <kwire/codec.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "compress/gather.h"
#include "compress/zstd_frame.h"

enum {
    /* The first guess: this many times the input, but at least this size. */
    ZSTD_GUESS_FACTOR = 16,
    ZSTD_GUESS_SIZE = 256 << 10,
    /* The decoder's stage for a block that is not in one piece; unused, but
     * libzstd wants to see room for it. */
    ZSTD_STAGE = (128 << 10) + 64,
    /* libzstd's estimate holds for a block that begins and ends where it likes. */
    ZSTD_ALIGNMENT_LOSS = 128
};

struct zstd_encoder {
    struct kw_gather in;
    ZSTD_inBuffer piece;
    ZSTD_CCtx *zstd;
};

struct zstd_decoder {
    const uint8_t *start, *p, *end;
    size_t max;
    struct kw_zstd_walk walk;
    ZSTD_DCtx *zstd;
};

/* libzstd wants its memory aligned to 8, and takes pointers in it to 64. */
static size_t zstd_pad(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

/* ---- writing -------------------------------------------------------------- */

static size_t zstd_encoder_size(int level, size_t len_max)
{
    if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel())
        return 0;
    return zstd_pad(sizeof(struct zstd_encoder)) + ZSTD_ALIGNMENT_LOSS +
           ZSTD_estimateCStreamSize_usingCParams(ZSTD_getCParams(level, len_max, 0));
}

/* The parameters that the size was made for hold for inputs of any length. */
static int zstd_set_parameters(ZSTD_CCtx *zstd, int level, size_t len_max)
{
    ZSTD_compressionParameters cp = ZSTD_getCParams(level, len_max, 0);
    const struct {
        ZSTD_cParameter name;
        int value;
    } rows[] = {{ZSTD_c_compressionLevel, level},
                {ZSTD_c_windowLog, (int)cp.windowLog},
                {ZSTD_c_chainLog, (int)cp.chainLog},
                {ZSTD_c_hashLog, (int)cp.hashLog},
                {ZSTD_c_searchLog, (int)cp.searchLog},
                {ZSTD_c_minMatch, (int)cp.minMatch},
                {ZSTD_c_targetLength, (int)cp.targetLength},
                {ZSTD_c_strategy, (int)cp.strategy}};
    /* A static context begins with all parameters 0, not with their defaults. */
    ZSTD_CCtx_reset(zstd, ZSTD_reset_session_and_parameters);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (ZSTD_isError(ZSTD_CCtx_setParameter(zstd, rows[i].name, rows[i].value)))
            return KW_ERR_USE;
    return 0;
}

static int zstd_encoder_init(struct kw_codec_ctx *ctx, size_t size, int level, size_t len_max)
{
    struct zstd_encoder *encoder = (void *)ctx;
    size_t offset = zstd_pad(sizeof(*encoder)), need = zstd_encoder_size(level, len_max);
    if (need == 0)
        return KW_ERR_USE;
    if (size < need)
        return KW_ERR_NOMEM;
    memset(encoder, 0, sizeof(*encoder));
    encoder->zstd = ZSTD_initStaticCCtx((uint8_t *)ctx + offset, (size - offset) & ~(size_t)7);
    return encoder->zstd ? zstd_set_parameters(encoder->zstd, level, len_max) : KW_ERR_NOMEM;
}

static void zstd_encode_begin(struct kw_codec_ctx *ctx, const struct kw_iov *in, size_t n)
{
    struct zstd_encoder *encoder = (void *)ctx;
    unsigned long long len = 0;
    for (size_t i = 0; i < n; i++)
        len += in[i].len;
    kwi_gather_init(&encoder->in, in, n);
    encoder->piece = (ZSTD_inBuffer){NULL, 0, 0};
    ZSTD_CCtx_reset(encoder->zstd, ZSTD_reset_session_only);
    /* With its size in the header a reader allocates once. */
    ZSTD_CCtx_setPledgedSrcSize(encoder->zstd, len);
}

static int zstd_encode_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                            size_t *out_len)
{
    struct zstd_encoder *encoder = (void *)ctx;
    ZSTD_outBuffer dst = {out, cap, *out_len};
    while (budget > 0) {
        ZSTD_EndDirective what = ZSTD_e_continue;
        size_t rc;
        if (encoder->piece.pos == encoder->piece.size) {
            const void *ptr = NULL;
            size_t n = kwi_gather_piece(&encoder->in, budget, &ptr);
            encoder->piece = (ZSTD_inBuffer){ptr, n, 0};
            budget -= n;
            if (n == 0)
                what = ZSTD_e_end;
        }
        rc = ZSTD_compressStream2(encoder->zstd, &dst, &encoder->piece, what);
        *out_len = dst.pos;
        if (ZSTD_isError(rc))
            return KW_ERR_CODEC;
        if (what == ZSTD_e_end && rc == 0)
            return 0;
        if (dst.pos == dst.size)
            return KW_ERR_SPACE;
    }
    return 1;
}

/* ---- reading -------------------------------------------------------------- */

static size_t zstd_decoder_size(void)
{
    return zstd_pad(sizeof(struct zstd_decoder)) + ZSTD_estimateDCtxSize() + ZSTD_STAGE;
}

static int zstd_decoder_init(struct kw_codec_ctx *ctx, size_t size)
{
    struct zstd_decoder *decoder = (void *)ctx;
    size_t offset = zstd_pad(sizeof(*decoder));
    ZSTD_bounds window = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
    if (size < zstd_decoder_size())
        return KW_ERR_NOMEM;
    memset(decoder, 0, sizeof(*decoder));
    decoder->zstd = ZSTD_initStaticDCtx((uint8_t *)ctx + offset, (size - offset) & ~(size_t)7);
    if (!decoder->zstd)
        return KW_ERR_NOMEM;
    /* No window is kept, so one of any size is welcome. */
    if (ZSTD_isError(
            ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, window.upperBound)) ||
        ZSTD_isError(ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_stableOutBuffer, 1)))
        return KW_ERR_UNSUPPORTED;
    return 0;
}

static void zstd_restart(struct zstd_decoder *decoder)
{
    decoder->p = decoder->start;
    decoder->walk = (struct kw_zstd_walk){0};
    ZSTD_DCtx_reset(decoder->zstd, ZSTD_reset_session_only);
}

static int zstd_decode_begin(struct kw_codec_ctx *ctx, const void *in, size_t len, size_t max,
                             unsigned flags, size_t *hint)
{
    struct zstd_decoder *decoder = (void *)ctx;
    struct kw_zstd_size total = {0, 0};
    uint64_t guess = (uint64_t)len * ZSTD_GUESS_FACTOR;
    (void)flags;
    decoder->start = in;
    decoder->end = decoder->start + len;
    decoder->max = max;
    zstd_restart(decoder);
    while (decoder->p < decoder->end || decoder->walk.in_frame) {
        decoder->p = kwi_zstd_walk(&decoder->walk, decoder->p, decoder->end, &total);
        if (!decoder->p)
            return KW_ERR_CODEC;
    }
    if (len == 0)
        return KW_ERR_CODEC;
    zstd_restart(decoder);
    if (total.least > max)
        return KW_ERR_BOMB;
    if (guess < ZSTD_GUESS_SIZE)
        guess = ZSTD_GUESS_SIZE;
    if (guess < total.least)
        guess = total.least;
    if (guess > total.most)
        guess = total.most;
    *hint = guess > max ? max : guess > 0 ? (size_t)guess : 1;
    return 0;
}

/* libzstd could not fit a block into `cap`. What was decoded cannot move, since
 * later blocks refer to it by address: a larger output starts over. */
static int zstd_full(struct zstd_decoder *decoder, size_t cap, size_t *out_len)
{
    if (cap == decoder->max)
        return KW_ERR_BOMB;
    *out_len = 0;
    zstd_restart(decoder);
    return KW_ERR_SPACE;
}

static int zstd_decode_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                            size_t *out_len)
{
    struct zstd_decoder *decoder = (void *)ctx;
    struct kw_zstd_size total = {0, 0};
    ZSTD_outBuffer dst = {out, cap < decoder->max ? cap : decoder->max, *out_len};
    while (budget > 0) {
        /* Piece by piece, so that no block is ever staged. */
        const uint8_t *next = kwi_zstd_walk(&decoder->walk, decoder->p, decoder->end, &total);
        size_t before = dst.pos, spent, rc;
        ZSTD_inBuffer piece = {decoder->p, 0, 0};
        if (!next)
            return KW_ERR_CODEC;
        piece.size = (size_t)(next - decoder->p);
        while (piece.pos < piece.size) {
            size_t in_before = piece.pos, out_before = dst.pos;
            rc = ZSTD_decompressStream(decoder->zstd, &dst, &piece);
            if (ZSTD_isError(rc))
                return ZSTD_getErrorCode(rc) == ZSTD_error_dstSize_tooSmall
                           ? zstd_full(decoder, dst.size, out_len)
                           : KW_ERR_CODEC;
            if (piece.pos == in_before && dst.pos == out_before)
                return KW_ERR_CODEC;
        }
        *out_len = dst.pos;
        spent = dst.pos - before + piece.size;
        decoder->p = next;
        if (next == decoder->end)
            return decoder->walk.in_frame ? KW_ERR_CODEC : 0;
        budget -= spent < budget ? spent : budget;
    }
    return 1;
}

const struct kw_codec kw_codec_zstd = {
    .name = "zstd",
    .id = KW_CODEC_ZSTD,
    .level_min = -(1 << 17),
    .level_max = 22,
    .level_default = 3,
    .bound = ZSTD_compressBound,
    .encoder_size = zstd_encoder_size,
    .encoder_init = zstd_encoder_init,
    .encode_begin = zstd_encode_begin,
    .encode_step = zstd_encode_step,
    .decoder_size = zstd_decoder_size,
    .decoder_init = zstd_decoder_init,
    .decode_begin = zstd_decode_begin,
    .decode_step = zstd_decode_step,
};
