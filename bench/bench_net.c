/* bench/bench_net.c -- the simplest loops over a real broker, for comparing
 * with other clients: user and system time, wall time and memory.
 *
 *   bench_net produce|consume HOST:PORT TOPIC RECORDS SIZE [KEY=VALUE]...
 *
 * produce writes RECORDS values of SIZE bytes without a key and waits for every
 * outcome; consume reads RECORDS records of the topic's partition 0. Further
 * arguments set configuration keys. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <kwire/kwire.h>

#define BENCH_SILENCE_S 30.0

struct bench {
    struct kw_client *client;
    uint64_t n, size, n_delivered, n_failed, n_errors;
};

static void bench_die(const char *what, const struct kw_error *error)
{
    fprintf(stderr, "bench: %s %s\n", what, error->text);
    exit(1);
}

static double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void bench_events(struct bench *bench)
{
    struct kw_event event;

    while (kw_next_event(bench->client, &event) == 1) {
        if (event.kind == KW_EVENT_ERROR) {
            fprintf(stderr, "bench: %s\n", event.error->text);
            bench->n_errors++;
        }
        if (event.kind != KW_EVENT_REPORT)
            continue;
        if (event.report.outcome == KW_DELIVERED)
            bench->n_delivered += event.report.n;
        else
            bench->n_failed += event.report.n;
    }
}

static void bench_produce(struct bench *bench, const char *name)
{
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_error error = {0};
    uint8_t *value = calloc(1, bench->size);

    if (!value || kw_producer_create(&producer, bench->client, NULL, &error) ||
        kw_topic_open(&topic, producer, name, &error))
        bench_die("setup:", &error);
    struct kw_record record = {.value = {value, bench->size}};
    for (uint64_t i = 0; i < bench->n; i++) {
        int rc;
        memcpy(value, &i, sizeof(i));
        while ((rc = kw_produce(topic, &record)) == KW_ERR_WOULD_BLOCK) {
            kw_client_poll(bench->client, 1000);
            bench_events(bench);
        }
        if (rc)
            bench_die(kw_err_name(rc), &error);
        if (i % 1024 == 0) {
            kw_client_poll(bench->client, 0);
            bench_events(bench);
        }
    }
    int rc = kw_wait(bench->client, kw_flush(producer, 120000, NULL), &error);
    bench_events(bench);
    if (rc || bench->n_delivered != bench->n)
        bench_die("not everything was delivered:", &error);
    free(value);
}

static void bench_consume(struct bench *bench, const char *name)
{
    struct kw_start start = {.topic = name, .kind = KW_START_EARLIEST};
    struct kw_consumer *consumer;
    struct kw_records *records;
    const struct kw_consumed *record;
    struct kw_error error = {0};
    uint64_t n = 0, bytes = 0;
    double last = bench_now();

    if (kw_consumer_create(&consumer, bench->client, NULL, &error) ||
        kw_assign(consumer, &start, 1, &error))
        bench_die("setup:", &error);
    while (n < bench->n) {
        kw_client_poll(bench->client, 1000);
        bench_events(bench);
        while (n < bench->n && kw_consumer_poll(consumer, &records, 0) == 1) {
            while ((record = kw_records_next(records))) {
                bytes += record->value.len;
                n++;
            }
            kw_records_release(records);
            last = bench_now();
        }
        if (bench_now() - last > BENCH_SILENCE_S)
            bench_die("no record for 30 s", &error);
    }
    if (bytes < n * bench->size)
        bench_die("the records are smaller than SIZE", &error);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    struct rusage usage;

    if (argc < 6 || (strcmp(argv[1], "produce") != 0 && strcmp(argv[1], "consume") != 0)) {
        fprintf(stderr, "usage: bench_net produce|consume HOST:PORT TOPIC RECORDS SIZE "
                        "[KEY=VALUE]...\n");
        return 2;
    }
    bench.n = strtoull(argv[4], NULL, 10);
    bench.size = strtoull(argv[5], NULL, 10);
    if (bench.size < sizeof(uint64_t) || kw_config_new(&cfg) ||
        kw_config_set(cfg, "bootstrap.servers", argv[2], &error))
        bench_die("setup:", &error);
    for (int i = 6; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals)
            *equals = '\0';
        if (!equals || kw_config_set(cfg, argv[i], equals + 1, &error))
            bench_die(argv[i], &error);
    }
    if (kw_client_create(&bench.client, cfg, &error))
        bench_die("client:", &error);
    kw_config_destroy(cfg);
    double begin = bench_now();
    if (argv[1][0] == 'p')
        bench_produce(&bench, argv[3]);
    else
        bench_consume(&bench, argv[3]);
    double wall = bench_now() - begin;
    getrusage(RUSAGE_SELF, &usage);
    kw_client_destroy(bench.client);
    printf("%s: %" PRIu64 " records of %" PRIu64 " bytes, wall %.3f s, user %.3f s, system %.3f s, "
           "%.0f records/s, rss %ld kB\n",
           argv[1], bench.n, bench.size, wall,
           (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
           (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
           (double)bench.n / wall, usage.ru_maxrss);
    return bench.n_errors > 0;
}
