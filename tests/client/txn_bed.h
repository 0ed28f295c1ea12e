/* tests/client/txn_bed.h -- a producer with transactions and a broker model, and what a
 * reader of committed records would see, told from the logs by the plain rule. One test a
 * process. */
#ifndef TEST_CLIENT_TXN_BED_H
#define TEST_CLIENT_TXN_BED_H
#include "tests/sim/pair.h"
#include <criterion/criterion.h>

enum { TXN_PARTITIONS = 4, TXN_SEEN_MAX = 256 };

/* An operation under way, and how it ended. */
struct txn_wait {
    bool done;
    int code;
    struct kw_error error;
};
struct txn_bed {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    unsigned n_delivered, n_not_written, n_unknown, n_errors;
    int report_code;       /* of the last that was not delivered */
    struct kw_error error; /* the last ERROR event */
};
extern struct txn_bed tbed;

/* version: of transactions, 1 or 2. settings: of the producer, may be NULL. */
void txn_start(int16_t version, const char *const *settings);
void txn_stop(void);
/* A second producer of another core must not be: this one shares the core. */
struct kw_producer *txn_producer(const char *const *settings);
void txn_fault(const char *spec);
void txn_run(uint64_t ms);
/* Waits for an operation, at most ms; its code, or 1: it has not ended. */
int txn_await(struct txn_wait *wait, uint64_t ms);
int txn_init(void);
int txn_begin(void);
int txn_commit(void);
int txn_abort(void);
/* Starts one; the end is noted in *wait. */
void txn_commit_start(struct txn_wait *wait, int32_t timeout_ms);
void txn_abort_start(struct txn_wait *wait, int32_t timeout_ms);
void txn_init_start(struct txn_wait *wait, int32_t timeout_ms);
/* Offsets in the name of group "g", with nobody as its member. */
void txn_offsets_start(struct txn_wait *wait, int64_t offset, int32_t timeout_ms);
int txn_offsets(int64_t offset);
/* The error of the last txn_commit, _abort, _init, _begin, _offsets. */
extern struct kw_error txn_error;
/* A record with this number; waits until the topic is known. Returns as kw_produce. */
int txn_make(int32_t partition, int number);
struct kw_txn_status txn_status(void);
struct kw_mock_transaction_info txn_info(void); /* the coordinator's */
/* The numbers that a reader of committed records sees in the partition, "1 2 5". Valid
 * until the next call. */
const char *txn_seen(int32_t partition);
/* Nothing of an open transaction stands in any partition. */
bool txn_is_closed(void);

#endif
