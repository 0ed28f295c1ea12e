/* Where records go, against a broker model: the partitioners by name, what a topic sets
 * for itself, an application's own, and topics that grow.
 *
 * covers: P25 P27 */
#include "client/producer.h"
#include "tests/sim/pair.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 6000, PARTITIONS_MAX = 64 };

/* One test a process. */
static struct {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uint32_t n_made, n_reported, n_of[3];
    int32_t partition[RECORDS_MAX]; /* by id, as reported */
    int64_t offset[RECORDS_MAX];
    uint32_t n_in[PARTITIONS_MAX];
    bool done;
} field;

static void field_event(void *ctx, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    (void)ctx;
    if (event->kind != KW_EVENT_REPORT)
        return;
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        cr_assert_lt(id, field.n_made);
        field.partition[id] = report->partition;
        field.offset[id] = report->base_offset < 0 ? -1 : report->base_offset + i;
    }
    field.n_in[report->partition] += report->n;
    field.n_reported += report->n;
    field.n_of[report->outcome] += report->n;
    field.done = field.n_reported == field.n_made;
}

static const char *const usual[] = {"request.timeout.ms=1000",      "retry.backoff.ms=10",
                                    "retry.backoff.max.ms=100",     "reconnect.backoff.ms=10",
                                    "reconnect.backoff.max.ms=100", "memory.limit=40000000",
                                    "control.memory=8000000",       "buffer.memory=8000000",
                                    "metadata.max.age.ms=1000",     NULL};

static void field_run(uint64_t ms)
{
    bool never = false;
    uint64_t end_us = field.pair.now.mono_us + ms * 1000;
    sim_pair_run(&field.pair, &never, ms);
    sim_pair_step(&field.pair, end_us - field.pair.now.mono_us);
}

static void field_open(const char *const *own)
{
    struct kw_config *cfg = NULL;
    struct kw_error err;
    cr_assert_eq(sim_pair_config(&field.pair, &cfg, own), 0);
    cr_assert_eq(kw_core_producer_create(&field.producer, field.pair.core, cfg, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
}

static void field_known(int32_t n_partitions)
{
    for (int i = 0; i < 100 && kw_topic_partitions(field.topic) != n_partitions; i++)
        field_run(20);
    cr_assert_eq(kw_topic_partitions(field.topic), n_partitions);
}

static void field_begin(const char *const *own, uint32_t n_brokers, int32_t n_partitions)
{
    cr_assert_eq(sim_pair_init(&field.pair, SIM_MEMORY_PLAIN, n_brokers, n_partitions), 0);
    field.pair.on_event = field_event;
    cr_assert_eq(sim_pair_core(&field.pair, usual, NULL), 0);
    field_open(own);
    cr_assert_eq(kw_core_topic_open(&field.topic, field.producer, "t", NULL), 0);
    field_known(n_partitions);
}

static void field_end(void)
{
    cr_assert(!field.pair.broken, "%s", field.pair.why);
    kw_core_destroy(field.pair.core);
    field.pair.core = NULL;
    cr_assert_eq(field.pair.memory.n_live, 0);
    sim_pair_deinit(&field.pair);
}

static int field_try(const char *key, size_t len, int32_t partition)
{
    static const uint8_t value[2000];
    struct kw_record record = {.key = {key, key ? strlen(key) : 0},
                               .value = {value, len},
                               .flags = partition >= 0 ? KW_REC_PARTITION : 0,
                               .partition = partition,
                               .opaque = (void *)(uintptr_t)(field.n_made + 1)};
    cr_assert_lt(field.n_made, RECORDS_MAX);
    int rc = kw_core_produce(field.topic, &record);
    if (rc < 0)
        return rc;
    field.n_made++;
    field.done = false;
    return 0;
}

static void field_make(const char *key, size_t len)
{
    int rc = field_try(key, len, -1);
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
}

static void field_settle(void)
{
    cr_assert(sim_pair_run(&field.pair, &field.done, 20000), "%u of %u", field.n_reported,
              field.n_made);
    cr_assert_eq(field.n_of[KW_DELIVERED], field.n_made);
}

/* ---- partitioners by name ----------------------------------------------------------------- */

/* 60 records, each key from one of six, or none. */
static void sixty(const char *partitioner, bool with_key)
{
    char line[64];
    const char *own[] = {"linger.ms=5", line, NULL};
    snprintf(line, sizeof line, "partitioner=%s", partitioner);
    memset(&field, 0, sizeof field);
    field_begin(own, 2, 6);
    for (int i = 0; i < 60; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i % 6);
        field_make(with_key ? key : NULL, 10);
    }
    field_settle();
}

static unsigned used(void)
{
    unsigned n = 0;
    for (int i = 0; i < 6; i++)
        n += field.n_in[i] > 0;
    return n;
}

static void keys_stay(const char *partitioner, const int32_t *where)
{
    sixty(partitioner, true);
    for (uint32_t i = 0; i < 60; i++)
        cr_assert_eq(field.partition[i], where[i % 6], "%s: k%u is in %d", partitioner, i % 6,
                     field.partition[i]);
    field_end();
}

/* Where librdkafka 2.0.2 puts "k0" .. "k5" among six partitions. */
Test(partitioners, with_a_key_each_goes_by_its_hash)
{
    static const int32_t murmur2[] = {5, 5, 3, 4, 4, 0}, crc32[] = {3, 1, 3, 5, 2, 4},
                         fnv1a[] = {0, 1, 4, 5, 4, 5};
    keys_stay("murmur2", murmur2);
    keys_stay("murmur2_random", murmur2);
    keys_stay("consistent", crc32);
    keys_stay("consistent_random", crc32);
    keys_stay("fnv1a", fnv1a);
    keys_stay("fnv1a_random", fnv1a);
}

Test(partitioners, without_a_key_most_are_sticky_and_consistent_has_one_place)
{
    static const char *const sticky[] = {"murmur2", "murmur2_random", "consistent_random",
                                         "fnv1a",   "fnv1a_random",   "sticky"};
    for (size_t i = 0; i < sizeof sticky / sizeof *sticky; i++) {
        sixty(sticky[i], false);
        cr_assert_eq(used(), 1, "%s", sticky[i]);
        field_end();
    }
    sixty("consistent", false);
    cr_assert_eq(field.n_in[0], 60);
    field_end();
}

Test(partitioners, roundrobin_and_random_place_each_record_and_sticky_ignores_keys)
{
    for (int with_key = 0; with_key < 2; with_key++) {
        sixty("roundrobin", with_key);
        for (uint32_t i = 0; i < 60; i++)
            cr_assert_eq(field.partition[i], (int32_t)(i % 6));
        field_end();
        sixty("random", with_key);
        cr_assert_gt(used(), 3);
        field_end();
    }
    sixty("sticky", true);
    cr_assert_eq(used(), 1);
    field_end();
}

Test(partitioners, an_explicit_partition_goes_before_all_of_them)
{
    static const char *const names[] = {"murmur2", "consistent", "fnv1a",
                                        "random",  "roundrobin", "sticky"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sixty(names[i], false);
        uint32_t before = field.n_in[4];
        for (int n = 0; n < 10; n++)
            cr_assert_eq(field_try("k", 10, 4), 0);
        field_settle();
        cr_assert_eq(field.n_in[4], before + 10);
        field_end();
    }
}

Test(partitioners, a_round_goes_on_where_a_refused_record_would_have_gone)
{
    static const char *const own[] = {"linger.ms=5", "partitioner=roundrobin",
                                      "max.request.size=20000", NULL};
    static const uint8_t big[30000];
    field_begin(own, 1, 3);
    struct kw_record record = {.value = {big, sizeof big}};
    field_make(NULL, 10);
    cr_assert_eq(kw_core_produce(field.topic, &record), KW_ERR_TOO_LARGE);
    field_make(NULL, 10);
    field_settle();
    cr_assert_eq(field.partition[1], 1);
    field_end();
}

Test(partitioners, a_round_leaves_out_partitions_without_a_leader)
{
    static const char *const own[] = {"linger.ms=5", "partitioner=roundrobin", NULL};
    field_begin(own, 1, 3);
    cr_assert_eq(kwi_mock_set_leader(field.pair.mock, "t", 1, -1), 0);
    field_run(3000);
    for (int i = 0; i < 20; i++)
        field_make(NULL, 10);
    field_settle();
    cr_assert_eq(field.n_in[1], 0);
    cr_assert_eq(field.n_in[0], 10);
    field_end();
}

Test(partitioners, keys_may_be_ignored)
{
    static const char *const own[] = {"linger.ms=5", "partitioner.ignore.keys=true", NULL};
    field_begin(own, 1, 6);
    for (int i = 0; i < 60; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        field_make(key, 10);
    }
    field_settle();
    cr_assert_eq(used(), 1);
    field_end();
}

/* ---- sticky -------------------------------------------------------------------------------- */

Test(sticky, a_partition_keeps_its_turn_until_it_got_batch_size_bytes)
{
    static const char *const own[] = {"linger.ms=0", "batch.size=10000",
                                      "partitioner.adaptive.partitioning.enable=false", NULL};
    uint32_t turns = 0;
    field_begin(own, 1, 6);
    for (int i = 0; i < 120; i++) { /* each a batch of its own */
        field_make(NULL, 930);
        field_settle();
    }
    for (uint32_t i = 1; i < field.n_made; i++)
        turns += field.partition[i] != field.partition[i - 1];
    /* 1,000 bytes a batch: a turn every ten. */
    cr_assert_eq(turns, 11, "%u", turns);
    field_end();
}

Test(sticky, records_that_fill_batches_are_spread_evenly)
{
    static const char *const own[] = {"linger.ms=0", "batch.size=1000", NULL};
    field_begin(own, 2, 4);
    for (int i = 0; i < 4000; i++) {
        field_make(NULL, 100);
        if (i % 20 == 0)
            field_settle();
    }
    field_settle();
    for (int i = 0; i < 4; i++)
        cr_assert(field.n_in[i] > 800 && field.n_in[i] < 1200, "%u in %d", field.n_in[i], i);
    field_end();
}

/* Partition 1 does not get rid of its batches: broker 1 never answers. */
static void uneven(const char *adaptive, uint32_t *slow, uint32_t *all)
{
    const char *own[] = {"linger.ms=0",
                         "batch.size=1000",
                         "delivery.timeout.ms=60000",
                         adaptive,
                         "max.in.flight.requests.per.connection=1",
                         NULL};
    memset(&field, 0, sizeof field);
    field_begin(own, 2, 2);
    for (int i = 0; i < 20; i++) /* both are reached */
        cr_assert_eq(field_try(NULL, 10, i % 2), 0);
    field_settle();
    uint32_t before[2] = {field.n_in[0], field.n_in[1]};
    struct kw_mock_fault fault;
    const char *why = NULL;
    cr_assert_eq(kwi_mock_fault_parse("produce:*:delay=900:partition=1", &fault, &why), 0, "%s",
                 why);
    cr_assert_eq(kwi_mock_fault_add(field.pair.mock, &fault, NULL), 0);
    for (int i = 0; i < 3000; i++) {
        field_make(NULL, 100);
        if (i % 30 == 0)
            field_run(3);
    }
    cr_assert(sim_pair_run(&field.pair, &field.done, 600000));
    *slow = field.n_in[1] - before[1];
    *all = field.n_in[0] - before[0] + *slow;
    field_end();
}

Test(sticky, a_partition_where_batches_wait_gets_less)
{
    uint32_t slow, all;
    uneven("partitioner.adaptive.partitioning.enable=true", &slow, &all);
    cr_assert_lt(slow, all / 8, "%u of %u", slow, all);
    uneven("partitioner.adaptive.partitioning.enable=false", &slow, &all);
    cr_assert(slow > all * 2 / 5 && slow < all * 3 / 5, "%u of %u", slow, all);
}

Test(sticky, a_broker_that_takes_nothing_for_long_is_avoided)
{
    static const char *const own[] = {"linger.ms=0",
                                      "batch.size=1000",
                                      "partitioner.availability.timeout.ms=200",
                                      "max.in.flight.requests.per.connection=1",
                                      "delivery.timeout.ms=60000",
                                      NULL};
    field_begin(own, 2, 4);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(field_try(NULL, 10, i % 4), 0);
    field_settle();
    kwi_mock_freeze_metadata(field.pair.mock, 0, true); /* nobody says that it is gone */
    kwi_mock_broker_down(field.pair.mock, 1, false);
    cr_assert_eq(field_try(NULL, 10, 1), 0);
    field_run(500);
    uint32_t from = field.n_made;
    for (int i = 0; i < 1000; i++) {
        field_make(NULL, 100);
        if (i % 30 == 0)
            field_run(3);
    }
    field_run(2000);
    kwi_mock_freeze_metadata(field.pair.mock, 0, false);
    kwi_mock_broker_up(field.pair.mock, 1);
    field_settle();
    uint32_t avoided = 0;
    for (uint32_t i = from; i < field.n_made; i++)
        avoided += field.partition[i] % 2 == 0;
    cr_assert_gt(avoided, 980, "%u of 1000", avoided);
    field_end();
}

Test(sticky, a_partition_that_lost_its_leader_loses_its_turn)
{
    static const char *const own[] = {"linger.ms=0", NULL};
    field_begin(own, 1, 2);
    field_make(NULL, 10);
    field_settle();
    int32_t lost = field.partition[0];
    cr_assert_eq(kwi_mock_set_leader(field.pair.mock, "t", lost, -1), 0);
    field_run(3000);
    field_make(NULL, 10);
    field_settle();
    cr_assert_eq(field.partition[1], 1 - lost);
    field_end();
}

/* ---- of a topic, of the application ----------------------------------------------------------- */

Test(topics, a_topic_may_have_a_partitioner_of_its_own)
{
    static const char *const own[] = {"linger.ms=5", "partitioner=roundrobin", NULL};
    static const char *const of_topic[] = {"partitioner=consistent", NULL};
    static const char *const other_key[] = {"linger.ms=7", NULL};
    static const char *const contradiction[] = {"partitioner=consistent",
                                                "partitioner.ignore.keys=true", NULL};
    struct kw_config *cfg = NULL;
    struct kw_topic *other = NULL, *again = NULL;
    struct kw_error err;
    field_begin(own, 1, 3);
    cr_assert_eq(kwi_mock_create_topic(field.pair.mock, "u", 3), 0);
    cr_assert_eq(sim_pair_config(&field.pair, &cfg, other_key), 0);
    cr_assert_eq(kw_core_topic_open_own(&other, field.producer, "u", cfg, &err), KW_ERR_CONFIG);
    cr_assert(strstr(err.text, "linger.ms = 7: a topic does not have this key"), "%s", err.text);
    kw_config_destroy(cfg);
    cr_assert_eq(sim_pair_config(&field.pair, &cfg, contradiction), 0);
    cr_assert_eq(kw_core_topic_open_own(&other, field.producer, "u", cfg, &err), KW_ERR_CONFIG);
    cr_assert(strstr(err.hint, "consistent_random"), "%s", err.hint);
    kw_config_destroy(cfg);
    cr_assert_eq(sim_pair_config(&field.pair, &cfg, of_topic), 0);
    cr_assert_eq(kw_core_topic_open_own(&other, field.producer, "u", cfg, &err), 0, "%s", err.text);
    cr_assert_eq(kw_core_topic_open_own(&again, field.producer, "u", cfg, &err), KW_ERR_STATE);
    cr_assert_eq(kw_core_topic_open(&again, field.producer, "u", &err), 0);
    cr_assert_eq(again, other);
    kw_config_destroy(cfg);
    for (int i = 0; i < 6; i++)
        field_make("k", 10);
    field_settle();
    cr_assert_eq(field.n_in[2], 2, "the other topic goes round");
    field.topic = other;
    field_known(3);
    for (int i = 0; i < 6; i++)
        field_make(NULL, 10);
    field_settle();
    cr_assert_eq(field.n_in[0], 2 + 6);
    field_end();
}

Test(topics, a_producer_that_contradicts_itself_is_not_made)
{
    static const char *const own[] = {"partitioner=consistent", "partitioner.ignore.keys=true",
                                      NULL};
    struct kw_config *cfg = NULL;
    struct kw_error err;
    cr_assert_eq(sim_pair_init(&field.pair, SIM_MEMORY_PLAIN, 1, 1), 0);
    cr_assert_eq(sim_pair_core(&field.pair, usual, NULL), 0);
    cr_assert_eq(sim_pair_config(&field.pair, &cfg, own), 0);
    cr_assert_eq(kw_core_producer_create(&field.producer, field.pair.core, cfg, &err),
                 KW_ERR_CONFIG);
    cr_assert(strstr(err.text, "partitioner.ignore.keys = true"), "%s", err.text);
    kw_config_destroy(cfg);
    field_end();
}

static int32_t pick_by_size(void *ctx, const struct kw_topic *topic, const struct kw_record *record,
                            int32_t n_partitions)
{
    uint32_t *n_calls = ctx;
    ++*n_calls;
    cr_assert_eq(topic, field.topic);
    cr_assert_eq(n_partitions, 4);
    return record->value.len == 77 ? n_partitions : (int32_t)record->value.len - 10;
}

Test(topics, an_application_may_place_records_itself)
{
    static const char *const own[] = {"linger.ms=5", NULL};
    uint32_t n_calls = 0;
    struct kw_partitioner mine = {sizeof mine, &n_calls, pick_by_size},
                          none = {sizeof none, NULL, NULL};
    field_begin(own, 1, 4);
    cr_assert_eq(kw_core_topic_set_partitioner(field.topic, &none), KW_ERR_USE);
    cr_assert_eq(kw_core_topic_set_partitioner(field.topic, &mine), 0);
    for (size_t i = 0; i < 40; i++)
        field_make(i % 2 ? "key" : NULL, 10 + i % 4);
    cr_assert_eq(n_calls, 40);
    cr_assert_eq(field_try(NULL, 77, -1), KW_ERR_USE, "there is no such partition");
    cr_assert_eq(field_try(NULL, 0, 3), 0, "it is not asked");
    field_settle();
    for (uint32_t i = 0; i < 40; i++)
        cr_assert_eq(field.partition[i], (int32_t)(i % 4));
    for (int i = 0; i < 10; i++)
        field_make(NULL, 9); /* -1: as configured, which is sticky */
    field_settle();
    for (uint32_t i = 42; i < field.n_made; i++)
        cr_assert_eq(field.partition[i], field.partition[41]);
    cr_assert_eq(kw_core_topic_set_partitioner(field.topic, NULL), 0);
    n_calls = 0;
    field_make(NULL, 10);
    cr_assert_eq(n_calls, 0);
    field_settle();
    field_end();
}

/* ---- topics that grow --------------------------------------------------------------------------- */

Test(growth, new_partitions_are_used_and_what_is_queued_stays_in_order)
{
    static const char *const own[] = {"linger.ms=50", "batch.size=1000", NULL};
    int64_t next[8] = {0};
    char key[16];
    field_begin(own, 2, 3);
    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof key, "key-%d", i % 50);
        field_make(key, 60);
    }
    cr_assert_eq(kwi_mock_add_partitions(field.pair.mock, "t", 8), 0);
    uint32_t before = field.n_made;
    field_known(8); /* by age: metadata.max.age.ms */
    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof key, "key-%d", i % 50);
        field_make(key, 60);
    }
    field_settle();
    for (uint32_t i = 0; i < field.n_made; i++) {
        cr_assert_eq(field.offset[i], next[field.partition[i]]++, "record %u", i);
        cr_assert(i >= before || field.partition[i] < 3);
    }
    for (int i = 3; i < 8; i++)
        cr_assert_gt(field.n_in[i], 0);
    field_end();
}

Test(growth, keyless_records_find_new_partitions)
{
    static const char *const own[] = {"linger.ms=0", "batch.size=1000", NULL};
    field_begin(own, 1, 1);
    cr_assert_eq(kwi_mock_add_partitions(field.pair.mock, "t", 4), 0);
    field_known(4);
    for (int i = 0; i < 1000; i++)
        field_make(NULL, 100);
    field_settle();
    for (int i = 0; i < 4; i++)
        cr_assert_gt(field.n_in[i], 0);
    field_end();
}

Test(growth, a_partition_behind_the_end_is_refused_and_looked_for)
{
    static const char *const own[] = {"linger.ms=0", NULL};
    field_begin(own, 1, 2);
    cr_assert_eq(field_try(NULL, 10, 2), KW_ERR_USE);
    field_run(50);
    cr_assert_eq(field_try(NULL, 10, 2), KW_ERR_USE);
    cr_assert_eq(kwi_mock_add_partitions(field.pair.mock, "t", 3), 0);
    cr_assert_eq(field_try(NULL, 10, 2), KW_ERR_USE);
    field_run(150); /* long before metadata.max.age.ms */
    cr_assert_eq(field_try(NULL, 10, 2), 0);
    field_settle();
    field_end();
}

Test(growth, records_wait_while_no_partition_has_a_leader)
{
    static const char *const own[] = {"linger.ms=0", NULL};
    field_begin(own, 1, 3);
    for (int32_t i = 0; i < 3; i++)
        cr_assert_eq(kwi_mock_set_leader(field.pair.mock, "t", i, -1), 0);
    field_run(3000);
    for (int i = 0; i < 300; i++)
        field_make(i % 2 ? "k" : NULL, 10);
    field_run(5000);
    cr_assert_eq(field.n_reported, 0);
    for (int32_t i = 0; i < 3; i++)
        cr_assert_eq(kwi_mock_set_leader(field.pair.mock, "t", i, 0), 0);
    field_settle();
    field_end();
}
