/* client/assign/plan.h -- the leader's plan, shared by the file that reads it
 * (plan.c) and the one that carries it out (plan_run.c). */
#ifndef KWI_PLAN_H
#define KWI_PLAN_H
#include "base/map.h"
#include "client/assign/assign.h"

enum { KWI_PLAN_BLOCKS_MAX = 8, KWI_PLAN_NOTE_SIZE = 160 };

struct kw_plan_block {
    void *ptr;
    size_t size;
};

struct kw_plan {
    struct kw_heap *heap;
    struct kw_plan_block blocks[KWI_PLAN_BLOCKS_MAX]; /* all that lives as long as the plan */
    uint32_t n_blocks;

    uint32_t n_members, n_topics;
    struct kw_assign_member *members;
    struct kw_assign_topic *topics;
    struct kw_consumer_protocol_subscription *subscriptions; /* by member */
    const struct kw_bytes *racks;
    uint32_t n_racks;
    struct kw_plan_block lent; /* kwi_plan_own: holds the racks */
    struct kw_map names;       /* topic name -> its number + 1 */
    uint32_t n_repairs;
    char note[KWI_PLAN_NOTE_SIZE]; /* the first repair */

    /* From prepare on. */
    const struct kw_assignor *assignor;
    struct kw_assign_group group;
    struct kw_plan_block scratch;
    struct kw_plan_block work; /* holds the following arrays */
    uint32_t *owned;
    int32_t *owners;
    uint32_t *first;  /* by member: where its partitions begin in `numbers` */
    uint32_t *sorted; /* partitions by member */
    int32_t *numbers; /* the same, as numbers within their topics */
    struct kw_consumer_protocol_topic *encoded; /* of one member */
    uint32_t n_held; /* partitions held back: another member has them still */
    bool ran;
    int rc; /* what the assignor returned */
};

void kwi_plan_repair(struct kw_plan *plan, uint32_t member, const char *what);
/* Fill err (may be NULL) and return its code. */
int kwi_plan_nomem(struct kw_error *err);
int kwi_plan_limit(struct kw_error *err, const char *what, size_t n, size_t most);

#endif
