/* client/properties.c -- reads Java properties: key=value lines, # and !
 * comments, a backslash at a line's end that joins the next line, escapes
 * \t \n \r \f \\ \: \= \uXXXX. The format only; keys are known to config.c. */
#include "client/config.h"

#include <string.h>

#include "base/fmt.h"

struct properties {
    const char *ptr, *end;
    unsigned line;  /* of the next byte, from 1 */
    unsigned first; /* of the logical line that was read last */
    char *text;     /* the logical line, joined, still with escapes */
    size_t len;
};

static bool properties_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static void properties_skip_blanks(struct properties *in)
{
    while (in->ptr < in->end && properties_blank(*in->ptr))
        in->ptr++;
}

/* Moves behind the end of the line: \n, \r or \r\n. */
static void properties_newline(struct properties *in)
{
    if (in->ptr == in->end)
        return;
    if (*in->ptr++ == '\r' && in->ptr < in->end && *in->ptr == '\n')
        in->ptr++;
    in->line++;
}

static bool properties_at_newline(const struct properties *in)
{
    return in->ptr < in->end && (*in->ptr == '\n' || *in->ptr == '\r');
}

/* Reads one logical line into in->text. False at the end of the input. */
static bool properties_next_line(struct properties *in)
{
    in->len = 0;
    for (;;) {
        properties_skip_blanks(in);
        if (in->ptr == in->end)
            return false;
        if (*in->ptr == '#' || *in->ptr == '!') {
            while (in->ptr < in->end && !properties_at_newline(in))
                in->ptr++;
        } else if (!properties_at_newline(in)) {
            break;
        }
        properties_newline(in);
    }
    in->first = in->line;
    while (in->ptr < in->end && !properties_at_newline(in)) {
        char c = *in->ptr++;
        if (c == '\\' && (in->ptr == in->end || properties_at_newline(in))) {
            properties_newline(in);
            properties_skip_blanks(in);
            continue;
        }
        in->text[in->len++] = c;
        if (c == '\\') /* the escaped byte ends nothing */
            in->text[in->len++] = *in->ptr++;
    }
    properties_newline(in);
    return true;
}

static int properties_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Writes the UTF-8 form of a code unit of the Basic Multilingual Plane. */
static size_t properties_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* Reads XXXX at p. -1: not four hex digits, zero, or half of a surrogate pair,
 * which no configuration value needs. */
static int properties_code(const char *p, const char *end)
{
    int code = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = properties_hex(p[i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code == 0 || (code >= 0xd800 && code <= 0xdfff) ? -1 : code;
}

/* Resolves the escapes of p..end into out, which has room for as many bytes,
 * and ends it with NUL. Returns the length, or -1 for a bad escape. */
static int64_t properties_unescape(char *out, const char *p, const char *end)
{
    size_t len = 0;
    while (p < end) {
        char c = *p++;
        if (c == 0)
            return -1;
        if (c == '\\' && p < end) {
            c = *p++;
            if (c == 'u') {
                int code = properties_code(p, end);
                if (code < 0)
                    return -1;
                len += properties_utf8(out + len, (unsigned)code);
                p += 4;
                continue;
            }
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
        }
        out[len++] = c;
    }
    out[len] = 0;
    return (int64_t)len;
}

static int properties_refuse(const struct properties *in, const char *text, struct kw_error *err)
{
    if (!err)
        return KW_ERR_CONFIG;
    *err = (struct kw_error){.code = KW_ERR_CONFIG, .phase = KW_PHASE_CONFIG, .broker = -1};
    kwi_fmt(err->text, sizeof err->text, "line %u: %s", in->first, text);
    kwi_fmt(err->hint, sizeof err->hint,
            "write key=value; \\ begins an escape, \\\\ is one backslash");
    return KW_ERR_CONFIG;
}

/* Splits the logical line at the first blank, = or : and sets the key. */
static int properties_apply(struct properties *in, struct kw_config *cfg, char *key,
                            struct kw_error *err)
{
    const char *p = in->text, *end = in->text + in->len, *stop;
    char *val;
    int rc;
    for (stop = p; stop < end && !properties_blank(*stop) && *stop != '=' && *stop != ':'; stop++) {
        if (*stop == '\\' && stop + 1 < end)
            stop++;
    }
    if (properties_unescape(key, p, stop) < 0)
        return properties_refuse(in, "a bad escape in the key", err);
    val = key + (stop - p) + 1;
    while (stop < end && properties_blank(*stop))
        stop++;
    if (stop < end && (*stop == '=' || *stop == ':'))
        stop++;
    while (stop < end && properties_blank(*stop))
        stop++;
    if (properties_unescape(val, stop, end) < 0)
        return properties_refuse(in, "a bad escape in the value", err);
    rc = kwi_references_set(cfg, key, val, err);
    if (rc == KW_ERR_CONFIG && err) {
        char text[sizeof err->text];
        memcpy(text, err->text, sizeof text);
        kwi_fmt(err->text, sizeof err->text, "line %u: %s", in->first, text);
    }
    return rc;
}

int kw_config_parse(struct kw_config *cfg, const char *text, size_t len, struct kw_error *err)
{
    struct properties in = {.ptr = text, .end = text, .line = 1};
    char *room;
    size_t size = 2 * len + 4; /* the joined line; key and value, each with its NUL */
    int rc = 0;
    if (!cfg || (!text && len))
        return KW_ERR_USE;
    if (len == 0)
        return 0;
    if (len > KWI_CONFIG_FILE_MAX)
        return kwi_config_refuse(err, "properties", "(text)", 6, "longer than 1 MiB",
                                 "this is hardly a configuration; check the file name");
    room = cfg->alloc.alloc(cfg->alloc.ctx, size);
    if (!room)
        return KW_ERR_NOMEM;
    in.end = text + len;
    in.text = room;
    while (!rc && properties_next_line(&in))
        rc = properties_apply(&in, cfg, room + len, err);
    kwi_config_wipe(room, size); /* it may have held a password */
    cfg->alloc.free(cfg->alloc.ctx, room, size);
    return rc;
}
