/* mock/txn.h -- the transaction coordinator of the broker model.
 *
 *   txn.c          transactional ids, their states, markers, timeouts
 *   txn_calls.c    InitProducerId with an id, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn
 *   txn_offsets.c  TxnOffsetCommit
 *
 * What a partition knows of transactions is in aborted.h.
 *
 *   EMPTY, COMPLETE -something is added-> ONGOING -EndTxn, timeout, fence-> PREPARED
 *   PREPARED -markers are written-> COMPLETE
 *
 * One broker coordinates every transactional id, the one that coordinates every group
 * (kwi_mock_set_coordinator); what it knows moves with it at once. Version 2
 * (transaction.version 2, KIP-890) is judged by the version of the request: EndTxn 5,
 * Produce 12, TxnOffsetCommit 5. */
#ifndef KWI_MOCK_TXN_H
#define KWI_MOCK_TXN_H
#include "mock/group.h"

struct kw_mock_txn_part {
    struct kw_node node;
    char *topic; /* NUL-terminated */
    size_t topic_len;
    int32_t partition;
};
/* An offset that counts when the transaction is committed. */
struct kw_mock_pending {
    struct kw_node node;
    struct kw_mock_bytes group, topic, metadata;
    int32_t partition, leader_epoch;
    int64_t offset;
};
struct kw_mock_txn_group {
    struct kw_node node;
    struct kw_mock_bytes name;
};

struct kw_mock_transaction {
    struct kw_mock *mock;
    struct kw_mock_bytes id;
    uint8_t state; /* enum kw_mock_txn_state */
    bool commit;   /* PREPARED, COMPLETE: which end */
    int64_t producer_id;
    int16_t epoch;
    int16_t last_epoch; /* before the last bump by its producer: a retry may name it; -1 */
    int16_t marker_epoch;
    int64_t marker_id;
    int32_t timeout_ms;
    struct kw_list parts, groups, pending;
    struct kw_timer expiry, markers;
};

struct kw_mock_transaction *kwi_mock_txn_find(const struct kw_mock *mock, struct kw_str id);
/* NULL: no memory. */
struct kw_mock_transaction *kwi_mock_txn_make(struct kw_mock *mock, struct kw_str id);
void kwi_mock_txn_destroy(struct kw_mock_transaction *txn);
/* Whether this producer may act: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED or 0. */
int16_t kwi_mock_txn_check(const struct kw_mock_transaction *txn, int64_t producer_id,
                           int16_t epoch);
/* A partition, or a group, becomes part of the transaction, which begins with its first.
 * CONCURRENT_TRANSACTIONS while the last one is not complete. */
int16_t kwi_mock_txn_add(struct kw_mock_transaction *txn, struct kw_str topic, int32_t partition);
int16_t kwi_mock_txn_add_group(struct kw_mock_transaction *txn, struct kw_str group);
bool kwi_mock_txn_has(const struct kw_mock_transaction *txn, struct kw_str topic,
                      int32_t partition);
bool kwi_mock_txn_has_group(const struct kw_mock_transaction *txn, struct kw_str group);
/* The epoch goes up. by_producer: it may ask again in the name of the one before. */
void kwi_mock_txn_bump(struct kw_mock_transaction *txn, bool by_producer);
/* The end is decided; the markers follow, under the epoch of now or the next one. */
enum { KWI_MOCK_TXN_KEEP, KWI_MOCK_TXN_BUMP, KWI_MOCK_TXN_FENCE };
void kwi_mock_txn_prepare(struct kw_mock_transaction *txn, bool commit, int epoch);
/* Keeps an offset until the end. Errors: KW_ERR_NOMEM. */
KW_MUST_USE int kwi_mock_txn_keep(struct kw_mock_transaction *txn, struct kw_str group,
                                  struct kw_str topic, const struct kw_mock_pending *pending,
                                  struct kw_str metadata);
/* Whether an open transaction has an offset of the partition for the group. */
bool kwi_mock_txn_is_pending(const struct kw_mock *mock, struct kw_str group, struct kw_str topic,
                             int32_t partition);
/* Whether a transactional batch may be appended now; a Kafka error or 0. */
int16_t kwi_mock_txn_produce(const struct kw_mock_call *call, struct kw_str id, int64_t producer_id,
                             int16_t epoch, struct kw_str topic, int32_t partition);
/* InitProducerId with a transactional id. */
int16_t kwi_mock_txn_init(struct kw_mock_call *call);
void kwi_mock_txns_destroy(struct kw_mock *mock);

#endif
