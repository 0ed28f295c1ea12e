/* tests/sim/plan.c -- rolls a seed's subset of faults and habits. */
#include "tests/sim/plan.h"
#include "tests/sim/rng.h"

#include <kwire/codec.h>
#include <stdio.h>
#include <string.h>

static void plan_cluster(struct sim_plan *plan, struct sim_rng *rng)
{
    static const char *const releases[] = {"2.1", "2.8", "3.3", "3.9", "4.0", "4.3"};
    plan->n_brokers = sim_between(rng, 1, 3);
    plan->n_topics = sim_between(rng, 1, 3);
    for (uint32_t i = 0; i < plan->n_topics; i++)
        plan->n_partitions[i] = (int32_t)sim_between(rng, 1, sim_one_in(rng, 4) ? 8 : 3);
    plan->release = releases[sim_one_in(rng, 2) ? 5 : sim_below(rng, 6)];
    plan->restarts = sim_one_in(rng, 3);
    plan->leader_moves = plan->n_brokers > 1 && sim_one_in(rng, 3);
    plan->stale_metadata = plan->n_brokers > 1 && sim_one_in(rng, 6);
    plan->n_specs = sim_one_in(rng, 2) ? sim_between(rng, 1, 5) : 0;
}

static void plan_network(struct sim_plan *plan, struct sim_rng *rng)
{
    static const uint32_t delays[] = {0, 50, 500, 5000, 40000};
    plan->chunk_up = (enum sim_chunk)sim_below(rng, 4);
    plan->chunk_down = (enum sim_chunk)sim_below(rng, 4);
    plan->delay_up_us = delays[sim_below(rng, 5)];
    plan->delay_down_us = sim_one_in(rng, 2) ? plan->delay_up_us : delays[sim_below(rng, 5)];
    plan->cut_frames = sim_one_in(rng, 3) ? 0 : 50;
    plan->half_open = sim_one_in(rng, 3);
    plan->late_requests = sim_one_in(rng, 3);
    plan->refuse_percent = sim_one_in(rng, 3) ? sim_between(rng, 1, 40) : 0;
    plan->blackhole_percent = sim_one_in(rng, 4) ? sim_between(rng, 1, 30) : 0;
    plan->window = sim_one_in(rng, 3) ? sim_between(rng, 1, 2000) : 1 << 20;
}

static void plan_driver(struct sim_plan *plan, struct sim_rng *rng)
{
    plan->names = sim_one_in(rng, 2);
    plan->resolve_fail_percent = sim_one_in(rng, 4) ? 30 : 0;
    plan->late_writes = sim_one_in(rng, 2);
    plan->early_reads = sim_one_in(rng, 2);
    plan->short_reads = sim_one_in(rng, 2);
    plan->late_close = sim_one_in(rng, 2);
    plan->lazy_wants = sim_one_in(rng, 3);
    plan->odd_clock = sim_one_in(rng, 4);
    plan->slack_us = sim_one_in(rng, 4) ? sim_between(rng, 1, 200000) : 0;
}

static void plan_client(struct sim_plan *plan, struct sim_rng *rng)
{
    plan->idempotent = !sim_one_in(rng, 4);
    plan->acks = plan->idempotent || sim_one_in(rng, 3) ? -1 : (int)sim_below(rng, 2);
    /* Without idempotence order holds with one in flight only. */
    plan->in_flight = !plan->idempotent ? 1 : sim_one_in(rng, 2) ? 5 : sim_between(rng, 1, 5);
    plan->two_cores = sim_one_in(rng, 4);
    plan->shared_consumer_config = sim_one_in(rng, 2);
    plan->linger_ms = sim_one_in(rng, 2) ? 0 : sim_between(rng, 1, 100);
    plan->batch_size = sim_one_in(rng, 2) ? 16384 : sim_between(rng, 256, 3000);
    plan->buffer_memory = sim_one_in(rng, 3) ? 160 << 10 : 2 << 20;
    plan->fetch_memory = sim_one_in(rng, 3) ? sim_between(rng, 132, 300) << 10 : 2 << 20;
    plan->partition_fetch_bytes = sim_one_in(rng, 3) ? sim_between(rng, 1024, 5000) : 64 << 10;
    plan->request_timeout_ms = sim_between(rng, 500, 2500);
    plan->delivery_timeout_ms = plan->request_timeout_ms + plan->linger_ms +
                                (sim_one_in(rng, 3) ? sim_below(rng, 500) : 60000);
    plan->backoff_max_ms = sim_between(rng, 50, 800);
    plan->setup_timeout_max_ms = sim_between(rng, 300, 1500);
    plan->metadata_max_age_ms = sim_between(rng, 1000, 10000);
    plan->idle_ms = sim_one_in(rng, 4) ? sim_between(rng, 1000, 3000) : 540000;
}

/* One fetch must fit into its time: a network that is too slow for what is asked
 * of it fails whatever the client does. */
static void plan_feasible(struct sim_plan *plan)
{
    uint64_t bytes = plan->partition_fetch_bytes + plan->batch_size + 1000u;
    uint64_t way_us = plan->delay_up_us + plan->delay_down_us + 100u;
    uint64_t least = bytes * way_us / (plan->request_timeout_ms * 250ull) + 1;

    if (plan->window < least)
        plan->window = (uint32_t)least;
}

static void plan_workload(struct sim_plan *plan, struct sim_rng *rng)
{
    plan->n_records = sim_between(rng, 300, 800);
    plan->value_max = sim_one_in(rng, 3) ? 600 : 60;
    plan->burst = sim_between(rng, 1, 60);
    plan->flush = sim_one_in(rng, 3);
    plan->purge = sim_one_in(rng, 6);
    plan->seek = sim_one_in(rng, 4);
    plan->pause = sim_one_in(rng, 4);
    plan->early_close = sim_one_in(rng, 8);
    plan->lazy_events = sim_one_in(rng, 4);
    plan->hold_records = sim_one_in(rng, 3);
    plan->admin = sim_one_in(rng, 4);
    plan->big_records = sim_one_in(rng, 8);
    /* A byte a call is dear: fewer records make up for it. */
    if (plan->chunk_up == SIM_CHUNK_ONE || plan->chunk_down == SIM_CHUNK_ONE ||
        plan->window < 300) {
        plan->n_records = sim_between(rng, 150, 300);
        plan->value_max = 60;
        plan->big_records = false;
    }
}

/* Half of those with room for the codecs' contexts compress. From its own
 * numbers, so that a build without a codec plans the same otherwise. */
static void plan_codec(struct sim_plan *plan)
{
    struct sim_rng rng = sim_rng_make(plan->seed, 11);
    int codec = (int)sim_between(&rng, 1, KW_N_CODECS - 1);

    if (plan->fetch_memory >= 2 << 20 && plan->buffer_memory >= 2 << 20 && sim_one_in(&rng, 2) &&
        kw_codec_by_id(codec))
        plan->codec = codec;
}

/* Of some, the brokers hang and the time for delivery is short, so that batches
 * expire in flight; and of most of these the driver holds their bytes until the
 * other machine has them, so that what is freed too early is in use again while
 * it is lent. */
static void plan_hang(struct sim_plan *plan)
{
    struct sim_rng rng = sim_rng_make(plan->seed, 12);
    plan->stalls = sim_one_in(&rng, 4);
    if (!plan->stalls || sim_one_in(&rng, 3))
        return;
    plan->late_writes = plan->zero_copy = !sim_one_in(&rng, 4);
    plan->delivery_timeout_ms = plan->request_timeout_ms + plan->linger_ms +
                                sim_below(&rng, sim_one_in(&rng, 2) ? 20 : 300);
}

/* From its own numbers, too. */
static void plan_receipts(struct sim_plan *plan)
{
    struct sim_rng rng = sim_rng_make(plan->seed, 13);

    plan->receipts = sim_one_in(&rng, 3);
}

/* Large values need a network that carries them. */
static void plan_by_ref(struct sim_plan *plan)
{
    struct sim_rng rng = sim_rng_make(plan->seed, 16);

    plan->by_ref = sim_one_in(&rng, 4) && plan->chunk_up != SIM_CHUNK_ONE &&
                   plan->chunk_down != SIM_CHUNK_ONE;
    if (plan->by_ref)
        plan->window = 1 << 20;
}

/* Of a third, clients authenticate; sessions are shorter than a run. */
static void plan_sasl(struct sim_plan *plan)
{
    static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512",
                                             "OAUTHBEARER"};
    struct sim_rng rng = sim_rng_make(plan->seed, 14);

    if (!sim_one_in(&rng, 3))
        return;
    plan->sasl = mechanisms[sim_below(&rng, 4)];
    plan->session_ms = sim_one_in(&rng, 4) ? 0 : sim_between(&rng, 1100, 4000);
}

/* Names with addresses that race, and brokers whose address changes. */
static void plan_addresses(struct sim_plan *plan)
{
    struct sim_rng rng = sim_rng_make(plan->seed, 15);

    plan->attempt_delay_ms = sim_one_in(&rng, 2) ? 250 : sim_between(&rng, 10, 100);
    plan->slow_connect_us = sim_one_in(&rng, 3) ? 150000 : 0;
    plan->readdress = sim_one_in(&rng, 3);
    plan->canonical = sim_one_in(&rng, 6);
}

void sim_plan_make(struct sim_plan *plan, uint64_t seed)
{
    struct sim_rng rng = sim_rng_make(seed, 1);
    memset(plan, 0, sizeof(*plan));
    plan->seed = seed;
    plan_cluster(plan, &rng);
    plan_network(plan, &rng);
    plan_driver(plan, &rng);
    plan_client(plan, &rng);
    plan_feasible(plan);
    plan_workload(plan, &rng);
    plan_codec(plan);
    plan_hang(plan);
    plan_receipts(plan);
    plan_by_ref(plan);
    plan_sasl(plan);
    plan_addresses(plan);
    plan->faults_end_us = 1000000ull * sim_between(&rng, 2, 12);
    /* After the last fault: what was sent into a dead connection must time out,
     * then come a back-off, a connect that may itself hit a last dead address,
     * and metadata; a little more for the data itself. */
    plan->bound_us = 1000ull * (2 * plan->backoff_max_ms + 3 * plan->request_timeout_ms +
                                2 * plan->setup_timeout_max_ms + 10000);
}

size_t sim_plan_memory_limit(const struct sim_plan *plan)
{
    return SIM_CONTROL_MEMORY + plan->buffer_memory + plan->fetch_memory;
}

void sim_plan_print(const struct sim_plan *plan, char *text, unsigned cap)
{
    static const char *const chunks[] = {"1", "small", "random", "large"};
    snprintf(
        text, cap,
        "seed %llu: %u brokers (%s), topics %d/%d/%d, chunks %s/%s, delay %u/%u us, cut 1/%u, "
        "window %u, codec %d,%s%s%s%s%s%s%s%s%s%s%s%s%s%s refuse %u%%, blackhole %u%%, acks "
        "%d%s, in flight %u%s, "
        "records %u x %u, linger %u, batch %u, timeouts %u/%u ms,%s%s%s%s%s%s%s%s%s%s specs %u, "
        "sasl %s/%u, race %u ms, slow connect %u us%s%s%s",
        (unsigned long long)plan->seed, plan->n_brokers, plan->release, plan->n_partitions[0],
        plan->n_partitions[1], plan->n_partitions[2], chunks[plan->chunk_up],
        chunks[plan->chunk_down], plan->delay_up_us, plan->delay_down_us, plan->cut_frames,
        plan->window, plan->codec, plan->half_open ? " half-open" : "",
        plan->late_requests ? " late-requests" : "", plan->names ? " names" : "",
        plan->late_writes ? " late-writes" : "", plan->zero_copy ? " zero-copy" : "",
        plan->early_reads ? " early-reads" : "", plan->short_reads ? " short-reads" : "",
        plan->late_close ? " late-close" : "", plan->lazy_wants ? " lazy-wants" : "",
        plan->odd_clock ? " odd-clock" : "", plan->restarts ? " restarts" : "",
        plan->leader_moves ? " leader-moves" : "", plan->stale_metadata ? " stale-metadata" : "",
        plan->stalls ? " stalls" : "", plan->refuse_percent, plan->blackhole_percent, plan->acks,
        plan->idempotent ? " idempotent" : "", plan->in_flight, plan->two_cores ? " two-cores" : "",
        plan->n_records, plan->value_max, plan->linger_ms, plan->batch_size,
        plan->request_timeout_ms, plan->delivery_timeout_ms, plan->flush ? " flush" : "",
        plan->purge ? " purge" : "", plan->seek ? " seek" : "", plan->pause ? " pause" : "",
        plan->early_close ? " early-close" : "", plan->lazy_events ? " lazy-events" : "",
        plan->hold_records ? " hold" : "", plan->receipts ? " receipts" : "",
        plan->admin ? " admin" : "", plan->big_records ? " big" : "", plan->n_specs,
        plan->sasl ? plan->sasl : "none", plan->session_ms, plan->attempt_delay_ms,
        plan->slow_connect_us, plan->readdress ? " readdress" : "",
        plan->canonical ? " canonical" : "", plan->by_ref ? " by-ref" : "");
}
