/* client/group_consumer.c -- membership of a KIP-848 group: the state machine.
 *
 *   OUT --subscribed--> FIND --found--> JOIN --joined--> STABLE
 *   STABLE --target--> RECONCILE --ready--> ACK --told--> STABLE
 *   JOIN --retry--> WAIT --due--> FIND
 *   STABLE, RECONCILE, ACK --void--> FIND             the same, seldom: --retry--> WAIT
 *   STABLE, RECONCILE, ACK --unsubscribed--> PART --gone--> LEAVE --left--> OUT
 *   any --late--> AWAY --subscribed--> FIND           any --fatal--> FAILED
 *
 * The table is modern_steps. In STABLE, RECONCILE, ACK and PART there is an epoch, and
 * heartbeats go out, whatever happens to the coordinator meanwhile. The
 * acknowledgement is a heartbeat that says what we have; it goes out in ACK only, when
 * a revoke and its commit are over, because the coordinator gives to others what it
 * does not find in there. */
#include "client/group_consumer.h"

#include <string.h>

#include "base/base64.h"
#include "client/config.h"
#include "client/error_text.h"
#include "proto/error.h"

enum { MODERN_MEMORY_MS = 100, MODERN_INTERVAL_MS = 5000 /* Kafka's default */ };

struct modern_cell {
    uint8_t legal, next;
    void (*act)(struct kw_modern *modern);
};

static void modern_find(struct kw_modern *modern);
static void modern_join(struct kw_modern *modern);
static void modern_stable(struct kw_modern *modern);
static void modern_reconcile(struct kw_modern *modern);
static void modern_ack(struct kw_modern *modern);
static void modern_wait(struct kw_modern *modern);
static void modern_part(struct kw_modern *modern);
static void modern_leave(struct kw_modern *modern);
static void modern_away(struct kw_modern *modern);
static void modern_failed(struct kw_modern *modern);
static void modern_out(struct kw_modern *modern);

/* What may happen in any state. */
#define MODERN_ANYWHERE                                         \
    [KWI_MODERN_LATE] = {1, KWI_MODERN_AWAY, modern_away},      \
    [KWI_MODERN_FATAL] = {1, KWI_MODERN_FAILED, modern_failed}, \
    [KWI_MODERN_LEFT] = {1, KWI_MODERN_OUT, modern_out}
/* ... of a member. */
#define MODERN_MEMBER                                                  \
    [KWI_MODERN_TARGET] = {1, KWI_MODERN_RECONCILE, modern_reconcile}, \
    [KWI_MODERN_UNSUBSCRIBED] = {1, KWI_MODERN_PART, modern_part},     \
    [KWI_MODERN_VOID] = {1, KWI_MODERN_FIND, modern_find},             \
    [KWI_MODERN_RETRY] = {1, KWI_MODERN_WAIT, modern_wait}, MODERN_ANYWHERE

/* A zero cell is illegal. */
static const struct modern_cell modern_steps[KWI_MODERN_STATES][KWI_MODERN_EVENTS] = {
    [KWI_MODERN_OUT] = {[KWI_MODERN_SUBSCRIBED] = {1, KWI_MODERN_FIND, modern_find},
                        MODERN_ANYWHERE},
    [KWI_MODERN_FIND] = {[KWI_MODERN_FOUND] = {1, KWI_MODERN_JOIN, modern_join},
                         [KWI_MODERN_UNSUBSCRIBED] = {1, KWI_MODERN_LEAVE, modern_leave},
                         MODERN_ANYWHERE},
    [KWI_MODERN_JOIN] = {[KWI_MODERN_JOINED] = {1, KWI_MODERN_STABLE, modern_stable},
                         [KWI_MODERN_RETRY] = {1, KWI_MODERN_WAIT, modern_wait},
                         [KWI_MODERN_UNSUBSCRIBED] = {1, KWI_MODERN_LEAVE, modern_leave},
                         MODERN_ANYWHERE},
    [KWI_MODERN_STABLE] = {MODERN_MEMBER},
    [KWI_MODERN_RECONCILE] = {[KWI_MODERN_READY] = {1, KWI_MODERN_ACK, modern_ack}, MODERN_MEMBER},
    [KWI_MODERN_ACK] = {[KWI_MODERN_TOLD] = {1, KWI_MODERN_STABLE, modern_stable}, MODERN_MEMBER},
    [KWI_MODERN_WAIT] = {[KWI_MODERN_DUE] = {1, KWI_MODERN_FIND, modern_find},
                         [KWI_MODERN_UNSUBSCRIBED] = {1, KWI_MODERN_LEAVE, modern_leave},
                         MODERN_ANYWHERE},
    [KWI_MODERN_PART] = {[KWI_MODERN_GONE] = {1, KWI_MODERN_LEAVE, modern_leave},
                         [KWI_MODERN_VOID] = {1, KWI_MODERN_OUT, modern_out},
                         [KWI_MODERN_RETRY] = {1, KWI_MODERN_OUT, modern_out},
                         MODERN_ANYWHERE},
    [KWI_MODERN_LEAVE] = {[KWI_MODERN_LATE] = {1, KWI_MODERN_AWAY, modern_away},
                          [KWI_MODERN_LEFT] = {1, KWI_MODERN_OUT, modern_out}},
    [KWI_MODERN_AWAY] = {[KWI_MODERN_SUBSCRIBED] = {1, KWI_MODERN_FIND, modern_find},
                         [KWI_MODERN_LEFT] = {1, KWI_MODERN_OUT, modern_out}},
    [KWI_MODERN_FAILED] = {[KWI_MODERN_SUBSCRIBED] = {1, KWI_MODERN_FIND, modern_find},
                           [KWI_MODERN_LEFT] = {1, KWI_MODERN_OUT, modern_out}},
};

bool kwi_modern_cell(unsigned state, unsigned event, unsigned *next)
{
    *next = modern_steps[state][event].next;
    return modern_steps[state][event].legal != 0;
}

void kwi_modern_step(struct kw_modern *modern, enum kw_modern_event event)
{
    const struct modern_cell *cell = &modern_steps[modern->state][event];

    KWI_ASSERT(cell->legal);
    if (!cell->legal)
        return;
    kwi_core_disarm(kwi_modern_core(modern), &modern->timer);
    modern->state = cell->next;
    if (cell->act)
        cell->act(modern);
}

/* ---- membership ------------------------------------------------------------------------- */

bool kwi_modern_is_member(const struct kw_modern *modern)
{
    return kwi_modern_keeper(modern)->member.epoch > 0;
}

void kwi_modern_forget(struct kw_request **req)
{
    if (*req)
        (*req)->owner = NULL;
    *req = NULL;
}

static void modern_no_member(struct kw_modern *modern)
{
    kwi_modern_keeper(modern)->member.epoch = -1;
    kwi_core_disarm(kwi_modern_core(modern), &modern->beat);
    kwi_modern_forget(&modern->beating);
    kwi_group_no_lease(modern->group);
    kwi_modern_target_drop(modern);
}

/* At once the first time since a heartbeat behind a join was answered well; a
 * coordinator that forgets us again and again is asked behind a pause that grows. */
static void modern_again(struct kw_modern *modern)
{
    bool now = modern->attempts == 0 && modern->state != KWI_MODERN_JOIN;

    if (now)
        modern->attempts++;
    kwi_modern_step(modern, now ? KWI_MODERN_VOID : KWI_MODERN_RETRY);
}

void kwi_modern_void(struct kw_modern *modern, int16_t kafka_code)
{
    struct kw_error why;

    kwi_group_error(modern->group, &why, KW_ERR_BROKER, kafka_code, "membership was lost", "");
    modern->claimed = false;
    modern_no_member(modern);
    kwi_group_lose(modern->group, &why);
    modern_again(modern);
}

void kwi_modern_fail(struct kw_modern *modern, int code, int16_t kafka_code, const char *what)
{
    struct kw_error why;

    kwi_group_error(modern->group, &why, code, kafka_code, what, "");
    why.retriable = 0; /* the subscription is over, whatever the reason */
    modern->held = false;
    modern_no_member(modern);
    kwi_group_lose(modern->group, &why);
    kwi_group_tell_error(modern->group, &why);
    kwi_modern_step(modern, KWI_MODERN_FATAL);
}

/* ---- actions ---------------------------------------------------------------------------- */

static void modern_pause(struct kw_modern *modern)
{
    kwi_core_arm(kwi_modern_core(modern), &modern->timer,
                 kwi_core_after_ms(kwi_modern_core(modern), MODERN_MEMORY_MS));
}

static void modern_find(struct kw_modern *modern)
{
    struct kw_keeper *keeper = kwi_modern_keeper(modern);

    kwi_coordinator_want(keeper->coordinator);
    if (modern->group->consumer->closed)
        return; /* it leaves when its last commit is over, and joins no more */
    if (kwi_coordinator_broker(keeper->coordinator))
        kwi_modern_step(modern, KWI_MODERN_FOUND);
}

static void modern_join(struct kw_modern *modern)
{
    modern->first = true;
    modern->full = true;
    if (kwi_modern_beat(modern))
        return;
    kwi_modern_unsaid(modern);
    kwi_modern_step(modern, KWI_MODERN_RETRY);
}

static void modern_stable(struct kw_modern *modern)
{
    kwi_commit_soon(modern->group->consumer);
}

static void modern_reconcile(struct kw_modern *modern)
{
    int rc = modern->group->revoking ? 1 : kwi_modern_apply(modern);

    if (rc < 0) {
        kwi_group_lacks_memory(modern->group, &modern->n_untaken, "no memory for what it gives us");
        modern_pause(modern);
        return;
    }
    modern->n_untaken = 0;
    if (rc == 0)
        kwi_modern_step(modern, KWI_MODERN_READY);
}

static void modern_ack(struct kw_modern *modern)
{
    if (modern->told_owned == modern->owned) {
        kwi_modern_step(modern, KWI_MODERN_TOLD);
    } else if (!kwi_modern_beat(modern) &&
               kwi_coordinator_broker(kwi_modern_keeper(modern)->coordinator)) {
        kwi_modern_unsaid(modern);
        kwi_modern_beat_later(modern); /* else when the coordinator is known */
    }
}

static void modern_wait(struct kw_modern *modern)
{
    struct kw_core *core = kwi_modern_core(modern);

    kwi_core_arm(core, &modern->timer,
                 kwi_offsets_pause(modern->group->consumer, &modern->attempts));
}

static void modern_part(struct kw_modern *modern)
{
    int rc = modern->group->revoking ? 1 : kwi_group_revoke(modern->group, NULL);

    if (rc == 0) {
        kwi_modern_step(modern, KWI_MODERN_GONE);
    } else if (rc < 0) {
        kwi_group_lacks_memory(modern->group, &modern->n_untaken,
                               "no memory to give up partitions");
        modern_pause(modern);
    }
}

/* One that was never told of us need not be told that we go. */
static bool modern_tell_leave(struct kw_modern *modern)
{
    /* Only a static member can tell that it comes back. */
    bool silent = kwi_group_stays(modern->group) && !modern->group->instance_id;
    bool told = modern->claimed && !silent && kwi_modern_send_leave(modern);

    modern->claimed = false;
    return told;
}

static void modern_leave(struct kw_modern *modern)
{
    bool told = modern_tell_leave(modern);

    modern_no_member(modern);
    if (!told)
        kwi_modern_step(modern, KWI_MODERN_LEFT);
}

static void modern_away(struct kw_modern *modern)
{
    (void)modern_tell_leave(modern);
    modern_no_member(modern);
}

/* What the coordinator still has us for would wait for the end of the session. */
static void modern_failed(struct kw_modern *modern)
{
    (void)modern_tell_leave(modern);
    kwi_consumer_check(modern->group->consumer);
}

static void modern_out(struct kw_modern *modern)
{
    modern->held = false;
    modern_no_member(modern);
    kwi_consumer_check(modern->group->consumer);
    if (modern->state == KWI_MODERN_OUT && modern->group->names && !modern->group->consumer->closed)
        kwi_modern_step(modern, KWI_MODERN_SUBSCRIBED); /* subscribed anew while leaving */
}

/* ---- timers ----------------------------------------------------------------------------- */

static void modern_due(struct kw_timer *timer)
{
    struct kw_modern *modern = KWI_OF(timer, struct kw_modern, timer);

    if (modern->state == KWI_MODERN_WAIT)
        kwi_modern_step(modern, KWI_MODERN_DUE);
    else if (modern->state == KWI_MODERN_RECONCILE)
        modern_reconcile(modern);
    else if (modern->state == KWI_MODERN_PART)
        modern_part(modern);
}

static void modern_beat_due(struct kw_timer *timer)
{
    struct kw_modern *modern = KWI_OF(timer, struct kw_modern, beat);
    struct kw_core *core = kwi_modern_core(modern);
    uint64_t late_us = core->now.mono_us - timer->deadline_us;

    if (!kwi_modern_is_member(modern))
        return;
    if (late_us > (uint64_t)modern->interval_ms * 1000)
        kwi_group_was_late(modern->group, late_us);
    if (kwi_modern_beat(modern))
        return;
    kwi_modern_unsaid(modern);
    kwi_modern_beat_later(modern);
}

/* ---- for group.c ------------------------------------------------------------------------ */

static void modern_changed(struct kw_group *group)
{
    struct kw_modern *modern = group->state;

    modern->subscription++;
    modern->n_unsaid = modern->n_untaken = 0; /* what lasts is told of this one, too */
    switch ((enum kw_modern_state)modern->state) {
    case KWI_MODERN_OUT:
    case KWI_MODERN_AWAY:
    case KWI_MODERN_FAILED:
        kwi_modern_step(modern, group->names ? KWI_MODERN_SUBSCRIBED : KWI_MODERN_LEFT);
        return;
    case KWI_MODERN_FIND:
    case KWI_MODERN_JOIN:
    case KWI_MODERN_WAIT:
        if (!group->names)
            kwi_modern_step(modern, KWI_MODERN_UNSUBSCRIBED);
        return; /* else the join says so, or the heartbeat behind it */
    case KWI_MODERN_STABLE:
    case KWI_MODERN_RECONCILE:
    case KWI_MODERN_ACK:
        if (!group->names)
            kwi_modern_step(modern, KWI_MODERN_UNSUBSCRIBED);
        else
            (void)kwi_modern_beat(modern); /* or when the coordinator is known */
        return;
    case KWI_MODERN_PART:
    case KWI_MODERN_LEAVE: return; /* looked at when it is over */
    }
}

static void modern_given_up(struct kw_group *group)
{
    struct kw_modern *modern = group->state;

    modern->owned++;
    if (modern->state == KWI_MODERN_PART)
        modern_part(modern);
    else if (modern->state == KWI_MODERN_RECONCILE)
        modern_reconcile(modern); /* the target may be another one by now */
}

static void modern_coordinator(struct kw_group *group)
{
    struct kw_modern *modern = group->state;
    struct kw_coordinator *coordinator = kwi_modern_keeper(modern)->coordinator;

    if (coordinator->state == KWI_COORDINATOR_REFUSED) {
        if (modern_steps[modern->state][KWI_MODERN_FATAL].legal && modern->state != KWI_MODERN_OUT)
            kwi_modern_fail(modern, coordinator->error.code, coordinator->error.kafka_code,
                            "there is no coordinator");
        return;
    }
    if (modern->state == KWI_MODERN_FIND)
        modern_find(modern);
    else if (kwi_modern_is_member(modern))
        (void)kwi_modern_beat(modern); /* whether the new one knows us */
}

static bool modern_lease_over(struct kw_group *group)
{
    struct kw_modern *modern = group->state;
    struct kw_error why;

    if (!modern->session_known)
        return false; /* nobody said that it is over: records are withheld */
    kwi_group_error(group, &why, KW_ERR_TIMEOUT, 0,
                    "no heartbeat was confirmed for the group's session timeout",
                    "see whether the coordinator can be reached, and call process in time");
    modern_no_member(modern);
    kwi_group_lose(group, &why);
    if (modern_steps[modern->state][KWI_MODERN_VOID].legal)
        kwi_modern_step(modern, KWI_MODERN_VOID);
    return true;
}

static void modern_late(struct kw_group *group)
{
    struct kw_modern *modern = group->state;

    if (modern_steps[modern->state][KWI_MODERN_LATE].legal)
        kwi_modern_step(modern, KWI_MODERN_LATE);
}

static void modern_polled(struct kw_group *group)
{
    struct kw_modern *modern = group->state;

    if (modern->state == KWI_MODERN_AWAY && group->names)
        kwi_modern_step(modern, KWI_MODERN_SUBSCRIBED);
}

/* There is nothing to ask for: the coordinator assigns when it sees a reason. */
static int modern_rejoin(struct kw_group *group, const char *reason)
{
    (void)group;
    (void)reason;
    return KW_ERR_UNSUPPORTED;
}

static void modern_refused(struct kw_group *group, int16_t kafka_code)
{
    struct kw_modern *modern = group->state;

    if (!kwi_modern_is_member(modern))
        return;
    if (kafka_code == KW_E_STALE_MEMBER_EPOCH)
        (void)kwi_modern_beat(modern); /* the answer brings the epoch that it is now */
    else if (kafka_code == KW_E_UNKNOWN_MEMBER_ID || kafka_code == KW_E_FENCED_MEMBER_EPOCH)
        kwi_modern_void(modern, kafka_code);
}

static void modern_close(struct kw_group *group)
{
    struct kw_modern *modern = group->state;

    kwi_core_disarm(kwi_modern_core(modern), &modern->timer);
    modern->state = KWI_MODERN_LEAVE;
    modern_leave(modern);
}

static bool modern_is_out(const struct kw_group *group)
{
    const struct kw_modern *modern = group->state;

    return !modern->leaving &&
           (modern->state == KWI_MODERN_OUT || modern->state == KWI_MODERN_FAILED ||
            modern->state == KWI_MODERN_AWAY);
}

void kwi_modern_left(struct kw_modern *modern)
{
    if (modern->state == KWI_MODERN_LEAVE)
        kwi_modern_step(modern, KWI_MODERN_LEFT);
    kwi_consumer_check(modern->group->consumer);
}

static void modern_destroy(struct kw_group *group)
{
    struct kw_modern *modern = group->state;
    struct kw_core *core = kwi_modern_core(modern);

    kwi_core_disarm(core, &modern->timer);
    kwi_core_disarm(core, &modern->beat);
    kwi_modern_forget(&modern->beating);
    kwi_modern_forget(&modern->leaving);
    kwi_modern_forget(&modern->asking);
    kwi_modern_target_deinit(modern);
    kwi_modern_keeper(modern)->member = KWI_NO_MEMBER;
    kwi_free(&core->control, modern, sizeof(*modern));
}

static const struct kw_group_protocol modern_protocol = {
    .name = "consumer",
    .patterns = true,
    .changed = modern_changed,
    .given_up = modern_given_up,
    .coordinator = modern_coordinator,
    .lease_over = modern_lease_over,
    .late = modern_late,
    .polled = modern_polled,
    .rejoin = modern_rejoin,
    .refused = modern_refused,
    .leave = modern_close,
    .is_out = modern_is_out,
    .destroy = modern_destroy,
};

/* A random UUID (version 4) in Kafka's text form: URL-safe base64 without padding. One
 * that begins with '-' would look like an option in a command line. */
static void modern_make_id(struct kw_modern *modern)
{
    struct kw_rng *rng = &kwi_modern_core(modern)->rng;
    uint8_t id[16];
    char text[25];

    do {
        for (unsigned i = 0; i < sizeof id; i++)
            id[i] = (uint8_t)kwi_rng_below(rng, 256);
        id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
        id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
        kwi_base64_put(text, id, sizeof id);
    } while (text[0] == '+');
    for (unsigned i = 0; i < KWI_MODERN_ID; i++)
        modern->member_id[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    modern->member_id[KWI_MODERN_ID] = '\0';
}

int kwi_modern_create(struct kw_group *group, bool may_fall_back, struct kw_error *err)
{
    struct kw_core *core = group->consumer->core;
    struct kw_modern *modern = kwi_alloc_zero(&core->control, sizeof(*modern));
    struct kw_keeper *keeper = &group->consumer->keeper;

    if (!modern) {
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_NONE, "no memory for a group",
                      "raise control.memory");
        return KW_ERR_NOMEM;
    }
    modern->group = group;
    modern->may_fall_back = may_fall_back;
    modern->interval_ms = MODERN_INTERVAL_MS;
    modern->timer.fire = modern_due;
    modern->beat.fire = modern_beat_due;
    modern->resolve.fire = kwi_modern_resolve_due;
    kwi_map_init(&modern->topics, &core->control);
    modern_make_id(modern);
    keeper->member.id = kwi_str(modern->member_id);
    keeper->member.by_epoch = true;
    if (group->instance_id)
        keeper->member.instance_id = kwi_str(group->instance_id);
    group->state = modern;
    group->protocol = &modern_protocol;
    return 0;
}
