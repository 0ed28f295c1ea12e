/* client/txn_parts.c -- version 1 of transactions: AddPartitionsToTxn names each partition
 * to the coordinator before its first batch is sent, so that it gets an end of the
 * transaction. Those that want it meanwhile wait for the next request.
 *
 *   not known -> wanted -> asked -> added (part->txn_serial is the transaction's)
 *
 * An answer that was lost leaves them asked: they may have been added, so they are asked
 * for again, even when the transaction is aborted. */
#include "client/txn.h"

#include <string.h>

#include "proto/error.h"
#include "proto/txn.h"

enum { TXNPART_MAX = 256 }; /* in one request */

static struct kw_part *txnpart_of(struct kw_node *node)
{
    return KWI_OF(node, struct kw_part, txn_node);
}

bool kwi_txn_part_ready(struct kw_part *part)
{
    struct kw_txn *txn = part->topic->producer->txn;

    if (!kwi_txn_sends(txn))
        return false;
    if (txn->implicit || part->txn_serial == txn->serial)
        return true;
    if (!part->txn_listed) {
        part->txn_listed = true;
        kwi_list_push(&txn->wanted, &part->txn_node);
        kwi_txn_go(txn);
    }
    return false;
}

/* ---- the request ----------------------------------------------------------------------- */

/* Partitions of one topic stand together. */
static uint32_t txnpart_fill_topic(struct kw_part *first, int32_t *indexes, bool *named)
{
    uint32_t n = 0, i = 0;

    for (struct kw_node *node = &first->txn_node; node; node = node->next, i++) {
        if (!named[i] && txnpart_of(node)->topic == first->topic) {
            named[i] = true;
            indexes[n++] = txnpart_of(node)->index;
        }
    }
    return n;
}

struct txnpart_form {
    int32_t indexes[TXNPART_MAX];
    struct kw_add_partitions_to_txn_topic topics[TXNPART_MAX];
    bool named[TXNPART_MAX];
};

static int txnpart_encode_form(const struct kw_txn *txn, struct txnpart_form *form, int16_t version,
                               struct kw_wr *wr)
{
    struct kw_add_partitions_to_txn_request msg;
    uint32_t n = 0, n_topics = 0, i = 0;

    for (struct kw_node *node = txn->asked.first; node; node = node->next, i++) {
        struct kw_topic_meta *meta = txnpart_of(node)->topic->meta;
        uint32_t count;

        if (form->named[i])
            continue;
        count = txnpart_fill_topic(txnpart_of(node), form->indexes + n, form->named + i);
        kwi_add_partitions_to_txn_topic_init(&form->topics[n_topics]);
        form->topics[n_topics].name = (struct kw_str){meta->name, (int32_t)meta->name_len};
        form->topics[n_topics++].partitions = KWI_ARR(form->indexes + n, count);
        n += count;
    }
    kwi_add_partitions_to_txn_request_init(&msg);
    msg.v3_and_below_transactional_id = (struct kw_str){txn->id, (int32_t)txn->id_len};
    msg.v3_and_below_producer_id = txn->producer->producer_id;
    msg.v3_and_below_producer_epoch = txn->producer->producer_epoch;
    msg.v3_and_below_topics = KWI_ARR(form->topics, n_topics);
    return kwi_add_partitions_to_txn_request_encode(&msg, version, wr);
}

int kwi_txn_parts_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_txn *txn = req->owner;
    struct kw_heap *heap = &req->core->control;
    struct txnpart_form *form;
    int rc;

    /* Those of a request that was lost are asked for as they were. */
    if (kwi_list_empty(&txn->asked)) {
        for (uint32_t i = 0; i < TXNPART_MAX && txn->wanted.first; i++)
            kwi_list_push(&txn->asked, kwi_list_pop(&txn->wanted));
    }
    if (kwi_list_empty(&txn->asked))
        return KW_ERR_CANCELED;
    form = kwi_alloc_zero(heap, sizeof(*form));
    if (!form)
        return KW_ERR_NOMEM;
    rc = txnpart_encode_form(txn, form, req->version, wr);
    kwi_free(heap, form, sizeof(*form));
    return rc;
}

/* ---- the answer ------------------------------------------------------------------------- */

static struct kw_part *txnpart_find(const struct kw_txn *txn, struct kw_str topic, int32_t index)
{
    for (struct kw_node *n = txn->asked.first; n; n = n->next) {
        struct kw_part *part = txnpart_of(n);
        const struct kw_topic_meta *meta = part->topic->meta;

        if (part->index == index && topic.len >= 0 && meta->name_len == (size_t)topic.len &&
            !memcmp(meta->name, topic.ptr, meta->name_len))
            return part;
    }
    return NULL;
}

static void txnpart_added(struct kw_txn *txn, struct kw_part *part)
{
    kwi_list_remove(&txn->asked, &part->txn_node);
    part->txn_listed = false;
    part->txn_serial = txn->serial;
    txn->started = true;
    kwi_part_route(part);
}

/* How much a code counts: what ends the transaction before what is tried again. A
 * partition that was not looked at says nothing itself. */
static int txnpart_weight(int16_t code)
{
    if (code == KW_E_OPERATION_NOT_ATTEMPTED)
        return 1;
    switch (kwi_txn_judge(code)) {
    case KWI_TXN_OK: return 0;
    case KWI_TXN_AGAIN: return 2;
    case KWI_TXN_FIND: return 3;
    case KWI_TXN_OTHER:
    case KWI_TXN_ABORT: return 4;
    case KWI_TXN_LOST_ID: return 5;
    case KWI_TXN_DEAD: return 6;
    }
    return 0;
}

int16_t kwi_txn_parts_read(struct kw_txn *txn, const struct kw_request *req,
                           const struct kw_answer *answer, int32_t *throttle_ms,
                           struct kw_fault *fault, const char **topic, int *rc)
{
    struct kw_add_partitions_to_txn_response msg;
    struct kw_add_partitions_to_txn_topic_result item;
    struct kw_add_partitions_to_txn_partition_result result;
    struct kw_iter topics, parts;
    int16_t worst = 0;

    *rc = kwi_add_partitions_to_txn_response_decode(&msg, req->version, answer->body, answer->len,
                                                    fault);
    if (*rc)
        return 0;
    *throttle_ms = msg.throttle_time_ms;
    for (kwi_iter_init(&topics, &msg.results_by_topic_v3_and_below);
         kwi_iter_next(&topics, &item);) {
        for (kwi_iter_init(&parts, &item.results_by_partition); kwi_iter_next(&parts, &result);) {
            struct kw_part *part = txnpart_find(txn, item.name, result.partition_index);
            if (!part)
                continue;
            if (!result.partition_error_code) {
                txnpart_added(txn, part);
            } else if (txnpart_weight(result.partition_error_code) > txnpart_weight(worst)) {
                worst = result.partition_error_code;
                if (kwi_error_info(worst)->error_class == KW_EC_AUTH &&
                    worst == KW_E_TOPIC_AUTHORIZATION_FAILED)
                    *topic = part->topic->meta->name;
            }
        }
    }
    if (!worst && !kwi_list_empty(&txn->asked))
        worst = KW_E_UNKNOWN_SERVER_ERROR; /* it left some out */
    return worst;
}

void kwi_txn_parts_return(struct kw_txn *txn, bool answered, bool offered)
{
    txn->parts_unsure = !answered && (offered || txn->parts_unsure);
    if (txn->parts_unsure)
        return; /* they may have been added */
    while (txn->asked.last) {
        struct kw_node *node = txn->asked.last;
        kwi_list_remove(&txn->asked, node);
        if (kwi_txn_sends(txn))
            kwi_list_push_front(&txn->wanted, node);
        else
            txnpart_of(node)->txn_listed = false;
    }
}

void kwi_txn_parts_forget(struct kw_txn *txn, bool all)
{
    while (txn->wanted.first)
        txnpart_of(kwi_list_pop(&txn->wanted))->txn_listed = false;
    while (all && txn->asked.first)
        txnpart_of(kwi_list_pop(&txn->asked))->txn_listed = false;
}
