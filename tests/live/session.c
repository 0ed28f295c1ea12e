/* tests/live/session.c -- produces numbers for some seconds and reads them back
 * meanwhile, with one client, and compares: nothing lost, twice or out of order.
 * What a test needs that has the broker end sessions under load (KIP-368).
 *
 *   session [-f] HOST:PORT TOPIC SECONDS [KEY=VALUE...]      client configuration
 *
 * -f: as fast as the broker takes them, but no further ahead of what came back than
 * SESSION_AHEAD; otherwise a few thousand a second.
 * TOPIC has one partition and is empty. OAUTHBEARER: a token is made on demand, as
 * an unsecured one for alice that lives 4 s.
 * stdout: a line "WORD N" for each figure. stderr: the client's log.
 * Exit status: 0 the numbers came back as they were sent; 1 not so. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kwire/kwire.h>

enum {
    SESSION_TURN = 64,      /* records between two looks at the sockets */
    SESSION_AHEAD = 1000000 /* records that a full load may be ahead of the reader */
};

struct session {
    struct kw_client *client;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *consumer;
    bool full;
    uint64_t n_sent, n_delivered, n_failed, n_read, n_wrong, n_tokens;
};

static void session_log(void *ctx, int level, const char *text)
{
    (void)ctx;
    fprintf(stderr, "log %d: %s\n", level, text);
}

static double session_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* base64url without padding, behind what is in out. */
static void session_base64(char *out, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = strlen(text);
    char *at = out + strlen(out);

    for (size_t i = 0; i < len; i += 3) {
        unsigned long group = (unsigned long)text[i] << 16 |
                              (i + 1 < len ? (unsigned long)text[i + 1] << 8 : 0) |
                              (i + 2 < len ? (unsigned long)text[i + 2] : 0);
        for (size_t k = 0; k < (len - i > 2 ? 4 : len - i + 1); k++)
            *at++ = digits[group >> (18 - 6 * k) & 63];
    }
    *at = '\0';
}

static void session_token(struct session *session)
{
    enum { LIFE_S = 4 };
    char claims[128], text[400] = "";
    long long now = (long long)time(NULL);
    struct kw_oauth_token token = {
        .size = sizeof(token), .token = text, .lifetime_ms = LIFE_S * 1000};
    struct kw_error error;

    /* The broker's session ends with the token, which counts whole seconds. */
    snprintf(claims, sizeof(claims), "{\"sub\":\"alice\",\"iat\":%lld,\"exp\":%lld}", now,
             now + LIFE_S + 1);
    session_base64(text, "{\"alg\":\"none\"}");
    strcat(text, ".");
    session_base64(text, claims);
    strcat(text, ".");
    session->n_tokens++;
    if (kw_oauth_token_set(session->client, &token, &error))
        fprintf(stderr, "token: %s\n", error.text);
}

static void session_take(struct session *session)
{
    struct kw_records *records;
    const struct kw_consumed *record;

    while (kw_consumer_poll(session->consumer, &records, 0) == 1) {
        while ((record = kw_records_next(records))) {
            char text[24];
            int len = snprintf(text, sizeof(text), "%" PRIu64, session->n_read++);
            session->n_wrong += record->value.len != (size_t)len ||
                                memcmp(record->value.ptr, text, (size_t)len) != 0;
        }
        kw_records_release(records, KW_DONE);
    }
}

static void session_turn(struct session *session, int32_t timeout_ms)
{
    struct kw_event event;

    kw_client_poll(session->client, timeout_ms);
    while (kw_next_event(session->client, &event) == 1) {
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "warning: %s\n", event.error->text);
        if (event.kind == KW_EVENT_REPORT && event.report.outcome == KW_DELIVERED)
            session->n_delivered += event.report.n;
        else if (event.kind == KW_EVENT_REPORT)
            session->n_failed += event.report.n;
        if (event.kind == KW_EVENT_OAUTH_TOKEN_NEEDED)
            session_token(session);
    }
    session_take(session);
}

static int session_open(struct session *session, char **argv, int argc)
{
    struct kw_env env = {.log = {session_log, NULL, 6}};
    struct kw_start start = {.topic = argv[2], .kind = KW_START_EARLIEST};
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc = kw_config_new(&cfg);

    if (!rc)
        rc = kw_config_set(cfg, "bootstrap.servers", argv[1], &error);
    for (int i = 4; i < argc && !rc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        rc = kw_config_set(cfg, argv[i], value ? value : "", &error);
    }
    if (!rc)
        rc = kw_client_create_env(&session->client, cfg, &env, &error);
    if (!rc)
        rc = kw_producer_create(&session->producer, session->client, NULL, &error);
    if (!rc)
        rc = kw_topic_open(&session->topic, session->producer, argv[2], &error);
    if (!rc)
        rc = kw_consumer_create(&session->consumer, session->client, NULL, &error);
    if (!rc)
        rc = kw_assign(session->consumer, &start, 1, &error);
    if (rc)
        fprintf(stderr, "setup: %s\n", error.text[0] ? error.text : kw_err_name(rc));
    kw_config_destroy(cfg);
    return rc;
}

static int session_produce(struct session *session, double end)
{
    char value[24];

    while (session_seconds() < end) {
        struct kw_record record = {
            .value = {value, (size_t)snprintf(value, sizeof(value), "%" PRIu64, session->n_sent)}};
        bool ahead = session->full && session->n_sent - session->n_read >= SESSION_AHEAD;
        int rc = ahead ? KW_ERR_WOULD_BLOCK : kw_produce(session->topic, &record);

        if (rc < 0 && rc != KW_ERR_WOULD_BLOCK) {
            fprintf(stderr, "number %" PRIu64 ": %s\n", session->n_sent, kw_err_name(rc));
            return rc;
        }
        session->n_sent += rc == 0;
        /* A few thousand a second: enough to have requests under way all the time. */
        if (rc || session->n_sent % SESSION_TURN == 0)
            session_turn(session, rc ? 100 : session->full ? 0 : 10);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct session session = {0};
    struct kw_stats stats;
    double end;

    if (argc > 1 && strcmp(argv[1], "-f") == 0) {
        session.full = true;
        argv++;
        argc--;
    }
    if (argc < 4) {
        fprintf(stderr, "usage: session [-f] HOST:PORT TOPIC SECONDS [KEY=VALUE...]\n");
        return 2;
    }
    if (session_open(&session, argv, argc))
        return 2;
    end = session_seconds() + strtod(argv[3], NULL);
    int rc = session_produce(&session, end);
    while (session_seconds() < end + 30 &&
           (session.n_read < session.n_sent ||
            session.n_delivered + session.n_failed < session.n_sent))
        session_turn(&session, 100);
    kw_client_stats(session.client, &stats);
    printf("sent %" PRIu64 "\ndelivered %" PRIu64 "\nfailed %" PRIu64 "\nread %" PRIu64
           "\nwrong %" PRIu64 "\n",
           session.n_sent, session.n_delivered, session.n_failed, session.n_read, session.n_wrong);
    printf("again %" PRIu64 "\nlost %" PRIu64 "\nretries %" PRIu64 "\ntokens %" PRIu64 "\n",
           stats.reauths, stats.requests_lost, stats.batch_retries, session.n_tokens);
    kw_client_destroy(session.client);
    return rc == 0 && session.n_failed == 0 && session.n_wrong == 0 &&
                   session.n_delivered == session.n_sent && session.n_read == session.n_sent
               ? 0
               : 1;
}
