/* client/event.c -- the event queue: raise, take, forget. See event.h. */
#include "client/event.h"

#include <string.h>

#include "client/core.h"

enum { EVENT_ERROR_INTERVAL_US = 10000000 };

static bool event_fill_error(struct kw_evnode *node, struct kw_event *out)
{
    struct kw_events *events = KWI_OF(node, struct kw_events, errors);
    bool taken = false;

    for (unsigned i = 0; i < KWI_ERROR_RING; i++) {
        struct kw_error_slot *slot = &events->ring[(events->ring_next + i) % KWI_ERROR_RING];
        if (!slot->pending)
            continue;
        if (taken)
            return true;
        slot->pending = false;
        events->current = slot->error;
        taken = true;
    }
    out->kind = taken ? KW_EVENT_ERROR : KW_EVENT_NONE;
    out->code = events->current.code;
    out->error = &events->current;
    return false;
}

void kwi_events_init(struct kw_events *events)
{
    memset(events, 0, sizeof(*events));
    events->errors.fill = event_fill_error;
}

void kwi_event_raise(struct kw_core *core, struct kw_evnode *node)
{
    if (!node->queued) {
        node->queued = true;
        kwi_list_push(&core->events.queue, &node->node);
    }
    kwi_attend(core, KW_ATT_EVENT);
}

void kwi_event_drop(struct kw_core *core, struct kw_evnode *node)
{
    if (node->queued)
        kwi_list_remove(&core->events.queue, &node->node);
    node->queued = false;
    if (core->events.lent == node)
        core->events.lent = NULL;
}

void kwi_events_forget(struct kw_core *core)
{
    struct kw_node *node;

    while ((node = kwi_list_pop(&core->events.queue)))
        KWI_OF(node, struct kw_evnode, node)->queued = false;
    core->events.lent = NULL;
}

static bool event_same(const struct kw_error *a, const struct kw_error *b)
{
    return a->code == b->code && a->kafka_code == b->kafka_code && a->phase == b->phase &&
           !memcmp(a->peer, b->peer, sizeof(a->peer)) && !memcmp(a->text, b->text, sizeof(a->text));
}

void kwi_event_error(struct kw_core *core, const struct kw_error *error)
{
    struct kw_events *events = &core->events;
    struct kw_error_slot *slot;

    kwi_log(core, error->retriable ? 4 : 3, "%s", error->text);
    for (unsigned i = 0; i < KWI_ERROR_RING; i++) {
        slot = &events->ring[i];
        if (slot->error.code && event_same(&slot->error, error)) {
            slot->repeats++;
            if (slot->pending || core->now.mono_us - slot->last_us < EVENT_ERROR_INTERVAL_US)
                return;
            slot->last_us = core->now.mono_us;
            slot->pending = true;
            kwi_event_raise(core, &events->errors);
            return;
        }
    }
    slot = &events->ring[events->ring_next++ % KWI_ERROR_RING];
    *slot = (struct kw_error_slot){.error = *error, .last_us = core->now.mono_us, .pending = true};
    kwi_event_raise(core, &events->errors);
}

/* What the last event lent goes back when the next one is taken (law 3). */
static void event_return_lent(struct kw_core *core)
{
    struct kw_evnode *node = core->events.lent;

    core->events.lent = NULL;
    if (node && node->done)
        node->done(node, core->events.lent_last);
}

bool kw_core_next_event(struct kw_core *core, struct kw_event *event)
{
    struct kw_events *events = &core->events;

    event_return_lent(core);
    while (!kwi_list_empty(&events->queue)) {
        struct kw_evnode *node = KWI_OF(events->queue.first, struct kw_evnode, node);
        bool more;

        memset(event, 0, sizeof(*event)); /* nothing of the event before */
        more = node->fill(node, event);
        if (!more) {
            kwi_list_remove(&events->queue, &node->node);
            node->queued = false;
        }
        events->lent = node;
        events->lent_last = !more;
        if (event->kind != KW_EVENT_NONE)
            return true;
        event_return_lent(core); /* nothing to tell any more */
    }
    core->attention &= ~(uint32_t)KW_ATT_EVENT;
    return false;
}
