/* client/close.h -- see close.c. */
#ifndef KWI_CLOSE_H
#define KWI_CLOSE_H
#include "client/core.h"

/* Something ended that a close may wait for: a batch, a sweep, a connection. */
void kwi_close_check(struct kw_core *core);

#endif
