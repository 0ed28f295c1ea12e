/* cli/json_write.c -- writes records as lines of JSON. */
#include <string.h>

#include <kwire/kwire.h>

#include "cli/json.h"

/* The length of the UTF-8 sequence at ptr, 0 if it is none: overlong forms,
 * surrogates and codes above U+10FFFF are none (RFC 3629). */
static size_t json_sequence(const uint8_t *ptr, size_t left)
{
    uint8_t first = ptr[0];
    size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (len == 0 || len > left || first > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((ptr[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && ptr[1] < 0xa0) || (first == 0xed && ptr[1] > 0x9f) ||
        (first == 0xf0 && ptr[1] < 0x90) || (first == 0xf4 && ptr[1] > 0x8f))
        return 0;
    return len;
}

bool cli_json_is_text(struct kw_bytes text)
{
    const uint8_t *ptr = text.ptr;

    for (size_t i = 0; i < text.len;) {
        size_t len = json_sequence(ptr + i, text.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* Header names are the one place where bytes that are no text can arrive: they
 * become U+FFFD, so that the line stays valid JSON. */
void cli_json_string(struct cli_output *out, struct kw_bytes text)
{
    static const char names[] = "bfnrt\"\\", values[] = "\b\f\n\r\t\"\\";
    static const char hex[] = "0123456789abcdef";
    const uint8_t *ptr = text.ptr;
    size_t begin = 0, i = 0;

    cli_output_char(out, '"');
    while (i < text.len) {
        uint8_t c = ptr[i];
        size_t len = json_sequence(ptr + i, text.len - i);
        if (len > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += len;
            continue;
        }
        cli_output_put(out, ptr + begin, i - begin);
        begin = ++i;
        const char *value = c ? strchr(values, c) : NULL;
        if (len == 0) {
            cli_output_text(out, "\\ufffd");
        } else if (value) {
            const char escape[2] = {'\\', names[value - values]};
            cli_output_put(out, escape, 2);
        } else {
            const char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            cli_output_put(out, escape, 6);
        }
    }
    if (text.len > begin)
        cli_output_put(out, ptr + begin, text.len - begin);
    cli_output_char(out, '"');
}

static void json_put_base64(struct cli_output *out, struct kw_bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *ptr = bytes.ptr;

    cli_output_char(out, '"');
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t word = (uint32_t)ptr[i] << 16 | (left > 1 ? (uint32_t)ptr[i + 1] << 8 : 0) |
                        (left > 2 ? ptr[i + 2] : 0);
        const char four[4] = {digits[word >> 18], digits[word >> 12 & 63],
                              left > 1 ? digits[word >> 6 & 63] : '=',
                              left > 2 ? digits[word & 63] : '='};
        cli_output_put(out, four, 4);
    }
    cli_output_char(out, '"');
}

void cli_json_member(struct cli_output *out, const char *name, struct kw_bytes bytes)
{
    bool text = !bytes.ptr || cli_json_is_text(bytes);

    cli_output_char(out, '"');
    cli_output_text(out, name);
    cli_output_text(out, text ? "\":" : "_b64\":");
    if (!bytes.ptr)
        cli_output_text(out, "null");
    else if (text)
        cli_json_string(out, bytes);
    else
        json_put_base64(out, bytes);
}

/* Pairs and not an object: names may repeat, and their order counts. */
static void json_put_headers(struct cli_output *out, const struct kw_consumed *record)
{
    struct kw_header_iter it;
    struct kw_header header;
    const char *before = ",\"headers\":[[";

    kw_headers_begin(&it, record);
    while (kw_headers_next(&it, &header) == 1) {
        cli_output_text(out, before);
        cli_json_string(out, header.key);
        cli_output_char(out, ',');
        if (!header.value.ptr) {
            cli_output_text(out, "null");
        } else if (cli_json_is_text(header.value)) {
            cli_json_string(out, header.value);
        } else {
            json_put_base64(out, header.value);
            cli_output_text(out, ",\"b64\"");
        }
        before = "],[";
    }
    if (*before == ']')
        cli_output_text(out, "]]");
}

/* The members from the offset on, and the end of the line. */
static void json_put_record(struct cli_output *out, const struct kw_consumed *record)
{
    cli_output_text(out, "\"offset\":");
    cli_output_int(out, record->offset);
    cli_output_text(out, ",\"timestamp\":");
    cli_output_int(out, record->timestamp_ms);
    cli_output_text(out, record->timestamp_type ? ",\"timestamp_type\":\"append\","
                                                : ",\"timestamp_type\":\"create\",");
    cli_json_member(out, "key", record->key);
    cli_output_char(out, ',');
    cli_json_member(out, "value", record->value);
    json_put_headers(out, record);
    cli_output_text(out, "}\n");
}

void cli_json_record_line(struct cli_output *out, const struct kw_consumed *record)
{
    cli_output_char(out, '{');
    json_put_record(out, record);
}

void cli_json_consumed(struct cli_output *out, const char *topic, int32_t partition,
                       const struct kw_consumed *record)
{
    cli_output_text(out, "{\"topic\":");
    cli_json_string(out, (struct kw_bytes){topic, strlen(topic)});
    cli_output_text(out, ",\"partition\":");
    cli_output_int(out, partition);
    cli_output_char(out, ',');
    json_put_record(out, record);
}
