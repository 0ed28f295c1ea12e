/* fuzz_client.c -- a client and its brokers, with everything that may go wrong.
 *
 * covers: N04 P14 P41 P42 C46 C47 N03 N06 N07 N08 M01 M02 M07 G28 G29 G34
 *
 * The input is a script (fuzz/script.h): calls of the application, time, bytes
 * of the brokers that are honest, changed or noise, lost connections, late
 * confirmations, allocations that fail. The checks are those of fuzz/rig.h; at
 * the end the world is honest again and the client must close, with each
 * accepted record reported once, unless the script ends by a plain destroy.
 *
 * An eighth of the scripts run twice, the second time with the answers in small
 * pieces: what comes out of the core -- requests, wants, events, records,
 * reports -- must be the same. No allocation fails then, because which one it
 * hits may depend on the pieces. */
#include "fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole;
    if (size % SCRIPT_UNIT) /* a shorter one says the same */
        return 0;
    if (size < SCRIPT_HEAD || (data[1] & SCRIPT_TWICE) != SCRIPT_TWICE) {
        script_run(data, size, 0, true);
        return 0;
    }
    whole = script_run(data, size, 0, false);
    CHECK(script_run(data, size, data[1] & 128 ? 1 : 100, false) == whole);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return script_mutate(data, size, max_size, seed);
}
