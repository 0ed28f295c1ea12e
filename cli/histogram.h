/* cli/histogram.h -- percentiles of many values in a few kilobytes. */
#ifndef CLI_HISTOGRAM_H
#define CLI_HISTOGRAM_H
#include <stdint.h>

/* Values below 2^CLI_HISTOGRAM_BITS have a bucket each; above it every power of
 * two has that many, so a percentile is at most 1/32 too high. */
#define CLI_HISTOGRAM_BITS 5
#define CLI_HISTOGRAM_BUCKETS ((64 - CLI_HISTOGRAM_BITS + 1) << CLI_HISTOGRAM_BITS)

struct cli_histogram {
    uint64_t n, max; /* max is exact */
    uint64_t counts[CLI_HISTOGRAM_BUCKETS];
};

void cli_histogram_add(struct cli_histogram *histogram, uint64_t value);
/* Adds the value n times. */
void cli_histogram_add_n(struct cli_histogram *histogram, uint64_t value, uint64_t n);
/* The highest value of the bucket that holds the percentile, in thousandths (1 to
 * 1000: 999 is p99.9), and never more than the greatest value that was added; 0 when
 * nothing was added. */
uint64_t cli_histogram_per_mille(const struct cli_histogram *histogram, unsigned per_mille);

#endif
