/* client/route.c -- the way of a partition's batches to its leader: a partition
 * with something to send waits in the ready list of the leader's link, unless it
 * backs off, or as many batches as allowed are under way. */
#include "client/config.h"
#include "client/sender.h"
#include "client/txn.h"

void kwi_part_unready(struct kw_part *part)
{
    if (!part->ready)
        return;
    kwi_list_remove(&part->link->ready, &part->ready_node);
    part->ready = false;
}

static struct kw_link *route_link(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_broker *leader = kwi_topic_meta_leader(part->topic->meta, part->index);
    struct kw_link *link;

    if (!leader) {
        kwi_cluster_refresh(producer->core);
        return NULL;
    }
    link = kwi_link_get(leader, KWI_LANE_PRODUCE, producer);
    if (!link)
        return NULL;
    link->pull = kwi_sender_pull;
    link->max_in_flight = producer->max_in_flight;
    return link;
}

bool kwi_batch_is_due(const struct kw_batch *batch)
{
    return batch->pinned && !batch->packing && !batch->oversize &&
           !(batch->restamp && batch->n_lent);
}

void kwi_part_mute(struct kw_part *part, uint32_t attempts)
{
    struct kw_core *core = part->topic->core;

    part->muted = true;
    part->n_lost = 0; /* unless kwi_part_route says so, it is not for want of a leader */
    kwi_core_arm(core, &part->backoff, kwi_producer_retry_us(part->topic->producer, attempts));
}

void kwi_part_route(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_link *link;
    struct kw_batch *batch;

    if (part->taken)
        return; /* looked at again when the request is filled */
    if (kwi_list_empty(&part->queue) || part->muted || producer->fatal ||
        part->n_sent >= kwi_part_window(part) || (producer->txn && !kwi_txn_part_ready(part))) {
        kwi_part_unready(part);
        return;
    }
    batch = KWI_OF(part->queue.first, struct kw_batch, node);
    if (batch->oversize && !batch->n_lent && !kwi_batch_split(batch)) {
        kwi_part_unready(part);
        kwi_part_mute(part, 0); /* memory may come by then */
        return;
    }
    if (!kwi_batch_is_due(batch)) {
        kwi_part_unready(part); /* it may be ready for one before it that has ended */
        return;
    }
    link = route_link(part);
    if (link != part->link)
        kwi_part_unready(part);
    part->link = link;
    if (!link) {
        uint32_t n_lost = part->n_lost;
        kwi_part_mute(part, n_lost);
        part->n_lost = n_lost + (n_lost < 32);
        return;
    }
    part->n_lost = 0;
    if (!part->ready) {
        part->ready = true;
        if (kwi_list_empty(&link->ready))
            link->waits_us = producer->core->now.mono_us;
        kwi_list_push(&link->ready, &part->ready_node);
    }
    if (kwi_producer_id_ready(producer))
        kwi_link_kick(link);
}

void kwi_part_found(struct kw_part *part)
{
    if (part->n_lost && kwi_topic_meta_leader(part->topic->meta, part->index)) {
        kwi_core_disarm(part->topic->core, &part->backoff);
        part->muted = false;
    }
    kwi_part_route(part);
}

void kwi_sender_kick(struct kw_producer *producer)
{
    for (struct kw_node *n = producer->core->links.first; n; n = n->next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, node);
        if (link->owner == producer && !kwi_list_empty(&link->ready))
            kwi_link_kick(link);
    }
}
