/* client/admin_metadata.c -- the METADATA admin request and its result: a tree
 * in one allocation (admin_tree.h). */
#include "client/admin.h"
#include "client/admin_tree.h"
#include "client/throttle.h"

#include <string.h>

#include "proto/metadata.h"

static const int32_t *admin_room_ids(struct kw_admin_room *room, const struct kw_arr *arr)
{
    int32_t *ids = kwi_room_take(room, kwi_room_count(arr) * sizeof(*ids)), id;
    struct kw_iter it;
    size_t n = 0;

    for (kwi_iter_init(&it, arr); ids && kwi_iter_next(&it, &id);)
        ids[n++] = id;
    return ids;
}

static void admin_room_partition(struct kw_admin_room *room, struct kw_meta_partition *out,
                                 const struct kw_metadata_response_partition *item)
{
    const int32_t *replicas = admin_room_ids(room, &item->replica_nodes);
    const int32_t *isr = admin_room_ids(room, &item->isr_nodes);

    if (!out)
        return;
    *out = (struct kw_meta_partition){.id = item->partition_index,
                                      .leader = item->leader_id,
                                      .leader_epoch = item->leader_epoch,
                                      .kafka_code = item->error_code,
                                      .replicas = replicas,
                                      .isr = isr,
                                      .n_replicas = (uint32_t)kwi_room_count(&item->replica_nodes),
                                      .n_isr = (uint32_t)kwi_room_count(&item->isr_nodes)};
}

static void admin_room_topic(struct kw_admin_room *room, struct kw_meta_topic *out,
                             const struct kw_metadata_response_topic *item)
{
    size_t n = kwi_room_count(&item->partitions), i = 0;
    const char *name = kwi_room_text(room, item->name);
    struct kw_meta_partition *partitions = kwi_room_take(room, n * sizeof(*partitions));
    struct kw_metadata_response_partition partition;
    struct kw_iter it;

    for (kwi_iter_init(&it, &item->partitions); kwi_iter_next(&it, &partition); i++)
        admin_room_partition(room, partitions ? &partitions[i] : NULL, &partition);
    if (!out)
        return;
    *out = (struct kw_meta_topic){.name = name ? name : "",
                                  .kafka_code = item->error_code,
                                  .internal = item->is_internal,
                                  .partitions = partitions,
                                  .n_partitions = (uint32_t)n};
    memcpy(out->topic_id, item->topic_id.b, sizeof(out->topic_id));
}

static void admin_room_tree(struct kw_admin_room *room, const struct kw_metadata_response *msg)
{
    struct kw_admin_tree *tree = kwi_room_take(room, sizeof(*tree));
    size_t n_brokers = kwi_room_count(&msg->brokers), n_topics = kwi_room_count(&msg->topics),
           i = 0;
    struct kw_meta_broker *brokers = kwi_room_take(room, n_brokers * sizeof(*brokers));
    struct kw_meta_topic *topics = kwi_room_take(room, n_topics * sizeof(*topics));
    const char *cluster_id = kwi_room_text(room, msg->cluster_id);
    struct kw_metadata_response_broker broker;
    struct kw_metadata_response_topic topic;
    struct kw_iter it;

    for (kwi_iter_init(&it, &msg->brokers); kwi_iter_next(&it, &broker); i++) {
        const char *host = kwi_room_text(room, broker.host);
        const char *rack = kwi_room_text(room, broker.rack);
        if (brokers)
            brokers[i] = (struct kw_meta_broker){broker.node_id, broker.port, host, rack};
    }
    i = 0;
    for (kwi_iter_init(&it, &msg->topics); kwi_iter_next(&it, &topic); i++)
        admin_room_topic(room, topics ? &topics[i] : NULL, &topic);
    if (tree)
        tree->result = (struct kw_admin_result){.cluster_id = cluster_id,
                                                .controller_id = msg->controller_id,
                                                .origin_id = -1,
                                                .brokers = brokers,
                                                .topics = topics,
                                                .n_brokers = (uint32_t)n_brokers,
                                                .n_topics = (uint32_t)n_topics};
}

int kwi_admin_metadata_encode(const struct kw_admin_op *admin, int16_t version, struct kw_wr *wr)
{
    struct kw_metadata_request_topic topic;
    struct kw_metadata_request msg;

    kwi_metadata_request_init(&msg);
    kwi_metadata_request_topic_init(&topic);
    topic.name = admin->topic;
    msg.topics = KWI_ARR(&topic, 1);
    if (admin->topic.len < 0)
        msg.topics = KWI_ARR(NULL, -1);
    if (version >= 4)
        msg.allow_auto_topic_creation = false; /* looking must not create */
    return kwi_metadata_request_encode(&msg, version, wr);
}

int kwi_admin_metadata_take(struct kw_admin_op *admin, struct kw_request *req,
                            const struct kw_answer *answer)
{
    struct kw_core *core = admin->op.core;
    struct kw_admin_room room = {0};
    struct kw_metadata_response msg;
    struct kw_fault fault;
    struct kw_admin_tree *tree;

    if (kwi_metadata_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        return kwi_request_malformed(req, &fault, NULL);
    kwi_throttle(req, msg.throttle_time_ms);
    admin_room_tree(&room, &msg);
    if (room.used > core->control.limit)
        return KW_ERR_LIMIT;
    tree = core->env.alloc.alloc(core->env.alloc.ctx, room.used);
    if (!tree)
        return KW_ERR_NOMEM;
    room.base = (uint8_t *)tree;
    tree = NULL;
    room.used = 0;
    admin_room_tree(&room, &msg);
    tree = (struct kw_admin_tree *)(void *)room.base;
    tree->alloc = core->env.alloc;
    tree->size = room.used;
    tree->pieces = NULL;
    if (req->link && req->link->broker->node_id >= 0)
        tree->result.origin_id = req->link->broker->node_id;
    *admin->result = &tree->result;
    return 0;
}
