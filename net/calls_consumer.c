/* net/calls_consumer.c -- the calls of a consumer, and those that end its records; see
 * calls.c. Those that only look are in looks.c. */
#include "base/bytes.h"
#include "net/client.h"

int kw_consumer_create(struct kw_consumer **out, struct kw_client *client,
                       const struct kw_config *own, struct kw_error *err)
{
    if (!client)
        return KW_ERR_USE;
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_consumer_create(out, client->core, own, err);
    kwi_client_exit(client);
    return rc;
}

int kw_assign(struct kw_consumer *consumer, const struct kw_start *starts, size_t n,
              struct kw_error *err)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_assign(consumer, starts, n, err);
    kwi_client_exit(client);
    return rc;
}

int kw_seek(struct kw_consumer *consumer, const struct kw_start *start)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter_now(client);
    if (rc != 0)
        return rc;
    rc = kw_core_seek(consumer, start);
    kwi_client_exit(client);
    return rc;
}

int kw_pause(struct kw_consumer *consumer, const char *topic, int32_t partition)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_pause(consumer, topic, partition, true);
    kwi_client_exit(client);
    return rc;
}

int kw_resume(struct kw_consumer *consumer, const char *topic, int32_t partition)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_pause(consumer, topic, partition, false);
    kwi_client_exit(client);
    return rc;
}

int kw_consumer_poll(struct kw_consumer *consumer, struct kw_records **out, size_t max)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter_now(client); /* what is over by now is not handed out */
    if (rc != 0)
        return rc;
    rc = kw_core_consumer_poll(consumer, out, max);
    kwi_client_exit(client);
    return rc;
}

int kw_done(struct kw_records *records, const struct kw_consumed *consumed)
{
    if (!records)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(records);
    int rc = kwi_client_enter_hot(client);
    if (rc != 0)
        return rc;
    rc = kw_core_done(records, consumed);
    if (client)
        kwi_client_kick(client); /* a commit may be due from now on */
    kwi_client_exit_hot(client);
    return rc;
}

void kw_records_release(struct kw_records *records, enum kw_done done)
{
    if (!records)
        return;
    struct kw_client *client = kwi_client_of(records);
    if (kwi_client_enter(client) != 0)
        return;
    kw_core_records_release(records, done);
    kwi_client_exit(client);
}

int kw_consumer_subscribe(struct kw_consumer *consumer, const char *const *topics, size_t n,
                          struct kw_error *err)
{
    if (!consumer || (n && !topics))
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_subscribe(consumer, topics, n, err);
    kwi_client_exit(client);
    return rc;
}

int kw_consumer_subscribe_pattern(struct kw_consumer *consumer, const char *pattern,
                                  struct kw_error *err)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter_say(client, err);
    if (rc != 0)
        return rc;
    rc = kw_core_subscribe_pattern(consumer, pattern, err);
    kwi_client_exit(client);
    return rc;
}

int kw_rebalance_ack(struct kw_consumer *consumer)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter_now(client);
    if (rc != 0)
        return rc;
    rc = kw_core_rebalance_ack(consumer);
    kwi_client_exit(client);
    return rc;
}

int kw_consumer_rejoin(struct kw_consumer *consumer, const char *reason)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter_now(client);
    if (rc != 0)
        return rc;
    rc = kw_core_rejoin(consumer, reason);
    kwi_client_exit(client);
    return rc;
}

struct kw_op *kw_commit(struct kw_consumer *consumer, const struct kw_offsets *offsets,
                        int32_t timeout_ms, void *tag)
{
    if (!consumer)
        return NULL;
    struct kw_client *client = kwi_client_of(consumer);
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_commit(consumer, offsets, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

struct kw_op *kw_committed(struct kw_consumer *consumer, const struct kw_offsets *which,
                           struct kw_offsets **result, int32_t timeout_ms, void *tag)
{
    if (!consumer)
        return NULL;
    struct kw_client *client = kwi_client_of(consumer);
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_committed(consumer, which, result, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}

struct kw_op *kw_consumer_close(struct kw_consumer *consumer, enum kw_leave leave,
                                int32_t timeout_ms, void *tag)
{
    if (!consumer)
        return NULL;
    struct kw_client *client = kwi_client_of(consumer);
    if (kwi_client_enter_now(client) != 0)
        return NULL;
    struct kw_op *op = kw_core_consumer_close(consumer, leave, timeout_ms, tag);
    kwi_client_exit(client);
    return op;
}
