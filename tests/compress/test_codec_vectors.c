/* covers: C39 C40 C41
 * Compressed bytes that Kafka's own classes made: what they hold, every
 * truncation, changed bytes. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "proto/batch.h"
#include "tests/compress/support.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/codec.inc"
#include "tests/vectors/records.inc"

enum { MAX = 64 << 20 };

static const struct kw_codec *codec_named(const char *name)
{
    static const char *const names[KW_CODEC_IDS] = {"none", "gzip", "snappy", "lz4", "zstd"};
    for (int id = 1; id < KW_CODEC_IDS; id++)
        if (strncmp(name, names[id], strlen(names[id])) == 0)
            return kw_codec_by_id(id);
    cr_assert_fail("%s is no codec", name);
    return NULL;
}

struct bench {
    struct memory memory;
    struct coder decoder;
};

static void bench_open(struct bench *bench, const struct kw_codec *codec)
{
    *bench = (struct bench){.memory = {.fail_at = -1}};
    cr_assert_eq(decoder_open(&bench->decoder, codec, &bench->memory), 0);
}

static void bench_close(struct bench *bench)
{
    coder_close(&bench->decoder);
    cr_assert_eq(bench->memory.used, 0);
}

/* Decodes a copy in a block of its exact size. */
static int bench_decode(struct bench *bench, const uint8_t *in, size_t len, unsigned flags,
                        struct output *output)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    int rc;
    memcpy(copy, in, len);
    rc = decode(&bench->decoder, copy, len, MAX, 0, 1000, flags, output);
    free(copy);
    return rc;
}

static uint8_t *vector_plain(const struct vector_codec *v, size_t *len)
{
    uint8_t *plain;
    if (v->plain_hex)
        return vector_bytes(v->plain_hex, len);
    *len = 70000;
    plain = malloc(*len);
    for (size_t i = 0; i < *len; i++)
        plain[i] = (uint8_t)((i * 31 + (i >> 7)) & 0x3f);
    cr_assert_eq(kwi_crc32c_portable(0, plain, *len), v->plain_crc32c);
    return plain;
}

/* gzip, lz4 and zstd end where their framing says; framed snappy does not, so a
 * cut between two chunks shows only as less. */
static void check_truncation(struct bench *bench, const uint8_t *p, size_t len, size_t plain_len,
                             unsigned flags)
{
    for (size_t n = 0; n<len; n += len> 2000 && n > 100 && n + 100 < len ? 37 : 1) {
        struct output output;
        int rc = bench_decode(bench, p, n, flags, &output);
        if (rc == 0)
            cr_assert(bench->decoder.codec->id == KW_CODEC_SNAPPY && output.len < plain_len);
        else
            cr_assert_eq(rc, KW_ERR_CODEC, "%s, %zu bytes: %s", bench->decoder.codec->name, n,
                         kw_err_name(rc));
        output_free(&bench->memory, &output);
    }
}

static void check_changes(struct bench *bench, const uint8_t *p, size_t len)
{
    uint8_t *copy = malloc(len);
    memcpy(copy, p, len);
    for (size_t i = 0; i<len; i += len> 2000 && i > 100 && i + 100 < len ? 41 : 1) {
        static const uint8_t masks[] = {0x01, 0x80, 0xff};
        for (int k = 0; k < 3; k++) {
            struct output output;
            int rc;
            copy[i] ^= masks[k];
            rc = bench_decode(bench, copy, len, 0, &output);
            cr_assert(rc == 0 || rc == KW_ERR_CODEC || rc == KW_ERR_BOMB, "%s at %zu: %s",
                      bench->decoder.codec->name, i, kw_err_name(rc));
            output_free(&bench->memory, &output);
            copy[i] ^= masks[k];
        }
    }
    free(copy);
}

Test(codec_vectors, each_decodes_to_its_plain_bytes)
{
    int n = 0;
    for (size_t i = 0; i < VECTOR_COUNT(vector_codecs); i++) {
        const struct vector_codec *v = &vector_codecs[i];
        const struct kw_codec *codec = codec_named(v->codec);
        struct bench bench;
        struct output output;
        size_t len, plain_len;
        uint8_t *p, *plain;
        unsigned flags = strstr(v->name, "legacy") ? KW_DECODE_FORMAT_0 : 0;
        if (!codec)
            continue;
        p = vector_bytes(v->hex, &len);
        plain = vector_plain(v, &plain_len);
        bench_open(&bench, codec);
        if (flags) {
            cr_assert_eq(bench_decode(&bench, p, len, 0, &output), KW_ERR_CODEC, "%s", v->name);
            output_free(&bench.memory, &output);
        }
        cr_assert_eq(bench_decode(&bench, p, len, flags, &output), 0, "%s", v->name);
        cr_assert(output.len == plain_len && memcmp(output.out, plain, plain_len) == 0, "%s",
                  v->name);
        output_free(&bench.memory, &output);
        check_truncation(&bench, p, len, plain_len, flags);
        check_changes(&bench, p, len);
        /* After all these errors. */
        cr_assert_eq(bench_decode(&bench, p, len, flags, &output), 0, "%s", v->name);
        output_free(&bench.memory, &output);
        bench_close(&bench);
        free(p);
        free(plain);
        n++;
    }
    cr_expect(n > 0 || !kw_codec_by_id(KW_CODEC_SNAPPY));
}

static const struct vector_record *record_vector(const char *name)
{
    for (size_t i = 0; i < VECTOR_COUNT(vector_records); i++)
        if (strcmp(vector_records[i].name, name) == 0)
            return &vector_records[i];
    cr_assert_fail("no vector %s", name);
    return NULL;
}

/* The batches with a codec in their name hold the records of those with none. */
Test(codec_vectors, compressed_batches_hold_the_records_of_the_plain_ones)
{
    static const char *const kinds[] = {"batch-v2-", "batch-v2-idempotent-"};
    for (int id = 1; id < KW_CODEC_IDS; id++) {
        const struct kw_codec *codec = kw_codec_by_id(id);
        for (int k = 0; codec && k < 2; k++) {
            char name[64];
            struct bench bench;
            struct output output;
            size_t len, plain_len;
            uint8_t *p, *plain;
            snprintf(name, sizeof(name), "%snone", kinds[k]);
            plain = vector_bytes(record_vector(name)->hex, &plain_len);
            snprintf(name, sizeof(name), "%s%s", kinds[k], codec->name);
            p = vector_bytes(record_vector(name)->hex, &len);
            cr_assert_eq(kwi_get_u16(p + KWI_BATCH_ATTRIBUTES) & KWI_BATCH_CODEC_MASK, id);
            bench_open(&bench, codec);
            cr_assert_eq(
                bench_decode(&bench, p + KWI_BATCH_HEADER, len - KWI_BATCH_HEADER, 0, &output), 0,
                "%s", name);
            cr_assert_eq(output.len, plain_len - KWI_BATCH_HEADER, "%s", name);
            cr_assert_arr_eq(output.out, plain + KWI_BATCH_HEADER, output.len, "%s", name);
            output_free(&bench.memory, &output);
            check_truncation(&bench, p + KWI_BATCH_HEADER, len - KWI_BATCH_HEADER, plain_len, 0);
            check_changes(&bench, p + KWI_BATCH_HEADER, len - KWI_BATCH_HEADER);
            bench_close(&bench);
            free(p);
            free(plain);
        }
    }
}

/* In messages of format 0 the checksum of the frame's header was computed over
 * the wrong bytes: byte 14 of the entry's value is it. */
Test(codec_vectors, the_old_lz4_header_checksum_is_accepted_where_it_belongs_only)
{
    const struct kw_codec *codec = kw_codec_by_id(KW_CODEC_LZ4);
    enum { VALUE = 12 + 14 }; /* entry head, then the value of a key-less format 0 entry */
    struct bench bench;
    struct output output;
    size_t len;
    uint8_t *p;
    if (!codec)
        cr_skip_test("built without lz4");
    p = vector_bytes(record_vector("message-set-v0-lz4")->hex, &len);
    bench_open(&bench, codec);
    cr_expect_eq(bench_decode(&bench, p + VALUE, len - VALUE, KW_DECODE_FORMAT_0, &output), 0);
    cr_expect(output.len > 800 && kwi_get_u32(output.out + 4) == 100, "the first inner offset");
    output_free(&bench.memory, &output);
    cr_expect_eq(bench_decode(&bench, p + VALUE, len - VALUE, 0, &output), KW_ERR_CODEC);
    output_free(&bench.memory, &output);
    bench_close(&bench);
    free(p);
}
