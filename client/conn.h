/* client/conn.h -- one connection: bytes out, bytes in, and its states.
 *
 *   OPENING --opened--> VERSIONS --answer--> READY         without SASL
 *                       VERSIONS --answer--> SASL --proved--> READY
 *                       READY --session nearly over--> REAUTH --proved--> READY
 *      any of these --our decision--> CLOSING --driver's receipt--> gone
 *      any of these --driver's receipt--> gone
 *
 * A connection belongs to a link until it fails; then it only waits for the
 * driver to report it closed, because lent memory is the driver's until then. */
#ifndef KWI_CONN_H
#define KWI_CONN_H
#include "client/link.h"

enum { KWI_STAGE = 4096, KWI_API_KEYS = 96 };

struct kw_sasl;

struct kw_conn {
    struct kw_core *core;
    struct kw_link *link; /* NULL once it failed */
    uint32_t id;
    uint8_t state;
    uint32_t wants;           /* bit per enum kw_want_kind */
    struct kw_node want_node; /* in core->want_conns while wants != 0 */
    struct kw_timer timer;    /* set-up deadline, then the oldest request's */
    struct kw_timer stall;    /* memory for an answer was short: try again */
    struct kw_node race_node; /* in link->opening */
    uint32_t addr_idx;        /* in link->addrs */
    struct kw_addr addr;
    char peer[64];    /* "host:port", for people */
    uint64_t step_us; /* when the present step of the set-up began (watch.h) */
    uint64_t near_us; /* the shortest step of it, so at least one round trip */

    struct kw_sasl *sasl;  /* while we authenticate, else NULL (sasl.h) */
    int64_t session_ms;    /* what the broker said last; 0: for ever */
    struct kw_timer again; /* READY: authenticate again; REAUTH: too late for it */
    bool was_held;         /* REAUTH: its time was over once, and SASL had not begun */
    struct kw_timer mute;  /* armed: the broker wants to be left alone for a while */

    /* out: positions in the stream of bytes since the connection began */
    struct kw_list requests; /* encoded; in stream order */
    uint64_t built, offered, confirmed;
    uint32_t n_requests, n_unanswered;
    int32_t next_correlation;
    bool write_idle; /* the last write_vec returned 0 */

    /* in */
    bool lent, stalled;
    uint32_t stage_len;
    uint8_t *frame; /* destination of a frame that does not fit the stage */
    size_t frame_size, frame_filled;
    struct kw_block *frame_block; /* of the fetch reserve; else frame is from control */

    /* what the broker offers; max -1: not offered */
    bool versions_asked;
    int16_t api_min[KWI_API_KEYS], api_max[KWI_API_KEYS];
    uint8_t stage[KWI_STAGE];
};

/* Opens a connection of link to its address number addr_idx. NULL: no memory. */
struct kw_conn *kwi_conn_open(struct kw_link *link, uint32_t addr_idx, uint64_t setup_timeout_us);
/* Closes it without a word when its requests are over. */
void kwi_conn_retire(struct kw_conn *conn);
/* We give it up. cause is told to its link and its requests. */
void kwi_conn_fail(struct kw_conn *conn, const struct kw_error *cause);
/* Sends nothing for so long, but for what authenticating again takes. */
void kwi_conn_mute(struct kw_conn *conn, int64_t mute_ms);
/* Raises WRITE_READY if the driver has stopped writing. */
void kwi_conn_wake(struct kw_conn *conn);
bool kwi_conn_is_ready(const struct kw_conn *conn);
/* Where an error of the connection happened, by its state. */
enum kw_phase kwi_conn_phase(const struct kw_conn *conn);
/* Fills the next want. false: none (the connection may then be gone). */
bool kwi_conn_next_want(struct kw_conn *conn, struct kw_want *want);
/* A cell of the state table, for the test that enumerates it and the diagram in
 * docs/ARCHITECTURE.md: false if it is illegal. States: OPENING VERSIONS SASL READY
 * REAUTH CLOSING; events: OPENED ANSWERED CHALLENGED PROVED DUE FAILED. */
enum { KWI_CONN_STATES = 6, KWI_CONN_EVENTS = 6 };
bool kwi_conn_cell(unsigned state, unsigned event, unsigned *next);
/* Frees it without the driver's receipt: only when the core dies. */
void kwi_conn_destroy(struct kw_conn *conn);

#endif
