/* tests/live/assigned.c -- what a fetch costs a consumer of many partitions, most of
 * which are idle. For tests/live/assigned.sh.
 *
 *   assigned HOST:PORT TOPIC PARTITIONS ACTIVE ROUNDS [KEY=VALUE...]
 *
 * Assigns partitions 0 to PARTITIONS-1 at their ends and waits until each end was
 * told. A second client then puts one record into each of ACTIVE partitions, spread
 * over them, which the consumer reads; and so on for ROUNDS.
 * stdout: a line "WORD N" for each figure. Exit status: 0, or 1 when a record did
 * not come. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kwire/kwire.h>

struct assigned {
    struct kw_client *reading, *writing;
    struct kw_consumer *consumer;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_start *starts;
    size_t n_parts;
    uint64_t n_eof, n_read, n_delivered;
    double cpu; /* spent on reading */
};

static double cpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void turn(struct assigned *assigned, struct kw_client *client, int wait_ms)
{
    struct kw_event event;
    struct kw_records *records;

    kw_client_poll(client, wait_ms);
    while (kw_next_event(client, &event) == 1) {
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "warning: %s\n", event.error->text);
        assigned->n_eof += event.kind == KW_EVENT_PARTITION_EOF;
        if (event.kind == KW_EVENT_REPORT && event.report.outcome == KW_DELIVERED)
            assigned->n_delivered += event.report.n;
    }
    while (client == assigned->reading && kw_consumer_poll(assigned->consumer, &records, 0) == 1) {
        while (kw_records_next(records))
            assigned->n_read++;
        kw_records_release(records, KW_DONE);
    }
}

static int open_all(struct assigned *assigned, int argc, char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc = kw_config_new(&cfg);

    if (!rc)
        rc = kw_config_set(cfg, "bootstrap.servers", argv[1], &error);
    for (int i = 6; i < argc && !rc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        rc = kw_config_set(cfg, argv[i], value ? value : "", &error);
    }
    if (!rc)
        rc = kw_client_create(&assigned->reading, cfg, &error);
    if (!rc)
        rc = kw_client_create(&assigned->writing, cfg, &error);
    kw_config_destroy(cfg);
    if (!rc)
        rc = kw_consumer_create(&assigned->consumer, assigned->reading, NULL, &error);
    if (!rc)
        rc = kw_producer_create(&assigned->producer, assigned->writing, NULL, &error);
    if (!rc)
        rc = kw_topic_open(&assigned->topic, assigned->producer, argv[2], &error);
    if (!rc)
        rc = kw_assign(assigned->consumer, assigned->starts, assigned->n_parts, &error);
    if (rc)
        fprintf(stderr, "setup: %s\n", error.text[0] ? error.text : kw_err_name(rc));
    return rc;
}

static bool reached(struct assigned *assigned, const uint64_t *counter, uint64_t want)
{
    time_t end = time(NULL) + 120;

    while (*counter < want && time(NULL) < end) {
        turn(assigned, assigned->writing, 1);
        turn(assigned, assigned->reading, 1);
    }
    return *counter >= want;
}

/* One record into each active partition; delivered before it is read, so that the
 * CPU that is counted is that of reading. */
static bool run_round(struct assigned *assigned, size_t n_active)
{
    uint64_t delivered = assigned->n_delivered + n_active, read = assigned->n_read + n_active;
    time_t end = time(NULL) + 120;
    double before;

    for (size_t i = 0; i < n_active; i++) {
        struct kw_record record = {.value = {"active", 6},
                                   .flags = KW_REC_PARTITION,
                                   .partition = (int32_t)(i * (assigned->n_parts / n_active))};
        while (kw_produce(assigned->topic, &record) == KW_ERR_WOULD_BLOCK && time(NULL) < end)
            turn(assigned, assigned->writing, 100);
    }
    while (assigned->n_delivered < delivered && time(NULL) < end)
        turn(assigned, assigned->writing, 100);
    before = cpu_now();
    while (assigned->n_read < read && time(NULL) < end)
        turn(assigned, assigned->reading, 100);
    assigned->cpu += cpu_now() - before;
    return assigned->n_read >= read;
}

int main(int argc, char **argv)
{
    struct assigned assigned = {0};
    struct kw_stats before, after;
    size_t n_active, n_rounds;
    bool good;

    if (argc < 6) {
        fprintf(stderr,
                "usage: assigned HOST:PORT TOPIC PARTITIONS ACTIVE ROUNDS [KEY=VALUE...]\n");
        return 2;
    }
    assigned.n_parts = strtoul(argv[3], NULL, 10);
    n_active = strtoul(argv[4], NULL, 10);
    n_rounds = strtoul(argv[5], NULL, 10);
    assigned.starts = calloc(assigned.n_parts, sizeof(*assigned.starts));
    for (size_t i = 0; assigned.starts && i < assigned.n_parts; i++)
        assigned.starts[i] = (struct kw_start){argv[2], (int32_t)i, KW_START_LATEST, 0};
    if (!assigned.starts || n_active == 0 || n_active > assigned.n_parts ||
        open_all(&assigned, argc, argv))
        return 2;
    good = reached(&assigned, &assigned.n_eof, assigned.n_parts) && run_round(&assigned, n_active);
    assigned.cpu = 0;
    kw_client_stats(assigned.reading, &before);
    while (good && n_rounds-- > 0)
        good = run_round(&assigned, n_active);
    kw_client_stats(assigned.reading, &after);
    double fetches = (double)(after.fetches - before.fetches);
    printf("sessions %u\n", after.fetch_sessions);
    printf("fetches %.0f\n", fetches);
    printf("named_a_fetch %.1f\n",
           (double)(after.fetch_parts_named - before.fetch_parts_named) / fetches);
    printf("bytes_out_a_fetch %.1f\n", (double)(after.bytes_out - before.bytes_out) / fetches);
    printf("bytes_in_a_fetch %.1f\n", (double)(after.bytes_in - before.bytes_in) / fetches);
    printf("cpu_us_a_fetch %.1f\n", assigned.cpu * 1e6 / fetches);
    printf("nearer %llu\n", (unsigned long long)after.fetch_replicas);
    printf("read %llu\n", (unsigned long long)assigned.n_read);
    kw_client_destroy(assigned.reading);
    kw_client_destroy(assigned.writing);
    free(assigned.starts);
    return good ? 0 : 1;
}
