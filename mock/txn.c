/* mock/txn.c -- see txn.h: what the coordinator keeps of a transactional id, and how a
 * transaction ends. Which request leads to what is in txn_calls.c. */
#include "mock/txn.h"

#include <string.h>

#include "base/assert.h"

/* --- ids ---------------------------------------------------------------------------------- */

struct kw_mock_transaction *kwi_mock_txn_find(const struct kw_mock *mock, struct kw_str id)
{
    return id.len < 0 ? NULL : kwi_map_get_str(&mock->transactions, id.ptr, (size_t)id.len);
}

static void mockcoord_expired(struct kw_timer *timer)
{
    struct kw_mock_transaction *txn = KWI_OF(timer, struct kw_mock_transaction, expiry);
    if (txn->state != KWI_MOCK_TXN_ONGOING)
        return;
    kwi_mock_txn_prepare(txn, false, KWI_MOCK_TXN_FENCE);
}

static void mockcoord_complete(struct kw_timer *timer);

struct kw_mock_transaction *kwi_mock_txn_make(struct kw_mock *mock, struct kw_str id)
{
    struct kw_mock_transaction *txn = kwi_alloc_zero(&mock->heap, sizeof(*txn));
    if (!txn)
        return NULL;
    txn->mock = mock;
    txn->id.len = -1;
    txn->last_epoch = -1;
    txn->expiry.fire = mockcoord_expired;
    txn->markers.fire = mockcoord_complete;
    if (kwi_mock_bytes_set(mock, &txn->id, id.ptr, id.len) ||
        kwi_map_put_str(&mock->transactions, txn->id.ptr, (size_t)txn->id.len, txn)) {
        kwi_mock_bytes_free(mock, &txn->id);
        kwi_free(&mock->heap, txn, sizeof(*txn));
        return NULL;
    }
    txn->producer_id = mock->next_producer_id++;
    return txn;
}

static void mockcoord_forget(struct kw_mock_transaction *txn)
{
    struct kw_mock *mock = txn->mock;
    struct kw_node *n;
    while ((n = kwi_list_pop(&txn->parts))) {
        struct kw_mock_txn_part *part = KWI_OF(n, struct kw_mock_txn_part, node);
        kwi_free(&mock->heap, part->topic, part->topic_len + 1);
        kwi_free(&mock->heap, part, sizeof(*part));
    }
    while ((n = kwi_list_pop(&txn->groups))) {
        struct kw_mock_txn_group *group = KWI_OF(n, struct kw_mock_txn_group, node);
        kwi_mock_bytes_free(mock, &group->name);
        kwi_free(&mock->heap, group, sizeof(*group));
    }
    while ((n = kwi_list_pop(&txn->pending))) {
        struct kw_mock_pending *pending = KWI_OF(n, struct kw_mock_pending, node);
        kwi_mock_bytes_free(mock, &pending->group);
        kwi_mock_bytes_free(mock, &pending->topic);
        kwi_mock_bytes_free(mock, &pending->metadata);
        kwi_free(&mock->heap, pending, sizeof(*pending));
    }
}

void kwi_mock_txn_destroy(struct kw_mock_transaction *txn)
{
    struct kw_mock *mock = txn->mock;
    mockcoord_forget(txn);
    kwi_timer_disarm(&mock->timers, &txn->expiry);
    kwi_timer_disarm(&mock->timers, &txn->markers);
    kwi_map_remove_str(&mock->transactions, txn->id.ptr, (size_t)txn->id.len);
    kwi_mock_bytes_free(mock, &txn->id);
    kwi_free(&mock->heap, txn, sizeof(*txn));
}

void kwi_mock_txns_destroy(struct kw_mock *mock)
{
    struct kw_mock_transaction *txn;
    for (uint32_t i = 0; (txn = kwi_map_next(&mock->transactions, &i));)
        kwi_mock_txn_destroy(txn);
    kwi_map_deinit(&mock->transactions);
}

int16_t kwi_mock_txn_check(const struct kw_mock_transaction *txn, int64_t producer_id,
                           int16_t epoch)
{
    if (!txn || txn->producer_id != producer_id)
        return KW_E_INVALID_PRODUCER_ID_MAPPING;
    return txn->epoch == epoch ? 0 : KW_E_PRODUCER_FENCED;
}

/* --- what belongs to a transaction ------------------------------------------- */

bool kwi_mock_txn_has(const struct kw_mock_transaction *txn, struct kw_str topic, int32_t partition)
{
    for (struct kw_node *n = txn->parts.first; n; n = n->next) {
        const struct kw_mock_txn_part *part = KWI_OF(n, struct kw_mock_txn_part, node);
        if (part->partition == partition && part->topic_len == (size_t)topic.len &&
            !memcmp(part->topic, topic.ptr, part->topic_len))
            return true;
    }
    return false;
}

bool kwi_mock_txn_has_group(const struct kw_mock_transaction *txn, struct kw_str group)
{
    for (struct kw_node *n = txn->groups.first; n; n = n->next) {
        if (kwi_mock_bytes_are(&KWI_OF(n, struct kw_mock_txn_group, node)->name, group.ptr,
                               group.len))
            return true;
    }
    return false;
}

static int16_t mockcoord_begin(struct kw_mock_transaction *txn)
{
    struct kw_mock *mock = txn->mock;
    if (txn->state == KWI_MOCK_TXN_PREPARED)
        return KW_E_CONCURRENT_TRANSACTIONS;
    if (txn->state == KWI_MOCK_TXN_ONGOING)
        return 0;
    txn->state = KWI_MOCK_TXN_ONGOING;
    kwi_timer_arm(&mock->timers, &txn->expiry,
                  mock->now.mono_us + (uint64_t)txn->timeout_ms * 1000);
    return 0;
}

int16_t kwi_mock_txn_add(struct kw_mock_transaction *txn, struct kw_str topic, int32_t partition)
{
    struct kw_mock *mock = txn->mock;
    int16_t error = mockcoord_begin(txn);
    struct kw_mock_txn_part *part;
    if (error || kwi_mock_txn_has(txn, topic, partition))
        return error;
    part = kwi_alloc_zero(&mock->heap, sizeof(*part));
    if (!part)
        return KW_E_COORDINATOR_NOT_AVAILABLE;
    part->topic_len = (size_t)topic.len;
    part->topic = kwi_strdup(&mock->heap, topic.ptr, part->topic_len);
    if (!part->topic) {
        kwi_free(&mock->heap, part, sizeof(*part));
        return KW_E_COORDINATOR_NOT_AVAILABLE;
    }
    part->partition = partition;
    kwi_list_push(&txn->parts, &part->node);
    return 0;
}

int16_t kwi_mock_txn_add_group(struct kw_mock_transaction *txn, struct kw_str group)
{
    struct kw_mock *mock = txn->mock;
    int16_t error = mockcoord_begin(txn);
    struct kw_mock_txn_group *item;
    if (error || kwi_mock_txn_has_group(txn, group))
        return error;
    item = kwi_alloc_zero(&mock->heap, sizeof(*item));
    if (!item)
        return KW_E_COORDINATOR_NOT_AVAILABLE;
    item->name.len = -1;
    if (kwi_mock_bytes_set(mock, &item->name, group.ptr, group.len)) {
        kwi_free(&mock->heap, item, sizeof(*item));
        return KW_E_COORDINATOR_NOT_AVAILABLE;
    }
    kwi_list_push(&txn->groups, &item->node);
    return 0;
}

static struct kw_mock_pending *mockcoord_pending(const struct kw_mock_transaction *txn,
                                                 struct kw_str group, struct kw_str topic,
                                                 int32_t partition)
{
    for (struct kw_node *n = txn->pending.first; n; n = n->next) {
        struct kw_mock_pending *item = KWI_OF(n, struct kw_mock_pending, node);
        if (item->partition == partition &&
            kwi_mock_bytes_are(&item->group, group.ptr, group.len) &&
            kwi_mock_bytes_are(&item->topic, topic.ptr, topic.len))
            return item;
    }
    return NULL;
}

int kwi_mock_txn_keep(struct kw_mock_transaction *txn, struct kw_str group, struct kw_str topic,
                      const struct kw_mock_pending *pending, struct kw_str metadata)
{
    struct kw_mock *mock = txn->mock;
    struct kw_mock_pending *item = mockcoord_pending(txn, group, topic, pending->partition);
    if (!item) {
        item = kwi_alloc_zero(&mock->heap, sizeof(*item));
        if (!item)
            return KW_ERR_NOMEM;
        item->group.len = item->topic.len = item->metadata.len = -1;
        item->partition = pending->partition;
        kwi_list_push(&txn->pending, &item->node);
    }
    item->offset = pending->offset;
    item->leader_epoch = pending->leader_epoch;
    if (kwi_mock_bytes_set(mock, &item->group, group.ptr, group.len) ||
        kwi_mock_bytes_set(mock, &item->topic, topic.ptr, topic.len) ||
        kwi_mock_bytes_set(mock, &item->metadata, metadata.ptr, metadata.len))
        return KW_ERR_NOMEM;
    return 0;
}

bool kwi_mock_txn_is_pending(const struct kw_mock *mock, struct kw_str group, struct kw_str topic,
                             int32_t partition)
{
    const struct kw_mock_transaction *txn;
    for (uint32_t i = 0; (txn = kwi_map_next(&mock->transactions, &i));) {
        if (mockcoord_pending(txn, group, topic, partition))
            return true;
    }
    return false;
}

/* --- the end ----------------------------------------------------------------- */

void kwi_mock_txn_bump(struct kw_mock_transaction *txn, bool by_producer)
{
    txn->last_epoch = by_producer ? txn->epoch : -1;
    if (txn->epoch < INT16_MAX - 1) {
        txn->epoch++;
        return;
    }
    /* Epochs are used up. A retry would name the old id, too: it is fenced. */
    txn->producer_id = txn->mock->next_producer_id++;
    txn->epoch = 0;
    txn->last_epoch = -1;
}

/* The marker also tells the partition which epoch is the least from now on. */
static void mockcoord_mark(struct kw_mock_transaction *txn, const struct kw_mock_txn_part *part,
                           int64_t producer_id, int16_t epoch)
{
    struct kw_mock *mock = txn->mock;
    struct kw_mock_topic *topic = kwi_mock_topic_find(mock, part->topic, part->topic_len);
    struct kw_mock_partition *partition = kwi_mock_topic_partition(topic, part->partition);
    struct kw_mock_producer *producer;
    /* Without memory for it the marker is missing, and the transaction hangs there. */
    if (!partition ||
        kwi_mock_end_txn(mock, part->topic, part->partition, producer_id, epoch, txn->commit) ||
        kwi_mock_sequence_open(&partition->producers, producer_id, &producer))
        return;
    kwi_mock_sequence_fence(producer, epoch);
}

static void mockcoord_complete(struct kw_timer *timer)
{
    struct kw_mock_transaction *txn = KWI_OF(timer, struct kw_mock_transaction, markers);
    struct kw_mock *mock = txn->mock;
    for (struct kw_node *n = txn->parts.first; n; n = n->next)
        mockcoord_mark(txn, KWI_OF(n, struct kw_mock_txn_part, node), txn->marker_id,
                       txn->marker_epoch);
    for (struct kw_node *n = txn->commit ? txn->pending.first : NULL; n; n = n->next) {
        const struct kw_mock_pending *item = KWI_OF(n, struct kw_mock_pending, node);
        kwi_mock_offset_set(mock, item);
    }
    mockcoord_forget(txn);
    txn->state = KWI_MOCK_TXN_COMPLETE;
    mock->wake = true;
}

void kwi_mock_txn_prepare(struct kw_mock_transaction *txn, bool commit, int epoch)
{
    struct kw_mock *mock = txn->mock;
    KWI_ASSERT(txn->state == KWI_MOCK_TXN_ONGOING);
    txn->state = KWI_MOCK_TXN_PREPARED;
    txn->commit = commit;
    txn->marker_id = txn->producer_id;
    txn->marker_epoch = txn->epoch;
    if (epoch != KWI_MOCK_TXN_KEEP) {
        txn->marker_epoch++;
        kwi_mock_txn_bump(txn, epoch == KWI_MOCK_TXN_BUMP);
    }
    kwi_timer_disarm(&mock->timers, &txn->expiry);
    if (mock->marker_delay_ms)
        kwi_timer_arm(&mock->timers, &txn->markers,
                      mock->now.mono_us + (uint64_t)mock->marker_delay_ms * 1000);
    else
        mockcoord_complete(&txn->markers);
}

/* --- for tests --------------------------------------------------------------- */

void kwi_mock_set_transaction_version(struct kw_mock *mock, int16_t version)
{
    mock->transaction_version = version;
    mock->features_epoch++;
}

void kwi_mock_set_marker_delay(struct kw_mock *mock, uint32_t delay_ms)
{
    mock->marker_delay_ms = delay_ms;
}

int kwi_mock_forget_transaction(struct kw_mock *mock, const char *id)
{
    struct kw_mock_transaction *txn = kwi_mock_txn_find(mock, kwi_str(id));
    if (!txn)
        return KW_ERR_STATE;
    kwi_mock_txn_destroy(txn);
    return 0;
}

int kwi_mock_transaction(const struct kw_mock *mock, const char *id,
                         struct kw_mock_transaction_info *info)
{
    const struct kw_mock_transaction *txn = kwi_mock_txn_find(mock, kwi_str(id));
    if (!txn)
        return KW_ERR_STATE;
    memset(info, 0, sizeof(*info));
    info->state = txn->state;
    info->commit = txn->commit;
    info->producer_id = txn->producer_id;
    info->epoch = txn->epoch;
    for (struct kw_node *n = txn->parts.first; n; n = n->next)
        info->n_partitions++;
    for (struct kw_node *n = txn->pending.first; n; n = n->next)
        info->n_offsets++;
    return 0;
}
