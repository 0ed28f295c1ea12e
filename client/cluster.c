/* client/cluster.c -- brokers and the way to any of them; topics of interest.
 * The Metadata exchange itself is in client/metadata.c. See cluster.h. */
#include "client/cluster.h"

#include <string.h>

#include "client/config.h"
#include "client/conn.h"
#include "client/conn_why.h"
#include "client/error_text.h"
#include "client/link.h"
#include "client/metadata.h"

enum { CLUSTER_CONNECT_MS = 1000 };

static void cluster_connect_due(struct kw_timer *timer);

/* ---- bootstrap.servers ------------------------------------------------------- */

static int cluster_init_seeds(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;
    const char *list = kwi_config_str(core->cfg, KW_KEY_BOOTSTRAP_SERVERS), *at = list, *why;
    struct kw_server server;
    uint32_t n = 0;

    while (kwi_config_next_server(&at, &server, &why) > 0)
        n++;
    cluster->seeds = n ? kwi_alloc_zero(&core->control, n * sizeof(*cluster->seeds)) : NULL;
    if (n && !cluster->seeds)
        return KW_ERR_NOMEM;
    cluster->n_seeds = n;
    at = list;
    for (n = 0; kwi_config_next_server(&at, &server, &why) > 0; n++) {
        cluster->seeds[n] = kwi_broker_create(core, -2 - (int32_t)n, server.host, server.host_len,
                                              server.port);
        if (!cluster->seeds[n])
            return KW_ERR_NOMEM;
    }
    cluster->next_seed = n ? kwi_rng_below(&core->rng, n) : 0;
    return 0;
}

int kwi_cluster_init(struct kw_core *core, struct kw_error *err)
{
    struct kw_cluster *cluster = &core->cluster;

    (void)err;
    cluster->core = core;
    cluster->controller_id = -1;
    cluster->connect.fire = cluster_connect_due;
    kwi_map_init(&cluster->brokers, &core->control);
    kwi_map_init(&cluster->topics, &core->control);
    kwi_metadata_init(core);
    return cluster_init_seeds(core);
}

static void cluster_free_topic(struct kw_core *core, struct kw_topic_meta *meta)
{
    kwi_free(&core->control, meta->partitions, meta->n_partitions * sizeof(*meta->partitions));
    kwi_free(&core->control, meta->name, meta->name_len + 1);
    kwi_free(&core->control, meta, sizeof(*meta));
}

void kwi_cluster_stop(struct kw_core *core)
{
    struct kw_list *waiting = &core->cluster.waiting;

    kwi_core_disarm(core, &core->cluster.timer);
    kwi_core_disarm(core, &core->cluster.connect);
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
    for (uint32_t i = 0; (broker = kwi_map_next(&cluster->brokers, &i));)
        kwi_broker_destroy(broker);
    for (uint32_t i = 0; i < cluster->n_seeds; i++)
        if (cluster->seeds[i])
            kwi_broker_destroy(cluster->seeds[i]);
    kwi_free(&core->control, cluster->seeds, cluster->n_seeds * sizeof(*cluster->seeds));
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
        return kwi_broker_move(broker, host.ptr, (size_t)host.len, (uint16_t)port);
    broker = kwi_broker_create(core, node_id, host.ptr, (size_t)host.len, (uint16_t)port);
    if (!broker)
        return KW_ERR_NOMEM;
    rc = kwi_map_put(&core->cluster.brokers, (uint32_t)node_id, broker);
    if (rc)
        kwi_broker_destroy(broker);
    return rc;
}

/* A ready control link: of a learned broker if there is one. */
static struct kw_link *cluster_ready_link(struct kw_core *core)
{
    struct kw_link *seed = NULL;

    for (struct kw_node *n = core->links.first; n; n = n->next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, node);
        if (link->lane != KWI_LANE_CONTROL || !kwi_link_ready(link))
            continue;
        if (link->broker->node_id >= 0)
            return link;
        seed = link;
    }
    return seed;
}

static bool cluster_is_connecting(struct kw_core *core)
{
    for (struct kw_node *n = core->links.first; n; n = n->next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, node);
        if (link->lane == KWI_LANE_CONTROL && kwi_link_connecting(link))
            return true;
    }
    return false;
}

/* The i-th candidate: learned brokers, then the bootstrap list; both from a
 * rotating start, so that one dead broker is not asked for ever. */
static struct kw_broker *cluster_candidate(struct kw_cluster *cluster, uint32_t i)
{
    uint32_t n_brokers = kwi_map_len(&cluster->brokers), pos = 0;
    struct kw_broker *broker = NULL;

    if (i >= n_brokers)
        return cluster->seeds[(i - n_brokers + cluster->next_seed) % cluster->n_seeds];
    for (uint32_t k = (i + cluster->next_seed) % n_brokers + 1; k > 0; k--)
        broker = kwi_map_next(&cluster->brokers, &pos);
    return broker;
}

/* Connects to the next candidate that is not backing off; when all are, each is
 * tried as its backoff ends. When not one link could be made for want of memory,
 * a timer tries again. */
static void cluster_connect_any(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;
    uint32_t n = kwi_map_len(&cluster->brokers) + cluster->n_seeds;

    if (core->closing || cluster_is_connecting(core))
        return;
    cluster->next_seed++;
    for (uint32_t i = 0; i < n; i++) {
        struct kw_link *link = kwi_link_get(cluster_candidate(cluster, i), KWI_LANE_CONTROL, NULL);
        if (!link)
            continue;
        kwi_link_kick(link);
        if (!kwi_link_backing_off(link))
            return;
    }
    kwi_core_arm(core, &cluster->connect, kwi_core_after_ms(core, CLUSTER_CONNECT_MS));
}

static void cluster_connect_due(struct kw_timer *timer)
{
    struct kw_cluster *cluster = KWI_OF(timer, struct kw_cluster, connect);

    if (!kwi_list_empty(&cluster->waiting))
        cluster_connect_any(cluster->core);
}

/* No broker can be had for those that wait. */
static void cluster_end_waiting(struct kw_core *core, const struct kw_error *why)
{
    struct kw_list waiting = core->cluster.waiting;
    struct kw_error cause = *why;

    core->cluster.waiting = (struct kw_list){0};
    while (!kwi_list_empty(&waiting))
        kwi_request_end(KWI_OF(kwi_list_pop(&waiting), struct kw_request, node), cause.code,
                        &cause);
}

static void cluster_dispatch(struct kw_core *core, struct kw_link *link)
{
    struct kw_list waiting = core->cluster.waiting;

    core->cluster.waiting = (struct kw_list){0};
    while (!kwi_list_empty(&waiting)) {
        struct kw_request *req = KWI_OF(kwi_list_pop(&waiting), struct kw_request, node);
        req->link = link;
        kwi_request_submit(req);
    }
}

void kwi_cluster_submit(struct kw_request *req)
{
    struct kw_core *core = req->core;
    struct kw_link *link = cluster_ready_link(core);

    kwi_list_push(&core->cluster.waiting, &req->node);
    if (link)
        cluster_dispatch(core, link);
    else
        cluster_connect_any(core);
}

bool kwi_cluster_withdraw(struct kw_request *req)
{
    struct kw_list *waiting = &req->core->cluster.waiting;

    if (req->link || req->conn || !kwi_list_has(waiting, &req->node))
        return false;
    kwi_list_remove(waiting, &req->node);
    kwi_request_destroy(req);
    return true;
}

void kwi_cluster_link_up(struct kw_link *link)
{
    struct kw_core *core = link->core;
    struct kw_error quiet;

    cluster_dispatch(core, link);
    if (link->broker->node_id < 0)
        return;
    /* Bootstrap addresses have no identity: let them go for a learned node. */
    kwi_error_set(&quiet, KW_ERR_CLOSED, KW_PHASE_NONE, "bootstrap connection is done", "");
    for (uint32_t i = 0; i < core->cluster.n_seeds; i++) {
        struct kw_link *seed = kwi_link_get(core->cluster.seeds[i], KWI_LANE_CONTROL, NULL);
        if (seed && kwi_link_ready(seed) && kwi_list_empty(&seed->queue) &&
            kwi_list_empty(&seed->conn->requests))
            kwi_conn_fail(seed->conn, &quiet);
    }
}

bool kwi_cluster_is_hopeless(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;
    uint32_t n = kwi_map_len(&cluster->brokers) + cluster->n_seeds;

    for (uint32_t i = 0; i < n; i++) {
        const struct kw_link *link = kwi_link_find(cluster_candidate(cluster, i), KWI_LANE_CONTROL,
                                                   NULL);
        /* Ready, but without a connection: it is being lost just now. */
        if (!link || (kwi_link_ready(link) && link->conn) || link->served ||
            !kwi_why_is_final(&link->cause))
            return false;
    }
    return true;
}

void kwi_cluster_link_down(struct kw_link *link)
{
    struct kw_core *core = link->core;

    if (kwi_list_empty(&core->cluster.waiting) || core->closing)
        return;
    /* Trust that was refused once is refused again, by the next broker too: who
     * waits is told so at once, unless there is someone else to talk to. */
    if ((link->cause.code == KW_ERR_AUTH && !cluster_ready_link(core) &&
         !cluster_is_connecting(core)) ||
        kwi_cluster_is_hopeless(core))
        cluster_end_waiting(core, &link->cause);
    else
        cluster_connect_any(core);
}

/* ---- topics ---------------------------------------------------------------------------- */

struct kw_topic_meta *kwi_topic_meta_get(struct kw_core *core, const char *name, size_t len)
{
    struct kw_topic_meta *meta = kwi_map_get_str(&core->cluster.topics, name, len);

    if (meta) {
        meta->refs++;
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
