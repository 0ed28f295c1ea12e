/* client/group_classic.c -- membership of a classic group: the state machine.
 *
 *   OUT --subscribed--> FIND --found--> PREPARE --ready--> JOIN --joined--> SYNC
 *   JOIN --led--> PLAN --joined--> SYNC --synced--> STABLE --rejoin--> PREPARE
 *   SYNC --parted--> SETTLE --ready--> PREPARE        a cooperative assignor's two rounds
 *   JOIN, PLAN, SYNC --retry--> WAIT --due--> FIND
 *   PREPARE --gone--> LEAVE --left--> OUT
 *   any --late--> AWAY --subscribed--> FIND           any --fatal--> FAILED
 *
 * The table is classic_steps. Membership (id, generation) is independent of it: a
 * generation stays good while we look for the coordinator or join again, until an
 * answer or the lease says otherwise (kwi_classic_void). Heartbeats go out in every
 * state in which there is a generation and no JoinGroup or SyncGroup under way, which
 * keep us alive by themselves. */
#include "client/group_classic.h"

#include <string.h>

#include "client/close.h"
#include "client/config.h"
#include "client/error_text.h"
#include "proto/error.h"

enum {
    CLASSIC_PLAN_MS = 5000, /* how long the leader waits for metadata */
    CLASSIC_MEMORY_MS = 100
};

struct classic_cell {
    uint8_t legal, next;
    void (*act)(struct kw_classic *classic);
};

static void classic_find(struct kw_classic *classic);
static void classic_prepare(struct kw_classic *classic);
static void classic_join(struct kw_classic *classic);
static void classic_plan(struct kw_classic *classic);
static void classic_sync(struct kw_classic *classic);
static void classic_stable(struct kw_classic *classic);
static void classic_wait(struct kw_classic *classic);
static void classic_leave(struct kw_classic *classic);
static void classic_away(struct kw_classic *classic);
static void classic_out(struct kw_classic *classic);

/* What may happen in any state. */
#define CLASSIC_ANYWHERE                                        \
    [KWI_CLASSIC_LATE] = {1, KWI_CLASSIC_AWAY, classic_away},   \
    [KWI_CLASSIC_FATAL] = {1, KWI_CLASSIC_FAILED, classic_out}, \
    [KWI_CLASSIC_LEFT] = {1, KWI_CLASSIC_OUT, classic_out}

/* A zero cell is illegal. */
static const struct classic_cell classic_steps[KWI_CLASSIC_STATES][KWI_CLASSIC_EVENTS] = {
    [KWI_CLASSIC_OUT] = {[KWI_CLASSIC_SUBSCRIBED] = {1, KWI_CLASSIC_FIND, classic_find},
                         CLASSIC_ANYWHERE},
    [KWI_CLASSIC_FIND] = {[KWI_CLASSIC_FOUND] = {1, KWI_CLASSIC_PREPARE, classic_prepare},
                          CLASSIC_ANYWHERE},
    [KWI_CLASSIC_PREPARE] = {[KWI_CLASSIC_READY] = {1, KWI_CLASSIC_JOIN, classic_join},
                             [KWI_CLASSIC_GONE] = {1, KWI_CLASSIC_LEAVE, classic_leave},
                             [KWI_CLASSIC_REJOIN] = {1, KWI_CLASSIC_PREPARE, classic_prepare},
                             CLASSIC_ANYWHERE},
    [KWI_CLASSIC_JOIN] = {[KWI_CLASSIC_LED] = {1, KWI_CLASSIC_PLAN, classic_plan},
                          [KWI_CLASSIC_JOINED] = {1, KWI_CLASSIC_SYNC, classic_sync},
                          [KWI_CLASSIC_REJOIN] = {1, KWI_CLASSIC_PREPARE, classic_prepare},
                          [KWI_CLASSIC_RETRY] = {1, KWI_CLASSIC_WAIT, classic_wait},
                          CLASSIC_ANYWHERE},
    [KWI_CLASSIC_PLAN] = {[KWI_CLASSIC_JOINED] = {1, KWI_CLASSIC_SYNC, classic_sync},
                          [KWI_CLASSIC_REJOIN] = {1, KWI_CLASSIC_PREPARE, classic_prepare},
                          [KWI_CLASSIC_RETRY] = {1, KWI_CLASSIC_WAIT, classic_wait},
                          CLASSIC_ANYWHERE},
    [KWI_CLASSIC_SYNC] = {[KWI_CLASSIC_SYNCED] = {1, KWI_CLASSIC_STABLE, classic_stable},
                          [KWI_CLASSIC_PARTED] = {1, KWI_CLASSIC_SETTLE, NULL},
                          [KWI_CLASSIC_REJOIN] = {1, KWI_CLASSIC_PREPARE, classic_prepare},
                          [KWI_CLASSIC_RETRY] = {1, KWI_CLASSIC_WAIT, classic_wait},
                          CLASSIC_ANYWHERE},
    [KWI_CLASSIC_STABLE] = {[KWI_CLASSIC_REJOIN] = {1, KWI_CLASSIC_PREPARE, classic_prepare},
                            CLASSIC_ANYWHERE},
    [KWI_CLASSIC_SETTLE] = {[KWI_CLASSIC_READY] = {1, KWI_CLASSIC_PREPARE, classic_prepare},
                            [KWI_CLASSIC_REJOIN] = {1, KWI_CLASSIC_PREPARE, classic_prepare},
                            CLASSIC_ANYWHERE},
    [KWI_CLASSIC_WAIT] = {[KWI_CLASSIC_DUE] = {1, KWI_CLASSIC_FIND, classic_find},
                          CLASSIC_ANYWHERE},
    [KWI_CLASSIC_LEAVE] = {[KWI_CLASSIC_LATE] = {1, KWI_CLASSIC_AWAY, classic_away},
                           [KWI_CLASSIC_LEFT] = {1, KWI_CLASSIC_OUT, classic_out}},
    [KWI_CLASSIC_AWAY] = {[KWI_CLASSIC_SUBSCRIBED] = {1, KWI_CLASSIC_FIND, classic_find},
                          [KWI_CLASSIC_LEFT] = {1, KWI_CLASSIC_OUT, classic_out}},
    [KWI_CLASSIC_FAILED] = {[KWI_CLASSIC_SUBSCRIBED] = {1, KWI_CLASSIC_FIND, classic_find},
                            [KWI_CLASSIC_LEFT] = {1, KWI_CLASSIC_OUT, classic_out}},
};

bool kwi_classic_cell(unsigned state, unsigned event, unsigned *next)
{
    *next = classic_steps[state][event].next;
    return classic_steps[state][event].legal != 0;
}

static struct kw_core *classic_core(const struct kw_classic *classic)
{
    return classic->group->consumer->core;
}

static struct kw_keeper *classic_keeper(const struct kw_classic *classic)
{
    return &classic->group->consumer->keeper;
}

int64_t kwi_classic_setting(const struct kw_classic *classic, enum kw_key key)
{
    return kwi_consumer_setting(classic->group->consumer, key);
}

void kwi_classic_step(struct kw_classic *classic, enum kw_classic_event event)
{
    const struct classic_cell *cell = &classic_steps[classic->state][event];

    KWI_ASSERT(cell->legal);
    if (!cell->legal)
        return;
    kwi_core_disarm(classic_core(classic), &classic->timer);
    classic->state = cell->next;
    /* Outside of these two the application owns what it has, and may commit. */
    classic_keeper(classic)->blocked = cell->next == KWI_CLASSIC_JOIN ||
                                       cell->next == KWI_CLASSIC_SYNC;
    classic_keeper(classic)->rebalancing = cell->next != KWI_CLASSIC_STABLE &&
                                           classic_keeper(classic)->member.epoch >= 0;
    if (cell->act)
        cell->act(classic);
}

/* ---- membership --------------------------------------------------------------------------- */

int kwi_classic_set_member(struct kw_classic *classic, struct kw_str id)
{
    struct kw_heap *heap = &classic_core(classic)->control;
    struct kw_keeper *keeper = classic_keeper(classic);
    char *copy = NULL;

    if (id.len > 0) {
        copy = kwi_strdup(heap, id.ptr, (size_t)id.len);
        if (!copy)
            return KW_ERR_NOMEM;
    }
    kwi_free(heap, classic->member_id, classic->member_id_size);
    classic->member_id = copy;
    classic->member_id_size = copy ? (size_t)id.len + 1 : 0;
    keeper->member.id = copy ? (struct kw_str){copy, id.len} : (struct kw_str){"", 0};
    return 0;
}

static void classic_no_member(struct kw_classic *classic, bool forget)
{
    classic_keeper(classic)->member.epoch = -1;
    kwi_core_disarm(classic_core(classic), &classic->beat);
    kwi_classic_forget(&classic->beating);
    kwi_group_no_lease(classic->group);
    kwi_classic_plan_drop(classic);
    if (forget && kwi_classic_set_member(classic, KWI_NULL_STR)) /* takes no memory */
        classic->member_id = NULL;
}

void kwi_classic_void(struct kw_classic *classic, bool forget, int16_t kafka_code)
{
    struct kw_error why;

    kwi_group_error(classic->group, &why, KW_ERR_BROKER, kafka_code, "membership was lost", "");
    classic_no_member(classic, forget);
    kwi_group_lose(classic->group, &why);
}

void kwi_classic_fail(struct kw_classic *classic, int code, int16_t kafka_code, const char *what)
{
    struct kw_error why;

    kwi_group_error(classic->group, &why, code, kafka_code, what, "");
    classic_no_member(classic, true);
    kwi_group_lose(classic->group, &why);
    kwi_group_tell_error(classic->group, &why);
    kwi_classic_step(classic, KWI_CLASSIC_FATAL);
}

/* ---- actions -------------------------------------------------------------------------------- */

static void classic_pause(struct kw_classic *classic, int64_t ms)
{
    kwi_core_arm(classic_core(classic), &classic->timer,
                 kwi_core_after_ms(classic_core(classic), ms));
}

static void classic_find(struct kw_classic *classic)
{
    struct kw_keeper *keeper = classic_keeper(classic);

    kwi_coordinator_want(keeper->coordinator);
    if (kwi_coordinator_broker(keeper->coordinator))
        kwi_classic_step(classic, KWI_CLASSIC_FOUND);
}

/* What goes before a join: an eager group's members give up everything, others what
 * they do not subscribe to any more. */
static bool classic_must_go(const struct kw_group *group, const struct kw_consumer_part *part)
{
    const struct kw_classic *classic = group->state;

    if (!group->names || classic->rebalance == KW_REBALANCE_EAGER)
        return true;
    return !kwi_group_subscribes(
        group, (struct kw_str){part->topic->meta->name, (int32_t)part->topic->meta->name_len});
}

static void classic_prepare(struct kw_classic *classic)
{
    struct kw_group *group = classic->group;
    int rc = group->revoking ? 1 : kwi_group_revoke(group, classic_must_go);

    if (rc == 0)
        kwi_classic_step(classic, group->names ? KWI_CLASSIC_READY : KWI_CLASSIC_GONE);
    else if (rc < 0)
        classic_pause(classic, CLASSIC_MEMORY_MS);
}

static void classic_join(struct kw_classic *classic)
{
    kwi_classic_plan_drop(classic);
    classic->again = false;
    if (!kwi_classic_send_join(classic))
        kwi_classic_step(classic, KWI_CLASSIC_RETRY);
}

static void classic_plan(struct kw_classic *classic)
{
    if (kwi_classic_plan_known(classic))
        kwi_classic_plan_run(classic);
    else
        classic_pause(classic, CLASSIC_PLAN_MS);
}

static void classic_sync(struct kw_classic *classic)
{
    if (!kwi_classic_send_sync(classic))
        kwi_classic_step(classic, KWI_CLASSIC_RETRY);
}

static void classic_stable(struct kw_classic *classic)
{
    classic->attempts = 0;
    classic->asked_id = false;
    classic->reason[0] = '\0';
    kwi_commit_soon(classic->group->consumer);
    if (classic->again)
        kwi_classic_step(classic, KWI_CLASSIC_REJOIN);
}

static void classic_wait(struct kw_classic *classic)
{
    struct kw_core *core = classic_core(classic);

    kwi_core_arm(core, &classic->timer,
                 core->now.mono_us +
                     kwi_core_backoff_us(core,
                                         kwi_classic_setting(classic, KW_KEY_RETRY_BACKOFF_MS),
                                         kwi_classic_setting(classic, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                         classic->attempts));
    if (classic->attempts < 32)
        classic->attempts++;
}

/* A static member does not leave: it is expected back (KIP-345). */
static bool classic_tell_leave(struct kw_classic *classic)
{
    return classic->member_id && !classic->group->instance_id && !classic->leaving &&
           kwi_classic_send_leave(classic);
}

static void classic_leave(struct kw_classic *classic)
{
    bool told = classic_tell_leave(classic);

    classic_no_member(classic, !told); /* the id is needed until the request is encoded */
    if (!told)
        kwi_classic_step(classic, KWI_CLASSIC_LEFT);
}

static void classic_away(struct kw_classic *classic)
{
    bool told;

    kwi_classic_forget(&classic->joining);
    told = classic_tell_leave(classic);
    classic_no_member(classic, !told);
}

static void classic_out(struct kw_classic *classic)
{
    kwi_classic_forget(&classic->joining);
    classic_no_member(classic, true);
    kwi_close_check(classic_core(classic));
    if (classic->state == KWI_CLASSIC_OUT && classic->group->names &&
        !classic->group->consumer->closed)
        kwi_classic_step(classic, KWI_CLASSIC_SUBSCRIBED); /* subscribed anew while leaving */
}

/* ---- answers ------------------------------------------------------------------------------------ */

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
    if (id.len <= 0 || kwi_classic_set_member(classic, id))
        again = true;
    kwi_classic_step(classic, again ? KWI_CLASSIC_RETRY : KWI_CLASSIC_REJOIN);
}

void kwi_classic_joined(struct kw_classic *classic, const struct kw_join_group_response *msg)
{
    struct kw_core *core = classic_core(classic);
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
        kwi_classic_step(classic, KWI_CLASSIC_RETRY);
        return;
    }
    classic_keeper(classic)->member.epoch = msg->generation_id;
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
        kwi_classic_step(classic, KWI_CLASSIC_RETRY);
    else if (rc)
        kwi_classic_fail(classic, rc, 0, err.text);
    else
        kwi_classic_step(classic, KWI_CLASSIC_LED);
}

/* Keeps a copy of what we were given, for assignors that want to know. */
static int classic_remember(struct kw_classic *classic, const struct kw_blob *assignment)
{
    struct kw_heap *heap = &classic_core(classic)->control;
    size_t size = assignment->len > 0 ? (size_t)assignment->len : 0;
    uint8_t *copy = kwi_alloc(heap, size + 1);

    if (!copy)
        return KW_ERR_NOMEM;
    if (size)
        memcpy(copy, assignment->ptr, size);
    kwi_free(heap, classic->last, classic->last_size);
    classic->last = copy;
    classic->last_size = size + 1;
    classic->last_generation = classic_keeper(classic)->member.epoch;
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
    struct kw_heap *heap = &classic_core(classic)->control;
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
        kwi_log(classic_core(classic), 4,
                "group %s: %u assigned partitions are of topics that "
                "are not subscribed, or none at all",
                classic_keeper(classic)->group_id, targets.n_strange);
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
    if (rc == 1)
        kwi_classic_step(classic, KWI_CLASSIC_PARTED);
    else if (rc == 0)
        kwi_classic_step(classic, KWI_CLASSIC_SYNCED);
    else if (rc == KW_ERR_NOMEM)
        kwi_classic_step(classic, KWI_CLASSIC_RETRY);
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
static void classic_member_error(struct kw_classic *classic, int16_t error)
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
    if (epoch != classic_keeper(classic)->member.epoch || epoch < 0)
        return; /* of an older generation */
    if (!error || error == KW_E_REBALANCE_IN_PROGRESS)
        kwi_group_confirmed(classic->group, classic->beat_sent_us,
                            kwi_classic_setting(classic, KW_KEY_SESSION_TIMEOUT_MS));
    if (error)
        classic_member_error(classic, error);
}

void kwi_classic_left(struct kw_classic *classic)
{
    if (classic->state == KWI_CLASSIC_LEAVE)
        kwi_classic_step(classic, KWI_CLASSIC_LEFT);
    else if (classic->state == KWI_CLASSIC_AWAY)
        classic_no_member(classic, true);
    kwi_close_check(classic_core(classic));
}

/* ---- timers ---------------------------------------------------------------------------------------- */

static void classic_due(struct kw_timer *timer)
{
    struct kw_classic *classic = KWI_OF(timer, struct kw_classic, timer);

    if (classic->state == KWI_CLASSIC_WAIT)
        kwi_classic_step(classic, KWI_CLASSIC_DUE);
    else if (classic->state == KWI_CLASSIC_PREPARE)
        classic_prepare(classic);
    else if (classic->state == KWI_CLASSIC_PLAN)
        kwi_classic_plan_run(classic); /* with what is known */
}

static void classic_beat_due(struct kw_timer *timer)
{
    struct kw_classic *classic = KWI_OF(timer, struct kw_classic, beat);
    struct kw_core *core = classic_core(classic);
    int64_t interval_ms = kwi_classic_setting(classic, KW_KEY_HEARTBEAT_INTERVAL_MS);
    uint64_t late_us = core->now.mono_us - timer->deadline_us;

    if (classic_keeper(classic)->member.epoch < 0)
        return;
    if (late_us > (uint64_t)interval_ms * 1000)
        kwi_group_was_late(classic->group, late_us);
    kwi_core_arm(core, timer, kwi_core_after_ms(core, interval_ms));
    if (!classic->beating && !classic_keeper(classic)->blocked)
        (void)kwi_classic_send_beat(classic); /* else the next time */
}

/* ---- for group.c ------------------------------------------------------------------------------------- */

static void classic_changed(struct kw_group *group)
{
    struct kw_classic *classic = group->state;

    classic->again = true;
    switch ((enum kw_classic_state)classic->state) {
    case KWI_CLASSIC_OUT:
    case KWI_CLASSIC_AWAY:
    case KWI_CLASSIC_FAILED:
        if (group->names)
            kwi_classic_step(classic, KWI_CLASSIC_SUBSCRIBED);
        else
            kwi_classic_step(classic, KWI_CLASSIC_LEFT);
        return;
    case KWI_CLASSIC_STABLE: kwi_classic_step(classic, KWI_CLASSIC_REJOIN); return;
    case KWI_CLASSIC_JOIN:
    case KWI_CLASSIC_PLAN:
    case KWI_CLASSIC_SYNC:
        if (group->names)
            return; /* one request at a time: when the answer is there */
        kwi_classic_forget(&classic->joining);
        kwi_classic_step(classic, KWI_CLASSIC_REJOIN);
        return;
    case KWI_CLASSIC_FIND:
    case KWI_CLASSIC_WAIT:
        if (!group->names) { /* nobody knows us, or will forget us */
            classic->state = KWI_CLASSIC_PREPARE;
            kwi_core_disarm(classic_core(classic), &classic->timer);
            classic_prepare(classic);
        }
        return;
    case KWI_CLASSIC_PREPARE:
    case KWI_CLASSIC_SETTLE:
    case KWI_CLASSIC_LEAVE: return; /* looked at when it is over */
    }
}

static void classic_given_up(struct kw_group *group)
{
    struct kw_classic *classic = group->state;

    if (classic->state == KWI_CLASSIC_PREPARE)
        classic_prepare(classic); /* more may have to go by now */
    else if (classic->state == KWI_CLASSIC_SETTLE)
        kwi_classic_step(classic, KWI_CLASSIC_READY);
}

static void classic_coordinator(struct kw_group *group)
{
    struct kw_classic *classic = group->state;
    struct kw_coordinator *coordinator = classic_keeper(classic)->coordinator;

    if (coordinator->state == KWI_COORDINATOR_REFUSED) {
        if (classic->state != KWI_CLASSIC_OUT && classic->state != KWI_CLASSIC_FAILED &&
            classic->state != KWI_CLASSIC_AWAY && classic->state != KWI_CLASSIC_LEAVE)
            kwi_classic_fail(classic, coordinator->error.code, coordinator->error.kafka_code,
                             "there is no coordinator");
        return;
    }
    if (classic->state == KWI_CLASSIC_FIND)
        kwi_classic_step(classic, KWI_CLASSIC_FOUND);
    else if (classic_keeper(classic)->member.epoch >= 0 && !classic->beating &&
             !classic_keeper(classic)->blocked)
        (void)kwi_classic_send_beat(classic); /* whether the new one knows us */
}

static bool classic_lease_over(struct kw_group *group)
{
    struct kw_classic *classic = group->state;
    struct kw_error why;

    /* While a join is under way the coordinator keeps us; but we cannot know. */
    if (classic_keeper(classic)->blocked)
        return false;
    kwi_group_error(group, &why, KW_ERR_TIMEOUT, 0,
                    "no heartbeat was confirmed for session.timeout.ms",
                    "see whether the coordinator can be reached, and call process in time");
    classic_no_member(classic, false);
    kwi_group_lose(group, &why);
    if (classic->state == KWI_CLASSIC_STABLE || classic->state == KWI_CLASSIC_SETTLE ||
        classic->state == KWI_CLASSIC_PREPARE || classic->state == KWI_CLASSIC_PLAN)
        kwi_classic_step(classic, KWI_CLASSIC_REJOIN);
    return true;
}

static void classic_late(struct kw_group *group)
{
    struct kw_classic *classic = group->state;

    if (classic_steps[classic->state][KWI_CLASSIC_LATE].legal)
        kwi_classic_step(classic, KWI_CLASSIC_LATE);
}

static void classic_polled(struct kw_group *group)
{
    struct kw_classic *classic = group->state;

    if (classic->state == KWI_CLASSIC_AWAY && group->names)
        kwi_classic_step(classic, KWI_CLASSIC_SUBSCRIBED);
}

static int classic_rejoin(struct kw_group *group, const char *reason)
{
    struct kw_classic *classic = group->state;
    size_t len = reason ? strlen(reason) : 0;

    if (len >= sizeof classic->reason)
        len = sizeof classic->reason - 1;
    if (len)
        memcpy(classic->reason, reason, len);
    classic->reason[len] = '\0';
    if (classic->state == KWI_CLASSIC_STABLE)
        kwi_classic_step(classic, KWI_CLASSIC_REJOIN);
    else
        classic->again = true;
    return 0;
}

static void classic_refused(struct kw_group *group, int16_t kafka_code)
{
    struct kw_classic *classic = group->state;

    if (classic_keeper(classic)->member.epoch >= 0 && !classic_keeper(classic)->blocked)
        classic_member_error(classic, kafka_code);
}

static void classic_close(struct kw_group *group)
{
    struct kw_classic *classic = group->state;

    kwi_core_disarm(classic_core(classic), &classic->timer);
    /* An unanswered join occupies its connection. */
    classic_keeper(classic)->blocked = classic->joining != NULL;
    kwi_classic_forget(&classic->joining);
    classic->state = KWI_CLASSIC_LEAVE;
    classic_leave(classic);
}

static bool classic_is_out(const struct kw_group *group)
{
    const struct kw_classic *classic = group->state;

    return !classic->leaving &&
           (classic->state == KWI_CLASSIC_OUT || classic->state == KWI_CLASSIC_FAILED ||
            classic->state == KWI_CLASSIC_AWAY);
}

static void classic_destroy(struct kw_group *group)
{
    struct kw_classic *classic = group->state;
    struct kw_heap *heap = &classic_core(classic)->control;

    kwi_core_disarm(classic_core(classic), &classic->timer);
    kwi_core_disarm(classic_core(classic), &classic->beat);
    kwi_classic_forget(&classic->joining);
    kwi_classic_forget(&classic->beating);
    kwi_classic_forget(&classic->leaving);
    kwi_classic_plan_drop(classic);
    classic_keeper(classic)->member = (struct kw_member){-1, {"", 0}, KWI_NULL_STR};
    kwi_free(heap, classic->member_id, classic->member_id_size);
    kwi_free(heap, classic->last, classic->last_size);
    kwi_free(heap, classic, sizeof(*classic));
}

static const struct kw_group_protocol classic_protocol = {
    .name = "classic",
    .changed = classic_changed,
    .given_up = classic_given_up,
    .coordinator = classic_coordinator,
    .lease_over = classic_lease_over,
    .late = classic_late,
    .polled = classic_polled,
    .rejoin = classic_rejoin,
    .refused = classic_refused,
    .leave = classic_close,
    .is_out = classic_is_out,
    .destroy = classic_destroy,
};

/* The assignors that partition.assignment.strategy names. */
static int classic_read_strategy(struct kw_classic *classic, struct kw_error *err)
{
    const char *at = kwi_consumer_text(classic->group->consumer,
                                       KW_KEY_PARTITION_ASSIGNMENT_STRATEGY);

    while (*at) {
        const struct kw_assignor *assignor;
        size_t len = 0;
        while (*at == ' ' || *at == ',')
            at++;
        while (at[len] && at[len] != ',' && at[len] != ' ')
            len++;
        if (len == 0)
            break;
        assignor = kwi_consumer_assignor(classic->group->consumer, at, len);
        if (!assignor || classic->n_assignors == KWI_CLASSIC_ASSIGNORS) {
            kwi_error_fmt(err, KW_ERR_CONFIG, KW_PHASE_CONFIG,
                          "use range, roundrobin, sticky, cooperative-sticky, or add your own",
                          "partition.assignment.strategy: %s %.*s",
                          assignor ? "too many assignors, from" : "there is no assignor",
                          len > 60 ? 60 : (int)len, at);
            return KW_ERR_CONFIG;
        }
        classic->assignors[classic->n_assignors++] = assignor;
        at += len;
    }
    classic->rebalance = (uint8_t)kwi_assignors_protocol(classic->assignors, classic->n_assignors);
    if (classic->n_assignors && classic->rebalance)
        return 0;
    kwi_error_set(err, KW_ERR_CONFIG, KW_PHASE_CONFIG,
                  classic->n_assignors
                      ? "partition.assignment.strategy: these assignors have no way of rebalancing "
                        "in common"
                      : "partition.assignment.strategy names no assignor",
                  "see docs/CONFIG.md");
    return KW_ERR_CONFIG;
}

int kwi_classic_create(struct kw_group *group, struct kw_error *err)
{
    struct kw_core *core = group->consumer->core;
    struct kw_classic *classic = kwi_alloc_zero(&core->control, sizeof(*classic));
    int rc;

    if (!classic) {
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_NONE, "no memory for a group",
                      "raise control.memory");
        return KW_ERR_NOMEM;
    }
    classic->group = group;
    classic->timer.fire = classic_due;
    classic->beat.fire = classic_beat_due;
    classic->last_generation = -1;
    rc = classic_read_strategy(classic, err);
    if (rc) {
        kwi_free(&core->control, classic, sizeof(*classic));
        return rc;
    }
    group->state = classic;
    group->protocol = &classic_protocol;
    if (group->instance_id)
        group->consumer->keeper.member.instance_id = kwi_str(group->instance_id);
    return 0;
}
