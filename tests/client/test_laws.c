/* The seven laws of the core contract (docs/ARCHITECTURE.md), a test or more
 * each. The simulator checks laws 1, 2, 3, 5 and 6 in every seed as well; here
 * each stands alone, in the sharpest case that could be thought of.
 *
 * covers: P02 P14 P15 P17 P54 N02 N06 N09 I9 */
#include "tests/sim/pair.h"

#include "base/crc32c.h"

#include <criterion/criterion.h>
#include <string.h>

enum { RECORDS_MAX = 4000 };

struct laws {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *consumer;
    uint32_t n_made, n_reported, n_delivered, n_not_written, n_unknown, n_read, n_op_done;
    uint32_t n_starved;
    uint8_t outcome[RECORDS_MAX]; /* 1 + enum kw_outcome, by id */
    int last_op_code;
    bool all_reported;
};

static struct laws laws; /* one test a process */

static void laws_event(void *ctx, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    (void)ctx;
    if (event->kind == KW_EVENT_OP_DONE) {
        laws.n_op_done++;
        laws.last_op_code = event->code;
    }
    laws.n_starved += event->kind == KW_EVENT_FETCH_STARVED;
    if (event->kind != KW_EVENT_REPORT)
        return;
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        cr_assert_lt(id, laws.n_made, "an opaque that was never given");
        cr_assert_eq(laws.outcome[id], 0, "record %lu reported twice", (unsigned long)id);
        laws.outcome[id] = (uint8_t)(1 + report->outcome);
    }
    laws.n_reported += report->n;
    laws.n_delivered += report->outcome == KW_DELIVERED ? report->n : 0;
    laws.n_not_written += report->outcome == KW_NOT_WRITTEN ? report->n : 0;
    laws.n_unknown += report->outcome == KW_UNKNOWN ? report->n : 0;
    laws.all_reported = laws.n_reported == laws.n_made;
}

static const char *const usual[] = {"request.timeout.ms=1000",      "retry.backoff.ms=10",
                                    "retry.backoff.max.ms=100",     "reconnect.backoff.ms=10",
                                    "reconnect.backoff.max.ms=100", "memory.limit=16000000",
                                    "control.memory=2000000",       "buffer.memory=4000000",
                                    "fetch.max.wait.ms=50",         NULL};

static void laws_begin(const char *const *settings, const char *const *producer_settings,
                       uint32_t n_brokers, int32_t n_partitions,
                       uint32_t (*crc32c)(uint32_t, const void *, size_t))
{
    struct kw_config *own = NULL;
    cr_assert_eq(sim_pair_init(&laws.pair, SIM_MEMORY_PLAIN, n_brokers, n_partitions), 0);
    laws.pair.on_event = laws_event;
    cr_assert_eq(sim_pair_core(&laws.pair, settings, crc32c), 0);
    cr_assert_eq(sim_pair_config(&laws.pair, &own, producer_settings), 0);
    cr_assert_eq(kw_core_producer_create(&laws.producer, laws.pair.core, own, NULL), 0);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_topic_open(&laws.topic, laws.producer, "t", NULL), 0);
}

/* Hands one record of `len` bytes to partition `partition`; false: blocked. */
static bool laws_make(int32_t partition, size_t len)
{
    static uint8_t value[1 << 20];
    struct kw_record record = {.value = {value, len},
                               .flags = KW_REC_PARTITION,
                               .partition = partition,
                               .opaque = (void *)(uintptr_t)(laws.n_made + 1)};
    for (size_t i = 0; i < len; i += 64)
        value[i] = (uint8_t)(laws.n_made + i);
    cr_assert_lt(laws.n_made, RECORDS_MAX);
    int rc = kw_core_produce(laws.topic, &record);
    sim_pair_called(&laws.pair);
    if (rc == KW_ERR_WOULD_BLOCK)
        return false;
    cr_assert_geq(rc, 0, "%s", kw_err_name(rc));
    laws.n_made++;
    laws.all_reported = false;
    return true;
}

/* Connections, metadata and producer id are there; nothing is under way. */
static void laws_warm_up(void)
{
    bool never = false;
    for (int i = 0; i < 100 && kw_topic_partitions(laws.topic) == 0; i++)
        sim_pair_run(&laws.pair, &never, 20);
    for (int32_t i = 0; i < kw_topic_partitions(laws.topic); i++)
        cr_assert(laws_make(i, 10));
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000), "no first delivery");
    cr_assert_eq(laws.n_delivered, laws.n_made);
}

static void laws_end(void)
{
    cr_assert(!laws.pair.broken, "%s", laws.pair.why);
    kw_core_destroy(laws.pair.core);
    laws.pair.core = NULL;
    cr_assert_eq(laws.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)laws.pair.memory.n_live);
    cr_assert(!laws.pair.memory.damaged);
    sim_pair_deinit(&laws.pair);
}

/* The connection that holds lent bytes. */
static struct sim_pair_conn *laws_holder(void)
{
    for (uint32_t i = 0; i < laws.pair.n_conns; i++) {
        if (laws.pair.conns[i]->held > 0 && !laws.pair.conns[i]->closed)
            return laws.pair.conns[i];
    }
    return NULL;
}

/* Offers less than a request and keeps it; returns the connection. */
static struct sim_pair_conn *laws_offer_some(size_t n)
{
    laws.pair.hold_writes = true;
    laws.pair.take_max = n;
    sim_pair_step(&laws.pair, 0); /* gives the batch its time */
    sim_pair_step(&laws.pair, 10000);
    struct sim_pair_conn *conn = laws_holder();
    cr_assert_not_null(conn, "nothing was offered");
    cr_assert_eq(conn->held, n);
    return conn;
}

/* What is listed from an earlier position must begin with what we hold. */
static void laws_check_list(struct sim_pair_conn *conn)
{
    struct kw_iov iov[16];
    uint8_t listed[512];
    size_t len = 0, at = 0;
    size_t n = kw_core_write_vec(laws.pair.core, conn->id, 0, iov, 16);
    for (size_t i = 0; i < n && len < sizeof(listed); i++) {
        size_t step = iov[i].len < sizeof(listed) - len ? iov[i].len : sizeof(listed) - len;
        memcpy(listed + len, iov[i].base, step);
        len += step;
    }
    cr_assert_geq(len, conn->held < sizeof(listed) ? conn->held : sizeof(listed));
    for (size_t i = 0; i < conn->n_pieces && at < len; at += conn->pieces[i].len, i++) {
        size_t step = conn->pieces[i].len < len - at ? conn->pieces[i].len : len - at;
        cr_assert_eq(memcmp(listed + at, conn->pieces[i].copy, step), 0, "the list changed");
    }
}

/* ---- law 1: append-only ------------------------------------------------------------- */

Test(law_1, a_half_offered_batch_stays_as_it_is_through_purge_and_more_records)
{
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    for (int i = 0; i < 30; i++)
        cr_assert(laws_make(0, 200));
    struct sim_pair_conn *conn = laws_offer_some(300);
    cr_assert_eq(kw_core_purge(laws.producer), 0);
    for (int i = 0; i < 30; i++)
        cr_assert(laws_make(0, 200));
    sim_pair_step(&laws.pair, 1000);
    sim_pair_verify(&laws.pair);
    laws_check_list(conn);
    cr_assert_eq(laws.n_not_written, 0, "a batch was purged although bytes of it were offered");
    laws.pair.take_max = SIZE_MAX;
    conn->owns_write = true;
    sim_pair_settle(&laws.pair);
    sim_pair_confirm(&laws.pair);
    laws.pair.hold_writes = false;
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    cr_assert_eq(laws.n_delivered, laws.n_made);
    laws_end();
}

Test(law_1, a_half_offered_batch_that_expires_is_unknown_and_its_bytes_stay)
{
    static const char *const short_lived[] = {"delivery.timeout.ms=1000", "request.timeout.ms=900",
                                              "linger.ms=0", NULL};
    laws_begin(usual, short_lived, 1, 1, NULL);
    laws_warm_up();
    uint32_t before = laws.n_made;
    for (int i = 0; i < 30; i++)
        cr_assert(laws_make(0, 200));
    laws.pair.hold_closes = true;
    laws_offer_some(300);
    for (int i = 0; i < 40; i++) {
        sim_pair_step(&laws.pair, 100000);
        sim_pair_verify(&laws.pair);
    }
    cr_assert_eq(laws.n_unknown, laws.n_made - before, "%u unknown, %u not written", laws.n_unknown,
                 laws.n_not_written);
    /* The memory is not somebody else's by now, either. */
    laws.pair.take_max = SIZE_MAX;
    laws.pair.hold_writes = false;
    for (int i = 0; i < 200; i++)
        cr_assert(laws_make(0, 1000));
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    sim_pair_verify(&laws.pair);
    laws.pair.hold_closes = false;
    sim_pair_step(&laws.pair, 1000);
    laws_end();
}

Test(law_1, what_was_offered_stays_until_the_connection_is_reported_closed)
{
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    for (int i = 0; i < 30; i++)
        cr_assert(laws_make(0, 200));
    struct sim_pair_conn *conn = laws_offer_some(300);
    laws.pair.hold_closes = true;
    cr_assert_not_null(kw_core_close(laws.pair.core, 200, NULL));
    for (int i = 0; i < 20; i++) {
        sim_pair_step(&laws.pair, 50000);
        sim_pair_verify(&laws.pair);
    }
    cr_assert(conn->close_wanted, "close did not ask for the connection to be closed");
    cr_assert_eq(laws.n_reported, laws.n_made, "close left records unreported");
    laws.pair.hold_closes = false;
    sim_pair_step(&laws.pair, 1000);
    cr_assert_eq(laws.n_op_done, 1);
    laws_end();
}

/* ---- law 2: CLOSE is a wish, closed is the receipt -------------------------------------- */

Test(law_2, lent_memory_is_the_drivers_until_it_reports_closed)
{
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    for (int i = 0; i < 30; i++)
        cr_assert(laws_make(0, 200));
    laws.pair.hold_closes = laws.pair.hold_answers = true;
    struct sim_pair_conn *conn = laws_offer_some(300);
    conn->span = kw_core_read_buf(laws.pair.core, conn->id);
    cr_assert_gt(conn->span.len, 0);
    memset(conn->span.ptr, 0x6b, conn->span.len);
    laws.pair.take_max = SIZE_MAX;
    for (int i = 0; i < 100 && !conn->close_wanted; i++)
        sim_pair_step(&laws.pair, 100000);
    cr_assert(conn->close_wanted, "a request without an answer must close its connection");
    /* Long after the wish both sides' memory is still what it was. */
    laws.pair.hold_answers = laws.pair.hold_writes = false;
    for (int i = 0; i < 100; i++) {
        if (i < 50)
            cr_assert(laws_make(0, 300));
        sim_pair_step(&laws.pair, 100000);
        sim_pair_verify(&laws.pair);
        for (size_t at = 0; at < conn->span.len; at++)
            cr_assert_eq(((uint8_t *)conn->span.ptr)[at], 0x6b);
    }
    cr_assert_eq(laws.n_reported, laws.n_made, "another connection must carry on meanwhile");
    laws.pair.hold_closes = false;
    sim_pair_step(&laws.pair, 1000);
    cr_assert(conn->closed);
    laws_end();
}

/* ---- law 3: memory returns at the latest of three ----------------------------------------- */

Test(law_3, an_answered_batch_is_kept_while_the_driver_holds_its_bytes)
{
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    laws.pair.hold_writes = true;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 20; i++)
            cr_assert(laws_make(0, 500));
        sim_pair_step(&laws.pair, 0);
        sim_pair_step(&laws.pair, 10000);
        sim_pair_verify(&laws.pair);
    }
    cr_assert_eq(laws.n_delivered, laws.n_made, "answers come before the bytes are confirmed");
    cr_assert_not_null(laws_holder());
    sim_pair_confirm(&laws.pair);
    cr_assert(!laws.pair.broken, "%s", laws.pair.why);
    laws.pair.hold_writes = false;
    cr_assert(laws_make(0, 10));
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    laws_end();
}

Test(law_3, reports_that_nobody_took_keep_their_memory_and_block_the_producer)
{
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    laws.pair.no_events = true;
    bool blocked = false;
    for (int round = 0; round < 200 && !blocked; round++) {
        for (int i = 0; i < 20 && !blocked; i++)
            blocked = !laws_make(0, 20000);
        sim_pair_step(&laws.pair, 10000);
    }
    cr_assert(blocked, "reports pile up and never block the producer");
    struct kw_stats stats;
    kw_core_stats(laws.pair.core, &stats);
    cr_assert_gt(stats.records_delivered, 10, "delivered, but not reported");
    for (int i = 0; i < 20; i++) {
        sim_pair_step(&laws.pair, 1000000);
        cr_assert_not(laws_make(0, 20000), "room came although no report was taken");
    }
    laws.pair.no_events = false; /* laws_event checks each opaque */
    sim_pair_settle(&laws.pair);
    cr_assert(laws_make(0, 20000), "room must come once the reports were taken");
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    cr_assert_eq(laws.n_delivered, laws.n_made);
    laws_end();
}

static void laws_consume_from(int32_t n_partitions)
{
    struct kw_start starts[32];
    if (!laws.consumer)
        cr_assert_eq(kw_core_consumer_create(&laws.consumer, laws.pair.core, NULL, NULL), 0);
    for (int32_t i = 0; i < n_partitions; i++)
        starts[i] = (struct kw_start){"t", i, KW_START_EARLIEST, 0};
    cr_assert_eq(kw_core_assign(laws.consumer, starts, (size_t)n_partitions, NULL), 0);
}

/* The same for the buffer of a frame that is too large for the small stage. */
Test(law_2, the_buffer_of_a_large_frame_is_the_drivers_until_it_reports_closed)
{
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    for (int i = 0; i < 20; i++)
        cr_assert(laws_make(0, 2000));
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    laws_consume_from(1);
    laws.pair.read_max = 5000; /* of the answer to the fetch */
    struct sim_pair_conn *conn = NULL;
    for (int i = 0; i < 100 && !conn; i++) {
        sim_pair_step(&laws.pair, 1000);
        for (uint32_t k = 0; k < laws.pair.n_conns; k++) {
            struct sim_pair_conn *other = laws.pair.conns[k];
            struct kw_span rest = {0};
            if (other->server)
                rest = kwi_mock_output(other->server);
            if (laws.pair.read_max == 0 && rest.len > 0)
                conn = other;
        }
    }
    cr_assert_not_null(conn, "no large answer was begun");
    conn->span = kw_core_read_buf(laws.pair.core, conn->id);
    cr_assert_gt(conn->span.len, 4096, "this is not the buffer of a large frame");
    memset(conn->span.ptr, 0x6b, conn->span.len);
    laws.pair.hold_closes = true;
    for (int i = 0; i < 100 && !conn->close_wanted; i++)
        sim_pair_step(&laws.pair, 100000);
    cr_assert(conn->close_wanted, "an answer that does not come to its end must time out");
    laws.pair.read_max = SIZE_MAX;
    for (int i = 0; i < 50; i++) {
        sim_pair_step(&laws.pair, 100000);
        for (size_t at = 0; at < conn->span.len; at++)
            cr_assert_eq(((uint8_t *)conn->span.ptr)[at], 0x6b);
    }
    laws.pair.hold_closes = false;
    sim_pair_step(&laws.pair, 1000);
    cr_assert(conn->closed);
    laws_end();
}

Test(law_3, held_records_outlive_the_connection_the_seek_and_the_assignment)
{
    struct kw_records *records = NULL;
    uint8_t copy[500];
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    for (int i = 0; i < 40; i++)
        cr_assert(laws_make(0, sizeof(copy)));
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    laws_consume_from(1);
    for (int i = 0; i < 100 && !records; i++) {
        sim_pair_step(&laws.pair, 10000);
        cr_assert_geq(kw_core_consumer_poll(laws.consumer, &records, 0), 0);
    }
    cr_assert_not_null(records);
    cr_assert_not_null(kw_records_next(records));
    const struct kw_consumed *consumed = kw_records_next(records);
    cr_assert_not_null(consumed);
    cr_assert_eq(consumed->value.len, sizeof(copy));
    const uint8_t *bytes = consumed->value.ptr;
    memcpy(copy, bytes, sizeof(copy));
    for (uint32_t i = 0; i < laws.pair.n_conns; i++) {
        if (!laws.pair.conns[i]->closed)
            sim_pair_break(&laws.pair, laws.pair.conns[i]);
    }
    struct kw_start start = {"t", 0, KW_START_EARLIEST, 0};
    cr_assert_eq(kw_core_seek(laws.consumer, &start), 0);
    for (int i = 0; i < 20; i++) {
        struct kw_records *others;
        sim_pair_step(&laws.pair, 50000);
        if (kw_core_consumer_poll(laws.consumer, &others, 0) == 1)
            kw_core_records_release(others, KW_DONE);
    }
    cr_assert_eq(kw_core_assign(laws.consumer, NULL, 0, NULL), 0);
    sim_pair_step(&laws.pair, 50000);
    cr_assert_eq(memcmp(copy, bytes, sizeof(copy)), 0, "a held record changed");
    kw_core_records_release(records, KW_DONE);
    laws_end();
}

/* ---- law 4: bounded steps -------------------------------------------------------------------- */

static uint64_t crc_bytes;

static uint32_t counting_crc32c(uint32_t crc, const void *ptr, size_t len)
{
    crc_bytes += len;
    return kwi_crc32c_portable(crc, ptr, len);
}

Test(law_4, no_call_checks_more_than_a_mebibyte_of_a_large_batch)
{
    static const char *const roomy[] = {"memory.limit=64000000", "buffer.memory=20000000",
                                        "fetch.max.wait.ms=50", "max.partition.fetch.bytes=8000000",
                                        NULL};
    static const char *const large[] = {"batch.size=4000000", "max.request.size=5000000",
                                        "linger.ms=100", NULL};
    enum { RECORD = 100000, COUNT = 60, BOUND = (1 << 20) + RECORD + 65536 };
    laws_begin(roomy, large, 1, 1, counting_crc32c);
    cr_assert_eq(kwi_mock_set_topic_config(laws.pair.mock, "t", "max.message.bytes", "8000000"), 0);
    laws.pair.counter = &crc_bytes;
    laws_warm_up();
    for (int i = 0; i < COUNT; i++)
        cr_assert(laws_make(0, RECORD));
    cr_assert_leq(laws.pair.count_max, BOUND, "kw_core_produce: %lu bytes",
                  (unsigned long)laws.pair.count_max);
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    cr_assert_eq(laws.n_delivered, laws.n_made);
    laws_consume_from(1);
    for (int i = 0; i < 5000 && laws.n_read < laws.n_made; i++) {
        struct kw_records *records = NULL;
        sim_pair_step(&laws.pair, 10000);
        crc_bytes = 0;
        int rc = kw_core_consumer_poll(laws.consumer, &records, 0);
        sim_pair_called(&laws.pair);
        cr_assert_geq(rc, 0);
        while (rc == 1 && kw_records_next(records)) {
            sim_pair_called(&laws.pair);
            laws.n_read++;
        }
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(laws.n_read, laws.n_made, "%u of %u read", laws.n_read, laws.n_made);
    cr_assert_leq(laws.pair.count_max, BOUND, "one call: %lu bytes",
                  (unsigned long)laws.pair.count_max);
    cr_assert_gt(laws.pair.count_max, 10000, "the counter counts nothing");
    laws_end();
}

Test(law_4, a_step_seals_four_batches_at_most)
{
    static const char *const slow[] = {"linger.ms=50", NULL};
    enum { PARTITIONS = 60 };
    laws_begin(usual, slow, 1, PARTITIONS, NULL);
    laws_warm_up();
    crc_bytes = 0;
    laws.pair.counter = &crc_bytes; /* turns the counting of batches on, too */
    laws.pair.batches_max = 0;
    for (int32_t i = 0; i < PARTITIONS; i++)
        cr_assert(laws_make(i, 100));
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    cr_assert_leq(laws.pair.batches_max, 4, "by linger: %lu", (unsigned long)laws.pair.batches_max);
    for (int32_t i = 0; i < PARTITIONS; i++)
        cr_assert(laws_make(i, 100));
    cr_assert_not_null(kw_core_flush(laws.producer, 5000, NULL));
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    cr_assert_leq(laws.pair.batches_max, 4, "by flush: %lu", (unsigned long)laws.pair.batches_max);
    cr_assert_gt(laws.pair.batches_max, 0);
    laws_end();
}

/* Batches that wait without a leader, then are given up all at once. */
static void laws_pile_up(int32_t n_partitions)
{
    laws.pair.refuse = true;
    for (uint32_t i = 0; i < laws.pair.n_conns; i++) {
        if (!laws.pair.conns[i]->closed)
            sim_pair_break(&laws.pair, laws.pair.conns[i]);
    }
    for (int round = 0; round < 5; round++) {
        for (int32_t i = 0; i < n_partitions; i++)
            cr_assert(laws_make(i, 900));
    }
}

static uint32_t laws_events(void)
{
    struct kw_event event;
    uint32_t n = 0;
    while (kw_core_next_event(laws.pair.core, &event)) {
        laws_event(NULL, &event);
        n++;
    }
    return n;
}

Test(law_4, purge_only_sets_a_mark_and_steps_end_64_batches_at_most)
{
    static const char *const small[] = {"batch.size=1000", "linger.ms=0", NULL};
    enum { PARTITIONS = 60 };
    laws_begin(usual, small, 1, PARTITIONS, NULL);
    laws_warm_up();
    laws_pile_up(PARTITIONS);
    laws.pair.no_events = true;
    laws_events();
    cr_assert_eq(kw_core_purge(laws.producer), 0);
    cr_assert_leq(laws_events(), 1, "purge itself ends batches");
    uint32_t steps = 0;
    while (laws.n_reported < laws.n_made && steps++ < 100) {
        kw_core_step(laws.pair.core, laws.pair.now);
        uint32_t n = laws_events();
        cr_assert_leq(n, 64, "one step ended %u batches", n);
    }
    cr_assert_eq(laws.n_reported, laws.n_made);
    cr_assert_gt(steps, 3);
    laws_end();
}

Test(law_4, expiry_ends_64_batches_a_step_at_most)
{
    static const char *const small[] = {"batch.size=1000", "linger.ms=0",
                                        "delivery.timeout.ms=2000", NULL};
    enum { PARTITIONS = 60 };
    laws_begin(usual, small, 1, PARTITIONS, NULL);
    laws_warm_up();
    laws_pile_up(PARTITIONS);
    laws.pair.no_events = true;
    sim_pair_settle(&laws.pair);
    laws_events();
    laws.pair.now.mono_us += 3000000;
    uint32_t steps = 0;
    while (laws.n_reported < laws.n_made && steps++ < 200) {
        kw_core_step(laws.pair.core, laws.pair.now);
        uint32_t n = laws_events();
        cr_assert_leq(n, 66, "one step ended %u batches", n);
    }
    cr_assert_eq(laws.n_reported, laws.n_made);
    laws_end();
}

/* ---- law 5: pure ------------------------------------------------------------------------------- */

static uint64_t law_5_run(enum sim_memory_kind kind)
{
    memset(&laws, 0, sizeof(laws));
    cr_assert_eq(sim_pair_init(&laws.pair, kind, 3, 7), 0);
    laws.pair.on_event = laws_event;
    cr_assert_eq(sim_pair_core(&laws.pair, usual, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&laws.producer, laws.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&laws.topic, laws.producer, "t", NULL), 0);
    laws_warm_up();
    for (int i = 0; i < 500; i++) {
        cr_assert(laws_make(i % 7, (size_t)(i * 37 % 900)));
        if (i % 100 == 50)
            sim_pair_break(&laws.pair, laws.pair.conns[laws.pair.n_conns - 1]);
        if (i % 20 == 0)
            sim_pair_step(&laws.pair, 3000);
    }
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 20000));
    uint64_t hash = laws.pair.hash;
    cr_assert_gt(laws.pair.bytes_out, 100000);
    laws_end();
    return hash;
}

Test(law_5, the_same_inputs_give_the_same_bytes_under_another_allocator)
{
    uint64_t plain = law_5_run(SIM_MEMORY_PLAIN);
    cr_assert_eq(plain, law_5_run(SIM_MEMORY_ARENA));
    cr_assert_eq(plain, law_5_run(SIM_MEMORY_PLAIN));
}

/* ---- law 6: no memory, time, ids ------------------------------------------------------------------ */

Test(law_6, every_application_call_may_meet_no_memory_and_leaves_the_core_usable)
{
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    struct kw_topic *topic;
    struct kw_records *records;
    struct kw_start start = {"t", 0, KW_START_EARLIEST, 0};
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    laws_consume_from(1);
    laws.pair.memory.fail_from = laws.pair.memory.n_allocs;
    cr_assert_eq(kw_core_producer_create(&producer, laws.pair.core, NULL, NULL), KW_ERR_NOMEM);
    cr_assert_eq(kw_core_topic_open(&topic, laws.producer, "other", NULL), KW_ERR_NOMEM);
    cr_assert_eq(kw_core_consumer_create(&consumer, laws.pair.core, NULL, NULL), KW_ERR_NOMEM);
    cr_assert_eq(kw_core_assign(laws.consumer, &start, 1, NULL), KW_ERR_NOMEM);
    cr_assert_null(kw_core_flush(laws.producer, 100, NULL));
    cr_assert_null(kw_core_close(laws.pair.core, 100, NULL));
    struct kw_admin_request request = {.size = sizeof(request), .kind = KW_ADMIN_METADATA};
    struct kw_admin_result *result = NULL;
    cr_assert_null(kw_core_admin(laws.pair.core, &request, &result, 100, NULL));
    struct kw_record record = {.value = {"v", 1}, .opaque = (void *)1};
    int rc = 0;
    for (int i = 0; i < RECORDS_MAX / 2 && rc >= 0; i++) {
        record.opaque = (void *)(uintptr_t)(laws.n_made + 1);
        rc = kw_core_produce(laws.topic, &record);
        laws.n_made += rc >= 0;
    }
    cr_assert(rc >= 0 || rc == KW_ERR_NOMEM || rc == KW_ERR_WOULD_BLOCK, "%s", kw_err_name(rc));
    rc = kw_core_consumer_poll(laws.consumer, &records, 0);
    cr_assert(rc == 0 || rc == KW_ERR_NOMEM);
    sim_pair_step(&laws.pair, 1000000);
    sim_memory_heal(&laws.pair.memory);
    laws.all_reported = laws.n_reported == laws.n_made;
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 20000), "%u of %u reported",
              laws.n_reported, laws.n_made);
    cr_assert_eq(laws.n_delivered, laws.n_made);
    cr_assert_eq(kw_core_topic_open(&topic, laws.producer, "other", NULL), 0);
    laws_end();
}

Test(law_6, time_that_goes_backwards_is_taken_as_equal)
{
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    sim_pair_step(&laws.pair, 60000000);
    uint64_t deadline = kw_core_deadline(laws.pair.core);
    struct kw_time earlier = {laws.pair.now.mono_us - 50000000, laws.pair.now.wall_ms};
    kw_core_step(laws.pair.core, earlier);
    cr_assert_eq(kw_core_deadline(laws.pair.core), deadline);
    kw_core_step(laws.pair.core, (struct kw_time){0, 0});
    cr_assert_eq(kw_core_deadline(laws.pair.core), deadline);
    for (int i = 0; i < 50; i++) {
        cr_assert(laws_make(0, 100));
        kw_core_step(laws.pair.core, earlier);
        sim_pair_step(&laws.pair, 1000);
    }
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    cr_assert_eq(laws.n_delivered, laws.n_made);
    laws_end();
}

Test(law_6, connection_ids_are_never_used_again)
{
    laws_begin(usual, NULL, 1, 1, NULL);
    laws_warm_up();
    for (int i = 0; i < 60; i++) {
        sim_pair_break(&laws.pair, laws.pair.conns[laws.pair.n_conns - 1]);
        cr_assert(laws_make(0, 100));
        cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    }
    cr_assert_gt(laws.pair.n_conns, 40);
    for (uint32_t i = 1; i < laws.pair.n_conns; i++)
        cr_assert_gt(laws.pair.conns[i]->id, laws.pair.conns[i - 1]->id);
    /* Late completions for closed and unknown connections do no harm. */
    for (uint32_t id = 0; id < laws.pair.conns[laws.pair.n_conns - 1]->id + 10; id++) {
        if (id == laws.pair.conns[laws.pair.n_conns - 1]->id)
            continue;
        bool live = false;
        for (uint32_t i = 0; i < laws.pair.n_conns; i++)
            live |= laws.pair.conns[i]->id == id && !laws.pair.conns[i]->closed;
        if (live)
            continue;
        struct kw_iov iov;
        kw_core_opened(laws.pair.core, id);
        kw_core_written(laws.pair.core, id, 5);
        kw_core_read_done(laws.pair.core, id, 5);
        kw_core_closed(laws.pair.core, id, NULL);
        cr_assert_eq(kw_core_write_vec(laws.pair.core, id, 0, &iov, 1), 0);
        cr_assert_eq(kw_core_read_buf(laws.pair.core, id).len, 0);
    }
    cr_assert(laws_make(0, 100));
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 5000));
    laws_end();
}

/* ---- law 7: reads are throttled at the request ------------------------------------------------------ */

enum { FETCH_KEY = 1, FETCH_MEMORY = 400000 };
static int64_t asked[SIM_PAIR_CONNS], asked_max, asked_sum_max;
static uint32_t n_fetches;

static int64_t big_endian(const uint8_t *ptr, size_t n)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | ptr[i];
    return value;
}

/* Reads max_bytes of a Fetch request by its position in the message. */
static void law_7_request(void *ctx, const uint8_t *frame, size_t len)
{
    int64_t key = big_endian(frame, 2), version = big_endian(frame + 2, 2), sum = 0;
    size_t pos = 10 + (size_t)big_endian(frame + 8, 2);
    (void)ctx;
    if (key != FETCH_KEY)
        return;
    pos += version >= 12 ? 1 : 0; /* header tags */
    pos += version >= 15 ? 0 : 4; /* replica id */
    cr_assert_lt(pos + 12, len);
    asked[laws.pair.frame_conn % SIM_PAIR_CONNS] = big_endian(frame + pos + 8, 4);
    n_fetches++;
    for (uint32_t i = 0; i < laws.pair.n_conns; i++) {
        if (!laws.pair.conns[i]->closed)
            sum += asked[laws.pair.conns[i]->id % SIM_PAIR_CONNS];
    }
    if (sum > asked_sum_max)
        asked_sum_max = sum;
    if (asked[laws.pair.frame_conn % SIM_PAIR_CONNS] > asked_max)
        asked_max = asked[laws.pair.frame_conn % SIM_PAIR_CONNS];
}

Test(law_7, fetches_never_ask_for_more_than_the_reserve_and_reading_is_never_stopped)
{
    static const char *const tight[] = {
        "memory.limit=8000000",    "control.memory=2000000",
        "buffer.memory=4000000",   "fetch.memory=400000",
        "fetch.max.wait.ms=50",    "max.partition.fetch.bytes=100000",
        "request.timeout.ms=2000", NULL};
    enum { PARTITIONS = 6, HELD = 400 };
    static struct kw_records *held[HELD];
    size_t n_held = 0;
    laws_begin(tight, NULL, 3, PARTITIONS, NULL);
    laws_warm_up();
    for (int i = 0; i < 1200; i++) {
        while (!laws_make(i % PARTITIONS, 2000))
            sim_pair_step(&laws.pair, 5000);
    }
    cr_assert(sim_pair_run(&laws.pair, &laws.all_reported, 20000));
    laws.pair.on_request = law_7_request;
    laws_consume_from(PARTITIONS);
    uint32_t idle = 0;
    for (int i = 0; i < 20000 && laws.n_read < laws.n_made; i++) {
        struct kw_records *records = NULL;
        struct kw_stats stats;
        sim_pair_step(&laws.pair, 5000);
        kw_core_stats(laws.pair.core, &stats);
        cr_assert_leq(stats.fetch_used, FETCH_MEMORY);
        if (kw_core_consumer_poll(laws.consumer, &records, 0) == 1) {
            while (kw_records_next(records))
                laws.n_read++;
            held[n_held++] = records;
            idle = 0;
        } else {
            idle++;
        }
        /* Greedy: gives back only when nothing else can come. */
        for (; (idle > 50 || n_held == HELD) && n_held > 0; n_held--)
            kw_core_records_release(held[n_held - 1], KW_DONE);
    }
    while (n_held > 0)
        kw_core_records_release(held[--n_held], KW_DONE);
    cr_assert_eq(laws.n_read, laws.n_made, "%u of %u read", laws.n_read, laws.n_made);
    cr_assert_gt(n_fetches, 10);
    cr_assert_gt(laws.n_starved, 0, "holding all frames must be told as FETCH_STARVED");
    cr_assert_leq(asked_max, FETCH_MEMORY);
    cr_assert_leq(asked_sum_max, FETCH_MEMORY, "%ld bytes asked for at a time",
                  (long)asked_sum_max);
    cr_assert_eq(laws.pair.n_read_off, 0, "READ_OFF %lu times",
                 (unsigned long)laws.pair.n_read_off);
    laws_end();
}
