/* base/crc32c.h -- CRC-32C (Castagnoli): portable slicing-by-8, SSE4.2 with
 * PCLMUL folding, VPCLMULQDQ, ARMv8 CRC instructions; and combine, which joins the
 * CRCs of two neighbouring pieces in time that does not depend on their length.
 *
 * The core takes its function from kw_env.crc32c; the driver fills that by
 * kwi_crc32c_best(), which probes the processor (so it is not core code). */
#ifndef KWI_CRC32C_H
#define KWI_CRC32C_H
#include <stddef.h>
#include <stdint.h>

typedef uint32_t kwi_crc32c_fn(uint32_t crc, const void *ptr, size_t len);

/* Extends crc (0 at the start) over len bytes. */
uint32_t kwi_crc32c_portable(uint32_t crc, const void *ptr, size_t len);
/* CRC of A followed by B, from crc(A), crc(B) and len(B) in bytes. */
uint32_t kwi_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);
/* What this processor runs, the fastest first, as far as nth < KWI_CRC32C_RANKS; behind
 * the last NULL. Lives in base/crc32c_hw*.c, for each processor family, which are linked
 * into libkwire, not libkwire-core. */
enum { KWI_CRC32C_RANKS = 3 };
kwi_crc32c_fn *kwi_crc32c_ranked(unsigned nth);

static inline kwi_crc32c_fn *kwi_crc32c_best(void)
{
    return kwi_crc32c_ranked(0);
}

#endif
