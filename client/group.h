/* client/group.h -- a consumer that is a member of a group: what it subscribes to,
 * what it was given, and what the application is told of it.
 *
 * group.c knows the application's side: the subscription, parts that come and go, the
 * events ASSIGNED, REVOKED and LOST, the lease, the poll interval. How membership is
 * had is up to a protocol: a table of functions, behind which group_classic.c and
 * group_consumer.c are.
 *
 *     application   subscribe       take ASSIGNED   ack REVOKED      poll
 *                       |                |              |             |
 *     group.c       changed()        parts begin    commit, drop   lease, late
 *                       |                                |             |
 *     protocol      joins ...  kwi_group_assign      given_up()   lost(), late()
 *
 * Three promises: nothing of a part is handed out after the event that takes it away
 * was raised; nothing of it is begun before the event that gives it was taken; and what
 * is stored of it is committed before anybody else can be told to have it, unless
 * membership is already void. */
#ifndef KWI_GROUP_CLIENT_H
#define KWI_GROUP_CLIENT_H
#include "client/consumer.h"

struct kw_births;
struct kw_group;

struct kw_group_protocol {
    const char *name;
    bool patterns; /* a subscription may be one */
    /* The subscription is another one (group->names), or none. */
    void (*changed)(struct kw_group *group);
    /* The open revoke is over: its parts are gone. */
    void (*given_up)(struct kw_group *group);
    /* The coordinator is known, or refused. */
    void (*coordinator)(struct kw_group *group);
    /* The lease is over. Returns false if membership may still be good (an answer is
     * awaited that cannot come sooner): then records are only withheld. */
    bool (*lease_over)(struct kw_group *group);
    /* The application did not poll for max.poll.interval.ms, and all parts are gone; it
     * polls again. */
    void (*late)(struct kw_group *group);
    void (*polled)(struct kw_group *group);
    /* The application asks for a rebalance (KIP-568). */
    int (*rejoin)(struct kw_group *group, const char *reason);
    /* A commit of the present epoch met this error. */
    void (*refused)(struct kw_group *group, int16_t kafka_code);
    /* The consumer closes; what is stored was committed. */
    void (*leave)(struct kw_group *group);
    /* Nothing is under way any more that a close should wait for. */
    bool (*is_out)(const struct kw_group *group);
    void (*destroy)(struct kw_group *group);
};

/* An event, made when it is raised or before, because a part cannot wait for memory
 * to be taken away. */
struct kw_group_notice {
    struct kw_node node;
    uint8_t kind; /* enum kw_event_kind */
    uint32_t n, cap;
    size_t names_cap, size; /* names lie behind the list; size: of the allocation */
    struct kw_error why;    /* of LOST */
    struct kw_topic_partition list[];
};

/* A copy of a subscription: names, or a pattern that the coordinator matches. */
struct kw_group_names {
    const char *pattern; /* RE2 syntax; or NULL */
    uint32_t n;
    size_t size;
    const char *list[]; /* ascending, each once */
};

/* A partition that was assigned; the name is borrowed. */
struct kw_group_target {
    struct kw_str topic;
    int32_t partition;
};

struct kw_group {
    struct kw_consumer *consumer;
    const struct kw_group_protocol *protocol;
    void *state;                  /* the protocol's */
    struct kw_group_names *names; /* NULL: not subscribed */
    struct kw_births *births;     /* births.h; or NULL */
    const char *instance_id;      /* static member; or NULL */
    struct kw_list notices;
    struct kw_group_notice *told;  /* its event may still be looked at */
    struct kw_group_notice *spare; /* room for a LOST event that names all parts */
    bool revoking;                 /* a revoke is open, or its commit under way */
    bool open;                     /* it waits for kw_rebalance_ack or its deadline */
    struct kw_timer ack;
    uint64_t lease_us; /* records may be handed out before; UINT64_MAX: always */
    struct kw_timer lease, poll;
    bool away;           /* the application did not poll in time */
    int64_t late_ms;     /* the loop was late: to be told; 0: not */
    struct kw_error why; /* of ERROR */
    bool error;          /* it is to be told */
};

/* group.c, for subscription.c */
void kwi_group_init(struct kw_group *group, struct kw_consumer *consumer);

/* births.c: the part came after the subscription. */
bool kwi_group_is_new(const struct kw_consumer_part *part);

/* group.c, for consumer.c and records.c */
void kwi_group_destroy(struct kw_consumer *consumer);
void kwi_group_close(struct kw_consumer *consumer);
bool kwi_group_is_out(const struct kw_consumer *consumer);
/* Fills the next event; false: there is none. */
bool kwi_group_fill(struct kw_consumer *consumer, struct kw_event *out);
/* The event that _fill made is no longer looked at: what it gave begins. */
void kwi_group_told(struct kw_consumer *consumer);
/* The application polls. False: nothing may be handed out now. */
bool kwi_group_polls(struct kw_consumer *consumer);
/* It polled, released a handle, or something is ready: the poll interval runs as long
 * as there is something to do for the application. */
void kwi_group_watch_poll(struct kw_consumer *consumer, bool polled);
void kwi_group_coordinator_changed(struct kw_consumer *consumer);

/* group_notice.c, for group.c */
typedef bool kwi_group_filter_fn(const struct kw_group *group, const struct kw_consumer_part *part);
struct kw_group_size {
    uint32_t n;
    size_t names; /* bytes */
};
/* What a notice of the parts that pass takes. */
struct kw_group_size kwi_group_measure(const struct kw_group *group, kwi_group_filter_fn *filter);
/* NULL: no memory. */
struct kw_group_notice *kwi_group_notice(struct kw_group *group, struct kw_group_size need);
void kwi_group_notice_free(struct kw_group *group, struct kw_group_notice *notice);
/* Lists the parts that pass. There is room for them. */
void kwi_group_notice_fill(struct kw_group *group, struct kw_group_notice *notice,
                           enum kw_event_kind kind, kwi_group_filter_fn *filter);
void kwi_group_notice_raise(struct kw_group *group, struct kw_group_notice *notice);
/* Its commit is not under way already, of a revoke that was acknowledged. */
bool kwi_group_commits_not(const struct kw_consumer_part *part, void *ctx);
/* Whether the application knows that it has the part: the event that gave it was taken. */
bool kwi_group_is_told(const struct kw_consumer_part *part);
/* Whether the event of the revoke that is open was taken; true without one. */
bool kwi_group_revoke_is_told(const struct kw_group *group);
/* Takes that event back. */
void kwi_group_drop_revoke(struct kw_group *group);

/* group.c, for protocols */
/* What is assigned now, whole. Parts that are new come with the event ASSIGNED (which
 * is raised also if there is none); returns 1 if others are to be given up first: a
 * revoke of them is open. 0: nothing to give up. KW_ERR_NOMEM: nothing was changed. */
KW_MUST_USE int kwi_group_assign(struct kw_group *group, const struct kw_group_target *list,
                                 uint32_t n);
/* Opens a revoke of all parts that pass (NULL: all). 1: it is open, given_up follows;
 * 0: there is no such part; KW_ERR_NOMEM. */
KW_MUST_USE int kwi_group_revoke(struct kw_group *group, kwi_group_filter_fn *filter);
/* Membership is void: all parts are gone at once, nothing is committed. `why` is what
 * the event LOST says. */
void kwi_group_lose(struct kw_group *group, const struct kw_error *why);
/* An event ERROR; the group goes on or not, as the protocol has it. */
void kwi_group_tell_error(struct kw_group *group, const struct kw_error *why);
/* Something was put off for want of memory, once more since *n_in_row was 0: when that is in
 * vain for some time, the application is told, once and not in place of an error that it has
 * not taken yet. */
void kwi_group_lacks_memory(struct kw_group *group, uint32_t *n_in_row, const char *what);
/* A heartbeat that was sent at sent_us was confirmed. */
void kwi_group_confirmed(struct kw_group *group, uint64_t sent_us, int64_t session_ms);
/* No lease: nobody else can have our parts. */
void kwi_group_no_lease(struct kw_group *group);
/* A timer of the protocol fired late_us after it was due. */
void kwi_group_was_late(struct kw_group *group, uint64_t late_us);
/* It does not leave the group when it closes or unsubscribes: the group expects it back,
 * until its session is over (KIP-345, KIP-1092). */
bool kwi_group_stays(const struct kw_group *group);
bool kwi_group_subscribes(const struct kw_group *group, struct kw_str topic);
/* How many parts are assigned and not being given up. */
uint32_t kwi_group_n_parts(const struct kw_group *group);
/* subscription.c: the consumer protocol is not to be had: the classic one takes over. On failure
 * (KW_ERR_NOMEM, KW_ERR_CONFIG with err) everything is as it was; on success the state
 * of the protocol that called is gone. */
KW_MUST_USE int kwi_group_use_classic(struct kw_group *group, struct kw_error *err);
/* A LOST or ERROR text about the group: "group g: WHAT". */
void kwi_group_error(const struct kw_group *group, struct kw_error *err, int code,
                     int16_t kafka_code, const char *what, const char *hint);

/* Assignors that were still at work when the core dies; the driver runs none. */
void kwi_group_work_deinit(struct kw_core *core);

/* group_classic.c. KW_ERR_NOMEM, or err says what is wrong. */
KW_MUST_USE int kwi_classic_create(struct kw_group *group, struct kw_error *err);

/* group_consumer.c. KW_ERR_NOMEM. may_fall_back: see kwi_group_use_classic. */
KW_MUST_USE int kwi_modern_create(struct kw_group *group, bool may_fall_back, struct kw_error *err);

/* A cell of its state table, as kwi_conn_cell. */
enum { KWI_MODERN_STATES = 11, KWI_MODERN_EVENTS = 14 };
bool kwi_modern_cell(unsigned state, unsigned event, unsigned *next);

/* A cell of its state table, as kwi_conn_cell. */
enum { KWI_CLASSIC_STATES = 12, KWI_CLASSIC_EVENTS = 14 };
bool kwi_classic_cell(unsigned state, unsigned event, unsigned *next);

#endif
