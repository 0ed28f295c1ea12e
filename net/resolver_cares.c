/* net/resolver_cares.c -- look-ups by c-ares, whose sockets and timeouts are the loop's.
 *
 * c-ares asks the name servers of /etc/resolv.conf and reads /etc/hosts; of what
 * nsswitch.conf names beside "files" and "dns" (mdns, myhostname, sss ...) it knows
 * nothing, and a failed look-up says so when that may be why.
 *
 * Its memory is malloc's: the library has one allocator for a whole process, which is
 * not ours to choose. */
#include "base/fmt.h"
#include "net/client.h"
#include "net/lookup.h"
#include "net/resolver.h"
#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

enum {
    CARES_WATCHES_MAX = 32, /* its sockets: one or two for each name server */
    CARES_TICK_US = 1000    /* not more often, however its clock is rounded */
};

struct cares_watch {
    struct kw_loop_fd fd; /* first: the loop knows no more */
    struct kw_cares *cares;
    bool used;
};

struct cares_query {
    struct kw_cares *cares;
    size_t size; /* of this block */
    uint32_t query;
    uint16_t port;
    char name[];
};

struct kw_cares {
    struct kw_client *client;
    ares_channel channel;
    uint64_t deadline_us; /* UINT64_MAX: nothing is under way */
    bool closing;         /* no answers any more */
    struct cares_watch watches[CARES_WATCHES_MAX];
};

bool kwi_cares_is_built(void)
{
    return true;
}

/* ---- its sockets and its time ------------------------------------------------------ */

/* Asks when it wants to be called next. */
static void cares_plan(struct kw_cares *cares)
{
    struct timeval room, *left = ares_timeout(cares->channel, NULL, &room);
    uint64_t us = CARES_TICK_US;
    if (!left) {
        cares->deadline_us = UINT64_MAX;
        return;
    }
    us += (uint64_t)left->tv_sec * 1000000 + (uint64_t)left->tv_usec;
    cares->deadline_us = cares->client->now_us + us;
}

static void cares_ready(struct kw_loop_fd *fd, unsigned events)
{
    struct cares_watch *watch = (struct cares_watch *)(void *)fd;
    struct kw_cares *cares = watch->cares;
    bool may_read = events & (KWI_LOOP_READ | KWI_LOOP_ERROR);
    bool may_write = events & (KWI_LOOP_WRITE | KWI_LOOP_ERROR);
    ares_socket_t socket = fd->fd;
    kwi_client_tick(cares->client);
    ares_process_fd(cares->channel, may_read ? socket : ARES_SOCKET_BAD,
                    may_write ? socket : ARES_SOCKET_BAD);
    cares_plan(cares);
}

static struct cares_watch *cares_find(struct kw_cares *cares, int fd)
{
    struct cares_watch *empty = NULL;
    for (int i = 0; i < CARES_WATCHES_MAX; i++) {
        if (cares->watches[i].used && cares->watches[i].fd.fd == fd)
            return &cares->watches[i];
        if (!cares->watches[i].used && !empty)
            empty = &cares->watches[i];
    }
    return empty;
}

/* c-ares wants a socket watched, or is about to close it. One that cannot be watched is
 * left to the query's timeout. */
static void cares_socket(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct kw_cares *cares = ctx;
    struct cares_watch *watch = cares_find(cares, fd);
    unsigned events = (readable ? (unsigned)KWI_LOOP_READ : 0u) |
                      (writable ? (unsigned)KWI_LOOP_WRITE : 0u);
    if (!watch)
        return;
    if (events == 0) {
        if (watch->used)
            kwi_loop_unwatch(cares->client->loop, &watch->fd);
        watch->used = false;
        return;
    }
    if (!watch->used)
        *watch = (struct cares_watch){.fd = {.fd = fd, .ready = cares_ready}, .cares = cares};
    watch->used = kwi_loop_watch(cares->client->loop, &watch->fd, events, NULL) == 0;
}

/* ---- why not ------------------------------------------------------------------------- */

/* The first word of the line that is not "files" or "dns"; false: there is none. */
static bool cares_other_word(const char *at, char *word, size_t cap)
{
    while (*at && *at != '#') {
        size_t len = strcspn(at, " \t\n");
        bool known = len == 0 || *at == '[' || (len == 5 && memcmp(at, "files", 5) == 0) ||
                     (len == 3 && memcmp(at, "dns", 3) == 0);
        if (!known) {
            kwi_fmt(word, cap, "%.*s", (int)len, at);
            return true;
        }
        at += len + strspn(at + len, " \t\n");
    }
    return false;
}

/* The first source of hosts in nsswitch.conf that c-ares does not know; false: none. */
static bool cares_other_source(char *word, size_t cap)
{
    char line[512];
    bool found = false;
    FILE *file = fopen("/etc/nsswitch.conf", "re");
    while (file && !found && fgets(line, sizeof(line), file))
        if (strncmp(line, "hosts:", 6) == 0)
            found = cares_other_word(line + 6, word, cap);
    if (file)
        fclose(file);
    return found;
}

/* Whether the system might know the name although c-ares does not: then the hint. */
static const char *cares_hint(const char *name, char *buf, size_t cap)
{
    size_t len = strlen(name);
    char word[32];
    bool local = len > 6 && strcmp(name + len - 6, ".local") == 0;
    if (cares_other_source(word, sizeof(word)))
        kwi_fmt(buf, cap, "c-ares ignores nsswitch.conf, which says %s: try dns.resolver=thread",
                word);
    else if (local || !strchr(name, '.'))
        kwi_fmt(buf, cap,
                "c-ares asks DNS and /etc/hosts alone, not nsswitch.conf: try dns.resolver=thread");
    else
        return NULL;
    return buf;
}

/* ---- look-ups --------------------------------------------------------------------------- */

static size_t cares_copy(const struct ares_addrinfo *info, uint16_t port, struct kw_addr *out)
{
    size_t n = 0;
    for (const struct ares_addrinfo_node *at = info->nodes; at && n < KWI_LOOKUP_ADDRS;
         at = at->ai_next)
        n += kwi_lookup_take(&out[n], at->ai_addr, port);
    return n;
}

static void cares_fail(const struct cares_query *query, int status)
{
    struct kw_client *client = query->cares->client;
    char hint[128];
    bool absent = status == ARES_ENOTFOUND || status == ARES_ENODATA;
    if (status == ARES_ENOMEM)
        kwi_resolver_fail(client, query->query, EAI_MEMORY, "out of memory", NULL);
    else if (status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED)
        kwi_resolver_fail(client, query->query, EAI_AGAIN, "no name server answers",
                          "check the name servers of /etc/resolv.conf (dns.servers)");
    else
        kwi_resolver_fail(client, query->query, EAI_NONAME, ares_strerror(status),
                          absent ? cares_hint(query->name, hint, sizeof(hint)) : NULL);
}

static void cares_done(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
    struct cares_query *query = ctx;
    struct kw_cares *cares = query->cares;
    struct kw_addr addrs[KWI_LOOKUP_ADDRS];
    size_t n = info && status == ARES_SUCCESS ? cares_copy(info, query->port, addrs) : 0;
    (void)timeouts;
    if (info)
        ares_freeaddrinfo(info);
    if (!cares->closing && n > 0)
        kw_core_resolved(cares->client->core, query->query, addrs, n, 0);
    else if (!cares->closing)
        cares_fail(query, status == ARES_SUCCESS ? ARES_ENODATA : status);
    kwi_free(&cares->client->heap, query, query->size);
}

static struct cares_query *cares_query_create(struct kw_cares *cares, uint32_t query_id,
                                              const char *name, uint16_t port)
{
    size_t len = strlen(name), size = sizeof(struct cares_query) + len + 1;
    struct cares_query *query = kwi_alloc_zero(&cares->client->heap, size);
    if (!query)
        return NULL;
    query->cares = cares;
    query->size = size;
    query->query = query_id;
    query->port = port;
    memcpy(query->name, name, len + 1);
    return query;
}

void kwi_cares_ask(struct kw_cares *cares, uint32_t query_id, const char *name, uint16_t port)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct cares_query *query = cares_query_create(cares, query_id, name, port);
    if (!query) {
        kwi_resolver_fail(cares->client, query_id, EAI_MEMORY, "out of memory", NULL);
        return;
    }
    ares_getaddrinfo(cares->channel, name, NULL, &hints, cares_done, query);
    cares_plan(cares);
}

static void cares_named(void *ctx, int status, int timeouts, char *name, char *service)
{
    struct cares_query *query = ctx;
    struct kw_cares *cares = query->cares;
    (void)timeouts;
    (void)service;
    if (!cares->closing)
        kw_core_named(cares->client->core, query->query, status == ARES_SUCCESS ? name : NULL);
    kwi_free(&cares->client->heap, query, query->size);
}

void kwi_cares_ask_name(struct kw_cares *cares, uint32_t query_id, const struct kw_addr *addr)
{
    struct sockaddr_storage at;
    unsigned len = kwi_lookup_sockaddr(&at, addr);
    struct cares_query *query = cares_query_create(cares, query_id, "", 0);
    if (!query) {
        kw_core_named(cares->client->core, query_id, NULL);
        return;
    }
    ares_getnameinfo(cares->channel, (const struct sockaddr *)&at, (ares_socklen_t)len,
                     ARES_NI_LOOKUPHOST | ARES_NI_NAMEREQD, cares_named, query);
    cares_plan(cares);
}

void kwi_cares_turn(struct kw_cares *cares)
{
    if (cares->client->now_us < cares->deadline_us)
        return;
    ares_process_fd(cares->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    cares_plan(cares);
}

uint64_t kwi_cares_deadline(const struct kw_cares *cares)
{
    return cares->deadline_us;
}

/* ---- life ------------------------------------------------------------------------------- */

struct kw_cares *kwi_cares_create(struct kw_client *client, const char *servers, const char **why)
{
    struct ares_options options = {0};
    struct kw_cares *cares = kwi_alloc_zero(&client->heap, sizeof(*cares));
    int status = ARES_ENOMEM;
    if (cares) {
        cares->client = client;
        cares->deadline_us = UINT64_MAX;
        options.sock_state_cb = cares_socket;
        options.sock_state_cb_data = cares;
        status = ares_init_options(&cares->channel, &options, ARES_OPT_SOCK_STATE_CB);
    }
    if (status != ARES_SUCCESS) {
        *why = ares_strerror(status);
        kwi_free(&client->heap, cares, sizeof(*cares));
        return NULL;
    }
    if (servers && (status = ares_set_servers_ports_csv(cares->channel, servers)) != ARES_SUCCESS) {
        *why = ares_strerror(status);
        kwi_cares_destroy(cares);
        return NULL;
    }
    return cares;
}

void kwi_cares_destroy(struct kw_cares *cares)
{
    if (!cares)
        return;
    cares->closing = true;
    ares_destroy(cares->channel); /* ends the queries, each by its callback */
    kwi_free(&cares->client->heap, cares, sizeof(*cares));
}

void kwi_cares_abandon(struct kw_cares *cares)
{
    const struct kw_sys *sys = cares->client->sys;
    for (int i = 0; i < CARES_WATCHES_MAX; i++) {
        if (cares->watches[i].used)
            sys->close(cares->watches[i].fd.fd);
        cares->watches[i].used = false;
    }
}
