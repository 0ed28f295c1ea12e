/* client/address.c -- names to addresses, and their order. See address.h.
 *
 * The order is the resolver's, with IPv6 and IPv4 taking turns (RFC 8305, section
 * 4), so that a family that leads nowhere costs one delay and not one for each of
 * its addresses. The address of the connection that was lost last comes last: what
 * is broken there may take a while to show (N12). */
#include "client/address.h"

#include <string.h>

#include "client/conn_why.h"
#include "client/watch.h"

/* ---- asking ------------------------------------------------------------------------ */

static void address_resolved(struct kw_query *query, const struct kw_addr *addrs, size_t n);
static void address_unresolved(struct kw_query *query, const struct kw_cause *cause);

static const struct kw_query_type address_query = {.resolved = address_resolved,
                                                   .failed = address_unresolved};

int kwi_address_ask(struct kw_link *link)
{
    struct kw_query *query = &link->query;

    link->query_us = link->core->now.mono_us;
    query->type = &address_query;
    query->name = link->broker->host;
    query->addr = (struct kw_addr){.port = link->broker->port};
    return kwi_query_ask(link->core, query);
}

/* ---- the order ---------------------------------------------------------------------- */

bool kwi_address_same(const struct kw_addr *a, const struct kw_addr *b)
{
    return a->family == b->family && a->port == b->port && a->scope_id == b->scope_id &&
           !memcmp(a->ip, b->ip, a->family == 4 ? 4 : sizeof(a->ip));
}

/* The first one from *pos on of this family, or of any. NULL: there is none. */
static const struct kw_addr *address_find(const struct kw_addr *addrs, size_t n, size_t *pos,
                                          int family)
{
    while (*pos < n && addrs[*pos].family != family)
        ++*pos;
    return *pos < n ? &addrs[(*pos)++] : NULL;
}

/* Takes what the resolver said, the families in turn, each address once. */
static void address_take(struct kw_link *link, const struct kw_addr *addrs, size_t n)
{
    int family = n ? addrs[0].family : 4;
    size_t pos[2] = {0, 0}; /* of family 4, of family 6 */

    link->n_addrs = 0;
    link->started = link->failed = 0;
    for (unsigned missing = 0; link->n_addrs < KWI_LINK_ADDRS && missing < 2;) {
        const struct kw_addr *addr = address_find(addrs, n, &pos[family == 6], family);
        bool known = false;

        family = family == 4 ? 6 : 4;
        missing = addr ? 0 : missing + 1;
        for (uint32_t i = 0; addr && i < link->n_addrs; i++)
            known = known || kwi_address_same(addr, &link->addrs[i]);
        if (addr && !known)
            link->addrs[link->n_addrs++] = *addr;
    }
}

static void address_put_last(struct kw_link *link)
{
    for (uint32_t i = 0; i + 1 < link->n_addrs; i++) {
        struct kw_addr addr = link->addrs[i];

        if (!kwi_address_same(&addr, &link->broker->failed_addr))
            continue;
        memmove(&link->addrs[i], &link->addrs[i + 1],
                (link->n_addrs - i - 1) * sizeof(link->addrs[0]));
        link->addrs[link->n_addrs - 1] = addr;
        return;
    }
}

int kwi_address_next(const struct kw_link *link)
{
    for (uint32_t i = 0; i < link->n_addrs; i++)
        if (!((link->started | link->failed) & 1u << i))
            return (int)i;
    return -1;
}

/* ---- answers --------------------------------------------------------------------------- */

static void address_fail(struct kw_link *link, struct kw_error *err)
{
    kwi_watch_resolved(link->core, link->broker, link->query_us, NULL, 0, err);
    kwi_link_unresolved(link, err);
}

void kwi_address_timed_out(struct kw_link *link)
{
    struct kw_error err;

    kwi_query_forget(link->core, &link->query);
    kwi_query_why_late(link->core, &link->query, &err);
    address_fail(link, &err);
}

static void address_unresolved(struct kw_query *query, const struct kw_cause *cause)
{
    struct kw_link *link = KWI_OF(query, struct kw_link, query);
    struct kw_error err;

    kwi_query_why(query, cause, &err);
    if (!cause->hint)
        kwi_why_advertised(link->broker, &err);
    address_fail(link, &err);
}

static void address_resolved(struct kw_query *query, const struct kw_addr *addrs, size_t n)
{
    struct kw_link *link = KWI_OF(query, struct kw_link, query);

    address_take(link, addrs, n);
    address_put_last(link);
    kwi_watch_resolved(link->core, link->broker, link->query_us, link->addrs, link->n_addrs, NULL);
    kwi_link_resolved(link);
}
