/* base/timer.c -- a pairing heap of deadlines.
 *
 * Each node points at its first child; the children of one node are a list
 * joined by next. prev is the left sibling, or the parent for a first child,
 * which makes taking out any node cheap. Every loop is iterative: the depth of
 * a pairing heap can be its size. The order number makes any two timers
 * different, so the firing order never depends on the heap's shape. */
#include "base/timer.h"
#include "base/assert.h"

#include <stddef.h>

static bool timer_before(const struct kw_timer *a, const struct kw_timer *b)
{
    if (a->deadline_us != b->deadline_us)
        return a->deadline_us < b->deadline_us;
    return a->order < b->order;
}

/* Joins two trees whose roots have neither siblings nor parent. */
static struct kw_timer *timer_meld(struct kw_timer *a, struct kw_timer *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if (timer_before(b, a)) {
        struct kw_timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Makes one tree of a list of siblings: melds pairs from left to right, then
 * the results from right to left. That order gives the amortised bound. */
static struct kw_timer *timer_meld_siblings(struct kw_timer *first)
{
    struct kw_timer *pairs = NULL; /* a stack, linked by next */
    while (first) {
        struct kw_timer *a = first;
        struct kw_timer *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = timer_meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct kw_timer *root = NULL;
    while (pairs) {
        struct kw_timer *next = pairs->next;
        pairs->next = NULL;
        root = timer_meld(root, pairs);
        pairs = next;
    }
    return root;
}

void kwi_timer_disarm(struct kw_timers *timers, struct kw_timer *timer)
{
    if (!timer->armed)
        return;
    if (timer == timers->root) {
        timers->root = timer_meld_siblings(timer->child);
    } else {
        KWI_ASSERT(timer->prev);
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        timers->root = timer_meld(timers->root, timer_meld_siblings(timer->child));
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->armed = false;
}

void kwi_timer_arm(struct kw_timers *timers, struct kw_timer *timer, uint64_t deadline_us)
{
    kwi_timer_disarm(timers, timer);
    timer->child = timer->next = timer->prev = NULL;
    timer->deadline_us = deadline_us;
    timer->order = timers->order++;
    timer->armed = true;
    timers->root = timer_meld(timers->root, timer);
}

uint64_t kwi_timers_next(const struct kw_timers *timers)
{
    return timers->root ? timers->root->deadline_us : UINT64_MAX;
}

unsigned kwi_timers_run(struct kw_timers *timers, uint64_t now_us, unsigned max)
{
    unsigned n_fired = 0;
    uint64_t order = timers->order;

    while (n_fired < max && timers->root && timers->root->deadline_us <= now_us) {
        struct kw_timer *timer = timers->root;

        if (timer->order >= order)
            break; /* armed by one of these: its turn is the next run */
        kwi_timer_disarm(timers, timer);
        n_fired++;
        timer->fire(timer); /* may arm, disarm or free any timer, this one too */
    }
    return n_fired;
}
