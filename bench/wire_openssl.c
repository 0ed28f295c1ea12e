/* bench/wire_openssl.c -- see wire.h. */
#include "bench/wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "bench/sink.h"

enum { WIRE_AHEAD = 64 << 10 };

struct wire {
    SSL *ssl;
};
static SSL_CTX *wire_ctx;

static void wire_die(const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    sink_die("TLS: %s: %s", what, reason ? reason : "no reason");
}

static void wire_init(const SSL_METHOD *method)
{
    wire_ctx = SSL_CTX_new(method);
    if (!wire_ctx || !SSL_CTX_set_min_proto_version(wire_ctx, TLS1_2_VERSION))
        wire_die("no context");
    SSL_CTX_set_mode(wire_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

void wire_serve(const char *pem_file)
{
    wire_init(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(wire_ctx, pem_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(wire_ctx, pem_file, SSL_FILETYPE_PEM) != 1)
        wire_die(pem_file);
}

void wire_trust(const char *ca_file, bool ahead)
{
    wire_init(TLS_client_method());
    if (SSL_CTX_load_verify_locations(wire_ctx, ca_file, NULL) != 1)
        wire_die(ca_file);
    SSL_CTX_set_verify(wire_ctx, SSL_VERIFY_PEER, NULL);
    if (!ahead)
        return;
    SSL_CTX_set_read_ahead(wire_ctx, 1);
    SSL_CTX_set_default_read_buffer_len(wire_ctx, WIRE_AHEAD);
}

struct wire *wire_open(int fd)
{
    struct wire *wire = malloc(sizeof(*wire));
    SSL *ssl = SSL_new(wire_ctx);

    if (!wire || !ssl || SSL_set_fd(ssl, fd) != 1)
        wire_die("no session");
    wire->ssl = ssl;
    if (SSL_is_server(ssl)) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_tlsext_host_name(ssl, "localhost");
        if (SSL_connect(ssl) != 1)
            wire_die("handshake");
    }
    return wire;
}

void wire_close(struct wire *wire)
{
    SSL_free(wire->ssl);
    free(wire);
}

static ssize_t wire_result(struct wire *wire, int rc)
{
    if (rc > 0)
        return rc;
    switch (SSL_get_error(wire->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    default: ERR_clear_error(); return 0; /* the peer is gone */
    }
}

ssize_t wire_recv(struct wire *wire, void *buf, size_t cap)
{
    return wire_result(wire, SSL_read(wire->ssl, buf, cap < 1 << 30 ? (int)cap : 1 << 30));
}

ssize_t wire_send(struct wire *wire, const void *ptr, size_t len)
{
    return wire_result(wire, SSL_write(wire->ssl, ptr, len < 1 << 30 ? (int)len : 1 << 30));
}

bool wire_pending(const struct wire *wire)
{
    return SSL_has_pending(wire->ssl) == 1;
}

const char *wire_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}
