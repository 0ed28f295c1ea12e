/* base/fmt.c -- the core's formatter: no width, no flags, no floating point,
 * no locale, no allocation. */
#include "base/fmt.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct fmt_out {
    char *buf;
    size_t cap, len; /* len: of the whole text, also of what did not fit */
};

static void fmt_put(struct fmt_out *out, const char *ptr, size_t len)
{
    if (out->len < out->cap && len > 0) {
        size_t room = out->cap - out->len;
        memcpy(out->buf + out->len, ptr, len < room ? len : room);
    }
    out->len += len;
}

static void fmt_put_number(struct fmt_out *out, uint64_t value, unsigned radix, bool negative)
{
    char digits[24];
    size_t pos = sizeof(digits);
    do {
        digits[--pos] = "0123456789abcdef"[value % radix];
        value /= radix;
    } while (value > 0);
    if (negative)
        digits[--pos] = '-';
    fmt_put(out, digits + pos, sizeof(digits) - pos);
}

static void fmt_put_signed(struct fmt_out *out, int64_t value)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    fmt_put_number(out, magnitude, 10, value < 0);
}

/* Prints up to the NUL, but does not look behind the first `max` bytes. */
static void fmt_put_str(struct fmt_out *out, const char *str, size_t max)
{
    if (!str) {
        fmt_put(out, "null", 4);
        return;
    }
    size_t len = 0;
    while (len < max && str[len])
        len++;
    fmt_put(out, str, len);
}

/* The length of the sequence that a lead byte opens; 1 for anything else. */
static size_t fmt_utf8_len(char lead)
{
    unsigned char byte = (unsigned char)lead;
    if (byte >= 0xf0)
        return 4;
    if (byte >= 0xe0)
        return 3;
    return byte >= 0xc0 ? 2 : 1;
}

/* The longest prefix of buf[0, len) that does not end inside a UTF-8
 * sequence. What is not UTF-8 is left alone. */
static size_t fmt_cut(const char *buf, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        char byte = buf[len - back];
        if (((unsigned char)byte & 0xc0) == 0x80)
            continue;
        return fmt_utf8_len(byte) > back ? len - back : len;
    }
    return len;
}

static bool fmt_starts(const char *ptr, const char *prefix)
{
    for (; *prefix; ptr++, prefix++) {
        if (*ptr != *prefix)
            return false;
    }
    return true;
}

size_t kwi_vfmt(char *buf, size_t cap, const char *format, va_list args)
{
    struct fmt_out out = {buf, cap, 0};
    const char *p = format;
    while (*p) {
        const char *start = p;
        while (*p && *p != '%')
            p++;
        fmt_put(&out, start, (size_t)(p - start));
        if (!*p)
            break;
        start = p++;
        if (fmt_starts(p, "lld")) {
            p += 3;
            fmt_put_signed(&out, va_arg(args, long long));
        } else if (fmt_starts(p, "llu")) {
            p += 3;
            fmt_put_number(&out, va_arg(args, unsigned long long), 10, false);
        } else if (fmt_starts(p, "zu")) {
            p += 2;
            fmt_put_number(&out, va_arg(args, size_t), 10, false);
        } else if (fmt_starts(p, ".*s")) {
            p += 3;
            int max = va_arg(args, int);
            fmt_put_str(&out, va_arg(args, const char *), max < 0 ? SIZE_MAX : (size_t)max);
        } else if (*p == 's') {
            p++;
            fmt_put_str(&out, va_arg(args, const char *), SIZE_MAX);
        } else if (*p == 'd') {
            p++;
            fmt_put_signed(&out, va_arg(args, int));
        } else if (*p == 'u' || *p == 'x') {
            fmt_put_number(&out, va_arg(args, unsigned), *p++ == 'x' ? 16 : 10, false);
        } else if (*p == 'c') {
            p++;
            char c = (char)va_arg(args, int);
            fmt_put(&out, &c, 1);
        } else if (*p == '%') {
            p++;
            fmt_put(&out, "%", 1);
        } else {
            fmt_put(&out, start, 1); /* not ours: as it stands */
        }
    }
    if (cap > 0)
        buf[out.len < cap ? out.len : fmt_cut(buf, cap - 1)] = 0;
    return out.len;
}

size_t kwi_fmt(char *buf, size_t cap, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t len = kwi_vfmt(buf, cap, format, args);
    va_end(args);
    return len;
}

void kwi_fmt_clean(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        bool is_wide = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
        if (is_wide)
            *c++ = '?';
        if (is_wide || *c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}
