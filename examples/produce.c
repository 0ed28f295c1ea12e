/* examples/produce.c -- a blocking producer, as a shell tool would have it:
 * each argument is a record; the exit code says whether the broker has them.
 *
 *   produce 127.0.0.1:9092 TOPIC one two three */
#include <stdio.h>
#include <string.h>

#include <kwire/kwire.h>

static int fail(const char *what, int rc, const struct kw_error *error)
{
    fprintf(stderr, "%s: %s %s\n", what, error->text[0] ? error->text : kw_err_name(rc),
            error->hint);
    return 1;
}

/* Every record gets exactly one outcome: count them. */
static void take_reports(struct kw_client *client, unsigned *n_delivered)
{
    struct kw_event event;

    while (kw_next_event(client, &event) == 1) {
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "warning: %s\n", event.error->text);
        if (event.kind != KW_EVENT_REPORT)
            continue;
        if (event.report.outcome == KW_DELIVERED)
            *n_delivered += event.report.n;
        else
            fprintf(stderr, "%u records not delivered: %s\n", event.report.n,
                    kw_err_name(event.report.code));
    }
}

static int produce_all(struct kw_client *client, struct kw_topic *topic, char **texts, int n,
                       unsigned *n_delivered)
{
    for (int i = 0; i < n; i++) {
        struct kw_record record = {.value = {texts[i], strlen(texts[i])}};
        int rc;

        /* Full, or the topic's partitions are not known yet: let the client work. */
        while ((rc = kw_produce(topic, &record)) == KW_ERR_WOULD_BLOCK) {
            kw_client_poll(client, 1000);
            take_reports(client, n_delivered);
        }
        if (rc) {
            fprintf(stderr, "record %d: %s\n", i, kw_err_name(rc));
            return rc;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_client *client = NULL;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_error error = {0};
    unsigned n_delivered = 0;
    int rc;

    if (argc < 4) {
        fprintf(stderr, "usage: produce HOST:PORT TOPIC RECORD...\n");
        return 2;
    }
    if ((rc = kw_config_new(&cfg)) ||
        (rc = kw_config_set(cfg, "bootstrap.servers", argv[1], &error)) ||
        (rc = kw_client_create(&client, cfg, &error)) ||
        (rc = kw_producer_create(&producer, client, NULL, &error)) ||
        (rc = kw_topic_open(&topic, producer, argv[2], &error))) {
        kw_config_destroy(cfg);
        kw_client_destroy(client);
        return fail("setup", rc, &error);
    }
    kw_config_destroy(cfg);

    rc = produce_all(client, topic, argv + 3, argc - 3, &n_delivered);
    /* Waits until each record has its outcome, at most 30 seconds. */
    if (kw_wait(client, kw_flush(producer, 30000, NULL), &error))
        fail("flush", KW_ERR_TIMEOUT, &error);
    (void)kw_wait(client, kw_close(client, 1000, NULL), &error);
    take_reports(client, &n_delivered);
    kw_client_destroy(client);

    printf("%u of %d delivered\n", n_delivered, argc - 3);
    return rc || n_delivered != (unsigned)(argc - 3);
}
