/* proto/scram.h -- the messages of SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802,
 * RFC 7677), without channel binding, and what is computed for them. Whoever
 * authenticates (client/sasl_scram.c) and the broker model (mock/sasl.c) share it. */
#ifndef KWI_SCRAM_H
#define KWI_SCRAM_H
#include <kwire/crypto.h>

enum {
    KWI_SCRAM_ITERATIONS_MIN = 4096, /* RFC 7677 4 */
    /* Half a second of work: a hostile broker cannot ask for an hour. */
    KWI_SCRAM_ITERATIONS_MAX = 1000000,
    KWI_SCRAM_SALT_MAX = 256,
    KWI_SCRAM_MESSAGE_MAX = 2048 /* bytes of a broker's message */
};

/* Bytes of a hash. */
static inline size_t kwi_scram_hash_size(enum kw_hash alg)
{
    return alg == KW_HASH_SHA256 ? 32 : 64;
}

/* Writes a user name with ',' and '=' escaped; returns the length, which may be
 * three times len. out NULL: only that. */
size_t kwi_scram_name(char *out, const char *name, size_t len);

struct kw_scram_first {
    const char *nonce; /* whole: ours, then the broker's; borrowed from the message */
    size_t nonce_len;
    uint8_t salt[KWI_SCRAM_SALT_MAX];
    size_t salt_len;
    uint32_t iterations;
};
/* Reads the broker's first message: r=...,s=...,i=... and nothing but extensions
 * behind it. The nonce must be ours and more. Errors: KW_ERR_SYNTAX, with *why set
 * to a static text for people. */
KW_MUST_USE int kwi_scram_first_get(struct kw_scram_first *first, const char *msg, size_t len,
                                    const char *nonce, size_t nonce_len, const char **why);

/* Reads the broker's last message: 0 and its signature of `size` bytes, or
 * KW_ERR_AUTH and the broker's own error word, or KW_ERR_SYNTAX and what is wrong
 * with it; *why borrows from msg or is static. */
KW_MUST_USE int kwi_scram_final_get(uint8_t *signature, size_t size, const char *msg, size_t len,
                                    const char **why, size_t *why_len);

/* From the salted password and the three messages joined by commas ("auth"):
 * what the client proves its password with, and the signature that the broker
 * must answer. Errors: of the table. */
KW_MUST_USE int kwi_scram_prove(const struct kw_crypto *crypto, enum kw_hash alg,
                                const uint8_t *salted, const char *auth, size_t auth_len,
                                uint8_t *proof, uint8_t *signature);

/* PBKDF2 begins: u = acc = HMAC(password, salt + 1). iterations - 1 rounds are left.
 * Errors: of the table; KW_ERR_USE: the salt is above KWI_SCRAM_SALT_MAX. */
KW_MUST_USE int kwi_scram_salt(const struct kw_crypto *crypto, enum kw_hash alg,
                               const char *password, size_t len, const uint8_t *salt,
                               size_t salt_len, uint8_t *u, uint8_t *acc);

#endif
