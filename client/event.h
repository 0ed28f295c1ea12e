/* client/event.h -- the one event queue of a core.
 *
 * Events are intrusive nodes in the objects that they are about, so raising one
 * allocates nothing and cannot fail; an event that is already queued is not
 * queued twice. Errors for a person sit in a small ring that drops the newest
 * repeat of the same text, so that a broken broker cannot fill memory. */
#ifndef KWI_EVENT_H
#define KWI_EVENT_H
#include "base/list.h"
#include <kwire/client_types.h>

struct kw_core;
struct kw_evnode;

/* Fills *out from the object. Returns true if the node has more to tell (it
 * then stays at the head), false if this was its last event. */
typedef bool kwi_event_fill_fn(struct kw_evnode *node, struct kw_event *out);
/* Called when the application has taken the next event: what the last fill
 * lent (opaques, names) is no longer read. May free the object. */
typedef void kwi_event_done_fn(struct kw_evnode *node, bool last);

struct kw_evnode {
    struct kw_node node;
    kwi_event_fill_fn *fill;
    kwi_event_done_fn *done; /* NULL: nothing to do */
    bool queued;
};

enum { KWI_ERROR_RING = 8 };
struct kw_error_slot {
    struct kw_error error;
    uint64_t last_us; /* when it was last raised */
    uint32_t repeats;
    bool pending;
};
struct kw_events {
    struct kw_list queue;
    struct kw_evnode *lent; /* filled by the last next_event */
    bool lent_last;
    struct kw_evnode errors; /* one node for the ring */
    struct kw_error_slot ring[KWI_ERROR_RING];
    uint32_t ring_next;
    struct kw_error current; /* what the ERROR event points to */
};

void kwi_event_raise(struct kw_core *core, struct kw_evnode *node);
/* Takes a node out, e.g. because its object dies. A node that is lent is
 * forgotten: its done is not called. */
void kwi_event_drop(struct kw_core *core, struct kw_evnode *node);
/* Nobody will take what is queued: its owners may now be freed in any order. */
void kwi_events_forget(struct kw_core *core);
/* Raises an ERROR event unless the same code, peer and text was raised within
 * the last 10 s (then it is only counted). */
void kwi_event_error(struct kw_core *core, const struct kw_error *error);
void kwi_events_init(struct kw_events *events);

#endif
