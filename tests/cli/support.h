/* tests/cli/support.h -- helpers of the tests of cli/. */
#ifndef TESTS_CLI_SUPPORT_H
#define TESTS_CLI_SUPPORT_H
#include <stddef.h>
#include <stdint.h>

#include "cli/output.h"

/* A heap block of exactly len bytes, so that ASan sees one byte too far. */
uint8_t *exact_copy(const void *ptr, size_t len);
/* What was written to the output so far, NUL-terminated; the caller frees it.
 * The output must not have been flushed. */
char *output_text(const struct cli_output *out);

#endif
