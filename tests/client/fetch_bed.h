/* tests/client/fetch_bed.h -- a consumer of the topic "t" against a broker model, which
 * checks that each record comes once and in order, and remembers what each Fetch said.
 * One test a process. */
#ifndef TEST_CLIENT_FETCH_BED_H
#define TEST_CLIENT_FETCH_BED_H
#include "tests/sim/pair.h"
#include <criterion/criterion.h>

enum { FETCH_PARTS_MAX = 10000, FETCH_LOG_MAX = 4096 };

struct fetch_seen {
    int64_t next; /* the offset that must come next; -1: any */
    int64_t made; /* records that were produced */
    unsigned n, n_eof, n_error;
    int error;
    int16_t kafka_code;
    int64_t error_offset;
    char text[192], hint[128];
};
/* What a Fetch said. */
struct fetch_said {
    int16_t version;
    int32_t session_id, session_epoch, max_wait_ms, max_bytes;
    unsigned n_named, n_forgotten;
    size_t len;
    uint64_t ms;
};
struct fetch_bed {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *consumer;
    int32_t n_partitions;
    struct fetch_seen seen[FETCH_PARTS_MAX];
    struct fetch_said said[FETCH_LOG_MAX];
    unsigned n_said; /* all; the last FETCH_LOG_MAX of them are kept */
    uint64_t n_delivered, n_made;
    bool lazy; /* the application takes nothing */
};
extern struct fetch_bed fetch_bed;

/* settings: of the client, besides short backoffs; NULL at the end. */
void fetch_bed_begin(const struct kw_mock_config *config, int32_t n_partitions,
                     const char *const *settings);
void fetch_bed_end(void);
void fetch_bed_open(const char *const *settings);
/* All partitions from `first` on, n of them. */
void fetch_bed_assign(int32_t first, int32_t n, uint8_t kind, int64_t value);
/* n records of `len` bytes each. */
void fetch_bed_make(int32_t partition, unsigned n, size_t len);
void fetch_bed_run(uint64_t ms);
/* Takes what is ready. */
void fetch_bed_take(void);
void fetch_bed_fault(const char *spec);
void fetch_bed_pause(int32_t partition, bool pause);
void fetch_bed_seek(int32_t partition, uint8_t kind, int64_t value);
/* All that was made of the n partitions was seen. */
void fetch_bed_expect(int32_t first, int32_t n);
const struct fetch_said *fetch_bed_said(unsigned back);

#endif
