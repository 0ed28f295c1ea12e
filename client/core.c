/* client/core.c -- the core's life, its step, and the wants that it hands out.
 *
 * What a connection wants is kept in client/conn.c; here the lists are walked.
 * Order of wants: look-ups, then connections first come first served (each with
 * OPEN, others, CLOSE), then work. */
#include "client/core.h"

#include <stdarg.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/fmt.h"
#include "client/address.h"
#include "client/close.h"
#include "client/config.h"
#include "client/conn.h"
#include "client/consumer.h"
#include "client/coordinator.h"
#include "client/group.h"
#include "client/error_text.h"
#include "client/op.h"
#include "client/producer.h"
#include "client/sasl.h"
#include "client/work.h"

/* ---- services ------------------------------------------------------------ */

void kwi_core_arm(struct kw_core *core, struct kw_timer *timer, uint64_t deadline_us)
{
    uint64_t before = kwi_timers_next(&core->timers);

    if (deadline_us == UINT64_MAX) {
        kwi_core_disarm(core, timer);
        return;
    }
    kwi_timer_arm(&core->timers, timer, deadline_us);
    if (kwi_timers_next(&core->timers) < before)
        kwi_attend(core, KW_ATT_TIME);
}

void kwi_core_disarm(struct kw_core *core, struct kw_timer *timer)
{
    if (timer->armed)
        kwi_timer_disarm(&core->timers, timer);
}

uint64_t kwi_core_after_ms(const struct kw_core *core, int64_t timeout_ms)
{
    if (timeout_ms < 0 || timeout_ms > INT64_MAX / 2000)
        return UINT64_MAX;
    return core->now.mono_us + (uint64_t)timeout_ms * 1000;
}

uint64_t kwi_core_backoff_us(struct kw_core *core, int64_t initial_ms, int64_t max_ms,
                             uint32_t attempts)
{
    uint64_t us = (uint64_t)initial_ms * 1000, max_us = (uint64_t)max_ms * 1000;

    for (; attempts > 0 && us < max_us; attempts--)
        us *= 2;
    if (us > max_us)
        us = max_us;
    return us * (800 + kwi_rng_below(&core->rng, 401)) / 1000;
}

int64_t kwi_core_setting(const struct kw_core *core, const struct kw_config *own, enum kw_key key)
{
    return kwi_config_i64(own && kwi_config_is_set(own, key) ? own : core->cfg, key);
}

/* FNV-1a: lines that differ and have the same hash are too rare to matter here. */
static uint64_t core_hash_line(const char *line)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *line; line++)
        hash = (hash ^ (uint8_t)*line) * 0x100000001b3u;
    return hash;
}

/* False: not again so soon. *untold: how often it was not logged meanwhile. */
static bool core_may_log(struct kw_core *core, const char *line, uint32_t *untold)
{
    struct kw_log_line *oldest = core->lines;
    uint64_t hash = core_hash_line(line);

    for (struct kw_log_line *it = core->lines; it < core->lines + KWI_LOG_LINES; it++) {
        if (it->told_us < oldest->told_us)
            oldest = it;
        if (it->hash != hash)
            continue;
        if (core->now.mono_us - it->told_us < KWI_LOG_INTERVAL_US) {
            it->n_untold++;
            return false;
        }
        oldest = it;
        break;
    }
    *untold = oldest->hash == hash ? oldest->n_untold : 0;
    *oldest = (struct kw_log_line){.hash = hash, .told_us = core->now.mono_us};
    return true;
}

void kwi_log(struct kw_core *core, int level, const char *format, ...)
{
    char line[512];
    uint32_t untold = 0;
    va_list args;

    if (!core->env.log.line || level > core->env.log.level)
        return;
    va_start(args, format);
    kwi_vfmt(line, sizeof(line), format, args);
    va_end(args);
    kwi_fmt_clean(line);
    if (!core_may_log(core, line, &untold))
        return;
    if (untold)
        kwi_fmt(line + strlen(line), sizeof(line) - strlen(line), " (%u times more before)",
                untold);
    core->env.log.line(core->env.log.ctx, level, line);
}

/* ---- life ---------------------------------------------------------------- */

/* More than an address space has is all of it. */
static size_t core_reserve(int64_t bytes)
{
    return (uint64_t)bytes > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)bytes;
}

static int core_init(struct kw_core *core, const struct kw_config *cfg, const struct kw_env *env,
                     struct kw_error *err)
{
    int rc;

    core->self = core;
    core->env = *env;
    if (!core->env.crc32c)
        core->env.crc32c = kwi_crc32c_portable;
    kwi_rng_init(&core->rng, env->seed);
    kwi_events_init(&core->events);
    rc = kwi_config_copy(&core->cfg, cfg, &env->alloc);
    if (rc)
        return rc;
    kwi_heap_init(&core->control, &env->alloc,
                  core_reserve(kwi_config_i64(core->cfg, KW_KEY_CONTROL_MEMORY)));
    kwi_heap_init(&core->produce, &env->alloc,
                  core_reserve(kwi_config_i64(core->cfg, KW_KEY_BUFFER_MEMORY)));
    kwi_heap_init(&core->fetch, &env->alloc, core_reserve(kwi_config_fetch_memory(core->cfg)));
    kwi_pool_init(&core->fetch_pool, &core->fetch);
    kwi_unpack_init(core);
    kwi_oauth_init(core);
    kwi_pool_init(&core->produce_pool, &core->produce);
    kwi_pool_init(&core->spare_pool, &core->control);
    core->spare_pool.keeps_none = true;
    kwi_map_init(&core->conns, &core->control);
    kwi_map_init(&core->queries, &core->control);
    rc = kwi_close_init(core);
    return rc ? rc : kwi_cluster_init(core, err);
}

static int core_check_crypto(const struct kw_config *cfg, const struct kw_env *env,
                             struct kw_error *err)
{
    const struct kw_sasl_mechanism *mechanism = kwi_sasl_mechanism(cfg);

    if (mechanism == &kwi_sasl_custom)
        return kwi_sasl_hook_check(cfg, env, err);
    if (env->crypto || !mechanism || !mechanism->needs_crypto)
        return 0;
    kwi_error_fmt(err, KW_ERR_UNSUPPORTED, KW_PHASE_CONFIG,
                  "build with WITH_TLS=openssl or mbedtls, or give a table in kw_env.crypto",
                  "sasl.mechanism = %s: this build has no cryptography", mechanism->name);
    return KW_ERR_UNSUPPORTED;
}

int kw_core_create(struct kw_core **out, const struct kw_config *cfg, const struct kw_env *env,
                   struct kw_error *err)
{
    struct kw_core *core;
    int rc;

    *out = NULL;
    if (!cfg || !env || !env->alloc.alloc || !env->alloc.free) {
        kwi_error_set(err, KW_ERR_USE, KW_PHASE_CONFIG, "no configuration or no allocator", "");
        return KW_ERR_USE;
    }
    rc = kwi_config_check(cfg, NULL, KWI_APPLIES_CLIENT, err);
    if (rc)
        return rc;
    rc = core_check_crypto(cfg, env, err);
    if (rc)
        return rc;
    core = env->alloc.alloc(env->alloc.ctx, sizeof(*core));
    if (core)
        memset(core, 0, sizeof(*core));
    rc = core ? core_init(core, cfg, env, err) : KW_ERR_NOMEM;
    if (!rc) {
        *out = core;
        return 0;
    }
    kw_core_destroy(core);
    if (rc == KW_ERR_NOMEM)
        kwi_error_set(err, rc, KW_PHASE_CONFIG, "no memory for a client", "");
    return rc;
}

void kw_core_destroy(struct kw_core *core)
{
    struct kw_alloc alloc;

    if (!core)
        return;
    alloc = core->env.alloc;
    core->closing = true;
    if (core->cluster.core) { /* core_init came that far */
        kwi_consumers_destroy(core);
        kwi_producers_stop(core);
        while (!kwi_list_empty(&core->ops)) {
            struct kw_op *op = KWI_OF(core->ops.first, struct kw_op, node);
            if (!op->done && op->abandon)
                op->abandon(op, KW_ERR_CLOSED);
            kwi_op_destroy(op);
        }
        kwi_links_destroy(core);
        kwi_cluster_stop(core);
        kwi_coordinators_deinit(core);
        kwi_group_work_deinit(core);
        kwi_events_forget(core);
        kwi_producers_destroy(core);
        kwi_cluster_deinit(core);
        kwi_unpack_deinit(core);
        kwi_oauth_deinit(core);
        kwi_scram_deinit(core);
        kwi_pool_deinit(&core->fetch_pool);
        kwi_pool_deinit(&core->produce_pool);
        kwi_map_deinit(&core->conns);
        kwi_map_deinit(&core->queries);
    }
    kwi_close_deinit(core);
    kw_config_destroy(core->cfg);
    alloc.free(alloc.ctx, core, sizeof(*core));
}

/* ---- the driver's side ---------------------------------------------------- */

void kw_core_step(struct kw_core *core, struct kw_time now)
{
    core->attention &= ~(uint32_t)KW_ATT_TIME;
    if (now.mono_us < core->now.mono_us)
        now.mono_us = core->now.mono_us;
    core->now = now;
    core->stepped = true;
    kwi_timers_run(&core->timers, now.mono_us, KWI_STEP_TIMERS);
    kwi_producers_step(core);
}

uint64_t kw_core_deadline(const struct kw_core *core)
{
    uint64_t next = kwi_timers_next(&core->timers);

    if (!core->stepped || kwi_producers_pending(core) || next <= core->now.mono_us)
        return 0;
    return next;
}

bool kw_core_next_want(struct kw_core *core, struct kw_want *want)
{
    memset(want, 0, sizeof(*want));
    if (kwi_query_next_want(core, want))
        return true;
    while (!kwi_list_empty(&core->want_conns)) {
        struct kw_conn *conn = KWI_OF(core->want_conns.first, struct kw_conn, want_node);
        if (kwi_conn_next_want(conn, want))
            return true; /* else it left the list, and may be gone */
    }
    if (!kwi_list_empty(&core->want_work)) {
        want->kind = KW_WANT_WORK;
        want->work = KWI_OF(kwi_list_pop(&core->want_work), struct kw_work, node);
        return true;
    }
    core->attention &= ~(uint32_t)KW_ATT_WANT;
    return false;
}

void kwi_work_submit(struct kw_core *core, struct kw_work *work)
{
    kwi_list_push(&core->want_work, &work->node);
    kwi_attend(core, KW_ATT_WANT);
}

int kw_work_run(struct kw_work *work, size_t budget)
{
    return work->run(work, budget);
}

void kw_core_work_done(struct kw_core *core, struct kw_work *work)
{
    work->done(core, work);
}

const uint32_t *kw_core_attention(const struct kw_core *core)
{
    return &core->attention;
}

void kw_core_set_host(struct kw_core *core, void *host)
{
    core->host = host;
}

void *kw_core_host(const struct kw_core *core)
{
    return core->host;
}

struct kw_core *kw_core_of(const void *handle)
{
    return ((const struct kw_handle *)handle)->core;
}

void kw_core_stats(const struct kw_core *core, struct kw_stats *stats)
{
    *stats = core->stats;
    stats->control_used = core->control.used;
    stats->produce_used = core->produce.used - core->produce_pool.kept_bytes;
    stats->fetch_used = core->fetch.used - core->fetch_pool.kept_bytes;
    stats->control_peak = core->control.peak;
    stats->produce_peak = core->produce.peak;
    stats->fetch_peak = core->fetch.peak;
}
