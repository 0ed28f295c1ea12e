/* cli/output.c -- stdout behind one big buffer: one write(2) for thousands of
 * records, and a value larger than the buffer goes out without a copy. */
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/signals.h"

void cli_output_init(struct cli_output *out, int fd)
{
    out->fd = fd;
    out->os_err = 0;
    out->len = 0;
}

/* Writes the buffer and then len bytes at ptr. */
static int output_write(struct cli_output *out, const void *ptr, size_t len)
{
    struct iovec iov[2] = {{out->buf, out->len}, {(void *)(uintptr_t)ptr, len}};
    int first = 0;

    out->len = 0;
    while (!out->os_err && first < 2) {
        if (iov[first].iov_len == 0) {
            first++;
            continue;
        }
        ssize_t n = writev(out->fd, iov + first, 2 - first);
        if (n < 0) {
            /* A stuck reader must not keep kw from ending: the second Ctrl-C ends the write. */
            if (errno != EINTR || cli_signals_count() > 1)
                out->os_err = errno;
            continue;
        }
        for (size_t left = (size_t)n; left > 0 && first < 2;) {
            size_t part = left < iov[first].iov_len ? left : iov[first].iov_len;
            iov[first].iov_base = (uint8_t *)iov[first].iov_base + part;
            iov[first].iov_len -= part;
            left -= part;
            first += iov[first].iov_len == 0;
        }
    }
    return out->os_err;
}

void cli_output_put(struct cli_output *out, const void *ptr, size_t len)
{
    if (len > sizeof(out->buf) - out->len) {
        if (len >= sizeof(out->buf) / 2) {
            output_write(out, ptr, len);
            return;
        }
        output_write(out, NULL, 0);
    }
    if (len > 0)
        memcpy(out->buf + out->len, ptr, len);
    out->len += len;
}

void cli_output_text(struct cli_output *out, const char *text)
{
    cli_output_put(out, text, strlen(text));
}

void cli_output_char(struct cli_output *out, char c)
{
    cli_output_put(out, &c, 1);
}

void cli_output_int(struct cli_output *out, int64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--at] = '-';
    cli_output_put(out, digits + at, sizeof(digits) - at);
}

int cli_output_flush(struct cli_output *out)
{
    return output_write(out, NULL, 0);
}

int cli_output_finish(struct cli_output *out, const char *name, int exit_code)
{
    int os_err = cli_output_flush(out);

    if (os_err == 0 || os_err == EPIPE || os_err == EINTR)
        return exit_code;
    fprintf(stderr, "%s: cannot write to stdout: %s\n", name, strerror(os_err));
    return CLI_EXIT_FAILED;
}
