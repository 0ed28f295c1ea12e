/* bench/sink.h -- a broker of one node that counts and checks, for measuring the
 * client alone. It shares no code with the client: its answers are written by
 * hand, so that a client that is wrong in both directions is caught. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SINK_TOPIC "bench"
#define SINK_PARTITIONS_MAX 16

typedef uint32_t sink_crc_fn(uint32_t crc, const void *ptr, size_t len);

struct sink_buf {
    uint8_t *ptr;
    size_t len, cap;
};

struct sink {
    sink_crc_fn *crc32c;
    bool verify; /* check the CRC and the numbers of all produced records */
    int32_t n_partitions;
    /* produce: what arrived */
    uint64_t n_produced, n_batches, n_requests, n_bytes;
    int64_t log_end[SINK_PARTITIONS_MAX];
    /* consume: what partition 0 holds */
    uint64_t n_stored;
    uint32_t batch_records;
    struct sink_buf batch;
};

/* Fills a log of n records of value_size bytes, whose values begin with their
 * number modulo batch_records, in batches of that many. */
void sink_init(struct sink *sink, sink_crc_fn *crc32c, int32_t n_partitions);
void sink_store(struct sink *sink, uint64_t n, uint32_t batch_records, size_t value_size);
void sink_deinit(struct sink *sink);
/* Handles one request frame (without its size) and appends the answer to out. */
void sink_answer(struct sink *sink, const uint8_t *frame, size_t len, struct sink_buf *out);
/* Ends the program with a message: a measurement that is wrong must not end well. */
void sink_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void sink_buf_put(struct sink_buf *buf, const void *ptr, size_t len);

#endif
