/* client/group_target.c -- what the coordinator of a KIP-848 group wants us to have.
 *
 * It names topics by their ids. Names come from metadata that is known already, or are
 * asked for by id: a topic of a pattern is nowhere else yet. A topic that metadata does
 * not know either stays in the target until it does, or until the coordinator thinks
 * better of it; what is known goes ahead.
 *
 * A topic that was deleted and made anew has the name that the old one had. What we
 * have of the old one is given up before the new one is begun. */
#include <string.h>

#include "client/config.h"
#include "client/error_text.h"
#include "client/group_consumer.h"
#include "client/throttle.h"
#include "proto/error.h"
#include "proto/metadata.h"

enum { TARGET_IDS = 512 /* in one request */ };

static struct kw_heap *target_heap(const struct kw_modern *modern)
{
    return &kwi_modern_core(modern)->control;
}

/* ---- topics --------------------------------------------------------------------------- */

static struct kw_modern_topic *target_topic(const struct kw_modern *modern, const uint8_t id[16])
{
    return kwi_map_get_str(&modern->topics, (const char *)id, sizeof(struct kw_uuid));
}

static void target_topic_free(struct kw_modern *modern, struct kw_modern_topic *topic)
{
    kwi_map_remove_str(&modern->topics, (const char *)topic->id.b, sizeof(topic->id));
    kwi_free(target_heap(modern), topic->name, topic->name_size);
    kwi_free(target_heap(modern), topic, sizeof(*topic));
}

static struct kw_modern_topic *target_topic_get(struct kw_modern *modern, const struct kw_uuid *id)
{
    struct kw_modern_topic *topic = target_topic(modern, id->b);

    if (topic)
        return topic;
    topic = kwi_alloc_zero(target_heap(modern), sizeof(*topic));
    if (!topic)
        return NULL;
    topic->id = *id;
    if (kwi_map_put_str(&modern->topics, (const char *)topic->id.b, sizeof(topic->id), topic)) {
        kwi_free(target_heap(modern), topic, sizeof(*topic));
        return NULL;
    }
    return topic;
}

static void target_sweep(struct kw_modern *modern)
{
    struct kw_modern_topic *topic;

    for (uint32_t i = 0; (topic = kwi_map_next(&modern->topics, &i));)
        topic->wanted = false;
    for (uint32_t i = 0; i < modern->n_target; i++)
        modern->target[i].topic->wanted = true;
    for (uint32_t i = 0; (topic = kwi_map_next(&modern->topics, &i));) {
        if (!topic->wanted)
            target_topic_free(modern, topic);
    }
}

/* Lists the partitions of an assignment; list NULL: counts them. Returns KW_ERR_NOMEM
 * or 0. Numbers below 0 are nobody's. */
static int target_read(struct kw_modern *modern, const struct kw_group_assignment *assignment,
                       struct kw_modern_entry *list, uint32_t *n)
{
    struct kw_group_partitions item;
    struct kw_iter it, numbers;
    int32_t partition;

    *n = 0;
    for (kwi_iter_init(&it, &assignment->topic_partitions); kwi_iter_next(&it, &item);) {
        struct kw_modern_topic *topic = list ? target_topic_get(modern, &item.topic_id) : NULL;
        if (list && !topic)
            return KW_ERR_NOMEM;
        for (kwi_iter_init(&numbers, &item.partitions); kwi_iter_next(&numbers, &partition);) {
            if (partition < 0)
                continue;
            if (list)
                list[*n] = (struct kw_modern_entry){topic, partition};
            ++*n;
        }
    }
    return 0;
}

int kwi_modern_target(struct kw_modern *modern, const struct kw_group_assignment *assignment)
{
    struct kw_heap *heap = target_heap(modern);
    struct kw_modern_entry *list;
    uint32_t cap, n;
    int rc = target_read(modern, assignment, NULL, &cap);

    list = kwi_alloc(heap, (cap + 1) * sizeof(*list));
    if (rc || !list || target_read(modern, assignment, list, &n)) {
        kwi_free(heap, list, (cap + 1) * sizeof(*list));
        target_sweep(modern);
        return KW_ERR_NOMEM;
    }
    kwi_free(heap, modern->target, modern->target_cap * sizeof(*list));
    modern->target = list;
    modern->target_cap = cap + 1;
    modern->n_target = n;
    target_sweep(modern);
    return 0;
}

void kwi_modern_target_drop(struct kw_modern *modern)
{
    kwi_modern_forget(&modern->resolving);
    kwi_core_disarm(kwi_modern_core(modern), &modern->resolve);
    kwi_free(target_heap(modern), modern->target, modern->target_cap * sizeof(*modern->target));
    modern->target = NULL;
    modern->n_target = modern->target_cap = 0;
    target_sweep(modern);
}

void kwi_modern_target_deinit(struct kw_modern *modern)
{
    kwi_modern_target_drop(modern);
    kwi_map_deinit(&modern->topics);
}

/* ---- names ------------------------------------------------------------------------------ */

static bool target_name(struct kw_modern *modern, const uint8_t id[16], struct kw_str name)
{
    struct kw_modern_topic *topic = target_topic(modern, id);

    if (!topic || topic->name || name.len <= 0)
        return false;
    topic->name = kwi_strdup(target_heap(modern), name.ptr, (size_t)name.len);
    if (!topic->name)
        return false;
    topic->name_size = (size_t)name.len + 1;
    if (kwi_consumer_name_is_good(topic->name))
        return true;
    kwi_free(target_heap(modern), topic->name, topic->name_size);
    topic->name = NULL;
    return false;
}

/* From the metadata that is there. */
static void target_names_known(struct kw_modern *modern)
{
    struct kw_topic_meta *meta;

    for (uint32_t i = 0; (meta = kwi_map_next(&kwi_modern_core(modern)->cluster.topics, &i));)
        (void)target_name(modern, meta->topic_id,
                          (struct kw_str){meta->name, (int32_t)meta->name_len});
}

static uint32_t target_n_unknown(const struct kw_modern *modern)
{
    struct kw_modern_topic *topic;
    uint32_t n = 0;

    for (uint32_t i = 0; (topic = kwi_map_next(&modern->topics, &i));)
        n += !topic->name;
    return n;
}

static int target_ids_choose(const struct kw_request *req, int broker_min, int broker_max)
{
    /* Before version 12 a topic cannot be asked for by its id. */
    return kwi_link_choose(req, broker_min, broker_max, 12, INT16_MAX);
}

static int target_ids_encode(struct kw_request *req, struct kw_wr *wr)
{
    struct kw_modern *modern = req->owner;
    struct kw_heap *heap = &req->core->control;
    struct kw_metadata_request msg;
    struct kw_metadata_request_topic *list;
    struct kw_modern_topic *topic;
    uint32_t n = modern ? target_n_unknown(modern) : 0, k = 0;
    int rc;

    if (n == 0)
        return KW_ERR_CANCELED;
    list = kwi_alloc(heap, n * sizeof(*list));
    if (!list)
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; (topic = kwi_map_next(&modern->topics, &i)) && k < TARGET_IDS;) {
        if (topic->name)
            continue;
        kwi_metadata_request_topic_init(&list[k]);
        list[k].topic_id = topic->id;
        list[k++].name = KWI_NULL_STR;
    }
    kwi_metadata_request_init(&msg);
    msg.topics = KWI_ARR(list, k);
    msg.allow_auto_topic_creation = false;
    rc = kwi_metadata_request_encode(&msg, req->version, wr);
    kwi_free(heap, list, n * sizeof(*list));
    return rc;
}

static void target_ids_done(struct kw_request *req, const struct kw_answer *answer);

static const struct kw_request_type target_ids_type = {
    .api_key = KW_API_METADATA,
    .choose = target_ids_choose,
    .encode = target_ids_encode,
    .done = target_ids_done,
};

static void target_resolve_later(struct kw_modern *modern)
{
    struct kw_core *core = kwi_modern_core(modern);

    kwi_core_arm(core, &modern->resolve,
                 kwi_offsets_pause(modern->group->consumer, &modern->resolve_attempts));
}

/* Asks for the names that are missing. */
static void target_resolve(struct kw_modern *modern)
{
    if (modern->resolving || modern->resolve.armed)
        return;
    modern->resolving = kwi_consumer_request(modern->group->consumer, NULL, &target_ids_type,
                                             modern);
    if (modern->resolving)
        kwi_cluster_submit(modern->resolving);
    else
        target_resolve_later(modern);
}

void kwi_modern_resolve_due(struct kw_timer *timer)
{
    struct kw_modern *modern = KWI_OF(timer, struct kw_modern, resolve);

    target_names_known(modern); /* it may have come by itself */
    if (target_n_unknown(modern))
        target_resolve(modern);
    if (modern->state == KWI_MODERN_STABLE || modern->state == KWI_MODERN_ACK)
        kwi_modern_step(modern, KWI_MODERN_TARGET);
}

static bool target_ids_take(struct kw_modern *modern, const struct kw_metadata_response *msg)
{
    struct kw_metadata_response_topic item;
    struct kw_iter it;
    bool any = false;

    for (kwi_iter_init(&it, &msg->topics); kwi_iter_next(&it, &item);)
        any |= !item.error_code && target_name(modern, item.topic_id.b, item.name);
    return any;
}

static void target_ids_done(struct kw_request *req, const struct kw_answer *answer)
{
    struct kw_modern *modern = req->owner;
    struct kw_metadata_response msg;
    struct kw_fault fault;
    bool any = false;
    int rc = answer->err;

    if (!modern)
        return;
    modern->resolving = NULL;
    if (!rc && kwi_metadata_response_decode(&msg, req->version, answer->body, answer->len, &fault))
        rc = kwi_request_malformed(req, &fault, NULL);
    if (!rc) {
        kwi_throttle(req, msg.throttle_time_ms);
        any = target_ids_take(modern, &msg);
    }
    if (any)
        modern->resolve_attempts = 0;
    if (target_n_unknown(modern))
        target_resolve_later(modern);
    if (any && (modern->state == KWI_MODERN_STABLE || modern->state == KWI_MODERN_ACK))
        kwi_modern_step(modern, KWI_MODERN_TARGET);
}

/* ---- parts ------------------------------------------------------------------------------- */

/* What we have of a topic with this name, under another id. */
static bool target_is_blocked(const struct kw_modern *modern, const struct kw_modern_topic *topic)
{
    const struct kw_consumer_topic *had = kwi_map_get_str(&modern->group->consumer->topics,
                                                          topic->name, topic->name_size - 1);

    return had && had->is_given && memcmp(had->given_id, topic->id.b, sizeof(had->given_id)) != 0;
}

/* Lists what can be had now. Returns whether that is something else than what we have. */
static bool target_list(const struct kw_modern *modern, struct kw_group_target *list, uint32_t *n)
{
    bool news = false;

    *n = 0;
    for (uint32_t i = 0; i < modern->n_target; i++) {
        const struct kw_modern_topic *topic = modern->target[i].topic;
        if (!topic->name)
            continue;
        if (target_is_blocked(modern, topic)) {
            news = true;
            continue;
        }
        news |= !kwi_consumer_find(modern->group->consumer, topic->name, topic->name_size - 1,
                                   modern->target[i].partition);
        list[(*n)++] = (struct kw_group_target){{topic->name, (int32_t)topic->name_size - 1},
                                                modern->target[i].partition};
    }
    return news || *n != kwi_group_n_parts(modern->group);
}

/* Notes under which id we have them. */
static void target_mark(struct kw_modern *modern)
{
    for (uint32_t i = 0; i < modern->n_target; i++) {
        const struct kw_modern_topic *topic = modern->target[i].topic;
        struct kw_consumer_topic *had;
        if (!topic->name)
            continue;
        had = kwi_map_get_str(&modern->group->consumer->topics, topic->name, topic->name_size - 1);
        if (had && !had->is_given) {
            memcpy(had->given_id, topic->id.b, sizeof(had->given_id));
            had->is_given = true;
        }
    }
}

int kwi_modern_apply(struct kw_modern *modern)
{
    struct kw_heap *heap = target_heap(modern);
    struct kw_group_target *list;
    size_t size = (modern->n_target + 1) * sizeof(*list);
    uint32_t n;
    bool news;
    int rc = 0;

    target_names_known(modern);
    list = kwi_alloc(heap, size);
    if (!list)
        return KW_ERR_NOMEM;
    news = target_list(modern, list, &n);
    if (news || modern->first)
        rc = kwi_group_assign(modern->group, list, n);
    if (rc >= 0) {
        target_mark(modern);
        modern->owned += news;
        modern->first = false;
    }
    kwi_free(heap, list, size);
    if (target_n_unknown(modern))
        target_resolve(modern);
    return rc;
}

/* ---- what we have ------------------------------------------------------------------------ */

void kwi_modern_claim_free(const struct kw_modern *modern, struct kw_modern_claim *claim)
{
    kwi_free(target_heap(modern), claim->topics, (claim->n_topics + 1) * sizeof(*claim->topics));
    kwi_free(target_heap(modern), claim->numbers, (claim->n_numbers + 1) * sizeof(*claim->numbers));
}

int kwi_modern_claim(const struct kw_modern *modern, struct kw_modern_claim *claim)
{
    const struct kw_map *topics = &modern->group->consumer->topics;
    struct kw_consumer_topic *topic;
    struct kw_consumer_part *part;
    uint32_t n = 0, k = 0;

    *claim = (struct kw_modern_claim){.n_topics = kwi_map_len(topics)};
    for (uint32_t i = 0; (topic = kwi_map_next(topics, &i));)
        claim->n_numbers += kwi_map_len(&topic->parts);
    claim->topics = kwi_alloc(target_heap(modern), (claim->n_topics + 1) * sizeof(*claim->topics));
    claim->numbers = kwi_alloc(target_heap(modern),
                               (claim->n_numbers + 1) * sizeof(*claim->numbers));
    if (!claim->topics || !claim->numbers) {
        kwi_modern_claim_free(modern, claim);
        return KW_ERR_NOMEM;
    }
    for (uint32_t i = 0; (topic = kwi_map_next(topics, &i)); k++) {
        uint32_t begin = n;
        for (uint32_t j = 0; (part = kwi_map_next(&topic->parts, &j));)
            claim->numbers[n++] = part->partition;
        kwi_group_partitions_init(&claim->topics[k]);
        memcpy(claim->topics[k].topic_id.b, topic->given_id, sizeof(topic->given_id));
        claim->topics[k].partitions = KWI_ARR(&claim->numbers[begin], n - begin);
    }
    return 0;
}
