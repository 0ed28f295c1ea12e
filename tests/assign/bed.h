/* bed.h -- groups from one line of text, and what an assignor makes of them.
 *
 *     ASSIGNOR T TOPIC... M MEMBER... = OWNERS
 *
 * TOPIC   name:partitions[:racks]   racks: a word of letters for each partition, its
 *         replicas' racks, between slashes; '.' is a replica without one
 * MEMBER  id:instance:rack:generation:topics:owned:user, where topics are numbers of
 *         topics, owned is TOPIC.FIRST-LAST or TOPIC.PARTITION between commas, and user
 *         is empty (null), 0 or 1 (sticky user data of that version; it has `owned` and
 *         the generation, and the subscription does not), c (cooperative user data), or
 *         xHEX. Generation "-": a subscription of version 1, which has none.
 * OWNERS  of each partition the number of a member, or '-', between commas
 *
 * Topics stand in the order of their names, members in that of their ids. */
#ifndef ASSIGN_BED_H
#define ASSIGN_BED_H
#include "client/assignor.h"

enum { BED_MEMBERS_MAX = 1024, BED_TOPICS_MAX = 256, BED_RACKS = 26 };

struct bed_member {
    char id[64], instance[64];
    int32_t rack, generation, user_generation; /* rack: letter - 'a', -1 none */
    bool no_generation;                        /* the subscription is of version 1 */
    uint32_t n_topics, n_owned;
    uint32_t *topics, *owned; /* owned: partitions as in struct kw_assign_group */
    int user;                 /* ' ' none, '0', '1', 'c' or 'x' */
    uint8_t raw[256];
    size_t raw_len;
};
struct bed {
    char assignor[32];
    uint32_t n_topics, n_members, n_partitions;
    struct bed_topic {
        char name[64];
        uint32_t first, n_partitions, n_replicas;
        int32_t *racks;
    } topics[BED_TOPICS_MAX];
    struct bed_member members[BED_MEMBERS_MAX];
    int32_t *expected; /* NULL: the line had no result */
    struct kw_heap heap;
};

/* Reads a line; ends the test if it is not of that form. */
struct bed *bed_parse(const char *line);
void bed_free(struct bed *bed);
/* The members' subscriptions as bytes; freed by bed_blobs_free. */
struct kw_plan_member *bed_blobs(const struct bed *bed);
void bed_blobs_free(const struct bed *bed, struct kw_plan_member *blobs);
/* Gives the plan the topics that the bed has, by name. */
void bed_metadata(const struct bed *bed, struct kw_plan *plan);
/* A plan of the whole group, assigned. */
struct kw_plan *bed_assign(struct bed *bed, const struct kw_assignor *assignor);
/* The owners as in a line, in a static buffer. */
const char *bed_owners(const struct bed *bed, const struct kw_plan *plan);
/* The line's own assignor gives the line's own result. */
void bed_expect(const char *line);

#endif
