/* client/assign/sticky.h -- the sticky assignors in parts: what members claim to own
 * (sticky_claims.c), groups in which all subscribe to the same topics (sticky_even.c),
 * all other groups (sticky_general.c, with the moves of sticky_moves.c), and the order
 * in which Java walks its hash tables (java_hash.c), on which results depend. */
#ifndef KWI_STICKY_H
#define KWI_STICKY_H
#include "client/assign/assign.h"

/* ---- java_hash.c --------------------------------------------------------------- */

/* Java's String.hashCode of UTF-8 text. */
uint32_t kwi_java_hash(struct kw_bytes text);
/* The members as a HashMap with their ids as keys is walked; keys: room for as many. */
void kwi_java_order(const struct kw_assign_group *group, uint32_t *order, uint64_t *keys);
/* Buckets of a HashMap that grew to n entries, and the one that a hash falls into. */
uint32_t kwi_java_buckets(uint32_t n);
static inline uint32_t kwi_java_bucket(uint32_t hash, uint32_t n_buckets)
{
    return (hash ^ hash >> 16) & (n_buckets - 1);
}

/* ---- sticky_claims.c ------------------------------------------------------------- */

struct kw_sticky_claims {
    int32_t *generation;     /* by member; -1: not known */
    int32_t *owner, *since;  /* by partition: who may keep it, -1 nobody; in which generation */
    uint8_t *doubled;        /* by partition: several own it in the highest generation */
    int32_t *before, *until; /* the last owner of an older generation, and that */
    int32_t max_generation;
};

struct kw_sticky {
    const struct kw_assign_group *group;
    int32_t *owners;
    bool cooperative; /* whose claims are in the subscription, not in the user data */
    bool even;        /* all members subscribe to the same topics */
    bool by_rack;     /* racks matter (KIP-881) */
    uint32_t *java_order;
    uint64_t *keys; /* for sorting; one for each member and partition */
    struct kw_rack_view racks;
    struct kw_sticky_claims claims;
    uint32_t *size; /* by member: partitions that it has */
    uint32_t *list; /* partitions that are still to be assigned */
    uint32_t n_list;
    struct kw_sticky_even *e;
    struct kw_sticky_general *g;
};

void kwi_sticky_claims_carve(struct kw_carver *carver, struct kw_sticky *s);
/* Two members that own one partition: the one of the higher generation may keep it, of
 * the same generation none. */
void kwi_sticky_claims_read(struct kw_sticky *s);
/* Calls fn for each partition that a member claims; again, if it is named again. */
typedef void kwi_sticky_claim_fn(struct kw_sticky *s, uint32_t member, uint32_t partition);
void kwi_sticky_claims_walk(struct kw_sticky *s, uint32_t member, kwi_sticky_claim_fn *fn);
bool kwi_sticky_claims_has(struct kw_sticky *s, uint32_t member, uint32_t partition);

/* A member with a rack, and a partition without a replica there. */
static inline bool kwi_sticky_mismatch(const struct kw_sticky *s, uint32_t member, uint32_t topic,
                                       uint32_t partition)
{
    const struct kw_assign_topic *t = &s->group->topics[topic];
    int32_t rack = s->by_rack ? s->group->members[member].rack : -1;
    return rack >= 0 && !kwi_assign_in_rack(t, partition - t->first, rack);
}

/* ---- sticky_even.c ---------------------------------------------------------------- */

struct kw_sticky_even {
    uint32_t *first;         /* by member: where what it may keep begins in s->keys */
    int32_t *revoked;        /* by partition: who had it and lost it, -1 nobody */
    uint8_t *moving;         /* by partition: another member has to give it up first */
    uint32_t *topic_of;      /* by partition */
    uint32_t *under, *exact; /* members below the lower number, and those with just that */
    uint32_t n_under, exact_first, exact_end;
    uint32_t *rack_under, *rack_exact; /* how many of these are in a rack */
    uint32_t *rack_members;            /* how many of all */
    uint32_t min, max, over_wanted, over;
};

void kwi_sticky_even_carve(struct kw_carver *carver, struct kw_sticky *s);
void kwi_sticky_even(struct kw_sticky *s);

/* ---- sticky_general.c ------------------------------------------------------------- */

struct kw_sticky_move; /* sticky_moves.c */
struct kw_sticky_moves {
    struct kw_sticky_move *pool; /* pairs of members, between which partitions moved */
    uint32_t *heads, mask;       /* by hash of topic and pair: first + 1 in the pool */
    uint32_t free;               /* first + 1 */
    uint32_t *move_of;           /* by partition: its pair + 1, 0 it did not move */
    uint32_t *next, *previous;   /* of the same pair, in the order of moving; + 1 */
    uint32_t *topic_hash;
    const uint32_t *topic_of;
    const struct kw_assign_topic *topics;
};

struct kw_sticky_general {
    struct kw_assign_subs subs;
    uint64_t *subscribed; /* a row of bits for each topic */
    uint32_t n_words;     /* of a row */
    uint32_t *topic_of;   /* by partition */
    uint32_t *order;      /* members, those with the fewest partitions first */
    uint32_t *all;        /* partitions, those with the fewest possible owners first */
    uint32_t n_all;
    uint8_t *fixed; /* by member: it has all it can get, and nobody else could have it */
    int32_t *owners_before;
    uint32_t *size_before;
    bool revoked; /* somebody lost something that it had */
    uint64_t n_moves;
    struct kw_sticky_moves moves;
};

void kwi_sticky_general_carve(struct kw_carver *carver, struct kw_sticky *s);
void kwi_sticky_general(struct kw_sticky *s);

/* ---- sticky_moves.c --------------------------------------------------------------- */

void kwi_sticky_moves_carve(struct kw_carver *carver, const struct kw_assign_group *group,
                            struct kw_sticky_moves *moves);
void kwi_sticky_moves_init(const struct kw_assign_group *group, const uint32_t *topic_of,
                           struct kw_sticky_moves *moves);
/* The partition to move instead of this one, if that takes back an earlier move. */
uint32_t kwi_sticky_moves_actual(const struct kw_sticky_moves *moves, uint32_t partition,
                                 uint32_t from, uint32_t to);
void kwi_sticky_moves_note(struct kw_sticky_moves *moves, uint32_t partition, uint32_t from,
                           uint32_t to);

#endif
