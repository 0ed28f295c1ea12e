/* base/base64.h -- base64 with padding (RFC 4648 4), both ways. */
#ifndef KWI_BASE64_H
#define KWI_BASE64_H
#include <kwire/types.h>

/* Characters that n bytes become. */
static inline size_t kwi_base64_len(size_t n)
{
    return (n + 2) / 3 * 4;
}
/* Writes kwi_base64_len(n) characters, without a NUL. */
void kwi_base64_put(char *out, const void *bytes, size_t n);
/* Strict: full groups of four, padding only at the end, no other characters, and
 * zero in the bits that padding leaves over. Errors: KW_ERR_SYNTAX, KW_ERR_SPACE
 * (more than cap bytes). */
KW_MUST_USE int kwi_base64_get(void *out, size_t cap, size_t *n, const char *text, size_t len);

#endif
