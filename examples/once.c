/* examples/once.c -- handles each record at most once: for work that must not be done
 * again, such as a mail, and may rather be left out.
 *
 *   once PROPERTIES TOPIC
 *
 * PROPERTIES must say enable.auto.commit=false. Commits first, waits for the answer, and
 * only then works. A crash between the two leaves out what was committed. See
 * docs/CONSUMER.md, 4; everybody else wants examples/member.c. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <kwire/kwire.h>

enum { AT_ONCE = 20 }; /* records that one commit covers, and one crash may leave out */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static bool take_events(struct kw_client *client)
{
    struct kw_event event;
    bool good = true;

    while (kw_next_event(client, &event) == 1) {
        if (event.kind == KW_EVENT_REVOKED)
            kw_rebalance_ack(event.consumer); /* what was handled was committed before */
        if (event.kind != KW_EVENT_ERROR)
            continue;
        fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
        good = good && (!event.consumer || event.topic_name || event.error->retriable);
    }
    return good;
}

/* Records are copied as views: their bytes stay until the handle is released. */
static void take(struct kw_client *client, struct kw_consumer *consumer, struct kw_records *records)
{
    struct kw_consumed batch[AT_ONCE];
    const struct kw_consumed *record;
    struct kw_error error = {0};
    size_t n = 0;

    while (n < AT_ONCE && (record = kw_records_next(records)))
        batch[n++] = *record;
    if (n > 0) {
        struct kw_offset offset = {.topic = kw_records_topic(records),
                                   .partition = kw_records_partition(records),
                                   .offset = batch[n - 1].offset + 1,
                                   .leader_epoch = batch[n - 1].leader_epoch};
        struct kw_offsets offsets = {&offset, 1};
        int rc = kw_wait(client, kw_commit(consumer, &offsets, 10000, NULL), &error);

        if (rc) {
            /* It may have got through all the same. Not handled, to be on the safe side. */
            fprintf(stderr, "left out: %zu records: %s\n", n, error.text);
            n = 0;
        }
    }
    for (size_t i = 0; i < n; i++) {
        printf("%d %lld %.*s\n", (int)kw_records_partition(records), (long long)batch[i].offset,
               (int)batch[i].value.len, batch[i].value.ptr ? (const char *)batch[i].value.ptr : "");
        fflush(stdout);
        usleep(1000); /* a mail takes its time */
    }
    kw_records_release(records, KW_DONE);
}

static int begin(struct kw_client **client, struct kw_consumer **consumer, char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(client, cfg, &error)) ||
        (rc = kw_consumer_create(consumer, *client, NULL, &error)) ||
        (rc = kw_consumer_subscribe(*consumer, (const char *const *)argv + 2, 1, &error)))
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

    if (argc != 3) {
        fprintf(stderr, "usage: once PROPERTIES TOPIC\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (begin(&client, &consumer, argv))
        return 1;
    while (!stop && good) {
        kw_client_poll(client, 1000);
        good = take_events(client);
        while (!stop && good && kw_consumer_poll(consumer, &records, AT_ONCE) == 1) {
            take(client, consumer, records);
            good = take_events(client);
        }
    }
    if (kw_wait(client, kw_close(client, 10000, NULL), NULL))
        good = false;
    kw_client_destroy(client);
    return good ? 0 : 1;
}
