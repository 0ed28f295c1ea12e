/* client/fetch_answer.c -- what the answer to a Fetch leads to: records, refusals,
 * leaders elsewhere, batches that are too large; and where the parts stand after it.
 *
 * Within a session an answer names only parts of which there is something new: the
 * others wait in `quiet` and cost nothing. */
#include <string.h>

#include "client/error_text.h"
#include "client/fetcher.h"
#include "client/throttle.h"
#include "proto/batch.h"
#include "proto/error.h"

/* Where the answer is kept. */
struct fetched_frame {
    const struct kw_answer *answer; /* as it is read */
    struct kw_block *block, *copy;  /* copy: of an answer that dies with its call, or NULL */
    uint8_t *kept;                  /* the answer within block */
    uint64_t size;                  /* bytes of records in it so far */
};

/* A small answer sits in the connection's stage: it is copied when the first records
 * of it are met. False: there is no memory for them. */
static bool fetched_keep(const struct kw_consumer *consumer, struct fetched_frame *frame)
{
    if (frame->kept)
        return true;
    if (!frame->block) {
        frame->copy = kwi_block_create(&consumer->core->fetch_pool, frame->answer->len, 0);
        if (!frame->copy)
            return false;
        kwi_block_charge(frame->copy, consumer->tally);
        memcpy(kwi_block_data(frame->copy), frame->answer->body, frame->answer->len);
        frame->block = frame->copy;
        frame->kept = kwi_block_data(frame->copy);
    } else {
        frame->kept = kwi_block_data(frame->block);
        frame->kept += frame->answer->body - frame->kept;
    }
    return true;
}

/* Where a byte of the answer is kept. */
static uint8_t *fetched_place(const struct fetched_frame *frame, const uint8_t *p)
{
    return frame->kept + (p - frame->answer->body);
}

/* ---- one part ----------------------------------------------------------------------- */

/* Data without one whole batch: the batch is larger than what was asked for, or
 * than what the parts before it left over. It is asked for by its size, and alone.
 * A broker that cuts the first batch of all again cannot be helped (KIP-74). */
static void fetched_too_small(struct kw_fetcher *fetcher, struct kw_consumer_part *part,
                              const uint8_t *ptr, size_t len)
{
    struct kw_core *core = part->topic->consumer->core;
    int64_t need = 1; /* not even its size is there */

    if (len >= KWI_BATCH_LENGTH + 4)
        need = (int64_t)kwi_get_u32(ptr + KWI_BATCH_LENGTH) + KWI_BATCH_LOG_OVERHEAD;
    if (need > INT32_MAX / 2 || (fetcher->is_solo && part->want_bytes >= need)) {
        kwi_part_stop(part, KW_ERR_CORRUPT, 0, 0);
    } else if (kwi_pool_cost((size_t)need + KWI_FETCH_ENVELOPE + kwi_fetch_envelope(part)) >
               core->fetch.limit) {
        kwi_part_stop(part, KW_ERR_LIMIT, 0, need);
    } else if (fetcher->is_solo && part->want_bytes) {
        part->want_bytes = (int32_t)need; /* it grew meanwhile, which batches do not */
        kwi_part_step(part, KWI_PART_RETRY);
    } else {
        part->want_bytes = (int32_t)need;
        kwi_part_settle(part);
    }
}

static void fetched_take_data(struct kw_fetcher *fetcher, struct kw_consumer_part *part,
                              const struct fetched_frame *frame,
                              const struct kw_fetch_response_partition *item)
{
    const uint8_t *ptr = fetched_place(frame, item->records.ptr);
    size_t len = (size_t)item->records.len;
    struct kw_batch_header header;

    kwi_session_leave(part);
    if (kwi_batch_header_get(ptr, len, &header) == KW_ERR_SHORT) {
        fetched_too_small(fetcher, part, ptr, len);
        return;
    }
    fetcher->consumer->core->stats.bytes_fetched += len;
    part->want_bytes = 0;
    part->eager = true;
    part->data.block = frame->block;
    part->data.ptr = ptr;
    part->data.end = ptr + len;
    part->data.began = part->position;
    if (fetcher->consumer->read_committed && item->aborted_transactions.n > 0)
        kwi_aborted_take(&part->data.aborted, fetched_place(frame, item->aborted_transactions.wire),
                         &item->aborted_transactions);
    kwi_block_hold(frame->block);
    kwi_part_settle(part);
}

static void fetched_take_error(struct kw_consumer_part *part,
                               const struct kw_fetch_response_partition *item)
{
    const struct kw_leader_id_and_epoch *leader = &item->current_leader;
    struct kw_core *core = part->topic->consumer->core;

    if (leader->leader_id >= 0 && kwi_topic_meta_hint(part->topic->meta, part->partition,
                                                      leader->leader_id, leader->leader_epoch)) {
        part->replica = -1;
        kwi_cluster_refresh(core);
        kwi_part_hurry(part, KWI_PART_MOVED); /* the broker told where to go */
        return;
    }
    kwi_part_refused(part, item->error_code);
}

/* The log has no such epoch in front of the position. Where the part of it that is
 * common ends behind the position nothing is lost that could be told: an application may
 * have committed the offset with another epoch. */
static void fetched_take_divergence(struct kw_consumer_part *part,
                                    const struct kw_fetch_epoch_end_offset *common)
{
    if (part->from != part->leader) { /* what a follower says is no last word */
        kwi_part_leave_replica(part);
        kwi_part_hurry(part, KWI_PART_MOVED);
        return;
    }
    if (common->end_offset < part->position) {
        kwi_part_truncated(part, common->end_offset, common->epoch);
        return;
    }
    part->epoch = common->epoch;
    kwi_part_hurry(part, KWI_PART_MOVED);
}

/* There is nothing at its position: the session goes on asking, or the next request. */
static void fetched_wait(struct kw_fetcher *fetcher, struct kw_consumer_part *part)
{
    part->eager = false;
    if (part->member_of == fetcher && part->session_list == &fetcher->session.members &&
        !part->paused)
        kwi_part_move(part, &fetcher->quiet);
    else
        kwi_part_settle(part);
}

static struct kw_consumer_part *fetched_find(struct kw_fetcher *fetcher,
                                             const struct kw_fetch_response_topic *topic,
                                             int32_t partition)
{
    struct kw_str name = topic->topic;

    if (fetcher->fetching->version >= KWI_FETCH_BY_ID)
        return kwi_consumer_find_id(fetcher->consumer, &topic->topic_id, partition);
    return kwi_consumer_find(fetcher->consumer, name.ptr, name.len > 0 ? (size_t)name.len : 0,
                             partition);
}

/* One part of the answer, which was asked for. */
static void fetched_take_part(struct kw_fetcher *fetcher, struct kw_consumer_part *part,
                              const struct fetched_frame *frame,
                              const struct kw_fetch_response_partition *item)
{
    kwi_part_move(part, NULL);
    if (item->error_code) {
        fetched_take_error(part, item);
        return;
    }
    if (item->diverging_epoch.epoch >= 0 && item->diverging_epoch.end_offset >= 0) {
        fetched_take_divergence(part, &item->diverging_epoch);
        return;
    }
    if (item->preferred_read_replica >= 0 && item->records.len <= 0) {
        kwi_part_prefer(part, item->preferred_read_replica);
        return;
    }
    part->attempts = 0;
    part->high_watermark = item->high_watermark;
    part->last_stable = item->last_stable_offset;
    part->log_start = item->log_start_offset;
    part->sound_epoch = part->leader_epoch;
    if (item->records.len > 0) {
        fetched_take_data(fetcher, part, frame, item);
        return;
    }
    fetched_wait(fetcher, part);
    kwi_part_check_eof(part);
}

/* ---- the answer ------------------------------------------------------------------------- */

/* False: there is no memory for its records. */
static bool fetched_take_item(struct kw_fetcher *fetcher, struct fetched_frame *frame,
                              const struct kw_fetch_response_topic *topic,
                              const struct kw_fetch_response_partition *item)
{
    struct kw_consumer_part *part = fetched_find(fetcher, topic, item->partition_index);

    if (item->records.len > 0) {
        frame->size += (uint64_t)item->records.len;
        if (!fetched_keep(fetcher->consumer, frame))
            return false;
    }
    if (part && part->fetcher == fetcher && kwi_fetcher_asks(fetcher, part))
        fetched_take_part(fetcher, part, frame, item);
    return true;
}

/* False: there was no memory for it, and what was not reached counts as not given. */
static bool fetched_take(struct kw_fetcher *fetcher, const struct kw_fetch_response *msg,
                         const struct kw_answer *answer)
{
    struct fetched_frame frame = {.answer = answer, .block = answer->block};
    struct kw_fetch_response_topic topic;
    struct kw_fetch_response_partition item;
    struct kw_iter topics, items;
    bool taken = true;

    kwi_cluster_take_endpoints(fetcher->consumer->core, &msg->node_endpoints);
    for (kwi_iter_init(&topics, &msg->responses); taken && kwi_iter_next(&topics, &topic);) {
        kwi_iter_init(&items, &topic.partitions);
        while (taken && kwi_iter_next(&items, &item))
            taken = fetched_take_item(fetcher, &frame, &topic, &item);
    }
    kwi_block_release(frame.copy);
    fetcher->at_end = frame.size == 0;
    /* A broker sends whole batches: one of half of it may be what did not fit. */
    fetcher->was_full = frame.size >= fetcher->fetching->arg / 2;
    return taken;
}

/* The connection gave up an answer that can never fit. Which part it was shows
 * when each is asked for alone. */
static void fetched_oversize(struct kw_fetcher *fetcher, size_t size)
{
    if (!fetcher->is_solo) {
        fetcher->solo = fetcher->n_parts;
    } else if (!kwi_list_empty(&fetcher->named)) {
        struct kw_consumer_part *part = kwi_fetch_part(fetcher->named.first);
        kwi_part_stop(part, KW_ERR_LIMIT, 0, (int64_t)size);
    }
}

/* ---- where the parts stand afterwards --------------------------------------------------- */

/* Parts that the answer did not mention. Of those of a session there is nothing new,
 * not even a high watermark; the others were left out, and go back to the head of the
 * line. */
static void fetched_put_back(struct kw_fetcher *fetcher, bool throttled)
{
    while (!kwi_list_empty(&fetcher->named)) {
        struct kw_consumer_part *part = kwi_fetch_part(fetcher->named.last);
        kwi_part_move(part, NULL);
        if (part->member_of == fetcher) {
            fetched_wait(fetcher, part);
            if (!throttled)
                kwi_part_check_eof(part);
            continue;
        }
        kwi_list_push_front(&fetcher->idle, &part->node);
        part->list = &fetcher->idle;
    }
    while (!kwi_list_empty(&fetcher->parting)) {
        struct kw_consumer_part *part = kwi_fetch_part(fetcher->parting.first);
        kwi_session_leave(part);
        kwi_part_move(part, NULL);
        kwi_part_settle(part);
    }
}

/* The whole answer is an error, or there is none. True: asked again at once. */
static bool fetched_failed(struct kw_fetcher *fetcher, const struct kw_request *req, int rc,
                           int16_t kafka_code)
{
    bool at_once = kwi_session_failed(fetcher, kafka_code);

    if (kafka_code)
        kwi_log(req->core, 4, "fetch: %s", kwi_error_info(kafka_code)->name);
    if (rc == KW_ERR_LIMIT)
        fetched_oversize(fetcher, req->refused_size);
    else if (!kafka_code)
        kwi_fetcher_leave_replicas(fetcher);
    if (!at_once)
        kwi_cluster_refresh(req->core);
    return at_once;
}

/* True: the broker kept its answer back, and said so. */
static bool fetched_read(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_fetcher *fetcher = req->owner;
    struct kw_fetch_response msg;
    struct kw_fault fault;
    int16_t kafka_code = 0;
    bool at_once = false;
    int rc = answer->err;

    if (!rc && kwi_fetch_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (fetcher->solo > 0 && fetcher->is_solo && (!rc || rc == KW_ERR_LIMIT))
        fetcher->solo--;
    if (!rc)
        kwi_throttle(req, msg.throttle_time_ms);
    if (!rc && msg.error_code) {
        kafka_code = msg.error_code;
        rc = KW_ERR_BROKER;
    }
    if (!rc && !fetched_take(fetcher, &msg, answer))
        rc = KW_ERR_NOMEM;
    if (!rc)
        kwi_session_answered(fetcher, msg.session_id, msg.throttle_time_ms > 0);
    else
        at_once = fetched_failed(fetcher, req, rc, kafka_code);
    if (rc ? !at_once : !fetcher->session.epoch && !kwi_list_empty(&fetcher->named))
        kwi_fetcher_later(fetcher);
    return !rc && msg.throttle_time_ms > 0 && msg.responses.n <= 0;
}

void kwi_fetch_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_fetcher *fetcher = req->owner;
    struct kw_core *core = req->core;

    /* Those that starve come first, or a small share would go to the same one for ever. */
    if (fetcher) {
        bool throttled = fetched_read(req, answer);
        kwi_fetchers_feed(core);
        fetcher->fetching = NULL;
        fetched_put_back(fetcher, throttled);
        if (!fetcher->timer.armed &&
            (!kwi_list_empty(&fetcher->idle) || !kwi_list_empty(&fetcher->quiet)))
            kwi_fetcher_kick(fetcher);
    } else {
        kwi_fetchers_feed(core);
    }
}
