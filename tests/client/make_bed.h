/* tests/client/make_bed.h -- a producer and a broker model of several brokers: what goes
 * over the wire is decoded and kept, what became of each record is noted. One test a
 * process. */
#ifndef TEST_CLIENT_MAKE_BED_H
#define TEST_CLIENT_MAKE_BED_H
#include "tests/sim/pair.h"
#include <criterion/criterion.h>

enum { MAKE_RECORDS = 4000, MAKE_SIGHTS = 2000 };

/* A batch as it went over the wire. */
struct make_sight {
    uint32_t request; /* counted from 1 */
    int16_t version;
    int32_t partition, sequence, n_records;
    int16_t epoch;
    int64_t producer_id;
    uint8_t topic_id[16];
    uint32_t hash; /* of its bytes */
};
/* What became of a record. */
struct make_fate {
    int32_t partition;
    bool told;
    uint8_t outcome, flags;
    int code;
    int16_t kafka_code;
    int64_t offset; /* -1: none */
};
struct make_bed {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct make_sight sights[MAKE_SIGHTS];
    uint32_t n_sights, n_requests, n_metadata;
    struct make_fate fates[MAKE_RECORDS];
    uint32_t n_made, n_told, n_of[3];
    bool done;       /* all are told */
    const char *key; /* of the records from now on; NULL: none */
    struct kw_receipt *receipt;
    uint32_t timeout_ms; /* 0: none */
    struct kw_record_ref *ref;
    unsigned n_errors, n_ops;
    struct kw_error error; /* the last ERROR event */
    int op_code;
    void (*on_report)(const struct kw_report *report);
    void (*on_event)(const struct kw_event *event);
};
extern struct make_bed mbed;

/* settings: of the producer. Waits until the topic "t" is known. */
void make_start(uint32_t n_brokers, int32_t n_partitions, const char *const *settings);
/* The same of a cluster of another kind; settings of the client, of the producer. */
void make_start_of(const struct kw_mock_config *config, int32_t n_partitions,
                   const char *const *client, const char *const *settings);
/* Everything is given back. */
void make_stop(void);
void make_fault(const char *spec);
/* One record of `len` bytes; its number stands in the value. As kw_produce. */
int make_try(int32_t partition, size_t len);
void make(int32_t partition, size_t len);
/* Until all are told, at most 60 s. */
void make_settle(void);
void make_run(uint64_t ms);
/* All that was delivered in the partition is there once, in the order of produce, and
 * nothing else: offsets are 0, 1, 2 ... */
void make_check_order(int32_t n_partitions);
/* The records of the partition's log. */
int64_t make_log_end(int32_t partition);

#endif
