/* client/racks.c -- in which racks the replicas of a topic are. See racks.h. */
#include "client/racks.h"

#include <string.h>

#include "client/core.h"
#include "client/link.h"

struct kw_rack {
    int32_t number;
    size_t len;
    char name[];
};

void kwi_racks_init(struct kw_core *core)
{
    kwi_map_init(&core->cluster.racks.names, &core->control);
}

void kwi_racks_deinit(struct kw_core *core)
{
    struct kw_map *names = &core->cluster.racks.names;
    struct kw_broker *broker;
    struct kw_rack *rack;

    for (uint32_t i = 0; (broker = kwi_map_next(&core->cluster.brokers, &i));)
        broker->rack = -1;
    for (uint32_t i = 0; (rack = kwi_map_next(names, &i));)
        kwi_free(&core->control, rack, sizeof(*rack) + rack->len);
    kwi_map_deinit(names);
    kwi_map_init(names, &core->control);
}

/* Its number; -1: it is none, or there is no room for it. */
static int32_t racks_number(struct kw_core *core, struct kw_str name)
{
    struct kw_map *names = &core->cluster.racks.names;
    struct kw_rack *rack;

    if (name.len <= 0 || name.len > KWI_RACK_NAME_MAX)
        return -1;
    rack = kwi_map_get_str(names, name.ptr, (size_t)name.len);
    if (rack)
        return rack->number;
    if (kwi_map_len(names) == KWI_RACKS_MAX)
        return -1;
    rack = kwi_alloc(&core->control, sizeof(*rack) + (size_t)name.len);
    if (!rack)
        return -1;
    rack->number = (int32_t)kwi_map_len(names);
    rack->len = (size_t)name.len;
    memcpy(rack->name, name.ptr, rack->len);
    if (kwi_map_put_str(names, rack->name, rack->len, rack)) {
        kwi_free(&core->control, rack, sizeof(*rack) + rack->len);
        return -1;
    }
    return rack->number;
}

void kwi_racks_want(struct kw_topic_meta *meta)
{
    meta->racks.n_users++;
    meta->core->cluster.racks.n_users++;
}

static void racks_forget(struct kw_topic_meta *meta)
{
    struct kw_topic_racks *racks = &meta->racks;

    kwi_free(&meta->core->control, racks->list,
             (size_t)racks->n_partitions * racks->n_replicas * sizeof(*racks->list));
    racks->list = NULL;
    racks->n_partitions = racks->n_replicas = 0;
}

void kwi_racks_unwant(struct kw_topic_meta *meta)
{
    if (--meta->racks.n_users == 0) {
        racks_forget(meta);
        meta->racks.known = false;
    }
    if (--meta->core->cluster.racks.n_users == 0)
        kwi_racks_deinit(meta->core);
}

void kwi_racks_take_broker(struct kw_core *core, int32_t node_id, struct kw_str rack)
{
    struct kw_broker *broker = core->cluster.racks.n_users ? kwi_cluster_broker(core, node_id)
                                                           : NULL;

    if (broker)
        broker->rack = racks_number(core, rack);
}

/* A broker that metadata does not name is nowhere, as in Java's client. */
static int32_t racks_of_node(struct kw_core *core, int32_t node_id)
{
    const struct kw_broker *broker = kwi_cluster_broker(core, node_id);

    return broker && !broker->absent ? broker->rack : -1;
}

static uint32_t racks_n_replicas(const struct kw_metadata_response_topic *item)
{
    struct kw_metadata_response_partition part;
    struct kw_iter it;
    int32_t most = 0;

    for (kwi_iter_init(&it, &item->partitions); kwi_iter_next(&it, &part);) {
        if (part.replica_nodes.n > most)
            most = part.replica_nodes.n;
    }
    return most < KWI_RACK_REPLICAS_MAX ? (uint32_t)most : KWI_RACK_REPLICAS_MAX;
}

static void racks_fill(struct kw_topic_meta *meta, const struct kw_metadata_response_topic *item)
{
    struct kw_topic_racks *racks = &meta->racks;
    size_t n = (size_t)racks->n_partitions * racks->n_replicas;
    struct kw_metadata_response_partition part;
    struct kw_iter it, nodes;
    int32_t node;

    for (size_t i = 0; i < n; i++)
        racks->list[i] = -1;
    for (kwi_iter_init(&it, &item->partitions); kwi_iter_next(&it, &part);) {
        int32_t *at;
        uint32_t k = 0;
        if (part.partition_index < 0 || (uint32_t)part.partition_index >= racks->n_partitions)
            continue;
        at = racks->list + (size_t)part.partition_index * racks->n_replicas;
        kwi_iter_init(&nodes, &part.replica_nodes);
        while (k < racks->n_replicas && kwi_iter_next(&nodes, &node))
            at[k++] = racks_of_node(meta->core, node);
        while (k > 0 && k < racks->n_replicas)
            at[k++] = at[0]; /* fewer replicas than others have: the set is the same */
    }
}

void kwi_racks_take_topic(struct kw_topic_meta *meta, const struct kw_metadata_response_topic *item,
                          uint32_t n_partitions)
{
    struct kw_topic_racks *racks = &meta->racks;
    uint32_t n_replicas = racks_n_replicas(item);
    int32_t *list;

    if (!racks->n_users)
        return;
    racks->known = true;
    if (n_partitions == 0 || n_replicas == 0)
        return; /* an error: what is known stays */
    list = kwi_alloc(&meta->core->control, (size_t)n_partitions * n_replicas * sizeof(*list));
    if (!list)
        return; /* the group does without, or with what was known */
    racks_forget(meta);
    racks->list = list;
    racks->n_partitions = n_partitions;
    racks->n_replicas = n_replicas;
    racks_fill(meta, item);
}

uint32_t kwi_racks_n(const struct kw_core *core)
{
    return kwi_map_len(&core->cluster.racks.names);
}

size_t kwi_racks_names(const struct kw_core *core, struct kw_bytes *names)
{
    const struct kw_rack *rack;
    uint32_t n = 0;
    size_t bytes = 0;

    for (uint32_t i = 0; (rack = kwi_map_next(&core->cluster.racks.names, &i)); n++) {
        bytes += rack->len;
        if (names)
            names[n] = (struct kw_bytes){rack->name, rack->len};
    }
    return bytes;
}
