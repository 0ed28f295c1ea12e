/* net/lookup.h -- host names to addresses. */
#ifndef KWI_LOOKUP_H
#define KWI_LOOKUP_H
#include <kwire/types.h>

struct sockaddr;

enum { KWI_LOOKUP_ADDRS = 32 }; /* of one name, at most */

/* Reads an address in digits, with or without brackets: "10.0.0.7", "::1",
 * "[fe80::1%2]". False: it is a name. */
bool kwi_lookup_numeric(const char *name, uint16_t port, struct kw_addr *out);

/* Whether a host can have this name: letters, digits, '-', '_' and dots, at most 255. */
bool kwi_lookup_is_name(const char *name);

/* An address as resolvers give it; false: of a family that no socket of ours has. */
bool kwi_lookup_take(struct kw_addr *out, const struct sockaddr *from, uint16_t port);

/* Asks the system's resolver and WAITS for its answer. Returns how many of at
 * most cap addresses were found; 0 with *gai_err (an EAI_ code) when none. */
size_t kwi_lookup_name(const char *name, uint16_t port, struct kw_addr *out, size_t cap,
                       int *gai_err);

/* The other way round: WAITS for the name of an address. False: it has none. */
enum { KWI_LOOKUP_NAME = 256 };
bool kwi_lookup_addr(const struct kw_addr *addr, char name[KWI_LOOKUP_NAME]);

/* An address for system calls that take one, with port 0; returns its length. */
struct sockaddr_storage;
unsigned kwi_lookup_sockaddr(struct sockaddr_storage *out, const struct kw_addr *addr);

#endif
