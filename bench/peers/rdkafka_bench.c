/* bench/peers/rdkafka_bench.c -- the same work as bench_net by librdkafka.
 *
 *   rdkafka_bench LIBRARY produce|produce-batch|produce-threads|one|consume HOST:PORT TOPIC
 *                 RECORDS SIZE [--partitions N] [--threads N] [KEY=VALUE]...
 *
 * LIBRARY is the path of a librdkafka.so, which bench/run.sh fetches; it is
 * loaded at run time, so that this program compiles without it. What is declared
 * here of its interface follows its public documentation. produce calls
 * rd_kafka_produce for each record, produce-batch rd_kafka_produce_batch,
 * produce-threads rd_kafka_produce in N threads that wait when the queue is full; one
 * calls rd_kafka_produce when the record before it was reported; consume
 * takes records from one queue in batches, the fastest way that it offers. */
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "bench/load.h"

enum {
    RDK_PRODUCER = 0,
    RDK_CONSUMER = 1,
    RDK_COPY = 2, /* RD_KAFKA_MSG_F_COPY */
    RDK_WAIT = 4, /* RD_KAFKA_MSG_F_BLOCK */
    RDK_ANY = -1, /* RD_KAFKA_PARTITION_UA */
    RDK_QUEUE_FULL = -184,
    RDK_BEGINNING = -2, /* RD_KAFKA_OFFSET_BEGINNING */
    RDK_BATCH = 1000,
    RDK_POLL_MS = 1000,
    RDK_WAIT_MS = 120000,
    RDK_THREADS_MAX = 64
};

/* rd_kafka_message_t */
struct rdk_message {
    int err;
    void *topic;
    int32_t partition;
    void *payload;
    size_t len;
    void *key;
    size_t key_len;
    int64_t offset;
    void *opaque;
};

typedef void rdk_report_fn(void *client, const struct rdk_message *message, void *opaque);

/* The functions that are used. void pointers stand for its opaque types. */
static struct {
    const char *(*version_str)(void);
    void *(*conf_new)(void);
    int (*conf_set)(void *conf, const char *key, const char *value, char *text, size_t size);
    void (*conf_set_dr_msg_cb)(void *conf, rdk_report_fn *report);
    void (*conf_set_opaque)(void *conf, void *opaque);
    void *(*new)(int type, void *conf, char *text, size_t size);
    void *(*topic_new)(void *client, const char *name, void *conf);
    int (*produce)(void *topic, int32_t partition, int flags, void *payload, size_t len,
                   const void *key, size_t key_len, void *opaque);
    int (*produce_batch)(void *topic, int32_t partition, int flags, struct rdk_message *messages,
                         int n);
    int (*last_error)(void);
    int (*poll)(void *client, int timeout_ms);
    int (*flush)(void *client, int timeout_ms);
    void *(*queue_new)(void *client);
    int (*consume_start_queue)(void *topic, int32_t partition, int64_t offset, void *queue);
    ssize_t (*consume_batch_queue)(void *queue, int timeout_ms, struct rdk_message **messages,
                                   size_t n);
    void (*message_destroy)(struct rdk_message *message);
} rdk;

struct bench {
    void *client, *topic;
    uint64_t n, size, n_delivered;
    int32_t n_partitions;
    uint64_t n_threads;
    struct load_clock begin;
};

static void bench_die(const char *what, const char *text)
{
    fprintf(stderr, "rdkafka_bench: %s %s\n", what, text);
    exit(1);
}

static void bench_symbol(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);

    if (!symbol)
        bench_die("no function", name);
    memcpy(function, &symbol, sizeof(symbol)); /* C has no conversion between the two kinds */
}

static void bench_load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);

    if (!library)
        bench_die("cannot load", dlerror());
    bench_symbol(library, "rd_kafka_version_str", &rdk.version_str);
    bench_symbol(library, "rd_kafka_conf_new", &rdk.conf_new);
    bench_symbol(library, "rd_kafka_conf_set", &rdk.conf_set);
    bench_symbol(library, "rd_kafka_conf_set_dr_msg_cb", &rdk.conf_set_dr_msg_cb);
    bench_symbol(library, "rd_kafka_conf_set_opaque", &rdk.conf_set_opaque);
    bench_symbol(library, "rd_kafka_new", &rdk.new);
    bench_symbol(library, "rd_kafka_topic_new", &rdk.topic_new);
    bench_symbol(library, "rd_kafka_produce", &rdk.produce);
    bench_symbol(library, "rd_kafka_produce_batch", &rdk.produce_batch);
    bench_symbol(library, "rd_kafka_last_error", &rdk.last_error);
    bench_symbol(library, "rd_kafka_poll", &rdk.poll);
    bench_symbol(library, "rd_kafka_flush", &rdk.flush);
    bench_symbol(library, "rd_kafka_queue_new", &rdk.queue_new);
    bench_symbol(library, "rd_kafka_consume_start_queue", &rdk.consume_start_queue);
    bench_symbol(library, "rd_kafka_consume_batch_queue", &rdk.consume_batch_queue);
    bench_symbol(library, "rd_kafka_message_destroy", &rdk.message_destroy);
}

/* The opaque of the client's configuration. */
static void bench_report(void *client, const struct rdk_message *message, void *opaque)
{
    struct bench *bench = opaque;

    (void)client;
    if (message->err)
        bench_die("a record", "was not delivered");
    bench->n_delivered++;
}

/* The first record alone brings the connection up; it is not counted. */
static void bench_warm_up(struct bench *bench, const struct load_values *values)
{
    rdk.produce(bench->topic, RDK_ANY, RDK_COPY, values->ptr, bench->size, NULL, 0, NULL);
    if (rdk.flush(bench->client, RDK_WAIT_MS) || bench->n_delivered != 1)
        bench_die("the first record", "was not delivered");
    bench->n_delivered = 0;
    load_clock_read(&bench->begin);
}

static void bench_produce(struct bench *bench, const struct load_values *values)
{
    for (uint64_t i = 0; i < bench->n; i++) {
        void *value = (void *)(uintptr_t)load_value(values, i);
        while (rdk.produce(bench->topic, RDK_ANY, RDK_COPY, value, bench->size, NULL, 0, NULL)) {
            if (rdk.last_error() != RDK_QUEUE_FULL)
                bench_die("produce", "failed");
            rdk.poll(bench->client, 10);
        }
        if (i % 1024 == 0)
            rdk.poll(bench->client, 0);
    }
}

static void bench_produce_batch(struct bench *bench, const struct load_values *values)
{
    struct rdk_message messages[RDK_BATCH];

    for (uint64_t i = 0; i < bench->n;) {
        int n = bench->n - i < RDK_BATCH ? (int)(bench->n - i) : RDK_BATCH;
        for (int k = 0; k < n; k++)
            messages[k] = (struct rdk_message){
                .payload = (void *)(uintptr_t)load_value(values, i + (uint64_t)k),
                .len = bench->size};
        int done = rdk.produce_batch(bench->topic, RDK_ANY, RDK_COPY, messages, n);
        /* Those that are refused are the last ones, as the queue only fills. */
        i += (uint64_t)done;
        rdk.poll(bench->client, done < n ? 10 : 0);
    }
}

/* One of the threads. */
static void *bench_thread(void *arg)
{
    struct bench *bench = arg;
    struct load_values values;

    load_values_init(&values, bench->size);
    for (uint64_t i = 0; i < bench->n / bench->n_threads; i++) {
        void *value = (void *)(uintptr_t)load_value(&values, i);
        if (rdk.produce(bench->topic, RDK_ANY, RDK_COPY | RDK_WAIT, value, bench->size, NULL, 0,
                        NULL))
            bench_die("produce", "failed");
    }
    load_values_deinit(&values);
    return NULL;
}

static void bench_threads(struct bench *bench)
{
    pthread_t threads[RDK_THREADS_MAX];

    bench->n -= bench->n % bench->n_threads;
    for (uint64_t i = 0; i < bench->n_threads; i++)
        if (pthread_create(&threads[i], NULL, bench_thread, bench))
            bench_die("no", "thread");
    while (bench->n_delivered < bench->n)
        rdk.poll(bench->client, RDK_POLL_MS);
    for (uint64_t i = 0; i < bench->n_threads; i++)
        pthread_join(threads[i], NULL);
}

static void bench_one(struct bench *bench, const struct load_values *values)
{
    struct load_times times;

    load_times_init(&times, bench->n);
    for (uint64_t i = 0; i < bench->n; i++) {
        void *value = (void *)(uintptr_t)load_value(values, i);
        uint64_t begin_ns = load_now_ns();
        if (rdk.produce(bench->topic, RDK_ANY, RDK_COPY, value, bench->size, NULL, 0, NULL))
            bench_die("produce", "failed");
        while (bench->n_delivered <= i)
            rdk.poll(bench->client, RDK_POLL_MS);
        times.ns[i] = load_now_ns() - begin_ns;
    }
    load_times_report("librdkafka", rdk.version_str(), bench->size, &times, &bench->begin);
}

static void bench_consume(struct bench *bench)
{
    static struct rdk_message *messages[RDK_BATCH];
    void *queue = rdk.queue_new(bench->client);
    uint64_t n = 0, bytes = 0;

    load_clock_read(&bench->begin);
    for (int32_t i = 0; i < bench->n_partitions; i++)
        if (rdk.consume_start_queue(bench->topic, i, RDK_BEGINNING, queue))
            bench_die("consume_start", "failed");
    while (n < bench->n) {
        ssize_t got = rdk.consume_batch_queue(queue, RDK_POLL_MS, messages, RDK_BATCH);
        if (got < 0)
            bench_die("consume_batch", "failed");
        for (ssize_t i = 0; i < got; i++) {
            if (messages[i]->err)
                bench_die("an error", "instead of a record");
            bytes += messages[i]->len;
            rdk.message_destroy(messages[i]);
        }
        n += (uint64_t)got;
    }
    if (bytes != n * bench->size)
        bench_die("the records", "have another size");
    bench->n = n;
}

/* What makes it comparable: the same linger and batches, no limit on the number
 * of records where there is one on bytes, no pause of a second while its queue is
 * full. */
static void bench_defaults(void *conf, bool producer)
{
    static const char *const produce[][2] = {{"linger.ms", "5"},
                                             {"batch.size", "1000000"},
                                             {"batch.num.messages", "1000000"},
                                             {"enable.idempotence", "true"},
                                             {"queue.buffering.max.messages", "1000000"},
                                             {"queue.buffering.max.kbytes", "32768"}};
    char text[256];

    /* Since 2.2; an older one waits for a second when its queue is full. */
    if (!producer && rdk.conf_set(conf, "fetch.queue.backoff.ms", "10", text, sizeof(text)))
        fprintf(stderr, "rdkafka_bench: %s\n", text);
    for (size_t i = 0; producer && i < sizeof(produce) / sizeof(produce[0]); i++)
        if (rdk.conf_set(conf, produce[i][0], produce[i][1], text, sizeof(text)))
            bench_die(produce[i][0], text);
}

int main(int argc, char **argv)
{
    struct bench bench = {.n_partitions = 1, .n_threads = 1};
    char text[256];

    if (argc < 7) {
        fputs("usage: rdkafka_bench LIBRARY produce|produce-batch|produce-threads|one|consume "
              "HOST:PORT TOPIC RECORDS SIZE [--partitions N] [--threads N] [KEY=VALUE]...\n",
              stderr);
        return 2;
    }
    const char *mode = argv[2];
    bool producer = strcmp(mode, "consume") != 0;
    bench_load(argv[1]);
    bench.n = strtoull(argv[5], NULL, 10);
    bench.size = strtoull(argv[6], NULL, 10);
    void *conf = rdk.conf_new();
    bench_defaults(conf, producer);
    if (rdk.conf_set(conf, "bootstrap.servers", argv[3], text, sizeof(text)))
        bench_die("bootstrap.servers:", text);
    for (int i = 7; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (strcmp(argv[i], "--partitions") == 0 && i + 1 < argc) {
            bench.n_partitions = (int32_t)strtol(argv[++i], NULL, 10);
            continue;
        }
        if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            bench.n_threads = strtoull(argv[++i], NULL, 10);
            if (bench.n_threads < 1 || bench.n_threads > RDK_THREADS_MAX)
                bench_die("--threads:", "1 to 64");
            continue;
        }
        if (equals)
            *equals = '\0';
        if (!equals || rdk.conf_set(conf, argv[i], equals + 1, text, sizeof(text)))
            bench_die(argv[i], text);
    }
    if (producer)
        rdk.conf_set_dr_msg_cb(conf, bench_report);
    rdk.conf_set_opaque(conf, &bench);
    bench.client = rdk.new(producer ? RDK_PRODUCER : RDK_CONSUMER, conf, text, sizeof(text));
    bench.topic = bench.client ? rdk.topic_new(bench.client, argv[4], NULL) : NULL;
    if (!bench.topic)
        bench_die("new:", text);
    load_created();
    if (producer) {
        struct load_values values;
        load_values_init(&values, bench.size);
        bench_warm_up(&bench, &values);
        if (strcmp(mode, "produce") == 0)
            bench_produce(&bench, &values);
        else if (strcmp(mode, "produce-threads") == 0)
            bench_threads(&bench);
        else if (strcmp(mode, "one") == 0)
            bench_one(&bench, &values);
        else
            bench_produce_batch(&bench, &values);
        if (rdk.flush(bench.client, RDK_WAIT_MS) || bench.n_delivered != bench.n)
            bench_die("flush:", "not everything was delivered");
        load_values_deinit(&values);
    } else {
        bench_consume(&bench);
    }
    if (strcmp(mode, "one") != 0)
        load_report("librdkafka", rdk.version_str(), mode, bench.n, bench.size, &bench.begin);
    fflush(stdout);
    _Exit(0); /* its threads need not be ended one by one */
}
