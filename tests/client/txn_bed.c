#include "tests/client/txn_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/batch.h"
#include "proto/record.h"

struct txn_bed tbed;
struct kw_error txn_error;

static const char *const txn_usual[] = {"request.timeout.ms=1000",
                                        "retry.backoff.ms=10",
                                        "retry.backoff.max.ms=100",
                                        "reconnect.backoff.ms=10",
                                        "reconnect.backoff.max.ms=50",
                                        "metadata.max.age.ms=2000",
                                        NULL};

static void txn_event(void *ctx, const struct kw_event *event)
{
    struct txn_wait *wait = event->tag;
    (void)ctx;
    if (event->kind == KW_EVENT_OP_DONE && wait) {
        cr_assert(!wait->done, "an operation ended twice");
        wait->done = true;
        wait->code = event->code;
        wait->error = event->error ? *event->error : (struct kw_error){0};
    }
    if (event->kind == KW_EVENT_ERROR) {
        tbed.n_errors++;
        tbed.error = *event->error;
    }
    if (event->kind != KW_EVENT_REPORT)
        return;
    if (event->report.outcome == KW_DELIVERED)
        tbed.n_delivered += event->report.n;
    else if (event->report.outcome == KW_NOT_WRITTEN)
        tbed.n_not_written += event->report.n;
    else
        tbed.n_unknown += event->report.n;
    if (event->report.outcome != KW_DELIVERED)
        tbed.report_code = event->report.code;
}

struct kw_producer *txn_producer(const char *const *settings)
{
    static const char *const usual[] = {"transactional.id=x", "linger.ms=1", NULL};
    const char *all[16];
    struct kw_producer *producer;
    struct kw_config *own;
    struct kw_error err;
    unsigned n = 0;
    for (int i = 0; usual[i]; i++)
        all[n++] = usual[i];
    for (int i = 0; settings && settings[i]; i++)
        all[n++] = settings[i];
    all[n] = NULL;
    cr_assert_eq(sim_pair_config(&tbed.pair, &own, all), 0);
    cr_assert_eq(kw_core_producer_create(&producer, tbed.pair.core, own, &err), 0, "%s", err.text);
    kw_config_destroy(own);
    return producer;
}

void txn_start(int16_t version, const char *const *settings)
{
    struct kw_mock_config config = {.n_brokers = 2};
    struct kw_error err;
    memset(&tbed, 0, sizeof tbed);
    cr_assert_eq(sim_pair_init_of(&tbed.pair, SIM_MEMORY_PLAIN, &config, TXN_PARTITIONS), 0);
    tbed.pair.on_event = txn_event;
    kwi_mock_set_coordinator(tbed.pair.mock, 0);
    kwi_mock_set_transaction_version(tbed.pair.mock, version);
    cr_assert_eq(sim_pair_core(&tbed.pair, txn_usual, NULL), 0);
    tbed.producer = txn_producer(settings);
    cr_assert_eq(kw_core_topic_open(&tbed.topic, tbed.producer, "t", &err), 0);
}

void txn_stop(void)
{
    cr_assert(!tbed.pair.broken, "%s", tbed.pair.why);
    sim_pair_forget_conns(&tbed.pair);
    kw_core_destroy(tbed.pair.core);
    tbed.pair.core = NULL;
    cr_assert_eq(tbed.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)tbed.pair.memory.n_live);
    cr_assert(!tbed.pair.memory.damaged);
    sim_pair_deinit(&tbed.pair);
}

void txn_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(tbed.pair.mock, &fault, NULL), 0, "%s", spec);
}

void txn_run(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 2)
        sim_pair_step(&tbed.pair, 2000);
    cr_assert(!tbed.pair.broken, "%s", tbed.pair.why);
}

int txn_await(struct txn_wait *wait, uint64_t ms)
{
    for (uint64_t i = 0; i < ms && !wait->done; i += 2)
        sim_pair_step(&tbed.pair, 2000);
    txn_error = wait->error;
    return wait->done ? wait->code : 1;
}

void txn_init_start(struct txn_wait *wait, int32_t timeout_ms)
{
    memset(wait, 0, sizeof *wait);
    cr_assert_not_null(kw_core_txn_init(tbed.producer, timeout_ms, wait));
}

void txn_commit_start(struct txn_wait *wait, int32_t timeout_ms)
{
    memset(wait, 0, sizeof *wait);
    cr_assert_not_null(kw_core_txn_commit(tbed.producer, timeout_ms, wait));
}

void txn_abort_start(struct txn_wait *wait, int32_t timeout_ms)
{
    memset(wait, 0, sizeof *wait);
    cr_assert_not_null(kw_core_txn_abort(tbed.producer, timeout_ms, wait));
}

void txn_offsets_start(struct txn_wait *wait, int64_t offset, int32_t timeout_ms)
{
    const struct kw_offset list[] = {{.topic = "t", .partition = 0, .offset = offset},
                                     {.topic = "t", .partition = 1, .offset = offset + 1}};
    const struct kw_offsets offsets = {list, 2};
    const struct kw_txn_offsets what = {
        .size = sizeof what, .group_id = "g", .generation = -1, .offsets = &offsets};
    memset(wait, 0, sizeof *wait);
    cr_assert_not_null(kw_core_txn_send_offsets(tbed.producer, &what, timeout_ms, wait));
}

int txn_init(void)
{
    static struct txn_wait wait;
    txn_init_start(&wait, 20000);
    return txn_await(&wait, 30000);
}

int txn_begin(void)
{
    memset(&txn_error, 0, sizeof txn_error);
    return kw_core_txn_begin(tbed.producer, &txn_error);
}

int txn_commit(void)
{
    static struct txn_wait wait;
    txn_commit_start(&wait, 20000);
    return txn_await(&wait, 30000);
}

int txn_abort(void)
{
    static struct txn_wait wait;
    txn_abort_start(&wait, 20000);
    return txn_await(&wait, 30000);
}

int txn_offsets(int64_t offset)
{
    static struct txn_wait wait;
    txn_offsets_start(&wait, offset, 20000);
    return txn_await(&wait, 30000);
}

int txn_make(int32_t partition, int number)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", number);
    struct kw_record record = {
        .value = {text, (size_t)len}, .flags = KW_REC_PARTITION, .partition = partition};
    int rc = KW_ERR_WOULD_BLOCK;
    for (int i = 0; i < 500 && rc == KW_ERR_WOULD_BLOCK; i++) {
        rc = kw_core_produce(tbed.topic, &record);
        if (rc == KW_ERR_WOULD_BLOCK)
            txn_run(10);
    }
    return rc < 0 ? rc : 0;
}

struct kw_txn_status txn_status(void)
{
    struct kw_txn_status status = {.size = sizeof status};
    cr_assert_eq(kw_txn_status(tbed.producer, &status), 0);
    return status;
}

struct kw_mock_transaction_info txn_info(void)
{
    struct kw_mock_transaction_info info = {0};
    cr_assert_eq(kwi_mock_transaction(tbed.pair.mock, "x", &info), 0);
    return info;
}

/* ---- what readers see: batches of a producer belong to the next marker of it ---------- */

/* How the transaction ends that the batch behind `offset` is part of; -1: not yet. */
static int txn_end_of(int32_t partition, int64_t offset, int64_t producer_id)
{
    struct kw_mock_batch batch;
    while (kwi_mock_log(tbed.pair.mock, "t", partition, &offset, &batch)) {
        struct kw_batch_header header;
        struct kw_record_view view;
        cr_assert_eq(kwi_batch_header_get(batch.ptr, batch.len, &header), 0);
        if (header.producer_id != producer_id || !(header.attributes & KWI_BATCH_CONTROL))
            continue;
        cr_assert_not_null(
            kwi_record_get(batch.ptr + KWI_BATCH_HEADER, batch.ptr + batch.len, &view));
        return kwi_control_type(view.key, view.key_len);
    }
    return -1;
}

static bool txn_walk(int32_t partition, char *out, size_t cap)
{
    struct kw_mock_batch batch;
    int64_t offset = 0;
    size_t len = 0;
    bool closed = true;
    out[0] = 0;
    while (kwi_mock_log(tbed.pair.mock, "t", partition, &offset, &batch)) {
        const uint8_t *at = batch.ptr + KWI_BATCH_HEADER;
        struct kw_batch_header header;
        struct kw_record_view view;
        int end;
        cr_assert_eq(kwi_batch_header_get(batch.ptr, batch.len, &header), 0);
        if (header.attributes & KWI_BATCH_CONTROL)
            continue;
        cr_assert(header.attributes & KWI_BATCH_TRANSACTIONAL);
        end = txn_end_of(partition, offset, header.producer_id);
        closed &= end >= 0;
        for (int32_t i = 0; i < header.record_count; i++) {
            at = kwi_record_get(at, batch.ptr + batch.len, &view);
            cr_assert_not_null(at);
            if (end == KWI_CONTROL_COMMIT)
                len += (size_t)snprintf(out + len, cap - len, "%s%.*s", len ? " " : "",
                                        (int)view.value_len, (const char *)view.value);
        }
    }
    return closed;
}

const char *txn_seen(int32_t partition)
{
    static char seen[4096];
    (void)txn_walk(partition, seen, sizeof seen);
    return seen;
}

bool txn_is_closed(void)
{
    char seen[4096];
    bool closed = true;
    for (int32_t p = 0; p < TXN_PARTITIONS; p++)
        closed &= txn_walk(p, seen, sizeof seen);
    return closed;
}
