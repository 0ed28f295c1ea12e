/* mock/fetch_session.c -- see fetch_session.h. As a broker does it: a session has an
 * id and the epoch of its next request; one that is out of turn is refused. When there
 * are as many as config.fetch_sessions, one that was not used for two minutes makes
 * room, or the client gets none. */
#include <string.h>

#include "mock/fetch_session.h"

enum { MOCKSESSION_KEY_MAX = 256 + 4, MOCKSESSION_EVICT_US = 120000000 };

/* ---- partitions ------------------------------------------------------------------------ */

static size_t mocksession_key(char *key, struct kw_str name, const struct kw_uuid *id,
                              int32_t partition)
{
    size_t len = id ? sizeof(id->b) : name.len > 0 ? (size_t)name.len : 0;
    if (len > MOCKSESSION_KEY_MAX - 4)
        len = MOCKSESSION_KEY_MAX - 4;
    if (len)
        memcpy(key, id ? (const char *)id->b : name.ptr, len);
    memcpy(key + len, &partition, 4);
    return len + 4;
}

struct kw_mock_cached *kwi_mock_session_cached(const struct kw_mock_session *session,
                                               struct kw_str name, const struct kw_uuid *id,
                                               int32_t partition)
{
    char key[MOCKSESSION_KEY_MAX];
    size_t len = mocksession_key(key, name, session->by_id ? id : NULL, partition);
    return kwi_map_get_str(&session->by_key, key, len);
}

static void mocksession_forget(struct kw_mock *mock, struct kw_mock_session *session,
                               struct kw_mock_cached *cached)
{
    kwi_map_remove_str(&session->by_key, cached->name + cached->name_len, cached->key_len);
    kwi_list_remove(&session->cached, &cached->node);
    kwi_free(&mock->heap, cached, cached->size);
}

static int mocksession_add(const struct kw_mock_call *call, struct kw_mock_session *session,
                           const struct kw_fetch_request_topic *topic,
                           const struct kw_fetch_request_partition *asked)
{
    const struct kw_mock_topic *known = kwi_mock_call_topic(call, session->by_id, topic->topic,
                                                            &topic->topic_id);
    struct kw_str name = known ? kwi_mock_topic_str(known) : topic->topic;
    struct kw_mock_cached *cached = kwi_mock_session_cached(session, topic->topic, &topic->topic_id,
                                                            asked->partition);
    char key[MOCKSESSION_KEY_MAX];
    size_t name_len = name.len > 0 ? (size_t)name.len : 0, key_len;
    if (cached) {
        cached->asked = *asked;
        return 0;
    }
    key_len = mocksession_key(key, topic->topic, session->by_id ? &topic->topic_id : NULL,
                              asked->partition);
    cached = kwi_alloc_zero(&call->mock->heap, sizeof(*cached) + name_len + key_len);
    if (!cached)
        return KW_ERR_NOMEM;
    cached->size = sizeof(*cached) + name_len + key_len;
    cached->topic_id = topic->topic_id;
    cached->asked = *asked;
    cached->high_watermark = cached->log_start_offset = -1;
    cached->name_len = (int32_t)name_len;
    cached->key_len = key_len;
    if (name_len)
        memcpy(cached->name, name.ptr, name_len);
    memcpy(cached->name + name_len, key, key_len);
    if (kwi_map_put_str(&session->by_key, cached->name + name_len, key_len, cached)) {
        kwi_free(&call->mock->heap, cached, cached->size);
        return KW_ERR_NOMEM;
    }
    kwi_list_push(&session->cached, &cached->node);
    return 0;
}

bool kwi_mock_cached_is_news(const struct kw_mock_cached *cached,
                             const struct kw_fetch_response_partition *item)
{
    return item->error_code || item->records.len > 0 ||
           item->high_watermark != cached->high_watermark ||
           item->log_start_offset != cached->log_start_offset || item->diverging_epoch.epoch >= 0 ||
           item->preferred_read_replica >= 0;
}

/* After records it goes to the end, so that all get their turn; after an error all is
 * told again. */
void kwi_mock_cached_told(struct kw_mock_session *session, struct kw_mock_cached *cached,
                          const struct kw_fetch_response_partition *item)
{
    cached->high_watermark = item->error_code ? -1 : item->high_watermark;
    cached->log_start_offset = item->log_start_offset;
    if (item->records.len > 0) {
        kwi_list_remove(&session->cached, &cached->node);
        kwi_list_push(&session->cached, &cached->node);
    }
}

/* ---- sessions ---------------------------------------------------------------------------- */

static void mocksession_destroy(struct kw_mock *mock, struct kw_mock_session *session)
{
    while (!kwi_list_empty(&session->cached))
        mocksession_forget(mock, session,
                           KWI_OF(session->cached.first, struct kw_mock_cached, node));
    kwi_map_deinit(&session->by_key);
    kwi_list_remove(&mock->sessions, &session->node);
    kwi_free(&mock->heap, session, sizeof(*session));
}

void kwi_mock_sessions_drop(struct kw_mock *mock, uint32_t broker)
{
    struct kw_node *next;
    for (struct kw_node *n = mock->sessions.first; n; n = next) {
        struct kw_mock_session *session = KWI_OF(n, struct kw_mock_session, node);
        next = n->next;
        if (broker == UINT32_MAX || session->broker == broker)
            mocksession_destroy(mock, session);
    }
}

static struct kw_mock_session *mocksession_get(const struct kw_mock_call *call, int32_t id)
{
    for (struct kw_node *n = call->mock->sessions.first; n; n = n->next) {
        struct kw_mock_session *session = KWI_OF(n, struct kw_mock_session, node);
        if (session->id == id && session->broker == call->broker)
            return session;
    }
    return NULL;
}

static bool mocksession_has_room(struct kw_mock_call *call)
{
    struct kw_mock_session *oldest = NULL;
    uint64_t now_us = call->mock->now.mono_us;
    int32_t n = 0;
    for (struct kw_node *node = call->mock->sessions.first; node; node = node->next) {
        struct kw_mock_session *session = KWI_OF(node, struct kw_mock_session, node);
        if (session->broker != call->broker)
            continue;
        n++;
        if (!oldest)
            oldest = session;
    }
    if (n < call->mock->config.fetch_sessions)
        return true;
    if (!oldest || now_us - oldest->used_us < MOCKSESSION_EVICT_US)
        return false;
    mocksession_destroy(call->mock, oldest);
    return true;
}

static int mocksession_add_all(const struct kw_mock_call *call, struct kw_mock_session *session)
{
    const struct kw_fetch_request *req = call->request;
    struct kw_fetch_request_topic topic;
    struct kw_fetch_request_partition partition;
    struct kw_iter it, inner;
    for (kwi_iter_init(&it, &req->topics); kwi_iter_next(&it, &topic);) {
        for (kwi_iter_init(&inner, &topic.partitions); kwi_iter_next(&inner, &partition);) {
            if (mocksession_add(call, session, &topic, &partition))
                return KW_ERR_NOMEM;
        }
    }
    return 0;
}

struct kw_mock_session *kwi_mock_session_grant(struct kw_mock_call *call)
{
    const struct kw_fetch_request *req = call->request;
    struct kw_mock_session *session;
    if (req->session_epoch != 0 || call->version < 7 || !mocksession_has_room(call))
        return NULL;
    session = kwi_alloc_zero(&call->mock->heap, sizeof(*session));
    if (!session)
        return NULL;
    kwi_map_init(&session->by_key, &call->mock->heap);
    do {
        session->id = (int32_t)(kwi_rng_next(&call->mock->rng) & INT32_MAX);
    } while (session->id == 0 || mocksession_get(call, session->id));
    session->epoch = 1;
    session->broker = call->broker;
    session->by_id = call->version >= 13;
    session->used_us = call->mock->now.mono_us;
    kwi_list_push(&call->mock->sessions, &session->node);
    if (mocksession_add_all(call, session)) {
        mocksession_destroy(call->mock, session);
        return NULL;
    }
    return session;
}

static void mocksession_forget_all(struct kw_mock_call *call, struct kw_mock_session *session)
{
    const struct kw_fetch_request *req = call->request;
    struct kw_fetch_request_forgotten topic;
    struct kw_iter it, inner;
    int32_t partition;
    for (kwi_iter_init(&it, &req->forgotten_topics_data); kwi_iter_next(&it, &topic);) {
        for (kwi_iter_init(&inner, &topic.partitions); kwi_iter_next(&inner, &partition);) {
            struct kw_mock_cached *cached = kwi_mock_session_cached(session, topic.topic,
                                                                    &topic.topic_id, partition);
            if (cached)
                mocksession_forget(call->mock, session, cached);
        }
    }
}

struct kw_mock_session *kwi_mock_session_find(const struct kw_mock_call *call)
{
    const struct kw_fetch_request *req = call->request;
    if (call->version < 7 || req->session_epoch <= 0)
        return NULL;
    return mocksession_get(call, req->session_id);
}

int16_t kwi_mock_session_enter(struct kw_mock_call *call, struct kw_mock_session **out)
{
    const struct kw_fetch_request *req = call->request;
    struct kw_mock_session *session = call->version >= 7 && req->session_id
                                          ? mocksession_get(call, req->session_id)
                                          : NULL;
    *out = NULL;
    if (call->version < 7 || req->session_epoch <= 0) {
        if (session && !call->waited) /* a new one takes its place, or none */
            mocksession_destroy(call->mock, session);
        return 0;
    }
    if (!session)
        return KW_E_FETCH_SESSION_ID_NOT_FOUND;
    *out = session;
    if (call->waited)
        return 0;
    if (session->epoch != req->session_epoch)
        return KW_E_INVALID_FETCH_SESSION_EPOCH;
    if (session->by_id != (call->version >= 13))
        return KW_E_FETCH_SESSION_TOPIC_ID_ERROR;
    if (mocksession_add_all(call, session))
        return KW_E_UNKNOWN_SERVER_ERROR;
    mocksession_forget_all(call, session);
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
    session->used_us = call->mock->now.mono_us;
    kwi_list_remove(&call->mock->sessions, &session->node);
    kwi_list_push(&call->mock->sessions, &session->node);
    if (kwi_list_empty(&session->cached)) { /* nothing left to remember */
        mocksession_destroy(call->mock, session);
        *out = NULL;
    }
    return 0;
}
