/* mock/front.c -- sockets for the broker model: accepts, reads, writes, closes,
 * and tells the model the time. The only file of mock/ that meets the system. */
#include "mock/front.h"
#include "base/alloc.h"
#include "base/list.h"
#include "net/loop/loop.h"
#include "net/loop/socket.h"

#include <string.h>

enum {
    FRONT_READ_SIZE = 256 * 1024,
    FRONT_ACCEPTS = 64 /* per turn of a listener */
};

struct front_listener {
    struct kw_loop_fd watch;
    struct kw_mock_front *front;
    uint32_t broker;
    uint16_t port;
    bool open;
    bool paused; /* no descriptor was left for the next connection */
};

struct front_conn {
    struct kw_loop_fd watch;
    struct kw_node in_all;
    struct kw_mock_front *front;
    struct kw_mock_conn *conn;
};

struct kw_mock_front {
    struct kw_heap heap;
    struct kw_mock *mock;
    struct kw_loop *loop;
    struct kw_list conns;
    uint32_t n_listeners;
    struct front_listener *listeners;
    uint8_t buf[FRONT_READ_SIZE];
};

static void front_now(struct kw_mock_front *front)
{
    struct kw_time now;
    kwi_loop_now(front->loop, &now);
    kwi_mock_step(front->mock, now);
}

static void front_listener_ready(struct kw_loop_fd *watch, unsigned events);

/* A descriptor came free: listeners that ran out of them try again. */
static void front_listeners_resume(struct kw_mock_front *front)
{
    for (uint32_t i = 0; i < front->n_listeners; i++) {
        struct front_listener *listener = &front->listeners[i];
        if (listener->paused && !kwi_loop_watch(front->loop, &listener->watch, KWI_LOOP_READ, NULL))
            listener->paused = false;
    }
}

static void front_conn_close(struct front_conn *client)
{
    struct kw_mock_front *front = client->front;
    kwi_loop_unwatch(front->loop, &client->watch);
    kwi_socket_close(&kwi_sys_real, client->watch.fd);
    kwi_mock_conn_free(client->conn);
    kwi_list_remove(&front->conns, &client->in_all);
    kwi_free(&front->heap, client, sizeof(*client));
    front_listeners_resume(front);
}

/* Sends what there is. False: the connection is broken. */
static bool front_conn_flush(struct front_conn *client)
{
    for (;;) {
        struct kw_span span = kwi_mock_output(client->conn);
        struct kw_iov piece = {span.ptr, span.len};
        size_t n;
        int err;
        if (span.len == 0)
            return true;
        err = kwi_socket_write(&kwi_sys_real, client->watch.fd, &piece, 1, &n, NULL);
        if (err)
            return err == KW_ERR_WOULD_BLOCK;
        kwi_mock_output_done(client->conn, n);
    }
}

/* Brings socket and model together after either has changed. */
static void front_conn_update(struct front_conn *client)
{
    unsigned events = 0;
    if (!front_conn_flush(client)) {
        front_conn_close(client);
        return;
    }
    if (kwi_mock_output(client->conn).len)
        events |= KWI_LOOP_WRITE;
    else if (kwi_mock_closing(client->conn)) {
        front_conn_close(client);
        return;
    }
    if (kwi_mock_reading(client->conn))
        events |= KWI_LOOP_READ;
    if (kwi_loop_watch(client->front->loop, &client->watch, events, NULL))
        front_conn_close(client);
}

static void front_conn_ready(struct kw_loop_fd *watch, unsigned events)
{
    struct front_conn *client = KWI_OF(watch, struct front_conn, watch);
    struct kw_mock_front *front = client->front;
    front_now(front);
    if (events & (KWI_LOOP_READ | KWI_LOOP_ERROR)) {
        size_t n = 0;
        int err = kwi_socket_read(&kwi_sys_real, watch->fd, front->buf, sizeof(front->buf), &n,
                                  NULL);
        if (err != KW_ERR_WOULD_BLOCK && (err || n == 0)) {
            front_conn_close(client);
            return;
        }
        if (!err)
            kwi_mock_input(client->conn, front->buf, n);
    }
    front_conn_update(client);
}

/* Takes a descriptor; closes it if the broker is down or memory is short. */
static void front_conn_open(struct front_listener *listener, int fd)
{
    struct kw_mock_front *front = listener->front;
    struct front_conn *client = kwi_alloc_zero(&front->heap, sizeof(*client));
    struct kw_mock_conn *conn = client ? kwi_mock_accept(front->mock, listener->broker) : NULL;
    if (!conn) {
        kwi_free(&front->heap, client, sizeof(*client));
        kwi_socket_close(&kwi_sys_real, fd);
        return;
    }
    client->watch.fd = fd;
    client->watch.ready = front_conn_ready;
    client->front = front;
    client->conn = conn;
    kwi_mock_conn_set_user(conn, client);
    kwi_list_push(&front->conns, &client->in_all);
    if (kwi_loop_watch(front->loop, &client->watch, KWI_LOOP_READ, NULL))
        front_conn_close(client);
}

static void front_listener_ready(struct kw_loop_fd *watch, unsigned events)
{
    struct front_listener *listener = KWI_OF(watch, struct front_listener, watch);
    (void)events;
    for (int i = 0; i < FRONT_ACCEPTS; i++) {
        int fd;
        int err = kwi_socket_accept(&kwi_sys_real, watch->fd, &fd, NULL, NULL);
        if (err == KW_ERR_WOULD_BLOCK)
            return;
        if (err) {
            listener->paused = !kwi_loop_watch(listener->front->loop, &listener->watch, 0, NULL);
            return;
        }
        front_conn_open(listener, fd);
    }
}

static int front_listen(struct kw_mock_front *front, uint32_t broker, const char *host,
                        const char *advertised, uint16_t port, int *os_err)
{
    struct front_listener *listener = &front->listeners[broker];
    struct kw_addr addr, bound;
    int err;
    if (!kwi_addr_parse(&addr, host, port))
        return KW_ERR_USE;
    err = kwi_socket_listen(&kwi_sys_real, &addr, &listener->watch.fd, &bound, os_err);
    if (err)
        return err;
    listener->open = true;
    listener->front = front;
    listener->broker = broker;
    listener->port = bound.port;
    listener->watch.ready = front_listener_ready;
    err = kwi_loop_watch(front->loop, &listener->watch, KWI_LOOP_READ, os_err);
    if (err)
        return err;
    return kwi_mock_set_address(front->mock, broker, advertised, bound.port);
}

int kwi_mock_front_create(struct kw_mock_front **out, struct kw_mock *mock,
                          const struct kw_mock_front_config *config, int *os_err)
{
    struct kw_mock_front *front;
    struct kw_heap heap;
    const char *host = config->host ? config->host : "127.0.0.1";
    const char *advertised = config->advertised ? config->advertised : host;
    int err;
    *out = NULL;
    kwi_heap_init(&heap, &config->alloc, SIZE_MAX);
    front = kwi_alloc_zero(&heap, sizeof(*front));
    if (!front)
        return KW_ERR_NOMEM;
    front->heap = heap;
    front->mock = mock;
    front->n_listeners = kwi_mock_n_brokers(mock);
    err = KW_ERR_NOMEM;
    front->listeners = kwi_alloc_zero(&front->heap, front->n_listeners * sizeof(*front->listeners));
    if (!front->listeners)
        goto fail;
    err = kwi_loop_create(&front->loop, &config->alloc, NULL, os_err);
    if (err)
        goto fail;
    for (uint32_t i = 0; i < front->n_listeners; i++) {
        err = front_listen(front, i, host, advertised, config->ports ? config->ports[i] : 0,
                           os_err);
        if (err)
            goto fail;
    }
    front_now(front);
    *out = front;
    return 0;
fail:
    kwi_mock_front_destroy(front);
    return err;
}

void kwi_mock_front_destroy(struct kw_mock_front *front)
{
    struct kw_heap heap;
    if (!front)
        return;
    while (!kwi_list_empty(&front->conns))
        front_conn_close(KWI_OF(front->conns.first, struct front_conn, in_all));
    for (uint32_t i = 0; front->listeners && i < front->n_listeners; i++) {
        if (!front->listeners[i].open)
            continue;
        kwi_loop_unwatch(front->loop, &front->listeners[i].watch);
        kwi_socket_close(&kwi_sys_real, front->listeners[i].watch.fd);
    }
    kwi_loop_destroy(front->loop);
    if (front->listeners)
        kwi_free(&front->heap, front->listeners, front->n_listeners * sizeof(*front->listeners));
    heap = front->heap;
    kwi_free(&heap, front, sizeof(*front));
}

uint16_t kwi_mock_front_port(const struct kw_mock_front *front, uint32_t broker)
{
    return broker < front->n_listeners ? front->listeners[broker].port : 0;
}

/* Lets the model do what is due, and moves what it made to the sockets, until
 * nothing is left to do now. */
static void front_settle(struct kw_mock_front *front)
{
    struct kw_mock_conn *conn;
    struct kw_time now;
    do {
        front_now(front);
        while ((conn = kwi_mock_next_ready(front->mock)) != NULL)
            front_conn_update(kwi_mock_conn_user(conn));
        kwi_loop_now(front->loop, &now);
    } while (kwi_mock_deadline(front->mock) <= now.mono_us);
}

int kwi_mock_front_run_once(struct kw_mock_front *front, int32_t timeout_ms, int *os_err)
{
    int n;
    front_settle(front);
    kwi_loop_set_deadline(front->loop, kwi_mock_deadline(front->mock));
    n = kwi_loop_run_once(front->loop, timeout_ms, os_err);
    front_settle(front);
    kwi_loop_set_deadline(front->loop, kwi_mock_deadline(front->mock));
    return n < 0 ? n : 0;
}

void kwi_mock_front_wake(struct kw_mock_front *front)
{
    kwi_loop_wake(front->loop);
}

int kwi_mock_front_fd(struct kw_mock_front *front)
{
    return kwi_loop_fd(front->loop);
}
