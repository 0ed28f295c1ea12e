/* fuzz_decompress_lz4.c -- what a broker may hand out as lz4 data.
 *
 * covers: C38 C39 C41 */
#include <kwire/codec.h>

#include "fuzz/decompress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_decompress(KW_CODEC_LZ4, data, size);
    return 0;
}
