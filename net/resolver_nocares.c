/* net/resolver_nocares.c -- a build without c-ares. See resolver.h. */
#include "net/resolver.h"

bool kwi_cares_is_built(void)
{
    return false;
}

struct kw_cares *kwi_cares_create(struct kw_client *client, const char *servers, const char **why)
{
    (void)client;
    (void)servers;
    *why = "this build has no c-ares";
    return NULL;
}

void kwi_cares_destroy(struct kw_cares *cares)
{
    (void)cares;
}

void kwi_cares_abandon(struct kw_cares *cares)
{
    (void)cares;
}

void kwi_cares_ask(struct kw_cares *cares, uint32_t query, const char *name, uint16_t port)
{
    (void)cares;
    (void)query;
    (void)name;
    (void)port;
}

void kwi_cares_ask_name(struct kw_cares *cares, uint32_t query, const struct kw_addr *addr)
{
    (void)cares;
    (void)query;
    (void)addr;
}

void kwi_cares_turn(struct kw_cares *cares)
{
    (void)cares;
}

uint64_t kwi_cares_deadline(const struct kw_cares *cares)
{
    (void)cares;
    return UINT64_MAX;
}
