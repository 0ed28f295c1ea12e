/* From fetched bytes to records: batches are made by hand and put where a fetch
 * puts them, then polled, walked and released as an application does it.
 *
 * covers: C09 C10 C11 C19 C24 C25 C26 C27 C28 C36 C37 C42 C43 C44 C45 C46 C48 C52 C61 M09 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "client/consumer.h"
#include "proto/batch.h"
#include "proto/record.h"
#include <kwire/kwire.h>

/* ---- a core with one assigned partition and no network -------------------------- */

struct bed {
    struct kw_core *core;
    struct kw_consumer *consumer;
    struct kw_consumer_part *part;
    size_t n_allocs;
    long n_live;
    size_t crc_bytes, crc_most; /* in one poll */
};
static struct bed bed;

static void *bed_alloc(void *ctx, size_t size)
{
    (void)ctx;
    bed.n_allocs++;
    bed.n_live++;
    return malloc(size);
}

static void bed_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    bed.n_live--;
    free(ptr);
}

static uint32_t bed_crc(uint32_t crc, const void *ptr, size_t len)
{
    bed.crc_bytes += len;
    return kwi_crc32c_portable(crc, ptr, len);
}

static void bed_assign(int64_t offset)
{
    struct kw_start start = {"t", 3, KW_START_OFFSET, offset};
    cr_assert_eq(kw_core_assign(bed.consumer, &start, 1, NULL), 0);
    bed.part = kwi_consumer_find(bed.consumer, "t", 1, 3);
    bed.part->state = KWI_PART_FETCH; /* as if its leader were known */
}

static void bed_begin(int64_t offset, const char *key, const char *val)
{
    struct kw_env env = {.alloc = {bed_alloc, bed_free, NULL}, .crc32c = bed_crc};
    struct kw_config *cfg;
    struct kw_error err;
    cr_assert_eq(kw_config_create(&cfg, &env.alloc), 0);
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "h:1", &err), 0);
    if (key)
        cr_assert_eq(kw_config_set(cfg, key, val, &err), 0, "%s", err.text);
    cr_assert_eq(kw_core_create(&bed.core, cfg, &env, &err), 0, "%s", err.text);
    cr_assert_eq(kw_core_consumer_create(&bed.consumer, bed.core, NULL, &err), 0, "%s", err.text);
    kw_config_destroy(cfg);
    kw_core_step(bed.core, (struct kw_time){1000000, 1000});
    bed_assign(offset);
}

static void bed_end(void)
{
    kw_core_destroy(bed.core);
    cr_assert_eq(bed.n_live, 0, "%ld blocks leaked", bed.n_live);
}

/* What a fetch does with an answer. The bytes end where their block ends, so
 * that ASan sees one byte too far. */
static void bed_feed(const uint8_t *bytes, size_t len, int64_t high_watermark)
{
    struct kw_block *block = kwi_block_create(&bed.core->fetch_pool, len, 0);
    uint8_t *at = kwi_block_data(block) + block->cap - len;
    cr_assert_null(bed.part->data.block);
    memcpy(at, bytes, len);
    bed.part->data.block = block;
    bed.part->data.ptr = at;
    bed.part->data.end = at + len;
    bed.part->data.began = bed.part->position;
    bed.part->high_watermark = high_watermark;
    kwi_part_settle(bed.part);
}

/* ---- batches ------------------------------------------------------------------------ */

struct made {
    uint8_t buf[64 * 1024];
    size_t len, last; /* last: where the last batch begins */
};
static struct made made;

struct spec {
    int64_t base_offset;
    int32_t n;          /* records, offset deltas 0, step, 2 step ... */
    int32_t step;       /* 0: 1 */
    int32_t last_delta; /* 0: that of the last record; -1: 0, which is too low */
    int16_t attributes;
    size_t value_len;
};

static void made_seal(size_t at)
{
    kwi_batch_seal(made.buf + at, made.len - at, kwi_crc32c_portable);
}

static struct kw_batch_header made_begin(const struct spec *spec)
{
    struct kw_batch_header header;
    kwi_batch_header_init(&header);
    header.base_offset = spec->base_offset;
    header.partition_leader_epoch = 7;
    header.attributes = spec->attributes;
    header.base_timestamp = 5000;
    header.max_timestamp = 9000;
    header.record_count = spec->n;
    made.last = made.len;
    made.len += KWI_BATCH_HEADER;
    return header;
}

/* Appends a batch; the value of each record is its offset in decimal, filled up
 * with dots to value_len. */
static void made_batch(struct spec spec)
{
    struct kw_batch_header header = made_begin(&spec);
    int32_t step = spec.step ? spec.step : 1;
    static char value[8192];
    for (int32_t i = 0; i < spec.n; i++) {
        struct kw_wr wr = kwi_wr_make(made.buf + made.len, sizeof made.buf - made.len);
        int n = snprintf(value, sizeof value, "%lld", (long long)(spec.base_offset + i * step));
        size_t len = (size_t)n > spec.value_len ? (size_t)n : spec.value_len;
        memset(value + n, '.', sizeof value - (size_t)n);
        kwi_record_put(&wr, i, i * step, (struct kw_bytes){NULL, 0}, (struct kw_bytes){value, len},
                       NULL, 0);
        cr_assert_eq(kwi_wr_status(&wr), 0);
        made.len += wr.len;
    }
    header.last_offset_delta = spec.n > 0 ? (spec.n - 1) * step : 0;
    if (spec.last_delta)
        header.last_offset_delta = spec.last_delta > 0 ? spec.last_delta : 0;
    kwi_batch_header_put(made.buf + made.last, &header);
    made_seal(made.last);
}

static void feed_made(int64_t high_watermark)
{
    bed_feed(made.buf, made.len, high_watermark);
    made.len = 0;
}

/* ---- reading -------------------------------------------------------------------------- */

static struct kw_records *poll_one(size_t max)
{
    struct kw_records *records = NULL;
    int rc;
    bed.crc_bytes = 0;
    rc = kw_core_consumer_poll(bed.consumer, &records, max);
    if (bed.crc_bytes > bed.crc_most)
        bed.crc_most = bed.crc_bytes;
    cr_assert_eq(rc, records ? 1 : 0);
    return records;
}

/* The record's value must be its offset. */
static bool expect_next(struct kw_records *records, int64_t offset)
{
    const struct kw_consumed *consumed = kw_records_next(records);
    char text[32];
    if (!consumed)
        return false;
    cr_assert_eq(consumed->offset, offset);
    int n = snprintf(text, sizeof text, "%lld", (long long)offset);
    cr_assert(consumed->value.len >= (size_t)n &&
              memcmp(consumed->value.ptr, text, (size_t)n) == 0);
    return true;
}

/* Reads a handle of n consecutive records from `from` on and releases it. */
static void read_handle(size_t max, int64_t from, int64_t n)
{
    struct kw_records *records = poll_one(max);
    cr_assert_not_null(records);
    cr_assert_str_eq(kw_records_topic(records), "t");
    cr_assert_eq(kw_records_partition(records), 3);
    for (int64_t i = 0; i < n; i++)
        cr_assert(expect_next(records, from + i), "offset %lld is missing", (long long)(from + i));
    cr_assert_null(kw_records_next(records));
    cr_assert_null(kw_records_next(records), "the end stays the end");
    kw_core_records_release(records, KW_DONE);
}

static int64_t position(void)
{
    int64_t offset;
    cr_assert_eq(kw_position(bed.consumer, "t", 3, &offset), 0);
    return offset;
}

/* The next event of that kind, or NONE; others but RECORDS fail. */
static struct kw_event next_event(enum kw_event_kind kind)
{
    static struct kw_event event;
    while (kw_core_next_event(bed.core, &event)) {
        if (event.kind == kind) {
            cr_assert_eq(event.consumer, bed.consumer);
            return event;
        }
        cr_assert_eq(event.kind, KW_EVENT_RECORDS, "an event of kind %d", event.kind);
    }
    return (struct kw_event){.kind = KW_EVENT_NONE};
}

/* The part has stopped at `offset` with this error, told once, and says `text`. */
static void expect_stopped(int64_t offset, int code, const char *text)
{
    struct kw_event event;
    cr_assert_null(poll_one(0));
    cr_assert_eq(bed.part->state, KWI_PART_STOPPED);
    cr_assert_null(bed.part->data.block);
    cr_assert_eq(position(), offset);
    event = next_event(KW_EVENT_ERROR);
    cr_assert_eq(event.kind, KW_EVENT_ERROR);
    cr_assert_eq(event.code, code, "%s", kw_err_name(event.code));
    cr_assert_str_eq(event.topic_name, "t");
    cr_assert_eq(event.partition, 3);
    cr_assert_eq(event.offset, offset);
    cr_assert(strstr(event.error->text, text), "%s", event.error->text);
    cr_assert_neq(event.error->hint[0], 0);
    cr_assert_eq(next_event(KW_EVENT_ERROR).kind, KW_EVENT_NONE);
}

/* ---- what is delivered ------------------------------------------------------------------ */

Test(records, batches_come_whole_and_the_position_follows)
{
    bed_begin(100, NULL, NULL);
    made_batch((struct spec){.base_offset = 100, .n = 3});
    made_batch((struct spec){.base_offset = 103, .n = 5});
    feed_made(200);
    cr_assert_eq(next_event(KW_EVENT_RECORDS).kind, KW_EVENT_RECORDS);
    read_handle(0, 100, 8);
    cr_assert_eq(position(), 108);
    cr_assert_null(poll_one(0));
    cr_assert_null(bed.part->data.block, "the next fetch may go out");
    cr_assert_eq(bed.core->stats.records_fetched, 8);
    bed_end();
}

Test(records, key_value_headers_and_times_arrive_as_they_were_sent)
{
    struct kw_header headers[] = {{{"a", 1}, {"1", 1}}, {{"", 0}, {"", 0}}, {{"b", 1}, {NULL, 0}}};
    struct spec spec = {.base_offset = 0, .n = 3};
    bed_begin(0, NULL, NULL);
    struct kw_batch_header header = made_begin(&spec);
    struct kw_wr wr = kwi_wr_make(made.buf + made.len, sizeof made.buf - made.len);
    kwi_record_put(&wr, -5, 0, (struct kw_bytes){"k", 1}, (struct kw_bytes){NULL, 0}, headers, 3);
    kwi_record_put(&wr, 7, 1, (struct kw_bytes){"", 0}, (struct kw_bytes){"", 0}, NULL, 0);
    kwi_record_put(&wr, 1 << 30, 2, (struct kw_bytes){NULL, 0}, (struct kw_bytes){"v", 1}, NULL, 0);
    made.len += wr.len;
    header.last_offset_delta = 2;
    kwi_batch_header_put(made.buf, &header);
    made_seal(0);
    feed_made(3);
    struct kw_records *records = poll_one(0);
    struct kw_header_iter it;
    struct kw_header h;

    const struct kw_consumed *c = kw_records_next(records);
    cr_assert(c->key.len == 1 && memcmp(c->key.ptr, "k", 1) == 0);
    cr_assert(!c->value.ptr && c->value.len == 0, "a tombstone is null, not empty");
    cr_assert_eq(c->timestamp_ms, 4995);
    cr_assert_eq(c->timestamp_type, 0);
    cr_assert_eq(c->leader_epoch, 7);
    kw_headers_begin(&it, c);
    cr_assert_eq(kw_headers_next(&it, &h), 1);
    cr_assert(h.key.len == 1 && memcmp(h.key.ptr, "a", 1) == 0 && h.value.len == 1);
    cr_assert_eq(kw_headers_next(&it, &h), 1);
    cr_assert(h.key.len == 0 && h.value.ptr && h.value.len == 0);
    cr_assert_eq(kw_headers_next(&it, &h), 1);
    cr_assert(h.key.len == 1 && !h.value.ptr);
    cr_assert_eq(kw_headers_next(&it, &h), 0);
    cr_assert_eq(kw_headers_next(&it, &h), 0);

    c = kw_records_next(records);
    cr_assert(c->key.ptr && c->key.len == 0, "an empty key is not a null key");
    cr_assert(c->value.ptr && c->value.len == 0);
    cr_assert_eq(c->timestamp_ms, 5007);
    kw_headers_begin(&it, c);
    cr_assert_eq(kw_headers_next(&it, &h), 0);
    c = kw_records_next(records);
    cr_assert(!c->key.ptr && c->value.len == 1);
    cr_assert_eq(c->timestamp_ms, 5000 + (1 << 30));
    kw_core_records_release(records, KW_DONE);
    bed_end();
}

Test(records, log_append_time_is_that_of_the_batch)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 2, .attributes = KWI_BATCH_LOG_APPEND_TIME});
    made_batch((struct spec){.base_offset = 2, .n = 1});
    feed_made(3);
    struct kw_records *records = poll_one(0);
    for (int i = 0; i < 3; i++) {
        const struct kw_consumed *c = kw_records_next(records);
        cr_assert_eq(c->timestamp_type, i < 2);
        cr_assert_eq(c->timestamp_ms, i < 2 ? 9000 : 5000);
    }
    kw_core_records_release(records, KW_DONE);
    bed_end();
}

Test(records, a_handle_has_at_most_max_records_and_a_large_batch_is_cut)
{
    for (size_t max = 1; max <= 25; max++) {
        int64_t at = 0;
        memset(&bed, 0, sizeof bed);
        bed_begin(0, NULL, NULL);
        made_batch((struct spec){.base_offset = 0, .n = 4});
        made_batch((struct spec){.base_offset = 4, .n = 11});
        made_batch((struct spec){.base_offset = 15, .n = 1});
        made_batch((struct spec){.base_offset = 16, .n = 4});
        feed_made(20);
        while (at < 20) {
            struct kw_records *records = poll_one(max);
            size_t n = 0;
            cr_assert_not_null(records, "stuck at %lld", (long long)at);
            while (expect_next(records, at)) {
                n++;
                at++;
            }
            cr_assert(n > 0 && n <= max, "%zu records for a maximum of %zu", n, max);
            cr_assert_eq(position(), at);
            kw_core_records_release(records, KW_DONE);
        }
        cr_assert_null(poll_one(max));
        cr_assert_eq(bed.core->stats.records_fetched, 20);
        bed_end();
    }
}

Test(records, max_poll_records_is_the_default_maximum)
{
    bed_begin(0, "max.poll.records", "3");
    made_batch((struct spec){.base_offset = 0, .n = 7});
    feed_made(7);
    read_handle(0, 0, 3);
    read_handle(0, 3, 3);
    read_handle(0, 6, 1);
    bed_end();
}

/* Places in a batch are remembered every so many records: pieces that begin and end
 * beside them, at them and far behind them. */
Test(records, a_large_batch_is_cut_anywhere_whatever_the_usual_maximum_is)
{
    static const char *const usual[] = {"1", "3", "7", "50", "500"};

    for (size_t i = 0; i < 5 * 64; i++) {
        uint32_t chance = (uint32_t)i * 2654435761u + 1;
        memset(&bed, 0, sizeof bed);
        bed_begin(0, "max.poll.records", usual[i % 5]);
        made_batch((struct spec){.base_offset = 0, .n = 150});
        made_batch((struct spec){.base_offset = 150, .n = 20});
        feed_made(170);
        for (int64_t at = 0, n; at < 170; at += n) {
            int64_t end = at < 150 ? 150 : 170;
            chance = chance * 1664525 + 1013904223;
            n = 1 + (chance >> 16) % (i % 3 ? 7 : 70);
            n = n < end - at ? n : end - at;
            read_handle((size_t)n, at, n);
        }
        bed_end();
    }
}

Test(records, a_batch_that_begins_below_the_position_is_filtered)
{
    bed_begin(7, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 3});
    made_batch((struct spec){.base_offset = 5, .n = 5});
    feed_made(10);
    read_handle(0, 7, 3);
    cr_assert_eq(position(), 10);
    cr_assert_eq(bed.core->stats.records_fetched, 3);
    bed_end();
}

Test(records, a_cut_inside_a_filtered_batch_goes_on_behind_it)
{
    bed_begin(7, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 12});
    feed_made(12);
    struct kw_records *records;
    int64_t at = 7;
    while ((records = poll_one(5))) {
        while (expect_next(records, at))
            at++;
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(at, 12);
    cr_assert_eq(position(), 12);
    bed_end();
}

Test(records, gaps_of_a_compacted_log_are_kept_and_stepped_over)
{
    bed_begin(10, NULL, NULL);
    made_batch((struct spec){.base_offset = 10, .n = 3, .step = 4, .last_delta = 30});
    made_batch((struct spec){.base_offset = 60, .n = 2, .step = 2, .last_delta = 9});
    feed_made(70);
    struct kw_records *records = poll_one(2);
    cr_assert(expect_next(records, 10));
    cr_assert(expect_next(records, 14));
    cr_assert_null(kw_records_next(records));
    cr_assert_eq(position(), 15);
    kw_core_records_release(records, KW_DONE);
    records = poll_one(0);
    cr_assert(expect_next(records, 18));
    cr_assert(expect_next(records, 60));
    cr_assert(expect_next(records, 62));
    cr_assert_null(kw_records_next(records));
    cr_assert_eq(position(), 70, "the last offsets of the batch were compacted away");
    kw_core_records_release(records, KW_DONE);
    bed_end();
}

Test(records, empty_and_control_batches_move_the_position_and_nothing_else)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 0, .last_delta = 9});
    made_batch((struct spec){.base_offset = 10, .n = 1, .attributes = KWI_BATCH_CONTROL});
    made_batch((struct spec){.base_offset = 11, .n = 2});
    made_batch((struct spec){.base_offset = 13, .n = 1, .attributes = KWI_BATCH_CONTROL});
    made_batch((struct spec){.base_offset = 14, .n = 2});
    made_batch((struct spec){.base_offset = 16, .n = 0, .last_delta = 3});
    feed_made(20);
    struct kw_records *records = poll_one(0);
    cr_assert(expect_next(records, 11));
    cr_assert(expect_next(records, 12));
    cr_assert(expect_next(records, 14));
    cr_assert(expect_next(records, 15));
    cr_assert_null(kw_records_next(records));
    kw_core_records_release(records, KW_DONE);
    cr_assert_eq(position(), 20);
    /* An answer of nothing else. */
    made_batch((struct spec){.base_offset = 20, .n = 1, .attributes = KWI_BATCH_CONTROL});
    feed_made(21);
    cr_assert_null(poll_one(0));
    cr_assert_eq(position(), 21);
    cr_assert_eq(bed.part->state, KWI_PART_FETCH);
    bed_end();
}

Test(records, a_batch_that_is_cut_off_at_the_end_is_left_for_the_next_fetch)
{
    for (size_t cut = 1; cut < 100; cut += 7) {
        memset(&bed, 0, sizeof bed);
        bed_begin(0, NULL, NULL);
        made_batch((struct spec){.base_offset = 0, .n = 2});
        size_t whole = made.len;
        made_batch((struct spec){.base_offset = 2, .n = 9, .value_len = 10});
        cr_assert_gt(made.len - cut, whole);
        made.len -= cut;
        feed_made(11);
        read_handle(0, 0, 2);
        cr_assert_null(poll_one(0));
        cr_assert_eq(position(), 2);
        cr_assert_eq(bed.part->state, KWI_PART_FETCH);
        cr_assert_eq(next_event(KW_EVENT_PARTITION_EOF).kind, KW_EVENT_NONE);
        bed_end();
    }
}

Test(records, data_that_does_not_reach_the_position_is_asked_for_after_a_pause)
{
    bed_begin(50, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 2});
    feed_made(100);
    cr_assert_null(poll_one(0));
    cr_assert_eq(position(), 50);
    cr_assert_eq(bed.part->state, KWI_PART_WAIT, "it would be asked for again at once, for ever");
    bed_end();
}

/* ---- what is refused ---------------------------------------------------------------------- */

Test(records, a_wrong_checksum_stops_the_partition_and_nothing_of_the_batch_comes)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 4});
    made_batch((struct spec){.base_offset = 4, .n = 4});
    made.buf[made.len - 2] ^= 1;
    made_batch((struct spec){.base_offset = 8, .n = 4});
    feed_made(12);
    read_handle(0, 0, 4);
    expect_stopped(4, KW_ERR_CRC, "t partition 3 at offset 4: the checksum");
    /* Only a seek gets it going again. */
    struct kw_start start = {"t", 3, KW_START_OFFSET, 8};
    cr_assert_eq(kw_core_seek(bed.consumer, &start), 0);
    bed.part->state = KWI_PART_FETCH;
    made_batch((struct spec){.base_offset = 8, .n = 4});
    feed_made(12);
    read_handle(0, 8, 4);
    bed_end();
}

Test(records, check_crcs_false_skips_the_checksum_and_no_other_check)
{
    bed_begin(0, "check.crcs", "false");
    made_batch((struct spec){.base_offset = 0, .n = 4});
    made.buf[KWI_BATCH_CRC] ^= 1;
    feed_made(8);
    read_handle(0, 0, 4);
    cr_assert_eq(bed.crc_most, 0);
    made_batch((struct spec){.base_offset = 4, .n = 4});
    kwi_put_u32(made.buf + KWI_BATCH_RECORD_COUNT, 5);
    feed_made(8);
    expect_stopped(4, KW_ERR_CORRUPT, "contradicts itself");
    bed_end();
}

Test(records, a_compressed_batch_is_a_typed_error_that_names_the_codec)
{
    static const char *const names[] = {"gzip",    "snappy",  "lz4",    "zstd",
                                        "unknown", "unknown", "unknown"};
    for (int16_t codec = 1; codec < 8; codec++) {
        memset(&bed, 0, sizeof bed);
        bed_begin(0, NULL, NULL);
        made_batch((struct spec){.base_offset = 0, .n = 2});
        made_batch((struct spec){.base_offset = 2, .n = 2, .attributes = codec});
        feed_made(4);
        read_handle(0, 0, 2);
        expect_stopped(2, KW_ERR_CODEC, names[codec - 1]);
        bed_end();
    }
}

Test(records, a_malformed_message_of_format_0_or_1_is_a_typed_error)
{
    for (uint8_t magic = 0; magic < 2; magic++) {
        memset(&bed, 0, sizeof bed);
        bed_begin(0, NULL, NULL);
        memset(made.buf, 0, 64);
        kwi_put_u32(made.buf + KWI_BATCH_LENGTH, 52);
        made.buf[KWI_BATCH_MAGIC] = magic;
        made.len = 64;
        feed_made(1);
        expect_stopped(0, KW_ERR_CORRUPT, "contradicts itself");
        bed_end();
    }
}

/* Changes the only batch, seals it again and expects that it is refused. */
static void refuse_changed(void (*change)(void), const char *what)
{
    memset(&bed, 0, sizeof bed);
    bed_begin(0, NULL, NULL);
    made.len = 0;
    made_batch((struct spec){.base_offset = 0, .n = 3, .value_len = 20});
    change();
    made_seal(0);
    feed_made(3);
    struct kw_records *records = poll_one(0);
    cr_assert_null(records, "%s was handed out", what);
    expect_stopped(0, KW_ERR_CORRUPT, "contradicts itself");
    bed_end();
}

static void change_count_up(void)
{
    kwi_put_u32(made.buf + KWI_BATCH_RECORD_COUNT, 4);
}
static void change_count_down(void)
{
    kwi_put_u32(made.buf + KWI_BATCH_RECORD_COUNT, 2);
}
static void change_count_negative(void)
{
    kwi_put_u32(made.buf + KWI_BATCH_RECORD_COUNT, UINT32_MAX);
}
static void change_count_huge(void)
{
    kwi_put_u32(made.buf + KWI_BATCH_RECORD_COUNT, INT32_MAX);
}
static void change_count_zero(void)
{
    kwi_put_u32(made.buf + KWI_BATCH_RECORD_COUNT, 0);
}
static void change_length_negative(void)
{
    made.buf[KWI_BATCH_HEADER] = 1;
}
static void change_length_beyond(void)
{
    made.buf[KWI_BATCH_HEADER] = 0x7e;
    made.buf[KWI_BATCH_HEADER + 1] = 0xff;
}
static void change_length_short(void)
{
    made.buf[KWI_BATCH_HEADER] -= 2;
}
static void change_length_endless(void)
{
    memset(made.buf + KWI_BATCH_HEADER, 0xff, 6);
}

Test(records, counts_and_lengths_that_contradict_the_bytes_are_refused_before_any_record)
{
    refuse_changed(change_count_up, "a count too high");
    refuse_changed(change_count_down, "a count too low");
    refuse_changed(change_count_negative, "a negative count");
    refuse_changed(change_count_huge, "a huge count");
    refuse_changed(change_count_zero, "a count of zero with records");
    refuse_changed(change_length_negative, "a negative length");
    refuse_changed(change_length_beyond, "a length beyond the batch");
    refuse_changed(change_length_short, "a length too short");
    refuse_changed(change_length_endless, "an endless varint");
}

Test(records, a_record_that_is_broken_inside_stops_the_partition_at_its_offset)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 3, .value_len = 20});
    size_t record = (made.len - KWI_BATCH_HEADER) / 3;
    made.buf[KWI_BATCH_HEADER + record + 4] = 0x7e; /* its key is longer than it */
    made_seal(0);
    made_batch((struct spec){.base_offset = 3, .n = 3});
    feed_made(6);
    struct kw_records *records = poll_one(0);
    cr_assert(expect_next(records, 0));
    cr_assert_null(kw_records_next(records));
    cr_assert_null(kw_records_next(records));
    expect_stopped(1, KW_ERR_CORRUPT, "contradicts itself");
    kw_core_records_release(records, KW_DONE);
    bed_end();
}

Test(records, an_offset_above_that_of_the_batch_stops_the_partition)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 3, .last_delta = -1});
    feed_made(6);
    struct kw_records *records = poll_one(0);
    cr_assert(expect_next(records, 0));
    cr_assert_null(kw_records_next(records));
    expect_stopped(1, KW_ERR_CORRUPT, "contradicts itself");
    kw_core_records_release(records, KW_DONE);
    bed_end();
}

Test(records, batches_that_go_back_stop_the_partition)
{
    bed_begin(5, NULL, NULL);
    made_batch((struct spec){.base_offset = 5, .n = 3});
    made_batch((struct spec){.base_offset = 7, .n = 3});
    feed_made(10);
    read_handle(0, 5, 3);
    expect_stopped(8, KW_ERR_CORRUPT, "contradicts itself");
    bed_end();
}

Test(records, a_lying_header_count_is_an_error_for_who_looks)
{
    struct kw_header_iter it;
    struct kw_header h;
    static const uint8_t bad[][3] = {{0x01},
                                     {0x06, 0x00, 0x00},
                                     {0x02, 0x01},
                                     {0x02, 0x04, 'k'},
                                     {0x02, 0x00, 0x02},
                                     {0xff, 0xff, 0xff}};
    static const uint8_t len[] = {1, 3, 2, 3, 3, 3};
    for (unsigned i = 0; i < sizeof len; i++) {
        uint8_t *exact = malloc(len[i]);
        memcpy(exact, bad[i], len[i]);
        struct kw_consumed consumed = {.headers = exact, .headers_len = len[i]};
        kw_headers_begin(&it, &consumed);
        cr_assert_eq(kw_headers_next(&it, &h), KW_ERR_CORRUPT, "case %u", i);
        cr_assert_eq(kw_headers_next(&it, &h), KW_ERR_CORRUPT, "case %u, again", i);
        free(exact);
    }
    struct kw_consumed none = {.headers = NULL};
    kw_headers_begin(&it, &none);
    cr_assert_eq(kw_headers_next(&it, &h), 0);
}

/* Reads everything that poll gives, headers too; whatever it is, no harm. */
static unsigned read_whatever(void)
{
    unsigned n = 0;
    for (int round = 0; round < 20; round++) {
        struct kw_records *records = poll_one(2);
        const struct kw_consumed *c;
        if (!records)
            continue;
        while ((c = kw_records_next(records))) {
            struct kw_header_iter it;
            struct kw_header h;
            volatile uint8_t sum = 0;
            n++;
            for (size_t i = 0; i < c->value.len; i++)
                sum = (uint8_t)(sum + ((const uint8_t *)c->value.ptr)[i]);
            kw_headers_begin(&it, c);
            while (kw_headers_next(&it, &h) == 1)
                sum = (uint8_t)(sum + h.key.len);
        }
        kw_core_records_release(records, KW_DONE);
    }
    return n;
}

static void made_mixed(void)
{
    struct kw_header headers[] = {{{"a", 1}, {"1", 1}}, {{"b", 1}, {NULL, 0}}};
    struct spec spec = {.base_offset = 0, .n = 2};
    made.len = 0;
    struct kw_batch_header header = made_begin(&spec);
    struct kw_wr wr = kwi_wr_make(made.buf + made.len, sizeof made.buf - made.len);
    kwi_record_put(&wr, 0, 0, (struct kw_bytes){"key", 3}, (struct kw_bytes){"value", 5}, headers,
                   2);
    kwi_record_put(&wr, 300, 1, (struct kw_bytes){NULL, 0}, (struct kw_bytes){NULL, 0}, NULL, 0);
    made.len += wr.len;
    header.last_offset_delta = 1;
    kwi_batch_header_put(made.buf, &header);
    made_seal(0);
    made_batch((struct spec){.base_offset = 2, .n = 3});
}

Test(records, every_prefix_and_every_changed_byte_is_survived)
{
    made_mixed();
    size_t len = made.len;
    for (size_t cut = 1; cut <= len; cut++) {
        memset(&bed, 0, sizeof bed);
        bed_begin(0, NULL, NULL);
        made_mixed();
        made.len = cut;
        feed_made(5);
        unsigned n = read_whatever();
        cr_assert(cut == len ? n == 5 : n == 0 || n == 2, "%u records of %zu bytes", n, cut);
        bed_end();
    }
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x7f, 0x02};
    unsigned taken = 0, harmless = 0;
    for (size_t i = 0; i < len * 2 * sizeof flips; i++) {
        size_t at = i / (2 * sizeof flips);
        memset(&bed, 0, sizeof bed);
        bed_begin(0, "check.crcs", i % 2 ? "true" : "false");
        made_mixed();
        made.buf[at] ^= flips[i / 2 % sizeof flips];
        feed_made(5);
        unsigned n = read_whatever();
        /* With checksums a changed byte shows only in what they do not cover:
         * base offset, length and leader epoch. */
        if (i % 2 && n == 5)
            harmless++;
        taken += n;
        bed_end();
    }
    cr_assert_gt(taken, 0);
    cr_assert_leq(harmless, 2 * 12 * sizeof flips);
}

/* ---- bounded work ---------------------------------------------------------------------------- */

Test(records, a_batch_of_many_mebibytes_is_verified_in_bounded_calls)
{
    const size_t size = 3 * 1024 * 1024 + 77, n = 13;
    uint8_t *big = malloc(KWI_BATCH_HEADER + size * n / 10);
    struct kw_wr wr = kwi_wr_make(big + KWI_BATCH_HEADER, size * n / 10);
    char *value = calloc(1, size / 10);
    unsigned polls = 0;
    struct kw_records *records;
    bed_begin(0, NULL, NULL);
    for (int32_t i = 0; i < (int32_t)n; i++)
        kwi_record_put(&wr, i, i, (struct kw_bytes){NULL, 0},
                       (struct kw_bytes){value, size / 10 - 20}, NULL, 0);
    cr_assert_eq(kwi_wr_status(&wr), 0);
    struct kw_batch_header header;
    kwi_batch_header_init(&header);
    header.base_offset = 0;
    header.record_count = (int32_t)n;
    header.last_offset_delta = (int32_t)n - 1;
    kwi_batch_header_put(big, &header);
    kwi_batch_seal(big, KWI_BATCH_HEADER + wr.len, kwi_crc32c_portable);
    bed_feed(big, KWI_BATCH_HEADER + wr.len, (int64_t)n);
    while (!(records = poll_one(0))) {
        polls++;
        cr_assert_lt(polls, 20);
        cr_assert_eq(next_event(KW_EVENT_RECORDS).kind, KW_EVENT_RECORDS,
                     "poll must be called again");
    }
    cr_assert_geq(polls, 3);
    cr_assert_leq(bed.crc_most, 1024 * 1024);
    for (size_t i = 0; i < n; i++)
        cr_assert_not_null(kw_records_next(records));
    cr_assert_null(kw_records_next(records));
    kw_core_records_release(records, KW_DONE);
    cr_assert_eq(position(), n);
    bed_end();
    free(value);
    free(big);
}

Test(records, one_poll_checks_no_more_than_a_mebibyte_of_small_batches)
{
    bed_begin(0, NULL, NULL);
    size_t cap = 4 * 1024 * 1024, len = 0;
    uint8_t *bytes = malloc(cap);
    int64_t offset = 0, at = 0;
    while (len + sizeof made.buf < cap) {
        made.len = 0;
        made_batch((struct spec){.base_offset = offset, .n = 4, .value_len = 8000});
        memcpy(bytes + len, made.buf, made.len);
        len += made.len;
        offset += 4;
    }
    bed_feed(bytes, len, offset);
    for (int i = 0; i < 100 && at < offset; i++) {
        struct kw_records *records = poll_one(1000000);
        while (records && expect_next(records, at))
            at++;
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(at, offset);
    cr_assert_leq(bed.crc_most, 1024 * 1024);
    cr_assert_gt(bed.crc_most, 400 * 1024, "checksums and lengths share the budget");
    bed_end();
    free(bytes);
}

Test(records, steady_state_allocates_nothing)
{
    bed_begin(0, NULL, NULL);
    size_t before = 0;
    for (int64_t round = 0; round < 50; round++) {
        made_batch((struct spec){.base_offset = round * 6, .n = 6});
        feed_made(1000);
        read_handle(4, round * 6, 4);
        read_handle(4, round * 6 + 4, 2);
        if (round == 3)
            before = bed.n_allocs;
    }
    cr_assert_eq(bed.n_allocs, before);
    bed_end();
}

/* ---- handles, seek, pause, assignment ------------------------------------------------------------ */

Test(records, handles_live_until_their_release_in_any_order)
{
    struct kw_records *handles[4];
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 20});
    feed_made(20);
    size_t idle = bed.core->fetch.used - bed.core->fetch_pool.kept_bytes;
    for (int i = 0; i < 4; i++)
        handles[i] = poll_one(5);
    cr_assert_null(poll_one(5));
    cr_assert_eq(bed.core->fetch.used - bed.core->fetch_pool.kept_bytes, idle,
                 "the frame counts while a handle holds it");
    static const int order[] = {2, 0, 3, 1};
    for (int i = 0; i < 4; i++) {
        for (int64_t k = 0; k < 5; k++)
            cr_assert(expect_next(handles[order[i]], order[i] * 5 + k));
        cr_assert_neq(bed.core->fetch.used - bed.core->fetch_pool.kept_bytes, 0);
        kw_core_records_release(handles[order[i]], KW_DONE);
    }
    cr_assert_eq(bed.core->fetch.used - bed.core->fetch_pool.kept_bytes, 0);
    kw_core_records_release(NULL, KW_DONE);
    bed_end();
}

Test(records, after_a_seek_nothing_old_is_delivered_but_old_handles_stay_readable)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 20});
    feed_made(20);
    struct kw_records *old = poll_one(5);
    struct kw_start start = {"t", 3, KW_START_OFFSET, 3};
    cr_assert_eq(kw_core_seek(bed.consumer, &start), 0);
    cr_assert_eq(position(), 3);
    cr_assert_null(poll_one(0));
    bed.part->state = KWI_PART_FETCH;
    made_batch((struct spec){.base_offset = 0, .n = 20});
    feed_made(20);
    read_handle(0, 3, 17);
    for (int64_t i = 0; i < 5; i++)
        cr_assert(expect_next(old, i));
    kw_core_records_release(old, KW_DONE);
    bed_end();
}

Test(records, a_broken_record_in_an_old_handle_does_not_stop_the_new_position)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 3, .value_len = 20});
    made.buf[KWI_BATCH_HEADER + 4] = 0x7e;
    made_seal(0);
    feed_made(3);
    struct kw_records *old = poll_one(0);
    struct kw_start start = {"t", 3, KW_START_OFFSET, 9};
    cr_assert_eq(kw_core_seek(bed.consumer, &start), 0);
    cr_assert_null(kw_records_next(old));
    cr_assert_neq(bed.part->state, KWI_PART_STOPPED);
    cr_assert_eq(position(), 9);
    cr_assert_eq(next_event(KW_EVENT_ERROR).kind, KW_EVENT_NONE);
    kw_core_records_release(old, KW_DONE);
    bed_end();
}

Test(records, a_new_assignment_drops_what_was_buffered_and_keeps_handles_readable)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 20});
    feed_made(20);
    struct kw_records *old = poll_one(5), *unread = poll_one(5);
    bed_assign(100);
    cr_assert_null(poll_one(0));
    for (int64_t i = 0; i < 5; i++)
        cr_assert(expect_next(old, i));
    cr_assert_eq(kw_core_assign(bed.consumer, NULL, 0, NULL), 0);
    int64_t offset;
    cr_assert_eq(kw_position(bed.consumer, "t", 3, &offset), KW_ERR_STATE);
    cr_assert_str_eq(kw_records_topic(old), "t");
    cr_assert_eq(kw_records_partition(old), 3);
    kw_core_records_release(old, KW_DONE);
    (void)unread; /* never released: the core's end takes it */
    bed_end();
}

Test(records, a_failed_assignment_changes_nothing)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 20});
    feed_made(20);
    struct kw_start twice[] = {{"a", 0, KW_START_EARLIEST, 0}, {"a", 0, KW_START_LATEST, 0}};
    struct kw_start bad[] = {{"", 0, 0, 0},
                             {"a b", 0, 0, 0},
                             {"a", -1, 0, 0},
                             {"a", 0, 0, -1},
                             {"a", 0, 99, 0},
                             {NULL, 0, 0, 0},
                             {"a", 0, KW_START_TAIL, -1},
                             {"a", 0, KW_START_TIMESTAMP, -2}};
    struct kw_error err;
    cr_assert_eq(kw_core_assign(bed.consumer, twice, 2, &err), KW_ERR_USE);
    cr_assert(strstr(err.text, "twice"), "%s", err.text);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(kw_core_assign(bed.consumer, &bad[i], 1, &err), KW_ERR_USE, "case %u", i);
        cr_assert_eq(kw_core_seek(bed.consumer, &bad[i]), KW_ERR_USE);
    }
    read_handle(0, 0, 20);
    struct kw_start other = {"t", 4, KW_START_OFFSET, 1};
    cr_assert_eq(kw_core_seek(bed.consumer, &other), KW_ERR_STATE);
    cr_assert_eq(kw_core_pause(bed.consumer, "t", 4, true), KW_ERR_STATE);
    cr_assert_eq(kw_core_pause(bed.consumer, "u", 3, true), KW_ERR_STATE);
    bed_end();
}

Test(records, a_paused_partition_keeps_what_is_buffered_and_delivers_it_after_resume)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 9});
    feed_made(9);
    read_handle(2, 0, 2);
    cr_assert_eq(kw_core_pause(bed.consumer, "t", 3, true), 0);
    cr_assert_eq(kw_core_pause(bed.consumer, "t", 3, true), 0);
    cr_assert_null(poll_one(0));
    cr_assert_not_null(bed.part->data.block);
    cr_assert_eq(position(), 2);
    cr_assert_eq(kw_core_pause(bed.consumer, "t", 3, false), 0);
    cr_assert_eq(next_event(KW_EVENT_RECORDS).kind, KW_EVENT_RECORDS);
    read_handle(0, 2, 7);
    /* seek, pause, resume: the position is the seek's */
    struct kw_start start = {"t", 3, KW_START_OFFSET, 4};
    cr_assert_eq(kw_core_seek(bed.consumer, &start), 0);
    cr_assert_eq(kw_core_pause(bed.consumer, "t", 3, true), 0);
    cr_assert_eq(kw_core_pause(bed.consumer, "t", 3, false), 0);
    cr_assert_eq(position(), 4);
    bed_end();
}

Test(records, the_end_of_a_partition_is_told_once_each_time_it_is_reached)
{
    bed_begin(0, NULL, NULL);
    made_batch((struct spec){.base_offset = 0, .n = 4});
    feed_made(4);
    cr_assert_eq(next_event(KW_EVENT_PARTITION_EOF).kind, KW_EVENT_NONE, "nothing was read yet");
    read_handle(0, 0, 4);
    struct kw_event event = next_event(KW_EVENT_PARTITION_EOF);
    cr_assert_eq(event.kind, KW_EVENT_PARTITION_EOF);
    cr_assert_str_eq(event.topic_name, "t");
    cr_assert_eq(event.partition, 3);
    cr_assert_eq(event.offset, 4);
    kwi_part_check_eof(bed.part); /* an empty answer */
    cr_assert_eq(next_event(KW_EVENT_PARTITION_EOF).kind, KW_EVENT_NONE);
    made_batch((struct spec){.base_offset = 4, .n = 1});
    feed_made(6);
    read_handle(0, 4, 1);
    cr_assert_eq(next_event(KW_EVENT_PARTITION_EOF).kind, KW_EVENT_NONE, "5 of 6");
    made_batch((struct spec){.base_offset = 5, .n = 1});
    feed_made(6);
    read_handle(0, 5, 1);
    cr_assert_eq(next_event(KW_EVENT_PARTITION_EOF).offset, 6);
    cr_assert_eq(position(), 6);
    bed_end();
}
