/* covers: C38 C40
 * Frames that contradict themselves in one place each, and outputs that are too
 * small by a little. All are made by hand from the formats' descriptions, or from
 * what our encoders write. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "compress/xxh32.h"
#include "tests/compress/support.h"

enum { MAX = 1 << 20 };

/* Decodes an exact copy; first: the output to begin with, 0: what is suggested. */
static int decoded(int id, const void *bytes, size_t len, size_t max, size_t first,
                   struct output *output)
{
    struct memory memory = {.fail_at = -1};
    struct coder decoder;
    uint8_t *exact = malloc(len ? len : 1);
    int rc;
    memcpy(exact, bytes, len);
    cr_assert_eq(decoder_open(&decoder, kw_codec_by_id(id), &memory), 0);
    rc = decode(&decoder, exact, len, max, first, 65536, 0, output);
    coder_close(&decoder);
    free(exact);
    return rc;
}

static int result(int id, const void *bytes, size_t len, size_t max, size_t first)
{
    struct memory memory = {.fail_at = -1};
    struct output output;
    int rc = decoded(id, bytes, len, max, first, &output);
    output_free(&memory, &output);
    return rc;
}

static struct output packed(int id, const uint8_t *text, size_t len)
{
    struct memory memory = {.fail_at = -1};
    const struct kw_codec *codec = kw_codec_by_id(id);
    struct kw_iov in = {(void *)(uintptr_t)text, len};
    struct coder encoder;
    struct output output;
    cr_assert_eq(encoder_open(&encoder, codec, codec->level_default, MAX, &memory), 0);
    cr_assert_eq(encode(&encoder, &in, 1, codec->bound(len), 1000, &output), 0);
    coder_close(&encoder);
    return output;
}

Test(corners, an_encoder_without_room_says_so_at_every_size)
{
    static uint8_t text[300];
    for (int noise = 0; noise < 2; noise++) {
        if (noise)
            fill_noise(text, sizeof text, 3);
        else
            fill_text(text, sizeof text, 3);
        for (int id = 1; id < KW_CODEC_IDS; id++) {
            const struct kw_codec *codec = kw_codec_by_id(id);
            struct memory memory = {.fail_at = -1};
            struct coder encoder;
            struct output whole, part;
            struct kw_iov in = {text, sizeof text};
            if (!codec)
                continue;
            whole = packed(id, text, sizeof text);
            cr_assert_eq(encoder_open(&encoder, codec, codec->level_default, MAX, &memory), 0);
            for (size_t cap = 0; cap <= whole.len; cap++) {
                int rc = encode(&encoder, &in, 1, cap, 100, &part);
                cr_expect(cap < whole.len ? rc == KW_ERR_SPACE
                                          : rc == 0 && memcmp(part.out, whole.out, cap) == 0,
                          "%s: %d with %zu of %zu", codec->name, rc, cap, whole.len);
                memory_free(&memory, part.out, cap ? cap : 1);
            }
            coder_close(&encoder);
            output_free(&memory, &whole);
        }
    }
}

/* An output may be larger than the maximum; no more than that is made. */
Test(corners, an_output_above_the_maximum_is_not_used_up)
{
    static uint8_t text[5000];
    fill_text(text, sizeof text, 5);
    for (int id = 1; id < KW_CODEC_IDS; id++) {
        struct memory memory = {.fail_at = -1};
        struct output in, out;
        if (!kw_codec_by_id(id))
            continue;
        in = packed(id, text, sizeof text);
        cr_expect_eq(decoded(id, in.out, in.len, sizeof text, 9000, &out), 0);
        cr_expect(out.len == sizeof text && memcmp(out.out, text, out.len) == 0);
        output_free(&memory, &out);
        output_free(&memory, &in);
    }
}

/* ---- gzip ---------------------------------------------------------------------------- */

#define GZIP_HEAD 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3
#define GZIP_STORED(n) 1, (n), 0, 0xff ^ (n), 0xff

Test(corners, gzip_that_ends_with_its_output)
{
    /* One stored block of 8, no trailer: its last bytes look like a size of 8. */
    static const uint8_t cut[] = {GZIP_HEAD, GZIP_STORED(8), 1, 2, 3, 4, 8, 0, 0, 0};
    static const uint8_t follow[] = {GZIP_HEAD, GZIP_STORED(9), 1, 2, 3, 4, 5, 6, 7, 8, 9,
                                     /* no trailer: what only looks like a header */
                                     9, 0, 0, 0, 0x1f, 0x8c, 8, 9, 0, 0, 0, 0x1f, 0x8b, 9, 0, 0, 0,
                                     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
    struct memory memory = {.fail_at = -1};
    struct coder decoder;
    size_t hint;
    if (!kw_codec_by_id(KW_CODEC_GZIP))
        cr_skip_test("built without zlib");
    cr_expect_eq(result(KW_CODEC_GZIP, cut, sizeof cut, MAX, 0), KW_ERR_CODEC);
    cr_expect_eq(result(KW_CODEC_GZIP, cut, sizeof cut - 1, MAX, 0), KW_ERR_CODEC);
    cr_expect_eq(result(KW_CODEC_GZIP, follow, sizeof follow, MAX, 0), KW_ERR_CODEC);
    cr_assert_eq(decoder_open(&decoder, kw_codec_by_id(KW_CODEC_GZIP), &memory), 0);
    if (sizeof(size_t) > sizeof(unsigned))
        cr_expect_eq(
            decoder.codec->decode_begin(decoder.ctx, cut, (size_t)UINT_MAX + 1, MAX, 0, &hint),
            KW_ERR_CODEC, "more than zlib can count");
    coder_close(&decoder);
}

/* ---- lz4 ----------------------------------------------------------------------------- */

/* A frame with right header checksum: flags, descriptor, fields of n bytes. */
static size_t lz4_head(uint8_t *p, uint8_t flags, uint8_t descriptor, const uint8_t *fields,
                       size_t n)
{
    memcpy(p, "\x04\x22\x4d\x18", 4);
    p[4] = flags;
    p[5] = descriptor;
    memcpy(p + 6, fields, n);
    p[6 + n] = (uint8_t)(kwi_xxh32(p + 4, 2 + n) >> 8);
    return 7 + n;
}

static int lz4_result(uint8_t flags, uint8_t descriptor, const char *fields, size_t n,
                      const char *rest, size_t rest_len, size_t max, size_t first)
{
    uint8_t frame[128];
    size_t len = lz4_head(frame, flags, descriptor, (const uint8_t *)fields, n);
    memcpy(frame + len, rest, rest_len);
    return result(KW_CODEC_LZ4, frame, len + rest_len, max, first);
}

#define STORED_6       \
    "\x06\x00\x00\x80" \
    "abcdef"
#define SIZE_(n) n "\0\0\0\0\0\0\0"
#define LZ4(flags, descriptor, fields, rest, max, first) \
    lz4_result(flags, descriptor, fields, sizeof(fields) - 1, rest, sizeof(rest) - 1, max, first)

Test(corners, lz4_frames_that_contradict_themselves)
{
    if (!kw_codec_by_id(KW_CODEC_LZ4))
        cr_skip_test("built without lz4");
    cr_expect_eq(LZ4(0x60, 0x40, "", STORED_6 "\0\0\0\0", MAX, 0), 0);
    cr_expect_eq(LZ4(0x60, 0x40, "", STORED_6 "\0\0\0\0", MAX, 3), 0, "grows");
    cr_expect_eq(LZ4(0x60, 0x41, "", STORED_6 "\0\0\0\0", MAX, 0), KW_ERR_CODEC, "reserved bit");
    cr_expect_eq(LZ4(0x60, 0xc0, "", STORED_6 "\0\0\0\0", MAX, 0), KW_ERR_CODEC, "reserved bit");
    cr_expect_eq(LZ4(0x60, 0x30, "", STORED_6 "\0\0\0\0", MAX, 0), KW_ERR_CODEC, "block size");
    cr_expect_eq(LZ4(0x62, 0x40, "", STORED_6 "\0\0\0\0", MAX, 0), KW_ERR_CODEC, "reserved flag");
    /* The size of the content. */
    cr_expect_eq(LZ4(0x68, 0x40, SIZE_("\6"), STORED_6 "\0\0\0\0", MAX, 0), 0);
    cr_expect_eq(LZ4(0x68, 0x40, SIZE_("\7"), STORED_6 "\0\0\0\0", MAX, 0), KW_ERR_CODEC);
    cr_expect_eq(LZ4(0x68, 0x40, SIZE_("\5"), STORED_6 "\0\0\0\0", MAX, 100), KW_ERR_CODEC);
    cr_expect_eq(LZ4(0x68, 0x40, SIZE_("\5"), STORED_6 "\0\0\0\0", 5, 0), KW_ERR_BOMB);
    cr_expect_eq(LZ4(0x68, 0x40, "\5\0\0", "", MAX, 0), KW_ERR_CODEC, "cut in the size");
    /* The checksum of the content: of the six bytes, wrong, cut. */
    uint8_t sum[18] = STORED_6 "\0\0\0\0";
    uint32_t want = kwi_xxh32("abcdef", 6);
    for (int i = 0; i < 4; i++)
        sum[14 + i] = (uint8_t)(want >> 8 * i);
    cr_expect_eq(lz4_result(0x64, 0x40, "", 0, (const char *)sum, 18, MAX, 0), 0);
    cr_expect_eq(lz4_result(0x64, 0x40, "", 0, (const char *)sum, 17, MAX, 0), KW_ERR_CODEC);
    sum[15] ^= 1;
    cr_expect_eq(lz4_result(0x64, 0x40, "", 0, (const char *)sum, 18, MAX, 0), KW_ERR_CODEC);
}

/* Blocks of up to 4 MiB, so that the sizes have to be counted from the tokens. */
static int lz4_tokens(const char *tokens, size_t n)
{
    char rest[64] = {(char)n, 0, 0, 0};
    memcpy(rest + 4, tokens, n);
    memset(rest + 4 + n, 0, 4);
    return lz4_result(0x60, 0x70, "", 0, rest, 8 + n, 10, 0);
}

Test(corners, lz4_tokens_that_are_cut)
{
    if (!kw_codec_by_id(KW_CODEC_LZ4))
        cr_skip_test("built without lz4");
    cr_expect_eq(lz4_tokens("\x30"
                            "abc",
                            4),
                 0);
    cr_expect_eq(lz4_tokens("\xf0", 1), KW_ERR_CODEC, "no more length of literals");
    cr_expect_eq(lz4_tokens("\xf0\xff", 2), KW_ERR_CODEC);
    cr_expect_eq(lz4_tokens("\x30"
                            "ab",
                            3),
                 KW_ERR_CODEC, "literals");
    cr_expect_eq(lz4_tokens("\x10"
                            "a\1",
                            3),
                 KW_ERR_CODEC, "offset");
    cr_expect_eq(lz4_tokens("\x1f"
                            "a\1\0",
                            4),
                 KW_ERR_CODEC, "no more length of the match");
    cr_expect_eq(lz4_tokens("\x10"
                            "a\1\0",
                            4),
                 KW_ERR_CODEC, "a match at the end");
    cr_expect_eq(lz4_tokens("\x1f"
                            "a\1\0\x30\x10"
                            "b",
                            7),
                 KW_ERR_BOMB, "68 bytes");
}

/* ---- zstd ----------------------------------------------------------------------------- */

#define ZSTD_MAGIC "\x28\xb5\x2f\xfd"
#define ZSTD_SKIPPABLE "\x50\x2a\x4d\x18"
/* One segment of three bytes in one raw block. */
#define ZSTD_ABC                  \
    ZSTD_MAGIC "\x20\x03\x19\0\0" \
               "abc"
#define ZSTD(text, max, first) result(KW_CODEC_ZSTD, text, sizeof(text) - 1, max, first)

Test(corners, zstd_frames_that_contradict_themselves)
{
    if (!kw_codec_by_id(KW_CODEC_ZSTD))
        cr_skip_test("built without zstd");
    cr_expect_eq(ZSTD(ZSTD_ABC, MAX, 0), 0);
    cr_expect_eq(ZSTD(ZSTD_SKIPPABLE "\2\0\0\0xx" ZSTD_ABC, MAX, 0), 0, "skipped");
    cr_expect_eq(ZSTD(ZSTD_ABC ZSTD_SKIPPABLE "\0\0\0\0", MAX, 0), 0);
    cr_expect_eq(ZSTD(ZSTD_ABC ZSTD_SKIPPABLE "\0\0\0", MAX, 0), KW_ERR_CODEC, "cut");
    cr_expect_eq(ZSTD(ZSTD_ABC ZSTD_SKIPPABLE "\2\0\0\0x", MAX, 0), KW_ERR_CODEC, "longer");
    cr_expect_eq(ZSTD(ZSTD_ABC "\x51\x2a\x4d\x19\0\0\0\0", MAX, 0), KW_ERR_CODEC, "no magic");
    cr_expect_eq(ZSTD(ZSTD_ABC "\x28", MAX, 0), KW_ERR_CODEC, "no magic");
    cr_expect_eq(ZSTD(ZSTD_MAGIC "\x20\x04\x19\0\0"
                                 "abc",
                      MAX, 0),
                 KW_ERR_CODEC, "4 stated");
    cr_expect_eq(ZSTD(ZSTD_MAGIC "\x20\x02\x11\0\0"
                                 "ab",
                      MAX, 0),
                 0, "2 stated");
    cr_expect_eq(ZSTD(ZSTD_MAGIC "\x20\x02\x19\0\0"
                                 "abc",
                      MAX, 0),
                 KW_ERR_CODEC, "2 stated");
    cr_expect_eq(ZSTD(ZSTD_MAGIC "\x24\x03\x19\0\0"
                                 "abc"
                                 "\1\2\3",
                      MAX, 0),
                 KW_ERR_CODEC, "the checksum is cut");
    cr_expect_eq(ZSTD(ZSTD_MAGIC "\x24\x03\x19\0\0"
                                 "abc"
                                 "\1\2\3\4",
                      MAX, 0),
                 KW_ERR_CODEC, "the checksum is wrong");
    /* 256 stated, a raw block of 300. */
    static uint8_t larger[11 + 300] = {0x28, 0xb5, 0x2f, 0xfd, 0x40, 0x38, 0, 0, 0x61, 0x09, 0};
    cr_expect_eq(result(KW_CODEC_ZSTD, larger, sizeof larger, MAX, 0), KW_ERR_CODEC);
    larger[6] = 44;
    cr_expect_eq(result(KW_CODEC_ZSTD, larger, sizeof larger, MAX, 0), 0, "300 stated");
}

/* Compressed blocks whose frame does not say how much they hold: only decoding
 * shows that it is more than the maximum. */
Test(corners, zstd_that_only_decoding_shows_to_be_too_large)
{
    static uint8_t text[100000];
    struct memory memory = {.fail_at = -1};
    struct output in;
    uint8_t *frame;
    size_t head;
    if (!kw_codec_by_id(KW_CODEC_ZSTD))
        cr_skip_test("built without zstd");
    fill_text(text, sizeof text, 7);
    in = packed(KW_CODEC_ZSTD, text, sizeof text);
    /* Descriptor, window and size of our own frame go; a window of 2 MiB comes. */
    cr_assert_eq(in.out[4] & 0x20, 0x20, "one segment");
    head = 5 + ((size_t)1 << (in.out[4] >> 6));
    cr_assert_eq(in.out[4] & 0xc4, 0x80, "a size of 4 bytes, no checksum");
    frame = malloc(in.len);
    memcpy(frame, ZSTD_MAGIC "\0\x58", 6);
    memcpy(frame + 6, in.out + head, in.len - head);
    cr_expect_eq(result(KW_CODEC_ZSTD, frame, 6 + in.len - head, sizeof text, 1000), 0);
    cr_expect_eq(result(KW_CODEC_ZSTD, frame, 6 + in.len - head, sizeof text - 1, 0), KW_ERR_BOMB);
    free(frame);
    output_free(&memory, &in);
}
