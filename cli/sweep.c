/* cli/sweep.c -- the values that a benchmark goes through, every one with every other.
 *
 * The first sweep counts fastest, so that the points of one line of a plot follow each
 * other. What the names mean is not known here. */
#include "cli/sweep.h"

#include <stdlib.h>
#include <string.h>

const char *cli_sweeps_add(struct cli_sweeps *sweeps, const char *text)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text || equals[1] == '\0')
        return "is not DIMENSION=VALUE,VALUE...";
    if (sweeps->n == CLI_SWEEPS_MAX)
        return "is one dimension too many: three at most";
    for (size_t i = 0; i < sweeps->n; i++)
        if (strlen(sweeps->items[i].name) == (size_t)(equals - text) &&
            strncmp(sweeps->items[i].name, text, (size_t)(equals - text)) == 0)
            return "has a dimension that was given before";
    struct cli_sweep *sweep = &sweeps->items[sweeps->n];
    *sweep = (struct cli_sweep){.text = strdup(text)};
    if (!sweep->text)
        return "cannot be kept: out of memory";
    sweeps->n++;
    sweep->name = sweep->text;
    sweep->text[equals - text] = '\0';
    for (char *at = sweep->text + (equals - text) + 1; at;) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        if (*at == '\0')
            return "has an empty value";
        if (sweep->n == CLI_SWEEP_VALUES_MAX)
            return "has more than 32 values";
        sweep->values[sweep->n++] = at;
        at = comma ? comma + 1 : NULL;
    }
    return NULL;
}

void cli_sweeps_deinit(struct cli_sweeps *sweeps)
{
    for (size_t i = 0; i < sweeps->n; i++)
        free(sweeps->items[i].text);
    *sweeps = (struct cli_sweeps){0};
}

size_t cli_sweeps_points(const struct cli_sweeps *sweeps)
{
    return sweeps->n > 0 ? sweeps->items[0].n * cli_sweeps_lines(sweeps) : 1;
}

size_t cli_sweeps_lines(const struct cli_sweeps *sweeps)
{
    size_t n = 1;

    for (size_t i = 1; i < sweeps->n; i++)
        n *= sweeps->items[i].n;
    return n;
}

const char *cli_sweeps_value(const struct cli_sweeps *sweeps, size_t i, size_t point)
{
    for (size_t before = 0; before < i; before++)
        point /= sweeps->items[before].n;
    return sweeps->items[i].values[point % sweeps->items[i].n];
}
