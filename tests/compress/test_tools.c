/* Both ways with the command-line tools gzip, lz4 and zstd, where they are. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/compress/support.h"

enum { LEN = 300000, CAP = 1 << 20 };

/* Runs `command < bytes`; what it printed goes to out. Its length, or -1. */
static long run(const char *command, const uint8_t *in, size_t len, uint8_t *out, size_t cap)
{
    char path[] = "/tmp/kwire-codec-XXXXXX", line[200];
    int fd = mkstemp(path);
    FILE *pipe;
    size_t n;
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, in, len), (ssize_t)len);
    close(fd);
    snprintf(line, sizeof(line), "(%s) < %s 2>/dev/null", command, path);
    pipe = popen(line, "r");
    cr_assert_not_null(pipe);
    n = fread(out, 1, cap, pipe);
    int status = pclose(pipe);
    unlink(path);
    return status == 0 ? (long)n : -1;
}

static void check_tool(int id, const char *name, const char *const *packs, const char *unpack)
{
    const struct kw_codec *codec = kw_codec_by_id(id);
    uint8_t *plain = malloc(LEN), *buf = malloc(CAP);
    struct memory memory = {.fail_at = -1};
    struct kw_iov in = {plain, LEN};
    struct coder encoder, decoder;
    struct output output;
    char probe[64];
    long n;
    snprintf(probe, sizeof(probe), "command -v %s >/dev/null", name);
    if (!codec || system(probe) != 0)
        cr_skip_test("no %s", name);
    fill_text(plain, LEN, 42);
    cr_assert_eq(encoder_open(&encoder, codec, codec->level_default, LEN, &memory), 0);
    cr_assert_eq(decoder_open(&decoder, codec, &memory), 0);
    cr_assert_eq(encode(&encoder, &in, 1, LEN, 10000, &output), 0);
    n = run(unpack, output.out, output.len, buf, CAP);
    cr_expect(n == LEN && memcmp(buf, plain, LEN) == 0, "%s: %.*s", unpack, n < 0 ? 100 : 0,
              (char *)buf);
    output_free(&memory, &output);
    for (; *packs; packs++) {
        int rc;
        n = run(*packs, plain, LEN, buf, CAP);
        cr_assert_gt(n, 0, "%s: %.100s", *packs, (char *)buf);
        rc = decode(&decoder, buf, (size_t)n, LEN, 0, 50000, 0, &output);
        cr_expect(rc == 0 && output.len == LEN && memcmp(output.out, plain, LEN) == 0, "%s: %s",
                  *packs, kw_err_name(rc));
        output_free(&memory, &output);
    }
    coder_close(&encoder);
    coder_close(&decoder);
    free(plain);
    free(buf);
}

Test(tools, gzip)
{
    static const char *const packs[] = {"gzip -1", "gzip -9", NULL};
    check_tool(KW_CODEC_GZIP, "gzip", packs, "gzip -dc");
}

/* -BD: linked blocks; -BX: block checksums; the content checksum is on unless
 * --no-frame-crc. */
Test(tools, lz4)
{
    static const char *const packs[] = {"lz4 -zc -B4",
                                        "lz4 -zc -B7 -9",
                                        "lz4 -zc -B4 -BD",
                                        "lz4 -zc -B5 -BD -BX",
                                        "lz4 -zc -BX --no-frame-crc",
                                        "lz4 -zc --content-size",
                                        NULL};
    check_tool(KW_CODEC_LZ4, "lz4", packs, "lz4 -dc");
}

Test(tools, zstd)
{
    static const char *const packs[] = {
        "zstd -c",          "zstd -c --no-check", "zstd -c -19", "zstd -c --ultra -22 --long=27",
        "zstd -c --fast=5", "cat | zstd -c",      NULL};
    check_tool(KW_CODEC_ZSTD, "zstd", packs, "zstd -dc");
}
