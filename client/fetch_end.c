/* client/fetch_end.c -- a broker is told that a fetch session is over (KIP-227), so that
 * it need not keep it until the room is short.
 *
 * A broker answers the requests of one connection in turn, and the fetch connection
 * mostly waits for records: it is told over the control connection. Only where the
 * fetch connection is up, and for a short time: nothing is lost if it never learns. */
#include "client/close.h"
#include "client/fetcher.h"

enum { END_TIMEOUT_MS = 1000 };

static int end_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_fetch_request msg;

    if (req->version < 7)
        return KW_ERR_CANCELED; /* another broker lives at the address now */
    kwi_fetch_request_init(&msg);
    msg.replica_id = -1;
    msg.session_id = (int32_t)req->arg;
    msg.session_epoch = -1;
    return kwi_fetch_request_encode(&msg, req->version, wr);
}

static void end_done(struct kw_request *req, const struct kw_answer *answer)
{
    (void)answer;
    req->core->n_session_ends--;
    kwi_close_check(req->core);
}

static const struct kw_request_type end_type = {
    .api_key = KW_API_FETCH,
    .encode = end_encode,
    .done = end_done,
};

void kwi_session_end(struct kw_fetcher *fetcher)
{
    struct kw_core *core = fetcher->consumer->core;
    struct kw_link *link;
    struct kw_request *req;

    if (!fetcher->session.id || !kwi_link_ready(fetcher->link))
        return;
    link = kwi_link_get(fetcher->link->broker, KWI_LANE_CONTROL, NULL);
    req = link ? kwi_request_create(core, link, &end_type, NULL) : NULL;
    if (!req)
        return;
    req->arg = (uint64_t)(uint32_t)fetcher->session.id;
    req->timeout_ms = END_TIMEOUT_MS;
    fetcher->session.id = 0;
    core->n_session_ends++;
    kwi_request_submit(req);
}
