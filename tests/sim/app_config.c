/* tests/sim/app_config.c -- a seed's settings as the client reads them. */
#include "tests/sim/app.h"

#include <kwire/codec.h>
#include <stdio.h>
#include <string.h>

enum { MAX_REQUEST = 64 << 10 };

static void set(struct sim_world *world, struct kw_config *cfg, const char *key, const char *value)
{
    struct kw_error err;
    if (kw_config_set(cfg, key, value, &err) != 0)
        sim_fail(world, "config %s=%s: %s", key, value, err.text);
}

static void set_number(struct sim_world *world, struct kw_config *cfg, const char *key,
                       long long value)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", value);
    set(world, cfg, key, text);
}

static struct kw_config *create(struct sim_world *world, struct sim_driver *driver)
{
    struct kw_config *cfg = NULL;
    struct kw_alloc alloc = sim_memory_alloc(&driver->memory);
    if (kw_config_create(&cfg, &alloc) != 0)
        sim_fail(world, "no configuration");
    return cfg;
}

struct kw_config *sim_client_config(struct sim_world *world, struct sim_driver *driver)
{
    const struct sim_plan *plan = &world->plan;
    struct kw_config *cfg = create(world, driver);
    char servers[160] = "";
    if (!cfg)
        return NULL;
    for (uint32_t i = 0; i < plan->n_brokers; i++) {
        size_t len = strlen(servers);
        snprintf(servers + len, sizeof(servers) - len,
                 plan->names ? "%sbroker-%u.test:%d" : "%s10.0.0.%u:%d", i ? "," : "",
                 plan->names ? i : i + 1, SIM_PORT);
    }
    set(world, cfg, "bootstrap.servers", servers);
    if (plan->canonical)
        set(world, cfg, "client.dns.lookup", "resolve_canonical_bootstrap_servers_only");
    set_number(world, cfg, "request.timeout.ms", plan->request_timeout_ms);
    set_number(world, cfg, "retry.backoff.ms", 10);
    set_number(world, cfg, "retry.backoff.max.ms", plan->backoff_max_ms);
    set_number(world, cfg, "reconnect.backoff.ms", 10);
    set_number(world, cfg, "reconnect.backoff.max.ms", plan->backoff_max_ms);
    set_number(world, cfg, "socket.connection.setup.timeout.ms", 200);
    set_number(world, cfg, "socket.connection.setup.timeout.max.ms", plan->setup_timeout_max_ms);
    set_number(world, cfg, "socket.connection.attempt.delay.ms", plan->attempt_delay_ms);
    set_number(world, cfg, "metadata.max.age.ms", plan->metadata_max_age_ms);
    set_number(world, cfg, "connections.max.idle.ms", plan->idle_ms);
    set_number(world, cfg, "memory.limit", (long long)sim_plan_memory_limit(plan));
    set_number(world, cfg, "control.memory", SIM_CONTROL_MEMORY);
    set_number(world, cfg, "buffer.memory", plan->buffer_memory);
    set_number(world, cfg, "fetch.memory", plan->fetch_memory);
    if (plan->sasl) {
        set(world, cfg, "security.protocol", "SASL_PLAINTEXT");
        set(world, cfg, "sasl.allow.plaintext", "true");
        set(world, cfg, "sasl.mechanism", plan->sasl);
        set(world, cfg, "sasl.username", SIM_USER);
        set(world, cfg, "sasl.password", SIM_PASSWORD);
        set(world, cfg, "sasl.oauthbearer.token", SIM_USER);
    }
    return cfg;
}

struct kw_config *sim_producer_config(struct sim_world *world, struct sim_driver *driver)
{
    const struct sim_plan *plan = &world->plan;
    struct kw_config *cfg = create(world, driver);
    if (!cfg)
        return NULL;
    set(world, cfg, "acks", plan->acks < 0 ? "all" : plan->acks ? "1" : "0");
    set(world, cfg, "enable.idempotence", plan->idempotent ? "true" : "false");
    set_number(world, cfg, "max.in.flight.requests.per.connection", plan->in_flight);
    set_number(world, cfg, "linger.ms", plan->linger_ms);
    set_number(world, cfg, "batch.size", plan->batch_size);
    set_number(world, cfg, "delivery.timeout.ms", plan->delivery_timeout_ms);
    set_number(world, cfg, "max.request.size", MAX_REQUEST);
    if (plan->codec)
        set(world, cfg, "compression.type", kw_codec_by_id(plan->codec)->name);
    return cfg;
}

struct kw_config *sim_consumer_config(struct sim_world *world, struct sim_driver *driver)
{
    const struct sim_plan *plan = &world->plan;
    struct kw_config *cfg = create(world, driver);
    if (!cfg)
        return NULL;
    set_number(world, cfg, "max.partition.fetch.bytes", plan->partition_fetch_bytes);
    set_number(world, cfg, "fetch.max.wait.ms", plan->request_timeout_ms / 4);
    set(world, cfg, "auto.offset.reset", "earliest");
    return cfg;
}
