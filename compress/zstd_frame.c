/* zstd_frame.c -- walks the frames and blocks of zstd input.
 *
 *   frame  := magic 28 b5 2f fd, descriptor, [window], [size (1, 2, 4, 8)],
 *             block*, [checksum, 4]
 *   block  := header (3: bit 0 last, bits 1-2 type, the rest size), bytes
 *             type 0 raw, 1 one byte repeated `size` times, 2 compressed
 *   skippable frame := 5x 2a 4d 18, length (4), bytes
 *   Numbers are little-endian. */
#include "compress/zstd_frame.h"

enum {
    ZSTD_BLOCK_MAX = 128 << 10,
    ZSTD_DESCRIPTOR_RESERVED = 8,
    ZSTD_DESCRIPTOR_SUM = 4,
    ZSTD_DESCRIPTOR_SINGLE = 32, /* one segment: no window, it is all of the content */
    ZSTD_BLOCK_RAW = 0,
    ZSTD_BLOCK_RLE = 1,
    ZSTD_BLOCK_RESERVED = 3
};

static uint64_t zstd_number(const uint8_t *p, size_t len)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* Reads the header behind the magic. */
static const uint8_t *zstd_header(struct kw_zstd_walk *walk, const uint8_t *p, const uint8_t *end)
{
    uint64_t window;
    uint8_t descriptor;
    bool single;
    size_t size_len;
    if (p == end)
        return NULL;
    descriptor = *p++;
    single = descriptor & ZSTD_DESCRIPTOR_SINGLE;
    size_len = (size_t)1 << (descriptor >> 6);
    walk->has_size = single || size_len > 1;
    if (!walk->has_size)
        size_len = 0;
    if ((descriptor & (ZSTD_DESCRIPTOR_RESERVED | 3)) ||
        (size_t)(end - p) < size_len + (single ? 0 : 1))
        return NULL;
    if (single) {
        walk->size = zstd_number(p, size_len) + (size_len == 2 ? 256 : 0);
        window = walk->size;
    } else {
        uint64_t base = (uint64_t)1 << (10 + (*p >> 3));
        window = base + base / 8 * (*p & 7);
        p++;
        walk->size = zstd_number(p, size_len) + (size_len == 2 ? 256 : 0);
    }
    walk->block_max = window < ZSTD_BLOCK_MAX ? (uint32_t)window : ZSTD_BLOCK_MAX;
    walk->has_sum = descriptor & ZSTD_DESCRIPTOR_SUM;
    walk->blocks = (struct kw_zstd_size){0, 0};
    walk->in_frame = true;
    return p + size_len;
}

static const uint8_t *zstd_skip(const uint8_t *p, const uint8_t *end)
{
    uint64_t len;
    if (end - p < 4)
        return NULL;
    len = zstd_number(p, 4);
    p += 4;
    return len > (size_t)(end - p) ? NULL : p + len;
}

static const uint8_t *zstd_block(struct kw_zstd_walk *walk, const uint8_t *p, const uint8_t *end,
                                 struct kw_zstd_size *total)
{
    uint32_t word, size, type, len;
    if (end - p < 3)
        return NULL;
    word = (uint32_t)zstd_number(p, 3);
    p += 3;
    size = word >> 3;
    type = word >> 1 & 3;
    len = type == ZSTD_BLOCK_RLE ? 1 : size;
    if (type == ZSTD_BLOCK_RESERVED || size > walk->block_max || len > (size_t)(end - p))
        return NULL;
    p += len;
    if (type == ZSTD_BLOCK_RAW || type == ZSTD_BLOCK_RLE) {
        walk->blocks.least += size;
        walk->blocks.most += size;
    } else {
        walk->blocks.most += walk->block_max;
    }
    if (!(word & 1))
        return p;
    walk->in_frame = false;
    if (walk->has_size && (walk->size < walk->blocks.least || walk->size > walk->blocks.most))
        return NULL;
    total->least += walk->has_size ? walk->size : walk->blocks.least;
    total->most += walk->has_size ? walk->size : walk->blocks.most;
    if (!walk->has_sum)
        return p;
    return end - p < 4 ? NULL : p + 4;
}

const uint8_t *kwi_zstd_walk(struct kw_zstd_walk *walk, const uint8_t *p, const uint8_t *end,
                             struct kw_zstd_size *total)
{
    uint32_t magic;
    if (walk->in_frame)
        return zstd_block(walk, p, end, total);
    if (end - p < 4)
        return NULL;
    magic = (uint32_t)zstd_number(p, 4);
    if (magic == 0xfd2fb528u)
        return zstd_header(walk, p + 4, end);
    if ((magic & 0xfffffff0u) == 0x184d2a50u)
        return zstd_skip(p + 4, end);
    return NULL;
}
