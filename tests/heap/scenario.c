/* tests/heap/scenario.c -- an application that takes "no memory" for an answer:
 * whatever call is refused is made again later. It keeps account of each record. */
#include "tests/heap/scenario.h"

#include <stdio.h>
#include <string.h>

enum { SETTINGS_MAX = 3 * HEAP_LIST_MAX, NO_OUTCOME = 0xff };

static const char *const client_settings[] = {"request.timeout.ms=1000",
                                              "retry.backoff.ms=10",
                                              "retry.backoff.max.ms=100",
                                              "reconnect.backoff.ms=10",
                                              "reconnect.backoff.max.ms=100",
                                              "socket.connection.setup.timeout.ms=500",
                                              "socket.connection.setup.timeout.max.ms=500",
                                              "memory.limit=16000000",
                                              "control.memory=2000000",
                                              "buffer.memory=4000000",
                                              NULL};
static const char *const producer_settings[] = {"linger.ms=2", "batch.size=2000",
                                                "delivery.timeout.ms=3600000", NULL};
static const char *const consumer_settings[] = {"fetch.max.wait.ms=50",
                                                "max.partition.fetch.bytes=20000", NULL};

void heap_wrong(struct heap_scenario *scenario, const char *what)
{
    if (scenario->n_wrong++ == 0)
        scenario->wrong = what;
}

void heap_next_stage(struct heap_scenario *scenario)
{
    scenario->stage++;
    scenario->n_turns = 0;
}

/* ---- events -------------------------------------------------------------------------- */

static void heap_report(struct heap_scenario *scenario, const struct kw_report *report)
{
    for (uint32_t i = 0; i < report->n; i++) {
        uint32_t id = (uint32_t)(uintptr_t)kw_report_opaque(report, i) - 1;
        if (id >= scenario->n_accepted || scenario->n_reports[id]++) {
            heap_wrong(scenario, "a record was reported twice, or never accepted");
            return;
        }
        scenario->outcome[id] = report->outcome;
        if (report->outcome == KW_NOT_WRITTEN &&
            (report->code == KW_ERR_CANCELED || report->code == KW_ERR_CLOSED)) {
            scenario->canceled[id] = 1;
            scenario->n_canceled++;
        }
    }
    scenario->n_reported += report->n;
    if (report->outcome == KW_DELIVERED)
        scenario->n_delivered += report->n;
}

static void heap_event(void *ctx, const struct kw_event *event)
{
    struct heap_scenario *scenario = ctx;
    if (event->kind == KW_EVENT_OP_DONE) {
        if (event->tag != scenario || !scenario->op)
            heap_wrong(scenario, "an operation ended that was not started");
        scenario->op = NULL;
        scenario->op_ended = true;
        scenario->op_code = event->code;
    } else if (event->kind == KW_EVENT_RECEIPT) { /* failed ones were reported already */
        scenario->n_reported += (uint32_t)event->receipt.delivered;
        scenario->n_delivered += (uint32_t)event->receipt.delivered;
        if (scenario->n_receipts-- == 0)
            heap_wrong(scenario, "a receipt ended twice");
    } else if (event->kind == KW_EVENT_REPORT) {
        heap_report(scenario, &event->report);
    } else if (event->kind == KW_EVENT_FETCH_STARVED) {
        scenario->starved = true;
    }
}

bool heap_op(struct heap_scenario *scenario, struct kw_op *(*start)(struct heap_scenario *scenario))
{
    if (scenario->op_ended) {
        scenario->op_ended = false;
        return true;
    }
    if (!scenario->op)
        scenario->op = start(scenario);
    return false;
}

/* ---- life ---------------------------------------------------------------------------- */

static int heap_add_faults(struct heap_scenario *scenario)
{
    for (const char *const *spec = scenario->row->faults; *spec; spec++) {
        struct kw_mock_fault fault;
        const char *why = "";
        int rc = kwi_mock_fault_parse(*spec, &fault, &why);
        if (rc == 0)
            rc = kwi_mock_fault_add(scenario->pair.mock, &fault, NULL);
        if (rc != 0) {
            fprintf(stderr, "fault %s: %s\n", *spec, why);
            return rc;
        }
    }
    return 0;
}

int heap_scenario_init(struct heap_scenario *scenario, const struct heap_row *row,
                       enum sim_memory_kind kind)
{
    memset(scenario, 0, sizeof(*scenario));
    memset(scenario->outcome, NO_OUTCOME, sizeof(scenario->outcome));
    scenario->row = row;
    int rc = sim_pair_init(&scenario->pair, kind, row->n_brokers ? row->n_brokers : 2,
                           row->n_partitions ? row->n_partitions : 3);
    scenario->pair.on_event = heap_event;
    scenario->pair.ctx = scenario;
    return rc == 0 ? heap_add_faults(scenario) : rc;
}

void heap_scenario_deinit(struct heap_scenario *scenario)
{
    sim_pair_deinit(&scenario->pair);
}

/* The usual settings, and behind them those of the row, which win. */
static void heap_settings(const char *const *usual, const char *const *own,
                          const char *list[SETTINGS_MAX])
{
    size_t n = 0;
    while (*usual)
        list[n++] = *usual++;
    for (size_t i = 0; i < HEAP_LIST_MAX && own[i]; i++)
        list[n++] = own[i];
    list[n] = NULL;
}

static int heap_create_producer(struct heap_scenario *scenario)
{
    struct kw_config *cfg = NULL;
    struct kw_error err;
    const char *list[SETTINGS_MAX];
    heap_settings(producer_settings, scenario->row->producer, list);
    int rc = sim_pair_config(&scenario->pair, &cfg, list);
    if (rc == 0)
        rc = kw_core_producer_create(&scenario->producer, scenario->pair.core, cfg, &err);
    if (rc != 0 && rc != KW_ERR_NOMEM)
        fprintf(stderr, "producer: %s\n", err.text);
    kw_config_destroy(cfg);
    return rc;
}

static int heap_create_consumer(struct heap_scenario *scenario)
{
    struct kw_config *cfg = NULL;
    struct kw_error err;
    const char *list[SETTINGS_MAX];
    heap_settings(consumer_settings, scenario->row->consumer, list);
    int rc = sim_pair_config(&scenario->pair, &cfg, list);
    if (rc == 0)
        rc = kw_core_consumer_create(&scenario->consumer, scenario->pair.core, cfg, &err);
    kw_config_destroy(cfg);
    return rc;
}

int heap_create(struct heap_scenario *scenario)
{
    struct sim_pair *pair = &scenario->pair;
    const char *list[SETTINGS_MAX];
    struct kw_error err;
    int rc = 0;
    heap_settings(client_settings, scenario->row->client, list);
    if (!pair->core)
        rc = sim_pair_core(pair, list, NULL);
    if (rc == 0 && !scenario->producer)
        rc = heap_create_producer(scenario);
    if (rc == 0 && !scenario->topic)
        rc = kw_core_topic_open(&scenario->topic, scenario->producer, "t", &err);
    if (rc == 0 && !scenario->consumer)
        rc = heap_create_consumer(scenario);
    return rc;
}

/* ---- records ------------------------------------------------------------------------- */

static uint32_t heap_value_len(const struct heap_scenario *scenario, uint32_t id)
{
    uint32_t max = scenario->row->value_max ? scenario->row->value_max : 300;
    return id * (scenario->row->by_ref ? 331 : 7) % max;
}

static bool heap_has_receipt(const struct heap_scenario *scenario, uint32_t id)
{
    return scenario->row->receipts && id % 10 >= 5;
}

/* Of every ten records five have a receipt, each ten another; false: no memory. */
static bool heap_receipt(struct heap_scenario *scenario, uint32_t id, struct kw_record *record)
{
    if (id % 10 == 0 && scenario->receipt) {
        if (kw_core_receipt_close(scenario->receipt) != 0)
            heap_wrong(scenario, "a receipt could not be closed");
        scenario->receipt = NULL;
    }
    if (!heap_has_receipt(scenario, id))
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

bool heap_append(struct heap_scenario *scenario)
{
    static uint8_t value[4096]; /* the same bytes for all records, so they may be lent */
    int32_t n_partitions = scenario->row->n_partitions ? scenario->row->n_partitions : 3;
    memset(value, 'v', sizeof(value));
    while (scenario->n_accepted < scenario->n_to_make) {
        uint32_t id = scenario->n_accepted;
        struct kw_header header = {{"h", 1}, {"x", 1}};
        struct kw_record record = {.key = {&id, sizeof(id)},
                                   .value = {value, heap_value_len(scenario, id)},
                                   .headers = &header,
                                   .n_headers = id % 2,
                                   .flags = KW_REC_PARTITION |
                                            (scenario->row->by_ref ? KW_REC_BY_REF : 0u),
                                   .partition = (int32_t)id % n_partitions,
                                   .opaque = (void *)(uintptr_t)(id + 1)};
        if (!heap_receipt(scenario, id, &record))
            return false;
        int rc = kw_core_produce(scenario->topic, &record);
        /* KW_ERR_STATE: the transaction has failed meanwhile. */
        if (rc < 0 && rc != KW_ERR_WOULD_BLOCK && rc != KW_ERR_NOMEM &&
            (rc != KW_ERR_STATE || !scenario->row->txn_version))
            heap_wrong(scenario, "produce failed for another reason than memory");
        if (rc < 0)
            return false;
        scenario->n_accepted++;
    }
    if (scenario->receipt && scenario->n_accepted % 10 == 0)
        heap_receipt(scenario, scenario->n_accepted, NULL); /* closes the last one */
    return true;
}

bool heap_take_unsent(struct heap_scenario *scenario)
{
    struct kw_record record;
    int rc;
    while ((rc = kw_core_unsent_next(scenario->producer, &record, NULL)) == 1) {
        uint32_t id = (uint32_t)(uintptr_t)record.opaque - 1, key = id + 1;
        if (record.key.len == sizeof(key))
            memcpy(&key, record.key.ptr, sizeof(key));
        if (id >= scenario->n_accepted || scenario->given_back[id]++ || key != id ||
            record.value.len != heap_value_len(scenario, id) || record.n_headers != id % 2)
            heap_wrong(scenario, "a record was given back twice, or changed");
        scenario->n_given_back++;
        if (scenario->n_wrong)
            return true;
    }
    if (rc != 0 && rc != KW_ERR_NOMEM)
        heap_wrong(scenario, "records are not given back for another reason than memory");
    return rc == 0;
}

static void heap_read_handle(struct heap_scenario *scenario, struct kw_records *records, bool count)
{
    const struct kw_consumed *consumed;
    while ((consumed = kw_records_next(records))) {
        uint32_t id = HEAP_RECORDS_MAX;
        if (consumed->key.len == sizeof(id))
            memcpy(&id, consumed->key.ptr, sizeof(id));
        if (id >= scenario->n_accepted) {
            heap_wrong(scenario, "a record that was never produced was read");
            break;
        }
        scenario->n_read_of[kw_records_partition(records)]++;
        scenario->n_read += count;
        scenario->read[id] = (uint8_t)(scenario->read[id] + count);
    }
    kw_core_records_release(records, KW_DONE);
}

void heap_read(struct heap_scenario *scenario, bool count)
{
    struct kw_records *records;
    int rc;
    while ((rc = kw_core_consumer_poll(scenario->consumer, &records, 0)) == 1)
        heap_read_handle(scenario, records, count);
    if (rc != 0 && rc != KW_ERR_NOMEM)
        heap_wrong(scenario, "poll failed for another reason than memory");
}

/* ---- the verdict --------------------------------------------------------------------- */

static void heap_judge_record(struct heap_scenario *scenario, uint32_t id)
{
    const struct heap_row *row = scenario->row;
    uint8_t outcome = scenario->outcome[id];
    if (outcome == NO_OUTCOME && (row->only_errors || heap_has_receipt(scenario, id)))
        outcome = KW_DELIVERED;
    if (outcome == NO_OUTCOME)
        heap_wrong(scenario, "a record was not reported");
    if (row->txn_version) {
        if (scenario->committed[id] && outcome != KW_DELIVERED)
            heap_wrong(scenario, "a record that was not delivered was committed");
        if (scenario->was_read && scenario->read[id] != scenario->committed[id])
            heap_wrong(scenario, "a committed record was not read once, or another one was read");
        return;
    }
    if (outcome != KW_DELIVERED && !row->lossy)
        heap_wrong(scenario, "a record was not delivered");
    if (scenario->given_back[id] != scenario->canceled[id])
        heap_wrong(scenario, "what was canceled was not given back");
    if (!scenario->was_read)
        return;
    if (outcome == KW_DELIVERED && scenario->read[id] == 0)
        heap_wrong(scenario, "a delivered record was not read");
    if (outcome == KW_NOT_WRITTEN && scenario->read[id] > 0)
        heap_wrong(scenario, "a record that was not written was read");
    if (scenario->read[id] > 1 && !row->doubles)
        heap_wrong(scenario, "a record was read twice");
}

void heap_scenario_judge(struct heap_scenario *scenario)
{
    struct kw_stats stats;
    kw_core_stats(scenario->pair.core, &stats);
    if (stats.records_accepted !=
        stats.records_delivered + stats.records_not_written + stats.records_unknown)
        heap_wrong(scenario, "the sums do not match");
    if (scenario->n_receipts > 0)
        heap_wrong(scenario, "a receipt did not end");
    if (stats.records_accepted != scenario->n_accepted)
        heap_wrong(scenario, "another number of records was accepted");
    for (uint32_t id = 0; id < scenario->n_accepted; id++)
        heap_judge_record(scenario, id);
}

/* ---- running ------------------------------------------------------------------------- */

static const struct heap_step_info *heap_step_info(enum heap_step step)
{
    bool txn = step >= HEAP_TXN_INIT && step <= HEAP_TXN_OPEN;
    return txn ? &heap_steps_txn[step - HEAP_TXN_INIT] : &heap_steps[step];
}

const char *heap_step_name(enum heap_step step)
{
    return heap_step_info(step)->name;
}

bool heap_step_run(struct heap_scenario *scenario, enum heap_step step, uint64_t for_ms)
{
    struct sim_pair *pair = &scenario->pair;
    uint64_t end_us = pair->now.mono_us + for_ms * 1000;
    scenario->done = false;
    while (scenario->n_wrong == 0 && !pair->broken) {
        heap_step_info(step)->run(scenario);
        scenario->n_turns++;
        if (scenario->done || !pair->core)
            break;
        sim_pair_settle(pair);
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
    if (scenario->done) {
        scenario->stage = scenario->n_turns = 0;
        scenario->start_us = pair->now.mono_us;
    }
    return scenario->done;
}
