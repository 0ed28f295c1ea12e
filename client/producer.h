/* client/producer.h -- the producer's objects and how its files share them.
 *
 *   producer   settings, producer id, time lists, what it has outstanding
 *   topic      the application's handle: partitions, sticky choice
 *   part       one partition: the open batch's write window, sealed batches
 *   batch      a chain of chunks with up to batch.size bytes of records
 *   chunk      4, 16, then 64 KiB: records grow upward, opaques downward
 *   receipt    what the application asked one outcome for; a batch's runs name it
 *
 * A batch: OPEN -> QUEUED -> SENT -> (QUEUED again | DONE) -> reported -> freed.
 *   produce.c      append: the hot path, windows, chunks, sealing
 *   partitioner.c  which partition a record goes to
 *   route.c        from partition to leader
 *   sender.c       stamp, Produce requests
 *   answer.c       what answers mean, retries
 *   delivery.c     outcomes, reports, deadlines, flush, purge, close
 *   expiry.c       deadlines of single records, and their cancel
 *   chunk.c        memory of the open batch
 *   tray.c         batches that threads of the application fill alone
 *   receipt.c      one outcome for a chunk of records
 *   pack.c         compression of sealed batches, as work
 *   split.c        halves of a batch that was too large
 *   unsent.c       records handed back after purge or close
 *   writable.c     who is told when memory came back
 *   close.c        the end of a core
 *   producer_id.c  idempotence: producer id, epoch, sequences
 *   txn.c          transactions, see txn.h
 *   producer.c     create, topics, leaders, step */
#ifndef KWI_PRODUCER_H
#define KWI_PRODUCER_H
#include "client/core.h"
#include "client/link.h"

struct kw_sending_form;
struct kw_txn;

enum batch_state { BATCH_OPEN, BATCH_QUEUED, BATCH_SENT, BATCH_DONE };

/* Consecutive records of one chunk and one receipt, or none: what one report
 * covers. */
struct kw_report_cut {
    struct kw_chunk *chunk; /* NULL: there is no more to report */
    uint32_t chunk_base;    /* index of the first record that begins in it */
    struct kw_run *run;     /* the first that does not end before `first` */
    uint32_t first, n;      /* records, by their index in the batch */
    struct kw_receipt *receipt;
};

/* At the start of a block's data; records follow. A value by reference is a chunk of its
 * own, which lies in the block of its neighbours, and so does what follows it there. */
struct kw_chunk {
    struct kw_chunk *next;
    struct kw_block *block; /* NULL: that of the one before, or behind */
    uint32_t len;           /* bytes of records; set when the chunk is left */
    uint32_t n_opaques;     /* records that begin here; set when the chunk is left */
    uint8_t *data;          /* first byte of records (the batch header in the first chunk) */
    void **top;             /* behind the first opaque; NULL: data is the application's */
};

/* `n` records of a batch, from its `first` on, that belong to one receipt. */
struct kw_run {
    struct kw_run *next;
    struct kw_receipt *receipt;
    uint32_t first, n;
};

struct kw_batch {
    struct kw_node node;      /* in part->queue, or part->sent, or producer->unsent */
    struct kw_node time_node; /* producer->unpinned, ->timed, both by age; ->done */
    struct kw_node open_node; /* producer->lingering or ->held while open and pinned; ->to_pack;
                                 ->owed */
    struct kw_part *part;
    struct kw_chunk *first, *last;
    uint32_t n_chunks, n_records;
    uint32_t size;        /* bytes in all, header included; kept at seal */
    uint32_t records_crc; /* CRC-32C of the records so far folded */
    uint32_t records_len; /* bytes folded into it */
    uint32_t lent_len;    /* of those, in values that the application lent */
    int64_t base_timestamp, max_timestamp;
    uint64_t created_us;
    uint64_t number;       /* grows per producer: what flush waits for */
    uint32_t begin;        /* its first record, in the batch of that number: not 0 behind a split */
    bool pinned;           /* creation time is final, and the base timestamp */
    bool held;             /* open, in producer->held */
    bool base_fixed;       /* a record's own timestamp already pinned the base */
    bool stamped, restamp; /* carries id, epoch, sequence; must get new ones */
    bool maybe_written;    /* an attempt ended without a proof that it was not */
    bool unsent;           /* kept for kw_unsent_next */
    bool oversize;         /* the broker wants it smaller: to be split before it is sent */
    bool resized;          /* was split: its header must be written anew */
    bool packing;          /* waits for its compression, or is at it */
    bool by_ref;           /* one of its records waits to be told that its value is free */
    bool owed;             /* in producer->owed */
    uint8_t codec;         /* enum kw_codec_id of the records; 0 plain */
    uint32_t plain_len;    /* bytes of records before compression */
    bool reported;         /* the application has taken the last report */
    uint8_t state;
    uint8_t outcome, report_flags;
    int16_t producer_epoch;
    int32_t sequence;
    int64_t producer_id;
    uint32_t generation; /* of the topic that its numbers are for */
    uint32_t attempts;   /* how often it was offered to a connection */
    uint32_t failures;   /* of those, what counts against `retries` */
    uint32_t n_lent;     /* requests that hold its memory */
    int16_t kafka_code;
    int code;
    int64_t base_offset, log_append_ms;
    struct kw_evnode event;
    struct kw_report_cut cut; /* the report that comes next */
    struct kw_run run;        /* the first one, if there is last_run */
    struct kw_run *last_run;
    struct receipt_runs *more_runs; /* blocks of them, newest first */
    uint64_t done_us;               /* when it got its outcome */
    struct kw_block *expiry;        /* deadlines of its records (expiry.c); NULL: none */
    struct kw_timer expiry_timer;
    struct kw_node undated_node; /* producer->undated */
    struct kw_block *culprits;   /* a bit for each record that the broker named; NULL: none */
    uint8_t *flat;               /* unsent and of several chunks: made one piece */
    size_t flat_size;
};

/* The first line is what an append touches. */
struct kw_part {
    uint8_t *w;          /* where the next byte goes */
    uint8_t *limit;      /* w must not pass it; equal when there is no window */
    void **opaques;      /* the lowest stored opaque of the chunk */
    uint8_t *room;       /* end of the chunk's share of batch.size */
    uint32_t n_records;  /* of the open batch: the next offset delta */
    uint32_t chunk_base; /* n_records when the chunk was begun */
    uint32_t time_base;  /* n_records when wall_ms was set */
    struct kw_batch *open;
    int64_t wall_ms; /* the time that delta stands for */
    uint64_t delta;  /* zigzag of wall_ms - base timestamp of the open batch */

    struct kw_topic *topic;
    int32_t index;
    struct kw_list queue; /* sealed, waiting, oldest first */
    uint32_t n_queued;
    struct kw_list sent; /* under way, oldest first */
    uint32_t n_sent;
    struct kw_link *link;      /* of its leader, NULL while there is none */
    struct kw_node ready_node; /* in link->ready */
    bool ready;
    bool muted;      /* backs off until the timer fires */
    uint32_t n_lost; /* how often in a row it had no leader to go to */
    bool taken;      /* is in the request that is being filled */
    struct kw_timer backoff;
    /* idempotence: what the partition's next batch will carry */
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t next_sequence;
    uint32_t generation; /* of the topic that these are for */
    bool established;    /* one of this id and epoch was delivered, none failed since */
    /* transactions, version 1: of the transaction that it was added to (txn_parts.c) */
    bool txn_listed;
    uint64_t txn_serial;
    struct kw_node txn_node; /* in txn->wanted or ->asked */
};

/* A batch that is filled outside of its partition: a write window of its own, whose topic
 * and index are the partition's. */
struct kw_tray {
    struct kw_part window;
    struct kw_node node; /* in producer->trays */
};

/* How records without partition get one. */
struct kw_pick {
    uint8_t which; /* enum kw_partitioner_name */
    bool ignores_keys, adapts;
    uint64_t availability_us; /* 0: a broker that takes nothing is not avoided */
};

/* Why records of a topic take the slow path. */
enum { TOPIC_SLOW_STATE = 1, TOPIC_SLOW_PICK = 2, TOPIC_SLOW_HOOK = 4 };

struct kw_topic {
    struct kw_core *core; /* first: kw_core_of */
    struct kw_producer *producer;
    struct kw_part *sticky; /* where keyless records go now */
    struct kw_part **parts;
    uint32_t n_parts, parts_cap;
    int16_t error;
    uint32_t slow;       /* TOPIC_SLOW_*: STATE: no record is taken, and the slow path says
                            why; PICK: the partitioner is not the one of the hot path;
                            HOOK: on_send */
    bool told;           /* the unknown topic was reported once */
    struct kw_node node; /* producer->topics */
    struct kw_topic_meta *meta;
    struct kw_topic_watch watch;
    struct kw_timer timer; /* gives up waiting for an unknown topic */
    struct kw_pick pick;
    struct kw_partitioner own; /* pick NULL: there is none */
    uint32_t turn;             /* where the next record of a round goes */
    uint8_t id[16];            /* of the topic that records go to; zero: not known */
    uint32_t generation;       /* grows when there is another topic of the name */
    uint64_t sticky_size;      /* bytes sealed of the sticky partition since it is */
};

struct kw_producer {
    struct kw_core *core; /* first: kw_core_of */
    struct kw_node node;  /* core->producers */
    /* settings */
    uint64_t linger_us, delivery_timeout_us;
    uint32_t batch_size, max_request_size, retries, max_in_flight;
    int32_t request_timeout_ms;
    int64_t retry_backoff_ms, retry_backoff_max_ms;
    int16_t acks;
    bool idempotent;
    bool writes; /* kw_produce may write itself when a batch is full */
    bool fatal, closing;
    struct kw_error fatal_error;

    struct kw_list topics;
    struct kw_list unpinned;  /* opened since the last step */
    struct kw_list lingering; /* open, by age; those that were held are in front */
    struct kw_list held;      /* open and due, but behind sealed ones of their partition */
    struct kw_list timed;     /* without an outcome, by age */
    struct kw_list done;      /* outcome final, not yet reported or still lent */
    struct kw_list owed;      /* of those: lent values are in use, so that no report may come yet */
    struct kw_list unsent;    /* kept for kw_unsent_next */
    struct kw_list free_batches;
    struct kw_list trays;    /* kw_tray */
    struct kw_list undated;  /* with deadlines that count from the next step */
    struct kw_list receipts; /* not yet told */
    uint32_t n_receipts;
    struct kw_timer linger_timer, delivery_timer;
    uint64_t next_number;  /* of batches */
    uint64_t flush_number; /* batches up to it are due now */
    uint64_t n_sealed;     /* records of sealed batches without an outcome */
    bool blocked;          /* WOULD_BLOCK was returned: WRITABLE is owed */
    struct kw_evnode writable;
    struct kw_list flushes; /* flush_op, by age */
    struct kw_list free_sendings;
    struct kw_sending_form *form; /* scratch of sender.c */

    /* compression (pack.c) */
    const struct kw_codec *codec; /* NULL: none */
    uint8_t codec_id;
    int codec_level, codec_levels[KW_N_CODECS];
    struct kw_list to_pack; /* sealed batches that wait for a context */
    struct kw_list idle_packs, busy_packs;
    uint32_t n_packs;
    bool only_errors; /* delivery.report.only.error */
    struct kw_pick pick;

    struct kw_producer_hooks hooks; /* zeroed: none */
    struct kw_header *hook_headers; /* scratch: a record's, and behind them the hook's */
    uint32_t hook_headers_cap;

    /* A sweep ends batches without waiting for the network, some a step. */
    int sweep_code;        /* 0: none */
    uint64_t sweep_number; /* batches up to it */
    bool sweep_sent;       /* those under way too (their outcome is unknown) */
    bool sweep_keep;       /* what was never offered is kept for kw_unsent_next */

    /* idempotence (producer_id.c) */
    int64_t producer_id; /* -1: none yet */
    int16_t producer_epoch;
    bool id_wanted; /* an InitProducerId is under way or backing off */
    uint32_t id_attempts;
    struct kw_timer id_timer;
    struct kw_txn *txn; /* with transactional.id (txn.h), else NULL */

    /* kw_unsent_next (unsent.c) */
    struct kw_batch *unsent_batch;
    uint32_t unsent_index;
    const uint8_t *unsent_at, *unsent_end;
    const struct unsent_lent *unsent_lent; /* the next value that was lent */
    struct kw_header *unsent_headers;
    uint32_t unsent_headers_cap;
};

/* produce.c */
void kwi_part_seal(struct kw_part *part); /* closes the open batch and queues it */
/* A batch has left the queue: the open one may be due now. */
void kwi_part_unhold(struct kw_part *part);
/* The same for the batch of a window (tray.c), which goes to `part`. */
void kwi_part_seal_into(struct kw_part *window, struct kw_part *part);
void kwi_batch_free(struct kw_batch *batch);
/* From this length on a value by reference is not copied: a piece of its own costs about
 * as much as to copy that many bytes. */
enum { KWI_LENT_MIN = 2048 };
/* A chunk whose block holds `size` bytes of records and opaques. NULL: no memory. */
struct kw_chunk *kwi_chunk_create(struct kw_producer *producer, size_t size);
struct kw_chunk *kwi_chunk_create_in(struct kw_pool *pool, size_t size);
void kwi_batch_free_chunks(struct kw_batch *batch);
/* Piece list of a sealed batch, at most cap; returns how many. */
uint32_t kwi_batch_pieces(const struct kw_batch *batch, struct kw_iov *iov, uint32_t cap);

/* writable.c */
void kwi_producer_block(struct kw_producer *producer); /* WOULD_BLOCK is returned */
/* Memory came back to the produce reserve: those that are owed WRITABLE may get it. */
void kwi_producers_check_writable(struct kw_core *core);
/* What must be free for a batch to be opened: its fill and a largest record. */
static inline size_t kwi_producer_reserve(const struct kw_producer *producer)
{
    return (size_t)producer->batch_size + producer->max_request_size;
}

/* tray.c: the producer goes. */
void kwi_trays_deinit(struct kw_producer *producer);

/* pack.c */
int kwi_pack_init(struct kw_producer *producer, struct kw_error *err);
void kwi_pack_deinit(struct kw_producer *producer);
/* A batch was sealed: it is compressed before it is sent. */
void kwi_pack_batch(struct kw_batch *batch);
/* Its outcome is final already: takes it out of the line. */
void kwi_pack_forget(struct kw_batch *batch);

/* partitioner.c */
void kwi_topic_turn(struct kw_topic *topic); /* another partition for keyless records */
/* A batch of the partition was sealed: does the topic turn? */
void kwi_topic_sealed(struct kw_part *part, uint32_t size);

/* sender.c */
/* A request of the producer's, which waits for as long as its own request.timeout.ms says.
 * link may be NULL for kwi_cluster_submit. NULL: no memory. */
struct kw_request *kwi_producer_request(struct kw_producer *producer, struct kw_link *link,
                                        const struct kw_request_type *type, void *owner);
void kwi_part_route(struct kw_part *part); /* leader or queue changed */
/* Whether its bytes are final and nobody else's. If not, the next step, the end of its
 * compression, or the driver's receipt routes its partition again. */
bool kwi_batch_is_due(const struct kw_batch *batch);
/* As route, after a Metadata answer: one that waited for its leader goes at once. */
void kwi_part_found(struct kw_part *part);
struct kw_request *kwi_sender_pull(struct kw_link *link);
void kwi_sender_kick(struct kw_producer *producer); /* all its links */
void kwi_sender_deinit(struct kw_producer *producer);

/* delivery.c */
/* The outcome is final: reports follow, memory goes when nothing holds it. */
void kwi_batch_conclude(struct kw_batch *batch, enum kw_outcome outcome, int code,
                        int16_t kafka_code);
/* Why a record of a batch that was not delivered was not; *kafka_code too. */
int kwi_batch_code_of(const struct kw_batch *batch, uint32_t index, int16_t *kafka_code);
/* Frees it if it is done, reported and not lent. */
void kwi_batch_let_go(struct kw_batch *batch);
void kwi_delivery_init(struct kw_producer *producer);
void kwi_delivery_arm(struct kw_producer *producer);
/* Ends every batch up to now by a sweep. A sweep for a graver reason replaces
 * one that is under way. */
void kwi_producer_sweep(struct kw_producer *producer, int code, bool sent, bool keep);
/* Carries out at most `max` endings of the sweep. */
void kwi_producer_sweep_some(struct kw_producer *producer, unsigned max);
/* Nothing works any more: id refused, or fenced. All records are reported. */
void kwi_producer_fatal(struct kw_producer *producer, const struct kw_error *error);
bool kwi_producer_drained(const struct kw_producer *producer);

/* Ends a batch before its time, truthfully: unknown if bytes of it were offered. keep: for
 * kw_unsent_next, if none were. */
void kwi_batch_give_up(struct kw_batch *batch, int code, bool keep);

/* expiry.c */
/* Makes room for one more deadline; is there none, the batch is full. */
bool kwi_expiry_is_full(const struct kw_batch *batch, uint32_t index, uint32_t timeout_ms);
KW_MUST_USE int kwi_expiry_prepare(struct kw_batch *batch);
/* The open batch's record has this deadline. Room for it was made. */
void kwi_expiry_note(struct kw_batch *batch, uint32_t index, uint32_t timeout_ms);
/* Deadlines noted since the last step begin to count. */
void kwi_expiry_date(struct kw_producer *producer);
/* The timer of the next deadline that may still end a record. */
void kwi_expiry_arm(struct kw_batch *batch);
/* The second half has the deadlines of its records. */
void kwi_expiry_split(struct kw_batch *batch, struct kw_batch *second);
/* It has its outcome, or goes. */
void kwi_expiry_stop(struct kw_batch *batch);

/* split.c */
/* Makes two of a queued batch that is oversize and not lent. false: no memory now. */
bool kwi_batch_split(struct kw_batch *batch);
/* The same behind the first n records, of one that is neither lent nor in the line for
 * compression, into which it does not go. */
bool kwi_batch_split_at(struct kw_batch *batch, uint32_t n);
/* Whether a is in front of b, both of one partition. */
static inline bool kwi_batch_before(const struct kw_batch *a, const struct kw_batch *b)
{
    return a->number < b->number || (a->number == b->number && a->begin < b->begin);
}

/* producer_id.c */
void kwi_producer_id_init(struct kw_producer *producer);
void kwi_producer_id_want(struct kw_producer *producer);
/* May batches be stamped now? Starts the request for an id if there is none. */
bool kwi_producer_id_ready(struct kw_producer *producer);
/* How many batches of the partition may be under way. */
uint32_t kwi_part_window(const struct kw_part *part);
/* A batch of the partition is in the log. */
void kwi_part_established(struct kw_part *part, const struct kw_batch *batch);
/* May the head of the partition's queue be numbered now? false: older batches
 * must be settled first, or the queue has become empty. */
bool kwi_part_sequence_due(struct kw_part *part);
/* The sequence number n records behind: 0 .. INT32_MAX, then 0 again. */
int32_t kwi_sequence_add(int32_t sequence, uint32_t n);
/* Gives the batch id, epoch and sequence, or keeps those that it has. */
void kwi_batch_sequence(struct kw_batch *batch);
/* A stamped batch ended without a proof that its sequences were used: the epoch
 * goes up, so that the hole cannot hold later batches up (KIP-360). */
void kwi_producer_bump(struct kw_producer *producer);

/* producer.c, for core.c and others */
/* What decides whether records are taken changed: closing, fatal, an error, the
 * number of partitions. */
void kwi_producer_mark(struct kw_producer *producer);
/* When to try again after so many attempts, by the producer's retry.backoff.ms. */
uint64_t kwi_producer_retry_us(struct kw_producer *producer, uint32_t attempts);
void kwi_producers_step(struct kw_core *core);
bool kwi_producers_pending(const struct kw_core *core);
void kwi_producers_stop(struct kw_core *core); /* timers off, nothing is sent any more */
void kwi_producers_destroy(struct kw_core *core);
void kwi_unsent_add(struct kw_producer *producer, struct kw_batch *batch); /* in order */
/* Undoes the compression of a batch: plain_len bytes. Errors: KW_ERR_NOMEM. */
KW_MUST_USE int kwi_batch_decode(const struct kw_batch *batch, uint8_t *out);
void kwi_unsent_deinit(struct kw_producer *producer);

#endif
