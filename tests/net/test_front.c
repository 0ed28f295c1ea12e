/* The broker model behind TCP: real sockets on loopback, driven in one thread.
 * What the model itself does is tested in tests/mock. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mock/front.h"

/* ApiVersions v0, correlation id 7, null client id. */
static const uint8_t versions_request[] = {0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff};
enum { VERSIONS_ANSWER = 4 + 4 + 2 + 4 + 9 * 6 };

static long n_blocks;
static struct kw_mock *mock;
static struct kw_mock_front *front;

static void *host_alloc(void *ctx, size_t size)
{
    (void)ctx;
    n_blocks++;
    return malloc(size);
}

static void host_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    n_blocks--;
    free(ptr);
}

static const struct kw_alloc host = {host_alloc, host_free, NULL};

static void open_front(uint32_t n_brokers)
{
    struct kw_mock_config config = {.alloc = host, .n_brokers = n_brokers};
    struct kw_mock_front_config front_config = {.alloc = host};
    int os_err = 0;
    cr_assert_eq(kwi_mock_create(&mock, &config), 0);
    cr_assert_eq(kwi_mock_front_create(&front, mock, &front_config, &os_err), 0, "errno %d",
                 os_err);
}

static void close_front(void)
{
    kwi_mock_front_destroy(front);
    kwi_mock_destroy(mock);
    cr_assert_eq(n_blocks, 0);
}

static int dial(uint32_t broker)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_port = htons(kwi_mock_front_port(front, broker));
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

/* Turns the loop until n bytes came, or the peer closed. Returns how many. */
static size_t take(int fd, uint8_t *buf, size_t n)
{
    size_t have = 0;
    for (int turn = 0; turn < 1000 && have < n; turn++) {
        ssize_t got;
        cr_assert_eq(kwi_mock_front_run_once(front, 10, NULL), 0);
        got = recv(fd, buf + have, n - have, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        have += got > 0 ? (size_t)got : 0;
    }
    return have;
}

Test(mock_front, serves_each_broker_on_a_port_of_its_own)
{
    uint8_t answer[VERSIONS_ANSWER];
    open_front(3);
    cr_assert_neq(kwi_mock_front_port(front, 0), kwi_mock_front_port(front, 1));
    for (uint32_t broker = 0; broker < 3; broker++) {
        int fd = dial(broker);
        cr_assert_eq(send(fd, versions_request, sizeof(versions_request), 0), 14);
        cr_assert_eq(take(fd, answer, sizeof(answer)), sizeof(answer));
        cr_assert_eq(answer[7], 7, "the correlation id");
        close(fd);
    }
    close_front();
}

Test(mock_front, takes_requests_byte_by_byte_and_many_at_once)
{
    uint8_t answers[3 * VERSIONS_ANSWER], requests[3 * sizeof(versions_request)];
    int fd;
    open_front(1);
    fd = dial(0);
    for (size_t i = 0; i < sizeof(versions_request); i++) {
        cr_assert_eq(send(fd, versions_request + i, 1, 0), 1);
        cr_assert_eq(kwi_mock_front_run_once(front, 10, NULL), 0);
    }
    cr_assert_eq(take(fd, answers, VERSIONS_ANSWER), VERSIONS_ANSWER);
    for (size_t i = 0; i < 3; i++)
        memcpy(requests + i * sizeof(versions_request), versions_request, sizeof(versions_request));
    cr_assert_eq(send(fd, requests, sizeof(requests), 0), (ssize_t)sizeof(requests));
    cr_assert_eq(take(fd, answers, sizeof(answers)), sizeof(answers));
    close(fd);
    close_front();
}

Test(mock_front, closes_on_noise_and_when_a_broker_goes_down)
{
    uint8_t byte;
    int noisy, quiet;
    open_front(2);
    noisy = dial(0);
    quiet = dial(1);
    cr_assert_eq(send(noisy, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    cr_assert_eq(take(noisy, &byte, 1), 0);
    cr_assert_eq(kwi_mock_front_run_once(front, 0, NULL), 0);
    kwi_mock_broker_down(mock, 1, false);
    cr_assert_eq(take(quiet, &byte, 1), 0);
    close(quiet);
    quiet = dial(1);
    cr_assert_eq(take(quiet, &byte, 1), 0, "a dead broker must not keep a connection");
    close(quiet);
    close(noisy);
    close_front();
}

Test(mock_front, survives_clients_that_leave_in_the_middle)
{
    open_front(1);
    for (size_t n = 0; n <= sizeof(versions_request); n++) {
        int fd = dial(0);
        struct linger at_once = {1, 0};
        cr_assert_eq(send(fd, versions_request, n, 0), (ssize_t)n);
        if (n % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        cr_assert_eq(kwi_mock_front_run_once(front, 10, NULL), 0);
        close(fd);
        cr_assert_eq(kwi_mock_front_run_once(front, 10, NULL), 0);
    }
    close_front();
}

Test(mock_front, sends_a_delayed_answer_when_its_time_has_come)
{
    struct kw_mock_fault fault;
    uint8_t answer[VERSIONS_ANSWER];
    int fd;
    open_front(1);
    cr_assert_eq(kwi_mock_fault_parse("apiversions:1:delay=30", &fault, NULL), 0);
    cr_assert_eq(kwi_mock_fault_add(mock, &fault, NULL), 0);
    fd = dial(0);
    cr_assert_eq(send(fd, versions_request, sizeof(versions_request), 0), 14);
    for (int turn = 0; turn < 20 && !kwi_mock_n_requests(mock, -1); turn++)
        cr_assert_eq(kwi_mock_front_run_once(front, 10, NULL), 0);
    /* No time limit: the loop wakes by the model's deadline. */
    while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) < 0)
        cr_assert_eq(kwi_mock_front_run_once(front, -1, NULL), 0);
    close(fd);
    close_front();
}

Test(mock_front, says_why_it_cannot_listen)
{
    struct kw_mock_front_config taken = {.alloc = host};
    struct kw_mock_front *second;
    uint16_t port;
    int os_err = 0;
    open_front(1);
    port = kwi_mock_front_port(front, 0);
    taken.ports = &port;
    cr_assert_eq(kwi_mock_front_create(&second, mock, &taken, &os_err), KW_ERR_IO);
    cr_assert_eq(os_err, EADDRINUSE);
    cr_assert_null(second);
    taken.host = "no.address.at.all";
    cr_assert_eq(kwi_mock_front_create(&second, mock, &taken, &os_err), KW_ERR_USE);
    close_front();
}
