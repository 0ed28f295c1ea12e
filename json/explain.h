/* json/explain.h -- a message's bytes for a person: each field with its offset, its
 * bytes and its value. */
#ifndef KWI_EXPLAIN_H
#define KWI_EXPLAIN_H
#include "proto/schema.h"

/* Appends the lines to w. Returns what kwi_decode says of the body, with *fault,
 * or what kwi_wr_status says (KW_ERR_SPACE: w->len is the size needed). */
int kwi_explain(const struct kw_schema *schema, int version, const uint8_t *body, size_t len,
                struct kw_wr *w, struct kw_fault *fault) KW_MUST_USE;

#endif
