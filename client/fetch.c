/* client/fetch.c -- the Fetch exchange with one leader: what to ask for, with
 * which memory, and taking the answer apart.
 *
 * One request under way per leader, built late, when the driver asks for bytes.
 * It names parts that have nothing buffered and are not paused; those that were
 * answered go to the end of the line, because a broker fills its answer in the
 * order of the request. Its worst answer is reserved before it is sent (law 7),
 * so max_bytes is what the reserve has, at most a fair share of it. Requests
 * are sessionless: id 0, epoch -1. */
#include <string.h>

#include "client/consumer.h"
#include "client/error_text.h"
#include "client/throttle.h"
#include "proto/batch.h"
#include "proto/error.h"
#include "proto/fetch.h"

enum {
    FETCHER_PARTS = 1024,        /* parts in one request */
    FETCHER_ENVELOPE = 64,       /* bytes of an answer around the topics */
    FETCHER_ENVELOPE_TOPIC = 16, /* around a topic's name */
    FETCHER_ENVELOPE_PART = 96,  /* around the records of a part */
    FETCHER_LEAST = 4096         /* the smallest max_bytes of a small reserve */
};

static struct kw_request *fetcher_pull(struct kw_link *link);
static void fetcher_due(struct kw_timer *timer);

static struct kw_consumer_part *fetcher_part(struct kw_node *node)
{
    return KWI_OF(node, struct kw_consumer_part, node);
}

/* ---- life -------------------------------------------------------------------------- */

struct kw_fetcher *kwi_fetcher_get(struct kw_consumer *consumer, struct kw_broker *broker)
{
    struct kw_fetcher *fetcher;

    for (struct kw_node *n = consumer->fetchers.first; n; n = n->next) {
        fetcher = KWI_OF(n, struct kw_fetcher, node);
        if (fetcher->link->broker == broker)
            return fetcher;
    }
    fetcher = kwi_alloc_zero(&consumer->core->control, sizeof(*fetcher));
    if (!fetcher)
        return NULL;
    fetcher->consumer = consumer;
    fetcher->timer.fire = fetcher_due;
    fetcher->link = kwi_link_get(broker, KWI_LANE_FETCH, fetcher);
    if (!fetcher->link) {
        kwi_free(&consumer->core->control, fetcher, sizeof(*fetcher));
        return NULL;
    }
    fetcher->link->pull = fetcher_pull;
    kwi_list_push(&consumer->fetchers, &fetcher->node);
    return fetcher;
}

void kwi_fetcher_destroy(struct kw_fetcher *fetcher)
{
    struct kw_consumer *consumer = fetcher->consumer;
    struct kw_heap *heap = &consumer->core->control;

    kwi_list_remove(&consumer->fetchers, &fetcher->node);
    kwi_core_disarm(consumer->core, &fetcher->timer);
    kwi_lookup_forget(fetcher);
    if (fetcher->fetching)
        fetcher->fetching->owner = NULL;
    kwi_link_destroy(fetcher->link, KW_ERR_CLOSED);
    kwi_free(heap, fetcher->partitions, fetcher->scratch_cap * sizeof(*fetcher->partitions));
    kwi_free(heap, fetcher->topics, fetcher->scratch_cap * sizeof(*fetcher->topics));
    kwi_free(heap, fetcher, sizeof(*fetcher));
}

void kwi_fetchers_sweep(struct kw_consumer *consumer)
{
    struct kw_node *next;

    for (struct kw_node *n = consumer->fetchers.first; n; n = next) {
        struct kw_fetcher *fetcher = KWI_OF(n, struct kw_fetcher, node);
        next = n->next;
        if (fetcher->n_parts == 0)
            kwi_fetcher_destroy(fetcher);
    }
}

void kwi_fetcher_kick(struct kw_fetcher *fetcher)
{
    if (!fetcher->fetching && !fetcher->consumer->closed)
        kwi_link_kick(fetcher->link);
}

static void fetcher_due(struct kw_timer *timer)
{
    kwi_fetcher_kick(KWI_OF(timer, struct kw_fetcher, timer));
}

/* Tries again after a pause: memory for a request was short, or it failed. */
static void fetcher_later(struct kw_fetcher *fetcher)
{
    struct kw_core *core = fetcher->consumer->core;

    if (!fetcher->timer.armed)
        kwi_core_arm(core, &fetcher->timer,
                     kwi_core_after_ms(
                         core, kwi_consumer_setting(fetcher->consumer, KW_KEY_RETRY_BACKOFF_MS)));
}

/* ---- memory -------------------------------------------------------------------------- */

/* How many leaders share the fetch reserve. */
static size_t fetcher_sharers(const struct kw_core *core)
{
    size_t n = 0;

    for (const struct kw_node *c = core->consumers.first; c; c = c->next) {
        const struct kw_consumer *consumer = KWI_OF(c, const struct kw_consumer, node);
        for (const struct kw_node *f = consumer->fetchers.first; f; f = f->next)
            n++;
    }
    return n ? n : 1;
}

/* The largest max_bytes, at most want, whose answer costs at most room: halved
 * until it fits, but not below least. 0: least does not fit either. */
static size_t fetcher_fit(size_t want, size_t least, size_t envelope, size_t room)
{
    while (want > least && kwi_pool_cost(want + envelope) > room)
        want = want / 2 > least ? want / 2 : least;
    return kwi_pool_cost(want + envelope) > room ? 0 : want;
}

bool kwi_fetchers_drop_paused(struct kw_core *core)
{
    bool dropped = false;

    for (struct kw_node *c = core->consumers.first; c; c = c->next) {
        struct kw_consumer *consumer = KWI_OF(c, struct kw_consumer, node);
        for (struct kw_node *f = consumer->fetchers.first; f; f = f->next) {
            struct kw_fetcher *fetcher = KWI_OF(f, struct kw_fetcher, node);
            for (struct kw_node *p = fetcher->buffered.first; p; p = p->next) {
                struct kw_consumer_part *part = fetcher_part(p);
                if (!part->paused || !part->data.block)
                    continue;
                kwi_part_drop(part);
                dropped = true;
            }
        }
    }
    return dropped;
}

/* Is nothing to be expected but from what the application lets go? A fetch that
 * waits for records at the end of its partitions does not count, nor one whose
 * answer cannot be read for want of memory. */
bool kwi_fetchers_only_held(const struct kw_core *core)
{
    for (const struct kw_node *c = core->consumers.first; c; c = c->next) {
        const struct kw_consumer *consumer = KWI_OF(c, const struct kw_consumer, node);
        if (!kwi_list_empty(&consumer->ready))
            return false;
        for (const struct kw_node *f = consumer->fetchers.first; f; f = f->next) {
            const struct kw_fetcher *fetcher = KWI_OF(f, const struct kw_fetcher, node);
            if (fetcher->fetching && !fetcher->fetching->stalled && !fetcher->at_end)
                return false;
        }
    }
    return true;
}

static void fetcher_tell_starved(struct kw_consumer *consumer)
{
    struct kw_core *core = consumer->core;

    if (!core->unpack.busy && kwi_list_empty(&core->unpack.waiting) && kwi_fetchers_only_held(core))
        kwi_consumer_starve(consumer);
}

static void fetcher_starve(struct kw_fetcher *fetcher)
{
    fetcher->starving = true;
    fetcher_tell_starved(fetcher->consumer);
}

/* A broker sends the first batch whole, however little was asked for (KIP-74). It
 * stays in the socket until the application lets go of something. */
void kwi_fetch_stalled(struct kw_request *req)
{
    const struct kw_fetcher *fetcher = req->owner;

    req->stalled = true;
    if (fetcher)
        fetcher_tell_starved(fetcher->consumer);
}

void kwi_fetchers_feed(struct kw_core *core)
{
    kwi_unpack_poke(core);
    for (struct kw_node *c = core->consumers.first; c; c = c->next) {
        struct kw_consumer *consumer = KWI_OF(c, struct kw_consumer, node);
        for (struct kw_node *f = consumer->fetchers.first; f; f = f->next) {
            struct kw_fetcher *fetcher = KWI_OF(f, struct kw_fetcher, node);
            if (!fetcher->starving)
                continue;
            fetcher->starving = false;
            kwi_fetcher_kick(fetcher);
        }
    }
}

/* ---- asking ---------------------------------------------------------------------------- */

/* Counts what a request would name: at most FETCHER_PARTS, and no more than
 * leaves room for records beside their envelope. */
static uint32_t fetcher_count(const struct kw_fetcher *fetcher, size_t *envelope)
{
    const struct kw_consumer_topic *topic = NULL;
    size_t most = fetcher->consumer->core->fetch.limit / 8;
    uint32_t n = 0, max = fetcher->solo ? 1 : FETCHER_PARTS;

    *envelope = FETCHER_ENVELOPE;
    for (struct kw_node *node = fetcher->idle.first; node && n < max; node = node->next, n++) {
        const struct kw_consumer_part *part = fetcher_part(node);
        if (n > 0 && *envelope > most)
            break;
        if (part->topic != topic)
            *envelope += FETCHER_ENVELOPE_TOPIC + part->topic->meta->name_len;
        topic = part->topic;
        *envelope += FETCHER_ENVELOPE_PART;
    }
    return n;
}

/* Chooses max_bytes for n parts and reserves the memory of the answer. 0: there
 * is not enough. */
static size_t fetcher_reserve(struct kw_fetcher *fetcher, uint32_t n, size_t envelope,
                              size_t *reserved)
{
    struct kw_consumer *consumer = fetcher->consumer;
    struct kw_pool *pool = &consumer->core->fetch_pool;
    const struct kw_consumer_part *first = fetcher_part(fetcher->idle.first);
    int64_t each = kwi_consumer_setting(consumer, KW_KEY_MAX_PARTITION_FETCH_BYTES);
    int64_t most = kwi_consumer_setting(consumer, KW_KEY_FETCH_MAX_BYTES);
    int64_t want = each < most / n ? each * n : most;
    size_t share = pool->heap->limit / (2 * fetcher_sharers(consumer->core));
    size_t bytes, least;

    if (first->want_bytes > want) {
        want = first->want_bytes; /* it did not fit a fair share before */
        share = pool->heap->limit;
    }
    /* What is free now may lower it to one part's worth, not below: a broker
     * sends the first batch whole, and it must find its room. */
    want = (int64_t)fetcher_fit((size_t)want, FETCHER_LEAST, envelope, share);
    if (!want)
        want = FETCHER_LEAST;
    least = (size_t)(each < want ? each : want);
    do {
        bytes = fetcher_fit((size_t)want, least, envelope, kwi_pool_free(pool));
    } while (!bytes &&
             (kwi_fetchers_drop_paused(consumer->core) || kwi_unpack_trim(consumer->core, 0)));
    if (!bytes)
        return 0;
    *reserved = kwi_pool_cost(bytes + envelope);
    return kwi_pool_reserve(pool, *reserved) ? bytes : 0;
}

static bool fetcher_grow(struct kw_fetcher *fetcher, uint32_t need)
{
    struct kw_heap *heap = &fetcher->consumer->core->control;
    uint32_t cap = fetcher->scratch_cap ? fetcher->scratch_cap : 8;
    struct kw_fetch_request_partition *partitions;
    struct kw_fetch_request_topic *topics;

    if (need <= fetcher->scratch_cap)
        return true;
    while (cap < need)
        cap *= 2;
    partitions = kwi_alloc(heap, cap * sizeof(*partitions));
    topics = kwi_alloc(heap, cap * sizeof(*topics));
    if (!partitions || !topics) {
        kwi_free(heap, partitions, cap * sizeof(*partitions));
        kwi_free(heap, topics, cap * sizeof(*topics));
        return false;
    }
    kwi_free(heap, fetcher->partitions, fetcher->scratch_cap * sizeof(*partitions));
    kwi_free(heap, fetcher->topics, fetcher->scratch_cap * sizeof(*topics));
    fetcher->partitions = partitions;
    fetcher->topics = topics;
    fetcher->scratch_cap = cap;
    return true;
}

/* Fills the scratch arrays from the parts that are asked; returns the number of
 * topic entries. Neighbours of one topic share an entry. */
static uint32_t fetcher_fill(struct kw_fetcher *fetcher, int64_t max_bytes)
{
    const struct kw_consumer_topic *topic = NULL;
    int64_t each = kwi_consumer_setting(fetcher->consumer, KW_KEY_MAX_PARTITION_FETCH_BYTES);
    uint32_t n = 0, n_topics = 0;

    for (struct kw_node *node = fetcher->asked.first; node; node = node->next, n++) {
        const struct kw_consumer_part *part = fetcher_part(node);
        struct kw_fetch_request_partition *out = &fetcher->partitions[n];
        int64_t limit = part->want_bytes > each ? part->want_bytes : each;

        kwi_fetch_request_partition_init(out);
        out->partition = part->partition;
        out->current_leader_epoch = part->leader_epoch;
        out->fetch_offset = part->position;
        out->partition_max_bytes = (int32_t)(limit < max_bytes ? limit : max_bytes);
        if (part->topic != topic) {
            struct kw_fetch_request_topic *entry = &fetcher->topics[n_topics++];
            topic = part->topic;
            kwi_fetch_request_topic_init(entry);
            entry->topic = (struct kw_str){topic->meta->name, (int32_t)topic->meta->name_len};
            entry->partitions = KWI_ARR(out, 0);
        }
        fetcher->topics[n_topics - 1].partitions.n++;
    }
    return n_topics;
}

static int fetcher_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_fetcher *fetcher = req->owner;
    struct kw_consumer *consumer = fetcher->consumer;
    struct kw_fetch_request msg;

    kwi_fetch_request_init(&msg);
    msg.replica_id = -1;
    msg.max_wait_ms = (int32_t)kwi_consumer_setting(consumer, KW_KEY_FETCH_MAX_WAIT_MS);
    msg.min_bytes = (int32_t)kwi_consumer_setting(consumer, KW_KEY_FETCH_MIN_BYTES);
    msg.max_bytes = (int32_t)req->arg;
    msg.session_id = 0;
    msg.session_epoch = -1;
    msg.topics = KWI_ARR(fetcher->topics, fetcher_fill(fetcher, (int64_t)req->arg));
    return kwi_fetch_request_encode(&msg, req->version, wr);
}

static void fetcher_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type fetcher_type = {
    .api_key = KW_API_FETCH,
    .fetch = true,
    .encode = fetcher_encode,
    .done = fetcher_done,
};

static struct kw_request *fetcher_pull(struct kw_link *link)
{
    struct kw_fetcher *fetcher = link->owner;
    struct kw_core *core = link->core;
    struct kw_request *req;
    size_t envelope, reserved = 0, max_bytes;
    uint32_t n = fetcher_count(fetcher, &envelope);

    if (n == 0 || fetcher->consumer->closed || fetcher->fetching || fetcher->timer.armed)
        return NULL;             /* timer: it pauses */
    if (core->unpack.is_short) { /* what was fetched comes before what could be */
        fetcher_starve(fetcher);
        return NULL;
    }
    req = fetcher_grow(fetcher, n) ? kwi_request_create(core, link, &fetcher_type, fetcher) : NULL;
    if (!req) {
        fetcher_later(fetcher);
        return NULL;
    }
    max_bytes = fetcher_reserve(fetcher, n, envelope, &reserved);
    if (!max_bytes) {
        kwi_request_destroy(req);
        fetcher_starve(fetcher);
        return NULL;
    }
    req->reserved = reserved;
    req->arg = max_bytes;
    fetcher->fetching = req;
    fetcher->starving = false;
    fetcher->n_asked = n;
    while (n-- > 0) {
        struct kw_consumer_part *part = fetcher_part(fetcher->idle.first);
        part->asked = true;
        part->foremost = kwi_list_empty(&fetcher->asked);
        kwi_part_move(part, &fetcher->asked);
    }
    return req;
}

/* ---- the answer --------------------------------------------------------------------------- */

/* Parts that the answer did not mention go back to the head of the line. */
static void fetcher_put_back(struct kw_fetcher *fetcher)
{
    while (!kwi_list_empty(&fetcher->asked)) {
        struct kw_consumer_part *part = fetcher_part(fetcher->asked.last);
        kwi_part_move(part, NULL);
        part->asked = false;
        if (part->paused) {
            kwi_part_move(part, &fetcher->buffered);
            continue;
        }
        kwi_list_push_front(&fetcher->idle, &part->node);
        part->list = &fetcher->idle;
    }
}

/* Data without one whole batch: the batch is larger than what was asked for, or
 * than what the parts before it left over. It is asked for by its size, and its
 * part comes to the front, because those before it have data now. A broker that
 * cuts the first batch of the foremost part again cannot be helped (KIP-74). */
static void fetcher_too_small(struct kw_consumer_part *part, const uint8_t *ptr, size_t len)
{
    struct kw_core *core = part->topic->consumer->core;
    int64_t need = INT32_MAX / 2;

    if (len >= KWI_BATCH_LENGTH + 4)
        need = (int64_t)kwi_get_u32(ptr + KWI_BATCH_LENGTH) + KWI_BATCH_LOG_OVERHEAD;
    if (need <= INT32_MAX / 2 && part->want_bytes >= need && !part->foremost) {
        kwi_part_settle(part);
    } else if (need > INT32_MAX / 2 || part->want_bytes >= need) {
        kwi_part_stop(part, KW_ERR_CORRUPT, 0, 0);
    } else if (kwi_pool_cost((size_t)need + FETCHER_ENVELOPE + FETCHER_ENVELOPE_PART) >
               core->fetch.limit) {
        kwi_part_stop(part, KW_ERR_LIMIT, 0, need);
    } else {
        part->want_bytes = (int32_t)need;
        kwi_part_step(part, KWI_PART_RETRY);
    }
}

static void fetcher_take_data(struct kw_consumer_part *part, struct kw_block *block,
                              const uint8_t *ptr, size_t len)
{
    struct kw_batch_header header;

    if (kwi_batch_header_get(ptr, len, &header) == KW_ERR_SHORT) {
        fetcher_too_small(part, ptr, len);
        return;
    }
    part->topic->consumer->core->stats.bytes_fetched += len;
    part->want_bytes = 0;
    part->data.block = block;
    part->data.ptr = ptr;
    part->data.end = ptr + len;
    part->data.began = part->position;
    kwi_block_hold(block);
    kwi_part_settle(part);
}

static void fetcher_take_error(struct kw_consumer_part *part,
                               const struct kw_fetch_response_partition *item)
{
    const struct kw_leader_id_and_epoch *leader = &item->current_leader;
    struct kw_core *core = part->topic->consumer->core;

    if (leader->leader_id >= 0 && kwi_topic_meta_hint(part->topic->meta, part->partition,
                                                      leader->leader_id, leader->leader_epoch)) {
        kwi_cluster_refresh(core);
        kwi_part_hurry(part, KWI_PART_MOVED); /* the broker told where to go */
        return;
    }
    kwi_part_refused(part, item->error_code);
}

/* One part of the answer. Its records lie in block. */
static void fetcher_take_part(struct kw_fetcher *fetcher, struct kw_block *block,
                              struct kw_str topic, const struct kw_fetch_response_partition *item)
{
    struct kw_consumer_part *part = kwi_consumer_find(
        fetcher->consumer, topic.ptr, topic.len > 0 ? (size_t)topic.len : 0, item->partition_index);

    if (!part || part->fetcher != fetcher || !part->asked || part->state != KWI_PART_FETCH)
        return;
    part->asked = false;
    if (item->error_code) {
        fetcher_take_error(part, item);
        return;
    }
    part->attempts = 0;
    part->high_watermark = item->high_watermark;
    if (item->records.len > 0) {
        fetcher_take_data(part, block, item->records.ptr, (size_t)item->records.len);
        return;
    }
    kwi_part_settle(part);
    kwi_part_check_eof(part);
}

static bool fetcher_has_data(const struct kw_fetch_response *msg)
{
    struct kw_fetch_response_topic topic;
    struct kw_fetch_response_partition item;
    struct kw_iter topics, items;

    for (kwi_iter_init(&topics, &msg->responses); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);) {
            if (item.records.len > 0)
                return true;
        }
    }
    return false;
}

static void fetcher_take(struct kw_fetcher *fetcher, const struct kw_fetch_response *msg,
                         const struct kw_answer *answer)
{
    struct kw_block *block = answer->block, *copy = NULL;
    struct kw_fetch_response_topic topic;
    struct kw_fetch_response_partition item;
    struct kw_iter topics, items;
    bool has_data = fetcher_has_data(msg);

    fetcher->at_end = !has_data;
    /* A small answer sits in the connection's stage and dies with this call. */
    if (!block && has_data) {
        block = copy = kwi_block_create(&fetcher->consumer->core->fetch_pool, answer->len, 0);
        if (!copy)
            return; /* as if it had not been answered */
        memcpy(kwi_block_data(copy), answer->body, answer->len);
    }
    for (kwi_iter_init(&topics, &msg->responses); kwi_iter_next(&topics, &topic);) {
        for (kwi_iter_init(&items, &topic.partitions); kwi_iter_next(&items, &item);) {
            if (copy && item.records.len > 0)
                item.records.ptr = kwi_block_data(copy) + (item.records.ptr - answer->body);
            fetcher_take_part(fetcher, block, topic.topic, &item);
        }
    }
    kwi_block_release(copy);
}

/* The connection gave up an answer that can never fit. Which part it was shows
 * when each is asked for alone. */
static void fetcher_oversize(struct kw_fetcher *fetcher, size_t size)
{
    if (fetcher->n_asked > 1) {
        fetcher->solo = fetcher->n_asked;
    } else if (!kwi_list_empty(&fetcher->asked)) {
        struct kw_consumer_part *part = fetcher_part(fetcher->asked.first);
        kwi_part_stop(part, KW_ERR_LIMIT, 0, (int64_t)size);
    }
}

static void fetcher_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_fetcher *fetcher = req->owner;
    struct kw_core *core = req->core;
    struct kw_fetch_response msg;
    struct kw_fault fault;
    int rc = answer->err;

    if (!fetcher) {
        kwi_fetchers_feed(core);
        return;
    }
    fetcher->fetching = NULL;
    if (!rc && kwi_fetch_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (fetcher->solo > 0 && (!rc || rc == KW_ERR_LIMIT))
        fetcher->solo--;
    if (rc == KW_ERR_LIMIT)
        fetcher_oversize(fetcher, req->refused_size);
    if (!rc)
        kwi_throttle(req, msg.throttle_time_ms);
    if (!rc && msg.error_code) {
        kwi_log(core, 4, "fetch: %s", kwi_error_info(msg.error_code)->name);
        rc = KW_ERR_BROKER;
    }
    if (!rc)
        fetcher_take(fetcher, &msg, answer);
    if (rc)
        kwi_cluster_refresh(core);
    if (rc || !kwi_list_empty(&fetcher->asked))
        fetcher_later(fetcher);
    fetcher_put_back(fetcher);
    if (!rc && !kwi_list_empty(&fetcher->idle) && !fetcher->timer.armed)
        kwi_fetcher_kick(fetcher);
    kwi_fetchers_feed(core);
}
