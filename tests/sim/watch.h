/* tests/sim/watch.h -- what a seed really met.
 *
 * A plan says what may happen; here is counted what did, by looking at the bytes
 * on the way, so that a fault which a change of the plans or of the client has
 * made impossible is missed, and not silently taken for survived. */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_kind {
    SIM_SAW_MOVE,         /* a partition's leader became another broker */
    SIM_SAW_RESTART,      /* a broker went down */
    SIM_SAW_STALL,        /* a broker took and said nothing for a while */
    SIM_SAW_CUT,          /* a connection broke */
    SIM_SAW_HALF_OPEN,    /* one broke and the client did not notice */
    SIM_SAW_TIMEOUT,      /* a request was given up after request.timeout.ms */
    SIM_SAW_LOST_ANSWER,  /* a Produce answer was sent and never read */
    SIM_SAW_OLD_REQUEST,  /* a Produce request was carried out long after its client left */
    SIM_SAW_FIVE,         /* five Produce requests under way on one connection */
    SIM_SAW_RETRY,        /* a batch was sent again */
    SIM_SAW_EPOCH,        /* a batch in a log has a later epoch than the first */
    SIM_SAW_EXPIRED,      /* delivery.timeout.ms ended a batch that was never sent */
    SIM_SAW_EXPIRED_SENT, /* ... one that was in flight */
    SIM_SAW_EXPIRED_LENT, /* ... one whose bytes the driver still held */
    SIM_SAW_SESSION,      /* a client authenticated again on its connection */
    SIM_SAW_RACE,         /* two addresses of a broker raced, and one lost */
    SIM_SAW_READDRESS,    /* a broker got another address */
    SIM_N_KINDS
};

enum { SIM_CALLS_MAX = 64, SIM_FRAME_HEAD = 12 };

/* A request that was sent and not answered to the end. */
struct sim_call {
    uint32_t correlation;
    int16_t api;
    bool answered; /* the broker has sent its answer */
    uint64_t sent_us;
};
/* Where in its frame a stream is. */
struct sim_frames {
    uint8_t head[SIM_FRAME_HEAD]; /* size, then what begins the header */
    uint64_t pos, size;           /* in the frame, its length included; size 0: not known */
};
struct sim_watch {
    struct sim_frames sent, said, read;
    struct sim_call calls[SIM_CALLS_MAX];
    uint32_t n_calls, n_handshakes;
};

struct sim_world;
struct sim_link;

void sim_saw(struct sim_world *world, enum sim_kind kind);
/* For people. */
const char *sim_kind_name(enum sim_kind kind);

/* Bytes that the client sent, that the broker sent, that the client read. */
void sim_watch_sent(struct sim_link *link, const uint8_t *bytes, size_t n);
void sim_watch_said(struct sim_link *link, const uint8_t *bytes, size_t n);
void sim_watch_read(struct sim_link *link, const uint8_t *bytes, size_t n);
/* The client wants the connection closed; it is gone. */
void sim_watch_close_wanted(struct sim_link *link);
void sim_watch_gone(struct sim_link *link);
/* The broker has just carried out n Produce requests that came on it. */
void sim_watch_produced(struct sim_link *link, uint64_t n);

#endif
