/* tests/heap/scenario.c -- an application that takes "no memory" for an answer:
 * whatever call is refused is made again later. */
#include "tests/heap/scenario.h"

#include <string.h>

static const char *const stage_names[HEAP_STAGES] = {"create", "connect", "produce", "fetch",
                                                     "close"};
static const char *const client_settings[] = {"request.timeout.ms=1000",
                                              "retry.backoff.ms=10",
                                              "retry.backoff.max.ms=100",
                                              "reconnect.backoff.ms=10",
                                              "reconnect.backoff.max.ms=100",
                                              "socket.connection.setup.timeout.ms=500",
                                              "socket.connection.setup.timeout.max.ms=500",
                                              "memory.limit=8000000",
                                              "control.memory=1000000",
                                              "buffer.memory=2000000",
                                              NULL};
static const char *const producer_settings[] = {"linger.ms=2", "batch.size=2000",
                                                "delivery.timeout.ms=3600000", NULL};
static const char *const consumer_settings[] = {"fetch.max.wait.ms=50",
                                                "max.partition.fetch.bytes=20000", NULL};

const char *heap_stage_name(enum heap_stage stage)
{
    return stage < HEAP_STAGES ? stage_names[stage] : "nothing";
}

static void heap_wrong(struct heap_scenario *scenario, const char *what)
{
    if (scenario->n_wrong++ == 0)
        scenario->wrong = what;
}

static void heap_event(void *ctx, const struct kw_event *event)
{
    struct heap_scenario *scenario = ctx;
    const struct kw_report *report = &event->report;
    if (event->kind == KW_EVENT_OP_DONE && scenario->closing)
        scenario->done = scenario->closed = true;
    if (event->kind == KW_EVENT_RECEIPT) { /* failed ones were reported already */
        scenario->n_delivered += (uint32_t)event->receipt.delivered;
        if (scenario->n_receipts-- == 0)
            heap_wrong(scenario, "a receipt ended twice");
    }
    if (event->kind != KW_EVENT_REPORT)
        return;
    for (uint32_t i = 0; i < report->n; i++) {
        uint32_t id = (uint32_t)(uintptr_t)kw_report_opaque(report, i) - 1;
        if (id >= HEAP_RECORDS || scenario->reported[id]++)
            heap_wrong(scenario, "a record was reported twice, or never accepted");
    }
    if (report->outcome == KW_DELIVERED)
        scenario->n_delivered += report->n;
    else
        scenario->n_failed += report->n;
}

int heap_scenario_init(struct heap_scenario *scenario, enum sim_memory_kind kind)
{
    memset(scenario, 0, sizeof(*scenario));
    int rc = sim_pair_init(&scenario->pair, kind, 2, HEAP_PARTITIONS);
    scenario->pair.on_event = heap_event;
    scenario->pair.ctx = scenario;
    return rc;
}

void heap_scenario_deinit(struct heap_scenario *scenario)
{
    sim_pair_deinit(&scenario->pair);
}

/* ---- the stages: each tries one more time what is still missing ------------------------ */

static int create_handles(struct heap_scenario *scenario)
{
    struct sim_pair *pair = &scenario->pair;
    struct kw_config *cfg = NULL;
    struct kw_error err;
    int rc = 0;
    if (!pair->core && (rc = sim_pair_core(pair, client_settings, NULL)) != 0)
        return rc;
    if (!scenario->producer) {
        rc = sim_pair_config(pair, &cfg, producer_settings);
        if (rc == 0)
            rc = kw_core_producer_create(&scenario->producer, pair->core, cfg, &err);
        kw_config_destroy(cfg);
    }
    if (rc == 0 && !scenario->topic)
        rc = kw_core_topic_open(&scenario->topic, scenario->producer, "t", &err);
    if (rc == 0 && !scenario->consumer) {
        cfg = NULL;
        rc = sim_pair_config(pair, &cfg, consumer_settings);
        if (rc == 0)
            rc = kw_core_consumer_create(&scenario->consumer, pair->core, cfg, &err);
        kw_config_destroy(cfg);
    }
    return rc;
}

static void try_create(struct heap_scenario *scenario)
{
    int rc = create_handles(scenario);
    if (rc != 0 && rc != KW_ERR_NOMEM)
        heap_wrong(scenario, "create failed for another reason than memory");
    scenario->done = rc == 0;
}

static void try_connect(struct heap_scenario *scenario)
{
    scenario->done = kw_topic_partitions(scenario->topic) == HEAP_PARTITIONS;
}

/* Of every ten records five have a receipt, each ten another; false: no memory. */
static bool heap_receipt(struct heap_scenario *scenario, uint32_t id, struct kw_record *record)
{
    if (id % 10 == 0 && scenario->receipt) {
        if (kw_core_receipt_close(scenario->receipt) != 0)
            heap_wrong(scenario, "a receipt could not be closed");
        scenario->receipt = NULL;
    }
    if (id % 10 < 5)
        return true;
    if (!scenario->receipt) {
        int rc = kw_core_receipt_create(&scenario->receipt, scenario->producer, scenario);
        if (rc != 0 && rc != KW_ERR_NOMEM)
            heap_wrong(scenario, "receipt failed for another reason than memory");
        scenario->n_receipts += rc == 0;
    }
    record->receipt = scenario->receipt;
    return scenario->receipt != NULL;
}

static void try_produce(struct heap_scenario *scenario)
{
    uint8_t value[300];
    memset(value, 'v', sizeof(value));
    while (scenario->n_accepted < HEAP_RECORDS) {
        uint32_t id = scenario->n_accepted;
        struct kw_header header = {{"h", 1}, {"x", 1}};
        struct kw_record record = {.key = {&id, sizeof(id)},
                                   .value = {value, id % sizeof(value)},
                                   .headers = &header,
                                   .n_headers = id % 2,
                                   .flags = KW_REC_PARTITION,
                                   .partition = (int32_t)(id % HEAP_PARTITIONS),
                                   .opaque = (void *)(uintptr_t)(id + 1)};
        if (!heap_receipt(scenario, id, &record))
            break;
        int rc = kw_core_produce(scenario->topic, &record);
        if (rc < 0 && rc != KW_ERR_WOULD_BLOCK && rc != KW_ERR_NOMEM)
            heap_wrong(scenario, "produce failed for another reason than memory");
        if (rc < 0)
            break;
        scenario->n_accepted++;
    }
    if (scenario->n_accepted == HEAP_RECORDS && scenario->receipt)
        heap_receipt(scenario, HEAP_RECORDS, NULL); /* closes the last one */
    scenario->done = scenario->n_delivered + scenario->n_failed == HEAP_RECORDS;
}

static void take_records(struct heap_scenario *scenario, struct kw_records *records)
{
    const struct kw_consumed *consumed;
    while ((consumed = kw_records_next(records))) {
        uint32_t id = HEAP_RECORDS;
        if (consumed->key.len == sizeof(id))
            memcpy(&id, consumed->key.ptr, sizeof(id));
        if (id >= HEAP_RECORDS || scenario->read[id]++)
            heap_wrong(scenario, "a record was read twice, or changed");
        scenario->n_read++;
    }
    kw_core_records_release(records);
}

static void try_fetch(struct heap_scenario *scenario)
{
    struct kw_start starts[HEAP_PARTITIONS];
    struct kw_records *records;
    struct kw_error err;
    int rc;
    for (int32_t i = 0; i < HEAP_PARTITIONS; i++)
        starts[i] = (struct kw_start){"t", i, KW_START_EARLIEST, 0};
    if (!scenario->assigned) {
        rc = kw_core_assign(scenario->consumer, starts, HEAP_PARTITIONS, &err);
        if (rc != 0 && rc != KW_ERR_NOMEM)
            heap_wrong(scenario, "assign failed for another reason than memory");
        scenario->assigned = rc == 0;
    }
    while (scenario->assigned &&
           (rc = kw_core_consumer_poll(scenario->consumer, &records, 0)) != 0) {
        if (rc == 1) {
            take_records(scenario, records);
            continue;
        }
        if (rc != KW_ERR_NOMEM)
            heap_wrong(scenario, "poll failed for another reason than memory");
        break;
    }
    scenario->done = scenario->n_read == scenario->n_delivered;
}

static void try_close(struct heap_scenario *scenario)
{
    if (!scenario->closing)
        scenario->closing = kw_core_close(scenario->pair.core, 5000, scenario) != NULL;
    scenario->done = scenario->closed;
}

bool heap_stage_run(struct heap_scenario *scenario, enum heap_stage stage, uint64_t for_ms)
{
    static void (*const tries[HEAP_STAGES])(struct heap_scenario *) = {
        try_create, try_connect, try_produce, try_fetch, try_close};
    struct sim_pair *pair = &scenario->pair;
    uint64_t end_us = pair->now.mono_us + for_ms * 1000;
    scenario->done = false;
    while (!scenario->done && scenario->n_wrong == 0 && !pair->broken) {
        tries[stage](scenario);
        if (scenario->done || !pair->core)
            break;
        sim_pair_settle(pair);
        if (scenario->done)
            break;
        /* The application looks again every 5 ms at the latest. */
        uint64_t next = kw_core_deadline(pair->core), other = kwi_mock_deadline(pair->mock);
        next = next < other ? next : other;
        if (next > pair->now.mono_us + 5000)
            next = pair->now.mono_us + 5000;
        if (next > end_us)
            break;
        sim_pair_step(pair, next > pair->now.mono_us ? next - pair->now.mono_us : 1);
    }
    if (pair->broken)
        heap_wrong(scenario, pair->why);
    return scenario->done;
}
