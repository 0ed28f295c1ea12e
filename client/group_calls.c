/* client/group_calls.c -- the requests of the classic protocol: JoinGroup, SyncGroup,
 * Heartbeat, LeaveGroup. What an answer means is in group_classic.c. */
#include <string.h>

#include "client/config.h"
#include "client/error_text.h"
#include "client/group_classic.h"
#include "client/throttle.h"
#include "proto/error.h"

enum { CALLS_JOIN_GRACE_MS = 5000, CALLS_SUBSCRIPTION_VERSION = 3, CALLS_REASON_MAX = 255 };
/* For metadata, and as long again for the assignor and the way of what it says. */
enum { CALLS_SYNC_MIN_MS = 2 * KWI_CLASSIC_PLAN_MS };

static struct kw_keeper *calls_keeper(const struct kw_classic *classic)
{
    return &classic->group->consumer->keeper;
}

void kwi_classic_forget(struct kw_request **req)
{
    if (*req)
        (*req)->owner = NULL;
    *req = NULL;
}

static struct kw_request *calls_request(struct kw_classic *classic, struct kw_link *link,
                                        const struct kw_request_type *type)
{
    struct kw_consumer *consumer = classic->group->consumer;
    struct kw_request *req = link ? kwi_consumer_request(consumer, link, type, classic) : NULL;

    if (req)
        req->arg = (uint64_t)link->broker->node_id;
    return req;
}

/* The group's own connection, whatever waits there: for what makes it wait. */
static struct kw_link *calls_group_link(struct kw_classic *classic)
{
    struct kw_keeper *keeper = calls_keeper(classic);
    struct kw_broker *broker;

    kwi_coordinator_want(keeper->coordinator);
    broker = kwi_coordinator_broker(keeper->coordinator);
    return broker ? kwi_link_get(broker, KWI_LANE_GROUP, classic->group->consumer) : NULL;
}

/* The end of a request without an answer that could be read. True: it is over, with
 * the state changed. */
static bool calls_ended(struct kw_classic *classic, const struct kw_request *req, int rc)
{
    if (!rc)
        return false;
    if (classic->data_error.code) {
        struct kw_error why = classic->data_error;
        classic->data_error.code = 0;
        kwi_classic_fail(classic, why.code, 0, why.text);
        return true;
    }
    if (kwi_keeper_is_final(rc) && rc != KW_ERR_CLOSED) {
        kwi_classic_fail(classic, rc, 0,
                         rc == KW_ERR_UNSUPPORTED || rc == KW_ERR_VERSION
                             ? "the coordinator does not offer the classic group protocol"
                             : kw_err_name(rc));
        return true;
    }
    kwi_keeper_lost(classic->group->consumer, req, rc);
    return true;
}

/* True: a join or a sync of ours found no memory, and the coordinator is not to blame. */
static bool calls_no_memory(struct kw_classic *classic, const struct kw_answer *answer,
                            enum kw_classic_state state, const char *what)
{
    if (answer->err != KW_ERR_NOMEM || answer->offered || classic->data_error.code ||
        classic->state != state)
        return false;
    kwi_classic_no_memory(
        classic, state == KWI_CLASSIC_JOIN ? &classic->n_unjoined : &classic->n_unsynced, what);
    return true;
}

/* The coordinator moved, or is not there yet. */
static void calls_coordinator_error(struct kw_classic *classic, const struct kw_request *req,
                                    int16_t error)
{
    if (kwi_coordinator_is_lost(error))
        kwi_coordinator_lost(calls_keeper(classic)->coordinator, (int32_t)req->arg);
    else if (!error)
        kwi_coordinator_proved(calls_keeper(classic)->coordinator);
}

/* ---- subscriptions ---------------------------------------------------------------------- */

/* Everything that a subscription says but the assignor's part, in one block. */
struct calls_claim {
    struct kw_str *topics;
    uint32_t n_topics;
    struct kw_consumer_protocol_topic *owned;
    uint32_t n_owned;
    int32_t *numbers;
    size_t n_numbers;
};

static void calls_claim_free(struct kw_heap *heap, struct calls_claim *claim)
{
    kwi_free(heap, claim->topics, (claim->n_topics + 1) * sizeof(*claim->topics));
    kwi_free(heap, claim->owned, (claim->n_owned + 1) * sizeof(*claim->owned));
    kwi_free(heap, claim->numbers, (claim->n_numbers + 1) * sizeof(*claim->numbers));
}

static int calls_claim_make(const struct kw_group *group, struct calls_claim *claim)
{
    struct kw_heap *heap = &group->consumer->core->control;
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;
    size_t n = 0;
    uint32_t k = 0;

    *claim = (struct calls_claim){.n_topics = group->names->n,
                                  .n_owned = kwi_map_len(&group->consumer->topics),
                                  .n_numbers = kwi_group_n_parts(group)};
    claim->topics = kwi_alloc(heap, (claim->n_topics + 1) * sizeof(*claim->topics));
    claim->owned = kwi_alloc(heap, (claim->n_owned + 1) * sizeof(*claim->owned));
    claim->numbers = kwi_alloc(heap, (claim->n_numbers + 1) * sizeof(*claim->numbers));
    if (!claim->topics || !claim->owned || !claim->numbers) {
        calls_claim_free(heap, claim);
        return KW_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < claim->n_topics; i++)
        claim->topics[i] = kwi_str(group->names->list[i]);
    for (uint32_t i = 0; (topic = kwi_map_next(&group->consumer->topics, &i)); k++) {
        size_t first = n;
        for (uint32_t j = 0; (part = kwi_map_next(&topic->parts, &j));) {
            if (!part->given_up)
                claim->numbers[n++] = part->partition;
        }
        kwi_consumer_protocol_topic_init(&claim->owned[k]);
        claim->owned[k].topic = (struct kw_str){topic->meta->name, (int32_t)topic->meta->name_len};
        claim->owned[k].partitions = KWI_ARR(&claim->numbers[first], n - first);
    }
    return 0;
}

/* One protocol of a JoinGroup: the subscription as its assignor wants it. */
static int calls_subscription(struct kw_classic *classic, const struct kw_assignor *assignor,
                              const struct calls_claim *claim, struct kw_blob *out)
{
    struct kw_heap *heap = &classic->group->consumer->core->control;
    const char *rack = kwi_consumer_text(classic->group->consumer, KW_KEY_CLIENT_RACK);
    struct kw_consumer_protocol_subscription msg;
    struct kw_blob user_data;
    struct kw_wr wr = kwi_wr_make(NULL, 0);
    size_t data_size;
    uint8_t *buf;
    int rc = kwi_classic_user_data(classic, assignor, &user_data, &data_size);

    if (rc)
        return rc;
    kwi_consumer_protocol_subscription_init(&msg);
    msg.topics = KWI_ARR(claim->topics, claim->n_topics);
    msg.user_data = user_data;
    msg.owned_partitions = KWI_ARR(claim->owned, claim->n_owned);
    msg.generation_id = calls_keeper(classic)->member.epoch;
    if (rack && *rack)
        msg.rack_id = kwi_str(rack);
    rc = kwi_subscription_put(&msg, CALLS_SUBSCRIPTION_VERSION, &wr);
    buf = rc == KW_ERR_SPACE || !rc ? kwi_alloc(heap, wr.len + 1) : NULL;
    if (buf) {
        size_t len = wr.len;
        wr = kwi_wr_make(buf, len);
        rc = kwi_subscription_put(&msg, CALLS_SUBSCRIPTION_VERSION, &wr);
        *out = (struct kw_blob){buf, (int32_t)len};
    } else if (!rc || rc == KW_ERR_SPACE) {
        rc = KW_ERR_NOMEM;
    }
    if (data_size)
        kwi_free(heap, (void *)(uintptr_t)user_data.ptr, data_size);
    return rc;
}

/* ---- JoinGroup -------------------------------------------------------------------------- */

static void calls_join_fill(struct kw_classic *classic, int16_t version,
                            struct kw_join_group_request *msg)
{
    const struct kw_group *group = classic->group;
    size_t reason_len = strlen(classic->reason);

    kwi_join_group_request_init(msg);
    msg->group_id = kwi_str(calls_keeper(classic)->group_id);
    msg->session_timeout_ms = (int32_t)kwi_classic_setting(classic, KW_KEY_SESSION_TIMEOUT_MS);
    if (version >= 1)
        msg->rebalance_timeout_ms = (int32_t)kwi_classic_setting(classic,
                                                                 KW_KEY_MAX_POLL_INTERVAL_MS);
    msg->member_id = calls_keeper(classic)->member.id;
    if (version >= 5 && group->instance_id)
        msg->group_instance_id = kwi_str(group->instance_id);
    msg->protocol_type = kwi_str("consumer");
    if (version >= 8 && reason_len)
        msg->reason = (struct kw_str){classic->reason, (int32_t)reason_len};
}

static int calls_join_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_classic *classic = req->owner;
    struct kw_heap *heap = &req->core->control;
    struct kw_join_group_request_protocol protocols[KWI_CLASSIC_ASSIGNORS];
    struct kw_join_group_request msg;
    struct calls_claim claim;
    uint32_t n = 0;
    int rc;

    if (!classic || !classic->group->names)
        return KW_ERR_CANCELED;
    if (req->version < 5 && classic->group->instance_id)
        return KW_ERR_UNSUPPORTED;
    rc = calls_claim_make(classic->group, &claim);
    if (rc)
        return rc;
    for (; !rc && n < classic->n_assignors; n++) {
        kwi_join_group_request_protocol_init(&protocols[n]);
        protocols[n].name = kwi_str(classic->assignors[n]->name);
        protocols[n].metadata = (struct kw_blob){NULL, -1};
        rc = calls_subscription(classic, classic->assignors[n], &claim, &protocols[n].metadata);
    }
    if (!rc) {
        calls_join_fill(classic, req->version, &msg);
        msg.protocols = KWI_ARR(protocols, n);
        rc = kwi_join_group_request_encode(&msg, req->version, wr);
    }
    while (n-- > 0) {
        if (protocols[n].metadata.len >= 0)
            kwi_free(heap, (void *)(uintptr_t)protocols[n].metadata.ptr,
                     (size_t)protocols[n].metadata.len + 1);
    }
    calls_claim_free(heap, &claim);
    return rc;
}

static void calls_join_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_classic *classic = req->owner;
    struct kw_join_group_response msg;
    struct kw_fault fault;
    int rc = answer->err;

    if (!classic)
        return;
    classic->joining = NULL;
    if (!rc &&
        kwi_join_group_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (calls_no_memory(classic, answer, KWI_CLASSIC_JOIN, "no memory to join it"))
        return;
    if (calls_ended(classic, req, rc)) {
        if (classic->state == KWI_CLASSIC_JOIN)
            kwi_classic_step(classic, KWI_CLASSIC_RETRY);
        return;
    }
    kwi_throttle(req, msg.throttle_time_ms);
    calls_coordinator_error(classic, req, msg.error_code);
    kwi_classic_joined(classic, &msg);
}

static const struct kw_request_type calls_join_type = {
    .api_key = KW_API_JOIN_GROUP,
    .encode = calls_join_encode,
    .done = calls_join_done,
};

bool kwi_classic_send_join(struct kw_classic *classic)
{
    int64_t timeout_ms = kwi_classic_setting(classic, KW_KEY_MAX_POLL_INTERVAL_MS);

    classic->joining = calls_request(classic, calls_group_link(classic), &calls_join_type);
    if (!classic->joining)
        return false;
    /* The answer comes when all members have joined, or their time is over. */
    if (timeout_ms < INT32_MAX - CALLS_JOIN_GRACE_MS)
        timeout_ms += CALLS_JOIN_GRACE_MS;
    classic->joining->timeout_ms = (uint32_t)timeout_ms;
    kwi_request_submit(classic->joining);
    return true;
}

/* ---- SyncGroup -------------------------------------------------------------------------- */

static int calls_sync_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_classic *classic = req->owner;
    struct kw_heap *heap = &req->core->control;
    struct kw_sync_group_request_assignment *list;
    struct kw_sync_group_request msg;
    uint32_t n;
    int rc;

    if (!classic)
        return KW_ERR_CANCELED;
    n = classic->blobs ? classic->n_members : 0;
    list = kwi_alloc(heap, (n + 1) * sizeof(*list));
    if (!list)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        kwi_sync_group_request_assignment_init(&list[i]);
        list[i].member_id = kwi_plan_member_id(classic->plan, i);
        list[i].assignment = kwi_classic_plan_blob(classic, i);
    }
    kwi_sync_group_request_init(&msg);
    msg.group_id = kwi_str(calls_keeper(classic)->group_id);
    msg.generation_id = calls_keeper(classic)->member.epoch;
    msg.member_id = calls_keeper(classic)->member.id;
    if (req->version >= 3 && classic->group->instance_id)
        msg.group_instance_id = kwi_str(classic->group->instance_id);
    if (req->version >= 5) {
        msg.protocol_type = kwi_str("consumer");
        msg.protocol_name = kwi_str(classic->chosen->name);
    }
    msg.assignments = KWI_ARR(list, n);
    classic->sync_sent_us = req->core->now.mono_us;
    rc = kwi_sync_group_request_encode(&msg, req->version, wr);
    kwi_free(heap, list, (n + 1) * sizeof(*list));
    return rc;
}

static void calls_sync_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_classic *classic = req->owner;
    struct kw_sync_group_response msg;
    struct kw_fault fault;
    int rc = answer->err;

    if (!classic)
        return;
    classic->joining = NULL;
    if (!rc &&
        kwi_sync_group_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (calls_no_memory(classic, answer, KWI_CLASSIC_SYNC,
                        "no memory to tell what it was assigned"))
        return;
    if (calls_ended(classic, req, rc)) {
        if (classic->state == KWI_CLASSIC_SYNC)
            kwi_classic_step(classic, KWI_CLASSIC_RETRY);
        return;
    }
    kwi_throttle(req, msg.throttle_time_ms);
    calls_coordinator_error(classic, req, msg.error_code);
    if (msg.error_code)
        kwi_classic_sync_error(classic, msg.error_code);
    else
        kwi_classic_synced(classic, &msg.assignment);
}

static const struct kw_request_type calls_sync_type = {
    .api_key = KW_API_SYNC_GROUP,
    .encode = calls_sync_encode,
    .done = calls_sync_done,
};

/* The coordinator holds our request until the leader has sent its own, and answers that one
 * at once. Who gave up before would make the group rebalance, and its leader begin again,
 * for ever. */
static uint32_t calls_sync_ms(const struct kw_classic *classic)
{
    int64_t own_ms = kwi_classic_setting(classic, KW_KEY_REQUEST_TIMEOUT_MS);
    int64_t ms = kwi_config_i64(kwi_classic_core(classic)->cfg, KW_KEY_REQUEST_TIMEOUT_MS);

    if (classic->blobs || classic->pull_only) /* we lead it */
        return (uint32_t)own_ms;
    if (ms < own_ms)
        ms = own_ms;
    return (uint32_t)(ms < CALLS_SYNC_MIN_MS ? CALLS_SYNC_MIN_MS : ms);
}

bool kwi_classic_send_sync(struct kw_classic *classic)
{
    classic->joining = calls_request(classic, calls_group_link(classic), &calls_sync_type);
    if (!classic->joining)
        return false;
    classic->joining->timeout_ms = calls_sync_ms(classic);
    kwi_request_submit(classic->joining);
    return true;
}

/* ---- Heartbeat -------------------------------------------------------------------------- */

static int calls_beat_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_classic *classic = req->owner;
    struct kw_heartbeat_request msg;

    if (!classic)
        return KW_ERR_CANCELED;
    kwi_heartbeat_request_init(&msg);
    msg.group_id = kwi_str(calls_keeper(classic)->group_id);
    msg.generation_id = calls_keeper(classic)->member.epoch;
    msg.member_id = calls_keeper(classic)->member.id;
    if (req->version >= 3 && classic->group->instance_id)
        msg.group_instance_id = kwi_str(classic->group->instance_id);
    classic->beat_sent_us = req->core->now.mono_us;
    classic->beat_epoch = msg.generation_id;
    return kwi_heartbeat_request_encode(&msg, req->version, wr);
}

static void calls_beat_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_classic *classic = req->owner;
    struct kw_heartbeat_response msg;
    struct kw_fault fault;
    int rc = answer->err;

    if (!classic)
        return;
    classic->beating = NULL;
    if (!rc && kwi_heartbeat_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (rc == KW_ERR_CLOSED)
        return;
    if (calls_ended(classic, req, rc))
        return;
    kwi_throttle(req, msg.throttle_time_ms);
    calls_coordinator_error(classic, req, msg.error_code);
    kwi_classic_beat_answered(classic, msg.error_code, classic->beat_epoch);
}

static const struct kw_request_type calls_beat_type = {
    .api_key = KW_API_HEARTBEAT,
    .encode = calls_beat_encode,
    .done = calls_beat_done,
};

bool kwi_classic_send_beat(struct kw_classic *classic)
{
    int64_t session_ms = kwi_classic_setting(classic, KW_KEY_SESSION_TIMEOUT_MS);
    int64_t timeout_ms = kwi_classic_setting(classic, KW_KEY_REQUEST_TIMEOUT_MS);

    classic->beating = calls_request(classic, kwi_keeper_link(classic->group->consumer),
                                     &calls_beat_type);
    if (!classic->beating)
        return false;
    classic->beating->timeout_ms = (uint32_t)(timeout_ms < session_ms ? timeout_ms : session_ms);
    kwi_request_submit(classic->beating);
    return true;
}

/* ---- LeaveGroup ------------------------------------------------------------------------- */

static int calls_leave_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_classic *classic = req->owner;
    struct kw_leave_group_request_member member;
    struct kw_leave_group_request msg;

    if (!classic)
        return KW_ERR_CANCELED;
    kwi_leave_group_request_init(&msg);
    msg.group_id = kwi_str(calls_keeper(classic)->group_id);
    if (req->version < 3) {
        msg.member_id = calls_keeper(classic)->member.id;
    } else {
        kwi_leave_group_request_member_init(&member);
        member.member_id = calls_keeper(classic)->member.id;
        if (classic->group->instance_id)
            member.group_instance_id = kwi_str(classic->group->instance_id);
        if (req->version >= 5)
            member.reason = kwi_str(classic->state == KWI_CLASSIC_AWAY
                                        ? "the application did not poll in time"
                                        : "the consumer is closed or unsubscribed");
        msg.members = KWI_ARR(&member, 1);
    }
    return kwi_leave_group_request_encode(&msg, req->version, wr);
}

/* Whatever the answer is, the coordinator will have forgotten us by the end of the
 * session. */
static void calls_leave_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_classic *classic = req->owner;

    if (!classic)
        return;
    classic->leaving = NULL;
    if (answer->err)
        kwi_keeper_lost(classic->group->consumer, req, answer->err);
    kwi_classic_left(classic);
}

static const struct kw_request_type calls_leave_type = {
    .api_key = KW_API_LEAVE_GROUP,
    .encode = calls_leave_encode,
    .done = calls_leave_done,
};

bool kwi_classic_send_leave(struct kw_classic *classic)
{
    classic->leaving = calls_request(classic, kwi_keeper_link(classic->group->consumer),
                                     &calls_leave_type);
    if (classic->leaving)
        kwi_request_submit(classic->leaving);
    return classic->leaving != NULL;
}
