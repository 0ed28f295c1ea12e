/* cli/sweep.h -- kw bench produce --sweep: the values to go through, every one with
 * every other. */
#ifndef CLI_SWEEP_H
#define CLI_SWEEP_H
#include <stdbool.h>
#include <stddef.h>

#define CLI_SWEEPS_MAX 3
#define CLI_SWEEP_VALUES_MAX 32

/* NAME=v1,v2,...: name and values point into text, a copy. */
struct cli_sweep {
    char *text;
    const char *name;
    const char *values[CLI_SWEEP_VALUES_MAX];
    size_t n;
};

struct cli_sweeps {
    struct cli_sweep items[CLI_SWEEPS_MAX];
    size_t n;
};

/* Adds what --sweep was given. Returns NULL, or what is wrong with it. */
const char *cli_sweeps_add(struct cli_sweeps *sweeps, const char *text);
void cli_sweeps_deinit(struct cli_sweeps *sweeps);
/* How many points there are; and how many lines of a plot, which has the first sweep
 * along its axis. */
size_t cli_sweeps_points(const struct cli_sweeps *sweeps);
size_t cli_sweeps_lines(const struct cli_sweeps *sweeps);
/* The value of sweep i at a point. Points of one line follow each other. */
const char *cli_sweeps_value(const struct cli_sweeps *sweeps, size_t i, size_t point);

#endif
