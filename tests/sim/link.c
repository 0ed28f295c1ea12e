/* tests/sim/link.c -- the bytes of one connection of the worst driver: takes them
 * in odd pieces and returns them late, lends buffers early and gives them back
 * unused or half filled, and sees that what is lent does not change (law 1). */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { WRITES_PER_TURN = 512, READS_PER_TURN = 2048, IOV_MAX_HERE = 5 };

static void link_write(struct sim_link *link);

/* ---- writing -------------------------------------------------------------------- */

/* What is held must still read as it did at hand-out. */
void sim_link_verify(struct sim_link *link, size_t n)
{
    size_t pos = 0;
    for (size_t i = link->lent_first; i < link->n_lent && pos < n; i++) {
        size_t len = link->lent[i].len < n - pos ? link->lent[i].len : n - pos;
        if (memcmp(link->lent[i].ptr, link->shadow + link->shadow_first + pos, len) != 0) {
            sim_fail(link->driver->world, "law 1: conn %u.%u, lent bytes changed",
                     link->driver->idx, link->id);
            return;
        }
        pos += len;
    }
}

static void link_lend(struct sim_link *link, const void *ptr, size_t len)
{
    if (link->lent_first == link->n_lent)
        link->lent_first = link->n_lent = 0;
    if (link->n_lent == link->lent_cap) {
        link->lent_cap = link->lent_cap ? link->lent_cap * 2 : 64;
        link->lent = realloc(link->lent, link->lent_cap * sizeof(*link->lent));
    }
    if (link->shadow_first + link->held + len > link->shadow_cap) {
        if (link->held > 0)
            memmove(link->shadow, link->shadow + link->shadow_first, link->held);
        link->shadow_first = 0;
        if (link->held + len > link->shadow_cap) {
            link->shadow_cap = (link->held + len) * 2;
            link->shadow = realloc(link->shadow, link->shadow_cap);
        }
    }
    if (!link->lent || !link->shadow)
        abort();
    link->lent[link->n_lent++] = (struct sim_lent){ptr, len};
    memcpy(link->shadow + link->shadow_first + link->held, ptr, len);
    link->held += len;
    sim_trace_bytes(&link->driver->world->trace, ptr, len);
}

/* The wire reads the lent memory itself, when it comes to it. */
static void link_transmit(struct sim_link *link, size_t n)
{
    size_t skip = link->sent;
    for (size_t i = link->lent_first; i < link->n_lent && n > 0; i++) {
        size_t len = link->lent[i].len;
        if (skip >= len) {
            skip -= len;
            continue;
        }
        size_t step = len - skip < n ? len - skip : n;
        const uint8_t *ptr = link->lent[i].ptr + skip;
        link->sent += step;
        n -= step;
        skip = 0;
        sim_watch_sent(link, ptr, step);
        sim_wire_push_up(link, ptr, step);
    }
}

/* Returns the first n bytes to the core. */
static void link_confirm(struct sim_link *link, size_t n)
{
    sim_link_verify(link, n);
    size_t left = n;
    while (left > 0) {
        struct sim_lent *lent = &link->lent[link->lent_first];
        size_t step = lent->len < left ? lent->len : left;
        lent->ptr += step;
        lent->len -= step;
        left -= step;
        if (lent->len == 0)
            link->lent_first++;
    }
    link->shadow_first += n;
    link->held -= n;
    link->sent -= n;
    kw_core_written(link->driver->core, link->id, n);
}

static void link_late_confirm(void *target, uint64_t n)
{
    struct sim_link *link = target;
    struct sim_driver *driver = link->driver;
    if (link->state != SIM_LINK_UP)
        return;
    sim_driver_enter(driver);
    while (n > 0 && link->state == SIM_LINK_UP) {
        size_t step = sim_one_in(&driver->rng, 2) ? (size_t)n
                                                  : sim_between(&driver->rng, 1, (uint32_t)n);
        link_confirm(link, step);
        n -= step;
        sim_driver_between(driver);
    }
    if (link->owns_write)
        link_write(link);
    sim_driver_leave(driver);
}

static void link_confirm_later(struct sim_link *link, uint64_t n)
{
    struct sim_driver *driver = link->driver;
    uint64_t delay = sim_one_in(&driver->rng, 16) ? sim_below(&driver->rng, 3000000)
                                                  : sim_below(&driver->rng, 2000);
    if (driver->world->healed)
        delay = sim_below(&driver->rng, 2000);
    /* In order: what was taken first is returned first. */
    uint64_t at_us = driver->world->now_us + delay;
    if (at_us < link->confirm_us)
        at_us = link->confirm_us;
    link->confirm_us = at_us;
    sim_queue_put(&driver->world->queue, at_us, link_late_confirm, link, n);
}

static void link_late_transmit(void *target, uint64_t n)
{
    struct sim_link *link = target;
    struct sim_driver *driver = link->driver;
    if (link->state != SIM_LINK_UP)
        return;
    link_transmit(link, (size_t)n);
    if (!driver->world->plan.zero_copy)
        link_confirm_later(link, n);
}

/* With zero-copy sending the memory is free when the other machine has said that
 * it has the bytes; what is lost on the way stays lent. */
void sim_link_taken(struct sim_link *link, size_t n)
{
    if (link->driver->world->plan.zero_copy && link->state == SIM_LINK_UP)
        link_confirm_later(link, n);
}

static void link_write_again(void *target, uint64_t arg)
{
    struct sim_link *link = target;
    (void)arg;
    link->write_put = false;
    if (link->state != SIM_LINK_UP || !link->owns_write)
        return;
    sim_driver_enter(link->driver);
    link_write(link);
    sim_driver_leave(link->driver);
}

/* A list from an earlier position must begin with what we hold. */
static void link_probe(struct sim_link *link)
{
    struct kw_iov iov[IOV_MAX_HERE];
    size_t skip = sim_below(&link->driver->rng, (uint32_t)link->held), pos = skip;
    size_t n = kw_core_write_vec(link->driver->core, link->id, skip, iov, IOV_MAX_HERE);
    for (size_t i = 0; i < n && pos < link->held; i++) {
        size_t len = iov[i].len < link->held - pos ? iov[i].len : link->held - pos;
        if (memcmp(iov[i].base, link->shadow + link->shadow_first + pos, len) != 0)
            sim_fail(link->driver->world, "law 1: conn %u.%u, the list changed behind %zu",
                     link->driver->idx, link->id, pos);
        pos += len;
    }
    if (n == 0)
        sim_fail(link->driver->world, "conn %u.%u: %zu bytes held, none listed behind %zu",
                 link->driver->idx, link->id, link->held, skip);
}

/* Takes up to `room` bytes of what is offered; returns how many, 0: none left. */
static size_t link_take(struct sim_link *link, size_t room)
{
    struct sim_driver *driver = link->driver;
    struct kw_iov iov[IOV_MAX_HERE];
    size_t cap = sim_between(&driver->rng, 1, IOV_MAX_HERE);
    size_t n = kw_core_write_vec(driver->core, link->id, link->held, iov, cap);
    if (n > cap) {
        sim_fail(driver->world, "write_vec listed %zu of %zu pieces", n, cap);
        return 0;
    }
    if (n == 0) {
        link->owns_write = false;
        sim_trace_word(&driver->world->trace, 0x3000 + link->id);
        return 0;
    }
    size_t chunk = sim_chunk(driver->world->plan.chunk_up, &driver->rng), taken = 0;
    if (chunk > room)
        chunk = room;
    for (size_t i = 0; i < n && taken < chunk; i++) {
        size_t step = iov[i].len < chunk - taken ? iov[i].len : chunk - taken;
        if (iov[i].len == 0) {
            sim_fail(driver->world, "write_vec listed an empty piece");
            return 0;
        }
        link_lend(link, iov[i].base, step);
        taken += step;
    }
    return taken;
}

static size_t link_write_some(struct sim_link *link)
{
    struct sim_driver *driver = link->driver;
    struct sim_world *world = driver->world;
    size_t offered = 0;
    for (int i = 0; i < WRITES_PER_TURN; i++) {
        if (!link->owns_write || link->close_wanted || link->state != SIM_LINK_UP)
            return offered;
        size_t room = sim_wire_room(link);
        if (room == 0)
            return offered; /* sim_link_writable follows */
        if (link->held > 0 && sim_one_in(&driver->rng, 16))
            link_probe(link);
        size_t taken = link_take(link, room);
        if (taken == 0)
            return offered;
        offered += taken;
        if (world->plan.late_writes) {
            uint64_t at_us = world->now_us + sim_below(&driver->rng, 300);
            if (at_us < link->transmit_us)
                at_us = link->transmit_us;
            link->transmit_us = at_us;
            sim_queue_put(&world->queue, at_us, link_late_transmit, link, taken);
        } else {
            link_transmit(link, taken);
            link_confirm(link, taken);
        }
        sim_driver_between(driver);
        if (sim_one_in(&driver->rng, 8))
            break;
    }
    if (link->owns_write && !link->write_put) {
        link->write_put = true;
        sim_queue_put(&world->queue, world->now_us + sim_below(&driver->rng, 100), link_write_again,
                      link, 0);
    }
    return offered;
}

static void link_write(struct sim_link *link)
{
    size_t offered = link_write_some(link);
    if (offered > 0)
        sim_trace_line(&link->driver->world->trace, "core %u: conn %u offers %zu bytes",
                       link->driver->idx, link->id, offered);
}

void sim_link_writable(struct sim_link *link)
{
    if (link->state != SIM_LINK_UP || !link->owns_write || link->write_put)
        return;
    link->write_put = true;
    sim_queue_put(&link->driver->world->queue, link->driver->world->now_us, link_write_again, link,
                  0);
}

/* ---- reading ---------------------------------------------------------------------- */

/* Only the ends are filled and looked at; buffers can be large. */
static void span_fill(struct sim_link *link)
{
    size_t edge = link->span.len < 48 ? link->span.len : 48;
    uint8_t *bytes = link->span.ptr;
    link->span_fill = (uint8_t)sim_rng_next(&link->driver->rng);
    memset(bytes, link->span_fill, edge);
    memset(bytes + link->span.len - edge, link->span_fill, edge);
}

void sim_span_verify(struct sim_link *link)
{
    size_t edge = link->span.len < 48 ? link->span.len : 48;
    const uint8_t *bytes = link->span.ptr;
    for (size_t i = 0; i < edge; i++) {
        if (bytes[i] != link->span_fill || bytes[link->span.len - 1 - i] != link->span_fill) {
            sim_fail(link->driver->world, "law 2: conn %u.%u, a lent read buffer was written to",
                     link->driver->idx, link->id);
            return;
        }
    }
}

/* Borrows the buffer, or sees that it is still the same one. */
static bool link_borrow(struct sim_link *link)
{
    struct sim_world *world = link->driver->world;
    struct kw_span span = kw_core_read_buf(link->driver->core, link->id);
    if (span.len == 0)
        return false; /* what is lent stays ours */
    if (link->span.len > 0) {
        if (span.ptr != link->span.ptr || span.len != link->span.len)
            sim_fail(world, "conn %u.%u: another read buffer while one is lent", link->driver->idx,
                     link->id);
        sim_span_verify(link);
        return true;
    }
    sim_trace_word(&world->trace, 0x5000 + span.len);
    link->span = span;
    span_fill(link);
    return true;
}

static void link_give(struct sim_link *link, size_t n)
{
    link->span.len = 0;
    kw_core_read_done(link->driver->core, link->id, n);
    sim_driver_between(link->driver);
}

static void link_read(struct sim_link *link)
{
    struct sim_driver *driver = link->driver;
    const struct sim_plan *plan = &driver->world->plan;
    for (int i = 0; i < READS_PER_TURN; i++) {
        if (link->state != SIM_LINK_UP || link->close_wanted || !link->read_on)
            return;
        bool early = plan->early_reads && sim_one_in(&driver->rng, 2);
        if (link->down.arrived == 0 && !early)
            return;
        if (!link_borrow(link)) {
            link->read_on = false; /* READ_ON follows */
            return;
        }
        if (plan->short_reads && sim_one_in(&driver->rng, 16)) {
            link_give(link, 0);
            continue;
        }
        size_t n = sim_chunk(plan->chunk_down, &driver->rng);
        if (n > link->down.arrived)
            n = link->down.arrived;
        if (n == 0)
            return; /* lent, and kept until something comes */
        if (n > link->span.len)
            n = link->span.len;
        memcpy(link->span.ptr, link->down.bytes + link->down.head, n);
        sim_watch_read(link, link->span.ptr, n);
        sim_wire_take(&link->down, n);
        link_give(link, n);
    }
    if (link->down.arrived > 0)
        sim_queue_put(&driver->world->queue, driver->world->now_us, sim_link_read_again, link, 0);
}

void sim_link_read_again(void *target, uint64_t arg)
{
    (void)arg;
    sim_link_readable(target);
}

void sim_link_readable(struct sim_link *link)
{
    if (link->state != SIM_LINK_UP || link->close_wanted || !link->read_on)
        return;
    sim_driver_enter(link->driver);
    link_read(link);
    sim_driver_leave(link->driver);
    if (link->state == SIM_LINK_UP && link->server) {
        /* Room in the window: the broker may go on sending. */
        sim_server_enter(link->driver->world);
        sim_server_pump(link);
        sim_server_leave(link->driver->world);
    }
}
