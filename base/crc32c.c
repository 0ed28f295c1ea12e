/* base/crc32c.c -- CRC-32C in portable C, and combine.
 *
 * Slicing by eight: one table per position in a group of eight bytes, so that
 * the eight look-ups do not wait for each other. Words are put together from
 * bytes; compilers make one load of that where the byte order allows.
 *
 * All numbers are reflected: bit 31 is the coefficient of x^0. */
#include "base/crc32c.h"
#include "base/crc32c_tables.h"

static uint32_t crc32c_load(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

uint32_t kwi_crc32c_portable(uint32_t crc, const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    crc = ~crc;
    for (; len >= 8; len -= 8, p += 8) {
        uint32_t low = crc32c_load(p) ^ crc;
        uint32_t high = crc32c_load(p + 4);
        crc = crc32c_slice[7][low & 255] ^ crc32c_slice[6][low >> 8 & 255] ^
              crc32c_slice[5][low >> 16 & 255] ^ crc32c_slice[4][low >> 24] ^
              crc32c_slice[3][high & 255] ^ crc32c_slice[2][high >> 8 & 255] ^
              crc32c_slice[1][high >> 16 & 255] ^ crc32c_slice[0][high >> 24];
    }
    for (; len > 0; len--, p++)
        crc = crc >> 8 ^ crc32c_slice[0][(crc ^ *p) & 255];
    return ~crc;
}

/* a * b modulo the polynomial. */
static uint32_t crc32c_multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (unsigned i = 0; i < 32; i++) {
        product = product >> 1 ^ (0x82f63b78 & (0 - (product & 1)));
        product ^= b & (0 - (a & 1));
        a >>= 1;
    }
    return product;
}

/* crc(A B) = crc(A) * x^(8 * len(B)) + crc(B): the inversions at both ends
 * cancel. The order of x is 2^31 - 1, so the length counts modulo that, and
 * four digits of eight bits hold any length. */
uint32_t kwi_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
    uint64_t n = (len_b >> 62) + (len_b >> 31 & 0x7fffffff) + (len_b & 0x7fffffff);
    n = (n >> 31) + (n & 0x7fffffff);
    for (unsigned k = 0; k < 4 && n > 0; k++, n >>= 8) {
        if (n & 255)
            crc_a = crc32c_multiply(crc_a, crc32c_power[k][n & 255]);
    }
    return crc_a ^ crc_b;
}
