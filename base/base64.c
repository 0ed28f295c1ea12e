/* base/base64.c -- see base64.h. */
#include "base/base64.h"

static const char base64_digits[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
    'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
    'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
    'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/'};

void kwi_base64_put(char *out, const void *bytes, size_t n)
{
    const uint8_t *in = bytes;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (left > 2 ? in[i + 2] : 0);

        *out++ = base64_digits[group >> 18];
        *out++ = base64_digits[group >> 12 & 63];
        *out++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? base64_digits[group & 63] : '=';
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four, of which n_pad are padding. false: it is none. */
static bool base64_group(const char *text, unsigned n_pad, uint32_t *group)
{
    *group = 0;
    for (unsigned i = 0; i < 4 - n_pad; i++) {
        int value = base64_value(text[i]);
        if (value < 0)
            return false;
        *group |= (uint32_t)value << (18 - 6 * i);
    }
    return (n_pad == 0 || !(*group & 0xff)) && (n_pad < 2 || !(*group & 0xffff));
}

int kwi_base64_get(void *out, size_t cap, size_t *n, const char *text, size_t len)
{
    uint8_t *at = out;

    *n = 0;
    if (len % 4)
        return KW_ERR_SYNTAX;
    for (size_t i = 0; i < len; i += 4) {
        bool last = i + 4 == len;
        unsigned n_pad = !last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
        uint32_t group;

        if (!base64_group(text + i, n_pad, &group))
            return KW_ERR_SYNTAX;
        if (cap - *n < 3 - n_pad)
            return KW_ERR_SPACE;
        for (unsigned k = 0; k < 3 - n_pad; k++)
            at[(*n)++] = (uint8_t)(group >> (16 - 8 * k));
    }
    return 0;
}
