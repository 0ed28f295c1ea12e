/* bench/memory_driver.c -- drives a core against the sink without a system call.
 *
 * It does what net/ does, in its order: time, wants, writes, reads. Bytes are
 * copied once each way, where the kernel would do it. */
#include "bench/memory_driver.h"

#include <stdlib.h>
#include <string.h>

#define DRIVER_IOV 64
#define DRIVER_TURN_US 20

static void *driver_alloc(void *ctx, size_t size)
{
    struct driver *driver = ctx;

    driver->n_allocs++;
    return malloc(size);
}

static void driver_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

static struct driver_conn *driver_find(struct driver *driver, uint32_t id)
{
    for (int i = 0; i < DRIVER_CONNS; i++)
        if (driver->conns[i].open && driver->conns[i].id == id)
            return &driver->conns[i];
    return NULL;
}

static void driver_open(struct driver *driver, uint32_t id)
{
    for (int i = 0; i < DRIVER_CONNS; i++) {
        struct driver_conn *conn = &driver->conns[i];
        if (conn->open)
            continue;
        conn->id = id;
        conn->open = true;
        conn->writing = conn->reading = false;
        conn->in.len = conn->out.len = conn->out_sent = 0;
        kw_core_opened(driver->core, id);
        return;
    }
    sink_die("more than %d connections", DRIVER_CONNS);
}

static void driver_want(struct driver *driver, const struct kw_want *want)
{
    struct driver_conn *conn = driver_find(driver, want->id);
    struct kw_addr addr = {.family = 4, .ip = {127, 0, 0, 1}, .port = want->port};

    switch ((enum kw_want_kind)want->kind) {
    case KW_WANT_RESOLVE: kw_core_resolved(driver->core, want->id, &addr, 1, 0); return;
    case KW_WANT_NAME: kw_core_named(driver->core, want->id, NULL); return;
    case KW_WANT_OPEN: driver_open(driver, want->id); return;
    case KW_WANT_CLOSE:
        if (conn)
            conn->open = false;
        kw_core_closed(driver->core, want->id, NULL);
        return;
    case KW_WANT_WORK:
        while (kw_work_run(want->work, 256 * 1024) == 1)
            continue;
        kw_core_work_done(driver->core, want->work);
        return;
    case KW_WANT_WRITE_READY:
        if (conn)
            conn->writing = true;
        return;
    case KW_WANT_READ_ON:
    case KW_WANT_READ_OFF:
        if (conn)
            conn->reading = want->kind == KW_WANT_READ_ON;
        return;
    }
}

/* Cuts the client's bytes into frames and answers them. */
static void driver_serve(struct driver *driver, struct driver_conn *conn)
{
    size_t at = 0;

    while (conn->in.len - at >= 4) {
        const uint8_t *frame = conn->in.ptr + at;
        size_t size = (size_t)frame[0] << 24 | (size_t)frame[1] << 16 | (size_t)frame[2] << 8 |
                      (size_t)frame[3];
        if (conn->in.len - at - 4 < size)
            break;
        sink_answer(driver->sink, frame + 4, size, &conn->out);
        at += 4 + size;
    }
    memmove(conn->in.ptr, conn->in.ptr + at, conn->in.len - at);
    conn->in.len -= at;
}

static bool driver_write(struct driver *driver, struct driver_conn *conn)
{
    struct kw_iov iov[DRIVER_IOV];
    size_t n, len;
    bool moved = false;

    while (conn->open && conn->writing) {
        n = kw_core_write_vec(driver->core, conn->id, 0, iov, DRIVER_IOV);
        conn->writing = n > 0;
        len = 0;
        for (size_t i = 0; i < n; i++) {
            sink_buf_put(&conn->in, iov[i].base, iov[i].len);
            len += iov[i].len;
        }
        if (len > 0) {
            kw_core_written(driver->core, conn->id, len);
            driver_serve(driver, conn);
            moved = true;
        }
    }
    return moved;
}

static bool driver_read(struct driver *driver, struct driver_conn *conn)
{
    bool moved = false;

    while (conn->open && conn->reading && conn->out_sent < conn->out.len) {
        struct kw_span span = kw_core_read_buf(driver->core, conn->id);
        size_t left = conn->out.len - conn->out_sent;
        size_t n = span.len < left ? span.len : left;
        if (n == 0)
            break;
        memcpy(span.ptr, conn->out.ptr + conn->out_sent, n);
        conn->out_sent += n;
        kw_core_read_done(driver->core, conn->id, n);
        moved = true;
    }
    if (conn->out_sent == conn->out.len)
        conn->out.len = conn->out_sent = 0;
    return moved;
}

void driver_turn(struct driver *driver, bool idle)
{
    struct kw_want want;
    bool moved;

    do {
        driver->now.mono_us += DRIVER_TURN_US;
        driver->now.wall_ms = (int64_t)(INT64_C(1700000000000) + driver->now.mono_us / 1000);
        kw_core_step(driver->core, driver->now);
        moved = false;
        while (kw_core_next_want(driver->core, &want)) {
            driver_want(driver, &want);
            moved = true;
        }
        for (int i = 0; i < DRIVER_CONNS; i++) {
            moved |= driver_write(driver, &driver->conns[i]);
            moved |= driver_read(driver, &driver->conns[i]);
        }
    } while (moved);
    uint64_t deadline_us = kw_core_deadline(driver->core);
    if (idle && deadline_us != UINT64_MAX && deadline_us > driver->now.mono_us)
        driver->now.mono_us = deadline_us;
}

void driver_init(struct driver *driver, struct sink *sink, const struct kw_config *cfg)
{
    struct kw_env env = {.alloc = {driver_alloc, driver_free, driver},
                         .seed = "the same seed in each run",
                         .crc32c = sink->crc32c};
    struct kw_error error = {0};

    *driver = (struct driver){.sink = sink, .now = {1000000, 0}};
    if (kw_core_create(&driver->core, cfg, &env, &error))
        sink_die("%s", error.text);
    kw_core_step(driver->core, driver->now);
}

void driver_deinit(struct driver *driver)
{
    kw_core_destroy(driver->core);
    for (int i = 0; i < DRIVER_CONNS; i++) {
        free(driver->conns[i].in.ptr);
        free(driver->conns[i].out.ptr);
    }
}
