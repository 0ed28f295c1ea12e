/* In the steady state nothing is allocated per record: after a warm-up, 100,000
 * records are produced, acknowledged, fetched and read without one call of the
 * allocator.
 *
 * covers: I9 */
#include "tests/sim/pair.h"

#include <criterion/criterion.h>
#include <string.h>

enum { WARM_UP = 20000, MEASURED = 100000, BURST = 500 };

static const char *const client_settings[] = {"memory.limit=64000000", "buffer.memory=8000000",
                                              NULL};
static const char *const producer_settings[] = {"linger.ms=0", NULL};
static const char *const consumer_settings[] = {"fetch.max.wait.ms=10", NULL};

struct steady {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *consumer;
    uint32_t n_produced, n_reported, n_read;
};

static void steady_event(void *ctx, const struct kw_event *event)
{
    struct steady *steady = ctx;
    if (event->kind != KW_EVENT_REPORT)
        return;
    cr_assert_eq(event->report.outcome, KW_DELIVERED);
    steady->n_reported += event->report.n;
}

static void steady_create(struct steady *steady)
{
    struct sim_pair *pair = &steady->pair;
    struct kw_config *cfg = NULL;
    struct kw_start starts[2] = {{"t", 0, KW_START_OFFSET, 0}, {"t", 1, KW_START_OFFSET, 0}};
    cr_assert_eq(sim_pair_init(pair, SIM_MEMORY_PLAIN, 1, 2), 0);
    pair->on_event = steady_event;
    pair->ctx = steady;
    cr_assert_eq(sim_pair_core(pair, client_settings, NULL), 0);
    cr_assert_eq(sim_pair_config(pair, &cfg, producer_settings), 0);
    cr_assert_eq(kw_core_producer_create(&steady->producer, pair->core, cfg, NULL), 0);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_topic_open(&steady->topic, steady->producer, "t", NULL), 0);
    cfg = NULL;
    cr_assert_eq(sim_pair_config(pair, &cfg, consumer_settings), 0);
    cr_assert_eq(kw_core_consumer_create(&steady->consumer, pair->core, cfg, NULL), 0);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_assign(steady->consumer, starts, 2, NULL), 0);
}

static void steady_read(struct steady *steady)
{
    struct kw_records *records;
    while (kw_core_consumer_poll(steady->consumer, &records, 0) == 1) {
        const struct kw_consumed *consumed;
        while ((consumed = kw_records_next(records))) {
            cr_assert_eq(consumed->value.len, 100);
            steady->n_read++;
        }
        kw_core_records_release(records, KW_DONE);
    }
}

static void steady_until(struct steady *steady, uint32_t n)
{
    uint8_t value[100];
    memset(value, 'v', sizeof(value));
    for (uint32_t turns = 0; steady->n_reported < n || steady->n_read < n; turns++) {
        cr_assert_lt(turns, 100000, "stuck: %u produced, %u reported, %u read", steady->n_produced,
                     steady->n_reported, steady->n_read);
        for (uint32_t i = 0; i < BURST && steady->n_produced < n; i++) {
            uint32_t id = steady->n_produced;
            struct kw_record record = {.key = {&id, sizeof(id)}, .value = {value, sizeof(value)}};
            int rc = kw_core_produce(steady->topic, &record);
            if (rc == KW_ERR_WOULD_BLOCK)
                break;
            cr_assert_geq(rc, 0, "%s", kw_err_name(rc));
            steady->n_produced++;
        }
        sim_pair_step(&steady->pair, 1000);
        cr_assert(!steady->pair.broken, "%s", steady->pair.why);
        steady_read(steady);
    }
}

Test(steady, a_hundred_thousand_records_take_no_allocation)
{
    static struct steady steady;
    steady_create(&steady);
    steady_until(&steady, WARM_UP);
    uint64_t before = steady.pair.memory.n_allocs;
    steady_until(&steady, WARM_UP + MEASURED);
    cr_assert_eq(steady.pair.memory.n_allocs - before, 0, "%lu allocations for %d records",
                 (unsigned long)(steady.pair.memory.n_allocs - before), MEASURED);
    cr_assert_eq(steady.n_reported, WARM_UP + MEASURED);
    sim_pair_deinit(&steady.pair);
}
