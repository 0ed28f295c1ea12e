/* bench/bench_threads.c -- producing from many threads into one client with its I/O
 * thread, beside bench_net, which does the same from one thread without one.
 *
 *   bench_threads HOST:PORT TOPIC RECORDS SIZE THREADS MANY [KEY=VALUE]...
 *
 * THREADS threads share RECORDS values of SIZE bytes without a key; MANY is how many go
 * into one kw_produce_many (1: kw_produce for each). The main thread takes the reports.
 * It prints one line of NAME=VALUE words as bench_net does; CPU is that of all threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kwire/kwire.h>

#include "bench/load.h"

enum { BENCH_THREADS_MAX = 64, BENCH_MANY_MAX = 64 };

struct bench {
    struct kw_client *client;
    struct kw_topic *topic;
    uint64_t n_each, size, n_delivered, n_failed;
    size_t many;
    atomic_bool failed;
    pthread_mutex_t lock;
    pthread_cond_t writable;
    uint64_t n_writable; /* WRITABLE events so far */
};

static void bench_die(const char *what, const struct kw_error *error)
{
    fprintf(stderr, "bench: %s %s\n", what, error->text);
    exit(1);
}

static uint64_t bench_n_writable(struct bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    uint64_t n = bench->n_writable;
    pthread_mutex_unlock(&bench->lock);
    return n;
}

/* Waits until the main thread has heard of room since there were `n` such events. */
static void bench_wait(struct bench *bench, uint64_t n)
{
    pthread_mutex_lock(&bench->lock);
    while (bench->n_writable == n)
        pthread_cond_wait(&bench->writable, &bench->lock);
    pthread_mutex_unlock(&bench->lock);
}

/* Appends some; a code if it was not for want of room that not all were. */
static int bench_try(struct bench *bench, const struct kw_record *records, size_t n,
                     size_t *accepted)
{
    int rc;

    *accepted = 0;
    if (n > 1)
        rc = kw_produce_many(bench->topic, records, n, accepted);
    else if ((rc = kw_produce(bench->topic, records)) == 0)
        *accepted = 1;
    return rc;
}

/* Appends all of them, however often it takes. */
static int bench_append(struct bench *bench, const struct kw_record *records, size_t n)
{
    size_t accepted;
    int rc = bench_try(bench, records, n, &accepted);

    while (rc == KW_ERR_WOULD_BLOCK) {
        uint64_t n_writable = bench_n_writable(bench);
        records += accepted;
        n -= accepted;
        rc = bench_try(bench, records, n, &accepted);
        if (rc == KW_ERR_WOULD_BLOCK && accepted == 0)
            bench_wait(bench, n_writable);
    }
    return rc;
}

static void *bench_run(void *arg)
{
    struct bench *bench = arg;
    struct kw_record records[BENCH_MANY_MAX];
    struct load_values values;

    memset(records, 0, sizeof(records));
    load_values_init(&values, bench->size);
    for (uint64_t i = 0; i < bench->n_each; i += bench->many) {
        for (size_t k = 0; k < bench->many; k++)
            records[k].value = (struct kw_bytes){load_value(&values, i + k), bench->size};
        if (bench_append(bench, records, bench->many)) {
            atomic_store(&bench->failed, true);
            break;
        }
    }
    load_values_deinit(&values);
    return NULL;
}

static void bench_events(struct bench *bench)
{
    struct kw_event event;

    while (kw_next_event(bench->client, &event) == 1) {
        if (event.kind == KW_EVENT_WRITABLE) {
            pthread_mutex_lock(&bench->lock);
            bench->n_writable++;
            pthread_cond_broadcast(&bench->writable);
            pthread_mutex_unlock(&bench->lock);
        }
        if (event.kind != KW_EVENT_REPORT)
            continue;
        if (event.report.outcome == KW_DELIVERED)
            bench->n_delivered += event.report.n;
        else
            bench->n_failed += event.report.n;
    }
}

static void bench_begin(struct bench *bench, const struct kw_config *cfg, const char *name)
{
    struct kw_producer *producer;
    struct kw_error error = {0};

    if (kw_client_create(&bench->client, cfg, &error) ||
        kw_producer_create(&producer, bench->client, NULL, &error) ||
        kw_topic_open(&bench->topic, producer, name, &error) ||
        kw_client_start_thread(bench->client))
        bench_die("setup:", &error);
    while (kw_topic_partitions(bench->topic) == 0) {
        kw_client_poll(bench->client, 10);
        bench_events(bench);
    }
}

int main(int argc, char **argv)
{
    struct bench bench = {.lock = PTHREAD_MUTEX_INITIALIZER, .writable = PTHREAD_COND_INITIALIZER};
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    struct load_clock begin;
    pthread_t threads[BENCH_THREADS_MAX];
    uint64_t n_threads;

    if (argc < 7) {
        fprintf(stderr, "usage: bench_threads HOST:PORT TOPIC RECORDS SIZE THREADS MANY "
                        "[KEY=VALUE]...\n");
        return 2;
    }
    bench.size = strtoull(argv[4], NULL, 10);
    n_threads = strtoull(argv[5], NULL, 10);
    bench.many = strtoull(argv[6], NULL, 10);
    if (n_threads < 1 || n_threads > BENCH_THREADS_MAX || bench.many < 1 ||
        bench.many > BENCH_MANY_MAX || kw_config_new(&cfg) ||
        kw_config_set(cfg, "bootstrap.servers", argv[1], &error))
        bench_die("setup:", &error);
    for (int i = 7; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals)
            *equals = '\0';
        if (!equals || kw_config_set(cfg, argv[i], equals + 1, &error))
            bench_die(argv[i], &error);
    }
    bench.n_each = strtoull(argv[3], NULL, 10) / n_threads / bench.many * bench.many;
    bench_begin(&bench, cfg, argv[2]);
    kw_config_destroy(cfg);
    load_clock_read(&begin);
    for (uint64_t i = 0; i < n_threads; i++)
        if (pthread_create(&threads[i], NULL, bench_run, &bench))
            bench_die("no thread", &error);
    while (bench.n_delivered + bench.n_failed < bench.n_each * n_threads &&
           !atomic_load(&bench.failed)) {
        kw_client_poll(bench.client, 1000);
        bench_events(&bench);
    }
    for (uint64_t i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    if (bench.n_failed || atomic_load(&bench.failed))
        bench_die("not everything was delivered", &error);
    load_report("kwire", kw_version(), "produce", bench.n_delivered, bench.size, &begin);
    kw_client_destroy(bench.client);
    return 0;
}
