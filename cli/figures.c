/* cli/figures.c -- what one run of kw bench came to, and its two forms. */
#include "cli/figures.h"

#include <inttypes.h>
#include <stdio.h>

void cli_figures_latency(struct cli_figures *figures, const struct cli_histogram *latency)
{
    figures->p50_us = cli_histogram_per_mille(latency, 500);
    figures->p90_us = cli_histogram_per_mille(latency, 900);
    figures->p99_us = cli_histogram_per_mille(latency, 990);
    figures->p999_us = cli_histogram_per_mille(latency, 999);
    figures->max_us = latency->max;
}

void cli_figures_derive(struct cli_figures *figures)
{
    double n = (double)figures->n_records, wall = figures->wall_s;

    figures->cpu_ns = n > 0 ? (figures->user_s + figures->sys_s) * 1e9 / n : 0;
    figures->n_allocs = n > 0 ? figures->n_allocs / n : figures->n_allocs;
    figures->records_per_s = wall > 0 ? n / wall : 0;
    figures->mb_per_s = wall > 0 ? (double)figures->bytes / wall / 1e6 : 0;
}

void cli_figures_json(const struct cli_figures *figures, struct cli_output *output)
{
    char text[700];

    snprintf(
        text, sizeof(text),
        "\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"wall_s\":%.6f,\"user_s\":%.6f,"
        "\"sys_s\":%.6f,\"cpu_ns_per_record\":%.1f,\"records_per_s\":%.1f,"
        "\"p50_us\":%" PRIu64 ",\"p90_us\":%" PRIu64 ",\"p99_us\":%" PRIu64 ",\"p999_us\":%" PRIu64
        ",\"max_us\":%" PRIu64 ",\"rss_kb\":%ld,\"allocs_per_record\":%.6f",
        figures->n_records, figures->bytes, figures->wall_s, figures->user_s, figures->sys_s,
        figures->cpu_ns, figures->records_per_s, figures->p50_us, figures->p90_us, figures->p99_us,
        figures->p999_us, figures->max_us, figures->rss_kb, figures->n_allocs);
    cli_output_text(output, text);
}

void cli_figures_text(const struct cli_figures *figures, struct cli_output *output)
{
    char text[700];

    snprintf(text, sizeof(text),
             "records     %" PRIu64 " (%" PRIu64 " bytes)\n"
             "wall        %.3f s\n"
             "throughput  %.0f records/s, %.1f MB/s\n"
             "cpu         %.3f s user, %.3f s system, %.1f ns a record\n"
             "latency     p50 %" PRIu64 ", p90 %" PRIu64 ", p99 %" PRIu64 ", p99.9 %" PRIu64
             ", max %" PRIu64 " us\n"
             "memory      %ld kB resident at most, %.6f allocations a record\n",
             figures->n_records, figures->bytes, figures->wall_s, figures->records_per_s,
             figures->mb_per_s, figures->user_s, figures->sys_s, figures->cpu_ns, figures->p50_us,
             figures->p90_us, figures->p99_us, figures->p999_us, figures->max_us, figures->rss_kb,
             figures->n_allocs);
    cli_output_text(output, text);
}
