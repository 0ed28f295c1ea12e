/* decompress.c -- decodes one input twice, in different steps and outputs, and
 * then once more as plain bytes: compressed and decompressed again.
 *
 * Checks, besides bad accesses: outputs stay within their blocks, which end
 * where the maximum says; a step makes progress; the result does not depend on
 * how it was cut into steps; a refused allocation leaves the context usable; what
 * the encoder makes comes back. */
#include "fuzz/decompress.h"

#include <kwire/codec.h>
#include <stdlib.h>
#include <string.h>

/* A maximum for which the sanitizer's allocator need not ask the kernel. */
enum { FUZZ_MAX = 1 << 17, FUZZ_STEPS_MAX = 1 << 19 };

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

struct fuzz_plan {
    size_t budget, first; /* first: 0 is the hint */
    unsigned flags;
    int fail_at; /* the growth that is refused, -1: none */
    bool anew;   /* contexts are made anew, else they served other inputs */
};

struct fuzz_output {
    uint8_t *ptr;
    size_t len, cap;
};

static void *fuzz_block(size_t size)
{
    void *ptr = malloc(size);
    CHECK(ptr);
    return ptr;
}

static int fuzz_grow(struct fuzz_output *output)
{
    size_t cap = 1;
    uint8_t *bigger;
    CHECK(output->cap < FUZZ_MAX);
    while (cap <= output->cap)
        cap *= 2;
    bigger = fuzz_block(cap);
    memcpy(bigger, output->ptr, output->len);
    free(output->ptr);
    output->ptr = bigger;
    output->cap = cap;
    return 1;
}

static int fuzz_decode(const struct kw_codec *codec, struct kw_codec_ctx *ctx, const uint8_t *in,
                       size_t len, const struct fuzz_plan *plan, struct fuzz_output *output)
{
    size_t hint = 0;
    int n_grown = 0, n_steps = 0;
    int rc = codec->decode_begin(ctx, in, len, FUZZ_MAX, plan->flags, &hint);
    *output = (struct fuzz_output){NULL, 0, 0};
    if (rc) {
        CHECK(rc == KW_ERR_CODEC || rc == KW_ERR_BOMB);
        return rc;
    }
    CHECK(hint >= 1 && hint <= FUZZ_MAX);
    output->cap = plan->first > 0 ? plan->first : hint;
    output->ptr = fuzz_block(output->cap);
    do {
        rc = codec->decode_step(ctx, output->ptr, output->cap, plan->budget, &output->len);
        CHECK(output->len <= output->cap && ++n_steps < FUZZ_STEPS_MAX);
        if (rc == KW_ERR_SPACE && n_grown++ == plan->fail_at)
            return KW_ERR_NOMEM;
        if (rc == KW_ERR_SPACE)
            rc = fuzz_grow(output);
    } while (rc == 1);
    CHECK(rc == 0 || rc == KW_ERR_CODEC || rc == KW_ERR_BOMB);
    return rc;
}

/* data as plain bytes, cut in two. */
static void fuzz_round_trip(const struct kw_codec *codec, struct kw_codec_ctx *decoder,
                            const uint8_t *data, size_t size, const struct fuzz_plan *plan)
{
    static struct kw_codec_ctx *ctx; /* one codec in a program: one block, as the core keeps it */
    size_t ctx_size = codec->encoder_size(codec->level_default, 1 << 16), cap = codec->bound(size);
    struct fuzz_plan whole = {SIZE_MAX, 0, 0, -1, false};
    struct fuzz_output packed = {fuzz_block(cap), 0, cap}, back;
    struct kw_iov in[2] = {{(void *)(uintptr_t)data, size / 3},
                           {(void *)(uintptr_t)(data + size / 3), size - size / 3}};
    int rc;
    if (!ctx || plan->anew) {
        ctx = ctx ? ctx : fuzz_block(ctx_size);
        CHECK(codec->encoder_init(ctx, ctx_size, codec->level_default, 1 << 16) == 0);
    }
    codec->encode_begin(ctx, in, 2);
    do
        rc = codec->encode_step(ctx, packed.ptr, cap, plan->budget, &packed.len);
    while (rc == 1);
    CHECK(rc == 0);
    rc = fuzz_decode(codec, decoder, packed.ptr, packed.len, &whole, &back);
    CHECK(rc == 0 && back.len == size && memcmp(back.ptr, data, size) == 0);
    free(back.ptr);
    free(packed.ptr);
}

void fuzz_decompress(int codec_id, const uint8_t *data, size_t size)
{
    static const size_t budgets[] = {1, 7, 100, 1000, 4096, 65536, FUZZ_MAX, SIZE_MAX};
    static const size_t firsts[] = {0, 1, 300, FUZZ_MAX};
    const struct kw_codec *codec = kw_codec_by_id(codec_id);
    struct fuzz_plan plan = {SIZE_MAX, 0, 0, -1, false}, other;
    struct fuzz_output one, two;
    static struct kw_codec_ctx *ctx;
    int rc, rc_other;
    if (!codec || size == 0 || size > FUZZ_MAX)
        return;
    plan.flags = data[0] & 32 ? KW_DECODE_FORMAT_0 : 0;
    other = (struct fuzz_plan){budgets[data[0] & 7], firsts[data[0] >> 3 & 3], plan.flags,
                               (data[0] >> 6) - 1, size % 16 == 0};
    data++;
    size--;
    if (!ctx || other.anew) {
        ctx = ctx ? ctx : fuzz_block(codec->decoder_size());
        CHECK(codec->decoder_init(ctx, codec->decoder_size()) == 0);
    }
    rc_other = fuzz_decode(codec, ctx, data, size, &other, &two);
    rc = fuzz_decode(codec, ctx, data, size, &plan, &one);
    CHECK(rc_other == KW_ERR_NOMEM || (rc == 0) == (rc_other == 0));
    if (rc == 0 && rc_other == 0)
        CHECK(one.len == two.len && memcmp(one.ptr, two.ptr, one.len) == 0);
    free(one.ptr);
    free(two.ptr);
    fuzz_round_trip(codec, ctx, data, size, &other);
}
