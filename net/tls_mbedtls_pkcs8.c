/* net/tls_mbedtls_pkcs8.c -- private keys, encrypted ones too.
 *
 * mbedTLS 2.28 opens PBES2 (RFC 8018) only where the cipher is DES or 3DES; what
 * OpenSSL writes since 2016 is AES in CBC mode with a key from PBKDF2, so that is done
 * here, with mbedTLS's functions. What is not of that form is left to mbedTLS.
 *
 *   EncryptedPrivateKeyInfo  { { PBES2, { { PBKDF2, { salt, rounds, [len], [prf] } },
 *                                         { aes-CBC, iv } } }, the ciphertext } */
#include "net/tls_mbedtls.h"
#include <mbedtls/asn1.h>
#include <mbedtls/cipher.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <string.h>

enum {
    PKCS8_BLOCK = 16,
    PKCS8_KEY_MAX = 32,
    PKCS8_ROUNDS_MAX = 10000000, /* seconds; a file may not take minutes */
    PKCS8_NOT_OURS = 1           /* let mbedTLS try */
};

/* What the header says. */
struct pkcs8_box {
    mbedtls_asn1_buf salt, iv;
    int rounds;
    mbedtls_md_type_t prf;
    size_t key_len;
    uint8_t *ptr; /* the ciphertext */
    size_t len;
};

static bool pkcs8_is(const mbedtls_asn1_buf *oid, const char *bytes, size_t len)
{
    return oid->len == len && memcmp(oid->p, bytes, len) == 0;
}

/* AES in CBC mode, by the last byte of 2.16.840.1.101.3.4.1.x: bytes of its key. */
static size_t pkcs8_key_len(const mbedtls_asn1_buf *oid)
{
    static const uint8_t arc[8] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01};
    if (oid->len != 9 || memcmp(oid->p, arc, 8) != 0)
        return 0;
    switch (oid->p[8]) {
    case 2: return 16;
    case 22: return 24;
    case 42: return 32;
    default: return 0;
    }
}

static int pkcs8_read_kdf(struct pkcs8_box *box, const mbedtls_asn1_buf *params)
{
    uint8_t *p = params->p, *end = p + params->len;
    mbedtls_asn1_buf prf, none;
    int len = 0;
    size_t n;
    int code = mbedtls_asn1_get_tag(&p, end, &n, MBEDTLS_ASN1_OCTET_STRING);
    if (code != 0)
        return code;
    box->salt = (mbedtls_asn1_buf){.p = p, .len = n};
    p += n;
    code = mbedtls_asn1_get_int(&p, end, &box->rounds);
    if (code == 0 && p < end && *p == MBEDTLS_ASN1_INTEGER)
        code = mbedtls_asn1_get_int(&p, end, &len);
    box->prf = MBEDTLS_MD_SHA1; /* the standard's default */
    if (code != 0 || p == end)
        return code;
    code = mbedtls_asn1_get_alg(&p, end, &prf, &none);
    if (code == 0)
        code = mbedtls_oid_get_md_hmac(&prf, &box->prf);
    return code;
}

/* Returns 0, a code, or PKCS8_NOT_OURS. */
static int pkcs8_read_scheme(struct pkcs8_box *box, const mbedtls_asn1_buf *params)
{
    uint8_t *p = params->p, *end = p + params->len;
    mbedtls_asn1_buf kdf, kdf_params, cipher;
    int code = mbedtls_asn1_get_alg(&p, end, &kdf, &kdf_params);
    if (code == 0)
        code = mbedtls_asn1_get_alg(&p, end, &cipher, &box->iv);
    if (code != 0)
        return code;
    box->key_len = pkcs8_key_len(&cipher);
    if (box->key_len == 0 ||
        !pkcs8_is(&kdf, MBEDTLS_OID_PKCS5_PBKDF2, MBEDTLS_OID_SIZE(MBEDTLS_OID_PKCS5_PBKDF2)))
        return PKCS8_NOT_OURS;
    code = pkcs8_read_kdf(box, &kdf_params);
    if (code != 0)
        return code;
    bool good = box->iv.len == PKCS8_BLOCK && box->rounds > 0 && box->rounds <= PKCS8_ROUNDS_MAX;
    return good ? 0 : MBEDTLS_ERR_PK_KEY_INVALID_FORMAT;
}

static int pkcs8_read(struct pkcs8_box *box, uint8_t *der, size_t len)
{
    uint8_t *p = der, *end = der + len;
    mbedtls_asn1_buf scheme, params;
    size_t n;
    int code = mbedtls_asn1_get_tag(&p, end, &n, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
    if (code != 0)
        return code;
    end = p + n;
    code = mbedtls_asn1_get_alg(&p, end, &scheme, &params);
    if (code != 0)
        return code;
    if (!pkcs8_is(&scheme, MBEDTLS_OID_PKCS5_PBES2, MBEDTLS_OID_SIZE(MBEDTLS_OID_PKCS5_PBES2)))
        return PKCS8_NOT_OURS;
    code = pkcs8_read_scheme(box, &params);
    if (code == 0)
        code = mbedtls_asn1_get_tag(&p, end, &box->len, MBEDTLS_ASN1_OCTET_STRING);
    box->ptr = p;
    if (code == 0 && (box->len == 0 || box->len % PKCS8_BLOCK != 0))
        code = MBEDTLS_ERR_PK_KEY_INVALID_FORMAT;
    return code;
}

/* Decrypts in place; *len: what is left without the padding. */
static int pkcs8_decrypt(const struct pkcs8_box *box, const char *password, size_t *len)
{
    uint8_t key[PKCS8_KEY_MAX], block[PKCS8_BLOCK];
    size_t n = 0, tail = 0;
    mbedtls_cipher_context_t ctx;
    mbedtls_cipher_init(&ctx);
    int code = kwi_tls_v_pbkdf2(box->prf, password, &box->salt, (unsigned)box->rounds, key,
                                box->key_len);
    if (code == 0)
        code = mbedtls_cipher_setup(&ctx, mbedtls_cipher_info_from_values(MBEDTLS_CIPHER_ID_AES,
                                                                          (int)box->key_len * 8,
                                                                          MBEDTLS_MODE_CBC));
    if (code == 0)
        code = mbedtls_cipher_setkey(&ctx, key, (int)box->key_len * 8, MBEDTLS_DECRYPT);
    if (code == 0)
        code = mbedtls_cipher_set_iv(&ctx, box->iv.p, box->iv.len);
    /* The cipher keeps the last block back until it has seen the padding. */
    if (code == 0)
        code = mbedtls_cipher_update(&ctx, box->ptr, box->len, box->ptr, &n);
    if (code == 0)
        code = mbedtls_cipher_finish(&ctx, block, &tail);
    if (code == 0)
        memcpy(box->ptr + n, block, tail);
    *len = n + tail;
    mbedtls_cipher_free(&ctx);
    mbedtls_platform_zeroize(key, sizeof(key));
    mbedtls_platform_zeroize(block, sizeof(block));
    return code;
}

/* mbedTLS opens it. A wrong password leaves a wrong padding, which it calls so; or, for one
 * in 256, a good one around nonsense, which it calls a key of a wrong form. */
static int pkcs8_parse_locked(mbedtls_pk_context *key, const uint8_t *ptr, size_t len,
                              const char *password)
{
    int code = kwi_tls_v_parse_key(key, ptr, len, password);
    if (code == 0 || !password || kwi_tls_no_room(code) ||
        code == MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE)
        return code;
    return MBEDTLS_ERR_PK_PASSWORD_MISMATCH;
}

int kwi_tls_open_pkcs8(mbedtls_pk_context *key, uint8_t *der, size_t len, const char *password)
{
    struct pkcs8_box box = {0};
    size_t n = 0;
    int code = pkcs8_read(&box, der, len);
    if (code == PKCS8_NOT_OURS)
        return pkcs8_parse_locked(key, der, len, password);
    if (code != 0)
        return kwi_tls_no_room(code) ? code : MBEDTLS_ERR_PK_KEY_INVALID_FORMAT;
    code = pkcs8_decrypt(&box, password, &n);
    if (kwi_tls_no_room(code))
        return code;
    /* A wrong password leaves a wrong padding, or, once in a while, no key. */
    if (code != 0)
        return MBEDTLS_ERR_PK_PASSWORD_MISMATCH;
    code = kwi_tls_v_parse_key(key, box.ptr, n, NULL);
    return code == 0 || kwi_tls_no_room(code) ? code : MBEDTLS_ERR_PK_PASSWORD_MISMATCH;
}

int kwi_tls_parse_key(mbedtls_pk_context *key, const char *text, size_t len, const char *password)
{
    static const char begin[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    static const char end[] = "-----END ENCRYPTED PRIVATE KEY-----";
    mbedtls_pem_context pem;
    size_t used;
    if (strstr(text, "Proc-Type: 4,ENCRYPTED"))
        return pkcs8_parse_locked(key, (const uint8_t *)text, len + 1, password);
    if (!strstr(text, begin))
        return kwi_tls_v_parse_key(key, (const uint8_t *)text, len + 1, password);
    if (!password)
        return MBEDTLS_ERR_PK_PASSWORD_REQUIRED;
    mbedtls_pem_init(&pem);
    int code = mbedtls_pem_read_buffer(&pem, begin, end, (const uint8_t *)text, NULL, 0, &used);
    if (code == 0)
        code = kwi_tls_open_pkcs8(key, pem.MBEDTLS_PRIVATE(buf), pem.MBEDTLS_PRIVATE(buflen),
                                  password);
    mbedtls_pem_free(&pem); /* wipes it */
    return code;
}
