/* cli/output.h -- stdout behind one big buffer. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_OUTPUT_SIZE (256 * 1024)

/* Waits until fd takes bytes. Returns 0, or errno: what is left is not written. */
typedef int cli_output_wait_fn(void *ctx, int fd);

struct cli_output {
    int fd;
    cli_output_wait_fn *wait; /* before each write; NULL: the write itself waits */
    void *ctx;
    int os_err; /* errno of the first write that failed; what follows is dropped */
    size_t len;
    uint8_t buf[CLI_OUTPUT_SIZE];
};

void cli_output_init(struct cli_output *out, int fd);
/* For a program that has something to do while its reader is slow. */
void cli_output_set_wait(struct cli_output *out, cli_output_wait_fn *wait, void *ctx);
void cli_output_put(struct cli_output *out, const void *ptr, size_t len);
void cli_output_text(struct cli_output *out, const char *text);
void cli_output_char(struct cli_output *out, char c);
void cli_output_int(struct cli_output *out, int64_t number);
/* Writes what is buffered. Returns 0 or errno of the first failure ever. */
int cli_output_flush(struct cli_output *out);
/* Flushes at the end. Returns exit_code, or CLI_EXIT_FAILED when the output could
 * not be written, which is said; a reader such as head(1) that has enough is no
 * failure. */
int cli_output_finish(struct cli_output *out, const char *name, int exit_code);

#endif
