/* base/crc32.h -- CRC-32 of ISO 3309, as zlib computes it. */
#ifndef KWI_CRC32_H
#define KWI_CRC32_H
#include <stddef.h>
#include <stdint.h>

/* Extends crc (0 at the start) over len bytes. */
uint32_t kwi_crc32(uint32_t crc, const void *ptr, size_t len);

#endif
