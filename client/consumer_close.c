/* client/consumer_close.c -- the end of a consumer: with its client (kw_close, destroy), or
 * alone (kw_consumer_close), while others of the client go on.
 *
 * Alone: fetches end at once, what is stored is committed, the group is left, the op ends.
 * When its result is taken the consumer is gone, with its connections and its memory; of
 * handles that the application still has only these are left, until it releases them. */
#include "client/close.h"
#include "client/config.h"
#include "client/consumer.h"
#include "client/error_text.h"
#include "client/group.h"
#include "client/op.h"
#include <kwire/kwire.h>

struct kw_consumer_close {
    struct kw_op op;
    struct kw_consumer *consumer; /* NULL: it is gone */
};

static void consumer_stop(struct kw_consumer *consumer, bool drop)
{
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;

    for (uint32_t i = 0; (topic = kwi_map_next(&consumer->topics, &i));) {
        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));) {
            if (drop)
                kwi_part_drop(part);
            kwi_part_step(part, KWI_PART_STOP);
        }
    }
    kwi_fetchers_sweep(consumer);
}

void kwi_consumer_close(struct kw_consumer *consumer)
{
    if (consumer->closed)
        return;
    consumer->closed = true;
    if (consumer->core->close) /* else the core is destroyed at once */
        kwi_fetchers_end(consumer);
    consumer_stop(consumer, false);
    if (consumer->keeper.group_id && !consumer->core->closing)
        kwi_keeper_close(consumer);
}

bool kwi_consumer_drained(const struct kw_consumer *consumer)
{
    return !kwi_commits_pending(consumer) && (consumer->abandoned || kwi_group_is_out(consumer));
}

void kwi_consumer_abandon(struct kw_consumer *consumer)
{
    kwi_commits_cancel(consumer, KW_ERR_TIMEOUT);
    consumer->abandoned = true;
}

/* ---- destroying ------------------------------------------------------------------------- */

/* All but the object and its handles. */
static void consumer_deinit(struct kw_consumer *consumer)
{
    struct kw_core *core = consumer->core;

    kwi_consumer_close(consumer);
    kwi_event_drop(core, &consumer->event);
    kwi_consumer_told(consumer);
    kwi_group_destroy(consumer);
    kwi_keeper_deinit(consumer);
    kwi_links_drop(core, KWI_LANE_GROUP, consumer);
    kwi_consumer_drop_topics(&consumer->topics);
    kwi_map_init(&consumer->topics, &core->control);
    kwi_map_deinit(&consumer->by_id);
    kwi_map_init(&consumer->by_id, &core->control);
    kwi_fetchers_sweep(consumer);
    consumer->keeper.group_id = NULL; /* it was in the configuration */
    kw_config_destroy(consumer->own);
    consumer->own = NULL;
    if (consumer->close)
        consumer->close->consumer = NULL;
    consumer->close = NULL;
    consumer->gone = true;
}

static void consumer_free(struct kw_consumer *consumer)
{
    struct kw_core *core = consumer->core;
    struct kw_list *lists[] = {&consumer->held, &consumer->free_handles};

    for (unsigned i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        while (!kwi_list_empty(lists[i]))
            kwi_free(&core->control, KWI_OF(kwi_list_pop(lists[i]), struct kw_records, node),
                     sizeof(struct kw_records));
    }
    kwi_list_remove(&core->consumers, &consumer->node);
    kwi_tally_leave(consumer->tally);
    kwi_free(&core->control, consumer, sizeof(*consumer));
}

void kwi_consumer_destroy(struct kw_consumer *consumer)
{
    if (!consumer->gone)
        consumer_deinit(consumer);
    consumer->gone = false; /* the last release is not the end of it here */
    while (!kwi_list_empty(&consumer->held))
        kw_core_records_release(KWI_OF(consumer->held.first, struct kw_records, node), KW_NOT_DONE);
    consumer_free(consumer);
}

void kwi_consumers_destroy(struct kw_core *core)
{
    while (!kwi_list_empty(&core->consumers))
        kwi_consumer_destroy(KWI_OF(core->consumers.first, struct kw_consumer, node));
}

void kwi_consumer_released(struct kw_consumer *consumer)
{
    if (consumer->gone && kwi_list_empty(&consumer->held))
        consumer_free(consumer);
}

/* ---- closing one ------------------------------------------------------------------------ */

static void consumer_close_end(struct kw_consumer *consumer)
{
    struct kw_error err;

    kwi_error_set(&err, consumer->close_code, KW_PHASE_REQUEST,
                  "the last commit of the consumer failed for some partitions",
                  "each of them is an event COMMIT_FAILED");
    kwi_op_end(&consumer->close->op, consumer->close_code, &err);
}

void kwi_consumer_check(struct kw_consumer *consumer)
{
    struct kw_core *core = consumer->core;

    if (consumer->close && kwi_consumer_drained(consumer))
        consumer_close_end(consumer);
    kwi_close_check(core);
}

static void consumer_close_abandon(struct kw_op *op, int code)
{
    struct kw_consumer_close *close = KWI_OF(op, struct kw_consumer_close, op);

    (void)code;
    if (close->consumer)
        kwi_consumer_abandon(close->consumer);
}

/* Its result was taken: who closed it knows that it is gone. */
static void consumer_close_gone(struct kw_op *op)
{
    struct kw_consumer_close *close = KWI_OF(op, struct kw_consumer_close, op);
    struct kw_consumer *consumer = close->consumer;

    if (!consumer)
        return;
    consumer_deinit(consumer);
    kwi_consumer_released(consumer);
}

struct kw_op *kw_core_consumer_close(struct kw_consumer *consumer, enum kw_leave leave,
                                     int32_t timeout_ms, void *tag)
{
    struct kw_op *op = kwi_op_create(consumer->core, sizeof(struct kw_consumer_close), timeout_ms,
                                     tag, consumer_close_abandon);
    struct kw_consumer_close *close = op ? KWI_OF(op, struct kw_consumer_close, op) : NULL;

    if (!op)
        return NULL;
    if (consumer->close || (unsigned)leave > KW_LEAVE_NEVER) {
        kwi_op_end(op, consumer->close ? KW_ERR_STATE : KW_ERR_USE, NULL);
        return op;
    }
    close->consumer = consumer;
    op->gone = consumer_close_gone;
    if (!consumer->closed) {
        consumer->leave = (uint8_t)leave;
        kwi_fetchers_end(consumer);
    }
    kwi_consumer_close(consumer);
    consumer_stop(consumer, true);
    consumer->close = close; /* only now: nothing is drained before all was begun */
    kwi_consumer_check(consumer);
    kwi_fetchers_feed(consumer->core); /* others may have its memory */
    return op;
}
