/* fuzz_frames.c -- the same bytes in other pieces are the same bytes.
 *
 * covers: N04 N07 N08
 *
 * A script (fuzz/script.h) runs three times: its answers arrive in pieces as
 * large as the client takes them, in random ones, and in bytes. What comes out
 * of the core -- requests, wants, events, records, reports -- must be the same,
 * and behind each piece the lent buffer holds garbage. No allocation fails here:
 * which one it hits may depend on the pieces. */
#include "fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole;
    if (size % SCRIPT_UNIT) /* a shorter one says the same */
        return 0;
    whole = script_run(data, size, 0, false);
    CHECK(script_run(data, size, 100, false) == whole);
    CHECK(script_run(data, size, 1, false) == whole);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return script_mutate(data, size, max_size, seed);
}
