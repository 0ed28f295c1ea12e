/* net/crypto_none.c -- WITH_TLS=none: no library, no table. */
#include <kwire/crypto.h>

const struct kw_crypto *kw_crypto_builtin(void)
{
    return NULL;
}
