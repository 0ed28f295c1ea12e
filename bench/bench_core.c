/* bench/bench_core.c -- what a record costs in the client alone: the core
 * against an in-process sink, no system call. tools/callgrind.sh counts its
 * instructions.
 *
 *   bench_core produce|consume RECORDS SIZE [--sticky] [--verify]
 *
 * Nothing is left out to look good: the value is written for each record, the
 * CRC is on, every report is taken and counted, the sink checks counts,
 * sequence numbers and offsets, and a wrong sum ends with exit 1. --verify also
 * checks CRC and content of each produced record, for a run that is not timed.
 * Records go to partition 0, or with --sticky to four partitions in turns.
 * It prints wall time per record, which means something outside valgrind only. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kwire/core.h>
#include <kwire/kwire.h>

#include "base/crc32c.h"
#include "bench/memory_driver.h"
#include "bench/sink.h"

#define BENCH_BATCH_RECORDS 100

struct bench {
    struct driver driver;
    struct sink sink;
    struct kw_config *cfg;
    uint64_t n, size;
    bool explicit_partition;
    uint64_t n_delivered, n_failed;
    bool writable, op_done;
};

static double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void bench_events(struct bench *bench)
{
    struct kw_event event;

    while (kw_core_next_event(bench->driver.core, &event)) {
        switch (event.kind) {
        case KW_EVENT_REPORT:
            if (event.report.outcome == KW_DELIVERED)
                bench->n_delivered += event.report.n;
            else
                bench->n_failed += event.report.n;
            break;
        case KW_EVENT_WRITABLE: bench->writable = true; break;
        case KW_EVENT_OP_DONE: bench->op_done = true; break;
        case KW_EVENT_ERROR: sink_die("%s", event.error->text);
        default: break;
        }
    }
}

static void bench_turn(struct bench *bench, bool idle)
{
    driver_turn(&bench->driver, idle);
    bench_events(bench);
}

/* ---- produce --------------------------------------------------------------- */

static void bench_produce_loop(struct bench *bench, struct kw_topic *topic, uint8_t *value)
{
    struct kw_record record = {.value = {value, bench->size},
                               .flags = bench->explicit_partition ? KW_REC_PARTITION : 0};

    for (uint64_t i = 0; i < bench->n; i++) {
        int rc;

        memcpy(value, &i, sizeof(i));
        while ((rc = kw_core_produce(topic, &record)) == KW_ERR_WOULD_BLOCK) {
            bench->writable = false;
            while (!bench->writable)
                bench_turn(bench, true);
        }
        if (rc < 0)
            sink_die("record %" PRIu64 ": %s", i, kw_err_name(rc));
        if (rc == 1)
            bench_turn(bench, false);
    }
}

static void bench_produce(struct bench *bench)
{
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_error error = {0};
    uint8_t *value = calloc(1, bench->size);

    if (!value || kw_core_producer_create(&producer, bench->driver.core, NULL, &error) ||
        kw_core_topic_open(&topic, producer, SINK_TOPIC, &error))
        sink_die("%s", error.text);
    while (kw_topic_partitions(topic) == 0)
        bench_turn(bench, true);
    uint64_t n_allocs = bench->driver.n_allocs;
    double begin = bench_now();
    bench_produce_loop(bench, topic, value);
    if (!kw_core_flush(producer, 60000, NULL))
        sink_die("flush: out of memory");
    while (!bench->op_done)
        bench_turn(bench, true);
    double end = bench_now();
    if (bench->n_delivered != bench->n || bench->n_failed > 0 || bench->sink.n_produced != bench->n)
        sink_die("%" PRIu64 " produced, %" PRIu64 " delivered, %" PRIu64 " failed, %" PRIu64
                 " in the sink",
                 bench->n, bench->n_delivered, bench->n_failed, bench->sink.n_produced);
    printf("produce: %" PRIu64 " records of %" PRIu64 " bytes in %" PRIu64 " batches, %.1f ns a "
           "record, %" PRIu64 " allocations\n",
           bench->n, bench->size, bench->sink.n_batches, (end - begin) * 1e9 / (double)bench->n,
           bench->driver.n_allocs - n_allocs);
    free(value);
}

/* ---- consume --------------------------------------------------------------- */

static void bench_consume(struct bench *bench)
{
    struct kw_start start = {.topic = SINK_TOPIC, .kind = KW_START_EARLIEST};
    struct kw_consumer *consumer;
    struct kw_records *records;
    const struct kw_consumed *record;
    struct kw_error error = {0};
    uint64_t next = 0;

    if (kw_core_consumer_create(&consumer, bench->driver.core, NULL, &error) ||
        kw_core_assign(consumer, &start, 1, &error))
        sink_die("%s", error.text);
    uint64_t n_allocs = bench->driver.n_allocs;
    double begin = bench_now();
    while (next < bench->n) {
        bench_turn(bench, true);
        while (kw_core_consumer_poll(consumer, &records, 0) == 1) {
            while ((record = kw_records_next(records))) {
                uint64_t number;
                memcpy(&number, record->value.ptr, sizeof(number));
                if ((uint64_t)record->offset != next || number != next % BENCH_BATCH_RECORDS ||
                    record->value.len != bench->size)
                    sink_die("record %" PRId64 " where %" PRIu64 " is due", record->offset, next);
                next++;
            }
            kw_core_records_release(records, KW_DONE);
        }
    }
    double end = bench_now();
    if (next != bench->n)
        sink_die("%" PRIu64 " records of %" PRIu64, next, bench->n);
    printf("consume: %" PRIu64 " records of %" PRIu64 " bytes, %.1f ns a record, %" PRIu64
           " allocations\n",
           bench->n, bench->size, (end - begin) * 1e9 / (double)bench->n,
           bench->driver.n_allocs - n_allocs);
}

/* ---- the command line ------------------------------------------------------- */

int main(int argc, char **argv)
{
    static struct bench bench;
    bool sticky = false, verify = false;
    struct kw_error error = {0};

    if (argc < 4 || (strcmp(argv[1], "produce") != 0 && strcmp(argv[1], "consume") != 0))
        sink_die("usage: bench_core produce|consume RECORDS SIZE [--sticky] [--verify]");
    bench.n = strtoull(argv[2], NULL, 10);
    bench.size = strtoull(argv[3], NULL, 10);
    for (int i = 4; i < argc; i++) {
        sticky |= strcmp(argv[i], "--sticky") == 0;
        verify |= strcmp(argv[i], "--verify") == 0;
    }
    if (bench.n == 0 || bench.size < sizeof(uint64_t))
        sink_die("at least one record of at least 8 bytes");
    bench.explicit_partition = !sticky;
    sink_init(&bench.sink, kwi_crc32c_best(), sticky ? 4 : 1);
    bench.sink.verify = verify;
    if (kw_config_new(&bench.cfg) ||
        kw_config_set(bench.cfg, "bootstrap.servers", "127.0.0.1:9092", &error))
        sink_die("%s", error.text);
    driver_init(&bench.driver, &bench.sink, bench.cfg);
    kw_config_destroy(bench.cfg);
    if (argv[1][0] == 'p') {
        bench_produce(&bench);
    } else {
        sink_store(&bench.sink, bench.n, BENCH_BATCH_RECORDS, bench.size, NULL);
        bench_consume(&bench);
    }
    driver_deinit(&bench.driver);
    sink_deinit(&bench.sink);
    return 0;
}
