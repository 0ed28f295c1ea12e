/* unpack_bed.h -- a core with two assigned partitions and no network, whose
 * fetched data and work items the test handles itself; and batches to feed it.
 * Shared with the benchmark of bombs, so it knows no test framework: what must
 * hold and does not aborts. */
#ifndef UNPACK_BED_H
#define UNPACK_BED_H
#include "client/consumer.h"
#include <kwire/codec.h>

enum { MIB = 1 << 20 };

struct bed {
    struct kw_core *core;
    struct kw_consumer *consumer;
    struct kw_consumer_part *part, *other;
    struct kw_work *work;               /* taken, not yet run */
    size_t n_allocs, fail_at, fail_run; /* from which allocation on, how many are refused */
    long n_live;
    uint64_t now_us;
    bool starved;
};
extern struct bed bed;

/* Properties: "key=value" lines. bed_try: 0 or KW_ERR_NOMEM. */
int bed_try(int64_t offset, const char *properties);
void bed_begin(int64_t offset, const char *properties);
void bed_end(void);
int bed_assign(int64_t offset);
void bed_step(uint64_t us);
/* What a fetch does with an answer. False: no memory. */
bool bed_feed(struct kw_consumer_part *part, const uint8_t *bytes, size_t len);
/* Takes one work item, if there is one; other wants are of no interest. */
bool bed_take_work(void);
bool bed_run_work(size_t slice);
/* Polls, and runs the work that comes of it, until there is a handle. */
struct kw_records *poll_until(size_t slice);

/* The next ERROR event, its text and hint copied; false: none. */
struct bed_fault {
    int code, partition;
    int64_t offset;
    char text[512], hint[256];
};
extern struct bed_fault fault;
bool next_fault(void);

struct bytes {
    uint8_t *ptr;
    size_t len;
};

/* Compresses; the result, in a block of cap bytes, is the caller's to free. */
uint8_t *pack(int id, const struct kw_iov *in, size_t n, size_t cap, size_t *len);
/* A batch of format 2 that tells of n records and holds body as it is. */
struct bytes batch_of(int id, int64_t base_offset, int32_t n, const void *body, size_t len);
/* n records whose value is their offset and dots up to value_len. */
struct bytes batch_make(int id, int64_t base_offset, int32_t n, size_t value_len);
/* One message of format 0 or 1 without a codec; its value is `value`. */
struct bytes message_make(int magic, int64_t offset, int64_t value, int64_t timestamp,
                          bool append_time);
/* The messages compressed into one; frees them. */
struct bytes message_wrap(int magic, int id, int64_t offset, struct bytes inner);
/* Frees what it appended. */
void append(struct bytes *to, struct bytes from);

#endif
