/* examples/member.c -- a member of a consumer group with everything at its default.
 *
 *   member PROPERTIES TOPIC...
 *
 * PROPERTIES is a file with at least bootstrap.servers and group.id. Prints a line
 * "PARTITION OFFSET VALUE" for each record, which is its work, until SIGINT or SIGTERM.
 *
 * Each record is handled at least once: a handle is released as done behind the work, so
 * what may be committed was handled. After a crash the records since the last commit
 * come again. See docs/CONSUMER.md, 1 to 3. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include <kwire/kwire.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* Returns false when the group does not want us: another attempt would fail the same way. */
static bool on_event(const struct kw_event *event)
{
    switch (event->kind) {
    case KW_EVENT_ASSIGNED:
        fprintf(stderr, "%zu partitions are ours\n", event->n_partitions);
        break;
    case KW_EVENT_REVOKED:
        /* Everything that we took was handled and released before we asked for events. So
         * there is nothing to end: this commits it, and gives the partitions up. */
        fprintf(stderr, "%zu partitions go to others\n", event->n_partitions);
        if (kw_rebalance_ack(event->consumer))
            fprintf(stderr, "too late: they were given up already\n");
        break;
    case KW_EVENT_LOST:
        /* Others may have handled what we did since our last commit. */
        fprintf(stderr, "%zu partitions are lost: %s\n", event->n_partitions, event->error->text);
        break;
    case KW_EVENT_COMMIT_FAILED: fprintf(stderr, "%s\n", event->error->text); break;
    case KW_EVENT_ERROR:
        fprintf(stderr, "%s %s\n", event->error->text, event->error->hint);
        return !event->consumer || event->topic_name || event->error->retriable;
    default: break;
    }
    return true;
}

static bool take_events(struct kw_client *client)
{
    struct kw_event event;
    bool good = true;

    while (kw_next_event(client, &event) == 1)
        good = on_event(&event) && good;
    return good;
}

static void work(struct kw_records *records)
{
    const struct kw_consumed *record;

    while ((record = kw_records_next(records)))
        printf("%d %lld %.*s\n", (int)kw_records_partition(records), (long long)record->offset,
               (int)record->value.len, record->value.ptr ? (const char *)record->value.ptr : "");
    /* The work has to be out of our hands before the records are done: what stays in a
     * buffer is lost by a crash, and the group goes on behind it. */
    kw_records_release(records, fflush(stdout) == 0 ? KW_DONE : KW_NOT_DONE);
}

static int begin(struct kw_client **client, struct kw_consumer **consumer, char **argv, int argc)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(client, cfg, &error)) ||
        (rc = kw_consumer_create(consumer, *client, NULL, &error)) ||
        (rc = kw_consumer_subscribe(*consumer, (const char *const *)argv + 2, (size_t)argc - 2,
                                    &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    return rc;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct kw_client *client = NULL;
    struct kw_consumer *consumer;
    struct kw_records *records;
    bool good = true;

    if (argc < 3) {
        fprintf(stderr, "usage: member PROPERTIES TOPIC...\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (begin(&client, &consumer, argv, argc))
        return 1;
    while (!stop && good) {
        kw_client_poll(client, 1000);
        good = take_events(client);
        while (!stop && good && kw_consumer_poll(consumer, &records, 0) == 1) {
            work(records);
            kw_client_process(client, 0); /* heartbeats go out from here */
            good = take_events(client);
        }
    }
    /* Commits, leaves the group at once instead of by a timeout, closes. */
    if (kw_wait(client, kw_close(client, 10000, NULL), NULL))
        good = false;
    kw_client_destroy(client);
    return good ? 0 : 1;
}
