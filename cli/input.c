/* cli/input.c -- records from a file descriptor, split at a delimiter.
 *
 * One buffer that holds at least a block; it grows only while a single record
 * does not fit. Nothing here waits but read(2), which the caller may precede
 * with poll(2). */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLI_INPUT_BLOCK ((size_t)64 * 1024)

int cli_input_open(struct cli_input *in, const char *path, struct kw_bytes delimiter)
{
    struct stat status;

    in->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0)
        return errno;
    if (fstat(in->fd, &status) != 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    in->may_stall = !S_ISREG(status.st_mode);
    in->eof = in->skipping = false;
    in->delimiter = delimiter;
    in->begin = in->scanned = in->end = 0;
    in->n_read = 0;
    return 0;
}

/* The next delimiter at or after scanned, or NULL. */
static const uint8_t *input_find(struct cli_input *in)
{
    const uint8_t *from = in->buf + in->scanned;
    size_t len = in->end - in->scanned;
    const uint8_t *at = NULL;

    if (in->delimiter.len > 0 && len > 0)
        at = in->delimiter.len == 1 ? memchr(from, *(const uint8_t *)in->delimiter.ptr, len)
                                    : memmem(from, len, in->delimiter.ptr, in->delimiter.len);
    return at;
}

enum cli_input_result cli_input_next(struct cli_input *in, struct kw_bytes *record)
{
    const uint8_t *at = in->buf ? input_find(in) : NULL;

    if (at) {
        *record = (struct kw_bytes){in->buf + in->begin, (size_t)(at - (in->buf + in->begin))};
        bool skipped = in->skipping || record->len > CLI_INPUT_RECORD_MAX;
        in->begin = in->scanned = (size_t)(at - in->buf) + in->delimiter.len;
        in->skipping = false;
        return skipped ? CLI_INPUT_TOO_LONG : CLI_INPUT_RECORD;
    }
    if (!in->eof) {
        /* A delimiter of several bytes may lie across the end of what is here. */
        size_t keep = in->delimiter.len > 1 ? in->delimiter.len - 1 : 0;
        size_t have = in->end - in->begin;
        in->scanned = in->end - (have < keep ? have : keep);
        if (have > CLI_INPUT_RECORD_MAX || in->skipping) {
            in->skipping = true;
            in->begin = in->scanned;
        }
        return CLI_INPUT_MORE;
    }
    /* The last record needs no delimiter; a file taken whole may be empty. */
    if (in->skipping || in->end > in->begin || (in->delimiter.len == 0 && in->begin == 0)) {
        *record = (struct kw_bytes){in->buf + in->begin, in->end - in->begin};
        bool skipped = in->skipping || record->len > CLI_INPUT_RECORD_MAX;
        in->begin = in->scanned = in->end = in->end + (in->end == 0);
        in->skipping = false;
        return skipped ? CLI_INPUT_TOO_LONG : CLI_INPUT_RECORD;
    }
    return CLI_INPUT_END;
}

int cli_input_fill(struct cli_input *in)
{
    if (in->begin > 0) {
        memmove(in->buf, in->buf + in->begin, in->end - in->begin);
        in->scanned -= in->begin;
        in->end -= in->begin;
        in->begin = 0;
    }
    if (in->cap - in->end < CLI_INPUT_BLOCK / 2) {
        size_t cap = in->cap < CLI_INPUT_BLOCK ? CLI_INPUT_BLOCK : in->cap * 2;
        uint8_t *buf = realloc(in->buf, cap);
        if (!buf)
            return ENOMEM;
        in->buf = buf;
        in->cap = cap;
    }
    ssize_t n = read(in->fd, in->buf + in->end, in->cap - in->end);
    if (n < 0)
        return errno;
    in->eof = n == 0;
    in->end += (size_t)n;
    in->n_read += (uint64_t)n;
    return 0;
}

uint64_t cli_input_position(const struct cli_input *in)
{
    return in->n_read - (in->end - in->begin);
}

void cli_input_close(struct cli_input *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    in->fd = -1;
}

void cli_input_deinit(struct cli_input *in)
{
    free(in->buf);
    *in = (struct cli_input){.fd = -1};
}
