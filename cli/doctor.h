/* cli/doctor.h -- what the files of kw doctor share.
 *
 * doctor.c         options, the walk from one server to the next
 * doctor_conn.c    what the library tells of each connection (kw_env.watch)
 * doctor_cluster.c topics, clock, a fetch
 * doctor_report.c  the rows, as text and as JSON */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H
#include <kwire/kwire.h>

#include "cli/output.h"
#include "cli/session.h"

enum { DOCTOR_STEP_MS = 10000, DOCTOR_CERT_DAYS = 30, DOCTOR_SKEW_MS = 1000 };

enum doctor_verdict { DOCTOR_OK, DOCTOR_SKIP, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_row {
    const char *step;
    char target[160];
    uint8_t verdict; /* enum doctor_verdict */
    int exit_code;   /* what a FAIL asks for */
    int64_t us;      /* -1: not measured */
    uint64_t key;    /* of a connection's step: the same again is not a new row */
    char text[480], remedy[160];
};

struct doctor_options {
    struct cli_common common;
    struct cli_list topics;
    bool json;
};

struct doctor {
    struct doctor_options options;
    struct cli_session session;
    struct kw_env env;
    struct kw_config *cfg;
    struct doctor_row *rows;
    size_t n_rows, rows_cap;
    bool no_memory;          /* a row is missing */
    bool is_quiet;           /* -q: no verdict on stderr */
    uint32_t n_failed_again; /* a connection's failure came a second time */
    /* of the test fetch */
    struct kw_consumer *consumer;
    bool at_end, broken;
    struct kw_error fetch_error;
};

/* Adds a row; the texts are set by the caller. Never NULL (the last row is reused when
 * memory is short). */
struct doctor_row *doctor_add(struct doctor *doctor, const char *step, const char *target,
                              enum doctor_verdict verdict, int64_t us);
void doctor_say(struct doctor_row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void doctor_advise(struct doctor_row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Turns the row into a failure for this reason. */
void doctor_blame(struct doctor_row *row, const struct kw_error *error);
enum doctor_verdict doctor_worst(const struct doctor *doctor, int *exit_code);
void doctor_print(const struct doctor *doctor, struct cli_output *out);
void doctor_print_json(const struct doctor *doctor, struct cli_output *out);

/* kw_env.watch; ctx is the doctor. */
void doctor_watch(void *ctx, const struct kw_conn_step *step);

/* Waits for an operation as long as a step may take; it is given up before when its
 * connection failed twice in the same way. */
void doctor_wait(struct doctor *doctor, struct kw_op *handle, struct cli_op *op);
int32_t doctor_timeout_ms(const struct doctor *doctor);
/* Sends a request and returns the answer's JSON (free it), or NULL with op's error. */
char *doctor_request(struct doctor *doctor, const char *api, int32_t broker, const char *json,
                     struct cli_op *op, int64_t *us);
/* The number behind "name": after `at`; false if it is not there. */
bool doctor_number(const char *at, const char *name, int64_t *number);

void doctor_topic(struct doctor *doctor, const struct kw_meta_topic *topic);
void doctor_clock(struct doctor *doctor);
void doctor_fetch(struct doctor *doctor, const struct kw_meta_topic *topic);
void doctor_on_event(void *ctx, const struct kw_event *event);

#endif
