/* client/producer.c -- producers and topics: create, partitions and leaders, the
 * sticky choice, and what a step does for them. See producer.h. */
#include "client/producer.h"

#include <string.h>

#include "base/bytes.h"
#include "base/fmt.h"
#include "client/chunk.h"
#include "client/config.h"
#include "client/denied.h"
#include "client/error_text.h"
#include "client/partitioner.h"
#include "client/receipt.h"
#include "client/sender.h"
#include "client/txn.h"
#include "proto/error.h"
#include <kwire/codec.h>
#include <kwire/kwire.h>

/* delivery.timeout.ms=0: until it is delivered. More than any time that comes, and no
 * overflow behind one. */
static const uint64_t PRODUCER_EVER_US = UINT64_MAX / 4;

/* ---- producer ------------------------------------------------------------------- */

static bool producer_fill_writable(struct kw_evnode *node, struct kw_event *out)
{
    out->kind = KW_EVENT_WRITABLE;
    out->producer = KWI_OF(node, struct kw_producer, writable);
    return false;
}

static void producer_settings(struct kw_producer *producer, const struct kw_config *own)
{
    struct kw_core *core = producer->core;

    uint64_t delivery_ms = (uint64_t)kwi_core_setting(core, own, KW_KEY_DELIVERY_TIMEOUT_MS);

    producer->linger_us = (uint64_t)kwi_core_setting(core, own, KW_KEY_LINGER_MS) * 1000;
    producer->delivery_timeout_us = delivery_ms ? delivery_ms * 1000 : PRODUCER_EVER_US;
    producer->batch_size = (uint32_t)kwi_core_setting(core, own, KW_KEY_BATCH_SIZE);
    producer->max_request_size = (uint32_t)kwi_core_setting(core, own, KW_KEY_MAX_REQUEST_SIZE);
    producer->retries = (uint32_t)kwi_core_setting(core, own, KW_KEY_RETRIES);
    producer->max_in_flight =
        (uint32_t)kwi_core_setting(core, own, KW_KEY_MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION);
    producer->request_timeout_ms = (int32_t)kwi_core_setting(core, own, KW_KEY_REQUEST_TIMEOUT_MS);
    producer->retry_backoff_ms = kwi_core_setting(core, own, KW_KEY_RETRY_BACKOFF_MS);
    producer->retry_backoff_max_ms = kwi_core_setting(core, own, KW_KEY_RETRY_BACKOFF_MAX_MS);
    producer->writes = kwi_core_setting(core, own, KW_KEY_PRODUCE_WRITES) != 0;
    producer->acks = (int16_t)kwi_core_setting(core, own, KW_KEY_ACKS);
    producer->idempotent = kwi_core_setting(core, own, KW_KEY_ENABLE_IDEMPOTENCE) != 0;
    producer->only_errors = kwi_core_setting(core, own, KW_KEY_DELIVERY_REPORT_ONLY_ERROR) != 0;
    producer->codec_id = (uint8_t)kwi_core_setting(core, own, KW_KEY_COMPRESSION_TYPE);
    producer->codec_levels[KW_CODEC_GZIP] = (int)kwi_core_setting(core, own,
                                                                  KW_KEY_COMPRESSION_GZIP_LEVEL);
    producer->codec_levels[KW_CODEC_LZ4] = (int)kwi_core_setting(core, own,
                                                                 KW_KEY_COMPRESSION_LZ4_LEVEL);
    producer->codec_levels[KW_CODEC_ZSTD] = (int)kwi_core_setting(core, own,
                                                                  KW_KEY_COMPRESSION_ZSTD_LEVEL);
}

uint64_t kwi_producer_retry_us(struct kw_producer *producer, uint32_t attempts)
{
    struct kw_core *core = producer->core;

    return core->now.mono_us + kwi_core_backoff_us(core, producer->retry_backoff_ms,
                                                   producer->retry_backoff_max_ms, attempts);
}

static void producer_linger_noted(struct kw_timer *timer)
{
    (void)timer; /* the step that fires it seals what is due */
}

int kw_core_producer_create(struct kw_producer **out, struct kw_core *core,
                            const struct kw_config *own, struct kw_error *err)
{
    struct kw_producer *producer;
    int rc;

    *out = NULL;
    if (core->closing || core->close)
        return kwi_error_closing(err);
    rc = kwi_config_check(core->cfg, own, KWI_APPLIES_PRODUCER, err);
    if (rc)
        return rc;
    producer = kwi_alloc_zero(&core->control, sizeof(*producer));
    if (!producer) {
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_CONFIG, "no memory for a producer", "");
        return KW_ERR_NOMEM;
    }
    producer->core = core;
    producer_settings(producer, own);
    rc = kwi_pick_settings(&producer->pick, core, NULL, own, err);
    producer->writable.fill = producer_fill_writable;
    producer->linger_timer.fire = producer_linger_noted;
    kwi_delivery_init(producer);
    kwi_producer_id_init(producer);
    if (!rc)
        rc = kwi_pack_init(producer, err);
    if (!rc && kwi_txn_create(producer, own)) {
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_CONFIG, "no memory for transactions", "");
        rc = KW_ERR_NOMEM;
        kwi_pack_deinit(producer);
    }
    if (rc) {
        kwi_free(&core->control, producer, sizeof(*producer));
        return rc;
    }
    kwi_list_push(&core->producers, &producer->node);
    *out = producer;
    return 0;
}

int kw_core_producer_set_hooks(struct kw_producer *producer, const struct kw_producer_hooks *hooks)
{
    if (!producer || (hooks && hooks->size < sizeof(*hooks)))
        return KW_ERR_USE;
    memset(&producer->hooks, 0, sizeof(producer->hooks));
    if (hooks)
        producer->hooks = *hooks;
    kwi_producer_mark(producer);
    return 0;
}

bool kw_core_produce_writes(const struct kw_topic *topic)
{
    return topic->producer->writes;
}

uint64_t kw_core_producer_outstanding(const struct kw_producer *producer)
{
    const struct kw_list *lists[] = {&producer->unpinned, &producer->lingering, &producer->held};
    uint64_t n = producer->n_sealed;

    for (struct kw_node *node = lists[0]->first; node; node = node->next) {
        const struct kw_batch *batch = KWI_OF(node, struct kw_batch, time_node);
        n += batch->state == BATCH_OPEN ? batch->part->n_records : 0;
    }
    for (unsigned i = 1; i < sizeof(lists) / sizeof(*lists); i++) {
        for (struct kw_node *node = lists[i]->first; node; node = node->next)
            n += KWI_OF(node, struct kw_batch, open_node)->part->n_records;
    }
    return n;
}

/* ---- topics ----------------------------------------------------------------------- */

static void topic_unmute(struct kw_timer *timer)
{
    struct kw_part *part = KWI_OF(timer, struct kw_part, backoff);

    part->muted = false;
    kwi_part_route(part);
}

static int topic_grow(struct kw_topic *topic, uint32_t n)
{
    struct kw_heap *heap = &topic->core->control;

    if (n > topic->parts_cap) {
        struct kw_part **grown = kwi_alloc(heap, n * sizeof(struct kw_part *));
        if (!grown)
            return KW_ERR_NOMEM;
        if (topic->n_parts)
            memcpy(grown, topic->parts, topic->n_parts * sizeof(struct kw_part *));
        kwi_free(heap, topic->parts, topic->parts_cap * sizeof(struct kw_part *));
        topic->parts = grown;
        topic->parts_cap = n;
    }
    topic->core->n_tray_changes += topic->n_parts < n; /* keys go elsewhere */
    while (topic->n_parts < n) {
        struct kw_part *part = kwi_alloc_zero(heap, sizeof(*part));
        if (!part)
            return KW_ERR_NOMEM;
        part->topic = topic;
        part->index = (int32_t)topic->n_parts;
        part->producer_id = -1;
        part->producer_epoch = -1;
        part->generation = topic->generation;
        part->backoff.fire = topic_unmute;
        topic->parts[topic->n_parts++] = part;
    }
    return 0;
}

static void topic_lost(struct kw_topic *topic, int16_t kafka_code, const char *hint)
{
    struct kw_error err;

    kwi_error_answer(topic->core, &err, kafka_code, KW_API_METADATA, topic->meta->name);
    if (hint)
        kwi_fmt(err.hint, sizeof(err.hint), "%s", hint);
    kwi_event_error(topic->core, &err);
}

/* Errors that do not heal are told at once; an unknown topic may be on its way. */
static void topic_refused(struct kw_topic *topic, int16_t kafka_code)
{
    bool heals = (kwi_error_info(kafka_code)->flags & KW_E_RETRIABLE) != 0;

    if (!topic->told)
        topic_lost(topic, kafka_code,
                   kafka_code == KW_E_UNKNOWN_TOPIC_OR_PARTITION
                       ? "create the topic, or set allow.auto.create.topics=true"
                       : NULL);
    topic->told = true;
    if (heals && topic->timer.armed)
        return;
    topic->error = kafka_code;
    kwi_producer_mark(topic->producer);
    kwi_producers_check_writable(topic->core);
}

void kwi_producer_mark(struct kw_producer *producer)
{
    for (struct kw_node *n = producer->topics.first; n; n = n->next) {
        struct kw_topic *topic = KWI_OF(n, struct kw_topic, node);
        bool refuses = !topic->n_parts || topic->error || producer->closing || producer->fatal ||
                       (producer->txn && !kwi_txn_is_open(producer->txn));
        uint32_t slow = (refuses ? TOPIC_SLOW_STATE : 0u) |
                        (kwi_pick_is_plain(topic) ? 0u : TOPIC_SLOW_PICK) |
                        (producer->hooks.on_send ? TOPIC_SLOW_HOOK : 0u);
        producer->core->n_tray_changes += slow != topic->slow && !producer->txn;
        topic->slow = slow;
    }
}

/* Another topic of the same name (P12): records go by the name, so what was not offered
 * goes to the new one, under a new epoch, because what the old one's leaders knew of the
 * sequence is gone. What may be in the old one is unknown (producer_id.c). */
static void topic_check_id(struct kw_topic *topic)
{
    const struct kw_topic_meta *meta = topic->meta;
    struct kw_error err;

    if (kwi_topic_ids_differ(topic->id, meta->topic_id)) {
        topic->generation++;
        kwi_producer_bump(topic->producer);
        kwi_error_fmt(&err, KW_ERR_RECREATED, KW_PHASE_REQUEST, "was that meant?",
                      "topic %s was deleted, there is another of its name: records go there now",
                      meta->name);
        kwi_event_error(topic->core, &err);
    }
    memcpy(topic->id, meta->topic_id, sizeof(topic->id));
}

static void topic_changed(struct kw_topic_watch *watch, struct kw_topic_meta *meta)
{
    struct kw_topic *topic = KWI_OF(watch, struct kw_topic, watch);
    uint32_t known = topic->n_parts;

    if (meta->error && !meta->n_partitions) {
        topic_refused(topic, meta->error);
        return;
    }
    if (meta->n_partitions > known && topic_grow(topic, meta->n_partitions)) {
        kwi_cluster_refresh(topic->core); /* no memory now: with the next answer */
        if (!topic->n_parts)
            return;
    }
    topic->error = 0;
    topic_check_id(topic);
    kwi_producer_mark(topic->producer);
    kwi_core_disarm(topic->core, &topic->timer);
    if (!topic->sticky || meta->partitions[topic->sticky->index].leader < 0)
        kwi_topic_turn(topic);
    for (uint32_t i = 0; i < topic->n_parts; i++)
        if (!kwi_list_empty(&topic->parts[i]->queue))
            kwi_part_found(topic->parts[i]);
    if (!known)
        kwi_producers_check_writable(topic->core);
}

static void topic_gave_up(struct kw_timer *timer)
{
    struct kw_topic *topic = KWI_OF(timer, struct kw_topic, timer);

    if (topic->n_parts)
        return;
    topic->error = topic->meta->error ? topic->meta->error : KW_E_UNKNOWN_TOPIC_OR_PARTITION;
    kwi_producer_mark(topic->producer);
    kwi_producers_check_writable(topic->core);
}

static bool topic_name_ok(const char *name, size_t len)
{
    if (len < 1 || len > 249 || (len <= 2 && name[0] == '.' && name[len - 1] == '.'))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static struct kw_topic *topic_find(struct kw_producer *producer, const char *name, size_t len)
{
    for (struct kw_node *n = producer->topics.first; n; n = n->next) {
        struct kw_topic *topic = KWI_OF(n, struct kw_topic, node);
        if (topic->meta->name_len == len && !memcmp(topic->meta->name, name, len))
            return topic;
    }
    return NULL;
}

/* Its settings are those of the first call: others could not be followed in silence. */
static int topic_open_twice(struct kw_topic **out, struct kw_error *err)
{
    kwi_error_fmt(err, KW_ERR_STATE, KW_PHASE_NONE, "open it once, with its configuration",
                  "the topic \"%s\" is open already", (*out)->meta->name);
    *out = NULL;
    return KW_ERR_STATE;
}

int kw_core_topic_open(struct kw_topic **out, struct kw_producer *producer, const char *name,
                       struct kw_error *err)
{
    return kw_core_topic_open_own(out, producer, name, NULL, err);
}

int kw_core_topic_open_own(struct kw_topic **out, struct kw_producer *producer, const char *name,
                           const struct kw_config *own, struct kw_error *err)
{
    struct kw_core *core = producer->core;
    size_t len = name ? strlen(name) : 0;
    struct kw_pick pick;
    struct kw_topic *topic;
    int rc;

    *out = NULL;
    if (!topic_name_ok(name, len)) {
        kwi_error_fmt(err, KW_ERR_USE, KW_PHASE_NONE, "use 1 to 249 of a-z A-Z 0-9 . _ -",
                      "\"%.*s\" is not a topic name", (int)(len > 64 ? 64 : len), name ? name : "");
        return KW_ERR_USE;
    }
    if (producer->closing || core->closing)
        return kwi_error_closing(err);
    rc = own ? kwi_config_check(core->cfg, own, KWI_APPLIES_TOPIC, err) : 0;
    if (!rc)
        rc = kwi_pick_settings(&pick, core, &producer->pick, own, err);
    if (rc)
        return rc;
    *out = topic_find(producer, name, len);
    if (*out)
        return own ? topic_open_twice(out, err) : 0;
    topic = kwi_alloc_zero(&core->control, sizeof(*topic));
    if (topic)
        topic->meta = kwi_topic_meta_get(core, name, len);
    if (!topic || !topic->meta) {
        kwi_free(&core->control, topic, sizeof(*topic));
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_NONE, "no memory for a topic", "");
        return KW_ERR_NOMEM;
    }
    topic->core = core;
    topic->producer = producer;
    topic->pick = pick;
    topic->watch.changed = topic_changed;
    topic->timer.fire = topic_gave_up;
    kwi_list_push(&topic->meta->watchers, &topic->watch.node);
    kwi_list_push(&producer->topics, &topic->node);
    topic->slow = TOPIC_SLOW_STATE;
    kwi_core_arm(core, &topic->timer, core->now.mono_us + producer->delivery_timeout_us);
    if (topic->meta->n_partitions)
        topic_changed(&topic->watch, topic->meta);
    kwi_producer_id_want(producer);
    *out = topic;
    return 0;
}

const char *kw_topic_name(const struct kw_topic *topic)
{
    return topic->meta->name;
}

int32_t kw_core_topic_partitions(const struct kw_topic *topic)
{
    return (int32_t)topic->n_parts;
}

int16_t kw_core_topic_error(const struct kw_topic *topic)
{
    return topic->error;
}

/* ---- the step ----------------------------------------------------------------------- */

/* Gives batches that were opened since the last step their time. */
static void producer_pin(struct kw_producer *producer)
{
    struct kw_core *core = producer->core;

    for (unsigned i = 0; i < KWI_STEP_PINS && producer->unpinned.first; i++) {
        struct kw_batch *batch = KWI_OF(producer->unpinned.first, struct kw_batch, time_node);

        kwi_list_remove(&producer->unpinned, &batch->time_node);
        kwi_list_push(&producer->timed, &batch->time_node);
        batch->pinned = true;
        batch->created_us = core->now.mono_us;
        if (!batch->base_fixed)
            batch->base_timestamp = batch->max_timestamp = core->now.wall_ms;
        if (batch->state != BATCH_OPEN) {
            kwi_part_route(batch->part);
            continue;
        }
        if (!batch->base_fixed) /* the time that its records have now */
            batch->part->wall_ms = core->now.wall_ms;
        kwi_part_set_time(batch->part, core->now.wall_ms);
        kwi_list_push(&producer->lingering, &batch->open_node);
    }
    kwi_delivery_arm(producer);
}

static bool producer_linger_due(const struct kw_producer *producer, uint64_t *due_us)
{
    const struct kw_batch *batch;

    if (!producer->lingering.first)
        return false;
    batch = KWI_OF(producer->lingering.first, struct kw_batch, open_node);
    *due_us = batch->number <= producer->flush_number ? 0 : batch->created_us + producer->linger_us;
    return *due_us <= producer->core->now.mono_us;
}

/* A request takes one batch of a partition: what is due behind others that wait goes on
 * being filled. If it is to be compressed, one more is sealed, to be done by its turn. */
static bool producer_holds(const struct kw_part *part)
{
    return part->n_queued > (part->topic->producer->codec ? 1 : 0);
}

/* Seals a batch that is due, or sets it aside. */
static void producer_seal(struct kw_producer *producer, struct kw_batch *batch, unsigned *seals)
{
    if (producer_holds(batch->part)) {
        kwi_list_remove(&producer->lingering, &batch->open_node);
        kwi_list_push(&producer->held, &batch->open_node);
        batch->held = true;
    } else {
        kwi_part_seal(batch->part);
        --*seals;
    }
}

void kwi_part_unhold(struct kw_part *part)
{
    struct kw_producer *producer = part->topic->producer;
    struct kw_batch *batch = part->open;

    if (!batch || !batch->held || producer_holds(part))
        return;
    batch->held = false;
    kwi_list_remove(&producer->held, &batch->open_node);
    kwi_list_push_front(&producer->lingering, &batch->open_node);
    kwi_attend(producer->core, KW_ATT_TIME); /* the next step seals it */
}

static void producer_step(struct kw_producer *producer, unsigned *seals)
{
    uint64_t due_us = 0;

    producer_pin(producer);
    if (producer->undated.first)
        kwi_expiry_date(producer);
    for (unsigned i = 0; *seals && i < KWI_STEP_PINS && producer_linger_due(producer, &due_us); i++)
        producer_seal(producer, KWI_OF(producer->lingering.first, struct kw_batch, open_node),
                      seals);
    if (producer->sweep_code)
        kwi_producer_sweep_some(producer, KWI_STEP_SEALS);
    if (!producer->lingering.first)
        kwi_core_disarm(producer->core, &producer->linger_timer);
    else if (!producer_linger_due(producer, &due_us) &&
             (!producer->linger_timer.armed || producer->linger_timer.deadline_us != due_us))
        kwi_core_arm(producer->core, &producer->linger_timer, due_us);
}

void kwi_producers_step(struct kw_core *core)
{
    unsigned seals = KWI_STEP_SEALS;

    for (struct kw_node *n = core->producers.first; n; n = n->next)
        producer_step(KWI_OF(n, struct kw_producer, node), &seals);
}

bool kwi_producers_pending(const struct kw_core *core)
{
    uint64_t due_us;

    for (struct kw_node *n = core->producers.first; n; n = n->next) {
        const struct kw_producer *producer = KWI_OF(n, struct kw_producer, node);
        if (producer->unpinned.first || producer->undated.first || producer->sweep_code ||
            producer_linger_due(producer, &due_us))
            return true;
    }
    return false;
}

/* ---- the end --------------------------------------------------------------------------- */

/* Links go one after the other, and what ends with one must not look at another. */
static void producer_leave_links(struct kw_producer *producer)
{
    for (struct kw_node *n = producer->topics.first; n; n = n->next) {
        struct kw_topic *topic = KWI_OF(n, struct kw_topic, node);
        for (uint32_t i = 0; i < topic->n_parts; i++)
            kwi_part_unready(topic->parts[i]);
    }
}

void kwi_producers_stop(struct kw_core *core)
{
    for (struct kw_node *n = core->producers.first; n; n = n->next) {
        struct kw_producer *producer = KWI_OF(n, struct kw_producer, node);
        producer->closing = producer->fatal = true; /* nothing is sent any more */
        kwi_producer_mark(producer);
        kwi_core_disarm(core, &producer->linger_timer);
        kwi_core_disarm(core, &producer->delivery_timer);
        kwi_core_disarm(core, &producer->id_timer);
        producer_leave_links(producer);
        if (producer->txn)
            kwi_txn_stop(producer->txn);
    }
}

static void producer_free_list(struct kw_list *list)
{
    while (!kwi_list_empty(list))
        kwi_batch_free(KWI_OF(kwi_list_pop(list), struct kw_batch, node));
}

static void topic_destroy(struct kw_topic *topic)
{
    struct kw_core *core = topic->core;

    for (uint32_t i = 0; i < topic->n_parts; i++) {
        struct kw_part *part = topic->parts[i];

        kwi_core_disarm(core, &part->backoff);
        if (part->open)
            kwi_batch_free(part->open);
        producer_free_list(&part->queue);
        producer_free_list(&part->sent);
    }
    kwi_core_disarm(core, &topic->timer);
    kwi_list_remove(&topic->meta->watchers, &topic->watch.node);
}

static void topic_free(struct kw_topic *topic)
{
    struct kw_core *core = topic->core;

    for (uint32_t i = 0; i < topic->n_parts; i++)
        kwi_free(&core->control, topic->parts[i], sizeof(struct kw_part));
    kwi_free(&core->control, topic->parts, topic->parts_cap * sizeof(struct kw_part *));
    kwi_topic_meta_put(topic->meta);
    kwi_free(&core->control, topic, sizeof(*topic));
}

static void producer_destroy(struct kw_producer *producer)
{
    struct kw_core *core = producer->core;

    kwi_trays_deinit(producer);
    for (struct kw_node *n = producer->topics.first; n; n = n->next)
        topic_destroy(KWI_OF(n, struct kw_topic, node));
    kwi_event_drop(core, &producer->writable);
    kwi_unsent_deinit(producer);
    kwi_free(&core->control, producer->hook_headers,
             producer->hook_headers_cap * sizeof(*producer->hook_headers));
    producer_free_list(&producer->unsent);
    while (!kwi_list_empty(&producer->done))
        kwi_batch_free(KWI_OF(kwi_list_pop(&producer->done), struct kw_batch, time_node));
    while (!kwi_list_empty(&producer->free_batches))
        kwi_free(&core->produce,
                 KWI_OF(kwi_list_pop(&producer->free_batches), struct kw_batch, node),
                 sizeof(struct kw_batch));
    kwi_receipts_deinit(producer);
    kwi_sender_deinit(producer);
    kwi_pack_deinit(producer);
    if (producer->txn)
        kwi_txn_destroy(producer->txn);
    while (!kwi_list_empty(&producer->topics))
        topic_free(KWI_OF(kwi_list_pop(&producer->topics), struct kw_topic, node));
    kwi_list_remove(&core->producers, &producer->node);
    kwi_free(&core->control, producer, sizeof(*producer));
}

void kwi_producers_destroy(struct kw_core *core)
{
    while (!kwi_list_empty(&core->producers))
        producer_destroy(KWI_OF(core->producers.first, struct kw_producer, node));
}
