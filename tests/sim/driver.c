/* tests/sim/driver.c -- a driver of the core with the worst legal manners.
 *
 * It takes bytes in odd pieces and returns them late, as zero-copy sending
 * does; lends buffers long before there is something to read, gives them back
 * unused or half filled; carries out CLOSE later; looks at wants late. It holds
 * the core to the contract on the way: what was lent does not change (law 1),
 * stays valid until the connection is reported closed (law 2, 3), offered bytes
 * only grow at their end, ids are never used again (law 6), and a core that
 * wants to be stepped has something to do. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum {
    SPINS_MAX = 2000, /* steps in a row that moved nothing */
    TURN_STEPS = 16,  /* steps at one point of time before others get a turn */
    WRITES_PER_TURN = 512,
    READS_PER_TURN = 2048,
    IOV_MAX_HERE = 5
};

static void driver_drain_wants(struct sim_driver *driver);
static void link_write(struct sim_link *link);
static void link_read(struct sim_link *link);
static void link_read_again(void *target, uint64_t arg);

/* ---- wake-ups and time ------------------------------------------------------------ */

static void driver_step(struct sim_driver *driver)
{
    struct sim_world *world = driver->world;
    driver->stepped = true;
    driver->stepped_us = world->now_us;
    kw_core_step(driver->core, sim_time(world));
    if (world->plan.odd_clock && sim_one_in(&driver->rng, 8)) {
        struct kw_time earlier = sim_time(world);
        uint64_t back = sim_below(&driver->rng, 5000000);
        earlier.mono_us = earlier.mono_us > back ? earlier.mono_us - back : 0;
        kw_core_step(driver->core, earlier);
    }
}

void sim_driver_enter(struct sim_driver *driver)
{
    if (!driver->stepped || driver->stepped_us != driver->world->now_us)
        driver_step(driver);
}

static void driver_wake(void *target, uint64_t at_us)
{
    struct sim_driver *driver = target;
    if (!driver->core || driver->wake_us != at_us)
        return; /* an older plan */
    driver->wake_us = UINT64_MAX;
    driver->stepped = false;
    sim_driver_enter(driver);
    sim_driver_leave(driver);
}

/* A core that asks for steps without end and shows nothing for it is stuck. */
static void driver_count_spin(struct sim_driver *driver)
{
    struct sim_trace *trace = &driver->world->trace;
    if (driver->spin_words != trace->n_words) {
        driver->spin_words = trace->n_words;
        driver->spins = 0;
    } else if (++driver->spins > SPINS_MAX) {
        sim_fail(driver->world, "core %u asked for %d steps in a row and did nothing", driver->idx,
                 SPINS_MAX);
    }
}

void sim_driver_leave(struct sim_driver *driver)
{
    struct sim_world *world = driver->world;
    driver_drain_wants(driver);
    for (int i = 0; i < TURN_STEPS && kw_core_deadline(driver->core) <= world->now_us; i++) {
        driver_count_spin(driver);
        driver_step(driver);
        driver_drain_wants(driver);
    }
    uint64_t deadline = kw_core_deadline(driver->core);
    if (deadline <= world->now_us)
        deadline = world->now_us + 1;
    else if (deadline != UINT64_MAX && world->plan.slack_us && !world->healed)
        deadline += sim_below(&driver->rng, world->plan.slack_us);
    if (deadline != UINT64_MAX && deadline != driver->wake_us) {
        driver->wake_us = deadline;
        sim_queue_put(&world->queue, deadline, driver_wake, driver, deadline);
    }
    if (*driver->attention & KW_ATT_EVENT)
        sim_app_notify(driver);
}

/* Between two calls of one turn: a lazy driver looks at the wants later. */
static void driver_between(struct sim_driver *driver)
{
    if (!driver->world->plan.lazy_wants || sim_one_in(&driver->rng, 4))
        driver_drain_wants(driver);
}

/* ---- writing -------------------------------------------------------------------- */

/* What is held must still read as it did at hand-out. */
static void link_verify(struct sim_link *link, size_t n)
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
        sim_wire_push_up(link, ptr, step);
    }
}

/* Returns the first n bytes to the core. */
static void link_confirm(struct sim_link *link, size_t n)
{
    link_verify(link, n);
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
        driver_between(driver);
    }
    if (link->owns_write)
        link_write(link);
    sim_driver_leave(driver);
}

static void link_late_transmit(void *target, uint64_t n)
{
    struct sim_link *link = target;
    struct sim_driver *driver = link->driver;
    if (link->state != SIM_LINK_UP)
        return;
    link_transmit(link, (size_t)n);
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
        driver_between(driver);
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

static void span_verify(struct sim_link *link)
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
        span_verify(link);
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
    driver_between(link->driver);
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
        sim_wire_take(&link->down, n);
        link_give(link, n);
    }
    if (link->down.arrived > 0)
        sim_queue_put(&driver->world->queue, driver->world->now_us, link_read_again, link, 0);
}

static void link_read_again(void *target, uint64_t arg)
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

/* ---- opening and closing ----------------------------------------------------------- */

static struct sim_link *driver_link(struct sim_driver *driver, uint32_t id)
{
    for (size_t i = driver->n_links; i-- > 0;) {
        if (driver->links[i]->id == id)
            return driver->links[i];
    }
    return NULL;
}

static void driver_open(struct sim_driver *driver, const struct kw_want *want)
{
    struct sim_world *world = driver->world;
    if (driver_link(driver, want->id))
        sim_fail(world, "law 6: connection id %u was used before", want->id);
    if (driver->n_links == driver->links_cap) {
        driver->links_cap = driver->links_cap ? driver->links_cap * 2 : 64;
        driver->links = realloc(driver->links, driver->links_cap * sizeof(*driver->links));
        if (!driver->links)
            abort();
    }
    struct sim_link *link = calloc(1, sizeof(*link));
    if (!link)
        abort();
    driver->links[driver->n_links++] = link;
    driver->n_open++;
    link->driver = driver;
    link->id = want->id;
    /* Broker i is 10.0.0.(i + 1); nobody lives at other addresses. */
    bool known = want->addr.family == 4 && want->addr.ip[0] == 10 && want->addr.ip[3] > 0 &&
                 want->addr.port == SIM_PORT;
    link->broker = known ? (uint32_t)want->addr.ip[3] - 1 : SIM_BROKERS_MAX;
    sim_trace_bytes(&world->trace, want->addr.ip, want->addr.family == 4 ? 4 : 16);
    sim_trace_line(&world->trace, "core %u: open conn %u to broker %u (%s)", driver->idx, want->id,
                   link->broker, want->name ? want->name : "-");
    sim_wire_connect(link);
}

void sim_link_connected(struct sim_link *link)
{
    if (link->state != SIM_LINK_CONNECTING || link->close_wanted)
        return;
    link->state = SIM_LINK_UP;
    sim_driver_enter(link->driver);
    sim_trace_line(&link->driver->world->trace, "core %u: conn %u is up", link->driver->idx,
                   link->id);
    kw_core_opened(link->driver->core, link->id);
    sim_driver_leave(link->driver);
}

/* The receipt: all lent memory goes back. Until then it was ours: the read
 * buffer is written to, the write pieces are compared. */
void sim_link_gone(struct sim_link *link, uint8_t phase, int32_t os_err)
{
    struct sim_driver *driver = link->driver;
    struct sim_world *world = driver->world;
    if (link->state == SIM_LINK_CLOSED)
        return;
    sim_driver_enter(driver);
    if (link->state == SIM_LINK_CLOSED)
        return; /* the step before it made the core close it */
    link_verify(link, link->held);
    if (link->span.len > 0) {
        span_verify(link);
        memset(link->span.ptr, 0xc4, link->span.len);
    }
    link->state = SIM_LINK_CLOSED;
    link->span.len = 0;
    driver->n_open--;
    sim_wire_client_closed(link);
    sim_trace_line(&world->trace, "core %u: conn %u is gone (phase %d, error %d), %zu bytes held",
                   driver->idx, link->id, phase, os_err, link->held);
    sim_trace_word(&world->trace, 0x7000 + link->id);
    struct kw_cause cause = {phase, os_err, NULL};
    kw_core_closed(driver->core, link->id, phase == KW_PHASE_NONE ? NULL : &cause);
    if (sim_one_in(&driver->rng, 8)) {
        /* Late completions are normal, and ignored. */
        kw_core_opened(driver->core, link->id);
        kw_core_read_done(driver->core, link->id, 0);
        kw_core_written(driver->core, link->id, 0);
    }
    sim_driver_leave(driver);
}

static void link_close(void *target, uint64_t arg)
{
    (void)arg;
    sim_link_gone(target, KW_PHASE_NONE, 0);
}

/* ---- resolving -------------------------------------------------------------------------- */

struct sim_query {
    struct sim_query *next; /* freed with the driver */
    struct sim_driver *driver;
    uint32_t id;
    uint16_t port;
    char name[80];
};

/* Names: broker-0.test and so on; 10.0.0.1 and so on. Each name also has an
 * address at which nobody answers. */
static void driver_resolved(void *target, uint64_t fails)
{
    struct sim_query *query = target;
    struct sim_driver *driver = query->driver;
    struct kw_addr addrs[2];
    memset(addrs, 0, sizeof(addrs));
    size_t n = 0;
    int idx = -1;
    if (strncmp(query->name, "broker-", 7) == 0)
        idx = query->name[7] - '0';
    else if (strncmp(query->name, "10.0.0.", 7) == 0)
        idx = query->name[7] - '1';
    if (!fails && idx >= 0 && idx < SIM_BROKERS_MAX) {
        if (query->name[0] == 'b' && !driver->world->healed && sim_one_in(&driver->rng, 3))
            addrs[n++] = (struct kw_addr){4, {10, 9, 9, 0}, query->port, 0};
        addrs[n++] = (struct kw_addr){4, {10, 0, 0, (uint8_t)(idx + 1)}, query->port, 0};
    }
    if (!driver->core)
        return;
    sim_driver_enter(driver);
    sim_trace_line(&driver->world->trace, "core %u: %s has %zu addresses", driver->idx, query->name,
                   n);
    kw_core_resolved(driver->core, query->id, addrs, n, n ? 0 : -2);
    sim_driver_leave(driver);
}

static void driver_resolve(struct sim_driver *driver, const struct kw_want *want)
{
    struct sim_world *world = driver->world;
    struct sim_query *query = calloc(1, sizeof(*query));
    if (!query)
        abort();
    *query = (struct sim_query){
        .next = driver->queries, .driver = driver, .id = want->id, .port = want->port};
    driver->queries = query;
    size_t len = want->name ? strlen(want->name) : 0;
    if (len >= sizeof(query->name))
        len = sizeof(query->name) - 1;
    memcpy(query->name, want->name, len);
    sim_trace_bytes(&world->trace, query->name, len);
    sim_trace_line(&world->trace, "core %u: resolve %s", driver->idx, query->name);
    bool fails = !world->healed && sim_below(&driver->rng, 100) < world->plan.resolve_fail_percent;
    sim_queue_put(&world->queue, world->now_us + sim_below(&driver->rng, 20000), driver_resolved,
                  query, fails);
}

/* ---- wants ---------------------------------------------------------------------------------- */

static void driver_work_done(void *target, uint64_t work)
{
    struct sim_driver *driver = target;
    if (!driver->core)
        return;
    sim_driver_enter(driver);
    kw_core_work_done(driver->core, (struct kw_work *)(uintptr_t)work);
    sim_driver_leave(driver);
}

static void driver_link_want(struct sim_driver *driver, const struct kw_want *want)
{
    struct sim_world *world = driver->world;
    struct sim_link *link = driver_link(driver, want->id);
    if (!link || link->state == SIM_LINK_CLOSED || link->close_wanted) {
        sim_fail(world, "want %d for connection %u.%u, which is closed or was never opened",
                 want->kind, driver->idx, want->id);
        return;
    }
    switch (want->kind) {
    case KW_WANT_CLOSE:
        link->close_wanted = true;
        sim_trace_line(&world->trace, "core %u: close conn %u", driver->idx, link->id);
        sim_queue_put(&world->queue,
                      world->now_us + (world->plan.late_close ? sim_below(&driver->rng, 80000) : 0),
                      link_close, link, 0);
        return;
    case KW_WANT_WRITE_READY:
        if (link->state != SIM_LINK_UP)
            sim_fail(world, "WRITE_READY for connection %u.%u, which is not up", driver->idx,
                     link->id);
        link->owns_write = true;
        sim_link_writable(link);
        return;
    case KW_WANT_READ_ON:
        link->read_on = true;
        sim_queue_put(&world->queue, world->now_us, link_read_again, link, 0);
        return;
    default:
        link->read_on = false;
        if (link->span.len > 0 && sim_one_in(&driver->rng, 2)) {
            span_verify(link);
            link->span.len = 0;
            kw_core_read_done(driver->core, link->id, 0);
        }
        return;
    }
}

static void driver_drain_wants(struct sim_driver *driver)
{
    struct sim_world *world = driver->world;
    bool announced = (*driver->attention & KW_ATT_WANT) != 0;
    if (!announced && !sim_one_in(&driver->rng, 32))
        return;
    struct kw_want want;
    while (kw_core_next_want(driver->core, &want)) {
        if (!announced)
            sim_fail(world, "want %d without the attention bit", want.kind);
        sim_trace_word(&world->trace, (uint64_t)want.kind << 32 | want.id);
        switch (want.kind) {
        case KW_WANT_RESOLVE: driver_resolve(driver, &want); break;
        case KW_WANT_OPEN: driver_open(driver, &want); break;
        case KW_WANT_WORK:
            while (kw_work_run(want.work, 4096))
                ;
            sim_queue_put(&world->queue, world->now_us + sim_below(&driver->rng, 5000),
                          driver_work_done, driver, (uintptr_t)want.work);
            break;
        default: driver_link_want(driver, &want); break;
        }
    }
    sim_trace_word(&world->trace, kw_core_deadline(driver->core));
}

/* ---- life ------------------------------------------------------------------------------------- */

void sim_driver_attach(struct sim_driver *driver, struct kw_core *core)
{
    driver->core = core;
    driver->attention = kw_core_attention(core);
    driver->wake_us = UINT64_MAX;
}

void sim_driver_deinit(struct sim_driver *driver)
{
    kw_core_destroy(driver->core);
    driver->core = NULL;
    for (size_t i = 0; i < driver->n_links; i++) {
        struct sim_link *link = driver->links[i];
        sim_wire_deinit(link);
        free(link->lent);
        free(link->shadow);
        free(link);
    }
    for (struct sim_query *query = driver->queries, *next; query; query = next) {
        next = query->next;
        free(query);
    }
    free(driver->links);
    driver->queries = NULL;
    driver->links = NULL;
    driver->n_links = 0;
}
