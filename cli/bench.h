/* cli/bench.h -- one run of kw bench: what both directions share. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H
#include <sys/resource.h>

#include "cli/histogram.h"
#include "cli/options.h"
#include "cli/session.h"

struct cli_bench_options {
    struct cli_common common;
    const char *topic, *codec;
    int64_t records, size, partitions, seed;
    bool json;
};

struct cli_bench {
    struct cli_bench_options options;
    struct cli_session session;
    struct cli_histogram latency; /* us */
    uint64_t n_records, n_failed, bytes;
    uint64_t n_allocs; /* calls of the client's allocator so far */
    uint64_t n_complaints;
    bool refused; /* by authorization or authentication */
    /* the measured part */
    uint64_t begin_us, end_us, begin_allocs, end_allocs;
    struct rusage begin_usage, end_usage;
    /* producing */
    struct kw_producer *producer;
    struct kw_topic *producer_topic;
    uint8_t *payload;
    uint64_t now_us; /* the clock as it was read last */
    bool writable;
    /* consuming */
    struct kw_consumer *consumer;
    bool *ended; /* by partition */
    uint32_t n_partitions, n_ended;
};

/* Each runs with the client open and returns the exit code, or -1 when the
 * figures are good. */
int cli_bench_produce(struct cli_bench *bench);
int cli_bench_consume(struct cli_bench *bench);
void cli_bench_begin(struct cli_bench *bench);
void cli_bench_end(struct cli_bench *bench);

#endif
