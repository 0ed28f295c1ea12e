/* tests/sim/pair.h -- one core and a broker model, joined without a network:
 * what one offers the other has at once. Time moves only when asked. For tests
 * that must decide each step themselves; the simulator proper is sim.h. */
#ifndef SIM_PAIR_H
#define SIM_PAIR_H
#include "mock/mock.h"
#include "tests/sim/memory.h"
#include "tests/sim/pair_answers.h"
#include <kwire/core.h>
#include <kwire/kwire.h>

enum { SIM_PAIR_CONNS = 4096, SIM_PAIR_HELD = 256, SIM_PAIR_ANSWER = 1 << 16 };
/* What a test's route may say instead of a broker. */
enum { SIM_PAIR_REFUSE = 1000, SIM_PAIR_SILENT, SIM_PAIR_NO_DESCRIPTOR };

/* A piece of the core's memory that we hold, and what it said at hand-out. */
struct sim_pair_piece {
    const uint8_t *ptr;
    uint8_t *copy;
    size_t len;
};
struct sim_pair_conn {
    uint32_t id;
    bool opening, up, closed, owns_write, read_on, close_wanted;
    uint32_t broker; /* SIM_PAIR_REFUSE, SIM_PAIR_SILENT: none */
    struct kw_addr addr;
    char name[64];      /* as OPEN had it */
    uint64_t opened_us; /* when OPEN came */
    struct kw_mock_conn *server;
    uint8_t *said; /* an answer that is gathered for on_frame, or changed by it */
    size_t said_len, said_cap, said_ready;
    struct sim_pair_piece pieces[SIM_PAIR_HELD]; /* not confirmed, oldest first */
    size_t n_pieces, held;
    struct kw_span span;       /* lent read buffer */
    struct sim_pair_talk talk; /* used while somebody changes answers */
};

struct sim_pair {
    struct sim_memory memory, mock_memory;
    struct kw_core *core;
    struct kw_mock *mock;
    const uint32_t *attention;
    struct kw_time now;
    struct sim_pair_conn *conns[SIM_PAIR_CONNS];
    uint32_t n_conns;
    /* habits; may change at any time */
    bool hold_writes;  /* what was taken is passed on but not confirmed */
    bool hold_answers; /* what the brokers say waits */
    bool hold_opens;   /* connections are not up yet */
    bool hold_closes;  /* CLOSE is not carried out */
    bool hold_work;    /* work is not run; one item at most */
    bool no_events;    /* events are left where they are */
    bool refuse;       /* nobody accepts connections */
    size_t take_max;   /* bytes taken from now on, and ... */
    size_t read_max;   /* ... bytes read, from now on; they count down */
    struct kw_work *held_work;
    /* of the core; set before it is made */
    const struct kw_sasl_hook *sasl;
    struct kw_log_sink log;
    void (*watch)(void *ctx, const struct kw_conn_step *step);
    void *watch_ctx;
    /* seen so far */
    uint64_t hash; /* of all bytes offered */
    uint64_t n_read_off, bytes_out, n_steps;
    uint64_t *counter;    /* may be NULL: counts up inside calls of the core ... */
    uint64_t count_max;   /* ... and this is the most that one call did */
    uint64_t batches_max; /* the most batches that one step sealed */
    bool broken;          /* a lent byte changed, a want came for a closed connection */
    const char *why;
    void (*on_event)(void *ctx, const struct kw_event *event);
    void (*on_request)(void *ctx, const uint8_t *frame, size_t len); /* whole, without size */
    /* Set before the first connection: may change an answer's correlation id, and its
     * body by writing one to out; returns its length, 0: it stays as it is. */
    size_t (*on_answer)(void *ctx, struct sim_pair_answer *answer, uint8_t *out, size_t cap);
    /* The addresses of a name, at most cap; 0: it does not exist; SIZE_MAX: no answer ever
     * comes. NULL: 127.0.0.1. */
    size_t (*resolve)(void *ctx, const char *name, uint16_t port, struct kw_addr *addrs,
                      size_t cap);
    /* The name of an address, or NULL; sim_pair_never: no answer ever comes. */
    const char *(*name)(void *ctx, const struct kw_addr *addr);
    /* Who lives at an address: a broker's index, or SIM_PAIR_*. NULL: by its port. */
    uint32_t (*route)(void *ctx, const struct kw_addr *addr);
    /* The same for a whole frame, size and header included, of at most SIM_PAIR_ANSWER
     * bytes; returns its new length. */
    size_t (*on_frame)(void *ctx, struct sim_pair_conn *conn, uint8_t *frame, size_t len);
    void *ctx;
    uint8_t *frame; /* being gathered for on_request */
    size_t frame_len, frame_cap;
    uint32_t frame_conn;
};

extern const char sim_pair_never[];

/* A cluster with one topic "t" of n partitions; no core yet. */
int sim_pair_init(struct sim_pair *pair, enum sim_memory_kind kind, uint32_t n_brokers,
                  int32_t n_partitions);
/* The same cluster of another kind: host, ports, versions; alloc and seed are set here. */
int sim_pair_init_of(struct sim_pair *pair, enum sim_memory_kind kind,
                     const struct kw_mock_config *config, int32_t n_partitions);
/* settings: "key=value" strings, NULL at the end; crc32c may be NULL. Returns
 * the error of the first call that failed. bootstrap.servers is 127.0.0.1:9092
 * unless they say otherwise. */
int sim_pair_core(struct sim_pair *pair, const char *const *settings,
                  uint32_t (*crc32c)(uint32_t, const void *, size_t));
void sim_pair_deinit(struct sim_pair *pair);
/* Frees the connections, after the core is gone and before the brokers are. */
void sim_pair_forget_conns(struct sim_pair *pair);
/* A configuration of these settings, from the pair's allocator. */
int sim_pair_config(struct sim_pair *pair, struct kw_config **cfg, const char *const *settings);

/* Everything that can happen now, a bounded number of times; true if something did. */
bool sim_pair_turn(struct sim_pair *pair);
/* Turns until nothing moves. */
void sim_pair_settle(struct sim_pair *pair);
/* Tells the core the time and settles. */
void sim_pair_step(struct sim_pair *pair, uint64_t forward_us);
/* Runs, moving time to the next deadline, until *done is not 0 or for_ms passed;
 * true if done. */
bool sim_pair_run(struct sim_pair *pair, const bool *done, uint64_t for_ms);
/* Runs until so much time has passed, whatever happens. */
void sim_pair_pass(struct sim_pair *pair, uint64_t ms);
/* Confirms all that is held, in uneven pieces; compares first. */
void sim_pair_confirm(struct sim_pair *pair);
/* Compares what is held with what was handed out. */
void sim_pair_verify(struct sim_pair *pair);
/* After a call of the core: sees how much work it did. */
void sim_pair_called(struct sim_pair *pair);
/* The connection breaks. */
void sim_pair_break(struct sim_pair *pair, struct sim_pair_conn *conn);

#endif
