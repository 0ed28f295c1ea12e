/* support.h -- what the tests of compress/ share: contexts and outputs from an
 * allocator that counts and can refuse, and the loops that the core will run. */
#ifndef COMPRESS_SUPPORT_H
#define COMPRESS_SUPPORT_H
#include <kwire/codec.h>

struct memory {
    size_t used, peak, largest; /* bytes */
    int n_allocs;
    int fail_at; /* the allocation (from 0) that is refused; -1: none */
};

void *memory_alloc(struct memory *memory, size_t size);
void memory_free(struct memory *memory, void *ptr, size_t size);

/* A context with its codec; ctx NULL if there was no memory. */
struct coder {
    const struct kw_codec *codec;
    struct kw_codec_ctx *ctx;
    size_t size;
    struct memory *memory;
};

int encoder_open(struct coder *coder, const struct kw_codec *codec, int level, size_t len_max,
                 struct memory *memory);
int decoder_open(struct coder *coder, const struct kw_codec *codec, struct memory *memory);
void coder_close(struct coder *coder);

/* Bytes in a block of exactly cap; give them back by memory_free(out, cap). */
struct output {
    uint8_t *out;
    size_t len, cap;
};

/* Compresses a chain into at most cap bytes. 0 or what the codec said. */
int encode(struct coder *coder, const struct kw_iov *in, size_t n, size_t cap, size_t budget,
           struct output *output);
/* Decompresses; grows as the core does. first: 0, or the size to begin with
 * instead of the hint. */
int decode(struct coder *coder, const void *in, size_t len, size_t max, size_t first, size_t budget,
           unsigned flags, struct output *output);
void output_free(struct memory *memory, struct output *output);

/* len bytes that compress like text, the same for the same seed. */
void fill_text(uint8_t *ptr, size_t len, uint32_t seed);
/* len bytes that do not compress. */
void fill_noise(uint8_t *ptr, size_t len, uint32_t seed);

#endif
