/* base/crc32c_hw_x86.c -- CRC-32C by SSE4.2 and PCLMUL.
 *
 * The crc32 instruction takes three cycles, but a new one can start in each.
 * So a long input is cut into three lanes that run side by side; a carry-less
 * multiplication shifts the CRCs of the first two over what follows them. A
 * short input, such as one record, is one lane: joining would cost more than
 * it saves. Loads need no alignment on this processor.
 *
 * Newer processors have something faster: crc32c_hw_x86_wide.c. */
#include "base/crc32c_hw_x86.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <nmmintrin.h>
#include <stdbool.h>
#include <string.h>
#include <wmmintrin.h>

#define KWI_X86_TARGET __attribute__((target("sse4.2,pclmul")))
#define KWI_X86_INLINE __attribute__((target("sse4.2,pclmul"), always_inline)) static inline

enum {
    CRC32C_X86_LONG = 1024, /* bytes per lane */
    CRC32C_X86_SHORT = 128
};

/* The CRC states of three lanes. */
struct kw_crc32c_lanes {
    uint64_t a, b, c;
};

KWI_X86_INLINE uint64_t crc32c_x86_8(uint64_t crc, const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return _mm_crc32_u64(crc, word);
}

KWI_X86_INLINE uint64_t crc32c_x86_32(uint64_t crc, const uint8_t *p)
{
    crc = crc32c_x86_8(crc, p);
    crc = crc32c_x86_8(crc, p + 8);
    crc = crc32c_x86_8(crc, p + 16);
    return crc32c_x86_8(crc, p + 24);
}

KWI_X86_INLINE void crc32c_x86_lanes_8(struct kw_crc32c_lanes *lanes, const uint8_t *p,
                                       size_t lane_size)
{
    lanes->a = crc32c_x86_8(lanes->a, p);
    lanes->b = crc32c_x86_8(lanes->b, p + lane_size);
    lanes->c = crc32c_x86_8(lanes->c, p + 2 * lane_size);
}

/* CRC of three neighbouring pieces of lane_size bytes. near and far are
 * x^(8 * lane_size - 33) and x^(16 * lane_size - 33), from
 * tools/gen_crc32c_tables.py --fold: the product of two reflected numbers has
 * one x too many, and the crc32 instruction that reduces it adds 32. */
KWI_X86_INLINE uint64_t crc32c_x86_block(uint64_t crc, const uint8_t *p, size_t lane_size,
                                         uint32_t near, uint32_t far)
{
    struct kw_crc32c_lanes lanes = {crc, 0, 0};
    for (const uint8_t *end = p + lane_size; p != end; p += 64) {
        crc32c_x86_lanes_8(&lanes, p, lane_size);
        crc32c_x86_lanes_8(&lanes, p + 8, lane_size);
        crc32c_x86_lanes_8(&lanes, p + 16, lane_size);
        crc32c_x86_lanes_8(&lanes, p + 24, lane_size);
        crc32c_x86_lanes_8(&lanes, p + 32, lane_size);
        crc32c_x86_lanes_8(&lanes, p + 40, lane_size);
        crc32c_x86_lanes_8(&lanes, p + 48, lane_size);
        crc32c_x86_lanes_8(&lanes, p + 56, lane_size);
    }
    __m128i a = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)lanes.a),
                                     _mm_cvtsi32_si128((int32_t)far), 0);
    __m128i b = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)lanes.b),
                                     _mm_cvtsi32_si128((int32_t)near), 0);
    uint64_t product = (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(a, b));
    return lanes.c ^ _mm_crc32_u64(0, product);
}

KWI_X86_TARGET uint32_t kwi_crc32c_x86(uint32_t start, const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    uint64_t crc = (uint32_t)~start;
    for (; len >= 3 * CRC32C_X86_LONG; len -= 3 * CRC32C_X86_LONG, p += 3 * CRC32C_X86_LONG)
        crc = crc32c_x86_block(crc, p, CRC32C_X86_LONG, 0x170076fa, 0xa51b6135);
    for (; len >= 3 * CRC32C_X86_SHORT; len -= 3 * CRC32C_X86_SHORT, p += 3 * CRC32C_X86_SHORT)
        crc = crc32c_x86_block(crc, p, CRC32C_X86_SHORT, 0x0d3b6092, 0xb9e02b86);
    for (; len >= 64; len -= 64, p += 64)
        crc = crc32c_x86_32(crc32c_x86_32(crc, p), p + 32);
    if (len & 32) {
        crc = crc32c_x86_32(crc, p);
        p += 32;
    }
    if (len & 16) {
        crc = crc32c_x86_8(crc32c_x86_8(crc, p), p + 8);
        p += 16;
    }
    if (len & 8) {
        crc = crc32c_x86_8(crc, p);
        p += 8;
    }
    uint32_t state = (uint32_t)crc;
    if (len & 4) {
        uint32_t word;
        memcpy(&word, p, 4);
        state = _mm_crc32_u32(state, word);
        p += 4;
    }
    if (len & 2) {
        uint16_t word;
        memcpy(&word, p, 2);
        state = _mm_crc32_u16(state, word);
        p += 2;
    }
    if (len & 1)
        state = _mm_crc32_u8(state, *p);
    return ~state;
}

kwi_crc32c_fn *kwi_crc32c_ranked(unsigned nth)
{
    bool has_crc32 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
#ifdef KWI_CRC32C_WIDE
    if (has_crc32 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq") &&
        nth-- == 0)
        return kwi_crc32c_x86_wide;
#endif
    if (has_crc32 && nth-- == 0)
        return kwi_crc32c_x86;
    return nth == 0 ? kwi_crc32c_portable : NULL;
}

#endif
