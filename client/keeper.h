/* client/keeper.h -- the offsets that a consumer keeps with its group.
 *
 * keeper.c         the way to the coordinator
 * stored.c         which records were handled, and so what may be committed
 * commit.c         kw_commit and the commits that come by themselves
 * offset_fetch.c   what is committed: where partitions begin
 * committed.c      the same for the application: kw_committed
 *
 * All of it works with and without membership: kw_member says who we are to the
 * coordinator, and nobody (epoch -1) is a legal answer as long as the group has no
 * members. */
#ifndef KWI_KEEPER_H
#define KWI_KEEPER_H
#include "client/coordinator.h"
#include "proto/offsets.h"

struct kw_consumer;
struct kw_consumer_part;
struct kw_records;

/* Who commits. The strings belong to whoever set them. */
struct kw_member {
    int32_t epoch; /* generation or member epoch; -1: not a member */
    struct kw_str id, instance_id;
    bool by_epoch; /* a member of KIP-848: OffsetFetch says who asks, too */
};

#define KWI_NO_MEMBER \
    ((struct kw_member){.epoch = -1, .id = {"", 0}, .instance_id = {NULL, -1}, .by_epoch = false})

/* A part of struct kw_consumer; of no use without group_id. */
struct kw_keeper {
    const char *group_id; /* of the configuration; NULL: no group */
    struct kw_coordinator *coordinator;
    struct kw_coordinator_user user;
    struct kw_member member;
    bool blocked;     /* a request that may take long occupies the group's connection */
    bool auto_commit; /* enable.auto.commit */
    bool rebalancing; /* no automatic commit now: it comes when partitions are given up */
    /* commit.c */
    struct kw_list commits;        /* kw_commit_job; the first is under way, or next */
    struct kw_list failed;         /* jobs whose failures are not told yet */
    struct kw_commit_job *told;    /* its last event may still be looked at */
    struct kw_request *committing; /* or NULL */
    int32_t sent_epoch;            /* of the member, in the request under way */
    int32_t fetch_epoch;           /* the same, of the last OffsetFetch */
    /* A commit or an OffsetFetch met an error that cannot heal, or one of the member's.
     * NULL: nobody cares. */
    void (*refused)(struct kw_consumer *consumer, int16_t kafka_code, int32_t epoch);
    struct kw_timer retry; /* of the first job */
    struct kw_timer due;   /* of the next automatic commit */
    uint32_t attempts;
    /* offset_fetch.c */
    struct kw_list unplaced, asked; /* parts whose committed offset is wanted; is asked for */
    struct kw_request *fetching;    /* or NULL */
    struct kw_timer fetch_retry;
    uint32_t fetch_attempts;
    struct kw_list lookups; /* kw_committed under way */
};

/* keeper.c */
/* The link for requests to the coordinator that must not wait; NULL: it is not
 * known (and looked for), or no memory. */
struct kw_link *kwi_keeper_link(struct kw_consumer *consumer);
/* Errors of a request that another attempt would meet again. */
bool kwi_keeper_is_final(int err);
/* A request to the coordinator ended without an answer: whoever it was sent to is
 * asked for again, unless it was us who gave up. */
void kwi_keeper_lost(struct kw_consumer *consumer, const struct kw_request *req, int err);

/* commit.c */
KW_MUST_USE int kwi_keeper_init(struct kw_consumer *consumer);
/* The consumer dies: everything under way is forgotten. */
void kwi_keeper_deinit(struct kw_consumer *consumer);
/* Commits what is stored, and gives a deadline to what waits already. */
void kwi_keeper_close(struct kw_consumer *consumer);

/* Which of the stored offsets a commit is for. */
typedef bool kwi_commit_filter_fn(const struct kw_consumer_part *part, void *ctx);
typedef void kwi_commit_ended_fn(struct kw_consumer *consumer, int code);
/* Commits what is stored of the parts that pass (NULL: all) and not committed yet.
 * `ended` (may be NULL) is called once, perhaps at once, with 0 or an error.
 * Ends by itself after timeout_ms. Returns 0 or KW_ERR_NOMEM (ended is not called). */
KW_MUST_USE int kwi_commit_stored(struct kw_consumer *consumer, kwi_commit_filter_fn *filter,
                                  void *filter_ctx, int64_t timeout_ms, kwi_commit_ended_fn *ended);
/* Sends the first job, if it can be sent now. */
void kwi_commits_kick(struct kw_consumer *consumer);
/* Nobody waits any more for the end of jobs that end in this way. */
void kwi_commits_disown(struct kw_consumer *consumer, kwi_commit_ended_fn *ended);
/* Jobs that are not under way end with err. */
void kwi_commits_cancel(struct kw_consumer *consumer, int err);
/* Whether one of them may still get through. */
bool kwi_commits_pending(const struct kw_consumer *consumer);
/* An offset was stored: the automatic commit comes in time. */
void kwi_commit_soon(struct kw_consumer *consumer);
/* Fills the event of one partition that could not be committed; false: none. */
bool kwi_commit_fill(struct kw_consumer *consumer, struct kw_event *out);
/* The event that _fill made is no longer looked at. */
void kwi_commit_told(struct kw_consumer *consumer);

/* offset_fetch.c */
/* The part waits until its committed offset is known, then steps with
 * KWI_PART_KNOWN or stops. */
void kwi_offset_fetch(struct kw_consumer_part *part);
void kwi_offset_fetch_kick(struct kw_consumer *consumer);
void kwi_offset_fetch_due(struct kw_timer *timer);
/* There is no coordinator to ask: parts stop, operations end. */
void kwi_offset_fetch_refused(struct kw_consumer *consumer, const struct kw_error *why);
/* Nothing is asked for any more; operations end with err. */
void kwi_offset_fetch_cancel(struct kw_consumer *consumer, int err);

/* Both of them: one exchange, whoever asks. */
/* topics with n -1: all that the group has. */
KW_MUST_USE int kwi_offsets_encode(struct kw_consumer *consumer, struct kw_arr topics,
                                   int16_t version, struct kw_wr *wr);
/* The topics of the answer, and the error of the whole group. */
KW_MUST_USE int kwi_offsets_read(struct kw_request *req, const struct kw_answer *answer,
                                 struct kw_offset_fetch_response *msg, struct kw_arr *topics,
                                 int16_t *error);
/* The group's error: true if asking again may help. */
bool kwi_offsets_may_heal(struct kw_consumer *consumer, const struct kw_request *req,
                          int16_t error);
/* A request to the coordinator, not yet submitted. NULL: it is not known, or no memory. */
struct kw_request *kwi_offsets_request(struct kw_consumer *consumer,
                                       const struct kw_request_type *type, void *owner);
/* When to ask again; counts the attempt. */
uint64_t kwi_offsets_pause(struct kw_consumer *consumer, uint32_t *attempts);

/* committed.c */
void kwi_committed_kick(struct kw_consumer *consumer);
void kwi_committed_end_all(struct kw_consumer *consumer, int code, const struct kw_error *err);

/* stored.c */
/* A handle was made of what poll takes from the part, which has moved behind it. */
void kwi_stored_open(struct kw_records *records, struct kw_consumer_part *part);
/* The handle is released. The object stays in use until what is in front of it is
 * done; kwi_records_recycle then takes it. */
void kwi_stored_release(struct kw_records *records, enum kw_done done);
/* Handles that are there no longer count: a seek, or the partition goes. */
void kwi_stored_clear(struct kw_consumer_part *part);
/* What may be committed: -1: nothing. */
int64_t kwi_stored_offset(const struct kw_consumer_part *part);
/* The leader epoch that belongs to it; -1: not known. */
int32_t kwi_stored_epoch(const struct kw_consumer_part *part);

#endif
