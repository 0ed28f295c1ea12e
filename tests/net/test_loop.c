/* covers: L05 L09 N28 N29 N30 N31
 * The event loop over socketpairs: readiness, removal in the middle of a round,
 * the deadline, wake-ups, the one descriptor for a foreign loop, and each of
 * its system calls failing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/list.h"
#include "net/loop/loop.h"
#include "tests/net/faults.h"

static void *host_alloc(void *ctx, size_t size)
{
    bool *refuse = ctx;
    return refuse && *refuse ? NULL : malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static struct kw_loop *new_loop(void)
{
    struct kw_alloc alloc = {host_alloc, host_free, NULL};
    struct kw_loop *loop;
    int os_err = 0;
    fault_reset();
    cr_assert_eq(kwi_loop_create(&loop, &alloc, &fault_sys, &os_err), 0, "errno %d", os_err);
    return loop;
}

static int run(struct kw_loop *loop, int32_t timeout_ms)
{
    int os_err = 0;
    int n = kwi_loop_run_once(loop, timeout_ms, &os_err);
    cr_assert_geq(n, 0, "errno %d", os_err);
    return n;
}

static uint64_t now_us(const struct kw_loop *loop)
{
    struct kw_time now;
    kwi_loop_now(loop, &now);
    return now.mono_us;
}

/* One end of a socketpair in the loop; the other end is the test's. */
struct end {
    struct kw_loop_fd watch;
    struct kw_loop *loop;
    int other;
    int n_ready;
    unsigned events; /* of the last call */
    void (*on_ready)(struct end *end);
};

static void end_ready(struct kw_loop_fd *watch, unsigned events)
{
    struct end *end = KWI_OF(watch, struct end, watch);
    end->n_ready++;
    end->events = events;
    if (end->on_ready)
        end->on_ready(end);
}

static struct end *new_end(struct kw_loop *loop, unsigned events)
{
    struct end *end = calloc(1, sizeof(*end));
    int fds[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    end->watch.fd = fds[0];
    end->watch.ready = end_ready;
    end->other = fds[1];
    end->loop = loop;
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, events, NULL), 0);
    return end;
}

static void free_end(struct end *end)
{
    kwi_loop_unwatch(end->loop, &end->watch);
    close(end->watch.fd);
    if (end->other >= 0)
        close(end->other);
    free(end);
}

static void send_byte(struct end *end)
{
    cr_assert_eq(write(end->other, "x", 1), 1);
}

static void take_byte(struct end *end)
{
    char byte;
    cr_assert_eq(read(end->watch.fd, &byte, 1), 1);
}

Test(loop, readiness_is_reported_until_the_bytes_are_taken)
{
    struct kw_loop *loop = new_loop();
    struct end *end = new_end(loop, KWI_LOOP_READ);
    cr_assert_eq(run(loop, 0), 0);
    send_byte(end);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(end->events, KWI_LOOP_READ);
    cr_assert_eq(run(loop, 0), 1);
    take_byte(end);
    cr_assert_eq(run(loop, 0), 0);
    cr_assert_eq(end->n_ready, 2);
    free_end(end);
    kwi_loop_destroy(loop);
    cr_assert_eq(fault_n_open(), 0);
}

Test(loop, only_what_was_asked_for_is_reported)
{
    struct kw_loop *loop = new_loop();
    struct end *end = new_end(loop, KWI_LOOP_WRITE);
    send_byte(end);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(end->events, KWI_LOOP_WRITE);
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, KWI_LOOP_READ | KWI_LOOP_WRITE, NULL), 0);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(end->events, KWI_LOOP_READ | KWI_LOOP_WRITE);
    int n_ctl = fault_count(CALL_EPOLL_CTL);
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, KWI_LOOP_READ | KWI_LOOP_WRITE, NULL), 0);
    cr_assert_eq(fault_count(CALL_EPOLL_CTL), n_ctl, "nothing changed, nothing is called");
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, 0, NULL), 0);
    cr_assert_eq(run(loop, 0), 0);
    free_end(end);
    kwi_loop_destroy(loop);
}

Test(loop, a_dead_peer_is_an_error_along_with_what_was_asked_for)
{
    struct kw_loop *loop = new_loop();
    struct end *reader = new_end(loop, KWI_LOOP_READ);
    struct end *writer = new_end(loop, KWI_LOOP_WRITE);
    close(reader->other);
    close(writer->other);
    reader->other = writer->other = -1;
    cr_assert_eq(run(loop, -1), 2);
    cr_assert_eq(reader->events, KWI_LOOP_READ | KWI_LOOP_ERROR);
    cr_assert_eq(writer->events, KWI_LOOP_WRITE | KWI_LOOP_ERROR);
    free_end(reader);
    free_end(writer);
    kwi_loop_destroy(loop);
}

Test(loop, a_dead_peer_that_nobody_watches_does_not_make_the_loop_spin)
{
    struct kw_loop *loop = new_loop();
    struct end *end = new_end(loop, KWI_LOOP_READ);
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, 0, NULL), 0);
    close(end->other);
    end->other = -1;
    cr_assert_eq(run(loop, 0), 0);
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, KWI_LOOP_READ, NULL), 0);
    cr_assert_eq(run(loop, 0), 1);
    free_end(end);
    kwi_loop_destroy(loop);
}

Test(loop, more_descriptors_than_one_round_holds_are_all_served)
{
    enum { N = 150 };
    struct kw_loop *loop = new_loop();
    struct end *ends[N];
    for (int i = 0; i < N; i++) {
        ends[i] = new_end(loop, KWI_LOOP_READ);
        ends[i]->on_ready = take_byte;
        send_byte(ends[i]);
    }
    int n = 0;
    for (int rounds = 0; rounds < 3; rounds++)
        n += run(loop, 0);
    cr_assert_eq(n, N);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(ends[i]->n_ready, 1);
        free_end(ends[i]);
    }
    kwi_loop_destroy(loop);
}

/* ---- removal in the middle of a round -------------------------------------- */

static struct end *pair[2];
static struct end *successor;
static int n_calls;

static void free_both(struct end *end)
{
    (void)end;
    n_calls++;
    free_end(pair[0]);
    free_end(pair[1]);
}

Test(loop, a_callback_may_free_itself_and_another_that_is_ready_too)
{
    struct kw_loop *loop = new_loop();
    for (int i = 0; i < 2; i++) {
        pair[i] = new_end(loop, KWI_LOOP_READ);
        pair[i]->on_ready = free_both;
        send_byte(pair[i]);
    }
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(n_calls, 1);
    cr_assert_eq(run(loop, 0), 0);
    kwi_loop_destroy(loop);
}

/* Ends the other one and gives its descriptor number to a new watch. */
static void replace_other(struct end *end)
{
    struct end *other = pair[0] == end ? pair[1] : pair[0];
    int number = other->watch.fd;
    take_byte(end);
    free_end(other);
    successor = new_end(end->loop, KWI_LOOP_READ);
    int old = successor->watch.fd;
    kwi_loop_unwatch(end->loop, &successor->watch);
    if (successor->other == number) {
        successor->watch.fd = successor->other;
        successor->other = old;
    }
    cr_assert_eq(successor->watch.fd, number, "the number is used again");
    cr_assert_eq(kwi_loop_watch(end->loop, &successor->watch, KWI_LOOP_READ, NULL), 0);
    pair[0] = end;
}

Test(loop, an_event_of_a_closed_descriptor_does_not_reach_the_next_of_its_number)
{
    struct kw_loop *loop = new_loop();
    for (int i = 0; i < 2; i++) {
        pair[i] = new_end(loop, KWI_LOOP_READ);
        pair[i]->on_ready = replace_other;
        send_byte(pair[i]);
    }
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(successor->n_ready, 0);
    send_byte(successor);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(successor->n_ready, 1);
    free_end(successor);
    free_end(pair[0]);
    kwi_loop_destroy(loop);
}

static void stop_other_reading(struct end *end)
{
    struct end *other = pair[0] == end ? pair[1] : pair[0];
    take_byte(end);
    cr_assert_eq(kwi_loop_watch(end->loop, &other->watch, KWI_LOOP_WRITE, NULL), 0);
}

Test(loop, interest_given_up_within_a_round_is_not_reported_in_it)
{
    struct kw_loop *loop = new_loop();
    for (int i = 0; i < 2; i++) {
        pair[i] = new_end(loop, KWI_LOOP_READ);
        pair[i]->on_ready = stop_other_reading;
        send_byte(pair[i]);
    }
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(pair[0]->n_ready + pair[1]->n_ready, 1);
    free_end(pair[0]);
    free_end(pair[1]);
    kwi_loop_destroy(loop);
}

/* ---- the deadline ------------------------------------------------------------ */

Test(loop, the_deadline_ends_the_wait_and_not_before)
{
    struct kw_loop *loop = new_loop();
    for (uint64_t wait_us = 100; wait_us < 20000; wait_us *= 3) {
        uint64_t deadline_us = now_us(loop) + wait_us;
        kwi_loop_set_deadline(loop, deadline_us);
        cr_assert_eq(run(loop, -1), 1);
        cr_assert_geq(now_us(loop), deadline_us);
        cr_assert_eq(run(loop, 0), 0, "a passed deadline is gone");
    }
    kwi_loop_destroy(loop);
}

Test(loop, a_deadline_in_the_past_returns_at_once)
{
    struct kw_loop *loop = new_loop();
    kwi_loop_set_deadline(loop, 1);
    cr_assert_eq(run(loop, -1), 1);
    kwi_loop_set_deadline(loop, 0);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(run(loop, 0), 0);
    cr_assert_not(poll(&(struct pollfd){kwi_loop_fd(loop), POLLIN, 0}, 1, 0));
    kwi_loop_set_deadline(loop, 0);
    cr_assert_eq(poll(&(struct pollfd){kwi_loop_fd(loop), POLLIN, 0}, 1, 10000), 1);
    cr_assert_eq(run(loop, 0), 1);
    kwi_loop_destroy(loop);
}

Test(loop, an_earlier_deadline_replaces_a_later_one)
{
    struct kw_loop *loop = new_loop();
    kwi_loop_set_deadline(loop, now_us(loop) + 3600000000u);
    cr_assert_eq(run(loop, 1), 0);
    kwi_loop_set_deadline(loop, now_us(loop) + 1000);
    cr_assert_eq(run(loop, -1), 1);
    kwi_loop_destroy(loop);
}

Test(loop, moving_the_deadline_back_costs_no_call_and_is_still_kept)
{
    struct kw_loop *loop = new_loop();
    uint64_t start = now_us(loop);
    kwi_loop_set_deadline(loop, start + 2000);
    int fd = kwi_loop_fd(loop); /* asked for once; a host need not ask again */
    cr_assert_eq(fault_count(CALL_TIMERFD_SETTIME), 1);
    for (uint64_t i = 1; i <= 100; i++)
        kwi_loop_set_deadline(loop, start + 2000 + i * 100);
    cr_assert_eq(fault_count(CALL_TIMERFD_SETTIME), 1);
    int n = 0, rounds = 0;
    for (; n == 0; rounds++) {
        cr_assert_eq(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 10000), 1);
        n = run(loop, 0);
    }
    cr_assert_eq(n, 1);
    cr_assert_geq(now_us(loop), start + 12000);
    cr_assert_leq(rounds, 2);
    cr_assert_leq(fault_count(CALL_TIMERFD_SETTIME), 2);
    kwi_loop_destroy(loop);
}

/* A program that sleeps for minutes is not woken for a deadline that is gone. */
Test(loop, a_deadline_that_moves_far_back_or_away_wakes_nobody)
{
    struct kw_loop *loop = new_loop();
    int fd = kwi_loop_fd(loop);
    for (int away = 0; away < 2; away++) {
        kwi_loop_set_deadline(loop, now_us(loop) + 20000);
        kwi_loop_set_deadline(loop, away ? UINT64_MAX : now_us(loop) + 3600000000u);
        cr_assert_eq(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 60), 0);
    }
    kwi_loop_set_deadline(loop, now_us(loop) + 1000);
    cr_assert_eq(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 10000), 1);
    kwi_loop_destroy(loop);
}

Test(loop, no_deadline_and_the_latest_possible_one_never_ring)
{
    struct kw_loop *loop = new_loop();
    kwi_loop_set_deadline(loop, UINT64_MAX - 1);
    cr_assert_eq(run(loop, 3), 0);
    kwi_loop_set_deadline(loop, UINT64_MAX);
    cr_assert_eq(run(loop, 3), 0);
    kwi_loop_destroy(loop);
}

static void set_next_deadline(struct end *end)
{
    take_byte(end);
    kwi_loop_set_deadline(end->loop, 0);
}

Test(loop, a_deadline_set_by_a_callback_is_not_lost)
{
    struct kw_loop *loop = new_loop();
    struct end *end = new_end(loop, KWI_LOOP_READ);
    end->on_ready = set_next_deadline;
    kwi_loop_set_deadline(loop, 0);
    send_byte(end);
    cr_assert_eq(run(loop, -1), 2);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(run(loop, 0), 0);
    free_end(end);
    kwi_loop_destroy(loop);
}

/* ---- wake-ups ---------------------------------------------------------------- */

Test(loop, many_wake_ups_cost_one_call_and_end_one_wait)
{
    struct kw_loop *loop = new_loop();
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 50; i++)
            kwi_loop_wake(loop);
        cr_assert_eq(fault_count(CALL_WRITE), round);
        cr_assert_eq(run(loop, -1), 1);
        cr_assert_eq(run(loop, 0), 0);
    }
    kwi_loop_destroy(loop);
}

static void *wake_often(void *arg)
{
    for (int i = 0; i < 2000; i++)
        kwi_loop_wake(arg);
    return NULL;
}

Test(loop, a_wake_up_of_another_thread_is_never_lost, .timeout = 60)
{
    struct kw_loop *loop = new_loop();
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, wake_often, loop), 0);
        cr_assert_eq(run(loop, -1), 1);
        while (run(loop, 1) > 0)
            continue;
        pthread_join(thread, NULL);
        while (run(loop, 0) > 0)
            continue;
        /* Whatever the timing was, the next one must come through. */
        kwi_loop_wake(loop);
        cr_assert_eq(run(loop, -1), 1);
    }
    kwi_loop_destroy(loop);
}

static struct kw_loop *signal_loop;

static void on_alarm(int number)
{
    (void)number;
    errno = 77;
    kwi_loop_wake(signal_loop);
    if (errno != 77)
        _exit(99);
}

Test(loop, a_signal_handler_may_wake_the_loop, .timeout = 60)
{
    signal_loop = new_loop();
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {.it_value.tv_usec = 3000};
    fault_plan(CALL_WRITE, 0, 3, EINTR);
    setitimer(ITIMER_REAL, &soon, NULL);
    int n = run(signal_loop, -1);
    if (n == 0) /* the signal itself ended the wait */
        n = run(signal_loop, -1);
    cr_assert_eq(n, 1);
    cr_assert_eq(run(signal_loop, 0), 0);
    kwi_loop_destroy(signal_loop);
}

/* ---- the one descriptor ------------------------------------------------------- */

/* What a foreign loop would see of the descriptor: 1 readable, 0 not. */
static int outer_wait(int outer, int timeout_ms)
{
    struct epoll_event event;
    return epoll_wait(outer, &event, 1, timeout_ms);
}

static void foreign_loop(uint32_t trigger)
{
    struct kw_loop *loop = new_loop();
    struct end *end = new_end(loop, KWI_LOOP_READ);
    end->on_ready = take_byte;
    int outer = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | trigger};
    cr_assert_eq(epoll_ctl(outer, EPOLL_CTL_ADD, kwi_loop_fd(loop), &event), 0);
    cr_assert_eq(outer_wait(outer, 0), 0);
    for (int i = 0; i < 5; i++) {
        send_byte(end);
        cr_assert_eq(outer_wait(outer, -1), 1, "a socket");
        cr_assert_eq(run(loop, 0), 1);
        cr_assert_eq(outer_wait(outer, 0), 0);
        kwi_loop_set_deadline(loop, now_us(loop) + 500);
        cr_assert_eq(outer_wait(outer, -1), 1, "nothing but the deadline");
        cr_assert_eq(run(loop, 0), 1);
        cr_assert_eq(outer_wait(outer, 0), 0);
        kwi_loop_wake(loop);
        cr_assert_eq(outer_wait(outer, -1), 1, "a wake-up");
        cr_assert_eq(run(loop, 0), 1);
        cr_assert_eq(outer_wait(outer, 0), 0);
    }
    free_end(end);
    /* A descriptor that comes later is seen through the same one. */
    end = new_end(loop, KWI_LOOP_READ);
    send_byte(end);
    cr_assert_eq(outer_wait(outer, -1), 1);
    free_end(end);
    close(outer);
    kwi_loop_destroy(loop);
}

Test(loop, a_level_triggered_foreign_loop_sees_everything_through_one_descriptor, .timeout = 60)
{
    foreign_loop(0);
}

Test(loop, an_edge_triggered_foreign_loop_sees_everything_through_one_descriptor, .timeout = 60)
{
    foreign_loop(EPOLLET);
}

/* ---- failing calls ------------------------------------------------------------- */

Test(loop, each_call_of_create_may_fail_and_nothing_leaks)
{
    static const struct {
        enum fault_call call;
        int skip;
    } places[] = {
        {CALL_EPOLL_CREATE, 0}, {CALL_EVENTFD, 0},   {CALL_TIMERFD_CREATE, 0},
        {CALL_EPOLL_CTL, 0},    {CALL_EPOLL_CTL, 1},
    };
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC};
    struct kw_alloc alloc = {host_alloc, host_free, NULL};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t j = 0; j < sizeof(errors) / sizeof(errors[0]); j++) {
            struct kw_loop *loop = (struct kw_loop *)&alloc;
            int os_err = 0;
            fault_reset();
            fault_plan(places[i].call, places[i].skip, 1, errors[j]);
            cr_assert_eq(kwi_loop_create(&loop, &alloc, &fault_sys, &os_err), KW_ERR_IO);
            cr_assert_eq(os_err, errors[j]);
            cr_assert_null(loop);
            cr_assert_eq(fault_n_open(), 0);
        }
    }
    bool refuse = true;
    struct kw_loop *loop;
    alloc.ctx = &refuse;
    cr_assert_eq(kwi_loop_create(&loop, &alloc, NULL, NULL), KW_ERR_NOMEM);
}

Test(loop, without_a_clock_that_counts_suspend_the_other_one_serves)
{
    struct kw_alloc alloc = {host_alloc, host_free, NULL};
    struct kw_loop *loop;
    fault_reset();
    fault_plan(CALL_TIMERFD_CREATE, 0, 1, EINVAL);
    cr_assert_eq(kwi_loop_create(&loop, &alloc, &fault_sys, NULL), 0);
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t before = (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
    uint64_t now = now_us(loop);
    cr_assert(now >= before && now < before + 10000000);
    kwi_loop_set_deadline(loop, now + 1000);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_geq(now_us(loop), now + 1000);
    kwi_loop_destroy(loop);
}

Test(loop, a_signal_ends_the_wait_without_an_error)
{
    struct kw_loop *loop = new_loop();
    fault_plan(CALL_EPOLL_WAIT, 0, 1, EINTR);
    cr_assert_eq(run(loop, -1), 0);
    kwi_loop_wake(loop);
    cr_assert_eq(run(loop, -1), 1);
    kwi_loop_destroy(loop);
}

Test(loop, every_other_call_is_made_again_after_a_signal)
{
    struct kw_loop *loop = new_loop();
    fault_plan(CALL_EPOLL_CTL, 0, 2, EINTR);
    struct end *end = new_end(loop, KWI_LOOP_READ);
    send_byte(end);
    cr_assert_eq(run(loop, -1), 1);
    take_byte(end);
    fault_plan(CALL_TIMERFD_SETTIME, 0, 2, EINTR);
    fault_plan(CALL_READ, 0, 2, EINTR);
    kwi_loop_set_deadline(loop, now_us(loop) + 500);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(run(loop, 0), 0);
    fault_plan(CALL_WRITE, 0, 2, EINTR);
    fault_plan(CALL_READ, 0, 2, EINTR);
    kwi_loop_wake(loop);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(run(loop, 0), 0);
    fault_plan(CALL_EPOLL_CTL, 0, 2, EINTR);
    send_byte(end);
    kwi_loop_unwatch(loop, &end->watch);
    cr_assert_eq(run(loop, 0), 0);
    free_end(end);
    kwi_loop_destroy(loop);
}

Test(loop, a_refused_watch_changes_nothing_and_can_be_tried_again)
{
    struct kw_loop *loop = new_loop();
    struct end *end = new_end(loop, 0);
    int os_err = 0;
    send_byte(end);
    fault_plan(CALL_EPOLL_CTL, 0, 1, ENOSPC);
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, KWI_LOOP_READ, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, ENOSPC);
    cr_assert_eq(run(loop, 0), 0);
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, KWI_LOOP_READ, &os_err), 0);
    fault_plan(CALL_EPOLL_CTL, 0, 1, ENOMEM);
    cr_assert_eq(kwi_loop_watch(loop, &end->watch, KWI_LOOP_WRITE, &os_err), KW_ERR_IO);
    cr_assert_eq(run(loop, -1), 1);
    cr_assert_eq(end->events, KWI_LOOP_READ);
    free_end(end);
    kwi_loop_destroy(loop);
}

Test(loop, a_failed_wait_or_timer_is_reported_and_the_loop_goes_on)
{
    struct kw_loop *loop = new_loop();
    int os_err = 0;
    fault_plan(CALL_EPOLL_WAIT, 0, 1, ENOMEM);
    cr_assert_eq(kwi_loop_run_once(loop, -1, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, ENOMEM);
    kwi_loop_set_deadline(loop, now_us(loop) + 500);
    fault_plan(CALL_TIMERFD_SETTIME, 0, 1, ENOMEM);
    cr_assert_eq(kwi_loop_run_once(loop, -1, NULL), KW_ERR_IO);
    cr_assert_eq(run(loop, -1), 1);
    kwi_loop_destroy(loop);
}

Test(loop, both_clocks_are_the_systems)
{
    struct kw_loop *loop = new_loop();
    struct kw_time now;
    struct timespec boot, wall;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_REALTIME, &wall);
    kwi_loop_now(loop, &now);
    uint64_t boot_us = (uint64_t)boot.tv_sec * 1000000 + (uint64_t)boot.tv_nsec / 1000;
    int64_t wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    cr_assert(now.mono_us >= boot_us && now.mono_us < boot_us + 60000000);
    cr_assert(now.wall_ms > wall_ms - 60000 && now.wall_ms < wall_ms + 60000);
    kwi_loop_destroy(loop);
    kwi_loop_destroy(NULL);
}
