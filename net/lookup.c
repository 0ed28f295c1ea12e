/* net/lookup.c -- host names to addresses, by parsing them or by getaddrinfo.
 *
 * getaddrinfo waits, for seconds when a name server is down, so it is called only if
 * dns.resolver says so (resolver.c). Addresses in digits never reach it. */
#include "net/lookup.h"
#include "net/loop/socket.h"
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

bool kwi_lookup_numeric(const char *name, uint16_t port, struct kw_addr *out)
{
    char digits[64]; /* 45 for an address, the rest for its zone */
    size_t len = strlen(name);
    if (len < 2 || name[0] != '[' || name[len - 1] != ']')
        return kwi_addr_parse(out, name, port);
    len -= 2;
    if (len >= sizeof(digits))
        return false;
    memcpy(digits, name + 1, len);
    digits[len] = '\0';
    return kwi_addr_parse(out, digits, port) && out->family == 6;
}

bool kwi_lookup_is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return len > 0 && len <= 255 && name[len] == '\0';
}

bool kwi_lookup_take(struct kw_addr *out, const struct sockaddr *from, uint16_t port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    *out = (struct kw_addr){.port = port};
    if (from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof(v4));
        out->family = 4;
        memcpy(out->ip, &v4.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        memcpy(&v6, from, sizeof(v6));
        out->family = 6;
        memcpy(out->ip, &v6.sin6_addr, 16);
        out->scope_id = v6.sin6_scope_id;
    }
    return out->family != 0;
}

unsigned kwi_lookup_sockaddr(struct sockaddr_storage *out, const struct kw_addr *addr)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = addr->scope_id};
    memset(out, 0, sizeof(*out));
    memcpy(&v4.sin_addr, addr->ip, 4);
    memcpy(&v6.sin6_addr, addr->ip, 16);
    if (addr->family == 4)
        memcpy(out, &v4, sizeof(v4));
    else
        memcpy(out, &v6, sizeof(v6));
    return addr->family == 4 ? sizeof(v4) : sizeof(v6);
}

bool kwi_lookup_addr(const struct kw_addr *addr, char name[KWI_LOOKUP_NAME])
{
    struct sockaddr_storage at;
    unsigned len = kwi_lookup_sockaddr(&at, addr);
    return getnameinfo((const struct sockaddr *)&at, len, name, KWI_LOOKUP_NAME, NULL, 0,
                       NI_NAMEREQD) == 0;
}

/* Those that a socket of ours can use, in the resolver's order. */
static size_t lookup_copy(const struct addrinfo *list, uint16_t port, struct kw_addr *out,
                          size_t cap)
{
    size_t n = 0;
    for (const struct addrinfo *info = list; info && n < cap; info = info->ai_next)
        n += kwi_lookup_take(&out[n], info->ai_addr, port);
    return n;
}

size_t kwi_lookup_name(const char *name, uint16_t port, struct kw_addr *out, size_t cap,
                       int *gai_err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_protocol = IPPROTO_TCP,
                             .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(name, NULL, &hints, &list);
    if (rc != 0 && rc != EAI_AGAIN && rc != EAI_MEMORY) {
        /* A host whose only interface is the loopback has no "configured"
         * address family, which hides names of the loopback itself. */
        hints.ai_flags = 0;
        rc = getaddrinfo(name, NULL, &hints, &list);
    }
    if (rc != 0) {
        *gai_err = rc;
        return 0;
    }
    size_t n = lookup_copy(list, port, out, cap);
    freeaddrinfo(list);
    *gai_err = n > 0 ? 0 : EAI_NONAME;
    return n;
}
