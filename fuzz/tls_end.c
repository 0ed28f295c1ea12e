/* fuzz/tls_end.c -- see tls_end.h. A certificate is made once, when the first
 * connection is opened. Whatever fails here is no finding, and ends the run. */
#include "fuzz/tls_end.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_end {
    SSL *ssl;
    BIO *in, *out;
};

enum { END_DAY = 86400, END_PEM = 2048 };

static struct {
    X509 *x509;
    EVP_PKEY *key;
    SSL_CTX *ctx[2]; /* by max_12 */
    char pem[END_PEM];
} end_bed;

static void end_must(bool held, const char *what)
{
    if (held)
        return;
    fprintf(stderr, "the broker's side of TLS: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(2);
}
#define MUST(call) end_must((call), #call)

static void end_extend(int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    MUST(extension && X509_add_ext(end_bed.x509, extension, -1));
    X509_EXTENSION_free(extension);
}

static void end_make_certificate(void)
{
    X509 *x509 = end_bed.x509 = X509_new();
    EVP_PKEY *key = end_bed.key = EVP_EC_gen("P-256");
    MUST(x509 && key && X509_set_version(x509, 2));
    MUST(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1));
    X509_gmtime_adj(X509_getm_notBefore(x509), -END_DAY);
    X509_gmtime_adj(X509_getm_notAfter(x509), 100L * END_DAY);
    X509_NAME *name = X509_get_subject_name(x509);
    MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"fuzz", -1, -1,
                                    0));
    MUST(X509_set_issuer_name(x509, name) && X509_set_pubkey(x509, key));
    end_extend(NID_basic_constraints, "critical,CA:FALSE");
    end_extend(NID_ext_key_usage, "serverAuth");
    end_extend(NID_subject_alt_name, "DNS:localhost");
    MUST(X509_sign(x509, key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    MUST(bio && PEM_write_bio_X509(bio, x509));
    int len = BIO_read(bio, end_bed.pem, END_PEM - 1);
    MUST(len > 0);
    BIO_free(bio);
}

static SSL_CTX *end_context(bool max_12)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    MUST(ctx && SSL_CTX_use_certificate(ctx, end_bed.x509));
    MUST(SSL_CTX_use_PrivateKey(ctx, end_bed.key));
    MUST(SSL_CTX_set_max_proto_version(ctx, max_12 ? TLS1_2_VERSION : TLS1_3_VERSION));
    MUST(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"kwire", 5));
    SSL_CTX_set_options(ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

static void end_begin(void)
{
    if (end_bed.x509)
        return;
    end_make_certificate();
    end_bed.ctx[0] = end_context(false);
    end_bed.ctx[1] = end_context(true);
}

const char *tls_end_authority(void)
{
    end_begin();
    return end_bed.pem;
}

struct tls_end *tls_end_open(bool max_12)
{
    struct tls_end *end = calloc(1, sizeof *end);
    end_begin();
    MUST(end != NULL);
    end->ssl = SSL_new(end_bed.ctx[max_12]);
    end->in = BIO_new(BIO_s_mem());
    end->out = BIO_new(BIO_s_mem());
    MUST(end->ssl && end->in && end->out);
    BIO_set_mem_eof_return(end->in, -1);
    SSL_set_bio(end->ssl, end->in, end->out);
    SSL_set_accept_state(end->ssl);
    return end;
}

void tls_end_close(struct tls_end *end)
{
    if (!end)
        return;
    SSL_free(end->ssl);
    free(end);
}

void tls_end_put(struct tls_end *end, const void *ptr, size_t len)
{
    MUST(BIO_write(end->in, ptr, (int)len) == (int)len);
}

size_t tls_end_take(struct tls_end *end, void *buf, size_t cap)
{
    int n = BIO_read(end->out, buf, (int)cap);
    return n > 0 ? (size_t)n : 0;
}

bool tls_end_handshake(struct tls_end *end)
{
    ERR_clear_error();
    (void)SSL_do_handshake(end->ssl);
    return SSL_is_init_finished(end->ssl);
}

bool tls_end_write(struct tls_end *end, const void *ptr, size_t len)
{
    size_t n;
    ERR_clear_error();
    return SSL_write_ex(end->ssl, ptr, len, &n) == 1;
}

size_t tls_end_read(struct tls_end *end, void *buf, size_t cap)
{
    size_t n = 0;
    ERR_clear_error();
    return SSL_read_ex(end->ssl, buf, cap, &n) == 1 ? n : 0;
}

bool tls_end_is_13(const struct tls_end *end)
{
    return SSL_version(end->ssl) == TLS1_3_VERSION;
}

void tls_end_update_keys(struct tls_end *end, bool ask)
{
    ERR_clear_error();
    (void)SSL_key_update(end->ssl, ask ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
    (void)SSL_do_handshake(end->ssl);
}

void tls_end_renegotiate(struct tls_end *end)
{
    ERR_clear_error();
    if (SSL_renegotiate(end->ssl) == 1)
        (void)SSL_do_handshake(end->ssl);
}

void tls_end_goodbye(struct tls_end *end)
{
    ERR_clear_error();
    (void)SSL_shutdown(end->ssl);
}
