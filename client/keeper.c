/* client/keeper.c -- the way to the coordinator, for all that is asked of it in the name of
 * a group: commits, committed offsets, membership. Which broker it is, coordinator.c knows. */
#include "client/consumer.h"

struct kw_link *kwi_keeper_link(struct kw_consumer *consumer)
{
    struct kw_keeper *keeper = &consumer->keeper;
    struct kw_broker *broker;

    kwi_coordinator_want(keeper->coordinator);
    broker = kwi_coordinator_broker(keeper->coordinator);
    if (!broker)
        return NULL;
    if (keeper->blocked)
        return kwi_link_get(broker, KWI_LANE_CONTROL, NULL);
    return kwi_link_get(broker, KWI_LANE_GROUP, consumer);
}

void kwi_keeper_lost(struct kw_consumer *consumer, const struct kw_request *req, int err)
{
    if (err != KW_ERR_CANCELED && err != KW_ERR_CLOSED)
        kwi_coordinator_lost(consumer->keeper.coordinator, (int32_t)req->arg);
}

bool kwi_keeper_is_final(int err)
{
    return err == KW_ERR_UNSUPPORTED || err == KW_ERR_VERSION || err == KW_ERR_LIMIT ||
           err == KW_ERR_SPACE || err == KW_ERR_CLOSED || err == KW_ERR_AUTH ||
           err == KW_ERR_LENGTH;
}
