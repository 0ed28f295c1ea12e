/* json/print.h -- messages as text, in the JSON form of Kafka's own tools.
 *
 * Names in camelCase, fields in the order of the tables, bytes and records as
 * base64, uuids as 22 characters of URL-safe base64. Fields that the version
 * lacks are left out, and so are tagged fields that hold their default. */
#ifndef KWI_PRINT_H
#define KWI_PRINT_H
#include "proto/schema.h"

/* Appends the JSON of *msg to w. Takes decoded messages and messages that were
 * built. Returns what kwi_wr_status says (KW_ERR_SPACE: w->len is the size
 * needed), or KW_ERR_VERSION. */
int kwi_print_json(const struct kw_schema *schema, int version, const void *msg,
                   struct kw_wr *w) KW_MUST_USE;

/* Appends one field's value; topic_id as topicId. For explain.c. */
void kwi_print_value(struct kw_wr *w, const struct kw_field *field, int version,
                     const uint8_t *src);
void kwi_print_name(struct kw_wr *w, const char *name);

/* The 22 characters of a uuid's text form, and a NUL. */
void kwi_uuid_print(const struct kw_uuid *id, char text[23]);

#endif
