/* client/assign/sticky.c -- the sticky and the cooperative-sticky assignor: who may
 * keep what it has, keeps it, as long as that is balanced (KIP-54, KIP-429).
 *
 * The two differ in where a member says what it had, and in that a partition which
 * another member still has is withheld by the cooperative one until that member has
 * given it up and the group is balanced again. */
#include "client/assign/sticky.h"

#include <string.h>

static bool sticky_even(const struct kw_assign_group *group)
{
    const struct kw_assign_member *first = &group->members[0];
    for (uint32_t m = 1; m < group->n_members; m++) {
        const struct kw_assign_member *member = &group->members[m];
        if (member->n_topics != first->n_topics ||
            (first->n_topics > 0 &&
             memcmp(member->topics, first->topics, first->n_topics * sizeof(uint32_t)) != 0))
            return false;
    }
    return true;
}

/* Memory for one way or the other; scratch NULL: counts it. */
static size_t sticky_layout(struct kw_sticky *s, const struct kw_assign_group *group, void *scratch)
{
    struct kw_carver carver = {scratch, 0};
    size_t n_keys = group->n_partitions;
    n_keys = n_keys > group->n_members ? n_keys : group->n_members;
    n_keys = n_keys > group->n_topics ? n_keys : group->n_topics;
    s->group = group;
    s->even = sticky_even(group);
    s->java_order = kwi_carve(&carver, group->n_members, sizeof(uint32_t));
    s->keys = kwi_carve(&carver, n_keys, sizeof(uint64_t));
    kwi_rack_view_carve(&carver, group, &s->racks);
    kwi_sticky_claims_carve(&carver, s);
    s->size = kwi_carve(&carver, group->n_members, sizeof(uint32_t));
    s->list = kwi_carve(&carver, group->n_partitions, sizeof(uint32_t));
    if (s->even)
        kwi_sticky_even_carve(&carver, s);
    else
        kwi_sticky_general_carve(&carver, s);
    return carver.used;
}

static size_t sticky_scratch_size(void *ctx, const struct kw_assign_group *group)
{
    struct kw_sticky_even even;
    struct kw_sticky_general general;
    struct kw_sticky s = {.e = &even, .g = &general};
    (void)ctx;
    return sticky_layout(&s, group, NULL);
}

static int sticky_run(bool cooperative, const struct kw_assign_group *group, int32_t *owners,
                      void *scratch)
{
    struct kw_sticky_even even;
    struct kw_sticky_general general;
    struct kw_sticky s = {.e = &even, .g = &general, .owners = owners, .cooperative = cooperative};
    (void)sticky_layout(&s, group, scratch);
    memset(s.size, 0, group->n_members * sizeof(uint32_t));
    kwi_java_order(group, s.java_order, s.keys);
    s.by_rack = kwi_racks_matter(group, &s.racks, NULL, group->n_members, NULL, group->n_topics);
    kwi_sticky_claims_read(&s);
    if (s.even)
        kwi_sticky_even(&s);
    else
        kwi_sticky_general(&s);
    return 0;
}

static int sticky_assign(void *ctx, const struct kw_assign_group *group, int32_t *owners,
                         void *scratch)
{
    (void)ctx;
    return sticky_run(false, group, owners, scratch);
}

static int cooperative_assign(void *ctx, const struct kw_assign_group *group, int32_t *owners,
                              void *scratch)
{
    (void)ctx;
    return sticky_run(true, group, owners, scratch);
}

/* ---- user data ------------------------------------------------------------------ */

static int user_data_written(const struct kw_wr *w, size_t *len)
{
    *len = w->len;
    return kwi_wr_status(w) ? kwi_wr_status(w) : 1;
}

/* Version 1: what the member had, and the generation. Java sends none before the first
 * assignment. */
static int sticky_user_data(void *ctx, const struct kw_assign_own *own, void *buf, size_t cap,
                            size_t *len)
{
    struct kw_wr w = kwi_wr_make(buf, cap);
    (void)ctx;
    *len = 0;
    if (!own->assigned)
        return 0;
    kwi_wr_u32(&w, own->n_topics);
    for (uint32_t t = 0; t < own->n_topics; t++) {
        const struct kw_assign_own_topic *topic = &own->topics[t];
        kwi_wr_len(&w, (int32_t)topic->name.len, 2, false);
        kwi_wr_put(&w, topic->name.ptr, topic->name.len);
        kwi_wr_u32(&w, topic->n_partitions);
        for (uint32_t i = 0; i < topic->n_partitions; i++)
            kwi_wr_u32(&w, (uint32_t)topic->partitions[i]);
    }
    kwi_wr_u32(&w, (uint32_t)own->generation);
    return user_data_written(&w, len);
}

/* The generation alone: what is owned stands in the subscription. */
static int cooperative_user_data(void *ctx, const struct kw_assign_own *own, void *buf, size_t cap,
                                 size_t *len)
{
    struct kw_wr w = kwi_wr_make(buf, cap);
    (void)ctx;
    kwi_wr_u32(&w, (uint32_t)own->generation);
    return user_data_written(&w, len);
}

const struct kw_assignor kw_assignor_sticky = {
    .size = sizeof(struct kw_assignor),
    .name = "sticky",
    .protocols = KW_REBALANCE_EAGER,
    .scratch_size = sticky_scratch_size,
    .assign = sticky_assign,
    .user_data = sticky_user_data,
};

const struct kw_assignor kw_assignor_cooperative_sticky = {
    .size = sizeof(struct kw_assignor),
    .name = "cooperative-sticky",
    .protocols = KW_REBALANCE_EAGER | KW_REBALANCE_COOPERATIVE,
    .scratch_size = sticky_scratch_size,
    .assign = cooperative_assign,
    .user_data = cooperative_user_data,
};
