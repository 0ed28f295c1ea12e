/* tests/live/transfer.c -- consume, transform, produce, exactly once: for tests/live/txn.sh.
 *
 *   transfer HOST:PORT IN OUT ID BATCH IDLE_MS [KEY=VALUE...]
 *
 * Reads IN as the member of group ID, writes "<value>'" for each value to the partition of
 * the same number in OUT, in transactions of about BATCH records of the transactional id
 * ID, together with its offsets; the first transaction and every fifth after it are
 * aborted on purpose, and their records are read again. Ends when nothing came for IDLE_MS.
 * TRANSFER_KILL=PHASE:N in the environment: SIGKILL in the N-th transaction, when some of
 * its records are on their way (produce), its offsets have been answered (offsets), or
 * EndTxn was sent and its answer not read (end).
 * stdout: the phase and the transaction in which it is killed, or at the end "committed N"
 * and "aborted N", transactions. Exit status: 0; 1 when something failed, told on stderr. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kwire/kwire.h>

enum {
    TRANSFER_HANDLES = 64,
    TRANSFER_WAIT_MS = 60000,
    TRANSFER_ABORT_EVERY = 5,
    TRANSFER_SOME = 5
};

struct transfer {
    struct kw_client *client;
    struct kw_consumer *consumer;
    struct kw_producer *producer;
    struct kw_topic *out;
    const char *in;
    struct kw_records *held[TRANSFER_HANDLES];
    struct kw_start starts[TRANSFER_HANDLES]; /* where each of them began */
    size_t n_held;
    unsigned n_committed, n_aborted;
    bool writable;
    const char *kill_phase; /* NULL: it lives */
    unsigned long kill_at;
};

static bool complain(const char *what, int rc, const struct kw_error *error)
{
    fprintf(stderr, "%s: %s: %s (%s)\n", what, kw_err_name(rc), error->text, error->hint);
    return false;
}

static void transfer_events(struct transfer *transfer)
{
    struct kw_event event;

    while (kw_next_event(transfer->client, &event) == 1) {
        if (event.kind == KW_EVENT_ERROR)
            fprintf(stderr, "warning: %s\n", event.error->text);
        if (event.kind == KW_EVENT_REVOKED)
            (void)kw_rebalance_ack(transfer->consumer);
        transfer->writable |= event.kind == KW_EVENT_WRITABLE;
    }
}

/* Whether this transaction is to be killed in that phase. */
static bool transfer_dies(const struct transfer *transfer, const char *phase)
{
    return transfer->kill_phase && strcmp(phase, transfer->kill_phase) == 0 &&
           transfer->n_committed + transfer->n_aborted + 1 == transfer->kill_at;
}

/* At once, or when the brokers had a moment for what was sent last. */
static void transfer_die(const struct transfer *transfer)
{
    usleep((useconds_t)(getpid() % 4 * 1000));
    printf("%s %lu\n", transfer->kill_phase, transfer->kill_at);
    fflush(stdout);
    raise(SIGKILL);
}

/* Holds what is ready, until about n records are there or nothing came for idle_ms. */
static void transfer_gather(struct transfer *transfer, int idle_ms)
{
    time_t end = time(NULL) + (idle_ms + 999) / 1000;
    struct kw_records *records;

    while (transfer->n_held == 0 && time(NULL) <= end) {
        kw_client_poll(transfer->client, 50);
        transfer_events(transfer);
        while (transfer->n_held < TRANSFER_HANDLES / 8 &&
               kw_consumer_poll(transfer->consumer, &records, 0) == 1)
            transfer->held[transfer->n_held++] = records;
    }
}

static bool transfer_produce(struct transfer *transfer, const struct kw_consumed *from,
                             int32_t partition)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%.*s'", (int)from->value.len,
                       (const char *)from->value.ptr);
    struct kw_record record = {
        .value = {text, (size_t)len}, .flags = KW_REC_PARTITION, .partition = partition};
    int rc;

    for (;;) {
        transfer->writable = false;
        rc = kw_produce(transfer->out, &record);
        if (rc != KW_ERR_WOULD_BLOCK)
            return rc == 0 || complain("kw_produce", rc, &(struct kw_error){0});
        while (!transfer->writable) {
            kw_client_poll(transfer->client, 100);
            transfer_events(transfer);
        }
    }
}

static bool transfer_write(struct transfer *transfer)
{
    const struct kw_consumed *record;
    unsigned n = 0;

    for (size_t i = 0; i < transfer->n_held; i++) {
        struct kw_records *records = transfer->held[i];
        struct kw_start *start = &transfer->starts[i];

        *start = (struct kw_start){
            .topic = transfer->in, .partition = kw_records_partition(records), .value = -1};
        while ((record = kw_records_next(records))) {
            if (start->value < 0)
                start->value = record->offset;
            if (!transfer_produce(transfer, record, start->partition))
                return false;
            if (++n >= TRANSFER_SOME && transfer_dies(transfer, "produce")) {
                kw_client_poll(transfer->client, getpid() % 4 * 5);
                transfer_die(transfer);
            }
        }
        kw_records_release(records, KW_DONE);
    }
    return true;
}

static bool transfer_wait(struct transfer *transfer, const char *what, struct kw_op *op)
{
    struct kw_error error = {0};
    int rc = kw_wait(transfer->client, op, &error);

    transfer_events(transfer);
    return rc == 0 || complain(what, rc, &error);
}

/* The records of an aborted transaction are read again; the first of each partition is
 * where it began. */
static bool transfer_rewind(struct transfer *transfer)
{
    for (size_t i = transfer->n_held; i-- > 0;) {
        if (transfer->starts[i].value >= 0 && kw_seek(transfer->consumer, &transfer->starts[i]))
            return complain("kw_seek", KW_ERR_STATE, &(struct kw_error){0});
    }
    return true;
}

/* All is answered by now but EndTxn, which one look at the sockets sends. */
static bool transfer_end(struct transfer *transfer, const char *what, struct kw_op *op)
{
    if (transfer_dies(transfer, "end")) {
        kw_client_poll(transfer->client, 0);
        transfer_die(transfer);
    }
    return transfer_wait(transfer, what, op);
}

static bool transfer_one(struct transfer *transfer)
{
    struct kw_txn_offsets offsets = {.size = sizeof offsets, .consumer = transfer->consumer};
    bool aborts = (transfer->n_committed + transfer->n_aborted) % TRANSFER_ABORT_EVERY == 0;
    struct kw_error error = {0};
    int rc = kw_txn_begin(transfer->producer, &error);

    if (rc)
        return complain("kw_txn_begin", rc, &error);
    if (!transfer_write(transfer))
        return false;
    if (!transfer_wait(transfer, "kw_txn_send_offsets",
                       kw_txn_send_offsets(transfer->producer, &offsets, TRANSFER_WAIT_MS, NULL)))
        return false;
    if (transfer_dies(transfer, "offsets"))
        transfer_die(transfer);
    /* In the log, so that readers have something to leave out: an abort drops the rest. */
    if ((aborts || transfer_dies(transfer, "end")) &&
        !transfer_wait(transfer, "kw_flush", kw_flush(transfer->producer, TRANSFER_WAIT_MS, NULL)))
        return false;
    if (aborts) {
        if (!transfer_end(transfer, "kw_txn_abort",
                          kw_txn_abort(transfer->producer, TRANSFER_WAIT_MS, NULL)) ||
            !transfer_rewind(transfer))
            return false;
        transfer->n_aborted++;
    } else {
        if (!transfer_end(transfer, "kw_txn_commit",
                          kw_txn_commit(transfer->producer, TRANSFER_WAIT_MS, NULL)))
            return false;
        transfer->n_committed++;
    }
    transfer->n_held = 0;
    return true;
}

static int transfer_config(struct kw_config **cfg, int argc, char **argv, struct kw_error *error)
{
    int rc = kw_config_new(cfg);
    const char *const settings[][2] = {{"bootstrap.servers", argv[1]},
                                       {"transactional.id", argv[4]},
                                       {"group.id", argv[4]},
                                       {"group.instance.id", argv[4]},
                                       {"max.poll.records", argv[5]},
                                       {"enable.auto.commit", "false"},
                                       {"auto.offset.reset", "earliest"},
                                       {"isolation.level", "read_committed"}};

    for (size_t i = 0; i < sizeof settings / sizeof *settings && !rc; i++)
        rc = kw_config_set(*cfg, settings[i][0], settings[i][1], error);
    for (int i = 7; i < argc && !rc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        rc = kw_config_set(*cfg, argv[i], value ? value : "", error);
    }
    return rc;
}

static bool transfer_open(struct transfer *transfer, int argc, char **argv)
{
    const char *topics[] = {argv[2]};
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc = transfer_config(&cfg, argc, argv, &error);

    transfer->in = argv[2];
    if (!rc)
        rc = kw_client_create(&transfer->client, cfg, &error);
    kw_config_destroy(cfg);
    if (!rc)
        rc = kw_producer_create(&transfer->producer, transfer->client, NULL, &error);
    if (!rc)
        rc = kw_topic_open(&transfer->out, transfer->producer, argv[3], &error);
    if (rc)
        return complain("setup", rc, &error);
    /* Before anything is read: the predecessor's offsets are committed or gone by then. */
    if (!transfer_wait(transfer, "kw_txn_init",
                       kw_txn_init(transfer->producer, TRANSFER_WAIT_MS, NULL)))
        return false;
    rc = kw_consumer_create(&transfer->consumer, transfer->client, NULL, &error);
    if (!rc)
        rc = kw_consumer_subscribe(transfer->consumer, topics, 1, &error);
    return rc == 0 || complain("setup", rc, &error);
}

int main(int argc, char **argv)
{
    struct transfer transfer = {0};
    char *kill = getenv("TRANSFER_KILL"), *at = kill ? strchr(kill, ':') : NULL;
    bool good;

    if (at) {
        *at = '\0';
        transfer.kill_phase = kill;
        transfer.kill_at = strtoul(at + 1, NULL, 10);
    }
    if (argc < 7) {
        fprintf(stderr, "usage: transfer HOST:PORT IN OUT ID BATCH IDLE_MS [KEY=VALUE...]\n");
        return 2;
    }
    good = transfer_open(&transfer, argc, argv);
    while (good) {
        transfer_gather(&transfer, atoi(argv[6]));
        if (transfer.n_held == 0)
            break;
        good = transfer_one(&transfer);
    }
    if (good)
        good = transfer_wait(&transfer, "kw_close",
                             kw_close(transfer.client, TRANSFER_WAIT_MS, NULL));
    printf("committed %u\naborted %u\n", transfer.n_committed, transfer.n_aborted);
    kw_client_destroy(transfer.client);
    return good ? 0 : 1;
}
