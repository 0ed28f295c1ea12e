/* client/offset_fetch.c -- what a group has committed: OffsetFetch, for partitions
 * that begin there, and for the application (kw_committed).
 *
 * A partition that the answer leaves out, or whose offset an open transaction may
 * still change, is asked for again: "nothing committed" is only what a broker says
 * of it by name. Committing is in commit.c. */
#include <string.h>

#include "client/config.h"
#include "client/consumer.h"
#include "client/error_text.h"
#include "client/throttle.h"
#include "proto/error.h"

enum { OFFSETS_PARTS = 512 }; /* in one request */

/* ---- the exchange, whoever asks --------------------------------------------------------- */

/* topics with n -1: all that the group has. */
int kwi_offsets_encode(struct kw_consumer *consumer, struct kw_arr topics, int16_t version,
                       struct kw_wr *wr)
{
    struct kw_offset_fetch_request msg;
    struct kw_offset_fetch_request_group group;

    if (topics.n < 0 && version < 2)
        return KW_ERR_UNSUPPORTED;
    consumer->keeper.fetch_epoch = consumer->keeper.member.epoch;
    kwi_offset_fetch_request_init(&msg);
    if (version >= 7)
        msg.require_stable = true;
    if (version < 8) {
        msg.group_id = kwi_str(consumer->keeper.group_id);
        msg.topics = topics;
    } else {
        kwi_offset_fetch_request_group_init(&group);
        if (version >= 9 && consumer->keeper.member.by_epoch && consumer->keeper.member.epoch > 0) {
            group.member_id = consumer->keeper.member.id;
            group.member_epoch = consumer->keeper.member.epoch;
        }
        group.group_id = kwi_str(consumer->keeper.group_id);
        group.topics = topics;
        msg.groups = KWI_ARR(&group, 1);
    }
    return kwi_offset_fetch_request_encode(&msg, version, wr);
}

/* The topics of the answer, and the error of the whole group. */
int kwi_offsets_read(struct kw_request *req, const struct kw_answer *answer,
                     struct kw_offset_fetch_response *msg, struct kw_arr *topics, int16_t *error)
{
    struct kw_offset_fetch_response_group group;
    struct kw_fault fault;
    struct kw_iter it;

    if (kwi_offset_fetch_response_decode(msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg->throttle_time_ms);
    *topics = msg->topics;
    *error = msg->error_code;
    if (req->version < 8)
        return 0;
    kwi_iter_init(&it, &msg->groups);
    if (!kwi_iter_next(&it, &group))
        return kwi_request_malformed(req, NULL, "offset_fetch_response names no group");
    *topics = group.topics;
    *error = group.error_code;
    return 0;
}

/* The group's error: true if asking again may help. */
bool kwi_offsets_may_heal(struct kw_consumer *consumer, const struct kw_request *req, int16_t error)
{
    struct kw_keeper *keeper = &consumer->keeper;

    if (kwi_coordinator_is_lost(error))
        kwi_coordinator_lost(keeper->coordinator, (int32_t)req->arg);
    /* It is asked for again by whoever is a member then. */
    if (keeper->member.by_epoch &&
        (error == KW_E_STALE_MEMBER_EPOCH || error == KW_E_UNKNOWN_MEMBER_ID)) {
        if (keeper->refused)
            keeper->refused(consumer, error, keeper->fetch_epoch);
        return true;
    }
    return error == KW_E_UNKNOWN_SERVER_ERROR ||
           (kwi_error_info(error)->flags & KW_E_RETRIABLE) != 0;
}

struct kw_request *kwi_offsets_request(struct kw_consumer *consumer,
                                       const struct kw_request_type *type, void *owner)
{
    struct kw_link *link = kwi_keeper_link(consumer);
    struct kw_request *req = link ? kwi_consumer_request(consumer, link, type, owner) : NULL;

    if (req)
        req->arg = (uint64_t)link->broker->node_id;
    return req;
}

uint64_t kwi_offsets_pause(struct kw_consumer *consumer, uint32_t *attempts)
{
    struct kw_core *core = consumer->core;
    uint64_t us = kwi_core_backoff_us(core, kwi_consumer_setting(consumer, KW_KEY_RETRY_BACKOFF_MS),
                                      kwi_consumer_setting(consumer, KW_KEY_RETRY_BACKOFF_MAX_MS),
                                      *attempts);

    if (*attempts < 32)
        ++*attempts;
    return core->now.mono_us + us;
}

/* ---- where partitions begin ------------------------------------------------------------- */

static struct kw_consumer_part *offsets_part(struct kw_node *node)
{
    return KWI_OF(node, struct kw_consumer_part, node);
}

static int offsets_encode_parts(struct kw_consumer *consumer, int16_t version, struct kw_wr *wr,
                                int32_t *indexes, struct kw_offset_fetch_request_topic *topics)
{
    const struct kw_consumer_topic *topic = NULL;
    uint32_t n = 0, n_topics = 0;

    for (struct kw_node *node = consumer->keeper.asked.first; node; node = node->next, n++) {
        const struct kw_consumer_part *part = offsets_part(node);
        indexes[n] = part->partition;
        if (part->topic != topic) {
            struct kw_offset_fetch_request_topic *entry = &topics[n_topics++];
            topic = part->topic;
            kwi_offset_fetch_request_topic_init(entry);
            entry->name = (struct kw_str){topic->meta->name, (int32_t)topic->meta->name_len};
            entry->partition_indexes = KWI_ARR(&indexes[n], 0);
        }
        topics[n_topics - 1].partition_indexes.n++;
    }
    return kwi_offsets_encode(consumer, KWI_ARR(topics, n_topics), version, wr);
}

static int offsets_parts_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_consumer *consumer = req->owner;
    struct kw_heap *heap = &req->core->control;
    struct kw_offset_fetch_request_topic *topics;
    int rc = KW_ERR_NOMEM;
    int32_t *indexes;
    size_t n = 0;

    if (!consumer)
        return KW_ERR_CANCELED;
    for (struct kw_node *node = consumer->keeper.asked.first; node; node = node->next)
        n++;
    if (n == 0)
        return KW_ERR_CANCELED; /* all of them went elsewhere while it was queued */
    topics = kwi_alloc(heap, n * sizeof(*topics));
    indexes = kwi_alloc(heap, n * sizeof(*indexes));
    if (topics && indexes)
        rc = offsets_encode_parts(consumer, req->version, wr, indexes, topics);
    kwi_free(heap, topics, n * sizeof(*topics));
    kwi_free(heap, indexes, n * sizeof(*indexes));
    return rc;
}

static void offsets_parts_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type offsets_parts_type = {
    .api_key = KW_API_OFFSET_FETCH,
    .encode = offsets_parts_encode,
    .done = offsets_parts_done,
};

void kwi_offset_fetch(struct kw_consumer_part *part)
{
    struct kw_consumer *consumer = part->topic->consumer;

    kwi_part_move(part, &consumer->keeper.unplaced);
    kwi_offset_fetch_kick(consumer);
}

static void offsets_later(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;

    kwi_core_arm(consumer->core, &keeper->fetch_retry,
                 kwi_offsets_pause(consumer, &keeper->fetch_attempts));
}

static void offsets_ask(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;

    if (keeper->fetching || keeper->fetch_retry.armed || kwi_list_empty(&keeper->unplaced) ||
        consumer->closed)
        return;
    keeper->fetching = kwi_offsets_request(consumer, &offsets_parts_type, consumer);
    if (!keeper->fetching) {
        if (keeper->coordinator->state == KWI_COORDINATOR_KNOWN)
            offsets_later(consumer); /* no memory */
        return;
    }
    for (uint32_t n = 0; n < OFFSETS_PARTS && !kwi_list_empty(&keeper->unplaced); n++)
        kwi_part_move(offsets_part(keeper->unplaced.first), &keeper->asked);
    kwi_request_submit(keeper->fetching);
}

/* What was asked for and not answered goes back into the line. */
static void offsets_put_back(struct kw_keeper *keeper)
{
    while (!kwi_list_empty(&keeper->asked))
        kwi_part_move(offsets_part(keeper->asked.first), &keeper->unplaced);
}

static void offsets_stop_asked(struct kw_keeper *keeper, int code, int16_t kafka_code)
{
    while (!kwi_list_empty(&keeper->asked))
        kwi_part_stop(offsets_part(keeper->asked.first), code, kafka_code, 0);
}

static void offsets_take_part(struct kw_consumer *consumer, struct kw_str topic,
                              const struct kw_offset_fetch_response_partition *item)
{
    struct kw_consumer_part *part = kwi_consumer_find(
        consumer, topic.ptr, topic.len > 0 ? (size_t)topic.len : 0, item->partition_index);
    uint8_t flags = kwi_error_info(item->error_code)->flags;

    if (!part || part->list != &consumer->keeper.asked)
        return;
    if (!item->error_code)
        kwi_part_begin_at(part, item->committed_offset, item->committed_leader_epoch);
    else if (!(flags & (KW_E_RETRIABLE | KW_E_METADATA)) &&
             item->error_code != KW_E_UNKNOWN_SERVER_ERROR)
        kwi_part_stop(part, KW_ERR_BROKER, item->error_code, KW_API_OFFSET_FETCH);
}

static void offsets_take_parts(struct kw_consumer *consumer, const struct kw_arr *topics)
{
    struct kw_offset_fetch_response_topic topic;
    struct kw_offset_fetch_response_partition item;
    struct kw_iter it, items;

    for (kwi_iter_init(&it, topics); kwi_iter_next(&it, &topic);) {
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);)
            offsets_take_part(consumer, topic.name, &item);
    }
}

static void offsets_parts_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_consumer *consumer = req->owner;
    struct kw_offset_fetch_response msg;
    struct kw_keeper *keeper;
    struct kw_arr topics;
    int16_t error = 0;
    int rc = answer->err;

    if (!consumer)
        return;
    keeper = &consumer->keeper;
    keeper->fetching = NULL;
    if (!rc)
        rc = kwi_offsets_read(req, answer, &msg, &topics, &error);
    if (rc && kwi_keeper_is_final(rc)) {
        offsets_stop_asked(keeper, rc, 0);
    } else if (rc) {
        kwi_keeper_lost(consumer, req, rc);
    } else if (error && !kwi_offsets_may_heal(consumer, req, error)) {
        offsets_stop_asked(keeper, KW_ERR_BROKER, error);
    } else if (!error) {
        kwi_coordinator_proved(keeper->coordinator);
        offsets_take_parts(consumer, &topics);
    }
    if (kwi_list_empty(&keeper->asked)) {
        keeper->fetch_attempts = 0;
    } else {
        offsets_put_back(keeper);
        offsets_later(consumer);
    }
    offsets_ask(consumer);
}

/* ---- for commit.c ----------------------------------------------------------------------- */

void kwi_offset_fetch_due(struct kw_timer *timer)
{
    struct kw_keeper *keeper = KWI_OF(timer, struct kw_keeper, fetch_retry);

    offsets_ask(KWI_OF(keeper, struct kw_consumer, keeper));
}

void kwi_offset_fetch_kick(struct kw_consumer *consumer)
{
    offsets_ask(consumer);
    kwi_committed_kick(consumer);
}

void kwi_offset_fetch_refused(struct kw_consumer *consumer, const struct kw_error *why)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_error copy = *why;

    while (!kwi_list_empty(&keeper->unplaced))
        kwi_part_stop(offsets_part(keeper->unplaced.first), copy.code, copy.kafka_code, 0);
    kwi_committed_end_all(consumer, copy.code, &copy);
}

void kwi_offset_fetch_cancel(struct kw_consumer *consumer, int err)
{
    struct kw_keeper *keeper = &consumer->keeper;

    if (keeper->fetching)
        keeper->fetching->owner = NULL;
    keeper->fetching = NULL;
    kwi_core_disarm(consumer->core, &keeper->fetch_retry);
    kwi_committed_end_all(consumer, err, NULL);
}
