/* tests/live/member.c -- a member of a group that writes down what it owns and what it
 * handles, for tests/live/ownership.py to judge.
 *
 *   member HOST:PORT,... TOPIC HISTORY [KEY=VALUE...]        consumer configuration
 *
 * The values of TOPIC are decimal numbers. One line an event, written before the library
 * is told anything that depends on it, so that kill -9 leaves a true history:
 *
 *   TIME assigned PARTITION
 *   TIME taken PARTITION FIRST LAST SUM FENCE     offsets, sum of the values, fence token
 *   TIME revoked PARTITION                        in front of the acknowledgement
 *   TIME lost PARTITION
 *   TIME refused PARTITION OFFSET CODE            a commit
 *   TIME late MS                                  LOOP_LATE
 *   TIME commit CODE                              how one ended that SIGUSR1 asked for
 *   TIME closing                                  nothing is handled any more
 *   TIME closed CODE                              Unix time in us, everywhere
 *
 * The time of `taken` was read before the records were asked for: whoever was given the
 * partition later than that got it after them. SIGTERM or SIGINT: leaves, exit status 0.
 * SIGUSR1: commits what it handled last, at once, by its own word.
 * MEMBER_WORK_US in the environment: how long each record is worked on, and then a line
 * `taken` stands for one record. */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kwire/kwire.h>

struct member {
    struct kw_client *client;
    struct kw_consumer *consumer;
    FILE *history;
    useconds_t work_us;
    bool refused; /* the coordinator does not want us */
    char topic[250];
    struct kw_offset handled; /* behind the record that was handled last */
};

static volatile sig_atomic_t stop, commit_now;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        commit_now = 1;
    else
        stop = 1;
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- events ---------------------------------------------------------------- */

static void write_parts(struct member *member, const struct kw_event *event, const char *what)
{
    for (size_t i = 0; i < event->n_partitions; i++)
        fprintf(member->history, "%" PRId64 " %s %d\n", now_us(), what,
                (int)event->partitions[i].partition);
}

static void on_event(struct member *member, const struct kw_event *event)
{
    switch (event->kind) {
    case KW_EVENT_ASSIGNED: write_parts(member, event, "assigned"); break;
    case KW_EVENT_REVOKED:
        write_parts(member, event, "revoked");
        if (kw_rebalance_ack(member->consumer))
            fprintf(stderr, "the acknowledgement came too late\n");
        break;
    case KW_EVENT_LOST:
        write_parts(member, event, "lost");
        fprintf(stderr, "lost: %s\n", event->error->text);
        break;
    case KW_EVENT_COMMIT_FAILED:
        fprintf(member->history, "%" PRId64 " refused %d %" PRId64 " %s\n", now_us(),
                (int)event->partition, event->offset,
                event->error->kafka_code ? kw_kafka_error_name(event->error->kafka_code)
                                         : kw_err_name(event->code));
        break;
    case KW_EVENT_OP_DONE:
        fprintf(member->history, "%" PRId64 " commit %s\n", now_us(), kw_err_name(event->code));
        break;
    case KW_EVENT_LOOP_LATE:
        fprintf(member->history, "%" PRId64 " late %" PRId64 "\n", now_us(), event->late_ms);
        break;
    case KW_EVENT_ERROR:
        fprintf(stderr, "warning: %s\n", event->error->text);
        member->refused |= event->consumer && !event->topic_name && !event->error->retriable;
        break;
    default: break;
    }
}

static void take_events(struct member *member)
{
    struct kw_event event;

    while (kw_next_event(member->client, &event) == 1)
        on_event(member, &event);
}

/* ---- records ----------------------------------------------------------------- */

static int64_t number_of(const struct kw_consumed *record)
{
    char text[24] = "";

    if (record->value.ptr && record->value.len < sizeof(text))
        memcpy(text, record->value.ptr, record->value.len);
    return strtoll(text, NULL, 10);
}

static void write_run(struct member *member, const struct kw_records *records, int64_t time,
                      const struct kw_consumed *last, int64_t first, int64_t sum)
{
    fprintf(member->history,
            "%" PRId64 " taken %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", time,
            (int)kw_records_partition(records), first, last->offset, sum,
            kw_records_fence(records));
}

static void commit_if_asked(struct member *member)
{
    const struct kw_offsets offsets = {&member->handled, 1};

    if (!commit_now || member->handled.offset == 0)
        return;
    commit_now = 0;
    kw_commit(member->consumer, &offsets, 10000, NULL);
}

static void handled(struct member *member, const struct kw_records *records, int64_t offset)
{
    member->handled.partition = kw_records_partition(records);
    member->handled.offset = offset + 1;
    commit_if_asked(member);
}

/* A handle: one line, or with work one for each record behind its work. */
static void handle(struct member *member, struct kw_records *records, int64_t time)
{
    const struct kw_consumed *record;
    struct kw_consumed last = {.offset = -1};
    int64_t first = -1, sum = 0;

    while ((record = kw_records_next(records))) {
        if (member->work_us) {
            usleep(member->work_us);
            write_run(member, records, time, record, record->offset, number_of(record));
            handled(member, records, record->offset);
            continue;
        }
        if (first < 0)
            first = record->offset;
        sum += number_of(record);
        last = *record;
    }
    if (last.offset >= 0) {
        write_run(member, records, time, &last, first, sum);
        handled(member, records, last.offset);
    }
    kw_records_release(records, KW_DONE);
}

static void run(struct member *member)
{
    struct kw_records *records;
    int64_t time;

    while (!stop && !member->refused) {
        kw_client_poll(member->client, -1);
        commit_if_asked(member);
        take_events(member);
        while (!stop && (time = now_us(), kw_consumer_poll(member->consumer, &records, 0) == 1)) {
            handle(member, records, time);
            /* Membership goes on between two handles. */
            kw_client_process(member->client, 0);
            take_events(member);
        }
    }
}

/* ---- begin and end --------------------------------------------------------------- */

static int begin(struct member *member, char **argv, int argc)
{
    const char *topic = member->topic;
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
        rc = kw_client_create(&member->client, cfg, &error);
    if (!rc)
        rc = kw_consumer_create(&member->consumer, member->client, NULL, &error);
    if (!rc)
        rc = kw_consumer_subscribe(member->consumer, &topic, 1, &error);
    if (rc)
        fprintf(stderr, "setup: %s\n", error.text[0] ? error.text : kw_err_name(rc));
    kw_config_destroy(cfg);
    return rc;
}

int main(int argc, char **argv)
{
    enum { CLOSE_MS = 10000 };
    struct member member = {0};
    struct sigaction action = {.sa_handler = on_signal};
    const char *work = getenv("MEMBER_WORK_US");
    int rc;

    if (argc < 4) {
        fprintf(stderr, "usage: member HOST:PORT TOPIC HISTORY [KEY=VALUE...]\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    snprintf(member.topic, sizeof(member.topic), "%s", argv[2]);
    member.handled.topic = member.topic;
    member.work_us = work ? (useconds_t)strtoul(work, NULL, 10) : 0;
    member.history = fopen(argv[3], "a");
    if (!member.history || setvbuf(member.history, NULL, _IOLBF, 4096)) {
        perror(argv[3]);
        return 2;
    }
    if (begin(&member, argv, argc))
        return 2;
    run(&member);
    fprintf(member.history, "%" PRId64 " closing\n", now_us());
    rc = kw_wait(member.client, kw_close(member.client, CLOSE_MS, NULL), NULL);
    take_events(&member);
    fprintf(member.history, "%" PRId64 " closed %s\n", now_us(), kw_err_name(rc));
    kw_client_destroy(member.client);
    fclose(member.history);
    return member.refused ? 1 : 0;
}
