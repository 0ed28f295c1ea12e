/* client/group_admin.h -- admin requests about groups.
 *
 * group_admin.c     an operation is a number of legs: one for each group that is named, or
 *                   (LIST_GROUPS) for each broker; who is asked, and how often
 * group_start.c     what the caller gave
 * group_result.c    what it gets
 * group_show.c      ListGroups, and the four calls that describe a group
 * group_change.c    DeleteGroups, OffsetFetch, OffsetCommit, OffsetDelete and
 *                   DescribeShareGroupOffsets of a group that we are not in
 *
 *   leg: waits for its turn --> looks for the coordinator <--> asks <--> pauses
 *        asks --answered for good--> ended;  describe: not of this type --> asks anew */
#ifndef KWI_GROUP_ADMIN_H
#define KWI_GROUP_ADMIN_H
#include "client/admin_tree.h"
#include "client/coordinator.h"
#include "client/op.h"

struct kw_group_leg;

/* What an answer says of the leg's group as a whole. */
struct kw_group_verdict {
    int16_t kafka_code;
    struct kw_str message; /* null if none */
};

/* One API. `take` reads the answer: 0 with the verdict (and, of code 0, what was
 * answered kept in the leg), KW_ERR_PROTOCOL (the connection was closed), KW_ERR_NOMEM,
 * KW_ERR_LIMIT. */
struct kw_group_call {
    struct kw_request_type type;
    const char *what; /* for texts: "describing the group" */
    int (*take)(struct kw_group_leg *leg, struct kw_request *req, const struct kw_answer *answer,
                struct kw_group_verdict *verdict);
};

/* An offset of the request. */
struct kw_group_entry {
    struct kw_str topic, metadata; /* within the operation */
    int32_t partition, leader_epoch;
    int64_t offset;
    int16_t kafka_code;
    bool answered;
};

struct kw_group_leg {
    struct kw_groups_op *op;
    struct kw_coordinator *coordinator; /* while it is under way; not of LIST_GROUPS */
    struct kw_coordinator_user user;
    struct kw_request *req; /* under way, or NULL */
    struct kw_timer timer;
    struct kw_str group; /* NUL-terminated within the operation; null: LIST_GROUPS */
    int32_t broker;      /* LIST_GROUPS: who is asked; else who answered last */
    uint32_t attempts;
    uint8_t step; /* which of the calls */
    bool open;
    struct kw_group_info info;          /* of one group */
    const struct kw_group_info *listed; /* LIST_GROUPS, within a piece */
    struct kw_offset *offsets;          /* the same of GET_OFFSETS */
    uint32_t n;                         /* listed, or offsets */
};

struct kw_groups_op {
    struct kw_op op; /* first: freed as such */
    struct kw_timer retry;
    struct kw_request *req; /* of Metadata, LIST_GROUPS */
    struct kw_admin_result **result;
    uint8_t kind; /* enum kw_admin_kind */
    uint8_t group_type;
    uint32_t attempts;
    struct kw_group_leg *legs;
    /* n_next: the first that has not had its turn */
    uint32_t n_legs, legs_cap, n_next, n_open;
    struct kw_admin_piece *pieces;
    size_t pieces_size;
    int code;              /* of the first leg of LIST_GROUPS that failed */
    struct kw_error first; /* and its error */
    struct kw_error last;
    struct kw_group_entry *entries; /* NULL: all (GET_OFFSETS) */
    uint32_t *order;                /* entries by topic and partition */
    uint32_t n_entries;
    struct kw_str *types, *states;
    uint32_t n_types, n_states;
};

static inline bool kwi_groups_is_plural(const struct kw_groups_op *groups)
{
    return groups->kind <= KW_ADMIN_DELETE_GROUPS;
}

/* The calls of a kind, in the order in which they are tried. step 0.. ; NULL: no more. */
const struct kw_group_call *kwi_group_call(const struct kw_groups_op *groups, unsigned step);

/* Memory that goes with the result. 0, KW_ERR_NOMEM or KW_ERR_LIMIT. */
KW_MUST_USE int kwi_groups_piece(struct kw_groups_op *groups, size_t size, void **ptr);
/* NULL: no memory. */
struct kw_admin_tree *kwi_groups_build(struct kw_groups_op *groups);
/* err may be NULL if code is 0; copied. */
void kwi_groups_end(struct kw_groups_op *groups, int code, const struct kw_error *err);
void kwi_groups_abandon(struct kw_op *op, int code);
void kwi_groups_no_memory(struct kw_groups_op *groups, int code);
void kwi_groups_leg_init(struct kw_groups_op *groups, struct kw_group_leg *leg);
/* The next legs have their turn. */
void kwi_groups_go(struct kw_groups_op *groups);
/* Asks which brokers there are: a leg for each. */
void kwi_groups_brokers_send(struct kw_groups_op *groups);
void kwi_groups_retry_due(struct kw_timer *timer);
/* For `done` of the calls. */
void kwi_group_leg_done(struct kw_request *req, const struct kw_answer *answer);
/* The entry that an answer names, or NULL. */
struct kw_group_entry *kwi_groups_entry(const struct kw_groups_op *groups, struct kw_str topic,
                                        int32_t partition);

/* group_show.c, group_change.c */
extern const struct kw_group_call kwi_group_list, kwi_group_describe_classic,
    kwi_group_describe_consumer, kwi_group_describe_share, kwi_group_describe_streams,
    kwi_group_delete, kwi_group_offsets_get, kwi_group_offsets_set, kwi_group_offsets_delete,
    kwi_group_offsets_share;

/* Starts one; kind is KW_ADMIN_LIST_GROUPS or behind it. */
struct kw_op *kwi_groups_start(struct kw_core *core, const struct kw_admin_request *request,
                               struct kw_admin_result **result, int32_t timeout_ms, void *tag);

#endif
