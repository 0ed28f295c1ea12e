/* client/query.c -- see query.h. */
#include "client/query.h"

#include "base/fmt.h"
#include "client/config.h"
#include "client/core.h"
#include "client/error_text.h"

int kwi_query_ask(struct kw_core *core, struct kw_query *query)
{
    query->id = ++core->next_query_id;
    if (kwi_map_put(&core->queries, query->id, query)) {
        query->id = 0;
        return KW_ERR_NOMEM;
    }
    kwi_list_push(&core->want_queries, &query->node);
    kwi_attend(core, KW_ATT_WANT);
    return 0;
}

void kwi_query_forget(struct kw_core *core, struct kw_query *query)
{
    if (!query->id)
        return;
    kwi_map_remove(&core->queries, query->id);
    if (kwi_list_has(&core->want_queries, &query->node))
        kwi_list_remove(&core->want_queries, &query->node);
    query->id = 0;
}

bool kwi_query_next_want(struct kw_core *core, struct kw_want *want)
{
    const struct kw_query *query;

    if (kwi_list_empty(&core->want_queries))
        return false;
    query = KWI_OF(kwi_list_pop(&core->want_queries), struct kw_query, node);
    want->kind = query->name ? KW_WANT_RESOLVE : KW_WANT_NAME;
    want->id = query->id;
    want->name = query->name;
    want->addr = query->addr;
    want->port = query->addr.port;
    return true;
}

/* ---- answers -------------------------------------------------------------------- */

/* The query with this id that waits for such an answer, which it has now; else NULL. */
static struct kw_query *query_take(struct kw_core *core, uint32_t id, bool is_name)
{
    struct kw_query *query = kwi_map_get(&core->queries, id);

    if (!query || !query->name != is_name)
        return NULL;
    kwi_query_forget(core, query);
    return query;
}

void kw_core_unresolved(struct kw_core *core, uint32_t id, const struct kw_cause *cause)
{
    static const struct kw_cause none = {0};
    struct kw_query *query = query_take(core, id, false);

    if (query)
        query->type->failed(query, cause ? cause : &none);
}

void kw_core_resolved(struct kw_core *core, uint32_t id, const struct kw_addr *addrs, size_t n,
                      int os_err)
{
    struct kw_query *query;

    if (n == 0) {
        kw_core_unresolved(core, id, &(struct kw_cause){.os_err = os_err});
        return;
    }
    query = query_take(core, id, false);
    if (query)
        query->type->resolved(query, addrs, n);
}

void kw_core_named(struct kw_core *core, uint32_t id, const char *name)
{
    struct kw_query *query = query_take(core, id, true);

    if (query)
        query->type->named(query, name);
}

/* ---- what is told ------------------------------------------------------------------ */

static void query_set_peer(const struct kw_query *query, struct kw_error *err)
{
    kwi_fmt(err->peer, sizeof(err->peer), "%.*s:%u", 52, query->name, query->addr.port);
    kwi_fmt_clean(err->peer);
}

void kwi_query_why(const struct kw_query *query, const struct kw_cause *cause, struct kw_error *err)
{
    kwi_error_fmt(err, cause->code ? cause->code : KW_ERR_CONNECT, KW_PHASE_RESOLVE,
                  cause->hint ? cause->hint
                              : "check the spelling in bootstrap.servers, DNS and /etc/hosts",
                  "the host name %s cannot be resolved%s%s", query->name, cause->text ? ": " : "",
                  cause->text ? cause->text : "");
    err->os_err = cause->os_err;
    query_set_peer(query, err);
}

void kwi_query_why_late(const struct kw_core *core, const struct kw_query *query,
                        struct kw_error *err)
{
    kwi_error_fmt(err, KW_ERR_TIMEOUT, KW_PHASE_RESOLVE,
                  "is the name server reachable? see /etc/resolv.conf",
                  "the host name %s was not resolved within dns.lookup.timeout.ms (%lld)",
                  query->name, (long long)kwi_config_i64(core->cfg, KW_KEY_DNS_LOOKUP_TIMEOUT_MS));
    query_set_peer(query, err);
}
