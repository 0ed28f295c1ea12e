/* tests/sim/app_produce.c -- makes numbered records of every shape, produces
 * them, and tells the checker what was accepted and what was reported.
 *
 * A record's number is its id at the checker. It stands as 8 digits at the end
 * of the value, or of the key, or of the last header. */
#include "tests/sim/app.h"
#include "tests/sim/log_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    struct kw_record record;
    struct kw_header headers[3];
    uint64_t content;
};

/* Eight digits behind `extra` bytes of filler. */
static struct kw_bytes shape_number(struct sim_app *app, uint8_t **room, uint32_t id,
                                    uint32_t extra)
{
    uint8_t *start = *room;
    for (uint32_t i = 0; i < extra; i++)
        start[i] = (uint8_t)sim_rng_next(&app->rng);
    snprintf((char *)start + extra, 9, "%08u", id);
    *room += extra + 9;
    return (struct kw_bytes){start, extra + 8};
}

static void shape_make(struct sim_app *app, struct shape *shape, uint32_t id)
{
    const struct sim_plan *plan = &app->world->plan;
    struct sim_rng *rng = &app->rng;
    struct kw_record *record = &shape->record;
    uint8_t *room = app->record_bytes, encoded[256];
    uint32_t extra = plan->big_records && sim_one_in(rng, 40) ? sim_between(rng, 5000, 30000)
                                                              : sim_below(rng, plan->value_max);
    if (plan->by_ref && sim_one_in(rng, 5))
        extra = sim_between(rng, 2000, 9000);
    static const char key_bytes[4] = "key";
    memset(shape, 0, sizeof(*shape));
    if (sim_one_in(rng, 3)) {
        record->n_headers = sim_between(rng, 1, 3);
        for (uint32_t i = 0; i < record->n_headers; i++) {
            shape->headers[i].key = (struct kw_bytes){"h\xc3\xa9", i};
            if (i == 1)
                shape->headers[i].value = (struct kw_bytes){"", 0};
        }
        record->headers = shape->headers;
    }
    switch (sim_below(rng, 6)) {
    case 0: /* a tombstone */ record->key = shape_number(app, &room, id, sim_below(rng, 20)); break;
    case 1: /* an empty value */
        record->key = shape_number(app, &room, id, 0);
        record->value = (struct kw_bytes){"", 0};
        break;
    case 2: /* an empty key */
        record->key = (struct kw_bytes){"", 0};
        record->value = shape_number(app, &room, id, extra);
        break;
    case 3: /* nothing but headers */
        record->n_headers = 1;
        record->headers = shape->headers;
        shape->headers[0].key = (struct kw_bytes){"id", 2};
        shape->headers[0].value = shape_number(app, &room, id, 0);
        break;
    case 4:
        record->key = (struct kw_bytes){key_bytes, sim_between(rng, 1, 3)};
        record->value = shape_number(app, &room, id, extra);
        break;
    default: /* no key */ record->value = shape_number(app, &room, id, extra); break;
    }
    size_t len = sim_headers_encode(encoded, sizeof(encoded), record->headers, record->n_headers);
    shape->content = sim_content_hash(record->key, record->value, (struct kw_bytes){encoded, len});
    record->opaque = (void *)(uintptr_t)(id + 1);
}

/* The value lies alone and is lent. */
static void shape_lend(struct sim_app *app, struct shape *shape, uint32_t id)
{
    struct kw_bytes *value = &shape->record.value;
    void *copy;
    if (!app->world->plan.by_ref || value->len == 0 || sim_one_in(&app->rng, 3))
        return;
    copy = malloc(value->len);
    if (!copy)
        abort();
    memcpy(copy, value->ptr, value->len);
    value->ptr = copy;
    app->loans[id] = *value;
    shape->record.flags |= KW_REC_BY_REF;
}

/* Nothing of it is kept. */
static void app_refused(struct sim_app *app, uint32_t id)
{
    free((void *)(uintptr_t)app->loans[id].ptr);
    app->loans[id] = (struct kw_bytes){0};
}

void sim_app_give_back(struct sim_app *app, uint32_t id)
{
    if (id < app->world->plan.n_records && app->loans[id].ptr)
        memset((void *)(uintptr_t)app->loans[id].ptr, 0xd7, app->loans[id].len);
}

static bool app_produce_one(struct sim_app *app)
{
    struct sim_world *world = app->world;
    struct shape shape;
    uint32_t id = (uint32_t)world->checker.n_records;
    uint32_t topic = sim_below(&app->rng, world->plan.n_topics);
    struct sim_accepted accepted = {.place = {topic, -1}, .timestamp_ms = -1};
    shape_make(app, &shape, id);
    shape_lend(app, &shape, id);
    accepted.content = shape.content;
    if (sim_one_in(&app->rng, 2)) {
        shape.record.flags |= KW_REC_PARTITION;
        shape.record.partition = (int32_t)sim_below(&app->rng,
                                                    (uint32_t)world->plan.n_partitions[topic]);
        accepted.place.partition = shape.record.partition;
    }
    if (sim_one_in(&app->rng, 3)) {
        shape.record.flags |= KW_REC_TIMESTAMP;
        shape.record.timestamp_ms = sim_one_in(&app->rng, 8)
                                        ? 0
                                        : (int64_t)(sim_rng_next(&app->rng) >> 20);
        accepted.timestamp_ms = shape.record.timestamp_ms;
    }
    /* The next step gives the time: after a pause of the driver at the latest. */
    accepted.clock_min_ms = sim_time(world).wall_ms - (world->plan.odd_clock ? 20000000 : 0);
    accepted.clock_max_ms = sim_time(world).wall_ms + (world->plan.odd_clock ? 20000000 : 1000);
    struct sim_slip *slip = sim_app_slip(app);
    if (app->blocked) {
        app_refused(app, id);
        return false;
    }
    shape.record.receipt = slip ? slip->receipt : NULL;
    int rc = kw_core_produce(app->topics[topic], &shape.record);
    sim_trace_word(&world->trace, 0x9000u + (uint64_t)(int64_t)rc);
    memset(app->record_bytes, 0x3c, 256); /* all was copied */
    if (rc >= 0) {
        sim_checker_accept(&world->checker, &accepted);
        app->n_accepted++;
        app->slip_of[id] = slip;
        if (slip)
            slip->last_id = id;
        return true;
    }
    app_refused(app, id);
    sim_trace_line(&world->trace, "app: record %u is refused: %s", id, kw_err_name(rc));
    if (rc == KW_ERR_WOULD_BLOCK) {
        app->blocked = true;
        app->blocked_us = world->now_us;
    } else if (rc != KW_ERR_BROKER) { /* the topic is looked for, again and again */
        sim_fail(world, "produce answered %s", kw_err_name(rc));
    }
    return false;
}

void sim_app_produce(struct sim_app *app)
{
    struct sim_world *world = app->world;
    uint32_t n = sim_between(&app->rng, 1, world->plan.burst);
    while (n-- > 0 && !app->blocked && app->n_accepted < world->plan.n_records) {
        if (!app_produce_one(app))
            break;
    }
}

void sim_app_flush_or_purge(struct sim_app *app)
{
    struct sim_world *world = app->world;
    if (world->plan.flush && !app->flush && sim_one_in(&app->rng, 8)) {
        int32_t timeout_ms = (int32_t)sim_between(&app->rng, 1, 3000);
        app->flush_mark = app->n_accepted;
        app->flush_end_us = world->now_us + 1000ull * (uint32_t)timeout_ms;
        app->n_flushes++;
        app->flush = kw_core_flush(app->producer, timeout_ms, app);
        if (!app->flush)
            sim_fail(world, "flush found no memory");
        sim_trace_line(&world->trace, "app: flush of %u records, %d ms", app->flush_mark,
                       timeout_ms);
    }
    if (world->plan.purge && sim_one_in(&app->rng, 40)) {
        sim_trace_line(&world->trace, "app: purge");
        if (kw_core_purge(app->producer) != 0)
            sim_fail(world, "purge failed");
    }
    if (sim_one_in(&app->rng, 8))
        sim_app_take_unsent(app);
}

void sim_app_flushed(struct sim_app *app, int code)
{
    struct sim_world *world = app->world;
    sim_trace_line(&world->trace, "app: flush ended with %s", kw_err_name(code));
    app->flush = NULL;
    uint32_t open = 0;
    for (uint32_t id = 0; id < app->flush_mark; id++)
        open += world->checker.records[id].n_reports == 0 && sim_app_slip_due(app, id);
    if (code == 0 && open > 0)
        sim_fail(world, "flush ended with %u records unreported", open);
    else if (code != 0 && code != KW_ERR_TIMEOUT && code != KW_ERR_CLOSED &&
             code != KW_ERR_CANCELED)
        sim_fail(world, "flush ended with %s", kw_err_name(code));
}

/* ---- reports ------------------------------------------------------------------------ */

uint32_t sim_topic_idx(const char *name)
{
    uint32_t i = 0;
    while (i < SIM_TOPICS_MAX && strcmp(name, sim_topics[i]) != 0)
        i++;
    return i;
}

/* Not delivered in time: was it on its way, and who has its bytes? */
static void app_expired(struct sim_app *app, const struct kw_report *report)
{
    struct sim_world *world = app->world;
    char number[16];
    snprintf(number, sizeof(number), "%08u", (uint32_t)(uintptr_t)kw_report_opaque(report, 0) - 1);
    if (report->outcome == KW_NOT_WRITTEN)
        sim_saw(world, SIM_SAW_EXPIRED);
    else if (sim_driver_holds(&world->drivers[0], number, 8))
        sim_saw(world, SIM_SAW_EXPIRED_LENT);
    else
        sim_saw(world, SIM_SAW_EXPIRED_SENT);
}

void sim_app_report(struct sim_app *app, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    struct sim_world *world = app->world;
    struct sim_trace *trace = &world->trace;
    uint32_t topic = 0;
    while (topic < SIM_TOPICS_MAX && app->topics[topic] != report->topic)
        topic++;
    sim_trace_word(trace, (uint64_t)report->outcome << 56 | (uint64_t)report->flags << 48 |
                              (uint64_t)topic << 40 | (uint32_t)report->partition);
    sim_trace_word(trace, (uint64_t)report->base_offset ^ (uint64_t)report->n << 40);
    sim_trace_word(trace, (uint64_t)(int64_t)report->code ^ (uint64_t)report->attempts << 32);
    sim_trace_line(trace, "app: %u records from %u on of %u/%d: outcome %d (%s, kafka %d) at %lld",
                   report->n, report->n ? (uint32_t)(uintptr_t)kw_report_opaque(report, 0) - 1 : 0,
                   topic, report->partition, report->outcome, kw_err_name(report->code),
                   report->kafka_code, (long long)report->base_offset);
    if (report->n == 0 || (report->outcome == KW_DELIVERED) != (report->code == 0))
        sim_fail(world, "report of %u records, outcome %d, code %d", report->n, report->outcome,
                 report->code);
    for (uint32_t i = 0; i < report->n; i++) {
        uint32_t id = (uint32_t)(uintptr_t)kw_report_opaque(report, i) - 1;
        int64_t offset = report->base_offset < 0 ? -1 : report->base_offset + i;
        sim_trace_word(trace, id);
        sim_app_slip_report(app, id, event);
        sim_checker_report(&world->checker, id,
                           &(struct sim_outcome){{topic, report->partition},
                                                 offset,
                                                 report->outcome,
                                                 report->flags & KW_REPORT_MAYBE_DUPLICATE});
        sim_app_give_back(app, id);
        if (report->outcome == KW_NOT_WRITTEN &&
            (report->code == KW_ERR_CANCELED || report->code == KW_ERR_CLOSED) &&
            id < world->plan.n_records) {
            app->canceled[id] = 1;
            app->n_canceled++;
        }
    }
    if (report->n > 0 && report->outcome != KW_DELIVERED && report->code == KW_ERR_TIMEOUT)
        app_expired(app, report);
    app->n_reported += report->n;
    app->n_delivered += report->outcome == KW_DELIVERED ? report->n : 0;
    app->n_not_written += report->outcome == KW_NOT_WRITTEN ? report->n : 0;
    app->n_unknown += report->outcome == KW_UNKNOWN ? report->n : 0;
}

/* What comes back must be what went in, once, in order. */
void sim_app_take_unsent(struct sim_app *app)
{
    struct sim_world *world = app->world;
    struct kw_record record;
    struct kw_topic *topic;
    while (kw_core_unsent_next(app->producer, &record, &topic) == 1) {
        uint32_t id = (uint32_t)(uintptr_t)record.opaque - 1;
        uint32_t topic_idx = 0;
        uint8_t encoded[256];
        sim_trace_word(&world->trace, 0xb000u + id);
        if (record.receipt)
            sim_fail(world, "record %u was given back with a receipt", id);
        while (topic_idx < SIM_TOPICS_MAX && app->topics[topic_idx] != topic)
            topic_idx++;
        if (id >= app->n_accepted || app->unsent[id]++ || topic_idx >= world->plan.n_topics ||
            record.partition < 0 || record.partition >= world->plan.n_partitions[topic_idx]) {
            sim_fail(world, "record %u was given back twice or never produced", id);
            return;
        }
        const struct sim_accepted *accepted = &world->checker.records[id].accepted;
        size_t len = sim_headers_encode(encoded, sizeof(encoded), record.headers, record.n_headers);
        struct kw_bytes headers = {encoded, len};
        int64_t *last = &app->unsent_last[topic_idx][record.partition];
        bool lent = record.flags & KW_REC_BY_REF; /* and free since: only the pointer counts */
        if (lent &&
            (record.value.ptr != app->loans[id].ptr || record.value.len != app->loans[id].len))
            sim_fail(world, "record %u was given back with another value", id);
        if ((!lent && accepted->content != sim_content_hash(record.key, record.value, headers)) ||
            accepted->place.topic != topic_idx ||
            (accepted->place.partition >= 0 && accepted->place.partition != record.partition) ||
            (accepted->timestamp_ms >= 0 && accepted->timestamp_ms != record.timestamp_ms))
            sim_fail(world, "record %u was given back changed", id);
        /* Purge may pass over a batch that was tried; close gives it back later. */
        if (*last > (int64_t)id && !world->plan.purge)
            sim_fail(world, "record %u was given back behind %lld", id, (long long)*last);
        *last = id;
        app->n_unsent++;
    }
}
