/* net/client.h -- a client: one core, one loop, the connections between them.
 *
 * client.c  create, destroy, the turn (process), waiting (poll, kw_wait)
 * gate.c    who may be inside: one thread, or with an I/O thread many; forks
 * thread.c  the I/O thread, and waiting where there is one
 * stage.c   where producing threads put records without its lock
 * peer.c    one connection: connect, write, read, close
 * peer_io.c its bytes, plain or through TLS (tls.h and a back end; bundle.c)
 * resolver.c, lookup.c  host names
 * host.c    memory, random bytes, files
 * calls.c   the functions of kwire.h that only pass a call on
 * looks.c   those among them that only look at the core, or walk a handle
 *
 * Nothing here decides anything about Kafka: wants come from the core, bytes
 * and receipts go to it. */
#ifndef KWI_NET_CLIENT_H
#define KWI_NET_CLIENT_H
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "net/gate.h"
#include "net/loop/loop.h"
#include "net/loop/socket.h"
#include "net/resolver.h"
#include <kwire/core.h>
#include <kwire/kwire.h>

enum {
    KWI_CLIENT_WANTS = 256,            /* wants taken in one go */
    KWI_CLIENT_WORK_MAX = 64,          /* work items under way: SCRAM with so many brokers */
    KWI_CLIENT_WORK_SLICE = 256 << 10, /* bytes' worth of work between two looks at the clock */
    KWI_CLIENT_WORK_US = 500,          /* a turn does no more work after that */
    KWI_CLIENT_LOOKUPS_MAX = 256       /* names waiting for the resolver */
};

struct kw_tls;    /* net/tls.h */
struct kw_thread; /* net/thread.h */
struct kw_stages; /* net/stage.h */

struct kw_client {
    struct kw_gate gate;
    struct kw_thread *thread; /* NULL: the application drives the loop */
    struct kw_stages *stages; /* of producing threads, beside it; NULL: none */
    struct kw_heap heap;      /* what the driver itself allocates */
    const struct kw_sys *sys;
    struct kw_loop *loop;
    struct kw_core *core;
    const uint32_t *attention; /* the core's word, KW_ATT_* */
    uint64_t now_us;           /* of the last step */
    bool is_watched;           /* somebody hears of each connection (kw_env.watch) */
    bool waited;               /* time may have passed since the last step */

    struct kw_map peers;    /* connection id -> kw_peer */
    struct kw_list lookups; /* names to look up */
    uint32_t n_lookups;
    struct kw_resolver resolver;
    struct kw_socket_options socket;           /* of every connection */
    struct kw_work *work[KWI_CLIENT_WORK_MAX]; /* first come, first run */
    uint32_t n_work;
    bool read_more; /* a peer stopped reading at its share of the turn */

    struct kw_tls *tls;       /* NULL: connections are not encrypted */
    uint8_t *record;          /* where a TLS record is gathered; KWI_TLS_RECORD bytes */
    uint8_t *spare_bundle;    /* a block for the next one that needs it (bundle.h), or NULL */
    struct kw_list tls_peers; /* those that hold bytes no socket will report */

    bool has_given_fd; /* a foreign loop may wait for it */
    bool asleep;       /* process returned and was not called again yet; the thread sleeps */
    bool kicked;       /* the descriptor was made readable since then; the thread woken */
    uint32_t seen;     /* attention bits that the host knows of already */
};

/* kw_client_create_env over a table of system calls (tests). */
KW_MUST_USE int kwi_client_create(struct kw_client **out, const struct kw_config *cfg,
                                  const struct kw_env *env, const struct kw_sys *sys,
                                  struct kw_error *err);
/* The client of a producer, topic, consumer, records handle or op. NULL: the program
 * drives the core itself. core.h says how a handle and a core begin. */
static inline struct kw_client *kwi_client_of(const void *handle)
{
    const struct kw_core *core = *(struct kw_core *const *)handle;
    return ((void *const *)(const void *)core)[1];
}

/* Every call of kwire.h comes in and goes out, and what it left to do is then seen to. 0,
 * and exit must follow; or KW_ERR_FORKED, KW_ERR_BUSY, KW_ERR_CLOSED (it is being
 * destroyed). A call inside a callback comes in, too. client NULL: nothing to guard. */
KW_MUST_USE int kwi_client_enter(struct kw_client *client);
void kwi_client_exit(struct kw_client *client);
/* The same for calls that begin what has a deadline or an interval: it counts from now, and
 * not from when the client was last processed. */
KW_MUST_USE int kwi_client_enter_now(struct kw_client *client);
/* The same as that one for calls that fill *err, which may be NULL; the texts of these codes. */
KW_MUST_USE int kwi_client_enter_say(struct kw_client *client, struct kw_error *err);
int kwi_client_refuse(struct kw_error *err, int code);
/* The same for calls that wait or run the loop: KW_ERR_REENTRANT inside a callback. */
KW_MUST_USE int kwi_client_enter_alone(struct kw_client *client);

/* The same for calls of each record. In kw_produce an I/O thread comes first (stage.h). */
static inline int kwi_client_enter_hot(struct kw_client *client)
{
    if (KWI_UNLIKELY(!client || kwi_gate_word(&client->gate) != KWI_GATE_FREE))
        return kwi_client_enter(client);
    kwi_gate_set(&client->gate, KWI_GATE_HOT);
    return 0;
}
static inline void kwi_client_exit_hot(struct kw_client *client)
{
    if (KWI_UNLIKELY(!client || kwi_gate_word(&client->gate) != KWI_GATE_HOT))
        kwi_client_exit(client);
    else
        kwi_gate_set(&client->gate, KWI_GATE_FREE);
}

/* After an application call: if it left something to do and the host may be
 * asleep on the descriptor, makes that readable, once per sleep. */
void kwi_client_kick(struct kw_client *client);
/* After kw_produce left something to do: tells the time, takes wants, makes at
 * most one write. Never reads, never looks up a name, never waits. */
void kwi_client_push(struct kw_client *client);
/* Tells the core the time if it may have changed since it was last told: to be
 * called before any input. */
void kwi_client_tick(struct kw_client *client);
/* A turn of the I/O thread. 0 or KW_ERR_IO. */
KW_MUST_USE int kwi_client_turn(struct kw_client *client, int *os_err);
/* Tells the core the time if the host has been away for more than a moment since. */
void kwi_client_catch_up(struct kw_client *client);

#endif
