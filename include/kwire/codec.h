/* kwire/codec.h -- a compression codec as the core sees it: a table of pure
 * functions over memory that the caller brings.
 *
 * A codec allocates nothing. A context is one block of a size that is known
 * before it exists, so contexts are counted, pooled and reused by whoever owns
 * them, and a step may run on another thread than the one that owns the
 * allocator. A context needs no clean-up: its block is freed, that is all.
 *
 * Both directions are resumable, so that a large batch never holds a thread for
 * long: begin() looks at the input, step() does about `budget` bytes of work at
 * a time. Between begin and the last step the input stays as it is. After any
 * error a context is ready for the next begin.
 *
 * Reading bounds its memory before it allocates. decode_begin() measures what
 * the input will become by walking its framing, not by decoding it, and refuses
 * what is above `max`. The core then allocates `hint` bytes and steps:
 *
 *     rc = codec->decode_begin(ctx, in, len, max, 0, &size);
 *     out = rc == 0 ? alloc(size) : NULL;
 *     while (rc == 0 && (rc = codec->decode_step(ctx, out, size, budget, &n)) != 0)
 *         if (rc == 1) rc = 0;                       budget used up, more is left
 *         else if (rc == KW_ERR_SPACE) rc = grow out to the next power of two, but
 *                                           at most max, with its first n bytes
 *
 * For nearly all input the hint is enough, and then nothing is decoded or copied
 * twice. Growing is for what no reference producer writes: several gzip members,
 * zstd blocks flushed early.
 *
 * The core gets its codecs through struct kw_env: an array indexed by codec id,
 * NULL where there is none. libkwire fills it from kw_codec_by_id(); a host
 * without libkwire names the objects it links (kw_codec_gzip and so on), or its
 * own. libkwire-core contains none. */
#ifndef KWIRE_CODEC_H
#define KWIRE_CODEC_H
#include <kwire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As in bits 0 to 2 of a batch's attributes. 0 is no compression. */
enum kw_codec_id {
    KW_CODEC_GZIP = 1,
    KW_CODEC_SNAPPY = 2,
    KW_CODEC_LZ4 = 3,
    KW_CODEC_ZSTD = 4,
    KW_CODEC_IDS = KW_N_CODECS /* one more than the largest */
};

/* Several members of gzip may become max divided by this; see decode_begin. */
enum { KW_GZIP_SEVERAL_SHARE = 16 };

/* For decode_begin. */
enum {
    /* The input comes from a message of format 0, where the checksum of an lz4
     * frame's header was computed wrongly: it is not looked at. */
    KW_DECODE_FORMAT_0 = 1
};

/* A context: memory of the caller, aligned for any type. */
struct kw_codec_ctx;

struct kw_codec {
    const char *name; /* as in compression.type */
    int id;           /* enum kw_codec_id */
    int level_min, level_max, level_default;

    /* The most that len bytes become. */
    size_t (*bound)(size_t len);

    /* Bytes of an encoder for this level, for inputs of usually up to len_max
     * bytes; larger ones are compressed too, less well. 0: no such level. */
    size_t (*encoder_size)(int level, size_t len_max);
    /* Makes an encoder of the `size` bytes at mem, aligned for any type.
     * KW_ERR_NOMEM: size is below encoder_size(). KW_ERR_USE: no such level. */
    int (*encoder_init)(struct kw_codec_ctx *ctx, size_t size, int level, size_t len_max);
    /* Starts over with the chain of n pieces; array and bytes stay in place. */
    void (*encode_begin)(struct kw_codec_ctx *ctx, const struct kw_iov *in, size_t n);
    /* Compresses about budget bytes of input (> 0) to out + *out_len, and moves
     * *out_len, which is 0 at first. out and cap stay the same until the end.
     * 0: finished. 1: more is left. KW_ERR_SPACE: does not fit into cap; a caller
     * that gives the input's length less one learns so that plain is smaller.
     * KW_ERR_CODEC: the codec's library failed. */
    int (*encode_step)(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                       size_t *out_len);

    size_t (*decoder_size)(void);
    /* As encoder_init. */
    int (*decoder_init)(struct kw_codec_ctx *ctx, size_t size);
    /* Starts over with len bytes at in, which must not become more than max.
     * *hint: the output size to begin with, from 1 to max.
     * KW_ERR_BOMB: they would. KW_ERR_CODEC: corrupt. */
    int (*decode_begin)(struct kw_codec_ctx *ctx, const void *in, size_t len, size_t max,
                        unsigned flags, size_t *hint);
    /* Makes about budget bytes (> 0) of output at out + *out_len, and moves
     * *out_len, which is 0 at first.
     * 0: finished, and the input was used up. 1: more is left, same out next time.
     * KW_ERR_SPACE: cap, which is below max, does not suffice; bring more, with
     * the first *out_len bytes in it. KW_ERR_BOMB: above max. KW_ERR_CODEC:
     * corrupt or cut. out never gets more than cap bytes. */
    int (*decode_step)(struct kw_codec_ctx *ctx, void *out, size_t cap, size_t budget,
                       size_t *out_len);
};

/* Those that are built in: gzip needs zlib, lz4 liblz4, snappy libsnappy, zstd
 * libzstd (make WITH_ZLIB=0 and so on leaves one out).
 *
 * One limit: libsnappy's compressor allocates about 100 KB for itself during each
 * call, out of reach of the caller's allocator, and ends the process if it cannot
 * (it is C++, and an exception does not pass its C interface). A host that must
 * survive running out of memory compresses with another codec; reading snappy
 * allocates nothing. */
KW_EXPORT extern const struct kw_codec kw_codec_gzip;
KW_EXPORT extern const struct kw_codec kw_codec_snappy;
KW_EXPORT extern const struct kw_codec kw_codec_lz4;
KW_EXPORT extern const struct kw_codec kw_codec_zstd;

/* The built-in codec of that id, or NULL: unknown, or left out of this build. Threads:
 * any. */
KW_EXPORT const struct kw_codec *kw_codec_by_id(int id);

#ifdef __cplusplus
}
#endif
#endif
