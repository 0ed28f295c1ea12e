/* client/consumer.h -- a consumer with a manual assignment.
 *
 * consumer  the application's handle: topics, the parts that have data, events.
 * topic     of an assignment; counted, because handles outlive assignments.
 * part      one assigned partition: a state machine (part.c), its position, and
 *           what was fetched for it and not yet handed out.
 * fetcher   the traffic with one leader: at most one Fetch and one ListOffsets
 *           under way (fetcher.h).
 * records   a handle of fetched records (records.c); batch_check.c verifies
 *           batches before they get into one, and unpack.c makes plain ones of
 *           those that are compressed or of an old format.
 *
 * A part belongs to a fetcher while it is looked up or fetched. Whether an
 * answer may still touch it is told by the list in which it stands: a seek, an
 * assignment or a move of the leader takes it out, and so does the answer itself,
 * so that one that names it twice, or comes late, changes nothing. */
#ifndef KWI_CONSUMER_H
#define KWI_CONSUMER_H
#include "client/aborted.h"
#include "client/core.h"
#include "client/keeper.h"
#include "client/link.h"
#include <kwire/assignor.h>

enum kw_part_state {
    KWI_PART_LEADER,  /* waits until a leader is known */
    KWI_PART_LOOKUP,  /* its offset is asked for */
    KWI_PART_FETCH,   /* its position is known */
    KWI_PART_WAIT,    /* after a failure, until its timer is due */
    KWI_PART_STOPPED, /* until a seek */
    KWI_PART_OFFSET,  /* its committed offset is asked for */
    KWI_PART_CHECK,   /* whether its position is in the new leader's log is asked for */
    KWI_N_PART_STATES
};
enum kw_part_event {
    KWI_PART_FOUND,    /* a leader, and the position is known */
    KWI_PART_UNPLACED, /* a leader, but no position */
    KWI_PART_PLACED,   /* the offset was looked up */
    KWI_PART_RETRY,    /* something failed that may succeed later */
    KWI_PART_MOVED,    /* another leader */
    KWI_PART_DUE,      /* the pause is over */
    KWI_PART_RESET,    /* the position is not in the log, a policy says where to go */
    KWI_PART_SEEK,     /* the application says where to go */
    KWI_PART_STOP,     /* an error that only the application can resolve */
    KWI_PART_ASK,      /* it begins at its committed offset, whatever that is */
    KWI_PART_KNOWN,    /* the committed offset is known, or that there is none */
    KWI_PART_DOUBT,    /* another leader epoch than that of the records that were read */
    KWI_N_PART_EVENTS
};
/* How far the batch at the read position is. */
enum kw_batch_check {
    KWI_CHECK_NEW,
    KWI_CHECK_CRC,
    KWI_CHECK_UNPACK,
    KWI_CHECK_WALK,
    KWI_CHECK_DONE,
    KWI_CHECK_FAILED
};

/* Places in a batch that was walked, so that whoever hands out a part of it need not
 * walk it again. */
enum { KWI_BATCH_MARKS = 16 };

/* What was fetched for a part and not yet handed out. */
struct kw_fetched {
    struct kw_block *block;      /* held; NULL: nothing */
    const uint8_t *ptr, *end;    /* from the batch at the read position on */
    struct kw_block *rest_block; /* held; what follows when block is an image; or NULL */
    const uint8_t *rest, *rest_end;
    bool is_image;         /* block was made by unpack.c of verified bytes */
    bool waits;            /* in the unpacker's line, or at work there */
    uint8_t codec;         /* of the batch at ptr */
    uint8_t magic;         /* of the batch at ptr */
    uint8_t check;         /* enum kw_batch_check, of the batch at ptr */
    int failure;           /* FAILED: enum kw_err */
    int64_t detail;        /* FAILED: see part_describe in part.c */
    size_t unpack_need;    /* the size of an image that was too small */
    size_t size;           /* of the batch at ptr */
    size_t checked;        /* CRC, WALK: bytes done */
    uint32_t crc, left;    /* WALK, DONE: records not yet walked, not yet handed out */
    const uint8_t *record; /* DONE: the next record to hand out */
    uint32_t mark_every;   /* DONE: marks[i] is where record (i + 1) * mark_every - 1 lies */
    uint32_t marks[KWI_BATCH_MARKS];
    int64_t base_offset; /* of the batch at ptr */
    int64_t next_offset; /* behind the batch at ptr */
    int64_t floor;       /* no further batch may begin below it */
    int64_t began;       /* the position when this was fetched */
    bool control;
    struct kw_aborted aborted; /* lies in the frame: of no use to an image */
};

/* Notices of a part that wait to be told as events. */
enum { KWI_NOTICE_EOF = 1, KWI_NOTICE_ERROR = 2 };

struct kw_consumer_topic {
    struct kw_consumer *consumer;
    struct kw_topic_meta *meta;
    struct kw_topic_watch watch;
    struct kw_map parts; /* partition -> kw_consumer_part; empty when no longer assigned */
    uint32_t refs;       /* the assignment, handles, a lent event, kw_fetch_gone */
    bool is_given;       /* a KIP-848 group gave it, under this id */
    uint8_t given_id[16];
    struct kw_uuid id; /* of the topic that is read, see topic_id.c; zero: not known */
    bool by_id;        /* consumer->by_id has it */
};

struct kw_consumer_part {
    struct kw_consumer_topic *topic;
    int32_t partition;
    uint8_t state; /* enum kw_part_state */
    uint8_t start_kind;
    bool paused;
    bool eager;         /* new at its position, or its last answer brought records */
    bool second_lookup; /* TIMESTAMP: ask for the end; TAIL: for the begin */
    bool missing_told;  /* that metadata does not know it */
    bool by_name;       /* fetched by its topic's name: the id is not known */
    uint8_t notices;
    uint32_t generation; /* handles of older ones must not touch it */
    uint32_t serial;     /* the generation that it began with: tells one assignment of it from
                            the next */
    uint32_t attempts;
    int64_t start_value, tail_end; /* while position is -1 */
    int64_t position;              /* what poll hands out next; -1: not known yet */
    int64_t high_watermark, last_stable, log_start; /* as the last answer told; -1 */
    int64_t eof_told;
    int32_t leader, leader_epoch; /* last known; -1 */
    int32_t epoch;                /* of the record in front of the position; -1 unknown */
    int32_t sound_epoch;          /* leader epoch under which the position is known to be right */
    int64_t check_position;       /* CHECK: the position that was asked about */
    int32_t from;                 /* who is asked: the leader, or ... */
    int32_t replica;              /* ... the follower to which the leader sent us; -1 none */
    uint64_t replica_until_us;    /* then the leader is asked again */
    int32_t want_bytes;           /* of a batch that did not fit the last answer */
    /* Of the group, see stored.c. */
    int64_t stored, committed; /* -1: nothing */
    int32_t stored_epoch;      /* leader epoch of what lies in front of `stored`; -1 */
    struct kw_list spans;      /* kw_records, in the order in which they were handed out */
    bool fresh;    /* assigned by a group, and its event not yet taken: it does not begin */
    bool given_up; /* a revoke is open, or its commit under way: nothing more comes */
    bool wanted;   /* scratch of kwi_group_assign */
    const struct kw_group_notice *notice; /* the event ASSIGNED that names it, or NULL */
    struct kw_fetcher *fetcher;
    struct kw_node node;          /* in `list` */
    struct kw_list *list;         /* one of the fetcher's, or NULL */
    struct kw_fetcher *member_of; /* whose broker has it in the session; or NULL */
    struct kw_node session_node;  /* in session_list */
    struct kw_list *session_list; /* one of member_of->session, or NULL */
    struct kw_node ready_node;    /* in consumer->ready: has data and may hand it out */
    struct kw_node notice_node;
    struct kw_node unpack_node; /* in core->unpack.waiting */
    struct kw_timer timer;
    struct kw_fetched data;
    /* ERROR notice */
    int error_code;
    int16_t error_kafka;
    int64_t error_detail;
};

enum { KWI_OWN_ASSIGNORS = 4 };
struct kw_group;
struct kw_group_notice;

struct kw_consumer {
    struct kw_core *core; /* first: kw_core_of */
    struct kw_node node;  /* in core->consumers */
    struct kw_config *own;
    struct kw_map topics; /* name -> kw_consumer_topic */
    struct kw_map by_id;  /* topic id -> the same */
    struct kw_list fetchers, ready, notices;
    struct kw_list held, free_handles; /* kw_records */
    uint32_t n_free_handles, n_fetchers;
    struct kw_evnode event;
    struct kw_consumer_topic *lent_topic; /* named by the last event */
    struct kw_error error;                /* of the last ERROR event */
    bool closed, starved, starved_told;
    bool abandoned;                  /* its close is over, whatever is left */
    bool gone;                       /* only handles are left, which the application has */
    uint8_t leave;                   /* enum kw_leave */
    int close_code;                  /* of the last commit */
    struct kw_consumer_close *close; /* kw_consumer_close is under way, or not taken yet */
    int32_t max_poll_records;
    bool check_crcs;
    bool read_committed;        /* isolation.level */
    int64_t batch_max;          /* bytes of one batch, decompressed */
    size_t memory_max;          /* consumer.memory */
    struct kw_tally *tally;     /* of its blocks */
    uint64_t rackless_until_us; /* leaders are not told client.rack: a follower failed */
    uint32_t next_generation;   /* of parts; see kw_consumer_part.generation */
    struct kw_keeper keeper;
    struct kw_group *group; /* NULL: never subscribed */
    const struct kw_assignor *own_assignors[KWI_OWN_ASSIGNORS];
    uint32_t n_own_assignors;
};

/* Offsets [begin, end) that were acknowledged out of order. */
struct kw_acked {
    int64_t begin, end;
};

/* How far the records of a handle were acknowledged (kw_done), by a cursor of its
 * own over the same batches. */
struct kw_ack_cursor {
    const uint8_t *ptr, *end;        /* in the batch that is open */
    const uint8_t *next, *range_end; /* the batches behind it */
    int64_t base_offset, floor;      /* floor: records below it are not the handle's */
    uint32_t left;                   /* records of the open batch */
    uint32_t n_acked, acked_cap;
    struct kw_acked *acked; /* ascending, behind the cursor; or NULL */
    int64_t done;           /* all records in front of this offset are acknowledged; -1 none */
};

struct kw_records {
    struct kw_core *core; /* first: kw_core_of */
    const uint8_t *ptr, *end;
    uint32_t left; /* records of the open batch */
    int32_t last_delta;
    int64_t base_offset, base_timestamp;
    int64_t delta_mask; /* 0 for log append time: the delta does not count */
    int64_t from;       /* records below it were handed out before */
    struct kw_consumed current;
    const uint8_t *next, *range_end; /* further batches */
    uint64_t opened, skipped;
    struct kw_consumer *consumer;
    struct kw_consumer_topic *topic;
    struct kw_block *block;
    struct kw_node node;
    int32_t partition;
    uint32_t generation;
    /* Of the group; part NULL: the handle does not count (any more). */
    struct kw_consumer_part *part;
    struct kw_node span_node; /* in part->spans */
    int64_t span_end;         /* the position behind its records */
    int32_t span_epoch;       /* leader epoch of what lies in front of span_end; -1 */
    int32_t fence;            /* kw_records_fence */
    bool released, broken;    /* broken: a record could not be read */
    uint8_t verdict;          /* enum kw_done; of a released one */
    struct kw_ack_cursor ack;
};

/* records.c */
/* Handles of the part show nothing any more: it is not ours. */
void kwi_records_void(struct kw_consumer_part *part);
/* The object may be used for another handle. */
void kwi_records_recycle(struct kw_records *records);

/* consumer_close.c */
void kwi_consumers_destroy(struct kw_core *core);
/* At once, whatever is under way, and whatever handles there are. */
void kwi_consumer_destroy(struct kw_consumer *consumer);
/* Stops fetching; what is buffered can still be taken. What is stored is committed. */
void kwi_consumer_close(struct kw_consumer *consumer);
/* Nothing is left to be done for it before its connections may go. */
bool kwi_consumer_drained(const struct kw_consumer *consumer);
/* The deadline of the close has come. */
void kwi_consumer_abandon(struct kw_consumer *consumer);
/* Something ended that its close, or that of the client, may wait for. */
void kwi_consumer_check(struct kw_consumer *consumer);
/* A handle was released: the last thing that kept a closed consumer's memory may be gone. */
void kwi_consumer_released(struct kw_consumer *consumer);

/* consumer.c */
/* What the last event lent is no longer read. */
void kwi_consumer_told(struct kw_consumer *consumer);
/* Topics that are no longer assigned; the map is of no use after it. */
void kwi_consumer_drop_topics(struct kw_map *topics);
/* A text of the consumer's or the client's configuration. */
const char *kwi_consumer_text(const struct kw_consumer *consumer, enum kw_key key);
bool kwi_consumer_name_is_good(const char *name);
/* An assignor by name: the application's own, or one of ours. */
const struct kw_assignor *kwi_consumer_assignor(const struct kw_consumer *consumer,
                                                const char *name, size_t len);
/* Adds a partition to the assignment, to begin at what the group committed, and does
 * not begin it. KW_ERR_NOMEM; KW_ERR_USE: no such name. */
KW_MUST_USE int kwi_consumer_add(struct kw_consumer *consumer, const char *name, size_t len,
                                 int32_t partition, struct kw_consumer_part **part);
/* Takes a part out and frees it. */
void kwi_consumer_remove(struct kw_consumer_part *part);
int64_t kwi_consumer_setting(const struct kw_consumer *consumer, enum kw_key key);
/* A request of the consumer's, which waits for as long as its own request.timeout.ms says.
 * link may be NULL for kwi_cluster_submit. NULL: no memory. */
struct kw_request *kwi_consumer_request(struct kw_consumer *consumer, struct kw_link *link,
                                        const struct kw_request_type *type, void *owner);
void kwi_consumer_topic_put(struct kw_consumer_topic *topic);
/* The part that an answer names, or NULL. */
struct kw_consumer_part *kwi_consumer_find(struct kw_consumer *consumer, const char *name,
                                           size_t len, int32_t partition);
/* The part that an answer names by the id of its topic, or NULL. */
struct kw_consumer_part *kwi_consumer_find_id(struct kw_consumer *consumer,
                                              const struct kw_uuid *id, int32_t partition);

/* topic_id.c */
/* Before anything of the topic is asked for: takes its id, if it is known. */
void kwi_topic_id_bind(struct kw_consumer_topic *topic);
/* Metadata named the topic: maybe it is another one now. */
void kwi_topic_id_check(struct kw_consumer_topic *topic);
/* It is not read any more. */
void kwi_topic_id_drop(struct kw_consumer_topic *topic);

/* consumer.c again */
/* Something is to be told: raises the consumer's event. */
void kwi_consumer_notify(struct kw_consumer *consumer);
/* Only what the application holds keeps the reserve full: told once. */
void kwi_consumer_starve(struct kw_consumer *consumer);

/* part.c */
struct kw_consumer_part *kwi_part_create(struct kw_consumer_topic *topic,
                                         const struct kw_start *start);
void kwi_part_destroy(struct kw_consumer_part *part);
/* Begins at the start that it was created with. */
void kwi_part_begin(struct kw_consumer_part *part);
void kwi_part_seek(struct kw_consumer_part *part, const struct kw_start *start);
void kwi_part_pause(struct kw_consumer_part *part, bool pause);
void kwi_part_step(struct kw_consumer_part *part, enum kw_part_event event);
/* A cell of the state table; false: illegal. */
bool kwi_part_cell(unsigned state, unsigned event, unsigned *next);
/* Stops it with an ERROR event. detail: see part_describe in part.c. */
void kwi_part_stop(struct kw_consumer_part *part, int code, int16_t kafka_code, int64_t detail);
/* An error event, and it goes on. */
void kwi_part_warn(struct kw_consumer_part *part, int code, int16_t kafka_code, int64_t detail);
/* The follower that is asked is of no use: the leader serves for a while. */
void kwi_part_leave_replica(struct kw_consumer_part *part);
/* The leader says that another replica is nearer (KIP-392). */
void kwi_part_prefer(struct kw_consumer_part *part, int32_t replica);
/* A broker answered with an error code: retry, reset or stop. */
void kwi_part_refused(struct kw_consumer_part *part, int16_t kafka_code);
/* Puts it into the list that its state, data and pause ask for. */
void kwi_part_settle(struct kw_consumer_part *part);
/* Moves it to the end of one of its fetcher's lists; NULL: into none. */
void kwi_part_move(struct kw_consumer_part *part, struct kw_list *list);
/* part_reset.c */
/* Where it is to begin, from now on. */
void kwi_part_place(struct kw_consumer_part *part, uint8_t kind, int64_t value);
/* The broker does not have its position. */
void kwi_part_out_of_range(struct kw_consumer_part *part);
/* The topic was deleted, and there is another one of its name: what was read, and how
 * far, says nothing of that. Told; goes where the policy says, or stops. */
void kwi_part_recreated(struct kw_consumer_part *part);
/* The same, and its group, which gave it by its id, will take it away. */
void kwi_part_is_gone(struct kw_consumer_part *part);
/* Where it goes when its position is not in the log or was never committed; -1:
 * nowhere (auto.offset.reset=none). */
int kwi_part_reset_kind(const struct kw_consumer_part *part);
/* The committed offset is known (-1: there is none), and the leader epoch of the
 * record in front of it (-1: not). */
void kwi_part_begin_at(struct kw_consumer_part *part, int64_t offset, int32_t epoch);
/* The leader's log has another history than what was read: the common part ends at
 * `end`, with a record of `epoch`. Told; goes there, or stops (KIP-320). */
void kwi_part_truncated(struct kw_consumer_part *part, int64_t end, int32_t epoch);
/* part.c again */
/* Drops what is buffered; the position stays. */
void kwi_part_drop(struct kw_consumer_part *part);
/* Where the log ends for the consumer: the high watermark, or, if it reads what is
 * committed, the last stable offset. -1: not known. */
int64_t kwi_part_end(const struct kw_consumer_part *part);
/* Everything up to that end was handed out? Tells it once. */
void kwi_part_check_eof(struct kw_consumer_part *part);
/* Metadata named the topic. */
void kwi_part_meta(struct kw_consumer_part *part);
/* An answer leads elsewhere: steps at once, or, when the one before did too, later. */
void kwi_part_hurry(struct kw_consumer_part *part, enum kw_part_event event);
/* Fills the text of the pending ERROR notice. */
void kwi_part_describe(const struct kw_consumer_part *part, struct kw_error *err);

/* fetch.c */
/* Frees those that no part needs. */
void kwi_fetchers_sweep(struct kw_consumer *consumer);

/* Tells the brokers that their sessions are over, as a close begins. */
void kwi_fetchers_end(struct kw_consumer *consumer);

/* fetch_memory.c */
/* Memory came back to the fetch reserve: those that wait for it try again. */
void kwi_fetchers_feed(struct kw_core *core);
/* Drops what paused parts have buffered: it is fetched again when they resume.
 * False: there was nothing. */
bool kwi_fetchers_drop_paused(struct kw_core *core);
/* True if nothing but handles of the application, and parts that wait to be
 * unpacked, keep the reserve full. */
bool kwi_fetchers_only_held(const struct kw_core *core);

/* batch_check.c */
/* What one call may do (law 4), in bytes of batches. Two amounts, so that a batch that just
 * fits is verified in one call: in two it would be in the way of the next answer, which then
 * finds other memory and not what the processor's cache holds. */
struct kw_batch_budget {
    size_t checked; /* their checksums are taken */
    size_t passed;  /* their records' lengths are followed */
};
/* Makes the batch at the read position ready. Returns 1: it has records to hand
 * out; 0: nothing whole is left; KWI_BATCH_WAITS: it is being unpacked, and the
 * part is not ready before that; KW_ERR_WOULD_BLOCK: *budget is used up;
 * else the error that stops the part. Batches without records for the
 * application are passed, and the position with them. */
enum { KWI_BATCH_WAITS = 2 };
int kwi_batch_prepare(struct kw_consumer_part *part, struct kw_batch_budget *budget);
/* Passes over n records of the prepared batch, which has more than n. */
void kwi_batch_advance(struct kw_consumer_part *part, uint32_t n);
/* The prepared batch was taken whole. */
void kwi_batch_finish(struct kw_consumer_part *part);

#endif
