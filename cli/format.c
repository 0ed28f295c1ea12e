/* cli/format.c -- kcat's output format, compiled once into pieces.
 *
 * %t topic  %p partition  %o offset  %T timestamp (Unix ms, -1 none)
 * %k key    %K its length (-1 null)  %s value  %S its length (-1 null)
 * %h headers as name=value,...       %% a percent sign
 * Escapes: \n \t \r \0 \\ \xHH. */
#include "cli/format.h"

#include <string.h>

#include <kwire/kwire.h>

#include "cli/options.h"

static bool format_add(struct cli_format *format, char directive, size_t begin, size_t len)
{
    struct cli_format_piece *last = format->n > 0 ? &format->pieces[format->n - 1] : NULL;

    if (directive == 0 && last && last->directive == 0) {
        last->len += len;
        return true;
    }
    if (format->n == CLI_FORMAT_MAX)
        return false;
    format->pieces[format->n++] = (struct cli_format_piece){directive, begin, len};
    return true;
}

bool cli_format_parse(struct cli_format *format, const char *text, size_t *at)
{
    size_t used = 0, i = 0;

    format->n = 0;
    while (text[i]) {
        char one[5] = {0}, plain[5];
        *at = i;
        if (text[i] == '%' && text[i + 1] != '%') {
            if (!text[i + 1] || !strchr("tpoTkKsSh", text[i + 1]))
                return false;
            if (!format_add(format, text[i + 1], 0, 0))
                return false;
            i += 2;
            continue;
        }
        size_t len = text[i] == '%' ? 2 : text[i] != '\\' ? 1 : text[i + 1] == 'x' ? 4 : 2;
        /* strncpy would stop at the end as well; a cut escape fails below. */
        for (size_t k = 0; k < len && text[i + k]; k++)
            one[k] = text[i + k];
        long n = text[i] == '%' ? 1 : cli_unescape(one, plain);
        if (n != 1 || used == sizeof(format->text))
            return false;
        format->text[used] = text[i] == '%' ? '%' : plain[0];
        if (!format_add(format, 0, used, 1))
            return false;
        used++;
        i += len;
    }
    return true;
}

static void format_headers(struct cli_output *out, const struct kw_consumed *record)
{
    struct kw_header_iter it;
    struct kw_header header;
    bool more = false;

    kw_headers_begin(&it, record);
    while (kw_headers_next(&it, &header) == 1) {
        if (more)
            cli_output_char(out, ',');
        cli_output_put(out, header.key.ptr, header.key.len);
        cli_output_char(out, '=');
        if (header.value.ptr)
            cli_output_put(out, header.value.ptr, header.value.len);
        else
            cli_output_text(out, "NULL");
        more = true;
    }
}

static void format_bytes(struct cli_output *out, struct kw_bytes bytes, struct kw_bytes null)
{
    if (!bytes.ptr)
        bytes = null;
    cli_output_put(out, bytes.ptr, bytes.len);
}

static int64_t format_len(struct kw_bytes bytes)
{
    return bytes.ptr ? (int64_t)bytes.len : -1;
}

void cli_format_print(const struct cli_format *format, struct cli_output *out, const char *topic,
                      int32_t partition, const struct kw_consumed *record)
{
    for (size_t i = 0; i < format->n; i++) {
        const struct cli_format_piece *piece = &format->pieces[i];
        switch (piece->directive) {
        case 't': cli_output_text(out, topic); break;
        case 'p': cli_output_int(out, partition); break;
        case 'o': cli_output_int(out, record->offset); break;
        case 'T': cli_output_int(out, record->timestamp_ms); break;
        case 'k': format_bytes(out, record->key, format->null_key); break;
        case 'K': cli_output_int(out, format_len(record->key)); break;
        case 's': format_bytes(out, record->value, format->null_value); break;
        case 'S': cli_output_int(out, format_len(record->value)); break;
        case 'h': format_headers(out, record); break;
        default: cli_output_put(out, format->text + piece->begin, piece->len); break;
        }
    }
}
