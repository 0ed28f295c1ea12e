/* examples/counts.c -- a member of a group that keeps something in memory for each of its
 * partitions: here how many records there were, and the sum of their values.
 *
 *   counts PROPERTIES TOPIC DIRECTORY
 *
 * What is kept of a partition stands in DIRECTORY/TOPIC-PARTITION as "NEXT COUNT SUM",
 * together with the offset behind what was counted. It is read when the partition is
 * assigned, which then begins there (kw_seek); written when it is revoked, before the
 * next owner begins, and now and then; thrown away when it is lost. So each record
 * counts once, also after kill -9. See docs/CONSUMER.md, 7 and 8.
 *
 * A member that stood still past its session may still write an old file: examples/
 * sqlite.c shows how a store refuses that. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kwire/kwire.h>

enum { PARTS_MAX = 256, SLICE = 10, SNAPSHOT_RECORDS = 1000 };

struct part {
    bool ours;
    long long next, count, sum; /* next -1: nothing was counted yet */
    long long written;          /* count, in the file */
};

static struct {
    struct kw_client *client;
    struct kw_consumer *consumer;
    const char *topic, *directory;
    struct part parts[PARTS_MAX];
    struct kw_records *held; /* a handle that we are in the middle of */
    unsigned long n_stale;   /* handles that ended early, because their partition was given up */
    bool refused;
} counts;

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- files ------------------------------------------------------------------- */

static void path_of(int32_t partition, const char *end, char *path, size_t size)
{
    snprintf(path, size, "%s/%s-%d%s", counts.directory, counts.topic, (int)partition, end);
}

static void read_part(int32_t partition)
{
    struct part *part = &counts.parts[partition];
    char path[4096];
    FILE *file;

    *part = (struct part){.ours = true, .next = -1};
    path_of(partition, "", path, sizeof(path));
    file = fopen(path, "r");
    if (!file)
        return; /* the first time */
    if (fscanf(file, "%lld %lld %lld", &part->next, &part->count, &part->sum) != 3)
        *part = (struct part){.ours = true, .next = -1};
    part->written = part->count;
    fclose(file);
}

/* Written anew and renamed: a crash leaves the old or the new one. */
static void write_part(int32_t partition)
{
    struct part *part = &counts.parts[partition];
    char path[4096], fresh[4096];
    FILE *file;

    if (part->count == part->written)
        return;
    path_of(partition, "", path, sizeof(path));
    path_of(partition, ".new", fresh, sizeof(fresh));
    file = fopen(fresh, "w");
    if (!file)
        return;
    fprintf(file, "%lld %lld %lld\n", part->next, part->count, part->sum);
    if (fclose(file) == 0 && rename(fresh, path) == 0)
        part->written = part->count;
}

/* ---- rebalances ------------------------------------------------------------------ */

/* Between this event and the next one is the place to say where to begin. */
static void assigned(int32_t partition)
{
    struct kw_start start = {counts.topic, partition, KW_START_EARLIEST, 0};

    read_part(partition);
    if (counts.parts[partition].next >= 0) {
        start.kind = KW_START_OFFSET;
        start.value = counts.parts[partition].next;
    }
    /* Without a file nothing was counted, whatever is committed: from the beginning. */
    if (kw_seek(counts.consumer, &start))
        fprintf(stderr, "partition %d: cannot seek\n", (int)partition);
}

static void on_rebalance(const struct kw_event *event)
{
    for (size_t i = 0; i < event->n_partitions; i++) {
        int32_t partition = event->partitions[i].partition;
        if (partition >= PARTS_MAX) {
            fprintf(stderr, "partition %d is not counted: this program has room for %d\n",
                    (int)partition, PARTS_MAX);
            (void)!kw_pause(counts.consumer, counts.topic, partition);
            continue;
        }
        if (event->kind == KW_EVENT_ASSIGNED)
            assigned(partition);
        if (event->kind == KW_EVENT_REVOKED)
            write_part(partition); /* the next owner reads it */
        if (event->kind != KW_EVENT_ASSIGNED)
            counts.parts[partition].ours = false; /* LOST: the file may be another's by now */
    }
    /* From here on the others go on; kw_records_next on a handle of such a partition, which
     * we may be holding, shows no more records. */
    if (event->kind == KW_EVENT_REVOKED && kw_rebalance_ack(counts.consumer))
        fprintf(stderr, "too late: others may have begun with the file before\n");
}

static void take_events(void)
{
    struct kw_event event;

    while (kw_next_event(counts.client, &event) == 1) {
        if (event.kind == KW_EVENT_ASSIGNED || event.kind == KW_EVENT_REVOKED ||
            event.kind == KW_EVENT_LOST)
            on_rebalance(&event);
        if (event.kind == KW_EVENT_ERROR) {
            fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
            counts.refused |= event.consumer && !event.topic_name && !event.error->retriable;
        }
    }
}

/* ---- records ----------------------------------------------------------------------- */

static void count(const struct kw_consumed *record, struct part *part)
{
    char text[24] = "";

    if (record->value.ptr && record->value.len < sizeof(text))
        memcpy(text, record->value.ptr, record->value.len);
    part->sum += strtoll(text, NULL, 10);
    part->count++;
    part->next = record->offset + 1;
}

/* A few records of the handle that we are in; then events have their turn. Records are
 * asked for one by one: a list that was made of them before would go on after a revoke. */
static void take_slice(void)
{
    const struct kw_consumed *record = NULL;
    int32_t partition = kw_records_partition(counts.held);
    struct part *part = &counts.parts[partition];

    for (int i = 0; i < SLICE && (record = kw_records_next(counts.held)); i++)
        count(record, part);
    usleep(200);
    if (record)
        return;
    counts.n_stale += !part->ours;
    if (part->ours && part->count - part->written >= SNAPSHOT_RECORDS)
        write_part(partition);
    /* Committed as well, so that Kafka's tools show our lag; we begin by the file. */
    kw_records_release(counts.held, KW_DONE);
    counts.held = NULL;
}

static int begin(char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&counts.client, cfg, &error)) ||
        (rc = kw_consumer_create(&counts.consumer, counts.client, NULL, &error)) ||
        (rc = kw_consumer_subscribe(counts.consumer, &counts.topic, 1, &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    return rc;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};

    if (argc != 4) {
        fprintf(stderr, "usage: counts PROPERTIES TOPIC DIRECTORY\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    counts.topic = argv[2];
    counts.directory = argv[3];
    if (begin(argv))
        return 1;
    while (!stop && !counts.refused) {
        kw_client_poll(counts.client, counts.held ? 0 : 1000);
        take_events();
        if (!counts.held && kw_consumer_poll(counts.consumer, &counts.held, 0) != 1)
            counts.held = NULL;
        if (counts.held)
            take_slice();
    }
    for (int32_t i = 0; i < PARTS_MAX; i++)
        if (counts.parts[i].ours)
            write_part(i);
    if (kw_wait(counts.client, kw_close(counts.client, 10000, NULL), NULL))
        counts.refused = true; /* Kafka's tools show an older lag than ours */
    kw_client_destroy(counts.client);
    fprintf(stderr, "%lu handles ended early\n", counts.n_stale);
    return counts.refused ? 1 : 0;
}
