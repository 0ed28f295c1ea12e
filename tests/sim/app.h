/* tests/sim/app.h -- the application inside the simulation: private to app*.c
 * and to tests that look at what it saw. */
#ifndef SIM_APP_H
#define SIM_APP_H
#include "tests/sim/sim.h"
#include <kwire/kwire.h>

enum { SIM_HELD_MAX = 6, SIM_RECORD_MAX = 40000, SIM_SLIPS_OPEN = 3 };

enum sim_phase {
    SIM_PRODUCING, /* records are made; faults come and go */
    SIM_DRAINING,  /* all were accepted; reports and the reader catch up */
    SIM_CLOSING,
    SIM_FINISHED
};

/* A handle that is released later; its first record's bytes must stay. */
struct sim_held {
    struct kw_records *records;
    struct kw_bytes key, value;
    uint64_t content;
};

/* A receipt as the application knows it. */
struct sim_slip {
    struct kw_receipt *receipt;
    uint32_t last_id, n_failed[3]; /* by outcome */
    uint32_t closed_at_flush;      /* how many flushes were begun before it */
    bool closed, ended;
};

struct sim_app {
    struct sim_world *world;
    struct sim_rng rng;
    enum sim_phase phase;
    /* producing */
    struct kw_producer *producer;
    struct kw_topic *topics[SIM_TOPICS_MAX];
    uint32_t n_accepted, n_reported, n_delivered, n_not_written, n_unknown;
    bool blocked;
    uint64_t blocked_us;
    uint8_t *record_bytes; /* where records are made; reused at once, kwire copies */
    /* flush: everything below flush_mark is reported when it ends */
    struct kw_op *flush;
    uint32_t flush_mark;
    uint64_t flush_end_us;
    uint32_t n_flushes;
    /* receipts */
    struct sim_slip *slips, **slip_of; /* by number; by record id */
    struct kw_bytes *loans;            /* values by reference, by record id */
    struct sim_slip *open_slips[SIM_SLIPS_OPEN];
    uint32_t n_slips;
    /* given back by purge and close */
    uint32_t n_canceled, n_unsent;
    uint8_t *unsent, *canceled; /* per id */
    int64_t unsent_last[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
    /* consuming */
    struct kw_consumer *consumer;
    int64_t bound[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX]; /* a seek by name leads no lower */
    bool paused[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
    uint32_t n_read;
    struct sim_held held[SIM_HELD_MAX];
    uint32_t n_held;
    /* admin: one operation at a time */
    struct kw_op *admin;
    struct kw_admin_result *admin_result;
    uint32_t n_admin, n_admin_ok;
    /* closing */
    uint32_t n_closing, n_closed;
    bool early;
    int32_t close_timeout_ms;
    uint64_t close_end_us;
    /* notification */
    bool event_put[SIM_CORES_MAX];
};

/* app_config.c */
struct kw_config *sim_client_config(struct sim_world *world, struct sim_driver *driver);
struct kw_config *sim_producer_config(struct sim_world *world, struct sim_driver *driver);
struct kw_config *sim_consumer_config(struct sim_world *world, struct sim_driver *driver);

/* app_produce.c */
void sim_app_produce(struct sim_app *app);
void sim_app_flush_or_purge(struct sim_app *app);
void sim_app_report(struct sim_app *app, const struct kw_event *event);
void sim_app_take_unsent(struct sim_app *app);
void sim_app_flushed(struct sim_app *app, int code);

/* The record's value is ours again, and changes. */
void sim_app_give_back(struct sim_app *app, uint32_t id);

/* app_receipt.c */
struct sim_slip *sim_app_slip(struct sim_app *app); /* for the next record; NULL: none */
void sim_app_close_slips(struct sim_app *app, bool all);
void sim_app_slip_report(struct sim_app *app, uint32_t id, const struct kw_event *event);
void sim_app_receipt(struct sim_app *app, const struct kw_event *event);
bool sim_app_slip_due(const struct sim_app *app, uint32_t id);

/* app_consume.c */
void sim_app_assign(struct sim_app *app);
void sim_app_consume(struct sim_app *app);
void sim_app_seek_or_pause(struct sim_app *app);
void sim_app_release_some(struct sim_app *app, bool all);
bool sim_app_all_read(const struct sim_app *app);
/* Tells the checker where the logs end now. */
void sim_app_mark_ends(struct sim_app *app);
/* A seek to the end, the tail or a time: where did it lead? */
void sim_app_settle_positions(struct sim_app *app);
uint32_t sim_topic_idx(const char *name);

#endif
