/* net/tls_mbedtls_v2.c -- what is particular to mbedTLS 2.28, which has TLS 1.2 and
 * nothing later. Empty where mbedTLS is newer. */
#include "net/tls_mbedtls.h"
#if MBEDTLS_VERSION_MAJOR < 3
#include <mbedtls/pkcs5.h>
#include <string.h>

int kwi_tls_v_begin(void)
{
    return 0;
}

bool kwi_tls_v_has_13(void)
{
    return false;
}

void kwi_tls_v_set_protocols(mbedtls_ssl_config *conf, bool min_13, bool max_12)
{
    (void)min_13;
    (void)max_12;
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
}

static const mbedtls_ecp_group_id tls_curves[] = {
    MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1,
    MBEDTLS_ECP_DP_SECP521R1,  MBEDTLS_ECP_DP_BP256R1,   MBEDTLS_ECP_DP_BP384R1,
    MBEDTLS_ECP_DP_BP512R1,    MBEDTLS_ECP_DP_NONE};
static const int tls_hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
                                 MBEDTLS_MD_NONE};

void kwi_tls_v_set_rules(mbedtls_ssl_config *conf)
{
    mbedtls_ssl_conf_curves(conf, tls_curves);
    mbedtls_ssl_conf_sig_hashes(conf, tls_hashes);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
    mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
}

int kwi_tls_v_parse_key(mbedtls_pk_context *key, const uint8_t *ptr, size_t len,
                        const char *password)
{
    return mbedtls_pk_parse_key(key, ptr, len, (const unsigned char *)password,
                                password ? strlen(password) : 0);
}

int kwi_tls_v_check_pair(const mbedtls_pk_context *pub, const mbedtls_pk_context *key)
{
    return mbedtls_pk_check_pair(pub, key);
}

int kwi_tls_v_pbkdf2(mbedtls_md_type_t md, const char *password, const mbedtls_asn1_buf *salt,
                     unsigned rounds, uint8_t *out, size_t len)
{
    mbedtls_md_context_t ctx;
    mbedtls_md_init(&ctx);
    int code = mbedtls_md_setup(&ctx, mbedtls_md_info_from_type(md), 1);
    if (code == 0)
        code = mbedtls_pkcs5_pbkdf2_hmac(&ctx, (const unsigned char *)password, strlen(password),
                                         salt->p, salt->len, rounds, (uint32_t)len, out);
    mbedtls_md_free(&ctx);
    return code;
}

bool kwi_tls_v_asked(const mbedtls_ssl_context *ssl)
{
    return ssl->client_auth > 0;
}

bool kwi_tls_v_is_version_error(int code)
{
    return code == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION;
}

bool kwi_tls_v_is_ticket(int code)
{
    (void)code;
    return false;
}
#endif
