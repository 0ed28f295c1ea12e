/* client/config_duration.c -- ISO-8601 durations, as auto.offset.reset=by_duration: takes
 * them (KIP-1106): PnDTnHnMn.nS, each part at most once and in this order, at least one,
 * no sign. */
#include "client/config.h"

#include <string.h>

/* A part: its letter, and how many milliseconds it counts. */
struct duration_unit {
    char letter;
    int64_t ms;
};
static const struct duration_unit duration_units[] = {
    {'D', 86400000}, {'H', 3600000}, {'M', 60000}, {'S', 1000}};
enum { DURATION_DAYS = 0, DURATION_SECONDS = 3, DURATION_UNITS = 4, DURATION_DIGITS = 9 };

struct duration_text {
    const char *ptr, *end;
};

static bool duration_digit(const struct duration_text *text)
{
    return text->ptr < text->end && *text->ptr >= '0' && *text->ptr <= '9';
}

static char duration_letter(const struct duration_text *text)
{
    char c = text->ptr < text->end ? *text->ptr : '\0';

    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* The digits behind the point, in ms; what is below is cut off. False: none, or too many. */
static bool duration_fraction(struct duration_text *text, int64_t *ms)
{
    int64_t weight = 100;
    unsigned n = 0;

    for (*ms = 0; duration_digit(text); text->ptr++, n++, weight /= 10)
        *ms += (*text->ptr - '0') * weight;
    return n > 0 && n <= DURATION_DIGITS;
}

/* A number and its letter. Returns the unit, -1: it is none. */
static int duration_part(struct duration_text *text, int64_t *ms)
{
    int64_t number = 0, fraction = 0;
    bool has_fraction = false;

    if (!duration_digit(text))
        return -1;
    for (; duration_digit(text); text->ptr++) {
        if (number > (INT64_MAX - 9) / 10)
            return -1;
        number = number * 10 + (*text->ptr - '0');
    }
    if (text->ptr < text->end && (*text->ptr == '.' || *text->ptr == ',')) {
        text->ptr++;
        has_fraction = true;
        if (!duration_fraction(text, &fraction))
            return -1;
    }
    for (int unit = 0; unit < DURATION_UNITS; unit++) {
        if (duration_letter(text) != duration_units[unit].letter)
            continue;
        text->ptr++;
        if ((has_fraction && unit != DURATION_SECONDS) ||
            number > (INT64_MAX - fraction) / duration_units[unit].ms)
            return -1;
        *ms = number * duration_units[unit].ms + fraction;
        return unit;
    }
    return -1;
}

bool kwi_config_duration(const char *val, size_t len, int64_t *ms)
{
    struct duration_text text = {val, val + len};
    int64_t sum = 0, part = 0;
    bool in_time = false;
    int last = -1;

    if (duration_letter(&text) != 'P')
        return false;
    text.ptr++;
    do {
        int unit;
        if (!in_time && duration_letter(&text) == 'T') {
            in_time = true;
            text.ptr++;
        }
        unit = duration_part(&text, &part);
        if (unit <= last || (unit == DURATION_DAYS) == in_time || sum > INT64_MAX - part)
            return false; /* none, twice, out of order, on the wrong side of T, too long */
        sum += part;
        last = unit;
    } while (text.ptr < text.end);
    *ms = sum;
    return true;
}
