/* cli/session.h -- a client for one run of a subcommand: configuration from the
 * common options, the event pump, and what to say about errors. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H
#include <stdbool.h>
#include <stdint.h>

#include <kwire/kwire.h>

#include "cli/options.h"
#include "cli/progress.h"

#define CLI_CONNECT_TIMEOUT_MS 30000
#define CLI_N_NOTES 32

/* An operation that somebody waits for; its address is the operation's tag. */
struct cli_op {
    bool done;
    int code;
    struct kw_error error;
};

/* A warning that was printed, and how often it came since. */
struct cli_note {
    char text[352];
    uint64_t n_silent;
    uint64_t printed_ms;
};

/* A setting of a command that -X and -F may say otherwise. */
struct cli_default {
    const char *key, *value;
};

struct cli_session {
    const struct cli_command *command;
    const struct cli_common *common;
    const struct cli_default *usual; /* up to a NULL; may be NULL */
    const struct kw_env *env;        /* NULL: the library's own */
    struct kw_client *client;
    char user[64]; /* who we are to the brokers, "" if nobody */
    /* Called for each event but OP_DONE. */
    void (*on_event)(void *ctx, const struct kw_event *event);
    void *ctx;
    struct kw_error last_error; /* of the last ERROR event; code 0: none */
    struct cli_note notes[CLI_N_NOTES];
    unsigned n_notes;
    struct cli_progress *progress; /* the line that messages must not run into; may be NULL */
};

/* Creates the configuration of -b, -X and -F. Returns -1, or an exit code; what
 * is wrong was said. */
int cli_session_config(struct cli_session *session, struct kw_config **cfg);
/* The group of -G; without it none: a group.id of -F or -X is that of another program, in
 * whose name nothing is committed. As above. */
int cli_session_set_group(struct cli_session *session, struct kw_config *cfg, const char *group);
/* Sets key to what an option of its own was given. As above. */
int cli_session_set(struct cli_session *session, struct kw_config *cfg, const char *option,
                    const char *key, const char *text);
/* Creates the client from cfg and installs the signal handlers. As above. */
int cli_session_open(struct cli_session *session, const struct kw_config *cfg);
/* Destroys the client; prints how often warnings were repeated. */
void cli_session_close(struct cli_session *session);

/* Takes and handles every event that is queued. */
void cli_session_events(struct cli_session *session);
/* Waits for at most timeout_ms (-1: no limit) and handles the events. */
void cli_session_pump(struct cli_session *session, int32_t timeout_ms);
/* Pumps until the operation that was started with tag op has ended; a signal
 * cancels it when cancel is set. handle NULL counts as out of memory. */
void cli_session_wait(struct cli_session *session, struct kw_op *handle, struct cli_op *op,
                      bool cancel);
/* Asks for the metadata of one topic (NULL: all), for at most --timeout. Returns
 * -1 and the result, or an exit code. */
int cli_session_metadata(struct cli_session *session, const char *topic,
                         struct kw_admin_result **result);
/* The value of --timeout, or its default. */
int32_t cli_session_timeout(const struct cli_session *session);

/* Says that the operation failed, with the connection's error where that is the
 * cause, and returns the exit code. */
int cli_session_op_failed(struct cli_session *session, const struct cli_op *op, const char *what);
/* Says why a topic cannot be used, if that was not said just now; returns the exit code. */
int cli_topic_refused(struct cli_session *session, const char *topic, int16_t kafka_code,
                      const char *advice);
/* Says the error of an event that ends what was asked for: events are told already, but
 * not with -q. */
void cli_say_final(const struct cli_session *session, const struct kw_error *error);
/* "PEER: text (hint)" */
void cli_error_text(const struct kw_error *error, char *buf, size_t cap);
/* The exit code that an error asks for. */
int cli_error_exit(const struct kw_error *error);
/* True when no further attempt to connect can succeed, with any broker. */
bool cli_error_is_final(const struct kw_error *error);
/* True for codes by which a broker refuses who we are or what we may do. */
bool cli_refusal(int code, int16_t kafka_code);
/* Prints "kw SUB: text" on stderr; say: always, note: not with -q. */
void cli_say(const struct cli_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cli_note(const struct cli_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Monotonic time. */
uint64_t cli_now_us(void);
uint64_t cli_now_ms(void);

#endif
