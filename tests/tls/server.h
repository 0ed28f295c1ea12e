/* tests/tls/server.h -- the broker's side of TLS, by OpenSSL, moved by the test:
 * nothing happens but inside server_pump, which sends no more than it may. */
#ifndef TEST_TLS_SERVER_H
#define TEST_TLS_SERVER_H
#include <kwire/kwire.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/net/fake_core.h"
#include "tests/tls/zoo.h"

enum { SERVER_CHAIN = 4 };

struct server {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out; /* ciphertext between OpenSSL and the socket */
    int listener, fd;
    uint16_t port;
    size_t sent, limit; /* bytes sent to the socket, and how many it may be */
    bool is_deaf;       /* reads nothing from the socket */
    uint8_t *got;       /* plaintext that came */
    size_t got_len;
    int n_accepted;
    bool closed; /* the client said goodbye */
};

/* Listens. chain: the leaf first; its key is used. */
void server_start(struct server *server, const struct zoo_cert *const *chain);
/* Takes the connection that waits, once the client has connected. */
void server_accept(struct server *server);
/* Moves what can be moved without waiting. */
void server_pump(struct server *server);
void server_send(struct server *server, const void *bytes, size_t len);
/* The same in records of `piece` bytes, which leave together. */
void server_send_records(struct server *server, const void *bytes, size_t len, size_t piece);
/* Ends the connection: with goodbye, without, or with a reset. */
void server_hang_up(struct server *server, bool goodbye);
void server_stop(struct server *server);

/* What is so with the library that this build's client has. */
const char *by(const char *openssl, const char *mbedtls);
bool client_has_13(void);

/* Turns of client and server until the condition holds; gives up after 500. */
#define TOGETHER(client, server, condition)                 \
    do {                                                    \
        bool met = (condition);                             \
        for (int round = 0; !met && round < 500; round++) { \
            cr_assert_geq(kw_client_poll((client), 2), 0);  \
            server_pump(server);                            \
            met = (condition);                              \
        }                                                   \
        cr_assert(met, "not in 500 turns: %s", #condition); \
    } while (0)

#endif
