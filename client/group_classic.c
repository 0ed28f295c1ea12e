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

#include "client/config.h"
#include "client/error_text.h"
#include "proto/error.h"

enum { CLASSIC_MEMORY_MS = 100 };

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
static void classic_failed(struct kw_classic *classic);
/* The broker reads nothing behind a join or a sync that it has not answered. */
static void classic_give_up_join(struct kw_classic *classic)
{
    classic->occupied |= classic->joining != NULL;
    kwi_classic_keeper(classic)->blocked |= classic->occupied;
    kwi_classic_forget(&classic->joining);
}

static bool classic_tell_leave(struct kw_classic *classic);

/* What may happen in any state. */
#define CLASSIC_ANYWHERE                                           \
    [KWI_CLASSIC_LATE] = {1, KWI_CLASSIC_AWAY, classic_away},      \
    [KWI_CLASSIC_FATAL] = {1, KWI_CLASSIC_FAILED, classic_failed}, \
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
    kwi_core_disarm(kwi_classic_core(classic), &classic->timer);
    classic->state = cell->next;
    /* Outside of these two the application owns what it has, and may commit; not behind a
     * join that nobody waits for any more. */
    kwi_classic_keeper(classic)->blocked = cell->next == KWI_CLASSIC_JOIN ||
                                           cell->next == KWI_CLASSIC_SYNC || classic->occupied;
    kwi_classic_keeper(classic)->rebalancing = cell->next != KWI_CLASSIC_STABLE &&
                                               kwi_classic_keeper(classic)->member.epoch >= 0;
    if (cell->act)
        cell->act(classic);
}

/* ---- membership ------------------------------------------------------------------------- */

int kwi_classic_set_member(struct kw_classic *classic, struct kw_str id)
{
    struct kw_heap *heap = &kwi_classic_core(classic)->control;
    struct kw_keeper *keeper = kwi_classic_keeper(classic);
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

void kwi_classic_no_member(struct kw_classic *classic, bool forget)
{
    kwi_classic_keeper(classic)->member.epoch = -1;
    kwi_core_disarm(kwi_classic_core(classic), &classic->beat);
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
    kwi_classic_no_member(classic, forget);
    kwi_group_lose(classic->group, &why);
}

void kwi_classic_fail(struct kw_classic *classic, int code, int16_t kafka_code, const char *what)
{
    struct kw_error why;

    /* What the coordinator did not say itself it learns: the others need not wait for the
     * end of our session. */
    bool told = !kafka_code && classic_tell_leave(classic);

    kwi_group_error(classic->group, &why, code, kafka_code, what, "");
    why.retriable = 0;                     /* the subscription is over, whatever the reason */
    kwi_classic_no_member(classic, !told); /* the id is needed until the request is encoded */
    kwi_group_lose(classic->group, &why);
    kwi_group_tell_error(classic->group, &why);
    kwi_classic_step(classic, KWI_CLASSIC_FATAL);
}

/* ---- actions ---------------------------------------------------------------------------- */

static void classic_pause(struct kw_classic *classic, int64_t ms)
{
    kwi_core_arm(kwi_classic_core(classic), &classic->timer,
                 kwi_core_after_ms(kwi_classic_core(classic), ms));
}

static void classic_find(struct kw_classic *classic)
{
    struct kw_keeper *keeper = kwi_classic_keeper(classic);

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
    int rc;

    if (group->consumer->closed)
        return; /* it leaves when its last commit is over, and joins no more */
    rc = group->revoking ? 1 : kwi_group_revoke(group, classic_must_go);
    if (rc == 0) {
        kwi_classic_step(classic, group->names ? KWI_CLASSIC_READY : KWI_CLASSIC_GONE);
    } else if (rc < 0) {
        kwi_group_lacks_memory(group, &classic->n_unjoined, "no memory to give up partitions");
        classic_pause(classic, CLASSIC_MEMORY_MS);
    }
}

/* There is no coordinator, or no memory for a request to it. */
static void classic_unsent(struct kw_classic *classic, uint32_t *n_in_row)
{
    if (kwi_coordinator_broker(kwi_classic_keeper(classic)->coordinator))
        kwi_classic_no_memory(classic, n_in_row, "no memory to join it");
    else
        kwi_classic_step(classic, KWI_CLASSIC_RETRY);
}

static void classic_join(struct kw_classic *classic)
{
    kwi_classic_plan_drop(classic);
    classic->again = classic->occupied = false;
    if (!kwi_classic_send_join(classic))
        classic_unsent(classic, &classic->n_unjoined);
}

static void classic_plan(struct kw_classic *classic)
{
    if (kwi_classic_plan_known(classic))
        kwi_classic_plan_run(classic);
    else
        classic_pause(classic, KWI_CLASSIC_PLAN_MS);
}

static void classic_sync(struct kw_classic *classic)
{
    if (!kwi_classic_send_sync(classic))
        classic_unsent(classic, &classic->n_unsynced);
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
    struct kw_core *core = kwi_classic_core(classic);

    kwi_core_arm(core, &classic->timer,
                 core->now.mono_us +
                     kwi_core_backoff_us(core,
                                         kwi_classic_setting(classic, KW_KEY_RETRY_BACKOFF_MS),
                                         kwi_classic_setting(classic, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                         classic->attempts));
    if (classic->attempts < 32)
        classic->attempts++;
}

static bool classic_tell_leave(struct kw_classic *classic)
{
    return classic->member_id && !kwi_group_stays(classic->group) && !classic->leaving &&
           kwi_classic_send_leave(classic);
}

static void classic_leave(struct kw_classic *classic)
{
    bool told = classic_tell_leave(classic);

    kwi_classic_no_member(classic, !told); /* the id is needed until the request is encoded */
    if (!told)
        kwi_classic_step(classic, KWI_CLASSIC_LEFT);
}

static void classic_away(struct kw_classic *classic)
{
    bool told;

    classic_give_up_join(classic);
    told = classic_tell_leave(classic);
    kwi_classic_no_member(classic, !told);
}

static void classic_failed(struct kw_classic *classic)
{
    kwi_classic_forget(&classic->joining);
    kwi_consumer_check(classic->group->consumer);
}

static void classic_out(struct kw_classic *classic)
{
    classic_give_up_join(classic);
    kwi_classic_no_member(classic, true);
    kwi_consumer_check(classic->group->consumer);
    if (classic->state == KWI_CLASSIC_OUT && classic->group->names &&
        !classic->group->consumer->closed)
        kwi_classic_step(classic, KWI_CLASSIC_SUBSCRIBED); /* subscribed anew while leaving */
}

/* ---- timers ----------------------------------------------------------------------------- */

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
    struct kw_core *core = kwi_classic_core(classic);
    int64_t interval_ms = kwi_classic_setting(classic, KW_KEY_HEARTBEAT_INTERVAL_MS);
    uint64_t late_us = core->now.mono_us - timer->deadline_us;

    if (kwi_classic_keeper(classic)->member.epoch < 0)
        return;
    if (late_us > (uint64_t)interval_ms * 1000)
        kwi_group_was_late(classic->group, late_us);
    kwi_core_arm(core, timer, kwi_core_after_ms(core, interval_ms));
    if (!classic->beating && !kwi_classic_keeper(classic)->blocked)
        (void)kwi_classic_send_beat(classic); /* else the next time */
}

/* ---- for group.c ------------------------------------------------------------------------ */

static void classic_changed(struct kw_group *group)
{
    struct kw_classic *classic = group->state;

    classic->again = true;
    classic->n_unjoined = classic->n_unsynced = 0; /* what lasts is told of this one, too */
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
        classic_give_up_join(classic);
        kwi_classic_plan_drop(classic);
        kwi_classic_step(classic, KWI_CLASSIC_REJOIN);
        return;
    case KWI_CLASSIC_FIND:
    case KWI_CLASSIC_WAIT:
        if (!group->names) { /* nobody knows us, or will forget us */
            classic->state = KWI_CLASSIC_PREPARE;
            kwi_core_disarm(kwi_classic_core(classic), &classic->timer);
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
    struct kw_coordinator *coordinator = kwi_classic_keeper(classic)->coordinator;

    if (coordinator->state == KWI_COORDINATOR_REFUSED) {
        if (classic->state != KWI_CLASSIC_OUT && classic->state != KWI_CLASSIC_FAILED &&
            classic->state != KWI_CLASSIC_AWAY && classic->state != KWI_CLASSIC_LEAVE)
            kwi_classic_fail(classic, coordinator->error.code, coordinator->error.kafka_code,
                             "there is no coordinator");
        return;
    }
    if (classic->state == KWI_CLASSIC_FIND)
        kwi_classic_step(classic, KWI_CLASSIC_FOUND);
    else if (kwi_classic_keeper(classic)->member.epoch >= 0 && !classic->beating &&
             !kwi_classic_keeper(classic)->blocked)
        (void)kwi_classic_send_beat(classic); /* whether the new one knows us */
}

static bool classic_lease_over(struct kw_group *group)
{
    struct kw_classic *classic = group->state;
    struct kw_error why;

    /* While a join is under way the coordinator keeps us; but we cannot know. */
    if (kwi_classic_keeper(classic)->blocked)
        return false;
    kwi_group_error(group, &why, KW_ERR_TIMEOUT, 0,
                    "no heartbeat was confirmed for session.timeout.ms",
                    "see whether the coordinator can be reached, and call process in time");
    kwi_classic_no_member(classic, false);
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

    if (kwi_classic_keeper(classic)->member.epoch >= 0 && !kwi_classic_keeper(classic)->blocked)
        kwi_classic_member_error(classic, kafka_code);
}

static void classic_close(struct kw_group *group)
{
    struct kw_classic *classic = group->state;

    kwi_core_disarm(kwi_classic_core(classic), &classic->timer);
    classic_give_up_join(classic);
    kwi_classic_keeper(classic)->blocked = classic->occupied;
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
    struct kw_heap *heap = &kwi_classic_core(classic)->control;

    kwi_core_disarm(kwi_classic_core(classic), &classic->timer);
    kwi_core_disarm(kwi_classic_core(classic), &classic->beat);
    kwi_classic_forget(&classic->joining);
    kwi_classic_forget(&classic->beating);
    kwi_classic_forget(&classic->leaving);
    kwi_classic_plan_drop(classic);
    kwi_classic_keeper(classic)->member = KWI_NO_MEMBER;
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
