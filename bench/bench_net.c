/* bench/bench_net.c -- the simplest loops over a real broker, for comparing
 * with other clients: user and system time, wall time and memory.
 *
 *   bench_net produce|consume|one HOST:PORT TOPIC RECORDS SIZE [--partitions N] [--by-ref]
 *             [--key BYTES] [--topics N] [--longest] [KEY=VALUE]...
 *
 * produce writes RECORDS values of SIZE bytes, without a key or with one that numbers
 * them, to TOPIC or in turns to N topics TOPIC-0, TOPIC-1 and so on, and waits for every
 * outcome; with --by-ref by reference (and then not numbered: they are lent). one writes
 * them one at a time, each when the one before it was delivered, and prints how long that
 * took. consume reads RECORDS records of the topic's first N partitions (1). --longest
 * prints before that the longest call into the library, by the thread's own CPU clock
 * (which costs more than kw_produce). Further arguments set configuration keys. It prints
 * one line of NAME=VALUE words; the times leave out what comes before the first record. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kwire/kwire.h>

#include "bench/load.h"

#define BENCH_SILENCE_S 30.0
#define BENCH_SILENCE_AFTER_ERROR_S 3.0
#define BENCH_PARTITIONS_MAX 128
#define BENCH_KEY_MAX 64
#define BENCH_TOPICS_MAX 10000

/* produce lets the client read answers so often. */
enum { BENCH_POLL_RECORDS = 1024, BENCH_POLL_BYTES = 256 * 1024 };
/* Handles that --hold keeps at most. */
enum { BENCH_HELD = 65536 };

struct bench {
    struct kw_client *client;
    uint64_t n, size, n_delivered, n_failed, n_errors;
    int32_t n_partitions;
    size_t key_size;   /* 0: no key */
    uint32_t n_topics; /* 0: one, of the very name */
    bool by_ref, watches_calls;
    uint64_t call_ns, longest_ns; /* of the call under way, and the longest one */
    int hold_ms; /* consume: from a tenth on, take all and let nothing go for so long */
    struct load_clock begin;
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

static uint64_t bench_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void bench_call(struct bench *bench)
{
    if (bench->watches_calls)
        bench->call_ns = bench_cpu_ns();
}

static inline int bench_called(struct bench *bench, int rc)
{
    if (bench->watches_calls) {
        uint64_t ns = bench_cpu_ns() - bench->call_ns;
        bench->longest_ns = ns > bench->longest_ns ? ns : bench->longest_ns;
    }
    return rc;
}

static void bench_poll(struct bench *bench, int timeout_ms)
{
    bench_call(bench);
    bench_called(bench, kw_client_poll(bench->client, timeout_ms));
}

static int bench_take(struct bench *bench, struct kw_consumer *consumer,
                      struct kw_records **records)
{
    bench_call(bench);
    return bench_called(bench, kw_consumer_poll(consumer, records, 0));
}

static int bench_append(struct bench *bench, struct kw_topic *topic, const struct kw_record *record)
{
    bench_call(bench);
    return bench_called(bench, kw_produce(topic, record));
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

/* A producer, and its topic when the number of its partitions is known. */
static void bench_open(struct bench *bench, const char *name, struct kw_producer **producer,
                       struct kw_topic **topic)
{
    struct kw_error error = {0};

    if (kw_producer_create(producer, bench->client, NULL, &error) ||
        kw_topic_open(topic, *producer, name, &error))
        bench_die("setup:", &error);
    while (kw_topic_partitions(*topic) == 0) {
        bench_poll(bench, 1000);
        bench_events(bench);
    }
}

/* Opens the topics in front of the one producer, and waits until all are known. */
static struct kw_topic **bench_topics(struct bench *bench, const char *name,
                                      struct kw_producer *producer)
{
    struct kw_topic **topics = calloc(bench->n_topics, sizeof(struct kw_topic *));
    struct kw_error error = {0};
    char text[256];

    for (uint32_t i = 0; topics && i < bench->n_topics; i++) {
        snprintf(text, sizeof(text), "%s-%" PRIu32, name, i);
        if (kw_topic_open(&topics[i], producer, text, &error))
            bench_die("setup:", &error);
    }
    for (uint32_t i = 0; topics && i < bench->n_topics;) {
        if (kw_topic_partitions(topics[i]) > 0) {
            i++;
            continue;
        }
        bench_poll(bench, 1000);
        bench_events(bench);
    }
    return topics;
}

static void bench_one(struct bench *bench, const char *name)
{
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct load_values values;
    struct load_times times;
    struct kw_error error = {0};
    struct kw_record record = {.value = {NULL, bench->size}};

    load_values_init(&values, bench->size);
    load_times_init(&times, bench->n);
    bench_open(bench, name, &producer, &topic);
    /* The first brings up the connection and is not counted. */
    for (uint64_t i = 0; i <= bench->n; i++) {
        record.value.ptr = load_value(&values, i);
        if (i == 1)
            load_clock_read(&bench->begin);
        uint64_t begin_ns = load_now_ns();
        int rc = bench_append(bench, topic, &record);
        if (rc)
            bench_die(kw_err_name(rc), &error);
        while (bench->n_delivered + bench->n_failed <= i) {
            bench_poll(bench, 1000);
            bench_events(bench);
        }
        if (i > 0)
            times.ns[i - 1] = load_now_ns() - begin_ns;
    }
    if (bench->n_failed > 0)
        bench_die("not everything was delivered", &error);
    load_times_report("kwire", kw_version(), bench->size, &times, &bench->begin);
    load_values_deinit(&values);
}

static void bench_produce(struct bench *bench, const char *name)
{
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_error error = {0};
    struct load_values values;
    uint64_t every = BENCH_POLL_BYTES / bench->size, next_poll = 0;
    uint8_t key[BENCH_KEY_MAX] = {0};

    every = every < 1 ? 1 : every > BENCH_POLL_RECORDS ? BENCH_POLL_RECORDS : every;
    load_values_init(&values, bench->size);
    struct kw_topic **topics = NULL;
    if (bench->n_topics > 0) {
        if (kw_producer_create(&producer, bench->client, NULL, &error) ||
            !(topics = bench_topics(bench, name, producer)))
            bench_die("setup:", &error);
        topic = topics[0];
    } else {
        bench_open(bench, name, &producer, &topic);
    }
    load_clock_read(&bench->begin);
    struct kw_record record = {.value = {NULL, bench->size},
                               .flags = bench->by_ref ? KW_REC_BY_REF : 0u};
    if (bench->key_size > 0)
        record.key = (struct kw_bytes){key, bench->key_size};
    for (uint64_t i = 0; i < bench->n; i++) {
        int rc;
        record.value.ptr = bench->by_ref ? values.ptr + (i & values.mask) * values.size
                                         : load_value(&values, i);
        if (bench->key_size > 0)
            memcpy(key, &i, sizeof(i));
        if (topics)
            topic = topics[i % bench->n_topics];
        while ((rc = bench_append(bench, topic, &record)) == KW_ERR_WOULD_BLOCK) {
            bench_poll(bench, 1000);
            bench_events(bench);
        }
        if (rc)
            bench_die(kw_err_name(rc), &error);
        if (i == next_poll) {
            next_poll += every;
            bench_poll(bench, 0);
            bench_events(bench);
        }
    }
    int rc = kw_wait(bench->client, kw_flush(producer, 120000, NULL), &error);
    bench_events(bench);
    if (rc || bench->n_delivered != bench->n)
        bench_die("not everything was delivered:", &error);
    free(topics);
    load_values_deinit(&values);
}

static uint64_t bench_walk(struct kw_records *records, uint64_t *bytes)
{
    const struct kw_consumed *record;
    uint64_t n = 0;

    for (; (record = kw_records_next(records)); n++)
        *bytes += record->value.len;
    kw_records_release(records, KW_DONE);
    return n;
}

/* Takes what comes and lets nothing go before the time is over. */
static uint64_t bench_hold(struct bench *bench, struct kw_consumer *consumer, uint64_t *bytes)
{
    struct kw_records **held = calloc(BENCH_HELD, sizeof(*held));
    double end = bench_now() + bench->hold_ms / 1000.0;
    uint64_t n = 0;
    size_t n_held = 0;

    if (!held)
        exit(1);
    while (bench_now() < end) {
        bench_poll(bench, 10);
        bench_events(bench);
        while (n_held < BENCH_HELD && bench_take(bench, consumer, &held[n_held]) == 1)
            n_held++;
    }
    for (size_t i = 0; i < n_held; i++)
        n += bench_walk(held[i], bytes);
    free(held);
    return n;
}

static void bench_consume(struct bench *bench, const char *name)
{
    struct kw_start starts[BENCH_PARTITIONS_MAX];
    struct kw_consumer *consumer;
    struct kw_records *records;
    struct kw_error error = {0};
    uint64_t n = 0, bytes = 0;
    double last = bench_now();

    for (int32_t i = 0; i < bench->n_partitions; i++)
        starts[i] = (struct kw_start){.topic = name, .partition = i, .kind = KW_START_EARLIEST};
    load_clock_read(&bench->begin);
    if (kw_consumer_create(&consumer, bench->client, NULL, &error) ||
        kw_assign(consumer, starts, (size_t)bench->n_partitions, &error))
        bench_die("setup:", &error);
    while (n < bench->n) {
        bench_poll(bench, 1000);
        bench_events(bench);
        while (n < bench->n && bench_take(bench, consumer, &records) == 1) {
            n += bench_walk(records, &bytes);
            last = bench_now();
        }
        if (bench->hold_ms > 0 && n > bench->n / 10) {
            n += bench_hold(bench, consumer, &bytes);
            bench->hold_ms = 0;
            last = bench_now();
        }
        if (bench_now() - last >
            (bench->n_errors > 0 ? BENCH_SILENCE_AFTER_ERROR_S : BENCH_SILENCE_S))
            bench_die("no record any more", &error);
    }
    if (bytes < n * bench->size)
        bench_die("the records are smaller than SIZE", &error);
    bench->n = n;
}

int main(int argc, char **argv)
{
    struct bench bench = {.n_partitions = 1};
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};

    if (argc < 6 || (strcmp(argv[1], "produce") != 0 && strcmp(argv[1], "consume") != 0 &&
                     strcmp(argv[1], "one") != 0)) {
        fprintf(stderr, "usage: bench_net produce|consume|one HOST:PORT TOPIC RECORDS SIZE "
                        "[--partitions N] [--by-ref] [--key BYTES] [--topics N] [--hold MS] "
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
        if (strcmp(argv[i], "--partitions") == 0 && i + 1 < argc) {
            bench.n_partitions = (int32_t)strtol(argv[++i], NULL, 10);
            if (bench.n_partitions < 1 || bench.n_partitions > BENCH_PARTITIONS_MAX)
                bench_die("--partitions:", &error);
            continue;
        }
        if (strcmp(argv[i], "--key") == 0 && i + 1 < argc) {
            bench.key_size = strtoull(argv[++i], NULL, 10);
            if (bench.key_size < sizeof(uint64_t) || bench.key_size > BENCH_KEY_MAX)
                bench_die("--key: 8 to 64 bytes", &error);
            continue;
        }
        if (strcmp(argv[i], "--hold") == 0 && i + 1 < argc) {
            bench.hold_ms = (int)strtol(argv[++i], NULL, 10);
            continue;
        }
        if (strcmp(argv[i], "--topics") == 0 && i + 1 < argc) {
            bench.n_topics = (uint32_t)strtoul(argv[++i], NULL, 10);
            if (bench.n_topics < 1 || bench.n_topics > BENCH_TOPICS_MAX)
                bench_die("--topics:", &error);
            continue;
        }
        if (equals)
            *equals = '\0';
        if (strcmp(argv[i], "--longest") == 0) {
            bench.watches_calls = true;
            continue;
        }
        if (strcmp(argv[i], "--by-ref") == 0) {
            bench.by_ref = true;
            continue;
        }
        if (!equals || kw_config_set(cfg, argv[i], equals + 1, &error))
            bench_die(argv[i], &error);
    }
    if (kw_client_create(&bench.client, cfg, &error))
        bench_die("client:", &error);
    kw_config_destroy(cfg);
    load_created();
    if (argv[1][0] == 'p')
        bench_produce(&bench, argv[3]);
    else if (argv[1][0] == 'o')
        bench_one(&bench, argv[3]);
    else
        bench_consume(&bench, argv[3]);
    if (bench.watches_calls)
        printf("longest_us=%.0f\n", (double)bench.longest_ns / 1000);
    if (argv[1][0] != 'o')
        load_report("kwire", kw_version(), argv[1], bench.n, bench.size, &bench.begin);
    kw_client_destroy(bench.client);
    return bench.n_errors > 0;
}
