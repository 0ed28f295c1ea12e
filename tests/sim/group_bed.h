/* tests/sim/group_bed.h -- several members of one group in one core, against the
 * broker model, and what must hold of them at any moment:
 *
 *   - a partition is in the hands of one member at most; one that was away for longer
 *     than its lease may hear of its loss late, but gets no record of it (I7);
 *   - a record is only handed to the member that has its partition, and within one
 *     assignment offsets only grow (I5);
 *   - what is committed was handed out, and does not go back (I6);
 *   - in the end every record was handled at least once. */
#ifndef SIM_GROUP_BED_H
#define SIM_GROUP_BED_H
#include "tests/sim/pair.h"

enum { BED_MEMBERS = 10, BED_PARTITIONS = 6, BED_RECORDS = 4000 };

struct bed_member {
    struct kw_consumer *consumer;
    bool owns[BED_PARTITIONS], revoking[BED_PARTITIONS];
    bool superseded[BED_PARTITIONS]; /* somebody else has it, and we were not told yet */
    int64_t last[BED_PARTITIONS];    /* offset handed out last; -1 */
    int64_t fence;                   /* highest token seen */
    uint64_t revoke_us;              /* when the open revoke is over; 0 none */
    unsigned n_assigned, n_revoked, n_lost, n_error, n_late; /* events */
    unsigned n_given, n_taken;                               /* partitions */
    int code;
    int16_t kafka_code;
    bool retriable;
    char text[192];
    unsigned n_records, n_failed, n_ready; /* n_ready: events RECORDS */
    /* habits */
    bool no_ack, no_poll, hold;
    struct kw_records *held[64];
    unsigned n_held;
};

struct group_bed {
    struct sim_pair pair;
    struct bed_member members[BED_MEMBERS];
    unsigned n_members;
    uint32_t session_ms, ack_ms;
    struct kw_producer *producer;
    struct kw_topic *topic;
    unsigned n_produced[BED_PARTITIONS], n_accepted, n_delivered;
    uint8_t handled[BED_PARTITIONS][BED_RECORDS]; /* how often */
    int64_t handed[BED_PARTITIONS];               /* highest offset handed out; -1 */
    int64_t committed[BED_PARTITIONS], fences[BED_PARTITIONS];
    unsigned n_done, n_faults;
    int op_code;
    bool may_go_back; /* a late request may be applied behind a newer one */
    char why[160];    /* the first promise that was broken */
};

/* settings: of the core, may be NULL. */
void group_begin(struct group_bed *bed, const char *const *settings);
/* The same with brokers of a release, whose answers may be changed; NULL: none of it. */
typedef size_t bed_answer_fn(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap);
void group_begin_of(struct group_bed *bed, const char *const *settings, const char *release,
                    bed_answer_fn *on_answer);
/* The same with brokers of any kind; the settings of groups are the bed's. */
void group_begin_with(struct group_bed *bed, const char *const *settings,
                      const struct kw_mock_config *brokers, bed_answer_fn *on_answer);
void group_end(struct group_bed *bed);
/* A consumer with these settings besides the usual ones; not subscribed. */
struct bed_member *bed_join(struct group_bed *bed, const char *const *settings);
void bed_subscribe(struct bed_member *member);
/* Begins to close one consumer, which is not polled any more; the op is bed->n_done. */
struct kw_op *bed_close(struct bed_member *member, enum kw_leave leave, int32_t timeout_ms);
void bed_produce(struct group_bed *bed, unsigned n); /* into each partition */
void bed_fault(struct group_bed *bed, const char *spec);
void bed_run(struct group_bed *bed, uint64_t for_ms);
/* Runs until each partition has an owner, or for_ms passed. */
bool bed_settled(struct group_bed *bed, uint64_t for_ms);
/* Runs until everything that was produced was handled, or for_ms passed. */
bool bed_drained(struct group_bed *bed, uint64_t for_ms);
unsigned bed_owned(const struct bed_member *member);
/* Two members that share, with records behind them; the bed begins with it. */
void bed_two_members(struct group_bed *bed, const char *const *settings);
/* Each record that was produced was handled, and not twice. */
void bed_each_once(const struct group_bed *bed);
/* What the coordinator has of the group; zeroes if there is none. */
struct kw_mock_group_info bed_group(const struct group_bed *bed);
void bed_release_held(struct bed_member *member, enum kw_done done);
/* Looks whether the promises hold; fails the test. */
void bed_check(struct group_bed *bed);

#endif
