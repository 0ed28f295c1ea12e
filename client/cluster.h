/* client/cluster.h -- what is known of the cluster: brokers, topics of
 * interest, leaders; and the refresh of it, by events and by age.
 *
 * Only topics that somebody opened or assigned are kept and asked for. A leader
 * is taken over only if its epoch is not older than the known one (P24). */
#ifndef KWI_CLUSTER_H
#define KWI_CLUSTER_H
#include "base/list.h"
#include "base/map.h"
#include "base/timer.h"
#include "client/racks.h"
#include "proto/schema.h"
#include "proto/wire.h"
#include <kwire/client_types.h>

struct kw_broker;
struct kw_canonical;
struct kw_core;
struct kw_link;
struct kw_request;

/* So long brokers may say in a row that a topic is missing: one that has just started, or
 * that lags behind, does not know all. */
enum { KWI_TOPIC_MISSING_US = 3000000 };

struct kw_partition_meta {
    int32_t leader; /* node id, -1 none */
    int32_t leader_epoch;
    int16_t error;
    bool doubted; /* that leader says that it is none */
};
struct kw_topic_meta {
    struct kw_core *core;
    char *name; /* heap, NUL-terminated */
    size_t name_len;
    uint8_t topic_id[16]; /* zero: not known */
    uint8_t old_id[16];   /* of the topic that had the name before; zero: none */
    uint32_t n_old;       /* answers in a row that told of that one, while this leads nowhere */
    int16_t error;        /* of the last answer, 0 none */
    uint32_t refs;
    uint64_t asked_us;     /* when it was first asked for without success, 0 not */
    uint64_t missing_us;   /* since when all answers say that there is no such topic, 0 not */
    uint64_t answer;       /* number of the last answer that named it */
    uint32_t n_partitions; /* 0: not known; of a topic made anew with fewer: of the one before */
    uint32_t n_named;      /* how many of them the topic has now */
    struct kw_partition_meta *partitions;
    struct kw_list watchers;     /* kw_topic_watch */
    struct kw_topic_racks racks; /* while somebody wants them */
};
/* Who wants to know: called after each answer that names the topic. */
struct kw_topic_watch {
    struct kw_node node;
    void (*changed)(struct kw_topic_watch *watch, struct kw_topic_meta *meta);
};

struct kw_cluster {
    struct kw_core *core;
    struct kw_map brokers;    /* node id -> kw_broker, learned */
    struct kw_broker **seeds; /* bootstrap.servers */
    uint32_t n_seeds, n_seeds_max, next_seed;
    struct kw_canonical *canonical; /* canonical.c: what the seeds are found from */
    uint32_t n_canonical;           /* 0: seeds are bootstrap.servers as they are */
    bool bootstrapping;             /* only the seeds are asked, until one answered */
    struct kw_timer recovery;       /* armed while metadata is asked for in vain */
    uint16_t cluster_id_len;        /* 0: not known */
    char cluster_id[64];            /* its beginning */
    bool is_id_sure;                /* one of its brokers said so too, not only a seed */
    struct kw_map topics;           /* name -> kw_topic_meta */
    struct kw_racks racks;          /* of replicas, while a group wants them */
    struct kw_timer timer;          /* next refresh: by age, or after a backoff */
    struct kw_timer connect;        /* not one link could be made: try again */
    bool in_flight;                 /* a Metadata request is under way or waits */
    uint8_t again;                  /* asked meanwhile: 1 a refresh, 2 a new topic */
    uint32_t streak;                /* refreshes in a row that left something open */
    uint64_t last_us;               /* when the last one ended */
    uint64_t n_answers;             /* metadata answers taken over so far */
    int32_t controller_id;          /* -1 unknown */
    int64_t features_epoch;         /* of the finalized features; -1: none is known */
    int16_t transaction_version;    /* one of them; 0: brokers do not know it */
    struct kw_list waiting;         /* requests of kwi_cluster_submit without a link */
};

int kwi_cluster_init(struct kw_core *core, struct kw_error *err);
/* Ends the requests that wait for a broker; their owners are still there. */
void kwi_cluster_stop(struct kw_core *core);
void kwi_cluster_deinit(struct kw_core *core);
/* Finds or makes the entry, counts a reference, asks for it if it is new. */
struct kw_topic_meta *kwi_topic_meta_get(struct kw_core *core, const char *name, size_t len);
void kwi_topic_meta_put(struct kw_topic_meta *meta);
/* Asks for a refresh of all topics of interest: at once, or behind the backoff
 * when the last one was a moment ago. Coalesced. */
void kwi_cluster_refresh(struct kw_core *core);
/* Before an answer's brokers are taken over, and after: those that it did not name
 * are asked no more, and forgotten once they have no links. */
void kwi_cluster_mark_absent(struct kw_core *core);
void kwi_cluster_sweep(struct kw_core *core);
/* The learned broker, or NULL. */
struct kw_broker *kwi_cluster_broker(struct kw_core *core, int32_t node_id);
/* Adds or moves a broker that an answer named. 0 or KW_ERR_NOMEM. */
int kwi_cluster_take_broker(struct kw_core *core, int32_t node_id, struct kw_str host,
                            int32_t port);
/* The leader's broker, or NULL when the partition has none that is known. */
struct kw_broker *kwi_topic_meta_leader(struct kw_topic_meta *meta, int32_t partition);
/* The control link of a node if it is known, else NULL. */
struct kw_link *kwi_cluster_control(struct kw_core *core, int32_t node_id);
/* Brokers that a produce or fetch answer names beside new leaders (kw_node_endpoint), so
 * that these can be used. */
void kwi_cluster_take_endpoints(struct kw_core *core, const struct kw_arr *endpoints);
/* A produce or fetch answer named the new leader (KIP-951): taken if newer.
 * Returns true if it was. */
bool kwi_topic_meta_hint(struct kw_topic_meta *meta, int32_t partition, int32_t leader,
                         int32_t leader_epoch);
/* How many partitions the topic has now; 0: none is known, or it is gone for good. */
uint32_t kwi_topic_meta_count(const struct kw_topic_meta *meta);
/* Whether these are two topics. Zero is the id that brokers tell that know of none. */
bool kwi_topic_ids_differ(const uint8_t a[16], const uint8_t b[16]);
/* A broker said that its leader is another, without telling which: what the next
 * answer says is taken, even if its epoch is older. */
void kwi_topic_meta_doubt(struct kw_topic_meta *meta, int32_t partition);

/* ---- reach.c: the way to any broker ---- */

int kwi_reach_init(struct kw_core *core);
void kwi_reach_deinit(struct kw_core *core);
/* Sends a request (made with link NULL) to whichever broker can be reached; it
 * waits while none can. Ends with the error of its connection if that is lost
 * after it was sent. */
void kwi_cluster_submit(struct kw_request *req);
/* Takes a request back that still waits; false: it is on a link already. */
bool kwi_cluster_withdraw(struct kw_request *req);
/* For link.c: a control link is ready; could not be made or was lost. */
void kwi_cluster_link_up(struct kw_link *link);
void kwi_cluster_link_down(struct kw_link *link);
/* There may be somebody to talk to now: who waits for a broker is helped. */
void kwi_reach_retry(struct kw_core *core);
/* Nobody can be talked to, and every candidate failed so that another attempt would
 * fail the same way: a wrong port, protocol or password. False while one of them was
 * not tried, or was right once. */
bool kwi_cluster_is_hopeless(struct kw_core *core);
/* Metadata is asked for; was answered. Between the two runs the time after which
 * the client begins anew. */
void kwi_reach_asked(struct kw_core *core);
void kwi_reach_answered(struct kw_core *core);
/* Forgets the learned brokers and begins with bootstrap.servers again, if
 * metadata.recovery.strategy says so (KIP-899, KIP-1102). */
void kwi_reach_rebootstrap(struct kw_core *core, const char *why);

#endif
