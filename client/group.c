/* client/group.c -- the application's side of a group: subscription, parts that come
 * and go, the events about them, the lease and the poll interval. See group.h. How
 * membership is had is not known here. */
#include "client/group.h"

#include <string.h>

#include "base/fmt.h"
#include "client/births.h"
#include "client/config.h"
#include "client/error_text.h"
#include <kwire/kwire.h>

enum { GROUP_LEASE_AGAIN_MS = 1000 };

static int64_t group_setting(const struct kw_group *group, enum kw_key key)
{
    return kwi_consumer_setting(group->consumer, key);
}

void kwi_group_error(const struct kw_group *group, struct kw_error *err, int code,
                     int16_t kafka_code, const char *what, const char *hint)
{
    char text[160];

    kwi_fmt(text, sizeof text, "group %.*s: %s", 80, group->consumer->keeper.group_id, what);
    if (kafka_code)
        kwi_error_kafka(err, kafka_code, text, NULL, 0);
    else
        kwi_error_set(err, code, KW_PHASE_REQUEST, text, hint);
}

static bool group_any(const struct kw_group *group, const struct kw_consumer_part *part)
{
    (void)group;
    (void)part;
    return true;
}

static bool group_is_new(const struct kw_group *group, const struct kw_consumer_part *part)
{
    (void)group;
    /* One that is given up before its event was taken is not new again. */
    return part->fresh && !part->notice && !part->given_up;
}

/* ---- parts ------------------------------------------------------------------------------ */

static bool group_is_given_up(const struct kw_group *group, const struct kw_consumer_part *part)
{
    (void)group;
    return part->given_up;
}

static bool group_is_unwanted(const struct kw_group *group, const struct kw_consumer_part *part)
{
    (void)group;
    return !part->wanted;
}

/* Calls act for each part that passes; it may take the part away. */
static void group_each(struct kw_group *group, kwi_group_filter_fn *filter,
                       void (*act)(struct kw_consumer_part *part))
{
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;

    for (uint32_t i = 0; (topic = kwi_map_next(&group->consumer->topics, &i));) {
        topic->refs++; /* the last of its parts may go */
        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));) {
            if (filter(group, part))
                act(part);
        }
        kwi_consumer_topic_put(topic);
    }
}

uint32_t kwi_group_n_parts(const struct kw_group *group)
{
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;
    uint32_t n = 0;

    for (uint32_t i = 0; (topic = kwi_map_next(&group->consumer->topics, &i));) {
        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));)
            n += !part->given_up;
    }
    return n;
}

static void group_stop_part(struct kw_consumer_part *part)
{
    part->given_up = true;
    part->notice = NULL;
    kwi_part_drop(part);
    kwi_part_step(part, KWI_PART_STOP);
}

static void group_want_not(struct kw_consumer_part *part)
{
    part->wanted = false;
}

static void group_drop_part(struct kw_consumer_part *part)
{
    kwi_consumer_remove(part);
}

static void group_after_parts(struct kw_group *group)
{
    kwi_fetchers_sweep(group->consumer);
    kwi_group_watch_poll(group->consumer, false);
}

/* ---- giving up -------------------------------------------------------------------------- */

static void group_gone(struct kw_consumer *consumer, int code)
{
    struct kw_group *group = consumer->group;

    (void)code; /* each partition that failed is an event */
    if (!group->revoking || group->open)
        return; /* membership was lost meanwhile */
    group->revoking = false;
    group_each(group, group_is_given_up, group_drop_part);
    group_after_parts(group);
    group->protocol->given_up(group);
}

static bool group_commit_filter(const struct kw_consumer_part *part, void *ctx)
{
    (void)ctx;
    return part->given_up;
}

bool kwi_group_commits_not(const struct kw_consumer_part *part, void *ctx)
{
    const struct kw_group *group = part->topic->consumer->group;

    (void)ctx;
    return !(group && part->given_up && group->revoking && !group->open);
}

/* Acknowledged, or its time is over: what was done is committed, then the parts go. */
static void group_end_revoke(struct kw_group *group)
{
    struct kw_consumer *consumer = group->consumer;

    group->open = false;
    kwi_core_disarm(consumer->core, &group->ack);
    if (consumer->closed)
        return; /* its last commit is for these, too; then kwi_group_close lets them go */
    if (!consumer->keeper.auto_commit ||
        kwi_commit_stored(consumer, group_commit_filter, NULL,
                          group_setting(group, KW_KEY_REQUEST_TIMEOUT_MS), group_gone))
        group_gone(consumer, 0);
}

static void group_ack_due(struct kw_timer *timer)
{
    struct kw_group *group = KWI_OF(timer, struct kw_group, ack);

    kwi_log(group->consumer->core, 4,
            "group %s: a revoke was not acknowledged in time; what was done is committed",
            group->consumer->keeper.group_id);
    group_end_revoke(group);
}

int kwi_group_revoke(struct kw_group *group, kwi_group_filter_fn *filter)
{
    struct kw_consumer *consumer = group->consumer;
    struct kw_group_size need = kwi_group_measure(group, filter ? filter : group_any);
    struct kw_group_notice *notice;

    KWI_ASSERT(!group->revoking);
    if (need.n == 0)
        return 0;
    notice = kwi_group_notice(group, need);
    if (!notice)
        return KW_ERR_NOMEM;
    kwi_group_notice_fill(group, notice, KW_EVENT_REVOKED, filter ? filter : group_any);
    group_each(group, filter ? filter : group_any, group_stop_part);
    group->revoking = group->open = true;
    kwi_core_arm(
        consumer->core, &group->ack,
        kwi_core_after_ms(consumer->core, group_setting(group, KW_KEY_REBALANCE_ACK_TIMEOUT_MS)));
    kwi_group_notice_raise(group, notice);
    return 1;
}

void kwi_group_lose(struct kw_group *group, const struct kw_error *why)
{
    struct kw_group_notice *notice = group->spare;
    struct kw_group_size all = kwi_group_measure(group, group_any);

    kwi_group_drop_revoke(group); /* its partitions are in the list of those that are lost */
    group->revoking = group->open = false;
    kwi_core_disarm(group->consumer->core, &group->ack);
    kwi_commits_disown(group->consumer, group_gone);
    kwi_group_no_lease(group);
    if (all.n == 0)
        return;
    group->spare = NULL;
    kwi_log(group->consumer->core, 4, "%u partitions are lost: %s", all.n, why->text);
    if (notice) { /* always: it was taken before the first part was */
        kwi_group_notice_fill(group, notice, KW_EVENT_LOST, group_any);
        notice->why = *why;
        kwi_group_notice_raise(group, notice);
    }
    group_each(group, group_any, group_drop_part);
    group_after_parts(group);
}

/* ---- being given ------------------------------------------------------------------------ */

/* Adds what is not there yet, and marks everything in the list as wanted. */
static int group_add(struct kw_group *group, const struct kw_group_target *list, uint32_t n)
{
    struct kw_consumer_part *part;
    int rc;

    for (uint32_t i = 0; i < n; i++) {
        size_t len = list[i].topic.len > 0 ? (size_t)list[i].topic.len : 0;
        part = kwi_consumer_find(group->consumer, list[i].topic.ptr, len, list[i].partition);
        if (!part) {
            rc = kwi_consumer_add(group->consumer, list[i].topic.ptr, len, list[i].partition,
                                  &part);
            if (rc)
                return rc;
            part->fresh = true;
        }
        part->wanted = true;
    }
    return 0;
}

/* The events for what a new assignment brings. */
static int group_prepare_notices(struct kw_group *group, struct kw_group_notice **given)
{
    struct kw_group_size all = kwi_group_measure(group, group_any);
    struct kw_group_notice *spare = NULL;

    *given = kwi_group_notice(group, kwi_group_measure(group, group_is_new));
    if (!*given)
        return KW_ERR_NOMEM;
    if (all.n &&
        (!group->spare || group->spare->cap < all.n || group->spare->names_cap < all.names)) {
        spare = kwi_group_notice(group, all);
        if (!spare) {
            kwi_group_notice_free(group, *given);
            *given = NULL;
            return KW_ERR_NOMEM;
        }
        kwi_group_notice_free(group, group->spare);
        group->spare = spare;
    }
    return 0;
}

int kwi_group_assign(struct kw_group *group, const struct kw_group_target *list, uint32_t n)
{
    struct kw_group_notice *given = NULL;
    int rc;

    group_each(group, group_any, group_want_not);
    rc = group_add(group, list, n);
    if (!rc)
        rc = group_prepare_notices(group, &given);
    if (!rc)
        rc = kwi_group_revoke(group, group_is_unwanted);
    if (rc < 0) {
        kwi_group_notice_free(group, given);
        group_each(group, group_is_new, group_drop_part);
        return rc;
    }
    kwi_group_notice_fill(group, given, KW_EVENT_ASSIGNED, group_is_new);
    kwi_group_notice_raise(group, given);
    return rc;
}

/* ---- lease and poll interval ------------------------------------------------------------ */

void kwi_group_confirmed(struct kw_group *group, uint64_t sent_us, int64_t session_ms)
{
    bool was_over = group->lease_us <= group->consumer->core->now.mono_us;

    group->lease_us = sent_us + (uint64_t)session_ms * 1000;
    kwi_core_arm(group->consumer->core, &group->lease, group->lease_us);
    if (was_over) /* what was withheld can be taken now */
        kwi_consumer_notify(group->consumer);
}

void kwi_group_no_lease(struct kw_group *group)
{
    group->lease_us = UINT64_MAX;
    kwi_core_disarm(group->consumer->core, &group->lease);
}

static void group_lease_due(struct kw_timer *timer)
{
    struct kw_group *group = KWI_OF(timer, struct kw_group, lease);

    struct kw_core *core = group->consumer->core;

    if (!group->protocol->lease_over(group)) /* records are withheld meanwhile */
        kwi_core_arm(core, timer, kwi_core_after_ms(core, GROUP_LEASE_AGAIN_MS));
}

void kwi_group_was_late(struct kw_group *group, uint64_t late_us)
{
    int64_t late_ms = (int64_t)(late_us / 1000);

    if (late_ms > group->late_ms)
        group->late_ms = late_ms;
    kwi_consumer_notify(group->consumer);
}

bool kwi_group_polls(struct kw_consumer *consumer)
{
    struct kw_group *group = consumer->group;

    if (!group)
        return true;
    if (group->away) {
        group->away = false;
        group->protocol->polled(group);
    }
    return group->lease_us > consumer->core->now.mono_us;
}

void kwi_group_watch_poll(struct kw_consumer *consumer, bool polled)
{
    struct kw_group *group = consumer->group;
    struct kw_core *core = consumer->core;

    if (!group || group->away || consumer->closed)
        return;
    if (kwi_list_empty(&consumer->ready) && kwi_list_empty(&consumer->held))
        kwi_core_disarm(core, &group->poll);
    else if (polled || !group->poll.armed)
        kwi_core_arm(core, &group->poll,
                     kwi_core_after_ms(core, group_setting(group, KW_KEY_MAX_POLL_INTERVAL_MS)));
}

static void group_poll_due(struct kw_timer *timer)
{
    struct kw_group *group = KWI_OF(timer, struct kw_group, poll);
    struct kw_error why;

    kwi_group_error(group, &why, KW_ERR_TIMEOUT, 0,
                    "the application did not poll for max.poll.interval.ms",
                    "poll more often, take fewer records at a time, or raise it");
    group->away = true;
    kwi_group_lose(group, &why);
    group->protocol->late(group);
}

/* ---- calls of the application ----------------------------------------------------------- */

int kw_core_rebalance_ack(struct kw_consumer *consumer)
{
    struct kw_group *group = consumer->group;

    /* Of an event that nobody has seen nobody can say that it is done with. */
    if (!group || !group->open || !kwi_group_revoke_is_told(group))
        return KW_ERR_STATE;
    group_end_revoke(group);
    return 0;
}

int kw_core_rejoin(struct kw_consumer *consumer, const char *reason)
{
    if (!consumer->group || !consumer->group->names)
        return KW_ERR_STATE;
    return consumer->group->protocol->rejoin(consumer->group, reason);
}

/* ---- for the consumer ------------------------------------------------------------------- */

void kwi_group_init(struct kw_group *group, struct kw_consumer *consumer)
{
    group->consumer = consumer;
    group->lease_us = UINT64_MAX;
    group->ack.fire = group_ack_due;
    group->lease.fire = group_lease_due;
    group->poll.fire = group_poll_due;
}

void kwi_group_coordinator_changed(struct kw_consumer *consumer)
{
    if (consumer->group)
        consumer->group->protocol->coordinator(consumer->group);
}

bool kwi_group_stays(const struct kw_group *group)
{
    enum kw_leave leave = (enum kw_leave)group->consumer->leave;

    return leave == KW_LEAVE_NEVER || (leave == KW_LEAVE_DEFAULT && group->instance_id);
}

bool kwi_group_is_out(const struct kw_consumer *consumer)
{
    return !consumer->group || consumer->group->protocol->is_out(consumer->group);
}

/* Somebody else has it soon: neither a handle of it nor a poll shows anything more. */
static void group_shut_part(struct kw_consumer_part *part)
{
    kwi_records_void(part);
    kwi_part_drop(part);
}

/* What is stored was committed, or will not be. */
void kwi_group_close(struct kw_consumer *consumer)
{
    struct kw_group *group = consumer->group;

    if (!group)
        return;
    group_each(group, group_any, group_shut_part);
    group->revoking = group->open = false;
    kwi_core_disarm(consumer->core, &group->ack);
    kwi_core_disarm(consumer->core, &group->poll);
    group->protocol->leave(group);
    kwi_consumer_check(consumer);
}

void kwi_group_destroy(struct kw_consumer *consumer)
{
    struct kw_group *group = consumer->group;
    struct kw_core *core = consumer->core;

    if (!group)
        return;
    kwi_core_disarm(core, &group->ack);
    kwi_core_disarm(core, &group->lease);
    kwi_core_disarm(core, &group->poll);
    group->protocol->destroy(group);
    consumer->group = NULL;
    while (!kwi_list_empty(&group->notices))
        kwi_group_notice_free(group,
                              KWI_OF(kwi_list_pop(&group->notices), struct kw_group_notice, node));
    kwi_group_notice_free(group, group->told);
    kwi_group_notice_free(group, group->spare);
    if (group->names)
        kwi_free(&core->control, group->names, group->names->size);
    kwi_births_destroy(group->births);
    kwi_free(&core->control, group, sizeof(*group));
}
