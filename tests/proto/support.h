/* support.h -- what the tests of proto/ share: walking, copying and comparing
 * messages by their tables. */
#ifndef PROTO_SUPPORT_H
#define PROTO_SUPPORT_H
#include <stdlib.h>

#include "proto/schema.h"

/* Large enough for every top-level message; checked by test_tables. */
enum { MESSAGE_MAX = KWI_ELEM_MAX };
union message {
    uint8_t bytes[MESSAGE_MAX];
    uint64_t align;
};

/* A block of exactly len bytes (one byte if len is 0). Aborts without memory. */
void *exact_block(const void *src, size_t len);

/* Reads every array of a decoded message down to its leaves. True if each had
 * as many elements as it says. */
bool message_walks(const struct kw_schema *schema, const void *msg);

/* Replaces every decoded array by heap copies of its elements, as a caller who
 * builds a message would have them; message_free gives them back. */
void message_thaw(const struct kw_schema *schema, void *msg);
void message_free(const struct kw_schema *schema, void *msg);

/* Builds a message in which nothing is set but one element, equally unset, in
 * each array that the version has. Structs that are null by default stay so. message_free gives the elements back. */
void message_build_init(const struct kw_schema *schema, int version, void *msg);

/* The encoding in an exact heap block, or NULL with *err set. */
uint8_t *message_encode(const struct kw_schema *schema, int version, const void *msg, size_t *len,
                        int *err);

/* The JSON text, NUL-terminated, on the heap. */
char *message_json(const struct kw_schema *schema, int version, const void *msg);

#endif
