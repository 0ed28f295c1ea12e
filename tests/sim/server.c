/* tests/sim/server.c -- the brokers: moves bytes between the broker model and
 * the wire, and breaks brokers by the seed's plan: restarts, leaders that move
 * or vanish, stale metadata, error codes, answers dropped, late, cut, twice.
 *
 * Errors are chosen so that the truth stays decidable: an answer that claims
 * "nothing was applied" is only given when nothing was, and one that claims
 * success only when all was. */
#include "tests/sim/sim.h"
#include "tests/sim/log_reader.h"
#include "tests/support/toy_crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const sim_topics[SIM_TOPICS_MAX] = {"orders", "a.b-c_D", "t", "spare"};

void sim_server_enter(struct sim_world *world)
{
    kwi_mock_step(world->mock, sim_time(world));
}

void sim_server_pump(struct sim_link *link)
{
    struct sim_world *world = link->driver->world;
    while (link->server && !sim_server_stalled(link)) {
        struct kw_span span = kwi_mock_output(link->server);
        size_t room = link->down.n < world->plan.window ? world->plan.window - link->down.n : 0;
        size_t n = span.len < room ? span.len : room;
        if (link->down.ended)
            n = span.len; /* a broken connection swallows all */
        if (n == 0) {
            if (span.len == 0 && kwi_mock_closing(link->server))
                sim_wire_server_closed(link);
            break;
        }
        if (n > 64 && sim_one_in(&world->net_rng, 4))
            n = sim_between(&world->net_rng, 1, (uint32_t)n);
        sim_watch_said(link, span.ptr, n);
        sim_wire_push_down(link, span.ptr, n);
        kwi_mock_output_done(link->server, n);
    }
}

static void server_wake(void *target, uint64_t at_us)
{
    struct sim_world *world = target;
    if (world->server_wake_us != at_us)
        return;
    world->server_wake_us = UINT64_MAX;
    sim_server_enter(world);
    sim_server_leave(world);
}

void sim_server_leave(struct sim_world *world)
{
    struct kw_mock_conn *conn;
    while ((conn = kwi_mock_next_ready(world->mock))) {
        struct sim_link *link = kwi_mock_conn_user(conn);
        if (!link || link->server != conn)
            continue;
        sim_server_pump(link);
        if (link->server)
            sim_wire_feed(link);
    }
    uint64_t deadline = kwi_mock_deadline(world->mock);
    if (deadline <= world->now_us)
        deadline = world->now_us + 1;
    if (deadline != UINT64_MAX && deadline != world->server_wake_us) {
        world->server_wake_us = deadline;
        sim_queue_put(&world->queue, deadline, server_wake, world, deadline);
    }
}

/* ---- faults ------------------------------------------------------------------------- */

/* Faults of one API each, as the broker model reads them; %u is a period. */
static const char *const server_specs[] = {
    "produce:/%u:error=6",
    "produce:/%u:error=3",
    "produce:/%u:error=5",
    "produce:/%u:error=7",
    "produce:/%u:error=19",
    "produce:/%u:error=56",
    "produce:/%u:error-after=6",
    "produce:/%u:error-after=20",
    "produce:/%u:error-after=7",
    "produce:/%u:drop-request",
    "produce:/%u:drop-answer",
    "produce:/%u:close-before",
    "produce:/%u:close-after",
    "produce:/%u:cut=9",
    "produce:/%u:delay=300",
    "produce:/%u:late=900",
    "produce:/%u:throttle=200",
    "produce:/%u:omit",
    "produce:/%u:twice",
    "produce:/%u:unasked",
    "produce:/%u:error=2",
    "produce:/%u:error=87",
    "produce:/%u:error=10",
    "produce:/%u:error=29",
    "produce:/%u:error=45",
    "produce:/%u:error=59",
    "produce:/%u:error-after=-1",
    "produce:/%u:error=-1",
    "*:/%u:corrupt=3",
    "*:/%u:corrupt=5",
    "fetch:/%u:error=6",
    "fetch:/%u:error=3",
    "fetch:/%u:error=5",
    "fetch:/%u:error=9",
    "fetch:/%u:error=56",
    "fetch:/%u:drop-request",
    "fetch:/%u:drop-answer",
    "fetch:/%u:close-after",
    "fetch:/%u:cut=20",
    "fetch:/%u:delay=700",
    "fetch:/%u:throttle=100",
    "fetch:/%u:omit",
    "fetch:/%u:twice",
    "fetch:/%u:unasked",
    "metadata:/%u:error=5",
    "metadata:/%u:error=3",
    "metadata:/%u:drop-answer",
    "metadata:/%u:close-before",
    "metadata:/%u:cut=7",
    "metadata:/%u:omit",
    "metadata:/%u:delay=400",
    "apiversions:/%u:drop-answer",
    "apiversions:/%u:close-before",
    "initproducerid:/%u:error=14",
    "initproducerid:/%u:error=15",
    "initproducerid:/%u:drop-answer",
    "initproducerid:/%u:close-after",
    "listoffsets:/%u:error=6",
    "listoffsets:/%u:error=5",
    "listoffsets:/%u:drop-answer",
    "listoffsets:/%u:omit",
    "*:/%u:close-after",
    "*:/%u:delay=50",
};

static void server_add_specs(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->plan.n_specs; i++) {
        char spec[80];
        const char *why = NULL;
        struct kw_mock_fault fault;
        uint32_t which = sim_below(&world->fault_rng,
                                   sizeof(server_specs) / sizeof(server_specs[0]));
        snprintf(spec, sizeof(spec), server_specs[which], sim_between(&world->fault_rng, 2, 20));
        /* Without acknowledgements nothing tells the client that an append
         * failed, and nothing in the protocol promises more. */
        if (world->plan.acks == 0 && (spec[0] == 'p' || spec[0] == '*'))
            continue;
        if (kwi_mock_fault_parse(spec, &fault, &why) != 0)
            sim_fail(world, "fault \"%s\": %s", spec, why ? why : "?");
        else if (kwi_mock_fault_add(world->mock, &fault, &world->fault_ids[world->n_fault_ids]) ==
                 0)
            world->n_fault_ids++;
        else
            sim_fail(world, "fault \"%s\" was refused", spec);
        sim_trace_line(&world->trace, "    broker: fault %s", spec);
    }
}

static void server_restart(struct sim_world *world)
{
    uint32_t broker = sim_below(&world->fault_rng, world->plan.n_brokers);
    sim_trace_line(&world->trace, "    broker: %u %s", broker,
                   kwi_mock_broker_is_up(world->mock, broker) ? "goes down" : "comes up");
    if (kwi_mock_broker_is_up(world->mock, broker)) {
        kwi_mock_broker_down(world->mock, broker, false);
        sim_saw(world, SIM_SAW_RESTART);
    } else {
        kwi_mock_broker_up(world->mock, broker);
    }
}

static void server_move(struct sim_world *world)
{
    uint32_t topic = sim_below(&world->fault_rng, world->plan.n_topics);
    int32_t partition = (int32_t)sim_below(&world->fault_rng,
                                           (uint32_t)world->plan.n_partitions[topic]);
    int32_t broker = sim_one_in(&world->fault_rng, 6)
                         ? -1
                         : (int32_t)sim_below(&world->fault_rng, world->plan.n_brokers);
    struct kw_mock_partition_info before = {.leader = -1};
    if (kwi_mock_partition(world->mock, sim_topics[topic], partition, &before) != 0)
        sim_fail(world, "%s/%d is gone", sim_topics[topic], partition);
    int err = kwi_mock_set_leader(world->mock, sim_topics[topic], partition, broker);
    sim_trace_line(&world->trace, "    broker: leader of %s/%d is %d%s", sim_topics[topic],
                   partition, broker, err ? " (refused)" : "");
    if (!err && broker >= 0 && before.leader >= 0 && broker != before.leader)
        sim_saw(world, SIM_SAW_MOVE);
}

/* ---- stalls: a machine that hangs, or a network that carries nothing for a while ---- */

bool sim_server_stalled(const struct sim_link *link)
{
    const struct sim_world *world = link->driver->world;
    return link->broker < SIM_BROKERS_MAX && world->now_us < world->stalled_us[link->broker];
}

/* Everything that piled up is read at once, old connections first or last. */
static void server_resume(void *target, uint64_t broker)
{
    struct sim_world *world = target;
    bool backward = sim_one_in(&world->net_rng, 2);
    if (world->now_us < world->stalled_us[broker])
        return; /* it hangs again */
    sim_trace_line(&world->trace, "    broker: %u goes on", (unsigned)broker);
    sim_server_enter(world);
    for (uint32_t i = 0; i < world->n_drivers; i++) {
        const struct sim_driver *driver = &world->drivers[i];
        for (size_t k = 0, n = driver->n_links; k < n; k++) {
            struct sim_link *link = driver->links[backward ? n - 1 - k : k];
            if (link->broker != broker || !link->server)
                continue;
            sim_server_pump(link);
            sim_wire_feed(link);
        }
    }
    sim_server_leave(world);
}

static int server_set_address(struct sim_world *world, uint32_t broker, bool moved)
{
    char host[32];
    if (world->plan.names)
        snprintf(host, sizeof(host), "broker-%u.%s", broker, moved ? "moved" : "test");
    else
        snprintf(host, sizeof(host), "10.0.%d.%u", moved, broker + 1);
    return kwi_mock_set_address(world->mock, broker, host, SIM_PORT);
}

/* From the next metadata on the broker is at its other address. */
static void server_readdress(struct sim_world *world)
{
    uint32_t broker = sim_below(&world->fault_rng, world->plan.n_brokers);
    bool moved = sim_one_in(&world->fault_rng, 2);
    sim_trace_line(&world->trace, "    broker: %u is at address %d", broker, moved);
    sim_saw(world, SIM_SAW_READDRESS);
    if (server_set_address(world, broker, moved) != 0)
        sim_fail(world, "broker %u cannot move", broker);
}

static void server_stall(struct sim_world *world)
{
    uint32_t broker = sim_below(&world->fault_rng, world->plan.n_brokers);
    uint64_t end_us = world->now_us + sim_between(&world->fault_rng, 100000, 4000000);
    if (end_us < world->stalled_us[broker])
        return;
    sim_trace_line(&world->trace, "    broker: %u hangs", broker);
    sim_saw(world, SIM_SAW_STALL);
    world->stalled_us[broker] = end_us;
    sim_queue_put(&world->queue, end_us, server_resume, world, broker);
}

static void server_fault(void *target, uint64_t arg)
{
    struct sim_world *world = target;
    (void)arg;
    if (world->healed)
        return;
    sim_server_enter(world);
    if (world->plan.restarts && sim_one_in(&world->fault_rng, 3))
        server_restart(world);
    if (world->plan.leader_moves && sim_one_in(&world->fault_rng, 2))
        server_move(world);
    if (world->plan.stalls && sim_one_in(&world->fault_rng, 2))
        server_stall(world);
    if (world->plan.readdress && sim_one_in(&world->fault_rng, 3))
        server_readdress(world);
    if (world->plan.stale_metadata && sim_one_in(&world->fault_rng, 3))
        kwi_mock_freeze_metadata(world->mock, sim_below(&world->fault_rng, world->plan.n_brokers),
                                 sim_one_in(&world->fault_rng, 2));
    sim_server_leave(world);
    sim_queue_put(&world->queue, world->now_us + sim_between(&world->fault_rng, 1000, 1500000),
                  server_fault, world, 0);
}

void sim_server_heal(struct sim_world *world)
{
    sim_server_enter(world);
    for (uint32_t i = 0; i < world->n_fault_ids; i++) {
        if (kwi_mock_fault_remove(world->mock, world->fault_ids[i]) != 0)
            sim_fail(world, "a fault cannot be removed");
    }
    for (uint32_t i = 0; i < world->plan.n_brokers; i++) {
        if (!kwi_mock_broker_is_up(world->mock, i))
            kwi_mock_broker_up(world->mock, i);
        kwi_mock_freeze_metadata(world->mock, i, false);
        if (world->now_us < world->stalled_us[i]) {
            world->stalled_us[i] = world->now_us;
            sim_queue_put(&world->queue, world->now_us, server_resume, world, i);
        }
    }
    for (uint32_t topic = 0; topic < world->plan.n_topics; topic++) {
        for (int32_t i = 0; i < world->plan.n_partitions[topic]; i++) {
            struct kw_mock_partition_info info;
            if (kwi_mock_partition(world->mock, sim_topics[topic], i, &info) != 0 ||
                (info.leader < 0 && kwi_mock_set_leader(world->mock, sim_topics[topic], i, 0)))
                sim_fail(world, "%s/%d cannot be healed", sim_topics[topic], i);
        }
    }
    sim_server_leave(world);
}

/* ---- life --------------------------------------------------------------------------------- */

int sim_server_init(struct sim_world *world)
{
    static const struct kw_mock_user users[] = {{SIM_USER, SIM_PASSWORD}};
    const struct sim_plan *plan = &world->plan;
    const struct kw_mock_sasl sasl = {.mechanisms = KWI_MOCK_ALL_MECHANISMS,
                                      .users = users,
                                      .n_users = 1,
                                      .session_ms = plan->session_ms,
                                      .crypto = &toy_crypto};
    uint16_t ports[SIM_BROKERS_MAX] = {SIM_PORT, SIM_PORT, SIM_PORT};
    struct kw_mock_config config = {0};
    sim_memory_init(&world->mock_memory, SIM_MEMORY_PLAIN);
    config.alloc = sim_memory_alloc(&world->mock_memory);
    config.n_brokers = plan->n_brokers;
    config.ports = ports;
    config.crc32c = kwi_crc32c_portable;
    memcpy(config.seed, &plan->seed, sizeof(plan->seed));
    world->server_wake_us = UINT64_MAX;
    if (kwi_mock_release(plan->release, &config.versions, &config.n_versions) != 0 ||
        kwi_mock_create(&world->mock, &config) != 0)
        return -1;
    kwi_mock_step(world->mock, sim_time(world));
    for (uint32_t i = 0; i < plan->n_brokers; i++) {
        if (server_set_address(world, i, false) != 0)
            return -1;
    }
    for (uint32_t i = 0; i < plan->n_topics; i++) {
        if (kwi_mock_create_topic(world->mock, sim_topics[i], plan->n_partitions[i]) != 0)
            return -1;
    }
    if (plan->sasl && kwi_mock_set_sasl(world->mock, &sasl) != 0)
        return -1;
    server_add_specs(world);
    sim_queue_put(&world->queue, world->now_us + 500000, server_fault, world, 0);
    return 0;
}

void sim_server_deinit(struct sim_world *world)
{
    kwi_mock_destroy(world->mock);
    world->mock = NULL;
    sim_memory_deinit(&world->mock_memory);
}

/* ---- for the checker ------------------------------------------------------------------------ */

struct server_teller {
    struct sim_world *world;
    struct sim_place place;
    int64_t next;
};

/* A record's number stands in the last 8 digits of its value, key or header
 * (app.c builds it so). */
static uint32_t record_number(const struct sim_log_record *record)
{
    struct kw_bytes from[3] = {record->value, record->key, record->headers};
    for (size_t i = 0; i < 3; i++) {
        if (from[i].len < 8)
            continue;
        const uint8_t *digits = (const uint8_t *)from[i].ptr + from[i].len - 8;
        uint32_t number = 0;
        size_t n = 0;
        for (; n < 8 && digits[n] >= '0' && digits[n] <= '9'; n++)
            number = number * 10 + (uint32_t)(digits[n] - '0');
        if (n == 8)
            return number;
    }
    return SIM_NO_ID;
}

static void tell_record(void *ctx, const struct sim_log_record *record)
{
    struct server_teller *teller = ctx;
    if (record->offset != teller->next)
        sim_fail(teller->world, "the log of %u/%d has a hole at %lld", teller->place.topic,
                 teller->place.partition, (long long)teller->next);
    teller->next = record->offset + 1;
    if (record->producer_epoch > 0)
        sim_saw(teller->world, SIM_SAW_EPOCH);
    sim_checker_log(&teller->world->checker, teller->place, record_number(record),
                    sim_content_hash(record->key, record->value, record->headers),
                    record->timestamp_ms);
}

void sim_server_tell_logs(struct sim_world *world)
{
    for (uint32_t topic = 0; topic < world->plan.n_topics; topic++) {
        for (int32_t i = 0; i < world->plan.n_partitions[topic]; i++) {
            struct server_teller teller = {world, {topic, i}, 0};
            int64_t offset = 0;
            struct kw_mock_batch batch;
            while (kwi_mock_log(world->mock, sim_topics[topic], i, &offset, &batch)) {
                const char *why;
                if (sim_log_read(batch.ptr, batch.len, tell_record, &teller, &why) < 0)
                    sim_fail(world, "%s/%d: batch at %lld is malformed: %s", sim_topics[topic], i,
                             (long long)batch.base_offset, why);
            }
        }
    }
}
