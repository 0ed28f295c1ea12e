/* A producer of transactions that is killed and comes back, among cuts at any byte, lost and
 * late answers, delayed requests, leaders and coordinators that move; and a reader of
 * committed records. From a seed.
 *
 * Each transaction commits its number as an offset. What the group has committed in the end
 * says which transactions there are; of these each record is read once, in order of offsets,
 * and of no other one any (I8). What the application was told agrees with it.
 * KW_TXN_SEEDS: how many; KW_TXN_FIRST: from which on.
 *
 * covers: P23 T01 T02 T03 T09 T14 T16 T21 I8 I11 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/pair.h"
#include "tests/sim/rng.h"

enum {
    TXN_SEEDS = 40,
    TXN_TURNS = 24, /* transactions */
    TXN_PARTITIONS = 3,
    TXN_BROKERS = 3,
    TXN_RECORDS = 8, /* of one, at most */
    TXN_STEP_US = 2000
};

static const char *const faults[] = {"produce:/5:close-after",
                                     "produce:/7:close-before",
                                     "produce:/9:late=900",
                                     "produce:/6:error=7",
                                     "produce:/4:error=6",
                                     "produce:/11:drop-answer",
                                     "addpartitionstotxn:/4:late=700",
                                     "addpartitionstotxn:/5:drop-answer",
                                     "addpartitionstotxn:/3:error=51",
                                     "addoffsetstotxn:/3:close-after",
                                     "txnoffsetcommit:/4:close-after",
                                     "txnoffsetcommit:/3:error=14",
                                     "txnoffsetcommit:/5:late=800",
                                     "endtxn:/3:close-after",
                                     "endtxn:/4:late=1200",
                                     "endtxn:/5:error=15",
                                     "endtxn:/7:drop-answer",
                                     "initproducerid:/2:close-after",
                                     "initproducerid:/3:late=500",
                                     "metadata:/3:error=100",
                                     "fetch:/7:close-after",
                                     "fetch:/5:error=6"};

enum txn_told { TOLD_NOTHING, TOLD_COMMITTED, TOLD_ABORTED };

/* How an operation ended; of a life that is over it never does. */
struct txn_wait {
    bool done;
    int code;
    uint8_t class;
};
struct txn_record {
    unsigned txn;
    uint8_t n_read;
};

static struct {
    struct sim_pair pair;
    struct sim_rng rng;
    uint64_t seed;
    int16_t version;
    bool cuts, moves, kills;
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_consumer *reader;
    int64_t next[TXN_PARTITIONS]; /* where the reader goes on */
    unsigned n_txns, n_records, n_kills;
    uint8_t told[TXN_TURNS + 1]; /* by number, from 1 on */
    struct txn_record records[TXN_TURNS * TXN_RECORDS];
    uint32_t n_faults;
} bed;

static const char *const client[] = {"request.timeout.ms=1000",
                                     "retry.backoff.ms=10",
                                     "retry.backoff.max.ms=100",
                                     "reconnect.backoff.ms=10",
                                     "reconnect.backoff.max.ms=50",
                                     "metadata.max.age.ms=2000",
                                     NULL};
static const char *const producer[] = {"transactional.id=x", "linger.ms=1", "batch.size=300", NULL};
static const char *const reader[] = {"isolation.level=read_committed", "fetch.max.wait.ms=50",
                                     NULL};

static void on_event(void *ctx, const struct kw_event *event)
{
    struct txn_wait *wait = event->tag;
    (void)ctx;
    if (event->kind != KW_EVENT_OP_DONE || !wait)
        return;
    cr_assert(!wait->done, "seed %u: an operation ended twice", (unsigned)bed.seed);
    *wait = (struct txn_wait){true, event->code, event->error ? event->error->txn_class : 0};
}

/* ---- the reader ---------------------------------------------------------------------- */

static void read_handle(struct kw_records *records)
{
    int32_t p = kw_records_partition(records);
    const struct kw_consumed *record;
    while ((record = kw_records_next(records))) {
        unsigned number = 0;
        cr_assert_geq(record->offset, bed.next[p], "seed %u: %d goes back", (unsigned)bed.seed, p);
        bed.next[p] = record->offset + 1;
        cr_assert_eq(record->value.len, sizeof number);
        memcpy(&number, record->value.ptr, sizeof number);
        cr_assert_lt(number, bed.n_records);
        bed.records[number].n_read++;
    }
    kw_core_records_release(records, KW_DONE);
}

/* Time passes; the reader reads. */
static void run(uint64_t ms)
{
    struct kw_records *records;
    for (uint64_t us = 0; us < ms * 1000; us += TXN_STEP_US) {
        sim_pair_step(&bed.pair, TXN_STEP_US);
        while (bed.reader && kw_core_consumer_poll(bed.reader, &records, 0) == 1)
            read_handle(records);
    }
    cr_assert(!bed.pair.broken, "seed %u: %s", (unsigned)bed.seed, bed.pair.why);
}

/* ---- lives ---------------------------------------------------------------------------- */

static void open_reader(void)
{
    struct kw_start starts[TXN_PARTITIONS];
    struct kw_config *own;
    struct kw_error err;
    cr_assert_eq(sim_pair_config(&bed.pair, &own, reader), 0);
    cr_assert_eq(kw_core_consumer_create(&bed.reader, bed.pair.core, own, &err), 0);
    kw_config_destroy(own);
    for (int32_t p = 0; p < TXN_PARTITIONS; p++)
        starts[p] = (struct kw_start){"t", p, KW_START_OFFSET, bed.next[p]};
    cr_assert_eq(kw_core_assign(bed.reader, starts, TXN_PARTITIONS, &err), 0);
}

/* One operation, with deadlines that are too short now and then, until it is decided. The
 * class of its error, KW_TXN_NO_CLASS: done. */
static uint8_t carry_out(struct kw_op *(*start)(int32_t timeout_ms, struct txn_wait *wait))
{
    for (int i = 0; i < 400; i++) {
        struct txn_wait wait = {0};
        cr_assert_not_null(start(sim_one_in(&bed.rng, 2) ? 30 : 5000, &wait));
        for (int n = 0; n < 3000 && !wait.done; n++)
            run(2);
        cr_assert(wait.done, "seed %u: an operation does not end", (unsigned)bed.seed);
        if (wait.code == 0)
            return KW_TXN_NO_CLASS;
        cr_assert(wait.class == KW_TXN_RETRY || wait.class == KW_TXN_ABORT, "seed %u: %s class %d",
                  (unsigned)bed.seed, kw_err_name(wait.code), wait.class);
        if (wait.class == KW_TXN_ABORT)
            return KW_TXN_ABORT;
    }
    cr_assert_fail("seed %u: nothing is ever decided", (unsigned)bed.seed);
    return KW_TXN_FATAL;
}

static struct kw_op *start_init(int32_t timeout_ms, struct txn_wait *wait)
{
    return kw_core_txn_init(bed.producer, timeout_ms, wait);
}

static struct kw_op *start_commit(int32_t timeout_ms, struct txn_wait *wait)
{
    return kw_core_txn_commit(bed.producer, timeout_ms, wait);
}

static struct kw_op *start_abort(int32_t timeout_ms, struct txn_wait *wait)
{
    return kw_core_txn_abort(bed.producer, timeout_ms, wait);
}

static struct kw_op *start_offsets(int32_t timeout_ms, struct txn_wait *wait)
{
    const struct kw_offset list[] = {{.topic = "t", .partition = 0, .offset = bed.n_txns}};
    const struct kw_offsets offsets = {list, 1};
    const struct kw_txn_offsets what = {
        .size = sizeof what, .group_id = "g", .generation = -1, .offsets = &offsets};
    return kw_core_txn_send_offsets(bed.producer, &what, timeout_ms, wait);
}

static void begin_life(void)
{
    struct kw_config *own;
    struct kw_error err;
    cr_assert_eq(sim_pair_core(&bed.pair, client, NULL), 0);
    cr_assert_eq(sim_pair_config(&bed.pair, &own, producer), 0);
    cr_assert_eq(kw_core_producer_create(&bed.producer, bed.pair.core, own, &err), 0, "%s",
                 err.text);
    kw_config_destroy(own);
    cr_assert_eq(kw_core_topic_open(&bed.topic, bed.producer, "t", &err), 0);
    open_reader();
    cr_assert_eq(carry_out(start_init), KW_TXN_NO_CLASS, "seed %u", (unsigned)bed.seed);
}

/* kill -9: what was sent may still arrive. */
static void end_life(void)
{
    bed.reader = NULL;
    kw_core_destroy(bed.pair.core);
    bed.pair.core = NULL;
    cr_assert_eq(bed.pair.memory.n_live, 0, "seed %u: leaked", (unsigned)bed.seed);
    sim_pair_forget_conns(&bed.pair);
}

/* ---- what goes wrong --------------------------------------------------------------------- */

static void cut_all(void)
{
    for (uint32_t i = 0; i < bed.pair.n_conns; i++) {
        struct sim_pair_conn *conn = bed.pair.conns[i];
        if (conn->up && !conn->closed && !sim_one_in(&bed.rng, 4))
            sim_pair_break(&bed.pair, conn);
    }
}

static void mishap(void)
{
    struct sim_rng *rng = &bed.rng;
    if (bed.cuts && sim_one_in(rng, 4)) { /* in the middle of a request, or of an answer */
        if (sim_one_in(rng, 2))
            bed.pair.take_max = sim_below(rng, 400);
        else
            bed.pair.read_max = sim_below(rng, 400);
        run(sim_below(rng, 30));
        cut_all();
        bed.pair.take_max = bed.pair.read_max = SIZE_MAX;
    }
    if (bed.moves && sim_one_in(rng, 3))
        cr_assert_eq(kwi_mock_set_leader(bed.pair.mock, "t",
                                         (int32_t)sim_below(rng, TXN_PARTITIONS),
                                         (int32_t)sim_below(rng, TXN_BROKERS)),
                     0);
    if (bed.moves && sim_one_in(rng, 6))
        kwi_mock_set_coordinator(bed.pair.mock, (int32_t)sim_below(rng, TXN_BROKERS));
}

/* ---- transactions -------------------------------------------------------------------------- */

/* Returns false when it is to be aborted. */
static bool write_some(void)
{
    unsigned n = sim_between(&bed.rng, 1, TXN_RECORDS);
    for (unsigned i = 0; i < n; i++) {
        unsigned number = bed.n_records;
        struct kw_record record = {.value = {&number, sizeof number},
                                   .flags = KW_REC_PARTITION,
                                   .partition = (int32_t)sim_below(&bed.rng, TXN_PARTITIONS)};
        int rc = KW_ERR_WOULD_BLOCK;
        bed.records[number] = (struct txn_record){.txn = bed.n_txns};
        bed.n_records++; /* it may be read from now on */
        for (int turn = 0; turn < 2000 && rc == KW_ERR_WOULD_BLOCK; turn++) {
            rc = kw_core_produce(bed.topic, &record);
            if (rc == KW_ERR_WOULD_BLOCK)
                run(10);
        }
        cr_assert(rc >= 0 || rc == KW_ERR_STATE, "seed %u: %s", (unsigned)bed.seed,
                  kw_err_name(rc));
        if (rc < 0) {
            bed.n_records--;
            return false;
        }
        if (sim_one_in(&bed.rng, 3))
            run(sim_below(&bed.rng, 40));
        mishap();
    }
    return true;
}

/* The process dies in the middle of the call that comes next, or before it. */
static bool dies(struct kw_op *(*start)(int32_t timeout_ms, struct txn_wait *wait))
{
    static struct txn_wait nobody;
    if (!bed.kills || !sim_one_in(&bed.rng, 12))
        return false;
    nobody = (struct txn_wait){0};
    cr_assert_not_null(start(5000, &nobody));
    run(sim_below(&bed.rng, 12));
    end_life();
    begin_life();
    bed.n_kills++;
    return true;
}

static void one_transaction(void)
{
    unsigned number = ++bed.n_txns;
    bool commit = !sim_one_in(&bed.rng, 4);
    struct kw_error err;
    cr_assert_eq(kw_core_txn_begin(bed.producer, &err), 0, "seed %u: %s", (unsigned)bed.seed,
                 err.text);
    if (!write_some())
        commit = false;
    if (commit && dies(start_offsets))
        return;
    commit = commit && carry_out(start_offsets) == KW_TXN_NO_CLASS;
    mishap();
    if (commit && dies(start_commit))
        return;
    if (commit && carry_out(start_commit) == KW_TXN_NO_CLASS) {
        bed.told[number] = TOLD_COMMITTED;
        return;
    }
    if (dies(start_abort))
        return;
    cr_assert_eq(carry_out(start_abort), KW_TXN_NO_CLASS, "seed %u", (unsigned)bed.seed);
    bed.told[number] = TOLD_ABORTED;
}

/* ---- the verdict ------------------------------------------------------------------------------ */

static bool at_the_ends(void)
{
    for (int32_t p = 0; p < TXN_PARTITIONS; p++) {
        struct kw_mock_partition_info info = {0};
        int64_t position;
        if (kwi_mock_partition(bed.pair.mock, "t", p, &info) ||
            kw_position(bed.reader, "t", p, &position) || position != info.high_watermark)
            return false;
    }
    return true;
}

static void judge(void)
{
    int64_t last = kwi_mock_committed(bed.pair.mock, "g", "t", 0);
    unsigned newest = 0;
    for (unsigned number = 1; number <= bed.n_txns; number++) {
        unsigned n = 0, n_once = 0, n_more = 0;
        for (unsigned i = 0; i < bed.n_records; i++) {
            if (bed.records[i].txn != number)
                continue;
            n++;
            n_once += bed.records[i].n_read == 1;
            n_more += bed.records[i].n_read > 1;
        }
        cr_assert_eq(n_more, 0, "seed %u: transaction %u is read twice", (unsigned)bed.seed,
                     number);
        cr_assert(n_once == 0 || n_once == n, "seed %u: %u of %u records of transaction %u",
                  (unsigned)bed.seed, n_once, n, number);
        cr_assert(bed.told[number] != TOLD_COMMITTED || n_once == n,
                  "seed %u: transaction %u was committed, and is not read", (unsigned)bed.seed,
                  number);
        cr_assert(bed.told[number] != TOLD_ABORTED || n_once == 0,
                  "seed %u: transaction %u was aborted, and is read", (unsigned)bed.seed, number);
        if (n_once > 0)
            newest = number;
    }
    cr_assert_eq(last < 0 ? 0 : last, newest, "seed %u: offsets of %lld with records of %u",
                 (unsigned)bed.seed, (long long)last, newest);
}

static unsigned one_seed(uint64_t seed, int16_t version)
{
    struct kw_mock_config config = {.n_brokers = TXN_BROKERS};
    memset(&bed, 0, sizeof bed);
    bed.rng = sim_rng_make(seed, 21);
    bed.seed = seed;
    cr_assert_eq(sim_pair_init_of(&bed.pair, SIM_MEMORY_PLAIN, &config, TXN_PARTITIONS), 0);
    bed.pair.on_event = on_event;
    kwi_mock_set_coordinator(bed.pair.mock, 0);
    kwi_mock_set_transaction_version(bed.pair.mock, version);
    bed.cuts = sim_one_in(&bed.rng, 2);
    bed.moves = sim_one_in(&bed.rng, 2);
    bed.kills = sim_one_in(&bed.rng, 2);
    if (sim_one_in(&bed.rng, 2))
        kwi_mock_set_marker_delay(bed.pair.mock, 5 + sim_below(&bed.rng, 60));
    begin_life();
    for (unsigned i = sim_below(&bed.rng, 5); i > 0; i--) {
        struct kw_mock_fault fault;
        const char *why, *spec = faults[sim_below(&bed.rng, sizeof faults / sizeof *faults)];
        cr_assert_eq(kwi_mock_fault_parse(spec, &fault, &why), 0, "%s: %s", spec, why);
        cr_assert_eq(kwi_mock_fault_add(bed.pair.mock, &fault, NULL), 0);
        bed.n_faults++;
    }
    while (bed.n_txns < TXN_TURNS)
        one_transaction();
    for (uint32_t id = 0; id < bed.n_faults; id++)
        cr_assert_eq(kwi_mock_fault_remove(bed.pair.mock, id), 0);
    run(2000); /* what is late comes now */
    for (int i = 0; i < 100 && !at_the_ends(); i++)
        run(50);
    cr_assert(at_the_ends(), "seed %u: the reader does not come to the end", (unsigned)seed);
    judge();
    end_life();
    sim_pair_deinit(&bed.pair);
    return bed.n_kills;
}

static void all_seeds(int16_t version)
{
    const char *asked = getenv("KW_TXN_SEEDS"), *first = getenv("KW_TXN_FIRST");
    uint64_t from = first ? strtoull(first, NULL, 10) : 1;
    uint64_t n = asked ? strtoull(asked, NULL, 10) : TXN_SEEDS;
    unsigned n_kills = 0;
    for (uint64_t seed = from; seed < from + n; seed++)
        n_kills += one_seed(seed, version);
    cr_assert(n < TXN_SEEDS || n_kills > n / 4, "only %u kills", n_kills);
}

Test(txn, transactions_of_version_1_are_whole_whatever_happens, .timeout = 3600)
{
    all_seeds(1);
}

Test(txn, transactions_of_version_2_are_whole_whatever_happens, .timeout = 3600)
{
    all_seeds(2);
}
