/* tests/sim/world.c -- runs one seed: the loop over the event heap, the end of
 * the faults, the bound on recovery, the verdict. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_MAX = 4000000,
    /* What a core takes besides its three reserves: itself and its settings. */
    MEMORY_OVERHEAD = 64 << 10
};

void sim_fail(struct sim_world *world, const char *format, ...)
{
    char text[sizeof(world->failure)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sim_trace_line(&world->trace, "FAILED: %s", text);
    if (!world->failure[0])
        memcpy(world->failure, text, sizeof(text));
}

/* The wall clock of an odd host jumps by hours, both ways. */
struct kw_time sim_time(const struct sim_world *world)
{
    struct kw_time time = {world->now_us, world->wall_ms + (int64_t)(world->now_us / 1000)};
    if (world->plan.odd_clock)
        time.wall_ms += (int64_t)(sim_mix(world->now_us / 700000) % 14400000) - 7200000;
    return time;
}

static void world_heal(void *target, uint64_t arg)
{
    struct sim_world *world = target;
    (void)arg;
    world->healed = true;
    world->healed_us = world->now_us;
    sim_trace_line(&world->trace, "    net and brokers are healed");
    sim_server_heal(world);
}

static void world_check_limits(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->n_drivers; i++) {
        const struct sim_memory *memory = &world->drivers[i].memory;
        size_t limit = world->memory_limit + MEMORY_OVERHEAD;
        if (memory->used > limit)
            sim_fail(world, "I9: core %u holds %zu bytes, the limit is %zu", i, memory->used,
                     limit);
        if (memory->damaged)
            sim_fail(world, "core %u damaged its memory", i);
    }
}

static void world_loop(struct sim_world *world)
{
    struct sim_event event;
    while (!world->failure[0] && !sim_app_done(world)) {
        if (!sim_queue_take(&world->queue, &event)) {
            sim_fail(world, "nothing will ever happen again");
            break;
        }
        world->now_us = event.at_us;
        event.run(event.target, event.arg);
        world_check_limits(world);
        if (++world->n_events > EVENTS_MAX)
            sim_fail(world, "more than %d events", EVENTS_MAX);
        if (world->healed && world->now_us > world->healed_us + world->plan.bound_us)
            sim_fail(world, "I11: no full progress %llu ms after the last fault",
                     (unsigned long long)world->plan.bound_us / 1000);
    }
}

/* What is still on its way to the brokers arrives, so that "not written" is
 * judged against everything that could have been. */
static void world_settle(struct sim_world *world)
{
    struct sim_event event;
    uint64_t end_us = world->now_us + 10000000;
    while (!world->failure[0] && sim_queue_next(&world->queue) < end_us) {
        if (!sim_queue_take(&world->queue, &event))
            break;
        world->now_us = event.at_us;
        event.run(event.target, event.arg);
    }
}

static void world_judge(struct sim_world *world, bool all_read)
{
    sim_server_tell_logs(world);
    if (sim_checker_judge(&world->checker, all_read) > 0)
        sim_fail(world, "%s", world->checker.texts[0]);
    for (size_t i = 0; i < world->checker.n_texts; i++)
        sim_trace_line(&world->trace, "checker: %s", world->checker.texts[i]);
    struct kw_stats stats;
    kw_core_stats(world->drivers[0].core, &stats);
    if (stats.batch_retries > 0)
        sim_saw(world, SIM_SAW_RETRY);
    if (stats.records_accepted !=
        stats.records_delivered + stats.records_not_written + stats.records_unknown)
        sim_fail(world, "stats: %llu accepted, %llu + %llu + %llu reported",
                 (unsigned long long)stats.records_accepted,
                 (unsigned long long)stats.records_delivered,
                 (unsigned long long)stats.records_not_written,
                 (unsigned long long)stats.records_unknown);
}

static void world_init(struct sim_world *world, uint64_t seed, enum sim_memory_kind kind,
                       enum sim_verbosity verbosity)
{
    memset(world, 0, sizeof(*world));
    sim_plan_make(&world->plan, seed);
    world->memory_limit = sim_plan_memory_limit(&world->plan);
    sim_trace_init(&world->trace, &world->now_us, verbosity != SIM_QUIET, verbosity == SIM_PRINT);
    world->net_rng = sim_rng_make(seed, 2);
    world->fault_rng = sim_rng_make(seed, 3);
    world->now_us = 1000000 + sim_below(&world->net_rng, 1000000);
    world->wall_ms = 1790000000000;
    sim_checker_init(&world->checker);
    world->n_drivers = world->plan.two_cores ? 2 : 1;
    for (uint32_t i = 0; i < world->n_drivers; i++) {
        struct sim_driver *driver = &world->drivers[i];
        driver->world = world;
        driver->idx = i;
        driver->rng = sim_rng_make(seed, 10 + i);
        sim_memory_init(&driver->memory, kind);
    }
}

static void world_deinit(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->n_drivers; i++) {
        struct sim_driver *driver = &world->drivers[i];
        sim_driver_deinit(driver);
        if (driver->memory.n_live > 0 || driver->memory.used > 0)
            sim_fail(world, "core %u leaked %zu bytes in %llu blocks", i, driver->memory.used,
                     (unsigned long long)driver->memory.n_live);
        if (driver->memory.damaged)
            sim_fail(world, "core %u damaged its memory", i);
        sim_memory_deinit(&driver->memory);
    }
    sim_app_deinit(world);
    sim_server_deinit(world);
    sim_queue_deinit(&world->queue);
    sim_checker_deinit(&world->checker);
}

void sim_run(uint64_t seed, enum sim_memory_kind kind, enum sim_verbosity verbosity,
             struct sim_result *result)
{
    struct sim_world *world = calloc(1, sizeof(*world));
    if (!world)
        abort();
    char text[1024];
    world_init(world, seed, kind, verbosity);
    sim_plan_print(&world->plan, text, sizeof(text));
    if (verbosity != SIM_QUIET)
        fprintf(stderr, "%s\n", text);
    if (sim_server_init(world) != 0)
        sim_fail(world, "the broker model did not start");
    if (!world->failure[0] && sim_app_init(world) == 0) {
        sim_queue_put(&world->queue, world->now_us + world->plan.faults_end_us, world_heal, world,
                      0);
        world_loop(world);
        if (world->failure[0])
            sim_app_print(world, text, sizeof(text));
        result->recovery_us = world->healed ? world->now_us - world->healed_us : 0;
        world_settle(world);
        if (!world->failure[0])
            world_judge(world, !sim_app_left_early(world));
        else
            sim_trace_line(&world->trace, "app is %s", text);
    }
    result->n_records = world->checker.n_records;
    result->hash = world->trace.hash;
    result->n_words = world->trace.n_words;
    result->n_events = world->n_events;
    result->virtual_us = world->now_us;
    memcpy(result->n_seen, world->n_seen, sizeof(result->n_seen));
    result->n_connects = world->n_connects;
    result->memory_peak = world->drivers[0].memory.peak;
    world_deinit(world);
    result->ok = !world->failure[0];
    memcpy(result->failure, world->failure, sizeof(result->failure));
    if (verbosity == SIM_KEEP)
        sim_trace_tail(&world->trace);
    sim_trace_deinit(&world->trace);
    free(world);
}

bool sim_check_seed(uint64_t seed, struct sim_result *result)
{
    struct sim_result other = {0};
    memset(result, 0, sizeof(*result));
    sim_run(seed, SIM_MEMORY_PLAIN, SIM_QUIET, result);
    if (result->ok) {
        sim_run(seed, SIM_MEMORY_ARENA, SIM_QUIET, &other);
        if (!other.ok || other.hash != result->hash || other.n_words != result->n_words) {
            result->ok = false;
            snprintf(result->failure, sizeof(result->failure),
                     other.ok ? "law 5: two allocators, two traces%s" : "under the arena: %.190s",
                     other.ok ? "" : other.failure);
        }
    }
    if (!result->ok) {
        struct sim_result again = {0};
        fprintf(stderr, "---- seed %llu failed: %s\n", (unsigned long long)seed, result->failure);
        sim_run(seed, SIM_MEMORY_PLAIN, SIM_KEEP, &again);
        fprintf(stderr, "---- replay: KW_SIM_SEED=%llu\n", (unsigned long long)seed);
    }
    return result->ok;
}
