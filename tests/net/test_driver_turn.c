/* covers: L05 L09 N31 P38
 * The driver's turns: time, deadlines, waiting, waking, work, operations; in
 * its own loop and inside a foreign one that only knows the descriptor. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/client.h"
#include "tests/net/fake_core.h"
#include "tests/net/faults.h"

static uint64_t now_us(const struct kw_client *client)
{
    struct kw_time now;
    kwi_loop_now(client->loop, &now);
    return now.mono_us;
}

/* What a foreign loop does: sleeps on the descriptor, then processes. Returns
 * whether it was woken. */
static bool foreign_sleep(struct kw_client *client, int timeout_ms)
{
    struct pollfd entry = {.fd = kw_client_fd(client), .events = POLLIN};
    int n = poll(&entry, 1, timeout_ms);
    if (n > 0)
        cr_assert_geq(kw_client_process(client, 0), 0);
    return n > 0;
}

/* Lets the descriptor say what it still has to say from setting up. */
static void foreign_settle(struct kw_client *client)
{
    for (int turn = 0; turn < 5 && foreign_sleep(client, 0); turn++)
        ;
    cr_assert_not(foreign_sleep(client, 0));
}

Test(driver_turn, time_is_told_before_anything_else_and_only_grows)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    cr_assert_geq(core->n_steps, 1, "before the first call of the application");
    for (int turn = 0; turn < 20; turn++)
        cr_assert_geq(kw_client_poll(client, 1), 0);
    cr_assert_geq(core->n_steps, 21);
    cr_assert_not(core->time_went_back);
    kw_client_destroy(client);
}

Test(driver_turn, poll_returns_at_the_deadline_of_the_core_and_tells_it)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    uint64_t begin = now_us(client);
    core->deadline_us = begin + 20000;
    cr_assert_geq(kw_client_poll(client, 5000), 0);
    cr_assert_eq(core->n_due, 1);
    cr_assert_geq(core->now_us, begin + 20000);
    cr_assert_lt(now_us(client), begin + 4500000);
    kw_client_destroy(client);
}

Test(driver_turn, poll_does_not_wait_while_events_are_there_and_begins_with_what_is_due)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    struct kw_event event;
    core->n_events = 1;
    core->attention |= KW_ATT_EVENT;
    uint64_t begin = now_us(client);
    cr_assert_eq(kw_client_poll(client, 5000), 0);
    cr_assert_eq(kw_next_event(client, &event), 1);
    cr_assert_eq(kw_next_event(client, &event), 0);
    cr_assert_lt(now_us(client), begin + 4500000);
    core->deadline_us = 0;
    cr_assert_eq(kw_client_poll(client, 1), 0);
    cr_assert_eq(core->n_due, 1);
    kw_client_destroy(client);
}

Test(driver_turn, an_idle_client_does_not_wake_a_foreign_loop)
{
    struct kw_client *client = fake_client(NULL);
    foreign_settle(client);
    cr_assert_not(foreign_sleep(client, 60));
    /* A connection that is up and silent does not either. */
    uint16_t port;
    int listener = peer_listen(&port);
    fake_open(fake_core(client), 1, port);
    UNTIL(client, fake_core(client)->conns[1].n_opened == 1);
    foreign_settle(client);
    cr_assert_not(foreign_sleep(client, 60));
    kw_client_destroy(client);
    close(listener);
}

Test(driver_turn, deadlines_wake_a_foreign_loop_once_each_and_in_time)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    foreign_settle(client);
    for (int i = 1; i <= 5; i++) {
        int n_wakes = 0;
        uint64_t begin = now_us(client);
        core->deadline_us = begin + 10000;
        cr_assert_eq(kw_client_process(client, 0), 0);
        while (core->n_due < i && n_wakes < 10)
            n_wakes += foreign_sleep(client, 2000);
        cr_assert_eq(core->n_due, i);
        cr_assert_leq(n_wakes, 2, "%d wake-ups for one deadline", n_wakes);
        cr_assert_geq(core->now_us, begin + 10000);
    }
    cr_assert_not(foreign_sleep(client, 30));
    kw_client_destroy(client);
}

Test(driver_turn, a_deadline_that_moves_back_and_forth_is_met)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    foreign_settle(client);
    uint64_t begin = now_us(client);
    core->deadline_us = begin + 5000;
    cr_assert_eq(kw_client_process(client, 0), 0);
    core->deadline_us = begin + 60000000;
    cr_assert_eq(kw_client_process(client, 0), 0);
    int n_wakes = 0;
    while (n_wakes < 3 && foreign_sleep(client, 40))
        n_wakes++;
    cr_assert_leq(n_wakes, 1, "one early wake-up at most");
    cr_assert_eq(core->n_due, 0);
    core->deadline_us = now_us(client) + 5000;
    cr_assert_eq(kw_client_process(client, 0), 0);
    while (core->n_due == 0 && n_wakes < 10)
        n_wakes += foreign_sleep(client, 1000);
    cr_assert_eq(core->n_due, 1);
    kw_client_destroy(client);
}

Test(driver_turn, sockets_wake_a_foreign_loop)
{
    uint16_t port;
    int listener = peer_listen(&port);
    struct kw_client *client = fake_client(NULL);
    struct fake_conn *conn = &fake_core(client)->conns[1];
    fake_open(fake_core(client), 1, port);
    cr_assert_eq(kw_client_process(client, 0), 0);
    for (int i = 0; i < 10 && conn->n_opened == 0; i++)
        foreign_sleep(client, 1000);
    int server = peer_accept(listener);
    foreign_settle(client);
    peer_write(server, "news", 4);
    cr_assert(foreign_sleep(client, 1000));
    cr_assert_eq(conn->in_len, 4);
    cr_assert_not(foreign_sleep(client, 20));
    kw_client_destroy(client);
    close(server);
    close(listener);
}

Test(driver_turn, a_call_of_the_application_wakes_a_sleeping_host_once)
{
    struct kw_client *client = fake_client(&fault_sys);
    struct kw_core *core = fake_core(client);
    struct kw_producer *producer;
    struct kw_consumer *consumer;
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, NULL), 0);
    foreign_settle(client);
    cr_assert_eq(kw_purge(producer), 0); /* sets TIME */
    int n_calls = fault_count(CALL_TIMERFD_SETTIME) + fault_count(CALL_WRITE);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(kw_assign(consumer, NULL, 0, NULL), 0); /* sets WANT */
    cr_assert_eq(fault_count(CALL_TIMERFD_SETTIME) + fault_count(CALL_WRITE), n_calls,
                 "one system call per sleep");
    cr_assert(foreign_sleep(client, 1000));
    foreign_settle(client);
    cr_assert_eq(core->attention, 0);
    /* A second sleep is a second wake-up. */
    cr_assert_eq(kw_assign(consumer, NULL, 0, NULL), 0);
    cr_assert(foreign_sleep(client, 1000));
    foreign_settle(client);
    kw_client_destroy(client);
}

/* A core that was told the time long ago would have it over at once. */
Test(driver_turn, what_has_a_deadline_begins_now)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_producer *producer;
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    foreign_settle(client);
    usleep(200000);
    uint64_t call_us = now_us(client);
    (void)kw_flush(producer, 1000, NULL);
    cr_assert_geq(fake_core(client)->now_us, call_us);
    kw_client_destroy(client);
}

/* Where a commit is due sooner by it, the host would learn of that when it wakes up for
 * something else. */
Test(driver_turn, a_record_that_is_done_wakes_a_sleeping_host_for_its_commit)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_consumer *consumer;
    struct kw_records *records;
    struct kw_consumed consumed = {0};
    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, NULL), 0);
    foreign_settle(client);
    cr_assert_eq(kw_consumer_poll(consumer, &records, 0), 1);
    struct pollfd entry = {.fd = kw_client_fd(client), .events = POLLIN};
    cr_assert_not(foreign_sleep(client, 0));
    cr_assert_eq(kw_done(records, &consumed), 0); /* sets TIME */
    cr_assert_eq(poll(&entry, 1, 1000), 1);       /* no call in between, each of which looks */
    cr_assert_eq(kw_client_process(client, 0), 0);
    cr_assert_eq(fake_core(client)->attention, 0);
    kw_client_destroy(client);
}

Test(driver_turn, an_event_raised_by_a_call_wakes_a_host_that_does_not_know_of_it)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    struct kw_consumer *consumer;
    struct kw_records *records;
    struct kw_event event;
    cr_assert_eq(kw_consumer_create(&consumer, client, NULL, NULL), 0);
    foreign_settle(client);
    cr_assert_eq(kw_consumer_poll(consumer, &records, 0), 1);
    cr_assert_not(foreign_sleep(client, 0));
    kw_records_release(records, KW_DONE); /* raises one */
    cr_assert(foreign_sleep(client, 1000));
    cr_assert_eq(kw_next_event(client, &event), 1);
    cr_assert_eq(kw_next_event(client, &event), 0);
    cr_assert_not(foreign_sleep(client, 20));
    struct kw_producer *producer;
    struct kw_receipt *receipt;
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    cr_assert_eq(kw_receipt_create(&receipt, producer, NULL), 0);
    cr_assert_eq(kw_receipt_close(receipt), 0); /* raises one as well */
    cr_assert(foreign_sleep(client, 1000));
    cr_assert_eq(kw_next_event(client, &event), 1);
    cr_assert_eq(kw_next_event(client, &event), 0);
    cr_assert_eq(kw_receipt_create(&receipt, NULL, NULL), KW_ERR_USE);
    cr_assert_eq(kw_receipt_close(NULL), KW_ERR_USE);
    /* A host that is told by process and is still taking them is not woken for
     * the same events again. */
    core->n_events = 2;
    core->attention |= KW_ATT_EVENT;
    cr_assert_eq(kw_client_process(client, 0), 0);
    cr_assert_eq(kw_next_event(client, &event), 1);
    cr_assert_not(foreign_sleep(client, 20));
    kw_client_destroy(client);
}

Test(driver_turn, without_a_foreign_loop_calls_make_no_system_call)
{
    struct kw_client *client = fake_client(&fault_sys);
    struct kw_producer *producer;
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    fault_reset();
    cr_assert_eq(kw_purge(producer), 0);
    for (int i = 0; i < N_CALLS; i++)
        cr_assert_eq(fault_count((enum fault_call)i), 0);
    kw_client_destroy(client);
}

/* ---- waking ---------------------------------------------------------------------- */

static struct kw_client *to_wake;

static void *wake_later(void *arg)
{
    (void)arg;
    usleep(20000);
    kw_client_wake(to_wake);
    return NULL;
}

Test(driver_turn, another_thread_ends_a_wait)
{
    pthread_t thread;
    to_wake = fake_client(NULL);
    uint64_t begin = now_us(to_wake);
    cr_assert_eq(pthread_create(&thread, NULL, wake_later, NULL), 0);
    cr_assert_eq(kw_client_poll(to_wake, 20000), 0);
    cr_assert_lt(now_us(to_wake), begin + 10000000);
    pthread_join(thread, NULL);
    /* In a foreign loop it makes the descriptor readable, once. */
    foreign_settle(to_wake);
    kw_client_wake(to_wake);
    kw_client_wake(to_wake);
    cr_assert(foreign_sleep(to_wake, 1000));
    cr_assert_not(foreign_sleep(to_wake, 0));
    kw_client_destroy(to_wake);
}

static volatile sig_atomic_t n_signals;

static void wake_from_signal(int number)
{
    (void)number;
    n_signals = n_signals + 1;
    kw_client_wake(to_wake);
}

Test(driver_turn, a_signal_handler_ends_a_wait_and_keeps_errno)
{
    struct sigaction action = {.sa_handler = wake_from_signal, .sa_flags = SA_RESTART};
    struct itimerval alarm_in = {.it_value = {.tv_usec = 20000}};
    to_wake = fake_client(NULL);
    uint64_t begin = now_us(to_wake);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &alarm_in, NULL);
    while (n_signals == 0)
        cr_assert_eq(kw_client_poll(to_wake, 20000), 0);
    cr_assert_lt(now_us(to_wake), begin + 10000000);
    errno = 1234;
    raise(SIGALRM);
    cr_assert_eq(errno, 1234);
    kw_client_destroy(to_wake);
}

/* ---- work, operations, budget ------------------------------------------------------ */

static void want_work(struct kw_core *core, struct kw_work *work)
{
    fake_want(core, KW_WANT_WORK, 0);
    core->wants[core->n_wants - 1].work = work;
}

Test(driver_turn, work_that_takes_long_is_done_in_slices_one_a_turn)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    struct kw_work work = {.left = 1 << 20, .slice_us = KWI_CLIENT_WORK_US};
    want_work(core, &work);
    for (int turn = 1; turn <= 3; turn++) {
        cr_assert_eq(kw_client_process(client, 0), 1, "more is left");
        cr_assert_eq(work.n_slices, turn);
    }
    cr_assert_eq(kw_client_process(client, 0), 0);
    cr_assert_eq(core->n_works, 1);
    cr_assert_eq(work.slice_max, KWI_CLIENT_WORK_SLICE);
    kw_client_destroy(client);
}

Test(driver_turn, work_that_takes_no_time_is_done_in_one_turn)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    struct kw_work work = {.left = 1 << 20};
    want_work(core, &work);
    for (int turn = 0; turn < 4 && core->n_works == 0; turn++) /* if this process must wait */
        cr_assert_geq(kw_client_process(client, 0), 0);
    cr_assert_eq(core->n_works, 1);
    cr_assert_eq(work.n_slices, 4);
    kw_client_destroy(client);
}

Test(driver_turn, more_work_than_the_list_holds_is_all_done)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    struct kw_work works[80];
    for (int i = 0; i < 80; i++) {
        works[i] = (struct kw_work){.left = 600 << 10};
        want_work(core, &works[i]);
    }
    UNTIL(client, core->n_works == 80);
    cr_assert_eq(kw_client_poll(client, 0), 0);
    kw_client_destroy(client);
}

Test(driver_turn, process_goes_on_within_its_budget)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    struct kw_work work = {.left = 1 << 20};
    want_work(core, &work);
    cr_assert_eq(kw_client_process(client, 5000000), 0);
    cr_assert_eq(core->n_works, 1);
    kw_client_destroy(client);
}

Test(driver_turn, wait_runs_the_client_until_the_operation_ends_and_gives_its_code)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_core *core = fake_core(client);
    struct kw_producer *producer;
    struct kw_error err;
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    core->op_code = KW_ERR_TIMEOUT;
    core->deadline_us = now_us(client) + 1000;
    core->n_events = 1; /* an event that nobody takes does not keep it from sleeping */
    core->attention |= KW_ATT_EVENT;
    cr_assert_eq(kw_wait(client, kw_flush(producer, 1000, NULL), &err), KW_ERR_TIMEOUT);
    cr_assert_eq(err.code, KW_ERR_TIMEOUT);
    cr_assert_eq(err.broker, 7);
    cr_assert_leq(core->n_steps, 8);
    cr_assert_eq(kw_wait(client, kw_close(client, 0, NULL), NULL), KW_ERR_TIMEOUT);
    kw_client_destroy(client);
}

Test(driver_turn, waiting_for_an_operation_that_was_not_started_says_why)
{
    struct kw_client *client = fake_client(NULL);
    struct kw_admin_request request = {.size = sizeof(request)};
    struct kw_error err;
    struct kw_op *op = kw_admin(client, &request, NULL, 0, NULL); /* the fake core has no memory */
    cr_assert_null(op);
    cr_assert_eq(kw_wait(client, op, &err), KW_ERR_NOMEM);
    cr_assert(strstr(err.text, "memory"), "%s", err.text);
    cr_assert_eq(kw_op_cancel(NULL), KW_ERR_USE);
    kw_client_destroy(client);
}

Test(driver_turn, a_wait_that_the_system_refuses_ends_the_operation)
{
    struct kw_client *client = fake_client(&fault_sys);
    struct kw_core *core = fake_core(client);
    struct kw_producer *producer;
    struct kw_error err;
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    fault_plan(CALL_EPOLL_WAIT, 0, 1000, EINVAL);
    cr_assert_eq(kw_client_poll(client, 0), KW_ERR_IO);
    cr_assert_eq(kw_client_process(client, 0), KW_ERR_IO);
    cr_assert_eq(kw_wait(client, kw_flush(producer, -1, NULL), &err), KW_ERR_IO);
    cr_assert_eq(err.os_err, EINVAL);
    cr_assert(core->op_canceled);
    kw_client_destroy(client);
}

/* ---- producing ------------------------------------------------------------------------ */

struct producing {
    struct kw_client *client;
    struct kw_core *core;
    struct kw_topic *topic;
    int listener, server;
    struct kw_record record;
};

static struct producing producing(bool writes)
{
    struct producing p = {0};
    struct kw_producer *producer;
    uint16_t port;
    fault_reset();
    p.listener = peer_listen(&port);
    p.client = fake_client(&fault_sys);
    p.core = fake_core(p.client);
    p.core->produce_writes = writes;
    fake_open(p.core, 1, port);
    UNTIL(p.client, p.core->conns[1].n_opened == 1);
    p.server = peer_accept(p.listener);
    cr_assert_eq(kw_producer_create(&producer, p.client, NULL, NULL), 0);
    cr_assert_eq(kw_topic_open(&p.topic, producer, "t", NULL), 0);
    foreign_settle(p.client);
    return p;
}

static void producing_end(struct producing *p)
{
    kw_client_destroy(p->client);
    close(p->server);
    close(p->listener);
}

Test(driver_turn, produce_makes_one_write_and_reads_nothing)
{
    struct producing p = producing(true);
    peer_write(p.server, "answer", 6);
    fake_send(p.core, 1, "batch", 5);
    int n_recvs = fault_count(CALL_RECV), n_sends = fault_count(CALL_SENDMSG);
    int n_steps = p.core->n_steps;
    cr_assert_eq(kw_produce(p.topic, &p.record), 0);
    cr_assert_eq(p.core->conns[1].written, 5);
    cr_assert(p.core->conns[1].idle, "the writing is the core's again");
    cr_assert_eq(fault_count(CALL_SENDMSG), n_sends + 1);
    cr_assert_eq(fault_count(CALL_RECV), n_recvs);
    cr_assert_eq(p.core->conns[1].in_len, 0);
    cr_assert_eq(p.core->n_steps, n_steps + 1);
    cr_assert_eq(p.core->attention, 0);
    producing_end(&p);
}

Test(driver_turn, produce_leaves_to_the_next_turn_what_one_write_does_not_take)
{
    struct producing p = producing(true);
    char buf[8];
    fault_short(CALL_SENDMSG, 3);
    fake_send(p.core, 1, "batch", 5);
    cr_assert_eq(kw_produce(p.topic, &p.record), 0);
    cr_assert_eq(p.core->conns[1].written, 3);
    cr_assert(foreign_sleep(p.client, 1000), "the descriptor tells of it");
    cr_assert_eq(p.core->conns[1].written, 5);
    cr_assert_eq(peer_read(p.server, buf, sizeof(buf)), 5);
    producing_end(&p);
}

/* A codec's work is for a turn: the host is woken for it, and does not sleep until some
 * deadline. */
Test(driver_turn, produce_wakes_the_host_for_what_only_a_turn_can_do)
{
    struct producing p = producing(true);
    struct kw_work work = {.left = 1};
    struct pollfd entry = {.fd = kw_client_fd(p.client), .events = POLLIN};
    want_work(p.core, &work);
    cr_assert_eq(kw_produce(p.topic, &p.record), 0);
    cr_assert_eq(poll(&entry, 1, 1000), 1);
    cr_assert_geq(kw_client_process(p.client, 0), 0);
    cr_assert_eq(work.n_slices, 1);
    producing_end(&p);
}

Test(driver_turn, produce_ends_no_connection)
{
    struct producing p = producing(true);
    fault_plan(CALL_SENDMSG, 0, 1, EPIPE);
    fake_send(p.core, 1, "batch", 5);
    cr_assert_eq(kw_produce(p.topic, &p.record), 0);
    cr_assert_eq(p.core->conns[1].n_closed, 0);
    UNTIL(p.client, p.core->conns[1].n_closed == 1);
    cr_assert_eq(p.core->conns[1].cause.os_err, EPIPE);
    producing_end(&p);
}

Test(driver_turn, produce_without_produce_writes_only_wakes_the_host)
{
    struct producing p = producing(false);
    fake_send(p.core, 1, "batch", 5);
    int n_sends = fault_count(CALL_SENDMSG);
    cr_assert_eq(kw_produce(p.topic, &p.record), 0);
    cr_assert_eq(fault_count(CALL_SENDMSG), n_sends);
    cr_assert(foreign_sleep(p.client, 1000));
    cr_assert_eq(p.core->conns[1].written, 5);
    producing_end(&p);
}

Test(driver_turn, a_deadline_that_produce_brought_forward_wakes_a_sleeping_host)
{
    struct producing p = producing(true);
    p.core->attention |= KW_ATT_TIME; /* a batch was opened: linger begins */
    p.core->deadline_us = now_us(p.client) + 20000;
    cr_assert_eq(kw_produce(p.topic, &p.record), 0);
    for (int i = 0; i < 5 && p.core->n_due == 0; i++)
        cr_assert(foreign_sleep(p.client, 2000));
    cr_assert_eq(p.core->n_due, 1);
    producing_end(&p);
}

Test(driver_turn, produce_passes_errors_on_and_produce_many_stops_at_the_first)
{
    struct producing p = producing(true);
    struct kw_record records[5] = {0};
    size_t accepted = 99;
    cr_assert_eq(kw_produce_many(p.topic, records, 5, &accepted), 0);
    cr_assert_eq(accepted, 5);
    p.core->produce_rc = KW_ERR_WOULD_BLOCK;
    cr_assert_eq(kw_produce(p.topic, &p.record), KW_ERR_WOULD_BLOCK);
    int n_produced = p.core->n_produced;
    cr_assert_eq(kw_produce_many(p.topic, records, 5, &accepted), KW_ERR_WOULD_BLOCK);
    cr_assert_eq(accepted, 0);
    cr_assert_eq(p.core->n_produced, n_produced + 1);
    producing_end(&p);
}
