/* client/link.h -- brokers, links, connections and requests.
 *
 * broker   a node: id, address, what the resolver said, reconnect backoff.
 * link     (broker, lane, owner): lives long, has at most one live connection,
 *          a queue of requests to send and a `pull` function that builds the
 *          next request late, when the driver asks for bytes.
 * conn     one TCP connection: stream positions, the in-flight FIFO, the read
 *          stage. Its id is never used again. It outlives its link's interest
 *          until the driver reports it closed (law 2).
 * request  encoded bytes plus borrowed segments; belongs to one conn once it is
 *          encoded; freed at the later of answered and no longer lent (law 3).
 */
#ifndef KWI_LINK_H
#define KWI_LINK_H
#include "client/core.h"
#include "client/pool.h"
#include "client/query.h"
#include "proto/api.h"
#include "proto/schema.h"
#include "proto/wire.h"

enum kw_lane { KWI_LANE_CONTROL, KWI_LANE_PRODUCE, KWI_LANE_FETCH, KWI_LANE_GROUP };

struct kw_conn;
struct kw_link;
struct kw_request;

struct kw_broker {
    struct kw_core *core;
    int32_t node_id;   /* < -1: bootstrap entry -2 - index */
    char *host;        /* heap, NUL-terminated */
    char *server_name; /* what a certificate is for: host without a trailing dot, or what
                          bootstrap.servers says if host was found from that */
    size_t host_size, server_size;
    uint16_t port;
    bool absent;                /* the last metadata did not name it: nobody to ask */
    struct kw_addr failed_addr; /* of the connection lost last: it comes last next time */
    int32_t rack;               /* racks.h; -1: none, or nobody wants to know */
    struct kw_list links;
};

/* What a request learns at its end. Exactly one `done` per request. */
struct kw_answer {
    int err;             /* 0: body is valid; else enum kw_err */
    bool offered;        /* err != 0: a byte of it was handed to the driver */
    const uint8_t *body; /* behind the response header */
    size_t len;
    struct kw_block *block;       /* the frame's block if it has one; keep it with
                                      kwi_block_hold; NULL: body dies with the call */
    const struct kw_error *cause; /* err != 0 */
};

/* What kind of request: one static table entry each. */
struct kw_request_type {
    int16_t api_key;
    bool fetch;     /* its answer goes into the fetch reserve, see room */
    bool secret;    /* its bytes are wiped when they are let go */
    bool no_answer; /* acks=0: done(err 0, body NULL) when written */
    /* fetch: this is the block for the answer, or with NULL there is no room now, and the
     * answer waits in the socket. May be NULL. */
    void (*room)(struct kw_request *req, struct kw_block *block);
    /* The version to use with a broker that offers these, or KW_ERR_UNSUPPORTED.
     * NULL: the highest that the client uses. */
    int (*choose)(const struct kw_request *req, int broker_min, int broker_max);
    /* Writes the body for req->version. `records` fields become segments.
     * Returns 0 or enum kw_err (then done is called with it). */
    int (*encode)(struct kw_request *req, struct kw_wr *wr);
    void (*done)(struct kw_request *req, const struct kw_answer *answer);
    /* The driver holds none of its bytes any more and done was called: let go
     * of segments and of req->owner's hold. May be NULL. */
    void (*release)(struct kw_request *req);
};

enum { KWI_REQUEST_CUTS = 64 };

struct kw_request {
    struct kw_node node; /* in link->queue, then in conn->requests */
    const struct kw_request_type *type;
    struct kw_core *core;
    struct kw_link *link; /* may be gone once done was called */
    struct kw_conn *conn; /* NULL while queued */
    void *owner;          /* of the type's functions */
    uint64_t arg;         /* of the type's functions */
    int16_t version;      /* chosen when it is encoded */
    bool answered;        /* done was called */
    bool stalled;         /* its answer waits for memory of the fetch reserve */
    int32_t correlation_id;
    uint32_t timeout_ms;  /* 0: request.timeout.ms of the client */
    uint64_t deadline_us; /* 0: its time has not begun, others are before it (kwi_conn_arm) */
    uint64_t start, end;  /* positions in the connection's output stream */
    size_t reserved;      /* bytes taken from the fetch reserve for the answer */
    size_t refused_size;  /* of an answer that no reserve could ever hold, 0 none */
    uint8_t *buf;         /* encoded bytes, frame size first; kept when recycled */
    size_t buf_len, buf_cap;
    struct kw_iov *segs; /* what write_vec lists */
    uint32_t n_segs, segs_cap;
};

enum {
    KWI_LINK_ADDRS = 16, /* further addresses of a name are not tried */
    KWI_LINK_RACERS = 4  /* attempts at a time */
};

struct kw_link {
    struct kw_core *core;
    struct kw_broker *broker;
    struct kw_node node, broker_node; /* core->links, broker->links */
    uint8_t lane, state;              /* enum kw_lane; enum link_state in link.c */
    void *owner;                      /* producer, consumer; NULL for control */
    struct kw_conn *conn;             /* the one that is up, or NULL */
    struct kw_list opening;           /* attempts under way: kw_conn.race_node */
    uint32_t n_opening;
    struct kw_list queue;                 /* requests waiting to be encoded */
    struct kw_timer timer;                /* the look-up's end, the next attempt, backoff, idle */
    uint32_t attempts;                    /* failed connects since one that lasted */
    int8_t versions_try;                  /* ApiVersions version to begin with */
    uint64_t query_us;                    /* when the look-up began */
    struct kw_query query;                /* RESOLVE of the broker's name */
    struct kw_addr addrs[KWI_LINK_ADDRS]; /* in the order of the attempts */
    uint32_t n_addrs;
    uint32_t started, failed; /* bit per address: under way or tried, in this round */
    bool retired;             /* nothing more is sent on its connection */
    bool needed;              /* kicked since pull last had nothing */
    uint8_t n_cut;            /* times that the first request was answered by an end */
    bool served;              /* a request of ours was once answered: the way is right */
    struct kw_error cause;    /* of the last failed attempt */
    uint32_t max_in_flight;
    uint64_t ready_us, last_used_us;
    struct kw_list ready; /* produce lane: parts with a batch to send */
    uint64_t waits_us;    /* since when none of them was taken, if there are some */
    /* Builds the next request or returns NULL; called only when the connection
     * is ready, the queue is empty and fewer than max_in_flight are under way. */
    struct kw_request *(*pull)(struct kw_link *link);
    /* The connection became ready (up) or was lost. May be NULL. */
    void (*changed)(struct kw_link *link, bool up);
};

/* Finds or makes a link. NULL when memory is short. */
struct kw_link *kwi_link_get(struct kw_broker *broker, enum kw_lane lane, void *owner);
/* The link if there is one, else NULL. */
struct kw_link *kwi_link_find(const struct kw_broker *broker, enum kw_lane lane, const void *owner);
/* Something is to be sent: connects if there is no connection, or raises
 * WRITE_READY if it is ready. Cheap to call again. */
void kwi_link_kick(struct kw_link *link);
/* Requests can be sent on it now. */
bool kwi_link_ready(const struct kw_link *link);
/* Closes and frees; queued requests end with `err`. */
void kwi_link_destroy(struct kw_link *link, int err);
/* Destroys the links of an owner that goes. */
void kwi_links_drop(struct kw_core *core, enum kw_lane lane, const void *owner);
/* The version of a request that the connected broker takes. false: there is none. */
bool kwi_link_version(const struct kw_link *link, const struct kw_request *req, int *version);
/* For `choose` of a type: the highest version from least to most that the table's row of
 * client versions and the broker have, too; or KW_ERR_UNSUPPORTED. */
int kwi_link_choose(const struct kw_request *req, int broker_min, int broker_max, int least,
                    int most);

bool kwi_link_connecting(const struct kw_link *link);
bool kwi_link_backing_off(const struct kw_link *link);

/* A request of `type`, from the recycling list if possible; NULL: no memory.
 * link may be NULL for kwi_cluster_submit. */
struct kw_request *kwi_request_create(struct kw_core *core, struct kw_link *link,
                                      const struct kw_request_type *type, void *owner);
/* Queues it on its link and kicks the link. If the connection attempt fails, the
 * queued requests end with its error (offered false). */
void kwi_request_submit(struct kw_request *req);
/* How long it may wait for its answer once the broker can have begun with it. */
int64_t kwi_request_timeout_ms(const struct kw_request *req);
/* A request that was never encoded, or one being built in pull that failed. */
void kwi_request_destroy(struct kw_request *req);
/* What was promised to its answer goes back to the fetch reserve. */
void kwi_request_unreserve(struct kw_request *req);
/* Ends it with an error: calls done, then release and destroy. For requests
 * that are on no connection. */
void kwi_request_end(struct kw_request *req, int err, const struct kw_error *cause);
/* Chooses the version, writes header and body, lays out the segments, and puts
 * it on the connection. On failure nothing is changed. */
int kwi_request_encode(struct kw_request *req, struct kw_conn *conn);
void kwi_requests_deinit(struct kw_core *core);
/* Called from `done`: the body cannot be read. Closes the connection with an
 * error that names field and offset; returns KW_ERR_PROTOCOL. fault may be NULL:
 * then `what` tells. */
int kwi_request_malformed(struct kw_request *req, const struct kw_fault *fault, const char *what);

/* Brokers. */
struct kw_broker *kwi_broker_create(struct kw_core *core, int32_t node_id, const char *host,
                                    size_t host_len, uint16_t port);
/* The name that its certificate is for, if it is not its own. 0 or KW_ERR_NOMEM. */
KW_MUST_USE int kwi_broker_verify_as(struct kw_broker *broker, const char *name, size_t len);
/* A new address for a known id. Nothing more is sent on the connections that it has;
 * each is closed when its requests are over, and a new one is opened on need. */
int kwi_broker_move(struct kw_broker *broker, const char *host, size_t host_len, uint16_t port);
/* The same for the address that it has: all its connections are given up. */
void kwi_broker_retire(struct kw_broker *broker);
void kwi_broker_destroy(struct kw_broker *broker);

/* A cell of the state table, as kwi_conn_cell. States: IDLE RESOLVING OPENING
 * READY BACKOFF; events: NEED RESOLVED UNRESOLVED UP DOWN_MORE DOWN QUIET DUE. */
enum { KWI_LINK_STATES = 5, KWI_LINK_EVENTS = 8 };
bool kwi_link_cell(unsigned state, unsigned event, unsigned *next);

/* For core.c, conn.c and address.c. */
void kwi_links_destroy(struct kw_core *core);
/* An attempt is up: the others are closed. */
void kwi_link_opened(struct kw_link *link, struct kw_conn *conn);
void kwi_link_up(struct kw_link *link);
/* Forgets the connection, which knows of its end itself. */
void kwi_link_leave(struct kw_link *link, struct kw_conn *conn);
/* The connection is lost (it lives on until the driver reports it closed). */
void kwi_link_down(struct kw_link *link, struct kw_conn *conn, bool was_ready,
                   const struct kw_error *cause);
void kwi_link_resolved(struct kw_link *link);
void kwi_link_unresolved(struct kw_link *link, const struct kw_error *cause);
/* Its connection is closed when its requests are over; attempts at once. */
void kwi_link_retire(struct kw_link *link);

#endif
