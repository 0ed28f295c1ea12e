/* tests/heap/steps.c -- what the steps of a scenario do. Each is called again and
 * again, with time passing in between, until it has set `done`; whatever was
 * refused for want of memory is simply asked for once more. */
#include "tests/heap/scenario.h"

#include "base/bytes.h"
#include "base/crc32.h"
#include "tests/sim/log_reader.h"

#include <string.h>

enum { MOVES = 20, IDLE_US = 3000000, TAIL = 10, LATER_MS = 10000 };

static int32_t steps_partitions(const struct heap_scenario *scenario)
{
    return scenario->row->n_partitions ? scenario->row->n_partitions : 3;
}

/* At the begin of a step: so many records more. */
static void steps_make_more(struct heap_scenario *scenario)
{
    uint32_t n = scenario->row->n_records ? scenario->row->n_records : 120;
    if (scenario->stage > 0 || scenario->n_turns > 0)
        return;
    scenario->n_to_make += n;
    if (scenario->n_to_make > HEAP_RECORDS_MAX)
        heap_wrong(scenario, "the row makes too many records");
}

/* ---- from create to produce ------------------------------------------------------------ */

static void step_create(struct heap_scenario *scenario)
{
    int rc = heap_create(scenario);
    if (rc != 0 && rc != KW_ERR_NOMEM)
        heap_wrong(scenario, "create failed for another reason than memory");
    scenario->done = rc == 0;
}

static void step_connect(struct heap_scenario *scenario)
{
    scenario->done = kw_topic_partitions(scenario->topic) == steps_partitions(scenario);
}

/* With failures only, the counters say what was delivered. */
static bool steps_all_settled(const struct heap_scenario *scenario)
{
    struct kw_stats stats;
    kw_core_stats(scenario->pair.core, &stats);
    return scenario->n_accepted == scenario->n_to_make &&
           stats.records_accepted ==
               stats.records_delivered + stats.records_not_written + stats.records_unknown &&
           (scenario->row->only_errors || scenario->n_reported == scenario->n_accepted);
}

static void step_produce(struct heap_scenario *scenario)
{
    steps_make_more(scenario);
    heap_append(scenario);
    scenario->done = steps_all_settled(scenario);
}

static void step_produce_moving(struct heap_scenario *scenario)
{
    uint32_t n_brokers = scenario->row->n_brokers;
    steps_make_more(scenario);
    if (scenario->stage < MOVES && scenario->n_turns % 4 == 3) {
        int32_t partition = (int32_t)scenario->stage % steps_partitions(scenario);
        int32_t broker = (int32_t)((scenario->stage / 2 + 1) % n_brokers);
        if (kwi_mock_set_leader(scenario->pair.mock, "t", partition, broker) != 0)
            heap_wrong(scenario, "a leader does not move");
        scenario->stage++;
    }
    /* A few at a time, so that there is something to send after each move. */
    uint32_t all = scenario->n_to_make;
    if (scenario->n_accepted + 4 < all && scenario->stage < MOVES)
        scenario->n_to_make = scenario->n_accepted + 4;
    heap_append(scenario);
    scenario->n_to_make = all;
    scenario->done = scenario->stage == MOVES && steps_all_settled(scenario);
}

static void step_idle(struct heap_scenario *scenario)
{
    scenario->done = scenario->pair.now.mono_us >= scenario->start_us + IDLE_US;
}

/* ---- flush, purge, expiry -------------------------------------------------------------- */

static void step_purge(struct heap_scenario *scenario)
{
    steps_make_more(scenario);
    switch (scenario->stage) {
    case 0:
        scenario->pair.hold_answers = true;
        if (!heap_append(scenario))
            return;
        if (kw_core_purge(scenario->producer) != 0)
            heap_wrong(scenario, "purge failed");
        heap_next_stage(scenario);
        return;
    case 1:
        if (scenario->n_canceled == 0)
            return;
        scenario->pair.hold_answers = false;
        heap_next_stage(scenario);
        return;
    default:
        scenario->done = scenario->n_reported == scenario->n_accepted &&
                         heap_take_unsent(scenario) &&
                         scenario->n_given_back == scenario->n_canceled;
    }
}

static struct kw_op *steps_flush_short(struct heap_scenario *scenario)
{
    return kw_core_flush(scenario->producer, 50, scenario);
}

static struct kw_op *steps_flush_long(struct heap_scenario *scenario)
{
    return kw_core_flush(scenario->producer, LATER_MS, scenario);
}

static void step_flush(struct heap_scenario *scenario)
{
    steps_make_more(scenario);
    switch (scenario->stage) {
    case 0:
        scenario->pair.hold_answers = true;
        if (heap_append(scenario))
            heap_next_stage(scenario);
        return;
    case 1:
        if (!heap_op(scenario, steps_flush_short))
            return;
        if (scenario->op_code != KW_ERR_TIMEOUT)
            heap_wrong(scenario, "a flush ended although nobody answers");
        scenario->pair.hold_answers = false;
        heap_next_stage(scenario);
        return;
    default:
        if (!heap_op(scenario, steps_flush_long))
            return;
        if (scenario->op_code == 0 && scenario->n_reported != scenario->n_accepted)
            heap_wrong(scenario, "a flush ended with records unreported");
        if (scenario->op_code != 0 && scenario->op_code != KW_ERR_TIMEOUT)
            heap_wrong(scenario, "a flush ended for another reason than time");
        scenario->done = scenario->op_code == 0;
    }
}

static void step_expire(struct heap_scenario *scenario)
{
    struct sim_pair *pair = &scenario->pair;
    steps_make_more(scenario);
    if (scenario->stage == 0) {
        pair->refuse = true;
        for (uint32_t i = 0; i < pair->n_conns; i++)
            sim_pair_break(pair, pair->conns[i]);
        heap_next_stage(scenario);
    }
    heap_append(scenario);
    if (!steps_all_settled(scenario))
        return;
    if (scenario->n_delivered > 0)
        heap_wrong(scenario, "delivered to nobody");
    pair->refuse = false;
    scenario->done = true;
}

static void step_expire_lent(struct heap_scenario *scenario)
{
    struct sim_pair *pair = &scenario->pair;
    steps_make_more(scenario);
    pair->hold_answers = pair->hold_writes = true;
    heap_append(scenario);
    sim_pair_verify(pair);
    if (!steps_all_settled(scenario))
        return;
    pair->hold_answers = pair->hold_writes = false;
    sim_pair_confirm(pair);
    scenario->done = true;
}

/* ---- admin ----------------------------------------------------------------------------- */

static const struct kw_admin_config steps_topic_config[] = {{"max.message.bytes", "100000"}};
static const struct kw_admin_request steps_admin[] = {
    {.size = sizeof(struct kw_admin_request), .kind = KW_ADMIN_METADATA},
    {.size = sizeof(struct kw_admin_request),
     .kind = KW_ADMIN_CREATE_TOPIC,
     .topic = "u",
     .partitions = 2,
     .replication_factor = 1,
     .configs = steps_topic_config,
     .n_configs = 1},
    {.size = sizeof(struct kw_admin_request), .kind = KW_ADMIN_METADATA, .topic = "u"},
    {.size = sizeof(struct kw_admin_request), .kind = KW_ADMIN_DELETE_TOPIC, .topic = "u"},
};

static struct kw_op *steps_admin_start(struct heap_scenario *scenario)
{
    const struct kw_admin_request *request = &steps_admin[scenario->stage];
    return kw_core_admin(scenario->pair.core, request,
                         request->kind == KW_ADMIN_METADATA ? &scenario->result : NULL, LATER_MS,
                         scenario);
}

static void step_admin(struct heap_scenario *scenario)
{
    struct kw_admin_result *result;
    if (!heap_op(scenario, steps_admin_start))
        return;
    result = scenario->result;
    if (scenario->op_code == 0 && steps_admin[scenario->stage].kind == KW_ADMIN_METADATA &&
        (!result || result->n_brokers != 2 || result->n_topics != 1 ||
         result->topics[0].n_partitions != (scenario->stage ? 2u : 3u)))
        heap_wrong(scenario, "metadata of another cluster");
    kw_admin_result_destroy(result);
    scenario->result = NULL;
    /* What ended without an answer may have been carried out: refused the next time. */
    if (scenario->op_code == KW_ERR_BROKER && scenario->n_turns < 3)
        heap_wrong(scenario, "the broker refused");
    if (scenario->op_code == 0 || scenario->op_code == KW_ERR_BROKER)
        heap_next_stage(scenario);
    scenario->done = scenario->stage == sizeof(steps_admin) / sizeof(*steps_admin);
}

/* ---- groups ---------------------------------------------------------------------------- */

static const char *const steps_group[] = {"simple"};
static const struct kw_offset steps_offsets[] = {{.topic = "t", .partition = 1, .offset = 7},
                                                 {.topic = "t", .partition = 0, .offset = 3}};
static const struct kw_start steps_ends[] = {
    {"t", 0, KW_START_LATEST, 0}, {"t", 0, KW_START_EARLIEST, 0}, {"t", 1, KW_START_TIMESTAMP, 5}};
#define STEPS_GROUP(kind_) \
    .size = sizeof(struct kw_admin_request), .kind = (kind_), .groups = steps_group, .n_groups = 1
static const struct kw_admin_request steps_groups[] = {
    {STEPS_GROUP(KW_ADMIN_SET_OFFSETS), .offsets = steps_offsets, .n_offsets = 2},
    {.size = sizeof(struct kw_admin_request), .kind = KW_ADMIN_LIST_GROUPS},
    {STEPS_GROUP(KW_ADMIN_DESCRIBE_GROUPS)},
    {STEPS_GROUP(KW_ADMIN_GET_OFFSETS)},
    {STEPS_GROUP(KW_ADMIN_GET_OFFSETS), .offsets = steps_offsets, .n_offsets = 2},
    {STEPS_GROUP(KW_ADMIN_DELETE_OFFSETS), .offsets = steps_offsets, .n_offsets = 1},
    {STEPS_GROUP(KW_ADMIN_DELETE_GROUPS)},
};
enum { STEPS_N_GROUPS = sizeof(steps_groups) / sizeof(*steps_groups) };

static struct kw_op *steps_groups_start(struct heap_scenario *scenario)
{
    if (scenario->stage == STEPS_N_GROUPS)
        return kw_core_list_offsets(scenario->pair.core, steps_ends, 3, KW_READ_UNCOMMITTED,
                                    &scenario->offsets, LATER_MS, scenario);
    return kw_core_admin(scenario->pair.core, &steps_groups[scenario->stage], &scenario->result,
                         LATER_MS, scenario);
}

static bool steps_groups_good(const struct heap_scenario *scenario)
{
    const struct kw_admin_result *result = scenario->result;
    switch (scenario->stage) {
    case 0: return result->n_offsets == 2 && !result->offsets[0].kafka_code;
    case 1: return result->n_groups == 1;
    case 2:
        return result->n_groups == 1 && result->groups[0].code == 0 &&
               strcmp(result->groups[0].state, "Empty") == 0;
    case 3:
    case 4:
        return result->n_offsets == 2 &&
               result->offsets[0].offset + result->offsets[1].offset == 10;
    case 5: return result->n_offsets == 1;
    case 6: return result->n_groups == 1; /* it may have been gone by the attempt before */
    default:
        return scenario->offsets->n == 3 && scenario->offsets->list[0].offset >= 0 &&
               scenario->offsets->list[1].offset == 0 && !scenario->offsets->list[2].kafka_code;
    }
}

static void step_groups(struct heap_scenario *scenario)
{
    if (scenario->stage == 0)
        kwi_mock_set_coordinator(scenario->pair.mock, 1);
    if (!heap_op(scenario, steps_groups_start))
        return;
    if (scenario->op_code == 0 && !steps_groups_good(scenario))
        heap_wrong(scenario, "groups or offsets are others");
    kw_admin_result_destroy(scenario->result);
    kw_offsets_destroy(scenario->offsets);
    scenario->result = NULL;
    scenario->offsets = NULL;
    if (scenario->op_code == 0)
        heap_next_stage(scenario);
    scenario->done = scenario->stage == STEPS_N_GROUPS + 1;
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool steps_good(struct heap_scenario *scenario, int rc)
{
    if (rc != 0 && rc != KW_ERR_NOMEM)
        heap_wrong(scenario, "a call failed for another reason than memory");
    return rc == 0;
}

static bool steps_assign_all(struct heap_scenario *scenario, uint8_t kind)
{
    struct kw_start starts[HEAP_PARTITIONS_MAX];
    int32_t n = steps_partitions(scenario);
    for (int32_t i = 0; i < n; i++)
        starts[i] = (struct kw_start){"t", i, kind, 0};
    return steps_good(scenario, kw_core_assign(scenario->consumer, starts, (size_t)n, NULL));
}

/* One call of the application each, in this order. */
static bool steps_wander_call(struct heap_scenario *scenario)
{
    struct kw_consumer *consumer = scenario->consumer;
    struct kw_start tail = {"t", 0, KW_START_TAIL, TAIL}, time = {"t", 1, KW_START_TIMESTAMP, 0},
                    other = {"t", 2, KW_START_EARLIEST, 0};
    switch (scenario->stage) {
    case 0: return steps_assign_all(scenario, KW_START_LATEST);
    case 1: return steps_good(scenario, kw_core_seek(consumer, &tail));
    case 2: return steps_good(scenario, kw_core_pause(consumer, "t", 1, true));
    case 3: return steps_good(scenario, kw_core_seek(consumer, &time));
    case 4: return scenario->n_read_of[0] == TAIL;
    case 5:
        if (scenario->n_read_of[1] > 0)
            heap_wrong(scenario, "a paused partition was read");
        return steps_good(scenario, kw_core_pause(consumer, "t", 1, false));
    case 6: return scenario->n_read_of[1] > 0;
    case 7: return steps_good(scenario, kw_core_assign(consumer, &other, 1, NULL));
    default: return scenario->n_read_of[2] > 0;
    }
}

static void step_wander(struct heap_scenario *scenario)
{
    heap_read(scenario, false);
    if (scenario->n_read_of[0] > TAIL)
        heap_wrong(scenario, "the tail is longer than asked");
    if (!steps_wander_call(scenario))
        return;
    scenario->done = scenario->stage == 8;
    heap_next_stage(scenario);
}

static void step_hoard(struct heap_scenario *scenario)
{
    int rc = 0;
    if (scenario->stage == 0) {
        if (!steps_assign_all(scenario, KW_START_EARLIEST))
            return;
        scenario->starved = false;
        heap_next_stage(scenario);
    }
    while (scenario->n_held < HEAP_HELD_MAX &&
           (rc = kw_core_consumer_poll(scenario->consumer, &scenario->held[scenario->n_held], 0)) ==
               1)
        scenario->n_held++;
    if (rc < 0 && rc != KW_ERR_NOMEM)
        heap_wrong(scenario, "poll failed for another reason than memory");
    scenario->done = scenario->starved;
    while (scenario->done && scenario->n_held > 0)
        kw_core_records_release(scenario->held[--scenario->n_held], KW_DONE);
}

static uint64_t steps_log_size(const struct heap_scenario *scenario)
{
    uint64_t sum = 0;
    for (int32_t i = 0; i < steps_partitions(scenario); i++) {
        struct kw_mock_partition_info info = {0};
        if (kwi_mock_partition(scenario->pair.mock, "t", i, &info) == 0)
            sum += (uint64_t)info.high_watermark;
    }
    return sum;
}

/* Control records and aborted ones have offsets, too. */
static bool steps_at_end(const struct heap_scenario *scenario)
{
    for (int32_t i = 0; i < steps_partitions(scenario); i++) {
        struct kw_mock_partition_info info = {0};
        int64_t position;
        if (kwi_mock_partition(scenario->pair.mock, "t", i, &info) != 0 ||
            kw_position(scenario->consumer, "t", i, &position) != 0 ||
            position != info.high_watermark)
            return false;
    }
    return true;
}

static void step_fetch(struct heap_scenario *scenario)
{
    scenario->was_read = true;
    if (scenario->stage == 0) {
        if (!steps_assign_all(scenario, KW_START_EARLIEST))
            return;
        heap_next_stage(scenario);
    }
    heap_read(scenario, true);
    scenario->done = scenario->row->txn_version ? steps_at_end(scenario)
                                                : scenario->n_read == steps_log_size(scenario);
}

static bool steps_all_committed(const struct heap_scenario *scenario)
{
    for (int32_t i = 0; i < steps_partitions(scenario); i++) {
        struct kw_mock_partition_info info = {0};
        if (kwi_mock_partition(scenario->pair.mock, "t", i, &info) == 0 &&
            info.high_watermark > 0 &&
            kwi_mock_committed(scenario->pair.mock, "g", "t", i) != info.high_watermark)
            return false;
    }
    return true;
}

static void step_group(struct heap_scenario *scenario)
{
    static const char *const topics[] = {"t"};
    int64_t offset;
    scenario->was_read = true;
    if (scenario->stage == 0) {
        kwi_mock_set_coordinator(scenario->pair.mock, 1);
        (void)!kwi_mock_set_rack(scenario->pair.mock, 0, "a");
        (void)!kwi_mock_set_rack(scenario->pair.mock, 1, "b");
        if (scenario->row->pattern)
            (void)!kwi_mock_create_topic(scenario->pair.mock, "late", 2);
        if (!steps_good(scenario,
                        scenario->row->pattern
                            ? kw_core_subscribe_pattern(scenario->consumer, "t|late", NULL)
                            : kw_core_subscribe(scenario->consumer, topics, 1, NULL)))
            return;
        heap_next_stage(scenario);
    }
    heap_read(scenario, true);
    scenario->done = steps_all_committed(scenario) &&
                     (!scenario->row->pattern ||
                      kw_position(scenario->consumer, "late", 1, &offset) == 0);
}

/* ---- logs of old brokers ------------------------------------------------------------------- */

/* A batch of format 2 is overwritten in the broker's log with as many messages of
 * an older format, of the same size in all: the last value takes what is left. */
struct legacy {
    uint8_t *at;
    size_t left;
    uint32_t n_left;
    int8_t magic;
};

static void legacy_message(void *ctx, const struct sim_log_record *record)
{
    struct legacy *legacy = ctx;
    size_t fixed = 26 + (legacy->magic ? 8u : 0), size = fixed + record->key.len;
    uint8_t *p = legacy->at;
    uint32_t key_len = (uint32_t)record->key.len;
    uint8_t key[8];
    if (--legacy->n_left == 0)
        size = legacy->left;
    if (size > legacy->left || size < fixed + key_len || key_len > sizeof(key))
        return;
    memcpy(key, record->key.ptr, key_len); /* it is about to be overwritten */
    kwi_put_u64(p, (uint64_t)record->offset);
    kwi_put_u32(p + 8, (uint32_t)(size - 12));
    p[16] = (uint8_t)legacy->magic;
    p[17] = 0;
    p += 18;
    if (legacy->magic) {
        kwi_put_u64(p, (uint64_t)record->timestamp_ms);
        p += 8;
    }
    kwi_put_u32(p, key_len);
    memcpy(p + 4, key, key_len);
    kwi_put_u32(p + 4 + key_len, (uint32_t)(size - fixed - key_len));
    memset(p + 8 + key_len, 'w', size - fixed - key_len);
    kwi_put_u32(legacy->at + 12, kwi_crc32(0, legacy->at + 16, size - 16));
    legacy->at += size;
    legacy->left -= size;
}

static void steps_make_legacy(struct heap_scenario *scenario, int8_t magic)
{
    uint8_t copy[4096];
    for (int32_t i = 0; i < steps_partitions(scenario); i++) {
        struct kw_mock_batch batch;
        int64_t offset = 0;
        while (kwi_mock_log(scenario->pair.mock, "t", i, &offset, &batch)) {
            const char *why;
            struct legacy legacy = {(uint8_t *)(uintptr_t)batch.ptr, batch.len,
                                    (uint32_t)(batch.last_offset - batch.base_offset) + 1, magic};
            memcpy(copy, batch.ptr, batch.len < sizeof(copy) ? batch.len : sizeof(copy));
            if (batch.len > sizeof(copy) ||
                sim_log_read(copy, batch.len, legacy_message, &legacy, &why) < 0 || legacy.left > 0)
                heap_wrong(scenario, "a batch cannot be made into messages");
        }
    }
    scenario->done = true;
}

static void step_legacy_0(struct heap_scenario *scenario)
{
    steps_make_legacy(scenario, 0);
}

static void step_legacy_1(struct heap_scenario *scenario)
{
    steps_make_legacy(scenario, 1);
}

/* ---- close ------------------------------------------------------------------------------------ */

static struct kw_op *steps_close_start(struct heap_scenario *scenario)
{
    return kw_core_close(scenario->pair.core, 5000, scenario);
}

static struct kw_op *steps_close_soon(struct heap_scenario *scenario)
{
    return kw_core_close(scenario->pair.core, 100, scenario);
}

/* The consumer is gone behind the next event. */
static struct kw_op *steps_part_start(struct heap_scenario *scenario)
{
    return kw_core_consumer_close(scenario->consumer, KW_LEAVE_DEFAULT, 5000, scenario);
}

static void step_part(struct heap_scenario *scenario)
{
    if (scenario->stage == 0 && heap_op(scenario, steps_part_start))
        heap_next_stage(scenario);
    if (scenario->stage == 1)
        scenario->consumer = NULL;
    scenario->done = scenario->stage == 1;
}

static void steps_close(struct heap_scenario *scenario,
                        struct kw_op *(*start)(struct heap_scenario *scenario))
{
    if (scenario->stage == 0 && heap_op(scenario, start))
        heap_next_stage(scenario);
    scenario->done = scenario->stage == 1 && heap_take_unsent(scenario);
}

static void step_close(struct heap_scenario *scenario)
{
    steps_close(scenario, steps_close_start);
}

static void step_close_loaded(struct heap_scenario *scenario)
{
    steps_make_more(scenario);
    scenario->pair.hold_answers = true;
    if (scenario->stage == 0 && scenario->n_accepted < scenario->n_to_make &&
        !heap_append(scenario))
        return;
    steps_close(scenario, steps_close_soon);
    if (scenario->done && scenario->n_reported != scenario->n_accepted)
        heap_wrong(scenario, "close ended with records unreported");
    scenario->pair.hold_answers = !scenario->done;
}

const struct heap_step_info heap_steps[HEAP_N_STEPS] = {
    [HEAP_NONE] = {"nothing", NULL},
    [HEAP_CREATE] = {"create", step_create},
    [HEAP_CONNECT] = {"connect", step_connect},
    [HEAP_PRODUCE] = {"produce", step_produce},
    [HEAP_PRODUCE_MOVING] = {"produce while leaders move", step_produce_moving},
    [HEAP_IDLE] = {"idle", step_idle},
    [HEAP_PURGE] = {"purge", step_purge},
    [HEAP_FLUSH] = {"flush", step_flush},
    [HEAP_EXPIRE] = {"expire", step_expire},
    [HEAP_EXPIRE_LENT] = {"expire while lent", step_expire_lent},
    [HEAP_ADMIN] = {"admin", step_admin},
    [HEAP_GROUPS] = {"groups", step_groups},
    [HEAP_WANDER] = {"wander", step_wander},
    [HEAP_HOARD] = {"hoard", step_hoard},
    [HEAP_LEGACY_0] = {"make messages of format 0", step_legacy_0},
    [HEAP_LEGACY_1] = {"make messages of format 1", step_legacy_1},
    [HEAP_FETCH] = {"fetch", step_fetch},
    [HEAP_GROUP] = {"read as a member of a group", step_group},
    [HEAP_PART] = {"close the consumer", step_part},
    [HEAP_CLOSE] = {"close", step_close},
    [HEAP_CLOSE_LOADED] = {"close under load", step_close_loaded},
};
