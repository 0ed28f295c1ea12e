/* The checksum of lz4 frames: published values, and any cutting into pieces. */
#include <criterion/criterion.h>

#include "compress/xxh32.h"
#include "tests/compress/support.h"

Test(xxh32, known_values)
{
    cr_expect_eq(kwi_xxh32("", 0), 0x02cc5d05u);
    cr_expect_eq(kwi_xxh32("a", 1), 0x550d7456u);
    cr_expect_eq(kwi_xxh32("abc", 3), 0x32d153ffu);
    /* What Java's client has behind each header that it writes. */
    cr_expect_eq(kwi_xxh32("\x60\x40", 2) >> 8 & 0xff, 0x82);
}

Test(xxh32, pieces_make_the_same_value)
{
    uint8_t bytes[100];
    fill_noise(bytes, sizeof(bytes), 4);
    for (size_t len = 0; len <= sizeof(bytes); len++)
        for (size_t piece = 1; piece <= 40; piece++) {
            struct kw_xxh32 hash;
            kwi_xxh32_init(&hash);
            for (size_t at = 0; at < len; at += piece)
                kwi_xxh32_update(&hash, bytes + at, piece < len - at ? piece : len - at);
            cr_assert_eq(kwi_xxh32_value(&hash), kwi_xxh32(bytes, len), "%zu in %zu", len, piece);
        }
}
