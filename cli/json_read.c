/* cli/json_read.c -- reads one record from one line of JSON.
 *
 * Strict: an unknown member, a member twice, a lone surrogate, a control
 * character in a string, text that is no UTF-8 or anything after the object is
 * an error with its place. The record's depth is fixed, so nothing recurses. */
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"

enum json_member {
    JSON_KEY,
    JSON_VALUE,
    JSON_HEADERS,
    JSON_PARTITION,
    JSON_TIMESTAMP,
    JSON_KEY_B64,
    JSON_VALUE_B64,
    JSON_TOPIC, /* from here on: what consume -J adds and produce does not need */
    JSON_OFFSET,
    JSON_TIMESTAMP_TYPE,
    JSON_N_MEMBERS
};

static const char *const json_members[JSON_N_MEMBERS] = {
    "key",     "value",     "headers", "partition", "timestamp",
    "key_b64", "value_b64", "topic",   "offset",    "timestamp_type"};

static bool json_fail(struct cli_json *json, const char *error)
{
    if (!json->error) {
        json->error = error;
        json->error_at = (size_t)(json->ptr - json->begin);
    }
    return false;
}

static void json_space(struct cli_json *json)
{
    while (json->ptr < json->end &&
           (*json->ptr == ' ' || *json->ptr == '\t' || *json->ptr == '\r' || *json->ptr == '\n'))
        json->ptr++;
}

/* Takes c if it comes next. */
static bool json_take(struct cli_json *json, char c)
{
    json_space(json);
    if (json->ptr == json->end || *json->ptr != (uint8_t)c)
        return false;
    json->ptr++;
    return true;
}

static bool json_word(struct cli_json *json, const char *word)
{
    size_t len = strlen(word);

    json_space(json);
    if ((size_t)(json->end - json->ptr) < len || memcmp(json->ptr, word, len) != 0)
        return false;
    json->ptr += len;
    return true;
}

/* ---- strings ------------------------------------------------------------- */

static bool json_hex4(struct cli_json *json, uint32_t *out)
{
    *out = 0;
    if (json->end - json->ptr < 4)
        return json_fail(json, "\\u needs four hexadecimal digits");
    for (int i = 0; i < 4; i++) {
        uint8_t c = *json->ptr, digit;
        if (c >= '0' && c <= '9')
            digit = (uint8_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (uint8_t)((c | 32) - 'a' + 10);
        else
            return json_fail(json, "\\u needs four hexadecimal digits");
        *out = *out << 4 | digit;
        json->ptr++;
    }
    return true;
}

static size_t json_utf8(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (code & 63));
    return 4;
}

/* After the backslash. The result is never longer than the escape. */
static bool json_escape(struct cli_json *json)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    uint32_t code, low;

    if (json->ptr == json->end)
        return json_fail(json, "the string does not end");
    uint8_t c = *json->ptr;
    const char *name = c ? strchr(names, c) : NULL;
    if (name) {
        json->text[json->text_len++] = (uint8_t)values[name - names];
        json->ptr++;
        return true;
    }
    if (c != 'u')
        return json_fail(json, "unknown escape");
    json->ptr++;
    if (!json_hex4(json, &code))
        return false;
    if (code >= 0xdc00 && code <= 0xdfff)
        return json_fail(json, "a low surrogate without its high one");
    if (code >= 0xd800 && code <= 0xdbff) {
        if (json->end - json->ptr < 2 || json->ptr[0] != '\\' || json->ptr[1] != 'u')
            return json_fail(json, "a high surrogate without its low one");
        json->ptr += 2;
        if (!json_hex4(json, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return json_fail(json, "a high surrogate without its low one");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    json->text_len += json_utf8(code, json->text + json->text_len);
    return true;
}

/* The decoded bytes lie in json->text, which holds a whole line. */
static bool json_string(struct cli_json *json, struct kw_bytes *out)
{
    size_t begin = json->text_len;

    json_space(json);
    if (json->ptr == json->end || *json->ptr != '"')
        return json_fail(json, "a string is expected");
    json->ptr++;
    for (;;) {
        if (json->ptr == json->end)
            return json_fail(json, "the string does not end");
        uint8_t c = *json->ptr;
        if (c < 0x20)
            return json_fail(json, "a control character in a string; write it as \\u00XX");
        json->ptr++;
        if (c == '"')
            break;
        if (c != '\\')
            json->text[json->text_len++] = c;
        else if (!json_escape(json))
            return false;
    }
    *out = (struct kw_bytes){json->text + begin, json->text_len - begin};
    if (!cli_json_is_text(*out))
        return json_fail(json, "the string is not UTF-8; use the _b64 form for bytes");
    return true;
}

static int json_base64_digit(uint8_t c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Decodes in place; padding is required, as RFC 4648 has it. */
static bool json_base64(struct cli_json *json, struct kw_bytes *bytes)
{
    uint8_t *out = json->text + ((const uint8_t *)bytes->ptr - json->text);
    const uint8_t *in = bytes->ptr;
    size_t len = bytes->len, n = 0;

    if (len % 4 != 0)
        return json_fail(json, "base64 is not a multiple of four characters");
    for (size_t i = 0; i < len; i += 4) {
        int digits[4];
        int pad = 0;
        for (int k = 0; k < 4; k++) {
            digits[k] = json_base64_digit(in[i + (size_t)k]);
            if (in[i + (size_t)k] == '=' && i + 4 == len && k >= 2) {
                digits[k] = 0;
                pad++;
            } else if (digits[k] < 0 || pad > 0) {
                return json_fail(json, "not a base64 character");
            }
        }
        uint32_t word = (uint32_t)(digits[0] << 18 | digits[1] << 12 | digits[2] << 6 | digits[3]);
        if ((pad == 1 && (word & 0xff)) || (pad == 2 && (word & 0xffff)))
            return json_fail(json, "base64 ends in bits that are not zero");
        out[n++] = (uint8_t)(word >> 16);
        if (pad < 2)
            out[n++] = (uint8_t)(word >> 8);
        if (pad < 1)
            out[n++] = (uint8_t)word;
    }
    bytes->len = n;
    return true;
}

/* A string or null. */
static bool json_bytes(struct cli_json *json, bool base64, struct kw_bytes *out)
{
    *out = (struct kw_bytes){0};
    if (json_word(json, "null"))
        return true;
    if (json->ptr < json->end && *json->ptr != '"')
        return json_fail(json, "a string or null is expected");
    return json_string(json, out) && (!base64 || json_base64(json, out));
}

static bool json_int(struct cli_json *json, int64_t min, int64_t max, int64_t *out)
{
    bool negative = json_take(json, '-');
    uint64_t number = 0;
    const uint8_t *first;

    if (!negative)
        json_space(json);
    first = json->ptr;
    while (json->ptr < json->end && *json->ptr >= '0' && *json->ptr <= '9') {
        if (number > (UINT64_MAX - 9) / 10)
            return json_fail(json, "the number is out of range");
        number = number * 10 + (uint64_t)(*json->ptr++ - '0');
    }
    if (json->ptr == first || (*first == '0' && json->ptr - first > 1))
        return json_fail(json, "a whole number is expected");
    if (json->ptr < json->end && (*json->ptr == '.' || (*json->ptr | 32) == 'e'))
        return json_fail(json, "a whole number is expected");
    if (number > (uint64_t)INT64_MAX)
        return json_fail(json, "the number is out of range");
    *out = negative ? -(int64_t)number : (int64_t)number;
    return (*out >= min && *out <= max) || json_fail(json, "the number is out of range");
}

/* ---- the record ---------------------------------------------------------- */

/* Behind those that the record has from elsewhere. NULL: there are too many, which is told. */
static struct kw_header *json_header_add(struct cli_json *json, struct kw_record *record)
{
    if (record->n_headers >= CLI_JSON_HEADERS_MAX) {
        json_fail(json, "more than 1024 headers");
        return NULL;
    }
    if (record->headers != json->headers && record->n_headers > 0)
        memcpy(json->headers, record->headers, record->n_headers * sizeof(*json->headers));
    record->headers = json->headers;
    return &json->headers[record->n_headers++];
}

static bool json_headers_object(struct cli_json *json, struct kw_record *record)
{
    struct kw_header *header;

    if (json_take(json, '}'))
        return true;
    do {
        header = json_header_add(json, record);
        if (!header || !json_string(json, &header->key))
            return false;
        if (!json_take(json, ':'))
            return json_fail(json, "':' is expected");
        if (!json_bytes(json, false, &header->value))
            return false;
    } while (json_take(json, ','));
    return json_take(json, '}') || json_fail(json, "',' or '}' is expected");
}

static bool json_headers_array(struct cli_json *json, struct kw_record *record)
{
    struct kw_header *header;
    struct kw_bytes form;

    if (json_take(json, ']'))
        return true;
    do {
        if (!json_take(json, '['))
            return json_fail(json, "a pair [name, value] is expected");
        header = json_header_add(json, record);
        if (!header || !json_string(json, &header->key))
            return false;
        if (!json_take(json, ','))
            return json_fail(json, "',' is expected");
        if (!json_bytes(json, false, &header->value))
            return false;
        if (json_take(json, ',')) {
            if (!json_string(json, &form))
                return false;
            if (form.len != 3 || memcmp(form.ptr, "b64", 3) != 0 || !header->value.ptr)
                return json_fail(json, "only \"b64\" may follow a header's value");
            if (!json_base64(json, &header->value))
                return false;
        }
        if (!json_take(json, ']'))
            return json_fail(json, "']' is expected");
    } while (json_take(json, ','));
    return json_take(json, ']') || json_fail(json, "',' or ']' is expected");
}

static bool json_headers(struct cli_json *json, struct kw_record *record)
{
    if (json_word(json, "null"))
        return true;
    if (json_take(json, '{'))
        return json_headers_object(json, record);
    if (json_take(json, '['))
        return json_headers_array(json, record);
    return json_fail(json, "headers are an object or an array of pairs");
}

static bool json_member_value(struct cli_json *json, enum json_member member,
                              struct kw_record *record)
{
    struct kw_bytes ignored;
    int64_t number;

    switch (member) {
    case JSON_KEY:
    case JSON_KEY_B64: return json_bytes(json, member == JSON_KEY_B64, &record->key);
    case JSON_VALUE:
    case JSON_VALUE_B64: return json_bytes(json, member == JSON_VALUE_B64, &record->value);
    case JSON_HEADERS: return json_headers(json, record);
    case JSON_PARTITION:
        if (!json_int(json, 0, INT32_MAX, &number))
            return false;
        record->partition = (int32_t)number;
        record->flags |= KW_REC_PARTITION;
        return true;
    case JSON_TIMESTAMP:
        if (!json_int(json, -1, INT64_MAX, &number))
            return false;
        record->timestamp_ms = number;
        record->flags |= number >= 0 ? KW_REC_TIMESTAMP : 0;
        return true;
    case JSON_TOPIC:
    case JSON_TIMESTAMP_TYPE: return json_string(json, &ignored);
    case JSON_OFFSET: return json_int(json, 0, INT64_MAX, &number);
    case JSON_N_MEMBERS: break;
    }
    return false;
}

static bool json_member(struct cli_json *json, struct kw_record *record)
{
    struct kw_bytes name;
    uint32_t member = 0;

    json_space(json);
    const uint8_t *begin = json->ptr;
    if (!json_string(json, &name))
        return false;
    while (member < JSON_N_MEMBERS && (strlen(json_members[member]) != name.len ||
                                       memcmp(json_members[member], name.ptr, name.len) != 0))
        member++;
    /* key and key_b64 are two spellings of one member, value likewise. */
    uint32_t same = member == JSON_KEY_B64     ? JSON_KEY
                    : member == JSON_VALUE_B64 ? JSON_VALUE
                                               : member;
    if (member == JSON_N_MEMBERS || json->members >> same & 1) {
        json->ptr = begin;
        return json_fail(json, member == JSON_N_MEMBERS
                                   ? "unknown member; known are key, value, headers, partition, "
                                     "timestamp, key_b64, value_b64"
                                   : "the same member twice");
    }
    json->members |= 1U << same;
    if (!json_take(json, ':'))
        return json_fail(json, "':' is expected");
    return json_member_value(json, (enum json_member)member, record);
}

static bool json_reserve(struct cli_json *json, size_t len)
{
    if (!json->headers) {
        json->headers = calloc(CLI_JSON_HEADERS_MAX, sizeof(*json->headers));
        if (!json->headers)
            return false;
    }
    /* One byte at least: an empty string must not be a NULL pointer. */
    if (json->text_cap <= len) {
        free(json->text);
        json->text_cap = len + len / 2 + 64;
        json->text = malloc(json->text_cap);
        if (!json->text)
            json->text_cap = 0;
    }
    return json->text != NULL;
}

bool cli_json_record(struct cli_json *json, const uint8_t *line, size_t len,
                     struct kw_record *record)
{
    json->error = NULL;
    json->begin = json->ptr = line;
    json->end = line + len;
    json->members = 0;
    json->text_len = 0;
    if (!json_reserve(json, len))
        return json_fail(json, "out of memory");
    if (!json_take(json, '{'))
        return json_fail(json, "an object is expected");
    if (!json_take(json, '}')) {
        do {
            if (!json_member(json, record))
                return false;
        } while (json_take(json, ','));
        if (!json_take(json, '}'))
            return json_fail(json, "',' or '}' is expected");
    }
    json_space(json);
    if (json->ptr != json->end)
        return json_fail(json, "something follows the object");
    if (!(json->members & 1U << JSON_VALUE))
        return json_fail(json, "no value; write \"value\":null for a tombstone");
    return true;
}

void cli_json_deinit(struct cli_json *json)
{
    free(json->text);
    free(json->headers);
    *json = (struct cli_json){0};
}
