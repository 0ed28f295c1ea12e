/* cli/histogram.c -- counts of values in buckets that grow with the value. */
#include "cli/histogram.h"

#define HISTOGRAM_PART (1u << CLI_HISTOGRAM_BITS) /* buckets to a power of two */

static unsigned histogram_bucket(uint64_t value)
{
    unsigned shift = 0;

    while (value >> shift >= 2 * HISTOGRAM_PART)
        shift++;
    return shift * HISTOGRAM_PART + (unsigned)(value >> shift);
}

static uint64_t histogram_highest(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_PART)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_PART - 1;
    uint64_t first = (uint64_t)(bucket % HISTOGRAM_PART + HISTOGRAM_PART) << shift;
    return first + ((UINT64_C(1) << shift) - 1);
}

void cli_histogram_add(struct cli_histogram *histogram, uint64_t value)
{
    cli_histogram_add_n(histogram, value, 1);
}

void cli_histogram_add_n(struct cli_histogram *histogram, uint64_t value, uint64_t n)
{
    histogram->counts[histogram_bucket(value)] += n;
    histogram->n += n;
    if (n > 0 && value > histogram->max)
        histogram->max = value;
}

uint64_t cli_histogram_per_mille(const struct cli_histogram *histogram, unsigned per_mille)
{
    /* The rank is rounded up: the percentile of a single value is that value. */
    uint64_t rank = histogram->n / 1000 * per_mille +
                    (histogram->n % 1000 * per_mille + 999) / 1000;
    uint64_t seen = 0;

    for (unsigned i = 0; i < CLI_HISTOGRAM_BUCKETS && rank > 0; i++) {
        seen += histogram->counts[i];
        if (seen < rank)
            continue;
        uint64_t highest = histogram_highest(i);
        return highest < histogram->max ? highest : histogram->max;
    }
    return 0;
}
