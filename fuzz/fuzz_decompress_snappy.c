/* fuzz_decompress_snappy.c -- what a broker may hand out as snappy data.
 *
 * covers: C38 C39 C40 */
#include <kwire/codec.h>

#include "fuzz/decompress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_decompress(KW_CODEC_SNAPPY, data, size);
    return 0;
}
