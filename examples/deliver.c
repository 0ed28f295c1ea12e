/* examples/deliver.c -- a producer with everything at its default, that knows of each
 * record what became of it.
 *
 *   deliver PROPERTIES TOPIC < LINES
 *
 * PROPERTIES is a file with at least bootstrap.servers. Sends each line of stdin, and
 * keeps a copy of it until its report. Lines that were delivered are counted; the others
 * go to stdout, behind what is known of them:
 *
 *   not-written LINE   no broker has it: sending it again cannot double it
 *   unknown LINE       it was sent, and no answer came: it may be in the log
 *
 * While the client has no room, stdin is not read: who writes to us has to wait, and
 * nothing grows. SIGTERM or SIGINT ends the reading; what was read is still sent. Exit
 * status: 0 when all were delivered. See docs/PRODUCER.md, 1 to 4 and 6. */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/kwire.h>

struct line {
    size_t len;
    char text[];
};

static struct {
    struct kw_client *client;
    struct kw_producer *producer;
    struct kw_topic *topic;
    char buf[64 * 1024];
    size_t len; /* bytes in buf */
    bool input_end;
    bool full;                    /* until WRITABLE, or a report: memory came back */
    unsigned long long counts[3]; /* by enum kw_outcome */
} deliver;

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- outcomes ------------------------------------------------------------------ */

/* The one place where a line ends, whatever became of it. */
static void end_line(const char *text, size_t len, enum kw_outcome outcome)
{
    static const char *const words[] = {
        [KW_DELIVERED] = "delivered", [KW_NOT_WRITTEN] = "not-written", [KW_UNKNOWN] = "unknown"};

    if (outcome != KW_DELIVERED)
        printf("%s %.*s\n", words[outcome], (int)len, text);
    deliver.counts[outcome]++;
}

static void settle(struct line *line, enum kw_outcome outcome)
{
    end_line(line->text, line->len, outcome);
    free(line);
}

static void on_report(const struct kw_report *report)
{
    if (report->code)
        fprintf(stderr, "%u lines for partition %d: %s %s\n", report->n, (int)report->partition,
                kw_err_name(report->code),
                report->kafka_code ? kw_kafka_error_name(report->kafka_code) : "");
    if (report->flags & KW_REPORT_LEADER_ONLY)
        fprintf(stderr, "%u lines are on one broker only\n", report->n);
    if (report->flags & KW_REPORT_MAYBE_DUPLICATE)
        fprintf(stderr, "%u lines may be there twice\n", report->n);
    for (uint32_t i = 0; i < report->n; i++)
        settle(kw_report_opaque(report, i), report->outcome);
    deliver.full = false; /* a line's memory came back; or it is refused again */
}

static void take_events(void)
{
    struct kw_event event;

    while (kw_next_event(deliver.client, &event) == 1) {
        if (event.kind == KW_EVENT_REPORT)
            on_report(&event.report);
        if (event.kind == KW_EVENT_WRITABLE)
            deliver.full = false;
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
    }
}

/* ---- lines --------------------------------------------------------------------------- */

/* false: not now. The line stays where it is. */
static bool send_line(const char *text, size_t len)
{
    struct line *line = malloc(sizeof(*line) + len);
    struct kw_record record = {.value = {text, len}, .opaque = line};
    int rc;

    if (!line) {
        stop = 1;
        deliver.full = true; /* until reports give memory back */
        return false;
    }
    line->len = len;
    memcpy(line->text, text, len);
    rc = kw_produce(deliver.topic, &record);
    if (rc == KW_ERR_WOULD_BLOCK) {
        free(line);
        deliver.full = true;
        return false;
    }
    if (rc) { /* refused at once, and no report follows */
        fprintf(stderr, "a line of %zu bytes: %s\n", len, kw_err_name(rc));
        settle(line, KW_NOT_WRITTEN);
    }
    return true;
}

static void send_lines(void)
{
    size_t begin = 0;

    while (!deliver.full && begin < deliver.len) {
        const char *line = deliver.buf + begin, *end = memchr(line, '\n', deliver.len - begin);
        size_t len = end ? (size_t)(end - line) : deliver.len - begin;

        /* The last line, and one longer than the buffer, go as they are. */
        if (!end && !deliver.input_end && len < sizeof(deliver.buf))
            break;
        if (!send_line(line, len))
            break;
        begin += len + (end ? 1 : 0);
    }
    memmove(deliver.buf, deliver.buf + begin, deliver.len - begin);
    deliver.len -= begin;
}

/* Waits for the client or for input. A descriptor of -1 is not looked at. */
static void wait_and_read(void)
{
    bool reads = !deliver.input_end && deliver.len < sizeof(deliver.buf);
    struct pollfd fds[] = {{kw_client_fd(deliver.client), POLLIN, 0},
                           {reads ? STDIN_FILENO : -1, POLLIN, 0}};
    ssize_t n;

    if (poll(fds, 2, 1000) <= 0 || !fds[1].revents)
        return;
    n = read(STDIN_FILENO, deliver.buf + deliver.len, sizeof(deliver.buf) - deliver.len);
    if (n > 0)
        deliver.len += (size_t)n;
    else
        deliver.input_end = true;
}

static int begin(char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&deliver.client, cfg, &error)) ||
        (rc = kw_producer_create(&deliver.producer, deliver.client, NULL, &error)) ||
        (rc = kw_topic_open(&deliver.topic, deliver.producer, argv[2], &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    return rc;
}

/* Lines that could not even be given to the client: no broker was there yet, or no memory. */
static void give_rest_back(void)
{
    char *line = deliver.buf, *end;

    while ((end = memchr(line, '\n', deliver.len))) {
        end_line(line, (size_t)(end - line), KW_NOT_WRITTEN);
        deliver.len -= (size_t)(end + 1 - line);
        line = end + 1;
    }
    /* The last line of the input, or one longer than the buffer, ends without one. */
    if (deliver.len && (deliver.input_end || deliver.len == sizeof(deliver.buf))) {
        end_line(line, deliver.len, KW_NOT_WRITTEN);
        deliver.len = 0;
    }
}

/* What is in a buffer when the process ends was never sent: neither in ours, where whole lines
 * may wait for room, nor in the client's. This waits until every line has its outcome:
 * delivery.timeout.ms bounds that, not we. */
static void finish(void)
{
    while (memchr(deliver.buf, '\n', deliver.len) &&
           !(deliver.full && kw_producer_outstanding(deliver.producer) == 0)) {
        send_lines();
        (void)!kw_client_poll(deliver.client, deliver.full ? 1000 : 0);
        take_events();
    }
    give_rest_back();
    (void)kw_wait(deliver.client, kw_flush(deliver.producer, -1, NULL), NULL);
    take_events();
    (void)kw_wait(deliver.client, kw_close(deliver.client, 1000, NULL), NULL);
    take_events();
    fprintf(stderr, "%llu delivered, %llu not written, %llu unknown\n",
            deliver.counts[KW_DELIVERED], deliver.counts[KW_NOT_WRITTEN],
            deliver.counts[KW_UNKNOWN]);
    kw_client_destroy(deliver.client);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};

    if (argc != 3) {
        fprintf(stderr, "usage: deliver PROPERTIES TOPIC < LINES\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (begin(argv))
        return 1;
    while (!stop && !(deliver.input_end && deliver.len == 0)) {
        wait_and_read();
        kw_client_process(deliver.client, 0);
        take_events();
        send_lines();
    }
    finish();
    return deliver.counts[KW_NOT_WRITTEN] || deliver.counts[KW_UNKNOWN] || deliver.len > 0;
}
