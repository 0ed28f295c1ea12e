/* consumer.memory: one consumer's share of the fetch reserve. One that is slow keeps to it,
 * is told when only its own handles are in the way, and leaves the rest to the others.
 *
 * covers: C09 M01 */
#include "client/core.h"
#include "tests/client/fetch_bed.h"
#include <kwire/codec.h>

enum { PARTS = 8, RECORDS = 300, RECORD = 2000, SHARE = 300000, MIB = 1024 * 1024 };

static const char *const limited[] = {"fetch.max.wait.ms=100", "auto.offset.reset=earliest",
                                      "max.partition.fetch.bytes=65536", "consumer.memory=300000",
                                      NULL};
static const char *const unlimited[] = {"fetch.max.wait.ms=100", "auto.offset.reset=earliest",
                                        "max.partition.fetch.bytes=65536", NULL};

static size_t fetch_used(void)
{
    struct kw_stats stats;
    kw_core_stats(fetch_bed.pair.core, &stats);
    return stats.fetch_used;
}

/* Some 600 KB in each partition. */
static void begin(const char *const *own)
{
    fetch_bed_begin(NULL, PARTS, NULL);
    for (int32_t p = 0; p < PARTS; p++)
        fetch_bed_make(p, RECORDS, RECORD);
    fetch_bed_open(own);
}

static size_t most_used(uint64_t ms)
{
    size_t most = 0;
    for (uint64_t at = 0; at < ms; at += 5) {
        fetch_bed_run(5);
        most = fetch_used() > most ? fetch_used() : most;
    }
    return most;
}

Test(consumer_memory, who_takes_nothing_buffers_his_share)
{
    begin(limited);
    fetch_bed.lazy = true;
    fetch_bed_assign(0, PARTS, KW_START_EARLIEST, 0);
    size_t most = most_used(1000);
    cr_assert_gt(most, SHARE / 3, "%zu", most);
    cr_assert_leq(most, SHARE, "%zu", most);
    fetch_bed.lazy = false;
    cr_assert_leq(most_used(3000), SHARE);
    fetch_bed_expect(0, PARTS);
    fetch_bed_end();
}

Test(consumer_memory, without_one_the_reserve_is_the_limit)
{
    begin(unlimited);
    fetch_bed.lazy = true;
    fetch_bed_assign(0, PARTS, KW_START_EARLIEST, 0);
    cr_assert_gt(most_used(1000), SHARE + 100000);
    fetch_bed_end();
}

/* ---- handles --------------------------------------------------------------------------- */

static void (*bed_event)(void *ctx, const struct kw_event *event);
static unsigned n_starved;

static void count_starved(void *ctx, const struct kw_event *event)
{
    if (event->kind == KW_EVENT_FETCH_STARVED) {
        cr_assert_eq(event->consumer, fetch_bed.consumer);
        n_starved++;
    }
    bed_event(ctx, event);
}

/* A second consumer of the client, for partitions from `first` on. */
static struct kw_consumer *another(int32_t first)
{
    struct kw_config *cfg = NULL;
    struct kw_consumer *other;
    struct kw_start start[PARTS];
    struct kw_error err;
    cr_assert_eq(sim_pair_config(&fetch_bed.pair, &cfg, unlimited), 0);
    cr_assert_eq(kw_core_consumer_create(&other, fetch_bed.pair.core, cfg, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
    for (int32_t p = first; p < PARTS; p++)
        start[p - first] = (struct kw_start){"t", p, KW_START_EARLIEST, 0};
    cr_assert_eq(kw_core_assign(other, start, (size_t)(PARTS - first), &err), 0);
    return other;
}

static unsigned take(struct kw_consumer *other, int64_t next[PARTS])
{
    struct kw_records *records;
    const struct kw_consumed *record;
    unsigned n = 0;
    while (kw_core_consumer_poll(other, &records, 0) == 1) {
        for (; (record = kw_records_next(records)); n++)
            cr_assert_eq(record->offset, next[kw_records_partition(records)]++);
        kw_core_records_release(records, KW_DONE);
    }
    return n;
}

/* It reads all there is, in order. */
static void reads_all(struct kw_consumer *other, int32_t first)
{
    int64_t next[PARTS] = {0};
    unsigned n = 0, wanted = RECORDS * (unsigned)(PARTS - first);
    for (int i = 0; i < 2000 && n < wanted; i++) {
        sim_pair_step(&fetch_bed.pair, 1000);
        n += take(other, next);
    }
    cr_assert_eq(n, wanted, "it was kept from %u of %u", wanted - n, wanted);
}

Test(consumer_memory, who_holds_all_he_may_is_told_and_the_others_go_on)
{
    struct kw_records *held[1000];
    unsigned n = 0;
    begin(limited);
    bed_event = fetch_bed.pair.on_event;
    fetch_bed.pair.on_event = count_starved;
    fetch_bed.lazy = true;
    fetch_bed_assign(0, PARTS / 2, KW_START_EARLIEST, 0);
    for (int i = 0; i < 300; i++) {
        sim_pair_step(&fetch_bed.pair, 1000);
        while (n < 1000 && kw_core_consumer_poll(fetch_bed.consumer, &held[n], 1) == 1)
            n++;
        cr_assert_leq(fetch_used(), SHARE);
    }
    cr_assert_gt(n, SHARE / RECORD / 3);
    cr_assert_lt(n, SHARE / RECORD);
    cr_assert_eq(n_starved, 1, "%u", n_starved);
    reads_all(another(PARTS / 2), PARTS / 2);
    cr_assert_eq(n_starved, 1);
    for (unsigned i = 0; i < n; i++) {
        const struct kw_consumed *record = kw_records_next(held[i]);
        fetch_bed.seen[kw_records_partition(held[i])].next = record->offset + 1;
        fetch_bed.n_delivered++;
        kw_core_records_release(held[i], KW_DONE);
    }
    fetch_bed.lazy = false;
    fetch_bed_run(3000);
    for (int32_t p = 0; p < PARTS / 2; p++)
        cr_assert_eq(fetch_bed.seen[p].next, RECORDS, "partition %d", p);
    fetch_bed_end();
}

/* ---- what does not fit ------------------------------------------------------------------- */

Test(consumer_memory, a_batch_above_the_share_comes_all_the_same)
{
    static const char *const small[] = {"fetch.max.wait.ms=100", "auto.offset.reset=earliest",
                                        "max.partition.fetch.bytes=20000", "consumer.memory=70000",
                                        NULL};
    fetch_bed_begin(NULL, PARTS, NULL);
    for (int32_t p = 0; p < PARTS; p++) {
        fetch_bed_make(p, 10, 1000);
        fetch_bed_make(p, 2, 400000);
        fetch_bed_make(p, 10, 1000);
    }
    fetch_bed_open(small);
    fetch_bed_assign(0, PARTS, KW_START_EARLIEST, 0);
    fetch_bed_run(5000);
    fetch_bed_expect(0, PARTS);
    fetch_bed_end();
}

/* Not even the smallest answers of all brokers fit together: they take turns. */
Test(consumer_memory, brokers_take_turns_when_the_share_is_small)
{
    static const char *const least[] = {"fetch.max.wait.ms=100", "auto.offset.reset=earliest",
                                        "max.partition.fetch.bytes=100000", "consumer.memory=65536",
                                        NULL};
    const struct kw_mock_config three = {.n_brokers = 3};
    fetch_bed_begin(&three, PARTS, NULL);
    for (int32_t p = 0; p < PARTS; p++)
        fetch_bed_make(p, RECORDS, RECORD);
    fetch_bed_open(least);
    fetch_bed_assign(0, PARTS, KW_START_EARLIEST, 0);
    fetch_bed_run(10000);
    fetch_bed_expect(0, PARTS);
    fetch_bed_end();
}

Test(consumer_memory, paused_partitions_give_theirs_back)
{
    begin(limited);
    fetch_bed.lazy = true;
    fetch_bed_assign(0, PARTS, KW_START_EARLIEST, 0);
    fetch_bed_run(500);
    for (int32_t p = 0; p < PARTS - 1; p++)
        fetch_bed_pause(p, true);
    fetch_bed.lazy = false;
    fetch_bed_run(3000);
    fetch_bed_expect(PARTS - 1, 1);
    for (int32_t p = 0; p < PARTS - 1; p++)
        fetch_bed_pause(p, false);
    fetch_bed_run(3000);
    fetch_bed_expect(0, PARTS);
    fetch_bed_end();
}

/* ---- the reserve, without shares ----------------------------------------------------------- */

/* One consumer has all of the reserve, and takes nothing; what it had comes free by no
 * release. */
static void give_up(bool paused)
{
    static const char *const poor[] = {"memory.limit=9000000", "control.memory=4000000",
                                       "buffer.memory=4000000", NULL};
    static const char *const greedy[] = {"fetch.max.wait.ms=100", "auto.offset.reset=earliest",
                                         "max.partition.fetch.bytes=262144", NULL};
    struct kw_error err;
    fetch_bed_begin(NULL, PARTS, poor);
    for (int32_t p = 0; p < PARTS; p++)
        fetch_bed_make(p, RECORDS, RECORD);
    fetch_bed_open(greedy);
    fetch_bed.lazy = true;
    fetch_bed_assign(0, PARTS / 2, KW_START_EARLIEST, 0);
    fetch_bed_run(500);
    cr_assert_gt(fetch_used(), 900000, "%zu", fetch_used());
    struct kw_consumer *other = another(PARTS / 2);
    fetch_bed_run(500);
    for (int32_t p = 0; paused && p < PARTS / 2; p++)
        fetch_bed_pause(p, true);
    if (!paused)
        cr_assert_eq(kw_core_assign(fetch_bed.consumer, NULL, 0, &err), 0);
    reads_all(other, PARTS / 2);
    fetch_bed_end();
}

Test(consumer_memory, paused_partitions_make_room_for_other_consumers)
{
    give_up(true);
}

Test(consumer_memory, partitions_that_are_not_assigned_any_more_do)
{
    give_up(false);
}

/* What is being unpacked keeps its memory after a seek, until the work is over. */
Test(consumer_memory, work_that_is_not_wanted_any_more_makes_room_when_it_ends)
{
    static const char *const poor[] = {"memory.limit=8190000",
                                       "control.memory=4000000",
                                       "buffer.memory=4000000",
                                       "compression.type=lz4",
                                       "batch.size=200000",
                                       "linger.ms=20",
                                       NULL};
    if (!kw_codec_by_id(KW_CODEC_LZ4))
        return;
    fetch_bed_begin(NULL, 1, poor);
    fetch_bed_make(0, 60, RECORD);
    fetch_bed_open(unlimited);
    fetch_bed.pair.hold_work = true;
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    for (int i = 0; i < 200 && !fetch_bed.pair.held_work; i++)
        fetch_bed_run(5);
    cr_assert_not_null(fetch_bed.pair.held_work);
    size_t before = fetch_used();
    fetch_bed_seek(0, KW_START_OFFSET, 0);
    fetch_bed_run(500);
    cr_assert_geq(fetch_used(), before, "frame and image are in use: %zu", fetch_used());
    cr_assert(fetch_bed.pair.core->fetchers_starve, "there is room for an answer beside %zu",
              fetch_used());
    fetch_bed.pair.hold_work = false;
    fetch_bed.seen[0].next = 0;
    fetch_bed_run(1000);
    fetch_bed_expect(0, 1);
    fetch_bed_end();
}
