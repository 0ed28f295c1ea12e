/* base/bytes.h -- big-endian loads and stores, varints, and small arithmetic.
 * Hot; everything is static inline. */
#ifndef KWI_BYTES_H
#define KWI_BYTES_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KWI_LIKELY(x) __builtin_expect(!!(x), 1)
#define KWI_UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline uint16_t kwi_get_u16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t kwi_get_u32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint64_t kwi_get_u64(const void *p)
{
    const uint8_t *b = p;
    return (uint64_t)kwi_get_u32(b) << 32 | kwi_get_u32(b + 4);
}

static inline void kwi_put_u16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
}

static inline void kwi_put_u32(void *p, uint32_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)(v >> 24);
    b[1] = (uint8_t)(v >> 16);
    b[2] = (uint8_t)(v >> 8);
    b[3] = (uint8_t)v;
}

static inline void kwi_put_u64(void *p, uint64_t v)
{
    uint8_t *b = p;
    kwi_put_u32(b, (uint32_t)(v >> 32));
    kwi_put_u32(b + 4, (uint32_t)v);
}

static inline uint64_t kwi_zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static inline int64_t kwi_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Bytes that v takes as LEB128: ceil(bits / 7), at least 1. */
static inline uint32_t kwi_uvarint_size(uint64_t v)
{
    uint32_t highest = 63 ^ (uint32_t)__builtin_clzll(v | 1);
    return (highest * 9 + 73) >> 6;
}

/* Writes v; returns the position behind it. */
static inline uint8_t *kwi_put_uvarint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

/* Reads at most max_bytes (5 for 32 bits, 10 for 64) before end into *v.
 * Returns the position behind, or NULL when it is cut or too long. */
static inline const uint8_t *kwi_read_uvarint(const uint8_t *p, const uint8_t *end,
                                              uint32_t max_bytes, uint64_t *v)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < max_bytes && p < end; i++) {
        uint64_t b = *p++;
        if ((i == 9 && b > 1) || (max_bytes == 5 && i == 4 && b > 15))
            return NULL;
        sum |= (b & 0x7f) << (7 * i);
        if (b < 0x80) {
            *v = sum;
            return p;
        }
    }
    return NULL;
}

/* Order of two texts by their bytes, the shorter one first: below 0, 0, above 0. */
static inline int kwi_bytes_compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;
    int order = n ? memcmp(a, b, n) : 0;

    return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

#endif
