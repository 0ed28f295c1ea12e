/* bench/memory_driver.h -- drives a core against the sink without a system call:
 * what is measured is the client. Time is virtual. */
#ifndef BENCH_MEMORY_DRIVER_H
#define BENCH_MEMORY_DRIVER_H
#include <stdbool.h>
#include <stdint.h>

#include <kwire/core.h>

#include "bench/sink.h"

#define DRIVER_CONNS 8

struct driver_conn {
    uint32_t id; /* 0: free */
    bool open, writing, reading;
    struct sink_buf in, out; /* in: of the client, not yet a whole frame */
    size_t out_sent;
};

struct driver {
    struct kw_core *core;
    struct sink *sink;
    struct kw_time now;
    struct driver_conn conns[DRIVER_CONNS];
    uint64_t n_allocs; /* by the core */
};

/* Creates the core with cfg; its allocations are counted. */
void driver_init(struct driver *driver, struct sink *sink, const struct kw_config *cfg);
void driver_deinit(struct driver *driver);
/* Moves bytes until nothing moves any more. idle: the host has nothing else to
 * do, so that the time of the next deadline comes at once. */
void driver_turn(struct driver *driver, bool idle);

#endif
