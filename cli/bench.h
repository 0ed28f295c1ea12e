/* cli/bench.h -- one run of kw bench: what both directions share. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H
#include <sys/resource.h>

#include "cli/figures.h"
#include "cli/histogram.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/sweep.h"

#define CLI_BENCH_SIZE_MAX (64 << 20)
#define CLI_BENCH_PARTITIONS_MAX 100000

struct cli_bench_options {
    struct cli_common common;
    const char *topic, *codec, *svg;
    struct cli_list sweeps;
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
    bool produces;
    bool refused; /* by authorization or authentication */
    /* a sweep: what is gone through, and which point this run is */
    struct cli_sweeps sweeps;
    size_t point;
    const char *topic_begin; /* of the names of topics, one for each number of partitions */
    char topic_name[256];
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
/* Makes the configuration and the client of this run: bench->point says of which one.
 * Returns -1, or an exit code; what is wrong was said. */
int cli_bench_open(struct cli_bench *bench);
/* Makes the producer and opens the topic, without waiting for a broker. As above. */
int cli_bench_producer(struct cli_bench *bench);
/* Runs it from an unused bench or a used one, and closes it. Returns -1 and the figures,
 * or an exit code. */
int cli_bench_measure(struct cli_bench *bench, struct cli_figures *figures);
/* Runs every point, prints their rows and writes the picture. An exit code. */
int cli_bench_sweep(struct cli_bench *bench, struct cli_output *output);
/* Sets what is swept to its values at bench->point. As cli_bench_open. */
int cli_bench_sweep_apply(struct cli_bench *bench, struct kw_config *cfg);
void cli_bench_begin(struct cli_bench *bench);
void cli_bench_end(struct cli_bench *bench);

#endif
