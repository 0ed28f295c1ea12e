/* client/close.h -- see close.c. */
#ifndef KWI_CLOSE_H
#define KWI_CLOSE_H
#include "client/core.h"

struct kw_producer;

/* Keeps the room for the op that closes. Returns 0 or KW_ERR_NOMEM. */
KW_MUST_USE int kwi_close_init(struct kw_core *core);
void kwi_close_deinit(struct kw_core *core);
/* Something ended that a close may wait for: a batch, a sweep, a connection. */
void kwi_close_check(struct kw_core *core);
/* A record that was accepted before came into the core behind the close of its producer:
 * it has the outcome of the others. */
void kwi_close_late(struct kw_producer *producer);

#endif
