/* client/reach.c -- the way to any broker: which one is asked, and what happens when
 * none of those that are known can be.
 *
 * Candidates are the brokers that the last metadata named, then bootstrap.servers
 * (the seeds). A seed has no identity: its connection is let go for a learned
 * broker. Re-bootstrapping (KIP-899, KIP-1102) turns that round: the connections of
 * the learned brokers end with the requests under way, and only seeds are asked
 * until one of them has answered. What is known of topics stays. */
#include <string.h>

#include "client/canonical.h"
#include "client/config.h"
#include "client/conn.h"
#include "client/conn_why.h"
#include "client/error_text.h"
#include "client/link.h"

enum { REACH_CONNECT_MS = 1000 };

static void reach_connect_due(struct kw_timer *timer);
static void reach_recovery_due(struct kw_timer *timer);

/* ---- bootstrap.servers ------------------------------------------------------- */

int kwi_reach_init(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;
    const char *list = kwi_config_str(core->cfg, KW_KEY_BOOTSTRAP_SERVERS), *at = list, *why;
    struct kw_server server;
    uint32_t n = 0;

    cluster->connect.fire = reach_connect_due;
    cluster->recovery.fire = reach_recovery_due;
    while (kwi_config_next_server(&at, &server, &why) > 0)
        n++;
    if (n && kwi_config_i64(core->cfg, KW_KEY_CLIENT_DNS_LOOKUP) == KW_LOOKUP_CANONICAL)
        return kwi_canonical_init(core, n);
    cluster->seeds = n ? kwi_alloc_zero(&core->control, n * sizeof(*cluster->seeds)) : NULL;
    if (n && !cluster->seeds)
        return KW_ERR_NOMEM;
    cluster->n_seeds = cluster->n_seeds_max = n;
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

void kwi_reach_deinit(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;

    for (uint32_t i = 0; i < cluster->n_seeds; i++)
        if (cluster->seeds[i])
            kwi_broker_destroy(cluster->seeds[i]);
    kwi_free(&core->control, cluster->seeds, cluster->n_seeds_max * sizeof(*cluster->seeds));
    kwi_canonical_deinit(core);
}

/* ---- candidates ------------------------------------------------------------------ */

static bool reach_may_rebootstrap(const struct kw_core *core)
{
    return kwi_config_i64(core->cfg, KW_KEY_METADATA_RECOVERY_STRATEGY) == KW_RECOVERY_REBOOTSTRAP;
}

static bool reach_is_candidate(const struct kw_broker *broker)
{
    const struct kw_cluster *cluster = &broker->core->cluster;

    if (broker->node_id >= 0)
        return !broker->absent && !cluster->bootstrapping;
    return cluster->bootstrapping || kwi_map_len(&cluster->brokers) == 0 ||
           reach_may_rebootstrap(broker->core);
}

/* A ready control link: of a learned broker if there is one. */
static struct kw_link *reach_ready_link(struct kw_core *core)
{
    struct kw_link *seed = NULL;

    for (struct kw_node *n = core->links.first; n; n = n->next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, node);
        if (link->lane != KWI_LANE_CONTROL || !kwi_link_ready(link) ||
            !reach_is_candidate(link->broker))
            continue;
        if (link->broker->node_id >= 0)
            return link;
        seed = link;
    }
    return seed;
}

static bool reach_is_connecting(struct kw_core *core)
{
    for (struct kw_node *n = core->links.first; n; n = n->next) {
        struct kw_link *link = KWI_OF(n, struct kw_link, node);
        if (link->lane == KWI_LANE_CONTROL && kwi_link_connecting(link) &&
            reach_is_candidate(link->broker))
            return true;
    }
    return false;
}

/* The i-th broker: learned ones, then the bootstrap list; both from a rotating
 * start, so that one dead broker is not asked for ever. */
static struct kw_broker *reach_broker(struct kw_cluster *cluster, uint32_t i)
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
static void reach_connect_any(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;
    uint32_t n = kwi_map_len(&cluster->brokers) + cluster->n_seeds;

    if (core->closing || reach_is_connecting(core))
        return;
    kwi_canonical_need(core);
    cluster->next_seed++;
    for (uint32_t i = 0; i < n; i++) {
        struct kw_broker *broker = reach_broker(cluster, i);
        struct kw_link *link = reach_is_candidate(broker)
                                   ? kwi_link_get(broker, KWI_LANE_CONTROL, NULL)
                                   : NULL;
        if (!link)
            continue;
        kwi_link_kick(link);
        if (!kwi_link_backing_off(link))
            return;
    }
    kwi_core_arm(core, &cluster->connect, kwi_core_after_ms(core, REACH_CONNECT_MS));
}

void kwi_reach_retry(struct kw_core *core)
{
    if (!kwi_list_empty(&core->cluster.waiting))
        reach_connect_any(core);
}

static void reach_connect_due(struct kw_timer *timer)
{
    kwi_reach_retry(KWI_OF(timer, struct kw_cluster, connect)->core);
}

/* ---- those that wait ---------------------------------------------------------------- */

/* No broker can be had for those that wait. */
static void reach_end_waiting(struct kw_core *core, const struct kw_error *why)
{
    struct kw_list waiting = core->cluster.waiting;
    struct kw_error cause = *why;

    core->cluster.waiting = (struct kw_list){0};
    while (!kwi_list_empty(&waiting))
        kwi_request_end(KWI_OF(kwi_list_pop(&waiting), struct kw_request, node), cause.code,
                        &cause);
}

static void reach_dispatch(struct kw_core *core, struct kw_link *link)
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
    struct kw_link *link = reach_ready_link(core);

    kwi_list_push(&core->cluster.waiting, &req->node);
    if (link)
        reach_dispatch(core, link);
    else
        reach_connect_any(core);
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

    if (!reach_is_candidate(link->broker))
        return; /* somebody needed this one; nobody else does */
    reach_dispatch(core, link);
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

    if (kwi_canonical_is_open(core))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct kw_broker *broker = reach_broker(cluster, i);
        const struct kw_link *link = kwi_link_find(broker, KWI_LANE_CONTROL, NULL);

        if (!reach_is_candidate(broker))
            continue;
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
    if ((link->cause.code == KW_ERR_AUTH && !reach_ready_link(core) &&
         !reach_is_connecting(core)) ||
        kwi_cluster_is_hopeless(core))
        reach_end_waiting(core, &link->cause);
    else
        reach_connect_any(core);
}

/* ---- beginning anew ------------------------------------------------------------------ */

void kwi_reach_asked(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;

    if (reach_may_rebootstrap(core) && !cluster->recovery.armed)
        kwi_core_arm(
            core, &cluster->recovery,
            kwi_core_after_ms(
                core, kwi_config_i64(core->cfg, KW_KEY_METADATA_RECOVERY_REBOOTSTRAP_TRIGGER_MS)));
}

void kwi_reach_answered(struct kw_core *core)
{
    core->cluster.bootstrapping = false;
    kwi_core_disarm(core, &core->cluster.recovery);
}

static void reach_recovery_due(struct kw_timer *timer)
{
    struct kw_core *core = KWI_OF(timer, struct kw_cluster, recovery)->core;

    kwi_reach_rebootstrap(core, "no metadata within metadata.recovery.rebootstrap.trigger.ms");
    kwi_reach_asked(core);
}

void kwi_reach_rebootstrap(struct kw_core *core, const char *why)
{
    struct kw_cluster *cluster = &core->cluster;
    struct kw_broker *broker;
    struct kw_link *link;

    if (core->closing || cluster->bootstrapping || !reach_may_rebootstrap(core))
        return;
    core->stats.rebootstraps++;
    cluster->bootstrapping = true;
    kwi_log(core, 4, "%s: beginning with bootstrap.servers again", why);
    kwi_canonical_again(core);
    for (uint32_t i = 0; (broker = kwi_map_next(&cluster->brokers, &i));)
        kwi_broker_retire(broker);
    if (kwi_list_empty(&cluster->waiting))
        return;
    link = reach_ready_link(core);
    if (link)
        reach_dispatch(core, link);
    else
        reach_connect_any(core);
}
