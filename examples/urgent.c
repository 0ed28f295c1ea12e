/* examples/urgent.c -- records that are worth something only for a while: each line of
 * stdin has a deadline of its own, may be taken back, and carries a trace.
 *
 *   urgent PROPERTIES TOPIC DEADLINE_MS
 *
 * A line is a value; "undo N" takes the N-th back if it is not on its way yet. stdout, for
 * each line: its number and delivered, expired, undone, not-written or unknown. stderr at
 * the end: how many were delivered, not written (expired or undone, mostly) and unknown.
 * Exit status 0, whatever became of them: that is what they were told; 1: not all were told,
 * because a line was refused or the client cannot go on. That is noticed with the next line, or
 * the end of stdin: until then we wait for it.
 *
 * A deadline or an undo never makes a guess: once a byte was offered to a connection, the
 * record can be in the log, and its outcome is told when it is known. The trace begins
 * here; in a server, kw_trace_hook.current names that of the request. See
 * docs/PRODUCER.md, 12.
 *
 * Three threads: the main one waits for stdin, the client's I/O thread for the brokers, and
 * a third for events, so that whoever reads our stdout slowly holds neither of them up. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kwire/kwire.h>
#include <kwire/trace.h>

enum { LINES = 10000 };

static struct kw_record_ref refs[LINES]; /* by number - 1 */
static size_t n_lines;                   /* the main thread's own, until is_read */
static atomic_bool is_read;              /* no more lines come */
static size_t late[LINES];               /* numbers of those that were never accepted */
static atomic_size_t n_late;
static size_t n_told;      /* own of the thread that tells, until it has ended */
static atomic_int gone_rc; /* why the client cannot go on; 0: it can */

static const char *const outcomes[] = {
    [KW_DELIVERED] = "delivered", [KW_NOT_WRITTEN] = "not written", [KW_UNKNOWN] = "unknown"};
enum { OUTCOMES = sizeof(outcomes) / sizeof(*outcomes) };
static atomic_size_t counts[OUTCOMES];

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *outcome_of(const struct kw_report *report)
{
    if (report->outcome == KW_DELIVERED)
        return "delivered";
    if (report->outcome == KW_UNKNOWN)
        return "unknown";
    return report->code == KW_ERR_TIMEOUT    ? "expired"
           : report->code == KW_ERR_CANCELED ? "undone"
                                             : "not-written";
}

/* A hook counts, and no more: it is called inside the client, mostly by the I/O thread, and
 * while it prints or waits for a lock no broker is answered and no deadline is kept. */
static void on_report(void *ctx, const struct kw_report *report)
{
    (void)ctx;
    counts[report->outcome] += report->n;
}

/* An event may take its time. Reports of many records have an opaque for each. */
static void tell(const struct kw_report *report)
{
    for (uint32_t i = 0; i < report->n; i++)
        printf("%lu %s\n", (unsigned long)(uintptr_t)kw_report_opaque(report, i),
               outcome_of(report));
    n_told += report->n;
}

/* Tells of those that have come to `late` since the last time. */
static void tell_late(void)
{
    static size_t n;

    for (; n < n_late; n++, n_told++)
        printf("%zu expired\n", late[n]);
}

/* A thread: takes events until every line was told of; delivery.timeout.ms bounds it. Ends
 * before that when the client cannot go on; then the rest will never be told. */
static void *take_events(void *client)
{
    struct kw_event event;

    while (!gone_rc && (!is_read || n_told < n_lines)) {
        int rc = kw_client_poll(client, 20);
        tell_late();
        while (kw_next_event(client, &event) == 1) {
            if (event.kind == KW_EVENT_REPORT)
                tell(&event.report);
            if (event.kind == KW_EVENT_ERROR)
                fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
        }
        if (rc < 0)
            gone_rc = rc;
    }
    return NULL;
}

static void undo(struct kw_client *client, size_t number)
{
    int rc;

    if (number < 1 || number > n_lines)
        return;
    while ((rc = kw_record_cancel(&refs[number - 1])) == KW_ERR_WOULD_BLOCK &&
           kw_client_poll(client, 10) >= 0)
        ; /* its batch is just being compressed */
    if (rc)
        fprintf(stderr, "undo %zu: %s\n", number, kw_err_name(rc));
}

static int send_line(struct kw_client *client, struct kw_topic *topic, const char *line, size_t len,
                     uint32_t deadline_ms)
{
    struct kw_record record = {.value = {line, len},
                               .flags = KW_REC_TIMEOUT | KW_REC_REF,
                               .timeout_ms = deadline_ms,
                               .ref = &refs[n_lines],
                               .opaque = (void *)(uintptr_t)(n_lines + 1)};
    int64_t end = now_ms() + deadline_ms;
    int rc;

    /* Memory is full, or the topic not known yet: the record is not accepted so far, so that
     * its deadline is ours. */
    while ((rc = kw_produce(topic, &record)) == KW_ERR_WOULD_BLOCK && now_ms() < end)
        if ((rc = kw_client_poll(client, 10)) < 0)
            return rc;
    if (rc && rc != KW_ERR_WOULD_BLOCK)
        return rc;
    n_lines++;
    if (rc) {
        late[n_late] = n_lines;
        n_late++; /* now the other thread may look at it */
        counts[KW_NOT_WRITTEN]++;
    }
    return 0;
}

static int send_lines(struct kw_client *client, struct kw_topic *topic, uint32_t deadline_ms)
{
    char line[4096];
    int rc = 0;

    while (rc == 0 && n_lines < LINES && fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "undo ", 5) == 0)
            undo(client, strtoul(line + 5, NULL, 10));
        else if ((rc = gone_rc) == 0) /* else nobody would tell what becomes of it */
            rc = send_line(client, topic, line, strlen(line), deadline_ms);
    }
    return rc;
}

/* Reads on this thread and tells on another. */
static int send_and_tell(struct kw_client *client, struct kw_topic *topic, uint32_t deadline_ms)
{
    pthread_t teller;
    int rc;

    if (pthread_create(&teller, NULL, take_events, client))
        return KW_ERR_NOMEM;
    rc = send_lines(client, topic, deadline_ms);
    is_read = true;
    pthread_join(teller, NULL);
    return !rc && n_told < n_lines ? gone_rc : rc; /* the client may go when all are told */
}

int main(int argc, char **argv)
{
    struct kw_trace_hook trace = {.size = sizeof(trace), .flags = KW_TRACE_SAMPLED};
    struct kw_producer_hooks hooks = {
        .size = sizeof(hooks), .ctx = &trace, .on_send = kw_trace_on_send, .on_report = on_report};
    struct kw_config *cfg = NULL;
    struct kw_client *client = NULL;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_error error = {0};
    int rc;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 4) {
        fprintf(stderr, "usage: urgent PROPERTIES TOPIC DEADLINE_MS\n");
        return 2;
    }
    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&client, cfg, &error)) ||
        (rc = kw_producer_create(&producer, client, NULL, &error)) ||
        (rc = kw_producer_set_hooks(producer, &hooks)) ||
        (rc = kw_client_start_thread(client)) || /* fgets waits, deadlines do not */
        (rc = kw_topic_open(&topic, producer, argv[2], &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    if (!rc && (rc = send_and_tell(client, topic, (uint32_t)strtoul(argv[3], NULL, 10))))
        fprintf(stderr, "stopped: %s\n", kw_err_name(rc));
    for (size_t i = 0; client && i < OUTCOMES; i++)
        fprintf(stderr, "%zu %s\n", (size_t)counts[i], outcomes[i]);
    if (client)
        (void)kw_wait(client, kw_close(client, 1000, NULL), NULL);
    kw_client_destroy(client);
    return rc ? 1 : 0;
}
