/* base/wipe.h -- clearing secrets, so that the compiler cannot leave it out. */
#ifndef KWI_WIPE_H
#define KWI_WIPE_H
#include <stddef.h>
#include <string.h>

/* ptr may be NULL: then there is nothing to clear. */
static inline void kwi_wipe(void *ptr, size_t n)
{
    if (!ptr || n == 0)
        return;
    memset(ptr, 0, n);
    /* For all the compiler knows, somebody looks at the bytes now. */
    __asm__ volatile("" : : "r"(ptr) : "memory");
}

#endif
