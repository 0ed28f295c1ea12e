/* bench/wire.h -- TLS for the benchmark's own programs, by OpenSSL called directly
 * and none of the client's code. In a build without OpenSSL (wire_none.c) whoever
 * asks for it ends the program. Any surprise does so too. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct wire; /* a session over a socket */

/* For this process: the broker's side, with key and certificate from a PEM file ... */
void wire_serve(const char *pem_file);
/* ... or the client's, with what it trusts. ahead: OpenSSL reads as much as the socket
 * has, as kwire lets it, and not record by record. */
void wire_trust(const char *ca_file, bool ahead);
/* fd stays the caller's. The client's side ends the handshake here, fd must block. */
struct wire *wire_open(int fd);
void wire_close(struct wire *wire);
/* As recv and send: -1 with errno EAGAIN when the socket has to be waited for. */
ssize_t wire_recv(struct wire *wire, void *buf, size_t cap);
ssize_t wire_send(struct wire *wire, const void *ptr, size_t len);
/* Bytes wait inside of it. */
bool wire_pending(const struct wire *wire);
/* The library's version. */
const char *wire_version(void);

#endif
