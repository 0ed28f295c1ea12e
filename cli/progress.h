/* cli/progress.h -- a line on stderr that says how far the input was read. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_progress {
    bool active;
    bool drawn;     /* the cursor stands behind the bar */
    uint64_t total; /* bytes of all inputs; 0: not known */
    uint64_t begin_us, drawn_us;
};

/* total 0: not known, then the line has no bar. */
void cli_progress_begin(struct cli_progress *progress, uint64_t total, uint64_t now_us);
/* Draws when the last drawing is a while ago. */
void cli_progress_update(struct cli_progress *progress, uint64_t bytes, uint64_t records,
                         uint64_t now_us);
/* Wipes the line, so that a message can be printed in its place. */
void cli_progress_clear(struct cli_progress *progress);
/* Draws the last state and leaves it standing. */
void cli_progress_end(struct cli_progress *progress, uint64_t bytes, uint64_t records,
                      uint64_t now_us);
/* The line's text; what it knows is in *progress. */
void cli_progress_text(const struct cli_progress *progress, uint64_t bytes, uint64_t records,
                       uint64_t now_us, char *buf, size_t cap);
/* Adds the size of what is left of a regular file, "-" for stdin. Returns false
 * when it is none. */
bool cli_progress_size(const char *path, uint64_t *total);

#endif
