/* Doubles as text. The judge of reading is strtod of the C library, of printing
 * the property itself: nothing shorter reads back, and nothing of that length is
 * nearer. Java's own texts stand beside them. */
#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kwire/types.h>

#include "base/float_text.h"
#include "base/rng.h"

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* In an exact block, so that a byte too far is seen. */
static int parse(const char *text, double *value)
{
    size_t len = strlen(text);
    char *block = malloc(len ? len : 1);
    int rc;
    cr_assert_not_null(block);
    memcpy(block, text, len);
    rc = kwi_f64_parse(block, len, value);
    free(block);
    return rc;
}

static void must_read_as_strtod(const char *text)
{
    double want = strtod(text, NULL), got = 0;
    int rc = parse(text, &got);
    if (isinf(want)) {
        cr_assert_eq(rc, KW_ERR_LIMIT, "%s", text);
        return;
    }
    cr_assert_eq(rc, 0, "%.60s: %d", text, rc);
    cr_assert_eq(to_bits(got), to_bits(want), "%.60s: %.17g, not %.17g", text, got, want);
}

/* The digits of a text without its sign, point, exponent and outer zeros. */
static int n_digits(const char *text)
{
    int n = 0, zeros = 0;
    for (; *text && *text != 'E' && *text != 'e'; text++) {
        if (*text == '0' && n > 0)
            zeros++;
        if (*text >= '1' && *text <= '9') {
            n += zeros + 1;
            zeros = 0;
        }
    }
    return n;
}

/* printf with %.*e gives the nearest text of n digits. If that reads back for a
 * smaller n, ours is not the shortest; at our own n it is the nearest, so that it
 * must be ours. (Below a power of two a farther one may be the only one that reads
 * back; then printf's does not.) */
static void must_print_the_shortest(double value)
{
    char text[KWI_F64_TEXT], other[64];
    size_t len = kwi_f64_print(value, text);
    double back = 0;
    int digits, least;
    cr_assert_eq(len, strlen(text));
    cr_assert_lt(len, sizeof text);
    cr_assert_eq(to_bits(strtod(text, NULL)), to_bits(value), "%s is not %.17g", text, value);
    cr_assert(parse(text, &back) == 0 && to_bits(back) == to_bits(value), "%s", text);
    digits = n_digits(text);
    least = digits < 2 ? 2 : digits;
    for (int n = 1; n < digits && digits > 2; n++) {
        snprintf(other, sizeof other, "%.*e", n - 1, value);
        cr_assert_neq(strtod(other, NULL), value, "%s, but %s does", text, other);
    }
    snprintf(other, sizeof other, "%.*e", least - 1, value);
    if (strtod(other, NULL) == value) {
        char again[64];
        snprintf(again, sizeof again, "%.*e", least - 1, strtod(text, NULL));
        cr_assert_str_eq(again, other, "%s", text);
        cr_assert_leq(digits, least);
        cr_assert_leq(n_digits(other), least);
    }
}

static int n_random(void)
{
    return getenv("KW_TEST_QUICK") ? 500 : getenv("KW_TEST_ALL") ? 2000000 : 20000;
}

/* Any bits; half of them near the edges of the exponent's range and of m's. */
static double random_double(struct kw_rng *rng)
{
    uint64_t bits = kwi_rng_next(rng), choice = kwi_rng_below(rng, 8);
    if (choice == 0)
        bits &= ~((uint64_t)0x7ff << 52); /* subnormal */
    else if (choice == 1)
        bits &= (uint64_t)0xfff << 52 | kwi_rng_below(rng, 4);
    else if (choice == 2)
        bits |= ((uint64_t)1 << 52) - 1 - kwi_rng_below(rng, 4);
    else if (choice == 3)
        bits = to_bits((double)(int64_t)(bits >> kwi_rng_below(rng, 64)) / 1000);
    else if (choice == 4)
        bits >>= 1 + kwi_rng_below(rng, 62);
    return from_bits(bits);
}

Test(float_text, reads_and_prints_what_the_c_library_does, .timeout = 1800)
{
    static const uint8_t seed[32] = {1, 2, 3};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    for (int i = 0; i < n_random(); i++) {
        double value = random_double(&rng);
        char text[64];
        if (!isfinite(value))
            continue;
        must_print_the_shortest(value);
        snprintf(text, sizeof text, "%.*e", (int)kwi_rng_below(&rng, 25), value);
        must_read_as_strtod(text);
    }
}

Test(float_text, every_power_of_two_is_printed_and_read)
{
    for (int e = -1074; e <= 1023; e++)
        for (int k = -1; k <= 1; k++) {
            double value = ldexp(1, e);
            value = from_bits(to_bits(value) + (uint64_t)k);
            if (value > 0)
                must_print_the_shortest(value);
        }
}

/* Half way between two doubles, exactly, a little below and a little above, with
 * as many digits as that takes: up to 767. */
Test(float_text, a_tie_goes_to_the_even_neighbour_and_one_digit_more_breaks_it, .timeout = 1800)
{
    static const uint8_t seed[32] = {4, 5, 6};
    struct kw_rng rng;
    kwi_rng_init(&rng, seed);
    for (int i = 0; i < n_random() / 20; i++) {
        double value = fabs(random_double(&rng));
        char low[1200], high[1200], tie[1300];
        int carry = 0, n;
        uint64_t bits = to_bits(value);
        if (!(value < 1e60))
            continue;
        /* The sum of both, halved, in decimal digits. */
        n = snprintf(low, sizeof low, "%062.1080f", value);
        snprintf(high, sizeof high, "%062.1080f", from_bits(bits + 1));
        cr_assert_eq(strlen(high), (size_t)n);
        for (int k = n - 1; k >= 0; k--) {
            if (low[k] == '.')
                continue;
            int sum = low[k] - '0' + high[k] - '0' + carry;
            low[k] = (char)('0' + sum % 10);
            carry = sum / 10;
        }
        high[0] = (char)carry;
        carry = 0;
        for (int k = 0; k < n; k++) {
            if (low[k] == '.') {
                tie[k] = '.';
                continue;
            }
            int part = carry * 10 + low[k] - '0';
            tie[k] = (char)('0' + part / 2);
            carry = part % 2;
        }
        tie[n] = '\0';
        const char *start = tie;
        while (start[0] == '0' && start[1] != '.')
            start++;
        must_read_as_strtod(start);
        strcpy(tie + n, "000000000000000000000001");
        must_read_as_strtod(start);
        tie[n] = '\0';
        for (int k = n - 1; k >= 0; k--) { /* minus one in the last place */
            if (tie[k] == '.')
                continue;
            if (tie[k]-- != '0')
                break;
            tie[k] = '9';
        }
        must_read_as_strtod(start);
    }
}

Test(float_text, prints_as_java_does)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-1.5, "-1.5"},
        {10, "10.0"},
        {0.001, "0.001"},
        {0.00123, "0.00123"},
        {0.01, "0.01"},
        {0.5, "0.5"},
        {0.0001, "1.0E-4"},
        {0.00099999999999999, "9.9999999999999E-4"},
        {9999999, "9999999.0"},
        {1e7, "1.0E7"},
        {9999999.999999998, "9999999.999999998"},
        {1048576.5, "1048576.5"},
        {12345678.9, "1.23456789E7"},
        {1e10, "1.0E10"},
        {1e21, "1.0E21"},
        {1e23, "1.0E23"},
        {2e23, "2.0E23"},
        {9007199254740993.0, "9.007199254740992E15"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {DBL_MAX, "1.7976931348623157E308"},
        {DBL_MIN, "2.2250738585072014E-308"},
        {4.9e-324, "4.9E-324"},
        {9.8813129168249309e-324, "9.9E-324"},
        {1.976e-323, "2.0E-323"},
        {2.0e-3, "0.002"},
        {517.0 / 1048576, "4.930496215820312E-4"}, /* 5 behind: half way, to even */
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
    };
    char text[KWI_F64_TEXT];
    double back;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_eq(kwi_f64_print(rows[i].value, text), strlen(rows[i].text));
        cr_expect_str_eq(text, rows[i].text);
        cr_expect(parse(text, &back) == 0 && to_bits(back) == to_bits(rows[i].value), "%s", text);
    }
    cr_expect_eq(kwi_f64_print(from_bits(0xfff8000000000001), text), 3);
    cr_expect_str_eq(text, "NaN");
    cr_expect(parse("NaN", &back) == 0 && isnan(back));
}

Test(float_text, reads_numbers_of_any_length)
{
    static const char *const heads[] = {"0.", "1", "1.", "9", "2.5", "0.0000000000000001"};
    static const char *const tails[] = {"", "1", "e-5", "e5", "E+2", "e-2100", "1e-2000"};
    char text[4096];
    for (size_t h = 0; h < 6; h++)
        for (size_t t = 0; t < 7; t++)
            for (int zeros = 1; zeros < 2200; zeros = zeros * 3 + 1) {
                int len = snprintf(text, sizeof text, "%s%0*d%s", heads[h], zeros, 0, tails[t]);
                cr_assert_lt(len, (int)sizeof text);
                must_read_as_strtod(text);
            }
}

Test(float_text, reads_the_edges_of_the_range)
{
    static const char *const texts[] = {
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1e309",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017"
        "977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273"
        "854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704"
        "342711559699508093042880",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017"
        "977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273"
        "854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704"
        "342711559699508093042879.99",
        "4.9e-324",
        "2.5e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e-400",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "0e999999",
        "-0",
        "0.0e-5",
        "1e00000000000000000000000000001",
        "9007199254740993",
        "9007199254740992.99999",
        "9007199254740993.00001",
        "-1e-999999999999999999999999",
        "1e999999999999999999999999",
        "123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        must_read_as_strtod(texts[i]);
}

Test(float_text, what_is_no_number_is_refused)
{
    static const char *const texts[] = {
        "",     "-",       "+1",        "01",    "-01", "1.",    ".5",  "1e",  "1e+",
        "1e-",  "1x",      "1 ",        " 1",    "0x1", "1..2",  "--1", "nan", "inf",
        "-NaN", "Infinit", "Infinity1", "1e5.0", "1,5", "1e5e5", "00",  "NaN0"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double value = 42;
        cr_expect_eq(parse(texts[i], &value), KW_ERR_CORRUPT, "%s", texts[i]);
        cr_expect_eq(value, 42, "%s", texts[i]);
    }
}
