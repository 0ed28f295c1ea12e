/* covers: N28 N29 N30
 * TCP over the loopback: connect, accept, read and write, and each of their
 * system calls failing, being interrupted or moving fewer bytes than asked. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "net/loop/socket.h"
#include "tests/net/faults.h"

static const struct kw_sys *sys = &fault_sys;

static void wait_for(int fd, short events)
{
    struct pollfd item = {fd, events, 0};
    while (poll(&item, 1, 20000) < 0 && errno == EINTR)
        continue;
    cr_assert(item.revents, "nothing happened in 20 s");
}

static struct kw_addr address(const char *text, uint16_t port)
{
    struct kw_addr addr;
    cr_assert(kwi_addr_parse(&addr, text, port));
    return addr;
}

static int listen_on(const char *text, struct kw_addr *bound)
{
    struct kw_addr addr = address(text, 0);
    int fd, os_err = 0;
    int err = kwi_socket_listen(sys, &addr, &fd, bound, &os_err);
    if (err && addr.family == 6)
        cr_skip_test("this machine has no IPv6");
    cr_assert_eq(err, 0, "errno %d", os_err);
    cr_assert_neq(bound->port, 0);
    return fd;
}

static int connect_to(const struct kw_addr *addr, unsigned flags)
{
    int fd, os_err = 0;
    int err = kwi_socket_connect(sys, addr, flags, &fd, &os_err);
    while (err == KW_ERR_WOULD_BLOCK) {
        wait_for(fd, POLLOUT);
        err = kwi_socket_connected(sys, fd, &os_err);
    }
    cr_assert_eq(err, 0, "errno %d", os_err);
    return fd;
}

static int accept_from(int listener, struct kw_addr *peer)
{
    int fd, os_err = 0;
    wait_for(listener, POLLIN);
    cr_assert_eq(kwi_socket_accept(sys, listener, &fd, peer, &os_err), 0, "errno %d", os_err);
    return fd;
}

/* Two ends of one connection. */
struct link {
    int listener, client, server;
    struct kw_addr addr;
};

static struct link new_link(void)
{
    struct link link;
    fault_reset();
    link.listener = listen_on("127.0.0.1", &link.addr);
    link.client = connect_to(&link.addr, 0);
    link.server = accept_from(link.listener, NULL);
    return link;
}

static void free_link(struct link *link)
{
    kwi_socket_close(sys, link->client);
    kwi_socket_close(sys, link->server);
    kwi_socket_close(sys, link->listener);
    cr_assert_eq(fault_n_open(), 0);
}

static int write_text(int fd, const char *text, size_t *n, int *os_err)
{
    char *copy = malloc(strlen(text));
    memcpy(copy, text, strlen(text));
    struct kw_iov iov = {copy, strlen(text)};
    int err = kwi_socket_write(sys, fd, &iov, 1, n, os_err);
    free(copy);
    return err;
}

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);
    cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

/* ---- plain use ------------------------------------------------------------------ */

static void talk_over(const char *host)
{
    fault_reset();
    struct kw_addr addr, peer, own = {0};
    int listener = listen_on(host, &addr);
    int client = connect_to(&addr, KWI_SOCKET_KEEPALIVE);
    int server = accept_from(listener, &peer);
    struct sockaddr_in6 name;
    socklen_t len = sizeof(name);
    cr_assert_eq(getsockname(client, (struct sockaddr *)&name, &len), 0);
    own.port = ntohs(name.sin6_port); /* at the same place in both families */
    cr_assert_eq(peer.port, own.port);
    cr_assert_eq(peer.family, addr.family);
    cr_assert_eq(memcmp(peer.ip, addr.ip, 16), 0);

    char ab[] = {'a', 'b'}, cde[] = {'c', 'd', 'e'}, f = 'f';
    struct kw_iov pieces[] = {{ab, 2}, {NULL, 0}, {cde, 3}, {&f, 1}};
    size_t n = 0;
    cr_assert_eq(kwi_socket_write(sys, client, pieces, 4, &n, NULL), 0);
    cr_assert_eq(n, 6);
    char *buf = malloc(6);
    wait_for(server, POLLIN);
    cr_assert_eq(kwi_socket_read(sys, server, buf, 6, &n, NULL), 0);
    cr_assert_eq(n, 6);
    cr_assert_eq(memcmp(buf, "abcdef", 6), 0);
    cr_assert_eq(kwi_socket_read(sys, server, buf, 6, &n, NULL), KW_ERR_WOULD_BLOCK);
    cr_assert_eq(n, 0);

    kwi_socket_close(sys, client);
    wait_for(server, POLLIN);
    cr_assert_eq(kwi_socket_read(sys, server, buf, 6, &n, NULL), 0);
    cr_assert_eq(n, 0, "the end");
    free(buf);
    kwi_socket_close(sys, server);
    kwi_socket_close(sys, listener);
    cr_assert_eq(fault_n_open(), 0);
}

Test(loop_socket, bytes_go_over_ipv4, .timeout = 60)
{
    talk_over("127.0.0.1");
}

Test(loop_socket, bytes_go_over_ipv6, .timeout = 60)
{
    talk_over("::1");
}

Test(loop_socket, sockets_do_not_block_are_not_inherited_and_do_not_delay, .timeout = 60)
{
    struct link link = new_link();
    int kept = connect_to(&link.addr, KWI_SOCKET_KEEPALIVE);
    int fds[] = {link.listener, link.client, link.server, kept};
    for (int i = 0; i < 4; i++) {
        cr_assert(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        cr_assert(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        if (i > 0)
            cr_assert(option(fds[i], IPPROTO_TCP, TCP_NODELAY));
    }
    cr_assert(option(kept, SOL_SOCKET, SO_KEEPALIVE));
    cr_assert_not(option(link.client, SOL_SOCKET, SO_KEEPALIVE));
    kwi_socket_close(sys, kept);
    free_link(&link);
}

Test(loop_socket, a_listener_without_a_visitor_would_block)
{
    struct kw_addr addr;
    int fd = 5;
    fault_reset();
    int listener = listen_on("127.0.0.1", &addr);
    cr_assert_eq(kwi_socket_accept(sys, listener, &fd, NULL, NULL), KW_ERR_WOULD_BLOCK);
    cr_assert_eq(fd, -1);
    kwi_socket_close(sys, listener);
}

Test(loop_socket, a_port_in_use_is_said_to_be, .timeout = 60)
{
    struct kw_addr addr;
    int fd, os_err = 0;
    fault_reset();
    int listener = listen_on("127.0.0.1", &addr);
    cr_assert_eq(kwi_socket_listen(sys, &addr, &fd, NULL, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, EADDRINUSE);
    cr_assert_eq(fd, -1);
    cr_assert_eq(fault_n_open(), 1);
    kwi_socket_close(sys, listener);
}

Test(loop_socket, numeric_addresses_are_read_and_names_are_not)
{
    struct kw_addr addr;
    cr_assert(kwi_addr_parse(&addr, "10.1.2.3", 9092));
    cr_assert(addr.family == 4 && addr.port == 9092 && addr.scope_id == 0);
    cr_assert_eq(memcmp(addr.ip, "\x0a\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\0\0", 16), 0);
    cr_assert(kwi_addr_parse(&addr, "fe80::1%7", 1));
    cr_assert(addr.family == 6 && addr.scope_id == 7 && addr.ip[0] == 0xfe && addr.ip[15] == 1);
    cr_assert(kwi_addr_parse(&addr, "::ffff:1.2.3.4", 1));
    cr_assert_eq(addr.family, 6);
    cr_assert(kwi_addr_parse(&addr, "fe80::1%lo", 1));
    cr_assert_neq(addr.scope_id, 0);
    static const char *const bad[] = {
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4%1",
        "256.1.1.1",
        ":::1",
        "fe80::1%",
        "fe80::1%no-such-if",
        "[::1]",
        "1.2.3.4 ",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999",
        "1111:2222:3333:4444:5555:6666:255.255.255.255.255.255",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(kwi_addr_parse(&addr, bad[i], 1), "%s", bad[i]);
}

/* ---- connecting fails -------------------------------------------------------------- */

/* A port of this machine where nobody listens. */
static struct kw_addr unused_port(void)
{
    struct kw_addr addr;
    kwi_socket_close(sys, listen_on("127.0.0.1", &addr));
    return addr;
}

Test(loop_socket, a_refused_connection_says_so, .timeout = 60)
{
    fault_reset();
    struct kw_addr addr = unused_port();
    int fd, os_err = 0;
    int err = kwi_socket_connect(sys, &addr, 0, &fd, &os_err);
    if (err == KW_ERR_WOULD_BLOCK) {
        wait_for(fd, POLLOUT);
        err = kwi_socket_connected(sys, fd, &os_err);
        kwi_socket_close(sys, fd);
    }
    cr_assert_eq(err, KW_ERR_IO);
    cr_assert_eq(os_err, ECONNREFUSED);
    cr_assert_eq(fault_n_open(), 0);
}

Test(loop_socket, readiness_before_the_connection_is_up_is_not_taken_for_success)
{
    fault_reset();
    int fd = sys->socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    cr_assert_eq(kwi_socket_connected(sys, fd, NULL), KW_ERR_WOULD_BLOCK);
    kwi_socket_close(sys, fd);
}

Test(loop_socket, a_connection_with_itself_counts_as_refused, .timeout = 60)
{
    fault_reset();
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    int fd = sys->socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&name, len), 0, "it meets itself");
    int os_err = 0;
    cr_assert_eq(kwi_socket_connected(sys, fd, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, ECONNREFUSED);
    kwi_socket_close(sys, fd);
}

Test(loop_socket, a_signal_during_connect_does_not_end_the_attempt, .timeout = 60)
{
    struct kw_addr addr;
    int fd;
    fault_reset();
    int listener = listen_on("127.0.0.1", &addr);
    fault_plan(CALL_SOCKET, 0, 2, EINTR);
    fault_plan_late(CALL_CONNECT, 0, 1, EINTR);
    cr_assert_eq(kwi_socket_connect(sys, &addr, 0, &fd, NULL), KW_ERR_WOULD_BLOCK);
    wait_for(fd, POLLOUT);
    cr_assert_eq(kwi_socket_connected(sys, fd, NULL), 0);
    cr_assert_eq(fault_count(CALL_CONNECT), 1);
    kwi_socket_close(sys, accept_from(listener, NULL));
    kwi_socket_close(sys, fd);
    kwi_socket_close(sys, listener);
    cr_assert_eq(fault_n_open(), 0);
}

Test(loop_socket, whatever_fails_while_connecting_is_told_and_leaks_nothing)
{
    static const struct {
        enum fault_call call;
        int os_err;
    } faults[] = {
        {CALL_SOCKET, EMFILE},        {CALL_SOCKET, ENFILE},       {CALL_SOCKET, ENOBUFS},
        {CALL_SOCKET, ENOMEM},        {CALL_CONNECT, ENOBUFS},     {CALL_CONNECT, ENOMEM},
        {CALL_CONNECT, ECONNREFUSED}, {CALL_CONNECT, ENETUNREACH}, {CALL_CONNECT, EADDRNOTAVAIL},
        {CALL_CONNECT, ETIMEDOUT},    {CALL_CONNECT, EAGAIN},
    };
    struct kw_addr addr = address("127.0.0.1", 9);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        int fd = 7, os_err = 0;
        fault_reset();
        fault_plan(faults[i].call, 0, 1, faults[i].os_err);
        fault_plan(CALL_CLOSE, 0, 1, EIO); /* must not hide the cause */
        cr_assert_eq(kwi_socket_connect(sys, &addr, 0, &fd, &os_err), KW_ERR_IO);
        cr_assert_eq(os_err, faults[i].os_err);
        cr_assert_eq(fd, -1);
        cr_assert_eq(fault_n_open(), 0);
    }
    struct kw_addr none = {0};
    int fd, os_err = 0;
    cr_assert_eq(kwi_socket_connect(sys, &none, 0, &fd, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, EAFNOSUPPORT);
    cr_assert_eq(kwi_socket_listen(sys, &none, &fd, NULL, &os_err), KW_ERR_IO);
}

Test(loop_socket, asking_whether_it_is_up_may_fail_too, .timeout = 60)
{
    struct link link = new_link();
    int os_err = 0;
    fault_plan(CALL_GETSOCKOPT, 0, 1, ENOBUFS);
    cr_assert_eq(kwi_socket_connected(sys, link.client, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, ENOBUFS);
    fault_plan(CALL_GETPEERNAME, 0, 1, ENOTCONN);
    cr_assert_eq(kwi_socket_connected(sys, link.client, &os_err), KW_ERR_WOULD_BLOCK);
    fault_plan(CALL_GETPEERNAME, 0, 1, ENOBUFS);
    cr_assert_eq(kwi_socket_connected(sys, link.client, &os_err), KW_ERR_IO);
    fault_plan(CALL_GETSOCKNAME, 0, 1, ENOBUFS);
    cr_assert_eq(kwi_socket_connected(sys, link.client, &os_err), 0);
    free_link(&link);
}

Test(loop_socket, an_option_that_is_refused_costs_no_connection, .timeout = 60)
{
    fault_reset();
    fault_plan(CALL_SETSOCKOPT, 0, 100, ENOBUFS);
    struct kw_addr addr;
    int listener = listen_on("127.0.0.1", &addr);
    int client = connect_to(&addr, KWI_SOCKET_KEEPALIVE);
    int server = accept_from(listener, NULL);
    size_t n = 0;
    cr_assert_eq(write_text(client, "hi", &n, NULL), 0);
    cr_assert_eq(n, 2);
    cr_assert_eq(fault_count(CALL_SETSOCKOPT), 4);
    kwi_socket_close(sys, client);
    kwi_socket_close(sys, server);
    kwi_socket_close(sys, listener);
}

/* ---- listening and accepting fail --------------------------------------------------- */

Test(loop_socket, whatever_fails_while_listening_is_told_and_leaks_nothing)
{
    static const struct {
        enum fault_call call;
        int os_err;
    } faults[] = {
        {CALL_SOCKET, EMFILE},     {CALL_BIND, EADDRNOTAVAIL},  {CALL_BIND, EACCES},
        {CALL_LISTEN, EADDRINUSE}, {CALL_GETSOCKNAME, ENOBUFS},
    };
    struct kw_addr addr = address("127.0.0.1", 0), bound;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        int fd = 7, os_err = 0;
        fault_reset();
        fault_plan(faults[i].call, 0, 1, faults[i].os_err);
        fault_plan(CALL_CLOSE, 0, 1, EIO);
        cr_assert_eq(kwi_socket_listen(sys, &addr, &fd, &bound, &os_err), KW_ERR_IO);
        cr_assert_eq(os_err, faults[i].os_err);
        cr_assert_eq(fd, -1);
        cr_assert_eq(fault_n_open(), 0);
    }
}

Test(loop_socket, a_visitor_who_left_is_skipped, .timeout = 60)
{
    static const int errors[] = {EINTR, ECONNABORTED, EPROTO, EHOSTUNREACH, ENETDOWN};
    struct kw_addr addr;
    fault_reset();
    int listener = listen_on("127.0.0.1", &addr);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        int client = connect_to(&addr, 0);
        fault_plan(CALL_ACCEPT4, 0, 3, errors[i]);
        kwi_socket_close(sys, accept_from(listener, NULL));
        kwi_socket_close(sys, client);
    }
    int fd, n_before = fault_count(CALL_ACCEPT4);
    fault_plan(CALL_ACCEPT4, 0, 1000, ECONNABORTED);
    cr_assert_eq(kwi_socket_accept(sys, listener, &fd, NULL, NULL), KW_ERR_WOULD_BLOCK);
    cr_assert_leq(fault_count(CALL_ACCEPT4) - n_before, 20, "it does not go on for ever");
    kwi_socket_close(sys, listener);
    cr_assert_eq(fault_n_open(), 0);
}

Test(loop_socket, without_free_descriptors_the_visitor_stays_in_the_queue, .timeout = 60)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    struct kw_addr addr;
    fault_reset();
    int listener = listen_on("127.0.0.1", &addr);
    int client = connect_to(&addr, 0);
    wait_for(listener, POLLIN);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        int fd = 7, os_err = 0;
        fault_plan(CALL_ACCEPT4, 0, 1, errors[i]);
        cr_assert_eq(kwi_socket_accept(sys, listener, &fd, NULL, &os_err), KW_ERR_IO);
        cr_assert_eq(os_err, errors[i]);
        cr_assert_eq(fd, -1);
    }
    kwi_socket_close(sys, accept_from(listener, NULL));
    kwi_socket_close(sys, client);
    kwi_socket_close(sys, listener);
    cr_assert_eq(fault_n_open(), 0);
}

/* ---- reading and writing fail --------------------------------------------------------- */

Test(loop_socket, interrupted_reads_and_writes_are_made_again, .timeout = 60)
{
    struct link link = new_link();
    size_t n = 0;
    char byte = 0;
    fault_plan(CALL_SENDMSG, 0, 3, EINTR);
    cr_assert_eq(write_text(link.client, "q", &n, NULL), 0);
    cr_assert_eq(n, 1);
    wait_for(link.server, POLLIN);
    fault_plan(CALL_RECV, 0, 3, EINTR);
    cr_assert_eq(kwi_socket_read(sys, link.server, &byte, 1, &n, NULL), 0);
    cr_assert(n == 1 && byte == 'q');
    free_link(&link);
}

Test(loop_socket, errors_of_reads_and_writes_come_with_their_cause, .timeout = 60)
{
    static const int errors[] = {ECONNRESET, EPIPE, ENOBUFS, ENOMEM, ETIMEDOUT, EHOSTUNREACH};
    struct link link = new_link();
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        size_t n = 9;
        char byte;
        int os_err = 0;
        fault_plan(CALL_SENDMSG, 0, 1, errors[i]);
        cr_assert_eq(write_text(link.client, "q", &n, &os_err), KW_ERR_IO);
        cr_assert(n == 0 && os_err == errors[i]);
        n = 9;
        os_err = 0;
        fault_plan(CALL_RECV, 0, 1, errors[i]);
        cr_assert_eq(kwi_socket_read(sys, link.client, &byte, 1, &n, &os_err), KW_ERR_IO);
        cr_assert(n == 0 && os_err == errors[i]);
    }
    fault_plan(CALL_SENDMSG, 0, 1, EAGAIN);
    size_t n = 9;
    cr_assert_eq(write_text(link.client, "q", &n, NULL), KW_ERR_WOULD_BLOCK);
    cr_assert_eq(n, 0);
    free_link(&link);
}

Test(loop_socket, a_reset_by_the_peer_is_an_error_and_raises_no_signal, .timeout = 60)
{
    struct link link = new_link();
    struct linger now = {1, 0};
    setsockopt(link.server, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    kwi_socket_close(sys, link.server);
    wait_for(link.client, POLLIN);
    char byte;
    size_t n = 9;
    int os_err = 0;
    cr_assert_eq(kwi_socket_read(sys, link.client, &byte, 1, &n, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, ECONNRESET);
    cr_assert_eq(write_text(link.client, "q", &n, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, EPIPE, "and SIGPIPE would have ended this process");
    kwi_socket_close(sys, link.client);
    kwi_socket_close(sys, link.listener);
}

Test(loop_socket, a_full_pipe_would_block_and_then_goes_on, .timeout = 60)
{
    struct link link = new_link();
    size_t size = 1 << 20, n = 0, sent = 0, got = 0;
    char *block = calloc(1, size);
    struct kw_iov iov = {block, size};
    int err;
    while ((err = kwi_socket_write(sys, link.client, &iov, 1, &n, NULL)) == 0)
        sent += n;
    cr_assert_eq(err, KW_ERR_WOULD_BLOCK);
    cr_assert_eq(n, 0);
    while (got < sent) {
        wait_for(link.server, POLLIN);
        cr_assert_eq(kwi_socket_read(sys, link.server, block, size, &n, NULL), 0);
        got += n;
    }
    cr_assert_eq(got, sent);
    wait_for(link.client, POLLOUT);
    cr_assert_eq(write_text(link.client, "q", &n, NULL), 0);
    free(block);
    free_link(&link);
}

Test(loop_socket, more_pieces_than_the_system_takes_are_written_in_part, .timeout = 60)
{
    enum { N = 3000 };
    struct link link = new_link();
    struct kw_iov *iov = malloc(N * sizeof(*iov));
    char *letters = malloc(N), *buf = malloc(N);
    for (int i = 0; i < N; i++) {
        letters[i] = (char)('a' + i % 26);
        iov[i] = (struct kw_iov){letters + i, 1};
    }
    size_t sent = 0, got = 0, n;
    while (sent < N) {
        cr_assert_eq(kwi_socket_write(sys, link.client, iov + sent, N - sent, &n, NULL), 0);
        cr_assert(n > 0 && n <= 1024);
        sent += n;
    }
    while (got < N) {
        wait_for(link.server, POLLIN);
        cr_assert_eq(kwi_socket_read(sys, link.server, buf + got, N - got, &n, NULL), 0);
        got += n;
    }
    cr_assert_eq(memcmp(letters, buf, N), 0);
    free(iov);
    free(letters);
    free(buf);
    free_link(&link);
}

/* What a driver does, with trouble at every turn: nothing is lost or doubled. */
Test(loop_socket, a_stream_survives_short_counts_and_interruptions_intact, .timeout = 60)
{
    enum { SIZE = 200000 };
    uint8_t seed[32] = {11};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    struct link link = new_link();
    unsigned char *out = malloc(SIZE), *in = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        out[i] = (unsigned char)kwi_rng_next(&rng);
    size_t sent = 0, got = 0, n;
    while (got < SIZE) {
        fault_short(CALL_SENDMSG, 1 + kwi_rng_below(&rng, 700));
        fault_short(CALL_RECV, 1 + kwi_rng_below(&rng, 700));
        int trouble = kwi_rng_below(&rng, 2) ? EINTR : EAGAIN;
        fault_plan(CALL_SENDMSG, (int)kwi_rng_below(&rng, 2), 1, trouble);
        fault_plan(CALL_RECV, (int)kwi_rng_below(&rng, 2), 1, trouble);
        size_t middle = sent + (SIZE - sent) / 2;
        struct kw_iov iov[2] = {{out + sent, middle - sent}, {out + middle, SIZE - middle}};
        if (sent < SIZE) {
            int err = kwi_socket_write(sys, link.client, iov, 2, &n, NULL);
            cr_assert(err == 0 || err == KW_ERR_WOULD_BLOCK);
            sent += n;
        }
        int err = kwi_socket_read(sys, link.server, in + got, SIZE - got, &n, NULL);
        cr_assert(err == KW_ERR_WOULD_BLOCK || (err == 0 && n > 0));
        got += n;
    }
    cr_assert_eq(sent, SIZE);
    cr_assert_eq(memcmp(in, out, SIZE), 0);
    free(in);
    free(out);
    free_link(&link);
}

Test(loop_socket, an_interrupted_close_is_not_made_again, .timeout = 60)
{
    struct link link = new_link();
    int n_before = fault_count(CALL_CLOSE);
    fault_plan_late(CALL_CLOSE, 0, 1, EINTR);
    kwi_socket_close(sys, link.client);
    cr_assert_eq(fault_count(CALL_CLOSE), n_before + 1);
    cr_assert_eq(fcntl(link.client, F_GETFD), -1);
    kwi_socket_close(sys, link.server);
    kwi_socket_close(sys, link.listener);
}
