/* tests/sim/wire.c -- the network: connects that succeed late, fail or hang,
 * bytes that take their time, connections cut at any byte of a frame, cuts that
 * one side does not notice, and requests that arrive after their sender left.
 *
 * Bytes of one direction never overtake each other. A cut is planned when a
 * frame begins to be sent: with a mean of one in `cut_frames`, the connection
 * dies at a byte of that frame chosen at random. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { API_PRODUCE = 0 };
enum { OS_ECONNREFUSED = 111, OS_ECONNRESET = 104 };

size_t sim_chunk(enum sim_chunk policy, struct sim_rng *rng)
{
    switch (policy) {
    case SIM_CHUNK_ONE: return 1;
    case SIM_CHUNK_SMALL: return sim_between(rng, 1, 16);
    case SIM_CHUNK_RANDOM:
        return sim_one_in(rng, 4) ? sim_between(rng, 1, 8) : sim_between(rng, 1, 3000);
    case SIM_CHUNK_LARGE: break;
    }
    return 1 << 20;
}

static uint64_t wire_delay(struct sim_world *world, uint32_t max_us)
{
    if (world->healed && max_us > 2000)
        max_us = 2000;
    return max_us ? sim_between(&world->net_rng, max_us / 2, max_us) : 0;
}

static bool wire_percent(struct sim_world *world, uint32_t percent)
{
    return !world->healed && percent > 0 && sim_below(&world->net_rng, 100) < percent;
}

/* ---- pipes -------------------------------------------------------------------- */

static void pipe_append(struct sim_pipe *pipe, const uint8_t *bytes, size_t n)
{
    if (pipe->head + pipe->n + n > pipe->cap) {
        if (pipe->n > 0)
            memmove(pipe->bytes, pipe->bytes + pipe->head, pipe->n);
        pipe->head = 0;
        if (pipe->n + n > pipe->cap) {
            pipe->cap = (pipe->n + n) * 2;
            pipe->bytes = realloc(pipe->bytes, pipe->cap);
            if (!pipe->bytes)
                abort();
        }
    }
    memcpy(pipe->bytes + pipe->head + pipe->n, bytes, n);
    pipe->n += n;
}

void sim_wire_take(struct sim_pipe *pipe, size_t n)
{
    pipe->head += n;
    pipe->n -= n;
    pipe->arrived -= n;
    if (pipe->n == 0)
        pipe->head = 0;
}

static void pipe_drop(struct sim_pipe *pipe)
{
    pipe->dead = true;
    pipe->head = pipe->n = pipe->arrived = 0;
}

/* Follows the frames of a stream; returns how many of the n bytes pass before
 * the cut that was planned for a frame. */
static size_t pipe_follow(struct sim_world *world, struct sim_pipe *pipe, const uint8_t *bytes,
                          size_t n)
{
    for (size_t i = 0; i < n;) {
        if (pipe->cut_in != UINT64_MAX && pipe->cut_in == 0)
            return i;
        if (pipe->frame_left > 0) {
            size_t step = n - i < pipe->frame_left ? n - i : (size_t)pipe->frame_left;
            if (pipe->cut_in != UINT64_MAX && step > pipe->cut_in)
                step = (size_t)pipe->cut_in;
            pipe->frame_left -= step;
            if (pipe->cut_in != UINT64_MAX)
                pipe->cut_in -= step;
            i += step;
            continue;
        }
        pipe->head_bytes[pipe->n_head++] = bytes[i++];
        if (pipe->n_head < 4)
            continue;
        pipe->n_head = 0;
        pipe->frame_left = (uint64_t)pipe->head_bytes[0] << 24 |
                           (uint64_t)pipe->head_bytes[1] << 16 |
                           (uint64_t)pipe->head_bytes[2] << 8 | pipe->head_bytes[3];
        world->n_frames++;
        if (!world->healed && sim_one_in(&world->net_rng, world->plan.cut_frames))
            pipe->cut_in = sim_below(&world->net_rng, (uint32_t)pipe->frame_left + 1);
    }
    return n;
}

/* ---- arrivals -------------------------------------------------------------------- */

void sim_wire_feed(struct sim_link *link)
{
    struct sim_world *world = link->driver->world;
    struct sim_pipe *pipe = &link->up;
    size_t moved = 0;
    uint64_t n_produced = kwi_mock_n_requests(world->mock, API_PRODUCE);
    while (!sim_server_stalled(link) && link->server && pipe->arrived > 0 &&
           kwi_mock_reading(link->server) && !kwi_mock_closing(link->server)) {
        size_t n = sim_chunk(world->plan.chunk_up, &world->net_rng);
        if (n > pipe->arrived)
            n = pipe->arrived;
        kwi_mock_input(link->server, pipe->bytes + pipe->head, n);
        sim_wire_take(pipe, n);
        moved += n;
    }
    if (moved == 0)
        return;
    sim_watch_produced(link, kwi_mock_n_requests(world->mock, API_PRODUCE) - n_produced);
    sim_link_taken(link, moved);
    sim_link_writable(link);
}

static void wire_free_server(struct sim_link *link)
{
    kwi_mock_conn_free(link->server);
    link->server = NULL;
}

static void wire_arrive_up(void *target, uint64_t n)
{
    struct sim_link *link = target;
    if (link->up.dead)
        return;
    link->up.arrived += (size_t)n;
    sim_server_enter(link->driver->world);
    sim_wire_feed(link);
    sim_server_leave(link->driver->world);
}

static void wire_end_up(void *target, uint64_t arg)
{
    struct sim_link *link = target;
    struct sim_world *world = link->driver->world;
    (void)arg;
    if (sim_server_stalled(link)) {
        /* It will read what was sent before it sees that the client left. */
        sim_queue_put(&world->queue, world->stalled_us[link->broker], wire_end_up, link, 0);
        return;
    }
    sim_server_enter(world);
    wire_free_server(link);
    sim_server_leave(link->driver->world);
}

static void wire_arrive_down(void *target, uint64_t n)
{
    struct sim_link *link = target;
    if (link->down.dead)
        return;
    link->down.arrived += (size_t)n;
    sim_link_readable(link);
}

static void wire_end_down(void *target, uint64_t arg)
{
    struct sim_link *link = target;
    sim_link_gone(link, KW_PHASE_REQUEST, (int32_t)arg);
}

static uint64_t wire_order(struct sim_pipe *pipe, uint64_t at_us)
{
    if (at_us < pipe->last_us)
        at_us = pipe->last_us;
    pipe->last_us = at_us;
    return at_us;
}

/* ---- closing and cutting ------------------------------------------------------------ */

void sim_wire_client_closed(struct sim_link *link)
{
    struct sim_world *world = link->driver->world;
    if (!link->server || link->up.ended)
        return;
    link->up.ended = true;
    link->down.dead = true;
    uint64_t delay = wire_delay(world, world->plan.delay_up_us);
    if (world->plan.late_requests && !world->healed && sim_one_in(&world->net_rng, 2))
        delay += sim_between(&world->net_rng, 0, 3000000);
    else if (sim_one_in(&world->net_rng, 2))
        pipe_drop(&link->up); /* a reset overtakes what was sent */
    sim_queue_put(&world->queue, wire_order(&link->up, world->now_us + delay), wire_end_up, link,
                  0);
}

void sim_wire_server_closed(struct sim_link *link)
{
    struct sim_world *world = link->driver->world;
    if (!link->server || link->down.ended)
        return;
    link->down.ended = true;
    wire_free_server(link);
    pipe_drop(&link->up);
    if (world->plan.half_open && !world->healed && sim_one_in(&world->net_rng, 3)) {
        link->down.dead = true; /* the machine is gone and says nothing */
        return;
    }
    uint64_t at_us = world->now_us + wire_delay(world, world->plan.delay_down_us);
    sim_queue_put(&world->queue, wire_order(&link->down, at_us), wire_end_down, link,
                  sim_one_in(&world->net_rng, 2) ? OS_ECONNRESET : 0);
}

/* The connection breaks in the middle. Each side learns of it in its own time,
 * the client perhaps never. */
void sim_wire_cut(struct sim_link *link)
{
    struct sim_world *world = link->driver->world;
    struct sim_rng *rng = &world->net_rng;
    if (link->cut || link->state != SIM_LINK_UP)
        return;
    link->cut = true;
    sim_saw(world, SIM_SAW_CUT);
    bool silent = world->plan.half_open && sim_one_in(rng, 3);
    bool late = world->plan.late_requests && sim_one_in(rng, 2);
    sim_trace_line(&world->trace, "    net: conn %u.%u is cut%s%s", link->driver->idx, link->id,
                   silent ? ", the client does not notice" : "", late ? ", requests linger" : "");
    if (silent)
        sim_saw(world, SIM_SAW_HALF_OPEN);
    if (!link->down.ended) {
        link->down.ended = true;
        if (sim_one_in(rng, 2))
            pipe_drop(&link->down);
        link->down.dead = link->down.dead || silent;
        uint64_t at_us = world->now_us + wire_delay(world, world->plan.delay_down_us);
        if (silent)
            at_us += sim_between(rng, 100000, 8000000);
        sim_queue_put(&world->queue, wire_order(&link->down, at_us), wire_end_down, link,
                      OS_ECONNRESET);
    }
    if (!link->up.ended) {
        link->up.ended = true;
        if (!late && sim_one_in(rng, 2))
            pipe_drop(&link->up);
        uint64_t at_us = world->now_us + wire_delay(world, world->plan.delay_up_us);
        if (late)
            at_us += sim_between(rng, 0, 3000000);
        sim_queue_put(&world->queue, wire_order(&link->up, at_us), wire_end_up, link, 0);
    }
}

/* ---- sending -------------------------------------------------------------------------- */

size_t sim_wire_room(const struct sim_link *link)
{
    size_t used = link->up.n + (link->held - link->sent), window = link->driver->world->plan.window;
    return used < window ? window - used : 0;
}

/* After a cut nothing more enters the wire; the sender may not know yet. */
static void wire_push(struct sim_link *link, struct sim_pipe *pipe, const uint8_t *bytes, size_t n,
                      uint32_t delay_us, void (*arrive)(void *, uint64_t))
{
    struct sim_world *world = link->driver->world;
    if (n == 0 || pipe->dead || pipe->ended)
        return;
    size_t passed = pipe_follow(world, pipe, bytes, n);
    if (passed > 0) {
        pipe_append(pipe, bytes, passed);
        uint64_t at_us = wire_order(pipe, world->now_us + wire_delay(world, delay_us));
        sim_queue_put(&world->queue, at_us, arrive, link, passed);
    }
    if (passed < n || pipe->cut_in == 0)
        sim_wire_cut(link);
}

void sim_wire_push_up(struct sim_link *link, const uint8_t *bytes, size_t n)
{
    wire_push(link, &link->up, bytes, n, link->driver->world->plan.delay_up_us, wire_arrive_up);
}

void sim_wire_push_down(struct sim_link *link, const uint8_t *bytes, size_t n)
{
    wire_push(link, &link->down, bytes, n, link->driver->world->plan.delay_down_us,
              wire_arrive_down);
}

/* ---- connecting -------------------------------------------------------------------------- */

static void wire_accepted(void *target, uint64_t arg)
{
    struct sim_link *link = target;
    struct sim_world *world = link->driver->world;
    (void)arg;
    if (link->state != SIM_LINK_CONNECTING || link->close_wanted)
        return; /* it was given up meanwhile */
    sim_server_enter(world);
    link->server = link->broker < SIM_BROKERS_MAX ? kwi_mock_accept(world->mock, link->broker)
                                                  : NULL;
    if (link->server) {
        kwi_mock_conn_set_user(link->server, link);
        world->n_connects++;
    }
    sim_server_leave(world);
    if (link->server)
        sim_link_connected(link);
    else
        sim_link_gone(link, KW_PHASE_CONNECT, OS_ECONNREFUSED);
}

static void wire_refused(void *target, uint64_t arg)
{
    struct sim_link *link = target;
    (void)arg;
    if (link->state == SIM_LINK_CONNECTING)
        sim_link_gone(link, KW_PHASE_CONNECT, OS_ECONNREFUSED);
}

void sim_wire_connect(struct sim_link *link)
{
    struct sim_world *world = link->driver->world;
    link->up.cut_in = link->down.cut_in = UINT64_MAX;
    if (link->broker == SIM_NOBODY || wire_percent(world, world->plan.blackhole_percent)) {
        sim_trace_line(&world->trace, "    net: conn %u.%u gets no answer", link->driver->idx,
                       link->id);
        return;
    }
    uint64_t at_us = world->now_us + wire_delay(world, world->plan.delay_up_us) +
                     wire_delay(world, world->plan.delay_down_us) +
                     wire_delay(world, world->plan.slow_connect_us);
    if (wire_percent(world, world->plan.refuse_percent))
        sim_queue_put(&world->queue, at_us, wire_refused, link, 0);
    else
        sim_queue_put(&world->queue, at_us, wire_accepted, link, 0);
}

void sim_wire_deinit(struct sim_link *link)
{
    kwi_mock_conn_free(link->server);
    free(link->up.bytes);
    free(link->down.bytes);
}
