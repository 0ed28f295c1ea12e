/* net/calls.c -- the application's calls: each comes in through the gate, is its twin
 * of core.h, and goes out with a look at the attention word, because the host or the
 * I/O thread may be about to sleep. */
#include "base/bytes.h"
#include "net/client.h"
#include "net/stage.h"

int kw_producer_create(struct kw_producer **out, struct kw_client *client,
                       const struct kw_config *own, struct kw_error *err)
{
    if (!client)
        return KW_ERR_USE;
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_producer_create(out, client->core, own, err);
    kwi_client_exit(client);
    return rc;
}

int kw_client_set(struct kw_client *client, const char *key, const char *val, struct kw_error *err)
{
    if (!client)
        return KW_ERR_USE;
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_set(client->core, key, val, err);
    kwi_client_exit(client);
    return rc;
}

int kw_oauth_token_set(struct kw_client *client, const struct kw_oauth_token *token,
                       struct kw_error *err)
{
    if (!client)
        return KW_ERR_USE;
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    kwi_client_tick(client); /* the token's life begins now */
    rc = kw_core_oauth_token_set(client->core, token, err);
    kwi_client_exit(client);
    return rc;
}

int kw_sasl_answer(struct kw_client *client, uint32_t exchange, int verdict,
                   const struct kw_bytes *token, const char *why)
{
    if (!client)
        return KW_ERR_USE;
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    kwi_client_tick(client);
    rc = kw_core_sasl_answer(client->core, exchange, verdict, token, why);
    kwi_client_exit(client);
    return rc;
}

int kw_topic_open(struct kw_topic **out, struct kw_producer *producer, const char *name,
                  struct kw_error *err)
{
    if (!producer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(producer);
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_topic_open(out, producer, name, err);
    kwi_client_exit(client);
    return rc;
}

int kw_topic_open_own(struct kw_topic **out, struct kw_producer *producer, const char *name,
                      const struct kw_config *own, struct kw_error *err)
{
    if (!producer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(producer);
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_topic_open_own(out, producer, name, own, err);
    kwi_client_exit(client);
    return rc;
}

int kw_topic_set_partitioner(struct kw_topic *topic, const struct kw_partitioner *own)
{
    if (!topic)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(topic);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_topic_set_partitioner(topic, own);
    kwi_client_exit(client);
    return rc;
}

/* ---- records --------------------------------------------------------------------- */

/* The record was accepted (1) or refused (< 0), and the core wants attention. */
static int calls_produce_slow(struct kw_client *client, struct kw_topic *topic, int rc)
{
    if (client && (*client->attention & (KW_ATT_WANT | KW_ATT_TIME)) &&
        kw_core_produce_writes(topic))
        kwi_client_push(client);
    if (client)
        kwi_client_kick(client);
    return rc < 0 ? rc : 0;
}

/* Inside the gate, until one is refused. */
static inline int calls_produce_some(struct kw_client *client, struct kw_topic *topic,
                                     const struct kw_record *records, size_t n, size_t *accepted)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = kw_core_produce(topic, &records[i]);
        if (KWI_UNLIKELY(rc != 0))
            rc = calls_produce_slow(client, topic, rc);
        *accepted += rc == 0;
    }
    return rc;
}

/* Somebody is inside, or there is no client. */
static __attribute__((noinline)) int calls_produce_other(struct kw_client *client,
                                                         struct kw_topic *topic,
                                                         const struct kw_record *records, size_t n,
                                                         size_t *accepted)
{
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = calls_produce_some(client, topic, records, n, accepted);
    kwi_client_exit(client);
    return rc;
}

int kw_produce(struct kw_topic *topic, const struct kw_record *record)
{
    struct kw_client *client = kwi_client_of(topic);
    if (KWI_UNLIKELY(!client || kwi_gate_word(&client->gate) != KWI_GATE_FREE)) {
        size_t accepted = 0;
        if (client && kwi_gate_has_thread(&client->gate))
            return kwi_stage_produce(client, topic, record);
        return calls_produce_other(client, topic, record, 1, &accepted);
    }
    kwi_gate_set(&client->gate, KWI_GATE_HOT);
    int rc = kw_core_produce(topic, record);
    if (KWI_UNLIKELY(rc != 0))
        rc = calls_produce_slow(client, topic, rc);
    kwi_client_exit_hot(client);
    return rc;
}

int kw_produce_many(struct kw_topic *topic, const struct kw_record *records, size_t n,
                    size_t *accepted)
{
    struct kw_client *client = kwi_client_of(topic);
    size_t done = 0;
    int rc = 0;
    if (n > 0 && client && kwi_gate_has_thread(&client->gate)) {
        rc = kwi_stage_produce_many(client, topic, records, n, &done);
    } else if (n > 0 && (rc = kwi_client_enter_hot(client)) == 0) {
        rc = calls_produce_some(client, topic, records, n, &done);
        kwi_client_exit_hot(client);
    }
    if (accepted)
        *accepted = done;
    return rc;
}

/* ---- the rest -------------------------------------------------------------------- */

struct kw_op *kw_flush(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    if (!producer)
        return NULL;
    struct kw_client *client = kwi_client_of(producer);
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    kwi_stages_close_trays(client); /* what any thread produced before */
    struct kw_op *op = kw_core_flush(producer, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

int kw_purge(struct kw_producer *producer)
{
    if (!producer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(producer);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    kwi_stages_close_trays(client);
    rc = kw_core_purge(producer);
    kwi_client_exit(client);
    return rc;
}

int kw_record_cancel(const struct kw_record_ref *ref)
{
    if (!ref || !ref->topic)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(ref->topic);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_record_cancel(ref);
    kwi_client_exit(client);
    return rc;
}

int kw_producer_set_hooks(struct kw_producer *producer, const struct kw_producer_hooks *hooks)
{
    if (!producer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(producer);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_producer_set_hooks(producer, hooks);
    kwi_client_exit(client);
    return rc;
}

int kw_receipt_create(struct kw_receipt **out, struct kw_producer *producer, void *tag)
{
    if (!out || !producer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(producer);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_receipt_create(out, producer, tag);
    kwi_client_exit(client);
    return rc;
}

int kw_receipt_close(struct kw_receipt *receipt)
{
    if (!receipt)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(receipt);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_receipt_close(receipt);
    kwi_client_exit(client);
    return rc;
}

int kw_unsent_next(struct kw_producer *producer, struct kw_record *record, struct kw_topic **topic)
{
    if (!producer)
        return 0;
    struct kw_client *client = kwi_client_of(producer);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_unsent_next(producer, record, topic);
    kwi_client_exit(client);
    return rc;
}

struct kw_op *kw_txn_init(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    if (!producer)
        return NULL;
    struct kw_client *client = kwi_client_of(producer);
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_txn_init(producer, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

int kw_txn_begin(struct kw_producer *producer, struct kw_error *err)
{
    if (!producer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(producer);
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_txn_begin(producer, err);
    kwi_client_exit(client);
    return rc;
}

struct kw_op *kw_txn_commit(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    if (!producer)
        return NULL;
    struct kw_client *client = kwi_client_of(producer);
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_txn_commit(producer, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

struct kw_op *kw_txn_abort(struct kw_producer *producer, int32_t timeout_ms, void *tag)
{
    if (!producer)
        return NULL;
    struct kw_client *client = kwi_client_of(producer);
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_txn_abort(producer, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

struct kw_op *kw_txn_send_offsets(struct kw_producer *producer, const struct kw_txn_offsets *what,
                                  int32_t timeout_ms, void *tag)
{
    if (!producer)
        return NULL;
    struct kw_client *client = kwi_client_of(producer);
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_txn_send_offsets(producer, what, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

struct kw_op *kw_list_offsets(struct kw_client *client, const struct kw_start *which, size_t n,
                              uint8_t isolation, struct kw_offsets **result, int32_t timeout_ms,
                              void *tag)
{
    if (!client)
        return NULL;
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_list_offsets(client->core, which, n, isolation, result, timeout_ms,
                                            tag);
    kwi_client_exit(client);
    return op;
}

struct kw_op *kw_admin(struct kw_client *client, const struct kw_admin_request *request,
                       struct kw_admin_result **result, int32_t timeout_ms, void *tag)
{
    if (!client)
        return NULL;
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_admin(client->core, request, result, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

struct kw_op *kw_request_raw(struct kw_client *client, const struct kw_raw_request *request,
                             struct kw_raw_result **result, int32_t timeout_ms, void *tag)
{
    if (!client)
        return NULL;
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_request_raw(client->core, request, result, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

struct kw_op *kw_close(struct kw_client *client, int32_t timeout_ms, void *tag)
{
    if (!client)
        return NULL;
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    kwi_stages_close_trays(client);
    struct kw_op *op = kw_core_close(client->core, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

int kw_op_cancel(struct kw_op *op)
{
    if (!op)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(op);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_op_cancel(op);
    kwi_client_exit(client);
    return rc;
}

void kw_client_stats(const struct kw_client *client, struct kw_stats *stats)
{
    /* The client is the caller's; only the type says that this changes nothing. */
    struct kw_client *own = (struct kw_client *)(uintptr_t)client;
    memset(stats, 0, sizeof(*stats));
    if (kwi_client_enter(own) != 0)
        return;
    kwi_stages_close_trays(own);
    kw_core_stats(client->core, stats);
    kwi_client_exit(own);
}
