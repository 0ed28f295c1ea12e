/* bench/bench_sink.c -- the sink as a process of its own on a loopback port, for
 * clients that bring their own sockets.
 *
 *   bench_sink PARTITIONS RECORDS SIZE BATCH_SIZE CODEC [PEM_FILE]
 *
 * It prints "port N" and serves until it is killed, over TLS with the key and the
 * certificate in PEM_FILE if there is one. Produced batches must be
 * compressed by CODEC (none, gzip, snappy, lz4, zstd); they are counted and
 * forgotten. Each partition of topic "bench" holds at least RECORDS records of
 * SIZE bytes in batches of up to BATCH_SIZE bytes before compression. One thread,
 * non-blocking sockets, poll. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "bench/sink.h"
#include "bench/wire.h"

enum { SINK_CONNS = 32, SINK_READ = 1 << 20, SINK_RECORD_OVERHEAD = 16, SINK_HEADER = 61 };

struct sink_conn {
    struct wire *wire; /* NULL: without TLS */
    struct sink_buf in, out;
    size_t in_done, out_done; /* bytes that were handled, at the front */
};

struct sink_server {
    struct sink sink;
    struct pollfd polls[SINK_CONNS + 1]; /* the first is the listener */
    struct sink_conn conns[SINK_CONNS + 1];
    nfds_t n;
    bool tls;
};

static void server_listen(struct sink_server *server)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) || listen(fd, SINK_CONNS) ||
        getsockname(fd, (struct sockaddr *)&addr, &len))
        sink_die("listen: %s", strerror(errno));
    server->polls[0] = (struct pollfd){.fd = fd, .events = POLLIN};
    server->n = 1;
    server->sink.port = ntohs(addr.sin_port);
    printf("port %d\n", server->sink.port);
    fflush(stdout);
}

static void server_accept(struct sink_server *server)
{
    int one = 1, fd = accept4(server->polls[0].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (server->n > SINK_CONNS)
        sink_die("more than %d connections", SINK_CONNS);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
        sink_die("TCP_NODELAY: %s", strerror(errno));
    server->polls[server->n] = (struct pollfd){.fd = fd, .events = POLLIN};
    server->conns[server->n] = (struct sink_conn){.wire = server->tls ? wire_open(fd) : NULL};
    server->n++;
}

static void server_close(struct sink_server *server, nfds_t i)
{
    if (server->conns[i].wire)
        wire_close(server->conns[i].wire);
    close(server->polls[i].fd);
    free(server->conns[i].in.ptr);
    free(server->conns[i].out.ptr);
    server->n--;
    server->polls[i] = server->polls[server->n];
    server->conns[i] = server->conns[server->n];
}

/* Cuts what came into frames and answers them. */
static void conn_serve(struct sink *sink, struct sink_conn *conn)
{
    while (conn->in.len - conn->in_done >= 4) {
        const uint8_t *frame = conn->in.ptr + conn->in_done;
        size_t size = (size_t)frame[0] << 24 | (size_t)frame[1] << 16 | (size_t)frame[2] << 8 |
                      (size_t)frame[3];
        if (conn->in.len - conn->in_done - 4 < size)
            break;
        sink_answer(sink, frame + 4, size, &conn->out);
        conn->in_done += 4 + size;
    }
    if (conn->in_done == conn->in.len)
        conn->in_done = conn->in.len = 0;
}

/* 0: the peer is gone; -1: there is nothing more now. */
static ssize_t conn_recv(int fd, struct sink_conn *conn)
{
    uint8_t *at = conn->in.ptr + conn->in.len;
    size_t room = conn->in.cap - conn->in.len;
    ssize_t n = conn->wire ? wire_recv(conn->wire, at, room) : recv(fd, at, room, 0);

    return n < 0 && errno != EAGAIN && errno != EINTR ? 0 : n;
}

/* false: the peer is gone. TLS may hold more than the socket will tell of. */
static bool conn_read(int fd, struct sink *sink, struct sink_conn *conn)
{
    ssize_t n;

    if (conn->in.cap - conn->in.len < SINK_READ && conn->in_done > 0) {
        memmove(conn->in.ptr, conn->in.ptr + conn->in_done, conn->in.len - conn->in_done);
        conn->in.len -= conn->in_done;
        conn->in_done = 0;
    }
    do {
        sink_buf_reserve(&conn->in, SINK_READ);
        n = conn_recv(fd, conn);
        if (n == 0)
            return false;
        conn->in.len += n > 0 ? (size_t)n : 0;
    } while (n > 0 && conn->wire);
    conn_serve(sink, conn);
    return true;
}

static bool conn_write(int fd, struct sink_conn *conn)
{
    const uint8_t *at = conn->out.ptr + conn->out_done;
    size_t len = conn->out.len - conn->out_done;
    ssize_t n = conn->wire ? wire_send(conn->wire, at, len) : send(fd, at, len, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    conn->out_done += (size_t)n;
    if (conn->out_done == conn->out.len)
        conn->out_done = conn->out.len = 0;
    return true;
}

static void server_run(struct sink_server *server)
{
    for (;;) {
        if (poll(server->polls, server->n, -1) < 0 && errno != EINTR)
            sink_die("poll: %s", strerror(errno));
        if (server->polls[0].revents)
            server_accept(server);
        for (nfds_t i = server->n - 1; i > 0; i--) {
            struct sink_conn *conn = &server->conns[i];
            int fd = server->polls[i].fd;
            bool open = true;
            if (server->polls[i].revents & (POLLIN | POLLHUP | POLLERR))
                open = conn_read(fd, &server->sink, conn);
            if (open && conn->out.len > 0)
                open = conn_write(fd, conn);
            if (!open) {
                server_close(server, i);
                continue;
            }
            server->polls[i].events = conn->out.len > 0 ? POLLIN | POLLOUT : POLLIN;
            server->polls[i].revents = 0;
        }
    }
}

int main(int argc, char **argv)
{
    static struct sink_server server;

    if (argc != 6 && argc != 7)
        sink_die("usage: bench_sink PARTITIONS RECORDS SIZE BATCH_SIZE CODEC [PEM_FILE]");
    long n_partitions = strtol(argv[1], NULL, 10);
    uint64_t n = strtoull(argv[2], NULL, 10), size = strtoull(argv[3], NULL, 10),
             batch_size = strtoull(argv[4], NULL, 10);
    if (n_partitions < 1 || n_partitions > SINK_PARTITIONS_MAX || n < 1 || size < 8)
        sink_die("1 to %d partitions, a record, 8 bytes", SINK_PARTITIONS_MAX);
    sink_init(&server.sink, kwi_crc32c_best(), (int32_t)n_partitions);
    uint64_t batch_records = (batch_size - SINK_HEADER) / (size + SINK_RECORD_OVERHEAD);
    if (batch_size <= SINK_HEADER || batch_records < 1)
        batch_records = 1;
    n += batch_records - 1;
    const struct kw_codec *codec = sink_codec(argv[5]);
    server.sink.codec = codec ? codec->id : 0;
    sink_store(&server.sink, n - n % batch_records, (uint32_t)batch_records, size, codec);
    server.tls = argc == 7;
    if (server.tls)
        wire_serve(argv[6]);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    server_listen(&server);
    server_run(&server);
    return 0;
}
