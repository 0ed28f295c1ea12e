/* base/crc32c_hw.c -- the choice of a CRC-32C function where there is no
 * variant for the processor's family. The others are crc32c_hw_x86.c and
 * crc32c_hw_arm.c; exactly one of the three is not empty. */
#include "base/crc32c.h"

#if !(defined(__x86_64__) && defined(__GNUC__)) && \
    !(defined(__aarch64__) && defined(__linux__) && defined(__AARCH64EL__))

kwi_crc32c_fn *kwi_crc32c_ranked(unsigned nth)
{
    return nth == 0 ? kwi_crc32c_portable : NULL;
}

#endif
