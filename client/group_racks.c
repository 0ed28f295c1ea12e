/* client/group_racks.c -- what the leader of a classic group tells its plan of the topics:
 * how many partitions there are and, if some member says where it stands, in which racks
 * their replicas are (KIP-881). The plan gets a copy, because an assignor at work on
 * another thread must not see metadata change. */
#include <string.h>

#include "client/config.h"
#include "client/group_classic.h"

bool kwi_classic_racks_known(const struct kw_classic *classic, const struct kw_classic_topic *topic)
{
    return !classic->has_racks || topic->meta->racks.known;
}

/* Racks of n_replicas replicas of each partition: a partition that the last answer did
 * not name is nowhere. */
static void racks_copy(const struct kw_classic_topic *topic, int32_t *to)
{
    const struct kw_topic_racks *racks = &topic->meta->racks;
    size_t n = (size_t)topic->n_partitions * racks->n_replicas;
    size_t known = (size_t)racks->n_partitions * racks->n_replicas;

    if (known > n)
        known = n;
    memcpy(to, racks->list, known * sizeof(*to));
    for (size_t i = known; i < n; i++)
        to[i] = -1;
}

/* The names of all racks, and the lists of all topics, in one block of the plan. */
static int racks_tell(struct kw_classic *classic)
{
    struct kw_core *core = kwi_classic_core(classic);
    uint32_t n_racks = kwi_racks_n(core);
    size_t n_bytes = kwi_racks_names(core, NULL), n_list = 0, size;
    struct kw_bytes *names;
    int32_t *list;
    char *text;

    for (uint32_t i = 0; i < classic->n_topics; i++)
        n_list += (size_t)classic->topics[i].n_partitions * classic->topics[i].n_replicas;
    size = n_racks * sizeof(*names) + n_list * sizeof(*list) + n_bytes;
    names = kwi_alloc(&core->control, size + 1);
    if (!names)
        return KW_ERR_NOMEM;
    kwi_plan_own(classic->plan, names, size + 1);
    list = (int32_t *)(void *)(names + n_racks);
    text = (char *)(list + n_list);
    (void)kwi_racks_names(core, names);
    for (uint32_t i = 0; i < n_racks; i++) {
        memcpy(text, names[i].ptr, names[i].len);
        names[i].ptr = text;
        text += names[i].len;
    }
    for (uint32_t i = 0; i < classic->n_topics; i++) {
        struct kw_classic_topic *topic = &classic->topics[i];
        topic->racks = topic->n_replicas ? list : NULL;
        if (topic->n_replicas)
            racks_copy(topic, list);
        list += (size_t)topic->n_partitions * topic->n_replicas;
    }
    kwi_plan_set_racks(classic->plan, names, n_racks);
    return 0;
}

int kwi_classic_racks_tell(struct kw_classic *classic)
{
    for (uint32_t i = 0; i < classic->n_topics; i++) {
        struct kw_classic_topic *topic = &classic->topics[i];
        topic->n_partitions = kwi_topic_meta_count(topic->meta);
        topic->racks = NULL;
        topic->n_replicas = topic->n_partitions ? topic->meta->racks.n_replicas : 0;
    }
    if (classic->has_racks && racks_tell(classic))
        return KW_ERR_NOMEM;
    for (uint32_t i = 0; i < classic->n_topics; i++) {
        const struct kw_classic_topic *topic = &classic->topics[i];
        kwi_plan_set_topic(classic->plan, i, topic->n_partitions, topic->racks,
                           topic->racks ? topic->n_replicas : 0);
    }
    return 0;
}

static bool racks_has(const int32_t *list, uint32_t n, int32_t rack)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i] == rack)
            return true;
    }
    return false;
}

/* Each one of a is in b. */
static bool racks_within(const int32_t *a, uint32_t n_a, const int32_t *b, uint32_t n_b)
{
    for (uint32_t i = 0; i < n_a; i++) {
        if (!racks_has(b, n_b, a[i]))
            return false;
    }
    return true;
}

/* As Java's client has it: only a leader that says itself where it stands looks, and of
 * each partition the set of racks counts. */
bool kwi_classic_racks_moved(const struct kw_classic *classic, const struct kw_classic_topic *topic)
{
    const char *own = kwi_consumer_text(classic->group->consumer, KW_KEY_CLIENT_RACK);
    const struct kw_topic_racks *now = &topic->meta->racks;

    if (!classic->has_racks || !own || !*own || !topic->racks || !now->list)
        return false;
    for (uint32_t p = 0; p < topic->n_partitions && p < now->n_partitions; p++) {
        const int32_t *before = topic->racks + (size_t)p * topic->n_replicas;
        const int32_t *after = now->list + (size_t)p * now->n_replicas;
        if (!racks_within(before, topic->n_replicas, after, now->n_replicas) ||
            !racks_within(after, now->n_replicas, before, topic->n_replicas))
            return true;
    }
    return false;
}
