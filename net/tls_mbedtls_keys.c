/* net/tls_mbedtls_keys.c -- what is trusted and who we are: PEM from files and from
 * memory, encrypted keys, revocation lists, the system's store. PKCS#12 is for
 * OpenSSL alone: mbedTLS cannot read it. */
#include "net/tls_mbedtls.h"
#include <mbedtls/pem.h>
#include <stdlib.h>
#include <string.h>

static const char tls_begin_certificate[] = "-----BEGIN CERTIFICATE-----";
static const char tls_begin_crl[] = "-----BEGIN X509 CRL-----";

enum { TLS_RSA_BITS = 2048, TLS_EC_BITS = 224 };

bool kwi_tls_key_is_short(const mbedtls_pk_context *key)
{
    size_t bits = mbedtls_pk_get_bitlen(key);
    return bits <
           (mbedtls_pk_can_do(key, MBEDTLS_PK_RSA) ? (size_t)TLS_RSA_BITS : (size_t)TLS_EC_BITS);
}

/* ---- authorities ------------------------------------------------------------------ */

/* text has len bytes and a NUL. */
static int tls_add_authorities(struct kw_tls *tls, const char *text, size_t len, enum kw_key key,
                               struct kw_error *err)
{
    if (!strstr(text, tls_begin_certificate))
        return kwi_tls_refuse(err, key, "there is no certificate in it",
                              "PEM is wanted; keytool -exportcert -rfc, or openssl pkcs12 -nokeys, "
                              "makes it of a Java or PKCS#12 store");
    int code = mbedtls_x509_crt_parse(&tls->trusted, (const unsigned char *)text, len + 1);
    if (kwi_tls_no_room(code))
        return KW_ERR_NOMEM;
    /* Above 0: so many of them were not understood. */
    if (code != 0)
        return kwi_tls_refuse_why(err, key, "a certificate in it cannot be read",
                                  code < 0 ? code : 0,
                                  "each must be whole, from BEGIN CERTIFICATE to END CERTIFICATE, "
                                  "without critical extensions that mbedTLS does not know");
    return 0;
}

/* The same places, and the same variables that may name another, as with OpenSSL. */
static int tls_trust_system(struct kw_tls *tls, struct kw_error *err)
{
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem"};
    const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
    int code = -1;
    /* Certificates of a store that are not understood are left out, not trusted. */
    if (file)
        code = mbedtls_x509_crt_parse_file(&tls->trusted, file);
    if (dir && code < 0 && !kwi_tls_no_room(code))
        code = mbedtls_x509_crt_parse_path(&tls->trusted, dir);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !file && !dir; i++) {
        code = mbedtls_x509_crt_parse_file(&tls->trusted, files[i]);
        if (code >= 0 || kwi_tls_no_room(code))
            break;
    }
    if (code < 0 && !file && !dir && !kwi_tls_no_room(code))
        code = mbedtls_x509_crt_parse_path(&tls->trusted, "/etc/ssl/certs");
    if (kwi_tls_no_room(code))
        return KW_ERR_NOMEM;
    if (tls->trusted.version != 0)
        return 0;
    return kwi_tls_refuse(err, KW_KEY_SSL_TRUSTSTORE_LOCATION,
                          "not set, and this system has no store of trusted authorities",
                          "set it to a PEM file with the authority of the brokers, or install "
                          "ca-certificates");
}

static int tls_load_crls(struct kw_tls *tls, const char *path, struct kw_error *err)
{
    struct kw_tls_file file;
    int code = 0, rc = kwi_tls_file_read(&file, tls->heap, KW_KEY_SSL_CRL_LOCATION, path, err);
    if (rc != 0)
        return rc;
    bool any = strstr(file.ptr, tls_begin_crl) != NULL;
    if (any)
        code = mbedtls_x509_crl_parse(&tls->crls, (const unsigned char *)file.ptr, file.len + 1);
    if (kwi_tls_no_room(code))
        rc = KW_ERR_NOMEM;
    else if (!any || code != 0)
        rc = kwi_tls_refuse_why(err, KW_KEY_SSL_CRL_LOCATION,
                                "there is no revocation list in it that can be read", code,
                                "PEM is wanted; openssl crl -inform DER makes it of a DER file");
    kwi_tls_file_free(&file);
    tls->has_crls = rc == 0;
    return rc;
}

int kwi_tls_load_trust(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    const char *path = kw_config_text(cfg, KW_KEY_SSL_TRUSTSTORE_LOCATION);
    const char *text = kw_config_text(cfg, KW_KEY_SSL_TRUSTSTORE_CERTIFICATES);
    const char *crl = kw_config_text(cfg, KW_KEY_SSL_CRL_LOCATION);
    struct kw_tls_file file;
    int rc = 0;
    if (path) {
        rc = kwi_tls_file_read(&file, tls->heap, KW_KEY_SSL_TRUSTSTORE_LOCATION, path, err);
        if (rc == 0)
            rc = tls_add_authorities(tls, file.ptr, file.len, KW_KEY_SSL_TRUSTSTORE_LOCATION, err);
        kwi_tls_file_free(&file);
    }
    if (rc == 0 && text)
        rc = tls_add_authorities(tls, text, strlen(text), KW_KEY_SSL_TRUSTSTORE_CERTIFICATES, err);
    if (rc == 0 && !path && !text)
        rc = tls_trust_system(tls, err);
    if (rc == 0 && crl)
        rc = tls_load_crls(tls, crl, err);
    if (rc == 0)
        mbedtls_ssl_conf_ca_chain(&tls->conf, &tls->trusted, crl ? &tls->crls : NULL);
    return rc;
}

/* ---- our certificate and key ------------------------------------------------------- */

static int tls_read_key(struct kw_tls *tls, const char *text, size_t len, enum kw_key key,
                        const char *password, struct kw_error *err)
{
    int code = kwi_tls_parse_key(&tls->key, text, len, password);
    if (code == 0)
        return 0;
    if (kwi_tls_no_room(code))
        return KW_ERR_NOMEM;
    if (code == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
        return kwi_tls_refuse(err, key, "the private key is encrypted", "set ssl.key.password");
    if (code == MBEDTLS_ERR_PK_PASSWORD_MISMATCH)
        return kwi_tls_refuse(
            err, KW_KEY_SSL_KEY_PASSWORD,
            "it does not open the private key: a wrong password, or a damaged key",
            "openssl pkey -in FILE -noout asks for the password and tries it");
    return kwi_tls_refuse_why(
        err, key, "there is no private key in it that can be read", code,
        "PEM is wanted, with BEGIN PRIVATE KEY or BEGIN ENCRYPTED PRIVATE KEY");
}

static int tls_read_chain(struct kw_tls *tls, const char *text, size_t len, enum kw_key key,
                          struct kw_error *err)
{
    bool any = strstr(text, tls_begin_certificate) != NULL;
    int code = any ? mbedtls_x509_crt_parse(&tls->own, (const unsigned char *)text, len + 1) : 0;
    if (kwi_tls_no_room(code))
        return KW_ERR_NOMEM;
    if (any && code == 0)
        return 0;
    return kwi_tls_refuse_why(err, key, "there is no certificate in it that can be read",
                              code < 0 ? code : 0,
                              "PEM is wanted: the client's certificate first, then the chain");
}

/* PKCS#12 is DER and begins with a sequence; anything else is taken as PEM. */
static int tls_read_keystore(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    const enum kw_key key = KW_KEY_SSL_KEYSTORE_LOCATION;
    const char *password = kw_config_text(cfg, KW_KEY_SSL_KEY_PASSWORD);
    struct kw_tls_file file;
    int rc = kwi_tls_file_read(&file, tls->heap, key, kw_config_text(cfg, key), err);
    if (rc != 0)
        return rc;
    if (file.len > 0 && file.ptr[0] == 0x30) {
        rc = kwi_tls_refuse(err, key,
                            "it is a PKCS#12 file, which a build with mbedTLS cannot read",
                            "openssl pkcs12 -in FILE -out FILE.pem makes PEM of it; or build with "
                            "OpenSSL (WITH_TLS=openssl)");
    } else if (kw_config_text(cfg, KW_KEY_SSL_KEYSTORE_PASSWORD)) {
        rc = kwi_tls_refuse(err, KW_KEY_SSL_KEYSTORE_PASSWORD,
                            "the file in ssl.keystore.location is no PKCS#12 file",
                            "the password of a key in PEM is ssl.key.password");
    } else {
        rc = tls_read_key(tls, file.ptr, file.len, key, password, err);
        if (rc == 0)
            rc = tls_read_chain(tls, file.ptr, file.len, key, err);
    }
    kwi_tls_file_free(&file);
    return rc;
}

/* A file or, without a path, a text of the configuration. */
struct tls_either {
    struct kw_tls_file file;
    const char *ptr;
    size_t len;
    enum kw_key key; /* that was used */
};

static int tls_open_either(struct tls_either *in, struct kw_tls *tls, const struct kw_config *cfg,
                           enum kw_key file, enum kw_key text, struct kw_error *err)
{
    const char *path = kw_config_text(cfg, file);
    *in = (struct tls_either){.key = path ? file : text};
    if (!path) {
        in->ptr = kw_config_text(cfg, text);
        in->len = strlen(in->ptr);
        return 0;
    }
    int rc = kwi_tls_file_read(&in->file, tls->heap, file, path, err);
    in->ptr = in->file.ptr;
    in->len = in->file.len;
    return rc;
}

static int tls_read_pair(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    struct tls_either in;
    int rc = tls_open_either(&in, tls, cfg, KW_KEY_SSL_CERTIFICATE_LOCATION,
                             KW_KEY_SSL_KEYSTORE_CERTIFICATE_CHAIN, err);
    if (rc == 0)
        rc = tls_read_chain(tls, in.ptr, in.len, in.key, err);
    kwi_tls_file_free(&in.file);
    if (rc != 0)
        return rc;
    rc = tls_open_either(&in, tls, cfg, KW_KEY_SSL_KEY_LOCATION, KW_KEY_SSL_KEYSTORE_KEY, err);
    if (rc == 0)
        rc = tls_read_key(tls, in.ptr, in.len, in.key, kw_config_text(cfg, KW_KEY_SSL_KEY_PASSWORD),
                          err);
    kwi_tls_file_free(&in.file);
    return rc;
}

/* A broker refuses what it thinks weak without a word: better here, with one. */
static bool tls_own_is_weak(const mbedtls_x509_crt *own)
{
    for (; own; own = own->next) {
        if (kwi_tls_key_is_short(&own->pk) ||
            !(kwi_tls_profile.allowed_mds & MBEDTLS_X509_ID_FLAG(own->MBEDTLS_PRIVATE(sig_md))))
            return true;
    }
    return false;
}

int kwi_tls_load_identity(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    bool store = kw_config_text(cfg, KW_KEY_SSL_KEYSTORE_LOCATION) != NULL;
    enum kw_key key = store ? KW_KEY_SSL_KEYSTORE_LOCATION : KW_KEY_SSL_CERTIFICATE_LOCATION;
    int rc = kwi_tls_check_keys(cfg, &tls->has_certificate, err);
    if (rc != 0 || !tls->has_certificate)
        return rc;
    rc = store ? tls_read_keystore(tls, cfg, err) : tls_read_pair(tls, cfg, err);
    if (rc != 0)
        return rc;
    int code = kwi_tls_v_check_pair(&tls->own.pk, &tls->key);
    if (kwi_tls_no_room(code))
        return KW_ERR_NOMEM;
    if (code != 0)
        return kwi_tls_refuse_why(err, key, "the private key is not that of the certificate", code,
                                  "is the client's own certificate the first one in the file?");
    if (tls_own_is_weak(&tls->own))
        return kwi_tls_refuse(err, key, "the client's certificate cannot be used",
                              "weak keys and hashes are refused: issue it again");
    return mbedtls_ssl_conf_own_cert(&tls->conf, &tls->own, &tls->key) == 0 ? 0 : KW_ERR_NOMEM;
}
