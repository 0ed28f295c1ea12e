/* Trays over the real core: batches that are filled outside of their partitions, and what
 * happens to a producer, its partitions and its client while one is open. Each record has one
 * outcome, and in each partition records lie in the order in which trays were closed and
 * records produced.
 *
 * covers: L01 M01 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/pair.h"

enum { RECORDS_MAX = 2000, PARTITIONS = 2 };

struct scene {
    struct sim_pair pair;
    struct kw_producer *producer;
    struct kw_topic *topic;
    uintptr_t n_made, n_reported, n_of[3];
    int64_t offset[RECORDS_MAX]; /* by id; -2: not reported */
    int32_t partition[RECORDS_MAX];
    unsigned n_ops;
    bool done;
};

static struct scene scene; /* one test a process */

static void scene_event(void *ctx, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    (void)ctx;
    scene.n_ops += event->kind == KW_EVENT_OP_DONE;
    if (event->kind != KW_EVENT_REPORT)
        return;
    for (uint32_t i = 0; i < report->n; i++) {
        uintptr_t id = (uintptr_t)kw_report_opaque(report, i) - 1;
        cr_assert_lt(id, scene.n_made);
        cr_assert_eq(scene.offset[id], -2, "record %lu is reported twice", (unsigned long)id);
        scene.offset[id] = report->base_offset < 0 ? -1 : report->base_offset + i;
        scene.partition[id] = report->partition;
    }
    scene.n_reported += report->n;
    scene.n_of[report->outcome] += report->n;
    scene.done = scene.n_reported == scene.n_made;
}

static void scene_begin(enum sim_memory_kind kind, const char *const *own)
{
    static const char *const usual[] = {"request.timeout.ms=1000",  "retry.backoff.ms=10",
                                        "memory.limit=40000000",    "control.memory=8000000",
                                        "buffer.memory=1200000",    "reconnect.backoff.ms=10",
                                        "delivery.timeout.ms=5000", NULL};
    struct kw_config *cfg = NULL;
    struct kw_error err;
    bool never = false;
    memset(&scene, 0, sizeof(scene));
    cr_assert_eq(sim_pair_init(&scene.pair, kind, 1, PARTITIONS), 0);
    scene.pair.on_event = scene_event;
    for (int i = 0; i < RECORDS_MAX; i++)
        scene.offset[i] = -2;
    cr_assert_eq(sim_pair_core(&scene.pair, usual, NULL), 0);
    cr_assert_eq(sim_pair_config(&scene.pair, &cfg, own), 0);
    cr_assert_eq(kw_core_producer_create(&scene.producer, scene.pair.core, cfg, &err), 0, "%s",
                 err.text);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_topic_open(&scene.topic, scene.producer, "t", NULL), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(scene.topic) == 0; i++)
        sim_pair_run(&scene.pair, &never, 20);
    cr_assert_eq(kw_topic_partitions(scene.topic), PARTITIONS);
}

static void scene_end(void)
{
    cr_assert(!scene.pair.broken, "%s", scene.pair.why);
    kw_core_destroy(scene.pair.core);
    scene.pair.core = NULL;
    cr_assert_eq(scene.pair.memory.n_live, 0);
    sim_pair_deinit(&scene.pair);
}

static struct kw_record next_record(size_t len)
{
    static uint8_t value[70000];
    cr_assert_lt(scene.n_made, RECORDS_MAX);
    return (struct kw_record){
        .value = {value, len}, .flags = KW_REC_PARTITION, .opaque = (void *)(scene.n_made + 1)};
}

static void accepted(void)
{
    scene.n_made++;
    scene.done = false;
}

static void make(size_t len)
{
    struct kw_record record = next_record(len);
    int rc = kw_core_produce(scene.topic, &record);
    cr_assert_geq(rc, 0, "%s", kw_err_name(rc));
    accepted();
}

static struct kw_tray *open_tray(void)
{
    struct kw_tray *tray;
    int rc = kw_core_tray_open(&tray, scene.topic, 0);
    cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
    return tray;
}

static int try_fill(struct kw_tray *tray, size_t len)
{
    struct kw_record record = next_record(len);
    int rc = kw_core_tray_append(tray, &record) ? 0 : kw_core_tray_produce(tray, &record);
    if (rc == 0)
        accepted();
    return rc;
}

static void fill(struct kw_tray *tray, int n)
{
    for (int i = 0; i < n; i++) {
        int rc = try_fill(tray, 100);
        cr_assert_eq(rc, 0, "%s", kw_err_name(rc));
    }
}

static void all_delivered(void)
{
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000), "%lu of %lu are reported",
              (unsigned long)scene.n_reported, (unsigned long)scene.n_made);
    cr_assert_eq(scene.n_of[KW_DELIVERED], scene.n_made);
}

/* Nobody heard of them: each is told so, once. */
static void none_written(uintptr_t n)
{
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000), "%lu of %lu are reported",
              (unsigned long)scene.n_reported, (unsigned long)scene.n_made);
    cr_assert_eq(scene.n_of[KW_NOT_WRITTEN], n);
}

static const char *const usual[] = {"linger.ms=5", "batch.size=16384", NULL};

Test(trays, records_lie_in_the_order_in_which_trays_were_closed)
{
    scene_begin(SIM_MEMORY_PLAIN, usual);
    make(100); /* 0: in the partition's own batch */
    struct kw_tray *first = open_tray(), *second = open_tray();
    fill(first, 3);  /* 1 to 3 */
    fill(second, 2); /* 4 and 5 */
    make(100);       /* 6: behind 0, in the same batch */
    kw_core_tray_close(second);
    make(100); /* 7 */
    kw_core_tray_close(first);
    make(100); /* 8 */
    all_delivered();
    static const int64_t offsets[] = {0, 5, 6, 7, 2, 3, 1, 4, 8};
    for (int i = 0; i < 9; i++)
        cr_assert_eq(scene.offset[i], offsets[i], "record %d is at %lld", i,
                     (long long)scene.offset[i]);
    scene_end();
}

/* Its own batch is due and stays open, because nothing can be sent: it is still older. */
Test(trays, are_closed_behind_what_cannot_be_sent_yet)
{
    scene_begin(SIM_MEMORY_PLAIN, usual);
    make(10);
    all_delivered();
    scene.pair.hold_answers = true;
    for (int i = 0; i < 40; i++) {
        make(100);
        sim_pair_step(&scene.pair, 0);
        sim_pair_step(&scene.pair, 6000);
    }
    struct kw_tray *tray = open_tray();
    fill(tray, 5);
    kw_core_tray_close(tray);
    make(100);
    scene.pair.hold_answers = false;
    all_delivered();
    for (uintptr_t i = 0; i < scene.n_made; i++)
        cr_assert_eq(scene.offset[i], (int64_t)i);
    scene_end();
}

Test(trays, that_are_empty_leave_nothing)
{
    scene_begin(SIM_MEMORY_PLAIN, usual);
    struct kw_tray *tray = open_tray();
    kw_core_tray_close(tray);
    make(10);
    all_delivered();
    cr_assert_eq(scene.offset[0], 0);
    scene_end();
}

Test(trays, without_linger_or_partition_there_are_none)
{
    static const char *const at_once[] = {"linger.ms=0", NULL};
    struct kw_tray_rules rules;
    struct kw_tray *tray;
    scene_begin(SIM_MEMORY_PLAIN, usual);
    cr_assert(kw_core_tray_rules(scene.topic, &rules));
    cr_assert_eq(rules.linger_us, 5000);
    cr_assert_eq(rules.n_partitions, PARTITIONS);
    cr_assert_eq(kw_core_tray_open(&tray, scene.topic, PARTITIONS), KW_ERR_STATE);
    cr_assert_null(tray);
    scene_end();
    scene_begin(SIM_MEMORY_PLAIN, at_once);
    cr_assert_not(kw_core_tray_rules(scene.topic, &rules));
    cr_assert_eq(kw_core_tray_open(&tray, scene.topic, 0), KW_ERR_STATE);
    scene_end();
}

/* A partition -1 that is named is not "any". */
Test(trays, of_a_partition_that_cannot_be_there_is_none)
{
    struct kw_record record = {.flags = KW_REC_PARTITION, .partition = -1};
    struct kw_tray *tray;
    scene_begin(SIM_MEMORY_PLAIN, usual);
    cr_assert_eq(kw_core_tray_place(&record, PARTITIONS), INT32_MAX);
    cr_assert_eq(kw_core_tray_open(&tray, scene.topic, INT32_MAX), KW_ERR_STATE);
    record.flags = 0;
    cr_assert_eq(kw_core_tray_place(&record, PARTITIONS), -1);
    scene_end();
}

Test(trays, what_does_not_fit_is_refused_and_what_was_accepted_stays)
{
    int rc = 0;
    scene_begin(SIM_MEMORY_PLAIN, usual);
    struct kw_tray *tray = open_tray();
    while (rc == 0 && scene.n_made < 1000)
        rc = try_fill(tray, 100);
    cr_assert_eq(rc, KW_ERR_LIMIT, "the batch is full: %s", kw_err_name(rc));
    cr_assert_gt(scene.n_made, 100);
    kw_core_tray_close(tray);
    all_delivered();
    scene_end();
}

/* The reserve is full of trays, which nobody can send before they are closed. */
Test(trays, the_reserve_may_be_full_of_them)
{
    struct kw_tray *trays[200];
    int n = 0, rc = 0;
    scene_begin(SIM_MEMORY_PLAIN, usual);
    while (n < 200 && (rc = kw_core_tray_open(&trays[n], scene.topic, n % PARTITIONS)) == 0) {
        int refused = 0;
        while (refused == 0 && scene.n_made < RECORDS_MAX - 10)
            refused = try_fill(trays[n], 4000);
        cr_assert(refused == KW_ERR_LIMIT || refused == KW_ERR_WOULD_BLOCK, "%s",
                  kw_err_name(refused));
        n++;
    }
    cr_assert_eq(rc, KW_ERR_WOULD_BLOCK, "%s after %d", kw_err_name(rc), n);
    cr_assert_gt(n, 4, "%d", n);
    cr_assert_null(trays[n]);
    for (int i = 0; i < n; i++)
        kw_core_tray_close(trays[i]);
    all_delivered();
    kw_core_tray_close(open_tray()); /* there is room again */
    scene_end();
}

Test(trays, a_purge_leaves_them_and_their_records_are_sent)
{
    scene_begin(SIM_MEMORY_PLAIN, usual);
    struct kw_tray *tray = open_tray();
    fill(tray, 3);
    make(10);
    cr_assert_eq(kw_core_purge(scene.producer), 0);
    sim_pair_settle(&scene.pair);
    cr_assert_eq(scene.n_of[KW_NOT_WRITTEN], 1);
    kw_core_tray_close(tray);
    cr_assert(sim_pair_run(&scene.pair, &scene.done, 20000));
    cr_assert_eq(scene.n_of[KW_DELIVERED], 3);
    scene_end();
}

Test(trays, a_destroyed_client_frees_them)
{
    scene_begin(SIM_MEMORY_PLAIN, usual);
    fill(open_tray(), 3);
    fill(open_tray(), 200 / 2);
    open_tray();
    scene_end();
}

/* The close waits for what is there when it begins; what comes out of a tray behind it is
 * drained, too, as long as it drains. */
Test(trays, closed_while_the_client_drains)
{
    scene_begin(SIM_MEMORY_PLAIN, usual);
    make(10);
    all_delivered();
    scene.pair.hold_answers = true;
    make(10);
    struct kw_tray *tray = open_tray();
    fill(tray, 3);
    cr_assert_not_null(kw_core_close(scene.pair.core, 3000, NULL));
    sim_pair_step(&scene.pair, 10000);
    kw_core_tray_close(tray);
    scene.pair.hold_answers = false;
    for (int i = 0; i < 500 && scene.n_ops < 1; i++)
        sim_pair_step(&scene.pair, 10000);
    cr_assert_eq(scene.n_ops, 1);
    cr_assert(scene.done);
    cr_assert_eq(scene.n_of[KW_DELIVERED] + scene.n_of[KW_NOT_WRITTEN], scene.n_made);
    cr_assert_eq(scene.n_of[KW_DELIVERED], scene.n_made, "there was time to send them");
    scene_end();
}

Test(trays, closed_when_the_client_is_closed_already)
{
    scene_begin(SIM_MEMORY_PLAIN, usual);
    make(10);
    all_delivered();
    struct kw_tray *tray = open_tray();
    fill(tray, 3);
    cr_assert_not_null(kw_core_close(scene.pair.core, 0, NULL));
    for (int i = 0; i < 100 && scene.n_ops < 1; i++)
        sim_pair_step(&scene.pair, 10000);
    cr_assert_eq(scene.n_ops, 1);
    kw_core_tray_close(tray);
    none_written(3);
    scene_end();
}

/* A producer that the cluster does not let write can send nothing any more. */
Test(trays, closed_when_the_producer_has_failed_for_good)
{
    struct kw_mock_fault fault;
    const char *why = NULL;
    struct kw_record record;
    scene_begin(SIM_MEMORY_PLAIN, usual);
    cr_assert_eq(kwi_mock_fault_parse("produce:*:error=31", &fault, &why), 0, "%s", why);
    cr_assert_eq(kwi_mock_fault_add(scene.pair.mock, &fault, NULL), 0);
    struct kw_tray *tray = open_tray();
    fill(tray, 3);
    make(10);
    for (int i = 0; i < 100 && scene.n_reported < 1; i++)
        sim_pair_step(&scene.pair, 10000);
    record = next_record(10);
    int rc = kw_core_produce(scene.topic, &record);
    cr_assert_eq(rc, KW_ERR_STATE, "%s, %lu reported", kw_err_name(rc),
                 (unsigned long)scene.n_reported);
    kw_core_tray_close(tray);
    none_written(4);
    scene_end();
}

Test(trays, their_partition_may_move_and_its_topic_may_grow)
{
    scene_begin(SIM_MEMORY_PLAIN, usual);
    struct kw_tray *tray = open_tray();
    fill(tray, 3);
    uint64_t before = kw_core_tray_changes(scene.pair.core);
    cr_assert_eq(kwi_mock_add_partitions(scene.pair.mock, "t", PARTITIONS + 60), 0);
    for (int i = 0; i < 400 && kw_topic_partitions(scene.topic) == PARTITIONS; i++)
        sim_pair_step(&scene.pair, 2000000);
    cr_assert_eq(kw_topic_partitions(scene.topic), PARTITIONS + 60);
    cr_assert_neq(kw_core_tray_changes(scene.pair.core), before, "the rules are others");
    fill(tray, 3);
    kw_core_tray_close(tray);
    all_delivered();
    for (int i = 0; i < 6; i++)
        cr_assert(scene.partition[i] == 0 && scene.offset[i] == i);
    scene_end();
}

/* Every allocation fails once: nothing is lost that was accepted, and nothing leaks. */
Test(trays, memory_may_be_short_anywhere)
{
    for (size_t at = 0; at < 12; at++) {
        struct kw_tray *tray = NULL;
        scene_begin(SIM_MEMORY_PLAIN, usual);
        make(10);
        all_delivered();
        scene.pair.memory.fail_from = scene.pair.memory.n_allocs + at;
        scene.pair.memory.fail_to = scene.pair.memory.fail_from + 1;
        int rc = kw_core_tray_open(&tray, scene.topic, 0);
        cr_assert(rc == 0 || rc == KW_ERR_NOMEM || rc == KW_ERR_WOULD_BLOCK, "%s", kw_err_name(rc));
        for (int i = 0; rc == 0 && i < 140; i++)
            rc = try_fill(tray, 100);
        if (tray)
            kw_core_tray_close(tray);
        all_delivered();
        scene_end();
    }
}
