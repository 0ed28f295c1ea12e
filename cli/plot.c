/* cli/plot.c -- a plot as an SVG file: panels one above the other over one axis.
 *
 * It is text: shapes with numbers, on a white ground, so that it needs no library and
 * no script, and can be read in a diff. The same values give the same bytes.
 *
 *      title
 *      names of the series
 *      +---------------------+  each panel: grid lines with their values at the left,
 *      | panels              |  its title above, a line and dots for each series
 *      +---------------------+
 *        10    100    1 k       the swept values, and what they are, below the last
 */
#include "cli/plot.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLOT_WIDTH = 760,
    PLOT_LEFT = 80,
    PLOT_RIGHT = 730,
    PLOT_PANEL = 200,    /* height of a panel's box */
    PLOT_PANEL_GAP = 44, /* above it, with its title */
    PLOT_TOP = 40,       /* above the first: the plot's title */
    PLOT_SERIES = 18,    /* a line of the series' names */
    PLOT_BOTTOM = 56,    /* below the last: the axis */
    PLOT_LABEL = 48,     /* labels below the axis are so far apart, or left out */
    PLOT_MARGIN = 4      /* percent of the width left free beside the first and last */
};

/* By Okabe and Ito: told apart also by who sees few colours. */
static const char *const plot_colours[CLI_PLOT_SERIES_MAX] = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", /* blue, vermilion, green, purple */
    "#e69f00", "#56b4e9", "#000000", "#7f7f7f", /* orange, sky, black, grey */
};

/* ---- scales ---------------------------------------------------------------- */

/* Of a positive value, a digit after the other: squaring doubles a logarithm. So nothing
 * needs libm. */
static double plot_log10(double value)
{
    double log = 0, digit = 0.5;

    while (value >= 10) {
        value /= 10;
        log++;
    }
    while (value < 1) {
        value *= 10;
        log--;
    }
    for (int i = 0; i < 40; i++, digit /= 2) {
        value *= value;
        if (value < 10)
            continue;
        value /= 10;
        log += digit;
    }
    return log;
}

/* The power of ten at or below value. */
static double plot_decade(double value)
{
    double decade = 1;

    while (decade * 10 <= value)
        decade *= 10;
    while (decade > value)
        decade /= 10;
    return decade;
}

static void plot_tick(struct cli_plot_scale *scale, double value)
{
    if (scale->n_ticks < CLI_PLOT_TICKS_MAX)
        scale->ticks[scale->n_ticks++] = value;
}

/* Whole decades from below min to above max; few of them have 2 and 5 between. */
static void plot_scale_log(struct cli_plot_scale *scale, double min, double max)
{
    double each = 10;
    size_t n = 0;

    scale->kind = CLI_PLOT_LOG;
    scale->low = scale->high = plot_decade(min);
    for (; scale->high < max; scale->high *= 10)
        n++;
    for (size_t rest = n; rest >= CLI_PLOT_TICKS_MAX; rest -= CLI_PLOT_TICKS_MAX)
        each *= 10;
    double tick = scale->low;
    while (tick <= scale->high) {
        plot_tick(scale, tick);
        if (n <= 3 && tick < scale->high) {
            plot_tick(scale, tick * 2);
            plot_tick(scale, tick * 5);
        }
        tick *= each;
    }
}

/* Steps of 1, 2 or 5 times a power of ten, from 0, at most seven of them. */
static void plot_scale_linear(struct cli_plot_scale *scale, double max)
{
    double step = max > 0 ? plot_decade(max) / 10 : 1;
    static const double factors[] = {2, 2.5, 2};

    for (size_t i = 0; max > 7 * step; i++)
        step *= factors[i % 3];
    scale->kind = CLI_PLOT_LINEAR;
    scale->low = 0;
    for (size_t i = 0; i < CLI_PLOT_TICKS_MAX; i++) {
        scale->high = (double)i * step;
        plot_tick(scale, scale->high);
        if (i > 0 && scale->high >= max)
            break;
    }
}

void cli_plot_scale_y(struct cli_plot_scale *scale, const double *values, size_t n)
{
    double min = 0, max = 0;

    *scale = (struct cli_plot_scale){0};
    for (size_t i = 0; i < n; i++) {
        if (values[i] > max)
            max = values[i];
        if (values[i] > 0 && (min <= 0 || values[i] < min))
            min = values[i];
    }
    if (min > 0 && max >= 10 * min)
        plot_scale_log(scale, min, max);
    else
        plot_scale_linear(scale, max);
}

void cli_plot_scale_x(struct cli_plot_scale *scale, const char *const *texts, size_t n,
                      double *numbers)
{
    bool numeric = n > 0, zero = false;
    double min = 0, max = 0; /* of the positive ones */

    *scale = (struct cli_plot_scale){0};
    for (size_t i = 0; i < n; i++) {
        char *end;
        numbers[i] = strtod(texts[i], &end);
        numeric = numeric && end != texts[i] && *end == '\0' && numbers[i] >= 0 &&
                  numbers[i] < 1e18;
        zero = zero || numbers[i] <= 0;
        max = numbers[i] > max ? numbers[i] : max;
        min = numbers[i] > 0 && (min <= 0 || numbers[i] < min) ? numbers[i] : min;
    }
    bool decades = max >= 10 * min && min > 0;
    if (!numeric || (zero && decades)) {
        scale->kind = CLI_PLOT_NAMES;
        scale->high = n > 0 ? (double)(n - 1) : 0;
        for (size_t i = 0; i < n; i++)
            numbers[i] = (double)i;
        return;
    }
    scale->kind = decades ? CLI_PLOT_LOG : CLI_PLOT_LINEAR;
    scale->low = zero ? 0 : min;
    scale->high = max;
}

double cli_plot_scale_at(const struct cli_plot_scale *scale, double value)
{
    double low = scale->low, high = scale->high;

    if (high <= low)
        return 0.5;
    if (scale->kind != CLI_PLOT_LOG)
        return (value - low) / (high - low);
    return plot_log10(value / low) / plot_log10(high / low);
}

void cli_plot_number(double value, char *buf, size_t cap)
{
    static const struct {
        double unit;
        const char *suffix;
    } units[] = {{1e9, " G"}, {1e6, " M"}, {1e3, " k"}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (value < units[i].unit)
            continue;
        snprintf(buf, cap, "%.4g%s", value / units[i].unit, units[i].suffix);
        return;
    }
    snprintf(buf, cap, "%.4g", value);
}

/* ---- shapes ----------------------------------------------------------------- */

struct plot_page {
    const struct cli_plot *plot;
    struct cli_output *output;
    struct cli_plot_scale x;
    double *numbers; /* the swept values on it */
};

/* Texts come from the command line: nothing of them may be taken for markup, and what
 * lies beyond ASCII may not be UTF-8. */
static void plot_text(struct plot_page *page, double x, double y, const char *style,
                      const char *text)
{
    char buf[160];

    snprintf(buf, sizeof(buf), "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, style);
    cli_output_text(page->output, buf);
    for (; *text; text++) {
        switch (*text) {
        case '<': cli_output_text(page->output, "&lt;"); break;
        case '>': cli_output_text(page->output, "&gt;"); break;
        case '&': cli_output_text(page->output, "&amp;"); break;
        default: cli_output_char(page->output, *text >= ' ' && *text < 127 ? *text : '?');
        }
    }
    cli_output_text(page->output, "</text>\n");
}

static void plot_line(struct plot_page *page, double x1, double y1, double x2, double y2,
                      const char *colour)
{
    char buf[160];

    snprintf(buf, sizeof(buf),
             "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2,
             y2, colour);
    cli_output_text(page->output, buf);
}

static double plot_x(const struct plot_page *page, size_t i)
{
    double at = cli_plot_scale_at(&page->x, page->numbers[i]);
    double margin = (PLOT_RIGHT - PLOT_LEFT) * PLOT_MARGIN / 100.0;

    return PLOT_LEFT + margin + at * (PLOT_RIGHT - PLOT_LEFT - 2 * margin);
}

static double plot_y(const struct cli_plot_scale *scale, double bottom, double value)
{
    return bottom - cli_plot_scale_at(scale, value) * PLOT_PANEL;
}

static bool plot_has(const struct cli_plot_scale *scale, double value)
{
    return scale->kind == CLI_PLOT_LOG ? value > 0 : value >= 0;
}

/* A line through what was measured, in the order given, and a dot for each. */
static void plot_series(struct plot_page *page, const struct cli_plot_scale *scale, double bottom,
                        const double *values, const char *colour)
{
    char buf[120];

    snprintf(buf, sizeof(buf), "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
             colour);
    cli_output_text(page->output, buf);
    for (size_t i = 0; i < page->plot->n_x; i++) {
        if (!plot_has(scale, values[i]))
            continue;
        snprintf(buf, sizeof(buf), "%.1f,%.1f ", plot_x(page, i), plot_y(scale, bottom, values[i]));
        cli_output_text(page->output, buf);
    }
    cli_output_text(page->output, "\"/>\n");
    for (size_t i = 0; i < page->plot->n_x; i++) {
        if (!plot_has(scale, values[i]))
            continue;
        snprintf(buf, sizeof(buf), "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"><title>",
                 plot_x(page, i), plot_y(scale, bottom, values[i]), colour);
        cli_output_text(page->output, buf);
        snprintf(buf, sizeof(buf), "%.6g</title></circle>\n", values[i]);
        cli_output_text(page->output, buf);
    }
}

static void plot_panel(struct plot_page *page, const struct cli_plot_panel *panel, double bottom)
{
    const struct cli_plot *plot = page->plot;
    struct cli_plot_scale scale;
    char text[40];

    cli_plot_scale_y(&scale, panel->values, plot->n_series * plot->n_x);
    plot_text(page, PLOT_LEFT, bottom - PLOT_PANEL - 10, "font-weight=\"bold\"", panel->title);
    if (scale.kind == CLI_PLOT_LOG)
        plot_text(page, PLOT_RIGHT, bottom - PLOT_PANEL - 10,
                  "text-anchor=\"end\" fill=\"#555555\"", "logarithmic");
    for (size_t i = 0; i < scale.n_ticks; i++) {
        double y = plot_y(&scale, bottom, scale.ticks[i]);
        plot_line(page, PLOT_LEFT, y, PLOT_RIGHT, y, i == 0 ? "#333333" : "#dddddd");
        cli_plot_number(scale.ticks[i], text, sizeof(text));
        plot_text(page, PLOT_LEFT - 8, y + 4, "text-anchor=\"end\"", text);
    }
    for (size_t i = 0; i < plot->n_x; i++)
        plot_line(page, plot_x(page, i), bottom, plot_x(page, i), bottom + 5, "#333333");
    for (size_t i = 0; i < plot->n_series; i++)
        plot_series(page, &scale, bottom, panel->values + i * plot->n_x, plot_colours[i]);
}

/* The labels of the axis; of some that would overlap, the first. */
static void plot_axis(struct plot_page *page, double bottom)
{
    const struct cli_plot *plot = page->plot;
    double taken[PLOT_WIDTH / PLOT_LABEL];
    size_t n = 0;
    char text[200];

    for (size_t i = 0; i < plot->n_x && n < sizeof(taken) / sizeof(taken[0]); i++) {
        double x = plot_x(page, i);
        bool room = true;
        for (size_t k = 0; k < n; k++)
            room = room && (x - taken[k] >= PLOT_LABEL || taken[k] - x >= PLOT_LABEL);
        if (!room)
            continue;
        taken[n++] = x;
        plot_text(page, x, bottom + 20, "text-anchor=\"middle\"", plot->x_texts[i]);
    }
    snprintf(text, sizeof(text), "%s%s", plot->x_title,
             page->x.kind == CLI_PLOT_LOG ? " (logarithmic)" : "");
    plot_text(page, (PLOT_LEFT + PLOT_RIGHT) / 2.0, bottom + 42,
              "text-anchor=\"middle\" font-weight=\"bold\"", text);
}

static void plot_names(struct plot_page *page)
{
    for (size_t i = 0; page->plot->n_series > 1 && i < page->plot->n_series; i++) {
        double y = PLOT_TOP + PLOT_SERIES * (double)i;
        char style[60];
        plot_line(page, PLOT_LEFT, y, PLOT_LEFT + 24, y, plot_colours[i]);
        snprintf(style, sizeof(style), "fill=\"%s\"", plot_colours[i]);
        plot_text(page, PLOT_LEFT + 32, y + 4, style, page->plot->series[i]);
    }
}

bool cli_plot_write(const struct cli_plot *plot, struct cli_output *output)
{
    struct plot_page page = {plot, output, {0}, calloc(plot->n_x + 1, sizeof(double))};
    size_t names = plot->n_series > 1 ? plot->n_series * PLOT_SERIES : 0;
    size_t panels = plot->n_panels * (PLOT_PANEL + PLOT_PANEL_GAP);
    size_t height = PLOT_TOP + names + panels + PLOT_BOTTOM;
    char buf[300];

    if (!page.numbers)
        return false;
    cli_plot_scale_x(&page.x, plot->x_texts, plot->n_x, page.numbers);
    snprintf(buf, sizeof(buf),
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
             "viewBox=\"0 0 %d %zu\" font-family=\"sans-serif\" font-size=\"12\">\n"
             "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
             PLOT_WIDTH, height, PLOT_WIDTH, height);
    cli_output_text(output, buf);
    plot_text(&page, PLOT_LEFT, 22, "font-size=\"14\" font-weight=\"bold\"", plot->title);
    plot_names(&page);
    double bottom = (double)(PLOT_TOP + names);
    for (size_t i = 0; i < plot->n_panels; i++) {
        bottom += PLOT_PANEL + PLOT_PANEL_GAP;
        plot_panel(&page, &plot->panels[i], bottom);
    }
    plot_axis(&page, bottom);
    cli_output_text(output, "</svg>\n");
    free(page.numbers);
    return true;
}
