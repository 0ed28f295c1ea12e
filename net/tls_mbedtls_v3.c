/* net/tls_mbedtls_v3.c -- what is particular to mbedTLS 3.x. TLS 1.3 is there where
 * the library was built with it. Empty where mbedTLS is older. */
#include "net/tls_mbedtls.h"
#if MBEDTLS_VERSION_MAJOR >= 3
#include <mbedtls/pkcs5.h>
#include <psa/crypto.h>
#include <string.h>

int kwi_tls_v_begin(void)
{
    /* TLS 1.3 does its cryptography there; it may be called any number of times. */
    return psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* TLS 1.3 keeps its keys in a store of the whole process, which two clients with a thread
 * each share: before 3.6, and without its locks, only one thread may come near it. So it is
 * with all of a library that was built with MBEDTLS_USE_PSA_CRYPTO. */
#if defined(MBEDTLS_USE_PSA_CRYPTO) && !defined(MBEDTLS_THREADING_C)
#error "this mbedTLS serves one thread only: build it with MBEDTLS_THREADING_C"
#endif
#if defined(MBEDTLS_SSL_PROTO_TLS1_3) && defined(MBEDTLS_THREADING_C) && \
    MBEDTLS_VERSION_NUMBER >= 0x03060000
#define TLS_HAS_13
#endif

#ifdef TLS_HAS_13
bool kwi_tls_v_has_13(void)
{
    return true;
}

void kwi_tls_v_set_protocols(mbedtls_ssl_config *conf, bool min_13, bool max_12)
{
    mbedtls_ssl_conf_min_tls_version(conf, min_13 ? MBEDTLS_SSL_VERSION_TLS1_3
                                                  : MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(conf, max_12 ? MBEDTLS_SSL_VERSION_TLS1_2
                                                  : MBEDTLS_SSL_VERSION_TLS1_3);
}

bool kwi_tls_v_is_ticket(int code)
{
    return code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}
#else
bool kwi_tls_v_has_13(void)
{
    return false;
}

void kwi_tls_v_set_protocols(mbedtls_ssl_config *conf, bool min_13, bool max_12)
{
    (void)min_13;
    (void)max_12;
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
}

bool kwi_tls_v_is_ticket(int code)
{
    (void)code;
    return false;
}
#endif

/* Since 3.6.1 tickets of TLS 1.3 are dropped unless they are asked for. */
#if defined(TLS_HAS_13) && defined(MBEDTLS_SSL_SESSION_TICKETS) && \
    MBEDTLS_VERSION_NUMBER >= 0x03060100
static void tls_want_tickets(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
}
#else
static void tls_want_tickets(mbedtls_ssl_config *conf)
{
    (void)conf;
}
#endif

static const uint16_t tls_groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
static const uint16_t tls_signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,       MBEDTLS_TLS1_3_SIG_NONE};

void kwi_tls_v_set_rules(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_groups(conf, tls_groups);
    mbedtls_ssl_conf_sig_algs(conf, tls_signatures);
    tls_want_tickets(conf);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
    mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
}

int kwi_tls_v_parse_key(mbedtls_pk_context *key, const uint8_t *ptr, size_t len,
                        const char *password)
{
    return mbedtls_pk_parse_key(key, ptr, len, (const unsigned char *)password,
                                password ? strlen(password) : 0, kwi_tls_random, NULL);
}

int kwi_tls_v_check_pair(const mbedtls_pk_context *pub, const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(pub, key, kwi_tls_random, NULL);
}

int kwi_tls_v_pbkdf2(mbedtls_md_type_t md, const char *password, const mbedtls_asn1_buf *salt,
                     unsigned rounds, uint8_t *out, size_t len)
{
    return mbedtls_pkcs5_pbkdf2_hmac_ext(md, (const unsigned char *)password, strlen(password),
                                         salt->p, salt->len, rounds, (uint32_t)len, out);
}

bool kwi_tls_v_asked(const mbedtls_ssl_context *ssl)
{
    (void)ssl; /* it keeps that to itself */
    return false;
}

bool kwi_tls_v_is_version_error(int code)
{
    return code == MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION;
}
#endif
