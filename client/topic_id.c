/* client/topic_id.c -- which topic a consumer reads, of those that have one name in the
 * course of time (KIP-516).
 *
 * What is read by its id cannot be another topic. The id is taken when a topic is begun,
 * from metadata or from the group that gave it; from then on it stays until metadata has
 * another one. A broker that lags behind may still tell of the one before: metadata.c
 * does not take that over, because an id never comes back. */
#include <string.h>

#include "client/fetcher.h"

void kwi_topic_id_drop(struct kw_consumer_topic *topic)
{
    if (topic->by_id)
        kwi_map_remove_str(&topic->consumer->by_id, (const char *)topic->id.b, sizeof(topic->id.b));
    topic->by_id = false;
}

/* Without memory for the index it is asked for by its name: what is fetched by an id
 * must be found by it. */
static void topic_id_set(struct kw_consumer_topic *topic, struct kw_uuid id)
{
    struct kw_map *by_id = &topic->consumer->by_id;

    kwi_topic_id_drop(topic);
    topic->id = id;
    if (!kwi_uuid_is_zero(&id) &&
        !kwi_map_get_str(by_id, (const char *)topic->id.b, sizeof(topic->id.b)))
        topic->by_id = !kwi_map_put_str(by_id, (const char *)topic->id.b, sizeof(topic->id.b),
                                        topic);
}

static struct kw_uuid topic_id_told(const uint8_t bytes[16])
{
    struct kw_uuid id;

    memcpy(id.b, bytes, sizeof(id.b));
    return id;
}

void kwi_topic_id_bind(struct kw_consumer_topic *topic)
{
    if (topic->by_id)
        return;
    if (topic->is_given)
        topic_id_set(topic, topic_id_told(topic->given_id));
    else if (kwi_uuid_is_zero(&topic->id))
        topic_id_set(topic, topic_id_told(topic->meta->topic_id));
    else
        topic_id_set(topic, topic->id);
}

static bool topic_id_is_read(const struct kw_consumer_topic *topic)
{
    const struct kw_consumer_part *part;

    for (uint32_t i = 0; (part = kwi_map_next(&topic->parts, &i));) {
        if (part->state != KWI_PART_STOPPED)
            return true;
    }
    return false;
}

void kwi_topic_id_check(struct kw_consumer_topic *topic)
{
    struct kw_consumer_part *part;
    bool was_given = topic->is_given &&
                     memcmp(topic->given_id, topic->meta->old_id, sizeof(topic->given_id)) == 0;

    kwi_topic_id_bind(topic);
    if (!kwi_topic_ids_differ(topic->id.b, topic->meta->topic_id))
        return;
    /* The group may know of the new topic before metadata does; it may also take its
     * time to take the old one away. */
    if (topic->is_given && (!was_given || !topic_id_is_read(topic)))
        return;
    kwi_log(topic->consumer->core, 4, "topic %s was deleted, there is another of its name now",
            topic->meta->name);
    for (uint32_t i = 0; (part = kwi_map_next(&topic->parts, &i));)
        kwi_session_expel(part); /* under the id that it has there */
    if (!topic->is_given)
        topic_id_set(topic, topic_id_told(topic->meta->topic_id));
    for (uint32_t i = 0; (part = kwi_map_next(&topic->parts, &i));) {
        if (topic->is_given)
            kwi_part_is_gone(part);
        else
            kwi_part_recreated(part);
    }
}
