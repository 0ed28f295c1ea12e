/* client/list_offsets.c -- where to begin: EARLIEST, LATEST, TIMESTAMP, TAIL.
 *
 * The leader is asked as fetch_ask.c says. Two questions follow each other for TIMESTAMP (no record
 * at or after it: the end) and TAIL (the end first, then the begin, so that the
 * answer is never below it). An answer without an offset is retried and never
 * taken for 0. */
#include "client/error_text.h"
#include "client/fetcher.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/list_offsets.h"

static int64_t lookup_question(const struct kw_consumer_part *part)
{
    switch ((enum kw_start_kind)part->start_kind) {
    case KW_START_EARLIEST: return KWI_OFFSET_EARLIEST;
    case KW_START_TIMESTAMP: return part->second_lookup ? KWI_OFFSET_LATEST : part->start_value;
    case KW_START_TAIL: return part->second_lookup ? KWI_OFFSET_EARLIEST : KWI_OFFSET_LATEST;
    case KW_START_OFFSET:
    case KW_START_LATEST:
    case KW_START_COMMITTED: break;
    }
    return KWI_OFFSET_LATEST;
}

/* ---- asking -------------------------------------------------------------------------- */

static int lookup_encode_parts(struct kw_fetcher *fetcher, int16_t version, struct kw_wr *wr,
                               void *partition_room, void *topic_room)
{
    struct kw_list_offsets_request_partition *partitions = partition_room;
    struct kw_list_offsets_request_topic *topics = topic_room;
    const struct kw_consumer_topic *topic = NULL;
    struct kw_list_offsets_request msg;
    uint32_t n = 0, n_topics = 0;

    for (struct kw_node *node = fetcher->lookup.asked.first; node; node = node->next, n++) {
        const struct kw_consumer_part *part = kwi_fetch_part(node);
        kwi_list_offsets_request_partition_init(&partitions[n]);
        partitions[n].partition_index = part->partition;
        partitions[n].current_leader_epoch = part->leader_epoch;
        partitions[n].timestamp = lookup_question(part);
        if (part->topic != topic) {
            struct kw_list_offsets_request_topic *entry = &topics[n_topics++];
            topic = part->topic;
            kwi_list_offsets_request_topic_init(entry);
            entry->name = (struct kw_str){topic->meta->name, (int32_t)topic->meta->name_len};
            entry->partitions = KWI_ARR(&partitions[n], 0);
        }
        topics[n_topics - 1].partitions.n++;
    }
    kwi_list_offsets_request_init(&msg);
    msg.replica_id = -1;
    if (version >= 2) /* the end is then the last stable offset */
        msg.isolation_level = fetcher->consumer->read_committed;
    msg.topics = KWI_ARR(topics, n_topics);
    if (version >= 10)
        msg.timeout_ms = (int32_t)kwi_consumer_setting(fetcher->consumer,
                                                       KW_KEY_REQUEST_TIMEOUT_MS);
    return kwi_list_offsets_request_encode(&msg, version, wr);
}

static int lookup_encode(struct kw_request *req, struct kw_wr *wr)
{
    const struct kw_fetcher *fetcher = req->owner;

    if (!fetcher)
        return KW_ERR_CANCELED;
    return kwi_ask_encode(req, wr, &fetcher->lookup.asked,
                          sizeof(struct kw_list_offsets_request_partition),
                          sizeof(struct kw_list_offsets_request_topic), lookup_encode_parts);
}

static void lookup_done(struct kw_request *req, const struct kw_answer *answer);

const struct kw_request_type kwi_lookup_type = {
    .api_key = KW_API_LIST_OFFSETS,
    .encode = lookup_encode,
    .done = lookup_done,
};

/* ---- the answer -------------------------------------------------------------------------- */

static void lookup_again(struct kw_consumer_part *part)
{
    part->second_lookup = true;
    kwi_part_move(part, &part->fetcher->lookup.waiting);
}

static void lookup_place(struct kw_consumer_part *part, int64_t offset)
{
    part->position = offset;
    kwi_part_step(part, KWI_PART_PLACED);
}

static void lookup_take_offset(struct kw_consumer_part *part, int64_t offset)
{
    bool first = !part->second_lookup;

    if (part->start_kind == KW_START_TIMESTAMP && first && offset < 0) {
        lookup_again(part);
    } else if (offset < 0) {
        kwi_part_step(part, KWI_PART_RETRY);
    } else if (part->start_kind == KW_START_TAIL && first) {
        part->tail_end = offset;
        lookup_again(part);
    } else if (part->start_kind == KW_START_TAIL) {
        int64_t begin = part->tail_end - part->start_value;
        lookup_place(part, begin > offset ? begin : offset);
    } else {
        lookup_place(part, offset);
    }
}

static void lookup_take_part(struct kw_fetcher *fetcher, struct kw_str topic,
                             const struct kw_list_offsets_response_partition *item)
{
    struct kw_consumer_part *part = kwi_consumer_find(
        fetcher->consumer, topic.ptr, topic.len > 0 ? (size_t)topic.len : 0, item->partition_index);

    if (!part || part->fetcher != fetcher || part->list != &fetcher->lookup.asked)
        return;
    if (item->error_code == KW_E_UNSUPPORTED_FOR_MESSAGE_FORMAT) /* old messages have no time */
        lookup_take_offset(part, -1);
    else if (item->error_code)
        kwi_part_refused(part, item->error_code);
    else
        lookup_take_offset(part, item->offset);
}

static void lookup_take(struct kw_fetcher *fetcher, const struct kw_list_offsets_response *msg)
{
    struct kw_list_offsets_response_topic topic;
    struct kw_list_offsets_response_partition item;
    struct kw_iter topics, items;

    for (kwi_iter_init(&topics, &msg->topics); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);)
            lookup_take_part(fetcher, topic.name, &item);
    }
}

static void lookup_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_fetcher *fetcher = req->owner;
    struct kw_list_offsets_response msg;
    struct kw_fault fault;
    int rc = answer->err;

    if (!fetcher)
        return;
    fetcher->lookup.req = NULL;
    if (!rc &&
        kwi_list_offsets_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (!rc) {
        kwi_throttle(req, msg.throttle_time_ms);
        lookup_take(fetcher, &msg);
    }
    kwi_ask_retry(&fetcher->lookup.asked);
    kwi_ask_kick(fetcher, &fetcher->lookup);
}
