/* client/address.c -- names to addresses, and their order. See address.h.
 *
 * The order is the resolver's, with IPv6 and IPv4 taking turns (RFC 8305, section
 * 4), so that a family that leads nowhere costs one delay and not one for each of
 * its addresses. The address of the connection that was lost last comes last: what
 * is broken there may take a while to show (N12). */
#include "client/address.h"

#include <string.h>

#include "base/fmt.h"
#include "client/config.h"
#include "client/conn_why.h"
#include "client/error_text.h"
#include "client/watch.h"

/* ---- asking ------------------------------------------------------------------------ */

int kwi_address_ask(struct kw_link *link)
{
    struct kw_core *core = link->core;

    link->query = ++core->next_query_id;
    link->query_us = core->now.mono_us;
    if (kwi_map_put(&core->queries, link->query, link)) {
        link->query = 0;
        return KW_ERR_NOMEM;
    }
    kwi_list_push(&core->want_queries, &link->query_node);
    kwi_attend(core, KW_ATT_WANT);
    return 0;
}

void kwi_address_forget(struct kw_link *link)
{
    if (!link->query)
        return;
    kwi_map_remove(&link->core->queries, link->query);
    if (kwi_list_has(&link->core->want_queries, &link->query_node))
        kwi_list_remove(&link->core->want_queries, &link->query_node);
    link->query = 0;
}

bool kwi_address_next_want(struct kw_core *core, struct kw_want *want)
{
    struct kw_link *link;

    if (kwi_list_empty(&core->want_queries))
        return false;
    link = KWI_OF(kwi_list_pop(&core->want_queries), struct kw_link, query_node);
    want->kind = KW_WANT_RESOLVE;
    want->id = link->query;
    want->name = link->broker->host;
    want->port = link->broker->port;
    return true;
}

/* ---- the order ---------------------------------------------------------------------- */

static bool address_same(const struct kw_addr *a, const struct kw_addr *b)
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
            known = known || address_same(addr, &link->addrs[i]);
        if (addr && !known)
            link->addrs[link->n_addrs++] = *addr;
    }
}

static void address_put_last(struct kw_link *link)
{
    for (uint32_t i = 0; i + 1 < link->n_addrs; i++) {
        struct kw_addr addr = link->addrs[i];

        if (!address_same(&addr, &link->broker->failed_addr))
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
    kwi_fmt(err->peer, sizeof(err->peer), "%.*s:%u", 52, link->broker->host, link->broker->port);
    kwi_watch_resolved(link, NULL, 0, err);
    kwi_link_unresolved(link, err);
}

void kwi_address_timed_out(struct kw_link *link)
{
    struct kw_error err;

    kwi_address_forget(link);
    kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_RESOLVE,
                  "is the name server reachable? see /etc/resolv.conf",
                  "the host name %s was not resolved within dns.lookup.timeout.ms (%lld)",
                  link->broker->host,
                  (long long)kwi_config_i64(link->core->cfg, KW_KEY_DNS_LOOKUP_TIMEOUT_MS));
    address_fail(link, &err);
}

void kw_core_unresolved(struct kw_core *core, uint32_t query, const struct kw_cause *cause)
{
    static const struct kw_cause none = {0};
    struct kw_link *link = kwi_map_remove(&core->queries, query);
    const struct kw_cause *why = cause ? cause : &none;
    struct kw_error err;

    if (!link)
        return;
    link->query = 0;
    kwi_error_fmt(&err, why->code ? why->code : KW_ERR_CONNECT, KW_PHASE_RESOLVE,
                  why->hint ? why->hint
                            : "check the spelling in bootstrap.servers, DNS and /etc/hosts",
                  "the host name %s cannot be resolved%s%s", link->broker->host,
                  why->text ? ": " : "", why->text ? why->text : "");
    err.os_err = why->os_err;
    if (!why->hint)
        kwi_why_advertised(link->broker, &err);
    address_fail(link, &err);
}

void kw_core_resolved(struct kw_core *core, uint32_t query, const struct kw_addr *addrs, size_t n,
                      int os_err)
{
    struct kw_link *link;

    if (n == 0) {
        kw_core_unresolved(core, query, &(struct kw_cause){.os_err = os_err});
        return;
    }
    link = kwi_map_remove(&core->queries, query);
    if (!link)
        return;
    link->query = 0;
    address_take(link, addrs, n);
    address_put_last(link);
    kwi_watch_resolved(link, link->addrs, link->n_addrs, NULL);
    kwi_link_resolved(link);
}
