/* cli/session.c -- a client for one run of a subcommand.
 *
 * Warnings of the library are printed when they are new and then at most every
 * ten seconds with their count: a broker that is down would fill the screen. */
#include "cli/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/signals.h"

/* The library has an interval of its own, 10 s on its clock. */
#define CLI_NOTE_INTERVAL_MS 9500
#define CLI_API_METADATA 3

uint64_t cli_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t cli_now_ms(void)
{
    return cli_now_us() / 1000;
}

/* ---- saying things ------------------------------------------------------- */

static void session_print(const struct cli_session *session, const char *format, va_list args)
{
    if (session->progress)
        cli_progress_clear(session->progress);
    fprintf(stderr, "%s: ", session->command->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void cli_say(const struct cli_session *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    session_print(session, format, args);
    va_end(args);
}

void cli_note(const struct cli_session *session, const char *format, ...)
{
    va_list args;

    if (session->common->quiet)
        return;
    va_start(args, format);
    session_print(session, format, args);
    va_end(args);
}

void cli_error_text(const struct kw_error *error, char *buf, size_t cap)
{
    const char *text = error->text[0] ? error->text : kw_err_name(error->code);
    bool name_peer = error->peer[0] && !strstr(text, error->peer);

    snprintf(buf, cap, "%s%s%s%s%s%s", name_peer ? error->peer : "", name_peer ? ": " : "", text,
             error->hint[0] ? " (" : "", error->hint, error->hint[0] ? ")" : "");
}

bool cli_refusal(int code, int16_t kafka_code)
{
    /* TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID and DELEGATION_TOKEN authorization,
     * UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED. */
    static const int16_t refusals[] = {29, 30, 31, 53, 65, 33, 34, 58};

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (kafka_code == refusals[i])
            return true;
    return code == KW_ERR_AUTH;
}

bool cli_error_is_final(const struct kw_error *error)
{
    bool set_up = error->phase >= KW_PHASE_CONNECT && error->phase <= KW_PHASE_SASL;

    return error->code == KW_ERR_AUTH || (error->code && set_up && !error->retriable);
}

int cli_error_exit(const struct kw_error *error)
{
    /* TLS or SASL on one side only: no trust can come of it. */
    bool mixed_up = (error->phase == KW_PHASE_TLS || error->phase == KW_PHASE_SASL) &&
                    (error->code == KW_ERR_PROTOCOL || error->code == KW_ERR_UNSUPPORTED);

    if (mixed_up || cli_refusal(error->code, error->kafka_code))
        return CLI_EXIT_REFUSED;
    switch (error->phase) {
    case KW_PHASE_RESOLVE:
    case KW_PHASE_CONNECT:
    case KW_PHASE_TLS:
    case KW_PHASE_VERSIONS:
    case KW_PHASE_SASL: return CLI_EXIT_NO_BROKER;
    default: break;
    }
    if (error->code == KW_ERR_CONFIG ||
        (error->phase == KW_PHASE_CONFIG && error->code != KW_ERR_NOMEM))
        return CLI_EXIT_USAGE;
    return error->code == KW_ERR_CONNECT ? CLI_EXIT_NO_BROKER : CLI_EXIT_FAILED;
}

static struct cli_note *session_find_note(struct cli_session *session, const char *text)
{
    for (unsigned i = 0; i < session->n_notes; i++)
        if (strcmp(session->notes[i].text, text) == 0)
            return &session->notes[i];
    return NULL;
}

static void session_warn(struct cli_session *session, const struct kw_error *error, uint32_t count)
{
    char text[sizeof(session->notes[0].text)];
    uint64_t now = cli_now_ms();

    cli_error_text(error, text, sizeof(text));
    struct cli_note *note = session_find_note(session, text);
    if (note && now - note->printed_ms < CLI_NOTE_INTERVAL_MS) {
        note->n_silent += count ? count : 1;
        return;
    }
    uint64_t times = (note ? note->n_silent : 0) + (count ? count : 1);
    if (times > 1) {
        cli_note(session, "%s (%llu times more)", text, (unsigned long long)times);
    } else {
        cli_note(session, "%s", text);
    }
    if (!note) {
        /* The table is full: the oldest half makes room, texts that keep coming return. */
        if (session->n_notes == CLI_N_NOTES) {
            session->n_notes = CLI_N_NOTES / 2;
            memmove(session->notes, session->notes + CLI_N_NOTES / 2,
                    sizeof(session->notes[0]) * (CLI_N_NOTES / 2));
        }
        note = &session->notes[session->n_notes++];
        memcpy(note->text, text, sizeof(text));
    }
    note->n_silent = 0;
    note->printed_ms = now;
}

/* ---- create and destroy -------------------------------------------------- */

static int session_setting(struct cli_session *session, struct kw_config *cfg,
                           const struct cli_item *item)
{
    struct kw_error error = {0};
    char text[352];
    int rc;

    if (item->option == 'F') {
        rc = kw_config_load(cfg, item->text, &error);
    } else {
        const char *equals = strchr(item->text, '=');
        if (!equals || equals == item->text)
            return cli_usage_error(session->command, "-X '%s' is not KEY=VALUE", item->text);
        char *key = strndup(item->text, (size_t)(equals - item->text));
        if (!key)
            return cli_usage_error(session->command, "out of memory");
        rc = kw_config_set(cfg, key, equals + 1, &error);
        free(key);
    }
    if (rc == 0)
        return -1;
    /* Of -X only the key: its value may be a secret. */
    int shown = item->option == 'F' ? (int)strlen(item->text) : (int)strcspn(item->text, "=");
    cli_error_text(&error, text, sizeof(text));
    cli_say(session, "-%c %.*s: %s", item->option, shown, item->text,
            error.code ? text : kw_err_name(rc));
    return CLI_EXIT_USAGE;
}

int cli_session_config(struct cli_session *session, struct kw_config **cfg)
{
    const struct cli_list *settings = &session->common->settings;
    struct kw_error error = {0};
    int rc = -1;

    *cfg = NULL;
    if (kw_config_new(cfg))
        return cli_usage_error(session->command, "out of memory");
    /* A command may wait for its names; -X dns.resolver says otherwise. */
    if (!kw_has_resolver() && kw_config_set(*cfg, "dns.resolver", "blocking", NULL))
        return cli_usage_error(session->command, "out of memory");
    if (session->common->references && kw_config_use_references(*cfg))
        return cli_usage_error(session->command, "references cannot be switched on");
    for (const struct cli_default *usual = session->usual; usual && usual->key && rc < 0; usual++)
        rc = cli_session_set(session, *cfg, "by default", usual->key, usual->value);
    for (size_t i = 0; i < settings->n && rc < 0; i++)
        rc = session_setting(session, *cfg, &settings->items[i]);
    if (rc < 0 && session->common->brokers &&
        kw_config_set(*cfg, "bootstrap.servers", session->common->brokers, &error)) {
        cli_say(session, "-b %s: %s", session->common->brokers, error.text);
        rc = CLI_EXIT_USAGE;
    }
    if (rc >= 0) {
        kw_config_destroy(*cfg);
        *cfg = NULL;
    }
    return rc;
}

int cli_session_set(struct cli_session *session, struct kw_config *cfg, const char *option,
                    const char *key, const char *text)
{
    struct kw_error error = {0};

    if (!text || kw_config_set(cfg, key, text, &error) == 0)
        return -1;
    cli_say(session, "%s %s: %s", option, text, error.text);
    return CLI_EXIT_USAGE;
}

int cli_session_set_group(struct cli_session *session, struct kw_config *cfg, const char *group)
{
    return cli_session_set(session, cfg, "-G", "group.id", group ? group : "");
}

int cli_session_open(struct cli_session *session, const struct kw_config *cfg)
{
    struct kw_error error = {0};
    char text[352];
    int rc = session->env ? kw_client_create_env(&session->client, cfg, session->env, &error)
                          : kw_client_create(&session->client, cfg, &error);

    if (rc) {
        error.code = rc;
        cli_error_text(&error, text, sizeof(text));
        cli_say(session, "%s", text);
        session->client = NULL;
        return cli_error_exit(&error);
    }
    const char *user = kw_config_text(cfg, KW_KEY_SASL_USERNAME);
    snprintf(session->user, sizeof(session->user), "%s", user ? user : "");
    cli_signals_install(session->client);
    return -1;
}

void cli_session_close(struct cli_session *session)
{
    for (unsigned i = 0; i < session->n_notes; i++)
        if (session->notes[i].n_silent)
            cli_note(session, "%s (%llu times more)", session->notes[i].text,
                     (unsigned long long)session->notes[i].n_silent);
    cli_signals_forget();
    kw_client_destroy(session->client);
    session->client = NULL;
}

/* ---- events and operations ----------------------------------------------- */

static void session_event(struct cli_session *session, const struct kw_event *event)
{
    if (event->kind == KW_EVENT_OP_DONE) {
        struct cli_op *op = event->tag;
        if (!op)
            return;
        op->done = true;
        op->code = event->code;
        if (event->error)
            op->error = *event->error;
        return;
    }
    if (event->kind == KW_EVENT_ERROR && event->error) {
        session->last_error = *event->error;
        session_warn(session, event->error, event->count);
    }
    if (session->on_event)
        session->on_event(session->ctx, event);
}

void cli_say_final(const struct cli_session *session, const struct kw_error *error)
{
    char text[352];

    if (!session->common->quiet)
        return;
    cli_error_text(error, text, sizeof(text));
    cli_say(session, "%s", text);
}

void cli_session_events(struct cli_session *session)
{
    struct kw_event event;

    while (kw_next_event(session->client, &event) == 1)
        session_event(session, &event);
}

void cli_session_pump(struct cli_session *session, int32_t timeout_ms)
{
    kw_client_poll(session->client, timeout_ms);
    cli_session_events(session);
}

void cli_session_wait(struct cli_session *session, struct kw_op *handle, struct cli_op *op,
                      bool cancel)
{
    if (!handle) {
        op->done = true;
        op->code = KW_ERR_NOMEM;
        return;
    }
    while (!op->done) {
        if (cancel && cli_signals_count()) {
            cancel = false;
            (void)kw_op_cancel(handle); /* it may have ended: then its event is queued */
        }
        cli_session_pump(session, -1);
    }
}

int32_t cli_session_timeout(const struct cli_session *session)
{
    return session->common->timeout_ms < 0 ? CLI_CONNECT_TIMEOUT_MS
                                           : (int32_t)session->common->timeout_ms;
}

int cli_session_op_failed(struct cli_session *session, const struct cli_op *op, const char *what)
{
    struct kw_stats stats;
    char text[352];

    kw_client_stats(session->client, &stats);
    /* An operation that ran into its deadline because nobody was there fails for
     * the reason of the last attempt to connect. */
    bool unreached = op->code == KW_ERR_TIMEOUT || op->code == KW_ERR_CONNECT;
    if (unreached && session->last_error.code) {
        cli_error_text(&session->last_error, text, sizeof(text));
        cli_say(session, "%s: gave up after %d ms: %s", what, (int)cli_session_timeout(session),
                text);
        int rc = cli_error_exit(&session->last_error);
        return rc == CLI_EXIT_FAILED && stats.responses == 0 ? CLI_EXIT_NO_BROKER : rc;
    }
    struct kw_error error = op->error;
    error.code = op->code;
    cli_error_text(&error, text, sizeof(text));
    /* What ended the connection is told by an event too, which was printed just now. */
    if (cli_error_is_final(&error) && !session->common->quiet && session_find_note(session, text))
        return cli_error_exit(&error);
    const char *name = error.kafka_code ? kw_kafka_error_name(error.kafka_code) : "";
    bool said = strstr(text, name) != NULL;
    if (strncmp(text, "cannot ", 7) == 0 && said) /* names the operation itself */
        cli_say(session, "%s", text);
    else
        cli_say(session, "%s: %s%s%s", what, text, said ? "" : ": ", said ? "" : name);
    if (unreached && stats.responses == 0)
        return CLI_EXIT_NO_BROKER;
    return cli_error_exit(&error);
}

int cli_topic_refused(struct cli_session *session, const char *topic, int16_t kafka_code,
                      const char *advice)
{
    struct kw_error error;
    char text[352];

    if (!cli_refusal(0, kafka_code)) {
        cli_say(session, "topic %s: %s%s", topic, kw_kafka_error_name(kafka_code), advice);
        return CLI_EXIT_FAILED;
    }
    kw_kafka_error_explain(&error, kafka_code, CLI_API_METADATA, topic, session->user);
    cli_error_text(&error, text, sizeof(text));
    if (session->common->quiet || !session_find_note(session, text))
        cli_say(session, "%s", text);
    return CLI_EXIT_REFUSED;
}

int cli_session_metadata(struct cli_session *session, const char *topic,
                         struct kw_admin_result **result)
{
    struct kw_admin_request request = {
        .size = sizeof(request), .kind = KW_ADMIN_METADATA, .topic = topic};
    struct cli_op op = {0};
    char what[300];

    *result = NULL;
    cli_session_wait(session,
                     kw_admin(session->client, &request, result, cli_session_timeout(session), &op),
                     &op, true);
    if (op.code == 0)
        return -1;
    snprintf(what, sizeof(what), "metadata%s%s", topic ? " of topic " : "", topic ? topic : "");
    return cli_session_op_failed(session, &op, what);
}
