/* client/epoch_check.c -- is a position in the log of the leader that there is now
 * (KIP-320)? After an unclean election a new leader may lack what was read, and have
 * other records at the same offsets.
 *
 * The leader is asked (fetch_ask.c) where the epoch ended of which the last record was. A
 * broker that cannot tell (older than version 3, which asks for the right over the
 * cluster, or without an epoch so old) leaves it at that: no loss is told that nobody
 * saw. Failures are tried again. */
#include "client/error_text.h"
#include "client/fetcher.h"
#include "client/throttle.h"
#include "proto/epochs.h"
#include "proto/error.h"

/* ---- asking -------------------------------------------------------------------------- */

static int check_encode_parts(struct kw_fetcher *fetcher, int16_t version, struct kw_wr *wr,
                              void *partition_room, void *topic_room)
{
    struct kw_offset_for_leader_epoch_request_partition *partitions = partition_room;
    struct kw_offset_for_leader_epoch_request_topic *topics = topic_room;
    const struct kw_consumer_topic *topic = NULL;
    struct kw_offset_for_leader_epoch_request msg;
    uint32_t n = 0, n_topics = 0;

    for (struct kw_node *node = fetcher->check.asked.first; node; node = node->next, n++) {
        struct kw_consumer_part *part = kwi_fetch_part(node);
        kwi_offset_for_leader_epoch_request_partition_init(&partitions[n]);
        partitions[n].partition = part->partition;
        partitions[n].current_leader_epoch = part->leader_epoch;
        partitions[n].leader_epoch = part->epoch;
        part->check_position = part->position;
        if (part->topic != topic) {
            struct kw_offset_for_leader_epoch_request_topic *entry = &topics[n_topics++];
            topic = part->topic;
            kwi_offset_for_leader_epoch_request_topic_init(entry);
            entry->topic = (struct kw_str){topic->meta->name, (int32_t)topic->meta->name_len};
            entry->partitions = KWI_ARR(&partitions[n], 0);
        }
        topics[n_topics - 1].partitions.n++;
    }
    kwi_offset_for_leader_epoch_request_init(&msg);
    msg.replica_id = -1;
    msg.topics = KWI_ARR(topics, n_topics);
    return kwi_offset_for_leader_epoch_request_encode(&msg, version, wr);
}

static int check_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_fetcher *fetcher = req->owner;

    if (!fetcher)
        return KW_ERR_CANCELED;
    return kwi_ask_encode(
        req, wr, &fetcher->check.asked, sizeof(struct kw_offset_for_leader_epoch_request_partition),
        sizeof(struct kw_offset_for_leader_epoch_request_topic), check_encode_parts);
}

static void check_done(struct kw_request *req, const struct kw_answer *answer);

const struct kw_request_type kwi_check_type = {
    .api_key = KW_API_OFFSET_FOR_LEADER_EPOCH,
    .encode = check_encode,
    .done = check_done,
};

/* ---- the answer -------------------------------------------------------------------------- */

static void check_take_part(struct kw_fetcher *fetcher, struct kw_str topic,
                            const struct kw_offset_for_leader_epoch_response_partition *item)
{
    struct kw_consumer_part *part = kwi_consumer_find(
        fetcher->consumer, topic.ptr, topic.len > 0 ? (size_t)topic.len : 0, item->partition);
    const struct kw_error_info *info = kwi_error_info(item->error_code);

    if (!part || part->fetcher != fetcher || part->list != &fetcher->check.asked)
        return;
    if (item->error_code && (info->flags & (KW_E_RETRIABLE | KW_E_METADATA) ||
                             item->error_code == KW_E_UNKNOWN_SERVER_ERROR)) {
        kwi_part_refused(part, item->error_code);
        return;
    }
    if (part->check_position != part->position) {
        kwi_part_step(part, KWI_PART_MOVED); /* records were taken meanwhile: asked again */
        return;
    }
    if (!item->error_code && item->leader_epoch >= 0 && item->end_offset >= 0 &&
        item->end_offset < part->position) {
        kwi_part_truncated(part, item->end_offset, item->leader_epoch);
        return;
    }
    part->sound_epoch = part->leader_epoch;
    kwi_part_step(part, KWI_PART_MOVED);
}

static void check_take(struct kw_fetcher *fetcher,
                       const struct kw_offset_for_leader_epoch_response *msg)
{
    struct kw_offset_for_leader_epoch_response_topic topic;
    struct kw_offset_for_leader_epoch_response_partition item;
    struct kw_iter topics, items;

    for (kwi_iter_init(&topics, &msg->topics); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);)
            check_take_part(fetcher, topic.topic, &item);
    }
}

/* The broker cannot be asked: what nobody can see is taken for sound. */
static void check_pass(struct kw_list *list)
{
    while (!kwi_list_empty(list)) {
        struct kw_consumer_part *part = kwi_fetch_part(list->first);
        part->sound_epoch = part->leader_epoch;
        kwi_part_step(part, KWI_PART_MOVED);
    }
}

static void check_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_fetcher *fetcher = req->owner;
    struct kw_offset_for_leader_epoch_response msg;
    struct kw_fault fault;
    int rc = answer->err;

    if (!fetcher)
        return;
    fetcher->check.req = NULL;
    if (!rc && kwi_offset_for_leader_epoch_response_decode(&msg, req->version, answer->body,
                                                           answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (!rc) {
        kwi_throttle(req, msg.throttle_time_ms);
        check_take(fetcher, &msg);
    }
    if (rc == KW_ERR_UNSUPPORTED)
        check_pass(&fetcher->check.asked);
    kwi_ask_retry(&fetcher->check.asked);
    kwi_ask_kick(fetcher, &fetcher->check);
}
