/* base/fmt.h -- a small formatter, because the core links no libc printf.
 *
 * Directives: %s (const char *, NULL prints "null"), %.*s (int, const char *),
 * %d (int), %u (unsigned), %lld (long long), %llu (unsigned long long), %zu,
 * %x (unsigned, hex), %c (int), %%. Anything else is printed as it stands.
 * Output is always NUL-terminated when cap > 0 and cut at a byte boundary that
 * does not split a UTF-8 sequence. */
#ifndef KWI_FMT_H
#define KWI_FMT_H
#include <stdarg.h>
#include <stddef.h>

/* Returns the length that the whole text has, without the NUL. */
size_t kwi_fmt(char *buf, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t kwi_vfmt(char *buf, size_t cap, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
/* What steers a terminal (C0, DEL and C1) becomes '?': a text may hold what a broker says. */
void kwi_fmt_clean(char *text);

#endif
