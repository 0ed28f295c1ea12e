/* net/looks.c -- the application's calls that look at the core, or walk a handle of
 * records: each is its twin of core.h inside the gate. They leave the driver nothing to
 * do, or what a later call finds.
 *
 * A handle of a core that the program drives itself has no client; it is good here,
 * too, and nothing is guarded then. */
#include "base/bytes.h"
#include "net/client.h"
#include "net/stage.h"
#include <string.h>

int32_t kw_topic_partitions(const struct kw_topic *topic)
{
    struct kw_client *client = kwi_client_of(topic);
    int32_t n = 0;
    if (!client || kwi_gate_word(&client->gate) == KWI_GATE_HOT)
        return kw_core_topic_partitions(topic); /* a partitioner may ask */
    if (kwi_client_enter(client) != 0)
        return 0;
    n = kw_core_topic_partitions(topic);
    kwi_client_exit(client);
    return n;
}

int16_t kw_topic_error(const struct kw_topic *topic)
{
    struct kw_client *client = kwi_client_of(topic);
    if (kwi_client_enter(client) != 0)
        return 0;
    int16_t code = kw_core_topic_error(topic);
    kwi_client_exit(client);
    return code;
}

uint64_t kw_producer_outstanding(const struct kw_producer *producer)
{
    struct kw_client *client = kwi_client_of(producer);
    if (kwi_client_enter(client) != 0)
        return 0;
    kwi_stages_close_trays(client); /* records are counted in their partition */
    uint64_t n = kw_core_producer_outstanding(producer);
    kwi_client_exit(client);
    return n;
}

int kw_txn_status(const struct kw_producer *producer, struct kw_txn_status *status)
{
    if (!producer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(producer);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_txn_status(producer, status);
    kwi_client_exit(client);
    return rc;
}

int kw_consumer_add_assignor(struct kw_consumer *consumer, const struct kw_assignor *assignor)
{
    if (!consumer)
        return KW_ERR_USE;
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter(client);
    if (rc != 0)
        return rc;
    rc = kw_core_consumer_add_assignor(consumer, assignor);
    kwi_client_exit(client);
    return rc;
}

static __attribute__((noinline)) const struct kw_consumed *looks_next_slow(
    struct kw_records *records, struct kw_client *client)
{
    if (kwi_client_enter(client) != 0)
        return NULL;
    const struct kw_consumed *record = kw_core_records_next(records);
    kwi_client_exit(client);
    return record;
}

const struct kw_consumed *kw_records_next(struct kw_records *records)
{
    struct kw_client *client = kwi_client_of(records);
    if (KWI_UNLIKELY(!client || kwi_gate_word(&client->gate) != KWI_GATE_FREE))
        return looks_next_slow(records, client);
    kwi_gate_set(&client->gate, KWI_GATE_HOT);
    const struct kw_consumed *record = kw_core_records_next(records);
    kwi_gate_set(&client->gate, KWI_GATE_FREE); /* nothing in there calls the application */
    return record;
}

int kw_position(const struct kw_consumer *consumer, const char *topic, int32_t partition,
                int64_t *offset)
{
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter(client);
    *offset = -1;
    if (rc != 0)
        return rc;
    rc = kw_core_position(consumer, topic, partition, offset);
    kwi_client_exit(client);
    return rc;
}

int kw_log_ends(const struct kw_consumer *consumer, const char *topic, int32_t partition,
                struct kw_log_ends *ends)
{
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter(client);
    *ends = (struct kw_log_ends){-1, -1, -1};
    if (rc != 0)
        return rc;
    rc = kw_core_log_ends(consumer, topic, partition, ends);
    kwi_client_exit(client);
    return rc;
}

int kw_lag(const struct kw_consumer *consumer, const char *topic, int32_t partition, int64_t *lag)
{
    struct kw_client *client = kwi_client_of(consumer);
    int rc = kwi_client_enter(client);
    *lag = -1;
    if (rc != 0)
        return rc;
    rc = kw_core_lag(consumer, topic, partition, lag);
    kwi_client_exit(client);
    return rc;
}
