/* cli/failures.h -- records that failed, grouped by why. */
#ifndef CLI_FAILURES_H
#define CLI_FAILURES_H
#include <stdint.h>

#include "cli/session.h"

#define CLI_FAILURES_MAX 64
#define CLI_RANGES_MAX 32

struct cli_failure {
    char reason[200];
    uint64_t count;
    uint64_t ranges[CLI_RANGES_MAX][2]; /* first and last record number */
    unsigned n_ranges;
};
struct cli_failures {
    struct cli_failure items[CLI_FAILURES_MAX + 1]; /* the last one: all other reasons */
    unsigned n;
    uint64_t count;
};

/* What may be behind a code, in parentheses, or "". */
const char *cli_failure_why(int code);
/* "not written: CODE (why), KAFKA_CODE" of a report that is no delivery. */
void cli_failure_reason(const struct kw_report *report, char *buf, size_t cap);
/* Counts record `number`; a reason that is new is said at once. */
void cli_failures_add(struct cli_failures *failures, const struct cli_session *session,
                      const char *reason, uint64_t number);
/* Says which records failed for which reason. */
void cli_failures_print(const struct cli_failures *failures, const struct cli_session *session);

#endif
