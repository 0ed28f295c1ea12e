/* client/assign/sticky_moves.c -- which partitions of a topic moved from one member to
 * another while a group is balanced. If a partition is about to move from b to a, and
 * another one of the topic moved from a to b before, that one goes back instead, and
 * neither has moved.
 *
 * For each topic and pair of members there is a list of the partitions that moved.
 * Which of several goes back is the first that Java's HashSet would give, so the list
 * remembers how large that set has been. Every pair has a partition, so there are never
 * more pairs than partitions. */
#include <string.h>

#include "base/assert.h"
#include "client/assign/sticky.h"

struct kw_sticky_move {
    uint32_t topic, from, to;
    uint32_t first, last; /* partitions + 1 */
    uint32_t n, n_max;    /* now, and at most since the list was begun */
    uint32_t chain;       /* next of the same hash, or of the free ones; + 1 */
};

void kwi_sticky_moves_carve(struct kw_carver *carver, const struct kw_assign_group *group,
                            struct kw_sticky_moves *moves)
{
    size_t n = group->n_partitions;
    uint32_t n_heads = 16;
    while (n_heads < n)
        n_heads *= 2;
    moves->mask = n_heads - 1;
    moves->heads = kwi_carve(carver, n_heads, sizeof(uint32_t));
    moves->pool = kwi_carve(carver, n, sizeof(struct kw_sticky_move));
    moves->move_of = kwi_carve(carver, n, sizeof(uint32_t));
    moves->next = kwi_carve(carver, n, sizeof(uint32_t));
    moves->previous = kwi_carve(carver, n, sizeof(uint32_t));
    moves->topic_hash = kwi_carve(carver, group->n_topics, sizeof(uint32_t));
}

void kwi_sticky_moves_init(const struct kw_assign_group *group, const uint32_t *topic_of,
                           struct kw_sticky_moves *moves)
{
    memset(moves->heads, 0, ((size_t)moves->mask + 1) * sizeof(uint32_t));
    memset(moves->move_of, 0, group->n_partitions * sizeof(uint32_t));
    moves->topic_of = topic_of;
    moves->topics = group->topics;
    moves->free = 0;
    for (uint32_t i = group->n_partitions; i-- > 0; moves->free = i + 1)
        moves->pool[i].chain = moves->free;
    for (uint32_t t = 0; t < group->n_topics; t++)
        moves->topic_hash[t] = kwi_java_hash(group->topics[t].name);
}

static uint32_t *moves_head(const struct kw_sticky_moves *moves, uint32_t topic, uint32_t from,
                            uint32_t to)
{
    uint32_t hash = (topic * 0x9E3779B1u ^ from) * 0x85EBCA77u ^ to;
    hash *= 0xC2B2AE3Du;
    return &moves->heads[(hash ^ hash >> 15) & moves->mask];
}

static struct kw_sticky_move *moves_find(const struct kw_sticky_moves *moves, uint32_t topic,
                                         uint32_t from, uint32_t to)
{
    uint32_t at = *moves_head(moves, topic, from, to);
    while (at) {
        struct kw_sticky_move *move = &moves->pool[at - 1];
        if (move->topic == topic && move->from == from && move->to == to)
            return move;
        at = move->chain;
    }
    return NULL;
}

static struct kw_sticky_move *moves_begin(struct kw_sticky_moves *moves, uint32_t topic,
                                          uint32_t from, uint32_t to)
{
    uint32_t *head = moves_head(moves, topic, from, to), at = moves->free;
    struct kw_sticky_move *move;
    KWI_ASSERT(at);
    move = &moves->pool[at - 1];
    moves->free = move->chain;
    *move = (struct kw_sticky_move){.topic = topic, .from = from, .to = to, .chain = *head};
    *head = at;
    return move;
}

static void moves_end(struct kw_sticky_moves *moves, struct kw_sticky_move *move)
{
    uint32_t *link = moves_head(moves, move->topic, move->from, move->to);
    uint32_t at = (uint32_t)(move - moves->pool) + 1;
    while (*link != at)
        link = &moves->pool[*link - 1].chain;
    *link = move->chain;
    move->chain = moves->free;
    moves->free = at;
}

static void moves_add(struct kw_sticky_moves *moves, uint32_t p, uint32_t from, uint32_t to)
{
    uint32_t topic = moves->topic_of[p];
    struct kw_sticky_move *move = moves_find(moves, topic, from, to);
    if (!move)
        move = moves_begin(moves, topic, from, to);
    moves->move_of[p] = (uint32_t)(move - moves->pool) + 1;
    moves->next[p] = 0;
    moves->previous[p] = move->last;
    if (move->last)
        moves->next[move->last - 1] = p + 1;
    else
        move->first = p + 1;
    move->last = p + 1;
    if (++move->n > move->n_max)
        move->n_max = move->n;
}

static void moves_remove(struct kw_sticky_moves *moves, uint32_t p)
{
    struct kw_sticky_move *move = &moves->pool[moves->move_of[p] - 1];
    uint32_t next = moves->next[p], previous = moves->previous[p];
    if (next)
        moves->previous[next - 1] = previous;
    else
        move->last = previous;
    if (previous)
        moves->next[previous - 1] = next;
    else
        move->first = next;
    moves->move_of[p] = 0;
    if (--move->n == 0)
        moves_end(moves, move);
}

void kwi_sticky_moves_note(struct kw_sticky_moves *moves, uint32_t p, uint32_t from, uint32_t to)
{
    if (moves->move_of[p]) {
        from = moves->pool[moves->move_of[p] - 1].from;
        moves_remove(moves, p);
        if (from == to)
            return; /* it is back */
    }
    moves_add(moves, p, from, to);
}

uint32_t kwi_sticky_moves_actual(const struct kw_sticky_moves *moves, uint32_t p, uint32_t from,
                                 uint32_t to)
{
    uint32_t topic = moves->topic_of[p], best = p, best_bucket = UINT32_MAX, n_buckets;
    const struct kw_sticky_move *move;
    if (moves->move_of[p])
        from = moves->pool[moves->move_of[p] - 1].from;
    move = moves_find(moves, topic, to, from);
    if (!move)
        return p;
    n_buckets = kwi_java_buckets(move->n_max);
    for (uint32_t at = move->first; at; at = moves->next[at - 1]) {
        /* TopicPartition.hashCode: 31 * (31 + partition) + topic.hashCode() */
        uint32_t number = at - 1 - moves->topics[topic].first;
        uint32_t bucket = kwi_java_bucket(31 * (31 + number) + moves->topic_hash[topic], n_buckets);
        if (bucket < best_bucket) {
            best = at - 1;
            best_bucket = bucket;
        }
    }
    return best;
}
