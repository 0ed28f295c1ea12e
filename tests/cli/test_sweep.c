/* tests/cli/test_sweep.c -- every value with every other. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cli/sweep.h"

static struct cli_sweeps sweeps;

static void forget(void)
{
    cli_sweeps_deinit(&sweeps);
}

TestSuite(sweep, .fini = forget);

Test(sweep, nothing_to_go_through_is_one_point)
{
    cr_assert_eq(cli_sweeps_points(&sweeps), 1);
    cr_assert_eq(cli_sweeps_lines(&sweeps), 1);
}

Test(sweep, points_of_a_line_follow_each_other)
{
    static const char *const wanted[6][2] = {{"1", "a"}, {"20", "a"}, {"300", "a"},
                                             {"1", "b"}, {"20", "b"}, {"300", "b"}};

    cr_assert_null(cli_sweeps_add(&sweeps, "size=1,20,300"));
    cr_assert_null(cli_sweeps_add(&sweeps, "key=a,b"));
    cr_assert_eq(cli_sweeps_points(&sweeps), 6);
    cr_assert_eq(cli_sweeps_lines(&sweeps), 2);
    cr_assert_str_eq(sweeps.items[1].name, "key");
    for (size_t i = 0; i < 6; i++) {
        cr_assert_str_eq(cli_sweeps_value(&sweeps, 0, i), wanted[i][0]);
        cr_assert_str_eq(cli_sweeps_value(&sweeps, 1, i), wanted[i][1]);
    }
}

Test(sweep, three_sweeps_are_all_combinations_once)
{
    unsigned seen = 0;

    cr_assert_null(cli_sweeps_add(&sweeps, "a=0,1"));
    cr_assert_null(cli_sweeps_add(&sweeps, "b=0,1,2"));
    cr_assert_null(cli_sweeps_add(&sweeps, "c=0,1"));
    cr_assert_eq(cli_sweeps_points(&sweeps), 12);
    for (size_t i = 0; i < 12; i++) {
        unsigned a = (unsigned)*cli_sweeps_value(&sweeps, 0, i) - '0';
        unsigned b = (unsigned)*cli_sweeps_value(&sweeps, 1, i) - '0';
        unsigned c = (unsigned)*cli_sweeps_value(&sweeps, 2, i) - '0';
        seen |= 1u << (a + 2 * b + 6 * c);
    }
    cr_assert_eq(seen, 0xfffu);
}

Test(sweep, a_value_may_hold_an_equals_sign)
{
    cr_assert_null(cli_sweeps_add(&sweeps, "k=a=b"));
    cr_assert_str_eq(cli_sweeps_value(&sweeps, 0, 0), "a=b");
}

Test(sweep, what_is_no_sweep_is_told)
{
    static const char *const wrong[] = {"",       "size",    "size=",    "=1",
                                        "size=,", "size=1,", "size=1,,2"};
    char many[200] = "size=1";

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_not_null(cli_sweeps_add(&sweeps, wrong[i]), "%s", wrong[i]);
        cli_sweeps_deinit(&sweeps);
    }
    for (size_t i = 1; i < CLI_SWEEP_VALUES_MAX; i++)
        strcat(many, ",1");
    cr_assert_null(cli_sweeps_add(&sweeps, many));
    strcat(many, ",1");
    many[0] = 'S';
    cr_assert_str_eq(cli_sweeps_add(&sweeps, many), "has more than 32 values");
}

Test(sweep, a_dimension_is_swept_once_and_three_at_most)
{
    cr_assert_null(cli_sweeps_add(&sweeps, "ab=1"));
    cr_assert_not_null(cli_sweeps_add(&sweeps, "ab=2"));
    cr_assert_null(cli_sweeps_add(&sweeps, "a=2"));
    cr_assert_null(cli_sweeps_add(&sweeps, "b=2"));
    cr_assert_not_null(cli_sweeps_add(&sweeps, "c=2"));
    cr_assert_eq(sweeps.n, 3);
}
