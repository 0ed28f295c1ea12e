/* tests/sim/group_bed.c -- see group_bed.h. */
#include "tests/sim/group_bed.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const bed_usual[] = {"retry.backoff.ms=20",
                                        "retry.backoff.max.ms=100",
                                        "reconnect.backoff.ms=10",
                                        "reconnect.backoff.max.ms=100",
                                        "request.timeout.ms=1000",
                                        "metadata.max.age.ms=2000",
                                        NULL};

static void bed_broken(struct group_bed *bed, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void bed_broken(struct group_bed *bed, const char *format, ...)
{
    va_list args;
    if (bed->why[0])
        return;
    va_start(args, format);
    vsnprintf(bed->why, sizeof bed->why, format, args);
    va_end(args);
}

static struct bed_member *bed_member_of(struct group_bed *bed, const struct kw_consumer *consumer)
{
    for (unsigned i = 0; i < bed->n_members; i++) {
        if (bed->members[i].consumer == consumer)
            return &bed->members[i];
    }
    return NULL;
}

/* ---- events -------------------------------------------------------------------------- */

static void bed_drop_revoked(struct bed_member *member);

static void bed_assigned(struct group_bed *bed, struct bed_member *member,
                         const struct kw_event *event)
{
    member->n_assigned++;
    for (unsigned k = 0; k < bed->n_members; k++) {
        if (bed->members[k].revoke_us && bed->pair.now.mono_us >= bed->members[k].revoke_us)
            bed_drop_revoked(&bed->members[k]);
    }
    for (size_t i = 0; i < event->n_partitions; i++) {
        int32_t p = event->partitions[i].partition;
        if (strcmp(event->partitions[i].topic, "t") != 0)
            continue;
        for (unsigned k = 0; k < bed->n_members; k++) {
            /* Who was away for too long learns of it late. Until then it gets nothing. */
            if (bed->members[k].owns[p] && k != (unsigned)(member - bed->members))
                bed->members[k].superseded[p] = true;
            else if (bed->members[k].owns[p])
                bed_broken(bed, "partition %d was given to %u, who has it", p, k);
        }
        member->owns[p] = true;
        member->superseded[p] = false;
        member->revoking[p] = false;
        member->last[p] = -1;
        member->n_given++;
    }
}

static void bed_drop_revoked(struct bed_member *member)
{
    for (int p = 0; p < BED_PARTITIONS; p++) {
        if (!member->revoking[p])
            continue;
        member->owns[p] = member->revoking[p] = false;
        member->n_taken++;
    }
    member->revoke_us = 0;
}

static void bed_revoked(struct group_bed *bed, struct bed_member *member,
                        const struct kw_event *event)
{
    member->n_revoked++;
    for (size_t i = 0; i < event->n_partitions; i++) {
        int32_t p = event->partitions[i].partition;
        if (strcmp(event->partitions[i].topic, "t") != 0)
            continue;
        if (!member->owns[p] || member->superseded[p])
            bed_broken(bed, "partition %d was revoked and not owned", p);
        member->revoking[p] = true;
    }
    if (member->no_ack) {
        /* It may have been raised by a call of ours since the last step, 10 ms ago. */
        member->revoke_us = bed->pair.now.mono_us + bed->ack_ms * UINT64_C(1000) - 10000;
        return;
    }
    bed_release_held(member, KW_DONE);
    if (kw_core_rebalance_ack(member->consumer) == 0)
        bed_drop_revoked(member);
}

static void bed_lost(struct group_bed *bed, struct bed_member *member, const struct kw_event *event)
{
    member->n_lost++;
    if (member->revoke_us && bed->pair.now.mono_us >= member->revoke_us)
        bed_drop_revoked(member); /* in the same step, before */
    for (size_t i = 0; i < event->n_partitions; i++) {
        int32_t p = event->partitions[i].partition;
        if (strcmp(event->partitions[i].topic, "t") == 0)
            member->owns[p] = member->revoking[p] = member->superseded[p] = false;
    }
    member->revoke_us = 0;
}

static void bed_event(void *ctx, const struct kw_event *event)
{
    struct group_bed *bed = ctx;
    struct bed_member *member = bed_member_of(bed, event->consumer);
    if (event->kind == KW_EVENT_REPORT)
        bed->n_delivered += event->report.n;
    if (event->kind == KW_EVENT_OP_DONE) {
        bed->n_done++;
        bed->op_code = event->code;
    }
    if (!member)
        return;
    switch (event->kind) {
    case KW_EVENT_ASSIGNED: bed_assigned(bed, member, event); break;
    case KW_EVENT_REVOKED: bed_revoked(bed, member, event); break;
    case KW_EVENT_LOST: bed_lost(bed, member, event); break;
    case KW_EVENT_LOOP_LATE: member->n_late++; break;
    case KW_EVENT_RECORDS: member->n_ready++; break;
    case KW_EVENT_COMMIT_FAILED: member->n_failed++; break;
    default: break;
    }
    if ((event->kind == KW_EVENT_ERROR || event->kind == KW_EVENT_LOST) && event->error) {
        member->n_error += event->kind == KW_EVENT_ERROR;
        member->code = event->code;
        member->kafka_code = event->error->kafka_code;
        member->retriable = event->error->retriable;
        memcpy(member->text, event->error->text, sizeof member->text);
    }
}

/* ---- records --------------------------------------------------------------------------- */

static void bed_read(struct group_bed *bed, struct bed_member *member, struct kw_records *records)
{
    int32_t p = kw_records_partition(records);
    const struct kw_consumed *record;
    int64_t fence = kw_records_fence(records);
    if (!member->owns[p] || member->revoking[p])
        bed_broken(bed, "a record of partition %d after its %s", p,
                   member->owns[p] ? "revoke" : "loss");
    if (member->superseded[p])
        bed_broken(bed, "a record of partition %d, which somebody else has", p);
    if (fence < bed->fences[p])
        bed_broken(bed, "partition %d: fence %lld after %lld", p, (long long)fence,
                   (long long)bed->fences[p]);
    bed->fences[p] = fence;
    while ((record = kw_records_next(records))) {
        if (record->offset <= member->last[p])
            bed_broken(bed, "partition %d: offset %lld after %lld", p, (long long)record->offset,
                       (long long)member->last[p]);
        if (member->last[p] >= 0 && record->offset != member->last[p] + 1)
            bed_broken(bed, "partition %d: %lld follows %lld", p, (long long)record->offset,
                       (long long)member->last[p]);
        member->last[p] = record->offset;
        if (record->offset > bed->handed[p])
            bed->handed[p] = record->offset;
        if (record->offset < BED_RECORDS && bed->handled[p][record->offset] < 255)
            bed->handled[p][record->offset]++;
        member->n_records++;
    }
}

void bed_release_held(struct bed_member *member, enum kw_done done)
{
    while (member->n_held > 0)
        kw_core_records_release(member->held[--member->n_held], done);
}

static void bed_poll(struct group_bed *bed, struct bed_member *member)
{
    struct kw_records *records;
    for (int i = 0; i < 8 && kw_core_consumer_poll(member->consumer, &records, 0) == 1; i++) {
        bed_read(bed, member, records);
        if (member->hold && member->n_held < 64)
            member->held[member->n_held++] = records;
        else
            kw_core_records_release(records, KW_DONE);
    }
}

/* ---- what must hold ------------------------------------------------------------------------ */

static void bed_look(struct group_bed *bed)
{
    for (int32_t p = 0; p < BED_PARTITIONS; p++) {
        int64_t now = kwi_mock_committed(bed->pair.mock, "g", "t", p);
        if (now > bed->handed[p] + 1)
            bed_broken(bed, "partition %d: %lld is committed, %lld was handed out last", p,
                       (long long)now, (long long)bed->handed[p]);
        if (now < bed->committed[p] && !bed->may_go_back)
            bed_broken(bed, "partition %d: the committed offset went from %lld to %lld", p,
                       (long long)bed->committed[p], (long long)now);
        bed->committed[p] = now;
    }
    for (unsigned i = 0; i < bed->n_members; i++) {
        struct bed_member *member = &bed->members[i];
        if (member->revoke_us && bed->pair.now.mono_us >= member->revoke_us)
            bed_drop_revoked(member);
    }
}

void bed_check(struct group_bed *bed)
{
    cr_assert(!bed->pair.broken, "%s", bed->pair.why);
    cr_assert(!bed->why[0], "%s", bed->why);
}

void bed_run(struct group_bed *bed, uint64_t for_ms)
{
    for (uint64_t ms = 0; ms < for_ms; ms += 10) {
        for (unsigned i = 0; i < bed->n_members; i++) {
            struct bed_member *member = &bed->members[i];
            if (member->consumer && !member->no_poll)
                bed_poll(bed, member);
        }
        bed_look(bed);
        sim_pair_step(&bed->pair, 10000);
    }
    bed_look(bed);
    bed_check(bed);
}

unsigned bed_owned(const struct bed_member *member)
{
    unsigned n = 0;
    for (int p = 0; p < BED_PARTITIONS; p++)
        n += member->owns[p] && !member->revoking[p];
    return n;
}

static bool bed_all_owned(const struct group_bed *bed)
{
    unsigned n = 0;
    for (unsigned i = 0; i < bed->n_members; i++)
        n += bed_owned(&bed->members[i]);
    return n == BED_PARTITIONS;
}

bool bed_settled(struct group_bed *bed, uint64_t for_ms)
{
    struct kw_mock_group_info info = {0};
    for (uint64_t ms = 0; ms < for_ms; ms += 10) {
        bool stable = kwi_mock_group(bed->pair.mock, "g", &info) == 0 &&
                      info.state == KWI_MOCK_GROUP_STABLE;
        if (stable && bed_all_owned(bed))
            return true;
        bed_run(bed, 10);
    }
    return false;
}

bool bed_drained(struct group_bed *bed, uint64_t for_ms)
{
    for (uint64_t ms = 0; ms < for_ms; ms += 10) {
        bool all = true;
        for (int p = 0; p < BED_PARTITIONS; p++) {
            for (unsigned i = 0; i < bed->n_produced[p]; i++)
                all &= bed->handled[p][i] > 0;
        }
        if (all)
            return true;
        bed_run(bed, 10);
    }
    return false;
}

/* ---- making it --------------------------------------------------------------------------------- */

void group_begin(struct group_bed *bed, const char *const *settings)
{
    group_begin_of(bed, settings, NULL, NULL);
}

void group_begin_of(struct group_bed *bed, const char *const *settings, const char *release,
                    bed_answer_fn *on_answer)
{
    struct kw_mock_config config = {.n_brokers = 2};
    if (release)
        cr_assert_eq(kwi_mock_release(release, &config.versions, &config.n_versions), 0);
    group_begin_with(bed, settings, &config, on_answer);
}

void group_begin_with(struct group_bed *bed, const char *const *settings,
                      const struct kw_mock_config *brokers, bed_answer_fn *on_answer)
{
    struct kw_mock_config config = *brokers;
    memset(bed, 0, sizeof *bed);
    for (int p = 0; p < BED_PARTITIONS; p++)
        bed->handed[p] = bed->committed[p] = bed->fences[p] = -1;
    bed->session_ms = 2000;
    bed->ack_ms = 300;
    config.group_session_ms = bed->session_ms;
    config.group_heartbeat_ms = 200;
    cr_assert_eq(sim_pair_init_of(&bed->pair, SIM_MEMORY_PLAIN, &config, BED_PARTITIONS), 0);
    kwi_mock_set_coordinator(bed->pair.mock, 1);
    bed->pair.on_event = bed_event;
    bed->pair.on_answer = on_answer;
    bed->pair.ctx = bed;
    cr_assert_eq(sim_pair_core(&bed->pair, settings ? settings : bed_usual, NULL), 0);
    cr_assert_eq(kw_core_producer_create(&bed->producer, bed->pair.core, NULL, NULL), 0);
    cr_assert_eq(kw_core_topic_open(&bed->topic, bed->producer, "t", NULL), 0);
    sim_pair_step(&bed->pair, 10000);
}

void group_end(struct group_bed *bed)
{
    bed_check(bed);
    kw_core_destroy(bed->pair.core);
    bed->pair.core = NULL;
    cr_assert_eq(bed->pair.memory.n_live, 0, "%lu blocks leaked",
                 (unsigned long)bed->pair.memory.n_live);
    cr_assert(!bed->pair.memory.damaged);
    sim_pair_deinit(&bed->pair);
}

struct bed_member *bed_join(struct group_bed *bed, const char *const *settings)
{
    static const char *const usual[] = {"group.id=g",
                                        "auto.commit.interval.ms=100",
                                        "auto.offset.reset=earliest",
                                        "fetch.max.wait.ms=50",
                                        "max.poll.records=7",
                                        "max.poll.interval.ms=3000",
                                        "rebalance.ack.timeout.ms=300",
                                        NULL};
    /* Where the coordinator assigns, it says this; see group_begin. */
    static const char *const classic[] = {"session.timeout.ms=2000", "heartbeat.interval.ms=200",
                                          NULL};
    const char *all[32];
    struct bed_member *member = &bed->members[bed->n_members++];
    struct kw_config *own = NULL;
    struct kw_error err;
    unsigned n = 0;
    bool told = false;
    cr_assert_leq(bed->n_members, BED_MEMBERS);
    memset(member, 0, sizeof *member);
    for (int i = 0; usual[i]; i++)
        all[n++] = usual[i];
    for (int i = 0; settings && settings[i]; i++)
        told |= strncmp(settings[i], "group.protocol=", 15) == 0;
    for (int i = 0; !told && classic[i]; i++)
        all[n++] = classic[i];
    for (int i = 0; settings && settings[i]; i++)
        all[n++] = settings[i];
    all[n] = NULL;
    for (int p = 0; p < BED_PARTITIONS; p++)
        member->last[p] = -1;
    cr_assert_eq(sim_pair_config(&bed->pair, &own, all), 0);
    cr_assert_eq(kw_core_consumer_create(&member->consumer, bed->pair.core, own, &err), 0, "%s",
                 err.text);
    kw_config_destroy(own);
    return member;
}

void bed_subscribe(struct bed_member *member)
{
    static const char *const topics[] = {"t"};
    struct kw_error err;
    cr_assert_eq(kw_core_subscribe(member->consumer, topics, 1, &err), 0, "%s", err.text);
}

struct kw_op *bed_close(struct bed_member *member, enum kw_leave leave, int32_t timeout_ms)
{
    struct kw_op *op = kw_core_consumer_close(member->consumer, leave, timeout_ms, NULL);
    cr_assert_not_null(op);
    for (int p = 0; p < BED_PARTITIONS; p++)
        member->owns[p] = member->revoking[p] = member->superseded[p] = false;
    member->revoke_us = 0;
    member->consumer = NULL;
    return op;
}

void bed_produce(struct group_bed *bed, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        for (int32_t p = 0; p < BED_PARTITIONS; p++) {
            struct kw_record record = {
                .value = {"x", 1}, .flags = KW_REC_PARTITION, .partition = p};
            cr_assert_geq(kw_core_produce(bed->topic, &record), 0);
            bed->n_produced[p]++;
            bed->n_accepted++;
        }
    }
    for (int i = 0; i < 500 && bed->n_delivered < bed->n_accepted; i++)
        bed_run(bed, 10);
    cr_assert_eq(bed->n_delivered, bed->n_accepted);
}

void bed_fault(struct group_bed *bed, const char *spec)
{
    struct kw_mock_fault fault;
    const char *why = "";
    cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
    cr_assert_eq(kwi_mock_fault_add(bed->pair.mock, &fault, NULL), 0, "%s", spec);
    bed->n_faults++;
}

/* ---- for tests of single members ------------------------------------------------------- */

void bed_two_members(struct group_bed *bed, const char *const *settings)
{
    group_begin(bed, NULL);
    bed_produce(bed, 20);
    bed_subscribe(bed_join(bed, settings));
    cr_assert(bed_settled(bed, 2000));
    bed_subscribe(bed_join(bed, settings));
    bed_run(bed, 1000);
    cr_assert(bed_settled(bed, 2000));
    cr_assert_eq(bed_owned(&bed->members[0]), 3);
    cr_assert_eq(bed_owned(&bed->members[1]), 3);
}

void bed_each_once(const struct group_bed *bed)
{
    for (int p = 0; p < BED_PARTITIONS; p++) {
        for (unsigned i = 0; i < bed->n_produced[p]; i++)
            cr_assert_eq(bed->handled[p][i], 1, "partition %d offset %u: %u times", p, i,
                         bed->handled[p][i]);
    }
}

struct kw_mock_group_info bed_group(const struct group_bed *bed)
{
    struct kw_mock_group_info info = {0};
    (void)!kwi_mock_group(bed->pair.mock, "g", &info);
    return info;
}
