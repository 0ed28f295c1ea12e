/* client/assign/sticky_even.c -- the sticky assignment of a group in which all members
 * subscribe to the same topics: a fast case that is balanced to within one partition.
 *
 * Of n members and P partitions, P % n get P / n + 1 and the others P / n. Each keeps
 * what it owns, up to its number; the first ones in Java's order may have the one
 * more. The rest goes round to those that have less; where racks matter, first to
 * members in the partition's racks, and those partitions first that fewest members
 * could have there. */
#include <string.h>

#include "base/assert.h"
#include "base/sort.h"
#include "client/assign/sticky.h"

void kwi_sticky_even_carve(struct kw_carver *carver, struct kw_sticky *s)
{
    struct kw_sticky_even *e = s->e;
    size_t n = s->group->n_partitions, n_racks = (size_t)s->group->n_racks + 1;
    e->first = kwi_carve(carver, (size_t)s->group->n_members + 2, sizeof(uint32_t));
    e->revoked = kwi_carve(carver, n, sizeof(int32_t));
    e->moving = kwi_carve(carver, n, 1);
    e->topic_of = kwi_carve(carver, n, sizeof(uint32_t));
    e->under = kwi_carve(carver, s->group->n_members, sizeof(uint32_t));
    e->exact = kwi_carve(carver, s->group->n_members, sizeof(uint32_t));
    e->rack_under = kwi_carve(carver, n_racks, sizeof(uint32_t));
    e->rack_exact = kwi_carve(carver, n_racks, sizeof(uint32_t));
    e->rack_members = kwi_carve(carver, n_racks, sizeof(uint32_t));
}

/* ---- what is kept ----------------------------------------------------------------- */

/* Lists what each member may keep as number << 32 | topic: lower numbers of all topics
 * come first. What is not in its rack it has to give up. */
static void even_list_owned(struct kw_sticky *s)
{
    struct kw_sticky_even *e = s->e;
    const struct kw_assign_group *group = s->group;
    uint32_t *next = e->first + 1;
    memset(e->first, 0, ((size_t)group->n_members + 2) * sizeof(uint32_t));
    for (uint32_t p = 0; p < group->n_partitions; p++) {
        int32_t owner = s->claims.owner[p];
        if (owner >= 0 && kwi_sticky_mismatch(s, (uint32_t)owner, e->topic_of[p], p)) {
            e->revoked[p] = owner;
            s->claims.owner[p] = -1;
        } else if (owner >= 0) {
            next[owner + 1]++;
        }
    }
    for (uint32_t m = 0; m < group->n_members; m++)
        next[m + 1] += next[m];
    for (uint32_t p = 0; p < group->n_partitions; p++)
        if (s->claims.owner[p] >= 0)
            s->keys[next[s->claims.owner[p]]++] =
                (uint64_t)(p - group->topics[e->topic_of[p]].first) << 32 | e->topic_of[p];
    for (uint32_t m = 0; m < group->n_members; m++)
        kwi_sort_u64(s->keys + e->first[m], e->first[m + 1] - e->first[m]);
}

/* One member keeps the first `keep` of what it owns. */
static void even_keep(struct kw_sticky *s, uint32_t m, uint32_t keep)
{
    struct kw_sticky_even *e = s->e;
    for (uint32_t i = e->first[m]; i < e->first[m + 1]; i++) {
        uint32_t p = s->group->topics[(uint32_t)s->keys[i]].first + (uint32_t)(s->keys[i] >> 32);
        if (i - e->first[m] < keep)
            s->owners[p] = (int32_t)m;
        else
            e->revoked[p] = (int32_t)m;
    }
    s->size[m] = keep;
}

static void even_keep_owned(struct kw_sticky *s)
{
    struct kw_sticky_even *e = s->e;
    for (uint32_t i = 0; i < s->group->n_members; i++) {
        uint32_t m = s->java_order[i], n = e->first[m + 1] - e->first[m];
        if (n < e->min) {
            even_keep(s, m, n);
            e->under[e->n_under++] = m;
        } else if (n >= e->max && e->over < e->over_wanted) {
            even_keep(s, m, e->max);
            if (++e->over == e->over_wanted)
                e->exact_end = 0;
        } else {
            even_keep(s, m, e->min);
            if (e->over < e->over_wanted)
                e->exact[e->exact_end++] = m;
        }
    }
    /* Both lists go on in the order of the ids. */
    (void)kwi_assign_unique(e->under, e->n_under);
    (void)kwi_assign_unique(e->exact, e->exact_end);
}

/* ---- what is given ---------------------------------------------------------------- */

static void even_give(struct kw_sticky *s, uint32_t p, uint32_t m)
{
    struct kw_sticky_even *e = s->e;
    s->owners[p] = (int32_t)m;
    s->size[m]++;
    e->moving[p] = (e->revoked[p] >= 0 && e->revoked[p] != (int32_t)m) || s->claims.doubled[p];
}

static void even_remove(uint32_t *list, uint32_t *n, uint32_t at)
{
    (*n)--;
    memmove(list + at, list + at + 1, (*n - at) * sizeof(uint32_t));
}

/* How many members of a list, counted by rack, are in the racks of a partition. */
static uint32_t even_in_racks(const struct kw_sticky *s, const uint32_t *by_rack, uint32_t p)
{
    const struct kw_assign_topic *topic = &s->group->topics[s->e->topic_of[p]];
    uint32_t n, sum = 0;
    const int32_t *racks = kwi_assign_racks(topic, p - topic->first, &n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t earlier = 0;
        while (earlier < i && racks[earlier] != racks[i])
            earlier++;
        if (racks[i] >= 0 && earlier == i)
            sum += by_rack[racks[i]];
    }
    return sum;
}

static void even_count_racks(const struct kw_sticky *s, const uint32_t *list, uint32_t n,
                             uint32_t *by_rack)
{
    memset(by_rack, 0, ((size_t)s->group->n_racks + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < n; i++) {
        int32_t rack = s->group->members[list ? list[i] : i].rack;
        if (rack >= 0)
            by_rack[rack]++;
    }
}

/* The next member of a list, from `from` on and round, in a rack of the partition; n if
 * there is none. by_rack says so without a walk. */
static uint32_t even_next_in_rack(const struct kw_sticky *s, uint32_t p, const uint32_t *list,
                                  uint32_t n, uint32_t from, const uint32_t *by_rack)
{
    const struct kw_assign_topic *topic = &s->group->topics[s->e->topic_of[p]];
    if (n == 0 || even_in_racks(s, by_rack, p) == 0)
        return n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = from + i < n ? from + i : from + i - n;
        int32_t rack = s->group->members[list[at]].rack;
        if (rack >= 0 && kwi_assign_in_rack(topic, p - topic->first, rack))
            return at;
    }
    return n;
}

static void even_exact_clear(struct kw_sticky_even *e, uint32_t n_racks)
{
    e->exact_end = 0;
    memset(e->rack_exact, 0, ((size_t)n_racks + 1) * sizeof(uint32_t));
}

/* To a member below the lower number, in turn. Returns false if none is in the racks. */
static bool even_give_under(struct kw_sticky *s, uint32_t p, uint32_t *turn)
{
    struct kw_sticky_even *e = s->e;
    uint32_t at = even_next_in_rack(s, p, e->under, e->n_under, *turn, e->rack_under), m;
    if (at == e->n_under)
        return false;
    m = e->under[at];
    even_give(s, p, m);
    if (s->size[m] >= e->min) {
        even_remove(e->under, &e->n_under, at);
        e->rack_under[s->group->members[m].rack]--;
        if (s->size[m] < e->max && e->over < e->over_wanted) {
            e->exact[e->exact_end++] = m;
            e->rack_exact[s->group->members[m].rack]++;
        }
    } else {
        at++;
    }
    *turn = e->n_under == 0 ? 0 : at % e->n_under;
    return true;
}

/* To the first member with the lower number that may have one more. */
static bool even_give_exact(struct kw_sticky *s, uint32_t p)
{
    struct kw_sticky_even *e = s->e;
    uint32_t at = even_next_in_rack(s, p, e->exact, e->exact_end, 0, e->rack_exact), m;
    if (at == e->exact_end)
        return false;
    m = e->exact[at];
    even_give(s, p, m);
    if (s->size[m] == e->max) {
        even_remove(e->exact, &e->exact_end, at);
        e->rack_exact[s->group->members[m].rack]--;
        if (++e->over == e->over_wanted)
            even_exact_clear(e, s->group->n_racks);
    }
    return true;
}

static void even_by_rack(struct kw_sticky *s)
{
    struct kw_sticky_even *e = s->e;
    uint32_t turn = 0, left = 0;
    even_count_racks(s, NULL, s->group->n_members, e->rack_members);
    even_count_racks(s, e->under, e->n_under, e->rack_under);
    even_count_racks(s, e->exact, e->exact_end, e->rack_exact);
    for (uint32_t i = 0; i < s->n_list; i++)
        s->keys[i] = (uint64_t)even_in_racks(s, e->rack_members, s->list[i]) << 32 | s->list[i];
    kwi_sort_u64(s->keys, s->n_list);
    for (uint32_t i = 0; i < s->n_list; i++) {
        uint32_t p = (uint32_t)s->keys[i];
        if (!even_give_under(s, p, &turn) && !even_give_exact(s, p))
            s->list[left++] = p;
    }
    s->n_list = left;
}

/* Without racks: round the members below the lower number until there are none, then
 * one each to those that may have one more. */
static void even_rest(struct kw_sticky *s)
{
    struct kw_sticky_even *e = s->e;
    uint32_t turn = 0;
    for (uint32_t i = 0; i < s->n_list; i++) {
        uint32_t m;
        if (e->n_under > 0) {
            turn = turn < e->n_under ? turn : 0;
            m = e->under[turn++];
        } else {
            KWI_ASSERT(e->exact_first < e->exact_end);
            m = e->exact[e->exact_first++];
        }
        even_give(s, s->list[i], m);
        if (s->size[m] == e->min) {
            even_remove(e->under, &e->n_under, --turn);
            e->exact[e->exact_end++] = m;
        }
    }
}

/* ---- public -------------------------------------------------------------------- */

void kwi_sticky_even(struct kw_sticky *s)
{
    struct kw_sticky_even *e = s->e;
    const struct kw_assign_group *group = s->group;
    e->min = group->n_partitions / group->n_members;
    e->over_wanted = group->n_partitions % group->n_members;
    e->max = e->min + (e->over_wanted > 0);
    e->n_under = e->exact_first = e->exact_end = e->over = 0;
    memset(e->revoked, 0xff, group->n_partitions * sizeof(int32_t));
    memset(e->moving, 0, group->n_partitions);
    for (uint32_t t = 0; t < group->n_topics; t++)
        for (uint32_t p = 0; p < group->topics[t].n_partitions; p++)
            e->topic_of[group->topics[t].first + p] = t;
    even_list_owned(s);
    even_keep_owned(s);
    for (uint32_t p = 0; p < group->n_partitions; p++)
        if (s->owners[p] < 0)
            s->list[s->n_list++] = p;
    if (s->by_rack)
        even_by_rack(s);
    even_rest(s);
    for (uint32_t p = 0; s->cooperative && p < group->n_partitions; p++)
        if (e->moving[p])
            s->owners[p] = -1;
}
