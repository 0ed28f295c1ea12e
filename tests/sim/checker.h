/* tests/sim/checker.h -- decides whether a history is allowed.
 *
 * It knows nothing of the client and nothing of the broker: it is told what was
 * accepted, reported and handed out, and what the logs hold in the end, and
 * names each violation of the invariants of the fault catalogue:
 *
 *   I1  each accepted record has exactly one report
 *   I2  delivered with an offset: it is there, with the same content
 *   I3  idempotent: at most once in the log, in the order of acceptance
 *   I4  not written: never in the log
 *   I5  offsets handed out strictly increase and skip nothing, until a seek
 *
 * Without idempotence a record may be in the log more than once only if its
 * report says so (maybe duplicate, or unknown), and the first copies of the
 * records that are not unknown keep their order (catalogue P05).
 * Records are named by numbers that grow in the order of acceptance. */
#ifndef SIM_CHECKER_H
#define SIM_CHECKER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_violation {
    SIM_UNREPORTED,      /* I1 */
    SIM_REPORTED_TWICE,  /* I1 */
    SIM_NEVER_ACCEPTED,  /* I1: a report or a log record of nothing */
    SIM_LOST,            /* I2: delivered, and not at that offset */
    SIM_WRONG_PLACE,     /* I2: in another topic or partition than asked or reported */
    SIM_CONTENT,         /* I2, I5: not the bytes that were produced */
    SIM_DUPLICATE,       /* I3 */
    SIM_REORDERED,       /* I3, P05 */
    SIM_NOT_NOT_WRITTEN, /* I4 */
    SIM_NOT_INCREASING,  /* I5 */
    SIM_SKIPPED,         /* I5 */
    SIM_UNREAD,          /* I11: the reader did not get to the end */
    SIM_BAD_REPORT,      /* an outcome that contradicts itself */
    SIM_N_VIOLATIONS
};

enum {
    SIM_NO_ID = 0xffffffff,
    SIM_TOPICS_MAX = 4,
    SIM_PARTITIONS_MAX = 16,
    SIM_READERS_MAX = 4,
    SIM_TEXTS_MAX = 12,
    SIM_REPORT_DELIVERED = 0,
    SIM_REPORT_NOT_WRITTEN = 1,
    SIM_REPORT_UNKNOWN = 2
};

struct sim_place {
    uint32_t topic;
    int32_t partition; /* -1: the client decides */
};
struct sim_accepted {
    struct sim_place place;
    uint32_t producer;
    uint64_t content;
    int64_t timestamp_ms;               /* -1: the client decides ... */
    int64_t clock_min_ms, clock_max_ms; /* ... within these bounds */
};
struct sim_outcome {
    struct sim_place place;
    int64_t offset; /* -1: not told */
    uint8_t outcome;
    bool maybe_duplicate;
};
/* How a producer works. */
struct sim_producer_rules {
    bool idempotent;
    bool ordered; /* P05 applies: not with acks=0 */
    bool proven;  /* delivered means in the log: not with acks=0 */
};

struct sim_checker_record {
    struct sim_accepted accepted;
    struct sim_outcome outcome;
    uint32_t n_reports, n_copies;
    struct sim_place log_place; /* of the first copy */
    int64_t log_offset;
};
struct sim_checker_slot {
    uint32_t id;
    uint64_t content;
    int64_t timestamp_ms;
};
struct sim_checker_log {
    struct sim_checker_slot *slots; /* by offset; no holes */
    size_t n, cap;
};
struct sim_checker_handout {
    uint32_t reader;
    struct sim_place place;
    int64_t offset, timestamp_ms;
    uint64_t content;
};
struct sim_checker {
    struct sim_producer_rules rules[SIM_READERS_MAX];
    struct sim_checker_record *records;
    size_t n_records, records_cap;
    struct sim_checker_log logs[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
    int64_t next[SIM_READERS_MAX][SIM_TOPICS_MAX][SIM_PARTITIONS_MAX]; /* -1: any */
    int64_t end[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX]; /* what readers must come to; -1: all */
    bool read[SIM_READERS_MAX][SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
    struct sim_checker_handout *handouts;
    size_t n_handouts, handouts_cap;
    uint64_t n_found[SIM_N_VIOLATIONS];
    char texts[SIM_TEXTS_MAX][160];
    size_t n_texts;
};

void sim_checker_init(struct sim_checker *checker);
void sim_checker_deinit(struct sim_checker *checker);
void sim_checker_producer(struct sim_checker *checker, uint32_t producer,
                          const struct sim_producer_rules *rules);
/* Returns the record's id: 0, 1, 2, ... */
uint32_t sim_checker_accept(struct sim_checker *checker, const struct sim_accepted *accepted);
void sim_checker_report(struct sim_checker *checker, uint32_t id,
                        const struct sim_outcome *outcome);
/* From where a reader goes on, at assignment and at seek; -1: not known. */
void sim_checker_position(struct sim_checker *checker, uint32_t reader, struct sim_place place,
                          int64_t offset);
/* The reader stops here: what is appended later need not be read. */
void sim_checker_end(struct sim_checker *checker, struct sim_place place, int64_t offset);
void sim_checker_handout(struct sim_checker *checker, const struct sim_checker_handout *handout);
/* The logs, each in order of offset from 0 on; id SIM_NO_ID: no producer's. */
void sim_checker_log(struct sim_checker *checker, struct sim_place place, uint32_t id,
                     uint64_t content, int64_t timestamp_ms);
/* Judges; all_read: readers must have come to the end of what they were
 * assigned. Returns the number of violations. */
uint64_t sim_checker_judge(struct sim_checker *checker, bool all_read);
const char *sim_violation_name(enum sim_violation violation);

#endif
