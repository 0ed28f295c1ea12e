/* mock/sequence.c -- producer ids, epochs and sequence numbers of a partition.
 * It decides; the append itself and the answer are made in mock/produce.c. */
#include "mock/sequence.h"
#include "base/assert.h"

#include <string.h>

int32_t kwi_mock_sequence_add(int32_t sequence, int32_t n)
{
    if (sequence > INT32_MAX - n)
        return n - (INT32_MAX - sequence) - 1;
    return sequence + n;
}

enum kw_mock_verdict kwi_mock_sequence_check(const struct kw_mock_producer *producer,
                                             const struct kw_mock_sequence *batch,
                                             int64_t *base_offset)
{
    if (!producer || producer->epoch < 0)
        return KWI_MOCK_APPEND;
    if (batch->epoch < producer->epoch)
        return KWI_MOCK_OLD_EPOCH;
    if (batch->epoch > producer->epoch || producer->n_batches == 0)
        return batch->first == 0 ? KWI_MOCK_APPEND : KWI_MOCK_OUT_OF_ORDER;
    for (uint32_t i = 0; i < producer->n_batches; i++) {
        if (producer->batches[i].first == batch->first &&
            producer->batches[i].last == batch->last) {
            *base_offset = producer->batches[i].base_offset;
            return KWI_MOCK_DUPLICATE;
        }
    }
    if (batch->first == kwi_mock_sequence_add(producer->batches[producer->n_batches - 1].last, 1))
        return KWI_MOCK_APPEND;
    return KWI_MOCK_OUT_OF_ORDER;
}

int kwi_mock_sequence_open(struct kw_map *producers, int64_t producer_id,
                           struct kw_mock_producer **producer)
{
    struct kw_mock_producer *found = kwi_map_get(producers, (uint64_t)producer_id);
    if (!found) {
        found = kwi_alloc_zero(producers->heap, sizeof(*found));
        if (!found)
            return KW_ERR_NOMEM;
        found->producer_id = producer_id;
        found->epoch = -1;
        if (kwi_map_put(producers, (uint64_t)producer_id, found)) {
            kwi_free(producers->heap, found, sizeof(*found));
            return KW_ERR_NOMEM;
        }
    }
    *producer = found;
    return 0;
}

void kwi_mock_sequence_commit(struct kw_mock_producer *producer,
                              const struct kw_mock_sequence *batch, int64_t base_offset)
{
    KWI_ASSERT(batch->producer_id == producer->producer_id);
    if (batch->epoch != producer->epoch) {
        producer->epoch = batch->epoch;
        producer->n_batches = 0;
    }
    if (producer->n_batches == KWI_MOCK_SEQUENCE_WINDOW) {
        memmove(producer->batches, producer->batches + 1,
                (KWI_MOCK_SEQUENCE_WINDOW - 1) * sizeof(*producer->batches));
        producer->n_batches--;
    }
    producer->batches[producer->n_batches].first = batch->first;
    producer->batches[producer->n_batches].last = batch->last;
    producer->batches[producer->n_batches].base_offset = base_offset;
    producer->n_batches++;
}

void kwi_mock_sequence_fence(struct kw_mock_producer *producer, int16_t epoch)
{
    if (epoch <= producer->epoch)
        return;
    producer->epoch = epoch;
    producer->n_batches = 0;
}

void kwi_mock_sequence_clear(struct kw_map *producers)
{
    struct kw_mock_producer *producer;
    for (uint32_t i = 0; (producer = kwi_map_next(producers, &i));) {
        kwi_map_remove(producers, (uint64_t)producer->producer_id);
        kwi_free(producers->heap, producer, sizeof(*producer));
    }
}
