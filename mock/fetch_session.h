/* mock/fetch_session.h -- incremental fetch sessions of the broker model (KIP-227):
 * what a client named is kept, and an answer tells only of what is new. */
#ifndef KWI_MOCK_FETCH_SESSION_H
#define KWI_MOCK_FETCH_SESSION_H
#include "mock/call.h"
#include "proto/fetch.h"

/* A partition of a session: as it was named, and what was told of it. */
struct kw_mock_cached {
    struct kw_node node; /* in the order in which answers are filled */
    struct kw_uuid topic_id;
    struct kw_fetch_request_partition asked;
    int64_t high_watermark, log_start_offset; /* told last; -1 nothing */
    size_t size, key_len;
    int32_t name_len;
    char name[]; /* and behind it the key: name or id, and the partition's number */
};

struct kw_mock_session {
    struct kw_node node; /* in mock->sessions, used longest ago first */
    int32_t id, epoch;   /* epoch: of the next request */
    uint32_t broker;
    bool by_id;
    uint64_t used_us;
    struct kw_map by_key;
    struct kw_list cached;
};

/* What the request is to the broker, looked at when it comes for the first time: a
 * session is opened, changed or closed by it. A Kafka error of the whole answer, or 0;
 * *out is NULL if its answer is to tell of all that it names. */
int16_t kwi_mock_session_enter(struct kw_mock_call *call, struct kw_mock_session **out);
/* The session in which a full request asks to be answered; NULL: none is granted. */
struct kw_mock_session *kwi_mock_session_grant(struct kw_mock_call *call);
/* The session of an incremental request, or NULL. */
struct kw_mock_session *kwi_mock_session_find(const struct kw_mock_call *call);
struct kw_mock_cached *kwi_mock_session_cached(const struct kw_mock_session *session,
                                               struct kw_str name, const struct kw_uuid *id,
                                               int32_t partition);
/* Whether the answer must tell of it. */
bool kwi_mock_cached_is_news(const struct kw_mock_cached *cached,
                             const struct kw_fetch_response_partition *item);
/* It was told. */
void kwi_mock_cached_told(struct kw_mock_session *session, struct kw_mock_cached *cached,
                          const struct kw_fetch_response_partition *item);
/* Forgets the sessions of a broker; UINT32_MAX: of all. */
void kwi_mock_sessions_drop(struct kw_mock *mock, uint32_t broker);

#endif
