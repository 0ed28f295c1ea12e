/* client/committed.c -- kw_committed: what a group has committed, for the application.
 * Where partitions begin is in offset_fetch.c. */
#include <string.h>

#include "client/consumer.h"
#include "client/error_text.h"
#include "client/offset_list.h"
#include "client/op.h"
#include "proto/error.h"
#include <kwire/kwire.h>

/* ---- kw_committed ----------------------------------------------------------------------- */

struct committed_op {
    struct kw_op op;
    struct kw_node node; /* in keeper.lookups */
    struct kw_consumer *consumer;
    struct kw_request *req; /* under way, or NULL */
    struct kw_timer retry;
    uint32_t attempts;
    struct kw_offsets **result;
    struct kw_error last;
    uint32_t n; /* UINT32_MAX: all that there is */
    struct {
        struct kw_offset_fetch_request_topic topic;
        int32_t partition;
    } asked[]; /* one topic entry for each; names lie behind */
};

static void committed_ask(struct committed_op *get);

static int committed_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct committed_op *get = req->owner;
    struct kw_arr topics = {.n = -1};
    struct kw_offset_fetch_request_topic *list = NULL;
    int rc;

    if (!get)
        return KW_ERR_CANCELED;
    if (get->n != UINT32_MAX) {
        list = kwi_alloc(&req->core->control, (get->n + 1) * sizeof(*list));
        if (!list)
            return KW_ERR_NOMEM;
        for (uint32_t i = 0; i < get->n; i++)
            list[i] = get->asked[i].topic;
        topics = KWI_ARR(list, get->n);
    }
    rc = kwi_offsets_encode(get->consumer, topics, req->version, wr);
    kwi_free(&req->core->control, list, (get->n + 1) * sizeof(*list));
    return rc;
}

static void committed_let_go(struct committed_op *get)
{
    kwi_core_disarm(get->op.core, &get->retry);
    if (get->req)
        get->req->owner = NULL;
    get->req = NULL;
    if (get->consumer)
        kwi_list_remove(&get->consumer->keeper.lookups, &get->node);
}

static void committed_end(struct committed_op *get, int code, const struct kw_error *err)
{
    committed_let_go(get);
    kwi_op_end(&get->op, code, err);
}

static void committed_abandon(struct kw_op *op, int code)
{
    struct committed_op *get = KWI_OF(op, struct committed_op, op);

    committed_let_go(get);
    if (code == KW_ERR_TIMEOUT && get->last.code) {
        get->last.code = KW_ERR_TIMEOUT;
        kwi_op_end(op, KW_ERR_TIMEOUT, &get->last);
    }
}

static void committed_due(struct kw_timer *timer)
{
    committed_ask(KWI_OF(timer, struct committed_op, retry));
}

static void committed_later(struct committed_op *get)
{
    kwi_core_arm(get->op.core, &get->retry, kwi_offsets_pause(get->consumer, &get->attempts));
}

struct committed_size {
    size_t n, bytes;
    int16_t unstable; /* an error that heals */
};

static struct committed_size committed_measure(const struct kw_arr *topics)
{
    struct committed_size size = {0, 0, 0};
    struct kw_offset_fetch_response_topic topic;
    struct kw_offset_fetch_response_partition item;
    struct kw_iter it, items;

    for (kwi_iter_init(&it, topics); kwi_iter_next(&it, &topic);) {
        size.bytes += (topic.name.len > 0 ? (size_t)topic.name.len : 0) + 1;
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item); size.n++) {
            size.bytes += item.metadata.len > 0 ? (size_t)item.metadata.len : 0;
            if (item.error_code && kwi_error_info(item.error_code)->flags & KW_E_RETRIABLE &&
                item.error_code != KW_E_UNKNOWN_TOPIC_OR_PARTITION)
                size.unstable = item.error_code;
        }
    }
    return size;
}

static char *committed_copy(char *blob, struct kw_str text)
{
    if (text.len > 0)
        memcpy(blob, text.ptr, (size_t)text.len);
    return blob + (text.len > 0 ? text.len : 0);
}

static void committed_fill(struct kw_offset_list *out, const struct kw_arr *topics, char *blob)
{
    struct kw_offset_fetch_response_topic topic;
    struct kw_offset_fetch_response_partition item;
    struct kw_iter it, items;
    size_t n = 0;

    for (kwi_iter_init(&it, topics); kwi_iter_next(&it, &topic);) {
        const char *name = blob;
        blob = committed_copy(blob, topic.name);
        *blob++ = '\0';
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);) {
            struct kw_offset *to = &out->list[n++];
            *to = (struct kw_offset){.topic = name,
                                     .partition = item.partition_index,
                                     .leader_epoch = item.committed_leader_epoch,
                                     .offset = item.error_code ? -1 : item.committed_offset,
                                     .kafka_code = item.error_code,
                                     .timestamp_ms = -1};
            to->metadata.ptr = item.metadata.len >= 0 ? blob : NULL;
            to->metadata.len = item.metadata.len > 0 ? (size_t)item.metadata.len : 0;
            blob = committed_copy(blob, item.metadata);
        }
    }
}

/* Makes the result in memory of its own, which outlives the client. */
static int committed_take(struct committed_op *get, const struct kw_arr *topics,
                          const struct committed_size *need)
{
    struct kw_offset_list *out = kwi_offset_list_create(get->op.core, need->n, need->bytes);

    if (!out)
        return KW_ERR_NOMEM;
    committed_fill(out, topics, (char *)(out->list + need->n));
    *get->result = &out->offsets;
    return 0;
}

static void committed_answered(struct committed_op *get, const struct kw_arr *topics)
{
    struct committed_size need = committed_measure(topics);
    struct kw_error err;
    int rc;

    kwi_coordinator_proved(get->consumer->keeper.coordinator);
    if (need.unstable) {
        kwi_error_kafka(&get->last, need.unstable, "reading committed offsets", NULL, 0);
        committed_later(get);
        return;
    }
    rc = committed_take(get, topics, &need);
    kwi_error_set(&err, rc, KW_PHASE_REQUEST, "no memory for the answer", "");
    committed_end(get, rc, rc ? &err : NULL);
}

static void committed_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct committed_op *get = req->owner;
    struct kw_offset_fetch_response msg;
    struct kw_arr topics;
    int16_t error = 0;
    int rc = answer->err;

    if (!get)
        return;
    get->req = NULL;
    if (!rc)
        rc = kwi_offsets_read(req, answer, &msg, &topics, &error);
    if (!rc && !error) {
        committed_answered(get, &topics);
        return;
    }
    if (error)
        kwi_error_kafka(&get->last, error, "reading committed offsets", NULL, 0);
    else if (answer->cause)
        get->last = *answer->cause;
    else
        kwi_error_set(&get->last, rc, KW_PHASE_REQUEST, kw_err_name(rc), "");
    if (rc && !kwi_keeper_is_final(rc)) {
        kwi_keeper_lost(get->consumer, req, rc);
        committed_later(get);
    } else if (error && kwi_offsets_may_heal(get->consumer, req, error)) {
        committed_later(get);
    } else {
        committed_end(get, get->last.code, &get->last);
    }
}

static const struct kw_request_type committed_type = {
    .api_key = KW_API_OFFSET_FETCH,
    .encode = committed_encode,
    .done = committed_done,
};

static void committed_ask(struct committed_op *get)
{
    if (get->req || get->retry.armed)
        return;
    get->req = kwi_offsets_request(get->consumer, &committed_type, get);
    if (get->req)
        kwi_request_submit(get->req);
    else if (get->consumer->keeper.coordinator->state == KWI_COORDINATOR_KNOWN)
        committed_later(get); /* no memory */
    else
        get->last = get->consumer->keeper.coordinator->error;
}

/* NULL, or what is wrong. */
static const char *committed_check(const struct kw_consumer *consumer,
                                   const struct kw_offsets *which, struct kw_offsets *const *result)
{
    if (!result)
        return "no place for the result";
    if (!consumer->keeper.group_id)
        return "group.id is not set";
    for (size_t i = 0; which && i < which->n; i++) {
        if (!which->list[i].topic || strlen(which->list[i].topic) > KWI_STRING_MAX ||
            which->list[i].partition < 0)
            return "a topic's name is missing or too long, or a partition is negative";
    }
    return which && which->n >= INT32_MAX ? "so many partitions do not fit a request" : NULL;
}

static void committed_fill_asked(struct committed_op *get, const struct kw_offsets *which)
{
    char *blob = (char *)(get->asked + get->n);

    for (uint32_t i = 0; i < get->n; i++) {
        size_t len = strlen(which->list[i].topic);
        memcpy(blob, which->list[i].topic, len);
        get->asked[i].partition = which->list[i].partition;
        kwi_offset_fetch_request_topic_init(&get->asked[i].topic);
        get->asked[i].topic.name = (struct kw_str){blob, (int32_t)len};
        get->asked[i].topic.partition_indexes = KWI_ARR(&get->asked[i].partition, 1);
        blob += len;
    }
}

struct kw_op *kw_core_committed(struct kw_consumer *consumer, const struct kw_offsets *which,
                                struct kw_offsets **result, int32_t timeout_ms, void *tag)
{
    const char *why = committed_check(consumer, which, result);
    size_t size = sizeof(struct committed_op);
    struct committed_op *get;
    struct kw_error err;
    struct kw_op *op;

    if (result)
        *result = NULL;
    for (size_t i = 0; !why && which && i < which->n; i++)
        size += sizeof(get->asked[0]) + strlen(which->list[i].topic);
    op = kwi_op_create(consumer->core, size, timeout_ms, tag, committed_abandon);
    if (!op)
        return NULL;
    get = KWI_OF(op, struct committed_op, op);
    if (why || consumer->closed) {
        int code = why ? KW_ERR_USE : KW_ERR_CLOSED;
        kwi_error_set(&err, code, KW_PHASE_NONE, why ? why : "the consumer is closed", "");
        kwi_op_end(op, code, &err);
        return op;
    }
    get->retry.fire = committed_due;
    get->consumer = consumer;
    get->result = result;
    get->n = which ? (uint32_t)which->n : UINT32_MAX;
    if (which)
        committed_fill_asked(get, which);
    kwi_list_push(&consumer->keeper.lookups, &get->node);
    committed_ask(get);
    return op;
}

void kwi_committed_end_all(struct kw_consumer *consumer, int code, const struct kw_error *err)
{
    struct kw_keeper *keeper = &consumer->keeper;

    while (!kwi_list_empty(&keeper->lookups)) {
        struct committed_op *get = KWI_OF(keeper->lookups.first, struct committed_op, node);
        committed_end(get, code, err);
    }
}

void kwi_committed_kick(struct kw_consumer *consumer)
{
    struct kw_node *next;

    for (struct kw_node *n = consumer->keeper.lookups.first; n; n = next) {
        next = n->next;
        committed_ask(KWI_OF(n, struct committed_op, node));
    }
}
