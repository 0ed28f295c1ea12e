/* client/cluster.c -- brokers and topics of interest. The Metadata exchange is in
 * client/metadata.c, the way to any broker in client/reach.c. See cluster.h. */
#include "client/cluster.h"

#include <string.h>

#include "client/config.h"
#include "client/conn.h"
#include "client/error_text.h"
#include "client/link.h"
#include "client/metadata.h"
#include "proto/leader.h"

int kwi_cluster_init(struct kw_core *core, struct kw_error *err)
{
    struct kw_cluster *cluster = &core->cluster;

    (void)err;
    cluster->core = core;
    cluster->controller_id = -1;
    cluster->features_epoch = -1;
    kwi_map_init(&cluster->brokers, &core->control);
    kwi_map_init(&cluster->topics, &core->control);
    kwi_racks_init(core);
    kwi_metadata_init(core);
    return kwi_reach_init(core);
}

static void cluster_free_topic(struct kw_core *core, struct kw_topic_meta *meta)
{
    KWI_ASSERT(!meta->racks.list);
    kwi_free(&core->control, meta->partitions, meta->n_partitions * sizeof(*meta->partitions));
    kwi_free(&core->control, meta->name, meta->name_len + 1);
    kwi_free(&core->control, meta, sizeof(*meta));
}

void kwi_cluster_stop(struct kw_core *core)
{
    struct kw_list *waiting = &core->cluster.waiting;

    kwi_core_disarm(core, &core->cluster.timer);
    kwi_core_disarm(core, &core->cluster.connect);
    kwi_core_disarm(core, &core->cluster.recovery);
    while (!kwi_list_empty(waiting))
        kwi_request_end(KWI_OF(kwi_list_pop(waiting), struct kw_request, node), KW_ERR_CLOSED,
                        NULL);
}

void kwi_cluster_deinit(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;
    struct kw_topic_meta *meta;
    struct kw_broker *broker;

    kwi_cluster_stop(core);
    kwi_requests_deinit(core);
    for (uint32_t i = 0; (meta = kwi_map_next(&cluster->topics, &i));)
        cluster_free_topic(core, meta);
    kwi_racks_deinit(core);
    for (uint32_t i = 0; (broker = kwi_map_next(&cluster->brokers, &i));)
        kwi_broker_destroy(broker);
    kwi_reach_deinit(core);
    kwi_map_deinit(&cluster->topics);
    kwi_map_deinit(&cluster->brokers);
}

/* ---- any broker -------------------------------------------------------------------- */

struct kw_broker *kwi_cluster_broker(struct kw_core *core, int32_t node_id)
{
    return node_id < 0 ? NULL : kwi_map_get(&core->cluster.brokers, (uint32_t)node_id);
}

struct kw_link *kwi_cluster_control(struct kw_core *core, int32_t node_id)
{
    struct kw_broker *broker = kwi_cluster_broker(core, node_id);

    return broker ? kwi_link_get(broker, KWI_LANE_CONTROL, NULL) : NULL;
}

int kwi_cluster_take_broker(struct kw_core *core, int32_t node_id, struct kw_str host, int32_t port)
{
    struct kw_broker *broker = kwi_cluster_broker(core, node_id);
    int rc;

    if (node_id < 0 || port < 0 || port > UINT16_MAX || host.len <= 0)
        return 0; /* nothing that could be connected to */
    if (broker)
        broker->absent = false;
    if (broker)
        return kwi_broker_move(broker, host.ptr, (size_t)host.len, (uint16_t)port);
    broker = kwi_broker_create(core, node_id, host.ptr, (size_t)host.len, (uint16_t)port);
    if (!broker)
        return KW_ERR_NOMEM;
    rc = kwi_map_put(&core->cluster.brokers, (uint32_t)node_id, broker);
    if (rc)
        kwi_broker_destroy(broker);
    return rc;
}

void kwi_cluster_take_endpoints(struct kw_core *core, const struct kw_arr *endpoints)
{
    struct kw_node_endpoint node;
    struct kw_iter it;

    for (kwi_iter_init(&it, endpoints); kwi_iter_next(&it, &node);)
        if (kwi_cluster_take_broker(core, node.node_id, node.host, node.port))
            return; /* no memory: the metadata refresh will tell */
}

void kwi_cluster_mark_absent(struct kw_core *core)
{
    struct kw_broker *broker;

    for (uint32_t i = 0; (broker = kwi_map_next(&core->cluster.brokers, &i));)
        broker->absent = true;
}

void kwi_cluster_sweep(struct kw_core *core)
{
    struct kw_broker *broker;

    for (uint32_t i = 0; (broker = kwi_map_next(&core->cluster.brokers, &i));) {
        if (!broker->absent || !kwi_list_empty(&broker->links))
            continue;
        kwi_map_remove(&core->cluster.brokers, (uint32_t)broker->node_id);
        kwi_broker_destroy(broker);
    }
}

/* ---- topics ---------------------------------------------------------------------------- */

bool kwi_topic_ids_differ(const uint8_t a[16], const uint8_t b[16])
{
    static const uint8_t zero[16];

    return memcmp(a, zero, sizeof(zero)) != 0 && memcmp(b, zero, sizeof(zero)) != 0 &&
           memcmp(a, b, sizeof(zero)) != 0;
}

uint32_t kwi_topic_meta_count(const struct kw_topic_meta *meta)
{
    bool is_gone = meta->missing_us &&
                   meta->missing_us + KWI_TOPIC_MISSING_US <= meta->core->now.mono_us;

    return is_gone ? 0 : meta->n_named;
}

struct kw_topic_meta *kwi_topic_meta_get(struct kw_core *core, const char *name, size_t len)
{
    struct kw_topic_meta *meta = kwi_map_get_str(&core->cluster.topics, name, len);

    if (meta) {
        meta->refs++;
        if (meta->error)
            kwi_metadata_ask_now(core); /* the next answer tells this one, too */
        return meta;
    }
    meta = kwi_alloc_zero(&core->control, sizeof(*meta));
    if (!meta)
        return NULL;
    meta->core = core;
    meta->refs = 1;
    meta->name_len = len;
    meta->name = kwi_strdup(&core->control, name, len);
    if (!meta->name || kwi_map_put_str(&core->cluster.topics, meta->name, len, meta)) {
        cluster_free_topic(core, meta);
        return NULL;
    }
    kwi_metadata_ask_now(core);
    return meta;
}

void kwi_topic_meta_put(struct kw_topic_meta *meta)
{
    struct kw_core *core = meta->core;

    if (--meta->refs)
        return;
    kwi_map_remove_str(&core->cluster.topics, meta->name, meta->name_len);
    cluster_free_topic(core, meta);
}

struct kw_broker *kwi_topic_meta_leader(struct kw_topic_meta *meta, int32_t partition)
{
    if (partition < 0 || (uint32_t)partition >= meta->n_partitions)
        return NULL;
    return kwi_cluster_broker(meta->core, meta->partitions[partition].leader);
}

bool kwi_topic_meta_hint(struct kw_topic_meta *meta, int32_t partition, int32_t leader,
                         int32_t leader_epoch)
{
    struct kw_partition_meta *part;

    if (partition < 0 || (uint32_t)partition >= meta->n_partitions || leader < 0)
        return false;
    part = &meta->partitions[partition];
    if (leader_epoch <= part->leader_epoch || !kwi_cluster_broker(meta->core, leader))
        return false;
    part->leader = leader;
    part->leader_epoch = leader_epoch;
    part->doubted = false;
    return true;
}

void kwi_topic_meta_doubt(struct kw_topic_meta *meta, int32_t partition)
{
    if (partition >= 0 && (uint32_t)partition < meta->n_partitions)
        meta->partitions[partition].doubted = true;
}
