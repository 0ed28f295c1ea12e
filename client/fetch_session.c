/* client/fetch_session.c -- incremental fetch sessions (KIP-227): a broker remembers
 * the partitions that were named, so that a request says only what changed.
 *
 *   none (id 0, epoch 0) --FULL, granted--> live (id, epoch 1, 2, ...)
 *   live --NEXT--> live      live --an error, or an answer that is lost--> (id, epoch 0)
 *   (id, epoch 0) --FULL: closes the old one--> live, or none if it is not granted
 *
 * What the broker has is known by lists, each change of which costs the parts that
 * it is about and not those that the broker has:
 *
 *   members --the part leaves--> leaving --told--> told --answered--> nowhere
 *   leaving --named again--> members
 *   any --the part is destroyed, or is another broker's--> gone --told--> told_gone
 *
 * A broker first takes what a request names and then forgets what it says to forget.
 * So nothing is named while something is `gone`: it might be the same partition. */
#include <string.h>

#include "client/fetcher.h"
#include "proto/error.h"

static void session_move(struct kw_fetcher *fetcher, struct kw_consumer_part *part,
                         struct kw_list *list)
{
    struct kw_fetch_session *session = &fetcher->session;

    if (part->session_list)
        kwi_list_remove(part->session_list, &part->session_node);
    session->n_leaving -= part->session_list == &session->leaving;
    session->n_leaving += list == &session->leaving;
    part->session_list = list;
    if (list)
        kwi_list_push(list, &part->session_node);
}

static struct kw_consumer_part *session_part(struct kw_node *node)
{
    return KWI_OF(node, struct kw_consumer_part, session_node);
}

static struct kw_fetch_gone *session_gone(struct kw_node *node)
{
    return KWI_OF(node, struct kw_fetch_gone, node);
}

/* The broker has it no more, or nobody cares. */
static void session_drop(struct kw_fetcher *fetcher, struct kw_consumer_part *part)
{
    fetcher->session.envelope -= kwi_fetch_envelope(part);
    session_move(fetcher, part, NULL);
    part->member_of = NULL;
}

static void session_free_gone(struct kw_fetcher *fetcher, struct kw_list *list)
{
    while (!kwi_list_empty(list)) {
        struct kw_fetch_gone *gone = session_gone(kwi_list_pop(list));
        fetcher->session.envelope -= gone->envelope;
        kwi_consumer_topic_put(gone->topic);
        kwi_free(&fetcher->consumer->core->control, gone, sizeof(*gone));
    }
}

/* ---- parts ------------------------------------------------------------------------------ */

size_t kwi_fetch_envelope(const struct kw_consumer_part *part)
{
    return KWI_FETCH_ENVELOPE_PART + KWI_FETCH_ENVELOPE_TOPIC + part->topic->meta->name_len;
}

void kwi_session_enroll(struct kw_fetcher *fetcher, struct kw_consumer_part *part)
{
    if (part->member_of && part->member_of != fetcher)
        kwi_session_expel(part);
    if (!part->member_of)
        fetcher->session.envelope += kwi_fetch_envelope(part);
    part->member_of = fetcher;
    session_move(fetcher, part, &fetcher->session.members);
}

void kwi_session_leave(struct kw_consumer_part *part)
{
    struct kw_fetcher *fetcher = part->member_of;

    if (fetcher && part->session_list == &fetcher->session.members)
        session_move(fetcher, part, &fetcher->session.leaving);
}

void kwi_session_expel(struct kw_consumer_part *part)
{
    struct kw_fetcher *fetcher = part->member_of;
    struct kw_fetch_session *session;
    struct kw_fetch_gone *gone;

    if (!fetcher)
        return;
    session = &fetcher->session;
    if (part->session_list == &session->told) {
        session_drop(fetcher, part);
        return;
    }
    gone = fetcher->n_parts ? kwi_alloc_zero(&fetcher->consumer->core->control, sizeof(*gone))
                            : NULL;
    if (!gone) {
        session->broken = true; /* a new session forgets all that it does not name */
        session_drop(fetcher, part);
        return;
    }
    gone->topic = part->topic;
    gone->topic->refs++;
    gone->id = part->topic->id;
    gone->partition = part->partition;
    gone->envelope = kwi_fetch_envelope(part);
    session_drop(fetcher, part);
    session->envelope += gone->envelope;
    kwi_list_push(&session->gone, &gone->node);
    session->n_gone++;
}

void kwi_session_abandon(struct kw_fetcher *fetcher)
{
    struct kw_fetch_session *session = &fetcher->session;

    if (!kwi_list_empty(&session->gone))
        session->broken = true;
    session_free_gone(fetcher, &session->gone);
    session_free_gone(fetcher, &session->told_gone);
    session->n_gone = 0;
}

void kwi_session_restart(struct kw_fetcher *fetcher)
{
    struct kw_fetch_session *session = &fetcher->session;
    struct kw_list *lists[] = {&session->members, &session->leaving, &session->told};

    for (unsigned i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        while (!kwi_list_empty(lists[i]))
            session_drop(fetcher, session_part(lists[i]->first));
    }
    kwi_session_abandon(fetcher);
    while (!kwi_list_empty(&fetcher->quiet))
        kwi_part_move(kwi_fetch_part(fetcher->quiet.first), &fetcher->idle);
    session->epoch = 0;
    session->broken = false;
}

void kwi_session_lost(struct kw_fetcher *fetcher)
{
    kwi_session_restart(fetcher);
    fetcher->session.id = 0;
}

/* ---- asking ----------------------------------------------------------------------------- */

enum kw_fetch_kind kwi_session_next(struct kw_fetcher *fetcher, int version)
{
    struct kw_fetch_session *session = &fetcher->session;

    if (version < 7) {
        kwi_session_lost(fetcher);
        return KWI_FETCH_ALONE;
    }
    if (session->crowded && fetcher->n_parts >= session->crowded) {
        kwi_session_restart(fetcher);
        return KWI_FETCH_ALONE;
    }
    if (session->by_id != (version >= KWI_FETCH_BY_ID))
        kwi_session_restart(fetcher);
    session->by_id = version >= KWI_FETCH_BY_ID;
    session->crowded = 0;
    /* What cannot be told beside a question is told by beginning anew. */
    if (session->n_gone > KWI_FETCH_PARTS || (session->n_gone && kwi_list_empty(&fetcher->quiet)))
        session->broken = true;
    if (session->broken)
        kwi_session_restart(fetcher);
    return session->epoch ? KWI_FETCH_NEXT : KWI_FETCH_FULL;
}

void kwi_session_tell(struct kw_fetcher *fetcher)
{
    struct kw_fetch_session *session = &fetcher->session;
    uint32_t n = 0;

    for (; n < KWI_FETCH_PARTS && !kwi_list_empty(&session->gone); n++) {
        kwi_list_push(&session->told_gone, kwi_list_pop(&session->gone));
        session->n_gone--;
    }
    for (; n < KWI_FETCH_PARTS && !kwi_list_empty(&session->leaving); n++)
        session_move(fetcher, session_part(session->leaving.first), &session->told);
}

/* Appends one; neighbours of one topic share an entry. */
static void session_put(struct kw_fetch_request *msg, int32_t *partitions, uint32_t n,
                        struct kw_fetch_request_forgotten *topics,
                        const struct kw_consumer_topic *topic, const struct kw_uuid *id,
                        int32_t partition)
{
    struct kw_str name = {topic->meta->name, (int32_t)topic->meta->name_len};
    int32_t at = msg->forgotten_topics_data.n;

    partitions[n] = partition;
    if (at == 0 || topics[at - 1].topic.ptr != name.ptr ||
        memcmp(topics[at - 1].topic_id.b, id->b, sizeof(id->b)) != 0) {
        kwi_fetch_request_forgotten_init(&topics[at]);
        topics[at].topic = name;
        topics[at].topic_id = *id;
        topics[at].partitions = KWI_ARR(&partitions[n], 0);
        msg->forgotten_topics_data = KWI_ARR(topics, ++at);
    }
    topics[at - 1].partitions.n++;
}

void kwi_session_fill(const struct kw_fetcher *fetcher, struct kw_fetch_request *msg,
                      int32_t *partitions, struct kw_fetch_request_forgotten *topics)
{
    const struct kw_fetch_session *session = &fetcher->session;
    uint32_t n = 0;

    msg->forgotten_topics_data = KWI_ARR(topics, 0);
    for (struct kw_node *node = session->told_gone.first; node; node = node->next, n++) {
        const struct kw_fetch_gone *gone = session_gone(node);
        session_put(msg, partitions, n, topics, gone->topic, &gone->id, gone->partition);
    }
    for (struct kw_node *node = session->told.first; node; node = node->next, n++) {
        const struct kw_consumer_part *part = session_part(node);
        session_put(msg, partitions, n, topics, part->topic, &part->topic->id, part->partition);
    }
}

/* ---- the answer ------------------------------------------------------------------------- */

void kwi_session_answered(struct kw_fetcher *fetcher, int32_t session_id, bool throttled)
{
    struct kw_fetch_session *session = &fetcher->session;

    if (fetcher->kind == KWI_FETCH_ALONE) {
        if (!fetcher->is_solo)
            session->id = 0; /* it was closed by the same request */
        return;
    }
    session->n_restarts = 0;
    if (session_id == 0 || (fetcher->kind == KWI_FETCH_NEXT && session_id != session->id)) {
        /* A throttled answer says nothing, and a broker may end a session. */
        session->refused = fetcher->kind == KWI_FETCH_FULL && !throttled;
        kwi_session_lost(fetcher);
        return;
    }
    if (fetcher->kind == KWI_FETCH_FULL)
        fetcher->consumer->core->stats.fetch_sessions++;
    session->refused = false;
    session->id = session_id;
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
    while (!kwi_list_empty(&session->told))
        session_drop(fetcher, session_part(session->told.first));
    session_free_gone(fetcher, &session->told_gone);
}

bool kwi_session_failed(struct kw_fetcher *fetcher, int16_t kafka_code)
{
    struct kw_fetch_session *session = &fetcher->session;

    if (fetcher->kind == KWI_FETCH_ALONE)
        return false;
    if (kafka_code == KW_E_FETCH_SESSION_ID_NOT_FOUND)
        kwi_session_lost(fetcher);
    else
        kwi_session_restart(fetcher); /* whether it was carried out is not known */
    if (kwi_error_info(kafka_code)->error_class != KW_EC_SESSION)
        return false;
    fetcher->consumer->core->stats.fetch_session_errors++;
    return session->n_restarts++ == 0;
}
