/* client/txn.h -- the transactions of a producer (KIP-98, KIP-360, KIP-447, KIP-890).
 *
 *   txn.c          states, the application's calls, when a transaction may end
 *   txn_calls.c    requests to the transaction coordinator, one at a time
 *   txn_parts.c    partitions are registered before their first batch (version 1)
 *   txn_job.c      a group's offsets: kw_txn_send_offsets
 *   txn_offsets.c  how they are sent: AddOffsetsToTxn, TxnOffsetCommit
 *
 *   UNINITIALIZED -init-> INITIALIZING --> READY -begin-> OPEN
 *   OPEN -commit-> FLUSHING -all written-> COMMITTING -EndTxn-> READY
 *   OPEN, FLUSHING -something failed-> ABORTABLE
 *   OPEN, FLUSHING, ABORTABLE -abort-> ABORTING -EndTxn-> READY
 *   any -fenced, refused-> DEAD
 *
 * INITIALIZED, COMMITTED and ABORTED stand in front of READY when nobody waited for the
 * end: whoever asks again is told it. The table is in txn.c.
 *
 * Version 1: AddPartitionsToTxn and AddOffsetsToTxn come first, and one epoch serves
 * many transactions; when something may still be under way (an answer was lost, a batch
 * left a hole in a sequence) InitProducerId raises the epoch before the next one, so that
 * it cannot fall into it (KAFKA-17754). Version 2 (transaction.version >= 2): brokers add
 * by themselves, and EndTxn gives each transaction an epoch of its own. */
#ifndef KWI_CLIENT_TXN_H
#define KWI_CLIENT_TXN_H
#include "client/coordinator.h"
#include "client/op.h"
#include "client/producer.h"

enum kw_txn_event {
    KWI_TXN_ASK_INIT,
    KWI_TXN_ASK_BEGIN,
    KWI_TXN_ASK_WRITE, /* records, offsets */
    KWI_TXN_ASK_COMMIT,
    KWI_TXN_ASK_ABORT,
    KWI_TXN_REFUSED, /* init failed, and may be asked for again */
    KWI_TXN_DRAINED, /* everything has its outcome */
    KWI_TXN_ENDED,   /* what was asked for is done */
    KWI_TXN_TOLD,    /* whoever asked knows */
    KWI_TXN_FAILED,  /* the transaction cannot be committed */
    KWI_TXN_DIED,
    KWI_TXN_EVENTS
};

enum kw_txn_call {
    KWI_TXN_CALL_NONE,
    KWI_TXN_CALL_INIT,
    KWI_TXN_CALL_PARTS,
    KWI_TXN_CALL_GROUP,
    KWI_TXN_CALL_END
};

struct kw_txn_job;
struct kw_txn_op;

struct kw_txn {
    struct kw_producer *producer;
    uint8_t state;   /* enum kw_txn_state */
    uint8_t outcome; /* enum kw_txn_outcome */
    bool implicit;   /* version 2 */
    bool started;    /* the coordinator knows of this transaction, or may */
    bool ended;      /* EndTxn was answered, or is not needed */
    bool bump;       /* the epoch must go up before the next transaction */
    bool unsure;     /* an EndTxn of this transaction was sent and not answered */
    bool busy;       /* kwi_txn_go runs */
    bool abandoned;  /* the deadline of kw_close has come */
    uint64_t serial; /* of the transaction; 0: none yet */
    int32_t timeout_ms;
    struct kw_txn_op *op;  /* INIT, COMMIT or ABORT, while somebody waits */
    struct kw_error cause; /* ABORTABLE, DEAD: the first one */
    /* txn_calls.c */
    struct kw_coordinator *coordinator; /* NULL until kw_txn_init */
    struct kw_coordinator_user user;
    struct kw_request *req; /* to it, or NULL */
    struct kw_timer retry;
    uint32_t attempts;
    struct kw_error last; /* why the last request failed; code 0: it did not */
    /* txn_parts.c */
    struct kw_list wanted, asked; /* parts */
    bool parts_unsure;            /* the last request for `asked` was sent, not answered */
    /* txn_offsets.c */
    struct kw_list jobs; /* kw_txn_job; the first is under way, or next */
    uint32_t n_jobs;
    bool group_unsure;             /* AddOffsetsToTxn of the first job was sent, not answered */
    struct kw_request *committing; /* TxnOffsetCommit, or NULL */
    struct kw_timer job_retry;
    uint32_t job_attempts;
    size_t id_len;
    char id[]; /* transactional.id, NUL-terminated */
};

/* ---- txn.c ---- */

/* For producer.c. Without transactional.id nothing is made. 0 or KW_ERR_NOMEM. */
KW_MUST_USE int kwi_txn_create(struct kw_producer *producer, const struct kw_config *own);
void kwi_txn_stop(struct kw_txn *txn); /* timers off */
void kwi_txn_destroy(struct kw_txn *txn);
/* A cell of the state table; false: illegal. */
bool kwi_txn_cell(unsigned state, unsigned event, unsigned *next);
/* The transaction cannot be committed any more. Later causes do not count. */
void kwi_txn_fail(struct kw_txn *txn, const struct kw_error *cause);
/* The same for a Kafka code in answer to api_key about `name`. */
void kwi_txn_fail_kafka(struct kw_txn *txn, int16_t kafka_code, int16_t api_key, const char *name);
/* The producer met a fatal error (kwi_producer_fatal). */
void kwi_txn_die(struct kw_txn *txn, const struct kw_error *cause);
/* Init was refused in a way that may heal: it ends. */
void kwi_txn_init_refused(struct kw_txn *txn, const struct kw_error *why);
/* What was asked for is done. */
void kwi_txn_done(struct kw_txn *txn);
/* Does what can be done now: the next request, or the end. */
void kwi_txn_go(struct kw_txn *txn);
/* A batch of the partition has its outcome, and is told. */
void kwi_txn_batch_done(const struct kw_part *part, enum kw_outcome outcome, int code,
                        int16_t kafka_code);
/* 0: records and offsets are taken; else why not. */
int kwi_txn_may_write(const struct kw_producer *producer, const char *call, struct kw_error *err);
/* kw_close: an open transaction is aborted. */
void kwi_txn_close(struct kw_txn *txn);
/* Nothing is under way that close should wait for. */
bool kwi_txn_is_settled(const struct kw_txn *txn);
/* The deadline of the close has come: says what is left, and lets go. */
void kwi_txn_abandon(struct kw_txn *txn);
/* The connections go: operations that are still there end. */
void kwi_txn_closed(struct kw_txn *txn);

static inline bool kwi_txn_is_open(const struct kw_txn *txn)
{
    return txn->state == KW_TXN_OPEN;
}
/* Batches may be sent. */
static inline bool kwi_txn_sends(const struct kw_txn *txn)
{
    return txn->state == KW_TXN_OPEN || txn->state == KW_TXN_FLUSHING;
}
/* Batches that were not answered are given up. */
static inline bool kwi_txn_drops(const struct kw_txn *txn)
{
    return txn && txn->state == KW_TXN_ABORTING;
}

/* ---- txn_calls.c ---- */

/* Sends what is needed next, if there is a way to the coordinator. */
void kwi_txn_call(struct kw_txn *txn, enum kw_txn_call call);
/* Finds the coordinator from now on. 0 or KW_ERR_NOMEM. */
KW_MUST_USE int kwi_txn_calls_begin(struct kw_txn *txn);
/* What an error code of a coordinator means. */
enum kw_txn_verdict {
    KWI_TXN_OK,
    KWI_TXN_AGAIN,   /* after a pause */
    KWI_TXN_FIND,    /* it is another broker */
    KWI_TXN_ABORT,   /* this transaction is lost */
    KWI_TXN_LOST_ID, /* and the producer id, too: InitProducerId gives another */
    KWI_TXN_DEAD,
    KWI_TXN_OTHER /* it depends on the request */
};
enum kw_txn_verdict kwi_txn_judge(int16_t kafka_code);

/* ---- txn_parts.c ---- */

/* May batches of the partition be sent? Registers it if that must come first. */
bool kwi_txn_part_ready(struct kw_part *part);
int kwi_txn_parts_encode(struct kw_request *req, struct kw_wr *wr);
/* Returns the code that counts of the answer; parts that were added are noted. */
int16_t kwi_txn_parts_read(struct kw_txn *txn, const struct kw_request *req,
                           const struct kw_answer *answer, int32_t *throttle_ms,
                           struct kw_fault *fault, const char **topic, int *rc);
/* The request ended: parts that were not added are asked for again. */
void kwi_txn_parts_return(struct kw_txn *txn, bool answered, bool offered);
/* Abort: those that were never asked for are forgotten; end: all. */
void kwi_txn_parts_forget(struct kw_txn *txn, bool all);

/* ---- txn_offsets.c ---- */

/* The group that must be added to the transaction first, or NULL. */
const char *kwi_txn_offsets_group(const struct kw_txn *txn);
void kwi_txn_offsets_group_added(struct kw_txn *txn);
/* Sends the first job, if it can be sent now. */
void kwi_txn_offsets_go(struct kw_txn *txn);
/* What was dropped and is not under way any more goes. */
void kwi_txn_offsets_sweep(struct kw_txn *txn);
/* Ends the jobs with an error; one that is under way when its answer comes. */
void kwi_txn_offsets_drop(struct kw_txn *txn, const struct kw_error *why);
void kwi_txn_offsets_init(struct kw_txn *txn);
void kwi_txn_offsets_destroy(struct kw_txn *txn);

#endif
