/* tests/client/fetch_bed.c -- see fetch_bed.h. */
#include "tests/client/fetch_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/api.h"
#include "proto/fetch.h"
#include "proto/header.h"

struct fetch_bed fetch_bed;

static void bed_event(void *ctx, const struct kw_event *event)
{
    (void)ctx;
    if (event->kind == KW_EVENT_REPORT) {
        cr_assert_eq(event->report.outcome, KW_DELIVERED);
        fetch_bed.n_delivered += event->report.n;
    }
    if (event->consumer != fetch_bed.consumer || !fetch_bed.consumer || !event->topic_name ||
        event->partition < 0 || event->partition >= fetch_bed.n_partitions)
        return;
    struct fetch_seen *seen = &fetch_bed.seen[event->partition];
    seen->n_eof += event->kind == KW_EVENT_PARTITION_EOF;
    if (event->kind != KW_EVENT_ERROR)
        return;
    seen->n_error++;
    seen->error = event->code;
    seen->kafka_code = event->error->kafka_code;
    seen->error_offset = event->offset;
    memcpy(seen->text, event->error->text, sizeof seen->text);
    memcpy(seen->hint, event->error->hint, sizeof seen->hint);
}

static unsigned bed_count(const struct kw_arr *topics, bool forgotten)
{
    struct kw_fetch_request_topic topic;
    struct kw_fetch_request_forgotten gone;
    struct kw_iter it;
    unsigned n = 0;
    kwi_iter_init(&it, topics);
    while (forgotten ? kwi_iter_next(&it, &gone) : kwi_iter_next(&it, &topic))
        n += (unsigned)(forgotten ? gone.partitions.n : topic.partitions.n);
    return n;
}

static void bed_request(void *ctx, const uint8_t *frame, size_t len)
{
    struct kw_request_header header;
    struct kw_fetch_request msg;
    size_t body;
    (void)ctx;
    if (kwi_request_header_get(frame, len, &header, &body) || header.api_key != KW_API_FETCH)
        return;
    cr_assert_eq(kwi_fetch_request_decode(&msg, header.api_version, frame + body, len - body, NULL),
                 0);
    fetch_bed.said[fetch_bed.n_said++ % FETCH_LOG_MAX] = (struct fetch_said){
        .version = header.api_version,
        .session_id = msg.session_id,
        .session_epoch = msg.session_epoch,
        .max_wait_ms = msg.max_wait_ms,
        .max_bytes = msg.max_bytes,
        .n_named = bed_count(&msg.topics, false),
        .n_forgotten = bed_count(&msg.forgotten_topics_data, true),
        .len = len,
        .ms = fetch_bed.pair.now.mono_us / 1000,
    };
}

const struct fetch_said *fetch_bed_said(unsigned back)
{
    cr_assert_lt(back, fetch_bed.n_said);
    return &fetch_bed.said[(fetch_bed.n_said - 1 - back) % FETCH_LOG_MAX];
}

void fetch_bed_begin(const struct kw_mock_config *config, int32_t n_partitions,
                     const char *const *settings)
{
    static const char *const usual[] = {"retry.backoff.ms=20", "retry.backoff.max.ms=100",
                                        "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=100",
                                        "request.timeout.ms=2000"};
    const struct kw_mock_config one = {.n_brokers = 1};
    const char *list[32] = {NULL};
    size_t n = sizeof usual / sizeof *usual;
    memset(&fetch_bed, 0, sizeof fetch_bed);
    memcpy(list, usual, sizeof usual);
    while (settings && *settings)
        list[n++] = *settings++;
    fetch_bed.n_partitions = n_partitions;
    cr_assert_eq(
        sim_pair_init_of(&fetch_bed.pair, SIM_MEMORY_PLAIN, config ? config : &one, n_partitions),
        0);
    fetch_bed.pair.on_event = bed_event;
    fetch_bed.pair.on_request = bed_request;
    cr_assert_eq(sim_pair_core(&fetch_bed.pair, list, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&fetch_bed.producer, fetch_bed.pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&fetch_bed.topic, fetch_bed.producer, "t", NULL), 0);
}

void fetch_bed_end(void)
{
    cr_assert(!fetch_bed.pair.broken, "%s", fetch_bed.pair.why);
    kw_core_destroy(fetch_bed.pair.core);
    fetch_bed.pair.core = NULL;
    cr_assert_eq(fetch_bed.pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)fetch_bed.pair.memory.n_live);
    cr_assert(!fetch_bed.pair.memory.damaged);
    sim_pair_deinit(&fetch_bed.pair);
}

void fetch_bed_open(const char *const *settings)
{
    struct kw_config *own = NULL;
    struct kw_error err;
    cr_assert_eq(sim_pair_config(&fetch_bed.pair, &own, settings), 0);
    cr_assert_eq(kw_core_consumer_create(&fetch_bed.consumer, fetch_bed.pair.core, own, &err), 0,
                 "%s", err.text);
    kw_config_destroy(own);
    for (int32_t p = 0; p < fetch_bed.n_partitions; p++)
        fetch_bed.seen[p].next = -1;
}

void fetch_bed_assign(int32_t first, int32_t n, uint8_t kind, int64_t value)
{
    static struct kw_start starts[FETCH_PARTS_MAX];
    struct kw_error err;
    for (int32_t i = 0; i < n; i++)
        starts[i] = (struct kw_start){"t", first + i, kind, value};
    cr_assert_eq(kw_core_assign(fetch_bed.consumer, starts, (size_t)n, &err), 0, "%s", err.text);
}

void fetch_bed_seek(int32_t partition, uint8_t kind, int64_t value)
{
    struct kw_start start = {"t", partition, kind, value};
    cr_assert_eq(kw_core_seek(fetch_bed.consumer, &start), 0);
    fetch_bed.seen[partition].next = kind == KW_START_OFFSET ? value : -1;
}

void fetch_bed_pause(int32_t partition, bool pause)
{
    cr_assert_eq(kw_core_pause(fetch_bed.consumer, "t", partition, pause), 0);
}

void fetch_bed_make(int32_t partition, unsigned n, size_t len)
{
    static char value[1024 * 1024];
    struct fetch_seen *seen = &fetch_bed.seen[partition];
    for (unsigned i = 0; i < n; i++) {
        int text = snprintf(value, sizeof value, "%d:%lld ", partition, (long long)seen->made);
        struct kw_record record = {.value = {value, len > (size_t)text ? len : (size_t)text},
                                   .flags = KW_REC_PARTITION,
                                   .partition = partition};
        int rc = KW_ERR_WOULD_BLOCK;
        for (int tries = 0; tries < 1000 && rc == KW_ERR_WOULD_BLOCK; tries++) {
            rc = kw_core_produce(fetch_bed.topic, &record);
            if (rc == KW_ERR_WOULD_BLOCK)
                fetch_bed_run(5);
        }
        cr_assert_geq(rc, 0, "%s", kw_err_name(rc));
        seen->made++;
        fetch_bed.n_made++;
    }
    for (int i = 0; i < 1000 && fetch_bed.n_delivered < fetch_bed.n_made; i++)
        fetch_bed_run(5);
    cr_assert_eq(fetch_bed.n_delivered, fetch_bed.n_made);
}

static void bed_record(struct kw_records *records, const struct kw_consumed *c)
{
    int32_t p = kw_records_partition(records);
    struct fetch_seen *seen = &fetch_bed.seen[p];
    char text[32];
    int n = snprintf(text, sizeof text, "%d:%lld ", p, (long long)c->offset);
    cr_assert(c->value.len >= (size_t)n && memcmp(c->value.ptr, text, (size_t)n) == 0,
              "offset %lld of %d holds another record", (long long)c->offset, p);
    if (seen->next >= 0)
        cr_assert_eq(c->offset, seen->next, "partition %d: after %lld came %lld", p,
                     (long long)seen->next - 1, (long long)c->offset);
    seen->next = c->offset + 1;
    seen->n++;
}

void fetch_bed_take(void)
{
    struct kw_records *records;
    int rc;
    while ((rc = kw_core_consumer_poll(fetch_bed.consumer, &records, 100)) == 1) {
        const struct kw_consumed *c;
        while ((c = kw_records_next(records)))
            bed_record(records, c);
        kw_core_records_release(records, KW_DONE);
    }
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
}

void fetch_bed_run(uint64_t for_ms)
{
    for (uint64_t ms = 0; ms < for_ms; ms += 5) {
        if (fetch_bed.consumer && !fetch_bed.lazy)
            fetch_bed_take();
        sim_pair_step(&fetch_bed.pair, 5000);
    }
    if (fetch_bed.consumer && !fetch_bed.lazy)
        fetch_bed_take();
    cr_assert(!fetch_bed.pair.broken, "%s", fetch_bed.pair.why);
}

void fetch_bed_fault(const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(fetch_bed.pair.mock, &fault, NULL), 0);
}

void fetch_bed_expect(int32_t first, int32_t n)
{
    for (int32_t p = first; p < first + n; p++) {
        const struct fetch_seen *seen = &fetch_bed.seen[p];
        cr_assert_eq(seen->n_error, 0, "partition %d: %s", p, seen->text);
        cr_assert(seen->next == seen->made || (seen->made == 0 && seen->next == -1),
                  "partition %d stands at %lld of %lld", p, (long long)seen->next,
                  (long long)seen->made);
    }
}
