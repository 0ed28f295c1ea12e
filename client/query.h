/* client/query.h -- what the driver is asked about names: RESOLVE, the addresses of a
 * name, and NAME, the name of an address. Who asks sets type, name and addr, and has a
 * deadline of its own. */
#ifndef KWI_QUERY_H
#define KWI_QUERY_H
#include "base/list.h"
#include <kwire/core.h>

struct kw_query;

/* How a query ends: one call. It may be asked again from inside. */
struct kw_query_type {
    void (*resolved)(struct kw_query *query, const struct kw_addr *addrs, size_t n);
    /* RESOLVE found none. */
    void (*failed)(struct kw_query *query, const struct kw_cause *cause);
    /* NAME found this one; NULL: none. Valid during the call. */
    void (*named)(struct kw_query *query, const char *name);
};

struct kw_query {
    const struct kw_query_type *type;
    const char *name;    /* whose addresses are wanted; NULL: the name of addr is */
    struct kw_addr addr; /* of RESOLVE only the port */
    uint32_t id;         /* 0: not under way */
    struct kw_node node; /* in core->want_queries until taken */
};

/* Asks the driver. 0 or KW_ERR_NOMEM. */
KW_MUST_USE int kwi_query_ask(struct kw_core *core, struct kw_query *query);
/* An answer that comes later is ignored. */
void kwi_query_forget(struct kw_core *core, struct kw_query *query);
/* The next want. false: there is none. */
bool kwi_query_next_want(struct kw_core *core, struct kw_want *want);

/* What is told when RESOLVE failed, and when no answer came within
 * dns.lookup.timeout.ms. */
void kwi_query_why(const struct kw_query *query, const struct kw_cause *cause,
                   struct kw_error *err);
void kwi_query_why_late(const struct kw_core *core, const struct kw_query *query,
                        struct kw_error *err);

#endif
