/* client/writable.c -- WOULD_BLOCK and the event WRITABLE behind it. */
#include "client/producer.h"

void kwi_producer_block(struct kw_producer *producer)
{
    producer->blocked = producer->core->producers_blocked = true;
}

static bool producer_is_writable(const struct kw_producer *producer)
{
    const struct kw_pool *pool = &producer->core->produce_pool;
    size_t free_bytes = kwi_pool_free(pool);

    return producer->fatal ||
           (free_bytes > kwi_producer_reserve(producer) && free_bytes >= pool->heap->limit / 16);
}

/* The reserve is one for all producers: what one lets go of may be what another waits for. */
void kwi_producers_check_writable(struct kw_core *core)
{
    if (!core->producers_blocked)
        return;
    core->producers_blocked = false;
    for (struct kw_node *n = core->producers.first; n; n = n->next) {
        struct kw_producer *producer = KWI_OF(n, struct kw_producer, node);

        if (producer->blocked && producer_is_writable(producer)) {
            producer->blocked = false;
            kwi_event_raise(core, &producer->writable);
        }
        core->producers_blocked |= producer->blocked;
    }
}
