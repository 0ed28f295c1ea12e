/* records_bed.h -- a core with one assigned partition and no network: batches are made by
 * hand and put where a fetch puts them, then polled, walked and released as an application
 * does it. */
#ifndef RECORDS_BED_H
#define RECORDS_BED_H
#include "client/consumer.h"
#include "proto/batch.h"

struct records_bed {
    struct kw_core *core;
    struct kw_consumer *consumer;
    struct kw_consumer_part *part;
    size_t n_allocs;
    long n_live;
    size_t crc_bytes, crc_most; /* in one poll */
};
extern struct records_bed rbed;

struct records_made {
    uint8_t buf[64 * 1024];
    size_t len, last; /* last: where the last batch begins */
};
extern struct records_made rmade;

struct records_spec {
    int64_t base_offset;
    int32_t n;          /* records, offset deltas 0, step, 2 step ... */
    int32_t step;       /* 0: 1 */
    int32_t last_delta; /* 0: that of the last record; -1: 0, which is too low */
    int16_t attributes;
    size_t value_len;
};

void rbed_assign(int64_t offset);
/* The partition begins at offset; key may be NULL, else it is set to val. */
void rbed_begin(int64_t offset, const char *key, const char *val);
void rbed_end(void);
/* What a fetch does with an answer. */
void rbed_feed(const uint8_t *bytes, size_t len, int64_t high_watermark);
void rbed_made_seal(size_t at);
struct kw_batch_header rbed_made_begin(const struct records_spec *spec);
/* Appends a batch to rmade; the value of each record is its offset in decimal, filled up
 * with dots to value_len. The two above make one by hand. */
void rbed_made_batch(struct records_spec spec);
/* Feeds what rmade holds, and empties it. */
void rbed_feed_made(int64_t high_watermark);
struct kw_records *rbed_poll_one(size_t max);
/* The record's value must be its offset. */
bool rbed_expect_next(struct kw_records *records, int64_t offset);
/* Reads a handle of n consecutive records from `from` on and releases it. */
void rbed_read_handle(size_t max, int64_t from, int64_t n);
int64_t rbed_position(void);
/* The next event of that kind, or NONE; others but RECORDS fail. */
struct kw_event rbed_next_event(enum kw_event_kind kind);
/* The part has stopped at `offset` with this error, told once, and says `text`. */
void rbed_expect_stopped(int64_t offset, int code, const char *text);

#endif
