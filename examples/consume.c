/* examples/consume.c -- reads one partition from its beginning to its end.
 *
 *   consume 127.0.0.1:9092 TOPIC PARTITION */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <kwire/kwire.h>

static void print_record(const struct kw_consumed *record)
{
    struct kw_header_iter it;
    struct kw_header header;

    printf("%lld: ", (long long)record->offset);
    if (record->key.ptr)
        printf("%.*s = ", (int)record->key.len, (const char *)record->key.ptr);
    if (record->value.ptr)
        printf("%.*s", (int)record->value.len, (const char *)record->value.ptr);
    else
        printf("(tombstone)");
    kw_headers_begin(&it, record);
    while (kw_headers_next(&it, &header) == 1)
        printf(" [%.*s: %.*s]", (int)header.key.len, (const char *)header.key.ptr,
               (int)header.value.len, header.value.ptr ? (const char *)header.value.ptr : "");
    putchar('\n');
}

static bool failed;

/* True when the end of the partition was reached, or never will be. */
static bool take_events(struct kw_client *client)
{
    struct kw_event event;
    bool end = false;

    while (kw_next_event(client, &event) == 1) {
        if (event.kind == KW_EVENT_PARTITION_EOF)
            end = true;
        if (event.kind == KW_EVENT_ERROR) {
            fprintf(stderr, "warning: %s\n", event.error->text);
            if (event.consumer && !event.error->retriable)
                end = failed = true;
        }
    }
    return end;
}

/* Prints what is ready; the views end with the handle. */
static void take_records(struct kw_consumer *consumer)
{
    struct kw_records *records;
    const struct kw_consumed *record;

    while (kw_consumer_poll(consumer, &records, 0) == 1) {
        while ((record = kw_records_next(records)))
            print_record(record);
        kw_records_release(records, KW_DONE);
    }
}

int main(int argc, char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_client *client = NULL;
    struct kw_consumer *consumer;
    struct kw_error error = {0};
    struct kw_start start = {.kind = KW_START_EARLIEST};
    bool end = false;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: consume HOST:PORT TOPIC PARTITION\n");
        return 2;
    }
    start.topic = argv[2];
    start.partition = (int32_t)strtol(argv[3], NULL, 10);
    if ((rc = kw_config_new(&cfg)) ||
        (rc = kw_config_set(cfg, "bootstrap.servers", argv[1], &error)) ||
        (rc = kw_client_create(&client, cfg, &error)) ||
        (rc = kw_consumer_create(&consumer, client, NULL, &error)) ||
        (rc = kw_assign(consumer, &start, 1, &error))) {
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
        end = true;
    }
    kw_config_destroy(cfg);

    while (!end) {
        kw_client_poll(client, -1);
        end = take_events(client);
        take_records(consumer);
    }
    kw_client_destroy(client);
    return rc || failed ? 1 : 0;
}
