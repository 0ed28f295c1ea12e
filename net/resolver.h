/* net/resolver.h -- host names to addresses, in the way that dns.resolver says.
 *
 * resolver.c           chooses: the host's hook, c-ares, a thread, or waiting
 * resolver_cares.c     c-ares, driven by the loop (resolver_nocares.c: without it)
 * resolver_thread.c    getaddrinfo on a thread of its own for each look-up
 * lookup.c             addresses in digits; getaddrinfo itself */
#ifndef KWI_RESOLVER_H
#define KWI_RESOLVER_H
#include <kwire/config.h>
#include <kwire/core.h>
#include <kwire/types.h>

struct kw_client;
struct kw_cares;
struct kw_mailbox;

struct kw_resolver {
    uint8_t how; /* KW_RESOLVER_* */
    struct kw_resolve_hook hook;
    const char *servers;        /* dns.servers, ours; NULL: the system's */
    size_t servers_size;        /* of that block */
    struct kw_cares *cares;     /* made for the first name */
    struct kw_mailbox *mailbox; /* of helper threads; made for the first name */
};

/* Errors: KW_ERR_NOMEM, KW_ERR_UNSUPPORTED (dns.resolver asks for what this build
 * lacks). */
KW_MUST_USE int kwi_resolver_init(struct kw_client *client, const struct kw_config *cfg,
                                  const struct kw_env *env, struct kw_error *err);
/* Nobody is answered any more. */
void kwi_resolver_deinit(struct kw_client *client);
/* In a child of fork(): closes its sockets. */
void kwi_resolver_abandon(struct kw_client *client);
/* Looks a name up; the core gets the answer, at once or from a later turn. Waits only
 * if dns.resolver=blocking. */
void kwi_resolver_ask(struct kw_client *client, uint32_t query, const char *name, uint16_t port);
/* The same for the name of an address. */
void kwi_resolver_ask_name(struct kw_client *client, uint32_t query, const struct kw_addr *addr);
/* What is due: timeouts, answers of threads. */
void kwi_resolver_turn(struct kw_client *client);
/* When the next turn is needed at the latest; UINT64_MAX: never. */
uint64_t kwi_resolver_deadline(const struct kw_client *client);
/* Tells the core that the look-up failed. */
void kwi_resolver_fail(struct kw_client *client, uint32_t query, int os_err, const char *text,
                       const char *hint);

/* ---- resolver_cares.c, resolver_nocares.c ---- */

bool kwi_cares_is_built(void);
/* servers: "host:port,...", NULL: the system's. NULL: *why says what failed (static). */
struct kw_cares *kwi_cares_create(struct kw_client *client, const char *servers, const char **why);
void kwi_cares_destroy(struct kw_cares *cares);
void kwi_cares_abandon(struct kw_cares *cares);
void kwi_cares_ask(struct kw_cares *cares, uint32_t query, const char *name, uint16_t port);
void kwi_cares_ask_name(struct kw_cares *cares, uint32_t query, const struct kw_addr *addr);
void kwi_cares_turn(struct kw_cares *cares);
uint64_t kwi_cares_deadline(const struct kw_cares *cares);

/* ---- resolver_thread.c ---- */

/* Starts a thread that looks the name up, or (name NULL) the name of the address, of
 * which else only the port counts. 0, or an errno. */
int kwi_mailbox_ask(struct kw_client *client, uint32_t query, const char *name,
                    const struct kw_addr *addr);
/* Hands out what threads have found. */
void kwi_mailbox_turn(struct kw_client *client);
/* Threads that still wait for their resolver end by themselves, and tell nobody. */
void kwi_mailbox_close(struct kw_mailbox *mailbox);

#endif
