/* client/births.c -- see births.h. */
#include "client/births.h"

#include <string.h>

#include "base/bytes.h"
#include "proto/error.h"

struct kw_birth {
    struct kw_topic_meta *meta;
    struct kw_topic_watch watch;
    bool known; /* n and topic_id hold */
    uint32_t n; /* partitions that were there first */
    uint8_t topic_id[16];
};

struct kw_births {
    struct kw_core *core;
    size_t size;
    uint32_t n;
    struct kw_birth list[]; /* ascending by name */
};

static void birth_look(struct kw_birth *birth, const struct kw_topic_meta *meta)
{
    if (birth->known)
        return;
    if (!meta->n_partitions && meta->error != KW_E_UNKNOWN_TOPIC_OR_PARTITION)
        return; /* nothing is said of it yet */
    birth->known = true;
    birth->n = meta->n_named;
    memcpy(birth->topic_id, meta->topic_id, sizeof(birth->topic_id));
}

static void birth_changed(struct kw_topic_watch *watch, struct kw_topic_meta *meta)
{
    birth_look(KWI_OF(watch, struct kw_birth, watch), meta);
}

static const struct kw_birth *birth_find(const struct kw_births *births, const char *name,
                                         size_t len)
{
    uint32_t low = 0, high = births ? births->n : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = kwi_bytes_compare(births->list[middle].meta->name,
                                      births->list[middle].meta->name_len, name, len);
        if (order == 0)
            return &births->list[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int kwi_births_create(struct kw_births **out, struct kw_group *group,
                      const struct kw_group_names *names, const struct kw_births *old)
{
    enum { BIRTHS_LATEST = 0 }; /* the word of auto.offset.reset */
    struct kw_consumer *consumer = group->consumer;
    struct kw_births *births;
    size_t size;

    *out = NULL;
    if (!names || names->pattern ||
        kwi_consumer_setting(consumer, KW_KEY_AUTO_OFFSET_RESET) != BIRTHS_LATEST)
        return 0;
    size = sizeof(*births) + names->n * sizeof(births->list[0]);
    births = kwi_alloc_zero(&consumer->core->control, size);
    if (!births)
        return KW_ERR_NOMEM;
    births->core = consumer->core;
    births->size = size;
    for (uint32_t i = 0; i < names->n; i++) {
        struct kw_birth *birth = &births->list[i];
        const struct kw_birth *before = birth_find(old, names->list[i], strlen(names->list[i]));
        birth->meta = kwi_topic_meta_get(consumer->core, names->list[i], strlen(names->list[i]));
        if (!birth->meta) {
            kwi_births_destroy(births);
            return KW_ERR_NOMEM;
        }
        births->n++;
        birth->watch.changed = birth_changed;
        kwi_list_push(&birth->meta->watchers, &birth->watch.node);
        if (before && before->known) {
            birth->known = true;
            birth->n = before->n;
            memcpy(birth->topic_id, before->topic_id, sizeof(birth->topic_id));
        }
        if (birth->meta->n_partitions)
            birth_look(birth, birth->meta); /* another consumer's interest brought it */
    }
    *out = births;
    return 0;
}

void kwi_births_destroy(struct kw_births *births)
{
    if (!births)
        return;
    for (uint32_t i = 0; i < births->n; i++) {
        struct kw_birth *birth = &births->list[i];
        KWI_ASSERT(birth->meta);
        kwi_list_remove(&birth->meta->watchers, &birth->watch.node);
        kwi_topic_meta_put(birth->meta);
    }
    kwi_free(&births->core->control, births, births->size);
}

bool kwi_group_is_new(const struct kw_consumer_part *part)
{
    const struct kw_group *group = part->topic->consumer->group;
    const struct kw_topic_meta *meta = part->topic->meta;
    const struct kw_birth *birth = group ? birth_find(group->births, meta->name, meta->name_len)
                                         : NULL;

    if (!birth || !birth->known)
        return false;
    return kwi_topic_ids_differ(birth->topic_id, meta->topic_id) ||
           (uint32_t)part->partition >= birth->n;
}
