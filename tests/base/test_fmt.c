/* The formatter: each directive, cutting, and what is not a directive. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"

/* Formats into an exact-size heap block and compares with what libc says. */
#define EXPECT_AS_LIBC(...)                                                      \
    do {                                                                         \
        char expected[256];                                                      \
        size_t full = (size_t)snprintf(expected, sizeof(expected), __VA_ARGS__); \
        char *got = malloc(full + 1);                                            \
        cr_assert_eq(kwi_fmt(got, full + 1, __VA_ARGS__), full);                 \
        cr_assert_str_eq(got, expected);                                         \
        free(got);                                                               \
    } while (0)

/* A format that is not a directive, kept from the compiler's eyes. */
static void expect_text(const char *expected, size_t cap, const char *format, ...)
{
    char *buf = malloc(cap);
    va_list args;
    va_start(args, format);
    kwi_vfmt(buf, cap, format, args);
    va_end(args);
    cr_assert_str_eq(buf, expected);
    free(buf);
}

Test(fmt, numbers_print_as_libc_prints_them)
{
    EXPECT_AS_LIBC("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    EXPECT_AS_LIBC("%u %u", 0u, UINT_MAX);
    EXPECT_AS_LIBC("%lld|%lld|%lld", 0ll, LLONG_MAX, LLONG_MIN);
    EXPECT_AS_LIBC("%llu|%llu", 0ull, ULLONG_MAX);
    EXPECT_AS_LIBC("%zu|%zu", (size_t)0, SIZE_MAX);
    EXPECT_AS_LIBC("%x %x %x", 0u, 0xdeadbeefu, 0x10u);
}

Test(fmt, strings_and_characters_print_as_libc_prints_them)
{
    EXPECT_AS_LIBC("a%sb%sc", "", "xyz");
    EXPECT_AS_LIBC("[%c%c]", 'q', '%');
    EXPECT_AS_LIBC("100%% of %s", "it");
    EXPECT_AS_LIBC("[%.*s]", 2, "abc");
    EXPECT_AS_LIBC("[%.*s]", 9, "abc");
    EXPECT_AS_LIBC("[%.*s]", 0, "abc");
    EXPECT_AS_LIBC("plain");
    EXPECT_AS_LIBC("%s", "");
}

Test(fmt, a_limited_string_is_not_read_behind_its_limit)
{
    char *three = malloc(3); /* no NUL */
    memcpy(three, "abc", 3);
    char buf[16];
    cr_assert_eq(kwi_fmt(buf, sizeof(buf), "<%.*s>", 3, three), 5);
    cr_assert_str_eq(buf, "<abc>");
    free(three);
}

Test(fmt, null_strings_print_a_word)
{
    const char *volatile none = NULL;
    expect_text("null and null", 64, "%s and %.*s", none, 2, none);
}

Test(fmt, what_is_not_a_directive_stands_as_it_is)
{
    expect_text("%q %5d %ld %", 64, "%q %5d %ld %");
    expect_text("%z 7", 64, "%z %d", 7);
    expect_text("%ll", 64, "%ll");
    expect_text("%.*d", 64, "%.*d");
}

Test(fmt, the_result_is_cut_but_its_full_length_is_returned)
{
    const char *full = "value -12 of abc";
    for (size_t cap = 1; cap < 24; cap++) {
        char *buf = malloc(cap);
        cr_assert_eq(kwi_fmt(buf, cap, "value %d of %s", -12, "abc"), strlen(full));
        size_t len = cap - 1 < strlen(full) ? cap - 1 : strlen(full);
        cr_assert_eq(strlen(buf), len);
        cr_assert_eq(memcmp(buf, full, len), 0);
        free(buf);
    }
    cr_assert_eq(kwi_fmt(NULL, 0, "%s", "four"), 4);
}

Test(fmt, a_cut_never_splits_a_utf8_sequence)
{
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1, 2, 3, 4, 1 bytes */
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t cap = 1; cap <= 12; cap++) {
        char *buf = malloc(cap);
        cr_assert_eq(kwi_fmt(buf, cap, "%s", text), 11);
        cr_assert_eq(strlen(buf), kept[cap - 1], "cap %zu keeps %zu", cap, strlen(buf));
        free(buf);
    }
}

Test(fmt, bytes_that_are_not_utf8_are_cut_at_the_capacity)
{
    expect_text("\x80\x80\x80\x80\x80", 6, "%s", "\x80\x80\x80\x80\x80\x80\x80");
    expect_text("ab\xa9", 4, "%s", "ab\xa9\xa9\xa9");
}

Test(fmt, what_steers_a_terminal_is_cleaned_and_all_else_stays)
{
    char text[] = "a\x1b]0;x\x07\nb\x7f \xc2\x9b \xc3\xa9 \xc2\xa0 \xe2\x82\xac \xc2";
    kwi_fmt_clean(text);
    cr_assert_str_eq(text, "a?]0;x??b? ?? \xc3\xa9 \xc2\xa0 \xe2\x82\xac \xc2");
}
