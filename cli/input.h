/* cli/input.h -- records from a file descriptor, split at a delimiter. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kwire/types.h>

/* A longer record is not read into memory: it is skipped and counted as failed.
 * Kafka's own limit, max.request.size, is far below. */
#define CLI_INPUT_RECORD_MAX ((size_t)64 * 1024 * 1024)

enum cli_input_result {
    CLI_INPUT_RECORD,   /* *record is set, valid until the next fill */
    CLI_INPUT_MORE,     /* call cli_input_fill */
    CLI_INPUT_TOO_LONG, /* a record above the limit was skipped */
    CLI_INPUT_END
};

struct cli_input {
    int fd;
    bool may_stall; /* a pipe, socket or terminal: poll before reading */
    bool eof;
    bool skipping;
    struct kw_bytes delimiter; /* len 0: the whole input is one record */
    uint8_t *buf;
    size_t cap, begin, scanned, end;
    uint64_t n_read; /* bytes read from this input */
};

/* Opens path, or stdin for "-". Returns 0 or errno. */
int cli_input_open(struct cli_input *in, const char *path, struct kw_bytes delimiter);
enum cli_input_result cli_input_next(struct cli_input *in, struct kw_bytes *record);
/* Reads once. Returns 0, or errno (EINTR too). */
int cli_input_fill(struct cli_input *in);
/* Bytes of this input that were handed out as records or skipped. */
uint64_t cli_input_position(const struct cli_input *in);
/* Closes the descriptor and keeps the memory for the next open. */
void cli_input_close(struct cli_input *in);
void cli_input_deinit(struct cli_input *in);

#endif
