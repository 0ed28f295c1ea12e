/* json/json.h -- messages from the JSON form that print.h writes, which is that of
 * Kafka's own tools. No memory but the stack; the bytes go to a write cursor.
 *
 * Members may stand in any order. One that the table lacks, or that the version
 * lacks, is refused, and so is one that stands twice. A tagged field may be
 * absent, which means its default; of the others none. */
#ifndef KWI_JSON_H
#define KWI_JSON_H
#include "proto/schema.h"

/* Why and where a text was refused. */
struct kw_json_fault {
    int err;
    const char *reason; /* static */
    size_t offset;      /* bytes from the start of the text */
    char path[128];     /* "topics[3].partitions[0].currentLeader"; "" = the whole text */
};

/* Appends to w the body that the text says. Returns 0, or KW_ERR_SYNTAX (it is no
 * JSON, or not that of this message), _NULL, _LENGTH (a string above 32767
 * bytes), _VERSION, _SPACE (w->len is the size needed). *fault is written on
 * failure only. Each byte is looked at a number of times that grows with the
 * depth of the table only. */
int kwi_json_encode(const struct kw_schema *schema, int version, const char *text, size_t len,
                    struct kw_wr *w, struct kw_json_fault *fault) KW_MUST_USE;

#endif
