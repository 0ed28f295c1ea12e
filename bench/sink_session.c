/* bench/sink_session.c -- parts of a fetch session, in their order. */
#include <string.h>

#include "bench/sink_session.h"

void sink_session_begin(struct sink_session *session, bool kept)
{
    int32_t id = session->last_id + (kept ? 1 : 0);

    *session = (struct sink_session){.id = kept ? id : 0, .epoch = 1, .last_id = id};
}

static int32_t session_find(const struct sink_session *session, int32_t partition)
{
    int32_t i = 0;

    while (i < session->n && session->order[i] != partition)
        i++;
    return i;
}

void sink_session_name(struct sink_session *session, int32_t partition, int64_t offset,
                       int64_t size_max)
{
    if (session_find(session, partition) == session->n)
        session->order[session->n++] = partition;
    session->asks[partition] = (struct sink_ask){offset, size_max};
}

void sink_session_forget(struct sink_session *session, int32_t partition)
{
    int32_t at = session_find(session, partition);

    if (at == session->n)
        return;
    session->n--;
    memmove(session->order + at, session->order + at + 1,
            (size_t)(session->n - at) * sizeof(*session->order));
}

void sink_session_rotate(struct sink_session *session, int32_t partition)
{
    sink_session_forget(session, partition);
    session->order[session->n++] = partition;
}
