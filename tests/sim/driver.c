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

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPINS_MAX = 2000, /* steps in a row that moved nothing */
    TURN_STEPS = 16   /* steps at one point of time before others get a turn */
};

static void driver_drain_wants(struct sim_driver *driver);

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
void sim_driver_between(struct sim_driver *driver)
{
    if (!driver->world->plan.lazy_wants || sim_one_in(&driver->rng, 4))
        driver_drain_wants(driver);
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

/* Broker i is 10.0.0.(i + 1), 10.0.1.(i + 1) and fd00::(i + 1). At other addresses
 * nobody lives, and at 10.9.9.1 nobody even says so. */
static uint32_t driver_broker_at(const struct kw_addr *addr)
{
    static const uint8_t four[2] = {10, 0}, six[2] = {0xfd, 0}, silent[4] = {10, 9, 9, 1};
    const uint8_t *ip = addr->ip;
    uint8_t last = addr->family == 4 ? ip[3] : ip[15];
    if (addr->family == 4 && memcmp(ip, silent, 4) == 0)
        return SIM_NOBODY;
    if (addr->port != SIM_PORT || last == 0 || memcmp(ip, addr->family == 4 ? four : six, 2) != 0)
        return SIM_BROKERS_MAX;
    return last - 1u;
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
    link->broker = driver_broker_at(&want->addr);
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
    link->up_us = link->driver->world->now_us;
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
    sim_link_verify(link, link->held);
    if (link->span.len > 0) {
        sim_span_verify(link);
        memset(link->span.ptr, 0xc4, link->span.len);
    }
    link->state = SIM_LINK_CLOSED;
    link->span.len = 0;
    sim_watch_gone(link);
    driver->n_open--;
    sim_wire_client_closed(link);
    sim_trace_line(&world->trace, "core %u: conn %u is gone (phase %d, error %d), %zu bytes held",
                   driver->idx, link->id, phase, os_err, link->held);
    sim_trace_word(&world->trace, 0x7000 + link->id);
    struct kw_cause cause = {.phase = phase, .os_err = os_err};
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

/* The addresses of a name: two families, and while there are faults some at which
 * nobody lives, in any order. */
static size_t driver_addresses(struct sim_driver *driver, const struct sim_query *query, int idx,
                               struct kw_addr *addrs)
{
    const uint8_t last = (uint8_t)(idx + 1), site = (uint8_t)(query->name[9] == 'm');
    size_t n = 0;
    if (!driver->world->healed && sim_one_in(&driver->rng, 3))
        addrs[n++] = (struct kw_addr){4, {10, 9, 9, 0}, query->port, 0};
    if (!driver->world->healed && sim_one_in(&driver->rng, 3))
        addrs[n++] = (struct kw_addr){4, {10, 9, 9, 1}, query->port, 0};
    if (sim_one_in(&driver->rng, 2))
        addrs[n++] = (struct kw_addr){
            6, {0xfd, 0, site, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}, query->port, 0};
    addrs[n++] = (struct kw_addr){4, {10, 0, site, last}, query->port, 0};
    for (size_t i = n; i > 1; i--) {
        size_t k = sim_below(&driver->rng, (uint32_t)i);
        struct kw_addr other = addrs[k];
        addrs[k] = addrs[i - 1];
        addrs[i - 1] = other;
    }
    return n;
}

/* Names: broker-0.test or, when it has moved, broker-0.moved; 10.0.0.1 or 10.0.1.1. */
static void driver_resolved(void *target, uint64_t fails)
{
    struct sim_query *query = target;
    struct sim_driver *driver = query->driver;
    struct kw_addr addrs[4];
    memset(addrs, 0, sizeof(addrs));
    size_t n = 0;
    if (!fails && strncmp(query->name, "broker-", 7) == 0) {
        n = driver_addresses(driver, query, query->name[7] - '0', addrs);
    } else if (!fails && strncmp(query->name, "10.0.", 5) == 0) {
        uint8_t site = (uint8_t)(query->name[5] - '0'), last = (uint8_t)(query->name[7] - '0');
        addrs[n++] = (struct kw_addr){4, {10, 0, site, last}, query->port, 0};
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

/* An address may have no name, or one that leads elsewhere. */
static void driver_named(void *target, uint64_t fails)
{
    struct sim_query *query = target;
    struct sim_driver *driver = query->driver;
    if (!driver->core)
        return;
    sim_driver_enter(driver);
    kw_core_named(driver->core, query->id, fails ? NULL : query->name);
    sim_driver_leave(driver);
}

static void driver_name(struct sim_driver *driver, const struct kw_want *want)
{
    struct sim_world *world = driver->world;
    const struct kw_addr *addr = &want->addr;
    unsigned last = addr->ip[addr->family == 4 ? 3 : 15];
    unsigned idx = last > 0 ? last - 1 : 0;
    struct sim_query *query = calloc(1, sizeof(*query));
    if (!query)
        abort();
    *query = (struct sim_query){.next = driver->queries, .driver = driver, .id = want->id};
    driver->queries = query;
    if (!world->healed && sim_one_in(&driver->rng, 8))
        idx = sim_below(&driver->rng, world->plan.n_brokers);
    snprintf(query->name, sizeof(query->name), "broker-%u.test", idx);
    sim_trace_line(&world->trace, "core %u: name of %u", driver->idx, last);
    sim_queue_put(&world->queue, world->now_us + sim_below(&driver->rng, 20000), driver_named,
                  query, sim_one_in(&driver->rng, 3));
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

/* An attempt is given up while another one to the same broker has just come up. */
static void driver_see_race(struct sim_driver *driver, const struct sim_link *link)
{
    for (size_t i = 0; i < driver->n_links && link->state == SIM_LINK_CONNECTING; i++) {
        const struct sim_link *other = driver->links[i];
        if (other->state == SIM_LINK_UP && other->broker == link->broker &&
            other->up_us == driver->world->now_us)
            sim_saw(driver->world, SIM_SAW_RACE);
    }
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
        driver_see_race(driver, link);
        link->close_wanted = true;
        sim_watch_close_wanted(link);
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
        sim_queue_put(&world->queue, world->now_us, sim_link_read_again, link, 0);
        return;
    default:
        link->read_on = false;
        if (link->span.len > 0 && sim_one_in(&driver->rng, 2)) {
            sim_span_verify(link);
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
        case KW_WANT_NAME: driver_name(driver, &want); break;
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

bool sim_driver_holds(const struct sim_driver *driver, const void *bytes, size_t len)
{
    for (size_t i = 0; i < driver->n_links; i++) {
        const struct sim_link *link = driver->links[i];
        const uint8_t *at = link->shadow + link->shadow_first;
        if (link->state != SIM_LINK_UP)
            continue;
        for (size_t k = 0; k + len <= link->held; k++) {
            if (memcmp(at + k, bytes, len) == 0)
                return true;
        }
    }
    return false;
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
