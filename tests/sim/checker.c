/* tests/sim/checker.c -- compares a history with the logs; see the header. */
#include "tests/sim/checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const violation_names[SIM_N_VIOLATIONS] = {
    [SIM_UNREPORTED] = "unreported",
    [SIM_REPORTED_TWICE] = "reported twice",
    [SIM_NEVER_ACCEPTED] = "never accepted",
    [SIM_LOST] = "lost",
    [SIM_WRONG_PLACE] = "wrong place",
    [SIM_CONTENT] = "content differs",
    [SIM_DUPLICATE] = "duplicate",
    [SIM_REORDERED] = "reordered",
    [SIM_NOT_NOT_WRITTEN] = "reported not written but in the log",
    [SIM_NOT_INCREASING] = "offset not increasing",
    [SIM_SKIPPED] = "offset skipped",
    [SIM_UNREAD] = "not read to the end",
    [SIM_BAD_REPORT] = "contradictory report",
};

const char *sim_violation_name(enum sim_violation violation)
{
    return violation_names[violation];
}

static void checker_found(struct sim_checker *checker, enum sim_violation violation,
                          const char *format, ...) __attribute__((format(printf, 3, 4)));
static void checker_found(struct sim_checker *checker, enum sim_violation violation,
                          const char *format, ...)
{
    checker->n_found[violation]++;
    if (checker->n_texts == SIM_TEXTS_MAX)
        return;
    char *text = checker->texts[checker->n_texts++];
    int len = snprintf(text, sizeof(checker->texts[0]), "%s: ", violation_names[violation]);
    va_list args;
    va_start(args, format);
    vsnprintf(text + len, sizeof(checker->texts[0]) - (size_t)len, format, args);
    va_end(args);
}

static void *checker_grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 256;
    items = realloc(items, *cap * size);
    if (!items)
        abort();
    return items;
}

static bool place_is(struct sim_place a, struct sim_place b)
{
    return a.topic == b.topic && a.partition == b.partition;
}

static bool place_ok(struct sim_place place)
{
    return place.topic < SIM_TOPICS_MAX && place.partition >= 0 &&
           place.partition < SIM_PARTITIONS_MAX;
}

void sim_checker_init(struct sim_checker *checker)
{
    memset(checker, 0, sizeof(*checker));
    memset(checker->next, 0xff, sizeof(checker->next));
    memset(checker->end, 0xff, sizeof(checker->end));
}

void sim_checker_deinit(struct sim_checker *checker)
{
    for (size_t i = 0; i < SIM_TOPICS_MAX * SIM_PARTITIONS_MAX; i++)
        free(checker->logs[i / SIM_PARTITIONS_MAX][i % SIM_PARTITIONS_MAX].slots);
    free(checker->records);
    free(checker->handouts);
    memset(checker, 0, sizeof(*checker));
}

void sim_checker_producer(struct sim_checker *checker, uint32_t producer,
                          const struct sim_producer_rules *rules)
{
    checker->rules[producer] = *rules;
}

uint32_t sim_checker_accept(struct sim_checker *checker, const struct sim_accepted *accepted)
{
    checker->records = checker_grow(checker->records, checker->n_records, &checker->records_cap,
                                    sizeof(*checker->records));
    checker->records[checker->n_records] = (struct sim_checker_record){.accepted = *accepted,
                                                                       .log_offset = -1};
    return (uint32_t)checker->n_records++;
}

void sim_checker_report(struct sim_checker *checker, uint32_t id, const struct sim_outcome *outcome)
{
    if (id >= checker->n_records) {
        checker_found(checker, SIM_NEVER_ACCEPTED, "a report for record %u", id);
        return;
    }
    struct sim_checker_record *record = &checker->records[id];
    if (record->n_reports++ > 0) {
        checker_found(checker, SIM_REPORTED_TWICE, "record %u: first %d, now %d", id,
                      record->outcome.outcome, outcome->outcome);
        return;
    }
    record->outcome = *outcome;
    if (outcome->outcome > SIM_REPORT_UNKNOWN ||
        (outcome->outcome != SIM_REPORT_DELIVERED && outcome->offset >= 0))
        checker_found(checker, SIM_BAD_REPORT, "record %u: outcome %d, offset %lld", id,
                      outcome->outcome, (long long)outcome->offset);
    struct sim_place asked = record->accepted.place;
    if (outcome->place.topic != asked.topic ||
        (asked.partition >= 0 && outcome->place.partition != asked.partition))
        checker_found(checker, SIM_WRONG_PLACE, "record %u for %u/%d reported for %u/%d", id,
                      asked.topic, asked.partition, outcome->place.topic, outcome->place.partition);
}

void sim_checker_position(struct sim_checker *checker, uint32_t reader, struct sim_place place,
                          int64_t offset)
{
    checker->next[reader][place.topic][place.partition] = offset;
    checker->read[reader][place.topic][place.partition] = true;
}

void sim_checker_end(struct sim_checker *checker, struct sim_place place, int64_t offset)
{
    checker->end[place.topic][place.partition] = offset;
}

void sim_checker_handout(struct sim_checker *checker, const struct sim_checker_handout *handout)
{
    if (!place_ok(handout->place)) {
        checker_found(checker, SIM_WRONG_PLACE, "handed out from topic %u partition %d",
                      handout->place.topic, handout->place.partition);
        return;
    }
    int64_t *next = &checker->next[handout->reader][handout->place.topic][handout->place.partition];
    if (*next >= 0 && handout->offset != *next)
        checker_found(checker, handout->offset < *next ? SIM_NOT_INCREASING : SIM_SKIPPED,
                      "reader %u at %u/%d: offset %lld, %lld was next", handout->reader,
                      handout->place.topic, handout->place.partition, (long long)handout->offset,
                      (long long)*next);
    *next = handout->offset + 1;
    checker->handouts = checker_grow(checker->handouts, checker->n_handouts, &checker->handouts_cap,
                                     sizeof(*checker->handouts));
    checker->handouts[checker->n_handouts++] = *handout;
}

void sim_checker_log(struct sim_checker *checker, struct sim_place place, uint32_t id,
                     uint64_t content, int64_t timestamp_ms)
{
    struct sim_checker_log *log = &checker->logs[place.topic][place.partition];
    log->slots = checker_grow(log->slots, log->n, &log->cap, sizeof(*log->slots));
    log->slots[log->n++] = (struct sim_checker_slot){id, content, timestamp_ms};
}

/* One log record against what was accepted. */
static void judge_slot(struct sim_checker *checker, struct sim_place place, int64_t offset,
                       const struct sim_checker_slot *slot)
{
    if (slot->id >= checker->n_records) {
        checker_found(checker, SIM_NEVER_ACCEPTED, "log %u/%d offset %lld", place.topic,
                      place.partition, (long long)offset);
        return;
    }
    struct sim_checker_record *record = &checker->records[slot->id];
    const struct sim_accepted *accepted = &record->accepted;
    if (record->n_copies++ == 0) {
        record->log_place = place;
        record->log_offset = offset;
    }
    if (accepted->place.topic != place.topic ||
        (accepted->place.partition >= 0 && accepted->place.partition != place.partition) ||
        !place_is(record->log_place, place))
        checker_found(checker, SIM_WRONG_PLACE, "record %u is in the log of %u/%d", slot->id,
                      place.topic, place.partition);
    if (accepted->content != slot->content ||
        (accepted->timestamp_ms >= 0 && accepted->timestamp_ms != slot->timestamp_ms))
        checker_found(checker, SIM_CONTENT, "record %u at %u/%d offset %lld", slot->id, place.topic,
                      place.partition, (long long)offset);
    if (accepted->timestamp_ms < 0 && (slot->timestamp_ms < accepted->clock_min_ms ||
                                       slot->timestamp_ms > accepted->clock_max_ms))
        checker_found(checker, SIM_CONTENT,
                      "record %u at %u/%d offset %lld: timestamp %lld, the clock said %lld",
                      slot->id, place.topic, place.partition, (long long)offset,
                      (long long)slot->timestamp_ms, (long long)accepted->clock_min_ms);
}

/* Order of one log: ids of a producer grow. */
static void judge_order(struct sim_checker *checker, struct sim_place place)
{
    const struct sim_checker_log *log = &checker->logs[place.topic][place.partition];
    int64_t last[SIM_READERS_MAX];
    memset(last, 0xff, sizeof(last));
    for (size_t offset = 0; offset < log->n; offset++) {
        uint32_t id = log->slots[offset].id;
        if (id >= checker->n_records)
            continue;
        const struct sim_checker_record *record = &checker->records[id];
        const struct sim_producer_rules *rules = &checker->rules[record->accepted.producer];
        bool first = record->log_offset == (int64_t)offset;
        bool unknown = record->n_reports > 0 && record->outcome.outcome == SIM_REPORT_UNKNOWN;
        if (!first || (!rules->idempotent && (unknown || !rules->ordered)))
            continue;
        if (last[record->accepted.producer] > (int64_t)id)
            checker_found(checker, SIM_REORDERED, "record %u behind %lld in %u/%d", id,
                          (long long)last[record->accepted.producer], place.topic, place.partition);
        last[record->accepted.producer] = id;
    }
}

/* One accepted record against its report and the log. */
static void judge_record(struct sim_checker *checker, uint32_t id)
{
    const struct sim_checker_record *record = &checker->records[id];
    const struct sim_producer_rules *rules = &checker->rules[record->accepted.producer];
    const struct sim_outcome *outcome = &record->outcome;
    if (record->n_reports == 0) {
        checker_found(checker, SIM_UNREPORTED, "record %u, %u copies in the log", id,
                      record->n_copies);
        return;
    }
    bool excused = !rules->idempotent &&
                   (outcome->maybe_duplicate || outcome->outcome == SIM_REPORT_UNKNOWN);
    if (record->n_copies > 1 && !excused)
        checker_found(checker, SIM_DUPLICATE, "record %u: %u copies", id, record->n_copies);
    if (outcome->outcome == SIM_REPORT_NOT_WRITTEN && record->n_copies > 0)
        checker_found(checker, SIM_NOT_NOT_WRITTEN, "record %u at %u/%d offset %lld", id,
                      record->log_place.topic, record->log_place.partition,
                      (long long)record->log_offset);
    if (outcome->outcome != SIM_REPORT_DELIVERED)
        return;
    if (outcome->offset < 0) {
        if (rules->proven && record->n_copies == 0)
            checker_found(checker, SIM_LOST, "record %u, reported without an offset", id);
        return;
    }
    const struct sim_checker_log *log = NULL;
    if (place_ok(outcome->place))
        log = &checker->logs[outcome->place.topic][outcome->place.partition];
    if (!log || outcome->offset >= (int64_t)log->n || log->slots[outcome->offset].id != id)
        checker_found(checker, SIM_LOST, "record %u is not at %u/%d offset %lld", id,
                      outcome->place.topic, outcome->place.partition, (long long)outcome->offset);
}

static void judge_handout(struct sim_checker *checker, const struct sim_checker_handout *handout)
{
    const struct sim_checker_log *log =
        &checker->logs[handout->place.topic][handout->place.partition];
    const struct sim_checker_slot *slot = handout->offset >= 0 && handout->offset < (int64_t)log->n
                                              ? &log->slots[handout->offset]
                                              : NULL;
    if (!slot || slot->content != handout->content || slot->timestamp_ms != handout->timestamp_ms)
        checker_found(checker, SIM_CONTENT, "reader %u got other bytes at %u/%d offset %lld",
                      handout->reader, handout->place.topic, handout->place.partition,
                      (long long)handout->offset);
}

uint64_t sim_checker_judge(struct sim_checker *checker, bool all_read)
{
    for (uint32_t i = 0; i < SIM_TOPICS_MAX * SIM_PARTITIONS_MAX; i++) {
        struct sim_place place = {i / SIM_PARTITIONS_MAX, (int32_t)(i % SIM_PARTITIONS_MAX)};
        const struct sim_checker_log *log = &checker->logs[place.topic][place.partition];
        for (size_t offset = 0; offset < log->n; offset++)
            judge_slot(checker, place, (int64_t)offset, &log->slots[offset]);
        judge_order(checker, place);
        for (uint32_t reader = 0; all_read && reader < SIM_READERS_MAX; reader++) {
            int64_t next = checker->next[reader][place.topic][place.partition];
            int64_t end = checker->end[place.topic][place.partition];
            if (end < 0)
                end = (int64_t)log->n;
            if (checker->read[reader][place.topic][place.partition] && next < end && end > 0)
                checker_found(checker, SIM_UNREAD, "reader %u at %u/%d: next %lld of %zu", reader,
                              place.topic, place.partition, (long long)next, log->n);
        }
    }
    for (uint32_t id = 0; id < checker->n_records; id++)
        judge_record(checker, id);
    for (size_t i = 0; i < checker->n_handouts; i++)
        judge_handout(checker, &checker->handouts[i]);
    uint64_t sum = 0;
    for (size_t i = 0; i < SIM_N_VIOLATIONS; i++)
        sum += checker->n_found[i];
    return sum;
}
