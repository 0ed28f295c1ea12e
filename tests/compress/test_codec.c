/* covers: C41
 * Round trips of each codec: chains of pieces, levels, budgets, reuse, limits. */
#include <criterion/criterion.h>

#include "tests/compress/support.h"

enum { MIB = 1 << 20, LEN_MAX = MIB };

static const struct kw_codec *built_in(int i)
{
    return kw_codec_by_id(i);
}

static struct memory memory_new(void)
{
    return (struct memory){.fail_at = -1};
}

/* Cuts len bytes into pieces of varying sizes, some of them empty. */
static size_t cut(uint8_t *ptr, size_t len, struct kw_iov *iov, size_t n_max, uint32_t seed)
{
    static const size_t sizes[] = {4096, 0, 16384, 65536, 1, 65536, 61, 65536, 0, 32768};
    size_t n = 0, at = 0;
    while (at < len) {
        size_t take = n + 1 == n_max ? len - at : sizes[(n + seed) % 10];
        if (take > len - at)
            take = len - at;
        iov[n++] = (struct kw_iov){ptr + at, take};
        at += take;
    }
    return n;
}

static void check_round_trip(const struct kw_codec *codec, int level, uint8_t *plain, size_t len,
                             size_t budget)
{
    struct memory memory = memory_new();
    struct coder encoder, decoder;
    struct output packed, again, back;
    struct kw_iov whole = {plain, len}, pieces[64];
    size_t n = cut(plain, len, pieces, 64, (uint32_t)len), bound = codec->bound(len);
    cr_assert_eq(encoder_open(&encoder, codec, level, LEN_MAX, &memory), 0, "%s %d", codec->name,
                 level);
    cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
    cr_assert_eq(encode(&encoder, &whole, 1, bound, SIZE_MAX, &packed), 0, "%s %d, %zu bytes",
                 codec->name, level, len);
    /* The same in pieces, and reusing the context; small steps change nothing. */
    cr_assert_eq(encode(&encoder, pieces, n, bound, budget, &again), 0, "%s", codec->name);
    cr_assert_eq(decode(&decoder, again.out, again.len, len > 0 ? len : 1, 0, budget, 0, &back), 0,
                 "%s level %d, %zu bytes in pieces", codec->name, level, len);
    cr_assert(back.len == len && memcmp(back.out, plain, len) == 0);
    output_free(&memory, &back);
    cr_assert_eq(decode(&decoder, packed.out, packed.len, len + 1, 0, SIZE_MAX, 0, &back), 0, "%s",
                 codec->name);
    cr_assert(back.len == len && memcmp(back.out, plain, len) == 0);
    if (codec->id == KW_CODEC_LZ4 || codec->id == KW_CODEC_SNAPPY)
        cr_assert(packed.len == again.len && memcmp(packed.out, again.out, packed.len) == 0,
                  "%s: pieces are compressed as the whole", codec->name);
    output_free(&memory, &back);
    output_free(&memory, &packed);
    output_free(&memory, &again);
    coder_close(&encoder);
    coder_close(&decoder);
    cr_assert_eq(memory.used, 0);
}

Test(codec, what_is_compressed_comes_back)
{
    static const size_t lens[] = {0,     1,     13,    100,    4096,   32768,
                                  65535, 65536, 65537, 131072, 300001, MIB};
    for (int id = 0; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = built_in(id);
        for (size_t i = 0; codec && i < sizeof(lens) / sizeof(*lens); i++) {
            uint8_t *plain = malloc(lens[i] > 0 ? lens[i] : 1);
            fill_text(plain, lens[i], 7);
            check_round_trip(codec, codec->level_default, plain, lens[i], 10000);
            fill_noise(plain, lens[i], 7);
            check_round_trip(codec, codec->level_default, plain, lens[i], 70000);
            free(plain);
        }
    }
}

Test(codec, every_level_works_and_no_other)
{
    static const int zstd_levels[] = {-(1 << 17), -7, -1, 0, 1, 2, 3, 7, 12, 15, 19, 22};
    enum { LEN = 200000 };
    uint8_t *plain = malloc(LEN);
    fill_text(plain, LEN, 99);
    for (int id = 0; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = built_in(id);
        if (!codec)
            continue;
        cr_expect_eq(codec->encoder_size(codec->level_min - 1, LEN_MAX), 0, "%s", codec->name);
        cr_expect_eq(codec->encoder_size(codec->level_max + 1, LEN_MAX), 0, "%s", codec->name);
        if (id == KW_CODEC_ZSTD)
            for (size_t i = 0; i < sizeof(zstd_levels) / sizeof(*zstd_levels); i++)
                check_round_trip(codec, zstd_levels[i], plain, LEN, 50000);
        else
            for (int level = codec->level_min; level <= codec->level_max; level++)
                check_round_trip(codec, level, plain, LEN, 50000);
    }
    free(plain);
}

Test(codec, a_higher_level_makes_less)
{
    enum { LEN = 200000 };
    uint8_t *plain = malloc(LEN);
    fill_text(plain, LEN, 99);
    for (int id = 0; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = built_in(id);
        struct memory memory = memory_new();
        struct kw_iov in = {plain, LEN};
        size_t len[2];
        if (!codec || codec->level_min == codec->level_max)
            continue;
        for (int i = 0; i < 2; i++) {
            struct coder encoder;
            struct output packed;
            int level = i ? codec->level_max : id == KW_CODEC_LZ4 ? 0 : 1;
            cr_assert_eq(encoder_open(&encoder, codec, level, LEN, &memory), 0);
            cr_assert_eq(encode(&encoder, &in, 1, codec->bound(LEN), SIZE_MAX, &packed), 0);
            len[i] = packed.len;
            output_free(&memory, &packed);
            coder_close(&encoder);
        }
        cr_expect_lt(len[1], len[0] * 97 / 100, "%s: %zu, %zu", codec->name, len[0], len[1]);
    }
    free(plain);
}

/* A zstd context made for small batches meets a large one, and the reverse. */
Test(codec, inputs_may_be_larger_than_announced)
{
    static const size_t announced[] = {1, 10000, 200000, 4 * MIB};
    enum { LEN = 3 * MIB };
    uint8_t *plain = malloc(LEN);
    fill_text(plain, LEN, 5);
    for (int id = 0; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = built_in(id);
        for (size_t i = 0; codec && i < 4; i++) {
            static const size_t lens[] = {LEN, 1, 17000, 0, 140000, 270000, LEN};
            struct memory memory = memory_new();
            struct coder encoder, decoder;
            cr_assert_eq(encoder_open(&encoder, codec, codec->level_default, announced[i], &memory),
                         0);
            cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
            for (size_t k = 0; k < sizeof(lens) / sizeof(*lens); k++) {
                struct kw_iov in = {plain, lens[k]};
                struct output packed, back;
                cr_assert_eq(encode(&encoder, &in, 1, codec->bound(lens[k]), 65536, &packed), 0,
                             "%s made for %zu: %zu bytes", codec->name, announced[i], lens[k]);
                cr_assert_eq(decode(&decoder, packed.out, packed.len, LEN, 0, 65536, 0, &back), 0);
                cr_assert(back.len == lens[k] && memcmp(back.out, plain, back.len) == 0);
                output_free(&memory, &packed);
                output_free(&memory, &back);
            }
            coder_close(&encoder);
            coder_close(&decoder);
        }
    }
    free(plain);
}

/* The core gives the plain length less one as room. */
Test(codec, output_that_does_not_fit_is_refused_and_the_context_lives_on)
{
    enum { LEN = 100000 };
    uint8_t *noise = malloc(LEN), *text = malloc(LEN);
    fill_noise(noise, LEN, 3);
    fill_text(text, LEN, 3);
    for (int id = 0; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = built_in(id);
        struct memory memory = memory_new();
        struct coder encoder;
        struct kw_iov in = {noise, LEN};
        struct output packed;
        size_t fits;
        if (!codec)
            continue;
        cr_assert_eq(encoder_open(&encoder, codec, codec->level_default, LEN, &memory), 0);
        cr_expect_eq(encode(&encoder, &in, 1, LEN - 1, SIZE_MAX, &packed), KW_ERR_SPACE, "%s",
                     codec->name);
        output_free(&memory, &packed);
        in.base = text;
        cr_assert_eq(encode(&encoder, &in, 1, LEN - 1, SIZE_MAX, &packed), 0, "%s", codec->name);
        fits = packed.len;
        output_free(&memory, &packed);
        for (size_t cap = 0; cap < fits; cap += cap < 40 || cap + 40 > fits ? 1 : 4999) {
            cr_assert_eq(encode(&encoder, &in, 1, cap, 30000, &packed), KW_ERR_SPACE,
                         "%s: %zu of %zu", codec->name, cap, fits);
            cr_assert_leq(packed.len, cap);
            output_free(&memory, &packed);
        }
        cr_assert_eq(encode(&encoder, &in, 1, LEN, SIZE_MAX, &packed), 0, "%s", codec->name);
        cr_expect_eq(packed.len, fits);
        output_free(&memory, &packed);
        coder_close(&encoder);
    }
    free(noise);
    free(text);
}

Test(codec, a_context_needs_the_size_that_it_says)
{
    for (int id = 0; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = built_in(id);
        size_t size;
        void *block;
        if (!codec)
            continue;
        size = codec->encoder_size(codec->level_default, LEN_MAX);
        block = malloc(size);
        cr_expect_eq(codec->encoder_init(block, size - 1, codec->level_default, LEN_MAX),
                     KW_ERR_NOMEM);
        cr_expect_eq(codec->encoder_init(block, size, codec->level_max + 1, LEN_MAX), KW_ERR_USE);
        cr_expect_eq(codec->encoder_init(block, size, codec->level_default, LEN_MAX), 0);
        free(block);
        size = codec->decoder_size();
        block = malloc(size);
        cr_expect_eq(codec->decoder_init(block, size - 1), KW_ERR_NOMEM);
        cr_expect_eq(codec->decoder_init(block, size), 0);
        cr_expect_leq(size, 256 << 10, "%s: %zu", codec->name, size);
        free(block);
    }
}

Test(codec, a_refused_allocation_harms_nothing)
{
    enum { LEN = 50000 };
    uint8_t *plain = malloc(LEN);
    fill_text(plain, LEN, 8);
    for (int id = 0; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = built_in(id);
        struct memory memory = memory_new();
        struct coder encoder, decoder;
        struct kw_iov in = {plain, LEN};
        struct output packed, back;
        int refused = 0;
        if (!codec)
            continue;
        cr_assert_eq(encoder_open(&encoder, codec, codec->level_default, LEN, &memory), 0);
        cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
        cr_assert_eq(encode(&encoder, &in, 1, LEN, SIZE_MAX, &packed), 0);
        for (int k = 0;; k++) { /* the first output, and those it grows to */
            int rc;
            memory.fail_at = memory.n_allocs + k;
            rc = decode(&decoder, packed.out, packed.len, MIB, 100, SIZE_MAX, 0, &back);
            if (rc == KW_ERR_NOMEM)
                refused++;
            else
                cr_assert_eq(rc, 0, "%s: %s", codec->name, kw_err_name(rc));
            if (rc == 0)
                cr_assert(back.len == LEN && memcmp(back.out, plain, LEN) == 0);
            output_free(&memory, &back);
            if (rc == 0)
                break;
        }
        cr_expect_geq(refused, 9, "%s: doubling from 100 to 50,000", codec->name);
        memory.fail_at = -1;
        output_free(&memory, &packed);
        coder_close(&encoder);
        coder_close(&decoder);
        cr_expect_eq(memory.used, 0);
    }
    free(plain);
}

Test(codec, ids_and_names_are_kafkas)
{
    static const char *const names[] = {NULL, "gzip", "snappy", "lz4", "zstd"};
    for (int id = 1; id < KW_CODEC_IDS; id++)
        if (built_in(id)) {
            cr_expect_str_eq(built_in(id)->name, names[id]);
            cr_expect_eq(built_in(id)->id, id);
        }
    cr_expect_null(built_in(0));
    cr_expect_null(built_in(5));
    cr_expect_null(built_in(-1));
}
