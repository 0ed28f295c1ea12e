/* bench/sink.h -- a broker of one node that counts and checks, for measuring the
 * client alone. It shares no code with the client but the compression of
 * stored batches: its answers are written by hand, so that a client that is wrong
 * in both directions is caught. */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kwire/codec.h>

#include "bench/sink_session.h"

#define SINK_TOPIC "bench"

typedef uint32_t sink_crc_fn(uint32_t crc, const void *ptr, size_t len);

struct sink_buf {
    uint8_t *ptr;
    size_t len, cap;
};

struct sink {
    sink_crc_fn *crc32c;
    bool verify; /* check the CRC and the numbers of all produced records */
    int32_t n_partitions;
    int32_t port; /* that Metadata names */
    int codec;    /* that produced batches must have, 0 for none */
    /* produce: what arrived */
    uint64_t n_produced, n_batches, n_requests, n_bytes;
    uint64_t n_of[SINK_PARTITIONS_MAX]; /* produced to each partition */
    int64_t log_end[SINK_PARTITIONS_MAX];
    /* consume: what each partition holds */
    uint64_t n_stored;
    uint32_t batch_records;
    struct sink_buf batch;
    struct sink_session session; /* the last that was begun */
};

void sink_init(struct sink *sink, sink_crc_fn *crc32c, int32_t n_partitions);
/* Of that name; NULL for "none". Ends the program if it is not built in. */
const struct kw_codec *sink_codec(const char *name);
/* Fills each partition with n records of value_size bytes, whose values begin
 * with their number modulo batch_records, in batches of that many, compressed by
 * codec if it is not NULL. */
void sink_store(struct sink *sink, uint64_t n, uint32_t batch_records, size_t value_size,
                const struct kw_codec *codec);
void sink_deinit(struct sink *sink);
/* Handles one request frame (without its size) and appends the answer to out. */
void sink_answer(struct sink *sink, const uint8_t *frame, size_t len, struct sink_buf *out);
/* Ends the program with a message: a measurement that is wrong must not end well. */
void sink_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void sink_buf_reserve(struct sink_buf *buf, size_t len); /* room for len bytes more */
void sink_buf_put(struct sink_buf *buf, const void *ptr, size_t len);

#endif
