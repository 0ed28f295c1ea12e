/* client/event.h -- the one event queue of a core.
 *
 * Events are intrusive nodes in the objects that they are about, so raising one
 * allocates nothing and cannot fail; an event that is already queued is not
 * queued twice. Errors for a person sit in a few slots. One that comes again is
 * counted, and told with its number at most every 10 s; when more different ones come
 * than there are slots, the last slot counts those. So a broken broker can fill
 * neither memory nor a log. */
#ifndef KWI_EVENT_H
#define KWI_EVENT_H
#include "base/list.h"
#include "base/timer.h"
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

enum { KWI_ERROR_SLOTS = 16 };
struct kw_error_slot {
    struct kw_error error;
    uint64_t told_us;  /* when it was last told */
    uint32_t n_untold; /* how often it came since */
    bool pending;      /* the application has not taken it yet */
    bool told;
};
struct kw_events {
    struct kw_list queue;
    struct kw_evnode *lent; /* filled by the last next_event */
    bool lent_last;
    struct kw_evnode errors; /* one node for all slots */
    struct kw_error_slot slots[KWI_ERROR_SLOTS];
    struct kw_timer again;   /* an interval ends in which an error came again */
    struct kw_error current; /* what the ERROR event points to */
};

void kwi_event_raise(struct kw_core *core, struct kw_evnode *node);
/* Takes a node out, e.g. because its object dies. A node that is lent is
 * forgotten: its done is not called. */
void kwi_event_drop(struct kw_core *core, struct kw_evnode *node);
/* Nobody will take what is queued: its owners may now be freed in any order. */
void kwi_events_forget(struct kw_core *core);
/* Raises an ERROR event, and logs it. If the same code, phase, peer and text was told
 * within the last 10 s it is counted, and told with the number when they are over. */
void kwi_event_error(struct kw_core *core, const struct kw_error *error);
void kwi_events_init(struct kw_events *events);

#endif
