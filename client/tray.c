/* client/tray.c -- trays: batches that threads of the application fill alone, for a driver
 * that has many (net/stage.c). How a record is appended to one is in produce.c.
 *
 * A tray is the write window of a partition without the partition: its batch is in no
 * list, has no number, no age and no linger, so that no step touches it. When it is
 * closed it becomes what a batch of the partition is that was opened and sealed in that
 * moment, behind the partition's own open batch, which is sealed for it. So the order of
 * what a thread produced is that in which it opened trays and closed them. */
#include "base/assert.h"
#include "client/chunk.h"
#include "client/close.h"
#include "client/partitioner.h"
#include "client/producer.h"
#include <kwire/kwire.h>

bool kw_core_tray_rules(const struct kw_topic *topic, struct kw_tray_rules *rules)
{
    const struct kw_producer *producer = topic->producer;

    /* Functions of the application's own are called inside kw_produce; a transaction says in
     * each moment whether it is open; and without linger there is nothing to fill. */
    if (topic->slow || topic->own.pick || producer->txn || !producer->linger_us)
        return false;
    rules->linger_us = producer->linger_us;
    rules->n_partitions = topic->n_parts;
    return true;
}

uint64_t kw_core_tray_changes(const struct kw_core *core)
{
    return core->n_tray_changes;
}

int32_t kw_core_tray_place(const struct kw_record *record, uint32_t n_partitions)
{
    if (record->flags & KW_REC_PARTITION)
        return record->partition < 0 ? INT32_MAX : record->partition;
    if (record->key.ptr)
        return (int32_t)kwi_partition_of_key(record->key.ptr, record->key.len, n_partitions);
    return -1;
}

int kw_core_tray_open(struct kw_tray **out, struct kw_topic *topic, int32_t partition)
{
    struct kw_tray_rules rules;
    const struct kw_part *part;
    struct kw_tray *tray;
    int rc;

    *out = NULL;
    if (!kw_core_tray_rules(topic, &rules) || partition >= (int64_t)topic->n_parts)
        return KW_ERR_STATE;
    part = partition < 0 ? topic->sticky : topic->parts[partition];
    if (!part)
        return KW_ERR_STATE;
    tray = kwi_alloc_zero(&topic->core->control, sizeof(*tray));
    if (!tray)
        return KW_ERR_NOMEM;
    tray->window.topic = topic;
    tray->window.index = part->index;
    rc = kwi_part_open_unlisted(&tray->window);
    if (rc) {
        kwi_free(&topic->core->control, tray, sizeof(*tray));
        return rc;
    }
    kwi_list_push(&topic->producer->trays, &tray->node);
    if (partition < 0)
        kwi_topic_turn(topic); /* the next one is not filled for the same partition */
    *out = tray;
    return 0;
}

void kw_core_tray_tick(struct kw_tray *tray)
{
    int64_t wall_ms = tray->window.topic->core->now.wall_ms;

    if (wall_ms != tray->window.wall_ms)
        kwi_part_set_time(&tray->window, wall_ms);
}

/* What happened to those that were accepted when it was filled. */
static void tray_catch_up(struct kw_producer *producer)
{
    if (producer->fatal)
        kwi_producer_sweep(producer, KW_ERR_STATE, true, false);
    else if (producer->closing || producer->core->closing)
        kwi_close_late(producer);
}

void kw_core_tray_close(struct kw_tray *tray)
{
    struct kw_topic *topic = tray->window.topic;
    struct kw_part *part = topic->parts[tray->window.index];
    struct kw_producer *producer = topic->producer;
    struct kw_batch *batch = tray->window.open;

    if (tray->window.n_records) {
        kwi_part_seal(part); /* what it has was accepted before */
        batch->part = part;
        batch->number = ++producer->next_number;
        batch->base_fixed = true; /* its records count from it */
        kwi_list_push(&producer->unpinned, &batch->time_node);
        kwi_attend(producer->core, KW_ATT_TIME);
        kwi_part_seal_into(&tray->window, part);
        tray_catch_up(producer);
    } else {
        kwi_batch_free(batch);
        kwi_producers_check_writable(topic->core);
    }
    kwi_list_remove(&producer->trays, &tray->node);
    kwi_free(&topic->core->control, tray, sizeof(*tray));
}

void kwi_trays_deinit(struct kw_producer *producer)
{
    while (!kwi_list_empty(&producer->trays)) {
        struct kw_tray *tray = KWI_OF(kwi_list_pop(&producer->trays), struct kw_tray, node);

        kwi_batch_free(tray->window.open);
        kwi_free(&producer->core->control, tray, sizeof(*tray));
    }
}
