/* tests/tls/zoo.c -- see zoo.h. */
#include "tests/tls/zoo.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ZOO_HOUR = 3600, ZOO_DAY = 86400 };

static void zoo_extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    if (!value || !*value)
        return;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    cr_assert_not_null(extension, "%s", value);
    cr_assert(X509_add_ext(x509, extension, -1));
    X509_EXTENSION_free(extension);
}

static void zoo_be_strange(X509 *x509)
{
    ASN1_OBJECT *object = OBJ_txt2obj("1.2.3.4.5.6", 1);
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    cr_assert(ASN1_OCTET_STRING_set(data, (const unsigned char *)"\5\0", 2));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 1, data);
    cr_assert(X509_add_ext(x509, extension, -1));
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(data);
    ASN1_OBJECT_free(object);
}

static void zoo_add_nul_name(X509 *x509)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    cr_assert(ASN1_STRING_set(text, "localhost\0.example.org", 22));
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(names, name);
    cr_assert(X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, 0));
    GENERAL_NAMES_free(names);
}

static void zoo_fill(X509 *x509, const struct zoo_spec *spec, X509 *issuer)
{
    static long serial = 1000;
    X509_NAME *name = X509_get_subject_name(x509);
    bool always = spec->from_s == 0 && spec->until_s == 0;
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), always ? -ZOO_HOUR : spec->from_s);
    X509_gmtime_adj(X509_getm_notAfter(x509), always ? ZOO_DAY : spec->until_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)spec->name, -1, -1,
                               0);
    X509_set_issuer_name(x509, X509_get_subject_name(issuer));
    zoo_extend(x509, issuer, NID_basic_constraints,
               spec->basic          ? spec->basic
               : spec->is_authority ? "critical,CA:TRUE"
                                    : "critical,CA:FALSE");
    zoo_extend(x509, issuer, NID_key_usage,
               spec->key_usage      ? spec->key_usage
               : spec->is_authority ? "critical,keyCertSign,cRLSign"
                                    : NULL);
    zoo_extend(x509, issuer, NID_ext_key_usage,
               spec->usage          ? spec->usage
               : spec->is_authority ? NULL
                                    : "serverAuth");
    zoo_extend(x509, issuer, NID_subject_alt_name, spec->names);
    zoo_extend(x509, issuer, NID_name_constraints, spec->constraints);
    if (spec->strange)
        zoo_be_strange(x509);
    if (spec->nul_name)
        zoo_add_nul_name(x509);
}

struct zoo_cert zoo_issue(const struct zoo_spec *spec, const struct zoo_cert *issuer)
{
    struct zoo_cert cert = {.x509 = X509_new()};
    cert.key = spec->rsa_bits ? EVP_RSA_gen((unsigned)spec->rsa_bits) : EVP_EC_gen("P-256");
    cr_assert(cert.x509 && cert.key);
    zoo_fill(cert.x509, spec, issuer ? issuer->x509 : cert.x509);
    cr_assert(X509_set_pubkey(cert.x509, cert.key));
    cr_assert_gt(X509_sign(cert.x509, issuer ? issuer->key : cert.key,
                           spec->sha1 ? EVP_sha1() : EVP_sha256()),
                 0);
    return cert;
}

void zoo_free(struct zoo_cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    *cert = (struct zoo_cert){0};
}

static char *zoo_take(BIO *bio)
{
    char *ptr, *text;
    size_t len = (size_t)BIO_get_mem_data(bio, &ptr);
    cr_assert_gt(len, 0);
    text = malloc(len + 1);
    memcpy(text, ptr, len);
    text[len] = 0;
    BIO_free(bio);
    return text;
}

char *zoo_pem(const struct zoo_cert *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert(PEM_write_bio_X509(bio, cert->x509));
    return zoo_take(bio);
}

char *zoo_key_pem(const struct zoo_cert *cert, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert(PEM_write_bio_PKCS8PrivateKey(bio, cert->key, password ? EVP_aes_256_cbc() : NULL,
                                            password, password ? (int)strlen(password) : 0, NULL,
                                            NULL));
    return zoo_take(bio);
}

char *zoo_locked_key_pem(const struct zoo_cert *cert, const char *cipher, bool old,
                         const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *how = EVP_get_cipherbyname(cipher);
    int len = (int)strlen(password);
    cr_assert(how);
    if (old)
        cr_assert(PEM_write_bio_PrivateKey_traditional(
            bio, cert->key, how, (const unsigned char *)password, len, NULL, NULL));
    else
        cr_assert(PEM_write_bio_PKCS8PrivateKey(bio, cert->key, how, password, len, NULL, NULL));
    return zoo_take(bio);
}

char *zoo_crl_pem(const struct zoo_cert *authority, const struct zoo_cert *revoked, long until_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *last = X509_gmtime_adj(NULL, -ZOO_DAY), *next = X509_gmtime_adj(NULL, until_s);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(authority->x509));
    X509_CRL_set1_lastUpdate(crl, last);
    X509_CRL_set1_nextUpdate(crl, next);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->x509));
        X509_REVOKED_set_revocationDate(entry, last);
        X509_CRL_add0_revoked(crl, entry);
    }
    cr_assert_gt(X509_CRL_sign(crl, authority->key, EVP_sha256()), 0);
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert(PEM_write_bio_X509_CRL(bio, crl));
    ASN1_TIME_free(last);
    ASN1_TIME_free(next);
    X509_CRL_free(crl);
    return zoo_take(bio);
}

static FILE *zoo_open(int slot, const char **path)
{
    static char paths[4][64];
    char *name = paths[slot];
    snprintf(name, sizeof(paths[0]), "/tmp/kwire-test-%ld-%d", (long)getpid(), slot);
    *path = name;
    FILE *file = fopen(name, "wb");
    cr_assert_not_null(file, "%s", name);
    return file;
}

const char *zoo_file(int slot, const char *text)
{
    const char *path;
    FILE *file = zoo_open(slot, &path);
    cr_assert_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    return path;
}

static const char *zoo_pkcs12(int slot, const struct zoo_cert *cert, const char *password, int seal)
{
    const char *path;
    FILE *file = zoo_open(slot, &path);
    PKCS12 *box = PKCS12_create(password, "kwire", cert->key, cert->x509, NULL, 0, 0, 0, seal, 0);
    cr_assert(box && i2d_PKCS12_fp(file, box));
    PKCS12_free(box);
    fclose(file);
    return path;
}

const char *zoo_pkcs12_file(int slot, const struct zoo_cert *cert, const char *password)
{
    return zoo_pkcs12(slot, cert, password, 0);
}

const char *zoo_pkcs12_unsealed_file(int slot, const struct zoo_cert *cert, const char *password)
{
    return zoo_pkcs12(slot, cert, password, -1);
}
