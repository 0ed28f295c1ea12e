/* Fetch sessions (KIP-227): what is named, what is forgotten, what each kind of loss
 * leads to; and that the cost follows the partitions that have something.
 *
 * covers: C25 C27 C28 C29 C30 C60 */
#include <stdio.h>

#include "proto/api.h"
#include "tests/client/fetch_bed.h"

static const char *const quick[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest", NULL};

static struct kw_stats stats(void)
{
    struct kw_stats now;
    kw_core_stats(fetch_bed.pair.core, &now);
    return now;
}

/* A consumer of n partitions of one broker, with the session up and nothing to read. */
static void begin_quiet(int32_t n)
{
    fetch_bed_begin(NULL, n, NULL);
    for (int32_t p = 0; p < n; p++)
        fetch_bed_make(p, 3, 30);
    fetch_bed_open(quick);
    fetch_bed_assign(0, n, KW_START_EARLIEST, 0);
    fetch_bed_run(300);
    fetch_bed_expect(0, n);
}

Test(fetch_session, after_the_first_fetch_only_what_changed_is_named)
{
    begin_quiet(5);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    cr_assert_eq(stats().fetch_sessions, 1);
    const struct fetch_said *last = fetch_bed_said(0);
    cr_assert_neq(last->session_id, 0);
    cr_assert_gt(last->session_epoch, 1);
    cr_assert_eq(last->n_named, 0);
    cr_assert_eq(last->n_forgotten, 0);
    cr_assert_eq(last->max_wait_ms, 50);
    /* One of them gets a record: it alone is named, behind it. */
    unsigned before = fetch_bed.n_said;
    fetch_bed_make(2, 1, 30);
    fetch_bed_run(200);
    fetch_bed_expect(0, 5);
    unsigned named = 0, forgotten = 0;
    for (unsigned i = 0; i < fetch_bed.n_said - before; i++) {
        named += fetch_bed_said(i)->n_named;
        forgotten += fetch_bed_said(i)->n_forgotten;
    }
    cr_assert_eq(named, 1);
    cr_assert_eq(forgotten, 0);
    for (int p = 0; p < 5; p++)
        cr_assert_eq(fetch_bed.seen[p].n_eof, p == 2 ? 2 : 1, "the end of %d was told %u times", p,
                     fetch_bed.seen[p].n_eof);
    fetch_bed_end();
}

Test(fetch_session, what_the_application_has_not_taken_is_forgotten_and_named_again)
{
    begin_quiet(3);
    unsigned before = fetch_bed.n_said, forgotten = 0;
    fetch_bed.lazy = true;
    fetch_bed_make(1, 1, 30);
    fetch_bed_run(500);
    for (unsigned i = 0; i < fetch_bed.n_said - before; i++)
        forgotten += fetch_bed_said(i)->n_forgotten;
    cr_assert_eq(forgotten, 1, "told once");
    fetch_bed_make(1, 2, 30);
    fetch_bed_make(2, 2, 30);
    fetch_bed.lazy = false;
    fetch_bed_run(300);
    fetch_bed_expect(0, 3);
    cr_assert_eq(stats().fetch_sessions, 1, "the session lived on");
    fetch_bed_end();
}

/* While the application takes nothing, the others are asked at the pace of
 * fetch.max.wait.ms, and without waiting at the broker. */
Test(fetch_session, a_late_application_is_not_asked_for_in_a_loop)
{
    begin_quiet(3);
    fetch_bed.lazy = true;
    fetch_bed_make(1, 1, 30);
    fetch_bed_run(200);
    unsigned before = fetch_bed.n_said;
    fetch_bed_run(1000);
    cr_assert_leq(fetch_bed.n_said - before, 21);
    cr_assert_geq(fetch_bed.n_said - before, 10);
    cr_assert_eq(fetch_bed_said(0)->max_wait_ms, 0);
    fetch_bed.lazy = false;
    fetch_bed_run(200);
    cr_assert_eq(fetch_bed_said(0)->max_wait_ms, 50);
    fetch_bed_expect(0, 3);
    fetch_bed_end();
}

Test(fetch_session, a_paused_partition_is_forgotten_and_comes_back)
{
    begin_quiet(3);
    fetch_bed_pause(1, true);
    fetch_bed_run(200);
    unsigned forgotten = 0;
    for (unsigned i = 0; i < 5; i++)
        forgotten += fetch_bed_said(i)->n_forgotten;
    cr_assert_eq(forgotten, 1);
    fetch_bed_make(1, 5, 30);
    fetch_bed_run(200);
    cr_assert_eq(fetch_bed.seen[1].n, 3);
    fetch_bed_pause(1, false);
    fetch_bed_run(200);
    fetch_bed_expect(0, 3);
    /* And in quick succession, with a fetch under way all the time. */
    for (int i = 0; i < 40; i++) {
        fetch_bed_pause(i % 3, i % 2 == 0);
        fetch_bed_make((i + 1) % 3, 1, 30);
        sim_pair_step(&fetch_bed.pair, 1 + (uint64_t)i * 977 % 9000);
    }
    for (int32_t p = 0; p < 3; p++)
        fetch_bed_pause(p, false);
    fetch_bed_run(300);
    fetch_bed_expect(0, 3);
    cr_assert_eq(stats().fetch_sessions, 1);
    fetch_bed_end();
}

/* The high watermark did not change, so a broker does not mention the partition. */
Test(fetch_session, the_end_is_told_again_after_a_seek_to_it)
{
    begin_quiet(3);
    fetch_bed_seek(1, KW_START_OFFSET, 3);
    fetch_bed_run(200);
    cr_assert_eq(fetch_bed.seen[1].n_eof, 2);
    fetch_bed_seek(1, KW_START_OFFSET, 1);
    fetch_bed_run(200);
    cr_assert_eq(fetch_bed.seen[1].n_eof, 3);
    fetch_bed_expect(0, 3);
    cr_assert_eq(stats().fetch_sessions, 1);
    fetch_bed_end();
}

Test(fetch_session, another_assignment_forgets_what_is_not_in_it_any_more)
{
    begin_quiet(6);
    fetch_bed_assign(3, 3, KW_START_OFFSET, 3); /* 0 to 2 are not ours any more */
    fetch_bed_run(200);
    for (int32_t p = 0; p < 6; p++)
        fetch_bed_make(p, 1, 30);
    fetch_bed_run(300);
    fetch_bed_expect(3, 3);
    for (int p = 0; p < 3; p++)
        cr_assert_eq(fetch_bed.seen[p].n, 3);
    /* One of each request's partitions is the same partition as before, another one. */
    for (int round = 0; round < 10; round++) {
        fetch_bed_assign(0, 2 + round % 4, KW_START_LATEST, 0);
        for (int32_t p = 0; p < 6; p++)
            fetch_bed.seen[p].next = -1;
        fetch_bed_run(1 + (uint64_t)round * 17 % 60);
    }
    fetch_bed_assign(0, 6, KW_START_OFFSET, 2);
    for (int32_t p = 0; p < 6; p++)
        fetch_bed.seen[p].next = 2;
    fetch_bed_run(300);
    fetch_bed_expect(0, 6);
    fetch_bed_end();
}

/* ---- sessions that end --------------------------------------------------------------- */

/* With this fault in place all is read, each record once, and not in a loop. */
static void survive(const char *spec, unsigned fetches_max)
{
    begin_quiet(4);
    fetch_bed_fault(spec);
    unsigned before = fetch_bed.n_said;
    for (int i = 0; i < 20; i++) {
        fetch_bed_make(i % 4, 2, 30);
        fetch_bed_run(50);
    }
    fetch_bed_run(1500);
    fetch_bed_expect(0, 4);
    cr_assert_leq(fetch_bed.n_said - before, fetches_max, "%s: %u fetches", spec,
                  fetch_bed.n_said - before);
    fetch_bed_end();
}

Test(fetch_session, every_error_of_a_session_begins_it_anew)
{
    survive("fetch:/3:error=FETCH_SESSION_ID_NOT_FOUND", 200);
    survive("fetch:/3:error=INVALID_FETCH_SESSION_EPOCH", 200);
    survive("fetch:/3:error=FETCH_SESSION_TOPIC_ID_ERROR", 200);
    survive("fetch:/3:evict", 200);
    survive("fetch:/2:evict", 250);
    survive("fetch:/3:error=INCONSISTENT_TOPIC_ID", 200);
    survive("fetch:/3:error=UNKNOWN_TOPIC_ID:partition=1", 200);
    survive("fetch:1-9:error=FETCH_SESSION_ID_NOT_FOUND", 200);
}

Test(fetch_session, a_lost_answer_leaves_no_doubt_about_the_epoch)
{
    survive("fetch:/3:close-after", 200);
    survive("fetch:/3:close-before", 200);
    survive("fetch:/4:cut=20", 200);
    survive("fetch:/7:corrupt=30", 200);
    survive("fetch:/5:omit", 200);
    survive("fetch:*:twice", 200);
    survive("fetch:*:unasked", 200);
}

/* An error of the session costs no backoff, but one after the other does. */
Test(fetch_session, a_broker_that_never_knows_its_session_is_not_asked_in_a_loop)
{
    begin_quiet(2);
    fetch_bed_fault("fetch:*:error=FETCH_SESSION_ID_NOT_FOUND");
    unsigned before = fetch_bed.n_said;
    fetch_bed_run(2000);
    cr_assert_leq(fetch_bed.n_said - before, 110);
    cr_assert_geq(fetch_bed.n_said - before, 20);
    fetch_bed_end();
}

Test(fetch_session, an_evicted_session_costs_one_more_fetch)
{
    begin_quiet(4);
    unsigned before = fetch_bed.n_said;
    fetch_bed_run(500);
    unsigned usual = fetch_bed.n_said - before;
    before = fetch_bed.n_said;
    kwi_mock_drop_fetch_sessions(fetch_bed.pair.mock, 0);
    fetch_bed_run(500);
    cr_assert_leq(fetch_bed.n_said - before, usual + 2);
    cr_assert_eq(stats().fetch_sessions, 2);
    cr_assert_eq(stats().fetch_session_errors, 1);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    fetch_bed_end();
}

Test(fetch_session, a_broken_connection_closes_the_session_that_may_be_left)
{
    begin_quiet(4);
    for (int i = 0; i < 5; i++) {
        for (uint32_t c = 0; c < fetch_bed.pair.n_conns; c++)
            if (!fetch_bed.pair.conns[c]->closed)
                sim_pair_break(&fetch_bed.pair, fetch_bed.pair.conns[c]);
        fetch_bed_run(300);
        fetch_bed_make(i % 4, 1, 30);
        fetch_bed_run(300);
    }
    fetch_bed_expect(0, 4);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1, "none is left behind");
    fetch_bed_end();
}

Test(fetch_session, a_moved_leader_takes_its_partition_out_of_one_session_into_another)
{
    const struct kw_mock_config two = {.n_brokers = 2};
    fetch_bed_begin(&two, 4, NULL);
    for (int32_t p = 0; p < 4; p++)
        fetch_bed_make(p, 3, 30);
    fetch_bed_open(quick);
    fetch_bed_assign(0, 4, KW_START_EARLIEST, 0);
    fetch_bed_run(300);
    for (int round = 0; round < 8; round++) {
        cr_assert_eq(kwi_mock_set_leader(fetch_bed.pair.mock, "t", round % 4, round % 2), 0);
        for (int32_t p = 0; p < 4; p++)
            fetch_bed_make(p, 1, 30);
        fetch_bed_run(300);
    }
    fetch_bed_expect(0, 4);
    cr_assert_leq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    cr_assert_leq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 1), 1);
    fetch_bed_end();
}

Test(fetch_session, a_broker_without_sessions_is_told_of_all_each_time)
{
    const struct kw_mock_config none = {.n_brokers = 1, .fetch_sessions = -1};
    fetch_bed_begin(&none, 4, NULL);
    for (int32_t p = 0; p < 4; p++)
        fetch_bed_make(p, 3, 30);
    fetch_bed_open(quick);
    fetch_bed_assign(0, 4, KW_START_EARLIEST, 0);
    fetch_bed_run(500);
    fetch_bed_expect(0, 4);
    cr_assert_eq(fetch_bed_said(0)->session_id, 0);
    cr_assert_eq(fetch_bed_said(0)->session_epoch, 0, "it asks for one each time");
    cr_assert_eq(fetch_bed_said(0)->n_named, 4);
    cr_assert_eq(fetch_bed_said(0)->max_wait_ms, 50);
    cr_assert_leq(fetch_bed.n_said, 40);
    fetch_bed_end();
}

Test(fetch_session, a_broker_from_before_sessions_is_asked_without)
{
    static const struct kw_mock_versions old[] = {{KW_API_FETCH, 4, 6}};
    const struct kw_mock_config config = {.n_brokers = 1, .versions = old, .n_versions = 1};
    fetch_bed_begin(&config, 4, NULL);
    for (int32_t p = 0; p < 4; p++)
        fetch_bed_make(p, 3, 30);
    fetch_bed_open(quick);
    fetch_bed_assign(0, 4, KW_START_EARLIEST, 0);
    fetch_bed_run(300);
    fetch_bed_expect(0, 4);
    cr_assert_eq(fetch_bed_said(0)->version, 6);
    cr_assert_eq(fetch_bed_said(0)->n_named, 4);
    fetch_bed_end();
}

/* ---- batches that do not fit ------------------------------------------------------------- */

/* A limit falls anywhere, also within the first bytes of a batch. */
Test(fetch_session, a_batch_that_the_limit_cut_is_asked_for_alone)
{
    for (int limit = 1024; limit < 1400; limit += 7) {
        char setting[40];
        snprintf(setting, sizeof setting, "fetch.max.bytes=%d", limit);
        fetch_bed_begin(NULL, 3, NULL);
        for (int i = 0; i < 6; i++) {
            fetch_bed_make(i % 3, 1, 400);
            fetch_bed_make(i % 3, 1, 2000);
        }
        fetch_bed_open((const char *const[]){"fetch.max.wait.ms=50", setting, NULL});
        fetch_bed_assign(0, 3, KW_START_EARLIEST, 0);
        fetch_bed_run(600);
        fetch_bed_expect(0, 3);
        fetch_bed_end();
    }
}

/* ---- many partitions ------------------------------------------------------------------------ */

static const char *const roomy[] = {"control.memory=67108864", "memory.limit=268435456", NULL};

/* Bytes of a fetch, once all is quiet and one in a hundred partitions gets a record. */
static size_t bytes_of_active(int32_t n_parts, int32_t n_active)
{
    fetch_bed_begin(NULL, n_parts, roomy);
    fetch_bed_open(quick);
    fetch_bed_make(0, 1, 30);
    fetch_bed_assign(0, n_parts, KW_START_EARLIEST, 0);
    fetch_bed_run(1000);
    cr_assert_eq(stats().fetch_sessions, 1);
    cr_assert_eq(fetch_bed_said(0)->n_named, 0);
    cr_assert_eq(fetch_bed.seen[n_parts - 1].n_eof, 1);
    unsigned before = fetch_bed.n_said;
    size_t bytes = 0;
    uint64_t named = stats().fetch_parts_named;
    for (int round = 0; round < 5; round++)
        for (int32_t i = 0; i < n_active; i++)
            fetch_bed_make(i * (n_parts / n_active), 1, 30);
    fetch_bed_run(200);
    fetch_bed_expect(0, n_parts);
    cr_assert_eq(stats().fetch_sessions, 1);
    cr_assert_leq(stats().fetch_parts_named - named, (uint64_t)n_active * 5);
    for (unsigned i = 0; i < fetch_bed.n_said - before; i++)
        bytes += fetch_bed_said(i)->len;
    bytes /= fetch_bed.n_said - before;
    fetch_bed_end();
    return bytes;
}

Test(fetch_session, the_bytes_of_a_fetch_follow_the_active_partitions, .timeout = 300)
{
    size_t few = bytes_of_active(100, 10), many = bytes_of_active(5000, 10);
    cr_assert_leq(many, few + 16, "%zu bytes with 100 assigned, %zu with 5000", few, many);
    cr_assert_leq(many, 200);
}

/* More than one request can name: they gather in the session, without waiting. */
Test(fetch_session, five_thousand_partitions_are_in_the_session_after_five_requests)
{
    fetch_bed_begin(NULL, 5000, roomy);
    fetch_bed_open((const char *const[]){"fetch.max.wait.ms=500", NULL});
    fetch_bed_make(4999, 1, 30);
    fetch_bed_assign(0, 5000, KW_START_OFFSET, 0);
    fetch_bed_run(30);
    fetch_bed_expect(4999, 1);
    cr_assert_leq(fetch_bed.n_said, 7);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    /* All of them leave at once: that is told by a new session. */
    fetch_bed_assign(0, 1, KW_START_OFFSET, 0);
    fetch_bed_run(1200);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    fetch_bed_end();
}

/* The reserve cannot hold an answer about all of them: they take turns, without a
 * session, and all are read. */
Test(fetch_session, a_reserve_too_small_for_a_session_goes_without)
{
    static const char *const small[] = {"control.memory=67108864", "memory.limit=200000000",
                                        "buffer.memory=64000000", "fetch.memory=300000", NULL};
    fetch_bed_begin(NULL, 600, small);
    fetch_bed_open(quick);
    for (int32_t p = 0; p < 600; p += 7)
        fetch_bed_make(p, 3, 30);
    fetch_bed_assign(0, 600, KW_START_EARLIEST, 0);
    fetch_bed_run(3000);
    fetch_bed_expect(0, 600);
    cr_assert_eq(fetch_bed_said(0)->session_epoch, -1);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 0, "it was closed");
    /* With fewer it is worth another try. */
    fetch_bed_assign(0, 100, KW_START_OFFSET, 0);
    for (int32_t p = 0; p < 100; p++)
        fetch_bed.seen[p].next = -1;
    fetch_bed_run(500);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    fetch_bed_end();
}

/* ---- one among many ---------------------------------------------------------------------------- */

/* A fetch that names the others waits for them: the busy one must not wait with it. */
Test(fetch_session, a_busy_partition_is_read_at_its_own_pace_beside_idle_ones)
{
    fetch_bed_begin(NULL, 8, NULL);
    fetch_bed_make(3, 400, 10000);
    fetch_bed_open(
        (const char *const[]){"fetch.max.wait.ms=500", "max.partition.fetch.bytes=100000", NULL});
    fetch_bed_assign(0, 8, KW_START_OFFSET, 0);
    fetch_bed_run(400); /* 40 answers of a tenth of a megabyte each */
    cr_assert_eq(fetch_bed.seen[3].next, 400);
    fetch_bed_end();
}

/* ---- the end ---------------------------------------------------------------------------- */

static bool closed;
static int closed_code;
static void (*bed_on_event)(void *ctx, const struct kw_event *event);

static void on_close(void *ctx, const struct kw_event *event)
{
    if (event->kind == KW_EVENT_OP_DONE) {
        closed = true;
        closed_code = event->code;
    }
    bed_on_event(ctx, event);
}

/* Closes; returns how long it took. */
static uint64_t close_within(int32_t timeout_ms)
{
    uint64_t begin_us = fetch_bed.pair.now.mono_us;
    bed_on_event = fetch_bed.pair.on_event;
    fetch_bed.pair.on_event = on_close;
    closed = false;
    cr_assert_not_null(kw_core_close(fetch_bed.pair.core, timeout_ms, NULL));
    for (int i = 0; i < 20000 && !closed; i++)
        sim_pair_step(&fetch_bed.pair, 1000);
    cr_assert(closed);
    cr_assert_eq(closed_code, 0, "%s", kw_err_name(closed_code));
    return (fetch_bed.pair.now.mono_us - begin_us) / 1000;
}

/* Two brokers, each of which holds a fetch for a long time. */
static void begin_waiting(void)
{
    static const char *const slow[] = {"fetch.max.wait.ms=1900", NULL};
    const struct kw_mock_config two = {.n_brokers = 2};
    fetch_bed_begin(&two, 4, NULL);
    for (int32_t p = 0; p < 4; p++)
        fetch_bed_make(p, 3, 30);
    fetch_bed_open(slow);
    fetch_bed_assign(0, 4, KW_START_OFFSET, 0);
    fetch_bed_run(300);
    fetch_bed_expect(0, 4);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 1);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 1), 1);
}

Test(fetch_session, a_close_tells_each_broker_and_waits_for_no_records)
{
    begin_waiting();
    cr_assert_leq(close_within(-1), 100);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 0);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 1), 0);
    cr_assert_eq(fetch_bed_said(0)->session_epoch, -1);
    cr_assert_eq(fetch_bed_said(0)->n_named, 0);
    fetch_bed_end();
}

Test(fetch_session, a_broker_that_does_not_answer_holds_a_close_up_for_a_second_at_most)
{
    begin_waiting();
    fetch_bed_fault("fetch:1+:drop-request:broker=1");
    cr_assert_leq(close_within(-1), 1100);
    fetch_bed_end();
    begin_waiting();
    fetch_bed_fault("fetch:1+:drop-request:broker=1");
    cr_assert_leq(close_within(200), 300);
    fetch_bed_end();
}

/* One that cannot be reached is not told. */
Test(fetch_session, a_close_does_not_connect_to_brokers_that_are_gone)
{
    begin_waiting();
    kwi_mock_broker_down(fetch_bed.pair.mock, 1, false);
    fetch_bed_run(100);
    cr_assert_leq(close_within(-1), 200);
    cr_assert_eq(kwi_mock_n_fetch_sessions(fetch_bed.pair.mock, 0), 0);
    fetch_bed_end();
}
