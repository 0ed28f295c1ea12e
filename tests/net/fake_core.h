/* tests/net/fake_core.h -- a core that does what a test tells it: it hands out
 * planned wants, sends planned bytes, keeps what it was told. It is linked in
 * place of client/, so that the driver is tested alone, and it checks the
 * driver's side of the contract as it goes. */
#ifndef TEST_NET_FAKE_CORE_H
#define TEST_NET_FAKE_CORE_H
#include <kwire/core.h>

enum { FAKE_CONNS = 8, FAKE_WANTS = 128, FAKE_TRAYS = 8 };

/* One connection as the core sees it. Ids count from 1 and are never reused. */
struct fake_conn {
    int n_opened, n_closed, n_connected, n_secured;
    struct kw_tls_info tls;
    struct kw_cause cause; /* of the close; text is copied below */
    char text[256], hint[160];
    bool no_cause; /* closed without one */
    uint8_t *out;  /* what is to be sent */
    size_t out_len, handed_out, written;
    size_t piece; /* bytes per entry of write_vec; 0: all in one */
    bool idle;    /* write_vec returned 0 last */
    uint8_t *in;  /* what came */
    size_t in_len;
    uint8_t *lent; /* an exact-size block while it is lent */
    size_t lent_len, read_size;
    size_t coming;              /* bytes that will come in all: a large span promises its size */
    bool reading_refused;       /* read_buf lends nothing */
    size_t refuse_after;        /* the same once so many bytes came; 0: never */
    int n_reads, n_empty_reads; /* read_done calls, those with 0 bytes */
};

/* A batch that a thread fills. */
struct kw_tray {
    struct kw_core *core; /* NULL: it is free */
    int32_t partition;
    int n;
};

struct kw_core {
    struct kw_core *self; /* a core is its own handle here */
    void *host;
    struct kw_env env;
    uint32_t attention;
    uint64_t deadline_us, now_us;
    int n_steps, n_due; /* steps; those at or after deadline_us, which they clear */
    bool time_went_back;
    struct kw_want wants[FAKE_WANTS];
    size_t n_wants, next_want;
    struct fake_conn conns[FAKE_CONNS];
    uint32_t query; /* of the last answer */
    struct kw_addr addrs[8];
    size_t n_addrs;
    int gai_err, n_resolved;
    char why[128], why_hint[160]; /* of the last look-up that failed */
    int n_named;
    char found[256]; /* the last name of an address, "": none */
    int n_events;    /* events that next_event still gives */
    int op_steps;    /* the op ends after that many more steps */
    int op_code;
    bool op_canceled;
    bool holds_ops;
    uint64_t n_ops_ended;
    int n_works; /* work items done */
    int n_released, n_produced, produce_rc;
    bool produce_writes;
    struct kw_tray trays[FAKE_TRAYS];
    struct kw_tray_rules tray_rules; /* linger_us 0: there are no trays */
    int tray_max, tray_rc;           /* records that fit one; what open says */
    int n_trays, n_trays_closed, n_tray_ticks;
    uint64_t n_tray_changes;
};
struct kw_work {
    size_t left;      /* bytes' worth */
    size_t slice_max; /* the largest budget it was run with */
    int n_slices;
    uint32_t slice_us; /* what a slice takes */
};

struct kw_client;
struct kw_sys;

/* A client over the fake core. sys NULL: the real calls. */
struct kw_client *fake_client(const struct kw_sys *sys);
/* The same with a configuration; NULL, with *err filled, if it is refused. */
struct kw_client *fake_client_of(const struct kw_config *cfg, const struct kw_sys *sys,
                                 struct kw_error *err);
/* Its core. */
struct kw_core *fake_core(struct kw_client *client);

void fake_want(struct kw_core *core, enum kw_want_kind kind, uint32_t id);
/* OPEN to 127.0.0.1:port, and READ_ON behind it. */
void fake_open(struct kw_core *core, uint32_t id, uint16_t port);
/* The same with TLS, for `name`, which must outlive it. */
void fake_open_tls(struct kw_core *core, uint32_t id, uint16_t port, const char *name);
/* Bytes to send on a connection. */
void fake_send(struct kw_core *core, uint32_t id, const void *bytes, size_t len);

/* ---- a broker's side, scripted by the test ---------------------------------- */

/* Listens on 127.0.0.1; returns the descriptor. */
int peer_listen(uint16_t *port);
/* Takes the connection that waits. */
int peer_accept(int listener);
void peer_write(int fd, const void *bytes, size_t len);
/* Reads what is there, at most cap bytes, without waiting; -1: nothing, 0: end. */
long peer_read(int fd, void *buf, size_t cap);
/* Ends with RST. */
void peer_reset(int fd);

/* Polls the client until the condition holds; gives up after 500 turns. */
#define UNTIL(client, condition)                              \
    do {                                                      \
        bool happened = (condition);                          \
        for (int turn = 0; !happened && turn < 500; turn++) { \
            cr_assert_geq(kw_client_poll((client), 20), 0);   \
            happened = (condition);                           \
        }                                                     \
        cr_assert(happened, "did not happen: " #condition);   \
    } while (0)

#endif
