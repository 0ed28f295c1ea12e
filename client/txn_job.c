/* client/txn_job.c -- kw_txn_send_offsets: what it may be asked for, and the job that is made
 * of it, with copies of all texts. How a job is sent is in txn_offsets.c. */
#include "client/txn_job.h"

#include <string.h>

#include "client/consumer.h"
#include "client/error_text.h"
#include "client/group.h"
#include <kwire/kwire.h>

enum { TXNJOB_MAX = 16, TXNJOB_METADATA_MAX = 32767 };

/* What a job is made of; measured first, then written. */
struct txnjob_of {
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
            job->entries[i] = (struct kw_txn_entry){
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

static uint32_t txnjob_fill_stored(struct kw_txn_job *job, struct kw_consumer *consumer,
                                   size_t *used)
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
                job->entries[n] =
                    (struct kw_txn_entry){.topic = name,
                                          .topic_len = (uint32_t)topic->meta->name_len,
                                          .partition = part->partition,
                                          .leader_epoch = kwi_stored_epoch(part),
                                          .offset = offset,
                                          .metadata = {"", 0},
                                          .open = true};
            n++;
        }
    }
    return n;
}

static uint32_t txnjob_fill(struct kw_txn_job *job, const struct txnjob_of *source, size_t *used)
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

static bool txnjob_text_is(struct kw_str text, struct kw_str other)
{
    return text.len == other.len &&
           (text.len <= 0 || !memcmp(text.ptr, other.ptr, (size_t)text.len));
}

/* The core has no strcmp. */
static bool txnjob_name_is(const char *name, const char *other)
{
    size_t len = strlen(name);

    return len == strlen(other) && !memcmp(name, other, len);
}

static bool txnjob_entry_is(const struct kw_txn_entry *entry, const struct kw_txn_entry *other)
{
    return entry->partition == other->partition && entry->offset == other->offset &&
           entry->leader_epoch == other->leader_epoch &&
           txnjob_name_is(entry->topic, other->topic) &&
           txnjob_text_is(entry->metadata, other->metadata);
}

/* Whether it says the same. */
static bool txnjob_is(const struct kw_txn_job *job, const struct kw_txn_job *other)
{
    bool same = job->n == other->n && job->generation == other->generation &&
                txnjob_name_is(job->group_id, other->group_id) &&
                txnjob_text_is(job->member_id, other->member_id) &&
                txnjob_text_is(job->instance_id, other->instance_id);

    for (uint32_t i = 0; same && i < job->n; i++)
        same = txnjob_entry_is(&job->entries[i], &other->entries[i]);
    return same;
}

/* The newest one, if it was asked for by the same call before, which ended by its deadline:
 * the call joins in. An older one would be overtaken by what came since. */
static struct kw_txn_job *txnjob_left(const struct kw_txn *txn, const struct kw_txn_job *job)
{
    struct kw_txn_job *last = txn->jobs.last ? KWI_OF(txn->jobs.last, struct kw_txn_job, node)
                                             : NULL;

    return last && !last->op && !last->gone && txnjob_is(last, job) ? last : NULL;
}

/* *out NULL and 0: there is nothing to commit. */
static int txnjob_create(struct kw_txn *txn, const struct txnjob_of *source,
                         struct kw_txn_job **out)
{
    struct kw_core *core = txn->producer->core;
    struct kw_txn_job *job;
    size_t used = 0, size;
    uint32_t n = txnjob_fill(NULL, source, &used);

    *out = NULL;
    if (n == 0)
        return 0;
    size = sizeof(*job) + n * sizeof(struct kw_txn_entry) + used;
    job = kwi_alloc_zero(&core->control, size);
    if (!job)
        return KW_ERR_NOMEM;
    job->txn = txn;
    job->size = size;
    job->n = job->n_open = n;
    used = 0;
    (void)txnjob_fill(job, source, &used);
    *out = txnjob_left(txn, job);
    if (*out) {
        kwi_free(&core->control, job, size);
        return 0;
    }
    job->user.changed = kwi_txn_job_changed;
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

/* ---- kw_txn_send_offsets ---------------------------------------------------------------- */

static int txnjob_check_list(const struct kw_txn_offsets *what, struct kw_error *err)
{
    for (size_t i = 0; what->offsets && i < what->offsets->n; i++) {
        const struct kw_offset *offset = &what->offsets->list[i];

        if (!offset->topic || !kwi_consumer_name_is_good(offset->topic) || offset->partition < 0 ||
            offset->offset < 0 || offset->metadata.len > TXNJOB_METADATA_MAX) {
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

static int txnjob_source_consumer(const struct kw_txn_offsets *what, struct txnjob_of *source,
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

static int txnjob_source(const struct kw_txn_offsets *what, struct txnjob_of *source,
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
    *source = (struct txnjob_of){.consumer = what->consumer, .offsets = what->offsets};
    if (what->consumer) {
        int rc = txnjob_source_consumer(what, source, err);
        return rc ? rc : txnjob_check_list(what, err);
    }
    source->group_id = what->group_id;
    source->member_id = kwi_str(what->member_id ? what->member_id : "");
    source->instance_id = what->group_instance_id ? kwi_str(what->group_instance_id) : KWI_NULL_STR;
    source->generation = what->generation;
    return txnjob_check_list(what, err);
}

/* What of the consumer means for the transaction makes it abortable at once. */
static int txnjob_ask(struct kw_producer *producer, const struct kw_txn_offsets *what,
                      struct kw_txn_job **job, struct kw_error *err)
{
    struct kw_txn *txn = producer->txn;
    struct txnjob_of source;
    int rc = kwi_txn_may_write(producer, "kw_txn_send_offsets", err);

    if (!rc)
        rc = txnjob_source(what, &source, err);
    if (!rc && txn->n_jobs >= TXNJOB_MAX) {
        kwi_error_fmt(err, KW_ERR_LIMIT, KW_PHASE_REQUEST, "wait for some of them",
                      "%d sets of offsets are under way already", TXNJOB_MAX);
        err->txn_class = KW_TXN_RETRY;
        return KW_ERR_LIMIT;
    }
    if (!rc) {
        rc = txnjob_create(txn, &source, job);
        if (rc) {
            kwi_error_set(err, rc, KW_PHASE_REQUEST, "no memory for the offsets", "");
            err->txn_class = KW_TXN_RETRY;
        }
    }
    if (rc && err->txn_class == KW_TXN_ABORT && kwi_txn_is_open(txn))
        kwi_txn_fail(txn, err);
    return rc;
}

struct kw_op *kw_core_txn_send_offsets(struct kw_producer *producer,
                                       const struct kw_txn_offsets *what, int32_t timeout_ms,
                                       void *tag)
{
    struct kw_op *op = kwi_op_create(producer->core, sizeof(struct kw_txn_job_op), timeout_ms, tag,
                                     kwi_txn_job_abandon);
    struct kw_txn_job *job = NULL;
    struct kw_error err = {0};
    int rc;

    if (!op)
        return NULL;
    rc = txnjob_ask(producer, what, &job, &err);
    if (!job) { /* refused, or nothing to commit */
        op->abandon = NULL;
        kwi_op_end(op, rc, rc ? &err : NULL);
        return op;
    }
    job->op = KWI_OF(op, struct kw_txn_job_op, op);
    job->op->job = job;
    kwi_txn_go(producer->txn);
    return op;
}
