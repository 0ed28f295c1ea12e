/* bench/bench_floor.c -- the least that a client can do, written by hand without
 * any code of the client but its CRC: what others cost is compared with it.
 *
 *   bench_floor produce|consume|one PORT RECORDS SIZE PARTITIONS BATCH_SIZE CODEC
 *               FETCH_MAX [CA_FILE]
 *
 * (FETCH_MAX: the largest answer that consume asks for. CA_FILE: over TLS, by
 * SSL_write of pieces of 16 KiB and SSL_read into the one buffer.)
 * produce copies records into batches, one partition after another as a client
 * does with records without key, seals each with its CRC, writes it with one
 * writev, and keeps it until its answer came, with five requests under way.
 * one writes a batch of one record and waits for its answer, and tells how long that
 * took. consume asks for all partitions, checks the CRC of each batch and walks its
 * records. With a codec, which is called through the client's table of codecs,
 * each batch is compressed or decompressed whole. There is no timeout, no retry,
 * no error handling: any surprise ends the program. It runs against bench_sink
 * only. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "bench/load.h"
#include "bench/sink.h"
#include "bench/wire.h"

enum {
    FLOOR_IN_FLIGHT = 5,
    FLOOR_HEADER = 61,
    FLOOR_RECORD_OVERHEAD = 32, /* at most, without key and headers */
    FLOOR_FRAME_MAX = 4096,
    FLOOR_READ = 64 * 1024,
    FLOOR_PIECE = 16 * 1024,          /* a record of TLS */
    FLOOR_PARTITION_MAX = 1024 * 1024 /* max.partition.fetch.bytes */
};

struct floor_batch {
    struct floor_batch *next;
    uint8_t *ptr, *w, *limit;
    uint32_t n;
    int32_t partition;
};

struct floor {
    int fd;
    struct wire *wire; /* NULL: without TLS */
    kwi_crc32c_fn *crc32c;
    uint64_t n;
    size_t size, batch_size;
    int32_t n_partitions, correlation_id, fetch_max;
    /* what came and was not used yet */
    uint8_t *in;
    size_t in_cap, in_at, in_len;
    /* produce */
    struct floor_batch *free, *sent[FLOOR_IN_FLIGHT];
    unsigned n_sent;
    /* NULL without compression; scratch: what a batch becomes */
    const struct kw_codec *codec;
    struct kw_codec_ctx *codec_ctx;
    uint8_t *scratch;
    size_t scratch_cap;
    /* what the codec itself took, and what it made of how many bytes */
    double codec_s;
    uint64_t plain, packed;
};

/* ---- bytes ------------------------------------------------------------------- */

static uint8_t *floor_put(uint8_t *w, unsigned size, int64_t number)
{
    for (unsigned i = size; i-- > 0;)
        *w++ = (uint8_t)((uint64_t)number >> (8 * i));
    return w;
}

static uint8_t *floor_put_text(uint8_t *w, const char *text)
{
    size_t len = strlen(text);

    w = floor_put(w, 2, (int64_t)len);
    memcpy(w, text, len);
    return w + len;
}

static inline uint8_t *floor_put_varint(uint8_t *w, uint64_t number)
{
    number <<= 1;
    for (; number >= 0x80; number >>= 7)
        *w++ = (uint8_t)(number | 0x80);
    *w++ = (uint8_t)number;
    return w;
}

static inline unsigned floor_varint_size(uint64_t number)
{
    unsigned size = 1;

    for (number <<= 1; number >= 0x80; number >>= 7)
        size++;
    return size;
}

static int64_t floor_get(const uint8_t *p, unsigned size)
{
    int64_t number = (int8_t)p[0];

    for (unsigned i = 1; i < size; i++)
        number = (int64_t)((uint64_t)number << 8 | p[i]);
    return number;
}

static inline const uint8_t *floor_get_varint(const uint8_t *p, int64_t *number)
{
    uint64_t raw = *p & 0x7f;

    for (unsigned shift = 7; *p++ & 0x80; shift += 7)
        raw |= (uint64_t)(*p & 0x7f) << shift;
    *number = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
    return p;
}

/* ---- the connection ------------------------------------------------------------ */

static void floor_connect(struct floor *floor, const char *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    addr.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    floor->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (floor->fd < 0 || connect(floor->fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        setsockopt(floor->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
        sink_die("connect: %s", strerror(errno));
    floor->in_cap = 4 * FLOOR_PARTITION_MAX;
    floor->in = malloc(floor->in_cap);
    if (!floor->in)
        sink_die("out of memory");
}

/* The next n bytes, taken. They stay in place until the next call. */
static const uint8_t *floor_take(struct floor *floor, size_t n)
{
    if (floor->in_len - floor->in_at < n && floor->in_at > 0) {
        memmove(floor->in, floor->in + floor->in_at, floor->in_len - floor->in_at);
        floor->in_len -= floor->in_at;
        floor->in_at = 0;
    }
    if (n + FLOOR_READ > floor->in_cap)
        sink_die("an answer with a piece of %zu bytes", n);
    while (floor->in_len < floor->in_at + n) {
        size_t want = floor->in_at + n - floor->in_len;
        size_t room = want < FLOOR_READ ? FLOOR_READ : want;
        uint8_t *at = floor->in + floor->in_len;
        ssize_t got = floor->wire ? wire_recv(floor->wire, at, room) : recv(floor->fd, at, room, 0);
        if (got <= 0)
            sink_die("the connection ended");
        floor->in_len += (size_t)got;
    }
    floor->in_at += n;
    return floor->in + floor->in_at - n;
}

static void floor_write_tls(struct floor *floor, const uint8_t *ptr, size_t len)
{
    while (len > 0) {
        ssize_t n = wire_send(floor->wire, ptr, len < FLOOR_PIECE ? len : FLOOR_PIECE);
        if (n <= 0)
            sink_die("write: the connection ended");
        ptr += n;
        len -= (size_t)n;
    }
}

static void floor_writev(struct floor *floor, struct iovec *iov, int n)
{
    if (floor->wire) {
        for (int i = 0; i < n; i++)
            floor_write_tls(floor, iov[i].iov_base, iov[i].iov_len);
        return;
    }
    while (n > 0) {
        ssize_t done = writev(floor->fd, iov, n);
        if (done < 0)
            sink_die("write: %s", strerror(errno));
        for (; n > 0 && (size_t)done >= iov->iov_len; n--, iov++)
            done -= (ssize_t)iov->iov_len;
        if (n > 0) {
            iov->iov_base = (uint8_t *)iov->iov_base + done;
            iov->iov_len -= (size_t)done;
        }
    }
}

static uint8_t *floor_put_header(struct floor *floor, uint8_t *w, int api, int version)
{
    w = floor_put(w, 2, api);
    w = floor_put(w, 2, version);
    w = floor_put(w, 4, floor->correlation_id++);
    return floor_put_text(w, "floor");
}

/* ---- produce --------------------------------------------------------------------- */

static struct floor_batch *floor_batch_open(struct floor *floor, int32_t partition)
{
    struct floor_batch *batch = floor->free;

    if (batch) {
        floor->free = batch->next;
    } else {
        batch = malloc(sizeof(*batch));
        if (!batch || !(batch->ptr = malloc(floor->scratch_cap)))
            sink_die("out of memory");
    }
    batch->w = batch->ptr + FLOOR_HEADER;
    batch->limit = batch->ptr + floor->batch_size;
    batch->n = 0;
    batch->partition = partition;
    return batch;
}

/* Answers come in order. */
static void floor_acknowledge(struct floor *floor)
{
    const uint8_t *p = floor_take(floor, 4);
    size_t size = (size_t)floor_get(p, 4);
    struct floor_batch *batch = floor->sent[0];

    p = floor_take(floor, size);
    /* Behind the error: three numbers of 8 bytes, two empty lists, throttle time. */
    if (floor_get(p + size - 36, 2) != 0)
        sink_die("an error in a produce answer");
    floor->n_sent--;
    memmove(floor->sent, floor->sent + 1, floor->n_sent * sizeof(floor->sent[0]));
    batch->next = floor->free;
    floor->free = batch;
}

static bool floor_readable(const struct floor *floor)
{
    char byte;

    return floor->in_len > floor->in_at || (floor->wire && wire_pending(floor->wire)) ||
           recv(floor->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* Of this thread; batches are large, so that two looks at the clock for each cost nothing. */
static double floor_cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void floor_note_codec(struct floor *floor, double begin_s, size_t plain, size_t packed)
{
    floor->codec_s += floor_cpu_s() - begin_s;
    floor->plain += plain;
    floor->packed += packed;
}

/* Changes places with the scratch buffer, which has more room than the batch had. */
static void floor_compress(struct floor *floor, struct floor_batch *batch)
{
    struct kw_iov iov = {batch->ptr + FLOOR_HEADER, (size_t)(batch->w - batch->ptr) - FLOOR_HEADER};
    size_t out_len = 0;
    uint8_t *out = floor->scratch;
    double begin_s = floor_cpu_s();

    floor->codec->encode_begin(floor->codec_ctx, &iov, 1);
    if (floor->codec->encode_step(floor->codec_ctx, out + FLOOR_HEADER,
                                  floor->scratch_cap - FLOOR_HEADER, SIZE_MAX, &out_len))
        sink_die("a batch is not compressed in one step");
    floor_note_codec(floor, begin_s, iov.len, out_len);
    floor->scratch = batch->ptr;
    batch->ptr = out;
    batch->w = out + FLOOR_HEADER + out_len;
}

static void floor_seal(struct floor_batch *batch, kwi_crc32c_fn *crc32c, int codec_id)
{
    size_t len = (size_t)(batch->w - batch->ptr);
    struct timespec now;
    uint8_t *w = batch->ptr;

    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    w = floor_put(w, 8, 0);
    w = floor_put(w, 4, (int64_t)len - 12);
    w = floor_put(w, 4, -1);
    w = floor_put(w, 1, 2);
    w = floor_put(w + 4, 2, codec_id);
    w = floor_put(w, 4, (int64_t)batch->n - 1);
    w = floor_put(w, 8, now_ms);
    w = floor_put(w, 8, now_ms);
    w = floor_put(w, 8, -1);
    w = floor_put(w, 2, -1);
    w = floor_put(w, 4, -1);
    floor_put(w, 4, batch->n);
    floor_put(batch->ptr + 17, 4, crc32c(0, batch->ptr + 21, len - 21));
}

static void floor_send(struct floor *floor, struct floor_batch *batch)
{
    uint8_t frame[FLOOR_FRAME_MAX], *w = frame + 4;

    if (floor->codec)
        floor_compress(floor, batch);
    size_t len = (size_t)(batch->w - batch->ptr);
    floor_seal(batch, floor->crc32c, floor->codec ? floor->codec->id : 0);
    w = floor_put_header(floor, w, 0, 8);
    w = floor_put(w, 2, -1);
    w = floor_put(w, 2, -1);
    w = floor_put(w, 4, 30000);
    w = floor_put(w, 4, 1);
    w = floor_put_text(w, SINK_TOPIC);
    w = floor_put(w, 4, 1);
    w = floor_put(w, 4, batch->partition);
    w = floor_put(w, 4, (int64_t)len);
    floor_put(frame, 4, (int64_t)(w - frame - 4) + (int64_t)len);
    struct iovec iov[2] = {{frame, (size_t)(w - frame)}, {batch->ptr, len}};
    floor_writev(floor, iov, 2);
    floor->sent[floor->n_sent++] = batch;
    while (floor->n_sent == FLOOR_IN_FLIGHT || (floor->n_sent > 0 && floor_readable(floor)))
        floor_acknowledge(floor);
}

static inline void floor_append(struct floor_batch *batch, const uint8_t *value, size_t size)
{
    size_t body = 4 + floor_varint_size(batch->n) + floor_varint_size(size) + size;
    uint8_t *w = floor_put_varint(batch->w, body);

    *w++ = 0; /* attributes */
    *w++ = 0; /* timestamp delta */
    w = floor_put_varint(w, batch->n++);
    *w++ = 1; /* no key */
    w = floor_put_varint(w, size);
    memcpy(w, value, size);
    w += size;
    *w++ = 0; /* no headers */
    batch->w = w;
}

static void floor_produce(struct floor *floor)
{
    struct load_values values;
    struct floor_batch *batch = floor_batch_open(floor, 0);
    const size_t size_max = floor->size + FLOOR_RECORD_OVERHEAD;

    load_values_init(&values, floor->size);
    for (uint64_t i = 0; i < floor->n; i++) {
        if ((size_t)(batch->limit - batch->w) < size_max) {
            floor_send(floor, batch);
            batch = floor_batch_open(floor, (batch->partition + 1) % floor->n_partitions);
        }
        floor_append(batch, load_value(&values, i), floor->size);
    }
    floor_send(floor, batch);
    while (floor->n_sent > 0)
        floor_acknowledge(floor);
    load_values_deinit(&values);
}

static void floor_one(struct floor *floor)
{
    struct load_values values;
    struct load_times times;
    struct load_clock begin;

    load_values_init(&values, floor->size);
    load_times_init(&times, floor->n);
    for (uint64_t i = 0; i <= floor->n; i++) {
        const uint8_t *value = load_value(&values, i);
        if (i == 1)
            load_clock_read(&begin);
        uint64_t begin_ns = load_now_ns();
        struct floor_batch *batch = floor_batch_open(floor, 0);
        floor_append(batch, value, floor->size);
        floor_send(floor, batch);
        while (floor->n_sent > 0)
            floor_acknowledge(floor);
        if (i > 0)
            times.ns[i - 1] = load_now_ns() - begin_ns;
    }
    load_times_report("floor", "-", floor->size, &times, &begin);
    load_values_deinit(&values);
}

/* ---- consume --------------------------------------------------------------------- */

static void floor_fetch(struct floor *floor, const int64_t *offsets)
{
    uint8_t frame[FLOOR_FRAME_MAX], *w = floor_put_header(floor, frame + 4, 1, 11);

    w = floor_put(w, 4, -1);
    w = floor_put(w, 4, 500);
    w = floor_put(w, 4, 1);
    w = floor_put(w, 4, floor->fetch_max);
    w = floor_put(w, 1, 0);
    w = floor_put(w, 4, 0); /* no session */
    w = floor_put(w, 4, -1);
    w = floor_put(w, 4, 1);
    w = floor_put_text(w, SINK_TOPIC);
    w = floor_put(w, 4, floor->n_partitions);
    for (int32_t i = 0; i < floor->n_partitions; i++) {
        w = floor_put(w, 4, i);
        w = floor_put(w, 4, -1);
        w = floor_put(w, 8, offsets[i]);
        w = floor_put(w, 8, -1);
        w = floor_put(w, 4, FLOOR_PARTITION_MAX);
    }
    w = floor_put(w, 4, 0); /* nothing forgotten */
    w = floor_put_text(w, "");
    floor_put(frame, 4, w - frame - 4);
    struct iovec iov = {frame, (size_t)(w - frame)};
    floor_writev(floor, &iov, 1);
}

static size_t floor_decompress(struct floor *floor, const uint8_t *in, size_t len)
{
    size_t hint, out_len = 0;
    double begin_s = floor_cpu_s();

    if (floor->codec->decode_begin(floor->codec_ctx, in, len, floor->scratch_cap, 0, &hint) ||
        floor->codec->decode_step(floor->codec_ctx, floor->scratch, floor->scratch_cap, SIZE_MAX,
                                  &out_len))
        sink_die("a batch is not decompressed in one step");
    floor_note_codec(floor, begin_s, out_len, len);
    return out_len;
}

/* Returns how many records the batch holds; adds up the bytes of their values. */
static uint32_t floor_walk(struct floor *floor, const uint8_t *batch, size_t len, uint64_t *bytes)
{
    uint32_t n = (uint32_t)floor_get(batch + 57, 4);
    const uint8_t *p = batch + FLOOR_HEADER, *records_end = batch + len;

    if (floor->crc32c(0, batch + 21, len - 21) != (uint32_t)floor_get(batch + 17, 4))
        sink_die("a batch has a wrong CRC");
    if (floor->codec) {
        records_end = floor->scratch + floor_decompress(floor, p, len - FLOOR_HEADER);
        p = floor->scratch;
    }
    for (uint32_t i = 0; i < n; i++) {
        int64_t size, number, key_len, value_len;
        const uint8_t *end;
        p = floor_get_varint(p, &size);
        end = p + size;
        p = floor_get_varint(p + 1, &number);
        p = floor_get_varint(p, &number);
        p = floor_get_varint(p, &key_len);
        p = floor_get_varint(key_len < 0 ? p : p + key_len, &value_len);
        if (end > records_end || p + value_len > end || number != i)
            sink_die("a record is wrong");
        *bytes += (uint64_t)value_len;
        p = end;
    }
    return n;
}

/* One answer; returns its records. */
static uint64_t floor_answer(struct floor *floor, int64_t *offsets, uint64_t *bytes)
{
    uint64_t n = 0;
    size_t name_len = strlen(SINK_TOPIC);
    const uint8_t *p = floor_take(floor, 4 + 4 + 4 + 2 + 4 + 4 + 2 + name_len + 4);
    int64_t n_partitions = floor_get(p + 24 + name_len, 4);

    while (n_partitions-- > 0) {
        /* number, error, three offsets, two empty lists, size */
        p = floor_take(floor, 4 + 2 + 24 + 4 + 4 + 4);
        int64_t partition = floor_get(p, 4), left = floor_get(p + 38, 4);
        if (floor_get(p + 4, 2) != 0)
            sink_die("an error in a fetch answer");
        while (left > 0) {
            p = floor_take(floor, 12);
            size_t len = (size_t)floor_get(p + 8, 4) + 12;
            floor->in_at -= 12;
            p = floor_take(floor, len);
            uint32_t now = floor_walk(floor, p, len, bytes);
            offsets[partition] = floor_get(p, 8) + now;
            n += now;
            left -= (int64_t)len;
        }
    }
    return n;
}

static void floor_consume(struct floor *floor)
{
    int64_t offsets[SINK_PARTITIONS_MAX] = {0};
    uint64_t n = 0, bytes = 0;

    floor_fetch(floor, offsets);
    while (n < floor->n) {
        n += floor_answer(floor, offsets, &bytes);
        if (n < floor->n)
            floor_fetch(floor, offsets);
    }
    if (bytes != n * floor->size)
        sink_die("the records are not of %zu bytes", floor->size);
    floor->n = n;
}

static void floor_codec(struct floor *floor, const char *name, bool encoder)
{
    const struct kw_codec *codec = sink_codec(name);
    size_t batch_size = floor->batch_size, size;

    floor->codec = codec;
    /* A stored batch may be larger than one that is produced. */
    floor->scratch_cap = batch_size + FLOOR_PARTITION_MAX;
    if (codec && codec->bound(batch_size) + FLOOR_HEADER > floor->scratch_cap)
        floor->scratch_cap = codec->bound(batch_size) + FLOOR_HEADER;
    if (!codec)
        return;
    size = encoder ? codec->encoder_size(codec->level_default, batch_size) : codec->decoder_size();
    floor->codec_ctx = malloc(size);
    floor->scratch = malloc(floor->scratch_cap);
    if (!floor->codec_ctx || !floor->scratch ||
        (encoder ? codec->encoder_init(floor->codec_ctx, size, codec->level_default, batch_size)
                 : codec->decoder_init(floor->codec_ctx, size)))
        sink_die("no codec %s", name);
}

int main(int argc, char **argv)
{
    static struct floor floor;
    struct load_clock begin;

    if (argc < 9 || argc > 10 ||
        (strcmp(argv[1], "produce") != 0 && strcmp(argv[1], "consume") != 0 &&
         strcmp(argv[1], "one") != 0))
        sink_die("usage: bench_floor produce|consume|one PORT RECORDS SIZE PARTITIONS BATCH_SIZE "
                 "CODEC FETCH_MAX [CA_FILE]");
    floor.n = strtoull(argv[3], NULL, 10);
    floor.size = strtoull(argv[4], NULL, 10);
    floor.n_partitions = (int32_t)strtol(argv[5], NULL, 10);
    floor.batch_size = strtoull(argv[6], NULL, 10);
    floor.fetch_max = (int32_t)strtol(argv[8], NULL, 10);
    floor.crc32c = kwi_crc32c_best();
    if (floor.n < 1 || floor.size < 8 || floor.n_partitions < 1 ||
        floor.n_partitions > SINK_PARTITIONS_MAX ||
        floor.batch_size < FLOOR_HEADER + floor.size + FLOOR_RECORD_OVERHEAD)
        sink_die("a number is out of range");
    floor_codec(&floor, argv[7], argv[1][0] != 'c');
    floor_connect(&floor, argv[2]);
    if (argc == 10) {
        wire_trust(argv[9], true);
        floor.wire = wire_open(floor.fd);
    }
    load_clock_read(&begin);
    if (argv[1][0] == 'p')
        floor_produce(&floor);
    else if (argv[1][0] == 'o')
        floor_one(&floor);
    else
        floor_consume(&floor);
    if (argv[1][0] != 'o')
        load_report("floor", "-", argv[1], floor.n, floor.size, &begin);
    if (floor.codec && floor.plain > 0)
        printf("codec=%s mode=%s size=%zu own_ns=%.1f ratio=%.4f\n", floor.codec->name, argv[1],
               floor.size, floor.codec_s * 1e9 / (double)floor.n,
               (double)floor.packed / (double)floor.plain);
    close(floor.fd);
    return 0;
}
