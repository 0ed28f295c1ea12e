/* cli/pace.c -- a rate limit: record i is due at i / rate seconds.
 *
 * Due times come from the count and not from the time of the last record, so
 * that late wake-ups do not add up and any rate is met on average. Time in which
 * there was nothing to send is not made up for: the rate is a limit, and a burst
 * after a pause would break it. It does not wait itself. */
#include "cli/pace.h"

#include <stddef.h>

/* Late wake-ups are made up for; more than this is a pause of the input. */
#define PACE_LATE_MAX_US 20000
#define PACE_SECOND_US 1000000

void cli_pace_init(struct cli_pace *pace, uint64_t per_second, uint64_t now_us)
{
    *pace = (struct cli_pace){.per_second = per_second, .begin_us = now_us};
}

uint64_t cli_pace_wait_us(struct cli_pace *pace, uint64_t now_us)
{
    if (pace->per_second == 0)
        return 0;
    /* Whole seconds are taken out of the count: the product cannot overflow. */
    if (pace->n >= pace->per_second) {
        pace->begin_us += pace->n / pace->per_second * PACE_SECOND_US;
        pace->n %= pace->per_second;
    }
    uint64_t due_us = pace->begin_us + pace->n * PACE_SECOND_US / pace->per_second;
    if (now_us > due_us + PACE_LATE_MAX_US) {
        cli_pace_init(pace, pace->per_second, now_us);
        return 0;
    }
    return due_us > now_us ? due_us - now_us : 0;
}

void cli_pace_count(struct cli_pace *pace)
{
    pace->n++;
}
