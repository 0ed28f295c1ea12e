/* kwire/crypto.h -- the cryptography that SASL needs, as a table of functions.
 *
 * The library computes none of it by itself: the core gets this table through
 * struct kw_env, and libkwire fills it from the TLS library that was built in
 * (make WITH_TLS=...). A host without libkwire brings its own. Without a table
 * PLAIN and OAUTHBEARER work, SCRAM is refused.
 *
 * Any thread may call any of these at any time. */
#ifndef KWIRE_CRYPTO_H
#define KWIRE_CRYPTO_H
#include <kwire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum kw_hash { KW_HASH_SHA256 = 1, KW_HASH_SHA512 = 2 };
enum { KW_HASH_SIZE_MAX = 64 }; /* bytes of the longest; SHA-256 has 32 */

/* Those that return int: 0, or KW_ERR_UNSUPPORTED if the library refused. `out`,
 * `u` and `acc` have as many bytes as the hash. */
struct kw_crypto {
    const char *name; /* of the library, for people */
    /* n bytes that nobody can guess. */
    int (*random)(void *out, size_t n);
    int (*hash)(enum kw_hash alg, const void *ptr, size_t len, void *out);
    int (*hmac)(enum kw_hash alg, const void *key, size_t key_len, const void *ptr, size_t len,
                void *out);
    /* PBKDF2 in slices (RFC 8018 5.2): `rounds` times u = HMAC(key, u), then
     * acc = acc XOR u. The caller makes the first u, and acc a copy of it. */
    int (*pbkdf2)(enum kw_hash alg, const void *key, size_t key_len, void *u, void *acc,
                  uint32_t rounds);
    /* In a time that does not depend on the bytes. */
    bool (*equal)(const void *a, const void *b, size_t n);
};

/* That of the library which was built in; NULL: WITH_TLS=none. Threads: any. */
KW_EXPORT const struct kw_crypto *kw_crypto_builtin(void);

#ifdef __cplusplus
}
#endif
#endif
