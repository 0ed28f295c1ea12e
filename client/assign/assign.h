/* client/assign/assign.h -- what the built-in assignors share. */
#ifndef KWI_ASSIGN_H
#define KWI_ASSIGN_H
#include "client/assignor.h"

/* Negative, 0 or positive, in the order of UTF-16 code units, which is that of
 * Java's strings: bytes decide, but for what UTF-16 writes as surrogates. */
int kwi_name_compare(struct kw_bytes a, struct kw_bytes b);

/* Members are numbered in the order of their ids. This is the order in which range
 * and roundrobin take them: static ones by their instance id, then the others
 * (MemberInfo.compareTo). */
void kwi_assign_static_order(const struct kw_assign_group *group, uint32_t *order);

/* Finds a topic by name; n_topics if there is none. */
uint32_t kwi_assign_topic(const struct kw_assign_group *group, struct kw_bytes name);
/* The topic that a partition is of. */
uint32_t kwi_assign_topic_of(const struct kw_assign_group *group, uint32_t partition);
bool kwi_assign_subscribes(const struct kw_assign_member *member, uint32_t topic);

/* Sorts, and leaves each number once; returns how many are left. */
uint32_t kwi_assign_unique(uint32_t *numbers, uint32_t n);

/* Walks a decoded list of topics with their partitions, as partitions of the group.
 * Those that do not exist are passed over and counted. */
struct kw_assign_claims {
    const struct kw_assign_group *group;
    struct kw_iter topics, partitions;
    uint32_t topic; /* n_topics: not one of the group's */
    uint32_t n_unknown;
};
void kwi_assign_claims_init(struct kw_assign_claims *claims, const struct kw_assign_group *group,
                            const struct kw_arr *topics);
bool kwi_assign_claims_next(struct kw_assign_claims *claims, uint32_t *partition);

/* Memory carved from one block, whose size is found by carving from NULL first. */
struct kw_carver {
    uint8_t *at; /* NULL: only count */
    size_t used;
};
void *kwi_carve(struct kw_carver *carver, size_t n, size_t size);

/* Lists of members by topic: those of topic t are subs[first[t]] up to, but without,
 * subs[first[t + 1]], in the order that was asked for. */
struct kw_assign_subs {
    uint32_t *first, *members;
};
void kwi_assign_subs_carve(struct kw_carver *carver, const struct kw_assign_group *group,
                           struct kw_assign_subs *subs);
/* order: all members, each once; NULL: by number. */
void kwi_assign_subs_fill(const struct kw_assign_group *group, const uint32_t *order,
                          struct kw_assign_subs *subs);

/* Racks of the replicas of a partition: *n indexes, of which some may be -1. */
static inline const int32_t *kwi_assign_racks(const struct kw_assign_topic *topic, uint32_t p,
                                              uint32_t *n)
{
    *n = topic->racks ? topic->n_replicas : 0;
    return topic->racks ? topic->racks + (size_t)p * topic->n_replicas : NULL;
}
static inline bool kwi_assign_in_rack(const struct kw_assign_topic *topic, uint32_t p, int32_t rack)
{
    uint32_t n;
    const int32_t *racks = kwi_assign_racks(topic, p, &n);
    for (uint32_t i = 0; i < n; i++)
        if (racks[i] == rack)
            return true;
    return false;
}

/* Which racks members and replicas are in, and whether it is worth to look at them. */
struct kw_rack_view {
    uint8_t *has_member, *has_replica; /* by rack; n_racks + 1 of the first */
};
void kwi_rack_view_carve(struct kw_carver *carver, const struct kw_assign_group *group,
                         struct kw_rack_view *view);
/* The rule of KIP-881 over some members and topics: some rack has both a member and
 * a replica, and not every partition is in all racks that have replicas. */
bool kwi_racks_matter(const struct kw_assign_group *group, struct kw_rack_view *view,
                      const uint32_t *members, uint32_t n_members, const uint32_t *topics,
                      uint32_t n_topics);

#endif
