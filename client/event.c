/* client/event.c -- the event queue: raise, take, forget. See event.h. */
#include "client/event.h"

#include <string.h>

#include "base/fmt.h"
#include "client/core.h"

enum { EVENT_ERROR_INTERVAL_US = 10000000 };

/* ---- errors, each told at most once an interval ------------------------------- */

/* Takes the next error that waits. Returns whether another one does. */
static bool event_fill_error(struct kw_evnode *node, struct kw_event *out)
{
    struct kw_events *events = KWI_OF(node, struct kw_events, errors);

    for (unsigned i = 0; i < KWI_ERROR_SLOTS; i++) {
        struct kw_error_slot *slot = &events->slots[i];
        if (!slot->pending)
            continue;
        if (out->kind != KW_EVENT_NONE)
            return true;
        slot->pending = false;
        events->current = slot->error;
        out->kind = KW_EVENT_ERROR;
        out->code = slot->error.code;
        out->count = slot->n_untold;
        out->error = &events->current;
        slot->n_untold = 0;
    }
    return false;
}

static bool event_same(const struct kw_error *a, const struct kw_error *b)
{
    return a->code == b->code && a->kafka_code == b->kafka_code && a->phase == b->phase &&
           !memcmp(a->peer, b->peer, sizeof(a->peer)) && !memcmp(a->text, b->text, sizeof(a->text));
}

static bool event_is_due(const struct kw_core *core, const struct kw_error_slot *slot)
{
    return core->now.mono_us - slot->told_us >= EVENT_ERROR_INTERVAL_US;
}

static void event_tell(struct kw_core *core, struct kw_error_slot *slot)
{
    const struct kw_error *error = &slot->error;

    slot->told_us = core->now.mono_us;
    slot->pending = true;
    if (slot->n_untold > 1)
        kwi_log(core, error->retriable ? 4 : 3, "%s (%u times in 10 s)", error->text,
                slot->n_untold);
    else
        kwi_log(core, error->retriable ? 4 : 3, "%s", error->text);
    kwi_event_raise(core, &core->events.errors);
}

/* What came again within its interval is told, with its number, at the end of it. */
static void event_interval_over(struct kw_timer *timer)
{
    struct kw_events *events = KWI_OF(timer, struct kw_events, again);
    struct kw_core *core = KWI_OF(events, struct kw_core, events);
    uint64_t next_us = UINT64_MAX;

    for (unsigned i = 0; i < KWI_ERROR_SLOTS; i++) {
        struct kw_error_slot *slot = &events->slots[i];
        uint64_t due_us = slot->told_us + EVENT_ERROR_INTERVAL_US;
        if (!slot->n_untold || slot->pending)
            continue;
        if (event_is_due(core, slot))
            event_tell(core, slot);
        else if (due_us < next_us)
            next_us = due_us;
    }
    if (next_us != UINT64_MAX)
        kwi_core_arm(core, &events->again, next_us);
}

/* The slot of the same error; else the one that was silent longest, if it has been
 * for an interval; else the last one, which stands for all others. */
static struct kw_error_slot *event_slot(struct kw_core *core, const struct kw_error *error)
{
    struct kw_events *events = &core->events;
    struct kw_error_slot *oldest = NULL, *last = &events->slots[KWI_ERROR_SLOTS - 1];

    for (unsigned i = 0; i < KWI_ERROR_SLOTS - 1; i++) {
        struct kw_error_slot *slot = &events->slots[i];
        bool free_now = !slot->pending && !slot->n_untold &&
                        (!slot->error.code || event_is_due(core, slot));
        if (slot->error.code && event_same(&slot->error, error))
            return slot;
        if (free_now && (!oldest || slot->told_us < oldest->told_us))
            oldest = slot;
    }
    if (oldest) {
        *oldest = (struct kw_error_slot){.error = *error};
        return oldest;
    }
    last->error = *error;
    kwi_fmt(last->error.text, sizeof(last->error.text), "other errors, the last of them: %s",
            error->text);
    return last;
}

void kwi_event_error(struct kw_core *core, const struct kw_error *error)
{
    struct kw_error_slot *slot = event_slot(core, error);

    slot->error.retriable = error->retriable;
    if (slot->n_untold < UINT32_MAX)
        slot->n_untold++;
    if (slot->pending)
        return;
    if (!slot->told || event_is_due(core, slot)) {
        slot->told = true;
        event_tell(core, slot);
    } else if (!core->events.again.armed) {
        kwi_core_arm(core, &core->events.again, slot->told_us + EVENT_ERROR_INTERVAL_US);
    }
}

/* ---- the queue ------------------------------------------------------------------ */

void kwi_events_init(struct kw_events *events)
{
    memset(events, 0, sizeof(*events));
    events->errors.fill = event_fill_error;
    events->again.fire = event_interval_over;
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
