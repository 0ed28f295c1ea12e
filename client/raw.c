/* client/raw.c -- raw requests: any message to a broker, the controller or a
 * coordinator, and the bytes of its answer.
 *
 *   FIND --the coordinator is known--> SEND --answered, or sent and lost--> ended
 *    |  ^                               |  ^
 *    '--' not yet: after a backoff      '--' no way there yet: after a backoff
 *
 * Nobody here knows what the message does, so it is offered to a connection once:
 * when the answer is lost, the operation ends and says so. What the answer says
 * is not looked at either. A request that no broker could read would cost the
 * connection that it shares with others, so bytes are checked like JSON before
 * they are sent. */
#include <string.h>

#include "base/fmt.h"
#include "client/config.h"
#include "client/error_text.h"
#include "client/link.h"
#include "client/op.h"
#include "client/throttle.h"
#include "proto/coordinator.h"
#include "proto/error.h"
#include "json/json.h"
#include "proto/produce.h"
#include <kwire/kwire.h>

/* What a request under way needs. It outlives an operation that ends early. */
struct raw_call {
    struct kw_request_type type; /* of this API */
    struct kw_core *core;
    struct raw_op *op; /* NULL: it ended */
    uint32_t holds;    /* the operation, and its request */
    int16_t version;   /* -1: the newest that both sides have */
    bool json;
    size_t body_len;
    struct kw_error fault; /* why the body was refused */
    uint8_t body[];
};

struct raw_op {
    struct kw_op op; /* first: freed as such */
    struct kw_timer retry;
    struct kw_request *req; /* under way, or NULL */
    struct raw_call *call;
    struct kw_raw_result **result;
    uint32_t attempts;
    uint8_t to;           /* enum kw_raw_to */
    int32_t broker;       /* node id; -1: a coordinator that is not known yet */
    struct kw_error last; /* why the last attempt failed */
    struct kw_str key;    /* of the coordinator; behind this struct */
};

/* In front of the result: how to free it. */
struct raw_answer {
    struct kw_alloc alloc;
    size_t size;
    struct kw_raw_result result;
    uint8_t body[];
};

static void raw_send(struct raw_op *raw);

/* ---- ending and retrying -------------------------------------------------- */

static void raw_call_drop(struct raw_call *call)
{
    if (--call->holds == 0)
        kwi_free(&call->core->control, call, sizeof(*call) + call->body_len);
}

/* Lets go of everything; nothing may call back into the operation. */
static void raw_let_go(struct raw_op *raw)
{
    bool ours = raw->req && raw->req->owner == raw->call;

    kwi_core_disarm(raw->op.core, &raw->retry);
    if (raw->req && kwi_cluster_withdraw(raw->req)) {
        if (ours)
            raw_call_drop(raw->call);
    } else if (raw->req && !ours) {
        raw->req->owner = NULL;
    }
    raw->req = NULL;
    raw->call->op = NULL;
    raw_call_drop(raw->call);
}

static void raw_end(struct raw_op *raw, int code, const struct kw_error *err)
{
    raw_let_go(raw);
    kwi_op_end(&raw->op, code, err);
}

static void raw_abandon(struct kw_op *op, int code)
{
    struct raw_op *raw = KWI_OF(op, struct raw_op, op);

    raw_let_go(raw);
    if (code == KW_ERR_TIMEOUT && raw->last.code) {
        raw->last.code = KW_ERR_TIMEOUT;
        kwi_op_end(op, KW_ERR_TIMEOUT, &raw->last);
    }
}

static void raw_retry_due(struct kw_timer *timer)
{
    raw_send(KWI_OF(timer, struct raw_op, retry));
}

static void raw_retry(struct raw_op *raw)
{
    struct kw_core *core = raw->op.core;
    uint64_t us = kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                                      kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                      raw->attempts);

    if (raw->attempts < 32)
        raw->attempts++;
    kwi_core_arm(core, &raw->retry, core->now.mono_us + us);
}

/* Errors that another attempt would meet again. */
static bool raw_is_final(int err)
{
    return err == KW_ERR_UNSUPPORTED || err == KW_ERR_VERSION || err == KW_ERR_LIMIT ||
           err == KW_ERR_SPACE || err == KW_ERR_CLOSED || err == KW_ERR_AUTH;
}

/* The request ended without an answer, and may have been carried out. */
static void raw_lost(struct raw_op *raw, const struct kw_answer *answer, bool offered)
{
    struct kw_error err;

    if (answer->cause)
        err = *answer->cause;
    else
        kwi_error_set(&err, answer->err, KW_PHASE_REQUEST, kw_err_name(answer->err), "");
    raw->last = err;
    if (offered || raw_is_final(answer->err) || kwi_cluster_is_hopeless(raw->op.core)) {
        raw_end(raw, answer->err, &err);
        return;
    }
    if (raw->to >= KW_RAW_GROUP)
        raw->broker = -1; /* another one may be the coordinator by now */
    else if (raw->to != KW_RAW_ANY)
        kwi_cluster_refresh(raw->op.core); /* or the controller, or elsewhere */
    raw_retry(raw);
}

/* ---- the coordinator -------------------------------------------------------- */

static int raw_find_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct raw_op *raw = req->owner;
    struct kw_find_coordinator_request msg;

    if (!raw)
        return KW_ERR_CANCELED;
    if (req->version < 1 && raw->to != KW_RAW_GROUP)
        return KW_ERR_UNSUPPORTED;
    kwi_find_coordinator_request_init(&msg);
    msg.key_type = raw->to == KW_RAW_GROUP ? 0 : 1;
    if (req->version >= 4)
        msg.coordinator_keys = KWI_ARR(&raw->key, 1);
    else
        msg.key = raw->key;
    return kwi_find_coordinator_request_encode(&msg, req->version, wr);
}

/* From version 4 on the answer is a list. */
static int raw_find_read(struct kw_request *req, const struct kw_answer *answer,
                         struct kw_find_coordinator_response_coordinator *item)
{
    struct kw_find_coordinator_response msg;
    struct kw_fault fault;
    struct kw_iter it;

    kwi_find_coordinator_response_coordinator_init(item);
    if (kwi_find_coordinator_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    if (req->version < 4) {
        item->node_id = msg.node_id;
        item->host = msg.host;
        item->port = msg.port;
        item->error_code = msg.error_code;
        item->error_message = msg.error_message;
        return 0;
    }
    kwi_iter_init(&it, &msg.coordinators);
    if (!kwi_iter_next(&it, item))
        return kwi_request_malformed(req, NULL, "find_coordinator_response is empty");
    return 0;
}

static void raw_find_take(struct raw_op *raw,
                          const struct kw_find_coordinator_response_coordinator *item)
{
    struct kw_core *core = raw->op.core;
    int rc = 0;

    if (item->error_code) {
        kwi_error_kafka(&raw->last, item->error_code, "cannot find the coordinator",
                        item->error_message.ptr,
                        item->error_message.len > 0 ? (size_t)item->error_message.len : 0);
        if (kwi_error_info(item->error_code)->flags & KW_E_RETRIABLE)
            raw_retry(raw);
        else
            raw_end(raw, KW_ERR_BROKER, &raw->last);
        return;
    }
    rc = kwi_cluster_take_broker(core, item->node_id, item->host, item->port);
    if (rc || !kwi_cluster_broker(core, item->node_id)) {
        kwi_error_set(&raw->last, rc ? rc : KW_ERR_PROTOCOL, KW_PHASE_REQUEST,
                      rc ? "no memory for a broker" : "the coordinator has no address", "");
        raw_retry(raw);
        return;
    }
    raw->broker = item->node_id;
    raw_send(raw);
}

static void raw_find_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct raw_op *raw = req->owner;
    struct kw_find_coordinator_response_coordinator item;
    struct kw_answer broken = {.err = KW_ERR_PROTOCOL};

    if (!raw)
        return;
    raw->req = NULL;
    if (answer->err)
        raw_lost(raw, answer, false); /* a look-up may be asked twice */
    else if (raw_find_read(req, answer, &item))
        raw_lost(raw, &broken, false);
    else
        raw_find_take(raw, &item);
}

static const struct kw_request_type raw_find_type = {
    .api_key = KW_API_FIND_COORDINATOR,
    .encode = raw_find_encode,
    .done = raw_find_done,
};

/* ---- the message --------------------------------------------------------------- */

static int raw_version(const struct kw_request *req, int broker_min, int broker_max)
{
    const struct raw_call *call = req->owner;
    const struct kw_api_info *api = kwi_api_info(call->type.api_key);
    int low = api->min > broker_min ? api->min : broker_min;
    int high = api->max < broker_max ? api->max : broker_max;

    if (call->version >= 0)
        low = high = call->version >= low && call->version <= high ? call->version : -1;
    return high >= low && high >= 0 ? high : KW_ERR_UNSUPPORTED;
}

static int raw_encode_json(struct raw_call *call, const struct kw_schema *schema, int version,
                           struct kw_wr *wr)
{
    struct kw_json_fault fault = {0};
    int rc = kwi_json_encode(schema, version, (const char *)call->body, call->body_len, wr, &fault);

    if (fault.err)
        kwi_error_fmt(&call->fault, rc, KW_PHASE_REQUEST, "", "%s v%d: %s%s%zu: %s", schema->name,
                      version, fault.path, fault.path[0] ? " at byte " : "byte ", fault.offset,
                      fault.reason);
    return rc;
}

static int raw_encode_bytes(struct raw_call *call, const struct kw_schema *schema, int version,
                            struct kw_wr *wr)
{
    _Alignas(8) uint8_t msg[KWI_ELEM_MAX];
    struct kw_fault fault;
    int rc = kwi_decode(schema, version, call->body, call->body_len, msg, &fault);

    if (rc) {
        kwi_error_set(&call->fault, rc, KW_PHASE_REQUEST, "", "");
        kwi_fault_format(&fault, call->fault.text, sizeof(call->fault.text));
        return rc;
    }
    kwi_wr_put(wr, call->body, call->body_len);
    return kwi_wr_status(wr);
}

/* A Produce request with acks=0 is never answered. */
static bool raw_is_answered(const struct raw_call *call, int version, const uint8_t *body,
                            size_t len)
{
    struct kw_produce_request msg;

    return call->type.api_key != KW_API_PRODUCE ||
           kwi_produce_request_decode(&msg, version, body, len, NULL) || msg.acks != 0;
}

static int raw_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct raw_call *call = req->owner;
    const struct kw_schema *schema = kwi_api_info(call->type.api_key)->request;
    size_t begin = wr->len;
    int rc;

    if (!call->op)
        return KW_ERR_CANCELED; /* it ended while this was queued */
    /* Record data of a caller is copied with the rest. */
    rc = call->json ? raw_encode_json(call, schema, req->version, wr)
                    : raw_encode_bytes(call, schema, req->version, wr);
    if (!rc && wr->len <= wr->cap)
        call->type.no_answer = !raw_is_answered(call, req->version, wr->buf + begin,
                                                wr->len - begin);
    return rc;
}

/* Makes the result in memory of its own, which outlives the client. */
static int raw_take(struct raw_op *raw, const struct kw_request *req,
                    const struct kw_answer *answer)
{
    const struct kw_alloc *alloc = &raw->op.core->env.alloc;
    size_t size = sizeof(struct raw_answer) + answer->len;
    struct raw_answer *out = alloc->alloc(alloc->ctx, size);

    if (!out)
        return KW_ERR_NOMEM;
    *out = (struct raw_answer){.alloc = *alloc, .size = size};
    out->result = (struct kw_raw_result){.api_key = raw->call->type.api_key,
                                         .version = req->version,
                                         .broker = -1,
                                         .body = {out->body, answer->len}};
    if (req->link && req->link->broker->node_id >= 0)
        out->result.broker = req->link->broker->node_id;
    if (answer->len)
        memcpy(out->body, answer->body, answer->len);
    *raw->result = &out->result;
    return 0;
}

static void raw_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct raw_call *call = req->owner;
    struct raw_op *raw = call->op;
    struct kw_error err;
    int rc;

    if (!raw)
        return;
    raw->req = NULL;
    if (answer->err && call->fault.code) {
        raw_end(raw, answer->err, &call->fault);
    } else if (answer->err) {
        raw_lost(raw, answer, answer->offered);
    } else {
        kwi_throttle_raw(req, answer);
        rc = raw_take(raw, req, answer);
        kwi_error_set(&err, rc, KW_PHASE_REQUEST, "no memory for the answer", "");
        raw_end(raw, rc, rc ? &err : NULL);
    }
}

static void raw_release(struct kw_request *req)
{
    struct raw_call *call = req->owner;

    req->type = &raw_find_type; /* its own goes with the call, and is asked once more */
    raw_call_drop(call);
}

/* ---- the way there ---------------------------------------------------------- */

/* The link to the one that is meant; NULL with *any false: not known yet. */
static struct kw_link *raw_link(struct raw_op *raw, bool *any)
{
    struct kw_core *core = raw->op.core;

    *any = raw->to == KW_RAW_ANY;
    if (*any)
        return NULL;
    if (raw->to == KW_RAW_CONTROLLER)
        return kwi_cluster_control(core, core->cluster.controller_id);
    return kwi_cluster_control(core, raw->broker);
}

static void raw_no_way(struct raw_op *raw)
{
    if (raw->to == KW_RAW_CONTROLLER)
        kwi_error_set(&raw->last, KW_ERR_CONNECT, KW_PHASE_REQUEST, "the controller is not known",
                      "");
    else
        kwi_error_fmt(&raw->last, KW_ERR_CONNECT, KW_PHASE_REQUEST, "see the brokers of kw meta",
                      "the cluster has no broker %d that is known", (int)raw->broker);
    kwi_cluster_refresh(raw->op.core);
    raw_retry(raw);
}

static void raw_no_memory(struct raw_op *raw)
{
    kwi_error_set(&raw->last, KW_ERR_NOMEM, KW_PHASE_REQUEST, "no memory for a request",
                  "raise control.memory");
    raw_retry(raw);
}

static void raw_send(struct raw_op *raw)
{
    struct kw_core *core = raw->op.core;
    bool find = raw->to >= KW_RAW_GROUP && raw->broker < 0, any = true;
    struct kw_link *link = find ? NULL : raw_link(raw, &any);

    if (!link && !any) {
        raw_no_way(raw);
        return;
    }
    if (find)
        raw->req = kwi_request_create(core, NULL, &raw_find_type, raw);
    else
        raw->req = kwi_request_create(core, link, &raw->call->type, raw->call);
    if (!raw->req) {
        raw_no_memory(raw);
        return;
    }
    if (!find)
        raw->call->holds++;
    if (link)
        kwi_request_submit(raw->req);
    else
        kwi_cluster_submit(raw->req);
}

/* ---- starting ----------------------------------------------------------------- */

/* NULL, or what is wrong. */
static const char *raw_check(const struct kw_raw_request *request,
                             struct kw_raw_result *const *result)
{
    const struct kw_api_info *api;

    if (request->size < sizeof(*request))
        return "size must be sizeof(struct kw_raw_request)";
    if (!result)
        return "a place for the result is needed";
    api = kwi_api_info(request->api_key);
    if (!api)
        return "this API is unknown here";
    if (request->version < -1 || (request->version >= 0 && request->version < api->min) ||
        request->version > api->max)
        return "this version of the API is unknown here";
    if (request->to > KW_RAW_TRANSACTION)
        return "no such kind of receiver";
    if (request->to == KW_RAW_BROKER && request->broker < 0)
        return "a broker's id is not negative";
    if (request->to >= KW_RAW_GROUP && !request->key)
        return "the group or transactional id is needed to find its coordinator";
    if (request->to >= KW_RAW_GROUP && strlen(request->key) > KWI_STRING_MAX)
        return "the group or transactional id is too long";
    if (!request->body.ptr && request->body.len)
        return "the body is missing";
    return NULL;
}

static struct raw_call *raw_call_create(struct kw_core *core, const struct kw_raw_request *request)
{
    size_t len = request->body.len;
    struct raw_call *call = NULL;

    if (len <= INT32_MAX)
        call = kwi_alloc_zero(&core->control, sizeof(*call) + len);
    if (!call)
        return NULL;
    call->type = (struct kw_request_type){.api_key = request->api_key,
                                          .choose = raw_version,
                                          .encode = raw_encode,
                                          .done = raw_done,
                                          .release = raw_release};
    call->core = core;
    call->holds = 1;
    call->version = request->version;
    call->json = request->json;
    call->body_len = len;
    if (len)
        memcpy(call->body, request->body.ptr, len);
    return call;
}

static struct kw_op *raw_refuse(struct kw_core *core, const char *why, int code, void *tag)
{
    struct kw_op *op = kwi_op_create(core, sizeof(*op), -1, tag, NULL);
    struct kw_error err;

    kwi_error_set(&err, code, KW_PHASE_NONE, why, "");
    if (op)
        kwi_op_end(op, code, &err);
    return op;
}

struct kw_op *kw_core_request_raw(struct kw_core *core, const struct kw_raw_request *request,
                                  struct kw_raw_result **result, int32_t timeout_ms, void *tag)
{
    const char *why = raw_check(request, result);
    struct raw_call *call;
    struct raw_op *raw;
    struct kw_op *op;
    size_t key_len;

    if (result)
        *result = NULL;
    if (why || core->closing)
        return raw_refuse(core, why ? why : "the client is closing",
                          why ? KW_ERR_USE : KW_ERR_CLOSED, tag);
    key_len = request->to >= KW_RAW_GROUP ? strlen(request->key) : 0;
    call = raw_call_create(core, request);
    op = call ? kwi_op_create(core, sizeof(*raw) + key_len, timeout_ms, tag, raw_abandon) : NULL;
    if (!op) {
        if (call)
            raw_call_drop(call);
        return NULL;
    }
    raw = KWI_OF(op, struct raw_op, op);
    raw->retry.fire = raw_retry_due;
    raw->result = result;
    raw->call = call;
    call->op = raw;
    raw->to = request->to;
    raw->broker = request->to == KW_RAW_BROKER ? request->broker : -1;
    raw->key = (struct kw_str){(char *)(raw + 1), (int32_t)key_len};
    if (key_len)
        memcpy(raw + 1, request->key, key_len);
    raw_send(raw);
    return op;
}

void kw_raw_result_destroy(struct kw_raw_result *result)
{
    struct raw_answer *answer;
    struct kw_alloc alloc;

    if (!result)
        return;
    answer = KWI_OF(result, struct raw_answer, result);
    alloc = answer->alloc;
    alloc.free(alloc.ctx, answer, answer->size);
}
