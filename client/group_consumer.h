/* client/group_consumer.h -- membership by the consumer protocol (KIP-848): the
 * coordinator assigns, and everything goes by one request, ConsumerGroupHeartbeat.
 *
 * group_consumer.c  the state machine
 * group_beat.c      the heartbeat: what it says, what its answer means
 * group_target.c    what the coordinator wants us to have: from topic ids to parts
 * group_session.c   how long the coordinator keeps a member that is silent
 *
 * Kafka's own name for groups of this kind is "modern". */
#ifndef KWI_GROUP_CONSUMER_H
#define KWI_GROUP_CONSUMER_H
#include "client/group.h"
#include "proto/consumer_group.h"

enum kw_modern_state {
    KWI_MODERN_OUT,       /* no subscription */
    KWI_MODERN_FIND,      /* waits for the coordinator */
    KWI_MODERN_JOIN,      /* a heartbeat with epoch 0 is under way */
    KWI_MODERN_STABLE,    /* we have what was wanted, and said so */
    KWI_MODERN_RECONCILE, /* gives up what the target lacks */
    KWI_MODERN_ACK,       /* what we have now is being told */
    KWI_MODERN_WAIT,      /* after a failure to join, until its timer is due */
    KWI_MODERN_PART,      /* unsubscribed: gives everything up */
    KWI_MODERN_LEAVE,     /* the last heartbeat is under way */
    KWI_MODERN_AWAY,      /* left because nobody polled */
    KWI_MODERN_FAILED     /* until another subscription */
};
enum kw_modern_event {
    KWI_MODERN_SUBSCRIBED,   /* there is a subscription, and we are nowhere */
    KWI_MODERN_FOUND,        /* the coordinator is known */
    KWI_MODERN_JOINED,       /* we have an epoch */
    KWI_MODERN_TARGET,       /* another target, or names of its topics */
    KWI_MODERN_READY,        /* nothing is left to give up */
    KWI_MODERN_TOLD,         /* the coordinator knows what we have */
    KWI_MODERN_UNSUBSCRIBED, /* there is no subscription any more */
    KWI_MODERN_GONE,         /* everything is given up */
    KWI_MODERN_VOID,         /* we are no member any more; join anew, at once */
    KWI_MODERN_RETRY,        /* the same, or a join failed: after a pause */
    KWI_MODERN_DUE,          /* the pause is over */
    KWI_MODERN_LATE,         /* nobody polls */
    KWI_MODERN_FATAL,        /* an error that only the application can resolve */
    KWI_MODERN_LEFT          /* out, whatever the answer was */
};

/* A topic of the target. */
struct kw_modern_topic {
    struct kw_uuid id;
    char *name; /* NULL: not known yet */
    size_t name_size;
    bool wanted; /* scratch of kwi_modern_target */
};

struct kw_modern_entry {
    struct kw_modern_topic *topic;
    int32_t partition;
};

enum { KWI_MODERN_ID = 22 };

struct kw_modern {
    struct kw_group *group;
    uint8_t state;
    bool may_fall_back;                /* to the classic protocol, as long as we never joined */
    char member_id[KWI_MODERN_ID + 1]; /* made by us, for the life of the consumer */
    bool claimed;                      /* the coordinator may know us by it */
    bool denied; /* a topic was refused to us: told, and not again before it is granted */
    bool held;   /* another member has our group.instance.id: told, since held_us */
    uint64_t held_us;
    struct kw_request *beating, *leaving;
    struct kw_timer timer; /* WAIT; RECONCILE and PART without memory */
    struct kw_timer beat;  /* the next heartbeat */
    int64_t interval_ms;   /* as the coordinator wants it */
    uint32_t attempts;     /* joins that did not last until the next heartbeat */
    uint32_t failures;     /* heartbeats since one was answered well, and its answer taken */
    /* Shortages of memory in a row of one subscription: for a heartbeat, since one was answered
     * well; for the assignment, since we had one, however many heartbeats there were. */
    uint32_t n_unsaid, n_untaken;
    /* What the coordinator knows of us: numbers of versions. */
    uint32_t subscription, told_subscription;
    uint32_t owned, told_owned;
    bool full;        /* what it knows is uncertain: the next heartbeat says all */
    bool had_pattern; /* since we joined: it must be taken back by name */
    /* Of the heartbeat under way. */
    uint64_t sent_us;
    uint32_t sent_subscription, sent_owned;
    uint64_t confirmed_us; /* when the last one was sent that was answered well */
    /* group_target.c */
    struct kw_map topics; /* id -> kw_modern_topic */
    struct kw_modern_entry *target;
    uint32_t n_target, target_cap;
    bool first; /* no assignment was told since we joined */
    struct kw_request *resolving;
    struct kw_timer resolve;
    uint32_t resolve_attempts;
    /* group_session.c */
    struct kw_request *asking;
    int64_t session_ms;
    bool session_known;
};

static inline struct kw_core *kwi_modern_core(const struct kw_modern *modern)
{
    return modern->group->consumer->core;
}

static inline struct kw_keeper *kwi_modern_keeper(const struct kw_modern *modern)
{
    return &modern->group->consumer->keeper;
}

/* group_consumer.c */
void kwi_modern_step(struct kw_modern *modern, enum kw_modern_event event);
/* In one of the states between a join and the end of membership. */
bool kwi_modern_is_member(const struct kw_modern *modern);
/* Membership is void: everything is lost, and joined anew. */
void kwi_modern_void(struct kw_modern *modern, int16_t kafka_code);
/* It cannot go on: everything is lost, the application is told. kafka_code 0: none. */
void kwi_modern_fail(struct kw_modern *modern, int code, int16_t kafka_code, const char *what);
/* The answer to the last heartbeat came, or never will. */
void kwi_modern_left(struct kw_modern *modern);
/* Answers that are still to come are not listened to any more. */
void kwi_modern_forget(struct kw_request **req);

/* group_beat.c */
/* Sends a heartbeat, unless one is under way. False: it could not be sent (no
 * coordinator, no memory). */
bool kwi_modern_beat(struct kw_modern *modern);
/* The last one: we leave. False: it could not be sent. */
bool kwi_modern_send_leave(struct kw_modern *modern);
/* It could not be sent: if it was for want of memory, that counts. */
void kwi_modern_unsaid(struct kw_modern *modern);
/* The next heartbeat, some time after a failure. */
void kwi_modern_beat_later(struct kw_modern *modern);
/* Whether there is something to tell that does not wait for the next heartbeat. */
bool kwi_modern_has_news(const struct kw_modern *modern);

/* group_target.c */
/* Takes over what the coordinator wants. KW_ERR_NOMEM: the old target stays. */
KW_MUST_USE int kwi_modern_target(struct kw_modern *modern,
                                  const struct kw_group_assignment *assignment);
/* Makes the parts those of the target, as far as its topics are known. 1: some are to be
 * given up first; 0: done; KW_ERR_NOMEM. */
KW_MUST_USE int kwi_modern_apply(struct kw_modern *modern);
void kwi_modern_resolve_due(struct kw_timer *timer);
void kwi_modern_target_drop(struct kw_modern *modern);
void kwi_modern_target_deinit(struct kw_modern *modern);
/* What we have, as a heartbeat says it. */
struct kw_modern_claim {
    struct kw_group_partitions *topics;
    uint32_t n_topics;
    int32_t *numbers;
    uint32_t n_numbers;
};
KW_MUST_USE int kwi_modern_claim(const struct kw_modern *modern, struct kw_modern_claim *claim);
void kwi_modern_claim_free(const struct kw_modern *modern, struct kw_modern_claim *claim);

/* group_session.c */
/* Asks how long a session is. */
void kwi_modern_ask_session(struct kw_modern *modern);
/* What it is taken for, in ms. */
int64_t kwi_modern_session(const struct kw_modern *modern);

#endif
