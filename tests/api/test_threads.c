/* covers: L04 L06 L08
 * A client with its I/O thread, called from many threads at once, against the in-tree
 * broker over TCP. Under VARIANT=tsan this is the test for races: KW_THREAD_SECONDS says
 * for how long (2 s). Tallies of events have no lock of their own: that whoever took one
 * has the queue for himself is part of what is tested. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/api/broker.h"

enum { N_THREADS = 8, N_PARTS = 4, N_EACH = 3000, N_MANY = 40 };

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t test_ms(void)
{
    const char *text = getenv("KW_THREAD_SECONDS");
    return (text ? strtoull(text, NULL, 10) : 2) * 1000;
}

/* One client and those who call it. */
struct storm {
    struct kw_client *client;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uint64_t round;
    atomic_bool closed;
    atomic_int failed; /* the line that saw something wrong */
    atomic_uint_fast64_t n_accepted, n_fetched;
    uint64_t n_outcomes[3]; /* records, by enum kw_outcome */
    uint32_t last[N_THREADS][N_PARTS];
};

struct caller {
    struct storm *storm;
    unsigned id;
    uint32_t rng, n_made;
    pthread_t thread;
};

#define HOLDS(storm, condition)                       \
    do {                                              \
        if (!(condition))                             \
            atomic_store(&(storm)->failed, __LINE__); \
    } while (0)

static uint32_t roll(struct caller *caller, uint32_t below)
{
    caller->rng = caller->rng * 1664525u + 1013904223u;
    return (caller->rng >> 8) % below;
}

/* A record's opaque is who made it, and its number among his. */
static void tally_report(struct storm *storm, const struct kw_report *report)
{
    storm->n_outcomes[report->outcome] += report->n;
    for (uint32_t i = 0; i < report->n && report->outcome == KW_DELIVERED; i++) {
        uint32_t mark = (uint32_t)(uintptr_t)kw_report_opaque(report, i);
        uint32_t *last = &storm->last[mark >> 24][report->partition];
        HOLDS(storm, (mark & 0xffffff) > *last); /* in order, once */
        *last = mark & 0xffffff;
    }
}

static void take_events(struct storm *storm)
{
    struct kw_event event;
    while (kw_next_event(storm->client, &event) == 1) {
        if (event.kind == KW_EVENT_REPORT)
            tally_report(storm, &event.report);
        HOLDS(storm, event.kind != KW_EVENT_OP_DONE);
    }
}

static struct kw_record make_record(struct caller *caller, uint32_t ahead)
{
    static const char text[] = "what a thread has to say";
    uint32_t number = caller->n_made + ahead + 1;
    return (struct kw_record){.value = {text, sizeof(text)},
                              .flags = KW_REC_PARTITION,
                              .partition = (int32_t)(number / 7 % N_PARTS),
                              .opaque = (void *)(uintptr_t)(caller->id << 24 | number)};
}

/* Some records, by one call or by one call each. Returns what the last one said. */
static int make_some(struct caller *caller)
{
    struct storm *storm = caller->storm;
    struct kw_record records[N_MANY];
    size_t n = 1 + roll(caller, N_MANY), accepted = 0;
    int rc = 0;
    for (uint32_t i = 0; i < n; i++)
        records[i] = make_record(caller, i);
    if (roll(caller, 2)) {
        rc = kw_produce_many(storm->topic, records, n, &accepted);
    } else {
        while (accepted < n && (rc = kw_produce(storm->topic, &records[accepted])) == 0)
            accepted++;
    }
    caller->n_made += (uint32_t)accepted;
    atomic_fetch_add(&storm->n_accepted, accepted);
    return rc;
}

static void be_producer(struct caller *caller)
{
    struct storm *storm = caller->storm;
    while (caller->n_made < N_EACH) {
        int rc = make_some(caller);
        if (rc == KW_ERR_CLOSED)
            return;
        HOLDS(storm, rc == 0 || rc == KW_ERR_WOULD_BLOCK);
        if (rc != 0 || roll(caller, 20) == 0) {
            take_events(storm);
            HOLDS(storm, kw_client_poll(storm->client, (int32_t)roll(caller, 5)) >= 0);
        }
    }
}

static void be_flusher(struct caller *caller)
{
    struct storm *storm = caller->storm;
    struct kw_error err;
    while (!atomic_load(&storm->closed)) {
        struct kw_op *op = kw_flush(storm->producer, (int32_t)roll(caller, 50), NULL);
        if (roll(caller, 4) == 0)
            (void)kw_op_cancel(op);
        int rc = kw_wait(storm->client, op, &err);
        HOLDS(storm,
              rc == 0 || rc == KW_ERR_TIMEOUT || rc == KW_ERR_CANCELED || rc == KW_ERR_CLOSED);
        if (roll(caller, 8) == 0)
            kw_purge(storm->producer);
    }
}

static void be_taker(struct caller *caller)
{
    struct storm *storm = caller->storm;
    while (!atomic_load(&storm->closed)) {
        HOLDS(storm, kw_client_poll(storm->client, (int32_t)roll(caller, 10)) >= 0);
        take_events(storm);
    }
}

static void be_reader(struct caller *caller)
{
    struct storm *storm = caller->storm;
    struct kw_start starts[N_PARTS];
    struct kw_consumer *consumer;
    struct kw_records *records;
    struct kw_stats stats;
    int64_t at;
    for (int32_t i = 0; i < N_PARTS; i++)
        starts[i] = (struct kw_start){.topic = "t", .partition = i, .kind = KW_START_EARLIEST};
    int rc = kw_consumer_create(&consumer, storm->client, NULL, NULL);
    if (rc == 0)
        rc = kw_assign(consumer, starts, N_PARTS, NULL);
    HOLDS(storm, rc == 0 || rc == KW_ERR_CLOSED);
    while (rc == 0 && !atomic_load(&storm->closed)) {
        if (kw_consumer_poll(consumer, &records, 0) == 1) {
            while (kw_records_next(records))
                atomic_fetch_add(&storm->n_fetched, 1);
            kw_records_release(records, KW_DONE);
        } else {
            usleep(roll(caller, 2000));
        }
        HOLDS(storm, kw_position(consumer, "t", 0, &at) == 0);
        kw_client_stats(storm->client, &stats);
        kw_producer_outstanding(storm->producer);
        HOLDS(storm, kw_topic_partitions(storm->topic) == N_PARTS);
        kw_client_wake(storm->client);
    }
}

static void be_closer(struct caller *caller)
{
    struct storm *storm = caller->storm;
    struct kw_error err;
    usleep(roll(caller, 60000));
    int rc = kw_wait(storm->client, kw_close(storm->client, 20000, NULL), &err);
    HOLDS(storm, rc == 0 || rc == KW_ERR_STATE || rc == KW_ERR_CLOSED);
    if (rc == 0)
        atomic_store(&storm->closed, true);
}

static void *call(void *arg)
{
    static void (*const roles[N_THREADS])(struct caller *) = {be_producer, be_producer, be_producer,
                                                              be_producer, be_flusher,  be_taker,
                                                              be_reader,   be_closer};
    struct caller *caller = arg;
    roles[(caller->id + caller->storm->round) % N_THREADS](caller);
    if (roll(caller, 3) == 0)
        be_closer(caller); /* a second one, or one after the end */
    return NULL;
}

static void storm_begin(struct storm *storm, const struct broker *broker)
{
    storm->client = client_with(broker->servers, "linger.ms", "1", "batch.size", "2000",
                                "max.request.size", "30000", "buffer.memory", "120000",
                                "fetch.max.wait.ms", "20", NULL);
    cr_assert_eq(kw_client_start_thread(storm->client), 0);
    cr_assert_eq(kw_producer_create(&storm->producer, storm->client, NULL, NULL), 0);
    cr_assert_eq(kw_topic_open(&storm->topic, storm->producer, "t", NULL), 0);
    for (int i = 0; i < 5000 && kw_topic_partitions(storm->topic) == 0; i++)
        kw_client_poll(storm->client, 1);
}

static void storm_run(const struct broker *broker, uint64_t round)
{
    struct storm storm = {.round = round};
    struct caller callers[N_THREADS];
    storm_begin(&storm, broker);
    for (unsigned i = 0; i < N_THREADS; i++) {
        callers[i] = (struct caller){.storm = &storm, .id = i, .rng = (uint32_t)round * 97 + i};
        cr_assert_eq(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(callers[i].thread, NULL);
    take_events(&storm);
    uint64_t n = storm.n_outcomes[0] + storm.n_outcomes[1] + storm.n_outcomes[2];
    cr_assert_eq(atomic_load(&storm.failed), 0, "round %lu: line %d", (unsigned long)round,
                 atomic_load(&storm.failed));
    cr_assert_eq(n, atomic_load(&storm.n_accepted), "round %lu: %lu outcomes of %lu records",
                 (unsigned long)round, (unsigned long)n, (unsigned long)storm.n_accepted);
    kw_client_destroy(storm.client);
}

Test(threads, eight_of_them_call_one_client_in_all_orders, .timeout = 3600)
{
    struct broker broker;
    uint64_t end = clock_ms() + test_ms(), round = 0;
    broker_start(&broker, N_PARTS, NULL);
    do {
        storm_run(&broker, round++);
    } while (clock_ms() < end);
    broker_stop(&broker);
    printf("# %lu rounds\n", (unsigned long)round);
}

/* ---- many clients ----------------------------------------------------------------------- */

static void *come_and_go(void *arg)
{
    const struct broker *broker = arg;
    struct kw_error err;
    for (int i = 0; i < 5; i++) {
        struct kw_client *client = client_with(broker->servers, NULL);
        struct kw_producer *producer;
        struct kw_topic *topic;
        struct kw_record record = {.value = {"v", 1}, .flags = KW_REC_PARTITION};
        if (kw_client_start_thread(client) || kw_producer_create(&producer, client, NULL, NULL) ||
            kw_topic_open(&topic, producer, "t", NULL))
            return (void *)"cannot begin";
        while (kw_produce(topic, &record) == KW_ERR_WOULD_BLOCK)
            kw_client_poll(client, 1);
        if (i % 2 == 0 && kw_wait(client, kw_flush(producer, 20000, NULL), &err) != 0)
            return (void *)"cannot flush";
        kw_client_destroy(client);
    }
    return NULL;
}

Test(threads, clients_come_and_go_at_the_same_time, .timeout = 600)
{
    struct broker broker;
    pthread_t others[N_THREADS];
    void *why;
    broker_start(&broker, N_PARTS, NULL);
    for (int i = 0; i < N_THREADS; i++)
        cr_assert_eq(pthread_create(&others[i], NULL, come_and_go, &broker), 0);
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(others[i], &why);
        cr_assert_null(why, "%s", (const char *)why);
    }
    broker_stop(&broker);
}

/* ---- what threads leave behind ------------------------------------------------------------ */

enum { N_LEFT = 500 };

static void *produce_and_leave(void *topic)
{
    struct kw_record record = {.value = {"v", 1}};
    for (uintptr_t i = 1; i <= N_LEFT; i++) {
        record.opaque = (void *)i;
        if (kw_produce(topic, &record) != 0)
            return (void *)"refused";
    }
    return NULL;
}

Test(threads, a_flush_has_what_threads_produced_that_have_ended)
{
    struct broker broker;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_event event;
    struct kw_stats stats;
    struct kw_error err;
    pthread_t others[3];
    uint64_t n = 0;
    void *why;
    broker_start(&broker, N_PARTS, NULL);
    struct kw_client *client = client_with(broker.servers, "linger.ms", "60000", NULL);
    cr_assert_eq(kw_client_start_thread(client), 0);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", NULL), 0);
    for (int i = 0; i < 5000 && kw_topic_partitions(topic) == 0; i++)
        kw_client_poll(client, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&others[i], NULL, produce_and_leave, topic), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(others[i], &why);
        cr_assert_null(why, "%s", (const char *)why);
    }
    cr_assert_eq(kw_producer_outstanding(producer), 3 * N_LEFT);
    cr_assert_eq(kw_wait(client, kw_flush(producer, 20000, NULL), &err), 0, "%s", err.text);
    while (kw_next_event(client, &event) == 1)
        n += event.kind == KW_EVENT_REPORT && event.report.outcome == KW_DELIVERED ? event.report.n
                                                                                   : 0;
    cr_assert_eq(n, 3 * N_LEFT);
    kw_client_stats(client, &stats);
    cr_assert_geq(stats.batches, 3, "each thread had a batch of its own");
    cr_assert_eq(kw_wait(client, kw_close(client, 5000, NULL), &err), 0, "%s", err.text);
    kw_client_destroy(client);
    broker_stop(&broker);
}

/* ---- what it is for ------------------------------------------------------------------------ */

/* Takes events until one of this kind came; fails after 10 s. */
static void wait_event(struct kw_client *client, int kind)
{
    struct kw_event event;
    for (uint64_t end = clock_ms() + 10000; clock_ms() < end;) {
        while (kw_next_event(client, &event) == 1) {
            cr_assert_neq(event.kind, KW_EVENT_LOST);
            cr_assert_neq(event.kind, KW_EVENT_REVOKED);
            if (event.kind == kind) {
                kw_next_event(client, &event); /* an answer, where one is wanted */
                return;
            }
        }
        cr_assert_geq(kw_client_poll(client, 1000), 0);
    }
    cr_assert_fail("no such event");
}

Test(threads, heartbeats_go_on_while_the_application_is_away)
{
    struct broker broker;
    struct kw_consumer *consumer;
    struct kw_error err;
    struct kw_event event;
    const char *topic = "t";
    broker_start(&broker, N_PARTS, NULL);
    struct kw_client *client = client_with(broker.servers, "group.id", "g", "session.timeout.ms",
                                           "1000", "heartbeat.interval.ms", "100", NULL);
    cr_assert_eq(kw_client_start_thread(client), 0);
    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_consumer_subscribe(consumer, &topic, 1, &err), 0, "%s", err.text);
    wait_event(client, KW_EVENT_ASSIGNED);
    usleep(1400000); /* longer than a session */
    while (kw_next_event(client, &event) == 1)
        cr_assert_neq(event.kind, KW_EVENT_LOST);
    cr_assert_eq(kw_wait(client, kw_commit(consumer, NULL, 5000, NULL), &err), 0, "%s", err.text);
    cr_assert_eq(kw_wait(client, kw_close(client, 5000, NULL), &err), 0, "%s", err.text);
    kw_client_destroy(client);
    broker_stop(&broker);
}

/* ---- a second thread without one ------------------------------------------------------------- */

static int32_t pick_and_produce(void *ctx, const struct kw_topic *topic,
                                const struct kw_record *record, int32_t n_partitions)
{
    int *rc = ctx;
    *rc = kw_produce((struct kw_topic *)(uintptr_t)topic, record);
    return kw_topic_partitions(topic) == n_partitions ? 0 : -1;
}

Test(threads, a_partitioner_that_calls_the_client_is_refused)
{
    struct broker broker;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_record record = {.value = {"v", 1}};
    int rc = 0;
    struct kw_partitioner own = {.size = sizeof(own), .ctx = &rc, .pick = pick_and_produce};
    broker_start(&broker, N_PARTS, NULL);
    struct kw_client *client = client_with(broker.servers, NULL);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", NULL), 0);
    for (int i = 0; i < 500 && kw_topic_partitions(topic) == 0; i++)
        kw_client_poll(client, 20);
    cr_assert_eq(kw_topic_set_partitioner(topic, &own), 0);
    cr_assert_eq(kw_produce(topic, &record), 0);
    cr_assert_eq(rc, KW_ERR_BUSY);
    kw_client_destroy(client);
    broker_stop(&broker);
}
