/* base/timer.h -- a min-heap of deadlines with intrusive nodes.
 *
 * The heap is a pairing heap, so that arming a timer allocates nothing and
 * cannot fail. Ties are broken by arming order, never by address. */
#ifndef KWI_TIMER_H
#define KWI_TIMER_H
#include <stdbool.h>
#include <stdint.h>

struct kw_timer {
    struct kw_timer *child, *next, *prev; /* prev: left sibling or parent */
    uint64_t deadline_us, order;
    void (*fire)(struct kw_timer *timer); /* called by kwi_timers_run, disarmed before */
    bool armed;
};
struct kw_timers {
    struct kw_timer *root;
    uint64_t order;
};

/* Arms or re-arms. */
void kwi_timer_arm(struct kw_timers *timers, struct kw_timer *timer, uint64_t deadline_us);
void kwi_timer_disarm(struct kw_timers *timers, struct kw_timer *timer);
/* The earliest deadline, or UINT64_MAX. */
uint64_t kwi_timers_next(const struct kw_timers *timers);
/* Fires at most `max` due timers (deadline <= now); returns how many fired. It
 * stops at one that was armed meanwhile, so that a run is bounded even if timers
 * arm themselves again at once. */
unsigned kwi_timers_run(struct kw_timers *timers, uint64_t now_us, unsigned max);

#endif
