/* client/assign/assign.c -- what the built-in assignors share: order, look-up, the
 * members of each topic, racks. No state; memory is the caller's. */
#include "client/assign/assign.h"

#include <string.h>

#include "base/assert.h"
#include "base/sort.h"

/* UTF-16 writes what UTF-8 begins with 0xF0 or above as two code units that are
 * lower than those of U+E000 to U+FFFF, which begin with 0xEE or 0xEF. */
static unsigned utf16_rank(uint8_t byte)
{
    if (byte >= 0xF0)
        return byte - 2u;
    return byte >= 0xEE ? byte + 0x100u : byte;
}

int kwi_name_compare(struct kw_bytes a, struct kw_bytes b)
{
    const uint8_t *x = a.ptr, *y = b.ptr;
    size_t n = a.len < b.len ? a.len : b.len, i = 0;
    if (n > 0 && memcmp(x, y, n) != 0) {
        while (x[i] == y[i])
            i++;
        return utf16_rank(x[i]) < utf16_rank(y[i]) ? -1 : 1;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static bool static_less(const void *ctx, uint32_t a, uint32_t b)
{
    const struct kw_assign_group *group = ctx;
    const struct kw_assign_member *x = &group->members[a], *y = &group->members[b];
    bool x_static = x->group_instance_id.ptr, y_static = y->group_instance_id.ptr;
    int order = 0;
    if (x_static != y_static)
        return x_static;
    if (x_static)
        order = kwi_name_compare(x->group_instance_id, y->group_instance_id);
    return order != 0 ? order < 0 : a < b;
}

void kwi_assign_static_order(const struct kw_assign_group *group, uint32_t *order)
{
    for (uint32_t m = 0; m < group->n_members; m++)
        order[m] = m;
    kwi_sort_u32(order, group->n_members, static_less, group);
}

uint32_t kwi_assign_topic(const struct kw_assign_group *group, struct kw_bytes name)
{
    uint32_t low = 0, high = group->n_topics;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = kwi_name_compare(group->topics[mid].name, name);
        if (order == 0)
            return mid;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return group->n_topics;
}

uint32_t kwi_assign_topic_of(const struct kw_assign_group *group, uint32_t partition)
{
    uint32_t low = 0, high = group->n_topics;
    KWI_ASSERT(partition < group->n_partitions);
    /* The last topic that begins at or before it: empty ones begin where the next does. */
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (group->topics[mid].first <= partition)
            low = mid;
        else
            high = mid;
    }
    return low;
}

bool kwi_assign_subscribes(const struct kw_assign_member *member, uint32_t topic)
{
    uint32_t low = 0, high = member->n_topics;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (member->topics[mid] == topic)
            return true;
        if (member->topics[mid] < topic)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static bool number_less(const void *ctx, uint32_t a, uint32_t b)
{
    (void)ctx;
    return a < b;
}

uint32_t kwi_assign_unique(uint32_t *numbers, uint32_t n)
{
    uint32_t kept = 0;
    bool ascending = true;
    for (uint32_t i = 1; i < n && ascending; i++)
        ascending = numbers[i - 1] < numbers[i];
    if (ascending)
        return n; /* as most members write them */
    kwi_sort_u32(numbers, n, number_less, NULL);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || numbers[kept - 1] != numbers[i])
            numbers[kept++] = numbers[i];
    return kept;
}

void kwi_assign_claims_init(struct kw_assign_claims *claims, const struct kw_assign_group *group,
                            const struct kw_arr *topics)
{
    static const struct kw_arr none = {.n = 0};
    *claims = (struct kw_assign_claims){.group = group, .topic = group->n_topics};
    kwi_iter_init(&claims->topics, topics);
    kwi_iter_init(&claims->partitions, &none);
}

bool kwi_assign_claims_next(struct kw_assign_claims *claims, uint32_t *partition)
{
    const struct kw_assign_group *group = claims->group;
    struct kw_consumer_protocol_topic topic;
    int32_t p;
    for (;;) {
        while (kwi_iter_next(&claims->partitions, &p)) {
            if (claims->topic < group->n_topics && p >= 0 &&
                (uint32_t)p < group->topics[claims->topic].n_partitions) {
                *partition = group->topics[claims->topic].first + (uint32_t)p;
                return true;
            }
            claims->n_unknown++;
        }
        if (!kwi_iter_next(&claims->topics, &topic))
            return false;
        claims->topic = kwi_assign_topic(
            group,
            (struct kw_bytes){topic.topic.ptr, topic.topic.len > 0 ? (size_t)topic.topic.len : 0});
        kwi_iter_init(&claims->partitions, &topic.partitions);
    }
}

/* ---- memory ------------------------------------------------------------------- */

void *kwi_carve(struct kw_carver *carver, size_t n, size_t size)
{
    /* Each array begins where any type may. The product cannot overflow: the plan's
     * limits are far below. */
    void *ptr = carver->at ? carver->at + carver->used : NULL;
    carver->used += (n * size + 15) & ~(size_t)15;
    return ptr;
}

/* ---- members of a topic ---------------------------------------------------------- */

void kwi_assign_subs_carve(struct kw_carver *carver, const struct kw_assign_group *group,
                           struct kw_assign_subs *subs)
{
    size_t n = 0;
    for (uint32_t m = 0; m < group->n_members; m++)
        n += group->members[m].n_topics;
    subs->first = kwi_carve(carver, (size_t)group->n_topics + 2, sizeof(uint32_t));
    subs->members = kwi_carve(carver, n, sizeof(uint32_t));
}

void kwi_assign_subs_fill(const struct kw_assign_group *group, const uint32_t *order,
                          struct kw_assign_subs *subs)
{
    /* Counted two places on, summed up one place on, so that the filling moves each
     * beginning to where it belongs. */
    uint32_t *next = subs->first + 1;
    memset(subs->first, 0, ((size_t)group->n_topics + 2) * sizeof(uint32_t));
    for (uint32_t m = 0; m < group->n_members; m++)
        for (uint32_t i = 0; i < group->members[m].n_topics; i++)
            next[group->members[m].topics[i] + 1]++;
    for (uint32_t t = 0; t < group->n_topics; t++)
        next[t + 1] += next[t];
    for (uint32_t k = 0; k < group->n_members; k++) {
        uint32_t m = order ? order[k] : k;
        for (uint32_t i = 0; i < group->members[m].n_topics; i++)
            subs->members[next[group->members[m].topics[i]]++] = m;
    }
}

/* ---- racks ---------------------------------------------------------------------- */

void kwi_rack_view_carve(struct kw_carver *carver, const struct kw_assign_group *group,
                         struct kw_rack_view *view)
{
    view->has_member = kwi_carve(carver, (size_t)group->n_racks + 1, 1);
    view->has_replica = kwi_carve(carver, (size_t)group->n_racks + 1, 1);
}

/* How many racks a partition is in. */
static uint32_t rack_count(const struct kw_assign_topic *topic, uint32_t p)
{
    uint32_t n, distinct = 0;
    const int32_t *racks = kwi_assign_racks(topic, p, &n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t earlier = 0;
        while (earlier < i && racks[earlier] != racks[i])
            earlier++;
        distinct += racks[i] >= 0 && earlier == i;
    }
    return distinct;
}

/* Marks the racks of a topic's replicas. */
static void rack_mark(const struct kw_assign_topic *topic, uint8_t *has_replica)
{
    if (!topic->racks)
        return;
    for (size_t i = 0; i < (size_t)topic->n_partitions * topic->n_replicas; i++)
        if (topic->racks[i] >= 0)
            has_replica[topic->racks[i]] = 1;
}

bool kwi_racks_matter(const struct kw_assign_group *group, struct kw_rack_view *view,
                      const uint32_t *members, uint32_t n_members, const uint32_t *topics,
                      uint32_t n_topics)
{
    uint32_t n_racks = 0, n_shared = 0;
    memset(view->has_member, 0, (size_t)group->n_racks + 1);
    memset(view->has_replica, 0, (size_t)group->n_racks + 1);
    for (uint32_t i = 0; i < n_members; i++) {
        const struct kw_assign_member *member = &group->members[members ? members[i] : i];
        if (member->rack >= 0)
            view->has_member[member->rack] = 1;
    }
    for (uint32_t i = 0; i < n_topics; i++)
        rack_mark(&group->topics[topics ? topics[i] : i], view->has_replica);
    for (uint32_t r = 0; r < group->n_racks; r++) {
        n_racks += view->has_replica[r];
        n_shared += view->has_replica[r] & view->has_member[r];
    }
    if (n_shared == 0)
        return false;
    for (uint32_t i = 0; i < n_topics; i++) {
        const struct kw_assign_topic *topic = &group->topics[topics ? topics[i] : i];
        for (uint32_t p = 0; p < topic->n_partitions; p++)
            if (rack_count(topic, p) != n_racks)
                return true;
    }
    return false;
}
