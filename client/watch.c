/* client/watch.c -- see watch.h. What TCP and TLS do is told by the driver
 * (kw_core_connected, kw_core_secured), the rest is seen here. */
#include "client/watch.h"

#include "client/config.h"
#include "client/conn.h"
#include "client/sasl.h"

static void watch_tell(struct kw_core *core, const struct kw_broker *broker, uint64_t since_us,
                       struct kw_conn_step *step)
{
    step->size = sizeof(*step);
    step->host = broker->host;
    step->port = broker->port;
    step->broker = broker->node_id >= 0 ? broker->node_id : -1;
    step->duration_us = core->now.mono_us - since_us;
    core->env.watch(core->env.watch_ctx, step);
}

void kwi_watch_resolved(struct kw_core *core, const struct kw_broker *broker, uint64_t since_us,
                        const struct kw_addr *addrs, size_t n, const struct kw_error *err)
{
    struct kw_conn_step step = {
        .phase = KW_PHASE_RESOLVE, .addrs = addrs, .n_addrs = (uint32_t)n, .error = err};

    if (core->env.watch)
        watch_tell(core, broker, since_us, &step);
}

void kwi_watch_done(struct kw_conn *conn, enum kw_phase phase, const struct kw_tls_info *tls)
{
    struct kw_core *core = conn->core;
    struct kw_conn_step step = {
        .phase = (uint8_t)phase, .conn = conn->id, .addrs = &conn->addr, .n_addrs = 1, .tls = tls};

    if (core->env.watch && conn->link) {
        if (phase == KW_PHASE_SASL) {
            const struct kw_sasl_mechanism *mechanism = kwi_sasl_mechanism(core->cfg);
            step.mechanism = !mechanism         ? NULL
                             : !mechanism->name ? core->env.sasl->mechanism
                                                : mechanism->name;
            step.session_ms = conn->session_ms;
        }
        watch_tell(core, conn->link->broker, conn->step_us, &step);
    }
    if (core->now.mono_us - conn->step_us < conn->near_us)
        conn->near_us = core->now.mono_us - conn->step_us;
    conn->step_us = core->now.mono_us;
}

void kwi_watch_failed(struct kw_conn *conn, const struct kw_link *link, const struct kw_error *err)
{
    struct kw_conn_step step = {
        .phase = err->phase, .conn = conn->id, .addrs = &conn->addr, .n_addrs = 1, .error = err};

    if (conn->core->env.watch && err->code != KW_ERR_CLOSED)
        watch_tell(conn->core, link->broker, conn->step_us, &step);
}

/* ---- from the driver ---------------------------------------------------------- */

void kw_core_connected(struct kw_core *core, uint32_t id)
{
    struct kw_conn *conn = kwi_map_get(&core->conns, id);

    if (conn)
        kwi_watch_done(conn, KW_PHASE_CONNECT, NULL);
}

void kw_core_secured(struct kw_core *core, uint32_t id, const struct kw_tls_info *info)
{
    struct kw_conn *conn = kwi_map_get(&core->conns, id);

    if (conn)
        kwi_watch_done(conn, KW_PHASE_TLS, info);
}
