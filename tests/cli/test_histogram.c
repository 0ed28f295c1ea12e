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
    cr_assert_eq(cli_histogram_per_mille(&histogram, 990), 0);
}

Test(histogram, one_value_is_every_percentile)
{
    cli_histogram_add(&histogram, 17);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 10), 17);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 500), 17);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 1000), 17);
}

Test(histogram, small_values_are_exact)
{
    for (uint64_t i = 1; i <= 50; i++)
        cli_histogram_add(&histogram, i);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 500), 25);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 980), 49);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 990), 50);
}

Test(histogram, a_percentile_is_at_most_a_32nd_too_high)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        for (uint64_t low = 0; low < 70; low++) {
            uint64_t value = (UINT64_C(1) << shift) | (low << shift) / 64;
            reset();
            cli_histogram_add(&histogram, value);
            cli_histogram_add_n(&histogram, UINT64_MAX, 1);
            uint64_t got = cli_histogram_per_mille(&histogram, 500);
            cr_assert(got >= value && got - value <= value / 32, "%llu for %llu",
                      (unsigned long long)got, (unsigned long long)value);
        }
    }
    cli_histogram_add(&histogram, UINT64_MAX);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 1000), UINT64_MAX);
}

Test(histogram, the_thousandth_value_is_beyond_p99_9)
{
    for (uint64_t i = 1; i <= 998; i++)
        cli_histogram_add(&histogram, 1);
    cli_histogram_add(&histogram, 40);
    cli_histogram_add(&histogram, 50);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 998), 1);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 999), 40);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 1000), 50);
}

Test(histogram, a_value_counts_as_often_as_it_was_added)
{
    cli_histogram_add_n(&histogram, 7, 900);
    cli_histogram_add_n(&histogram, 9, 100);
    cli_histogram_add_n(&histogram, 60, 0);
    cr_assert_eq(histogram.n, 1000);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 900), 7);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 901), 9);
    cr_assert_eq(histogram.max, 9);
}

Test(histogram, the_maximum_is_exact_and_no_percentile_exceeds_it)
{
    cli_histogram_add(&histogram, 1000001);
    cli_histogram_add(&histogram, 3);
    cr_assert_eq(histogram.max, 1000001);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 999), 1000001);
    cr_assert_eq(cli_histogram_per_mille(&histogram, 500), 3);
}
