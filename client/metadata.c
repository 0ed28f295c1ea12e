/* client/metadata.c -- asking for metadata and taking the answer over.
 *
 * One request at a time, for all topics of interest together. It is asked by
 * events (kwi_cluster_refresh), behind a growing backoff while something stays
 * open, and by age (metadata.max.age.ms). A topic-level error never deletes
 * what is known of the topic (P11, P26). */
#include "client/metadata.h"

#include <string.h>

#include "client/config.h"
#include "client/conn.h"
#include "client/error_text.h"
#include "client/link.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/metadata.h"

enum {
    METADATA_OLD_MAX = 6, /* seconds, with the backoff between them */
    METADATA_EPOCHS = 9   /* from this version on leader epochs are right (KAFKA-9212) */
};

/* ---- asking ---------------------------------------------------------------------- */

static int metadata_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_core *core = req->core;
    struct kw_metadata_request msg;
    struct kw_metadata_request_topic *names = NULL;
    struct kw_topic_meta *meta;
    uint32_t n = kwi_map_len(&core->cluster.topics), k = 0;
    int rc;

    kwi_metadata_request_init(&msg);
    if (n) {
        names = kwi_alloc(&core->control, n * sizeof(*names));
        if (!names)
            return KW_ERR_NOMEM;
        for (uint32_t i = 0; (meta = kwi_map_next(&core->cluster.topics, &i)); k++) {
            kwi_metadata_request_topic_init(&names[k]);
            names[k].name = (struct kw_str){meta->name, (int32_t)meta->name_len};
        }
    }
    msg.topics = KWI_ARR(names, n);
    if (req->version >= 4)
        msg.allow_auto_topic_creation = kwi_config_i64(core->cfg,
                                                       KW_KEY_ALLOW_AUTO_CREATE_TOPICS) != 0;
    rc = kwi_metadata_request_encode(&msg, req->version, wr);
    kwi_free(&core->control, names, n * sizeof(*names));
    return rc;
}

static void metadata_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type metadata_type = {
    .api_key = KW_API_METADATA,
    .encode = metadata_encode,
    .done = metadata_done,
};

static void metadata_ask(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;
    struct kw_request *req;

    if (core->closing)
        return;
    req = kwi_request_create(core, NULL, &metadata_type, NULL);
    if (!req) {
        kwi_core_arm(core, &cluster->timer, kwi_core_after_ms(core, 100));
        return;
    }
    kwi_core_disarm(core, &cluster->timer);
    cluster->in_flight = true;
    cluster->again = 0;
    kwi_reach_asked(core);
    kwi_cluster_submit(req);
}

void kwi_metadata_ask_now(struct kw_core *core)
{
    if (core->cluster.in_flight)
        core->cluster.again = 2;
    else
        kwi_core_arm(core, &core->cluster.timer, core->now.mono_us);
}

static uint64_t metadata_backoff(struct kw_core *core)
{
    return kwi_core_backoff_us(core, kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MS),
                               kwi_config_i64(core->cfg, KW_KEY_RETRY_BACKOFF_MAX_MS),
                               core->cluster.streak);
}

void kwi_cluster_refresh(struct kw_core *core)
{
    struct kw_cluster *cluster = &core->cluster;
    uint64_t due_us;

    if (cluster->in_flight) {
        cluster->again |= 1;
        return;
    }
    due_us = cluster->last_us ? cluster->last_us + metadata_backoff(core) : 0;
    if (due_us < core->now.mono_us)
        due_us = core->now.mono_us;
    if (!cluster->timer.armed || cluster->timer.deadline_us > due_us)
        kwi_core_arm(core, &cluster->timer, due_us);
}

static void metadata_timer(struct kw_timer *timer)
{
    struct kw_cluster *cluster = KWI_OF(timer, struct kw_cluster, timer);

    if (!cluster->in_flight)
        metadata_ask(cluster->core);
}

void kwi_metadata_init(struct kw_core *core)
{
    core->cluster.timer.fire = metadata_timer;
}

/* ---- taking over -------------------------------------------------------------------- */

static int metadata_take_brokers(struct kw_core *core, const struct kw_metadata_response *msg)
{
    struct kw_metadata_response_broker item;
    struct kw_iter it;
    int rc = 0;

    kwi_cluster_mark_absent(core);
    for (kwi_iter_init(&it, &msg->brokers); !rc && kwi_iter_next(&it, &item);) {
        rc = kwi_cluster_take_broker(core, item.node_id, item.host, item.port);
        kwi_racks_take_broker(core, item.node_id, item.rack);
    }
    kwi_cluster_sweep(core);
    return rc;
}

/* Whether the answer is of another cluster than the one that we know (N20): an
 * address of a broker that is gone may be somebody else's by now. */
static bool metadata_is_foreign(const struct kw_cluster *cluster, struct kw_str id)
{
    size_t n = sizeof(cluster->cluster_id);

    if (id.len <= 0 || !cluster->cluster_id_len)
        return false;
    return id.len != cluster->cluster_id_len ||
           memcmp(id.ptr, cluster->cluster_id, (size_t)id.len < n ? (size_t)id.len : n) != 0;
}

static bool metadata_from_seed(const struct kw_request *req)
{
    return req->link && req->link->broker->node_id < 0;
}

static void metadata_take_id(struct kw_request *req, struct kw_str id)
{
    struct kw_cluster *cluster = &req->core->cluster;
    bool is_foreign = metadata_is_foreign(cluster, id);

    if (id.len <= 0)
        return;
    if (is_foreign)
        kwi_log(req->core, 4, "bootstrap.servers lead to another cluster now: %.*s",
                (int)(id.len < 40 ? id.len : 40), id.ptr);
    cluster->is_id_sure = !metadata_from_seed(req) || (cluster->is_id_sure && !is_foreign);
    cluster->cluster_id_len = (uint16_t)id.len;
    memcpy(cluster->cluster_id, id.ptr,
           (size_t)id.len < sizeof(cluster->cluster_id) ? (size_t)id.len
                                                        : sizeof(cluster->cluster_id));
}

/* An answer that must not replace what is known: tells so, and returns what it is.
 * 0: it may. */
static int metadata_refuse(struct kw_request *req, const struct kw_metadata_response *msg)
{
    struct kw_core *core = req->core;
    bool is_foreign = metadata_is_foreign(&core->cluster, msg->cluster_id) &&
                      !metadata_from_seed(req);
    struct kw_error err;

    if (msg->error_code == KW_E_REBOOTSTRAP_REQUIRED) {
        kwi_error_kafka(&err, msg->error_code, req->conn->peer, NULL, 0);
    } else if (msg->error_code) {
        kwi_error_kafka(&err, msg->error_code, "Metadata", NULL, 0);
    } else if (msg->brokers.n == 0) {
        /* A broker that has just started does not know the others yet. */
        kwi_error_fmt(&err, KW_ERR_PROTOCOL, KW_PHASE_REQUEST, "is the broker starting?",
                      "%s: metadata without any broker; what was known stays", req->conn->peer);
    } else if (is_foreign) {
        kwi_error_fmt(&err, KW_ERR_PROTOCOL, KW_PHASE_REQUEST,
                      "check advertised.listeners; is its address somebody else's now?",
                      "%s belongs to another cluster (%.*s); what was known stays", req->conn->peer,
                      (int)(msg->cluster_id.len < 40 ? msg->cluster_id.len : 40),
                      msg->cluster_id.ptr);
    } else {
        return 0;
    }
    kwi_event_error(core, &err);
    if (msg->error_code == KW_E_REBOOTSTRAP_REQUIRED)
        kwi_reach_rebootstrap(core, "a broker asked for it");
    else if (is_foreign && !core->cluster.is_id_sure)
        kwi_reach_rebootstrap(core, "no broker confirms what a bootstrap server said");
    if (msg->error_code || msg->brokers.n)
        kwi_conn_fail(req->conn, &err); /* not this one again */
    return err.code;
}

/* Grows the partition array; a partition that is not named any more stays. */
static int metadata_grow(struct kw_topic_meta *meta, uint32_t n)
{
    struct kw_partition_meta *grown;

    if (n <= meta->n_partitions)
        return 0;
    grown = kwi_alloc(&meta->core->control, n * sizeof(*grown));
    if (!grown)
        return KW_ERR_NOMEM;
    if (meta->n_partitions)
        memcpy(grown, meta->partitions, meta->n_partitions * sizeof(*grown));
    for (uint32_t i = meta->n_partitions; i < n; i++)
        grown[i] = (struct kw_partition_meta){.leader = -1, .leader_epoch = -1};
    kwi_free(&meta->core->control, meta->partitions, meta->n_partitions * sizeof(*grown));
    meta->partitions = grown;
    meta->n_partitions = n;
    return 0;
}

/* Partitions are numbered without gaps. One that is listed twice counts once:
 * records for a partition that does not exist would wait in vain. */
static uint32_t metadata_count(const struct kw_metadata_response_topic *item)
{
    struct kw_metadata_response_partition part;
    struct kw_iter it;
    int32_t n = 0;

    for (kwi_iter_init(&it, &item->partitions); kwi_iter_next(&it, &part);)
        if (part.partition_index >= n && part.partition_index < item->partitions.n)
            n = part.partition_index + 1;
    return (uint32_t)n;
}

/* An older epoch comes from a broker that lags behind: what is known stays, as long
 * as it names a leader that there is and that has not denied it. Otherwise one lie
 * about an epoch would be believed for ever, and an old leader costs a refusal at
 * most. */
static void metadata_take_leader(struct kw_topic_meta *meta,
                                 const struct kw_metadata_response_partition *item, bool fresh)
{
    struct kw_partition_meta *part = &meta->partitions[item->partition_index];
    bool is_older = item->leader_epoch >= 0 && item->leader_epoch < part->leader_epoch;

    part->error = item->error_code;
    if (!fresh && is_older && !part->doubted && kwi_topic_meta_leader(meta, item->partition_index))
        return;
    /* An epoch is that of its leader, and not one that it has denied. */
    fresh |= part->doubted || part->leader != item->leader_id;
    part->doubted = false;
    part->leader = item->leader_id;
    if (item->leader_epoch >= 0 || fresh)
        part->leader_epoch = item->leader_epoch;
}

/* A broker lags behind: an id does not come back. But where what came instead leads nowhere,
 * and all answers for a while tell of the old one, it was that one answer that was wrong. */
static bool metadata_lags(struct kw_topic_meta *meta, const struct kw_uuid *id)
{
    bool leads = true;

    if (memcmp(meta->old_id, id->b, sizeof(meta->old_id)) != 0)
        return false;
    for (uint32_t i = 0; i < meta->n_partitions; i++)
        leads &= meta->partitions[i].leader >= 0 && !meta->partitions[i].doubted;
    meta->n_old = leads ? 0 : meta->n_old + 1;
    return meta->n_old < METADATA_OLD_MAX;
}

/* What was known is of a topic that is no more. */
static void metadata_forget(struct kw_topic_meta *meta, bool has_other_id)
{
    if (has_other_id)
        memcpy(meta->old_id, meta->topic_id, sizeof(meta->old_id));
    for (uint32_t i = 0; i < meta->n_partitions; i++)
        meta->partitions[i] = (struct kw_partition_meta){.leader = -1, .leader_epoch = -1};
}

static bool metadata_is_gone(const struct kw_topic_meta *meta)
{
    return meta->missing_us && kwi_topic_meta_count(meta) == 0;
}

/* Brokers may deny a topic for other reasons for long, and then one that has just started
 * does not know it: only what they say in a row counts. What is gone stays so until a
 * broker knows it. */
static void metadata_note_missing(struct kw_topic_meta *meta, int16_t error)
{
    if (error != KW_E_UNKNOWN_TOPIC_OR_PARTITION)
        meta->missing_us = metadata_is_gone(meta) ? meta->missing_us : 0;
    else if (!meta->missing_us)
        meta->missing_us = meta->core->now.mono_us;
}

/* Where brokers tell no ids, that it is another topic shows only in that it was gone. */
static bool metadata_came_again(const struct kw_topic_meta *meta, const struct kw_uuid *id)
{
    struct kw_uuid known;

    memcpy(known.b, meta->topic_id, sizeof(known.b));
    return metadata_is_gone(meta) && (kwi_uuid_is_zero(id) || kwi_uuid_is_zero(&known));
}

/* Returns 0, KW_ERR_NOMEM; *open: something is missing that a later answer may
 * have. */
static int metadata_take_topic(struct kw_topic_meta *meta,
                               const struct kw_metadata_response_topic *item, bool epochs,
                               bool *open)
{
    struct kw_metadata_response_partition part;
    bool has_other_id = kwi_topic_ids_differ(meta->topic_id, item->topic_id.b);
    bool is_other = has_other_id || metadata_came_again(meta, &item->topic_id);
    bool fresh = is_other || !meta->n_partitions;
    uint32_t n = metadata_count(item);
    struct kw_iter it;
    int rc;

    meta->error = item->error_code;
    kwi_racks_take_topic(meta, item, item->error_code ? 0 : n);
    if (item->error_code) {
        metadata_note_missing(meta, item->error_code);
        if (kwi_error_info(item->error_code)->flags & KW_E_RETRIABLE)
            *open = true;
        if (!meta->asked_us)
            meta->asked_us = meta->core->now.mono_us;
        return 0;
    }
    if (has_other_id && metadata_lags(meta, &item->topic_id)) {
        *open = true;
        return 0;
    }
    meta->n_old = 0;
    meta->asked_us = meta->missing_us = 0;
    if (is_other)
        metadata_forget(meta, has_other_id);
    if (!kwi_uuid_is_zero(&item->topic_id))
        memcpy(meta->topic_id, item->topic_id.b, sizeof(meta->topic_id));
    rc = metadata_grow(meta, n);
    if (!rc && (is_other || n > meta->n_named)) /* a broker that lags behind names fewer */
        meta->n_named = n;
    for (kwi_iter_init(&it, &item->partitions); !rc && kwi_iter_next(&it, &part);) {
        if (part.partition_index < 0 || part.partition_index >= item->partitions.n)
            continue;
        if (!epochs)
            part.leader_epoch = -1;
        metadata_take_leader(meta, &part, fresh);
        if (meta->partitions[part.partition_index].leader < 0)
            *open = true;
    }
    return rc;
}

static void metadata_tell(struct kw_topic_meta *meta)
{
    struct kw_node *next;

    for (struct kw_node *n = meta->watchers.first; n; n = next) {
        struct kw_topic_watch *watch = KWI_OF(n, struct kw_topic_watch, node);
        next = n->next;
        watch->changed(watch, meta);
    }
}

/* Topics that nobody uses are left out, however many a broker tells of. One that
 * stands in the answer again counts once: its watchers look at all its partitions,
 * and a few bytes must not buy that many times over. */
static int metadata_take(struct kw_core *core, const struct kw_metadata_response *msg, bool epochs,
                         bool *open)
{
    struct kw_metadata_response_topic item;
    struct kw_iter it;
    int rc = metadata_take_brokers(core, msg);

    core->cluster.controller_id = msg->controller_id;
    core->cluster.n_answers++;
    for (kwi_iter_init(&it, &msg->topics); !rc && kwi_iter_next(&it, &item);) {
        struct kw_topic_meta *meta = item.name.len > 0
                                         ? kwi_map_get_str(&core->cluster.topics, item.name.ptr,
                                                           (size_t)item.name.len)
                                         : NULL;
        if (!meta || meta->answer == core->cluster.n_answers)
            continue;
        meta->answer = core->cluster.n_answers;
        rc = metadata_take_topic(meta, &item, epochs, open);
        if (!rc)
            metadata_tell(meta);
    }
    return rc;
}

static void metadata_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_core *core = req->core;
    struct kw_cluster *cluster = &core->cluster;
    struct kw_metadata_response msg;
    struct kw_fault fault;
    bool open = false;
    int rc = answer->err;

    if (!rc && kwi_metadata_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (!rc)
        kwi_throttle(req, msg.throttle_time_ms);
    if (!rc)
        rc = metadata_refuse(req, &msg);
    if (!rc) {
        metadata_take_id(req, msg.cluster_id);
        rc = metadata_take(core, &msg, req->version >= METADATA_EPOCHS, &open);
    }
    if (!rc)
        kwi_reach_answered(core);
    cluster->in_flight = false;
    cluster->last_us = core->now.mono_us;
    if (core->closing)
        return;
    /* Without it nothing can go on, and the application would never learn why (N25). */
    if (rc == KW_ERR_UNSUPPORTED && answer->cause)
        kwi_event_error(core, answer->cause);
    cluster->streak = rc || open ? cluster->streak + (cluster->streak < 32) : 0;
    if (cluster->again & 2 && !rc)
        kwi_metadata_ask_now(core);
    else if (rc || open || cluster->again)
        kwi_cluster_refresh(core);
    else
        kwi_core_arm(
            core, &cluster->timer,
            kwi_core_after_ms(core, kwi_config_i64(core->cfg, KW_KEY_METADATA_MAX_AGE_MS)));
}
