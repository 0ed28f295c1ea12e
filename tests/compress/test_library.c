/* What a codec says when its library fails in a way that no input of ours can
 * bring about. The functions of the libraries stand here under their own names
 * and go on to the real ones, until one is told to fail. */
#include <criterion/criterion.h>

#include "tests/compress/support.h"

#if __has_include(<zlib.h>) && __has_include(<snappy-c.h>) && __has_include(<zstd.h>)
#define ZSTD_STATIC_LINKING_ONLY
#include <dlfcn.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

static const char *failing = "";

static bool fails(const char *name)
{
    return strcmp(failing, name) == 0;
}

/* Its name, result, parameters, arguments, and what it answers when it fails. */
#define LIBRARY(name_, type_, parameters_, arguments_, bad_)    \
    type_ name_ parameters_;                                    \
    type_ name_ parameters_                                     \
    {                                                           \
        static type_(*real) parameters_;                        \
        if (!real)                                              \
            *(void **)(&real) = dlsym(RTLD_NEXT, #name_);       \
        return fails(#name_) ? (type_)(bad_) : real arguments_; \
    }

LIBRARY(deflate, int, (z_streamp stream, int flush), (stream, flush), Z_STREAM_ERROR)
LIBRARY(deflateInit2_, int,
        (z_streamp stream, int level, int method, int bits, int memory, int strategy,
         const char *version, int size),
        (stream, level, method, bits, memory, strategy, version, size), Z_MEM_ERROR)
LIBRARY(inflateInit2_, int, (z_streamp stream, int bits, const char *version, int size),
        (stream, bits, version, size), Z_MEM_ERROR)
LIBRARY(snappy_compress, snappy_status, (const char *in, size_t n, char *out, size_t *out_len),
        (in, n, out, out_len), SNAPPY_BUFFER_TOO_SMALL)
LIBRARY(snappy_uncompress, snappy_status, (const char *in, size_t n, char *out, size_t *out_len),
        (in, n, out, out_len), (--*out_len, SNAPPY_OK))
LIBRARY(ZSTD_CCtx_setParameter, size_t, (ZSTD_CCtx * ctx, ZSTD_cParameter name, int value),
        (ctx, name, value), (size_t)-1)
LIBRARY(ZSTD_DCtx_setParameter, size_t, (ZSTD_DCtx * ctx, ZSTD_dParameter name, int value),
        (ctx, name, value), (size_t)-1)
LIBRARY(ZSTD_initStaticCCtx, ZSTD_CCtx *, (void *mem, size_t size), (mem, size), NULL)
LIBRARY(ZSTD_initStaticDCtx, ZSTD_DCtx *, (void *mem, size_t size), (mem, size), NULL)
LIBRARY(ZSTD_compressStream2, size_t,
        (ZSTD_CCtx * ctx, ZSTD_outBuffer *out, ZSTD_inBuffer *in, ZSTD_EndDirective what),
        (ctx, out, in, what), (size_t)-1)
LIBRARY(ZSTD_decompressStream, size_t, (ZSTD_DCtx * ctx, ZSTD_outBuffer *out, ZSTD_inBuffer *in),
        (ctx, out, in), 0)

/* One way through, with everything right but the library. */
static int round_trip(int id)
{
    const struct kw_codec *codec = kw_codec_by_id(id);
    struct memory memory = {.fail_at = -1};
    struct coder encoder, decoder;
    struct output packed = {0}, plain = {0};
    static uint8_t text[5000];
    struct kw_iov in = {text, sizeof text};
    int rc;
    fill_text(text, sizeof text, 1);
    rc = encoder_open(&encoder, codec, codec->level_default, sizeof text, &memory);
    if (!rc)
        rc = encode(&encoder, &in, 1, codec->bound(sizeof text), 1000, &packed);
    coder_close(&encoder);
    if (!rc) {
        rc = decoder_open(&decoder, codec, &memory);
        if (!rc)
            rc = decode(&decoder, packed.out, packed.len, sizeof text, 0, 1000, 0, &plain);
        coder_close(&decoder);
    }
    if (plain.out)
        output_free(&memory, &plain);
    if (packed.out)
        output_free(&memory, &packed);
    cr_expect_eq(memory.used, 0);
    return rc;
}

Test(library, a_failure_is_an_error_of_the_codec)
{
    static const struct {
        int id;
        const char *name;
        int err;
    } rows[] = {{KW_CODEC_GZIP, "deflate", KW_ERR_CODEC},
                {KW_CODEC_GZIP, "deflateInit2_", KW_ERR_NOMEM},
                {KW_CODEC_GZIP, "inflateInit2_", KW_ERR_NOMEM},
                {KW_CODEC_SNAPPY, "snappy_compress", KW_ERR_CODEC},
                {KW_CODEC_SNAPPY, "snappy_uncompress", KW_ERR_CODEC},
                {KW_CODEC_ZSTD, "ZSTD_CCtx_setParameter", KW_ERR_USE},
                {KW_CODEC_ZSTD, "ZSTD_DCtx_setParameter", KW_ERR_UNSUPPORTED},
                {KW_CODEC_ZSTD, "ZSTD_initStaticCCtx", KW_ERR_NOMEM},
                {KW_CODEC_ZSTD, "ZSTD_initStaticDCtx", KW_ERR_NOMEM},
                {KW_CODEC_ZSTD, "ZSTD_compressStream2", KW_ERR_CODEC},
                {KW_CODEC_ZSTD, "ZSTD_decompressStream", KW_ERR_CODEC}};
    /* A call that is not ours keeps the library among those that are loaded. */
    cr_assert_gt(snappy_max_compressed_length(1), 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!kw_codec_by_id(rows[i].id))
            continue;
        failing = "";
        cr_expect_eq(round_trip(rows[i].id), 0, "%s", rows[i].name);
        failing = rows[i].name;
        cr_expect_eq(round_trip(rows[i].id), rows[i].err, "%s", rows[i].name);
        failing = "";
    }
}
#else
Test(library, a_failure_is_an_error_of_the_codec)
{
    cr_skip_test("a library is missing");
}
#endif
