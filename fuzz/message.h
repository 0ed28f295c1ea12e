/* fuzz/message.h -- what must hold of any message that was decoded. Shared by the
 * targets that decode messages and blobs; what does not hold aborts. */
#ifndef FUZZ_MESSAGE_H
#define FUZZ_MESSAGE_H
#include <stdlib.h>

#include "proto/schema.h"

#define CHECK(cond)  \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

union fuzz_message {
    uint8_t bytes[KWI_ELEM_MAX];
    uint64_t align;
};

/* A fault lies inside the input, prints, and is told alike without a struct. */
void fuzz_fault_check(const struct kw_fault *fault, int err, size_t size);

/* Arrays walk to their count, and what the message borrows lies in the frame. */
void fuzz_message_walk(const struct kw_schema *s, const void *msg, const uint8_t *frame,
                       size_t frame_size);

/* Field by field, arrays element by element. */
void fuzz_message_same(const struct kw_schema *s, const void *a, const void *b);

/* The encoding in a block of its size; measuring and writing agree. */
uint8_t *fuzz_message_encode(const struct kw_schema *s, int version, const void *msg, size_t *len);

/* Makes of a decoded message one that a caller built: arrays of structs, record
 * data in pieces. They live until the next call. False: it is too large for that. */
bool fuzz_message_thaw(const struct kw_schema *s, union fuzz_message *msg);

/* Decodes and, if that succeeds, takes the message all ways round: to bytes and
 * back, from the caller's own arrays, with record data left out, and into another
 * version. Returns what kwi_decode returned; *msg borrows from data. */
int fuzz_message_round(const struct kw_schema *s, int version, const uint8_t *data, size_t size,
                       union fuzz_message *msg);

#endif
