/* Metadata answers that tell far more than was asked: only the topics in use are
 * kept, however many there are, and an answer costs work in proportion to its
 * length. Work is counted in bytes that are walked through, not in time.
 *
 * covers: B09 B15 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "client/core.h"
#include "client/producer.h"
#include "proto/metadata.h"
#include "tests/sim/pair.h"

static uint64_t bytes_walked, n_told;

static bool counted_next(struct kw_iter *it, void *elem)
{
    const uint8_t *before = it->rd.p;
    bool more = kwi_iter_next(it, elem);
    bytes_walked += (uint64_t)(it->rd.p - before);
    return more;
}

/* The same source with its loops counted; it takes the place of the library's. */
#define kwi_iter_next counted_next
#include "client/metadata.c"
#undef kwi_iter_next

enum { VERSION = 12, REPLICAS = 3 };

struct answer {
    uint8_t *body;
    size_t len;
};

static struct sim_pair pair;
static struct kw_producer *producer;
static struct kw_topic *topic;
static int32_t lead_of_first = 0, epoch_of_all = 7; /* what answers say */
static int n_brokers = 0;

static void interest_begin(void)
{
    static const char *const settings[] = {NULL};
    struct kw_config *cfg = NULL;
    struct kw_error err;
    cr_assert_eq(sim_pair_init(&pair, SIM_MEMORY_PLAIN, 3, 4), 0);
    cr_assert_eq(sim_pair_core(&pair, settings, NULL), 0);
    cr_assert_eq(sim_pair_config(&pair, &cfg, settings), 0);
    cr_assert_eq(kw_core_producer_create(&producer, pair.core, cfg, &err), 0);
    kw_config_destroy(cfg);
    cr_assert_eq(kw_core_topic_open(&topic, producer, "t", &err), 0);
    for (int i = 0; i < 100 && kw_topic_partitions(topic) != 4; i++)
        sim_pair_step(&pair, 10000);
    cr_assert_eq(kw_topic_partitions(topic), 4);
}

static void interest_end(void)
{
    cr_assert(!pair.broken, "%s", pair.why);
    kw_core_destroy(pair.core);
    pair.core = NULL;
    cr_assert_eq(pair.memory.n_live, 0);
    sim_pair_deinit(&pair);
}

static void *must_alloc(size_t n, size_t size)
{
    void *block = calloc(n, size);
    cr_assert_not_null(block);
    return block;
}

/* n topics of n_partitions each; the one numbered `ours` is "t". */
static struct answer answer_make(int n, int n_partitions, int ours)
{
    static const int32_t nodes[REPLICAS] = {0, 1, 2};
    struct kw_metadata_response_partition *parts = must_alloc((size_t)n_partitions, sizeof(*parts));
    struct kw_metadata_response_topic *topics = must_alloc((size_t)n, sizeof(*topics));
    char(*names)[16] = must_alloc((size_t)n, sizeof(*names));
    struct kw_metadata_response_broker brokers[REPLICAS];
    struct kw_metadata_response msg;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    struct answer answer;
    for (int i = 0; i < n_partitions; i++) {
        kwi_metadata_response_partition_init(&parts[i]);
        parts[i].partition_index = i;
        parts[i].leader_id = i ? i % 3 : lead_of_first;
        parts[i].leader_epoch = epoch_of_all;
        parts[i].replica_nodes = parts[i].isr_nodes = KWI_ARR(nodes, REPLICAS);
    }
    for (int i = 0; i < n; i++) {
        kwi_metadata_response_topic_init(&topics[i]);
        snprintf(names[i], sizeof names[i], i == ours ? "t" : "other-%d", i);
        topics[i].name = kwi_str(names[i]);
        memset(topics[i].topic_id.b, 1 + i % 200, sizeof topics[i].topic_id.b);
        topics[i].partitions = KWI_ARR(parts, n_partitions);
    }
    kwi_metadata_response_init(&msg);
    for (int i = 0; i < REPLICAS; i++) {
        kwi_metadata_response_broker_init(&brokers[i]);
        brokers[i].node_id = nodes[i];
        brokers[i].host = kwi_str("127.0.0.1");
        brokers[i].port = 9092 + i;
    }
    msg.brokers = KWI_ARR(brokers, n_brokers);
    msg.topics = KWI_ARR(topics, n);
    cr_assert_eq(kwi_metadata_response_encode(&msg, VERSION, &w), 0);
    answer.len = w.len;
    answer.body = must_alloc(1, w.len);
    w = kwi_wr_make(answer.body, answer.len);
    cr_assert_eq(kwi_metadata_response_encode(&msg, VERSION, &w), 0);
    free(names);
    free(topics);
    free(parts);
    return answer;
}

/* As metadata_done does. Frees the answer, so that nothing can be borrowed. */
static void answer_take(struct answer *answer)
{
    struct kw_metadata_response msg;
    bool open = false;
    bytes_walked = 0;
    cr_assert_eq(kwi_metadata_response_decode(&msg, VERSION, answer->body, answer->len, NULL), 0);
    cr_assert_eq(metadata_take(pair.core, &msg, true, &open), 0);
    cr_assert(!open);
    free(answer->body);
    cr_expect_leq(bytes_walked, 4 * answer->len, "%lu bytes walked of %zu",
                  (unsigned long)bytes_walked, answer->len);
}

Test(interest, of_100000_partitions_only_those_of_the_topic_in_use_are_kept)
{
    interest_begin();
    struct answer answer = answer_make(1000, 100, 500);
    size_t before = pair.memory.used;
    uint64_t n_allocs = pair.memory.n_allocs, n_live = pair.memory.n_live;
    cr_assert_gt(answer.len, 3000000);
    answer_take(&answer);
    cr_expect_eq(kwi_map_len(&pair.core->cluster.topics), 1);
    cr_expect_eq(kw_topic_partitions(topic), 100);
    struct kw_topic_meta *meta = kwi_map_get_str(&pair.core->cluster.topics, "t", 1);
    for (int i = 0; i < 100; i++)
        cr_expect(meta->partitions[i].leader == i % 3 && meta->partitions[i].leader_epoch == 7);
    /* A producer's topic has a queue for each partition beside what metadata keeps. */
    cr_expect_leq(pair.memory.used - before, 100 * 1024, "%zu bytes more",
                  pair.memory.used - before);
    cr_expect_leq(pair.memory.n_live - n_live, 110);
    cr_expect_leq(pair.memory.n_allocs - n_allocs, 220);

    /* The next answers cost no memory at all. */
    before = pair.memory.used;
    n_allocs = pair.memory.n_allocs;
    for (int i = 0; i < 3; i++) {
        answer = answer_make(1000, 100, 500);
        answer_take(&answer);
    }
    cr_expect_eq(pair.memory.used, before);
    cr_expect_eq(pair.memory.n_allocs, n_allocs);
    interest_end();
}

Test(interest, the_work_grows_with_the_answer_and_no_faster)
{
    uint64_t small, large;
    size_t len;
    interest_begin();
    struct answer answer = answer_make(100, 100, 50);
    len = answer.len;
    answer_take(&answer);
    small = bytes_walked;
    answer = answer_make(1000, 100, 500);
    cr_assert_geq(answer.len, 10 * len);
    answer_take(&answer);
    large = bytes_walked;
    cr_expect_leq(large, 11 * small, "%lu, then %lu", (unsigned long)small, (unsigned long)large);

    /* 10^5 topics, 10^6 partitions. */
    len = answer.len;
    answer = answer_make(100000, 10, 99999);
    cr_assert_geq(answer.len, 9 * len);
    answer_take(&answer);
    cr_expect_leq(bytes_walked / answer.len, large / len + 1);
    cr_expect_eq(kwi_map_len(&pair.core->cluster.topics), 1);
    interest_end();
}

static void told(struct kw_topic_watch *watch, struct kw_topic_meta *meta)
{
    (void)watch;
    n_told += meta->n_partitions;
}

/* Who watches a topic looks at each of its partitions. A broker that names the topic
 * once more in a few bytes must not buy another round of that with them. */
Test(interest, a_topic_that_stands_in_an_answer_again_counts_once)
{
    enum { AGAIN = 5000 };
    struct kw_topic_watch watch = {.changed = told};
    struct kw_metadata_response_partition parts[100];
    struct kw_metadata_response_topic *topics = must_alloc(AGAIN, sizeof(*topics));
    struct kw_metadata_response msg;
    struct kw_wr w = kwi_wr_make(NULL, 0);
    struct answer answer;
    interest_begin();
    struct kw_topic_meta *meta = kwi_map_get_str(&pair.core->cluster.topics, "t", 1);
    kwi_list_push(&meta->watchers, &watch.node);
    for (int i = 0; i < 100; i++) {
        kwi_metadata_response_partition_init(&parts[i]);
        parts[i].partition_index = i;
    }
    for (int i = 0; i < AGAIN; i++) {
        kwi_metadata_response_topic_init(&topics[i]);
        topics[i].name = kwi_str("t");
        topics[i].partitions = KWI_ARR(parts, i ? 0 : 100);
    }
    kwi_metadata_response_init(&msg);
    msg.topics = KWI_ARR(topics, AGAIN);
    cr_assert_eq(kwi_metadata_response_encode(&msg, VERSION, &w), 0);
    answer.len = w.len;
    answer.body = must_alloc(1, w.len);
    w = kwi_wr_make(answer.body, answer.len);
    cr_assert_eq(kwi_metadata_response_encode(&msg, VERSION, &w), 0);
    free(topics);
    n_told = 0;
    answer_take(&answer);
    cr_expect_eq(n_told, 100, "the watchers were shown %lu partitions", (unsigned long)n_told);
    kwi_list_remove(&meta->watchers, &watch.node);
    interest_end();
}

/* What is known of the first partition after an answer. */
static void leader_after(int32_t leader, int32_t epoch, int32_t known, int32_t known_epoch)
{
    const struct kw_partition_meta *part;
    struct kw_metadata_response msg;
    struct answer answer;
    bool open = false;
    lead_of_first = leader;
    epoch_of_all = epoch;
    answer = answer_make(1, 4, 0);
    cr_assert_eq(kwi_metadata_response_decode(&msg, VERSION, answer.body, answer.len, NULL), 0);
    cr_assert_eq(metadata_take(pair.core, &msg, true, &open), 0);
    free(answer.body);
    part = &topic->meta->partitions[0];
    cr_expect_eq(part->leader, known, "leader %d of epoch %d: now %d", leader, epoch, part->leader);
    cr_expect_eq(part->leader_epoch, known_epoch, "leader %d of epoch %d: now epoch %d", leader,
                 epoch, part->leader_epoch);
}

/* Of an answer whose epochs are not believed: what is known stays, unless it was denied. */
Test(interest, an_answer_without_epochs_leaves_none_that_was_denied)
{
    struct kw_metadata_response msg;
    struct answer answer;
    bool open = false;
    interest_begin();
    n_brokers = REPLICAS;
    leader_after(0, 5, 0, 5);
    lead_of_first = 0;
    epoch_of_all = 5;
    for (int denied = 0; denied < 2; denied++) {
        if (denied)
            kwi_topic_meta_doubt(topic->meta, 0);
        answer = answer_make(1, 4, 0);
        cr_assert_eq(kwi_metadata_response_decode(&msg, VERSION, answer.body, answer.len, NULL), 0);
        cr_assert_eq(metadata_take(pair.core, &msg, false, &open), 0);
        free(answer.body);
        cr_assert_eq(topic->meta->partitions[0].leader, 0);
        cr_assert_eq(topic->meta->partitions[0].leader_epoch, denied ? -1 : 5);
    }
    interest_end();
}

Test(interest, an_older_epoch_counts_only_against_a_leader_that_denies_it)
{
    interest_begin();
    n_brokers = REPLICAS;
    leader_after(0, 7, 0, 7);
    leader_after(1, 6, 0, 7);
    leader_after(1, 8, 1, 8);
    leader_after(-1, INT32_MAX, -1, INT32_MAX); /* a lie, perhaps */
    leader_after(2, 9, 2, 9);
    leader_after(0, INT32_MAX, 0, INT32_MAX);
    leader_after(2, 10, 0, INT32_MAX);
    kwi_topic_meta_doubt(topic->meta, 0);
    kwi_topic_meta_doubt(topic->meta, 4);
    leader_after(2, 10, 2, 10);
    leader_after(1, 9, 2, 10);
    leader_after(12345, INT32_MAX, 12345, INT32_MAX); /* no such broker */
    leader_after(2, 11, 2, 11);
    interest_end();
}
