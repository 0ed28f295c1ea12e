/* tests/sim/sim.h -- the simulated world: cores, brokers, a network between
 * them, a virtual clock, an application. One thread, one seed, no real time.
 *
 *     app.c      what an application does with the core's application calls
 *     driver.c   what a driver does with the core's driver calls
 *     link.c     the same for the bytes of one connection
 *     wire.c     bytes on the way: delays, cuts, half-open connections
 *     server.c   the broker model and its faults
 *     watch.c    which faults there really were
 *     world.c    the loop over the event heap, the phases, the verdict */
#ifndef SIM_SIM_H
#define SIM_SIM_H
#include "mock/mock.h"
#include "tests/sim/checker.h"
#include "tests/sim/memory.h"
#include "tests/sim/plan.h"
#include "tests/sim/queue.h"
#include "tests/sim/rng.h"
#include "tests/sim/trace.h"
#include "tests/sim/watch.h"
#include <kwire/core.h>

#define SIM_USER "simon"
#define SIM_PASSWORD "says, = "
enum { SIM_PORT = 9092, SIM_BROKERS_MAX = 3, SIM_CORES_MAX = 2 };
/* Instead of a broker: at this address nobody answers, not even to refuse. */
enum { SIM_NOBODY = 99 };

struct sim_world;
struct sim_driver;
struct sim_link;
struct sim_query;

/* Bytes in one direction of one connection, first those that arrived. */
struct sim_pipe {
    uint8_t *bytes;
    size_t head, n, cap; /* bytes[head .. head + n) are on the way or arrived */
    size_t arrived;
    uint64_t last_us; /* when the last byte arrives; order is kept */
    bool dead;        /* what is on the way vanishes, and what comes, too */
    bool ended;       /* the sender closed; told behind the last byte */
    /* the frame being pushed, for cuts at a chosen byte */
    uint8_t head_bytes[4];
    uint32_t n_head;
    uint64_t frame_left, cut_in; /* UINT64_MAX: no cut in this frame */
};

/* A piece of core memory that the driver holds. */
struct sim_lent {
    const uint8_t *ptr;
    size_t len;
};

enum sim_link_state { SIM_LINK_CONNECTING, SIM_LINK_UP, SIM_LINK_CLOSED };

/* One OPEN and all that follows from it. Kept until the end of the run. */
struct sim_link {
    struct sim_driver *driver;
    uint32_t id; /* the core's connection id */
    uint32_t broker;
    enum sim_link_state state;
    bool close_wanted, cut;
    /* writing */
    bool owns_write, write_put;
    struct sim_lent *lent; /* [lent_first, n_lent) */
    size_t lent_first, n_lent, lent_cap;
    uint8_t *shadow; /* copy of what was handed out, made at hand-out */
    size_t shadow_first, shadow_cap;
    size_t held, sent;                /* bytes lent; how many of them are on the wire */
    uint64_t transmit_us, confirm_us; /* of the last plan; they do not overtake */
    /* reading */
    bool read_on;
    struct kw_span span; /* lent; len 0: none */
    uint8_t span_fill;   /* what we filled it with */
    /* network and broker */
    struct sim_pipe up, down;
    struct kw_mock_conn *server;
    struct sim_watch watch;
    uint64_t up_us;   /* when it came up */
    uint64_t gone_us; /* when the client learnt that it is closed */
};

struct sim_driver {
    struct sim_world *world;
    uint32_t idx;
    struct kw_core *core;
    struct sim_memory memory;
    const uint32_t *attention;
    struct sim_link **links;
    size_t n_links, links_cap;
    uint32_t n_open; /* links not yet reported closed */
    struct sim_query *queries;
    uint64_t stepped_us, wake_us;
    bool stepped;
    uint64_t spins, spin_words; /* steps without anything to show for it */
    struct sim_rng rng;
};

struct sim_app;

struct sim_world {
    struct sim_plan plan;
    uint64_t now_us;
    int64_t wall_ms; /* of now 0 */
    struct sim_queue queue;
    struct sim_trace trace;
    struct sim_rng net_rng, fault_rng;
    struct kw_mock *mock;
    struct sim_memory mock_memory;
    uint64_t server_wake_us;
    uint64_t stalled_us[SIM_BROKERS_MAX]; /* until then the broker takes and says nothing */
    uint32_t fault_ids[64], n_fault_ids;
    bool healed;
    uint64_t healed_us;
    size_t memory_limit; /* of a core */
    struct sim_driver drivers[SIM_CORES_MAX];
    uint32_t n_drivers;
    struct sim_app *app;
    struct sim_checker checker;
    char failure[240]; /* the first one; "" if none */
    uint64_t n_events, n_frames, n_connects, n_seen[SIM_N_KINDS];
};

void sim_fail(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct kw_time sim_time(const struct sim_world *world);

/* ---- driver.c ---------------------------------------------------------------- */

/* world, idx, memory and rng are set by the caller; the core becomes the
 * driver's, which destroys it. */
void sim_driver_attach(struct sim_driver *driver, struct kw_core *core);
void sim_driver_deinit(struct sim_driver *driver);
/* Are these bytes part of what it holds of its core? */
bool sim_driver_holds(const struct sim_driver *driver, const void *bytes, size_t len);
/* Around everything that touches the core: tells the time first, then takes
 * wants and arranges the next wake-up. */
void sim_driver_enter(struct sim_driver *driver);
void sim_driver_leave(struct sim_driver *driver);
/* Between two calls of one turn: a lazy driver looks at the wants later. */
void sim_driver_between(struct sim_driver *driver);
/* From wire.c: the connection is up, or gone. */
void sim_link_connected(struct sim_link *link);
void sim_link_gone(struct sim_link *link, uint8_t phase, int32_t os_err);

/* ---- link.c ------------------------------------------------------------------ */

/* What is lent must still read as it did: the first n bytes that we took, and
 * the ends of the read buffer. */
void sim_link_verify(struct sim_link *link, size_t n);
void sim_span_verify(struct sim_link *link);
/* An event of the queue: goes on reading. */
void sim_link_read_again(void *target, uint64_t arg);
/* From wire.c: bytes arrived; room came free; the broker's machine has n bytes. */
void sim_link_readable(struct sim_link *link);
void sim_link_writable(struct sim_link *link);
void sim_link_taken(struct sim_link *link, size_t n);

/* ---- wire.c -------------------------------------------------------------------- */

void sim_wire_connect(struct sim_link *link);
/* Room for bytes that were not pushed yet. */
size_t sim_wire_room(const struct sim_link *link);
void sim_wire_push_up(struct sim_link *link, const uint8_t *bytes, size_t n);
void sim_wire_push_down(struct sim_link *link, const uint8_t *bytes, size_t n);
void sim_wire_take(struct sim_pipe *pipe, size_t n);
/* The client closed; the server closed. */
void sim_wire_client_closed(struct sim_link *link);
void sim_wire_server_closed(struct sim_link *link);
void sim_wire_cut(struct sim_link *link);
/* What arrived at the server goes to it, if it reads. */
void sim_wire_feed(struct sim_link *link);
void sim_wire_deinit(struct sim_link *link);
size_t sim_chunk(enum sim_chunk policy, struct sim_rng *rng);

/* ---- server.c -------------------------------------------------------------------- */

int sim_server_init(struct sim_world *world);
void sim_server_deinit(struct sim_world *world);
void sim_server_enter(struct sim_world *world);
void sim_server_leave(struct sim_world *world);
/* Moves what the broker wants to send to the wire, as far as there is room. */
void sim_server_pump(struct sim_link *link);
bool sim_server_stalled(const struct sim_link *link);
/* Ends all faults of the brokers. */
void sim_server_heal(struct sim_world *world);
/* The logs, for the checker. */
void sim_server_tell_logs(struct sim_world *world);

/* ---- app.c ------------------------------------------------------------------------ */

extern const char *const sim_topics[SIM_TOPICS_MAX];
int sim_app_init(struct sim_world *world);
void sim_app_deinit(struct sim_world *world);
/* Events are waiting in this core. */
void sim_app_notify(struct sim_driver *driver);
bool sim_app_done(const struct sim_world *world);
/* It closed before everything was read. */
bool sim_app_left_early(const struct sim_world *world);
/* What it still waits for, for people. */
void sim_app_print(const struct sim_world *world, char *text, size_t cap);

/* ---- world.c ---------------------------------------------------------------------- */

enum sim_verbosity { SIM_QUIET, SIM_KEEP, SIM_PRINT };
struct sim_result {
    uint64_t hash, n_words, n_events, virtual_us, recovery_us, n_records, n_connects;
    uint64_t n_seen[SIM_N_KINDS];
    size_t memory_peak;
    bool ok;
    char failure[240];
};
/* Runs one seed. */
void sim_run(uint64_t seed, enum sim_memory_kind kind, enum sim_verbosity verbosity,
             struct sim_result *result);
/* Runs a seed under both allocators and compares; on failure runs it again with
 * a transcript and prints its tail. True if all is well. */
bool sim_check_seed(uint64_t seed, struct sim_result *result);

#endif
