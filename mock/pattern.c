/* mock/pattern.c -- the part of regular expressions that the broker model matches topic
 * names by: characters, '.', classes, the repetitions * + ?, alternatives with | at the
 * top, ^ and $ at their ends. Groups and everything else that RE2 has are refused, as a
 * broker refuses what is wrong: a test learns of it. */
#include "mock/modern_group.h"

enum { MOCKPATTERN_MAX = 249 };

/* The length of the atom at p, or 0: none that is known here. */
static size_t mockpattern_atom(const char *p, const char *end)
{
    size_t n = 1;
    if (p == end || *p == '*' || *p == '+' || *p == '?' || *p == '(' || *p == ')' || *p == '{' ||
        *p == ']' || *p == '|')
        return 0;
    if (*p == '\\')
        return p + 1 < end ? 2 : 0;
    if (*p != '[')
        return 1;
    while (p + n < end && (p[n] != ']' || n == 1))
        n++;
    return p + n < end ? n + 1 : 0;
}

static bool mockpattern_is_repeat(const char *p, const char *end)
{
    return p < end && (*p == '*' || *p == '+' || *p == '?');
}

static bool mockpattern_class(const char *p, const char *end, char c)
{
    bool no = p < end && *p == '^', found = false;
    for (p += no; p < end; p++) {
        if (p + 2 < end && p[1] == '-') {
            found |= c >= p[0] && c <= p[2];
            p += 2;
        } else {
            found |= c == *p;
        }
    }
    return found != no;
}

static bool mockpattern_one(const char *p, size_t n, char c)
{
    if (*p == '\\')
        return c == p[1];
    if (*p == '[')
        return mockpattern_class(p + 1, p + n - 1, c);
    return *p == '.' || *p == c;
}

/* One alternative against the whole text. Its depth is that of the pattern. */
static bool mockpattern_match(const char *p, const char *end, const char *s, const char *s_end)
{
    size_t n = mockpattern_atom(p, end);
    bool repeat = mockpattern_is_repeat(p + n, end);
    const char *next = p + n + repeat, *most = s;
    if (p == end)
        return s == s_end;
    if (!repeat)
        return s < s_end && mockpattern_one(p, n, *s) && mockpattern_match(next, end, s + 1, s_end);
    while (most < s_end && (p[n] != '?' || most == s) && mockpattern_one(p, n, *most))
        most++;
    for (;; most--) {
        if (p[n] == '+' && most == s)
            return false;
        if (mockpattern_match(next, end, most, s_end))
            return true;
        if (most == s)
            return false;
    }
}

bool kwi_mock_pattern_is_good(struct kw_str pattern)
{
    const char *p = pattern.ptr, *end = p + pattern.len;
    if (pattern.len > MOCKPATTERN_MAX)
        return false;
    while (p < end) {
        size_t n = mockpattern_atom(p, end);
        if (n == 0 && *p != '|')
            return false;
        p += n ? n : 1;
        if (n && mockpattern_is_repeat(p, end))
            p++;
    }
    return true;
}

bool kwi_mock_pattern_matches(struct kw_str pattern, struct kw_str text)
{
    const char *p = pattern.ptr, *end = p + pattern.len;
    while (p < end) {
        const char *stop = p, *from, *to;
        while (stop < end && *stop != '|')
            stop += mockpattern_atom(stop, end) ? mockpattern_atom(stop, end) : 1;
        from = p + (*p == '^'); /* it is the whole text anyway */
        to = stop - (stop > from && stop[-1] == '$' && (stop < from + 2 || stop[-2] != '\\'));
        if (mockpattern_match(from, to, text.ptr, text.ptr + text.len))
            return true;
        p = stop + 1;
    }
    return false;
}
