/* tests/sim/plan.h -- what one seed turns on.
 *
 * Swarm testing: every seed enables a random subset of the faults and habits,
 * because a fault that is always on hides what happens without it. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_CONTROL_MEMORY = 2 << 20 };
enum sim_chunk { SIM_CHUNK_ONE, SIM_CHUNK_SMALL, SIM_CHUNK_RANDOM, SIM_CHUNK_LARGE };

struct sim_plan {
    uint64_t seed;
    /* cluster */
    uint32_t n_brokers, n_topics;
    int32_t n_partitions[4];
    const char *release;
    /* network */
    enum sim_chunk chunk_up, chunk_down; /* what one write or read moves */
    uint32_t delay_up_us, delay_down_us; /* at most, one way */
    uint32_t cut_frames;                 /* mean number of frames to a cut; 0 never */
    bool half_open;                      /* cuts may go unnoticed */
    bool late_requests;                  /* what a client sent before a cut may arrive later */
    uint32_t refuse_percent, blackhole_percent, resolve_fail_percent;
    uint32_t window;          /* bytes on the way, each direction */
    uint32_t slow_connect_us; /* what connecting takes beyond the way, at most */
    /* driver */
    bool names;        /* bootstrap by host name, so RESOLVE is used */
    bool canonical;    /* ... and by what the addresses are called (NAME) */
    bool late_writes;  /* bytes are lent long after they were taken */
    bool zero_copy;    /* ... until the broker's machine has them */
    bool early_reads;  /* buffers are lent before there is something to read */
    bool short_reads;  /* buffers given back unused, partly filled */
    bool late_close;   /* CLOSE is carried out later */
    bool lazy_wants;   /* several calls between two looks at the wants */
    bool odd_clock;    /* time stands still, goes back, wall clock jumps */
    uint32_t slack_us; /* a step may come this late */
    /* brokers */
    bool restarts, leader_moves, stale_metadata, stalls, readdress;
    uint32_t n_specs; /* faults inside the brokers */
    /* client */
    int acks;  /* -1 all, 1, 0 */
    int codec; /* enum kw_codec_id; 0 none */
    bool idempotent, two_cores, shared_consumer_config;
    uint32_t linger_ms, batch_size, buffer_memory, fetch_memory, partition_fetch_bytes;
    uint32_t request_timeout_ms, delivery_timeout_ms, backoff_max_ms, setup_timeout_max_ms;
    uint32_t metadata_max_age_ms, idle_ms, in_flight, attempt_delay_ms;
    /* workload */
    uint32_t n_records, value_max, burst;
    bool flush, purge, seek, pause, early_close, lazy_events, hold_records, big_records;
    bool admin;
    bool receipts;
    bool by_ref; /* many values are lent, some of them large; given back means overwritten */
    /* security */
    const char *sasl;    /* the mechanism, NULL: none */
    uint32_t session_ms; /* after which a client must authenticate again, 0: never */
    /* time */
    uint64_t faults_end_us, bound_us;
};

void sim_plan_make(struct sim_plan *plan, uint64_t seed);
/* memory.limit of a core. */
size_t sim_plan_memory_limit(const struct sim_plan *plan);
/* One line for people. */
void sim_plan_print(const struct sim_plan *plan, char *text, unsigned cap);

#endif
