/* bench/bench_tls.c -- the least that bytes over TLS can cost: SSL_write of pieces of
 * 16 KiB, SSL_read into one buffer, a blocking socket, and nothing done to the bytes.
 *
 *   bench_tls produce|consume PORT BYTES PARTITIONS CA_FILE|- FETCH_MAX [ahead]
 *
 * produce writes one and the same Produce request of a batch of 1 MB until BYTES are
 * written, with five under way. consume fetches the beginning of all partitions again
 * and again until BYTES came, FETCH_MAX bytes each time (a batch at least), and looks at
 * the size of each answer only. `-` in the place of a file: without TLS, by send and recv
 * of the same pieces. It runs against bench_sink, which must not verify. It prints the
 * line that the others print, for records of 1,024 bytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load.h"
#include "bench/sink.h"
#include "bench/wire.h"

enum {
    BARE_PIECE = 16384,
    BARE_BATCH = 1000000,
    BARE_PARTITION_MAX = 1048576,
    BARE_BUFFER = 1 << 20,
    BARE_IN_FLIGHT = 5,
    BARE_RECORD = 1024
};

struct bare {
    int fd;
    struct wire *wire; /* NULL: without TLS */
    struct sink_buf frame;
    uint8_t *buf;
};

static void bare_put(struct sink_buf *buf, unsigned size, int64_t number)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (8 * (size - 1 - i)));
    sink_buf_put(buf, bytes, size);
}

static void bare_put_text(struct sink_buf *buf, const char *text)
{
    bare_put(buf, 2, (int64_t)strlen(text));
    sink_buf_put(buf, text, strlen(text));
}

static void bare_connect(struct bare *bare, const char *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    addr.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    bare->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bare->fd < 0 || connect(bare->fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        setsockopt(bare->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
        sink_die("connect: %s", strerror(errno));
}

static void bare_write(struct bare *bare, const uint8_t *ptr, size_t len)
{
    while (len > 0) {
        size_t piece = len < BARE_PIECE ? len : BARE_PIECE;
        ssize_t n = bare->wire ? wire_send(bare->wire, ptr, piece)
                               : send(bare->fd, ptr, piece, MSG_NOSIGNAL);
        if (n <= 0)
            sink_die("write: the connection ended");
        ptr += n;
        len -= (size_t)n;
    }
}

static size_t bare_read(struct bare *bare, size_t cap)
{
    ssize_t n = bare->wire ? wire_recv(bare->wire, bare->buf, cap)
                           : recv(bare->fd, bare->buf, cap, 0);

    if (n <= 0)
        sink_die("read: the connection ended");
    return (size_t)n;
}

/* Reads one answer, whatever it says; returns its size. */
static size_t bare_answer(struct bare *bare)
{
    uint8_t head[4];
    size_t size = 0, n = 0;

    for (; n < 4; n++) { /* the prefix may come in pieces, and alone */
        bare_read(bare, 1);
        head[n] = bare->buf[0];
    }
    for (unsigned i = 0; i < 4; i++)
        size = size << 8 | head[i];
    for (n = 0; n < size;)
        n += bare_read(bare, size - n < BARE_BUFFER ? size - n : BARE_BUFFER);
    return size + 4;
}

static void bare_header(struct bare *bare, int api, int version)
{
    bare_put(&bare->frame, 4, 0); /* the size, later */
    bare_put(&bare->frame, 2, api);
    bare_put(&bare->frame, 2, version);
    bare_put(&bare->frame, 4, 7);
    bare_put_text(&bare->frame, "bare");
}

static void bare_seal(struct bare *bare)
{
    for (unsigned i = 0; i < 4; i++)
        bare->frame.ptr[i] = (uint8_t)((bare->frame.len - 4) >> (24 - 8 * i));
}

static void bare_batch(struct bare *bare)
{
    static uint8_t records[BARE_BATCH - 61];
    struct sink_buf *w = &bare->frame;

    load_fill(records, sizeof(records), 1);
    bare_put(w, 8, 0);
    bare_put(w, 4, BARE_BATCH - 12);
    bare_put(w, 4, -1);
    bare_put(w, 1, 2);
    bare_put(w, 4, 0); /* the sink does not look at the checksum */
    bare_put(w, 2, 0);
    bare_put(w, 4, BARE_BATCH / BARE_RECORD - 1);
    bare_put(w, 8, 0);
    bare_put(w, 8, 0);
    bare_put(w, 8, -1);
    bare_put(w, 2, -1);
    bare_put(w, 4, -1); /* without a sequence, so that it may come again */
    bare_put(w, 4, BARE_BATCH / BARE_RECORD);
    sink_buf_put(w, records, sizeof(records));
}

static uint64_t bare_produce(struct bare *bare, uint64_t bytes)
{
    uint64_t sent = 0;
    int under_way = 0;

    for (; sent < bytes; sent += BARE_BATCH) {
        bare_write(bare, bare->frame.ptr, bare->frame.len);
        if (++under_way == BARE_IN_FLIGHT) {
            bare_answer(bare);
            under_way--;
        }
    }
    while (under_way-- > 0)
        bare_answer(bare);
    return sent;
}

static void bare_prepare(struct bare *bare, bool produce, int32_t n_partitions, int32_t fetch_max)
{
    struct sink_buf *w = &bare->frame;

    bare_header(bare, produce ? 0 : 1, produce ? 8 : 11);
    bare_put(w, produce ? 2 : 4, -1);
    bare_put(w, produce ? 2 : 4, produce ? -1 : 500);
    bare_put(w, 4, produce ? 30000 : 1);
    if (!produce) {
        bare_put(w, 4, fetch_max);
        bare_put(w, 1, 0);
        bare_put(w, 4, 0); /* no session */
        bare_put(w, 4, -1);
    }
    bare_put(w, 4, 1);
    bare_put_text(w, SINK_TOPIC);
    bare_put(w, 4, produce ? 1 : n_partitions);
    for (int32_t i = 0; !produce && i < n_partitions; i++) {
        bare_put(w, 4, i);
        bare_put(w, 4, -1);
        bare_put(w, 8, 0);
        bare_put(w, 8, -1);
        bare_put(w, 4, BARE_PARTITION_MAX);
    }
    bare_put(w, 4, 0); /* partition 0, or nothing forgotten */
    if (produce) {
        bare_put(w, 4, BARE_BATCH);
        bare_batch(bare);
    } else {
        bare_put_text(w, "");
    }
    bare_seal(bare);
}

static uint64_t bare_consume(struct bare *bare, uint64_t bytes)
{
    uint64_t came = 0;

    while (came < bytes) {
        bare_write(bare, bare->frame.ptr, bare->frame.len);
        came += bare_answer(bare);
    }
    return came;
}

int main(int argc, char **argv)
{
    static struct bare bare;
    struct load_clock begin;
    bool produce = argc > 1 && strcmp(argv[1], "produce") == 0;

    if (argc < 7 || argc > 8 || (!produce && strcmp(argv[1], "consume") != 0) ||
        (argc == 8 && strcmp(argv[7], "ahead") != 0))
        sink_die("usage: bench_tls produce|consume PORT BYTES PARTITIONS CA_FILE|- FETCH_MAX "
                 "[ahead]");
    uint64_t bytes = strtoull(argv[3], NULL, 10);
    bare.buf = malloc(BARE_BUFFER);
    if (!bare.buf)
        sink_die("out of memory");
    bare_prepare(&bare, produce, (int32_t)strtol(argv[4], NULL, 10),
                 (int32_t)strtol(argv[6], NULL, 10));
    if (strcmp(argv[5], "-") != 0)
        wire_trust(argv[5], argc == 8);
    bare_connect(&bare, argv[2]);
    if (strcmp(argv[5], "-") != 0)
        bare.wire = wire_open(bare.fd);
    load_clock_read(&begin);
    bytes = produce ? bare_produce(&bare, bytes) : bare_consume(&bare, bytes);
    load_report("bare", wire_version(), argv[1], bytes / BARE_RECORD, BARE_RECORD, &begin);
    close(bare.fd);
    return 0;
}
