/* fuzz/decompress.h -- one input for the decoder of one codec; what all the
 * fuzz_decompress_X targets share. */
#ifndef FUZZ_DECOMPRESS_H
#define FUZZ_DECOMPRESS_H
#include <stddef.h>
#include <stdint.h>

/* The first byte of data chooses: bits 0-2 the budget, 3-4 the first output's
 * size, 5 the flag for format 0, 6-7 which growth of the output is refused. */
void fuzz_decompress(int codec_id, const uint8_t *data, size_t size);

#endif
