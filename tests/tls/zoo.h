/* tests/tls/zoo.h -- certificates made on the spot, good ones and bad ones of
 * every kind, with libcrypto. */
#ifndef TEST_TLS_ZOO_H
#define TEST_TLS_ZOO_H
#include <openssl/x509.h>
#include <stdbool.h>

struct zoo_cert {
    X509 *x509;
    EVP_PKEY *key;
};

/* What a certificate says; zero is a good leaf without names. */
struct zoo_spec {
    const char *name;        /* common name */
    const char *names;       /* subjectAltName, as openssl.cnf writes it */
    const char *usage;       /* extendedKeyUsage; NULL: serverAuth for a leaf */
    const char *key_usage;   /* keyUsage; NULL: keyCertSign,cRLSign for an authority */
    const char *constraints; /* nameConstraints */
    const char *basic;       /* basicConstraints; NULL: by is_authority */
    long from_s, until_s;    /* validity from now on; 0, 0: from an hour ago to tomorrow */
    int rsa_bits;            /* 0: P-256 */
    bool is_authority;
    bool sha1;
    bool strange;  /* a critical extension that nobody knows */
    bool nul_name; /* the first alternative name is "localhost\0.example.org" */
};

/* issuer NULL: signed by itself. */
struct zoo_cert zoo_issue(const struct zoo_spec *spec, const struct zoo_cert *issuer);
void zoo_free(struct zoo_cert *cert);
/* As PEM text, NUL-terminated; free() it. With a password the key is encrypted. */
char *zoo_pem(const struct zoo_cert *cert);
char *zoo_key_pem(const struct zoo_cert *cert, const char *password);
/* Encrypted with that cipher of OpenSSL's, as PKCS #8, or in the old form, where the
 * cipher stands in the head of the PEM text. */
char *zoo_locked_key_pem(const struct zoo_cert *cert, const char *cipher, bool old,
                         const char *password);
/* A revocation list of the authority, with `revoked` in it (may be NULL), that is
 * out of date when `until_s` is negative. */
char *zoo_crl_pem(const struct zoo_cert *authority, const struct zoo_cert *revoked, long until_s);
/* Writes a text, or a PKCS#12 file, to a new file; the name is in static memory
 * until the next call with the same slot (0 to 3). */
const char *zoo_file(int slot, const char *text);
const char *zoo_pkcs12_file(int slot, const struct zoo_cert *cert, const char *password);
/* The same without a MAC, as openssl pkcs12 -export -nomac writes it. */
const char *zoo_pkcs12_unsealed_file(int slot, const struct zoo_cert *cert, const char *password);

#endif
