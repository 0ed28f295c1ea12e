/* client/admin.c -- admin operations: create a topic, delete one, metadata.
 *
 * CreateTopics and DeleteTopics go to the controller if it is known, else to
 * any broker; NOT_CONTROLLER and lost connections are retried behind a backoff
 * until the operation's deadline. Each asks about one topic. What is asked about
 * groups is in group_admin.c. */
#include "client/admin.h"

#include <string.h>

#include "base/fmt.h"
#include "client/config.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "client/group_admin.h"
#include "client/throttle.h"
#include "proto/error.h"

static void admin_send(struct kw_admin_op *admin);

/* ---- ending and retrying --------------------------------------------------------------- */

static const char *admin_verb(const struct kw_admin_op *admin)
{
    switch ((enum kw_admin_kind)admin->kind) {
    case KW_ADMIN_CREATE_TOPIC: return "create topic";
    case KW_ADMIN_DELETE_TOPIC: return "delete topic";
    case KW_ADMIN_METADATA:
    case KW_ADMIN_LIST_GROUPS:
    case KW_ADMIN_DESCRIBE_GROUPS:
    case KW_ADMIN_DELETE_GROUPS:
    case KW_ADMIN_GET_OFFSETS:
    case KW_ADMIN_SET_OFFSETS:
    case KW_ADMIN_DELETE_OFFSETS: break; /* group_admin.c */
    }
    return "ask for metadata";
}

void kwi_admin_end(struct kw_admin_op *admin, int code, const struct kw_error *err)
{
    kwi_core_disarm(admin->op.core, &admin->retry);
    kwi_op_end(&admin->op, code, err);
}

/* The op ends from outside: nothing may call back into it. */
static void admin_abandon(struct kw_op *op, int code)
{
    struct kw_admin_op *admin = KWI_OF(op, struct kw_admin_op, op);

    kwi_core_disarm(op->core, &admin->retry);
    if (admin->req && !kwi_cluster_withdraw(admin->req))
        admin->req->owner = NULL;
    admin->req = NULL;
    if (code == KW_ERR_TIMEOUT && admin->last.code) {
        admin->last.code = KW_ERR_TIMEOUT;
        kwi_op_end(op, KW_ERR_TIMEOUT, &admin->last);
    }
}

static void admin_retry_due(struct kw_timer *timer)
{
    admin_send(KWI_OF(timer, struct kw_admin_op, retry));
}

static void admin_retry(struct kw_admin_op *admin, uint64_t least_us)
{
    struct kw_core *core = admin->op.core;
    uint64_t us = kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                                      kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                      admin->attempts);

    if (admin->attempts < 32)
        admin->attempts++;
    kwi_core_arm(core, &admin->retry, core->now.mono_us + (us > least_us ? us : least_us));
}

/* The request ended without an answer. */
static void admin_lost(struct kw_admin_op *admin, const struct kw_answer *answer)
{
    struct kw_error err;

    if (answer->cause)
        err = *answer->cause;
    else
        kwi_error_set(&err, answer->err, KW_PHASE_REQUEST, kw_err_name(answer->err), "");
    if (answer->offered)
        admin->maybe_done = true;
    admin->last = err;
    if (answer->err == KW_ERR_UNSUPPORTED || answer->err == KW_ERR_VERSION ||
        answer->err == KW_ERR_LIMIT || answer->err == KW_ERR_AUTH ||
        kwi_cluster_is_hopeless(admin->op.core))
        kwi_admin_end(admin, answer->err, &err);
    else
        admin_retry(admin, 0);
}

/* ---- requests --------------------------------------------------------------------------- */

/* What is left until the deadline, at most request.timeout.ms. */
static int32_t admin_timeout_ms(const struct kw_admin_op *admin)
{
    const struct kw_core *core = admin->op.core;
    int64_t ms = kwi_config_i64(core->cfg, KW_KEY_REQUEST_TIMEOUT_MS);
    uint64_t now_us = core->now.mono_us;

    if (admin->op.timer.armed && admin->op.timer.deadline_us > now_us) {
        int64_t left_ms = (int64_t)((admin->op.timer.deadline_us - now_us) / 1000);
        ms = left_ms < ms ? left_ms : ms;
    }
    return (int32_t)ms;
}

static int admin_create_encode(const struct kw_admin_op *admin, int16_t version, struct kw_wr *wr)
{
    struct kw_create_topics_request_topic topic;
    struct kw_create_topics_request msg;

    /* -1 is understood from version 4 on (KIP-464). */
    if (version < 4 && (admin->partitions < 0 || admin->replication_factor < 0))
        return KW_ERR_UNSUPPORTED;
    kwi_create_topics_request_topic_init(&topic);
    topic.name = admin->topic;
    topic.num_partitions = admin->partitions;
    topic.replication_factor = admin->replication_factor;
    topic.configs = KWI_ARR(admin->configs, admin->n_configs);
    kwi_create_topics_request_init(&msg);
    msg.topics = KWI_ARR(&topic, 1);
    msg.timeout_ms = admin_timeout_ms(admin);
    return kwi_create_topics_request_encode(&msg, version, wr);
}

static int admin_delete_encode(const struct kw_admin_op *admin, int16_t version, struct kw_wr *wr)
{
    struct kw_delete_topics_request_topic topic;
    struct kw_delete_topics_request msg;

    kwi_delete_topics_request_topic_init(&topic);
    kwi_delete_topics_request_init(&msg);
    topic.name = admin->topic;
    if (version >= 6)
        msg.topics = KWI_ARR(&topic, 1);
    else
        msg.topic_names = KWI_ARR(&admin->topic, 1);
    msg.timeout_ms = admin_timeout_ms(admin);
    return kwi_delete_topics_request_encode(&msg, version, wr);
}

static int admin_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_admin_op *admin = req->owner;

    if (!admin)
        return KW_ERR_CANCELED; /* it ended while this was queued */
    if (admin->kind == KW_ADMIN_CREATE_TOPIC)
        return admin_create_encode(admin, req->version, wr);
    if (admin->kind == KW_ADMIN_DELETE_TOPIC)
        return admin_delete_encode(admin, req->version, wr);
    return kwi_admin_metadata_encode(admin, req->version, wr);
}

/* ---- answers ---------------------------------------------------------------------------- */

/* The verdict on one topic. */
static void admin_take_verdict(struct kw_admin_op *admin, int16_t kafka_code, struct kw_str message,
                               int32_t throttle_ms)
{
    struct kw_core *core = admin->op.core;
    struct kw_error err;
    char what[128];

    if (kafka_code == 0) {
        kwi_cluster_refresh(core);
        kwi_admin_end(admin, 0, NULL);
        return;
    }
    kwi_fmt(what, sizeof(what), "cannot %s %.*s", admin_verb(admin),
            admin->topic.len > 64 ? 64 : (int)admin->topic.len, admin->topic.ptr);
    kwi_error_kafka(&err, kafka_code, what, message.ptr, message.len > 0 ? (size_t)message.len : 0);
    if (kwi_error_info(kafka_code)->error_class == KW_EC_AUTH)
        kwi_error_answer(core, &err, kafka_code,
                         admin->kind == KW_ADMIN_CREATE_TOPIC ? KW_API_CREATE_TOPICS
                                                              : KW_API_DELETE_TOPICS,
                         admin->topic.ptr);
    admin->last = err;
    if (kafka_code == KW_E_NOT_CONTROLLER || kafka_code == KW_E_THROTTLING_QUOTA_EXCEEDED) {
        bool moved = kafka_code == KW_E_NOT_CONTROLLER; /* another one is asked, at once */
        if (moved)
            kwi_cluster_refresh(core);
        admin_retry(admin, moved ? 0 : (uint64_t)kwi_throttle_ms(core, throttle_ms) * 1000);
        return;
    }
    if (admin->maybe_done &&
        (kafka_code == KW_E_TOPIC_ALREADY_EXISTS || kafka_code == KW_E_UNKNOWN_TOPIC_OR_PARTITION))
        kwi_fmt(err.hint, sizeof(err.hint),
                "an earlier attempt, whose answer was lost, may have done it");
    kwi_admin_end(admin, KW_ERR_BROKER, &err);
}

static bool admin_is_ours(const struct kw_admin_op *admin, struct kw_str name)
{
    return name.len == admin->topic.len &&
           memcmp(name.ptr, admin->topic.ptr, (size_t)name.len) == 0;
}

static int admin_take_create(struct kw_admin_op *admin, struct kw_request *req,
                             const struct kw_answer *answer)
{
    struct kw_create_topics_response msg;
    struct kw_create_topics_response_topic topic;
    struct kw_fault fault;
    struct kw_iter it;

    if (kwi_create_topics_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    for (kwi_iter_init(&it, &msg.topics); kwi_iter_next(&it, &topic);) {
        if (!admin_is_ours(admin, topic.name))
            continue;
        admin_take_verdict(admin, topic.error_code, topic.error_message, msg.throttle_time_ms);
        return 0;
    }
    return kwi_request_malformed(req, NULL, "create_topics_response lacks the topic");
}

static int admin_take_delete(struct kw_admin_op *admin, struct kw_request *req,
                             const struct kw_answer *answer)
{
    struct kw_delete_topics_response msg;
    struct kw_delete_topics_response_topic topic;
    struct kw_fault fault;
    struct kw_iter it;

    if (kwi_delete_topics_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    for (kwi_iter_init(&it, &msg.responses); kwi_iter_next(&it, &topic);) {
        if (!admin_is_ours(admin, topic.name))
            continue;
        admin_take_verdict(admin, topic.error_code, topic.error_message, msg.throttle_time_ms);
        return 0;
    }
    return kwi_request_malformed(req, NULL, "delete_topics_response lacks the topic");
}

static int admin_take_metadata(struct kw_admin_op *admin, struct kw_request *req,
                               const struct kw_answer *answer)
{
    struct kw_error err;
    int rc = kwi_admin_metadata_take(admin, req, answer);

    if (rc == KW_ERR_PROTOCOL)
        return rc;
    kwi_error_set(&err, rc, KW_PHASE_REQUEST, "the metadata does not fit the memory that is left",
                  "raise control.memory, or ask for one topic");
    kwi_admin_end(admin, rc, &err);
    return 0;
}

static void admin_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_admin_op *admin = req->owner;
    struct kw_answer broken = {.err = KW_ERR_PROTOCOL, .offered = true};
    int rc = answer->err;

    if (!admin)
        return;
    admin->req = NULL;
    if (rc) {
        admin_lost(admin, answer);
        return;
    }
    if (admin->kind == KW_ADMIN_CREATE_TOPIC)
        rc = admin_take_create(admin, req, answer);
    else if (admin->kind == KW_ADMIN_DELETE_TOPIC)
        rc = admin_take_delete(admin, req, answer);
    else
        rc = admin_take_metadata(admin, req, answer);
    if (rc)
        admin_lost(admin, &broken);
}

static const struct kw_request_type admin_types[] = {
    [KW_ADMIN_CREATE_TOPIC] = {.api_key = KW_API_CREATE_TOPICS,
                               .encode = admin_encode,
                               .done = admin_done},
    [KW_ADMIN_DELETE_TOPIC] = {.api_key = KW_API_DELETE_TOPICS,
                               .encode = admin_encode,
                               .done = admin_done},
    [KW_ADMIN_METADATA] = {.api_key = KW_API_METADATA, .encode = admin_encode, .done = admin_done},
};

static void admin_send(struct kw_admin_op *admin)
{
    struct kw_core *core = admin->op.core;
    struct kw_link *link = NULL;

    if (admin->kind != KW_ADMIN_METADATA && core->cluster.controller_id >= 0)
        link = kwi_cluster_control(core, core->cluster.controller_id);
    admin->req = kwi_request_create(core, link, &admin_types[admin->kind], admin);
    if (!admin->req) {
        kwi_error_set(&admin->last, KW_ERR_NOMEM, KW_PHASE_REQUEST, "no memory for a request",
                      "raise control.memory");
        admin_retry(admin, 0);
    } else if (link) {
        kwi_request_submit(admin->req);
    } else {
        kwi_cluster_submit(admin->req);
    }
}

/* ---- starting ------------------------------------------------------------- */

static size_t admin_text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Bytes of everything that outlives the call. */
static size_t admin_size(const struct kw_admin_request *request)
{
    size_t size = sizeof(struct kw_admin_op) + admin_text_size(request->topic);

    for (uint32_t i = 0; i < request->n_configs; i++)
        size += sizeof(struct kw_create_topics_request_config) +
                admin_text_size(request->configs[i].key) +
                admin_text_size(request->configs[i].value);
    return size;
}

static struct kw_str admin_keep(char **room, const char *text)
{
    struct kw_str str = kwi_str(text);

    if (!text)
        return str;
    memcpy(*room, text, (size_t)str.len + 1);
    str.ptr = *room;
    *room += str.len + 1;
    return str;
}

static void admin_copy(struct kw_admin_op *admin, const struct kw_admin_request *request)
{
    char *room = (char *)(admin + 1);

    admin->configs = (void *)room;
    admin->n_configs = request->n_configs;
    room += request->n_configs * sizeof(*admin->configs);
    for (uint32_t i = 0; i < request->n_configs; i++) {
        kwi_create_topics_request_config_init(&admin->configs[i]);
        admin->configs[i].name = admin_keep(&room, request->configs[i].key);
        admin->configs[i].value = admin_keep(&room, request->configs[i].value);
    }
    admin->topic = admin_keep(&room, request->topic);
    admin->partitions = request->partitions > 0 ? request->partitions : -1;
    admin->replication_factor =
        (int16_t)(request->replication_factor > 0 ? request->replication_factor : -1);
}

/* NULL, or what is wrong. */
static const char *admin_check(const struct kw_admin_request *request,
                               struct kw_admin_result *const *result)
{
    if (request->size < sizeof(*request))
        return "size must be sizeof(struct kw_admin_request)";
    if (request->kind > KW_ADMIN_DELETE_OFFSETS)
        return "no such kind of admin request";
    if (request->kind == KW_ADMIN_METADATA && !result)
        return "METADATA needs a place for its result";
    if (request->kind != KW_ADMIN_METADATA && (!request->topic || !*request->topic))
        return "a topic must be named";
    if (request->topic && strlen(request->topic) > KWI_STRING_MAX)
        return "the topic's name is too long";
    if (request->partitions < -1 || request->replication_factor < -1)
        return "partitions and replication_factor are positive, or -1 for the broker's default";
    for (uint32_t i = 0; i < request->n_configs; i++) {
        if (!request->configs || !request->configs[i].key)
            return "a topic configuration has no key";
        if (strlen(request->configs[i].key) > KWI_STRING_MAX ||
            (request->configs[i].value && strlen(request->configs[i].value) > KWI_STRING_MAX))
            return "a topic configuration is too long";
    }
    return NULL;
}

static struct kw_op *admin_start(struct kw_core *core, const struct kw_admin_request *request,
                                 struct kw_admin_result **result, int32_t timeout_ms, void *tag)
{
    const char *why = admin_check(request, result);
    size_t size = why ? sizeof(struct kw_admin_op) : admin_size(request);
    struct kw_op *op = kwi_op_create(core, size, timeout_ms, tag, admin_abandon);
    struct kw_admin_op *admin;
    struct kw_error err;

    if (result)
        *result = NULL;
    if (!op)
        return NULL;
    admin = KWI_OF(op, struct kw_admin_op, op);
    admin->retry.fire = admin_retry_due;
    admin->result = result;
    if (why || core->closing) {
        int code = why ? KW_ERR_USE : KW_ERR_CLOSED;
        kwi_error_set(&err, code, KW_PHASE_NONE, why ? why : "the client is closing", "");
        kwi_op_end(op, code, &err);
        return op;
    }
    admin->kind = request->kind;
    admin_copy(admin, request);
    admin_send(admin);
    return op;
}

struct kw_op *kw_core_admin(struct kw_core *core, const struct kw_admin_request *request,
                            struct kw_admin_result **result, int32_t timeout_ms, void *tag)
{
    if (request->size >= sizeof(*request) && request->kind > KW_ADMIN_METADATA &&
        request->kind <= KW_ADMIN_DELETE_OFFSETS)
        return kwi_groups_start(core, request, result, timeout_ms, tag);
    return admin_start(core, request, result, timeout_ms, tag);
}
