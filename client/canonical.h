/* client/canonical.h -- bootstrap.servers by their canonical names, if
 * client.dns.lookup=resolve_canonical_bootstrap_servers_only. */
#ifndef KWI_CANONICAL_H
#define KWI_CANONICAL_H
#include "client/core.h"

/* Room for what bootstrap.servers (`n` of them) stand for; seeds are added as their
 * names are found. 0 or KW_ERR_NOMEM; kwi_canonical_deinit in either case. */
KW_MUST_USE int kwi_canonical_init(struct kw_core *core, uint32_t n);
void kwi_canonical_deinit(struct kw_core *core);
/* Looks those up that are not known. */
void kwi_canonical_need(struct kw_core *core);
/* All of them are to be looked up again when they are needed. */
void kwi_canonical_again(struct kw_core *core);
/* A look-up is under way, or waits for its backoff: there may be more seeds. */
bool kwi_canonical_is_open(const struct kw_core *core);

/* A cell of the state table, as kwi_conn_cell. States: IDLE ASKED WAIT KNOWN; events:
 * NEED FOUND FAILED DUE AGAIN. */
enum { KWI_CANONICAL_STATES = 4, KWI_CANONICAL_EVENTS = 5 };
bool kwi_canonical_cell(unsigned state, unsigned event, unsigned *next);

#endif
