/* kwire/assignor.h -- who gets which partition: the assignors of classic consumer
 * groups, and how an application brings its own.
 *
 * In a classic group one member, the leader, shares the partitions out among all
 * of them. It does that with the assignor that all members named (property
 * partition.assignment.strategy); the broker only carries the result.
 *
 * An assignor is a table of pure functions over memory that the caller brings, as a
 * codec is (kwire/codec.h): it allocates nothing, waits for nothing, calls nothing
 * of this library but other assignors, and may run on any thread, on one thread at
 * a time for each group. Its result must depend on the group alone: the next
 * leader may be another process. */
#ifndef KWIRE_ASSIGNOR_H
#define KWIRE_ASSIGNOR_H
#include <kwire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a member gives up what it owns when the group is rebalanced. */
enum kw_rebalance_protocol {
    KW_REBALANCE_EAGER = 1,      /* all of it, before it joins */
    KW_REBALANCE_COOPERATIVE = 2 /* what it is told to, after it joined (KIP-429) */
};

/* A topic that some member subscribes to. Names compare as their UTF-16 text does,
 * which is Java's order and that of bytes for all that Kafka allows in a name. */
struct kw_assign_topic {
    struct kw_bytes name;
    uint32_t first;        /* its partition 0 in struct kw_assign_group's numbering */
    uint32_t n_partitions; /* 0: there is no such topic, or it is not known */
    /* Racks of the replicas, n_replicas for each partition: indexes into the
     * group's racks, -1 where a replica has none. NULL: racks are not known. */
    const int32_t *racks;
    uint32_t n_replicas;
};

struct kw_assign_member {
    struct kw_bytes member_id;
    struct kw_bytes group_instance_id; /* static member (KIP-345); ptr NULL: dynamic */
    struct kw_bytes user_data;         /* what user_data() made there; ptr NULL: none */
    int32_t rack;                      /* index into racks; -1: none; n_racks: no replica has it */
    int32_t generation;                /* in which `owned` was owned; -1: not known (KIP-792) */
    const uint32_t *topics;            /* indexes, ascending, each once */
    uint32_t n_topics;
    const uint32_t *owned; /* partitions that it says it still owns; ascending, each once */
    uint32_t n_owned;
};

/* A group as its leader sees it. Partitions of all topics are numbered through:
 * partition p of topic t is topics[t].first + p, below n_partitions. */
struct kw_assign_group {
    const struct kw_assign_member *members; /* ascending by member id, at least one */
    uint32_t n_members;
    const struct kw_assign_topic *topics; /* ascending by name */
    uint32_t n_topics, n_partitions;
    const struct kw_bytes *racks;
    uint32_t n_racks;
};

/* What one member was given the last time, for the user data of its subscription. */
struct kw_assign_own_topic {
    struct kw_bytes name;
    const int32_t *partitions;
    uint32_t n_partitions;
};
struct kw_assign_own {
    bool assigned;      /* false: it has not been given anything yet, not even nothing */
    int32_t generation; /* -1: none yet */
    const struct kw_assign_own_topic *topics;
    uint32_t n_topics;
};

struct kw_assignor {
    size_t size; /* of this struct */
    /* As in partition.assignment.strategy: letters, digits, '.', '_' and '-'. It is
     * what members of a group agree on, so all must mean the same by it. */
    const char *name;
    unsigned protocols; /* set of enum kw_rebalance_protocol */
    void *ctx;          /* given to each function */

    /* Bytes of working memory that assign() wants, aligned for any type; 0 is
     * allowed. NULL: none. */
    size_t (*scratch_size)(void *ctx, const struct kw_assign_group *group);
    /* Sets owners[p], for each partition p that has an owner, to the index of a
     * member that subscribes to p's topic. All are -1 at first; one that stays so
     * belongs to nobody until the next rebalance, which is how a partition is taken
     * from a member of a cooperative group before another one gets it.
     * What it says is looked at. An owner that there is not, or that does not subscribe,
     * is an error, as a negative enum kw_err that it returns is: the leader tells it as the
     * event ERROR, is out until its next subscription, and the group goes on without it.
     * If it is cooperative, a partition that it gives to one member while another one says
     * that it has it is held back until that one has given it up: nothing ever has two
     * owners by what an assignor says. */
    int (*assign)(void *ctx, const struct kw_assign_group *group, int32_t *owners, void *scratch);
    /* Writes what the leader's assign() shall know of this member. 1: *len bytes
     * were written to buf. 0: there is none. KW_ERR_SPACE: *len bytes are needed,
     * cap was too small. Anything else, and more than KW_ASSIGN_DATA_MAX, is an error, as
     * one of assign() is. own->generation is that of the last assignment. May be NULL:
     * none. */
    int (*user_data)(void *ctx, const struct kw_assign_own *own, void *buf, size_t cap,
                     size_t *len);

    /* The following were added in 0.2; a table whose size says that it lacks them has NULL. */

    /* Of the leader, behind assign(): writes what one member shall be told besides its
     * partitions, as user_data() does. It is asked more than once, and says the same. */
    int (*assignment_data)(void *ctx, const struct kw_assign_group *group, const int32_t *owners,
                           uint32_t member, void *buf, size_t cap, size_t *len);
    /* Of each member, in the generation that this assignor was chosen for: what it was
     * given, and what the leader's assignment_data() said of it (ptr NULL: nothing), before
     * the events about it are raised. Called inside the client's process: quick, and
     * without a call of this library. */
    void (*on_assignment)(void *ctx, const struct kw_assign_own *own, struct kw_bytes data);
};
enum { KW_ASSIGN_DATA_MAX = 1 << 20 }; /* bytes of a user_data or assignment_data */

/* The built-in ones do what those of Kafka's Java client do, member for member and
 * partition for partition (docs/decisions/ says where they do not). An own assignor
 * may call them.
 *
 * range: of each topic, the first member gets the first partitions, and so on.
 * Partitions of the same number of several topics go to the same member. Members are
 * ordered by group.instance.id, then member id. Rack-aware (KIP-881).
 * roundrobin: all partitions in turn.
 * sticky: balanced, and otherwise as it was (KIP-54). Rack-aware.
 * cooperative-sticky: the same, and a partition that another member still has is given
 * to nobody until that member has given it up (KIP-429). It supports both protocols, so
 * that a group can change over: first all members offer the old assignor too, then
 * none does. */
KW_EXPORT extern const struct kw_assignor kw_assignor_range;
KW_EXPORT extern const struct kw_assignor kw_assignor_roundrobin;
KW_EXPORT extern const struct kw_assignor kw_assignor_sticky;
KW_EXPORT extern const struct kw_assignor kw_assignor_cooperative_sticky;

#ifdef __cplusplus
}
#endif
#endif
