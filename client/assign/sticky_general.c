/* client/assign/sticky_general.c -- the sticky assignment of a group whose members
 * subscribe to different topics.
 *
 * 1. Everybody keeps what it may keep.
 * 2. The rest goes, topics with the fewest subscribers first, to the subscriber that
 *    has the least; where racks matter, first to one in the partition's racks.
 * 3. Partitions move from members that have at least two more than a subscriber of the
 *    same topic has, until there are none: back to who had it in an older generation
 *    if that helps, else to who has the least.
 * 4. If there was something to keep and 3 did not make the group more balanced, it is
 *    undone.
 *
 * Java asks before each partition of step 3 whether the whole group is balanced, which
 * is what makes it slow. It is balanced exactly if no partition would move, so that
 * question is left out. */
#include <string.h>

#include "base/assert.h"
#include "base/sort.h"
#include "client/assign/sticky.h"

enum {
    GENERAL_FEW = 16,          /* subscribers that are looked at one by one */
    GENERAL_EXCHANGES_EACH = 8 /* moves that may be exchanged, by partition */
};

void kwi_sticky_general_carve(struct kw_carver *carver, struct kw_sticky *s)
{
    struct kw_sticky_general *g = s->g;
    const struct kw_assign_group *group = s->group;
    size_t n = group->n_partitions;
    kwi_assign_subs_carve(carver, group, &g->subs);
    g->n_words = (group->n_members + 63) / 64;
    g->subscribed = kwi_carve(carver, (size_t)g->n_words * group->n_topics, sizeof(uint64_t));
    g->topic_of = kwi_carve(carver, n, sizeof(uint32_t));
    g->order = kwi_carve(carver, group->n_members, sizeof(uint32_t));
    g->all = kwi_carve(carver, n, sizeof(uint32_t));
    g->fixed = kwi_carve(carver, group->n_members, 1);
    g->owners_before = kwi_carve(carver, n, sizeof(int32_t));
    g->size_before = kwi_carve(carver, group->n_members, sizeof(uint32_t));
    kwi_sticky_moves_carve(carver, group, &g->moves);
}

static bool general_subscribes(const struct kw_sticky_general *g, uint32_t m, uint32_t topic)
{
    return g->subscribed[(size_t)topic * g->n_words + m / 64] >> (m % 64) & 1;
}

static uint32_t general_n_subs(const struct kw_sticky_general *g, uint32_t topic)
{
    return g->subs.first[topic + 1] - g->subs.first[topic];
}

/* ---- members in the order of how much they have ---------------------------------------- */

/* Where a member with this size stands in the order, or would stand. */
static uint32_t general_place(const struct kw_sticky *s, uint32_t m, uint32_t size)
{
    uint32_t low = 0, high = s->group->n_members;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2, other = s->g->order[mid];
        uint32_t owns = s->size[other];
        if (owns < size || (owns == size && other < m))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void general_more(struct kw_sticky *s, uint32_t m)
{
    uint32_t *order = s->g->order, from = general_place(s, m, s->size[m]), to;
    to = general_place(s, m, s->size[m] + 1) - 1;
    s->size[m]++;
    memmove(order + from, order + from + 1, (to - from) * sizeof *order);
    order[to] = m;
}

static void general_less(struct kw_sticky *s, uint32_t m)
{
    uint32_t *order = s->g->order, from = general_place(s, m, s->size[m]), to;
    to = general_place(s, m, s->size[m] - 1);
    s->size[m]--;
    memmove(order + to + 1, order + to, (from - to) * sizeof *order);
    order[to] = m;
}

/* The subscriber of p's topic that has the least, n_members if there is none; by_rack:
 * one that does not stand in a wrong rack. */
static uint32_t general_least(const struct kw_sticky *s, uint32_t p, bool by_rack)
{
    const struct kw_sticky_general *g = s->g;
    uint32_t topic = g->topic_of[p], n = s->group->n_members, best = n;
    if (general_n_subs(g, topic) <= GENERAL_FEW) {
        for (uint32_t i = g->subs.first[topic]; i < g->subs.first[topic + 1]; i++) {
            uint32_t m = g->subs.members[i];
            if ((best == n || s->size[m] < s->size[best]) &&
                !(by_rack && kwi_sticky_mismatch(s, m, topic, p)))
                best = m;
        }
        return best;
    }
    for (uint32_t i = 0; i < n; i++)
        if (general_subscribes(g, g->order[i], topic) &&
            !(by_rack && kwi_sticky_mismatch(s, g->order[i], topic, p)))
            return g->order[i];
    return n;
}

/* ---- steps 1 and 2 ------------------------------------------------------------------ */

static void general_tables(struct kw_sticky *s)
{
    struct kw_sticky_general *g = s->g;
    const struct kw_assign_group *group = s->group;
    kwi_assign_subs_fill(group, NULL, &g->subs);
    memset(g->subscribed, 0, (size_t)g->n_words * group->n_topics * sizeof(uint64_t));
    for (uint32_t m = 0; m < group->n_members; m++)
        for (uint32_t i = 0; i < group->members[m].n_topics; i++)
            g->subscribed[(size_t)group->members[m].topics[i] * g->n_words + m / 64] |= (uint64_t)1
                                                                                        << (m % 64);
    for (uint32_t t = 0; t < group->n_topics; t++)
        s->keys[t] = (uint64_t)general_n_subs(g, t) << 32 | t;
    kwi_sort_u64(s->keys, group->n_topics);
    g->n_all = 0;
    for (uint32_t i = 0; i < group->n_topics; i++) {
        const struct kw_assign_topic *topic = &group->topics[(uint32_t)s->keys[i]];
        for (uint32_t p = topic->first; p < topic->first + topic->n_partitions; p++) {
            g->topic_of[p] = (uint32_t)s->keys[i];
            g->all[g->n_all++] = p;
        }
    }
}

static void general_keep_owned(struct kw_sticky *s)
{
    struct kw_sticky_general *g = s->g;
    g->revoked = false;
    for (uint32_t p = 0; p < s->group->n_partitions; p++) {
        int32_t owner = s->claims.owner[p];
        if (owner < 0)
            continue;
        if (!general_subscribes(g, (uint32_t)owner, g->topic_of[p]) ||
            kwi_sticky_mismatch(s, (uint32_t)owner, g->topic_of[p], p)) {
            g->revoked = true;
            continue;
        }
        s->owners[p] = owner;
        s->size[owner]++;
    }
    for (uint32_t m = 0; m < s->group->n_members; m++)
        s->keys[m] = (uint64_t)s->size[m] << 32 | m;
    kwi_sort_u64(s->keys, s->group->n_members);
    for (uint32_t m = 0; m < s->group->n_members; m++)
        g->order[m] = (uint32_t)s->keys[m];
}

static void general_give_rest(struct kw_sticky *s, bool by_rack)
{
    for (uint32_t i = 0; i < s->n_list; i++) {
        uint32_t p = s->list[i], m;
        if (s->owners[p] >= 0)
            continue;
        m = general_least(s, p, by_rack);
        if (m == s->group->n_members)
            continue;
        s->owners[p] = (int32_t)m;
        general_more(s, m);
    }
}

/* ---- step 3 ------------------------------------------------------------------------ */

/* Leaves out of a list the partitions that only one member could have. */
static uint32_t general_movable(const struct kw_sticky_general *g, uint32_t *list, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (general_n_subs(g, g->topic_of[list[i]]) >= 2)
            list[kept++] = list[i];
    return kept;
}

/* Finds the members that have all they can get, of topics that nobody else wants. */
static void general_fix(struct kw_sticky *s)
{
    struct kw_sticky_general *g = s->g;
    for (uint32_t m = 0; m < s->group->n_members; m++) {
        uint64_t most = 0;
        for (uint32_t i = 0; i < s->group->members[m].n_topics; i++)
            most += s->group->topics[s->group->members[m].topics[i]].n_partitions;
        g->fixed[m] = s->size[m] >= most;
    }
    for (uint32_t i = 0; i < g->n_all; i++) /* the movable ones only */
        if (s->owners[g->all[i]] >= 0)
            g->fixed[s->owners[g->all[i]]] = 0;
}

static void general_move(struct kw_sticky *s, uint32_t p, uint32_t to)
{
    struct kw_sticky_general *g = s->g;
    uint32_t from;
    if (g->n_moves < (uint64_t)GENERAL_EXCHANGES_EACH * s->group->n_partitions)
        p = kwi_sticky_moves_actual(&g->moves, p, (uint32_t)s->owners[p], to);
    from = (uint32_t)s->owners[p];
    kwi_sticky_moves_note(&g->moves, p, from, to);
    s->owners[p] = (int32_t)to;
    general_less(s, from);
    general_more(s, to);
    g->n_moves++;
}

/* Who should have p instead of its owner; n_members: nobody. */
static uint32_t general_better(const struct kw_sticky *s, uint32_t p)
{
    uint32_t size = s->size[s->owners[p]], least;
    int32_t before = s->claims.before[p];
    if (before >= 0 && size > s->size[before] + 1 &&
        general_subscribes(s->g, (uint32_t)before, s->g->topic_of[p]))
        return (uint32_t)before;
    least = general_least(s, p, false);
    return size > s->size[least] + 1 ? least : s->group->n_members;
}

/* Goes over a list until nothing moves any more. Returns whether anything did.
 *
 * A plain move makes the group more balanced, so there is an end to them. One that is
 * exchanged for an earlier one need not, since that partition may come from a third
 * member: such moves can go round for ever. So only so many are exchanged, which is far
 * more than any other group makes. */
static bool general_balance(struct kw_sticky *s, const uint32_t *list, uint32_t n)
{
    bool moved = false, again = true;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t to = general_better(s, list[i]);
            if (to == s->group->n_members)
                continue;
            general_move(s, list[i], to);
            again = moved = true;
        }
    }
    return moved;
}

/* ---- step 4 ------------------------------------------------------------------------- */

/* The sum of the differences between all members that are not fixed. */
static uint64_t general_score(struct kw_sticky *s, const uint32_t *size)
{
    uint64_t score = 0, below = 0;
    uint32_t n = 0;
    for (uint32_t m = 0; m < s->group->n_members; m++)
        if (!s->g->fixed[m])
            s->keys[n++] = size[m];
    kwi_sort_u64(s->keys, n);
    for (uint32_t i = 0; i < n; i++) {
        score += s->keys[i] * i - below;
        below += s->keys[i];
    }
    return score;
}

static void general_withhold(struct kw_sticky *s)
{
    /* What a member gets that it did not have, and another one has, has to be given up
     * there first. before[] is not needed any more, and takes the claims. */
    for (uint32_t p = 0; p < s->group->n_partitions; p++)
        s->claims.before[p] = 0;
    for (uint32_t m = 0; m < s->group->n_members; m++)
        for (uint32_t i = 0; i < s->group->members[m].n_owned; i++)
            s->claims.before[s->group->members[m].owned[i]]++;
    for (uint32_t p = 0; p < s->group->n_partitions; p++)
        if (s->owners[p] >= 0 && s->claims.before[p] > 0 &&
            !kwi_sticky_claims_has(s, (uint32_t)s->owners[p], p))
            s->owners[p] = -1;
}

void kwi_sticky_general(struct kw_sticky *s)
{
    struct kw_sticky_general *g = s->g;
    const struct kw_assign_group *group = s->group;
    bool fresh, moved;
    general_tables(s);
    general_keep_owned(s);
    fresh = s->size[g->order[group->n_members - 1]] == 0;
    for (uint32_t i = 0; i < g->n_all; i++)
        if (s->owners[g->all[i]] < 0)
            s->list[s->n_list++] = g->all[i];
    if (s->by_rack)
        general_give_rest(s, true);
    general_give_rest(s, false);

    g->n_all = general_movable(g, g->all, g->n_all);
    s->n_list = general_movable(g, s->list, s->n_list);
    general_fix(s);
    memcpy(g->owners_before, s->owners, group->n_partitions * sizeof(int32_t));
    memcpy(g->size_before, s->size, group->n_members * sizeof(uint32_t));
    g->n_moves = 0;
    kwi_sticky_moves_init(group, g->topic_of, &g->moves);
    if (!g->revoked)
        (void)general_balance(s, s->list, s->n_list);
    moved = general_balance(s, g->all, g->n_all);
    if (!fresh && moved && general_score(s, s->size) >= general_score(s, g->size_before)) {
        memcpy(s->owners, g->owners_before, group->n_partitions * sizeof(int32_t));
        memcpy(s->size, g->size_before, group->n_members * sizeof(uint32_t));
    }
    if (s->cooperative)
        general_withhold(s);
}
