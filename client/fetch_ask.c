/* client/fetch_ask.c -- questions to a leader about parts, besides Fetch: one request at
 * a time, over its control connection, for those that wait for it. What is asked and
 * what the answer means is in list_offsets.c and epoch_check.c.
 *
 *   waiting --kick--> asked --answered: the part leaves, or waits again--> ...
 *
 * A part that leaves these lists is not touched by an answer any more. */
#include "client/fetcher.h"

enum { ASK_PARTS = 256 }; /* in one request */

void kwi_ask_retry(struct kw_list *list)
{
    while (!kwi_list_empty(list))
        kwi_part_step(kwi_fetch_part(list->first), KWI_PART_RETRY);
}

void kwi_ask_kick(struct kw_fetcher *fetcher, struct kw_fetch_ask *ask)
{
    struct kw_link *link;
    struct kw_request *req;

    if (ask->req || kwi_list_empty(&ask->waiting) || fetcher->consumer->closed)
        return;
    link = kwi_link_get(fetcher->link->broker, KWI_LANE_CONTROL, NULL);
    req = link ? kwi_consumer_request(fetcher->consumer, link, ask->type, fetcher) : NULL;
    if (!req) { /* what cannot be asked now is tried again after a pause */
        kwi_ask_retry(&ask->waiting);
        return;
    }
    for (uint32_t n = 0; n < ASK_PARTS && !kwi_list_empty(&ask->waiting); n++)
        kwi_part_move(kwi_fetch_part(ask->waiting.first), &ask->asked);
    ask->req = req;
    kwi_request_submit(req);
}

void kwi_ask_forget(struct kw_fetch_ask *ask)
{
    if (ask->req)
        ask->req->owner = NULL;
    ask->req = NULL;
}

int kwi_ask_encode(struct kw_request *req, struct kw_wr *wr, const struct kw_list *asked,
                   size_t partition_size, size_t topic_size, kwi_ask_encode_fn *encode)
{
    struct kw_heap *heap = &req->core->control;
    void *partitions, *topics;
    size_t n = 0;
    int rc = KW_ERR_NOMEM;

    for (const struct kw_node *node = asked->first; node; node = node->next)
        n++;
    if (n == 0)
        return KW_ERR_CANCELED;
    partitions = kwi_alloc(heap, n * partition_size);
    topics = kwi_alloc(heap, n * topic_size);
    if (partitions && topics)
        rc = encode(req->owner, req->version, wr, partitions, topics);
    kwi_free(heap, partitions, n * partition_size);
    kwi_free(heap, topics, n * topic_size);
    return rc;
}
