/* fuzz_decompress_zstd.c -- what a broker may hand out as zstd data.
 *
 * covers: C38 C39 */
#include <kwire/codec.h>

#include "fuzz/decompress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_decompress(KW_CODEC_ZSTD, data, size);
    return 0;
}
