/* tests/cli/test_pace.c -- due times under a rate limit, and the progress line. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli/pace.h"
#include "cli/progress.h"

/* Sends n records, waking `late_us` after each due time; returns when the last went. */
static uint64_t send_paced(struct cli_pace *pace, uint64_t now_us, uint64_t n, uint64_t late_us)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t wait_us = cli_pace_wait_us(pace, now_us);
        if (wait_us > 0)
            now_us += wait_us + late_us;
        cr_assert_eq(cli_pace_wait_us(pace, now_us), 0);
        cli_pace_count(pace);
    }
    return now_us;
}

Test(pace, no_limit_never_waits)
{
    struct cli_pace pace;
    cli_pace_init(&pace, 0, 5);
    cr_assert_eq(cli_pace_wait_us(&pace, 5), 0);
}

Test(pace, a_rate_that_does_not_divide_a_second_has_no_drift)
{
    struct cli_pace pace;
    cli_pace_init(&pace, 7, 1000);
    cr_assert_eq(send_paced(&pace, 1000, 700001, 0), 1000 + UINT64_C(100000000000));
}

Test(pace, late_wake_ups_do_not_add_up)
{
    struct cli_pace pace;
    cli_pace_init(&pace, 1000, 0);
    uint64_t end_us = send_paced(&pace, 0, 10001, 900);
    cr_assert_geq(end_us, 10000000);
    cr_assert_leq(end_us, 10001000);
}

Test(pace, a_pause_is_not_made_up_for_by_a_burst)
{
    struct cli_pace pace;
    cli_pace_init(&pace, 100, 0);
    uint64_t end_us = send_paced(&pace, 0, 10, 0) + 60000000;
    cr_assert_eq(send_paced(&pace, end_us, 101, 0), end_us + 1000000);
}

Test(pace, the_highest_rate_does_not_overflow)
{
    struct cli_pace pace;
    cli_pace_init(&pace, 1000000000, UINT64_MAX / 2);
    pace.n = UINT64_MAX / 4;
    cr_assert_gt(cli_pace_wait_us(&pace, UINT64_MAX / 2), 0);
}

Test(progress, says_how_much_and_how_long_still)
{
    struct cli_progress progress;
    char text[160];
    cli_progress_begin(&progress, 4000000, 1000000);
    cli_progress_text(&progress, 1000000, 77, 31000000, text, sizeof(text));
    cr_assert_str_eq(text, "[######                  ]  25% 1.0 MB of 4.0 MB, 77 records, "
                           "33.3 kB/s, ETA 1:30");
    cli_progress_text(&progress, 1, 0, 11000000, text, sizeof(text));
    cr_assert(strstr(text, "ETA 11111:06:30"), "%s", text);
    cli_progress_text(&progress, 0, 0, 1000000, text, sizeof(text));
    cr_assert(strstr(text, "  0% 0 B of 4.0 MB, 0 records, 0 B/s, ETA -:--"), "%s", text);
}

Test(progress, a_file_that_grows_stays_at_100_percent)
{
    struct cli_progress progress;
    char text[160];
    cli_progress_begin(&progress, 10, 0);
    cli_progress_text(&progress, 25, 5, 1000000, text, sizeof(text));
    cr_assert_str_eq(text, "[########################] 100% 25 B of 10 B, 5 records, 25 B/s, "
                           "ETA 0:00");
}

Test(progress, without_a_size_there_is_no_bar)
{
    struct cli_progress progress;
    char text[160];
    cli_progress_begin(&progress, 0, 0);
    cli_progress_text(&progress, 2500, 5, 500000, text, sizeof(text));
    cr_assert_str_eq(text, "5 records, 2.5 kB, 5.0 kB/s");
}
