/* cli/plot.h -- a plot as an SVG file: panels one above the other over one axis. */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H
#include <stdbool.h>
#include <stddef.h>

#include "cli/output.h"

#define CLI_PLOT_SERIES_MAX 8 /* as many as there are colours to tell apart */
#define CLI_PLOT_TICKS_MAX 12

enum cli_plot_kind {
    CLI_PLOT_LINEAR,
    CLI_PLOT_LOG,
    CLI_PLOT_NAMES /* the n-th value stands at n */
};

/* An axis: what lies at its ends, and the values that are marked. */
struct cli_plot_scale {
    enum cli_plot_kind kind;
    double low, high;
    double ticks[CLI_PLOT_TICKS_MAX];
    size_t n_ticks;
};

/* A panel's values, by series and within it by x; below 0: not measured. */
struct cli_plot_panel {
    const char *title; /* what it shows, with its unit */
    const double *values;
};

struct cli_plot {
    const char *title, *x_title;
    const char *const *x_texts; /* numbers, or names: then they are evenly spaced */
    size_t n_x;
    const char *const *series; /* their names; one alone is not named */
    size_t n_series;
    const struct cli_plot_panel *panels;
    size_t n_panels;
};

/* The scale of measured values: from 0, or logarithmic where the positive ones are a
 * decade apart or more. */
void cli_plot_scale_y(struct cli_plot_scale *scale, const double *values, size_t n);
/* The scale of the values that were chosen, all of which it can mark: logarithmic where
 * they are a decade apart; names where one is no number, or 0 among decades. numbers
 * has room for n and gets the values as the scale counts them. */
void cli_plot_scale_x(struct cli_plot_scale *scale, const char *const *texts, size_t n,
                      double *numbers);
/* Where a value lies: 0 at the low end, 1 at the high one. */
double cli_plot_scale_at(const struct cli_plot_scale *scale, double value);
/* "250", "12 k", "1.5 M": four digits that count. */
void cli_plot_number(double value, char *buf, size_t cap);
/* Writes the document. Returns false when memory is short; nothing is written then. */
bool cli_plot_write(const struct cli_plot *plot, struct cli_output *output);

#endif
