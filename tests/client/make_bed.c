#include "tests/client/make_bed.h"

#include <string.h>

#include "base/bytes.h"
#include "proto/api.h"
#include "proto/batch.h"
#include "proto/header.h"
#include "proto/produce.h"

struct make_bed mbed;

static const char *const make_usual[] = {"request.timeout.ms=1000",      "retry.backoff.ms=10",
                                         "retry.backoff.max.ms=100",     "reconnect.backoff.ms=10",
                                         "reconnect.backoff.max.ms=100", "memory.limit=40000000",
                                         "control.memory=8000000",       "buffer.memory=8000000",
                                         "metadata.max.age.ms=2000",     NULL};

static void make_see(const struct kw_produce_request_topic *topic,
                     const struct kw_produce_request_partition *part, int16_t version)
{
    struct make_sight *sight = &mbed.sights[mbed.n_sights++];
    const uint8_t *batch = part->records.ptr;
    cr_assert_leq(mbed.n_sights, MAKE_SIGHTS);
    *sight = (struct make_sight){.request = mbed.n_requests,
                                 .version = version,
                                 .partition = part->index,
                                 .producer_id = (int64_t)kwi_get_u64(batch + KWI_BATCH_PRODUCER_ID),
                                 .epoch = (int16_t)kwi_get_u16(batch + KWI_BATCH_PRODUCER_EPOCH),
                                 .sequence = (int32_t)kwi_get_u32(batch + KWI_BATCH_BASE_SEQUENCE),
                                 .n_records = (int32_t)kwi_get_u32(batch + KWI_BATCH_HEADER - 4)};
    memcpy(sight->topic_id, topic->topic_id.b, sizeof(sight->topic_id));
    for (int32_t i = 0; i < part->records.len; i++)
        sight->hash = sight->hash * 31 + batch[i];
}

static void make_request(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    struct kw_produce_request msg;
    struct kw_produce_request_topic topic;
    struct kw_produce_request_partition part;
    struct kw_iter topics, parts;
    struct kw_fault fault;
    size_t body;
    (void)ctx;
    mbed.n_metadata += kwi_get_u16(frame) == KW_API_METADATA;
    if (kwi_get_u16(frame) != KW_API_PRODUCE)
        return;
    cr_assert_eq(kwi_request_header_get(frame, len, &header, &body), 0);
    cr_assert_eq(
        kwi_produce_request_decode(&msg, header.api_version, frame + body, len - body, &fault), 0);
    mbed.n_requests++;
    for (kwi_iter_init(&topics, &msg.topic_data); kwi_iter_next(&topics, &topic);)
        for (kwi_iter_init(&parts, &topic.partition_data); kwi_iter_next(&parts, &part);)
            make_see(&topic, &part, header.api_version);
}

static void make_told(const struct kw_report *report)
{
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        struct make_fate *fate = &mbed.fates[id];
        cr_assert_lt(id, mbed.n_made);
        cr_assert(!fate->told, "record %lu is reported twice", (unsigned long)id);
        cr_assert_eq(fate->partition, report->partition);
        fate->told = true;
        fate->outcome = report->outcome;
        fate->flags = report->flags;
        fate->code = report->code;
        fate->kafka_code = report->kafka_code;
        fate->offset = report->base_offset < 0 ? -1 : report->base_offset + i;
    }
    mbed.n_told += report->n;
    mbed.n_of[report->outcome] += report->n;
}

static void make_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_OP_DONE) {
        mbed.n_ops++;
        mbed.op_code = event->code;
    }
    if (event->kind == KW_EVENT_ERROR) {
        mbed.n_errors++;
        mbed.error = *event->error;
    }
    if (event->kind == KW_EVENT_REPORT) {
        make_told(&event->report);
        if (mbed.on_report)
            mbed.on_report(&event->report);
    }
    if (mbed.on_event)
        mbed.on_event(event);
    mbed.done = mbed.n_told == mbed.n_made;
}

void make_start_of(const struct kw_mock_config *config, int32_t n_partitions,
                   const char *const *client, const char *const *settings)
{
    struct kw_config *own = NULL;
    struct kw_error err;
    memset(&mbed, 0, sizeof(mbed));
    cr_assert_eq(sim_pair_init_of(&mbed.pair, SIM_MEMORY_PLAIN, config, n_partitions), 0);
    mbed.pair.on_event = make_event;
    mbed.pair.on_request = make_request;
    cr_assert_eq(sim_pair_core(&mbed.pair, client ? client : make_usual, NULL), 0);
    cr_assert_eq(sim_pair_config(&mbed.pair, &own, settings), 0);
    cr_assert_eq(kw_core_producer_create(&mbed.producer, mbed.pair.core, own, &err), 0, "%s",
                 err.text);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_topic_open(&mbed.topic, mbed.producer, "t", NULL), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(mbed.topic) == 0; i++)
        make_run(20);
    cr_assert_eq(kw_topic_partitions(mbed.topic), n_partitions);
}

void make_start(uint32_t n_brokers, int32_t n_partitions, const char *const *settings)
{
    make_start_of(&(struct kw_mock_config){.n_brokers = n_brokers}, n_partitions, NULL, settings);
}

void make_stop(void)
{
    cr_assert(!mbed.pair.broken, "%s", mbed.pair.why);
    kw_core_destroy(mbed.pair.core);
    mbed.pair.core = NULL;
    cr_assert_eq(mbed.pair.memory.n_live, 0);
    sim_pair_deinit(&mbed.pair);
}

void make_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = NULL;
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s", why);
    cr_assert_eq(kwi_mock_fault_add(mbed.pair.mock, &fault, NULL), 0);
}

int make_try(int32_t partition, size_t len)
{
    static uint8_t value[20000];
    struct kw_record record = {.value = {value, len},
                               .flags = KW_REC_PARTITION,
                               .receipt = mbed.receipt,
                               .partition = partition,
                               .opaque = (void *)(uintptr_t)(mbed.n_made + 1)};
    record.timeout_ms = mbed.timeout_ms;
    record.ref = mbed.ref;
    record.flags |= (mbed.timeout_ms ? KW_REC_TIMEOUT : 0u) | (mbed.ref ? KW_REC_REF : 0u);
    if (mbed.key)
        record.key = (struct kw_bytes){mbed.key, strlen(mbed.key)};
    cr_assert_lt(mbed.n_made, MAKE_RECORDS);
    memcpy(value, &mbed.n_made, len < 4 ? len : 4);
    int rc = kw_core_produce(mbed.topic, &record);
    if (rc < 0)
        return rc;
    mbed.fates[mbed.n_made++] = (struct make_fate){.partition = partition};
    mbed.done = false;
    return 0;
}

void make(int32_t partition, size_t len)
{
    int rc = make_try(partition, len);
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
}

void make_settle(void)
{
    cr_assert(sim_pair_run(&mbed.pair, &mbed.done, 60000), "%u of %u are told", mbed.n_told,
              mbed.n_made);
}

void make_run(uint64_t ms)
{
    sim_pair_pass(&mbed.pair, ms);
}

void make_check_order(int32_t n_partitions)
{
    for (int32_t p = 0; p < n_partitions; p++) {
        int64_t next = 0;
        for (uint32_t i = 0; i < mbed.n_made; i++) {
            const struct make_fate *fate = &mbed.fates[i];
            if (fate->partition == p && fate->outcome == KW_DELIVERED)
                cr_assert_eq(fate->offset, next++, "record %u of partition %d is at %lld", i, p,
                             (long long)fate->offset);
        }
        cr_assert_eq(make_log_end(p), next, "partition %d", p);
    }
}

int64_t make_log_end(int32_t partition)
{
    struct kw_mock_partition_info info;
    cr_assert_eq(kwi_mock_partition(mbed.pair.mock, "t", partition, &info), 0);
    return info.end_offset;
}
