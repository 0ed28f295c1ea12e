/* tests/cli/test_plot.c -- the scales of a plot, and what it writes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/plot.h"

static struct cli_plot_scale scale;

static bool near(double a, double b)
{
    double apart = a > b ? a - b : b - a, size = b > 1 || b < -1 ? (b < 0 ? -b : b) : 1;

    return apart <= size * 1e-9;
}

/* Every value lies between the ends, ticks ascend and the ends are ticks. */
static void check_y(const double *values, size_t n)
{
    cli_plot_scale_y(&scale, values, n);
    cr_assert(scale.n_ticks >= 2 && scale.n_ticks <= CLI_PLOT_TICKS_MAX, "%zu ticks for %g",
              scale.n_ticks, values[0]);
    cr_assert(near(scale.ticks[0], scale.low));
    for (size_t i = 1; i < scale.n_ticks; i++)
        cr_assert(scale.ticks[i] > scale.ticks[i - 1]);
    for (size_t i = 0; i < n; i++) {
        double at = values[i] < 0 ? 0 : cli_plot_scale_at(&scale, values[i]);
        cr_assert(at >= -1e-9 && at <= 1 + 1e-9, "%g lies at %g", values[i], at);
    }
}

Test(plot, values_of_one_size_have_a_linear_scale_from_zero)
{
    static const double values[] = {154, 97, 122};
    static const double ticks[] = {0, 50, 100, 150, 200};

    check_y(values, 3);
    cr_assert_eq(scale.kind, CLI_PLOT_LINEAR);
    cr_assert_eq(scale.n_ticks, 5);
    for (size_t i = 0; i < 5; i++)
        cr_assert(near(scale.ticks[i], ticks[i]));
    cr_assert(near(cli_plot_scale_at(&scale, 50), 0.25));
}

Test(plot, values_that_span_a_decade_have_a_logarithmic_scale)
{
    static const double values[] = {57, 12261, 271};

    check_y(values, 3);
    cr_assert_eq(scale.kind, CLI_PLOT_LOG);
    cr_assert(near(scale.low, 10) && near(scale.high, 100000));
    cr_assert(near(cli_plot_scale_at(&scale, 1000), 0.5));
    cr_assert(near(cli_plot_scale_at(&scale, 20), 0.30102999566398 / 4));
}

Test(plot, a_scale_holds_its_values_whatever_their_size)
{
    for (double value = 3e-9; value < 1e15; value *= 1.7) {
        double values[3] = {value, value * 4, -1};
        check_y(values, 3);
        for (double wide = 10; wide < 1e14; wide *= 77) {
            values[1] = value * wide;
            check_y(values, 2);
        }
    }
}

Test(plot, nothing_measured_has_a_scale_too)
{
    static const double nothing[] = {-1, -1}, zero[] = {0, -1};

    check_y(nothing, 2);
    check_y(zero, 2);
    cr_assert(near(cli_plot_scale_at(&scale, 0), 0));
}

Test(plot, sizes_over_decades_are_spaced_by_their_logarithm)
{
    static const char *const texts[] = {"10", "100", "1000", "100000"};
    double numbers[4];

    cli_plot_scale_x(&scale, texts, 4, numbers);
    cr_assert_eq(scale.kind, CLI_PLOT_LOG);
    cr_assert(near(cli_plot_scale_at(&scale, numbers[0]), 0));
    cr_assert(near(cli_plot_scale_at(&scale, numbers[1]), 0.25));
    cr_assert(near(cli_plot_scale_at(&scale, numbers[3]), 1));
}

Test(plot, near_numbers_are_spaced_by_their_value_and_names_evenly)
{
    static const char *const near_ones[] = {"2", "4", "8"}, *const names[] = {"none", "lz4", "9"};
    static const char *const decades[] = {"0", "1", "100"}, *const one[] = {"7"};
    double numbers[3];

    cli_plot_scale_x(&scale, near_ones, 3, numbers);
    cr_assert_eq(scale.kind, CLI_PLOT_LINEAR);
    cr_assert(near(cli_plot_scale_at(&scale, numbers[1]), 1 / 3.0));
    cli_plot_scale_x(&scale, names, 3, numbers);
    cr_assert_eq(scale.kind, CLI_PLOT_NAMES);
    cr_assert(near(cli_plot_scale_at(&scale, numbers[1]), 0.5));
    /* 0 has no place among decades. */
    cli_plot_scale_x(&scale, decades, 3, numbers);
    cr_assert_eq(scale.kind, CLI_PLOT_NAMES);
    cr_assert(near(cli_plot_scale_at(&scale, numbers[1]), 0.5));
    cli_plot_scale_x(&scale, one, 1, numbers);
    cr_assert(near(cli_plot_scale_at(&scale, numbers[0]), 0.5));
}

Test(plot, numbers_are_short)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},          {0.25, "0.25"},   {250, "250"}, {1000, "1 k"},
                {12500, "12.5 k"}, {2.5e6, "2.5 M"}, {3e9, "3 G"}, {999, "999"}};
    char buf[24];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cli_plot_number(rows[i].value, buf, sizeof(buf));
        cr_assert_str_eq(buf, rows[i].text);
    }
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

/* What is written of a plot of two lines over three values, one of them missing. */
static char *write_plot(const char *title)
{
    static const char *const texts[] = {"1", "10", "100"}, *const series[] = {"a", "b"};
    static const double values[] = {5, 6, 7, -1, 60, 70};
    const struct cli_plot_panel panel = {"things, s", values};
    const struct cli_plot plot = {title, "x", texts, 3, series, 2, &panel, 1};
    struct cli_output *output = calloc(1, sizeof(*output));
    char *copy;

    cr_assert(output);
    cli_output_init(output, -1);
    cr_assert(cli_plot_write(&plot, output));
    cr_assert_lt(output->len, sizeof(output->buf));
    copy = calloc(1, output->len + 1);
    cr_assert(copy);
    memcpy(copy, output->buf, output->len);
    free(output);
    return copy;
}

Test(plot, what_was_not_measured_has_no_dot)
{
    char *text = write_plot("t");

    cr_assert_eq(count(text, "<circle "), 5);
    cr_assert_eq(count(text, "<polyline "), 2);
    cr_assert_eq(count(text, ">x (logarithmic)<"), 1);
    cr_assert_eq(count(text, ">things, s<"), 1);
    free(text);
}

Test(plot, no_text_is_taken_for_markup)
{
    char *text = write_plot("<b>&\x01\xff\"");

    cr_assert_eq(count(text, ">&lt;b&gt;&amp;?"
                             "?\"</text>"),
                 1);
    cr_assert_eq(count(text, "<b>"), 0);
    free(text);
}
