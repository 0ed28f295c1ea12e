/* fuzz/rig_app.c -- the application of the client in a bottle: its objects, its
 * events, its records, and its end. */
#include "fuzz/rig.h"

/* A request may have to time out (3 s), a connection to be had again (1 s), and
 * a producer id to be asked for again: less than the 10 s of delivery.timeout. */
enum { FINISH_TURNS = 6000, QUICK_TURNS = 1000, PER_HANDLE_MAX = 100000, SETTLE_MS = 9000 };

static void trace_bytes(struct rig *rig, struct kw_bytes bytes)
{
    const uint8_t *ptr = bytes.ptr;
    rig_trace(rig, bytes.ptr ? bytes.len : UINT64_MAX);
    for (size_t i = 0; i < bytes.len; i++)
        rig_trace(rig, ptr[i]);
}

void rig_make(struct rig *rig)
{
    static const struct kw_start starts[] = {
        {"t", 0, KW_START_EARLIEST, 0}, {"t", 1, KW_START_OFFSET, 0}, {"t", 2, KW_START_TAIL, 3}};
    int rc = 0;
    if (rig->close_begun)
        return;
    if (!rig->producer)
        rc = kw_core_producer_create(&rig->producer, rig->core, NULL, NULL);
    for (int i = 0; i < 2 && rig->producer; i++) {
        if (!rig->topics[i])
            rc |= kw_core_topic_open(&rig->topics[i], rig->producer, i ? "u" : "t", NULL);
    }
    if (!rig->consumer)
        rc |= kw_core_consumer_create(&rig->consumer, rig->core, NULL, NULL);
    if (rig->consumer)
        rc |= kw_core_assign(rig->consumer, starts, 3, NULL);
    CHECK(rc == 0 || rig_may_lack(rig)); /* several KW_ERR_NOMEM joined are not that code */
}

/* ---- events -------------------------------------------------------------------- */

static void take_report(struct rig *rig, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    CHECK(report->n > 0 && report->outcome <= KW_UNKNOWN);
    CHECK((report->outcome == KW_DELIVERED) == (report->code == 0));
    CHECK(report->topic == rig->topics[0] || report->topic == rig->topics[1]);
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t number = (uintptr_t)kw_report_opaque(report, i);
        CHECK(number >= 1 && number <= rig->n_records);
        CHECK(rig->records[number - 1] == RIG_ACCEPTED);
        CHECK((uintptr_t)event->tag == rig->receipt_of[number - 1]);
        CHECK(!event->tag || (report->receipt && report->outcome != KW_DELIVERED));
        CHECK(!event->tag || !rig->receipt_ended[(uintptr_t)event->tag]);
        rig->records[number - 1] = report->outcome == KW_NOT_WRITTEN ? RIG_NOT_WRITTEN
                                                                     : RIG_REPORTED;
        rig_trace(rig, number);
    }
    rig->n_reported += report->n;
    rig_trace(rig, (uint64_t)report->outcome << 32 | report->n);
    rig_trace(rig, (uint64_t)report->base_offset);
    rig_trace(rig, (uint64_t)report->attempts << 32 | (uint16_t)report->kafka_code);
}

/* Its failed records were reported one by one; the rest was delivered. */
static void take_receipt(struct rig *rig, const struct kw_event *event)
{
    const struct kw_receipt_result *result = &event->receipt;
    uintptr_t receipt = (uintptr_t)event->tag;
    uint64_t n[RIG_UNSENT + 1] = {0};
    CHECK(receipt >= 1 && receipt <= rig->n_receipts && !rig->receipt_ended[receipt]);
    rig->receipt_ended[receipt] = true;
    for (uint32_t i = 0; i < rig->n_records; i++) {
        if (rig->receipt_of[i] != receipt)
            continue;
        n[rig->records[i]]++;
        if (rig->records[i] == RIG_ACCEPTED)
            rig->records[i] = RIG_REPORTED;
    }
    CHECK(n[RIG_ACCEPTED] == result->delivered && n[RIG_REPORTED] == result->unknown);
    CHECK(n[RIG_NOT_WRITTEN] + n[RIG_UNSENT] == result->not_written);
    CHECK((result->code == 0) == (result->not_written + result->unknown == 0));
    rig->n_reported += (uint32_t)result->delivered;
    rig_trace(rig, result->delivered << 32 | result->flags);
}

void rig_close_receipt(struct rig *rig)
{
    if (rig->receipt)
        CHECK(kw_core_receipt_close(rig->receipt) == 0);
    rig->receipt = NULL;
}

static void take_op(struct rig *rig, const struct kw_event *event)
{
    uintptr_t slot = (uintptr_t)event->tag;
    if (slot == RIG_OPS) {
        CHECK(event->op == rig->close_op && rig->close_begun);
        rig->close_op = NULL;
        rig->close_done = true;
        return;
    }
    if (slot == RIG_OPS + 1) { /* the flush of rig_settle */
        CHECK(event->code == 0 || rig->deletes);
        rig->settled = true;
        return;
    }
    CHECK(slot < RIG_OPS && rig->ops[slot] == event->op);
    rig->ops[slot] = NULL;
    kw_admin_result_destroy(rig->results[slot]);
    rig->results[slot] = NULL;
}

uint32_t rig_events(struct rig *rig, uint32_t max)
{
    struct kw_event event;
    uint32_t n = 0;
    for (; n < max && kw_core_next_event(rig->core, &event); n++) {
        rig_trace(rig, (uint64_t)event.kind << 32 | (uint32_t)event.code);
        CHECK(event.kind > KW_EVENT_NONE);
        rig_group_event(rig, &event);
        if (event.kind == KW_EVENT_REPORT)
            take_report(rig, &event);
        if (event.kind == KW_EVENT_RECEIPT)
            take_receipt(rig, &event);
        if (event.kind == KW_EVENT_OP_DONE)
            take_op(rig, &event);
        if (event.kind == KW_EVENT_ERROR) {
            CHECK(event.error && event.error->code == event.code && event.code < 0);
            CHECK(memchr(event.error->text, 0, sizeof event.error->text));
        }
        if (event.kind == KW_EVENT_PARTITION_EOF)
            rig_trace(rig, (uint64_t)event.partition << 48 ^ (uint64_t)event.offset);
    }
    return n;
}

/* ---- consuming -------------------------------------------------------------------- */

static void read_handle(struct rig *rig, struct kw_records *records)
{
    const struct kw_consumed *c;
    int64_t last = -1;
    for (int i = 0; (c = kw_records_next(records)); i++) {
        struct kw_header_iter it;
        struct kw_header header;
        CHECK(i < PER_HANDLE_MAX && c->offset > last);
        last = c->offset;
        rig_trace(rig, (uint64_t)c->offset);
        rig_trace(rig, (uint64_t)c->timestamp_ms);
        trace_bytes(rig, c->key);
        trace_bytes(rig, c->value);
        kw_headers_begin(&it, c);
        while (kw_headers_next(&it, &header) == 1) {
            trace_bytes(rig, header.key);
            trace_bytes(rig, header.value);
        }
    }
}

void rig_release(struct rig *rig, uint32_t slot)
{
    kw_core_records_release(rig->held[slot], KW_DONE);
    rig->held[slot] = NULL;
}

void rig_poll(struct rig *rig, uint32_t slot, size_t max)
{
    struct kw_records *records = NULL;
    int rc;
    if (!rig->consumer)
        return;
    rig_release(rig, slot);
    rc = kw_core_consumer_poll(rig->consumer, &records, max);
    CHECK(rc == 0 || rc == 1 || (rc == KW_ERR_NOMEM && rig_may_lack(rig)));
    rig_trace(rig, (uint64_t)(unsigned)rc);
    if (rc != 1)
        return;
    CHECK(records);
    rig->held[slot] = records;
    read_handle(rig, records);
}

/* ---- what comes back ------------------------------------------------------------------ */

void rig_unsent(struct rig *rig, uint32_t max)
{
    struct kw_record record;
    struct kw_topic *topic;
    for (uint32_t i = 0; rig->producer && i < max; i++) {
        int rc = kw_core_unsent_next(rig->producer, &record, &topic);
        uintptr_t number;
        CHECK(rc == 0 || rc == 1 || (rc == KW_ERR_NOMEM && rig_may_lack(rig)));
        if (rc != 1)
            return;
        number = (uintptr_t)record.opaque;
        CHECK(topic == rig->topics[0] || topic == rig->topics[1]);
        CHECK(number >= 1 && number <= rig->n_records);
        /* It may come back before its report was taken. */
        CHECK(rig->records[number - 1] == RIG_NOT_WRITTEN ||
              rig->records[number - 1] == RIG_ACCEPTED);
        if (rig->records[number - 1] == RIG_NOT_WRITTEN)
            rig->records[number - 1] = RIG_UNSENT;
        rig_trace(rig, number);
        trace_bytes(rig, record.value);
    }
}

/* ---- the end ----------------------------------------------------------------------------- */

static void heal(struct rig *rig)
{
    rig->n_fails = 0;
    rig->n_changes = 0;
    rig->write_max = 0;
    rig->late_written = rig->late_opened = rig->late_closed = rig->late_work = false;
    rig->refuse_opens = rig->refuse_names = false;
    for (uint32_t i = 0; i < 65; i++)
        (void)!kwi_mock_fault_remove(rig->mock, i);
    for (uint32_t i = 0; rig->lied && i < RIG_CONNS; i++)
        rig_end_conn(rig, &rig->conns[i], NULL);
    rig->lied = false;
    for (uint32_t i = 0; i < RIG_BROKERS; i++) {
        kwi_mock_broker_up(rig->mock, i);
        kwi_mock_freeze_metadata(rig->mock, i, false);
    }
    for (int i = 0; i < 2; i++) {
        struct kw_mock_partition_info info;
        const char *topic = i ? "u" : "t";
        (void)!kwi_mock_create_topic(rig->mock, topic, 4);
        for (int32_t k = 0; kwi_mock_partition(rig->mock, topic, k, &info) == 0; k++) {
            if (info.leader < 0)
                CHECK(kwi_mock_set_leader(rig->mock, topic, k, 0) == 0);
        }
    }
}

/* The driver has yet to do what it was asked. */
static bool driver_busy(const struct rig *rig)
{
    bool busy = rig->n_works > 0;
    for (uint32_t i = 0; i < RIG_CONNS; i++) {
        const struct rig_conn *conn = &rig->conns[i];
        busy |= conn->state == RIG_OPENING || conn->state == RIG_CLOSING;
        busy |= conn->state == RIG_UP && conn->writes;
    }
    return busy;
}

/* Turns until *done, as fast as the deadlines allow: a second passes only when nothing is
 * on its way, or else each of many requests would take that long. */
static void run_until(struct rig *rig, const bool *done)
{
    for (int i = 0; !*done; i++) {
        CHECK(i < FINISH_TURNS);
        rig_turn(rig);
        if (rig_events(rig, 10000) == 0)
            rig_advance_to_deadline(rig, driver_busy(rig) ? 10000 : 1000000);
        /* With fetch.max.wait.ms=0 the next deadline is never far. */
        if (i > QUICK_TURNS)
            rig_advance(rig, 5000);
    }
}

void rig_settle(struct rig *rig)
{
    heal(rig);
    rig_close_receipt(rig);
    if (!rig->producer || rig->close_begun)
        return;
    CHECK(kw_core_flush(rig->producer, SETTLE_MS, (void *)(uintptr_t)(RIG_OPS + 1)));
    run_until(rig, &rig->settled);
    for (uint32_t i = 0; i < rig->n_records && !rig->deletes; i++)
        CHECK(rig->records[i] > RIG_ACCEPTED);
}

void rig_finish(struct rig *rig)
{
    struct kw_stats stats;
    heal(rig);
    rig_close_receipt(rig);
    if (!rig->close_begun) {
        rig->close_begun = true;
        rig->close_op = kw_core_close(rig->core, 5000, (void *)(uintptr_t)RIG_OPS);
        CHECK(rig->close_op);
    }
    run_until(rig, &rig->close_done);
    rig_turn(rig);
    rig_events(rig, 10000);
    for (uint32_t i = 0; i < rig->n_records; i++)
        CHECK(rig->records[i] > RIG_ACCEPTED);
    CHECK(rig->n_reported == rig->n_records);
    kw_core_stats(rig->core, &stats);
    CHECK(stats.records_accepted == rig->n_records);
    CHECK(stats.records_delivered + stats.records_not_written + stats.records_unknown ==
          rig->n_records);
    CHECK(stats.control_peak <= 1000000 && stats.produce_peak <= 300000 &&
          stats.fetch_peak <= RIG_MEMORY - 1300000);
    if (rig->producer)
        CHECK(kw_producer_outstanding(rig->producer) == 0);
    for (uint32_t i = 0; i < RIG_CONNS; i++)
        CHECK(rig->conns[i].state == RIG_FREE);
    rig_unsent(rig, RIG_RECORDS);
}
