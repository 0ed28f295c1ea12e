/* tests/api/broker.c -- see broker.h. */
#include "tests/api/broker.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mock/front.h"
#include "net/host.h"

static void *broker_run(void *arg)
{
    struct broker *broker = arg;
    while (!atomic_load(&broker->stop)) {
        if (kwi_mock_front_run_once(broker->front, -1, NULL) != 0)
            break;
    }
    return NULL;
}

void broker_start(struct broker *broker, int32_t n_partitions, const char *fault)
{
    struct kw_mock_config config = {.alloc = kwi_host_alloc(), .n_brokers = 1};
    struct kw_mock_front_config front = {.alloc = config.alloc};
    atomic_init(&broker->stop, false);
    cr_assert_eq(kwi_mock_create(&broker->mock, &config), 0);
    cr_assert_eq(kwi_mock_create_topic(broker->mock, "t", n_partitions), 0);
    kwi_mock_set_coordinator(broker->mock, 0);
    if (fault) {
        struct kw_mock_fault parsed;
        const char *why = "";
        cr_assert_eq(kwi_mock_fault_parse(fault, &parsed, &why), 0, "%s", why);
        cr_assert_eq(kwi_mock_fault_add(broker->mock, &parsed, NULL), 0);
    }
    cr_assert_eq(kwi_mock_front_create(&broker->front, broker->mock, &front, NULL), 0);
    snprintf(broker->servers, sizeof(broker->servers), "127.0.0.1:%u",
             kwi_mock_front_port(broker->front, 0));
    cr_assert_eq(pthread_create(&broker->thread, NULL, broker_run, broker), 0);
}

void broker_stop(struct broker *broker)
{
    atomic_store(&broker->stop, true);
    kwi_mock_front_wake(broker->front);
    pthread_join(broker->thread, NULL);
    kwi_mock_front_destroy(broker->front);
    kwi_mock_destroy(broker->mock);
}

/* ---- wrong peers ------------------------------------------------------------------ */

/* Waits for the client's first request, so that the answer follows it. */
static void wrong_serve(struct wrong_peer *peer, int fd)
{
    char request[512];
    if (peer->kind == WRONG_CLOSES)
        shutdown(fd, SHUT_WR); /* close() would reset, if a request was there already */
    struct pollfd wait[2] = {{.fd = peer->stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    bool answered = false;
    while (poll(wait, 2, -1) > 0 && !(wait[0].revents & POLLIN)) {
        if (recv(fd, request, sizeof(request), 0) <= 0)
            break;
        if (peer->kind == WRONG_STALLS || peer->kind == WRONG_CLOSES || answered)
            continue;
        send(fd, peer->bytes, peer->len, MSG_NOSIGNAL);
        answered = true;
        if (peer->kind == WRONG_RESETS) {
            struct linger linger = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
            break;
        }
    }
    close(fd);
}

static void *wrong_run(void *arg)
{
    struct wrong_peer *peer = arg;
    struct pollfd wait[2] = {{.fd = peer->stop_fd, .events = POLLIN},
                             {.fd = peer->listener, .events = POLLIN}};
    while (poll(wait, 2, -1) > 0 && !(wait[0].revents & POLLIN)) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&peer->n_accepted, 1);
        wrong_serve(peer, fd);
    }
    return NULL;
}

void wrong_start(struct wrong_peer *peer)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    atomic_init(&peer->n_accepted, 0);
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(peer->listener, (struct sockaddr *)&name, len), 0);
    cr_assert_eq(getsockname(peer->listener, (struct sockaddr *)&name, &len), 0);
    snprintf(peer->servers, sizeof(peer->servers), "127.0.0.1:%u", ntohs(name.sin_port));
    peer->stop_fd = eventfd(0, 0);
    if (peer->kind == WRONG_REFUSES)
        return; /* bound and not listening: connections are refused */
    cr_assert_eq(listen(peer->listener, 16), 0);
    cr_assert_eq(pthread_create(&peer->thread, NULL, wrong_run, peer), 0);
}

void wrong_stop(struct wrong_peer *peer)
{
    if (peer->kind != WRONG_REFUSES) {
        cr_assert_eq(eventfd_write(peer->stop_fd, 1), 0);
        pthread_join(peer->thread, NULL);
    }
    close(peer->listener);
    close(peer->stop_fd);
}

/* ---- clients -------------------------------------------------------------------------- */

struct kw_client *client_with(const char *servers, ...)
{
    struct kw_config *cfg;
    struct kw_client *client;
    struct kw_error err = {0};
    va_list args;
    const char *key;
    cr_assert_eq(kw_config_new(&cfg), 0);
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", servers, &err), 0, "%s", err.text);
    va_start(args, servers);
    while ((key = va_arg(args, const char *)))
        cr_assert_eq(kw_config_set(cfg, key, va_arg(args, const char *), &err), 0, "%s", err.text);
    va_end(args);
    cr_assert_eq(kw_client_create(&client, cfg, &err), 0, "%s", err.text);
    kw_config_destroy(cfg);
    return client;
}
