/* bench/wire_none.c -- see wire.h: a build without OpenSSL. */
#include "bench/wire.h"

#include "bench/sink.h"

static void wire_missing(void)
{
    sink_die("TLS is compared in a build with OpenSSL only: make WITH_TLS=openssl");
}

void wire_serve(const char *pem_file)
{
    (void)pem_file;
    wire_missing();
}

void wire_trust(const char *ca_file, bool ahead)
{
    (void)ca_file;
    (void)ahead;
    wire_missing();
}

struct wire *wire_open(int fd)
{
    (void)fd;
    wire_missing();
    return NULL;
}

void wire_close(struct wire *wire)
{
    (void)wire;
}

ssize_t wire_recv(struct wire *wire, void *buf, size_t cap)
{
    (void)wire;
    (void)buf;
    (void)cap;
    wire_missing();
    return 0;
}

ssize_t wire_send(struct wire *wire, const void *ptr, size_t len)
{
    (void)wire;
    (void)ptr;
    (void)len;
    wire_missing();
    return 0;
}

bool wire_pending(const struct wire *wire)
{
    (void)wire;
    return false;
}

const char *wire_version(void)
{
    return "none";
}
