/* isolation.level: what read_committed is given of logs with transactions, against a
 * model of them; and lists and markers that no sound broker would send.
 *
 * covers: C11 C12 C13 C14 C15 C16 C17 C18 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "client/aborted.h"
#include "proto/api.h"
#include "proto/batch.h"
#include "proto/fetch.h"
#include "proto/record.h"
#include "tests/client/fetch_bed.h"
#include "tests/client/unpack_bed.h"
#include "tests/sim/rng.h"
#include <kwire/codec.h>

static const char *const committed[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest",
                                        "isolation.level=read_committed", NULL};
static const char *const uncommitted[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest",
                                          NULL};

/* ---- a log with transactions --------------------------------------------------------- */

enum { LOG_MAX = 1 << 16, PRODUCERS = 5, PLAIN = -1 };
/* What became of the record at an offset. */
enum { NOT_A_RECORD, OF_NOBODY, OPEN, COMMITTED, ABORTED };

static struct {
    uint8_t fate[LOG_MAX];
    int8_t producer[LOG_MAX];
    int64_t end;
    unsigned n_records; /* events KW_EVENT_RECORDS */
    int64_t seen[LOG_MAX];
    size_t n_seen;
} model;

static void (*bed_on_event)(void *ctx, const struct kw_event *event);

static void on_event(void *ctx, const struct kw_event *event)
{
    model.n_records += event->kind == KW_EVENT_RECORDS;
    bed_on_event(ctx, event);
}

static void begin(const char *const *settings)
{
    memset(&model, 0, sizeof model);
    fetch_bed_begin(NULL, 1, NULL);
    fetch_bed.lazy = true; /* this file takes the records itself */
    bed_on_event = fetch_bed.pair.on_event;
    fetch_bed.pair.on_event = on_event;
    fetch_bed_open(settings);
}

static void put(struct bytes batch)
{
    cr_assert_eq(kwi_mock_append(fetch_bed.pair.mock, "t", 0, batch.ptr, batch.len), 0);
    free(batch.ptr);
}

static void seal(struct bytes *batch, int64_t producer, int attributes)
{
    struct kw_batch_header header;
    cr_assert_eq(kwi_batch_header_get(batch->ptr, batch->len, &header), 0);
    header.attributes = (int16_t)(header.attributes | attributes);
    header.producer_id = producer;
    header.producer_epoch = 0;
    header.base_sequence = 0;
    kwi_batch_header_put(batch->ptr, &header);
    kwi_batch_seal(batch->ptr, batch->len, kwi_crc32c_portable);
}

/* What this build has no codec for is not compressed. */
static struct bytes batch_of_producer(int codec, int producer, int32_t n, size_t len)
{
    struct bytes batch = batch_make(kw_codec_by_id(codec) ? codec : 0, model.end, n, len);
    if (producer != PLAIN)
        seal(&batch, 1000 + producer, KWI_BATCH_TRANSACTIONAL);
    for (int32_t i = 0; i < n; i++) {
        model.fate[model.end + i] = producer == PLAIN ? OF_NOBODY : OPEN;
        model.producer[model.end + i] = (int8_t)producer;
    }
    model.end += n;
    return batch;
}

static void say(int codec, int producer, int32_t n)
{
    put(batch_of_producer(codec, producer, n, 20));
}

static void end(int producer, bool commit)
{
    cr_assert_eq(kwi_mock_end_txn(fetch_bed.pair.mock, "t", 0, 1000 + producer, 0, commit), 0);
    for (int64_t i = 0; i < model.end; i++)
        if (model.fate[i] == OPEN && model.producer[i] == producer)
            model.fate[i] = commit ? COMMITTED : ABORTED;
    model.end++; /* the marker */
}

static int64_t stable_end(void)
{
    int64_t i = 0;
    while (i < model.end && model.fate[i] != OPEN)
        i++;
    return i;
}

static void take(size_t max)
{
    struct kw_records *records;
    int rc;
    while ((rc = kw_core_consumer_poll(fetch_bed.consumer, &records, max)) == 1) {
        const struct kw_consumed *c;
        while ((c = kw_records_next(records))) {
            char text[32];
            int n = snprintf(text, sizeof text, "%lld.", (long long)c->offset);
            cr_assert(c->value.len >= (size_t)n && !memcmp(c->value.ptr, text, (size_t)n),
                      "offset %lld holds another record", (long long)c->offset);
            cr_assert_lt(model.n_seen, LOG_MAX);
            model.seen[model.n_seen++] = c->offset;
        }
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
}

static void run(uint64_t ms, size_t max)
{
    for (uint64_t i = 0; i < ms; i += 5) {
        fetch_bed_run(5);
        take(max);
    }
}

/* What was seen is what is to be seen from `from` on. */
static void expect(int64_t from, bool read_committed)
{
    size_t n = 0;
    for (int64_t i = from; i < (read_committed ? stable_end() : model.end); i++) {
        if (model.fate[i] == NOT_A_RECORD || (read_committed && model.fate[i] == ABORTED))
            continue;
        cr_assert_lt(n, model.n_seen, "offset %lld is missing", (long long)i);
        cr_assert_eq(model.seen[n], i, "in place of %lld came %lld", (long long)i,
                     (long long)model.seen[n]);
        n++;
    }
    cr_assert_eq(model.n_seen, n, "%lld is too much", (long long)model.seen[n]);
    cr_assert_eq(fetch_bed.seen[0].n_error, 0, "%s", fetch_bed.seen[0].text);
}

static struct kw_log_ends ends(void)
{
    struct kw_log_ends now;
    cr_assert_eq(kw_log_ends(fetch_bed.consumer, "t", 0, &now), 0);
    return now;
}

/* ---- sound logs ------------------------------------------------------------------------ */

static void all_of(const char *const *settings, bool read_committed)
{
    begin(settings);
    say(0, PLAIN, 2);
    say(1, 0, 3); /* gzip; aborted */
    say(0, 1, 2);
    say(0, 0, 1);
    say(0, PLAIN, 1);
    end(0, false);
    say(2, 0, 2); /* the same producer, and this one counts */
    end(0, true);
    say(4, 1, 1);
    end(1, true);
    say(3, 2, 2);
    end(2, false);
    say(0, PLAIN, 1);
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    run(200, 100);
    expect(0, read_committed);
    cr_assert_eq(model.n_seen, read_committed ? 9 : 15);
    cr_assert_eq(ends().last_stable, model.end);
    cr_assert_eq(ends().high_watermark, model.end);
    cr_assert_eq(ends().log_start, 0);
    cr_assert_eq(fetch_bed.seen[0].n_eof, 1);
    fetch_bed_end();
}

Test(isolation, aborted_records_are_hidden_from_read_committed_alone)
{
    all_of(committed, true);
    all_of(uncommitted, false);
}

/* The one that began first ends last, so a broker tells of it last (C12); and a marker
 * comes for a producer that wrote nothing here, whose next transaction counts (C13). */
Test(isolation, transactions_that_overlap_are_told_in_another_order_than_they_began)
{
    begin(committed);
    for (int p = 0; p < PRODUCERS; p++)
        say(p, p, 2);
    end(9, false);
    for (int p = PRODUCERS; p-- > 0;) {
        say(0, p, 1);
        end(p, p == 2);
        say(0, 9, 1);
    }
    end(9, true);
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    run(200, 100);
    expect(0, true);
    fetch_bed_end();
}

/* Batches whose compressed bytes nobody could decode: they were not looked at (C14). */
Test(isolation, aborted_batches_are_never_decompressed)
{
    begin(committed);
    say(0, PLAIN, 1);
    for (int codec = 1; codec < KW_N_CODECS; codec++) {
        struct bytes batch = batch_of(codec, 0, 3, "no codec made this", 18);
        seal(&batch, 1000, KWI_BATCH_TRANSACTIONAL);
        put(batch);
        for (int i = 0; i < 3; i++)
            model.fate[model.end++] = OPEN;
    }
    end(0, false);
    say(1, PLAIN, 4);
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    run(200, 100);
    expect(0, true);
    cr_assert_eq(model.n_seen, 5);
    fetch_bed_end();
}

/* Nothing but aborted data, in many answers (C16). */
Test(isolation, a_log_of_aborted_data_is_passed_without_a_storm)
{
    static const char *const small[] = {"fetch.max.wait.ms=50", "auto.offset.reset=earliest",
                                        "isolation.level=read_committed",
                                        "max.partition.fetch.bytes=4096", NULL};
    begin(small);
    for (int i = 0; i < 400; i++) {
        say(i % 5, i % PRODUCERS, 20);
        if (i % 7 == 6)
            end(i % PRODUCERS, false);
    }
    for (int p = 0; p < PRODUCERS; p++)
        end(p, false);
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    run(3000, 100);
    int64_t position;
    cr_assert_eq(kw_position(fetch_bed.consumer, "t", 0, &position), 0);
    cr_assert_eq(position, model.end, "%lld of %lld", (long long)position, (long long)model.end);
    cr_assert_eq(model.n_seen, 0);
    cr_assert_eq(fetch_bed.seen[0].n_eof, 1, "the end was told %u times", fetch_bed.seen[0].n_eof);
    cr_assert_eq(fetch_bed.seen[0].n_error, 0, "%s", fetch_bed.seen[0].text);
    cr_assert_leq(model.n_records, fetch_bed.n_said + 1, "%u events, %u fetches", model.n_records,
                  fetch_bed.n_said);
    unsigned before = model.n_records;
    run(1000, 100);
    cr_assert_eq(model.n_records, before);
    fetch_bed_end();
}

/* C17, C18: the end is that of what is stable, however long that lasts. */
Test(isolation, a_hanging_transaction_holds_the_end_and_nothing_spins)
{
    begin(committed);
    say(0, PLAIN, 3);
    say(0, 1, 2);
    say(0, PLAIN, 5);
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    run(300, 100);
    expect(0, true);
    cr_assert_eq(model.n_seen, 3);
    cr_assert_eq(fetch_bed.seen[0].n_eof, 1);
    cr_assert_eq(ends().last_stable, 3);
    cr_assert_eq(ends().high_watermark, 10);
    unsigned before = fetch_bed.n_said;
    run(1000, 100);
    cr_assert_leq(fetch_bed.n_said - before, 21, "%u fetches in a second",
                  fetch_bed.n_said - before);
    say(0, PLAIN, 1); /* behind it: still nothing to be read */
    run(200, 100);
    expect(0, true);
    cr_assert_eq(ends().high_watermark, 11);
    cr_assert_eq(fetch_bed.seen[0].n_eof, 1);
    end(1, true);
    run(200, 100);
    expect(0, true);
    cr_assert_eq(model.n_seen, 11);
    cr_assert_eq(fetch_bed.seen[0].n_eof, 2);
    fetch_bed_end();
}

Test(isolation, latest_and_a_tail_are_counted_from_what_is_stable)
{
    begin(committed);
    say(0, PLAIN, 6);
    say(0, 1, 2);
    say(0, PLAIN, 2);
    fetch_bed_assign(0, 1, KW_START_LATEST, 0);
    run(200, 100);
    cr_assert_eq(model.n_seen, 0);
    end(1, true);
    run(200, 100);
    expect(6, true);
    say(0, 2, 4);
    model.n_seen = 0;
    fetch_bed_assign(0, 1, KW_START_TAIL, 2);
    run(200, 100);
    expect(9, true); /* the marker counts as an offset, as it does for everybody */
    fetch_bed_end();
}

/* Who reads what is not committed stands at another end of the same log. */
Test(isolation, read_uncommitted_ends_at_the_high_watermark)
{
    begin(uncommitted);
    say(0, PLAIN, 3);
    say(0, 1, 2);
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    run(200, 100);
    expect(0, false);
    cr_assert_eq(ends().last_stable, 3);
    cr_assert_eq(ends().high_watermark, 5);
    cr_assert_eq(fetch_bed.seen[0].n_eof, 1);
    fetch_bed_end();
}

/* Random logs, read while they grow, in answers and handles of every size, with seeks. */
static void at_random(uint64_t seed)
{
    char bytes[64];
    struct sim_rng rng;
    const char *settings[] = {committed[0], committed[1], committed[2], bytes, NULL};
    rng = sim_rng_make(seed, 0);
    snprintf(bytes, sizeof bytes, "max.partition.fetch.bytes=%u", 1024 + sim_below(&rng, 8192));
    begin(settings);
    bool open[PRODUCERS] = {false};
    fetch_bed_assign(0, 1, KW_START_OFFSET, 0);
    for (int i = 0; i < 150; i++) {
        int producer = (int)sim_below(&rng, PRODUCERS);
        size_t max = (size_t)1 + sim_below(&rng, 40);
        if (sim_below(&rng, 4) == 0) {
            say((int)sim_below(&rng, 5), PLAIN, (int32_t)sim_below(&rng, 4) + 1);
        } else if (open[producer] && sim_below(&rng, 3) == 0) {
            end(producer, sim_below(&rng, 2));
            open[producer] = false;
        } else {
            say((int)sim_below(&rng, 5), producer, (int32_t)sim_below(&rng, 30) + 1);
            open[producer] = true;
        }
        run((uint64_t)5 * sim_below(&rng, 4), max);
    }
    run(1000, 100);
    expect(0, true);
    for (int p = 0; p < PRODUCERS; p++)
        end(p, p % 2);
    for (int i = 0; i < 5; i++) {
        int64_t from = (int64_t)sim_below(&rng, (uint32_t)model.end);
        model.n_seen = 0;
        fetch_bed_seek(0, KW_START_OFFSET, from);
        run(500, (size_t)1 + sim_below(&rng, 100));
        expect(from, true);
    }
    fetch_bed_end();
}

Test(isolation, random_logs_are_read_as_their_model_says)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        at_random(seed);
}

/* ---- logs that contradict themselves ------------------------------------------------------ */

static void put_control(int producer, const void *key, size_t key_len, int32_t n)
{
    uint8_t buf[256];
    struct kw_wr wr = kwi_wr_make(buf, sizeof buf);
    kwi_record_put(&wr, 0, 0, (struct kw_bytes){key, key_len}, (struct kw_bytes){"", 0}, NULL, 0);
    struct bytes batch = batch_of(0, 0, 1, buf, n ? wr.len : 0);
    kwi_put_u32(batch.ptr + KWI_BATCH_RECORD_COUNT, (uint32_t)n);
    seal(&batch, 1000 + producer, KWI_BATCH_TRANSACTIONAL | KWI_BATCH_CONTROL);
    put(batch);
    model.end++;
}

static void stops_at(int64_t offset)
{
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    run(300, 100);
    cr_assert_eq(fetch_bed.seen[0].n_error, 1);
    cr_assert_eq(fetch_bed.seen[0].error, KW_ERR_CORRUPT, "%s", fetch_bed.seen[0].text);
    cr_assert_eq(fetch_bed.seen[0].error_offset, offset, "%lld",
                 (long long)fetch_bed.seen[0].error_offset);
    fetch_bed_seek(0, KW_START_OFFSET, offset + 1); /* and it can be gone on behind it */
    model.n_seen = 0;
    run(300, 100);
    cr_assert_eq(fetch_bed.seen[0].n_error, 1, "%s", fetch_bed.seen[0].text);
    fetch_bed_end();
}

/* C15 */
Test(isolation, a_marker_that_cannot_be_read_stops_the_partition)
{
    begin(committed);
    say(0, PLAIN, 1);
    say(0, 0, 2);
    put_control(0, "\0\0", 2, 1); /* no type */
    say(0, PLAIN, 1);
    stops_at(3);
    begin(committed);
    say(0, 0, 2);
    put_control(0, "\xff\xff\0\0", 4, 1); /* a version below 0 */
    stops_at(2);
}

Test(isolation, a_commit_of_what_the_broker_calls_aborted_stops_the_partition)
{
    begin(committed);
    say(0, 0, 2);
    put_control(0, "\0\0\0\7", 4, 1); /* of no known type: for us there is no marker */
    say(0, 0, 2);
    end(0, true);
    say(0, PLAIN, 1);
    stops_at(5);
}

/* Markers of unknown types and without records are passed; without a marker what the
 * broker calls aborted stays hidden. */
Test(isolation, a_missing_marker_hides_what_is_called_aborted_and_no_more)
{
    begin(committed);
    say(0, 0, 2);
    put_control(0, "\0\0\0\7", 4, 1);
    say(0, PLAIN, 2);
    say(0, 1, 1);
    put_control(1, "", 0, 0);
    say(0, 1, 1);
    end(1, false);
    fetch_bed_assign(0, 1, KW_START_EARLIEST, 0);
    run(300, 100);
    cr_assert_eq(fetch_bed.seen[0].n_error, 0, "%s", fetch_bed.seen[0].text);
    cr_assert_eq(model.n_seen, 2);
    cr_assert_eq(model.seen[0], 3);
    fetch_bed_end();
}

/* ---- the list by itself ------------------------------------------------------------------------ */

struct listed {
    int64_t producer, first;
};

static uint8_t *frame;
static struct kw_fetch_response_partition frame_item;

/* An answer of version 4 or 12 with this list. */
static struct kw_aborted listed(const struct listed *list, size_t n, int version)
{
    struct kw_fetch_aborted_transaction *items = calloc(n + 1, sizeof *items);
    struct kw_fetch_response_partition partition;
    struct kw_fetch_response_topic topic;
    struct kw_fetch_response msg;
    struct kw_aborted aborted;
    struct kw_iter it;
    for (size_t i = 0; i < n; i++) {
        kwi_fetch_aborted_transaction_init(&items[i]);
        items[i].producer_id = list[i].producer;
        items[i].first_offset = list[i].first;
    }
    kwi_fetch_response_partition_init(&partition);
    partition.aborted_transactions = KWI_ARR(items, n);
    kwi_fetch_response_topic_init(&topic);
    topic.topic = kwi_str("t");
    topic.partitions = KWI_ARR(&partition, 1);
    kwi_fetch_response_init(&msg);
    msg.responses = KWI_ARR(&topic, 1);
    struct kw_wr wr = kwi_wr_make(NULL, 0);
    cr_assert_eq(kwi_fetch_response_encode(&msg, version, &wr), 0); /* counts */
    size_t len = wr.len;
    free(frame);
    frame = malloc(len);
    wr = kwi_wr_make(frame, len);
    cr_assert_eq(kwi_fetch_response_encode(&msg, version, &wr), 0);
    free(items);
    cr_assert_eq(kwi_fetch_response_decode(&msg, version, frame, len, NULL), 0);
    kwi_iter_init(&it, &msg.responses);
    cr_assert(kwi_iter_next(&it, &topic));
    kwi_iter_init(&it, &topic.partitions);
    cr_assert(kwi_iter_next(&it, &frame_item));
    kwi_aborted_take(&aborted, frame + (frame_item.aborted_transactions.wire - frame),
                     &frame_item.aborted_transactions);
    return aborted;
}

static void sort_all(struct kw_aborted *aborted)
{
    size_t budget = SIZE_MAX;
    cr_assert_eq(kwi_aborted_sort(aborted, &budget), 1);
}

/* As the Java client does it: entries in the order of their offsets go into a set of
 * producers, markers take them out. */
static void as_java_does(uint64_t seed, int version)
{
    enum { N = 40, IDS = 4 };
    struct listed list[N];
    bool used[N] = {false}, set[IDS] = {false};
    struct sim_rng rng;
    rng = sim_rng_make(seed, 0);
    size_t n = sim_below(&rng, N + 1);
    for (size_t i = 0; i < n; i++)
        list[i] = (struct listed){sim_below(&rng, IDS), sim_below(&rng, 100)};
    struct kw_aborted aborted = listed(list, n, version);
    cr_assert_eq(aborted.n, n);
    sort_all(&aborted);
    for (int64_t offset = 0; offset < 100; offset++) {
        int64_t producer = sim_below(&rng, IDS);
        for (size_t i = 0; i < n; i++)
            if (!used[i] && list[i].first <= offset)
                used[i] = set[list[i].producer] = true;
        if (sim_below(&rng, 4) == 0) {
            cr_assert_eq(kwi_aborted_marker(&aborted, producer, KWI_CONTROL_ABORT, offset), 0);
            set[producer] = false;
        } else {
            cr_assert_eq(kwi_aborted_covers(&aborted, producer, offset), set[producer],
                         "seed %llu offset %lld", (unsigned long long)seed, (long long)offset);
        }
    }
}

Test(isolation, a_list_in_any_order_says_what_it_says_to_java)
{
    for (unsigned seed = 1; seed <= 5000; seed++)
        as_java_does(seed, seed % 2 ? 4 : 12);
    free(frame);
}

/* A broker may send what lies in front of the position: its markers count all the same. */
Test(isolation, a_marker_in_front_of_the_position_ends_its_transaction)
{
    static const struct listed list[] = {{1000, 0}, {1001, 4}};
    struct bytes all = {0}, batch;
    struct kw_records *records;
    uint8_t record[64];
    struct kw_wr wr = kwi_wr_make(record, sizeof record);
    kwi_record_put(&wr, 0, 0, (struct kw_bytes){"\0\0\0\0", 4}, (struct kw_bytes){"", 0}, NULL, 0);
    bed_begin(4, "isolation.level=read_committed");
    batch = batch_of(0, 3, 1, record, wr.len);
    seal(&batch, 1000, KWI_BATCH_TRANSACTIONAL | KWI_BATCH_CONTROL);
    append(&all, batch);
    for (int i = 0; i < 4; i++) {
        batch = batch_make(0, 4 + 2 * i, 2, 10);
        seal(&batch, 1000 + i % 2, KWI_BATCH_TRANSACTIONAL);
        append(&all, batch);
    }
    cr_assert(bed_feed(bed.part, all.ptr, all.len));
    bed.part->data.aborted = listed(list, 2, 12);
    records = poll_until(MIB);
    cr_assert(records);
    for (int64_t offset = 4; offset < 10; offset += offset == 5 ? 3 : 1)
        cr_assert_eq(kw_records_next(records)->offset, offset);
    cr_assert_null(kw_records_next(records));
    kw_core_records_release(records, KW_DONE);
    cr_assert_eq(bed.part->position, 12);
    cr_assert_not(next_fault());
    free(all.ptr);
    free(frame);
    bed_end();
}

Test(isolation, a_huge_list_is_sorted_in_bounded_calls_and_without_memory)
{
    enum { N = 200000 };
    struct listed *list = malloc((size_t)N * sizeof *list);
    struct sim_rng rng;
    unsigned n_calls = 1;
    size_t budget = MIB;
    rng = sim_rng_make(7, 0);
    for (int i = 0; i < N; i++)
        list[i] = (struct listed){sim_below(&rng, 1000), sim_below(&rng, 1 << 30)};
    struct kw_aborted aborted = listed(list, N, 12);
    while (kwi_aborted_sort(&aborted, &budget) == KW_ERR_WOULD_BLOCK) {
        budget = MIB;
        n_calls++;
    }
    cr_assert_geq(n_calls, 15);
    cr_assert_leq(n_calls, 25);
    for (int i = 0; i < N; i += 101)
        cr_assert(kwi_aborted_covers(&aborted, list[i].producer, list[i].first));
    /* In order there is nothing to sort; and entries of nobody are none. */
    for (int i = 0; i < N; i++)
        list[i] = (struct listed){7, i};
    list[5].producer = -1;
    list[6].first = -3;
    aborted = listed(list, N, 4);
    cr_assert_eq(aborted.n, N - 2);
    cr_assert_eq(aborted.n_steps, 0);
    cr_assert_not(kwi_aborted_covers(&aborted, -1, 5));
    cr_assert_not(kwi_aborted_covers(&aborted, 7, -1));
    cr_assert_not(kwi_aborted_covers(&aborted, 8, INT64_MAX));
    cr_assert(kwi_aborted_covers(&aborted, 7, INT64_MAX));
    free(list);
    free(frame);
}
