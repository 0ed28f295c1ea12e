/* compress/xxh32.h -- the 32-bit xxHash that lz4 frames carry (of the header's
 * fields, of blocks, of the content). Not for hash tables. */
#ifndef KWI_XXH32_H
#define KWI_XXH32_H
#include <stddef.h>
#include <stdint.h>

struct kw_xxh32 {
    uint32_t lane[4];
    uint64_t len;      /* bytes so far */
    uint8_t stage[16]; /* len % 16 bytes wait here */
};

/* Seed 0. */
void kwi_xxh32_init(struct kw_xxh32 *hash);
void kwi_xxh32_update(struct kw_xxh32 *hash, const void *ptr, size_t len);
uint32_t kwi_xxh32_value(const struct kw_xxh32 *hash);
/* All at once. */
uint32_t kwi_xxh32(const void *ptr, size_t len);

#endif
