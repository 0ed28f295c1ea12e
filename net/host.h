/* net/host.h -- what the core may not ask for itself: memory, random bytes,
 * files, the system's words for an error. */
#ifndef KWI_HOST_H
#define KWI_HOST_H
#include <kwire/types.h>

/* malloc and free. */
struct kw_alloc kwi_host_alloc(void);
/* *out = *env (NULL: zeroed) with every zeroed field filled in. KW_ERR_IO with
 * *os_err when the system gives no random bytes, KW_ERR_USE when only one of
 * the two allocator functions is set. */
KW_MUST_USE int kwi_host_env(struct kw_env *out, const struct kw_env *env, int *os_err);
/* Text of an errno; static memory. */
const char *kwi_host_error(int os_err);

#endif
