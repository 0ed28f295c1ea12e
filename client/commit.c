/* client/commit.c -- committing offsets: OffsetCommit, one request at a time for
 * each consumer, in the order in which the commits were asked for.
 *
 * A job is what one commit asks for; its entries end one by one: committed, or
 * failed with a code of their own. A job is tried again while its errors can heal and
 * its deadline has not come. Entries whose partition was taken away meanwhile fail:
 * whoever has it now commits for it. A failed entry is told as COMMIT_FAILED.
 *
 * What cannot be undone here: a request that a dying connection still delivers after
 * a later commit got through. The next commit puts that right. */
#include "client/commit.h"

#include <string.h>

#include "client/config.h"
#include "client/error_text.h"
#include "client/group.h"
#include "client/op.h"
#include "client/throttle.h"
#include "proto/error.h"
#include <kwire/kwire.h>

enum { COMMIT_METADATA_MAX = 32767 };

/* ---- jobs -------------------------------------------------------------------------------- */

/* Every entry has ended: out of the queue, told, and gone or in the list of those
 * whose failures are events. */
static void commit_finish(struct kw_commit_job *job)
{
    struct kw_consumer *consumer = job->consumer;
    struct kw_keeper *keeper = &consumer->keeper;
    bool failed = job->n_failed > 0;

    kwi_list_remove(&keeper->commits, &job->node);
    if (failed && !job->quiet) {
        kwi_list_push(&keeper->failed, &job->node);
        kwi_consumer_notify(consumer);
    }
    if (failed && job->automatic)
        kwi_commit_soon(consumer);
    kwi_commit_tell(job);
    if (!failed || job->quiet)
        kwi_commit_free(job);
    kwi_consumer_check(consumer);
}

/* A job that is under way cannot be called back; its answer finds nothing open. */
static void commit_give_up(struct kw_commit_job *job, int code, int16_t kafka_code)
{
    bool sent = job->consumer->keeper.committing &&
                job->consumer->keeper.commits.first == &job->node;

    kwi_commit_close_all(job, code, kafka_code);
    if (!sent) {
        commit_finish(job);
        return;
    }
    kwi_commit_tell(job);
    kwi_consumer_check(job->consumer);
}

void kwi_commit_deadline(struct kw_timer *timer)
{
    struct kw_commit_job *job = KWI_OF(timer, struct kw_commit_job, deadline);
    struct kw_consumer *consumer = job->consumer;

    commit_give_up(job, KW_ERR_TIMEOUT, 0);
    kwi_commits_kick(consumer);
}

static void commit_abandon(struct kw_op *op, int code)
{
    struct kw_commit_op *commit = KWI_OF(op, struct kw_commit_op, op);
    struct kw_commit_job *job = commit->job;

    if (!job || job->op != commit)
        return;
    job->op = NULL;
    job->quiet = true; /* who asked is told by the operation */
    commit_give_up(job, code, 0);
}

/* ---- sending ---------------------------------------------------------------------------- */

static int commit_choose(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct kw_consumer *consumer = req->owner;
    /* 9 is the first in which a number of a member is an epoch. */
    int least = consumer && consumer->keeper.member.by_epoch ? 9 : 0;
    return kwi_link_choose(req, broker_min, broker_max, least, INT16_MAX);
}

static int commit_encode_entries(const struct kw_keeper *keeper, const struct kw_commit_job *job,
                                 int16_t version, struct kw_wr *wr,
                                 struct kw_offset_commit_request_partition *partitions,
                                 struct kw_offset_commit_request_topic *topics)
{
    struct kw_offset_commit_request msg;
    const char *topic = NULL;
    uint32_t n = 0, n_topics = 0;

    for (uint32_t i = 0; i < job->n; i++) {
        const struct kw_commit_entry *entry = &job->entries[i];
        if (!entry->open)
            continue;
        kwi_offset_commit_request_partition_init(&partitions[n]);
        partitions[n].partition_index = entry->partition;
        partitions[n].committed_offset = entry->offset;
        if (version >= 6)
            partitions[n].committed_leader_epoch = entry->leader_epoch;
        partitions[n].committed_metadata = entry->metadata;
        if (topic != entry->topic) {
            topic = entry->topic;
            kwi_offset_commit_request_topic_init(&topics[n_topics]);
            topics[n_topics].name = (struct kw_str){topic, (int32_t)entry->topic_len};
            topics[n_topics++].partitions = KWI_ARR(&partitions[n], 0);
        }
        topics[n_topics - 1].partitions.n++;
        n++;
    }
    kwi_offset_commit_request_init(&msg);
    msg.group_id = kwi_str(keeper->group_id);
    msg.generation_id_or_member_epoch = keeper->member.epoch;
    msg.member_id = keeper->member.id;
    if (version >= 7)
        msg.group_instance_id = keeper->member.instance_id;
    msg.topics = KWI_ARR(topics, n_topics);
    return kwi_offset_commit_request_encode(&msg, version, wr);
}

/* Partitions that were taken away since the commit was asked for. */
static void commit_prune(struct kw_commit_job *job)
{
    for (uint32_t i = 0; i < job->n; i++) {
        struct kw_commit_entry *entry = &job->entries[i];
        const struct kw_consumer_part *part;
        if (!entry->open)
            continue;
        part = kwi_consumer_find(job->consumer, entry->topic, entry->topic_len, entry->partition);
        if (!part || part->serial != entry->serial)
            kwi_commit_close_entry(job, entry, KW_ERR_STATE, 0);
    }
}

static int commit_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_consumer *consumer = req->owner;
    struct kw_heap *heap = &req->core->control;
    struct kw_offset_commit_request_partition *partitions;
    struct kw_offset_commit_request_topic *topics;
    struct kw_commit_job *job;
    int rc = KW_ERR_NOMEM;
    size_t n;

    if (!consumer)
        return KW_ERR_CANCELED;
    job = KWI_OF(consumer->keeper.commits.first, struct kw_commit_job, node);
    commit_prune(job); /* it may have waited long for its connection */
    n = job->n_open;
    if (n == 0)
        return KW_ERR_CANCELED; /* given up while it was queued */
    partitions = kwi_alloc(heap, n * sizeof(*partitions));
    topics = kwi_alloc(heap, n * sizeof(*topics));
    if (partitions && topics)
        rc = commit_encode_entries(&consumer->keeper, job, req->version, wr, partitions, topics);
    kwi_free(heap, partitions, n * sizeof(*partitions));
    kwi_free(heap, topics, n * sizeof(*topics));
    consumer->keeper.sent_epoch = consumer->keeper.member.epoch;
    return rc;
}

static void commit_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type commit_type = {
    .api_key = KW_API_OFFSET_COMMIT,
    .choose = commit_choose,
    .encode = commit_encode,
    .done = commit_done,
};

static void commit_later(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_core *core = consumer->core;
    uint64_t us = kwi_core_backoff_us(core, kwi_consumer_setting(consumer, KW_KEY_RETRY_BACKOFF_MS),
                                      kwi_consumer_setting(consumer, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                      keeper->attempts);

    if (keeper->attempts < 32)
        keeper->attempts++;
    kwi_core_arm(core, &keeper->retry, core->now.mono_us + us);
}

/* The first job that has something to send. */
static struct kw_commit_job *commit_first(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;

    while (!kwi_list_empty(&keeper->commits)) {
        struct kw_commit_job *job = KWI_OF(keeper->commits.first, struct kw_commit_job, node);
        commit_prune(job);
        if (job->n_open > 0)
            return job;
        commit_finish(job);
    }
    return NULL;
}

void kwi_commits_kick(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_commit_job *job;
    struct kw_link *link;

    if (keeper->committing || keeper->retry.armed)
        return;
    job = commit_first(consumer);
    if (!job)
        return;
    link = kwi_keeper_link(consumer);
    if (!link) {
        if (keeper->coordinator->error.code)
            job->cause = keeper->coordinator->error;
        if (keeper->coordinator->state == KWI_COORDINATOR_KNOWN)
            commit_later(consumer); /* no memory */
        return;
    }
    keeper->committing = kwi_consumer_request(consumer, link, &commit_type, consumer);
    if (!keeper->committing) {
        commit_later(consumer);
        return;
    }
    keeper->committing->arg = (uint64_t)link->broker->node_id;
    kwi_request_submit(keeper->committing);
}

static void commit_retry_due(struct kw_timer *timer)
{
    struct kw_keeper *keeper = KWI_OF(timer, struct kw_keeper, retry);

    kwi_commits_kick(KWI_OF(keeper, struct kw_consumer, keeper));
}

/* ---- the answer ------------------------------------------------------------------------- */

/* Answers come in the order of the request: what is behind the last one that was
 * found is looked at first. */
static struct kw_commit_entry *commit_find(struct kw_commit_job *job, struct kw_str topic,
                                           int32_t partition, uint32_t *at)
{
    for (uint32_t i = 0; i < job->n; i++) {
        uint32_t k = (*at + i) % job->n;
        struct kw_commit_entry *entry = &job->entries[k];
        if (!entry->open || entry->partition != partition || topic.len < 0 ||
            entry->topic_len != (uint32_t)topic.len ||
            memcmp(entry->topic, topic.ptr, entry->topic_len) != 0)
            continue;
        *at = k + 1;
        return entry;
    }
    return NULL;
}

static void commit_took(struct kw_commit_job *job, struct kw_commit_entry *entry)
{
    struct kw_consumer_part *part = kwi_consumer_find(job->consumer, entry->topic, entry->topic_len,
                                                      entry->partition);

    if (part && part->serial == entry->serial)
        part->committed = entry->offset;
    kwi_commit_close_entry(job, entry, 0, 0);
}

/* Errors that the same commit may not meet again. A topic that is gone does not
 * come back (G32), whatever the table says of the code. */
static bool commit_may_heal(int16_t code)
{
    if (code == KW_E_STALE_MEMBER_EPOCH)
        return true; /* with the epoch that the next heartbeat brings */
    return code != KW_E_UNKNOWN_TOPIC_OR_PARTITION && code != KW_E_UNKNOWN_TOPIC_ID &&
           code != KW_E_REBALANCE_IN_PROGRESS &&
           (kwi_error_info(code)->flags & KW_E_RETRIABLE) != 0;
}

static void commit_take(struct kw_commit_job *job, const struct kw_offset_commit_response *msg,
                        const struct kw_request *req)
{
    struct kw_keeper *keeper = &job->consumer->keeper;
    struct kw_offset_commit_response_topic topic;
    struct kw_offset_commit_response_partition item;
    struct kw_iter topics, items;
    int16_t refused = 0;
    uint32_t at = 0;
    bool lost = false;

    for (kwi_iter_init(&topics, &msg->topics); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);) {
            struct kw_commit_entry *entry = commit_find(job, topic.name, item.partition_index, &at);
            if (!entry)
                continue;
            if (!item.error_code) {
                commit_took(job, entry);
                continue;
            }
            lost |= kwi_coordinator_is_lost(item.error_code) ||
                    item.error_code == KW_E_REQUEST_TIMED_OUT;
            kwi_error_kafka(&job->cause, item.error_code, "committing offsets", NULL, 0);
            if (!commit_may_heal(item.error_code))
                kwi_commit_close_entry(job, entry, KW_ERR_BROKER, item.error_code);
            if (!commit_may_heal(item.error_code) || item.error_code == KW_E_STALE_MEMBER_EPOCH)
                refused = item.error_code;
        }
    }
    if (lost)
        kwi_coordinator_lost(keeper->coordinator, (int32_t)req->arg);
    else
        kwi_coordinator_proved(keeper->coordinator);
    if (refused && keeper->refused)
        keeper->refused(job->consumer, refused, keeper->sent_epoch);
}

static void commit_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_consumer *consumer = req->owner;
    struct kw_offset_commit_response msg;
    struct kw_commit_job *job;
    struct kw_fault fault;
    int rc = answer->err;

    if (!consumer)
        return;
    consumer->keeper.committing = NULL;
    job = KWI_OF(consumer->keeper.commits.first, struct kw_commit_job, node);
    if (!rc &&
        kwi_offset_commit_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (rc && answer->cause)
        job->cause = *answer->cause;
    if (!rc)
        kwi_throttle(req, msg.throttle_time_ms);
    if (!rc)
        commit_take(job, &msg, req);
    else if (kwi_keeper_is_final(rc))
        kwi_commit_close_all(job, rc, 0);
    else
        kwi_keeper_lost(consumer, req, rc);
    if (job->n_open > 0) {
        commit_later(consumer);
        return;
    }
    consumer->keeper.attempts = 0;
    commit_finish(job);
    kwi_commits_kick(consumer);
}

/* ---- automatic commits ------------------------------------------------------------------ */

int kwi_commit_stored(struct kw_consumer *consumer, kwi_commit_filter_fn *filter, void *filter_ctx,
                      int64_t timeout_ms, kwi_commit_ended_fn *ended)
{
    struct kw_commit_source source = {filter, filter_ctx, NULL};
    struct kw_commit_job *job = kwi_commit_create(consumer, &source);

    if (!job)
        return KW_ERR_NOMEM;
    job->automatic = true;
    job->ended = ended;
    kwi_core_arm(consumer->core, &job->deadline, kwi_core_after_ms(consumer->core, timeout_ms));
    kwi_commits_kick(consumer);
    return 0;
}

void kwi_commit_soon(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;

    if (!keeper->auto_commit || keeper->due.armed || consumer->closed)
        return;
    kwi_core_arm(consumer->core, &keeper->due,
                 kwi_core_after_ms(consumer->core,
                                   kwi_consumer_setting(consumer, KW_KEY_AUTO_COMMIT_INTERVAL_MS)));
}

static void commit_auto_due(struct kw_timer *timer)
{
    struct kw_keeper *keeper = KWI_OF(timer, struct kw_keeper, due);
    struct kw_consumer *consumer = KWI_OF(keeper, struct kw_consumer, keeper);

    if (consumer->closed)
        return;
    if (keeper->rebalancing || !kwi_list_empty(&keeper->commits) ||
        kwi_commit_stored(consumer, NULL, NULL,
                          kwi_consumer_setting(consumer, KW_KEY_REQUEST_TIMEOUT_MS), NULL))
        kwi_commit_soon(consumer);
}

/* Whoever is waiting is told that there will be no coordinator. */
static void keeper_refused(struct kw_consumer *consumer, const struct kw_error *why)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_node *next;

    for (struct kw_node *n = keeper->commits.first; n; n = next) {
        struct kw_commit_job *job = KWI_OF(n, struct kw_commit_job, node);
        next = n->next;
        job->cause = *why;
        commit_give_up(job, why->code, why->kafka_code);
    }
    kwi_offset_fetch_refused(consumer, why);
}

static void keeper_coordinator_changed(struct kw_coordinator_user *user)
{
    struct kw_keeper *keeper = KWI_OF(user, struct kw_keeper, user);
    struct kw_consumer *consumer = KWI_OF(keeper, struct kw_consumer, keeper);

    if (keeper->coordinator->state == KWI_COORDINATOR_REFUSED) {
        keeper_refused(consumer, &keeper->coordinator->error);
    } else {
        kwi_commits_kick(consumer);
        kwi_offset_fetch_kick(consumer);
    }
    kwi_group_coordinator_changed(consumer);
}

/* ---- life, and kw_commit ---------------------------------------------------------------- */

int kwi_keeper_init(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;
    const struct kw_config *own = consumer->own;

    keeper->group_id =
        kwi_config_str(own && kwi_config_is_set(own, KW_KEY_GROUP_ID) ? own : consumer->core->cfg,
                       KW_KEY_GROUP_ID);
    keeper->member = KWI_NO_MEMBER;
    if (keeper->group_id && !*keeper->group_id)
        keeper->group_id = NULL;
    if (!keeper->group_id)
        return 0;
    keeper->auto_commit = kwi_consumer_setting(consumer, KW_KEY_ENABLE_AUTO_COMMIT) != 0;
    keeper->retry.fire = commit_retry_due;
    keeper->due.fire = commit_auto_due;
    keeper->fetch_retry.fire = kwi_offset_fetch_due;
    keeper->user.changed = keeper_coordinator_changed;
    keeper->coordinator = kwi_coordinator_get(consumer->core, KWI_COORDINATOR_GROUP,
                                              keeper->group_id, &keeper->user);
    return keeper->coordinator ? 0 : KW_ERR_NOMEM;
}

bool kwi_commits_pending(const struct kw_consumer *consumer)
{
    for (struct kw_node *n = consumer->keeper.commits.first; n; n = n->next) {
        if (KWI_OF(n, struct kw_commit_job, node)->n_open > 0)
            return true;
    }
    return false;
}

/* The last commit is over: the group can be left. */
static void keeper_closed(struct kw_consumer *consumer, int code)
{
    consumer->close_code = code;
    kwi_group_close(consumer);
}

void kwi_commits_disown(struct kw_consumer *consumer, kwi_commit_ended_fn *ended)
{
    for (struct kw_node *n = consumer->keeper.commits.first; n; n = n->next) {
        struct kw_commit_job *job = KWI_OF(n, struct kw_commit_job, node);
        if (job->ended == ended)
            job->ended = NULL;
    }
}

void kwi_keeper_close(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_core *core = consumer->core;
    int64_t timeout_ms = kwi_consumer_setting(consumer, KW_KEY_REQUEST_TIMEOUT_MS);
    int rc;

    kwi_offset_fetch_cancel(consumer, KW_ERR_CLOSED);
    kwi_core_disarm(core, &keeper->due);
    for (struct kw_node *n = keeper->commits.first; n; n = n->next) {
        struct kw_commit_job *job = KWI_OF(n, struct kw_commit_job, node);
        if (!job->deadline.armed)
            kwi_core_arm(core, &job->deadline, kwi_core_after_ms(core, timeout_ms));
    }
    rc = keeper->auto_commit
             ? kwi_commit_stored(consumer, kwi_group_commits_not, NULL, timeout_ms, keeper_closed)
             : 1;
    if (rc)
        keeper_closed(consumer, rc < 0 ? rc : 0);
}

void kwi_commits_cancel(struct kw_consumer *consumer, int err)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_node *next;

    for (struct kw_node *n = keeper->commits.first; n; n = next) {
        next = n->next;
        commit_give_up(KWI_OF(n, struct kw_commit_job, node), err, 0);
    }
}

static void commit_drop_list(struct kw_list *list)
{
    while (!kwi_list_empty(list)) {
        struct kw_commit_job *job = KWI_OF(kwi_list_pop(list), struct kw_commit_job, node);
        if (job->op)
            job->op->job = NULL;
        kwi_commit_free(job);
    }
}

void kwi_keeper_deinit(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_core *core = consumer->core;

    if (!keeper->coordinator)
        return;
    kwi_offset_fetch_cancel(consumer, KW_ERR_CLOSED);
    if (keeper->committing)
        keeper->committing->owner = NULL;
    commit_drop_list(&keeper->commits);
    commit_drop_list(&keeper->failed);
    kwi_commit_told(consumer);
    kwi_core_disarm(core, &keeper->retry);
    kwi_core_disarm(core, &keeper->due);
    kwi_core_disarm(core, &keeper->fetch_retry);
    kwi_coordinator_put(keeper->coordinator, &keeper->user);
    keeper->coordinator = NULL;
}

/* NULL, or what is wrong with it. */
static const char *commit_check(const struct kw_consumer *consumer,
                                const struct kw_offsets *offsets)
{
    if (!consumer->keeper.group_id)
        return "group.id is not set";
    for (size_t i = 0; offsets && i < offsets->n; i++) {
        const struct kw_offset *offset = &offsets->list[i];
        if (!offset->topic || offset->partition < 0)
            return "a topic's name is missing, or a partition is negative";
        if (offset->offset < 0)
            return "an offset to commit is not negative";
        if (offset->metadata.len > COMMIT_METADATA_MAX ||
            (offset->metadata.len && !offset->metadata.ptr))
            return "metadata has at most 32,767 bytes";
    }
    return NULL;
}

struct kw_op *kw_core_commit(struct kw_consumer *consumer, const struct kw_offsets *offsets,
                             int32_t timeout_ms, void *tag)
{
    struct kw_commit_source source = {NULL, NULL, offsets};
    const char *why = commit_check(consumer, offsets);
    struct kw_op *op = kwi_op_create(consumer->core, sizeof(struct kw_commit_op), timeout_ms, tag,
                                     commit_abandon);
    struct kw_commit_op *commit = op ? KWI_OF(op, struct kw_commit_op, op) : NULL;
    struct kw_error err;

    if (!op)
        return NULL;
    if (why || consumer->closed) {
        int code = why ? KW_ERR_USE : KW_ERR_CLOSED;
        kwi_error_set(&err, code, KW_PHASE_NONE, why ? why : "the consumer is closed", "");
        kwi_op_end(op, code, &err);
        return op;
    }
    commit->job = kwi_commit_create(consumer, &source);
    if (!commit->job) {
        kwi_op_destroy(op);
        return NULL;
    }
    commit->job->op = commit;
    kwi_commits_kick(consumer);
    return op;
}
