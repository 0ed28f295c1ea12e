/* base/crc32c_hw_x86_wide.c -- CRC-32C by VPCLMULQDQ, 256 bytes a turn.
 *
 * Sixteen sums of 128 bits stand side by side in four registers. In each turn all of them
 * are shifted over the 256 bytes that follow, by carry-less multiplication modulo the
 * polynomial, and the new bytes are added: no sum waits for its neighbour. At the end they
 * are folded into one, whose CRC the crc32 instruction takes.
 *
 * A sum is low * x^64 + high, reflected; the product of a reflected 64-bit number and a
 * 32-bit one, read as 128 bits, carries 33 x too many. So a shift by D bits multiplies low
 * by x^(D + 64 - 33) and high by x^(D - 33): tools/gen_crc32c_tables.py --fold. */
#include "base/crc32c_hw_x86.h"

#ifdef KWI_CRC32C_WIDE
#include <immintrin.h>

#define KWI_WIDE_TARGET __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))
#define KWI_WIDE_INLINE \
    __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2"), always_inline)) static inline

enum { CRC32C_WIDE_STEP = 64, CRC32C_WIDE_TURN = 4 * CRC32C_WIDE_STEP };

/* sum, shifted by factors, + next. */
KWI_WIDE_INLINE __m512i crc32c_wide_fold(__m512i sum, __m512i factors, __m512i next)
{
    enum { LOW_BY_LOW = 0x00, HIGH_BY_HIGH = 0x11, XOR_OF_THREE = 0x96 };
    __m512i low = _mm512_clmulepi64_epi128(sum, factors, LOW_BY_LOW);
    __m512i high = _mm512_clmulepi64_epi128(sum, factors, HIGH_BY_HIGH);
    return _mm512_ternarylogic_epi64(low, high, next, XOR_OF_THREE);
}

KWI_WIDE_INLINE __m512i crc32c_wide_factors(long long low, long long high)
{
    return _mm512_set_epi64(high, low, high, low, high, low, high, low);
}

/* The four sums of a register into one: each is shifted over those behind it. */
KWI_WIDE_INLINE __m128i crc32c_wide_join(__m512i sum)
{
    const __m512i factors = _mm512_set_epi64(0, 0, 0x493c7d27, 0xf20c0dfe, 0xba4fc28e, 0x3da6d0cb,
                                             0xddc0152b, 0x1c291d04);
    __m128i last = _mm512_extracti32x4_epi32(sum, 3);
    __m512i all = crc32c_wide_fold(sum, factors, _mm512_setzero_si512());
    __m128i front = _mm_xor_si128(_mm512_castsi512_si128(all), _mm512_extracti32x4_epi32(all, 1));
    return _mm_xor_si128(_mm_xor_si128(front, _mm512_extracti32x4_epi32(all, 2)), last);
}

/* At least one turn; what is left of len and p moves on. */
KWI_WIDE_INLINE __m512i crc32c_wide_sum(__m512i start, const uint8_t **p, size_t *len)
{
    const __m512i turn = crc32c_wide_factors(0xdcb17aa4, 0xb9e02b86);
    const __m512i step = crc32c_wide_factors(0x740eef02, 0x9e4addf8);
    const uint8_t *at = *p, *end = at + *len;
    __m512i a = _mm512_xor_si512(_mm512_loadu_si512(at), start);
    __m512i b = _mm512_loadu_si512(at + CRC32C_WIDE_STEP);
    __m512i c = _mm512_loadu_si512(at + 2 * CRC32C_WIDE_STEP);
    __m512i d = _mm512_loadu_si512(at + 3 * CRC32C_WIDE_STEP);
    for (at += CRC32C_WIDE_TURN; end - at >= CRC32C_WIDE_TURN; at += CRC32C_WIDE_TURN) {
        a = crc32c_wide_fold(a, turn, _mm512_loadu_si512(at));
        b = crc32c_wide_fold(b, turn, _mm512_loadu_si512(at + CRC32C_WIDE_STEP));
        c = crc32c_wide_fold(c, turn, _mm512_loadu_si512(at + 2 * CRC32C_WIDE_STEP));
        d = crc32c_wide_fold(d, turn, _mm512_loadu_si512(at + 3 * CRC32C_WIDE_STEP));
    }
    a = crc32c_wide_fold(crc32c_wide_fold(crc32c_wide_fold(a, step, b), step, c), step, d);
    for (; end - at >= CRC32C_WIDE_STEP; at += CRC32C_WIDE_STEP)
        a = crc32c_wide_fold(a, step, _mm512_loadu_si512(at));
    *len = (size_t)(end - at);
    *p = at;
    return a;
}

KWI_WIDE_TARGET uint32_t kwi_crc32c_x86_wide(uint32_t crc, const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    if (len < CRC32C_WIDE_TURN)
        return kwi_crc32c_x86(crc, ptr, len);
    __m512i start = _mm512_inserti32x4(_mm512_setzero_si512(), _mm_cvtsi32_si128((int32_t)~crc), 0);
    __m128i sum = crc32c_wide_join(crc32c_wide_sum(start, &p, &len));
    uint64_t state = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(sum));
    state = _mm_crc32_u64(state, (uint64_t)_mm_extract_epi64(sum, 1));
    return kwi_crc32c_x86(~(uint32_t)state, p, len);
}

#endif
