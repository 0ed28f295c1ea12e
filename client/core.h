/* client/core.h -- the core's own state and the small services that every part
 * of client/ uses: time, memory reserves, wants, events, logging. */
#ifndef KWI_CORE_H
#define KWI_CORE_H
#include "base/alloc.h"
#include "base/assert.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/timer.h"
#include "client/cluster.h"
#include "client/event.h"
#include "client/pool.h"
#include "client/unpack.h"
#include <kwire/core.h>

/* What one step may do at most (law 4). */
enum { KWI_STEP_TIMERS = 64, KWI_STEP_SEALS = 4, KWI_STEP_PINS = 64 };

struct close_op;

/* The OAUTHBEARER token that the application brought (sasl_oauth.c). */
struct kw_oauth {
    uint8_t *message; /* with the token, as it is sent; NULL: none */
    size_t len;
    uint64_t expires_us;
    struct kw_timer refresh;
    struct kw_evnode event; /* OAUTH_TOKEN_NEEDED */
    struct kw_list waiting; /* kw_sasl that need one */
};

/* A line that was logged, so that it is not logged again at once. */
enum { KWI_LOG_LINES = 16, KWI_LOG_INTERVAL_US = 10000000 };
struct kw_log_line {
    uint64_t hash, told_us;
    uint32_t n_untold;
};

struct kw_core {
    struct kw_core *self;    /* so that kw_core_of works on every handle alike */
    void *host;              /* here: core.h says so */
    uint32_t attention;      /* KW_ATT_* */
    bool stepped;            /* the driver told the time at least once */
    uint32_t n_session_ends; /* brokers that are being told that a fetch session is over */
    bool closing;            /* nothing connects any more */
    struct close_op *close;  /* kw_core_close is under way */
    void *close_room;        /* what its op will take: one that used its memory up can be closed */
    struct kw_env env;
    struct kw_config *cfg;                   /* our copy */
    struct kw_heap control, produce, fetch;  /* the three reserves */
    struct kw_pool fetch_pool, produce_pool; /* blocks inside the latter two */
    bool fetchers_starve;                    /* one at least waits for memory */
    bool producers_blocked;                  /* one at least is owed WRITABLE */
    struct kw_pool spare_pool;               /* blocks inside control, rare and short-lived */
    struct kw_time now;                      /* of the last step */
    struct kw_timers timers;
    struct kw_rng rng;

    struct kw_list want_conns;   /* conns with wants to take, first come first */
    struct kw_list want_queries; /* kw_query not yet taken */
    struct kw_list want_work;
    uint32_t next_conn_id, next_query_id;
    struct kw_map conns;   /* id -> kw_conn */
    struct kw_map queries; /* id -> kw_query waiting for its answer */

    struct kw_events events;
    struct kw_log_line lines[KWI_LOG_LINES]; /* logged last */
    struct kw_cluster cluster;
    struct kw_list links;
    struct kw_list free_requests; /* recycled, with their buffers */
    uint32_t n_free_requests;
    size_t free_requests_room; /* bytes that those hold besides themselves */
    struct kw_list producers, consumers, ops;
    uint64_t n_tray_changes;
    uint64_t n_ops_ended;
    bool holds_ops;              /* those without a tag raise no event */
    struct kw_list coordinators; /* coordinator.h */
    struct kw_list group_work;   /* assignors at work; group_plan.c */
    bool finding;                /* a FindCoordinator is under way or waits */
    struct kw_unpacker unpack;
    struct kw_oauth oauth;
    struct kw_list scram_work; /* salted passwords in the making */
    struct kw_stats stats;
};

/* Every public handle begins with its core. */
struct kw_handle {
    struct kw_core *core;
};

static inline void kwi_attend(struct kw_core *core, uint32_t bits)
{
    core->attention |= bits;
}

/* Arms a timer; the driver is told when the earliest deadline moved forward. */
void kwi_core_arm(struct kw_core *core, struct kw_timer *timer, uint64_t deadline_us);
void kwi_core_disarm(struct kw_core *core, struct kw_timer *timer);
/* The deadline that lies timeout_ms behind now; -1: UINT64_MAX. */
uint64_t kwi_core_after_ms(const struct kw_core *core, int64_t timeout_ms);
/* min(max, initial * 2^attempts) * U(0.8, 1.2), in us (KIP-580). */
uint64_t kwi_core_backoff_us(struct kw_core *core, int64_t initial_ms, int64_t max_ms,
                             uint32_t attempts);
/* Integer settings: own (may be NULL) before the core's configuration. */
int64_t kwi_core_setting(const struct kw_core *core, const struct kw_config *own, enum kw_key key);

/* Formats one line for the log sink, if the level is wanted. A line that was logged
 * within the last 10 s is counted, and the number stands behind the next one. */
void kwi_log(struct kw_core *core, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
