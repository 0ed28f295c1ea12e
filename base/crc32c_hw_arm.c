/* base/crc32c_hw_arm.c -- CRC-32C by the optional instructions of ARMv8. */
#include "base/crc32c.h"

#if defined(__aarch64__) && defined(__linux__) && defined(__AARCH64EL__)
#include <string.h>
#include <sys/auxv.h>

/* The kernel's HWCAP_CRC32; its header is absent on some C libraries. */
#define KWI_HWCAP_CRC32 (1ul << 7)

/* Written as instructions, because arm_acle.h offers its names only when the
 * whole file is built for them, and then this could not run elsewhere. */
static inline uint32_t crc32c_arm_8(uint32_t crc, const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
}

static inline uint32_t crc32c_arm_1(uint32_t crc, uint8_t byte)
{
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t)byte));
    return crc;
}

static uint32_t crc32c_arm(uint32_t crc, const void *ptr, size_t len)
{
    const uint8_t *p = ptr;
    crc = ~crc;
    for (; len >= 32; len -= 32, p += 32) {
        crc = crc32c_arm_8(crc, p);
        crc = crc32c_arm_8(crc, p + 8);
        crc = crc32c_arm_8(crc, p + 16);
        crc = crc32c_arm_8(crc, p + 24);
    }
    for (; len >= 8; len -= 8, p += 8)
        crc = crc32c_arm_8(crc, p);
    for (; len > 0; len--, p++)
        crc = crc32c_arm_1(crc, *p);
    return ~crc;
}

kwi_crc32c_fn *kwi_crc32c_ranked(unsigned nth)
{
    if (!(getauxval(AT_HWCAP) & KWI_HWCAP_CRC32))
        nth++;
    return nth == 0 ? crc32c_arm : nth == 1 ? kwi_crc32c_portable : NULL;
}

#endif
