/* tests/sim/app_consume.c -- reads everything back, seeks, pauses, holds handles
 * and releases them in any order, and tells the checker what it got. */
#include "tests/sim/app.h"
#include "tests/sim/log_reader.h"

#include <string.h>

static bool app_partition_info(const struct sim_app *app, uint32_t topic, int32_t partition,
                               struct kw_mock_partition_info *info)
{
    return kwi_mock_partition(app->world->mock, sim_topics[topic], partition, info) == 0;
}

void sim_app_assign(struct sim_app *app)
{
    struct sim_world *world = app->world;
    struct kw_start starts[SIM_TOPICS_MAX * SIM_PARTITIONS_MAX];
    struct kw_error err;
    size_t n = 0;
    for (uint32_t topic = 0; topic < world->plan.n_topics; topic++) {
        for (int32_t i = 0; i < world->plan.n_partitions[topic]; i++) {
            bool number = sim_one_in(&app->rng, 2);
            starts[n++] = (struct kw_start){sim_topics[topic], i,
                                            number ? KW_START_OFFSET : KW_START_EARLIEST, 0};
            sim_checker_position(&world->checker, 0, (struct sim_place){topic, i}, 0);
        }
    }
    if (kw_core_assign(app->consumer, starts, n, &err) != 0)
        sim_fail(world, "assign: %s", err.text);
}

static void held_verify(struct sim_app *app, const struct sim_held *held)
{
    if (held->content != sim_content_hash(held->key, held->value, (struct kw_bytes){NULL, 0}))
        sim_fail(app->world, "law 3: a record changed while its handle was held");
}

void sim_app_release_some(struct sim_app *app, bool all)
{
    while (app->n_held > 0 && (all || sim_one_in(&app->rng, 2))) {
        uint32_t i = sim_below(&app->rng, app->n_held);
        held_verify(app, &app->held[i]);
        kw_core_records_release(app->held[i].records, KW_DONE);
        app->held[i] = app->held[--app->n_held];
    }
}

static void app_take_record(struct sim_app *app, struct sim_place place,
                            const struct kw_consumed *consumed)
{
    struct sim_world *world = app->world;
    struct kw_header_iter it;
    struct kw_header header;
    uint8_t encoded[256];
    size_t len = 0;
    kw_headers_begin(&it, consumed);
    while (kw_headers_next(&it, &header) == 1)
        len += sim_headers_encode(encoded + len, sizeof(encoded) - len, &header, 1);
    struct sim_checker_handout handout = {
        0, place, consumed->offset, consumed->timestamp_ms,
        sim_content_hash(consumed->key, consumed->value, (struct kw_bytes){encoded, len})};
    sim_trace_word(&world->trace, (uint64_t)consumed->offset);
    sim_trace_word(&world->trace, handout.content);
    sim_checker_handout(&world->checker, &handout);
    app->n_read++;
}

/* One handle; false when there is nothing now. */
static bool app_poll_one(struct sim_app *app)
{
    struct sim_world *world = app->world;
    struct kw_records *records = NULL;
    size_t max = sim_one_in(&app->rng, 2) ? 0 : sim_between(&app->rng, 1, 20), n = 0;
    int rc = kw_core_consumer_poll(app->consumer, &records, max);
    sim_trace_word(&world->trace, 0xc000u + (uint64_t)(int64_t)rc);
    if (rc < 0)
        sim_fail(world, "poll answered %s", kw_err_name(rc));
    if (rc != 1)
        return false;
    struct sim_place place = {sim_topic_idx(kw_records_topic(records)),
                              kw_records_partition(records)};
    struct sim_held held = {.records = records};
    const struct kw_consumed *consumed;
    if (place.topic >= world->plan.n_topics || place.partition < 0 ||
        place.partition >= world->plan.n_partitions[place.topic]) {
        sim_fail(world, "poll handed out a partition that was not assigned");
        return false;
    }
    if (app->paused[place.topic][place.partition])
        sim_fail(world, "poll handed out %u/%d, which is paused", place.topic, place.partition);
    while ((consumed = kw_records_next(records))) {
        if (n++ == 0) {
            held.key = consumed->key;
            held.value = consumed->value;
            held.content = sim_content_hash(held.key, held.value, (struct kw_bytes){NULL, 0});
        }
        app_take_record(app, place, consumed);
    }
    sim_trace_line(&world->trace, "app: read %zu records of %u/%d, next %lld", n, place.topic,
                   place.partition,
                   (long long)world->checker.next[0][place.topic][place.partition]);
    if (n == 0 || (max > 0 && n > max))
        sim_fail(world, "a handle held %zu records, %zu were asked for", n, max);
    int64_t position = -2;
    if (kw_position(app->consumer, sim_topics[place.topic], place.partition, &position) != 0 ||
        position < world->checker.next[0][place.topic][place.partition])
        sim_fail(world, "position of %u/%d is %lld, %lld was handed out", place.topic,
                 place.partition, (long long)position,
                 (long long)world->checker.next[0][place.topic][place.partition] - 1);
    if (world->plan.hold_records && app->n_held < SIM_HELD_MAX && sim_one_in(&app->rng, 2))
        app->held[app->n_held++] = held;
    else
        kw_core_records_release(records, KW_DONE);
    return true;
}

void sim_app_consume(struct sim_app *app)
{
    uint32_t n = sim_between(&app->rng, 1, 8);
    sim_app_settle_positions(app);
    while (n-- > 0 && app_poll_one(app))
        ;
    sim_app_release_some(app, app->world->healed);
}

static void app_pause(struct sim_app *app, uint32_t topic, int32_t partition, bool pause)
{
    if (kw_core_pause(app->consumer, sim_topics[topic], partition, pause) != 0)
        sim_fail(app->world, "pause of %u/%d failed", topic, partition);
    app->paused[topic][partition] = pause;
    sim_trace_line(&app->world->trace, "app: %s %u/%d", pause ? "pause" : "resume", topic,
                   partition);
}

/* To the end, near it, or to a time: the broker decides where that is. */
static void app_seek_by_name(struct sim_app *app, uint32_t topic, int32_t partition)
{
    static const uint8_t kinds[] = {KW_START_LATEST, KW_START_TAIL, KW_START_TIMESTAMP};
    struct sim_world *world = app->world;
    struct kw_start start = {sim_topics[topic], partition, kinds[sim_below(&app->rng, 3)],
                             sim_below(&app->rng, 30)};
    struct kw_mock_partition_info info;
    if (!app_partition_info(app, topic, partition, &info))
        return;
    if (start.kind == KW_START_TIMESTAMP)
        start.value = sim_time(world).wall_ms - sim_below(&app->rng, 3000);
    app->bound[topic][partition] = start.kind == KW_START_LATEST ? info.high_watermark
                                   : start.kind == KW_START_TAIL ? info.high_watermark - start.value
                                                                 : 0;
    sim_trace_line(&world->trace, "app: seek %u/%d, kind %d, value %lld", topic, partition,
                   start.kind, (long long)start.value);
    if (kw_core_seek(app->consumer, &start) != 0)
        sim_fail(world, "seek failed");
    sim_checker_position(&world->checker, 0, (struct sim_place){topic, partition}, -1);
}

void sim_app_settle_positions(struct sim_app *app)
{
    struct sim_world *world = app->world;
    for (uint32_t i = 0; i < SIM_TOPICS_MAX * SIM_PARTITIONS_MAX; i++) {
        struct sim_place place = {i / SIM_PARTITIONS_MAX, (int32_t)(i % SIM_PARTITIONS_MAX)};
        int64_t position = -1;
        if (place.topic >= world->plan.n_topics ||
            place.partition >= world->plan.n_partitions[place.topic] ||
            world->checker.next[0][place.topic][place.partition] >= 0)
            continue;
        if (kw_position(app->consumer, sim_topics[place.topic], place.partition, &position) != 0)
            sim_fail(world, "position of %u/%d is not known", place.topic, place.partition);
        if (position < 0)
            continue; /* not yet */
        if (position < app->bound[place.topic][place.partition])
            sim_fail(world, "a seek led %u/%d to %lld, the bound was %lld", place.topic,
                     place.partition, (long long)position,
                     (long long)app->bound[place.topic][place.partition]);
        sim_checker_position(&world->checker, 0, place, position);
    }
}

void sim_app_seek_or_pause(struct sim_app *app)
{
    struct sim_world *world = app->world;
    const struct sim_plan *plan = &world->plan;
    uint32_t topic = sim_below(&app->rng, plan->n_topics);
    int32_t partition = (int32_t)sim_below(&app->rng, (uint32_t)plan->n_partitions[topic]);
    if (plan->pause && sim_one_in(&app->rng, 10))
        app_pause(app, topic, partition, !app->paused[topic][partition]);
    if (!plan->seek || !sim_one_in(&app->rng, 20))
        return;
    int64_t next = world->checker.next[0][topic][partition];
    int64_t target = sim_one_in(&app->rng, 3) || next <= 0
                         ? 0
                         : (int64_t)sim_below(&app->rng, (uint32_t)next + 1);
    struct kw_start start = {
        sim_topics[topic], partition,
        target == 0 && sim_one_in(&app->rng, 2) ? KW_START_EARLIEST : KW_START_OFFSET, target};
    if (sim_one_in(&app->rng, 4)) {
        app_seek_by_name(app, topic, partition);
        return;
    }
    sim_trace_line(&world->trace, "app: seek %u/%d to %lld", topic, partition, (long long)target);
    if (kw_core_seek(app->consumer, &start) != 0)
        sim_fail(world, "seek failed");
    sim_checker_position(&world->checker, 0, (struct sim_place){topic, partition}, target);
}

bool sim_app_all_read(const struct sim_app *app)
{
    const struct sim_plan *plan = &app->world->plan;
    for (uint32_t topic = 0; topic < plan->n_topics; topic++) {
        for (int32_t i = 0; i < plan->n_partitions[topic]; i++) {
            struct kw_mock_partition_info info;
            if (!app_partition_info(app, topic, i, &info) ||
                app->world->checker.next[0][topic][i] != info.end_offset)
                return false;
        }
    }
    return true;
}

void sim_app_mark_ends(struct sim_app *app)
{
    const struct sim_plan *plan = &app->world->plan;
    for (uint32_t topic = 0; topic < plan->n_topics; topic++) {
        for (int32_t i = 0; i < plan->n_partitions[topic]; i++) {
            struct kw_mock_partition_info info;
            if (app_partition_info(app, topic, i, &info))
                sim_checker_end(&app->world->checker, (struct sim_place){topic, i},
                                info.end_offset);
        }
    }
}
