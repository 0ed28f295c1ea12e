/* covers: L09
 * The pairing heap against a plain sorted search, under random changes. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/rng.h"
#include "base/timer.h"

enum { N_TIMERS = 400 };

/* A timer of the test; the model's copy of its state sits beside it. */
struct alarm {
    struct kw_timer timer;
    uint64_t deadline_us, order;
    bool armed;
    int id;
};

static int fired[20000];
static int n_fired;

static void note(struct kw_timer *timer)
{
    cr_assert_not(timer->armed);
    fired[n_fired++] = KWI_OF(timer, struct alarm, timer)->id;
}

/* The armed alarm that must fire next, or NULL. */
static struct alarm *model_first(struct alarm *alarms)
{
    struct alarm *first = NULL;
    for (int i = 0; i < N_TIMERS; i++) {
        struct alarm *a = &alarms[i];
        if (!a->armed)
            continue;
        if (!first || a->deadline_us < first->deadline_us ||
            (a->deadline_us == first->deadline_us && a->order < first->order))
            first = a;
    }
    return first;
}

static void check_run(struct kw_timers *timers, struct alarm *alarms, uint64_t now, unsigned max)
{
    n_fired = 0;
    unsigned n = kwi_timers_run(timers, now, max);
    cr_assert_eq(n, (unsigned)n_fired);
    for (unsigned i = 0; i < n; i++) {
        struct alarm *expected = model_first(alarms);
        cr_assert(expected && expected->deadline_us <= now);
        cr_assert_eq(fired[i], expected->id);
        expected->armed = false;
    }
    struct alarm *next = model_first(alarms);
    cr_assert(n == max || !next || next->deadline_us > now);
}

static void random_steps(unsigned char seed_byte, uint32_t spread, int n_steps)
{
    uint8_t seed[32] = {seed_byte, 1};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    struct kw_timers timers = {0};
    struct alarm *alarms = calloc(N_TIMERS, sizeof(*alarms));
    uint64_t now = 1000, order = 0;
    for (int i = 0; i < N_TIMERS; i++) {
        alarms[i].id = i;
        alarms[i].timer.fire = note;
    }
    for (int step = 0; step < n_steps; step++) {
        struct alarm *a = &alarms[kwi_rng_below(&rng, N_TIMERS)];
        uint32_t what = kwi_rng_below(&rng, 10);
        if (what < 6) {
            a->deadline_us = now + kwi_rng_below(&rng, spread);
            a->order = order++;
            a->armed = true;
            kwi_timer_arm(&timers, &a->timer, a->deadline_us);
        } else if (what < 8) {
            a->armed = false;
            kwi_timer_disarm(&timers, &a->timer);
        } else {
            now += kwi_rng_below(&rng, spread / 20 + 2);
            check_run(&timers, alarms, now, kwi_rng_below(&rng, 30));
        }
        struct alarm *next = model_first(alarms);
        cr_assert_eq(kwi_timers_next(&timers), next ? next->deadline_us : UINT64_MAX);
    }
    check_run(&timers, alarms, UINT64_MAX, N_TIMERS);
    cr_assert_null(timers.root);
    free(alarms);
}

Test(timer, random_arming_and_disarming_fires_in_the_order_of_the_model)
{
    for (unsigned char seed = 0; seed < 4; seed++)
        random_steps(seed, 5000, 3000);
}

Test(timer, equal_deadlines_fire_in_arming_order)
{
    for (unsigned char seed = 0; seed < 4; seed++)
        random_steps(seed, 3, 3000);
}

Test(timer, the_end_of_time_is_a_deadline_like_any_other)
{
    struct kw_timers timers = {0};
    struct alarm a = {.timer.fire = note};
    n_fired = 0;
    kwi_timer_arm(&timers, &a.timer, UINT64_MAX);
    cr_assert_eq(kwi_timers_run(&timers, UINT64_MAX - 1, 5), 0);
    cr_assert_eq(kwi_timers_run(&timers, UINT64_MAX, 5), 1);
    cr_assert_eq(kwi_timers_next(&timers), UINT64_MAX);
}

static struct kw_timers shared_timers;
static struct alarm *victim;

static void rearm_itself(struct kw_timer *timer)
{
    note(timer);
    kwi_timer_arm(&shared_timers, timer, timer->deadline_us + 10);
}

static void free_itself_and_disarm_the_victim(struct kw_timer *timer)
{
    note(timer);
    kwi_timer_disarm(&shared_timers, &victim->timer);
    free(KWI_OF(timer, struct alarm, timer));
}

Test(timer, a_timer_that_rearms_itself_fires_once_a_run)
{
    struct alarm a = {.timer.fire = rearm_itself, .id = 7};
    n_fired = 0;
    kwi_timer_arm(&shared_timers, &a.timer, 0);
    for (uint64_t i = 1; i <= 6; i++) {
        cr_assert_eq(kwi_timers_run(&shared_timers, 55, 100), 1);
        cr_assert_eq(kwi_timers_next(&shared_timers), 10 * i);
    }
    cr_assert_eq(kwi_timers_run(&shared_timers, 55, 100), 0);
    kwi_timer_disarm(&shared_timers, &a.timer);
    cr_assert_null(shared_timers.root);
}

Test(timer, firing_may_free_the_timer_and_disarm_a_due_one)
{
    struct alarm *a = calloc(1, sizeof(*a));
    struct alarm b = {.timer.fire = note, .id = 2};
    struct alarm c = {.timer.fire = note, .id = 3};
    a->timer.fire = free_itself_and_disarm_the_victim;
    a->id = 1;
    victim = &b;
    n_fired = 0;
    kwi_timer_arm(&shared_timers, &a->timer, 5);
    kwi_timer_arm(&shared_timers, &b.timer, 5);
    kwi_timer_arm(&shared_timers, &c.timer, 5);
    cr_assert_eq(kwi_timers_run(&shared_timers, 5, 10), 2);
    cr_assert_eq(fired[0], 1);
    cr_assert_eq(fired[1], 3);
}

Test(timer, a_heap_as_deep_as_it_is_large_needs_no_stack)
{
    size_t n = 300000;
    struct kw_timers timers = {0};
    struct alarm *alarms = calloc(n, sizeof(*alarms));
    for (size_t i = 0; i < n; i++) {
        alarms[i].timer.fire = note;
        kwi_timer_arm(&timers, &alarms[i].timer, n - i); /* each on top of the last */
    }
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t next = kwi_timers_next(&timers);
        cr_assert_eq(next, last + 1);
        last = next;
        kwi_timer_disarm(&timers, timers.root);
    }
    cr_assert_null(timers.root);
    free(alarms);
}
