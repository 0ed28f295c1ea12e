/* covers: C36
 * CRC-32C: published and Kafka-made values, the fast function against the
 * portable one, and combine against the whole. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/rng.h"

static unsigned char *random_bytes(size_t len, unsigned char seed_byte)
{
    uint8_t seed[32] = {seed_byte};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    unsigned char *bytes = malloc(len ? len : 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)kwi_rng_next(&rng);
    return bytes;
}

/* One bit at a time, as the definition says. */
static uint32_t crc_by_definition(const unsigned char *bytes, size_t len)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

/* How many functions this processor runs: the portable one is the last of them. */
static unsigned n_fns(void)
{
    unsigned n = 0;
    while (n < KWI_CRC32C_RANKS && kwi_crc32c_ranked(n))
        n++;
    return n;
}

static void expect_known(kwi_crc32c_fn *crc32c)
{
    /* From Kafka 4.3.1's Crc32C class, except the 32 bytes of RFC 3720 B.4. */
    static const struct {
        const char *text;
        uint32_t crc;
    } known[] = {
        {"", 0x00000000},
        {"123456789", 0xe3069283},
        {"kafka", 0x084b20e1},
        {"The quick brown fox jumps over the lazy dog", 0x22620404},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        cr_assert_eq(crc32c(0, known[i].text, strlen(known[i].text)), known[i].crc);
    unsigned char block[32] = {0};
    cr_assert_eq(crc32c(0, block, 32), 0x8a9136aa);
    memset(block, 0xff, 32);
    cr_assert_eq(crc32c(0, block, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        block[i] = (unsigned char)i;
    cr_assert_eq(crc32c(0, block, 32), 0x46dd794e);
}

Test(crc32c, known_values_come_out_of_every_function)
{
    expect_known(kwi_crc32c_portable);
    for (unsigned i = 0; i < n_fns(); i++)
        expect_known(kwi_crc32c_ranked(i));
    /* 70,000 bytes that Kafka's codecs were fed with. */
    unsigned char *bytes = malloc(70000);
    for (int i = 0; i < 70000; i++)
        bytes[i] = (unsigned char)((i * 31 + (i >> 7)) & 0x3f);
    cr_assert_eq(kwi_crc32c_portable(0, bytes, 70000), 0x6e0a5885);
    for (unsigned i = 0; i < n_fns(); i++)
        cr_assert_eq(kwi_crc32c_ranked(i)(0, bytes, 70000), 0x6e0a5885);
    free(bytes);
}

Test(crc32c, the_portable_function_is_the_last_that_a_processor_runs)
{
    cr_assert_gt(n_fns(), 0);
    cr_assert_eq(kwi_crc32c_ranked(n_fns() - 1), kwi_crc32c_portable);
    cr_assert_null(kwi_crc32c_ranked(KWI_CRC32C_RANKS));
}

Test(crc32c, functions_agree_at_every_short_length_and_alignment)
{
    for (size_t len = 0; len <= 600; len++) {
        for (size_t offset = 0; offset <= 16; offset++) {
            unsigned char *bytes = random_bytes(offset + len, (unsigned char)(len + offset));
            uint32_t expected = crc_by_definition(bytes + offset, len);
            for (unsigned i = 0; i < n_fns(); i++)
                cr_assert_eq(kwi_crc32c_ranked(i)(0, bytes + offset, len), expected,
                             "%u: %zu at %zu", i, len, offset);
            free(bytes);
        }
    }
}

Test(crc32c, functions_agree_on_megabytes_and_around_the_lane_sizes)
{
    size_t size = 5u << 20;
    unsigned char *bytes = random_bytes(size, 7);
    uint32_t whole = crc_by_definition(bytes, size);
    for (unsigned i = 0; i < n_fns(); i++) {
        kwi_crc32c_fn *crc32c = kwi_crc32c_ranked(i);
        for (size_t len = size - 40; len <= size; len++)
            cr_assert_eq(crc32c(1, bytes, len), kwi_crc32c_portable(1, bytes, len));
        for (size_t len = 3000; len < 3600; len++)
            cr_assert_eq(crc32c(9, bytes + 3, len), kwi_crc32c_portable(9, bytes + 3, len));
        cr_assert_eq(crc32c(0, bytes, size), whole);
    }
    free(bytes);
}

Test(crc32c, pieces_one_after_the_other_give_the_whole)
{
    unsigned char *bytes = random_bytes(5000, 3);
    uint32_t whole = crc_by_definition(bytes, 5000);
    for (unsigned i = 0; i < n_fns(); i++) {
        kwi_crc32c_fn *crc32c = kwi_crc32c_ranked(i);
        for (size_t cut = 0; cut <= 5000; cut += 7)
            cr_assert_eq(crc32c(crc32c(0, bytes, cut), bytes + cut, 5000 - cut), whole);
    }
    free(bytes);
}

Test(crc32c, combine_gives_the_whole_at_every_split)
{
    size_t size = 70000;
    unsigned char *bytes = random_bytes(size, 5);
    kwi_crc32c_fn *best = kwi_crc32c_best();
    uint32_t whole = best(0, bytes, size);
    for (size_t cut = 0; cut <= size; cut += cut < 700 || cut > size - 700 ? 1 : 611) {
        uint32_t a = best(0, bytes, cut);
        uint32_t b = best(0, bytes + cut, size - cut);
        cr_assert_eq(kwi_crc32c_combine(a, b, size - cut), whole, "cut at %zu", cut);
    }
    free(bytes);
}

/* Appending n zero bytes and then m more is appending n + m, for any size;
 * the sums cross the places where the exponent is folded. */
Test(crc32c, combine_is_right_for_lengths_that_no_memory_holds)
{
    static const uint64_t lengths[] = {
        0x7ffffffe,   0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x3fffffff00000001,
        0x4000000000, 1,          255,        256,        65536,       0x0123456789abcdef,
    };
    size_t n = sizeof(lengths) / sizeof(lengths[0]);
    uint32_t start = 0xdeadbeef;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            uint32_t in_two = kwi_crc32c_combine(kwi_crc32c_combine(start, 0, lengths[i]), 0,
                                                 lengths[j]);
            cr_assert_eq(in_two, kwi_crc32c_combine(start, 0, lengths[i] + lengths[j]));
        }
    }
    /* 2^31 - 1 bytes bring every power of x back to where it was. */
    cr_assert_eq(kwi_crc32c_combine(start, 0, 0x7fffffff), start);
    cr_assert_neq(kwi_crc32c_combine(start, 0, 0x7ffffffe), start);
    cr_assert_eq(kwi_crc32c_combine(start, 0x1234, 0), start ^ 0x1234);
    uint64_t near_top = UINT64_MAX;
    uint32_t expected = start;
    /* 2^64 - 1 = 4 * (2^31 - 1) * (2^31 + 1) + 3 */
    expected = kwi_crc32c_combine(expected, 0, 3);
    cr_assert_eq(kwi_crc32c_combine(start, 0, near_top), expected);
}
