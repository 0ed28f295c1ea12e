/* client/txn_offsets.c -- a group's offsets in a transaction (KIP-447): what was read
 * counts as read if and only if what was written from it is committed.
 *
 * A job is what one kw_txn_send_offsets asks for. Jobs go one at a time: with version 1
 * the group is added at the transaction's coordinator (AddOffsetsToTxn), then the group's
 * coordinator gets TxnOffsetCommit, again and again until each offset was taken or one
 * was refused for good, which makes the transaction abortable. A job whose operation has
 * ended by its deadline stays: the transaction commits with all of its offsets or not at
 * all. */
#include "client/txn.h"

#include <string.h>

#include "client/config.h"
#include "client/consumer.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "client/group.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/txn.h"
#include <kwire/kwire.h>

enum { TXNJOB_MAX = 16, TXNOFF_METADATA_MAX = 32767, TXNOFF_IMPLICIT = 5 };

struct txnoff_entry {
    const char *topic; /* within the job; NUL-terminated */
    uint32_t topic_len;
    int32_t partition, leader_epoch;
    int64_t offset;
    struct kw_str metadata; /* within the job */
    bool open;
};

struct kw_txn_job {
    struct kw_node node; /* in txn->jobs */
    struct kw_txn *txn;
    struct txnjob_op *op; /* NULL: nobody waits */
    struct kw_coordinator *coordinator;
    struct kw_coordinator_user user;
    bool added; /* the coordinator of the transaction knows the group */
    bool gone;  /* ends when the answer to its request comes */
    const char *group_id;
    struct kw_str member_id, instance_id;
    int32_t generation;
    uint32_t n, n_open;
    size_t size; /* of the allocation: texts follow the entries */
    struct txnoff_entry entries[];
};

struct txnjob_op {
    struct kw_op op;
    struct kw_txn_job *job;
};

static struct kw_txn_job *txnjobs_first(const struct kw_txn *txn)
{
    return txn->jobs.first ? KWI_OF(txn->jobs.first, struct kw_txn_job, node) : NULL;
}

/* ---- the end of a job -------------------------------------------------------------------- */

static void txnjob_tell(struct kw_txn_job *job, int code, const struct kw_error *err)
{
    struct txnjob_op *op = job->op;

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
static void txnjob_op_abandon(struct kw_op *op, int code)
{
    struct kw_txn_job *job = KWI_OF(op, struct txnjob_op, op)->job;
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

/* ---- AddOffsetsToTxn ------------------------------------------------------------------------ */

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

/* ---- TxnOffsetCommit -------------------------------------------------------------------------- */

static int txnoff_choose(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct kw_txn *txn = req->owner;
    const struct kw_txn_job *job = txnjobs_first(txn);
    /* Without version 3 nobody would look who commits, and a zombie could (KIP-447). */
    int least = job && (job->member_id.len > 0 || job->generation >= 0) ? 3 : 0;
    int most = TXNOFF_IMPLICIT - 1, high;

    if (txn->implicit)
        least = most = TXNOFF_IMPLICIT;
    high = broker_max < most ? broker_max : most;
    return high >= (broker_min > least ? broker_min : least) ? high : KW_ERR_UNSUPPORTED;
}

static int txnoff_encode_job(const struct kw_txn_job *job, int16_t version, struct kw_wr *wr,
                              struct kw_txn_offset_commit_request_partition *partitions,
                              struct kw_txn_offset_commit_request_topic *topics)
{
    const struct kw_txn *txn = job->txn;
    struct kw_txn_offset_commit_request msg;
    uint32_t n = 0, n_topics = 0;
    const char *topic = NULL;

    for (uint32_t i = 0; i < job->n; i++) {
        const struct txnoff_entry *entry = &job->entries[i];

        if (!entry->open)
            continue;
        kwi_txn_offset_commit_request_partition_init(&partitions[n]);
        partitions[n].partition_index = entry->partition;
        partitions[n].committed_offset = entry->offset;
        if (version >= 2)
            partitions[n].committed_leader_epoch = entry->leader_epoch;
        partitions[n].committed_metadata = entry->metadata;
        if (!topic || strcmp(topic, entry->topic) != 0) {
            topic = entry->topic;
            kwi_txn_offset_commit_request_topic_init(&topics[n_topics]);
            topics[n_topics].name = (struct kw_str){topic, (int32_t)entry->topic_len};
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
    struct kw_core *core = txn->producer->core;

    kwi_core_arm(core, &txn->job_retry,
                 core->now.mono_us +
                     kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                                         kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                         txn->job_attempts));
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
    txn->committing = link ? kwi_request_create(txn->producer->core, link, &txnoff_type, txn)
                           : NULL;
    if (!txn->committing) {
        txnoff_pause(txn);
        return;
    }
    txn->committing->arg = (uint32_t)broker->node_id;
    kwi_request_submit(txn->committing);
}

/* ---- the answer --------------------------------------------------------------------------------- */

static struct txnoff_entry *txnoff_find(struct kw_txn_job *job, struct kw_str topic,
                                          int32_t partition, uint32_t *at)
{
    for (uint32_t i = 0; i < job->n; i++) {
        uint32_t k = (*at + i) % job->n;
        struct txnoff_entry *entry = &job->entries[k];

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
            struct txnoff_entry *entry = txnoff_find(job, topic.name, item.partition_index, &at);

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
    if (!err &&
        kwi_txn_offset_commit_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        err = kwi_request_malformed(req, &fault, NULL);
    if (err) {
        txnoff_unanswered(txn, job, node_id, answer, err);
    } else {
        kwi_throttle(req, msg.throttle_time_ms);
        txnoff_answered(txn, job, node_id, &msg);
    }
    kwi_txn_go(txn);
}

/* ---- making jobs --------------------------------------------------------------------------------- */

/* Other jobs may be users of the same coordinator, and must not go while it tells them:
 * bad news is looked at in the next step. */
static void txnjob_coordinator_changed(struct kw_coordinator_user *user)
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

/* What a job is made of; measured first, then written. */
struct txnjob_source {
    const char *group_id;
    struct kw_str member_id, instance_id;
    int32_t generation;
    struct kw_consumer *consumer;     /* or NULL */
    const struct kw_offsets *offsets; /* or NULL: what is stored */
};

static char *txnjob_text(struct kw_txn_job *job, size_t *used, const void *text, size_t len)
{
    char *at = job ? (char *)(job->entries + job->n) + *used : NULL;

    if (at) {
        memcpy(at, text, len);
        at[len] = 0;
    }
    *used += len + 1;
    return at;
}

/* job NULL: only counts. */
static uint32_t txnjob_fill_given(struct kw_txn_job *job, const struct kw_offsets *offsets,
                               size_t *used)
{
    for (size_t i = 0; i < offsets->n; i++) {
        const struct kw_offset *from = &offsets->list[i];
        size_t topic_len = strlen(from->topic);
        char *topic = txnjob_text(job, used, from->topic, topic_len);
        char *metadata = txnjob_text(job, used, from->metadata.ptr ? from->metadata.ptr : "",
                                  from->metadata.ptr ? from->metadata.len : 0);
        if (job)
            job->entries[i] = (struct txnoff_entry){
                .topic = topic,
                .topic_len = (uint32_t)topic_len,
                .partition = from->partition,
                .leader_epoch = from->leader_epoch ? from->leader_epoch : -1,
                .offset = from->offset,
                .metadata = {metadata, from->metadata.ptr ? (int32_t)from->metadata.len : 0},
                .open = true};
    }
    return (uint32_t)offsets->n;
}

static uint32_t txnjob_fill_stored(struct kw_txn_job *job, struct kw_consumer *consumer, size_t *used)
{
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;
    uint32_t n = 0;

    for (uint32_t i = 0; (topic = kwi_map_next(&consumer->topics, &i));) {
        char *name = txnjob_text(job, used, topic->meta->name, topic->meta->name_len);

        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));) {
            int64_t offset = kwi_stored_offset(part);

            if (offset < 0)
                continue;
            if (job)
                job->entries[n] = (struct txnoff_entry){
                    .topic = name,
                    .topic_len = (uint32_t)topic->meta->name_len,
                    .partition = part->partition,
                    .leader_epoch = part->stored_epoch,
                    .offset = offset,
                    .metadata = {"", 0},
                    .open = true};
            n++;
        }
    }
    return n;
}

static uint32_t txnjob_fill(struct kw_txn_job *job, const struct txnjob_source *source, size_t *used)
{
    struct kw_str member = source->member_id, instance = source->instance_id;
    uint32_t n = source->offsets ? txnjob_fill_given(job, source->offsets, used)
                                 : txnjob_fill_stored(job, source->consumer, used);
    const char *group = txnjob_text(job, used, source->group_id, strlen(source->group_id));

    member.ptr = txnjob_text(job, used, member.ptr, (size_t)member.len);
    if (instance.len >= 0)
        instance.ptr = txnjob_text(job, used, instance.ptr, (size_t)instance.len);
    if (!job)
        return n;
    job->group_id = group;
    job->member_id = member;
    job->instance_id = instance;
    job->generation = source->generation;
    return n;
}

/* *out NULL and 0: there is nothing to commit. */
static int txnjob_create(struct kw_txn *txn, const struct txnjob_source *source, struct kw_txn_job **out)
{
    struct kw_core *core = txn->producer->core;
    struct kw_txn_job *job;
    size_t used = 0, size;
    uint32_t n = txnjob_fill(NULL, source, &used);

    *out = NULL;
    if (n == 0)
        return 0;
    size = sizeof(*job) + n * sizeof(struct txnoff_entry) + used;
    job = kwi_alloc_zero(&core->control, size);
    if (!job)
        return KW_ERR_NOMEM;
    job->txn = txn;
    job->size = size;
    job->n = job->n_open = n;
    used = 0;
    (void)txnjob_fill(job, source, &used);
    job->user.changed = txnjob_coordinator_changed;
    job->coordinator = kwi_coordinator_get(core, KWI_COORDINATOR_GROUP, job->group_id, &job->user);
    if (!job->coordinator) {
        kwi_free(&core->control, job, size);
        return KW_ERR_NOMEM;
    }
    kwi_list_push(&txn->jobs, &job->node);
    txn->n_jobs++;
    *out = job;
    return 0;
}

/* ---- kw_txn_send_offsets ---------------------------------------------------------------------------- */

static int txnoff_check_list(const struct kw_txn_offsets *what, struct kw_error *err)
{
    for (size_t i = 0; what->offsets && i < what->offsets->n; i++) {
        const struct kw_offset *offset = &what->offsets->list[i];

        if (!offset->topic || !kwi_consumer_name_is_good(offset->topic) || offset->partition < 0 ||
            offset->offset < 0 || offset->metadata.len > TXNOFF_METADATA_MAX) {
            kwi_error_fmt(err, KW_ERR_USE, KW_PHASE_REQUEST, "",
                          "offset %u: a topic, a partition and an offset from 0 on are needed, and "
                          "at most 32767 bytes of metadata",
                          (unsigned)i);
            return KW_ERR_USE;
        }
        if (what->consumer && !kwi_consumer_find(what->consumer, offset->topic,
                                                 strlen(offset->topic), offset->partition)) {
            kwi_error_fmt(err, KW_ERR_STATE, KW_PHASE_REQUEST,
                          "call kw_txn_abort: what was written belongs to its new owner",
                          "%.60s partition %d is not assigned to the consumer any more",
                          offset->topic, offset->partition);
            err->txn_class = KW_TXN_ABORT;
            return KW_ERR_STATE;
        }
    }
    return 0;
}

static int txnoff_source_consumer(const struct kw_txn_offsets *what, struct txnjob_source *source,
                                   struct kw_error *err)
{
    struct kw_consumer *consumer = what->consumer;
    const struct kw_member *member = &consumer->keeper.member;

    if (!consumer->keeper.group_id) {
        kwi_error_set(err, KW_ERR_USE, KW_PHASE_REQUEST, "the consumer has no group.id",
                      "set group.id");
        return KW_ERR_USE;
    }
    /* A member that was thrown out looks like no member at all, and a broker would take
     * its offsets. */
    if (consumer->group && consumer->group->names && member->epoch < 0) {
        kwi_error_fmt(err, KW_ERR_STATE, KW_PHASE_REQUEST,
                      "call kw_txn_abort: its partitions may be somebody else's by now",
                      "the consumer is no member of group %.60s now", consumer->keeper.group_id);
        err->txn_class = KW_TXN_ABORT;
        return KW_ERR_STATE;
    }
    source->group_id = consumer->keeper.group_id;
    source->member_id = member->id;
    source->instance_id = member->instance_id;
    source->generation = member->epoch;
    return 0;
}

static int txnoff_source(const struct kw_txn_offsets *what, struct txnjob_source *source,
                          struct kw_error *err)
{
    bool good = what && what->size >= sizeof(*what) &&
                (what->consumer || (what->group_id && *what->group_id && what->offsets)) &&
                (!what->offsets || !what->offsets->n || what->offsets->list);

    if (!good) {
        kwi_error_set(err, KW_ERR_USE, KW_PHASE_REQUEST,
                      "a consumer, or a group_id and offsets, are needed", "");
        return KW_ERR_USE;
    }
    *source = (struct txnjob_source){.consumer = what->consumer, .offsets = what->offsets};
    if (what->consumer) {
        int rc = txnoff_source_consumer(what, source, err);
        return rc ? rc : txnoff_check_list(what, err);
    }
    source->group_id = what->group_id;
    source->member_id = kwi_str(what->member_id ? what->member_id : "");
    source->instance_id = what->group_instance_id ? kwi_str(what->group_instance_id) : KWI_NULL_STR;
    source->generation = what->generation;
    return txnoff_check_list(what, err);
}

/* What of the consumer means for the transaction makes it abortable at once. */
static int txnoff_ask(struct kw_producer *producer, const struct kw_txn_offsets *what,
                       struct kw_txn_job **job, struct kw_error *err)
{
    struct kw_txn *txn = producer->txn;
    struct txnjob_source source;
    int rc = kwi_txn_may_write(producer, "kw_txn_send_offsets", err);

    if (!rc)
        rc = txnoff_source(what, &source, err);
    if (!rc && txn->n_jobs >= TXNJOB_MAX) {
        kwi_error_fmt(err, KW_ERR_LIMIT, KW_PHASE_REQUEST, "wait for some of them",
                      "%d sets of offsets are under way already", TXNJOB_MAX);
        return KW_ERR_LIMIT;
    }
    if (!rc) {
        rc = txnjob_create(txn, &source, job);
        if (rc)
            kwi_error_set(err, rc, KW_PHASE_REQUEST, "no memory for the offsets", "");
    }
    if (rc && err->txn_class == KW_TXN_ABORT && kwi_txn_is_open(txn))
        kwi_txn_fail(txn, err);
    return rc;
}

struct kw_op *kw_core_txn_send_offsets(struct kw_producer *producer,
                                       const struct kw_txn_offsets *what, int32_t timeout_ms,
                                       void *tag)
{
    struct kw_op *op = kwi_op_create(producer->core, sizeof(struct txnjob_op), timeout_ms, tag,
                                     txnjob_op_abandon);
    struct kw_txn_job *job = NULL;
    struct kw_error err = {0};
    int rc;

    if (!op)
        return NULL;
    rc = txnoff_ask(producer, what, &job, &err);
    if (!job) { /* refused, or nothing to commit */
        op->abandon = NULL;
        kwi_op_end(op, rc, rc ? &err : NULL);
        return op;
    }
    job->op = KWI_OF(op, struct txnjob_op, op);
    job->op->job = job;
    kwi_txn_go(producer->txn);
    return op;
}
