/* bombs.h -- batches that are small and claim or hide much, for the test that
 * bounds what refusing them takes and for the benchmark that times it. */
#ifndef BOMBS_H
#define BOMBS_H
#include "tests/client/unpack_bed.h"

/* What max.decompressed.batch.bytes is when the batch is read; from 4 MiB on. */
extern size_t bomb_max;

struct bomb_kind {
    const char *name;
    int codec; /* the kind is there if the codec is */
    int err;   /* what it is refused with; 0: it passes */
    struct bytes (*make)(int codec);
    size_t made_max; /* plain bytes that may be made of it, if below bomb_max */
};

extern const struct bomb_kind bomb_kinds[];
extern const int n_bomb_kinds;

#endif
