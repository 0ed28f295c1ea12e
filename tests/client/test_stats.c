/* The counters that tell how much was under way, and how much of it was lost
 * with a connection: what a test of a killed broker stands on. */
#include "tests/sim/pair.h"

#include <criterion/criterion.h>
#include <string.h>

enum { RECORDS = 9, RECORD_SIZE = 20000 /* above batch.size: a batch each */ };

struct stats_test {
    struct sim_pair pair;
    struct kw_topic *topic;
    uint32_t n_delivered;
    bool all_delivered, never;
};

static struct stats_test stats_test; /* one test a process */

static void stats_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind != KW_EVENT_REPORT)
        return;
    cr_assert_eq(event->report.outcome, KW_DELIVERED);
    stats_test.n_delivered += event->report.n;
    stats_test.all_delivered = stats_test.n_delivered == RECORDS;
}

static void stats_begin(const char *in_flight)
{
    const char *settings[] = {"linger.ms=0", "retry.backoff.ms=10", "reconnect.backoff.ms=10",
                              in_flight, NULL};
    struct kw_producer *producer;
    struct sim_pair *pair = &stats_test.pair;

    cr_assert_eq(sim_pair_init(pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    pair->on_event = stats_event;
    cr_assert_eq(sim_pair_core(pair, settings, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&producer, pair->core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&stats_test.topic, producer, "t", NULL), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(stats_test.topic) == 0; i++)
        sim_pair_run(pair, &stats_test.never, 20);
}

static void stats_produce(uint32_t n)
{
    static uint8_t value[RECORD_SIZE];
    struct kw_record record = {.value = {value, sizeof(value)}};

    for (uint32_t i = 0; i < n; i++) {
        int rc = kw_core_produce(stats_test.topic, &record);
        cr_assert_geq(rc, 0, "%s", kw_err_name(rc));
        sim_pair_called(&stats_test.pair);
    }
}

static struct kw_stats stats_now(void)
{
    struct kw_stats stats;

    kw_core_stats(stats_test.pair.core, &stats);
    return stats;
}

/* Sends with answers held back, cuts every connection, and lets it end well. */
static void stats_cut(uint32_t max_in_flight)
{
    struct sim_pair *pair = &stats_test.pair;

    /* The producer's id and its connection are there before answers are held. */
    stats_produce(1);
    for (int i = 0; i < 100 && stats_test.n_delivered == 0; i++)
        sim_pair_run(pair, &stats_test.never, 20);
    cr_assert_eq(stats_now().produce_flight_peak, 1);
    cr_assert_eq(stats_now().requests_lost, 0);

    pair->hold_answers = true;
    stats_produce(RECORDS - 1);
    sim_pair_settle(pair);
    cr_assert_eq(stats_now().produce_flight_peak, max_in_flight);
    cr_assert_eq(stats_now().requests_lost, 0, "nothing is lost yet");
    for (uint32_t i = 0, n = pair->n_conns; i < n; i++) {
        if (pair->conns[i]->up && !pair->conns[i]->closed)
            sim_pair_break(pair, pair->conns[i]);
    }
    cr_assert_eq(stats_now().requests_lost, max_in_flight);
    pair->hold_answers = false;
    cr_assert(sim_pair_run(pair, &stats_test.all_delivered, 20000));
    cr_assert_eq(stats_now().requests_lost, max_in_flight, "what is sent again is not lost");
    cr_assert_eq(stats_now().produce_flight_peak, max_in_flight);
    kw_core_destroy(pair->core);
    pair->core = NULL;
    sim_pair_deinit(pair);
}

Test(stats, five_requests_under_way_are_counted_and_lost_with_their_connection)
{
    stats_begin("max.in.flight.requests.per.connection=5");
    stats_cut(5);
}

Test(stats, one_request_under_way_is_counted_and_lost_with_its_connection)
{
    stats_begin("max.in.flight.requests.per.connection=1");
    stats_cut(1);
}
