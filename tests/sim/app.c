/* tests/sim/app.c -- the application: phases, events, and the habits of a host
 * that is busy: it looks at events late, flushes, purges, seeks, closes early.
 *
 *     PRODUCING --all accepted--> DRAINING --reported, read--> CLOSING --> FINISHED
 *         \-------------- early_close -------------------------^ */
#include "tests/sim/app.h"
#include "tests/support/toy_crypto.h"

#include <kwire/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLOSE_SLACK_US = 400000 }; /* late drivers and lazy hosts, on top of the timeout */

static void app_tick(void *target, uint64_t arg);

static struct sim_driver *app_consumer_driver(const struct sim_app *app)
{
    return &app->world->drivers[app->world->n_drivers - 1];
}

/* ---- events -------------------------------------------------------------------------- */

/* Metadata, or a new topic that nobody uses. */
static void app_admin(struct sim_app *app)
{
    struct sim_world *world = app->world;
    char name[32];
    struct kw_admin_request request = {.size = sizeof(request), .kind = KW_ADMIN_METADATA};
    if (!world->plan.admin || app->admin || !sim_one_in(&app->rng, 8))
        return;
    snprintf(name, sizeof(name), "extra-%u", app->n_admin++);
    request.topic = sim_one_in(&app->rng, 2) ? sim_topics[0] : NULL;
    if (sim_one_in(&app->rng, 2))
        request = (struct kw_admin_request){.size = sizeof(request),
                                            .kind = KW_ADMIN_CREATE_TOPIC,
                                            .topic = name,
                                            .partitions = 1,
                                            .replication_factor = 1};
    app->admin = kw_core_admin(world->drivers[0].core, &request,
                               request.kind == KW_ADMIN_METADATA ? &app->admin_result : NULL,
                               (int32_t)sim_between(&app->rng, 1, 4000), &app->admin);
    if (!app->admin)
        sim_fail(world, "admin found no memory");
    sim_trace_line(&world->trace, "app: admin kind %d", request.kind);
}

/* Brokers that change bytes of their answers may change those of a proof. */
static bool app_may_be_refused(const struct sim_world *world)
{
    return world->plan.sasl && world->plan.n_specs > 0;
}

static void app_admin_done(struct sim_app *app, const struct kw_event *event)
{
    struct sim_world *world = app->world;
    const struct kw_admin_result *result = app->admin_result;
    sim_trace_line(&world->trace, "app: admin ended with %s", kw_err_name(event->code));
    if (event->code == 0 && result) {
        sim_trace_word(&world->trace, (uint64_t)result->n_brokers << 32 | result->n_topics);
        if (result->n_brokers == 0 || (result->n_topics == 0 && world->plan.n_specs == 0))
            sim_fail(world, "metadata of %u brokers and %u topics", result->n_brokers,
                     result->n_topics);
        for (uint32_t i = 0; i < result->n_topics; i++)
            sim_trace_bytes(&world->trace, result->topics[i].name, strlen(result->topics[i].name));
    }
    if (event->code != 0 && event->code != KW_ERR_TIMEOUT && event->code != KW_ERR_BROKER &&
        event->code != KW_ERR_CLOSED && event->code != KW_ERR_CONNECT &&
        event->code != KW_ERR_PROTOCOL &&
        !(event->code == KW_ERR_AUTH && app_may_be_refused(world)))
        sim_fail(world, "admin ended with %s", kw_err_name(event->code));
    app->n_admin_ok += event->code == 0;
    kw_admin_result_destroy(app->admin_result);
    app->admin_result = NULL;
    app->admin = NULL;
}

static void app_op_done(struct sim_app *app, struct sim_driver *driver,
                        const struct kw_event *event)
{
    struct sim_world *world = app->world;
    if (event->tag == app) {
        sim_app_flushed(app, event->code);
        return;
    }
    if (event->tag == &app->admin) {
        app_admin_done(app, event);
        return;
    }
    if (event->tag != driver || app->phase != SIM_CLOSING) {
        sim_fail(world, "an operation ended that was not started");
        return;
    }
    sim_trace_line(&world->trace, "app: close of core %u ended with %s", driver->idx,
                   kw_err_name(event->code));
    app->n_closed++;
    if (event->code != 0 && event->code != KW_ERR_TIMEOUT)
        sim_fail(world, "close ended with %s", kw_err_name(event->code));
    if (event->code == KW_ERR_TIMEOUT && !app->early)
        sim_fail(world, "close timed out with nothing left to do");
    if (driver->idx == 0 && app->n_reported != app->n_accepted)
        sim_fail(world, "close ended with %u of %u records reported", app->n_reported,
                 app->n_accepted);
    if (world->now_us > app->close_end_us + CLOSE_SLACK_US + world->plan.slack_us)
        sim_fail(world, "close took %llu us longer than it had",
                 (unsigned long long)(world->now_us - app->close_end_us));
}

static void app_event(struct sim_app *app, struct sim_driver *driver, const struct kw_event *event)
{
    struct sim_world *world = app->world;
    sim_trace_word(&world->trace, 0xe0000u + event->kind + ((uint64_t)(uint32_t)event->code << 32));
    switch ((enum kw_event_kind)event->kind) {
    case KW_EVENT_REPORT:
        if (event->producer != app->producer)
            sim_fail(world, "a report of another producer");
        sim_app_report(app, event);
        break;
    case KW_EVENT_WRITABLE: app->blocked = false; break;
    case KW_EVENT_RECORDS: break; /* the caller polls */
    case KW_EVENT_PARTITION_EOF:
        sim_trace_bytes(&world->trace, event->topic_name, strlen(event->topic_name));
        sim_trace_word(&world->trace, (uint64_t)event->offset);
        break;
    case KW_EVENT_FETCH_STARVED:
        if (app->n_held == 0)
            sim_fail(world, "fetch starved although no handle is held");
        sim_app_release_some(app, true);
        break;
    case KW_EVENT_OP_DONE: app_op_done(app, driver, event); break;
    case KW_EVENT_ERROR:
        sim_trace_line(&world->trace, "app: error event: %s (%s)",
                       event->error ? event->error->text : "-", kw_err_name(event->code));
        break;
    case KW_EVENT_RECEIPT: sim_app_receipt(app, event); break;
    case KW_EVENT_OAUTH_TOKEN_NEEDED: break; /* seeds with tokens have one configured */
    case KW_EVENT_COMMIT_FAILED: sim_fail(world, "a commit failed that nobody asked for"); break;
    case KW_EVENT_ASSIGNED:
    case KW_EVENT_REVOKED:
    case KW_EVENT_LOST:
    case KW_EVENT_LOOP_LATE: sim_fail(world, "an event of a group that nobody joined"); break;
    case KW_EVENT_NONE: sim_fail(world, "an event of no kind"); break;
    }
}

static void app_take_events(struct sim_app *app, struct sim_driver *driver)
{
    struct kw_event event;
    bool announced = (*driver->attention & KW_ATT_EVENT) != 0;
    while (kw_core_next_event(driver->core, &event)) {
        if (!announced)
            sim_fail(app->world, "event %d without the attention bit", event.kind);
        announced = true;
        app_event(app, driver, &event);
    }
}

static void app_notified(void *target, uint64_t idx)
{
    struct sim_app *app = target;
    struct sim_driver *driver = &app->world->drivers[idx];
    app->event_put[idx] = false;
    if (app->phase == SIM_FINISHED)
        return;
    sim_driver_enter(driver);
    app_take_events(app, driver);
    if (driver == app_consumer_driver(app) && app->phase <= SIM_DRAINING)
        sim_app_consume(app);
    sim_driver_leave(driver);
}

void sim_app_notify(struct sim_driver *driver)
{
    struct sim_world *world = driver->world;
    struct sim_app *app = world->app;
    if (!app || app->event_put[driver->idx])
        return;
    app->event_put[driver->idx] = true;
    uint64_t delay = world->plan.lazy_events ? sim_below(&app->rng, 100000) : 0;
    sim_queue_put(&world->queue, world->now_us + delay, app_notified, app, driver->idx);
}

/* ---- phases ------------------------------------------------------------------------------ */

static void app_start_close(struct sim_app *app)
{
    struct sim_world *world = app->world;
    app->phase = SIM_CLOSING;
    sim_app_mark_ends(app);
    app->close_timeout_ms = app->early ? (int32_t)sim_between(&app->rng, 0, 2000) : 10000;
    app->close_end_us = world->now_us + 1000ull * (uint32_t)app->close_timeout_ms;
    sim_app_release_some(app, true);
    for (uint32_t i = 0; i < world->n_drivers; i++) {
        struct sim_driver *driver = &world->drivers[i];
        sim_driver_enter(driver);
        if (i == 0)
            sim_app_close_slips(app, true);
        sim_trace_line(&world->trace, "app: close core %u, %d ms", i, app->close_timeout_ms);
        if (!kw_core_close(driver->core, app->close_timeout_ms, driver))
            sim_fail(world, "close found no memory");
        app->n_closing++;
        if (i == 0) {
            struct kw_record record = {.value = {"x", 1}};
            if (kw_core_produce(app->topics[0], &record) != KW_ERR_CLOSED)
                sim_fail(world, "produce works after close");
        }
        sim_driver_leave(driver);
    }
}

/* Closed: every connection is gone, everything that was given up came back. */
static void app_try_finish(struct sim_app *app)
{
    struct sim_world *world = app->world;
    if (app->n_closed < app->n_closing)
        return;
    for (uint32_t i = 0; i < world->n_drivers; i++) {
        if (world->drivers[i].n_open > 0)
            return;
    }
    sim_app_take_unsent(app);
    for (uint32_t id = 0; id < app->n_accepted; id++) {
        if (app->canceled[id] != app->unsent[id])
            sim_fail(world, "record %u: canceled %d, given back %d", id, app->canceled[id],
                     app->unsent[id]);
    }
    app->phase = SIM_FINISHED;
}

static void app_try_drained(struct sim_app *app)
{
    struct sim_world *world = app->world;
    for (uint32_t i = 0; i < SIM_TOPICS_MAX * SIM_PARTITIONS_MAX; i++) {
        if (app->paused[i / SIM_PARTITIONS_MAX][i % SIM_PARTITIONS_MAX]) {
            uint32_t topic = i / SIM_PARTITIONS_MAX;
            app->paused[topic][i % SIM_PARTITIONS_MAX] = false;
            if (kw_core_pause(app->consumer, sim_topics[topic], (int32_t)(i % SIM_PARTITIONS_MAX),
                              false) != 0)
                sim_fail(world, "resume failed");
        }
    }
    if (world->healed && app->n_reported == app->n_accepted && !app->flush && !app->admin &&
        sim_app_all_read(app))
        app_start_close(app);
}

static void app_tick_phase(struct sim_app *app)
{
    struct sim_world *world = app->world;
    switch (app->phase) {
    case SIM_PRODUCING:
        sim_driver_enter(&world->drivers[0]);
        sim_app_produce(app);
        sim_app_close_slips(app, app->n_accepted == world->plan.n_records);
        sim_app_flush_or_purge(app);
        app_admin(app);
        sim_driver_leave(&world->drivers[0]);
        sim_driver_enter(app_consumer_driver(app));
        sim_app_seek_or_pause(app);
        sim_app_consume(app);
        sim_driver_leave(app_consumer_driver(app));
        if (app->n_accepted == world->plan.n_records)
            app->phase = SIM_DRAINING;
        else if (world->plan.early_close && app->n_accepted > world->plan.n_records / 2 &&
                 sim_one_in(&app->rng, 4)) {
            app->early = true;
            app_start_close(app);
        }
        break;
    case SIM_DRAINING:
        sim_driver_enter(app_consumer_driver(app));
        sim_app_consume(app);
        app_try_drained(app);
        sim_driver_leave(app_consumer_driver(app));
        break;
    case SIM_CLOSING: app_try_finish(app); break;
    case SIM_FINISHED: break;
    }
}

static void app_tick(void *target, uint64_t arg)
{
    struct sim_app *app = target;
    struct sim_world *world = app->world;
    (void)arg;
    app_tick_phase(app);
    if (app->phase == SIM_FINISHED)
        return;
    uint64_t pause = world->healed ? 20000
                                   : 2 * world->plan.faults_end_us * world->plan.burst /
                                         (2 * world->plan.n_records + 1);
    sim_queue_put(&world->queue, world->now_us + sim_below(&app->rng, (uint32_t)pause + 1) + 100,
                  app_tick, app, 0);
}

bool sim_app_done(const struct sim_world *world)
{
    return world->app->phase == SIM_FINISHED;
}

bool sim_app_left_early(const struct sim_world *world)
{
    return world->app->early;
}

void sim_app_print(const struct sim_world *world, char *text, size_t cap)
{
    static const char *const phases[] = {"producing", "draining", "closing", "finished"};
    const struct sim_app *app = world->app;
    snprintf(text, cap,
             "%s: %u accepted%s, %u reported (%u delivered, %u not written, %u unknown), %u read%s",
             phases[app->phase], app->n_accepted, app->blocked ? " (blocked)" : "", app->n_reported,
             app->n_delivered, app->n_not_written, app->n_unknown, app->n_read,
             sim_app_all_read(app) ? " to the end" : "");
}

/* ---- life ---------------------------------------------------------------------------------- */

static int app_create_core(struct sim_world *world, struct sim_driver *driver)
{
    struct kw_config *cfg = sim_client_config(world, driver);
    struct kw_env env = {.alloc = sim_memory_alloc(&driver->memory)};
    struct kw_core *core = NULL;
    struct kw_error err;
    uint64_t seed = sim_mix(world->plan.seed + driver->idx);
    for (int id = 1; id < KW_N_CODECS; id++)
        env.codecs[id] = kw_codec_by_id(id);
    memcpy(env.seed, &seed, sizeof(seed));
    env.work_threads = (uint32_t)(seed % 3);
    env.crypto = &toy_crypto;
    toy_random_state = seed;
    int rc = cfg ? kw_core_create(&core, cfg, &env, &err) : KW_ERR_NOMEM;
    kw_config_destroy(cfg);
    if (rc != 0) {
        sim_fail(world, "create: %s", cfg ? err.text : "no memory");
        return rc;
    }
    sim_driver_attach(driver, core);
    return 0;
}

static void app_create_handles(struct sim_app *app)
{
    struct sim_world *world = app->world;
    struct sim_driver *writer = &world->drivers[0], *reader = app_consumer_driver(app);
    struct kw_error err;
    struct kw_config *cfg = sim_producer_config(world, writer);
    sim_driver_enter(writer);
    if (kw_core_producer_create(&app->producer, writer->core, cfg, &err) != 0)
        sim_fail(world, "producer: %s", err.text);
    kw_config_destroy(cfg);
    for (uint32_t i = 0; i < world->plan.n_topics && !world->failure[0]; i++) {
        if (kw_core_topic_open(&app->topics[i], app->producer, sim_topics[i], &err) != 0)
            sim_fail(world, "topic: %s", err.text);
    }
    sim_driver_leave(writer);
    cfg = sim_consumer_config(world, reader);
    sim_driver_enter(reader);
    if (kw_core_consumer_create(&app->consumer, reader->core, cfg, &err) != 0)
        sim_fail(world, "consumer: %s", err.text);
    kw_config_destroy(cfg);
    if (!world->failure[0])
        sim_app_assign(app);
    sim_driver_leave(reader);
}

int sim_app_init(struct sim_world *world)
{
    struct sim_app *app = calloc(1, sizeof(*app));
    if (!app)
        abort();
    app->world = world;
    app->rng = sim_rng_make(world->plan.seed, 5);
    app->record_bytes = malloc(SIM_RECORD_MAX);
    app->unsent = calloc(world->plan.n_records + 1, 1);
    app->canceled = calloc(world->plan.n_records + 1, 1);
    app->slips = calloc(world->plan.n_records + 1, sizeof(*app->slips));
    app->slip_of = calloc(world->plan.n_records + 1, sizeof(struct sim_slip *));
    app->loans = calloc(world->plan.n_records + 1, sizeof(*app->loans));
    memset(app->unsent_last, 0xff, sizeof(app->unsent_last));
    world->app = app;
    sim_checker_producer(&world->checker, 0,
                         &(struct sim_producer_rules){world->plan.idempotent, world->plan.acks != 0,
                                                      world->plan.acks != 0});
    for (uint32_t i = 0; i < world->n_drivers; i++) {
        if (app_create_core(world, &world->drivers[i]) != 0)
            return -1;
    }
    app_create_handles(app);
    if (world->failure[0])
        return -1;
    sim_queue_put(&world->queue, world->now_us, app_tick, app, 0);
    return 0;
}

void sim_app_deinit(struct sim_world *world)
{
    if (!world->app)
        return;
    kw_admin_result_destroy(world->app->admin_result);
    free(world->app->record_bytes);
    free(world->app->unsent);
    free(world->app->canceled);
    free(world->app->slips);
    free(world->app->slip_of);
    for (uint32_t i = 0; world->app->loans && i < world->plan.n_records; i++)
        free((void *)(uintptr_t)world->app->loans[i].ptr);
    free(world->app->loans);
    free(world->app);
    world->app = NULL;
}
