/* base/crc32c_hw_x86.h -- the variants of CRC-32C for x86-64. Only for a processor that has
 * the instructions: kwi_crc32c_ranked looks. */
#ifndef KWI_CRC32C_HW_X86_H
#define KWI_CRC32C_HW_X86_H
#include "base/crc32c.h"

/* Older compilers do not know of VPCLMULQDQ. */
#if defined(__x86_64__) && defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 8)
#define KWI_CRC32C_WIDE
#endif

/* SSE4.2 and PCLMUL. */
uint32_t kwi_crc32c_x86(uint32_t start, const void *ptr, size_t len);
/* AVX-512F and VPCLMULQDQ besides. */
uint32_t kwi_crc32c_x86_wide(uint32_t crc, const void *ptr, size_t len);

#endif
