/* client/assign/sticky_claims.c -- what members say they own.
 *
 * A member of a cooperative group still owns its partitions while it joins, and names
 * them in its subscription. One of an eager group has given them up, and names what it
 * had in its user data. Both with the generation in which they got it. Members may lie
 * or have slept: the newest claim counts, and of two equally new ones none. */
#include <string.h>

#include "client/assign/sticky.h"

void kwi_sticky_claims_carve(struct kw_carver *carver, struct kw_sticky *s)
{
    size_t n = s->group->n_partitions;
    s->claims.generation = kwi_carve(carver, s->group->n_members, sizeof(int32_t));
    s->claims.owner = kwi_carve(carver, n, sizeof(int32_t));
    s->claims.since = kwi_carve(carver, n, sizeof(int32_t));
    s->claims.doubled = kwi_carve(carver, n, 1);
    s->claims.before = kwi_carve(carver, n, sizeof(int32_t));
    s->claims.until = kwi_carve(carver, n, sizeof(int32_t));
}

/* User data of the sticky assignor. It says no version: the newer one is tried first,
 * bytes that are left over are ignored, and what is neither claims nothing. */
static bool claims_decode(struct kw_bytes data, struct kw_sticky_user_data *msg)
{
    size_t used;
    if (data.len == 0)
        return false;
    for (int version = kwi_sticky_user_data_schema.until; version >= 0; version--)
        if (kwi_decode_first(&kwi_sticky_user_data_schema, version, data.ptr, data.len, msg, &used,
                             NULL) == 0)
            return true;
    return false;
}

static int32_t claims_generation(const struct kw_sticky *s, uint32_t m)
{
    const struct kw_assign_member *member = &s->group->members[m];
    struct kw_sticky_user_data msg;
    struct kw_rd r = kwi_rd_make(member->user_data.ptr, member->user_data.len);
    int32_t generation = -1;
    if (s->cooperative && member->generation >= 0)
        return member->generation;
    if (s->cooperative)
        generation = (int32_t)kwi_rd_u32(&r);
    else if (claims_decode(member->user_data, &msg))
        generation = msg.generation;
    return r.err || generation < 0 ? -1 : generation;
}

void kwi_sticky_claims_walk(struct kw_sticky *s, uint32_t m, kwi_sticky_claim_fn *fn)
{
    const struct kw_assign_member *member = &s->group->members[m];
    struct kw_sticky_user_data msg;
    struct kw_assign_claims claims;
    uint32_t partition;
    if (s->cooperative) {
        for (uint32_t i = 0; i < member->n_owned; i++)
            fn(s, m, member->owned[i]);
        return;
    }
    if (!claims_decode(member->user_data, &msg))
        return;
    kwi_assign_claims_init(&claims, s->group, &msg.previous_assignment);
    while (kwi_assign_claims_next(&claims, &partition))
        fn(s, m, partition);
}

bool kwi_sticky_claims_has(struct kw_sticky *s, uint32_t m, uint32_t partition)
{
    const struct kw_assign_member *member = &s->group->members[m];
    uint32_t low = 0, high = member->n_owned;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (member->owned[mid] == partition)
            return true;
        if (member->owned[mid] < partition)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static void claims_take(struct kw_sticky *s, uint32_t m, uint32_t p)
{
    struct kw_sticky_claims *c = &s->claims;
    if (c->owner[p] == (int32_t)m)
        return;
    if (c->owner[p] < 0 || c->generation[m] > c->since[p]) {
        c->owner[p] = (int32_t)m;
        c->since[p] = c->generation[m];
        c->doubled[p] = 0;
    } else if (c->generation[m] == c->since[p]) {
        c->doubled[p] = 1;
    }
}

static void claims_remember(struct kw_sticky *s, uint32_t m, uint32_t p)
{
    struct kw_sticky_claims *c = &s->claims;
    if (c->before[p] >= 0 && c->generation[m] <= c->until[p])
        return;
    c->before[p] = (int32_t)m;
    c->until[p] = c->generation[m];
}

void kwi_sticky_claims_read(struct kw_sticky *s)
{
    struct kw_sticky_claims *c = &s->claims;
    uint32_t n = s->group->n_partitions;
    c->max_generation = -1;
    memset(c->owner, 0xff, n * sizeof(int32_t));
    memset(c->before, 0xff, n * sizeof(int32_t));
    memset(c->doubled, 0, n);
    for (uint32_t m = 0; m < s->group->n_members; m++) {
        c->generation[m] = claims_generation(s, m);
        if (c->generation[m] > c->max_generation)
            c->max_generation = c->generation[m];
    }
    for (uint32_t i = 0; i < s->group->n_members; i++) {
        uint32_t m = s->java_order[i];
        kwi_sticky_claims_walk(s, m, claims_take);
        if (c->generation[m] < c->max_generation)
            kwi_sticky_claims_walk(s, m, claims_remember);
    }
    for (uint32_t p = 0; p < n; p++)
        if (c->doubled[p])
            c->owner[p] = -1;
}
