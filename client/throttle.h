/* client/throttle.h -- the time for which a broker asks us to be silent. */
#ifndef KWI_THROTTLE_H
#define KWI_THROTTLE_H
#include "client/link.h"

/* How long that is at most: what a broker asks for, within its bound. */
int64_t kwi_throttle_ms(const struct kw_core *core, int32_t throttle_ms);
/* Called from `done` with the answer's throttle_time_ms: nothing is sent on its
 * connection for so long, request.timeout.ms at most (KIP-219). */
void kwi_throttle(struct kw_request *req, int32_t throttle_ms);
/* The same for an answer that nobody else decodes. */
void kwi_throttle_raw(struct kw_request *req, const struct kw_answer *answer);

#endif
