/* examples/workers.c -- a pool of workers behind one member of a group: slow work, in any
 * order, and nothing is lost by a crash.
 *
 *   workers PROPERTIES TOPIC OUTPUT WORKERS WORK_MS
 *
 * A worker takes up to WORK_MS for a record, and then adds a line "PARTITION OFFSET VALUE"
 * to OUTPUT. Only the main thread calls the library. It goes round all the time, so that
 * heartbeats are sent however long the work takes; it says of each record that is ready
 * that it is done, in the order in which they become ready. Committed is what stands in
 * front of the first record that is not done. See docs/CONSUMER.md, 5 and 6. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kwire/kwire.h>

enum { WORKERS_MAX = 64, AHEAD = 400 }; /* records that are in the pool at most */

/* A handle, and how many of its records are in the pool. */
struct batch {
    struct kw_records *records;
    unsigned n_open;
    bool is_cut; /* not all of it was done */
};
struct job {
    struct batch *batch;
    int32_t partition;
    struct kw_consumed record; /* its bytes stay until the handle is released */
    struct job *next;
};
struct queue {
    struct job *first, **last;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct queue todo, ready;
    bool closed;
    /* The main thread's own: */
    struct kw_client *client;
    struct kw_consumer *consumer;
    unsigned n_open;
    bool revoking, refused;
    int output;
    unsigned work_ms;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- the pool --------------------------------------------------------------- */

static void push(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

static struct job *take_all(struct queue *queue)
{
    struct job *job = queue->first;

    queue->first = NULL;
    queue->last = &queue->first;
    return job;
}

static void work(const struct job *job, unsigned *seed)
{
    char line[256];
    int len;

    usleep((useconds_t)rand_r(seed) % (pool.work_ms * 1000 + 1));
    len = snprintf(line, sizeof(line), "%d %lld %.*s\n", (int)job->partition,
                   (long long)job->record.offset, (int)job->record.value.len,
                   job->record.value.ptr ? (const char *)job->record.value.ptr : "");
    if (len >= (int)sizeof(line) || write(pool.output, line, (size_t)len) != len)
        abort(); /* a program of its own would put the record aside, or try again */
}

static void *worker(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    struct job *job;

    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (!pool.closed && !pool.todo.first)
            pthread_cond_wait(&pool.work, &pool.lock);
        if (pool.closed)
            break;
        job = pool.todo.first;
        pool.todo.first = job->next;
        if (!job->next)
            pool.todo.last = &pool.todo.first;
        pthread_mutex_unlock(&pool.lock);
        work(job, &seed);
        pthread_mutex_lock(&pool.lock);
        push(&pool.ready, job);
        kw_client_wake(pool.client); /* the one call that any thread may make */
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* ---- the main thread ------------------------------------------------------------ */

/* A handle whose records are all done is released as done: that holds even if there was no
 * memory for kw_done to note one of them. Of any other, kw_done has said what was done. */
static void end_batch(struct batch *batch)
{
    if (--batch->n_open > 0)
        return;
    kw_records_release(batch->records, batch->is_cut ? KW_NOT_DONE : KW_DONE);
    free(batch);
}

static void end_job(struct job *job, bool done)
{
    struct batch *batch = job->batch;

    /* KW_ERR_STATE: the partition is not ours any more. Another member does it again. */
    if (done && kw_done(batch->records, &job->record) == KW_ERR_STATE)
        fprintf(stderr, "partition %d was given up before %lld was done\n", (int)job->partition,
                (long long)job->record.offset);
    batch->is_cut |= !done;
    end_batch(batch);
    free(job);
    pool.n_open--;
}

static void end_jobs(struct queue *queue, bool done)
{
    struct job *job, *next;

    pthread_mutex_lock(&pool.lock);
    job = take_all(queue);
    pthread_mutex_unlock(&pool.lock);
    for (; job; job = next) {
        next = job->next;
        end_job(job, done);
    }
}

static bool begin_jobs(struct kw_records *records)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    const struct kw_consumed *record;
    struct job *job;

    if (!batch)
        return false;
    batch->records = records;
    batch->n_open = 1; /* ours, while we are at it */
    pool.n_open++;
    while ((record = kw_records_next(records)) && (job = calloc(1, sizeof(*job)))) {
        *job = (struct job){batch, kw_records_partition(records), *record, NULL};
        batch->n_open++;
        pool.n_open++;
        pthread_mutex_lock(&pool.lock);
        push(&pool.todo, job);
        pthread_cond_signal(&pool.work);
        pthread_mutex_unlock(&pool.lock);
    }
    pool.n_open--;
    if (record) /* no memory: what is left comes again, to the next one */
        batch->is_cut = pool.refused = true;
    end_batch(batch);
    return true;
}

static void take_events(void)
{
    struct kw_event event;

    while (kw_next_event(pool.client, &event) == 1) {
        if (event.kind == KW_EVENT_ASSIGNED)
            fprintf(stderr, "%zu partitions are ours\n", event.n_partitions);
        if (event.kind == KW_EVENT_REVOKED)
            pool.revoking = true; /* answered when the pool is empty, see go_round */
        if (event.kind == KW_EVENT_LOST)
            fprintf(stderr, "%zu partitions are lost: %s\n", event.n_partitions, event.error->text);
        if (event.kind == KW_EVENT_ERROR) {
            fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
            pool.refused |= event.consumer && !event.topic_name && !event.error->retriable;
        }
    }
}

static void go_round(void)
{
    struct kw_records *records;

    kw_client_poll(pool.client, 1000);
    end_jobs(&pool.ready, true);
    take_events();
    /* What is under way is ended first, then committed, and only then does the next owner
     * begin. It may take rebalance.ack.timeout.ms; after that we are not waited for. */
    if (pool.revoking && pool.n_open == 0) {
        pool.revoking = false;
        kw_rebalance_ack(pool.consumer);
    }
    /* A small number keeps what stands in the pool, and so what a crash brings again, small. */
    while (!stop && !pool.revoking && !pool.refused && pool.n_open < AHEAD &&
           kw_consumer_poll(pool.consumer, &records, 50) == 1)
        if (!begin_jobs(records)) {
            kw_records_release(records, KW_NOT_DONE);
            pool.refused = true;
        }
}

static int begin(char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    pool.todo.last = &pool.todo.first;
    pool.ready.last = &pool.ready.first;
    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&pool.client, cfg, &error)) ||
        (rc = kw_consumer_create(&pool.consumer, pool.client, NULL, &error)) ||
        (rc = kw_consumer_subscribe(pool.consumer, (const char *const *)argv + 2, 1, &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    return rc;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t threads[WORKERS_MAX];
    unsigned seeds[WORKERS_MAX], n;

    if (argc != 6 || (n = (unsigned)strtoul(argv[4], NULL, 10)) == 0 || n > WORKERS_MAX) {
        fprintf(stderr, "usage: workers PROPERTIES TOPIC OUTPUT WORKERS WORK_MS\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    pool.work_ms = (unsigned)strtoul(argv[5], NULL, 10);
    pool.output = open(argv[3], O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (pool.output < 0) {
        perror(argv[3]);
        return 1;
    }
    if (begin(argv))
        return 1;
    for (unsigned i = 0; i < n; i++) {
        seeds[i] = i;
        if (pthread_create(&threads[i], NULL, worker, &seeds[i]))
            return 1;
    }
    while (!stop && !pool.refused)
        go_round();
    pthread_mutex_lock(&pool.lock);
    pool.closed = true;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    end_jobs(&pool.ready, true);
    end_jobs(&pool.todo, false); /* not begun: they come again */
    if (kw_wait(pool.client, kw_close(pool.client, 10000, NULL), NULL))
        pool.refused = true; /* the last commit, perhaps: records come again */
    kw_client_destroy(pool.client);
    close(pool.output);
    return pool.refused ? 1 : 0;
}
