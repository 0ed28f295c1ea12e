/* cli/bench_sweep.c -- kw bench produce --sweep: one run for each point, a row for each
 * run, and the picture of them all.
 *
 * size and partitions are options of the command; every other dimension is a
 * configuration key. What could be wrong with a value, or with the file of the picture,
 * is found before the first run: a sweep may take an hour. */
#include "cli/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/plot.h"
#include "cli/signals.h"

#define SWEEP_COLUMN 12

enum { SWEEP_RECORDS, SWEEP_MB, SWEEP_CPU, SWEEP_PANELS };

struct sweep_run {
    struct cli_bench *bench;
    struct cli_output *output;
    double *values; /* SWEEP_PANELS times a value for each point; below 0: not measured */
    size_t n_points, n_done;
    uint64_t n_delivered, n_failed;
};

/* ---- the values -------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t offset;
    int64_t min, max;
} sweep_options[] = {
    {"size", offsetof(struct cli_bench_options, size), 0, CLI_BENCH_SIZE_MAX},
    {"partitions", offsetof(struct cli_bench_options, partitions), 1, CLI_BENCH_PARTITIONS_MAX},
};
#define SWEEP_N_OPTIONS (sizeof(sweep_options) / sizeof(sweep_options[0]))

/* A topic keeps its number of partitions, so another number is another topic. */
static void sweep_topic(struct cli_bench *bench)
{
    for (size_t i = 0; i < bench->sweeps.n; i++) {
        if (strcmp(bench->sweeps.items[i].name, "partitions") != 0)
            continue;
        snprintf(bench->topic_name, sizeof(bench->topic_name), "%s-%" PRId64, bench->topic_begin,
                 bench->options.partitions);
        bench->options.topic = bench->topic_name;
    }
}

static int sweep_apply_one(struct cli_bench *bench, struct kw_config *cfg, const char *name,
                           const char *text)
{
    char shown[80];

    for (size_t i = 0; i < SWEEP_N_OPTIONS; i++) {
        int64_t *number = (int64_t *)(void *)((char *)&bench->options + sweep_options[i].offset);
        if (strcmp(name, sweep_options[i].name) != 0)
            continue;
        if (cli_parse_int(text, sweep_options[i].min, sweep_options[i].max, number)) {
            sweep_topic(bench);
            return -1;
        }
        return cli_usage_error(bench->session.command,
                               "--sweep %s: '%s' is not a number from %" PRId64 " to %" PRId64,
                               name, text, sweep_options[i].min, sweep_options[i].max);
    }
    snprintf(shown, sizeof(shown), "--sweep %s:", name);
    return cli_session_set(&bench->session, cfg, shown, name, text);
}

int cli_bench_sweep_apply(struct cli_bench *bench, struct kw_config *cfg)
{
    const struct cli_sweeps *sweeps = &bench->sweeps;
    int rc = -1;

    for (size_t i = 0; i < sweeps->n && rc < 0; i++)
        rc = sweep_apply_one(bench, cfg, sweeps->items[i].name,
                             cli_sweeps_value(sweeps, i, bench->point));
    return rc;
}

/* A client and a producer of every point can be made: so keys agree. */
static int sweep_check(struct sweep_run *run)
{
    struct cli_bench *bench = run->bench;
    int rc = -1;

    for (size_t i = 0; i < run->n_points && rc < 0; i++) {
        bench->point = i;
        rc = cli_bench_open(bench);
        if (rc >= 0)
            break;
        rc = cli_bench_producer(bench);
        cli_session_close(&bench->session);
    }
    return rc;
}

/* ---- rows -------------------------------------------------------------------- */

static void sweep_cell(struct cli_output *output, const char *text)
{
    char buf[80];

    snprintf(buf, sizeof(buf), "%-*s  ", SWEEP_COLUMN, text);
    cli_output_text(output, buf);
}

static void sweep_head(struct sweep_run *run)
{
    const struct cli_sweeps *sweeps = &run->bench->sweeps;

    if (run->bench->options.json)
        return;
    for (size_t i = 0; i < sweeps->n; i++)
        sweep_cell(run->output, sweeps->items[i].name);
    cli_output_text(run->output, "  records/s       MB/s  ns/record     p50 us     p99 us   "
                                 "p99.9 us     max us\n");
}

static void sweep_row(struct sweep_run *run, const struct cli_figures *figures)
{
    const struct cli_bench *bench = run->bench;
    const struct cli_sweeps *sweeps = &bench->sweeps;
    char text[200];

    if (bench->options.json)
        cli_output_text(run->output, "{\"sweep\":{");
    for (size_t i = 0; i < sweeps->n; i++) {
        const char *name = sweeps->items[i].name,
                   *value = cli_sweeps_value(sweeps, i, bench->point);
        if (!bench->options.json) {
            sweep_cell(run->output, value);
            continue;
        }
        cli_output_text(run->output, i > 0 ? "," : "");
        cli_json_member(run->output, name,
                        (struct kw_bytes){(const uint8_t *)value, strlen(value)});
    }
    if (bench->options.json) {
        cli_output_text(run->output, "},");
        cli_figures_json(figures, run->output);
        cli_output_text(run->output, "}\n");
        return;
    }
    snprintf(text, sizeof(text),
             "%11.0f %10.1f %10.1f %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n",
             figures->records_per_s, figures->mb_per_s, figures->cpu_ns, figures->p50_us,
             figures->p99_us, figures->p999_us, figures->max_us);
    cli_output_text(run->output, text);
}

/* ---- the picture -------------------------------------------------------------- */

/* "linger.ms=5, compression.type=lz4" */
static void sweep_line_name(const struct cli_sweeps *sweeps, size_t line, char *buf, size_t cap)
{
    size_t len = 0;

    buf[0] = '\0';
    for (size_t i = 1; i < sweeps->n && len < cap; i++)
        len += (size_t)snprintf(buf + len, cap - len, "%s%s=%s", i > 1 ? ", " : "",
                                sweeps->items[i].name,
                                cli_sweeps_value(sweeps, i, line * sweeps->items[0].n));
}

static const char *sweep_axis(const char *name, char *buf, size_t cap)
{
    size_t len = strlen(name);

    if (strcmp(name, "size") == 0)
        return "size of a value, bytes";
    if (len > 3 && strcmp(name + len - 3, ".ms") == 0)
        snprintf(buf, cap, "%s, milliseconds", name);
    else if (len > 5 && strcmp(name + len - 5, ".size") == 0)
        snprintf(buf, cap, "%s, bytes", name);
    else
        snprintf(buf, cap, "%s", name);
    return buf;
}

static bool sweep_draw(struct sweep_run *run, struct cli_output *svg)
{
    const struct cli_bench *bench = run->bench;
    const struct cli_sweeps *sweeps = &bench->sweeps;
    const char *names[CLI_PLOT_SERIES_MAX];
    char buf[CLI_PLOT_SERIES_MAX][120], title[200], axis[100], size[40];
    const struct cli_plot_panel panels[SWEEP_PANELS] = {
        {"throughput, records per second", run->values + SWEEP_RECORDS * run->n_points},
        {"throughput, MB per second", run->values + SWEEP_MB * run->n_points},
        {"processor time, ns per record", run->values + SWEEP_CPU * run->n_points}};
    const struct cli_plot plot = {.title = title,
                                  .x_title = sweep_axis(sweeps->items[0].name, axis, sizeof(axis)),
                                  .x_texts = sweeps->items[0].values,
                                  .n_x = sweeps->items[0].n,
                                  .series = names,
                                  .n_series = cli_sweeps_lines(sweeps),
                                  .panels = panels,
                                  .n_panels = SWEEP_PANELS};

    bool sized = true;
    for (size_t i = 0; i < sweeps->n; i++)
        sized = sized && strcmp(sweeps->items[i].name, "size") != 0;
    if (sized)
        snprintf(size, sizeof(size), " of %" PRId64 " bytes", bench->options.size);
    snprintf(title, sizeof(title), "kw bench produce: %" PRId64 " records%s to %s",
             bench->options.records, sized ? size : "", bench->topic_begin);
    for (size_t i = 0; i < plot.n_series; i++) {
        sweep_line_name(sweeps, i, buf[i], sizeof(buf[i]));
        names[i] = buf[i];
    }
    return cli_plot_write(&plot, svg);
}

static int sweep_svg_failed(const struct cli_bench *bench, const char *why)
{
    cli_say(&bench->session, "--svg %s: %s", bench->options.svg, why);
    return CLI_EXIT_FAILED;
}

/* What was there stays until there is something to put in its place. */
static int sweep_save(struct sweep_run *run, int fd)
{
    struct cli_output *svg = calloc(1, sizeof(*svg));
    int os_err = 0;

    if (!svg)
        return sweep_svg_failed(run->bench, "out of memory");
    cli_output_init(svg, fd);
    bool drawn = sweep_draw(run, svg);
    if (drawn && ftruncate(fd, 0) && errno != EINVAL) /* EINVAL: a pipe, a terminal */
        os_err = errno;
    if (drawn && !os_err)
        os_err = cli_output_flush(svg);
    free(svg);
    if (!drawn)
        return sweep_svg_failed(run->bench, "out of memory");
    return os_err ? sweep_svg_failed(run->bench, strerror(os_err)) : -1;
}

/* ---- all of it ------------------------------------------------------------------ */

/* Returns -1 to go on, or the exit code of what ends the sweep. */
static int sweep_point(struct sweep_run *run, size_t point)
{
    struct cli_bench *bench = run->bench;
    struct cli_figures figures;

    bench->point = point;
    int rc = cli_bench_measure(bench, &figures);
    if (rc >= 0)
        return rc;
    run->n_delivered += figures.n_records;
    run->n_failed += bench->n_failed;
    if (bench->refused)
        return CLI_EXIT_REFUSED;
    if (cli_signals_count())
        return CLI_EXIT_FAILED;
    run->values[SWEEP_RECORDS * run->n_points + point] = figures.records_per_s;
    run->values[SWEEP_MB * run->n_points + point] = figures.mb_per_s;
    run->values[SWEEP_CPU * run->n_points + point] = figures.cpu_ns;
    run->n_done++;
    sweep_row(run, &figures);
    int os_err = cli_output_flush(run->output); /* rows are there while others are measured */
    return os_err ? CLI_EXIT_FAILED : -1;
}

static int sweep_all(struct sweep_run *run)
{
    int rc = -1;

    for (size_t i = 0; i < SWEEP_PANELS * run->n_points; i++)
        run->values[i] = -1;
    sweep_head(run);
    for (size_t i = 0; i < run->n_points && rc < 0; i++)
        rc = sweep_point(run, i);
    if (rc < 0)
        rc = run->n_failed ? CLI_EXIT_FAILED : CLI_EXIT_DONE;
    rc = cli_output_finish(run->output, run->bench->session.command->name, rc);
    cli_note(&run->bench->session, "%zu of %zu points, %" PRIu64 " delivered, %" PRIu64 " failed",
             run->n_done, run->n_points, run->n_delivered, run->n_failed);
    return rc;
}

/* Runs it with the file open. A file that was made for nothing goes again. */
static int sweep_all_drawn(struct sweep_run *run)
{
    const char *path = run->bench->options.svg;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool made = fd >= 0;

    if (fd < 0 && errno == EEXIST)
        fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return sweep_svg_failed(run->bench, strerror(errno));
    int rc = sweep_all(run), saved = run->n_done > 0 ? sweep_save(run, fd) : -1;
    if (close(fd) && saved < 0)
        saved = sweep_svg_failed(run->bench, strerror(errno));
    if (made && run->n_done == 0)
        (void)unlink(path);
    return rc == CLI_EXIT_DONE && saved >= 0 ? saved : rc;
}

int cli_bench_sweep(struct cli_bench *bench, struct cli_output *output)
{
    const size_t n_lines = cli_sweeps_lines(&bench->sweeps);
    struct sweep_run run = {
        .bench = bench, .output = output, .n_points = cli_sweeps_points(&bench->sweeps)};
    int rc;

    if (bench->options.svg && n_lines > CLI_PLOT_SERIES_MAX)
        return cli_usage_error(bench->session.command,
                               "--svg: %zu lines, of which %d can be told apart", n_lines,
                               CLI_PLOT_SERIES_MAX);
    bench->topic_begin = bench->options.topic;
    rc = sweep_check(&run);
    if (rc >= 0)
        return rc;
    run.values = calloc(SWEEP_PANELS * run.n_points, sizeof(double));
    if (!run.values)
        return cli_usage_error(bench->session.command, "out of memory");
    rc = bench->options.svg ? sweep_all_drawn(&run) : sweep_all(&run);
    free(run.values);
    return rc;
}
