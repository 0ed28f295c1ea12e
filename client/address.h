/* client/address.h -- the addresses of a link's broker: asking for them, their
 * order, which is tried next. */
#ifndef KWI_ADDRESS_H
#define KWI_ADDRESS_H
#include "client/link.h"

/* Asks the driver to look the name up. 0 or KW_ERR_NOMEM. */
int kwi_address_ask(struct kw_link *link);
/* The answer did not come in time: tells the link so. */
void kwi_address_timed_out(struct kw_link *link);
/* The address to try next, as an index; -1: each is under way, or failed. */
int kwi_address_next(const struct kw_link *link);
/* The same address and port. */
bool kwi_address_same(const struct kw_addr *a, const struct kw_addr *b);

#endif
