/* client/fetcher.h -- the traffic of a consumer with one broker.
 *
 *   fetch.c          what is asked for and when: lists of parts, the request
 *   fetch_memory.c   with which memory
 *   fetch_session.c  what the broker keeps of it (KIP-227)
 *   fetch_answer.c   taking the answer apart
 *   fetch_end.c      the end of a session
 *   fetch_ask.c      questions about parts, besides Fetch:
 *   list_offsets.c   where they begin
 *   epoch_check.c    whether their positions are in the log of another leader
 *
 * A part that can be fetched stands in one of these lists:
 *
 *   idle      its position is to be told to the broker
 *   named     told by the request under way
 *   quiet     the session has it as it is: nothing is to be told
 *   parting   paused while it was in one of the two before
 *   buffered  it has data that may be handed out
 *   resting   paused
 *
 * An answer may touch only what it was asked for: `named`, `parting`, and, of a
 * request within the session, `quiet`. Leaving those lists is all that a seek or an
 * assignment has to do. */
#ifndef KWI_FETCHER_H
#define KWI_FETCHER_H
#include "client/consumer.h"
#include "proto/fetch.h"

enum {
    KWI_FETCH_BY_ID = 13,          /* from this version on topics have no names */
    KWI_FETCH_PARTS = 1024,        /* named, and forgotten, in one request */
    KWI_FETCH_ENVELOPE = 64,       /* bytes of an answer around the topics */
    KWI_FETCH_ENVELOPE_TOPIC = 24, /* around a topic's name, or around its id */
    KWI_FETCH_ENVELOPE_PART = 96   /* around the records of a part */
};

/* What a request is to its broker. */
enum kw_fetch_kind {
    KWI_FETCH_ALONE, /* no session: it names all that it asks for */
    KWI_FETCH_FULL,  /* begins a session with what it names */
    KWI_FETCH_NEXT   /* of the session: it names what changed */
};

/* A partition that the broker has in the session, and that must be forgotten
 * although its part is not there any more, or another broker's. */
struct kw_fetch_gone {
    struct kw_node node;
    struct kw_consumer_topic *topic; /* held */
    struct kw_uuid id;               /* under which it was named: the topic may have another */
    int32_t partition;
    size_t envelope;
};

struct kw_fetch_session {
    int32_t id;          /* 0: none */
    int32_t epoch;       /* of the next request; 0: it begins one */
    bool refused;        /* the last wish for one was not granted */
    bool broken;         /* what the broker has is not what we think */
    bool by_id;          /* its topics are named by their ids */
    uint32_t n_restarts; /* since it last worked */
    uint32_t crowded;    /* with that many parts there is no room for its answers; 0 */
    /* Of what the broker has; kw_consumer_part by session_node, kw_fetch_gone. */
    struct kw_list members;         /* and shall have */
    struct kw_list leaving, gone;   /* and shall not have */
    struct kw_list told, told_gone; /* which the request under way says */
    uint32_t n_leaving, n_gone;
    size_t envelope; /* bytes of an answer around the records of them all */
};

/* Arrays for encoding, of `cap` elements each. */
struct kw_fetch_scratch {
    struct kw_fetch_request_partition *partitions;
    struct kw_fetch_request_topic *topics;
    int32_t *forgotten;
    struct kw_fetch_request_forgotten *forgotten_topics;
    uint32_t cap;
};

/* Parts about which something is asked, see fetch_ask.c. */
struct kw_fetch_ask {
    const struct kw_request_type *type;
    struct kw_list waiting, asked; /* asked: by the request under way */
    struct kw_request *req;        /* or NULL */
};

struct kw_fetcher {
    struct kw_consumer *consumer;
    struct kw_node node;
    struct kw_link *link;
    struct kw_list idle, named, quiet, parting, buffered, resting;
    struct kw_fetch_ask lookup, check;
    uint32_t n_parts; /* in all these lists */
    uint32_t n_quiet;
    uint32_t n_by_name; /* parts whose topic has no id that is known */
    uint32_t solo;      /* that many fetches ask for one part only */
    struct kw_fetch_session session;
    struct kw_request *fetching;
    uint8_t kind;          /* of `fetching`: enum kw_fetch_kind */
    bool is_solo;          /* `fetching` asks for one part */
    bool at_once;          /* `fetching` does not wait for records */
    uint32_t n_named;      /* by `fetching` */
    bool starving;         /* waits for memory */
    bool at_end;           /* its last answer brought nothing: there is nothing now */
    bool was_full;         /* its last answer had no room for more: there may be more */
    bool hold_over;        /* it waited long enough for the application to take what it has */
    struct kw_timer timer; /* it pauses */
    struct kw_timer hold;
    struct kw_fetch_scratch scratch;
};

static inline struct kw_consumer_part *kwi_fetch_part(struct kw_node *node)
{
    return KWI_OF(node, struct kw_consumer_part, node);
}

/* fetch.c */
struct kw_fetcher *kwi_fetcher_get(struct kw_consumer *consumer, struct kw_broker *broker);
void kwi_fetcher_destroy(struct kw_fetcher *fetcher);
void kwi_fetcher_kick(struct kw_fetcher *fetcher);
/* Tries again after a pause: memory for a request was short, or it failed. */
void kwi_fetcher_later(struct kw_fetcher *fetcher);
/* The broker cannot be reached: parts that it does not lead go back to their leaders. */
void kwi_fetcher_leave_replicas(struct kw_fetcher *fetcher);
/* Maybe the last part went that it waited for: see fetch.c. */
void kwi_fetcher_unheld(struct kw_fetcher *fetcher);
/* The request under way asks for the part. */
bool kwi_fetcher_asks(const struct kw_fetcher *fetcher, const struct kw_consumer_part *part);

/* fetch_memory.c */
/* Chooses max_bytes for an answer about n parts, one of which may be known to need
 * `need` bytes, and reserves its memory. 0: there is not enough; it waits until some
 * comes back. */
KW_MUST_USE size_t kwi_fetcher_reserve(struct kw_fetcher *fetcher, uint32_t n, int32_t need,
                                       size_t envelope, size_t *reserved);
/* The reserve is short: it waits until some comes back. */
void kwi_fetcher_starve(struct kw_fetcher *fetcher);
/* See struct kw_request_type. */
void kwi_fetch_room(struct kw_request *req, struct kw_block *block);

/* fetch_session.c */
/* Bytes of an answer around the records of one part. */
size_t kwi_fetch_envelope(const struct kw_consumer_part *part);
/* The part is named in a request of the session. */
void kwi_session_enroll(struct kw_fetcher *fetcher, struct kw_consumer_part *part);
/* The part is not to be in the session in which it is, if any, until it is named
 * again: the next request says so. */
void kwi_session_leave(struct kw_consumer_part *part);
/* The same, and it is not this part any more that could be named again. */
void kwi_session_expel(struct kw_consumer_part *part);
/* Nothing is asked for any more: what is gone need not be told. */
void kwi_session_abandon(struct kw_fetcher *fetcher);
/* Whatever the broker has is forgotten: the next request begins a session, and
 * closes the one that the broker may still have. */
void kwi_session_restart(struct kw_fetcher *fetcher);
/* The same, and the broker has none. */
void kwi_session_lost(struct kw_fetcher *fetcher);
/* Which kind of request comes next, of this version of Fetch. */
enum kw_fetch_kind kwi_session_next(struct kw_fetcher *fetcher, int version);
/* Picks what the next request tells to forget. */
void kwi_session_tell(struct kw_fetcher *fetcher);
/* Writes it into the message, as runs of one topic. The arrays have room for all
 * that was to be forgotten, or for KWI_FETCH_PARTS. */
void kwi_session_fill(const struct kw_fetcher *fetcher, struct kw_fetch_request *msg,
                      int32_t *partitions, struct kw_fetch_request_forgotten *topics);
/* What a good answer says of the session. */
void kwi_session_answered(struct kw_fetcher *fetcher, int32_t session_id, bool throttled);
/* The request came to nothing; kafka_code: the error of the whole answer, or 0. True:
 * the next one may be sent at once. */
bool kwi_session_failed(struct kw_fetcher *fetcher, int16_t kafka_code);

/* fetch_answer.c */
void kwi_fetch_done(struct kw_request *req, const struct kw_answer *answer);

/* fetch_end.c */
/* Tells the broker that the session is over. core->n_session_ends counts who has not
 * answered. */
void kwi_session_end(struct kw_fetcher *fetcher);

/* fetch_ask.c */
/* Asks about those that wait, if nothing is asked. */
void kwi_ask_kick(struct kw_fetcher *fetcher, struct kw_fetch_ask *ask);
/* The fetcher goes, and what it asked is of no interest. */
void kwi_ask_forget(struct kw_fetch_ask *ask);
/* Parts that got no answer try again after a pause. */
void kwi_ask_retry(struct kw_list *list);
/* Encodes a request about the parts of a list, with room for so many elements of each
 * size. 0 parts: KW_ERR_CANCELED, all of them went elsewhere while it was queued. */
typedef int kwi_ask_encode_fn(struct kw_fetcher *fetcher, int16_t version, struct kw_wr *wr,
                              void *partitions, void *topics);
KW_MUST_USE int kwi_ask_encode(struct kw_request *req, struct kw_wr *wr,
                               const struct kw_list *asked, size_t partition_size,
                               size_t topic_size, kwi_ask_encode_fn *encode);
/* list_offsets.c, epoch_check.c */
extern const struct kw_request_type kwi_lookup_type, kwi_check_type;

#endif
