/* client/coordinator.c -- FindCoordinator: one request at a time for all that are
 * looked for, over any connection. See coordinator.h for the states. Who the
 * coordinator of a connection's requests is, is not known here. */
#include "client/coordinator.h"

#include <string.h>

#include "client/config.h"
#include "client/error_text.h"
#include "client/throttle.h"
#include "proto/error.h"

enum { COORDINATOR_KEYS = 64 /* in one request */ };

static void coordinators_kick(struct kw_core *core);

static struct kw_coordinator *coordinator_of(struct kw_node *node)
{
    return KWI_OF(node, struct kw_coordinator, node);
}

/* ---- states ------------------------------------------------------------------------ */

static void coordinator_tell(struct kw_coordinator *coordinator)
{
    struct kw_node *next;

    for (struct kw_node *n = coordinator->users.first; n; n = next) {
        struct kw_coordinator_user *user = KWI_OF(n, struct kw_coordinator_user, node);
        next = n->next;
        user->changed(user);
    }
}

static void coordinator_find(struct kw_coordinator *coordinator)
{
    kwi_core_disarm(coordinator->core, &coordinator->timer);
    coordinator->state = KWI_COORDINATOR_FINDING;
    coordinator->asked = false;
    coordinators_kick(coordinator->core);
}

static void coordinator_pause(struct kw_coordinator *coordinator)
{
    struct kw_core *core = coordinator->core;
    uint64_t us = kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                                      kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                      coordinator->attempts);

    if (coordinator->attempts < 32)
        coordinator->attempts++;
    coordinator->state = KWI_COORDINATOR_PAUSE;
    kwi_core_arm(core, &coordinator->timer, core->now.mono_us + us);
}

static void coordinator_due(struct kw_timer *timer)
{
    coordinator_find(KWI_OF(timer, struct kw_coordinator, timer));
}

/* ---- asking -------------------------------------------------------------------------- */

static int coordinator_encode_keys(struct kw_core *core, struct kw_find_coordinator_request *msg,
                                   int16_t version, struct kw_wr *wr)
{
    struct kw_str keys[COORDINATOR_KEYS];
    uint32_t n = 0, most = version >= 4 ? COORDINATOR_KEYS : 1;

    for (struct kw_node *node = core->coordinators.first; node && n < most; node = node->next) {
        struct kw_coordinator *coordinator = coordinator_of(node);
        if (coordinator->state != KWI_COORDINATOR_FINDING)
            continue;
        if (n > 0 && coordinator->key_type != msg->key_type)
            continue; /* a request has keys of one type; these are next */
        msg->key_type = coordinator->key_type;
        coordinator->asked = true;
        keys[n++] = (struct kw_str){coordinator->key, (int32_t)coordinator->key_len};
    }
    if (n == 0)
        return KW_ERR_CANCELED; /* nobody wants to know any more */
    if (version < 1 && msg->key_type != KWI_COORDINATOR_GROUP)
        return KW_ERR_UNSUPPORTED;
    if (version >= 4)
        msg->coordinator_keys = KWI_ARR(keys, n);
    else
        msg->key = keys[0];
    return kwi_find_coordinator_request_encode(msg, version, wr);
}

static int coordinator_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_core *core = req->core;
    struct kw_find_coordinator_request msg;

    for (struct kw_node *n = core->coordinators.first; n; n = n->next)
        coordinator_of(n)->asked = false;
    kwi_find_coordinator_request_init(&msg);
    return coordinator_encode_keys(core, &msg, req->version, wr);
}

static void coordinator_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type coordinator_type = {
    .api_key = KW_API_FIND_COORDINATOR,
    .encode = coordinator_encode,
    .done = coordinator_done,
};

static bool coordinators_waiting(const struct kw_core *core)
{
    for (struct kw_node *n = core->coordinators.first; n; n = n->next) {
        if (coordinator_of(n)->state == KWI_COORDINATOR_FINDING)
            return true;
    }
    return false;
}

static void coordinators_kick(struct kw_core *core)
{
    struct kw_request *req;

    if (core->finding || core->closing || !coordinators_waiting(core))
        return;
    req = kwi_request_create(core, NULL, &coordinator_type, NULL);
    if (!req) {
        for (struct kw_node *n = core->coordinators.first; n; n = n->next) {
            if (coordinator_of(n)->state == KWI_COORDINATOR_FINDING)
                coordinator_pause(coordinator_of(n));
        }
        return;
    }
    core->finding = true;
    kwi_cluster_submit(req);
}

/* ---- the answer -------------------------------------------------------------------------- */

/* What the one that was refused or failed is told. */
static void coordinator_refused(struct kw_coordinator *coordinator, const struct kw_error *why)
{
    coordinator->error = *why;
    coordinator->state = KWI_COORDINATOR_REFUSED;
    coordinator_tell(coordinator);
}

static void coordinator_failed(struct kw_coordinator *coordinator, const struct kw_error *why)
{
    coordinator->error = *why;
    coordinator_pause(coordinator);
}

static void coordinator_take(struct kw_coordinator *coordinator,
                             const struct kw_find_coordinator_response_coordinator *item)
{
    struct kw_core *core = coordinator->core;
    struct kw_error err;

    if (item->error_code) {
        kwi_error_kafka(&err, item->error_code,
                        coordinator->key_type == KWI_COORDINATOR_GROUP
                            ? "cannot find the coordinator of the group"
                            : "cannot find the coordinator of the transactional id",
                        item->error_message.ptr,
                        item->error_message.len > 0 ? (size_t)item->error_message.len : 0);
        if (kwi_error_info(item->error_code)->flags & KW_E_RETRIABLE ||
            item->error_code == KW_E_UNKNOWN_SERVER_ERROR)
            coordinator_failed(coordinator, &err);
        else
            coordinator_refused(coordinator, &err);
        return;
    }
    if (kwi_cluster_take_broker(core, item->node_id, item->host, item->port) ||
        !kwi_cluster_broker(core, item->node_id)) {
        kwi_error_set(&err, KW_ERR_PROTOCOL, KW_PHASE_REQUEST,
                      "a broker named a coordinator without an address", "");
        coordinator_failed(coordinator, &err);
        return;
    }
    coordinator->error.code = 0;
    coordinator->node_id = item->node_id;
    coordinator->state = KWI_COORDINATOR_KNOWN;
    coordinator_tell(coordinator);
}

/* The one that an answer's item is about: asked, and not yet answered. Up to
 * version 3 there is one answer without a name. */
static struct kw_coordinator *coordinator_asked(struct kw_core *core, const struct kw_str *key)
{
    for (struct kw_node *n = core->coordinators.first; n; n = n->next) {
        struct kw_coordinator *c = coordinator_of(n);
        if (!c->asked || c->state != KWI_COORDINATOR_FINDING)
            continue;
        if (!key || (key->len >= 0 && (size_t)key->len == c->key_len &&
                     !memcmp(key->ptr, c->key, c->key_len)))
            return c;
    }
    return NULL;
}

static void coordinator_read(struct kw_core *core, int16_t version,
                             const struct kw_find_coordinator_response *msg)
{
    struct kw_find_coordinator_response_coordinator item;
    struct kw_coordinator *c;
    struct kw_iter it;

    if (version < 4) {
        kwi_find_coordinator_response_coordinator_init(&item);
        item.node_id = msg->node_id;
        item.host = msg->host;
        item.port = msg->port;
        item.error_code = msg->error_code;
        item.error_message = msg->error_message;
        c = coordinator_asked(core, NULL);
        if (c)
            coordinator_take(c, &item);
        return;
    }
    for (kwi_iter_init(&it, &msg->coordinators); kwi_iter_next(&it, &item);) {
        c = coordinator_asked(core, &item.key);
        if (c)
            coordinator_take(c, &item);
    }
}

/* Those that were asked for and not answered are asked for again, later. */
static void coordinators_unanswered(struct kw_core *core, const struct kw_answer *answer)
{
    bool refused = answer->err == KW_ERR_UNSUPPORTED || answer->err == KW_ERR_AUTH;
    struct kw_coordinator *c;
    struct kw_error err;

    if (answer->cause)
        err = *answer->cause;
    else
        kwi_error_set(&err, answer->err ? answer->err : KW_ERR_PROTOCOL, KW_PHASE_REQUEST,
                      "a broker did not answer which broker is the coordinator", "");
    while ((c = coordinator_asked(core, NULL))) {
        if (refused)
            coordinator_refused(c, &err);
        else
            coordinator_failed(c, &err);
    }
}

static void coordinator_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_core *core = req->core;
    struct kw_find_coordinator_response msg;
    struct kw_answer end = *answer;
    struct kw_fault fault;

    core->finding = false;
    if (core->closing)
        return;
    kwi_find_coordinator_response_init(&msg);
    if (end.err && !coordinator_asked(core, NULL)) { /* never encoded: all are meant */
        for (struct kw_node *n = core->coordinators.first; n; n = n->next)
            coordinator_of(n)->asked = true;
    }
    if (!end.err &&
        kwi_find_coordinator_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        end.err = kwi_request_malformed(req, &fault, NULL);
    if (!end.err) {
        kwi_throttle(req, msg.throttle_time_ms);
        coordinator_read(core, req->version, &msg);
    }
    coordinators_unanswered(core, &end);
    coordinators_kick(core);
}

/* ---- public ----------------------------------------------------------------------------- */

static size_t coordinator_size(size_t key_len)
{
    return sizeof(struct kw_coordinator) + key_len + 1;
}

struct kw_coordinator *kwi_coordinator_get(struct kw_core *core, int8_t key_type, const char *key,
                                           struct kw_coordinator_user *user)
{
    size_t len = strlen(key);
    struct kw_coordinator *c;

    for (struct kw_node *n = core->coordinators.first; n; n = n->next) {
        c = coordinator_of(n);
        if (c->key_type == key_type && c->key_len == len && !memcmp(c->key, key, len)) {
            kwi_list_push(&c->users, &user->node);
            return c;
        }
    }
    c = kwi_alloc_zero(&core->control, coordinator_size(len));
    if (!c)
        return NULL;
    c->core = core;
    c->key_type = key_type;
    c->node_id = -1;
    c->timer.fire = coordinator_due;
    c->key_len = len;
    memcpy(c->key, key, len);
    kwi_list_push(&core->coordinators, &c->node);
    kwi_list_push(&c->users, &user->node);
    return c;
}

static void coordinator_free(struct kw_coordinator *coordinator)
{
    struct kw_core *core = coordinator->core;

    kwi_core_disarm(core, &coordinator->timer);
    kwi_list_remove(&core->coordinators, &coordinator->node);
    kwi_free(&core->control, coordinator, coordinator_size(coordinator->key_len));
}

void kwi_coordinator_put(struct kw_coordinator *coordinator, struct kw_coordinator_user *user)
{
    kwi_list_remove(&coordinator->users, &user->node);
    if (kwi_list_empty(&coordinator->users))
        coordinator_free(coordinator);
}

void kwi_coordinator_want(struct kw_coordinator *coordinator)
{
    bool is_gone = coordinator->state == KWI_COORDINATOR_KNOWN &&
                   !kwi_coordinator_broker(coordinator); /* from the cluster */

    if (coordinator->state == KWI_COORDINATOR_REFUSED)
        coordinator->error.code = 0; /* it may be another answer now */
    if (is_gone || coordinator->state == KWI_COORDINATOR_IDLE ||
        coordinator->state == KWI_COORDINATOR_REFUSED)
        coordinator_find(coordinator);
}

struct kw_broker *kwi_coordinator_broker(const struct kw_coordinator *coordinator)
{
    if (coordinator->state != KWI_COORDINATOR_KNOWN)
        return NULL;
    return kwi_cluster_broker(coordinator->core, coordinator->node_id);
}

void kwi_coordinator_lost(struct kw_coordinator *coordinator, int32_t node_id)
{
    if (coordinator->state != KWI_COORDINATOR_KNOWN || coordinator->node_id != node_id)
        return;
    if (coordinator->attempts++ == 0)
        coordinator_find(coordinator);
    else
        coordinator_pause(coordinator);
}

void kwi_coordinator_proved(struct kw_coordinator *coordinator)
{
    if (coordinator->state == KWI_COORDINATOR_KNOWN)
        coordinator->attempts = 0;
}

bool kwi_coordinator_is_lost(int16_t kafka_code)
{
    return kafka_code == KW_E_NOT_COORDINATOR || kafka_code == KW_E_COORDINATOR_NOT_AVAILABLE;
}

void kwi_coordinators_deinit(struct kw_core *core)
{
    while (!kwi_list_empty(&core->coordinators))
        coordinator_free(coordinator_of(core->coordinators.first));
}
