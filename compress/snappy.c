/* snappy.c -- codec 2: snappy blocks, alone or framed as Kafka's Java client
 * does, through libsnappy.
 *
 *   framed := header, (chunk | header)*
 *   header := 82 "SNAPPY" 00, version (4), lowest version of a reader (4)
 *   chunk  := length (4, big-endian), block
 *   block  := size of the plain bytes (varint), elements
 *
 * Read are both; a header may come again, where producers joined streams.
 * Written is the framed form, which all clients read, in chunks of 32 KiB: a
 * single block would need its input in one piece and could not be cut into
 * steps.
 *
 * An element makes at most 64 bytes of 3, so what a block says of its size is
 * believed only up to that. libsnappy's compressor takes some memory of its own
 * for the time of a call; its decompressor takes none. */
#include <kwire/codec.h>
#include <snappy-c.h>

#include "base/bytes.h"
#include "compress/gather.h"

enum {
    SNAPPY_CHUNK = 32 << 10,
    SNAPPY_CHUNK_BOUND = 32 + SNAPPY_CHUNK + SNAPPY_CHUNK / 6,
    SNAPPY_HEADER = 16,
    SNAPPY_EXPANSION_MAX = 22,
    SNAPPY_VERSION = 1
};

static const uint8_t snappy_header[SNAPPY_HEADER] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                                     0,    0,   0,   1,   0,   0,   0,   1};
enum { SNAPPY_MAGIC = 8 };

struct snappy_encoder {
    struct kw_gather in;
    bool started;
    uint8_t scratch[SNAPPY_CHUNK];
    char packed[SNAPPY_CHUNK_BOUND];
};

struct snappy_decoder {
    const uint8_t *p, *end;
    size_t max;
    bool framed;
};

struct snappy_block {
    const uint8_t *ptr;
    size_t len;  /* packed */
    size_t size; /* plain */
};

/* ---- writing -------------------------------------------------------------- */

static size_t snappy_bound(size_t len)
{
    return SNAPPY_HEADER + len + len / 6 + (len / SNAPPY_CHUNK + 1) * 36;
}

static size_t snappy_encoder_size(int level, size_t len_max)
{
    (void)len_max;
    return level == 0 ? sizeof(struct snappy_encoder) : 0;
}

static int snappy_encoder_init(struct kw_codec_ctx *ctx, size_t size, int level, size_t len_max)
{
    (void)len_max;
    if (level != 0)
        return KW_ERR_USE;
    if (size < sizeof(struct snappy_encoder))
        return KW_ERR_NOMEM;
    memset(ctx, 0, sizeof(struct snappy_encoder));
    return 0;
}

static void snappy_encode_begin(struct kw_codec_ctx *ctx, const struct kw_iov *in, size_t n)
{
    struct snappy_encoder *encoder = (void *)ctx;
    kwi_gather_init(&encoder->in, in, n);
    encoder->started = false;
}

static int snappy_encode_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                              size_t *out_len)
{
    struct snappy_encoder *encoder = (void *)ctx;
    uint8_t *bytes = out;
    if (!encoder->started) {
        if (cap < SNAPPY_HEADER)
            return KW_ERR_SPACE;
        memcpy(bytes, snappy_header, SNAPPY_HEADER);
        *out_len = SNAPPY_HEADER;
        encoder->started = true;
    }
    while (budget > 0) {
        const void *src;
        size_t packed_len = sizeof(encoder->packed);
        size_t n = kwi_gather_block(&encoder->in, SNAPPY_CHUNK, encoder->scratch, &src);
        if (n == 0)
            return 0;
        if (snappy_compress(src, n, encoder->packed, &packed_len) != SNAPPY_OK)
            return KW_ERR_CODEC;
        if (cap - *out_len < 4 || cap - *out_len - 4 < packed_len)
            return KW_ERR_SPACE;
        kwi_put_u32(bytes + *out_len, (uint32_t)packed_len);
        memcpy(bytes + *out_len + 4, encoder->packed, packed_len);
        *out_len += 4 + packed_len;
        budget -= n < budget ? n : budget;
    }
    return 1;
}

/* ---- reading -------------------------------------------------------------- */

static bool snappy_is_header(const uint8_t *p, const uint8_t *end)
{
    return end - p >= SNAPPY_HEADER && memcmp(p, snappy_header, SNAPPY_MAGIC) == 0;
}

/* Reads what a block says of itself. */
static bool snappy_block_get(const uint8_t *p, size_t len, struct snappy_block *block)
{
    uint64_t size;
    const uint8_t *elements = kwi_read_uvarint(p, p + len, 5, &size);
    if (!elements || size / SNAPPY_EXPANSION_MAX > len)
        return false;
    *block = (struct snappy_block){p, len, (size_t)size};
    return true;
}

/* Reads the next chunk of framed input. The position behind it, or NULL. A chunk
 * takes at least five bytes, so a walk ends. */
static const uint8_t *snappy_chunk_get(const uint8_t *p, const uint8_t *end,
                                       struct snappy_block *block)
{
    uint32_t len;
    while (snappy_is_header(p, end)) {
        if (kwi_get_u32(p + SNAPPY_MAGIC + 4) > SNAPPY_VERSION)
            return NULL;
        p += SNAPPY_HEADER;
        if (p == end) { /* nothing follows it */
            *block = (struct snappy_block){p, 0, 0};
            return p;
        }
    }
    if (end - p < 4)
        return NULL;
    len = kwi_get_u32(p);
    p += 4;
    if (len > (size_t)(end - p) || !snappy_block_get(p, len, block))
        return NULL;
    return p + len;
}

static size_t snappy_decoder_size(void)
{
    return sizeof(struct snappy_decoder);
}

static int snappy_decoder_init(struct kw_codec_ctx *ctx, size_t size)
{
    if (size < sizeof(struct snappy_decoder))
        return KW_ERR_NOMEM;
    memset(ctx, 0, sizeof(struct snappy_decoder));
    return 0;
}

/* The block at the decoder's position. The position behind it, or NULL. */
static const uint8_t *snappy_next(const struct snappy_decoder *decoder, const uint8_t *p,
                                  struct snappy_block *block)
{
    if (decoder->framed)
        return snappy_chunk_get(p, decoder->end, block);
    return snappy_block_get(p, (size_t)(decoder->end - p), block) ? decoder->end : NULL;
}

static int snappy_decode_begin(struct kw_codec_ctx *ctx, const void *in, size_t len, size_t max,
                               unsigned flags, size_t *hint)
{
    struct snappy_decoder *decoder = (void *)ctx;
    const uint8_t *p = in;
    uint64_t total = 0;
    (void)flags;
    *decoder = (struct snappy_decoder){.p = p, .end = p + len, .max = max};
    decoder->framed = snappy_is_header(p, decoder->end);
    do {
        struct snappy_block block;
        p = snappy_next(decoder, p, &block);
        if (!p)
            return KW_ERR_CODEC;
        total += block.size;
    } while (p < decoder->end);
    if (total > max)
        return KW_ERR_BOMB;
    *hint = total > 0 ? (size_t)total : 1;
    return 0;
}

static int snappy_decode_step(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                              size_t *out_len)
{
    struct snappy_decoder *decoder = (void *)ctx;
    while (budget > 0) {
        struct snappy_block block;
        const uint8_t *next = snappy_next(decoder, decoder->p, &block);
        size_t spent, size;
        if (!next)
            return KW_ERR_CODEC;
        spent = block.size + block.len;
        size = block.size;
        if (block.size > cap - *out_len)
            return KW_ERR_SPACE;
        if (block.len > 0 && (snappy_uncompress((const char *)block.ptr, block.len,
                                                (char *)out + *out_len, &size) != SNAPPY_OK ||
                              size != block.size))
            return KW_ERR_CODEC;
        *out_len += size;
        decoder->p = next;
        if (next == decoder->end)
            return 0;
        budget -= spent < budget ? spent : budget;
    }
    return 1;
}

const struct kw_codec kw_codec_snappy = {
    .name = "snappy",
    .id = KW_CODEC_SNAPPY,
    .bound = snappy_bound,
    .encoder_size = snappy_encoder_size,
    .encoder_init = snappy_encoder_init,
    .encode_begin = snappy_encode_begin,
    .encode_step = snappy_encode_step,
    .decoder_size = snappy_decoder_size,
    .decoder_init = snappy_decoder_init,
    .decode_begin = snappy_decode_begin,
    .decode_step = snappy_decode_step,
};
