/* net/client.c -- the driver: gives the core time, carries out its wants, waits
 * for sockets and deadlines.
 *
 * A turn is: tell the time -> wants -> a while of work, one name -> sockets
 * that are ready -> wants -> the time again if a deadline has come. Every part
 * is bounded; what is left makes the next turn begin at once. Waiting happens
 * in one place, between the first wants and the sockets. */
#include "net/client.h"
#include "base/fmt.h"
#include "net/bundle.h"
#include "net/host.h"
#include "net/lookup.h"
#include "net/peer.h"
#include "net/stage.h"
#include "net/thread.h"
#include "net/tls.h"
#include <netdb.h>
#include <string.h>

struct client_lookup {
    struct kw_node node; /* in client->lookups */
    struct kw_addr addr; /* whose name is wanted; of a name only its port */
    uint32_t query;
    size_t size; /* of this block */
    char name[];
};

const char *kw_version(void)
{
    return KW_VERSION;
}

/* Fills *err, if there is one: what failed, and why. */
static int client_error(struct kw_error *err, int code, int os_err, const char *what,
                        const char *why)
{
    if (err) {
        memset(err, 0, sizeof(*err));
        err->code = code;
        err->broker = -1;
        err->os_err = os_err;
        kwi_fmt(err->text, sizeof(err->text), "%s: %s", what, why);
    }
    return code;
}

/* ---- time ------------------------------------------------------------------ */

enum { CLIENT_STALE_US = 50000 };

static void client_step(struct kw_client *client)
{
    struct kw_time now;
    kwi_loop_now(client->loop, &now);
    client->now_us = now.mono_us;
    client->waited = false;
    kw_core_step(client->core, now);
}

void kwi_client_tick(struct kw_client *client)
{
    if (client->waited)
        client_step(client);
}

void kwi_client_catch_up(struct kw_client *client)
{
    struct kw_time now;
    if (client->gate.depth > 0)
        return; /* inside a callback of a step, which has just been told */
    kwi_loop_now(client->loop, &now);
    if (now.mono_us > client->now_us + CLIENT_STALE_US)
        client_step(client);
}

/* ---- wants ------------------------------------------------------------------- */

/* Puts it in the line for the resolver. NULL: there is no room. */
static struct client_lookup *client_lookup_add(struct kw_client *client, uint32_t query,
                                               const char *name)
{
    size_t len = strlen(name), size = sizeof(struct client_lookup) + len + 1;
    struct client_lookup *lookup = NULL;
    if (client->n_lookups < KWI_CLIENT_LOOKUPS_MAX)
        lookup = kwi_alloc_zero(&client->heap, size);
    if (!lookup)
        return NULL;
    lookup->query = query;
    lookup->size = size;
    memcpy(lookup->name, name, len + 1);
    kwi_list_push(&client->lookups, &lookup->node);
    client->n_lookups++;
    return lookup;
}

static void client_resolve(struct kw_client *client, const struct kw_want *want)
{
    struct kw_addr addr;
    if (kwi_lookup_numeric(want->name, want->port, &addr)) {
        kw_core_resolved(client->core, want->id, &addr, 1, 0);
        return;
    }
    struct client_lookup *lookup = client_lookup_add(client, want->id, want->name);
    if (lookup)
        lookup->addr.port = want->port;
    else
        kw_core_resolved(client->core, want->id, NULL, 0, EAI_MEMORY);
}

static void client_name(struct kw_client *client, const struct kw_want *want)
{
    struct client_lookup *lookup = client_lookup_add(client, want->id, "");
    if (lookup)
        lookup->addr = want->addr;
    else
        kw_core_named(client->core, want->id, NULL);
}

/* Hands one look-up to the resolver: if that waits, sockets come in between. */
static void client_lookup_one(struct kw_client *client)
{
    struct kw_node *node = kwi_list_pop(&client->lookups);
    if (!node)
        return;
    struct client_lookup *lookup = KWI_OF(node, struct client_lookup, node);
    client->n_lookups--;
    if (lookup->addr.family)
        kwi_resolver_ask_name(client, lookup->query, &lookup->addr);
    else
        kwi_resolver_ask(client, lookup->query, lookup->name, lookup->addr.port);
    kwi_free(&client->heap, lookup, lookup->size);
}

/* Runs the oldest work item for a while: what a byte costs is from a third of a nanosecond
 * (reading LZ4) to thirty (writing gzip), and a turn costs some microseconds. */
static void client_work_some(struct kw_client *client)
{
    if (client->n_work == 0)
        return;
    struct kw_work *work = client->work[0];
    struct kw_time begin, now;
    int more;
    kwi_thread_pause(client);
    kwi_loop_now(client->loop, &begin);
    do {
        more = kw_work_run(work, KWI_CLIENT_WORK_SLICE);
        kwi_loop_now(client->loop, &now);
    } while (more && now.mono_us - begin.mono_us < KWI_CLIENT_WORK_US);
    kwi_thread_resume(client);
    if (more)
        return;
    client->n_work--;
    memmove(client->work, client->work + 1, client->n_work * sizeof(client->work[0]));
    kw_core_work_done(client->core, work);
}

static void client_work_add(struct kw_client *client, struct kw_work *work)
{
    /* More than a few at a time do not occur; should they, the oldest is
     * finished at once rather than a new one lost. */
    while (client->n_work == KWI_CLIENT_WORK_MAX)
        client_work_some(client);
    client->work[client->n_work++] = work;
}

/* Carries out one want. may_write: NULL, or inside kw_produce, where one write
 * may be made in all (false when it was). */
static void client_want(struct kw_client *client, const struct kw_want *want, bool *may_write)
{
    struct kw_peer *peer = NULL;
    switch ((enum kw_want_kind)want->kind) {
    case KW_WANT_RESOLVE: client_resolve(client, want); return;
    case KW_WANT_NAME: client_name(client, want); return;
    case KW_WANT_OPEN: kwi_peer_open(client, want); return;
    case KW_WANT_WORK: client_work_add(client, want->work); return;
    case KW_WANT_CLOSE:
    case KW_WANT_WRITE_READY:
    case KW_WANT_READ_ON:
    case KW_WANT_READ_OFF: peer = kwi_map_get(&client->peers, want->id); break;
    }
    if (!peer)
        return; /* it ended before the want was taken */
    if (want->kind == KW_WANT_CLOSE) {
        kwi_peer_close(peer);
    } else if (want->kind != KW_WANT_WRITE_READY) {
        kwi_peer_set_reading(peer, want->kind == KW_WANT_READ_ON);
    } else if (!may_write) {
        kwi_peer_write(peer);
    } else if (kwi_peer_write_once(peer, *may_write)) {
        *may_write = false;
    }
}

static void client_wants(struct kw_client *client, bool *may_write)
{
    struct kw_want want;
    for (int i = 0; i < KWI_CLIENT_WANTS && kw_core_next_want(client->core, &want); i++)
        client_want(client, &want, may_write);
}

/* ---- turns -------------------------------------------------------------------- */

/* When the next turn is needed at the latest. */
static uint64_t client_deadline(const struct kw_client *client)
{
    uint64_t next_us = kw_core_deadline(client->core), dns_us = kwi_resolver_deadline(client);
    uint64_t look_us = kwi_stages_deadline(client);
    next_us = dns_us < next_us ? dns_us : next_us;
    return look_us < next_us ? look_us : next_us;
}

/* Something is left that no descriptor tells of. */
static bool client_has_more(const struct kw_client *client)
{
    return client->read_more || !kwi_list_empty(&client->tls_peers) || client->n_work > 0 ||
           client->n_lookups > 0 || (*client->attention & KW_ATT_WANT) ||
           client_deadline(client) <= client->now_us;
}

/* What producing threads have put comes before the step, which gives it its time. */
static void client_stages(struct kw_client *client)
{
    struct kw_time now;
    if (kwi_stages_deadline(client) == UINT64_MAX)
        return;
    kwi_loop_now(client->loop, &now);
    if (kwi_stages_deadline(client) <= now.mono_us)
        kwi_stages_look(client, now.mono_us);
}

/* The part of a turn before the wait. */
static void client_before(struct kw_client *client)
{
    client->asleep = client->kicked = false;
    client->read_more = false;
    client_stages(client);
    client_step(client);
    client_wants(client, NULL);
    kwi_peers_read_held(client);
    client_work_some(client);
    client_lookup_one(client);
    kwi_resolver_turn(client);
    client_wants(client, NULL);
}

/* What sockets, and threads that looked up a name, have told is seen to: it will not wake
 * us again. */
static void client_settle(struct kw_client *client)
{
    kwi_client_tick(client);
    kwi_resolver_turn(client);
    client_wants(client, NULL);
    if (kw_core_deadline(client->core) <= client->now_us) {
        client_step(client);
        client_wants(client, NULL);
    }
}

/* The wait and the rest. Returns 0 or KW_ERR_IO. */
static int client_after(struct kw_client *client, int32_t timeout_ms, int *os_err)
{
    kwi_loop_set_deadline(client->loop, client_deadline(client));
    client->waited = timeout_ms != 0;
    int rc = kwi_loop_run_once(client->loop, timeout_ms, os_err);
    client_settle(client);
    return rc < 0 ? rc : 0;
}

int kwi_client_turn(struct kw_client *client, int *os_err)
{
    client_before(client);
    uint64_t wake_us = client_has_more(client) ? 0 : client_deadline(client);
    kwi_loop_set_deadline(client->loop, wake_us);
    client->waited = true;
    int rc = kwi_thread_sleep(client, wake_us, os_err);
    client->waited = true; /* an application's call may have told the time meanwhile */
    if (rc == 0)
        rc = kwi_loop_dispatch(client->loop, os_err);
    client_settle(client);
    return rc < 0 ? rc : 0;
}

/* The host goes on by itself; the descriptor must tell of what comes next. */
static int client_leave(struct kw_client *client, int rc)
{
    bool more = client_has_more(client);
    kwi_loop_set_deadline(client->loop, more ? 0 : client_deadline(client));
    client->seen = *client->attention & KW_ATT_EVENT;
    client->asleep = true;
    if (rc < 0)
        return rc;
    return more ? 1 : 0;
}

/* Turns of the application's own thread. */
static int client_process(struct kw_client *client, uint32_t budget_us)
{
    int rc;
    uint64_t begin = 0;
    do {
        client_before(client);
        if (begin == 0)
            begin = client->now_us;
        rc = client_after(client, 0, NULL);
    } while (rc == 0 && client->now_us - begin < budget_us && client_has_more(client));
    return client_leave(client, rc);
}

int kw_client_process(struct kw_client *client, uint32_t budget_us)
{
    int rc = kwi_client_enter_alone(client);
    if (rc != 0)
        return rc;
    if (client->thread)
        rc = kwi_thread_poll(client, 0);
    else
        rc = client_process(client, budget_us);
    kwi_client_exit(client);
    return rc;
}

static int client_poll(struct kw_client *client, int32_t timeout_ms)
{
    client_before(client);
    if (client_has_more(client) || (*client->attention & KW_ATT_EVENT))
        timeout_ms = 0;
    return client_leave(client, client_after(client, timeout_ms, NULL));
}

int kw_client_poll(struct kw_client *client, int32_t timeout_ms)
{
    int rc = kwi_client_enter_alone(client);
    if (rc != 0)
        return rc;
    if (client->thread)
        rc = kwi_thread_poll(client, timeout_ms);
    else
        rc = client_poll(client, timeout_ms);
    kwi_client_exit(client);
    return rc;
}

static int client_wait_op(struct kw_client *client, struct kw_op *op, int *code,
                          struct kw_error *err, int *os_err)
{
    int rc = 0;
    while (rc == 0) {
        client_before(client);
        if (kw_core_op_take(op, code, err))
            break;
        rc = client_after(client, client_has_more(client) ? 0 : -1, os_err);
    }
    client_leave(client, 0);
    return rc;
}

int kw_wait(struct kw_client *client, struct kw_op *op, struct kw_error *err)
{
    int code = 0, os_err = 0, rc = kwi_client_enter_alone(client);
    if (rc != 0)
        return kwi_client_refuse(err, rc);
    if (!op) {
        kwi_client_exit(client);
        return client_error(err, KW_ERR_NOMEM, 0, "the operation was not started", "no memory");
    }
    if (client->thread)
        rc = kwi_thread_wait_op(client, op, &code, err, &os_err);
    else
        rc = client_wait_op(client, op, &code, err, &os_err);
    if (rc == KW_ERR_IO) {
        /* The system does not let us wait: nobody would ever end the op. */
        kw_core_op_cancel(op);
        kw_core_op_take(op, NULL, NULL);
        client_error(err, rc, os_err, "cannot wait for sockets", kwi_host_error(os_err));
    } else if (rc != 0) {
        kwi_client_refuse(err, rc);
    }
    kwi_client_exit(client);
    return rc != 0 ? rc : code;
}

/* ---- inside the application's calls --------------------------------------------- */

void kwi_client_push(struct kw_client *client)
{
    bool may_write = true;
    /* A child of a fork in this moment does not trust the list of connections. */
    atomic_store_explicit(&client->gate.owner, kwi_gate_self(), memory_order_relaxed);
    client_step(client);
    client_wants(client, &may_write);
    if (client->asleep && !client->kicked) {
        client->kicked = client_has_more(client); /* what only a turn can carry out was taken */
        kwi_loop_set_deadline(client->loop, client->kicked ? 0 : client_deadline(client));
    }
    atomic_store_explicit(&client->gate.owner, 0, memory_order_relaxed);
}

void kwi_client_kick(struct kw_client *client)
{
    if (client->thread)
        return; /* it is woken when the lock is given back */
    if (!client->asleep || client->kicked || !(*client->attention & ~client->seen))
        return;
    client->kicked = true;
    kwi_loop_set_deadline(client->loop, 0);
}

int kw_next_event(struct kw_client *client, struct kw_event *event)
{
    int got = kwi_client_enter(client);
    if (got == 0 && kwi_thread_takes(client)) {
        got = kw_core_next_event(client->core, event) ? 1 : 0;
        kwi_thread_took(client, got == 1);
    }
    if (got != 1)
        memset(event, 0, sizeof(*event));
    if (got < 0)
        return got;
    client->seen = *client->attention & KW_ATT_EVENT;
    kwi_client_exit(client);
    return got;
}

void kw_client_wake(struct kw_client *client)
{
    if (kwi_gate_is_forked(&client->gate))
        return; /* it is the parent that would wake up */
    if (kwi_gate_has_thread(&client->gate))
        kwi_thread_wake(client);
    else
        kwi_loop_wake(client->loop);
}

int kw_client_fd(const struct kw_client *client)
{
    /* The client is the caller's; only the type says that this changes nothing. */
    struct kw_client *own = (struct kw_client *)(uintptr_t)client;
    int rc = kwi_client_enter(own);
    if (rc != 0)
        return rc;
    if (client->thread) {
        rc = KW_ERR_STATE;
    } else {
        own->has_given_fd = true;
        rc = kwi_loop_fd(client->loop);
    }
    kwi_client_exit(own);
    return rc;
}

/* ---- create and destroy ----------------------------------------------------------- */

static int client_create_fail(struct kw_error *err, int code, int os_err)
{
    const char *text = "no memory";
    if (code == KW_ERR_USE)
        text = "missing argument, or an allocator without its other half";
    else if (code == KW_ERR_IO)
        text = kwi_host_error(os_err);
    return client_error(err, code, os_err, "cannot create a client", text);
}

/* TLS, if the configuration asks for it. */
static int client_create_tls(struct kw_client *client, const struct kw_config *cfg,
                             struct kw_error *err)
{
    int64_t protocol = kw_config_number(cfg, KW_KEY_SECURITY_PROTOCOL);
    if (protocol != KW_SECURITY_SSL && protocol != KW_SECURITY_SASL_SSL)
        return 0;
    client->record = kwi_alloc(&client->heap, KWI_TLS_RECORD);
    if (!client->record)
        return client_create_fail(err, KW_ERR_NOMEM, 0);
    return kwi_tls_create(&client->tls, cfg, &client->heap, err);
}

static void client_socket_options(struct kw_client *client, const struct kw_config *cfg)
{
    struct kw_socket_options *options = &client->socket;
    if (kw_config_number(cfg, KW_KEY_SOCKET_KEEPALIVE_ENABLE))
        options->flags |= KWI_SOCKET_KEEPALIVE;
    if (!kw_config_number(cfg, KW_KEY_SOCKET_NAGLE_DISABLE))
        options->flags |= KWI_SOCKET_NAGLE;
    options->send_buffer = (int)kw_config_number(cfg, KW_KEY_SEND_BUFFER_BYTES);
    options->receive_buffer = (int)kw_config_number(cfg, KW_KEY_RECEIVE_BUFFER_BYTES);
}

int kwi_client_create(struct kw_client **out, const struct kw_config *cfg, const struct kw_env *env,
                      const struct kw_sys *sys, struct kw_error *err)
{
    if (!out || !cfg)
        return client_create_fail(err, KW_ERR_USE, 0);
    *out = NULL;
    struct kw_env full;
    int os_err = 0;
    int rc = kwi_host_env(&full, env, &os_err);
    if (rc != 0)
        return client_create_fail(err, rc, os_err);
    struct kw_client *client = full.alloc.alloc(full.alloc.ctx, sizeof(*client));
    if (!client)
        return client_create_fail(err, KW_ERR_NOMEM, 0);
    memset(client, 0, sizeof(*client));
    if (kwi_gate_init(&client->gate) != 0) {
        full.alloc.free(full.alloc.ctx, client, sizeof(*client));
        return client_create_fail(err, KW_ERR_NOMEM, 0);
    }
    kwi_heap_init(&client->heap, &full.alloc, SIZE_MAX);
    kwi_map_init(&client->peers, &client->heap);
    client->sys = sys;
    client_socket_options(client, cfg);
    client->is_watched = full.watch != NULL;
    rc = kwi_loop_create(&client->loop, &full.alloc, sys, &os_err);
    if (rc == 0)
        rc = kw_core_create(&client->core, cfg, &full, err);
    bool in_loop = rc != 0 && !client->loop;
    if (rc == 0)
        rc = client_create_tls(client, cfg, err);
    if (rc == 0) {
        rc = kwi_resolver_init(client, cfg, &full, err);
        if (rc == KW_ERR_NOMEM)
            client_create_fail(err, rc, 0);
    }
    if (rc != 0) {
        if (in_loop)
            client_create_fail(err, rc, os_err);
        kw_client_destroy(client);
        return rc;
    }
    kw_core_set_host(client->core, client);
    client->attention = kw_core_attention(client->core);
    client_step(client);
    client_leave(client, 0);
    *out = client;
    return 0;
}

int kw_client_create_env(struct kw_client **out, const struct kw_config *cfg,
                         const struct kw_env *env, struct kw_error *err)
{
    return kwi_client_create(out, cfg, env, &kwi_sys_real, err);
}

int kw_client_create(struct kw_client **out, const struct kw_config *cfg, struct kw_error *err)
{
    return kwi_client_create(out, cfg, NULL, &kwi_sys_real, err);
}

/* In a child of fork(): sockets and epoll set are shared with the parent, so they are
 * closed and nothing else. Who was inside when it forked may have left the list of
 * connections half changed: then its descriptors stay open. */
static void client_abandon(struct kw_client *client)
{
    struct kw_peer *peer;
    if (atomic_load(&client->gate.owner) == 0) {
        for (uint32_t i = 0; (peer = kwi_map_next(&client->peers, &i));)
            kwi_peer_abandon(peer);
        kwi_resolver_abandon(client);
    }
    kwi_loop_abandon(client->loop);
}

static void client_free(struct kw_client *client)
{
    struct kw_peer *peer;
    for (uint32_t i = 0; (peer = kwi_map_next(&client->peers, &i));)
        kwi_peer_destroy(peer);
    kwi_map_deinit(&client->peers);
    for (struct kw_node *node; (node = kwi_list_pop(&client->lookups));) {
        struct client_lookup *lookup = KWI_OF(node, struct client_lookup, node);
        kwi_free(&client->heap, lookup, lookup->size);
    }
    kwi_stages_destroy(client);
    kwi_resolver_deinit(client);
    kwi_tls_destroy(client->tls);
    kwi_free(&client->heap, client->record, KWI_TLS_RECORD);
    kwi_free(&client->heap, client->spare_bundle, KWI_BUNDLE);
    kw_core_destroy(client->core);
    kwi_loop_destroy(client->loop);
    kwi_gate_deinit(&client->gate);
    struct kw_alloc alloc = client->heap.alloc;
    alloc.free(alloc.ctx, client, sizeof(*client));
}

void kw_client_destroy(struct kw_client *client)
{
    if (!client)
        return;
    int rc = kwi_client_enter_alone(client);
    if (rc == KW_ERR_FORKED)
        client_abandon(client);
    if (rc != 0)
        return; /* somebody is inside: what is lost then is memory, and not the program */
    if (client->thread)
        kwi_thread_stop(client);
    client_free(client);
}
