/* Faults of the producer that have one answer each: what the broker says, what the
 * application sees. The rest of them is in test_producer.c and in the simulation.
 *
 * covers: P07 P09 P13 P28 P32 P43 P46 P47 P53 */
#include "client/producer.h"
#include "tests/sim/pair.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 6000 };

/* One test a process. */
static struct {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uint32_t n_made, n_reported, n_of[3];
    int64_t offset[RECORDS_MAX];
    int code;
    int16_t kafka_code;
    uint8_t flags;
    uint64_t reported_us, n_errors;
    bool done, again;
    uint32_t n_refused;
} shop;

static int shop_try(size_t len);

static void shop_event(void *ctx, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    (void)ctx;
    shop.n_errors += event->kind == KW_EVENT_ERROR;
    if (event->kind != KW_EVENT_REPORT)
        return;
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        cr_assert_lt(id, shop.n_made);
        cr_assert_eq(shop.offset[id], -2, "record %lu reported twice", (unsigned long)id);
        shop.offset[id] = report->base_offset < 0 ? -1 : report->base_offset + i;
    }
    shop.n_reported += report->n;
    shop.n_of[report->outcome] += report->n;
    shop.code = report->code;
    shop.kafka_code = report->kafka_code;
    shop.flags = report->flags;
    shop.reported_us = shop.pair.now.mono_us;
    for (uint32_t i = 0; shop.again && i < report->n && shop.n_made < RECORDS_MAX - 100; i++) {
        int rc = shop_try(1000);
        cr_assert(rc == 0 || rc == KW_ERR_WOULD_BLOCK, "%s", kw_err_name(rc));
        shop.n_refused += rc != 0;
    }
    shop.done = shop.n_reported == shop.n_made;
}

static const char *const usual[] = {
    "request.timeout.ms=1000", "retry.backoff.ms=100",         "retry.backoff.max.ms=1000",
    "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100", "memory.limit=40000000",
    "control.memory=8000000",  "buffer.memory=2000000",        NULL};
static const char *const quick[] = {"linger.ms=0", "delivery.timeout.ms=20000", NULL};

static void shop_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = NULL;
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s", why);
    cr_assert_eq(kwi_mock_fault_add(shop.pair.mock, &fault, NULL), 0);
}

static void shop_open(const char *const *own, const char *topic)
{
    struct kw_config *cfg = NULL;
    struct kw_error err;
    memset(&shop, 0, sizeof shop);
    cr_assert_eq(sim_pair_init(&shop.pair, SIM_MEMORY_PLAIN, 1, 2), 0);
    shop.pair.on_event = shop_event;
    for (int i = 0; i < RECORDS_MAX; i++)
        shop.offset[i] = -2;
    cr_assert_eq(sim_pair_core(&shop.pair, usual, NULL), 0);
    cr_assert_eq(sim_pair_config(&shop.pair, &cfg, own), 0);
    cr_assert_eq(kw_core_producer_create(&shop.producer, shop.pair.core, cfg, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_topic_open(&shop.topic, shop.producer, topic, NULL), 0);
}

static void shop_known(void)
{
    bool never = false;
    for (int i = 0; i < 100 && kw_topic_partitions(shop.topic) == 0; i++)
        sim_pair_run(&shop.pair, &never, 20);
    cr_assert_eq(kw_topic_partitions(shop.topic), 2);
}

static void shop_end(void)
{
    cr_assert(!shop.pair.broken, "%s", shop.pair.why);
    kw_core_destroy(shop.pair.core);
    shop.pair.core = NULL;
    cr_assert_eq(shop.pair.memory.n_live, 0);
    sim_pair_deinit(&shop.pair);
}

static int shop_try(size_t len)
{
    static const uint8_t value[20000];
    struct kw_record record = {.value = {value, len},
                               .flags = KW_REC_PARTITION,
                               .opaque = (void *)(uintptr_t)(shop.n_made + 1)};
    cr_assert_lt(shop.n_made, RECORDS_MAX);
    int rc = kw_core_produce(shop.topic, &record);
    if (rc < 0)
        return rc;
    shop.n_made++;
    shop.done = false;
    return 0;
}

static void shop_make(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        cr_assert_eq(shop_try(10), 0);
}

static void shop_settle(void)
{
    cr_assert(sim_pair_run(&shop.pair, &shop.done, 60000), "%u of %u", shop.n_reported,
              shop.n_made);
}

static void shop_in_order(void)
{
    for (uint32_t i = 0; i < shop.n_made; i++)
        cr_assert_eq(shop.offset[i], i, "record %u is at %lld", i, (long long)shop.offset[i]);
}

/* ---- a leader that is deposed behind the append ------------------------------------------- */

/* Kafka answers NOT_LEADER_OR_FOLLOWER for what has been appended and waits for replicas,
 * too (tests/live/leaders.sh met it): such an answer proves nothing. */
Test(producer_faults, what_a_deposed_leader_answered_may_be_in_the_log)
{
    static const int16_t codes[] = {3, 6, 56};
    static const char *const own[] = {"linger.ms=0", "delivery.timeout.ms=3000", NULL};
    for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct kw_mock_partition_info info;
        char spec[40];
        shop_open(own, "t");
        shop_known();
        snprintf(spec, sizeof spec, "produce:1:error-after=%d", codes[i]);
        shop_fault(spec);
        shop_fault("produce:2-100:error=6");
        shop_make(1);
        shop_settle();
        cr_assert_eq(shop.n_of[KW_UNKNOWN], 1, "after %d: not written %u", codes[i],
                     shop.n_of[KW_NOT_WRITTEN]);
        cr_assert_eq(kwi_mock_partition(shop.pair.mock, "t", 0, &info), 0);
        cr_assert_eq(info.end_offset, 1);
        shop_end();
    }
}

Test(producer_faults, without_idempotence_what_was_sent_to_another_leader_may_be_there_twice)
{
    static const char *const own[] = {"linger.ms=0", "enable.idempotence=false", NULL};
    shop_open(own, "t");
    shop_known();
    shop_fault("produce:1:error-after=6");
    shop_make(1);
    shop_settle();
    cr_assert_eq(shop.n_of[KW_DELIVERED], 1);
    cr_assert_eq(shop.flags, KW_REPORT_MAYBE_DUPLICATE);
    shop_end();
}

/* ---- idempotence ------------------------------------------------------------------------- */

Test(producer_faults, sequences_go_on_with_0_behind_the_highest)
{
    cr_assert_eq(kwi_sequence_add(INT32_MAX, 1), 0);
    cr_assert_eq(kwi_sequence_add(INT32_MAX - 1, 4), 2);
    shop_open(quick, "t");
    shop_known();
    bool never = false;
    sim_pair_run(&shop.pair, &never, 500);
    struct kw_part *part = shop.topic->parts[0];
    int64_t id = shop.producer->producer_id;
    cr_assert_geq(id, 0);
    /* As if so many records had been written: a broker takes any first sequence from a
     * producer of which it knows nothing. */
    part->producer_id = id;
    part->producer_epoch = shop.producer->producer_epoch;
    part->next_sequence = INT32_MAX - 4;
    for (int i = 0; i < 10; i++) {
        shop_make(3);
        shop_settle();
    }
    cr_assert_eq(shop.n_of[KW_DELIVERED], 30);
    shop_in_order();
    cr_assert_eq(part->next_sequence, 25);
    cr_assert_eq(shop.producer->producer_id, id);
    cr_assert_eq(shop.producer->producer_epoch, 0, "nothing had to be numbered anew");
    shop_end();
}

Test(producer_faults, behind_the_last_epoch_comes_a_new_id)
{
    shop_open(quick, "t");
    shop_known();
    shop_make(1);
    shop_settle();
    int64_t id = shop.producer->producer_id;
    shop.producer->producer_epoch = INT16_MAX;
    shop_make(1);
    shop_settle();
    kwi_producer_bump(shop.producer);
    shop_make(5);
    shop_settle();
    cr_assert_eq(shop.n_of[KW_DELIVERED], 7);
    cr_assert_neq(shop.producer->producer_id, id);
    cr_assert_eq(shop.producer->producer_epoch, 0);
    shop_in_order();
    shop_end();
}

Test(producer_faults, a_fenced_producer_ends_and_each_record_is_reported_once)
{
    shop_open(quick, "t");
    shop_known();
    shop_make(1);
    shop_settle();
    shop_fault("produce:1:error=90"); /* PRODUCER_FENCED */
    uint64_t before = kwi_mock_n_requests(shop.pair.mock, 0);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(shop_try(3000), 0);
    shop_settle();
    cr_assert_eq(shop.n_of[KW_DELIVERED], 1);
    cr_assert_eq(shop.n_reported, 51);
    cr_assert_gt(shop.n_errors, 0);
    cr_assert_eq(shop_try(10), KW_ERR_STATE);
    cr_assert_leq(kwi_mock_n_requests(shop.pair.mock, 0), before + 5, "it goes on sending");
    shop_end();
}

/* A newer broker's code says nothing about the log. */
Test(producer_faults, a_code_that_nobody_knows_proves_nothing)
{
    shop_open(quick, "t");
    shop_known();
    shop_make(1);
    shop_settle();
    shop_fault("produce:1:error=200");
    shop_make(1);
    shop_settle();
    cr_assert_eq(shop.n_of[KW_DELIVERED], 1);
    cr_assert_eq(shop.n_of[KW_UNKNOWN], 1);
    shop_end();
}

Test(producer_faults, an_id_that_is_refused_for_now_is_asked_for_again)
{
    shop_open(quick, "t");
    shop_fault("initproducerid:1:error=14"); /* COORDINATOR_LOAD_IN_PROGRESS */
    shop_fault("initproducerid:2:close-before");
    shop_fault("initproducerid:3:drop-answer");
    shop_known();
    shop_make(5);
    shop_settle();
    cr_assert_eq(shop.n_of[KW_DELIVERED], 5);
    shop_in_order();
    shop_end();
}

/* ---- retries, time ------------------------------------------------------------------------ */

Test(producer_faults, retries_back_off_further_each_time_up_to_a_limit)
{
    shop_open(quick, "t");
    shop_known();
    shop_make(1);
    shop_settle();
    shop_fault("produce:*:error=19"); /* NOT_ENOUGH_REPLICAS */
    uint64_t before = kwi_mock_n_requests(shop.pair.mock, 0);
    shop_make(1);
    shop_settle();
    uint64_t n = kwi_mock_n_requests(shop.pair.mock, 0) - before;
    /* 100, 200, 400, 800 ms and then 1 s each, a fifth more or less, for 20 s. */
    cr_assert(n >= 17 && n <= 28, "%llu requests", (unsigned long long)n);
    cr_assert_eq(shop.n_of[KW_NOT_WRITTEN], 1);
    cr_assert_eq(shop.code, KW_ERR_TIMEOUT);
    cr_assert_eq(shop.kafka_code, 19);
    shop_end();
}

Test(producer_faults, a_producer_may_have_a_backoff_of_its_own)
{
    static const char *const slow[] = {"linger.ms=0", "delivery.timeout.ms=20000",
                                       "retry.backoff.ms=5000", "retry.backoff.max.ms=5000", NULL};
    shop_open(slow, "t");
    shop_fault("initproducerid:1:error=14"); /* COORDINATOR_LOAD_IN_PROGRESS */
    shop_known();
    shop_fault("produce:*:error=19"); /* NOT_ENOUGH_REPLICAS */
    uint64_t before = kwi_mock_n_requests(shop.pair.mock, 0), from_us = shop.pair.now.mono_us;
    shop_make(1);
    shop_settle();
    uint64_t n = kwi_mock_n_requests(shop.pair.mock, 0) - before;
    cr_assert(n >= 2 && n <= 5, "%llu requests", (unsigned long long)n);
    cr_assert_geq(shop.reported_us - from_us, 19000000);
    shop_end();
}

/* The client's own request.timeout.ms is 1 s. */
Test(producer_faults, an_id_is_waited_for_as_long_as_the_producer_says)
{
    static const char *const brisk[] = {"linger.ms=0", "request.timeout.ms=200", NULL};
    shop_open(brisk, "t");
    shop_fault("initproducerid:1:delay=5000"); /* and what is asked behind it */
    uint64_t from_us = shop.pair.now.mono_us;
    sim_pair_pass(&shop.pair, 700);
    shop_known();
    shop_make(1);
    shop_settle();
    cr_assert_lt(shop.reported_us - from_us, 900000);
    shop_end();
}

/* Or five of them would wait five times as long, past delivery.timeout.ms. */
Test(producer_faults, the_time_of_a_batch_begins_when_it_is_sent)
{
    static const char *const brisk[] = {"linger.ms=0", "request.timeout.ms=1000", NULL};
    shop_open(brisk, "t");
    shop_known();
    shop_make(1);
    shop_settle();
    shop_fault("produce:1:delay=800");
    shop_fault("produce:2:delay=1700");
    uint64_t from_us = shop.pair.now.mono_us;
    shop_make(1);
    sim_pair_pass(&shop.pair, 10);
    shop_make(1);
    shop_settle();
    cr_assert_lt(shop.reported_us - from_us, 1500000);
    shop_end();
}

/* A broker that wants to be left alone reads nothing meanwhile (KIP-219). */
Test(producer_faults, a_pause_that_the_broker_asks_for_is_no_time_of_a_batch)
{
    static const char *const brisk[] = {"linger.ms=0", "request.timeout.ms=1000", NULL};
    shop_open(brisk, "t");
    shop_known();
    shop_make(1);
    shop_settle();
    shop_fault("produce:1:delay=100");
    shop_fault("produce:1:throttle=800");
    shop_fault("produce:2:delay=1500");
    uint64_t before = kwi_mock_n_requests(shop.pair.mock, 0);
    shop_make(1);
    sim_pair_pass(&shop.pair, 10);
    shop_make(1);
    shop_settle();
    cr_assert_eq(kwi_mock_n_requests(shop.pair.mock, 0) - before, 2, "%llu requests",
                 (unsigned long long)(kwi_mock_n_requests(shop.pair.mock, 0) - before));
    shop_end();
}

Test(producer_faults, a_rare_record_waits_for_linger_and_no_longer)
{
    static const char *const slow[] = {"linger.ms=50", NULL};
    shop_open(slow, "t");
    shop_known();
    shop_make(1);
    shop_settle();
    for (int i = 0; i < 5; i++) {
        bool never = false;
        sim_pair_run(&shop.pair, &never, 5000);
        uint64_t from_us = shop.pair.now.mono_us;
        shop_make(1);
        shop_settle();
        cr_assert_leq(shop.reported_us - from_us, 51000);
    }
    shop_end();
}

/* ---- the rest ------------------------------------------------------------------------------ */

Test(producer_faults, a_topic_that_is_created_later_is_waited_for)
{
    bool never = false;
    shop_open(quick, "later");
    sim_pair_run(&shop.pair, &never, 2000);
    cr_assert_eq(shop_try(10), KW_ERR_WOULD_BLOCK);
    cr_assert_eq(kwi_mock_create_topic(shop.pair.mock, "later", 2), 0);
    sim_pair_run(&shop.pair, &never, 2000);
    shop_make(5);
    shop_settle();
    cr_assert_eq(shop.n_of[KW_DELIVERED], 5);
    shop_end();
}

Test(producer_faults, success_without_an_offset_is_no_offset)
{
    shop_open(quick, "t");
    shop_known();
    shop_make(1);
    shop_settle();
    shop_fault("produce:1:error-after=46"); /* DUPLICATE_SEQUENCE_NUMBER comes with -1 */
    shop_make(3);
    shop_settle();
    cr_assert_eq(shop.n_of[KW_DELIVERED], 4);
    for (uint32_t i = 1; i < 4; i++)
        cr_assert_eq(shop.offset[i], -1);
    shop_end();
}

Test(producer_faults, producing_from_a_report_into_a_full_buffer_is_refused_or_taken)
{
    shop_open(quick, "t");
    shop_known();
    while (shop_try(10000) == 0)
        ;
    shop.again = true; /* one for one, where there is room */
    for (int i = 0; i < 200 && shop.n_made < RECORDS_MAX - 200; i++)
        sim_pair_step(&shop.pair, 1000);
    shop.again = false;
    shop_settle();
    cr_assert_eq(shop.n_of[KW_DELIVERED], shop.n_made);
    shop_in_order();
    shop_end();
}
