/* proto/scram.c -- see scram.h.
 *
 * A broker's message is a list of one-letter attributes in a fixed order. It comes
 * from a peer that has not proved anything yet: nothing of it is taken that is not
 * exactly as the RFC says. */
#include "proto/scram.h"

#include <string.h>

#include "base/base64.h"
#include "base/wipe.h"

size_t kwi_scram_name(char *out, const char *name, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        const char *escaped = name[i] == ',' ? "=2C" : name[i] == '=' ? "=3D" : NULL;

        if (out && escaped)
            memcpy(out + n, escaped, 3);
        else if (out)
            out[n] = name[i];
        n += escaped ? 3 : 1;
    }
    return n;
}

/* Takes the next attribute off a message. false: there is none, or it is malformed. */
static bool scram_attribute(const char **msg, size_t *len, char name, const char **value,
                            size_t *value_len)
{
    const char *comma;
    size_t n;

    if (*len < 2 || (*msg)[0] != name || (*msg)[1] != '=')
        return false;
    for (n = 2; n < *len && (*msg)[n] != ','; n++)
        ;
    comma = n < *len ? *msg + n : NULL;
    *value = *msg + 2;
    *value_len = n - 2;
    *msg += comma ? n + 1 : n;
    *len -= comma ? n + 1 : n;
    /* A comma announces one more. */
    return *value_len > 0 && (!comma || *len > 0);
}

/* Printable ASCII; an attribute's value has no comma. */
static bool scram_is_nonce(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return true;
}

/* A positive decimal number without a leading zero. An attribute's value is never empty. */
static bool scram_count(const char *text, size_t len, uint32_t *out)
{
    uint32_t sum = 0;

    if (len > 9 || text[0] == '0')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        sum = sum * 10 + (uint32_t)(text[i] - '0');
    }
    *out = sum;
    return true;
}

static int scram_refuse(const char **why, const char *text)
{
    *why = text;
    return KW_ERR_SYNTAX;
}

int kwi_scram_first_get(struct kw_scram_first *first, const char *msg, size_t len,
                        const char *nonce, size_t nonce_len, const char **why)
{
    const char *value;
    size_t n;

    memset(first, 0, sizeof(*first));
    if (len > KWI_SCRAM_MESSAGE_MAX)
        return scram_refuse(why, "its first SCRAM message is above 2048 bytes");
    if (len >= 2 && msg[0] == 'm' && msg[1] == '=')
        return scram_refuse(why, "it asks for a SCRAM extension (m=) that nobody defines");
    if (!scram_attribute(&msg, &len, 'r', &first->nonce, &first->nonce_len))
        return scram_refuse(why, "its first SCRAM message does not begin with a nonce (r=)");
    if (!scram_is_nonce(first->nonce, first->nonce_len) || first->nonce_len <= nonce_len ||
        memcmp(first->nonce, nonce, nonce_len) != 0)
        return scram_refuse(why, "its SCRAM nonce is not ours with one of its own behind it");
    if (!scram_attribute(&msg, &len, 's', &value, &n))
        return scram_refuse(why, "its first SCRAM message has no salt (s=)");
    if (kwi_base64_get(first->salt, sizeof(first->salt), &first->salt_len, value, n))
        return scram_refuse(why, "its SCRAM salt is not base64, or above 256 bytes");
    if (!scram_attribute(&msg, &len, 'i', &value, &n) || !scram_count(value, n, &first->iterations))
        return scram_refuse(why, "its first SCRAM message has no iteration count (i=)");
    if (first->iterations < KWI_SCRAM_ITERATIONS_MIN)
        return scram_refuse(why, "it asks for fewer than 4096 SCRAM iterations, which is unsafe");
    if (first->iterations > KWI_SCRAM_ITERATIONS_MAX)
        return scram_refuse(why, "it asks for more than 1000000 SCRAM iterations");
    return 0;
}

int kwi_scram_final_get(uint8_t *signature, size_t size, const char *msg, size_t len,
                        const char **why, size_t *why_len)
{
    const char *value;
    size_t n, got;
    bool told = len > 0 && len <= KWI_SCRAM_MESSAGE_MAX;

    if (told && scram_attribute(&msg, &len, 'e', &value, &n)) {
        *why = value;
        *why_len = n;
        return KW_ERR_AUTH;
    }
    if (told && scram_attribute(&msg, &len, 'v', &value, &n) &&
        !kwi_base64_get(signature, size, &got, value, n) && got == size)
        return 0;
    *why = "its last SCRAM message has no signature (v=)";
    *why_len = strlen(*why);
    return KW_ERR_SYNTAX;
}

int kwi_scram_prove(const struct kw_crypto *crypto, enum kw_hash alg, const uint8_t *salted,
                    const char *auth, size_t auth_len, uint8_t *proof, uint8_t *signature)
{
    uint8_t key[KW_HASH_SIZE_MAX], stored[KW_HASH_SIZE_MAX], mac[KW_HASH_SIZE_MAX];
    size_t size = kwi_scram_hash_size(alg);
    int rc = crypto->hmac(alg, salted, size, "Client Key", 10, key);

    if (!rc)
        rc = crypto->hash(alg, key, size, stored);
    if (!rc)
        rc = crypto->hmac(alg, stored, size, auth, auth_len, mac);
    for (size_t i = 0; !rc && i < size; i++)
        proof[i] = key[i] ^ mac[i];
    if (!rc)
        rc = crypto->hmac(alg, salted, size, "Server Key", 10, key);
    if (!rc)
        rc = crypto->hmac(alg, key, size, auth, auth_len, signature);
    kwi_wipe(key, sizeof(key));
    kwi_wipe(stored, sizeof(stored));
    kwi_wipe(mac, sizeof(mac));
    return rc;
}

int kwi_scram_salt(const struct kw_crypto *crypto, enum kw_hash alg, const char *password,
                   size_t len, const uint8_t *salt, size_t salt_len, uint8_t *u, uint8_t *acc)
{
    uint8_t block[KWI_SCRAM_SALT_MAX + 4];
    int rc;

    if (salt_len > KWI_SCRAM_SALT_MAX)
        return KW_ERR_USE;
    memcpy(block, salt, salt_len);
    memcpy(block + salt_len, "\0\0\0\1", 4);
    rc = crypto->hmac(alg, password, len, block, salt_len + 4, u);
    if (!rc)
        memcpy(acc, u, kwi_scram_hash_size(alg));
    return rc;
}
