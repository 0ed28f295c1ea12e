/* examples/sqlite.c -- exactly once, into a database: results and offsets in one
 * transaction, and a late write of a member that was declared dead is refused.
 *
 *   sqlite PROPERTIES TOPIC DATABASE WORK_MS
 *
 * Counts how often each value occurs (table totals). PROPERTIES says
 * enable.auto.commit=false: the group shares the partitions out, the database knows how
 * far each one is (table position), and where a partition begins when it is assigned.
 * WORK_MS is what a handle of records costs before it is written. See docs/CONSUMER.md, 9.
 *
 * Two conditions stand in the transaction. The offset: who wrote behind our records wrote
 * what we are about to write. The fence token: it grows from owner to owner of a
 * partition, so a lower one than the database has seen is that of a former owner. */
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kwire/kwire.h>

static struct {
    struct kw_client *client;
    struct kw_consumer *consumer;
    const char *topic;
    sqlite3 *db;
    sqlite3_stmt *count, *move, *where;
    unsigned work_ms;
    bool failed;
} app;

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- the database -------------------------------------------------------------- */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS totals(value TEXT PRIMARY KEY, n INTEGER);"
    "CREATE TABLE IF NOT EXISTS position(partition INTEGER PRIMARY KEY, next INTEGER, fence "
    "INTEGER);";
static const char count_sql[] =
    "INSERT INTO totals VALUES(?1, 1) ON CONFLICT DO UPDATE SET n = n + 1";
/* Changes a row, or none when a condition does not hold. */
static const char move_sql[] =
    "INSERT INTO position VALUES(?1, ?3, ?4) ON CONFLICT DO UPDATE SET next = ?3, fence = ?4 "
    "WHERE next <= ?2 AND fence <= ?4";
static const char where_sql[] = "SELECT next, fence FROM position WHERE partition = ?1";

static bool open_database(const char *path)
{
    return sqlite3_open(path, &app.db) == SQLITE_OK &&
           sqlite3_busy_timeout(app.db, 20000) == SQLITE_OK &&
           sqlite3_exec(app.db, schema, NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(app.db, count_sql, -1, &app.count, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(app.db, move_sql, -1, &app.move, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(app.db, where_sql, -1, &app.where, NULL) == SQLITE_OK;
}

static bool step(sqlite3_stmt *statement)
{
    bool good = sqlite3_step(statement) == SQLITE_DONE;

    sqlite3_reset(statement);
    return good;
}

static bool count_value(const struct kw_consumed *record)
{
    sqlite3_bind_text(app.count, 1, record->value.ptr ? record->value.ptr : "",
                      (int)record->value.len, SQLITE_STATIC);
    return step(app.count);
}

/* 1: moved, 0: refused, -1: the database failed. */
static int move_position(int32_t partition, int64_t first, int64_t next, int64_t fence)
{
    sqlite3_bind_int(app.move, 1, partition);
    sqlite3_bind_int64(app.move, 2, first);
    sqlite3_bind_int64(app.move, 3, next);
    sqlite3_bind_int64(app.move, 4, fence);
    return step(app.move) ? sqlite3_changes(app.db) : -1;
}

/* Where a partition is; false: nothing was written of it. */
static bool position(int32_t partition, int64_t *next, int64_t *fence)
{
    bool found;

    sqlite3_bind_int(app.where, 1, partition);
    found = sqlite3_step(app.where) == SQLITE_ROW;
    if (found) {
        *next = sqlite3_column_int64(app.where, 0);
        *fence = sqlite3_column_int64(app.where, 1);
    }
    sqlite3_reset(app.where);
    return found;
}

/* ---- records ----------------------------------------------------------------------- */

static void seek(int32_t partition)
{
    struct kw_start start = {app.topic, partition, KW_START_OFFSET, 0};
    int64_t fence;

    if (position(partition, &start.value, &fence) && kw_seek(app.consumer, &start))
        fprintf(stderr, "partition %d: cannot seek\n", (int)partition);
}

static void refused(int32_t partition, int64_t first, int64_t token)
{
    int64_t next = 0, fence = 0;

    position(partition, &next, &fence);
    fprintf(stderr,
            "refused: partition %d from %lld on: our token is %lld, that of the last "
            "writer %lld, who came to %lld\n",
            (int)partition, (long long)first, (long long)token, (long long)fence, (long long)next);
    if (fence <= token)
        seek(partition); /* it is ours, and somebody had come further */
}

static void take(struct kw_records *records)
{
    int32_t partition = kw_records_partition(records);
    int64_t first = -1, next = 0, fence = kw_records_fence(records);
    const struct kw_consumed *record;
    int moved = 0;
    bool good;

    usleep(app.work_ms * 1000); /* the work; the world may go on meanwhile */
    good = sqlite3_exec(app.db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    while (good && (record = kw_records_next(records))) {
        if (first < 0)
            first = record->offset;
        next = record->offset + 1;
        good = count_value(record);
    }
    if (good && first >= 0)
        moved = move_position(partition, first, next, fence);
    good = good && moved >= 0 &&
           sqlite3_exec(app.db, moved ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK;
    kw_records_release(records, good && moved ? KW_DONE : KW_NOT_DONE);
    if (!good) {
        fprintf(stderr, "database: %s\n", sqlite3_errmsg(app.db));
        app.failed = true; /* an open transaction goes with the process */
    } else if (!moved && first >= 0) {
        refused(partition, first, fence);
    }
}

static void take_events(void)
{
    struct kw_event event;

    while (kw_next_event(app.client, &event) == 1) {
        /* Between this event and the next one: where each partition begins. */
        for (size_t i = 0; event.kind == KW_EVENT_ASSIGNED && i < event.n_partitions; i++)
            seek(event.partitions[i].partition);
        if (event.kind == KW_EVENT_ASSIGNED)
            fprintf(stderr, "%zu partitions are ours\n", event.n_partitions);
        if (event.kind == KW_EVENT_REVOKED)
            kw_rebalance_ack(app.consumer); /* each handle was written before we came here */
        if (event.kind == KW_EVENT_LOST)
            fprintf(stderr, "%zu partitions are lost: %s\n", event.n_partitions, event.error->text);
        if (event.kind == KW_EVENT_ERROR) {
            fprintf(stderr, "%s %s\n", event.error->text, event.error->hint);
            app.failed |= event.consumer && !event.topic_name && !event.error->retriable;
        }
    }
}

static int begin(char **argv)
{
    struct kw_config *cfg = NULL;
    struct kw_error error = {0};
    int rc;

    if ((rc = kw_config_new(&cfg)) || (rc = kw_config_load(cfg, argv[1], &error)) ||
        (rc = kw_client_create(&app.client, cfg, &error)) ||
        (rc = kw_consumer_create(&app.consumer, app.client, NULL, &error)) ||
        (rc = kw_consumer_subscribe(app.consumer, &app.topic, 1, &error)))
        fprintf(stderr, "setup: %s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
    kw_config_destroy(cfg);
    return rc;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct kw_records *records;

    if (argc != 5) {
        fprintf(stderr, "usage: sqlite PROPERTIES TOPIC DATABASE WORK_MS\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    app.topic = argv[2];
    app.work_ms = (unsigned)strtoul(argv[4], NULL, 10);
    if (!open_database(argv[3])) {
        fprintf(stderr, "%s: %s\n", argv[3], sqlite3_errmsg(app.db));
        return 1;
    }
    if (begin(argv))
        return 1;
    while (!stop && !app.failed) {
        kw_client_poll(app.client, 1000);
        take_events();
        while (!stop && !app.failed && kw_consumer_poll(app.consumer, &records, 0) == 1) {
            take(records);
            kw_client_process(app.client, 0);
            take_events();
        }
    }
    if (kw_wait(app.client, kw_close(app.client, 10000, NULL), NULL))
        app.failed = true;
    kw_client_destroy(app.client);
    sqlite3_finalize(app.count);
    sqlite3_finalize(app.move);
    sqlite3_finalize(app.where);
    sqlite3_close(app.db);
    return app.failed ? 1 : 0;
}
