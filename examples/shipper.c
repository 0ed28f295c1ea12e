/* examples/shipper.c -- a log shipper: sends the lines of a file and remembers
 * how far it came, so that it goes on there when it is started again.
 *
 * Lines are read in chunks, and each chunk has a receipt. The position moves past
 * a chunk only when its receipt, and those before it, say that every line was
 * delivered: so a line may be sent twice after a crash, but none is lost. On
 * SIGTERM, or when a line fails, it stops reading, gives what is under way two
 * seconds, and takes back what was never sent.
 *
 *   shipper 127.0.0.1:9092 TOPIC LOG_FILE POSITION_FILE */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kwire/kwire.h>

enum { CHUNK_LINES = 500, CHUNKS_MAX = 256 };

/* Chunks in the order of the file; a ring. */
struct chunk {
    struct kw_receipt *receipt; /* NULL once closed */
    long end;                   /* where the file goes on behind it */
    unsigned n_lines;
    bool delivered;
};

struct shipper {
    struct kw_client *client;
    struct kw_producer *producer;
    struct kw_topic *topic;
    FILE *log;
    const char *position_path;
    char *line;
    size_t line_cap, len; /* of a line that was read and waits for room */
    bool have_line;
    struct chunk chunks[CHUNKS_MAX];
    unsigned first, n_chunks;
    long produced; /* everything before it was given to the client */
    long position; /* everything before it was delivered */
    unsigned long long n_delivered, n_failed;
    bool failed;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- the position ------------------------------------------------------------ */

/* Written anew and renamed: a crash leaves the old or the new one. */
static int remember(const struct shipper *shipper)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s.new", shipper->position_path);
    file = fopen(path, "w");
    if (!file)
        return -1;
    fprintf(file, "%ld\n", shipper->position);
    return fclose(file) || rename(path, shipper->position_path) ? -1 : 0;
}

static void recall(struct shipper *shipper)
{
    FILE *file = fopen(shipper->position_path, "r");

    if (!file)
        return; /* the first time */
    if (fscanf(file, "%ld", &shipper->position) != 1)
        shipper->position = 0;
    fclose(file);
}

/* ---- events --------------------------------------------------------------------- */

/* Receipts end in any order; the position follows those at the front. */
static void chunk_ended(struct shipper *shipper, const struct kw_event *event)
{
    struct chunk *chunk = event->tag;
    unsigned before = shipper->n_chunks;

    chunk->delivered = event->code == 0;
    shipper->failed |= event->code != 0;
    shipper->n_delivered += event->receipt.delivered;
    shipper->n_failed += event->receipt.not_written + event->receipt.unknown;
    while (shipper->n_chunks && shipper->chunks[shipper->first].delivered) {
        shipper->position = shipper->chunks[shipper->first].end;
        shipper->first = (shipper->first + 1) % CHUNKS_MAX;
        shipper->n_chunks--;
    }
    if (shipper->n_chunks < before && remember(shipper)) {
        perror(shipper->position_path);
        shipper->failed = true;
    }
}

static void take_events(struct shipper *shipper)
{
    struct kw_event event;

    while (kw_next_event(shipper->client, &event) == 1) {
        if (event.kind == KW_EVENT_RECEIPT)
            chunk_ended(shipper, &event);
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "warning: %s\n", event.error->text);
        /* Delivered lines have no report: these are the ones that failed. */
        if (event.kind == KW_EVENT_REPORT && event.report.code != KW_ERR_CLOSED)
            fprintf(stderr, "%u lines for partition %d: %s\n", event.report.n,
                    (int)event.report.partition, kw_err_name(event.report.code));
    }
}

/* ---- the file ---------------------------------------------------------------------- */

/* The chunk that lines are added to; NULL: too many wait for their outcome. */
static struct chunk *open_chunk(struct shipper *shipper)
{
    struct chunk *chunk;

    if (shipper->n_chunks) {
        chunk = &shipper->chunks[(shipper->first + shipper->n_chunks - 1) % CHUNKS_MAX];
        if (chunk->receipt)
            return chunk;
    }
    if (shipper->n_chunks == CHUNKS_MAX)
        return NULL;
    chunk = &shipper->chunks[(shipper->first + shipper->n_chunks) % CHUNKS_MAX];
    *chunk = (struct chunk){.end = shipper->produced};
    if (kw_receipt_create(&chunk->receipt, shipper->producer, chunk))
        return NULL;
    shipper->n_chunks++;
    return chunk;
}

static void close_chunk(struct shipper *shipper)
{
    struct chunk *chunk;

    if (!shipper->n_chunks)
        return;
    chunk = &shipper->chunks[(shipper->first + shipper->n_chunks - 1) % CHUNKS_MAX];
    if (chunk->receipt)
        kw_receipt_close(chunk->receipt); /* the library's from here on */
    chunk->receipt = NULL;
}

/* Produces lines until the client is full; false at the end of the file. */
static bool ship_lines(struct shipper *shipper)
{
    struct chunk *chunk;

    while (!stop && !shipper->failed && (chunk = open_chunk(shipper))) {
        struct kw_record record = {.receipt = chunk->receipt};
        int rc;

        if (!shipper->have_line) {
            ssize_t n = getline(&shipper->line, &shipper->line_cap, shipper->log);
            if (n < 0)
                return false;
            shipper->len = (size_t)n - (shipper->line[n - 1] == '\n');
            shipper->have_line = true;
        }
        record.value = (struct kw_bytes){shipper->line, shipper->len};
        rc = kw_produce(shipper->topic, &record);
        if (rc == KW_ERR_WOULD_BLOCK)
            return true;
        if (rc) {
            fprintf(stderr, "produce: %s\n", kw_err_name(rc));
            shipper->failed = true;
            return true;
        }
        shipper->have_line = false;
        chunk->end = shipper->produced = ftell(shipper->log);
        if (++chunk->n_lines == CHUNK_LINES)
            close_chunk(shipper);
    }
    return true;
}

/* ---- the end ------------------------------------------------------------------------ */

/* What was never sent comes back whole. Here it is only counted: it still stands
 * in the file, behind the position. A shipper without a file would keep it. */
static unsigned long long take_back(struct shipper *shipper)
{
    struct kw_record record;
    unsigned long long n = 0;

    while (kw_unsent_next(shipper->producer, &record, NULL) == 1)
        n++;
    return n;
}

static void finish(struct shipper *shipper)
{
    unsigned long long n_back;

    close_chunk(shipper);
    kw_wait(shipper->client, kw_close(shipper->client, 2000, NULL), NULL);
    take_events(shipper);
    n_back = take_back(shipper);
    printf("%llu lines delivered, %llu not, %llu of them handed back; position %ld\n",
           shipper->n_delivered, shipper->n_failed, n_back, shipper->position);
}

static int setup(struct shipper *shipper, const char *brokers, const char *topic)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) ||
        (rc = kw_config_set(cfg, "bootstrap.servers", brokers, &error)) ||
        (rc = kw_client_create(&shipper->client, cfg, &error)) ||
        (rc = kw_producer_create(&shipper->producer, shipper->client, NULL, &error)) ||
        (rc = kw_topic_open(&shipper->topic, shipper->producer, topic, &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    return rc;
}

int main(int argc, char **argv)
{
    static struct shipper shipper;
    struct sigaction action = {.sa_handler = on_signal};

    if (argc != 5) {
        fprintf(stderr, "usage: shipper HOST:PORT TOPIC LOG_FILE POSITION_FILE\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    shipper.position_path = argv[4];
    recall(&shipper);
    shipper.produced = shipper.position;
    shipper.log = fopen(argv[3], "r");
    if (!shipper.log || fseek(shipper.log, shipper.position, SEEK_SET)) {
        perror(argv[3]);
        return 1;
    }
    if (setup(&shipper, argv[1], argv[2]))
        return 1;
    for (bool more = true; !stop && !shipper.failed && (more || shipper.n_chunks);) {
        if (more)
            more = ship_lines(&shipper);
        if (!more)
            close_chunk(&shipper);
        kw_client_poll(shipper.client, 100);
        take_events(&shipper);
    }
    finish(&shipper);
    kw_client_destroy(shipper.client);
    fclose(shipper.log);
    free(shipper.line);
    return shipper.failed || shipper.n_failed || stop;
}
