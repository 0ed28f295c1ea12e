/* What ends early: requests that are cut off or half written, acks=0, a close while
 * records still come; and requests that cannot even be made.
 *
 * covers: N25 P29 P36 P49 */
#include <string.h>

#include "client/producer.h"
#include "proto/api.h"
#include "tests/client/make_bed.h"

static const char *const quick[] = {"linger.ms=0", NULL};
static const char *const none[] = {"linger.ms=0", "acks=0", "enable.idempotence=false", NULL};

static void break_all(void)
{
    for (uint32_t i = 0; i < mbed.pair.n_conns; i++)
        sim_pair_break(&mbed.pair, mbed.pair.conns[i]);
}

/* ---- P29 -------------------------------------------------------------------------------- */

/* Not answered, and so not waited for: even a broker that answers nothing at all. */
Test(producer_ends, acks_0_waits_for_no_answer_and_close_flushes_the_socket)
{
    make_start(1, 1, none);
    make(0, 10);
    make_settle();
    mbed.pair.hold_answers = true;
    for (int i = 0; i < 20; i++)
        make(0, 1000);
    mbed.pair.take_max = 500; /* the socket takes no more for now */
    cr_assert_not_null(kw_core_close(mbed.pair.core, 5000, NULL));
    sim_pair_step(&mbed.pair, 1000);
    sim_pair_step(&mbed.pair, 100000);
    cr_assert_eq(mbed.n_ops, 0, "closed with bytes left to write");
    cr_assert_eq(mbed.n_told, 1, "told before it was written");
    mbed.pair.take_max = SIZE_MAX;
    for (int i = 0; i < 50 && !mbed.n_ops; i++)
        sim_pair_step(&mbed.pair, 10000);
    cr_assert_eq(mbed.n_ops, 1);
    cr_assert_eq(mbed.op_code, 0);
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 21);
    cr_assert_eq(make_log_end(0), 21);
    cr_assert_eq(mbed.fates[5].offset, -1, "an offset nobody told");
    make_stop();
}

/* Nobody answers, so nobody is late: the connection stays. */
Test(producer_ends, acks_0_leaves_an_idle_connection_alone)
{
    make_start(1, 1, none);
    make(0, 10);
    make_settle();
    uint32_t n_conns = mbed.pair.n_conns;
    make_run(5000); /* request.timeout.ms is 1 s */
    cr_assert_eq(mbed.n_errors, 0, "%s", mbed.error.text);
    make(0, 10);
    make_settle();
    cr_assert_eq(mbed.pair.n_conns, n_conns);
    make_stop();
}

Test(producer_ends, acks_0_counts_what_a_lost_connection_took_with_it_as_unknown)
{
    make_start(1, 1, none);
    make(0, 10);
    make_settle();
    mbed.pair.hold_writes = true; /* taken, and never confirmed */
    mbed.pair.take_max = 50;
    for (int i = 0; i < 5; i++)
        make(0, 100);
    sim_pair_step(&mbed.pair, 0);
    sim_pair_step(&mbed.pair, 1000);
    break_all();
    mbed.pair.hold_writes = false;
    mbed.pair.take_max = SIZE_MAX;
    make(0, 100);
    make_settle();
    for (uint32_t i = 1; i < 6; i++)
        cr_assert_eq(mbed.fates[i].outcome, KW_UNKNOWN, "record %u", i);
    cr_assert_eq(mbed.fates[6].outcome, KW_DELIVERED, "what came later goes on");
    cr_assert_eq(make_log_end(0), 2, "and nothing is sent again");
    make_stop();
}

/* ---- P36 -------------------------------------------------------------------------------- */

/* A report that produces while a close runs: refused, or told like any other. */
static unsigned n_closed;

static void make_while_closing(const struct kw_report *report)
{
    for (uint32_t i = 0; i < report->n; i++) {
        int rc = mbed.n_made < 200 ? make_try(0, 100) : KW_ERR_CLOSED;
        cr_assert(rc == 0 || rc == KW_ERR_CLOSED || rc == KW_ERR_WOULD_BLOCK, "%s",
                  kw_err_name(rc));
        n_closed += rc == KW_ERR_CLOSED;
    }
}

static void race_a_close(unsigned n_steps, bool deaf)
{
    n_closed = 0;
    make_start(1, 1, quick);
    mbed.on_report = make_while_closing;
    for (int i = 0; i < 20; i++)
        make(0, 1000);
    for (unsigned i = 0; i < n_steps; i++)
        sim_pair_step(&mbed.pair, 1000);
    if (deaf)
        mbed.pair.hold_answers = true;
    cr_assert_not_null(kw_core_close(mbed.pair.core, 1000, NULL));
    cr_assert_eq(make_try(0, 10), KW_ERR_CLOSED, "taken behind the close");
    struct kw_op *flush = kw_core_flush(mbed.producer, 60000, NULL);
    cr_assert_not_null(flush, "a flush that comes too late begins, and ends");
    for (int i = 0; i < 300 && mbed.n_ops < 2; i++)
        sim_pair_step(&mbed.pair, 10000);
    cr_assert_eq(mbed.n_ops, 2, "close and flush: %u ended", mbed.n_ops);
    cr_assert_eq(mbed.n_told, mbed.n_made, "%u records are orphans", mbed.n_made - mbed.n_told);
    cr_assert_eq(kw_producer_outstanding(mbed.producer), 0);
    cr_assert_gt(n_closed, 0);
    cr_assert_eq(make_try(0, 10), KW_ERR_CLOSED);
    make_stop();
}

Test(producer_ends, a_record_that_races_a_close_is_refused_or_told)
{
    for (unsigned n = 0; n < 6; n++) {
        race_a_close(n, false);
        race_a_close(n, true);
    }
}

/* ---- P49 -------------------------------------------------------------------------------- */

/* Half of a request is with a driver that takes no more; the timeout comes. The stream is
 * spoilt: the connection ends, and the same bytes go over another one. */
Test(producer_ends, a_request_that_times_out_half_written_ends_its_connection)
{
    make_start(1, 1, quick);
    make(0, 10);
    make_settle();
    uint32_t n_conns = mbed.pair.n_conns;
    uint64_t out = mbed.pair.bytes_out;
    mbed.pair.take_max = 60;
    make(0, 5000);
    sim_pair_step(&mbed.pair, 0);
    sim_pair_step(&mbed.pair, 10000);
    cr_assert_eq(mbed.pair.bytes_out - out, 60);
    struct sim_pair_conn *half = NULL; /* the one that was written to */
    for (uint32_t i = 0; i < n_conns; i++)
        if (mbed.pair.conns[i]->owns_write)
            half = mbed.pair.conns[i];
    cr_assert_not_null(half);
    mbed.pair.hold_closes = true; /* the wish is seen, and the receipt is late */
    for (int i = 0; i < 15; i++)
        sim_pair_step(&mbed.pair, 100000); /* request.timeout.ms=1000 */
    cr_assert(half->close_wanted, "it stays open behind half a request");
    mbed.pair.take_max = SIZE_MAX;
    struct kw_iov iov[4];
    cr_assert_eq(kw_core_write_vec(mbed.pair.core, half->id, half->held, iov, 4), 0,
                 "more is offered for it");
    mbed.pair.hold_closes = false;
    mbed.pair.frame_len = 0; /* the half of it that was gathered here */
    make_settle();
    cr_assert_gt(mbed.pair.n_conns, n_conns);
    cr_assert_eq(mbed.n_of[KW_DELIVERED], 2);
    make_check_order(1);
    cr_assert_eq(mbed.n_requests, 2, "whole requests that a broker saw");
    make_stop();
}

/* ---- N25 -------------------------------------------------------------------------------- */

/* The broker does not know Produce. Each record is a request of its own, and the second is
 * not left lying when the first could not be made. */
Test(producer_ends, a_request_that_cannot_be_made_does_not_hold_up_the_next)
{
    static const struct kw_mock_versions versions[] = {{KW_API_PRODUCE, 0, -1}};
    static const char *const small[] = {"linger.ms=50", "max.request.size=1024", "batch.size=1024",
                                        NULL};
    struct kw_mock_config config = {.n_brokers = 1, .versions = versions, .n_versions = 1};
    make_start_of(&config, 2, NULL, small);
    make(0, 800);
    make(1, 800);
    make_run(1000); /* delivery.timeout.ms is 120 s */
    cr_assert_eq(mbed.n_told, 2, "%u are told", mbed.n_told);
    for (uint32_t i = 0; i < 2; i++)
        cr_assert_eq(mbed.fates[i].code, KW_ERR_UNSUPPORTED);
    make_stop();
}
