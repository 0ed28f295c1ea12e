/* examples/transform.c -- reads a topic, and writes what it made of each record to another
 * one, exactly once: what is written and how far was read count together or not at all.
 *
 *   transform PROPERTIES IN OUT
 *
 * PROPERTIES must have bootstrap.servers, group.id, transactional.id (another one for each
 * process that runs at the same time), enable.auto.commit=false and, to read only what
 * counts, isolation.level=read_committed. What it makes of a value are its letters in
 * capitals. Readers of OUT need isolation.level=read_committed as well.
 *
 * After a crash the next process with the same transactional.id aborts what was open,
 * before it reads anything, and goes on behind the last commit. A member that has lost its
 * partitions cannot commit for whoever has them now (KIP-447). See docs/PRODUCER.md, 11. */
#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <kwire/kwire.h>

enum { HANDLES_MAX = 16, STEP_MS = 10000, VALUE_MAX = 4096 };

static struct {
    struct kw_client *client;
    struct kw_consumer *consumer;
    struct kw_producer *producer;
    struct kw_topic *out;
    struct kw_records *held[HANDLES_MAX]; /* what the next transaction is about */
    size_t n_held;
    /* Of each partition in it: where it began, and the offset behind its last record. */
    struct kw_start starts[HANDLES_MAX];
    struct kw_offset ends[HANDLES_MAX];
    size_t n_parts;
    bool revoking, lost, refused;
    unsigned long n_committed, n_aborted;
} transform;

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* Somebody else may be at these records by now. If they come back to us, they begin at what
 * is committed then, and not where we began. */
static void lose(const struct kw_event *event)
{
    transform.lost = true;
    for (size_t i = transform.n_parts; i-- > 0;)
        for (size_t k = 0; k < event->n_partitions; k++)
            if (event->partitions[k].partition == transform.starts[i].partition) {
                transform.n_parts--;
                transform.starts[i] = transform.starts[transform.n_parts];
                transform.ends[i] = transform.ends[transform.n_parts];
                break;
            }
}

static void take_events(void)
{
    struct kw_event event;

    while (kw_next_event(transform.client, &event) == 1) {
        if (event.kind == KW_EVENT_ASSIGNED)
            fprintf(stderr, "%zu partitions are ours\n", event.n_partitions);
        if (event.kind == KW_EVENT_REVOKED)
            transform.revoking = true; /* answered when the transaction has ended */
        if (event.kind == KW_EVENT_LOST) {
            fprintf(stderr, "%zu partitions are lost: %s\n", event.n_partitions, event.error->text);
            lose(&event);
        }
        if (event.kind == KW_EVENT_ERROR) {
            fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
            transform.refused |= event.consumer && !event.topic_name && !event.error->retriable;
        }
    }
}

/* ---- the work ------------------------------------------------------------------ */

static int write_one(const struct kw_consumed *from)
{
    char value[VALUE_MAX];
    struct kw_record record = {.key = from->key, .value = {value, from->value.len}};
    int rc;

    if (from->value.len > sizeof(value))
        return KW_ERR_TOO_LARGE;
    if (!from->value.ptr)
        record.value.ptr = NULL; /* a tombstone stays one */
    for (size_t i = 0; i < from->value.len; i++)
        value[i] = (char)toupper(((const unsigned char *)from->value.ptr)[i]);
    while ((rc = kw_produce(transform.out, &record)) == KW_ERR_WOULD_BLOCK) {
        kw_client_poll(transform.client, 1000);
        take_events();
    }
    return rc;
}

/* Notes that a record is part of the transaction. */
static void note(const struct kw_records *records, const struct kw_consumed *record)
{
    int32_t partition = kw_records_partition(records);
    size_t i = 0;

    while (i < transform.n_parts && transform.ends[i].partition != partition)
        i++;
    if (i == transform.n_parts) {
        transform.starts[i] = (struct kw_start){kw_records_topic(records), partition,
                                                KW_START_OFFSET, record->offset};
        transform.n_parts++;
    }
    transform.ends[i] = (struct kw_offset){.topic = transform.starts[i].topic,
                                           .partition = partition,
                                           .offset = record->offset + 1,
                                           .leader_epoch = record->leader_epoch};
}

static int write_all(void)
{
    const struct kw_consumed *record;
    int rc = 0;

    transform.n_parts = 0;
    for (size_t i = 0; i < transform.n_held && !rc; i++)
        while (!rc && (record = kw_records_next(transform.held[i]))) {
            note(transform.held[i], record);
            rc = write_one(record);
        }
    return rc;
}

/* ---- transactions ----------------------------------------------------------------- */

enum step { INIT, OFFSETS, COMMIT, ABORT };

static struct kw_op *start_step(enum step step)
{
    struct kw_txn_offsets what = {.size = sizeof(what), .consumer = transform.consumer};
    struct kw_offsets offsets = {transform.ends, transform.n_parts};

    what.offsets = &offsets;
    switch (step) {
    case INIT: return kw_txn_init(transform.producer, STEP_MS, NULL);
    case OFFSETS: return kw_txn_send_offsets(transform.producer, &what, STEP_MS, NULL);
    case COMMIT: return kw_txn_commit(transform.producer, STEP_MS, NULL);
    default: return kw_txn_abort(transform.producer, STEP_MS, NULL);
    }
}

/* Asks until something is decided. Returns what that means for the transaction. A commit
 * whose answer got lost is neither done nor undone: the same call again finds out. */
static uint8_t carry_out(enum step step)
{
    static const char *const names[] = {"init", "offsets", "commit", "abort"};
    struct kw_error error;
    int rc;

    do {
        error = (struct kw_error){0};
        rc = kw_wait(transform.client, start_step(step), &error);
        take_events();
        if (rc)
            fprintf(stderr, "%s: %s %s\n", names[step], error.text, error.hint);
    } while (rc && error.txn_class == KW_TXN_RETRY && !stop);
    if (rc == 0)
        return KW_TXN_NO_CLASS;
    return error.txn_class == KW_TXN_ABORT ? KW_TXN_ABORT : KW_TXN_FATAL;
}

/* What was aborted is read again, if it still is ours; and what it had not come to. */
static void rewind_all(void)
{
    const struct kw_consumed *record;

    transform.n_aborted++;
    for (size_t i = 0; i < transform.n_held; i++)
        if ((record = kw_records_next(transform.held[i])))
            note(transform.held[i], record);
    for (size_t i = 0; i < transform.n_parts; i++)
        if (kw_seek(transform.consumer, &transform.starts[i]))
            fprintf(stderr, "partition %d is not ours any more\n",
                    (int)transform.starts[i].partition);
}

static bool one_transaction(void)
{
    struct kw_error error = {0};
    uint8_t class = KW_TXN_ABORT;
    int rc;

    transform.lost = false;
    if (kw_txn_begin(transform.producer, &error)) {
        fprintf(stderr, "begin: %s %s\n", error.text, error.hint);
        return false;
    }
    rc = write_all();
    if (rc == 0)
        class = carry_out(OFFSETS);
    if (class == KW_TXN_NO_CLASS)
        class = transform.lost ? KW_TXN_ABORT : carry_out(COMMIT);
    if (class == KW_TXN_NO_CLASS)
        transform.n_committed++;
    if (class == KW_TXN_ABORT) {
        class = carry_out(ABORT);
        rewind_all();
    }
    /* KW_ERR_STATE: the transaction had failed, and the next attempt may not. Anything else
     * is about the record, and would fail again: decide what to do with it. */
    if (rc && rc != KW_ERR_STATE) {
        fprintf(stderr, "a record cannot be written: %s\n", kw_err_name(rc));
        return false;
    }
    return class == KW_TXN_NO_CLASS;
}

static void go_round(void)
{
    struct kw_records *records;

    kw_client_poll(transform.client, 1000);
    take_events();
    /* The more of it in one transaction, the cheaper; the longer until readers see it. */
    while (!stop && !transform.revoking && transform.n_held < HANDLES_MAX &&
           kw_consumer_poll(transform.consumer, &records, 0) == 1)
        transform.held[transform.n_held++] = records;
    if (transform.n_held > 0 && !one_transaction())
        transform.refused = true;
    while (transform.n_held > 0) /* their offsets went with the transaction */
        kw_records_release(transform.held[--transform.n_held], KW_NOT_DONE);
    if (transform.revoking) {
        transform.revoking = false;
        kw_rebalance_ack(transform.consumer);
    }
}

static int begin(char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&transform.client, cfg, &error)) ||
        (rc = kw_producer_create(&transform.producer, transform.client, NULL, &error)) ||
        (rc = kw_topic_open(&transform.out, transform.producer, argv[3], &error)) ||
        (rc = kw_consumer_create(&transform.consumer, transform.client, NULL, &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    /* Before anything is read: the predecessor's transaction, and with it how far it came,
     * is committed or gone then. */
    if (rc || carry_out(INIT) != KW_TXN_NO_CLASS)
        return 1;
    rc = kw_consumer_subscribe(transform.consumer, (const char *const *)argv + 2, 1, &error);
    if (rc)
        fprintf(stderr, "subscribe: %s\n", error.text);
    return rc;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};

    if (argc != 4) {
        fprintf(stderr, "usage: transform PROPERTIES IN OUT\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (begin(argv))
        return 1;
    while (!stop && !transform.refused)
        go_round();
    /* An open transaction is aborted by it. */
    if (kw_wait(transform.client, kw_close(transform.client, 10000, NULL), NULL))
        transform.refused = true;
    kw_client_destroy(transform.client);
    fprintf(stderr, "%lu transactions committed, %lu aborted\n", transform.n_committed,
            transform.n_aborted);
    return transform.refused ? 1 : 0;
}
