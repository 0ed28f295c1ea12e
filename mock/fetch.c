/* mock/fetch.c -- Fetch: where the data is, how much of it fits, and whether to
 * wait for more. What a client need not name again is in mock/fetch_session.c.
 * Records are not copied before the answer is encoded. */
#include <string.h>

#include "mock/fetch_session.h"

/* Kafka's fetch.max.bytes of a broker: an answer is not larger, whatever the
 * client would take. */
enum { MOCKFETCH_ANSWER_MAX = 57671680 };

/* What may still go into the answer. */
struct mockfetch_budget {
    int64_t left;     /* bytes; negative after an oversized first batch */
    uint64_t n_bytes; /* so far */
    bool at_once;     /* an error or a divergence: do not wait */
    uint64_t leaders;
};

/* Where the log ends for the client: transactions that are open are none of it for one
 * that reads what is committed. */
static int64_t mockfetch_end(const struct kw_mock_call *call,
                             const struct kw_mock_partition *partition)
{
    const struct kw_fetch_request *req = call->request;
    return req->isolation_level == 1 ? kwi_mock_txns_stable(&partition->txns, &partition->log)
                                     : partition->log.high_watermark;
}

/* Pieces of the log from batch `first` on, up to the client's end and `limit`
 * bytes. A real broker cuts the last batch off where the limit falls, so a
 * client must cope with that; the first batch of an answer is never cut. */
static int mockfetch_records_put(struct kw_mock_call *call,
                                 const struct kw_mock_partition *partition, uint32_t first,
                                 size_t limit, struct kw_record_set *out)
{
    const struct kw_mock_log *log = &partition->log;
    int64_t log_end = mockfetch_end(call, partition);
    struct kw_iov *pieces;
    size_t left = limit;
    uint32_t n = 0, end = first;
    while (end < log->n && left > 0 && log->entries[end].last_offset < log_end) {
        left -= log->entries[end].len < left ? log->entries[end].len : left;
        end++;
    }
    if (end == first)
        return 0;
    pieces = kwi_mock_call_alloc(call, end - first, sizeof(*pieces));
    if (!pieces)
        return KW_ERR_NOMEM;
    left = limit;
    for (uint32_t i = first; i < end; i++) {
        const struct kw_mock_entry *entry = &log->entries[i];
        size_t len = entry->len < left ? entry->len : left;
        left -= len;
        /* Neighbours in one block become one piece. */
        if (n && (uint8_t *)pieces[n - 1].base + pieces[n - 1].len == entry->ptr) {
            pieces[n - 1].len += len;
        } else {
            pieces[n].base = entry->ptr;
            pieces[n++].len = len;
        }
    }
    out->iov = pieces;
    out->n_iov = n;
    out->len = (int32_t)(limit - left);
    return 0;
}

/* A broker that reads with transactions in mind lists the aborted ones of what it sends. */
static int mockfetch_aborted_put(struct kw_mock_call *call,
                                 const struct kw_mock_partition *partition, uint32_t first,
                                 size_t limit, int64_t offset,
                                 struct kw_fetch_response_partition *out)
{
    const struct kw_mock_log *log = &partition->log;
    int64_t to = offset, end = mockfetch_end(call, partition);
    if (((const struct kw_fetch_request *)call->request)->isolation_level != 1)
        return 0;
    for (size_t sum = 0; first < log->n && sum < limit && log->entries[first].last_offset < end;
         first++) {
        sum += log->entries[first].len;
        to = log->entries[first].last_offset + 1;
    }
    return kwi_mock_txns_answer(call, &partition->txns, offset, to, &out->aborted_transactions);
}

/* The log has another history behind the client's position than the client
 * believes (KIP-595): tell where the common part ends. */
static bool mockfetch_diverges(const struct kw_mock_log *log,
                               const struct kw_fetch_request_partition *asked,
                               struct kw_fetch_response_partition *out)
{
    int64_t end;
    int32_t epoch;
    if (asked->last_fetched_epoch < 0)
        return false;
    epoch = kwi_mock_log_epoch_end(log, asked->last_fetched_epoch, &end);
    if (epoch < 0 || (epoch == asked->last_fetched_epoch && end >= asked->fetch_offset))
        return false; /* below 0: what is left of the log began later */
    out->diverging_epoch.epoch = epoch;
    out->diverging_epoch.end_offset = end;
    return true;
}

/* Fills in a partition whose broker may serve it. A Kafka error, or 0. */
static int16_t mockfetch_read(struct kw_mock_call *call, const struct kw_mock_partition *partition,
                              const struct kw_fetch_request_partition *asked,
                              struct mockfetch_budget *budget,
                              struct kw_fetch_response_partition *out)
{
    const struct kw_mock_log *log = &partition->log;
    int64_t limit = asked->partition_max_bytes;
    uint32_t first;
    if (asked->fetch_offset < log->start_offset || asked->fetch_offset > log->end_offset)
        return KW_E_OFFSET_OUT_OF_RANGE;
    out->high_watermark = log->high_watermark;
    out->last_stable_offset = kwi_mock_txns_stable(&partition->txns, log);
    if (call->version >= 5)
        out->log_start_offset = log->start_offset;
    if (mockfetch_diverges(log, asked, out)) {
        budget->at_once = true;
        return 0;
    }
    first = kwi_mock_log_find(log, asked->fetch_offset);
    if (first == log->n || log->entries[first].last_offset >= mockfetch_end(call, partition))
        return 0;
    if (limit > budget->left)
        limit = budget->left;
    if (limit < 0)
        limit = 0;
    if (budget->n_bytes == 0 && limit < log->entries[first].len)
        limit = log->entries[first].len;
    if (mockfetch_records_put(call, partition, first, (size_t)limit, &out->records) ||
        mockfetch_aborted_put(call, partition, first, (size_t)limit, asked->fetch_offset, out))
        return KW_E_UNKNOWN_SERVER_ERROR;
    budget->n_bytes += (uint64_t)out->records.len;
    budget->left -= out->records.len;
    return 0;
}

/* The replica that stands where the client does, if the leader does not (KIP-392);
 * -1: none. */
static int32_t mockfetch_nearer(const struct kw_mock_call *call,
                                const struct kw_mock_partition *partition)
{
    const struct kw_fetch_request *req = call->request;
    const struct kw_mock *mock = call->mock;
    struct kw_str rack = req->rack_id;
    if (call->version < 11 || rack.len <= 0 || partition->leader != (int32_t)call->broker)
        return -1;
    for (int32_t i = -1; i < partition->n_replicas; i++) {
        uint32_t broker = i < 0 ? call->broker : partition->replicas[i];
        const char *own = mock->brokers[broker].rack;
        if (mock->brokers[broker].up && strlen(own) == (size_t)rack.len &&
            memcmp(own, rack.ptr, (size_t)rack.len) == 0)
            return i < 0 ? -1 : (int32_t)broker;
    }
    return -1;
}

/* Followers that stand somewhere serve consumers, too, from version 11 on. */
static int16_t mockfetch_leader_check(const struct kw_mock_call *call,
                                      const struct kw_mock_partition *partition,
                                      int32_t leader_epoch)
{
    int16_t error = kwi_mock_call_leader_check(call, partition, leader_epoch);
    if (error != KW_E_NOT_LEADER_OR_FOLLOWER || call->version < 11 || partition->leader < 0 ||
        !call->mock->brokers[call->broker].rack[0])
        return error;
    for (int32_t i = 0; i < partition->n_replicas; i++) {
        if (partition->replicas[i] == call->broker)
            return 0;
    }
    return error;
}

static void mockfetch_partition(struct kw_mock_call *call, const struct kw_mock_topic *topic,
                                struct kw_str name, const struct kw_fetch_request_partition *asked,
                                struct mockfetch_budget *budget,
                                struct kw_fetch_response_partition *out)
{
    struct kw_mock_partition *partition = kwi_mock_topic_partition(topic, asked->partition);
    kwi_fetch_response_partition_init(out);
    out->partition_index = asked->partition;
    out->high_watermark = -1;
    out->records.len = 0;
    /* Null is for those who do not ask what was aborted. */
    if (((const struct kw_fetch_request *)call->request)->isolation_level != 1)
        out->aborted_transactions.n = -1;
    kwi_mock_fault_move(call, name, partition);
    out->error_code = kwi_mock_fault_error(call, KWI_MOCK_ERROR, name, asked->partition);
    if (!out->error_code && !topic && call->version >= 13)
        out->error_code = KW_E_UNKNOWN_TOPIC_ID;
    if (!out->error_code)
        out->error_code = mockfetch_leader_check(call, partition, asked->current_leader_epoch);
    if (!out->error_code && mockfetch_nearer(call, partition) >= 0) {
        out->preferred_read_replica = kwi_mock_node_id(call->mock,
                                                       mockfetch_nearer(call, partition));
        out->high_watermark = partition->log.high_watermark;
        budget->at_once = true;
    } else if (!out->error_code) {
        out->error_code = mockfetch_read(call, partition, asked, budget, out);
    }
    if (out->error_code)
        budget->at_once = true;
    if (call->version >= 16)
        kwi_mock_call_hint(call, partition, out->error_code, &out->current_leader,
                           &budget->leaders);
}

static int mockfetch_topic(struct kw_mock_call *call, const struct kw_fetch_request_topic *asked,
                           struct mockfetch_budget *budget, struct kw_fetch_response_topic *out)
{
    const struct kw_mock_topic *topic = kwi_mock_call_topic(call, call->version >= 13, asked->topic,
                                                            &asked->topic_id);
    struct kw_str name = topic ? kwi_mock_topic_str(topic) : asked->topic;
    struct kw_fetch_request_partition partition;
    struct kw_fetch_response_partition *items;
    struct kw_iter it;
    size_t n = 0;
    items = kwi_mock_call_alloc(call, (size_t)asked->partitions.n * 2 + 1, sizeof(*items));
    if (!items)
        return KW_ERR_NOMEM;
    kwi_fetch_response_topic_init(out);
    if (call->version >= 13)
        out->topic_id = asked->topic_id;
    else
        out->topic = asked->topic;
    for (kwi_iter_init(&it, &asked->partitions); kwi_iter_next(&it, &partition);) {
        int32_t copies = kwi_mock_fault_copies(call, name, partition.partition);
        mockfetch_partition(call, topic, name, &partition, budget, &items[n]);
        if (copies == 2)
            items[n + 1] = items[n];
        n += (size_t)copies;
    }
    if (kwi_mock_fault_acts(call, KWI_MOCK_UNASKED, NULL)) {
        kwi_fetch_response_partition_init(&items[n]);
        items[n].records.len = 0;
        items[n++].partition_index = KWI_MOCK_UNASKED_PARTITION;
    }
    out->partitions = KWI_ARR(items, n);
    return 0;
}

/* ---- of a session ------------------------------------------------------------------------ */

/* What the answer tells of a session: each entry with what it was told of. */
struct mockfetch_news {
    struct kw_fetch_response_partition *items;
    struct kw_fetch_response_topic *topics;
    struct kw_mock_cached **cached; /* of the items; NULL: it is not of the session */
    size_t n, n_topics;
};

/* A topic entry for the item that comes next: neighbours of one topic share it. */
static void mockfetch_news_topic(struct mockfetch_news *news, const struct kw_mock_cached *cached,
                                 bool by_id)
{
    struct kw_fetch_response_topic *last = &news->topics[news->n_topics];
    struct kw_str name = {cached->name, cached->name_len};
    if (news->n_topics && (by_id ? memcmp(&last[-1].topic_id, &cached->topic_id, 16) == 0
                                 : last[-1].topic.len == name.len &&
                                       memcmp(last[-1].topic.ptr, name.ptr, (size_t)name.len) == 0))
        return;
    kwi_fetch_response_topic_init(last);
    if (by_id)
        last->topic_id = cached->topic_id;
    else
        last->topic = name;
    last->partitions = KWI_ARR(&news->items[news->n], 0);
    news->n_topics++;
}

/* The topic of a cached partition by its id; under its name there may be another one
 * by now. */
static int16_t mockfetch_stale_id(const struct kw_mock_call *call,
                                  const struct kw_mock_cached *cached)
{
    const struct kw_mock_topic *topic = kwi_mock_topic_find(call->mock, cached->name,
                                                            (size_t)cached->name_len);
    return topic && memcmp(topic->id, cached->topic_id.b, 16) != 0 ? KW_E_INCONSISTENT_TOPIC_ID : 0;
}

static void mockfetch_cached(struct kw_mock_call *call, struct kw_mock_session *session,
                             struct kw_mock_cached *cached, struct mockfetch_budget *budget,
                             struct mockfetch_news *news)
{
    struct kw_str name = {cached->name, cached->name_len};
    const struct kw_mock_topic *topic = kwi_mock_call_topic(call, session->by_id, name,
                                                            &cached->topic_id);
    struct kw_fetch_response_partition *item = &news->items[news->n];
    int32_t copies = kwi_mock_fault_copies(call, name, cached->asked.partition);
    mockfetch_partition(call, topic, name, &cached->asked, budget, item);
    if (session->by_id && !topic && mockfetch_stale_id(call, cached))
        item->error_code = mockfetch_stale_id(call, cached);
    if (!kwi_mock_cached_is_news(cached, item))
        return;
    for (; copies > 0; copies--) {
        news->items[news->n] = *item;
        news->cached[news->n] = cached;
        mockfetch_news_topic(news, cached, session->by_id);
        news->topics[news->n_topics - 1].partitions.n++;
        news->n++;
    }
}

/* All that is new of the session's partitions. */
static int mockfetch_session(struct kw_mock_call *call, struct kw_mock_session *session,
                             struct mockfetch_budget *budget, struct mockfetch_news *news)
{
    size_t n = kwi_map_len(&session->by_key) * 2 + 1;
    news->items = kwi_mock_call_alloc(call, n, sizeof(*news->items));
    news->topics = kwi_mock_call_alloc(call, n, sizeof(*news->topics));
    news->cached = kwi_mock_call_alloc(call, n, sizeof(*news->cached));
    if (!news->items || !news->topics || !news->cached)
        return KW_ERR_NOMEM;
    for (struct kw_node *node = session->cached.first; node; node = node->next)
        mockfetch_cached(call, session, KWI_OF(node, struct kw_mock_cached, node), budget, news);
    if (news->n_topics && kwi_mock_fault_acts(call, KWI_MOCK_UNASKED, NULL)) {
        struct kw_fetch_response_partition *item = &news->items[news->n++];
        kwi_fetch_response_partition_init(item);
        item->records.len = 0;
        item->partition_index = KWI_MOCK_UNASKED_PARTITION;
        news->topics[news->n_topics - 1].partitions.n++;
    }
    return 0;
}

static void mockfetch_told(struct kw_mock_session *session, const struct mockfetch_news *news)
{
    for (size_t i = 0; i < news->n; i++) {
        if (news->cached[i])
            kwi_mock_cached_told(session, news->cached[i], &news->items[i]);
    }
}

/* The session that a full answer opens knows what that answer told. */
static int32_t mockfetch_open(struct kw_mock_call *call,
                              const struct kw_fetch_response_topic *topics, size_t n)
{
    struct kw_mock_session *session = kwi_mock_session_grant(call);
    if (!session)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const struct kw_fetch_response_partition *items = topics[i].partitions.items;
        for (int32_t k = 0; k < topics[i].partitions.n; k++) {
            struct kw_mock_cached *cached = kwi_mock_session_cached(
                session, topics[i].topic, &topics[i].topic_id, items[k].partition_index);
            if (cached)
                kwi_mock_cached_told(session, cached, &items[k]);
        }
    }
    return session->id;
}

/* ---- the request ------------------------------------------------------------------------ */

/* An error of the whole answer: those about sessions are none of a partition. */
static int16_t mockfetch_error(struct kw_mock_call *call, struct kw_mock_session **session)
{
    int16_t fault = kwi_mock_fault_error(call, KWI_MOCK_ERROR, kwi_str(""), -1);
    *session = NULL;
    if (!call->waited && kwi_mock_fault_acts(call, KWI_MOCK_EVICT, NULL))
        kwi_mock_sessions_drop(call->mock, call->broker);
    if (kwi_error_info(fault)->error_class == KW_EC_SESSION)
        return fault;
    return kwi_mock_session_enter(call, session);
}

static bool mockfetch_must_wait(struct kw_mock_call *call, const struct mockfetch_budget *budget,
                                bool is_empty)
{
    const struct kw_fetch_request *req = call->request;
    if (call->last_chance || budget->at_once || req->max_wait_ms <= 0 || is_empty)
        return false;
    if (req->min_bytes <= 0 || budget->n_bytes >= (uint64_t)req->min_bytes)
        return false;
    call->deadline_us = call->received_us + (uint64_t)req->max_wait_ms * 1000;
    return call->deadline_us > call->mock->now.mono_us;
}

static enum kw_mock_outcome mockfetch_finish(struct kw_mock_call *call,
                                             const struct mockfetch_budget *budget)
{
    struct kw_fetch_response *resp = call->response;
    return kwi_mock_call_endpoints(call, budget->leaders, &resp->node_endpoints)
               ? KWI_MOCK_HUNG_UP
               : KWI_MOCK_ANSWERED;
}

static enum kw_mock_outcome mockfetch_serve_session(struct kw_mock_call *call,
                                                    struct kw_mock_session *session,
                                                    struct mockfetch_budget *budget)
{
    struct kw_fetch_response *resp = call->response;
    struct mockfetch_news news = {0};
    if (mockfetch_session(call, session, budget, &news))
        return KWI_MOCK_HUNG_UP;
    if (mockfetch_must_wait(call, budget, false))
        return KWI_MOCK_PARKED;
    mockfetch_told(session, &news);
    resp->session_id = session->id;
    resp->responses = KWI_ARR(news.topics, news.n_topics);
    return mockfetch_finish(call, budget);
}

static enum kw_mock_outcome mockfetch_serve(struct kw_mock_call *call)
{
    const struct kw_fetch_request *req = call->request;
    struct kw_fetch_response *resp = call->response;
    struct mockfetch_budget budget = {.left = req->max_bytes};
    struct kw_mock_session *session;
    struct kw_fetch_response_topic *topics;
    struct kw_fetch_request_topic topic;
    struct kw_iter it;
    size_t n = 0;
    if (budget.left > MOCKFETCH_ANSWER_MAX)
        budget.left = MOCKFETCH_ANSWER_MAX;
    resp->throttle_time_ms = call->throttle_ms;
    resp->error_code = mockfetch_error(call, &session);
    if (resp->error_code)
        return KWI_MOCK_ANSWERED;
    if (session)
        return mockfetch_serve_session(call, session, &budget);
    topics = kwi_mock_call_alloc(call, (size_t)req->topics.n, sizeof(*topics));
    if (!topics)
        return KWI_MOCK_HUNG_UP;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &topic); n++) {
        if (mockfetch_topic(call, &topic, &budget, &topics[n]))
            return KWI_MOCK_HUNG_UP;
    }
    if (mockfetch_must_wait(call, &budget, n == 0))
        return KWI_MOCK_PARKED;
    resp->responses = KWI_ARR(topics, n);
    resp->session_id = mockfetch_open(call, topics, n);
    return mockfetch_finish(call, &budget);
}

static bool mockfetch_session_asks(const struct kw_mock_call *call,
                                   const struct kw_mock_fault *fault)
{
    const struct kw_mock_session *session = kwi_mock_session_find(call);
    for (struct kw_node *n = session ? session->cached.first : NULL; n; n = n->next) {
        const struct kw_mock_cached *cached = KWI_OF(n, struct kw_mock_cached, node);
        if (kwi_mock_fault_covers(fault, (struct kw_str){cached->name, cached->name_len},
                                  cached->asked.partition))
            return true;
    }
    return false;
}

static bool mockfetch_asks(const struct kw_mock_call *call, const struct kw_mock_fault *fault)
{
    const struct kw_fetch_request *req = call->request;
    struct kw_fetch_request_topic asked;
    struct kw_fetch_request_partition partition;
    struct kw_iter it, inner;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &asked);) {
        const struct kw_mock_topic *topic = kwi_mock_call_topic(call, call->version >= 13,
                                                                asked.topic, &asked.topic_id);
        struct kw_str name = topic ? kwi_mock_topic_str(topic) : asked.topic;
        kwi_iter_init(&inner, &asked.partitions);
        while (kwi_iter_next(&inner, &partition)) {
            if (kwi_mock_fault_covers(fault, name, partition.partition))
                return true;
        }
    }
    return mockfetch_session_asks(call, fault);
}

const struct kw_mock_api kwi_mock_api_fetch = {
    KW_API_FETCH,
    1u << KWI_MOCK_OMIT | 1u << KWI_MOCK_TWICE | 1u << KWI_MOCK_UNASKED |
        1u << KWI_MOCK_MOVE_LEADER | 1u << KWI_MOCK_EVICT,
    mockfetch_serve,
    mockfetch_asks,
};
