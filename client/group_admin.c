/* client/group_admin.c -- admin requests about groups: legs, coordinators, retries and
 * the result. See group_admin.h. */
#include "client/group_admin.h"

#include <string.h>

#include "base/fmt.h"
#include "client/config.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/metadata.h"

enum { GROUPS_AT_ONCE = 16, GROUPS_STEPS = 4, GROUPS_BROKERS = 1000 };

static const struct kw_group_call *const groups_calls[][GROUPS_STEPS] = {
    [KW_ADMIN_LIST_GROUPS] = {&kwi_group_list},
    [KW_ADMIN_DESCRIBE_GROUPS] = {&kwi_group_describe_consumer, &kwi_group_describe_classic,
                                  &kwi_group_describe_share, &kwi_group_describe_streams},
    [KW_ADMIN_DELETE_GROUPS] = {&kwi_group_delete},
    [KW_ADMIN_GET_OFFSETS] = {&kwi_group_offsets_get},
    [KW_ADMIN_SET_OFFSETS] = {&kwi_group_offsets_set},
    [KW_ADMIN_DELETE_OFFSETS] = {&kwi_group_offsets_delete},
};
static const struct kw_group_call *const groups_described[] = {
    [KW_GROUP_TYPE_CLASSIC] = &kwi_group_describe_classic,
    [KW_GROUP_TYPE_CONSUMER] = &kwi_group_describe_consumer,
    [KW_GROUP_TYPE_SHARE] = &kwi_group_describe_share,
    [KW_GROUP_TYPE_STREAMS] = &kwi_group_describe_streams,
};

const struct kw_group_call *kwi_group_call(const struct kw_groups_op *groups, unsigned step)
{
    if (groups->kind == KW_ADMIN_GET_OFFSETS && groups->group_type == KW_GROUP_TYPE_SHARE)
        return step == 0 ? &kwi_group_offsets_share : NULL;
    if (groups->kind == KW_ADMIN_DESCRIBE_GROUPS && groups->group_type != KW_GROUP_TYPE_ANY)
        return step == 0 ? groups_described[groups->group_type] : NULL;
    return step < GROUPS_STEPS ? groups_calls[groups->kind][step] : NULL;
}

/* ---- ending ----------------------------------------------------------------------------- */

static void leg_let_go(struct kw_group_leg *leg)
{
    kwi_core_disarm(leg->op->op.core, &leg->timer);
    if (leg->req)
        leg->req->owner = NULL;
    leg->req = NULL;
    if (leg->coordinator)
        kwi_coordinator_put(leg->coordinator, &leg->user);
    leg->coordinator = NULL;
}

static void groups_let_go(struct kw_groups_op *groups)
{
    struct kw_core *core = groups->op.core;

    kwi_core_disarm(core, &groups->retry);
    if (groups->req && !kwi_cluster_withdraw(groups->req))
        groups->req->owner = NULL;
    groups->req = NULL;
    for (uint32_t i = 0; i < groups->n_legs; i++)
        leg_let_go(&groups->legs[i]);
    kwi_free(&core->control, groups->legs, groups->legs_cap * sizeof(*groups->legs));
    groups->legs = NULL;
    groups->n_legs = 0;
    kwi_admin_pieces_free(&core->env.alloc, groups->pieces);
    groups->pieces = NULL;
}

void kwi_groups_end(struct kw_groups_op *groups, int code, const struct kw_error *err)
{
    struct kw_error copy;

    if (err)
        copy = *err;
    groups_let_go(groups);
    kwi_op_end(&groups->op, code, err ? &copy : NULL);
}

/* The op ends from outside: what is known so far is given nonetheless. */
void kwi_groups_abandon(struct kw_op *op, int code)
{
    struct kw_groups_op *groups = KWI_OF(op, struct kw_groups_op, op);
    struct kw_admin_tree *tree = NULL;

    if (code == KW_ERR_TIMEOUT && kwi_groups_is_plural(groups) && groups->n_legs)
        tree = kwi_groups_build(groups);
    if (tree)
        *groups->result = &tree->result;
    groups_let_go(groups);
    if (code == KW_ERR_TIMEOUT && groups->last.code) {
        groups->last.code = KW_ERR_TIMEOUT;
        kwi_op_end(op, KW_ERR_TIMEOUT, &groups->last);
    }
}

void kwi_groups_no_memory(struct kw_groups_op *groups, int code)
{
    struct kw_error err;

    kwi_error_set(&err, code, KW_PHASE_REQUEST, "the answer does not fit the memory that is left",
                  "raise control.memory");
    kwi_groups_end(groups, code, &err);
}

static void groups_finish(struct kw_groups_op *groups)
{
    struct kw_admin_tree *tree = kwi_groups_build(groups);

    if (!tree) {
        kwi_groups_no_memory(groups, KW_ERR_NOMEM);
        return;
    }
    *groups->result = &tree->result;
    kwi_groups_end(groups, groups->code, groups->code ? &groups->first : NULL);
}

/* ---- legs ------------------------------------------------------------------------------- */

static void leg_now(struct kw_group_leg *leg)
{
    struct kw_core *core = leg->op->op.core;

    kwi_core_arm(core, &leg->timer, core->now.mono_us);
}

static void leg_pause(struct kw_group_leg *leg)
{
    struct kw_core *core = leg->op->op.core;
    uint64_t us = kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                                      kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                      leg->attempts);

    if (leg->attempts < 32)
        leg->attempts++;
    kwi_core_arm(core, &leg->timer, core->now.mono_us + us);
}

static void leg_changed(struct kw_coordinator_user *user)
{
    leg_now(KWI_OF(user, struct kw_group_leg, user)); /* not from within */
}

static void leg_fire(struct kw_timer *timer);

/* The next legs have their turn. */
void kwi_groups_go(struct kw_groups_op *groups)
{
    uint32_t n_busy = groups->n_open - (groups->n_legs - groups->n_next);

    for (; n_busy < GROUPS_AT_ONCE && groups->n_next < groups->n_legs; n_busy++)
        leg_now(&groups->legs[groups->n_next++]);
}

static void leg_end(struct kw_group_leg *leg, int code, int16_t kafka_code)
{
    struct kw_groups_op *groups = leg->op;

    leg_let_go(leg);
    leg->open = false;
    leg->info.code = code;
    leg->info.kafka_code = kafka_code;
    leg->info.coordinator = leg->broker;
    groups->n_open--;
    if (code && groups->kind == KW_ADMIN_LIST_GROUPS && !groups->code) {
        groups->code = code;
        groups->first = groups->last; /* others may fail and heal behind it */
    }
    if (code && !kwi_groups_is_plural(groups))
        kwi_groups_end(groups, code, &groups->last);
    else if (groups->n_open == 0)
        groups_finish(groups);
    else
        kwi_groups_go(groups);
}

/* Who is asked, or NULL: it is not known yet. */
static struct kw_broker *leg_broker(struct kw_group_leg *leg)
{
    struct kw_groups_op *groups = leg->op;
    struct kw_core *core = groups->op.core;

    if (groups->kind == KW_ADMIN_LIST_GROUPS)
        return kwi_cluster_broker(core, leg->broker);
    if (!leg->coordinator) {
        leg->user.changed = leg_changed;
        leg->coordinator = kwi_coordinator_get(core, KWI_COORDINATOR_GROUP, leg->group.ptr,
                                               &leg->user);
        if (leg->coordinator)
            kwi_coordinator_want(leg->coordinator); /* whatever others were told before */
    }
    return leg->coordinator ? kwi_coordinator_broker(leg->coordinator) : NULL;
}

/* Nobody to ask. */
static void leg_wait(struct kw_group_leg *leg)
{
    struct kw_groups_op *groups = leg->op;
    struct kw_core *core = groups->op.core;

    if (groups->kind == KW_ADMIN_LIST_GROUPS) { /* it is gone: others have its groups */
        leg_end(leg, 0, 0);
        return;
    }
    if (leg->coordinator && leg->coordinator->state == KWI_COORDINATOR_REFUSED) {
        groups->last = leg->coordinator->error;
        leg_end(leg, groups->last.code, groups->last.kafka_code);
        return;
    }
    if (kwi_cluster_is_hopeless(core)) {
        kwi_error_set(&groups->last, KW_ERR_CONNECT, KW_PHASE_REQUEST, "no broker can be talked to",
                      "");
        kwi_groups_end(groups, KW_ERR_CONNECT, &groups->last);
        return;
    }
    if (leg->coordinator && leg->coordinator->error.code)
        groups->last = leg->coordinator->error;
    if (leg->coordinator)
        kwi_coordinator_want(leg->coordinator);
    leg_pause(leg); /* looks again whether there is any hope */
}

static void leg_fire(struct kw_timer *timer)
{
    struct kw_group_leg *leg = KWI_OF(timer, struct kw_group_leg, timer);
    const struct kw_group_call *call = kwi_group_call(leg->op, leg->step);
    struct kw_core *core = leg->op->op.core;
    struct kw_broker *broker;
    struct kw_link *link;

    if (leg->req)
        return;
    broker = leg_broker(leg);
    if (!broker) {
        leg_wait(leg);
        return;
    }
    leg->broker = broker->node_id;
    link = kwi_link_get(broker, KWI_LANE_CONTROL, NULL);
    leg->req = link ? kwi_request_create(core, link, &call->type, leg) : NULL;
    if (leg->req)
        kwi_request_submit(leg->req);
    else
        leg_pause(leg);
}

/* ---- answers ---------------------------------------------------------------------------- */

/* The call does not know the group, or the broker not the call: the next one may. */
static bool leg_steps_on(struct kw_group_leg *leg)
{
    if (!kwi_group_call(leg->op, leg->step + 1u))
        return false;
    leg->step++;
    leg_now(leg);
    return true;
}

/* The request ended without an answer, or with one that could not be taken. */
static void leg_lost(struct kw_group_leg *leg, int err, bool answered, const struct kw_error *cause)
{
    struct kw_groups_op *groups = leg->op;
    bool last = !kwi_group_call(groups, leg->step + 1u);

    if (err == KW_ERR_UNSUPPORTED && leg_steps_on(leg))
        return;
    if (err == KW_ERR_UNSUPPORTED && last && leg->step > 0) {
        leg_end(leg, KW_ERR_BROKER, KW_E_GROUP_ID_NOT_FOUND); /* no call knows it */
        return;
    }
    if (cause)
        groups->last = *cause;
    else
        kwi_error_set(&groups->last, err, KW_PHASE_REQUEST, kw_err_name(err), "");
    if (err == KW_ERR_LIMIT || (err == KW_ERR_NOMEM && answered)) {
        kwi_groups_no_memory(groups, err);
    } else if (err == KW_ERR_NOMEM) {
        leg_pause(leg);
    } else if (err == KW_ERR_UNSUPPORTED || err == KW_ERR_VERSION || err == KW_ERR_AUTH ||
               err == KW_ERR_SPACE || err == KW_ERR_CLOSED || err == KW_ERR_LENGTH) {
        leg_end(leg, err, 0);
    } else {
        if (leg->coordinator)
            kwi_coordinator_lost(leg->coordinator, leg->broker);
        else
            kwi_cluster_refresh(groups->op.core); /* maybe it is gone */
        leg_pause(leg);
    }
}

static void leg_keep_message(struct kw_group_leg *leg, struct kw_str message)
{
    void *copy;

    if (message.len <= 0 || kwi_groups_piece(leg->op, (size_t)message.len + 1, &copy))
        return;
    memcpy(copy, message.ptr, (size_t)message.len);
    leg->info.message = copy;
}

static void leg_refused(struct kw_group_leg *leg, const struct kw_group_verdict *verdict)
{
    const struct kw_group_call *call = kwi_group_call(leg->op, leg->step);
    struct kw_groups_op *groups = leg->op;
    const struct kw_error_info *info = kwi_error_info(verdict->kafka_code);
    char what[128], name[64];

    kwi_fmt(name, sizeof(name), "%.*s", leg->group.len > 60 ? 60 : (int)leg->group.len,
            leg->group.ptr ? leg->group.ptr : "");
    kwi_fmt(what, sizeof(what), "%s %s", call->what, name);
    if (info->error_class == KW_EC_AUTH)
        kwi_error_answer(groups->op.core, &groups->last, verdict->kafka_code, call->type.api_key,
                         name);
    else
        kwi_error_kafka(&groups->last, verdict->kafka_code, what, verdict->message.ptr,
                        verdict->message.len > 0 ? (size_t)verdict->message.len : 0);
    if (leg->coordinator && kwi_coordinator_is_lost(verdict->kafka_code)) {
        kwi_coordinator_lost(leg->coordinator, leg->broker);
        leg_pause(leg);
    } else if (info->flags & KW_E_RETRIABLE) {
        leg_pause(leg);
    } else if ((verdict->kafka_code == KW_E_GROUP_ID_NOT_FOUND ||
                verdict->kafka_code == KW_E_UNSUPPORTED_VERSION) &&
               leg_steps_on(leg)) {
        return;
    } else {
        bool is_end = verdict->kafka_code == KW_E_UNSUPPORTED_VERSION && leg->step > 0;
        leg_keep_message(leg, verdict->message);
        leg_end(leg, KW_ERR_BROKER, is_end ? KW_E_GROUP_ID_NOT_FOUND : verdict->kafka_code);
    }
}

void kwi_group_leg_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_group_leg *leg = req->owner;
    struct kw_group_verdict verdict = {0, {NULL, -1}};
    int rc = answer->err;

    if (!leg)
        return;
    leg->req = NULL;
    if (!rc)
        rc = kwi_group_call(leg->op, leg->step)->take(leg, req, answer, &verdict);
    if (rc) {
        leg_lost(leg, rc, !answer->err, answer->err ? answer->cause : NULL);
        return;
    }
    if (leg->coordinator && !kwi_coordinator_is_lost(verdict.kafka_code))
        kwi_coordinator_proved(leg->coordinator);
    if (verdict.kafka_code)
        leg_refused(leg, &verdict);
    else
        leg_end(leg, 0, 0);
}

/* ---- all brokers ------------------------------------------------------------------------ */

static int groups_brokers_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_metadata_request msg;

    if (!req->owner)
        return KW_ERR_CANCELED;
    kwi_metadata_request_init(&msg);
    msg.topics = KWI_ARR(NULL, 0); /* none (a broker of 0.9 takes it for all) */
    if (req->version >= 4)
        msg.allow_auto_topic_creation = false;
    return kwi_metadata_request_encode(&msg, req->version, wr);
}

void kwi_groups_retry_due(struct kw_timer *timer)
{
    kwi_groups_brokers_send(KWI_OF(timer, struct kw_groups_op, retry));
}

static void groups_brokers_later(struct kw_groups_op *groups)
{
    struct kw_core *core = groups->op.core;

    kwi_core_arm(core, &groups->retry,
                 core->now.mono_us +
                     kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                                         kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                         groups->attempts));
    if (groups->attempts < 32)
        groups->attempts++;
}

static bool groups_has_leg(const struct kw_groups_op *groups, int32_t node_id)
{
    for (uint32_t i = 0; i < groups->n_legs; i++)
        if (groups->legs[i].broker == node_id)
            return true;
    return false;
}

void kwi_groups_leg_init(struct kw_groups_op *groups, struct kw_group_leg *leg)
{
    memset(leg, 0, sizeof(*leg));
    leg->op = groups;
    leg->timer.fire = leg_fire;
    leg->group = KWI_NULL_STR;
    leg->broker = -1;
    leg->open = true;
    leg->info.epoch = leg->info.coordinator = -1;
    leg->info.id = leg->info.type = leg->info.state = "";
    leg->info.protocol_type = leg->info.assignor = "";
    groups->n_open++;
}

/* A leg for each broker that the answer names. */
static int groups_brokers_take(struct kw_groups_op *groups, const struct kw_metadata_response *msg)
{
    struct kw_core *core = groups->op.core;
    struct kw_metadata_response_broker item;
    uint32_t n = 0, cap = (uint32_t)kwi_room_count(&msg->brokers);
    struct kw_iter it;

    if (!cap)
        return KW_ERR_PROTOCOL;
    kwi_free(&core->control, groups->legs, groups->legs_cap * sizeof(*groups->legs));
    groups->n_legs = groups->n_open = 0;
    groups->legs_cap = cap;
    groups->legs = kwi_alloc(&core->control, cap * sizeof(*groups->legs));
    if (!groups->legs)
        return KW_ERR_NOMEM;
    for (kwi_iter_init(&it, &msg->brokers); kwi_iter_next(&it, &item) && n < GROUPS_BROKERS;) {
        if (kwi_cluster_take_broker(core, item.node_id, item.host, item.port) ||
            !kwi_cluster_broker(core, item.node_id) || groups_has_leg(groups, item.node_id))
            continue;
        kwi_groups_leg_init(groups, &groups->legs[n]);
        groups->legs[n].broker = item.node_id;
        groups->n_legs = ++n;
    }
    return n ? 0 : KW_ERR_PROTOCOL;
}

static void groups_brokers_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_groups_op *groups = req->owner;
    struct kw_metadata_response msg;
    struct kw_fault fault;
    int rc = answer->err;

    if (!groups)
        return;
    groups->req = NULL;
    if (rc && answer->cause)
        groups->last = *answer->cause;
    else if (rc)
        kwi_error_set(&groups->last, rc, KW_PHASE_REQUEST, kw_err_name(rc), "");
    if (!rc && kwi_metadata_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (!rc) {
        kwi_throttle(req, msg.throttle_time_ms);
        rc = groups_brokers_take(groups, &msg);
    }
    if (!rc)
        kwi_groups_go(groups);
    else if (rc == KW_ERR_NOMEM)
        kwi_groups_no_memory(groups, rc);
    else if (rc == KW_ERR_UNSUPPORTED || rc == KW_ERR_AUTH ||
             (answer->err && kwi_cluster_is_hopeless(groups->op.core)))
        kwi_groups_end(groups, rc, &groups->last);
    else
        groups_brokers_later(groups);
}

static const struct kw_request_type groups_brokers_type = {
    .api_key = KW_API_METADATA,
    .encode = groups_brokers_encode,
    .done = groups_brokers_done,
};

void kwi_groups_brokers_send(struct kw_groups_op *groups)
{
    groups->req = kwi_request_create(groups->op.core, NULL, &groups_brokers_type, groups);
    if (groups->req)
        kwi_cluster_submit(groups->req);
    else
        groups_brokers_later(groups);
}
