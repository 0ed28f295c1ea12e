/* covers: N06 P34 P35 C48 L09
 * The whole library against the in-tree broker over TCP: records there and
 * back, operations waited for, and a client inside a foreign loop. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/api/broker.h"

enum { N_RECORDS = 3000 };

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Record i: null, empty and long values, a header on every third. */
static struct kw_record record_of(size_t i, char *key, char *value, struct kw_header *header)
{
    struct kw_record record = {.opaque = (void *)(i + 1)};
    int len = snprintf(key, 32, "key-%zu", i);
    record.key = i % 7 == 0 ? (struct kw_bytes){NULL, 0} : (struct kw_bytes){key, (size_t)len};
    size_t value_len = i % 5 == 0 ? 0 : i % 900;
    memset(value, 'a' + (int)(i % 26), value_len);
    record.value = i % 11 == 0 ? (struct kw_bytes){NULL, 0} : (struct kw_bytes){value, value_len};
    record.flags = KW_REC_PARTITION | KW_REC_TIMESTAMP;
    record.partition = (int32_t)(i % 3);
    record.timestamp_ms = 1700000000000 + (int64_t)i;
    *header = (struct kw_header){.key = {"h", 1}, .value = {key, (size_t)len}};
    if (i % 3 == 0) {
        record.headers = header;
        record.n_headers = 1;
    }
    return record;
}

struct outcome {
    size_t n_delivered, n_other;
    char error[192];
    uint8_t seen[N_RECORDS];
};

static void take_events(struct kw_client *client, struct outcome *outcome)
{
    struct kw_event event;
    while (kw_next_event(client, &event) == 1) {
        if (event.kind == KW_EVENT_ERROR)
            snprintf(outcome->error, sizeof(outcome->error), "%s", event.error->text);
        if (event.kind != KW_EVENT_REPORT)
            continue;
        *(event.report.outcome == KW_DELIVERED ? &outcome->n_delivered
                                               : &outcome->n_other) += event.report.n;
        for (uint32_t i = 0; i < event.report.n && event.report.opaques; i++) {
            size_t id = (size_t)kw_report_opaque(&event.report, i);
            cr_assert(id >= 1 && id <= N_RECORDS);
            cr_assert_eq(outcome->seen[id - 1], 0, "record %zu was reported twice", id - 1);
            outcome->seen[id - 1] = 1;
        }
    }
}

static void produce_one(struct kw_client *client, struct kw_topic *topic, size_t i,
                        struct outcome *outcome, void (*turn)(struct kw_client *))
{
    char key[32], value[1000];
    struct kw_header header;
    struct kw_record record = record_of(i, key, value, &header);
    uint64_t end = clock_ms() + 20000;
    int rc;
    while ((rc = kw_produce(topic, &record)) == KW_ERR_WOULD_BLOCK) {
        cr_assert_lt(clock_ms(), end, "never became writable: %s", outcome->error);
        turn(client);
        take_events(client, outcome);
    }
    cr_assert_eq(rc, 0, "record %zu: %s", i, kw_err_name(rc));
}

static void check_record(const struct kw_consumed *got, size_t i)
{
    char key[32], value[1000];
    struct kw_header header, got_header;
    struct kw_header_iter it;
    struct kw_record want = record_of(i, key, value, &header);
    cr_assert_eq(got->timestamp_ms, want.timestamp_ms, "record %zu", i);
    cr_assert_eq(!got->key.ptr, !want.key.ptr);
    cr_assert_eq(got->key.len, want.key.len);
    cr_assert(want.key.len == 0 || memcmp(got->key.ptr, want.key.ptr, want.key.len) == 0);
    cr_assert_eq(!got->value.ptr, !want.value.ptr, "record %zu", i);
    cr_assert_eq(got->value.len, want.value.len);
    cr_assert(want.value.len == 0 || memcmp(got->value.ptr, want.value.ptr, want.value.len) == 0);
    kw_headers_begin(&it, got);
    cr_assert_eq(kw_headers_next(&it, &got_header), want.n_headers ? 1 : 0);
    if (want.n_headers)
        cr_assert(got_header.value.len == header.value.len &&
                  memcmp(got_header.value.ptr, header.value.ptr, header.value.len) == 0);
}

/* Takes what is ready and compares it, record by record, with what was sent. */
static size_t consume_ready(struct kw_consumer *consumer, size_t next_of[3])
{
    struct kw_records *records;
    size_t n = 0;
    while (kw_consumer_poll(consumer, &records, 0) == 1) {
        int32_t partition = kw_records_partition(records);
        const struct kw_consumed *got;
        cr_assert_str_eq(kw_records_topic(records), "t");
        cr_assert(partition >= 0 && partition < 3);
        while ((got = kw_records_next(records))) {
            size_t at = next_of[partition]++;
            cr_assert_eq(got->offset, (int64_t)at);
            check_record(got, at * 3 + (size_t)partition);
            n++;
        }
        kw_records_release(records, KW_DONE);
    }
    return n;
}

static const struct kw_start all_starts[3] = {
    {"t", 0, KW_START_EARLIEST, 0}, {"t", 1, KW_START_EARLIEST, 0}, {"t", 2, KW_START_EARLIEST, 0}};

static void poll_turn(struct kw_client *client)
{
    cr_assert_geq(kw_client_poll(client, 1000), 0);
}

Test(client, records_go_through_a_broker_and_come_back_intact, .timeout = 60)
{
    struct broker broker;
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    struct kw_topic *topic;
    struct kw_error err = {0};
    struct outcome *outcome = calloc(1, sizeof(*outcome));
    broker_start(&broker, 3, NULL);
    struct kw_client *client = client_with(broker.servers, NULL);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), 0, "%s", err.text);
    for (size_t i = 0; i < N_RECORDS; i++)
        produce_one(client, topic, i, outcome, poll_turn);
    cr_assert_eq(kw_wait(client, kw_flush(producer, 20000, NULL), &err), 0, "%s", err.text);
    cr_assert_eq(kw_producer_outstanding(producer), 0);
    take_events(client, outcome);
    cr_assert_eq(outcome->n_delivered, N_RECORDS);
    cr_assert_eq(outcome->n_other, 0);

    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_assign(consumer, all_starts, 3, &err), 0, "%s", err.text);
    size_t next_of[3] = {0}, n = 0;
    uint64_t end = clock_ms() + 20000;
    while (n < N_RECORDS && clock_ms() < end) {
        poll_turn(client);
        take_events(client, outcome);
        n += consume_ready(consumer, next_of);
    }
    cr_assert_eq(n, N_RECORDS, "%zu records came: %s", n, outcome->error);
    cr_assert_eq(kw_wait(client, kw_close(client, 5000, NULL), &err), 0, "%s", err.text);
    kw_client_destroy(client);
    broker_stop(&broker);
    free(outcome);
}

/* ---- in a group, and too late ---------------------------------------------------------- */

/* A host that is away for longer than the session polls before it processes: what is
 * buffered may be another member's by now. */
Test(client, a_member_that_comes_too_late_is_handed_out_nothing, .timeout = 60)
{
    static const char *const topics[] = {"t"};
    struct broker broker;
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    struct kw_topic *topic;
    struct kw_records *records = NULL;
    struct kw_event event;
    struct kw_error err = {0};
    struct outcome *outcome = calloc(1, sizeof(*outcome));
    bool lost = false, late = false;
    uint64_t end = clock_ms() + 20000;
    broker_start(&broker, 3, NULL);
    struct kw_client *client = client_with(
        broker.servers, "group.id", "g", "auto.offset.reset", "earliest", "session.timeout.ms",
        "1000", "heartbeat.interval.ms", "100", "max.poll.records", "10", NULL);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), 0, "%s", err.text);
    for (size_t i = 0; i < N_RECORDS; i++)
        produce_one(client, topic, i, outcome, poll_turn);
    cr_assert_eq(kw_wait(client, kw_flush(producer, 20000, NULL), &err), 0, "%s", err.text);
    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_consumer_subscribe(consumer, topics, 1, &err), 0, "%s", err.text);
    while (kw_consumer_poll(consumer, &records, 0) != 1 && clock_ms() < end) {
        cr_assert_geq(kw_client_poll(client, 100), 0);
        take_events(client, outcome);
    }
    cr_assert_not_null(records, "nothing came: %s", outcome->error);
    cr_assert_geq(kw_records_fence(records), 1);
    kw_records_release(records, KW_DONE);
    usleep(1500000);
    cr_assert_eq(kw_consumer_poll(consumer, &records, 0), 0, "a record of a member that is over");
    while (kw_next_event(client, &event) == 1) {
        lost |= event.kind == KW_EVENT_LOST && event.n_partitions == 3;
        late |= event.kind == KW_EVENT_LOOP_LATE && event.late_ms >= 1000;
    }
    cr_assert(lost && late);
    /* It comes back by itself. */
    while (kw_consumer_poll(consumer, &records, 0) != 1 && clock_ms() < end) {
        cr_assert_geq(kw_client_poll(client, 100), 0);
        take_events(client, outcome);
    }
    cr_assert_not_null(records);
    cr_assert_geq(kw_records_fence(records), 2);
    kw_records_release(records, KW_DONE);
    cr_assert_eq(kw_wait(client, kw_close(client, 5000, NULL), &err), 0, "%s", err.text);
    kw_client_destroy(client);
    broker_stop(&broker);
    free(outcome);
}

Test(client, a_subscription_by_pattern_is_matched_by_the_broker, .timeout = 60)
{
    struct broker broker;
    struct kw_producer *producer = NULL;
    struct kw_topic *topic = NULL;
    struct kw_consumer *consumer = NULL;
    struct kw_records *records = NULL;
    struct kw_error err = {0};
    struct outcome *outcome = calloc(1, sizeof(*outcome));
    uint64_t end = clock_ms() + 20000;
    broker_start(&broker, 3, NULL);
    struct kw_client *client = client_with(broker.servers, "group.id", "g", "auto.offset.reset",
                                           "earliest", "group.protocol", "consumer", NULL);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), 0, "%s", err.text);
    produce_one(client, topic, 0, outcome, poll_turn);
    cr_assert_eq(kw_wait(client, kw_flush(producer, 20000, NULL), &err), 0, "%s", err.text);
    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_consumer_subscribe_pattern(NULL, "t", &err), KW_ERR_USE);
    cr_assert_eq(kw_consumer_subscribe_pattern(consumer, "[s-u]", &err), 0, "%s", err.text);
    while (kw_consumer_poll(consumer, &records, 0) != 1 && clock_ms() < end) {
        cr_assert_geq(kw_client_poll(client, 100), 0);
        take_events(client, outcome);
    }
    cr_assert_not_null(records, "nothing came: %s", outcome->error);
    cr_assert_geq(kw_records_fence(records), 1);
    kw_records_release(records, KW_DONE);
    kw_client_destroy(client);
    broker_stop(&broker);
    free(outcome);
}

/* ---- in a foreign loop ------------------------------------------------------------ */

static int n_wakes;

/* What a program does that owns its loop: it knows the descriptor only. */
static bool foreign_turn_for(struct kw_client *client, int timeout_ms)
{
    struct pollfd entry = {.fd = kw_client_fd(client), .events = POLLIN};
    if (poll(&entry, 1, timeout_ms) <= 0)
        return false;
    n_wakes++;
    cr_assert_geq(kw_client_process(client, 0), 0);
    return true;
}

static void foreign_turn(struct kw_client *client)
{
    cr_assert(foreign_turn_for(client, 10000), "the descriptor did not become readable");
}

Test(client, a_foreign_loop_drives_it_by_its_descriptor_alone, .timeout = 60)
{
    struct broker broker;
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    struct kw_topic *topic;
    struct kw_error err = {0};
    struct outcome *outcome = calloc(1, sizeof(*outcome));
    broker_start(&broker, 3, NULL);
    struct kw_client *client = client_with(broker.servers, "linger.ms", "20", NULL);
    kw_client_fd(client);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), 0, "%s", err.text);
    for (size_t i = 0; i < N_RECORDS; i++)
        produce_one(client, topic, i, outcome, foreign_turn);
    /* Nothing more is called: linger alone must send the last batches. */
    while (outcome->n_delivered < N_RECORDS) {
        foreign_turn(client);
        take_events(client, outcome);
    }
    /* An idle producer sleeps. What is left to be said may take a turn or two. */
    for (int i = 0; i < 4; i++)
        foreign_turn_for(client, 50);
    n_wakes = 0;
    cr_assert_not(foreign_turn_for(client, 300), "an idle client woke its host");

    /* One record, alone: linger and one round trip. */
    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_assign(consumer, all_starts, 3, &err), 0, "%s", err.text);
    size_t next_of[3] = {0}, n = 0;
    while (n < N_RECORDS) {
        foreign_turn(client);
        take_events(client, outcome);
        n += consume_ready(consumer, next_of);
    }
    cr_assert_eq(n, N_RECORDS);
    /* At the end of the log it long-polls: a handful of wake-ups a second. */
    n_wakes = 0;
    uint64_t end = clock_ms() + 1000;
    while (clock_ms() < end) {
        foreign_turn_for(client, 100);
        take_events(client, outcome);
    }
    cr_assert_leq(n_wakes, 30, "%d wake-ups a second", n_wakes);
    kw_client_destroy(client);
    broker_stop(&broker);
    free(outcome);
}

Test(client, a_cut_connection_delays_records_and_loses_none, .timeout = 60)
{
    static const char *const faults[] = {"produce:/5:close-after", "produce:/4:cut=3",
                                         "*:/7:close-before", "produce:/3:error=6",
                                         "metadata:1-3:drop-answer"};
    for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
        struct broker broker;
        struct kw_producer *producer;
        struct kw_topic *topic;
        struct kw_error err = {0};
        struct outcome *outcome = calloc(1, sizeof(*outcome));
        broker_start(&broker, 3, faults[f]);
        struct kw_client *client = client_with(broker.servers, "request.timeout.ms", "300",
                                               "retry.backoff.ms", "5", "reconnect.backoff.ms", "5",
                                               "reconnect.backoff.max.ms", "50", "batch.size",
                                               "4096", NULL);
        cr_assert_eq(kw_producer_create(&producer, client, NULL, &err), 0, "%s", err.text);
        cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), 0, "%s", err.text);
        for (size_t i = 0; i < N_RECORDS; i++)
            produce_one(client, topic, i, outcome, poll_turn);
        cr_assert_eq(kw_wait(client, kw_flush(producer, 30000, NULL), &err), 0, "%s: %s", faults[f],
                     err.text);
        take_events(client, outcome);
        cr_assert_eq(outcome->n_delivered, N_RECORDS, "%s: %zu, last error %s", faults[f],
                     outcome->n_delivered, outcome->error);
        kw_client_destroy(client);
        broker_stop(&broker);
        free(outcome);
    }
}

/* A deadline begins when the call is made, however long ago the client was last processed;
 * with and without a thread of its own. */
Test(client, a_deadline_of_a_call_counts_from_the_call, .timeout = 60)
{
    for (int with_thread = 0; with_thread < 2; with_thread++) {
        struct broker broker;
        struct kw_producer *producer;
        struct kw_topic *topic;
        struct kw_error err = {0};
        struct outcome *outcome = calloc(1, sizeof(*outcome));
        broker_start(&broker, 3, NULL);
        struct kw_client *client = client_with(broker.servers, "linger.ms", "100", NULL);
        cr_assert_eq(kw_producer_create(&producer, client, NULL, &err), 0, "%s", err.text);
        cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), 0, "%s", err.text);
        produce_one(client, topic, 0, outcome, poll_turn);
        cr_assert_eq(kw_wait(client, kw_flush(producer, 20000, NULL), &err), 0, "%s", err.text);
        if (with_thread)
            cr_assert_eq(kw_client_start_thread(client), 0);
        usleep(1500000); /* the application computes */
        produce_one(client, topic, 1, outcome, poll_turn);
        cr_assert_eq(kw_wait(client, kw_flush(producer, 1000, NULL), &err), 0, "%s", err.text);
        if (!with_thread)
            usleep(1500000);
        produce_one(client, topic, 2, outcome, poll_turn);
        cr_assert_eq(kw_wait(client, kw_close(client, 1000, NULL), &err), 0, "%s", err.text);
        take_events(client, outcome);
        cr_assert_eq(outcome->n_delivered, 3, "%s", outcome->error);
        kw_client_destroy(client);
        broker_stop(&broker);
        free(outcome);
    }
}

Test(client, close_hands_back_what_was_not_sent_when_the_broker_is_gone, .timeout = 60)
{
    struct broker broker;
    struct kw_producer *producer;
    struct kw_topic *topic, *of;
    struct kw_record record;
    struct kw_error err = {0};
    struct outcome *outcome = calloc(1, sizeof(*outcome));
    broker_start(&broker, 3, NULL);
    struct kw_client *client = client_with(broker.servers, "linger.ms", "60000", NULL);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), 0, "%s", err.text);
    produce_one(client, topic, 0, outcome, poll_turn);
    broker_stop(&broker);
    for (size_t i = 1; i < 100; i++)
        produce_one(client, topic, i, outcome, poll_turn);
    uint64_t begin = clock_ms();
    cr_assert_eq(kw_wait(client, kw_close(client, 300, NULL), &err), KW_ERR_TIMEOUT);
    cr_assert_lt(clock_ms() - begin, 5000);
    take_events(client, outcome);
    size_t n_back = 0;
    while (kw_unsent_next(producer, &record, &of) == 1) {
        cr_assert_eq(of, topic);
        n_back++;
    }
    cr_assert_eq(outcome->n_delivered, 0);
    cr_assert_eq(outcome->n_other, 100, "each record has its report");
    cr_assert_eq(n_back, 100, "none was offered, so all come back");
    kw_client_destroy(client);
    free(outcome);
}

Test(client, a_client_is_destroyed_at_any_moment, .timeout = 60)
{
    struct broker broker;
    broker_start(&broker, 3, NULL);
    for (int turns = 0; turns < 12; turns++) {
        struct kw_producer *producer;
        struct kw_consumer *consumer;
        struct kw_topic *topic;
        struct outcome *outcome = calloc(1, sizeof(*outcome));
        struct kw_client *client = client_with(broker.servers, NULL);
        struct kw_records *records = NULL;
        cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
        cr_assert_eq(kw_topic_open(&topic, producer, "t", NULL), 0);
        cr_assert_eq(kw_consumer_create(&consumer, client, NULL, NULL), 0);
        cr_assert_eq(kw_assign(consumer, all_starts, 3, NULL), 0);
        for (int i = 0; i < turns; i++)
            cr_assert_geq(kw_client_poll(client, 2), 0);
        if (turns > 4) {
            produce_one(client, topic, 0, outcome, poll_turn);
            (void)kw_flush(producer, 1000, NULL);
        }
        if (turns > 6)
            cr_assert_geq(kw_client_process(client, 1000), 0);
        (void)kw_consumer_poll(consumer, &records, 0); /* held at the end, perhaps */
        kw_client_destroy(client);
        free(outcome);
    }
    broker_stop(&broker);
}
