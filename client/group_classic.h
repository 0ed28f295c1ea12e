/* client/group_classic.h -- membership by the classic protocol.
 *
 * group_classic.c  the state machine
 * group_answers.c  what answers mean for it
 * group_calls.c    JoinGroup, SyncGroup, Heartbeat, LeaveGroup
 * group_own.c      what assignors are asked and told besides
 * group_plan.c     the leader's part: metadata of all topics, the assignor, its result
 * group_racks.c    the racks of the replicas, for that */
#ifndef KWI_GROUP_CLASSIC_H
#define KWI_GROUP_CLASSIC_H
#include "client/assignor.h"
#include "client/group.h"
#include "client/work.h"
#include "proto/group.h"

enum {
    KWI_CLASSIC_ASSIGNORS = 8,
    KWI_CLASSIC_PLAN_MS = 5000 /* how long the leader waits for metadata */
};

enum kw_classic_state {
    KWI_CLASSIC_OUT,     /* no subscription */
    KWI_CLASSIC_FIND,    /* waits for the coordinator */
    KWI_CLASSIC_PREPARE, /* gives up what must be given up before a join */
    KWI_CLASSIC_JOIN,    /* JoinGroup is under way */
    KWI_CLASSIC_PLAN,    /* we lead: metadata, assignor */
    KWI_CLASSIC_SYNC,    /* SyncGroup is under way */
    KWI_CLASSIC_STABLE,
    KWI_CLASSIC_SETTLE, /* gives up what went elsewhere, then joins again */
    KWI_CLASSIC_WAIT,   /* after a failure, until its timer is due */
    KWI_CLASSIC_LEAVE,  /* LeaveGroup is under way */
    KWI_CLASSIC_AWAY,   /* left because nobody polled */
    KWI_CLASSIC_FAILED  /* until another subscription */
};
enum kw_classic_event {
    KWI_CLASSIC_SUBSCRIBED, /* there is a subscription, and we are nowhere */
    KWI_CLASSIC_FOUND,      /* the coordinator is known */
    KWI_CLASSIC_READY,      /* nothing is left to give up */
    KWI_CLASSIC_GONE,       /* the same, and there is no subscription any more */
    KWI_CLASSIC_LED,        /* joined, and we lead */
    KWI_CLASSIC_JOINED,     /* joined, and another one leads; or the plan is made */
    KWI_CLASSIC_SYNCED,     /* the assignment is there */
    KWI_CLASSIC_PARTED,     /* it is there, and takes something from us */
    KWI_CLASSIC_REJOIN,     /* the group rebalances, or we want it to */
    KWI_CLASSIC_RETRY,      /* something failed that may succeed later */
    KWI_CLASSIC_DUE,        /* the pause is over */
    KWI_CLASSIC_LATE,       /* nobody polls */
    KWI_CLASSIC_FATAL,      /* an error that only the application can resolve */
    KWI_CLASSIC_LEFT        /* out, whatever the answer was */
};

struct kw_classic;

/* A topic that a member of the group wants, and how many partitions the last
 * assignment counted. */
struct kw_classic_topic {
    struct kw_classic *classic;
    struct kw_topic_meta *meta;
    struct kw_topic_watch watch;
    uint32_t n_partitions;
    /* As the last assignment saw them; of the plan, NULL: none. */
    const int32_t *racks;
    uint32_t n_replicas;
};

struct kw_classic {
    struct kw_group *group;
    uint8_t state;
    uint8_t rebalance; /* enum kw_rebalance_protocol */
    const struct kw_assignor *assignors[KWI_CLASSIC_ASSIGNORS];
    uint32_t n_assignors;
    const struct kw_assignor *chosen; /* of this generation; NULL: none yet */
    char *member_id;                  /* NULL: none yet */
    size_t member_id_size;
    struct kw_request *joining, *beating, *leaving;
    struct kw_timer timer; /* WAIT, PLAN, PREPARE without memory */
    struct kw_timer beat;
    uint64_t beat_sent_us, sync_sent_us;
    int32_t beat_epoch; /* with which it was sent */
    uint32_t attempts;  /* in a row */
    /* Shortages of memory in a row of one subscription: to join, since the last join; and for
     * what comes behind it, since the last assignment, however many joins there were. */
    uint32_t n_unjoined, n_unsynced;
    bool again;      /* the subscription changed since the last JoinGroup was sent */
    bool asked_id;   /* MEMBER_ID_REQUIRED came since we were in the group */
    bool occupied;   /* a join that was given up may hold the group's connection */
    bool pull_only;  /* the leader keeps the last assignment (KIP-814) */
    char reason[64]; /* of the next join */
    uint8_t *last;   /* the assignment as it came, for the user data of sticky ones */
    size_t last_size;
    int32_t last_generation;
    struct kw_error data_error; /* of an assignor's user data; code 0: none */
    /* group_plan.c */
    struct kw_plan *plan;
    struct kw_classic_topic *topics; /* of the plan, in its order */
    uint32_t n_topics;
    bool has_racks;               /* some member says where it stands */
    struct kw_classic_work *work; /* the assignor is running */
    uint8_t *blobs;               /* assignments, one behind the other */
    size_t blobs_size;
    uint32_t *ends; /* where each member's ends */
    uint32_t n_members;
};

static inline struct kw_core *kwi_classic_core(const struct kw_classic *classic)
{
    return classic->group->consumer->core;
}

static inline struct kw_keeper *kwi_classic_keeper(const struct kw_classic *classic)
{
    return &classic->group->consumer->keeper;
}

/* group_classic.c */
/* No member any more; forget: not even with this id. */
void kwi_classic_no_member(struct kw_classic *classic, bool forget);
void kwi_classic_step(struct kw_classic *classic, enum kw_classic_event event);
/* The member or its generation is void: everything is lost. forget: the id too. */
void kwi_classic_void(struct kw_classic *classic, bool forget, int16_t kafka_code);
/* One of the two counts goes up, and it is tried again. */
void kwi_classic_no_memory(struct kw_classic *classic, uint32_t *n_in_row, const char *what);
/* It cannot go on: everything is lost, the application is told. */
void kwi_classic_fail(struct kw_classic *classic, int code, int16_t kafka_code, const char *what);

/* group_answers.c */
/* An error that a request of the present generation met. */
void kwi_classic_member_error(struct kw_classic *classic, int16_t error);
void kwi_classic_joined(struct kw_classic *classic, const struct kw_join_group_response *msg);
void kwi_classic_sync_error(struct kw_classic *classic, int16_t error);
void kwi_classic_synced(struct kw_classic *classic, const struct kw_blob *assignment);
void kwi_classic_beat_answered(struct kw_classic *classic, int16_t error, int32_t epoch);
void kwi_classic_left(struct kw_classic *classic);
int64_t kwi_classic_setting(const struct kw_classic *classic, enum kw_key key);
KW_MUST_USE int kwi_classic_set_member(struct kw_classic *classic, struct kw_str id);

/* group_calls.c: false: it could not be sent (no coordinator, no memory) */
bool kwi_classic_send_join(struct kw_classic *classic);
bool kwi_classic_send_sync(struct kw_classic *classic);
bool kwi_classic_send_beat(struct kw_classic *classic);
bool kwi_classic_send_leave(struct kw_classic *classic);
/* Answers that are still to come are not listened to any more. */
void kwi_classic_forget(struct kw_request **req);

/* group_plan.c */
/* Reads the members of the answer. 0, or an error that err describes. */
KW_MUST_USE int kwi_classic_plan(struct kw_classic *classic,
                                 const struct kw_join_group_response *msg, struct kw_error *err);
/* Whether metadata has an answer about each topic. */
bool kwi_classic_plan_known(const struct kw_classic *classic);
/* Assigns. Steps with JOINED, RETRY or FATAL, perhaps later. */
void kwi_classic_plan_run(struct kw_classic *classic);
void kwi_classic_plan_drop(struct kw_classic *classic);
/* The assignment of a member by its number, for SyncGroup. */
struct kw_blob kwi_classic_plan_blob(const struct kw_classic *classic, uint32_t member);

/* group_own.c */
/* What an assignor wants its leader to know, in *size bytes of the control heap. *out is
 * null: nothing. KW_ERR_NOMEM, or data_error says what. */
KW_MUST_USE int kwi_classic_user_data(struct kw_classic *classic,
                                      const struct kw_assignor *assignor, struct kw_blob *out,
                                      size_t *size);
/* Tells the assignor that was chosen what we were given. KW_ERR_NOMEM: it was not told. */
KW_MUST_USE int kwi_classic_tell_assignor(const struct kw_classic *classic);

/* group_racks.c */
/* The racks are known, or are not wanted. */
bool kwi_classic_racks_known(const struct kw_classic *classic,
                             const struct kw_classic_topic *topic);
/* Tells the plan how many partitions there are, and in which racks. KW_ERR_NOMEM. */
KW_MUST_USE int kwi_classic_racks_tell(struct kw_classic *classic);
/* Whether replicas moved to other racks since the last assignment, and we care. */
bool kwi_classic_racks_moved(const struct kw_classic *classic,
                             const struct kw_classic_topic *topic);

#endif
