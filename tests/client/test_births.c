/* auto.offset.reset=latest counts from the subscription on, and by_duration from now back:
 * where partitions begin that nobody has committed.
 *
 * covers: C55 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/pair.h"

enum { PARTITIONS = 2, GROWN = 5, RECORDS = 10 };

struct desk {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    unsigned n_delivered, n_read[GROWN], n_assigned;
    int64_t first[GROWN]; /* offset read first; -1 */
};
static struct desk desk;

static void desk_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_REPORT)
        desk.n_delivered += event->report.n;
    if (event->kind == KW_EVENT_ASSIGNED)
        desk.n_assigned += (unsigned)event->n_partitions;
    if (event->kind == KW_EVENT_REVOKED)
        cr_assert_eq(kw_core_rebalance_ack(event->consumer), 0);
}

static const char *const usual[] = {"retry.backoff.ms=20",       "retry.backoff.max.ms=100",
                                    "reconnect.backoff.ms=10",   "reconnect.backoff.max.ms=100",
                                    "metadata.max.age.ms=60000", NULL};

static void desk_run(uint64_t ms)
{
    struct kw_records *records;
    for (uint64_t at = 0; at < ms; at += 5) {
        sim_pair_step(&desk.pair, 5000);
        while (desk.consumer && kw_core_consumer_poll(desk.consumer, &records, 100) == 1) {
            const struct kw_consumed *consumed;
            int32_t p = kw_records_partition(records);
            while ((consumed = kw_records_next(records))) {
                if (desk.n_read[p]++ == 0)
                    desk.first[p] = consumed->offset;
            }
            kw_core_records_release(records, KW_DONE);
        }
    }
}

static void desk_begin(void)
{
    memset(&desk, 0, sizeof desk);
    memset(desk.first, 0xff, sizeof desk.first);
    cr_assert_eq(sim_pair_init(&desk.pair, SIM_MEMORY_PLAIN, 2, PARTITIONS), 0);
    kwi_mock_set_coordinator(desk.pair.mock, 0);
    desk.pair.on_event = desk_event;
    cr_assert_eq(sim_pair_core(&desk.pair, usual, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&desk.producer, desk.pair.core, NULL, NULL), 0);
}

static void desk_end(void)
{
    cr_assert(!desk.pair.broken, "%s", desk.pair.why);
    kw_core_destroy(desk.pair.core);
    desk.pair.core = NULL;
    cr_assert_eq(desk.pair.memory.n_live, 0);
    sim_pair_deinit(&desk.pair);
}

/* By requests of a producer in the same client: what it learns of a topic the consumer
 * would know too. So it is done before the consumer is there, or makes the topic known. */
static void write_records(const char *name, int32_t first, int32_t n, int64_t timestamp_ms)
{
    struct kw_topic *topic;
    unsigned before = desk.n_delivered;
    cr_assert_eq(kw_core_topic_open(&topic, desk.producer, name, NULL), 0);
    for (int i = 0; i < 400 && kw_topic_partitions(topic) < first + n; i++) {
        struct kw_topic *other; /* a new interest has metadata asked for */
        char text[24];
        snprintf(text, sizeof text, "other-%d", i);
        if (i % 40 == 10)
            cr_assert_eq(kw_core_topic_open(&other, desk.producer, text, NULL), 0);
        desk_run(5);
    }
    for (int32_t p = first; p < first + n; p++) {
        for (int i = 0; i < RECORDS; i++) {
            struct kw_record record = {.value = {"v", 1},
                                       .flags = KW_REC_PARTITION | KW_REC_TIMESTAMP,
                                       .partition = p,
                                       .timestamp_ms = timestamp_ms + i * 1000};
            cr_assert_geq(kw_core_produce(topic, &record), 0);
        }
    }
    for (int i = 0; i < 100 && desk.n_delivered < before + RECORDS * (unsigned)n; i++)
        sim_pair_step(&desk.pair, 5000);
    cr_assert_eq(desk.n_delivered, before + RECORDS * (unsigned)n);
}

static void desk_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(desk.pair.mock, &fault, NULL), 0);
}

static void subscribe(const char *topic, const char *protocol, const char *reset)
{
    char kind[64], policy[96];
    struct kw_config *own = NULL;
    struct kw_error err;
    snprintf(kind, sizeof kind, "group.protocol=%s", protocol);
    snprintf(policy, sizeof policy, "auto.offset.reset=%s", reset);
    const char *settings[] = {"group.id=g", kind, policy, "fetch.max.wait.ms=50", NULL};
    cr_assert_eq(sim_pair_config(&desk.pair, &own, settings), 0, "%s", reset);
    cr_assert_eq(kw_core_consumer_create(&desk.consumer, desk.pair.core, own, &err), 0, "%s",
                 err.text);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_subscribe(desk.consumer, &topic, 1, &err), 0, "%s", err.text);
}

static const char *const protocols[] = {"classic", "consumer"};

Test(births, a_partition_that_is_made_after_the_subscription_begins_at_its_begin)
{
    for (int i = 0; i < 2; i++) {
        desk_begin();
        write_records("t", 0, PARTITIONS, 1600000000000);
        subscribe("t", protocols[i], "latest");
        desk_run(1500);
        cr_assert_eq(desk.n_assigned, PARTITIONS);
        cr_assert_eq(desk.n_read[0] + desk.n_read[1], 0, "what was there before is not read");
        desk_fault("joingroup:*:delay=800"); /* what is new is shared out later */
        desk_fault("consumergroupheartbeat:*:delay=800");
        cr_assert_eq(kwi_mock_add_partitions(desk.pair.mock, "t", GROWN), 0);
        write_records("t", 2, GROWN - 2, 1600000000000);
        cr_assert_eq(desk.n_assigned, PARTITIONS, "they were written before they were ours");
        desk_run(70000);
        cr_assert_eq(desk.n_assigned >= GROWN, true, "%s: %u", protocols[i], desk.n_assigned);
        for (int p = 2; p < GROWN; p++) {
            cr_assert_eq(desk.n_read[p], RECORDS, "%s: %u of partition %d", protocols[i],
                         desk.n_read[p], p);
            cr_assert_eq(desk.first[p], 0);
        }
        cr_assert_eq(desk.n_read[0] + desk.n_read[1], 0);
        desk_end();
    }
}

Test(births, a_topic_that_is_made_after_the_subscription_is_read_from_its_begin)
{
    for (int i = 0; i < 2; i++) {
        desk_begin();
        subscribe("later", protocols[i], "latest");
        desk_run(1500);
        cr_assert_eq(desk.n_assigned, 0);
        cr_assert_eq(kwi_mock_create_topic(desk.pair.mock, "later", 1), 0);
        write_records("later", 0, 1, 1600000000000);
        desk_run(70000);
        cr_assert_eq(desk.n_read[0], RECORDS, "%s: %u", protocols[i], desk.n_read[0]);
        desk_end();
    }
}

Test(births, what_subscribing_again_adds_is_old_and_what_it_keeps_is_known_still)
{
    static const char *const both[] = {"t", "u"};
    struct kw_error err;
    desk_begin();
    cr_assert_eq(kwi_mock_create_topic(desk.pair.mock, "u", 1), 0);
    write_records("u", 0, 1, 1600000000000);
    subscribe("t", "classic", "latest");
    desk_run(1500);
    desk_fault("joingroup:*:delay=800");
    cr_assert_eq(kwi_mock_add_partitions(desk.pair.mock, "t", GROWN), 0);
    write_records("t", 2, GROWN - 2, 1600000000000);
    cr_assert_eq(kw_core_subscribe(desk.consumer, both, 2, &err), 0);
    desk_run(5000);
    cr_assert_eq(desk.n_read[0], 0, "u was there before its subscription");
    for (int p = 2; p < GROWN; p++)
        cr_assert_eq(desk.n_read[p], RECORDS, "%u of %d", desk.n_read[p], p);
    desk_end();
}

Test(births, a_new_partition_whose_offset_is_committed_begins_there)
{
    struct kw_admin_request request = {.size = sizeof request, .kind = KW_ADMIN_SET_OFFSETS};
    static const char *const groups[] = {"g"};
    static const struct kw_offset at[] = {{.topic = "t", .partition = 2, .offset = 7}};
    struct kw_admin_result *result = NULL;
    request.groups = groups;
    request.n_groups = 1;
    request.offsets = at;
    request.n_offsets = 1;
    desk_begin();
    cr_assert_eq(kwi_mock_add_partitions(desk.pair.mock, "t", 3), 0);
    cr_assert_not_null(kw_core_admin(desk.pair.core, &request, &result, 5000, NULL));
    desk_run(500);
    kw_admin_result_destroy(result);
    write_records("t", 2, 1, 1600000000000);
    subscribe("t", "classic", "latest");
    desk_run(1500);
    cr_assert_eq(desk.first[2], 7);
    desk_end();
}

/* ---- by_duration (KIP-1106) ------------------------------------------------------------ */

/* Times are those of the test's clock: records lie `age` seconds and less behind it. */
static int64_t seconds_ago(int64_t age)
{
    return desk.pair.now.wall_ms - age * 1000;
}

Test(births, by_duration_begins_at_the_first_record_that_is_young_enough)
{
    desk_begin();
    desk_run(100);
    write_records("t", 0, 1, seconds_ago(100)); /* 100, 99, ... 91 s old */
    subscribe("t", "classic", "by_duration:PT1M36.5S");
    desk_run(1500);
    cr_assert(desk.first[0] >= 4 && desk.first[0] <= 6, "%lld", (long long)desk.first[0]);
    cr_assert_eq(desk.n_read[0], RECORDS - (unsigned)desk.first[0]);
    desk_end();
}

Test(births, by_duration_is_the_end_when_all_is_older_and_the_begin_when_it_reaches_that_far)
{
    desk_begin();
    desk_run(100);
    write_records("t", 0, 1, seconds_ago(100));
    subscribe("t", "consumer", "by_duration:PT10S");
    desk_run(1500);
    cr_assert_eq(desk.n_read[0], 0);
    desk_end();

    desk_begin();
    desk_run(100);
    write_records("t", 0, 1, seconds_ago(100));
    subscribe("t", "classic", "by_duration:P100000D");
    desk_run(1500);
    cr_assert_eq(desk.first[0], 0);
    cr_assert_eq(desk.n_read[0], RECORDS);
    desk_end();
}

Test(births, by_duration_counts_when_a_position_is_not_in_the_log)
{
    struct kw_start start = {"t", 0, KW_START_OFFSET, 1000};
    struct kw_config *own = NULL;
    struct kw_error err;
    static const char *const settings[] = {"auto.offset.reset=by_duration:PT1H", NULL};
    desk_begin();
    desk_run(100);
    write_records("t", 0, 1, seconds_ago(100));
    cr_assert_eq(sim_pair_config(&desk.pair, &own, settings), 0);
    cr_assert_eq(kw_core_consumer_create(&desk.consumer, desk.pair.core, own, &err), 0);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_assign(desk.consumer, &start, 1, &err), 0);
    desk_run(1500);
    cr_assert_eq(desk.first[0], 0);
    cr_assert_eq(desk.n_read[0], RECORDS);
    desk_end();
}
