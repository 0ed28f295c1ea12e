/* client/group_answers.c -- what the coordinator's answers mean for a member of a classic
 * group. The state machine that they move is in group_classic.c. */
#include <string.h>

#include "client/config.h"
#include "client/error_text.h"
#include "client/group_classic.h"
#include "proto/error.h"

/* The assignor that the group agreed on. */
static const struct kw_assignor *classic_assignor(const struct kw_classic *classic,
                                                  struct kw_str name)
{
    for (uint32_t i = 0; i < classic->n_assignors; i++) {
        const char *own = classic->assignors[i]->name;
        if (name.len >= 0 && strlen(own) == (size_t)name.len &&
            !memcmp(own, name.ptr, (size_t)name.len))
            return classic->assignors[i];
    }
    return NULL;
}

/* At once the first time since we were in the group; a coordinator that says so again
 * and again is asked behind a pause that grows. */
static void classic_hurry(struct kw_classic *classic, bool may)
{
    bool now = may && classic->attempts == 0;

    if (now)
        classic->attempts++;
    kwi_classic_step(classic, now ? KWI_CLASSIC_REJOIN : KWI_CLASSIC_RETRY);
}

/* Errors of JoinGroup and SyncGroup. */
static void classic_join_error(struct kw_classic *classic, int16_t error, bool sync)
{
    switch (error) {
    case KW_E_REBALANCE_IN_PROGRESS: classic_hurry(classic, sync); return;
    case KW_E_UNKNOWN_MEMBER_ID:
    case KW_E_ILLEGAL_GENERATION:
        kwi_classic_void(classic, error == KW_E_UNKNOWN_MEMBER_ID, error);
        classic_hurry(classic, true);
        return;
    default: break;
    }
    if (kwi_error_info(error)->flags & KW_E_RETRIABLE || error == KW_E_UNKNOWN_SERVER_ERROR)
        kwi_classic_step(classic, KWI_CLASSIC_RETRY);
    else
        kwi_classic_fail(classic, KW_ERR_BROKER, error, sync ? "cannot sync" : "cannot join");
}

void kwi_classic_sync_error(struct kw_classic *classic, int16_t error)
{
    classic_join_error(classic, error, true);
}

/* KIP-394: the same again with the id that we were given. */
static void classic_take_id(struct kw_classic *classic, struct kw_str id)
{
    bool again = classic->asked_id; /* one more than a coordinator should ask for */

    classic->asked_id = true;
    if (id.len > 0 && kwi_classic_set_member(classic, id))
        kwi_classic_no_memory(classic, &classic->n_unjoined, "no memory to join it");
    else
        kwi_classic_step(classic, again || id.len <= 0 ? KWI_CLASSIC_RETRY : KWI_CLASSIC_REJOIN);
}

void kwi_classic_no_memory(struct kw_classic *classic, uint32_t *n_in_row, const char *what)
{
    kwi_group_lacks_memory(classic->group, n_in_row, what);
    kwi_classic_step(classic, KWI_CLASSIC_RETRY);
}

void kwi_classic_joined(struct kw_classic *classic, const struct kw_join_group_response *msg)
{
    struct kw_core *core = kwi_classic_core(classic);
    struct kw_error err;
    int rc;

    if (msg->error_code == KW_E_MEMBER_ID_REQUIRED) {
        classic_take_id(classic, msg->member_id);
        return;
    }
    if (msg->error_code) {
        classic_join_error(classic, msg->error_code, false);
        return;
    }
    classic->chosen = classic_assignor(classic, msg->protocol_name);
    if (!classic->chosen) {
        kwi_classic_fail(classic, KW_ERR_PROTOCOL, 0,
                         "the coordinator chose an assignor that we did not offer");
        return;
    }
    if (kwi_classic_set_member(classic, msg->member_id)) {
        kwi_classic_no_memory(classic, &classic->n_unjoined, "no memory to join it");
        return;
    }
    classic->n_unjoined = 0;
    classic->pull_only = false; /* who led once may follow now */
    kwi_classic_keeper(classic)->member.epoch = msg->generation_id;
    kwi_core_arm(
        core, &classic->beat,
        kwi_core_after_ms(core, kwi_classic_setting(classic, KW_KEY_HEARTBEAT_INTERVAL_MS)));
    if (msg->leader.len != msg->member_id.len || msg->leader.len <= 0 ||
        memcmp(msg->leader.ptr, msg->member_id.ptr, (size_t)msg->leader.len) != 0) {
        kwi_classic_step(classic, KWI_CLASSIC_JOINED);
        return;
    }
    classic->pull_only = msg->skip_assignment;
    rc = kwi_classic_plan(classic, msg, &err);
    if (rc == KW_ERR_NOMEM)
        kwi_classic_no_memory(classic, &classic->n_unsynced, "no memory to lead it");
    else if (rc)
        kwi_classic_fail(classic, rc, 0, err.text);
    else
        kwi_classic_step(classic, KWI_CLASSIC_LED);
}

/* Keeps a copy of what we were given, for assignors that want to know. */
static int classic_remember(struct kw_classic *classic, const struct kw_blob *assignment)
{
    struct kw_heap *heap = &kwi_classic_core(classic)->control;
    size_t size = assignment->len > 0 ? (size_t)assignment->len : 0;
    uint8_t *copy = kwi_alloc(heap, size + 1);

    if (!copy)
        return KW_ERR_NOMEM;
    if (size)
        memcpy(copy, assignment->ptr, size);
    kwi_free(heap, classic->last, classic->last_size);
    classic->last = copy;
    classic->last_size = size + 1;
    classic->last_generation = kwi_classic_keeper(classic)->member.epoch;
    return 0;
}

struct classic_targets {
    struct kw_group_target *list;
    uint32_t n, cap;
    uint32_t n_strange; /* topics that we do not subscribe to, numbers below 0 */
};

/* Reads an assignment; list NULL: counts. What another member's assignor made up is
 * not consumed, because nobody would notice. */
static void classic_read_targets(const struct kw_classic *classic,
                                 const struct kw_consumer_protocol_assignment *msg,
                                 struct classic_targets *out)
{
    struct kw_consumer_protocol_topic topic;
    struct kw_iter it, numbers;
    int32_t partition;

    out->n = out->n_strange = 0;
    for (kwi_iter_init(&it, &msg->assigned_partitions); kwi_iter_next(&it, &topic);) {
        bool ours = kwi_group_subscribes(classic->group, topic.topic);
        for (kwi_iter_init(&numbers, &topic.partitions); kwi_iter_next(&numbers, &partition);) {
            if (!ours || partition < 0) {
                out->n_strange++;
                continue;
            }
            if (out->list)
                out->list[out->n] = (struct kw_group_target){topic.topic, partition};
            out->n++;
        }
    }
}

static int classic_assign(struct kw_classic *classic, const struct kw_blob *assignment)
{
    struct kw_heap *heap = &kwi_classic_core(classic)->control;
    struct kw_consumer_protocol_assignment msg;
    struct classic_targets targets = {NULL, 0, 0, 0};
    struct kw_fault fault;
    int version, rc;

    kwi_consumer_protocol_assignment_init(&msg);
    /* A leader that leaves somebody out sends nothing, not even a version. */
    if (assignment->len > 0) {
        rc = kwi_assignment_get(assignment, &msg, &version, &fault);
        if (rc)
            return rc;
    }
    classic_read_targets(classic, &msg, &targets);
    targets.cap = targets.n;
    targets.list = kwi_alloc(heap, (targets.cap + 1) * sizeof(*targets.list));
    if (!targets.list || classic_remember(classic, assignment)) {
        kwi_free(heap, targets.list, (targets.cap + 1) * sizeof(*targets.list));
        return KW_ERR_NOMEM;
    }
    classic_read_targets(classic, &msg, &targets);
    if (targets.n_strange)
        kwi_log(kwi_classic_core(classic), 4,
                "group %s: %u assigned partitions are of topics that "
                "are not subscribed, or none at all",
                kwi_classic_keeper(classic)->group_id, targets.n_strange);
    rc = kwi_classic_tell_assignor(classic);
    if (!rc)
        rc = kwi_group_assign(classic->group, targets.list, targets.n);
    kwi_free(heap, targets.list, (targets.cap + 1) * sizeof(*targets.list));
    return rc;
}

void kwi_classic_synced(struct kw_classic *classic, const struct kw_blob *assignment)
{
    int rc;

    /* The coordinator answers at the earliest when it was asked. */
    kwi_group_confirmed(classic->group, classic->sync_sent_us,
                        kwi_classic_setting(classic, KW_KEY_SESSION_TIMEOUT_MS));
    rc = classic_assign(classic, assignment);
    if (rc >= 0)
        classic->n_unsynced = 0;
    if (rc == 1)
        kwi_classic_step(classic, KWI_CLASSIC_PARTED);
    else if (rc == 0)
        kwi_classic_step(classic, KWI_CLASSIC_SYNCED);
    else if (rc == KW_ERR_NOMEM)
        kwi_classic_no_memory(classic, &classic->n_unsynced, "no memory for what it gives us");
    else
        kwi_classic_fail(classic, KW_ERR_PROTOCOL, 0, "the leader's assignment cannot be read");
}

/* Whether the state goes on by itself to a new generation, so that an order to rejoin
 * is no news. */
static bool classic_is_joining(const struct kw_classic *classic)
{
    return classic->state != KWI_CLASSIC_STABLE;
}

/* Errors of Heartbeat and OffsetCommit, sent with the present generation. */
void kwi_classic_member_error(struct kw_classic *classic, int16_t error)
{
    switch (error) {
    case KW_E_REBALANCE_IN_PROGRESS:
        if (!classic_is_joining(classic))
            kwi_classic_step(classic, KWI_CLASSIC_REJOIN);
        return;
    case KW_E_UNKNOWN_MEMBER_ID:
    case KW_E_ILLEGAL_GENERATION:
        kwi_classic_void(classic, error == KW_E_UNKNOWN_MEMBER_ID, error);
        if (classic->state == KWI_CLASSIC_STABLE || classic->state == KWI_CLASSIC_SETTLE ||
            classic->state == KWI_CLASSIC_PREPARE || classic->state == KWI_CLASSIC_PLAN)
            kwi_classic_step(classic, KWI_CLASSIC_REJOIN);
        return;
    case KW_E_FENCED_INSTANCE_ID:
    case KW_E_GROUP_AUTHORIZATION_FAILED:
        kwi_classic_fail(classic, KW_ERR_BROKER, error, "membership was ended");
        return;
    default: return; /* the next heartbeat is the retry */
    }
}

void kwi_classic_beat_answered(struct kw_classic *classic, int16_t error, int32_t epoch)
{
    if (epoch != kwi_classic_keeper(classic)->member.epoch || epoch < 0)
        return; /* of an older generation */
    if (!error || error == KW_E_REBALANCE_IN_PROGRESS)
        kwi_group_confirmed(classic->group, classic->beat_sent_us,
                            kwi_classic_setting(classic, KW_KEY_SESSION_TIMEOUT_MS));
    if (error)
        kwi_classic_member_error(classic, error);
}

void kwi_classic_left(struct kw_classic *classic)
{
    if (classic->state == KWI_CLASSIC_LEAVE)
        kwi_classic_step(classic, KWI_CLASSIC_LEFT);
    else if (classic->state == KWI_CLASSIC_AWAY || classic->state == KWI_CLASSIC_FAILED)
        kwi_classic_no_member(classic, true);
    kwi_consumer_check(classic->group->consumer);
}
