/* client/find_offsets.c -- kw_list_offsets: where logs begin and end, and offsets of
 * times, for partitions of any topics.
 *
 *   OPEN --its leader is asked--> ASKED --answered--> DONE
 *   ASKED --lost, or not the leader--> OPEN            OPEN --not there--> DONE
 *
 * Each leader is asked over its control connection, about all that is open there at
 * once; a partition that is asked two things is asked twice, because a broker takes it
 * once in a request. What is asked for is kept by find_start.c. Where an assigned
 * partition begins is in list_offsets.c. */
#include <string.h>

#include "client/config.h"
#include "client/error_text.h"
#include "client/find_offsets.h"
#include "client/offset_list.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/list_offsets.h"

/* A topic that metadata does not know may just have been created. */
enum { FIND_MISSING_US = 3000000, FIND_PARTS = 1000 /* in one request */ };

/* ---- ending ----------------------------------------------------------------------------- */

static void find_let_go(struct kw_find_op *find)
{
    struct kw_core *core = find->op.core;
    struct kw_find_topic *next;

    kwi_core_disarm(core, &find->retry);
    while (!kwi_list_empty(&find->calls)) {
        struct kw_find_call *call = KWI_OF(kwi_list_pop(&find->calls), struct kw_find_call, node);
        call->req->owner = NULL;
        kwi_free(&core->control, call, sizeof(*call));
    }
    for (struct kw_find_topic *topic = find->first_topic; topic; topic = next) {
        next = topic->next;
        kwi_list_remove(&topic->meta->watchers, &topic->watch.node);
        kwi_topic_meta_put(topic->meta);
        kwi_free(&core->control, topic, sizeof(*topic));
    }
    find->first_topic = NULL;
    kwi_map_deinit(&find->topics);
}

void kwi_find_abandon(struct kw_op *op, int code)
{
    struct kw_find_op *find = KWI_OF(op, struct kw_find_op, op);

    find_let_go(find);
    if (code == KW_ERR_TIMEOUT && find->last.code) {
        find->last.code = KW_ERR_TIMEOUT;
        kwi_op_end(op, KW_ERR_TIMEOUT, &find->last);
    }
}

static void find_fail(struct kw_find_op *find, int code, const struct kw_error *err)
{
    find_let_go(find);
    kwi_op_end(&find->op, code, err);
}

void kwi_find_no_memory(struct kw_find_op *find)
{
    struct kw_error err;

    kwi_error_set(&err, KW_ERR_NOMEM, KW_PHASE_REQUEST, "no memory for the answer",
                  "raise control.memory");
    find_fail(find, KW_ERR_NOMEM, &err);
}

/* All entries have their answer. */
static void find_finish(struct kw_find_op *find)
{
    struct kw_offset_list *out;
    size_t bytes = 0;
    char *blob;

    for (struct kw_find_topic *topic = find->first_topic; topic; topic = topic->next)
        bytes += topic->meta->name_len + 1;
    out = kwi_offset_list_create(find->op.core, find->n, bytes);
    if (!out) {
        kwi_find_no_memory(find);
        return;
    }
    blob = (char *)(out->list + find->n);
    for (struct kw_find_topic *topic = find->first_topic; topic; topic = topic->next) {
        memcpy(blob, topic->meta->name, topic->meta->name_len + 1);
        for (uint32_t i = topic->first; i < topic->first + topic->n; i++) {
            const struct kw_find_entry *entry = &find->entries[find->order[i]];
            out->list[find->order[i]] = (struct kw_offset){.topic = blob,
                                                           .partition = entry->partition,
                                                           .leader_epoch = entry->leader_epoch,
                                                           .offset = entry->offset,
                                                           .kafka_code = entry->kafka_code,
                                                           .timestamp_ms = entry->timestamp_ms};
        }
        blob += topic->meta->name_len + 1;
    }
    *find->result = &out->offsets;
    find_fail(find, 0, NULL);
}

static void find_close(struct kw_find_op *find, struct kw_find_entry *entry, int16_t kafka_code)
{
    entry->state = KWI_FIND_DONE;
    entry->kafka_code = kafka_code;
    if (kafka_code)
        entry->offset = entry->timestamp_ms = entry->leader_epoch = -1;
    find->n_open--;
}

/* ---- asking ----------------------------------------------------------------------------- */

static int find_encode_call(const struct kw_find_call *call, int16_t version, struct kw_wr *wr,
                            struct kw_list_offsets_request_partition *partitions,
                            struct kw_list_offsets_request_topic *topics)
{
    const struct kw_find_op *find = call->find;
    const struct kw_find_topic *topic = NULL;
    struct kw_list_offsets_request msg;
    uint32_t n = 0, n_topics = 0;

    for (uint32_t i = 0; i < find->n; i++) {
        const struct kw_find_entry *entry = &find->entries[find->order[i]];
        if (entry->state != KWI_FIND_ASKED || entry->call != call->number)
            continue;
        kwi_list_offsets_request_partition_init(&partitions[n]);
        partitions[n].partition_index = entry->partition;
        partitions[n].timestamp = entry->question;
        if (entry->topic != topic) {
            topic = entry->topic;
            kwi_list_offsets_request_topic_init(&topics[n_topics]);
            topics[n_topics].name = (struct kw_str){topic->meta->name,
                                                    (int32_t)topic->meta->name_len};
            topics[n_topics++].partitions = KWI_ARR(&partitions[n], 0);
        }
        topics[n_topics - 1].partitions.n++;
        n++;
    }
    kwi_list_offsets_request_init(&msg);
    msg.replica_id = -1;
    if (version < 2 && find->isolation != KW_READ_UNCOMMITTED)
        return KW_ERR_UNSUPPORTED;
    if (version >= 2)
        msg.isolation_level = (int8_t)find->isolation;
    msg.topics = KWI_ARR(topics, n_topics);
    if (version >= 10)
        msg.timeout_ms = (int32_t)kwi_config_i64(find->op.core->cfg, KW_KEY_REQUEST_TIMEOUT_MS);
    return kwi_list_offsets_request_encode(&msg, version, wr);
}

static int find_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_find_call *call = req->owner;
    struct kw_heap *heap = &req->core->control;
    struct kw_list_offsets_request_partition *partitions;
    struct kw_list_offsets_request_topic *topics;
    int rc = KW_ERR_NOMEM;

    if (!call)
        return KW_ERR_CANCELED; /* it ended while this was queued */
    partitions = kwi_alloc(heap, call->n * sizeof(*partitions));
    topics = kwi_alloc(heap, call->n_topics * sizeof(*topics));
    if (partitions && topics)
        rc = find_encode_call(call, req->version, wr, partitions, topics);
    kwi_free(heap, partitions, call->n * sizeof(*partitions));
    kwi_free(heap, topics, call->n_topics * sizeof(*topics));
    return rc;
}

static void find_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type find_type = {
    .api_key = KW_API_LIST_OFFSETS,
    .encode = find_encode,
    .done = find_done,
};

static void find_later(struct kw_find_op *find)
{
    struct kw_core *core = find->op.core;

    kwi_cluster_refresh(core);
    if (find->retry.armed)
        return;
    kwi_core_arm(core, &find->retry,
                 core->now.mono_us +
                     kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                                         kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                         find->attempts));
    if (find->attempts < 32)
        find->attempts++;
}

/* Marks what goes into the call: open entries whose leader it is, from `at` on. */
static void find_gather(struct kw_find_op *find, struct kw_find_call *call, uint32_t at,
                        const struct kw_broker *broker)
{
    const struct kw_find_entry *last = NULL;

    for (uint32_t i = at; i < find->n && call->n < FIND_PARTS; i++) {
        struct kw_find_entry *entry = &find->entries[find->order[i]];
        bool is_again = last && last->topic == entry->topic && last->partition == entry->partition;

        if (entry->state != KWI_FIND_OPEN || is_again ||
            kwi_topic_meta_leader(entry->topic->meta, entry->partition) != broker)
            continue;
        call->n++;
        call->n_topics += !last || last->topic != entry->topic;
        entry->state = KWI_FIND_ASKED;
        entry->call = call->number;
        last = entry;
    }
}

/* Asks the leader of the open entry at place `at`. False: no memory. */
static bool find_ask(struct kw_find_op *find, uint32_t at, struct kw_broker *broker)
{
    struct kw_core *core = find->op.core;
    struct kw_link *link = kwi_link_get(broker, KWI_LANE_CONTROL, NULL);
    struct kw_find_call *call = link ? kwi_alloc_zero(&core->control, sizeof(*call)) : NULL;

    if (!call)
        return false;
    call->req = kwi_request_create(core, link, &find_type, call);
    if (!call->req) {
        kwi_free(&core->control, call, sizeof(*call));
        return false;
    }
    call->find = find;
    call->number = ++find->next_call;
    find_gather(find, call, at, broker);
    kwi_list_push(&find->calls, &call->node);
    kwi_request_submit(call->req);
    return true;
}

/* Why the entry has nobody to ask, if waiting does not help; 0: it may. */
static int16_t find_verdict(const struct kw_find_op *find, const struct kw_find_entry *entry)
{
    const struct kw_topic_meta *meta = entry->topic->meta;
    bool is_late = find->began_us + FIND_MISSING_US <= find->op.core->now.mono_us;

    if (meta->error && !(kwi_error_info(meta->error)->flags & KW_E_RETRIABLE))
        return meta->error;
    if (!is_late)
        return 0;
    if (meta->error == KW_E_UNKNOWN_TOPIC_OR_PARTITION ||
        entry->failed == KW_E_UNKNOWN_TOPIC_OR_PARTITION ||
        (meta->n_named && entry->partition >= (int64_t)meta->n_named))
        return KW_E_UNKNOWN_TOPIC_OR_PARTITION;
    return 0;
}

/* The one that is open has no leader that is known. */
static void find_note(struct kw_find_op *find, const struct kw_find_entry *entry)
{
    const struct kw_topic_meta *meta = entry->topic->meta;

    if (meta->error || entry->failed) {
        kwi_error_kafka(&find->last, meta->error ? meta->error : entry->failed, meta->name, NULL,
                        0);
        return;
    }
    kwi_error_fmt(&find->last, KW_ERR_TIMEOUT, KW_PHASE_REQUEST, "is the cluster healthy?",
                  "the leader of %.*s partition %d is not known",
                  meta->name_len > 60 ? 60 : (int)meta->name_len, meta->name, entry->partition);
}

void kwi_find_go(struct kw_find_op *find)
{
    bool left = false, failed = false;

    find->waits = false;
    if (kwi_cluster_is_hopeless(find->op.core) && kwi_list_empty(&find->calls)) {
        if (!find->last.code)
            kwi_error_set(&find->last, KW_ERR_CONNECT, KW_PHASE_REQUEST,
                          "no broker can be talked to", "");
        find_fail(find, find->last.code, &find->last);
        return;
    }
    for (uint32_t i = 0; i < find->n; i++) {
        struct kw_find_entry *entry = &find->entries[find->order[i]];
        struct kw_broker *broker;
        int16_t verdict;

        if (entry->state != KWI_FIND_OPEN)
            continue;
        verdict = find_verdict(find, entry);
        broker = kwi_topic_meta_leader(entry->topic->meta, entry->partition);
        if (verdict) {
            find_close(find, entry, verdict);
        } else if (broker && !failed) {
            failed = !find_ask(find, i, broker);
            left |= entry->state == KWI_FIND_OPEN;
        } else {
            find_note(find, entry);
            left = true;
        }
    }
    if (find->n_open == 0) {
        find_finish(find);
        return;
    }
    find->waits = left && !failed && kwi_list_empty(&find->calls);
    if (left)
        find_later(find);
}

void kwi_find_due(struct kw_timer *timer)
{
    kwi_find_go(KWI_OF(timer, struct kw_find_op, retry));
}

void kwi_find_meta_changed(struct kw_topic_watch *watch, struct kw_topic_meta *meta)
{
    struct kw_find_topic *topic = KWI_OF(watch, struct kw_find_topic, watch);
    struct kw_find_op *find = topic->find;

    (void)meta;
    /* Not from here: the topic's watchers are being walked. */
    if (find->waits)
        kwi_core_arm(find->op.core, &find->retry, find->op.core->now.mono_us);
}

/* ---- the answer ------------------------------------------------------------------------- */

static void find_take_code(struct kw_find_op *find, struct kw_find_entry *entry, int16_t kafka_code)
{
    uint8_t flags = kwi_error_info(kafka_code)->flags;

    if (flags & KW_E_METADATA)
        kwi_topic_meta_doubt(entry->topic->meta, entry->partition);
    entry->failed = kafka_code;
    if (flags & (KW_E_RETRIABLE | KW_E_METADATA) || kafka_code == KW_E_UNKNOWN_SERVER_ERROR)
        return; /* it is put back */
    find_close(find, entry, kafka_code);
}

static void find_take_item(struct kw_find_op *find, const struct kw_find_topic *topic,
                           uint32_t number, const struct kw_list_offsets_response_partition *item)
{
    uint32_t low = topic->first, high = topic->first + topic->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (find->entries[find->order[middle]].partition < item->partition_index)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < topic->first + topic->n; low++) {
        struct kw_find_entry *entry = &find->entries[find->order[low]];
        if (entry->partition != item->partition_index)
            return;
        if (entry->state != KWI_FIND_ASKED || entry->call != number)
            continue;
        if (item->error_code) {
            find_take_code(find, entry, item->error_code);
            return;
        }
        /* Nothing below 0 is an offset; only a time may have none. */
        if (item->offset < 0 && entry->question < 0)
            return;
        entry->offset = item->offset < 0 ? -1 : item->offset;
        entry->timestamp_ms = item->offset < 0 ? -1 : item->timestamp;
        entry->leader_epoch = item->leader_epoch;
        find_close(find, entry, 0);
        return;
    }
}

static void find_take(struct kw_find_op *find, uint32_t number,
                      const struct kw_list_offsets_response *msg)
{
    struct kw_list_offsets_response_topic item;
    struct kw_list_offsets_response_partition part;
    struct kw_iter topics, parts;

    for (kwi_iter_init(&topics, &msg->topics); kwi_iter_next(&topics, &item);) {
        const struct kw_find_topic *topic =
            item.name.len > 0 ? kwi_map_get_str(&find->topics, item.name.ptr, (size_t)item.name.len)
                              : NULL;
        if (!topic)
            continue;
        for (kwi_iter_init(&parts, &item.partitions); kwi_iter_next(&parts, &part);)
            find_take_item(find, topic, number, &part);
    }
}

/* What the call asked for and did not get is open again. True: there was some. */
static bool find_put_back(struct kw_find_op *find, uint32_t number)
{
    bool some = false;

    for (uint32_t i = 0; i < find->n; i++) {
        if (find->entries[i].state != KWI_FIND_ASKED || find->entries[i].call != number)
            continue;
        find->entries[i].state = KWI_FIND_OPEN;
        some = true;
    }
    return some;
}

static void find_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_find_call *call = req->owner;
    struct kw_list_offsets_response msg;
    struct kw_find_op *find;
    struct kw_fault fault;
    uint32_t number;
    int rc = answer->err;

    if (!call)
        return;
    find = call->find;
    number = call->number;
    kwi_list_remove(&find->calls, &call->node);
    kwi_free(&req->core->control, call, sizeof(*call));
    if (rc && answer->cause)
        find->last = *answer->cause;
    else if (rc)
        kwi_error_set(&find->last, rc, KW_PHASE_REQUEST, kw_err_name(rc), "");
    if (!rc &&
        kwi_list_offsets_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (rc == KW_ERR_UNSUPPORTED || rc == KW_ERR_VERSION || rc == KW_ERR_LIMIT ||
        rc == KW_ERR_AUTH || rc == KW_ERR_CLOSED) {
        find_fail(find, rc, &find->last);
        return;
    }
    if (!rc) {
        kwi_throttle(req, msg.throttle_time_ms);
        find_take(find, number, &msg);
    }
    if (find_put_back(find, number))
        find_later(find);
    else if (find->n_open == 0)
        find_finish(find);
}
