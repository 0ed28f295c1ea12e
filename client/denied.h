/* client/denied.h -- what a broker denies us: which operation on which resource,
 * and how to be granted it (Kafka's ACLs, KIP-11). */
#ifndef KWI_DENIED_H
#define KWI_DENIED_H
#include <kwire/types.h>

struct kw_core;

/* Fills *err from the code that the broker answered to api_key about the resource
 * `name` (a topic, group ...; NULL or "" if the code is about the cluster). A code
 * that denies a right names the operation, any other what kwi_error_kafka says. */
void kwi_error_answer(const struct kw_core *core, struct kw_error *err, int16_t kafka_code,
                      int16_t api_key, const char *name);

#endif
