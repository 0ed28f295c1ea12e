/* A gateway: a hundred groups in one client, each with a consumer of its own, which come
 * and go while the others work. Nobody gets what is another's, each record is handled
 * once, and the memory is the same after each round.
 *
 * covers: G18 G28 M02 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/consumer.h"
#include "tests/sim/pair.h"

enum { TENANTS = 100, PARTS = 2, ROUNDS = 4, EACH = 10, MEMORY = 12 << 20 };

struct tenant {
    char topic[24], group[24];
    struct kw_topic *out;
    struct kw_consumer *consumer;
    struct kw_op *closing;
    unsigned n_made, n_got, n_lost, n_error;
    uint8_t seen[PARTS][ROUNDS * EACH * 4];
    bool starts; /* in this round */
};

static struct gateway {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct tenant tenants[TENANTS];
    unsigned n_closed, n_bad, n_live;
} gate;

static struct tenant *tenant_of(const struct kw_consumer *consumer)
{
    for (int i = 0; consumer && i < TENANTS; i++) {
        if (gate.tenants[i].consumer == consumer)
            return &gate.tenants[i];
    }
    return NULL;
}

static void on_event(void *ctx, const struct kw_event *event)
{
    struct tenant *tenant = tenant_of(event->consumer);
    (void)ctx;
    if (event->kind == KW_EVENT_OP_DONE) {
        tenant = event->tag;
        cr_assert_eq(event->op, tenant->closing);
        gate.n_bad += event->code != 0;
        gate.n_closed++;
        tenant->closing = NULL;
        tenant->consumer = NULL;
        return;
    }
    if (event->kind == KW_EVENT_ERROR || event->kind == KW_EVENT_COMMIT_FAILED)
        gate.n_bad++;
    if (!tenant)
        return;
    tenant->n_lost += event->kind == KW_EVENT_LOST;
    for (size_t i = 0; event->kind == KW_EVENT_ASSIGNED && i < event->n_partitions; i++)
        gate.n_bad += strcmp(event->partitions[i].topic, tenant->topic) != 0;
}

static void begin(void)
{
    static const char *const settings[] = {"retry.backoff.ms=20",
                                           "reconnect.backoff.ms=10",
                                           "request.timeout.ms=2000",
                                           "memory.limit=12582912",
                                           "control.memory=5000000",
                                           "buffer.memory=2000000",
                                           "batch.size=1000",
                                           "max.request.size=20000",
                                           "linger.ms=0",
                                           NULL};
    const struct kw_mock_config brokers = {
        .n_brokers = 2, .group_session_ms = 3000, .group_heartbeat_ms = 500};
    memset(&gate, 0, sizeof gate);
    cr_assert_eq(sim_pair_init_of(&gate.pair, SIM_MEMORY_PLAIN, &brokers, 1), 0);
    kwi_mock_set_coordinator(gate.pair.mock, 0);
    gate.pair.on_event = on_event;
    gate.pair.ctx = &gate;
    cr_assert_eq(sim_pair_core(&gate.pair, settings, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&gate.producer, gate.pair.core, NULL, NULL), 0);
    for (int i = 0; i < TENANTS; i++) {
        struct tenant *tenant = &gate.tenants[i];
        snprintf(tenant->topic, sizeof tenant->topic, "topic-%d", i);
        snprintf(tenant->group, sizeof tenant->group, "group-%d", i);
        cr_assert_eq(kwi_mock_create_topic(gate.pair.mock, tenant->topic, PARTS), 0);
        cr_assert_eq(kw_core_topic_open(&tenant->out, gate.producer, tenant->topic, NULL), 0);
    }
    sim_pair_step(&gate.pair, 10000);
}

/* Every third one is a member of a KIP-848 group; budgets differ. */
static void start(int i)
{
    struct tenant *tenant = &gate.tenants[i];
    const char *topics[] = {tenant->topic};
    char group[32];
    const char *settings[] = {group,
                              "auto.offset.reset=earliest",
                              "auto.commit.interval.ms=50",
                              "fetch.max.wait.ms=100",
                              i % 2 ? "fetch.max.bytes=20000" : "fetch.max.bytes=40000",
                              i % 3 ? "session.timeout.ms=3000" : "group.protocol=consumer",
                              i % 3 ? "heartbeat.interval.ms=500" : NULL,
                              NULL};
    struct kw_config *own = NULL;
    struct kw_error err;
    snprintf(group, sizeof group, "group.id=%s", tenant->group);
    cr_assert_eq(sim_pair_config(&gate.pair, &own, settings), 0);
    cr_assert_eq(kw_core_consumer_create(&tenant->consumer, gate.pair.core, own, &err), 0, "%s",
                 err.text);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_subscribe(tenant->consumer, topics, 1, &err), 0, "%s", err.text);
}

static void stop(int i)
{
    struct tenant *tenant = &gate.tenants[i];
    tenant->closing = kw_core_consumer_close(tenant->consumer, KW_LEAVE_DEFAULT, 5000, tenant);
    cr_assert_not_null(tenant->closing);
}

static void make(int i, unsigned n)
{
    char text[8];
    struct kw_record record = {.flags = KW_REC_PARTITION};
    snprintf(text, sizeof text, "%d", i);
    record.value = (struct kw_bytes){text, strlen(text)};
    for (unsigned k = 0; k < n; k++) {
        record.partition = (int32_t)(k % PARTS);
        int rc;
        while ((rc = kw_core_produce(gate.tenants[i].out, &record)) == KW_ERR_WOULD_BLOCK)
            sim_pair_step(&gate.pair, 10000);
        cr_assert_geq(rc, 0);
        gate.tenants[i].n_made++;
    }
}

static void poll_one(int i)
{
    struct tenant *tenant = &gate.tenants[i];
    struct kw_records *records;
    const struct kw_consumed *record;
    while (tenant->consumer && kw_core_consumer_poll(tenant->consumer, &records, 0) == 1) {
        int32_t p = kw_records_partition(records);
        gate.n_bad += strcmp(kw_records_topic(records), tenant->topic) != 0;
        while ((record = kw_records_next(records))) {
            char text[8] = "";
            cr_assert_lt(record->value.len, sizeof text);
            memcpy(text, record->value.ptr, record->value.len);
            gate.n_bad += strtol(text, NULL, 10) != i;
            cr_assert_lt((size_t)record->offset, sizeof tenant->seen[p]);
            tenant->seen[p][record->offset]++;
            tenant->n_got++;
        }
        kw_core_records_release(records, KW_DONE);
    }
}

static void run(uint64_t ms)
{
    for (uint64_t t = 0; t < ms; t += 10) {
        for (int i = 0; i < TENANTS; i++)
            poll_one(i);
        sim_pair_step(&gate.pair, 10000);
    }
    cr_assert(!gate.pair.broken, "%s", gate.pair.why);
    cr_assert_eq(gate.n_bad, 0);
}

static bool all_got(void)
{
    for (int i = 0; i < TENANTS; i++) {
        if (gate.tenants[i].consumer && !gate.tenants[i].closing &&
            gate.tenants[i].n_got < gate.tenants[i].n_made)
            return false;
    }
    return true;
}

static void drain(void)
{
    for (int k = 0; k < 1000 && !all_got(); k++)
        run(10);
    cr_assert(all_got());
}

/* Those that go do so in the midst of work; everybody is there in the end once, and gone
 * then. */
static void round_of(int round)
{
    unsigned closed = gate.n_closed, n = 0;
    for (int i = 0; i < TENANTS; i++)
        start(i);
    for (int i = 0; i < TENANTS; i++)
        make(i, EACH);
    run(300);
    for (int i = round; i < TENANTS; i += 3) {
        make(i, EACH);
        stop(i);
        n++;
        if (i % 10 < 3)
            run(10);
    }
    for (int k = 0; k < 600 && gate.n_closed - closed < n; k++)
        run(10);
    cr_assert_eq(gate.n_closed - closed, n);
    run(10);
    for (int i = round; i < TENANTS; i += 3)
        start(i);
    drain();
    run(200);
    for (int i = 0; i < TENANTS; i++)
        stop(i);
    for (int k = 0; k < 600 && gate.n_closed - closed < n + TENANTS; k++)
        run(10);
    cr_assert_eq(gate.n_closed - closed, n + TENANTS);
    run(50);
    cr_assert(kwi_list_empty(&gate.pair.core->consumers));
}

Test(tenants, a_hundred_groups_come_and_go_in_one_client)
{
    struct kw_stats stats;
    size_t used = 0;
    begin();
    for (int round = 0; round < ROUNDS; round++) {
        round_of(round % 3);
        kw_core_stats(gate.pair.core, &stats);
        cr_assert_leq(stats.control_peak + stats.produce_peak + stats.fetch_peak, (size_t)MEMORY);
        if (round == 0)
            used = stats.control_used;
        cr_assert_leq(stats.control_used, used + used / 10, "round %d: %lu after %lu", round,
                      (unsigned long)stats.control_used, (unsigned long)used);
    }
    for (int i = 0; i < TENANTS; i++) {
        struct tenant *tenant = &gate.tenants[i];
        unsigned n = 0;
        for (int p = 0; p < PARTS; p++) {
            for (size_t k = 0; k < sizeof tenant->seen[p]; k++) {
                cr_assert_leq(tenant->seen[p][k], 1, "tenant %d: %d %lu", i, p, (unsigned long)k);
                n += tenant->seen[p][k];
            }
            cr_assert_eq(kwi_mock_committed(gate.pair.mock, tenant->group, tenant->topic, p),
                         (int64_t)tenant->n_made / PARTS);
        }
        cr_assert_eq(n, tenant->n_made, "tenant %d: %u of %u", i, n, tenant->n_made);
        cr_assert_eq(tenant->n_lost, 0);
    }
    kw_core_destroy(gate.pair.core);
    gate.pair.core = NULL;
    cr_assert_eq(gate.pair.memory.n_live, 0);
    sim_pair_deinit(&gate.pair);
}
