/* client/consumer.c -- the consumer's calls: create, assign, seek, pause,
 * position; and its events. Polling is in records.c, the end in consumer_close.c.
 *
 * An assignment is built whole before the old one is let go, so a call that
 * fails changes nothing. One event node tells everything of a consumer: first
 * what happened to parts (end reached, errors), then starvation, then that
 * there are records. */
#include "client/consumer.h"

#include <string.h>

#include "client/config.h"
#include "client/assignor.h"
#include "client/error_text.h"
#include "client/group.h"
#include <kwire/kwire.h>

enum { CONSUMER_NAME_MAX = 249 };

int64_t kwi_consumer_setting(const struct kw_consumer *consumer, enum kw_key key)
{
    return kwi_core_setting(consumer->core, consumer->own, key);
}

struct kw_request *kwi_consumer_request(struct kw_consumer *consumer, struct kw_link *link,
                                        const struct kw_request_type *type, void *owner)
{
    struct kw_request *req = kwi_request_create(consumer->core, link, type, owner);

    if (req)
        req->timeout_ms = (uint32_t)kwi_consumer_setting(consumer, KW_KEY_REQUEST_TIMEOUT_MS);
    return req;
}

const char *kwi_consumer_text(const struct kw_consumer *consumer, enum kw_key key)
{
    const struct kw_config *own = consumer->own;

    return kwi_config_str(own && kwi_config_is_set(own, key) ? own : consumer->core->cfg, key);
}

/* ---- assignors -------------------------------------------------------------------------- */

static const struct kw_assignor *consumer_own_assignor(const struct kw_consumer *consumer,
                                                       const char *name, size_t len)
{
    for (uint32_t i = 0; i < consumer->n_own_assignors; i++) {
        const char *own = consumer->own_assignors[i]->name;
        if (strlen(own) == len && !memcmp(own, name, len))
            return consumer->own_assignors[i];
    }
    return NULL;
}

const struct kw_assignor *kwi_consumer_assignor(const struct kw_consumer *consumer,
                                                const char *name, size_t len)
{
    const struct kw_assignor *own = consumer_own_assignor(consumer, name, len);

    return own ? own : kwi_assignor_builtin(name, len);
}

int kw_core_consumer_add_assignor(struct kw_consumer *consumer, const struct kw_assignor *assignor)
{
    if (!consumer || !assignor || !kwi_assignor_is_whole(assignor) ||
        !kwi_consumer_name_is_good(assignor->name))
        return KW_ERR_USE;
    if (consumer_own_assignor(consumer, assignor->name, strlen(assignor->name)))
        return KW_ERR_USE;
    if (consumer->group)
        return KW_ERR_STATE;
    if (consumer->n_own_assignors == KWI_OWN_ASSIGNORS)
        return KW_ERR_LIMIT;
    consumer->own_assignors[consumer->n_own_assignors++] = assignor;
    return 0;
}

/* ---- events --------------------------------------------------------------------------- */

void kwi_consumer_notify(struct kw_consumer *consumer)
{
    kwi_event_raise(consumer->core, &consumer->event);
}

static bool consumer_anything_held(const struct kw_core *core)
{
    for (const struct kw_node *c = core->consumers.first; c; c = c->next) {
        if (!kwi_list_empty(&KWI_OF(c, const struct kw_consumer, node)->held))
            return true;
    }
    return false;
}

void kwi_consumer_starve(struct kw_consumer *consumer)
{
    if (consumer->starved_told || !consumer_anything_held(consumer->core))
        return;
    consumer->starved_told = true;
    consumer->starved = true;
    kwi_consumer_notify(consumer);
}

static void consumer_fill_notice(struct kw_consumer *consumer, struct kw_event *out)
{
    struct kw_consumer_part *part = KWI_OF(consumer->notices.first, struct kw_consumer_part,
                                           notice_node);

    if (consumer->lent_topic)
        kwi_consumer_topic_put(consumer->lent_topic);
    consumer->lent_topic = part->topic;
    part->topic->refs++;
    out->topic_name = part->topic->meta->name;
    out->partition = part->partition;
    out->offset = part->position;
    if (part->notices & KWI_NOTICE_ERROR) {
        part->notices &= (uint8_t)~KWI_NOTICE_ERROR;
        kwi_part_describe(part, &consumer->error);
        out->kind = KW_EVENT_ERROR;
        out->code = consumer->error.code;
        out->error = &consumer->error;
    } else {
        part->notices = 0;
        out->kind = KW_EVENT_PARTITION_EOF;
    }
    if (!part->notices)
        kwi_list_remove(&consumer->notices, &part->notice_node);
}

static bool consumer_fill(struct kw_evnode *node, struct kw_event *out)
{
    struct kw_consumer *consumer = KWI_OF(node, struct kw_consumer, event);

    out->consumer = consumer;
    if (kwi_group_fill(consumer, out))
        return true;
    if (!kwi_list_empty(&consumer->notices)) {
        consumer_fill_notice(consumer, out);
        return true;
    }
    if (kwi_commit_fill(consumer, out))
        return true;
    if (consumer->starved) {
        consumer->starved = false;
        out->kind = KW_EVENT_FETCH_STARVED;
        return true;
    }
    if (!kwi_list_empty(&consumer->ready))
        out->kind = KW_EVENT_RECORDS;
    return false;
}

void kwi_consumer_told(struct kw_consumer *consumer)
{
    if (consumer->lent_topic)
        kwi_consumer_topic_put(consumer->lent_topic);
    consumer->lent_topic = NULL;
    kwi_commit_told(consumer);
    kwi_group_told(consumer);
}

static void consumer_event_done(struct kw_evnode *node, bool last)
{
    (void)last;
    kwi_consumer_told(KWI_OF(node, struct kw_consumer, event));
}

/* ---- topics of an assignment ------------------------------------------------------------ */

static void consumer_topic_changed(struct kw_topic_watch *watch, struct kw_topic_meta *meta)
{
    struct kw_consumer_topic *topic = KWI_OF(watch, struct kw_consumer_topic, watch);
    struct kw_consumer_part *part;

    (void)meta;
    kwi_topic_id_check(topic);
    for (uint32_t i = 0; (part = kwi_map_next(&topic->parts, &i));)
        kwi_part_meta(part);
}

static struct kw_consumer_topic *consumer_topic_create(struct kw_consumer *consumer,
                                                       const char *name, size_t len)
{
    struct kw_core *core = consumer->core;
    struct kw_consumer_topic *topic = kwi_alloc_zero(&core->control, sizeof(*topic));

    if (!topic)
        return NULL;
    topic->meta = kwi_topic_meta_get(core, name, len);
    if (!topic->meta) {
        kwi_free(&core->control, topic, sizeof(*topic));
        return NULL;
    }
    topic->consumer = consumer;
    topic->refs = 1;
    topic->watch.changed = consumer_topic_changed;
    kwi_map_init(&topic->parts, &core->control);
    kwi_list_push(&topic->meta->watchers, &topic->watch.node);
    return topic;
}

void kwi_consumer_topic_put(struct kw_consumer_topic *topic)
{
    struct kw_core *core = topic->consumer->core;

    if (--topic->refs)
        return;
    kwi_topic_meta_put(topic->meta);
    kwi_free(&core->control, topic, sizeof(*topic));
}

/* No longer assigned; handles may keep the name alive. */
static void consumer_topic_drop(struct kw_consumer_topic *topic)
{
    struct kw_consumer_part *part;

    for (uint32_t i = 0; (part = kwi_map_next(&topic->parts, &i));)
        kwi_part_destroy(part);
    kwi_map_deinit(&topic->parts);
    kwi_map_init(&topic->parts, &topic->consumer->core->control);
    kwi_list_remove(&topic->meta->watchers, &topic->watch.node);
    kwi_topic_id_drop(topic);
    kwi_consumer_topic_put(topic);
}

void kwi_consumer_drop_topics(struct kw_map *topics)
{
    struct kw_consumer_topic *topic;

    for (uint32_t i = 0; (topic = kwi_map_next(topics, &i));) {
        kwi_map_remove_str(topics, topic->meta->name, topic->meta->name_len);
        consumer_topic_drop(topic);
    }
    kwi_map_deinit(topics);
}

struct kw_consumer_part *kwi_consumer_find(struct kw_consumer *consumer, const char *name,
                                           size_t len, int32_t partition)
{
    struct kw_consumer_topic *topic = kwi_map_get_str(&consumer->topics, name, len);

    if (!topic || partition < 0)
        return NULL;
    return kwi_map_get(&topic->parts, (uint32_t)partition);
}

struct kw_consumer_part *kwi_consumer_find_id(struct kw_consumer *consumer,
                                              const struct kw_uuid *id, int32_t partition)
{
    struct kw_consumer_topic *topic = kwi_map_get_str(&consumer->by_id, (const char *)id->b,
                                                      sizeof(id->b));

    if (!topic || partition < 0)
        return NULL;
    return kwi_map_get(&topic->parts, (uint32_t)partition);
}

/* ---- assign ----------------------------------------------------------------------------- */

bool kwi_consumer_name_is_good(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > CONSUMER_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* NULL, or what is wrong with it. */
static const char *consumer_check_start(const struct kw_consumer *consumer,
                                        const struct kw_start *start)
{
    if (!start->topic || !kwi_consumer_name_is_good(start->topic))
        return "a topic name must have 1 to 249 characters of [a-zA-Z0-9._-]";
    if (start->partition < 0)
        return "a partition is numbered from 0";
    if (start->kind > KW_START_COMMITTED)
        return "no such start kind";
    if (start->kind == KW_START_COMMITTED && !consumer->keeper.group_id)
        return "the committed offset of which group? group.id is not set";
    if (start->value < 0 && start->kind != KW_START_EARLIEST && start->kind != KW_START_LATEST &&
        start->kind != KW_START_COMMITTED)
        return "an offset, a time or a count is not negative";
    return NULL;
}

static int consumer_add(struct kw_consumer *consumer, struct kw_map *topics,
                        const struct kw_start *start)
{
    size_t len = strlen(start->topic);
    struct kw_consumer_topic *topic = kwi_map_get_str(topics, start->topic, len);
    struct kw_consumer_part *part;

    if (!topic) {
        topic = consumer_topic_create(consumer, start->topic, len);
        if (!topic)
            return KW_ERR_NOMEM;
        if (kwi_map_put_str(topics, topic->meta->name, len, topic)) {
            consumer_topic_drop(topic);
            return KW_ERR_NOMEM;
        }
    }
    if (kwi_map_get(&topic->parts, (uint32_t)start->partition))
        return KW_ERR_USE;
    part = kwi_part_create(topic, start);
    if (part && !kwi_map_put(&topic->parts, (uint32_t)start->partition, part))
        return 0;
    if (part)
        kwi_part_destroy(part);
    if (!kwi_map_len(&topic->parts)) { /* nobody would ever let it go */
        kwi_map_remove_str(topics, topic->meta->name, len);
        consumer_topic_drop(topic);
    }
    return KW_ERR_NOMEM;
}

int kwi_consumer_add(struct kw_consumer *consumer, const char *name, size_t len, int32_t partition,
                     struct kw_consumer_part **out)
{
    char topic[CONSUMER_NAME_MAX + 1];
    struct kw_start start = {topic, partition, KW_START_COMMITTED, 0};
    int rc;

    if (len > CONSUMER_NAME_MAX)
        return KW_ERR_USE;
    memcpy(topic, name, len);
    topic[len] = '\0';
    if (!kwi_consumer_name_is_good(topic) || partition < 0)
        return KW_ERR_USE;
    rc = consumer_add(consumer, &consumer->topics, &start);
    *out = kwi_consumer_find(consumer, topic, len, partition);
    return rc;
}

void kwi_consumer_remove(struct kw_consumer_part *part)
{
    struct kw_consumer_topic *topic = part->topic;
    struct kw_consumer *consumer = topic->consumer;

    kwi_records_void(part);
    kwi_map_remove(&topic->parts, (uint32_t)part->partition);
    kwi_part_destroy(part);
    if (kwi_map_len(&topic->parts))
        return;
    kwi_map_remove_str(&consumer->topics, topic->meta->name, topic->meta->name_len);
    consumer_topic_drop(topic);
}

static int consumer_refuse_start(struct kw_error *err, const struct kw_start *start, int code,
                                 const char *why)
{
    kwi_error_fmt(err, code, KW_PHASE_NONE, "", "assign %.*s partition %d: %s", 60,
                  start->topic ? start->topic : "(null)", start->partition, why);
    return code;
}

int kw_core_assign(struct kw_consumer *consumer, const struct kw_start *starts, size_t n,
                   struct kw_error *err)
{
    struct kw_map topics, old;
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;

    if (consumer->closed) {
        kwi_error_set(err, KW_ERR_CLOSED, KW_PHASE_NONE, "the consumer is closed", "");
        return KW_ERR_CLOSED;
    }
    if (consumer->group) {
        kwi_error_set(err, KW_ERR_STATE, KW_PHASE_NONE,
                      "the consumer is subscribed: its group says which partitions it has",
                      "use another consumer for partitions of your choice");
        return KW_ERR_STATE;
    }
    kwi_map_init(&topics, &consumer->core->control);
    for (size_t i = 0; i < n; i++) {
        const char *why = consumer_check_start(consumer, &starts[i]);
        int rc = why ? KW_ERR_USE : consumer_add(consumer, &topics, &starts[i]);
        if (!rc)
            continue;
        kwi_consumer_drop_topics(&topics);
        return consumer_refuse_start(err, &starts[i], rc,
                                     why                  ? why
                                     : rc == KW_ERR_NOMEM ? "no memory left (control.memory)"
                                                          : "named twice");
    }
    old = consumer->topics;
    consumer->topics = topics;
    kwi_consumer_drop_topics(&old);
    for (uint32_t i = 0; (topic = kwi_map_next(&consumer->topics, &i));) {
        for (uint32_t k = 0; (part = kwi_map_next(&topic->parts, &k));)
            kwi_part_begin(part);
    }
    kwi_fetchers_sweep(consumer);
    return 0;
}

int kw_core_seek(struct kw_consumer *consumer, const struct kw_start *start)
{
    struct kw_consumer_part *part;

    if (consumer_check_start(consumer, start))
        return KW_ERR_USE;
    part = kwi_consumer_find(consumer, start->topic, strlen(start->topic), start->partition);
    if (!part || part->given_up || consumer->closed || !kwi_group_is_told(part))
        return KW_ERR_STATE;
    part->fresh = false; /* it begins here, and now */
    kwi_part_seek(part, start);
    return 0;
}

int kw_core_pause(struct kw_consumer *consumer, const char *topic, int32_t partition, bool pause)
{
    struct kw_consumer_part *part;

    if (!topic)
        return KW_ERR_USE;
    part = kwi_consumer_find(consumer, topic, strlen(topic), partition);
    if (!part)
        return KW_ERR_STATE;
    if (part->paused != pause)
        kwi_part_pause(part, pause);
    return 0;
}

static const struct kw_consumer_part *consumer_part(const struct kw_consumer *consumer,
                                                    const char *topic, int32_t partition)
{
    const struct kw_consumer_topic *found = kwi_map_get_str(&consumer->topics, topic,
                                                            strlen(topic));

    return found && partition >= 0 ? kwi_map_get(&found->parts, (uint32_t)partition) : NULL;
}

int kw_core_position(const struct kw_consumer *consumer, const char *topic, int32_t partition,
                     int64_t *offset)
{
    const struct kw_consumer_part *part;

    *offset = -1;
    if (!topic)
        return KW_ERR_USE;
    part = consumer_part(consumer, topic, partition);
    if (!part)
        return KW_ERR_STATE;
    *offset = part->position;
    return 0;
}

int kw_core_log_ends(const struct kw_consumer *consumer, const char *topic, int32_t partition,
                     struct kw_log_ends *ends)
{
    const struct kw_consumer_part *part;

    *ends = (struct kw_log_ends){-1, -1, -1};
    if (!topic)
        return KW_ERR_USE;
    part = consumer_part(consumer, topic, partition);
    if (!part)
        return KW_ERR_STATE;
    *ends = (struct kw_log_ends){part->log_start, part->last_stable, part->high_watermark};
    return 0;
}

int kw_core_lag(const struct kw_consumer *consumer, const char *topic, int32_t partition,
                int64_t *lag)
{
    const struct kw_consumer_part *part;
    int64_t end;

    *lag = -1;
    if (!topic)
        return KW_ERR_USE;
    part = consumer_part(consumer, topic, partition);
    if (!part)
        return KW_ERR_STATE;
    end = kwi_part_end(part);
    if (end < 0 || part->position < 0)
        return 0;
    *lag = end > part->position ? end - part->position : 0;
    return 0;
}

/* ---- life ------------------------------------------------------------- */

static size_t consumer_memory(const struct kw_consumer *consumer)
{
    int64_t most = kwi_consumer_setting(consumer, KW_KEY_CONSUMER_MEMORY);
    size_t reserve = consumer->core->fetch.limit;

    return most && (uint64_t)most < reserve ? (size_t)most : reserve;
}

int kw_core_consumer_create(struct kw_consumer **out, struct kw_core *core,
                            const struct kw_config *own, struct kw_error *err)
{
    struct kw_consumer *consumer;
    int rc;

    *out = NULL;
    if (core->closing || core->close) /* close has told all there were */
        return kwi_error_closing(err);
    rc = kwi_config_check(core->cfg, own, KWI_APPLIES_CONSUMER, err);
    if (rc)
        return rc;
    consumer = kwi_alloc_zero(&core->control, sizeof(*consumer));
    if (!consumer || kwi_config_copy(&consumer->own, own, &core->env.alloc)) {
        kwi_free(&core->control, consumer, sizeof(*consumer));
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_CONFIG, "no memory for a consumer",
                      "raise control.memory");
        return KW_ERR_NOMEM;
    }
    consumer->core = core;
    consumer->event.fill = consumer_fill;
    consumer->event.done = consumer_event_done;
    consumer->max_poll_records = (int32_t)kwi_consumer_setting(consumer, KW_KEY_MAX_POLL_RECORDS);
    consumer->check_crcs = kwi_consumer_setting(consumer, KW_KEY_CHECK_CRCS) != 0;
    consumer->read_committed = kwi_consumer_setting(consumer, KW_KEY_ISOLATION_LEVEL) != 0;
    consumer->batch_max = kwi_consumer_setting(consumer, KW_KEY_MAX_DECOMPRESSED_BATCH_BYTES);
    consumer->memory_max = consumer_memory(consumer);
    kwi_map_init(&consumer->topics, &core->control);
    kwi_map_init(&consumer->by_id, &core->control);
    kwi_list_push(&core->consumers, &consumer->node);
    consumer->tally = kwi_tally_create(&core->control);
    if (!consumer->tally || kwi_keeper_init(consumer)) {
        kwi_consumer_destroy(consumer);
        kwi_error_set(err, KW_ERR_NOMEM, KW_PHASE_CONFIG, "no memory for a consumer",
                      "raise control.memory");
        return KW_ERR_NOMEM;
    }
    *out = consumer;
    return 0;
}
