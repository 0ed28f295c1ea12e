/* json/json_text.c -- see json_text.h. */
#include "json/json_text.h"

void kwi_jtext_fail(struct kw_jtext *t, int err, const char *reason)
{
    if (t->err)
        return;
    t->err = err;
    t->reason = reason;
    t->end = t->p; /* nothing can be taken any more */
}

static bool jtext_is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

uint8_t kwi_jtext_peek(struct kw_jtext *t)
{
    while (t->p < t->end && jtext_is_space(*t->p))
        t->p++;
    return t->p < t->end ? *t->p : 0;
}

bool kwi_jtext_take(struct kw_jtext *t, char c)
{
    if (kwi_jtext_peek(t) != (uint8_t)c)
        return false;
    t->p++;
    return true;
}

void kwi_jtext_expect(struct kw_jtext *t, char c, const char *reason)
{
    if (!kwi_jtext_take(t, c))
        kwi_jtext_fail(t, KW_ERR_SYNTAX, t->p == t->end ? "the text ends too early" : reason);
}

static bool jtext_is_word(uint8_t c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

bool kwi_jtext_word(struct kw_jtext *t, const char *word)
{
    size_t len = strlen(word);
    (void)kwi_jtext_peek(t);
    if ((size_t)(t->end - t->p) < len || memcmp(t->p, word, len) != 0)
        return false;
    if ((size_t)(t->end - t->p) > len && jtext_is_word(t->p[len]))
        return false;
    t->p += len;
    return true;
}

/* ---- numbers -------------------------------------------------------------- */

static const uint8_t *jtext_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

void kwi_jtext_number(struct kw_jtext *t, const uint8_t **start, bool *whole)
{
    const uint8_t *p, *first;
    (void)kwi_jtext_peek(t);
    *start = p = t->p;
    *whole = true;
    if (p < t->end && *p == '-')
        p++;
    first = p;
    p = jtext_digits(p, t->end);
    if (p == first || (*first == '0' && p - first > 1)) {
        kwi_jtext_fail(t, KW_ERR_SYNTAX, "a number is expected");
        return;
    }
    if (p < t->end && *p == '.') {
        *whole = false;
        first = p + 1;
        p = jtext_digits(first, t->end);
        if (p == first)
            kwi_jtext_fail(t, KW_ERR_SYNTAX, "digits must follow a point");
    }
    if (!t->err && p < t->end && (*p | 32) == 'e') {
        *whole = false;
        p++;
        if (p < t->end && (*p == '+' || *p == '-'))
            p++;
        first = p;
        p = jtext_digits(first, t->end);
        if (p == first)
            kwi_jtext_fail(t, KW_ERR_SYNTAX, "an exponent needs digits");
    }
    if (!t->err)
        t->p = p;
}

int64_t kwi_jtext_int(struct kw_jtext *t, int64_t min, int64_t max)
{
    const uint8_t *start, *p;
    uint64_t sum = 0, limit;
    bool whole, negative;

    kwi_jtext_number(t, &start, &whole);
    if (t->err)
        return 0;
    negative = *start == '-';
    limit = negative ? (uint64_t)0 - (uint64_t)min : (uint64_t)max;
    if (negative && min >= 0)
        limit = 0;
    for (p = start + negative; whole && p < t->p; p++) {
        uint64_t digit = *p - (uint64_t)'0';
        if (digit > limit || sum > (limit - digit) / 10)
            break;
        sum = sum * 10 + digit;
    }
    if (!whole || p < t->p) {
        t->p = start;
        kwi_jtext_fail(t, KW_ERR_SYNTAX,
                       whole ? "the number is out of range" : "a whole number is expected");
        return 0;
    }
    return (int64_t)(negative ? (uint64_t)0 - sum : sum);
}

/* ---- strings --------------------------------------------------------------- */

/* Four hexadecimal digits, or -1. */
static int32_t jtext_hex4(const uint8_t *p, const uint8_t *end)
{
    int32_t code = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i], low = p[i] | 32;
        if (c >= '0' && c <= '9')
            code = code << 4 | (c - '0');
        else if (low >= 'a' && low <= 'f')
            code = code << 4 | (low - 'a' + 10);
        else
            return -1;
    }
    return code;
}

static const char jtext_escapes[] = "\"\\/bfnrt", jtext_escaped[] = "\"\\/\b\f\n\r\t";

/* The code point of the escape at p, which is a backslash; *next is behind it.
 * -1: there is none. The halves of a pair stand together or not at all. */
static int32_t jtext_escape(const uint8_t *p, const uint8_t *end, const uint8_t **next)
{
    int32_t code, low;
    if (end - p < 2)
        return -1;
    for (unsigned i = 0; jtext_escapes[i]; i++)
        if (p[1] == (uint8_t)jtext_escapes[i]) {
            *next = p + 2;
            return jtext_escaped[i];
        }
    if (p[1] != 'u')
        return -1;
    code = jtext_hex4(p + 2, end);
    *next = p + 6;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return -1;
    low = jtext_hex4(p + 8, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    *next = p + 12;
    return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
}

static uint8_t jtext_utf8_len(int32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

struct kw_jstring kwi_jtext_string(struct kw_jtext *t)
{
    struct kw_jstring s = {0};
    kwi_jtext_expect(t, '"', "a string is expected");
    s.p = t->p;
    for (; t->p < t->end && *t->p != '"'; s.left++) {
        const uint8_t *next = t->p + 1;
        int32_t code = *t->p;
        if (code == '\\') {
            code = jtext_escape(t->p, t->end, &next);
            s.left += code < 0 ? 0 : jtext_utf8_len(code) - 1u;
        } else if (code < 0x20) {
            code = -1;
        }
        if (code < 0)
            kwi_jtext_fail(t, KW_ERR_SYNTAX, "no such character may stand in a string");
        else
            t->p = next;
    }
    s.end = t->p;
    kwi_jtext_expect(t, '"', "a string must end");
    if (t->err)
        s.left = 0;
    return s;
}

uint8_t kwi_jstring_next(struct kw_jstring *s)
{
    const uint8_t *next;
    int32_t code;
    s->left--;
    if (s->n_more)
        return s->more[--s->n_more];
    if (*s->p != '\\')
        return *s->p++;
    code = jtext_escape(s->p, s->end, &next);
    s->p = next;
    if (code < 0x80)
        return (uint8_t)code;
    for (uint8_t len = jtext_utf8_len(code); s->n_more + 1 < len; code >>= 6)
        s->more[s->n_more++] = (uint8_t)(0x80 | (code & 63));
    return (uint8_t)((0xff00 >> (s->n_more + 1) & 0xff) | code);
}

bool kwi_jstring_is(struct kw_jstring s, const char *snake_name)
{
    for (; *snake_name; snake_name++) {
        char c = *snake_name;
        if (c == '_') {
            c = *++snake_name;
            if (c >= 'a')
                c = (char)(c - 'a' + 'A');
        }
        if (s.left == 0 || kwi_jstring_next(&s) != (uint8_t)c)
            return false;
    }
    return s.left == 0;
}

/* ---- base64 --------------------------------------------------------------- */

static int32_t jtext_sextet(uint8_t c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

size_t kwi_jtext_base64(struct kw_jtext *t, struct kw_jstring s, bool url, struct kw_wr *w)
{
    size_t n_chars = 0, n_pad = 0, n = 0;
    uint32_t bits = 0;
    bool bad = false;
    for (; s.left; n_chars++) {
        uint8_t c = kwi_jstring_next(&s);
        int32_t sextet = jtext_sextet(c, url);
        if (!url && c == '=' && s.left < 2 && n_chars % 4 >= 2) {
            n_pad++;
            continue;
        }
        bad |= sextet < 0 || n_pad;
        if (bad)
            break;
        bits = bits << 6 | (uint32_t)sextet;
        if (n_chars % 4) {
            unsigned shift = 6 - 2 * (n_chars % 4);
            kwi_wr_u8(w, (uint8_t)(bits >> shift));
            bits &= (1u << shift) - 1;
            n++;
        }
    }
    /* Bits behind the last byte are zero, so that each value has one form. */
    if (bad || bits || (!url && n_chars % 4) || (url && n_chars % 4 == 1))
        kwi_jtext_fail(t, KW_ERR_SYNTAX,
                       url ? "no uuid: 22 characters of base64 are expected"
                           : "a string of base64 is expected");
    return n;
}

/* ---- values of any type ---------------------------------------------------- */

/* Brackets are counted, not matched: what is read later is read strictly, and
 * then ends at the same place. */
void kwi_jtext_skip(struct kw_jtext *t)
{
    size_t depth = 0;
    do {
        uint8_t c = kwi_jtext_peek(t);
        if (c == '"') {
            (void)kwi_jtext_string(t);
        } else if (c == '[' || c == '{') {
            t->p++;
            depth++;
        } else if (depth && (c == ']' || c == '}')) {
            t->p++;
            depth--;
        } else if (depth && (c == ',' || c == ':')) {
            t->p++;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            const uint8_t *start;
            bool whole;
            kwi_jtext_number(t, &start, &whole);
        } else if (!kwi_jtext_word(t, "null") && !kwi_jtext_word(t, "true") &&
                   !kwi_jtext_word(t, "false")) {
            kwi_jtext_fail(t, KW_ERR_SYNTAX,
                           t->p == t->end ? "the text ends too early" : "a value is expected");
        }
    } while (depth && !t->err);
}
