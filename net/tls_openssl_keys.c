/* net/tls_openssl_keys.c -- what is trusted and who we are: PEM from files and
 * from memory, PKCS#12, encrypted keys, revocation lists, the system's store.
 *
 * A password is only ever handed to OpenSSL. */
#include "net/tls_openssl.h"
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- texts --------------------------------------------------------------------- */

/* A file, or a text of the configuration, as OpenSSL reads it. */
struct tls_input {
    BIO *bio;
    struct kw_tls_file file; /* if it is one */
};

static void tls_input_close(struct tls_input *in)
{
    BIO_free(in->bio);
    kwi_tls_file_free(&in->file);
    *in = (struct tls_input){0};
}

static int tls_input_file(struct tls_input *in, struct kw_heap *heap, enum kw_key key,
                          const char *path, struct kw_error *err)
{
    *in = (struct tls_input){0};
    int rc = kwi_tls_file_read(&in->file, heap, key, path, err);
    if (rc != 0)
        return rc;
    in->bio = BIO_new_mem_buf(in->file.ptr, (int)in->file.len);
    if (in->bio)
        return 0;
    tls_input_close(in);
    return KW_ERR_NOMEM;
}

static int tls_input_text(struct tls_input *in, const char *text)
{
    *in = (struct tls_input){.bio = BIO_new_mem_buf(text, -1)};
    return in->bio ? 0 : KW_ERR_NOMEM;
}

/* The end of the input looks like an error to the PEM reader. */
static bool tls_pem_ended(void)
{
    unsigned long e = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
    if (ended)
        ERR_clear_error();
    return ended;
}

/* Certificates and lists have no password; OpenSSL would ask for one on the terminal. */
static int tls_no_password(char *buf, int cap, int writing, void *arg)
{
    (void)buf;
    (void)cap;
    (void)writing;
    (void)arg;
    return -1;
}

/* ---- authorities ------------------------------------------------------------------ */

static int tls_add_authorities(X509_STORE *store, BIO *bio, enum kw_key key, struct kw_error *err)
{
    int n = 0, rc = 0;
    X509 *x509;
    while (rc == 0 && (x509 = PEM_read_bio_X509_AUX(bio, NULL, tls_no_password, NULL))) {
        rc = X509_STORE_add_cert(store, x509) ? 0 : KW_ERR_NOMEM;
        X509_free(x509);
        n++;
    }
    if (rc != 0)
        return rc;
    if (!tls_pem_ended())
        return kwi_tls_refuse_why(err, key, "a certificate in it cannot be read",
                                  "each must be whole, from BEGIN CERTIFICATE to END CERTIFICATE");
    if (n == 0)
        return kwi_tls_refuse(err, key, "there is no certificate in it",
                              "PEM is wanted; keytool -exportcert -rfc, or openssl pkcs12 -nokeys, "
                              "makes it of a Java or PKCS#12 store");
    return 0;
}

static bool tls_folder_has_files(const char *path)
{
    DIR *dir = opendir(path);
    bool any = false;
    if (!dir)
        return false;
    for (struct dirent *entry; !any && (entry = readdir(dir));)
        any = entry->d_name[0] != '.';
    closedir(dir);
    return any;
}

/* Where OpenSSL was told to look when it was built need not be where this system
 * keeps its store: a static build travels. */
static int tls_trust_system(SSL_CTX *ctx, struct kw_error *err)
{
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem"};
    const char *file = getenv(X509_get_default_cert_file_env());
    const char *dir = getenv(X509_get_default_cert_dir_env());
    if (access(file ? file : X509_get_default_cert_file(), R_OK) == 0 ||
        tls_folder_has_files(dir ? dir : X509_get_default_cert_dir()))
        return SSL_CTX_set_default_verify_paths(ctx) ? 0 : KW_ERR_NOMEM;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (SSL_CTX_load_verify_file(ctx, files[i]))
            return 0;
    }
    ERR_clear_error();
    return kwi_tls_refuse(err, KW_KEY_SSL_TRUSTSTORE_LOCATION,
                          "not set, and this system has no store of trusted authorities",
                          "set it to a PEM file with the authority of the brokers, or install "
                          "ca-certificates");
}

static int tls_load_crls(X509_STORE *store, struct kw_heap *heap, const char *path,
                         struct kw_error *err)
{
    struct tls_input in;
    X509_CRL *crl;
    int n = 0, rc = tls_input_file(&in, heap, KW_KEY_SSL_CRL_LOCATION, path, err);
    while (rc == 0 && (crl = PEM_read_bio_X509_CRL(in.bio, NULL, tls_no_password, NULL))) {
        rc = X509_STORE_add_crl(store, crl) ? 0 : KW_ERR_NOMEM;
        X509_CRL_free(crl);
        n++;
    }
    tls_input_close(&in);
    if (rc != 0)
        return rc;
    if (!tls_pem_ended() || n == 0)
        return kwi_tls_refuse_why(err, KW_KEY_SSL_CRL_LOCATION,
                                  "there is no revocation list in it that can be read",
                                  "PEM is wanted; openssl crl -inform DER makes it of a DER file");
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 0;
}

int kwi_tls_load_trust(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(tls->ctx);
    struct kw_heap *heap = tls->heap;
    const char *path = kw_config_text(cfg, KW_KEY_SSL_TRUSTSTORE_LOCATION);
    const char *text = kw_config_text(cfg, KW_KEY_SSL_TRUSTSTORE_CERTIFICATES);
    const char *crl = kw_config_text(cfg, KW_KEY_SSL_CRL_LOCATION);
    struct tls_input in;
    int rc = 0;
    if (path) {
        rc = tls_input_file(&in, heap, KW_KEY_SSL_TRUSTSTORE_LOCATION, path, err);
        if (rc == 0)
            rc = tls_add_authorities(store, in.bio, KW_KEY_SSL_TRUSTSTORE_LOCATION, err);
        tls_input_close(&in);
    }
    if (rc == 0 && text) {
        rc = tls_input_text(&in, text);
        if (rc == 0)
            rc = tls_add_authorities(store, in.bio, KW_KEY_SSL_TRUSTSTORE_CERTIFICATES, err);
        tls_input_close(&in);
    }
    if (rc == 0 && !path && !text)
        rc = tls_trust_system(tls->ctx, err);
    if (rc == 0 && crl)
        rc = tls_load_crls(store, heap, crl, err);
    return rc;
}

/* ---- our certificate and key ------------------------------------------------------- */

struct tls_identity {
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};

struct tls_password {
    const char *text; /* NULL: none was given */
    bool asked;       /* the key is encrypted */
};

static void tls_identity_free(struct tls_identity *id)
{
    X509_free(id->certificate);
    EVP_PKEY_free(id->key);
    sk_X509_pop_free(id->chain, X509_free);
}

static int tls_give_password(char *buf, int cap, int writing, void *arg)
{
    struct tls_password *password = arg;
    size_t len = password->text ? strlen(password->text) : 0;
    (void)writing;
    password->asked = true;
    if (!password->text || len > (size_t)cap)
        return -1;
    memcpy(buf, password->text, len);
    return (int)len;
}

static int tls_read_key(struct tls_identity *id, BIO *bio, enum kw_key key, const char *text,
                        struct kw_error *err)
{
    struct tls_password password = {.text = text};
    id->key = PEM_read_bio_PrivateKey(bio, NULL, tls_give_password, &password);
    if (id->key) {
        ERR_clear_error();
        return 0;
    }
    if (password.asked && !text)
        return kwi_tls_refuse(err, key, "the private key is encrypted", "set ssl.key.password");
    if (password.asked)
        return kwi_tls_refuse(
            err, KW_KEY_SSL_KEY_PASSWORD,
            "it does not open the private key: a wrong password, or a damaged key",
            "openssl pkey -in FILE -noout asks for the password and tries it");
    return kwi_tls_refuse_why(
        err, key, "there is no private key in it that can be read",
        "PEM is wanted, with BEGIN PRIVATE KEY or BEGIN ENCRYPTED PRIVATE KEY");
}

static int tls_read_chain(struct tls_identity *id, BIO *bio, enum kw_key key, struct kw_error *err)
{
    X509 *x509;
    id->certificate = PEM_read_bio_X509_AUX(bio, NULL, tls_no_password, NULL);
    id->chain = sk_X509_new_null();
    if (!id->chain)
        return KW_ERR_NOMEM;
    while (id->certificate && (x509 = PEM_read_bio_X509(bio, NULL, tls_no_password, NULL))) {
        if (!sk_X509_push(id->chain, x509)) {
            X509_free(x509);
            return KW_ERR_NOMEM;
        }
    }
    if (tls_pem_ended() && id->certificate)
        return 0;
    return kwi_tls_refuse_why(err, key, "there is no certificate in it that can be read",
                              "PEM is wanted: the client's certificate first, then the chain");
}

static int tls_read_pkcs12(struct tls_identity *id, PKCS12 *box, const char *password,
                           struct kw_error *err)
{
    /* Without a seal nothing says whether the password is right but the parts themselves. */
    bool open = !PKCS12_mac_present(box) ||
                PKCS12_verify_mac(box, password ? password : "", -1) == 1;
    if (!open && (!password || !*password))
        open = PKCS12_verify_mac(box, NULL, 0) == 1;
    if (!open && !password)
        return kwi_tls_refuse(err, KW_KEY_SSL_KEYSTORE_LOCATION, "the PKCS#12 file has a password",
                              "set ssl.keystore.password");
    if (!open)
        return kwi_tls_refuse(err, KW_KEY_SSL_KEYSTORE_PASSWORD,
                              "it does not open the PKCS#12 file: a wrong password, or a damaged "
                              "file",
                              "openssl pkcs12 -in FILE -noout asks for the password and tries it");
    bool parsed = PKCS12_parse(box, password ? password : "", &id->key, &id->certificate,
                               &id->chain) == 1;
    if (!parsed && !PKCS12_mac_present(box)) /* which of the two, depends on OpenSSL's version */
        return kwi_tls_refuse_why(err, KW_KEY_SSL_KEYSTORE_LOCATION,
                                  "the PKCS#12 file has no MAC: OpenSSL 3.0 reads none without, "
                                  "newer ones need the right password",
                                  "write it again, without -nomac or macAlgorithm=NONE");
    if (!parsed)
        return kwi_tls_refuse_why(err, KW_KEY_SSL_KEYSTORE_LOCATION,
                                  "the PKCS#12 file cannot be read",
                                  "old files use ciphers that OpenSSL 3 has dropped: write it "
                                  "again with openssl pkcs12");
    if (!id->key || !id->certificate)
        return kwi_tls_refuse(err, KW_KEY_SSL_KEYSTORE_LOCATION,
                              "the PKCS#12 file has no key, or no certificate of it",
                              "export both into it");
    return 0;
}

/* PKCS#12 is DER and begins with a sequence; anything else is taken as PEM. */
static int tls_read_keystore(struct tls_identity *id, struct kw_heap *heap,
                             const struct kw_config *cfg, const char *path, struct kw_error *err)
{
    const enum kw_key key = KW_KEY_SSL_KEYSTORE_LOCATION;
    const char *store_password = kw_config_text(cfg, KW_KEY_SSL_KEYSTORE_PASSWORD);
    const char *key_password = kw_config_text(cfg, KW_KEY_SSL_KEY_PASSWORD);
    struct tls_input in;
    int rc = tls_input_file(&in, heap, key, path, err);
    if (rc != 0)
        return rc;
    PKCS12 *box = in.file.len > 0 && in.file.ptr[0] == 0x30 ? d2i_PKCS12_bio(in.bio, NULL) : NULL;
    if (box && key_password) {
        rc = kwi_tls_refuse(err, KW_KEY_SSL_KEY_PASSWORD, "a PKCS#12 file has one password",
                            "set ssl.keystore.password alone");
    } else if (box) {
        rc = tls_read_pkcs12(id, box, store_password, err);
    } else if (store_password) {
        rc = kwi_tls_refuse(err, KW_KEY_SSL_KEYSTORE_PASSWORD,
                            "the file in ssl.keystore.location is no PKCS#12 file",
                            "the password of a key in PEM is ssl.key.password");
    } else {
        ERR_clear_error();
        (void)BIO_reset(in.bio);
        rc = tls_read_key(id, in.bio, key, key_password, err);
        (void)BIO_reset(in.bio);
        if (rc == 0)
            rc = tls_read_chain(id, in.bio, key, err);
    }
    PKCS12_free(box);
    tls_input_close(&in);
    return rc;
}

/* From a file or, without a path, from text. */
static int tls_open_either(struct tls_input *in, struct kw_heap *heap, const struct kw_config *cfg,
                           enum kw_key file, enum kw_key text, enum kw_key *used,
                           struct kw_error *err)
{
    const char *path = kw_config_text(cfg, file);
    *used = path ? file : text;
    return path ? tls_input_file(in, heap, file, path, err)
                : tls_input_text(in, kw_config_text(cfg, text));
}

static int tls_read_pair(struct tls_identity *id, struct kw_heap *heap, const struct kw_config *cfg,
                         struct kw_error *err)
{
    enum kw_key used;
    struct tls_input in;
    int rc = tls_open_either(&in, heap, cfg, KW_KEY_SSL_CERTIFICATE_LOCATION,
                             KW_KEY_SSL_KEYSTORE_CERTIFICATE_CHAIN, &used, err);
    if (rc == 0)
        rc = tls_read_chain(id, in.bio, used, err);
    tls_input_close(&in);
    if (rc != 0)
        return rc;
    rc = tls_open_either(&in, heap, cfg, KW_KEY_SSL_KEY_LOCATION, KW_KEY_SSL_KEYSTORE_KEY, &used,
                         err);
    if (rc == 0)
        rc = tls_read_key(id, in.bio, used, kw_config_text(cfg, KW_KEY_SSL_KEY_PASSWORD), err);
    tls_input_close(&in);
    return rc;
}

int kwi_tls_load_identity(struct kw_tls *tls, const struct kw_config *cfg, struct kw_error *err)
{
    struct tls_identity id = {0};
    const char *store = kw_config_text(cfg, KW_KEY_SSL_KEYSTORE_LOCATION);
    enum kw_key key = store ? KW_KEY_SSL_KEYSTORE_LOCATION : KW_KEY_SSL_CERTIFICATE_LOCATION;
    int rc = kwi_tls_check_keys(cfg, &tls->has_certificate, err);
    if (rc != 0 || !tls->has_certificate)
        return rc;
    rc = store ? tls_read_keystore(&id, tls->heap, cfg, store, err)
               : tls_read_pair(&id, tls->heap, cfg, err);
    if (rc == 0 && X509_check_private_key(id.certificate, id.key) != 1)
        rc = kwi_tls_refuse_why(err, key, "the private key is not that of the certificate",
                                "is the client's own certificate the first one in the file?");
    if (rc == 0 && !SSL_CTX_use_cert_and_key(tls->ctx, id.certificate, id.key, id.chain, 1))
        rc = kwi_tls_refuse_why(err, key, "the client's certificate cannot be used",
                                "weak keys and hashes are refused: issue it again");
    tls_identity_free(&id);
    return rc;
}
