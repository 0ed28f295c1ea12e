/* client/assign/roundrobin.c -- all partitions of all topics in turn to the members,
 * passing over those that do not subscribe. Topics by name, members in static order.
 * Pure; the memory is the caller's. */
#include "client/assign/assign.h"

struct roundrobin {
    uint32_t *order;    /* the ring */
    uint32_t *position; /* of each member in it */
    struct kw_assign_subs subs;
};

static size_t roundrobin_layout(struct roundrobin *rr, const struct kw_assign_group *group,
                                void *scratch)
{
    struct kw_carver carver = {scratch, 0};
    rr->order = kwi_carve(&carver, group->n_members, sizeof(uint32_t));
    rr->position = kwi_carve(&carver, group->n_members, sizeof(uint32_t));
    kwi_assign_subs_carve(&carver, group, &rr->subs);
    return carver.used;
}

static size_t roundrobin_scratch_size(void *ctx, const struct kw_assign_group *group)
{
    struct roundrobin rr;
    (void)ctx;
    return roundrobin_layout(&rr, group, NULL);
}

/* The first of a topic's n members that stands at `ring` or behind it, or else the
 * first of all: the list is in the ring's order. */
static uint32_t roundrobin_start(const struct roundrobin *rr, const uint32_t *members, uint32_t n,
                                 uint32_t ring)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (rr->position[members[mid]] < ring)
            low = mid + 1;
        else
            high = mid;
    }
    return low == n ? 0 : low;
}

static int roundrobin_assign(void *ctx, const struct kw_assign_group *group, int32_t *owners,
                             void *scratch)
{
    struct roundrobin rr;
    uint32_t ring = 0;
    (void)ctx;
    (void)roundrobin_layout(&rr, group, scratch);
    kwi_assign_static_order(group, rr.order);
    for (uint32_t k = 0; k < group->n_members; k++)
        rr.position[rr.order[k]] = k;
    kwi_assign_subs_fill(group, rr.order, &rr.subs);
    for (uint32_t t = 0; t < group->n_topics; t++) {
        const struct kw_assign_topic *topic = &group->topics[t];
        const uint32_t *members = rr.subs.members + rr.subs.first[t];
        uint32_t n = rr.subs.first[t + 1] - rr.subs.first[t];
        if (n == 0 || topic->n_partitions == 0)
            continue;
        uint32_t at = roundrobin_start(&rr, members, n, ring);
        for (uint32_t p = 0; p < topic->n_partitions; p++) {
            owners[topic->first + p] = (int32_t)members[at];
            ring = rr.position[members[at]] + 1;
            at = at + 1 == n ? 0 : at + 1;
        }
    }
    return 0;
}

const struct kw_assignor kw_assignor_roundrobin = {
    .size = sizeof(struct kw_assignor),
    .name = "roundrobin",
    .protocols = KW_REBALANCE_EAGER,
    .scratch_size = roundrobin_scratch_size,
    .assign = roundrobin_assign,
};
