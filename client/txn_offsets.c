/* client/txn_offsets.c -- a group's offsets in a transaction (KIP-447): what was read
 * counts as read if and only if what was written from it is committed.
 *
 * A job is what one kw_txn_send_offsets asks for. Jobs go one at a time: with version 1
 * the group is added at the transaction's coordinator (AddOffsetsToTxn), then the group's
 * coordinator gets TxnOffsetCommit, again and again until each offset was taken or one
 * was refused for good, which makes the transaction abortable. A job whose operation has
 * ended by its deadline stays: the transaction commits with all of its offsets or not at
 * all. */
#include "client/txn_job.h"

#include <string.h>

#include "client/config.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/txn.h"
#include <kwire/kwire.h>

enum { TXNOFF_IMPLICIT = 5 }; /* the version of TxnOffsetCommit that adds the group itself */

static struct kw_txn_job *txnjobs_first(const struct kw_txn *txn)
{
    return txn->jobs.first ? KWI_OF(txn->jobs.first, struct kw_txn_job, node) : NULL;
}

/* ---- the end of a job -------------------------------------------------------------------- */

static void txnjob_tell(struct kw_txn_job *job, int code, const struct kw_error *err)
{
    struct kw_txn_job_op *op = job->op;

    job->op = NULL;
    if (op)
        kwi_op_end(&op->op, code, err);
}

static void txnjob_free(struct kw_txn_job *job)
{
    struct kw_txn *txn = job->txn;

    if (job->coordinator)
        kwi_coordinator_put(job->coordinator, &job->user);
    kwi_list_remove(&txn->jobs, &job->node);
    txn->n_jobs--;
    kwi_free(&txn->producer->core->control, job, job->size);
}

/* The operation ends early; the job goes on. */
void kwi_txn_job_abandon(struct kw_op *op, int code)
{
    struct kw_txn_job *job = KWI_OF(op, struct kw_txn_job_op, op)->job;
    const struct kw_error *why = &job->txn->last;
    struct kw_error err;

    job->op = NULL;
    if (code != KW_ERR_TIMEOUT)
        return;
    if (!why->code && job->coordinator && job->coordinator->error.code)
        why = &job->coordinator->error;
    kwi_error_fmt(&err, KW_ERR_TIMEOUT, KW_PHASE_REQUEST,
                  "call it again, or kw_txn_abort; kw_txn_commit waits for these offsets, too",
                  "the offsets of group %.60s were not taken by the deadline%s%s", job->group_id,
                  why->code ? "; last: " : "", why->code ? why->text : "");
    err.txn_class = KW_TXN_RETRY;
    kwi_op_end(op, KW_ERR_TIMEOUT, &err);
}

void kwi_txn_offsets_drop(struct kw_txn *txn, const struct kw_error *why)
{
    struct kw_node *next;

    kwi_core_disarm(txn->producer->core, &txn->job_retry);
    for (struct kw_node *n = txn->jobs.first; n; n = next) {
        struct kw_txn_job *job = KWI_OF(n, struct kw_txn_job, node);

        next = n->next;
        txnjob_tell(job, why->code, why);
        /* The first one may be under way: in TxnOffsetCommit, or in AddOffsetsToTxn. */
        if (job == txnjobs_first(txn) && (txn->committing || txn->req || txn->group_unsure))
            job->gone = true;
        else
            txnjob_free(job);
    }
}

void kwi_txn_offsets_sweep(struct kw_txn *txn)
{
    struct kw_txn_job *job = txnjobs_first(txn);

    if (job && job->gone && !txn->committing && !txn->req && !txn->group_unsure)
        txnjob_free(job);
}

void kwi_txn_offsets_destroy(struct kw_txn *txn)
{
    while (txn->jobs.first) {
        struct kw_txn_job *job = txnjobs_first(txn);

        job->coordinator = NULL; /* the core has freed them all */
        txnjob_free(job);
    }
}

/* ---- AddOffsetsToTxn -------------------------------------------------------------------- */

const char *kwi_txn_offsets_group(const struct kw_txn *txn)
{
    const struct kw_txn_job *job = txnjobs_first(txn);

    if (!job || job->added || txn->implicit || (job->gone && !txn->group_unsure))
        return NULL;
    return job->group_id;
}

void kwi_txn_offsets_group_added(struct kw_txn *txn)
{
    struct kw_txn_job *job = txnjobs_first(txn);

    if (job)
        job->added = true;
}

/* ---- TxnOffsetCommit -------------------------------------------------------------------- */

static int txnoff_choose(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct kw_txn *txn = req->owner;
    const struct kw_txn_job *job = txnjobs_first(txn);
    /* Without version 3 nobody would look who commits, and a zombie could (KIP-447). */
    int least = job && (job->member_id.len > 0 || job->generation >= 0) ? 3 : 0;
    int most = TXNOFF_IMPLICIT - 1;

    if (txn->implicit)
        least = most = TXNOFF_IMPLICIT;
    return kwi_link_choose(req, broker_min, broker_max, least, most);
}

static int txnoff_encode_job(const struct kw_txn_job *job, int16_t version, struct kw_wr *wr,
                             struct kw_txn_offset_commit_request_partition *partitions,
                             struct kw_txn_offset_commit_request_topic *topics)
{
    const struct kw_txn *txn = job->txn;
    struct kw_txn_offset_commit_request msg;
    uint32_t n = 0, n_topics = 0;
    const struct kw_txn_entry *last = NULL; /* the first of its topic */

    for (uint32_t i = 0; i < job->n; i++) {
        const struct kw_txn_entry *entry = &job->entries[i];

        if (!entry->open)
            continue;
        kwi_txn_offset_commit_request_partition_init(&partitions[n]);
        partitions[n].partition_index = entry->partition;
        partitions[n].committed_offset = entry->offset;
        if (version >= 2)
            partitions[n].committed_leader_epoch = entry->leader_epoch;
        partitions[n].committed_metadata = entry->metadata;
        if (!last || last->topic_len != entry->topic_len ||
            memcmp(last->topic, entry->topic, entry->topic_len) != 0) {
            last = entry;
            kwi_txn_offset_commit_request_topic_init(&topics[n_topics]);
            topics[n_topics].name = (struct kw_str){entry->topic, (int32_t)entry->topic_len};
            topics[n_topics++].partitions = KWI_ARR(&partitions[n], 0);
        }
        topics[n_topics - 1].partitions.n++;
        n++;
    }
    kwi_txn_offset_commit_request_init(&msg);
    msg.transactional_id = (struct kw_str){txn->id, (int32_t)txn->id_len};
    msg.group_id = kwi_str(job->group_id);
    msg.producer_id = txn->producer->producer_id;
    msg.producer_epoch = txn->producer->producer_epoch;
    if (version >= 3) {
        msg.generation_id = job->generation;
        msg.member_id = job->member_id;
        msg.group_instance_id = job->instance_id;
    }
    msg.topics = KWI_ARR(topics, n_topics);
    return kwi_txn_offset_commit_request_encode(&msg, version, wr);
}

static int txnoff_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_txn *txn = req->owner;
    struct kw_heap *heap = &req->core->control;
    const struct kw_txn_job *job = txnjobs_first(txn);
    struct kw_txn_offset_commit_request_partition *partitions;
    struct kw_txn_offset_commit_request_topic *topics;
    int rc = KW_ERR_NOMEM;
    size_t n;

    if (!job || job->gone || !kwi_txn_sends(txn))
        return KW_ERR_CANCELED;
    n = job->n_open;
    partitions = kwi_alloc(heap, n * sizeof(*partitions));
    topics = kwi_alloc(heap, n * sizeof(*topics));
    if (partitions && topics)
        rc = txnoff_encode_job(job, req->version, wr, partitions, topics);
    kwi_free(heap, partitions, n * sizeof(*partitions));
    kwi_free(heap, topics, n * sizeof(*topics));
    if (!rc && txn->implicit)
        txn->started = true;
    return rc;
}

static void txnoff_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type txnoff_type = {
    .api_key = KW_API_TXN_OFFSET_COMMIT,
    .choose = txnoff_choose,
    .encode = txnoff_encode,
    .done = txnoff_done,
};

static void txnoff_pause(struct kw_txn *txn)
{
    kwi_core_arm(txn->producer->core, &txn->job_retry,
                 kwi_producer_retry_us(txn->producer, txn->job_attempts));
    if (txn->job_attempts < 32)
        txn->job_attempts++;
}

void kwi_txn_offsets_go(struct kw_txn *txn)
{
    struct kw_txn_job *job = txnjobs_first(txn);
    struct kw_broker *broker;
    struct kw_link *link;

    if (!job || job->gone || txn->committing || txn->job_retry.armed || !kwi_txn_sends(txn) ||
        (!job->added && !txn->implicit))
        return;
    kwi_coordinator_want(job->coordinator);
    broker = kwi_coordinator_broker(job->coordinator);
    if (!broker)
        return; /* its change comes back here */
    link = kwi_link_get(broker, KWI_LANE_CONTROL, NULL);
    txn->committing = link ? kwi_producer_request(txn->producer, link, &txnoff_type, txn) : NULL;
    if (!txn->committing) {
        txnoff_pause(txn);
        return;
    }
    txn->committing->arg = (uint32_t)broker->node_id;
    kwi_request_submit(txn->committing);
}

/* ---- the answer ------------------------------------------------------------------------- */

static struct kw_txn_entry *txnoff_find(struct kw_txn_job *job, struct kw_str topic,
                                        int32_t partition, uint32_t *at)
{
    for (uint32_t i = 0; i < job->n; i++) {
        uint32_t k = (*at + i) % job->n;
        struct kw_txn_entry *entry = &job->entries[k];

        if (!entry->open || entry->partition != partition || topic.len < 0 ||
            entry->topic_len != (uint32_t)topic.len ||
            memcmp(entry->topic, topic.ptr, entry->topic_len) != 0)
            continue;
        *at = k + 1;
        return entry;
    }
    return NULL;
}

/* Errors that the broker will not answer another time. REQUEST_TIMED_OUT comes from a
 * coordinator that may be none any more. */
static bool txnoff_is_final(int16_t code)
{
    enum kw_txn_verdict verdict = kwi_txn_judge(code);

    return verdict != KWI_TXN_OK && verdict != KWI_TXN_AGAIN && verdict != KWI_TXN_FIND;
}

struct txnoff_result {
    int16_t refused, failed; /* the first code for good; the last that may heal */
    bool lost;               /* the coordinator is another one */
    const char *topic;       /* that `refused` is about */
};

static void txnoff_take(struct kw_txn_job *job, const struct kw_txn_offset_commit_response *msg,
                        struct txnoff_result *out)
{
    struct kw_txn_offset_commit_response_topic topic;
    struct kw_txn_offset_commit_response_partition item;
    struct kw_iter topics, items;
    uint32_t at = 0;

    for (kwi_iter_init(&topics, &msg->topics); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);) {
            struct kw_txn_entry *entry = txnoff_find(job, topic.name, item.partition_index, &at);

            if (!entry)
                continue;
            if (!item.error_code) {
                entry->open = false;
                job->n_open--;
            } else if (txnoff_is_final(item.error_code)) {
                /* What kills the producer counts before what kills the transaction. */
                if (!out->refused || kwi_txn_judge(item.error_code) == KWI_TXN_DEAD)
                    out->refused = item.error_code;
                out->topic = entry->topic;
            } else {
                out->failed = item.error_code;
                out->lost |= kwi_coordinator_is_lost(item.error_code) ||
                             item.error_code == KW_E_REQUEST_TIMED_OUT;
            }
        }
    }
}

/* The producer is dead, or its transaction abortable. */
static void txnoff_refused(struct kw_txn *txn, const struct kw_txn_job *job,
                           const struct txnoff_result *result)
{
    const char *name = result->refused == KW_E_TOPIC_AUTHORIZATION_FAILED ? result->topic
                                                                          : job->group_id;
    struct kw_error err;

    if (result->refused == KW_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        name = txn->id;
    if (kwi_txn_judge(result->refused) != KWI_TXN_DEAD) {
        kwi_txn_fail_kafka(txn, result->refused, KW_API_TXN_OFFSET_COMMIT, name);
        return;
    }
    kwi_error_answer(txn->producer->core, &err, result->refused, KW_API_TXN_OFFSET_COMMIT, name);
    err.txn_class = KW_TXN_FATAL;
    kwi_producer_fatal(txn->producer, &err);
}

static void txnoff_answered(struct kw_txn *txn, struct kw_txn_job *job, int32_t node_id,
                            const struct kw_txn_offset_commit_response *msg)
{
    struct txnoff_result result = {0};

    txnoff_take(job, msg, &result);
    if (result.lost)
        kwi_coordinator_lost(job->coordinator, node_id);
    else
        kwi_coordinator_proved(job->coordinator);
    if (job->gone)
        return;
    if (result.refused) {
        txnoff_refused(txn, job, &result);
    } else if (job->n_open > 0) {
        if (result.failed)
            kwi_error_kafka(&txn->last, result.failed, "committing offsets in a transaction", NULL,
                            0);
        txnoff_pause(txn);
    } else {
        txn->job_attempts = 0;
        txn->last.code = 0;
        txnjob_tell(job, 0, NULL);
        txnjob_free(job);
    }
}

/* No answer: it may be carried out later. */
static void txnoff_unanswered(struct kw_txn *txn, struct kw_txn_job *job, int32_t node_id,
                              const struct kw_answer *answer, int err)
{
    struct kw_error why;

    if (!txn->implicit && (answer->offered || !answer->err))
        txn->bump = true;
    if (answer->cause)
        txn->last = *answer->cause;
    if (err == KW_ERR_UNSUPPORTED && !job->gone) {
        kwi_error_fmt(&why, err, KW_PHASE_REQUEST, "",
                      "the coordinator of group %.60s has no TxnOffsetCommit that fences a member "
                      "(2.5 or later, KIP-447)",
                      job->group_id);
        kwi_txn_fail(txn, &why);
        return;
    }
    if (err != KW_ERR_CANCELED)
        kwi_coordinator_lost(job->coordinator, node_id);
    if (!job->gone)
        txnoff_pause(txn);
}

static void txnoff_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_txn *txn = req->owner;
    struct kw_txn_job *job = txnjobs_first(txn);
    int32_t node_id = (int32_t)(uint32_t)req->arg;
    struct kw_txn_offset_commit_response msg;
    struct kw_fault fault;
    int err = answer->err;

    txn->committing = NULL;
    if (txn->producer->core->closing || !job)
        return;
    if (!err && kwi_txn_offset_commit_response_decode(&msg, req->version, answer->body, answer->len,
                                                      &fault))
        err = kwi_request_malformed(req, &fault, NULL);
    if (err) {
        txnoff_unanswered(txn, job, node_id, answer, err);
    } else {
        kwi_throttle(req, msg.throttle_time_ms);
        txnoff_answered(txn, job, node_id, &msg);
    }
    kwi_txn_go(txn);
}

/* ---- coordinators ----------------------------------------------------------------------- */

/* Other jobs may be users of the same coordinator, and must not go while it tells them:
 * bad news is looked at in the next step. */
void kwi_txn_job_changed(struct kw_coordinator_user *user)
{
    struct kw_txn_job *job = KWI_OF(user, struct kw_txn_job, user);
    struct kw_txn *txn = job->txn;

    if (job->gone || job != txnjobs_first(txn) || txn->committing)
        return;
    if (job->coordinator->state != KWI_COORDINATOR_REFUSED)
        kwi_txn_offsets_go(txn);
    else
        kwi_core_arm(txn->producer->core, &txn->job_retry, txn->producer->core->now.mono_us);
}

static void txnoff_retry_due(struct kw_timer *timer)
{
    struct kw_txn *txn = KWI_OF(timer, struct kw_txn, job_retry);
    const struct kw_txn_job *job = txnjobs_first(txn);
    struct kw_error err;

    if (!job || job->gone || job->coordinator->state != KWI_COORDINATOR_REFUSED) {
        kwi_txn_offsets_go(txn);
        return;
    }
    err = job->coordinator->error;
    if (err.kafka_code)
        kwi_error_answer(txn->producer->core, &err, err.kafka_code, KW_API_FIND_COORDINATOR,
                         job->group_id);
    kwi_txn_fail(txn, &err);
}

void kwi_txn_offsets_init(struct kw_txn *txn)
{
    txn->job_retry.fire = txnoff_retry_due;
}
