/* net/resolver.c -- how names are looked up. See resolver.h.
 *
 * dns.resolver=auto takes the host's hook, or c-ares if it was built in. Neither waits
 * and neither starts a thread, which is why there is no third: a program that wants
 * getaddrinfo says so, because that costs it a thread or its time (N14). */
#include "net/resolver.h"
#include "base/fmt.h"
#include "net/client.h"
#include "net/lookup.h"
#include "net/thread.h"
#include <errno.h>
#include <netdb.h>
#include <string.h>

static int resolver_refuse(struct kw_error *err, const char *text, const char *hint)
{
    if (err) {
        memset(err, 0, sizeof(*err));
        err->code = KW_ERR_UNSUPPORTED;
        err->phase = KW_PHASE_CONFIG;
        err->broker = -1;
        kwi_fmt(err->text, sizeof(err->text), "%s", text);
        kwi_fmt(err->hint, sizeof(err->hint), "%s", hint);
    }
    return KW_ERR_UNSUPPORTED;
}

int kwi_resolver_init(struct kw_client *client, const struct kw_config *cfg,
                      const struct kw_env *env, struct kw_error *err)
{
    struct kw_resolver *resolver = &client->resolver;
    const char *servers = kw_config_text(cfg, KW_KEY_DNS_SERVERS);
    resolver->how = (uint8_t)kw_config_number(cfg, KW_KEY_DNS_RESOLVER);
    resolver->hook = env->resolve;
    if (resolver->how == KW_RESOLVER_CARES && !kwi_cares_is_built())
        return resolver_refuse(err, "dns.resolver = cares: this build has no c-ares",
                               "build with WITH_CARES=1, or set dns.resolver=thread");
    if (kw_config_number(cfg, KW_KEY_CLIENT_DNS_LOOKUP) == KW_LOOKUP_CANONICAL &&
        resolver->how == KW_RESOLVER_AUTO &&
        !(resolver->hook.start ? resolver->hook.name != NULL : kwi_cares_is_built()))
        return resolver_refuse(
            err,
            "client.dns.lookup = resolve_canonical_bootstrap_servers_only: nobody looks the names "
            "of addresses up",
            resolver->hook.start ? "give kw_env.resolve.name, too, or set dns.resolver"
                                 : "set dns.resolver=thread or blocking, or give kw_env.resolve");
    if (!servers || !*servers)
        return 0;
    resolver->servers_size = strlen(servers) + 1;
    char *copy = kwi_alloc(&client->heap, resolver->servers_size);
    if (!copy)
        return KW_ERR_NOMEM;
    memcpy(copy, servers, resolver->servers_size);
    resolver->servers = copy;
    return 0;
}

void kwi_resolver_deinit(struct kw_client *client)
{
    struct kw_resolver *resolver = &client->resolver;
    kwi_cares_destroy(resolver->cares);
    kwi_mailbox_close(resolver->mailbox);
    /* The heap takes back what it gave; it only reads the pointer. */
    kwi_free(&client->heap, (void *)(uintptr_t)resolver->servers, resolver->servers_size);
    memset(resolver, 0, sizeof(*resolver));
}

void kwi_resolver_abandon(struct kw_client *client)
{
    if (client->resolver.cares)
        kwi_cares_abandon(client->resolver.cares);
}

void kwi_resolver_fail(struct kw_client *client, uint32_t query, int os_err, const char *text,
                       const char *hint)
{
    struct kw_cause cause = {
        .phase = KW_PHASE_RESOLVE, .os_err = os_err, .text = text, .hint = hint};
    kw_core_unresolved(client->core, query, &cause);
}

static void resolver_wait(struct kw_client *client, uint32_t query, const char *name, uint16_t port)
{
    struct kw_addr addrs[KWI_LOOKUP_ADDRS];
    int gai_err = 0;
    kwi_thread_pause(client);
    size_t n = kwi_lookup_name(name, port, addrs, KWI_LOOKUP_ADDRS, &gai_err);
    kwi_thread_resume(client);
    client->waited = true; /* it may have taken long */
    kwi_client_tick(client);
    if (n > 0)
        kw_core_resolved(client->core, query, addrs, n, 0);
    else
        kwi_resolver_fail(client, query, gai_err, gai_strerror(gai_err), NULL);
}

/* Our c-ares, made on first need; NULL: *why says what failed. */
static struct kw_cares *resolver_get_cares(struct kw_client *client, const char **why)
{
    struct kw_resolver *resolver = &client->resolver;
    if (!resolver->cares)
        resolver->cares = kwi_cares_create(client, resolver->servers, why);
    return resolver->cares;
}

static void resolver_cares(struct kw_client *client, uint32_t query, const char *name,
                           uint16_t port)
{
    struct kw_resolver *resolver = &client->resolver;
    const char *why = NULL;
    if (resolver_get_cares(client, &why))
        kwi_cares_ask(resolver->cares, query, name, port);
    else
        kwi_resolver_fail(client, query, EAI_MEMORY, why,
                          resolver->servers ? "check dns.servers" : "check /etc/resolv.conf");
}

void kwi_resolver_ask(struct kw_client *client, uint32_t query, const char *name, uint16_t port)
{
    struct kw_resolver *resolver = &client->resolver;
    int rc;
    if (!kwi_lookup_is_name(name)) {
        kwi_resolver_fail(client, query, EAI_NONAME, "no host can have this name", NULL);
    } else if (resolver->how == KW_RESOLVER_BLOCKING) {
        resolver_wait(client, query, name, port);
    } else if (resolver->how == KW_RESOLVER_THREAD) {
        rc = kwi_mailbox_ask(client, query, name, &(struct kw_addr){.port = port});
        if (rc)
            kwi_resolver_fail(client, query, EAI_SYSTEM, "no thread for the look-up",
                              "raise the limit of threads, or set dns.resolver=cares");
    } else if (resolver->how == KW_RESOLVER_AUTO && resolver->hook.start) {
        kwi_thread_pause(client);
        rc = resolver->hook.start(resolver->hook.ctx, client, query, name, port);
        kwi_thread_resume(client);
        if (rc)
            kwi_resolver_fail(client, query, EAI_SYSTEM, "the host's resolver refused", NULL);
    } else if (kwi_cares_is_built()) {
        resolver_cares(client, query, name, port);
    } else {
        kwi_resolver_fail(client, query, EAI_SYSTEM, "this build looks up no names by itself",
                          "set dns.resolver=thread or blocking, give kw_env.resolve, or build "
                          "with c-ares (WITH_CARES=1)");
    }
}

static void resolver_wait_name(struct kw_client *client, uint32_t query, const struct kw_addr *addr)
{
    char name[KWI_LOOKUP_NAME];
    kwi_thread_pause(client);
    bool found = kwi_lookup_addr(addr, name);
    kwi_thread_resume(client);
    client->waited = true; /* it may have taken long */
    kwi_client_tick(client);
    kw_core_named(client->core, query, found ? name : NULL);
}

/* The order of the choices is that of kwi_resolver_ask. What cannot be asked has no
 * name: the core then does with the address in digits. */
void kwi_resolver_ask_name(struct kw_client *client, uint32_t query, const struct kw_addr *addr)
{
    struct kw_resolver *resolver = &client->resolver;
    struct kw_cares *cares;
    const char *why = NULL;
    bool asked = false;
    if (resolver->how == KW_RESOLVER_BLOCKING) {
        resolver_wait_name(client, query, addr);
        return;
    }
    if (resolver->how == KW_RESOLVER_THREAD) {
        asked = kwi_mailbox_ask(client, query, NULL, addr) == 0;
    } else if (resolver->how == KW_RESOLVER_AUTO && resolver->hook.start) {
        kwi_thread_pause(client);
        asked = resolver->hook.name &&
                resolver->hook.name(resolver->hook.ctx, client, query, addr) == 0;
        kwi_thread_resume(client);
    } else if (kwi_cares_is_built() && (cares = resolver_get_cares(client, &why)) != NULL) {
        kwi_cares_ask_name(cares, query, addr);
        asked = true;
    }
    if (!asked)
        kw_core_named(client->core, query, NULL);
}

void kwi_resolver_turn(struct kw_client *client)
{
    if (client->resolver.cares)
        kwi_cares_turn(client->resolver.cares);
    if (client->resolver.mailbox)
        kwi_mailbox_turn(client);
}

uint64_t kwi_resolver_deadline(const struct kw_client *client)
{
    return client->resolver.cares ? kwi_cares_deadline(client->resolver.cares) : UINT64_MAX;
}

bool kw_has_resolver(void)
{
    return kwi_cares_is_built();
}

void kw_client_resolved(struct kw_client *client, uint32_t query, const struct kw_addr *addrs,
                        size_t n, const char *why)
{
    if (!client || kwi_client_enter_now(client) != 0)
        return;
    if (n > 0)
        kw_core_resolved(client->core, query, addrs, n, 0);
    else
        kwi_resolver_fail(client, query, EAI_NONAME, why, NULL);
    kwi_client_exit(client);
}

void kw_client_named(struct kw_client *client, uint32_t query, const char *name)
{
    if (!client || kwi_client_enter_now(client) != 0)
        return;
    kw_core_named(client->core, query, name);
    kwi_client_exit(client);
}
