/* covers: N28 N29 N30
 * Each system call of the driver fails once, with each errno, at each place of
 * a conversation; the next attempt to connect carries it on. Nothing may hang,
 * leak a descriptor, or be told twice (the fake core asserts that). */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/client.h"
#include "tests/net/fake_core.h"
#include "tests/net/faults.h"

enum { N_ECHOES = 3, N_TURNS = 400 };

/* The broker's side: takes connections as they come, sends back what it reads. */
struct echo {
    int listener;
    int fds[FAKE_CONNS];
    size_t n_fds;
};

static void echo_turn(struct echo *echo)
{
    struct pollfd entry = {.fd = echo->listener, .events = POLLIN};
    char buf[64];
    if (poll(&entry, 1, 0) > 0) {
        cr_assert_lt(echo->n_fds, FAKE_CONNS);
        echo->fds[echo->n_fds++] = peer_accept(echo->listener);
    }
    for (size_t i = 0; i < echo->n_fds; i++) {
        long n = peer_read(echo->fds[i], buf, sizeof(buf));
        if (n > 0)
            send(echo->fds[i], buf, (size_t)n, MSG_NOSIGNAL);
    }
}

/* Says "ping" and hears it, three times, over as many connections as it takes.
 * Returns how many connections that were; 0 if it did not get there. */
static uint32_t converse(struct kw_client *client, struct echo *echo, uint16_t port)
{
    struct kw_core *core = fake_core(client);
    uint32_t id = 1;
    int n_echoes = 0;
    bool said = false;
    fake_open(core, id, port);
    for (int turn = 0; turn < N_TURNS; turn++) {
        struct fake_conn *conn = &core->conns[id];
        if (conn->n_closed) {
            if (++id == FAKE_CONNS)
                return 0;
            fake_open(core, id, port);
            said = false;
        } else if (conn->n_opened && !said) {
            fake_send(core, id, "ping", 4);
            said = true;
        } else if (said && conn->in_len == conn->out_len) {
            cr_assert_arr_eq(conn->in + conn->in_len - 4, "ping", 4);
            said = false;
            if (++n_echoes == N_ECHOES) {
                fake_want(core, KW_WANT_CLOSE, id);
                while (!conn->n_closed && turn++ < N_TURNS)
                    (void)kw_client_poll(client, 1);
                return conn->n_closed ? id : 0;
            }
        }
        int rc = kw_client_poll(client, 1);
        cr_assert(rc >= 0 || rc == KW_ERR_IO);
        echo_turn(echo);
    }
    return 0;
}

/* One conversation with a planned fault; call N_CALLS: none. Returns the number
 * of connections it took. */
static uint32_t one_run(enum fault_call call, int skip, int os_err, bool late)
{
    struct echo echo = {0};
    uint16_t port;
    echo.listener = peer_listen(&port);
    fault_reset();
    struct kw_client *client = fake_client(&fault_sys);
    int n_open = fault_n_open();
    if (call != N_CALLS && late)
        fault_plan_late(call, skip, 1, os_err);
    else if (call != N_CALLS)
        fault_plan(call, skip, 1, os_err);
    uint32_t n_conns = converse(client, &echo, port);
    cr_assert_neq(n_conns, 0, "call %d, errno %d, after %d: it did not recover", (int)call, os_err,
                  skip);
    cr_assert_eq(fault_n_open(), n_open, "call %d, errno %d, after %d: leak", (int)call, os_err,
                 skip);
    kw_client_destroy(client);
    cr_assert_eq(fault_n_open(), 0);
    for (size_t i = 0; i < echo.n_fds; i++)
        close(echo.fds[i]);
    close(echo.listener);
    return n_conns;
}

static void sweep(enum fault_call call, const int *errs, size_t n_errs)
{
    cr_assert_eq(one_run(N_CALLS, 0, 0, false), 1, "without a fault one connection does");
    int n_calls = fault_count(call);
    for (size_t i = 0; i < n_errs; i++) {
        for (int skip = 0; skip <= n_calls; skip++)
            one_run(call, skip, errs[i], false);
    }
}
#define SWEEP(call, ...)                                   \
    do {                                                   \
        const int errs[] = {__VA_ARGS__};                  \
        sweep(call, errs, sizeof(errs) / sizeof(errs[0])); \
    } while (0)

Test(driver_faults, of_making_a_connection, .timeout = 120)
{
    SWEEP(CALL_SOCKET, EMFILE, ENFILE, ENOBUFS, ENOMEM, EAFNOSUPPORT);
    SWEEP(CALL_CONNECT, EAGAIN, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, ENOBUFS);
    one_run(CALL_CONNECT, 0, EINTR, true); /* it goes on without us */
    SWEEP(CALL_GETSOCKOPT, EINTR, ENOBUFS, ENOMEM);
    SWEEP(CALL_SETSOCKOPT, EINVAL, ENOMEM);
}

Test(driver_faults, of_moving_bytes, .timeout = 120)
{
    SWEEP(CALL_RECV, EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, ENOBUFS, ENOMEM, EPIPE);
    SWEEP(CALL_SENDMSG, EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, ENOBUFS, ENOMEM, EPIPE);
}

Test(driver_faults, of_waiting, .timeout = 120)
{
    SWEEP(CALL_EPOLL_CTL, EINTR, ENOMEM, ENOSPC);
    SWEEP(CALL_EPOLL_WAIT, EINTR, EINVAL);
    SWEEP(CALL_TIMERFD_SETTIME, EINTR, ECANCELED);
    SWEEP(CALL_READ, EINTR, EAGAIN);
    SWEEP(CALL_WRITE, EINTR, EAGAIN);
}

Test(driver_faults, of_closing_which_closes_all_the_same)
{
    one_run(CALL_CLOSE, 0, EINTR, true);
    one_run(CALL_CLOSE, 0, EIO, true);
}
