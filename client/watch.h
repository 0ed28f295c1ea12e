/* client/watch.h -- tells the application's watch (kw_env.watch) what a connection
 * went through: each step of its set-up, with the time that it took. */
#ifndef KWI_WATCH_H
#define KWI_WATCH_H
#include "client/link.h"

/* A broker's name was looked up since then; err NULL: n addresses. */
void kwi_watch_resolved(struct kw_core *core, const struct kw_broker *broker, uint64_t since_us,
                        const struct kw_addr *addrs, size_t n, const struct kw_error *err);
/* The step of the connection is done, and the next one begins. tls may be NULL. */
void kwi_watch_done(struct kw_conn *conn, enum kw_phase phase, const struct kw_tls_info *tls);
/* Its set-up failed. */
void kwi_watch_failed(struct kw_conn *conn, const struct kw_link *link, const struct kw_error *err);

#endif
