/* examples/place.c -- records that belong together, in one partition and so in order: a
 * partitioner of the program's own.
 *
 *   place PROPERTIES TOPIC < LINES
 *
 * A line is "CUSTOMER/ORDER TEXT": the key is CUSTOMER/ORDER, so that a compacted topic
 * keeps the newest text of each order, and all orders of a customer are in one partition,
 * in the order in which they came. A line without a slash has no key, and goes wherever
 * the key `partitioner` says. Longer than 16 KiB, it becomes several records. See
 * docs/PRODUCER.md, 8. */
#include <stdio.h>
#include <string.h>

#include <kwire/kwire.h>

static unsigned long n_delivered, n_failed;

/* By the customer alone. Another function, or another number of partitions, and what was
 * written before stays where it is: this is part of the topic's contract. */
static int32_t by_customer(void *ctx, const struct kw_topic *topic, const struct kw_record *record,
                           int32_t n_partitions)
{
    const unsigned char *key = record->key.ptr;
    uint32_t hash = 2166136261u; /* FNV-1a */

    (void)ctx;
    (void)topic;
    if (!key)
        return -1;
    for (size_t i = 0; i < record->key.len && key[i] != '/'; i++)
        hash = (hash ^ key[i]) * 16777619u;
    return (int32_t)(hash % (uint32_t)n_partitions);
}

static void take_events(struct kw_client *client)
{
    struct kw_event event;

    while (kw_next_event(client, &event) == 1) {
        if (event.kind == KW_EVENT_REPORT)
            *(event.report.outcome == KW_DELIVERED ? &n_delivered : &n_failed) += event.report.n;
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
    }
}

static void place(struct kw_client *client, struct kw_topic *topic, const char *line)
{
    size_t len = strcspn(line, "\n"), key_len = strcspn(line, " \n");
    struct kw_record record = {.value = {line, len}};
    int rc;

    if (memchr(line, '/', key_len)) {
        record.key = (struct kw_bytes){line, key_len};
        record.value = (struct kw_bytes){line + key_len + (key_len < len),
                                         len - key_len - (key_len < len)};
    }
    while ((rc = kw_produce(topic, &record)) == KW_ERR_WOULD_BLOCK) {
        kw_client_poll(client, 1000);
        take_events(client);
    }
    if (rc) {
        fprintf(stderr, "%s: %.*s\n", kw_err_name(rc), (int)len, line);
        n_failed++;
    }
}

int main(int argc, char **argv)
{
    struct kw_partitioner own = {.size = sizeof(own), .pick = by_customer};
    struct kw_config *cfg = NULL;
    struct kw_client *client = NULL;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_error error = {0};
    char line[16 * 1024];
    int rc;

    if (argc != 3) {
        fprintf(stderr, "usage: place PROPERTIES TOPIC < LINES\n");
        return 2;
    }
    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&client, cfg, &error)) ||
        (rc = kw_producer_create(&producer, client, NULL, &error)) ||
        (rc = kw_topic_open(&topic, producer, argv[2], &error)) ||
        (rc = kw_topic_set_partitioner(topic, &own))) {
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
        kw_config_destroy(cfg);
        kw_client_destroy(client);
        return 1;
    }
    kw_config_destroy(cfg);
    while (fgets(line, sizeof(line), stdin))
        place(client, topic, line);
    (void)kw_wait(client, kw_flush(producer, -1, NULL), NULL);
    take_events(client);
    (void)kw_wait(client, kw_close(client, 1000, NULL), NULL);
    kw_client_destroy(client);
    fprintf(stderr, "%lu delivered, %lu failed\n", n_delivered, n_failed);
    return n_failed > 0;
}
