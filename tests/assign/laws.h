/* laws.h -- what must hold of any assignment, whatever the members said. Shared by the
 * random cases (test_laws.c) and the fuzz target of the leader's path.
 *
 * Total and only to subscribers; no partition has two owners by its form. Balanced as
 * far as the assignor promises. Sticky: of what members own, at least as much is kept
 * as their numbers allow. */
#ifndef ASSIGN_LAWS_H
#define ASSIGN_LAWS_H
#include <stdlib.h>
#include <string.h>

#include "client/assignor.h"

static inline bool laws_subscribes(const struct kw_assign_member *member, uint32_t topic)
{
    for (uint32_t i = 0; i < member->n_topics; i++)
        if (member->topics[i] == topic)
            return true;
    return false;
}

static inline bool laws_owns(const struct kw_assign_member *member, uint32_t partition)
{
    for (uint32_t i = 0; i < member->n_owned; i++)
        if (member->owned[i] == partition)
            return true;
    return false;
}

static inline bool laws_equal_subscriptions(const struct kw_assign_group *group)
{
    for (uint32_t m = 1; m < group->n_members; m++)
        if (group->members[m].n_topics != group->members[0].n_topics ||
            (group->members[m].n_topics > 0 &&
             memcmp(group->members[m].topics, group->members[0].topics,
                    group->members[m].n_topics * sizeof(uint32_t)) != 0))
            return false;
    return true;
}

/* The sizes of a topic's subscribers, of which partitions of that topic alone count
 * (alone) or all. Writes the smallest and the largest. */
static inline void laws_spread(const struct kw_assign_group *group, const int32_t *owners,
                               uint32_t topic, bool alone, uint32_t *least, uint32_t *most)
{
    const struct kw_assign_topic *t = &group->topics[topic];
    uint32_t *size = calloc(group->n_members, sizeof *size);
    uint32_t first = alone ? t->first : 0, n = alone ? t->n_partitions : group->n_partitions;
    for (uint32_t p = first; p < first + n; p++)
        if (owners[p] >= 0)
            size[owners[p]]++;
    *least = UINT32_MAX;
    *most = 0;
    for (uint32_t m = 0; m < group->n_members; m++)
        if (laws_subscribes(&group->members[m], topic)) {
            *least = size[m] < *least ? size[m] : *least;
            /* Of all partitions, only what could go elsewhere counts as too much. */
            bool has = alone;
            for (uint32_t p = t->first; !has && p < t->first + t->n_partitions; p++)
                has = owners[p] == (int32_t)m;
            if (has && size[m] > *most)
                *most = size[m];
        }
    free(size);
}

static inline const char *laws_total(const struct kw_assign_group *group, const int32_t *owners,
                                     bool cooperative)
{
    for (uint32_t t = 0; t < group->n_topics; t++) {
        bool wanted = false;
        for (uint32_t m = 0; m < group->n_members && !wanted; m++)
            wanted = laws_subscribes(&group->members[m], t);
        for (uint32_t i = 0; i < group->topics[t].n_partitions; i++) {
            uint32_t p = group->topics[t].first + i;
            bool owned = false;
            if (owners[p] >= 0) {
                if ((uint32_t)owners[p] >= group->n_members ||
                    !laws_subscribes(&group->members[owners[p]], t))
                    return "a partition went to a member that does not subscribe";
                continue;
            }
            for (uint32_t m = 0; m < group->n_members && cooperative && !owned; m++)
                owned = laws_owns(&group->members[m], p);
            if (wanted && !owned)
                return "a partition that somebody wants has no owner";
        }
    }
    return NULL;
}

/* A cooperative assignor withholds partitions, so its sizes are looked at by
 * laws_settled. */
static inline const char *laws_balanced(const struct kw_assign_group *group, const int32_t *owners,
                                        const char *name)
{
    bool range = strcmp(name, "range") == 0, roundrobin = strcmp(name, "roundrobin") == 0;
    bool equal = laws_equal_subscriptions(group);
    for (uint32_t t = 0; t < group->n_topics; t++) {
        uint32_t least, most;
        if (group->topics[t].n_partitions == 0 || (roundrobin && !equal))
            continue;
        laws_spread(group, owners, t, range, &least, &most);
        if (most > least + 1)
            return range ? "a topic is not shared evenly"
                         : "a partition could go to a member that has two less";
    }
    return NULL;
}

/* What members that say they own something keep of it, where all subscribe to the same
 * and racks do not matter; claims by partition, -1 none, each already of one member. */
static inline const char *laws_sticky(const struct kw_assign_group *group, const int32_t *owners,
                                      const int32_t *claims)
{
    uint32_t n = group->n_members, min = group->n_partitions / n, rest = group->n_partitions % n;
    uint32_t *owned = calloc(n, sizeof *owned), *kept = calloc(n, sizeof *kept);
    uint64_t least = 0, sum = 0;
    for (uint32_t p = 0; p < group->n_partitions; p++)
        if (claims[p] >= 0) {
            owned[claims[p]]++;
            kept[claims[p]] += owners[p] == claims[p];
        }
    for (uint32_t m = 0; m < n; m++) {
        least += owned[m] < min ? owned[m] : min;
        if (owned[m] > min && rest > 0) {
            least++;
            rest--;
        }
        sum += kept[m];
    }
    free(owned);
    free(kept);
    return sum < least ? "more partitions moved than had to" : NULL;
}

#endif
