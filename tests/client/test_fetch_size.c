/* How much a Fetch asks for: as much as comes in a round trip, so that what was read is
 * in the processor's cache when it is handed out; and that the next one is under way then. */
#include "tests/client/fetch_bed.h"

enum { PARTS = 8, RECORDS = 300, RECORD = 2000, MIB = 1024 * 1024 };

static const char *const settings[] = {"fetch.max.wait.ms=500", "auto.offset.reset=earliest", NULL};

/* Some 600 KB in each partition, and a consumer that waits `round_ms` for each connection
 * and for its first answer. */
static void begin(const char *const *own, uint64_t round_ms)
{
    fetch_bed_begin(NULL, PARTS, NULL);
    for (int32_t p = 0; p < PARTS; p++)
        fetch_bed_make(p, RECORDS, RECORD);
    fetch_bed_open(own);
    fetch_bed_assign(0, PARTS, KW_START_EARLIEST, 0);
    for (int i = 0; i < 6 && round_ms > 0; i++) { /* one connection leads to the next */
        fetch_bed.pair.hold_opens = i % 2 == 0;
        fetch_bed.pair.hold_answers = i % 2 == 1;
        fetch_bed_run(round_ms);
    }
    fetch_bed.pair.hold_answers = false;
}

/* The most that any request asked for. */
static int32_t asked_max(void)
{
    int32_t max = 0;
    for (unsigned i = 0; i < fetch_bed.n_said; i++)
        max = fetch_bed_said(i)->max_bytes > max ? fetch_bed_said(i)->max_bytes : max;
    return max;
}

Test(fetch_size, a_near_broker_is_asked_for_what_fits_a_cache)
{
    begin(settings, 0);
    fetch_bed_run(200);
    fetch_bed_expect(0, PARTS);
    cr_assert_eq(asked_max(), MIB);
    fetch_bed_end();
}

Test(fetch_size, a_far_broker_is_asked_for_what_a_round_trip_brings)
{
    begin(settings, 5);
    fetch_bed_run(200);
    fetch_bed_expect(0, PARTS);
    cr_assert_eq(asked_max(), 5000 * 1000);
    fetch_bed_end();
}

Test(fetch_size, a_broker_on_the_other_side_of_the_world_is_asked_for_all_partitions)
{
    begin(settings, 100);
    fetch_bed_run(200);
    fetch_bed_expect(0, PARTS);
    cr_assert_eq(asked_max(), PARTS * MIB);
    fetch_bed_end();
}

Test(fetch_size, what_one_partition_may_bring_is_never_cut)
{
    static const char *const large[] = {"fetch.max.wait.ms=500", "auto.offset.reset=earliest",
                                        "max.partition.fetch.bytes=3000000", NULL};
    begin(large, 0);
    fetch_bed_run(200);
    fetch_bed_expect(0, PARTS);
    cr_assert_eq(asked_max(), 3000000);
    fetch_bed_end();
}

/* An answer that is full says nothing of the partitions that it left out: they are asked
 * for while the application has it, and none of them waits for records. */
Test(fetch_size, behind_a_full_answer_the_rest_is_asked_for_at_once)
{
    fetch_bed_begin(NULL, PARTS, NULL);
    for (int32_t p = 0; p < PARTS; p++)
        fetch_bed_make(p, RECORDS, RECORD);
    fetch_bed_open(settings);
    fetch_bed.lazy = true;
    fetch_bed_assign(0, PARTS, KW_START_EARLIEST, 0);
    fetch_bed_run(20);
    /* Each answer of 1 MiB brings one partition, and the beginning of another. */
    cr_assert_eq(fetch_bed.n_said, PARTS / 2);
    for (unsigned i = 0; i + 1 < PARTS / 2; i++)
        cr_assert_eq(fetch_bed_said(i)->max_wait_ms, 0);
    /* There is something of each: nothing is asked for any more before some of it is taken. */
    unsigned before = fetch_bed.n_said;
    fetch_bed_run(100);
    cr_assert_eq(fetch_bed.n_said, before);
    fetch_bed.lazy = false;
    fetch_bed_run(100);
    fetch_bed_expect(0, PARTS);
    fetch_bed_end();
}
