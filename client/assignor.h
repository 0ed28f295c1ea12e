/* client/assignor.h -- the leader of a classic group at work: from the subscriptions
 * in its JoinGroup answer to the assignments of its SyncGroup request.
 *
 *     kwi_plan_create      the members' blobs are copied and read
 *     kwi_plan_topic_name  the topics that anybody wants: ask for their metadata
 *     kwi_plan_set_racks, kwi_plan_set_topic       what the metadata said
 *     kwi_plan_prepare     the memory that the assignor needs
 *     kwi_plan_run         the assignor; pure, allocates nothing, any thread
 *     kwi_plan_finish      what it did is looked at
 *     kwi_plan_encode      one member's assignment, in the order of the plan
 *
 * Nothing here keeps state between rebalances, sends or waits. What other members
 * wrote is repaired (kwi_plan_create says how): one broken member must not stop the
 * group. The order of the JoinGroup answer does not matter. */
#ifndef KWI_ASSIGNOR_H
#define KWI_ASSIGNOR_H
#include "base/alloc.h"
#include "proto/consumer_protocol.h"
#include <kwire/assignor.h>

/* A plan is made in one go, so its size has limits; they are far above what one
 * coordinator serves (docs/decisions/). Work that is done at once by
 * kwi_plan_create and kwi_plan_prepare is linear in the bytes of the subscriptions,
 * n log n in topics and members. */
enum {
    KWI_PLAN_MEMBERS_MAX = 10000,
    KWI_PLAN_TOPICS_MAX = 100000,
    KWI_PLAN_PARTITIONS_MAX = 1000000,
    KWI_PLAN_BYTES_MAX = 64 << 20, /* of the members' ids and blobs */
    KWI_PLAN_CELLS_MAX = 1 << 27,  /* members times topics */
    /* Up to members times partitions of this, kwi_plan_run is short enough for a
     * step of the core; beyond it is work for the driver (client/work.h). */
    KWI_PLAN_INLINE_MAX = 1 << 17
};

/* As in the JoinGroup answer; borrowed for the call that takes it. */
struct kw_plan_member {
    struct kw_str member_id, group_instance_id; /* of the latter null or "": none */
    struct kw_blob metadata;                    /* a ConsumerProtocolSubscription */
};

struct kw_plan;

/* Reads n subscriptions. Repaired, and counted by kwi_plan_repairs: one that cannot
 * be read counts as one that wants nothing; of two members with one id, the last
 * counts; topics and owned partitions that are named twice count once, partitions
 * that do not exist not at all.
 * KW_ERR_NOMEM; KW_ERR_LIMIT: above a limit, err says which and what to do;
 * KW_ERR_PROTOCOL: no member at all. err may be NULL. */
KW_MUST_USE int kwi_plan_create(struct kw_plan **out, struct kw_heap *heap,
                                const struct kw_plan_member *members, uint32_t n,
                                struct kw_error *err);
/* NULL is allowed. */
void kwi_plan_destroy(struct kw_plan *plan);

/* Members in ascending order of their ids; valid until destroy. */
uint32_t kwi_plan_n_members(const struct kw_plan *plan);
struct kw_str kwi_plan_member_id(const struct kw_plan *plan, uint32_t member);
/* How many things were repaired; *first (may be NULL) describes one of them, valid
 * until destroy, for the log. */
uint32_t kwi_plan_repairs(const struct kw_plan *plan, const char **first);

/* The topics of all subscriptions in ascending order; valid until destroy. */
uint32_t kwi_plan_n_topics(const struct kw_plan *plan);
struct kw_str kwi_plan_topic_name(const struct kw_plan *plan, uint32_t topic);
/* Whether a member says in which rack it is: then those of the replicas count. */
bool kwi_plan_has_racks(const struct kw_plan *plan);
/* The plan frees a block of its heap when it dies; one that it has already, now. */
void kwi_plan_own(struct kw_plan *plan, void *block, size_t size);
/* Names of all racks of replicas. Borrowed until destroy. Without it no rack counts. */
void kwi_plan_set_racks(struct kw_plan *plan, const struct kw_bytes *racks, uint32_t n);
/* n_partitions 0, as at first: unknown, nobody gets any of it. racks as in
 * struct kw_assign_topic, borrowed until destroy, or NULL. Before kwi_plan_prepare. */
void kwi_plan_set_topic(struct kw_plan *plan, uint32_t topic, uint32_t n_partitions,
                        const int32_t *racks, uint32_t n_replicas);

/* Takes the memory for this assignor, which must stay in place until finish. May be
 * called again, with another one. KW_ERR_NOMEM; KW_ERR_LIMIT. */
KW_MUST_USE int kwi_plan_prepare(struct kw_plan *plan, const struct kw_assignor *assignor,
                                 struct kw_error *err);
/* True: kwi_plan_run may take longer than a step of the core should. */
bool kwi_plan_is_work(const struct kw_plan *plan);
/* No memory is taken, nothing outside of the plan is touched. */
void kwi_plan_run(struct kw_plan *plan);
/* What the assignor returned, if negative; KW_ERR_STATE if it gave a partition to no
 * member, or to one that does not subscribe: of an own assignor, since the built-in
 * ones do not. What an own cooperative one gives to a member while another one says that
 * it has it is held back (kwi_plan_n_held), as Java's client refuses it: the one that has
 * it gives it up first, and joins again. */
KW_MUST_USE int kwi_plan_finish(struct kw_plan *plan, struct kw_error *err);
uint32_t kwi_plan_n_held(const struct kw_plan *plan);
/* Prepare, run and finish. */
KW_MUST_USE int kwi_plan_assign(struct kw_plan *plan, const struct kw_assignor *assignor,
                                struct kw_error *err);

/* After finish: the owner of a partition, -1 none; the group as the assignor saw it. */
const int32_t *kwi_plan_owners(const struct kw_plan *plan);
const struct kw_assign_group *kwi_plan_group(const struct kw_plan *plan);
/* Appends one member's ConsumerProtocolAssignment. What kwi_encode returns; KW_ERR_NOMEM;
 * what assignment_data returned, as kwi_assign_data says. */
KW_MUST_USE int kwi_plan_encode(struct kw_plan *plan, uint32_t member, struct kw_wr *w);

/* Whether an own assignor has all that it needs. */
bool kwi_assignor_is_whole(const struct kw_assignor *assignor);
/* Its later functions, NULL if its size says that it has none. */
typedef int kwi_assignment_data_fn(void *ctx, const struct kw_assign_group *group,
                                   const int32_t *owners, uint32_t member, void *buf, size_t cap,
                                   size_t *len);
typedef void kwi_on_assignment_fn(void *ctx, const struct kw_assign_own *own, struct kw_bytes data);
kwi_assignment_data_fn *kwi_assignor_assignment_data(const struct kw_assignor *assignor);
kwi_on_assignment_fn *kwi_assignor_on_assignment(const struct kw_assignor *assignor);

/* The built-in assignor of that name, or that Java class name, or NULL. */
const struct kw_assignor *kwi_assignor_builtin(const char *name, size_t len);
/* The rebalance protocol of a member that offers these assignors: the best that all
 * of them support. 0: they have none in common. */
enum kw_rebalance_protocol kwi_assignors_protocol(const struct kw_assignor *const *list, size_t n);

/* Something to ask twice, how much and then for it: as user_data of struct kw_assignor. */
typedef int kwi_assign_data_fn(void *asker, void *buf, size_t cap, size_t *len);
/* The answer, in *size bytes of the heap. *out is null: there is none. KW_ERR_NOMEM;
 * KW_ERR_LIMIT: more than KW_ASSIGN_DATA_MAX; KW_ERR_STATE: it does not say the same
 * twice, or nonsense; or the negative code that it returned. */
KW_MUST_USE int kwi_assign_data(struct kw_heap *heap, kwi_assign_data_fn *ask, void *asker,
                                struct kw_blob *out, size_t *size);

#endif
