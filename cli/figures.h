/* cli/figures.h -- what one run of kw bench came to, and its two forms. */
#ifndef CLI_FIGURES_H
#define CLI_FIGURES_H
#include <stdint.h>

#include "cli/histogram.h"
#include "cli/output.h"

struct cli_figures {
    uint64_t n_records, bytes;
    double wall_s, user_s, sys_s, cpu_ns, records_per_s, mb_per_s, n_allocs; /* cpu, allocs: each */
    uint64_t p50_us, p90_us, p99_us, p999_us, max_us;
    long rss_kb; /* the most that the process had so far */
};

/* Takes the percentiles of the latencies. */
void cli_figures_latency(struct cli_figures *figures, const struct cli_histogram *latency);
/* Derives what is per record or per second; n_allocs is that of all records before. */
void cli_figures_derive(struct cli_figures *figures);
/* The members of a JSON object, without its braces. */
void cli_figures_json(const struct cli_figures *figures, struct cli_output *output);
/* Six lines with names and units. */
void cli_figures_text(const struct cli_figures *figures, struct cli_output *output);

#endif
