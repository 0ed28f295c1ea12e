/* tests/sim/watch.c -- counts the faults that a run met. See watch.h. */
#include "tests/sim/watch.h"
#include "tests/sim/sim.h"

#include <string.h>

enum {
    API_PRODUCE = 0,
    API_SASL_HANDSHAKE = 17,
    SIZE_LEN = 4,
    ANSWER_HEAD = 8, /* size, correlation id */
    IN_FLIGHT = 5,
    OLD_US = 100000 /* long enough for the client to have sent it again elsewhere */
};

static const char *const watch_names[SIM_N_KINDS] = {
    [SIM_SAW_MOVE] = "leader moves",
    [SIM_SAW_RESTART] = "brokers down",
    [SIM_SAW_STALL] = "stalled brokers",
    [SIM_SAW_CUT] = "cuts",
    [SIM_SAW_HALF_OPEN] = "cuts not noticed",
    [SIM_SAW_TIMEOUT] = "request timeouts",
    [SIM_SAW_LOST_ANSWER] = "lost answers",
    [SIM_SAW_OLD_REQUEST] = "delayed old requests",
    [SIM_SAW_FIVE] = "five in flight",
    [SIM_SAW_RETRY] = "batches sent again",
    [SIM_SAW_EPOCH] = "epochs raised",
    [SIM_SAW_EXPIRED] = "expired unsent",
    [SIM_SAW_EXPIRED_SENT] = "expired in flight",
    [SIM_SAW_EXPIRED_LENT] = "expired while lent",
    [SIM_SAW_SESSION] = "sessions prolonged",
    [SIM_SAW_RACE] = "races",
    [SIM_SAW_READDRESS] = "new addresses",
};

const char *sim_kind_name(enum sim_kind kind)
{
    return watch_names[kind];
}

void sim_saw(struct sim_world *world, enum sim_kind kind)
{
    world->n_seen[kind]++;
}

static uint32_t watch_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Follows a stream; each time the byte at `stop` of a frame has passed (0: its
 * last), calls `then` with the frame's head. */
static void watch_follow(struct sim_link *link, struct sim_frames *frames, const uint8_t *bytes,
                         size_t n, uint64_t stop,
                         void (*then)(struct sim_link *link, const uint8_t *head))
{
    for (size_t i = 0; i < n;) {
        if (frames->pos < SIM_FRAME_HEAD) {
            frames->head[frames->pos++] = bytes[i++];
            if (frames->pos == SIZE_LEN)
                frames->size = SIZE_LEN + (uint64_t)watch_u32(frames->head);
        } else {
            uint64_t left = frames->size - frames->pos;
            size_t step = n - i < left ? n - i : (size_t)left;
            frames->pos += step;
            i += step;
        }
        bool ended = frames->pos >= SIZE_LEN && frames->pos >= frames->size;
        if (stop ? frames->pos == stop : ended && frames->pos >= ANSWER_HEAD)
            then(link, frames->head);
        if (ended)
            frames->pos = frames->size = 0;
    }
}

static struct sim_call *watch_call(struct sim_watch *watch, uint32_t correlation)
{
    for (uint32_t i = 0; i < watch->n_calls; i++) {
        if (watch->calls[i].correlation == correlation)
            return &watch->calls[i];
    }
    return NULL;
}

static void watch_drop_call(struct sim_watch *watch, uint32_t idx)
{
    watch->n_calls--;
    memmove(watch->calls + idx, watch->calls + idx + 1,
            (watch->n_calls - idx) * sizeof(*watch->calls));
}

static void watch_call_sent(struct sim_link *link, const uint8_t *head)
{
    struct sim_watch *watch = &link->watch;
    struct sim_world *world = link->driver->world;
    int16_t api = (int16_t)(head[4] << 8 | head[5]);
    uint32_t n_produce = 1;
    if (api == API_PRODUCE && world->plan.acks == 0)
        return; /* nobody answers it */
    if (api == API_SASL_HANDSHAKE && watch->n_handshakes++ > 0)
        sim_saw(world, SIM_SAW_SESSION);
    if (watch->n_calls == SIM_CALLS_MAX)
        watch_drop_call(watch, 0);
    for (uint32_t i = 0; i < watch->n_calls; i++)
        n_produce += watch->calls[i].api == API_PRODUCE;
    if (api == API_PRODUCE && n_produce == IN_FLIGHT)
        sim_saw(world, SIM_SAW_FIVE);
    watch->calls[watch->n_calls++] = (struct sim_call){watch_u32(head + 8), api, false,
                                                       world->now_us};
}

static void watch_call_answered(struct sim_link *link, const uint8_t *head)
{
    struct sim_call *call = watch_call(&link->watch, watch_u32(head + SIZE_LEN));
    if (call)
        call->answered = true;
}

static void watch_call_read(struct sim_link *link, const uint8_t *head)
{
    struct sim_call *call = watch_call(&link->watch, watch_u32(head + SIZE_LEN));
    if (call)
        watch_drop_call(&link->watch, (uint32_t)(call - link->watch.calls));
}

void sim_watch_sent(struct sim_link *link, const uint8_t *bytes, size_t n)
{
    watch_follow(link, &link->watch.sent, bytes, n, SIM_FRAME_HEAD, watch_call_sent);
}

void sim_watch_said(struct sim_link *link, const uint8_t *bytes, size_t n)
{
    watch_follow(link, &link->watch.said, bytes, n, 0, watch_call_answered);
}

void sim_watch_read(struct sim_link *link, const uint8_t *bytes, size_t n)
{
    watch_follow(link, &link->watch.read, bytes, n, 0, watch_call_read);
}

void sim_watch_close_wanted(struct sim_link *link)
{
    struct sim_world *world = link->driver->world;
    const struct sim_watch *watch = &link->watch;
    uint64_t timeout_us = 1000ull * world->plan.request_timeout_ms;
    if (watch->n_calls > 0 && watch->calls[0].sent_us + timeout_us <= world->now_us)
        sim_saw(world, SIM_SAW_TIMEOUT);
}

void sim_watch_gone(struct sim_link *link)
{
    for (uint32_t i = 0; i < link->watch.n_calls; i++) {
        if (link->watch.calls[i].api == API_PRODUCE && link->watch.calls[i].answered)
            sim_saw(link->driver->world, SIM_SAW_LOST_ANSWER);
    }
    link->gone_us = link->driver->world->now_us;
}

void sim_watch_produced(struct sim_link *link, uint64_t n)
{
    const struct sim_world *world = link->driver->world;
    if (n > 0 && link->state == SIM_LINK_CLOSED && world->now_us >= link->gone_us + OLD_US)
        sim_saw(link->driver->world, SIM_SAW_OLD_REQUEST);
}
