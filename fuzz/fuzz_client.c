/* fuzz_client.c -- a client and its brokers, with everything that may go wrong.
 *
 * covers: P14 P41 P42 C46 C47 N03 N06 N07 N08 M01 M02 M07
 *
 * The input is a script (fuzz/script.h): calls of the application, time, bytes
 * of the brokers that are honest, changed or noise, lost connections, late
 * confirmations, allocations that fail. The checks are those of fuzz/rig.h; at
 * the end the world is honest again and the client must close, with each
 * accepted record reported once, unless the script ends by a plain destroy. */
#include "fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size % SCRIPT_UNIT == 0) /* else a shorter one says the same */
        script_run(data, size, 0, true);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return script_mutate(data, size, max_size, seed);
}
