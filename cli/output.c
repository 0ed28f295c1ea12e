/* cli/output.c -- stdout behind one big buffer: one write(2) for thousands of
 * records, and a value larger than the buffer goes out without a copy. */
#include "cli/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/signals.h"

void cli_output_init(struct cli_output *out, int fd)
{
    out->fd = fd;
    out->wait = NULL;
    out->ctx = NULL;
    out->os_err = 0;
    out->len = 0;
}

void cli_output_set_wait(struct cli_output *out, cli_output_wait_fn *wait, void *ctx)
{
    out->wait = wait;
    out->ctx = ctx;
}

/* A descriptor that does not block is somebody else's choice: it may be shared. */
static int output_poll(int fd)
{
    struct pollfd entry = {fd, POLLOUT, 0};

    return poll(&entry, 1, -1) < 0 ? errno : 0;
}

/* As writev(2), but where somebody else waits, of no more than a pipe that is writable
 * takes without blocking. */
static ssize_t output_some(const struct cli_output *out, const struct iovec *iov, int n)
{
    if (!out->wait)
        return writev(out->fd, iov, n);
    return write(out->fd, iov->iov_base, iov->iov_len < PIPE_BUF ? iov->iov_len : PIPE_BUF);
}

/* What becomes of a write that failed with code: 0, it is tried again; else errno. A stuck
 * reader must not keep kw from ending: the second Ctrl-C ends the write. */
static int output_failed(const struct cli_output *out, int code)
{
    if (code == EAGAIN)
        code = output_poll(out->fd);
    return code == EINTR && cli_signals_count() <= 1 ? 0 : code;
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
        if (out->wait && (out->os_err = out->wait(out->ctx, out->fd)))
            break;
        ssize_t n = output_some(out, iov + first, 2 - first);
        if (n < 0) {
            out->os_err = output_failed(out, errno);
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
