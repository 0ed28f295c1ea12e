/* covers: C38 C39 C40
 * What expands beyond the maximum is refused, and with how much memory; what
 * stays at the maximum passes. The clock is no part of this: memory is, since
 * the output that is never allocated is never written either. */
#include <criterion/criterion.h>

#include "tests/compress/support.h"

enum { MIB = 1 << 20, BLOCK = 64 << 10, MAX = 4 * MIB };

static struct memory memory_new(void)
{
    return (struct memory){.fail_at = -1};
}

/* len zero bytes, compressed; one block of zeros serves as every piece. */
static struct output zeros(const struct kw_codec *codec, size_t len, struct memory *memory)
{
    static uint8_t block[BLOCK];
    size_t n = len / BLOCK;
    struct kw_iov *pieces = calloc(n + 1, sizeof(*pieces));
    struct coder encoder;
    struct output packed;
    for (size_t i = 0; i <= n; i++)
        pieces[i] = (struct kw_iov){block, i < n ? BLOCK : len % BLOCK};
    cr_assert_eq(encoder_open(&encoder, codec, codec->level_default, 16 * MIB, memory), 0);
    cr_assert_eq(encode(&encoder, pieces, n + 1, codec->bound(len), SIZE_MAX, &packed), 0, "%s",
                 codec->name);
    coder_close(&encoder);
    free(pieces);
    return packed;
}

/* Decodes with a maximum of MAX; the memory beside the context. */
static int refused(const struct kw_codec *codec, const uint8_t *in, size_t len, size_t *peak)
{
    struct memory memory = memory_new();
    struct coder decoder;
    struct output output;
    int rc;
    cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
    rc = decode(&decoder, in, len, MAX, 0, 65536, 0, &output);
    *peak = memory.peak - decoder.size;
    cr_assert_leq(memory.largest, MAX);
    output_free(&memory, &output);
    coder_close(&decoder);
    cr_assert_eq(memory.used, 0);
    return rc;
}

/* Those that our encoder makes say how large they become. */
Test(bombs, an_honest_one_costs_no_memory)
{
    for (int id = 1; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = kw_codec_by_id(id);
        struct memory memory = memory_new();
        struct output packed;
        size_t peak;
        if (!codec)
            continue;
        packed = zeros(codec, MAX + 1, &memory);
        cr_expect_lt(packed.len, MAX / 20, "%s", codec->name);
        cr_expect_eq(refused(codec, packed.out, packed.len, &peak), KW_ERR_BOMB, "%s", codec->name);
        cr_expect_eq(peak, 0, "%s allocated %zu", codec->name, peak);
        output_free(&memory, &packed);
        packed = zeros(codec, 16 * MAX, &memory);
        cr_expect_eq(refused(codec, packed.out, packed.len, &peak), KW_ERR_BOMB, "%s", codec->name);
        cr_expect_eq(peak, 0, "%s allocated %zu", codec->name, peak);
        output_free(&memory, &packed);
    }
}

Test(bombs, what_becomes_exactly_the_maximum_passes)
{
    for (int id = 1; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = kw_codec_by_id(id);
        struct memory memory = memory_new();
        struct output packed, output;
        struct coder decoder;
        if (!codec)
            continue;
        packed = zeros(codec, MAX, &memory);
        memory.peak = memory.used;
        cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
        cr_expect_eq(decode(&decoder, packed.out, packed.len, MAX, 0, 65536, 0, &output), 0, "%s",
                     codec->name);
        cr_expect_eq(output.len, MAX, "%s", codec->name);
        cr_expect_eq(memory.peak, packed.cap + decoder.size + MAX, "%s: one allocation, no growing",
                     codec->name);
        output_free(&memory, &output);
        /* The same with an output that starts too small, whatever the hint said. */
        cr_expect_eq(decode(&decoder, packed.out, packed.len, MAX, 1000, 65536, 0, &output), 0,
                     "%s", codec->name);
        cr_expect_eq(output.len, MAX, "%s", codec->name);
        output_free(&memory, &output);
        output_free(&memory, &packed);
        coder_close(&decoder);
    }
}

Test(bombs, gzip_that_lies_about_its_size)
{
    const struct kw_codec *codec = kw_codec_by_id(KW_CODEC_GZIP);
    struct memory memory = memory_new();
    struct output packed;
    size_t peak;
    uint8_t *two;
    if (!codec)
        cr_skip_test("built without zlib");
    packed = zeros(codec, 2 * MAX, &memory);
    /* As if it were 4 GiB, or whatever: found at the stated size. */
    memset(packed.out + packed.len - 4, 0, 4);
    cr_expect_eq(refused(codec, packed.out, packed.len, &peak), KW_ERR_CODEC);
    cr_expect_leq(peak, 1);
    memset(packed.out + packed.len - 3, 0x10, 1);
    cr_expect_eq(refused(codec, packed.out, packed.len, &peak), KW_ERR_CODEC);
    cr_expect_leq(peak, 0x1000);
    /* A small member behind it, so that the last size is small and true. The
     * size of the first stands before the second. */
    struct output small = zeros(codec, 100, &memory);
    two = malloc(packed.len + small.len);
    memcpy(two, packed.out, packed.len);
    memcpy(two + packed.len, small.out, small.len);
    cr_expect_eq(refused(codec, two, packed.len + small.len, &peak), KW_ERR_CODEC, "0x1000");
    cr_expect_leq(peak, 0x4000);
    two[packed.len - 3] = 0; /* 2 * MAX, as it is */
    two[packed.len - 2] = 2 * MAX >> 16 & 0xff;
    cr_expect_eq(refused(codec, two, packed.len + small.len, &peak), KW_ERR_BOMB);
    cr_expect_leq(peak, 100);
    /* A place that looks like another begin, with a smaller size before it, can
     * only cost what a batch at the maximum costs. */
    memcpy(two + packed.len - 30, "\xff\xff\x3f\x00\x1f\x8b\x08", 7);
    cr_expect_lt(refused(codec, two, packed.len + small.len, &peak), 0);
    cr_expect_leq(peak, MAX + MAX / 2);
    free(two);
    output_free(&memory, &small);
    output_free(&memory, &packed);
}

Test(bombs, several_members_or_frames_are_read_as_one)
{
    for (int id = 1; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = kw_codec_by_id(id);
        struct memory memory = memory_new();
        struct output first, second, output;
        struct coder decoder;
        uint8_t *both;
        if (!codec)
            continue;
        first = zeros(codec, 200000, &memory);
        second = zeros(codec, 17, &memory);
        both = malloc(first.len + second.len);
        memcpy(both, first.out, first.len);
        memcpy(both + first.len, second.out, second.len);
        cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
        cr_expect_eq(decode(&decoder, both, first.len + second.len, MAX, 0, 1000, 0, &output), 0,
                     "%s", codec->name);
        cr_expect_eq(output.len, 200017, "%s", codec->name);
        output_free(&memory, &output);
        cr_expect_eq(decode(&decoder, both, first.len + second.len, 200016, 0, 1000, 0, &output),
                     KW_ERR_BOMB, "%s", codec->name);
        output_free(&memory, &output);
        free(both);
        output_free(&memory, &first);
        output_free(&memory, &second);
        coder_close(&decoder);
    }
}

Test(bombs, a_snappy_size_is_believed_up_to_what_its_bytes_can_make)
{
    static const uint8_t four_gib[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x00};
    static const uint8_t one_mib[] = {0x80, 0x80, 0x40, 0x00, 0x00};
    static const uint8_t six_bytes[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00};
    static const uint8_t chunks[][28] = {
        {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0},
        {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff},
        {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1, 0, 'x'},
        {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 0, 'x'}};
    const struct kw_codec *codec = kw_codec_by_id(KW_CODEC_SNAPPY);
    size_t peak;
    if (!codec)
        cr_skip_test("built without snappy");
    cr_expect_eq(refused(codec, four_gib, sizeof(four_gib), &peak), KW_ERR_CODEC);
    cr_expect_eq(peak, 0);
    cr_expect_eq(refused(codec, one_mib, sizeof(one_mib), &peak), KW_ERR_CODEC);
    cr_expect_eq(peak, 0);
    cr_expect_eq(refused(codec, six_bytes, sizeof(six_bytes), &peak), KW_ERR_CODEC);
    for (size_t i = 0; i < 4; i++) {
        uint8_t *exact = malloc(23);
        memcpy(exact, chunks[i], 23);
        cr_expect_eq(refused(codec, exact, 23, &peak), KW_ERR_CODEC, "%zu", i);
        cr_expect_eq(peak, 0);
        free(exact);
    }
}

/* The output that the last size suggests is full before the last member ends. */
Test(bombs, gzip_whose_last_member_is_the_largest)
{
    const struct kw_codec *codec = kw_codec_by_id(KW_CODEC_GZIP);
    struct memory memory = memory_new();
    struct output first, second, output;
    struct coder decoder;
    uint8_t *both;
    if (!codec)
        cr_skip_test("built without zlib");
    first = zeros(codec, 17, &memory);
    second = zeros(codec, 200000, &memory);
    both = malloc(first.len + second.len);
    memcpy(both, first.out, first.len);
    memcpy(both + first.len, second.out, second.len);
    cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
    cr_expect_eq(decode(&decoder, both, first.len + second.len, MAX, 0, 1000, 0, &output), 0);
    cr_expect_eq(output.len, 200017);
    output_free(&memory, &output);
    cr_expect_eq(decode(&decoder, both, first.len + second.len, 200016, 0, 1000, 0, &output),
                 KW_ERR_BOMB);
    output_free(&memory, &output);
    free(both);
    output_free(&memory, &first);
    output_free(&memory, &second);
    coder_close(&decoder);
}

/* Many true members: what all become is known only when they are inflated, so they
 * may have less. Exactly that much passes. */
Test(bombs, gzip_in_many_members_may_become_less)
{
    enum { N = 8, EACH = MAX / KW_GZIP_SEVERAL_SHARE / N };
    const struct kw_codec *codec = kw_codec_by_id(KW_CODEC_GZIP);
    struct memory memory = memory_new();
    struct output one, output;
    struct coder decoder;
    uint8_t *all;
    if (!codec)
        cr_skip_test("built without zlib");
    one = zeros(codec, EACH, &memory);
    all = malloc((N + 1) * one.len);
    for (size_t i = 0; i <= N; i++)
        memcpy(all + i * one.len, one.out, one.len);
    cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
    cr_expect_eq(decode(&decoder, all, N * one.len, MAX, 0, 1000, 0, &output), 0);
    cr_expect_eq(output.len, (size_t)N * EACH);
    output_free(&memory, &output);
    cr_expect_eq(decode(&decoder, all, (N + 1) * one.len, MAX, 0, 1000, 0, &output), KW_ERR_BOMB);
    cr_expect_leq(output.len, (size_t)N * EACH);
    output_free(&memory, &output);
    free(all);
    output_free(&memory, &one);
    coder_close(&decoder);
}

/* A zstd frame of our own: no content size, blocks of 128 KiB from one byte. */
Test(bombs, zstd_without_a_size)
{
    const struct kw_codec *codec = kw_codec_by_id(KW_CODEC_ZSTD);
    enum { N = MAX / (128 << 10) };
    uint8_t frame[6 + (N + 1) * 4];
    size_t len = 0, peak;
    struct memory memory = memory_new();
    struct coder decoder;
    struct output output;
    if (!codec)
        cr_skip_test("built without zstd");
    memcpy(frame, "\x28\xb5\x2f\xfd\x00\x88", 6); /* window: 2^27, more than any buffer here */
    len = 6;
    for (int i = 0; i <= N; i++) {
        uint32_t size = i < N ? 128 << 10 : 1;
        uint32_t word = size << 3 | 1 << 1 | (i == N);
        frame[len++] = (uint8_t)word;
        frame[len++] = (uint8_t)(word >> 8);
        frame[len++] = (uint8_t)(word >> 16);
        frame[len++] = 'r';
    }
    cr_expect_eq(refused(codec, frame, len, &peak), KW_ERR_BOMB, "one byte above");
    cr_expect_eq(peak, 0);
    frame[len - 8] |= 1; /* the block before becomes the last */
    cr_expect_eq(refused(codec, frame, len, &peak), KW_ERR_CODEC, "bytes behind");
    cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
    cr_expect_eq(decode(&decoder, frame, len - 4, MAX, 0, 100000, 0, &output), 0);
    cr_expect_eq(output.len, MAX);
    cr_expect_eq(memory.peak, decoder.size + MAX, "no window");
    output_free(&memory, &output);
    coder_close(&decoder);
}

/* Two blocks of lz4 that say nothing: their tokens are counted. */
Test(bombs, lz4_without_a_size)
{
    const struct kw_codec *codec = kw_codec_by_id(KW_CODEC_LZ4);
    struct memory memory = memory_new();
    struct output packed;
    struct coder decoder;
    struct output output;
    size_t peak;
    if (!codec)
        cr_skip_test("built without lz4");
    packed = zeros(codec, MAX, &memory);
    packed.out[5] =
        0x70; /* blocks of up to 4 MiB: the bound from the headers is 64 times too high */
    packed.out[6] = 0x73;
    cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
    cr_expect_eq(decode(&decoder, packed.out, packed.len, MAX, 0, 100000, 0, &output), 0);
    cr_expect(output.len == MAX && output.cap == MAX, "%zu of %zu", output.len, output.cap);
    output_free(&memory, &output);
    coder_close(&decoder);
    output_free(&memory, &packed);
    packed = zeros(codec, MAX + 1, &memory);
    packed.out[5] = 0x70;
    packed.out[6] = 0x73;
    cr_expect_eq(refused(codec, packed.out, packed.len, &peak), KW_ERR_BOMB);
    cr_expect_eq(peak, 0);
    output_free(&memory, &packed);
}

Test(bombs, a_dictionary_is_refused)
{
    static const uint8_t lz4[] = {0x04, 0x22, 0x4d, 0x18, 0x61, 0x40, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x01, 0x01, 0x09, 0x00, 0x00, 'x'};
    size_t peak;
    if (kw_codec_by_id(KW_CODEC_LZ4))
        cr_expect_eq(refused(kw_codec_by_id(KW_CODEC_LZ4), lz4, sizeof(lz4), &peak), KW_ERR_CODEC);
    if (kw_codec_by_id(KW_CODEC_ZSTD))
        cr_expect_eq(refused(kw_codec_by_id(KW_CODEC_ZSTD), zstd, sizeof(zstd), &peak),
                     KW_ERR_CODEC);
}
