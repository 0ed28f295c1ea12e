/* tests/tls/server.c -- see server.h. */
#include "tests/tls/server.h"
#include "net/tls.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVER_ROOM = 32 << 20 };

const char *by(const char *openssl, const char *mbedtls)
{
    return strcmp(kwi_tls_backend(), "openssl") == 0 ? openssl : mbedtls;
}

bool client_has_13(void)
{
    struct kw_config *cfg;
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "security.protocol", "SSL", NULL), 0);
    cr_assert_eq(kw_config_set(cfg, "ssl.enabled.protocols", "TLSv1.3", NULL), 0);
    struct kw_client *client = fake_client_of(cfg, NULL, NULL);
    bool has = client != NULL;
    kw_client_destroy(client);
    kw_config_destroy(cfg);
    return has;
}

void server_start(struct server *server, const struct zoo_cert *const *chain)
{
    memset(server, 0, sizeof(*server));
    server->fd = -1;
    server->limit = SIZE_MAX;
    server->got = malloc(SERVER_ROOM);
    server->listener = peer_listen(&server->port);
    server->ctx = SSL_CTX_new(TLS_server_method());
    /* A broker may well have what we refuse. */
    SSL_CTX_set_security_level(server->ctx, 0);
    SSL_CTX_set_options(server->ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    cr_assert_eq(SSL_CTX_use_certificate(server->ctx, chain[0]->x509), 1);
    cr_assert_eq(SSL_CTX_use_PrivateKey(server->ctx, chain[0]->key), 1);
    for (int i = 1; i < SERVER_CHAIN && chain[i]; i++)
        cr_assert_eq(SSL_CTX_add1_chain_cert(server->ctx, chain[i]->x509), 1);
    SSL_CTX_set_session_id_context(server->ctx, (const unsigned char *)"kwire", 5);
}

void server_accept(struct server *server)
{
    SSL_free(server->ssl);
    if (server->fd >= 0)
        close(server->fd);
    server->fd = peer_accept(server->listener);
    /* Else small records wait for a delayed acknowledgement. */
    setsockopt(server->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    server->ssl = SSL_new(server->ctx);
    server->in = BIO_new(BIO_s_mem());
    server->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(server->in, -1);
    SSL_set_bio(server->ssl, server->in, server->out);
    SSL_set_accept_state(server->ssl);
    server->sent = server->got_len = 0;
    server->closed = false;
    server->n_accepted++;
}

static void server_flush(struct server *server)
{
    char *ptr;
    for (;;) {
        size_t len = (size_t)BIO_get_mem_data(server->out, &ptr);
        if (len > server->limit - server->sent)
            len = server->limit - server->sent;
        ssize_t n = len > 0 ? send(server->fd, ptr, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        if (n <= 0)
            return;
        char sink[4096];
        for (ssize_t left = n; left > 0;)
            left -= BIO_read(server->out, sink, left < 4096 ? (int)left : 4096);
        server->sent += (size_t)n;
    }
}

void server_pump(struct server *server)
{
    char buf[65536];
    if (server->fd < 0) {
        struct pollfd wait = {server->listener, POLLIN, 0};
        if (poll(&wait, 1, 0) == 1)
            server_accept(server);
    }
    if (server->fd < 0)
        return;
    ssize_t n = server->is_deaf ? -1 : recv(server->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n > 0)
        cr_assert_eq(BIO_write(server->in, buf, (int)n), n);
    ERR_clear_error();
    if (!SSL_is_init_finished(server->ssl))
        (void)SSL_do_handshake(server->ssl);
    if (SSL_is_init_finished(server->ssl)) {
        int got;
        while (server->got_len < SERVER_ROOM - sizeof(buf) &&
               (got = SSL_read(server->ssl, server->got + server->got_len, sizeof(buf))) > 0)
            server->got_len += (size_t)got;
        server->closed = SSL_get_shutdown(server->ssl) & SSL_RECEIVED_SHUTDOWN;
    }
    server_flush(server);
}

void server_send_records(struct server *server, const void *bytes, size_t len, size_t piece)
{
    const uint8_t *from = bytes;
    while (len > 0) {
        int part = len < piece ? (int)len : (int)piece;
        cr_assert_eq(SSL_write(server->ssl, from, part), part);
        from += part;
        len -= (size_t)part;
    }
    server_flush(server);
}

void server_send(struct server *server, const void *bytes, size_t len)
{
    server_send_records(server, bytes, len, 16384);
}

void server_hang_up(struct server *server, bool goodbye)
{
    if (goodbye) {
        SSL_shutdown(server->ssl);
        server_flush(server);
    }
    close(server->fd);
    server->fd = -1;
}

void server_stop(struct server *server)
{
    SSL_free(server->ssl);
    SSL_CTX_free(server->ctx);
    if (server->fd >= 0)
        close(server->fd);
    close(server->listener);
    free(server->got);
}
