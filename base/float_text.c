/* base/float_text.c -- doubles as the shortest text, and text as the nearest
 * double, both by plain arithmetic on large integers.
 *
 * A double is m * 2^e with m below 2^53. Printing writes it as R / S with large
 * integers, scales both by a power of ten until 1 <= R / S < 10, and takes digits
 * off the front until what is left is closer to zero or to one more unit than half
 * the way to the neighbouring double. Reading does the reverse: the text is N / M,
 * scaled by a power of two until 1 <= N / M < 2, and gives one bit after the other.
 *
 * The largest number is one of 770 digits beside 10^1100 or so: below 4096 bits. No
 * fast path: such numbers are quotas that administrators set, a few at a time. */
#include "base/float_text.h"

#include <kwire/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"

enum {
    F64_WORDS = 130,
    F64_MANTISSA = 52,  /* bits that are stored; one more is implied */
    F64_BIAS = 1075,    /* stored exponent - this: of the last bit of m */
    F64_EXP_MAX = 2047, /* stored exponent of infinity and NaN */
    /* A number half way between two doubles has at most 767 digits; whether
     * anything follows them is all that later digits can say. */
    F64_DIGITS_MAX = 768
};

_Static_assert(sizeof(double) == sizeof(uint64_t), "a double has 64 bits");

struct f64_big {
    unsigned n;            /* words in use; the last is not zero */
    uint32_t w[F64_WORDS]; /* least significant first */
};

static struct f64_big f64_big_make(uint64_t value)
{
    struct f64_big b;
    b.w[0] = (uint32_t)value;
    b.w[1] = (uint32_t)(value >> 32);
    b.n = b.w[1] ? 2 : b.w[0] != 0;
    return b;
}

static void f64_push(struct f64_big *b, uint32_t word)
{
    KWI_ASSERT(b->n < F64_WORDS);
    b->w[b->n++] = word;
}

/* b = b * factor + add */
static void f64_scale(struct f64_big *b, uint32_t factor, uint32_t add)
{
    uint64_t carry = add;
    for (unsigned i = 0; i < b->n; i++) {
        carry += (uint64_t)b->w[i] * factor;
        b->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        f64_push(b, (uint32_t)carry);
}

static void f64_scale_pow10(struct f64_big *b, int exponent)
{
    for (; exponent >= 9; exponent -= 9)
        f64_scale(b, 1000000000, 0);
    for (; exponent > 0; exponent--)
        f64_scale(b, 10, 0);
}

static void f64_shift(struct f64_big *b, int bits)
{
    unsigned words = (unsigned)bits / 32;
    f64_scale(b, (uint32_t)1 << bits % 32, 0);
    if (b->n == 0 || words == 0)
        return;
    KWI_ASSERT(b->n + words <= F64_WORDS);
    memmove(b->w + words, b->w, b->n * sizeof *b->w);
    memset(b->w, 0, words * sizeof *b->w);
    b->n += words;
}

static int f64_bits(const struct f64_big *b)
{
    int bits = b->n ? (int)(b->n - 1) * 32 : 0;
    for (uint32_t top = b->n ? b->w[b->n - 1] : 0; top; top >>= 1)
        bits++;
    return bits;
}

static int f64_compare(const struct f64_big *a, const struct f64_big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (unsigned i = a->n; i-- > 0;)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

/* a -= b, where a >= b */
static void f64_subtract(struct f64_big *a, const struct f64_big *b)
{
    uint64_t borrow = 0;
    for (unsigned i = 0; i < a->n; i++) {
        uint64_t take = borrow + (i < b->n ? b->w[i] : 0);
        borrow = a->w[i] < take;
        a->w[i] = (uint32_t)(a->w[i] - take);
    }
    while (a->n && a->w[a->n - 1] == 0)
        a->n--;
}

/* ---- printing -------------------------------------------------------------- */

/* A positive value as 0.d1 d2 d3... * 10^point. */
struct f64_decimal {
    char digits[24];
    int n, point;
};

/* What is left of a value behind its digits, in units of the last digit: r / s. The
 * double below is 2 * low / s away, the one above 2 * high / s. */
struct f64_rest {
    struct f64_big r, s, low, high;
    bool even; /* of an even double the text may lie just half way */
};

static void f64_rest_init(struct f64_rest *v, uint64_t mantissa, int exponent, bool narrow,
                          struct f64_decimal *d)
{
    /* All in quarters of the last bit, since the gap below a power of two is half
     * as wide. 1292913986 is
     * log10(2) * 2^32; the estimate is right or one too low. */
    int bits, up = exponent > 0 ? exponent : 0, down = exponent < 0 ? -exponent : 0;
    v->r = f64_big_make(mantissa);
    bits = f64_bits(&v->r) + exponent;
    d->point = (int)((int64_t)(bits - 1) * 1292913986 >> 32);
    v->s = f64_big_make(4);
    v->low = f64_big_make(narrow ? 1 : 2);
    v->high = f64_big_make(2);
    f64_shift(&v->r, up + 2);
    f64_shift(&v->low, up);
    f64_shift(&v->high, up);
    f64_shift(&v->s, down);
    f64_scale_pow10(&v->s, d->point);
    f64_scale_pow10(&v->r, -d->point);
    f64_scale_pow10(&v->low, -d->point);
    f64_scale_pow10(&v->high, -d->point);
    v->even = mantissa % 2 == 0;
    d->n = 0;
    /* Now r / s is below 20; with this below 10, so that a digit fits. */
    struct f64_big ten = v->s;
    f64_scale(&ten, 10, 0);
    if (f64_compare(&v->r, &ten) >= 0) {
        v->s = ten;
        d->point++;
    }
    d->point++;
}

static bool f64_within(const struct f64_big *distance, const struct f64_big *limit, bool even)
{
    int c = f64_compare(distance, limit);
    return c < 0 || (c == 0 && even);
}

static void f64_add_one(struct f64_decimal *d)
{
    int i = d->n - 1;
    for (; i >= 0 && d->digits[i] == '9'; i--)
        d->digits[i] = '0';
    if (i >= 0) {
        d->digits[i]++;
        return;
    }
    d->digits[0] = '1'; /* 99 became 100 */
    d->point++;
}

/* One digit more. True if they suffice: d is then rounded to the nearer end. */
static bool f64_next_digit(struct f64_rest *v, struct f64_decimal *d)
{
    struct f64_big above;
    char digit = '0';
    bool low, high;
    int c;
    for (; f64_compare(&v->r, &v->s) >= 0; digit++)
        f64_subtract(&v->r, &v->s);
    d->digits[d->n++] = digit;
    above = v->s;
    f64_subtract(&above, &v->r);
    low = f64_within(&v->r, &v->low, v->even);
    high = f64_within(&above, &v->high, v->even);
    /* Java never prints fewer than two digits, and takes the nearest two. */
    if (d->n < 2 || !(low || high)) {
        f64_scale(&v->r, 10, 0);
        f64_scale(&v->low, 10, 0);
        f64_scale(&v->high, 10, 0);
        return false;
    }
    c = f64_compare(&v->r, &above);
    if (!low || (high && (c > 0 || (c == 0 && digit % 2))))
        f64_add_one(d);
    return true;
}

static size_t f64_put(char *text, size_t len, const char *from, int n)
{
    memcpy(text + len, from, (size_t)n);
    return len + (size_t)n;
}

/* From 10^-3 to below 10^7 as they are written by hand, others with an exponent. */
static size_t f64_layout(struct f64_decimal *d, char *text, size_t len)
{
    bool plain = d->point > -3 && d->point <= 7;
    int whole = plain ? d->point : 1, exponent = d->point - 1;
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
    while (d->n <= whole)
        d->digits[d->n++] = '0';
    if (whole > 0)
        len = f64_put(text, len, d->digits, whole);
    else
        len = f64_put(text, len, "0", 1);
    text[len++] = '.';
    if (whole < 0)
        len = f64_put(text, len, "00", -whole);
    len = f64_put(text, len, d->digits + (whole > 0 ? whole : 0), d->n - (whole > 0 ? whole : 0));
    if (plain)
        return len;
    text[len++] = 'E';
    if (exponent < 0)
        text[len++] = '-';
    exponent = exponent < 0 ? -exponent : exponent;
    for (int unit = exponent >= 100 ? 100 : exponent >= 10 ? 10 : 1; unit > 0; unit /= 10)
        text[len++] = (char)('0' + exponent / unit % 10);
    return len;
}

size_t kwi_f64_print(double value, char text[32])
{
    uint64_t bits, mantissa;
    int exponent;
    size_t len = 0;
    memcpy(&bits, &value, sizeof bits);
    mantissa = bits & (((uint64_t)1 << F64_MANTISSA) - 1);
    exponent = (int)(bits >> F64_MANTISSA & F64_EXP_MAX);
    if (bits >> 63 && !(exponent == F64_EXP_MAX && mantissa))
        text[len++] = '-';
    if (exponent == F64_EXP_MAX) {
        len = mantissa ? f64_put(text, len, "NaN", 3) : f64_put(text, len, "Infinity", 8);
    } else if (exponent == 0 && mantissa == 0) {
        len = f64_put(text, len, "0.0", 3);
    } else {
        struct f64_rest rest;
        struct f64_decimal decimal;
        bool narrow = mantissa == 0 && exponent > 1;
        if (exponent > 0)
            mantissa |= (uint64_t)1 << F64_MANTISSA;
        else
            exponent = 1;
        f64_rest_init(&rest, mantissa, exponent - F64_BIAS, narrow, &decimal);
        while (!f64_next_digit(&rest, &decimal))
            ;
        len = f64_layout(&decimal, text, len);
    }
    text[len] = '\0';
    return len;
}

/* ---- reading --------------------------------------------------------------- */

/* The text's value is digits * 10^exponent. */
struct f64_text {
    const char *p, *end;
    struct f64_big digits;
    int n_digits; /* taken, without leading zeros */
    bool inexact; /* digits that were left out are not all zero */
    int64_t exponent;
};

static bool f64_at_digit(const struct f64_text *t)
{
    return t->p < t->end && *t->p >= '0' && *t->p <= '9';
}

/* Takes one run of digits. False if there is none. */
static bool f64_take_digits(struct f64_text *t, bool fraction)
{
    const char *start = t->p;
    for (; f64_at_digit(t); t->p++) {
        uint32_t digit = (uint32_t)(*t->p - '0');
        if (t->n_digits < F64_DIGITS_MAX) {
            f64_scale(&t->digits, 10, digit);
            t->n_digits += t->digits.n > 0;
            t->exponent -= fraction;
        } else {
            t->inexact |= digit != 0;
            t->exponent += !fraction;
        }
    }
    return t->p > start;
}

static bool f64_take_exponent(struct f64_text *t)
{
    int64_t exponent = 0;
    bool negative = false;
    const char *start;
    if (t->p == t->end || (*t->p | 32) != 'e')
        return true;
    t->p++;
    if (t->p < t->end && (*t->p == '-' || *t->p == '+'))
        negative = *t->p++ == '-';
    /* Far beyond any length that a text can have: it cannot come back. */
    for (start = t->p; f64_at_digit(t); t->p++)
        exponent = exponent < INT64_MAX / 100 ? exponent * 10 + (*t->p - '0') : exponent;
    t->exponent += negative ? -exponent : exponent;
    return t->p > start;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)? without the sign */
static bool f64_take_number(struct f64_text *t)
{
    const char *start = t->p;
    if (!f64_take_digits(t, false) || (*start == '0' && t->p - start > 1))
        return false;
    if (t->p < t->end && *t->p == '.') {
        t->p++;
        if (!f64_take_digits(t, true))
            return false;
    }
    return f64_take_exponent(t) && t->p == t->end;
}

/* n / m as the bits of the nearest double, half to even. inexact: the true value
 * is a little more than n / m, by less than any half way. */
static uint64_t f64_divide(struct f64_big *n, struct f64_big *m, bool inexact)
{
    int exponent = f64_bits(n) - f64_bits(m), n_bits = F64_MANTISSA + 1, c;
    uint64_t mantissa = 0;
    f64_shift(exponent > 0 ? m : n, exponent > 0 ? exponent : -exponent);
    if (f64_compare(n, m) < 0) {
        f64_shift(n, 1);
        exponent--;
    }
    /* Now 1 <= n / m < 2. Subnormal numbers have fewer bits, perhaps none. */
    if (exponent < -1022)
        n_bits -= -1022 - exponent;
    if (n_bits < 0)
        return 0;
    if (n_bits == 0)
        f64_shift(m, 1);
    for (int i = 0; i < n_bits; i++) {
        bool bit = f64_compare(n, m) >= 0;
        if (bit)
            f64_subtract(n, m);
        mantissa = mantissa << 1 | bit;
        if (i + 1 < n_bits)
            f64_shift(n, 1);
    }
    f64_shift(n, 1);
    c = f64_compare(n, m);
    mantissa += c > 0 || (c == 0 && (inexact || mantissa % 2));
    /* The implied bit adds one to the exponent, and so does a carry out of it. */
    if (exponent < -1022)
        return mantissa;
    return ((uint64_t)(exponent + 1022) << F64_MANTISSA) + mantissa;
}

static uint64_t f64_nearest(struct f64_text *t)
{
    struct f64_big divisor = f64_big_make(1);
    if (t->digits.n == 0 || t->n_digits + t->exponent < -330)
        return 0;
    if (t->n_digits + t->exponent > 310)
        return (uint64_t)F64_EXP_MAX << F64_MANTISSA;
    if (t->exponent >= 0)
        f64_scale_pow10(&t->digits, (int)t->exponent);
    else
        f64_scale_pow10(&divisor, (int)-t->exponent);
    return f64_divide(&t->digits, &divisor, t->inexact);
}

static bool f64_is(const struct f64_text *t, const char *word)
{
    size_t len = (size_t)(t->end - t->p);
    return len == strlen(word) && memcmp(t->p, word, len) == 0;
}

int kwi_f64_parse(const char *text, size_t len, double *out)
{
    struct f64_text t = {.p = text, .end = text + len, .digits = f64_big_make(0)};
    uint64_t infinity = (uint64_t)F64_EXP_MAX << F64_MANTISSA, bits;
    bool negative = len > 0 && *text == '-';
    if (negative)
        t.p++;
    if (f64_is(&t, "Infinity")) {
        bits = infinity;
    } else if (!negative && f64_is(&t, "NaN")) {
        bits = infinity | (uint64_t)1 << (F64_MANTISSA - 1);
    } else {
        if (!f64_take_number(&t))
            return KW_ERR_CORRUPT;
        bits = f64_nearest(&t);
        if (bits >= infinity)
            return KW_ERR_LIMIT;
    }
    bits |= (uint64_t)negative << 63;
    memcpy(out, &bits, sizeof bits);
    return 0;
}
