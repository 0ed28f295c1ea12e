#include "tests/client/records_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "proto/record.h"
#include <kwire/kwire.h>

/* ---- a core with one assigned partition and no network -------------------------- */

struct records_bed rbed;

static void *rbed_alloc(void *ctx, size_t size)
{
    (void)ctx;
    rbed.n_allocs++;
    rbed.n_live++;
    return malloc(size);
}

static void rbed_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    rbed.n_live--;
    free(ptr);
}

static uint32_t rbed_crc(uint32_t crc, const void *ptr, size_t len)
{
    rbed.crc_bytes += len;
    return kwi_crc32c_portable(crc, ptr, len);
}

void rbed_assign(int64_t offset)
{
    struct kw_start start = {"t", 3, KW_START_OFFSET, offset};
    cr_assert_eq(kw_core_assign(rbed.consumer, &start, 1, NULL), 0);
    rbed.part = kwi_consumer_find(rbed.consumer, "t", 1, 3);
    rbed.part->state = KWI_PART_FETCH; /* as if its leader were known */
}

void rbed_begin(int64_t offset, const char *key, const char *val)
{
    struct kw_env env = {.alloc = {rbed_alloc, rbed_free, NULL}, .crc32c = rbed_crc};
    struct kw_config *cfg;
    struct kw_error err;
    cr_assert_eq(kw_config_create(&cfg, &env.alloc), 0);
    cr_assert_eq(kw_config_set(cfg, "bootstrap.servers", "h:1", &err), 0);
    if (key)
        cr_assert_eq(kw_config_set(cfg, key, val, &err), 0, "%s", err.text);
    cr_assert_eq(kw_core_create(&rbed.core, cfg, &env, &err), 0, "%s", err.text);
    cr_assert_eq(kw_core_consumer_create(&rbed.consumer, rbed.core, NULL, &err), 0, "%s", err.text);
    kw_config_destroy(cfg);
    kw_core_step(rbed.core, (struct kw_time){1000000, 1000});
    rbed_assign(offset);
}

void rbed_end(void)
{
    kw_core_destroy(rbed.core);
    cr_assert_eq(rbed.n_live, 0, "%ld blocks leaked", rbed.n_live);
}

/* What a fetch does with an answer. The bytes end where their block ends, so
 * that ASan sees one byte too far. */
void rbed_feed(const uint8_t *bytes, size_t len, int64_t high_watermark)
{
    struct kw_block *block = kwi_block_create(&rbed.core->fetch_pool, len, 0);
    uint8_t *at = kwi_block_data(block) + block->cap - len;
    cr_assert_null(rbed.part->data.block);
    memcpy(at, bytes, len);
    rbed.part->data.block = block;
    rbed.part->data.ptr = at;
    rbed.part->data.end = at + len;
    rbed.part->data.began = rbed.part->position;
    rbed.part->high_watermark = high_watermark;
    kwi_part_settle(rbed.part);
}

/* ---- batches ------------------------------------------------------------------------ */

struct records_made rmade;

void rbed_made_seal(size_t at)
{
    kwi_batch_seal(rmade.buf + at, rmade.len - at, kwi_crc32c_portable);
}

struct kw_batch_header rbed_made_begin(const struct records_spec *spec)
{
    struct kw_batch_header header;
    kwi_batch_header_init(&header);
    header.base_offset = spec->base_offset;
    header.partition_leader_epoch = 7;
    header.attributes = spec->attributes;
    header.base_timestamp = 5000;
    header.max_timestamp = 9000;
    header.record_count = spec->n;
    rmade.last = rmade.len;
    rmade.len += KWI_BATCH_HEADER;
    return header;
}

/* Appends a batch; the value of each record is its offset in decimal, filled up
 * with dots to value_len. */
void rbed_made_batch(struct records_spec spec)
{
    struct kw_batch_header header = rbed_made_begin(&spec);
    int32_t step = spec.step ? spec.step : 1;
    static char value[8192];
    for (int32_t i = 0; i < spec.n; i++) {
        struct kw_wr wr = kwi_wr_make(rmade.buf + rmade.len, sizeof rmade.buf - rmade.len);
        int n = snprintf(value, sizeof value, "%lld", (long long)(spec.base_offset + i * step));
        size_t len = (size_t)n > spec.value_len ? (size_t)n : spec.value_len;
        memset(value + n, '.', sizeof value - (size_t)n);
        kwi_record_put(&wr, i, i * step, (struct kw_bytes){NULL, 0}, (struct kw_bytes){value, len},
                       NULL, 0);
        cr_assert_eq(kwi_wr_status(&wr), 0);
        rmade.len += wr.len;
    }
    header.last_offset_delta = spec.n > 0 ? (spec.n - 1) * step : 0;
    if (spec.last_delta)
        header.last_offset_delta = spec.last_delta > 0 ? spec.last_delta : 0;
    kwi_batch_header_put(rmade.buf + rmade.last, &header);
    rbed_made_seal(rmade.last);
}

void rbed_feed_made(int64_t high_watermark)
{
    rbed_feed(rmade.buf, rmade.len, high_watermark);
    rmade.len = 0;
}

/* ---- reading -------------------------------------------------------------------------- */

struct kw_records *rbed_poll_one(size_t max)
{
    struct kw_records *records = NULL;
    int rc;
    rbed.crc_bytes = 0;
    rc = kw_core_consumer_poll(rbed.consumer, &records, max);
    if (rbed.crc_bytes > rbed.crc_most)
        rbed.crc_most = rbed.crc_bytes;
    cr_assert_eq(rc, records ? 1 : 0);
    return records;
}

/* The record's value must be its offset. */
bool rbed_expect_next(struct kw_records *records, int64_t offset)
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
void rbed_read_handle(size_t max, int64_t from, int64_t n)
{
    struct kw_records *records = rbed_poll_one(max);
    cr_assert_not_null(records);
    cr_assert_str_eq(kw_records_topic(records), "t");
    cr_assert_eq(kw_records_partition(records), 3);
    for (int64_t i = 0; i < n; i++)
        cr_assert(rbed_expect_next(records, from + i), "offset %lld is missing",
                  (long long)(from + i));
    cr_assert_null(kw_records_next(records));
    cr_assert_null(kw_records_next(records), "the end stays the end");
    kw_core_records_release(records, KW_DONE);
}

int64_t rbed_position(void)
{
    int64_t offset;
    cr_assert_eq(kw_position(rbed.consumer, "t", 3, &offset), 0);
    return offset;
}

/* The next event of that kind, or NONE; others but RECORDS fail. */
struct kw_event rbed_next_event(enum kw_event_kind kind)
{
    static struct kw_event event;
    while (kw_core_next_event(rbed.core, &event)) {
        if (event.kind == kind) {
            cr_assert_eq(event.consumer, rbed.consumer);
            return event;
        }
        cr_assert_eq(event.kind, KW_EVENT_RECORDS, "an event of kind %d", event.kind);
    }
    return (struct kw_event){.kind = KW_EVENT_NONE};
}

/* The part has stopped at `offset` with this error, told once, and says `text`. */
void rbed_expect_stopped(int64_t offset, int code, const char *text)
{
    struct kw_event event;
    cr_assert_null(rbed_poll_one(0));
    cr_assert_eq(rbed.part->state, KWI_PART_STOPPED);
    cr_assert_null(rbed.part->data.block);
    cr_assert_eq(rbed_position(), offset);
    event = rbed_next_event(KW_EVENT_ERROR);
    cr_assert_eq(event.kind, KW_EVENT_ERROR);
    cr_assert_eq(event.code, code, "%s", kw_err_name(event.code));
    cr_assert_str_eq(event.topic_name, "t");
    cr_assert_eq(event.partition, 3);
    cr_assert_eq(event.offset, offset);
    cr_assert(strstr(event.error->text, text), "%s", event.error->text);
    cr_assert_neq(event.error->hint[0], 0);
    cr_assert_eq(rbed_next_event(KW_EVENT_ERROR).kind, KW_EVENT_NONE);
}
