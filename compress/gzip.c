/* gzip.c -- codec 1: members of RFC 1952, through zlib.
 *
 * zlib takes its memory from the context's own block (struct gzip_arena), which
 * is laid out once at init and kept from batch to batch.
 *
 * The last four bytes of a member tell its size modulo 2^32. Kafka's producers
 * write one member, so for them this is the size of all: it is what is allocated
 * first, and a bomb that is honest about its size is refused before a byte is
 * inflated. One that lies is found out when the output passes the stated size:
 * then another member must follow, whose header stands right behind the size of
 * the present one. If no such place is left in the input, or only places that
 * tell of more than the maximum, the rest is not inflated.
 *
 * Nothing tells how large many members become together, and no client of Kafka
 * writes more than one. So from the moment when there must be a second one, a
 * sixteenth of the maximum (KW_GZIP_SEVERAL_SHARE) is the maximum. */
#include <kwire/codec.h>
#include <limits.h>
#include <zlib.h>

#include "compress/gather.h"

/* What deflate and inflate take with 32 KiB windows (zlib: 262 and 40 KiB;
 * zlib-ng: up to 350 and 46), and some more. */
enum { GZIP_ENCODER_MEMORY = 384 << 10, GZIP_DECODER_MEMORY = 64 << 10 };

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* 16: the format of RFC 1952 */
    GZIP_MEMBER_MIN = 18,       /* header 10, trailer 8 */
    GZIP_EXPANSION_MAX = 1032   /* of deflate: 258 bytes from two bits */
};

struct gzip_arena {
    uint8_t *next;
    size_t left;
};

struct gzip_encoder {
    z_stream stream;
    struct gzip_arena arena;
    struct kw_gather in;
};

struct gzip_decoder {
    z_stream stream;
    struct gzip_arena arena;
    size_t max;
    size_t stated;       /* size of the last member */
    size_t member_start; /* position in the output */
    bool is_several;     /* the present member is not the only one */
};

static void *gzip_alloc(void *opaque, uInt n, uInt size)
{
    struct gzip_arena *arena = opaque;
    size_t need = ((size_t)n * size + 63) & ~(size_t)63;
    void *ptr = arena->next;
    if (need > arena->left)
        return NULL;
    arena->next += need;
    arena->left -= need;
    return ptr;
}

/* The block is freed as a whole. */
static void gzip_free(void *opaque, void *ptr)
{
    (void)opaque;
    (void)ptr;
}

static void gzip_stream_init(z_stream *stream, struct gzip_arena *arena, void *mem, size_t size)
{
    uintptr_t pad = -(uintptr_t)mem & 63;
    arena->next = (uint8_t *)mem + pad;
    arena->left = size - pad;
    memset(stream, 0, sizeof(*stream));
    stream->zalloc = gzip_alloc;
    stream->zfree = gzip_free;
    stream->opaque = arena;
}

/* ---- writing -------------------------------------------------------------- */

static size_t gzip_bound(size_t len)
{
    return len + (len >> 3) + (len >> 6) + 64;
}

static size_t gzip_encoder_size(int level, size_t len_max)
{
    (void)len_max;
    return level < -1 || level > 9 ? 0 : sizeof(struct gzip_encoder) + GZIP_ENCODER_MEMORY;
}

static int gzip_encoder_init(struct kw_codec_ctx *ctx, size_t size, int level, size_t len_max)
{
    struct gzip_encoder *encoder = (void *)ctx;
    size_t need = gzip_encoder_size(level, len_max);
    if (need == 0)
        return KW_ERR_USE;
    if (size < need)
        return KW_ERR_NOMEM;
    memset(encoder, 0, sizeof(*encoder));
    gzip_stream_init(&encoder->stream, &encoder->arena, encoder + 1, size - sizeof(*encoder));
    return deflateInit2(&encoder->stream, level, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                        Z_DEFAULT_STRATEGY) == Z_OK
               ? 0
               : KW_ERR_NOMEM;
}

static void gzip_encode_begin(struct kw_codec_ctx *ctx, const struct kw_iov *in, size_t n)
{
    struct gzip_encoder *encoder = (void *)ctx;
    kwi_gather_init(&encoder->in, in, n);
    deflateReset(&encoder->stream);
    encoder->stream.avail_in = 0;
}

/* Gives deflate its input until it is used up or the output is full. */
static int gzip_deflate(z_stream *stream, uint8_t *out, size_t cap, int flush, size_t *out_len)
{
    int rc;
    do {
        size_t room = cap - *out_len < UINT_MAX ? cap - *out_len : UINT_MAX;
        stream->next_out = out + *out_len;
        stream->avail_out = (uInt)room;
        rc = deflate(stream, flush);
        *out_len += room - stream->avail_out;
        if (rc == Z_STREAM_END)
            return 0;
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return KW_ERR_CODEC;
        if (stream->avail_out == 0 && *out_len == cap)
            return KW_ERR_SPACE;
    } while (stream->avail_in > 0 || flush == Z_FINISH);
    return 1;
}

static int gzip_encode_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                            size_t *out_len)
{
    struct gzip_encoder *encoder = (void *)ctx;
    z_stream *stream = &encoder->stream;
    while (budget > 0) {
        const void *ptr;
        size_t n = kwi_gather_piece(&encoder->in, budget < UINT_MAX ? budget : UINT_MAX, &ptr);
        int rc;
        if (n == 0)
            return gzip_deflate(stream, out, cap, Z_FINISH, out_len);
        stream->next_in = (z_const Bytef *)(uintptr_t)ptr;
        stream->avail_in = (uInt)n;
        rc = gzip_deflate(stream, out, cap, Z_NO_FLUSH, out_len);
        if (rc < 0)
            return rc;
        budget -= n;
    }
    return 1;
}

/* ---- reading -------------------------------------------------------------- */

static size_t gzip_decoder_size(void)
{
    return sizeof(struct gzip_decoder) + GZIP_DECODER_MEMORY;
}

static int gzip_decoder_init(struct kw_codec_ctx *ctx, size_t size)
{
    struct gzip_decoder *decoder = (void *)ctx;
    if (size < gzip_decoder_size())
        return KW_ERR_NOMEM;
    memset(decoder, 0, sizeof(*decoder));
    gzip_stream_init(&decoder->stream, &decoder->arena, decoder + 1, size - sizeof(*decoder));
    return inflateInit2(&decoder->stream, GZIP_WINDOW_BITS) == Z_OK ? 0 : KW_ERR_NOMEM;
}

/* The size of the member that ends before p. */
static size_t gzip_size(const uint8_t *p)
{
    return (size_t)p[-4] | (size_t)p[-3] << 8 | (size_t)p[-2] << 16 | (size_t)p[-1] << 24;
}

static int gzip_decode_begin(struct kw_codec_ctx *ctx, const void *in, size_t len, size_t max,
                             unsigned flags, size_t *hint)
{
    struct gzip_decoder *decoder = (void *)ctx;
    const uint8_t *end = (const uint8_t *)in + len;
    (void)flags;
    if (len < GZIP_MEMBER_MIN || len > UINT_MAX)
        return KW_ERR_CODEC;
    decoder->stated = gzip_size(end);
    if (decoder->stated / GZIP_EXPANSION_MAX > len)
        return KW_ERR_CODEC;
    if (decoder->stated > max)
        return KW_ERR_BOMB;
    decoder->max = max;
    decoder->member_start = 0;
    decoder->is_several = false;
    inflateReset(&decoder->stream);
    decoder->stream.next_in = (z_const Bytef *)(uintptr_t)in;
    decoder->stream.avail_in = (uInt)len;
    *hint = decoder->stated > 0 ? decoder->stated : 1;
    return 0;
}

/* There is more than one member: does what there is, or is to come at least, fit
 * the maximum for that? */
static int gzip_several(struct gzip_decoder *decoder, size_t made, size_t to_come)
{
    if (!decoder->is_several)
        decoder->max /= KW_GZIP_SEVERAL_SHARE;
    decoder->is_several = true;
    return made > decoder->max || to_come > decoder->max - made ? KW_ERR_BOMB : 0;
}

/* The present member is not the last: the least size that it can have, from what
 * stands before each place where the next one could begin; SIZE_MAX: there is
 * none. made: what it has become already. Sizes of 4 GiB and more look smaller
 * here and are left to the maximum. */
static size_t gzip_least(const z_stream *stream, size_t made)
{
    const uint8_t *p = stream->next_in, *end = p + stream->avail_in;
    size_t least = SIZE_MAX;
    for (; end - p >= GZIP_MEMBER_MIN; p++) {
        if (p[0] == 0x1f && p[1] == 0x8b && p[2] == Z_DEFLATED) {
            size_t size = gzip_size(p);
            if (size >= made && size < least)
                least = size;
        }
    }
    return least;
}

/* The output is full, and inflate is not at the end. */
static int gzip_full(struct gzip_decoder *decoder, size_t out_len)
{
    size_t made = out_len - decoder->member_start, least;
    int rc;
    if (decoder->stream.avail_in == 0)
        return KW_ERR_CODEC; /* not even the trailer is there */
    if (out_len >= decoder->max)
        return KW_ERR_BOMB;
    if (made < decoder->stated)
        return KW_ERR_SPACE; /* it may be the last */
    least = gzip_least(&decoder->stream, made);
    if (least == SIZE_MAX)
        return KW_ERR_CODEC; /* larger than its trailer says */
    rc = gzip_several(decoder, decoder->member_start, least);
    return rc < 0 ? rc : KW_ERR_SPACE;
}

static int gzip_decode_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                            size_t *out_len)
{
    struct gzip_decoder *decoder = (void *)ctx;
    z_stream *stream = &decoder->stream;
    while (budget > 0) {
        size_t limit = cap < decoder->max ? cap : decoder->max;
        size_t room = limit - *out_len, n = room < budget ? room : budget;
        size_t before = stream->avail_in, spent;
        int rc;
        if (n > UINT_MAX)
            n = UINT_MAX;
        stream->next_out = (uint8_t *)out + *out_len;
        stream->avail_out = (uInt)n;
        /* Without room it still goes over ends of blocks and the trailer. */
        rc = inflate(stream, Z_NO_FLUSH);
        n -= stream->avail_out;
        *out_len += n;
        if (rc == Z_STREAM_END) {
            if (stream->avail_in == 0)
                return 0;
            rc = gzip_several(decoder, *out_len, decoder->stated);
            if (rc < 0)
                return rc;
            inflateReset(stream);
            decoder->member_start = *out_len;
        } else if ((rc != Z_OK && rc != Z_BUF_ERROR) || stream->avail_out > 0) {
            return KW_ERR_CODEC; /* malformed, or it wants more input */
        } else if (room == 0) {
            return gzip_full(decoder, *out_len);
        }
        spent = n + (before - stream->avail_in);
        budget -= spent < budget ? spent : budget;
    }
    return 1;
}

const struct kw_codec kw_codec_gzip = {
    .name = "gzip",
    .id = KW_CODEC_GZIP,
    .level_min = -1,
    .level_max = 9,
    .level_default = -1,
    .bound = gzip_bound,
    .encoder_size = gzip_encoder_size,
    .encoder_init = gzip_encoder_init,
    .encode_begin = gzip_encode_begin,
    .encode_step = gzip_encode_step,
    .decoder_size = gzip_decoder_size,
    .decoder_init = gzip_decoder_init,
    .decode_begin = gzip_decode_begin,
    .decode_step = gzip_decode_step,
};
