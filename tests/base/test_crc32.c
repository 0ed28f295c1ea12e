/* CRC-32 against Java's. */
#include <criterion/criterion.h>

#include "base/crc32.h"
#include "tests/vectors/vectors.h"
#include "tests/vectors/crc.inc"

Test(crc32, agrees_with_java)
{
    int n = 0;
    for (size_t i = 0; i < VECTOR_COUNT(vector_crcs); i++) {
        const struct vector_crc *v = &vector_crcs[i];
        size_t len;
        uint8_t *p = vector_bytes(v->input_hex, &len);
        if (v->has_crc32) {
            cr_expect_eq(kwi_crc32(0, p, len), v->crc32, "%s", v->input_hex);
            cr_expect_eq(kwi_crc32(kwi_crc32(0, p, len / 3), p + len / 3, len - len / 3), v->crc32);
            n++;
        }
        free(p);
    }
    cr_expect_gt(n, 0);
}

/* All of the table, against the definition. */
Test(crc32, every_byte_follows_the_polynomial)
{
    for (unsigned value = 0; value < 256; value++) {
        uint8_t byte = (uint8_t)value;
        uint32_t crc = 0xffffffffu ^ byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        cr_expect_eq(kwi_crc32(0, &byte, 1), ~crc, "byte %u", value);
    }
    cr_expect_eq(kwi_crc32(0, "", 0), 0);
    cr_expect_eq(kwi_crc32(0, "123456789", 9), 0xcbf43926u);
}
