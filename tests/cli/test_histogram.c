/* tests/cli/test_histogram.c -- percentiles out of buckets. */
#include <criterion/criterion.h>

#include "cli/histogram.h"

static struct cli_histogram histogram;

static void reset(void)
{
    histogram = (struct cli_histogram){0};
}

TestSuite(histogram, .init = reset);

Test(histogram, nothing_has_no_percentile)
{
    cr_assert_eq(cli_histogram_percentile(&histogram, 99), 0);
}

Test(histogram, one_value_is_every_percentile)
{
    cli_histogram_add(&histogram, 17);
    cr_assert_eq(cli_histogram_percentile(&histogram, 1), 17);
    cr_assert_eq(cli_histogram_percentile(&histogram, 50), 17);
    cr_assert_eq(cli_histogram_percentile(&histogram, 100), 17);
}

Test(histogram, small_values_are_exact)
{
    for (uint64_t i = 1; i <= 50; i++)
        cli_histogram_add(&histogram, i);
    cr_assert_eq(cli_histogram_percentile(&histogram, 50), 25);
    cr_assert_eq(cli_histogram_percentile(&histogram, 98), 49);
    cr_assert_eq(cli_histogram_percentile(&histogram, 99), 50);
}

Test(histogram, a_percentile_is_at_most_a_32nd_too_high)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        for (uint64_t low = 0; low < 70; low++) {
            uint64_t value = (UINT64_C(1) << shift) | (low << shift) / 64;
            reset();
            cli_histogram_add(&histogram, value);
            uint64_t got = cli_histogram_percentile(&histogram, 50);
            cr_assert(got >= value && got - value <= value / 32, "%llu for %llu",
                      (unsigned long long)got, (unsigned long long)value);
        }
    }
    cli_histogram_add(&histogram, UINT64_MAX);
    cr_assert_eq(cli_histogram_percentile(&histogram, 100), UINT64_MAX);
}
