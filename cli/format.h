/* cli/format.h -- kcat's output format: %t %p %o %k %K %s %S %h %T and escapes. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H
#include <stdbool.h>
#include <stddef.h>

#include <kwire/client_types.h>

#include "cli/output.h"

#define CLI_FORMAT_MAX 64

/* One directive, or literal text where directive is 0. */
struct cli_format_piece {
    char directive;
    size_t begin, len; /* of the literal in text */
};
struct cli_format {
    struct cli_format_piece pieces[CLI_FORMAT_MAX];
    size_t n;
    char text[1024];
    struct kw_bytes null_key, null_value; /* what stands for null */
};

/* Compiles the format; false: *at is the byte that it cannot read, or where it
 * became too long. */
bool cli_format_parse(struct cli_format *format, const char *text, size_t *at);
void cli_format_print(const struct cli_format *format, struct cli_output *out, const char *topic,
                      int32_t partition, const struct kw_consumed *record);

#endif
