/* tests/cli/support.c -- helpers of the tests of cli/. */
#include "tests/cli/support.h"

#include <stdlib.h>
#include <string.h>

uint8_t *exact_copy(const void *ptr, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    if (len)
        memcpy(copy, ptr, len);
    return copy;
}

char *output_text(const struct cli_output *out)
{
    char *text = malloc(out->len + 1);

    memcpy(text, out->buf, out->len);
    text[out->len] = '\0';
    return text;
}
