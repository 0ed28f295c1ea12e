/* client/assign/range.c -- each topic by itself: its partitions in order, its members
 * in static order, the first members get the first partitions, and one more each
 * while the division leaves a rest.
 *
 * Where racks matter (KIP-881), a first round gives members what lies in their rack,
 * within the same numbers. Topics with the same members and the same number of
 * partitions are done together in it, so that partition p of all of them goes to one
 * member: joins depend on that, and it comes before the racks. The second round
 * is the plain one, for what is left.
 *
 * Pure; the memory is the caller's. */
#include "client/assign/assign.h"

#include <string.h>

#include "base/sort.h"

/* Sets of topics that the same members subscribe to, found by splitting the set of
 * all topics by each member in turn. There are never more sets than topics. */
struct range_sets {
    uint32_t *of;      /* by topic */
    uint32_t *size;    /* by set */
    uint32_t *touched; /* by set: topics that the present member has of it */
    uint32_t *split;   /* by set: where these go, 0 not yet known */
    uint32_t *seen;    /* sets of which the present member has any */
    uint32_t n;
};

struct range {
    const struct kw_assign_group *group;
    int32_t *owners;
    uint32_t *order;
    struct kw_assign_subs subs;
    uint32_t *count; /* partitions that a member has of a topic; as subs.members */
    uint32_t *extra; /* by topic: members that still may get one more */
    struct kw_rack_view racks;
    uint8_t *needs;   /* by topic: racks matter for it */
    uint32_t *cursor; /* by rack: its partitions before this are taken */
    struct range_sets sets;
    uint64_t *keys;     /* topics in the order of set, then number of partitions */
    uint32_t *together; /* topics that are done together */
    uint32_t *live;     /* of their members, those that may get more: places in subs */
    int32_t *common;    /* racks that one partition has in all of them */
};

static size_t range_layout(struct range *r, const struct kw_assign_group *group, void *scratch)
{
    struct kw_carver carver = {scratch, 0};
    size_t n_subs = 0, n_topics = group->n_topics;
    uint32_t n_replicas = 0;
    for (uint32_t m = 0; m < group->n_members; m++)
        n_subs += group->members[m].n_topics;
    for (uint32_t t = 0; t < n_topics; t++)
        if (group->topics[t].n_replicas > n_replicas)
            n_replicas = group->topics[t].n_replicas;
    r->order = kwi_carve(&carver, group->n_members, sizeof(uint32_t));
    kwi_assign_subs_carve(&carver, group, &r->subs);
    r->count = kwi_carve(&carver, n_subs, sizeof(uint32_t));
    r->extra = kwi_carve(&carver, n_topics, sizeof(uint32_t));
    kwi_rack_view_carve(&carver, group, &r->racks);
    r->needs = kwi_carve(&carver, n_topics, 1);
    r->cursor = kwi_carve(&carver, (size_t)group->n_racks + 2, sizeof(uint32_t));
    r->sets.of = kwi_carve(&carver, n_topics, sizeof(uint32_t));
    r->sets.size = kwi_carve(&carver, n_topics + 1, sizeof(uint32_t));
    r->sets.touched = kwi_carve(&carver, n_topics + 1, sizeof(uint32_t));
    r->sets.split = kwi_carve(&carver, n_topics + 1, sizeof(uint32_t));
    r->sets.seen = kwi_carve(&carver, n_topics, sizeof(uint32_t));
    r->keys = kwi_carve(&carver, n_topics, sizeof(uint64_t));
    r->together = kwi_carve(&carver, n_topics, sizeof(uint32_t));
    r->live = kwi_carve(&carver, group->n_members, sizeof(uint32_t));
    r->common = kwi_carve(&carver, n_replicas, sizeof(int32_t));
    return carver.used;
}

static size_t range_scratch_size(void *ctx, const struct kw_assign_group *group)
{
    struct range r;
    (void)ctx;
    return range_layout(&r, group, NULL);
}

static uint32_t range_n_subs(const struct range *r, uint32_t topic)
{
    return r->subs.first[topic + 1] - r->subs.first[topic];
}

/* How many more partitions of the topic the member at this place of subs may get. */
static uint32_t range_room(const struct range *r, uint32_t topic, uint32_t place)
{
    uint32_t most = r->group->topics[topic].n_partitions / range_n_subs(r, topic);
    most += r->extra[topic] > 0;
    return most > r->count[place] ? most - r->count[place] : 0;
}

static void range_give(struct range *r, uint32_t topic, uint32_t place, uint32_t p)
{
    uint32_t share = r->group->topics[topic].n_partitions / range_n_subs(r, topic);
    r->owners[r->group->topics[topic].first + p] = (int32_t)r->subs.members[place];
    r->count[place]++;
    if (r->count[place] == share + 1)
        r->extra[topic]--;
}

/* One topic, member by member. by_rack: a member with a rack gets only what is in it.
 * What a rack's cursor has passed is taken, or not in the rack. */
static void range_topic(struct range *r, uint32_t topic, bool by_rack)
{
    const struct kw_assign_topic *t = &r->group->topics[topic];
    memset(r->cursor, 0, ((size_t)r->group->n_racks + 2) * sizeof(uint32_t));
    for (uint32_t place = r->subs.first[topic]; place < r->subs.first[topic + 1]; place++) {
        int32_t rack = by_rack ? r->group->members[r->subs.members[place]].rack : -1;
        uint32_t *cursor = &r->cursor[rack + 1], room = range_room(r, topic, place);
        for (; room > 0 && *cursor < t->n_partitions; (*cursor)++) {
            if (r->owners[t->first + *cursor] >= 0 ||
                (rack >= 0 && !kwi_assign_in_rack(t, *cursor, rack)))
                continue;
            range_give(r, topic, place, *cursor);
            room--;
        }
    }
}

/* ---- topics that are done together ------------------------------------------------ */

/* Moves the topics of one member out of each set that also has others. */
static void range_split(struct range_sets *sets, const struct kw_assign_member *member)
{
    uint32_t n_seen = 0;
    for (uint32_t i = 0; i < member->n_topics; i++)
        if (sets->touched[sets->of[member->topics[i]]]++ == 0)
            sets->seen[n_seen++] = sets->of[member->topics[i]];
    for (uint32_t i = 0; i < member->n_topics; i++) {
        uint32_t set = sets->of[member->topics[i]];
        if (sets->touched[set] == 0 || sets->touched[set] == sets->size[set])
            continue; /* a new set, or all of an old one */
        if (sets->split[set] == 0) {
            sets->size[sets->n] = 0;
            sets->touched[sets->n] = 0;
            sets->split[sets->n] = 0;
            sets->split[set] = sets->n++;
        }
        sets->of[member->topics[i]] = sets->split[set];
        sets->size[sets->split[set]]++;
    }
    for (uint32_t i = 0; i < n_seen; i++) {
        uint32_t set = sets->seen[i];
        if (sets->split[set])
            sets->size[set] -= sets->touched[set];
        sets->touched[set] = 0;
        sets->split[set] = 0;
    }
}

static void range_find_sets(struct range *r)
{
    const struct kw_assign_group *group = r->group;
    struct range_sets *sets = &r->sets;
    memset(sets->of, 0, group->n_topics * sizeof(uint32_t));
    sets->n = 1;
    sets->size[0] = group->n_topics;
    sets->touched[0] = sets->split[0] = 0;
    for (uint32_t m = 0; m < group->n_members; m++)
        range_split(sets, &group->members[m]);
}

/* The racks that partition p has in all n topics. */
static uint32_t range_common(struct range *r, const uint32_t *topics, uint32_t n, uint32_t p)
{
    uint32_t n_racks, n_common = 0;
    const int32_t *racks = kwi_assign_racks(&r->group->topics[topics[0]], p, &n_racks);
    for (uint32_t i = 0; i < n_racks; i++) {
        uint32_t has = racks[i] >= 0;
        while (has > 0 && has < n &&
               kwi_assign_in_rack(&r->group->topics[topics[has]], p, racks[i]))
            has++;
        if (has == n)
            r->common[n_common++] = racks[i];
    }
    return n_common;
}

static bool range_matches(const struct range *r, int32_t rack, uint32_t n_common)
{
    if (rack < 0)
        return true;
    for (uint32_t i = 0; i < n_common; i++)
        if (r->common[i] == rack)
            return true;
    return false;
}

/* n topics with the same members and as many partitions: what one member has of one
 * of them it has of all, so the first speaks for all. */
static void range_together(struct range *r, const uint32_t *topics, uint32_t n)
{
    uint32_t lead = topics[0], first = r->subs.first[lead], n_live = range_n_subs(r, lead);
    for (uint32_t i = 0; i < n_live; i++)
        r->live[i] = i;
    for (uint32_t p = 0; p < r->group->topics[lead].n_partitions && n_live > 0; p++) {
        uint32_t n_common = range_common(r, topics, n, p), at = 0;
        for (; at < n_live; at++)
            if (range_room(r, lead, first + r->live[at]) > 0 &&
                range_matches(r, r->group->members[r->subs.members[first + r->live[at]]].rack,
                              n_common))
                break;
        if (at == n_live)
            continue;
        for (uint32_t i = 0; i < n; i++)
            range_give(r, topics[i], r->subs.first[topics[i]] + r->live[at], p);
        if (range_room(r, lead, first + r->live[at]) == 0) {
            n_live--;
            memmove(r->live + at, r->live + at + 1, (n_live - at) * sizeof(uint32_t));
        }
    }
}

enum { RANGE_TOPIC_BITS = 17, RANGE_COUNT_BITS = 20 };
_Static_assert(KWI_PLAN_TOPICS_MAX <= 1 << RANGE_TOPIC_BITS, "topics fit the key");
_Static_assert(KWI_PLAN_PARTITIONS_MAX <= 1 << RANGE_COUNT_BITS, "partitions fit the key");

static void range_by_rack(struct range *r)
{
    const struct kw_assign_group *group = r->group;
    uint32_t n = 0;
    range_find_sets(r);
    for (uint32_t t = 0; t < group->n_topics; t++)
        if (group->topics[t].n_partitions > 0 && range_n_subs(r, t) > 0)
            r->keys[n++] =
                ((uint64_t)r->sets.of[t] << RANGE_COUNT_BITS | (group->topics[t].n_partitions - 1))
                    << RANGE_TOPIC_BITS |
                t;
    kwi_sort_u64(r->keys, n);
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && r->keys[end] >> RANGE_TOPIC_BITS == r->keys[i] >> RANGE_TOPIC_BITS;
             end++)
            r->together[end - i] = (uint32_t)(r->keys[end] & ((1u << RANGE_TOPIC_BITS) - 1));
        if (end - i > 1)
            range_together(r, r->together, end - i);
        else if (r->needs[r->together[0]])
            range_topic(r, r->together[0], true);
    }
}

static int range_assign(void *ctx, const struct kw_assign_group *group, int32_t *owners,
                        void *scratch)
{
    struct range r = {.group = group, .owners = owners};
    bool by_rack = false;
    (void)ctx;
    (void)range_layout(&r, group, scratch);
    kwi_assign_static_order(group, r.order);
    kwi_assign_subs_fill(group, r.order, &r.subs);
    memset(r.count, 0, r.subs.first[group->n_topics] * sizeof(uint32_t));
    for (uint32_t t = 0; t < group->n_topics; t++) {
        uint32_t n = range_n_subs(&r, t);
        r.extra[t] = n > 0 ? group->topics[t].n_partitions % n : 0;
        r.needs[t] = kwi_racks_matter(group, &r.racks, r.subs.members + r.subs.first[t], n, &t, 1);
        by_rack |= r.needs[t];
    }
    if (by_rack)
        range_by_rack(&r);
    for (uint32_t t = 0; t < group->n_topics; t++)
        if (range_n_subs(&r, t) > 0)
            range_topic(&r, t, false);
    return 0;
}

const struct kw_assignor kw_assignor_range = {
    .size = sizeof(struct kw_assignor),
    .name = "range",
    .protocols = KW_REBALANCE_EAGER,
    .scratch_size = range_scratch_size,
    .assign = range_assign,
};
